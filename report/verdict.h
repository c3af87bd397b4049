/* The verdict: sentences computed from the figures of runs. */
#ifndef RG_VERDICT_H
#define RG_VERDICT_H

#include "report/gain.h"

/* A call whose ideal time is below this many barriers is bound by overhead. */
enum { RG_OVERHEAD_BARRIERS = 2 };

/* One run's part, and what another gained. side: the other's phases with their gains; NULL: each run is one
 * load. What cannot be told apart is never called faster. A run is called by its label, else its weight
 * type. */
void rg_verdict_run(rg_lines *out, const rg_run *r);
void rg_verdict_compare(
    rg_lines *out, const rg_run *base, const rg_run *other, const rg_doc_side side[RG_PHASE_COUNT]);
/* Of a mixture: the experts that it read. Of a mixture beside a dense model: what makes them differ. */
void rg_verdict_experts(rg_lines *out, const rg_run *r);
bool rg_verdict_is_sparse(const rg_run *r);
void rg_verdict_sparse(rg_lines *out, const rg_run *base, const rg_run *other);
/* Both, for the runs of one session. */
void rg_verdict(rg_lines *out, const rg_reports *s);

#endif
