/* From a 16- or 32-bit checkpoint to 4- or 8-bit codes, layer by layer: round to nearest, clip search, AWQ,
 * GPTQ. Tensors come out one by one through a callback, in the order of the model, so that memory holds about
 * one matrix beyond the mapped file; with a calibration text about two layers, the hidden states of its
 * tokens, what experts read of them, and the second moments of one layer's inputs. Writers:
 * weights/export.h. */
#ifndef RIDGE_QUANTIZE_H
#define RIDGE_QUANTIZE_H

#include "base/qtensor.h"
#include "ridge/engine.h"

/* RTN: the grid of a group spans its weights.  MSE: the grid that minimises the squared error of the group,
 * as --dtype does at load. AWQ: channels are scaled by a power of their mean activation before that, the
 * power chosen per group of matrices by the error of their outputs; the scales are folded into the norm (q k
 * v, gate up), the rows of v (output; shared by the query heads of a KV head) and of up (down), so the model
 * computes the same function and pays nothing at run time; in front of a router scales are powers of two, so
 * that it chooses as before, bit for bit. GPTQ: columns are rounded in order, each error
 * carried over to the columns still free, under the second moments of the inputs. An expert's inputs
 * are those of the tokens
 * that chose it; one that no token chose is quantised as by MSE. */
typedef enum rg_quant_method {
    RG_QUANT_RTN,
    RG_QUANT_MSE,
    RG_QUANT_AWQ,
    RG_QUANT_GPTQ,
    RG_QUANT_METHODS
} rg_quant_method;
extern const char *const rg_quant_methods[RG_QUANT_METHODS + 1]; /* "rtn", ..., NULL */

/* Experts that fewer tokens of the calibration chose are named: so few say little about inputs. */
enum { RG_QUANT_FEW_TOKENS = 128 };

typedef struct rg_quantize_opts {
    rg_quant_method method;
    rg_qspec spec;
    /* the output matrix too; of tied models the embedding, unless `untie` */
    bool head;
    /* a quantised output matrix of a tied model is a tensor of its own, the embedding stays */
    bool untie;
    bool (*keep)(void *user, rg_site site, int layer); /* NULL, or linear weights to leave as they are */
    void *keep_user;
    /* how norms will be stored: folded scales are chosen so that rounding to it costs nothing */
    rg_ftype norm_type;
    const int32_t *calib; /* AWQ, GPTQ: windows of token ids, [n_windows][window]; borrowed */
    int64_t n_windows, window;
    double damp; /* GPTQ: share of the mean diagonal added to it; 0: 0.01 */
    /* threads, pinning, instruction set, progress and stop; its types are not looked at */
    rg_engine_opts engine;
} rg_quantize_opts;

/* One finished tensor, borrowed until the callback returns. q or f32 is set (f32 [rows][cols], for norms and
 * kept weights that AWQ may have changed), or neither: then it is as in the checkpoint. */
typedef struct rg_quantized {
    rg_site site;
    int layer;  /* -1 outside layers */
    int expert; /* which of the matrices of a site; 0 where it has one */
    int64_t rows, cols;
    const rg_qtensor *q;
    const float *f32;
    const char *why; /* a linear weight that is not quantised: the reason; else NULL; static */
    /* sqrt(sum (w' - w)^2 / sum w^2), NAN where not quantised; AWQ: of the scaled weights */
    double rel_error;
    /* with a calibration: the same of the outputs on the calibration's activations; else NAN */
    double out_error;
    int64_t tokens; /* of the calibration that chose this expert; -1: all, or there is none */
    double clipped; /* share of weights beyond the ends of their grid; NAN where not quantised */
} rg_quantized;
typedef rg_status rg_quantized_fn(void *user, const rg_quantized *t, rg_err *err);

/* Tensors that will come, in order (experts of a site in a row): linear weights with quantised set or the
 * reason why not. */
typedef struct rg_quantize_plan {
    rg_site site;
    int layer, expert;
    int64_t rows, cols;
    bool quantised;
    const char *why;
} rg_quantize_plan;
/* *plan is malloc'ed, the caller frees. RG_E_UNSUPPORTED for sources that are quantised already. */
rg_status rg_quantize_plan_make(
    rg_quantize_plan **plan, size_t *n, const rg_ckpt *c, const rg_quantize_opts *o, rg_err *err);

rg_status rg_quantize(
    const rg_ckpt *c, const rg_quantize_opts *o, rg_quantized_fn *fn, void *user, rg_err *err);

#endif
