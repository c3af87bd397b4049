/* How far apart two runs are, and how far apart the roofs allow them to be; both with an interval. */
#ifndef RG_GAIN_H
#define RG_GAIN_H

#include "report/runs.h"
#include "roofline/measure/stats.h"

/* What a run that was loaded once may be off, up or down: where weights and activations lie in memory stays
 * the same for as long as they are loaded. */
#define RG_PLACEMENT 0.10

/* Speed over another's, each of one load: the widest that their intervals allow, and the placement. */
rg_interval rg_gain_once(rg_interval base, rg_interval speed);

/* Ideal time of a token in base over that in r. Its interval is the spread of those roofs that do not bind
 * both alike: what both are bound by cancels. */
rg_interval rg_gain_worth(const rg_run *base, const rg_run *r, rg_phase ph);

/* Puts a gain into a side, with worth and what of it was reached. */
void rg_gain_put(rg_doc_side *d, rg_interval gain, const rg_run *base, const rg_run *r, rg_phase ph);
static inline rg_interval rg_gain_of(const rg_doc_side *d)
{
    return (rg_interval){d->gain, d->gain_low, d->gain_high};
}

static inline rg_interval rg_worth_of(const rg_doc_side *d)
{
    return (rg_interval){d->gain_expected, d->gain_expected_low, d->gain_expected_high};
}

/* The phase of a run that was loaded once, as a side, without texts. */
rg_doc_side rg_gain_side(const rg_run *base, const rg_run *r, rg_phase ph);

#endif
