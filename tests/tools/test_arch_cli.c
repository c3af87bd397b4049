/* Every architecture as a user meets it: inspected, profiled (whose reference model has the architecture too,
 * and predicts every operator), and reported as a page. */
#include "engine/engine_fixture.h"
#include "json_util.h"

static void every_architecture(void **state)
{
    const char *last = "llama";
    (void)state;
    for (const rg_shape *s = rg_shapes; s->name; s++) {
        if (strcmp(s->config.arch, last) == 0) continue;
        last = s->config.arch;
        const char *path = arch_path(s, 7, RG_SYNTH_SAFETENSORS), *page = scratch("page.html");
        output o = ridge("inspect", "-m", path, NULL);
        expect_ok(&o);
        assert_true((strstr(o.out, "window of 7") != NULL) == (s->config.window > 0));
        done(&o);
        o = ridge("profile", "-m", path, "--machine", machine_file(), "-t", "1", "-p", "16", "-n", "2", "-r",
            "2", "--counters", "off", "-o", "json", "--html", page, NULL);
        expect_ok(&o);
        json_t *j = json_loads(o.out, 0, NULL), *op;
        const json_t *dims = json_object_get(json_object_get(j, "model"), "dims");
        size_t i;
        assert_true((json_object_get(dims, "window") != NULL) == (s->config.window > 0));
        json_array_foreach (json_object_get(j, "ops"), i, op)
            if (!(number(op, "predicted_ns") > 0.0))
                fail_msg("%s: %s is not predicted", s->name, text(op, "site"));
        assert_true(i > 20);
        assert_true(file_exists(page));
        json_decref(j);
        done(&o);
    }
}

/* What LLM-Viewer's formulas cannot say is refused; ours say it. */
static void analytic_answers(void **state)
{
    static const struct {
        const char *shape, *lacks;
    } all[] = {{"gemma-3-1b", "window"}, {"qwen3-1.7b", "norms of queries and keys"}, {"olmo-2-1b", "norms"},
        {"ministral-3-3b", "heads of 128"}, {"smollm3-3b", NULL}, {"llama-3.2-1b", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        output o = ridge("roofline", "--shape", all[i].shape, "--hardware", "nvidia_A40", "--explain", NULL);
        expect_ok(&o);
        if (all[i].lacks) assert_non_null(strstr(o.out, all[i].lacks));
        done(&o);
        o = ridge(
            "roofline", "--shape", all[i].shape, "--hardware", "nvidia_A40", "--cost", "llm-viewer", NULL);
        if (all[i].lacks)
            expect_error(o, 2, all[i].lacks, "--cost exact", NULL);
        else
            expect_ok(&o), done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_architecture), cmocka_unit_test(analytic_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
