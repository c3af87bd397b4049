/* Operators and the places where the model uses them, from ops.def and sites.def. One name travels the whole
 * way: tensor, record, report row. */
#ifndef RG_SITES_H
#define RG_SITES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"

typedef enum rg_op {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) RG_OP_##id,
#include "ops/ops.def"
    RG_OP_COUNT
} rg_op;

typedef enum rg_site {
#define RG_SITE(id, name, op, rows, cols, only, input, group, hf, gguf) RG_SITE_##id,
#include "ops/sites.def"
    RG_SITE_COUNT,
    RG_SITE_NONE = RG_SITE_COUNT
} rg_site;

/* Fusions of operators (fuse.def); a mask has a bit of each that is on. */
enum {
#define RG_FUSE(id, word, on) RG_FUSE_##id,
#include "ops/fuse.def"
    RG_FUSE_COUNT
};
static inline unsigned rg_fuse_bit(int fusion) { return 1u << fusion; }
/* What commands switch on unless told otherwise. */
enum {
    RG_FUSE_DEFAULT = 0
#define RG_FUSE(id, word, on) | (on) << RG_FUSE_##id
#include "ops/fuse.def"
};

/* A side of a site's weight. */
typedef enum rg_extent {
#define RG_EXTENT(id, size) RG_EXT_##id,
#include "ops/sites.def"
} rg_extent;
int64_t rg_extent_size(const rg_config *c, rg_extent e);

/* Which models have a site; see sites.def. */
typedef enum rg_only {
    RG_ONLY_ALWAYS,
    RG_ONLY_PRE_NORM,
    RG_ONLY_DENSE,
    RG_ONLY_MOE,
    RG_ONLY_MOE_SILU,
    RG_ONLY_SHARED,
    RG_ONLY_SILU,
    RG_ONLY_ROTATES,
    RG_ONLY_FUSED,
    RG_ONLY_PART,
    RG_ONLY_TENSOR,
    RG_ONLY_TRAIT,
    RG_ONLY_FACTOR,
    RG_ONLY_ORDER
} rg_only;

const char *rg_op_name(rg_op op);

/* A row of sites.def. */
typedef struct rg_site_row {
    const char *name;
    rg_op op;
    rg_extent rows, cols;
    rg_only only;
    rg_site input;
} rg_site_row;
extern const rg_site_row rg_sites[RG_SITE_COUNT];

static inline const char *rg_site_name(rg_site s) { return rg_sites[s].name; }
static inline rg_op rg_site_op(rg_site s) { return rg_sites[s].op; }
static inline rg_extent rg_site_rows(rg_site s) { return rg_sites[s].rows; }
static inline rg_extent rg_site_cols(rg_site s) { return rg_sites[s].cols; }
static inline rg_only rg_site_only(rg_site s) { return rg_sites[s].only; }
/* Only some models have the site, whatever is fused: their rg_config.extra has its bit. */
static inline bool rg_site_optional(rg_site s) { return rg_sites[s].only >= RG_ONLY_TENSOR; }
/* Such a model has the site, or those that it stands in for. */
bool rg_site_exists(const rg_config *c, rg_site s);
static inline bool rg_site_is_norm(rg_site s)
{
    return rg_sites[s].op == RG_OP_RMSNORM || rg_sites[s].op == RG_OP_HEADNORM;
}
/* The site whose output a linear site multiplies: attn_norm for attn_q. Others: NONE. */
static inline rg_site rg_site_input(rg_site s) { return rg_sites[s].input; }
/* The site of that name of n bytes, or NONE. */
rg_site rg_site_named(const char *name, size_t n);
/* The next site of that operator, or NONE. */
rg_site rg_site_next(rg_site site, rg_op op);
/* True for sites that exist once per layer. */
int rg_site_in_layer(rg_site site);
/* Products with a weight matrix, whatever is fused to them. */
bool rg_op_is_product(rg_op op);
/* Of them, those with a matrix of each expert. */
bool rg_op_of_experts(rg_op op);
/* The site has a matrix, or one for each expert. */
bool rg_site_has_matrix(rg_site site);
/* Its matrix decides what is computed (a router's): it keeps the file's precision where others are
 * quantised. */
bool rg_site_keeps_type(rg_site site);
/* Its product is added to the residual stream. */
bool rg_site_feeds_stream(rg_site site);
/* It has a matrix, or a bias, of each expert. */
bool rg_site_of_experts(rg_site site);
/* Files of such a model hold a tensor of it, whether it runs or is another's part. */
bool rg_site_has_tensor(const rg_config *c, rg_site site);
/* Matrices of a site in one layer, or such biases. */
int64_t rg_site_matrices(const rg_config *c, rg_site site);
/* The site whose weights a product reads: ffn_up of ffn_up_act. NONE for sites without. */
rg_site rg_site_linear(rg_site site);

/* The fused site that may stand in for this one in such a model (or that this is), or NONE; first: this is
 * the first that it replaces. */
rg_site rg_site_fused(const rg_config *c, rg_site site, bool *first);

/* The forward pass of such a model has the site, with the fusions of a mask on. */
bool rg_site_runs(const rg_config *c, rg_site site, unsigned fuse);
/* The fusions of the mask that change something in such a model. */
unsigned rg_fuse_applied(const rg_config *c, unsigned fuse);
/* Those that have a site of their own; the others change how operators run, and no cost. */
unsigned rg_fuse_with_sites(void);
/* Those that have a word. */
unsigned rg_fuse_all(void);
/* The word of a fusion (NULL: it has an option of its own); static. */
const char *rg_fuse_word(int fusion);
/* "act+add", "none": the words of a mask, in buf or static. */
const char *rg_fuse_text(char *buf, size_t n, unsigned fuse);
/* The mask of such a text, or of "all"; false: something else, or a word twice. */
bool rg_fuse_parse(unsigned *fuse, const char *text);

/* The bias and the column order of a linear site, or NONE (the output matrix). */
rg_site rg_site_bias(rg_site linear), rg_site_order(rg_site linear);
/* The sites that gpt-oss's kind has together: sinks of attention, biases of experts, and clampglu. */
uint64_t rg_sites_of_clamped(void);
/* The bit of an optional site in rg_config.extra; 0: others have none. */
uint64_t rg_site_bit(rg_site s);

#endif
