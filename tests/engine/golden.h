/* Trained checkpoints against stored references: logits in absolute terms, and perplexity over windows. */
#ifndef RG_GOLDEN_H
#define RG_GOLDEN_H

#include "engine_fixture.h"

/* Largest |logit - reference| over all rows; tokens are the inputs, ref is [n][vocab]. */
double worst_logit(rg_engine *e, rg_session_opts so, const int32_t *token, int64_t n, const float *ref);

/* Mean negative log likelihood of the first `windows` windows of 256 tokens, each behind BOS, all 256 scored.
 * each: [windows * 256] the likelihoods themselves, or NULL. */
double mean_nll(
    rg_engine *e, rg_session_opts so, const int32_t *token, int64_t windows, int32_t bos, double *each);

enum { WINDOW = 256 };

#endif
