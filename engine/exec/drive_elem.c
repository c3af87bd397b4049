/* Operators without a product: embedding, norms, sums, SwiGLU, bias, scale, order. */
#include "base/num.h"
#include "exec/drive.h"

static void end_elem(rg_ctx *cx, rg_site site, rg_dims d, int wtype, bool barrier)
{
    rg_op_end(cx,
        &(rg_op_desc){.site = site,
            .dims = d,
            .wtype = wtype,
            .kv_k = RG_KV_COUNT,
            .kv_v = RG_KV_COUNT,
            .isa = cx->k->level[RG_FN_rmsnorm],
            .kernel = RG_KK_ELEM,
            .barrier = barrier});
}

void rg_embed(rg_ctx *cx, float *x, const rg_embedding *e, const int32_t *token, int64_t m)
{
    int64_t a, b;
    rg_part(cx, m, 1, &a, &b);
    for (int64_t i = a; i < b; i++) {
        if (e->packed) {
            rg_unpack_row(e->packed, token[i], x + i * e->dim);
            /* one row of a panel touches every line of it: the price of a single packed copy */
            cx->tally.w_rd += (uint64_t)rg_panel_bytes(e->packed->type, e->dim);
        } else {
            rg_ftype_row_to_f32(
                e->type, x + i * e->dim, (const char *)e->rows + token[i] * e->row_bytes, e->dim);
            cx->tally.w_rd += (uint64_t)e->row_bytes;
        }
    }
    cx->tally.act_wr += (uint64_t)(4 * (b - a) * e->dim);
    end_elem(cx, RG_SITE_TOKEN_EMBD, (rg_dims){.m = m, .k = e->dim, .w_row = e->packed ? 0 : e->row_bytes},
        e->packed ? (int)e->packed->type : RG_WT_COUNT, true);
}

static void normalise(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps, bool own)
{
    int64_t a = 0, b = m;
    if (!own) rg_part(cx, m, 1, &a, &b);
    for (int64_t i = a; i < b; i++) cx->k->rmsnorm(y + i * k, x + (row ? row[i] : i) * k, w, k, eps);
    const uint64_t n = (uint64_t)((b - a) * k);
    if (b > a) cx->tally.w_rd += (uint64_t)(4 * k);
    cx->tally.act_rd += 4 * n;
    cx->tally.act_wr += 4 * n;
    cx->tally.flop += 4 * n + 3 * (uint64_t)(b - a);
    end_elem(cx, site, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, !own);
}

void rg_rmsnorm(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps)
{
    normalise(cx, site, y, x, w, row, m, k, eps, false);
}

void rg_rmsnorm_own(rg_ctx *cx, rg_site site, float *y, const float *x, const float *w, const int32_t *row,
    int64_t m, int64_t k, float eps)
{
    normalise(cx, site, y, x, w, row, m, k, eps, true);
}

/* Rows x columns work where this thread owns the columns that it wrote in the preceding rg_linear: no barrier
 * is needed before. operands: matrices that are read. */
static void columns(
    rg_ctx *cx, int64_t m, int64_t n, int64_t *c0, int64_t *c1, uint64_t flop_each, uint64_t operands)
{
    rg_part(cx, n, RG_PANEL, c0, c1);
    const uint64_t each = (uint64_t)(m * (*c1 - *c0));
    cx->tally.act_rd += 4 * operands * each;
    cx->tally.act_wr += 4 * each;
    cx->tally.flop += flop_each * each;
}

void rg_add(rg_ctx *cx, rg_site site, float *x, const float *d, int64_t m, int64_t n)
{
    int64_t c0, c1;
    columns(cx, m, n, &c0, &c1, 1, 2);
    for (int64_t i = 0; i < m && c1 > c0; i++) cx->k->add(x + i * n + c0, d + i * n + c0, c1 - c0);
    end_elem(cx, site, (rg_dims){.m = m, .k = n}, RG_WT_COUNT, true);
}

void rg_swiglu(rg_ctx *cx, rg_site site, float *gate, const float *up, int64_t m, int64_t n)
{
    int64_t c0, c1;
    columns(cx, m, n, &c0, &c1, 5, 2);
    for (int64_t i = 0; i < m && c1 > c0; i++)
        cx->k->swiglu(gate + i * n + c0, gate + i * n + c0, up + i * n + c0, c1 - c0);
    end_elem(cx, site, (rg_dims){.m = m, .k = n}, RG_WT_COUNT, true);
}

void rg_bias(rg_ctx *cx, rg_site site, float *y, const float *b, int64_t m, int64_t n, bool barrier)
{
    int64_t c0, c1;
    columns(cx, m, n, &c0, &c1, 1, 1);
    for (int64_t i = 0; i < m && c1 > c0; i++) cx->k->add(y + i * n + c0, b + c0, c1 - c0);
    cx->tally.w_rd += (uint64_t)(4 * (c1 - c0));
    end_elem(cx, site, (rg_dims){.m = m, .k = n}, RG_WT_COUNT, barrier);
}

void rg_scale(rg_ctx *cx, rg_site site, float *y, float factor, int64_t m, int64_t n, bool barrier)
{
    int64_t c0, c1;
    columns(cx, m, n, &c0, &c1, 1, 1);
    for (int64_t i = 0; i < m; i++)
        for (int64_t c = c0; c < c1; c++) y[i * n + c] *= factor;
    end_elem(cx, site, (rg_dims){.m = m, .k = n}, RG_WT_COUNT, barrier);
}

void rg_reorder(
    rg_ctx *cx, rg_site site, float *y, const float *x, const int32_t *order, int64_t m, int64_t k)
{
    int64_t c0, c1;
    columns(cx, m, k, &c0, &c1, 0, 1);
    for (int64_t i = 0; i < m; i++)
        for (int64_t c = c0; c < c1; c++) y[i * k + c] = x[i * k + order[c]];
    cx->tally.w_rd += (uint64_t)(4 * (c1 - c0));
    end_elem(cx, site, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, true);
}
