/* Samples of a noisy measurement: median, spread, and how far the median can be trusted; and figures that are
 * known to within an interval. */
#ifndef RG_STATS_H
#define RG_STATS_H

#include <stdbool.h>

typedef struct rg_stats {
    int n;
    double mean, sd; /* sd: of the sample (n - 1); NAN with one, which deviates from nothing */
    double median;
    /* 10th to 90th percentile / median (up to five samples: all of them); NAN with one */
    double spread;
    double low, high; /* interval of the median; NAN below three samples */
} rg_stats;

/* v[n]; n 0: all NAN. The interval is the exact one of order statistics: the k-th smallest and largest
 * sample, k as large as keeps the true median outside in less than 5 % (binomial, one half). It assumes
 * nothing about the distribution, which has a long tail on a shared machine. Three to five samples: their
 * range, which holds the median in 75, 87.5 and 94 %. */
rg_stats rg_stats_of(const double *v, int n);

/* What the interval of n samples is called: "range" up to five, then "95 % interval". */
const char *rg_interval_name(int n);

/* A figure and what it lies between; low and high NAN: not known. */
typedef struct rg_interval {
    double value, low, high;
} rg_interval;

/* Of n > 0 values that each began from scratch, such as times in engines that were loaded anew: geometric
 * mean, and the 99 % interval of Student's t on the logarithms. With three values nothing narrower can be
 * defended: resampling them would miss the truth in one of four. Below three: no interval. */
rg_interval rg_interval_of(const double *v, int n);
/* a / b, whose errors are independent. */
rg_interval rg_interval_over(rg_interval a, rg_interval b);
/* False where a ratio may be 1, at the three digits that people see; unknown intervals hold 1. */
bool rg_interval_apart(rg_interval ratio);

/* Order of doubles, for qsort. */
int rg_by_value(const void *a, const void *b);
/* Value at a fraction of the sorted samples, interpolated. */
double rg_sorted_at(const double *sorted, int n, double fraction);

#endif
