#!/usr/bin/env python3
"""check_reference.py RIDGE FILE.md [--update]: what stands between the markers is what
`RIDGE report --figures` prints, or becomes it."""
import os
import subprocess
import sys

BEGIN, END = "<!-- ridge report --figures -->\n", "<!-- end -->\n"
ridge, path = sys.argv[1:3]
with open(path, encoding="utf-8") as f:
    text = f.read()
before, rest = text.split(BEGIN)
_, after = rest.split(END)
printed = subprocess.run([ridge, "report", "--figures"], capture_output=True, text=True, check=True).stdout
current = before + BEGIN + "\n" + printed + "\n" + END + after
if current != text and "--update" in sys.argv:
    with open(path, "w", encoding="utf-8") as f:
        f.write(current)
elif current != text:
    name = os.path.join("docs", os.path.basename(path))
    update = f"python3 tests/tools/check_reference.py build/release/ridge {name} --update"
    sys.exit(f"{name} is not what report/figures.def says: {update}")
