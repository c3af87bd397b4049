/* Metadata of a GGUF file: its entries, found by key and read as numbers or text. Private to weights/. */
#ifndef RG_GGUF_KEYS_H
#define RG_GGUF_KEYS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/arch.h"

/* clang-format off */
typedef enum gtype {
    G_U8, G_I8, G_U16, G_I16, G_U32, G_I32, G_F32, G_BOOL, G_STR, G_ARR, G_U64, G_I64, G_F64, G_COUNT
} gtype;
static const int gsize[G_COUNT] = {[G_U8] = 1, [G_I8] = 1, [G_U16] = 2, [G_I16] = 2, [G_U32] = 4, [G_I32] = 4,
    [G_F32] = 4, [G_BOOL] = 1, [G_U64] = 8, [G_I64] = 8, [G_F64] = 8};
/* clang-format on */

typedef struct str {
    const char *p;
    uint64_t n;
} str;

typedef struct kv {
    str key;
    gtype type, elem;             /* elem: of arrays */
    uint64_t count;               /* of arrays; else 1 */
    const unsigned char *p, *end; /* the value */
} kv;

typedef struct parser {
    rg_ckpt *c;
    rg_src src;                /* named as in the checkpoint's list */
    const unsigned char *base; /* of the mapping */
    size_t size;
    rg_cursor cur;
    uint64_t n_tensors, n_kv, align;
    kv *kv;           /* owns */
    const char *arch; /* prefix of the model's keys */
} parser;

enum { MAX_STRING = 1 << 26 };

static inline str take_str(rg_cursor *cur)
{
    str s = {.n = rg_cur_u64(cur)};
    if (s.n > MAX_STRING) cur->bad = true;
    s.p = (const char *)rg_cur_take(cur, s.n);
    if (!s.p) s.n = 0;
    return s;
}

static inline bool is(str s, const char *w) { return s.n == strlen(w) && memcmp(s.p, w, s.n) == 0; }
/* for %.*s */
#define SHOW(s) (int)((s).n < 100 ? (s).n : 100), (s).p

static inline int by_key(const void *a, const void *b)
{
    const kv *x = a, *y = b;
    const uint64_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    const int d = n ? memcmp(x->key.p, y->key.p, n) : 0;
    return d ? d : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

static inline const kv *get(const parser *g, const char *key)
{
    const kv want = {.key = {key, strlen(key)}};
    return bsearch(&want, g->kv, g->n_kv, sizeof *g->kv, by_key);
}

/* A number or boolean of any width; false: another type. */
static inline bool as_number(const unsigned char *p, gtype type, int64_t *v, double *d)
{
    const int bits = 8 * gsize[type];
    uint64_t u = 0;
    if (!bits) return false;
    rg_cursor c = {.p = p, .end = p + bits / 8};
    if (type == G_F32 || type == G_F64) {
        *d = type == G_F32 ? (double)rg_cur_f32(&c) : rg_cur_f64(&c);
        const bool whole = *d == floor(*d) && fabs(*d) <= 0x1p53;
        *v = whole ? (int64_t)*d : -1;
        return true;
    }
    for (int i = 0; i < bits / 8; i++) u |= (uint64_t)p[i] << (8 * i);
    const bool is_signed = type == G_I8 || type == G_I16 || type == G_I32;
    *v = is_signed && u >> (bits - 1) ? (int64_t)(u - ((uint64_t)1 << bits)) : (int64_t)u;
    *d = type == G_U64 ? (double)u : (double)*v;
    return true;
}

/* A number; an array of equal ones is that number. */
static inline rg_status get_number(const parser *g, const kv *k, int64_t *v, double *d)
{
    const gtype type = k->type == G_ARR ? k->elem : k->type;
    if (k->count == 0 || !as_number(k->p, type, v, d))
        return rg_bad(&g->src, "metadata %.*s is not a number", SHOW(k->key));
    for (uint64_t i = 1; i < k->count; i++)
        if (memcmp(k->p, k->p + i * (uint64_t)gsize[type], (size_t)gsize[type]) != 0)
            return rg_lacks(&g->src,
                "metadata %.*s is an array of different values: values that differ by layer are not "
                "supported",
                SHOW(k->key));
    return RG_OK;
}

static inline rg_status get_int(const parser *g, const char *key, int64_t fallback, int64_t *v)
{
    const kv *k = get(g, key);
    double d = 0.0;
    *v = fallback;
    if (!k) return RG_OK;
    const rg_status st = get_number(g, k, v, &d);
    return st || (double)*v == d ? st : rg_bad(&g->src, "metadata %s is %g, expected a whole number", key, d);
}

static inline rg_status get_real(const parser *g, const char *key, double fallback, double *v)
{
    const kv *k = get(g, key);
    int64_t whole;
    *v = fallback;
    return k ? get_number(g, k, &whole, v) : RG_OK;
}

static inline str get_str(const parser *g, const char *key)
{
    const kv *k = get(g, key);
    if (!k || k->type != G_STR) return (str){"", 0};
    rg_cursor c = {.p = k->p, .end = k->end};
    return take_str(&c);
}

static inline const char *key(const parser *g, const char *tail)
{
    static _Thread_local char buf[128];
    snprintf(buf, sizeof buf, "%s.%s", g->arch, tail);
    return buf;
}

/* What the metadata say about the model, into the checkpoint's configuration (gguf_config.c). */
rg_status rg_gguf_config(parser *g);

#endif
