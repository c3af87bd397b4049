/* Pictures without golden files: structure, numbers of points, texts that do not overlap, escaping, the same
 * bytes every time. */
#include "testing.h"

#include "report/svg/pictures.h"
#include "report/svg/sweep.h"
#include "roof_fixture.h"
#include "svg_check.h"

static const char HOSTILE[] = "</text><script>alert(1)</script>\"'&\x01\xff\xc3\xa9 onload=\"x\" a very long "
                              "name that goes on and on and on and on and on";

static rg_report *make(const rg_machine *m, const char *name, const char *dtype, int64_t prompt)
{
    rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    if (name) snprintf(i.config.name, sizeof i.config.name, "%s", name);
    if (dtype) i.dtype = dtype;
    if (prompt) u.prompt_tokens = prompt;
    u.per_layer = true;
    fixture_log(&l);
    if (rg_report_build(&r, m, &i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    return r;
}

static rg_reports save(rg_report **r, int n)
{
    rg_reports s = fixture_reports((const rg_report *const *)r, n);
    for (int i = 0; i < n; i++) rg_report_close(r[i]);
    return s;
}

static char *draw(const rg_picture *p, const rg_reports *s, size_t run, bool embedded)
{
    char *text = NULL;
    size_t len = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    if (p->draw(f, s, run, embedded, &err) != RG_OK) fail_msg("%s: %s", p->name, err.msg);
    fclose(f);
    assert_int_equal(strlen(text), len);
    return text;
}

static const rg_picture *named(const char *name)
{
    for (int i = 0; i < rg_n_pictures; i++)
        if (strcmp(rg_pictures[i].name, name) == 0) return &rg_pictures[i];
    fail_msg("no picture '%s'", name);
    return NULL;
}

/* Rules that hold for every picture. */
static void check(const char *svg)
{
    svg_check_well_formed(svg);
    assert_true(svg_check_texts(svg) > 3);
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf\""));
    assert_null(strstr(svg, "<script"));
    assert_null(strstr(svg, "href"));
    assert_null(strstr(svg, "url("));
    assert_null(strstr(svg, " style=\""));       /* a strict content-security policy forbids it */
    assert_int_equal(svg_count(svg, "http"), 1); /* the name space */
    assert_int_equal(svg_count(svg, "<desc>"), 1);
}

static void test_all(void **state)
{
    (void)state;
    rg_machine known = fixture_machine(), unknown = known;
    unknown.n_bw = 0;
    unknown.peak[RG_PEAK_FP32_AVX512].value = 0.0;
    for (int variant = 0; variant < 4; variant++) {
        rg_report *r[2] = {make(variant == 1 ? &unknown : &known, variant == 2 ? HOSTILE : NULL, "f16", 8),
            make(variant == 1 ? &unknown : &known, variant == 2 ? HOSTILE : NULL,
                variant == 3 ? "f16" : "q4g64", 16)};
        rg_reports s = save(r, 2);
        int drawn = 0, of_runs = 0;
        for (int i = 0; i < rg_n_pictures; i++) {
            of_runs += rg_pictures[i].kind == RG_DOC_profile;
            for (size_t run = 0; run < rg_picture_count(&rg_pictures[i], &s); run++) {
                if (!rg_pictures[i].can(&s, run)) continue;
                char *a = draw(&rg_pictures[i], &s, run, false), *b = draw(&rg_pictures[i], &s, run, false),
                     *page = draw(&rg_pictures[i], &s, run, true);
                check(a);
                check(page);
                assert_string_equal(a, b);
                assert_non_null(strstr(a, "prefers-color-scheme:dark"));
                assert_null(strstr(page, "<style>"));
                drawn++;
                free(a);
                free(b);
                free(page);
            }
        }
        assert_true(drawn >= 2 * of_runs - 3);
        rg_reports_close(&s);
    }
}

static void test_points(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    for (int u = 0; u < 2; u++) {
        if (u) m.n_bw = 0; /* no bandwidth, so no analytic height: the measured points stay */
        rg_report *r = make(&m, NULL, NULL, 0);
        rg_reports s = save(&r, 1);
        int groups = 0;
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
            for (int g = 0; g < RG_OPGROUP_COUNT; g++)
                groups += rg_run_group(&s.run[0], (rg_phase)ph, (rg_opgroup)g).flop > 0.0;
        assert_int_equal(groups, 2 * (RG_OPGROUP_COUNT - 1)); /* all but the choice of experts */
        char *t = draw(named("roofline"), &s, 0, false);
        assert_int_equal(svg_count(t, "data-kind=\"measured\""), groups);
        assert_int_equal(svg_count(t, "data-kind=\"analytic\""), u ? 0 : groups);
        assert_int_equal(svg_count(t, "class=\"roofmark\"") > 3, u == 0);
        assert_int_equal(svg_count(t, "A roof is not known"), u);
        free(t);
        t = draw(named("time"), &s, 0, false);
        int rows = 0;
        for (size_t i = 0; i < s.run[0].d->n_ops; i++) rows += s.run[0].d->ops[i].layer < 0;
        assert_int_equal(svg_count(t, "data-op=\""), rows);
        free(t);
        t = draw(named("heat"), &s, 0, false); /* a cell per row of a layer */
        assert_int_equal(svg_count(t, "data-op=\""), s.run[0].d->n_ops - (size_t)rows);
        free(t);
        rg_reports_close(&s);
    }
}

/* A mark per decode step, or per slot of many; percentiles as lines; a stall beyond the axis keeps its
 * mark. */
static void test_latency(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r = make(&m, NULL, NULL, 0);
    rg_reports s = save(&r, 1);
    char *t = draw(named("latency"), &s, 0, false);
    assert_int_equal(svg_count(t, "data-kind=\"call\""), json_array_size(s.run[0].phase[RG_DECODE].call_ns));
    assert_int_equal(svg_count(t, "data-kind=\"percentile\""), 3);
    free(t);
    json_t *root = json_deep_copy(s.doc->json), *phase = json_array_get(json_object_get(root, "phases"), 1),
           *series = json_array();
    rg_reports_close(&s);
    for (int i = 0; i < 1000; i++)
        json_array_append_new(series, json_integer(i == 500 ? 90000000 : 1000000 + i % 7));
    json_object_set_new(phase, "call_ns", series);
    json_object_set_new(phase, "p50_ns", json_real(1000003));
    json_object_set_new(phase, "p90_ns", json_real(1000006));
    json_object_set_new(phase, "p99_ns", json_real(1000006));
    rg_err err = {0};
    rg_doc d;
    assert_int_equal(rg_doc_open(&d, root, "long", &err), RG_OK);
    assert_int_equal(rg_reports_add(&s, &d, "long", &err), RG_OK);
    t = draw(named("latency"), &s, 0, false);
    check(t);
    assert_int_equal(svg_count(t, "data-kind=\"call\""), 334); /* three steps each, the last one alone */
    assert_int_equal(svg_count(t, "data-n=\"3\""), 333);
    assert_non_null(strstr(t, "slowest 90.0 ms"));
    assert_non_null(strstr(t, "beyond the axis: 1, slowest 90.0 ms"));
    assert_non_null(strstr(t, "<title>tokens at positions")); /* lines of a tooltip stay lines */
    assert_null(strstr(t, "?fastest"));
    free(t);
    rg_reports_close(&s);
    json_array_set_new(series, 7, json_string("fast"));
    assert_int_equal(rg_doc_open(&d, root, "wrong", &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "call_ns"));
    rg_doc_close(&d);
    json_decref(root);
}

static void test_groups_are_sums(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r = make(&m, NULL, NULL, 0);
    rg_reports s = save(&r, 1);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        double t = 0.0, flop = 0.0, bytes = 0.0;
        for (int g = 0; g < RG_OPGROUP_COUNT; g++) {
            const rg_group w = rg_run_group(&s.run[0], (rg_phase)ph, (rg_opgroup)g);
            t += w.t_ns;
            flop += w.flop;
            bytes += w.counted.total_bytes;
        }
        assert_true(t == s.run[0].phase[ph].ops_ns);
        assert_true(flop == s.run[0].phase[ph].flop);
        assert_true(bytes == s.run[0].phase[ph].bytes_counted);
    }
    rg_reports_close(&s);
}

static void test_machine(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    for (int variant = 0; variant < 3; variant++) {
        char *t = NULL;
        size_t len = 0;
        rg_err err = {0};
        FILE *f = open_memstream(&t, &len);
        if (variant == 1) m.n_bw = 0;
        if (variant == 2) {
            memset(m.peak, 0, sizeof m.peak);
            snprintf(m.cpu, sizeof m.cpu, "%.63s", HOSTILE);
        }
        if (rg_picture_machine(f, &m, false, &err) != RG_OK) fail_msg("%s", err.msg);
        fclose(f);
        svg_check_well_formed(t);
        svg_check_texts(t);
        assert_int_equal(svg_count(t, "data-kind=\"bandwidth\""), variant ? 0 : 2);
        assert_null(strstr(t, "<script"));
        free(t);
    }
}

/* Thousands of points, equal ones, impossible ones: nothing overlaps, nothing is lost that can be seen. */
static void test_sweep(void **state)
{
    (void)state;
    rg_rng rng = {7};
    enum { N = 300 };
    rg_sweep_point p[N];
    int analytic = 0, measured = 0;
    for (int i = 0; i < N; i++) {
        p[i] = (rg_sweep_point){.group = (rg_sweep_group)(i % 3),
            .phase = (rg_phase)(i / 3 % 2),
            .batch = 1 << (i % 7),
            .seqlen = 128 << (i % 5),
            .ai = exp(rng_normal(&rng) * 2),
            .gflops = exp(rng_normal(&rng) * 3),
            .measured_ai = exp(rng_normal(&rng) * 2),
            .measured_gflops = exp(rng_normal(&rng))};
        if (i % 10 == 0) p[i].gflops = NAN;
        if (i % 15 == 0) p[i].measured_ai = 0.0;
        if (i % 15 == 1) p[i].measured_gflops = INFINITY;
        if (i % 2 == 0 && i > 2) p[i].ai = p[i - 2].ai, p[i].gflops = p[i - 2].gflops;
        analytic += isfinite(p[i].gflops);
        measured += p[i].measured_ai > 0.0 && isfinite(p[i].measured_gflops);
    }
    rg_roof_plot plot = rg_sweep_plot();
    rg_roof_plot_add(&plot, false, true, 696.0, "HBM: 696 GB/s");
    rg_roof_plot_add(&plot, true, true, 149700.0, "fp16: 149.7 TFLOP/s");
    rg_roof_plot_add(&plot, true, true, NAN, "unknown");
    assert_int_equal(plot.n, 2);
    char *t = NULL;
    size_t len = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&t, &len);
    if (rg_picture_sweep_points(
            f, "Llama-13B <on> A40", "LLM-Viewer's formulas & all", &plot, p, N, false, &err) != RG_OK)
        fail_msg("%s", err.msg);
    fclose(f);
    check(t);
    assert_int_equal(svg_count(t, "data-kind=\"analytic\""), analytic);
    assert_int_equal(svg_count(t, "data-kind=\"measured\""), measured);
    assert_int_equal(svg_count(t, "ridge 215"), 1);
    assert_non_null(strstr(t, "performance, TFLOP/s"));
    assert_non_null(strstr(t, "batch 64")); /* names say what differs */
    free(t);
}

/* Ten bandwidths close to each other: each has its name, along its slope or in the list, and none is struck
 * through. */
static void test_slopes(void **state)
{
    (void)state;
    for (int crowd = 2; crowd <= 10; crowd++) {
        rg_roof_plot plot = rg_sweep_plot();
        const rg_sweep_point p = {.ai = 0.5, .gflops = 30.0, .measured_ai = 0.6, .measured_gflops = 20.0};
        for (int i = 0; i < crowd; i++)
            rg_roof_plot_add(
                &plot, false, i == 0, 60.0 * pow(1.22, i), "level %d: %.0f GB/s", i, 60.0 * pow(1.22, i));
        rg_roof_plot_add(&plot, true, true, 500.0, "fp32: 500 GFLOP/s");
        char *t = NULL;
        size_t len = 0;
        rg_err err = {0};
        FILE *f = open_memstream(&t, &len);
        if (rg_picture_sweep_points(f, "crowd", "slopes", &plot, &p, 1, false, &err) != RG_OK)
            fail_msg("%s", err.msg);
        fclose(f);
        check(t);
        const int turned = svg_check_struck(t);
        assert_int_equal(svg_count(t, " GB/s</text>"), crowd);
        assert_true(crowd > 3 || turned == crowd);
        assert_non_null(strstr(t, "performance, GFLOP/s"));
        free(t);
    }
}

/* A run that takes ten times as long beside another of its model: bars of both have one scale. */
static void test_shared_scales(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r[2] = {make(&m, NULL, "f16", 8), make(&m, NULL, "q4g64", 8)};
    rg_reports s = save(r, 2);
    json_t *root = json_deep_copy(s.doc->json), *ops, *op;
    size_t i;
    rg_reports_close(&s);
    ops = json_object_get(json_array_get(json_object_get(root, "runs"), 1), "ops");
    json_array_foreach (ops, i, op)
        json_object_set_new(op, "t_ns", json_real(10.0 * json_number_value(json_object_get(op, "t_ns"))));
    rg_err err = {0};
    rg_doc d;
    assert_int_equal(rg_doc_open(&d, root, "slow", &err), RG_OK);
    assert_int_equal(rg_reports_add(&s, &d, "slow", &err), RG_OK);
    static const char *const pictures[] = {"time", "roofline", "bytes", "latency", "heat"};
    static const char *const marks[] = {
        "time, ms", "class=\"plot\"", "bytes per call", "time of a step", "full colour"};
    for (size_t k = 0; k < sizeof pictures / sizeof *pictures; k++) {
        char *a = draw(named(pictures[k]), &s, 0, false), *b = draw(named(pictures[k]), &s, 1, false);
        const char *x = strstr(a, marks[k]), *y = strstr(b, marks[k]);
        assert_non_null(x);
        assert_non_null(y);
        if (k == 1 || k == 4) { /* the axes, or the figure that full colour stands for */
            assert_true(strncmp(x, y, strcspn(x, "\n")) == 0);
        } else { /* the figure at the last tick */
            while (x > a && strncmp(x, "class=\"soft\"", 12) != 0) x--;
            while (y > b && strncmp(y, "class=\"soft\"", 12) != 0) y--;
            assert_true(strncmp(x, y, strcspn(x, "\n")) == 0);
        }
        free(a);
        free(b);
    }
    rg_reports_close(&s);
    json_decref(root);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *s;
    } cases[] = {{0, "0"}, {-0.001, "0"}, {1.5, "1.5"}, {1.25, "1.25"}, {-3.1, "-3.1"}, {0.05, "0.05"},
        {12345.678, "12345.68"}, {NAN, "0"}, {1e300, "1000000000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *t = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&t, &len);
        rg_svg_number(f, cases[i].x);
        fclose(f);
        assert_string_equal(t, cases[i].s);
        free(t);
    }
    assert_true(rg_svg_text_width("iii", 10) < rg_svg_text_width("mmm", 10));
    assert_true(fabs(rg_svg_text_width("\xc3\xa9", 10) - 10) < 1e-9); /* one character, wide to be safe */
}

/* A label that has no place is counted, never drawn over another one. */
static void test_crowd(void **state)
{
    (void)state;
    char *t = NULL;
    size_t len = 0;
    rg_svg s;
    rg_err err = {0};
    FILE *f = open_memstream(&t, &len);
    rg_svg_open(&s, f, 300, 200, "crowd", "many labels in one place", false);
    int placed = 0;
    for (int i = 0; i < 200; i++)
        placed += rg_svg_label(&s, 150 + i % 7, 100 + i % 5, 4, 11, "ink", "a label");
    const int dropped = s.dropped;
    assert_int_equal(rg_svg_close(&s, &err), RG_OK);
    fclose(f);
    assert_true(placed >= 5 && dropped == 200 - placed);
    assert_int_equal(svg_check_texts(t), placed);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_latency), cmocka_unit_test(test_points), cmocka_unit_test(test_groups_are_sums),
        cmocka_unit_test(test_all), cmocka_unit_test(test_machine), cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_slopes), cmocka_unit_test(test_shared_scales)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
