/* Scoring: how much a model is surprised by the tokens of a text (negative log-likelihood, perplexity), and
 * how far its distribution is from a reference model's (Kullback-Leibler divergence). Logits in, float64
 * inside. The statistics are those of llama.cpp's perplexity tool.
 *
 * Standard errors take the scored tokens as independent draws, as is the custom; tokens of one text are not
 * quite. */
#ifndef RIDGE_SCORE_H
#define RIDGE_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Mean and spread of a stream of numbers (Welford's recurrence). */
typedef struct rg_mean {
    int64_t n;
    double mean, m2; /* m2: sum of squared distances from the mean */
} rg_mean;

void rg_mean_add(rg_mean *m, double x);
/* Standard error of the mean; NAN below two numbers. */
double rg_mean_error(const rg_mean *m);

/* log(sum(exp(logit))), float64; not finite if a logit is NaN or +infinity. */
/* Index of the largest logit, the first of equals. */
int64_t rg_largest_logit(const float *logits, int64_t vocab);
double rg_log_sum_exp(const float *logits, int64_t vocab);

/* Sums over the scored tokens. Zeroed to begin with. */
typedef struct rg_score {
    int64_t n;
    rg_mean nll; /* -log p(token), nats */
    /* with a reference; diff = nll - ref_nll, dp = p - p_ref of the token, dp2 its square */
    rg_mean ref_nll, diff, kld, dp, dp2;
    /* sum of products of distances of nll and ref_nll from their means */
    double cov;
    int64_t same_top;          /* tokens whose most likely token is the reference's */
    float *each_kld, *each_dp; /* [cap], n filled, for the percentiles; owns */
    size_t cap;
} rg_score;

/* One scored token: logits[vocab] of the model, ref[vocab] of the reference or NULL (the same choice in every
 * call). RG_E_INTERNAL if the token's likelihood is not finite; RG_E_NOMEM. */
rg_status rg_score_add(
    rg_score *s, const float *logits, const float *ref, int64_t vocab, int32_t token, rg_err *err);
void rg_score_close(rg_score *s); /* legal on a zeroed struct */

/* Percentiles in the order of rg_score_levels. */
enum { RG_SCORE_LEVELS = 11 };
/* 0 (minimum), 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 (maximum) */
extern const double rg_score_levels[RG_SCORE_LEVELS];

typedef struct rg_spread {
    double mean, error;
    double at[RG_SCORE_LEVELS];
} rg_spread;

/* What a score says. Everything from `reference` on is NAN without one; errors are NAN below two tokens. */
typedef struct rg_score_stats {
    int64_t n;
    double nll, nll_error; /* nats per token */
    double ppl, ppl_error; /* exp(nll); error by linear propagation */
    bool reference;
    double ref_ppl, ref_ppl_error;
    double ln_ratio, ln_ratio_error; /* mean of nll - ref_nll = ln(PPL / PPL_ref) */
    double ppl_ratio, ppl_ratio_error;
    double ppl_diff, ppl_diff_error; /* PPL - PPL_ref, with the covariance of the two */
    double correlation;              /* of ln(PPL) and ln(PPL_ref) over tokens */
    rg_spread kld;                   /* KL(reference || model), nats */
    rg_spread dp;                    /* p(token) - p_ref(token), a difference of probabilities */
    double rms_dp, rms_dp_error;
    double same_top, same_top_error; /* share of tokens, 0 to 1 */
} rg_score_stats;

/* Sorts copies of the streams: RG_E_NOMEM possible, RG_E_USAGE if nothing was scored. */
rg_status rg_score_summary(rg_score_stats *out, const rg_score *s, rg_err *err);

#endif
