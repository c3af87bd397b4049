/* Attention of many tokens: many query rows meet each chunk of keys and values, which is turned once for all
 * of them into what a product of the linear layers takes: floats; pairs of bf16 (--act bf16); or tiles of one
 * plane of bf16, or two of 16 bits (faithful), on a CPU with tiles. Scores, maxima, exponentials and sums are
 * FP32; otherwise queries, keys, exponentials and values are rounded on their way into a product.
 *
 * What to expect of tiles (derived from instruction counts and from exponentials timed on Zen 5; not measured
 * on hardware with tiles): 32 rows, 256 positions and a head of 64 are 384 tile products in three (128 in
 * one), 6100 cycles (2000), beside 256 tile loads (128) that take a third of that (half) out of L1, and 40
 * tile stores, 640 cycles. The exponentials of the block take 50...70 ns a row, 6000...9000 cycles in all. So
 * exponentials, not products, are the limit: about a third of the tile roof in three products, a fifth in
 * one, half and a third with heads of 128. */
#include "base/tile_emu.h"
#include "exec/attn_parts.h"
#include "exec/product.h"

enum {
    /* query rows x head size of a task: rows enough to pay for the conversion of a chunk, results that stay
     * in L2 */
    ROWS_HD = 16384,
    ROWS_MAX = 256,
    SUB = 36, /* rows whose scores stay in L1; three times what the products take at once */
    /* what tile products take at once: meanwhile queries and exponentials stay in L1, and keys and values
     * pass */
    SUB_TILES = 32
};

/* rows = tokens x rep query heads against one KV head. */
typedef struct task {
    const rg_run *run;
    int64_t g, t0, pos, tokens; /* KV head; first token in the batch, its position; tokens */
} task;

/* Rows are padded with zeros to 32 columns (floats: not at all), and on tiles an odd number of cache lines
 * apart. Panels: 32 positions of K over the head, 32 dimensions of V over the chunk. */
typedef struct work {
    char *state; /* of tiles */
    /* operands: queries [ROWS]; panels of K and of V; exponentials [sub], for floats the scores themselves */
    char *q, *k, *v, *p;
    int64_t q_pitch, p_pitch; /* bytes from row to row */
    float *panel;             /* a panel of floats on its way to bf16 */
    float *s, *acc, *out;     /* scores [sub][lds]; [sub][hdp] of a chunk, [ROWS][hdp] merged */
    float *max, *sum;         /* [ROWS] */
    /* head size rounded up to 32; floats from row to row of scores; rows that meet a chunk at once */
    int64_t hdp, lds, sub;
    int64_t each, unit; /* bytes of a value in a panel; columns that products take at once */
    rg_attn_way way;
    rg_xform form; /* of queries and exponentials; RG_X_FORMS: floats */
    int products;  /* on tiles, of one useful one; 0: not on tiles */
} work;

/* Most tokens of a task. Queries and results take an eighth of the private cache at most, so that scratch and
 * the keys and values that tasks share fit too. */
static int64_t most_tokens(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const int64_t rows = rg_min(ROWS_HD, cx->l2_bytes / 64) / kv->hd;
    return rg_min(ROWS_MAX, rows) / (a->heads / kv->heads);
}

rg_attn_way rg_attn_choose(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    const rg_units u = rg_ctx_units(cx);
    return most_tokens(cx, kv, a) == 0 ? RG_ATTN_FEW : rg_route_attn(&u, kv->hd, a->m / a->n_runs);
}

static int64_t task_count(const rg_kv_layer *kv, const rg_attn_shape *a, int64_t block)
{
    int64_t n = 0;
    for (int64_t r = 0; r < a->n_runs; r++) n += rg_div_up(a->run[r].n, block) * kv->heads;
    return n;
}

/* Tokens of a task: blocks of the same size, as many as keep the threads busiest. Turning a chunk into
 * operands counts as so many rows of a task. With a window the first position of a task, and so the order of
 * additions, follows from its first token: then threads may not decide. */
static int64_t task_tokens(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    enum { CONVERT_ROWS = 32 };
    int64_t longest = 0, best = 0, least = INT64_MAX;
    for (int64_t r = 0; r < a->n_runs; r++) longest = rg_max(longest, a->run[r].n);
    const int64_t from = rg_div_up(longest, most_tokens(cx, kv, a)),
                  to = a->window > 0 ? from : rg_min(longest, from + cx->nt);
    for (int64_t blocks = from; blocks <= to; blocks++) {
        const int64_t block = rg_div_up(longest, blocks), each = block * a->heads / kv->heads + CONVERT_ROWS;
        const int64_t busiest = rg_div_up(task_count(kv, a, block), cx->nt) * each; /* thread, in rows */
        if (busiest < least) {
            least = busiest;
            best = block;
        }
    }
    return best;
}

static void *take(char **at, int64_t bytes)
{
    char *p = *at;
    *at += rg_round_up(bytes, 64);
    return p;
}

/* A thread's scratch, packed for this head size: fewer lines and pages. Returns its bytes. */
static int64_t carve(work *w, char *from, int64_t hd, rg_attn_way way)
{
    const bool tiles = way == RG_ATTN_TILES || way == RG_ATTN_TILES_BF16, floats = way == RG_ATTN_MANY;
    const int64_t rows = rg_round_up(rg_min(ROWS_MAX, ROWS_HD / hd), 16);
    char *at = from;
    *w = (work){.hdp = rg_round_up(hd, 32), .way = way, .products = way == RG_ATTN_TILES ? 3 : tiles ? 1 : 0};
    w->form = floats ? RG_X_FORMS : way == RG_ATTN_TILES ? RG_X_BF16X2 : RG_X_BF16;
    w->each = floats || way == RG_ATTN_TILES ? 4 : 2;
    w->unit = tiles ? 32 : floats ? 1 : 2;
    w->sub = tiles ? SUB_TILES : SUB;
    w->lds = RG_ATTN_CHUNK + (tiles ? 16 : 0);
    w->q_pitch = tiles ? rg_tile_pitch(w->form, hd, 32) : w->each * w->hdp;
    w->p_pitch = tiles ? rg_tile_pitch(w->form, RG_ATTN_CHUNK, 32) : w->each * RG_ATTN_CHUNK;
    if (tiles) w->state = take(&at, rg_tile_state_bytes());
    w->q = take(&at, rows * w->q_pitch);
    w->k = take(&at, RG_ATTN_CHUNK * w->hdp * w->each);
    w->v = take(&at, RG_ATTN_CHUNK * w->hdp * w->each);
    if (!floats) w->p = take(&at, w->sub * w->p_pitch);
    if (!floats) w->panel = take(&at, 4 * 32 * rg_max(RG_ATTN_CHUNK, w->hdp));
    w->s = take(&at, 4 * w->sub * w->lds);
    if (floats) w->p = (char *)w->s;
    w->acc = take(&at, 4 * w->sub * w->hdp);
    w->out = take(&at, 4 * rows * w->hdp);
    w->max = take(&at, 4 * ROWS_MAX);
    w->sum = take(&at, 4 * ROWS_MAX);
    return at - from;
}

size_t rg_attn_many_scratch(void)
{
    _Alignas(64) char base[1];
    int64_t most = 0;
    work w;
    for (int64_t hd = 1; hd <= RG_ATTN_MANY_HD; hd++)
        for (int way = RG_ATTN_FEW + 1; way <= RG_ATTN_TILES_BF16; way++)
            most = rg_max(most, carve(&w, base, hd, (rg_attn_way)way));
    return (size_t)most;
}

/* Runs outermost, then heads, then token blocks: neighbours share a KV head. */
static task get_task(const rg_kv_layer *kv, const rg_attn_shape *a, int64_t block, int64_t i)
{
    const rg_run *r = a->run;
    for (; i >= rg_div_up(r->n, block) * kv->heads; r++) i -= rg_div_up(r->n, block) * kv->heads;
    const int64_t blocks = rg_div_up(r->n, block), b = i % blocks;
    return (task){.run = r,
        .g = i / blocks,
        .t0 = r->t0 + b * block,
        .pos = r->pos + b * block,
        .tokens = rg_min(block, r->n - b * block)};
}

static int64_t row_offset(const rg_kv_layer *kv, const rg_attn_shape *a, const task *t, int64_t row)
{
    const int64_t rep = a->heads / kv->heads;
    return ((t->t0 + row / rep) * a->heads + t->g * rep + row % rep) * kv->hd;
}

static void load_rows(rg_ctx *cx, work *w, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a,
    const task *t, int64_t rows)
{
    float scaled[RG_ATTN_MANY_HD];
    for (int64_t i = 0; i < rows; i++) {
        const float *src = q + row_offset(kv, a, t, i);
        char *row = w->q + i * w->q_pitch;
        float *to = w->form < RG_X_FORMS ? scaled : (float *)(void *)row;
        for (int64_t d = 0; d < kv->hd; d++) to[d] = src[d] * a->scale;
        if (w->form < RG_X_FORMS) cx->k->prep[w->form](row, scaled, kv->hd, 0);
        w->max[i] = -INFINITY;
        w->sum[i] = 0.0f;
    }
    cx->tally.act_rd += (uint64_t)(4 * rows * kv->hd);
}

/* What kv_panel_k or kv_panel_v left in w->panel (floats: in place already), as an operand of n columns. */
static void convert(const rg_ctx *cx, const work *w, char *to, int64_t n)
{
    if (w->products)
        cx->k->split_bf16((uint16_t *)(void *)to, w->panel, n, w->products == 3 ? 2 : 1);
    else if (w->form < RG_X_FORMS)
        cx->k->pair_bf16((uint16_t *)(void *)to, w->panel, n);
}

/* Positions [c0, c1) of the task's head as operands. */
static void load_chunk(
    rg_ctx *cx, work *w, const rg_kv_layer *kv, const char *k, const char *v, int64_t c0, int64_t c1)
{
    for (int64_t p = c0; p < c1; p += 32) {
        char *to = w->k + (p - c0) * w->hdp * w->each;
        cx->k->kv_panel_k[kv->k_type](w->panel ? w->panel : (float *)(void *)to, k, kv->hd, p, c1);
        convert(cx, w, to, kv->hd);
    }
    for (int64_t d = 0; d < kv->hd; d += 32) {
        char *to = w->v + d * RG_ATTN_CHUNK * w->each;
        cx->k->kv_panel_v[kv->v_type](w->panel ? w->panel : (float *)(void *)to, v, kv->hd, c0, c1, d);
        convert(cx, w, to, c1 - c0);
    }
}

/* y[rows][ldy] = x b, for a panel b of which n columns are wanted; depth: columns of x, a multiple of w->unit
 * or so many that zeros follow. */
static void multiply(const rg_ctx *cx, const work *w, float *y, int64_t ldy, const char *x, int64_t pitch,
    const char *b, int64_t rows, int64_t depth, int64_t n)
{
    const rg_ktab *k = cx->k;
    const uint16_t *pairs = (const uint16_t *)(const void *)b;
    if (w->products)
        k->tile_mm(w->state, y, ldy, x, pitch, 2 * rg_round_up(depth, 32), pairs, rows, depth, w->products,
            RG_TILE_KEEP_X, true);
    else if (w->form < RG_X_FORMS)
        k->mm_bf16(y, ldy, (const uint16_t *)(const void *)x, pitch / 2, pairs, rows, depth, n, false);
    else
        k->mm(y, ldy, (const float *)(const void *)x, pitch / 4, (const float *)(const void *)b, 32, rows,
            depth, n, false);
}

/* Rows [r0, r1) of a task meet the loaded chunk, up to the last position that any of them sees. */
static void meet(rg_ctx *cx, work *w, const rg_kv_layer *kv, const rg_attn_shape *a, const task *t,
    int64_t r0, int64_t r1, int64_t c0, int64_t c1)
{
    const rg_ktab *k = cx->k;
    const int64_t rep = a->heads / kv->heads, rows = r1 - r0, hd = rg_round_up(kv->hd, w->unit);
    const int64_t last = t->pos + (r1 - 1) / rep, seen = rg_min(c1, last + 1) - c0,
                  cols = rg_round_up(seen, 32), depth = rg_round_up(seen, w->unit);
    if (seen <= 0 || rg_first_seen(a, t->pos + r0 / rep) >= c1) return;
    for (int64_t p = 0; p < cols; p += 32)
        multiply(cx, w, w->s + p, w->lds, w->q + r0 * w->q_pitch, w->q_pitch, w->k + p * w->hdp * w->each,
            rows, hd, 32);
    float max[SUB], sum[SUB];
    for (int64_t i = 0; i < rows; i++) {
        float *s = w->s + i * w->lds;
        const int64_t pos = t->pos + (r0 + i) / rep, sees = rg_min(seen, pos + 1 - c0),
                      before = rg_first_seen(a, pos) - c0;
        char *p = w->p + i * w->p_pitch;
        if (sees > rg_max(0, before)) {
            rg_mask_scores(s, before);
            if (w->form < RG_X_FORMS)
                k->softmax_bf16(
                    (uint16_t *)(void *)p, w->products == 3 ? cols : 0, s, sees, cols, &max[i], &sum[i]);
            else
                k->softmax(s, sees, cols, &max[i], &sum[i]);
        } else {
            memset(p, 0, (size_t)(cols * w->each));
            max[i] = -INFINITY;
            sum[i] = 0.0f;
        }
    }
    for (int64_t d = 0; d < kv->hd; d += 32)
        multiply(cx, w, w->acc + d, w->hdp, w->p, w->p_pitch, w->v + d * RG_ATTN_CHUNK * w->each, rows, depth,
            rg_min(32, kv->hd - d));
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = r0 + i;
        rg_merge_row(w->out + r * w->hdp, &w->max[r], &w->sum[r], w->acc + i * w->hdp, max[i], sum[i], kv->hd,
            w->sum[r] == 0.0f);
    }
    const int64_t planes = rg_max(1, w->products),
                  padded = w->products ? rg_round_up(rows, RG_TILE_ROWS) : rows;
    cx->tally.flop += (uint64_t)(padded * planes * (2 * cols * hd + 2 * depth * w->hdp) + rows * 5 * seen);
}

void rg_attn_many(
    rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a, rg_attn_way way)
{
    work w;
    carve(&w, cx->scratch, kv->hd, way);
    const int64_t block = task_tokens(cx, kv, a), rep = a->heads / kv->heads;
    const int64_t each = rg_kv_k_bytes(kv->k_type, kv->hd) + rg_kv_v_bytes(kv->v_type, kv->hd);
    rg_reach reach = {0};
    const int64_t tasks = task_count(kv, a, block);
    if (w.products) cx->k->tiles_on(w.state, RG_TILE_ROWS, RG_TILE_BYTES);
    for (int64_t i = 0; i < tasks; i++) {
        /* there and back again: later blocks of tokens see more */
        const int64_t turn = i % (2 * cx->nt), owner = turn < cx->nt ? turn : 2 * cx->nt - 1 - turn;
        if (owner != cx->tid) continue;
        const task t = get_task(kv, a, block, i);
        const int64_t rows = t.tokens * rep, start = rg_first_seen(a, t.pos) / RG_KV_BLOCK * RG_KV_BLOCK,
                      end = t.pos + t.tokens;
        const char *kh = kv->k + (t.run->seq * kv->heads + t.g) * kv->k_stride,
                   *vh = kv->v + (t.run->seq * kv->heads + t.g) * kv->v_stride;
        load_rows(cx, &w, q, kv, a, &t, rows);
        for (int64_t c0 = start; c0 < end; c0 = rg_next_chunk(c0)) {
            const int64_t c1 = rg_min(rg_next_chunk(c0), end);
            load_chunk(cx, &w, kv, kh, vh, c0, c1);
            for (int64_t r = 0; r < rows; r += w.sub)
                meet(cx, &w, kv, a, &t, r, rg_min(r + w.sub, rows), c0, c1);
        }
        cx->tally.kv_rd += (uint64_t)(rg_new_positions(&reach, kh, start, end, each, cx->l2_bytes) * each);
        for (int64_t r = 0; r < rows; r++)
            rg_store_row(out + row_offset(kv, a, &t, r), w.out + r * w.hdp, w.sum[r], kv->hd);
        cx->tally.act_wr += (uint64_t)(4 * rows * kv->hd);
    }
    if (w.products) cx->k->tiles_off(w.state);
}
