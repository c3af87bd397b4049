#!/usr/bin/env python3
"""Chat templates against jinja2, set up as transformers does.

check_templates.py RENDER FOLDER: every *.jinja of a folder, over conversations with and without a system
prompt, in one turn and in three, with and without the prompt for an answer. RENDER is
build/<preset>/tests/tokenizer/render_cases. Prints a line per template; fails if a text differs, or if
jinja2 raises what we do not.
check_templates.py RENDER --cases FILE [--update]: the cases of tests/tokenizer/jinja_cases.json; --update
writes what jinja2 says.
Skips (77) where python3-jinja2 is missing."""
import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

try:
    import jinja2
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("SKIPPED: python3-jinja2 is not installed")
    sys.exit(77)

DATE = "2024-07-26"


class Generation(Extension):
    """The tag {% generation %}, which only marks what an assistant said."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    date = datetime.datetime.strptime(DATE, "%Y-%m-%d")
    env.globals["strftime_now"] = date.strftime
    return env


def by_jinja2(env, case):
    try:
        text = env.from_string(case["template"]).render(
            messages=case["messages"], add_generation_prompt=case["generate"], **case["variables"]
        )
        return {"text": text}
    except Exception as e:  # whatever a template raises
        return {"error": f"{type(e).__name__}: {e}"}


def by_ridge(render, cases):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(cases, f)
        f.flush()
        return json.loads(subprocess.run([render, f.name], check=True, stdout=subprocess.PIPE).stdout)


def message(role, content):
    return {"role": role, "content": content}


def conversations():
    system = [message("system", "You are terse.")]
    one = [message("user", " Hi <there>,\n\u00e9t\u00e9! ")]
    three = one + [message("assistant", "Hello."), message("user", "And now?")]
    thinks = one + [message("assistant", "<think>\nHm.\n</think>\n\nHello."), message("user", "And now?")]
    return {
        "user": one,
        "system, user": system + one,
        "three turns": three,
        "system, three turns": system + three,
        "with thinking": thinks,
    }


def first_lines(a, b):
    """Where two texts part."""
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return f"at {n}: {b[n - 20 if n > 20 else 0 : n + 40]!r}, jinja2: {a[n - 20 if n > 20 else 0 : n + 40]!r}"


def check_folder(render, folder):
    env = environment()
    bad = equal = refused = 0
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".jinja"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = f.read()
        labels, cases = [], []
        for label, messages in conversations().items():
            for generate in (True, False):
                labels.append(label + ("" if generate else ", no prompt for an answer"))
                cases.append(
                    {
                        "template": text,
                        "messages": messages,
                        "generate": generate,
                        "variables": {"bos_token": "<s>", "eos_token": "</s>"},
                        "date": DATE,
                    }
                )
        notes, differs, refuses = [], False, False
        for label, case, got in zip(labels, cases, by_ridge(render, cases)):
            want = by_jinja2(env, case)
            if "text" in want and "text" in got:
                if want["text"] != got["text"]:
                    differs = True
                    notes.append(f"{label}: {first_lines(want['text'], got['text'])}")
            elif "text" in want:
                refuses = True
                notes.append(f"{label}: {got['error']}")
            elif "text" in got:
                differs = True
                notes.append(f"{label}: jinja2 raises {want['error']}")
            else:
                notes.append(f"(both raise) {label}: {want['error']} | {got['error']}")
        equal += not differs and not refuses
        refused += refuses and not differs
        bad += differs
        print(f"{name}: {'DIFFERS' if differs else 'refused' if refuses else 'equal'}")
        for note in sorted(set(notes), key=notes.index):
            print(f"    {note}")
    print(f"{equal} equal, {refused} refused, {bad} differ")
    return bad


def check_cases(render, path, update):
    env = environment()
    with open(path, encoding="utf-8") as f:
        rows = json.load(f)
    cases = [
        {
            "template": r["template"] if isinstance(r["template"], str) else "\n".join(r["template"]),
            "messages": r.get("messages", [message("user", "hi"), message("assistant", "yes")]),
            "generate": True,
            "variables": {"bos_token": "<s>", "eos_token": "</s>"},
            "date": DATE,
        }
        for r in rows
    ]
    bad = 0
    for row, case, got in zip(rows, cases, by_ridge(render, cases)):
        want = by_jinja2(env, case)
        said = {"want": want["text"]} if "text" in want else {"raises": want["error"]}
        if update:
            row.pop("want", None)
            row.pop("raises", None)
            row.update(said)
        stored = {k: row[k] for k in ("want", "raises") if k in row}
        if stored != said:
            bad += 1
            print(f"{case['template']!r}: the file has {stored}, jinja2 says {said}")
        if want.get("text") != got.get("text") and "refuse" not in row:
            bad += 1
            print(f"{case['template']!r}: {got}, jinja2 says {want}")
    if update:
        with open(path, "w", encoding="utf-8") as f:
            f.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=True) for r in rows) + "\n]\n")
    print(f"{len(rows)} cases, {bad} differ")
    return bad


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("render")
    ap.add_argument("folder", nargs="?")
    ap.add_argument("--cases")
    ap.add_argument("--update", action="store_true")
    args = ap.parse_args()
    if args.cases:
        bad = check_cases(args.render, args.cases, args.update)
    else:
        bad = check_folder(args.render, args.folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
