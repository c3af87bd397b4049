/* Figures over the loads of an engine. What lies where in memory adds some percent and stays for a load, so
 * the loads are the independent values: many samples within one say nothing of it. */
#include <math.h>

#include "base/num.h"
#include "tools/bench/bench.h"

/* Time of an operator in a repetition. */
static double site_ns(const rg_log *log, rg_site site)
{
    double t = 0.0;
    for (size_t i = 0; i < log->n; i++)
        if (log->rec[i].site == site) t += (double)log->rec[i].t_ns;
    return t;
}

void rg_bench_op_times(rg_op_times *out, const rg_takes *t)
{
    double v[RG_MOST_TAKES];
    out->run_ns = t->take[rg_takes_median(t, RG_PHASE_COUNT)].ns[RG_PHASE_COUNT];
    for (int p = 0; p < RG_PHASE_COUNT; p++)
        for (int s = 0; s < RG_SITE_COUNT; s++) {
            int n = 0;
            for (int i = 0; i < t->n && n < RG_MOST_TAKES; i++)
                if (t->take[i].whole) v[n++] = site_ns(&t->take[i].log[p], s);
            out->ns[p][s] = rg_stats_of(v, n).median;
        }
}

bool rg_bench_typical(const rg_bench_row *r, double ns, double than)
{
    double v[RG_MOST_LOADS];
    const int n = (int)rg_min(r->n_ops, RG_MOST_LOADS);
    for (int i = 0; i < n; i++) v[i] = r->ops[i].run_ns;
    const double mid = rg_stats_of(v, n).median;
    return fabs(ns - mid) < fabs(than - mid);
}

int rg_bench_load_times(double out[RG_MOST_LOADS], const rg_bench_row *r)
{
    int n = 0;
    for (int i = 0, end; i < r->n && n < RG_MOST_LOADS; i = end) {
        for (end = i; end < r->n && r->load[end] == r->load[i];) end++;
        out[n++] = rg_stats_of(r->ns + i, end - i).median;
    }
    return n;
}

rg_interval rg_bench_time(const rg_bench_row *r)
{
    double t[RG_MOST_LOADS];
    const int n = rg_bench_load_times(t, r);
    return n > 0 ? rg_interval_of(t, n) : (rg_interval){NAN, NAN, NAN};
}

rg_interval rg_bench_gain(const rg_bench_row *a, const rg_bench_row *b)
{
    double x[RG_MOST_LOADS], y[RG_MOST_LOADS];
    const int n = (int)rg_min(rg_bench_load_times(x, a), rg_bench_load_times(y, b));
    if (n == 0) return (rg_interval){NAN, NAN, NAN};
    for (int i = 0; i < n; i++) x[i] /= y[i];
    rg_interval g = rg_interval_of(x, n);
    /* of a measurement that was stopped, one row may have a load more */
    const double f = rg_bench_time(a).value / rg_bench_time(b).value / g.value;
    return (rg_interval){f * g.value, f * g.low, f * g.high};
}
