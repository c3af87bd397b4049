/* What either analytic cost model says of a configuration: plain arrays. */
#ifndef RG_MODEL_COST_H
#define RG_MODEL_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/rec.h"

typedef enum rg_cost_model { RG_COST_EXACT, RG_COST_LLM_VIEWER } rg_cost_model;
extern const char *const rg_cost_models[]; /* "exact", "llm-viewer", NULL */

typedef enum rg_limit { RG_LIMIT_MEMORY, RG_LIMIT_COMPUTE, RG_LIMIT_UNKNOWN } rg_limit;
extern const char *const rg_limit_names[]; /* "memory", "compute", NULL */

/* Sums over all calls of the phase (every layer, every forward call): operations, bytes, seconds. NAN:
 * unknown. */
typedef struct rg_cost_sum {
    double flop;                               /* an FMA is 2 */
    double w_rd, act_rd, act_wr, kv_rd, kv_wr; /* bytes by kind */
    double bytes;                              /* their sum */
    double time_s;                             /* ideal: each operator at its roof, one after the other */
} rg_cost_sum;

typedef struct rg_cost_point {
    const char *name; /* static: of the cost model */
    rg_phase phase;
    rg_site site;  /* of the same or the nearest operator of the engine */
    bool in_layer; /* runs once per layer */
    double calls;  /* operators executed */
    rg_cost_sum sum;
    double ai;         /* FLOP / byte; 0 where there are no operations */
    double peak;       /* FLOP/s of its compute roof; NAN: unknown or none */
    double bandwidth;  /* bytes/s it is charged with, mean over its bytes; NAN: unknown */
    double attainable; /* FLOP/s on the roofline; NAN: no operations, or unknown */
    double flop_s, mem_s;
    rg_limit bound;
} rg_cost_point;

/* Bytes that must be in memory. */
typedef struct rg_cost_memory {
    double weights, kv, scratch, logits, total;
} rg_cost_memory;

/* Experts of a layer that a forward call reads, mean over the calls of a phase; zeros of a dense model. */
typedef struct rg_cost_experts {
    double calls;
    double read;            /* under the routing asked for */
    double expected, bound; /* of tokens that choose by chance; at most */
    double rows;            /* tokens of each that is read, mean */
    double bytes;           /* of their weights, in all layers and calls */
} rg_cost_experts;

enum { RG_COST_POINTS = 2 * RG_SITE_COUNT };

typedef struct rg_cost_result {
    rg_cost_model model;
    rg_cost_point op[RG_COST_POINTS]; /* prefill first, each phase in the order of the forward pass */
    int n;
    rg_cost_sum total[RG_PHASE_COUNT];
    double tokens[RG_PHASE_COUNT]; /* in the phase, all sequences: batch * seqlen, batch */
    rg_cost_memory memory[RG_PHASE_COUNT];
    rg_cost_experts experts[RG_PHASE_COUNT];
    double allreduce_bytes[RG_PHASE_COUNT]; /* sent by each device; 0 without tensor parallelism */
    /* part of total.time_s; NAN: the link is unknown, the total without it */
    double allreduce_s[RG_PHASE_COUNT];
} rg_cost_result;

#endif
