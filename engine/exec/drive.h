/* Drivers: an operator for a whole team. Each splits the work by thread, calls kernels, counts what its loops
 * stream, and closes a record. All threads of a region call the same driver with the same arguments. Results
 * do not depend on the number of threads.
 *
 * Counted bytes follow the loops: a driver adds every byte that its loop structure brings past the core's
 * private cache. `barrier` is false where the next operator of the same thread reads only what that thread
 * wrote. */
#ifndef RG_DRIVE_H
#define RG_DRIVE_H

#include "exec/team.h"

/* Bytes of per-thread scratch that the drivers need. */
size_t rg_drive_scratch(const rg_ktab *k);

/* Bytes of the team's buffer for prepared activations (rg_ctx.xq): calls of up to m tokens, up to k
 * columns. */
int64_t rg_xq_bytes(int threads, int64_t m, int64_t k);

/* An embedding table: packed (tied with the output), or rows in their file type. */
typedef struct rg_embedding {
    const rg_weight *packed; /* NULL: rows */
    rg_ftype type;
    const void *rows;
    int64_t row_bytes, dim;
} rg_embedding;

/* x[m][dim] = rows of the table. */
void rg_embed(rg_ctx *cx, float *x, const rg_embedding *e, const int32_t *token, int64_t m);

/* y[m][n] = x[m][k] W^T. */
void rg_linear(
    rg_ctx *cx, rg_site site, float *y, const float *x, const rg_weight *w, int64_t m, bool barrier);

/* The same with what follows done while the outputs are in the private cache, by the op of the site: to =
 * silu(to) * y (LINEAR_SWIGLU) or to += y (LINEAR_ADD), to[m][n]. y[m][n] is scratch: what it holds
 * afterwards means nothing. Ends with a barrier. */
void rg_linear_fused(
    rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w, int64_t m);

/* y[i] = rmsnorm(x[row ? row[i] : i]) for i < m. */
void rg_rmsnorm(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps);

/* The same in every thread for itself: y is the thread's own, nobody waits. */
void rg_rmsnorm_own(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps);

/* x[m][n] += d[m][n], columns split as rg_linear splits its rows. */
void rg_add(rg_ctx *cx, rg_site site, float *x, const float *d, int64_t m, int64_t n);

/* y[m][n] += b[n], columns split as rg_linear splits its rows. */
void rg_bias(rg_ctx *cx, rg_site site, float *y, const float *b, int64_t m, int64_t n, bool barrier);

/* y[m][n] *= factor, columns split as rg_linear splits its rows. */
void rg_scale(rg_ctx *cx, rg_site site, float *y, float factor, int64_t m, int64_t n, bool barrier);

/* y[m][k] = x[m][order[k]]. */
void rg_reorder(
    rg_ctx *cx, rg_site site, float *y, const float *x, const int32_t *order, int64_t m, int64_t k);

/* gate[m][n] = silu(gate) * up, columns split as rg_linear splits its rows. */
void rg_swiglu(rg_ctx *cx, rg_site site, float *gate, const float *up, int64_t m, int64_t n);

/* The KV cache of one layer, seen by the drivers. Head g of sequence s starts at k + (s * heads + g) *
 * k_stride bytes, v likewise. */
typedef struct rg_kv_layer {
    char *k, *v;
    int64_t k_stride, v_stride; /* bytes of one head of one sequence */
    rg_kvtype k_type, v_type;
    int64_t heads, hd;
} rg_kv_layer;

/* Consecutive tokens of one sequence inside a batch. */
typedef struct rg_run {
    int64_t seq, pos; /* position of the first token */
    int64_t t0, n;    /* tokens [t0, t0 + n) of the batch */
} rg_run;

typedef struct rg_attn_shape {
    int64_t heads;  /* query heads */
    float scale;    /* of the scores */
    int64_t window; /* a token sees that many positions, itself included; 0: all */
    const rg_run *run;
    int64_t n_runs, m; /* tokens in all runs */
    const float *cs;   /* [ctx][hd]: hd/2 cosines then hd/2 sines of each position */
    float *part;       /* shared scratch of rg_attn, rg_attn_part_floats() floats */
    float *scores;     /* shared scratch of the unfused form: [m * heads][score_stride]; NULL when fused */
    int64_t score_stride;
} rg_attn_shape;

/* q[m][heads * hd] and k[m][kv heads * hd] rotated in place. */
void rg_rope(rg_ctx *cx, float *q, float *k, const rg_kv_layer *kv, const rg_attn_shape *a);
/* k and v of the batch into the cache. Follows rg_rope without a barrier: the same thread rotates and stores
 * a head. */
void rg_kv_put(rg_ctx *cx, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a);
/* Both in one: k is read, and rotated keys are only in the cache. */
void rg_rope_kv(
    rg_ctx *cx, float *q, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a);
/* out[m][heads * hd]: fused attention over each token's own sequence, up to its own position. */
void rg_attn(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a);
/* The same in three steps through a score matrix in memory, as three records. */
void rg_attn_unfused(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a);

/* Floats of `part` for a session: hd, longest context, threads. */
int64_t rg_attn_part_floats(int threads, int64_t hd, int64_t ctx);

#endif
