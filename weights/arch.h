/* Architectures from arch.def. Private to weights/. */
#ifndef RG_ARCH_H
#define RG_ARCH_H

#include "weights/ckpt_impl.h"

enum {
#define RG_TRAIT(id) RG_TRAIT_##id,
#include "weights/arch.def"
};
/* What an architecture has beyond plain Llama. */
enum {
#define RG_TRAIT(id) RG_HAS_##id = (int)(1u << RG_TRAIT_##id),
#include "weights/arch.def"
};

enum { RG_ARCH_NAME, RG_ARCH_HF, RG_ARCH_TYPE, RG_ARCH_GGUF };

typedef struct rg_arch {
    const char *word[4]; /* for people, class and model_type in config.json, in GGUF (NULL if it has none) */
    int traits;
    int64_t window, every, nope, head, vocab, heads, kv_heads, ctx, gguf_window, big; /* arch.def */
    double theta, eps;
    bool norm;
} rg_arch;

/* The table, plain Llama first; ended by a row of NULL. */
extern const rg_arch rg_archs[];
/* The architecture of a configuration; RG_E_UNSUPPORTED, with what we lack where we know it. name, type: the
 * class and the model type of config.json, which must agree; NULL: it is silent. */
rg_status rg_arch_of_hf(const rg_arch **a, const char *name, const char *type, const rg_src *src);
/* Whether it is a model for text and more whose text Ridge reads: type is its model_type, inner that of its
 * text_config (NULL: any). */
bool rg_arch_wraps(const char *name, const char *type, const char *inner);
rg_status rg_arch_of_gguf(const rg_arch **a, const char *name, size_t len, const rg_src *src);

/* The row that rg_config.arch means, a model_type or a word of GGUF; plain Llama if none does. */
const rg_arch *rg_arch_named(const char *word);
/* Which layers have the window and which do not rotate, by the architecture's pattern. */
void rg_arch_layers(rg_config *c, const rg_arch *a);
/* What the architecture alone decides, behind all that the file says. */
void rg_arch_apply(rg_config *c, const rg_arch *a);

/* The head size that follows from the others; -1: none does. */
#define RG_HEAD(c) ((c)->heads > 0 && (c)->dim % (c)->heads == 0 ? (c)->dim / (c)->heads : -1)
/* The width of an expert where GGUF is silent: the only one that the file has; of Qwen2-MoE's first files, a
 * part. */
#define RG_EXPERT_FFN(c, a) \
    ((a)->traits & RG_HAS_SHARED_EXPERT && (c)->experts_used > 0 ? (c)->ffn / (c)->experts_used : (c)->ffn)
/* Names of RoPE scalings, by rg_rope_scaling. */
extern const char *const rg_scaling_names[];

#endif
