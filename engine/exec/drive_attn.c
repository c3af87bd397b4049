/* Attention: splits query rows and KV heads among threads and merges chunks of the context. */
#include "exec/attn_parts.h"

/* Tasks of up to RG_ATTN_NQ query rows. */
static rg_attn_plan make_plan(const rg_kv_layer *kv, const rg_attn_shape *a)
{
    rg_attn_plan p = {.kv = kv, .a = a, .rep = a->heads / kv->heads};
    p.reps = rg_min(p.rep, RG_ATTN_NQ);
    p.slices = rg_div_up(p.rep, p.reps);
    p.block = rg_max(1, RG_ATTN_NQ / p.reps);
    return p;
}

rg_attn_task rg_attn_get(const rg_attn_plan *p, int64_t i)
{
    const rg_kv_layer *kv = p->kv;
    const rg_seq_run *r = p->a->run;
    for (; i >= rg_attn_tasks(p, r); r++) i -= rg_attn_tasks(p, r);
    const int64_t nb = rg_div_up(r->n, p->block), b = i % nb * p->block, hs = i / nb, g = hs / p->slices;
    rg_attn_task t = {.g = g,
        .t0 = r->t0 + b,
        .tokens = rg_min(p->block, r->n - b),
        .pos = r->pos + b,
        .j0 = hs % p->slices * p->reps,
        .k = kv->k + (r->seq * kv->heads + g) * kv->k_stride,
        .v = kv->v + (r->seq * kv->heads + g) * kv->v_stride};
    t.reps = rg_min(p->reps, p->rep - t.j0);
    t.rows = t.tokens * t.reps;
    t.start = rg_first_seen(p->a, t.pos) / RG_KV_BLOCK * RG_KV_BLOCK;
    t.end = t.pos + t.tokens;
    return t;
}

/* Running result of one row: acc[hdp], maximum, sum. */
typedef struct work {
    const rg_attn_plan *p;
    float *q, *s, *acc, *out; /* [NQ][hd], [NQ][CHUNK], [NQ][hdp] of a chunk, [NQ][hdp] merged */
    float *max, *sum, *cmax, *csum;
    int64_t hdp;
} work;

static work carve(rg_ctx *cx, const rg_attn_plan *p)
{
    work w = {.p = p, .hdp = rg_kv_hdp(p->kv->v_type, p->kv->hd)};
    float *f = (void *)cx->scratch;
    w.s = f, f += RG_ATTN_NQ * RG_ATTN_CHUNK;
    w.q = f, f += RG_ATTN_NQ * rg_round_up(p->kv->hd, 16);
    w.acc = f, f += RG_ATTN_NQ * w.hdp;
    w.out = f, f += RG_ATTN_NQ * w.hdp;
    w.max = f, f += RG_ATTN_NQ;
    w.sum = f, f += RG_ATTN_NQ;
    w.cmax = f, f += RG_ATTN_NQ;
    w.csum = f;
    return w;
}

static void load_queries(rg_ctx *cx, const work *w, const float *q, const rg_attn_task *t)
{
    const int64_t hd = w->p->kv->hd;
    for (int64_t i = 0; i < t->rows; i++) {
        const float *src = q + rg_attn_at(w->p, t, i);
        for (int64_t d = 0; d < hd; d++) w->q[i * hd + d] = src[d] * w->p->a->scale;
    }
    rg_count(cx, 4 * t->rows * hd, 0, 0);
}

/* One chunk of one task: cmax, csum, acc of every row that sees any of it; csum 0 for the others. */
static void chunk(rg_ctx *cx, const work *w, const rg_attn_task *t, int64_t c0, int64_t c1)
{
    const rg_kv_layer *kv = w->p->kv;
    const int64_t n = c1 - c0, n_pad = rg_round_up(n, RG_KV_BLOCK);
    const int64_t at = rg_kv_place(kv, c0);
    cx->k->attn_qk[kv->k_type](w->s, RG_ATTN_CHUNK, w->q, kv->hd, t->rows, t->k, kv->hd, at, at + n);
    for (int64_t i = 0; i < t->rows; i++) {
        float *s = w->s + i * RG_ATTN_CHUNK;
        const int64_t pos = t->pos + i / t->reps, sees = rg_min(n, pos + 1 - c0),
                      before = rg_first_seen(w->p->a, pos) - c0;
        if (sees > rg_max(0, before)) {
            rg_cap_scores(cx, w->p->a, s, sees);
            rg_mask_scores(s, before);
            cx->k->softmax(s, sees, n_pad, &w->cmax[i], &w->csum[i]);
        } else {
            memset(s, 0, n_pad * sizeof *s);
            w->cmax[i] = -INFINITY;
            w->csum[i] = 0.0f;
        }
    }
    cx->k->attn_pv[kv->v_type](w->acc, w->hdp, w->s, RG_ATTN_CHUNK, t->rows, t->v, kv->hd, at, at + n);
    rg_count(cx, 0, 0, t->rows * n * (4 * kv->hd + rg_softmax_flop(w->p->a)));
}

static void whole_tasks(rg_ctx *cx, float *out, const float *q, const rg_attn_plan *p)
{
    const work w = carve(cx, p);
    const int64_t hd = p->kv->hd, tasks = rg_attn_all_tasks(p);
    rg_reach rk = {0};
    for (int64_t i = cx->tid; i < tasks; i += cx->nt) {
        const rg_attn_task t = rg_attn_get(p, i);
        load_queries(cx, &w, q, &t);
        for (int64_t c0 = t.start; c0 < t.end; c0 = rg_next_chunk(c0)) {
            chunk(cx, &w, &t, c0, rg_min(rg_next_chunk(c0), t.end));
            for (int64_t r = 0; r < t.rows; r++)
                rg_merge_row(w.out + r * w.hdp, &w.max[r], &w.sum[r], w.acc + r * w.hdp, w.cmax[r], w.csum[r],
                    hd, c0 == t.start);
        }
        rg_count_kv(cx, &rk, p->kv, &t, t.start, t.end);
        for (int64_t r = 0; r < t.rows; r++)
            rg_store_row(
                out + rg_attn_at(p, &t, r), w.out + r * w.hdp, rg_divisor(p, &t, r, w.max[r], w.sum[r]), hd);
        rg_count_sinks(cx, p, &t);
        rg_count(cx, 0, 4 * t.rows * hd, 0);
    }
}

/* Few tasks and a long context: the chunks of all tasks are dealt out, then merged. A part is max, sum,
 * acc[hdp] per row. */
static void split_tasks(rg_ctx *cx, float *out, const float *q, const rg_attn_plan *p)
{
    const work w = carve(cx, p);
    const int64_t hd = p->kv->hd, tasks = rg_attn_all_tasks(p), row = w.hdp + 2, part = RG_ATTN_NQ * row;
    int64_t at = 0;
    rg_reach rk = {0};
    for (int64_t i = 0; i < tasks; i++) {
        const rg_attn_task t = rg_attn_get(p, i);
        bool loaded = false;
        for (int64_t c0 = t.start; c0 < t.end; c0 = rg_next_chunk(c0), at++) {
            if (at % cx->nt != cx->tid) continue;
            if (!loaded) load_queries(cx, &w, q, &t);
            loaded = true;
            const int64_t c1 = rg_min(rg_next_chunk(c0), t.end);
            chunk(cx, &w, &t, c0, c1);
            rg_count_kv(cx, &rk, p->kv, &t, c0, c1);
            for (int64_t r = 0; r < t.rows; r++) {
                float *f = p->a->part + at * part + r * row;
                f[0] = w.cmax[r];
                f[1] = w.csum[r];
                memcpy(f + 2, w.acc + r * w.hdp, hd * sizeof *f);
            }
            rg_count(cx, 0, 4 * t.rows * row, 0);
        }
    }
    rg_barrier(cx);
    at = 0;
    for (int64_t i = 0; i < tasks; i++) {
        const rg_attn_task t = rg_attn_get(p, i);
        const int64_t chunks = rg_div_up(t.end, RG_ATTN_CHUNK) - t.start / RG_ATTN_CHUNK;
        if (i % cx->nt == cx->tid) {
            for (int64_t r = 0; r < t.rows; r++) {
                float max = 0.0f, sum = 0.0f;
                for (int64_t c = 0; c < chunks; c++) {
                    const float *f = p->a->part + (at + c) * part + r * row;
                    rg_merge_row(w.out, &max, &sum, f + 2, f[0], f[1], hd, c == 0);
                }
                rg_store_row(out + rg_attn_at(p, &t, r), w.out, rg_divisor(p, &t, r, max, sum), hd);
            }
            rg_count_sinks(cx, p, &t);
            rg_count(cx, 4 * chunks * t.rows * row, 4 * t.rows * hd, 0);
        }
        at += chunks;
    }
}

/* Tasks are split where whole ones would leave threads idle: at most so many per thread, which bounds
 * `part`. */
enum { SPLIT_TASKS = 4 };

int64_t rg_attn_part_floats(int threads, int64_t hd, int64_t ctx)
{
    return SPLIT_TASKS * threads * rg_div_up(ctx, RG_ATTN_CHUNK) * RG_ATTN_NQ * (rg_round_up(hd, 32) + 2);
}

static void end_attn(
    rg_ctx *cx, rg_site site, const rg_attn_plan *p, int kv_k, int kv_v, rg_attn_way way, bool barrier)
{
    const rg_attn_shape *a = p->a;
    rg_dims d = {.m = a->m,
        .h = a->heads,
        .g = p->kv->heads,
        .hd = p->kv->hd,
        .cap = a->cap > 0.0f,
        .sink = a->sink != NULL};
    for (const rg_seq_run *r = a->run; r < a->run + a->n_runs; r++) {
        const int64_t n = r->n, pos = r->pos;
        d.pairs += n * pos + n * (n + 1) / 2;
        d.ctx += pos + n - rg_first_seen(a, pos);
        /* the window takes 1, 2, 3 ... positions from the first token whose past is longer */
        const int64_t last = rg_first_seen(a, pos + n - 1), cut = rg_min(last, n);
        d.pairs -= cut * last - cut * (cut - 1) / 2;
    }
    rg_op_desc o = rg_elem_op(cx, site, d, barrier);
    o.kv_k = kv_k;
    o.kv_v = kv_v;
    if (kv_k < RG_KV_COUNT || kv_v < RG_KV_COUNT) {
        const bool tiles = way == RG_ATTN_TILES || way == RG_ATTN_TILES_BF16;
        o.kernel = way == RG_ATTN_TILES ? RG_KK_ATTN3 : RG_KK_ATTN;
        o.isa = cx->k->level[tiles         ? RG_FN_tile_mm
                : way == RG_ATTN_MANY_BF16 ? RG_FN_mm_bf16
                                           : RG_FN_attn_qk];
        if (tiles) o.arith = RG_ARITH_AMX_BF16;
    }
    rg_op_end(cx, &o);
}

void rg_attn(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const rg_attn_plan p = make_plan(kv, a);
    const int64_t tasks = rg_attn_all_tasks(&p);
    int64_t end = 0;
    for (int64_t r = 0; r < a->n_runs; r++) end = rg_max(end, a->run[r].pos + a->run[r].n);
    const rg_attn_way way = rg_attn_choose(cx, kv, a);
    if (way != RG_ATTN_FEW)
        rg_attn_many(cx, out, q, kv, a, way);
    else if (cx->nt > 1 && tasks < SPLIT_TASKS * cx->nt && tasks % cx->nt != 0 && end > RG_ATTN_CHUNK)
        split_tasks(cx, out, q, &p);
    else
        whole_tasks(cx, out, q, &p);
    end_attn(cx, RG_SITE_ATTN_CORE, &p, kv->k_type, kv->v_type, way, true);
}

/* Rows of the score matrix are (KV head, token, query head of the group): a task's are neighbours, also with
 * slices (rep > RG_ATTN_NQ), where it has one token. From the task's first position on. */
static float *scores(const rg_attn_plan *p, const rg_attn_task *t)
{
    return p->a->scores + ((t->g * p->a->m + t->t0) * p->rep + t->j0) * p->a->score_stride + t->start;
}

void rg_attn_unfused(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const rg_attn_plan p = make_plan(kv, a);
    const work w = carve(cx, &p);
    const int64_t hd = kv->hd, tasks = rg_attn_all_tasks(&p), lds = a->score_stride;
    for (int64_t i = cx->tid; i < tasks; i += cx->nt) {
        const rg_attn_task t = rg_attn_get(&p, i);
        const int64_t n = t.end - t.start;
        load_queries(cx, &w, q, &t);
        for (int64_t c0 = t.start; c0 < t.end; c0 = rg_next_chunk(c0)) {
            const int64_t c1 = rg_min(rg_next_chunk(c0), t.end), at = rg_kv_place(kv, c0);
            cx->k->attn_qk[kv->k_type](
                scores(&p, &t) + c0 - t.start, lds, w.q, hd, t.rows, t.k, hd, at, at + c1 - c0);
        }
        cx->tally.kv_rd += n * rg_kv_k_bytes(kv->k_type, hd);
        rg_count(cx, 0, 4 * t.rows * n, 2 * t.rows * n * hd);
    }
    /* the same thread goes on with its own rows */
    end_attn(cx, RG_SITE_ATTN_QK, &p, kv->k_type, RG_KV_COUNT, RG_ATTN_FEW, false);

    for (int64_t i = cx->tid; i < tasks; i += cx->nt) {
        const rg_attn_task t = rg_attn_get(&p, i);
        for (int64_t r = 0; r < t.rows; r++) {
            const int64_t pos = t.pos + r / t.reps, n = pos + 1 - t.start;
            float *s = scores(&p, &t) + r * lds, max, sum;
            rg_cap_scores(cx, a, s, n);
            rg_mask_scores(s, rg_first_seen(a, pos) - t.start);
            cx->k->softmax(s, n, rg_round_up(t.end, RG_KV_BLOCK) - t.start, &max, &sum);
            const float inv = 1.0f / rg_divisor(&p, &t, r, max, sum);
            for (int64_t j = 0; j < n; j++) s[j] *= inv;
            rg_count(cx, 8 * n, 8 * n, rg_softmax_flop(a) * n);
        }
        rg_count_sinks(cx, &p, &t);
    }
    end_attn(cx, RG_SITE_ATTN_SOFTMAX, &p, RG_KV_COUNT, RG_KV_COUNT, RG_ATTN_FEW, false);

    for (int64_t i = cx->tid; i < tasks; i += cx->nt) {
        const rg_attn_task t = rg_attn_get(&p, i);
        const int64_t n = t.end - t.start;
        for (int64_t c0 = t.start; c0 < t.end; c0 = rg_next_chunk(c0)) {
            const int64_t c1 = rg_min(rg_next_chunk(c0), t.end), at = rg_kv_place(kv, c0);
            float *sum = c0 == t.start ? w.out : w.acc;
            cx->k->attn_pv[kv->v_type](
                sum, w.hdp, scores(&p, &t) + c0 - t.start, lds, t.rows, t.v, hd, at, at + c1 - c0);
            for (int64_t d = 0; sum == w.acc && d < t.rows * w.hdp; d++) w.out[d] += w.acc[d];
        }
        for (int64_t r = 0; r < t.rows; r++)
            memcpy(out + rg_attn_at(&p, &t, r), w.out + r * w.hdp, hd * sizeof *out);
        cx->tally.kv_rd += n * rg_kv_v_bytes(kv->v_type, hd);
        rg_count(cx, 4 * t.rows * n, 4 * t.rows * hd, 2 * t.rows * n * hd);
    }
    end_attn(cx, RG_SITE_ATTN_PV, &p, RG_KV_COUNT, kv->v_type, RG_ATTN_FEW, true);
}

/* A thread's tokens and heads: the same tokens, or with few the same KV heads, in rope and in kv_put. */
typedef struct share {
    int64_t t0, t1, h0, h1;
} share;

static share my_share(const rg_ctx *cx, int64_t m, int64_t heads)
{
    share s = {0, m, 0, heads};
    if (m >= cx->nt)
        rg_part(cx, m, 1, &s.t0, &s.t1);
    else
        rg_part(cx, heads, 1, &s.h0, &s.h1);
    return s;
}

static int64_t token_pos(const rg_attn_shape *a, int64_t t, const rg_seq_run **run)
{
    const rg_seq_run *r = a->run;
    while (t >= r->t0 + r->n) r++;
    *run = r;
    return r->pos + t - r->t0;
}

void rg_headnorm(
    rg_ctx *cx, rg_site site, float *x, const float *w, int64_t m, int64_t heads, int64_t k, float eps)
{
    const share s = my_share(cx, m, heads);
    for (int64_t t = s.t0; t < s.t1; t++)
        for (int64_t h = s.h0; h < s.h1; h++) {
            float *y = x + (t * heads + h) * k;
            cx->k->rmsnorm(y, y, w, k, eps);
        }
    const int64_t rows = (s.t1 - s.t0) * (s.h1 - s.h0), n = 4 * rows * k;
    if (rows > 0) cx->tally.w_rd += 4 * k;
    rg_count(cx, n, n, n + 3 * rows);
    const rg_op_desc d = rg_elem_op(cx, site, (rg_dims){.m = m, .h = heads, .k = k}, heads == 1);
    rg_op_end(cx, &d);
}

/* Rotates a thread's heads of token t in x[m][heads * hd]. */
static void rotate(const rg_ctx *cx, float *x, const share *s, int64_t heads, int64_t hd, int64_t rot,
    int64_t t, const float *cs)
{
    if (s->h1 > s->h0) cx->k->rope(x + (t * heads + s->h0) * hd, s->h1 - s->h0, hd, rot, cs, cs + rot / 2);
}

static void end_put(
    rg_ctx *cx, rg_site site, const rg_kv_layer *kv, const rg_attn_shape *a, int64_t hd, bool stores)
{
    rg_op_desc o =
        rg_elem_op(cx, site, (rg_dims){.m = a->m, .h = a->heads, .g = kv->heads, .hd = hd}, stores);
    if (stores) {
        o.kv_k = kv->k_type;
        o.kv_v = kv->v_type;
    }
    rg_op_end(cx, &o);
}

void rg_rope(rg_ctx *cx, float *q, float *k, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t hd = kv->hd, rot = a->rot;
    const share sq = my_share(cx, a->m, a->heads), sk = my_share(cx, a->m, kv->heads);
    for (int64_t t = sq.t0; t < sq.t1; t++) {
        const rg_seq_run *r;
        const int64_t at = token_pos(a, t, &r) * rot;
        rotate(cx, q, &sq, a->heads, hd, rot, t, a->cs_q + at);
        rotate(cx, k, &sk, kv->heads, hd, rot, t, a->cs + at);
    }
    const int64_t m = sq.t1 - sq.t0, n = m * (sq.h1 - sq.h0 + sk.h1 - sk.h0) * rot;
    rg_count(cx, 4 * (n + m * rot), 4 * n, 3 * n);
    end_put(cx, RG_SITE_ATTN_ROPE, kv, a, rot, false);
}

/* Key and value of one token and KV head into the cache. */
static void store(const rg_ctx *cx, const float *k, const float *v, const rg_kv_layer *kv,
    const rg_seq_run *r, int64_t pos, int64_t head)
{
    const int64_t s = r->seq * kv->heads + head, at = rg_kv_place(kv, pos);
    cx->k->kv_put_k[kv->k_type](kv->k + s * kv->k_stride, kv->hd, at, k);
    cx->k->kv_put_v[kv->v_type](kv->v + s * kv->v_stride, kv->hd, at, v);
}

void rg_kv_put(rg_ctx *cx, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t hd = kv->hd;
    const share s = my_share(cx, a->m, kv->heads);
    for (int64_t t = s.t0; t < s.t1; t++) {
        const rg_seq_run *r;
        const int64_t pos = token_pos(a, t, &r);
        for (int64_t g = s.h0; g < s.h1; g++)
            store(cx, k + (t * kv->heads + g) * hd, v + (t * kv->heads + g) * hd, kv, r, pos, g);
    }
    const int64_t n = (s.t1 - s.t0) * (s.h1 - s.h0);
    rg_count(cx, 8 * n * hd, 0, 0);
    cx->tally.kv_wr += n * rg_kv_bytes(kv);
    end_put(cx, RG_SITE_ATTN_KV_PUT, kv, a, hd, true);
}

void rg_rope_kv(
    rg_ctx *cx, float *q, const float *k, const float *v, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t hd = kv->hd;
    /* a few heads at a time: one after the other they would wait for their own stores */
    enum { FLOATS = 3 * 1024 };
    float *rotated = (void *)cx->scratch;
    const int64_t some = rg_max(1, FLOATS / hd);
    const share sq = my_share(cx, a->m, a->heads), sk = my_share(cx, a->m, kv->heads);
    for (int64_t t = sq.t0; t < sq.t1; t++) {
        const rg_seq_run *r;
        const int64_t pos = token_pos(a, t, &r);
        const float *cs = a->cs + pos * hd; /* whole heads are rotated: fuse.c */
        rotate(cx, q, &sq, a->heads, hd, hd, t, a->cs_q + pos * hd);
        for (int64_t g0 = sk.h0; g0 < sk.h1; g0 += some) {
            const int64_t g1 = rg_min(g0 + some, sk.h1), at = t * kv->heads * hd;
            memcpy(rotated, k + at + g0 * hd, (g1 - g0) * hd * sizeof *rotated);
            cx->k->rope(rotated, g1 - g0, hd, hd, cs, cs + hd / 2);
            for (int64_t g = g0; g < g1; g++)
                store(cx, rotated + (g - g0) * hd, v + at + g * hd, kv, r, pos, g);
        }
    }
    const int64_t m = sq.t1 - sq.t0, nq = m * hd * (sq.h1 - sq.h0), heads = m * (sk.h1 - sk.h0);
    rg_count(cx, 4 * (nq + 2 * heads * hd + m * hd), 4 * nq, 3 * (nq + heads * hd));
    cx->tally.kv_wr += heads * rg_kv_bytes(kv);
    end_put(cx, RG_SITE_ATTN_ROPE_KV, kv, a, hd, true);
}
