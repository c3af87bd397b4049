/* Tiny models of every architecture beyond plain Llama, with random weights, and what their configurations
 * mean. */
#ifndef RG_ARCH_MODELS_H
#define RG_ARCH_MODELS_H

#include "engine_fixture.h"
#include "weights/model_build.h"

enum { ARCH_WINDOW = 24 }; /* of those that have one */

/* What a configuration must say. */
typedef struct arch_meaning {
    const char *layers; /* f: sees everything, w: has the window, n: sees everything and does not rotate */
    double local, magnitude, embd, attn, resid, logit, attn_cap, logit_cap, temp; /* 0: none */
    int64_t rot; /* values of a head that are rotated; 0: all */
} arch_meaning;

typedef struct arch_model {
    const char *name, *hf, *gguf; /* class and word; NULL: no such file */
    const char *more;             /* members of config.json */
    arch_meaning m;
    double theta;   /* 0: 10000 */
    rg_config keys; /* what GGUF says beyond the shape */
    void (*put)(gguf_build *g);
    stacking stacked;
    bool tied, qkv_bias, o_bias, all_bias, factors, decided;
} arch_model;

extern const arch_model arch_models[];
extern const size_t n_arch_models;
const arch_model *arch_model_named(const char *name);
/* Written into the scratch folder and opened; the seed is the same each time. */
rg_ckpt *arch_model_open(const arch_model *m, bool gguf);

#endif
