#include "ops/sites.h"

static const struct {
    const char *name;
} ops[RG_OP_COUNT] = {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) [RG_OP_##id] = {name},
#include "ops/ops.def"
};

static const struct {
    const char *name;
    rg_op op;
    rg_extent rows, cols;
} sites[RG_SITE_COUNT] = {
#define RG_SITE(id, name, op, rows, cols) [RG_SITE_##id] = {name, RG_OP_##op, RG_EXT_##rows, RG_EXT_##cols},
#include "ops/ops.def"
};

const char *rg_op_name(rg_op op) { return ops[op].name; }
const char *rg_site_name(rg_site site) { return sites[site].name; }
rg_op rg_site_op(rg_site site) { return sites[site].op; }
rg_extent rg_site_rows(rg_site site) { return sites[site].rows; }
rg_extent rg_site_cols(rg_site site) { return sites[site].cols; }

rg_site rg_site_input(rg_site site)
{
    switch (site) {
    case RG_SITE_ATTN_Q:
    case RG_SITE_ATTN_K:
    case RG_SITE_ATTN_V:
        return RG_SITE_ATTN_NORM;
    case RG_SITE_ATTN_OUTPUT:
        return RG_SITE_ATTN_CORE;
    case RG_SITE_FFN_GATE:
    case RG_SITE_FFN_UP:
        return RG_SITE_FFN_NORM;
    case RG_SITE_FFN_DOWN:
        return RG_SITE_FFN_ACT;
    case RG_SITE_OUTPUT:
        return RG_SITE_OUTPUT_NORM;
    default:
        return RG_SITE_COUNT;
    }
}

_Static_assert(RG_SITE_COUNT <= 64, "rg_config.extra has a bit per site");

int rg_site_in_layer(rg_site s) { return s > RG_SITE_TOKEN_SCALE && s < RG_SITE_OUTPUT_NORM; }

bool rg_op_is_product(rg_op op)
{
    return op == RG_OP_LINEAR || op == RG_OP_LINEAR_SWIGLU || op == RG_OP_LINEAR_ADD;
}

/* The table keeps them around the linear: X_ORDER, X, X_BIAS. */
rg_site rg_site_bias(rg_site s) { return s != RG_SITE_OUTPUT ? (rg_site)(s + 1) : RG_SITE_COUNT; }
rg_site rg_site_order(rg_site s) { return s != RG_SITE_OUTPUT ? (rg_site)(s - 1) : RG_SITE_COUNT; }

#define AROUND(s) \
    _Static_assert( \
        RG_SITE_##s##_ORDER == RG_SITE_##s - 1 && RG_SITE_##s##_BIAS == RG_SITE_##s + 1, "order of ops.def")
AROUND(ATTN_Q);
AROUND(ATTN_K);
AROUND(ATTN_V);
AROUND(ATTN_OUTPUT);
AROUND(FFN_GATE);
AROUND(FFN_UP);
AROUND(FFN_DOWN);
