/* Small trained checkpoints in every file format against float64 references. The data is optional: absent,
 * the tests skip. */
#include "golden.h"

static const char STORIES[] = "stories260K/ref_greedy256", TINY[] = "tinystories-656k-hf/ref_greedy";

/* What the reference of a file is: tokens, logits. */
typedef struct golden {
    const char *model, *tokens, *logits;
    int dtype;
    rg_kvtype kv;
    double bound;
} golden;

static const golden cases[] = {
    {"stories260K/stories260K.bin", "_runc.tokens.i32", "_f64.logits.f32", RG_WT_F32, RG_KV_F32, 1e-4},
    {"stories260K/stories260K_v1.bin", "_runc.tokens.i32", "_f64.logits.f32", RG_WT_F32, RG_KV_F32, 1e-4},
    {"gguf/stories260K.gguf", "_runc.tokens.i32", "_f64.logits.f32", RG_WT_F32, RG_KV_F32, 1e-4},
    {"gguf/stories260K.gguf", "_runc.tokens.i32", "_f64.logits.f32", RG_WT_F16, RG_KV_F32, 2e-2},
    {"stories260K/stories260K.bin", "_runc.tokens.i32", "_f64.logits.f32", RG_WT_F16, RG_KV_F32, 2e-2},
    {"stories260K/stories260K.bin", "_runc.tokens.i32", "_f64.logits.f32", RG_WT_F16, RG_KV_F16,
        6e-2}, /* its keys are large: half precision keys cost more than the weights */
    {"tinystories-656k-hf", ".tokens.i32", "_f64.logits.f32", RG_WT_F32, RG_KV_F32, 2e-4},
    {"tinystories-656k-hf", ".tokens.i32", "_f64.logits.f32", RG_WT_F16, RG_KV_F16, 3e-2},
    {"gguf/TinyStories-656K.f16.gguf", ".tokens.i32",
        "gguf/TinyStories-656K.f16.gguf.ref_logits_on_fp32_greedy_tokens_f64.f32", -1, RG_KV_F32,
        4e-3}, /* x in 16 bits per group */
    {"gguf/tinystories-656k-q8_0.gguf", ".tokens.i32",
        "gguf/tinystories-656k-q8_0.gguf.ref_logits_on_fp32_greedy_tokens_f64.f32", -1, RG_KV_F32,
        4e-3}, /* x in 16 bits per group */
    {"gguf/tinystories-656k-q8_0.gguf", ".tokens.i32",
        "gguf/tinystories-656k-q8_0.gguf.ref_logits_on_fp32_greedy_tokens_f64.f32", -1, RG_KV_F16, 3e-2},
    /* 4 bits, codes as in the file; the resident minimum -z * s has 11 bits, as f32 weights everything is
     * exact */
    {"derived-int4/awq-g64", ".tokens.i32", "derived-int4/awq-g64/ref_logits_on_fp32_greedy_tokens_f64.f32",
        RG_WT_F32, RG_KV_F32, 2e-4},
    {"derived-int4/awq-g64", ".tokens.i32", "derived-int4/awq-g64/ref_logits_on_fp32_greedy_tokens_f64.f32",
        -1, RG_KV_F32, 3e-2},
    {"derived-int4/gptq-g64", ".tokens.i32", "derived-int4/gptq-g64/ref_logits_on_fp32_greedy_tokens_f64.f32",
        RG_WT_F32, RG_KV_F32, 2e-4},
    {"derived-int4/gptq-g64", ".tokens.i32", "derived-int4/gptq-g64/ref_logits_on_fp32_greedy_tokens_f64.f32",
        -1, RG_KV_F32, 3e-2},
};

static void *optional(const char *rel, size_t *bytes)
{
    char path[1024];
    if (!optional_data(path, sizeof path, rel)) skip();
    return read_all(path, bytes);
}

static void logits_equal_the_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const golden *g = &cases[i];
        char path[1024], rel[256];
        const char *family = strstr(g->model, "260K") ? STORIES : TINY;
        if (!optional_data(path, sizeof path, g->model)) skip();
        rg_ckpt *c = ckpt_open(path);
        size_t token_bytes, logit_bytes;
        snprintf(rel, sizeof rel, "%s%s", family, g->tokens);
        int32_t *token = optional(rel, &token_bytes);
        snprintf(rel, sizeof rel, "%s%s", g->logits[0] == '_' ? family : "", g->logits);
        float *ref = optional(rel, &logit_bytes);
        const int64_t n = (int64_t)(token_bytes / 4);
        assert_int_equal(logit_bytes, n * rg_ckpt_config(c)->vocab * 4);
        rg_engine_opts o = test_opts(2);
        o.dtype = g->dtype;
        rg_engine *e = engine_open(c, o);
        const double worst = worst_logit(e, (rg_session_opts){.kv_k = g->kv, .kv_v = g->kv}, token, n, ref);
        if (getenv("RIDGE_TEST_VERBOSE")) print_message("%s, case %zu: %g\n", g->model, i, worst);
        /* on tiles float weights too meet x in 16 bits */
        const double bound = isa_cap() >= RG_ISA_AMX ? fmax(g->bound, 1e-3) : g->bound;
        if (!(worst <= bound))
            fail_msg("%s, case %zu: logits differ by %g, bound %g", g->model, i, worst, bound);
        rg_engine_close(e);
        rg_ckpt_close(c);
        free(token);
        free(ref);
    }
}

static void perplexities_equal_the_references(void **state)
{
    (void)state;
    static const struct {
        const char *model, *tokens;
        int64_t windows;
        double nll;
    } runs[] = {
        {"stories260K/stories260K.bin", "stories260K/tinystories_val_first40000.tokens.i32", 74, 1.526389077},
        {"tinystories-656k-hf", "tinystories-656k-hf/tinystories_val_60paras.tokens.i32", 10, 3.698274264}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char path[1024];
        size_t bytes;
        if (!optional_data(path, sizeof path, runs[i].model)) skip();
        rg_ckpt *c = ckpt_open(path);
        int32_t *token = optional(runs[i].tokens, &bytes);
        assert_true((int64_t)(bytes / 4) >= runs[i].windows * WINDOW);
        rg_engine_opts o = test_opts(2);
        o.dtype = RG_WT_F32;
        rg_engine *e = engine_open(c, o);
        const double nll = mean_nll(
            e, (rg_session_opts){.kv_k = RG_KV_F32, .kv_v = RG_KV_F32}, token, runs[i].windows, 1, NULL);
        if (!(fabs(nll - runs[i].nll) <= 1e-4))
            fail_msg("%s: mean NLL %.9f, expected %.9f", runs[i].model, nll, runs[i].nll);
        rg_engine_close(e);
        rg_ckpt_close(c);
        free(token);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_equal_the_references), cmocka_unit_test(perplexities_equal_the_references)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
