/* A report is rows (operators), phases and sentences. Unknown numbers are NAN. */
#ifndef RG_JOIN_H
#define RG_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/num.h"
#include "base/text.h"
#include "report/report.h"
#include "roofline/model/predict.h"

/* Counted bytes per time this far above the roof came from a cache. */
#define RG_CACHE_MARGIN 1.02

typedef struct rg_row {
    rg_phase phase;
    rg_site site;
    int layer; /* -1: summed over layers */
    uint64_t calls, t_ns, wait_ns, barriers;
    rg_tally counted, analytic;
    /* counted, and in how many calls: groups take turns */
    uint64_t ctr[RG_MAX_CTR], ctr_calls[RG_MAX_CTR];
    /* sums over calls; ideal is the sum of the larger ones */
    double ideal_ns, flop_ns, mem_ns, ideal_compute_ns;
    double predicted_ns; /* NAN: not predicted */
    int peak_row;        /* of the call that took longest ideally */
    int64_t footprint;
    double longest_ns;                       /* ideal time of that call */
    unsigned kernels, isas, wtypes, kvtypes; /* bit sets of what the calls used */
    rg_bound bound;
    /* roof of its mix of reads and writes at the phase's footprint; NAN: unknown */
    double stream_gbps;
    bool from_cache; /* counted bytes per time are above that */
} rg_row;

typedef struct rg_phase_sum {
    bool ran;
    uint64_t calls, t_ns, wall_ns, op_ns, wait_ns, barriers; /* wall: stalls are in it */
    int64_t overhead_ns;                                     /* t_ns - op_ns: everything outside operators */
    int64_t tokens, batch, last_ctx;
    rg_tally counted, analytic;
    double ideal_ns, flop_ns, mem_ns;
    double predicted_ns;           /* NAN: not predicted */
    double ideal_compute_ns;       /* the part of ideal_ns that arithmetic decides */
    double low, high;              /* interval of the share of the roofs, over that share; NAN: unknown */
    double overhead_bound_ns;      /* measured time of operators that overhead bounds */
    double mbu, mfu, pmu_bytes;    /* pmu: read, and written where that can be counted */
    double ctr[RG_MAX_CTR];        /* NAN: not counted */
    double p50_ns, p90_ns, p99_ns; /* of one forward call */
    uint64_t *call_ns;             /* owns; [calls] */
    int64_t stream_bytes;          /* footprint of weights and KV, mean over calls */
    rg_bound bound;
} rg_phase_sum;

/* A layer (-1: outside of layers) where counters are read by layer. */
typedef struct rg_layer_sum {
    rg_phase phase;
    int layer;
    uint64_t calls, t_ns;
    uint64_t ctr[RG_MAX_CTR], ctr_calls[RG_MAX_CTR];
} rg_layer_sum;

/* Experts of a mixture in a phase: of a layer, or (-1) of all; sums over its calls, a call of each layer. */
typedef struct rg_expert_sum {
    rg_phase phase;
    int layer;
    uint64_t calls, tokens, pairs; /* pairs of a token and an expert that it goes to */
    uint64_t read;                 /* experts that some token chose */
    double expected, bound;        /* by chance, and at most */
    double busiest;                /* tokens of the busiest over the mean of those that were read */
    double bytes, bytes_analytic;  /* of the experts that were read: counted, and in closed form */
    double bytes_dense;            /* of a dense model of the same active size in their place */
} rg_expert_sum;

struct rg_report {
    rg_machine machine;
    rg_model_info model;
    rg_run_info run;
    rg_lines text; /* what model and run point to */
    int *cpus;     /* owns */
    rg_row *row;   /* owns; sums by site, then rows by layer */
    int n_rows;
    rg_layer_sum *layer; /* owns; empty unless counters were read by layer */
    int n_layers;
    rg_expert_sum
        *experts; /* owns; sums of the phases that ran, then rows by layer; empty of a dense model */
    int n_experts;
    rg_metric *metric; /* owns */
    rg_phase_sum phase[RG_PHASE_COUNT];
    rg_lines notes;
    bool noisy;        /* the run was disturbed: evidence says by what */
    rg_lines evidence; /* one phrase per finding; empty if quiet */
};

/* Counter i, scaled to all calls of the row or layer; NAN: never counted. */
double rg_row_ctr(const rg_row *r, int i);
double rg_layer_ctr(const rg_layer_sum *l, int i);
int rg_ctr_index(const rg_report *r, const char *name); /* -1: not counted */

/* Into buf: "gemv q4g64 avx512", "q4g64", "read 5.50 MiB". */
const char *rg_row_kernel(char *buf, size_t n, const rg_row *r);
const char *rg_row_wtype(char *buf, size_t n, const rg_row *r); /* NULL: no weight */
const char *rg_row_roof(char *buf, size_t n, const rg_row *r);  /* NULL: unknown */

/* Row of a site summed over layers, or NULL. */
const rg_row *rg_report_row(const rg_report *r, rg_phase phase, rg_site site);
/* What makes percentages impossible, or NULL if they are possible. */
const char *rg_report_no_roof(const rg_report *r);

/* By the spread of repetitions, stolen time, forced switches, and the drift of clock and roofs. */
void rg_report_judge_noise(rg_report *r);

#endif
