/* The exact model of a configuration against the records of the engine that really ran it: the same
 * operators, as often, with the same operations and bytes; and properties that hold whatever the shape. */
#include "arch_models.h"
#include "engine_fixture.h"

#include "roofline/model/exact.h"

typedef struct ran {
    double calls;
    double experts; /* that were read, summed over calls */
    rg_tally t;
} ran;

/* What the engine recorded per phase and site: analytic costs of the dimensions it really used. */
static void run_engine(
    ran out[RG_PHASE_COUNT][RG_SITE_COUNT], const rg_ckpt *c, int dtype, const rg_exact_input *in)
{
    rg_engine_opts eo = test_opts(1);
    eo.dtype = dtype;
    rg_engine *e = engine_open(c, eo);
    rg_session *s = session_open(e,
        (rg_session_opts){.ctx = in->seqlen + 1,
            .n_seq = in->batch,
            .ubatch = in->ubatch,
            .kv_k = in->kv_k,
            .kv_v = in->kv_v,
            .unfused = !in->flash,
            .fuse = in->fuse});
    const int64_t n = in->batch * in->seqlen;
    int32_t token[256], seq[256];
    uint8_t want[256];
    rg_log log;
    rg_err err = {0};
    assert_true(n <= 256);
    random_tokens(token, n, rg_ckpt_config(c)->vocab, 3);
    for (int64_t i = 0; i < n; i++) {
        seq[i] = (int32_t)(i / in->seqlen);
        want[i] = i % in->seqlen == in->seqlen - 1;
    }
    assert_int_equal(rg_log_open(&log, 64, rg_session_ops_per_step(s)), 0);
    if (rg_session_eval(s, &(rg_batch){.n = n, .token = token, .seq = seq, .want = want}, RG_PREFILL, &log,
            &err) != RG_OK)
        fail_msg("%s", err.msg);
    for (int64_t i = 0; i < in->batch; i++) {
        seq[i] = (int32_t)i;
        want[i] = 1;
    }
    if (rg_session_eval(s, &(rg_batch){.n = in->batch, .token = token, .seq = seq, .want = want}, RG_DECODE,
            &log, &err) != RG_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(log.dropped, 0);
    memset(out, 0, RG_PHASE_COUNT * sizeof *out);
    for (size_t i = 0; i < log.n; i++) {
        const rg_rec *r = &log.rec[i];
        const rg_tally t = rg_cost(rg_site_op((rg_site)r->site), &r->dims, (rg_wtype)r->wtype,
            (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
        out[r->phase][r->site].calls++;
        out[r->phase][r->site].experts += (double)r->dims.e;
        rg_tally_add(&out[r->phase][r->site].t, &t);
    }
    rg_log_close(&log);
    rg_session_close(s);
    rg_engine_close(e);
}

/* Experts that were read depend on the tokens: in decode the model is told how many, and must have their
 * bytes; a prompt's lie between those of one token and the most, as their number does. */
static void route(rg_exact_input *in, const rg_config *c, ran out[RG_PHASE_COUNT][RG_SITE_COUNT])
{
    const ran *g = &out[RG_DECODE][RG_SITE_FFN_GATE_EXPS];
    if (c->experts == 0) return;
    in->routing = RG_ROUTING_COUNTED;
    in->counted = g->experts / g->calls;
}

static void equal(const char *where, const char *what, double got, uint64_t want)
{
    if (got != (double)want)
        fail_msg("%s: %s %.17g, the engine's %llu", where, what, got, (unsigned long long)want);
}

/* With every combination of fusions that have sites. */
static void compare(const rg_ckpt *c, const char *name)
{
    static const int dtypes[] = {-1, RG_WT_F16, RG_WT_Q4G64};
    const rg_config *cfg = rg_ckpt_config(c);
    rg_hardware h;
    assert_int_equal(rg_hw_find(&h, "amd_epyc_7763", NULL), RG_OK);
    for (int i = 0; i < 3 << (RG_FUSE_COUNT - 2); i++) {
        const int v = i % 3;
        const rg_engine_opts eo = {.dtype = dtypes[v]};
        rg_exact_input in = {.dtype = rg_resident_type(c, &eo, RG_SITE_ATTN_Q),
            .head = rg_resident_type(c, &eo, RG_SITE_OUTPUT),
            .router = cfg->experts ? rg_resident_type(c, &eo, RG_SITE_FFN_GATE_INP) : RG_WT_F32,
            .expert = cfg->experts ? rg_resident_type(c, &eo, RG_SITE_FFN_GATE_EXPS) : RG_WT_F32,
            .embd_row = rg_ckpt_embd_row(c),
            .kv_k = v == 1 ? RG_KV_F16 : RG_KV_F32,
            .kv_v = RG_KV_F16,
            .batch = 1 + v,
            .seqlen = 19,
            .ubatch = v == 2 ? 512 : 8,
            .tp = 1,
            .flash = v != 1,
            .fuse = (unsigned)(i / 3) << 1};
        static ran want[RG_PHASE_COUNT][RG_SITE_COUNT];
        static rg_cost_result r;
        rg_err err;
        char where[96];
        run_engine(want, c, dtypes[v], &in);
        route(&in, cfg, want);
        if (rg_exact(&r, cfg, &h, &in, &err) != RG_OK) fail_msg("%s", err.msg);
        int seen = 0, ran_sites = 0;
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
            for (int s = 0; s < RG_SITE_COUNT; s++) ran_sites += want[ph][s].calls > 0.0;
        for (int k = 0; k < r.n; k++, seen++) {
            const rg_cost_point *p = &r.op[k];
            const ran *w = &want[p->phase][p->site];
            snprintf(where, sizeof where, "%s, case %d, phase %d, %s", name, i, (int)p->phase, p->name);
            equal(where, "calls", p->calls, (uint64_t)w->calls);
            equal(where, "flop", p->sum.flop, w->t.flop);
            if (!rg_op_of_experts(rg_site_op(p->site)))
                equal(where, "weights", p->sum.w_rd, w->t.w_rd);
            else if (p->phase == RG_DECODE)
                /* a mean of layers is rounded in each */
                assert_true(fabs(p->sum.w_rd - (double)w->t.w_rd) <= 0.5 * w->calls);
            equal(where, "activations read", p->sum.act_rd, w->t.act_rd);
            equal(where, "activations written", p->sum.act_wr, w->t.act_wr);
            equal(where, "kv read", p->sum.kv_rd, w->t.kv_rd);
            equal(where, "kv written", p->sum.kv_wr, w->t.kv_wr);
            assert_true(isfinite(p->sum.time_s) && p->sum.time_s > 0.0);
        }
        if (seen != ran_sites) fail_msg("%s: %d sites, the engine ran %d", name, seen, ran_sites);
    }
}

static void same_as_engine(void **state)
{
    (void)state;
    for (int shape = 0; shape < N_SHAPES; shape++) {
        rg_ckpt *c = model_open((shape_id)shape, RG_FT_F32, RG_SYNTH_SAFETENSORS);
        compare(c, shape_name((shape_id)shape));
        rg_ckpt_close(c);
    }
}

/* Models that are more than a Llama, with windows smaller than a call, than the context, and larger. */
static void architectures_as_engine(void **state)
{
    static const int64_t windows[] = {1, 7, 12, 64};
    (void)state;
    for (const rg_shape *s = rg_shapes; s->name; s++)
        for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
            if (s->config.experts > 0) continue; /* mixtures_as_engine */
            if (strcmp(s->config.arch, "llama") == 0 || (i > 0 && !s->config.window)) continue;
            rg_ckpt *c = arch_open(s, windows[i], RG_SYNTH_SAFETENSORS);
            compare(c, s->name);
            rg_ckpt_close(c);
        }
}

static const arch_model *next_mixture(const arch_model *m)
{
    for (m = m ? m + 1 : arch_models; m < arch_models + n_arch_models; m++)
        if (m->keys.experts > 0) return m;
    return NULL;
}

static void mixtures_as_engine(void **state)
{
    (void)state;
    for (const arch_model *m = NULL; (m = next_mixture(m));) {
        rg_ckpt *c = arch_model_open(m, false);
        compare(c, m->name);
        rg_ckpt_close(c);
    }
}

static void planned(const rg_ckpt *c, const char *name)
{
    const rg_config *cfg = rg_ckpt_config(c);
    const rg_engine_opts eo = {.dtype = RG_WT_Q4G32};
    const rg_exact_input in = {.dtype = RG_WT_Q4G32,
        .head = rg_resident_type(c, &eo, RG_SITE_OUTPUT),
        .router = cfg->experts ? rg_resident_type(c, &eo, RG_SITE_FFN_GATE_INP) : RG_WT_F32,
        .expert = RG_WT_Q4G32,
        .embd_row = rg_ckpt_embd_row(c),
        .kv_k = RG_KV_F16,
        .kv_v = RG_KV_F16,
        .batch = 2,
        .ubatch = 256,
        .tp = 1};
    enum { CTX = 4096 }; /* whole blocks of positions */
    rg_memory_plan plan;
    uint64_t weights;
    assert_int_equal(rg_plan_weights(c, &eo, &weights, NULL), RG_OK);
    /* cache lines and pages of the arena */
    const double w = rg_exact_weights(cfg, &in, false), slack = 64.0 * (double)rg_ckpt_count(c) + 4096.0;
    if (!(w <= (double)weights && (double)weights <= w + slack))
        fail_msg("%s: %.0f bytes, planned %llu", name, w, (unsigned long long)weights);
    assert_true(rg_exact_params(cfg) == (double)rg_ckpt_params(c));
    rg_plan_memory(&plan, cfg, 0, true, 1,
        &(rg_session_opts){.ctx = CTX, .n_seq = 2, .ubatch = 256, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16});
    equal(name, "KV cache in memory", rg_exact_kv(cfg, &in, CTX), plan.kv);
}

static void memory_as_planned(void **state)
{
    (void)state;
    for (int shape = 0; shape < N_SHAPES; shape++) {
        if (shape == WIDE) continue; /* heads of 100 are padded */
        rg_ckpt *c = model_open((shape_id)shape, RG_FT_F32, RG_SYNTH_SAFETENSORS);
        planned(c, shape_name((shape_id)shape));
        rg_ckpt_close(c);
    }
    for (const rg_shape *s = rg_shapes; s->name; s++) {
        if (s->config.experts > 0) continue;
        rg_ckpt *c = arch_open(s, 7, RG_SYNTH_SAFETENSORS);
        planned(c, s->name);
        rg_ckpt_close(c);
    }
    for (const arch_model *m = NULL; (m = next_mixture(m));) {
        rg_ckpt *c = arch_model_open(m, false);
        planned(c, m->name);
        rg_ckpt_close(c);
    }
}

/* On a machine with tiles, the kernel that the engine takes on (emulated) tiles, for every kind of weights
 * and number of tokens; in attention too. */
static void tiles_as_in_the_engine(void **state)
{
    (void)state;
    static const int dtypes[] = {
        RG_WT_F32, RG_WT_F16, RG_WT_BF16, RG_WT_Q8G32, RG_WT_Q4G32, RG_WT_Q4G64M, RG_WT_Q4G128};
    static const int64_t tokens[] = {1, 3, 4, 5, 6, 8, 9, 16, 17, 40};
    rg_hardware h;
    assert_int_equal(rg_hw_find(&h, "amd_epyc_7763", NULL), RG_OK);
    h.peak[RG_ARITH_INT8_DOT] = 1e12;
    h.peak[RG_ARITH_BF16_DOT] = 1e12;
    h.peak[RG_ARITH_AMX_BF16] = 1e13;
    h.peak[RG_ARITH_AMX_INT8] = 2e13;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (int act = 0; act < RG_ACT_COUNT; act++) {
            if (act == RG_ACT_Q8 && !rg_wtype_is_quant((rg_wtype)dtypes[d])) continue;
            rg_engine_opts eo = test_opts(1);
            eo.isa_cap = RG_ISA_AMXEMU;
            eo.dtype = dtypes[d];
            eo.act = (rg_act)act;
            rg_engine *e = engine_open(c, eo);
            rg_session *s = session_open(e, (rg_session_opts){.ctx = 64});
            const rg_exact_act acts[] = {
                [RG_ACT_F32] = RG_EXACT_F32, [RG_ACT_BF16] = RG_EXACT_BF16, [RG_ACT_Q8] = RG_EXACT_Q8};
            const rg_exact_input in = {.dtype = (rg_wtype)dtypes[d],
                .head = RG_WT_F16,
                .embd_row = 4,
                .batch = 1,
                .seqlen = 64,
                .tp = 1,
                .act = acts[act]};
            for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
                int32_t token[40];
                rg_log log;
                rg_err err = {0};
                random_tokens(token, tokens[i], rg_ckpt_config(c)->vocab, 3);
                rg_session_truncate(s, 0, 0);
                assert_int_equal(rg_log_open(&log, 1, rg_session_ops_per_step(s)), 0);
                assert_int_equal(
                    rg_session_eval(s, &(rg_batch){.n = tokens[i], .token = token}, RG_PREFILL, &log, &err),
                    RG_OK);
                for (size_t r = 0; r < log.n; r++) {
                    const rg_site site = (rg_site)log.rec[r].site;
                    if (site != RG_SITE_FFN_UP && site != RG_SITE_ATTN_CORE) continue;
                    rg_exact_seen seen = {0};
                    rg_exact_see(&seen, 0, 0, tokens[i]);
                    const rg_exact_call x =
                        rg_exact_site(rg_ckpt_config(c), &h, &in, site, RG_PREFILL, tokens[i], &seen);
                    const bool tiles =
                        log.rec[r].arith == RG_ARITH_AMX_BF16 || log.rec[r].arith == RG_ARITH_AMX_INT8;
                    const bool expected = x.arith == RG_ARITH_AMX_BF16 || x.arith == RG_ARITH_AMX_INT8;
                    if (site == RG_SITE_ATTN_CORE) assert_true(tiles == (tokens[i] >= 16));
                    if (tiles != expected ||
                        (tiles && (x.arith != log.rec[r].arith || x.kernel != log.rec[r].kernel)))
                        fail_msg("%s --act %s, %lld tokens: the model says %s %s, the engine took %s %s",
                            rg_wtypes[dtypes[d]].name, rg_act_names[act], (long long)tokens[i],
                            rg_kernel_kinds[x.kernel], rg_arith_names[x.arith],
                            rg_kernel_kinds[log.rec[r].kernel], rg_arith_names[log.rec[r].arith]);
                }
                rg_log_close(&log);
            }
            rg_session_close(s);
            rg_engine_close(e);
        }
    rg_ckpt_close(c);
}

static rg_config llama8b(void)
{
    return (rg_config){.dim = 4096,
        .ffn = 14336,
        .layers = 32,
        .heads = 32,
        .kv_heads = 8,
        .head_dim = 128,
        .vocab = 128256,
        .ctx_train = 131072};
}

static rg_exact_input plain(void)
{
    return (rg_exact_input){.dtype = RG_WT_F16,
        .head = RG_WT_F16,
        .embd_row = 8192,
        .kv_k = RG_KV_F16,
        .kv_v = RG_KV_F16,
        .batch = 1,
        .seqlen = 512,
        .tp = 1,
        .flash = true};
}

static void tensor_parallel(void **state)
{
    (void)state;
    rg_hardware h;
    rg_cost_result one, four;
    const rg_config c = llama8b();
    rg_exact_input in = plain();
    assert_int_equal(rg_hw_find(&h, "amd_epyc_9654", NULL), RG_OK);
    assert_int_equal(rg_exact(&one, &c, &h, &in, NULL), RG_OK);
    in.tp = 4;
    assert_int_equal(rg_exact(&four, &c, &h, &in, NULL), RG_OK);
    for (int i = 0; i < one.n; i++) {
        const rg_op op = rg_site_op(one.op[i].site);
        const bool whole = op == RG_OP_RMSNORM || op == RG_OP_ADD || op == RG_OP_EMBED;
        assert_true(four.op[i].sum.flop == one.op[i].sum.flop / (whole ? 1 : 4)); /* attention too */
        assert_true(four.op[i].sum.kv_rd == one.op[i].sum.kv_rd / 4);
    }
    /* two all-reduces a layer of 512 x 4096 floats, each 2 x 3/4 of it, and 3/4 of the logits */
    assert_true(four.allreduce_bytes[RG_PREFILL] == 32.0 * 2 * 2 * 0.75 * 512 * 4096 * 4 + 0.75 * 128256 * 4);
    /* no link: not in the total */
    assert_true(isnan(four.allreduce_s[RG_PREFILL]) && isfinite(four.total[RG_PREFILL].time_s));
    const double without = four.total[RG_PREFILL].time_s;
    h.link = 10e9;
    assert_int_equal(rg_exact(&four, &c, &h, &in, NULL), RG_OK);
    assert_true(
        fabs(four.total[RG_PREFILL].time_s - without - four.allreduce_bytes[RG_PREFILL] / 10e9) < 1e-9);
}

static void monotone(void **state)
{
    (void)state;
    rg_hardware h;
    rg_cost_result r;
    rg_cost_sum step;
    const rg_config c = llama8b();
    assert_int_equal(rg_hw_find(&h, "intel_xeon_platinum_8380", NULL), RG_OK);
    double last = INFINITY;
    static const rg_wtype order[] = {
        RG_WT_F32, RG_WT_F16, RG_WT_Q8G32, RG_WT_Q4G32, RG_WT_Q4G64, RG_WT_Q4G128};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) { /* fewer weight bytes, faster decode */
        rg_exact_input in = plain();
        in.dtype = in.head = order[i];
        assert_int_equal(rg_exact(&r, &c, &h, &in, NULL), RG_OK);
        assert_true(r.total[RG_DECODE].time_s < last);
        last = r.total[RG_DECODE].time_s;
        assert_int_equal(rg_exact_decode(&step, &c, &h, &in, in.seqlen, NULL), RG_OK);
        assert_true(step.time_s == last && step.bytes == r.total[RG_DECODE].bytes);
    }
    rg_exact_input in = plain();
    in.flash = false; /* scores and probabilities through memory cost */
    assert_int_equal(rg_exact(&r, &c, &h, &in, NULL), RG_OK);
    const double unfused = r.total[RG_PREFILL].bytes;
    in.flash = true;
    assert_int_equal(rg_exact(&r, &c, &h, &in, NULL), RG_OK);
    assert_true(r.total[RG_PREFILL].bytes < unfused);
    for (int f = 1; f < RG_FUSE_COUNT; f++) { /* and so does what the other fusions save */
        const double apart = r.total[RG_PREFILL].bytes, flop = r.total[RG_PREFILL].flop;
        in.fuse |= rg_fuse_bit(f);
        assert_int_equal(rg_exact(&r, &c, &h, &in, NULL), RG_OK);
        const bool site = rg_fuse_with_sites() & rg_fuse_bit(f);
        assert_true((site ? r.total[RG_PREFILL].bytes < apart : r.total[RG_PREFILL].bytes == apart) &&
            r.total[RG_PREFILL].flop == flop);
    }
    in.tp = 2; /* partial sums meet before the addition */
    assert_true(!(rg_exact_fusions(&c, &in) & rg_fuse_bit(RG_FUSE_ADD)) &&
        (rg_exact_fusions(&c, &in) & rg_fuse_bit(RG_FUSE_ACT)));
}

static void refusals(void **state)
{
    (void)state;
    rg_hardware h;
    rg_cost_result r;
    rg_err err;
    const rg_config c = llama8b();
    assert_int_equal(rg_hw_find(&h, "nvidia_A40", NULL), RG_OK);
    struct {
        int64_t batch, seqlen, tp;
        const char *word;
    } wrong[] = {{0, 1, 1, "--batch"}, {1, 0, 1, "--seqlen"}, {1, 131073, 1, "131072"}, {1, 1, 0, "--tp"},
        {1, 1, 16, "KV heads"}, {1, 1, 3, "32 heads"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rg_exact_input in = plain();
        in.batch = wrong[i].batch;
        in.seqlen = wrong[i].seqlen;
        in.tp = wrong[i].tp;
        assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_E_USAGE);
        if (!strstr(err.msg, wrong[i].word)) fail_msg("'%s' does not say %s", err.msg, wrong[i].word);
    }
    /* a peak that is not known: no time, and no guess */
    rg_exact_input in = plain();
    in.act = RG_EXACT_F32;
    assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_OK);
    assert_true(isnan(r.total[RG_DECODE].time_s));
    in.act = RG_EXACT_F16;
    assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_OK);
    assert_true(isfinite(r.total[RG_DECODE].time_s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_engine),
        cmocka_unit_test(tiles_as_in_the_engine), cmocka_unit_test(memory_as_planned),
        cmocka_unit_test(architectures_as_engine), cmocka_unit_test(mixtures_as_engine),
        cmocka_unit_test(tensor_parallel), cmocka_unit_test(monotone), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
