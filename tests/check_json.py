#!/usr/bin/env python3
"""check_json.py SCHEMA FILE...: validates JSON files. Exit 77 (skipped) without python3-jsonschema."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)


def innermost(e):
    """The error inside the alternative that comes closest, for a choice tells only that none fits."""
    if not e.context:
        return e
    which = [c.schema_path[0] for c in e.context]
    closest = min(which, key=which.count)
    return innermost(next(c for c in e.context if c.schema_path[0] == closest))


with open(sys.argv[1], encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft7Validator.check_schema(schema)
check = jsonschema.Draft7Validator(schema)
bad = 0
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as f:
        data = json.load(f, parse_constant=lambda c, p=path: sys.exit(f"{p}: {c} is not JSON"))
    for e in check.iter_errors(data):
        e = innermost(e)
        print(f"{path}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")
        bad += 1
sys.exit(1 if bad else 0)
