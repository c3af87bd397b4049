/* Documents: what was written is what is read, views of both are the same bytes, and hostile files are
 * refused with the place and a reason. */
#include "testing.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "figures_fixture.h"
#include "report/html/page.h"
#include "report/svg/pictures.h"
#include "roof_fixture.h"
#include "tempdir.h"

static const char HOSTILE[] = "a\x01|b\"c,\n\xff\xc3\xa9 =1+2 </script>\x7f%s%n";

static rg_report *make(const rg_machine *m, const char *name, const char *dtype, bool layers)
{
    rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    if (name) snprintf(i.config.name, sizeof i.config.name, "%s", name);
    if (name) i.path = u.command = u.pmu_reason = name;
    i.dtype = dtype;
    u.per_layer = layers;
    fixture_log(&l);
    if (rg_report_build(&r, m, &i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    return r;
}

static char *report_text(bool layers)
{
    const rg_machine m = fixture_machine();
    rg_report *r = make(&m, NULL, "q4g64", layers);
    char *t = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    rg_report_close(r);
    return t;
}

static const char *save(const char *text, size_t n)
{
    const char *path = temp_at("evil.json");
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static rg_status add_text(rg_reports *s, const char *text, rg_err *err)
{
    return rg_reports_add_file(s, save(text, strlen(text)), err);
}

static rg_status add_json(rg_reports *s, const json_t *j, rg_err *err)
{
    char *text = json_dumps(j, 0);
    const rg_status st = add_text(s, text, err);
    free(text);
    return st;
}

static void test_round_trip(void **state)
{
    (void)state;
    char *t = report_text(true);
    rg_reports s = {0};
    rg_err err = {0};
    assert_int_equal(add_text(&s, t, &err), RG_OK);
    assert_int_equal(s.n, 1);
    assert_null(rg_reports_other(&s));
    const rg_run *r = &s.run[0];
    const rg_doc_profile *d = r->d;
    assert_string_equal(d->model.name, "paper");
    assert_string_equal(d->model.dtype, "q4g64");
    assert_string_equal(r->label, "q4g64");
    assert_true(d->model.layers == 2.0 && d->machine.threads == 2.0 && d->run.prompt_tokens == 8.0 &&
        d->machine.barrier_ns == 500.0);
    assert_true(rg_phase_ran(&r->phase[RG_PREFILL]) && rg_phase_ran(&r->phase[RG_DECODE]) &&
        r->phase[RG_DECODE].calls == 3.0);
    int layers = 0;
    for (size_t i = 0; i < d->n_ops; i++) layers += d->ops[i].layer >= 0;
    assert_true(layers > 20 && layers % 2 == 0);
    const rg_doc_op *q = rg_run_op(r, RG_DECODE, "attn_q");
    assert_non_null(q);
    assert_int_equal(rg_opgroup_of(q->site), RG_OPGROUP_QKV);
    assert_true(q->analytic.weight_bytes == 3 * 2 * 64 * 64 * 4.25 / 8);
    assert_true(q->counted.total_bytes > q->analytic.total_bytes);
    for (size_t i = 0; i < d->machine.n_roofs; i++) { /* the one peak that its kernels are held against */
        const rg_doc_roof *f = &d->machine.roofs[i];
        if (rg_roof_computes(f) && rg_run_binds(r, f) != (rg_roof_value(f) > 150.0))
            fail_msg("%s: %g", f->name, rg_roof_value(f));
    }
    /* the ends of the ladder */
    assert_true(rg_run_bandwidth(r, 1e6) == 100.0 && rg_run_bandwidth(r, 1e12) == 10.0);
    assert_true(isnan(rg_run_bandwidth(r, NAN)));
    assert_true(json_array_size(d->verdict) > 0);
    rg_reports_close(&s);
    free(t);
}

static rg_status pictures(FILE *f, const rg_reports *s, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < rg_n_pictures; i++)
        for (size_t k = 0; k < rg_picture_count(&rg_pictures[i], s) && st == RG_OK; k++)
            if (rg_pictures[i].can(s, k)) st = rg_pictures[i].draw(f, s, k, false, err);
    return st;
}

static fixture_view *const views[] = {rg_profile_md, rg_profile_csv, fixture_json, rg_page_write, pictures};
enum { VIEWS = sizeof views / sizeof *views };

/* A document made here and the same one saved and read again: every view has the same bytes. */
static void test_fresh_is_saved(void **state)
{
    (void)state;
    rg_machine known = fixture_machine(), unknown = known;
    unknown.n_bw = 0;
    unknown.peak[RG_PEAK_FP32_AVX512].value = 0.0;
    for (int variant = 0; variant < 8; variant++) {
        const rg_machine *m = variant & 4 ? &unknown : &known;
        rg_report *r[2] = {make(m, variant & 2 ? HOSTILE : NULL, "f16", variant & 2),
            make(m, variant & 2 ? HOSTILE : NULL, "q4g64", variant & 2)};
        rg_reports fresh = fixture_reports((const rg_report *const *)r, variant & 1 ? 2 : 1), saved = {0};
        rg_err err = {0};
        char *text = fixture_show(fixture_json, &fresh);
        if (add_text(&saved, text, &err) != RG_OK) fail_msg("%s", err.msg);
        for (int v = 0; v < VIEWS; v++) {
            char *a = fixture_show(views[v], &fresh), *b = fixture_show(views[v], &saved);
            assert_true(strlen(a) > 100);
            if (strcmp(a, b) != 0) fail_msg("variant %d: view %d differs when it was saved", variant, v);
            free(a);
            free(b);
        }
        free(text);
        rg_reports_close(&fresh);
        rg_reports_close(&saved);
        for (int i = 0; i < 2; i++) rg_report_close(r[i]);
    }
}

static void rename_key(json_t *o, const char *from, const char *to)
{
    json_t *v = json_object_get(o, from);
    assert_non_null(v);
    json_object_set(o, to, v);
    json_object_del(o, from);
}

/* Files of version 1 say the same under their old names. */
static void test_version_1(void **state)
{
    (void)state;
    char *t = report_text(true);
    json_t *j = json_loads(t, 0, NULL), *o;
    size_t i;
    json_object_set_new(j, "version", json_integer(1));
    json_array_foreach (json_object_get(j, "phases"), i, o) {
        rename_key(o, "ideal_ns", "analytic_t_ns");
        rename_key(o, "ideal_flop_ns", "analytic_flop_ns");
        rename_key(o, "ideal_mem_ns", "analytic_mem_ns");
        json_object_del(o, "ctx"); /* what version 2 added may be missing */
    }
    json_array_foreach (json_object_get(j, "ops"), i, o) {
        rename_key(json_object_get(o, "analytic"), "ideal_ns", "t_ns");
        json_object_del(json_object_get(o, "analytic"), "flop_ns");
        json_object_del(json_object_get(o, "analytic"), "mem_ns");
        json_object_del(o, "bytes_ratio");
    }
    rg_reports now = {0}, then = {0};
    rg_err err = {0};
    assert_int_equal(add_text(&now, t, &err), RG_OK);
    if (add_json(&then, j, &err) != RG_OK) fail_msg("%s", err.msg);
    const rg_doc_profile *a = now.run->d, *b = then.run->d;
    for (i = 0; i < a->n_phases; i++)
        assert_true(a->phases[i].ideal_ns == b->phases[i].ideal_ns &&
            a->phases[i].ideal_flop_ns == b->phases[i].ideal_flop_ns &&
            a->phases[i].ideal_mem_ns == b->phases[i].ideal_mem_ns);
    for (i = 0; i < a->n_ops; i++) {
        assert_true(a->ops[i].analytic.ideal_ns == b->ops[i].analytic.ideal_ns);
        assert_true(isnan(b->ops[i].analytic.flop_ns) && b->ops[i].bytes_ratio > 0.0);
    }
    /* and are documents of this version for whoever shows them */
    assert_int_equal(json_integer_value(json_object_get(then.doc->json, "version")), 2);
    assert_null(
        json_object_get(json_array_get(json_object_get(then.doc->json, "phases"), 0), "analytic_t_ns"));
    char *x = fixture_show(pictures, &now), *y = fixture_show(pictures, &then);
    assert_string_equal(x, y);
    free(x);
    free(y);
    for (int v = 0; v < VIEWS; v++) free(fixture_show(views[v], &then));
    rg_reports_close(&now);
    rg_reports_close(&then);
    json_decref(j);
    free(t);
    for (int set = 0; set < 3; set++) { /* results of earlier versions lie in the tree */
        static const char *const files[] = {
            "smollm2-135m/base.json", "smollm2-135m/depth.json", "tinyllama-1.1b/base.json"};
        char rel[128], path[512];
        snprintf(rel, sizeof rel, "benchmarks/results/amd-epyc-avx512bf16-t2/%s", files[set]);
        rg_doc d;
        json_t *was;
        assert_int_equal(rg_json_read(&was, project_file(path, sizeof path, rel), &err), RG_OK);
        if (rg_doc_open(&d, was, rel, &err) != RG_OK) fail_msg("%s", err.msg);
        const rg_doc_bench *bench = d.at;
        assert_int_equal(d.kind, RG_DOC_bench);
        assert_int_equal(json_integer_value(json_object_get(was, "version")), 1);
        assert_int_equal(json_integer_value(json_object_get(d.json, "version")), 2);
        for (i = 0; i < bench->n_results; i++) {
            o = json_array_get(json_object_get(was, "results"), i);
            assert_true(bench->results[i].ideal_ns == number_at(o, "analytic_t_ns") &&
                bench->results[i].ideal_flop_ns == number_at(o, "analytic_flop_ns") &&
                bench->results[i].ideal_mem_ns == number_at(o, "analytic_mem_ns"));
            assert_true(number_at(json_array_get(rg_doc_rows(&d), i), "ideal_ns") > 0.0);
        }
        json_decref(was);
        rg_doc_close(&d);
    }
}

/* What a file may not say: the object, the key, the value (NULL: nothing), what the message names. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *object, *key, *value, *expect;
        rg_status st;
    } cases[] = {
        {"", "schema", "\"ridge.soup\"", "ridge.soup", RG_E_FILE},
        {"", "schema", "\"ridge.bench\"", "not a report of ridge bench -o json", RG_E_FILE},
        {"", "schema", "null", "missing", RG_E_FILE},
        {"", "schema", "\"ridge.profile\\u0000x\"", "not JSON", RG_E_FILE},
        {"", "version", "3", "expected 1 to 2", RG_E_UNSUPPORTED},
        {"", "version", "0", "expected 1 to 2", RG_E_UNSUPPORTED},
        {"", "version", "2.0", "expected 1 to 2", RG_E_UNSUPPORTED},
        {"", "version", "\"2\"", "expected 1 to 2", RG_E_UNSUPPORTED},
        {"", "version", NULL, "expected 1 to 2", RG_E_UNSUPPORTED},
        {"", "machine", "[]", "machine: found a list, expected an object", RG_E_FILE},
        {"", "machine", NULL, "machine: found nothing, expected an object", RG_E_FILE},
        {"", "ops", "{}", "ops: found an object, expected a list", RG_E_FILE},
        {"", "ops", "[1]", "ops[0]: found a number (1), expected an object", RG_E_FILE},
        {"", "ops", "[{\"phase\":\"training\"}]", "ops[0].phase: found a text \"training\"", RG_E_FILE},
        {"", "phases", "null", "phases: found null", RG_E_FILE},
        {"", "phases", NULL, "phases: found nothing", RG_E_FILE},
        {"", "verdict", "[1]", "a list of texts", RG_E_FILE},
        {"", "verdict", "[null]", "a list of texts", RG_E_FILE},
        {"", "notes", "\"x\"", "notes: found a text", RG_E_FILE},
        {"", "started", "7", "started: found a number (7), expected a time", RG_E_FILE},
        {"", "layers", "3", "layers: found a number", RG_E_FILE},
        {"machine", "cpu", "3", "machine.cpu: found a number (3), expected a text", RG_E_FILE},
        {"machine", "cpu", NULL, "machine.cpu: found nothing", RG_E_FILE},
        {"machine", "threads", "-1", "machine.threads: found a number (-1)", RG_E_FILE},
        {"machine", "threads", "1.5", "expected a whole number of at least 0", RG_E_FILE},
        {"machine", "threads", "1e300", "machine.threads: found a number (1e+300)", RG_E_FILE},
        {"machine", "cores", "true", "machine.cores: found true", RG_E_FILE},
        {"machine", "cpus", "[0,-1]", "machine.cpus: found a list", RG_E_FILE},
        {"machine", "isa", "\"sse\"", "expected one of: c avx2", RG_E_FILE},
        {"machine", "isa", "\"c avx2\"", "expected one of: c avx2", RG_E_FILE},
        {"machine", "isa", "\"\"", "expected one of: c avx2", RG_E_FILE},
        {"machine", "isa", "\"avx\"", "expected one of: c avx2", RG_E_FILE},
        {"machine", "barrier_ns", "-0.5", "machine.barrier_ns: found a number (-0.5)", RG_E_FILE},
        {"machine", "roofs", "[{\"kind\":\"magic\",\"name\":\"x\"}]", "machine.roofs[0].kind", RG_E_FILE},
        {"machine", "roofs", "[{\"kind\":\"compute\",\"name\":7}]", "machine.roofs[0].name", RG_E_FILE},
        {"machine", "roofs", "[null]", "machine.roofs[0]: found null", RG_E_FILE},
        {"machine", "roofs_noisy", "\"no\"", "machine.roofs_noisy: found a text \"no\"", RG_E_FILE},
        {"machine", "pmu", "{\"status\":\"hardware\",\"events\":3}", "machine.pmu.events", RG_E_FILE},
        {"model", "name", "null", "model.name: found null, expected a text", RG_E_FILE},
        {"model", "name", "7", "not a report of ridge profile -o json", RG_E_FILE},
        {"model", "layers", "null", "model.layers: found null", RG_E_FILE},
        {"model", "layers", "1", "layer: found 1, expected null or a layer of the model", RG_E_FILE},
        {"model", "dims", "{}", "model.dims.hidden: found nothing", RG_E_FILE},
        {"model", "act", "\"q9\"", "expected one of: f32 bf16 q8", RG_E_FILE},
        {"run", "prompt_tokens", "\"many\"", "run.prompt_tokens: found a text", RG_E_FILE},
        {"run", "noise", "{\"a\":1}", "run.noise: found an object", RG_E_FILE},
    };
    char *t = report_text(true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *j = json_loads(t, 0, NULL);
        json_t *o = cases[i].object[0] ? json_object_get(j, cases[i].object) : j;
        rg_reports s = {0};
        rg_err err = {0};
        if (cases[i].value)
            json_object_set_new(o, cases[i].key, json_string("@"));
        else
            json_object_del(o, cases[i].key);
        char *text = json_dumps(j, 0), *mark = strstr(text, "\"@\"");
        if (cases[i].value) { /* as it stands in a file: nobody parsed it before */
            char *whole = malloc(strlen(text) + strlen(cases[i].value) + 1);
            sprintf(whole, "%.*s%s%s", (int)(mark - text), text, cases[i].value, mark + 3);
            free(text);
            text = whole;
        }
        const rg_status st = add_text(&s, text, &err);
        if (st != cases[i].st || !strstr(err.msg, cases[i].expect) || !strstr(err.msg, "evil.json") ||
            strchr(err.msg, '\n'))
            fail_msg("%s.%s = %s: status %d, '%s'; expected %d with '%s'", cases[i].object, cases[i].key,
                cases[i].value, st, err.msg, cases[i].st, cases[i].expect);
        free(text);
        rg_reports_close(&s);
        json_decref(j);
    }
    free(t);
}

/* Members of rows: each list in turn, its second row. */
static void test_refused_rows(void **state)
{
    (void)state;
    static const struct {
        const char *list, *inside, *key, *value, *expect;
    } cases[] = {{"phases", "", "phase", "\"prefill\"", "phases[1]: prefill for the second time"},
        {"phases", "", "t_ns", "-3", "phases[1].t_ns: found a number (-3)"},
        {"phases", "", "call_ns", "[1,-2]", "phases[1].call_ns: found a list"},
        {"phases", "", "call_ns", "[\"fast\"]", "phases[1].call_ns: found a list"},
        {"phases", "", "bound", "\"luck\"", "phases[1].bound: found a text \"luck\""},
        {"phases", "", "pmu", "{\"cycles\":\"many\"}", "phases[1].pmu: found an object"},
        {"phases", "", "overhead_ns", "null", "phases[1].overhead_ns: found null, expected a whole number"},
        {"phases", "system", "steal", "-1", "phases[1].system.steal: found a number (-1)"},
        {"phases", "socket", "socket_read_bytes", "[]", "phases[1].socket.socket_read_bytes: found a list"},
        {"phases", "", "first_call_system", "{}", "phases[1].first_call_system.minor_faults: found nothing"},
        {"ops", "", "site", "null", "ops[1].site: found null"},
        {"ops", "", "layer", "2", "ops[1].layer: found 2, expected null or a layer of the model"},
        {"ops", "", "layer", "-1", "ops[1].layer: found a number (-1)"},
        {"ops", "", "layer", "0.5", "ops[1].layer: found a number (0.5)"},
        {"ops", "", "layer", "4611686018427387904", "expected null or a layer of the model"},
        {"ops", "", "served_from_cache", "1", "ops[1].served_from_cache: found a number (1)"},
        {"ops", "analytic", "ideal_ns", "\"soon\"", "ops[1].analytic.ideal_ns: found a text"},
        {"ops", "counted", "total_bytes", "null", "ops[1].counted.total_bytes: found null"}};
    char *t = report_text(false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *j = json_loads(t, 0, NULL), *o = json_array_get(json_object_get(j, cases[i].list), 1);
        if (cases[i].inside[0]) o = json_object_get(o, cases[i].inside);
        assert_int_equal(
            json_object_set_new(o, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL)), 0);
        rg_reports s = {0};
        rg_err err = {0};
        assert_int_equal(add_json(&s, j, &err), RG_E_FILE);
        if (!strstr(err.msg, cases[i].expect)) fail_msg("'%s', expected '%s'", err.msg, cases[i].expect);
        rg_reports_close(&s);
        json_decref(j);
    }
    json_t *j = json_loads(t, 0, NULL), *ops = json_object_get(j, "ops"), *one = json_array_get(ops, 0);
    while (json_array_size(ops) <= 200000) json_array_append(ops, one);
    rg_reports s = {0};
    rg_err err = {0};
    assert_int_equal(add_json(&s, j, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "ops: 200001 entries, expected at most 200000"));
    rg_reports_close(&s);
    json_decref(j);
    free(t);
}

static void test_not_json(void **state)
{
    (void)state;
#define RUN "{\"schema\":\"ridge.profile\",\"version\":2,\"machine\":"
    static const char *const texts[] = {"", "x", "[]", "{}", "1", "NaN", RUN "NaN}", RUN "Infinity}",
        RUN "1e999}", RUN "-1e999}", RUN "99999999999999999999}", RUN "{}} x", RUN "{\"a\\u0000b\":1}}",
        "\xff\xfe{}", "{\"schema\":\"ridge.profile\",\"schema\":\"ridge.profile\"}",
        RUN "{\"cpu\":\"a\",\"cpu\":\"b\"}}", "{\"schema\":\"ridge.profile.set\",\"version\":1}",
        "{\"schema\":\"ridge.profile.set\",\"version\":1,\"runs\":[],\"verdict\":[]}",
        "{\"schema\":\"ridge.profile.set\",\"version\":1,\"runs\":[3]}"};
    rg_reports s = {0};
    rg_err err = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        err.msg[0] = 0;
        assert_int_not_equal(add_text(&s, texts[i], &err), RG_OK);
        assert_true(err.msg[0] && !strchr(err.msg, '\n'));
        rg_reports_close(&s);
    }
    static const char nul[] = "{\"schema\":\"ridge.profile\0\"}";
    assert_int_equal(rg_reports_add_file(&s, save(nul, sizeof nul - 1), &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "not JSON: line 1"));
    assert_int_equal(rg_reports_add_file(&s, "/nowhere/run.json", &err), RG_E_FILE);
    assert_int_equal(rg_reports_add_file(&s, "/", &err), RG_E_FILE); /* a folder */
    char *deep = malloc(1 << 20);                                    /* nested deeper than any stack */
    memset(deep, '[', 1 << 20);
    assert_int_equal(rg_reports_add_file(&s, save(deep, 1 << 20), &err), RG_E_FILE);
    free(deep);
    const char *huge = save("{", 1);
    assert_int_equal(truncate(huge, INT64_C(300) << 20), 0); /* sparse */
    assert_int_equal(rg_reports_add_file(&s, huge, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "larger than 256 MiB: not a report"));
    unlink(huge);
    rg_reports_close(&s);
}

/* What another program writes into a pipe is read to its end, piece by piece. */
static void test_pipe(void **state)
{
    (void)state;
    char *t = report_text(true);
    const char *path = temp_at("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    const pid_t child = fork();
    if (child == 0) {
        FILE *f = fopen(path, "w");
        const size_t n = strlen(t);
        for (size_t i = 0; f && i < n; i += 5000) fwrite(t + i, 1, n - i < 5000 ? n - i : 5000, f);
        if (f) fclose(f);
        _exit(0);
    }
    rg_reports s = {0};
    rg_err err = {0};
    if (rg_reports_add_file(&s, path, &err) != RG_OK) fail_msg("%s", err.msg);
    int status;
    waitpid(child, &status, 0);
    char *again = fixture_show(fixture_json, &s);
    assert_string_equal(again, t);
    free(again);
    rg_reports_close(&s);
    free(t);
}

/* Cut and damaged files: refused or read and shown, never a crash (the sanitizers watch). */
static void test_damaged(void **state)
{
    (void)state;
    char *t = report_text(false);
    const size_t n = strlen(t);
    rg_rng rng = {20260101};
    int read = 0;
    for (int i = 0; i < 1000; i++) {
        char *copy = strdup(t);
        rg_reports s = {0};
        rg_err err = {0};
        size_t len = n;
        if (i % 4 == 0)
            len = (size_t)rng_in(&rng, 0, (int64_t)n - 3);
        else
            for (int k = 0; k < i % 4; k++)
                copy[rng_in(&rng, 0, (int64_t)n - 1)] =
                    i % 3 ? (char)rng_in(&rng, 1, 255) : (char)rng_in(&rng, '0', '9');
        const rg_status st = rg_reports_add_file(&s, save(copy, len), &err);
        if (i % 4 == 0) assert_int_equal(st, RG_E_FILE);
        assert_true(st == RG_OK || err.msg[0]);
        for (int v = 0; v < VIEWS && st == RG_OK && read < 60; v++) free(fixture_show(views[v], &s));
        read += st == RG_OK;
        rg_reports_close(&s);
        free(copy);
    }
    assert_true(read > 20);
    free(t);
}

/* A value of another type in the place of every member, one after the other. */
static void test_every_member(void **state)
{
    (void)state;
    char *t = report_text(false);
    json_t *whole = json_loads(t, 0, NULL);
    static const char *const values[] = {"null", "true", "-1.5", "7", "\"x\"", "[]", "{}", "[{}]"};
    static const char *const places[] = {"", "machine", "machine.pmu", "machine.roofs.0", "model",
        "model.dims", "run", "phases.0", "phases.0.system", "phases.1.socket", "ops.0", "ops.9.analytic",
        "ops.9.counted"};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        const char *key;
        json_t *v;
        json_t *like = json_at(whole, places[p]);
        assert_true(json_is_object(like));
        json_object_foreach (like, key, v)
            for (size_t i = 0; i <= sizeof values / sizeof *values; i++) {
                json_t *j = json_deep_copy(whole), *o = json_at(j, places[p]);
                rg_reports s = {0};
                rg_doc d;
                rg_err err = {0};
                if (i < sizeof values / sizeof *values)
                    json_object_set_new(o, key, json_loads(values[i], JSON_DECODE_ANY, NULL));
                else
                    json_object_del(o, key);
                rg_status st = rg_doc_open(&d, j, "evil.json", &err);
                if (st == RG_OK)
                    st = rg_reports_add(&s, &d, "evil.json", &err);
                else
                    rg_doc_close(&d);
                if (st == RG_OK) free(fixture_show(rg_profile_md, &s));
                assert_true(st == RG_OK || strncmp(err.msg, "evil.json: ", 11) == 0);
                rg_reports_close(&s);
                json_decref(j);
            }
    }
    json_decref(whole);
    free(t);
}

static void test_labels(void **state)
{
    (void)state;
    char *t = report_text(false);
    json_t *j = json_loads(t, 0, NULL);
    rg_reports s = {0};
    rg_err err = {0};
    for (int i = 0; i < 3; i++) { /* same type and model, other lengths */
        json_object_set_new(json_object_get(j, "run"), "prompt_tokens", json_integer(8 << i));
        assert_int_equal(add_json(&s, j, &err), RG_OK);
    }
    assert_string_equal(s.run[0].label, "8+3 tokens");
    assert_string_equal(s.run[2].label, "32+3 tokens");
    /* a twin: numbers tell them apart */
    assert_int_equal(add_json(&s, j, &err), RG_OK);
    assert_string_not_equal(s.run[2].label, s.run[3].label);
    while (s.n < RG_MOST_RUNS) assert_int_equal(add_json(&s, j, &err), RG_OK);
    assert_int_equal(add_json(&s, j, &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "more than 64 runs"));
    rg_reports_close(&s);
    json_decref(j);
    free(t);
}

/* Of another model and type: both are said. Alike but for their files: those. */
static void test_merged_labels(void **state)
{
    static const struct {
        const char *model, *type, *file, *label;
    } runs[] = {{"a", "f16", "x/one.json", "a, f16, one"}, {"b", "q4g64", "x/two.json", "b, q4g64, two"},
        {"a", "f16", "y/three.json", "a, f16, three"}};
    (void)state;
    char *t = report_text(false), text[200];
    rg_err err = {0};
    for (int n = 1; n <= 3; n++) {
        rg_reports s = {0};
        for (int i = 0; i < n; i++) {
            json_t *j = json_loads(t, 0, NULL), *model = json_object_get(j, "model");
            rg_doc d;
            json_object_set_new(model, "name", json_string(runs[i].model));
            json_object_set_new(model, "dtype", json_string(runs[i].type));
            assert_int_equal(rg_doc_open(&d, j, runs[i].file, &err), RG_OK);
            assert_int_equal(rg_reports_add(&s, &d, runs[i].file, &err), RG_OK);
            json_decref(j);
        }
        if (n == 1) assert_string_equal(s.run[0].label, "f16");
        if (n == 2) assert_string_equal(s.run[0].label, "a, f16");
        if (n == 2) assert_string_equal(s.run[1].label, "b, q4g64");
        for (int i = 0; i < n && n == 3; i++) assert_string_equal(s.run[i].label, runs[i].label);
        assert_string_equal(rg_runs_models(text, sizeof text, &s), n == 1 ? "a" : "a and b");
        rg_reports_close(&s);
    }
    const char *const names[] = {"a", "b", "a", "c", "d"};
    assert_string_equal(rg_name_list(text, sizeof text, names, 5), "a, b and 2 others");
    assert_string_equal(rg_name_list(text, sizeof text, names, 4), "a, b and 1 other");
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fresh_is_saved), cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_refused_rows), cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_pipe), cmocka_unit_test(test_damaged), cmocka_unit_test(test_every_member),
        cmocka_unit_test(test_labels), cmocka_unit_test(test_merged_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
