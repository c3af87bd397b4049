#!/usr/bin/env python3
"""check_run_set.py SOURCE BUILD: `./dev bench` leaves whole parts and a summary that says what they say, or
nothing. Exit 77 (skipped) without python3-jsonschema."""
import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import types

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)

SOURCE, BUILD = sys.argv[1:3]
RUN_SET = [sys.executable, os.path.join(SOURCE, "benchmarks", "run_set"), "--build", BUILD]
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def files(folder):
    """Everything in it, by relative name."""
    found = {}
    for at, _, names in os.walk(folder):
        for n in names:
            with open(os.path.join(at, n), encoding="utf-8") as f:
                found[os.path.relpath(os.path.join(at, n), folder)] = f.read()
    return found


def run(*args):
    return subprocess.run([*RUN_SET, *args], capture_output=True, text=True, check=False)


with tempfile.TemporaryDirectory() as tmp:
    results = os.path.join(tmp, "results")
    quick = ["--quick", "-r", "3", "-t", "1", "--results", results, "--name", "here"]
    done = run(*quick, "stories15m", "kernels")
    assert done.returncode == 0, done.stderr
    before = files(results)
    summary = before.pop("here/summary.md")
    assert done.stdout.strip() == os.path.join(results, "here", "summary.md"), done.stdout
    assert sorted(before) == [
        "here/kernels/about.json",
        "here/kernels/kernels.csv",
        "here/kernels/roofs-after.json",
        "here/kernels/roofs-kernels.json",
        "here/stories15m/about.json",
        "here/stories15m/base.json",
        "here/stories15m/depth.json",
        "here/stories15m/roofs-after.json",
        "here/stories15m/roofs-base.json",
        "here/stories15m/roofs-depth.json",
    ], sorted(before)
    for name, text in {**before, "summary": summary}.items():
        for private in (tmp, tempfile.gettempdir() + "/", SOURCE, os.path.expanduser("~") + "/"):
            assert private not in text, f"{name} names {private}"

    # every result has its row, with its median
    with open(os.path.join(BUILD, "schema", "bench.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    tests = []
    for name in ("base", "depth"):
        report = json.loads(before[f"here/stories15m/{name}.json"])
        jsonschema.validate(report, schema)
        assert report["machine"]["roofs_source"] == f"file roofs-{name}.json", report["machine"]
        for r in report["results"]:
            tests.append(r["test"])
            ts = r["median_ts"]
            row = f"| {r['test']} | {r['dtype']} | {f'{ts:.0f}' if ts >= 100 else f'{ts:.3g}'} |"
            assert row in summary, row
        for line in report["verdict"]:
            assert line in summary, line
    assert sorted(set(tests)) == ["pp16", "tg4", "tg4 @ d32", "tg4 x8"], tests
    assert (
        len(
            [line for line in summary.splitlines() if line.startswith("- roofs: ") and "GB/s in turn" in line]
        )
        == 2
    )
    assert "Quick: the figures mean nothing" in summary

    # every kernel has its row, every share lies in its cell
    figures = list(csv.DictReader(before["here/kernels/kernels.csv"].splitlines()))
    assert {"gemv", "gemm", "attn"} <= {r["op"] for r in figures}
    assert {r["shape"] for r in figures if r["op"] == "gemm"} == {"96x128", "64x256"}
    assert {r["type"] for r in figures if r["op"] == "gemm"} == {"f16", "bf16", "q8g32", "q4g64"}
    for r in figures:
        assert float(r["median_us"]) > 0 and float(r["q1_us"]) <= float(r["median_us"]) <= float(
            r["q3_us"]
        ), r
        assert (r["roof"] == "none") == (r["roof_share"] == "") == (r["roof_rate"] == ""), r
    share = [
        100 * float(r["roof_share"])
        for r in figures
        if (r["op"], r["type"], r["tokens"]) == ("gemv", "f16", "1")
    ]
    row = next(line for line in summary.splitlines() if line.startswith("| gemv | 1 |"))
    assert row.split(" | ")[2].startswith(f"{min(share):.0f}..{max(share):.0f} "), (row, share)

    # interrupted: as it was
    before = files(results)
    child = subprocess.Popen(
        [*RUN_SET, *quick, "kernels"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stderr.readline() == "== kernels\n"
    time.sleep(0.3)
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(timeout=60) == 130, child.returncode
    child.stderr.close()
    assert files(results) == before

    # parts of another machine are not mixed in
    sys.path.insert(0, os.path.join(SOURCE, "benchmarks"))
    run_set = types.ModuleType("run_set")
    run_set.__file__ = os.path.join(SOURCE, "benchmarks", "run_set")
    with open(run_set.__file__, encoding="utf-8") as f:
        exec(compile(f.read(), run_set.__file__, "exec"), run_set.__dict__)
    roofs = json.loads(before["here/kernels/roofs-kernels.json"])
    run_set.same_machine(os.path.join(results, "here"), roofs)
    try:
        run_set.same_machine(os.path.join(results, "here"), {**roofs, "cpu_id": "another one"})
        sys.exit("results of another machine were accepted")
    except SystemExit as e:
        assert "here another one" in str(e) and "--name" in str(e), e

refused = run("--quick", "kernels")
assert refused.returncode == 2 and "--results DIR" in refused.stderr, refused.stderr
refused = run("llama-4")
assert (
    refused.returncode == 2 and "no part 'llama-4'; there are: kernels stories15m" in refused.stderr
), refused.stderr

# what is kept in the project names nobody's folders
kept = os.path.join(SOURCE, "benchmarks", "results")
for name, text in files(kept).items():
    path = re.search(r"(?<![\w.)])(/[\w.-]+){2,}", text)
    assert not path, f"{name} names {path.group()}"
