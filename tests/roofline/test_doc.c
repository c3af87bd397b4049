/* Reports that are no runs: what is refused, and pictures and pages whose marks and rows are those of the
 * JSON. */
#include "testing.h"

#include <jansson.h>

#include "report/doc.h"
#include "report/html/page.h"
#include "report/svg/doc_pictures.h"
#include "svg_check.h"

static const char HOSTILE[] = "</script><script>alert(1)</script><!--\"'& onerror=x a very long name that "
                              "goes on and on and on and on and on and on";

static json_t *json(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, 0, &e);
    if (!j) fail_msg("%s at %.40s", e.text, text + e.position);
    return j;
}

static json_t *result(
    const char *setting, const char *test, int prompt, int gen, int depth, int seqs, double ts)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:[f, f, f]}", "setting",
        setting, "test", test, "model_type", "demo f16", "dtype", "f16", "n_prompt", prompt, "n_gen", gen,
        "n_depth", depth, "n_seq", seqs, "tokens", (prompt + gen) * seqs, "median_ts", ts, "ci95_low_ts",
        0.9 * ts, "ci95_high_ts", 1.1 * ts, "median_ns", 1e9 / ts, "analytic_t_ns",
        5e8 * (prompt + gen) * seqs / ts, "roof_fraction", 0.5, "samples_ts", 0.9 * ts, ts, 1.1 * ts);
}

/* Two settings; a prompt, decode at three depths and two batches. */
static json_t *bench(const char *second)
{
    json_t *results = json_array(), *j;
    const char *const settings[] = {"f16", second};
    for (int s = 0; s < 2; s++) {
        json_array_append_new(results, result(settings[s], "pp64", 64, 0, 0, 1, 9000.0 * (s + 1)));
        for (int d = 0; d < 3; d++)
            for (int q = 1; q <= 2; q++)
                json_array_append_new(
                    results, result(settings[s], "tg8", 0, 8, 64 * d, q, 100.0 * (s + 1) * q - 10.0 * d));
    }
    j = json("{\"schema\": \"ridge.bench\", \"version\": 1, \"command\": \"ridge bench\", \"started\": "
             "\"2026-01-01\", \"verdict\": [\"noise: quiet\"],"
             "\"machine\": {\"cpu\": \"A CPU\", \"cores\": 2, \"memory\": null, \"roofs_source\": "
             "\"measured\", \"roofs_noisy\": false},"
             "\"run\": {\"repetitions\": 3, \"interleaved\": true, \"loads\": 1, \"interrupted\": false}}");
    json_object_set_new(j, "results", results);
    return j;
}

static json_t *comparison(const char *name)
{
    json_t *j = json("{\"schema\": \"ridge.compare\", \"version\": 1, \"cpu\": \"A CPU\", \"interleaved\": "
                     "true, \"runs\": [null, null, null], \"verdict\": [\"faster\"]}");
    json_t *variants = json_array(), *ops = json_array();
    for (int i = 0; i < 3; i++) {
        json_t *phase = json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "test", "tg8", "tokens_per_s",
            100.0 + i, "gain", 1.0 + 0.3 * i, "gain_low", 0.9 + 0.3 * i, "gain_high", 1.1 + 0.3 * i,
            "gain_expected", 1.0 + 0.5 * i, "gain_reached", 0.8);
        json_array_append_new(variants,
            json_pack("{s:s, s:s, s:n, s:o}", "name", i == 1 ? name : "f16", "dtype", "f16", "prefill",
                "decode", phase));
        for (int k = 0; i > 0 && k < 4; k++)
            json_array_append_new(ops,
                json_pack("{s:i, s:s, s:s, s:s, s:f, s:f, s:f, s:f}", "variant", i, "name", name, "phase",
                    "decode", "site", "ffn_up", "base_ns", 100.0, "ns", 50.0, "gain", 2.0, "gain_expected",
                    3.0));
    }
    json_object_set_new(j, "variants", variants);
    json_object_set_new(j, "operators", ops);
    return j;
}

static json_t *ablation(const char *name)
{
    json_t *j = json("{\"schema\": \"ridge.ablate\", \"version\": 1, \"verdict\": [\"x\"], \"notes\": []}"),
           *list = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(list,
            json_pack("{s:s, s:{s:f, s:f, s:f}, s:{s:f, s:n, s:n}, s:n, s:n}", "switch", i ? "pages" : name,
                "prefill_alone", "speedup", 1.2, "low", 0.9, "high", 1.3, "decode_alone", "speedup", 1.5,
                "low", "high", "prefill_with_others", "decode_with_others"));
    json_object_set_new(j, "switches", list);
    json_object_set_new(j, "bench", bench("q4g64"));
    return j;
}

static json_t *roofline(const char *hardware, bool study)
{
    json_t *cases = json_array(), *j;
    for (int b = 1; b <= 4; b *= 2) {
        json_t *op = json_pack("[{s:s, s:s, s:s, s:f, s:f, s:f, s:f}, {s:s, s:s, s:s, s:f, s:f, s:f, s:f}]",
            "phase", "decode", "site", "attn_q", "bound", "memory", "flop", 1e9 * b, "total_bytes", 1e9,
            "t_ns", 1e7, "ai", 1.0 * b, "phase", "prefill", "site", "ffn_up", "bound", "compute", "flop",
            1e12, "total_bytes", 1e9, "t_ns", 1e9, "ai", 1e3);
        json_array_append_new(cases,
            json_pack("{s:s, s:{s:s, s:s, s:s, s:i, s:i, s:i}, s:o, s:{s:{s:f, s:f}, s:{s:f, s:f}}}", "label",
                "a step", "input", "model", "m", "hardware", hardware, "dtype", "f16", "batch", b, "seqlen",
                128, "tp", 1, "ops", op, "total", "prefill", "t_ns", 1e9, "tokens_per_s", 128.0, "decode",
                "t_ns", 1e7, "tokens_per_s", 100.0 * b));
    }
    j = json_pack("{s:s, s:i, s:s, s:s, s:[{s:s, s:s, s:f, s:[f], s:[{s:f, s:n}]}], s:o, s:[s]}", "schema",
        "ridge.roofline", "version", 1, "cost", "exact", "stage", "all", "hardware", "name", hardware,
        "source", "a table", "bandwidth_gbps", 100.0, "peaks_gflops", 1000.0, "levels", "bytes", 1e6, "gbps",
        "cases", cases, "verdict", "x");
    if (study)
        json_object_set_new(j, "study", json_pack("{s:s, s:s}", "name", "ablation", "answer", "better"));
    return j;
}

static json_t *validation(const char *model)
{
    json_t
        *j = json(
            "{\"schema\": \"ridge.validation\", \"version\": 1, \"cpu\": \"A CPU\", \"verdict\": [\"x\"]}"),
        *points = json_array();
    for (int i = 0; i < 12; i++)
        json_array_append_new(points,
            json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:f, s:f, s:f}", "model", model, "dtype",
                i % 2 ? "f16" : "q4g64", "threads", 1, "prompt", 32, "batch", 1, "phase",
                i % 3 ? "decode" : "prefill", "measured_ns", 1e6 * (i + 1), "predicted_ns", 1.1e6 * (i + 1),
                "ideal_ns", 5e5));
    json_object_set_new(j, "points", points);
    json_object_set_new(j, "errors",
        json_pack("{s:{s:i, s:f, s:f, s:f}}", model, "points", 12, "median", 0.1, "p90", 0.1, "worst", 0.1));
    return j;
}

enum { KINDS = 6 };
static json_t *report(int kind, const char *name)
{
    switch (kind) {
    case 0:
        return bench(name);
    case 1:
        return comparison(name);
    case 2:
        return ablation(name);
    case 3:
        return roofline(name, false);
    case 4:
        return roofline(name, true);
    default:
        return validation(name);
    }
}

static rg_doc open_doc(json_t *j)
{
    rg_doc d;
    rg_err err = {0};
    if (rg_doc_open(&d, j, "test", &err) != RG_OK) fail_msg("%s", err.msg);
    json_decref(j);
    return d;
}

static char *draw(const rg_doc *d, const char *name, int index)
{
    char *text = NULL;
    size_t n = 0;
    rg_err err = {0};
    for (int i = 0; i < rg_n_doc_pictures; i++) {
        const rg_doc_picture *p = &rg_doc_pictures[i];
        if (p->kind != d->kind || strcmp(p->name, name) != 0) continue;
        assert_true(index < p->count(d));
        FILE *f = open_memstream(&text, &n);
        if (p->draw(f, d, index, false, &err) != RG_OK) fail_msg("%s: %s", name, err.msg);
        fclose(f);
        return text;
    }
    fail_msg("no picture '%s'", name);
    return NULL;
}

static char *page_of(const rg_doc *d)
{
    char *text = NULL;
    size_t n = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&text, &n);
    if (rg_page_write_doc(f, d, &err) != RG_OK) fail_msg("%s", err.msg);
    fclose(f);
    assert_int_equal(strlen(text), n);
    return text;
}

/* Every picture of every kind, with a plain and a hostile name. */
static void test_pictures(void **state)
{
    (void)state;
    int drawn = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int hostile = 0; hostile < 2; hostile++) {
            rg_doc d = open_doc(report(kind, hostile ? HOSTILE : "q4g64"));
            for (int i = 0; i < rg_n_doc_pictures; i++)
                for (int k = 0; rg_doc_pictures[i].kind == d.kind && k < rg_doc_pictures[i].count(&d); k++) {
                    char *t = draw(&d, rg_doc_pictures[i].name, k);
                    svg_check_well_formed(t);
                    assert_true(svg_check_texts(t) > 3);
                    assert_null(strstr(t, "nan"));
                    assert_null(strstr(t, "<script"));
                    assert_null(strstr(t, " style=\""));
                    free(t);
                    drawn++;
                }
            rg_doc_close(&d);
        }
    assert_true(drawn >= 2 * 12);
}

static void test_marks(void **state)
{
    (void)state;
    rg_doc d = open_doc(bench("q4g64"));
    char *t = draw(&d, "speed", 0);
    assert_int_equal(svg_count(t, "data-at=\"results."), 14);
    assert_non_null(strstr(t, "data-at=\"results.13\""));
    assert_non_null(strstr(t, "9000 (8100 to 9900), 50.0 % of the roofs"));
    free(t);
    /* decode: two settings, one and two sequences, three depths; measured and share */
    t = draw(&d, "depth", 0);
    assert_int_equal(svg_count(t, "data-kind=\"measured\""), 12);
    assert_int_equal(svg_count(t, "data-kind=\"share\""), 12);
    assert_int_equal(svg_count(t, "stroke-dasharray=\"6 4\""), 8); /* the roofs: two pieces per curve */
    free(t);
    t = draw(&d, "batch", 0);
    assert_int_equal(svg_count(t, "data-kind=\"measured\""), 12);
    free(t);
    rg_doc_close(&d);
    d = open_doc(comparison("q4g64"));
    t = draw(&d, "gains", 0);
    /* the first is not held against itself; prefill did not run */
    assert_int_equal(svg_count(t, "data-kind=\"row\""), 2);
    assert_non_null(strstr(t, "1.30 (1.20 to 1.40); worth 1.50: 80.0 %"));
    free(t);
    t = draw(&d, "operators-gain", 1);
    assert_int_equal(svg_count(t, "data-at=\"operators."), 4);
    free(t);
    rg_doc_close(&d);
    d = open_doc(ablation("weights"));
    t = draw(&d, "ablation", 0);
    assert_int_equal(svg_count(t, "data-kind=\"row\""), 6);
    assert_int_equal(svg_count(t, "not seen"), 3); /* intervals that hold 1 */
    free(t);
    rg_doc_close(&d);
    d = open_doc(roofline("cpu", false));
    t = draw(&d, "roofline", 0);
    assert_int_equal(svg_count(t, "data-kind=\"analytic\""), 6); /* two groups, three batches */
    free(t);
    t = draw(&d, "batch", 0);
    assert_int_equal(svg_count(t, "data-kind=\"analytic\""), 3);
    free(t);
    rg_doc_close(&d);
    d = open_doc(validation("m"));
    t = draw(&d, "validation", 0);
    assert_int_equal(svg_count(t, "data-at=\"points."), 12);
    free(t);
    rg_doc_close(&d);
}

static void test_pages(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int hostile = 0; hostile < 2; hostile++) {
            rg_doc d = open_doc(report(kind, hostile ? HOSTILE : "q4g64"));
            char *t = page_of(&d), *again = page_of(&d);
            assert_string_equal(t, again);
            assert_non_null(strstr(t, "default-src 'none'; style-src 'sha256-"));
            assert_null(strstr(t, "wasm-unsafe-eval")); /* nothing here needs it */
            assert_int_equal(svg_count(t, "<script"), 2);
            assert_int_equal(svg_count(t, " style=\""), 0);
            assert_null(strstr(t, "alert(1)</"));
            assert_null(strstr(t, "<!--"));
            assert_null(strstr(t, ">nan"));
            assert_int_equal(svg_count(t, "data-tools=\"page\""), 0); /* its filters are for runs */
            if (d.kind == RG_DOC_BENCH) assert_int_equal(svg_count(t, "<tr data-row=\""), 14);
            if (d.kind == RG_DOC_VALIDATION) assert_int_equal(svg_count(t, "<tr data-row=\""), 13);
            free(t);
            free(again);
            rg_doc_close(&d);
        }
}

/* What is missing is named; nothing is drawn from half a report. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        int kind;
        const char *list, *field, *expected;
    } cases[] = {{0, "results", "median_ts", "results[3].median_ts: missing"},
        {0, "results", "samples_ts", "results[3].samples_ts: missing"},
        {0, NULL, "machine", "machine.cpu: missing"}, {1, "variants", "name", "variants[2].name: missing"},
        {1, NULL, "runs", "runs: missing"}, {3, NULL, "hardware", "hardware: missing"},
        {3, "cases", "input", "cases[2].input: missing"},
        {5, "points", "ideal_ns", "points[3].ideal_ns: missing"}, {2, NULL, "bench", "bench: missing"},
        {0, NULL, "version", "version of the schema"}, {0, NULL, "results", "results: no entries"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *j = report(cases[i].kind, "x");
        rg_doc d;
        rg_err err = {0};
        if (cases[i].list) {
            json_t *list = json_object_get(j, cases[i].list);
            json_object_del(json_array_get(list, json_array_size(list) > 3 ? 3 : 2), cases[i].field);
        } else {
            json_object_del(j, cases[i].field);
        }
        assert_int_not_equal(rg_doc_open(&d, j, "test", &err), RG_OK);
        if (!strstr(err.msg, cases[i].expected)) fail_msg("'%s', expected '%s'", err.msg, cases[i].expected);
        rg_doc_close(&d);
        json_decref(j);
    }
    json_t *j = bench("x");
    rg_doc d;
    rg_err err = {0};
    json_object_set_new(json_array_get(json_object_get(j, "results"), 0), "tokens", json_string("many"));
    assert_int_equal(rg_doc_open(&d, j, "test", &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "results[0].tokens: something else, expected a number"));
    rg_doc_close(&d);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pictures), cmocka_unit_test(test_marks),
        cmocka_unit_test(test_pages), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
