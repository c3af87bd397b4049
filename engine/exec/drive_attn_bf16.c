/* Attention of many tokens in bf16 products (--act bf16). Many query rows meet each chunk of keys and values, which is turned to bf16 pairs once
 * for all of them; sums are FP32, and so are scores, maxima and exponentials. Queries, keys, values and the exponentials are rounded to bf16. */
#include "exec/attn_parts.h"

enum {
    ROWS_HD = 16384, /* query rows x head size of a task: rows enough to pay for the conversion of a chunk, results that stay in L2 */
    ROWS_MAX = 256,
    HD_MAX = 256,
    SUB = 32,       /* rows whose scores stay in L1 */
    TOKENS_MIN = 16 /* tokens of a sequence for which it pays */
};

/* rows = tokens x rep query heads against one KV head. */
typedef struct task {
    const rg_run *run;
    int64_t g, t0, pos, tokens; /* KV head; first token in the batch, its position; tokens */
} task;

typedef struct work {
    uint16_t *q, *k, *v, *p; /* [ROWS][hde], panels [32 positions] of K and [32 dimensions] of V, exponentials [SUB][CHUNK] */
    float *panel, *s, *acc, *out, *max, *sum;
    int64_t hde, hdp; /* head size rounded up to 32: of rows of q, and of acc and out */
} work;

static int64_t task_tokens(const rg_kv_layer *kv, const rg_attn_shape *a) { return rg_min(ROWS_MAX, ROWS_HD / kv->hd) / (a->heads / kv->heads); }

bool rg_attn_takes_bf16(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    return cx->k->act == RG_ACT_BF16 && cx->k->bf16_attn && kv->hd <= HD_MAX && a->m >= TOKENS_MIN * a->n_runs && task_tokens(kv, a) > 0;
}

/* floats of every array, in the order of carve */
size_t rg_attn_bf16_scratch(void)
{
    const size_t halves = 2 * ROWS_HD + 2 * RG_ATTN_CHUNK * HD_MAX + SUB * RG_ATTN_CHUNK;
    const size_t floats = RG_ATTN_CHUNK * 32 + SUB * RG_ATTN_CHUNK + SUB * HD_MAX + 2 * ROWS_HD + 2 * ROWS_MAX;
    return 2 * halves + 4 * floats;
}

static work carve(rg_ctx *cx, const rg_kv_layer *kv)
{
    work w = {.hde = rg_round_up(kv->hd, 32), .hdp = rg_round_up(kv->hd, 32)};
    uint16_t *h = (uint16_t *)(void *)cx->scratch;
    w.q = h, h += 2 * ROWS_HD; /* rounding the head size up can double a row */
    w.k = h, h += RG_ATTN_CHUNK * HD_MAX;
    w.v = h, h += RG_ATTN_CHUNK * HD_MAX;
    w.p = h, h += SUB * RG_ATTN_CHUNK;
    float *f = (float *)(void *)h;
    w.panel = f, f += RG_ATTN_CHUNK * 32;
    w.s = f, f += SUB * RG_ATTN_CHUNK;
    w.acc = f, f += SUB * HD_MAX;
    w.out = f, f += 2 * ROWS_HD;
    w.max = f, f += ROWS_MAX;
    w.sum = f;
    return w;
}

/* Runs outermost, then heads, then token blocks: neighbours share a KV head. */
static task get_task(const rg_kv_layer *kv, const rg_attn_shape *a, int64_t block, int64_t i)
{
    const rg_run *r = a->run;
    for (; i >= rg_div_up(r->n, block) * kv->heads; r++) i -= rg_div_up(r->n, block) * kv->heads;
    const int64_t blocks = rg_div_up(r->n, block), b = i % blocks;
    return (task){.run = r, .g = i / blocks, .t0 = r->t0 + b * block, .pos = r->pos + b * block, .tokens = rg_min(block, r->n - b * block)};
}

static int64_t row_offset(const rg_kv_layer *kv, const rg_attn_shape *a, const task *t, int64_t row)
{
    const int64_t rep = a->heads / kv->heads;
    return ((t->t0 + row / rep) * a->heads + t->g * rep + row % rep) * kv->hd;
}

static void load_rows(rg_ctx *cx, work *w, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a, const task *t, int64_t rows)
{
    float scaled[HD_MAX];
    for (int64_t i = 0; i < rows; i++) {
        const float *src = q + row_offset(kv, a, t, i);
        for (int64_t d = 0; d < kv->hd; d++) scaled[d] = src[d] * a->scale;
        cx->k->prep[RG_X_BF16](w->q + i * w->hde, scaled, kv->hd, 0);
        w->max[i] = -INFINITY;
        w->sum[i] = 0.0f;
    }
    cx->tally.act_rd += (uint64_t)(4 * rows * kv->hd);
}

/* Positions [c0, c1) of the task's head as bf16 pairs. */
static void load_chunk(rg_ctx *cx, work *w, const rg_kv_layer *kv, const char *k, const char *v, int64_t c0, int64_t c1)
{
    for (int64_t p = c0; p < c1; p += 32) {
        cx->k->kv_panel_k[kv->k_type](w->panel, k, kv->hd, p, c1);
        cx->k->pair_bf16(w->k + (p - c0) * w->hde, w->panel, kv->hd);
    }
    for (int64_t d = 0; d < kv->hd; d += 32) {
        cx->k->kv_panel_v[kv->v_type](w->panel, v, kv->hd, c0, c1, d);
        cx->k->pair_bf16(w->v + d * RG_ATTN_CHUNK, w->panel, c1 - c0);
    }
}

/* Rows [r0, r1) of the task meet the chunk. */
static void meet(rg_ctx *cx, work *w, const rg_kv_layer *kv, const rg_attn_shape *a, const task *t, int64_t r0, int64_t r1, int64_t c0, int64_t c1)
{
    const rg_ktab *k = cx->k;
    const int64_t rep = a->heads / kv->heads, rows = r1 - r0, hd2 = rg_round_up(kv->hd, 2);
    const int64_t last = t->pos + (r1 - 1) / rep, seen = rg_min(c1, last + 1) - c0, cols = rg_round_up(seen, 32), depth = rg_round_up(seen, 2);
    if (seen <= 0 || rg_first_seen(a, t->pos + r0 / rep) >= c1) return;
    for (int64_t p = 0; p < cols; p += 32) k->mm_bf16(w->s + p, RG_ATTN_CHUNK, w->q + r0 * w->hde, w->hde, w->k + p * w->hde, rows, hd2, 32, false);
    float max[SUB], sum[SUB];
    for (int64_t i = 0; i < rows; i++) {
        float *s = w->s + i * RG_ATTN_CHUNK;
        const int64_t pos = t->pos + (r0 + i) / rep, sees = rg_min(seen, pos + 1 - c0), before = rg_first_seen(a, pos) - c0;
        if (sees > rg_max(0, before)) {
            rg_mask_scores(s, before);
            k->softmax(s, sees, cols, &max[i], &sum[i]);
        } else {
            memset(s, 0, (size_t)cols * sizeof *s);
            max[i] = -INFINITY;
            sum[i] = 0.0f;
        }
        k->prep[RG_X_BF16](w->p + i * RG_ATTN_CHUNK, s, cols, 0);
    }
    for (int64_t d = 0; d < kv->hd; d += 32)
        k->mm_bf16(w->acc + d, w->hdp, w->p, RG_ATTN_CHUNK, w->v + d * RG_ATTN_CHUNK, rows, depth, rg_min(32, kv->hd - d), false);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = r0 + i;
        rg_merge_row(w->out + r * w->hdp, &w->max[r], &w->sum[r], w->acc + i * w->hdp, max[i], sum[i], kv->hd, w->sum[r] == 0.0f);
    }
    cx->tally.flop += (uint64_t)(rows * (2 * cols * hd2 + 2 * depth * w->hdp + 5 * seen));
}

void rg_attn_bf16(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    work w = carve(cx, kv);
    const int64_t block = task_tokens(kv, a), rep = a->heads / kv->heads;
    const int64_t each = rg_kv_k_bytes(kv->k_type, kv->hd) + rg_kv_v_bytes(kv->v_type, kv->hd);
    rg_reach reach = {0};
    int64_t tasks = 0;
    for (int64_t r = 0; r < a->n_runs; r++) tasks += rg_div_up(a->run[r].n, block) * kv->heads;
    for (int64_t i = 0; i < tasks; i++) {
        /* there and back again: later blocks of tokens see more */
        const int64_t turn = i % (2 * cx->nt), owner = turn < cx->nt ? turn : 2 * cx->nt - 1 - turn;
        if (owner != cx->tid) continue;
        const task t = get_task(kv, a, block, i);
        const int64_t rows = t.tokens * rep, start = rg_first_seen(a, t.pos) / RG_KV_BLOCK * RG_KV_BLOCK, end = t.pos + t.tokens;
        const char *kh = kv->k + (t.run->seq * kv->heads + t.g) * kv->k_stride, *vh = kv->v + (t.run->seq * kv->heads + t.g) * kv->v_stride;
        load_rows(cx, &w, q, kv, a, &t, rows);
        for (int64_t c0 = start; c0 < end; c0 = rg_next_chunk(c0)) {
            const int64_t c1 = rg_min(rg_next_chunk(c0), end);
            load_chunk(cx, &w, kv, kh, vh, c0, c1);
            for (int64_t r = 0; r < rows; r += SUB) meet(cx, &w, kv, a, &t, r, rg_min(r + SUB, rows), c0, c1);
        }
        cx->tally.kv_rd += (uint64_t)(rg_new_positions(&reach, kh, start, end, each, cx->l2_bytes) * each);
        for (int64_t r = 0; r < rows; r++) rg_store_row(out + row_offset(kv, a, &t, r), w.out + r * w.hdp, w.sum[r], kv->hd);
        cx->tally.act_wr += (uint64_t)(4 * rows * kv->hd);
    }
}
