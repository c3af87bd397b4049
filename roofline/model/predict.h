/* The roofline: the ideal time of one call from its analytic cost and the roofs. */
#ifndef RG_PREDICT_H
#define RG_PREDICT_H

#include "ops/rec.h"
#include "roofline/measure/machine.h"

typedef enum rg_bound { RG_BOUND_MEMORY, RG_BOUND_COMPUTE, RG_BOUND_OVERHEAD, RG_BOUND_UNKNOWN } rg_bound;
extern const char *const rg_bound_names[]; /* NULL for unknown */

/* NAN where a roof is unknown. */
typedef struct rg_ideal {
    double flop_ns, mem_ns; /* the call needs the larger one */
    /* roof of flop_ns, in useful operations: the class's peak over rg_kernel_passes */
    double peak_gflops;
    int peak_row;      /* its row of peaks.def, or -1 */
    int64_t footprint; /* working set of the operand that takes most of mem_ns */
} rg_ideal;

/* streamed: weight and KV bytes read between two uses of the same weight. */
rg_ideal rg_predict(const rg_machine *m, const rg_tally *analytic, rg_arith arith, rg_isa isa,
    rg_kernel_kind kernel, int64_t streamed);

#endif
