/* A run in a screenful: it keeps within its width and its lines, its columns add up, and it claims nothing
 * that noise or an unknown roof forbids. */
#include "testing.h"

#include "roof_fixture.h"

enum { WIDE = 100, NARROW = 80, LINES = 42, NARROW_LINES = 48 };

static char *shown(const rg_reports *s, int width)
{
    char *text = NULL;
    size_t n = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    const rg_screen to = {.f = f, .width = width};
    if (rg_profile_text(&to, s, &err) != RG_OK) fail_msg("%s", err.msg);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* Shows the edited run, which is closed. */
static char *one(json_t *run, int width)
{
    rg_reports s = fixture_open(run);
    char *text = shown(&s, width);
    rg_reports_close(&s);
    return text;
}

static void check_size(const char *text, int width, int lines)
{
    int n = 0;
    for (const char *p = text; *p; n++) {
        const int len = (int)strcspn(p, "\n");
        if (rg_text_columns(p, len) > width) fail_msg("more than %d columns: %.*s", width, len, p);
        if (len && p[len - 1] == ' ') fail_msg("blanks at the end: '%.*s'", len, p);
        p += len + (p[len] == '\n');
    }
    if (n > lines) fail_msg("%d lines, at most %d:\n%s", n, lines, text);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
}

/* The percents that stand below a title of the table of times, which ends with the row of what is outside. */
static int column_sum(const char *text, const char *title)
{
    const char *line = strstr(text, "where the time goes");
    assert_non_null(line);
    line = strchr(line, '\n') + 1;
    const char *at = strstr(line, title);
    assert_non_null(at);
    const int end = rg_text_columns(line, (int)(at - line)) + (int)strlen(title);
    int sum = 0;
    do {
        line = strchr(line, '\n') + 1;
        const char *cell = line + end - 5; /* rows are ASCII */
        if ((int)strcspn(line, "\n") >= end && cell[4] == '%') sum += (int)strtol(cell, NULL, 10);
    } while (strncmp(line, "    outside", 11) != 0);
    return sum;
}

static void keeps_its_size(void **state)
{
    (void)state;
    rg_reports two = fixture_open(fixture_run_json());
    json_t *other = fixture_run_json();
    json_object_set_new(json_object_get(other, "model"), "dtype", json_string("f16"));
    fixture_add(&two, other);
    rg_reports first = {.doc = two.doc, .n_docs = two.n_docs, .run = two.run, .n = 1};
    for (int i = 0; i < 2; i++) {
        const rg_reports *s = i ? &two : &first;
        char *wide = shown(s, WIDE), *narrow = shown(s, NARROW), *least = shown(s, 40);
        check_size(wide, WIDE, LINES);
        check_size(narrow, NARROW, NARROW_LINES);
        check_size(least, 64, 999); /* cells of one row do not wrap */
        assert_int_equal(column_sum(wide, "prefill"), 100);
        assert_int_equal(column_sum(wide, "decode"), 100);
        assert_int_equal(column_sum(narrow, "decode"), 100);
        assert_non_null(strstr(wide, "1  ffn_down, decode"));
        assert_non_null(strstr(wide, "quiet (repetitions within"));
        free(wide);
        free(narrow);
        free(least);
    }
    rg_reports_close(&two);
}

static void wide_is_everything(void **state)
{
    (void)state;
    rg_reports s = fixture_open(fixture_run_json());
    char *text = NULL, *md = fixture_show(rg_profile_md, &s);
    size_t n = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    const rg_screen to = {.f = f, .width = WIDE, .wide = true};
    assert_int_equal(rg_profile_text(&to, &s, &err), RG_OK);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, md);
    free(text);
    free(md);
    rg_reports_close(&s);
}

static void noise_names_no_causes(void **state)
{
    (void)state;
    json_t *j = fixture_run_json(), *run = json_object_get(j, "run");
    json_object_set_new(run, "noisy", json_true());
    json_object_set_new(run, "noise", json_pack("[s, s]", "the clock drifted by 9 %", "something\nelse"));
    char *t = one(j, WIDE);
    check_size(t, WIDE, LINES);
    if (strncmp(t, "noisy: the clock drifted by 9 %; something?else; no causes are named\n", 69) != 0)
        fail_msg("%s", t);
    assert_null(strstr(t, "to recover"));
    assert_null(strstr(t, "worth"));
    assert_null(strstr(t, "quiet ("));
    free(t);
}

/* Unknown roofs, hostile names, a phase that did not run, a share of more than the whole. */
static void odd_runs(void **state)
{
    (void)state;
    json_t *j = fixture_run_json(), *o;
    size_t i;
    json_array_foreach (json_object_get(j, "ops"), i, o) {
        json_object_set_new(o, "roof_reason", json_string("no peak"));
        json_object_set_new(o, "roof_fraction", json_null());
        json_object_set_new(o, "bound", json_null());
        json_object_set_new(json_object_get(o, "analytic"), "ideal_ns", json_null());
    }
    json_object_set_new(json_object_get(j, "model"), "name", json_string("a\x01|%s%n <b>"));
    char *t = one(j, WIDE);
    check_size(t, WIDE, LINES);
    assert_non_null(strstr(t, "a?|%s%n <b> on Paper CPU"));
    assert_non_null(strstr(t, "what to fix is not known: no peak"));
    assert_int_equal(column_sum(t, "prefill"), 100);
    free(t);

    j = fixture_run_json();
    json_array_remove(json_object_get(j, "phases"), 1);
    for (i = json_array_size(json_object_get(j, "ops")); i-- > 0;)
        if (strcmp(json_string_value(json_object_get(json_array_get(json_object_get(j, "ops"), i), "phase")),
                "decode") == 0)
            json_array_remove(json_object_get(j, "ops"), i);
    t = one(j, WIDE);
    check_size(t, WIDE, LINES);
    assert_int_equal(column_sum(t, "prefill"), 100);
    assert_null(strstr(t, "decode 0"));
    free(t);
}

/* Whether the document states the share or, because it is more than the whole, does not. */
static void above_the_roof(void **state)
{
    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        json_t *j = fixture_run_json(), *o, *p;
        size_t i, k;
        json_array_foreach (json_object_get(j, "ops"), i, o) {
            json_object_set_new(o, "roof_fraction", silent ? json_null() : json_real(1.37));
            json_object_set_new(json_object_get(o, "analytic"), "ideal_ns",
                json_real(1.37 * json_number_value(json_object_get(o, "t_ns"))));
        }
        json_array_foreach (json_object_get(j, "phases"), k, p) {
            json_object_set_new(p, "roof_fraction", silent ? json_null() : json_real(1.37));
            json_object_set_new(
                p, "ideal_ns", json_real(1.37 * json_number_value(json_object_get(p, "t_ns"))));
        }
        char *t = one(j, WIDE);
        check_size(t, WIDE, LINES);
        assert_null(strstr(t, "137"));
        assert_non_null(strstr(t, "above their roofs: "));
        assert_non_null(strstr(t, "measured again"));
        assert_non_null(strstr(t, "nothing to recover"));
        free(t);
    }
}

/* Stalled calls are not in the figures: what the clock said stands beside them where it is visibly more. */
static void the_clock_beside(void **state)
{
    (void)state;
    for (int stalled = 0; stalled < 2; stalled++) {
        json_t *j = fixture_run_json(), *p = json_array_get(json_object_get(j, "phases"), 1);
        const double t = json_number_value(json_object_get(p, "t_ns"));
        json_object_set_new(p, "wall_ns", json_integer((json_int_t)((stalled ? 2.0 : 1.04) * t)));
        json_object_set_new(p, "stalls", json_integer(7));
        json_object_set_new(p, "stall_ns", json_real(3e6));
        json_object_set_new(json_object_get(j, "run"), "roof_drift", json_real(0.03));
        char *text = one(j, WIDE);
        check_size(text, WIDE, LINES);
        assert_int_equal(strstr(text, "q4g64 by the clock: decode ") != NULL, stalled);
        assert_int_equal(strstr(text, "tok/s, 7 calls stalled for 3.00 ms") != NULL, stalled);
        assert_non_null(strstr(text, "roofs within 3.00 %"));
        free(text);
    }
}

static void set_speed(json_t *run, double low, double speed, double high)
{
    json_t *p = json_array_get(json_object_get(run, "phases"), 1);
    json_object_set_new(p, "tokens_per_s", json_real(speed));
    json_object_set_new(p, "tokens_per_s_low", isnan(low) ? json_null() : json_real(low));
    json_object_set_new(p, "tokens_per_s_high", isnan(high) ? json_null() : json_real(high));
}

static void gains_have_intervals(void **state)
{
    static const struct {
        double low, speed, high;
        const char *said;
    } row[] = {
        {98.0, 110.0, 120.0, "decode cannot be told apart (0.933 to 1.26)"},
        {180.0, 200.0, 220.0, "decode 2.00x (1.71 to 2.32)"},
        {NAN, 200.0, NAN, "decode 2.00x (no interval)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        json_t *a = fixture_run_json(), *b = fixture_run_json();
        set_speed(a, 95.0, 100.0, 105.0);
        set_speed(b, row[i].low, row[i].speed, row[i].high);
        json_object_set_new(json_object_get(b, "model"), "dtype", json_string("f16"));
        rg_reports s = fixture_open(a);
        fixture_add(&s, b);
        char *t = shown(&s, 2 * WIDE);
        assert_non_null(strstr(t, "f16 against q4g64:"));
        if (!strstr(t, row[i].said)) fail_msg("'%s' is not in\n%s", row[i].said, t);
        free(t);
        rg_reports_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_its_size),
        cmocka_unit_test(wide_is_everything),
        cmocka_unit_test(noise_names_no_causes),
        cmocka_unit_test(odd_runs),
        cmocka_unit_test(above_the_roof),
        cmocka_unit_test(the_clock_beside),
        cmocka_unit_test(gains_have_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
