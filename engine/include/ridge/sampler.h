/* Choosing the next token. Filters in this order: repeat penalty, top-k, top-p, min-p, temperature, draw.
 * Temperature 0 is greedy: the largest logit, the lower id on ties, after the repeat penalty. */
#ifndef RIDGE_SAMPLER_H
#define RIDGE_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rg_sampler_opts {
    float temp;           /* 0: greedy */
    int32_t top_k;        /* 0: off */
    float top_p;          /* 1: off */
    float min_p;          /* 0: off */
    float repeat_penalty; /* 1: off */
    int32_t repeat_last;  /* tokens looked back at */
    uint64_t seed;
} rg_sampler_opts;

typedef struct rg_sampler rg_sampler;

rg_status rg_sampler_open(rg_sampler **out, const rg_sampler_opts *opts, int64_t vocab, rg_err *err);
void rg_sampler_close(rg_sampler *s); /* legal on NULL */
/* Tells the sampler of a token (prompt tokens too), for the repeat penalty. */
void rg_sampler_accept(rg_sampler *s, int32_t token);
/* The next token; not yet accepted. logits[vocab] are not changed. -1 if they are not finite. */
int32_t rg_sampler_next(rg_sampler *s, const float *logits);

#endif
