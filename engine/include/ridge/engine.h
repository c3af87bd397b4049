/* The public interface of the engine.
 *
 * rg_engine   a loaded, immutable model: packed weights, kernel table, team of threads. Open once.
 * rg_session  token timelines: KV cache, activations, positions. Several may share an engine, one call at a
 *             time.
 *
 * Threads: an engine and its sessions are used from one thread at a time; the engine brings its own team.
 * Errors: functions return a status and write one line into rg_err. Ownership: *owns*, *borrowed until ...*,
 * *static*. */
#ifndef RIDGE_ENGINE_H
#define RIDGE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/cpu.h"
#include "base/dtype.h"
#include "base/status.h"
#include "base/sysinfo.h"
#include "ops/probe.h"
#include "ops/rec.h"
#include "weights/ckpt.h"

typedef struct rg_engine rg_engine;
typedef struct rg_session rg_session;

/* Resident type of one linear weight; layer -1 outside layers. */
typedef int rg_type_fn(void *user, rg_site site, int layer);

typedef struct rg_engine_opts {
    int threads; /* 0: one per physical core */
    bool no_pin; /* leave threads where the system puts them */
    int dtype;   /* rg_wtype of the linear weights, or -1: as in the file */
    rg_act act;  /* precision of activations in products */
    /* with a quantised dtype: the output matrix too (and the embedding of tied models) */
    bool quant_head;
    /* NULL, or asked first for every linear site: its rg_wtype, or -1 for the rules above */
    rg_type_fn *type_of;
    void *type_user;
    rg_isa isa_cap; /* best level allowed; RG_ISA_COUNT: no cap */
    bool blas;      /* many-token products through OpenBLAS */
    bool plain_c;   /* only the plain C kernels */
    /* no huge pages for weights, cache and activations: to see what they are worth */
    bool small_pages;
    rg_progress_fn *progress; /* may be NULL */
    void *progress_user;
    const rg_stop_flag *stop; /* may be NULL; borrowed until close */
} rg_engine_opts;

/* Reads and packs the model. The checkpoint is not needed afterwards. */
rg_status rg_engine_open(rg_engine **out, const rg_ckpt *ckpt, const rg_engine_opts *opts, rg_err *err);
void rg_engine_close(rg_engine *e); /* legal on NULL; sessions must be closed before */

typedef struct rg_engine_info {
    const rg_config *config; /* borrowed until close */
    rg_isa isa;
    const char *blas; /* description of the BLAS used for many-token products; NULL: not used; static */
    int threads;
    const int *cpus; /* [threads] or NULL when not pinned; borrowed until close */
    rg_wtype dtype, head_dtype;
    rg_act act;
    uint64_t resident_bytes; /* packed weights, norms and embedding */
    uint64_t stream_bytes;   /* what one decode step reads of them: without the rows of an untied embedding */
    uint64_t linear_weights; /* weights in linear matrices, padding not counted */
    uint64_t params;
    double bits_resident; /* resident bits per parameter */
    /* rounding error of packing, sqrt(sum err^2 / sum w^2) over the tensors that were rounded */
    double round_rel;
    uint64_t load_ns;
} rg_engine_info;

void rg_engine_get_info(const rg_engine *e, rg_engine_info *info);

/* What all engines of this process have counted since it began; never goes down, advances with every forward
 * call. Any thread. */
void rg_process_totals(rg_totals *out);

/* Counters for the records of all sessions (NULL: none); borrowed until replaced or the engine is closed. */
void rg_engine_set_probe(rg_engine *e, const rg_probe *probe);

/* Resident type that a linear site (RG_SITE_OUTPUT: also the table of tied models) gets under opts. */
rg_wtype rg_resident_type(const rg_ckpt *ckpt, const rg_engine_opts *opts, rg_site site);
/* What becomes of one tensor under opts. */
typedef struct rg_resident {
    rg_wtype type;
    /* rows are kept in their file type: the embedding of an untied model; type is then meaningless */
    bool as_in_file;
    rg_rounding rounding;
    uint64_t bytes;
} rg_resident;
void rg_resident_plan(
    const rg_ckpt *ckpt, const rg_engine_opts *opts, const rg_ckpt_tensor *t, rg_resident *r);
/* The cache type that suits the model: f32 beside F32 weights, whose user wants no rounding, and for heads of
 * fewer than 16 dimensions; else f16. */
rg_kvtype rg_default_kv(const rg_ckpt *ckpt, const rg_engine_opts *opts);

typedef struct rg_session_opts {
    int64_t ctx; /* positions per sequence; 0: min(model, 4096) */
    /* the context may be longer than the model was made for: to measure, not to read what it says */
    bool past_training;
    int64_t n_seq;  /* sequences; 0: 1 */
    int64_t ubatch; /* tokens per forward call; 0: 512 */
    /* positions that a sequence can surely go back from the farthest it came, where layers with a window do
     * not keep the whole context; as many as a call has tokens are always there. ctx or more: all are kept */
    int64_t back;
    rg_kvtype kv_k, kv_v;
    bool unfused; /* attention through a score matrix in memory */
    /* further fusions of operators: bits of rg_fuse_bit (ops/fuse.def); 0: none. The results have the same
     * bits */
    unsigned fuse;
    int64_t max_logits; /* rows of logits of one rg_session_eval; 0: n_seq */
    /* look at the output of every operator, which costs time and the fusions; without it only at the
     * logits */
    bool check_nan;
    bool lock; /* keep weights, cache and activations in physical memory (mlock) */
} rg_session_opts;

/* What a session needs and what there is, in bytes. */
typedef struct rg_memory_plan {
    /* weights: already resident, or still to come when planning before the load */
    uint64_t weights, kv, scratch, logits, total;
    uint64_t available; /* 0: unknown */
    const char *source; /* of available; static */
    int64_t ctx;
    int threads;
} rg_memory_plan;

/* Plans without allocating. weights_resident: the weights are loaded, so they are not part of what is still
 * needed. */
void rg_plan_memory(rg_memory_plan *p, const rg_config *c, uint64_t weight_bytes, bool weights_resident,
    int threads, const rg_session_opts *opts);
/* RG_OK, or RG_E_NOMEM with the breakdown and the largest context that fits. */
rg_status rg_plan_check(
    const rg_memory_plan *p, const rg_config *c, const rg_session_opts *opts, rg_err *err);
/* The longest context up to `most` that fits into `available` bytes together with the weights; 0 if none
 * does; `most` if available is 0 (unknown). */
int64_t rg_plan_fit(const rg_config *c, uint64_t weight_bytes, int threads, const rg_session_opts *opts,
    uint64_t available, int64_t most);
/* Resident bytes of a checkpoint under opts, as rg_engine_open will allocate them. */
rg_status rg_plan_weights(const rg_ckpt *ckpt, const rg_engine_opts *opts, uint64_t *bytes, rg_err *err);

/* Refuses what no session of such a model can have (a context beyond the model's unless past_training, a
 * cache type that does not fit its heads, too many sequences), as rg_session_open would. */
rg_status rg_session_check(const rg_config *c, const rg_session_opts *opts, rg_err *err);
rg_status rg_session_open(rg_session **out, rg_engine *e, const rg_session_opts *opts, rg_err *err);
void rg_session_close(rg_session *s); /* legal on NULL */
void rg_session_get_plan(const rg_session *s, rg_memory_plan *p);

/* The only way in: tokens with their sequence and position. Tokens of one sequence must continue it (position
 * = tokens it holds, or less: then what lies beyond is forgotten) and be neighbours in rising order. Prefill
 * is many tokens of one sequence, decode one token of each; chunks of a prompt are separate calls, or are cut
 * to ubatch here. */
typedef struct rg_batch {
    int64_t n;
    const int32_t *token;
    const int32_t *seq; /* NULL: all 0 */
    const int64_t *pos; /* NULL: they continue their sequence */
    /* NULL: logits of the last token of the batch; else nonzero where logits are wanted */
    const uint8_t *want;
} rg_batch;

/* log: where records go, or NULL. phase: how they are labelled. RG_E_USAGE for a bad token, sequence or
 * position (the session is unchanged), RG_E_NOMEM never, RG_E_INTERRUPTED when the stop flag was seen (the
 * tokens of unfinished calls are not part of the sequence). */
rg_status rg_session_eval(rg_session *s, const rg_batch *b, rg_phase phase, rg_log *log, rg_err *err);

/* What an operator wrote: rows of floats, one per token of the call (rows whose logits are wanted for
 * output_norm and output). RoPE is seen twice, as attn_rope with the columns of q and then of k; attention is
 * attn_core in either form. The input of a linear site is the output of another (rg_site_input). */
typedef struct rg_seen {
    rg_site site;
    int layer;         /* -1 outside layers */
    const float *data; /* [rows][cols]; borrowed until the function returns */
    int64_t rows, cols;
    /* Of sites of experts a row is a (token, expert) pair: first[i] to first[i + 1] - 1 are
     * expert[i]'s, row r
     * is of the call's token token[r]. experts: how many somebody chose; 0: another site. */
    int64_t experts;
    const int32_t *expert, *first, *token;
} rg_seen;
typedef void rg_observe_fn(void *user, const rg_seen *seen);

/* fn sees the output of every operator of every later call, in order, in one thread while the others wait:
 * observed calls are not measurements, and run without fusions but attention's, so that every operator has an
 * output. NULL: none, which costs nothing. user: borrowed until replaced. */
void rg_session_observe(rg_session *s, rg_observe_fn *fn, void *user);

/* Logits of the i-th token that wanted them in the last eval: [vocab]; borrowed until the next eval. */
const float *rg_session_logits(const rg_session *s, int64_t i);
/* The team writes the pages of the first n positions of every sequence, which keep what they hold, so that
 * no call is the first to touch them. About 0.3 s per GiB. */
void rg_session_touch(rg_session *s, int64_t n);
/* Tokens that sequence seq holds. */
int64_t rg_session_length(const rg_session *s, int64_t seq);
/* Forgets what lies at position n and beyond, and returns how many tokens are held then. Layers with a window
 * keep it, what a call needs and rg_session_opts.back: where what token n would see is gone, all is
 * forgotten, 0 is returned, and the tokens before n are to be evaluated again. */
int64_t rg_session_truncate(rg_session *s, int64_t seq, int64_t n);
/* Forgets `discard` tokens behind the first `keep`; the later ones move forward by that many positions: their
 * keys are rotated back by the distance in f32 and rounded to the cache type (f32: to the last bits; f16:
 * half an ulp per shift; q8_0 keys are refused), their values stay bit for bit. What they saw of the
 * forgotten tokens stays in them: a shifted cache is not that of the shorter text. RG_E_USAGE if the numbers
 * do not fit what the sequence holds, in layers with a window too. */
rg_status rg_session_shift(rg_session *s, int64_t seq, int64_t keep, int64_t discard, rg_err *err);
/* The most tokens behind the first `keep` that a shift can discard. */
int64_t rg_session_shift_most(const rg_session *s, int64_t seq, int64_t keep);
/* Most records that one forward call writes. */
size_t rg_session_ops_per_step(const rg_session *s);
/* Forward calls that rg_session_eval makes for a batch of n tokens. */
size_t rg_session_steps_for(const rg_session *s, int64_t n);

#endif
