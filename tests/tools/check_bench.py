#!/usr/bin/env python3
"""check_bench.py SCHEMA RUN.json RUNS.jsonl RUN.sql RUN.csv: all four say the same, and the JSON fits the
schema. Exit 77 (skipped) without python3-jsonschema."""
import csv
import json
import sqlite3
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)

schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft7Validator.check_schema(schema)
run = json.load(open(sys.argv[2], encoding="utf-8"), parse_constant=lambda c: sys.exit(f"{c} is not JSON"))
errors = list(jsonschema.Draft7Validator(schema).iter_errors(run))
for e in errors:
    print(f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")
if errors:
    sys.exit(1)

lines = [json.loads(line) for line in open(sys.argv[3], encoding="utf-8")]
result = {"$ref": "#/definitions/result", "definitions": schema["definitions"]}
for line in lines:
    jsonschema.validate(line, result)

db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row
db.executescript(open(sys.argv[4], encoding="utf-8").read())
sql = [dict(r) for r in db.execute("SELECT * FROM ridge_bench")]
table = list(csv.DictReader(open(sys.argv[5], encoding="utf-8", newline="")))

# the same tests under the same settings, and the same numbers where they do not depend on the clock
columns = [k for k in run["results"][0] if k not in ("samples_ns", "samples_ts")]
for name, rows in (("jsonl", lines), ("sql", sql), ("csv", table)):
    assert len(rows) == len(run["results"]), f"{name}: {len(rows)} rows, json has {len(run['results'])}"
    for a, b in zip(run["results"], rows):
        assert [k for k in b if k not in ("samples_ns", "samples_ts")] == columns, f"{name}: other columns"
        for k in ("test", "setting", "dtype", "type_k"):
            assert a[k] == b[k], f"{name}: {k} is {b[k]}, json has {a[k]}"
        for k in (
            "n_prompt",
            "n_gen",
            "n_depth",
            "n_seq",
            "flop",
            "bytes_counted",
            "bytes_analytic",
            "model_size",
            "n_threads",
        ):
            assert float(a[k]) == float(b[k]), f"{name}: {k} is {b[k]}, json has {a[k]}"
        assert float(b["avg_ts"]) > 0 and float(b["median_ns"]) > 0
