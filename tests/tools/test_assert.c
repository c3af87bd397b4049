/* --assert: arithmetic on saved reports, where nothing is measured and every outcome is known; then on runs,
 * with a kernel slowed down. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json_util.h"

#include "figures_fixture.h"

static json_t *or_null(double x) { return isnan(x) ? json_null() : json_real(x); }

static json_t *filled(rg_object_id id, json_t *o)
{
    json_t *rest = figures_of(id, 1, true);
    assert_int_equal(json_object_update_missing(o, rest), 0);
    json_decref(rest);
    return o;
}

static json_t *result(const char *test, int prompt, int gen, double ts, double low, double high, double mbu)
{
    const int tokens = prompt + gen;
    return filled(RG_OBJ_result,
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:o, s:o, s:f, s:i, s:i, s:[], s:[]}",
            "test", test, "setting", "default", "model_type", "m f16", "dtype", "f16", "n_prompt", prompt,
            "n_gen", gen, "tokens", tokens, "n_seq", 1, "median_ts", ts, "median_ns", 1e9 * tokens / ts,
            "ci95_low_ts", or_null(low), "ci95_high_ts", or_null(high), "mbu", mbu, "model_size", 1000,
            "bytes_counted", gen ? 1000 * gen : 10 * prompt, "samples_ns", "samples_ts"));
}

/* A bench of one setting: pp and tg with the given medians and intervals. */
static const char *saved(const char *name, double pp, double tg, double tg_low, double tg_high)
{
    const char *path = scratch(name);
    json_t *j = filled(RG_OBJ_bench,
        json_pack("{s:[o, o]}", "results", result("pp512", 512, 0, pp, NAN, NAN, 0.1),
            result("tg128 @ d64", 0, 128, tg, tg_low, tg_high, 0.8)));
    assert_int_equal(json_dump_file(j, path, 0), 0);
    json_decref(j);
    return path;
}

static int judge(const char *assertion, output *keep)
{
    char a[256], b[256];
    snprintf(a, sizeof a, "%s", saved("a.json", 1000.0, 100.0, 95.0, 105.0));
    snprintf(b, sizeof b, "%s", saved("b.json", 1500.0, 200.0, 190.0, 210.0));
    output o = ridge("compare", a, b, "--assert", assertion, "--baseline", a, NULL);
    const int code = o.code;
    if (keep)
        *keep = o;
    else
        done(&o);
    return code;
}

static void arithmetic(void **state)
{
    (void)state;
    static const struct {
        const char *assertion;
        int code;
    } cases[] = {
        {"decode.tokens_per_s>=95", 0},
        {"decode.tokens_per_s >= 106", 6}, /* a is 95 to 105 */
        {"decode.tokens_per_s >= 100", 7}, /* 95 to 105 holds it */
        {"decode.tokens_per_s > 95", 7},
        {"decode.tokens_per_s<=210", 0},
        {"decode.tokens_per_s<209", 7},
        {"decode.tokens_per_s<189", 6},
        {"decode.tokens_per_s >= 0.9*baseline", 0}, /* 0.9 * (95 to 105) reaches to 94.5, a from 95 */
        {"decode.tokens_per_s >= 0.95*baseline", 7},
        {"decode.tokens_per_s >= 2.3*baseline", 6},
        {"decode.tokens_per_s >= 50 %*baseline", 0},
        {"decode.tokens_per_s >= baseline.prefill.tokens_per_s/20", 0},
        {"prefill.tokens_per_s-decode.tokens_per_s*2>500", 0},
        {"(prefill.tokens_per_s+0)*2 >= 3*(1-0.5)*1000", 0},
        {"-decode.tokens_per_s <= -95", 0},
        {"decode.gain>=1.6", 0}, /* b alone has a gain: 190/105/1.1 to 210/95*1.1, as each is one load */
        {"decode.gain>=2", 7},
        {"decode.gain>=2.5", 6},
        {"prefill.gain==1.5", 0},
        {"prefill.gain!=1.5", 6},
        {"decode.mbu>=0.75", 0}, /* 0.8 * 0.95 */
        {"decode.mbu>=0.77", 7},
        {"model.resident_bytes==1000", 0},
        {"decode.mfu>=0", 6}, /* null: a gate must not pass on what is not known */
        {"decode.tokens_per_s/(decode.tokens_per_s-100)>0", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        output o;
        const int code = judge(cases[i].assertion, &o);
        if (code != cases[i].code)
            fail_msg("%s: exit code %d, expected %d: %s", cases[i].assertion, code, cases[i].code, o.err);
        if (code) assert_non_null(strstr(o.err, "assert"));
        assert_non_null(strstr(o.out, "times as fast")); /* the report is printed whatever the outcome */
        done(&o);
    }
}

static void syntax(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"decode.mbu", "one of >="},
        {"decode.mbu>=", "expected a metric"},
        {"decode.mbu>=1 2", "the end"},
        {"1>=0", "a metric somewhere"},
        {"(decode.mbu>=1", "')'"},
        {"decode.mbu=>1", "one of >="},
        {"baseline>=1", "a metric before"},
        {"decode.mbu>=1*", "character 15"},
        {"", "expected a metric"},
        {"((((((((((((((((((((((((((((((((((((((((decode.mbu>=1", "fewer parentheses"},
    };
    const char *base = saved("c.json", 1.0, 1.0, 1.0, 1.0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(ridge("bench", "-m", tiny_model(), "--assert", cases[i][0], "--baseline", base, NULL), 2,
            "--assert", cases[i][1], NULL);
    expect_error(ridge("profile", "-m", tiny_model(), "--assert", "decode.mbu>=baseline", NULL), 2,
        "--baseline FILE", NULL);
    /* names, before anything is measured: of the command, and of the file */
    static const char *const typos[][3] = {{"profile", "decode.tokens_per_sec>=1", "decode.tokens_per_s;"},
        {"profile", "decode.fnn_down.gbps>=1", "decode.ffn_down.gbps;"},
        {"profile", "1<=prefill.mbu*decode.mbuu", "decode.mbu;"}, {"profile", "ppl<9", "no such metric"},
        {"bench", "tg128.mbuu>=0", "TEST.mbu;"}, {"bench", "decode.gain>=1", "no such metric"},
        {"compare", "decode.gian>=1", "decode.gain;"}, {"eval", "kld.maen<5", "kld.mean;"},
        {"eval", "decode.mbu>=0", "no such metric"}, {"profile", "decode.dtype>=0", "no such metric"}};
    for (size_t i = 0; i < sizeof typos / sizeof *typos; i++)
        expect_error(ridge(typos[i][0], "-m", tiny_model(), "--assert", typos[i][1], NULL), 2, "--assert",
            typos[i][2], NULL);
    base = saved("c.json", 1.0, 1.0, 1.0, 1.0); /* names of files are borrowed */
    expect_error(ridge("bench", "-m", tiny_model(), "-p", "8", "-n", "4", "-d", "0,16", "--assert",
                     "tg4.mbu>=0.1*baseline.decode.mbu+tg5@d16.mbu", "--baseline", base, NULL),
        2, "--assert", "tg5@d16 is not measured here", "nearest tests are tg4@d16", NULL);
    expect_error(ridge("bench", "-m", tiny_model(), "--assert", "decode.mbu>=baseline.decode.mbuu",
                     "--baseline", base, NULL),
        2, "baseline.decode.mbuu", "c.json", "the nearest is decode.mbu;", NULL);
    expect_error(ridge("eval", "-m", tiny_model(), "--junit", "x.xml", NULL), 2, "--junit", "--assert", NULL);
    expect_error(ridge("bench", "--baseline", base, NULL), 2, "--baseline", "--assert", NULL);
    expect_error(ridge("bench", "-m", tiny_model(), "--assert", "decode.mbu>=baseline", "--baseline",
                     "missing.json", NULL),
        3, "missing.json", NULL);
    output o = ridge("bench", "--assert", "help", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.out, "PHASE.tokens_per_s"));
    assert_non_null(strstr(o.out, "kld.mean"));
    done(&o);
}

/* Numbers that look alike in three digits have as many as tell them apart. */
static void digits_that_decide(void **state)
{
    (void)state;
    char a[256];
    snprintf(a, sizeof a, "%s", saved("d.json", 1000.0, 99.9996, 99.9994, 99.9998));
    output o = ridge("compare", a, a, "--assert", "decode.tokens_per_s>=100", NULL);
    assert_int_equal(o.code, 6);
    assert_non_null(strstr(o.err, "is 99.9996 (99.9994 to 99.9998), the other side is 100"));
    done(&o);
    o = ridge("compare", a, a, "--assert", "decode.tokens_per_s>=200", NULL);
    assert_non_null(strstr(o.err, "is 100 (100 to 100), the other side is 200"));
    done(&o);
}

/* JUnit and Markdown name every assertion, with its outcome; hostile names do not break the XML. */
static void reports(void **state)
{
    (void)state;
    char a[256], xml[256], md[256];
    snprintf(a, sizeof a, "%s", saved("a&<b>.json", 1000.0, 100.0, 95.0, 105.0));
    snprintf(xml, sizeof xml, "%s", scratch("out.xml"));
    snprintf(md, sizeof md, "%s", scratch("out.md"));
    output o = ridge("compare", a, a, "--assert", "decode.mbu>=0.1", "--assert", "decode.mbu>=0.9",
        "--assert", "decode.tokens_per_s>=100", "--junit", xml, "--summary", md, "-o", "json", NULL);
    assert_int_equal(o.code, 6); /* a failure counts more than what cannot be told */
    json_t *j = parse(&o);
    assert_string_equal(text(j, "schema"), "ridge.compare");
    json_decref(j);
    done(&o);
    char *x = read_all(xml, NULL), *m = read_all(md, NULL);
    assert_non_null(strstr(x, "tests=\"6\" failures=\"2\" errors=\"2\""));
    assert_non_null(strstr(x, "a&amp;&lt;b&gt;.json"));
    assert_non_null(strstr(x, "<failure type=\"assert\""));
    assert_non_null(strstr(x, "<error type=\"noise\""));
    assert_non_null(strstr(m, "| assertion"));
    assert_non_null(strstr(m, "too noisy to tell"));
    char cmd[700];
    snprintf(cmd, sizeof cmd,
        "command -v python3 >/dev/null || exit 0; python3 -c 'import sys, xml.dom.minidom as d; "
        "d.parse(sys.argv[1])' '%s'",
        xml);
    assert_int_equal(system(cmd), 0);
    free(x), free(m);
}

/* The same promise, the same baseline: kept by the program, broken by the one whose kernel was slowed
 * down. */
static void slowed_kernel_breaks_the_promise(void **state)
{
    (void)state;
    char base[256], xml[256];
    snprintf(base, sizeof base, "%s", scratch("base.json"));
    snprintf(xml, sizeof xml, "%s", scratch("slow.xml"));
    const run_opts to = {.out_path = base};
    output o = ridge_with(&to, "bench", "-m", tiny_model(), "--machine", machine_file(), "-t", "1", "-p", "0",
        "-n", "16", "-r", "5", "-o", "json", NULL);
    expect_ok(&o);
    done(&o);
    static const char promise[] = "decode.tokens_per_s>=0.1*baseline";
    o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "-t", "1", "-p", "0", "-n", "16",
        "-r", "5", "--assert", promise, "--baseline", base, NULL);
    /* 7: a machine too busy to tell */
    if (o.code != 0 && o.code != 7) fail_msg("exit code %d: %s", o.code, o.err);
    done(&o);
    const char *product = getenv("RIDGE_BIN"), *slow = getenv("RIDGE_SLOW");
    char keep[1024];
    assert_non_null(slow);
    snprintf(keep, sizeof keep, "%s", product);
    setenv("RIDGE_BIN", slow, 1);
    o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "-t", "1", "-p", "0", "-n", "16",
        "-r", "5", "--assert", promise, "--baseline", base, "--junit", xml, NULL);
    setenv("RIDGE_BIN", keep, 1);
    if (o.code != 6) fail_msg("exit code %d, expected 6: %s", o.code, o.err);
    assert_non_null(strstr(o.err, promise));
    done(&o);
    char *x = read_all(xml, NULL);
    assert_non_null(strstr(x, "failures=\"1\""));
    free(x);
}

/* The exit code of a judged profile; on a disturbed machine 7, and it says so. */
static void expect_judged(const output *o, int code)
{
    if (o->code == 7 && strstr(o->err, "the run was disturbed")) return;
    if (o->code != code) fail_msg("exit code %d, expected %d: %s", o->code, code, o->err);
}

/* Busy loops on every processor: a measured promise is neither kept nor broken, a counted one is judged, and
 * no sentence names a cause. */
static void noise_forbids_judgement(void **state)
{
    (void)state;
    const int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    pid_t *busy = calloc((size_t)n, sizeof *busy);
    assert_non_null(busy);
    for (int i = 0; i < n; i++)
        if ((busy[i] = fork()) == 0)
            for (volatile int spin = 0;; spin++) {
            }
    output o = ridge("profile", "-p", "16", "-n", "32", "--machine", machine_file(), "--assert",
        "decode.tokens_per_s>=1", "--assert", "decode.flop>=1", "-o", "md", NULL);
    for (int i = 0; i < n; i++) {
        kill(busy[i], SIGKILL);
        waitpid(busy[i], NULL, 0);
    }
    free(busy);
    assert_int_equal(o.code, 7);
    assert_non_null(strstr(o.err, "decode.tokens_per_s>=1 (f16): too noisy to tell: the run was disturbed"));
    assert_non_null(strstr(o.err, "decode.flop>=1 (f16): holds"));
    assert_non_null(strstr(o.out, "**The machine was not quiet:**"));
    assert_null(strstr(o.out, "loses most in"));
    done(&o);
}

static void profile_and_eval(void **state)
{
    (void)state;
    output o = ridge("profile", "-m", tiny_model(), "--machine", machine_file(), "-p", "16", "-n", "4", "-r",
        "3", "--dtype", "f32,q4g32", "--assert", "decode.ffn_down_add.calls==8", "--assert",
        "prefill.tokens_per_s>0", "--assert", "model.bits_per_weight_resident<=33", "-o", "json", NULL);
    expect_judged(&o, 0);
    json_decref(parse(&o));
    assert_non_null(strstr(o.err, "(q4g32): holds"));
    done(&o);
    o = ridge("profile", "-m", tiny_model(), "--machine", machine_file(), "-p", "4", "-n", "2", "-r", "1",
        "--assert", "decode.ffn_down.calls>=1", NULL);
    assert_int_equal(o.code, 6);
    assert_non_null(strstr(o.err, "part of ffn_down_add (--fuse none"));
    done(&o);
    o = ridge("profile", "-m", tiny_model(), "--machine", machine_file(), "-p", "16", "-n", "4", "-r", "1",
        "--assert", "decode.tokens_per_s>=1e15", NULL);
    expect_judged(&o, 6);
    assert_non_null(strstr(o.err, "taken at its word")); /* one repetition has no interval */
    done(&o);
    o = ridge("eval", "-p",
        "Once upon a time there was a little girl who liked to play in the garden with her dog.", "-c", "16",
        "--dtype", "q4g64", "--ref-dtype", "f16", "--assert", "kld.mean<5", "--assert", "same_top>=0",
        "--assert", "ppl<1e9", NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("eval", "-p",
        "Once upon a time there was a little girl who liked to play in the garden with her dog.", "-c", "16",
        "--ref-dtype", "f32", "--assert", "same_top<0", NULL);
    assert_int_equal(o.code, 6);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arithmetic), cmocka_unit_test(syntax),
        cmocka_unit_test(digits_that_decide), cmocka_unit_test(reports),
        cmocka_unit_test(slowed_kernel_breaks_the_promise), cmocka_unit_test(noise_forbids_judgement),
        cmocka_unit_test(profile_and_eval)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
