/* Mixtures with planted routers: how many experts each layer of a call reads, the tokens of the busiest one,
 * and the bytes of their weights, against the closed form; the same bits with any number of threads. */
#include <math.h>

#include "engine_fixture.h"
#include "weights/synth.h"

enum { TOKENS = 40 };

/* Plain, and with biases, a clamped gate and MXFP4. */
static const char *const shapes[] = {"olmoe-small", "gpt-oss-small"};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static rg_ckpt *planted(const char *shape, rg_planted kind, rg_config *c)
{
    static char path[512];
    rg_err err = {0};
    rg_shape_config(rg_shape_find(shape), c);
    snprintf(path, sizeof path, "%s/planted-%s-%d.gguf", scratch_dir(), shape, (int)kind);
    if (rg_synth_write_planted(c, kind, RG_FT_F16, RG_SYNTH_GGUF, 5, path, NULL, NULL, NULL, &err))
        fail_msg("%s", err.msg);
    return ckpt_open(path);
}

/* A call of tokens from, from + 1, ... of sequences of their own: what its records say of ffn_gate_exps. */
typedef struct seen {
    int64_t e, most; /* summed over layers */
} seen;

static seen call(rg_engine *e, const rg_config *c, int64_t from, int64_t n)
{
    int32_t token[TOKENS], seq[TOKENS];
    rg_err err = {0};
    rg_log log;
    seen s = {0};
    rg_session *ses = session_open(e, (rg_session_opts){.ctx = 16, .n_seq = TOKENS, .fuse = RG_FUSE_DEFAULT});
    for (int64_t i = 0; i < n; i++) token[i] = (int32_t)(from + i), seq[i] = (int32_t)i;
    assert_int_equal(rg_log_open(&log, 1, rg_session_ops_per_step(ses)), 0);
    if (rg_session_eval(ses, &(rg_batch){.n = n, .token = token, .seq = seq}, RG_DECODE, &log, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(log.dropped, 0);
    for (size_t i = 0; i < log.n; i++) {
        const rg_rec *r = &log.rec[i];
        if (!rg_op_of_experts(rg_site_op(r->site))) continue;
        /* each expert's weights once, and none of those that nobody chose */
        const rg_site bias =
            r->site == RG_SITE_FFN_DOWN_EXPS ? RG_SITE_FFN_DOWN_EXPS_BIAS : RG_SITE_FFN_GATE_EXPS_BIAS;
        const uint64_t one = (uint64_t)rg_packed_bytes((rg_wtype)r->wtype, r->dims.n, r->dims.k) +
            (rg_site_exists(c, bias) ? 4u * (uint64_t)r->dims.n : 0u);
        assert_int_equal(r->dims.m, n);
        assert_int_equal(r->dims.u, c->experts_used);
        if (r->tally.w_rd != (uint64_t)r->dims.e * one)
            fail_msg("%s, %lld tokens: %llu bytes of weights, expected %lld experts of %llu",
                rg_site_name(r->site), (long long)n, (unsigned long long)r->tally.w_rd, (long long)r->dims.e,
                (unsigned long long)one);
        assert_int_equal(
            rg_cost(rg_site_op(r->site), &r->dims, r->wtype, RG_KV_COUNT, RG_KV_COUNT).w_rd, r->tally.w_rd);
        if (r->site == RG_SITE_FFN_GATE_EXPS) s.e += r->dims.e, s.most += r->most;
    }
    rg_log_close(&log);
    rg_session_close(ses);
    return s;
}

static void unions_are_exact(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 8, 33};
    for (int i = 0; i < 2 * SHAPES; i++)
        for (int kind = RG_PLANT_SAME; kind <= RG_PLANT_DISJOINT; kind++) {
            const int dtype = i % 2 ? RG_WT_Q4G64 : -1;
            rg_config c;
            rg_ckpt *ck = planted(shapes[i / 2], (rg_planted)kind, &c);
            for (int threads = 1; threads <= 3; threads++) {
                rg_engine_opts o = test_opts(threads);
                o.dtype = dtype;
                rg_engine *e = engine_open(ck, o);
                for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
                    const int64_t n = sizes[j], k = c.experts_used, groups = c.experts / k;
                    const seen s = call(e, &c, 40, n);
                    const int64_t want = kind == RG_PLANT_SAME ? k : k * rg_min(n, groups),
                                  most = kind == RG_PLANT_SAME ? n : rg_div_up(n, groups);
                    if (s.e != c.layers * want || s.most != c.layers * most)
                        fail_msg(
                            "%s, kind %d, %lld tokens, %d threads: %lld experts, the busiest has %lld tokens "
                            "(sums of %lld layers); expected %lld, %lld",
                            shapes[i / 2], kind, (long long)n, threads, (long long)s.e, (long long)s.most,
                            (long long)c.layers, (long long)(c.layers * want), (long long)(c.layers * most));
                }
                rg_engine_close(e);
            }
            rg_ckpt_close(ck);
        }
}

/* E (1 - (1 - k / E)^B) experts of B tokens; Zipf's tokens agree more often. */
static void unions_by_chance(void **state)
{
    (void)state;
    enum { CALLS = 12, B = 5 };
    double mean[2] = {0};
    rg_config c;
    for (int i = 0; i < 2; i++) {
        rg_ckpt *ck = planted(shapes[0], i ? RG_PLANT_ZIPF : RG_PLANT_UNIFORM, &c);
        rg_engine *e = engine_open(ck, test_opts(2));
        for (int k = 0; k < CALLS; k++)
            mean[i] += (double)call(e, &c, 20 + B * k, B).e / (double)c.layers / CALLS;
        rg_engine_close(e);
        rg_ckpt_close(ck);
    }
    const double E = (double)c.experts, want = E * (1.0 - pow(1.0 - (double)c.experts_used / E, B));
    if (!(fabs(mean[0] - want) < 0.08 * want && mean[1] < 0.9 * mean[0]))
        fail_msg("%.2f experts by uniform routers (expected %.2f), %.2f by Zipf's", mean[0], want, mean[1]);
}

/* Experts are shared by uneven threads, products of few and of many tokens mixed: no bit differs. */
static void same_bits_of(const char *shape)
{
    rg_config c;
    rg_ckpt *ck = planted(shape, RG_PLANT_ZIPF, &c);
    int32_t token[TOKENS];
    for (int i = 0; i < TOKENS; i++) token[i] = 30 + 7 * i;
    for (int dtype = -1; dtype <= (int)RG_WT_Q4G64; dtype += (int)RG_WT_Q4G64 + 1) {
        float *first = must_alloc((size_t)(TOKENS * c.vocab) * sizeof *first),
              *other = must_alloc((size_t)(TOKENS * c.vocab) * sizeof *other);
        for (int threads = 1; threads <= 5; threads++) {
            rg_engine_opts o = test_opts(threads);
            o.dtype = dtype;
            rg_engine *e = engine_open(ck, o);
            rg_session *s =
                session_open(e, (rg_session_opts){.ctx = 64, .max_logits = TOKENS, .fuse = RG_FUSE_DEFAULT});
            eval_all(s, token, TOKENS, TOKENS, c.vocab, threads == 1 ? first : other);
            if (threads > 1 && memcmp(first, other, (size_t)(TOKENS * c.vocab) * sizeof *first) != 0)
                fail_msg("%s, dtype %d: other bits with %d threads", shape, dtype, threads);
            rg_session_close(s);
            rg_engine_close(e);
        }
        free(first);
        free(other);
    }
    rg_ckpt_close(ck);
}

static void same_bits(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i++) same_bits_of(shapes[i]);
}

/* Calls of a few tokens, whose routers have no near ties: logits are those of float64, but for rounding. */
static void logits_of_calls(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 8, 33};
    int32_t token[TOKENS];
    for (int i = 0; i < TOKENS; i++) token[i] = 30 + 7 * i;
    for (int i = 0; i < SHAPES; i++) {
        rg_config c;
        rg_ckpt *ck = planted(shapes[i], RG_PLANT_DISJOINT, &c);
        const int64_t n = TOKENS * c.vocab;
        double *want = must_alloc((size_t)n * sizeof *want);
        float *got = must_alloc((size_t)n * sizeof *got);
        ref_model *r = ref_from_ckpt(ck);
        ref_forward(r, token, TOKENS, want);
        ref_close(r);
        for (int threads = 1; threads <= 3; threads++) {
            rg_engine *e = engine_open(ck, test_opts(threads));
            for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                char what[64];
                rg_session *s = session_open(e,
                    (rg_session_opts){.ctx = 64,
                        .kv_k = RG_KV_F32,
                        .kv_v = RG_KV_F32,
                        .max_logits = TOKENS,
                        .fuse = RG_FUSE_DEFAULT});
                eval_all(s, token, TOKENS, sizes[k], c.vocab, got);
                rg_session_close(s);
                snprintf(what, sizeof what, "%s, calls of %d, %d threads", shapes[i], (int)sizes[k], threads);
                expect_within(rel_diff(got, want, n), 1e-3, "%s", what);
            }
            rg_engine_close(e);
        }
        free(want);
        free(got);
        rg_ckpt_close(ck);
    }
}

/* One expert of another type than the first of its layer: refused, unless all get one. */
static void one_type_of_all(void **state)
{
    (void)state;
    rg_config c;
    rg_err err = {0};
    rg_engine *e;
    char path[512];
    rg_shape_config(rg_shape_find("olmoe-small"), &c);
    snprintf(path, sizeof path, "%s/mixed", scratch_dir());
    if (rg_synth_write(&c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 5, path, NULL, NULL, NULL, &err))
        fail_msg("%s", err.msg);
    rg_ckpt *ck = ckpt_open(path);
    ((rg_ckpt_tensor *)(uintptr_t)rg_ckpt_find_expert(ck, RG_SITE_FFN_UP_EXPS, 2, 7))->type = RG_FT_BF16;
    rg_engine_opts o = test_opts(1);
    assert_int_equal(rg_engine_open(&e, ck, &o, &err), RG_E_UNSUPPORTED);
    assert_non_null(
        strstr(err.msg, "model.layers.2.mlp.experts.7.up_proj.weight becomes bf16, that of expert 0 f16"));
    o.dtype = RG_WT_F32;
    rg_engine_close(engine_open(ck, o));
    rg_ckpt_close(ck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unions_are_exact), cmocka_unit_test(unions_by_chance),
        cmocka_unit_test(same_bits), cmocka_unit_test(logits_of_calls), cmocka_unit_test(one_type_of_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
