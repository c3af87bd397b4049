/* The counters of a profile. */
#ifndef RG_PROFILE_COUNTERS_H
#define RG_PROFILE_COUNTERS_H

#include "report/report.h"
#include "ridge/engine.h"
#include "tools/cli/cli.h"

typedef struct rg_profile_counters {
    rg_counters *c;
    rg_counters_mode asked, mode; /* mode: as decided */
    double share;                 /* of a decode step, predicted */
    bool on;
    rg_socket *socket; /* owns; NULL: --counters off */
    double mark[RG_SOCKET_COUNT], sum[RG_PHASE_COUNT][RG_SOCKET_COUNT], ns[RG_PHASE_COUNT];
    uint64_t mark_ns;
    int phases[RG_PHASE_COUNT]; /* watched */
    rg_metric metric[RG_MAX_METRICS];
    int n_metrics;
    char reason[500]; /* why they are off all the same; "" if they are not */
} rg_profile_counters;

/* --counters, for a team of `threads`. */
rg_status rg_profile_counters_open(rg_profile_counters *p, const rg_cli *cli, int threads, rg_err *err);
/* Legal on a zeroed struct; after the engine, whose threads close their sets through the probe. */
void rg_profile_counters_close(rg_profile_counters *p);

/* Decides where to read (step_ns: a decode step without counters) and attaches the probe. */
void rg_profile_counters_start(rg_profile_counters *p, rg_engine *e, const rg_session *s, uint64_t step_ns);
/* Repetitions that let every group have its turn at every call; at least 1. */
int rg_profile_counters_turns(const rg_profile_counters *p);
/* Watches the socket: from a mark to the end of a phase, which is the mark of the next. */
void rg_profile_counters_mark(rg_profile_counters *p);
void rg_profile_counters_phase(rg_profile_counters *p, rg_phase phase);
/* Between repetitions. */
void rg_profile_counters_turn(rg_profile_counters *p);
/* Detaches. Counters that a thread could not open or read are off from here on, with the reason. */
void rg_profile_counters_stop(rg_profile_counters *p, rg_engine *e);

/* The counter part of the report's header. */
void rg_profile_counters_describe(const rg_profile_counters *p, rg_run_info *run);

#endif
