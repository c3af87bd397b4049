/* The exact cost model of a configuration that need not exist: ops.def's formulas for every operator of the
 * engine's forward calls, and their ideal times on a machine. */
#ifndef RG_EXACT_H
#define RG_EXACT_H

#include "base/config.h"
#include "roofline/model/experts.h"
#include "roofline/model/hardware.h"
#include "roofline/model/model_cost.h"

/* Activations of products: as with the engine's --act, or 16-bit floats throughout, as accelerators do. */
typedef enum rg_exact_act {
    RG_EXACT_F32,
    RG_EXACT_BF16,
    RG_EXACT_Q8,
    RG_EXACT_F16,
    RG_EXACT_ACTS
} rg_exact_act;
extern const char *const rg_exact_acts[]; /* "f32", "bf16", "q8", "f16", NULL */

typedef struct rg_exact_input {
    /* resident type of the linear weights; of the output matrix (and a tied embedding) */
    rg_wtype dtype, head;
    rg_wtype router, expert; /* of mixtures: of routers, which keep the file's precision, and of experts */
    int64_t embd_row;        /* bytes of one row of an untied embedding */
    rg_kvtype kv_k, kv_v;
    rg_exact_act act;
    /* sequences; tokens of each in prefill, and in the cache at decode */
    int64_t batch, seqlen;
    int64_t ctx;    /* positions in the cache per sequence; 0: seqlen + 1 */
    int64_t ubatch; /* tokens of a forward call; 0: a whole prefill */
    int64_t tp;
    bool flash;
    unsigned fuse; /* further fusions, as in rg_session_opts */
    /* of mixtures; experts of a layer in a decode step, with COUNTED */
    rg_routing routing;
    double counted;
} rg_exact_input;

/* Prefill of batch * seqlen tokens (the last of each sequence asks for logits), and one decode step of every
 * sequence. memory: weights and KV of one device; scratch and logits are the engine's to say, and 0.
 * RG_E_USAGE names the impossible value. */
rg_status rg_exact(
    rg_cost_result *r, const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_err *err);

/* One decode step with `past` positions of every sequence in the cache; r needs not be filled. */
rg_status rg_exact_decode(rg_cost_sum *total, const rg_config *c, const rg_hardware *h,
    const rg_exact_input *in, int64_t past, rg_err *err);

/* What the tokens of a call meet in attention: sequences, pairs of a query and a key, positions read, each
 * once a sequence. */
typedef struct rg_exact_seen {
    int64_t seqs, pairs, ctx;
} rg_exact_seen;
/* Adds n tokens of a sequence behind pos others, in a layer with that window (0: none). */
void rg_exact_see(rg_exact_seen *s, int64_t window, int64_t pos, int64_t n);

/* Layers in which a site runs: that see everything (of sites outside attention: all), or that have the
 * window. Once outside of layers. */
int64_t rg_exact_layers(const rg_config *c, rg_site site, bool windowed);

/* One call of a site as the engine would record it, of m tokens. */
typedef struct rg_exact_call {
    rg_dims dims;
    int wtype, kv_k, kv_v; /* as in rg_rec */
    rg_arith arith;
    rg_kernel_kind kernel;
    double experts; /* that some token chose: dims.e is this rounded; their bytes in tally are not */
    rg_tally tally;
} rg_exact_call;
rg_exact_call rg_exact_site(const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_site site,
    rg_phase phase, int64_t m, const rg_exact_seen *seen);
/* Experts of a layer that a call of m tokens reads under the routing asked for. */
double rg_exact_experts(const rg_config *c, const rg_exact_input *in, rg_phase phase, int64_t m);
/* Runs for the tokens whose logits are asked for alone. */
static inline bool rg_exact_is_last(rg_site site) { return site >= RG_SITE_OUTPUT_NORM; }

/* The fusions that apply, attention's included. On several devices the partial sums of attn_output and
 * ffn_down meet before the residual addition, which then cannot be fused. */
unsigned rg_exact_fusions(const rg_config *c, const rg_exact_input *in);

/* Weights of one device, or those that forward calls come round to: all but an untied embedding, and all
 * experts; the KV cache of one for ctx positions of every sequence, as the engine lays it out but for its
 * padding; bytes. */
double rg_exact_weights(const rg_config *c, const rg_exact_input *in, bool streamed);
/* The cache of so many positions, as far as layers keep them. */
double rg_exact_kv(const rg_config *c, const rg_exact_input *in, int64_t ctx);
/* All parameters, and those that one token meets: of experts only its own. An untied embedding counts in
 * both. */
double rg_exact_params(const rg_config *c), rg_exact_active(const rg_config *c);

#endif
