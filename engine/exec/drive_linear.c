/* y = x W^T, in the blocks of each kernel. */
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "exec/attn_parts.h"
#include "exec/product.h"

/* Blocking of the many-token products. NP panels of weights are unpacked for KB columns into L2, then meet MT
 * rows of x at a time: x comes past the private cache once per group of panels, each weight once per call.
 * BLAS packs blocks itself and wants wider ones. Prepared rows are narrow and their kernels fast: more panels
 * share one trip of x. */
typedef struct blocking {
    int64_t np, kb, mt;
} blocking;
static const blocking blocks[RG_KK_COUNT] = {[RG_KK_GEMM] = {4, 256, 48},
    [RG_KK_BLAS] = {8, 1024, 1 << 30},
    [RG_KK_MMDOT8] = {8, 256, 32},
    [RG_KK_MMDOT16] = {8, 256, 32},
    [RG_KK_MMBF] = {8, 256, 48}};

/* Bytes of one panel of a block: bytes with the scales and minimums of the smallest groups, bf16, floats. */
static int64_t panel_bytes(rg_xform form, int64_t kb)
{
    return rg_x_in_bytes(form) ? RG_PANEL * kb + kb / 32 * 256
        : form == RG_X_BF16    ? 2 * RG_PANEL * kb
                               : 4 * RG_PANEL * kb;
}

static int64_t block_bytes(rg_kernel_kind kind)
{
    const blocking *bl = &blocks[kind];
    const rg_xform form = rg_kinds[kind].form;
    assert(bl->kb % 128 == 0); /* whole groups of every type */
    /* bf16 is made from a panel of floats, at the end */
    return bl->np * panel_bytes(form, bl->kb) + (form == RG_X_BF16 ? panel_bytes(RG_X_NONE, bl->kb) : 0);
}

rg_units rg_ctx_units(const rg_ctx *cx)
{
    const rg_ktab *t = cx->k;
    const rg_isa dot = t->level[RG_FN_dot8];
    const bool tiles = t->level[RG_FN_tile_mm] != RG_ISA_C;
    return (rg_units){.act = t->act,
        .blas = t->blas,
        .prepared = cx->xq,
        .bytes = dot == RG_ISA_AVX2VNNI || dot >= RG_ISA_AVX512VNNI,
        .emulated_bytes = dot == RG_ISA_AVX2 && t->isa == RG_ISA_AVX2,
        .tile_bytes = tiles,
        .tile_bf16 = tiles,
        .vectors = t->level[RG_FN_mm] > RG_ISA_C,
        .fast_bf16 = t->bf16_attn};
}

/* Prepared rows of x. Own: each thread prepares all, which for few rows is cheaper than meeting. Else each
 * prepares its share; for tiles, up to a multiple of 16 rows. What is there (q, k and v share x) stays. */
static const char *prepared(
    rg_ctx *cx, const float *x, int64_t m, int64_t k, rg_xform form, int64_t group, bool tiles, int64_t *ld)
{
    const bool own = m <= RG_GEMV_MAX && !tiles;
    *ld = tiles ? rg_tile_pitch(form, k, group) : rg_x_bytes(form, k, group);
    char *rows = cx->xq + (own ? cx->tid * RG_GEMV_MAX * *ld : 0);
    const rg_ready now = {x, m, form, group, !own, *ld};
    const rg_ready *is = &cx->ready;
    if (is->x == x && is->m == m && is->form == form && is->group == group && is->shared == now.shared &&
        is->ld == *ld)
        return rows;
    if ((!own || is->shared) && is->x == x) rg_barrier(cx); /* others may still read x in its other form */
    int64_t a = 0, b = m;
    if (!own) rg_part(cx, m, 1, &a, &b);
    for (int64_t t = a; t < b; t++) cx->k->prep[form](rows + t * *ld, x + t * k, k, group);
    if (!own) {
        if (tiles && cx->tid == cx->nt - 1) memset(rows + m * *ld, 0, (rg_round_up(m, 16) - m) * *ld);
        rg_count(cx, 4 * (b - a) * k, (b - a) * *ld, 0);
        rg_barrier(cx);
    }
    cx->ready = now;
    return rows;
}

void rg_product_finish(const rg_ctx *cx, const rg_product *a, const float *y, int64_t ldy, int64_t row0,
    int64_t rows, int64_t col0, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++) {
        float *to = a->to + (row0 + i) * a->w->n + col0;
        if (a->op == RG_OP_LINEAR_SWIGLU)
            cx->k->swiglu(to, to, y + i * ldy, cols);
        else
            cx->k->add(to, y + i * ldy, cols);
    }
}

/* Outputs of a group of panels until it is finished: this thread's columns of y, closely packed and used
 * again by every group, so that they stay in the private cache. */
static float *group_place(const rg_product *a, int64_t p0) { return a->y + a->m * p0 * RG_PANEL; }

/* Panels [p, pe) for columns [k0, k1) into b, and every row of x with them, into y0, that of panel p. */
static void block(rg_ctx *cx, const rg_product *a, char *b, float *y0, int64_t ldy, int64_t p, int64_t pe,
    int64_t k0, int64_t k1)
{
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    const blocking *bl = &blocks[a->kind];
    const int64_t panel = panel_bytes(a->form, bl->kb);
    float *floats = (void *)(a->form == RG_X_BF16 ? b + bl->np * panel : b);
    for (int64_t i = p; i < pe; i++) {
        void *to = b + (i - p) * panel;
        if (rg_x_in_bytes(a->form)) {
            t->unpack8[w->type](to, w->data, w->k, i, k0, k1);
        } else if (a->form == RG_X_BF16) {
            t->unpack[w->type](floats, RG_PANEL, w->data, w->k, i, k0, k1);
            t->pair_bf16(to, floats, k1 - k0);
        } else if (a->kind == RG_KK_BLAS) {
            t->unpack[w->type](floats + (i - p) * RG_PANEL, bl->np * RG_PANEL, w->data, w->k, i, k0, k1);
        } else {
            t->unpack[w->type](to, RG_PANEL, w->data, w->k, i, k0, k1);
        }
    }
    if (a->kind == RG_KK_BLAS) {
        const int64_t cols = rg_min(pe * RG_PANEL, w->n) - p * RG_PANEL;
        t->mm(y0, ldy, a->x + k0, w->k, floats, bl->np * RG_PANEL, a->m, k1 - k0, cols, k0 > 0);
        return;
    }
    for (int64_t row = 0; row < a->m; row += bl->mt)
        for (int64_t i = p; i < pe; i++) {
            float *y = y0 + row * ldy + (i - p) * RG_PANEL;
            const void *bi = b + (i - p) * panel;
            const char *xq = a->xq + row * a->ld;
            const int64_t rows = rg_min(bl->mt, a->m - row), n = rg_min(RG_PANEL, w->n - i * RG_PANEL);
            if (rg_x_in_bytes(a->form))
                t->mmdot[a->form][w->type](y, ldy, xq, a->ld, rows, bi, w->k, k0, k1, n, k0 > 0);
            else if (a->form == RG_X_BF16)
                t->mm_bf16(y, ldy, (const void *)(xq + 2 * k0), a->ld / 2, bi, rows, k1 - k0, n, k0 > 0);
            else
                t->mm(y, ldy, a->x + row * w->k + k0, w->k, bi, RG_PANEL, rows, k1 - k0, n, k0 > 0);
        }
}

static void many(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    const rg_weight *w = a->w;
    const blocking *bl = &blocks[a->kind];
    const int64_t kb = rg_min(bl->kb, w->k), trips = rg_div_up(w->k, bl->kb);
    const int64_t x = a->m * (a->xq ? a->ld : 4 * w->k), unpacked = bl->np * panel_bytes(a->form, kb),
                  group = bl->np * rg_panel_bytes(w->type, w->k);
    for (int64_t p = p0; p < p1; p += bl->np) {
        const int64_t pe = rg_min(p + bl->np, p1), cols = rg_min(pe * RG_PANEL, w->n) - p * RG_PANEL;
        float *y0 = a->to ? group_place(a, p0) : a->y + p * RG_PANEL;
        const int64_t ldy = a->to ? cols : w->n;
        for (int64_t k0 = 0; k0 < w->k; k0 += bl->kb)
            block(cx, a, cx->scratch, y0, ldy, p, pe, k0, rg_min(k0 + bl->kb, w->k));
        if (a->to) rg_product_finish(cx, a, y0, ldy, 0, a->m, p * RG_PANEL, cols);
        const int64_t y = 4 * a->m * cols, to = a->to ? y : 0;
        /* What comes past the private cache again, because it does not fit with all that is touched until its
         * next use: y once per k block, the unpacked block (written, then read), and x once per group. */
        const int64_t trip = y + x / trips + unpacked + group / trips;
        if (trip > cx->l2_bytes) rg_count(cx, (trips - 1) * y, (trips - 1) * y, 0);
        if (unpacked > cx->l2_bytes / 2) {
            const int64_t scratch = (pe - p) * panel_bytes(a->form, w->k);
            rg_count(cx, scratch, scratch, 0);
        }
        if (p == p0 || x + y + to + unpacked + group > cx->l2_bytes) rg_count(cx, x, 0, 0);
        /* outputs between the parts of a fused operator leave and come back, or are written once for all */
        const bool leaves = trip + to > cx->l2_bytes;
        rg_count(cx, leaves ? to : 0, leaves || p == p0 ? to : 0, 0);
    }
}

/* Few tokens. The rest of a fused operator follows by groups of panels whose outputs fit the L1 cache. */
static void few_tokens(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    enum { OUTPUTS = 8 << 10 }; /* bytes */
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    const int64_t np = a->to ? rg_max(1, OUTPUTS / (4 * a->m * RG_PANEL)) : p1 - p0;
    for (int64_t p = p0; p < p1; p += np) {
        const int64_t pe = rg_min(p + np, p1), left = w->n - p * RG_PANEL,
                      cols = rg_min(left, (pe - p) * RG_PANEL), ldy = a->to ? cols : w->n;
        const void *data = (const char *)w->data + p * rg_panel_bytes(w->type, w->k);
        float *y = a->to ? group_place(a, p0) : a->y + p * RG_PANEL;
        if (a->kind == RG_KK_GEMV)
            t->gemv[w->type](y, ldy, a->x, w->k, a->m, data, left, w->k, 0, pe - p);
        else
            t->dot[a->form][w->type](y, ldy, a->xq, a->ld, a->m, data, left, w->k, 0, pe - p);
        if (!a->to) continue;
        rg_product_finish(cx, a, y, ldy, 0, a->m, p * RG_PANEL, cols);
        if (p == p0) rg_count(cx, 0, 4 * a->m * cols, 0);
    }
}

/* Operations of the kernels, padding rows included. Products of planes are exact integers; each group then
 * takes a conversion, two multiplications and an addition, with a minimum two more. */
static void count_operations(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    const int64_t rows = (p1 - p0) * RG_PANEL, group = rg_wtypes[a->w->type].group;
    if (!rg_x_in_bytes(a->form)) {
        rg_count(cx, 0, 0, 2 * a->m * rows * a->w->k);
        return;
    }
    const int64_t kp = rg_x_padded(a->w->k, group), passes = rg_kernel_passes(a->kind);
    cx->tally.iop += 2 * passes * a->m * rows * kp;
    rg_count(cx, 0, 0, a->m * rows * (kp / group) * (rg_wtypes[a->w->type].has_min ? 6 : 4));
}

static void product(rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w,
    int64_t m, bool barrier)
{
    rg_product a = {.y = y, .x = x, .w = w, .m = m, .op = rg_site_op(site), .to = to};
    const rg_units units = rg_ctx_units(cx);
    const rg_route r = rg_route_product(&units, w->type, m);
    const bool few = m <= RG_GEMV_MAX;
    a.kind = r.kernel;
    a.form = rg_kinds[r.kernel].form;
    int64_t r0, r1;
    rg_part(cx, w->n, RG_PANEL, &r0, &r1);
    const int64_t p0 = r0 / RG_PANEL, p1 = rg_div_up(r1, RG_PANEL);
    if (a.form < RG_X_FORMS)
        a.xq = prepared(cx, x, m, w->k, a.form, rg_wtypes[w->type].group, r.tiles, &a.ld);
    if (p1 > p0 && r.tiles) {
        rg_tile_product(cx, &a, p0, p1);
    } else if (p1 > p0) {
        if (blocks[a.kind].np)
            many(cx, &a, p0, p1);
        else
            few_tokens(cx, &a, p0, p1);
        count_operations(cx, &a, p0, p1);
        cx->tally.w_rd += (p1 - p0) * rg_panel_bytes(w->type, w->k);
        rg_count(cx, blocks[a.kind].np ? 0 : few ? 4 * m * w->k : m * a.ld, 4 * m * (r1 - r0), 0);
    }
    if (to) rg_count(cx, 4 * m * (r1 - r0), 0, (a.op == RG_OP_LINEAR_SWIGLU ? 5 : 1) * m * (r1 - r0));
    rg_op_desc d = rg_elem_op(cx, site, (rg_dims){.m = m, .k = w->k, .n = w->n}, barrier);
    d.wtype = w->type;
    d.kernel = (uint8_t)r.kernel;
    d.isa = cx->k->level[r.tiles ? RG_FN_tile_mm : rg_kinds[r.kernel].fn];
    if (r.tiles) d.arith = rg_x_in_bytes(a.form) ? RG_ARITH_AMX_INT8 : RG_ARITH_AMX_BF16;
    rg_op_end(cx, &d);
}

void rg_linear(
    rg_ctx *cx, rg_site site, float *y, const float *x, const rg_weight *w, int64_t m, bool barrier)
{
    product(cx, site, NULL, y, x, w, m, barrier);
}

void rg_linear_fused(
    rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w, int64_t m)
{
    product(cx, site, to, y, x, w, m, true);
}

int64_t rg_xq_bytes(int threads, int64_t m, int64_t k) /* the widest forms; padding to groups of 128 */
{
    const int64_t own = rg_x_bytes(RG_X_I16, rg_round_up(k, 128), 32) * (int64_t)threads * RG_GEMV_MAX;
    return rg_max(own, rg_tile_pitch(RG_X_BF16X2, rg_round_up(k, 128), 32) * rg_round_up(m, 16));
}

size_t rg_drive_scratch(const rg_ktab *k)
{
    /* drive_attn.c: queries and accumulators (heads of at most 1024), scores of a chunk, maxima, sums */
    int64_t most = 4 * RG_ATTN_NQ * (3 * 1024 + RG_ATTN_CHUNK + 4);
    most = rg_max(most, rg_attn_many_scratch());
    for (rg_kernel_kind i = 0; i < RG_KK_COUNT; i++)
        if (blocks[i].np && (i != RG_KK_BLAS || k->blas)) most = rg_max(most, block_bytes(i));
    if (k->level[RG_FN_tile_mm] != RG_ISA_C) most = rg_max(most, rg_tile_scratch());
    return rg_round_up(most, 4096);
}
