/* The checkpoint that ships with the project: logits against a float64 reference made from its weights by
 * another program, the text it writes, and what rounding to fewer bits costs on a held-out text. */
#include "golden.h"

#include "ridge/sampler.h"
#include "tokenizer/tokenizer.h"

static const rg_session_opts half_cache = {.kv_k = RG_KV_F16, .kv_v = RG_KV_F16},
                             float_cache = {.kv_k = RG_KV_F32, .kv_v = RG_KV_F32};

static rg_ckpt *demo;
static int32_t *tokens;
static float *logits;
static int64_t n_tokens, vocab;

static int open_demo(void **state)
{
    (void)state;
    char path[1024];
    size_t bytes, logit_bytes;
    demo = ckpt_open(project_file(path, sizeof path, "weights/demo"));
    vocab = rg_ckpt_config(demo)->vocab;
    tokens = read_all(project_file(path, sizeof path, "tests/data/demo_golden/tokens.i32"), &bytes);
    logits = read_all(project_file(path, sizeof path, "tests/data/demo_golden/logits.f32"), &logit_bytes);
    n_tokens = (int64_t)(bytes / sizeof *tokens);
    return n_tokens > 8 && logit_bytes == (size_t)(n_tokens * vocab) * sizeof *logits ? 0 : -1;
}

static int close_demo(void **state)
{
    (void)state;
    free(tokens);
    free(logits);
    rg_ckpt_close(demo);
    return 0;
}

static rg_engine *demo_as(int dtype, int threads)
{
    rg_engine_opts o = test_opts(threads);
    o.dtype = dtype;
    return engine_open(demo, o);
}

static void logits_are_golden(void **state)
{
    (void)state;
    static const struct {
        int dtype;
        const rg_session_opts *so;
        double bound;
    } cases[] = {{-1, &half_cache, 2e-2}, {RG_WT_F16, &half_cache, 2e-2}, {RG_WT_F16, &float_cache, 1e-3},
        {RG_WT_F32, &float_cache, 1e-3}, {RG_WT_F32, &half_cache, 2e-2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int unfused = 0; unfused < 2; unfused++) {
            rg_engine *e = demo_as(cases[i].dtype, 2);
            rg_session_opts so = *cases[i].so;
            so.unfused = unfused;
            const double worst = worst_logit(e, so, tokens, n_tokens, logits);
            if (getenv("RIDGE_TEST_VERBOSE")) print_message("case %zu: %g\n", i, worst);
            if (!(worst <= cases[i].bound))
                fail_msg("case %zu: logits differ by %g, bound %g", i, worst, cases[i].bound);
            rg_engine_close(e);
        }
}

static int32_t best(const float *l)
{
    int64_t at = 0;
    for (int64_t i = 1; i < vocab; i++)
        if (l[i] > l[at]) at = i;
    return (int32_t)at;
}

/* Greedy text, one token at a time, from the tokens that the reference was given. */
static void greedy_tokens_are_golden(void **state)
{
    (void)state;
    int64_t given = n_tokens; /* the generated part is where every token is the reference's own choice */
    while (given > 1 && best(logits + (given - 2) * vocab) == tokens[given - 1]) given--;
    assert_true(given <= n_tokens / 2);
    const rg_sampler_opts so = {.temp = 0.0f, .top_p = 1.0f, .repeat_penalty = 1.0f};
    static const int dtypes[] = {-1, RG_WT_F32};
    for (size_t d = 0; d < 2; d++) {
        rg_engine *e = demo_as(dtypes[d], 2);
        rg_session *s = session_open(e, half_cache);
        rg_sampler *sampler;
        rg_err err = {0};
        assert_int_equal(rg_sampler_open(&sampler, &so, vocab, &err), RG_OK);
        assert_int_equal(
            rg_session_eval(s, &(rg_batch){.n = given, .token = tokens}, RG_PREFILL, NULL, &err), RG_OK);
        for (int64_t i = given; i < n_tokens; i++) {
            const int32_t t = rg_sampler_next(sampler, rg_session_logits(s, 0));
            if (t != tokens[i]) fail_msg("token %lld is %d, expected %d", (long long)i, t, tokens[i]);
            assert_int_equal(
                rg_session_eval(s, &(rg_batch){.n = 1, .token = &t}, RG_DECODE, NULL, &err), RG_OK);
        }
        rg_sampler_close(sampler);
        rg_session_close(s);
        rg_engine_close(e);
    }
}

/* Rounding moves the loss of single tokens by an amount that belongs to the type. The mean moves far less,
 * and on a text of this size its sign is chance (weights/demo/README.md), so only its size is bounded. */
static void rounding_costs_what_it_should(void **state)
{
    (void)state;
    static const struct {
        rg_wtype type;
        double low, high; /* mean |loss of a token - its loss with float16| */
    } cases[] = {{RG_WT_F32, 0.0, 1e-5}, {RG_WT_BF16, 1e-5, 2e-3}, {RG_WT_Q8G32, 1e-4, 5e-3},
        {RG_WT_Q4G32, 5e-3, 0.05}, {RG_WT_Q4G64, 5e-3, 0.05}, {RG_WT_Q4G128, 5e-3, 0.06},
        {RG_WT_Q4G64M, 5e-3, 0.05}};
    char path[1024];
    size_t len, n = 0;
    int32_t *id = NULL;
    rg_tokenizer *tok = NULL;
    rg_err err = {0};
    char *text = read_all(project_file(path, sizeof path, "weights/demo/heldout.txt"), &len);
    if (rg_tokenizer_open_for(&tok, demo, NULL, &err) != RG_OK ||
        rg_tokenizer_encode(tok, text, len, 0, &id, &n, &err) != RG_OK)
        fail_msg("%s", err.msg);
    const int64_t windows = (int64_t)n / WINDOW < 10 ? (int64_t)n / WINDOW : 10, scored = windows * WINDOW;
    assert_true(windows >= 8);
    const int32_t bos = rg_tokenizer_bos(tok);
    double *ref = must_alloc((size_t)scored * sizeof *ref), *got = must_alloc((size_t)scored * sizeof *got);
    rg_engine *e = demo_as(RG_WT_F16, 2);
    const double base = mean_nll(e, half_cache, id, windows, bos, ref);
    rg_engine_close(e);
    print_message("float16: perplexity %.4f over %lld tokens\n", exp(base), (long long)scored);
    /* it has learnt something: guessing is the size of the vocabulary */
    assert_true(exp(base) > 1.0 && exp(base) < 20.0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = rg_wtypes[cases[i].type].name;
        e = demo_as((int)cases[i].type, 2);
        const double worse = exp(mean_nll(e, half_cache, id, windows, bos, got) - base) - 1.0;
        rg_engine_close(e);
        double moved = 0.0;
        for (int64_t t = 0; t < scored; t++) moved += fabs(got[t] - ref[t]) / (double)scored;
        print_message("%s: perplexity %+.3f %%, loss of a token moves by %.5f\n", name, 100.0 * worse, moved);
        if (!(moved >= cases[i].low && moved <= cases[i].high))
            fail_msg("%s: the loss of a token moves by %g, expected %g to %g", name, moved, cases[i].low,
                cases[i].high);
        if (!(worse > -0.02 && worse < 0.30))
            fail_msg("%s: perplexity %+.3f %% against float16, expected -2 to 30 %%", name, 100.0 * worse);
    }
    free(ref);
    free(got);
    rg_tokenizer_close(tok);
    free(id);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_are_golden),
        cmocka_unit_test(greedy_tokens_are_golden), cmocka_unit_test(rounding_costs_what_it_should)};
    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
