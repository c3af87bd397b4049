/* What a report says about a model and a run, taken from the engine and the session. */
#ifndef RG_RUN_INFO_H
#define RG_RUN_INFO_H

#include "report/report.h"
#include "ridge/engine.h"
#include "tools/assert/judge.h"

/* Strings are borrowed from the checkpoint and the tables. */
rg_model_info rg_model_info_of(
    const rg_ckpt *ckpt, const rg_engine_info *i, const rg_session_opts *so, const rg_memory_plan *plan);
/* Spread and interval of a phase from the times of its n repetitions. */
void rg_run_times(rg_run_info *run, rg_phase phase, const double *t, int n);
/* "2 threads pinned to cpus 0,1" */
const char *rg_pinning_text(char *buf, size_t n, const rg_engine_info *i);

#endif
