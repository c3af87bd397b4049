"""Every command that reports, on a machine that never changes, against the bytes in expected/.

golden.py FOLDER [--update] [CASE...]: FOLDER holds ridge_still and
golden_fixture; --update writes expected/ anew. Runs with one thread and plain C,
so that no output depends on the machine. In pages what is packed is left out, and drawings are hashed: the
same drawings are compared as files of their own.
"""
import difflib, hashlib, json, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, "expected")
STEADY = {"RIDGE_ISA": "c", "TZ": "UTC", "LC_ALL": "C", "COLUMNS": "100"}
STILL = ["--machine", "in/machine.json", "-t", "1", "--isa", "c"]
PROFILE = ["profile", "-m", "tiny", *STILL, "--counters", "off", "-p", "8", "-n", "3", "-r", "3"]
TWO = ["--dtype", "f16,q4g64"]
COMPARE = ["compare", "-m", "tiny", *STILL, "-p", "8", "-n", "4", "-r", "6"]
BENCH = ["bench", *COMPARE[1:], *TWO]
SHAPE = ["roofline", "--shape", "stories15m", "--hardware", "amd_epyc_9654", "--seqlen", "64"]
TEXT = "Once upon a time there was a little girl who lived in a house."
EVAL = ["eval", "-m", "demo", "-p", TEXT, "-c", "8", "-t", "1", "--isa", "c"]

# name, arguments ({}: the output folder; expected/X as in/X.json), environment, exit code
CASES = []


def case(name, args, code=0, **env):
    CASES.append((name, args, code, env))


def formats(name, args, kinds, **env):
    for kind in kinds:
        case(f"{name}.{kind}", args + ["-o", kind], **env)


formats("profile", PROFILE + ["--act", "q8", "--dtype", "q4g64"], ["text", "md"])
formats("profile-two", PROFILE + TWO, ["md", "csv", "json"])
formats("profile-layers", PROFILE + ["--per-layer", "-fa", "off", "--fuse", "none"], ["csv", "json"])
case("profile-interrupted.json", PROFILE + ["-n", "40", "-o", "json"], 130, RIDGE_STILL_STOP="14000")
case("profile-page.text", PROFILE + ["--html", "{}/page.html", "--svg", "{}/one.svg"])
formats("bench", BENCH, ["text", "md", "csv", "json", "jsonl", "sql"])
case("bench-page.text", BENCH + ["-d", "0,8", "--html", "{}/page.html", "--svg", "{}/svg"])
formats("compare", COMPARE + TWO, ["text", "md", "json"])
case("compare-wide.text", COMPARE + TWO + ["--wide"])
case("compare-turns.text", COMPARE + TWO, RIDGE_STILL_MEMORY="300000")
case("compare-once.text", [*COMPARE, "-r", "1", "--dtype", "f16,q4g64,q8g32,f32,q4g32,q4g32m"])
case("compare-page.text", COMPARE + TWO + ["--html", "{}/page.html", "--svg", "{}/svg"])
case("compare-one.text", COMPARE + TWO + ["--svg", "{}/one.svg"])
EVALUATED = ["compare", "-m", "demo", *STILL, "-p", "8", "-n", "4", "-r", "3", "--eval", "in/text.txt"]
formats("compare-eval", EVALUATED + ["--dtype", "f16,q8g32"], ["text", "md"])
formats("ablate", COMPARE + ["--ablate", "-B", "2", "-r", "3"], ["text", "md", "json"])
PAGE = ["--html", "{}/page.html", "--svg", "{}/one.svg"]
case("ablate-page.text", COMPARE + ["--ablate", "-B", "2", "-r", "3", *PAGE])
formats("roofline", SHAPE + TWO, ["text", "md", "csv", "json"])
case("roofline-page.text", SHAPE + ["--batch", "1,4", "--html", "{}/page.html", "--svg", "{}/svg"])
case("roofline-explain.md", SHAPE + ["--explain", "-o", "md"])
case("roofline-task.text", SHAPE + ["--gen", "8"])
formats("roofline-llm-viewer", SHAPE + ["--cost", "llm-viewer"], ["text", "md", "csv", "json"])
for study, more in ("ablation", []), ("fit", ["--memory", "1"]), ("turning", []):
    formats(f"roofline-{study}", SHAPE + ["--study", study] + more, ["md", "csv", "json"])
    case(f"roofline-{study}-page.text", SHAPE + ["--study", study, "--html", "{}/page.html"] + more)
formats("roofline-hardware", ["roofline", "--list-hardware"], ["text", "md"])
VALIDATE = ["roofline", "--validate", "--quick", "-t", "1"]
formats("validate", VALIDATE, ["md", "csv", "json"], RIDGE_STILL_SMALL="1")
case("validate-page.text", VALIDATE + PAGE, RIDGE_STILL_SMALL="1")
formats("eval", EVAL + ["--ref-dtype", "f16", "--dtype", "q4g64"], ["text", "md", "json"])
formats("eval-alone", EVAL, ["text", "md", "json"])
BY_LAYER = ["--ref-dtype", "f16", "--dtype", "q4g64", "--sensitivity", "layer"]
formats("eval-layers", EVAL + BY_LAYER, ["text", "md", "json"])
formats("doctor", ["doctor"], ["text", "md", "json"])
formats("machine", ["machine", "-t", "1", "--no-save", "--svg", "{}/machine.svg"], ["text", "md", "json"])
formats("inspect", ["inspect", "-m", "demo", "--dtype", "q4g64", "-c", "64"], ["text", "md", "json"])
case("inspect-layers.md", ["inspect", "-m", "demo", "--per-layer", "--fit", "-o", "md"])
case("inspect-fit.text", ["inspect", "-m", "demo", "--fit"])
for kind in "md", "csv", "json":
    case(f"paper.{kind}", ["golden_fixture", kind])
    case(f"paper-blind.{kind}", ["golden_fixture", kind, "one"])
TWO_PAPERS = ["made/paper.json", "made/paper-blind.json"]
case("paper-page", ["report", *TWO_PAPERS, "-o", "{}/page.html", "--svg", "{}/one.svg"])
case("paper-blind-page", ["report", "made/paper-blind.json", "-o", "{}/page.html", "--svg", "{}/svg"])
case("steady.json", ["golden_fixture", "json", "steady"])
for width in "80", "100":
    case(f"screen-{width}.text", ["report", "made/steady.json"], COLUMNS=width)
    case(f"screen-runs-{width}.text", ["report", "expected/profile-two.json"], COLUMNS=width)
case("screen-two.text", ["report", "made/paper.json"])
case("screen-blind.text", ["report", "made/paper-blind.json"])
case("report", ["report", "expected/profile-two.json", "-o", "{}/page.html", "--svg", "{}/svg"])
case("report-layers", ["report", "made/profile-layers.json", "-o", "{}/page.html", "--svg", "{}/svg"])
case("report-bench", ["report", "expected/bench.json", "-o", "{}/page.html", "--svg", "{}/one.svg"])
case("report-compare", ["report", "made/compare.json", "-o", "{}/page.html"])
SAVED = ["compare", "expected/profile-two.json", "expected/bench.json"]
formats("compare-saved", SAVED, ["text", "md", "json"])
case("compare-saved-page.text", ["compare", "expected/profile-two.json", "--html", "{}/page.html"])

# Where the what-if of a page begins; absent where it was not built.
WHATIF = re.compile(r"\nwhat-if (base|own): .*?(?=\n|</script>)")


def readable(text):
    """A page without what is packed; where the what-if was not built, without it on both sides."""
    def data(m):
        j = json.loads(m.group(1))
        j.pop("files", None)
        w = j.pop("whatif", None)
        start = "".join(f"\nwhat-if {k}: {json.dumps(w[k])}" for k in ("base", "own")) if w else ""
        return 'id="ridge-data">' + json.dumps(j, indent=0) + start + "</script>"

    text = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.S)
    text = re.sub(r"'sha256-[^']*'", "'sha256'", text).replace(" 'wasm-unsafe-eval'", "")
    text = re.sub(r'<section id="whatif">.*?</section>', '<section id="whatif"></section>', text, flags=re.S)
    text = re.sub(r'id="ridge-data">(.*?)</script>', data, text, flags=re.S)
    text = re.sub(r"<script>.*?</script>", "<script></script>", text, flags=re.S)
    text = re.sub(r"<svg .*?</svg>", lambda m: f"<svg {hashed(m.group(0))[:16]}>", text, flags=re.S)
    return re.sub(r"(</tr>|</section>|</figure>|</li>|</p>|</h2>)", r"\1\n", text)


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()


# Drawings that a case beside shows in full.
ALIKE = re.compile(
    r"compare-page-svg-(roofline|time|bytes|latency|stages|compare)|report-layers-svg-(?!heat)|"
    r"report-svg-.*-2-|paper-blind-page-svg-(?!roofline)|compare-one-|profile-page-one|report-bench-one|"
    r"report-compare-page|compare-saved-page-page|paper-page-(one|page)")
# Long JSON of which only digests are kept, element by element; profile-two and bench show such rows in full.
LONG = re.compile(
    r"(roofline(-ablation|-fit|-turning)?|profile-(layers|interrupted)|paper(-blind)?|steady|"
    r"ablate|compare(-saved)?)\.json$")


def short(text):
    return f"{hashed(text)[:12]} {len(text)}"


def digest(v, name=""):
    """Short values as they are; of long ones a line each: place, hash, bytes."""
    text = json.dumps(v)
    if len(text) <= 200:
        return [f"{name} {text}"]
    if not isinstance(v, (dict, list)) or name.count(".") == 3 or (name.count(".") == 2 and len(text) > 600):
        return [f"{name} {short(text)}"]
    parts = v.items() if isinstance(v, dict) else enumerate(v)
    return [line for k, part in parts for line in digest(part, f"{name}.{k}")]


def masked(text):
    return re.sub(r'("round_rel": [0-9.]{5})[0-9]*', r"\1", text)


def outputs(program, place, name, args, code, env):
    out = os.path.join(place, "out")
    shutil.rmtree(out, ignore_errors=True)
    os.mkdir(out)
    if args[0] == "golden_fixture":
        args = args[1:]
        program = os.path.join(os.path.dirname(program), "golden_fixture")
    run = subprocess.run(
        [program] + [a.replace("{}", "out") for a in args], cwd=place, stdin=subprocess.DEVNULL,
        capture_output=True, env={**os.environ, **STEADY, **env})
    if run.returncode != code:
        said = run.stderr.decode()
        sys.exit(f"{name}: exit code {run.returncode}, expected {code}: {' '.join(args)}\n{said}")
    text = masked(run.stdout.decode())
    with open(os.path.join(place, "made", name), "w", encoding="utf-8") as f:
        f.write(text)
    if LONG.match(name):
        text = "\n".join(["bytes " + short(text)] + digest(json.loads(text))) + "\n"
    found = {name: text} if text else {}
    stem = name.split(".")[0]
    for folder, _, files in os.walk(out):
        for file in sorted(files):
            path = os.path.join(folder, file)
            text = open(path, encoding="utf-8").read()
            if file.endswith(".html"):
                text = readable(text)
            key = stem + "-" + os.path.relpath(path, out).replace("/", "-")
            if ALIKE.match(key):
                text = WHATIF.sub("", text)
                text = hashed(text) + "\n"
            found[key] = masked(text)
    return found


def main():
    args = sys.argv[1:]
    update = "--update" in args
    args = [a for a in args if a != "--update"]
    program, wanted = os.path.join(os.path.abspath(args[0]), "ridge_still"), args[1:]
    seen, wrong = set(), 0
    os.makedirs(EXPECTED, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(os.path.join(place, "made"))
        demo = os.path.join(HERE, "../../weights/demo")
        for link, to in ("in", os.path.join(HERE, "in")), ("expected", EXPECTED), ("demo", demo):
            os.symlink(to, os.path.join(place, link))
        dims = "hidden=64,layers=2,heads=2,kv_heads=1,ffn=128,vocab=96,ctx=64"
        subprocess.run([program, "synth", "--dims", dims, "--dtype", "f16", "-o", "tiny"], cwd=place,
                       check=True, capture_output=True)
        for name, arguments, code, env in CASES:
            needs = f"made/{name}" in [a for n, arguments, _, _ in CASES if n in wanted for a in arguments]
            if wanted and name not in wanted and not needs:
                continue
            for file, text in outputs(program, place, name, arguments, code, env).items():
                path = os.path.join(EXPECTED, file)
                seen.add(file)
                old = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
                if re.search(r'<section id="whatif">', text) and "\nwhat-if base" not in text:
                    old = WHATIF.sub("", old)
                if update:
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                elif old != text:
                    wrong += 1
                    print(f"{file} differs ({name}: {' '.join(arguments)})")
                    diff = difflib.unified_diff(
                        old.splitlines(), text.splitlines(), "expected/" + file, "now", lineterm="", n=1)
                    print("\n".join(line[:400] for line in list(diff)[:60]))
    for file in set() if wanted else set(os.listdir(EXPECTED)) - seen:
        if update:
            os.remove(os.path.join(EXPECTED, file))
        else:
            wrong += 1
            print(f"{file} is expected, and no case writes it")
    print(f"{len(seen)} outputs, {wrong} differ")
    return 1 if wrong else 0


sys.exit(main())
