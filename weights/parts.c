/* Quantised modules of Hugging Face directories: several tensors are one weight. Here: which they are, and
 * the layouts of codes in words (AWQ, GPTQ, compressed-tensors, MLX). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "weights/arch.h"
#include "weights/parts.h"

#define FLOATS "F16 BF16 F32"

enum {
    AWQ = 1 << RG_SCHEME_AWQ,
    GPTQ = 1 << RG_SCHEME_GPTQ,
    CT = 1 << RG_SCHEME_CT,
    FP8 = 1 << RG_SCHEME_FP8,
    MLX = 1 << RG_SCHEME_MLX,
    NF4 = 1 << RG_SCHEME_NF4,
    MXFP4 = 1 << RG_SCHEME_MXFP4
};

/* By the end of a tensor's name; dtypes with single blanks between. */
static const struct {
    int schemes;
    const char *tail;
    rg_part_kind kind;
    const char *dtypes;
    bool maybe; /* of another dtype it is a tensor of its own */
} tails[] = {{AWQ | GPTQ, ".qweight", RG_P_CODES, "I32", false},
    {AWQ | GPTQ, ".qzeros", RG_P_ZEROS, "I32", false}, {AWQ | GPTQ, ".scales", RG_P_SCALES, FLOATS, false},
    {GPTQ, ".g_idx", RG_P_INDEX, "I32", false}, {CT, ".weight_packed", RG_P_CODES, "I32", false},
    {CT, ".weight_zero_point", RG_P_ZEROS, "I32", false},
    {CT | FP8, ".weight_scale", RG_P_SCALES, FLOATS, false}, {CT, ".weight_g_idx", RG_P_INDEX, "I32", false},
    {CT, ".weight_shape", RG_P_SHAPE, "I64 I32", false},
    {CT | FP8, ".weight", RG_P_CODES, "F8_E4M3 I8", true},
    {FP8, ".weight_scale_inv", RG_P_SCALES, FLOATS, false}, {MLX, ".weight", RG_P_CODES, "U32", true},
    {MLX, ".scales", RG_P_SCALES, FLOATS, false}, {MLX, ".biases", RG_P_BIASES, FLOATS, false},
    {NF4, ".weight", RG_P_CODES, "U8", true}, {NF4, ".weight.absmax", RG_P_SCALES, "F32 U8", false},
    {NF4, ".weight.quant_map", RG_P_MAP, "F32", false},
    {NF4, ".weight.nested_absmax", RG_P_NESTED, "F32", false},
    {NF4, ".weight.nested_quant_map", RG_P_NESTED_MAP, "F32", false},
    {NF4, ".weight.quant_state.bitsandbytes__nf4", RG_P_STATE, "U8", false},
    {MXFP4, "_blocks", RG_P_CODES, "U8", false}, {MXFP4, "_scales", RG_P_SCALES, "U8", false}};

/* What quantised activations need; they stay as they are. */
static const char *const of_activations[] = {
    ".input_scale", ".activation_scale", ".input_zero_point", ".activation_zero_point", ".input_scale_ub"};

static const char *const part_names[RG_P_COUNT] = {"codes", "zero points", "scales", "biases", "g_idx",
    "weight_shape", "quant_map", "nested_absmax", "nested_quant_map", "quant_state"};

static rg_status keep(rg_ckpt *c, rg_part p, const char *name, size_t len, const rg_src *src)
{
    if (!rg_grow(&c->part, &c->cap_parts, c->n_parts + 1, sizeof p) || !(p.module = strndup(name, len)))
        return rg_no_memory(src->err, src->name);
    c->part[c->n_parts++] = p;
    return RG_OK;
}

static bool ends_with(const rg_raw_tensor *r, const char *tail)
{
    const size_t n = strlen(tail);
    return r->name_len > n && strcmp(r->name + r->name_len - n, tail) == 0;
}

bool rg_parts_keep(rg_ckpt *c, const rg_raw_tensor *r, const char *dtype, rg_status *st, rg_err *err)
{
    const rg_src src = {c->path, err};
    const int scheme = 1 << c->scheme.kind;
    *st = RG_OK;
    for (size_t i = 0; scheme & (CT | FP8) && i < sizeof of_activations / sizeof *of_activations; i++)
        if (ends_with(r, of_activations[i])) {
            rg_note(&c->notes, &src,
                "scales of quantised activations (%s) are not used: activations are what --act says",
                of_activations[i] + 1);
            return true;
        }
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        if (!(tails[i].schemes & scheme) || !ends_with(r, tails[i].tail)) continue;
        const bool fits = rg_word_in(tails[i].dtypes, dtype);
        if (!fits && tails[i].maybe) continue;
        rg_part p = {.kind = tails[i].kind,
            .rank = r->rank,
            .dim = {r->dim[0], r->dim[1], r->dim[2], r->dim[3]},
            .data = r->data,
            .bytes = r->bytes,
            .type = RG_FT_F32};
        snprintf(p.dtype, sizeof p.dtype, "%s", dtype);
        for (int t = 0; t < RG_FT_COUNT; t++)
            if (strcmp(dtype, rg_ftypes[t].name) == 0) p.type = (rg_ftype)t;
        *st = fits ? keep(c, p, r->name, r->name_len - strlen(tails[i].tail), &src)
                   : rg_lacks(&src, "tensor %.100s: %s of dtype %s, expected %s", r->name, part_names[p.kind],
                         dtype, tails[i].dtypes);
        return true;
    }
    return false;
}

void rg_parts_free(rg_ckpt *c)
{
    for (size_t i = 0; i < c->n_parts; i++) free(c->part[i].module);
    free(c->part);
    c->part = NULL;
    c->n_parts = c->cap_parts = 0;
}

static int by_module(const void *a, const void *b)
{
    const rg_part *x = a, *y = b;
    const int d = strcmp(x->module, y->module);
    return d ? d : (int)x->kind - (int)y->kind;
}

rg_status rg_part_check(const rg_part *p, int64_t rows, int64_t cols, const rg_src *src)
{
    if (p->rank == 2 && p->dim[0] == (uint64_t)rows && p->dim[1] == (uint64_t)cols) return RG_OK;
    return rg_bad(src, "module %.100s: %s of shape [%llu, %llu] (rank %d), expected [%lld, %lld]", p->module,
        part_names[p->kind], (unsigned long long)p->dim[0], (unsigned long long)p->dim[1], p->rank,
        (long long)rows, (long long)cols);
}

/* g_idx: kept only if some column is not in group column / group size. */
static rg_status read_index(rg_grid *g, const rg_part *p, const rg_src *src)
{
    if (p->rank != 1 || p->dim[0] != (uint64_t)g->in)
        return rg_bad(src, "module %.100s: g_idx of %llu values, expected %lld", p->module,
            (unsigned long long)p->dim[0], (long long)g->in);
    bool plain = true, unset = true;
    for (int64_t i = 0; i < g->in; i++) {
        const int32_t k = (int32_t)rg_get32(p->data, i);
        unset &= k == -1; /* compressed-tensors' "no order" */
        if (unset) continue;
        if (k < 0 || k >= g->groups)
            return rg_bad(src, "module %.100s: g_idx[%lld] is %d, expected 0 to %lld", p->module,
                (long long)i, (int)k, (long long)g->groups - 1);
        plain &= k == i / g->group;
    }
    if (unset || plain) return RG_OK;
    g->g_idx = malloc((size_t)g->in * sizeof *g->g_idx);
    if (!g->g_idx) return rg_no_memory(src->err, src->name);
    for (int64_t i = 0; i < g->in; i++) g->g_idx[i] = (int32_t)rg_get32(p->data, i);
    return RG_OK;
}

void rg_grid_take_scales(rg_grid *g, const rg_part *p)
{
    g->scale = p->data;
    g->scale_bytes = p->bytes;
    g->scale_type = p->type;
}

static rg_status check_weight_shape(const rg_part *p, const rg_grid *g, const rg_src *src)
{
    int64_t v[2] = {-1, -1};
    const bool i64 = strcmp(p->dtype, "I64") == 0;
    const int step = i64 ? 2 : 1;
    if (p->rank == 1 && p->dim[0] == 2)
        for (int i = 0; i < 2; i++)
            v[i] = (int64_t)(rg_get32(p->data, i * step) |
                (i64 ? (uint64_t)rg_get32(p->data, 2 * i + 1) << 32 : 0));
    if (v[0] != g->out || v[1] != g->in)
        return rg_bad(src, "module %.100s: weight_shape says [%lld, %lld], the configuration [%lld, %lld]",
            p->module, (long long)v[0], (long long)v[1], (long long)g->out, (long long)g->in);
    return RG_OK;
}

/* What the configuration says of zero points, against those stored. GPTQModel 5 labels files "gptq" whose
 * zero points are stored as in gptq_v2: of a symmetric grid they are the middle of the codes there, one less
 * in v1. */
static rg_status check_zeros(rg_ckpt *c, rg_grid *g, const char *module, const rg_src *src)
{
    const rg_scheme *s = &c->scheme;
    const bool gptq = g->kind == RG_GRID_GPTQ;
    const char *word = gptq ? "sym" : "symmetric";
    if (s->kind == RG_SCHEME_AWQ || s->sym < 0) return RG_OK;
    if (!g->zero) {
        if (s->sym) return RG_OK;
        return rg_bad(src, "module %.100s: %s is false, but it has no zero points", module, word);
    }
    const int stored = rg_grid_zero(g), declared = g->zero_add, mid = rg_grid_mid(g);
    if (!s->sym) return RG_OK;
    if (gptq && (stored == mid - 1 || stored == mid)) g->zero_add = mid - stored;
    if (!rg_grid_middle(g)) {
        g->zero_add = declared;
        return rg_bad(src,
            "module %.100s: quantization_config says %s, but its zero points are not %d (the first is %d)",
            module, word, mid, stored + declared);
    }
    if (g->zero_add != declared)
        rg_note(&c->notes, src,
            "quantization_config says sym and the format gptq%s, but stores zero points as gptq%s does: read "
            "as those",
            declared ? "" : "_v2", declared ? "_v2" : "");
    return RG_OK;
}

/* Codes in words: all parts' shapes against the module's [out, in] in the configuration. */
static rg_status fill_words(
    rg_ckpt *c, rg_grid *g, const rg_part *const part[RG_P_COUNT], const char *module, const rg_src *src)
{
    const rg_part *q = part[RG_P_CODES], *s = part[RG_P_SCALES], *z = part[RG_P_ZEROS],
                  *b = part[RG_P_BIASES];
    const bool mlx = g->kind == RG_GRID_MLX, packed = g->kind == RG_GRID_PACKED || mlx; /* by rows */
    rg_status st;
    if (mlx && !b) return rg_bad(src, "module %.100s: its biases are missing", module);
    if (b && b->type != s->type)
        return rg_lacks(src, "module %.100s: scales of dtype %s, but biases of %s; expected the same", module,
            s->dtype, b->dtype);
    if (!z && !packed) return rg_bad(src, "module %.100s: its zero points are missing", module);
    if (c->scheme.mixed && q->rank == 2) /* words of a row or column */
        g->bits = q->dim[packed] == (uint64_t)rg_div_up(g->in, 8) ? 4 : 8;
    const int per = 32 / g->bits; /* codes of a word */
    const int64_t words_out = g->out / per, words_in = rg_div_up(g->in, per);
    if ((!packed && g->out % per != 0) || (g->kind != RG_GRID_PACKED && g->in % per != 0))
        return rg_bad(src, "module %.100s: [%lld, %lld] is not a multiple of %d", q->module,
            (long long)g->out, (long long)g->in, per);
    st = packed                  ? rg_part_check(q, g->out, words_in, src)
        : g->kind == RG_GRID_AWQ ? rg_part_check(q, g->in, words_out, src)
                                 : rg_part_check(q, words_in, g->out, src);
    if (st) return st;
    /* the scales say how many equal groups there are, the last perhaps short */
    g->groups = s->rank == 2 ? (int64_t)s->dim[packed] : -1;
    if (g->groups < 1 || g->groups > g->in) g->groups = -1;
    st = packed ? rg_part_check(s, g->out, g->groups, src) : rg_part_check(s, g->groups, g->out, src);
    if (st) return st;
    const int64_t declared = c->scheme.group > 0 ? rg_min(c->scheme.group, g->in) : g->in;
    /* where several sizes may be declared, equal groups must explain it */
    const bool several = packed || c->scheme.mixed;
    g->group = several && rg_div_up(g->in, declared) != g->groups ? rg_div_up(g->in, g->groups) : declared;
    if (rg_div_up(g->in, g->group) != g->groups)
        return rg_bad(src, "module %.100s: %lld groups of scales for %lld columns in groups of %lld",
            s->module, (long long)g->groups, (long long)g->in, (long long)g->group);
    if (z)
        st = packed ? rg_part_check(z, rg_div_up(g->out, per), g->groups, src)
                    : rg_part_check(z, g->groups, words_out, src);
    if (st) return st;
    if (b && (st = rg_part_check(b, g->out, g->groups, src))) return st;
    rg_grid_take_scales(g, s);
    g->min = b ? b->data : NULL;
    g->zero = z ? z->data : NULL;
    g->zero_bytes = z ? z->bytes : 0;
    g->zero_add = g->kind == RG_GRID_GPTQ && !c->scheme.gptq_v2;
    if (part[RG_P_SHAPE] && (st = check_weight_shape(part[RG_P_SHAPE], g, src))) return st;
    if ((st = check_zeros(c, g, module, src))) return st;
    if (part[RG_P_INDEX] && (st = read_index(g, part[RG_P_INDEX], src))) return st;
    if (g->g_idx && c->scheme.no_order)
        rg_note(&c->notes, src, "desc_act is false, but g_idx orders columns: followed, as AutoGPTQ does");
    return RG_OK;
}

static rg_status fill(
    rg_ckpt *c, rg_grid *g, const rg_part *const part[RG_P_COUNT], const char *module, const rg_src *src)
{
    const rg_part *q = part[RG_P_CODES];
    if (!q || !part[RG_P_SCALES])
        return rg_bad(
            src, "module %.100s: its %s are missing", module, part_names[q ? RG_P_SCALES : RG_P_CODES]);
    g->bits = c->scheme.bits;
    g->q = q->data;
    g->q_bytes = q->bytes;
    return c->scheme.kind == RG_SCHEME_MXFP4 ? rg_fill_mxfp4(g, part, c->cfg.experts, src)
        : rg_word_in("I32 U32", q->dtype)    ? fill_words(c, g, part, module, src)
        : strcmp(q->dtype, "U8") == 0        ? rg_fill_nf4(g, part, module, src)
                                             : rg_fill_scaled(c, g, part, src);
}

static rg_status bind(
    rg_ckpt *c, const rg_part *const part[RG_P_COUNT], const char *module, const rg_src *src)
{
    char name[160];
    rg_site site;
    int64_t out, in;
    const int n = snprintf(name, sizeof name, "%.120s.weight", module);
    if (!rg_ckpt_site(c, RG_NAMES_HF, name, (size_t)n, &site, &out, &in) ||
        (!rg_site_has_matrix(site) && rg_site_op(site) != RG_OP_EMBED))
        return rg_lacks(src,
            "module %.100s is quantised, but is neither a linear layer nor the embedding of a %s model",
            module, rg_arch_named(c->cfg.arch)->word[RG_ARCH_NAME]);
    if (c->scheme.kind == RG_SCHEME_MXFP4 && !(c->traits & RG_HAS_CLAMPED && rg_site_of_experts(site)))
        return rg_lacks(src, "module %.100s is MXFP4, expected that of experts of gpt-oss alone", module);
    rg_grid *g = calloc(1, sizeof *g);
    if (!g) return rg_no_memory(src->err, src->name);
    g->kind = c->scheme.kind == RG_SCHEME_AWQ ? RG_GRID_AWQ
        : c->scheme.kind == RG_SCHEME_GPTQ    ? RG_GRID_GPTQ
        : c->scheme.kind == RG_SCHEME_MLX     ? RG_GRID_MLX
                                              : RG_GRID_PACKED;
    /* of all experts, one below the other */
    const bool experts = c->scheme.kind == RG_SCHEME_MXFP4;
    g->out = g->rows = experts ? out * c->cfg.experts : out;
    g->in = in;
    rg_status st = fill(c, g, part, module, src);
    if (!st) {
        rg_raw_tensor r = {.name = name,
            .name_len = (size_t)n,
            .type = g->bits == 8 ? RG_FT_INT8 : RG_FT_INT4,
            .rank = experts ? 3 : 2,
            .dim = {(uint64_t)g->out, (uint64_t)g->in},
            .data = g->q,
            .grid = g};
        if (experts)
            memcpy(r.dim, (uint64_t[]){(uint64_t)c->cfg.experts, (uint64_t)out, (uint64_t)in},
                3 * sizeof *r.dim);
        for (int k = 0; k < RG_P_COUNT; k++) r.bytes += part[k] ? part[k]->bytes : 0;
        st = rg_ckpt_add(c, RG_NAMES_HF, &r, src->err);
    }
    rg_grid_free(g);
    return st;
}

rg_status rg_parts_bind(rg_ckpt *c, rg_err *err)
{
    const rg_src src = {c->path, err};
    rg_status st = RG_OK;
    if (c->n_parts) qsort(c->part, c->n_parts, sizeof *c->part, by_module);
    for (size_t i = 0; i < c->n_parts && !st;) {
        const rg_part *part[RG_P_COUNT] = {0};
        const char *module = c->part[i].module;
        for (; i < c->n_parts && strcmp(c->part[i].module, module) == 0; i++) {
            if (part[c->part[i].kind])
                return rg_bad(
                    &src, "module %.100s: its %s are there twice", module, part_names[c->part[i].kind]);
            part[c->part[i].kind] = &c->part[i];
        }
        st = bind(c, part, module, &src);
    }
    rg_parts_free(c);
    return st;
}
