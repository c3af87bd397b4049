/* bench_ops: times the kernels over shapes of real models and sets each beside the roof of the same run: read
 * bandwidth for the products of few tokens and attention, and the rate of the instruction they use (FP32
 * multiply-add, byte products, bf16 products). Medians and quartiles; the machine is noisy. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

#include "base/num.h"
#include "exec/product.h"
#include "kernels/kernels.h"
#include "roofline/measure/machine.h"

enum { MAX_SHAPES = 16, MAX_REPS = 1001 };

static bool as_csv; /* of the output: lines for programs, or a table for people */
static int team;    /* threads of the block being printed */

typedef struct shape {
    int64_t n, k;
} shape;

typedef struct options {
    int isa, reps, threads, m;
    bool type[RG_WT_COUNT]; /* that are wanted */
    /* bytes of weights walked through, so that they come from memory and not from a cache */
    int64_t footprint;
    shape shapes[MAX_SHAPES];
    int n_shapes;
    const char *only;
} options;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int thread_id(void)
{
#if defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static void *huge_alloc(size_t bytes)
{
    const size_t size = (bytes + (2u << 20)) / (2u << 20) * (2u << 20);
    void *p = aligned_alloc(2u << 20, size);
    if (!p) {
        fprintf(stderr, "bench_ops: no memory for %zu bytes\n", size);
        exit(1);
    }
    madvise(p, size, MADV_HUGEPAGE);
    return p;
}

/* ---- timing: a job runs on every thread of a team; the time is the whole team's ---- */

typedef struct stat {
    double median, q1, q3;
} stat;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef void job_fn(void *user, int tid, int nt);

static stat measure(const options *o, int threads, job_fn *job, void *user)
{
    static double t[MAX_REPS];
#if defined(_OPENMP)
    /* a team of one is no parallel region to OpenBLAS: it would start its own */
    omp_set_num_threads(threads);
#endif
    for (int i = -1; i < o->reps; i++) { /* -1 warms up */
        const double t0 = now();
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
#endif
        job(user, thread_id(), threads);
        if (i >= 0) t[i] = now() - t0;
    }
    qsort(t, (size_t)o->reps, sizeof *t, by_value);
    return (stat){t[o->reps / 2], t[o->reps / 4], t[o->reps * 3 / 4]};
}

/* ---- roofs ---- */

typedef struct roofs {
    /* 1e9 bytes or operations per second */
    double gbs, fma[RG_ISA_COUNT], dot8[RG_ISA_COUNT], bf16[RG_ISA_COUNT];
    double tile_bf16, tile_int8;
} roofs;

/* By the loops of `ridge machine`, without the whole ladder. */
static roofs measure_roofs(const options *o, int threads)
{
    rg_machine m;
    rg_err err;
    roofs r = {0};
    if (rg_machine_measure(&m, threads, NULL, o->footprint, true, NULL, NULL, NULL, &err) != RG_OK) {
        fprintf(stderr, "bench_ops: %s\n", err.msg);
        exit((int)err.code);
    }
    r.gbs = rg_machine_bw(&m, o->footprint);
    r.tile_bf16 = rg_machine_peak_of(&m, RG_ARITH_AMX_BF16, RG_ISA_AMX);
    r.tile_int8 = rg_machine_peak_of(&m, RG_ARITH_AMX_INT8, RG_ISA_AMX);
    for (rg_isa i = RG_ISA_C; i < RG_ISA_COUNT; i++) {
        if (!rg_isa_has(i)) continue;
        r.fma[i] = rg_machine_peak_of(&m, RG_ARITH_FP32_FMA, i);
        r.dot8[i] = rg_machine_peak_of(&m, RG_ARITH_INT8_DOT, i);
        r.bf16[i] = rg_machine_peak_of(&m, RG_ARITH_BF16_DOT, i);
    }
    return r;
}

static void print_head(const options *o, const roofs *r)
{
    if (as_csv) return;
    printf("\n# %d thread%s: read %.1f GB/s over %lld MiB; tiles bf16 %.0f int8 %.0f;", team,
        team > 1 ? "s" : "", r->gbs, (long long)(o->footprint >> 20), r->tile_bf16, r->tile_int8);
    for (rg_isa i = RG_ISA_C; i < RG_ISA_COUNT; i++)
        if (rg_isa_has(i))
            printf(" %s fma %.0f dot8 %.0f bf16 %.0f;", rg_isa_names[i], r->fma[i], r->dot8[i], r->bf16[i]);
    printf(" 1e9 operations/s (0: none)\n%-10s %-8s %-10s %-14s %4s %10s %17s %8s %9s %6s\n", "op", "type",
        "isa", "shape", "m", "median us", "quartiles", "GB/s", "Gop/s", "roof");
}

/* gbs, gflops: the roofs, 0 where one does not apply; without either there is no share. */
static void report_as(const char *op, const char *type, const char *isa, const char *shape_text, int64_t m,
    stat s, double bytes, double flop, double gbs, double gflops, const char *unit)
{
    const double by = gbs > 0 ? bytes / s.median * 1e-9 / gbs : 0,
                 fl = gflops > 0 ? flop / s.median * 1e-9 / gflops : 0, share = by > fl ? by : fl;
    const char *roof = share > 0 ? (by > fl ? "mem" : unit) : "none";
    char text[32] = "", rate[32] = "";
    if (share > 0) snprintf(text, sizeof text, as_csv ? "%.4f" : "%3.0f %%", as_csv ? share : 100 * share);
    if (share > 0) snprintf(rate, sizeof rate, "%.1f", by > fl ? gbs : gflops);
    if (as_csv)
        printf("%s,%s,%s,%d,%s,%lld,%.2f,%.2f,%.2f,%.2f,%.2f,%s,%s,%s\n", op, type, isa, team, shape_text,
            (long long)m, s.median * 1e6, s.q1 * 1e6, s.q3 * 1e6, bytes / s.median * 1e-9,
            flop / s.median * 1e-9, text, roof, rate);
    else
        printf("%-10s %-8s %-10s %-14s %4lld %10.1f %8.1f-%8.1f %8.1f %9.1f %5s %s\n", op, type, isa,
            shape_text, (long long)m, s.median * 1e6, s.q1 * 1e6, s.q3 * 1e6, bytes / s.median * 1e-9,
            flop / s.median * 1e-9, text, roof);
    fflush(stdout);
}

static void report(const char *op, const char *type, const char *isa, const char *shape_text, int64_t m,
    stat s, double bytes, double flop, double gbs, double gflops)
{
    report_as(op, type, isa, shape_text, m, s, bytes, flop, gbs, gflops, "fma");
}

/* ---- linear ---- */

typedef struct linear_job {
    const rg_ktab *t;
    rg_wtype type;
    shape s;
    int64_t m, copies;
    const char *w; /* copies of the packed matrix one after the other */
    float *x, *y, *scratch[64];
    char *xq; /* prepared rows, ld bytes apart */
    int64_t ld;
    rg_xform form;
} linear_job;

static void random_row(void *user, int64_t r, float *dst)
{
    const shape *s = user;
    uint32_t v = (uint32_t)r * 2654435761u + 1u;
    for (int64_t c = 0; c < s->k; c++) {
        v = v * 1664525u + 1013904223u;
        dst[c] = ((float)(v >> 8) * 0x1p-24f - 0.5f) * 0.1f;
    }
}

static void part(int64_t n, int tid, int nt, int64_t *a, int64_t *b)
{
    *a = n * tid / nt;
    *b = n * (tid + 1) / nt;
}

static void run_gemv(void *user, int tid, int nt)
{
    const linear_job *j = user;
    int64_t a, b;
    part(rg_panels(j->s.n), tid, nt, &a, &b);
    for (int64_t i = 0; i < j->copies; i++)
        j->t->gemv[j->type](j->y, j->s.n, j->x, j->s.k, j->m,
            j->w + i * rg_packed_bytes(j->type, j->s.n, j->s.k), j->s.n, j->s.k, a, b);
}

/* The driver's loop (exec/drive_linear.c): a block of dequantised weights in the private cache meets all
 * tokens. */
static void run_gemm(void *user, int tid, int nt)
{
    const linear_job *j = user;
    const rg_ktab *t = j->t;
    const int64_t np = t->blas ? 8 : 4, kb = t->blas ? 1024 : 256, mt = 48, n = j->s.n, k = j->s.k;
    float *b = j->scratch[tid];
    int64_t p0, p1;
    part(rg_panels(n), tid, nt, &p0, &p1);
    for (int64_t p = p0; p < p1; p += np) {
        const int64_t pe = rg_min(p + np, p1), cols = rg_min(n - p * RG_PANEL, (pe - p) * RG_PANEL);
        for (int64_t k0 = 0; k0 < k; k0 += kb) {
            const int64_t k1 = rg_min(k0 + kb, k), ld = t->blas ? np * RG_PANEL : RG_PANEL,
                          step = t->blas ? RG_PANEL : kb * RG_PANEL;
            for (int64_t i = p; i < pe; i++) t->unpack[j->type](b + (i - p) * step, ld, j->w, k, i, k0, k1);
            if (t->blas) {
                t->mm(j->y + p * RG_PANEL, n, j->x + k0, k, b, ld, j->m, k1 - k0, cols, k0 > 0);
                continue;
            }
            for (int64_t r = 0; r < j->m; r += mt)
                for (int64_t i = p; i < pe; i++)
                    t->mm(j->y + r * n + i * RG_PANEL, n, j->x + r * k + k0, k, b + (i - p) * step, ld,
                        rg_min(mt, j->m - r), k1 - k0, rg_min(RG_PANEL, n - i * RG_PANEL), k0 > 0);
        }
    }
}

/* Products with prepared activations, as the driver does them: few tokens, many tokens in bytes, many tokens
 * in bf16. */
static void run_dot(void *user, int tid, int nt)
{
    const linear_job *j = user;
    int64_t a, b;
    part(rg_panels(j->s.n), tid, nt, &a, &b);
    for (int64_t i = 0; i < j->copies; i++)
        j->t->dot[j->form][j->type](j->y, j->s.n, j->xq, j->ld, j->m,
            j->w + i * rg_packed_bytes(j->type, j->s.n, j->s.k), j->s.n, j->s.k, a, b);
}

static void run_mm_prepared(void *user, int tid, int nt)
{
    const linear_job *j = user;
    const rg_ktab *t = j->t;
    const bool bf = j->form == RG_X_BF16;
    const int64_t np = 8, kb = 256, mt = bf ? 48 : 32, n = j->s.n, k = j->s.k,
                  panel = bf ? 2 * RG_PANEL * kb : RG_PANEL * kb + kb / 32 * 256;
    char *b = (char *)j->scratch[tid];
    float *floats = (float *)(void *)(b + np * panel);
    int64_t p0, p1;
    part(rg_panels(n), tid, nt, &p0, &p1);
    for (int64_t p = p0; p < p1; p += np)
        for (int64_t k0 = 0; k0 < k; k0 += kb) {
            const int64_t pe = rg_min(p + np, p1), k1 = rg_min(k0 + kb, k);
            for (int64_t i = p; i < pe; i++) {
                char *to = b + (i - p) * panel;
                if (bf) {
                    t->unpack[j->type](floats, RG_PANEL, j->w, k, i, k0, k1);
                    t->pair_bf16((uint16_t *)(void *)to, floats, k1 - k0);
                } else {
                    t->unpack8[j->type](to, j->w, k, i, k0, k1);
                }
            }
            for (int64_t row = 0; row < j->m; row += mt)
                for (int64_t i = p; i < pe; i++) {
                    float *y = j->y + row * n + i * RG_PANEL;
                    const char *bi = b + (i - p) * panel, *xq = j->xq + row * j->ld;
                    const int64_t rows = rg_min(mt, j->m - row), cols = rg_min(RG_PANEL, n - i * RG_PANEL);
                    if (bf)
                        t->mm_bf16(y, n, (const uint16_t *)(const void *)xq + k0, j->ld / 2,
                            (const uint16_t *)(const void *)bi, rows, k1 - k0, cols, k0 > 0);
                    else
                        t->mmdot[j->form][j->type](y, n, xq, j->ld, rows, bi, k, k0, k1, cols, k0 > 0);
                }
        }
}

/* A product on tiles, by the driver itself. */
static void run_tiles(void *user, int tid, int nt)
{
    const linear_job *j = user;
    const rg_weight w = {j->type, j->s.n, j->s.k, j->w};
    const rg_product a = {
        .y = j->y, .x = j->x, .xq = j->xq, .ld = j->ld, .w = &w, .m = j->m, .k = j->s.k, .form = j->form};
    rg_ctx cx = {.tid = tid, .nt = nt, .k = j->t, .scratch = (char *)j->scratch[tid], .l2_bytes = 1 << 20};
    int64_t p0, p1;
    part(rg_panels(j->s.n), tid, nt, &p0, &p1);
    if (p1 > p0) rg_tile_product(&cx, &a, p0, p1);
}

static void run_unpack(void *user, int tid, int nt)
{
    const linear_job *j = user;
    int64_t a, b;
    part(rg_panels(j->s.n), tid, nt, &a, &b);
    for (int64_t p = a; p < b; p++)
        for (int64_t k0 = 0; k0 < j->s.k; k0 += 256)
            j->t->unpack[j->type](j->scratch[tid], RG_PANEL, j->w, j->s.k, p, k0, rg_min(k0 + 256, j->s.k));
}

/* mm alone: b [256][32] stays in L1, x [48][256] in L2. */
static void run_mm(void *user, int tid, int nt)
{
    const linear_job *j = user;
    (void)nt;
    for (int i = 0; i < 200; i++)
        j->t->mm(j->scratch[tid] + 65536, 32, j->scratch[tid] + 16384, 256, j->scratch[tid], 32, 48, 256, 32,
            true);
}

static void run_pack(void *user, int tid, int nt)
{
    const linear_job *j = user;
    int64_t a, b;
    part(rg_panels(j->s.n), tid, nt, &a, &b);
    shape s = j->s;
    double e = 0, w = 0;
    rg_pack(j->t, j->type, (void *)(uintptr_t)j->w, s.n, s.k, a, b, random_row, &s, j->scratch[tid], &e, &w);
}

static bool wanted(const options *o, const char *op);

static void prepare(linear_job *j, rg_xform form)
{
    const int64_t group = rg_wtypes[j->type].group;
    j->form = form;
    j->ld = rg_x_bytes(form, j->s.k, group);
    for (int64_t r = 0; r < j->m; r++) j->t->prep[form](j->xq + r * j->ld, j->x + r * j->s.k, j->s.k, group);
}

/* I8: --act q8. I16: two planes of bytes, the faithful way; operations of both are counted. */
static void bench_prepared(
    const options *o, linear_job *j, const char *isa, const char *text, int threads, const roofs *r)
{
    static const char *const few[] = {"dot i8", "dot i16"}, *const many[] = {"mmdot i8", "mmdot i16"};
    const rg_ktab *t = j->t;
    const char *name = rg_wtypes[j->type].name;
    const int64_t bytes = rg_packed_bytes(j->type, j->s.n, j->s.k), m_max = rg_max(o->m, RG_DOT_MAX);
    int64_t row = rg_x_bytes(RG_X_BF16, j->s.k, 0);
    if (rg_wtype_is_quant(j->type)) row = rg_max(row, rg_x_bytes(RG_X_I16, j->s.k, rg_wtypes[j->type].group));
    j->xq = huge_alloc((size_t)(m_max * row));
    for (int f = RG_X_I8; f < RG_X_BF16; f++) {
        const double planes = f == RG_X_I16 ? 2.0 : 1.0;
        for (j->m = 1; wanted(o, "dot") && t->dot[f][j->type] && j->m <= RG_DOT_MAX; j->m *= 2) {
            prepare(j, (rg_xform)f);
            report_as(few[f], name, isa, text, j->m, measure(o, threads, run_dot, j),
                (double)(bytes * j->copies), 2.0 * planes * (double)(j->m * j->s.n * j->s.k * j->copies),
                r->gbs, r->dot8[t->isa], "dot8");
        }
        j->m = o->m;
        if (!wanted(o, "mmdot") || !t->mmdot[f][j->type]) continue;
        prepare(j, (rg_xform)f);
        report_as(many[f], name, isa, text, j->m, measure(o, threads, run_mm_prepared, j), (double)bytes,
            2.0 * planes * (double)(j->m * j->s.n * j->s.k), r->gbs, r->dot8[t->isa], "dot8");
    }
    j->m = o->m;
    if (wanted(o, "mmbf") && t->mm_bf16 && t->prep[RG_X_BF16]) {
        prepare(j, RG_X_BF16);
        report_as("mmbf", name, isa, text, j->m, measure(o, threads, run_mm_prepared, j), (double)bytes,
            2.0 * (double)(j->m * j->s.n * j->s.k), r->gbs, r->bf16[t->isa], "bf16");
    }
    free(j->xq);
}

/* By precision and number of tokens, from where tiles are taken on. Useful operations count, so that a
 * product that takes three reaches a third of the roof. */
static void bench_tiles(
    const options *o, linear_job *j, const char *isa, const char *text, int threads, const roofs *r)
{
    const int64_t group = rg_wtypes[j->type].group, bytes = rg_packed_bytes(j->type, j->s.n, j->s.k),
                  most = rg_round_up(rg_max(o->m, 16), 16);
    rg_ktab t = *j->t;
    const rg_ktab *before = j->t;
    if (t.level[RG_FN_tile_mm] == RG_ISA_C || !wanted(o, "tiles")) return;
    j->xq = huge_alloc((size_t)(most * rg_tile_pitch(RG_X_BF16X2, rg_round_up(j->s.k, 128), 32)));
    j->t = &t;
    for (int act = RG_ACT_F32; act < RG_ACT_COUNT; act++) {
        if (act == RG_ACT_Q8 && !rg_wtype_is_quant(j->type)) continue;
        const int64_t tokens[] = {4, 8, 16, o->m};
        for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
            char op[24];
            t.act = (rg_act)act;
            j->m = tokens[i];
            j->form = rg_tile_form(&t, j->type, j->m);
            if (j->form == RG_X_FORMS || (act == RG_ACT_BF16 && j->form != RG_X_BF16) ||
                (i == 3 && o->m <= 16))
                continue;
            j->ld = rg_tile_pitch(j->form, j->s.k, group);
            memset(j->xq, 0, (size_t)(rg_round_up(j->m, 16) * j->ld));
            for (int64_t row = 0; row < j->m; row++)
                t.prep[j->form](j->xq + row * j->ld, j->x + row * j->s.k, j->s.k, group);
            const bool in_bytes = j->form == RG_X_I8 || j->form == RG_X_I16;
            snprintf(op, sizeof op, "tiles %s",
                in_bytes                                      ? (j->form == RG_X_I8 ? "i8" : "i16")
                    : rg_tile_products(j->form, j->type) == 1 ? "bf"
                    : j->type == RG_WT_BF16                   ? "bfx2"
                                                              : "bfx3");
            report_as(op, rg_wtypes[j->type].name, isa, text, j->m, measure(o, threads, run_tiles, j),
                (double)bytes, 2.0 * (double)(j->m * j->s.n * j->s.k), r->gbs,
                in_bytes ? r->tile_int8 : r->tile_bf16, "tiles");
        }
    }
    j->t = before;
    free(j->xq);
}

static bool wanted(const options *o, const char *op) { return !o->only || strcmp(o->only, op) == 0; }

static void bench_linear(
    const options *o, const rg_ktab *t, const char *isa, rg_wtype type, shape s, int threads, const roofs *r)
{
    const int64_t bytes = rg_packed_bytes(type, s.n, s.k), panel_rows = rg_panels(s.n) * RG_PANEL,
                  m_max = rg_max(o->m, RG_DOT_MAX);
    linear_job j = {.t = t, .type = type, .s = s, .copies = rg_max(1, rg_div_up(o->footprint, bytes))};
    char *w = huge_alloc((size_t)(bytes * j.copies));
    char text[32];
    snprintf(text, sizeof text, "%lldx%lld", (long long)s.n, (long long)s.k);
    j.w = w;
    j.x = huge_alloc((size_t)(m_max * s.k * 4));
    j.y = huge_alloc((size_t)(m_max * panel_rows * 4));
    for (int i = 0; i < threads; i++) {
        j.scratch[i] = huge_alloc((size_t)rg_max(1 << 20, rg_pack_scratch(type, s.k)));
        memset(j.scratch[i], 0, 1 << 20);
    }
    for (int64_t i = 0; i < m_max * s.k; i++) j.x[i] = (float)(i % 17) * 0.01f - 0.08f;
    memset(j.y, 0, (size_t)(m_max * panel_rows * 4));
    shape src = s;
    rg_pack(t, type, w, s.n, s.k, 0, rg_panels(s.n), random_row, &src, j.scratch[0], NULL, NULL);
    for (int64_t i = 1; i < j.copies; i++) memcpy(w + i * bytes, w, (size_t)bytes);
    const char *name = rg_wtypes[type].name;
    if (wanted(o, "gemv") && !t->blas)
        for (j.m = 1; j.m <= RG_GEMV_MAX; j.m *= 2)
            report("gemv", name, isa, text, j.m, measure(o, threads, run_gemv, &j),
                (double)(bytes * j.copies), 2.0 * (double)(j.m * s.n * s.k * j.copies), r->gbs,
                r->fma[t->isa]);
    j.m = o->m;
    if (wanted(o, "gemm"))
        report("gemm", name, isa, text, j.m, measure(o, threads, run_gemm, &j), (double)bytes,
            2.0 * (double)(j.m * s.n * s.k), r->gbs, r->fma[t->isa]);
    if (!t->blas) bench_prepared(o, &j, isa, text, threads, r);
    if (!t->blas) bench_tiles(o, &j, isa, text, threads, r);
    j.m = o->m;
    if (wanted(o, "unpack") && !t->blas)
        report("unpack", name, isa, text, 0, measure(o, threads, run_unpack, &j), (double)bytes,
            (double)(s.n * s.k), r->gbs, 0);
    if (wanted(o, "mm"))
        report("mm", name, isa, "48x256x32", 48, measure(o, threads, run_mm, &j), 0,
            2.0 * 200 * 48 * 256 * 32 * threads, 0, r->fma[t->isa]);
    /* the GFLOP/s column then holds 1e9 weights per second; so it does for unpack; no roof is known */
    if (wanted(o, "pack") && !t->blas) {
        options few = *o;
        few.reps = 3;
        report("pack", name, isa, text, 0, measure(&few, threads, run_pack, &j), (double)bytes,
            (double)(s.n * s.k), 0, 0);
    }
    for (int i = 0; i < threads; i++) free(j.scratch[i]);
    free(j.x), free(j.y), free(w);
}

/* ---- attention: many sequences of one KV head each, so that the cache comes from memory ---- */

typedef struct attn_job {
    const rg_ktab *t;
    rg_kvtype type;
    int64_t hd, ctx, nq, heads;
    char *k, *v;
    float *q, *s[64], *acc[64];
} attn_job;

static void run_attn(void *user, int tid, int nt)
{
    const attn_job *j = user;
    int64_t a, b;
    part(j->heads, tid, nt, &a, &b);
    for (int64_t h = a; h < b; h++) {
        const char *k = j->k + h * j->ctx * rg_kv_k_bytes(j->type, j->hd),
                   *v = j->v + h * j->ctx * rg_kv_v_bytes(j->type, j->hd);
        for (int64_t p = 0; p < j->ctx; p += RG_ATTN_CHUNK) {
            const int64_t e = rg_min(p + RG_ATTN_CHUNK, j->ctx);
            float max, sum;
            j->t->attn_qk[j->type](j->s[tid], RG_ATTN_CHUNK, j->q, j->hd, j->nq, k, j->hd, p, e);
            for (int64_t i = 0; i < j->nq; i++)
                j->t->softmax(j->s[tid] + i * RG_ATTN_CHUNK, e - p, e - p, &max, &sum);
            j->t->attn_pv[j->type](
                j->acc[tid], rg_kv_hdp(j->type, j->hd), j->s[tid], RG_ATTN_CHUNK, j->nq, v, j->hd, p, e);
        }
    }
}

static void bench_attn(const options *o, const rg_ktab *t, const char *isa, int threads, const roofs *r)
{
    for (int type = 0; type < RG_KV_COUNT; type++) {
        attn_job j = {.t = t, .type = (rg_kvtype)type, .hd = 64, .ctx = 2048};
        const int64_t kb = j.ctx * rg_kv_k_bytes(j.type, j.hd), vb = j.ctx * rg_kv_v_bytes(j.type, j.hd);
        j.heads = rg_max(threads, o->footprint / 2 / (kb + vb));
        j.k = huge_alloc((size_t)(kb * j.heads));
        j.v = huge_alloc((size_t)(vb * j.heads));
        j.q = huge_alloc((size_t)(RG_ATTN_NQ * j.hd * 4));
        for (int i = 0; i < threads; i++) {
            j.s[i] = huge_alloc(RG_ATTN_NQ * RG_ATTN_CHUNK * 4);
            j.acc[i] = huge_alloc((size_t)(RG_ATTN_NQ * j.hd * 4));
        }
        for (int64_t i = 0; i < RG_ATTN_NQ * j.hd; i++) j.q[i] = (float)(i % 13) * 0.05f - 0.3f;
        float row[64];
        for (int64_t p = 0; p < j.ctx; p++) {
            for (int d = 0; d < 64; d++) row[d] = (float)((p * 7 + d) % 19) * 0.1f - 0.9f;
            t->kv_put_k[type](j.k, j.hd, p, row);
            t->kv_put_v[type](j.v, j.hd, p, row);
        }
        for (int64_t h = 1; h < j.heads; h++) {
            memcpy(j.k + h * kb, j.k, (size_t)kb);
            memcpy(j.v + h * vb, j.v, (size_t)vb);
        }
        for (j.nq = 1; j.nq <= RG_ATTN_NQ; j.nq *= 2)
            report("attn", rg_kvtypes[type].name, isa, "hd64 ctx2048", j.nq,
                measure(o, threads, run_attn, &j), (double)((kb + vb) * j.heads),
                (double)(j.nq * j.ctx * j.heads) * (4.0 * 64 + 5), r->gbs, r->fma[t->isa]);
        for (int i = 0; i < threads; i++) free(j.s[i]), free(j.acc[i]);
        free(j.k), free(j.v), free(j.q);
    }
}

static void usage(FILE *f)
{
    fputs("usage: bench_ops [--isa NAME|best] [--type f32,f16,...] [--model SHAPE] [--shape NxK]...\n"
          "                 [--op gemv|gemm|dot|mmdot|mmbf|tiles|unpack|mm|pack|attn] [--tokens M] "
          "[--threads T] [--footprint MiB] [--reps R] [--csv]\n"
          "--model: the matrices of a shape of weights/shapes.def (ridge synth --list). Without --isa, "
          "--type, --op: all of them.\n"
          "Roof: the larger share of the read bandwidth and of the rate of the instruction used, as measured "
          "in this run.\n"
          "--csv: a line per figure; times in microseconds (median, quartiles), rates in 1e9 per second, "
          "share of the roof from 0 to 1, the roof and its rate.\n",
        f);
}

/* The distinct matrices of a model, output matrix last. */
static int shapes_of_model(options *o, const char *name)
{
    static const struct {
        const char *name;
        int64_t dim, ffn, heads, kv_heads, hd, vocab;
    } all[] = {
#define RG_SHAPE(name, hidden, ffn, layers, heads, kv, hd, vocab, ctx, theta, eps, tied, factor) \
    {name, hidden, ffn, heads, kv, hd, vocab},
#include "weights/shapes.def"
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name) != 0) continue;
        const shape s[] = {{all[i].heads * all[i].hd, all[i].dim}, {all[i].kv_heads * all[i].hd, all[i].dim},
            {all[i].dim, all[i].heads * all[i].hd}, {all[i].ffn, all[i].dim}, {all[i].dim, all[i].ffn},
            {all[i].vocab, all[i].dim}};
        for (size_t k = 0; k < sizeof s / sizeof *s; k++) {
            bool there = false;
            for (int q = 0; q < o->n_shapes; q++)
                there = there || (o->shapes[q].n == s[k].n && o->shapes[q].k == s[k].k);
            if (!there && o->n_shapes < MAX_SHAPES) o->shapes[o->n_shapes++] = s[k];
        }
        return 0;
    }
    return -1;
}

/* "f16,q4g64" */
static int types_of(options *o, const char *list)
{
    for (const char *p = list;; p++) {
        char name[16];
        const size_t n = strcspn(p, ",");
        if (n >= sizeof name) return -1;
        memcpy(name, p, n);
        name[n] = 0;
        const int type = rg_wtype_from_name(name);
        if (type < 0) return -1;
        o->type[type] = true;
        p += n;
        if (!*p) return 0;
    }
}

static int parse(options *o, int argc, char **argv)
{
    static const struct option longs[] = {{"isa", 1, 0, 'i'}, {"type", 1, 0, 't'}, {"shape", 1, 0, 's'},
        {"model", 1, 0, 'M'}, {"op", 1, 0, 'o'}, {"tokens", 1, 0, 'm'}, {"threads", 1, 0, 'n'},
        {"footprint", 1, 0, 'f'}, {"reps", 1, 0, 'r'}, {"csv", 0, 0, 'c'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    *o = (options){.isa = -1, .reps = 11, .threads = 0, .m = 128, .footprint = 256ll << 20};
    bool any_type = false;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) switch (c) {
        case 'i':
            o->isa = strcmp(optarg, "best") == 0 ? (int)rg_isa_best() : rg_isa_from_name(optarg);
            if (o->isa < 0) return -1;
            break;
        case 't':
            if (types_of(o, optarg) != 0) return -1;
            any_type = true;
            break;
        case 'M':
            if (shapes_of_model(o, optarg) != 0) return -1;
            break;
        case 's': {
            long long n, k;
            if (o->n_shapes == MAX_SHAPES || sscanf(optarg, "%lldx%lld", &n, &k) != 2 || n < 1 || k < 1)
                return -1;
            o->shapes[o->n_shapes++] = (shape){n, k};
        } break;
        case 'o':
            o->only = optarg;
            break;
        case 'm':
            o->m = atoi(optarg);
            if (o->m < 1) return -1;
            break;
        case 'n':
            o->threads = atoi(optarg);
            if (o->threads < 1 || o->threads > 64) return -1;
            break;
        case 'f':
            o->footprint = atoll(optarg) << 20;
            if (o->footprint < 1) return -1;
            break;
        case 'r':
            o->reps = atoi(optarg);
            if (o->reps < 1 || o->reps > MAX_REPS) return -1;
            break;
        case 'c':
            as_csv = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            return -1;
        }
    if (optind < argc) return -1;
    for (int i = 0; i < RG_WT_COUNT && !any_type; i++) o->type[i] = true;
    if (o->n_shapes == 0) {
        static const shape usual[] = {{576, 576}, {2048, 2048}, {5632, 2048}, {2048, 5632}, {32000, 2048}};
        o->n_shapes = (int)(sizeof usual / sizeof *usual);
        memcpy(o->shapes, usual, sizeof usual);
    }
    return 0;
}

static void bench_all(const options *o, int threads, rg_isa top)
{
    const roofs r = measure_roofs(o, threads);
    team = threads;
    print_head(o, &r);
    for (rg_isa i = RG_ISA_C; i <= top; i++) {
        if (!rg_isa_has(i) || (o->isa >= 0 && (int)i != o->isa)) continue;
        for (int blas = 0; blas < 2; blas++) {
            rg_ktab t;
            if (!rg_kernels_select(&t, i, blas)) continue;
            if (blas && i != top && (int)i != o->isa) continue;
            const char *isa = blas ? "blas" : rg_isa_names[i];
            for (int type = 0; type < RG_WT_COUNT; type++)
                for (int s = 0; s < o->n_shapes; s++)
                    if (o->type[type] && !(o->only && strcmp(o->only, "attn") == 0))
                        bench_linear(o, &t, isa, (rg_wtype)type, o->shapes[s], threads, &r);
            if (!blas && wanted(o, "attn")) bench_attn(o, &t, isa, threads, &r);
        }
    }
}

int main(int argc, char **argv)
{
    options o;
    if (parse(&o, argc, argv)) {
        usage(stderr);
        return 2;
    }
    rg_isa top = rg_isa_best();
    if (o.isa >= 0 && !rg_isa_has((rg_isa)o.isa)) {
        fprintf(stderr, "bench_ops: this CPU has no %s\n", rg_isa_names[o.isa]);
        return 2;
    }
    if (o.isa > (int)top) top = (rg_isa)o.isa; /* amxemu */
    if (as_csv)
        puts("op,type,isa,threads,shape,tokens,median_us,q1_us,q3_us,gbps,gops,roof_share,roof,roof_rate");
    else
        printf("# cpu=%s blas=%s footprint=%lld MiB reps=%d stat=median\n", rg_cpu_name(), rg_blas_describe(),
            (long long)(o.footprint >> 20), o.reps);
    int most = 1;
#if defined(_OPENMP)
    most = omp_get_max_threads();
#endif
    most = most > 64 ? 64 : most;
    if (o.threads) {
        bench_all(&o, o.threads, top);
    } else {
        bench_all(&o, 1, top);
        if (most > 1) bench_all(&o, most, top);
    }
    return 0;
}
