/* Drivers: an operator for a whole team. Each splits the work by thread, calls kernels, counts the bytes that
 * its loops bring past the private cache, and closes a record. All threads of a region call the same driver
 * with the same arguments; results do not depend on their number. `barrier` is false where the next operator
 * of a thread reads only what that thread wrote. */
#ifndef RG_DRIVE_H
#define RG_DRIVE_H

#include "exec/team.h"

/* Bytes of per-thread scratch that the drivers need. */
size_t rg_drive_scratch(const rg_ktab *k);

/* Bytes of rg_ctx.xq for calls of up to m tokens and k columns. */
int64_t rg_xq_bytes(int threads, int64_t m, int64_t k);
/* The same for mixtures: m tokens of so many experts each, k columns; and of a thread's part of rg_ctx.xe. */
int64_t rg_xq_bytes_exps(int threads, int64_t m, int64_t used, int64_t experts, int64_t k);
int64_t rg_xe_bytes(int64_t k);

/* An embedding table. */
typedef struct rg_embedding {
    const rg_weight *packed; /* tied with the output; NULL: rows in their file type */
    rg_ftype type;
    const void *rows;
    int64_t row_bytes, dim;
} rg_embedding;

/* x[m][dim] = rows of the table. */
void rg_embed(rg_ctx *cx, float *x, const rg_embedding *e, const int32_t *token, int64_t m);

/* y[m][n] = x[m][k] W^T. */
void rg_linear(
    rg_ctx *cx, rg_site site, float *y, const float *x, const rg_weight *w, int64_t m, bool barrier);

/* And, while the outputs are in the private cache, by the op of the site: to = silu(to) * y (LINEAR_SWIGLU),
 * gelu(to) * y (LINEAR_GEGLU) or to + y (LINEAR_ADD), to[m][n]. y[m][n] is scratch of products on tiles. Ends
 * with a barrier. */
void rg_linear_fused(
    rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w, int64_t m);

/* Which experts the tokens of a call go to: each thread's own, of which some arrays are one for the team. */
typedef struct rg_choice {
    int64_t used;  /* experts of each token */
    int64_t m;     /* tokens of the call */
    int64_t n;     /* experts that some token chose */
    int64_t most;  /* tokens of the one that most chose */
    int32_t *id;   /* [m][used] by size of their logits */
    float *weight; /* [m][used] */
    /* by expert: [n] which, rising; [n + 1] where each one's rows begin; [m * used] their tokens, rising, and
     * weights */
    int32_t *expert, *first, *token;
    float *sorted;
    int32_t *place; /* [experts] scratch */
    /* what id and weight point to: of few tokens each thread's [RG_GEMV_MAX][used], of many the team's */
    int32_t *own_id, *all_id;
    float *own_weight, *all_weight;
} rg_choice;

/* Chooses by logits[m][experts], which all threads have written. */
void rg_topk(
    rg_ctx *cx, rg_site site, rg_choice *c, const float *logits, int64_t m, int64_t experts, bool norm);

/* Products of the experts that somebody chose with the rows of their tokens. w: of expert 0, behind which the
 * others lie. By the op of the site:
 * LINEAR_EXPS: to[row][n] = x[token][k] W^T for each (token, expert) row, by expert; y is to.
 * LINEAR_SWIGLU_EXPS: to[row] = silu(to[row]) * (the same); LINEAR_CLAMPGLU_EXPS: clampglu of both.
 * LINEAR_SUM_EXPS: to[token][n] = sum over its experts, in their order, of weight * (x[row][k] W^T).
 * bias: [experts][n], added to each product; or NULL. y: scratch of products on tiles, of the shape of
 * `to`. */
void rg_linear_exps(rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w,
    const float *bias, const rg_choice *c, bool barrier);

/* sum[m][n] += sigmoid(w . x) * y, in columns as rg_linear splits its rows. gate: [m] of scratch. */
void rg_gated_add(rg_ctx *cx, rg_site site, float *sum, const float *y, const float *x, const float *w,
    float *gate, int64_t m, int64_t n, bool barrier);

/* y[i] = rmsnorm(x[row ? row[i] : i]) for i < m. own: every thread for itself, into a y of its own; nobody
 * waits. */
void rg_rmsnorm(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps, bool own);

/* Those that follow split columns as rg_linear splits its rows. */

/* x[m][n] += d[m][n]. */
void rg_add(rg_ctx *cx, rg_site site, float *x, const float *d, int64_t m, int64_t n);

/* y[m][n] += b[n]. */
void rg_bias(rg_ctx *cx, rg_site site, float *y, const float *b, int64_t m, int64_t n, bool barrier);

/* y[m][n] *= factor. */
void rg_scale(rg_ctx *cx, rg_site site, float *y, float factor, int64_t m, int64_t n, bool barrier);

/* y[m][k] = x[m][order[k]]. */
void rg_reorder(
    rg_ctx *cx, rg_site site, float *y, const float *x, const int32_t *order, int64_t m, int64_t k);

/* gate[m][n] = silu(gate) * up, or gelu(gate) * up, or clampglu of both, by the op of the site. */
void rg_gate(rg_ctx *cx, rg_site site, float *gate, const float *up, int64_t m, int64_t n);

/* y[m][n] = cap tanh(y / cap). */
void rg_cap(rg_ctx *cx, rg_site site, float *y, float cap, int64_t m, int64_t n);

/* The KV cache of one layer. Head g of sequence s starts at k + (s * heads + g) * k_stride; v likewise. */
typedef struct rg_kv_layer {
    char *k, *v;
    int64_t k_stride, v_stride; /* bytes of one head of one sequence */
    rg_kvtype k_type, v_type;
    int64_t heads, hd;
    int64_t ring; /* so many of the last positions are kept, whole chunks; 0: all */
} rg_kv_layer;

/* Where a position lies. A chunk of RG_ATTN_CHUNK lies together. */
static inline int64_t rg_kv_place(const rg_kv_layer *kv, int64_t pos)
{
    return kv->ring ? pos % kv->ring : pos;
}

/* Consecutive tokens of one sequence inside a batch. */
typedef struct rg_seq_run {
    int64_t seq, pos; /* position of the first token */
    int64_t t0, n;    /* tokens [t0, t0 + n) of the batch */
} rg_seq_run;

typedef struct rg_attn_shape {
    int64_t heads;  /* query heads */
    float scale;    /* of the scores */
    int64_t window; /* a token sees that many positions, itself included; 0: all */
    const rg_seq_run *run;
    int64_t n_runs, m; /* tokens in all runs */
    float cap;         /* of the scores: cap tanh(s / cap); 0: none */
    const float *sink; /* [heads] a score of each head that softmax counts in and drops; NULL: none */
    int64_t rot;       /* values of a head that are rotated */
    const float *cs,
        *cs_q;     /* of keys and of queries, [ctx][rot]: rot/2 cosines then rot/2 sines of each position */
    float *part;   /* shared scratch of rg_attn, rg_attn_part_floats() */
    float *scores; /* of rg_attn_unfused: [m * heads][score_stride] */
    int64_t score_stride;
} rg_attn_shape;

/* x[m][heads * k]: RMSNorm of every k values, by w[k], in place. No barrier follows where heads are many: the
 * same thread rotates and stores them. */
void rg_headnorm(
    rg_ctx *cx, rg_site site, float *x, const float *w, int64_t m, int64_t heads, int64_t k, float eps);
/* q[m][heads * hd] and k[m][kv heads * hd] rotated in place. */
void rg_rope(rg_ctx *cx, float *q, float *k, const rg_kv_layer *kv, const rg_attn_shape *a);
/* k and v of the batch into the cache. No barrier stands between: the same thread rotated the head. */
void rg_kv_put(rg_ctx *cx, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a);
/* Both: rotated keys are only in the cache. */
void rg_rope_kv(
    rg_ctx *cx, float *q, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a);
/* out[m][heads * hd]: attention of each token over its sequence, up to its position. */
void rg_attn(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a);
/* Through a score matrix in memory, as three records. */
void rg_attn_unfused(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a);

/* Floats of `part`. */
int64_t rg_attn_part_floats(int threads, int64_t hd, int64_t ctx);

#endif
