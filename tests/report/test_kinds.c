/* Documents that are no runs: what is refused, pictures and pages whose marks and rows are those of the JSON,
 * and the same bytes when they were saved. */
#include "testing.h"

#include "figures_fixture.h"
#include "report/html/page.h"
#include "report/svg/pictures.h"
#include "roof_fixture.h"
#include "svg_check.h"
#include "tempdir.h"

static const char HOSTILE[] = "</script><script>alert(1)</script><!--\"'& onerror=x a very long name that "
                              "goes on and on and on and on and on and on";

static json_t *json(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, 0, &e);
    if (!j) fail_msg("%s at %.40s", e.text, text + e.position);
    return j;
}

/* With whatever else such an object must have. */
static json_t *filled(rg_object_id id, json_t *o)
{
    json_t *rest = figures_of(id, 1, true);
    assert_int_equal(json_object_update_missing(o, rest), 0);
    json_decref(rest);
    return o;
}

static json_t *result(
    const char *setting, const char *test, int prompt, int gen, int depth, int seqs, double ts)
{
    return filled(RG_OBJ_result,
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:[f, f, f]}",
            "setting", setting, "test", test, "model_type", "demo f16", "dtype", "f16", "n_prompt", prompt,
            "n_gen", gen, "n_depth", depth, "n_seq", seqs, "tokens", (prompt + gen) * seqs, "median_ts", ts,
            "ci95_low_ts", 0.9 * ts, "ci95_high_ts", 1.1 * ts, "median_ns", 1e9 / ts, "ideal_ns",
            5e8 * (prompt + gen) * seqs / ts, "roof_fraction", 0.5, "samples_ts", 0.9 * ts, ts, 1.1 * ts));
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
    j = json("{\"schema\": \"ridge.bench\", \"version\": 2, \"command\": \"ridge bench\", \"started\": "
             "\"2026-01-01\", \"verdict\": [\"noise: quiet\"],"
             "\"machine\": {\"cpu\": \"A CPU\", \"cores\": 2, \"memory\": null, \"roofs_source\": "
             "\"measured\", \"roofs_noisy\": false},"
             "\"run\": {\"repetitions\": 3, \"interleaved\": true, \"loads\": 1, \"interrupted\": false}}");
    json_object_set_new(j, "results", results);
    return j;
}

static json_t *comparison(const char *name)
{
    json_t *j = json("{\"schema\": \"ridge.compare\", \"version\": 2, \"cpu\": \"A CPU\", \"interleaved\": "
                     "true, \"runs\": [null, null, null], \"verdict\": [\"faster\"]}");
    json_t *variants = json_array(), *ops = json_array();
    for (int i = 0; i < 3; i++) {
        json_t *phase = filled(RG_OBJ_side,
            json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "test", "tg8", "tokens_per_s", 100.0 + i, "gain",
                1.0 + 0.3 * i, "gain_low", 0.9 + 0.3 * i, "gain_high", 1.1 + 0.3 * i, "gain_expected",
                1.0 + 0.5 * i, "gain_reached", 0.8));
        json_array_append_new(variants,
            filled(RG_OBJ_variant,
                json_pack("{s:s, s:s, s:n, s:o}", "name", i == 1 ? name : "f16", "dtype", "f16", "prefill",
                    "decode", phase)));
        for (int k = 0; i > 0 && k < 4; k++)
            json_array_append_new(ops,
                filled(RG_OBJ_op_gain,
                    json_pack("{s:i, s:s, s:s, s:s, s:f, s:f, s:f, s:f}", "variant", i, "name", name, "phase",
                        "decode", "site", "ffn_up", "base_ns", 100.0, "ns", 50.0, "gain", 2.0,
                        "gain_expected", 3.0)));
    }
    json_object_set_new(j, "variants", variants);
    json_object_set_new(j, "operators", ops);
    return filled(RG_OBJ_compare, j);
}

static json_t *ablation(const char *name)
{
    json_t *j = json("{\"schema\": \"ridge.ablate\", \"version\": 2, \"verdict\": [\"x\"], \"notes\": []}"),
           *list = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(list,
            json_pack("{s:s, s:{s:f, s:f, s:f}, s:{s:f, s:n, s:n}, s:n, s:n}", "name", i ? "pages" : name,
                "prefill_alone", "speedup", 1.2, "low", 0.9, "high", 1.3, "decode_alone", "speedup", 1.5,
                "low", "high", "prefill_with_others", "decode_with_others"));
    json_object_set_new(j, "switches", list);
    json_object_set_new(j, "bench", bench("q4g64"));
    return j;
}

static json_t *case_op(const char *phase, const char *site, double flop, double ns)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:f, s:f, s:f, s:f, s:f}", "phase", phase, "op", "linear",
        "site", site, "calls", 1, "bound", "memory", "flop", flop, "total_bytes", 1e9, "weight_bytes", 9e8,
        "t_ns", ns, "ai", 1e-9 * flop);
}

static json_t *roofline(const char *hardware, bool study)
{
    json_t *cases = json_array(), *j;
    for (int b = 1; b <= 4; b *= 2) {
        json_t *in = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s}", "model", "m",
                   "hardware", hardware, "dtype", "f16", "head_dtype", "f16", "act", "f32", "kv_k", "f16",
                   "kv_v", "f16", "batch", b, "seqlen", 128, "ubatch", 0, "tp", 1, "fuse", "none"),
               *dims = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b}", "hidden", 64, "ffn", 128,
                   "layers", 2, "heads", 4, "kv_heads", 2, "head_dim", 16, "vocab", 96, "tied", 0),
               *ops = json_pack("[o, o]", case_op("decode", "attn_q", 1e9 * b, 1e7),
                   case_op("prefill", "ffn_up", 1e12, 1e9));
        json_array_append_new(cases,
            json_pack("{s:s, s:o, s:o, s:s, s:o, s:{}, s:n, s:{s:{s:f, s:f}, s:{s:f, s:f}}}", "label",
                "a step", "input", in, "dims", dims, "hardware_source", "a table", "ops", ops, "memory",
                "task", "total", "prefill", "t_ns", 1e9, "tokens_per_s", 128.0, "decode", "t_ns", 1e7,
                "tokens_per_s", 100.0 * b));
    }
    j = json_pack("{s:s, s:i, s:s, s:s, s:s, s:[{s:s, s:s, s:f, s:[f], s:[{s:f, s:n}]}], s:o, s:[s]}",
        "schema", "ridge.roofline", "version", 1, "cost", "exact", "command", "ridge roofline", "stage",
        "all", "hardware", "name", hardware, "source", "a table", "bandwidth_gbps", 100.0, "peaks_gflops",
        1000.0, "levels", "bytes", 1e6, "gbps", "cases", cases, "verdict", "x");
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
    json_object_set_new(j, "command", json_string("ridge roofline --validate"));
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

static rg_reports open_doc(json_t *j)
{
    rg_reports s = {0};
    rg_doc d;
    rg_err err = {0};
    if (rg_doc_take(&d, j, &err) != RG_OK || rg_reports_add(&s, &d, "test", &err) != RG_OK)
        fail_msg("%s", err.msg);
    assert_ptr_equal(rg_reports_other(&s), s.doc);
    return s;
}

static char *draw(const rg_reports *s, const char *name, size_t index)
{
    char *text = NULL;
    size_t n = 0;
    rg_err err = {0};
    for (int i = 0; i < rg_n_pictures; i++) {
        const rg_picture *p = &rg_pictures[i];
        if (p->kind != s->doc->kind || strcmp(p->name, name) != 0) continue;
        assert_true(index < rg_picture_count(p, s));
        FILE *f = open_memstream(&text, &n);
        if (p->draw(f, s, index, false, &err) != RG_OK) fail_msg("%s: %s", name, err.msg);
        fclose(f);
        return text;
    }
    fail_msg("no picture '%s'", name);
    return NULL;
}

/* Every picture of every kind, with a plain and a hostile name. */
static void test_pictures(void **state)
{
    (void)state;
    int drawn = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int hostile = 0; hostile < 2; hostile++) {
            rg_reports d = open_doc(report(kind, hostile ? HOSTILE : "q4g64"));
            for (int i = 0; i < rg_n_pictures; i++)
                for (size_t k = 0;
                     rg_pictures[i].kind == d.doc->kind && k < rg_picture_count(&rg_pictures[i], &d); k++) {
                    char *t = draw(&d, rg_pictures[i].name, k);
                    svg_check_well_formed(t);
                    assert_true(svg_check_texts(t) > 3);
                    assert_null(strstr(t, "nan"));
                    assert_null(strstr(t, "<script"));
                    assert_null(strstr(t, " style=\""));
                    free(t);
                    drawn++;
                }
            rg_reports_close(&d);
        }
    assert_true(drawn >= 2 * 12);
}

static void test_marks(void **state)
{
    (void)state;
    rg_reports d = open_doc(bench("q4g64"));
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
    rg_reports_close(&d);
    d = open_doc(comparison("q4g64"));
    t = draw(&d, "gains", 0);
    /* the first is not held against itself; prefill did not run */
    assert_int_equal(svg_count(t, "data-kind=\"row\""), 2);
    assert_non_null(strstr(t, "1.30 (1.20 to 1.40); worth 1.50: 80.0 %"));
    free(t);
    t = draw(&d, "operators-gain", 1);
    assert_int_equal(svg_count(t, "data-at=\"operators."), 4);
    assert_null(strstr(t, "logarithmic"));
    free(t);
    rg_reports_close(&d);
    /* one operator of the last variant gains 149 times: nothing is flat, and both pictures have one scale */
    json_t *far = comparison("q4g64");
    json_object_set_new(json_array_get(json_object_get(far, "operators"), 7), "gain", json_real(149.0));
    d = open_doc(far);
    for (size_t i = 0; i < 2; i++) {
        t = draw(&d, "operators-gain", i);
        assert_non_null(strstr(t, "decode, logarithmic"));
        assert_non_null(strstr(t, ">100</text>"));
        free(t);
    }
    rg_reports_close(&d);
    d = open_doc(ablation("weights"));
    t = draw(&d, "ablation", 0);
    assert_int_equal(svg_count(t, "data-kind=\"row\""), 6);
    assert_int_equal(svg_count(t, "not seen"), 3); /* intervals that hold 1 */
    free(t);
    rg_reports_close(&d);
    d = open_doc(roofline("cpu", false));
    t = draw(&d, "roofline", 0);
    assert_int_equal(svg_count(t, "data-kind=\"analytic\""), 6); /* two groups, three batches */
    free(t);
    t = draw(&d, "stages", 0); /* both phases of each case */
    assert_int_equal(svg_count(t, "class=\"bar\""), 6);
    free(t);
    t = draw(&d, "bytes", 0);
    assert_int_equal(svg_count(t, "class=\"dot\""), 2); /* weights of q, k, v and of the FFN */
    assert_int_equal(svg_count(t, ">unknown</text>"), 4);
    assert_null(strstr(t, "class=\"bar\""));
    free(t);
    t = draw(&d, "batch", 0);
    assert_int_equal(svg_count(t, "data-kind=\"analytic\""), 3);
    free(t);
    rg_reports_close(&d);
    d = open_doc(validation("m"));
    t = draw(&d, "validation", 0);
    assert_int_equal(svg_count(t, "data-at=\"points."), 12);
    free(t);
    rg_reports_close(&d);
}

static void test_pages(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int hostile = 0; hostile < 2; hostile++) {
            rg_reports d = open_doc(report(kind, hostile ? HOSTILE : "q4g64"));
            char *t = fixture_show(rg_page_write, &d), *again = fixture_show(rg_page_write, &d);
            assert_string_equal(t, again);
            assert_non_null(strstr(t, "default-src 'none'; style-src 'sha256-"));
            assert_null(strstr(t, "wasm-unsafe-eval")); /* nothing here needs it */
            assert_int_equal(svg_count(t, "<script"), 2);
            assert_int_equal(svg_count(t, " style=\""), 0);
            assert_null(strstr(t, "alert(1)</"));
            assert_null(strstr(t, "<!--"));
            assert_null(strstr(t, ">nan"));
            assert_int_equal(svg_count(t, "data-tools=\"page\""), 0); /* its filters are for runs */
            if (d.doc->kind == RG_DOC_bench) assert_int_equal(svg_count(t, "<tr data-row=\""), 14);
            if (d.doc->kind == RG_DOC_validation) assert_int_equal(svg_count(t, "<tr data-row=\""), 13);
            free(t);
            free(again);
            rg_reports_close(&d);
        }
}

/* Saved and read again, a document gives the same page. */
static void test_fresh_is_saved(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        rg_reports fresh = open_doc(report(kind, HOSTILE)), saved = {0};
        const char *path = temp_at("saved.json");
        rg_err err = {0};
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(rg_doc_json(f, fresh.doc, &err), RG_OK);
        assert_int_equal(fclose(f), 0);
        if (rg_reports_add_file(&saved, path, &err) != RG_OK) fail_msg("%s", err.msg);
        assert_true(json_equal(saved.doc->json, fresh.doc->json));
        char *a = fixture_show(rg_page_write, &fresh), *b = fixture_show(rg_page_write, &saved);
        assert_string_equal(a, b);
        free(a);
        free(b);
        assert_int_equal(rg_reports_add_file(&saved, path, &err), RG_E_USAGE); /* it stands alone */
        assert_non_null(strstr(err.msg, " stands alone"));
        rg_reports_close(&fresh);
        rg_reports_close(&saved);
    }
}

/* What is missing is named; nothing is drawn from half a report. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        int kind;
        const char *list, *field, *expected;
    } cases[] = {{0, "results", "n_prompt", "results[3].n_prompt: found nothing, expected a whole number"},
        {0, "results", "samples_ts", "results[3].samples_ts: found nothing, expected a list of numbers"},
        {0, "results", "test", "results[3].test: found nothing, expected a text"},
        {0, NULL, "machine", "machine: found nothing, expected an object: not a report of ridge bench"},
        {1, "variants", "name", "variants[2].name: found nothing, expected a text"},
        {1, NULL, "runs", "runs: found nothing, expected a list of objects or nulls"},
        {1, "operators", "site", "operators[3].site: found nothing"},
        {2, NULL, "bench",
            "bench: found nothing, expected an object: not a report of ridge compare --ablate"},
        {2, "switches", "name", "switches[2].name: found nothing"},
        {3, NULL, "cost", "cost: found nothing, expected one of its words"}, {3, NULL, "cases", "cases: "},
        {5, "points", "model", "points[3].model: found nothing"},
        {5, NULL, "errors", "errors: found nothing, expected an object of objects"},
        {0, NULL, "version", "version of the schema"},
        {0, NULL, "results", "results: found nothing, expected a list of objects"}};
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
    assert_non_null(strstr(err.msg, "results[0].tokens: found a text \"many\", expected a whole number"));
    rg_doc_close(&d);
    json_decref(j);
}

/* Refused, shown or left out, never followed astray. */
static void test_hostile_values(void **state)
{
    (void)state;
    static const struct {
        int kind;
        const char *place, *key, *value;
    } cases[] = {{1, "operators.1", "variant", "99"}, {1, "operators.1", "variant", "0"},
        {1, "", "runs", "[null, null, null, null, null]"}, {1, "", "runs", "[]"}, {3, "", "hardware", "null"},
        {3, "", "hardware", "[7]"}, {3, "cases.1", "ops", "{}"}, {3, "cases.1.ops.0", "phase", "7"},
        {3, "cases.1.ops.0", "ai", "-1"}, {3, "cases.1.ops.0", "site", "null"}, {3, "cases.1", "total", "[]"},
        {3, "cases.1.input", "batch", "\"many\""}, {3, "cases.1.input", "batch", "-1e300"},
        {3, "cases.1.input", "seqlen", "1e300"}, {4, "", "study", "7"}, {4, "cases.0", "label", "[]"},
        {5, "", "errors", "{}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *j = report(cases[i].kind, "x"), *o = cases[i].place[0] ? json_at(j, cases[i].place) : j;
        json_object_set_new(o, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        rg_reports s = {0};
        rg_doc d;
        rg_err err = {0};
        if (rg_doc_open(&d, j, "test", &err) != RG_OK) {
            rg_doc_close(&d);
        } else if (rg_reports_add(&s, &d, "test", &err) == RG_OK) {
            for (int k = 0; k < rg_n_pictures; k++)
                for (size_t n = 0;
                     rg_pictures[k].kind == s.doc->kind && n < rg_picture_count(&rg_pictures[k], &s); n++)
                    free(draw(&s, rg_pictures[k].name, n));
            free(fixture_show(rg_page_write, &s));
        }
        rg_reports_close(&s);
        json_decref(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pictures), cmocka_unit_test(test_marks),
        cmocka_unit_test(test_pages), cmocka_unit_test(test_fresh_is_saved), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hostile_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
