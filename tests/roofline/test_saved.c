/* Saved reports read back: what was written is what is read, and hostile files are refused with the place and
 * a reason. */
#include "testing.h"

#include "report/saved.h"
#include "roof_fixture.h"

static char *report_text(bool layers)
{
    const rg_machine m = fixture_machine();
    rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    u.per_layer = layers;
    fixture_log(&l);
    if (rg_report_build(&r, &m, &i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    char *t = fixture_text(rg_report_json, (const rg_report *const *)&r, 1);
    rg_report_close(r);
    return t;
}

static void test_round_trip(void **state)
{
    (void)state;
    char *t = report_text(true);
    rg_saved s = {0};
    rg_err err = {0};
    assert_int_equal(rg_saved_add_text(&s, t, strlen(t), "run.json", &err), RG_OK);
    assert_int_equal(s.n, 1);
    const rg_saved_run *r = &s.run[0];
    assert_string_equal(r->name, "paper");
    assert_string_equal(r->dtype, "q4g64");
    assert_string_equal(r->label, "q4g64");
    assert_true(r->layers == 2.0 && r->threads == 2.0 && r->prompt_tokens == 8.0 && r->barrier_ns == 500.0);
    assert_true(r->phase[RG_PREFILL].ran && r->phase[RG_DECODE].ran && r->phase[RG_DECODE].calls == 3.0);
    int layers = 0;
    for (size_t i = 0; i < r->n_ops; i++) layers += r->op[i].layer >= 0;
    assert_true(layers > 20 && layers % 2 == 0);
    const rg_saved_op *q = rg_saved_find(r, RG_DECODE, "attn_q");
    assert_non_null(q);
    assert_int_equal(q->group, RG_OPGROUP_QKV);
    assert_true(q->analytic.weight == 3 * 2 * 64 * 64 * 4.25 / 8);
    assert_true(q->counted.total > q->analytic.total);
    for (size_t i = 0; i < r->n_roofs; i++) { /* the one peak that its kernels are held against */
        const rg_saved_roof *f = &r->roof[i];
        if (f->compute && rg_saved_binds(r, f) != (f->value > 150.0)) fail_msg("%s: %g", f->name, f->value);
    }
    /* the ends of the ladder */
    assert_true(rg_saved_bandwidth(r, 1e6) == 100.0 && rg_saved_bandwidth(r, 1e12) == 10.0);
    assert_true(isnan(rg_saved_bandwidth(r, NAN)));
    assert_true(json_array_size(r->verdict) > 0);
    rg_saved_close(&s);
    free(t);
}

/* What a file may not say: the JSON path, the value, what the message names. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *object, *key, *value, *expect;
        rg_status st;
    } cases[] = {
        {"", "schema", "\"ridge.bench\"", "ridge.bench", RG_E_FILE},
        {"", "schema", "null", "missing", RG_E_FILE},
        {"", "version", "2", "expected 1", RG_E_UNSUPPORTED},
        {"", "version", "\"1\"", "expected 1", RG_E_UNSUPPORTED},
        {"", "machine", "[]", "machine: found a list", RG_E_FILE},
        {"", "ops", "{}", "ops: found an object", RG_E_FILE},
        {"", "ops", "[1]", "ops[0]: found a number", RG_E_FILE},
        {"", "ops", "[{\"phase\":\"training\"}]", "ops[0].phase", RG_E_FILE},
        {"", "phases", "null", "phases: found null", RG_E_FILE},
        {"", "verdict", "[1]", "a list of texts", RG_E_FILE},
        {"", "notes", "\"x\"", "notes: found a text", RG_E_FILE},
        {"machine", "cpu", "3", "machine.cpu: found a number (3)", RG_E_FILE},
        {"machine", "threads", "-1", "machine.threads: found a number (-1)", RG_E_FILE},
        {"machine", "roofs", "[{\"kind\":\"magic\",\"name\":\"x\"}]", "machine.roofs[0].kind", RG_E_FILE},
        {"machine", "roofs", "[{\"kind\":\"compute\",\"name\":7}]", "machine.roofs[0].name", RG_E_FILE},
        {"machine", "roofs_noisy", "\"no\"", "roofs_noisy", RG_E_FILE},
        {"model", "name", "null", "model.name: found null", RG_E_FILE},
        {"model", "layers", "null", "model.layers: found null", RG_E_FILE},
        {"model", "layers", "1", "layer", RG_E_FILE}, /* rows of layer 1 */
        {"model", "dims", "{}", "model.dims.hidden: found nothing", RG_E_FILE},
        {"run", "prompt_tokens", "\"many\"", "run.prompt_tokens: found a text", RG_E_FILE},
    };
    char *t = report_text(true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *j = json_loads(t, 0, NULL), *v = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        json_t *o = cases[i].object[0] ? json_object_get(j, cases[i].object) : j;
        assert_non_null(v);
        assert_int_equal(json_object_set_new(o, cases[i].key, v), 0);
        char *text = json_dumps(j, 0);
        rg_saved s = {0};
        rg_err err = {0};
        const rg_status st = rg_saved_add_text(&s, text, strlen(text), "evil.json", &err);
        if (st != cases[i].st || !strstr(err.msg, cases[i].expect) || !strstr(err.msg, "evil.json") ||
            strchr(err.msg, '\n'))
            fail_msg("%s.%s = %s: status %d, '%s'; expected %d with '%s'", cases[i].object, cases[i].key,
                cases[i].value, st, err.msg, cases[i].st, cases[i].expect);
        rg_saved_close(&s);
        free(text);
        json_decref(j);
    }
    free(t);
}

static void test_not_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "[]", "{}", "1",
        "{\"schema\":\"ridge.profile\",\"schema\":\"ridge.profile\"}",
        "{\"schema\":\"ridge.profile.set\",\"version\":1}",
        "{\"schema\":\"ridge.profile.set\",\"version\":1,\"runs\":[]}",
        "{\"schema\":\"ridge.profile.set\",\"version\":1,\"runs\":[3]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rg_saved s = {0};
        rg_err err = {0};
        assert_int_not_equal(rg_saved_add_text(&s, texts[i], strlen(texts[i]), "evil.json", &err), RG_OK);
        assert_true(err.msg[0] && !strchr(err.msg, '\n'));
        rg_saved_close(&s);
    }
    rg_saved s = {0};
    rg_err err = {0};
    assert_int_equal(rg_saved_add_file(&s, "/nowhere/run.json", &err), RG_E_FILE);
    assert_int_equal(rg_saved_add_file(&s, "/", &err), RG_E_FILE); /* a folder */
    rg_saved_close(&s);
    char *deep = malloc(1 << 20); /* nested deeper than any stack */
    memset(deep, '[', 1 << 20);
    assert_int_equal(rg_saved_add_text(&s, deep, 1 << 20, "evil.json", &err), RG_E_FILE);
    free(deep);
    rg_saved_close(&s);
}

/* Cut and damaged files: refused or read, never a crash (the sanitizers watch). */
static void test_damaged(void **state)
{
    (void)state;
    char *t = report_text(false);
    const size_t n = strlen(t);
    rg_rng rng = {20260101};
    for (int i = 0; i < 400; i++) {
        char *copy = strdup(t);
        rg_saved s = {0};
        rg_err err = {0};
        size_t len = n;
        if (i % 4 == 0)
            len = (size_t)rng_in(&rng, 0, (int64_t)n - 3);
        else
            for (int k = 0; k < i % 4; k++)
                copy[rng_in(&rng, 0, (int64_t)n - 1)] = (char)rng_in(&rng, 1, 255);
        const rg_status st = rg_saved_add_text(&s, copy, len, "evil.json", &err);
        if (i % 4 == 0) assert_int_equal(st, RG_E_FILE);
        assert_true(st == RG_OK || err.msg[0]);
        rg_saved_close(&s);
        free(copy);
    }
    free(t);
}

static void test_labels(void **state)
{
    (void)state;
    char *t = report_text(false);
    json_t *j = json_loads(t, 0, NULL);
    rg_saved s = {0};
    rg_err err = {0};
    for (int i = 0; i < 3; i++) { /* same type and model, other lengths */
        json_object_set_new(json_object_get(j, "run"), "prompt_tokens", json_integer(8 << i));
        char *text = json_dumps(j, 0);
        assert_int_equal(rg_saved_add_text(&s, text, strlen(text), "x", &err), RG_OK);
        free(text);
    }
    assert_string_equal(s.run[0].label, "8+3 tokens");
    assert_string_equal(s.run[2].label, "32+3 tokens");
    char *text = json_dumps(j, 0);
    /* a twin: numbers tell them apart */
    assert_int_equal(rg_saved_add_text(&s, text, strlen(text), "x", &err), RG_OK);
    assert_string_not_equal(s.run[2].label, s.run[3].label);
    free(text);
    while (s.n < RG_SAVED_MAX_RUNS) {
        text = json_dumps(j, 0);
        assert_int_equal(rg_saved_add_text(&s, text, strlen(text), "x", &err), RG_OK);
        free(text);
    }
    text = json_dumps(j, 0);
    assert_int_equal(rg_saved_add_text(&s, text, strlen(text), "x", &err), RG_E_USAGE);
    free(text);
    rg_saved_close(&s);
    json_decref(j);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_not_json), cmocka_unit_test(test_damaged), cmocka_unit_test(test_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
