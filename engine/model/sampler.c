/* The sampler: a heap keeps the best candidates, the filters narrow them. */
#include "ridge/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct candidate {
    int32_t id;
    float logit;
    float p;
} candidate;

struct rg_sampler {
    rg_sampler_opts o;
    int64_t vocab;
    candidate *c;  /* [vocab] */
    float *logits; /* [vocab] after the penalty */
    int32_t *last; /* ring of repeat_last tokens */
    int32_t n_last, at;
    uint64_t rng;
};

rg_status rg_sampler_open(rg_sampler **out, const rg_sampler_opts *o, int64_t vocab, rg_err *err)
{
    *out = NULL;
    if (!(o->temp >= 0.0f) || !isfinite(o->temp))
        return rg_fail(err, RG_E_USAGE, "--temp: %g, expected 0 or more", (double)o->temp);
    if (o->top_k < 0) return rg_fail(err, RG_E_USAGE, "--top-k: %d, expected 0 (off) or more", o->top_k);
    if (!(o->top_p > 0.0f && o->top_p <= 1.0f))
        return rg_fail(err, RG_E_USAGE, "--top-p: %g, expected more than 0 and at most 1", (double)o->top_p);
    if (!(o->min_p >= 0.0f && o->min_p <= 1.0f))
        return rg_fail(err, RG_E_USAGE, "--min-p: %g, expected 0 to 1", (double)o->min_p);
    if (!(o->repeat_penalty > 0.0f) || !isfinite(o->repeat_penalty))
        return rg_fail(err, RG_E_USAGE, "--repeat-penalty: %g, expected more than 0 (1 is off)",
            (double)o->repeat_penalty);
    if (o->repeat_last < 0 || o->repeat_last > 1 << 20)
        return rg_fail(err, RG_E_USAGE, "--repeat-last-n: %d, expected 0 to 1048576", o->repeat_last);
    rg_sampler *s = calloc(1, sizeof *s);
    if (s) {
        s->o = *o;
        s->vocab = vocab;
        s->c = malloc((size_t)vocab * sizeof *s->c);
        s->logits = malloc((size_t)vocab * sizeof *s->logits);
        s->last = malloc(((size_t)o->repeat_last + 1) * sizeof *s->last);
        s->rng = o->seed * 0x9e3779b97f4a7c15u + 0x1234567u;
    }
    if (!s || !s->c || !s->logits || !s->last) {
        rg_sampler_close(s);
        return rg_no_memory(err, "sampler");
    }
    *out = s;
    return RG_OK;
}

void rg_sampler_close(rg_sampler *s)
{
    if (!s) return;
    free(s->c);
    free(s->logits);
    free(s->last);
    free(s);
}

void rg_sampler_accept(rg_sampler *s, int32_t token)
{
    if (s->o.repeat_last == 0) return;
    s->last[s->at] = token;
    s->at = (s->at + 1) % s->o.repeat_last;
    if (s->n_last < s->o.repeat_last) s->n_last++;
}

/* splitmix64: 53 random bits in [0, 1). */
static double uniform(rg_sampler *s)
{
    uint64_t z = s->rng += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Once per distinct token: positive logits are divided, negative multiplied. */
static void penalise(rg_sampler *s, const float *logits)
{
    memcpy(s->logits, logits, (size_t)s->vocab * sizeof *logits);
    if (s->o.repeat_penalty == 1.0f) return;
    for (int32_t i = 0; i < s->n_last; i++) {
        const int32_t t = s->last[i];
        if (t < 0 || t >= s->vocab) continue;
        const float l = logits[t] > 0.0f ? logits[t] / s->o.repeat_penalty : logits[t] * s->o.repeat_penalty;
        s->logits[t] = isfinite(logits[t]) ? fmaxf(-FLT_MAX, fminf(l, FLT_MAX)) : logits[t];
    }
}

static int32_t argmax(const float *l, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        if (isnan(l[i])) return -1;
        if (l[i] > l[best]) best = i;
    }
    return isfinite(l[best]) ? (int32_t)best : -1;
}

static int by_logit(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static void sift(candidate *c, int64_t n, int64_t i)
{
    for (int64_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && by_logit(&c[k + 1], &c[k]) > 0) k++;
        if (by_logit(&c[i], &c[k]) >= 0) return;
        const candidate t = c[i];
        c[i] = c[k];
        c[k] = t;
    }
}

/* Moves the k best of n candidates to the front: a heap of k with the worst on top. */
static int64_t keep_best(candidate *c, int64_t n, int64_t k)
{
    if (k == 0 || n <= k) return n;
    for (int64_t i = k / 2; i-- > 0;) sift(c, k, i);
    for (int64_t i = k; i < n; i++) {
        if (by_logit(&c[i], &c[0]) > 0) continue;
        c[0] = c[i];
        sift(c, k, 0);
    }
    return k;
}

int32_t rg_sampler_next(rg_sampler *s, const float *logits)
{
    penalise(s, logits);
    const int32_t top = argmax(s->logits, s->vocab);
    if (s->o.temp == 0.0f || top < 0) return top;

    /* a smaller temperature has no reciprocal: 0 times infinity; exp(-50) of the best is below any draw */
    const float inv = 1.0f / fmaxf(s->o.temp, FLT_MIN), best = s->logits[top],
                least = -50.0f * fmaxf(s->o.temp, 1.0f);
    int64_t n = 0, m = 0;
    for (int64_t i = 0; i < s->vocab; i++)
        if (s->logits[i] - best >= least) s->c[n++] = (candidate){.id = (int32_t)i, .logit = s->logits[i]};
    n = keep_best(s->c, n, s->o.top_k);

    /* min-p may go before the sort as long as top-p knows the mass of all */
    const float cut = s->o.min_p > 0.0f ? logf(s->o.min_p) : -INFINITY;
    double all = 0.0, sum = 0.0, total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        if (s->o.top_p < 1.0f) all += exp((double)(s->c[i].logit - best));
        if (s->c[i].logit - best >= cut) s->c[m++] = s->c[i];
    }
    n = m;
    qsort(s->c, (size_t)n, sizeof *s->c, by_logit);
    if (s->o.top_p < 1.0f) { /* on probabilities at temperature 1, as the order of the filters says */
        int64_t keep = 0;
        while (keep < n && sum < (double)s->o.top_p * all) sum += exp((double)(s->c[keep++].logit - best));
        n = keep > 0 ? keep : 1;
    }
    for (int64_t i = 0; i < n; i++) total += (double)(s->c[i].p = expf((s->c[i].logit - best) * inv));
    double u = uniform(s) * total;
    for (int64_t i = 0; i < n; i++) {
        u -= (double)s->c[i].p;
        if (u < 0.0) return s->c[i].id;
    }
    return s->c[n - 1].id;
}
