/* A kernel slowed by a known factor stands first among what to fix, with the time that it loses. */
#include "run_program.h"

#include <time.h>

#include "kernels/kernels.h"
#include "report/fixes.h"
#include "slow_kernels.h"

enum { DIM = 256, TRIES = 7 }; /* DIM: of the demo checkpoint */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* What the slowed kernel takes, the fastest of a few tries. */
static double slowed_ns(rg_isa isa)
{
    rg_ktab tab;
    float x[DIM], w[DIM], y[DIM];
    double least = INFINITY;
    assert_true(rg_kernels_select(&tab, isa, false));
    for (int i = 0; i < DIM; i++) x[i] = (float)(i % 7) - 3.0f, w[i] = 1.0f;
    for (int t = 0; t < TRIES; t++) {
        const double start = now_ns();
        for (int i = 0; i < SLOW_TIMES; i++) tab.rmsnorm(y, x, w, DIM, 1e-5f);
        least = fmin(least, now_ns() - start);
    }
    assert_true(isfinite(y[0]));
    return least;
}

static rg_reports slow_run(const char *path)
{
    const char *slow = getenv("RIDGE_SLOW"), *product = getenv("RIDGE_BIN");
    char keep[1024];
    rg_reports s = {0};
    rg_err err = {0};
    assert_non_null(slow);
    snprintf(keep, sizeof keep, "%s", product);
    setenv("RIDGE_BIN", slow, 1);
    output o = ridge_with(&(run_opts){.out_path = path}, "profile", "--machine", machine_file(), "-t", "1",
        "-p", "8", "-n", "4", "-r", "3", "--counters", "off", "-o", "json", NULL);
    setenv("RIDGE_BIN", keep, 1);
    expect_ok(&o);
    done(&o);
    if (rg_reports_add_file(&s, path, &err) != RG_OK) fail_msg("%s", err.msg);
    return s;
}

static void the_slowed_operator_is_first(void **state)
{
    (void)state;
    const char *path = scratch("slow.json");
    rg_reports s = slow_run(path);
    const rg_run *r = s.run;
    rg_fixes f;
    rg_fixes_of(&f, r);
    assert_true(f.n_below >= 4); /* attn_norm and ffn_norm, in both phases */
    for (int i = 0; i < 4; i++)
        if (strcmp(f.below[i].op->op, "rmsnorm") != 0) fail_msg("rank %d: %s", i + 1, f.below[i].op->site);
    const bool noisy = r->d->run.noisy;
    output o = ridge("report", path, NULL);
    expect_ok(&o);
    char first[96];
    snprintf(first, sizeof first, "1  %s, %s", f.below[0].op->site, rg_phase_names[f.below[0].op->phase]);
    if (!noisy && !strstr(o.out, first)) fail_msg("'%s' is not in\n%s", first, o.out);
    if (noisy) assert_int_equal(strncmp(o.out, "noisy: ", 7), 0);
    done(&o);
    const bool timed = getenv("RIDGE_TEST_TIMED"); /* with the machine to itself, and without sanitizers */
    if (noisy || !timed) {
        print_message(
            "SKIPPED: the time to recover is compared on a quiet machine, with RIDGE_TEST_TIMED=1\n");
        rg_reports_close(&s);
        skip();
    }
    const double each = slowed_ns(rg_isa_from_name(r->d->machine.isa));
    for (int i = 0; i < 4; i++) {
        const rg_doc_op *op = f.below[i].op;
        const double want = each * op->calls * (op->phase == RG_PREFILL ? 8.0 : 1.0);
        if (fabs(f.below[i].recoverable_ns - want) > 0.1 * want)
            fail_msg("%s, %s: %.3g ns to recover, the slowed kernel takes %.3g", op->site,
                rg_phase_names[op->phase], f.below[i].recoverable_ns, want);
    }
    rg_reports_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_slowed_operator_is_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
