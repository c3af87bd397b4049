/* Operators and the places where the model uses them, generated from ops.def. One name travels the whole way: tensor, record, report row. */
#ifndef RG_SITES_H
#define RG_SITES_H

#include <stdbool.h>

#include "base/config.h"

typedef enum rg_op {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) RG_OP_##id,
#include "ops/ops.def"
    RG_OP_COUNT
} rg_op;

typedef enum rg_site {
#define RG_SITE(id, name, op, rows, cols) RG_SITE_##id,
#include "ops/ops.def"
    RG_SITE_COUNT
} rg_site;

/* What the rows and columns of a site's weight are, in terms of the model's dimensions; NONE: the site has no weight. */
typedef enum rg_extent { RG_EXT_NONE, RG_EXT_ONE, RG_EXT_DIM, RG_EXT_Q_DIM, RG_EXT_KV_DIM, RG_EXT_FFN, RG_EXT_VOCAB } rg_extent;

const char *rg_op_name(rg_op op);
const char *rg_site_name(rg_site site);
rg_op rg_site_op(rg_site site);
rg_extent rg_site_rows(rg_site site), rg_site_cols(rg_site site);
/* The site whose output a linear site multiplies: attn_norm for attn_q. RG_SITE_COUNT for sites that are not linear. */
rg_site rg_site_input(rg_site site);
/* True for sites that exist once per layer. */
int rg_site_in_layer(rg_site site);
/* Whether the forward pass of such a model has the site. unfused: attention in three steps instead of one. */
bool rg_site_runs(const rg_config *c, rg_site site, bool unfused);
/* The bias and the column order of a linear site; RG_SITE_COUNT if it cannot have one (the output matrix). */
rg_site rg_site_bias(rg_site linear), rg_site_order(rg_site linear);
static inline uint64_t rg_site_bit(rg_site s) { return (uint64_t)1 << s; }

#endif
