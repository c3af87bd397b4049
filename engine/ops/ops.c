/* Names and properties of operators and sites, unrolled from ops.def. */
#include "ops/sites.h"

static const char *const ops[RG_OP_COUNT] = {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) name,
#include "ops/ops.def"
};

const rg_site_row rg_sites[RG_SITE_COUNT] = {
#define RG_SITE(id, name, op, rows, cols, only, input, group, hf, gguf) \
    {name, RG_OP_##op, RG_EXT_##rows, RG_EXT_##cols, RG_ONLY_##only, RG_SITE_##input},
#include "ops/sites.def"
};
_Static_assert(RG_SITE_COUNT <= 64, "rg_config.extra has a bit per site");

const char *rg_op_name(rg_op op) { return ops[op]; }

int64_t rg_extent_size(const rg_config *c, rg_extent e)
{
    switch (e) {
#define RG_EXTENT(id, size) \
    case RG_EXT_##id: \
        return size;
#include "ops/sites.def"
    }
    return 0;
}

int rg_site_in_layer(rg_site s) { return s > RG_SITE_TOKEN_SCALE && s < RG_SITE_OUTPUT_NORM; }

bool rg_op_is_product(rg_op op)
{
    return op == RG_OP_LINEAR || op == RG_OP_LINEAR_SWIGLU || op == RG_OP_LINEAR_GEGLU ||
        op == RG_OP_LINEAR_ADD;
}

rg_site rg_site_next(rg_site s, rg_op op)
{
    do s++;
    while (s < RG_SITE_COUNT && rg_sites[s].op != op);
    return s;
}

/* The table keeps them around the linear: X_ORDER, X, X_BIAS. */
rg_site rg_site_bias(rg_site s)
{
    return s + 1 < RG_SITE_COUNT && rg_sites[s + 1].op == RG_OP_BIAS ? s + 1 : RG_SITE_NONE;
}
rg_site rg_site_order(rg_site s)
{
    return s > 0 && rg_sites[s - 1].op == RG_OP_REORDER ? s - 1 : RG_SITE_NONE;
}
