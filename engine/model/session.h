/* The session's memory: KV cache, activations, tables. Private to engine/model. */
#ifndef RG_SESSION_H
#define RG_SESSION_H

#include "base/arena.h"
#include "model/model.h"

typedef struct rg_acts {
    float *x, *xn;  /* [m][dim] residual stream, normalised */
    float *q, *att; /* [m][q_dim] */
    float *k, *v;   /* [m][kv_dim] */
    float *tmp;     /* [m][dim] */
    /* [m][ffn]; of experts [m * used][expert_ffn], by expert; of the shared network [m][shared_ffn], whose
     * gate is gate_sh */
    float *gate, *up, *gate_sh;
    float *router, *more; /* mixtures: [m][experts] logits; [m][dim] */
    rg_choice choice;     /* thread 0's; the others' follow, choice_bytes apart */
    size_t choice_bytes;
    char *xe;  /* [threads][rg_xe_bytes] */
    float *xo; /* [logits of a call][dim] */
    /* [m][widest input] in a weight's column order; only for models with such weights */
    float *sorted;
    float *part;   /* rg_attn_part_floats */
    float *scores; /* [m * heads][score_stride], unfused only */
    float *own;    /* [threads][RG_GEMV_MAX][dim] normalised, each thread's own; NULL: not fused so */
    char *xq;      /* rg_xq_bytes: prepared activations */
    /* [ctx][rotated values of a head] RoPE cosines and sines: of all layers; of those with a base of their
     * own, or NULL; of queries if they are scaled by position, or NULL */
    float *cs, *cs_local, *cs_q;
    int32_t *token, *want; /* [m] of the running call */
    rg_seq_run *run;       /* [m] */
} rg_acts;

typedef struct rg_dims_opts {
    int64_t ctx, n_seq, ubatch, back, max_logits, score_stride;
    rg_kvtype kv_k, kv_v;
    bool check_nan;
    unsigned fuse; /* attention's included */
    int threads;
} rg_dims_opts;

/* Sites with a mask of fusions on: which run, and behind which of those that run threads wait. Made
 * once: a decode step of a small model has no time to ask the tables. */
typedef struct rg_sites_on {
    unsigned fuse;
    bool runs[RG_SITE_COUNT], crosses[RG_SITE_COUNT];
} rg_sites_on;
rg_sites_on rg_sites_with(const rg_config *c, unsigned fuse);

struct rg_session {
    rg_engine *e; /* borrowed */
    rg_dims_opts o;
    rg_sites_on on[2]; /* of plain calls, of those that are observed */
    size_t ops;        /* of a call without fusions, which has most */
    rg_acts a;
    char *act_block, *kv_block;
    size_t act_bytes, kv_bytes;
    rg_kv_layer *kv; /* [layers] */
    int64_t ring;    /* of layers whose cache is one: they have the same window; 0: none is */
    float *logits;   /* [max_logits][vocab] */
    size_t logits_bytes;
    int64_t n_logits;
    /* [n_seq] tokens held; the first position that layers with a window still hold */
    int64_t *len, *lost;
    rg_observe_fn *observe; /* or NULL */
    void *observe_user;
};

/* Options with the defaults filled in. */
rg_dims_opts rg_session_dims(const rg_config *c, const rg_session_opts *o, int threads);
void rg_acts_layout(rg_acts *a, rg_arena *arena, const rg_config *c, const rg_dims_opts *o);
/* Bytes of the cache. kv: NULL, or its layers [c->layers] from `base` on. */
uint64_t rg_kv_layout(rg_kv_layer *kv, char *base, const rg_config *c, const rg_dims_opts *o);
/* The end of the positions from p up to n that lie together. */
static inline int64_t rg_kv_piece(const rg_kv_layer *kv, int64_t p, int64_t n)
{
    return kv->ring ? rg_min(n, (p / kv->ring + 1) * kv->ring) : n;
}
/* Whether a sequence of n tokens can go on: whether what its next token sees is there. */
bool rg_session_holds(const rg_session *s, int64_t seq, int64_t n);
/* The positions up to `end` were written, in rings over what had been there. */
void rg_session_wrote(rg_session *s, int64_t seq, int64_t end);
static inline char *rg_kv_k_head(const rg_kv_layer *kv, int64_t seq, int64_t head)
{
    return kv->k + (seq * kv->heads + head) * kv->k_stride;
}
static inline char *rg_kv_v_head(const rg_kv_layer *kv, int64_t seq, int64_t head)
{
    return kv->v + (seq * kv->heads + head) * kv->v_stride;
}
/* The sum, and what is free. */
void rg_plan_total(rg_memory_plan *p);
/* The tables of RoPE: [pos][0 .. rot/2) cosines, then sines, for positions [0, ctx). */
void rg_rope_tables(const rg_acts *a, const rg_model *m, int64_t ctx);

/* Where the numbers stopped being finite; thread 0 writes it. */
typedef struct rg_bad_value {
    bool found;
    int64_t layer; /* -1 outside layers */
    rg_site site;
    int64_t row, col;
    float value;
} rg_bad_value;

/* One forward call; shared by the threads of the team. */
typedef struct rg_forward {
    rg_session *s;
    int64_t m, n_runs;
    int64_t n_out;    /* rows of logits */
    float *logits;    /* [n_out][vocab] */
    int64_t stop_at;  /* first layer not to be run; thread 0 sets it one layer ahead */
    unsigned fuse;    /* fusions of this call */
    bool check;       /* look for values that are not finite behind every operator */
    rg_bad_value bad; /* the first one found */
} rg_forward;

/* Keeps the first value of x[m][n] beyond `most` or not finite. By one thread, while no other writes. */
void rg_check_finite(
    rg_forward *f, rg_site site, int64_t layer, const float *x, int64_t m, int64_t n, float most);
/* The status of what was found, in words. */
rg_status rg_bad_value_fail(const rg_bad_value *b, rg_err *err);

void rg_forward_run(rg_ctx *cx, void *arg);
/* Operators of one call. */
size_t rg_forward_ops(const rg_config *c, unsigned fuse);
/* The fusions of a call: only attention's if operators are observed. */
unsigned rg_session_fusions(const rg_session *s, bool check);

#endif
