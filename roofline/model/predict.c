/* The ideal time of one call from its analytic cost and the roofs. */
#include <math.h>

#include "roofline/model/predict.h"

const char *const rg_bound_names[] = {[RG_BOUND_MEMORY] = "memory",
    [RG_BOUND_COMPUTE] = "compute",
    [RG_BOUND_OVERHEAD] = "overhead",
    [RG_BOUND_UNKNOWN] = NULL};

/* Time to move bytes of a working set; the largest share of memory time names the footprint. */
static void charge(
    rg_ideal *p, double *most, const rg_machine *m, uint64_t read, uint64_t written, int64_t footprint)
{
    if (read + written == 0) return;
    const double ns = rg_machine_move_ns(m, (double)read, (double)written, footprint);
    p->mem_ns += ns;
    if (ns > *most) {
        *most = ns;
        p->footprint = footprint;
    }
}

/* Weights and KV come round once per forward call: they are charged at the rate, a cache's or DRAM's, of all
 * that is streamed in between. Activations were just written and are read next: at the rate of their own
 * size. Writes: at the machine's rate of writing and copying. */
rg_ideal rg_predict(const rg_machine *m, const rg_tally *a, rg_arith arith, rg_isa isa, rg_kernel_kind kernel,
    int64_t streamed)
{
    /* a BLAS library uses the CPU's best FP32 instructions */
    const bool blas = kernel == RG_KK_BLAS;
    const int row = rg_machine_peak_row(m, blas ? RG_ARITH_FP32_FMA : arith, blas ? m->isa_best : isa);
    /* where the byte product is emulated, its roof is the FMA it competes with */
    const int passes = arith == RG_ARITH_FP32_FMA ? 1 : rg_kernel_passes(kernel);
    rg_ideal p = {.peak_row = row, .peak_gflops = row < 0 ? 0.0 : m->peak[row].value / passes};
    const uint64_t act = a->act_rd + a->act_wr;
    double most = 0.0;
    charge(&p, &most, m, a->w_rd, 0, streamed);
    charge(&p, &most, m, a->kv_rd, a->kv_wr, streamed);
    charge(&p, &most, m, a->act_rd, a->act_wr, (int64_t)act);
    if (a->flop > 0) p.flop_ns = p.peak_gflops > 0.0 ? (double)a->flop / p.peak_gflops : NAN;
    return p;
}
