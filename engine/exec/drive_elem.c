/* Elementwise drivers, and rows of the embedding. */
#include "base/num.h"
#include "exec/drive.h"

static void end_elem(rg_ctx *cx, rg_site site, int64_t m, int64_t k, bool barrier)
{
    const rg_op_desc d = rg_elem_op(cx, site, (rg_dims){.m = m, .k = k}, barrier);
    rg_op_end(cx, &d);
}

void rg_embed(rg_ctx *cx, float *x, const rg_embedding *e, const int32_t *token, int64_t m)
{
    int64_t a, b;
    rg_part(cx, m, 1, &a, &b);
    for (int64_t i = a; i < b; i++) {
        if (e->packed) {
            rg_unpack_row(e->packed, token[i], x + i * e->dim);
            /* one row of a panel touches every line of it: the price of a single packed copy */
            cx->tally.w_rd += rg_panel_needed(e->packed->type, e->dim);
        } else {
            rg_ftype_row_to_f32(
                e->type, x + i * e->dim, (const char *)e->rows + token[i] * e->row_bytes, e->dim);
            cx->tally.w_rd += e->row_bytes;
        }
    }
    rg_count(cx, 0, 4 * (b - a) * e->dim, 0);
    const rg_dims dims = {.m = m, .k = e->dim, .w_row = e->packed ? 0 : e->row_bytes};
    rg_op_desc d = rg_elem_op(cx, RG_SITE_TOKEN_EMBD, dims, true);
    if (e->packed) d.wtype = e->packed->type;
    rg_op_end(cx, &d);
}

void rg_rmsnorm(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps, bool own)
{
    int64_t a = 0, b = m;
    if (!own) rg_part(cx, m, 1, &a, &b);
    for (int64_t i = a; i < b; i++) cx->k->rmsnorm(y + i * k, x + (row ? row[i] : i) * k, w, k, eps);
    const int64_t n = 4 * (b - a) * k;
    if (b > a) cx->tally.w_rd += 4 * k;
    rg_count(cx, n, n, n + 3 * (b - a));
    end_elem(cx, site, m, k, !own);
}

/* This thread's columns of all rows, which it also wrote in the preceding rg_linear: no barrier is needed
 * before. operands: matrices that are read. */
typedef struct columns {
    int64_t c0, n; /* first, how many */
} columns;

static columns my_columns(rg_ctx *cx, int64_t m, int64_t n, int64_t flop_each, int64_t operands)
{
    int64_t c0, c1;
    rg_part(cx, n, RG_PANEL, &c0, &c1);
    const int64_t each = m * (c1 - c0);
    rg_count(cx, 4 * operands * each, 4 * each, flop_each * each);
    return (columns){c0, c1 - c0};
}

void rg_add(rg_ctx *cx, rg_site site, float *x, const float *d, int64_t m, int64_t n)
{
    const columns c = my_columns(cx, m, n, 1, 2);
    for (int64_t at = c.c0; at < m * n && c.n; at += n) cx->k->add(x + at, d + at, c.n);
    end_elem(cx, site, m, n, true);
}

void rg_gate(rg_ctx *cx, rg_site site, float *gate, const float *up, int64_t m, int64_t n)
{
    const rg_op op = rg_site_op(site);
    const columns c = my_columns(cx, m, n, op == RG_OP_GEGLU ? 10 : op == RG_OP_CLAMPGLU ? 9 : 5, 2);
    rg_swiglu_fn *fn = op == RG_OP_GEGLU ? cx->k->geglu
        : op == RG_OP_CLAMPGLU           ? cx->k->clampglu
                                         : cx->k->swiglu;
    for (int64_t at = c.c0; at < m * n && c.n; at += n) fn(gate + at, gate + at, up + at, c.n);
    end_elem(cx, site, m, n, true);
}

void rg_cap(rg_ctx *cx, rg_site site, float *y, float cap, int64_t m, int64_t n)
{
    const columns c = my_columns(cx, m, n, 3, 1);
    for (int64_t at = c.c0; at < m * n && c.n; at += n) cx->k->softcap(y + at, c.n, cap);
    end_elem(cx, site, m, n, true);
}

void rg_bias(rg_ctx *cx, rg_site site, float *y, const float *b, int64_t m, int64_t n, bool barrier)
{
    const columns c = my_columns(cx, m, n, 1, 1);
    for (int64_t at = c.c0; at < m * n && c.n; at += n) cx->k->add(y + at, b + c.c0, c.n);
    cx->tally.w_rd += 4 * c.n;
    end_elem(cx, site, m, n, barrier);
}

void rg_scale(rg_ctx *cx, rg_site site, float *y, float factor, int64_t m, int64_t n, bool barrier)
{
    const columns c = my_columns(cx, m, n, 1, 1);
    for (int64_t at = c.c0; at < m * n; at += n)
        for (int64_t i = at; i < at + c.n; i++) y[i] *= factor;
    end_elem(cx, site, m, n, barrier);
}

void rg_reorder(
    rg_ctx *cx, rg_site site, float *y, const float *x, const int32_t *order, int64_t m, int64_t k)
{
    const columns c = my_columns(cx, m, k, 0, 1);
    for (int64_t row = 0; row < m * k; row += k)
        for (int64_t i = c.c0; i < c.c0 + c.n; i++) y[row + i] = x[row + order[i]];
    cx->tally.w_rd += 4 * c.n;
    end_elem(cx, site, m, k, true);
}
