/* The team of threads, and what each carries through the drivers. The only OpenMP is in team.c. */
#ifndef RG_TEAM_H
#define RG_TEAM_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/sysinfo.h"
#include "kernels/kernels.h"
#include "ops/probe.h"
#include "ops/rec.h"

typedef struct rg_team rg_team;

/* What one thread measured of one operator. */
typedef struct rg_slot {
    uint64_t ticks, wait; /* all in ticks (base/ticks.h) */
    uint64_t end, tail;   /* its end; idle there, part of wait */
    rg_tally tally;
    uint64_t ctr[RG_MAX_CTR];
} rg_slot;

/* What rg_ctx.xq holds: x[m] in that form, until an operator other than a product has run. */
typedef struct rg_ready {
    const float *x;
    int64_t m;
    rg_xform form;
    int64_t group;
    bool shared; /* one copy for the team; else each thread has its own */
    int64_t ld;  /* bytes from row to row */
} rg_ready;

/* One thread's view of a parallel region. Drivers take it first. */
typedef struct rg_ctx {
    int tid, nt;
    const rg_ktab *k;
    char *scratch; /* this thread's own, 64-byte aligned */
    int64_t l2_bytes;
    /* the team's prepared activations (rg_xq_bytes), set by the caller; NULL: products take x as it is */
    char *xq;
    rg_ready ready;
    char *xe; /* mixtures: [nt][xe_bytes] rows that each thread prepares for itself */
    int64_t xe_bytes;
    rg_rec *rec;   /* shared: thread 0 writes what is not measured; NULL: nothing is recorded */
    rg_slot *slot; /* this thread's, parallel to rec */
    int n_rec, cap_rec;
    uint64_t t_last; /* ticks: the end of one operator is the begin of the next */
    const rg_probe *probe;
    uint64_t ctr_last[RG_MAX_CTR];
    uint32_t ctr_mask; /* counters that this call reads */
    int ctr_from;      /* by layer: first record that the next read covers */
    uint8_t phase;
    int16_t layer;
    /* of the current operator, or without records of all: drivers add to it at their outer loops */
    rg_tally tally;
    uint64_t wait_ticks; /* in its rg_barrier calls */
} rg_ctx;

/* threads >= 1, each with scratch_bytes of scratch (rg_drive_scratch). cpus: processor of each thread, or
 * NULL: where the system puts them. The size never changes: counters belong to kernel threads. More than one
 * thread needs OpenMP (RG_E_UNSUPPORTED). */
rg_status rg_team_open(rg_team **out, int threads, const int *cpus, const rg_ktab *k, size_t scratch_bytes,
    int64_t l2_bytes, rg_err *err);
void rg_team_close(rg_team *t);
/* Where the caller may run, whatever a team has pinned it to. */
void rg_team_home(cpu_set_t *home); /* legal on NULL */
int rg_team_size(const rg_team *t);
bool rg_team_has_openmp(void);

/* Attaches counters (NULL: none), one set per thread. Call once, outside parallel regions. */
void rg_team_set_probe(rg_team *t, const rg_probe *probe);

typedef void rg_team_fn(rg_ctx *cx, void *arg);

/* Runs fn in every thread. log: takes the records of this call and its step, for which the caller fills in
 * tokens and such; or NULL. ops: most operators fn executes. */
void rg_team_run(rg_team *t, rg_team_fn *fn, void *arg, rg_log *log, const rg_step *step, size_t ops);

/* Adds bytes of activations and floating-point operations to the operator being executed. */
static inline void rg_count(rg_ctx *cx, int64_t read, int64_t written, int64_t flop)
{
    cx->tally.act_rd += read;
    cx->tally.act_wr += written;
    cx->tally.flop += flop;
}

/* Waits for the team in the middle of an operator; all threads. */
void rg_barrier(rg_ctx *cx);

/* [*a, *b): this thread's part of n, in whole units but for the last. */
static inline void rg_part(const rg_ctx *cx, int64_t n, int64_t unit, int64_t *a, int64_t *b)
{
    const int64_t u = (n + unit - 1) / unit;
    *a = u * cx->tid / cx->nt * unit;
    *b = u * (cx->tid + 1) / cx->nt * unit;
    if (*a > n) *a = n;
    if (*b > n) *b = n;
}

/* The operator for the record; every thread hands it over at the end of a driver. */
typedef struct rg_op_desc {
    rg_site site;
    rg_dims dims;
    int wtype;      /* rg_wtype, or RG_WT_COUNT */
    int kv_k, kv_v; /* rg_kvtype, or RG_KV_COUNT */
    uint8_t isa, kernel;
    uint8_t arith; /* rg_arith; 0: that of the level (rg_isa_arith) */
    int64_t most;  /* of experts: rg_rec.most */
    bool barrier;  /* data crosses threads here */
} rg_op_desc;

/* Of elementwise work without packed weights and cache. */
static inline rg_op_desc rg_elem_op(const rg_ctx *cx, rg_site site, rg_dims dims, bool barrier)
{
    return (rg_op_desc){.site = site,
        .dims = dims,
        .wtype = RG_WT_COUNT,
        .kv_k = RG_KV_COUNT,
        .kv_v = RG_KV_COUNT,
        .isa = cx->k->level[RG_FN_rmsnorm],
        .kernel = RG_KK_ELEM,
        .barrier = barrier};
}

void rg_op_end(rg_ctx *cx, const rg_op_desc *d);

/* The end of a layer, or of what stands before or behind the layers; all threads. Probes may read here. */
void rg_layer_end(rg_ctx *cx);

#endif
