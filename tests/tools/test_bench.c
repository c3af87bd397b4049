/* `ridge bench` end to end: tests and settings that lists span, numbers that follow from each other, four
 * formats, Ctrl-C, refusals. */
#include "json_util.h"

#include <sys/wait.h>

static json_t *bench_json(output *o)
{
    expect_ok(o);
    json_t *j = parse(o);
    assert_string_equal(text(j, "schema"), "ridge.bench");
    return j;
}

/* What must hold between the fields of a result. */
static void check_result(const json_t *r)
{
    const json_t *ns = json_object_get(r, "samples_ns"), *ts = json_object_get(r, "samples_ts");
    const double tokens = number(r, "tokens"), n = number(r, "samples"), median = number(r, "median_ns");
    assert_true(n >= 1.0 && json_array_size(ns) == (size_t)n && json_array_size(ts) == (size_t)n);
    assert_true(tokens == (number(r, "n_prompt") + number(r, "n_gen")) * number(r, "n_seq"));
    double mean = 0.0, mean_ts = 0.0, least = INFINITY, most = 0.0;
    for (size_t i = 0; i < (size_t)n; i++) {
        const double t = json_number_value(json_array_get(ns, i)),
                     s = json_number_value(json_array_get(ts, i));
        assert_true(fabs(s - 1e9 * tokens / t) < 1e-6 * s);
        mean += t / n, mean_ts += s / n;
        least = fmin(least, t), most = fmax(most, t);
    }
    assert_true(fabs(mean - number(r, "avg_ns")) <= 1.0 + 1e-6 * mean);
    assert_true(fabs(mean_ts - number(r, "avg_ts")) < 1e-6 * mean_ts);
    assert_true(median >= least && median <= most);
    assert_true(fabs(number(r, "median_ts") - 1e9 * tokens / median) < 1e-6 * number(r, "median_ts"));
    if (n >= 3.0)
        assert_true(number(r, "ci95_low_ts") <= number(r, "median_ts") &&
            number(r, "median_ts") <= number(r, "ci95_high_ts"));
    if (n < 3.0) assert_true(json_is_null(json_object_get(r, "ci95_low_ts")));
    assert_true(number(r, "flop") > 0.0 && number(r, "bytes_counted") >= number(r, "bytes_analytic"));
    assert_true(fabs(number(r, "gflops") - number(r, "flop") / median) < 1e-6 * number(r, "gflops"));
    assert_true(fabs(number(r, "gbps") - number(r, "bytes_counted") / median) < 1e-6 * number(r, "gbps"));
    assert_true(
        fabs(number(r, "ai") * number(r, "bytes_counted") - number(r, "flop")) < 1e-6 * number(r, "flop"));
    const double ideal = number_or_null(r, "ideal_ns");
    if (isfinite(ideal))
        assert_true(fabs(number(r, "roof_fraction") - ideal / median) < 1e-6 * number(r, "roof_fraction"));
}

static const json_t *result_of(const json_t *j, const char *test, const char *setting)
{
    const json_t *r;
    size_t i;
    json_array_foreach (json_object_get(j, "results"), i, r)
        if (strcmp(text(r, "test"), test) == 0 && (!setting || strcmp(text(r, "setting"), setting) == 0))
            return r;
    fail_msg("no result of %s, %s", test, setting ? setting : "any setting");
    return NULL;
}

static void lists_span_tests(void **state)
{
    (void)state;
    output o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "-p", "8-32*2,5", "-n", "4",
        "-n", "6", "-pg", "8,4", "-d", "0-64+64", "-B", "1,3", "-r", "3", "-ctk", "f16", "-ctv", "f16", "-o",
        "json", NULL);
    json_t *j = bench_json(&o);
    const json_t *all = json_object_get(j, "results"), *r;
    size_t i;
    assert_int_equal(json_array_size(all), 2 * (4 + 2 * 2 + 1 * 2));
    json_array_foreach (all, i, r) {
        check_result(r);
        assert_true(number(r, "samples") == 3.0);
    }
    static const char *const names[] = {"pp8", "pp16", "pp32", "pp5", "tg4", "tg6 x3", "pp8+tg4",
        "pp8+tg4 x3", "pp32 @ d64", "tg4 x3 @ d64", "pp8+tg4 @ d64"};
    for (i = 0; i < sizeof names / sizeof *names; i++) result_of(j, names[i], NULL);

    /* at depth 64 each of the 4 tokens reads 64 more positions: 2 layers x 2 KV heads x (16 + 16) halves
     * each */
    const json_t *flat = result_of(j, "tg4", NULL), *deep = result_of(j, "tg4 @ d64", NULL),
                 *three = result_of(j, "tg4 x3", NULL), *far = result_of(j, "tg4 x3 @ d64", NULL);
    const double kv = 4.0 * 64 * 2 * 2 * (16 + 16) * 2;
    assert_true(number(deep, "bytes_analytic") - number(flat, "bytes_analytic") == kv);
    assert_true(number(far, "bytes_analytic") - number(three, "bytes_analytic") == 3.0 * kv);
    /* three sequences do three times the work and stream the weights once */
    assert_true(number(three, "tokens") == 12.0);
    assert_true(number(three, "flop") == 3.0 * number(flat, "flop"));
    assert_true(number(three, "bytes_analytic") < 1.5 * number(flat, "bytes_analytic"));
    /* a prompt and its continuation together: the sum of both alone, but for where the tokens stand */
    const json_t *both = result_of(j, "pp8+tg4", NULL);
    assert_true(number(both, "flop") > number(result_of(j, "pp8", NULL), "flop") + number(flat, "flop"));
    assert_true(json_array_size(json_object_get(j, "verdict")) >= 1);
    json_decref(j);
    done(&o);
}

/* More decode steps than are recorded, and a prompt in chunks: what is scaled up is what a whole recording
 * says. */
static void long_tests_scale(void **state)
{
    (void)state;
    output o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "-p", "100", "-b", "30,100",
        "-n", "64,192", "-r", "1", "-ctk", "f16", "-ctv", "f16", "-o", "json", NULL);
    json_t *j = bench_json(&o);
    const json_t *a = result_of(j, "tg64", "b=100"), *b = result_of(j, "tg192", "b=100");
    /* weights and so on grow with the tokens, the cache with the sum of 1 .. n */
    const double step = 2 * 2 * (16 + 16) * 2, cache = step * (192.0 * 193 / 2 - 3.0 * 64 * 65 / 2),
                 rest = number(b, "bytes_analytic") - 3.0 * number(a, "bytes_analytic");
    assert_true(fabs(rest - cache) < 1e-3 * cache);
    /* four calls of a prompt read the weights of the layers, f32, three times more than one call */
    const double weights = 4.0 * 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96);
    assert_true(number(result_of(j, "pp100", "b=30"), "bytes_analytic") -
            number(result_of(j, "pp100", "b=100"), "bytes_analytic") >
        3.0 * weights);
    json_decref(j);
    done(&o);
}

static void settings_are_compared(void **state)
{
    (void)state;
    const char *other = copy_of_tiny("other");
    char two[600];
    snprintf(two, sizeof two, "%s,%s", tiny_model(), other);
    output o = ridge("bench", "-m", two, "--machine", machine_file(), "--dtype", "f16,q4g32", "-t", "1-2",
        "--oversubscribe", "-fa", "0,1", "-p", "8", "-n", "0", "-r", "3", "-o", "json", NULL);
    json_t *j = bench_json(&o);
    const json_t *r;
    size_t i;
    assert_int_equal(json_array_size(json_object_get(j, "results")), 2 * 2 * 2 * 2);
    assert_true(json_is_true(json_object_get(json_object_get(j, "run"), "interleaved")));
    json_array_foreach (json_object_get(j, "results"), i, r) {
        check_result(r);
        assert_true(number(r, "n_threads") == (double)(1 + i / 2 % 2));
        assert_int_equal(json_is_true(json_object_get(r, "flash_attn")), i % 2);
        assert_string_equal(text(r, "dtype"), i / 4 % 2 ? "q4g32" : "f16");
        assert_string_equal(text(r, "model_filename"), i / 8 ? other : tiny_model());
    }
    const json_t *f16 = result_of(j, "pp8", "tiny f16 t=1 fa=on"),
                 *q4 = result_of(j, "pp8", "other q4g32 t=2 fa=off");
    assert_true(number(q4, "model_size") < number(f16, "model_size"));
    assert_true(json_array_size(json_object_get(j, "verdict")) > 10); /* each against the first */
    json_decref(j);
    done(&o);
    o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32", "-p", "8",
        "-n", "4", "-r", "3", "-o", "md", NULL);
    expect_ok(&o);
    static const char *const words[] = {"| model", "| backend", "| test", "t/s", "\xc2\xb1", "tiny q4g32",
        "tiny f32", "MBU", "roof", "noise:"};
    for (i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(o.out, words[i])) fail_msg("no '%s' in the table", words[i]);
    assert_null(strstr(o.out, "nan"));
    done(&o);
}

/* One setting says how fast, two which is faster; a row each, within the width. */
static void the_answer_first(void **state)
{
    (void)state;
#define TWO tiny_model(), "--machine", machine_file(), "-p", "8", "-n", "4", "-r", "6", "--dtype"
    output o = ridge("bench", "-m", TWO, "f16", NULL);
    expect_ok(&o);
    assert_ptr_equal(strstr(o.out, "tiny f16 writes "), o.out);
    assert_non_null(strstr(o.out, "95 % interval"));
    assert_non_null(strstr(o.out, "of its roof"));
    done(&o);
    o = ridge("bench", "-m", TWO, "f32,f16", NULL);
    expect_ok(&o);
    assert_ptr_equal(strstr(o.out, "tg4: "), o.out);
    assert_non_null(strstr(o.out, "against "));
    assert_null(strstr(o.out, "| "));
    for (const char *l = o.out; *l; l += strcspn(l, "\n") + 1) assert_true(strcspn(l, "\n") <= 100);
    done(&o);
    o = ridge("bench", "-m", TWO, "f32,f16,q8g32,q4g32,q4g64,q4g128", "--wide", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "| model"));
    done(&o);
    o = ridge("bench", "-m", TWO, "f32,f16,q8g32,q4g32,q4g64,q4g128", NULL);
    expect_ok(&o);
    /* as the noise of this moment is */
    assert_true(strstr(o.out, ", the fastest, runs ") || strstr(o.out, " cannot be told apart (ratio "));
    assert_non_null(strstr(o.out, "2 rows more with --wide"));
    done(&o);
#undef TWO
}

static void four_formats(void **state)
{
    (void)state;
    static const char *const formats[] = {"json", "jsonl", "sql", "csv"};
    char path[4][256], cmd[2048];
    for (int i = 0; i < 4; i++) {
        snprintf(path[i], sizeof path[i], "%s", scratch(formats[i]));
        const run_opts to = {.out_path = path[i]};
        output o = ridge_with(&to, "bench", "-m", tiny_model(), "--machine", machine_file(), "--dtype",
            "f32,q4g32", "-p", "8", "-n", "4", "-r", i ? "2" : "3", "-o", formats[i], NULL);
        expect_ok(&o);
        done(&o);
    }
    snprintf(cmd, sizeof cmd,
        "python3 '%s/tests/tools/check_bench.py' '%s/bench.schema.json' '%s' '%s' '%s' '%s'",
        RIDGE_SOURCE_DIR, RIDGE_SCHEMAS, path[0], path[1], path[2], path[3]);
    const int rc = system(cmd);
    if (WIFEXITED(rc) && (WEXITSTATUS(rc) == 77 || WEXITSTATUS(rc) == 127)) {
        print_message("SKIPPED: the check of the formats needs python3 with jsonschema\n");
        skip();
    }
    assert_int_equal(rc, 0);
}

static void defaults_fit_the_model(void **state)
{
    (void)state;
    output o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "-r", "1", "--no-warmup", "-o",
        "json", NULL);
    json_t *j = bench_json(&o);
    assert_int_equal(json_array_size(json_object_get(j, "results")), 2);
    result_of(j, "pp128", "default"); /* half of 256 */
    result_of(j, "tg128", "default");
    json_decref(j);
    done(&o);
}

/* One sample deviates from nothing. */
static void one_sample(void **state)
{
    (void)state;
    output o = ridge(
        "bench", "-m", tiny_model(), "--machine", machine_file(), "-p", "8", "-n", "0", "-r", "1", NULL);
    expect_ok(&o);
    assert_null(strstr(o.out, "\xc2\xb1"));
    assert_non_null(strstr(o.out, "one sample deviates from nothing"));
    done(&o);
    o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,f32", "-p", "8", "-n",
        "0", "-r", "1", "-o", "json", NULL);
    json_t *j = bench_json(&o);
    const json_t *r = json_array_get(json_object_get(j, "results"), 0);
    static const char *const none[] = {"stddev_ns", "stddev_ts", "spread", "ci95_low_ts"};
    for (int i = 0; i < 4; i++) assert_true(isnan(number_or_null(r, none[i])));
    json_decref(j);
    done(&o);
}

static void interrupted(void **state)
{
    (void)state;
    const run_opts stop = {.sigint_after_ms = 2500};
    output o = ridge_with(&stop, "bench", "-m", tiny_model(), "--machine", machine_file(), "-p", "8", "-n",
        "8", "-r", "1000", "-o", "json", NULL);
    assert_int_equal(o.code, 130);
    json_t *j = parse(&o);
    assert_true(json_is_true(json_object_get(json_object_get(j, "run"), "interrupted")));
    const json_t *r;
    size_t i;
    assert_true(json_array_size(json_object_get(j, "results")) >= 1);
    json_array_foreach (json_object_get(j, "results"), i, r) {
        check_result(r);
        assert_true(number(r, "samples") < 1000.0);
    }
    json_decref(j);
    done(&o);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        /* option, value, two words of the message */
        {"-p", "x", "-p", "expected"},
        {"-p", "8-4", "8-4", "first <= last"},
        {"-p", "1,,2", "-p", "empty"},
        {"-p", "1-8*1", "1-8*1", "expected"},
        {"-p", "0-8*2", "0-8*2", "begins at 1"},
        {"-p", "1-9+0", "1-9+0", "expected"},
        {"-p", "1-9000", "-p", "more than 4096"},
        {"-p", "-4", "-p", "expected"},
        {"-p", "99999999999999999999", "-p", "expected"},
        {"-pg", "8", "-pg", "512,128"},
        {"-pg", "8,0", "-pg", "from 1"},
        {"-B", "0", "-B", "from 1"},
        {"-t", "0", "--threads", "from 1"},
        {"-t", "1,1025", "--threads", "1024"},
        {"--dtype", "f16,q5", "--dtype", "q5"},
        {"-ctk", "f16,q4_0", "-ctk", "q4_0"},
        {"-fa", "2", "-fa", "expected"},
        {"--act", "f99", "--act", "f99"},
        {"--huge-pages", "2M", "--huge-pages", "expected"},
        {"-r", "0", "-r", "expected"},
        {"-o", "xml", "-o", "jsonl"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *c = cases[i];
        expect_error(ridge("bench", "-m", tiny_model(), "-p", "8", c[0], c[1], NULL), 2, c[2], c[3], NULL);
    }
    expect_error(ridge("bench", "-m", tiny_model(), "-p", "0", "-n", "0", NULL), 2, "no tests", NULL);
    expect_error(ridge("bench", "-m", "no-such-model", NULL), 3, "no-such-model", NULL);
    expect_error(ridge("bench", "surplus", NULL), 2, "surplus", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_span_tests), cmocka_unit_test(long_tests_scale),
        cmocka_unit_test(settings_are_compared), cmocka_unit_test(the_answer_first),
        cmocka_unit_test(four_formats), cmocka_unit_test(defaults_fit_the_model),
        cmocka_unit_test(one_sample), cmocka_unit_test(interrupted), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
