#!/usr/bin/env python3
"""check_new_figure.py SOURCE BUILD LIBRARY...: the diff of CONTRIBUTING.md adds a figure of operators.

It is applied to copies, reports are built with it, and the figure is in each of them: nothing else had to be
touched. Exit 77 (skipped) where the build has no list of its commands.
"""
import csv
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

SOURCE, BUILD, *LIBRARIES = sys.argv[1:]
KEY, TITLE, HELP = "call_ns", "per call", "mean time of a call, ns"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def patched(diff):
    """Files of a diff, changed: (name, text). Each hunk must fit in one place."""
    for part in re.split(r"^--- a/", diff, flags=re.M)[1:]:
        name = part.split("\n", 1)[0]
        text = read(os.path.join(SOURCE, name))
        for hunk in re.split(r"^@@.*\n", part, flags=re.M)[1:]:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] != "+")
            new = "".join(line[1:] for line in lines if line[0] != "-")
            assert text.count(old) == 1, f"CONTRIBUTING.md: a hunk does not fit {name}:\n{old}"
            text = text.replace(old, new)
        yield name, text


def commands(folder, changed):
    """(arguments, object) of each source of report/ and of the test's own, with the changed files."""
    every = os.path.join(BUILD, "compile_commands.json")
    if not os.path.exists(every):
        print(f"SKIPPED: {every} is not there")
        sys.exit(77)
    for c in json.loads(read(every)):
        name = os.path.relpath(os.path.join(c["directory"], c["file"]), SOURCE)
        own = "new_figure.dir" in c["command"] and name.startswith("tests/report/")
        if "/rg_report.dir/" not in c["command"] and not own:
            continue
        args = shlex.split(c["command"])
        at = args.index("-o")
        out = os.path.join(folder, os.path.basename(args[at + 1]))
        compiler = [a for a in args[:at] if not re.match(r"-(O|g|W|M)", a)]
        first = next(i for i, a in enumerate(compiler) if a.startswith("-"))
        file = os.path.join(folder if name in changed else SOURCE, name)
        yield [*compiler[:first], f"-I{folder}", *compiler[first:], "-O0", "-w", "-o", out, "-c", file], out


def built(folder):
    shown = read(os.path.join(SOURCE, "CONTRIBUTING.md"))
    diff = re.search(r"^## A figure\n.*?^```diff\n(.*?)^```", shown, re.M | re.S).group(1)
    changed = dict(patched(diff))
    added, gone = [diff.count(f"\n{c}") - diff.count(f"\n{c * 3} ") for c in "+-"]
    assert len(changed) == 2 and added == 2 and gone == 0, diff
    for name, text in changed.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    todo = list(commands(folder, changed))
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda c: subprocess.run(c[0], capture_output=True, text=True, check=False),
                             todo):
            assert done.returncode == 0, done.stderr
    program = os.path.join(folder, "new_figure")
    args = todo[0][0]
    flags = [a for a in args if a.startswith(("-fsanitize", "-fprofile", "--coverage"))]
    compiler = [*itertools.takewhile(lambda a: a[0] != "-", args), *flags]
    link = [*compiler, "-o", program, *(out for _, out in todo), *LIBRARIES]
    done = subprocess.run(link, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


with tempfile.TemporaryDirectory() as tmp:
    program = built(tmp)

    def printed(what):
        return subprocess.run([program, what], capture_output=True, text=True, check=True).stdout

    for op in json.loads(printed("json"))["ops"]:
        assert abs(op[KEY] - op["t_ns"] / op["calls"]) <= 1e-9 * op[KEY], op
    assert all(float(row[KEY]) > 0 for row in csv.DictReader(printed("csv").splitlines()))
    assert re.search(rf"^\| operator .*\| +{TITLE} +\|", printed("md"), re.M)
    op = json.loads(printed("schema"))["definitions"]["op"]
    assert KEY in op["required"] and op["properties"][KEY]["description"].endswith(HELP)
    assert re.search(rf"^\| `{KEY}` \|.*\| ns \| measured \| {HELP} \|$", printed("reference"), re.M)
    page = os.path.join(tmp, "page.html")
    printed(page)
    assert re.search(rf'<th [^>]*data-key="{KEY}"[^>]*>{TITLE}', read(page))
