/* `ridge compare`: variants measured side by side, saved runs, both mixed; numbers that agree with each other
 * and with bench; --ablate. */
#include "json_util.h"

static const json_t *variant(const json_t *j, size_t i, const char *name)
{
    const json_t *v = json_array_get(json_object_get(j, "variants"), i);
    if (!v) fail_msg("no variant %zu", i);
    if (name) assert_string_equal(text(v, "name"), name);
    return v;
}

static bool said(const json_t *j, const char *a, const char *b)
{
    const json_t *s;
    size_t i;
    json_array_foreach (json_object_get(j, "verdict"), i, s)
        if (strstr(json_string_value(s), a) && strstr(json_string_value(s), b)) return true;
    return false;
}

static json_t *compare_json(output *o)
{
    expect_ok(o);
    json_t *j = parse(o);
    assert_string_equal(text(j, "schema"), "ridge.compare");
    return j;
}

/* Geometric mean of numbers, or of their ratios. */
static double mean_of(const json_t *x, const json_t *over)
{
    double sum = 0.0;
    const size_t n = json_array_size(x);
    assert_true(n > 0 && (!over || json_array_size(over) == n));
    for (size_t i = 0; i < n; i++) {
        const double a = json_number_value(json_array_get(x, i));
        sum += log(over ? a / json_number_value(json_array_get(over, i)) : a) / (double)n;
    }
    return exp(sum);
}

/* Gains are ratios of the speeds beside them, which are means over the loads; both lie in their intervals. */
static void check_phase(const json_t *base, const json_t *v, const char *phase, double tokens, size_t loads)
{
    const json_t *a = json_object_get(base, phase), *b = json_object_get(v, phase),
                 *x = json_object_get(a, "loads_ns"), *y = json_object_get(b, "loads_ns");
    assert_int_equal(json_array_size(x), loads);
    assert_true(json_array_size(json_object_get(b, "samples_ns")) >= loads);
    const double speed = number(b, "tokens_per_s"), gain = number(b, "gain");
    assert_true(fabs(speed - 1e9 * tokens / mean_of(y, NULL)) < 1e-6 * speed);
    assert_true(number(b, "tokens_per_s_low") <= speed && speed <= number(b, "tokens_per_s_high"));
    assert_true(fabs(gain - speed / number(a, "tokens_per_s")) < 1e-6 * gain);
    assert_true(fabs(gain - mean_of(x, y)) < 1e-6 * gain);
    assert_true(number(b, "gain_low") <= gain && gain <= number(b, "gain_high"));
    const double worth = number(b, "gain_expected"), reached = number(b, "gain_reached");
    assert_true(fabs(reached * worth - gain) < 1e-6 * gain);
    assert_true(number(b, "gain_expected_low") <= worth && worth <= number(b, "gain_expected_high"));
    assert_true(number(b, "gain_reached_low") <= reached && reached <= number(b, "gain_reached_high"));
    assert_true(
        fabs(number(b, "bytes_ratio") - number(a, "bytes_per_token") / number(b, "bytes_per_token")) < 1e-6);
}

/* A verdict claims a gain if its interval does not hold 1, and states the gain of the table. */
static void check_claim(const json_t *j, const json_t *v, const char *phase, const char *name)
{
    const json_t *p = json_object_get(v, phase), *line;
    const double gain = number(p, "gain");
    const bool apart = number(p, "gain_low") >= 1.005 || number(p, "gain_high") <= 0.995;
    char faster[96], not_told[96];
    size_t k;
    snprintf(faster, sizeof faster, "%s: %s runs ", phase, name);
    snprintf(not_told, sizeof not_told, "%s: %s and ", phase, name);
    assert_int_equal(said(j, faster, "times as fast as"), apart);
    assert_int_equal(said(j, not_told, "cannot be told apart"), !apart);
    json_array_foreach (json_object_get(j, "verdict"), k, line)
        if (strncmp(json_string_value(line), faster, strlen(faster)) == 0)
            assert_true(fabs(strtod(json_string_value(line) + strlen(faster), NULL) - gain) < 0.0051 * gain);
}

static void variants_of_lists(void **state)
{
    (void)state;
    const char *svg = scratch("pictures");
    output o = ridge("compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32", "-t",
        "1", "-p", "16", "-n", "8", "-r", "6", "-o", "json", "--svg", svg, NULL);
    json_t *j = compare_json(&o);
    const json_t *a = variant(j, 0, "f32"), *b = variant(j, 1, "q4g32");
    assert_int_equal(json_array_size(json_object_get(j, "variants")), 2);
    assert_true(number(b, "resident_bytes") < 0.6 * number(a, "resident_bytes"));
    assert_int_equal((int)number(j, "loads"), 6); /* one sample in each */
    check_phase(a, b, "prefill", 16.0, 6);
    check_phase(a, b, "decode", 8.0, 6);
    assert_true(number(json_object_get(b, "decode"), "bytes_ratio") > 1.5);
    check_claim(j, b, "prefill", "q4g32");
    check_claim(j, b, "decode", "q4g32");
    assert_true(said(j, "output matrix", "q4g32 streams"));
    assert_true(said(j, "decode: q4g32 streams", "times fewer weight bytes"));
    /* operators too: of the loads, with an interval */
    const json_t *op;
    size_t k;
    json_array_foreach (json_object_get(j, "operators"), k, op) {
        const double gain = number(op, "gain");
        assert_true(fabs(gain - number(op, "base_ns") / number(op, "ns")) < 1e-6 * gain);
        assert_true(number(op, "gain_low") <= gain && gain <= number(op, "gain_high"));
    }
    json_decref(j);
    done(&o);
    char file[300];
    snprintf(file, sizeof file, "%s/compare.svg", svg);
    assert_true(file_exists(file));
}

static void variants_as_arguments(void **state)
{
    (void)state;
    char second[300];
    snprintf(second, sizeof second, "%s:dtype=q8g32,ctk=f16,ctv=f16,fa=off", copy_of_tiny("other"));
    output o = ridge("compare", "-m", tiny_model(), ":t=1", second, ":isa=c", "--machine", machine_file(),
        "-p", "8", "-n", "4", "-d", "16", "-r", "3", "-o", "md", NULL);
    expect_ok(&o);
    static const char *const words[] = {"## prefill", "## decode", "## Verdict", "q8g32", "pp8 @ d16",
        "tg4 @ d16", "other", "fa=off", "t=1", "isa=c", "reached", "## operators"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(o.out, words[i])) fail_msg("no '%s' in the report", words[i]);
    assert_null(strstr(o.out, "nan"));
    done(&o);
}

/* --eval: the first variant has a perplexity, the others also a divergence from it; promises can be made
 * about both. */
static void what_variants_cost(void **state)
{
    (void)state;
    const char *path = scratch("text.txt");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 600; i++) fprintf(f, "the %d words ", i * 7919 % 97);
    assert_int_equal(fclose(f), 0);
    output o = ridge("compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32,f32",
        "-t", "1", "-p", "8", "-n", "0", "-r", "3", "-o", "json", "--eval", path, "--assert", "kld.mean<50",
        NULL);
    json_t *j = compare_json(&o);
    const json_t *list = json_object_get(j, "variants");
    const json_t *a = json_object_get(json_array_get(list, 0), "loss"),
                 *b = json_object_get(json_array_get(list, 1), "loss"),
                 *same = json_object_get(json_array_get(list, 2), "loss");
    assert_true(number(a, "ppl") > 1.0);
    assert_true(json_is_null(json_object_get(a, "kld_nats")));
    assert_true(number(json_object_get(b, "kld_nats"), "mean") > 1e-6);
    assert_true(number(b, "ref_ppl") == number(a, "ppl"));
    assert_true(number(b, "same_top") <= 1.0);
    /* the same weights: the same distribution */
    assert_true(fabs(number(json_object_get(same, "kld_nats"), "mean")) < 1e-9);
    assert_true(number(same, "same_top") == 1.0);
    assert_true(said(j, "loss: q4g32", "KL divergence"));
    json_decref(j);
    done(&o);
    o = ridge("compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32", "-p", "8",
        "-n", "0", "-r", "3", "--eval", path, "--assert", "kld.mean<1e-9", "-o", "md", NULL);
    assert_int_equal(o.code, 6);
    assert_non_null(strstr(o.out, "## loss"));
    done(&o);
    expect_error(ridge("compare", "-m", tiny_model(), "--ablate", "--eval", path, NULL), 2, "--eval", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), "--dtype", "f32,f16", "--eval", "nowhere.txt", "-p",
                     "4", "-n", "0", "-r", "1", NULL),
        3, "nowhere.txt", NULL);
}

/* What was saved is compared as it was measured, and mixes with what is measured now. */
static void saved_runs(void **state)
{
    (void)state;
    char profile[256], bench[256];
    snprintf(profile, sizeof profile, "%s", scratch("profile.json"));
    snprintf(bench, sizeof bench, "%s", scratch("bench.json"));
    output o = ridge_with(&(run_opts){.out_path = profile}, "profile", "-m", tiny_model(), "--machine",
        machine_file(), "--dtype", "f32,q4g32", "-p", "16", "-n", "8", "-r", "3", "-o", "json", NULL);
    expect_ok(&o);
    done(&o);
    o = ridge_with(&(run_opts){.out_path = bench}, "bench", "-m", tiny_model(), "--machine", machine_file(),
        "--dtype", "f32,q4g32", "-t", "1", "-p", "16", "-n", "8", "-r", "3", "-o", "json", NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("compare", profile, bench, "-o", "json", NULL);
    json_t *j = compare_json(&o);
    assert_int_equal(json_array_size(json_object_get(j, "variants")), 4);
    json_t *p = json_load_file(profile, 0, NULL), *b = json_load_file(bench, 0, NULL);
    const json_t *run = json_array_get(json_object_get(p, "runs"), 1),
                 *res = json_array_get(json_object_get(b, "results"), 3);
    const json_t *vp = variant(j, 1, "profile.json q4g32"), *vb = variant(j, 3, "bench.json q4g32");
    assert_true(number(json_object_get(vp, "decode"), "tokens_per_s") ==
        number(item(json_object_get(run, "phases"), "phase", "decode"), "tokens_per_s"));
    assert_string_equal(text(res, "test"), "tg8");
    assert_true(number(json_object_get(vb, "decode"), "tokens_per_s") == number(res, "median_ts"));
    assert_true(number(json_object_get(vb, "decode"), "mbu") == number(res, "mbu"));
    /* decode bytes do not depend on who measured */
    assert_true(fabs(number(json_object_get(vp, "decode"), "bytes_per_token") /
                        number(json_object_get(vb, "decode"), "bytes_per_token") -
                    1.0) < 0.2);
    check_claim(j, vp, "decode", "profile.json q4g32");
    check_claim(j, vb, "decode", "bench.json q4g32");
    assert_true(json_is_null(json_object_get(j, "loads")));
    assert_true(said(j, "output matrix", "profile.json q4g32 streams"));
    json_decref(j), json_decref(p), json_decref(b);
    done(&o);
    o = ridge("compare", bench, ":dtype=q4g32", "-m", tiny_model(), "--machine", machine_file(), "-p", "16",
        "-n", "8", "-r", "3", NULL);
    expect_ok(&o);
    done(&o);
}

static void ablation(void **state)
{
    (void)state;
    const char *path = scratch("wide"); /* heads of 32, so that the cache can be q8_0 */
    output o = ridge("synth", "--dims", "hidden=64,layers=2,heads=2,kv_heads=2,ffn=96,vocab=512,ctx=64",
        "--dtype", "f16", "-o", path, NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("compare", "-m", path, "--machine", machine_file(), "--ablate", "-t", "1", "--no-warmup", "-p",
        "8", "-n", "4", "-B", "4", "-r", "1", "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    assert_string_equal(text(j, "schema"), "ridge.ablate");
    output md = ridge("compare", "-m", path, "--machine", machine_file(), "--ablate", "-t", "1",
        "--no-warmup", "-p", "8", "-n", "4", "-B", "4", "-r", "1", "-o", "md", NULL);
    expect_ok(&md);
    assert_non_null(strstr(md.out, "| batching (tg4 x4) |"));
    assert_non_null(strstr(md.out, "fewer than three loads"));
    done(&md);
    const json_t *all = json_object_get(j, "switches"),
                 *results = json_object_get(json_object_get(j, "bench"), "results");
    assert_int_equal(json_array_size(all), 12); /* ten switches, batching, all together */
    assert_int_equal(json_array_size(results), 3 * (2 + 2 * 10));
    static const char *const names[] = {"INT4 weights", "q8_0 KV cache", "fused attention", "huge pages",
        "pinned threads", "fused activation", "fused additions", "fused rotation", "fused norms",
        "8-bit activations", "tg4 x4", "all together"};
    for (size_t i = 0; i < 12; i++) {
        const json_t *l = item(all, "name", names[i]);
        assert_true(number(json_object_get(l, "decode_alone"), "speedup") > 0.0);
        if (i < 10) assert_true(number(json_object_get(l, "prefill_with_others"), "speedup") > 0.0);
    }
    /* one thing at a time: what a setting says it is */
    const json_t *r;
    size_t i;
    json_array_foreach (results, i, r) {
        const char *s = text(r, "setting");
        const bool only = strncmp(s, "only", 4) == 0, but = strncmp(s, "all but", 7) == 0,
                   on = strcmp(s, "all on") == 0;
        const bool q4 = strcmp(text(r, "dtype"), "q4g64") == 0,
                   q8 = strcmp(text(r, "type_k"), "q8_0") == 0 && strcmp(text(r, "type_v"), "q8_0") == 0;
        const char *fuse = text(r, "fuse");
        const bool is[10] = {q4, q8, json_is_true(json_object_get(r, "flash_attn")),
            json_is_true(json_object_get(r, "huge_pages")), json_is_true(json_object_get(r, "pinned")),
            strstr(fuse, "act") != NULL, strstr(fuse, "add") != NULL, strstr(fuse, "rope") != NULL,
            strstr(fuse, "norm") != NULL, strcmp(text(r, "act"), "q8") == 0};
        for (int k = 0; k < 10; k++) {
            const bool named = strstr(s, names[k]) != NULL, want = on || (only && named) || (but && !named);
            if (is[k] != want) fail_msg("%s: %s is %s", s, names[k], is[k] ? "on" : "off");
        }
    }
    json_decref(j);
    done(&o);
    o = ridge("compare", "-m", path, "--machine", machine_file(), "--ablate", "-t", "1", "--no-warmup", "-p",
        "8", "-n", "4", "-B", "2", "-r", "1", "--dtype", "q4g32", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "\npinned threads "));
    assert_null(strstr(o.out, "nan"));
    done(&o);
}

/* A fused operator stands beside the sum of those it replaces, whichever side has it. */
static void fused_against_apart(void **state)
{
    (void)state;
    static const char *const sides[2][2] = {
        {":fuse=none", ":fuse=act+rope"}, {":fuse=act+rope", ":fuse=none"}};
    for (int i = 0; i < 2; i++) {
        output o = ridge("compare", "-m", tiny_model(), sides[i][0], sides[i][1], "--machine", machine_file(),
            "-t", "1", "-p", "8", "-n", "4", "-r", "1", "-o", "json", NULL);
        json_t *j = parse(&o);
        const json_t *r;
        size_t k;
        int fused = 0, same = 0;
        json_array_foreach (json_object_get(j, "operators"), k, r) {
            const char *site = text(r, "site");
            assert_true(strcmp(site, "ffn_act") != 0 && strcmp(site, "ffn_up") != 0 &&
                strcmp(site, "attn_kv_put") != 0);
            fused += strcmp(site, "ffn_up_act") == 0 || strcmp(site, "attn_rope_kv") == 0;
            same += strcmp(site, "ffn_gate") == 0;
            assert_true(number(r, "base_ns") > 0.0 && number(r, "ns") > 0.0 && number(r, "gain") > 0.0);
        }
        assert_int_equal(fused, 2 * 2); /* two phases */
        assert_int_equal(same, 2);
        json_decref(j);
        done(&o);
    }
}

static int count_of(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) n++;
    return n;
}

/* The answer: one sentence, at most ten rows, no line above 100 columns, or 80 where there are no more. */
static void the_answer(void **state)
{
    (void)state;
    static const char *const columns[] = {"COLUMNS=100", "COLUMNS=80"};
    for (int i = 0; i < 2; i++) {
        const run_opts narrow = {.env = {columns[i]}};
        output o = ridge_with(&narrow, "compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype",
            "f32,f16,q8g32,q4g32,q4g64m,bf16,q4g32m", "-t", "1", "-p", "8", "-n", "4", "-r", "3", NULL);
        expect_ok(&o);
        int rows = 0, table = 0;
        for (char *line = o.out, *end; (end = strchr(line, '\n')); line = end + 1) {
            if (end - line > (i ? 80 : 100)) fail_msg("%.*s", (int)(end - line), line);
            if (strstr(line, "tokens/s") && strstr(line, "tokens/s") < end)
                table = 1;
            else if (end == line)
                table = 0;
            else
                rows += table;
        }
        assert_true(rows <= 10 && rows >= 8);
        assert_non_null(strstr(o.out, " of 7"));
        assert_non_null(strstr(o.out, "further rows: --wide"));
        assert_int_equal(count_of(o.out, "nan"), 0);
        done(&o);
    }
    output o = ridge("compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32", "-t",
        "1", "-p", "8", "-n", "4", "-r", "3", "--wide", NULL);
    expect_ok(&o);
    assert_int_equal(strncmp(o.out, "q4g32 against f32: decode ", 26), 0);
    assert_non_null(strstr(o.out, "Verdict"));
    assert_non_null(strstr(o.out, "bytes ratio"));
    assert_non_null(strstr(o.out, "ffn_down"));
    done(&o);
}

/* A mixture beside a dense model of the same active size: the answer says in words what makes them differ. */
static void mixture_beside_dense(void **state)
{
    (void)state;
    char dense[256], sparse[256];
    snprintf(dense, sizeof dense, "%s", scratch("dense.gguf"));
    snprintf(sparse, sizeof sparse, "%s", scratch("sparse.gguf"));
    output o = ridge("synth", "--shape", "olmoe-small", "-o", sparse, NULL);
    expect_ok(&o);
    done(&o);
    o = ridge(
        "synth", "--dims", "hidden=256,layers=4,heads=4,kv_heads=4,ffn=512,vocab=512", "-o", dense, NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("compare", dense, sparse, "--machine", machine_file(), "-t", "1", "-p", "8", "-n", "4", "-r",
        "1", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "sparse.gguf is a mixture: of its 7.62 million parameters"));
    assert_non_null(strstr(o.out, "reads its own 4 experts"));
    assert_non_null(strstr(o.out, "the 8 tokens of a call went to "));
    done(&o);
    o = ridge("compare", dense, dense, "--machine", machine_file(), "-t", "1", "-p", "8", "-n", "4", "-r",
        "1", NULL);
    expect_ok(&o);
    assert_null(strstr(o.out, "mixture"));
    done(&o);
}

/* What one load cannot tell is not told; -r 1 is one load. */
static void few_loads(void **state)
{
    (void)state;
    for (int r = 1; r < 4; r++) {
        char reps[8];
        snprintf(reps, sizeof reps, "%d", r);
        output o = ridge("compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32",
            "-t", "1", "-p", "8", "-n", "4", "-r", reps, "-o", "json", NULL);
        json_t *j = compare_json(&o);
        const json_t *b = variant(j, 1, "q4g32"), *p = json_object_get(b, "decode");
        assert_int_equal((int)number(j, "loads"), r);
        assert_true(isnan(number_or_null(p, "gain_low")) == (r < 3));
        assert_int_equal(said(j, "no intervals", "at least three are needed"), r < 3);
        if (r < 3) assert_false(said(j, "q4g32 runs", "times as fast"));
        json_decref(j);
        done(&o);
    }
    output o = ridge("compare", "-m", tiny_model(), "--machine", machine_file(), "--dtype", "f32,q4g32", "-t",
        "1", "-p", "8", "-n", "0", "--loads", "3", "-o", "json", NULL);
    json_t *j = compare_json(&o);
    const json_t *p = json_object_get(variant(j, 1, "q4g32"), "prefill");
    assert_int_equal(json_array_size(json_object_get(p, "loads_ns")), 3);
    assert_int_equal(json_array_size(json_object_get(p, "samples_ns")), 9);
    json_decref(j);
    done(&o);
}

static void refusals(void **state)
{
    (void)state;
    expect_error(ridge("compare", "-m", tiny_model(), NULL), 2, "one variant", NULL);
    expect_error(
        ridge("compare", "-m", tiny_model(), ":dtype=f16,speed=9", ":t=1", NULL), 2, "speed=9", "ctk", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), "--dtype", "f16,f32", ":t=1", NULL), 2,
        "expected one of the two", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), ":dtype=f99", ":t=1", NULL), 2, "f99", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), "--dtype", "f16,f32", "-p", "8,16", NULL), 2, "-p",
        "expected one", NULL);
    expect_error(ridge("compare", "nowhere.json", ":t=1", NULL), 3, "nowhere.json", NULL);
    expect_error(ridge("compare", "--loads", "0", "--dtype", "f16,f32", NULL), 2, "--loads", NULL);
    expect_error(ridge("compare", "-o", "md", "--wide", "--dtype", "f16,f32", NULL), 2, "--wide", NULL);
    expect_error(ridge("compare", "-o", "csv", "--dtype", "f16,f32", NULL), 2, "csv", "text", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), "--ablate", "-fa", "off", NULL), 2, "-fa",
        "switches it itself", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), "--ablate", "--fuse", "act", NULL), 2, "--fuse",
        "switches it itself", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), ":fuse=none", ":fuse=act,add", NULL), 2, "add",
        "key=value", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), ":fuse=none", ":fuse=swim", NULL), 2, "--fuse", "swim",
        "act, add, rope, norm", NULL);
    expect_error(ridge("compare", "-m", tiny_model(), "--ablate", "--dtype", "f16", NULL), 2, "f16",
        "quantised", NULL);
    /* heads of 16 */
    expect_error(ridge("compare", "-m", tiny_model(), "--ablate", "-r", "1", NULL), 4, "q8_0", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(variants_of_lists),
        cmocka_unit_test(variants_as_arguments), cmocka_unit_test(saved_runs),
        cmocka_unit_test(what_variants_cost), cmocka_unit_test(ablation),
        cmocka_unit_test(fused_against_apart), cmocka_unit_test(the_answer), cmocka_unit_test(few_loads),
        cmocka_unit_test(mixture_beside_dense), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
