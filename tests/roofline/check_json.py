#!/usr/bin/env python3
"""check_json.py SCHEMA FILE...: validates JSON files. Exit 77 (skipped) without python3-jsonschema."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)

schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft7Validator.check_schema(schema)
bad = 0
for path in sys.argv[2:]:
    data = json.load(open(path, encoding="utf-8"), parse_constant=lambda c: sys.exit(f"{path}: {c} is not JSON"))
    for e in jsonschema.Draft7Validator(schema).iter_errors(data):
        print(f"{path}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")
        bad += 1
sys.exit(1 if bad else 0)
