/* The machine and the log on paper that reports are tested with. */
#include "roof_fixture.h"

#include "testing.h"

rg_machine fixture_machine(void)
{
    rg_machine m = {.cpu = "Paper CPU",
        .source = "measured",
        .measured_at = "2026-01-01T00:00:00Z",
        .cores = 2,
        .threads = 2,
        .memory_bytes = INT64_C(8) << 30,
        .isa_best = RG_ISA_AVX512,
        .n_bw = 2,
        .barrier_ns = {500.0, 0.01}};
    m.bw[0] = (rg_bw_point){.footprint_bytes = 1 << 20, .read_gbps = {100.0, 0.02}};
    m.bw[1] = (rg_bw_point){.footprint_bytes = 1 << 30, .read_gbps = {10.0, 0.03}};
    m.peak[RG_PEAK_FP32_C] = (rg_measured){10.0, 0.01};
    m.peak[RG_PEAK_FP32_AVX2] = (rg_measured){100.0, 0.01};
    m.peak[RG_PEAK_FP32_AVX512] = (rg_measured){200.0, 0.01};
    return m;
}

rg_model_info fixture_model(void)
{
    rg_model_info m = {.path = "dir/model",
        .format = "safetensors",
        .dtype = "q4g64",
        .head_dtype = "f16",
        .params = 100000,
        .file_bytes = 200000,
        .resident_bytes = 60000,
        .stream_bytes = INT64_C(1) << 30,
        .kv_bytes = 8192,
        .scratch_bytes = 4096,
        .bits_file = 16.0,
        .bits_resident = 4.5,
        .kv_k = RG_KV_F16,
        .kv_v = RG_KV_F16,
        .ctx = 32};
    m.config = (rg_config){.arch = "llama",
        .name = "paper",
        .dim = 64,
        .ffn = 128,
        .layers = 2,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 16,
        .vocab = 96,
        .ctx_train = 64};
    return m;
}

rg_run_info fixture_run(void)
{
    static const int cpus[2] = {0, 1};
    return (rg_run_info){.command = "ridge profile",
        .started = 1767225600,
        .threads = 2,
        .cpus = cpus,
        .pinning = "2 threads on cores 0, 1",
        .isa = RG_ISA_AVX512,
        .blas = "off",
        .flash = true,
        .prompt_tokens = 8,
        .gen_tokens = 3,
        .ubatch = 512,
        .repetitions = 3,
        .pmu_status = "software",
        .pmu_reason = "no hardware counters: it is paper",
        .has_socket = true,
        .socket = {{1.5e6, 2.5e5, 0.5, NAN}, {3e6, 5e5, 1.5, NAN}},
        .pmu_mode = "op",
        .pmu_groups = 1,
        .pmu_share = 0.01,
        .probe_ns = 400.0,
        .n_ctr = 2,
        .ctr_name = {"task_clock_ns", "page_faults"},
        .load_ns = 1000000};
}

static rg_dims dims_of(const rg_config *c, rg_site s, int64_t m, int64_t pos)
{
    const int64_t pairs = m * pos + m * (m + 1) / 2, ctx = pos + m;
    rg_dims d = {.m = s == RG_SITE_FFN_ACT_EXPS ? rg_expert_rows(c, m) : m,
        .k = rg_extent_size(c, rg_site_cols(s)),
        .n = rg_extent_size(c, rg_site_rows(s)),
        .h = 4,
        .g = 2,
        .hd = 16,
        .pairs = pairs,
        .ctx = ctx};
    return d;
}

/* In the first layer all tokens go to the same experts, in the second to others each. */
static void route(rg_rec *r, const rg_config *c)
{
    const rg_op op = rg_site_op((rg_site)r->site);
    const int64_t pairs = rg_expert_rows(c, r->dims.m);
    if (op == RG_OP_TOPK || rg_op_of_experts(op)) r->dims.u = c->experts_used;
    if (!rg_op_of_experts(op)) return;
    r->dims.e = r->layer == 0 ? c->experts_used : rg_min(c->experts, pairs);
    r->most = r->layer == 0 ? r->dims.m : (pairs + c->experts - 1) / c->experts;
}

static void call(rg_log *log, const rg_config *c, rg_phase ph, int64_t m, int64_t pos)
{
    uint64_t sum = 0;
    for (int layer = -1; layer < 2; layer++)
        for (int s = 0; s < RG_SITE_COUNT; s++) {
            if (rg_site_in_layer((rg_site)s) != (layer >= 0)) continue;
            if (!rg_site_runs(c, (rg_site)s, rg_fuse_bit(RG_FUSE_ATTN))) continue;
            const rg_op op = rg_site_op((rg_site)s);
            const bool product = rg_op_is_product(op), linear = product || op == RG_OP_EMBED,
                       kv = op == RG_OP_ATTN || op == RG_OP_KV_PUT;
            rg_rec *r = &log->rec[log->n++];
            assert_true(log->n <= log->cap);
            *r = (rg_rec){.site = (uint8_t)s,
                .phase = (uint8_t)ph,
                .wtype =
                    (uint8_t)(linear ? (s == RG_SITE_OUTPUT || op == RG_OP_EMBED ? RG_WT_F16 : RG_WT_Q4G64)
                                     : RG_WT_COUNT),
                .kv_k = (uint8_t)(kv ? RG_KV_F16 : RG_KV_COUNT),
                .kv_v = (uint8_t)(kv ? RG_KV_F16 : RG_KV_COUNT),
                .isa = RG_ISA_AVX512,
                .kernel = (uint8_t)(product ? (m > 4 ? RG_KK_GEMM : RG_KK_GEMV)
                        : op == RG_OP_ATTN  ? RG_KK_ATTN
                                            : RG_KK_ELEM),
                .n_threads = 2,
                .layer = (int16_t)layer,
                .step = (uint32_t)log->n_steps,
                .dims = dims_of(c, (rg_site)s, m, pos)};
            route(r, c);
            r->tally = rg_cost(op, &r->dims, (rg_wtype)r->wtype, (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
            if (op == RG_OP_LINEAR) r->tally.act_rd *= 2; /* both threads read the activations */
            r->t_ns = 2000 + 10 * (uint64_t)s + (s == RG_SITE_FFN_DOWN ? 30000 : 0);
            r->wait_ns = 300;
            r->barriers = 1;
            r->ctr[0] = 2 * r->t_ns;
            r->ctr[1] = 1;
            r->ctr_mask = 3;
            r->ctr_span = 1;
            sum += r->t_ns;
        }
    log->step[log->n_steps++] = (rg_step){.phase = (uint8_t)ph,
        .tokens = m,
        .logits = 1,
        .ctx = pos + m,
        .t_ns = sum + 1000,
        .start_ns = 1000000 * log->n_steps};
}

void fixture_log(rg_log *log)
{
    const rg_config c = fixture_model().config;
    assert_int_equal(rg_log_open(log, 4, 64), 0);
    call(log, &c, RG_PREFILL, 8, 0);
    for (int64_t i = 0; i < 3; i++) call(log, &c, RG_DECODE, 1, 8 + i);
}

rg_model_info fixture_mixture(void)
{
    rg_model_info m = fixture_model();
    snprintf(m.config.name, sizeof m.config.name, "sparse");
    m.config.ffn = 0;
    m.config.experts = 16;
    m.config.experts_used = 2;
    m.config.expert_ffn = 64;
    return m;
}

void fixture_log_of(rg_log *log, const rg_config *c, int64_t batch)
{
    assert_int_equal(rg_log_open(log, 4, 64), 0);
    call(log, c, RG_PREFILL, 8, 0);
    for (int64_t i = 0; i < 3; i++) call(log, c, RG_DECODE, batch, 8 + i);
}

rg_reports fixture_reports(const rg_report *const *r, int n)
{
    rg_reports s = {0};
    rg_doc d;
    rg_err err = {0};
    if (rg_report_doc(&d, r, n, &err) != RG_OK || rg_reports_add(&s, &d, "fixture", &err) != RG_OK)
        fail_msg("%s", err.msg);
    return s;
}

json_t *fixture_run_json(void)
{
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    const rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    fixture_log(&l);
    if (rg_report_build(&r, &m, &i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    char *text = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    free(text);
    rg_report_close(r);
    return j;
}

void fixture_add(rg_reports *s, json_t *run)
{
    rg_doc d;
    rg_err err = {0};
    if (rg_doc_open(&d, run, "edited", &err) != RG_OK || rg_reports_add(s, &d, "edited", &err) != RG_OK)
        fail_msg("%s", err.msg);
    json_decref(run);
}

rg_reports fixture_open(json_t *run)
{
    rg_reports s = {0};
    fixture_add(&s, run);
    return s;
}

char *fixture_show(fixture_view *view, const rg_reports *s)
{
    char *text = NULL;
    size_t len = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    if (view(f, s, &err) != RG_OK) fail_msg("%s", err.msg);
    fclose(f);
    assert_int_equal(strlen(text), len);
    return text;
}

char *fixture_text(fixture_view *view, const rg_report *const *r, int n)
{
    rg_reports s = fixture_reports(r, n);
    char *text = fixture_show(view, &s);
    rg_reports_close(&s);
    return text;
}

rg_status fixture_json(FILE *f, const rg_reports *s, rg_err *err) { return rg_doc_json(f, s->doc, err); }
