/* What the kernel tests share: the rows of kernels.def at or below the level in force, a seed that is printed
 * on failure, random packed matrices that end at a guard page. */
#ifndef RG_KERNEL_UTIL_H
#define RG_KERNEL_UTIL_H

#include "testing.h"

#include <float.h>

#include "base/num.h"
#include "kernels/kernel_rows.h"

/* Best level of this CPU, capped by RIDGE_ISA. */
static inline rg_isa top_isa(void)
{
    const char *cap = getenv("RIDGE_ISA");
    if (!cap || !*cap) return rg_isa_best();
    if (rg_isa_from_name(cap) < 0) fail_msg("RIDGE_ISA=%s is no level", cap);
    return rg_isa_capped((rg_isa)rg_isa_from_name(cap));
}

/* Every row of a kind up to that level, and those on emulated tiles: for (ROWS(row, "gemv")) { rg_gemv_fn *fn
 * = (rg_gemv_fn *)row->fn; ... } */
static inline const rg_kernel_row *next_row(const rg_kernel_row *r, const char *kind)
{
    for (; r < rg_kernel_rows + rg_kernel_row_count; r++)
        if (strcmp(rg_fn_names[r->kind], kind) == 0 && (r->isa <= top_isa() || r->isa == RG_ISA_AMXEMU) &&
            rg_isa_has(r->isa))
            return r;
    return NULL;
}
#define ROWS(row, kind) \
    const rg_kernel_row *row = next_row(rg_kernel_rows, kind); \
    row; \
    row = next_row(row + 1, kind)

/* RIDGE_SEED repeats a failure. */
static inline rg_rng seeded(uint64_t *seed, uint64_t fallback)
{
    const char *e = getenv("RIDGE_SEED");
    *seed = e && *e ? strtoull(e, NULL, 0) : fallback;
    return (rg_rng){*seed * 0x9e3779b97f4a7c15ull + 1};
}
#define CHECK(cond, name, seed, fmt, ...) \
    do { \
        if (!(cond)) fail_msg("%s, RIDGE_SEED=%llu: " fmt, name, (unsigned long long)(seed), __VA_ARGS__); \
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
    assert_true(rg_kernels_select(&t, top_isa(), false));
    matrix m = {.w = {type, n, k, NULL},
        .mem = guarded_alloc((size_t)rg_packed_bytes(type, n, k)),
        .src = malloc((size_t)(n * k) * sizeof(float))};
    assert_non_null(m.src);
    m.w.data = m.mem.p;
    assert_int_equal((uintptr_t)m.mem.p % 64, 0);
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
