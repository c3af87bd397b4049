#!/usr/bin/env python3
"""check_schemas.py SCHEMA...: every field is described, and a field that is not is refused. A reference counts as described where its target is."""
import json
import os
import sys

bad = []
opened = {}


def schema(path):
    path = os.path.normpath(path)
    if path not in opened:
        with open(path, encoding="utf-8") as f:
            opened[path] = json.load(f)
    return opened[path]


def target(ref, path):
    file, _, inside = ref.partition("#")
    path = os.path.join(os.path.dirname(path), file) if file else path
    node = schema(path)
    for key in inside.strip("/").split("/"):
        node = node[key] if key else node
    return node, path


def described(node, path):
    if node.get("description") or "const" in node:
        return True
    return "$ref" in node and described(*target(node["$ref"], path))


def walk(node, path, at):
    if isinstance(node, list):
        for i, n in enumerate(node):
            walk(n, path, f"{at}/{i}")
    if not isinstance(node, dict):
        return
    if "properties" in node and not at.endswith("/properties"):
        if node.get("additionalProperties") is not False:
            bad.append(f"{path}: {at}: additionalProperties is not false")
        for name, p in node["properties"].items():
            if not described(p, path):
                bad.append(f"{path}: {at}/{name}: no description")
    if "$ref" in node:
        target(node["$ref"], path)  # exists
    for k, v in node.items():
        walk(v, path, f"{at}/{k}")


for name in sys.argv[1:]:
    walk(schema(name), name, "")
print("\n".join(bad))
sys.exit(1 if bad else 0)
