/* Attention of many tokens: many query rows meet each chunk of keys and values, which is turned once for all
 * into what products of the linear layers take. */
#include "base/tile_emu.h"
#include "exec/attn_parts.h"
#include "exec/product.h"

enum {
    /* query rows x head size of a task: enough to pay for the conversion of a chunk; results stay in L2 */
    ROWS_HD = 16384,
    ROWS_MAX = 256,
    SUB = 36,      /* rows whose scores stay in L1; three times what the products take at once */
    SUB_TILES = 32 /* what tile products take at once: queries and exponentials stay in L1 meanwhile */
};

/* Operands are floats; pairs of bf16 (--act bf16); or, on tiles, one plane of bf16, or two of 16 bits
 * (faithful). They are rounded on their way into a product; scores, maxima, exponentials and sums are FP32.
 *
 * Tiles, derived from instruction counts and exponentials timed on Zen 5: for 32 rows, 256 positions and a
 * head of 64, products take 6100 cycles in three (2000 in one), exponentials 6000...9000, loads from L1 and
 * stores less. So exponentials are the limit: a third of the tile roof in three products, a fifth in one.
 *
 * Rows are padded with zeros to 32 columns (floats: not at all), and on tiles an odd number of cache lines
 * apart. Panels: 32 positions of K over the head, 32 dimensions of V over the chunk. */
typedef struct work {
    rg_attn_plan p;
    void *state; /* of tiles */
    /* operands: queries [ROWS]; panels of K and of V; exponentials [sub], for floats the scores themselves */
    char *q, *k, *v, *x;
    int64_t q_pitch, x_pitch; /* bytes from row to row */
    float *panel;             /* a panel of floats on its way to bf16 */
    float *s, *acc, *out;     /* scores [sub][lds]; [sub][hdp] of a chunk, [ROWS][hdp] merged */
    float *max, *sum;         /* [ROWS] */
    /* head size rounded up to 32; floats from row to row of scores; rows that meet a chunk at once */
    int64_t hdp, lds, sub;
    int64_t each, unit; /* bytes of a value in a panel; columns that products take at once */
    rg_xform form;      /* of queries and exponentials; RG_X_FORMS: floats */
    int products;       /* on tiles, of one useful one; 0: not on tiles */
} work;

/* Most tokens of a task. Queries and results take an eighth of the private cache at most: scratch, keys and
 * values must fit too. */
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

/* Blocks of tokens of the same size, as many as keep the threads busiest; turning a chunk into operands
 * counts as so many rows. With a window a task's first token decides its first position, and so the order
 * of additions: then the number of threads may not matter. */
static rg_attn_plan make_plan(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a)
{
    enum { CONVERT_ROWS = 32 };
    rg_attn_plan p = {kv, a, a->heads / kv->heads, a->heads / kv->heads, 1, 0}, best = p;
    int64_t longest = 0, least = INT64_MAX;
    for (int64_t r = 0; r < a->n_runs; r++) longest = rg_max(longest, a->run[r].n);
    const int64_t from = rg_div_up(longest, most_tokens(cx, kv, a)),
                  to = a->window > 0 ? from : rg_min(longest, from + cx->nt);
    for (int64_t blocks = from; blocks <= to; blocks++) {
        p.block = rg_div_up(longest, blocks);
        const int64_t each = p.block * a->heads / kv->heads + CONVERT_ROWS,
                      busiest = rg_div_up(rg_attn_all_tasks(&p), cx->nt) * each; /* thread, in rows */
        if (busiest >= least) continue;
        least = busiest;
        best = p;
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
    *w = (work){.hdp = rg_round_up(hd, 32), .products = way == RG_ATTN_TILES ? 3 : tiles ? 1 : 0};
    w->form = floats ? RG_X_FORMS : way == RG_ATTN_TILES ? RG_X_BF16X2 : RG_X_BF16;
    w->each = floats || way == RG_ATTN_TILES ? 4 : 2;
    w->unit = tiles ? 32 : floats ? 1 : 2;
    w->sub = tiles ? SUB_TILES : SUB;
    w->lds = RG_ATTN_CHUNK + (tiles ? 16 : 0);
    w->q_pitch = tiles ? rg_tile_pitch(w->form, hd, 32) : w->each * w->hdp;
    w->x_pitch = tiles ? rg_tile_pitch(w->form, RG_ATTN_CHUNK, 32) : w->each * RG_ATTN_CHUNK;
    if (tiles) w->state = take(&at, rg_tile_state_bytes());
    w->q = take(&at, rows * w->q_pitch);
    w->k = take(&at, RG_ATTN_CHUNK * w->hdp * w->each);
    w->v = take(&at, RG_ATTN_CHUNK * w->hdp * w->each);
    if (!floats) w->x = take(&at, w->sub * w->x_pitch);
    if (!floats) w->panel = take(&at, 4 * 32 * rg_max(RG_ATTN_CHUNK, w->hdp));
    w->s = take(&at, 4 * w->sub * w->lds);
    if (floats) w->x = (char *)w->s;
    w->acc = take(&at, 4 * w->sub * w->hdp);
    w->out = take(&at, 4 * rows * w->hdp);
    w->max = take(&at, 4 * ROWS_MAX);
    w->sum = take(&at, 4 * ROWS_MAX);
    return at - from;
}

int64_t rg_attn_many_scratch(void)
{
    _Alignas(64) char base[1];
    int64_t most = 0;
    work w;
    for (int64_t hd = 1; hd <= RG_ATTN_MANY_HD; hd++)
        for (int way = RG_ATTN_FEW + 1; way <= RG_ATTN_TILES_BF16; way++)
            most = rg_max(most, carve(&w, base, hd, way));
    return most;
}

static void load_rows(rg_ctx *cx, const work *w, const float *q, const rg_attn_task *t)
{
    const int64_t hd = w->p.kv->hd;
    float scaled[RG_ATTN_MANY_HD];
    for (int64_t i = 0; i < t->rows; i++) {
        const float *src = q + rg_attn_at(&w->p, t, i);
        void *row = w->q + i * w->q_pitch;
        float *to = w->form < RG_X_FORMS ? scaled : row;
        for (int64_t d = 0; d < hd; d++) to[d] = src[d] * w->p.a->scale;
        if (w->form < RG_X_FORMS) cx->k->prep[w->form](row, scaled, hd, 0);
        w->max[i] = -INFINITY;
        w->sum[i] = 0.0f;
    }
    rg_count(cx, 4 * t->rows * hd, 0, 0);
}

/* w->panel (floats: in place already) as an operand of n columns. */
static void convert(const rg_ctx *cx, const work *w, void *to, int64_t n)
{
    if (w->products)
        cx->k->split_bf16(to, w->panel, n, w->products == 3 ? 2 : 1);
    else if (w->form < RG_X_FORMS)
        cx->k->pair_bf16(to, w->panel, n);
}

/* Positions [c0, c1) of the task's head as operands. */
static void load_chunk(rg_ctx *cx, const work *w, const rg_attn_task *t, int64_t c0, int64_t c1)
{
    const rg_kv_layer *kv = w->p.kv;
    const int64_t n = c1 - c0, at = rg_kv_place(kv, c0);
    for (int64_t p = 0; p < n; p += 32) {
        void *to = w->k + p * w->hdp * w->each;
        cx->k->kv_panel_k[kv->k_type](w->panel ? w->panel : to, t->k, kv->hd, at + p, at + n);
        convert(cx, w, to, kv->hd);
    }
    for (int64_t d = 0; d < kv->hd; d += 32) {
        void *to = w->v + d * RG_ATTN_CHUNK * w->each;
        cx->k->kv_panel_v[kv->v_type](w->panel ? w->panel : to, t->v, kv->hd, at, at + n, d);
        convert(cx, w, to, n);
    }
}

/* y[rows][ldy] = x b, n columns of a panel b; depth: columns of x, a multiple of w->unit or followed by
 * zeros. */
static void multiply(const rg_ctx *cx, const work *w, float *y, int64_t ldy, const void *x, int64_t pitch,
    const void *b, int64_t rows, int64_t depth, int64_t n)
{
    const rg_ktab *k = cx->k;
    if (w->products)
        k->tile_mm(w->state, y, ldy, x, pitch, 2 * rg_round_up(depth, 32), b, rows, depth, w->products,
            RG_TILE_KEEP_X, true);
    else if (w->form < RG_X_FORMS)
        k->mm_bf16(y, ldy, x, pitch / 2, b, rows, depth, n, false);
    else
        k->mm(y, ldy, x, pitch / 4, b, 32, rows, depth, n, false);
}

/* Rows [r0, r1) of a task meet the loaded chunk, up to the last position that any of them sees. */
static void meet(
    rg_ctx *cx, const work *w, const rg_attn_task *t, int64_t r0, int64_t r1, int64_t c0, int64_t c1)
{
    const rg_ktab *k = cx->k;
    const rg_attn_shape *a = w->p.a;
    const int64_t rep = t->reps, rows = r1 - r0, head = w->p.kv->hd, hd = rg_round_up(head, w->unit);
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
        void *p = w->x + i * w->x_pitch;
        if (sees > rg_max(0, before)) {
            rg_cap_scores(cx, a, s, sees);
            rg_mask_scores(s, before);
            if (w->form < RG_X_FORMS)
                k->softmax_bf16(p, w->products == 3 ? cols : 0, s, sees, cols, &max[i], &sum[i]);
            else
                k->softmax(s, sees, cols, &max[i], &sum[i]);
        } else {
            memset(p, 0, cols * w->each);
            max[i] = -INFINITY;
            sum[i] = 0.0f;
        }
    }
    for (int64_t d = 0; d < head; d += 32)
        multiply(cx, w, w->acc + d, w->hdp, w->x, w->x_pitch, w->v + d * RG_ATTN_CHUNK * w->each, rows, depth,
            rg_min(32, head - d));
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = r0 + i;
        rg_merge_row(w->out + r * w->hdp, &w->max[r], &w->sum[r], w->acc + i * w->hdp, max[i], sum[i], head,
            w->sum[r] == 0.0f);
    }
    const int64_t planes = rg_max(1, w->products),
                  padded = w->products ? rg_round_up(rows, RG_TILE_ROWS) : rows;
    rg_count(
        cx, 0, 0, padded * planes * (2 * cols * hd + 2 * depth * w->hdp) + rows * rg_softmax_flop(a) * seen);
}

void rg_attn_many(
    rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a, rg_attn_way way)
{
    work w;
    carve(&w, cx->scratch, kv->hd, way);
    w.p = make_plan(cx, kv, a);
    const int64_t tasks = rg_attn_all_tasks(&w.p);
    rg_reach reach = {0};
    if (w.products) cx->k->tiles_on(w.state, RG_TILE_ROWS, RG_TILE_BYTES);
    for (int64_t i = 0; i < tasks; i++) {
        /* there and back again: later blocks of tokens see more */
        const int64_t turn = i % (2 * cx->nt), owner = turn < cx->nt ? turn : 2 * cx->nt - 1 - turn;
        if (owner != cx->tid) continue;
        const rg_attn_task t = rg_attn_get(&w.p, i);
        load_rows(cx, &w, q, &t);
        for (int64_t c0 = t.start; c0 < t.end; c0 = rg_next_chunk(c0)) {
            const int64_t c1 = rg_min(rg_next_chunk(c0), t.end);
            load_chunk(cx, &w, &t, c0, c1);
            for (int64_t r = 0; r < t.rows; r += w.sub)
                meet(cx, &w, &t, r, rg_min(r + w.sub, t.rows), c0, c1);
        }
        rg_count_kv(cx, &reach, kv, &t, t.start, t.end);
        for (int64_t r = 0; r < t.rows; r++)
            rg_store_row(out + rg_attn_at(&w.p, &t, r), w.out + r * w.hdp,
                rg_divisor(&w.p, &t, r, w.max[r], w.sum[r]), kv->hd);
        rg_count_sinks(cx, &w.p, &t);
        rg_count(cx, 0, 4 * t.rows * kv->hd, 0);
    }
    if (w.products) cx->k->tiles_off(w.state);
}
