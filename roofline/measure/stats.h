/* Samples of a noisy measurement: median, spread, and an interval that says how far the median can be
 * trusted. */
#ifndef RG_STATS_H
#define RG_STATS_H

typedef struct rg_stats {
    int n;
    double mean, sd; /* sd: of the sample (n - 1); 0 with one */
    double median;
    /* distance of the 10th and 90th percentile / median (up to five samples: of all); 0 with one */
    double spread;
    double low, high; /* interval of the median; NAN with fewer than three samples */
} rg_stats;

/* v[n]. The interval is the exact one of order statistics: the k-th smallest and k-th largest sample, k as
 * large as keeps the chance that the true median lies outside below 5 % (binomial, one half). It assumes
 * nothing about the distribution, which has a long tail on a shared machine. With three to five samples it is
 * their range, which holds the median in 75, 87.5 and 94 %. n 0: all NAN. */
rg_stats rg_stats_of(const double *v, int n);

/* Value at a fraction of the sorted samples, in place between neighbours. */
double rg_sorted_at(const double *sorted, int n, double fraction);

#endif
