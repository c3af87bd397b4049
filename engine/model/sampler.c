/* The sampler. Large vocabularies are read once, in blocks whose maxima are kept; only blocks that can hold
 * candidates are looked into again. Candidates are put in order only where a filter or the draw needs it. */
#include "ridge/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/num.h"
#include "kernels/kernels.h"

typedef struct candidate {
    int32_t id;
    float logit;
    float p;
} candidate;

static const candidate behind_all = {.id = INT32_MAX, .logit = -INFINITY};

enum { BLOCK = 64, LANES = 16 };

struct rg_sampler {
    rg_sampler_opts o;
    int64_t vocab;
    int64_t blocks;
    candidate *c;  /* [vocab] */
    float *logits; /* [vocab] after the penalty */
    float *most;   /* [blocks] the largest logits */
    double *upto;  /* [blocks] sums of bounds (draw_of_all) */
    int32_t *last; /* ring of repeat_last tokens */
    int32_t n_last, at;
    uint64_t rng;
    rg_softmax_fn *softmax;
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
        s->blocks = rg_div_up(vocab, BLOCK);
        s->most = malloc((size_t)s->blocks * sizeof *s->most);
        s->upto = malloc((size_t)s->blocks * sizeof *s->upto);
        s->c = malloc((size_t)vocab * sizeof *s->c);
        s->logits = malloc((size_t)vocab * sizeof *s->logits);
        s->last = malloc(((size_t)o->repeat_last + 1) * sizeof *s->last);
        s->rng = o->seed * 0x9e3779b97f4a7c15u + 0x1234567u;
        rg_ktab k;
        rg_kernels_select(&k, rg_isa_best(), false);
        s->softmax = k.softmax;
    }
    if (!s || !s->c || !s->logits || !s->most || !s->upto || !s->last) {
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
    free(s->most);
    free(s->upto);
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
static const float *penalised(rg_sampler *s, const float *logits)
{
    if (s->o.repeat_penalty == 1.0f || s->n_last == 0) return logits;
    memcpy(s->logits, logits, (size_t)s->vocab * sizeof *logits);
    for (int32_t i = 0; i < s->n_last; i++) {
        const int32_t t = s->last[i];
        if (t < 0 || t >= s->vocab) continue;
        const float l = logits[t] > 0.0f ? logits[t] / s->o.repeat_penalty : logits[t] * s->o.repeat_penalty;
        s->logits[t] = isfinite(logits[t]) ? fmaxf(-FLT_MAX, fminf(l, FLT_MAX)) : logits[t];
    }
    return s->logits;
}

/* The largest of a block; *nan becomes true if one is not a number. Loops as vectorisers like them. */
static float most_of(const float *l, int64_t n, bool *nan)
{
    float m[LANES];
    uint32_t odd = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) odd |= (rg_f32_bits(l[i]) & 0x7fffffffu) > 0x7f800000u;
    for (int i = 0; i < LANES; i++) m[i] = -INFINITY;
    for (; at + LANES <= n; at += LANES)
        for (int i = 0; i < LANES; i++) m[i] = l[at + i] > m[i] ? l[at + i] : m[i];
    for (int i = 0; at < n; at++, i++) m[i] = l[at] > m[i] ? l[at] : m[i];
    for (int i = 1; i < LANES; i++) m[0] = m[i] > m[0] ? m[i] : m[0];
    *nan = *nan || odd;
    return m[0];
}

/* The first of the largest logits, -1 if they are not finite; and the maxima of the blocks. */
static int32_t best_token(rg_sampler *s, const float *l)
{
    bool nan = false;
    int64_t best = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
        s->most[b] = most_of(l + b * BLOCK, rg_min(BLOCK, s->vocab - b * BLOCK), &nan);
        if (s->most[b] > s->most[best]) best = b;
    }
    if (nan || !isfinite(s->most[best])) return -1;
    int64_t i = best * BLOCK;
    while (l[i] != s->most[best]) i++;
    return (int32_t)i;
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

/* Tokens within `from` (at most 0) of the best logit; of a `want` above 0 the best `want` at least. In the
 * order of their ids. */
static int64_t gather(rg_sampler *s, const float *l, float best, float from, int64_t want)
{
    float least = -INFINITY;
    if (want > 0 && want < s->blocks) { /* so many blocks hold such a logit */
        for (int64_t b = 0; b < s->blocks; b++) s->c[b] = (candidate){.id = (int32_t)b, .logit = s->most[b]};
        keep_best(s->c, s->blocks, want);
        least = s->c[0].logit;
    }
    int64_t n = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
        if (s->most[b] < least || s->most[b] - best < from) continue;
        for (int64_t i = b * BLOCK; i < rg_min((b + 1) * BLOCK, s->vocab); i++)
            if (l[i] >= least && l[i] - best >= from) s->c[n++] = (candidate){(int32_t)i, l[i], 0.0f};
    }
    return n;
}

/* Does token i stand before x? Of equal ones those with lower ids do. */
static bool is_before(const float *l, int64_t i, candidate x)
{
    return l[i] > x.logit || (l[i] == x.logit && i < x.id);
}

/* What the tokens weigh that stand before x: sums of exp of their distances from the best. Blocks without any
 * are left out. */
static double mass(const rg_sampler *s, const float *l, float best, candidate x)
{
    enum { PART = 16 * BLOCK };
    float d[PART], max, sum;
    int64_t n = 0;
    int32_t ties = 0;
    double all = 0.0;
    for (int64_t b = 0; b < s->blocks; b++) {
        if (s->most[b] >= x.logit) {
            const float *at = l + b * BLOCK;
            const int64_t m = rg_min(BLOCK, s->vocab - b * BLOCK), tied = rg_min(m, x.id - b * BLOCK);
            for (int64_t i = 0; i < m; i++) {
                const float far = at[i] > x.logit ? at[i] - best : -88.0f;
                d[n + i] = far > -88.0f ? far : -88.0f; /* nothing, and no infinity */
            }
            for (int64_t i = 0; i < tied; i++) ties += at[i] == x.logit;
            n += m;
        }
        if (n == 0 || (n <= PART - BLOCK && b + 1 < s->blocks)) continue;
        s->softmax(d, n, n, &max, &sum);
        all += (double)sum * exp((double)max);
        n = 0;
    }
    return all + (double)ties * exp((double)(x.logit - best));
}

static double weigh(candidate *c, int64_t n, float best, float inv)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)(c[i].p = expf((c[i].logit - best) * inv));
    return sum;
}

/* The candidate with which weights, added from the best on, exceed u. Better ones are put before it, and it
 * is the last if none does. */
static int64_t reach(candidate *c, int64_t n, double u)
{
    enum { FEW = 64 };
    int64_t lo = 0, hi = n; /* it is in here */
    while (hi - lo > FEW) {
        const int64_t mid = lo + (hi - lo) / 2;
        candidate t[3] = {c[lo], c[mid], c[hi - 1]};
        qsort(t, 3, sizeof *t, by_logit);
        double sum = 0.0;
        int64_t at = lo; /* the better ones end here */
        for (int64_t i = lo; i < hi; i++) {
            const candidate x = c[i];
            if (by_logit(&x, &t[1]) > 0) continue;
            c[i] = c[at];
            c[at++] = x;
            sum += (double)x.p;
        }
        if (u >= sum) { /* the worst of the three is behind it */
            u -= sum;
            lo = at;
        } else {
            hi = at;
        }
    }
    qsort(c + lo, (size_t)(hi - lo), sizeof *c, by_logit);
    for (int64_t i = lo; i < hi; i++) {
        u -= (double)c[i].p;
        if (u < 0.0) return i;
    }
    return hi - 1;
}

/* Rejection: a block by what it weighs at most, its largest weight for each of its tokens; then a token of
 * it, taken with its weight over that largest. So tokens are drawn by their weights, after at most BLOCK
 * trials on average, and only largest weights are computed. Those from x on are rejected too. */
static candidate draw_better(rg_sampler *s, const float *l, float best, float inv, candidate x)
{
    double sum = 0.0;
    for (int64_t b = 0; b < s->blocks; b++)
        s->upto[b] = sum += s->most[b] >= x.logit ? (double)expf((s->most[b] - best) * inv) : 0.0;
    for (;;) {
        const double u = uniform(s) * sum;
        int64_t b = 0;
        for (int64_t n = s->blocks; n > 0;) { /* the first block that ends above u */
            const int64_t half = n / 2;
            const bool below = !(s->upto[b + half] > u);
            b = below ? b + half + 1 : b;
            n = below ? n - half - 1 : half;
        }
        if (b >= s->blocks) continue; /* u was rounded to the sum */
        const int64_t i = b * BLOCK + (int64_t)(uniform(s) * BLOCK);
        if (i < s->vocab && is_before(l, i, x) && uniform(s) < (double)expf((l[i] - s->most[b]) * inv))
            return (candidate){(int32_t)i, l[i], 0.0f};
    }
}

/* One of all tokens, or of the nucleus: those with less than top-p in front of them. One that is drawn from
 * behind it is the new end of what is drawn from, so the nucleus is never put in order. */
static int32_t draw_of_all(rg_sampler *s, const float *l, int32_t top, float inv)
{
    const bool nucleus = s->o.top_p < 1.0f;
    const float best = l[top];
    const double most = nucleus ? (double)s->o.top_p * mass(s, l, best, behind_all) : 0.0;
    candidate x = behind_all;
    do x = draw_better(s, l, best, inv, x);
    while (nucleus && x.id != top && mass(s, l, best, x) >= most);
    return x.id;
}

int32_t rg_sampler_next(rg_sampler *s, const float *logits)
{
    const rg_sampler_opts *o = &s->o;
    const float *l = penalised(s, logits);
    const int32_t top = best_token(s, l);
    if (o->temp == 0.0f || top < 0) return top;

    /* a smaller temperature has no reciprocal: 0 times infinity; exp(-50) of the best is below any draw */
    const float inv = 1.0f / fmaxf(o->temp, FLT_MIN), best = l[top], least = -50.0f * fmaxf(o->temp, 1.0f),
                cut = o->min_p > 0.0f ? logf(o->min_p) : -INFINITY;
    if (o->top_k == 0 && o->min_p == 0.0f) return draw_of_all(s, l, top, inv);
    const double draw = uniform(s);
    const bool nucleus = o->top_p < 1.0f;
    int64_t n = gather(s, l, best, o->top_k > 0 ? least : fmaxf(least, cut), o->top_k);
    n = keep_best(s->c, n, o->top_k);

    /* weights of top-p are at temperature 1; min-p may come before it, if that knows the mass of all */
    double all = 0.0;
    if (nucleus) all = o->top_k > 0 ? weigh(s->c, n, best, 1.0f) : mass(s, l, best, behind_all);
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        if (s->c[i].logit - best >= cut) s->c[m++] = s->c[i];
    n = m;
    if (nucleus) {
        weigh(s->c, n, best, 1.0f);
        n = reach(s->c, n, nextafter((double)o->top_p * all, 0.0)) + 1;
    }
    const double kept = weigh(s->c, n, best, inv);
    return s->c[reach(s->c, n, draw * kept)].id;
}
