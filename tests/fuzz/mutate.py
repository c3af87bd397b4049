#!/usr/bin/env python3
"""Mutated files through the program: ridge inspect, run -n 1 and tokenize must end cleanly on every one of
them.

Clean means an exit code of 0, 2, 3, 4 or 5 within the time limit, and for a failure one line on standard
error. Mutation N of a seed number is always the same. Bases are the files of the seed corpus
(tests/fuzz/corpus). What ends otherwise is kept in --keep."""
import argparse
import collections
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

CLEAN = {0, 2, 3, 4, 5}
HERE = os.path.dirname(os.path.abspath(__file__))
EDGES = [
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
]
TOKENS = [
    b"-1",
    b"0",
    b"1e999",
    b"9223372036854775807",
    b"99999999999999999999",
    b"null",
    b"[]",
    b"{}",
    b"\"\"",
    b"true",
    b"1.5",
    b"[[[[",
    b"\\u0000",
]


def mutate(data, rng):
    """One to four small wounds, mostly near the begin, where headers are; half of the time just one."""
    b = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 4])):
        n = len(b)
        if n == 0:
            b += bytes([rng.randrange(256)])
            continue
        at = rng.randrange(min(n, 3000)) if rng.random() < 0.75 else rng.randrange(n)
        kind = rng.randrange(9)
        if kind == 0:
            b[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            b[at] = rng.choice([0, 0xFF, 0x7F, 0x80, rng.randrange(256)])
        elif kind in (2, 3):
            width = rng.choice([1, 2, 4, 8])
            b[at : at + width] = (rng.choice(EDGES) % (1 << (8 * width))).to_bytes(width, "little")
        elif kind == 4:
            del b[at : at + rng.randint(1, 64)]
        elif kind == 5:
            b[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 16)))
        elif kind == 6:
            to = rng.randrange(n)
            length = rng.randint(1, 64)
            b[to : to + length] = b[at : at + length]
        elif kind == 7:
            b[at:at] = rng.choice(TOKENS)
        else:
            del b[rng.randrange(n) :]
    return bytes(b)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def corpus(kind):
    folder = os.path.join(HERE, "corpus", kind)
    return [(name, read(os.path.join(folder, name))) for name in sorted(os.listdir(folder))]


class Format:
    """Writes mutation N into a folder; returns what to call: lists of arguments."""

    def __init__(self, name, bases, place):
        self.name, self.bases, self.place = name, bases, place

    def make(self, folder, rng):
        return self.place(folder, rng.choice(self.bases)[1], rng)


def model_calls(path, ids):
    return [
        ["inspect", "-m", path],
        ["run", "-m", path, "--token-ids", ids, "-n", "1", "--temp", "0", "-t", "1", "--quiet"],
    ]


def place_file(name):
    def place(folder, base, rng):
        path = os.path.join(folder, name)
        write(path, mutate(base, rng))
        return model_calls(path, os.path.join(folder, "ids.i32"))

    return place


def place_directory(folder, base, rng):
    n = struct.unpack("<I", base[:4])[0]
    config, tensors = base[4 : 4 + n], base[4 + n :]
    return place_parts(folder, config, tensors, rng)


def place_parts(folder, config, tensors, rng):
    if rng.random() < 0.5:
        config = mutate(config, rng)
    else:
        tensors = mutate(tensors, rng)
    write(os.path.join(folder, "config.json"), config)
    write(os.path.join(folder, "model.safetensors"), tensors)
    return model_calls(folder, os.path.join(folder, "ids.i32"))


def place_int4(folder, base, rng):
    schemes = [
        '"quant_method":"awq","bits":4,"group_size":32,"zero_point":true,"version":"gemm"',
        '"quant_method":"gptq","bits":4,"group_size":32,"checkpoint_format":"gptq"',
        '"quant_method":"gptq","bits":4,"group_size":16,"checkpoint_format":"gptq_v2"',
        '"quant_method":"compressed-tensors","format":"pack-quantized",'
        '"config_groups":{"a":{"weights":{"num_bits":4,"type":"int","symmetric":false,"group_size":32}}}',
        '"quant_method":"compressed-tensors","format":"pack-quantized",'
        '"config_groups":{"a":{"weights":{"num_bits":8,"type":"int","group_size":32}}}',
        '"quant_method":"compressed-tensors","format":"pack-quantized",'
        '"config_groups":{"a":{"weights":{"num_bits":4,"symmetric":true,"group_size":32}}}',
        '"quant_method":"gptq","bits":4,"group_size":32,"sym":true,"desc_act":false',
        '"quant_method":"auto-round","bits":8,"group_size":32',
        '"quant_method":"fp8","weight_block_size":[16,16]',
        '"quant_method":"compressed-tensors","format":"float-quantized",'
        '"config_groups":{"a":{"weights":{"num_bits":8,"type":"float"}}}',
        '"quant_method":"compressed-tensors","format":"int-quantized",'
        '"config_groups":{"a":{"weights":{"num_bits":8}}}',
        '"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4"',
        '"group_size":32,"bits":4',
    ]
    at = base[0] % len(schemes)
    config = (
        '{"architectures":["LlamaForCausalLM"],"hidden_size":32,"intermediate_size":64,'
        '"num_hidden_layers":1,"num_attention_heads":4,'
        '"num_key_value_heads":2,"vocab_size":16,"rms_norm_eps":1e-5,"max_position_embeddings":64,'
        '"tie_word_embeddings":true,'
        '"quantization' + ("" if at == len(schemes) - 1 else "_config") + '":{' + schemes[at] + "}}"
    )
    return place_parts(folder, config.encode(), base[1:], rng)


def place_tokenizer(name):
    def place(folder, base, rng):
        path = os.path.join(folder, name)
        write(path, mutate(base, rng))
        return [["tokenize", "-z", path, "-p", "Once upon a time <s> \u00e9 \U0001f600 12345"]]

    return place


def run(ridge, args, seconds):
    env = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
    try:
        p = subprocess.run(
            [ridge, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, b"time limit"
    return p.returncode, p.stderr


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ap.add_argument("--ridge", required=True)
    ap.add_argument("--count", type=int, default=1000, help="mutations of each format")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--seconds", type=float, default=20, help="time limit of one call")
    ap.add_argument("--format", help="only this one")
    ap.add_argument("--keep", default="mutate-failures", help="folder for files that did not end cleanly")
    args = ap.parse_args()
    ridge = os.path.abspath(args.ridge)
    formats = [
        Format("gguf", corpus("gguf"), place_file("m.gguf")),
        Format("safetensors", corpus("safetensors"), place_directory),
        Format("int4", corpus("int4"), place_int4),
        Format("llama2c", corpus("llama2c"), place_file("m.bin")),
        Format("tokenizer_json", corpus("tokenizer_json"), place_tokenizer("tokenizer.json")),
        Format("tokenizer_model", corpus("tokenizer_model"), place_tokenizer("tokenizer.model")),
    ]
    bad = 0
    for f in formats:
        if args.format and f.name != args.format:
            continue
        codes = collections.Counter()
        for n in range(args.count):
            rng = random.Random(f"{args.seed}/{f.name}/{n}")
            with tempfile.TemporaryDirectory(prefix="ridge-mutate-") as folder:
                write(os.path.join(folder, "ids.i32"), struct.pack("<3i", 1, 2, 3))
                for call in f.make(folder, rng):
                    code, err = run(ridge, call, args.seconds)
                    codes[(call[0], code)] += 1
                    one_line = code == 0 or err.decode("utf-8", "replace").strip().count("\n") == 0
                    if code in CLEAN and one_line:
                        continue
                    bad += 1
                    kept = os.path.join(args.keep, f"{f.name}-{args.seed}-{n}")
                    shutil.copytree(folder, kept, dirs_exist_ok=True)
                    print(
                        f"{f.name} mutation {n}: ridge {call[0]}: exit code {code}: "
                        f"{err[-400:].decode('utf-8', 'replace').strip()} (kept in {kept})"
                    )
        print(
            f"{f.name}: {args.count} files: "
            + ", ".join(f"{c} -> {k}: {v}" for (c, k), v in sorted(codes.items(), key=str))
        )
        sys.stdout.flush()
    print(
        f"largest memory of a call: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} "
        f"MiB; {bad} not clean"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
