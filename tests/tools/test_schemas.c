/* What the program prints as JSON fits the schemas that describe it, field for field; a field that no schema
 * knows does not. */
#include "json_util.h"

#include <sys/wait.h>

static bool checked(int code)
{
    if (code != 77) return true;
    print_message("SKIPPED: the check of the schemas needs python3-jsonschema\n");
    return false;
}

static void every_field_is_described(void **state)
{
    (void)state;
    char cmd[2048];
    snprintf(cmd, sizeof cmd, "python3 '%s/tests/tools/check_schemas.py' '%s'/*.schema.json",
        RIDGE_SOURCE_DIR, RIDGE_SCHEMAS);
    const int rc = system(cmd);
    if (WIFEXITED(rc) && WEXITSTATUS(rc) == 127) skip(); /* no python3 */
    assert_int_equal(rc, 0);
}

static void schemas_have_names(void **state)
{
    (void)state;
    output list = ridge("report", "--schema", "list", NULL);
    expect_ok(&list);
    int n = 0;
    for (char *line = list.out, *end; (end = strchr(line, '\n')); line = end + 1, n++) {
        char name[32], schema[64];
        assert_int_equal(sscanf(line, "%31s", name), 1);
        output o = ridge("report", "--schema", name, NULL);
        expect_ok(&o);
        json_t *j = parse(&o);
        /* both cost models write ridge.roofline */
        snprintf(
            schema, sizeof schema, "ridge.%s", strcmp(name, "roofline.llm-viewer") == 0 ? "roofline" : name);
        assert_string_equal(
            text(json_object_get(json_object_get(j, "properties"), "schema"), "const"), schema);
        json_decref(j);
        done(&o);
    }
    assert_true(n >= 10);
    done(&list);
    output o = ridge("report", "--schema", "profile", "-o", scratch("profile.json"), NULL);
    assert_int_equal(o.code, 2);
    assert_non_null(strstr(o.err, "--schema stands alone"));
    done(&o);
    o = ridge("report", "--schema", "profiel", NULL);
    assert_int_equal(o.code, 2);
    assert_non_null(strstr(o.err, "'profiel'"));
    assert_non_null(strstr(o.err, "list or one of: profile, profile.set, bench"));
    done(&o);
}

/* docs/json.md holds what the program says of its fields. */
static void the_reference_is_current(void **state)
{
    (void)state;
    char cmd[1024];
    snprintf(cmd, sizeof cmd, "python3 '%s/tests/tools/check_reference.py' \"$RIDGE_BIN\" '%s/docs/json.md'",
        RIDGE_SOURCE_DIR, RIDGE_SOURCE_DIR);
    const int rc = system(cmd);
    if (WIFEXITED(rc) && WEXITSTATUS(rc) == 127) skip();
    assert_int_equal(rc, 0);
}

enum { MOST = 24 }; /* arguments and the NULL behind them */

/* Runs the program and holds what it prints against a schema. */
static void expect_schema(const char *schema, const char *const *args)
{
    const char *path = scratch("out.json");
    const run_opts to = {.out_path = path};
    output o = ridge_with(&to, args[0], args[1], args[2], args[3], args[4], args[5], args[6], args[7],
        args[8], args[9], args[10], args[11], args[12], args[13], args[14], args[15], args[16], args[17],
        args[18], args[19], args[20], args[21], args[22], NULL);
    assert_null(args[MOST - 1]);
    expect_ok(&o);
    done(&o);
    const int code = schema_check(schema, path);
    if (checked(code) && code != 0) fail_msg("ridge %s %s ...: does not fit %s", args[0], args[1], schema);
}
#define EXPECT_SCHEMA(schema, ...) expect_schema(schema, (const char *const[MOST]){__VA_ARGS__})

#define FAST "--machine", machine_file(), "-t", "1", "-o", "json", "-p", "8", "-n", "4", "-r"

static void runs(void **state)
{
    (void)state;
    EXPECT_SCHEMA("profile", "profile", "-m", tiny_model(), FAST, "2", "--per-layer");
    EXPECT_SCHEMA("profile.set", "profile", "-m", tiny_model(), "--dtype", "f32,q4g32", FAST, "1");
}

static void comparisons(void **state)
{
    (void)state;
    const char *schema = "compare", *model = tiny_model(), *words = scratch("text.txt"),
               *saved = scratch("saved.json");
    FILE *f = fopen(words, "w");
    assert_non_null(f);
    for (int i = 0; i < 600; i++) fprintf(f, "the %d words ", i * 7919 % 97);
    assert_int_equal(fclose(f), 0);
    EXPECT_SCHEMA(schema, "compare", "-m", model, "--dtype", "f32,q4g32,f32", FAST, "3", "--eval", words);
    /* no intervals */
    EXPECT_SCHEMA(schema, "compare", "-m", model, "--dtype", "f32,f16", FAST, "1", "--no-warmup");

    const run_opts to = {.out_path = saved}; /* a saved run has no samples of its own */
    output o = ridge_with(&to, "bench", "-m", model, FAST, "2", NULL);
    expect_ok(&o);
    done(&o);
    char variant[600];
    snprintf(variant, sizeof variant, "%s:dtype=q4g32", model);
    EXPECT_SCHEMA(schema, "compare", saved, variant, FAST, "2");
    EXPECT_SCHEMA(schema, "compare", saved, saved, "-o", "json");
}

static void ablations_and_benches(void **state)
{
    (void)state;
    const char *wide = scratch("wide"); /* heads of 32, so that the cache can be q8_0 */
    output o = ridge("synth", "--dims", "hidden=64,layers=2,heads=2,kv_heads=2,ffn=96,vocab=512,ctx=64",
        "--dtype", "f16", "-o", wide, NULL);
    expect_ok(&o);
    done(&o);
    EXPECT_SCHEMA("ablate", "compare", "--ablate", "-m", wide, FAST, "1", "-B", "4", "--no-warmup");
    EXPECT_SCHEMA("bench", "bench", "-m", wide, FAST, "1", "-B", "1,2", "-d", "0,8");
}

#define CASE "roofline", "--shape", "llama-2-7b", "-o", "json", "--hardware", "amd_epyc_9654"

static void analytic_answers(void **state)
{
    (void)state;
    const char *schema = "roofline";
    EXPECT_SCHEMA(schema, CASE, "--dtype", "f16,q4g64", "--batch", "1,8", "--gen", "16");
    EXPECT_SCHEMA(schema, CASE, "--fuse", "act+add", "--tp", "2", "--stage", "decode");
    EXPECT_SCHEMA("roofline.llm-viewer", CASE, "--cost", "llm-viewer", "--seqlen", "64,128");
    EXPECT_SCHEMA("roofline.llm-viewer", CASE, "--cost", "llm-viewer", "--gen", "16", "--stage", "chat");
    EXPECT_SCHEMA(schema, "roofline", "--shape", "stories15m", "--seqlen", "64", "-o", "json", "--hardware",
        machine_file());
    EXPECT_SCHEMA(schema, CASE, "--study", "ablation");
    EXPECT_SCHEMA(schema, CASE, "--study", "fit", "--memory", "24");
    EXPECT_SCHEMA(schema, CASE, "--study", "turning");
}

static void machines(void **state)
{
    (void)state;
    const int code = schema_check("machine", machine_file());
    if (checked(code)) assert_int_equal(code, 0);
    EXPECT_SCHEMA("doctor", "doctor", "-o", "json");
}

/* A new field without a description must not pass, at the top and inside what another schema describes. */
static void unknown_fields_do_not_fit(void **state)
{
    (void)state;
    static const char *const schema = "compare";
    output o = ridge("compare", "-m", tiny_model(), "--dtype", "f32,f16", FAST, "1", "--no-warmup", NULL);
    expect_ok(&o);
    json_t *j = parse(&o), *const run = json_array_get(json_object_get(j, "runs"), 0);
    json_t *const at[] = {j, json_array_get(json_object_get(j, "variants"), 1),
        json_object_get(json_array_get(json_object_get(j, "variants"), 0), "decode"),
        json_array_get(json_object_get(j, "operators"), 0), run,
        json_array_get(json_object_get(run, "ops"), 0)};
    const char *path = scratch("changed.json");
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        assert_int_equal(json_object_set_new(at[i], "novelty", json_integer(1)), 0);
        assert_int_equal(json_dump_file(j, path, 0), 0);
        const int code = schema_check(schema, path);
        if (!checked(code)) break;
        if (code != 1) fail_msg("place %zu: a field that no schema knows gave code %d", i, code);
        assert_int_equal(json_object_del(at[i], "novelty"), 0);
    }
    json_decref(j);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_field_is_described),
        cmocka_unit_test(schemas_have_names), cmocka_unit_test(the_reference_is_current),
        cmocka_unit_test(runs), cmocka_unit_test(comparisons), cmocka_unit_test(ablations_and_benches),
        cmocka_unit_test(analytic_answers), cmocka_unit_test(machines),
        cmocka_unit_test(unknown_fields_do_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
