/* The sampler: ties, filters in their order, the penalty, seeds, and the distribution that is drawn from. */
#include "testing.h"

#include "ridge/sampler.h"

enum { DRAWS = 4000 };

static const rg_sampler_opts plain = {
    .temp = 1.0f, .top_p = 1.0f, .repeat_penalty = 1.0f, .repeat_last = 64, .seed = 1};

static rg_sampler *sampler(rg_sampler_opts o, int64_t vocab)
{
    rg_sampler *s;
    rg_err err = {0};
    if (rg_sampler_open(&s, &o, vocab, &err) != RG_OK) fail_msg("%s", err.msg);
    return s;
}

/* Logits of given probabilities. */
static void logits_of(float *l, const double *p, int n)
{
    for (int i = 0; i < n; i++) l[i] = (float)log(p[i]) + 3.0f;
}

/* Which of the first n tokens are ever drawn, as bits. */
static unsigned drawn(rg_sampler_opts o, const float *l, int n)
{
    rg_sampler *s = sampler(o, n);
    unsigned seen = 0;
    for (int i = 0; i < DRAWS; i++) {
        const int32_t t = rg_sampler_next(s, l);
        assert_true(t >= 0 && t < n);
        seen |= 1u << t;
    }
    rg_sampler_close(s);
    return seen;
}

static const double five[5] = {0.06, 0.5, 0.1, 0.3, 0.04}; /* best first: 1, 3, 2, 0, 4 */

static void greedy(void **state)
{
    (void)state;
    rg_sampler_opts o = plain;
    o.temp = 0.0f;
    rg_sampler *s = sampler(o, 5);
    assert_int_equal(rg_sampler_next(s, (const float[]){1, 7, 3, 7, 7}), 1); /* the lower id on ties */
    assert_int_equal(rg_sampler_next(s, (const float[]){5, 5, 5, 5, 5}), 0);
    assert_int_equal(rg_sampler_next(s, (const float[]){-5, -4, -3, -2, -1}), 4);
    rg_sampler_close(s);
    o.top_k = 3, o.top_p = 0.1f, o.min_p = 0.9f; /* filters never drop the best */
    s = sampler(o, 5);
    assert_int_equal(rg_sampler_next(s, (const float[]){1, 7, 3, 7.5f, 7}), 3);
    rg_sampler_close(s);
    rg_sampler_close(NULL);
}

static void filters_cut(void **state)
{
    (void)state;
    static const struct {
        int top_k;
        float top_p, min_p, temp;
        unsigned want; /* bits of ids */
    } cases[] = {
        {0, 1.0f, 0.0f, 1.0f, 0x1f},
        {1, 1.0f, 0.0f, 1.0f, 0x02},
        {1, 1.0f, 0.0f, 50.0f, 0x02},
        {2, 1.0f, 0.0f, 1.0f, 0x0a},
        {4, 1.0f, 0.0f, 1.0f, 0x0f},
        {5, 1.0f, 0.0f, 1.0f, 0x1f},
        {99, 1.0f, 0.0f, 1.0f, 0x1f},
        {0, 0.45f, 0.0f, 1.0f, 0x02},
        {0, 0.75f, 0.0f, 1.0f, 0x0a},
        {0, 0.85f, 0.0f, 1.0f, 0x0e},
        {0, 0.95f, 0.0f, 1.0f, 0x0f},
        {0, 1e-6f, 0.0f, 1.0f, 0x02}, /* at least one is kept */
        {0, 1.0f, 0.5f, 1.0f, 0x0a},
        {0, 1.0f, 0.15f, 1.0f, 0x0e},
        {0, 1.0f, 1.0f, 1.0f, 0x02},
        /* top-k before top-p: of the two best, 0.5 is 62.5 % */
        {2, 0.6f, 0.0f, 1.0f, 0x02},
        {2, 0.65f, 0.0f, 1.0f, 0x0a},
        /* top-p before min-p: 0.85 of everything needs three tokens, though min-p alone would leave only 90
         * % */
        {0, 0.85f, 0.15f, 1.0f, 0x0e},
        {4, 0.85f, 0.15f, 1.0f, 0x0e},
        /* temperature comes last: it does not move the cuts */
        {0, 0.75f, 0.0f, 20.0f, 0x0a},
        {0, 1.0f, 0.5f, 20.0f, 0x0a},
        {0, 0.75f, 0.0f, 0.02f, 0x02},
    };
    float l[5];
    logits_of(l, five, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rg_sampler_opts o = plain;
        o.top_k = cases[i].top_k;
        o.top_p = cases[i].top_p;
        o.min_p = cases[i].min_p;
        o.temp = cases[i].temp;
        const unsigned got = drawn(o, l, 5);
        if (got != cases[i].want) fail_msg("case %zu: drew %#x, expected %#x", i, got, cases[i].want);
    }
}

/* Top-k of a large vocabulary against sorting; ties at the cut keep the lower ids. */
static void top_k_of_many(void **state)
{
    (void)state;
    enum { V = 3000 };
    static const int ks[] = {1, 2, 7, 40, 1000};
    float l[V];
    const uint64_t seed = 31;
    rg_rng r = {.s = seed};
    for (int i = 0; i < V; i++) l[i] = (float)rng_in(&r, 0, 50) * 0.01f; /* many ties */
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        rg_sampler_opts o = plain;
        o.top_k = ks[i];
        o.temp = 100.0f;
        rg_sampler *s = sampler(o, V);
        for (int d = 0; d < 500; d++) {
            const int32_t t = rg_sampler_next(s, l);
            int better = 0;
            for (int k = 0; k < V; k++) better += l[k] > l[t] || (l[k] == l[t] && k < t);
            if (better >= ks[i])
                fail_msg("seed %llu: top-k %d drew number %d", (unsigned long long)seed, ks[i], better + 1);
        }
        rg_sampler_close(s);
    }
}

/* ---- large vocabularies, which are read in blocks and not sorted, against sorting ---- */

typedef struct token {
    int32_t id;
    float logit;
} token;

static int by_logit(const void *a, const void *b)
{
    const token *x = a, *y = b;
    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return x->id < y->id ? -1 : 1;
}

/* What a sampler may draw, best first; their weights. */
static int candidates(token *t, double *w, const rg_sampler_opts *o, const float *l, int n)
{
    double all = 0.0, sum = 0.0;
    for (int i = 0; i < n; i++) t[i] = (token){i, l[i]};
    qsort(t, (size_t)n, sizeof *t, by_logit);
    const double best = (double)t[0].logit;
    if (o->top_k > 0 && o->top_k < n) n = o->top_k;
    for (int i = 0; i < n; i++) all += exp((double)t[i].logit - best);
    int keep = 0;
    while (keep < n && (keep == 0 || sum < (double)o->top_p * all) &&
        exp((double)t[keep].logit - best) >= (double)o->min_p)
        sum += exp((double)t[keep++].logit - best);
    for (int i = 0; i < keep; i++) w[i] = exp(((double)t[i].logit - best) / (double)o->temp);
    return keep;
}

/* A draw takes the first candidate with which the weights, added in order, exceed it. */
static void draws_in_order(
    const rg_sampler_opts *o, const float *l, const token *t, const double *w, int n, int v)
{
    rg_sampler *s = sampler(*o, v);
    uint64_t z0 = o->seed * 0x9e3779b97f4a7c15u + 0x1234567u;
    double total = 0.0;
    for (int k = 0; k < n; k++) total += w[k];
    for (int d = 0; d < 40; d++) {
        uint64_t z = z0 += 0x9e3779b97f4a7c15u; /* splitmix64 */
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        double u = (double)((z ^ (z >> 31)) >> 11) * 0x1p-53 * total;
        int k = 0;
        while (k < n - 1 && u >= w[k]) u -= w[k++];
        const int32_t got = rg_sampler_next(s, l);
        /* rounding may move a draw that is near a border to the neighbour */
        const bool near = u < 2e-6 * total || w[k] - u < 2e-6 * total;
        if (got != t[k].id && !(near && fabs((double)l[got] - (double)t[k].logit) < 0.1))
            fail_msg("top-k %d, top-p %g, draw %d: %d, expected %d (number %d of %d)", o->top_k,
                (double)o->top_p, d, got, t[k].id, k, n);
    }
    rg_sampler_close(s);
}

/* Draws of all or of the nucleus: none from behind it, and parts of equal weight get their share. */
static void follows(const rg_sampler_opts *o, const float *l, const token *t, const double *w, int n, int v)
{
    enum { PARTS = 8, DRAWN = 4000 };
    rg_sampler *s = sampler(*o, v);
    int *part = malloc((size_t)v * sizeof *part), count[PARTS] = {0};
    double total = 0.0, sum = 0.0, share[PARTS] = {0.0};
    for (int i = 0; i < v; i++) part[i] = -1;
    for (int k = 0; k < n; k++) total += w[k];
    for (int k = 0; k < n; k++) {
        part[t[k].id] = (int)fmin(PARTS - 1, PARTS * sum / total);
        share[part[t[k].id]] += w[k] / total;
        sum += w[k];
    }
    for (int d = 0; d < DRAWN; d++) {
        const int32_t got = rg_sampler_next(s, l);
        assert_true(got >= 0 && got < v);
        if (part[got] >= 0)
            count[part[got]]++;
        else if (n < v && l[got] < t[n].logit) /* rounding may move the end by one */
            fail_msg("top-p %g drew %d, behind number %d", (double)o->top_p, got, n);
    }
    for (int i = 0; i < PARTS; i++) {
        const double sd = sqrt(DRAWN * share[i] * (1.0 - share[i]));
        if (fabs(count[i] - DRAWN * share[i]) > 5.0 * sd + 1.0)
            fail_msg("top-p %g, temperature %g, part %d: %d draws, expected %.0f", (double)o->top_p,
                (double)o->temp, i, count[i], DRAWN * share[i]);
    }
    free(part);
    rg_sampler_close(s);
}

static void large_vocabularies(void **state)
{
    (void)state;
    enum { V = 70001 };
    static const rg_sampler_opts cases[] = {
        {.top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .temp = 0.8f},
        {.top_k = 3000, .top_p = 1.0f, .temp = 1.5f},
        {.top_p = 0.9f, .temp = 1.0f},
        {.top_p = 0.3f, .temp = 2.0f},
        {.top_p = 0.95f, .min_p = 0.02f, .temp = 1.0f},
        {.top_p = 1.0f, .min_p = 0.01f, .temp = 1.0f},
        {.top_p = 1.0f, .temp = 0.7f},
        {.top_p = 1.0f, .temp = 1.3f},
    };
    float *l = malloc(V * sizeof *l);
    token *t = malloc(V * sizeof *t);
    double *w = malloc(V * sizeof *w);
    rg_rng r = {.s = 77};
    for (int flat = 0; flat < 2; flat++) {
        /* ties too; and far above the others, a few */
        for (int i = 0; i < V; i++) l[i] = rintf(64.0f * 2.5f * rng_normal(&r)) / 64.0f;
        for (int i = 0; i < 20 && !flat; i++) l[rng_in(&r, 0, V - 1)] += 9.0f;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            rg_sampler_opts o = cases[i];
            o.repeat_penalty = 1.0f;
            o.seed = 7 + i;
            const int n = candidates(t, w, &o, l, V);
            if (o.top_k == 0 && o.min_p == 0.0f)
                follows(&o, l, t, w, n, V);
            else
                draws_in_order(&o, l, t, w, n, V);
        }
    }
    free(l), free(t), free(w);
}

static void penalty_once_per_token(void **state)
{
    (void)state;
    rg_sampler_opts o = plain;
    o.temp = 0.0f;
    o.repeat_penalty = 1.2f;
    rg_sampler *s = sampler(o, 3);
    const float l[] = {2.0f, 1.5f, -9.0f};
    assert_int_equal(rg_sampler_next(s, l), 0);
    for (int i = 0; i < 3; i++) rg_sampler_accept(s, 0);
    assert_int_equal(rg_sampler_next(s, l), 0); /* 2 / 1.2 is still the best; 2 / 1.2^3 would not be */
    const float close[] = {2.0f, 1.7f, -9.0f};
    assert_int_equal(rg_sampler_next(s, close), 1);
    const float negative[] = {-1.0f, -1.1f, -9.0f}; /* a penalty lowers negative logits too */
    assert_int_equal(rg_sampler_next(s, negative), 1);
    rg_sampler_close(s);

    o.repeat_last = 2; /* only the last two count */
    s = sampler(o, 3);
    rg_sampler_accept(s, 0);
    assert_int_equal(rg_sampler_next(s, close), 1);
    rg_sampler_accept(s, 2);
    assert_int_equal(rg_sampler_next(s, close), 1);
    rg_sampler_accept(s, 2);
    assert_int_equal(rg_sampler_next(s, close), 0);
    rg_sampler_accept(s, -1); /* not tokens: nothing happens */
    rg_sampler_accept(s, 77);
    assert_int_equal(rg_sampler_next(s, close), 0);
    rg_sampler_close(s);

    o.repeat_last = 0;
    s = sampler(o, 3);
    rg_sampler_accept(s, 0);
    assert_int_equal(rg_sampler_next(s, close), 0);
    rg_sampler_close(s);
}

static void seeds_repeat(void **state)
{
    (void)state;
    float l[64];
    rg_rng r = {.s = 5};
    for (int i = 0; i < 64; i++) l[i] = rng_normal(&r);
    float copy[64];
    memcpy(copy, l, sizeof l);
    rg_sampler_opts o = plain, p = plain;
    p.seed = 2;
    rg_sampler *a = sampler(o, 64), *b = sampler(o, 64), *c = sampler(p, 64);
    int same = 0;
    for (int i = 0; i < 200; i++) {
        const int32_t t = rg_sampler_next(a, l);
        assert_int_equal(rg_sampler_next(b, l), t);
        same += rg_sampler_next(c, l) == t;
    }
    assert_true(same < 60); /* another seed is another sequence */
    assert_memory_equal(l, copy, sizeof l);
    rg_sampler_close(a);
    rg_sampler_close(b);
    rg_sampler_close(c);
}

/* Frequencies within five standard deviations of the probabilities. */
static void draws_follow_the_distribution(void **state)
{
    (void)state;
    enum { N = 40000 };
    static const float temps[] = {1.0f, 0.5f, 3.0f};
    float l[5];
    logits_of(l, five, 5);
    for (size_t k = 0; k < sizeof temps / sizeof *temps; k++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            rg_sampler_opts o = plain;
            o.temp = temps[k];
            o.seed = seed;
            rg_sampler *s = sampler(o, 5);
            int count[5] = {0};
            for (int i = 0; i < N; i++) count[rg_sampler_next(s, l)]++;
            rg_sampler_close(s);
            double sum = 0.0;
            for (int i = 0; i < 5; i++) sum += pow(five[i], 1.0 / (double)temps[k]);
            for (int i = 0; i < 5; i++) {
                const double p = pow(five[i], 1.0 / (double)temps[k]) / sum;
                if (fabs(count[i] - N * p) > 5.0 * sqrt(N * p * (1.0 - p)))
                    fail_msg("seed %llu, temperature %g: token %d drawn %d times of %d, expected %.0f",
                        (unsigned long long)seed, (double)temps[k], i, count[i], N, N * p);
            }
        }
}

static void logits_must_be_finite(void **state)
{
    (void)state;
    static const float temps[] = {0.0f, 1.0f};
    for (int i = 0; i < 2; i++) {
        rg_sampler_opts o = plain;
        o.temp = temps[i];
        rg_sampler *s = sampler(o, 3);
        assert_int_equal(rg_sampler_next(s, (const float[]){NAN, NAN, NAN}), -1);
        assert_int_equal(rg_sampler_next(s, (const float[]){NAN, 1, 2}), -1);
        assert_int_equal(rg_sampler_next(s, (const float[]){1, NAN, 2}), -1);
        assert_int_equal(rg_sampler_next(s, (const float[]){1, INFINITY, 2}), -1);
        assert_int_equal(rg_sampler_next(s, (const float[]){-INFINITY, -INFINITY, -INFINITY}), -1);
        /* a masked token is no fault */
        assert_int_equal(rg_sampler_next(s, (const float[]){-INFINITY, -1, -INFINITY}), 1);
        assert_int_equal(rg_sampler_next(s, (const float[]){-3e38f, 3e38f, 0}), 1);
        rg_sampler_close(s);
    }
}

/* A temperature without a reciprocal is the limit: the best candidate, as with 0. A penalty as small leaves
 * no infinite logit. */
static void extremes_have_limits(void **state)
{
    (void)state;
    static const float temps[] = {1e-37f, 5e-39f, 1e-39f, 1e-42f, 1.4e-45f},
                       penalties[] = {1e-39f, 1e-45f, 3e38f};
    static const float l[5] = {-3.0f, 1.5f, -0.25f, 1.4999f, -7.0f};
    for (int top_k = 0; top_k < 3; top_k += 2)
        for (size_t i = 0; i < sizeof temps / sizeof *temps; i++) {
            rg_sampler_opts o = plain;
            o.temp = temps[i];
            o.top_k = top_k;
            assert_int_equal(drawn(o, l, 5), 1u << 1);
        }
    for (size_t i = 0; i < sizeof penalties / sizeof *penalties; i++)
        for (int hot = 0; hot < 2; hot++) {
            rg_sampler_opts o = plain;
            o.temp = hot ? 3e38f : 0.0f;
            o.repeat_penalty = penalties[i];
            rg_sampler *s = sampler(o, 5);
            for (int32_t t = 0; t < 5; t++) rg_sampler_accept(s, t);
            const int32_t next = rg_sampler_next(s, l);
            assert_true(next >= 0 && next < 5);
            rg_sampler_close(s);
        }
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    static const struct {
        rg_sampler_opts o;
        const char *says;
    } cases[] = {
        {{.temp = -0.1f, .top_p = 1, .repeat_penalty = 1}, "--temp"},
        {{.temp = NAN, .top_p = 1, .repeat_penalty = 1}, "--temp"},
        {{.temp = INFINITY, .top_p = 1, .repeat_penalty = 1}, "--temp"},
        {{.temp = 1, .top_k = -1, .top_p = 1, .repeat_penalty = 1}, "--top-k"},
        {{.temp = 1, .top_p = 0, .repeat_penalty = 1}, "--top-p"},
        {{.temp = 1, .top_p = 1.01f, .repeat_penalty = 1}, "--top-p"},
        {{.temp = 1, .top_p = NAN, .repeat_penalty = 1}, "--top-p"},
        {{.temp = 1, .top_p = 1, .min_p = -0.1f, .repeat_penalty = 1}, "--min-p"},
        {{.temp = 1, .top_p = 1, .min_p = 1.1f, .repeat_penalty = 1}, "--min-p"},
        {{.temp = 1, .top_p = 1, .repeat_penalty = 0}, "--repeat-penalty"},
        {{.temp = 1, .top_p = 1, .repeat_penalty = INFINITY}, "--repeat-penalty"},
        {{.temp = 1, .top_p = 1, .repeat_penalty = 1, .repeat_last = -1}, "--repeat-last-n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rg_sampler *s = (rg_sampler *)1;
        rg_err err = {0};
        assert_int_equal(rg_sampler_open(&s, &cases[i].o, 10, &err), RG_E_USAGE);
        assert_null(s);
        assert_non_null(strstr(err.msg, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy), cmocka_unit_test(filters_cut),
        cmocka_unit_test(top_k_of_many), cmocka_unit_test(large_vocabularies),
        cmocka_unit_test(penalty_once_per_token), cmocka_unit_test(seeds_repeat),
        cmocka_unit_test(draws_follow_the_distribution), cmocka_unit_test(logits_must_be_finite),
        cmocka_unit_test(extremes_have_limits), cmocka_unit_test(bad_options_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
