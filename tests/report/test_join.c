/* The join against numbers worked out by hand on a machine of paper. */
#include "testing.h"

#include "ops/probe.h"
#include "report/join.h"
#include "report/verdict.h"
#include "roof_fixture.h"

static rg_report *build(const rg_machine *m, const rg_model_info *i, const rg_run_info *u, const rg_log *l)
{
    rg_report *r = NULL;
    rg_err err = {0};
    if (rg_report_build(&r, m, i, u, l, &err) != RG_OK) fail_msg("%s", err.msg);
    return r;
}

static rg_report *build_default(const rg_machine *m)
{
    const rg_model_info i = fixture_model();
    const rg_run_info u = fixture_run();
    rg_log l;
    fixture_log(&l);
    rg_report *r = build(m, &i, &u, &l);
    rg_log_close(&l);
    return r;
}

/* What the document says of a site. */
static const rg_doc_op *op_of(const rg_reports *s, rg_phase phase, rg_site site)
{
    const rg_doc_op *o = rg_run_op(&s->run[0], phase, rg_site_name(site));
    assert_non_null(o);
    return o;
}

static rg_reports reports_of(const rg_report *r) { return fixture_reports(&r, 1); }

static void test_ideal(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    const rg_tally a = {.w_rd = 2176, .act_rd = 2048, .act_wr = 2048, .flop = 65536};
    rg_ideal p = rg_predict(&m, &a, RG_ARITH_FP32_FMA, RG_ISA_AVX512, RG_KK_GEMV, INT64_C(1) << 30);
    assert_near(p.mem_ns, 2176 / 10.0 + 4096 / 100.0, 1e-9);
    assert_near(p.flop_ns, 65536 / 200.0, 1e-9);
    assert_int_equal(p.footprint, INT64_C(1) << 30); /* the weights take most of it */
    p = rg_predict(&m, &a, RG_ARITH_FP32_FMA, RG_ISA_AVX2, RG_KK_GEMV, 1 << 25);
    assert_near(p.mem_ns, 2176 / 55.0 + 4096 / 100.0, 1e-9);
    assert_near(p.flop_ns, 65536 / 100.0, 1e-9);
    assert_int_equal(p.footprint, 4096);
    /* a BLAS library picks its own instructions */
    p = rg_predict(&m, &a, RG_ARITH_FP32_FMA, RG_ISA_C, RG_KK_BLAS, 1 << 25);
    assert_near(p.flop_ns, 65536 / 200.0, 1e-9);
    /* a dot product is held against its own instruction, and writes are charged as writes */
    m.peak[RG_PEAK_INT8_AVX512].value = 800.0;
    m.bw[0].write_gbps.value = 50.0;
    p = rg_predict(&m, &a, RG_ARITH_INT8_DOT, RG_ISA_AVX512VNNI, RG_KK_GEMV, INT64_C(1) << 30);
    assert_near(p.flop_ns, 65536 / 800.0, 1e-9);
    assert_int_equal(p.peak_row, RG_PEAK_INT8_AVX512);
    assert_near(p.mem_ns, 2176 / 10.0 + 2048 / 100.0 + 2048 / 50.0, 1e-9);
    /* two products per useful one */
    p = rg_predict(&m, &a, RG_ARITH_INT8_DOT, RG_ISA_AVX512VNNI, RG_KK_MMDOT16, INT64_C(1) << 30);
    assert_near(p.flop_ns, 65536 / 400.0, 1e-9);
    assert_near(p.peak_gflops, 400.0, 1e-9);
    /* so are tiles, whose peaks belong to no width; two planes of x and of weights are three products */
    m.peak[RG_PEAK_AMX_BF16].value = 3000.0;
    m.peak[RG_PEAK_AMX_INT8].value = 6000.0;
    p = rg_predict(&m, &a, RG_ARITH_AMX_BF16, RG_ISA_AMX, RG_KK_MMBF3, INT64_C(1) << 30);
    assert_int_equal(p.peak_row, RG_PEAK_AMX_BF16);
    assert_near(p.peak_gflops, 1000.0, 1e-9);
    assert_near(rg_predict(&m, &a, RG_ARITH_AMX_BF16, RG_ISA_AMX, RG_KK_MMBF2, 1).peak_gflops, 1500.0, 1e-9);
    assert_near(rg_predict(&m, &a, RG_ARITH_AMX_BF16, RG_ISA_AMX, RG_KK_MMBF, 1).peak_gflops, 3000.0, 1e-9);
    assert_near(
        rg_predict(&m, &a, RG_ARITH_AMX_INT8, RG_ISA_AMX, RG_KK_MMDOT16, 1).peak_gflops, 3000.0, 1e-9);
    assert_near(rg_predict(&m, &a, RG_ARITH_AMX_INT8, RG_ISA_AMX, RG_KK_MMDOT8, 1).peak_gflops, 6000.0, 1e-9);
    const rg_machine none = {0};
    p = rg_predict(&none, &a, RG_ARITH_FP32_FMA, RG_ISA_C, RG_KK_GEMV, 1);
    assert_true(isnan(p.mem_ns) && isnan(p.flop_ns));
}

static void test_row(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    rg_report *r = build_default(&m);
    char buf[96];
    /* 8 x 64 x 64, q4g64: 2 panels of one group */
    const rg_row *w = rg_report_row(r, RG_PREFILL, RG_SITE_ATTN_Q);
    assert_non_null(w);
    assert_int_equal(w->calls, 2);
    assert_int_equal(w->analytic.w_rd, 2 * 2 * (64 + 64 * 16));
    assert_int_equal(w->analytic.act_rd, 2 * 4 * 8 * 64);
    assert_int_equal(w->counted.act_rd, 2 * w->analytic.act_rd);
    assert_int_equal(w->analytic.flop, 2 * 65536);
    assert_near(w->ideal_ns, 2 * 65536 / 200.0, 1e-6);
    assert_int_equal(w->t_ns, 2 * (2000 + 10 * RG_SITE_ATTN_Q));
    assert_int_equal(w->bound, RG_BOUND_OVERHEAD); /* 328 ns are less than two barriers of 500 */
    rg_reports s = reports_of(r);
    const rg_doc_op *o = op_of(&s, RG_PREFILL, RG_SITE_ATTN_Q);
    assert_near(o->gflops, 131072.0 / (double)w->t_ns, 1e-7);
    assert_near(o->gbps, (double)(4352 + 8192 + 4096) / (double)w->t_ns, 1e-7);
    assert_near(o->roof_fraction, 655.36 / (double)w->t_ns, 1e-9);
    assert_near(o->attainable_gflops, 200.0, 1e-7);
    assert_near(o->analytic.ideal_ns, 655.36, 1e-6);
    assert_near(o->bytes_ratio, (4352.0 + 8192 + 4096) / (4352 + 4096 + 4096), 1e-8);
    assert_string_equal(o->kernel, "gemm q4g64 avx512");
    assert_string_equal(o->roof, "fp32 fma avx512");
    assert_string_equal(o->bound, "overhead");
    rg_reports_close(&s);
    assert_string_equal(rg_row_kernel(buf, sizeof buf, w), "gemm q4g64 avx512");
    assert_string_equal(rg_row_roof(buf, sizeof buf, w), "fp32 fma avx512");
    assert_string_equal(rg_row_wtype(buf, sizeof buf, w), "q4g64");
    assert_int_equal(w->ctr[0], 2 * w->t_ns);
    rg_report_close(r);

    m.barrier_ns.value = 0.0; /* unknown: nothing is overhead */
    r = build_default(&m);
    assert_int_equal(rg_report_row(r, RG_PREFILL, RG_SITE_ATTN_Q)->bound, RG_BOUND_COMPUTE);
    w = rg_report_row(r, RG_DECODE, RG_SITE_ATTN_Q);
    assert_int_equal(w->bound, RG_BOUND_MEMORY);
    assert_string_equal(rg_row_roof(buf, sizeof buf, w), "read 1.00 GiB");
    assert_string_equal(rg_row_kernel(buf, sizeof buf, w), "gemv q4g64 avx512");
    rg_report_close(r);
}

static void test_zero_flop(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r = build_default(&m);
    const rg_row *w = rg_report_row(r, RG_DECODE, RG_SITE_ATTN_KV_PUT);
    assert_non_null(w);
    rg_reports s = reports_of(r);
    const rg_doc_op *o = op_of(&s, RG_DECODE, RG_SITE_ATTN_KV_PUT);
    assert_near(o->ai_analytic, 0.0, 0.0);
    assert_near(o->gflops, 0.0, 0.0);
    assert_true(isnan(o->attainable_gflops));
    /* per call 8 * 2 * 16 bytes read, 2 * 2 * (16 + 16) written to the cache, 6 calls */
    assert_near(w->ideal_ns, 6 * (256 / 100.0 + 128 / 10.0), 1e-6);
    assert_true(o->roof_fraction > 0.0 && o->roof_fraction < 1.0);
    rg_reports_close(&s);
    rg_report_close(r);
}

static void test_sums(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_log l;
    fixture_log(&l);
    u.per_layer = true;
    rg_report *r = build(&m, &i, &u, &l);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        uint64_t t = 0, calls = 0, by_layer = 0, steps = 0, outside = 0, sums_in_layers = 0;
        rg_tally all = {0};
        for (int k = 0; k < r->n_rows; k++) {
            const rg_row *w = &r->row[k];
            if ((int)w->phase != ph) continue;
            if (w->layer >= 0) {
                by_layer += w->t_ns;
                continue;
            }
            t += w->t_ns;
            calls += w->calls;
            rg_tally_add(&all, &w->analytic);
            if (rg_site_in_layer(w->site))
                sums_in_layers += w->t_ns;
            else
                outside += w->t_ns;
        }
        for (size_t k = 0; k < l.n_steps; k++)
            if (l.step[k].phase == ph) steps += l.step[k].t_ns;
        const rg_phase_sum *p = &r->phase[ph];
        assert_int_equal(p->t_ns, steps);
        assert_int_equal((int64_t)t + p->overhead_ns, (int64_t)p->t_ns);
        assert_int_equal(p->overhead_ns, 1000 * (int64_t)p->calls);
        assert_int_equal(by_layer, sums_in_layers);
        assert_true(outside > 0);
        assert_int_equal(all.flop, p->analytic.flop);
        assert_int_equal(rg_tally_bytes(&all), rg_tally_bytes(&p->analytic));
        assert_int_equal(calls, p->calls * (2 * 15 + 3));
    }
    assert_int_equal(r->phase[RG_PREFILL].tokens, 8);
    assert_int_equal(r->phase[RG_DECODE].tokens, 3);
    assert_int_equal(r->phase[RG_DECODE].batch, 1);
    assert_int_equal(r->phase[RG_DECODE].last_ctx, 11);
    /* streamed: the weights, and KV of 9, 10 and 11 positions: 2 layers, 2 heads, 64 bytes */
    assert_int_equal(r->phase[RG_DECODE].stream_bytes, (INT64_C(1) << 30) + 10 * 2 * 2 * 64);
    const rg_phase_sum *d = &r->phase[RG_DECODE];
    assert_near(d->mbu,
        (double)(d->analytic.w_rd + d->analytic.kv_rd + d->analytic.kv_wr) / 10.0 / (double)d->t_ns, 1e-9);
    assert_near(d->mfu, (double)d->analytic.flop / 200.0 / (double)d->t_ns, 1e-9);
    rg_report_close(r);
    rg_log_close(&l);
}

/* Predictions of a row and of a phase are sums over calls; none without speeds. */
static void test_predicted(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    const rg_speeds none_learnt = {.op_ns = 20.0, .step_ns = 1000.0};
    rg_run_info u = fixture_run();
    rg_log l;
    fixture_log(&l);
    for (int with = 0; with < 2; with++) {
        u.speeds = with ? &none_learnt : NULL;
        rg_report *r = build(&m, &i, &u, &l);
        rg_reports s = reports_of(r);
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            double sum = 0.0;
            for (int k = 0; k < r->n_rows; k++)
                if ((int)r->row[k].phase == ph && r->row[k].layer < 0) {
                    const rg_row *w = &r->row[k];
                    const rg_doc_op *o = op_of(&s, ph, w->site);
                    sum += w->predicted_ns;
                    if (with) assert_near(w->predicted_ns, w->ideal_ns + 20.0 * (double)w->calls, 1e-6);
                    assert_true(with ? fabs(o->predicted_ns - w->predicted_ns) < 1e-6 * w->predicted_ns
                                     : isnan(o->predicted_ns));
                }
            const double whole = s.run->d->phases[ph].predicted_ns;
            if (with)
                assert_near(whole, sum + 1000.0 * (double)r->phase[ph].calls, 1e-6 * sum);
            else
                assert_true(isnan(whole));
        }
        rg_reports_close(&s);
        rg_report_close(r);
    }
    rg_log_close(&l);
}

static void test_unknown_roofs(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    m.peak[RG_PEAK_FP32_AVX512].value = 0.0;
    rg_report *r = build_default(&m);
    char buf[64];
    rg_reports s = reports_of(r);
    const rg_row *w = rg_report_row(r, RG_PREFILL, RG_SITE_ATTN_Q);
    const rg_doc_op *o = op_of(&s, RG_PREFILL, RG_SITE_ATTN_Q),
                    *zero = op_of(&s, RG_PREFILL, RG_SITE_ATTN_KV_PUT);
    assert_true(isnan(o->roof_fraction) && isnan(o->attainable_gflops));
    assert_true(!o->bound && !o->roof && o->roof_reason);
    assert_int_equal(w->bound, RG_BOUND_UNKNOWN);
    assert_null(rg_row_roof(buf, sizeof buf, w));
    assert_true(isfinite(zero->roof_fraction)); /* needs no arithmetic, so no peak */
    assert_non_null(rg_report_no_roof(r));
    assert_string_equal(rg_run_no_roof(&s.run[0]), rg_report_no_roof(r));
    assert_true(isnan(r->phase[RG_PREFILL].mfu) && isfinite(r->phase[RG_PREFILL].mbu));
    rg_reports_close(&s);
    rg_report_close(r);

    m.n_bw = 0;
    r = build_default(&m);
    s = reports_of(r);
    for (size_t i = 0; i < s.run->d->n_ops; i++) assert_true(isnan(s.run->d->ops[i].roof_fraction));
    rg_reports_close(&s);
    assert_true(isnan(r->phase[RG_DECODE].mbu));
    rg_report_close(r);
}

static bool has_note(const rg_report *r, const char *what)
{
    for (int i = 0; i < r->notes.n; i++)
        if (strstr(r->notes.s[i], what)) return true;
    return false;
}

static void test_notes(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_log l;
    fixture_log(&l);
    rg_report *r = build(&m, &i, &u, &l);
    assert_true(has_note(r, "attn_q 1.33"));
    assert_true(has_note(r, "it is paper"));
    assert_false(has_note(r, "cache:"));
    assert_false(has_note(r, "did not fit"));
    rg_report_close(r);
    l.dropped = 5;
    u.spread[RG_DECODE] = 0.5;
    u.threads = 1;
    m.noisy = true;
    for (size_t k = 0; k < l.n; k++) /* 20 times as fast as the machine can read */
        if (l.rec[k].site == RG_SITE_OUTPUT && l.rec[k].phase == RG_PREFILL)
            l.rec[k].tally.w_rd = 20 * 10 * l.rec[k].t_ns;
    r = build(&m, &i, &u, &l);
    assert_true(has_note(r, "5 operator records did not fit"));
    assert_non_null(strstr(r->evidence.s[0], "lie 50.0 % of the median apart"));
    assert_true(has_note(r, "measured with 2 threads, the run used 1"));
    assert_true(has_note(r, "roofs are noisy"));
    assert_true(has_note(r, "from a cache: "));
    rg_report_close(r);
    l.rec[3].site = 250; /* a damaged log is reported, not followed */
    l.rec[4].step = 4000000000u;
    r = build(&m, &i, &u, &l);
    assert_true(has_note(r, "outside the tables"));
    rg_report_close(r);
    rg_log_close(&l);
    l = (rg_log){0}; /* nothing was run */
    r = build(&m, &i, &u, &l);
    assert_false(r->phase[0].ran || r->phase[1].ran);
    rg_report_close(r);
    rg_report_close(NULL);
}

/* A probe of paper: every read of thread t advances its counters by 10 and 7 + t. Differences must come out
 * as the sums in the rows. */
typedef struct mock {
    uint64_t now[2][2];
    int open[2], closed[2];
} mock;
static int mock_open(void *self, int tid)
{
    ((mock *)self)->open[tid]++;
    return 0;
}
static void mock_read(void *self, int tid, uint64_t *ctr)
{
    mock *m = self;
    m->now[tid][0] += 10;
    m->now[tid][1] += 7 + (uint64_t)tid;
    ctr[0] = m->now[tid][0];
    ctr[1] = m->now[tid][1];
}
static void mock_close(void *self, int tid) { ((mock *)self)->closed[tid]++; }

static void test_mock_probe(void **state)
{
    (void)state;
    mock k = {0};
    const rg_probe p = {
        .self = &k, .n_ctr = 2, .thread_open = mock_open, .read = mock_read, .thread_close = mock_close};
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    const rg_run_info u = fixture_run();
    rg_log l;
    fixture_log(&l);
    uint64_t last[2][RG_MAX_CTR] = {{0}};
    for (int t = 0; t < 2; t++) {
        assert_int_equal(p.thread_open(p.self, t), 0);
        p.read(p.self, t, last[t]);
    }
    for (size_t n = 0; n < l.n; n++) {
        memset(l.rec[n].ctr, 0, sizeof l.rec[n].ctr);
        /* as the drivers do: the end of one operator is the begin of the next */
        for (int t = 0; t < 2; t++) {
            uint64_t now[RG_MAX_CTR] = {0};
            p.read(p.self, t, now);
            for (int c = 0; c < p.n_ctr; c++) l.rec[n].ctr[c] += now[c] - last[t][c];
            memcpy(last[t], now, sizeof now);
        }
    }
    for (int t = 0; t < 2; t++) p.thread_close(p.self, t);
    rg_report *r = build(&m, &i, &u, &l);
    for (int n = 0; n < r->n_rows; n++) {
        assert_int_equal(r->row[n].ctr[0], 20 * r->row[n].calls);
        assert_int_equal(r->row[n].ctr[1], 15 * r->row[n].calls);
    }
    assert_true(isnan(r->phase[0].pmu_bytes)); /* no event that counts bytes */
    rg_report_close(r);
    rg_run_info dram = u;
    dram.ctr_name[1] = "read_bytes";
    r = build(&m, &i, &dram, &l);
    assert_near(r->phase[RG_PREFILL].pmu_bytes, 15 * 33, 1e-9);
    rg_report_close(r);
    rg_log_close(&l);
}

/* Whatever the records say: a bandwidth above the roof carries its mark, and one below does not. */
static void test_served_from_cache(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    const rg_run_info u = fixture_run();
    rg_machine none = m;
    none.n_bw = 0;
    for (int speed = 1; speed <= 4096; speed *= 4) {
        rg_log l;
        int marked = 0, plain = 0;
        fixture_log(&l);
        for (size_t k = 0; k < l.n; k++) l.rec[k].t_ns = 1 + l.rec[k].t_ns / (uint64_t)speed;
        rg_report *r = build(&m, &i, &u, &l);
        for (int k = 0; k < r->n_rows; k++) {
            const rg_row *w = &r->row[k];
            /* 10 GB/s at what a call of the fixture streams */
            const bool above = (double)rg_tally_bytes(&w->counted) / (double)w->t_ns > 1.02 * 10.0;
            assert_int_equal(w->from_cache, above);
            marked += above;
            plain += !above;
        }
        if (speed == 1) assert_true(marked == 0 && plain > 0);
        if (speed == 4096) assert_true(marked > 0);
        char *md = fixture_text(rg_profile_md, (const rg_report *const *)&r, 1),
             *json = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
        assert_int_equal(strstr(json, "\"served_from_cache\": true") != NULL, marked > 0);
        assert_int_equal(strstr(md, "| yes ") != NULL, marked > 0);
        free(md);
        free(json);
        rg_report_close(r);
        r = build(&none, &i, &u, &l); /* without a roof nothing is known */
        json = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
        assert_true(
            strstr(json, "\"served_from_cache\": null") && !strstr(json, "\"served_from_cache\": true"));
        free(json);
        rg_report_close(r);
        rg_log_close(&l);
    }
}

/* Every repetition has the roofs of its time: where both halve, the share stays. None is above one. */
static void test_paired_shares(void **state)
{
    (void)state;
    rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    rg_log l;
    rg_run_info u = fixture_run();
    rg_paired pairs[5];
    fixture_log(&l);
    for (int k = 0; k < 5; k++) {
        const double slow = k == 2 ? 2.0 : 1.0, off = k == 3 ? 1.1 : 1.0;
        pairs[k] =
            (rg_paired){.ns = {1e4 * slow, 1e5 * slow * off}, .read = 1.0 / slow, .compute = 1.0 / slow};
    }
    u.paired = pairs;
    u.repetitions = 5;
    u.canary = (rg_roof_sample){.fma_gflops = 100.0, .l2_gbps = 300.0};
    rg_report *r = build(&m, &i, &u, &l);
    assert_near(r->phase[RG_PREFILL].low, 1.0, 1e-9);
    assert_near(r->phase[RG_PREFILL].high, 1.0, 1e-9);
    assert_near(r->phase[RG_DECODE].low, 1.0 / 1.1, 1e-9);
    rg_reports s = reports_of(r);
    const rg_doc_phase *d = &s.run[0].phase[RG_DECODE];
    assert_near(d->roof_fraction_low, d->roof_fraction / 1.1, 1e-9);
    assert_near(s.run[0].d->machine.canary->l2_gbps, 300.0, 1e-9);
    rg_reports_close(&s);
    rg_report_close(r);
    for (int k = 0; k < m.n_bw; k++) m.bw[k].read_gbps.value *= 1e-5;
    u.paired = NULL;
    r = build(&m, &i, &u, &l);
    s = reports_of(r);
    for (size_t k = 0; k < s.run[0].d->n_ops; k++) {
        const rg_doc_op *o = &s.run[0].d->ops[k];
        if (o->analytic.ideal_ns <= o->t_ns) continue;
        assert_true(isnan(o->roof_fraction));
        assert_non_null(strstr(o->roof_reason, "faster than its roof"));
    }
    assert_true(isnan(s.run[0].phase[RG_DECODE].roof_fraction) && isnan(s.run[0].phase[RG_DECODE].mbu));
    rg_reports_close(&s);
    rg_report_close(r);
    rg_log_close(&l);
}

/* Each kind of disturbance is found and named; a quiet run has none. */
static void test_noise(void **state)
{
    (void)state;
    static const char *const words[] = {NULL, "lie 30.0 % of the median apart",
        "took 10.0 % of the processors' time in decode", "involuntary context switches",
        "clock drifted by 20.0 %", "sampled between repetitions lie 12.0 %", "memory read 40.0 % slower"};
    rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    rg_log l;
    fixture_log(&l);
    for (int what = 0; what < 7; what++) {
        rg_run_info u = fixture_run();
        u.roof_drift = what == 5 ? 0.12 : 0.02;
        m.now.footprint = m.bw[0].footprint_bytes;
        m.now.read = what == 6 ? 0.6 : 0.98;
        m.now.compute = 0.99;
        u.clock_drift = what == 4 ? 0.2 : 0.01;
        u.load[RG_DECODE] = (rg_osload){.all_ticks = 1000,
            .steal_ticks = what == 2 ? 100 : 1,
            .involuntary = what == 3 ? 500 : 1,
            .minor_faults = 77};
        if (what == 1) u.spread[RG_PREFILL] = 0.3;
        if (what == 3) u.stalls[RG_DECODE].ns[RG_SITE_OUTPUT] = 1e9; /* more than all repetitions took */
        rg_report *r = build(&m, &i, &u, &l);
        assert_int_equal(r->noisy, what > 0);
        assert_int_equal(r->evidence.n, what > 0);
        if (what > 0 && !strstr(r->evidence.s[0], words[what])) fail_msg("%s", r->evidence.s[0]);
        /* latencies: the calls in their order, quantiles of them */
        const rg_phase_sum *d = &r->phase[RG_DECODE];
        assert_int_equal(d->calls, 3);
        for (size_t k = 0, n = 0; k < l.n_steps; k++)
            if (l.step[k].phase == RG_DECODE) assert_int_equal(d->call_ns[n++], l.step[k].t_ns);
        assert_true(d->p50_ns <= d->p90_ns && d->p90_ns <= d->p99_ns);
        char *json = fixture_text(fixture_json, (const rg_report *const *)&r, 1),
             *md = fixture_text(rg_profile_md, (const rg_report *const *)&r, 1);
        assert_non_null(strstr(json, "\"minor_faults\": 77"));
        assert_non_null(strstr(md, "77 page faults"));
        assert_int_equal(strstr(json, "\"noisy\": true") != NULL, what > 0);
        assert_int_equal(strstr(md, "**The machine was not quiet:**") != NULL, what > 0);
        assert_int_equal(strstr(md, "loses most in") != NULL, what == 0);
        free(json);
        free(md);
        rg_report_close(r);
    }
    rg_log_close(&l);
}

/* What the verdict says of a phase is what its ideal times say, whichever arithmetic its products use. */
static void test_character(void **state)
{
    (void)state;
    const rg_machine m = fixture_machine();
    rg_report *r = build_default(&m);
    for (int memory = 0; memory < 2; memory++) {
        rg_lines v = {0};
        rg_phase_sum *p = &r->phase[RG_DECODE];
        p->mem_ns = memory ? 3000.0 : 1000.0;
        p->flop_ns = 2000.0;
        rg_reports s = reports_of(r);
        rg_verdict_run(&v, &s.run[0]);
        int said[2] = {0, 0};
        for (int i = 0; i < v.n; i++) {
            if (strncmp(v.s[i], "decode", 6) != 0) continue;
            said[1] +=
                strstr(v.s[i], "below") && strstr(v.s[i], "moving bytes, not arithmetic, sets its roof");
            said[0] += strstr(v.s[i], "above") && strstr(v.s[i], "arithmetic sets its roof");
        }
        assert_int_equal(said[memory], 1);
        assert_int_equal(said[!memory], 0);
        rg_lines_free(&v);
        rg_reports_close(&s);
    }
    rg_report_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ideal), cmocka_unit_test(test_row),
        cmocka_unit_test(test_zero_flop), cmocka_unit_test(test_sums), cmocka_unit_test(test_predicted),
        cmocka_unit_test(test_unknown_roofs), cmocka_unit_test(test_notes),
        cmocka_unit_test(test_served_from_cache), cmocka_unit_test(test_noise),
        cmocka_unit_test(test_paired_shares), cmocka_unit_test(test_character),
        cmocka_unit_test(test_mock_probe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
