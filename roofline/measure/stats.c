/* Median, spread and the exact interval of the median; means of independent values with Student's t. */
#include "roofline/measure/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int rg_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double rg_sorted_at(const double *sorted, int n, double fraction)
{
    const double at = fraction * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Samples to leave out at either end: the largest c with P(Binomial(n, 1/2) <= c) <= 2.5 %. */
static int left_out(int n)
{
    double term = ldexp(1.0, -n), below = 0.0; /* P(X = c) */
    int c = 0;
    if (n > 1000) return (int)(n / 2.0 - 0.98 * sqrt(n)); /* 2^-n underflows; the normal limit */
    for (; below + term <= 0.025; c++) {
        below += term;
        term *= (double)(n - c) / (c + 1);
    }
    return c > 0 ? c - 1 : 0;
}

rg_stats rg_stats_of(const double *v, int n)
{
    rg_stats s = {.n = n, .mean = NAN, .sd = NAN, .median = NAN, .spread = NAN, .low = NAN, .high = NAN};
    double *sorted = n > 0 ? malloc((size_t)n * sizeof *sorted) : NULL;
    if (!sorted) return s;
    memcpy(sorted, v, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, rg_by_value);
    s.mean = s.sd = 0.0;
    for (int i = 0; i < n; i++) s.mean += v[i] / n;
    for (int i = 0; i < n; i++) s.sd += (v[i] - s.mean) * (v[i] - s.mean);
    s.sd = n > 1 ? sqrt(s.sd / (n - 1)) : NAN;
    s.median = rg_sorted_at(sorted, n, 0.5);
    const int cut = (n + 4) / 10;
    if (n > 1) s.spread = s.median > 0.0 ? (sorted[n - 1 - cut] - sorted[cut]) / s.median : 0.0;
    if (n > 2) {
        s.low = sorted[left_out(n)];
        s.high = sorted[n - 1 - left_out(n)];
    }
    free(sorted);
    return s;
}

const char *rg_interval_name(int n) { return n < 6 ? "range" : "95 % interval"; }

/* The level that Student's t with f degrees of freedom exceeds in 0.5 %: a table, then the expansion about
 * the normal distribution, right to 0.001. */
static double t_995(int f)
{
    static const double low[] = {NAN, 63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250};
    const double z = 2.575829, z3 = z * z * z, z5 = z3 * z * z, x = f;
    if (f < (int)(sizeof low / sizeof *low)) return low[f];
    return z + (z3 + z) / (4.0 * x) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * x * x) +
        (3.0 * z5 * z * z + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * x * x * x);
}

rg_interval rg_interval_of(const double *v, int n)
{
    double mean = 0.0, sum = 0.0;
    for (int i = 0; i < n; i++) mean += log(v[i]) / n;
    for (int i = 0; i < n; i++) sum += (log(v[i]) - mean) * (log(v[i]) - mean);
    const double half = n > 2 ? t_995(n - 1) * sqrt(sum / (n - 1) / n) : NAN;
    return (rg_interval){exp(mean), exp(mean - half), exp(mean + half)};
}

rg_interval rg_interval_over(rg_interval a, rg_interval b)
{
    const double down = hypot(log(a.value / a.low), log(b.high / b.value)),
                 up = hypot(log(a.high / a.value), log(b.value / b.low)), x = a.value / b.value;
    return (rg_interval){x, x * exp(-down), x * exp(up)};
}

bool rg_interval_apart(rg_interval ratio) { return ratio.low >= 1.005 || ratio.high <= 0.995; }
