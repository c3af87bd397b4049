/* Medians, percentiles and the interval of the median, against values worked out by hand. */
#include "testing.h"

#include "roofline/measure/stats.h"

static void few_samples(void **state)
{
    (void)state;
    rg_stats s = rg_stats_of(NULL, 0);
    assert_int_equal(s.n, 0);
    assert_true(isnan(s.median) && isnan(s.mean));
    s = rg_stats_of((const double[]){7.0}, 1);
    assert_true(s.median == 7.0 && s.mean == 7.0 && isnan(s.sd) && isnan(s.spread) && isnan(s.low));
    s = rg_stats_of((const double[]){4.0, 2.0}, 2);
    assert_true(s.median == 3.0 && fabs(s.sd - sqrt(2.0)) < 1e-12 && isnan(s.high));
    s = rg_stats_of((const double[]){5.0, 1.0, 3.0, 2.0, 4.0}, 5);
    assert_true(s.median == 3.0 && s.mean == 3.0 && fabs(s.sd - sqrt(2.5)) < 1e-12);
    assert_true(fabs(s.spread - 4.0 / 3.0) < 1e-12); /* of all five */
    assert_true(s.low == 1.0 && s.high == 5.0);      /* the range */
}

static void percentiles(void **state)
{
    (void)state;
    double v[101];
    for (int i = 0; i <= 100; i++) v[i] = i;
    assert_true(rg_sorted_at(v, 101, 0.0) == 0.0 && rg_sorted_at(v, 101, 1.0) == 100.0 &&
        fabs(rg_sorted_at(v, 101, 0.255) - 25.5) < 1e-9);
    const rg_stats s = rg_stats_of(v, 101);
    assert_true(s.low == 40.0 && s.high == 60.0); /* 2.5 % of Binomial(101, 1/2) lies below 41 */
    assert_true(s.median == 50.0 && fabs(s.spread - 80.0 / 50.0) < 1e-12);
}

/* Of 15 samples of a skewed distribution, the fourth and the twelfth hold the true median between them in
 * 96.5 %. */
static void coverage(void **state)
{
    (void)state;
    enum { RUNS = 1000, N = 15 };
    rg_rng rng = {4711};
    int inside = 0;
    for (int r = 0; r < RUNS; r++) {
        double v[N];
        for (int i = 0; i < N; i++) v[i] = exp((double)rng_normal(&rng)); /* median 1 */
        const rg_stats a = rg_stats_of(v, N);
        assert_true(a.low <= a.median && a.median <= a.high);
        inside += a.low <= 1.0 && 1.0 <= a.high;
    }
    const rg_stats ten = rg_stats_of((const double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10);
    assert_true(ten.low == 2.0 && ten.high == 9.0);
    if (inside < RUNS * 92 / 100 || inside > RUNS * 995 / 1000)
        fail_msg("seed 4711: the interval holds the median in %d of %d", inside, RUNS);
}

/* Student's t on logarithms: 99 %, two degrees of freedom, then thirty. */
static void geometric_means(void **state)
{
    (void)state;
    const double three[] = {exp(0.1), exp(0.2), exp(0.3)};
    rg_interval x = rg_interval_of(three, 3);
    assert_true(fabs(log(x.value) - 0.2) < 1e-12);
    assert_true(fabs(log(x.high) - 0.2 - 9.925 * 0.1 / sqrt(3.0)) < 1e-9);
    assert_true(fabs(log(x.low) + log(x.high) - 0.4) < 1e-9);
    assert_true(isnan(rg_interval_of(three, 2).low) && isnan(rg_interval_of(three, 1).high));
    assert_true(fabs(rg_interval_of(three, 1).value - three[0]) < 1e-12);
    double many[31], sd = 0.0;
    for (int i = 0; i < 31; i++) many[i] = exp(0.01 * (i - 15)), sd += 1e-4 * (i - 15) * (i - 15) / 30.0;
    x = rg_interval_of(many, 31);
    assert_true(fabs(log(x.high) - 2.750 * sqrt(sd / 31.0)) < 0.001 * sqrt(sd / 31.0));
}

/* Of a hundred means of the same thing one interval misses it, with any number of values. */
static void coverage_of_means(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int n = 3; n <= 12; n += 3) {
        int missed = 0;
        for (int run = 0; run < 20000; run++) {
            double v[12];
            for (int i = 0; i < n; i++) {
                double z = -6.0; /* of twelve uniform ones: nearly normal */
                for (int k = 0; k < 12; k++) {
                    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                    z += (double)(seed >> 40) / (double)(1 << 24);
                }
                v[i] = exp(0.05 * z);
            }
            const rg_interval x = rg_interval_of(v, n);
            missed += x.low > 1.0 || x.high < 1.0;
        }
        if (missed < 120 || missed > 280) fail_msg("%d values: %d of 20000 miss", n, missed);
    }
}

static void ratios(void **state)
{
    (void)state;
    const rg_interval a = {2.0, 2.0 / 1.3, 2.0 * 1.3}, b = {4.0, 4.0 / 1.4, 4.0 * 1.4},
                      x = rg_interval_over(a, b);
    assert_true(fabs(x.value - 0.5) < 1e-12);
    assert_true(fabs(log(x.high / x.value) - hypot(log(1.3), log(1.4))) < 1e-12);
    assert_true(fabs(log(x.value / x.low) - hypot(log(1.3), log(1.4))) < 1e-12);
    assert_true(isnan(rg_interval_over(a, (rg_interval){4.0, NAN, NAN}).low));
    /* as people see them, 1.004 is 1.00 */
    assert_true(
        rg_interval_apart((rg_interval){1.1, 1.01, 1.2}) && rg_interval_apart((rg_interval){0.9, 0.8, 0.99}));
    assert_false(rg_interval_apart((rg_interval){1.1, 1.004, 1.2}));
    assert_false(rg_interval_apart((rg_interval){1.1, NAN, NAN}));
    assert_string_equal(rg_interval_name(5), "range");
    assert_string_equal(rg_interval_name(6), "95 % interval");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_samples), cmocka_unit_test(percentiles),
        cmocka_unit_test(coverage), cmocka_unit_test(geometric_means), cmocka_unit_test(coverage_of_means),
        cmocka_unit_test(ratios)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
