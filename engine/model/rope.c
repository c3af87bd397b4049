/* Frequencies of RoPE, and the tables of cosines and sines. */
#include <math.h>

#include "base/num.h"
#include "model/session.h"

/* The pair that turns so often within the original context, as a fraction of all. */
static double pair_of(const rg_config *c, double turns)
{
    return (double)rg_rope_dim(c) * log((double)c->rope_orig_ctx / (turns * 2.0 * M_PI)) /
        (2.0 * log(c->rope_theta));
}

/* YaRN (Peng et al., 2023): pairs that turn often are kept, those that turn rarely are slowed by the factor,
 * with a ramp in between. */
static double yarn(const rg_config *c, int64_t i, double f)
{
    const double last = (double)rg_rope_dim(c) - 1.0;
    double lo = pair_of(c, c->rope_beta_fast), hi = pair_of(c, c->rope_beta_slow);
    if (!c->rope_exact_ends) lo = floor(lo), hi = ceil(hi);
    lo = fmax(lo, 0.0);
    hi = fmin(hi, last);
    if (lo == hi) hi += 0.001;
    const double slow = fmin(1.0, fmax(0.0, ((double)i - lo) / (hi - lo)));
    return f * (1.0 - slow) + f / c->rope_factor * slow;
}

static double scaled(const rg_config *c, int64_t i, double f)
{
    switch (c->rope_scaling) {
    case RG_ROPE_LINEAR:
        return f / c->rope_factor;
    case RG_ROPE_LLAMA3:
        return rg_rope_llama3(c, f);
    case RG_ROPE_YARN:
        return yarn(c, i, f);
    case RG_ROPE_NONE:
    case RG_ROPE_LONGROPE: /* divisors */
        break;
    }
    return f;
}

/* A pair's column of a table. */
static void fill(float *cs, int64_t i, int64_t rot, int64_t ctx, double f, double magnitude)
{
    for (int64_t p = 0; p < ctx; p++) {
        cs[p * rot + i] = (float)(magnitude * cos((double)p * f));
        cs[p * rot + rot / 2 + i] = (float)(magnitude * sin((double)p * f));
    }
}

/* Queries grow with the position, in steps of the original context. */
static void warm(const rg_acts *a, const rg_config *c, int64_t ctx)
{
    const int64_t rot = rg_rope_dim(c);
    for (int64_t p = 0; p < ctx; p++) {
        const int64_t steps = p / c->rope_orig_ctx;
        const double by = 1.0 + c->q_temp * log(1.0 + (double)steps);
        for (int64_t i = p * rot; i < (p + 1) * rot; i++) a->cs_q[i] = (float)(by * (double)a->cs[i]);
    }
}

void rg_rope_tables(const rg_acts *a, const rg_model *m, int64_t ctx)
{
    const rg_config *c = &m->cfg;
    const int64_t rot = rg_rope_dim(c);
    const float *divisor =
        c->rope_scaling == RG_ROPE_LONGROPE && ctx > c->rope_orig_ctx ? m->rope_long : m->rope_freqs;
    const double magnitude = c->rope_magnitude > 0.0 ? c->rope_magnitude : 1.0;
    for (int64_t i = 0; i < rot / 2; i++) {
        const double power = -2.0 * (double)i / (double)rot, f = scaled(c, i, pow(c->rope_theta, power));
        fill(a->cs, i, rot, ctx, divisor ? f / (double)divisor[i] : f, magnitude);
        if (a->cs_local) fill(a->cs_local, i, rot, ctx, pow(c->rope_local, power), 1.0);
    }
    if (a->cs_q) warm(a, c, ctx);
}
