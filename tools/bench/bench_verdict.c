/* Is it quiet enough, and which settings differ? Sentences computed from the samples. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "report/gain.h"
#include "tools/bench/bench.h"

enum { MOST_LINES = 12 };

bool rg_bench_noise(rg_lines *out, const rg_bench *b)
{
    const rg_bench_row *worst = NULL;
    double most = -1.0;
    int few = 0, one = 0, rows = 0;
    char a[32];
    for (int i = 0; i < b->n_rows; i++) {
        const rg_bench_row *r = &b->row[i];
        if (r->n == 0) continue;
        rows++;
        few += r->n < 3;
        one += r->n == 1;
        const double spread = rg_stats_of(r->ns, r->n).spread;
        if (spread > most) {
            most = spread;
            worst = r;
        }
    }
    if (rows == 0) return true;
    if (few == rows || !worst) {
        rg_lines_add(out, "noise: not known: fewer than three samples per test%s; use -r 5 or more.",
            one == rows ? ", and one sample deviates from nothing" : "");
        return true;
    }
    const char *test = b->test[worst->test].name;
    const char *of = b->n_settings > 1 ? RG_TEXT(200, " (%s)", b->setting[worst->setting].label) : "";
    rg_percent(a, sizeof a, most);
    if (most <= 0.05)
        rg_lines_add(out,
            "noise: quiet: the samples of each test lie at most %s of their median apart (10th to 90th "
            "percentile).",
            a);
    else if (most <= 0.15)
        rg_lines_add(out,
            "noise: some: the samples of %s%s lie %s of their median apart; smaller differences than the "
            "intervals mean nothing.",
            test, of, a);
    else
        rg_lines_add(out,
            "noise: too much: the samples of %s%s lie %s of their median apart: something else runs on "
            "these cores; use -r 10 or more, or wait.",
            test, of, a);
    return most <= 0.15;
}

rg_interval rg_bench_ratio(const rg_bench_row *a, const rg_bench_row *b, int *n)
{
    double *x = a->n && b->n ? malloc((size_t)rg_min(a->n, b->n) * sizeof *x) : NULL;
    *n = x ? (int)rg_min(a->n, b->n) : 0;
    for (int i = 0; i < *n; i++) x[i] = a->ns[i] / b->ns[i];
    const rg_stats s = rg_stats_of(x, *n);
    free(x);
    return (rg_interval){s.median, s.low / (1.0 + RG_PLACEMENT), s.high * (1.0 + RG_PLACEMENT)};
}

static int against_first(rg_lines *out, const rg_bench *b, const rg_bench_row *base, const rg_bench_row *r)
{
    int n;
    const rg_interval s = rg_bench_ratio(base, r, &n);
    const char *test = b->test[r->test].name, *label = b->setting[r->setting].label,
               *first = b->setting[base->setting].label, *x = RG_NUM(s.value), *lo = RG_NUM(s.low),
               *hi = RG_NUM(s.high);
    if (n == 0) return 0;
    if (!isfinite(s.low))
        rg_lines_add(out, "%s: the speed of %s is %s times that of %s; too few samples for an interval.",
            test, label, x, first);
    else if (rg_interval_apart(s))
        rg_lines_add(out,
            "%s: %s runs %s times as fast as %s (%s to %s: %s, and %.0f %% for where one load lies in "
            "memory).",
            test, label, x, first, lo, hi, rg_interval_name(n), 100.0 * RG_PLACEMENT);
    else
        rg_lines_add(out,
            "%s: %s and %s cannot be told apart: %s to %s, of which %.0f %% is where one load lies in "
            "memory; "
            "ridge compare loads each several times.",
            test, label, first, lo, hi, 100.0 * RG_PLACEMENT);
    return 1;
}

/* Roofs and samples are minutes apart on a shared machine: a share above 1 says so. */
static void above_roof(rg_lines *out, const rg_bench *b)
{
    char a[32];
    const rg_bench_row *worst = NULL;
    double most = 1.02;
    int rows = 0;
    for (int i = 0; i < b->n_rows; i++) {
        rg_doc_result n;
        rg_bench_figures(&n, b, &b->row[i]);
        if (!(n.roof_fraction > 1.02)) continue;
        rows++;
        if (n.roof_fraction <= most) continue;
        most = n.roof_fraction;
        worst = &b->row[i];
    }
    if (worst)
        rg_lines_add(out,
            "roofs: %d result%s above, most %s (%s, at %s): operands stay in caches closer than their "
            "footprint says, or the roofs were measured on a busier machine.",
            rows, rows == 1 ? " lies" : "s lie", b->test[worst->test].name, b->setting[worst->setting].label,
            rg_percent(a, sizeof a, most));
}

void rg_bench_notes(rg_lines *out, const rg_bench *b)
{
    above_roof(out, b);
    if (!b->together)
        rg_lines_add(out,
            "memory does not hold all engines at once: they were loaded in turns, %d times each, so drift "
            "between turns is part of the ratios.",
            b->loads);
    if (b->interrupted) rg_lines_add(out, "interrupted: this is the part that was measured before the stop.");
}

void rg_bench_verdict(rg_lines *out, const rg_bench *b)
{
    rg_bench_noise(out, b);
    int said = 0, left = 0;
    for (int t = 0; t < b->n_tests; t++)
        for (int s = 1; s < b->n_settings; s++) {
            if (said < MOST_LINES)
                said += against_first(out, b, &b->row[t], &b->row[s * b->n_tests + t]);
            else
                left++;
        }
    if (left)
        rg_lines_add(out, "%d further comparisons with %s are left out: -o json has the samples of all.",
            left, b->setting[0].label);
    rg_bench_notes(out, b);
}
