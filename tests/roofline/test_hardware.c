/* The hardware table, and files of a user's own. */
#include "testing.h"

#include "roofline/model/hardware.h"
#include "tempdir.h"

static void table_is_sound(void **state)
{
    (void)state;
    rg_err err;
    for (int i = 0; rg_hw_names[i]; i++) {
        rg_hardware h;
        assert_int_equal(rg_hw_find(&h, rg_hw_names[i], &err), RG_OK);
        assert_string_equal(h.name, rg_hw_names[i]);
        assert_true(strlen(h.source) > 10 && strlen(h.source) < sizeof h.source - 1);
        assert_true(h.bandwidth > 10e9 && h.bandwidth < 1e13);
        for (int k = 0; k < i; k++) assert_string_not_equal(rg_hw_names[k], rg_hw_names[i]);
        for (int k = 1; k < h.n_levels; k++) assert_true(h.level[k].bytes > h.level[k - 1].bytes);
        assert_true(h.accelerator ? h.peak[RG_ARITH_FP16_FMA] > 1e12 : h.peak[RG_ARITH_FP32_FMA] > 100e9);
    }
}

static void figures(void **state)
{
    (void)state;
    rg_hardware h;
    const char *fp16;
    assert_int_equal(rg_hw_find(&h, "INTEL_13900K", NULL), RG_OK); /* either case */
    assert_true(
        h.peak[RG_ARITH_FP16_FMA] == 1.3824e12 && h.bandwidth == 89.6e9 && h.peak[RG_ARITH_INT8_DOT] == 0.0);
    assert_int_equal(rg_hw_find(&h, "amd_epyc_9654", NULL), RG_OK);
    assert_true(h.bandwidth == 460.8e9);
    assert_true(fabs(h.peak[RG_ARITH_FP32_FMA] - 96 * 3.7e9 * 32) < 1.0);
    assert_true(isnan(rg_hw_peak(&h, RG_ARITH_AMX_INT8, NULL))); /* unknown stays unknown */
    /* a working set that fits a cache of known speed is not charged main memory's; one that fits a cache of
     * unknown speed is */
    assert_true(rg_hw_bandwidth(&h, 1 << 20) > 4 * h.bandwidth);
    assert_true(rg_hw_bandwidth(&h, INT64_C(300) << 20) == h.bandwidth);
    assert_int_equal(rg_hw_find(&h, "intel_core_i9_13900k", NULL), RG_OK);
    /* both kinds of cores */
    assert_true(fabs(h.peak[RG_ARITH_FP32_FMA] - (8 * 5.8e9 * 32 + 16 * 4.3e9 * 16)) < 1.0);
    assert_true(rg_hw_llm_viewer(&h, &fp16).fp16 == h.peak[RG_ARITH_FP32_FMA]);
    assert_non_null(strstr(fp16, "FP32"));
}

static void nearest_names(void **state)
{
    (void)state;
    rg_hardware h;
    rg_err err;
    assert_int_equal(rg_hw_find(&h, "A6OOO", &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "nvidia_A6000"));
    assert_int_equal(rg_hw_find(&h, "epyc", &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "amd_epyc_"));
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(rg_hw_find(&h, longer, &err), RG_E_USAGE);
}

static const char *write_file(const char *dir, const char *text)
{
    static char path[700];
    snprintf(path, sizeof path, "%s/hw.json", dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void own_file(void **state)
{
    (void)state;
    const char *dir = temp_dir();
    rg_hardware h;
    rg_machine m;
    rg_err err;
    const char *path = write_file(dir,
        "{\"schema\": \"ridge.hardware\", \"version\": 1, \"name\": \"my box\", \"bandwidth_gbps\": 51.2, "
        "\"fp32_gflops\": 900, \"int8_gops\": null,"
        " \"memory_bytes\": 17179869184, \"link_gbps\": 10, \"caches\": [{\"bytes\": 4194304, \"gbps\": "
        "400}, {\"bytes\": 33554432, \"gbps\": null}]}");
    if (rg_hw_load(&h, &m, path, &err) != RG_OK) fail_msg("%s", err.msg);
    assert_string_equal(h.name, "my box");
    assert_true(h.bandwidth == 51.2e9 && h.peak[RG_ARITH_FP32_FMA] == 900e9 && h.memory == 17179869184.0 &&
        h.link == 10e9);
    assert_true(isnan(rg_hw_peak(&h, RG_ARITH_INT8_DOT, NULL)));
    assert_true(rg_hw_bandwidth(&h, 1 << 20) == 400e9 && rg_hw_bandwidth(&h, 8 << 20) == 51.2e9);
    static const struct {
        const char *text, *word;
    } wrong[] = {{"", "line"}, {"{", "line"}, {"[1]", "schema"}, {"{\"schema\": \"x\"}", "schema"},
        {"{\"schema\": \"ridge.hardware\", \"version\": 2, \"name\": \"a\"}", "version"},
        {"{\"schema\": \"ridge.hardware\", \"version\": 1}", "name"},
        {"{\"schema\": \"ridge.hardware\", \"version\": 1, \"name\": \"a\", \"bandwidth_gbps\": -1}",
            "bandwidth_gbps"},
        {"{\"schema\": \"ridge.hardware\", \"version\": 1, \"name\": \"a\", \"bandwidth_gbps\": \"fast\"}",
            "bandwidth_gbps"},
        {"{\"schema\": \"ridge.hardware\", \"version\": 1, \"name\": \"a\", \"bandwith_gbps\": 1}",
            "not known"},
        {"{\"schema\": \"ridge.hardware\", \"version\": 1, \"name\": \"a\", \"caches\": [{\"bytes\": 2}, "
         "{\"bytes\": 1}]}",
            "caches"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(rg_hw_load(&h, &m, write_file(dir, wrong[i].text), &err), RG_E_FILE);
        if (!strstr(err.msg, wrong[i].word)) fail_msg("'%s' does not say %s", err.msg, wrong[i].word);
    }
    assert_int_equal(rg_hw_load(&h, &m, "/nowhere/at/all.json", &err), RG_E_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_sound), cmocka_unit_test(figures),
        cmocka_unit_test(nearest_names), cmocka_unit_test(own_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
