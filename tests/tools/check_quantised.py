#!/usr/bin/env python3
"""check_quantised.py MODEL TOKENS.i32 LOGITS.f32 BOUND: reads a quantised checkpoint (GGUF file or
compressed-tensors directory) with code of its own, computes a Llama forward pass in float64 and compares with
the logits that ridge wrote. Exit 77 (skipped) without numpy."""
import json
import os
import struct
import sys

try:
    import numpy as np
except ImportError:
    print("SKIPPED: python3-numpy is not installed")
    sys.exit(77)


def gguf(path):
    """Metadata and tensors (float64, rows = outputs), from the published description of the format."""
    data = open(path, "rb").read()
    at = 0

    def take(fmt):
        nonlocal at
        v = struct.unpack_from("<" + fmt, data, at)
        at += struct.calcsize("<" + fmt)
        return v[0]

    def string():
        nonlocal at
        n = take("Q")
        at += n
        return data[at - n : at].decode("utf-8", "replace")

    kinds = "B b H h I i f ? s a Q q d".split()

    def value(kind):
        if kind == 8:
            return string()
        if kind == 9:
            elem, n = take("I"), take("Q")
            return [value(elem) for _ in range(n)]
        return take(kinds[kind])

    assert data[:4] == b"GGUF"
    at = 4
    assert take("I") == 3
    n_tensors, n_kv = take("Q"), take("Q")
    meta = {}
    for _ in range(n_kv):
        key = string()
        meta[key] = value(take("I"))
    infos = []
    for _ in range(n_tensors):
        name, rank = string(), take("I")
        dims = [take("Q") for _ in range(rank)]
        infos.append((name, dims, take("I"), take("Q")))
    align = meta.get("general.alignment", 32)
    base = (at + align - 1) // align * align
    tensors, expected = {}, 0
    for name, dims, kind, offset in infos:
        assert offset == expected, "tensors must follow each other"
        n = int(np.prod(dims))
        blocks = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 8: (32, 34), 30: (1, 2)}[kind]
        size = n // blocks[0] * blocks[1]
        raw = np.frombuffer(data, np.uint8, size, base + offset)
        expected = (offset + size + align - 1) // align * align
        if kind == 0:
            w = raw.view("<f4").astype(np.float64)
        elif kind == 1:
            w = raw.view("<f2").astype(np.float64)
        elif kind == 30:
            w = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        else:
            b = raw.reshape(-1, blocks[1])
            d = b[:, 0:2].copy().view("<f2").astype(np.float64)
            if kind == 8:
                w = b[:, 2:].view(np.int8) * d
            else:
                head = 2 if kind == 2 else 4
                q = np.concatenate([b[:, head:] & 15, b[:, head:] >> 4], 1).astype(np.float64)
                w = (q - 8) * d if kind == 2 else q * d + b[:, 2:4].copy().view("<f2").astype(np.float64)
        tensors[name] = w.reshape(dims[::-1])
    hyper = {k[len("llama.") :]: v for k, v in meta.items() if k.startswith("llama.")}
    heads, groups = hyper["attention.head_count"], hyper["attention.head_count_kv"]
    cfg = dict(
        layers=hyper["block_count"],
        heads=heads,
        kv=groups,
        hd=hyper["attention.key_length"],
        eps=hyper["attention.layer_norm_rms_epsilon"],
        theta=hyper["rope.freq_base"],
        pairs="neighbours",
    )
    names = {
        "q": "attn_q",
        "k": "attn_k",
        "v": "attn_v",
        "o": "attn_output",
        "gate": "ffn_gate",
        "up": "ffn_up",
        "down": "ffn_down",
        "n1": "attn_norm",
        "n2": "ffn_norm",
    }
    get = lambda l, w: tensors[f"blk.{l}.{names[w]}.weight"]
    embd = tensors["token_embd.weight"]
    return cfg, get, embd, tensors["output_norm.weight"], tensors.get("output.weight", embd)


def packed(path):
    """A compressed-tensors directory, format pack-quantized."""
    c = json.load(open(os.path.join(path, "config.json")))
    q = c["quantization_config"]
    assert q["quant_method"] == "compressed-tensors" and q["format"] == "pack-quantized"
    scheme = q["config_groups"]["group_0"]["weights"]
    assert scheme["num_bits"] in (4, 8) and scheme["strategy"] == "group"
    data = open(os.path.join(path, "model.safetensors"), "rb").read()
    (n,) = struct.unpack_from("<Q", data, 0)
    head = json.loads(data[8 : 8 + n])
    kinds = {"F32": "<f4", "F16": "<f2", "I32": "<u4", "I64": "<i8"}

    def raw(name):
        h = head[name]
        a, b = h["data_offsets"]
        part = data[8 + n + a : 8 + n + b]
        if h["dtype"] == "BF16":
            return (
                (np.frombuffer(part, "<u2").astype(np.uint32) << 16)
                .view(np.float32)
                .astype(np.float64)
                .reshape(h["shape"])
            )
        return np.frombuffer(part, kinds[h["dtype"]]).reshape(h["shape"])

    def codes(words, bits):
        at = bits * np.arange(32 // bits, dtype=np.uint32)
        return ((words[..., None] >> at) & (2**bits - 1)).reshape(words.shape[0], -1).astype(np.float64)

    def weight(module):
        if module + ".weight" in head:
            return raw(module + ".weight").astype(np.float64)
        rows, cols = raw(module + ".weight_shape")
        u = codes(raw(module + ".weight_packed"), scheme["num_bits"])[:, :cols]
        scale = raw(module + ".weight_scale").astype(np.float64)
        g = scheme["group_size"]
        assert u.shape == (rows, cols) and scale.shape == (rows, cols // g)
        zero = np.full(scale.shape, 2.0 ** (scheme["num_bits"] - 1))
        if not scheme["symmetric"]:
            z = raw(module + ".weight_zero_point")
            zero = codes(z.T.copy(), 4).T[:rows]
        return (u - np.repeat(zero, g, 1)) * np.repeat(scale, g, 1)

    names = {
        "q": "self_attn.q_proj",
        "k": "self_attn.k_proj",
        "v": "self_attn.v_proj",
        "o": "self_attn.o_proj",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
        "n1": "input_layernorm",
        "n2": "post_attention_layernorm",
    }
    cfg = dict(
        layers=c["num_hidden_layers"],
        heads=c["num_attention_heads"],
        kv=c["num_key_value_heads"],
        eps=c["rms_norm_eps"],
        theta=c["rope_theta"],
        pairs="halves",
        hd=c.get("head_dim", c["hidden_size"] // c["num_attention_heads"]),
    )
    embd = weight("model.embed_tokens")
    out = embd if c.get("tie_word_embeddings") else weight("lm_head")
    return cfg, lambda l, w: weight(f"model.layers.{l}.{names[w]}"), embd, weight("model.norm"), out


def forward(model, tokens):
    cfg, get, embd, final, out = model
    n, hd, rep = len(tokens), cfg["hd"], cfg["heads"] // cfg["kv"]
    norm = lambda x, w: x / np.sqrt((x * x).mean(-1, keepdims=True) + cfg["eps"]) * w
    angle = np.arange(n)[:, None] * cfg["theta"] ** (-2.0 * np.arange(hd // 2) / hd)
    cos, sin = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]

    def rope(x):
        y = np.empty_like(x)
        a, b = (
            (slice(0, None, 2), slice(1, None, 2))
            if cfg["pairs"] == "neighbours"
            else (slice(0, hd // 2), slice(hd // 2, None))
        )
        y[..., a] = x[..., a] * cos - x[..., b] * sin
        y[..., b] = x[..., a] * sin + x[..., b] * cos
        return y

    x = embd[tokens]
    mask = np.triu(np.full((n, n), -np.inf), 1)
    for l in range(cfg["layers"]):
        h = norm(x, get(l, "n1"))
        q = rope((h @ get(l, "q").T).reshape(n, -1, hd))
        k = rope((h @ get(l, "k").T).reshape(n, -1, hd)).repeat(rep, 1)
        v = (h @ get(l, "v").T).reshape(n, -1, hd).repeat(rep, 1)
        s = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(hd) + mask
        p = np.exp(s - s.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        x = x + np.einsum("hij,jhd->ihd", p, v).reshape(n, -1) @ get(l, "o").T
        h = norm(x, get(l, "n2"))
        g = h @ get(l, "gate").T
        x = x + (g / (1 + np.exp(-g)) * (h @ get(l, "up").T)) @ get(l, "down").T
    return norm(x, final) @ out.T


path, token_file, logit_file, bound = sys.argv[1:5]
tokens = np.fromfile(token_file, "<i4")
want = forward(packed(path) if os.path.isdir(path) else gguf(path), tokens)
got = np.fromfile(logit_file, "<f4").reshape(-1, want.shape[1])[: len(tokens)].astype(np.float64)
assert got.shape == want.shape
diff = np.abs(got - want).max() / (want.max() - want.min())
print(f"{path}: logits differ by {diff:.3g} of their range, bound {bound}")
sys.exit(0 if diff <= float(bound) else 1)
