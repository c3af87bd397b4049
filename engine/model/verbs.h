/* The verbs of the forward pass: an operator with what some models hang on it (column order, bias, factor),
 * run by itself or fused with what follows, and shown to observers. A verb knows its dimensions, barrier and
 * records. All threads call the same verbs in the same order. Private to engine/model. */
#ifndef RG_VERBS_H
#define RG_VERBS_H

#include "model/session.h"

/* One thread's view of a call, and where in the model it is. */
typedef struct rg_pass {
    rg_ctx *cx;
    rg_forward *f;
    const rg_acts *a;
    const rg_config *c;
    const rg_sites_on *on;
    const rg_bound_tensor *w; /* [RG_SITE_COUNT] of the layer, or outside layers */
    rg_kv_layer kv;           /* of the layer */
    rg_attn_shape shape;
    rg_choice choice;   /* of experts, in this layer */
    int64_t m;          /* rows that operators work on */
    const int32_t *row; /* [m] which tokens they are; NULL: all of the call */
} rg_pass;

rg_pass rg_pass_begin(rg_ctx *cx, rg_forward *f);
/* Enters a layer; false: the call is cut there. */
bool rg_pass_layer(rg_pass *p, int64_t layer);
/* Leaves the layers, with the tokens whose logits are wanted; false: none. */
bool rg_pass_logits(rg_pass *p);

/* x[m][dim] = factor * rows of the embedding table. */
void rg_embed_tokens(rg_pass *p, float *x);
/* RMSNorm of x into y or a place of this thread's own; returns which. x itself where the model has no such
 * norm. */
const float *rg_normalise(rg_pass *p, rg_site site, float *y, const float *x);
/* y = x W^T + bias. */
void rg_project(rg_pass *p, rg_site site, float *y, const float *x);
/* gate = act(gate) * (x W^T + bias). */
void rg_project_gated(rg_pass *p, rg_site site, float *gate, const float *x);
/* sum += factor * norm(x W^T + bias), normalised where the model has a norm there. */
void rg_project_add(rg_pass *p, rg_site site, float *sum, const float *x);
/* sum += factor * norm(the weighted outputs of each token's experts, and of the network that all meet). */
void rg_mix_experts(rg_pass *p, float *sum, const float *x);
/* logits = (x W^T) / divisor, capped. */
void rg_project_logits(rg_pass *p, float *logits, const float *x);
/* Normalises heads of q and k, rotates both in place (fused: k only on its way), and stores k and v in the
 * cache. */
void rg_rotate_and_store(rg_pass *p, float *q, float *k, const float *v);
/* att = softmax(scale * q K^T) V over each token's own sequence, up to itself. */
void rg_attend(rg_pass *p, float *att, const float *q);

#endif
