/* The mathematics of quantisation: rows to codes (round to nearest, clip search), AWQ's activation-aware
 * scales, GPTQ's error compensation. Pure functions on rows [r0, r1): no threads, no errors, no allocation
 * but in rg_factor.
 *
 * A calibration is the second moments of a matrix's inputs: H = mean(x x^T), [k][ld] by rows, symmetric, ld a
 * multiple of 32, 64-byte aligned. A change d = w' - w of a weight row makes a mean error of d H d^T in the
 * output. */
#ifndef RG_QUANT_H
#define RG_QUANT_H

#include <stdbool.h>

#include "base/qtensor.h"
#include "kernels/kernels.h"

/* rows worked on together; columns between two updates of the rest (GPTQ) */
enum { RG_Q_TILE = 32, RG_Q_BLOCK = 128 };

/* What rounding did to rows; sums may be added up. */
typedef struct rg_qstats {
    double err2, w2;    /* squared rounding error and squared weights */
    int64_t n, clipped; /* weights, and those beyond the ends of their grid */
} rg_qstats;

/* One group of weights to codes, scale and offset. search: the grid of least squared error among a few dozen
 * (rg_pack's, bit for bit, for all kinds but ZERO4); else the grid that spans the weights. */
void rg_q_group(const rg_ktab *t, rg_qspec spec, bool search, uint8_t *code, uint16_t *scale,
    uint16_t *offset, const float *w);
/* The code nearest to w. *clipped (may be NULL) counts weights beyond the grid. */
uint8_t rg_q_round(rg_qkind kind, float w, uint16_t scale, uint16_t offset, int64_t *clipped);
/* Rows of w[rows][cols] to q, each group by itself. replace: w becomes what the codes say. */
void rg_q_rows(const rg_ktab *t, bool search, rg_qtensor *q, float *w, bool replace, int64_t r0, int64_t r1,
    rg_qstats *stats);
/* One row back to weights. */
void rg_q_row_f32(const rg_qtensor *q, int64_t row, float *dst);

/* H += X^T X on rows [r0, r1) of H. xt: X transposed, [k][m]. x: [m][ldx], aligned like H. */
void rg_moments_add(const rg_ktab *t, float *h, int64_t ld, const float *xt, const float *x, int64_t ldx,
    int64_t m, int64_t k, int64_t r0, int64_t r1);
/* Sum of d H d^T over d[rows][k]. tmp: [RG_Q_TILE][ld]. */
double rg_moments_error(
    const rg_ktab *t, const float *d, int64_t rows, int64_t k, const float *h, int64_t ld, float *tmp);

/* ---- AWQ ---- */

/* Scales for one exponent: (mean |x|)^alpha, with weight_abs over (mean |w|)^(1 - alpha), normalised so that
 * the extremes lie around 1. mean_abs, weight_abs (may be NULL), s: [k]. */
void rg_awq_scales(float *s, const double *mean_abs, const double *weight_abs, int64_t k, double alpha);
/* Error of at most RG_Q_TILE rows under scales s: w s quantised, divided by s, weighed by H. d, tmp:
 * [RG_Q_TILE][ld]. code: [k] of scratch, grid: [2 k / group]. */
double rg_awq_error(const rg_ktab *t, rg_qspec spec, const float *w, int64_t rows, int64_t k, const float *s,
    const float *h, int64_t ld, float *d, float *tmp, uint8_t *code, uint16_t *grid);

/* ---- GPTQ ---- */

bool rg_factor_available(
    void); /* LAPACK is there; asked for before the first rg_factor, outside parallel regions */
/* h in place: from moments to the upper triangle U with U^T U = (H + damp mean(diag H) I)^-1. A channel that
 * is always zero counts as independent. *used: the damping it took. False: H is not positive definite even
 * with a hundred times the damping. */
bool rg_factor(float *h, int64_t ld, int64_t k, double damp, double *used);
/* Rows of w to q by columns; each column's error moves to those still to come. w becomes what the codes say.
 * rest: scratch [RG_Q_TILE][RG_Q_BLOCK], 64-byte aligned. */
void rg_gptq_rows(const rg_ktab *t, rg_qtensor *q, float *w, const float *u, int64_t ld, float *rest,
    int64_t r0, int64_t r1, rg_qstats *stats);

#endif
