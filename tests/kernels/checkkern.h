/* What the checks of kernels share: how a failure is told, a seed that is printed with it, random packed
 * matrices that end at a guard page. */
#ifndef RG_CHECKKERN_H
#define RG_CHECKKERN_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"

#include "base/num.h"
#include "kernels/kernel_rows.h"

/* Ends the check of this row with a line that says why. */
_Noreturn void check_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What the row's line says behind its name. */
void check_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MUST(cond) ((cond) ? (void)0 : check_fail("%s:%d: %s", __FILE__, __LINE__, #cond))
#define MUST_NOT(cond) MUST(!(cond))
#define SAME(a, b) MUST((a) == (b))

/* The check of each kind: a row against plain C and float64. */
#define RG_FN(fn, proto, member, arith, group) void check_##fn(const rg_kernel_row *row);
#include "base/kinds.def"

/* What belongs to no row: group, function. */
#define CHECK_WHOLE(X) \
    X(linear, check_select) \
    X(linear, check_blas) \
    X(pack, check_pack) \
    X(pack, check_pack_grid) \
    X(pack, check_pack16) \
    X(tile, check_emulation_follows_the_definition) \
    X(tile, check_emulation_by_hand) \
    X(tile, check_emulated_bytes) \
    X(tile, check_tiles_keep_to_their_shape) \
    X(tile, check_faults_are_seen) \
    X(tile, check_level_and_state_agree) \
    X(tile, check_tiles_with_avx512) \
    X(half, check_half_to_float) \
    X(half, check_float_to_half) \
    X(half, check_bfloat)
#define DECLARE(group, fn) void fn(void);
CHECK_WHOLE(DECLARE)
#undef DECLARE

/* Best level of this CPU, capped by RIDGE_ISA. */
rg_isa top_isa(void);

/* RIDGE_SEED repeats a failure. */
static inline rg_rng seeded(uint64_t *seed, uint64_t fallback)
{
    const char *e = getenv("RIDGE_SEED");
    *seed = e && *e ? strtoull(e, NULL, 0) : fallback;
    return (rg_rng){*seed * 0x9e3779b97f4a7c15ull + 1};
}
#define CHECK(cond, name, seed, fmt, ...) \
    do { \
        if (!(cond)) check_fail("%s, RIDGE_SEED=%llu: " fmt, name, (unsigned long long)(seed), __VA_ARGS__); \
    } while (0)

static inline float *guarded_floats(guarded *g, int64_t n)
{
    *g = guarded_alloc((size_t)n * sizeof(float));
    return (float *)(void *)g->p;
}

static inline void fill_normal(rg_rng *r, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i] = rng_normal(r);
}

/* A value that no kernel writes, to see what it has not written. */
#define UNTOUCHED_BITS 0x7fa5a5a5u
static inline void fill_untouched(float *x, int64_t n)
{
    const uint32_t u = UNTOUCHED_BITS;
    for (int64_t i = 0; i < n; i++) memcpy(x + i, &u, sizeof u);
}
static inline bool untouched(const float *x)
{
    uint32_t u;
    memcpy(&u, x, sizeof u);
    return u == UNTOUCHED_BITS;
}

/* A row-major f32 source for rg_pack. */
typedef struct source {
    const float *w;
    int64_t k;
} source;
static inline void source_row(void *user, int64_t r, float *dst)
{
    const source *s = user;
    memcpy(dst, s->w + r * s->k, (size_t)s->k * sizeof *dst);
}

/* A packed random matrix whose data ends at a guard page. */
typedef struct matrix {
    rg_weight w;
    guarded mem;
    float *src; /* [n][k] before packing */
} matrix;

static inline matrix matrix_random(rg_rng *r, rg_wtype type, int64_t n, int64_t k)
{
    rg_ktab t;
    MUST(rg_kernels_select(&t, top_isa(), false));
    matrix m = {.w = {type, n, k, NULL},
        .mem = guarded_alloc((size_t)rg_packed_bytes(type, n, k)),
        .src = malloc((size_t)(n * k) * sizeof(float))};
    MUST(m.src);
    m.w.data = m.mem.p;
    SAME((uintptr_t)m.mem.p % 64, 0);
    const float shift = rng_unit(r) < 0.5 ? 0.0f : 0.5f;
    for (int64_t i = 0; i < n * k; i++) m.src[i] = rng_normal(r) * 0.1f + shift;
    void *scratch = aligned_alloc(64, (size_t)rg_round_up(rg_pack_scratch(type, k), 64));
    rg_pack(&t, type, m.mem.p, n, k, 0, rg_panels(n), source_row, &(source){m.src, k}, scratch, NULL, NULL);
    free(scratch);
    return m;
}

static inline void matrix_free(matrix *m)
{
    guarded_free(&m->mem);
    free(m->src);
}

#endif
