/* Attention: splits query rows and KV heads among threads and merges chunks of the context. */
#include "exec/attn_parts.h"

/* The unit of attention work: up to RG_ATTN_NQ query rows (tokens x the query heads that share a KV head)
 * against one KV head. The context is walked in chunks of fixed size, each chunk is computed from scratch and
 * merged in order, so that neither the number of threads nor the split of the work changes a bit of the
 * result. */
typedef struct task {
    const rg_run *run;
    int64_t g;          /* KV head */
    int64_t t0, tokens; /* tokens of the batch */
    int64_t j0, reps;   /* query heads g * rep + j0 ... */
    int64_t pos;        /* position of the first token */
} task;

typedef struct plan {
    /* query heads per KV head; per task; tasks per group; tokens per task */
    int64_t rep, reps, slices, block;
    int64_t n; /* tasks in the batch */
} plan;

static int64_t blocks_of(const plan *p, const rg_run *r) { return rg_div_up(r->n, p->block); }

static plan make_plan(const rg_kv_layer *kv, const rg_attn_shape *a)
{
    plan p = {.rep = a->heads / kv->heads};
    p.reps = rg_min(p.rep, RG_ATTN_NQ);
    p.slices = rg_div_up(p.rep, p.reps);
    p.block = rg_max(1, RG_ATTN_NQ / p.reps);
    for (int64_t r = 0; r < a->n_runs; r++) p.n += blocks_of(&p, &a->run[r]) * kv->heads * p.slices;
    return p;
}

/* Task i: runs outermost, then heads, then slices, then token blocks, so that neighbours share a KV head. */
static task get_task(const plan *p, const rg_kv_layer *kv, const rg_attn_shape *a, int64_t i)
{
    const rg_run *r = a->run;
    for (;; r++) {
        const int64_t here = blocks_of(p, r) * kv->heads * p->slices;
        if (i < here) break;
        i -= here;
    }
    const int64_t nb = blocks_of(p, r), b = i % nb, hs = i / nb;
    task t = {.run = r,
        .g = hs / p->slices,
        .t0 = r->t0 + b * p->block,
        .j0 = hs % p->slices * p->reps,
        .pos = r->pos + b * p->block};
    t.tokens = rg_min(p->block, r->t0 + r->n - t.t0);
    t.reps = rg_min(p->reps, p->rep - t.j0);
    return t;
}

static int64_t task_start(const rg_attn_shape *a, const task *t)
{
    return rg_first_seen(a, t->pos) / RG_KV_BLOCK * RG_KV_BLOCK;
}
static const char *head(const char *base, int64_t stride, const rg_kv_layer *kv, const task *t)
{
    return base + (t->run->seq * kv->heads + t->g) * stride;
}
static int64_t task_rows(const task *t) { return t->tokens * t->reps; }
/* Positions the last token sees. */
static int64_t task_end(const task *t) { return t->pos + t->tokens; }

static int64_t query_offset(const plan *p, const rg_kv_layer *kv, const task *t, int64_t row, int64_t heads)
{
    return ((t->t0 + row / t->reps) * heads + t->g * p->rep + t->j0 + row % t->reps) * kv->hd;
}

/* Running result of one row: acc[hdp], maximum, sum. */
typedef struct work {
    float *q, *s, *acc, *out; /* [NQ][hd], [NQ][CHUNK], [NQ][hdp] of a chunk, [NQ][hdp] merged */
    float *max, *sum, *cmax, *csum;
    int64_t hdp;
} work;

static work carve(rg_ctx *cx, const rg_kv_layer *kv)
{
    work w = {.hdp = rg_kv_hdp(kv->v_type, kv->hd)};
    float *f = (float *)(void *)cx->scratch;
    w.s = f, f += RG_ATTN_NQ * RG_ATTN_CHUNK;
    w.q = f, f += RG_ATTN_NQ * rg_round_up(kv->hd, 16);
    w.acc = f, f += RG_ATTN_NQ * w.hdp;
    w.out = f, f += RG_ATTN_NQ * w.hdp;
    w.max = f, f += RG_ATTN_NQ;
    w.sum = f, f += RG_ATTN_NQ;
    w.cmax = f, f += RG_ATTN_NQ;
    w.csum = f;
    return w;
}

static void load_queries(rg_ctx *cx, work *w, const float *q, const plan *p, const rg_kv_layer *kv,
    const rg_attn_shape *a, const task *t)
{
    for (int64_t i = 0; i < task_rows(t); i++) {
        const float *src = q + query_offset(p, kv, t, i, a->heads);
        for (int64_t d = 0; d < kv->hd; d++) w->q[i * kv->hd + d] = src[d] * a->scale;
    }
    cx->tally.act_rd += (uint64_t)(4 * task_rows(t) * kv->hd);
}

/* One chunk of one task: cmax, csum, acc of every row that sees any of it; csum 0 for the others. */
static void chunk(
    rg_ctx *cx, work *w, const rg_kv_layer *kv, const rg_attn_shape *a, const task *t, int64_t c0, int64_t c1)
{
    const int64_t rows = task_rows(t), n = c1 - c0, n_pad = rg_round_up(n, RG_KV_BLOCK);
    cx->k->attn_qk[kv->k_type](
        w->s, RG_ATTN_CHUNK, w->q, kv->hd, rows, head(kv->k, kv->k_stride, kv, t), kv->hd, c0, c1);
    for (int64_t i = 0; i < rows; i++) {
        float *s = w->s + i * RG_ATTN_CHUNK;
        const int64_t pos = t->pos + i / t->reps, sees = rg_min(n, pos + 1 - c0),
                      before = rg_first_seen(a, pos) - c0;
        if (sees > rg_max(0, before)) {
            rg_mask_scores(s, before);
            cx->k->softmax(s, sees, n_pad, &w->cmax[i], &w->csum[i]);
        } else {
            memset(s, 0, (size_t)n_pad * sizeof *s);
            w->cmax[i] = -INFINITY;
            w->csum[i] = 0.0f;
        }
    }
    cx->k->attn_pv[kv->v_type](
        w->acc, w->hdp, w->s, RG_ATTN_CHUNK, rows, head(kv->v, kv->v_stride, kv, t), kv->hd, c0, c1);
    cx->tally.flop += (uint64_t)(rows * n * (4 * kv->hd + 5));
}

/* whole: everything that the task sees, or its first chunk. */
static void count_kv(
    rg_ctx *cx, rg_reach *rk, const rg_kv_layer *kv, const task *t, int64_t c0, int64_t c1, bool whole)
{
    const int64_t each = rg_kv_k_bytes(kv->k_type, kv->hd) + rg_kv_v_bytes(kv->v_type, kv->hd);
    const char *base = head(kv->k, kv->k_stride, kv, t);
    const int64_t n = whole ? rg_new_positions(rk, base, c0, c1, each, cx->l2_bytes) : c1 - c0;
    cx->tally.kv_rd += (uint64_t)(n * each);
}

static void whole_tasks(
    rg_ctx *cx, float *out, const float *q, const plan *p, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    work w = carve(cx, kv);
    rg_reach rk = {0};
    for (int64_t i = cx->tid; i < p->n; i += cx->nt) {
        const task t = get_task(p, kv, a, i);
        load_queries(cx, &w, q, p, kv, a, &t);
        const int64_t start = task_start(a, &t);
        for (int64_t c0 = start; c0 < task_end(&t); c0 = rg_next_chunk(c0)) {
            chunk(cx, &w, kv, a, &t, c0, rg_min(rg_next_chunk(c0), task_end(&t)));
            for (int64_t r = 0; r < task_rows(&t); r++)
                rg_merge_row(w.out + r * w.hdp, &w.max[r], &w.sum[r], w.acc + r * w.hdp, w.cmax[r], w.csum[r],
                    kv->hd, c0 == start);
        }
        count_kv(cx, &rk, kv, &t, start, task_end(&t), true);
        for (int64_t r = 0; r < task_rows(&t); r++)
            rg_store_row(out + query_offset(p, kv, &t, r, a->heads), w.out + r * w.hdp, w.sum[r], kv->hd);
        cx->tally.act_wr += (uint64_t)(4 * task_rows(&t) * kv->hd);
    }
}

/* Few tasks and a long context: the chunks of all tasks are dealt out, then merged. A part is max, sum,
 * acc[hdp] per row. */
static void split_tasks(
    rg_ctx *cx, float *out, const float *q, const plan *p, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    work w = carve(cx, kv);
    const int64_t row = w.hdp + 2, part = RG_ATTN_NQ * row;
    int64_t at = 0;
    rg_reach rk = {0};
    for (int64_t i = 0; i < p->n; i++) {
        const task t = get_task(p, kv, a, i);
        bool loaded = false;
        const int64_t start = task_start(a, &t);
        for (int64_t c0 = start; c0 < task_end(&t); c0 = rg_next_chunk(c0), at++) {
            if (at % cx->nt != cx->tid) continue;
            if (!loaded) load_queries(cx, &w, q, p, kv, a, &t);
            loaded = true;
            const int64_t c1 = rg_min(rg_next_chunk(c0), task_end(&t));
            chunk(cx, &w, kv, a, &t, c0, c1);
            count_kv(cx, &rk, kv, &t, c0, c1, c0 == start);
            for (int64_t r = 0; r < task_rows(&t); r++) {
                float *f = a->part + at * part + r * row;
                f[0] = w.cmax[r];
                f[1] = w.csum[r];
                memcpy(f + 2, w.acc + r * w.hdp, (size_t)kv->hd * sizeof *f);
            }
            cx->tally.act_wr += (uint64_t)(4 * task_rows(&t) * row);
        }
    }
    rg_barrier(cx);
    at = 0;
    for (int64_t i = 0; i < p->n; i++) {
        const task t = get_task(p, kv, a, i);
        const int64_t chunks = rg_div_up(task_end(&t), RG_ATTN_CHUNK) - task_start(a, &t) / RG_ATTN_CHUNK;
        if (i % cx->nt == cx->tid) {
            for (int64_t r = 0; r < task_rows(&t); r++) {
                float max = 0.0f, sum = 0.0f;
                for (int64_t c = 0; c < chunks; c++) {
                    const float *f = a->part + (at + c) * part + r * row;
                    rg_merge_row(w.out, &max, &sum, f + 2, f[0], f[1], kv->hd, c == 0);
                }
                rg_store_row(out + query_offset(p, kv, &t, r, a->heads), w.out, sum, kv->hd);
            }
            cx->tally.act_rd += (uint64_t)(4 * chunks * task_rows(&t) * row);
            cx->tally.act_wr += (uint64_t)(4 * task_rows(&t) * kv->hd);
        }
        at += chunks;
    }
}

/* Splitting pays when whole tasks would leave threads idle; at most SPLIT_TASKS * threads tasks are split,
 * which bounds `part`. */
enum { SPLIT_TASKS = 4 };

int64_t rg_attn_part_floats(int threads, int64_t hd, int64_t ctx)
{
    return SPLIT_TASKS * threads * rg_div_up(ctx, RG_ATTN_CHUNK) * RG_ATTN_NQ * (rg_round_up(hd, 32) + 2);
}

static void end_attn(rg_ctx *cx, rg_site site, const rg_kv_layer *kv, const rg_attn_shape *a, int kv_k,
    int kv_v, rg_attn_way way, bool barrier)
{
    rg_dims d = {.m = a->m, .h = a->heads, .g = kv->heads, .hd = kv->hd};
    for (int64_t r = 0; r < a->n_runs; r++) {
        const int64_t n = a->run[r].n, pos = a->run[r].pos;
        d.pairs += n * pos + n * (n + 1) / 2;
        d.ctx += pos + n - rg_first_seen(a, pos);
        /* what the window takes away: 1, 2, 3 ... positions from the first token whose past is longer */
        const int64_t last = rg_first_seen(a, pos + n - 1), cut = rg_min(last, n);
        d.pairs -= cut * last - cut * (cut - 1) / 2;
    }
    const bool core = kv_k < RG_KV_COUNT || kv_v < RG_KV_COUNT,
               tiles = way == RG_ATTN_TILES || way == RG_ATTN_TILES_BF16;
    rg_op_end(cx,
        &(rg_op_desc){.site = site,
            .dims = d,
            .wtype = RG_WT_COUNT,
            .kv_k = kv_k,
            .kv_v = kv_v,
            .isa = tiles                   ? cx->k->level[RG_FN_tile_mm]
                : way == RG_ATTN_MANY_BF16 ? cx->k->level[RG_FN_mm_bf16]
                : core                     ? cx->k->level[RG_FN_attn_qk]
                                           : cx->k->level[RG_FN_rmsnorm],
            .arith = tiles ? RG_ARITH_AMX_BF16 : 0,
            .kernel = way == RG_ATTN_TILES ? RG_KK_ATTN3
                : core                     ? RG_KK_ATTN
                                           : RG_KK_ELEM,
            .barrier = barrier});
}

void rg_attn(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const plan p = make_plan(kv, a);
    int64_t end = 0;
    for (int64_t r = 0; r < a->n_runs; r++) end = rg_max(end, a->run[r].pos + a->run[r].n);
    const rg_attn_way way = rg_attn_choose(cx, kv, a);
    if (way != RG_ATTN_FEW)
        rg_attn_many(cx, out, q, kv, a, way);
    else if (cx->nt > 1 && p.n < SPLIT_TASKS * cx->nt && p.n % cx->nt != 0 && end > RG_ATTN_CHUNK)
        split_tasks(cx, out, q, &p, kv, a);
    else
        whole_tasks(cx, out, q, &p, kv, a);
    end_attn(cx, RG_SITE_ATTN_CORE, kv, a, (int)kv->k_type, (int)kv->v_type, way, true);
}

/* Row r of the score matrix belongs to (KV head, token, query head of the group) in this order, so that a
 * task's rows are neighbours. */
static float *score_row(const plan *p, const rg_attn_shape *a, const task *t)
{
    return a->scores + ((t->g * a->m + t->t0) * p->rep + t->j0) * a->score_stride;
}

void rg_attn_unfused(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const plan p = make_plan(kv, a);
    work w = carve(cx, kv);
    const int64_t kb = rg_kv_k_bytes(kv->k_type, kv->hd), vb = rg_kv_v_bytes(kv->v_type, kv->hd);
    /* with slices (rep > RG_ATTN_NQ) a task has one token, so its rows are neighbours too */
    for (int64_t i = cx->tid; i < p.n; i += cx->nt) {
        const task t = get_task(&p, kv, a, i);
        load_queries(cx, &w, q, &p, kv, a, &t);
        const int64_t start = task_start(a, &t), n = task_end(&t) - start;
        cx->k->attn_qk[kv->k_type](score_row(&p, a, &t) + start, a->score_stride, w.q, kv->hd, task_rows(&t),
            head(kv->k, kv->k_stride, kv, &t), kv->hd, start, task_end(&t));
        cx->tally.kv_rd += (uint64_t)(n * kb);
        cx->tally.act_wr += (uint64_t)(4 * task_rows(&t) * n);
        cx->tally.flop += (uint64_t)(2 * task_rows(&t) * n * kv->hd);
    }
    /* the same thread goes on with its own rows */
    end_attn(cx, RG_SITE_ATTN_QK, kv, a, (int)kv->k_type, RG_KV_COUNT, RG_ATTN_FEW, false);

    for (int64_t i = cx->tid; i < p.n; i += cx->nt) {
        const task t = get_task(&p, kv, a, i);
        for (int64_t r = 0; r < task_rows(&t); r++) {
            const int64_t start = task_start(a, &t), pos = t.pos + r / t.reps;
            float *s = score_row(&p, a, &t) + r * a->score_stride + start, max, sum;
            const int64_t n = pos + 1 - start, n_pad = rg_round_up(task_end(&t), RG_KV_BLOCK) - start;
            rg_mask_scores(s, rg_first_seen(a, pos) - start);
            cx->k->softmax(s, n, n_pad, &max, &sum);
            const float inv = 1.0f / sum;
            for (int64_t j = 0; j < n; j++) s[j] *= inv;
            cx->tally.act_rd += (uint64_t)(8 * n);
            cx->tally.act_wr += (uint64_t)(8 * n);
            cx->tally.flop += (uint64_t)(5 * n);
        }
    }
    end_attn(cx, RG_SITE_ATTN_SOFTMAX, kv, a, RG_KV_COUNT, RG_KV_COUNT, RG_ATTN_FEW, false);

    for (int64_t i = cx->tid; i < p.n; i += cx->nt) {
        const task t = get_task(&p, kv, a, i);
        const int64_t start = task_start(a, &t), n = task_end(&t) - start;
        cx->k->attn_pv[kv->v_type](w.out, w.hdp, score_row(&p, a, &t) + start, a->score_stride, task_rows(&t),
            head(kv->v, kv->v_stride, kv, &t), kv->hd, start, task_end(&t));
        for (int64_t r = 0; r < task_rows(&t); r++)
            memcpy(
                out + query_offset(&p, kv, &t, r, a->heads), w.out + r * w.hdp, (size_t)kv->hd * sizeof *out);
        cx->tally.kv_rd += (uint64_t)(n * vb);
        cx->tally.act_rd += (uint64_t)(4 * task_rows(&t) * n);
        cx->tally.act_wr += (uint64_t)(4 * task_rows(&t) * kv->hd);
        cx->tally.flop += (uint64_t)(2 * task_rows(&t) * n * kv->hd);
    }
    end_attn(cx, RG_SITE_ATTN_PV, kv, a, RG_KV_COUNT, (int)kv->v_type, RG_ATTN_FEW, true);
}

/* Heads of one token: query heads first, then KV heads; a thread takes the same tokens (or, with few tokens,
 * the same KV heads) in rope and in kv_put. */
static void my_heads(
    const rg_ctx *cx, int64_t m, int64_t heads, int64_t *t0, int64_t *t1, int64_t *h0, int64_t *h1)
{
    *t0 = *h0 = 0;
    *t1 = m;
    *h1 = heads;
    if (m >= cx->nt)
        rg_part(cx, m, 1, t0, t1);
    else
        rg_part(cx, heads, 1, h0, h1);
}

static int64_t token_pos(const rg_attn_shape *a, int64_t t, const rg_run **run)
{
    const rg_run *r = a->run;
    while (t >= r->t0 + r->n) r++;
    if (run) *run = r;
    return r->pos + t - r->t0;
}

void rg_rope(rg_ctx *cx, float *q, float *k, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t hd = kv->hd;
    int64_t t0, t1, q0, q1, k0, k1;
    my_heads(cx, a->m, a->heads, &t0, &t1, &q0, &q1);
    my_heads(cx, a->m, kv->heads, &t0, &t1, &k0, &k1);
    for (int64_t t = t0; t < t1; t++) {
        const float *cs = a->cs + token_pos(a, t, NULL) * hd;
        if (q1 > q0) cx->k->rope(q + (t * a->heads + q0) * hd, q1 - q0, hd, cs, cs + hd / 2);
        if (k1 > k0) cx->k->rope(k + (t * kv->heads + k0) * hd, k1 - k0, hd, cs, cs + hd / 2);
    }
    const uint64_t n = (uint64_t)((t1 - t0) * (q1 - q0 + k1 - k0) * hd);
    cx->tally.act_rd += 4 * n + (uint64_t)(4 * (t1 - t0) * hd);
    cx->tally.act_wr += 4 * n;
    cx->tally.flop += 3 * n;
    rg_op_end(cx,
        &(rg_op_desc){.site = RG_SITE_ATTN_ROPE,
            .dims = {.m = a->m, .h = a->heads, .g = kv->heads, .hd = hd},
            .wtype = RG_WT_COUNT,
            .kv_k = RG_KV_COUNT,
            .kv_v = RG_KV_COUNT,
            .isa = cx->k->level[RG_FN_rmsnorm],
            .kernel = RG_KK_ELEM});
}

/* Key and value of one token and KV head into the cache. */
static void store(const rg_ctx *cx, const float *k, const float *v, const rg_kv_layer *kv, const rg_run *r,
    int64_t pos, int64_t head)
{
    const int64_t s = r->seq * kv->heads + head;
    cx->k->kv_put_k[kv->k_type](kv->k + s * kv->k_stride, kv->hd, pos, k);
    cx->k->kv_put_v[kv->v_type](kv->v + s * kv->v_stride, kv->hd, pos, v);
}

static void end_put(rg_ctx *cx, rg_site site, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    rg_op_end(cx,
        &(rg_op_desc){.site = site,
            .dims = {.m = a->m, .h = a->heads, .g = kv->heads, .hd = kv->hd},
            .wtype = RG_WT_COUNT,
            .kv_k = (int)kv->k_type,
            .kv_v = (int)kv->v_type,
            .isa = cx->k->level[RG_FN_rmsnorm],
            .kernel = RG_KK_ELEM,
            .barrier = true});
}

void rg_kv_put(rg_ctx *cx, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t hd = kv->hd;
    int64_t t0, t1, h0, h1;
    my_heads(cx, a->m, kv->heads, &t0, &t1, &h0, &h1);
    for (int64_t t = t0; t < t1; t++) {
        const rg_run *r;
        const int64_t pos = token_pos(a, t, &r);
        for (int64_t g = h0; g < h1; g++)
            store(cx, k + (t * kv->heads + g) * hd, v + (t * kv->heads + g) * hd, kv, r, pos, g);
    }
    const uint64_t n = (uint64_t)((t1 - t0) * (h1 - h0));
    cx->tally.act_rd += n * 8 * (uint64_t)hd;
    cx->tally.kv_wr += n * (uint64_t)(rg_kv_k_bytes(kv->k_type, hd) + rg_kv_v_bytes(kv->v_type, hd));
    end_put(cx, RG_SITE_ATTN_KV_PUT, kv, a);
}

void rg_rope_kv(
    rg_ctx *cx, float *q, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t hd = kv->hd;
    /* a part of the scratch, a few heads: one after the other they would wait for their own stores */
    enum { FLOATS = 3 * 1024 };
    float *rotated = (float *)(void *)cx->scratch;
    const int64_t some = rg_max(1, FLOATS / hd);
    int64_t t0, t1, q0, q1, k0, k1;
    my_heads(cx, a->m, a->heads, &t0, &t1, &q0, &q1);
    my_heads(cx, a->m, kv->heads, &t0, &t1, &k0, &k1);
    for (int64_t t = t0; t < t1; t++) {
        const rg_run *r;
        const int64_t pos = token_pos(a, t, &r);
        const float *cs = a->cs + pos * hd;
        if (q1 > q0) cx->k->rope(q + (t * a->heads + q0) * hd, q1 - q0, hd, cs, cs + hd / 2);
        for (int64_t g0 = k0; g0 < k1; g0 += some) {
            const int64_t g1 = rg_min(g0 + some, k1), at = t * kv->heads * hd;
            memcpy(rotated, k + at + g0 * hd, (size_t)((g1 - g0) * hd) * sizeof *rotated);
            cx->k->rope(rotated, g1 - g0, hd, cs, cs + hd / 2);
            for (int64_t g = g0; g < g1; g++)
                store(cx, rotated + (g - g0) * hd, v + at + g * hd, kv, r, pos, g);
        }
    }
    const uint64_t n = (uint64_t)((t1 - t0) * hd), nq = n * (uint64_t)(q1 - q0), nk = n * (uint64_t)(k1 - k0);
    cx->tally.act_rd += 4 * (nq + 2 * nk + n);
    cx->tally.act_wr += 4 * nq;
    cx->tally.kv_wr +=
        nk / (uint64_t)hd * (uint64_t)(rg_kv_k_bytes(kv->k_type, hd) + rg_kv_v_bytes(kv->v_type, hd));
    cx->tally.flop += 3 * (nq + nk);
    end_put(cx, RG_SITE_ATTN_ROPE_KV, kv, a);
}
