/* Ridge's counters read back through PAPI as software-defined events: by the example program, exactly; and by
 * a preloaded profiler from the program itself. */
#include "run_program.h"

#include "ridge/engine.h"

/* "name value" lines. */
static long long value_in(const char *text, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "%s ", name);
    for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (strncmp(p, key, strlen(key)) == 0) return atoll(p + strlen(key));
    fail_msg("no %s in:\n%s", name, text);
    return 0;
}

/* The same work here, summed from the records. */
static rg_tally expected(const char *model, int threads, int64_t prompt, int64_t gen)
{
    rg_err err;
    rg_ckpt *c;
    rg_engine *e;
    rg_session *s;
    rg_log log;
    rg_tally sum = {0};
    int32_t id[64];
    const rg_engine_opts eo = {.dtype = -1, .isa_cap = RG_ISA_COUNT, .threads = threads};
    for (int i = 0; i < 64; i++) id[i] = i % 50 + 3;
    assert_int_equal(rg_ckpt_open(&c, model, &err), RG_OK);
    rg_session_opts so = {.ctx = prompt + gen, .kv_k = rg_default_kv(c, &eo), .kv_v = rg_default_kv(c, &eo)};
    assert_int_equal(rg_engine_open(&e, c, &eo, &err), RG_OK);
    assert_int_equal(rg_session_open(&s, e, &so, &err), RG_OK);
    assert_int_equal(rg_log_open(&log, (size_t)gen + 1, rg_session_ops_per_step(s)), 0);
    assert_int_equal(
        rg_session_eval(s, &(rg_batch){.n = prompt, .token = id}, RG_PREFILL, &log, &err), RG_OK);
    for (int64_t i = 0; i < gen; i++)
        assert_int_equal(rg_session_eval(s, &(rg_batch){.n = 1, .token = id}, RG_DECODE, &log, &err), RG_OK);
    assert_int_equal(log.dropped, 0);
    for (size_t i = 0; i < log.n; i++) rg_tally_add(&sum, &log.rec[i].tally);
    rg_log_close(&log);
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(c);
    return sum;
}

static void read_back_exactly(void **state)
{
    (void)state;
    const char *bin = getenv("RIDGE_READ_SDE");
    char *model = strdup(tiny_model()), cmd[1200];
    if (!bin) {
        print_message("SKIPPED: built without libsde or PAPI\n");
        free(model);
        skip();
    }
    for (int threads = 1; threads <= 2; threads++) {
        const char *out = scratch("events");
        snprintf(
            cmd, sizeof cmd, "OMP_WAIT_POLICY=passive '%s' '%s' 20 5 %d > '%s'", bin, model, threads, out);
        assert_int_equal(system(cmd), 0);
        char *text = read_all(out, NULL);
        const rg_tally t = expected(model, threads, 20, 5);
        assert_true(t.flop > 0 && t.w_rd > 0 && t.kv_rd > 0);
        assert_int_equal(value_in(text, "weight_bytes_read"), t.w_rd);
        assert_int_equal(value_in(text, "act_bytes_read"), t.act_rd);
        assert_int_equal(value_in(text, "act_bytes_written"), t.act_wr);
        assert_int_equal(value_in(text, "kv_bytes_read"), t.kv_rd);
        assert_int_equal(value_in(text, "kv_bytes_written"), t.kv_wr);
        assert_int_equal(value_in(text, "flop"), t.flop);
        assert_int_equal(value_in(text, "int_op"), t.iop);
        assert_int_equal(value_in(text, "bytes_total"), rg_tally_bytes(&t));
        /* the warm-up before PAPI_start is not in it */
        assert_int_equal(value_in(text, "prefill_tokens"), 20);
        assert_int_equal(value_in(text, "decode_tokens"), 5);
        assert_int_equal(value_in(text, "forward_calls"), 6);
        free(text);
    }
    free(model);
}

/* Totals never go down, whatever engines come and go, and count calls without records as those with. */
static void totals_of_the_process(void **state)
{
    (void)state;
    rg_totals a, b;
    char *model = strdup(tiny_model());
    rg_process_totals(&a);
    const rg_tally t = expected(model, 2, 12, 3);
    rg_process_totals(&b);
    assert_int_equal(b.tally.flop - a.tally.flop, t.flop);
    assert_int_equal(rg_tally_bytes(&b.tally) - rg_tally_bytes(&a.tally), rg_tally_bytes(&t));
    assert_int_equal(b.tokens[RG_PREFILL] - a.tokens[RG_PREFILL], 12);
    assert_int_equal(b.tokens[RG_DECODE] - a.tokens[RG_DECODE], 3);
    assert_int_equal(b.calls - a.calls, 4);
    free(model);
}

static void seen_from_outside(void **state)
{
    (void)state;
    const char *spy = getenv("SDE_SPY");
    char preload[600], to[400];
#if defined(RIDGE_SANITIZED)
    spy = NULL;
#endif
    if (!spy) {
        print_message(
            "SKIPPED: no libsde and PAPI in this build, or sanitizers, which do not mix with preloading\n");
        skip();
    }
    const char *out = scratch("spy");
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", spy);
    snprintf(to, sizeof to, "SDE_SPY_OUT=%s", out);
    const run_opts o = {.env = {preload, to}};
    /* bench runs this model alone: profile adds the reference of its predictions */
    output r = ridge_with(&o, "bench", "-m", tiny_model(), "-p", "9", "-n", "4", "-r", "2", "-t", "2",
        "--oversubscribe", "--machine", machine_file(), "-o", "json", NULL);
    expect_ok(&r);
    done(&r);
    char *text = read_all(out, NULL);
    const long long calls = value_in(text, "forward_calls"), decode = value_in(text, "decode_tokens"),
                    prefill = value_in(text, "prefill_tokens");
    assert_true(prefill >= 2 * 9 && prefill % 9 == 0); /* the warm-up runs the prompt, too */
    assert_true(decode >= 2 * 4);
    assert_int_equal(calls, prefill / 9 + decode);
    assert_true(value_in(text, "flop") > 0 && value_in(text, "weight_bytes_read") > 0 &&
        value_in(text, "kv_bytes_written") > 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(read_back_exactly),
        cmocka_unit_test(totals_of_the_process), cmocka_unit_test(seen_from_outside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
