/* Counters through the probe: PAPI where something can be counted, a reason where not, and the modes. */
#include "testing.h"

#include <pthread.h>

#include "base/sysinfo.h"
#include "ops/rec.h"
#include "roof_fixture.h"
#include "roofline/counters.h"

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
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_OP, THREADS, &err), RG_OK);
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
        if (clock >= 0) { /* CPU time of a busy thread: some, and not more than passed (10 % for the clocks' difference) */
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
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 1, &err), RG_OK);
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
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_OFF, 2, &err), RG_OK);
    assert_null(rg_counters_probe(c));
    assert_string_equal(rg_counters_status(c), "off");
    assert_non_null(strstr(rg_counters_reason(c), "--counters"));
    assert_null(rg_counters_name(c, 0));
    assert_near(rg_counters_read_ns(c), 0.0, 0.0);
    rg_counters_close(c);
    rg_counters_close(NULL);
    assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 0, &err), RG_E_USAGE);
}

static void test_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* PAPI starts once per process; opening again must work the same */
        rg_counters *c;
        rg_err err;
        assert_int_equal(rg_counters_open(&c, RG_COUNTERS_AUTO, 1, &err), RG_OK);
        const rg_probe *p = rg_counters_probe(c);
        if (p) {
            assert_int_equal(p->thread_open(p->self, 0), 0);
            p->thread_close(p->self, 0);
            p->thread_close(p->self, 0);
        }
        rg_counters_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_reason), cmocka_unit_test(test_off), cmocka_unit_test(test_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
