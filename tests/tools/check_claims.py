#!/usr/bin/env python3
"""check_claims.py RIDGE [--runs N] [--most M] [--model PATH] [ARGUMENT...]: how often does `ridge compare`
claim a difference between a checkpoint and a copy of it, byte by byte? N runs, in both orders by turns; a run
has a verdict for prefill and one for decode. Exit 1 with more than M claims (default: one in twenty),
or if a real difference, kernels in plain C, is not claimed. Arguments behind are those of `ridge compare`
(-p, -n, -t, --machine ...).
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

options = argparse.ArgumentParser(usage=__doc__)
options.add_argument("ridge")
options.add_argument("--runs", type=int, default=40)
options.add_argument("--most", type=int)
options.add_argument("--model", default=os.path.join(os.path.dirname(__file__), "../../weights/demo"))
cli, more = options.parse_known_args()


def compare(*variants):
    """The phases of the second variant, by name."""
    command = [cli.ridge, "compare", *variants, *more, "-o", "json"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(command)}: exit code {run.returncode}\n{run.stderr}")
    report = json.loads(run.stdout)
    second = report["variants"][1]
    phases = {p: second[p] for p in ("prefill", "decode") if second[p]}
    for name, p in phases.items():
        said = [s for s in report["verdict"] if s.startswith(name + ":") and "times as fast" in s]
        if claimed(p) != bool(said):
            sys.exit(f"{name}: {p['gain_low']} to {p['gain_high']}, but the verdict says {said}")
    return phases


def text(name, p):
    return f"{name} {p['gain']:.3f} ({p['gain_low']:.3f} to {p['gain_high']:.3f})"


def claimed(p):
    return p["gain_low"] >= 1.005 or p["gain_high"] <= 0.995


verdicts, claims = {}, {}
with tempfile.TemporaryDirectory() as place:
    paths = [os.path.join(place, name) for name in ("one", "another")]
    for path in paths:
        shutil.copytree(cli.model, path)
    for i in range(cli.runs):
        line = []
        for name, p in compare(*(paths if i % 2 == 0 else reversed(paths))).items():
            verdicts[name] = verdicts.get(name, 0) + 1
            claims[name] = claims.get(name, 0) + claimed(p)
            line.append(text(name, p) + (" CLAIMED" if claimed(p) else ""))
        print(f"{i + 1:3} {'copy first' if i % 2 else 'copy second'}: " + ", ".join(line), flush=True)
    slow = compare(paths[0], paths[1] + ":isa=c")

n, wrong = sum(verdicts.values()), sum(claims.values())
most = n // 20 if cli.most is None else cli.most
by = ", ".join(f"{k} {claims[k]} of {verdicts[k]}" for k in verdicts)
print(f"{wrong} of {n} verdicts claim a difference that is not there ({by}); at most {most} may")
missed = [k for k, p in slow.items() if not p["gain_high"] < 1.0]
print("plain C: " + ", ".join(text(k, p) for k, p in slow.items()))
if missed:
    print(f"plain C is slower, and that is not claimed of {', '.join(missed)}")
sys.exit(1 if wrong > most or missed else 0)
