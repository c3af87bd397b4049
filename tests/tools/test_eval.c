/* ridge eval: perplexities against float64 references and an independent sum, KL divergence, sensitivity, and
 * what happens to NaN. */
#include "run_program.h"

#include "engine/golden.h"

static double real(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) fail_msg("%s: not a number", key);
    return json_number_value(v);
}

static json_t *parse(const output *o)
{
    json_error_t e;
    expect_ok(o);
    json_t *j = json_loads(o->out, JSON_REJECT_DUPLICATES, &e);
    if (!j) fail_msg("not JSON: %s", e.text);
    return j;
}

static void close_to(const char *what, double got, double want, double rel)
{
    if (!(fabs(got - want) <= rel * fabs(want))) fail_msg("%s: %.12g, expected %.12g", what, got, want);
}

/* The references of the shared README: windows of 256 behind BOS, every token scored. */
static void trained_models_have_the_reference_perplexity(void **state)
{
    (void)state;
    static const struct {
        const char *model, *text;
        bool ids;
        double nll;
        int64_t scored;
    } runs[] = {{"stories260K/stories260K.bin", "stories260K/tinystories_val_first40000.tokens.i32", true,
                    1.526389077, 18944},
        {"stories260K/stories260K.bin", "eval-text/tinystories_val_first40000.txt", false, 1.526389077,
            18944},
        {"tinystories-656k-hf", "tinystories-656k-hf/tinystories_val_60paras.tokens.i32", true, 3.698274264,
            2560}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char model[1024], text[1024];
        if (!optional_data(model, sizeof model, runs[i].model) ||
            !optional_data(text, sizeof text, runs[i].text))
            skip();
        output o =
            ridge("eval", "-m", model, runs[i].ids ? "--token-ids" : "-f", text, "-c", "256", "--score",
                "all", "--dtype", "f32", "-t", "2", "--oversubscribe", "--pin", "off", "-o", "json", NULL);
        json_t *j = parse(&o), *r = json_object_get(j, "result");
        assert_int_equal(json_integer_value(json_object_get(r, "scored_tokens")), runs[i].scored);
        close_to(runs[i].model, real(r, "ppl"), exp(runs[i].nll), 1e-4);
        close_to(runs[i].model, real(r, "nll_nats"), runs[i].nll, 1e-5);
        json_decref(j);
        done(&o);
    }
}

/* The demo checkpoint on its held-out text, against a sum made here over logits of the engine. */
static void demo_perplexity(void **state)
{
    (void)state;
    enum { WINDOWS = 12 };
    char path[1024];
    const char *ids = scratch("heldout.i32");
    project_file(path, sizeof path, "weights/demo/heldout.txt");
    char demo[1024];
    project_file(demo, sizeof demo, "weights/demo");
    output o = ridge("tokenize", "-m", demo, "-f", path, "--no-bos", "--token-ids-out", ids, NULL);
    expect_ok(&o);
    done(&o);
    int32_t *token = read_all(ids, NULL);
    rg_ckpt *c = ckpt_open(demo);
    rg_engine_opts eo = test_opts(2);
    eo.dtype = RG_WT_F32;
    rg_engine *e = engine_open(c, eo);
    const double want =
        mean_nll(e, (rg_session_opts){.kv_k = RG_KV_F32, .kv_v = RG_KV_F32}, token, WINDOWS, 1, NULL);
    rg_engine_close(e);
    rg_ckpt_close(c);
    free(token);
    o = ridge("eval", "--dtype", "f32", "-c", "256", "--score", "all", "--chunks", "12", "-o", "json", NULL);
    json_t *j = parse(&o), *r = json_object_get(j, "result");
    close_to("nll", real(r, "nll_nats"), want, 1e-9);
    const json_t *canary = json_object_get(json_object_get(j, "speed"), "canary");
    assert_true(real(canary, "fma_gflops") > 0.0 && real(canary, "l2_gbps") > 0.0);
    assert_true(want > 0.4 && want < 0.65);
    json_decref(j);
    done(&o);
    /* half of each window: another set of tokens, better predicted, because more was seen */
    o = ridge("eval", "--chunks", "6", "-o", "json", NULL);
    j = parse(&o);
    r = json_object_get(j, "result");
    assert_int_equal(json_integer_value(json_object_get(r, "scored_tokens")), 6 * 255);
    assert_true(real(r, "nll_nats") < want && real(r, "nll_nats") > 0.25);
    json_decref(j);
    done(&o);
}

static const char *tokens_file(void)
{
    const char *path = scratch("tokens.i32");
    int32_t t[700];
    rg_rng r = {11};
    for (int i = 0; i < 700; i++) t[i] = (int32_t)rng_in(&r, 3, 511);
    write_bytes(path, t, sizeof t);
    return path;
}

/* Windows begin every stride tokens and the rest of the text is counted. */
static void strides(void **state)
{
    (void)state;
    output o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "64", "--stride", "16",
        "-o", "json", NULL);
    json_t *j = parse(&o), *text = json_object_get(j, "text");
    assert_int_equal(json_integer_value(json_object_get(text, "windows")), (700 - 64) / 16 + 1);
    assert_int_equal(json_integer_value(json_object_get(text, "scored_per_window")), 16);
    assert_int_equal(json_integer_value(json_object_get(text, "unused_tokens")), (700 - 64) % 16);
    json_decref(j);
    done(&o);
    /* without BOS the first token of a window cannot be predicted */
    o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "64", "--no-bos", "--score",
        "all", "-o", "json", NULL);
    j = parse(&o);
    text = json_object_get(j, "text");
    assert_int_equal(json_integer_value(json_object_get(text, "scored_per_window")), 63);
    assert_true(json_is_null(json_object_get(text, "bos")));
    json_decref(j);
    done(&o);
}

static void divergence(void **state)
{
    (void)state;
    char cmd[3000];
    output o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "--ref",
        tiny_model(), "-o", "json", NULL);
    json_t *j = parse(&o), *r = json_object_get(j, "result"), *k = json_object_get(r, "kld_nats");
    assert_true(real(k, "max") < 1e-12 && real(k, "mean") >= 0.0 && real(r, "same_top") >= 1.0 &&
        fabs(real(r, "ppl_diff")) < 1e-12);
    write_bytes(scratch("a.json"), o.out, o.n_out);
    json_decref(j);
    done(&o);
    double mean[2];
    static const char *const types[] = {"q8g32", "q4g64"};
    for (int i = 0; i < 2; i++) {
        o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "--ref-dtype", "f32",
            "--dtype", types[i], "-o", "json", NULL);
        j = parse(&o);
        r = json_object_get(j, "result");
        k = json_object_get(r, "kld_nats");
        mean[i] = real(k, "mean");
        assert_true(real(k, "min") <= real(k, "median") && real(k, "median") <= real(k, "p90") &&
            real(k, "p90") <= real(k, "p99") && real(k, "p99") <= real(k, "p99_9") &&
            real(k, "p99_9") <= real(k, "max"));
        write_bytes(scratch("b.json"), o.out, o.n_out);
        json_decref(j);
        done(&o);
    }
    assert_true(mean[0] > 0.0 && mean[1] > 5.0 * mean[0]);
    o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "--dtype", "q4g32",
        "--sensitivity", "tensor", "-o", "json", NULL);
    j = parse(&o);
    json_t *parts = json_object_get(json_object_get(j, "sensitivity"), "parts");
    assert_int_equal(json_array_size(parts), 2 * 7 + 1);
    double last = INFINITY;
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *p = json_array_get(parts, i);
        const double d = real(json_object_get(json_object_get(p, "result"), "kld_nats"), "mean");
        assert_true(d <= last && d > 0.0 && real(p, "saved_bytes") > 0.0);
        last = d;
    }
    write_bytes(scratch("c.json"), o.out, o.n_out);
    json_decref(j);
    done(&o);
    static const char *const by[] = {"layer", "site"};
    for (int i = 0; i < 2; i++) { /* 2 layers, 7 sites, and the output matrix */
        o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "--chunks", "1",
            "--dtype", "q4g32", "--sensitivity", by[i], "-o", "md", NULL);
        expect_ok(&o);
        assert_non_null(strstr(o.out, i ? "|    8 |" : "|    3 |"));
        assert_null(strstr(o.out, i ? "|    9 |" : "|    4 |"));
        assert_non_null(strstr(o.out, i ? "ffn_down" : "blk.1"));
        done(&o);
    }
    snprintf(cmd, sizeof cmd, "python3 '%s/tests/check_json.py' '%s/eval.schema.json' '%s' '%s' '%s'",
        RIDGE_SOURCE_DIR, RIDGE_SCHEMAS, scratch("a.json"), scratch("b.json"), scratch("c.json"));
    const int code = WEXITSTATUS(system(cmd));
    if (code == 77) skip();
    assert_int_equal(code, 0);
}

static double kld_of(const char *dtype, const char *act, const char *ref_dtype, const char *ref_act)
{
    output o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "--dtype", dtype,
        "--act", act, "--ref-dtype", ref_dtype, "--ref-act", ref_act, "-o", "json", NULL);
    json_t *j = parse(&o);
    const double mean = real(json_object_get(json_object_get(j, "result"), "kld_nats"), "mean");
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "model"), "act")), act);
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "ref"), "act")), ref_act);
    json_decref(j);
    done(&o);
    return mean;
}

/* --act is the model's alone: 8-bit activations have a price of their own, smaller than that of 4-bit
 * weights; and none where both sides have them. */
static void price_of_activations(void **state)
{
    (void)state;
    const double acts = kld_of("q4g64", "q8", "q4g64", "f32"), weights = kld_of("q4g64", "f32", "f32", "f32"),
                 none = kld_of("q4g64", "q8", "q4g64", "q8");
    assert_true(acts > 0.0 && acts < weights && none < 1e-12);
    output o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "--chunks", "1",
        "--dtype", "q4g64", "--act", "q8", "--sensitivity", "layer", "-o", "json", NULL);
    json_t *j = parse(&o);
    const json_t *parts = json_object_get(json_object_get(j, "sensitivity"), "parts"), *p;
    size_t i;
    int seen = 0;
    assert_int_equal(json_array_size(parts), 4); /* two layers, the output matrix, activations */
    json_array_foreach (parts, i, p) {
        const char *name = json_string_value(json_object_get(p, "name"));
        assert_true(real(json_object_get(json_object_get(p, "result"), "kld_nats"), "mean") > 0.0);
        seen += strcmp(name, "activations q8") == 0 && real(p, "weights") == 0.0;
    }
    assert_int_equal(seen, 1);
    json_decref(j);
    done(&o);
    expect_error(ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "--ref-act", "q4", NULL), 2,
        "--ref-act", "f32, bf16, q8", NULL);
}

/* The first line is the sentence. */
static void the_answer_first(void **state)
{
    (void)state;
#define EVAL "eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", "-o", "text"
    static const struct {
        const char *more[6], *first, *within;
    } row[] = {
        {{NULL}, "tiny f32: perplexity ", "equally likely ones."},
        {{"--ref-dtype", "f32"}, "f32 predicts exactly what f32 does.", "next word the same"},
        {{"--dtype", "q4g64", "--ref-dtype", "f32"}, "q4g64 is ", "of next words the same."},
        {{"--dtype", "q4g64", "--act", "q8", "--ref-dtype", "q4g64"}, "q4g64 with q8 activations is ",
            "than q4g64 with f32 activations by"},
        {{"--dtype", "q4g64", "--sensitivity", "site", "--chunks", "1"}, "Of 8 parts, ", "KL per MiB"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *const *m = row[i].more;
        output o = ridge(EVAL, m[0], m[1], m[2], m[3], m[4], m[5], NULL);
        expect_ok(&o);
        if (strncmp(o.out, row[i].first, strlen(row[i].first)) != 0 || !strstr(o.out, row[i].within))
            fail_msg("row %zu:\n%s", i, o.out);
        for (const char *l = o.out; *l; l += strcspn(l, "\n") + 1) assert_true(strcspn(l, "\n") <= 104);
        done(&o);
    }
    output o = ridge("eval", "-m", tiny_model(), "--token-ids", tokens_file(), "-c", "128", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "| PPL ")); /* a pipe reads everything */
    done(&o);
    o = ridge(EVAL, "--dtype", "q4g64", "--ref-dtype", "f32", "--wide", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "| Median KLD"));
    done(&o);
#undef EVAL
}

/* Overwrites the data of a tensor of a safetensors file with one float. */
static void flood(const char *file, const char *tensor, float value)
{
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    uint64_t n;
    assert_int_equal(fread(&n, 8, 1, f), 1);
    char *text = malloc(n);
    assert_int_equal(fread(text, 1, n, f), n);
    json_t *j = json_loadb(text, n, 0, NULL),
           *at = json_object_get(json_object_get(j, tensor), "data_offsets");
    const long a = (long)json_integer_value(json_array_get(at, 0)),
               b = (long)json_integer_value(json_array_get(at, 1));
    assert_true(b > a);
    fseek(f, 8 + (long)n + a, SEEK_SET);
    for (long i = a; i < b; i += 4) fwrite(&value, 4, 1, f);
    fclose(f);
    json_decref(j);
    free(text);
}

/* Norm weights of 1e25 make gate * up overflow: the first bad number is the activation of layer 1, not the
 * logits where it is noticed. */
static void names_where_a_number_broke(void **state)
{
    (void)state;
    char file[600];
    const char *dir = copy_of_tiny("broken");
    snprintf(file, sizeof file, "%s/model.safetensors", dir);
    flood(file, "model.layers.1.post_attention_layernorm.weight", 1e25f);
    expect_error(ridge("eval", "-m", dir, "--token-ids", tokens_file(), "-c", "128", NULL), 1,
        "blk.1.ffn_act", "swiglu", "window 0", "model", NULL);
    expect_error(
        ridge("eval", "-m", tiny_model(), "--ref", dir, "--token-ids", tokens_file(), "-c", "128", NULL), 1,
        "reference", "blk.1.ffn_act", NULL);
}

static void refusals(void **state)
{
    (void)state;
    const char *m = tiny_model(), *t = tokens_file();
    expect_error(ridge("eval", "-m", m, NULL), 2, "no text", "-f", NULL);
    expect_error(ridge("eval", "-m", m, "--token-ids", t, "-c", "1", NULL), 2, "-c 1", NULL);
    expect_error(ridge("eval", "-m", m, "--token-ids", t, "-c", "512", NULL), 2, "context", "256", NULL);
    expect_error(ridge("eval", "-m", m, "-p", "short", "-c", "64", NULL), 2, "tokens", "64", NULL);
    expect_error(ridge("eval", "-m", m, "--token-ids", t, "-c", "64", "--stride", "64", NULL), 2, "--stride",
        "63", NULL);
    expect_error(ridge("eval", "-m", m, "--token-ids", t, "--score", "all", "--stride", "8", NULL), 2,
        "--stride", "--score", NULL);
    expect_error(
        ridge("eval", "-m", m, "--token-ids", t, "--score", "some", NULL), 2, "--score", "half, all", NULL);
    expect_error(
        ridge("eval", "-m", m, "--token-ids", t, "--sensitivity", "layer", NULL), 2, "--dtype", NULL);
    expect_error(ridge("eval", "-m", m, "--token-ids", t, "--sensitivity", "layer", "--dtype", "q4g32",
                     "--ref", m, NULL),
        2, "--ref", NULL);
    expect_error(
        ridge("eval", "-m", m, "--token-ids", t, "-o", "csv", NULL), 2, "-o", "text, md, json", NULL);
    expect_error(ridge("eval", "-m", m, "--token-ids", t, "--ref-dtype", "q5", NULL), 2, "q5", NULL);
    expect_error(
        ridge("eval", "-m", m, "--token-ids", t, "--ref", scratch("nowhere"), NULL), 3, "nowhere", NULL);
    char demo[1024];
    project_file(demo, sizeof demo, "weights/demo");
    expect_error(
        ridge("eval", "-m", m, "--token-ids", t, "--ref", demo, NULL), 2, "vocabulary", "2048", "512", NULL);
}

/* Interrupted: the windows scored until then are reported, with exit code 130. */
static void interrupted(void **state)
{
    (void)state;
    output o = ridge_with(&(run_opts){.sigint_after_ms = 400}, "eval", "--stride", "1", "-o", "json", NULL);
    assert_int_equal(o.code, 130);
    json_t *j = json_loads(o.out, 0, NULL);
    assert_true(json_is_true(json_object_get(j, "interrupted")));
    json_decref(j);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trained_models_have_the_reference_perplexity),
        cmocka_unit_test(demo_perplexity), cmocka_unit_test(strides), cmocka_unit_test(divergence),
        cmocka_unit_test(price_of_activations), cmocka_unit_test(the_answer_first),
        cmocka_unit_test(names_where_a_number_broke), cmocka_unit_test(refusals),
        cmocka_unit_test(interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
