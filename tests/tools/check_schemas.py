#!/usr/bin/env python3
"""check_schemas.py SCHEMA...: every field is described, a field that is not is refused, and every reference
leads to a definition."""
import json
import sys

bad = []


def walk(node, root, at):
    for i, n in enumerate(node if isinstance(node, list) else []):
        walk(n, root, f"{at}/{i}")
    if not isinstance(node, dict):
        return
    if "properties" in node and not at.endswith("/properties"):
        if node.get("additionalProperties") is not False:
            bad.append(f"{at}: additionalProperties is not false")
        for name, p in node["properties"].items():
            if not p.get("description") and "const" not in p:
                bad.append(f"{at}/{name}: no description")
    ref = node.get("$ref")
    if isinstance(ref, str) and ref.removeprefix("#/definitions/") not in root["definitions"]:
        bad.append(f"{at}: {node['$ref']} is not there")
    for k, v in node.items():
        walk(v, root, f"{at}/{k}")


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        schema = json.load(f)
    walk(schema, schema, path)
print("\n".join(bad))
sys.exit(1 if bad else 0)
