/* gemv, unpack and mm: every row of kernels.def against a float64 oracle on the packed weights. */
#include "checkkern.h"

/* Magnitude of a weight in sums: a minimum and a scaled value are added up apart, so that both count. */
static double magnitude(const rg_weight *w, int64_t r, int64_t c, double v)
{
    const rg_wtype_info *i = &rg_wtypes[w->type];
    if (!i->has_min) return fabs(v);
    const char *panel = (const char *)w->data + r / RG_PANEL * rg_panel_bytes(w->type, w->k);
    const double min = (double)rg_scale_at(w->type, panel, c - c % i->group, 1, r % RG_PANEL);
    return fabs(v - min) + fabs(min);
}

static void gemv_case(const rg_kernel_row *row, uint64_t seed, rg_rng *r, int64_t n, int64_t k, int64_t m)
{
    rg_gemv_fn *fn = (rg_gemv_fn *)row->fn;
    matrix w = matrix_random(r, (rg_wtype)row->type, n, k);
    const int64_t ldx = k + rng_in(r, 0, 3), ldy = n + rng_in(r, 0, 3), panels = rg_panels(n);
    const int64_t p0 = rng_in(r, 0, panels - 1), p1 = rng_in(r, p0 + 1, panels), r0 = p0 * RG_PANEL,
                  r1 = rg_min(n, p1 * RG_PANEL);
    guarded gx, gy, gz;
    float *x = guarded_floats(&gx, (m - 1) * ldx + k), *y = guarded_floats(&gy, (m - 1) * ldy + n),
          *z = guarded_floats(&gz, n);
    float *row_w = malloc((size_t)k * sizeof *row_w);
    fill_normal(r, x, (m - 1) * ldx + k);
    fill_untouched(y, (m - 1) * ldy + n);
    fn(y, ldy, x, ldx, m, w.w.data, n, k, p0, p1);
    for (int64_t i = 0; i < n; i++) {
        rg_unpack_row(&w.w, i, row_w);
        for (int64_t t = 0; t < m; t++) {
            const float got = y[t * ldy + i];
            if (i < r0 || i >= r1) {
                CHECK(untouched(&y[t * ldy + i]), row->name, seed,
                    "row %lld outside [%lld, %lld) was written", (long long)i, (long long)r0, (long long)r1);
                continue;
            }
            double ref = 0.0, mag = 0.0;
            for (int64_t c = 0; c < k; c++) {
                ref += (double)row_w[c] * (double)x[t * ldx + c];
                mag += magnitude(&w.w, i, c, (double)row_w[c]) * fabs((double)x[t * ldx + c]);
            }
            CHECK(fabs((double)got - ref) <= (double)(k + 4) * FLT_EPSILON * mag, row->name, seed,
                "n %lld k %lld m %lld: y[%lld][%lld] = %.9g, expected %.9g", (long long)n, (long long)k,
                (long long)m, (long long)t, (long long)i, (double)got, ref);
        }
    }
    /* the same bits panel by panel, token by token */
    for (int64_t t = 0; t < m; t++)
        for (int64_t p = p0; p < p1; p++) {
            fn(z, n, x + t * ldx, k, 1, w.w.data, n, k, p, p + 1);
            const int64_t a = p * RG_PANEL, len = rg_min(n, a + RG_PANEL) - a;
            CHECK(memcmp(z + a, y + t * ldy + a, (size_t)len * sizeof *z) == 0, row->name, seed,
                "n %lld k %lld m %lld: bits change with the partition", (long long)n, (long long)k,
                (long long)m);
        }
    /* a NaN in x spoils its token and no other */
    const int64_t bad = rng_in(r, 0, m - 1);
    x[bad * ldx + rng_in(r, 0, k - 1)] = NAN;
    fn(y, ldy, x, ldx, m, w.w.data, n, k, p0, p1);
    for (int64_t t = 0; t < m; t++)
        for (int64_t i = r0; i < r1; i++)
            CHECK(isnan(y[t * ldy + i]) == (t == bad), row->name, seed,
                "NaN in token %lld: y[%lld][%lld] = %g", (long long)bad, (long long)t, (long long)i,
                (double)y[t * ldy + i]);
    free(row_w);
    guarded_free(&gx), guarded_free(&gy), guarded_free(&gz);
    matrix_free(&w);
}

void check_gemv(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 1);
    for (int64_t m = 1; m <= RG_GEMV_MAX; m++) {
        gemv_case(row, seed, &r, rng_in(&r, 1, 200), rng_in(&r, 1, 400), m);
        gemv_case(row, seed, &r, rng_in(&r, 1, 70), rng_in(&r, 1, 40), m);
        gemv_case(row, seed, &r, 96, 256, m);
    }
    gemv_case(row, seed, &r, 64, 5632, 1);
    gemv_case(row, seed, &r, 1, 1, 1);
}

void check_unpack(const rg_kernel_row *row)
{
    rg_unpack_fn *fn = (rg_unpack_fn *)row->fn;
    uint64_t seed;
    rg_rng r = seeded(&seed, 2);
    for (int i = 0; i < 40; i++) {
        const int64_t n = rng_in(&r, 1, 100), k = rng_in(&r, 1, 300), group = rg_wtypes[row->type].group,
                      groups = rg_div_up(k, group);
        matrix w = matrix_random(&r, (rg_wtype)row->type, n, k);
        const int64_t k0 = rng_in(&r, 0, groups - 1) * group,
                      k1 = rg_min(k, rng_in(&r, k0 / group + 1, groups) * group);
        const int64_t p = rng_in(&r, 0, rg_panels(n) - 1), ld = 32 + 32 * rng_in(&r, 0, 1);
        guarded g;
        float *dst = guarded_floats(&g, (k1 - k0 - 1) * ld + 32), *want = malloc((size_t)k * sizeof *want);
        fn(dst, ld, w.w.data, k, p, k0, k1);
        for (int64_t q = 0; q < RG_PANEL; q++) {
            const bool exists = p * RG_PANEL + q < n;
            if (exists) rg_unpack_row(&w.w, p * RG_PANEL + q, want);
            for (int64_t c = k0; c < k1; c++) {
                const float v = exists ? want[c] : 0.0f, got = dst[(c - k0) * ld + q];
                CHECK(got == v, row->name, seed, "n %lld k %lld: row %lld column %lld is %g, expected %g",
                    (long long)n, (long long)k, (long long)(p * RG_PANEL + q), (long long)c, (double)got,
                    (double)v);
            }
        }
        free(want);
        guarded_free(&g);
        matrix_free(&w);
    }
}

static void mm_case(const char *name, rg_mm_fn *fn, uint64_t seed, rg_rng *r, int64_t m, int64_t kb,
    int64_t n, bool exact_partition)
{
    const int64_t ldb = rg_round_up(n, 32) + 32 * rng_in(r, 0, 1), ldx = kb + rng_in(r, 0, 3),
                  ldy = n + rng_in(r, 0, 3);
    guarded gx, gb, gy, gz;
    float *x = guarded_floats(&gx, (m - 1) * ldx + kb), *b = guarded_floats(&gb, kb * ldb),
          *y = guarded_floats(&gy, (m - 1) * ldy + n), *z = guarded_floats(&gz, m * n);
    float *old = malloc((size_t)((m - 1) * ldy + n) * sizeof *old);
    fill_normal(r, x, (m - 1) * ldx + kb);
    fill_normal(r, b, kb * ldb);
    for (int acc = 0; acc < 2; acc++) {
        if (acc)
            fill_normal(r, y, (m - 1) * ldy + n);
        else
            fill_untouched(y, (m - 1) * ldy + n);
        memcpy(old, y, (size_t)((m - 1) * ldy + n) * sizeof *old);
        fn(y, ldy, x, ldx, b, ldb, m, kb, n, acc);
        for (int64_t t = 0; t < m; t++) {
            for (int64_t i = 0; i < n; i++) {
                double ref = acc ? (double)old[t * ldy + i] : 0.0, mag = fabs(ref);
                for (int64_t j = 0; j < kb; j++) {
                    ref += (double)x[t * ldx + j] * (double)b[j * ldb + i];
                    mag += fabs((double)x[t * ldx + j] * (double)b[j * ldb + i]);
                }
                CHECK(fabs((double)y[t * ldy + i] - ref) <= (double)(kb + 4) * FLT_EPSILON * mag, name, seed,
                    "m %lld kb %lld n %lld acc %d: y[%lld][%lld] = %.9g, expected %.9g", (long long)m,
                    (long long)kb, (long long)n, acc, (long long)t, (long long)i, (double)y[t * ldy + i],
                    ref);
            }
            for (int64_t i = n; i < ldy && t < m - 1; i++)
                CHECK(memcmp(y + t * ldy + i, old + t * ldy + i, sizeof *y) == 0, name, seed,
                    "column %lld of %lld was written", (long long)i, (long long)n);
        }
        if (acc || !exact_partition) continue;
        for (int64_t t = 0; t < m; t++)
            for (int64_t i = 0; i < n; i += 32)
                fn(z + t * n + i, n, x + t * ldx, kb, b + i, ldb, 1, kb, rg_min(32, n - i), false);
        for (int64_t t = 0; t < m; t++)
            CHECK(memcmp(z + t * n, y + t * ldy, (size_t)n * sizeof *z) == 0, name, seed,
                "m %lld kb %lld n %lld: bits change with the partition", (long long)m, (long long)kb,
                (long long)n);
    }
    free(old);
    guarded_free(&gx), guarded_free(&gb), guarded_free(&gy), guarded_free(&gz);
}

void check_mm(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 3);
    for (int64_t m = 1; m <= 30; m++)
        mm_case(row->name, (rg_mm_fn *)row->fn, seed, &r, m, rng_in(&r, 1, 260), rng_in(&r, 1, 140), true);
}

/* A panel, or the end of one, from any run of columns on: the bits of plain C's columns through mm. */
static void mmw_case(const rg_kernel_row *row, uint64_t seed, rg_rng *r, int64_t m)
{
    enum { RUN = 32 };
    const rg_wtype type = (rg_wtype)row->type;
    const int64_t k = rng_in(r, 1, 300), n = rng_in(r, 1, RG_PANEL), k0 = rng_in(r, 0, (k - 1) / RUN) * RUN,
                  kb = rng_in(r, 1, k - k0), ldx = kb + rng_in(r, 0, 3), ldy = n + rng_in(r, 0, 3);
    matrix w = matrix_random(r, type, n, k);
    rg_ktab t;
    MUST(rg_kernels_select(&t, row->isa, false));
    guarded gx, gb, gy, gz;
    float *x = guarded_floats(&gx, (m - 1) * ldx + kb), *b = guarded_floats(&gb, kb * RG_PANEL),
          *y = guarded_floats(&gy, (m - 1) * ldy + n), *z = guarded_floats(&gz, (m - 1) * ldy + n);
    fill_normal(r, x, (m - 1) * ldx + kb);
    for (int acc = 0; acc < 2; acc++) {
        fill_normal(r, y, (m - 1) * ldy + n);
        memcpy(z, y, (size_t)((m - 1) * ldy + n) * sizeof *z);
        float *row_w = malloc((size_t)k * sizeof *row_w);
        memset(b, 0, (size_t)(kb * RG_PANEL) * sizeof *b);
        for (int64_t i = 0; i < n; i++) {
            rg_unpack_row(&w.w, i, row_w);
            for (int64_t c = 0; c < kb; c++) b[c * RG_PANEL + i] = row_w[k0 + c];
        }
        free(row_w);
        ((rg_mmw_fn *)row->fn)(
            y, ldy, x, ldx, (const char *)w.w.data + k0 * rg_wtypes[type].line, m, kb, n, acc);
        t.mm(z, ldy, x, ldx, b, RG_PANEL, m, kb, n, acc);
        CHECK(memcmp(y, z, (size_t)((m - 1) * ldy + n) * sizeof *y) == 0, row->name, seed,
            "m %lld k %lld..%lld n %lld acc %d: not the bits of mm", (long long)m, (long long)k0,
            (long long)(k0 + kb), (long long)n, acc);
    }
    guarded_free(&gx), guarded_free(&gb), guarded_free(&gy), guarded_free(&gz);
    matrix_free(&w);
}

void check_mmw(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 5);
    for (int64_t m = 1; m <= 30; m++)
        for (int i = 0; i < 4; i++) mmw_case(row, seed, &r, m);
}

void check_blas(void)
{
    rg_ktab t;
    if (!rg_kernels_select(&t, top_isa(), true)) {
        check_note("this build has no BLAS");
        return;
    }
    check_note("BLAS: %s", rg_blas_describe());
    uint64_t seed;
    rg_rng r = seeded(&seed, 4);
    for (int i = 0; i < 20; i++)
        mm_case("blas", t.mm, seed, &r, rng_in(&r, 1, 40), rng_in(&r, 1, 260), rng_in(&r, 1, 140), false);
}

void check_select(void)
{
    for (rg_isa i = RG_ISA_C; i <= top_isa(); i++) {
        rg_ktab t;
        MUST(rg_kernels_select(&t, i, false));
        SAME(t.isa, i);
        MUST_NOT(t.blas);
        for (int w = 0; w < RG_WT_COUNT; w++) {
            MUST(t.gemv[w]);
            MUST(t.unpack[w]);
        }
        for (int f = 0; f < RG_FN_COUNT; f++) MUST(t.level[f] <= i);
        for (int kv = 0; kv < RG_KV_COUNT; kv++) {
            MUST(t.attn_qk[kv]);
            MUST(t.attn_pv[kv]);
            MUST(t.kv_put_k[kv]);
            MUST(t.kv_put_v[kv]);
        }
        MUST(t.mm && t.softmax && t.rmsnorm && t.rope && t.swiglu && t.add && t.quant_q8 && t.quant_q4 &&
            t.quant_q4m);
    }
}
