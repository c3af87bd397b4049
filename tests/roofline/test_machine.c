/* Roofs: interpolation, machine files (sound and broken), the cache, a short measurement. */
#include "testing.h"

#include "roofline/measure/machine.h"
#include "roofline/measure/roof_loops.h"
#include "tempdir.h"

static const char *in_dir(char *buf, size_t n, const char *name)
{
    snprintf(buf, n, "%s/%s", temp_dir(), name);
    return buf;
}

static rg_machine paper(void)
{
    rg_machine m = {.cpu = "Paper \"CPU\"",
        .source = "measured",
        .measured_at = "2026-01-01T00:00:00Z",
        .cores = 4,
        .threads = 2,
        .memory_bytes = 1 << 30,
        .isa_best = RG_ISA_AVX2,
        .n_bw = 3,
        .barrier_ns = {321.5, 0.05},
        .noisy = true};
    m.bw[0] = (rg_bw_point){.footprint_bytes = 1 << 16, .read_gbps = {200.0, 0.01}};
    m.bw[1] = (rg_bw_point){.footprint_bytes = 1 << 20, .read_gbps = {100.0, 0.02}};
    m.bw[2] = (rg_bw_point){.footprint_bytes = 1 << 30, .read_gbps = {10.0, 0.3}};
    m.bw[0].write_gbps = (rg_measured){100.0, 0.02};
    m.bw[2].write_gbps = (rg_measured){5.0, 0.02};
    m.bw[2].copy_gbps = (rg_measured){8.0, 0.04};
    m.bw[2].triad_gbps = (rg_measured){9.0, 0.05};
    m.n_ladders = 1;
    m.ladder[0] = (rg_bw_ladder){.threads = 1, .n = 1, .huge_share = 0.25};
    m.ladder[0].bw[0] =
        (rg_bw_point){.footprint_bytes = 1 << 20, .read_gbps = {33.0, 0.01}, .write_gbps = {22.0, 0.01}};
    m.huge_share = NAN;
    m.memory_limit = 1 << 29;
    m.region_ns = (rg_measured){400.0, 0.1};
    m.record_ns = (rg_measured){60.0, 0.1};
    m.clock_ns = (rg_measured){20.0, 0.1};
    strcpy(m.cpu_id, "Paper family 1");
    strcpy(m.kernel, "Paper 2.0");
    strcpy(m.noise, "widest spread 30 %");
    m.peak[RG_PEAK_FP32_C] = (rg_measured){12.5, 0.0};
    m.peak[RG_PEAK_AMX_INT8] = (rg_measured){9000.0, 0.0};
    m.peak[RG_PEAK_FP32_AVX2] = (rg_measured){150.25, 0.07};
    return m;
}

static void test_interpolation(void **state)
{
    (void)state;
    const rg_machine m = paper(), none = {0};
    assert_near(rg_machine_bw(&m, 0), 200.0, 1e-9);
    assert_near(rg_machine_bw(&m, 1 << 16), 200.0, 1e-9);
    assert_near(rg_machine_bw(&m, 1 << 18), 150.0, 1e-9); /* half way in the logarithm */
    assert_near(rg_machine_bw(&m, 1 << 20), 100.0, 1e-9);
    assert_near(rg_machine_bw(&m, 1 << 25), 55.0, 1e-9);
    assert_near(rg_machine_bw(&m, INT64_C(1) << 40), 10.0, 1e-9);
    assert_near(rg_machine_bw(&none, 1 << 20), 0.0, 0.0);
    assert_near(rg_machine_peak(&m, RG_ISA_AVX2), 150.25, 1e-9);
    assert_near(rg_machine_peak(&m, RG_ISA_AVX512), 0.0, 0.0);
}

/* Of two measurements the higher figure, point by point; a smaller working set is read no slower. */
static void test_raise(void **state)
{
    (void)state;
    rg_machine m = paper(), other = paper(), same = paper();
    rg_machine_raise(&m, &same);
    assert_memory_equal(&m, &same, sizeof m);
    other.bw[0].read_gbps.value = 150.0; /* was slow there */
    other.bw[0].footprint_bytes = 1 << 17;
    other.bw[1].read_gbps = (rg_measured){120.0, 0.5};
    other.peak[RG_PEAK_FP32_C].value = 11.0;
    other.peak[RG_PEAK_FP32_AVX2].value = 151.0;
    rg_machine_raise(&m, &other);
    assert_int_equal(m.n_bw, paper().n_bw + 1);
    assert_near(rg_machine_bw(&m, 1 << 16), 200.0, 1e-9);
    assert_near(rg_machine_bw(&m, 1 << 17), 150.0, 1e-9);
    assert_near(rg_machine_bw(&m, 1 << 20), 120.0, 1e-9);
    assert_near(m.peak[RG_PEAK_FP32_C].value, 12.5, 0.0);
    assert_near(m.peak[RG_PEAK_FP32_AVX2].value, 151.0, 0.0);
    other.bw[1].read_gbps.value = 180.0;
    rg_machine_raise(&m, &other);
    assert_near(rg_machine_bw(&m, 1 << 17), 180.0, 1e-9);
}

/* Time per byte by the share of writes: through reading, copying and writing; what was not measured is
 * charged like reads. */
static void test_moves(void **state)
{
    (void)state;
    rg_machine m = paper(), none = {0};
    const int64_t deep = 1 << 30;
    /* over the point that does not know it */
    assert_near(rg_machine_bw_of(&m, RG_BW_WRITE, 1 << 23), 5.0 + 95.0 / 2, 1e-9);
    /* the only one that knows it */
    assert_near(rg_machine_bw_of(&m, RG_BW_COPY, 1 << 20), 8.0, 1e-9);
    assert_near(rg_machine_move_ns(&m, 100.0, 0.0, deep), 100 / 10.0, 1e-9);
    assert_near(rg_machine_move_ns(&m, 0.0, 100.0, deep), 100 / 5.0, 1e-9);
    assert_near(rg_machine_move_ns(&m, 50.0, 50.0, deep), 100 / 8.0, 1e-9);
    assert_near(rg_machine_move_ns(&m, 75.0, 25.0, deep), 100 * 0.5 * (1 / 10.0 + 1 / 8.0), 1e-9);
    assert_near(rg_machine_move_ns(&m, 25.0, 75.0, deep), 100 * 0.5 * (1 / 5.0 + 1 / 8.0), 1e-9);
    assert_near(rg_machine_move_ns(&m, 0.0, 0.0, deep), 0.0, 0.0);
    assert_true(isnan(rg_machine_move_ns(&none, 1.0, 1.0, deep)));
    /* a copy is then half reading, half writing */
    for (int i = 0; i < m.n_bw; i++) m.bw[i].copy_gbps.value = 0.0;
    assert_near(rg_machine_move_ns(&m, 50.0, 50.0, deep), 50 / 10.0 + 50 / 5.0, 1e-9);
    for (int i = 0; i < m.n_bw; i++) m.bw[i].write_gbps.value = 0.0;
    assert_near(rg_machine_move_ns(&m, 30.0, 70.0, deep), 100 / 10.0, 1e-9);
}

static void test_peaks(void **state)
{
    (void)state;
    rg_machine m = paper();
    m.peak[RG_PEAK_INT8_AVX2].value = 300.0;
    m.peak[RG_PEAK_INT8_AVX512].value = 600.0;
    m.peak[RG_PEAK_FP32_NEON].value = 999.0;
    assert_near(rg_machine_peak_of(&m, RG_ARITH_INT8_DOT, RG_ISA_AVX2VNNI), 300.0, 0.0);
    assert_near(rg_machine_peak_of(&m, RG_ARITH_INT8_DOT, RG_ISA_AVX512VNNI), 600.0, 0.0);
    /* the same registers */
    assert_near(rg_machine_peak_of(&m, RG_ARITH_INT8_DOT, RG_ISA_AVX512BF16), 600.0, 0.0);
    /* the best there is */
    assert_near(rg_machine_peak_of(&m, RG_ARITH_AMX_INT8, RG_ISA_C), 9000.0, 0.0);
    assert_near(rg_machine_peak_of(&m, RG_ARITH_BF16_DOT, RG_ISA_AVX512BF16), 0.0, 0.0);
    assert_near(rg_machine_peak(&m, RG_ISA_AVX2VNNI), 150.25, 1e-9); /* FP32 at its width */
    assert_near(rg_machine_peak(&m, RG_ISA_C), 12.5, 0.0);           /* the first row of the level */
    assert_int_equal(rg_machine_peak_row(&m, RG_ARITH_FP32_FMA, RG_ISA_AVX512), -1);
    for (int i = 0; i < RG_PEAK_COUNT; i++) assert_int_equal(rg_peak_from_name(rg_peaks[i].name), i);
}

static void test_round_trip(void **state)
{
    (void)state;
    char path[128];
    rg_err err;
    const rg_machine m = paper();
    rg_machine got;
    assert_int_equal(rg_machine_save(&m, in_dir(path, sizeof path, "m.json"), &err), RG_OK);
    assert_int_equal(rg_machine_load(&got, path, &err), RG_OK);
    assert_string_equal(got.cpu, m.cpu);
    assert_string_equal(got.measured_at, m.measured_at);
    assert_int_equal(strncmp(got.source, "file ", 5), 0);
    assert_int_equal(got.threads, 2);
    assert_int_equal(got.cores, 4);
    assert_int_equal(got.memory_bytes, m.memory_bytes);
    assert_int_equal(got.isa_best, RG_ISA_AVX2);
    assert_true(got.noisy);
    assert_int_equal(got.n_bw, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(got.bw[i].footprint_bytes, m.bw[i].footprint_bytes);
        assert_near(got.bw[i].read_gbps.value, m.bw[i].read_gbps.value, 1e-4 * m.bw[i].read_gbps.value);
        assert_near(got.bw[i].read_gbps.spread, m.bw[i].read_gbps.spread, 1e-6);
    }
    for (int i = 0; i < RG_PEAK_COUNT; i++) assert_near(got.peak[i].value, m.peak[i].value, 1e-3);
    assert_near(got.barrier_ns.value, 321.5, 1e-3);
    assert_near(got.region_ns.value, 400.0, 1e-3);
    assert_near(got.record_ns.value, 60.0, 1e-3);
    assert_near(got.clock_ns.value, 20.0, 1e-3);
    assert_near(got.bw[0].write_gbps.value, 100.0, 1e-3);
    assert_near(got.bw[1].write_gbps.value, 0.0, 0.0);
    assert_near(got.bw[2].copy_gbps.spread, 0.04, 1e-6);
    assert_near(got.bw[2].triad_gbps.value, 9.0, 1e-3);
    assert_int_equal(got.n_ladders, 1);
    assert_int_equal(got.ladder[0].threads, 1);
    assert_false(got.ladder[0].huge_pages);
    assert_near(got.ladder[0].huge_share, 0.25, 1e-6);
    assert_near(got.ladder[0].bw[0].write_gbps.value, 22.0, 1e-3);
    assert_true(isnan(got.huge_share));
    assert_int_equal(got.memory_limit, m.memory_limit);
    assert_string_equal(got.cpu_id, m.cpu_id);
    assert_string_equal(got.kernel, m.kernel);
    assert_string_equal(got.noise, m.noise);
    /* rg_machine_get takes a path as it is */
    assert_int_equal(rg_machine_get(&got, path, 7, NULL, 0, NULL, NULL, NULL, &err), RG_OK);
    assert_int_equal(got.threads, 2);
}

static void test_broken_files(void **state)
{
    (void)state;
    static const char good[] = "{\"schema\":\"ridge.machine\",\"version\":1,\"cpu\":\"x\",\"source\":"
                               "\"measured\",\"measured_at\":\"t\",\"cores\":1,\"threads\":1,"
                               "\"memory_bytes\":1,\"isa_best\":\"c\",\"noisy\":false,\"bandwidth\":[{"
                               "\"footprint_bytes\":10,\"read_gbps\":1.5,\"spread\":0},"
                               "{\"footprint_bytes\":20,\"read_gbps\":1,\"spread\":0}],\"peak\":[{\"isa\":"
                               "\"c\",\"fp32_gflops\":2,\"spread\":0}],"
                               "\"barrier\":{\"kind\":\"k\",\"barrier_ns\":null,\"spread\":null}}";
    static const struct {
        const char *from, *to;
    } edit[] = {{"ridge.machine", "ridge.profile"}, {"\"version\":1", "\"version\":3"},
        {"\"version\":1", "\"version\":2"}, {"\"noisy\"", "\"ladders\":7,\"noisy\""},
        {"\"noisy\"", "\"ladders\":[{\"threads\":1,\"huge_pages\":1}],\"noisy\""},
        {"\"noisy\"", "\"memory_limit_bytes\":-1,\"noisy\""}, {"\"noisy\"", "\"huge_share\":2,\"noisy\""},
        {"\"read_gbps\":1.5", "\"read_gbps\":1.5,\"write_gbps\":1"},
        {"\"noisy\"", "\"clock\":{\"clock_ns\":-1,\"spread\":0},\"noisy\""}, {"\"cpu\":\"x\"", "\"cpu\":7"},
        {"\"cores\":1", "\"cores\":0"}, {"\"threads\":1", "\"threads\":-1"},
        {"\"threads\":1", "\"threads\":1e3"}, {"\"threads\":1", "\"threads\":99999999999"},
        {"\"isa_best\":\"c\"", "\"isa_best\":\"z80\""}, {"1.5", "-1.5"}, {"1.5", "1e99"}, {"1.5", "\"1.5\""},
        {"1.5", "1e999"}, {"1.5", "NaN"}, {"\"footprint_bytes\":20", "\"footprint_bytes\":10"},
        {"\"footprint_bytes\":10", "\"footprint_bytes\":-10"}, {"\"isa\":\"c\"", "\"isa\":\"mmx\""},
        {"\"fp32_gflops\":2", "\"fp32_gflops\":0"}, {"\"spread\":0}]", "\"spread\":-1}]"},
        {"\"bandwidth\":[", "\"bandwidth\":7,\"x\":["}, {"\"peak\":[", "\"peak\":{},\"x\":["},
        {"\"barrier_ns\":null", "\"barrier_ns\":-5"}, {"}}", "}"}, {"{\"schema\"", "[\"schema\""},
        {"\"version\":1", "\"version\":1,\"version\":1"}, {good, ""}};
    char path[128], text[sizeof good + 200];
    rg_err err;
    rg_machine m;
    for (size_t i = 0; i < sizeof edit / sizeof *edit + 1; i++) {
        strcpy(text, good);
        if (i > 0) {
            const char *at = strstr(good, edit[i - 1].from);
            assert_non_null(at);
            snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, edit[i - 1].to,
                at + strlen(edit[i - 1].from));
        }
        FILE *f = fopen(in_dir(path, sizeof path, "bad.json"), "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
        err = (rg_err){0};
        const rg_status st = rg_machine_load(&m, path, &err);
        if (st != (i == 0 ? RG_OK : RG_E_FILE))
            fail_msg("edit %zu: status %d %s for %s", i, (int)st, err.msg, text);
        if (i > 0) {
            assert_null(strchr(err.msg, '\n'));
            assert_non_null(strstr(err.msg, "bad.json"));
            assert_int_equal(m.n_bw, 0); /* nothing half read */
        }
    }
    /* cut anywhere */
    for (size_t n = 0; n < sizeof good - 1; n += 7) {
        FILE *f = fopen(path, "w");
        fwrite(good, 1, n, f);
        fclose(f);
        assert_int_equal(rg_machine_load(&m, path, &err), RG_E_FILE);
    }
    assert_int_equal(rg_machine_load(&m, in_dir(path, sizeof path, "none.json"), &err), RG_E_FILE);
    assert_int_equal(rg_machine_load(&m, temp_dir(), &err), RG_E_FILE);
    assert_int_equal(rg_machine_load(&m, "/dev/zero", &err), RG_E_FILE); /* endless */
}

static void test_cache(void **state)
{
    (void)state;
    char path[256], cache[128];
    rg_err err;
    rg_machine m = paper(), got;
    in_dir(cache, sizeof cache, "new/cache");
    assert_int_equal(setenv("XDG_CACHE_HOME", cache, 1), 0);
    rg_machine_cache_path(path, sizeof path, 2);
    assert_int_equal(strncmp(path, cache, strlen(cache)), 0);
    assert_non_null(strstr(path, "-t2.json"));
    /* of this CPU and thread count: taken as it is */
    rg_machine here;
    rg_machine_describe(&here, 2);
    memcpy(here.bw, m.bw, sizeof here.bw);
    memcpy(here.peak, m.peak, sizeof here.peak);
    here.n_bw = m.n_bw;
    here.barrier_ns = m.barrier_ns;
    m = here;
    assert_int_equal(rg_machine_save(&m, path, &err), RG_OK); /* the directories are there */
    assert_int_equal(rg_machine_get(&got, NULL, 2, NULL, 1 << 24, NULL, NULL, NULL, &err), RG_OK);
    assert_near(got.barrier_ns.value, 321.5, 1e-3);
    assert_non_null(strstr(got.source, "measured"));
    /* noisy ones too: runs raise them where they find better; another thread count is measured, which the
     * stop flag forbids here */
    const rg_stop_flag stop = 1;
    m.noisy = true;
    assert_int_equal(rg_machine_save(&m, path, &err), RG_OK);
    assert_int_equal(rg_machine_get(&got, "measured", 2, NULL, 1 << 24, NULL, NULL, &stop, &err), RG_OK);
    assert_true(got.noisy);
    assert_int_equal(rg_machine_share(&got, &m, "measured", 2, NULL, 0, NULL, NULL, &stop, &err), RG_OK);
    assert_near(got.barrier_ns.value, 321.5, 1e-3);
    assert_memory_equal(got.peak, m.peak, sizeof got.peak);
    assert_int_equal(rg_machine_share(&got, &m, NULL, 3, NULL, 0, NULL, NULL, &stop, &err), RG_E_INTERRUPTED);
    /* a noisy measurement takes nothing away from what is kept */
    m.peak[RG_PEAK_FP32_AVX2].value /= 2.0;
    m.bw[1].read_gbps.value *= 2.0;
    const double raised = m.bw[1].read_gbps.value;
    assert_int_equal(rg_machine_save(&here, path, &err), RG_OK);
    assert_int_equal(rg_machine_keep(&m, path, &err), RG_OK);
    assert_int_equal(rg_machine_get(&got, NULL, 2, NULL, 1 << 24, NULL, NULL, NULL, &err), RG_OK);
    assert_near(got.peak[RG_PEAK_FP32_AVX2].value, here.peak[RG_PEAK_FP32_AVX2].value, 1e-3);
    assert_near(got.bw[1].read_gbps.value, raised, 1e-3);
    /* and of a machine that has changed in anything that roofs depend on */
    for (int what = 0; what < 5; what++) {
        m = here;
        if (what == 0) strcpy(m.cpu, "another CPU");
        if (what == 1) strcpy(m.cpu_id, "another stepping");
        if (what == 2) strcpy(m.kernel, "another kernel");
        if (what == 3) m.cores++;
        if (what == 4) m.memory_limit++;
        assert_int_equal(rg_machine_save(&m, path, &err), RG_OK);
        if (rg_machine_get(&got, "measured", 2, NULL, 1 << 24, NULL, NULL, &stop, &err) != RG_E_INTERRUPTED)
            fail_msg("change %d went unnoticed", what);
    }
    /* no home at all */
    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("HOME");
    rg_machine_cache_path(path, sizeof path, 2);
    assert_string_equal(path, "");
    if (home) setenv("HOME", home, 1);
    free(home);
}

static void count_calls(void *user, const char *what, double fraction)
{
    double *last = user;
    assert_non_null(what);
    assert_true(fraction > *last && fraction <= 1.0 + 1e-9);
    *last = fraction;
}

static void test_measure(void **state)
{
    (void)state;
    rg_machine m;
    rg_err err;
    double last = 0.0;
    assert_int_equal(rg_machine_measure(&m, 2, NULL, 3000000, true, count_calls, &last, NULL, &err), RG_OK);
    assert_near(last, 1.0, 1e-9);
    assert_true(m.n_bw >= 3 && m.n_bw <= RG_MAX_BW);
    bool own = false;
    for (int i = 0; i < m.n_bw; i++) {
        assert_true(m.bw[i].read_gbps.value > 0.0 && m.bw[i].read_gbps.spread >= 0.0);
        if (i > 0) assert_true(m.bw[i].footprint_bytes > m.bw[i - 1].footprint_bytes);
        own = own || llabs(m.bw[i].footprint_bytes - 3000000) < 400000;
    }
    assert_true(own);
    for (int i = 0; i < RG_ISA_COUNT; i++)
        if (rg_isa_has((rg_isa)i)) assert_true(rg_machine_peak(&m, (rg_isa)i) > 0.0);
    for (int i = 0; i < RG_PEAK_COUNT; i++)
        if (rg_peak_loop((rg_peak_id)i) ? !(m.peak[i].value > 0.0) : m.peak[i].value != 0.0)
            fail_msg("%s: %g", rg_peaks[i].name, m.peak[i].value);
    assert_true(m.bw[0].write_gbps.value > 0.0 && m.bw[0].copy_gbps.value > 0.0 &&
        m.bw[m.n_bw - 1].copy_gbps.value > 0.0);
    assert_true(m.barrier_ns.value > 0.0 && m.clock_ns.value > 0.0);
    assert_true(m.memory_limit > 0 && m.memory_limit <= m.memory_bytes && m.kernel[0]);
    assert_int_equal(m.threads, 2);
    assert_true(m.cores >= 1);
    assert_int_equal(rg_machine_measure(&m, 0, NULL, 0, true, NULL, NULL, NULL, &err), RG_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_interpolation), cmocka_unit_test(test_raise),
        cmocka_unit_test(test_moves), cmocka_unit_test(test_peaks), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_cache), cmocka_unit_test(test_measure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
