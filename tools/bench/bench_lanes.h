/* Inside of the bench core: what bench_rounds.c asks of bench_open.c. */
#ifndef RG_BENCH_LANES_H
#define RG_BENCH_LANES_H

#include "tools/bench/bench.h"

/* Rows, and the sessions they need; refuses tests that do not fit a model's context. */
rg_status rg_bench_rows(rg_bench *b, rg_err *err);
/* Do all engines and sessions fit into memory at once? */
bool rg_bench_fits(const rg_bench *b);
/* The roofs of every engine's threads, at its footprint. */
rg_status rg_bench_roofs(rg_bench *b, rg_err *err);

#endif
