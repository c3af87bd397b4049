/* Inside of the bench core: what bench_run.c asks of bench_open.c. */
#ifndef RG_BENCH_LANES_H
#define RG_BENCH_LANES_H

#include "tools/measure/bench.h"
#include "tools/measure/run_info.h"

/* Rows, and the sessions they need; refuses tests that do not fit a model's context. */
rg_status rg_bench_rows(rg_bench *b, rg_err *err);
/* Do all engines and sessions fit into memory at once? */
bool rg_bench_fits(const rg_bench *b);
/* The roofs of every engine's threads, at its footprint. */
rg_status rg_bench_roofs(rg_bench *b, rg_err *err);
/* An engine with its sessions; unload is legal on what is not loaded. */
rg_status rg_bench_load(rg_bench *b, int unit, rg_err *err);
void rg_bench_unload(rg_bench *b, int unit);

#endif
