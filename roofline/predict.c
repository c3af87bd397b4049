/* The roofline: the ideal time of one call from its analytic cost and the roofs. */
#include <math.h>

#include "roofline/join.h"

/* Time of `bytes` out of a working set of that size; a larger share of the memory time names the footprint. */
static void charge(rg_ideal *p, double *most, const rg_machine *m, uint64_t bytes, int64_t footprint)
{
    if (bytes == 0) return;
    const double bw = rg_machine_bw(m, footprint), ns = bw > 0.0 ? (double)bytes / bw : NAN; /* GB/s are bytes per ns */
    p->mem_ns += ns;
    if (ns > *most) {
        *most = ns;
        p->footprint = footprint;
    }
}

/* Weights and KV come round once per forward call, so they are charged at the rate of everything that is streamed in between, be it a
 * cache's or DRAM's. Activations were just written and will be read next: they are charged at the rate of their own size. Writes are
 * charged at the read rate, the only one measured: an optimistic, that is ideal, time. */
rg_ideal rg_predict(const rg_machine *m, const rg_tally *a, rg_isa isa, bool blas, int64_t streamed)
{
    /* a BLAS library chooses its own instructions: the best of the CPU */
    rg_ideal p = {.peak_gflops = rg_machine_peak(m, blas ? m->isa_best : isa)};
    const uint64_t act = a->act_rd + a->act_wr;
    double most = 0.0;
    charge(&p, &most, m, a->w_rd, streamed);
    charge(&p, &most, m, a->kv_rd + a->kv_wr, streamed);
    charge(&p, &most, m, act, (int64_t)act);
    if (a->flop > 0) p.flop_ns = p.peak_gflops > 0.0 ? (double)a->flop / p.peak_gflops : NAN;
    return p;
}
