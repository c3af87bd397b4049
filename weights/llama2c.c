/* llama2.c .bin files: the legacy export (seven integers, no magic), version 1 (f32), version 2 (int8 in
 * groups). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/ckpt_impl.h"

enum { MAGIC = 0x616b3432, HEADER = 256 };

typedef struct reader {
    rg_ckpt *c;
    rg_src src;
    rg_cursor cur;
    int64_t group; /* 0: f32; else a scale per that many int8 codes */
} reader;

/* The codes of a tensor and their scales, or its floats. */
static rg_status take_data(reader *r, rg_raw_tensor *t, int64_t rows, int64_t cols, bool quantised)
{
    const uint64_t n = (uint64_t)rows * (uint64_t)cols; /* at most 2^40: the configuration was checked */
    const unsigned char *p = rg_cur_take(&r->cur, quantised ? n : 4 * n);
    *t = (rg_raw_tensor){
        .type = RG_FT_F32, .rank = 2, .dim = {(uint64_t)rows, (uint64_t)cols}, .data = p, .bytes = 4 * n};
    if (!p || !quantised) return RG_OK; /* a short file is the caller's to tell */
    if (cols % r->group != 0)
        return rg_lacks(&r->src,
            "groups of %lld do not divide rows of %lld: scales that span rows are not supported",
            (long long)r->group, (long long)cols);
    rg_grid *g = calloc(1, sizeof *g);
    if (!g) return rg_no_memory(r->src.err, r->src.name);
    *g = (rg_grid){.kind = RG_GRID_INT8,
        .bits = 8,
        .out = rows,
        .rows = rows,
        .in = cols,
        .group = r->group,
        .groups = cols / r->group,
        .q = p,
        .q_bytes = n,
        .scale_type = RG_FT_F32};
    g->scale_bytes = 4 * (n / (uint64_t)r->group);
    g->scale = rg_cur_take(&r->cur, g->scale_bytes);
    t->type = RG_FT_INT8;
    t->bytes = g->q_bytes + g->scale_bytes;
    t->grid = g;
    return RG_OK;
}

/* Takes a site's tensors, of every layer in turn. */
static rg_status take(reader *rd, rg_site site)
{
    rg_ckpt *c = rd->c;
    const int64_t rows = rg_extent_size(&c->cfg, rg_site_rows(site)),
                  cols = rg_extent_size(&c->cfg, rg_site_cols(site));
    const int64_t n = rg_site_in_layer(site) ? c->cfg.layers : 1;
    for (int64_t l = 0; l < n; l++) {
        char name[64];
        rg_tensor_name(name, sizeof name - 8, site, rg_site_in_layer(site) ? (int)l : -1);
        strcat(name, ".weight");
        rg_raw_tensor r;
        rg_status st = take_data(rd, &r, rows, cols, rd->group && rg_site_op(site) != RG_OP_RMSNORM);
        r.name = name;
        r.name_len = strlen(name);
        if (!st && rd->cur.bad)
            st = rg_bad(&rd->src, "the file ends inside %s: truncated, or not a llama2.c checkpoint", name);
        if (!st) st = rg_ckpt_add(c, RG_NAMES_GGUF, &r, rd->src.err);
        rg_grid_free((rg_grid *)(uintptr_t)r.grid);
        if (st) return st;
    }
    return RG_OK;
}

/* Seven integers; untied models: a negative vocabulary in v0, a byte later. */
static void read_header(rg_config *g, rg_cursor *cur, uint32_t first, int version)
{
    g->dim = (int32_t)first;
    g->ffn = rg_cur_i32(cur);
    g->layers = rg_cur_i32(cur);
    g->heads = rg_cur_i32(cur);
    g->kv_heads = rg_cur_i32(cur);
    g->vocab = rg_cur_i32(cur);
    g->ctx_train = rg_cur_i32(cur);
    g->tied = version ? rg_cur_u8(cur) != 0 : g->vocab > 0;
    if (!version && g->vocab < 0) g->vocab = -g->vocab;
    g->head_dim = g->heads > 0 && g->dim % g->heads == 0 ? g->dim / g->heads : -1;
    g->eps = 1e-5;
    g->rope_theta = 10000.0;
    g->bos = 1;
    g->eos[0] = 1; /* llama2.c ends a text at BOS, ... */
    g->eos[1] = 2; /* ... and the models know EOS */
    g->n_eos = 2;
    snprintf(g->arch, sizeof g->arch, "llama");
}

/* The order of the tensors; the output matrix comes last. */
#define ATTN RG_SITE_ATTN_Q, RG_SITE_ATTN_K, RG_SITE_ATTN_V, RG_SITE_ATTN_OUTPUT
#define FFN RG_SITE_FFN_GATE, RG_SITE_FFN_DOWN, RG_SITE_FFN_UP
enum { N_SITES = 11 };
static const rg_site legacy[N_SITES] = {
    RG_SITE_TOKEN_EMBD, RG_SITE_ATTN_NORM, ATTN, RG_SITE_FFN_NORM, FFN, RG_SITE_OUTPUT_NORM};
static const rg_site later[N_SITES] = {
    RG_SITE_ATTN_NORM, RG_SITE_FFN_NORM, RG_SITE_OUTPUT_NORM, RG_SITE_TOKEN_EMBD, ATTN, FFN};

static rg_status take_model(reader *r, int version)
{
    const rg_config *g = &r->c->cfg;
    rg_status st = RG_OK;
    for (int i = 0; i < N_SITES && !st; i++) st = take(r, (version ? later : legacy)[i]);
    /* tables of cosines and sines: we compute our own */
    if (!st && !version) rg_cur_take(&r->cur, 4u * (uint64_t)g->ctx_train * (uint64_t)g->head_dim);
    return !st && !g->tied ? take(r, RG_SITE_OUTPUT) : st;
}

rg_status rg_load_llama2c(rg_ckpt *c, rg_err *err)
{
    const rg_mapfile *f = &c->file[0];
    reader r = {.c = c, .src = {c->path, err}, .cur = {.p = f->data, .end = f->data + f->size}};
    rg_status st;
    uint32_t first = rg_cur_u32(&r.cur);
    int version = 0;
    if (first == MAGIC) {
        version = rg_cur_i32(&r.cur);
        if (!r.cur.bad && version != 1 && version != 2)
            return rg_lacks(
                &r.src, "llama2.c version %d, expected the legacy export, version 1 or 2", version);
        first = rg_cur_u32(&r.cur);
    }
    read_header(&c->cfg, &r.cur, first, version);
    if (version == 2) r.group = rg_cur_i32(&r.cur);
    if (version) rg_cur_take(&r.cur, (uint64_t)(HEADER - (r.cur.p - f->data)));
    if (r.cur.bad)
        return rg_bad(
            &r.src, "%zu bytes: not a checkpoint that Ridge knows (GGUF, safetensors, llama2.c)", f->size);
    snprintf(c->format, sizeof c->format, "llama2.c v%d", version);
    if ((st = rg_config_check(&c->cfg, c->path, err)))
        return version
            ? st
            : rg_bad(&r.src,
                  "not a checkpoint that Ridge knows (GGUF, safetensors, or llama2.c with a sane header)");
    if (version == 2 && (r.group < 1 || r.group > 1 << 20))
        return rg_bad(&r.src, "groups of %lld, expected 1 or more", (long long)r.group);
    if ((st = take_model(&r, version))) return st;
    if (r.cur.bad || r.cur.p != r.cur.end)
        return rg_bad(&r.src,
            "%zu bytes, but the header describes %s: truncated, or not a llama2.c checkpoint", f->size,
            r.cur.bad ? "more" : "fewer");
    return RG_OK;
}
