#!/usr/bin/env python3
"""Rebuild the reference data of the demo checkpoint: greedy tokens, float64 logits, tokenizer vectors.

Shares no code with the trainer. FP16 weights are widened to float64 and every operation is done in
float64 with numpy. The tokenizer is the plain definition: rank-ordered merges over the whole text.
"""
import argparse
import json
import os
import struct

import numpy as np

SPACE = "\u2581"
PROMPT = "Once upon a time"
TEXTS = (
    "", " ", "  ", "Once upon a time", " Once upon a time", "Once upon a time ", "a", "A", "\n", "\n\n", "\n\n\n\n\n",
    "There was once a small girl named Nora.\n\nNora lived by the lake.",
    "\"Hello,\" said the fox. \"Where are you going?\"",
    "12345 67 8 9.0 and 3,14", "in 1999 there were 42 days", "two  spaces   three    four",
    "tab\there, carriage\r\nreturn", "the the THE tHe", "Don't stop; she's \u2018here\u2019 \u2014 really\u2026",
    "na\u00efve caf\u00e9 \u00fcber stra\u00dfe",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440", "\u4f60\u597d\uff0c\u4e16\u754c",
    "\U0001f98a\U0001f430 friends \U0001f469\u200d\U0001f680", "e\u0301 is not \u00e9", "\u2581already\u2581marked",
    "<0x41> is text", "xyzzy qwertyuiop", "(a+b)*[c]{d}=~/\\|@#$%^&_`", "!!!??? ...\n\n", "\u0000\u0001\u007f control",
    "The end.\n\n\nOne rainy day, a tiny lamb named Pip went for a walk near the river.",
)


class Tokenizer:
    """Encoder and decoder for a Llama-2 style tokenizer.json."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            model = json.load(f)["model"]
        self.vocab = model["vocab"]
        pairs = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
        self.rank = {tuple(p): i for i, p in enumerate(pairs)}
        self.pieces = {i: t for t, i in self.vocab.items()}

    def encode(self, text):
        """Ids with <s> in front."""
        if text:
            text = SPACE + text.replace(" ", SPACE)
        symbols = []
        for ch in text:
            symbols += [ch] if ch in self.vocab else ["<0x%02X>" % b for b in ch.encode("utf-8")]
        while True:
            found = [(self.rank[p], i) for i, p in enumerate(zip(symbols, symbols[1:])) if p in self.rank]
            if not found:
                return [1] + [self.vocab[s] for s in symbols]
            _, i = min(found)
            symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]

    def decode(self, ids):
        """Text of ids; special tokens give nothing."""
        out = b""
        for i in ids:
            piece = self.pieces[i]
            if 3 <= i < 259:
                out += bytes([int(piece[3:5], 16)])
            elif i > 2:
                out += piece.replace(SPACE, " ").encode("utf-8")
        text = out.decode("utf-8", "replace")
        return text[1:] if text.startswith(" ") else text


def read_safetensors(path):
    """All tensors of an FP16 file, widened to float64."""
    with open(path, "rb") as f:
        raw = f.read()
    n = struct.unpack_from("<Q", raw)[0]
    tensors = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name == "__metadata__":
            continue
        if t["dtype"] != "F16":
            raise SystemExit("%s: dtype %s, expected F16" % (name, t["dtype"]))
        begin, end = (8 + n + o for o in t["data_offsets"])
        tensors[name] = np.frombuffer(raw[begin:end], "<f2").astype(np.float64).reshape(t["shape"])
    return tensors


class Model:
    """Float64 reference of the Llama forward pass, one token at a time with a KV cache."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            self.c = json.load(f)
        self.w = read_safetensors(os.path.join(folder, "model.safetensors"))
        self.hd = self.c["hidden_size"] // self.c["num_attention_heads"]
        self.cache = [([], []) for _ in range(self.c["num_hidden_layers"])]
        self.pos = 0

    def norm(self, x, name):
        """RMSNorm."""
        return x / np.sqrt(np.mean(x * x) + self.c["rms_norm_eps"]) * self.w[name]

    def rope(self, x):
        """Rotate x [heads][head_dim] by the current position, pairs (i, i + head_dim/2)."""
        half = self.hd // 2
        angle = self.pos * self.c["rope_theta"] ** (-np.arange(half, dtype=np.float64) / half)
        a, b, cos, sin = x[:, :half], x[:, half:], np.cos(angle), np.sin(angle)
        return np.concatenate((a * cos - b * sin, b * cos + a * sin), axis=1)

    def step(self, token):
        """Logits [vocab] after one more input token."""
        c, w = self.c, self.w
        group = c["num_attention_heads"] // c["num_key_value_heads"]
        x = w["model.embed_tokens.weight"][token].copy()
        for i, (keys, values) in enumerate(self.cache):
            p = "model.layers.%d." % i
            h = self.norm(x, p + "input_layernorm.weight")
            q, k, v = ((w[p + "self_attn.%s_proj.weight" % n] @ h).reshape(-1, self.hd) for n in "qkv")
            keys.append(self.rope(k))
            values.append(v)
            K, V, out = np.stack(keys), np.stack(values), []
            for head, row in enumerate(self.rope(q)):
                s = K[:, head // group] @ row / np.sqrt(self.hd)
                s = np.exp(s - s.max())
                out.append(s / s.sum() @ V[:, head // group])
            x = x + w[p + "self_attn.o_proj.weight"] @ np.concatenate(out)
            h = self.norm(x, p + "post_attention_layernorm.weight")
            gate, up = w[p + "mlp.gate_proj.weight"] @ h, w[p + "mlp.up_proj.weight"] @ h
            x = x + w[p + "mlp.down_proj.weight"] @ (gate / (1 + np.exp(-gate)) * up)
        self.pos += 1
        return w["model.embed_tokens.weight"] @ self.norm(x, "model.norm.weight")


def main():
    """Command line."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--model", default=os.path.join(root, "weights", "demo"), help="checkpoint folder (default weights/demo)")
    ap.add_argument("--out", default=os.path.join(root, "tests", "data", "demo_golden"), help="folder to write")
    ap.add_argument("--tokens", type=int, default=64, help="input tokens with <s> and the prompt (default 64)")
    args = ap.parse_args()
    tok, model = Tokenizer(os.path.join(args.model, "tokenizer.json")), Model(args.model)
    ids, rows, margin = tok.encode(PROMPT), [], np.inf
    while len(rows) < args.tokens:
        rows.append(model.step(ids[len(rows)]))
        if len(rows) == len(ids):
            top = np.sort(rows[-1])[-2:]
            margin = min(margin, top[1] - top[0])
            ids.append(int(rows[-1].argmax()))
    ids = ids[:args.tokens]
    os.makedirs(args.out, exist_ok=True)
    np.array(ids, "<i4").tofile(os.path.join(args.out, "tokens.i32"))
    np.stack(rows).astype("<f4").tofile(os.path.join(args.out, "logits.f32"))
    with open(os.path.join(args.out, "tokenizer_vectors.json"), "w", encoding="utf-8") as f:
        vectors = [json.dumps(dict(text=t, ids=tok.encode(t))) for t in TEXTS]
        f.write("[\n" + ",\n".join(vectors) + "\n]\n")
    for t in TEXTS:
        if tok.decode(tok.encode(t)) != t:
            print("not a round trip: %r" % t)
    print("%d tokens, smallest greedy margin %.4f\n%s" % (len(ids), margin, tok.decode(ids)))


if __name__ == "__main__":
    main()
