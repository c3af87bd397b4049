/* llama2.c .bin files: the legacy export (seven integers, no magic) and version 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/ckpt_impl.h"

enum { MAGIC = 0x616b3432, V1_HEADER = 256 };

typedef struct part {
    rg_site site;
    int64_t rows, cols;
} part;

/* Takes the tensor of every layer (or the one outside layers) in turn. */
static rg_status take(rg_ckpt *c, rg_cursor *cur, rg_site site, int64_t rows, int64_t cols, rg_err *err)
{
    const int64_t n = rg_site_in_layer(site) ? c->cfg.layers : 1;
    for (int64_t l = 0; l < n; l++) {
        char name[64];
        rg_tensor_name(name, sizeof name - 8, site, rg_site_in_layer(site) ? (int)l : -1);
        strcat(name, ".weight");
        const uint64_t bytes = 4u * (uint64_t)rows * (uint64_t)cols;
        const rg_raw_tensor r = {
            .name = name, .name_len = strlen(name), .type = RG_FT_F32, .rank = 2, .dim = {(uint64_t)rows, (uint64_t)cols}, .data = cur->p, .bytes = bytes};
        if (!rg_cur_take(cur, bytes)) return rg_fail(err, RG_E_FILE, "%s: the file ends inside %s: truncated, or not a llama2.c checkpoint", c->path, name);
        const rg_status st = rg_ckpt_add(c, RG_NAMES_GGUF, &r, err);
        if (st != RG_OK) return st;
    }
    return RG_OK;
}

static rg_status take_all(rg_ckpt *c, rg_cursor *cur, const part *p, size_t n, rg_err *err)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < n && st == RG_OK; i++) st = take(c, cur, p[i].site, p[i].rows, p[i].cols, err);
    return st;
}

rg_status rg_load_llama2c(rg_ckpt *c, rg_err *err)
{
    const rg_mapfile *f = &c->file[0];
    rg_config *g = &c->cfg;
    rg_cursor cur = {.p = f->data, .end = f->data + f->size};
    rg_status st;
    uint32_t first = rg_cur_u32(&cur);
    const bool v1 = first == MAGIC;
    if (v1) {
        const int32_t version = rg_cur_i32(&cur);
        if (!cur.bad && version != 1)
            return rg_fail(err, RG_E_UNSUPPORTED, "%s: llama2.c version %d, expected the legacy export or version 1", c->path, version);
        first = rg_cur_u32(&cur);
    }
    g->dim = (int32_t)first;
    g->ffn = rg_cur_i32(&cur);
    g->layers = rg_cur_i32(&cur);
    g->heads = rg_cur_i32(&cur);
    g->kv_heads = rg_cur_i32(&cur);
    g->vocab = rg_cur_i32(&cur);
    g->ctx_train = rg_cur_i32(&cur);
    g->tied = v1 ? rg_cur_u8(&cur) != 0 : g->vocab > 0;
    if (!v1 && g->vocab < 0) g->vocab = -g->vocab;
    if (v1) rg_cur_take(&cur, (uint64_t)(V1_HEADER - (cur.p - f->data)));
    if (cur.bad) return rg_fail(err, RG_E_FILE, "%s: %zu bytes: not a checkpoint that Ridge knows (GGUF, safetensors, llama2.c)", c->path, f->size);
    g->head_dim = g->heads > 0 && g->dim % g->heads == 0 ? g->dim / g->heads : -1;
    g->eps = 1e-5;
    g->rope_theta = 10000.0;
    g->bos = 1;
    g->eos[0] = 1; /* llama2.c ends a text at BOS, ... */
    g->eos[1] = 2; /* ... and the models know EOS */
    g->n_eos = 2;
    snprintf(g->arch, sizeof g->arch, "llama");
    snprintf(c->format, sizeof c->format, "llama2.c %s", v1 ? "v1" : "v0");
    if ((st = rg_config_check(g, c->path, err)) != RG_OK)
        return v1 ? st : rg_fail(err, RG_E_FILE, "%s: not a checkpoint that Ridge knows (GGUF, safetensors, or llama2.c with a sane header)", c->path);

    const int64_t d = g->dim, q = rg_q_dim(g), kv = rg_kv_dim(g);
    const part norms[] = {{RG_SITE_ATTN_NORM, 1, d}, {RG_SITE_FFN_NORM, 1, d}, {RG_SITE_OUTPUT_NORM, 1, d}}, embed[] = {{RG_SITE_TOKEN_EMBD, g->vocab, d}};
    const part attn[] = {{RG_SITE_ATTN_Q, q, d}, {RG_SITE_ATTN_K, kv, d}, {RG_SITE_ATTN_V, kv, d}, {RG_SITE_ATTN_OUTPUT, d, q}};
    const part ffn[] = {{RG_SITE_FFN_GATE, g->ffn, d}, {RG_SITE_FFN_DOWN, d, g->ffn}, {RG_SITE_FFN_UP, g->ffn, d}}, head[] = {{RG_SITE_OUTPUT, g->vocab, d}};
    if (v1) {
        if ((st = take_all(c, &cur, norms, 3, err)) != RG_OK || (st = take_all(c, &cur, embed, 1, err)) != RG_OK) return st;
        if ((st = take_all(c, &cur, attn, 4, err)) != RG_OK || (st = take_all(c, &cur, ffn, 3, err)) != RG_OK) return st;
    } else {
        if ((st = take_all(c, &cur, embed, 1, err)) != RG_OK || (st = take_all(c, &cur, norms, 1, err)) != RG_OK) return st;
        if ((st = take_all(c, &cur, attn, 4, err)) != RG_OK || (st = take_all(c, &cur, norms + 1, 1, err)) != RG_OK) return st;
        if ((st = take_all(c, &cur, ffn, 3, err)) != RG_OK || (st = take_all(c, &cur, norms + 2, 1, err)) != RG_OK) return st;
        rg_cur_take(&cur, 4u * (uint64_t)g->ctx_train * (uint64_t)g->head_dim); /* tables of cosines and sines: we compute our own */
    }
    if (!g->tied && (st = take_all(c, &cur, head, 1, err)) != RG_OK) return st;
    if (cur.bad || cur.p != cur.end)
        return rg_fail(err, RG_E_FILE, "%s: %zu bytes, but the header describes %s: truncated, or not a llama2.c checkpoint", c->path, f->size,
            cur.bad ? "more" : "fewer");
    return RG_OK;
}
