/* The exact cost model of a configuration that need not exist: the formulas of engine/ops/ops.def for every
 * operator of the forward calls that the engine would make, and their ideal times on a machine. */
#ifndef RG_EXACT_H
#define RG_EXACT_H

#include "base/config.h"
#include "roofline/model/hardware.h"
#include "roofline/model/model_cost.h"

/* How products take activations: as the engine's --act does, or 16-bit floats kept everywhere, as
 * accelerators do. */
typedef enum rg_exact_act {
    RG_EXACT_F32,
    RG_EXACT_BF16,
    RG_EXACT_Q8,
    RG_EXACT_F16,
    RG_EXACT_ACTS
} rg_exact_act;
extern const char *const rg_exact_acts[]; /* "f32", "bf16", "q8", "f16", NULL */

typedef struct rg_exact_input {
    /* resident type of the linear weights; of the output matrix (and of a tied embedding) */
    rg_wtype dtype, head;
    int64_t embd_row; /* bytes of one row of an untied embedding */
    rg_kvtype kv_k, kv_v;
    rg_exact_act act;
    /* sequences; tokens of each that prefill brings, and that decode finds in the cache */
    int64_t batch, seqlen;
    int64_t ctx;    /* positions per sequence that the cache has room for; 0: seqlen + 1 */
    int64_t ubatch; /* tokens of a forward call; 0: all of a prefill in one */
    int64_t tp;
    bool flash;
    unsigned fuse; /* the engine's further fusions, as in rg_session_opts */
} rg_exact_input;

/* Prefill of batch * seqlen tokens (the last of each sequence asks for logits), and one decode step of every
 * sequence. memory holds weights and KV of one device; scratch and logits are the engine's to say, and 0.
 * RG_E_USAGE names the value that is impossible. */
rg_status rg_exact(
    rg_cost_result *r, const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_err *err);

/* One decode step with `past` positions in the cache of every sequence; r needs not be filled. */
rg_status rg_exact_decode(rg_cost_sum *total, const rg_config *c, const rg_hardware *h,
    const rg_exact_input *in, int64_t past, rg_err *err);

/* Dimensions, types and cost of one call of a site, as the engine would record it: m tokens, pairs and ctx of
 * attention. */
typedef struct rg_exact_call {
    rg_dims dims;
    int wtype, kv_k, kv_v; /* as in rg_rec */
    rg_arith arith;
    rg_kernel_kind kernel;
    rg_tally tally;
} rg_exact_call;
rg_exact_call rg_exact_site(const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_site site,
    int64_t m, int64_t pairs, int64_t ctx);

/* The fusions that apply, attention's included: on several devices the partial sums of attn_output and
 * ffn_down meet before the residual addition, which then cannot be part of the product. */
unsigned rg_exact_fusions(const rg_config *c, const rg_exact_input *in);

/* Weights of one device, and what a forward call reads of them, bytes. */
double rg_exact_weights(const rg_config *c, const rg_exact_input *in, bool streamed);
double rg_exact_kv(const rg_config *c, const rg_exact_input *in, int64_t ctx);
double rg_exact_params(const rg_config *c);

#endif
