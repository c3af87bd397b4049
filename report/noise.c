/* Was the run disturbed, and what says so. */
#include <math.h>

#include "report/join.h"

/* Above these a figure would differ visibly in another run. */
static const double SPREAD = 0.10, STEAL = 0.02, DRIFT = 0.05, SWITCHES_PER_S = 50.0;

void rg_report_judge_noise(rg_report *r)
{
    const rg_run_info *u = &r->run;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        if (!p->ran) continue;
        const double steal = rg_osload_steal(&u->load[ph]);
        /* the log holds one repetition, the system's counters all of them */
        const double seconds = 1e-9 * (double)p->t_ns * (u->repetitions > 0 ? u->repetitions : 1),
                     forced = rg_ratio((double)u->load[ph].involuntary, seconds);
        if (u->spread[ph] > SPREAD)
            rg_lines_add(&r->evidence, "%s times of the %d repetitions lie %s of the median apart",
                rg_phase_names[ph], u->repetitions, RG_PERCENT(u->spread[ph]));
        if (steal > STEAL)
            rg_lines_add(&r->evidence, "the hypervisor took %s of the processors' time in %s",
                RG_PERCENT(steal), rg_phase_names[ph]);
        if (u->load[ph].involuntary > 2 && forced > SWITCHES_PER_S)
            rg_lines_add(&r->evidence, "%s involuntary context switches per second in %s", RG_NUM(forced),
                rg_phase_names[ph]);
    }
    if (u->clock_drift > DRIFT)
        rg_lines_add(&r->evidence, "the clock drifted by %s between repetitions", RG_PERCENT(u->clock_drift));
    r->noisy = r->evidence.n > 0;
}
