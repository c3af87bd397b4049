#!/usr/bin/env python3
"""Validates JSON files of `ridge profile -o json` against the schema. Exit 77 (skipped) without python3-jsonschema."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)

schema = json.load(open(sys.argv[1], encoding="utf-8"))
validator = jsonschema.Draft7Validator(schema)
jsonschema.Draft7Validator.check_schema(schema)
# oneOf reports only "no alternative fits": show the profile's own errors instead
profile = jsonschema.Draft7Validator({"$ref": "#/definitions/profile", "definitions": schema["definitions"]})
bad = 0
for path in sys.argv[2:]:
    data = json.load(open(path, encoding="utf-8"), parse_constant=lambda c: sys.exit(f"{path}: {c} is not JSON"))
    if validator.is_valid(data):
        continue
    bad += 1
    for run in data.get("runs", [data]):
        for e in profile.iter_errors(run):
            print(f"{path}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")
    print(f"{path}: does not fit the schema")
sys.exit(1 if bad else 0)
