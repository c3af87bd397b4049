#!/usr/bin/env python3
"""check_json.py SCHEMA FILE...: validates JSON files against a schema. Exit 77 (skipped) without python3-jsonschema."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)

schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
bad = 0
for path in sys.argv[2:]:
    data = json.load(open(path, encoding="utf-8"), parse_constant=lambda c: sys.exit(f"{path}: {c} is not JSON"))
    for e in validator.iter_errors(data):
        bad = 1
        print(f"{path}: {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}")
sys.exit(bad)
