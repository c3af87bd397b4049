/* `ridge report`, and --svg of profile and machine. */
#include "run_program.h"

static const char *saved_run(void)
{
    const char *path = scratch("run.json");
    if (!file_exists(path)) {
        output o = ridge_with(&(run_opts){.out_path = path}, "profile", "-m", tiny_model(), "--machine",
            machine_file(), "--dtype", "f16,q4g32", "-p", "12", "-n", "6", "-r", "1", "--counters", "off",
            "-o", "json", "--svg", scratch("live"), "--html", scratch("live.html"), NULL);
        expect_ok(&o);
        done(&o);
    }
    return path;
}

/* Drawn live and drawn from the file: the same bytes. */
static void test_same(void **state)
{
    (void)state;
    static const char *const names[] = {"roofline-1-f16.svg", "roofline-2-q4g32.svg", "time-1-f16.svg",
        "bytes-2-q4g32.svg", "compare.svg", "stages.svg"};
    output o = ridge("report", saved_run(), "--svg", scratch("again"), NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.err, "pictures of 2 runs"));
    done(&o);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char rel[2][80];
        snprintf(rel[0], sizeof rel[0], "live/%s", names[i]);
        snprintf(rel[1], sizeof rel[1], "again/%s", names[i]);
        char *a = read_all(scratch(rel[0]), NULL), *b = read_all(scratch(rel[1]), NULL);
        assert_string_equal(a, b);
        assert_true(strncmp(a, "<svg ", 5) == 0 && strcmp(a + strlen(a) - 7, "</svg>\n") == 0);
        free(a);
        free(b);
    }
}

static void test_one_file(void **state)
{
    (void)state;
    output o = ridge("report", saved_run(), "--svg", scratch("one.svg"), NULL);
    expect_ok(&o);
    done(&o);
    char *t = read_all(scratch("one.svg"), NULL);
    assert_non_null(strstr(t, "the runs side by side"));
    free(t);
}

/* One page with both runs, live and from the file alike. */
static void test_page(void **state)
{
    (void)state;
    output o = ridge("report", saved_run(), "-o", scratch("page.html"), NULL);
    expect_ok(&o);
    done(&o);
    char *t = read_all(scratch("page.html"), NULL), *live = read_all(scratch("live.html"), NULL);
    assert_string_equal(t, live);
    assert_non_null(strstr(t, "<!doctype html>"));
    assert_non_null(strstr(t, "Side by side"));
    free(t);
    free(live);
}

/* On the screen: fresh and saved alike, and --wide shows everything. */
static void test_screen(void **state)
{
    (void)state;
    output o = ridge("report", saved_run(), NULL), w = ridge("report", saved_run(), "--wide", NULL);
    expect_ok(&o);
    expect_ok(&w);
    assert_non_null(strstr(o.out, "q4g32 against f16: "));
    assert_non_null(strstr(o.out, "q4g32: where the time goes"));
    assert_non_null(strstr(w.out, "# Side by side"));
    done(&o);
    done(&w);
    const char *bench = scratch("bench.json");
    o = ridge_with(&(run_opts){.out_path = bench}, "bench", "-m", tiny_model(), "--machine", machine_file(),
        "-p", "4", "-n", "2", "-r", "1", "-o", "json", NULL);
    expect_ok(&o);
    done(&o);
    expect_error(ridge("report", bench, NULL), 2, "only runs of ridge profile", "-o report.html", NULL);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_error(ridge("report", NULL), 2, "no file given", NULL);
    expect_error(
        ridge("report", scratch("none.json"), "--svg", scratch("x.svg"), NULL), 3, "none.json", NULL);
    write_bytes(scratch("bad.json"), "{\"schema\": \"ridge.profile\"", 26);
    expect_error(ridge("report", scratch("bad.json"), "--svg", scratch("x.svg"), NULL), 3, "bad.json",
        "not JSON", NULL);
    assert_false(file_exists(scratch("x.svg")));
    expect_error(ridge("report", saved_run(), "-o", scratch("x.html"), "--html", scratch("y.html"), NULL), 2,
        "one of them", NULL);
    expect_error(
        ridge("report", saved_run(), "-o", "/nowhere/at/all.html", NULL), 3, "/nowhere/at/all.html", NULL);
    expect_error(ridge("report", saved_run(), "--svg", "/nowhere/at/all", NULL), 3, "/nowhere/at/all", NULL);
    expect_error(
        ridge("report", saved_run(), "--svg", "/nowhere/at/all.svg", NULL), 3, "/nowhere/at/all.svg", NULL);
}

/* Three groups in two phases for every configuration, one machine to a picture. */
static void test_roofline(void **state)
{
    (void)state;
    const char *const grid[] = {"--batch", "1,4", "--seqlen", "64,128,256"};
    output o = ridge("roofline", "--shape", "llama-2-13b", "--hardware", "nvidia_A40", "--cost", "llm-viewer",
        grid[0], grid[1], grid[2], grid[3], "-o", "csv", "--svg", scratch("a40.svg"), NULL);
    expect_ok(&o);
    done(&o);
    char *t = read_all(scratch("a40.svg"), NULL);
    int points = 0;
    for (const char *p = t; (p = strstr(p, "data-kind=\"analytic\"")); p++) points++;
    assert_int_equal(points, 2 * 3 * 3 * 2);
    assert_non_null(strstr(t, "ridge 215"));
    assert_non_null(strstr(t, "llama-2-13b on nvidia_A40"));
    free(t);
    o = ridge("roofline", "--shape", "llama-2-13b", "--hardware", "nvidia_A40", "--stage", "decode", "-o",
        "csv", "--svg", scratch("decode.svg"), NULL);
    expect_ok(&o);
    done(&o);
    t = read_all(scratch("decode.svg"), NULL);
    assert_null(strstr(t, "data-phase=\"prefill\""));
    free(t);
    o = ridge("roofline", "--shape", "llama-2-13b", "--hardware", "nvidia_A40,nvidia_L40", "-o", "csv",
        "--svg", scratch("two.svg"), NULL);
    assert_int_equal(o.code, 2);
    assert_non_null(strstr(o.err, "one machine"));
    assert_false(file_exists(scratch("two.svg")));
    done(&o);
}

static void same_page(const char *saved, const char *live)
{
    output o = ridge("report", scratch(saved), "-o", scratch("again.html"), NULL);
    expect_ok(&o);
    done(&o);
    char *a = read_all(scratch(live), NULL), *b = read_all(scratch("again.html"), NULL);
    assert_string_equal(a, b);
    assert_true(strncmp(a, "<!doctype html>", 15) == 0);
    free(a);
    free(b);
}

/* Pages of bench, compare and roofline, live and from their JSON alike; pictures beside them; half a report
 * is refused with the field. */
static void test_documents(void **state)
{
    (void)state;
    output o = ridge_with(&(run_opts){.out_path = scratch("bench.json")}, "bench", "-m", tiny_model(),
        "--machine", machine_file(), "--dtype", "f16,q4g32", "-p", "8", "-n", "4", "-d", "0,8", "-B", "1,2",
        "-r", "2", "--no-warmup", "-o", "json", "--html", scratch("bench.html"), "--svg",
        scratch("bench-pictures"), NULL);
    expect_ok(&o);
    done(&o);
    same_page("bench.json", "bench.html");
    static const char *const pictures[] = {"bench-pictures/speed.svg", "bench-pictures/depth.svg",
        "bench-pictures/depth-2.svg", "bench-pictures/batch.svg"};
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        assert_true(file_exists(scratch(pictures[i])));
    o = ridge_with(&(run_opts){.out_path = scratch("compare.json")}, "compare", saved_run(), "-o", "json",
        "--html", scratch("compare.html"), NULL);
    expect_ok(&o); /* both types of the saved set */
    done(&o);
    same_page("compare.json", "compare.html");
    char *t = read_all(scratch("compare.html"), NULL);
    assert_non_null(strstr(t, "data-doc=\"operators-gain\""));
    assert_non_null(strstr(t, "data-chart=\"roofline\" data-run=\"1\""));
    free(t);
    o = ridge_with(&(run_opts){.out_path = scratch("sweep.json")}, "roofline", "--shape", "llama-2-7b",
        "--hardware", "nvidia_A40,amd_epyc_9654", "--batch", "1,2", "-o", "json", "--html",
        scratch("sweep.html"), NULL);
    expect_ok(&o);
    done(&o);
    same_page("sweep.json", "sweep.html");
    expect_error(ridge("report", scratch("bench.json"), scratch("sweep.json"), "-o", scratch("z.html"), NULL),
        2, "stands alone", NULL);
    static const char half[] =
        "{\"schema\": \"ridge.roofline\", \"version\": 1, \"cases\": [{\"input\": {}}]}";
    write_bytes(scratch("half.json"), half, sizeof half - 1);
    expect_error(ridge("report", scratch("half.json"), "-o", scratch("z.html"), NULL), 3, "half.json",
        "found nothing", "ridge roofline -o json", NULL);
    assert_false(file_exists(scratch("z.html")));
}

static void test_machine(void **state)
{
    (void)state;
    output o = ridge(
        "machine", "--quick", "--no-save", "-t", "1", "-o", "json", "--svg", scratch("machine.svg"), NULL);
    expect_ok(&o);
    json_t *j = json_loadb(o.out, o.n_out, 0, NULL);
    assert_non_null(j);
    char *t = read_all(scratch("machine.svg"), NULL);
    int points = 0;
    for (const char *p = t; (p = strstr(p, "data-kind=\"bandwidth\"")); p++) points++;
    assert_int_equal(points, json_array_size(json_object_get(j, "bandwidth")));
    json_decref(j);
    free(t);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_one_file),
        cmocka_unit_test(test_page), cmocka_unit_test(test_screen), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_machine), cmocka_unit_test(test_roofline), cmocka_unit_test(test_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
