/* `ridge run`: the expected texts, dumps of logits and tokens, and Ctrl-C. */
#include "run_program.h"

static char *data(const char *rel, size_t *n)
{
    char path[1024];
    if (!optional_data(path, sizeof path, rel)) skip();
    return read_all(path, n);
}

static void texts_of_trained_models(void **state)
{
    (void)state;
    static const struct {
        const char *model, *tokenizer, *prompt, *n, *expected;
    } cases[] = {
        {"gguf/stories260K.gguf", NULL, NULL, "200", "stories260K/expected_t0_n200.stdout.txt"},
        {"stories260K/stories260K.bin", "stories260K/tok512.bin", NULL, "200",
            "stories260K/expected_t0_n200.stdout.txt"},
        {"stories260K/stories260K_v1.bin", "stories260K/tok512.bin", NULL, "200",
            "stories260K/expected_t0_n200.stdout.txt"},
        {"stories260K/stories260K_v1.bin", "stories260K/tok512.model", NULL, "64",
            "stories260K/expected_t0_n64.stdout.txt"},
        {"tinystories-656k-hf", NULL, "Once upon a time", "200", "tinystories-656k-hf/ref_greedy.txt"},
        {"gguf/TinyStories-656K.f16.gguf", NULL, "Once upon a time", "200",
            "tinystories-656k-hf/ref_greedy.txt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char model[1024], tok[1024];
        char *want = data(cases[i].expected, NULL);
        if (!optional_data(model, sizeof model, cases[i].model) ||
            (cases[i].tokenizer && !optional_data(tok, sizeof tok, cases[i].tokenizer))) {
            free(want);
            skip();
        }
        for (int isa = 0; isa < 2; isa++) { /* as it comes, and in plain C */
            output o = ridge("run", "-m", model, "--temp", "0", "-n", cases[i].n, "--kernel",
                isa ? "c" : "auto", "-p", cases[i].prompt ? cases[i].prompt : "",
                cases[i].tokenizer ? "-z" : "--quiet", cases[i].tokenizer ? tok : "--quiet", NULL);
            expect_ok(&o);
            if (strcmp(o.out, want) != 0)
                fail_msg("%s with %s prints\n%s\nexpected\n%s", cases[i].model,
                    cases[i].tokenizer ? cases[i].tokenizer : "its own tokenizer", o.out, want);
            done(&o);
        }
        free(want);
    }
}

static double worst(const float *a, const float *b, size_t n)
{
    double w = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= w)) w = d;
    }
    return w;
}

/* Row i after input token i: the prompt, then the generated tokens but for the last. */
static void dumps_of_trained_models(void **state)
{
    (void)state;
    static const struct {
        const char *dtype, *kv;
        double bound;
    } cases[] = {{"f32", "f32", 1e-4}, {"f16", "f32", 2e-2}};
    char model[1024], ids[1024];
    size_t n;
    float *ref = (float *)(void *)data("stories260K/ref_greedy256_f64.logits.f32", &n);
    if (!optional_data(model, sizeof model, "stories260K/stories260K.bin") ||
        !optional_data(ids, sizeof ids, "stories260K/ref_greedy256_runc.tokens.i32")) {
        free(ref);
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int b = 0; b < 2; b++) {
            size_t bytes;
            const char *dump = scratch("logits.f32");
            output o = ridge("run", "-m", model, "--token-ids", ids, "-n", "1", "--temp", "0", "--dtype",
                cases[i].dtype, "-ctk", cases[i].kv, "-ctv", cases[i].kv, "--dump-logits", dump, "-b",
                b ? "100" : "2048", "-ub", b ? "33" : "512", NULL);
            expect_ok(&o);
            done(&o);
            float *got = read_all(dump, &bytes);
            assert_int_equal(bytes, n);
            const double w = worst(got, ref, n / 4);
            if (!(w <= cases[i].bound))
                fail_msg("%s: logits differ by %g, bound %g", cases[i].dtype, w, cases[i].bound);
            free(got);
        }
    free(ref);
}

/* The demo checkpoint is what runs without -m; its dump is the golden one, for prompt and generated tokens
 * alike. */
static void the_demo_runs(void **state)
{
    (void)state;
    char path[1024];
    size_t n, n_ids, bytes;
    float *ref = read_all(project_file(path, sizeof path, "tests/data/demo_golden/logits.f32"), &n);
    int32_t *ids = read_all(project_file(path, sizeof path, "tests/data/demo_golden/tokens.i32"), &n_ids);
    const size_t tokens = n_ids / 4, vocab = n / 4 / tokens;
    char count[16];
    output a = ridge("run", "-p", "Once upon a time", "--temp", "0", "-n", "20", NULL);
    expect_ok(&a);
    assert_int_equal(strncmp(a.out, "Once upon a time", 16), 0);
    assert_true(a.n_out > 40 && a.out[a.n_out - 1] == '\n');
    static const char *const timings[] = {"load time =", "prompt eval time =", "eval time =",
        "sampling time =", "total time =", "tokens per second"};
    for (size_t i = 0; i < sizeof timings / sizeof *timings; i++)
        if (!strstr(a.err, timings[i])) fail_msg("no '%s' in:\n%s", timings[i], a.err);
    done(&a);
    /* five tokens of prompt: <s> Once upon a time */
    snprintf(count, sizeof count, "%zu", tokens - 5 + 1);
    output o = ridge("run", "-p", "Once upon a time", "--temp", "0", "-n", count, "-ctk", "f32", "-ctv",
        "f32", "--dump-logits", scratch("demo.f32"), "--dump-tokens", scratch("demo.i32"), NULL);
    expect_ok(&o);
    done(&o);
    int32_t *got_ids = read_all(scratch("demo.i32"), &bytes);
    assert_int_equal(bytes, n_ids + 4);
    assert_memory_equal(got_ids, ids, n_ids);
    float *got = read_all(scratch("demo.f32"), &bytes);
    assert_int_equal(bytes, tokens * vocab * 4);
    const double w = worst(got, ref, tokens * vocab);
    if (!(w <= 1e-3)) fail_msg("logits differ by %g, bound 1e-3", w);
    free(got);
    free(got_ids);
    free(ref);
    free(ids);
}

static void same_seed_same_text(void **state)
{
    (void)state;
    const char *const more[][2] = {
        {"-t", "1"}, {"-t", sysconf(_SC_NPROCESSORS_ONLN) > 1 ? "2" : "1"}, {"-ub", "3"}, {"-b", "2"}};
    output first = ridge("run", "-p", "A small boy", "-n", "40", "-s", "7", "--quiet", NULL);
    expect_ok(&first);
    output other = ridge("run", "-p", "A small boy", "-n", "40", "-s", "8", "--quiet", NULL);
    assert_string_not_equal(first.out, other.out);
    done(&other);
    for (int i = 0; i < 2; i++) { /* threads do not change a bit; chunks may */
        output o =
            ridge("run", "-p", "A small boy", "-n", "40", "-s", "7", "--quiet", more[i][0], more[i][1], NULL);
        assert_string_equal(o.out, first.out);
        done(&o);
    }
    for (int i = 2; i < 4; i++) {
        output o =
            ridge("run", "-p", "A small boy", "-n", "40", "-s", "7", "--quiet", more[i][0], more[i][1], NULL);
        expect_ok(&o);
        done(&o);
    }
    done(&first);
}

static void prompts_from_files(void **state)
{
    (void)state;
    write_bytes(scratch("prompt.txt"), "A small boy", 11);
    write_bytes(scratch("line.txt"), "A small boy\n", 12);
    output a = ridge("run", "-p", "A small boy", "-n", "8", "--temp", "0", "--quiet", NULL);
    /* piped in, as echo writes it */
    output d = ridge_with(
        &(run_opts){.in_path = scratch("line.txt")}, "run", "-n", "8", "--temp", "0", "--quiet", NULL);
    assert_string_equal(a.out, d.out);
    done(&d);
    /* not read where a prompt is given */
    d = ridge_with(&(run_opts){.in_path = scratch("line.txt")}, "run", "-p", "A small boy", "-n", "8",
        "--temp", "0", "--quiet", NULL);
    assert_string_equal(a.out, d.out);
    done(&d);
    write_bytes(scratch("zero.txt"), "A\0B", 3);
    expect_error(ridge_with(&(run_opts){.in_path = scratch("zero.txt")}, "run", "-n", "8", NULL), 3,
        "standard input", "byte 1 is 0", NULL);
    output b = ridge("run", "-f", scratch("prompt.txt"), "-n", "8", "--temp", "0", "--quiet", NULL);
    output c = ridge_with(&(run_opts){.in_path = scratch("prompt.txt")}, "run", "-f", "-", "-n", "8",
        "--temp", "0", "--quiet", NULL);
    expect_ok(&a);
    assert_string_equal(a.out, b.out);
    assert_string_equal(a.out, c.out);
    assert_int_equal(a.n_err, 0);
    done(&a), done(&b), done(&c);
}

/* 0: the prompt alone; -1: up to the end of the context, which is no error. */
static void lengths_of_answers(void **state)
{
    (void)state;
    output o = ridge("run", "-m", tiny_model(), "-p", "x", "-n", "0", NULL);
    expect_ok(&o);
    assert_string_equal(o.out, "x\n");
    assert_non_null(strstr(o.err, "prompt eval time"));
    done(&o);
    o = ridge("run", "-m", tiny_model(), "-p", "x", "-n", "-1", "-c", "12", "--ignore-eos", "--dump-tokens",
        scratch("full.i32"), NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.err, "the context of 12 tokens is full"));
    done(&o);
    size_t n;
    free(read_all(scratch("full.i32"), &n));
    assert_int_equal(n, 12 * 4);
}

/* On demand the prompt stands out, and nothing else does; NO_COLOR and pipes have no colours of their own. */
static void colours(void **state)
{
    (void)state;
    output o = ridge("run", "-p", "Once", "-n", "2", "--quiet", "--color", NULL);
    expect_ok(&o);
    assert_int_equal(strncmp(o.out, "\033[33mOnce\033[0m", 13), 0);
    assert_null(strchr(o.out + 13, '\033'));
    done(&o);
    o = ridge("run", "-p", "Once", "-n", "2", "--quiet", "--color", "auto", NULL);
    assert_int_equal(strncmp(o.out, "Once", 4), 0);
    done(&o);
}

static void every_type_runs(void **state)
{
    (void)state;
    static const char *const types[] = {"f32", "f16", "bf16", "q8g32", "q4g32", "q4g64", "q4g128", "q4g32m",
        "q4g64m", "q4g128m", "q8g32k", "q6g16k", "q5g32m", "q5g32mk", "q4g16mk", "q4g32mk"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        output o = ridge("run", "-p", "Once upon a time", "-n", "12", "--temp", "0", "--dtype", types[i],
            i % 2 ? "--quantize-head" : "--ignore-eos", "-fa", i % 3 ? "on" : "off", "-ctk",
            i % 4 ? "f16" : "q8_0", NULL);
        expect_ok(&o);
        assert_non_null(strstr(o.err, types[i]));
        assert_int_equal(strncmp(o.out, "Once upon a time", 16), 0);
        done(&o);
    }
}

/* The text so far, its timings, and 130. */
static void interrupted(void **state)
{
    (void)state;
    const char *path = scratch("slow");
    output o = ridge("synth", "--dims", "hidden=256,layers=8,heads=4,kv_heads=2,ffn=1024,vocab=512,ctx=8192",
        "--dtype", "f16", "-o", path, NULL);
    expect_ok(&o);
    done(&o);
    const run_opts mid = {.sigint_after_bytes = 40};
    o = ridge_with(&mid, "run", "-m", path, "-p", "Once upon a time", "-n", "8000", "--ignore-eos",
        "--dump-logits", scratch("stopped.f32"), NULL);
    assert_int_equal(o.code, 130);
    assert_true(o.n_out >= 40 && o.n_out < 100000);
    assert_non_null(strstr(o.err, "eval time"));
    assert_non_null(strstr(o.err, "interrupted"));
    assert_false(file_exists(scratch("stopped.f32")));
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_of_trained_models),
        cmocka_unit_test(dumps_of_trained_models), cmocka_unit_test(the_demo_runs),
        cmocka_unit_test(same_seed_same_text), cmocka_unit_test(prompts_from_files),
        cmocka_unit_test(lengths_of_answers), cmocka_unit_test(colours), cmocka_unit_test(every_type_runs),
        cmocka_unit_test(interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
