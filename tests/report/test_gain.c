/* What is said of two runs: a difference only where the intervals hold one, and what it was worth. */
#include "testing.h"

#include "report/verdict.h"
#include "roof_fixture.h"

/* A run whose decode takes `factor` times as long, known to within rel; bytes: what a step streams. */
static rg_report *make(const rg_machine *m, const char *dtype, double factor, double rel, int64_t bytes)
{
    rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    i.dtype = dtype;
    i.stream_bytes = (uint64_t)bytes;
    fixture_log(&l);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        double t = 0.0;
        for (size_t k = 0; k < l.n_steps; k++) {
            if (l.step[k].phase != ph) continue;
            l.step[k].t_ns = (uint64_t)((double)l.step[k].t_ns * factor);
            t += (double)l.step[k].t_ns;
        }
        u.low_ns[ph] = rel > 0.0 ? t / (1.0 + rel) : 0.0;
        u.high_ns[ph] = rel > 0.0 ? t * (1.0 + rel) : 0.0;
    }
    if (rg_report_build(&r, m, &i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    return r;
}

/* The two runs of a session. */
static rg_reports pair(const rg_machine *m, double factor, double rel, int64_t bytes)
{
    rg_report *r[2] = {make(m, "f16", factor, rel, 1 << 30), make(m, "q4g64", 1.0, rel, bytes)};
    const rg_reports s = fixture_reports((const rg_report *const *)r, 2);
    for (int i = 0; i < 2; i++) rg_report_close(r[i]);
    return s;
}

static bool says(const rg_lines *l, const char *a, const char *b)
{
    for (int i = 0; i < l->n; i++)
        if (strstr(l->s[i], a) && strstr(l->s[i], b)) return true;
    return false;
}

/* Runs that were loaded once: their intervals, and 10 % for the placement of the load. */
static void one_load(void **state)
{
    (void)state;
    static const struct {
        double factor, rel;
        bool faster, apart_not, unknown;
    } cases[] = {{2.0, 0.01, true, false, false}, {0.5, 0.01, true, false, false},
        {1.0, 0.01, false, true, false}, {1.08, 0.001, false, true, false}, {1.15, 0.01, true, false, false},
        {1.15, 0.1, false, true, false}, {2.0, 0.0, false, false, true}};
    const rg_machine m = fixture_machine();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rg_reports s = pair(&m, cases[i].factor, cases[i].rel, 1 << 30);
        rg_lines l = {0};
        rg_verdict_compare(&l, &s.run[0], &s.run[1], NULL);
        assert_false(l.failed);
        if (says(&l, "decode: q4g64 runs", "times as fast as f16") != cases[i].faster ||
            says(&l, "decode: q4g64 and f16 cannot be told apart", "against") != cases[i].apart_not ||
            says(&l, "decode: q4g64 ran at", "too few repetitions") != cases[i].unknown)
            fail_msg("%g times, +- %g: %s", cases[i].factor, cases[i].rel, l.s[0]);
        /* nothing else is claimed behind it */
        for (int k = 0; !cases[i].faster && k < l.n; k++) assert_null(strstr(l.s[k], "times as fast"));
        rg_lines_free(&l);
        rg_reports_close(&s);
    }
}

/* The gain is the ratio of the speeds that stand beside it. */
static void one_number(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_reports s = pair(&m, 1.5, 0.02, 1 << 30);
    const rg_doc_side g = rg_gain_side(&s.run[0], &s.run[1], RG_DECODE);
    assert_true(g.gain == g.tokens_per_s / s.run[0].phase[RG_DECODE].tokens_per_s);
    assert_true(fabs(g.gain_high / g.gain - 1.02 * 1.02 * (1.0 + RG_PLACEMENT)) < 1e-6);
    assert_true(fabs(g.gain_reached * g.gain_expected - g.gain) < 1e-9 * g.gain);
    rg_reports_close(&s);
}

/* A roof that binds both alike leaves what a change was worth exact; one that binds one of them does not. */
static void worth(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    rg_reports s = pair(&m, 1.0, 0.01, 1 << 30);
    rg_interval w = rg_gain_worth(&s.run[0], &s.run[1], RG_DECODE);
    assert_true(w.value == 1.0 && w.low == 1.0 && w.high == 1.0);
    rg_reports_close(&s);
    m.bw[0].read_gbps.spread = 0.2;
    m.bw[1].read_gbps.spread = 0.1;
    s = pair(&m, 1.0, 0.01, 1 << 20); /* of other footprints: both roofs count */
    w = rg_gain_worth(&s.run[0], &s.run[1], RG_DECODE);
    const double all = hypot(log1p(0.1), log1p(0.05)), least = exp(all / 2.0), most = exp(all * 1.1);
    assert_true(w.value > 2.0);
    if (!(w.high / w.value > least && w.high / w.value < most)) fail_msg("%g to %g", w.low, w.high);
    assert_true(fabs(w.value / w.low - w.high / w.value) < 1e-9);
    rg_reports_close(&s);
}

/* Sides that were loaded several times bring their own intervals. */
static void sides(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_reports s = pair(&m, 1.04, 0.001, 1 << 30);
    rg_doc_side side[RG_PHASE_COUNT];
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) side[ph] = rg_gain_side(&s.run[0], &s.run[1], ph);
    side[RG_DECODE].gain_low = 1.03;
    side[RG_DECODE].gain_high = 1.05;
    rg_lines l = {0};
    rg_verdict_compare(&l, &s.run[0], &s.run[1], side);
    assert_true(says(&l, "decode: q4g64 runs 1.04 times as fast as f16", "between 1.03 and 1.05"));
    assert_true(says(&l, "prefill: q4g64 and f16 cannot be told apart", "ratio between"));
    rg_lines_free(&l);
    rg_reports_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_load), cmocka_unit_test(one_number),
        cmocka_unit_test(worth), cmocka_unit_test(sides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
