/* Records: one per executed operator, written by the drivers. No pointers, no strings. */
#ifndef RG_REC_H
#define RG_REC_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/kinds.h"
#include "ops/sites.h"

typedef enum rg_phase { RG_PREFILL, RG_DECODE, RG_PHASE_COUNT } rg_phase;
extern const char *const rg_phase_names[RG_PHASE_COUNT]; /* "prefill", "decode" */

/* The arguments of the cost formulas in ops.def; unused ones are 0. */
typedef struct rg_dims {
    int64_t m, k, n;
    int64_t h, g, hd;
    int64_t pairs, ctx, cap, sink;
    int64_t u, e; /* of experts: to how many each token goes; how many of them some token of the call chose */
    int64_t b;    /* 1: experts add a bias to their outputs */
    int64_t w_row; /* bytes of a weight row where rows are kept one by one (untied embedding), else 0 */
} rg_dims;

/* Bytes and operations by kind: counted in records, analytic from rg_cost. */
typedef struct rg_tally {
    uint64_t w_rd, act_rd, act_wr, kv_rd, kv_wr; /* bytes */
    uint64_t flop, iop;                          /* floating-point and integer operations */
} rg_tally;

/* Everything counted so far. */
typedef struct rg_totals {
    rg_tally tally;
    uint64_t tokens[RG_PHASE_COUNT], calls; /* of forward calls */
} rg_totals;

enum { RG_MAX_CTR = 8 };

typedef struct rg_rec {
    uint8_t site;       /* rg_site */
    uint8_t phase;      /* rg_phase */
    uint8_t wtype;      /* rg_wtype of the weight, or RG_WT_COUNT */
    uint8_t kv_k, kv_v; /* rg_kvtype of the cache, or RG_KV_COUNT */
    uint8_t isa;        /* rg_isa of the kernel */
    uint8_t arith;      /* rg_arith: the instruction class that does its work */
    uint8_t kernel;     /* rg_kernel_kind */
    uint16_t n_threads;
    int16_t layer; /* -1 outside layers */
    uint32_t step; /* index of the forward call in the log */
    rg_dims dims;
    int64_t most;             /* of experts: tokens of the one that most chose */
    uint64_t t_ns;            /* wall time seen by thread 0, barrier included */
    uint64_t wait_ns;         /* idle at its barriers, summed over threads */
    rg_tally tally;           /* counted, summed over threads */
    uint64_t ctr[RG_MAX_CTR]; /* of the probe, summed over threads */
    uint32_t ctr_mask;        /* which of them were counted: groups take turns */
    uint16_t ctr_span;        /* records they cover, this the last; 0: a later record covers it */
    uint16_t barriers;        /* where threads met: inside it, and at its end */
} rg_rec;

/* One forward call. */
typedef struct rg_step {
    uint8_t phase;
    int64_t tokens, logits; /* tokens in the call, rows of logits asked for */
    int64_t ctx;            /* largest position + 1 */
    uint64_t t_ns;          /* time of the call */
    uint64_t wall_ns;       /* by the clock, where t_ns is a median over repetitions; else 0 */
    uint64_t start_ns;      /* monotonic time it began */
} rg_step;

/* When one thread ran one operator, for traces. */
typedef struct rg_span {
    uint64_t begin_ns, end_ns; /* monotonic, the barrier at its end included */
    uint64_t wait_ns;          /* time idled at all its barriers, ... */
    uint64_t tail_ns;          /* ... of which at its end */
} rg_span;

typedef struct rg_log {
    rg_rec *rec; /* owns */
    size_t n, cap;
    rg_span *span; /* owns; [cap][threads]; NULL: not asked for (rg_log_open_spans) */
    int threads;
    size_t dropped; /* records that did not fit: a log is never silently short */
    rg_step *step;  /* owns */
    size_t n_steps, cap_steps;
} rg_log;

/* Room for `steps` forward calls of `ops_per_step` operators. -1: no memory. */
int rg_log_open(rg_log *log, size_t steps, size_t ops_per_step);
/* Keeps the times of every thread of such a team too. The log must be empty. -1: no memory. */
int rg_log_open_spans(rg_log *log, int threads);
/* Writes all of its memory: no record is then the first to touch a page. */
void rg_log_touch(rg_log *log);
void rg_log_clear(rg_log *log);
/* Legal on a zeroed struct. */
void rg_log_close(rg_log *log);
/* Appends the calls and records of `from`, without times of single threads. -1: no memory, no change. */
int rg_log_append(rg_log *to, const rg_log *from);

static inline void rg_tally_add(rg_tally *a, const rg_tally *b)
{
    a->w_rd += b->w_rd;
    a->act_rd += b->act_rd;
    a->act_wr += b->act_wr;
    a->kv_rd += b->kv_rd;
    a->kv_wr += b->kv_wr;
    a->flop += b->flop;
    a->iop += b->iop;
}
static inline uint64_t rg_tally_bytes(const rg_tally *t)
{
    return t->w_rd + t->act_rd + t->act_wr + t->kv_rd + t->kv_wr;
}

/* The exact cost of one call: ops.def evaluated. The types are as in the record. */
rg_tally rg_cost(rg_op op, const rg_dims *d, rg_wtype wtype, rg_kvtype kv_k, rg_kvtype kv_v);

#endif
