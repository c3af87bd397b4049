/* Results do not depend on the number of threads, bit for bit: every resident type, fused and unfused
 * attention, both ways of dealing out attention, every instruction set. */
#include "engine_fixture.h"

#include <sched.h>

#include "base/num.h"
#include "exec/drive.h"

/* Past one attention chunk (256 positions), so that few tasks with a long context are split, and through
 * calls of all widths. */
enum { PREFILL = 261, STEPS = 4, SEQS = 3 };

/* Logits of the last prefill token of three sequences (long, short, tiny), of single decode steps behind the
 * long one, and of batched steps of all three. Returns rows written. */
static int64_t timeline(const rg_ckpt *c, rg_engine_opts o, rg_session_opts so, float *out)
{
    rg_err err = {0};
    const int64_t vocab = rg_ckpt_config(c)->vocab;
    int32_t token[PREFILL + STEPS], seq[SEQS] = {0, 1, 2}, len[SEQS] = {PREFILL, 20, 2};
    random_tokens(token, PREFILL + STEPS, vocab, 11);
    rg_engine *e = engine_open(c, o);
    rg_session *s = session_open(e, so);
    int64_t rows = 0;
    for (int i = 0; i < SEQS; i++) {
        int32_t same[PREFILL];
        for (int t = 0; t < len[i]; t++) same[t] = i;
        if (rg_session_eval(
                s, &(rg_batch){.n = len[i], .token = token, .seq = same}, RG_PREFILL, NULL, &err) != RG_OK)
            fail_msg("%s", err.msg);
        memcpy(out + rows++ * vocab, rg_session_logits(s, 0), (size_t)vocab * sizeof *out);
    }
    for (int t = 0; t < STEPS; t++) {
        const int n = t % 2 ? SEQS : 1;
        const int32_t same[SEQS] = {token[PREFILL + t], token[PREFILL + t], token[PREFILL + t]};
        if (rg_session_eval(s,
                &(rg_batch){.n = n, .token = same, .seq = seq, .want = (const uint8_t[]){1, 1, 1}}, RG_DECODE,
                NULL, &err) != RG_OK)
            fail_msg("%s", err.msg);
        for (int i = 0; i < n; i++)
            memcpy(out + rows++ * vocab, rg_session_logits(s, i), (size_t)vocab * sizeof *out);
    }
    rg_session_close(s);
    rg_engine_close(e);
    return rows;
}

static void same_bits(const rg_ckpt *c, rg_engine_opts o, rg_session_opts so, const char *what)
{
    static const int threads[] = {2, 3, 5};
    const int64_t vocab = rg_ckpt_config(c)->vocab;
    const size_t cap = (size_t)(SEQS + STEPS * SEQS) * (size_t)vocab;
    float *one = must_alloc(cap * sizeof *one), *many = must_alloc(cap * sizeof *many);
    so.n_seq = SEQS;
    so.max_logits = SEQS;
    o.threads = 1;
    const int64_t rows = timeline(c, o, so, one);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        o.threads = threads[i];
        assert_int_equal(timeline(c, o, so, many), rows);
        for (int64_t r = 0; r < rows; r++)
            if (memcmp(one + r * vocab, many + r * vocab, (size_t)vocab * sizeof *one) != 0)
                fail_msg("%s, %s, %s: row %lld of %d threads differs from one thread (by %g of the range)",
                    what, rg_isa_names[o.isa_cap], so.unfused ? "unfused" : "fused", (long long)r, threads[i],
                    rel_diff_f(many + r * vocab, one + r * vocab, vocab));
    }
    free(one);
    free(many);
}

static const rg_session_opts long_session = {.ctx = 320, .ubatch = 128, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};

static void every_type(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)isa_cap(); isa++) {
        rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
        for (int t = 0; t < RG_WT_COUNT; t++) {
            rg_engine_opts o = test_opts(1);
            rg_session_opts so = long_session;
            o.isa_cap = isa;
            o.dtype = t;
            o.quant_head = t % 2;
            so.unfused = t % 3 == 0;
            same_bits(c, o, so, rg_wtypes[t].name);
        }
        rg_ckpt_close(c);
    }
}

static void every_shape(void **state)
{
    (void)state;
    for (shape_id i = 0; i < N_SHAPES; i++)
        for (int unfused = 0; unfused < 2; unfused++) {
            rg_ckpt *c = model_open(i, RG_FT_F16, RG_SYNTH_SAFETENSORS);
            rg_session_opts so = long_session;
            so.unfused = unfused;
            same_bits(c, test_opts(1), so, shape_name(i));
            rg_ckpt_close(c);
        }
}

static void every_cache_type(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(MHA, RG_FT_F16, RG_SYNTH_SAFETENSORS);
    for (int kv = 0; kv < RG_KV_COUNT; kv++)
        for (int unfused = 0; unfused < 2; unfused++) {
            rg_session_opts so = long_session;
            so.kv_k = kv;
            so.kv_v = (kv + 1) % RG_KV_COUNT;
            so.unfused = unfused;
            same_bits(c, test_opts(1), so, rg_kvtypes[kv].name);
        }
    rg_ckpt_close(c);
}

/* A run repeated gives the same bits, pinned or not. */
static void runs_repeat(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(MQA, RG_FT_F16, RG_SYNTH_SAFETENSORS);
    const int64_t vocab = rg_ckpt_config(c)->vocab;
    const size_t cap = (size_t)(SEQS + STEPS * SEQS) * (size_t)vocab;
    float *a = must_alloc(cap * sizeof *a), *b = must_alloc(cap * sizeof *b);
    rg_session_opts so = long_session;
    so.n_seq = so.max_logits = SEQS;
    const int64_t rows = timeline(c, test_opts(2), so, a);
    rg_engine_opts o = test_opts(2);
    for (int i = 0; i < 3; i++) {
        o.no_pin = i < 2;
        timeline(c, o, so, b);
        assert_memory_equal(a, b, (size_t)(rows * vocab) * sizeof *a);
    }
    free(a);
    free(b);
    rg_ckpt_close(c);
}

/* The buffer of prepared activations holds the widest row there is: of any k, form and group. */
static void prepared_rows_fit(void **state)
{
    (void)state;
    for (int64_t k = 1; k < 600; k++)
        for (int t = 0; t < RG_WT_COUNT; t++) {
            if (!rg_wtype_is_quant((rg_wtype)t)) continue;
            assert_true(rg_xq_bytes(3, 5, k) >= 24 * rg_x_bytes(RG_X_I16, k, rg_wtypes[t].group));
            assert_true(rg_xq_bytes(1, 50, k) >= 50 * rg_x_bytes(RG_X_I16, k, rg_wtypes[t].group));
            assert_true(rg_xq_bytes(1, 50, k) >= 50 * rg_x_bytes(RG_X_BF16, k, 0));
        }
}

/* Processors the calling thread may use. */
static int places(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

static void one_step(rg_session *s)
{
    rg_err err = {0};
    rg_session_truncate(s, 0, 0);
    if (rg_session_eval(s, &(rg_batch){.n = 1, .token = (const int32_t[]){1}}, RG_DECODE, NULL, &err) !=
        RG_OK)
        fail_msg("%s", err.msg);
}

/* Engines of one process take turns: each call runs where its own engine was told to, and closing them gives
 * the caller its freedom back. */
static void engines_take_turns(void **state)
{
    (void)state;
    const int all = places();
    rg_ckpt *c = model_open(ONE, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    rg_engine_opts pinned = test_opts(1), loose = test_opts(1), wide = test_opts(2);
    pinned.no_pin = false;
    rg_engine *e[3] = {engine_open(c, pinned), engine_open(c, loose), engine_open(c, wide)};
    rg_session *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = session_open(e[i], (rg_session_opts){.ctx = 8, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32});
    for (int turn = 0; turn < 3; turn++) {
        one_step(s[0]);
        assert_int_equal(places(), 1);
        one_step(s[1 + turn % 2]);
        assert_int_equal(places(), all);
    }
    one_step(s[0]);
    for (int i = 0; i < 3; i++) rg_session_close(s[i]);
    rg_engine_close(e[1]);
    assert_int_equal(places(), 1); /* not the closed one's business */
    rg_engine_close(e[0]);
    rg_engine_close(e[2]);
    assert_int_equal(places(), all);
    rg_ckpt_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_type), cmocka_unit_test(every_shape),
        cmocka_unit_test(every_cache_type), cmocka_unit_test(runs_repeat),
        cmocka_unit_test(prepared_rows_fit), cmocka_unit_test(engines_take_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
