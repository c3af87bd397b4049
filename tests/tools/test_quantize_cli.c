/* ridge quantize: what it writes, read back by an independent script and by the engine; refusals; nothing
 * half-written. */
#include "run_program.h"

#include <dirent.h>

static const char *demo(void)
{
    static char path[1024];
    return project_file(path, sizeof path, "weights/demo");
}

static int entries(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static const char *tokens_of(const char *model, int n)
{
    const char *path = scratch("prompt.i32");
    int32_t t[64];
    rg_rng r = {(uint64_t)n};
    (void)model;
    t[0] = 1;
    for (int i = 1; i < n; i++) t[i] = (int32_t)rng_in(&r, 3, 511);
    write_bytes(path, t, sizeof *t * (size_t)n);
    return path;
}

static void dump(const char *model, const char *tokens, const char *logits, const char *dtype)
{
    output o = ridge("run", "-m", model, "--token-ids", tokens, "-n", "1", "--temp", "0", "--dump-logits",
        logits, "-ctk", "f32", "-ctv", "f32", "-t", "2", "--oversubscribe", "--pin", "off", "--ignore-eos",
        dtype ? "--dtype" : NULL, dtype, NULL);
    expect_ok(&o);
    done(&o);
}

static int check_with_python(const char *model, const char *tokens, const char *logits)
{
    char cmd[4000];
    snprintf(cmd, sizeof cmd, "/usr/bin/python3 '%s/tests/tools/check_quantised.py' '%s' '%s' '%s' 3e-4",
        RIDGE_SOURCE_DIR, model, tokens, logits);
    return WEXITSTATUS(system(cmd));
}

/* Every format and kind of grid, dequantised by a script that shares no code with us: the logits agree to
 * 3e-4 of their range (products with quantised weights may take activations as two planes of 8 bits). */
static void an_independent_reader_agrees(void **state)
{
    (void)state;
    static const struct {
        const char *out, *dtype, *head;
    } cases[] = {{"q4_0.gguf", "q4g32", NULL}, {"q4_1.gguf", "q4g32m", "--quantize-head"},
        {"q8_0.gguf", "q8g32", "--quantize-head"}, {"g32", "q4g32", NULL},
        {"g64h", "q4g64", "--quantize-head"}, {"g32m", "q4g32m", NULL}, {"q8", "q8g32", NULL}};
    const char *models[] = {tiny_model(), demo()};
    for (int m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (m == 1 && i != 0 && i != 4) continue;
            char name[64];
            snprintf(name, sizeof name, "%d-%s", m, cases[i].out);
            const char *out = scratch(name), *tokens = tokens_of(models[m], 40),
                       *logits = scratch("logits.f32");
            /* rows of 96 inputs hold no group of 64: those matrices stay, which the script reads too */
            output o = ridge("quantize", "-m", models[m], "-o", out, "--dtype", cases[i].dtype, "-t", "2",
                "--oversubscribe", "--pin", "off", cases[i].head, NULL);
            expect_ok(&o);
            assert_non_null(strstr(o.out, "bits per weight"));
            done(&o);
            /* whole zero points become minimums in half precision when they are made resident: here the file
             * is judged, not that */
            dump(out, tokens, logits,
                strchr(cases[i].dtype, 'm') && !strchr(cases[i].out, '.') ? "f32" : NULL);
            const int code = check_with_python(out, tokens, logits);
            if (code == 77) skip();
            if (code != 0)
                fail_msg("%s: the independent reader does not agree (exit code %d)", cases[i].out, code);
        }
}

/* Q4_0 by clip search is what --dtype q4g32 makes at load: the same logits, bit for bit. */
static void the_same_as_at_load(void **state)
{
    (void)state;
    const char *out = scratch("same.gguf"), *tokens = tokens_of(demo(), 30), *a = scratch("a.f32"),
               *b = scratch("b.f32");
    output o = ridge("quantize", "-o", out, "--dtype", "q4g32", NULL); /* no -m: the demo checkpoint */
    expect_ok(&o);
    done(&o);
    dump(out, tokens, a, NULL);
    dump(demo(), tokens, b, "q4g32");
    size_t n, k;
    char *x = read_all(a, &n), *y = read_all(b, &k);
    assert_int_equal(n, k);
    assert_true(n == 30 * 2048 * 4);
    assert_memory_equal(x, y, n);
    free(x), free(y);
}

/* The vocabulary inside a GGUF file gives the ids that tokenizer.json gives; nothing beside the file is
 * needed. */
static void the_vocabulary_goes_along(void **state)
{
    (void)state;
    char text[1024];
    const char *out = scratch("vocab.gguf");
    project_file(text, sizeof text, "weights/demo/heldout.txt");
    output o = ridge("quantize", "-m", demo(), "-o", out, "--dtype", "q8g32", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "tokenizer.json"));
    done(&o);
    output a = ridge("tokenize", "-m", out, "-f", text, NULL),
           b = ridge("tokenize", "-m", demo(), "-f", text, NULL);
    expect_ok(&a);
    expect_ok(&b);
    assert_true(a.n_out > 100000);
    assert_string_equal(a.out, b.out);
    done(&a), done(&b);
    /* a GGUF source keeps what it has */
    const char *synth = scratch("synth.gguf"), *again = scratch("again2.gguf");
    o = ridge("synth", "--dims", "hidden=64,layers=1,heads=2,kv_heads=2,ffn=64,vocab=512,ctx=64", "--dtype",
        "f16", "-o", synth, NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("quantize", "-m", synth, "-o", again, NULL);
    expect_ok(&o);
    done(&o);
    a = ridge("tokenize", "-m", again, "-p", "Hello you", NULL);
    b = ridge("tokenize", "-m", synth, "-p", "Hello you", NULL);
    assert_string_equal(a.out, b.out);
    assert_true(a.n_out > 0);
    done(&a), done(&b);
}

static double mean_kld(const char *model, const char *ref)
{
    char text[1024];
    output o = ridge("eval", "-m", model, "--ref", ref, "-f",
        project_file(text, sizeof text, "weights/demo/heldout.txt"), "-c", "256", "--score", "all",
        "--chunks", "6", "-o", "json", "-t", "2", "--oversubscribe", "--pin", "off", NULL);
    expect_ok(&o);
    json_t *j = json_loads(o.out, 0, NULL);
    const double kld = json_number_value(
        json_object_get(json_object_get(json_object_get(j, "result"), "kld_nats"), "median"));
    json_decref(j);
    done(&o);
    return kld;
}

/* Calibrated methods on the demo checkpoint, all the way: the median divergence from the 16-bit model is
 * smaller than with plain rounding. */
static void calibration_helps(void **state)
{
    (void)state;
    double kld[3];
    static const char *const methods[] = {"rtn", "awq", "gptq"};
    for (int i = 0; i < 3; i++) {
        const char *out = scratch(methods[i]);
        output o = ridge("quantize", "-o", out, "--method", methods[i], "--dtype", "q4g128", "-t", "2",
            "--oversubscribe", "--pin", "off", i ? "--calib-tokens" : NULL, "4096", "-c", "256", NULL);
        if (i == 2 && o.code == 4) {
            print_message("SKIPPED: this build has no LAPACK\n");
            done(&o);
            skip();
        }
        expect_ok(&o);
        if (i) assert_non_null(strstr(o.out, "calibrated on 16 windows of 256 tokens"));
        done(&o);
        assert_true(entries(out) >= 4); /* config, weights, tokenizer, generation config */
        kld[i] = mean_kld(out, demo());
    }
    assert_true(kld[0] > 0.0);
    if (!(kld[1] < kld[0] && kld[2] < kld[0]))
        fail_msg("median KLD: rtn %g, awq %g, gptq %g", kld[0], kld[1], kld[2]);
}

static void keeping(void **state)
{
    (void)state;
    const char *out = scratch("kept");
    output o = ridge("quantize", "-m", tiny_model(), "-o", out, "--dtype", "q4g32", "--keep",
        "layer\\.0\\.|mlp\\.down_proj|attn_v$", NULL);
    expect_ok(&o);
    char path[700];
    snprintf(path, sizeof path, "%s/config.json", out);
    json_t *j = json_load_file(path, 0, NULL), *q = json_object_get(j, "quantization_config"),
           *ignore = json_object_get(q, "ignore");
    assert_int_equal(json_array_size(ignore), 7 + 2 + 1);
    bool head = false, down = false;
    for (size_t i = 0; i < json_array_size(ignore); i++) {
        head |= strcmp(json_string_value(json_array_get(ignore, i)), "lm_head") == 0;
        down |= strcmp(json_string_value(json_array_get(ignore, i)), "model.layers.1.mlp.down_proj") == 0;
    }
    assert_true(head && down);
    json_decref(j);
    assert_non_null(strstr(o.out, "kept (--keep)"));
    done(&o);
    expect_error(ridge("quantize", "-m", tiny_model(), "-o", scratch("none"), "--keep", ".", NULL), 2,
        "--keep", "nothing", NULL);
    expect_error(ridge("quantize", "-m", tiny_model(), "-o", scratch("none"), "--keep", "(", NULL), 2,
        "--keep", "expression", NULL);
    assert_false(file_exists(scratch("none")));
}

static void refusals(void **state)
{
    (void)state;
    const char *m = tiny_model(), *full = copy_of_tiny("full"), *gguf = scratch("x.gguf");
    expect_error(ridge("quantize", "-m", m, NULL), 2, "-o", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", full, NULL), 2, "not empty", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", gguf, "--dtype", "q4g64", NULL), 4, "GGUF", "q4g32", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", gguf, "--dtype", "f16", NULL), 2, "--dtype", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", gguf, "--method", "magic", NULL), 2, "--method",
        "rtn, mse, awq, gptq", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", gguf, "--method", "awq", NULL), 2, "--calib", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", gguf, "--calib", "x", NULL), 2, "--calib", "mse", NULL);
    expect_error(
        ridge("quantize", "-m", m, "-o", gguf, "--method", "awq", "--calib", scratch("nowhere.txt"), NULL), 3,
        "nowhere.txt", NULL);
    expect_error(ridge("quantize", "-m", m, "-o", gguf, "--damp", "0.1", NULL), 2, "--damp", NULL);
    expect_error(
        ridge("quantize", "-m", m, "-o", scratch("no/such/place.gguf"), NULL), 3, "no/such/place.gguf", NULL);
    assert_false(file_exists(gguf));
    /* a source that is quantised already */
    output o = ridge("quantize", "-m", m, "-o", gguf, NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "tokenizer"));
    done(&o);
    expect_error(
        ridge("quantize", "-m", gguf, "-o", scratch("again.gguf"), NULL), 4, "quantised already", NULL);
    /* sinks and clamped gates, which no format here holds: from both formats, with and without a text */
    const char *oss[] = {scratch("oss"), scratch("oss.gguf"), scratch("oss-out"), scratch("oss-out.gguf")};
    char text[1024];
    project_file(text, sizeof text, "weights/demo/calibration.txt");
    for (int i = 0; i < 4; i++) {
        if (i < 2) {
            o = ridge("synth", "--shape", "gpt-oss-small", "-o", oss[i], NULL);
            expect_ok(&o);
            done(&o);
        }
        expect_error(ridge("quantize", "-m", oss[i % 2], "-o", oss[2 + i / 2], NULL), 4,
            "cannot be quantised into a file yet: use --dtype at load", NULL);
        expect_error(ridge("quantize", "-m", oss[i % 2], "-o", oss[2 + i / 2], "--method", "awq", "--calib",
                         text, NULL),
            4, "cannot be quantised into a file yet: use --dtype at load", NULL);
        assert_false(file_exists(oss[2 + i / 2]));
    }
    /* weights that a half-precision scale cannot express leave nothing behind */
    char file[700];
    snprintf(file, sizeof file, "%s/model.safetensors", full);
    FILE *f = fopen(file, "r+b");
    fseek(f, -64, SEEK_END);
    const float huge = 1e30f;
    for (int i = 0; i < 16; i++) fwrite(&huge, 4, 1, f);
    fclose(f);
    /* the last tensor of the file is blk.1.ffn_down */
    char dir[700];
    snprintf(dir, sizeof dir, "%s", full);
    *strrchr(dir, '/') = 0;
    const int n = entries(dir);
    expect_error(ridge("quantize", "-m", full, "-o", scratch("huge"), "--dtype", "q4g32", NULL), 4,
        "blk.1.ffn_down", "--keep", NULL);
    expect_error(ridge("quantize", "-m", full, "-o", scratch("huge.gguf"), NULL), 4, "blk.1.ffn_down", NULL);
    assert_int_equal(entries(dir), n);
}

/* A row for all experts of a layer, a line for those that few tokens chose; --wide has each. */
static void mixtures(void **state)
{
    (void)state;
    char text[1024];
    const char *synth = scratch("same.gguf"), *out = scratch("experts"), *wide = scratch("experts.gguf");
    project_file(text, sizeof text, "weights/demo/calibration.txt");
    output o = ridge("synth", "--shape", "olmoe-small", "--router", "same", "-o", synth, NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("quantize", "-m", synth, "-o", out, "--dtype", "q4g64", "--method", "awq", "--calib", text,
        "--calib-tokens", "256", "-c", "128", "-t", "2", "--oversubscribe", "--pin", "off", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "blk.0.ffn_up_exps, 16 experts"));
    assert_non_null(strstr(o.out, "router"));
    assert_non_null(strstr(o.out,
        "fewer than 128 of the calibration chose 48 experts (12 in layer 0, 12 in layer 1, 12 in layer 2, "
        "12 in layer 3); the fewest, 0, expert 4 of layer 0; 48 that none chose were rounded as by --method "
        "mse"));
    assert_null(strstr(o.out, "ffn_up_exps.4"));
    done(&o);
    o = ridge("quantize", "-m", synth, "-o", wide, "--method", "awq", "--calib", text, "--calib-tokens",
        "256", "-c", "128", "-t", "2", "--oversubscribe", "--pin", "off", "--wide", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "tokens"));
    assert_non_null(strstr(o.out, "blk.3.ffn_down_exps.15"));
    assert_null(strstr(o.out, "--wide lists them"));
    done(&o);
    /* both load again */
    for (int i = 0; i < 2; i++) {
        o = ridge("eval", "-m", i ? wide : out, "--ref", synth, "-z", i ? wide : synth, "-f", text, "-c",
            "64", "--chunks", "2", "-o", "json", "-t", "2", "--oversubscribe", "--pin", "off", NULL);
        expect_ok(&o);
        json_t *j = json_loads(o.out, 0, NULL);
        const double kld = json_number_value(
            json_object_get(json_object_get(json_object_get(j, "result"), "kld_nats"), "median"));
        assert_true(kld > 0.0 && kld < 0.01);
        json_decref(j);
        done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mixtures),
        cmocka_unit_test(an_independent_reader_agrees), cmocka_unit_test(the_same_as_at_load),
        cmocka_unit_test(the_vocabulary_goes_along), cmocka_unit_test(calibration_helps),
        cmocka_unit_test(keeping), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
