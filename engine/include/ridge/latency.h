/* What the engine's own team costs: the price of a forward call and of an operator beside the work in
 * them. */
#ifndef RG_LATENCY_H
#define RG_LATENCY_H

#include "base/status.h"

/* Medians in ns, and the distance from the 10th to the 90th percentile as a fraction of them. */
typedef struct rg_latency {
    double region_ns, region_spread; /* a parallel region that does nothing */
    /* the record of one operator, per thread: what measuring costs where no counters are read */
    double record_ns, record_spread;
} rg_latency;

/* With a team of its own; about 20 ms. cpus: as in rg_topo_place. */
rg_status rg_latency_measure(rg_latency *l, int threads, const int *cpus, rg_err *err);

#endif
