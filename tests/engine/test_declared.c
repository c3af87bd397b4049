/* What config.json says of RoPE and of zero points, in every form, against a float64 forward pass that no
 * reader had a part in: its weights are the builder's, its RoPE is the row's. */
#include "engine_fixture.h"

#include "model_build.h"

enum { TOKENS = 48 };
static const double F32_BOUND = 5e-6;

/* The file itself says 10000. */
typedef struct row {
    const char *more, *scheme; /* scheme: of quantization_config */
    int4_kind int4;
    bool symmetric;
    rg_config rope; /* rope_theta and scaling as they count; theta 0: 10000 */
} row;

#define LINEAR(x) .rope_scaling = RG_ROPE_LINEAR, .rope_factor = (x)
#define LLAMA3 \
    .rope_scaling = RG_ROPE_LLAMA3, .rope_factor = 8.0, .rope_low_freq = 1.0, .rope_high_freq = 4.0, \
    .rope_orig_ctx = 64
#define SAYS_LLAMA3 \
    "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, " \
    "\"original_max_position_embeddings\": 64"
#define GPTQ "\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": %d"

static const row rows[] = {
    {"\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500.0}", .rope = {.rope_theta = 500}},
    {"\"rope_parameters\": {\"rope_theta\": 500}", .rope = {.rope_theta = 500}},
    {"\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 500.0}",
        .rope = {.rope_theta = 500, LINEAR(4)}},
    {"\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 500.0, " SAYS_LLAMA3 "}",
        .rope = {.rope_theta = 500, LLAMA3}},
    {"\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 500.0, \"rope_type\": \"default\"}, "
     "\"sliding_attention\": {\"rope_theta\": 500.0, \"rope_type\": \"default\"}}",
        .rope = {.rope_theta = 500}},
    {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", .rope = {LINEAR(2)}},
    {"\"rope_scaling\": {\"rope_type\": \"llama3\", " SAYS_LLAMA3 "}", .rope = {LLAMA3}},
    {"\"rope_scaling\": {\"rope_type\": \"default\", \"rope_theta\": 500.0}", .rope = {.rope_theta = 500}},
    /* rope_scaling takes the place of rope_parameters, unless it is empty */
    {"\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0}, \"rope_parameters\": {\"rope_theta\": "
     "500.0, \"rope_type\": \"llama3\", " SAYS_LLAMA3 "}",
        .rope = {LINEAR(2)}},
    {"\"rope_scaling\": {\"rope_type\": \"llama3\", \"rope_theta\": 700.0, " SAYS_LLAMA3
     "}, \"rope_parameters\": {\"rope_theta\": 500.0, \"rope_type\": \"default\"}",
        .rope = {.rope_theta = 700, LLAMA3}},
    {"\"rope_scaling\": null, \"rope_parameters\": {\"rope_theta\": 500.0, \"rope_type\": \"default\"}",
        .rope = {.rope_theta = 500}},
    {"\"rope_scaling\": {}, \"rope_parameters\": {\"rope_theta\": 500.0, \"rope_type\": \"default\"}",
        .rope = {.rope_theta = 500}},
    /* GPTQ: v1 stores a zero point less 1, v2 as it is. sym says that it is 8: a file that calls itself v1
     * and stores 8 would have 9 */
    {.int4 = INT4_GPTQ, .symmetric = true, .scheme = GPTQ ", \"sym\": true, \"checkpoint_format\": \"gptq\""},
    {.int4 = INT4_GPTQ_V2,
        .symmetric = true,
        .scheme = GPTQ ", \"sym\": true, \"checkpoint_format\": \"gptq\""},
    {.int4 = INT4_GPTQ_V2, .symmetric = true, .scheme = GPTQ ", \"sym\": true"},
    {.int4 = INT4_GPTQ,
        .symmetric = true,
        .scheme = GPTQ ", \"sym\": true, \"checkpoint_format\": \"gptq_v2\""},
    {.int4 = INT4_GPTQ, .scheme = GPTQ ", \"sym\": false"},
    {.int4 = INT4_GPTQ_V2, .scheme = GPTQ ", \"sym\": false, \"format\": \"gptq_v2\""},
    {.int4 = INT4_GPTQ_V2, .scheme = GPTQ ", \"checkpoint_format\": \"gptq_v2\""},
};

static void logits_are_those_of_the_declaration(void **state)
{
    (void)state;
    char path[512];
    int32_t token[TOKENS];
    enum { VOCAB = 96 };
    double *want = must_alloc(TOKENS * VOCAB * sizeof *want),
           *plain = must_alloc(TOKENS * VOCAB * sizeof *want);
    float *got = must_alloc(TOKENS * VOCAB * sizeof *got);
    random_tokens(token, TOKENS, VOCAB, 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *w = &rows[i];
        const char *says = w->more ? w->more : w->scheme;
        model_build b = {.c = {.dim = 64,
                             .ffn = 96,
                             .layers = 2,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 16,
                             .vocab = VOCAB,
                             .ctx_train = 512,
                             .eps = 1e-5,
                             .rope_theta = 10000.0},
            .seed = 40 + i,
            .more = w->more,
            .int4 = w->int4,
            .group = 32,
            .symmetric = w->symmetric,
            .scheme = w->scheme};
        snprintf(path, sizeof path, "%s/declared-%zu", scratch_dir(), i);
        build_hf(&b, path);
        rg_ckpt *c = ckpt_open(path);
        ref_model *r = ref_from_ckpt(c);
        rg_config rope = w->rope;
        if (rope.rope_theta == 0.0) rope.rope_theta = 10000.0;
        for (size_t k = 0; k < rg_ckpt_count(c); k++) {
            const rg_ckpt_tensor *t = rg_ckpt_at(c, k);
            const double *truth = build_truth(&b, t->file_name);
            assert_non_null(truth);
            ref_set_weight(r, t, truth);
        }
        ref_set_rope(r, &(rg_config){.rope_theta = 10000.0});
        ref_forward(r, token, TOKENS, plain);
        ref_set_rope(r, &rope);
        ref_forward(r, token, TOKENS, want);
        rg_engine_opts o = test_opts(1);
        o.dtype = RG_WT_F32;
        rg_engine *e = engine_open(c, o);
        rg_session *s = session_open(
            e, (rg_session_opts){.ctx = TOKENS, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .max_logits = TOKENS});
        eval_all(s, token, TOKENS, TOKENS, VOCAB, got);
        const double bound = float_bound(F32_BOUND);
        expect_within(rel_diff(got, want, TOKENS * VOCAB), bound, "%s", says);
        /* else the row would prove nothing */
        if (w->more && rel_diff(got, plain, TOKENS * VOCAB) < 100.0 * bound)
            fail_msg("%s: RoPE as without it", says);
        rg_session_close(s);
        rg_engine_close(e);
        ref_close(r);
        rg_ckpt_close(c);
        build_drop(&b);
    }
    free(want);
    free(plain);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_are_those_of_the_declaration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
