/* Running means, log-sum-exp and quantiles of scores. */
#include "ridge/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

const double rg_score_levels[RG_SCORE_LEVELS] = {
    0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0};

void rg_mean_add(rg_mean *m, double x)
{
    const double d = x - m->mean;
    m->n++;
    m->mean += d / (double)m->n;
    m->m2 += d * (x - m->mean);
}

double rg_mean_error(const rg_mean *m)
{
    return m->n < 2 ? NAN : sqrt(m->m2 / (double)(m->n - 1) / (double)m->n);
}

int64_t rg_largest_logit(const float *l, int64_t vocab)
{
    int64_t best = 0;
    for (int64_t i = 1; i < vocab; i++)
        if (l[i] > l[best]) best = i;
    return best;
}

/* Four sums keep four exponentials in flight. */
static double log_sum(const float *l, int64_t vocab, double max)
{
    double s[4] = {0.0};
    for (int64_t i = 0; i < vocab; i++) s[i & 3] += exp((double)l[i] - max);
    return max + log((s[0] + s[1]) + (s[2] + s[3]));
}

double rg_log_sum_exp(const float *logits, int64_t vocab)
{
    return log_sum(logits, vocab, (double)logits[rg_largest_logit(logits, vocab)]);
}

static rg_status grow(rg_score *s, rg_err *err)
{
    if ((size_t)s->n < s->cap) return RG_OK;
    const size_t cap = s->cap ? 2 * s->cap : 4096;
    float *k = realloc(s->each_kld, cap * sizeof *k);
    if (k) s->each_kld = k;
    float *d = realloc(s->each_dp, cap * sizeof *d);
    if (d) s->each_dp = d;
    if (!k || !d) return rg_fail(err, RG_E_NOMEM, "scores: out of memory after %lld tokens", (long long)s->n);
    s->cap = cap;
    return RG_OK;
}

rg_status rg_score_add(
    rg_score *s, const float *logits, const float *ref, int64_t vocab, int32_t token, rg_err *err)
{
    const int64_t top = rg_largest_logit(logits, vocab);
    const double lse = log_sum(logits, vocab, (double)logits[top]), nll = lse - (double)logits[token];
    if (!isfinite(nll))
        return rg_fail(
            err, RG_E_INTERNAL, "score: the logits after scored token %lld are not finite", (long long)s->n);
    if (ref) {
        const int64_t ref_top = rg_largest_logit(ref, vocab);
        const double ref_lse = log_sum(ref, vocab, (double)ref[ref_top]),
                     ref_nll = ref_lse - (double)ref[token];
        if (!isfinite(ref_nll))
            return rg_fail(err, RG_E_INTERNAL,
                "score: the reference's logits after scored token %lld are not finite", (long long)s->n);
        const rg_status st = grow(s, err);
        if (st) return st;
        double kld = 0.0;
        for (int64_t i = 0; i < vocab; i++) {
            const double lp = (double)ref[i] - ref_lse;
            /* the rest is below 1e-20 of the probability */
            if (lp > -50.0) kld += exp(lp) * (lp - ((double)logits[i] - lse));
        }
        if (kld < 0.0) kld = 0.0; /* rounding; it cannot be negative */
        const double dp = exp(-nll) - exp(-ref_nll), before = nll - s->nll.mean;
        rg_mean_add(&s->ref_nll, ref_nll);
        s->cov += before * (ref_nll - s->ref_nll.mean);
        rg_mean_add(&s->diff, nll - ref_nll);
        rg_mean_add(&s->kld, kld);
        rg_mean_add(&s->dp, dp);
        rg_mean_add(&s->dp2, dp * dp);
        s->same_top += top == ref_top;
        s->each_kld[s->n] = (float)kld;
        s->each_dp[s->n] = (float)dp;
    }
    rg_mean_add(&s->nll, nll);
    s->n++;
    return RG_OK;
}

void rg_score_close(rg_score *s)
{
    free(s->each_kld);
    free(s->each_dp);
    *s = (rg_score){0};
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Percentiles by linear interpolation between the sorted numbers. */
static void spread(rg_spread *out, float *sorted, const rg_mean *m)
{
    out->mean = m->mean;
    out->error = rg_mean_error(m);
    qsort(sorted, (size_t)m->n, sizeof *sorted, ascending);
    for (int i = 0; i < RG_SCORE_LEVELS; i++) {
        const double at = rg_score_levels[i] * (double)(m->n - 1);
        const int64_t lo = (int64_t)at, hi = rg_min(lo + 1, m->n - 1);
        const double f = at - (double)lo;
        out->at[i] = (1.0 - f) * (double)sorted[lo] + f * (double)sorted[hi];
    }
}

static void compare(rg_score_stats *o, const rg_score *s)
{
    const double n = (double)s->n, e = rg_mean_error(&s->nll), re = rg_mean_error(&s->ref_nll);
    const double cov = s->n < 2 ? NAN : s->cov / (n - 1.0) / n; /* of the two means */
    o->ref_ppl = exp(s->ref_nll.mean);
    o->ref_ppl_error = o->ref_ppl * re;
    o->ln_ratio = s->diff.mean;
    o->ln_ratio_error = rg_mean_error(&s->diff);
    o->ppl_ratio = exp(o->ln_ratio);
    o->ppl_ratio_error = o->ppl_ratio * o->ln_ratio_error;
    o->ppl_diff = o->ppl - o->ref_ppl;
    const double var =
        o->ppl_error * o->ppl_error + o->ref_ppl_error * o->ref_ppl_error - 2.0 * o->ppl * o->ref_ppl * cov;
    o->ppl_diff_error = sqrt(var < 0.0 ? 0.0 : var);
    o->correlation = cov / (e * re);
    o->rms_dp = sqrt(s->dp2.mean);
    o->rms_dp_error = o->rms_dp > 0.0 ? rg_mean_error(&s->dp2) / (2.0 * o->rms_dp) : 0.0;
    o->same_top = (double)s->same_top / n;
    o->same_top_error = s->n < 2 ? NAN : sqrt(o->same_top * (1.0 - o->same_top) / (n - 1.0));
}

rg_status rg_score_summary(rg_score_stats *out, const rg_score *s, rg_err *err)
{
    if (s->n == 0) return rg_fail(err, RG_E_USAGE, "score: no token was scored");
    *out = (rg_score_stats){
        .n = s->n, .nll = s->nll.mean, .nll_error = rg_mean_error(&s->nll), .reference = s->ref_nll.n > 0};
    out->ppl = exp(out->nll);
    out->ppl_error = out->ppl * out->nll_error;
    if (!out->reference) {
        out->ref_ppl = out->ref_ppl_error = out->ln_ratio = out->ln_ratio_error = out->ppl_ratio =
            out->ppl_ratio_error = NAN;
        out->ppl_diff = out->ppl_diff_error = out->correlation = out->rms_dp = out->rms_dp_error =
            out->same_top = out->same_top_error = NAN;
        out->kld.mean = out->kld.error = out->dp.mean = out->dp.error = NAN;
        for (int i = 0; i < RG_SCORE_LEVELS; i++) out->kld.at[i] = out->dp.at[i] = NAN;
        return RG_OK;
    }
    const size_t bytes = (size_t)s->n * sizeof(float);
    float *sorted = malloc(bytes);
    if (!sorted)
        return rg_fail(err, RG_E_NOMEM, "scores: out of memory to sort %lld tokens", (long long)s->n);
    memcpy(sorted, s->each_kld, bytes);
    spread(&out->kld, sorted, &s->kld);
    memcpy(sorted, s->each_dp, bytes);
    spread(&out->dp, sorted, &s->dp);
    free(sorted);
    compare(out, s);
    return RG_OK;
}
