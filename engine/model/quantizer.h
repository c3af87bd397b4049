/* What both halves of the quantiser share: the layer in memory and the moments of its inputs. Private to
 * engine/model. */
#ifndef RG_QUANTIZE_IMPL_H
#define RG_QUANTIZE_IMPL_H

#include "exec/team.h"
#include "quant/quant.h"
#include "ridge/quantize.h"

/* Second moments of one input of a layer: of attn_norm, attn_core, ffn_norm or ffn_act. */
typedef struct rg_moments {
    int64_t k, ld;    /* ld: k rounded up to 32 */
    float *h;         /* [k][ld], 64-byte aligned; owns */
    double *mean_abs; /* [k]; owns */
    float *x, *xt;    /* one window: [window][ld], [k][window]; own */
    int64_t n;        /* tokens seen */
} rg_moments;

static inline size_t rg_moments_bytes(const rg_moments *m) { return sizeof *m->h * (size_t)(m->k * m->ld); }

enum { RG_INPUTS = 4 };
extern const rg_site rg_input_sites[RG_INPUTS];

typedef struct rg_quantizer {
    const rg_ckpt *c;
    const rg_config *cfg;
    const rg_quantize_opts *o;
    rg_quantized_fn *fn;
    void *user;
    rg_ktab k;
    rg_team *team;
    int threads;
    float *w[RG_SITE_COUNT]; /* the layer's tensors, f32; each owns */
    /* [n_windows * window][dim] entering the layer; owns; NULL without calibration */
    float *hidden;
    rg_moments in[RG_INPUTS];
    rg_qtensor q; /* buffers for the largest tensor; own */
    float *head;  /* rows of the output matrix while it is quantised; owns */
} rg_quantizer;

static inline bool rg_quantizer_calibrates(const rg_quantize_opts *o)
{
    return o->method == RG_QUANT_AWQ || o->method == RG_QUANT_GPTQ;
}
static inline int64_t rg_quantizer_tokens(const rg_quantizer *z) { return z->o->n_windows * z->o->window; }
static inline bool rg_quantizer_stopped(const rg_quantizer *z)
{
    return z->o->engine.stop && *z->o->engine.stop;
}
/* Rounds w[n] to the 16-bit type, if it is one. */
void rg_round_as(rg_ftype type, float *w, int64_t n);
const char *rg_quantizer_why_not(
    const rg_ckpt *c, const rg_quantize_opts *o, const rg_ckpt_tensor *t, rg_site site);

/* quantize_calib.c */
rg_status rg_calib_open(rg_quantizer *z, rg_err *err);
void rg_calib_close(rg_quantizer *z);
/* Runs the layer in z->w on the hidden states: collects the moments of its inputs (moments), or replaces the
 * states by its output (advance). layer: for messages. */
rg_status rg_calib_run(rg_quantizer *z, int layer, bool moments, bool advance, rg_err *err);
/* The moments of the final norm's output, as rg_calib_run's would be, in in[0]. norm: [dim]. */
void rg_calib_final(rg_quantizer *z, const float *norm);
rg_moments *rg_calib_input(rg_quantizer *z, rg_site linear);
/* Chooses AWQ's scales for the layer and folds them into z->w. */
rg_status rg_awq_fold_layer(rg_quantizer *z, int layer, rg_err *err);

#endif
