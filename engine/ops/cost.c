/* FLOP and compulsory bytes of every operator, unrolled from ops.def. */
#include <assert.h>

#include "ops/rec.h"

rg_tally rg_cost(rg_op op, const rg_dims *d, rg_wtype wtype, rg_kvtype kv_k, rg_kvtype kv_v)
{
    const int64_t m = d->m, k = d->k, n = d->n, h = d->h, g = d->g, hd = d->hd, pairs = d->pairs,
                  ctx = d->ctx, cap = d->cap, sink = d->sink, u = d->u, e = d->e, b = d->b;
    const int64_t w_row = d->w_row ? d->w_row
        : wtype < RG_WT_COUNT      ? rg_panel_needed(wtype, k) / RG_PANEL
                                   : 0;
    const int64_t w_all = wtype < RG_WT_COUNT ? rg_panels(n) * rg_panel_needed(wtype, k) : 0;
    const int64_t kb = kv_k < RG_KV_COUNT ? rg_kv_k_bytes(kv_k, hd) : 0;
    const int64_t vb = kv_v < RG_KV_COUNT ? rg_kv_v_bytes(kv_v, hd) : 0;
    (void)h, (void)g, (void)pairs, (void)ctx, (void)cap, (void)kb, (void)vb, (void)u, (void)e, (void)sink,
        (void)b;
    switch (op) {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) \
    case RG_OP_##id: \
        return (rg_tally){w_rd, act_rd, act_wr, kv_rd, kv_wr, flop, iop};
#include "ops/ops.def"
    case RG_OP_COUNT:
        break;
    }
    assert(0 && "not an operator");
    return (rg_tally){0};
}
