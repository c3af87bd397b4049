/* y = x W^T, in the blocks of each kernel. */
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "exec/attn_parts.h"
#include "exec/product.h"

/* Blocking of the many-token products. NP panels of weights are unpacked (floats: taken as they lie) for KB
 * columns into L2, then meet MT rows of x at a time: x comes past the private cache once per group of panels,
 * each weight once per call. BLAS packs blocks itself and wants wider ones. Prepared rows are narrow and
 * their kernels fast: more panels share one trip of x. */
typedef struct blocking {
    int64_t np, kb, mt;
} blocking;
enum { KB = 256 };
static const blocking blocks[RG_KK_COUNT] = {[RG_KK_GEMM] = {4, KB, 12},
    [RG_KK_BLAS] = {8, 1024, 1 << 30},
    [RG_KK_MMDOT8] = {8, KB, 32},
    [RG_KK_MMDOT16] = {8, KB, 32},
    [RG_KK_MMBF] = {8, KB, 48}};

/* Bytes of one panel of a block: bytes with floats as scales and minimums of the smallest groups, bf16,
 * floats. */
static int64_t panel_bytes(rg_xform form, int64_t kb)
{
    return rg_x_in_bytes(form) ? RG_PANEL * kb + kb / RG_SMALLEST_GROUP * 256
        : form == RG_X_BF16    ? 2 * RG_PANEL * kb
                               : 4 * RG_PANEL * kb;
}

/* A thread's scratch: the block, for bf16 with the panel of floats that it is made from at the end; then the
 * sums of a group of panels, rows closely packed. In y, rows whose width is a multiple of a power of two meet
 * in few sets of the caches and drive each other out. */
enum { MOST_ROWS = 288 }; /* a multiple of every mt */

static int64_t block_bytes(rg_kernel_kind kind)
{
    const blocking *bl = &blocks[kind];
    const rg_xform form = rg_kinds[kind].form;
    assert(bl->kb % 128 == 0); /* whole groups of every type */
    return bl->np * panel_bytes(form, bl->kb) + (form == RG_X_BF16 ? panel_bytes(RG_X_NONE, bl->kb) : 0);
}

static int64_t sums_bytes(rg_kernel_kind kind) { return 4 * MOST_ROWS * blocks[kind].np * RG_PANEL; }

rg_units rg_ctx_units(const rg_ctx *cx)
{
    const rg_ktab *t = cx->k;
    const rg_isa dot = t->level[RG_FN_dot8];
    const bool wide = dot >= RG_ISA_AVX512VNNI, tiles = t->level[RG_FN_tile_mm] != RG_ISA_C;
    return (rg_units){.act = t->act,
        .blas = t->blas,
        .prepared = cx->xq,
        .bytes = dot == RG_ISA_AVX2VNNI || wide,
        .emulated_bytes = dot == RG_ISA_AVX2 && t->isa == RG_ISA_AVX2,
        .narrow = !wide,
        .tile_bytes = tiles,
        .tile_bf16 = tiles,
        .vectors = t->level[RG_FN_mm] > RG_ISA_C,
        .fast_bf16 = t->bf16_attn};
}

/* Bytes from row to row of x for vectors. Rows of a multiple of two blocks of floats or bf16 put the columns
 * of a block into half of the sets of a cache or fewer; a block farther apart they fill all. */
static int64_t row_pitch(rg_xform form, int64_t bytes)
{
    const int64_t block = form == RG_X_NONE ? 4 * KB : 2 * KB;
    return !rg_x_in_bytes(form) && bytes % (2 * block) == 0 ? bytes + block : bytes;
}

int64_t rg_product_pitch(const rg_product *a, bool own)
{
    return own     ? a->x_bytes
        : a->tiles ? rg_tile_pitch(a->form, a->w->k, rg_wtypes[a->w->type].group)
                   : row_pitch(a->form, a->x_bytes);
}

bool rg_product_prepares(const rg_ctx *cx, const rg_product *a)
{
    return a->form < RG_X_FORMS || (a->kind == RG_KK_GEMM && cx->xq && row_pitch(a->form, a->ld) != a->ld);
}

void rg_product_row(const rg_ctx *cx, const rg_product *a, char *to, const float *x)
{
    if (a->form == RG_X_NONE)
        memcpy(to, x, a->w->k * sizeof *x);
    else
        cx->k->prep[a->form](to, x, a->w->k, rg_wtypes[a->w->type].group);
}

/* Prepared rows of x. Own: each thread prepares all, which for few rows is cheaper than meeting. Else each
 * prepares its share; for tiles, up to a multiple of 16 rows. What is there (q, k and v share x) stays. */
static void prepare(rg_ctx *cx, rg_product *a, const float *x)
{
    const bool tiles = a->tiles;
    const int64_t m = a->m, k = a->w->k, group = rg_wtypes[a->w->type].group;
    const rg_xform form = a->form;
    const bool own = m <= RG_GEMV_MAX && !tiles;
    const int64_t ld = rg_product_pitch(a, own);
    char *rows = cx->xq + (own ? cx->tid * RG_GEMV_MAX * ld : 0);
    const rg_ready now = {x, m, form, group, !own, ld};
    const rg_ready *is = &cx->ready;
    a->x = rows;
    a->ld = ld;
    if (is->x == x && is->m == m && is->form == form && is->group == group && is->shared == now.shared &&
        is->ld == ld)
        return;
    if ((!own || is->shared) && is->x == x) rg_barrier(cx); /* others may still read x in its other form */
    int64_t t0 = 0, t1 = m;
    if (!own) rg_part(cx, m, 1, &t0, &t1);
    for (int64_t t = t0; t < t1; t++) rg_product_row(cx, a, rows + t * ld, x + t * k);
    if (!own) {
        if (tiles && cx->tid == cx->nt - 1) memset(rows + m * ld, 0, (rg_round_up(m, 16) - m) * ld);
        a->own = (t1 - t0) * a->x_bytes;
        rg_count(cx, 4 * (t1 - t0) * k, a->own, 0);
        rg_barrier(cx);
    }
    cx->ready = now;
}

/* The outputs are finished behind the product, not by it. */
static bool is_finished(const rg_product *a) { return a->op != RG_OP_LINEAR || a->bias; }

void rg_product_finish(const rg_ctx *cx, const rg_product *a, float *y, int64_t ldy, int64_t row0,
    int64_t rows, int64_t col0, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++) {
        float *to = a->to + (a->row ? a->row[row0 + i] : row0 + i) * a->w->n + col0;
        if (a->bias) cx->k->add(y + i * ldy, a->bias + col0, cols);
        if (a->op == RG_OP_LINEAR_SWIGLU)
            cx->k->swiglu(to, to, y + i * ldy, cols);
        else if (a->op == RG_OP_LINEAR_GEGLU)
            cx->k->geglu(to, to, y + i * ldy, cols);
        else if (a->op == RG_OP_LINEAR_CLAMPGLU_EXPS)
            cx->k->clampglu(to, to, y + i * ldy, cols);
        else if (a->op == RG_OP_LINEAR_ADD)
            cx->k->add(to, y + i * ldy, cols);
        else if (a->weight)
            for (int64_t j = 0; j < cols; j++) to[j] += a->weight[row0 + i] * y[i * ldy + j];
        else
            memcpy(to, y + i * ldy, cols * sizeof *to);
    }
}

/* Part of the loops: rows [m0, m1) of x, panels [p0, p1), columns [k0, k1). */
typedef struct part {
    int64_t m0, m1, p0, p1, k0, k1;
} part;

/* Float weights are not unpacked: their kernel takes them as they lie. */
static bool as_they_lie(const rg_product *a)
{
    return a->kind == RG_KK_GEMM && !rg_wtype_is_quant(a->w->type);
}

/* Panels for some columns into b, and every row of x with them, into y0, that of the first row and panel. */
static void block(rg_ctx *cx, const rg_product *a, char *b, float *y0, int64_t ldy, const part *at)
{
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    const blocking *bl = &blocks[a->kind];
    const int64_t panel = panel_bytes(a->form, bl->kb), p = at->p0, k0 = at->k0, k1 = at->k1;
    float *floats = (void *)(a->form == RG_X_BF16 ? b + bl->np * panel : b);
    const bool lie = as_they_lie(a);
    for (int64_t i = p; i < at->p1 && !lie; i++) {
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
        const int64_t cols = rg_min(at->p1 * RG_PANEL, w->n) - p * RG_PANEL;
        const float *x = (const void *)(a->x + at->m0 * a->ld);
        t->mm(y0, ldy, x + k0, a->ld / 4, floats, bl->np * RG_PANEL, at->m1 - at->m0, k1 - k0, cols, k0 > 0);
        return;
    }
    const int64_t mt = rg_even(at->m1 - at->m0, bl->mt);
    for (int64_t row = at->m0; row < at->m1; row += mt)
        for (int64_t i = p; i < at->p1; i++) {
            float *y = y0 + (row - at->m0) * ldy + (i - p) * RG_PANEL;
            const void *bi = b + (i - p) * panel;
            const char *x = a->x + row * a->ld;
            const int64_t rows = rg_min(mt, at->m1 - row), n = rg_min(RG_PANEL, w->n - i * RG_PANEL);
            if (lie)
                t->mmw[w->type](y, ldy, (const void *)(x + 4 * k0), a->ld / 4,
                    (const char *)w->data + i * rg_panel_bytes(w->type, w->k) + k0 * rg_wtypes[w->type].line,
                    rows, k1 - k0, n, k0 > 0);
            else if (rg_x_in_bytes(a->form))
                t->mmdot[a->form][w->type](y, ldy, x, a->ld, rows, bi, w->k, k0, k1, n, k0 > 0);
            else if (a->form == RG_X_BF16)
                t->mm_bf16(y, ldy, (const void *)(x + 2 * k0), a->ld / 2, bi, rows, k1 - k0, n, k0 > 0);
            else
                t->mm(y, ldy, (const void *)(x + 4 * k0), a->ld / 4, bi, RG_PANEL, rows, k1 - k0, n, k0 > 0);
        }
}

static int64_t block_of(const rg_product *a)
{
    const blocking *bl = &blocks[a->kind];
    return as_they_lie(a) ? 0 : bl->np * panel_bytes(a->form, rg_min(bl->kb, a->w->k));
}

int64_t rg_product_block(const rg_product *a)
{
    const blocking *bl = &blocks[a->kind];
    return bl->np && !a->tiles ? block_of(a) + 4 * rg_min(a->m, MOST_ROWS) * bl->np * RG_PANEL : 0;
}

/* The loops of a call, and bytes that they touch. */
typedef struct loops {
    int64_t rows, times;     /* of x that pass together, and how often so many pass */
    int64_t trips;           /* blocks of columns */
    bool direct;             /* one trip and nothing fused: outputs are complete at once */
    int64_t x, block, group; /* all rows, an unpacked block, packed weights of a group of panels */
    int64_t trip;            /* what passes from one block of columns to the next */
} loops;

/* As many rows as stay in the private cache, with their sums, from one block of columns to the next, in equal
 * parts. An eighth of it is left to other data. */
static loops loops_of(const rg_ctx *cx, const rg_product *a)
{
    const blocking *bl = &blocks[a->kind];
    loops l = {.rows = a->m,
        .trips = rg_div_up(a->w->k, bl->kb),
        .x = a->m * a->x_bytes,
        .block = block_of(a),
        .group = bl->np * a->panel};
    l.direct = l.trips == 1 && !is_finished(a);
    const int64_t each = 4 * bl->np * RG_PANEL + a->x_bytes / l.trips, weights = l.block + l.group / l.trips,
                  mt = rg_min(bl->mt, MOST_ROWS),
                  fit = rg_min(MOST_ROWS, (cx->l2_bytes / 8 * 7 - weights) / each / mt * mt);
    if (!l.direct) l.rows = rg_min(a->m, rg_round_up(rg_even(a->m, rg_max(fit, mt)), mt));
    l.times = rg_div_up(a->m, l.rows);
    l.trip = l.rows * each + weights;
    return l;
}

/* The share of a cache's sets that columns [0, bytes) of rows `pitch` bytes apart fall into, in a way of a
 * sixteenth of the cache. */
static double share_of_sets(int64_t l2_bytes, int64_t pitch, int64_t bytes)
{
    int64_t apart = 64;
    while (pitch % (2 * apart) == 0 && 32 * apart <= l2_bytes) apart *= 2;
    return bytes < apart ? (double)bytes / (double)apart : 1.0;
}

/* What comes past the private cache again in a group of panels, because it does not fit with all that is
 * touched until its next use: weights for further rows, x once per group, the unpacked block (written, then
 * read), and sums if even the fewest rows are too many. Outputs that fall into few sets drive out what lies
 * there: of x, and of the block and the sums, which are dirty. So does the preparation of x, once. */
static void count_group(
    rg_ctx *cx, const rg_product *a, const loops *l, int64_t panels, int64_t cols, bool first)
{
    const int64_t y = 4 * a->m * cols, dirty = l->block + (l->direct ? 0 : 4 * l->rows * cols),
                  used = dirty + l->group;
    const int64_t made = a->own + a->own / a->x_bytes * 4 * a->w->k;          /* by preparing x */
    const bool stays = l->x + y + used + l->group / l->trips <= cx->l2_bytes; /* and what comes next */
    const double share = share_of_sets(cx->l2_bytes, 4 * a->w->n, 4 * cols),
                 room = (double)cx->l2_bytes - (double)y / share;
    if (l->x / l->times + used > cx->l2_bytes) cx->tally.w_rd += (l->times - 1) * panels * a->panel;
    if (first)
        rg_count(cx, l->x - (stays ? a->own : 0), made >= cx->l2_bytes ? dirty : 0, 0);
    else if (!stays)
        rg_count(cx, l->x, 0, 0);
    else if ((double)(l->x + used) > room)
        rg_count(cx, (int64_t)(share * (double)l->x), 0, 0);
    if (!first && share < 1.0 && (double)used > room) rg_count(cx, 0, (int64_t)(share * (double)dirty), 0);
    if (l->block > cx->l2_bytes / 2) {
        const int64_t blocks_bytes = l->times * panels * panel_bytes(a->form, a->w->k);
        rg_count(cx, blocks_bytes, blocks_bytes, 0);
    }
    if (!l->direct && l->trip > cx->l2_bytes) rg_count(cx, l->trips * y, l->trips * y, 0);
}

static void many(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    const rg_weight *w = a->w;
    const blocking *bl = &blocks[a->kind];
    const loops l = loops_of(cx, a);
    float *sums = (void *)(cx->scratch + block_bytes(a->kind));
    for (int64_t p = p0; p < p1; p += bl->np) {
        const int64_t pe = rg_min(p + bl->np, p1), cols = rg_min(pe * RG_PANEL, w->n) - p * RG_PANEL,
                      ldy = l.direct ? w->n : cols;
        float *y = l.direct ? a->to + p * RG_PANEL : sums;
        for (int64_t m0 = 0; m0 < a->m; m0 += l.rows) {
            const int64_t m1 = rg_min(m0 + l.rows, a->m);
            for (int64_t k0 = 0; k0 < w->k; k0 += bl->kb)
                block(cx, a, cx->scratch, y, ldy, &(part){m0, m1, p, pe, k0, rg_min(k0 + bl->kb, w->k)});
            if (!l.direct) rg_product_finish(cx, a, sums, cols, m0, m1 - m0, p * RG_PANEL, cols);
        }
        count_group(cx, a, &l, pe - p, cols, p == p0);
    }
}

/* What comes past the private cache again with a group of panels of few_tokens: all rows of x, if they and
 * the group do not fit, and the panels for further rows, if not even those of one call fit with them. */
static void count_again(
    rg_ctx *cx, const rg_product *a, int64_t rows, int64_t panels, int64_t cols, bool first)
{
    if (a->m <= rows) return;
    const int64_t group = panels * a->panel, y = 4 * a->m * cols;
    if (!first && a->m * a->x_bytes + group + y > cx->l2_bytes) rg_count(cx, a->m * a->x_bytes, 0, 0);
    if (rows * a->x_bytes + group > cx->l2_bytes) cx->tally.w_rd += (rg_div_up(a->m, rows) - 1) * group;
}

/* Few tokens. The rest of a fused operator follows by groups of panels whose outputs fit the L1 cache. */
static void few_tokens(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    enum { OUTPUTS = 8 << 10 }; /* bytes */
    const rg_ktab *t = cx->k;
    const rg_weight *w = a->w;
    const bool fused = is_finished(a);
    /* More rows than a call takes meet each panel in equal parts, the later ones from the private cache. */
    const int64_t most = a->kind == RG_KK_GEMV ? RG_GEMV_MAX : RG_DOT_MAX, rows = rg_even(a->m, most),
                  np = a->m > rows ? 1
        : fused                    ? rg_max(1, OUTPUTS / (4 * a->m * RG_PANEL))
                                   : p1 - p0;
    for (int64_t p = p0; p < p1; p += np) {
        const int64_t pe = rg_min(p + np, p1), left = w->n - p * RG_PANEL,
                      cols = rg_min(left, (pe - p) * RG_PANEL), ldy = fused ? cols : w->n;
        const void *data = (const char *)w->data + p * rg_panel_bytes(w->type, w->k);
        float *y = fused ? (void *)cx->scratch : a->to + p * RG_PANEL;
        for (int64_t t0 = 0; t0 < a->m; t0 += rows) {
            const int64_t m = rg_min(rows, a->m - t0);
            const char *x = a->x + t0 * a->ld;
            float *to = y + t0 * ldy;
            if (a->kind == RG_KK_GEMV)
                t->gemv[w->type](to, ldy, (const void *)x, a->ld / 4, m, data, left, w->k, 0, pe - p);
            else
                t->dot[a->form][w->type](to, ldy, x, a->ld, m, data, left, w->k, 0, pe - p);
        }
        if (fused) {
            /* outputs that the panels of their group drive out of the private cache before its end */
            const int64_t group = (pe - p) * a->panel, late = rg_max(0, group - cx->l2_bytes),
                          out = 4 * a->m * cols * late / group;
            rg_product_finish(cx, a, y, ldy, 0, a->m, p * RG_PANEL, cols);
            rg_count(cx, out, out, 0);
        }
        count_again(cx, a, rows, pe - p, cols, p == p0);
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

rg_product rg_product_of(const rg_ctx *cx, rg_op op, const rg_weight *w, int64_t m)
{
    const rg_units units = rg_ctx_units(cx);
    const rg_route r = rg_route_product(&units, w->type, m);
    const rg_xform form = rg_kinds[r.kernel].form;
    /* kernels in bytes take groups whole, and so do tiles that are weights as they lie */
    const bool whole = rg_x_in_bytes(form) || (r.tiles && w->type == RG_WT_BF16);
    return (rg_product){.ld = 4 * w->k,
        .x_bytes = form == RG_X_NONE ? 4 * w->k : rg_x_bytes(form, w->k, rg_wtypes[w->type].group),
        .w = w,
        .panel = whole ? rg_panel_bytes(w->type, w->k) : rg_panel_needed(w->type, w->k),
        .m = m,
        .kind = r.kernel,
        .form = form,
        .tiles = r.tiles,
        .op = op};
}

void rg_product_panels(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1)
{
    const rg_weight *w = a->w;
    if (p1 <= p0) return;
    const int64_t m = a->m, rows = rg_min(p1 * RG_PANEL, w->n) - p0 * RG_PANEL;
    if (a->tiles) {
        rg_tile_product(cx, a, p0, p1);
    } else {
        if (blocks[a->kind].np)
            many(cx, a, p0, p1);
        else
            few_tokens(cx, a, p0, p1);
        count_operations(cx, a, p0, p1);
        cx->tally.w_rd += (p1 - p0) * a->panel;
        rg_count(cx,
            blocks[a->kind].np     ? 0
                : m <= RG_GEMV_MAX ? 4 * m * w->k
                                   : m * a->x_bytes - a->own,
            4 * m * rows, 0);
    }
    if (a->op != RG_OP_LINEAR) {
        const int64_t each = a->op == RG_OP_LINEAR_SWIGLU ? 5
            : a->op == RG_OP_LINEAR_GEGLU                 ? 10
            : a->op == RG_OP_LINEAR_CLAMPGLU_EXPS         ? 9
            : a->op == RG_OP_LINEAR_SUM_EXPS              ? 2
                                                          : 1;
        rg_count(cx, 4 * m * rows, 0, each * m * rows);
    }
    if (a->bias) {
        cx->tally.w_rd += 4 * rows;
        rg_count(cx, 0, 0, m * rows);
    }
}

rg_op_desc rg_product_record(const rg_ctx *cx, rg_site site, const rg_product *a, rg_dims dims, bool barrier)
{
    rg_op_desc d = rg_elem_op(cx, site, dims, barrier);
    d.wtype = a->w->type;
    d.kernel = (uint8_t)a->kind;
    d.isa = cx->k->level[a->tiles ? RG_FN_tile_mm : rg_kinds[a->kind].fn];
    if (a->tiles) d.arith = rg_x_in_bytes(a->form) ? RG_ARITH_AMX_INT8 : RG_ARITH_AMX_BF16;
    return d;
}

static void product(rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w,
    int64_t m, bool barrier)
{
    rg_product a = rg_product_of(cx, rg_site_op(site), w, m);
    a.to = to;
    a.y = y;
    a.x = (const char *)x;
    int64_t r0, r1;
    rg_part(cx, w->n, RG_PANEL, &r0, &r1);
    if (rg_product_prepares(cx, &a)) prepare(cx, &a, x);
    rg_product_panels(cx, &a, r0 / RG_PANEL, rg_div_up(r1, RG_PANEL));
    const rg_op_desc d = rg_product_record(cx, site, &a, (rg_dims){.m = m, .k = w->k, .n = w->n}, barrier);
    rg_op_end(cx, &d);
}

void rg_linear(
    rg_ctx *cx, rg_site site, float *y, const float *x, const rg_weight *w, int64_t m, bool barrier)
{
    product(cx, site, y, y, x, w, m, barrier);
}

void rg_linear_fused(
    rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w, int64_t m)
{
    product(cx, site, to, y, x, w, m, true);
}

int64_t rg_xq_bytes(int threads, int64_t m, int64_t k) /* the widest forms; padding to groups of 128 */
{
    const int64_t kp = rg_round_up(k, 128),
                  few = rg_x_bytes(RG_X_I16, kp, RG_SMALLEST_GROUP) * threads * RG_GEMV_MAX,
                  copied = k < 2 * KB ? 0 : 4 * (kp + KB);
    return rg_max(few, rg_max(rg_tile_pitch(RG_X_BF16X2, kp, 32), copied) * rg_round_up(m, 16));
}

int64_t rg_xq_bytes_exps(int threads, int64_t m, int64_t used, int64_t experts, int64_t k)
{
    const int64_t rows = m * used; /* on tiles, four tokens and more of an expert take a multiple of 16 */
    return rg_xq_bytes(threads, rows + 12 * rg_min(experts, rows / 4), k);
}

int64_t rg_xe_bytes(int64_t k)
{
    const int64_t kp = rg_round_up(k, 128);
    return RG_GEMV_MAX * rg_max(rg_x_bytes(RG_X_I16, kp, RG_SMALLEST_GROUP), rg_round_up(4 * kp, 64));
}

size_t rg_drive_scratch(const rg_ktab *k)
{
    /* drive_attn.c: queries and accumulators (heads of at most 1024), scores of a chunk, maxima, sums */
    int64_t most = 4 * RG_ATTN_NQ * (3 * 1024 + RG_ATTN_CHUNK + 4);
    most = rg_max(most, rg_attn_many_scratch());
    for (rg_kernel_kind i = 0; i < RG_KK_COUNT; i++)
        if (blocks[i].np && (i != RG_KK_BLAS || k->blas)) most = rg_max(most, block_bytes(i) + sums_bytes(i));
    if (k->level[RG_FN_tile_mm] != RG_ISA_C) most = rg_max(most, rg_tile_scratch());
    return rg_round_up(most, 4096);
}
