/* y = x W^T on tiles: in which blocks. */
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "exec/product.h"
#include "kernels/kernels.h"

int64_t rg_tile_pitch(rg_xform form, int64_t k, int64_t group)
{
    return (rg_x_bytes(form, k, group) / 64 | 1) * 64;
}

/* Blocking. MB tokens by KB columns of x stay in L2 (about 1 MB, planes included) while all panels pass; KS
 * columns of a panel at a time are made tiles and stay in L1 (16 to 32 KB) while all MB tokens pass. Sums
 * of one panel for MB tokens lie in scratch, 32 KB, and go to y after KB columns. In bytes they are worth
 * keeping in registers: KB is all of K, and MB follows. BF16 weights are tiles already. (The best sizes
 * with separate kernels on a CPU with AMX and 2 MB of L2.) */
typedef struct blocking {
    int64_t mb, kb, ks;
} blocking;

enum {
    MOST_MB = 256,
    MOST_KS = 512,
    PIECE = 128 /* columns that are made floats at a time */,
    X_IN_L2 = 1 << 20
};

static blocking blocks(const rg_product *a)
{
    static const blocking by_passes[] = {
        [1] = {MOST_MB, 1024, MOST_KS}, [2] = {128, 2816, 256}, [3] = {MOST_MB, 1024, 128}};
    blocking b = rg_x_in_bytes(a->form)
        ? (blocking){rg_max(32, rg_min(MOST_MB, X_IN_L2 / a->ld)), a->w->k, MOST_KS}
        : by_passes[rg_kernel_passes(a->kind)];
    b.mb = rg_round_up(rg_even(a->m, b.mb), 32); /* blocks of the same size */
    return b;
}

/* A thread's scratch. */
typedef struct scratch {
    void *state;
    float *acc;    /* [MOST_MB][RG_PANEL] */
    float *floats; /* [PIECE][RG_PANEL] */
    char *tiles;   /* a panel's KS columns as tiles */
} scratch;

static int64_t carve(scratch *s, char *from)
{
    const int64_t acc = rg_round_up(rg_tile_state_bytes(), 64), floats = acc + 4 * MOST_MB * RG_PANEL,
                  tiles = floats + 4 * PIECE * RG_PANEL, bf16 = 2 * MOST_KS * RG_PANEL,
                  bytes = MOST_KS * RG_PANEL + MOST_KS / RG_SMALLEST_GROUP * 256;
    *s = (scratch){from, (void *)(from + acc), (void *)(from + floats), from + tiles};
    return tiles + rg_max(bf16, bytes);
}

int64_t rg_tile_scratch(void)
{
    scratch s;
    _Alignas(64) char base[1];
    return carve(&s, base);
}

/* Columns [k0, k1) of panel p as tiles. */
static const void *weights(
    rg_ctx *cx, const rg_product *a, const scratch *s, int64_t p, int64_t k0, int64_t k1)
{
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    if (rg_x_in_bytes(a->form)) {
        t->codes8[w->type](s->tiles, w->data, w->k, p, k0, k1);
        return s->tiles;
    }
    if (w->type == RG_WT_BF16)
        return (const char *)w->data + p * rg_panel_bytes(w->type, w->k) + rg_panel_bytes(w->type, k0);
    const int planes = rg_kernel_passes(a->kind) == 3 ? 2 : 1;
    for (int64_t k = k0; k < k1; k += PIECE) {
        const int64_t end = rg_min(k1, k + PIECE);
        t->unpack[w->type](s->floats, RG_PANEL, w->data, w->k, p, k, end);
        t->split_bf16((void *)(s->tiles + (k - k0) * planes * 2 * RG_PANEL), s->floats, end - k, planes);
    }
    return s->tiles;
}

/* Rows [m0, m0 + m) of x and columns [k0, k1) with panel p, into y. */
static void panel(rg_ctx *cx, const rg_product *a, const scratch *s, const blocking *bl, int64_t m0,
    int64_t m, int64_t k0, int64_t k1, int64_t p)
{
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    const char *x = a->x + m0 * a->ld;
    const int64_t n = rg_min(RG_PANEL, w->n - p * RG_PANEL), low = 2 * rg_round_up(w->k, 32);
    float *y = a->y + m0 * w->n + p * RG_PANEL;
    for (int64_t i = 0; i < m && k0 > 0; i++) memcpy(s->acc + i * RG_PANEL, y + i * w->n, n * sizeof *y);
    for (int64_t k = k0; k < k1; k += bl->ks) {
        const int64_t end = rg_min(k1, k + bl->ks);
        const void *b = weights(cx, a, s, p, k, end);
        if (rg_x_in_bytes(a->form))
            t->tile_dot[a->form][w->type](s->state, s->acc, x, a->ld, m, b, w->k, k, end, k == 0);
        else
            t->tile_mm(s->state, s->acc, RG_PANEL, x + 2 * k, a->ld, low, b, m, end - k,
                rg_kernel_passes(a->kind), RG_TILE_KEEP_B, k == 0);
    }
    if (k1 == w->k)
        rg_product_finish(cx, a, s->acc, RG_PANEL, m0, m, p * RG_PANEL, n);
    else
        for (int64_t i = 0; i < m; i++) memcpy(y + i * w->n, s->acc + i * RG_PANEL, n * sizeof *y);
}

/* What comes past the private cache: weights once per block of tokens unless they stay there; x once if a
 * block of it stays; y again for each further block of columns. */
static void count(rg_ctx *cx, const rg_product *a, const blocking *bl, int64_t p0, int64_t p1)
{
    const rg_weight *w = a->w;
    const int64_t cols = rg_min(p1 * RG_PANEL, w->n) - p0 * RG_PANEL, part = (p1 - p0) * a->panel,
                  trips = rg_div_up(w->k, bl->kb);
    const int64_t rows = rg_min(a->m, bl->mb), x_block = rows * a->x_bytes / trips, own = rg_tile_scratch();
    const int64_t again = part + x_block + own > cx->l2_bytes ? rg_div_up(a->m, bl->mb) : 1;
    const int64_t x_times = x_block + own + rg_panel_bytes(w->type, bl->kb) > cx->l2_bytes ? p1 - p0 : 1;
    const int64_t y = 4 * a->m * cols, y_again = (trips - 1) * y;
    cx->tally.w_rd += part * again;
    rg_count(cx, a->m * a->x_bytes * x_times, y, 0);
    if (4 * rows * cols + x_block > cx->l2_bytes)
        rg_count(cx, y_again, y_again, 0);
    else if (a->op != RG_OP_LINEAR &&
        trips > 1) /* sums of the first blocks of columns; the last ones come from scratch */
        rg_count(cx, 0, y, 0);
    /* operations, padding included; tiles have all 16 rows, or those of fewer tokens */
    const rg_wtype_info *type = &rg_wtypes[w->type];
    const int64_t all = rg_round_up(a->m, 16), tokens = a->m < 16 ? a->m : all, panels = (p1 - p0) * RG_PANEL,
                  each = 2 * rg_kernel_passes(a->kind) * tokens * panels;
    if (rg_x_in_bytes(a->form)) {
        const int64_t kp = rg_x_padded(w->k, type->group);
        cx->tally.iop += each * kp;
        rg_count(cx, 0, 0, all * panels * (kp / type->group) * (type->has_min ? 6 : 4));
    } else {
        rg_count(cx, 0, 0, each * rg_x_padded(w->k, 32));
    }
}

void rg_tile_product(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    const rg_weight *w = a->w;
    const blocking bl = blocks(a);
    scratch s;
    carve(&s, cx->scratch);
    assert(bl.mb <= MOST_MB && bl.ks <= MOST_KS && bl.ks % PIECE == 0);
    cx->k->tiles_on(s.state, a->m, rg_x_in_bytes(a->form) ? rg_min(64, rg_wtypes[w->type].group) : 64);
    for (int64_t m0 = 0; m0 < a->m; m0 += bl.mb)
        for (int64_t k0 = 0; k0 < w->k; k0 += bl.kb)
            for (int64_t p = p0; p < p1; p++)
                panel(cx, a, &s, &bl, m0, rg_min(bl.mb, a->m - m0), k0, rg_min(w->k, k0 + bl.kb), p);
    cx->k->tiles_off(s.state);
    count(cx, a, &bl, p0, p1);
}
