#!/usr/bin/env python3
"""result_lines.py RUN.json SHAPE OUT.jsonl: prints the results of `ridge bench -o json` as a table and appends them to OUT.jsonl, a line each."""
import json
import sys


def num(x, digits=1):
    return "n/a" if x is None else f"{x:.{digits}f}"


run = json.load(open(sys.argv[1], encoding="utf-8"))
print("| test | weights | tokens/s | interval | spread % | GB/s | GFLOP/s | MBU % | roof % |")
print("|------|---------|---------:|---------:|---------:|-----:|--------:|------:|-------:|")
with open(sys.argv[3], "a", encoding="utf-8") as out:
    for r in run["results"]:
        share = {k: None if r[k] is None else 100 * r[k] for k in ("spread", "mbu", "roof_fraction")}
        interval = f"{num(r['ci95_low_ts'])}..{num(r['ci95_high_ts'])}"
        print(f"| {r['test']} | {r['dtype']} | {num(r['median_ts'])} | {interval} | {num(share['spread'])} | {num(r['gbps'])} | {num(r['gflops'], 0)} "
              f"| {num(share['mbu'])} | {num(share['roof_fraction'])} |")
        r["model_filename"] = sys.argv[2]  # the checkpoint was a temporary one
        out.write(json.dumps(r) + "\n")
