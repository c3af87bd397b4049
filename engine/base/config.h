/* What a checkpoint says about its model. Loaders range-check every field before it is used. */
#ifndef RG_CONFIG_H
#define RG_CONFIG_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/num.h"

typedef enum rg_rope_scaling {
    RG_ROPE_NONE,
    RG_ROPE_LINEAR,
    RG_ROPE_LLAMA3,
    RG_ROPE_YARN,
    RG_ROPE_LONGROPE
} rg_rope_scaling;

enum { RG_MAX_EXPERTS = 1024 };
enum { RG_MAX_EOS = 8, RG_MAX_LAYERS = 512, RG_MAX_VOCAB = 1 << 20, RG_MAX_WINDOW = 1 << 30 };

typedef struct rg_config {
    char arch[64];  /* "llama", ... */
    char name[128]; /* from the file, or the file's own name */
    int64_t dim, ffn, layers, heads, kv_heads, head_dim, vocab;
    /* a mixture of experts: how many every layer has, to how many a token goes, and the inner width of one;
     * 0: none, and then ffn is that of the one network. A mixture has no such network: its ffn is 0 */
    int64_t experts, experts_used, expert_ffn;
    int64_t shared_ffn; /* of a network that every token meets beside its experts; 0: none */
    bool experts_norm;  /* weights of the chosen are divided by their sum: softmax over the chosen alone */
    int64_t ctx_train;  /* longest context the model was made for */
    double eps, rope_theta;
    rg_rope_scaling rope_scaling;
    /* LINEAR: factor; LLAMA3: all three and rope_orig_ctx; YARN: factor, turns of the original context from
     * which waves are kept (rope_beta_fast) and up to which they are slowed (rope_beta_slow), rope_orig_ctx;
     * LONGROPE: rope_orig_ctx, and divisors that the checkpoint holds */
    double rope_factor, rope_low_freq, rope_high_freq, rope_beta_fast, rope_beta_slow;
    int64_t rope_orig_ctx;
    bool rope_exact_ends;  /* YARN: the ends of its ramp are not rounded to whole pairs */
    double rope_magnitude; /* of sines and cosines; 0: 1 */
    int64_t rope_dim;      /* the first of a head, which are rotated; 0: all */
    double rope_local;     /* base in layers with the window, without scaling; 0: they are as the others */
    double q_temp;         /* rotated queries are multiplied by 1 + q_temp ln(1 + pos / rope_orig_ctx) */
    bool tied;             /* the output matrix is the embedding */
    int64_t window;        /* a token sees that many positions, itself included; 0: all */
    /* bits of layers: that see all positions whatever the window; that do not rotate */
    uint64_t all_seen[RG_MAX_LAYERS / 64], unrotated[RG_MAX_LAYERS / 64];
    bool no_pre_norm;           /* norms stand behind attention and behind the feed-forward network only */
    bool whole_qk_norm;         /* of q and k over all heads together, not head by head */
    double attn_cap, logit_cap; /* c tanh(x / c) of scores and logits; 0: none */
    /* factors of the embedding, of the scores (instead of 1 / sqrt(head_dim)), of what blocks add to the
     * residual stream, and a divisor of the logits; 0: none */
    double embd_scale, attn_scale, resid_scale, logit_scale;
    uint64_t extra; /* bit rg_site: sites that plain Llama does not have (biases, factors, column orders) */
    int32_t bos, eos[RG_MAX_EOS]; /* -1 where the file is silent */
    int n_eos;
} rg_config;

/* Llama 3's scaling of a RoPE frequency: long waves are slowed by the factor, short ones kept, others
 * blended. */
static inline double rg_rope_llama3(const rg_config *c, double f)
{
    const double wavelength = 2.0 * M_PI / f, orig = (double)c->rope_orig_ctx;
    if (wavelength < orig / c->rope_high_freq) return f;
    if (wavelength > orig / c->rope_low_freq) return f / c->rope_factor;
    const double s = (orig / wavelength - c->rope_low_freq) / (c->rope_high_freq - c->rope_low_freq);
    return (1.0 - s) * f / c->rope_factor + s * f;
}

static inline bool rg_layer_bit(const uint64_t *bits, int64_t layer)
{
    return bits[layer / 64] >> layer % 64 & 1;
}
static inline void rg_layer_set(uint64_t *bits, int64_t layer)
{
    bits[layer / 64] |= (uint64_t)1 << layer % 64;
}
/* Each so many-th of the first n. */
static inline void rg_layer_set_every(uint64_t *bits, int64_t n, int64_t every)
{
    for (int64_t l = every - 1; every > 0 && l < n; l += every) rg_layer_set(bits, l);
}
/* Positions that a token of a layer sees; 0: all. */
static inline int64_t rg_layer_window(const rg_config *c, int64_t layer)
{
    return rg_layer_bit(c->all_seen, layer) ? 0 : c->window;
}
static inline int64_t rg_layers_with_window(const rg_config *c)
{
    int64_t n = 0;
    for (int64_t l = 0; l < c->layers; l++) n += rg_layer_window(c, l) > 0;
    return n;
}
/* Positions that one token with ctx of them, itself included, sees in all layers together. */
static inline int64_t rg_seen_in_layers(const rg_config *c, int64_t ctx)
{
    int64_t n = 0;
    for (int64_t l = 0; l < c->layers; l++) {
        const int64_t window = rg_layer_window(c, l);
        n += window > 0 && window < ctx ? window : ctx;
    }
    return n;
}
/* Layers with a window turn by a base of their own. */
static inline bool rg_layer_local(const rg_config *c, int64_t layer)
{
    return c->rope_local > 0.0 && rg_layer_window(c, layer) > 0;
}
static inline bool rg_layer_rotates(const rg_config *c, int64_t layer)
{
    return !rg_layer_bit(c->unrotated, layer);
}
static inline int64_t rg_rope_dim(const rg_config *c) { return c->rope_dim > 0 ? c->rope_dim : c->head_dim; }

/* (token, expert) pairs of so many tokens, and rows of an operator on a dense model's tokens. */
static inline int64_t rg_expert_rows(const rg_config *c, int64_t tokens)
{
    return tokens * (c->experts > 0 ? c->experts_used : 1);
}

static inline int64_t rg_q_dim(const rg_config *c) { return c->heads * c->head_dim; }
static inline int64_t rg_kv_dim(const rg_config *c) { return c->kv_heads * c->head_dim; }

/* Positions of a sequence that a layer's cache holds. A window bounds them: what a call of `call` tokens
 * sees, and what is seen from `back` positions before the farthest one. Fewer than ctx: the cache is a ring
 * of whole chunks, so that none of them is cut. */
static inline int64_t rg_kv_positions(
    const rg_config *c, int64_t layer, int64_t ctx, int64_t call, int64_t back)
{
    const int64_t window = rg_layer_window(c, layer), more = rg_min(ctx, rg_max(call, back));
    if (window <= 0 || window >= ctx) return ctx;
    return rg_min(ctx, rg_round_up(window + RG_KV_BLOCK + more, RG_ATTN_CHUNK));
}

#endif
