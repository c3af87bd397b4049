/* Repetitions joined into one log: medians of every call, stalls beside them, roofs of their time. */
#include "testing.h"

#include <stdlib.h>

#include "tools/measure/measure.h"

enum { REPS = 5, STEPS = 6, OPS = 4, STALL = 3000000 };

/* A call of step s, operator o, repetition k: 10 to 40 us and up to 100 ns of noise. */
static uint64_t time_of(int k, int s, int o)
{
    return (uint64_t)(10000 * (o + 1) + 50 * ((k * 7 + s + o) % 3));
}

static void fill(rg_take *t, int k)
{
    rg_log *l = &t->log[RG_DECODE];
    assert_int_equal(rg_log_open(&t->log[RG_PREFILL], 0, 0), 0);
    assert_int_equal(rg_log_open(l, STEPS, OPS), 0);
    for (int s = 0; s < STEPS; s++) {
        uint64_t sum = 500; /* outside of operators */
        for (int o = 0; o < OPS; o++) {
            l->rec[l->n++] = (rg_rec){.site = (uint8_t)(RG_SITE_ATTN_NORM + o),
                .phase = RG_DECODE,
                .step = (uint32_t)s,
                .t_ns = time_of(k, s, o),
                .n_threads = 1};
            sum += time_of(k, s, o);
        }
        l->step[l->n_steps++] = (rg_step){.phase = RG_DECODE, .tokens = 1, .t_ns = sum, .ctx = s + 1};
        t->ns[RG_DECODE] += (double)sum;
    }
    t->ns[RG_PHASE_COUNT] = t->ns[RG_DECODE];
    t->whole = t->steady = true;
    t->before = t->after = (rg_roof_sample){50.0, 200.0, 400.0};
}

static void open_takes(rg_takes *t, int n)
{
    *t = (rg_takes){.take = calloc((size_t)n, sizeof *t->take),
        .paired = calloc((size_t)n, sizeof *t->paired),
        .n = n,
        .cap = n};
    assert_non_null(t->take);
    for (int k = 0; k < n; k++) fill(&t->take[k], k);
}

static void stall(rg_take *t, int step, int op)
{
    t->log[RG_DECODE].rec[step * OPS + op].t_ns += STALL;
    t->log[RG_DECODE].step[step].t_ns += STALL;
    t->ns[RG_DECODE] += STALL;
    t->ns[RG_PHASE_COUNT] += STALL;
}

static void close_takes(rg_takes *t)
{
    for (int k = 0; k < t->cap; k++)
        for (int p = 0; p < RG_PHASE_COUNT; p++) rg_log_close(&t->take[k].log[p]);
    free(t->take);
    free(t->paired);
}

static double total(const rg_log *l)
{
    double t = 0.0;
    for (size_t i = 0; i < l->n_steps; i++) t += (double)l->step[i].t_ns;
    return t;
}

/* Operators and the rest are the steps exactly. */
static void check_sums(const rg_log *l)
{
    size_t i = 0;
    for (size_t s = 0; s < l->n_steps; s++) {
        uint64_t sum = 0;
        for (; i < l->n && l->rec[i].step == s; i++) sum += l->rec[i].t_ns;
        assert_int_equal(l->step[s].t_ns, sum + 500);
    }
}

/* Stalls in most repetitions, even in the median one, change no figure; they are counted by operator. */
static void test_stalls_are_beside_the_figures(void **state)
{
    (void)state;
    rg_err err;
    rg_takes t;
    rg_log calm, out;
    rg_run_info run = {0};
    open_takes(&t, REPS);
    assert_int_equal(rg_takes_join(&calm, &run, &t, false, &err), RG_OK);
    check_sums(&calm);
    assert_int_equal(run.repetitions, REPS);
    for (int s = 0; s <= RG_SITE_COUNT; s++) assert_int_equal(run.stalls[RG_DECODE].n[s], 0);
    for (int k = 0; k < REPS - 1; k++) stall(&t.take[k], k % STEPS, 2);
    run = (rg_run_info){0};
    assert_int_equal(rg_takes_join(&out, &run, &t, false, &err), RG_OK);
    check_sums(&out);
    assert_near(total(&out), total(&calm), (REPS - 1) * 100.0); /* a stalled time may have been the median */
    assert_int_equal(run.stalls[RG_DECODE].n[RG_SITE_ATTN_NORM + 2], REPS - 1);
    assert_near(run.stalls[RG_DECODE].ns[RG_SITE_ATTN_NORM + 2], (REPS - 1) * (double)STALL, 1000.0);
    assert_true(run.spread[RG_DECODE] < 0.01);
    assert_true(run.low_ns[RG_DECODE] <= total(&out) && total(&out) <= run.high_ns[RG_DECODE]);
    double wall = 0.0; /* the clock of the median repetition, which stalled */
    for (size_t s = 0; s < out.n_steps; s++) wall += (double)out.step[s].wall_ns;
    assert_true(wall > total(&out) + 0.9 * STALL);
    rg_log_close(&calm);
    rg_log_close(&out);
    close_takes(&t);
}

/* A lone repetition has its neighbours: the same operator in the steps around. */
static void test_one_repetition(void **state)
{
    (void)state;
    rg_err err;
    rg_takes t;
    rg_log out;
    rg_run_info run = {0};
    open_takes(&t, 1);
    stall(&t.take[0], 3, 1);
    assert_int_equal(rg_takes_join(&out, &run, &t, false, &err), RG_OK);
    check_sums(&out);
    for (int o = 0; o < OPS; o++) /* what did not stall is as it was */
        if (o != 1) assert_int_equal(out.rec[3 * OPS + o].t_ns, time_of(0, 3, o));
    assert_near((double)out.rec[3 * OPS + 1].t_ns, 20050.0, 51.0);
    assert_int_equal(run.stalls[RG_DECODE].n[RG_SITE_ATTN_NORM + 1], 1);
    rg_log_close(&out);
    close_takes(&t);
}

/* Roofs beside repetitions: pairs of the steady ones, and what the run found. */
static void test_unsteady_repetitions_are_left_out(void **state)
{
    (void)state;
    rg_err err;
    rg_takes t;
    rg_log out;
    rg_run_info run = {0};
    open_takes(&t, REPS);
    t.take[1].steady = false;
    t.take[1].after = (rg_roof_sample){25.0, 200.0, 400.0};
    t.take[2].after.read_gbps = 55.0;
    for (size_t i = 0; i < t.take[1].log[RG_DECODE].n; i++) t.take[1].log[RG_DECODE].rec[i].t_ns /= 4;
    assert_int_equal(rg_takes_join(&out, &run, &t, false, &err), RG_OK);
    check_sums(&out);
    assert_int_equal(run.repetitions, REPS - 1);
    assert_int_equal(run.dropped, 1);
    assert_int_equal(run.stalls[RG_DECODE].n[RG_SITE_COUNT], 0);
    assert_near(t.now.read_gbps, 50.0, 1e-9);
    assert_near(t.now.fma_gflops, 200.0, 1e-9);
    double most = 0.0;
    for (int i = 0; i < run.repetitions; i++)
        if (run.paired[i].read > most) most = run.paired[i].read;
    assert_near(most, 1.1, 1e-9);
    assert_near(run.canary.l2_gbps, 400.0, 1e-9);
    rg_log_close(&out);
    close_takes(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stalls_are_beside_the_figures),
        cmocka_unit_test(test_one_repetition),
        cmocka_unit_test(test_unsteady_repetitions_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
