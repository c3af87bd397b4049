/* Records: one per operator in the order of the pass, with the dimensions of the cost formulas, counted bytes
 * that follow the loops, and times and counters that add up. */
#include "arch_models.h"

#include "base/num.h"

typedef struct setup {
    rg_ckpt *c;
    rg_engine *e;
    rg_session *s;
    const rg_config *cfg;
    rg_log log;
} setup;

static void begin_with(setup *x, rg_ckpt *c, int dtype, int threads, rg_session_opts so, size_t steps)
{
    rg_engine_opts o = test_opts(threads);
    o.dtype = dtype;
    x->c = c;
    x->e = engine_open(x->c, o);
    x->s = session_open(x->e, so);
    x->cfg = rg_ckpt_config(x->c);
    assert_int_equal(rg_log_open(&x->log, steps, rg_session_ops_per_step(x->s)), 0);
}

static void begin(setup *x, shape_id shape, int dtype, int threads, rg_session_opts so, size_t steps)
{
    begin_with(x, model_open(shape, RG_FT_F32, RG_SYNTH_SAFETENSORS), dtype, threads, so, steps);
}

static void end(setup *x)
{
    rg_log_close(&x->log);
    rg_session_close(x->s);
    rg_engine_close(x->e);
    rg_ckpt_close(x->c);
}

static void eval(setup *x, int64_t n, const int32_t *seq, rg_phase phase)
{
    int32_t t[512];
    rg_err err = {0};
    random_tokens(t, n, x->cfg->vocab, 19);
    if (rg_session_eval(x->s, &(rg_batch){.n = n, .token = t, .seq = seq}, phase, &x->log, &err) != RG_OK)
        fail_msg("eval: %s", err.msg);
}

static const rg_site layer_sites[2][17] = {
    {RG_SITE_ATTN_NORM, RG_SITE_ATTN_Q, RG_SITE_ATTN_K, RG_SITE_ATTN_V, RG_SITE_ATTN_ROPE,
        RG_SITE_ATTN_KV_PUT, RG_SITE_ATTN_CORE, RG_SITE_ATTN_OUTPUT, RG_SITE_ATTN_ADD, RG_SITE_FFN_NORM,
        RG_SITE_FFN_GATE, RG_SITE_FFN_UP, RG_SITE_FFN_ACT, RG_SITE_FFN_DOWN, RG_SITE_FFN_ADD},
    {RG_SITE_ATTN_NORM, RG_SITE_ATTN_Q, RG_SITE_ATTN_K, RG_SITE_ATTN_V, RG_SITE_ATTN_ROPE,
        RG_SITE_ATTN_KV_PUT, RG_SITE_ATTN_QK, RG_SITE_ATTN_SOFTMAX, RG_SITE_ATTN_PV, RG_SITE_ATTN_OUTPUT,
        RG_SITE_ATTN_ADD, RG_SITE_FFN_NORM, RG_SITE_FFN_GATE, RG_SITE_FFN_UP, RG_SITE_FFN_ACT,
        RG_SITE_FFN_DOWN, RG_SITE_FFN_ADD},
};

static void one_record_per_operator_in_order(void **state)
{
    (void)state;
    for (int unfused = 0; unfused < 2; unfused++) {
        setup x;
        const size_t n = unfused ? 17 : 15;
        begin(&x, GQA, -1, 2,
            (rg_session_opts){
                .ctx = 64, .ubatch = 10, .kv_k = RG_KV_F16, .kv_v = RG_KV_F32, .unfused = unfused},
            5);
        assert_int_equal(rg_session_ops_per_step(x.s), 3 + 2 * n);
        eval(&x, 25, NULL, RG_PREFILL); /* calls of 10, 10, 5: only the last has logits */
        eval(&x, 1, NULL, RG_DECODE);
        assert_int_equal(x.log.n_steps, 4);
        assert_int_equal(x.log.n, 4 * (1 + 2 * n) + 2 * 2);
        const rg_rec *r = x.log.rec;
        for (uint32_t step = 0; step < 4; step++) {
            static const int64_t tokens[] = {10, 10, 5, 1}, ctx[] = {10, 20, 25, 26};
            const rg_step *s = &x.log.step[step];
            assert_int_equal(s->tokens, tokens[step]);
            assert_int_equal(s->ctx, ctx[step]);
            assert_int_equal(s->logits, step >= 2);
            assert_int_equal(s->phase, step == 3 ? RG_DECODE : RG_PREFILL);
            assert_true(s->start_ns > 0 && s->t_ns > 0);
            for (size_t i = 0; i < 1 + 2 * n + (step >= 2 ? 2u : 0u); i++, r++) {
                const rg_site want = i == 0 ? RG_SITE_TOKEN_EMBD
                    : i <= 2 * n            ? layer_sites[unfused][(i - 1) % n]
                    : i == 2 * n + 1        ? RG_SITE_OUTPUT_NORM
                                            : RG_SITE_OUTPUT;
                const int layer = rg_site_in_layer(want) ? (int)((i - 1) / n) : -1;
                if (r->site != want || r->layer != layer)
                    fail_msg("step %u, record %zu: %s of layer %d, expected %s of %d", step, i,
                        rg_site_name(r->site), r->layer, rg_site_name(want), layer);
                assert_int_equal(r->step, step);
                assert_int_equal(r->phase, s->phase);
                assert_int_equal(r->n_threads, 2);
                /* who waits does so at a barrier that is counted */
                if (r->barriers == 0) assert_int_equal(r->wait_ns, 0);
                if (want == RG_SITE_ATTN_KV_PUT || want == RG_SITE_OUTPUT) assert_int_equal(r->barriers, 1);
                if (want == RG_SITE_ATTN_ROPE) assert_int_equal(r->barriers, 0);
                assert_int_equal(r->dims.m, i > 2 * n ? 1 : tokens[step]);
                assert_true(r->isa <= (uint8_t)isa_cap());
                assert_int_equal(
                    r->wtype == RG_WT_COUNT, rg_site_op(want) != RG_OP_LINEAR && want != RG_SITE_TOKEN_EMBD);
            }
        }
        assert_ptr_equal(r, x.log.rec + x.log.n);
        end(&x);
    }
}

/* The records of a call of one layer, and of what is outside. */
static void expect_records(const setup *x, int layer, const char *want)
{
    char got[512] = "";
    for (size_t i = 0; i < x->log.n; i++)
        if (x->log.rec[i].layer == layer && x->log.rec[i].step + 1 == x->log.n_steps)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", got[0] ? " " : "",
                rg_site_name((rg_site)x->log.rec[i].site));
    if (strcmp(got, want) != 0) fail_msg("layer %d: '%s', expected '%s'", layer, got, want);
}

static void architectures_have_their_operators(void **state)
{
    (void)state;
#define PROJECT "attn_q attn_k attn_v "
#define STORE "attn_rope attn_kv_put attn_core "
    static const struct {
        const char *name, *layer, *outside;
    } all[] = {{"qwen3",
                   "attn_norm " PROJECT "attn_q_norm attn_k_norm " STORE
                   "attn_output attn_add ffn_norm ffn_gate ffn_up ffn_act ffn_down ffn_add",
                   "token_embd output_norm output"},
        {"gemma",
            "attn_norm " PROJECT STORE
            "attn_output attn_add ffn_norm ffn_gate ffn_up ffn_gelu ffn_down ffn_add",
            "token_embd token_scale output_norm output"},
        {"gemma2",
            "attn_norm " PROJECT STORE
            "attn_output attn_post_norm attn_add ffn_norm ffn_gate ffn_up ffn_gelu "
            "ffn_down ffn_post_norm ffn_add",
            "token_embd token_scale output_norm output output_cap"},
        {"olmo2",
            PROJECT
            "attn_q_norm attn_k_norm " STORE
            "attn_output attn_post_norm attn_add ffn_gate ffn_up ffn_act ffn_down ffn_post_norm ffn_add",
            "token_embd output_norm output"},
        {"minicpm",
            "attn_norm " PROJECT STORE "attn_output attn_out_scale attn_add ffn_norm ffn_gate ffn_up ffn_act "
            "ffn_down ffn_out_scale ffn_add",
            "token_embd token_scale output_norm output output_scale"},
        {"smollm3-listed",
            "attn_norm " PROJECT
            "attn_kv_put attn_core attn_output attn_add ffn_norm ffn_gate ffn_up ffn_act ffn_down ffn_add",
            "token_embd output_norm output"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        setup x;
        begin_with(&x, arch_model_open(arch_model_named(all[i].name), false), -1, 2,
            (rg_session_opts){.ctx = 64}, 2);
        eval(&x, 12, NULL, RG_PREFILL);
        eval(&x, 1, NULL, RG_DECODE);
        assert_int_equal(x.log.dropped, 0);
        expect_records(&x, 0, all[i].layer);
        expect_records(&x, -1, all[i].outside);
        for (size_t k = 0; k < x.log.n; k++) { /* heads of one size; the whole of q and k is one of them */
            const rg_rec *r = &x.log.rec[k];
            const bool whole = x.cfg->whole_qk_norm;
            if (rg_site_op((rg_site)r->site) != RG_OP_HEADNORM) continue;
            const int64_t heads = r->site == RG_SITE_ATTN_Q_NORM ? 4 : 2;
            assert_int_equal(r->dims.h, whole ? 1 : heads);
            assert_int_equal(r->dims.k, whole ? heads * 24 : 24);
        }
        end(&x);
    }
}

/* Pairs and positions of each layer are those that its tokens see, and what is read of the cache is near. */
static void layers_count_what_they_see(void **state)
{
    (void)state;
    static const char *const names[] = {"gemma2", "gemma3", "olmo3", "qwen3-window"};
    static const int64_t calls[] = {10, 1, 30, 1, 20};
    enum { CALLS = sizeof calls / sizeof *calls };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int unfused = 0; unfused < 2; unfused++) {
            const arch_model *m = arch_model_named(names[i]);
            setup x;
            int64_t pos = 0, seen = 0;
            begin_with(&x, arch_model_open(m, false), -1, 1,
                (rg_session_opts){.ctx = 128, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .unfused = unfused},
                CALLS);
            for (int k = 0; k < CALLS; pos += calls[k++]) {
                const size_t from = x.log.n;
                eval(&x, calls[k], NULL, RG_PREFILL);
                for (size_t at = from; at < x.log.n; at++) {
                    const rg_rec *r = &x.log.rec[at];
                    const rg_op op = rg_site_op((rg_site)r->site);
                    if (op != RG_OP_ATTN && op != RG_OP_ATTN_QK && op != RG_OP_SOFTMAX && op != RG_OP_ATTN_PV)
                        continue;
                    const int64_t window = m->m.layers[r->layer] == 'w' ? ARCH_WINDOW : 1000;
                    int64_t pairs = 0;
                    for (int64_t p = pos; p < pos + calls[k]; p++) pairs += rg_min(p + 1, window);
                    assert_int_equal(r->dims.pairs, pairs);
                    assert_int_equal(r->dims.ctx, pos + calls[k] - rg_max(0, pos - window + 1));
                    assert_int_equal(r->dims.cap, m->m.attn_cap > 0.0);
                    const rg_tally a =
                        rg_cost(op, &r->dims, RG_WT_COUNT, (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
                    /* blocks of 16 positions are read whole, for every 16 rows of queries anew */
                    const int64_t again = rg_div_up(calls[k], 8), row = 2 * rg_round_up(24, 16) * 4 * 2;
                    if (r->tally.kv_rd < a.kv_rd ||
                        r->tally.kv_rd > (uint64_t)(again * (r->dims.ctx + 2 * RG_KV_BLOCK) * row) ||
                        r->tally.flop < a.flop)
                        fail_msg("%s, %s, %d tokens from %d: counted %llu bytes and %llu FLOP, analytic %llu "
                                 "and %llu",
                            names[i], rg_site_name((rg_site)r->site), (int)calls[k], (int)pos,
                            (unsigned long long)r->tally.kv_rd, (unsigned long long)r->tally.flop,
                            (unsigned long long)a.kv_rd, (unsigned long long)a.flop);
                    seen++;
                }
            }
            assert_int_equal(seen, CALLS * (unfused ? 3 : 1) * x.cfg->layers);
            end(&x);
        }
}

/* In decode on one thread the new operators do just what their formulas ask. */
static void architectures_count_what_the_model_asks(void **state)
{
    (void)state;
    static const char *const names[] = {"qwen3", "gemma2", "olmo2"};
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int fused = 0; fused < 2; fused++) {
            setup x;
            begin_with(&x, arch_model_open(arch_model_named(names[i]), false), -1, 1,
                (rg_session_opts){.ctx = 64, .fuse = fused ? rg_fuse_all() : 0}, 2);
            eval(&x, 1, NULL, RG_DECODE);
            eval(&x, 12, NULL, RG_PREFILL);
            for (size_t k = 0; k < x.log.n; k++) {
                const rg_rec *r = &x.log.rec[k];
                const rg_op op = rg_site_op((rg_site)r->site);
                const rg_tally a = rg_cost(op, &r->dims, (rg_wtype)r->wtype, RG_KV_COUNT, RG_KV_COUNT);
                if (op != RG_OP_HEADNORM && op != RG_OP_GEGLU && op != RG_OP_SOFTCAP &&
                    op != RG_OP_LINEAR_GEGLU)
                    continue;
                seen |= 1u << (op == RG_OP_HEADNORM   ? 0
                                : op == RG_OP_GEGLU   ? 1
                                : op == RG_OP_SOFTCAP ? 2
                                                      : 3);
                /* products are computed with padding rows, their activations without */
                const bool exact = op != RG_OP_LINEAR_GEGLU;
                if (exact
                        ? memcmp(&a, &r->tally, sizeof a) != 0
                        : r->tally.w_rd < a.w_rd || r->tally.act_rd < a.act_rd || r->tally.act_wr < a.act_wr)
                    fail_msg("%s, %s: counted %llu bytes and %llu FLOP, analytic %llu and %llu", names[i],
                        rg_site_name((rg_site)r->site), (unsigned long long)rg_tally_bytes(&r->tally),
                        (unsigned long long)r->tally.flop, (unsigned long long)rg_tally_bytes(&a),
                        (unsigned long long)a.flop);
            }
            end(&x);
        }
    assert_int_equal(seen, 15);
}

/* What a linear operator of one decode step must count: each weight once, with scales and padding rows. */
static void decode_streams_the_packed_bytes(void **state)
{
    (void)state;
    for (int t = 0; t < RG_WT_COUNT; t++)
        for (int threads = 1; threads <= 3; threads += 2)
            for (shape_id shape = GQA; shape <= MQA; shape++) {
                setup x;
                begin(&x, shape, t, threads, (rg_session_opts){.ctx = 16}, 3);
                uint64_t weights = 0;
                for (int i = 0; i < 3; i++) eval(&x, 1, NULL, RG_DECODE);
                for (size_t i = 0; i < x.log.n; i++) {
                    const rg_rec *r = &x.log.rec[i];
                    if (rg_site_op(r->site) != RG_OP_LINEAR) continue;
                    const int64_t n = rg_extent_size(x.cfg, rg_site_rows(r->site)),
                                  k = rg_extent_size(x.cfg, rg_site_cols(r->site));
                    assert_int_equal(r->dims.n, n);
                    assert_int_equal(r->dims.k, k);
                    const bool dot = r->kernel == RG_KK_DOT16;
                    assert_true(dot ? rg_wtype_is_quant(r->wtype) : r->kernel == RG_KK_GEMV);
                    const rg_wtype w =
                        r->site == RG_SITE_OUTPUT && rg_wtype_is_quant(t) ? RG_WT_F16 : (rg_wtype)t;
                    const rg_tally cost = rg_cost(RG_OP_LINEAR, &r->dims, r->wtype, RG_KV_COUNT, RG_KV_COUNT);
                    assert_int_equal(r->wtype, w);
                    /* products in bytes take whole groups; the others leave padding columns out */
                    assert_int_equal(r->tally.w_rd, dot ? (uint64_t)rg_packed_bytes(w, n, k) : cost.w_rd);
                    assert_int_equal(cost.w_rd, rg_panels(n) * rg_panel_needed(w, k));
                    assert_int_equal(r->tally.act_wr, cost.act_wr);
                    assert_int_equal(cost.flop, 2 * n * k);
                    /* padding rows are computed; with byte products, padding columns too, twice, and each
                     * group ends in a few operations */
                    const int64_t rows = rg_round_up(n, RG_PANEL), group = rg_wtypes[w].group,
                                  kp = rg_round_up(k, group);
                    assert_int_equal(r->tally.flop,
                        dot ? rows * kp / group * (rg_wtypes[w].has_min ? 6 : 4) : 2 * rows * k);
                    assert_int_equal(r->tally.iop, dot ? 4 * rows * kp : 0);
                    assert_int_equal(r->tally.kv_rd + r->tally.kv_wr, 0);
                    /* x is read by every thread that has rows */
                    const int64_t busy = rg_min(threads, rg_panels(n));
                    assert_int_equal(r->tally.act_rd, 4 * k * busy);
                    if (r->step == 0) weights += (uint64_t)rg_packed_bytes(w, n, k);
                }
                rg_engine_info info;
                rg_engine_get_info(x.e, &info);
                /* a step streams what the engine says, but for norms and alignment */
                assert_true(weights <= info.stream_bytes &&
                    weights + (uint64_t)(5 * x.cfg->dim * 4 + 20 * 64) >= info.stream_bytes);
                end(&x);
            }
}

/* In decode the loops do just what the formulas ask, except where the comments say more. */
static void decode_counts_what_the_model_asks(void **state)
{
    (void)state;
    for (int unfused = 0; unfused < 2; unfused++) {
        setup x;
        begin(&x, MHA, RG_WT_F16, 1,
            (rg_session_opts){.ctx = 512, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .unfused = unfused}, 8);
        eval(&x, 300, NULL, RG_PREFILL);
        rg_log_clear(&x.log);
        eval(&x, 1, NULL, RG_DECODE);
        for (size_t i = 0; i < x.log.n; i++) {
            const rg_rec *r = &x.log.rec[i];
            const rg_op op = rg_site_op(r->site);
            const rg_tally a = rg_cost(op, &r->dims, r->wtype, r->kv_k, r->kv_v);
            const char *name = rg_site_name(r->site);
            if (op == RG_OP_ATTN || op == RG_OP_ATTN_QK || op == RG_OP_ATTN_PV || op == RG_OP_SOFTMAX) {
                assert_int_equal(r->dims.pairs, 301);
                assert_int_equal(r->dims.ctx, 301);
                assert_int_equal(r->dims.h, 2);
                assert_int_equal(r->dims.g, 2);
                assert_int_equal(r->dims.hd, 64);
            }
            if (op == RG_OP_SOFTMAX) { /* the division is a second pass over the row */
                assert_int_equal(r->tally.act_rd, 2 * a.act_rd);
                assert_int_equal(r->tally.act_wr, 2 * a.act_wr);
                assert_int_equal(r->tally.flop, a.flop);
                continue;
            }
            if (op == RG_OP_EMBED) { /* one row of a panel touches all of its lines */
                assert_int_equal(r->tally.w_rd, 32 * a.w_rd);
                assert_int_equal(r->tally.act_wr, a.act_wr);
                continue;
            }
            if (r->tally.w_rd != a.w_rd || r->tally.act_rd != a.act_rd || r->tally.act_wr != a.act_wr ||
                r->tally.kv_rd != a.kv_rd || r->tally.kv_wr != a.kv_wr || r->tally.flop != a.flop ||
                r->tally.iop != a.iop)
                fail_msg("%s: counted w %llu act %llu/%llu kv %llu/%llu flop %llu, analytic w %llu act "
                         "%llu/%llu kv %llu/%llu flop %llu",
                    name, (unsigned long long)r->tally.w_rd, (unsigned long long)r->tally.act_rd,
                    (unsigned long long)r->tally.act_wr, (unsigned long long)r->tally.kv_rd,
                    (unsigned long long)r->tally.kv_wr, (unsigned long long)r->tally.flop,
                    (unsigned long long)a.w_rd, (unsigned long long)a.act_rd, (unsigned long long)a.act_wr,
                    (unsigned long long)a.kv_rd, (unsigned long long)a.kv_wr, (unsigned long long)a.flop);
        }
        end(&x);
    }
}

/* Counted is never less than what must be moved, whatever the widths and the threads. */
static void counted_is_at_least_analytic(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 8, 9, 16, 17, 100};
    for (shape_id shape = 0; shape < N_SHAPES; shape++)
        for (int unfused = 0; unfused < 2; unfused++) {
            setup x;
            begin(&x, shape, RG_WT_Q4G32M, 3,
                (rg_session_opts){.ctx = 512,
                    .kv_k = RG_KV_F16,
                    .kv_v = RG_KV_F16,
                    .unfused = unfused,
                    .fuse = shape % 2 ? rg_fuse_all() : 0},
                8);
            int64_t pos = 0;
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                const size_t first = x.log.n;
                eval(&x, widths[w], NULL, RG_PREFILL);
                int64_t pairs = 0;
                for (int64_t i = 0; i < widths[w]; i++) pairs += pos + i + 1;
                pos += widths[w];
                for (size_t i = first; i < x.log.n; i++) {
                    const rg_rec *r = &x.log.rec[i];
                    const rg_tally a = rg_cost(rg_site_op(r->site), &r->dims, r->wtype, r->kv_k, r->kv_v);
                    /* x comes as two bytes, not four */
                    const bool prepared =
                        r->kernel == RG_KK_MMDOT16 || (r->kernel == RG_KK_DOT16 && widths[w] > 8);
                    if (r->dims.pairs) {
                        assert_int_equal(r->dims.pairs, pairs);
                        assert_int_equal(r->dims.ctx, pos);
                    }
                    if (r->tally.w_rd < a.w_rd || r->tally.act_rd * (prepared ? 2 : 1) < a.act_rd ||
                        r->tally.act_wr < a.act_wr || r->tally.kv_rd < a.kv_rd || r->tally.kv_wr < a.kv_wr ||
                        r->tally.flop + r->tally.iop < a.flop)
                        fail_msg("%s, %s, %lld tokens: counted less than analytic", shape_name(shape),
                            rg_site_name(r->site), (long long)widths[w]);
                }
            }
            end(&x);
        }
}

/* Batched decode: pairs and cached positions are sums over the sequences. */
static void batches_add_up(void **state)
{
    (void)state;
    setup x;
    begin(&x, GQA, -1, 2, (rg_session_opts){.ctx = 64, .n_seq = 3}, 4);
    eval(&x, 10, (const int32_t[10]){0}, RG_PREFILL);
    eval(&x, 4, (const int32_t[4]){2, 2, 2, 2}, RG_PREFILL);
    rg_log_clear(&x.log);
    eval(&x, 3, (const int32_t[]){2, 1, 0}, RG_DECODE);
    int seen = 0;
    for (size_t i = 0; i < x.log.n; i++)
        if (x.log.rec[i].site == RG_SITE_ATTN_CORE) {
            assert_int_equal(x.log.rec[i].dims.m, 3);
            assert_int_equal(x.log.rec[i].dims.pairs, 5 + 1 + 11);
            assert_int_equal(x.log.rec[i].dims.ctx, 5 + 1 + 11);
            seen++;
        }
    assert_int_equal(seen, 2);
    assert_int_equal(x.log.step[0].ctx, 11);
    end(&x);
}

static void times_add_up(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        setup x;
        begin(&x, MHA, -1, threads, (rg_session_opts){.ctx = 512}, 40);
        eval(&x, 200, NULL, RG_PREFILL);
        for (int i = 0; i < 39; i++) eval(&x, 1, NULL, RG_DECODE);
        uint64_t ops[40] = {0};
        for (size_t i = 0; i < x.log.n; i++) {
            const rg_rec *r = &x.log.rec[i];
            ops[r->step] += r->t_ns;
            if (threads == 1) assert_true(r->wait_ns <= r->t_ns);
        }
        for (int i = 0; i < 40; i++) {
            assert_true(ops[i] > 0 && ops[i] <= x.log.step[i].t_ns);
            if (i) assert_true(x.log.step[i].start_ns >= x.log.step[i - 1].start_ns + x.log.step[i - 1].t_ns);
        }
        end(&x);
    }
}

/* A short log counts what it could not take, and never holds half a call. */
static void short_logs_say_so(void **state)
{
    (void)state;
    setup x;
    begin(&x, GQA, -1, 2, (rg_session_opts){.ctx = 64}, 2);
    const size_t ops = rg_session_ops_per_step(x.s);
    for (int i = 0; i < 5; i++) eval(&x, 1, NULL, RG_DECODE);
    assert_int_equal(x.log.n_steps, 2);
    assert_int_equal(x.log.n, 2 * ops);
    assert_int_equal(x.log.dropped, 3 * ops);
    assert_int_equal(rg_session_length(x.s, 0), 5);
    rg_log_clear(&x.log);
    assert_int_equal(x.log.n + x.log.n_steps + x.log.dropped, 0);
    rg_log none;
    assert_int_equal(rg_log_open(&none, SIZE_MAX, 2), -1);
    rg_log_close(&none);
    end(&x);
}

/* ---- the probe ---- */

/* Counters that advance by known amounts: 0 by 1 + tid per reading, 1 by 1000. The last thread may refuse to
 * open. */
typedef struct mock {
    int opened[8], closed[8], reads[8];
    int refuse;
} mock;

static int mock_open(void *self, int tid)
{
    mock *m = self;
    m->opened[tid]++;
    return tid == m->refuse ? -1 : 0;
}
static void mock_close(void *self, int tid) { ((mock *)self)->closed[tid]++; }
static void mock_read(void *self, int tid, uint64_t *ctr)
{
    mock *m = self;
    const uint64_t n = (uint64_t)++m->reads[tid];
    ctr[0] = n * (uint64_t)(1 + tid);
    ctr[1] = n * 1000;
}

static void counters_are_summed_over_threads(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        setup x;
        mock m = {.refuse = -1};
        const rg_probe p = {
            .self = &m, .n_ctr = 2, .thread_open = mock_open, .read = mock_read, .thread_close = mock_close};
        begin(&x, GQA, -1, threads, (rg_session_opts){.ctx = 64}, 3);
        rg_engine_set_probe(x.e, &p);
        for (int t = 0; t < threads; t++) assert_int_equal(m.opened[t], 1);
        eval(&x, 12, NULL, RG_PREFILL);
        eval(&x, 1, NULL, RG_DECODE);
        for (size_t i = 0; i < x.log.n; i++) {
            /* each operator is one reading of each thread */
            assert_int_equal(x.log.rec[i].ctr[0], threads * (threads + 1) / 2);
            assert_int_equal(x.log.rec[i].ctr[1], 1000 * threads);
            for (int c = 2; c < RG_MAX_CTR; c++) assert_int_equal(x.log.rec[i].ctr[c], 0);
        }
        for (int t = 0; t < threads; t++) {
            assert_int_equal(m.opened[t], 1); /* event sets belong to threads: opened once, whatever is run */
            assert_int_equal(m.closed[t], 0);
            assert_int_equal(m.reads[t], x.log.n + 2); /* one more at the begin of each call */
        }
        rg_engine_set_probe(x.e, NULL);
        for (int t = 0; t < threads; t++) assert_int_equal(m.closed[t], 1);
        const int reads = m.reads[0];
        rg_log_clear(&x.log);
        eval(&x, 1, NULL, RG_DECODE);
        assert_int_equal(m.reads[0], reads);
        assert_int_equal(x.log.rec[0].ctr[0], 0);
        end(&x);
    }
}

/* Counters by layer: one read where a layer ends covers its operators; the groups that begin() names are in
 * the mask. */
static uint32_t mock_begin(void *self, int tid) { return ((mock *)self)->opened[tid] ? 2 : 0; }
static void counters_by_layer(void **state)
{
    (void)state;
    setup x;
    mock m = {.refuse = -1};
    const rg_probe p = {.self = &m,
        .n_ctr = 2,
        .by_layer = true,
        .thread_open = mock_open,
        .begin = mock_begin,
        .read = mock_read,
        .thread_close = mock_close};
    begin(&x, GQA, -1, 2, (rg_session_opts){.ctx = 64}, 3);
    rg_engine_set_probe(x.e, &p);
    eval(&x, 1, NULL, RG_DECODE);
    rg_engine_info info;
    rg_engine_get_info(x.e, &info);
    const int parts = (int)info.config->layers + 2; /* embedding, layers, output */
    int reads = 0;
    size_t covered = 0;
    for (size_t i = 0; i < x.log.n; i++) {
        const rg_rec *r = &x.log.rec[i];
        if (r->ctr_span == 0) {
            assert_int_equal(r->ctr_mask, 0);
            assert_int_equal(r->ctr[1], 0);
            continue;
        }
        reads++;
        covered += r->ctr_span;
        assert_int_equal(covered, i + 1); /* every record is covered once */
        assert_int_equal(r->ctr_mask, 2);
        assert_int_equal(r->ctr[0], 0); /* not of this call's group */
        assert_int_equal(r->ctr[1], 2 * 1000);
        assert_true(i + 1 == x.log.n || x.log.rec[i + 1].layer != r->layer);
    }
    assert_int_equal(reads, parts);
    assert_int_equal(m.reads[1], parts + 1);
    end(&x);
}

static void engines_close_their_probe(void **state)
{
    (void)state;
    setup x;
    mock m = {.refuse = 1};
    const rg_probe p = {
        .self = &m, .n_ctr = 2, .thread_open = mock_open, .read = mock_read, .thread_close = mock_close};
    begin(&x, GQA, -1, 2, (rg_session_opts){.ctx = 64}, 3);
    rg_engine_set_probe(x.e, &p);
    eval(&x, 1, NULL, RG_DECODE);
    assert_int_equal(m.reads[1], 0); /* a thread whose counters did not open is not read, and not closed */
    end(&x);
    assert_int_equal(m.closed[0], 1);
    assert_int_equal(m.closed[1], 0);
}

/* ---- the tables ---- */

/* Formulas against loops that count one by one. */
static void formulas_equal_naive_counting(void **state)
{
    (void)state;
    enum { M = 3, K = 5, NN = 7, H = 4, G = 2, HD = 6, POS = 9 };
    const rg_dims lin = {.m = M, .k = K, .n = NN};
    uint64_t flop = 0;
    for (int m = 0; m < M; m++)
        for (int n = 0; n < NN; n++)
            for (int k = 0; k < K; k++) flop += 2;
    rg_tally t = rg_cost(RG_OP_LINEAR, &lin, RG_WT_F32, RG_KV_COUNT, RG_KV_COUNT);
    assert_int_equal(t.flop, flop);
    assert_int_equal(t.w_rd, 32 * K * 4);
    assert_int_equal(t.act_rd, M * K * 4);
    assert_int_equal(t.act_wr, M * NN * 4);
    rg_dims at = {.m = M, .h = H, .g = G, .hd = HD, .ctx = POS + M};
    uint64_t qk = 0, soft = 0, pv = 0;
    for (int m = 0; m < M; m++)
        for (int h = 0; h < H; h++)
            for (int p = 0; p <= POS + m; p++) {
                at.pairs += h == 0;
                qk += 2 * HD;
                pv += 2 * HD;
                soft += 5; /* max, subtract, exp, add, divide */
            }
    t = rg_cost(RG_OP_ATTN, &at, RG_WT_COUNT, RG_KV_F16, RG_KV_F32);
    assert_int_equal(t.flop, qk + soft + pv);
    assert_int_equal(rg_cost(RG_OP_ATTN_QK, &at, RG_WT_COUNT, RG_KV_F16, RG_KV_COUNT).flop, qk);
    assert_int_equal(rg_cost(RG_OP_SOFTMAX, &at, RG_WT_COUNT, RG_KV_COUNT, RG_KV_COUNT).flop, soft);
    assert_int_equal(rg_cost(RG_OP_ATTN_PV, &at, RG_WT_COUNT, RG_KV_COUNT, RG_KV_F32).flop, pv);
    assert_int_equal(t.kv_rd, (POS + M) * G * (HD * 2 + 16 * 4)); /* values are padded to 16 */
    assert_int_equal(t.act_rd + t.act_wr, 2 * M * H * HD * 4);
    t = rg_cost(RG_OP_KV_PUT, &at, RG_WT_COUNT, RG_KV_F16, RG_KV_F32);
    assert_int_equal(t.kv_wr, M * G * (HD * 2 + 16 * 4));
    assert_int_equal(rg_cost(RG_OP_ADD, &lin, RG_WT_COUNT, RG_KV_COUNT, RG_KV_COUNT).flop, M * K);
    const rg_dims row = {.m = M, .k = K, .w_row = 11};
    assert_int_equal(rg_cost(RG_OP_EMBED, &row, RG_WT_COUNT, RG_KV_COUNT, RG_KV_COUNT).w_rd, 33);
    assert_int_equal(rg_tally_bytes(&(rg_tally){1, 2, 3, 4, 5, 60, 70}), 15);
}

static void names_are_one(void **state)
{
    (void)state;
    for (int a = 0; a < RG_SITE_COUNT; a++) {
        assert_true(strlen(rg_site_name(a)) > 0 && rg_site_op(a) < RG_OP_COUNT);
        for (int b = 0; b < a; b++) assert_string_not_equal(rg_site_name(a), rg_site_name(b));
    }
    for (int a = 0; a < RG_OP_COUNT; a++)
        for (int b = 0; b < a; b++) assert_string_not_equal(rg_op_name(a), rg_op_name(b));
    for (int k = 0; k < RG_KK_COUNT; k++) assert_non_null(rg_kernel_kinds[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_record_per_operator_in_order),
        cmocka_unit_test(architectures_have_their_operators), cmocka_unit_test(layers_count_what_they_see),
        cmocka_unit_test(architectures_count_what_the_model_asks),
        cmocka_unit_test(decode_streams_the_packed_bytes),
        cmocka_unit_test(decode_counts_what_the_model_asks), cmocka_unit_test(counted_is_at_least_analytic),
        cmocka_unit_test(batches_add_up), cmocka_unit_test(times_add_up), cmocka_unit_test(short_logs_say_so),
        cmocka_unit_test(counters_are_summed_over_threads), cmocka_unit_test(counters_by_layer),
        cmocka_unit_test(engines_close_their_probe), cmocka_unit_test(formulas_equal_naive_counting),
        cmocka_unit_test(names_are_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
