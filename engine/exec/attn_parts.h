/* What the drivers of attention share. Private to exec/. */
#ifndef RG_ATTN_PARTS_H
#define RG_ATTN_PARTS_H

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "exec/drive.h"
#include "ops/route.h"

/* First position that a token sees. */
static inline int64_t rg_first_seen(const rg_attn_shape *a, int64_t pos)
{
    return a->window > 0 ? rg_max(0, pos - a->window + 1) : 0;
}
/* Chunks end at multiples of their size wherever they begin. */
static inline int64_t rg_next_chunk(int64_t c0) { return (c0 / RG_ATTN_CHUNK + 1) * RG_ATTN_CHUNK; }

/* Operations of a score in the softmax, its cap included. */
static inline int64_t rg_softmax_flop(const rg_attn_shape *a) { return a->cap > 0.0f ? 8 : 5; }
/* Before they are masked. */
static inline void rg_cap_scores(const rg_ctx *cx, const rg_attn_shape *a, float *s, int64_t n)
{
    if (a->cap > 0.0f) cx->k->softcap(s, n, a->cap);
}
/* Scores of positions before the window: as good as not there. */
static inline void rg_mask_scores(float *s, int64_t n)
{
    for (int64_t j = 0; j < n; j++) s[j] = -INFINITY;
}

/* The work on one KV head: query rows (tokens x the query heads that share it) against positions
 * [start, end), which begin with whole blocks of the cache. */
typedef struct rg_attn_task {
    int64_t g;               /* KV head */
    int64_t t0, tokens, pos; /* tokens of the batch; position of the first */
    int64_t j0, reps;        /* query heads g * rep + j0 ... */
    int64_t rows, start, end;
    const char *k, *v; /* the head in the cache */
} rg_attn_task;

/* How a batch becomes tasks. */
typedef struct rg_attn_plan {
    const rg_kv_layer *kv;
    const rg_attn_shape *a;
    /* query heads per KV head; per task; tasks per group; most tokens per task */
    int64_t rep, reps, slices, block;
} rg_attn_plan;

static inline int64_t rg_attn_tasks(const rg_attn_plan *p, const rg_seq_run *r)
{
    return rg_div_up(r->n, p->block) * p->kv->heads * p->slices;
}
static inline int64_t rg_attn_all_tasks(const rg_attn_plan *p)
{
    int64_t n = 0;
    for (int64_t r = 0; r < p->a->n_runs; r++) n += rg_attn_tasks(p, &p->a->run[r]);
    return n;
}
/* Runs outermost, then heads, then slices, then token blocks, so that neighbours share a KV head. */
rg_attn_task rg_attn_get(const rg_attn_plan *p, int64_t i);
/* Where a task's row stands in the queries, and in the results. */
static inline int64_t rg_attn_at(const rg_attn_plan *p, const rg_attn_task *t, int64_t row)
{
    return ((t->t0 + row / t->reps) * p->a->heads + t->g * p->rep + t->j0 + row % t->reps) * p->kv->hd;
}

/* A head that stays in the private cache is charged once per thread, for its longest reach. */
typedef struct rg_reach {
    const char *last;
    int64_t end;
} rg_reach;

/* Bytes of one position of one head. */
static inline int64_t rg_kv_bytes(const rg_kv_layer *kv)
{
    return rg_kv_k_bytes(kv->k_type, kv->hd) + rg_kv_v_bytes(kv->v_type, kv->hd);
}
/* Positions [c0, c1) of a task, which begin or continue its walk. */
static inline void rg_count_kv(
    rg_ctx *cx, rg_reach *r, const rg_kv_layer *kv, const rg_attn_task *t, int64_t c0, int64_t c1)
{
    const int64_t each = rg_kv_bytes(kv);
    int64_t n = c1 - c0;
    if (c0 == t->start) {
        if (r->last == t->k && n * each <= cx->l2_bytes / 2) n = rg_max(0, c1 - rg_max(r->end, c0));
        *r = (rg_reach){t->k, c1};
    }
    cx->tally.kv_rd += n * each;
}

/* Merges a chunk's row into the running one; first: there is none yet. csum is 0 where the row sees nothing
 * of the chunk. */
static inline void rg_merge_row(
    float *out, float *max, float *sum, const float *acc, float cmax, float csum, int64_t hd, bool first)
{
    if (first) {
        memcpy(out, acc, hd * sizeof *out);
        *max = cmax;
        *sum = csum;
    } else if (csum != 0.0f) {
        const float m = *max > cmax ? *max : cmax, a = *max == m ? 1.0f : expf(*max - m),
                    b = cmax == m ? 1.0f : expf(cmax - m);
        for (int64_t d = 0; d < hd; d++) out[d] = out[d] * a + acc[d] * b;
        *sum = *sum * a + csum * b;
        *max = m;
    }
}

/* What softmax divides by: the sum of a row's exponentials, less its maximum, and that of its head's sink. */
static inline float rg_divisor(
    const rg_attn_plan *p, const rg_attn_task *t, int64_t row, float max, float sum)
{
    if (!p->a->sink) return sum;
    return sum + expf(p->a->sink[t->g * p->rep + t->j0 + row % t->reps] - max);
}
/* Sinks of all heads of a task, which a thread reads once, and what they take of so many rows. */
static inline void rg_count_sinks(rg_ctx *cx, const rg_attn_plan *p, const rg_attn_task *t)
{
    if (!p->a->sink) return;
    if (t->t0 == 0) cx->tally.w_rd += 4 * t->reps;
    rg_count(cx, 0, 0, 3 * t->rows);
}

static inline void rg_store_row(float *out, const float *acc, float divisor, int64_t hd)
{
    const float inv = 1.0f / divisor;
    for (int64_t d = 0; d < hd; d++) out[d] = acc[d] * inv;
}

/* drive_attn_many.c: the work of rg_attn where many query rows share each key; which way for this call. */
rg_attn_way rg_attn_choose(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a);
void rg_attn_many(
    rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a, rg_attn_way way);
int64_t rg_attn_many_scratch(void);

#endif
