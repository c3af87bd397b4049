/* What a checkpoint says about its model. Loaders range-check every field before it is used. */
#ifndef RG_CONFIG_H
#define RG_CONFIG_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum rg_rope_scaling { RG_ROPE_NONE, RG_ROPE_LINEAR, RG_ROPE_LLAMA3 } rg_rope_scaling;

enum { RG_MAX_EOS = 8, RG_MAX_LAYERS = 512, RG_MAX_VOCAB = 1 << 20 };

typedef struct rg_config {
    char arch[64];  /* "llama", ... */
    char name[128]; /* from the file, or the file's own name */
    int64_t dim, ffn, layers, heads, kv_heads, head_dim, vocab;
    int64_t ctx_train; /* longest context the model was made for */
    double eps, rope_theta;
    rg_rope_scaling rope_scaling;
    /* LINEAR: factor; LLAMA3: all three and rope_orig_ctx */
    double rope_factor, rope_low_freq, rope_high_freq;
    int64_t rope_orig_ctx;
    bool tied;      /* the output matrix is the embedding */
    int64_t window; /* a token sees that many positions, itself included; 0: all */
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

static inline int64_t rg_q_dim(const rg_config *c) { return c->heads * c->head_dim; }
static inline int64_t rg_kv_dim(const rg_config *c) { return c->kv_heads * c->head_dim; }

#endif
