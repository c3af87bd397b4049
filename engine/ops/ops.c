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

/* Optional sites are counted: of each its number, and of every site (X) the number of the last one. */
enum {
    OPT_ALWAYS,
    OPT_PRE_NORM = 0,
    OPT_DENSE = 0,
    OPT_MOE = 0,
    OPT_MOE_SILU = 0,
    OPT_SHARED = 0,
    OPT_SILU = 0,
    OPT_ROTATES = 0,
    OPT_FUSED = 0,
    OPT_TENSOR,
    OPT_PART = 1,
    OPT_TRAIT = 1,
    OPT_FACTOR = 1,
    OPT_ORDER = 1
};
enum {
    BIT_BEFORE = -1,
#define RG_SITE(id, name, op, rows, cols, only, input, group, hf, gguf) \
    BIT_##id, END_##id = BIT_##id - 1 + OPT_##only,
#include "ops/sites.def"
    BITS
};
_Static_assert(BITS <= 64, "rg_config.extra has a bit per optional site");

uint64_t rg_site_bit(rg_site s)
{
    static const int8_t bit[RG_SITE_COUNT] = {
#define RG_SITE(id, name, op, rows, cols, only, input, group, hf, gguf) OPT_##only ? BIT_##id : -1,
#include "ops/sites.def"
    };
    return s < RG_SITE_COUNT && bit[s] >= 0 ? (uint64_t)1 << bit[s] : 0;
}

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
        op == RG_OP_LINEAR_ADD || rg_op_of_experts(op);
}

bool rg_op_of_experts(rg_op op)
{
    return op == RG_OP_LINEAR_EXPS || op == RG_OP_LINEAR_SWIGLU_EXPS || op == RG_OP_LINEAR_CLAMPGLU_EXPS ||
        op == RG_OP_LINEAR_SUM_EXPS;
}

bool rg_site_has_matrix(rg_site s)
{
    return rg_op_is_product(rg_sites[s].op) && rg_sites[s].rows != RG_EXT_NONE;
}

bool rg_site_keeps_type(rg_site s) { return rg_site_has_matrix(s) && rg_sites[s].rows == RG_EXT_EXPERTS; }
bool rg_site_feeds_stream(rg_site s) { return rg_site_has_matrix(s) && rg_sites[s].rows == RG_EXT_DIM; }

bool rg_site_of_experts(rg_site s)
{
    const bool part = rg_sites[s].op == RG_OP_BIAS && rg_sites[s].only == RG_ONLY_PART;
    return rg_op_of_experts(rg_sites[s].op) || (part && rg_op_of_experts(rg_sites[s - 1].op));
}

bool rg_site_has_tensor(const rg_config *c, rg_site s)
{
    return rg_sites[s].rows != RG_EXT_NONE &&
        (rg_sites[s].only == RG_ONLY_PART ? rg_site_exists(c, s) : rg_site_runs(c, s, 0));
}

int64_t rg_site_matrices(const rg_config *c, rg_site s) { return rg_site_of_experts(s) ? c->experts : 1; }

rg_site rg_site_next(rg_site s, rg_op op)
{
    do s++;
    while (s < RG_SITE_COUNT && rg_sites[s].op != op);
    return s;
}

uint64_t rg_sites_of_clamped(void)
{
    return rg_site_bit(RG_SITE_ATTN_SINKS) | rg_site_bit(RG_SITE_FFN_GATE_EXPS_BIAS) |
        rg_site_bit(RG_SITE_FFN_UP_EXPS_BIAS) | rg_site_bit(RG_SITE_FFN_DOWN_EXPS_BIAS) |
        rg_site_bit(RG_SITE_FFN_CLAMP_EXPS);
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
