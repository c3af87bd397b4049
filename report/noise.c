/* Was the run disturbed, and what says so. */
#include <math.h>

#include "report/join.h"

/* Above these a figure would differ visibly in another run. */
static const double SPREAD = 0.20, STEAL = 0.02, DRIFT = 0.05, STALLED = 0.10;
/* The roofs of the run: how far they may move, and lie below the best of this machine. */
static const double ROOF_DRIFT = 0.10, ROOF_LOSS = 0.25;
static const double OTHERS = 0.1; /* processors that others keep busy, worth saying */

void rg_report_judge_noise(rg_report *r)
{
    const rg_run_info *u = &r->run;
    const rg_machine *m = &r->machine;
    const rg_osload none = {0};
    rg_osload all = {0};
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        rg_osload_add(&all, &none, &u->load[ph]);
        if (!p->ran) continue;
        const double steal = rg_osload_steal(&u->load[ph]);
        /* the log holds one repetition, the system's counters all of them */
        const double seconds = 1e-9 * (double)p->wall_ns * (u->repetitions > 0 ? u->repetitions : 1),
                     forced = rg_ratio((double)u->load[ph].involuntary, seconds);
        double stalled = 0.0;
        for (int site = 0; site <= RG_SITE_COUNT; site++) stalled += u->stalls[ph].ns[site];
        const double lost = rg_ratio(1e-9 * stalled, seconds);
        if (u->spread[ph] > SPREAD)
            rg_lines_add(&r->evidence,
                "%s times of the %d repetitions, without stalls, lie %s of the median apart",
                rg_phase_names[ph], u->repetitions, RG_PERCENT(u->spread[ph]));
        if (steal > STEAL)
            rg_lines_add(&r->evidence, "the hypervisor took %s of the processors' time in %s",
                RG_PERCENT(steal), rg_phase_names[ph]);
        if (lost > STALLED)
            rg_lines_add(&r->evidence,
                "calls of %s stalled for %s of their time, at %s involuntary context switches per second",
                rg_phase_names[ph], RG_PERCENT(lost), RG_NUM(forced));
    }
    if (u->clock_drift > DRIFT)
        rg_lines_add(&r->evidence, "the clock drifted by %s between repetitions", RG_PERCENT(u->clock_drift));
    if (u->roof_drift > ROOF_DRIFT)
        rg_lines_add(&r->evidence, "roofs sampled between repetitions lie %s of their median apart",
            RG_PERCENT(u->roof_drift));
    if (m->now.footprint && 1.0 - m->now.read > ROOF_LOSS)
        rg_lines_add(&r->evidence, "memory read %s slower than the best of this machine",
            RG_PERCENT(1.0 - m->now.read));
    if (m->now.footprint && 1.0 - m->now.compute > ROOF_LOSS)
        rg_lines_add(&r->evidence, "arithmetic ran %s slower than the best of this machine",
            RG_PERCENT(1.0 - m->now.compute));
    const double others = rg_osload_others(&all, m->cores);
    if (r->evidence.n > 0 && others > OTHERS)
        rg_lines_add(&r->evidence, "other programs kept %s of %d processors busy (top says which)",
            RG_NUM(others), m->cores);
    r->noisy = r->evidence.n > 0;
}
