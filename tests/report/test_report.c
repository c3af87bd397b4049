/* What is printed: Markdown, CSV and JSON of the paper run, of hostile names and of unknown roofs. */
#include "testing.h"

#include <ctype.h>
#include <jansson.h>
#include <sys/wait.h>

#include "base/text.h"
#include "roof_fixture.h"
#include "tempdir.h"

static const char HOSTILE[] = "a\x01|b\"c,\n\xff\xc3\xa9 =1+2 <script>\x7f%s%n";

/* Predictions are then the roofs'. */
static const rg_speeds nothing_learnt;

static rg_report *make(const rg_machine *m, const char *name, const char *dtype, bool layers)
{
    rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    if (name) snprintf(i.config.name, sizeof i.config.name, "%s", name);
    if (dtype) i.dtype = dtype;
    if (dtype && dtype[0] == 'f') i.stream_bytes *= 3;
    u.per_layer = layers;
    u.speeds = &nothing_learnt;
    fixture_log(&l);
    if (dtype && dtype[0] == 'f') /* the other run: decode twice as slow */
        for (size_t k = 0; k < l.n_steps; k++)
            if (l.step[k].phase == RG_DECODE) l.step[k].t_ns *= 2;
    if (rg_report_build(&r, m, &i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    return r;
}

/* A word, not a part of one. */
static bool has_word(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = text; *p; p++)
        if (strncasecmp(p, word, n) == 0 && (p == text || !isalpha((unsigned char)p[-1])) &&
            !isalpha((unsigned char)p[n]))
            return true;
    return false;
}

static int count_of(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) n++;
    return n;
}

static void test_numbers(void **state)
{
    (void)state;
    char b[32];
    static const struct {
        double x;
        const char *s;
    } num[] = {{0, "0"}, {1, "1.00"}, {9.996, "10.0"}, {99.96, "100"}, {123.4, "123"}, {12345, "12345"},
        {0.1234, "0.123"}, {0.09996, "0.100"}, {0.001234, "0.00123"}, {-1.5, "-1.50"}, {NAN, "n/a"},
        {INFINITY, "n/a"}, {3e-7, "3.00e-07"}, {0.9996, "1.00"}};
    for (size_t i = 0; i < sizeof num / sizeof *num; i++)
        assert_string_equal(rg_num(b, sizeof b, num[i].x), num[i].s);
    assert_string_equal(rg_bytes(b, sizeof b, 5767168), "5.50 MiB");
    assert_string_equal(rg_bytes(b, sizeof b, 1023.9), "1.00 KiB");
    assert_string_equal(rg_bytes(b, sizeof b, NAN), "n/a");
    assert_string_equal(rg_time(b, sizeof b, 999.6), "1.00 us");
    assert_string_equal(rg_time(b, sizeof b, 12.34e6), "12.3 ms");
    assert_string_equal(rg_percent(b, sizeof b, 0.42), "42.0 %");
    assert_string_equal(rg_text_clean(b, sizeof b, "a\n\xff\xc3\xa9\xc3"), "a??\xc3\xa9?");
    assert_string_equal(rg_text_clean(b, 4, "ab\xc3\xa9"), "ab"); /* no half characters */
}

static void test_md(void **state)
{
    (void)state;
    rg_machine known = fixture_machine(), unknown = known;
    unknown.peak[RG_PEAK_FP32_AVX512].value = 0.0;
    for (int u = 0; u < 2; u++) {
        rg_report *r = make(u ? &unknown : &known, u ? HOSTILE : NULL, NULL, u == 1);
        char *t = fixture_text(rg_profile_md, (const rg_report *const *)&r, 1);
        assert_false(has_word(t, "nan"));
        assert_false(has_word(t, "inf"));
        assert_non_null(strstr(t, "fp32 fma")); /* the roof by its own name, whichever level the run had */
        assert_null(strstr(t, "fp32 avx"));
        for (int s = 0; s < RG_SITE_COUNT; s++) {
            char cell[32];
            if (!rg_site_runs(&(rg_config){.layers = 2}, (rg_site)s, rg_fuse_bit(RG_FUSE_ATTN))) continue;
            snprintf(cell, sizeof cell, "\n| %s ", rg_site_name((rg_site)s));
            if (count_of(t, cell) != 2)
                fail_msg("%s: %d rows, expected one per phase", rg_site_name((rg_site)s), count_of(t, cell));
        }
        assert_int_equal(count_of(t, "\n| total "), 2);
        assert_int_equal(count_of(t, "\n| outside ops "), 2);
        assert_int_equal(count_of(t, "\n## Verdict\n"), 1);
        assert_int_equal(count_of(t, "n/a") > 2, u == 1);
        /* tables keep to the width of a terminal, and every line of one is as wide as the next */
        size_t width = 0;
        for (char *line = strtok(t, "\n"); line; line = strtok(NULL, "\n")) {
            if (line[0] != '|') {
                width = 0;
                continue;
            }
            if (width && strlen(line) != width) fail_msg("ragged table: %s", line);
            width = strlen(line);
            if (width > 176) fail_msg("%zu columns: %s", width, line);
        }
        free(t);
        rg_report_close(r);
    }
}

static void test_runs(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r[2] = {make(&m, NULL, "f16", false), make(&m, NULL, "q4g64", false)};
    char *t = fixture_text(rg_profile_md, (const rg_report *const *)r, 2);
    /* one repetition each: no interval, and no claim */
    assert_non_null(strstr(t, "(2.00 times); too few repetitions to say whether that is a difference"));
    assert_null(strstr(t, "times as fast"));
    assert_non_null(strstr(t, "streams 3.00 times fewer weight bytes"));
    assert_non_null(strstr(t, "the output matrix (f16) is "));
    assert_non_null(strstr(t, "# Side by side"));
    assert_false(has_word(t, "nan"));
    free(t);
    t = fixture_text(fixture_json, (const rg_report *const *)r, 2);
    json_t *j = json_loads(t, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "schema")), "ridge.profile.set");
    assert_int_equal(json_array_size(json_object_get(j, "runs")), 2);
    assert_true(json_array_size(json_object_get(j, "verdict")) > 0);
    json_decref(j);
    free(t);
    for (int i = 0; i < 2; i++) rg_report_close(r[i]);
}

/* Fields of the next CSV record, quotes respected; *p moves behind it. */
static int fields(const char **p)
{
    int n = 1;
    bool quoted = false;
    for (; **p && (quoted || **p != '\n'); ++*p) {
        if (**p == '"') quoted = !quoted;
        n += **p == ',' && !quoted;
    }
    assert_false(quoted);
    if (**p) ++*p;
    return n;
}

static void test_csv(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r[2] = {make(&m, HOSTILE, "f16", true), make(&m, NULL, "q4g64", true)};
    char *t = fixture_text(rg_profile_csv, (const rg_report *const *)r, 2);
    const char *p = t;
    const int head = fields(&p);
    int rows = 0;
    for (; *p; rows++) assert_int_equal(fields(&p), head);
    assert_int_equal(rows, 2 * 2 * (18 + 2 * 15)); /* runs, phases, sites and sites by layer */
    assert_false(has_word(t, "nan"));
    assert_false(has_word(t, "inf"));
    free(t);
    for (int i = 0; i < 2; i++) rg_report_close(r[i]);
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static void test_json(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    rg_report *r = make(&m, HOSTILE, NULL, false);
    char *t = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    json_error_t e;
    json_t *j = json_loads(t, JSON_REJECT_DUPLICATES, &e), *o, *ph;
    if (!j) fail_msg("line %d: %s", e.line, e.text);
    size_t i, k;
    json_array_foreach (json_object_get(j, "phases"), k, ph) {
        double sum = number(ph, "overhead_ns"), share = 0.0;
        json_array_foreach (json_object_get(j, "ops"), i, o) {
            if (strcmp(json_string_value(json_object_get(o, "phase")),
                    json_string_value(json_object_get(ph, "phase"))) != 0)
                continue;
            sum += number(o, "t_ns");
            share += number(o, "share");
            const json_t *a = json_object_get(o, "analytic");
            assert_near(number(a, "total_bytes"),
                number(a, "weight_bytes") + number(a, "act_read_bytes") + number(a, "act_write_bytes") +
                    number(a, "kv_read_bytes") + number(a, "kv_write_bytes"),
                0.0);
            assert_true(json_is_null(json_object_get(o, "layer")));
            assert_int_equal(json_object_size(json_object_get(o, "pmu")), 2);
            assert_true(json_is_null(json_object_get(o, "attainable_gflops")) == (number(o, "flop") == 0.0));
        }
        assert_near(sum, number(ph, "t_ns"), 0.0);
        assert_near(share + number(ph, "overhead_ns") / number(ph, "t_ns"), 1.0, 1e-9);
    }
    json_decref(j);
    free(t);
    rg_report_close(r);

    m.peak[RG_PEAK_FP32_AVX512].value = 0.0;
    r = make(&m, NULL, NULL, false);
    t = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    j = json_loads(t, 0, NULL);
    json_array_foreach (json_object_get(j, "ops"), i, o) {
        const bool needs_peak = number(o, "flop") > 0.0;
        assert_int_equal(json_is_null(json_object_get(o, "roof_fraction")), needs_peak);
        assert_int_equal(json_is_null(json_object_get(o, "bound")), needs_peak);
        assert_int_equal(json_is_string(json_object_get(o, "roof_reason")), needs_peak);
    }
    json_decref(j);
    free(t);
    rg_report_close(r);
}

static void test_schema(void **state)
{
    (void)state;
    rg_machine known = fixture_machine(), unknown = {0};
    rg_report *r[3] = {make(&known, NULL, "f16", true), make(&known, HOSTILE, "q4g64", false),
        make(&unknown, NULL, NULL, false)};
    char path[3][512], cmd[2048];
    for (int i = 0; i < 3; i++) {
        char *t =
            fixture_text(fixture_json, (const rg_report *const *)(i < 2 ? &r[2 * i] : &r[0]), i < 2 ? 1 : 2);
        snprintf(path[i], sizeof path[i], "%s/%d.json", temp_dir(), i);
        FILE *f = fopen(path[i], "w");
        assert_non_null(f);
        fputs(t, f);
        fclose(f);
        free(t);
    }
    snprintf(cmd, sizeof cmd,
        "cd '%s/tests' && python3 check_json.py '%s/profile.schema.json' %s %s && python3 "
        "check_json.py "
        "'%s/profile.set.schema.json' %s",
        RIDGE_SOURCE_DIR, RIDGE_SCHEMAS, path[0], path[1], RIDGE_SCHEMAS, path[2]);
    const int rc = system(cmd);
    for (int i = 0; i < 3; i++) rg_report_close(r[i]);
    if (WIFEXITED(rc) && (WEXITSTATUS(rc) == 77 || WEXITSTATUS(rc) == 127)) {
        print_message("SKIPPED: the schema check needs python3 with jsonschema\n");
        skip();
    }
    assert_int_equal(rc, 0);
}

/* Whole-socket counts and energy by phase: known ones in text and JSON, unknown ones null. */
static void test_socket_part(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r = make(&m, NULL, "f16", false);
    char *md = fixture_text(rg_profile_md, (const rg_report *const *)&r, 1),
         *js = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    assert_non_null(strstr(md, "socket: 1.50 MB read, 0.250 MB written"));
    assert_non_null(strstr(md, "energy: package 1.50 J, 0.500 J per token; DRAM n/a J"));
    json_t *j = json_loads(js, 0, NULL), *decode = json_array_get(json_object_get(j, "phases"), 1),
           *s = json_object_get(decode, "socket");
    assert_near(json_real_value(json_object_get(s, "package_energy_j")), 1.5, 1e-12);
    assert_near(json_real_value(json_object_get(s, "socket_read_bytes")), 3e6, 1e-6);
    assert_true(json_is_null(json_object_get(s, "dram_energy_j")));
    json_decref(j);
    free(md);
    free(js);
    rg_report_close(r);
}

static void test_nothing_ran(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    const rg_run_info u = fixture_run();
    const rg_log l = {0};
    rg_report *r = NULL;
    rg_err err;
    assert_int_equal(rg_report_build(&r, &m, &i, &u, &l, &err), RG_OK);
    fixture_view *const print[] = {rg_profile_md, rg_profile_csv, fixture_json};
    for (int k = 0; k < 3; k++) {
        char *t = fixture_text(print[k], (const rg_report *const *)&r, 1);
        assert_false(has_word(t, "nan"));
        free(t);
    }
    rg_report_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_md),
        cmocka_unit_test(test_runs), cmocka_unit_test(test_csv), cmocka_unit_test(test_json),
        cmocka_unit_test(test_schema), cmocka_unit_test(test_socket_part),
        cmocka_unit_test(test_nothing_ran)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
