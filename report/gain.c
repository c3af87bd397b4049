/* Gains, and what a change was worth on the roofs, as ratios with intervals. */
#include "report/gain.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

rg_interval rg_gain_once(rg_interval base, rg_interval speed)
{
    return (rg_interval){speed.value / base.value, speed.low / base.high / (1.0 + RG_PLACEMENT),
        speed.high / base.low * (1.0 + RG_PLACEMENT)};
}

/* ---- worth ---- */

/* Part of a phase's ideal time that a roof sets: a peak by name, or NULL: reading. NAN: no operators. */
static double bound_by(const rg_run *r, rg_phase ph, const char *peak)
{
    double part = 0.0, all = 0.0;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));) {
        const bool reads = w->roof && strncmp(w->roof, "read ", 5) == 0;
        all += w->analytic.ideal_ns;
        if (peak ? w->roof && strcmp(w->roof, peak) == 0 : reads) part += w->analytic.ideal_ns;
    }
    return rg_ratio(part, all);
}

/* A roof as one run has it: its figure, its spread, and the part of the ideal time that it sets. */
typedef struct roof {
    double value, spread, share;
} roof;

/* Reading at the footprint of a phase; the spread is that of the nearest point that was measured. */
static roof read_roof(const rg_run *r, rg_phase ph)
{
    rg_machine m;
    const double bytes = r->phase[ph].stream_bytes;
    roof f = {rg_run_bandwidth(r, bytes), NAN, bound_by(r, ph, NULL)};
    double least = INFINITY;
    rg_run_machine(&m, r);
    for (int i = 0; i < m.n_bw; i++) {
        const double away = fabs(log((double)m.bw[i].footprint_bytes / bytes));
        if (!(away < least)) continue;
        least = away;
        f.spread = m.bw[i].read_gbps.spread;
    }
    return f;
}

static roof peak_roof(const rg_run *r, rg_phase ph, const char *name)
{
    for (size_t i = 0; i < r->d->machine.n_roofs; i++) {
        const rg_doc_roof *f = &r->d->machine.roofs[i];
        if (strcmp(f->name, name) == 0) return (roof){f->value_gflops, f->spread, bound_by(r, ph, name)};
    }
    return (roof){NAN, NAN, bound_by(r, ph, name)};
}

/* Of the logarithm of an ideal time. */
static double part(double share, double spread) { return share == 0.0 ? 0.0 : share * log1p(spread / 2.0); }

/* How far half the spread of a roof moves the ratio of ideal times. One roof of both moves both. */
static double moves(roof a, roof b)
{
    return a.value == b.value ? part(a.share - b.share, a.spread)
                              : hypot(part(a.share, a.spread), part(b.share, b.spread));
}

rg_interval rg_gain_worth(const rg_run *base, const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p0 = &base->phase[ph], *p1 = &r->phase[ph];
    const double x = rg_ratio(rg_ratio(p0->ideal_ns, p0->tokens), rg_ratio(p1->ideal_ns, p1->tokens));
    double half = moves(read_roof(base, ph), read_roof(r, ph)); /* of the logarithm */
    for (int i = 0; i < RG_PEAK_COUNT; i++)
        half = hypot(half, moves(peak_roof(base, ph, rg_peaks[i].name), peak_roof(r, ph, rg_peaks[i].name)));
    return (rg_interval){x, x * exp(-half), x * exp(half)};
}

void rg_gain_put(rg_doc_side *d, rg_interval gain, const rg_run *base, const rg_run *r, rg_phase ph)
{
    const rg_interval worth = rg_gain_worth(base, r, ph), reached = rg_interval_over(gain, worth);
    d->gain = gain.value;
    d->gain_low = gain.low;
    d->gain_high = gain.high;
    d->gain_expected = worth.value;
    d->gain_expected_low = worth.low;
    d->gain_expected_high = worth.high;
    d->gain_reached = reached.value;
    d->gain_reached_low = reached.low;
    d->gain_reached_high = reached.high;
}

static rg_interval speed_of(const rg_doc_phase *p)
{
    return (rg_interval){p->tokens_per_s, p->tokens_per_s_low, p->tokens_per_s_high};
}

rg_doc_side rg_gain_side(const rg_run *base, const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &r->phase[ph];
    rg_doc_side d = {.tokens_per_s = p->tokens_per_s, .roof_fraction = p->roof_fraction};
    rg_gain_put(&d, rg_gain_once(speed_of(&base->phase[ph]), speed_of(p)), base, r, ph);
    return d;
}
