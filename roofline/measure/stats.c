/* Median, spread and the exact interval of the median. */
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
    s.sd = n > 1 ? sqrt(s.sd / (n - 1)) : 0.0;
    s.median = rg_sorted_at(sorted, n, 0.5);
    const int cut = (n + 4) / 10;
    s.spread = s.median > 0.0 ? (sorted[n - 1 - cut] - sorted[cut]) / s.median : 0.0;
    if (n > 2) {
        s.low = sorted[left_out(n)];
        s.high = sorted[n - 1 - left_out(n)];
    }
    free(sorted);
    return s;
}
