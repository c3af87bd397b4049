/* The core of every command that measures: a unit (a checkpoint with its roofs and its engine), and the
 * sampling of its work (warm-up, recorded repetitions, the one with the median time). */
#ifndef RG_MEASURE_H
#define RG_MEASURE_H

#include "report/report.h"
#include "ridge/engine.h"
#include "tools/cli/cli.h"

/* ---- unit.c ---- */

typedef struct rg_unit {
    const rg_cli *cli; /* single values; borrowed */
    rg_ckpt *ckpt;     /* borrowed */
    rg_engine *e;      /* NULL while not loaded; owns */
    rg_machine machine;
    rg_model_info model; /* of the last load, without a session; its strings live as long as ckpt */
    rg_engine_info info; /* of the last load */
    char pinning[256];   /* "2 threads pinned to cpus 0,1" */
    int cpu[RG_MAX_CPUS];
    uint64_t weights;     /* planned bytes */
    bool watched;         /* keep the watch open behind rg_unit_roofs */
    rg_roof_watch *watch; /* owns; NULL: not watched, or the roofs are a file's */
    rg_roof_sample now;   /* what the run found */
} rg_unit;

/* The best roofs of its threads at its footprint that are known, from one of n earlier units where possible,
 * and a sample of now. Called before a team exists, whose waiting threads would disturb a measurement. */
rg_status rg_unit_roofs(rg_unit *u, const rg_unit *earlier, int n, rg_progress *p, rg_err *err);
/* Keeps the roofs for later runs, where samples have raised them. */
void rg_unit_keep_roofs(rg_unit *u);
void rg_unit_unwatch(rg_unit *u);
/* The engine, if a session like `so` fits beside it. Unloading is legal at any time. */
rg_status rg_unit_load(rg_unit *u, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);
void rg_unit_unload(rg_unit *u);

/* The report of a log from a session of this unit, also after both are gone. run: the caller's part; threads,
 * kernels and options are filled in here. */
rg_status rg_unit_report(rg_report **out, const rg_unit *u, const rg_session_opts *so, rg_run_info run,
    const rg_log *log, rg_err *err);

/* ---- reference.c ---- */

/* A checkpoint of random F16 weights that is gone when it is closed. */
rg_status rg_made_up_open(rg_ckpt **out, const rg_config *c, rg_err *err);

/* What the kernels of such a unit cost, measured on a small reference model with its heads, types and options
 * (about half a second), for prompts of so many tokens and so many sequences. While no other team waits. */
rg_status rg_unit_learn(rg_speeds *s, const rg_unit *u, const rg_engine_opts *eo, const rg_session_opts *so,
    int64_t prompt, int64_t seqs, rg_err *err);

/* ---- sampling.c ---- */

/* Called between repetitions (the i-th of n is next), at the beginning of one (phase -1) and behind each of
 * its phases. */
typedef struct rg_watch {
    void *user;
    void (*between)(void *user, int i, int n);
    void (*mark)(void *user, int phase);
} rg_watch;

/* A repetition: in each of seqs sequences that hold depth tokens, prompt tokens are prefilled, then gen are
 * decoded. The token at a position is always the same: the cache of a shorter work is a prefix of a longer
 * one's. */
typedef struct rg_work {
    rg_session *s;
    int64_t vocab, depth, prompt, gen, seqs;
    const int32_t *id;     /* [prompt] or NULL: of one sequence, which goes on with the likeliest tokens */
    int64_t batch;         /* tokens of a prefill call at most, but for `together` */
    bool together;         /* all prompts in one call; else one sequence after the other */
    int64_t steps;         /* decode steps that are recorded at most, evenly spread; 0: all */
    bool wall;             /* repetitions are timed as a whole, as not every call is recorded */
    const rg_watch *watch; /* NULL: records alone, and the system is not read either */
    rg_roof_watch *roofs;  /* sampled around every repetition; NULL: not */
    int32_t *token, *seq;  /* owns, as the next */
    uint8_t *want;
} rg_work;

/* Room for the calls of a filled struct. */
rg_status rg_work_open(rg_work *w, rg_err *err);
void rg_work_close(rg_work *w); /* legal on a zeroed struct */

/* What the first calls and those of the warm-up took. */
typedef struct rg_pace {
    double first_ns[RG_PHASE_COUNT]; /* nothing touched before; NAN: failed */
    rg_osload first_load[RG_PHASE_COUNT];
    uint64_t step_ns, rep_ns; /* a decode step; a repetition, about */
} rg_pace;

/* Repetitions with gen decode steps until ns have passed: first touch, clocks that rise under load, the
 * branch predictor. pace NULL: only the end is timed. */
rg_status rg_work_warm_up(const rg_work *w, int64_t gen, uint64_t ns, rg_pace *pace, rg_err *err);
/* One decode step of each sequence, behind depth: brings the weights back after another work. */
rg_status rg_work_touch(const rg_work *w, rg_err *err);
/* One repetition that is not recorded; its time is added to *ns. */
rg_status rg_work_time(const rg_work *w, uint64_t *ns, rg_err *err);

/* One recorded repetition. */
typedef struct rg_take {
    rg_log log[RG_PHASE_COUNT];
    double ns[RG_PHASE_COUNT + 1];  /* recorded calls of each phase; RG_PHASE_COUNT: the whole (work.wall) */
    uint64_t choosing_ns;           /* tokens of decode */
    rg_osload load[RG_PHASE_COUNT]; /* what the system did meanwhile */
    double chain_ns;                /* the clock before it: rg_chain_ns */
    double calm_ns[RG_PHASE_COUNT]; /* of the calls without stalls; known after the join */
    rg_roof_sample before, after;
    bool whole, steady; /* steady: the roofs before and after it agree */
} rg_take;

typedef struct rg_takes {
    rg_take *take;     /* owns [cap] */
    rg_paired *paired; /* owns [cap]; after the join */
    /* after the join: the roofs around the repetitions that are used, medians of the larger neighbour; zeros:
     * not watched */
    rg_roof_sample now;
    int n, cap;
} rg_takes;

/* Room for n repetitions. threads above 0: with the time of every thread in every operator, for traces. */
rg_status rg_takes_open(rg_takes *t, const rg_work *w, int n, int threads, rg_err *err);
void rg_takes_close(rg_takes *t); /* legal on a zeroed struct */
/* Repetitions until `least` steady ones are done and their calls fill ns, or the room is used up. */
rg_status rg_takes_record(rg_takes *t, const rg_work *w, int least, double ns, rg_err *err);

/* ---- takes_join.c ---- */

/* The steady repetition with the median time of a phase (RG_PHASE_COUNT: of all); 0 where none is whole. */
int rg_takes_median(const rg_takes *t, int phase);
/* The roofs that the joined repetitions of a unit met are its roofs now, and the best of them are kept. */
void rg_unit_found(rg_unit *u, const rg_takes *t);
/* Both phases as one log: the calls of the median repetition (or of the wall's), each with its median time
 * over the repetitions; wall_ns of a step is what that repetition's clock said. Counters whose group had no
 * turn there come from other repetitions. run (or NULL): spread, stalls, what the system did. The caller
 * always closes the log. */
rg_status rg_takes_join(rg_log *out, rg_run_info *run, rg_takes *t, bool wall, rg_err *err);

#endif
