/* Attention of many tokens: many query rows meet each chunk of keys and values, which is turned to floats (--act bf16: to pairs of bf16) once for
 * all of them; the products are those of the linear layers. Scores, maxima, exponentials and sums are FP32; with bf16, queries, keys,
 * exponentials and values are rounded on their way into a product. */
#include "exec/attn_parts.h"

enum {
    ROWS_HD = 16384, /* query rows x head size of a task: rows enough to pay for the conversion of a chunk, results that stay in L2 */
    ROWS_MAX = 256,
    HD_MAX = 256,
    SUB = 36,       /* rows whose scores stay in L1; three times what the products take at once */
    TOKENS_MIN = 16 /* tokens of a sequence for which it pays */
};

/* rows = tokens x rep query heads against one KV head. */
typedef struct task {
    const rg_run *run;
    int64_t g, t0, pos, tokens; /* KV head; first token in the batch, its position; tokens */
} task;

/* Operands of the products are floats, or bf16 in the first half of the same room. */
typedef struct work {
    float *q, *k, *v; /* [ROWS][hdp], panels of 32 positions of K and of 32 dimensions of V */
    uint16_t *p;      /* exponentials in bf16 [SUB][CHUNK] */
    float *panel, *s; /* a panel on its way to bf16; scores [SUB][CHUNK] */
    float *acc, *out; /* [SUB][hdp] of a chunk, [ROWS][hdp] merged */
    float *max, *sum; /* [ROWS] */
    int64_t hdp;      /* head size rounded up to 32 */
    bool bf16;
} work;

/* Queries and results of a task take an eighth of the private cache at most, so that scratch and the keys and values that tasks share fit too. */
static int64_t task_tokens(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t rows = rg_min(ROWS_HD, cx->l2_bytes / 64) / kv->hd;
    return rg_min(ROWS_MAX, rows) / (a->heads / kv->heads);
}

rg_attn_way rg_attn_choose(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const rg_ktab *k = cx->k;
    if (kv->hd > HD_MAX || a->m < TOKENS_MIN * a->n_runs || task_tokens(cx, kv, a) == 0) return RG_ATTN_FEW;
    if (k->act == RG_ACT_BF16 && k->bf16_attn) return RG_ATTN_MANY_BF16;
    return k->mm_isa > RG_ISA_C && !k->blas ? RG_ATTN_MANY : RG_ATTN_FEW; /* plain C gains nothing by it */
}

enum {
    Q_FLOATS = 2 * ROWS_HD, /* rounding the head size up can double a row */
    KV_FLOATS = RG_ATTN_CHUNK * HD_MAX,
    P_FLOATS = SUB * RG_ATTN_CHUNK / 2,
    PANEL_FLOATS = RG_ATTN_CHUNK * 32,
    S_FLOATS = SUB * RG_ATTN_CHUNK,
    ACC_FLOATS = SUB * HD_MAX
};

size_t rg_attn_many_scratch(void) { return sizeof(float) * (2 * Q_FLOATS + 2 * KV_FLOATS + P_FLOATS + PANEL_FLOATS + S_FLOATS + ACC_FLOATS + 2 * ROWS_MAX); }

static work carve(rg_ctx *cx, const rg_kv_layer *kv, bool bf16)
{
    work w = {.hdp = rg_round_up(kv->hd, 32), .bf16 = bf16};
    const int64_t rows = rg_min(ROWS_MAX, ROWS_HD / kv->hd); /* packed for this head size: fewer lines and pages */
    float *f = (float *)(void *)cx->scratch;
    w.q = f, f += rows * w.hdp;
    w.k = f, f += RG_ATTN_CHUNK * w.hdp;
    w.v = f, f += RG_ATTN_CHUNK * w.hdp;
    w.p = (uint16_t *)(void *)f, f += P_FLOATS;
    w.panel = f, f += PANEL_FLOATS;
    w.s = f, f += S_FLOATS;
    w.acc = f, f += SUB * w.hdp;
    w.out = f, f += rows * w.hdp;
    w.max = f, f += ROWS_MAX;
    w.sum = f;
    return w;
}

static uint16_t *halves(float *f, int64_t at) { return (uint16_t *)(void *)f + at; }

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
        float *to = w->bf16 ? scaled : w->q + i * w->hdp;
        for (int64_t d = 0; d < kv->hd; d++) to[d] = src[d] * a->scale;
        if (w->bf16) cx->k->prep[RG_X_BF16](halves(w->q, i * w->hdp), scaled, kv->hd, 0);
        w->max[i] = -INFINITY;
        w->sum[i] = 0.0f;
    }
    cx->tally.act_rd += (uint64_t)(4 * rows * kv->hd);
}

/* Positions [c0, c1) of the task's head as operands. */
static void load_chunk(rg_ctx *cx, work *w, const rg_kv_layer *kv, const char *k, const char *v, int64_t c0, int64_t c1)
{
    for (int64_t p = c0; p < c1; p += 32) {
        const int64_t at = (p - c0) * w->hdp;
        cx->k->kv_panel_k[kv->k_type](w->bf16 ? w->panel : w->k + at, k, kv->hd, p, c1);
        if (w->bf16) cx->k->pair_bf16(halves(w->k, at), w->panel, kv->hd);
    }
    for (int64_t d = 0; d < kv->hd; d += 32) {
        const int64_t at = d * RG_ATTN_CHUNK;
        cx->k->kv_panel_v[kv->v_type](w->bf16 ? w->panel : w->v + at, v, kv->hd, c0, c1, d);
        if (w->bf16) cx->k->pair_bf16(halves(w->v, at), w->panel, c1 - c0);
    }
}

/* Rows [r0, r1) of the task meet the chunk. */
static void meet(rg_ctx *cx, work *w, const rg_kv_layer *kv, const rg_attn_shape *a, const task *t, int64_t r0, int64_t r1, int64_t c0, int64_t c1)
{
    const rg_ktab *k = cx->k;
    const int64_t rep = a->heads / kv->heads, rows = r1 - r0, hd2 = rg_round_up(kv->hd, w->bf16 ? 2 : 1);
    const int64_t last = t->pos + (r1 - 1) / rep, seen = rg_min(c1, last + 1) - c0, cols = rg_round_up(seen, 32), depth = rg_round_up(seen, w->bf16 ? 2 : 1);
    if (seen <= 0 || rg_first_seen(a, t->pos + r0 / rep) >= c1) return;
    for (int64_t p = 0; p < cols; p += 32) {
        if (w->bf16)
            k->mm_bf16(w->s + p, RG_ATTN_CHUNK, halves(w->q, r0 * w->hdp), w->hdp, halves(w->k, p * w->hdp), rows, hd2, 32, false);
        else
            k->mm(w->s + p, RG_ATTN_CHUNK, w->q + r0 * w->hdp, w->hdp, w->k + p * w->hdp, 32, rows, hd2, 32, false);
    }
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
        if (w->bf16) k->prep[RG_X_BF16](w->p + i * RG_ATTN_CHUNK, s, cols, 0);
    }
    for (int64_t d = 0; d < kv->hd; d += 32) {
        const int64_t n = rg_min(32, kv->hd - d), at = d * RG_ATTN_CHUNK;
        if (w->bf16)
            k->mm_bf16(w->acc + d, w->hdp, w->p, RG_ATTN_CHUNK, halves(w->v, at), rows, depth, n, false);
        else
            k->mm(w->acc + d, w->hdp, w->s, RG_ATTN_CHUNK, w->v + at, 32, rows, depth, n, false);
    }
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = r0 + i;
        rg_merge_row(w->out + r * w->hdp, &w->max[r], &w->sum[r], w->acc + i * w->hdp, max[i], sum[i], kv->hd, w->sum[r] == 0.0f);
    }
    cx->tally.flop += (uint64_t)(rows * (2 * cols * hd2 + 2 * depth * w->hdp + 5 * seen));
}

void rg_attn_many(rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a, bool bf16)
{
    work w = carve(cx, kv, bf16);
    const int64_t block = task_tokens(cx, kv, a), rep = a->heads / kv->heads;
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
