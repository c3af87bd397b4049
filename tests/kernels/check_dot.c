/* Prepared activations and their products: every row of kernels.def against plain C and a float64 oracle. */
#include "checkkern.h"

static void *rows_alloc(guarded *g, int64_t bytes)
{
    *g = guarded_alloc((size_t)bytes);
    return g->p;
}

/* Value i of a prepared row, as kernels.h says. */
static double prepared(const void *row, rg_xform f, int64_t kp, int64_t group, int64_t i)
{
    if (f == RG_X_BF16) return (double)rg_bf16_to_f32(((const uint16_t *)row)[i]);
    if (f == RG_X_BF16X2)
        return (double)rg_bf16_to_f32(((const uint16_t *)row)[i]) +
            (double)rg_bf16_to_f32(((const uint16_t *)row)[kp + i]);
    const int planes = f == RG_X_I16 ? 2 : 1;
    const int8_t *q = row;
    rg_xgroup g;
    memcpy(&g, (const char *)row + planes * kp + i / group * (int64_t)sizeof g, sizeof g);
    return (double)g.scale * (planes == 2 ? 256.0 * q[i] + q[kp + i] : q[i]);
}

/* half_step: largest rounding error, relative to the group's largest value (BF16: to the value). spec: plain
 * C. */
static void prep_case(const rg_kernel_row *row, rg_xform f, rg_prep_fn *spec, double half_step, uint64_t seed,
    rg_rng *r, int64_t k, int64_t group)
{
    const int64_t bytes = rg_x_bytes(f, k, group), unit = f >= RG_X_BF16 ? 32 : group,
                  kp = rg_x_padded(k, unit);
    guarded gx, ga, gb;
    float *x = guarded_floats(&gx, k);
    void *a = rows_alloc(&ga, bytes), *b = rows_alloc(&gb, bytes);
    /* plain, outliers, a group of zeros, tiny values, a NaN, an infinity */
    for (int kind = 0; kind < 6; kind++) {
        fill_normal(r, x, k);
        if (kind == 1) x[rng_in(r, 0, k - 1)] *= 1000.0f;
        for (int64_t i = 0; i < k && kind == 2; i++) x[i] = i / group == 0 ? 0.0f : x[i];
        for (int64_t i = 0; i < k && kind == 3; i++) x[i] *= i % 2 ? 1e-38f : 1e-29f;
        const int64_t bad = rng_in(r, 0, k - 1);
        if (kind >= 4) x[bad] = kind == 4 ? -NAN : INFINITY;
        memset(a, 0, (size_t)bytes);
        memset(b, 0, (size_t)bytes);
        spec(a, x, k, group);
        ((rg_prep_fn *)row->fn)(b, x, k, group);
        for (int64_t i = 0; i < kp; i++) {
            const double want = i < k ? (double)x[i] : 0.0, got = prepared(b, f, kp, group, i);
            const bool spoilt = kind >= 4 && (f >= RG_X_BF16 ? i == bad : i / group == bad / group);
            double most = 0.0;
            for (int64_t j = i / unit * unit; j < rg_min(k, i / unit * unit + unit); j++)
                most = fmax(most, fabs((double)x[j]));
            if (spoilt) {
                CHECK(!isfinite(got), row->name, seed,
                    "k %lld: value %lld is %g beside one that is not finite", (long long)k, (long long)i,
                    got);
                continue;
            }
            const double bound = f >= RG_X_BF16 ? half_step * fabs(want) + 1e-40
                                                : half_step * most + 4.0 * FLT_EPSILON * most + 1e-30;
            CHECK(fabs(got - want) <= bound, row->name, seed,
                "k %lld group %lld: value %lld is %g, expected %g", (long long)k, (long long)group,
                (long long)i, got, want);
        }
        if (kind < 4)
            CHECK(memcmp(a, b, (size_t)bytes) == 0, row->name, seed,
                "k %lld group %lld: not the bits of plain C", (long long)k, (long long)group);
    }
    guarded_free(&gx), guarded_free(&ga), guarded_free(&gb);
}

static void prep_cases(const rg_kernel_row *row, rg_xform f, rg_prep_fn *spec, double half_step)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 1);
    for (int i = 0; i < 30; i++)
        prep_case(row, f, spec, half_step, seed, &r, rng_in(&r, 1, 500), 32 << i % 3);
}
void check_prep_i8(const rg_kernel_row *row) { prep_cases(row, RG_X_I8, rg_prep_i8__c, 0.5 / 127.0); }
void check_prep_i16(const rg_kernel_row *row) { prep_cases(row, RG_X_I16, rg_prep_i16__c, 0.5 / 32512.0); }
void check_prep_bf16(const rg_kernel_row *row) { prep_cases(row, RG_X_BF16, rg_prep_bf16__c, 1.0 / 256.0); }
void check_prep_bf16x2(const rg_kernel_row *row)
{
    prep_cases(row, RG_X_BF16X2, rg_prep_bf16x2__c, 1.0 / 65536.0);
}

void check_pair_bf16(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 2);
    for (int64_t kb = 1; kb < 40; kb++) {
        guarded gs, ga;
        float *src = guarded_floats(&gs, kb * RG_PANEL);
        uint16_t *dst = rows_alloc(&ga, rg_round_up(kb, 2) * RG_PANEL * 2),
                 *want = malloc((size_t)(rg_round_up(kb, 2) * RG_PANEL) * 2);
        fill_normal(&r, src, kb * RG_PANEL);
        ((rg_pair_fn *)row->fn)(dst, src, kb);
        rg_pair_bf16__c(want, src, kb);
        CHECK(memcmp(dst, want, (size_t)(rg_round_up(kb, 2) * RG_PANEL) * 2) == 0, row->name, seed,
            "kb %lld: not the bits of plain C", (long long)kb);
        CHECK(kb % 2 == 0 || want[((kb / 2) * RG_PANEL + 5) * 2 + 1] == 0, row->name, seed,
            "kb %lld: odd column not padded", (long long)kb);
        free(want);
        guarded_free(&gs), guarded_free(&ga);
    }
}

/* Random rows, prepared; the last ends at a guard page. */
static void *prepared_rows(
    rg_rng *r, guarded *g, rg_xform f, int64_t m, int64_t k, int64_t group, int64_t ld, float *x)
{
    char *rows = rows_alloc(g, (m - 1) * ld + rg_x_bytes(f, k, group));
    for (int64_t t = 0; t < m; t++) {
        fill_normal(r, x, k);
        if (t % 3 == 2) x[rng_in(r, 0, k - 1)] = 300.0f;
        if (f == RG_X_I16)
            rg_prep_i16__c(rows + t * ld, x, k, group);
        else
            rg_prep_i8__c(rows + t * ld, x, k, group);
    }
    return rows;
}

/* A product of prepared rows is exact inside groups: what is left are a few roundings per group, of terms
 * with an offset and a minimum. */
static double dot_ref(const rg_weight *w, const float *row_w, const double *x, double *mag)
{
    const double min = rg_wtypes[w->type].has_min ? 1.0 : 0.0;
    double ref = 0.0;
    *mag = 0.0;
    for (int64_t c = 0; c < w->k; c++) {
        ref += (double)row_w[c] * x[c];
        *mag += (fabs((double)row_w[c]) + min) * fabs(x[c]);
    }
    return ref;
}

static void dot_case(
    const rg_kernel_row *row, rg_xform f, uint64_t seed, rg_rng *r, int64_t n, int64_t k, int64_t m)
{
    rg_dot_fn *fn = (rg_dot_fn *)row->fn;
    matrix w = matrix_random(r, (rg_wtype)row->type, n, k);
    const int64_t group = rg_wtypes[row->type].group, ldx = rg_x_bytes(f, k, group) + 64 * rng_in(r, 0, 2),
                  ldy = n + rng_in(r, 0, 3), panels = rg_panels(n);
    const int64_t p0 = rng_in(r, 0, panels - 1), p1 = rng_in(r, p0 + 1, panels), r0 = p0 * RG_PANEL,
                  r1 = rg_min(n, p1 * RG_PANEL);
    guarded gx, gy, gz;
    float *raw = malloc((size_t)k * sizeof *raw), *row_w = malloc((size_t)k * sizeof *row_w);
    char *x = prepared_rows(r, &gx, f, m, k, group, ldx, raw);
    float *y = guarded_floats(&gy, (m - 1) * ldy + n), *z = guarded_floats(&gz, n);
    double *value = malloc((size_t)(m * k) * sizeof *value);
    for (int64_t i = 0; i < m * k; i++)
        value[i] = prepared(x + i / k * ldx, f, rg_x_padded(k, group), group, i % k);
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
            double mag;
            const double ref = dot_ref(&w.w, row_w, value + t * k, &mag);
            CHECK(fabs((double)got - ref) <= (double)(4 * rg_div_up(k, group) + 8) * FLT_EPSILON * mag,
                row->name, seed, "n %lld k %lld m %lld: y[%lld][%lld] = %.9g, expected %.9g", (long long)n,
                (long long)k, (long long)m, (long long)t, (long long)i, (double)got, ref);
        }
    }
    for (int64_t t = 0; t < m; t++)
        for (int64_t p = p0; p < p1; p++) {
            fn(z, n, x + t * ldx, ldx, 1, w.w.data, n, k, p, p + 1);
            const int64_t a = p * RG_PANEL, len = rg_min(n, a + RG_PANEL) - a;
            CHECK(memcmp(z + a, y + t * ldy + a, (size_t)len * sizeof *z) == 0, row->name, seed,
                "n %lld k %lld m %lld: bits change with the partition", (long long)n, (long long)k,
                (long long)m);
        }
    free(value);
    free(raw);
    free(row_w);
    guarded_free(&gx), guarded_free(&gy), guarded_free(&gz);
    matrix_free(&w);
}

static void dot_cases(const rg_kernel_row *row, rg_xform f)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 3);
    for (int64_t m = 1; m <= RG_DOT_MAX; m++) {
        dot_case(row, f, seed, &r, rng_in(&r, 1, 140), rng_in(&r, 1, 300), m);
        dot_case(row, f, seed, &r, rng_in(&r, 1, 70), rng_in(&r, 1, 40), m);
    }
    dot_case(row, f, seed, &r, 33, 5632, 1);
    dot_case(row, f, seed, &r, 1, 1, 1);
}
void check_dot8(const rg_kernel_row *row) { dot_cases(row, RG_X_I8); }
void check_dot16(const rg_kernel_row *row) { dot_cases(row, RG_X_I16); }

/* Plain C's bytes, wherever columns are cut. */
void check_unpack8(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 6);
    rg_ktab c;
    MUST(rg_kernels_select(&c, RG_ISA_C, false));
    const rg_wtype type = (rg_wtype)row->type;
    for (int i = 0; i < 12; i++) {
        const int64_t n = rng_in(&r, 1, 100), k = rng_in(&r, 1, 400), group = rg_wtypes[type].group,
                      groups = rg_div_up(k, group), g0 = rng_in(&r, 0, groups - 1),
                      g1 = rng_in(&r, g0 + 1, groups), p = rng_in(&r, 0, rg_panels(n) - 1),
                      bytes = (g1 - g0) * rg_u8_bytes(type);
        matrix w = matrix_random(&r, type, n, k);
        guarded gb, gc;
        char *b = rows_alloc(&gb, bytes), *plain = rows_alloc(&gc, bytes);
        ((rg_unpack8_fn *)row->fn)(b, w.w.data, k, p, g0 * group, rg_min(k, g1 * group));
        c.unpack8[type](plain, w.w.data, k, p, g0 * group, rg_min(k, g1 * group));
        CHECK(memcmp(b, plain, (size_t)bytes) == 0, row->name, seed, "k %lld: not the bytes of plain C",
            (long long)k);
        guarded_free(&gb), guarded_free(&gc);
        matrix_free(&w);
    }
}

/* On the bytes of unpack8, cut anywhere: the bits of dot of the same level. */
static void mmdot_case(
    const rg_kernel_row *row, rg_xform f, uint64_t seed, rg_rng *r, int64_t n, int64_t k, int64_t m)
{
    rg_ktab t;
    MUST(rg_kernels_select(&t, row->isa, false));
    const rg_wtype type = (rg_wtype)row->type;
    const int64_t group = rg_wtypes[type].group, groups = rg_div_up(k, group), ldx = rg_x_bytes(f, k, group),
                  each = rg_u8_bytes(type);
    matrix w = matrix_random(r, type, n, k);
    guarded gx, gb, gy;
    float *raw = malloc((size_t)k * sizeof *raw), *want = malloc((size_t)(m * n) * sizeof *want);
    char *x = prepared_rows(r, &gx, f, m, k, group, ldx, raw), *b = rows_alloc(&gb, groups * each);
    float *y = guarded_floats(&gy, m * n);
    fill_untouched(y, m * n);
    for (int64_t i = 0; i < m; i += RG_DOT_MAX)
        t.dot[f][type](
            want + i * n, n, x + i * ldx, ldx, rg_min(RG_DOT_MAX, m - i), w.w.data, n, k, 0, rg_panels(n));
    for (int64_t p = 0; p < rg_panels(n); p++)
        for (int64_t g = 0; g < groups;) {
            const int64_t next = rng_in(r, g + 1, groups), k1 = rg_min(k, next * group);
            t.unpack8[type](b, w.w.data, k, p, g * group, k1);
            ((rg_mmdot_fn *)row->fn)(y + p * RG_PANEL, n, x, ldx, m, b, k, g * group, k1,
                rg_min(RG_PANEL, n - p * RG_PANEL), g > 0);
            g = next;
        }
    CHECK(memcmp(y, want, (size_t)(m * n) * sizeof *y) == 0, row->name, seed,
        "n %lld k %lld m %lld: not the bits of dot", (long long)n, (long long)k, (long long)m);
    free(raw);
    free(want);
    guarded_free(&gx), guarded_free(&gb), guarded_free(&gy);
    matrix_free(&w);
}

static void mmdot_cases(const rg_kernel_row *row, rg_xform f)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 4);
    for (int64_t m = 1; m <= 14; m++) mmdot_case(row, f, seed, &r, rng_in(&r, 1, 70), rng_in(&r, 1, 300), m);
}
void check_mmdot8(const rg_kernel_row *row) { mmdot_cases(row, RG_X_I8); }
void check_mmdot16(const rg_kernel_row *row) { mmdot_cases(row, RG_X_I16); }

/* Against float64 on the rounded operands. Hardware adds the two products of a pair in its own order and may
 * flush subnormals. */
void check_mm_bf16(const rg_kernel_row *row)
{
    rg_mmbf_fn *fn = (rg_mmbf_fn *)row->fn;
    uint64_t seed;
    rg_rng r = seeded(&seed, 5);
    for (int64_t m = 1; m <= 30; m++) {
        const int64_t kb = rng_in(&r, 1, 260), n = rng_in(&r, 1, RG_PANEL), pairs = rg_round_up(kb, 2),
                      ldx = pairs + 2 * rng_in(&r, 0, 3), ldy = n + rng_in(&r, 0, 3);
        guarded gx, gb, gy, gz, gf;
        float *f = guarded_floats(&gf, rg_max(pairs * RG_PANEL, m * ldx)),
              *y = guarded_floats(&gy, (m - 1) * ldy + n), *z = guarded_floats(&gz, n);
        uint16_t *x = rows_alloc(&gx, ((m - 1) * ldx + pairs) * 2),
                 *b = rows_alloc(&gb, pairs * RG_PANEL * 2);
        fill_normal(&r, f, kb * RG_PANEL);
        rg_pair_bf16__c(b, f, kb);
        for (int64_t i = 0; i < (m - 1) * ldx + pairs; i++)
            x[i] = i % ldx < kb ? rg_f32_to_bf16(rng_normal(&r)) : 0;
        for (int acc = 0; acc < 2; acc++) {
            for (int64_t i = 0; i < (m - 1) * ldy + n; i++) y[i] = acc ? 3.0f : NAN;
            fn(y, ldy, x, ldx, b, m, kb, n, acc);
            for (int64_t t = 0; t < m; t++)
                for (int64_t i = 0; i < n; i++) {
                    double ref = acc ? 3.0 : 0.0, mag = ref;
                    for (int64_t j = 0; j < kb; j++) {
                        const double v = (double)rg_bf16_to_f32(x[t * ldx + j]) *
                            (double)rg_bf16_to_f32(b[(j / 2 * RG_PANEL + i) * 2 + j % 2]);
                        ref += v;
                        mag += fabs(v);
                    }
                    CHECK(fabs((double)y[t * ldy + i] - ref) <= (double)(kb + 4) * FLT_EPSILON * mag + 1e-37,
                        row->name, seed, "m %lld kb %lld n %lld acc %d: y[%lld][%lld] = %.9g, expected %.9g",
                        (long long)m, (long long)kb, (long long)n, acc, (long long)t, (long long)i,
                        (double)y[t * ldy + i], ref);
                }
        }
        fn(y, ldy, x, ldx, b, m, kb, n, false);
        for (int64_t t = 0; t < m; t++) {
            fn(z, n, x + t * ldx, ldx, b, 1, kb, n, false);
            CHECK(memcmp(z, y + t * ldy, (size_t)n * sizeof *z) == 0, row->name, seed,
                "m %lld kb %lld: bits change with the partition", (long long)m, (long long)kb);
        }
        guarded_free(&gx), guarded_free(&gb), guarded_free(&gy), guarded_free(&gz), guarded_free(&gf);
    }
}
