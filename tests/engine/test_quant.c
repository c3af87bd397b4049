/* The mathematics of quantisation: grids against the packer, GPTQ and AWQ against the error they are to make
 * small. */
#include "testing.h"

#include "base/arena.h"
#include "quant/quant.h"

static rg_ktab tab;

static int select_kernels(void **state)
{
    (void)state;
    const char *cap = getenv("RIDGE_ISA");
    const int isa = cap ? rg_isa_from_name(cap) : -1;
    return rg_kernels_select(&tab, isa >= 0 ? (rg_isa)isa : rg_isa_best(), false) ? 0 : -1;
}

typedef struct matrix {
    rg_qtensor q;
    float *w;
} matrix;

static matrix make(rg_qspec spec, int64_t rows, int64_t cols, uint64_t seed)
{
    rg_rng r = {seed};
    matrix m = {.q = {.spec = spec, .rows = rows, .cols = cols}};
    m.w = malloc(sizeof(float) * (size_t)(rows * cols));
    m.q.code = malloc((size_t)(rows * cols));
    m.q.scale = calloc((size_t)(rows * cols / spec.group), 2);
    m.q.offset = calloc((size_t)(rows * cols / spec.group), 2);
    assert_true(m.w && m.q.code && m.q.scale && m.q.offset);
    for (int64_t i = 0; i < rows * cols; i++)
        m.w[i] = 0.05f * rng_normal(&r) * (rng_in(&r, 0, 60) == 0 ? 6.0f : 1.0f) + 0.01f;
    return m;
}

static void drop(matrix *m) { free(m->w), free(m->q.code), free(m->q.scale), free(m->q.offset); }

static void give_row(void *user, int64_t r, float *dst)
{
    const matrix *m = user;
    memcpy(dst, m->w + r * m->q.cols, sizeof(float) * (size_t)m->q.cols);
}

/* The clip search here and the one at load (--dtype) give the same weights, bit for bit. */
static void search_is_the_packers(void **state)
{
    (void)state;
    static const struct {
        rg_qspec spec;
        rg_wtype type;
    } kinds[] = {{{RG_QK_SYM4, 32}, RG_WT_Q4G32}, {{RG_QK_SYM4, 64}, RG_WT_Q4G64},
        {{RG_QK_SYM4, 128}, RG_WT_Q4G128}, {{RG_QK_MIN4, 32}, RG_WT_Q4G32M}, {{RG_QK_SYM8, 32}, RG_WT_Q8G32}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        matrix m = make(kinds[i].spec, 45, 384, 5 + i);
        rg_qstats st = {0};
        const rg_weight w = {.type = kinds[i].type,
            .n = 45,
            .k = 384,
            .data = rg_big_alloc((size_t)rg_packed_bytes(kinds[i].type, 45, 384))};
        void *scratch = rg_big_alloc((size_t)rg_pack_scratch(w.type, w.k));
        double e2 = 0.0, w2 = 0.0;
        rg_pack(&tab, w.type, (void *)(uintptr_t)w.data, w.n, w.k, 0, rg_panels(w.n), give_row, &m, scratch,
            &e2, &w2);
        rg_q_rows(&tab, true, &m.q, m.w, false, 0, 45, &st);
        float a[384], b[384];
        for (int64_t r = 0; r < 45; r++) {
            rg_unpack_row(&w, r, a);
            rg_q_row_f32(&m.q, r, b);
            assert_memory_equal(a, b, sizeof a);
        }
        assert_true(fabs(st.err2 - e2) <= 1e-6 * e2 && st.n == 45 * 384);
        rg_big_free((void *)(uintptr_t)w.data, (size_t)rg_packed_bytes(w.type, w.n, w.k));
        rg_big_free(scratch, (size_t)rg_pack_scratch(w.type, w.k));
        drop(&m);
    }
}

/* For every kind: plain rounding is within half a step, the search is no worse, codes and offsets stay in
 * their ranges. */
static void grids(void **state)
{
    (void)state;
    static const rg_qspec specs[] = {
        {RG_QK_SYM4, 64}, {RG_QK_MIN4, 32}, {RG_QK_ZERO4, 32}, {RG_QK_ZERO4, 128}, {RG_QK_SYM8, 32}};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        matrix m = make(specs[i], 20, 256, 50 + i);
        memset(m.w, 0, sizeof(float) * 128); /* groups of zeros */
        rg_qstats plain = {0}, search = {0};
        float row[256];
        rg_q_rows(&tab, false, &m.q, m.w, false, 0, 20, &plain);
        for (int64_t r = 0; r < 20; r++) {
            rg_q_row_f32(&m.q, r, row);
            for (int64_t c = 0; c < 256; c++) {
                const int64_t g = r * (256 / specs[i].group) + c / specs[i].group;
                const double s = fabs((double)rg_f16_to_f32(m.q.scale[g])),
                             d = fabs((double)row[c] - (double)m.w[r * 256 + c]);
                /* a step more at the end: -8 .. 7 and a whole zero point do not reach both ends, and halves
                 * are rounded */
                if (!(d <= (specs[i].kind == RG_QK_SYM4 || specs[i].kind == RG_QK_ZERO4 ? 1.01 : 0.52) * s +
                            1e-7))
                    fail_msg(
                        "kind %d, [%d][%d]: off by %g, step %g", (int)specs[i].kind, (int)r, (int)c, d, s);
                if (specs[i].kind != RG_QK_SYM8) assert_true(m.q.code[r * 256 + c] < 16);
                if (specs[i].kind == RG_QK_ZERO4) assert_true(m.q.offset[g] < 16);
            }
        }
        for (int c = 0; c < 128; c++) { /* zeros stay zeros */
            rg_q_row_f32(&m.q, 0, row);
            assert_true(row[c] >= 0.0f && row[c] <= 0.0f);
        }
        rg_q_rows(&tab, true, &m.q, m.w, true, 0, 20, &search);
        assert_true(search.err2 < plain.err2 && search.clipped >= 0);
        for (int64_t r = 0; r < 20; r++) { /* replace left what the codes say */
            rg_q_row_f32(&m.q, r, row);
            assert_memory_equal(row, m.w + r * 256, sizeof row);
        }
        drop(&m);
    }
}

/* ---- with inputs ---- */

enum { K = 256, LD = 256, SAMPLES = 700, ROWS = 70 };

/* Inputs as activations are: correlated, of unequal size, with one channel that is always zero. */
static float *moments(double *mean_abs, uint64_t seed)
{
    enum { RANK = 24 };
    rg_rng r = {seed};
    float *h = rg_big_alloc(sizeof(float) * K * LD), *x = rg_big_alloc(sizeof(float) * SAMPLES * LD),
          *xt = rg_big_alloc(sizeof(float) * SAMPLES * LD);
    static float mix[RANK][K], size[K];
    for (int i = 0; i < RANK; i++)
        for (int c = 0; c < K; c++) mix[i][c] = rng_normal(&r);
    for (int c = 0; c < K; c++) size[c] = rng_in(&r, 0, 30) == 0 ? 12.0f : 0.3f + (float)rng_unit(&r);
    size[17] = 0.0f;
    for (int t = 0; t < SAMPLES; t++) {
        float f[RANK];
        for (int i = 0; i < RANK; i++) f[i] = rng_normal(&r);
        for (int c = 0; c < K; c++) {
            float v = 0.4f * rng_normal(&r);
            for (int i = 0; i < RANK; i++) v += 0.2f * f[i] * mix[i][c];
            x[t * LD + c] = v * size[c];
        }
    }
    for (int c = 0; c < K; c++) {
        mean_abs[c] = 0.0;
        for (int t = 0; t < SAMPLES; t++) {
            xt[c * SAMPLES + t] = x[t * LD + c];
            mean_abs[c] += fabs((double)x[t * LD + c]) / SAMPLES;
        }
    }
    rg_moments_add(&tab, h, LD, xt, x, LD, SAMPLES, K, 0, 100); /* in two parts, as threads would */
    rg_moments_add(&tab, h, LD, xt, x, LD, SAMPLES, K, 100, K);
    for (int i = 0; i < K; i += 37) /* against the definition */
        for (int j = 0; j < K; j++) {
            double s = 0.0, mag = 0.0;
            for (int t = 0; t < SAMPLES; t++) {
                s += (double)x[t * LD + i] * (double)x[t * LD + j];
                mag += fabs((double)x[t * LD + i] * (double)x[t * LD + j]);
            }
            assert_true(fabs((double)h[i * LD + j] - s) <= 1e-5 * mag + 1e-12);
        }
    rg_big_free(x, sizeof(float) * SAMPLES * LD);
    rg_big_free(xt, sizeof(float) * SAMPLES * LD);
    return h;
}

/* Sum of d H d^T in double, the plain way. */
static double output_error(const float *now, const float *before, const float *h)
{
    double sum = 0.0;
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < K; i++) {
            const double d = (double)now[r * K + i] - (double)before[r * K + i];
            double t = 0.0;
            for (int j = 0; j < K; j++)
                t += (double)h[i * LD + j] * ((double)now[r * K + j] - (double)before[r * K + j]);
            sum += d * t;
        }
    return sum;
}

static void the_factor_inverts(void **state)
{
    (void)state;
    double mean_abs[K], used = 0.0, mean = 0.0;
    if (!rg_factor_available()) {
        print_message("SKIPPED: this build has no LAPACK\n");
        skip();
    }
    float *h = moments(mean_abs, 3), *u = rg_big_alloc(sizeof(float) * K * LD);
    memcpy(u, h, sizeof(float) * K * LD);
    for (int i = 0; i < K; i++) mean += (double)h[i * LD + i] / K;
    assert_true(rg_factor(u, LD, K, 0.01, &used));
    assert_true(used >= 0.01 && used < 0.011);
    /* (H + damp) U^T U = 1, for a few rows */
    for (int i = 0; i < K; i += 51) {
        double hu[K] = {0}, one[K] = {0};
        for (int k = 0; k < K; k++)
            for (int j = 0; j <= k; j++) { /* row j of U has columns from j on */
                const double a =
                    (double)h[i * LD + k] + (i == k ? 0.01 * mean + (h[i * LD + i] > 0.0f ? 0.0 : 1.0) : 0.0);
                hu[j] += a * (double)u[j * LD + k];
            }
        for (int j = 0; j < K; j++)
            for (int k = j; k < K; k++) one[k] += hu[j] * (double)u[j * LD + k];
        for (int k = 0; k < K; k++)
            if (!(fabs(one[k] - (i == k)) < 2e-2)) fail_msg("row %d, column %d: %g", i, k, one[k]);
    }
    /* nothing to factor: refused, not invented */
    for (int i = 0; i < K * LD; i++) u[i] = NAN;
    assert_false(rg_factor(u, LD, K, 0.01, &used));
    rg_big_free(h, sizeof(float) * K * LD);
    rg_big_free(u, sizeof(float) * K * LD);
}

static void gptq_beats_rounding(void **state)
{
    (void)state;
    static const rg_qspec specs[] = {{RG_QK_SYM4, 32}, {RG_QK_SYM4, 64}, {RG_QK_SYM4, 128}, {RG_QK_MIN4, 32},
        {RG_QK_ZERO4, 64}, {RG_QK_SYM8, 32}};
    double mean_abs[K], used;
    if (!rg_factor_available()) {
        print_message("SKIPPED: this build has no LAPACK\n");
        skip();
    }
    float *h = moments(mean_abs, 4), *u = rg_big_alloc(sizeof(float) * K * LD),
          *rest = rg_big_alloc(sizeof(float) * RG_Q_TILE * RG_Q_BLOCK);
    float *before = malloc(sizeof(float) * ROWS * K), *row = malloc(sizeof(float) * K);
    memcpy(u, h, sizeof(float) * K * LD);
    assert_true(rg_factor(u, LD, K, 0.01, &used));
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        double err[3];
        for (int method = 0; method < 3; method++) { /* plain, search, GPTQ */
            matrix m = make(specs[i], ROWS, K, 77);
            rg_qstats st = {0};
            memcpy(before, m.w, sizeof(float) * ROWS * K);
            if (method == 2) {
                rg_gptq_rows(&tab, &m.q, m.w, u, LD, rest, 0, 33, &st);
                rg_gptq_rows(&tab, &m.q, m.w, u, LD, rest, 33, ROWS, &st);
            } else {
                rg_q_rows(&tab, method == 1, &m.q, m.w, true, 0, ROWS, &st);
            }
            err[method] = output_error(m.w, before, h);
            for (int r = 0; r < ROWS; r += 9) { /* the weights left behind are what the codes say */
                rg_q_row_f32(&m.q, r, row);
                assert_memory_equal(row, m.w + r * K, sizeof(float) * K);
            }
            drop(&m);
        }
        if (!(err[2] < 0.6 * err[1] && err[2] < 0.6 * err[0]))
            fail_msg("spec %zu: plain %g, search %g, GPTQ %g", i, err[0], err[1], err[2]);
    }
    free(before), free(row);
    rg_big_free(h, sizeof(float) * K * LD);
    rg_big_free(u, sizeof(float) * K * LD);
    rg_big_free(rest, sizeof(float) * RG_Q_TILE * RG_Q_BLOCK);
}

static void awq_scales_lower_the_error(void **state)
{
    (void)state;
    double mean_abs[K], none, best = INFINITY;
    float *h = moments(mean_abs, 6), s[K], d[RG_Q_TILE * LD], tmp[RG_Q_TILE * LD];
    uint8_t code[K];
    uint16_t grid[2];
    matrix m = make((rg_qspec){RG_QK_SYM4, 64}, RG_Q_TILE, K, 9);
    rg_awq_scales(s, mean_abs, NULL, K, 0.0);
    for (int i = 0; i < K; i++) assert_true(s[i] >= 1.0f && s[i] <= 1.0f);
    none = rg_awq_error(&tab, m.q.spec, m.w, RG_Q_TILE, K, s, h, LD, d, tmp, code, grid);
    /* without scales it is the error of the search alone */
    float *now = malloc(sizeof(float) * RG_Q_TILE * K);
    rg_qstats st = {0};
    memcpy(now, m.w, sizeof(float) * RG_Q_TILE * K);
    rg_q_rows(&tab, true, &m.q, now, true, 0, RG_Q_TILE, &st);
    double plain = 0.0;
    for (int r = 0; r < RG_Q_TILE; r++)
        for (int i = 0; i < K; i++)
            for (int j = 0; j < K; j++)
                plain += ((double)now[r * K + i] - (double)m.w[r * K + i]) * (double)h[i * LD + j] *
                    ((double)now[r * K + j] - (double)m.w[r * K + j]);
    assert_true(fabs(plain - none) <= 1e-3 * plain);
    for (int a = 1; a < 20; a++) {
        rg_awq_scales(s, mean_abs, NULL, K, a / 20.0);
        best = fmin(best, rg_awq_error(&tab, m.q.spec, m.w, RG_Q_TILE, K, s, h, LD, d, tmp, code, grid));
    }
    if (!(best < 0.7 * none)) fail_msg("best scales %g, none %g", best, none);
    /* with the weights in it: what is divided by them, around 1 all the same */
    double weight_abs[K];
    for (int i = 0; i < K; i++) weight_abs[i] = i % 2 ? 0.25 : 0.5;
    rg_awq_scales(s, mean_abs, weight_abs, K, 0.0);
    for (int i = 0; i < K; i++) assert_true(fabs((double)s[i] - (i % 2 ? sqrt(2.0) : sqrt(0.5))) < 1e-6);
    free(now);
    drop(&m);
    rg_big_free(h, sizeof(float) * K * LD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(search_is_the_packers), cmocka_unit_test(grids),
        cmocka_unit_test(the_factor_inverts), cmocka_unit_test(gptq_beats_rounding),
        cmocka_unit_test(awq_scales_lower_the_error)};
    return cmocka_run_group_tests(tests, select_kernels, NULL);
}
