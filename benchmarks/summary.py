"""summary.md of one machine's results: what a person reads of the files that run_set left in its folder."""
import csv
import json
import os


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return json.load(f)


def parts(folder):
    """Complete parts: models by name, the kernels last."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    names = [
        n for n in names if not n.endswith(".tmp") and os.path.exists(os.path.join(folder, n, "about.json"))
    ]
    return sorted(names, key=lambda n: (n == "kernels", n))


def num(x, digits=3):
    """Three significant digits, more where they stand before the point."""
    if x is None:
        return "n/a"
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.{digits}g}"


def percent(x):
    return "n/a" if x is None else f"{100 * x:.1f}"


def bandwidth(roofs, kind, least):
    """The rung of at least that many bytes, (bytes, GB/s)."""
    rungs = [b for b in roofs["bandwidth"] if b["footprint_bytes"] >= least and b.get(kind) is not None]
    return min(((b["footprint_bytes"], b[kind]) for b in rungs), default=(0, None))


def peak(roofs, kind):
    return max((p["gops"] for p in roofs["peak"] if p["class"] == kind), default=None)


STEPS = ("base", "depth", "kernels", "after")


def roofs_of(folder):
    """[(step, roofs)] of one part, in the order of measuring."""
    return [
        (s, load(folder, f"roofs-{s}.json"))
        for s in STEPS
        if os.path.exists(os.path.join(folder, f"roofs-{s}.json"))
    ]


def memory(roofs):
    """(bytes, GB/s) read from memory: 256 MiB, or the largest footprint there is."""
    size, read = bandwidth(roofs, "read_gbps", 256 << 20)
    return (size, read) if read else max((b["footprint_bytes"], b["read_gbps"]) for b in roofs["bandwidth"])


def drift(folder):
    """What the roof of memory did during a part, one line."""
    read = [memory(r)[1] for _, r in roofs_of(folder)]
    share = (max(read) - min(read)) / sorted(read)[len(read) // 2]
    text = f"read bandwidth measured {', '.join(num(x) for x in read)} GB/s in turn, {percent(share)} % apart"
    return (
        f"roofs: steady: {text}."
        if share < 0.1
        else f"roofs: they drift: {text}; "
        "the share of the roof of rows bound by memory is no surer than that."
    )


def table(out, head, rows):
    out.append("| " + " | ".join(h.lstrip("<") for h in head) + " |")
    out.append("|" + "|".join(":---" if h.startswith("<") else "---:" for h in head) + "|")
    out.extend("| " + " | ".join(r) + " |" for r in rows)
    out.append("")


def roof_rows(folder, names):
    kinds = ("fp32_fma", "int8_dot", "bf16_dot", "amx_bf16", "amx_int8")
    for name in names:
        for step, r in roofs_of(os.path.join(folder, name)):
            size, read = memory(r)
            yield [
                f"{name}, {'after' if step == 'after' else 'before ' + step}",
                f"{num(read)} ({size >> 20} MiB)",
                *(num(peak(r, k)) for k in kinds),
                r.get("noise") or ("noisy" if r["noisy"] else "quiet"),
            ]


def model_rows(run):
    for r in run["results"]:
        interval = "n/a" if r["ci95_low_ts"] is None else f"{num(r['ci95_low_ts'])}..{num(r['ci95_high_ts'])}"
        yield [
            r["test"],
            r["dtype"],
            num(r["median_ts"]),
            interval,
            percent(r["spread"]),
            num(r["gbps"]),
            num(r["roof_read_gbps"]),
            num(r["gflops"]),
            num(r["roof_gflops"]),
            percent(r["mbu"]),
            percent(r["mfu"]),
            percent(r["roof_fraction"]),
            r["bound"] or "n/a",
        ]


def provenance(about):
    load_before = "unknown" if about["load_before"] is None else f"{about['load_before']:.2f}"
    return (
        f"Commit {about['commit'] or 'unknown'}, {about['started']}, {about['seconds']:.0f} s, "
        f"{about['repetitions']} samples of each figure; "
        f"load before: {load_before}.{' **Quick: the figures mean nothing.**' if about['quick'] else ''}"
    )


def model(out, folder, name):
    runs = [
        load(folder, name, f"{f}.json")
        for f in ("base", "depth")
        if os.path.exists(os.path.join(folder, name, f"{f}.json"))
    ]
    first = runs[0]["results"]
    sizes = {
        r[
            "dtype"
        ]: f"{r['dtype']} {r['bits_per_weight_resident']:.2f} bits per weight, {r['model_size'] / 2**20:.0f} "
        "MiB"
        for r in first
    }
    out += [
        f"## {name}",
        "",
        f"{first[0]['model_n_params'] / 1e6:.0f} M parameters; {'; '.join(sizes.values())}; "
        f"{first[0]['isa']}, "
        f"{first[0]['n_threads']} threads, activations {first[0]['act']}, KV cache {first[0]['type_k']}. "
        f"{provenance(load(folder, name, 'about.json'))}",
        "",
    ]
    table(
        out,
        [
            "<test",
            "<weights",
            "tokens/s",
            "interval",
            "spread %",
            "GB/s",
            "of",
            "GFLOP/s",
            "of",
            "MBU %",
            "MFU %",
            "roof %",
            "<bound",
        ],
        [row for run in runs for row in model_rows(run)],
    )
    lines = [line for run in runs for line in run["verdict"]]
    out += [f"- {line}" for line in dict.fromkeys(lines)] + [f"- {drift(os.path.join(folder, name))}", ""]


def kernels(out, folder, name):
    with open(os.path.join(folder, name, f"{name}.csv"), encoding="utf-8", newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["roof_share"]]
        spread = sorted((float(r["q3_us"]) - float(r["q1_us"])) / float(r["median_us"]) for r in rows)
    out += [
        "## Kernels",
        "",
        f"{provenance(load(folder, name, 'about.json'))} {len(rows)} figures; the quartiles of half of "
        "them lie at most "
        f"{percent(spread[len(spread) // 2])} % of the median apart, of nine in ten at most "
        f"{percent(spread[len(spread) * 9 // 10])} %. Share of its roof in "
        f"percent, smallest to largest over the matrices in [{name}.csv]({name}/{name}.csv), and which "
        "roof: mem (read bandwidth) or the rate of an "
        "instruction.",
        "",
    ]
    for of, pick in (
        ("weights", lambda r: not r["op"].startswith("attn")),
        ("cache", lambda r: r["op"].startswith("attn")),
    ):
        chosen = [r for r in rows if pick(r) and int(r["tokens"]) and r["op"] != "mm"]  # no parts of others
        types = list(dict.fromkeys(r["type"] for r in chosen))
        keys = list(
            dict.fromkeys(
                (r["op"] + (" (blas)" if r["isa"] == "blas" else ""), int(r["tokens"])) for r in chosen
            )
        )
        if not types:
            continue
        cells = []
        for op, tokens in sorted(keys, key=lambda k: ([x[0] for x in keys].index(k[0]), k[1])):
            line = [op, str(tokens)]
            for t in types:
                some = [
                    r
                    for r in chosen
                    if r["type"] == t
                    and int(r["tokens"]) == tokens
                    and r["op"] + (" (blas)" if r["isa"] == "blas" else "") == op
                ]
                share = [100 * float(r["roof_share"]) for r in some]
                roofs = "/".join(dict.fromkeys(r["roof"] for r in some))
                line.append(f"{min(share):.0f}..{max(share):.0f} {roofs}" if share else "")
            cells.append(line)
        table(out, ["<kernel", "tokens" if of == "weights" else "queries", *types], cells)
    out += [f"- {drift(os.path.join(folder, name))}", ""]


def write(folder):
    """Writes summary.md whole or not at all; returns its path."""
    names = parts(folder)
    first = roofs_of(os.path.join(folder, names[0]))[0][1]
    out = [
        f"# {first['cpu']}, {first['isa_best']}, {first['threads']} threads",
        "",
        f"{first.get('cpu_id') or 'model unknown'}; {first['cores']} cores usable, "
        f"{first['memory_bytes'] / 2**30:.1f} GiB of memory, {first.get('kernel') or ''}. "
        "Written by `./dev bench`; how to read it: [README](../README.md).",
        "",
        "## Roofs, measured before each step and after the last",
        "",
    ]
    table(
        out,
        [
            "<part",
            "read GB/s",
            "FP32 GFLOP/s",
            "int8 Gop/s",
            "bf16 GFLOP/s",
            "AMX bf16",
            "AMX int8",
            "<noise",
        ],
        roof_rows(folder, names),
    )
    for name in names:
        (kernels if name == "kernels" else model)(out, folder, name)
    while out[-1] == "":
        out.pop()
    path = os.path.join(folder, "summary.md")
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")
    os.replace(path + ".tmp", path)
    return path
