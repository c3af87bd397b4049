#!/usr/bin/env python3
"""Train the demo checkpoint: our own BPE tokenizer and a small Llama model on generated stories.

Stages: (1) generate stories, (2) train the BPE, (3) train the model, saving to --work, and
(4) export a Hugging Face style folder with FP16 weights. A stopped run resumes from --work;
--export-only writes the folder from the newest saved state.
"""
import argparse
import collections
import json
import math
import os
import random
import re
import struct
import time

import numpy as np
import torch
import torch.nn.functional as F

import story_generator

CONFIG = dict(hidden=256, inter=512, layers=4, heads=8, kv_heads=2, vocab=2048, ctx=512, theta=10000.0, eps=1e-5)
SPACE = "\u2581"
HELDOUT_SEED = 50_000_000
CHUNK = re.compile(SPACE + r"?[A-Za-z]+|" + SPACE + r"?[0-9]|" + SPACE + r"?[^A-Za-z0-9\n" + SPACE + r"]+|\n+|" + SPACE)


# ---- tokenizer -------------------------------------------------------------------------------

def normalise(text):
    """The Llama-2 normalizer: spaces become U+2581 and one is put in front."""
    return SPACE + text.replace(" ", SPACE)


def bpe_train(texts, vocab_size):
    """Train byte-pair merges inside CHUNK pieces. Returns (vocab: piece -> id, merges in rank order)."""
    counts = collections.Counter()
    for text in texts:
        counts.update(CHUNK.findall(normalise(text)))
    vocab = {t: i for i, t in enumerate(["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)])}
    for ch in sorted(set("".join(counts))):
        vocab[ch] = len(vocab)
    words = [(list(w), n) for w, n in sorted(counts.items())]
    pairs = collections.Counter()
    for w, n in words:
        for p in zip(w, w[1:]):
            pairs[p] += n
    merges = []
    while len(vocab) < vocab_size:
        if not pairs:
            raise SystemExit("corpus has too few words: vocabulary stops at %d" % len(vocab))
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        vocab.setdefault(best[0] + best[1], len(vocab))
        for w, n in words:
            i = 0
            while i + 1 < len(w):
                if w[i] == best[0] and w[i + 1] == best[1]:
                    for p in zip(w, w[1:]):
                        pairs[p] -= n
                    w[i:i + 2] = [best[0] + best[1]]
                    for p in zip(w, w[1:]):
                        pairs[p] += n
                i += 1
        pairs = +pairs
    return vocab, merges


class Encoder:
    """Fast encoder for the training data: merges never cross CHUNK pieces, so pieces are cached."""

    def __init__(self, vocab, merges):
        self.vocab, self.cache = vocab, {}
        self.rank = {tuple(m): i for i, m in enumerate(merges)}

    def piece(self, word):
        """Ids of one piece by rank-ordered merging."""
        if word not in self.cache:
            w = list(word)
            while len(w) > 1:
                i = min(range(len(w) - 1), key=lambda k: (self.rank.get((w[k], w[k + 1]), 1 << 30), k))
                if (w[i], w[i + 1]) not in self.rank:
                    break
                w[i:i + 2] = [w[i] + w[i + 1]]
            ids = []
            for t in w:
                ids += [self.vocab[t]] if t in self.vocab else [3 + b for b in t.encode()]
            self.cache[word] = ids
        return self.cache[word]

    def encode(self, text):
        """Ids of a text, without <s>."""
        return [i for w in CHUNK.findall(normalise(text)) for i in self.piece(w)]


def tokenizer_json(vocab, merges):
    """The tokenizer.json object in the Llama-2 form."""
    special = [dict(id=i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
               for i, t in enumerate(["<unk>", "<s>", "</s>"])]

    def seq(name, type_id):
        return {"Sequence": {"id": name, "type_id": type_id}}

    def bos(type_id):
        return {"SpecialToken": {"id": "<s>", "type_id": type_id}}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos(0), seq("A", 0)], "pair": [bos(0), seq("A", 0), bos(1), seq("B", 1)],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": vocab, "merges": [" ".join(m) for m in merges]},
    }


# ---- model -----------------------------------------------------------------------------------

def init_weights(seed):
    """A dict of FP32 parameters under their checkpoint names; linear weights are [out, in]."""
    c, g = CONFIG, torch.Generator().manual_seed(seed)
    hd = c["hidden"] // c["heads"]

    def mat(out, inp, std=0.02):
        return torch.randn(out, inp, generator=g) * std
    w = {"model.embed_tokens.weight": mat(c["vocab"], c["hidden"])}
    for i in range(c["layers"]):
        p, small = "model.layers.%d." % i, 0.02 / math.sqrt(2 * c["layers"])
        w[p + "input_layernorm.weight"] = torch.ones(c["hidden"])
        w[p + "self_attn.q_proj.weight"] = mat(c["heads"] * hd, c["hidden"])
        w[p + "self_attn.k_proj.weight"] = mat(c["kv_heads"] * hd, c["hidden"])
        w[p + "self_attn.v_proj.weight"] = mat(c["kv_heads"] * hd, c["hidden"])
        w[p + "self_attn.o_proj.weight"] = mat(c["hidden"], c["heads"] * hd, small)
        w[p + "post_attention_layernorm.weight"] = torch.ones(c["hidden"])
        w[p + "mlp.gate_proj.weight"] = mat(c["inter"], c["hidden"])
        w[p + "mlp.up_proj.weight"] = mat(c["inter"], c["hidden"])
        w[p + "mlp.down_proj.weight"] = mat(c["hidden"], c["inter"], small)
    w["model.norm.weight"] = torch.ones(c["hidden"])
    return w


def rope_table(n, dtype):
    """cos and sin [n][head_dim/2] of the rotary angles, computed in double."""
    half = CONFIG["hidden"] // CONFIG["heads"] // 2
    freq = CONFIG["theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(n, dtype=torch.float64)[:, None] * freq
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x, cos, sin):
    """Half-split rotary embedding of x [B][heads][T][head_dim]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def rmsnorm(x, weight):
    """x / rms(x) * weight."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["eps"]) * weight


def forward(w, ids, linear=F.linear):
    """Logits [B][T][vocab] of ids [B][T]; arithmetic in the type of w."""
    c, (B, T) = CONFIG, ids.shape
    hd, group = c["hidden"] // c["heads"], c["heads"] // c["kv_heads"]
    emb = w["model.embed_tokens.weight"]
    cos, sin = rope_table(T, emb.dtype)
    mask = torch.full((T, T), float("-inf"), dtype=emb.dtype).triu(1)
    x = emb[ids]
    for i in range(c["layers"]):
        p = "model.layers.%d." % i
        h = rmsnorm(x, w[p + "input_layernorm.weight"])
        q = linear(h, w[p + "self_attn.q_proj.weight"]).view(B, T, c["heads"], hd).transpose(1, 2)
        k = linear(h, w[p + "self_attn.k_proj.weight"]).view(B, T, c["kv_heads"], hd).transpose(1, 2)
        v = linear(h, w[p + "self_attn.v_proj.weight"]).view(B, T, c["kv_heads"], hd).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        # the query heads of one KV head become extra rows, so K and V are never repeated
        q = q.reshape(B, c["kv_heads"], group * T, hd)
        s = (q @ k.transpose(-1, -2)).view(B, c["kv_heads"], group, T, T) * hd ** -0.5 + mask
        o = (s.softmax(-1).view(B, c["kv_heads"], group * T, T) @ v).view(B, c["heads"], T, hd)
        x = x + linear(o.transpose(1, 2).reshape(B, T, c["hidden"]), w[p + "self_attn.o_proj.weight"])
        h = rmsnorm(x, w[p + "post_attention_layernorm.weight"])
        h = F.silu(linear(h, w[p + "mlp.gate_proj.weight"])) * linear(h, w[p + "mlp.up_proj.weight"])
        x = x + linear(h, w[p + "mlp.down_proj.weight"])
    return linear(rmsnorm(x, w["model.norm.weight"]), emb)


def linear_bf16(x, w):
    """Matrix product in bfloat16, result in float32: about twice as fast on CPUs with AVX512_BF16."""
    return F.linear(x.bfloat16(), w.bfloat16()).float()


def greedy(w, ids, limit):
    """Greedy continuation up to </s> or limit tokens in all."""
    ids = list(ids)
    with torch.no_grad():
        while len(ids) < limit:
            ids.append(int(forward(w, torch.tensor([ids]))[0, -1].argmax()))
            if ids[-1] == 2:
                break
    return ids


def window_nll(w, ids, width=256):
    """Mean negative log likelihood over full windows of width tokens, each preceded by <s>."""
    rows = [ids[i:i + width] for i in range(0, len(ids) - width + 1, width)]
    x = torch.tensor([[1] + r[:-1] for r in rows])
    with torch.no_grad():
        return float(F.cross_entropy(forward(w, x).flatten(0, 1), torch.tensor(rows).flatten()))


def round_int4(w, group=64):
    """Copy of w with every linear weight rounded to symmetric INT4: scale = max|w| / 7 per group, FP16 scales."""
    out = {}
    for name, t in w.items():
        if name.endswith("_proj.weight"):
            g = t.view(-1, group)
            s = (g.abs().amax(1, keepdim=True) / 7).half().to(t.dtype).clamp_min(1e-8)
            t = ((g / s).round().clamp(-8, 7) * s).view_as(t)
        out[name] = t
    return out


# ---- export ----------------------------------------------------------------------------------

def write_safetensors(path, tensors):
    """Write FP16 tensors in file order with a JSON header padded by spaces to 8 bytes."""
    header, blobs, pos = {"__metadata__": {"format": "pt"}}, [], 0
    for name, t in tensors.items():
        data = t.half().numpy().tobytes()
        header[name] = dict(dtype="F16", shape=list(t.shape), data_offsets=[pos, pos + len(data)])
        blobs.append(data)
        pos += len(data)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path + ".tmp", "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))
    os.replace(path + ".tmp", path)


def write_json(path, obj, indent=2):
    """Write an object as UTF-8 JSON."""
    with open(path, "w", encoding="utf-8") as f:
        json.dump(obj, f, ensure_ascii=False, indent=indent)
        f.write("\n")


def export(folder, w, vocab, merges):
    """Write the checkpoint folder."""
    c = CONFIG
    os.makedirs(folder, exist_ok=True)
    write_safetensors(os.path.join(folder, "model.safetensors"), w)
    write_json(os.path.join(folder, "tokenizer.json"), tokenizer_json(vocab, merges), indent=1)
    write_json(os.path.join(folder, "config.json"), dict(
        architectures=["LlamaForCausalLM"], attention_bias=False, attention_dropout=0.0, bos_token_id=1, eos_token_id=2,
        head_dim=c["hidden"] // c["heads"], hidden_act="silu", hidden_size=c["hidden"], initializer_range=0.02,
        intermediate_size=c["inter"], max_position_embeddings=c["ctx"], mlp_bias=False, model_type="llama",
        num_attention_heads=c["heads"], num_hidden_layers=c["layers"], num_key_value_heads=c["kv_heads"],
        rms_norm_eps=c["eps"], rope_scaling=None, rope_theta=c["theta"], tie_word_embeddings=True,
        torch_dtype="float16", use_cache=True, vocab_size=c["vocab"]))
    write_json(os.path.join(folder, "generation_config.json"), dict(bos_token_id=1, eos_token_id=2, pad_token_id=0))
    write_json(os.path.join(folder, "tokenizer_config.json"), dict(
        add_bos_token=True, add_eos_token=False, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>",
        clean_up_tokenization_spaces=False, legacy=False, model_max_length=c["ctx"], tokenizer_class="LlamaTokenizer"))
    text = ""
    for story in story_generator.stories(HELDOUT_SEED, 1000):
        if len(text) + len(story) > 330000:
            break
        text += ("\n\n\n" if text else "") + story
    with open(os.path.join(folder, "heldout.txt"), "w", encoding="utf-8") as f:
        f.write(text + "\n")
    return text


def report(w, enc, heldout):
    """Print the figures of the model card, measured on the FP16 weights."""
    w = {k: v.half().float() for k, v in w.items()}
    ids = enc.encode(heldout)
    a, b = window_nll(w, ids), window_nll(round_int4(w), ids)
    print("heldout.txt: FP16 loss %.5f ppl %.4f, INT4 g64 loss %.5f ppl %.4f" % (a, math.exp(a), b, math.exp(b)), flush=True)
    val = token_stream(enc, HELDOUT_SEED + 10000, 1200, random.Random(5))
    a, b = window_nll(w, val), window_nll(round_int4(w), val)
    print("%d tokens:   FP16 loss %.5f ppl %.4f, INT4 g64 loss %.5f ppl %.4f" % (len(val), a, math.exp(a), b, math.exp(b)))
    names = {i: t for t, i in enc.vocab.items()}
    for prompt in ("Once upon a time", "One rainy day, a"):
        out = greedy(w, [1] + enc.encode(prompt), CONFIG["ctx"])
        print("\n[%d tokens] %s" % (len(out), "".join(names[i] for i in out).replace(SPACE, " ")), flush=True)


# ---- training --------------------------------------------------------------------------------

def token_stream(enc, first, count, rng, joined=0.06):
    """Ids of count stories, each as <s> story </s>; a few neighbours are one text with blank lines between."""
    ids, text = [], ""
    for i, story in enumerate(story_generator.stories(first, count)):
        text += story
        if i + 1 < count and rng.random() < joined:
            text += "\n\n\n"
            continue
        ids += [1] + enc.encode(text) + [2]
        text = ""
    return ids


def batches(data, starts, rng, size, width):
    """A random batch [size][width + 1]; half of the rows start at a story's <s>, half anywhere."""
    rows = []
    for i in range(size):
        hi = len(data) - width - 1
        pos = min(int(starts[rng.integers(len(starts))]), hi) if i % 2 else int(rng.integers(hi))
        rows.append(data[pos:pos + width + 1])
    return torch.from_numpy(np.stack(rows).astype(np.int64))


def prepare(args):
    """Tokenizer and token arrays, cached in --work."""
    tok, path = os.path.join(args.work, "tokenizer.json"), os.path.join(args.work, "data.npy")
    extra = []
    if args.extra_text:
        with open(args.extra_text, encoding="utf-8") as f:
            extra = [p for p in re.split(r"\n\s*\n|<\|endoftext\|>", f.read()) if len(p) > 200]
    if not os.path.exists(tok):
        vocab, merges = bpe_train(list(story_generator.stories(1, 20000)) + extra, CONFIG["vocab"])
        write_json(tok, dict(vocab=vocab, merges=merges), indent=None)
    with open(tok, encoding="utf-8") as f:
        t = json.load(f)
    enc = Encoder(t["vocab"], t["merges"])
    if args.export_only:
        return enc, t, None
    if not os.path.exists(path):
        ids = token_stream(enc, 1, args.stories, random.Random(args.seed))
        for p in extra:
            ids += [1] + enc.encode(p) + [2]
        np.save(path, np.array(ids, dtype=np.uint16))
    return enc, t, np.load(path)


def train(args, data, state):
    """AdamW with warm-up and cosine decay; the last part of the steps uses rows of the full context."""
    w = {k: torch.nn.Parameter(v) for k, v in state["w"].items()}
    decay = [p for k, p in w.items() if p.dim() == 2]
    plain = [p for k, p in w.items() if p.dim() == 1]
    opt = torch.optim.AdamW([dict(params=decay, weight_decay=0.1), dict(params=plain, weight_decay=0.0)],
                            lr=args.lr, betas=(0.9, 0.95), eps=1e-8)
    if state["opt"]:
        opt.load_state_dict(state["opt"])
    starts, step, begin, seen, mean = np.flatnonzero(data == 1), state["step"], time.time(), 0, None
    linear = linear_bf16 if args.bf16 else F.linear
    while step < args.steps:
        long = step >= args.steps * (1 - args.long_part)
        width, size = (CONFIG["ctx"], args.batch // 2) if long else (256, args.batch)
        lr = args.lr * min(1.0, (step + 1) / args.warmup)
        lr *= args.floor + (1 - args.floor) * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        for g in opt.param_groups:
            g["lr"] = lr
        b = batches(data, starts, np.random.default_rng(args.seed * 1000003 + step), size, width)
        loss = F.cross_entropy(forward(w, b[:, :-1], linear).flatten(0, 1), b[:, 1:].flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        opt.step()
        step, seen = step + 1, seen + size * width
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 20 == 0:
            print("step %d loss %.4f norm %.2f lr %.2e, %.0f tokens/s, %.1f min"
                  % (step, mean, norm, lr, seen / (time.time() - begin), (time.time() - begin) / 60), flush=True)
        if step % args.save_every == 0 or step == args.steps:
            state = dict(w={k: v.detach().clone() for k, v in w.items()}, opt=opt.state_dict(), step=step)
            torch.save(state, os.path.join(args.work, "state.pt.tmp"))
            os.replace(os.path.join(args.work, "state.pt.tmp"), os.path.join(args.work, "state.pt"))
    return state


def main():
    """Command line."""
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--work", required=True, help="folder for the saved training state, outside the source tree")
    ap.add_argument("--out", required=True, help="checkpoint folder to write")
    ap.add_argument("--stories", type=int, default=60000, help="training stories to generate (default 60000)")
    ap.add_argument("--extra-text", help="optional further training text; paragraphs are separate texts")
    ap.add_argument("--steps", type=int, default=3000, help="optimizer steps (default 3000)")
    ap.add_argument("--batch", type=int, default=16, help="rows of 256 tokens per step (default 16)")
    ap.add_argument("--lr", type=float, default=3e-3, help="peak learning rate (default 3e-3)")
    ap.add_argument("--floor", type=float, default=0.0, help="last learning rate as a part of the peak (default 0)")
    ap.add_argument("--warmup", type=int, default=100, help="warm-up steps (default 100)")
    ap.add_argument("--long-part", type=float, default=0.15, help="last part of the steps with 512-token rows (default 0.15)")
    ap.add_argument("--save-every", type=int, default=100, help="steps between saved states (default 100)")
    ap.add_argument("--threads", type=int, default=2, help="torch threads (default 2)")
    ap.add_argument("--seed", type=int, default=1, help="seed of weights and batches (default 1)")
    ap.add_argument("--bf16", action="store_true", help="matrix products of training in bfloat16")
    ap.add_argument("--export-only", action="store_true", help="no training: export the newest saved state")
    args = ap.parse_args()
    torch.set_num_threads(args.threads)
    os.makedirs(args.work, exist_ok=True)
    enc, tok, data = prepare(args)
    saved = os.path.join(args.work, "state.pt")
    state = torch.load(saved) if os.path.exists(saved) else dict(w=init_weights(args.seed), opt=None, step=0)
    count = sum(t.numel() for t in state["w"].values())
    print("vocab %d, parameters %d, training tokens %s, from step %d"
          % (len(tok["vocab"]), count, "-" if data is None else len(data), state["step"]), flush=True)
    if not args.export_only:
        state = train(args, data, state)
    report(state["w"], enc, export(args.out, state["w"], tok["vocab"], tok["merges"]))


if __name__ == "__main__":
    main()
