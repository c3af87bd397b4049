/* ridge profile on a PMU that is not there (tests/roofline/fakepmu.c): what one read of every counter adds is
 * known, so the report is. */
#include "run_program.h"

enum { LAYERS = 2, GEN = 4 };

static json_t *profile(const char *counters, const char *most, const char *reps)
{
    char preload[600], few[64];
#if defined(RIDGE_SANITIZED)
    print_message("SKIPPED: a preloaded library and the sanitizers do not mix\n");
    skip();
#endif
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("FAKEPMU_LIBRARY"));
    snprintf(few, sizeof few, "FAKEPMU_COUNTERS=%s", most);
    const run_opts o = {.env = {preload, "FAKEPMU=values", "LIBPFM_FORCE_PMU=skx", few}};
    output r = ridge_with(&o, "profile", "-m", tiny_model(), "-p", "8", "-n", "4", "-r", reps, "-t", "1",
        "--counters", counters, "--machine", machine_file(), "-o", "json", NULL);
    expect_ok(&r);
    json_t *j = json_loads(r.out, 0, NULL);
    assert_non_null(j);
    done(&r);
    return j;
}

static json_t *at(json_t *j, const char *key)
{
    json_t *v = json_object_get(j, key);
    if (!v) fail_msg("no %s", key);
    return v;
}
static json_t *pmu_of(json_t *j) { return at(at(j, "machine"), "pmu"); }

static bool hardware(json_t *j)
{
    if (strcmp(json_string_value(at(pmu_of(j), "status")), "hardware") == 0) return true;
    print_message("SKIPPED: built without PAPI, or libpfm cannot be told a CPU: %s\n",
        json_string_value(at(pmu_of(j), "reason")));
    json_decref(j);
    return false;
}

static long long number(json_t *o, const char *key)
{
    json_t *v = at(o, key);
    if (!json_is_number(v)) fail_msg("%s is no number", key);
    return (long long)json_number_value(v);
}

/* Every read adds 100 to every event; PAPI_SP_OPS is 1 + 4 + 8 + 16 of them. */
static void by_operator(const char *most, int groups)
{
    json_t *j = profile("op", most, "3"), *op, *ph;
    size_t i;
    if (!hardware(j)) skip();
    assert_int_equal(json_integer_value(at(pmu_of(j), "groups")), groups);
    assert_string_equal(json_string_value(at(pmu_of(j), "mode")), "op");
    assert_true(json_is_null(at(pmu_of(j), "reason")));
    long long records[2] = {0};
    json_array_foreach (at(j, "ops"), i, op) {
        const long long calls = number(op, "calls");
        assert_int_equal(number(at(op, "pmu"), "cycles"), 100 * calls);
        assert_int_equal(number(at(op, "pmu"), "flop"), 2900 * calls);
        assert_int_equal(number(at(op, "pmu"), "read_bytes"), 6400 * calls);
        records[strcmp(json_string_value(at(op, "phase")), "decode") == 0] += calls;
    }
    json_array_foreach (at(j, "phases"), i, ph) {
        assert_int_equal(number(at(ph, "pmu"), "cycles"), 100 * records[i]);
        assert_int_equal(number(at(ph, "pmu"), "flop"), 2900 * records[i]);
        assert_int_equal(number(ph, "bytes_pmu"), 6400 * records[i]);
        assert_int_equal(number(at(ph, "pmu"), "ipc"), 1);
    }
    assert_int_equal(json_array_size(at(j, "layers")), 0);
    json_decref(j);
}

static void operators(void **state)
{
    (void)state;
    by_operator("20", 1);
}

/* PAPI_SP_OPS alone fills the four counters: two groups take turns, and three repetitions let every call be
 * seen by both. */
static void operators_in_turns(void **state)
{
    (void)state;
    by_operator("4", 2);
}

/* One repetition: the prefill call has only the first group; the other's metrics are unknown, with a note. */
static void no_turn(void **state)
{
    (void)state;
    json_t *j = profile("op", "4", "1"), *n;
    size_t i;
    bool said = false;
    if (!hardware(j)) skip();
    json_t *prefill = json_array_get(at(j, "phases"), 0), *decode = json_array_get(at(j, "phases"), 1);
    assert_true(
        json_is_null(at(at(prefill, "pmu"), "flop")) && json_is_number(at(at(prefill, "pmu"), "cycles")));
    assert_true(json_is_number(at(at(decode, "pmu"), "flop")));
    json_array_foreach (at(j, "notes"), i, n)
        said |= strstr(json_string_value(n), "prefill: flop was not counted") != NULL;
    assert_true(said);
    json_decref(j);
}

static void layers(void **state)
{
    (void)state;
    json_t *j = profile("layer", "20", "3"), *l, *op;
    size_t i;
    if (!hardware(j)) skip();
    assert_string_equal(json_string_value(at(pmu_of(j), "mode")), "layer");
    assert_int_equal(json_array_size(at(j, "layers")), 2 * (LAYERS + 1));
    json_array_foreach (at(j, "layers"), i, l) {
        const long long calls = strcmp(json_string_value(at(l, "phase")), "decode") == 0 ? GEN : 1,
                        parts = json_is_null(at(l, "layer")) ? 2 : 1;
        assert_int_equal(number(at(l, "pmu"), "cycles"), 100 * calls * parts);
        assert_true(number(l, "t_ns") > 0);
    }
    json_array_foreach (at(j, "ops"), i, op) /* the embedding stands alone before the layers */
        assert_true(
            json_is_null(at(op, "pmu")) == (strcmp(json_string_value(at(op, "site")), "token_embd") != 0));
    json_t *decode = json_array_get(at(j, "phases"), 1);
    assert_int_equal(number(at(decode, "pmu"), "flop"), 2900 * GEN * (LAYERS + 2));
    json_decref(j);
}

/* auto never costs more than 3 % of a step, whatever it has to give up. */
static void automatic(void **state)
{
    (void)state;
    json_t *j = profile("auto", "20", "3"), *pmu = pmu_of(j);
    const char *mode = json_string_value(at(pmu, "mode"));
    if (strcmp(mode, "off") == 0)
        assert_non_null(strstr(json_string_value(at(pmu, "reason")), "limit 3 %"));
    else
        assert_true(json_number_value(at(pmu, "overhead_share")) < 0.03);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(operators), cmocka_unit_test(operators_in_turns),
        cmocka_unit_test(no_turn), cmocka_unit_test(layers), cmocka_unit_test(automatic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
