/* What the parts of the quantiser share: the layer in memory and the moments of its inputs. Private to
 * engine/model. */
#ifndef RG_QUANTIZE_IMPL_H
#define RG_QUANTIZE_IMPL_H

#include "exec/team.h"
#include "quant/quant.h"
#include "ridge/quantize.h"

/* Second moments of an input of a layer. */
typedef struct rg_moments {
    int64_t k, ld;    /* ld: k rounded up to 32; 0: the model has no such input */
    float *h;         /* [k][ld], 64-byte aligned; owns */
    double *mean_abs; /* [k]; owns */
    float *x, *xt;    /* one window: [window][ld], [k][window]; own */
    int64_t n;        /* tokens seen */
} rg_moments;

static inline size_t rg_moments_bytes(const rg_moments *m) { return sizeof *m->h * (size_t)(m->k * m->ld); }

enum { RG_INPUTS = 5 };
extern const rg_site rg_input_sites[RG_INPUTS];

/* What experts read in a layer: moments are made of one at a time. */
typedef struct rg_routed {
    float *x, *act; /* [tokens][dim] behind ffn_norm; [tokens * used][expert_ffn] before ffn_down; own */
    int32_t *expert, *token; /* of each row of act; own */
    int32_t *row;            /* rows of act by expert, of each in the order of tokens; owns */
    int64_t *first;          /* [experts + 1] in row; owns */
    int64_t n;               /* rows of act that are there */
    rg_moments of_x, of_act; /* of the expert that was last asked for */
} rg_routed;

typedef struct rg_quantizer {
    const rg_ckpt *c;
    const rg_config *cfg;
    const rg_quantize_opts *o;
    rg_quantized_fn *fn;
    void *user;
    rg_ktab k;
    rg_team *team;
    int threads;
    /* the layer's tensors, f32, experts one behind the other; each owns; NULL without calibration */
    float *w[RG_SITE_COUNT];
    float *one; /* without: the largest tensor; owns */
    /* [n_windows * window][dim] entering the layer; owns; NULL without calibration */
    float *hidden;
    rg_moments in[RG_INPUTS];
    rg_routed routed;
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
/* A tensor of the layer in z->w. */
static inline float *rg_quantizer_weights(const rg_quantizer *z, const rg_ckpt_tensor *t)
{
    return z->w[t->site] + t->expert * t->rows * t->cols;
}
/* Rounds w[n] to the 16-bit type, if it is one. */
void rg_round_as(rg_ftype type, float *w, int64_t n);
const char *rg_quantizer_why_not(
    const rg_ckpt *c, const rg_quantize_opts *o, const rg_ckpt_tensor *t, rg_site site);

/* quantize_calib.c */
rg_status rg_calib_open(rg_quantizer *z, rg_err *err);
void rg_calib_close(rg_quantizer *z);
/* Runs the layer in z->w on the hidden states: collects its inputs and their moments (moments), or replaces
 * the states by its output (advance). */
rg_status rg_calib_run(rg_quantizer *z, int layer, bool moments, bool advance, rg_err *err);
/* The moments of the final norm's output, as rg_calib_run's would be, in in[0]. norm: [dim]. */
void rg_calib_final(rg_quantizer *z, const float *norm);
/* Those of the input of a matrix; of an expert's, of the tokens that chose it: NULL if none did. */
rg_moments *rg_calib_input(rg_quantizer *z, rg_site linear, int expert);
rg_status rg_moments_open(rg_moments *m, int64_t k, int64_t window);
void rg_moments_close(rg_moments *m, int64_t window);
void rg_moments_start(rg_moments *m);
/* Adds the n rows in m->x, at most a window. */
void rg_moments_take(rg_quantizer *z, rg_moments *m, int64_t n);
void rg_moments_finish(rg_moments *m);

/* quantize_experts.c */
rg_status rg_routed_open(rg_quantizer *z, rg_err *err);
void rg_routed_close(rg_quantizer *z);
/* Rows that an operator showed in a call whose first token is the at-th of the text. */
void rg_routed_see(rg_quantizer *z, const rg_seen *s, int64_t at);
/* All rows are there: they are sorted by expert. */
void rg_routed_sort(rg_quantizer *z);
int64_t rg_routed_tokens(const rg_quantizer *z, int expert);
rg_moments *rg_routed_input(rg_quantizer *z, rg_site linear, int expert);
/* What experts read, divided by scales of its columns: behind ffn_norm; before an expert's ffn_down. */
void rg_routed_rescale(rg_quantizer *z, rg_site linear, int expert, const float *s);

/* quantize_awq.c: chooses AWQ's scales for the layer and folds them into z->w. */
rg_status rg_awq_fold_layer(rg_quantizer *z, int layer, rg_err *err);

#endif
