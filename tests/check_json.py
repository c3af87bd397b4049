#!/usr/bin/env python3
"""check_json.py SCHEMA FILE...: validates JSON files. A schema may refer to others by path relative to its own. Exit 77 (skipped) without
python3-jsonschema."""
import json
import os
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)

others = {}  # path -> schema whose references were put right


def put_right(node, path, own):
    """References as the one document needs them that holds `others` by path; own: what '#' stands for."""
    if isinstance(node, list):
        return [put_right(n, path, own) for n in node]
    if not isinstance(node, dict):
        return node
    out = {k: put_right(v, path, own) for k, v in node.items()}
    if isinstance(out.get("$ref"), str):
        file, _, inside = out["$ref"].partition("#")
        at = own
        if file:
            other = os.path.normpath(os.path.join(os.path.dirname(path), file))
            at = "#/definitions/" + name_of(other)
            load(other)
        out["$ref"] = at + inside
    return out


def name_of(path):
    return "file " + os.path.basename(path)


def load(path):
    if name_of(path) in others:
        return
    others[name_of(path)] = {}
    with open(path, encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft7Validator.check_schema(schema)
    schema.pop("$id", None)
    others[name_of(path)] = put_right(schema, path, "#/definitions/" + name_of(path))


def validator(path):
    load(os.path.normpath(path))
    return jsonschema.Draft7Validator({"$ref": "#/definitions/" + name_of(path), "definitions": others})


def innermost(e):
    """The error inside the alternative that comes closest, for a choice tells only that none fits."""
    if not e.context:
        return e
    which = [c.schema_path[0] for c in e.context]
    closest = min(which, key=which.count)
    return innermost(next(c for c in e.context if c.schema_path[0] == closest))


def main():
    check = validator(sys.argv[1])
    bad = 0
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as f:
            data = json.load(f, parse_constant=lambda c, p=path: sys.exit(f"{p}: {c} is not JSON"))
        for e in check.iter_errors(data):
            e = innermost(e)
            print(f"{path}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")
            bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
