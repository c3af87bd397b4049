/* Saved runs: the JSON of `ridge profile`, read back and checked field by field, for pictures and pages. A
 * file may come from anywhere and from any version of the program, so nothing in it is believed: wrong types,
 * negative or infinite numbers, layers that the model has not, duplicate keys and files that are too large
 * are refused with the place; fields that are not known here are kept in the tree and otherwise ignored. */
#ifndef RG_SAVED_H
#define RG_SAVED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ops/rec.h"
#include "report/report.h"

typedef enum rg_opgroup {
#define RG_OPGROUP(id, name, cls) RG_OPGROUP_##id,
#include "report/svg/op_groups.def"
    RG_OPGROUP_COUNT
} rg_opgroup;
extern const char *const rg_opgroup_names[RG_OPGROUP_COUNT], *const rg_opgroup_classes[RG_OPGROUP_COUNT];
/* REST for a name that is not a site of this version. */
rg_opgroup rg_opgroup_of(const char *site);

/* Numbers are NAN where the file has null or nothing. Texts are borrowed until the rg_saved closes; NULL
 * where null. */
typedef struct rg_saved_bytes {
    double weight, act_rd, act_wr, kv_rd, kv_wr, total;
} rg_saved_bytes;

typedef struct rg_saved_op {
    rg_phase phase;
    rg_opgroup group;
    int64_t layer; /* -1: summed over layers */
    size_t index;  /* in the file's "ops" */
    const char *op, *site, *weight_type, *kernel, *roof, *roof_reason, *bound;
    double calls, t_ns, wait_ns, share, flop, int_op, analytic_ns, ai_analytic, ai_counted, gflops, gbps,
        attainable_gflops, fraction;
    rg_saved_bytes analytic, counted;
} rg_saved_op;

typedef struct rg_saved_phase {
    bool ran;
    const char *bound;
    double tokens, batch, calls, t_ns, p50_ns, p90_ns, p99_ns, spread, tokens_per_s, flop, bytes_analytic,
        bytes_counted, stream_bytes, ai_analytic, ai_counted, gflops, gbps, mbu, mfu, analytic_ns, fraction,
        ops_ns, wait_ns, overhead_ns;
    /* time of every forward call in order, ns, numbers of at least 0; borrowed; NULL: not in the file */
    const json_t *series;
} rg_saved_phase;

typedef struct rg_saved_roof {
    const char *name, *isa, *source; /* isa: of compute roofs */
    bool compute;
    double value, spread, footprint; /* GB/s or GFLOP/s; bytes */
} rg_saved_roof;

typedef struct rg_saved_run {
    const json_t *json; /* borrowed: the run as in the file */
    const char *command, *started;
    const char *cpu, *pinning, *isa, *blas, *roofs_source, *roofs_measured_at, *pmu_status, *pmu_reason;
    double cores, threads, memory, barrier_ns;
    bool roofs_noisy;
    const char *name, *arch, *format, *dtype, *head_dtype, *act, *kv_dtype, *fuse;
    double params, layers, file_bytes, resident_bytes, stream_bytes, kv_bytes, scratch_bytes, bits_file,
        bits_resident, ctx, round_rel;
    double hidden, ffn, heads, kv_heads, head_dim, vocab, ctx_train, embd_row;
    double prompt_tokens, gen_tokens, decode_start, ubatch, repetitions, load_ns, sample_ns;
    bool tied, flash, interrupted;
    rg_saved_phase phase[RG_PHASE_COUNT];
    rg_saved_roof *roof; /* owns */
    size_t n_roofs;
    rg_saved_op *op; /* owns */
    size_t n_ops;
    const json_t *verdict, *notes; /* borrowed: arrays of strings */
    char label[96];                /* what tells it from the other runs: a type, a model, a number */
} rg_saved_run;

typedef struct rg_saved {
    rg_saved_run *run; /* owns */
    size_t n;
    json_t **root; /* owns */
    size_t n_roots;
} rg_saved;

enum { RG_SAVED_MAX_RUNS = 64 };

/* Adds the runs of a file, a profile or a set of them. s: zeroed before the first. */
rg_status rg_saved_add_file(rg_saved *s, const char *path, rg_err *err);
/* The same from memory; where names the source in messages. */
rg_status rg_saved_add_text(rg_saved *s, const char *text, size_t n, const char *where, rg_err *err);
/* The same from JSON that was read already; a reference is kept. */
rg_status rg_saved_add_json(rg_saved *s, json_t *root, const char *where, rg_err *err);
/* Reads a file (or a pipe) of at most 256 MiB as JSON without duplicate keys; the caller gives the reference
 * back. */
rg_status rg_saved_read(json_t **root, const char *path, rg_err *err);
/* The same from reports that were just made; what is drawn is the same to the byte as from their saved
 * JSON. */
rg_status rg_saved_add_reports(rg_saved *s, const rg_report *const *r, int n, rg_err *err);
/* Legal on a zeroed struct. */
void rg_saved_close(rg_saved *s);

/* Read bandwidth at a footprint, GB/s, interpolated as the report does it; NAN if unknown. */
double rg_saved_bandwidth(const rg_saved_run *r, double footprint);
/* True if that roof bounds an operator of the run. */
bool rg_saved_binds(const rg_saved_run *r, const rg_saved_roof *roof);
/* The operator's sum over the layers, or NULL. */
const rg_saved_op *rg_saved_find(const rg_saved_run *r, rg_phase phase, const char *site);

/* Sums over a group's sites (rows summed over layers). */
typedef struct rg_saved_group {
    int n; /* operators in it; 0: none ran */
    double t_ns, flop, share, analytic_ns;
    rg_saved_bytes analytic, counted;
    double ai_analytic, ai_counted, gflops, attainable_gflops, fraction; /* NAN where unknown */
} rg_saved_group;
rg_saved_group rg_saved_group_of(const rg_saved_run *r, rg_phase phase, rg_opgroup g);

#endif
