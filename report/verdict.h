/* The verdict: sentences computed from the figures of runs. */
#ifndef RG_VERDICT_H
#define RG_VERDICT_H

#include "report/runs.h"

/* A call whose ideal time is below this many barriers is bound by overhead. */
enum { RG_OVERHEAD_BARRIERS = 2 };

/* One run's part, and what another gained. gain: times as fast by phase, measured in pairs; NULL or NAN: the
 * ratio of speeds. A run is called by its label, else its weight type. */
void rg_verdict_run(rg_lines *out, const rg_run *r);
void rg_verdict_compare(
    rg_lines *out, const rg_run *base, const rg_run *other, const double gain[RG_PHASE_COUNT]);
/* Both, for the runs of one session. */
void rg_verdict(rg_lines *out, const rg_reports *s);

#endif
