/* Samples of a noisy measurement: median, spread, and how far the median can be trusted. */
#ifndef RG_STATS_H
#define RG_STATS_H

typedef struct rg_stats {
    int n;
    double mean, sd; /* sd: of the sample (n - 1); 0 with one */
    double median;
    /* 10th to 90th percentile / median (up to five samples: all of them); 0 with one */
    double spread;
    double low, high; /* interval of the median; NAN below three samples */
} rg_stats;

/* v[n]; n 0: all NAN. The interval is the exact one of order statistics: the k-th smallest and largest
 * sample, k as large as keeps the true median outside in less than 5 % (binomial, one half). It assumes
 * nothing about the distribution, which has a long tail on a shared machine. Three to five samples: their
 * range, which holds the median in 75, 87.5 and 94 %. */
rg_stats rg_stats_of(const double *v, int n);

/* Order of doubles, for qsort. */
int rg_by_value(const void *a, const void *b);
/* Value at a fraction of the sorted samples, interpolated. */
double rg_sorted_at(const double *sorted, int n, double fraction);

#endif
