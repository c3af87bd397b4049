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
    assert_true(s.median == 7.0 && s.mean == 7.0 && s.sd == 0.0 && s.spread == 0.0 && isnan(s.low));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_samples), cmocka_unit_test(percentiles), cmocka_unit_test(coverage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
