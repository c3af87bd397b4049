/* Scores against the definitions, written out in long double. */
#include "testing.h"

#include "ridge/score.h"

enum { VOCAB = 331, N = 1500 };

static float *logits, *ref;
static int32_t token[N];

static int fill(void **state)
{
    (void)state;
    rg_rng r = {7};
    logits = malloc(sizeof *logits * N * VOCAB);
    ref = malloc(sizeof *ref * N * VOCAB);
    if (!logits || !ref) return -1;
    for (int i = 0; i < N * VOCAB; i++) {
        /* some tokens are all but impossible */
        ref[i] = 3.0f * rng_normal(&r) + (float)rng_in(&r, -1, 1) * 20.0f;
        logits[i] = ref[i] + 0.3f * rng_normal(&r);
    }
    for (int i = 0; i < N; i++) token[i] = (int32_t)rng_in(&r, 0, VOCAB - 1);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(logits);
    free(ref);
    return 0;
}

static long double lse(const float *l)
{
    long double sum = 0.0L;
    for (int k = 0; k < VOCAB; k++) sum += expl((long double)l[k]);
    return logl(sum);
}

static rg_score score_all(bool with_ref)
{
    rg_score s = {0};
    rg_err err = {0};
    for (int i = 0; i < N; i++)
        if (rg_score_add(&s, logits + i * VOCAB, with_ref ? ref + i * VOCAB : NULL, VOCAB, token[i], &err) !=
            RG_OK)
            fail_msg("%s", err.msg);
    return s;
}

static void near(const char *what, double got, long double want, double rel)
{
    if (!(fabsl((long double)got - want) <= (long double)rel * fmaxl(fabsl(want), 1e-3L)))
        fail_msg("%s: %.15g, expected %.15Lg", what, got, want);
}

static int up(const void *a, const void *b)
{
    const long double x = *(const long double *)a, y = *(const long double *)b;
    return (x > y) - (x < y);
}

static void statistics_follow_their_definitions(void **state)
{
    (void)state;
    static long double a[N], b[N], kld[N], dp[N];
    long double ma = 0, mb = 0, mk = 0, md = 0, d2 = 0, va = 0, vb = 0, cov = 0, vd = 0, vk = 0;
    int same = 0;
    for (int i = 0; i < N; i++) {
        const float *q = logits + i * VOCAB, *p = ref + i * VOCAB;
        const long double zq = lse(q), zp = lse(p);
        int tq = 0, tp = 0;
        kld[i] = 0;
        for (int k = 0; k < VOCAB; k++) {
            const long double lp = (long double)p[k] - zp;
            kld[i] += expl(lp) * (lp - (long double)q[k] + zq);
            if (q[k] > q[tq]) tq = k;
            if (p[k] > p[tp]) tp = k;
        }
        a[i] = zq - (long double)q[token[i]];
        b[i] = zp - (long double)p[token[i]];
        dp[i] = expl(-a[i]) - expl(-b[i]);
        same += tq == tp;
        ma += a[i] / N, mb += b[i] / N, mk += kld[i] / N, md += dp[i] / N, d2 += dp[i] * dp[i] / N;
    }
    for (int i = 0; i < N; i++) {
        va += (a[i] - ma) * (a[i] - ma);
        vb += (b[i] - mb) * (b[i] - mb);
        cov += (a[i] - ma) * (b[i] - mb);
        vd += (a[i] - b[i] - ma + mb) * (a[i] - b[i] - ma + mb);
        vk += (kld[i] - mk) * (kld[i] - mk);
    }
    rg_score s = score_all(true);
    rg_score_stats o;
    assert_int_equal(rg_score_summary(&o, &s, NULL), RG_OK);
    const long double e = (long double)(N - 1) * N;
    near("nll", o.nll, ma, 1e-12);
    near("nll error", o.nll_error, sqrtl(va / e), 1e-10);
    near("ppl", o.ppl, expl(ma), 1e-12);
    near("ppl error", o.ppl_error, expl(ma) * sqrtl(va / e), 1e-10);
    near("ref ppl", o.ref_ppl, expl(mb), 1e-12);
    near("ln ratio", o.ln_ratio, ma - mb, 1e-9);
    near("ln ratio error", o.ln_ratio_error, sqrtl(vd / e), 1e-9);
    near("ppl ratio", o.ppl_ratio, expl(ma - mb), 1e-9);
    near("ppl diff", o.ppl_diff, expl(ma) - expl(mb), 1e-8);
    near("correlation", o.correlation, cov / sqrtl(va * vb), 1e-9);
    near("ppl diff error", o.ppl_diff_error,
        sqrtl((expl(2 * ma) * va + expl(2 * mb) * vb - 2 * expl(ma + mb) * cov) / e), 1e-6);
    near("kld", o.kld.mean, mk, 1e-9);
    near("kld error", o.kld.error, sqrtl(vk / e), 1e-9);
    near("dp", o.dp.mean, md, 1e-9);
    near("rms dp", o.rms_dp, sqrtl(d2), 1e-9);
    near("same top", o.same_top, (long double)same / N, 1e-12);
    assert_true(same > 0 && same < N);
    qsort(kld, N, sizeof *kld, up);
    qsort(dp, N, sizeof *dp, up);
    for (int i = 0; i < RG_SCORE_LEVELS; i++) {
        const double at = rg_score_levels[i] * (N - 1);
        const int lo = (int)at, hi = lo + 1 < N ? lo + 1 : lo;
        /* kept as floats */
        near("kld percentile", o.kld.at[i], kld[lo] + (at - lo) * (kld[hi] - kld[lo]), 1e-6);
        near("dp percentile", o.dp.at[i], dp[lo] + (at - lo) * (dp[hi] - dp[lo]), 1e-6);
    }
    rg_score_close(&s);
    s = score_all(false);
    assert_int_equal(rg_score_summary(&o, &s, NULL), RG_OK);
    near("nll without a reference", o.nll, ma, 1e-12);
    assert_false(o.reference);
    assert_true(isnan(o.kld.mean) && isnan(o.same_top) && isnan(o.ref_ppl));
    rg_score_close(&s);
}

static void a_model_is_no_distance_from_itself(void **state)
{
    (void)state;
    rg_score s = {0};
    rg_score_stats o;
    for (int i = 0; i < N; i++)
        assert_int_equal(rg_score_add(&s, ref + i * VOCAB, ref + i * VOCAB, VOCAB, token[i], NULL), RG_OK);
    assert_int_equal(rg_score_summary(&o, &s, NULL), RG_OK);
    assert_true(o.kld.mean >= 0.0 && o.kld.at[RG_SCORE_LEVELS - 1] < 1e-12);
    assert_true(
        o.dp.at[0] >= 0.0 && o.dp.at[RG_SCORE_LEVELS - 1] <= 0.0 && o.ppl_ratio >= 1.0 && o.ppl_ratio <= 1.0);
    assert_true(o.same_top >= 1.0 && o.ppl_diff_error < 1e-6 * o.ppl_error);
    rg_score_close(&s);
}

/* Far from zero the exponentials must neither overflow nor vanish. */
static void large_logits(void **state)
{
    (void)state;
    float a[4] = {1e30f, 1e30f, -1e30f, 0.0f}, b[4] = {-3000.0f, -3001.0f, -3002.0f, -3003.0f};
    near("lse", rg_log_sum_exp(b, 4), -3000.0L + logl(1 + expl(-1) + expl(-2) + expl(-3)), 1e-15);
    assert_true(isfinite(rg_log_sum_exp(a, 4)));
    float bad[4] = {0.0f, NAN, 1.0f, 2.0f};
    rg_score s = {0};
    rg_err err = {0};
    assert_int_equal(rg_score_add(&s, bad, NULL, 4, 0, &err), RG_E_INTERNAL);
    assert_int_equal(rg_score_add(&s, b, bad, 4, 0, &err), RG_E_INTERNAL);
    assert_non_null(strstr(err.msg, "reference"));
    assert_int_equal(s.n, 0);
    rg_score_stats o;
    assert_int_equal(rg_score_summary(&o, &s, &err), RG_E_USAGE);
    assert_int_equal(rg_score_add(&s, b, NULL, 4, 0, &err), RG_OK);
    assert_int_equal(rg_score_summary(&o, &s, &err), RG_OK);
    assert_true(isnan(o.nll_error)); /* one token has no spread */
    rg_score_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(statistics_follow_their_definitions),
        cmocka_unit_test(a_model_is_no_distance_from_itself), cmocka_unit_test(large_logits)};
    return cmocka_run_group_tests(tests, fill, drop);
}
