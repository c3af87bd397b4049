/* Counters through the probe: PAPI where something can be counted, a reason where not, and the modes. */
#include "testing.h"

#include <pthread.h>

#include "base/sysinfo.h"
#include "ops/rec.h"
#include "roofline/count/counters.h"

static const rg_host *here(void)
{
    static rg_host h;
    rg_host_here(&h);
    return &h;
}

typedef struct user {
    const rg_probe *p;
    int tid, rc, clock; /* clock: index of task_clock_ns, or -1 */
    uint64_t before[RG_MAX_CTR], after[RG_MAX_CTR];
    uint64_t wall_ns;
} user;

static void *use(void *arg)
{
    user *u = arg;
    u->rc = u->p->thread_open(u->p->self, u->tid);
    if (u->rc != 0) return NULL;
    u->p->read(u->p->self, u->tid, u->before);
    const uint64_t t0 = rg_now_ns();
    volatile double x = 1.0;
    while (rg_now_ns() - t0 < 20000000) x = x * 1.0000001;
    u->p->read(u->p->self, u->tid, u->after);
    u->wall_ns = rg_now_ns() - t0;
    u->p->thread_close(u->p->self, u->tid);
    return NULL;
}

static void test_counts(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    rg_counters *c;
    rg_err err;
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_OP, THREADS, here(), &err), RG_OK);
    const rg_probe *p = rg_counters_probe(c);
    if (!p) {
        assert_string_equal(rg_counters_status(c), "off");
        print_message("SKIPPED: nothing can be counted here: %s\n", rg_counters_reason(c));
        rg_counters_close(c);
        skip();
    }
    assert_in_range(p->n_ctr, 1, RG_MAX_CTR);
    assert_true(rg_counters_read_ns(c) > 0.0);
    int clock = -1;
    for (int i = 0; i < p->n_ctr; i++) {
        assert_non_null(rg_counters_name(c, i));
        if (strcmp(rg_counters_name(c, i), "task_clock_ns") == 0) clock = i;
    }
    assert_null(rg_counters_name(c, p->n_ctr));
    user u[THREADS];
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        u[i] = (user){.p = p, .tid = i, .clock = clock};
        assert_int_equal(pthread_create(&t[i], NULL, use, &u[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(u[i].rc, 0);
        for (int k = 0; k < p->n_ctr; k++) assert_true(u[i].after[k] >= u[i].before[k]);
        /* CPU time of a busy thread: some, and not more than passed (10 % for the clocks' difference) */
        if (clock >= 0) {
            const uint64_t ns = u[i].after[clock] - u[i].before[clock];
            assert_true(ns > 0 && ns < u[i].wall_ns + u[i].wall_ns / 10 + 1000000);
        }
    }
    assert_int_not_equal(p->thread_open(p->self, THREADS), 0); /* no such thread */
    rg_counters_close(c);
}

static void test_reason(void **state)
{
    (void)state;
    rg_counters *c;
    rg_err err;
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 1, here(), &err), RG_OK);
    const bool hardware = strcmp(rg_counters_status(c), "hardware") == 0;
    assert_int_equal(rg_counters_reason(c) == NULL, hardware);
    if (!hardware) { /* what is missing, what is reported instead, what would help, on one line */
        const char *why = rg_counters_reason(c);
        assert_non_null(strstr(why, "no hardware counters: "));
        assert_non_null(strstr(why, "Reported instead"));
        assert_non_null(strstr(why, "To have them: "));
        assert_null(strchr(why, '\n'));
    }
    rg_counters_close(c);
}

static void test_off(void **state)
{
    (void)state;
    rg_counters *c;
    rg_err err;
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_OFF, 2, here(), &err), RG_OK);
    assert_null(rg_counters_probe(c));
    assert_string_equal(rg_counters_status(c), "off");
    assert_non_null(strstr(rg_counters_reason(c), "--counters"));
    assert_null(rg_counters_name(c, 0));
    assert_near(rg_counters_read_ns(c), 0.0, 0.0);
    rg_counters_close(c);
    rg_counters_close(NULL);
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 0, here(), &err), RG_E_USAGE);
}

static void test_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* PAPI starts once per process; opening again must work the same */
        rg_counters *c;
        rg_err err;
        assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 1, here(), &err), RG_OK);
        const rg_probe *p = rg_counters_probe(c);
        if (p) {
            assert_int_equal(p->thread_open(p->self, 0), 0);
            p->thread_close(p->self, 0);
            p->thread_close(p->self, 0);
        }
        rg_counters_close(c);
    }
}

/* auto: operators, layers or nothing, by what a read costs; never above the limit. */
static void test_choose(void **state)
{
    (void)state;
    rg_counters *c;
    rg_err err;
    double share;
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 1, here(), &err), RG_OK);
    const rg_probe *p = rg_counters_probe(c);
    if (!p) {
        assert_int_equal(rg_counters_choose(c, 100, 10, 1e9, &share), RG_COUNTERS_OFF);
    } else {
        const double ns = rg_counters_read_ns(c);
        assert_int_equal(rg_counters_choose(c, 100, 10, 100 * ns / 0.02, &share), RG_COUNTERS_OP);
        assert_near(share, 0.02, 1e-9);
        assert_false(p->by_layer);
        assert_int_equal(rg_counters_choose(c, 100, 10, 100 * ns / 0.05, &share), RG_COUNTERS_LAYER);
        assert_near(share, 0.005, 1e-9);
        assert_true(p->by_layer);
        assert_int_equal(rg_counters_choose(c, 100, 10, 100 * ns / 0.5, &share), RG_COUNTERS_OFF);
        assert_near(share, 0.05, 1e-9);
    }
    rg_counters_close(c);
}

/* Every metric is available or says why not and what would help. */
static void test_metrics(void **state)
{
    (void)state;
    rg_counters *c;
    rg_err err;
    for (int mode = RG_COUNTERS_AUTO; mode <= RG_COUNTERS_OP; mode++) {
        int n, places = 0;
        assert_int_equal(rg_counters_open(&c, (rg_counters_mode)mode, 1, here(), &err), RG_OK);
        const rg_metric *m = rg_counters_metrics(c, &n);
        assert_in_range(n, 8, RG_MAX_METRICS);
        for (int i = 0; i < n; i++) {
            assert_true(m[i].available == (m[i].reason[0] == 0));
            assert_true(m[i].available == (m[i].remedy[0] == 0));
            assert_true(m[i].available == (m[i].events[0] != 0));
            assert_true(m[i].available == (m[i].ctr >= 0));
            if (m[i].available) assert_string_equal(rg_counters_name(c, m[i].ctr), m[i].name);
            places += m[i].available;
        }
        assert_int_equal(places, rg_counters_probe(c) ? rg_counters_probe(c)->n_ctr : 0);
        rg_counters_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_reason),
        cmocka_unit_test(test_off), cmocka_unit_test(test_again), cmocka_unit_test(test_choose),
        cmocka_unit_test(test_metrics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
