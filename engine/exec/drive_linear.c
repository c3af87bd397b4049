/* y = x W^T: which kernels, in which blocks. */
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "exec/attn_parts.h"
#include "exec/product.h"

/* How a product is computed. The first three take x as it is; the others take it prepared (kernels.h). TILES:
 * drive_tiles.c. */
typedef enum route { GEMV, GEMM, BLAS, DOT, MMDOT, MMBF, TILES } route;

/* Blocking of the many-token products. NP panels of weights are unpacked for KB columns into L2, then meet MT
 * rows of x at a time, so that x comes from beyond the private cache once per group of panels and each weight
 * once per call. BLAS wants wider blocks: it packs them itself. Prepared rows are half as wide or less, and
 * their kernels faster, so that more panels share one trip of x. */
typedef struct blocking {
    int64_t np, kb, mt;
} blocking;
static const blocking blocks[] = {
    [GEMM] = {4, 256, 48}, [BLAS] = {8, 1024, 1 << 30}, [MMDOT] = {8, 256, 32}, [MMBF] = {8, 256, 48}};

/* Bytes of one panel of a block, as its kernel wants it: floats; bytes with the scales and minimums of the
 * smallest groups; bf16. */
static size_t panel_bytes(route r, int64_t kb)
{
    return (size_t)(r == MMDOT ? RG_PANEL * kb + kb / 32 * 256
            : r == MMBF        ? 2 * RG_PANEL * kb
                               : 4 * RG_PANEL * kb);
}

static size_t block_bytes(route r)
{
    assert(blocks[r].kb % 128 == 0); /* whole groups of every type */
    /* bf16 is made from one panel of floats at the end */
    return (size_t)blocks[r].np * panel_bytes(r, blocks[r].kb) +
        (r == MMBF ? panel_bytes(GEMM, blocks[r].kb) : 0);
}

/* Byte products beat floats where the CPU has the instruction. With AVX2 alone they are emulated, which still
 * reads INT4 twice as fast as widening it to floats does (27 against 14 GB/s a core out of L2), but has no
 * use for many tokens or for INT8. */
static bool dot_pays(const rg_ktab *t, rg_wtype type, bool few)
{
    if (t->level[RG_FN_dot8] == RG_ISA_AVX2VNNI || t->level[RG_FN_dot8] >= RG_ISA_AVX512VNNI) return true;
    return t->level[RG_FN_dot8] == RG_ISA_AVX2 && t->isa == RG_ISA_AVX2 && few && rg_wtypes[type].bits == 4;
}

/* The route, and the form of x for those that want it prepared. Faithful products of quantised weights go
 * through exact integer sums where the CPU multiplies bytes: 16 bits of x are two planes, and two such
 * products still are faster than one FMA. Products of prepared rows go through DOT up to RG_DOT_MAX tokens:
 * each group of codes is taken apart while it meets all of them, where MMDOT first writes a block of unpacked
 * codes and reads it back, which pays for itself only with more tokens (16 tokens, q4g32: 326 against 204
 * tokens/s on two Zen 5 cores; byte products are the limit of the first). */
static route choose(const rg_ctx *cx, rg_wtype type, int64_t m, rg_xform *form)
{
    const rg_ktab *t = cx->k;
    const bool few = m <= RG_GEMV_MAX, quant = rg_wtype_is_quant(type);
    *form = t->act == RG_ACT_Q8 ? RG_X_I8 : RG_X_I16;
    if (!few && t->blas) return BLAS;
    if (cx->xq && !t->blas && rg_tile_form(t, type, m) < RG_X_FORMS) {
        *form = rg_tile_form(t, type, m);
        return TILES;
    }
    if (cx->xq && t->act == RG_ACT_BF16 && !few) {
        *form = RG_X_BF16;
        return MMBF;
    }
    if (cx->xq && quant && (t->act == RG_ACT_Q8 || dot_pays(t, type, few)))
        return m <= RG_DOT_MAX ? DOT : MMDOT;
    return few ? GEMV : GEMM;
}

/* Prepared rows of x. Own: each thread prepares all of them for itself, which for few rows is cheaper than
 * meeting. Else each thread prepares its share; for tiles, up to a multiple of 16 rows. What is there already
 * (q, k and v share x) is not made again. */
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
        if (tiles && cx->tid == cx->nt - 1)
            memset(rows + m * *ld, 0, (size_t)((rg_round_up(m, 16) - m) * *ld));
        cx->tally.act_rd += (uint64_t)(4 * (b - a) * k);
        cx->tally.act_wr += (uint64_t)((b - a) * *ld);
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

/* Where the outputs of a group of panels go until it is finished: this thread's columns of y as a place of
 * its own, closely packed and used again by every group, so that they stay in the private cache. */
static float *group_place(const rg_product *a, int64_t p0) { return a->y + a->m * p0 * RG_PANEL; }

/* Panels [p, pe) for columns [k0, k1) into b, and every row of x with them, into y of the first of these
 * panels. */
static void block(rg_ctx *cx, const rg_product *a, route r, char *b, float *y0, int64_t ldy, int64_t p,
    int64_t pe, int64_t k0, int64_t k1)
{
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    const blocking *bl = &blocks[r];
    const size_t panel = panel_bytes(r, bl->kb);
    float *floats = (float *)(void *)(r == MMBF ? b + (size_t)bl->np * panel : b);
    for (int64_t i = p; i < pe; i++) {
        char *to = b + (size_t)(i - p) * panel;
        if (r == MMDOT) {
            t->unpack8[w->type](to, w->data, w->k, i, k0, k1);
        } else if (r == MMBF) {
            t->unpack[w->type](floats, RG_PANEL, w->data, w->k, i, k0, k1);
            t->pair_bf16((uint16_t *)(void *)to, floats, k1 - k0);
        } else if (r == BLAS) {
            t->unpack[w->type](floats + (i - p) * RG_PANEL, bl->np * RG_PANEL, w->data, w->k, i, k0, k1);
        } else {
            t->unpack[w->type]((float *)(void *)to, RG_PANEL, w->data, w->k, i, k0, k1);
        }
    }
    if (r == BLAS) {
        const int64_t cols = rg_min(pe * RG_PANEL, w->n) - p * RG_PANEL;
        t->mm(y0, ldy, a->x + k0, w->k, floats, bl->np * RG_PANEL, a->m, k1 - k0, cols, k0 > 0);
        return;
    }
    for (int64_t row = 0; row < a->m; row += bl->mt)
        for (int64_t i = p; i < pe; i++) {
            float *y = y0 + row * ldy + (i - p) * RG_PANEL;
            const char *bi = b + (size_t)(i - p) * panel, *xq = a->xq + row * a->ld;
            const int64_t rows = rg_min(bl->mt, a->m - row), n = rg_min(RG_PANEL, w->n - i * RG_PANEL);
            if (r == MMDOT)
                t->mmdot[a->form][w->type](y, ldy, xq, a->ld, rows, bi, w->k, k0, k1, n, k0 > 0);
            else if (r == MMBF)
                t->mm_bf16(y, ldy, (const uint16_t *)(const void *)xq + k0, a->ld / 2,
                    (const uint16_t *)(const void *)bi, rows, k1 - k0, n, k0 > 0);
            else
                t->mm(y, ldy, a->x + row * w->k + k0, w->k, (const float *)(const void *)bi, RG_PANEL, rows,
                    k1 - k0, n, k0 > 0);
        }
}

/* Outputs of a fused operator between its parts: they are written once for all groups, or for each if they do
 * not stay; then they also come back. */
static void count_place(rg_ctx *cx, int64_t y, bool leaves, bool first)
{
    if (leaves) cx->tally.act_rd += (uint64_t)y;
    if (leaves || first) cx->tally.act_wr += (uint64_t)y;
}

static void many(rg_ctx *cx, const rg_product *a, route r, int64_t p0, int64_t p1)
{
    const rg_weight *w = a->w;
    const blocking *bl = &blocks[r];
    const int64_t kb = rg_min(bl->kb, w->k), trips = rg_div_up(w->k, bl->kb);
    const int64_t x = a->m * (a->xq ? a->ld : 4 * w->k), unpacked = bl->np * (int64_t)panel_bytes(r, kb),
                  group = bl->np * rg_panel_bytes(w->type, w->k);
    for (int64_t p = p0; p < p1; p += bl->np) {
        const int64_t pe = rg_min(p + bl->np, p1), cols = rg_min(pe * RG_PANEL, w->n) - p * RG_PANEL;
        float *y0 = a->to ? group_place(a, p0) : a->y + p * RG_PANEL;
        const int64_t ldy = a->to ? cols : w->n;
        for (int64_t k0 = 0; k0 < w->k; k0 += bl->kb)
            block(cx, a, r, cx->scratch, y0, ldy, p, pe, k0, rg_min(k0 + bl->kb, w->k));
        if (a->to) rg_product_finish(cx, a, y0, ldy, 0, a->m, p * RG_PANEL, cols);
        const int64_t y = 4 * a->m * cols, to = a->to ? y : 0;
        /* What comes past the private cache again, because it does not fit there together with all that is
         * touched until its next use: y of the group once per k block, the unpacked block (written, then
         * read), and x once per group. */
        if (y + x / trips + unpacked + group / trips > cx->l2_bytes) {
            cx->tally.act_rd += (uint64_t)((trips - 1) * y);
            cx->tally.act_wr += (uint64_t)((trips - 1) * y);
        }
        if (unpacked > cx->l2_bytes / 2) {
            const uint64_t scratch = (uint64_t)((pe - p) * (int64_t)panel_bytes(r, w->k));
            cx->tally.act_rd += scratch;
            cx->tally.act_wr += scratch;
        }
        if (p == p0 || x + y + to + unpacked + group > cx->l2_bytes) cx->tally.act_rd += (uint64_t)x;
        if (a->to) count_place(cx, y, y + to + x / trips + unpacked + group / trips > cx->l2_bytes, p == p0);
    }
}

/* One token or few. The rest of a fused operator follows group by group, of as many panels as keep their
 * outputs in the first-level cache. */
static void few_tokens(rg_ctx *cx, const rg_product *a, route r, int64_t p0, int64_t p1)
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
        if (r == GEMV)
            t->gemv[w->type](y, ldy, a->x, w->k, a->m, data, left, w->k, 0, pe - p);
        else
            t->dot[a->form][w->type](y, ldy, a->xq, a->ld, a->m, data, left, w->k, 0, pe - p);
        if (!a->to) continue;
        rg_product_finish(cx, a, y, ldy, 0, a->m, p * RG_PANEL, cols);
        count_place(cx, 4 * a->m * cols, false, p == p0);
    }
}

/* Operations of the kernels, padding rows included. A product of planes is exact in integers; each group then
 * takes a conversion, two multiplications and an addition, and two more operations with a minimum. */
static void count_operations(rg_ctx *cx, const rg_product *a, route r, int64_t p0, int64_t p1)
{
    const int64_t rows = (p1 - p0) * RG_PANEL, group = rg_wtypes[a->w->type].group;
    if (r != DOT && r != MMDOT) {
        cx->tally.flop += (uint64_t)(2 * a->m * rows * a->w->k);
        return;
    }
    const int64_t kp = rg_x_padded(a->w->k, group), planes = a->form == RG_X_I16 ? 2 : 1;
    cx->tally.iop += (uint64_t)(2 * planes * a->m * rows * kp);
    cx->tally.flop += (uint64_t)(a->m * rows * (kp / group) * (rg_wtypes[a->w->type].has_min ? 6 : 4));
}

/* The kernel, its level and the class of its instructions, for the record. */
static void describe(rg_op_desc *d, const rg_ctx *cx, const rg_product *a, route r)
{
    static const uint8_t kinds[] = {[GEMV] = RG_KK_GEMV,
        [GEMM] = RG_KK_GEMM,
        [BLAS] = RG_KK_BLAS,
        [DOT] = RG_KK_DOT8,
        [MMDOT] = RG_KK_MMDOT8,
        [MMBF] = RG_KK_MMBF};
    static const uint8_t by_products[] = {[1] = RG_KK_MMBF, [2] = RG_KK_MMBF2, [3] = RG_KK_MMBF3};
    const rg_ktab *t = cx->k;
    if (r == TILES) {
        const bool bytes = a->form == RG_X_I8 || a->form == RG_X_I16;
        d->isa = t->level[RG_FN_tile_mm];
        d->arith = bytes ? RG_ARITH_AMX_INT8 : RG_ARITH_AMX_BF16;
        d->kernel = a->form == RG_X_I8 ? RG_KK_MMDOT8
            : a->form == RG_X_I16      ? RG_KK_MMDOT16
                                       : by_products[rg_tile_products(a->form, a->w->type)];
        return;
    }
    const bool planes = r == DOT || r == MMDOT;
    d->isa = planes ? t->level[RG_FN_dot8]
        : r == MMBF ? t->level[RG_FN_mm_bf16]
        : r == GEMV ? t->level[RG_FN_gemv]
                    : t->level[RG_FN_mm];
    d->kernel = (uint8_t)(kinds[r] + (planes && a->form == RG_X_I16));
}

static void product(rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w,
    int64_t m, bool barrier)
{
    rg_product a = {.y = y, .x = x, .w = w, .m = m, .k = w->k, .op = rg_site_op(site), .to = to};
    const route r = choose(cx, w->type, m, &a.form);
    const bool few = m <= RG_GEMV_MAX;
    int64_t r0, r1;
    rg_part(cx, w->n, RG_PANEL, &r0, &r1);
    const int64_t p0 = r0 / RG_PANEL, p1 = rg_div_up(r1, RG_PANEL);
    if (r >= DOT) a.xq = prepared(cx, x, m, w->k, a.form, rg_wtypes[w->type].group, r == TILES, &a.ld);
    if (p1 > p0 && r == TILES) {
        rg_tile_product(cx, &a, p0, p1);
    } else if (p1 > p0) {
        if (r == GEMV || r == DOT)
            few_tokens(cx, &a, r, p0, p1);
        else
            many(cx, &a, r, p0, p1);
        count_operations(cx, &a, r, p0, p1);
        cx->tally.w_rd += (uint64_t)((p1 - p0) * rg_panel_bytes(w->type, w->k));
        if (few || r == DOT) cx->tally.act_rd += (uint64_t)(few ? 4 * m * w->k : m * a.ld);
        cx->tally.act_wr += (uint64_t)(4 * m * (r1 - r0));
    }
    if (to) {
        cx->tally.act_rd += (uint64_t)(4 * m * (r1 - r0));
        cx->tally.flop += (uint64_t)((a.op == RG_OP_LINEAR_SWIGLU ? 5 : 1) * m * (r1 - r0));
    }
    rg_op_desc d = {.site = site,
        .dims = {.m = m, .k = w->k, .n = w->n},
        .wtype = w->type,
        .kv_k = RG_KV_COUNT,
        .kv_v = RG_KV_COUNT,
        .barrier = barrier};
    describe(&d, cx, &a, r);
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
    /* attention: queries and accumulators of RG_ATTN_NQ rows (head size at most 1024), scores of one chunk,
     * maxima and sums */
    size_t most = sizeof(float) * RG_ATTN_NQ * (3 * 1024 + RG_ATTN_CHUNK + 4);
    most = rg_attn_many_scratch() > most ? rg_attn_many_scratch() : most;
    const route routes[] = {GEMM, MMDOT, MMBF, k->blas ? BLAS : GEMM};
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (block_bytes(routes[i]) > most) most = block_bytes(routes[i]);
    if (k->level[RG_FN_tile_mm] != RG_ISA_C && (size_t)rg_tile_scratch() > most)
        most = (size_t)rg_tile_scratch();
    return (size_t)rg_round_up((int64_t)most, 4096);
}
