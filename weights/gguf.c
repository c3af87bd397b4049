/* GGUF v2 and v3, read through the cursor. Counts are bounded by the bytes left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/foreign.h"
#include "base/grow.h"
#include "weights/gguf_keys.h"

enum { MAX_TENSORS = 1 << 16, MAX_KV = 1 << 20, MAX_NAME = 64, MAX_PIECE = 65535, MAX_PARTS = 1000 };

/* clang-format off */
/* Types of tensors that we know by name only: ggml's, those it has removed, and ik_llama.cpp's. */
#define GONE ", which ggml has removed"
#define OF_IK ", of ik_llama.cpp"
static const char *const other_types[] = {[4] = "Q4_2" GONE, [5] = "Q4_3" GONE, [9] = "Q8_1", [15] = "Q8_K",
    [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [21] = "IQ3_S", [22] = "IQ2_S",
    [24] = "I8", [25] = "I16", [26] = "I32", [27] = "I64", [28] = "F64", [29] = "IQ1_M",
    [31] = "Q4_0_4_4" GONE, [32] = "Q4_0_4_8" GONE, [33] = "Q4_0_8_8" GONE, [34] = "TQ1_0", [35] = "TQ2_0",
    [36] = "IQ4_NL_4_4" GONE " (or I2_S" OF_IK ")", [37] = "IQ4_NL_4_8" GONE, [38] = "IQ4_NL_8_8" GONE,
    [40] = "NVFP4", [41] = "Q1_0", [97] = "Q8_0_X4" OF_IK, [98] = "Q8_1_X4" OF_IK, [99] = "Q8_2_X4" OF_IK,
    [133] = "Q6_0" OF_IK, [134] = "IQ1_BN" OF_IK, [135] = "IQ2_BN" OF_IK, [137] = "IQ2_K" OF_IK,
    [138] = "IQ3_K" OF_IK, [139] = "IQ4_K" OF_IK, [140] = "IQ5_K" OF_IK, [141] = "IQ6_K" OF_IK,
    [144] = "IQ4_KS" OF_IK, [145] = "IQ2_KS" OF_IK, [146] = "IQ4_KSS" OF_IK, [151] = "Q8_KV" OF_IK,
    [152] = "IQ5_KS" OF_IK, [153] = "IQ2_KT" OF_IK, [154] = "IQ3_KT" OF_IK, [155] = "IQ4_KT" OF_IK,
    [156] = "IQ3_KS" OF_IK, [157] = "IQ2_KL" OF_IK, [158] = "IQ1_KT" OF_IK, [202] = "Q4_0_R8" OF_IK,
    [206] = "Q5_0_R4" OF_IK, [208] = "Q8_0_R8" OF_IK, [210] = "Q2_K_R4" OF_IK, [211] = "Q3_K_R4" OF_IK,
    [212] = "Q4_K_R4" OF_IK, [213] = "Q5_K_R4" OF_IK, [214] = "Q6_K_R4" OF_IK, [216] = "IQ2_XXS_R4" OF_IK,
    [217] = "IQ2_XS_R4" OF_IK, [218] = "IQ3_XXS_R4" OF_IK, [219] = "IQ1_S_R4" OF_IK,
    [220] = "IQ4_NL_R4" OF_IK, [221] = "IQ3_S_R4" OF_IK, [222] = "IQ2_S_R4" OF_IK,
    [223] = "IQ4_XS_R8" OF_IK, [229] = "IQ1_M_R4" OF_IK, [230] = "BF16_R16" OF_IK, [233] = "Q6_0_R4" OF_IK,
    [335] = "IQ2_BN_R4" OF_IK, [337] = "IQ2_K_R4" OF_IK, [338] = "IQ3_K_R4" OF_IK, [339] = "IQ4_K_R4" OF_IK,
    [340] = "IQ5_K_R4" OF_IK, [344] = "IQ4_KS_R4" OF_IK, [352] = "IQ5_KS_R4" OF_IK, [353] = "MXFP4_R8" OF_IK};
/* clang-format on */

/* Moves past one value, noting where it lies. */
static bool skip_value(rg_cursor *cur, kv *k)
{
    k->count = 1;
    k->p = cur->p;
    if (k->type == G_ARR) {
        const uint32_t e = rg_cur_u32(cur);
        k->count = rg_cur_u64(cur);
        k->elem = (gtype)e;
        if (cur->bad) {
            k->end = cur->end; /* the file ends: not the type's fault */
            return false;
        }
        if (e >= G_COUNT || e == G_ARR) return false;
        k->end = cur->end;
        k->p = cur->p;
        if (k->elem == G_STR) {
            if (k->count > rg_cur_left(cur) / 8) cur->bad = true;
            for (uint64_t i = 0; i < k->count && !cur->bad; i++) take_str(cur);
        } else {
            uint64_t bytes;
            if (!rg_mul_ok(k->count, (uint64_t)gsize[e], &bytes))
                cur->bad = true;
            else
                rg_cur_take(cur, bytes);
        }
    } else if (k->type == G_STR) {
        take_str(cur);
    } else {
        rg_cur_take(cur, (uint64_t)gsize[k->type]);
    }
    k->end = cur->p;
    return !cur->bad;
}

static rg_status read_kvs(parser *g)
{
    g->kv = calloc(g->n_kv + 1, sizeof *g->kv);
    if (!g->kv) return rg_no_memory(g->src.err, g->src.name);
    for (uint64_t i = 0; i < g->n_kv; i++) {
        kv *k = &g->kv[i];
        k->key = take_str(&g->cur);
        const uint32_t type = rg_cur_u32(&g->cur);
        if (g->cur.bad || k->key.n == 0 || k->key.n > 65535)
            return rg_bad(&g->src,
                "metadata entry %llu of %llu: the file ends or the key is impossible: truncated or damaged",
                (unsigned long long)i, (unsigned long long)g->n_kv);
        if (type >= G_COUNT)
            return rg_bad(&g->src, "metadata %.*s: type %u, expected 0 to 12", SHOW(k->key), type);
        k->type = (gtype)type;
        if (!skip_value(&g->cur, k) && k->type == G_ARR && !k->end)
            return rg_bad(&g->src,
                "metadata %.*s: array of type %u, expected 0 to 12 without 9 (arrays of arrays)",
                SHOW(k->key), (unsigned)k->elem);
        if (!k->end || g->cur.bad)
            return rg_bad(&g->src,
                "metadata %.*s: its value does not fit into the file: truncated or damaged", SHOW(k->key));
    }
    qsort(g->kv, g->n_kv, sizeof *g->kv, by_key);
    for (uint64_t i = 1; i < g->n_kv; i++)
        if (by_key(&g->kv[i - 1], &g->kv[i]) == 0)
            return rg_bad(&g->src, "metadata %.*s is there twice", SHOW(g->kv[i].key));
    return RG_OK;
}

static rg_status no_vocab_memory(const parser *g)
{
    return rg_fail(g->src.err, RG_E_NOMEM, "%s: out of memory for the vocabulary", g->src.name);
}

/* A copy (the file's is not aligned) of an array with 32 bits per token; NULL: no such key. */
static rg_status array_copy(const parser *g, const char *key, gtype elem, gtype also, void **out)
{
    const kv *k = get(g, key);
    const size_t n = g->c->vocab.n;
    *out = NULL;
    if (!k) return RG_OK;
    if (k->type != G_ARR || (k->elem != elem && k->elem != also) || k->count != n)
        return rg_bad(&g->src, "metadata %s: expected an array of %zu %s, one per token", key, n,
            elem == G_F32 ? "floats" : "integers");
    if (!(*out = malloc(n * 4))) return no_vocab_memory(g);
    memcpy(*out, k->p, n * 4);
    return RG_OK;
}

static rg_status string_array(const parser *g, const kv *k, const char ***piece, size_t **len)
{
    rg_cursor c = {.p = k->p, .end = k->end};
    *piece = malloc((size_t)(k->count + 1) * sizeof **piece);
    *len = malloc((size_t)(k->count + 1) * sizeof **len);
    if (!*piece || !*len) return no_vocab_memory(g);
    for (uint64_t i = 0; i < k->count; i++) {
        const str s = take_str(&c);
        if (s.n > MAX_PIECE)
            return rg_bad(&g->src, "metadata %.*s: string %llu has %llu bytes, expected at most %d",
                SHOW(k->key), (unsigned long long)i, (unsigned long long)s.n, MAX_PIECE);
        (*piece)[i] = s.p;
        (*len)[i] = (size_t)s.n;
    }
    return RG_OK;
}

/* tokenizer.chat_template, the default one, and tokenizer.chat_template.NAME. */
static rg_status read_chat(parser *g)
{
    static const char base[] = "tokenizer.chat_template", own[] = "default";
    const size_t n = sizeof base - 1;
    rg_ckpt_vocab *v = &g->c->vocab;
    size_t cap = 0;
    for (uint64_t i = 0; i < g->n_kv; i++) {
        const kv *k = &g->kv[i];
        if (k->key.n < n || memcmp(k->key.p, base, n) != 0) continue;
        const bool named = k->key.n > n;
        if (named && k->key.p[n] != '.') continue;
        if (k->type != G_STR) return rg_bad(&g->src, "metadata %.*s: expected a string", SHOW(k->key));
        rg_cursor c = {.p = k->p, .end = k->end};
        const str text = take_str(&c);
        if (text.n == 0) continue;
        if (!rg_grow(&v->chat, &cap, v->n_chat + 1, sizeof *v->chat)) return no_vocab_memory(g);
        v->chat[v->n_chat++] = (rg_ckpt_chat){.name = named ? k->key.p + n + 1 : own,
            .name_len = named ? k->key.n - n - 1 : sizeof own - 1,
            .text = text.p,
            .len = text.n};
    }
    return RG_OK;
}

static rg_status read_vocab(parser *g)
{
    rg_ckpt *c = g->c;
    rg_ckpt_vocab *v = &c->vocab;
    const str model = get_str(g, "tokenizer.ggml.model"), pre = get_str(g, "tokenizer.ggml.pre");
    const kv *tokens = get(g, "tokenizer.ggml.tokens"), *merges = get(g, "tokenizer.ggml.merges");
    if (!model.n || !tokens) return RG_OK;
    if (tokens->type != G_ARR || tokens->elem != G_STR || tokens->count == 0 || tokens->count > RG_MAX_VOCAB)
        return rg_bad(&g->src, "tokenizer.ggml.tokens: expected an array of 1 to %d strings", RG_MAX_VOCAB);
    if (merges && (merges->type != G_ARR || merges->elem != G_STR || merges->count > 4u * RG_MAX_VOCAB))
        return rg_bad(&g->src, "tokenizer.ggml.merges: expected an array of strings");
    v->model = strndup(model.p, model.n);
    v->pre = pre.n ? strndup(pre.p, pre.n) : NULL;
    v->n = (size_t)tokens->count;
    if (!v->model) return no_vocab_memory(g);
    void *score = NULL, *type = NULL;
    int64_t id;
    rg_status sv = string_array(g, tokens, &v->piece, &v->piece_len);
    if (!sv && merges) sv = string_array(g, merges, &v->merge, &v->merge_len);
    v->n_merges = merges ? (size_t)merges->count : 0;
    if (!sv) sv = array_copy(g, "tokenizer.ggml.scores", G_F32, G_F32, &score);
    if (!sv) sv = array_copy(g, "tokenizer.ggml.token_type", G_I32, G_U32, &type);
    v->score = score;
    v->type = type;
    if (!sv) sv = read_chat(g);
    if (sv) return sv;
#define RG_VOCAB_KEY(kind, field, key) \
    if ((sv = get_int(g, "tokenizer.ggml." key, -1, &id))) return sv; \
    v->field = id >= 0 && id < (int64_t)v->n ? (int32_t)id : -1;
#include "weights/vocab.def"
    c->has_vocab = true;
    return RG_OK;
}

static rg_status refuse_type(const parser *g, str name, uint32_t type)
{
    char list[RG_ERR_MAX] = "";
    size_t n = 0;
    int last = 0;
    for (int i = 0; i < RG_FT_COUNT; i++)
        if (rg_ftypes[i].ggml >= 0) last = i;
    for (int i = 0; i <= last; i++) {
        const char *gap = i == last ? " or " : i ? ", " : "";
        if (rg_ftypes[i].ggml >= 0)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", gap, rg_ftypes[i].name);
    }
    if (type < sizeof other_types / sizeof *other_types && other_types[type])
        return rg_lacks(&g->src, "tensor %.*s has type %s; expected %s", SHOW(name), other_types[type], list);
    return rg_bad(&g->src, "tensor %.*s has type number %u, which GGUF does not know", SHOW(name), type);
}

/* One tensor description. *offset: from the data, which follow the last description. */
static rg_status read_tensor(parser *g, rg_raw_tensor *r, uint64_t *offset)
{
    const str name = take_str(&g->cur);
    const uint32_t rank = rg_cur_u32(&g->cur);
    if (g->cur.bad || name.n == 0 || name.n >= MAX_NAME)
        return rg_bad(
            &g->src, "tensor descriptions: the file ends or a name is impossible: truncated or damaged");
    if (rank < 1 || rank > 4)
        return rg_bad(&g->src, "tensor %.*s: %u dimensions, expected 1 to 4", SHOW(name), rank);
    *r = (rg_raw_tensor){.name = name.p, .name_len = (size_t)name.n, .rank = (int)rank};
    uint64_t n = 1;
    for (uint32_t i = 0; i < rank; i++) { /* innermost first */
        const uint64_t d = rg_cur_u64(&g->cur);
        if (d == 0 || d > INT64_MAX || !rg_mul_ok(n, d, &n))
            return rg_bad(&g->src, "tensor %.*s: impossible size of dimension %u", SHOW(name), i);
        r->dim[rank - 1 - i] = d;
    }
    const uint32_t type = rg_cur_u32(&g->cur);
    *offset = rg_cur_u64(&g->cur);
    if (g->cur.bad) return rg_bad(&g->src, "the file ends inside the tensor descriptions: truncated");
    const int t = rg_ftype_from_ggml(type);
    if (t < 0) return refuse_type(g, name, type);
    r->type = (rg_ftype)t;
    const uint64_t block = (uint64_t)rg_ftypes[t].block, inner = r->dim[rank - 1];
    if (inner % block != 0)
        return rg_bad(&g->src, "tensor %.*s: rows of %llu are not whole %s blocks", SHOW(name),
            (unsigned long long)inner, rg_ftypes[t].name);
    if (!rg_mul_ok(n / block, (uint64_t)rg_ftypes[t].bytes, &r->bytes))
        return rg_bad(&g->src, "tensor %.*s: impossible size", SHOW(name));
    return RG_OK;
}

/* Divisors of RoPE's frequencies: where tensors of that name go, or NULL. */
static float **divisors(rg_ckpt *c, const rg_raw_tensor *r)
{
    const str name = {r->name, r->name_len};
    if (is(name, "rope_factors_long.weight")) return &c->rope_long;
    if (is(name, "rope_factors_short.weight")) {
        c->rope_short = true;
        return &c->rope_freqs;
    }
    return is(name, "rope_freqs.weight") ? &c->rope_freqs : NULL;
}

static rg_status take_divisors(const parser *g, const rg_raw_tensor *r, float **to)
{
    const int64_t n = rg_rope_dim(&g->c->cfg) / 2;
    const int nl = (int)r->name_len;
    if (r->type != RG_FT_F32 || r->rank != 1 || (int64_t)r->dim[0] != n)
        return rg_bad(&g->src, "%.*s: expected %lld F32 values", nl, r->name, (long long)n);
    if (*to) return rg_bad(&g->src, "%.*s is there twice", nl, r->name);
    float *f = *to = malloc((size_t)n * sizeof *f);
    if (!f) return rg_no_memory(g->src.err, g->src.name);
    memcpy(f, r->data, (size_t)n * sizeof *f);
    for (int64_t i = 0; i < n; i++)
        if (!(f[i] > 0.0f) || !isfinite(f[i]))
            return rg_bad(&g->src, "%.*s: value %lld is not positive", nl, r->name, (long long)i);
    return RG_OK;
}

/* Divisors of short contexts and of long ones are longrope, whatever its key says, and longrope is nothing
 * without. */
static rg_status check_divisors(const parser *g)
{
    rg_ckpt *c = g->c;
    rg_config *f = &c->cfg;
    const bool longrope = is(get_str(g, key(g, "rope.scaling.type")), "longrope");
    if (!c->rope_long && !c->rope_short && !longrope) return RG_OK;
    if (!c->rope_long || !c->rope_short)
        return rg_bad(&g->src, "longrope needs rope_factors_short.weight and rope_factors_long.weight: %s",
            c->rope_long        ? "the first is missing"
                : c->rope_short ? "the second is missing"
                                : "they are missing");
    if (f->rope_scaling != RG_ROPE_NONE)
        return rg_bad(&g->src, "rope scaling '%s' beside rope_factors_long.weight: which one is it?",
            rg_scaling_names[f->rope_scaling]);
    f->rope_scaling = RG_ROPE_LONGROPE;
    if (!f->rope_orig_ctx) f->rope_orig_ctx = f->ctx_train;
    if (f->rope_orig_ctx >= 1 && f->rope_orig_ctx <= 1 << 30) return RG_OK;
    return rg_bad(&g->src, "metadata %s is %lld, expected 1 to %d beside rope_factors_long.weight",
        key(g, "rope.scaling.original_context_length"), (long long)f->rope_orig_ctx, 1 << 30);
}

static rg_status read_tensors(parser *g)
{
    rg_ckpt *c = g->c;
    rg_raw_tensor *raw = calloc((size_t)g->n_tensors + 1, sizeof *raw);
    rg_byte_range *s = calloc((size_t)g->n_tensors + 1, sizeof *s);
    rg_status st = raw && s ? RG_OK : rg_no_memory(g->src.err, g->src.name);
    for (uint64_t i = 0; !st && i < g->n_tensors; i++) st = read_tensor(g, &raw[i], &s[i].begin);
    if (st) goto out;
    const uint64_t at = (uint64_t)(g->cur.p - g->base), data = at + (g->align - at % g->align) % g->align;
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        uint64_t end;
        const int n = (int)raw[i].name_len;
        if (s[i].begin % g->align != 0)
            st = rg_bad(&g->src, "tensor %.*s: offset %llu is not a multiple of the alignment %llu", n,
                raw[i].name, (unsigned long long)s[i].begin, (unsigned long long)g->align);
        else if (data > g->size || !rg_add_ok(s[i].begin, raw[i].bytes, &end) || end > g->size - data)
            st = rg_bad(&g->src,
                "tensor %.*s: %llu bytes at offset %llu lie beyond the file's %zu bytes: truncated", n,
                raw[i].name, (unsigned long long)raw[i].bytes, (unsigned long long)s[i].begin, g->size);
        if (st) goto out;
        raw[i].data = g->base + data + s[i].begin;
        s[i].end = s[i].begin + raw[i].bytes;
        float **to = divisors(c, &raw[i]);
        st = to ? take_divisors(g, &raw[i], to) : rg_ckpt_add(c, RG_NAMES_GGUF, &raw[i], g->src.err);
        if (st) goto out;
    }
    qsort(s, (size_t)g->n_tensors, sizeof *s, rg_by_begin);
    for (uint64_t i = 1; i < g->n_tensors; i++)
        if (s[i].begin < s[i - 1].end) {
            st = rg_bad(&g->src, "two tensors overlap at offset %llu", (unsigned long long)s[i].begin);
            goto out;
        }
    c->described += g->n_tensors;
out:
    free(raw);
    free(s);
    return st;
}

/* Header and metadata of the i-th mapped file. */
static rg_status open_part(parser *g, rg_ckpt *c, int i, rg_err *err)
{
    const rg_mapfile *f = &c->file[i]; /* the list moves when it grows: nobody keeps this pointer */
    *g = (parser){.c = c,
        .src = {f->path, err},
        .base = f->data,
        .size = f->size,
        .cur = {.p = f->data + 4, .end = f->data + f->size}};
    if (f->size < 4 || memcmp(f->data, "GGUF", 4) != 0) {
        const rg_status st = rg_foreign(&g->src, f->data, f->size);
        return st ? st : rg_bad(&g->src, "not a GGUF file");
    }
    const uint32_t version = rg_cur_u32(&g->cur);
    g->n_tensors = rg_cur_u64(&g->cur);
    g->n_kv = rg_cur_u64(&g->cur);
    const uint64_t n_kv = g->n_kv;
    g->n_kv = 0;
    if (g->cur.bad) return rg_bad(&g->src, "%zu bytes: truncated GGUF header", f->size);
    if (version && !(version & 0xffffu)) return rg_lacks(&g->src, "big-endian GGUF is not supported");
    if (version != 2 && version != 3) return rg_lacks(&g->src, "GGUF version %u, expected 2 or 3", version);
    /* the smallest entry: 12 bytes of length and type, and a value; the smallest description: 8 + 4 + 8 + 4 +
     * 8 */
    if (n_kv > MAX_KV || n_kv > rg_cur_left(&g->cur) / 13 || g->n_tensors > MAX_TENSORS ||
        g->n_tensors > rg_cur_left(&g->cur) / 32)
        return rg_bad(&g->src, "%llu metadata entries and %llu tensors do not fit into %zu bytes: damaged",
            (unsigned long long)n_kv, (unsigned long long)g->n_tensors, f->size);
    g->n_kv = n_kv;
    if (i == 0) snprintf(c->format, sizeof c->format, "GGUF v%u", version);
    return read_kvs(g);
}

static rg_status read_align(parser *g)
{
    const kv *a = get(g, "general.alignment");
    int64_t align;
    const rg_status st = get_int(g, "general.alignment", 32, &align);
    if (st) return st;
    if ((a && a->type != G_U32) || align < 1 || align > 65536 || (align & (align - 1)))
        return rg_bad(&g->src, "general.alignment is %lld, expected a power of two up to 65536 (u32)",
            (long long)align);
    g->align = (uint64_t)align;
    return RG_OK;
}

/* Name of part i (from 0) of n: "-00002-of-00003.gguf" replaced; NULL: path does not end like that. */
static char *part_path(const char *path, int64_t i, int64_t n)
{
    enum { TAIL = 20 }; /* -00001-of-00003.gguf */
    const size_t len = strlen(path);
    unsigned a, b;
    int used = 0;
    if (len <= TAIL || sscanf(path + len - TAIL, "-%5u-of-%5u.gguf%n", &a, &b, &used) != 2 || used != TAIL ||
        b != (uint64_t)n)
        return NULL;
    char *p = malloc(len + 1);
    if (p) snprintf(p, len + 1, "%.*s-%05d-of-%05d.gguf", (int)(len - TAIL), path, (int)i + 1, (int)n);
    return p;
}

static rg_status split_keys(const parser *g, int64_t *no, int64_t *count, int64_t *tensors)
{
    rg_status st;
    if ((st = get_int(g, "split.no", 0, no)) || (st = get_int(g, "split.count", 1, count)) ||
        (st = get_int(g, "split.tensors.count", -1, tensors)))
        return st;
    if (*count == 0) *count = 1;
    if (*count < 0 || *count > MAX_PARTS || *no < 0 || *no >= *count)
        return rg_bad(&g->src, "part %lld of %lld: expected a part below the count, and at most %d",
            (long long)*no, (long long)*count, (int)MAX_PARTS);
    return RG_OK;
}

/* The other parts of a split file. */
static rg_status read_parts(rg_ckpt *c, int64_t count, int64_t tensors, rg_err *err)
{
    const rg_src src = {c->path, err};
    rg_status st = RG_OK;
    for (int64_t i = 1; i < count && !st; i++) {
        parser g = {0};
        int64_t no, n, t;
        char *path = part_path(c->path, i, count);
        if (!path)
            return rg_bad(&src, "one of %lld parts, but not named like name-00001-of-%05lld.gguf",
                (long long)count, (long long)count);
        st = rg_ckpt_map(c, path, NULL, err);
        free(path);
        if (st) return st;
        st = open_part(&g, c, c->n_files - 1, err);
        if (!st) st = split_keys(&g, &no, &n, &t);
        if (!st && (no != i || n != count || t != tensors))
            st = rg_bad(&g.src, "says that it is part %lld of %lld, expected %lld of %lld of the same model",
                (long long)no, (long long)n, (long long)i, (long long)count);
        if (!st) st = read_align(&g);
        if (!st) st = read_tensors(&g);
        free(g.kv);
    }
    if (!st && count > 1 && tensors >= 0 && c->described != (uint64_t)tensors)
        st = rg_bad(&src, "the %lld parts hold %llu tensors, expected %lld", (long long)count,
            (unsigned long long)c->described, (long long)tensors);
    return st;
}

/* What only the tensors say about the model. */
static void read_extras(rg_ckpt *c)
{
    c->cfg.tied = true; /* unless there is an output matrix */
    for (size_t i = 0; i < c->n; i++) {
        if (c->t[i].site == RG_SITE_OUTPUT) c->cfg.tied = false;
        if (rg_site_op(c->t[i].site) == RG_OP_BIAS) c->cfg.extra |= rg_site_bit(c->t[i].site);
    }
}

rg_status rg_load_gguf(rg_ckpt *c, bool vocab_only, rg_err *err)
{
    const rg_src src = {c->path, err};
    parser g = {0};
    int64_t no, count, tensors;
    rg_status st = open_part(&g, c, 0, err);
    if (!st) st = split_keys(&g, &no, &count, &tensors);
    if (!st && no > 0) { /* the metadata are in the first part */
        char *first = part_path(c->path, 0, count);
        st = first ? rg_ckpt_map(c, first, NULL, err)
                   : rg_bad(&src, "part %lld of a split file, but not named like name-00001-of-%05lld.gguf",
                         (long long)no + 1, (long long)count);
        free(first);
        if (st) goto out;
        c->file_bytes -= c->file[0].size;
        rg_mapfile_close(&c->file[0]);
        c->file[0] = c->file[--c->n_files];
        free(g.kv);
        g.kv = NULL;
        st = open_part(&g, c, 0, err);
        if (!st) st = split_keys(&g, &no, &count, &tensors);
        if (!st && no != 0)
            st = rg_bad(&g.src, "says that it is part %lld, expected the first", (long long)no);
    }
    if (st || (st = read_vocab(&g)) || vocab_only) goto out;
    if (g.n_tensors == 0 && count == 1) {
        st = rg_bad(&g.src, "no tensors: a file with only a vocabulary is for -z, not for -m");
        goto out;
    }
    if (!(st = read_align(&g)) && !(st = rg_gguf_config(&g))) st = read_tensors(&g);
    if (!st) st = read_parts(c, count, tensors, err);
    if (!st) st = check_divisors(&g);
    if (!st) read_extras(c);
out:
    free(g.kv);
    return st;
}
