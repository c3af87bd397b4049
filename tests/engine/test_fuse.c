/* Fused operators: the same bits as one by one, whatever the kernel, the weights, the tokens and the threads;
 * a row of their own in place of those they stand for; none where something lies between or somebody
 * looks. */
#include "arch_models.h"

#include "base/num.h"

enum { MOST = 70 };
enum { CALLS = 5 };
static const int64_t calls[CALLS] = {MOST, 1, 5, 17, 1};

/* Logits of every token of calls of all widths, one behind the other. */
static void logits_of(const rg_ckpt *c, rg_engine_opts o, rg_session_opts so, float *out)
{
    const int64_t vocab = rg_ckpt_config(c)->vocab;
    int32_t token[MOST];
    rg_err err = {0};
    rg_engine *e = engine_open(c, o);
    so.ctx = 128;
    so.max_logits = MOST;
    rg_session *s = session_open(e, so);
    random_tokens(token, MOST, vocab, 23);
    uint8_t want[MOST];
    memset(want, 1, sizeof want);
    for (int i = 0; i < CALLS; i++) {
        const rg_batch b = {.n = calls[i], .token = token, .want = want};
        if (rg_session_eval(s, &b, calls[i] > 1 ? RG_PREFILL : RG_DECODE, NULL, &err) != RG_OK)
            fail_msg("%s", err.msg);
        memcpy(out, rg_session_logits(s, 0), (size_t)(calls[i] * vocab) * sizeof *out);
        out += calls[i] * vocab;
    }
    rg_session_close(s);
    rg_engine_close(e);
}

/* All fusions, each: every one by itself too, with several numbers of threads. */
static void same_bits(const rg_ckpt *c, rg_engine_opts o, rg_session_opts so, bool each, const char *what)
{
    const int64_t vocab = rg_ckpt_config(c)->vocab;
    int64_t rows = 0;
    for (int i = 0; i < CALLS; i++) rows += calls[i];
    float *apart = must_alloc((size_t)(rows * vocab) * sizeof *apart),
          *fused = must_alloc((size_t)(rows * vocab) * sizeof *fused);
    o.threads = 1;
    logits_of(c, o, so, apart);
    for (int i = each ? 1 : RG_FUSE_COUNT; i <= RG_FUSE_COUNT; i++) {
        char text[64];
        so.fuse = i < RG_FUSE_COUNT ? rg_fuse_bit(i) : rg_fuse_all();
        for (o.threads = 1 + i % 3; o.threads <= 3; o.threads += i < RG_FUSE_COUNT ? 3 : 1) {
            rg_session_opts plain = so;
            plain.fuse = 0;
            /* a BLAS rounds by the sizes it is given, which follow from the number of threads */
            if (o.blas) logits_of(c, o, plain, apart);
            logits_of(c, o, so, fused);
            for (int64_t r = 0; r < rows; r++)
                if (memcmp(apart + r * vocab, fused + r * vocab, (size_t)vocab * sizeof *apart) != 0)
                    fail_msg("%s, %s, %d threads, --fuse %s: row %lld differs (by %g of the range)", what,
                        rg_isa_names[o.isa_cap], o.threads, rg_fuse_text(text, sizeof text, so.fuse),
                        (long long)r, rel_diff_f(fused + r * vocab, apart + r * vocab, vocab));
        }
    }
    free(apart);
    free(fused);
}

static void every_type_and_level(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    for (int isa = 0; isa <= (int)isa_cap(); isa++)
        for (int t = 0; t < RG_WT_COUNT; t++) {
            rg_engine_opts o = test_opts(1);
            o.isa_cap = isa;
            o.dtype = t;
            o.act = rg_wtype_is_quant((rg_wtype)t) ? (rg_act)(t % RG_ACT_COUNT)
                : t % 2                            ? RG_ACT_BF16
                                                   : RG_ACT_F32;
            same_bits(c, o, (rg_session_opts){.kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .unfused = t % 2},
                isa == (int)isa_cap() && t % 3 == 0, rg_wtypes[t].name);
        }
    rg_ckpt_close(c);
}

/* Emulated, so one type of each form of x: planes of bf16, bytes, with and without blocks of columns. */
static void on_tiles(void **state)
{
    (void)state;
    static const int types[] = {RG_WT_F16, RG_WT_BF16, RG_WT_Q4G32, RG_WT_Q4G64M};
    rg_ckpt *c = model_open(ONE, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    for (int t = 0; t < (int)(sizeof types / sizeof *types); t++)
        for (int act = 0; act < RG_ACT_COUNT; act += 1 + t % 2) {
            if (act == RG_ACT_Q8 && !rg_wtype_is_quant((rg_wtype)types[t])) continue;
            rg_engine_opts o = test_opts(1);
            o.isa_cap = RG_ISA_AMXEMU;
            o.dtype = types[t];
            o.act = (rg_act)act;
            same_bits(c, o, (rg_session_opts){.kv_k = RG_KV_F32, .kv_v = RG_KV_F32}, false,
                rg_wtypes[types[t]].name);
        }
    rg_ckpt_close(c);
}

static void every_shape_and_blas(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++)
        for (int blas = 0; blas < 2; blas++) {
            rg_ckpt *c = model_open((shape_id)i, RG_FT_F16, RG_SYNTH_SAFETENSORS);
            rg_engine_opts o = test_opts(1);
            rg_engine *e = NULL;
            o.blas = blas;
            if (rg_engine_open(&e, c, &o, NULL) == RG_OK) { /* a build may have no BLAS */
                rg_engine_close(e);
                same_bits(c, o,
                    (rg_session_opts){.kv_k = RG_KV_F16, .kv_v = RG_KV_F32, .ubatch = i % 2 ? 0 : 23}, !blas,
                    shape_name((shape_id)i));
            }
            rg_ckpt_close(c);
        }
}

/* Gates of GELU, norms between product and sum, heads with norms, parts that do not rotate; test_archs has
 * all of them with F32. */
static void architectures(void **state)
{
    (void)state;
    static const char *const names[] = {"gemma2", "olmo2", "smollm3", "minicpm"};
    static const int types[] = {RG_WT_F16, RG_WT_Q8G32, RG_WT_Q4G64};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rg_ckpt *c = arch_model_open(arch_model_named(names[i]), false);
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            rg_engine_opts o = test_opts(1);
            o.dtype = types[t];
            o.act = t == 1 ? RG_ACT_Q8 : RG_ACT_F32;
            same_bits(c, o, (rg_session_opts){.kv_k = RG_KV_F16, .kv_v = RG_KV_F16}, false, names[i]);
        }
        if (i == 0) { /* the gate meets its product on tiles */
            rg_engine_opts o = test_opts(1);
            o.isa_cap = RG_ISA_AMXEMU;
            same_bits(c, o, (rg_session_opts){.kv_k = RG_KV_F32, .kv_v = RG_KV_F32}, false, names[i]);
        }
        rg_ckpt_close(c);
    }
}

/* ---- rows ---- */

typedef struct setup {
    rg_ckpt *c;
    rg_engine *e;
    rg_session *s;
    rg_log log;
} setup;

static void begin_with(setup *x, rg_ckpt *c, rg_session_opts so)
{
    x->c = c;
    x->e = engine_open(x->c, test_opts(2));
    so.ctx = 64;
    x->s = session_open(x->e, so);
    assert_int_equal(rg_log_open(&x->log, 4, rg_session_ops_per_step(x->s)), 0);
}

static void begin(setup *x, rg_session_opts so)
{
    begin_with(x, model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS), so);
}

static void end(setup *x)
{
    rg_log_close(&x->log);
    rg_session_close(x->s);
    rg_engine_close(x->e);
    rg_ckpt_close(x->c);
}

static void eval(setup *x, int64_t n)
{
    int32_t t[64];
    rg_err err = {0};
    random_tokens(t, n, rg_ckpt_config(x->c)->vocab, 19);
    if (rg_session_eval(x->s, &(rg_batch){.n = n, .token = t}, RG_PREFILL, &x->log, &err) != RG_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(x->log.dropped, 0);
}

/* The sites of a layer as recorded, joined by spaces. */
static void expect_sites(const setup *x, const char *want)
{
    char got[512] = "";
    for (size_t i = 0; i < x->log.n; i++)
        if (x->log.rec[i].layer == 1 && x->log.rec[i].step + 1 == x->log.n_steps)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", got[0] ? " " : "",
                rg_site_name((rg_site)x->log.rec[i].site));
    assert_string_equal(got, want);
}

#define BEFORE "attn_norm attn_q attn_k attn_v attn_rope attn_kv_put attn_core "
static const char apart[] = BEFORE "attn_output attn_add ffn_norm ffn_gate ffn_up ffn_act ffn_down ffn_add";

static void rows_of_their_own(void **state)
{
    (void)state;
    static const struct {
        const char *fuse, *sites;
    } cases[] = {{"none", apart},
        {"act", BEFORE "attn_output attn_add ffn_norm ffn_gate ffn_up_act ffn_down ffn_add"},
        {"add", BEFORE "attn_output_add ffn_norm ffn_gate ffn_up ffn_act ffn_down_add"},
        {"act+add", BEFORE "attn_output_add ffn_norm ffn_gate ffn_up_act ffn_down_add"}, {"norm", apart},
        {"rope",
            "attn_norm attn_q attn_k attn_v attn_rope_kv attn_core attn_output attn_add ffn_norm ffn_gate "
            "ffn_up ffn_act ffn_down ffn_add"},
        {"all",
            "attn_norm attn_q attn_k attn_v attn_rope_kv attn_core attn_output_add ffn_norm ffn_gate "
            "ffn_up_act ffn_down_add"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup x;
        rg_session_opts so = {.kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
        assert_true(rg_fuse_parse(&so.fuse, cases[i].fuse));
        begin(&x, so);
        eval(&x, 12);
        expect_sites(&x, cases[i].sites);
        end(&x);
    }
}

/* What stands between, or rotates otherwise, keeps operators apart. */
static void rows_of_architectures(void **state)
{
    (void)state;
#define PROJECT "attn_q attn_k attn_v "
    static const struct {
        const char *name, *sites; /* with all fusions */
    } cases[] = {
        {"qwen3",
            "attn_norm " PROJECT "attn_q_norm attn_k_norm attn_rope_kv attn_core attn_output_add ffn_norm "
            "ffn_gate ffn_up_act ffn_down_add"},
        {"gemma",
            "attn_norm " PROJECT
            "attn_rope_kv attn_core attn_output_add ffn_norm ffn_gate ffn_up_gelu ffn_down_add"},
        {"gemma2",
            "attn_norm " PROJECT
            "attn_rope_kv attn_core attn_output attn_post_norm attn_add ffn_norm ffn_gate "
            "ffn_up_gelu ffn_down ffn_post_norm ffn_add"},
        {"olmo2",
            PROJECT
            "attn_q_norm attn_k_norm attn_rope_kv attn_core attn_output attn_post_norm attn_add ffn_gate "
            "ffn_up_act ffn_down ffn_post_norm ffn_add"},
        {"smollm3",
            "attn_norm " PROJECT
            "attn_rope attn_kv_put attn_core attn_output_add ffn_norm ffn_gate ffn_up_act "
            "ffn_down_add"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup x;
        begin_with(&x, arch_model_open(arch_model_named(cases[i].name), false),
            (rg_session_opts){.fuse = rg_fuse_all()});
        eval(&x, 12);
        expect_sites(&x, cases[i].sites);
        end(&x);
    }
}

/* Fused operators count what is left: less than the operators apart, never less than what must be moved. */
static void counted_bytes_shrink(void **state)
{
    (void)state;
    static const int64_t tokens[] = {1, 12, 40};
    for (size_t n = 0; n < sizeof tokens / sizeof *tokens; n++) {
        uint64_t act[2] = {0}, flop[2] = {0};
        for (int fused = 0; fused < 2; fused++) {
            setup x;
            begin(&x,
                (rg_session_opts){.kv_k = RG_KV_F16,
                    .kv_v = RG_KV_F16,
                    .fuse = fused ? rg_fuse_with_sites() & rg_fuse_all() : 0});
            eval(&x, tokens[n]);
            for (size_t i = 0; i < x.log.n; i++) {
                const rg_rec *r = &x.log.rec[i];
                const rg_tally a = rg_cost(rg_site_op((rg_site)r->site), &r->dims, (rg_wtype)r->wtype,
                    (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
                if (r->tally.w_rd < a.w_rd || r->tally.act_rd < a.act_rd || r->tally.act_wr < a.act_wr ||
                    r->tally.kv_wr < a.kv_wr || r->tally.flop < a.flop)
                    fail_msg("%s, %lld tokens: counted less than analytic", rg_site_name((rg_site)r->site),
                        (long long)tokens[n]);
                act[fused] += r->tally.act_rd + r->tally.act_wr;
                flop[fused] += r->tally.flop;
            }
            end(&x);
        }
        assert_int_equal(flop[0], flop[1]);
        assert_true(act[1] < act[0]);
    }
}

/* Few tokens: what every thread does for itself counts for each. */
static void norms_of_every_thread(void **state)
{
    (void)state;
    static const int64_t tokens[] = {1, 8, 9};
    for (size_t n = 0; n < sizeof tokens / sizeof *tokens; n++) {
        setup x;
        begin(&x, (rg_session_opts){.kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .fuse = rg_fuse_bit(RG_FUSE_NORM)});
        eval(&x, tokens[n]);
        int seen = 0;
        for (size_t i = 0; i < x.log.n; i++) {
            const rg_rec *r = &x.log.rec[i];
            if (rg_site_op((rg_site)r->site) != RG_OP_RMSNORM) continue;
            const rg_tally a = rg_cost(RG_OP_RMSNORM, &r->dims, RG_WT_COUNT, RG_KV_COUNT, RG_KV_COUNT);
            const uint64_t times = r->dims.m <= 8 ? 2 : 1;
            assert_int_equal(r->tally.flop, times * a.flop);
            assert_int_equal(r->tally.act_rd, times * a.act_rd);
            assert_int_equal(r->tally.act_wr, times * a.act_wr);
            seen++;
        }
        assert_int_equal(seen, 2 * 2 + 1);
        end(&x);
    }
}

/* ---- where none holds ---- */

static unsigned mask_of(const char *text)
{
    unsigned m = 0;
    if (!rg_fuse_parse(&m, text)) fail_msg("'%s' is refused", text);
    return m;
}

static void chains_break(void **state)
{
    (void)state;
    const unsigned all = rg_fuse_all();
    rg_config c = {.layers = 2};
    assert_true(rg_site_runs(&c, RG_SITE_FFN_UP_ACT, all) && !rg_site_runs(&c, RG_SITE_FFN_UP, all) &&
        !rg_site_runs(&c, RG_SITE_FFN_ACT, all));
    assert_true(rg_site_runs(&c, RG_SITE_FFN_GATE, all) && rg_site_runs(&c, RG_SITE_ATTN_Q, all));
    c.extra = rg_site_bit(RG_SITE_FFN_UP_BIAS); /* between product and activation */
    assert_true(!rg_site_runs(&c, RG_SITE_FFN_UP_ACT, all) && rg_site_runs(&c, RG_SITE_FFN_UP, all) &&
        rg_site_runs(&c, RG_SITE_FFN_ACT, all));
    assert_int_equal(rg_fuse_applied(&c, all), all & ~mask_of("act"));
    c.extra = rg_site_bit(RG_SITE_FFN_UP_ORDER); /* before both */
    assert_true(rg_site_runs(&c, RG_SITE_FFN_UP_ACT, all));
    c.extra = rg_site_bit(RG_SITE_ATTN_OUTPUT_BIAS); /* one of two places */
    assert_true(!rg_site_runs(&c, RG_SITE_ATTN_OUTPUT_ADD, all) &&
        rg_site_runs(&c, RG_SITE_ATTN_OUTPUT, all) && rg_site_runs(&c, RG_SITE_FFN_DOWN_ADD, all));
    assert_int_equal(rg_fuse_applied(&c, all), all);
    c.extra = rg_site_bit(RG_SITE_ATTN_OUT_SCALE) | rg_site_bit(RG_SITE_FFN_OUT_SCALE); /* Granite: neither */
    assert_int_equal(rg_fuse_applied(&c, all), all & ~mask_of("add"));
    c.extra = rg_site_bit(RG_SITE_ATTN_POST_NORM); /* one of two places again */
    assert_true(
        !rg_site_runs(&c, RG_SITE_ATTN_OUTPUT_ADD, all) && rg_site_runs(&c, RG_SITE_FFN_DOWN_ADD, all));
    c.extra = rg_site_bit(RG_SITE_FFN_GELU); /* another activation, which has its own */
    assert_true(rg_site_runs(&c, RG_SITE_FFN_UP_GELU, all) && !rg_site_runs(&c, RG_SITE_FFN_UP_ACT, all) &&
        !rg_site_runs(&c, RG_SITE_FFN_GELU, all) && !rg_site_runs(&c, RG_SITE_FFN_ACT, 0));
    c.extra |= rg_site_bit(RG_SITE_FFN_UP_BIAS);
    assert_true(!rg_site_runs(&c, RG_SITE_FFN_UP_GELU, all) && rg_site_runs(&c, RG_SITE_FFN_GELU, all));
    c.extra = 0;
    c.head_dim = 8;
    assert_int_equal(rg_fuse_applied(&c, all), all);
    c.rope_dim = 6; /* a part of a head */
    assert_int_equal(rg_fuse_applied(&c, all), all & ~mask_of("rope"));
    c.rope_dim = 0;
    rg_layer_set(c.unrotated, 1); /* one of two layers */
    assert_int_equal(rg_fuse_applied(&c, all), all & ~mask_of("rope"));
    rg_layer_set(c.unrotated, 0); /* none rotates */
    assert_true(!rg_site_runs(&c, RG_SITE_ATTN_ROPE, all) && !rg_site_runs(&c, RG_SITE_ATTN_ROPE_KV, all) &&
        rg_site_runs(&c, RG_SITE_ATTN_KV_PUT, all));
    c = (rg_config){.layers = 2};
    for (unsigned m = 0; m < 1u << RG_FUSE_COUNT; m++) /* a site and what it stands for never run together */
        assert_true(rg_site_runs(&c, RG_SITE_ATTN_CORE, m) == !rg_site_runs(&c, RG_SITE_ATTN_QK, m));
}

/* Both tables name the same sites as fused ones. */
static void tables_agree(void **state)
{
    bool first;
    (void)state;
    for (int gelu = 0; gelu < 2; gelu++) {
        const rg_config c = {.layers = 2, .extra = gelu ? rg_site_bit(RG_SITE_FFN_GELU) : 0};
        for (rg_site s = 0; s < RG_SITE_COUNT; s++)
            if ((rg_site_only(s) == RG_ONLY_FUSED && rg_site_exists(&c, s)) !=
                (rg_site_fused(&c, s, &first) == s))
                fail_msg("%s: sites.def and fuse.def differ", rg_site_name(s));
    }
}

static int seen_act;
static void look(void *user, const rg_seen *seen)
{
    (void)user;
    seen_act += seen->site == RG_SITE_FFN_ACT || seen->site == RG_SITE_ATTN_ADD;
}

/* Who looks at every operator's output gets every operator. */
static void observers_see_all(void **state)
{
    (void)state;
    setup x;
    begin(&x, (rg_session_opts){.kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .fuse = rg_fuse_all()});
    rg_session_observe(x.s, look, NULL);
    eval(&x, 6);
    expect_sites(&x, apart);
    assert_int_equal(seen_act, 2 * 2);
    rg_session_observe(x.s, NULL, NULL);
    eval(&x, 6);
    for (size_t i = 0; i < x.log.n; i++)
        if (x.log.rec[i].step == 1) assert_int_not_equal(x.log.rec[i].site, RG_SITE_FFN_ACT);
    end(&x);
    begin(&x,
        (rg_session_opts){.kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .fuse = rg_fuse_all(), .check_nan = true});
    eval(&x, 6);
    expect_sites(&x, apart);
    end(&x);
}

static void words_and_masks(void **state)
{
    (void)state;
    char text[64];
    unsigned m;
    for (unsigned i = 0; i < 1u << (RG_FUSE_COUNT - 1); i++)
        assert_int_equal(mask_of(rg_fuse_text(text, sizeof text, i << 1)), i << 1);
    assert_string_equal(rg_fuse_text(text, sizeof text, rg_fuse_bit(RG_FUSE_ATTN)), "none");
    assert_int_equal(mask_of("add+act"), mask_of("act+add"));
    assert_int_equal(mask_of("all"), rg_fuse_all());
    static const char *const wrong[] = {"", "act+", "+act", "act,add", "act+act", "attn", "ALL", "act+none"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (rg_fuse_parse(&m, wrong[i])) fail_msg("'%s' is taken", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_type_and_level), cmocka_unit_test(on_tiles),
        cmocka_unit_test(every_shape_and_blas), cmocka_unit_test(architectures),
        cmocka_unit_test(rows_of_their_own), cmocka_unit_test(rows_of_architectures),
        cmocka_unit_test(counted_bytes_shrink), cmocka_unit_test(norms_of_every_thread),
        cmocka_unit_test(chains_break), cmocka_unit_test(tables_agree), cmocka_unit_test(observers_see_all),
        cmocka_unit_test(words_and_masks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
