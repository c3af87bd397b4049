/* Logits against the float64 forward pass, for shapes with tails and every resident type. Bounds are
 * fractions of the logit range. */
#include "engine_fixture.h"

/* f32 arithmetic: a few hundred roundings of 2^-24 per logit, with a wide margin. f16: keys and values
 * rounded to 11 bits. */
static const double F32_BOUND = 5e-6, F16_BOUND = 2e-3;

/* Where the CPU multiplies bytes, or AVX2 does so for INT4, products with quantised weights round x to 16
 * bits per group: to 2^-16 of its largest value, which is a few times the size of the others. */
static const double I16_BOUND = 1e-4;

static double bound_for(const rg_engine_info *info, double bound)
{
    /* two planes of bf16 hold 16 bits, of float weights too */
    if (info->isa >= RG_ISA_AMX) return fmax(bound, I16_BOUND);
    const bool dot = info->isa >= RG_ISA_AVX512VNNI || info->isa == RG_ISA_AVX2 ||
        (info->isa >= RG_ISA_AVX2VNNI && rg_isa_has(RG_ISA_AVX2VNNI));
    return dot && (rg_wtype_is_quant(info->dtype) || rg_wtype_is_quant(info->head_dtype))
        ? fmax(bound, I16_BOUND)
        : bound;
}

enum { PROMPT = 40 };

static const rg_session_opts exact = {.ctx = 512, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .max_logits = 512};

/* Runs n tokens in prefill calls of `step` and compares every row with the reference. */
static void compare(rg_engine *e, const ref_model *r, rg_session_opts so, int64_t n, int64_t step,
    double bound, const char *what)
{
    rg_engine_info info;
    rg_engine_get_info(e, &info);
    const int64_t vocab = info.config->vocab;
    int32_t *token = must_alloc((size_t)n * sizeof *token);
    float *got = must_alloc((size_t)(n * vocab) * sizeof *got);
    double *want = must_alloc((size_t)(n * vocab) * sizeof *want);
    random_tokens(token, n, vocab, 7);
    rg_session *s = session_open(e, so);
    eval_all(s, token, n, step, vocab, got);
    ref_forward(r, token, n, want);
    expect_within(rel_diff(got, want, n * vocab), bound_for(&info, bound),
        "%s, seed 7, %lld tokens by %lld, %s", what, (long long)n, (long long)step,
        so.unfused ? "unfused" : "fused");
    rg_session_close(s);
    free(token);
    free(got);
    free(want);
}

static void float32_equals_the_reference(void **state)
{
    (void)state;
    for (shape_id i = 0; i < N_SHAPES; i++) {
        rg_ckpt *c = model_open(i, RG_FT_F32, RG_SYNTH_SAFETENSORS);
        ref_model *r = ref_from_ckpt(c);
        for (int threads = 1; threads <= 3; threads += 2) {
            rg_engine *e = engine_open(c, test_opts(threads));
            for (int unfused = 0; unfused < 2; unfused++) {
                rg_session_opts so = exact;
                so.unfused = unfused;
                compare(e, r, so, PROMPT, PROMPT, F32_BOUND, shape_name(i));
                compare(e, r, so, PROMPT, 1, F32_BOUND, shape_name(i));
                compare(e, r, so, PROMPT, 8, F32_BOUND, shape_name(i)); /* the widest gemv */
                compare(e, r, so, PROMPT, 9, F32_BOUND, shape_name(i)); /* the narrowest gemm */
            }
            rg_engine_close(e);
        }
        ref_close(r);
        rg_ckpt_close(c);
    }
}

/* More positions than one attention chunk, in prefill and in decode behind it, on both ways of dealing out
 * the work. */
static void long_contexts(void **state)
{
    (void)state;
    static const shape_id some[] = {GQA, MQA, SLICED};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        rg_ckpt *c = model_open(some[i], RG_FT_F32, RG_SYNTH_SAFETENSORS);
        ref_model *r = ref_from_ckpt(c);
        for (int threads = 1; threads <= 2; threads++) {
            rg_engine *e = engine_open(c, test_opts(threads));
            for (int unfused = 0; unfused < 2; unfused++) {
                rg_session_opts so = exact;
                so.unfused = unfused;
                compare(e, r, so, 300, 150, F32_BOUND, shape_name(some[i]));
                compare(e, r, so, 274, 3, F32_BOUND, shape_name(some[i]));
            }
            rg_engine_close(e);
        }
        ref_close(r);
        rg_ckpt_close(c);
    }
}

static void half_precision_files(void **state)
{
    (void)state;
    static const rg_ftype types[] = {RG_FT_F16, RG_FT_BF16};
    for (shape_id i = 0; i < N_SHAPES; i++)
        for (size_t t = 0; t < 2; t++) {
            rg_ckpt *c = model_open(i, types[t], RG_SYNTH_SAFETENSORS);
            ref_model *r = ref_from_ckpt(c);
            rg_engine *e = engine_open(c, test_opts(2));
            rg_engine_info info;
            rg_engine_get_info(e, &info);
            assert_int_equal(info.dtype, types[t] == RG_FT_F16 ? RG_WT_F16 : RG_WT_BF16);
            assert_true(info.round_rel == 0.0);
            /* the weights are exact, so only the cache rounds */
            compare(e, r, exact, PROMPT, PROMPT, F32_BOUND, shape_name(i));
            compare(e, r,
                (rg_session_opts){.ctx = 64, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .max_logits = PROMPT},
                PROMPT, PROMPT, F16_BOUND, shape_name(i));
            rg_engine_close(e);
            ref_close(r);
            rg_ckpt_close(c);
        }
}

/* GGUF stores q and k rows for interleaved RoPE pairs, and Q8_0 and Q4_0 become resident without another
 * rounding. */
static void gguf_files(void **state)
{
    (void)state;
    static const struct {
        rg_ftype file;
        rg_wtype resident;
        shape_id shape;
    } cases[] = {{RG_FT_F32, RG_WT_F32, GQA}, {RG_FT_F16, RG_WT_F16, MQA}, {RG_FT_BF16, RG_WT_BF16, MHA},
        {RG_FT_Q8_0, RG_WT_Q8G32, MHA}, {RG_FT_Q4_0, RG_WT_Q4G32, MHA}, {RG_FT_Q8_0, RG_WT_Q8G32, ONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rg_ckpt *c = model_open(cases[i].shape, cases[i].file, RG_SYNTH_GGUF);
        ref_model *r = ref_from_ckpt(c);
        rg_engine *e = engine_open(c, test_opts(2));
        rg_engine_info info;
        rg_engine_get_info(e, &info);
        assert_int_equal(info.dtype, cases[i].resident);
        compare(e, r, exact, PROMPT, PROMPT, F32_BOUND, rg_ftypes[cases[i].file].name);
        compare(e, r, exact, PROMPT, 1, F32_BOUND, rg_ftypes[cases[i].file].name);
        rg_engine_close(e);
        ref_close(r);
        rg_ckpt_close(c);
    }
}

/* Every resident type against a reference on the weights that it holds: rounding belongs to the type,
 * everything else to us. */
static void every_resident_type(void **state)
{
    (void)state;
    for (int t = 0; t < RG_WT_COUNT; t++)
        for (int head = 0; head < 2; head++)
            for (shape_id i = GQA; i <= WIDE; i++) {
                if (head && (!rg_wtype_is_quant(t) || i == MHA)) continue;
                rg_ckpt *c = model_open(i, RG_FT_F32, RG_SYNTH_SAFETENSORS);
                rg_engine_opts o = test_opts(2);
                o.dtype = t;
                o.quant_head = head;
                rg_engine *e = engine_open(c, o);
                ref_model *r = ref_from_engine(e);
                rg_engine_info info;
                rg_engine_get_info(e, &info);
                assert_int_equal(info.dtype, t);
                assert_int_equal(info.head_dtype, rg_wtype_is_quant(t) && !head ? RG_WT_F16 : t);
                compare(e, r, exact, PROMPT, PROMPT, F32_BOUND, rg_wtypes[t].name);
                compare(e, r, exact, PROMPT, 1, F32_BOUND, rg_wtypes[t].name);
                compare(e, r, exact, PROMPT, 6, F32_BOUND, rg_wtypes[t].name);
                rg_engine_close(e);
                ref_close(r);
                rg_ckpt_close(c);
            }
}

/* Rounding at load: what normal weights lose is known within a little. A clip search can only lower it. */
static void rounding_is_as_expected(void **state)
{
    (void)state;
    static const struct {
        rg_wtype type;
        double low, high;
    } cases[] = {{RG_WT_F32, 0, 0}, {RG_WT_F16, 1e-5, 4e-4}, {RG_WT_BF16, 5e-4, 3e-3},
        {RG_WT_Q8G32, 2e-3, 8e-3}, {RG_WT_Q4G32, 0.04, 0.10}, {RG_WT_Q4G64, 0.05, 0.11},
        {RG_WT_Q4G128, 0.06, 0.125}, {RG_WT_Q4G32M, 0.04, 0.09}, {RG_WT_Q4G64M, 0.05, 0.10},
        {RG_WT_Q4G128M, 0.05, 0.115}};
    rg_ckpt *c = model_open(MHA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    ref_model *truth = ref_from_ckpt(c);
    int32_t token[PROMPT];
    const int64_t vocab = rg_ckpt_config(c)->vocab, n = PROMPT * vocab;
    double *want = must_alloc((size_t)n * sizeof *want);
    float *got = must_alloc((size_t)n * sizeof *got);
    random_tokens(token, PROMPT, vocab, 7);
    ref_forward(truth, token, PROMPT, want);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rg_engine_opts o = test_opts(2);
        o.dtype = (int)cases[i].type;
        o.quant_head = true;
        rg_engine *e = engine_open(c, o);
        rg_engine_info info;
        rg_engine_get_info(e, &info);
        if (!(info.round_rel >= cases[i].low && info.round_rel <= cases[i].high))
            fail_msg("%s: rounding error %g, expected %g to %g", rg_wtypes[cases[i].type].name,
                info.round_rel, cases[i].low, cases[i].high);
        rg_session *s = session_open(e, exact);
        eval_all(s, token, PROMPT, PROMPT, vocab, got);
        const double drift = rel_diff(got, want, n);
        expect_within(
            drift, float_bound(F32_BOUND) + 4 * info.round_rel, "drift of %s", rg_wtypes[cases[i].type].name);
        rg_session_close(s);
        rg_engine_close(e);
    }
    free(want);
    free(got);
    ref_close(truth);
    rg_ckpt_close(c);
}

static void cache_types(void **state)
{
    (void)state;
    static const struct {
        rg_kvtype k, v;
        double bound;
    } cases[] = {{RG_KV_F32, RG_KV_F32, 5e-6}, {RG_KV_F16, RG_KV_F16, 2e-3}, {RG_KV_F32, RG_KV_F16, 2e-3},
        {RG_KV_Q8_0, RG_KV_Q8_0, 1e-2}, {RG_KV_Q8_0, RG_KV_F16, 1e-2}, {RG_KV_F16, RG_KV_Q8_0, 1e-2}};
    rg_ckpt *c = model_open(MHA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    ref_model *r = ref_from_ckpt(c);
    rg_engine *e = engine_open(c, test_opts(2));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int unfused = 0; unfused < 2; unfused++) {
            rg_session_opts so = exact;
            so.kv_k = cases[i].k;
            so.kv_v = cases[i].v;
            so.unfused = unfused;
            char what[64];
            snprintf(
                what, sizeof what, "keys %s, values %s", rg_kvtypes[so.kv_k].name, rg_kvtypes[so.kv_v].name);
            compare(e, r, so, 280, 140, cases[i].bound, what);
            compare(e, r, so, PROMPT, 1, cases[i].bound, what);
        }
    rg_engine_close(e);
    ref_close(r);
    rg_ckpt_close(c);
}

static void every_isa(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(WIDE, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    for (int t = 0; t < RG_WT_COUNT; t++)
        for (int isa = 0; isa <= (int)isa_cap(); isa++) {
            rg_engine_opts o = test_opts(1);
            o.dtype = t;
            o.isa_cap = isa;
            rg_engine *e = engine_open(c, o);
            rg_engine_info info;
            rg_engine_get_info(e, &info);
            assert_int_equal(info.isa, rg_isa_capped((rg_isa)isa));
            ref_model *r = ref_from_engine(e);
            compare(e, r, exact, PROMPT, PROMPT, F32_BOUND, rg_isa_names[isa]);
            compare(e, r, exact, 5, 1, F32_BOUND, rg_isa_names[isa]);
            ref_close(r);
            rg_engine_close(e);
        }
    rg_ckpt_close(c);
}

/* Precision of activations, against the reference of exact ones: each costs what it says, and no more. */
static void activation_precisions(void **state)
{
    (void)state;
    static const struct {
        rg_act act;
        int dtype;
        double low, high; /* what the rounding must do at least (it happens) and may do at most */
    } cases[] = {{RG_ACT_BF16, RG_WT_F32, 1e-5, 2e-2}, {RG_ACT_BF16, RG_WT_F16, 1e-5, 2e-2},
        {RG_ACT_BF16, RG_WT_Q4G64M, 1e-5, 2e-2}, {RG_ACT_Q8, RG_WT_Q8G32, 1e-4, 3e-2},
        {RG_ACT_Q8, RG_WT_Q4G32, 1e-4, 3e-2}, {RG_ACT_Q8, RG_WT_Q4G128M, 1e-4, 5e-2}};
    for (shape_id i = GQA; i <= WIDE; i++)
        for (size_t a = 0; a < sizeof cases / sizeof *cases; a++) {
            rg_ckpt *c = model_open(i, RG_FT_F32, RG_SYNTH_SAFETENSORS);
            rg_engine_opts o = test_opts(2);
            o.act = cases[a].act;
            o.dtype = cases[a].dtype;
            rg_engine *e = engine_open(c, o);
            ref_model *r = ref_from_engine(e);
            compare(e, r, exact, PROMPT, PROMPT, cases[a].high, rg_act_names[o.act]);
            compare(e, r, exact, PROMPT, 3, cases[a].high, rg_act_names[o.act]);
            int32_t token[PROMPT];
            rg_engine_info info;
            rg_engine_get_info(e, &info);
            const int64_t n = PROMPT * info.config->vocab;
            float *got = must_alloc((size_t)n * sizeof *got);
            double *want = must_alloc((size_t)n * sizeof *want);
            random_tokens(token, PROMPT, info.config->vocab, 7);
            rg_session *s = session_open(e, exact);
            eval_all(s, token, PROMPT, PROMPT, info.config->vocab, got);
            ref_forward(r, token, PROMPT, want);
            assert_true(rel_diff(got, want, n) > cases[a].low);
            free(got);
            free(want);
            rg_session_close(s);
            ref_close(r);
            rg_engine_close(e);
            rg_ckpt_close(c);
        }
}

/* There is nothing to round to 8 bits in a model without quantised weights: that is said, not ignored. */
static void q8_needs_quantised_weights(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F16, RG_SYNTH_SAFETENSORS);
    rg_engine_opts o = test_opts(1);
    rg_engine *e = NULL;
    rg_err err = {0};
    o.act = RG_ACT_Q8;
    assert_int_equal(rg_engine_open(&e, c, &o, &err), RG_E_UNSUPPORTED);
    assert_null(e);
    assert_non_null(strstr(err.msg, "--act q8"));
    rg_ckpt_close(c);
}

static void plain_c_is_an_option(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F16, RG_SYNTH_SAFETENSORS);
    rg_engine_opts o = test_opts(1);
    o.plain_c = true;
    rg_engine *e = engine_open(c, o);
    rg_engine_info info;
    rg_engine_get_info(e, &info);
    assert_int_equal(info.isa, RG_ISA_C);
    assert_null(info.blas);
    rg_engine_close(e);
    rg_ckpt_close(c);
}

static void blas_path(void **state)
{
    (void)state;
    for (shape_id i = 0; i < N_SHAPES; i++) {
        rg_ckpt *c = model_open(i, RG_FT_F32, RG_SYNTH_SAFETENSORS);
        for (int t = 0; t < RG_WT_COUNT; t += 4) { /* f32, q8g32k, q4g32, q4g32mk */
            rg_engine_opts o = test_opts(2);
            rg_engine *e = NULL;
            rg_err err = {0};
            o.dtype = t;
            o.blas = true;
            const rg_status st = rg_engine_open(&e, c, &o, &err);
            if (st == RG_E_UNSUPPORTED) {
                print_message("SKIPPED: %s\n", err.msg);
                rg_ckpt_close(c);
                skip();
            }
            assert_int_equal(st, RG_OK);
            rg_engine_info info;
            rg_engine_get_info(e, &info);
            assert_non_null(info.blas);
            ref_model *r = ref_from_engine(e);
            compare(e, r, exact, PROMPT, PROMPT, F32_BOUND, "blas");
            compare(e, r, exact, PROMPT, 3, F32_BOUND, "blas");
            ref_close(r);
            rg_engine_close(e);
        }
        rg_ckpt_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(float32_equals_the_reference),
        cmocka_unit_test(long_contexts), cmocka_unit_test(half_precision_files), cmocka_unit_test(gguf_files),
        cmocka_unit_test(every_resident_type), cmocka_unit_test(rounding_is_as_expected),
        cmocka_unit_test(cache_types), cmocka_unit_test(every_isa), cmocka_unit_test(activation_precisions),
        cmocka_unit_test(q8_needs_quantised_weights), cmocka_unit_test(plain_c_is_an_option),
        cmocka_unit_test(blas_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
