/* One code path, however tokens arrive: prefill, decode, chunks, several sequences at once, truncation and a
 * second attempt. Where the same kernels see the same numbers the bits are equal; where tokens move between
 * gemv and gemm the bound is that of f32 sums. */
#include "engine_fixture.h"

#include "base/num.h"

/* CACHE: a sum in another order may round a cached half the other way */
static const double BOUND = 5e-6, CACHE = 2e-4;
/* Of quantised weights: with AVX2, one token meets them in 16 bits and many meet floats, each within the
 * limit of faithful products (3e-4). */
static const double QUANTISED = 5e-4;
enum { N = 90 };

static const rg_session_opts roomy = {
    .ctx = 320, .n_seq = 4, .ubatch = 320, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .max_logits = 320};

typedef struct setup {
    rg_ckpt *c;
    rg_engine *e;
    int64_t vocab;
    int32_t token[N];
    float *whole; /* [N][vocab], from one prefill call */
} setup;

static void begin(setup *s, shape_id shape, int dtype)
{
    rg_engine_opts o = test_opts(2);
    s->c = model_open(shape, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    o.dtype = dtype;
    s->e = engine_open(s->c, o);
    s->vocab = rg_ckpt_config(s->c)->vocab;
    random_tokens(s->token, N, s->vocab, 13);
    s->whole = must_alloc((size_t)(N * s->vocab) * sizeof(float));
    rg_session *x = session_open(s->e, roomy);
    eval_all(x, s->token, N, N, s->vocab, s->whole);
    rg_session_close(x);
}

static void end(setup *s)
{
    free(s->whole);
    rg_engine_close(s->e);
    rg_ckpt_close(s->c);
}

static void eval(rg_session *s, rg_batch b)
{
    rg_err err = {0};
    if (rg_session_eval(s, &b, b.n > 1 ? RG_PREFILL : RG_DECODE, NULL, &err) != RG_OK)
        fail_msg("eval: %s", err.msg);
}

static void prefill_equals_decode(void **state)
{
    (void)state;
    static const shape_id some[] = {GQA, MQA, WIDE};
    for (int t = 0; t < RG_WT_COUNT; t++)
        for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
            setup s;
            begin(&s, some[i], t);
            float *got = must_alloc((size_t)(N * s.vocab) * sizeof *got);
            rg_session *x = session_open(s.e, roomy);
            eval_all(x, s.token, N, 1, s.vocab, got);
            const double bound = rg_wtype_is_quant((rg_wtype)t) ? QUANTISED : CACHE;
            expect_within(rel_diff_f(got, s.whole, N * s.vocab), bound, "decode against prefill, %s, %s",
                shape_name(some[i]), rg_wtypes[t].name);
            rg_session_close(x);
            free(got);
            end(&s);
        }
}

/* With an exact cache nothing but the order of sums differs. */
static void prefill_equals_decode_exactly(void **state)
{
    (void)state;
    setup s;
    begin(&s, GQA, RG_WT_F16);
    float *a = must_alloc((size_t)(N * s.vocab) * sizeof *a),
          *b = must_alloc((size_t)(N * s.vocab) * sizeof *b);
    rg_session_opts so = roomy;
    so.kv_k = so.kv_v = RG_KV_F32;
    rg_session *x = session_open(s.e, so), *y = session_open(s.e, so);
    eval_all(x, s.token, N, N, s.vocab, a);
    eval_all(y, s.token, N, 1, s.vocab, b);
    expect_within(rel_diff_f(b, a, N * s.vocab), float_bound(BOUND), "decode against prefill, f32 cache");
    rg_session_close(x);
    rg_session_close(y);
    free(a);
    free(b);
    end(&s);
}

/* Chunks made by the session (ubatch) and by the caller. */
static void chunks_equal_the_whole(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 3, 7, 64};
    for (int unfused = 0; unfused < 2; unfused++) {
        setup s;
        begin(&s, GQA, -1);
        float *got = must_alloc((size_t)(N * s.vocab) * sizeof *got),
              *cut = must_alloc((size_t)(N * s.vocab) * sizeof *cut);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            rg_session_opts so = roomy;
            so.ubatch = sizes[i];
            so.unfused = unfused;
            rg_session *x = session_open(s.e, so);
            assert_int_equal(rg_session_steps_for(x, N), rg_div_up(N, sizes[i]));
            eval_all(x, s.token, N, N, s.vocab, got);
            assert_int_equal(rg_session_length(x, 0), N);
            expect_within(rel_diff_f(got, s.whole, N * s.vocab), CACHE, "ubatch %lld", (long long)sizes[i]);
            rg_session_close(x);
            x = session_open(s.e, so);
            eval_all(x, s.token, N, sizes[i], s.vocab, cut);
            /* the same calls, cut by the caller */
            assert_memory_equal(cut, got, (size_t)(N * s.vocab) * sizeof *cut);
            rg_session_close(x);
        }
        free(got);
        free(cut);
        end(&s);
    }
}

/* Only the rows asked for are computed, in order, and they are those of a run that asks for all. */
static void wanted_rows(void **state)
{
    (void)state;
    setup s;
    begin(&s, MQA, -1);
    uint8_t want[N] = {0};
    static const int rows[] = {0, 6, 7, 33, 89};
    for (size_t i = 0; i < 5; i++) want[rows[i]] = 1;
    for (int64_t ubatch = 5; ubatch <= 320; ubatch += 315) {
        rg_session_opts so = roomy;
        so.ubatch = ubatch;
        rg_session *x = session_open(s.e, so);
        eval(x, (rg_batch){.n = N, .token = s.token, .want = want});
        for (int i = 0; i < 5; i++)
            expect_within(rel_diff_f(rg_session_logits(x, i), s.whole + rows[i] * s.vocab, s.vocab), CACHE,
                "row %d of ubatch %lld", rows[i], (long long)ubatch);
        rg_session_close(x);
    }
    /* without a list: the last token of the batch */
    rg_session *x = session_open(s.e, roomy);
    eval(x, (rg_batch){.n = N, .token = s.token});
    expect_within(rel_diff_f(rg_session_logits(x, 0), s.whole + (N - 1) * s.vocab, s.vocab),
        float_bound(BOUND), "last row");
    rg_session_close(x);
    end(&s);
}

/* Three sequences: one is prefilled while another is decoded, then all are decoded together. Sequence i holds
 * token[i..]. */
static void sequences_do_not_meet(void **state)
{
    (void)state;
    for (int unfused = 0; unfused < 2; unfused++)
        for (shape_id shape = GQA; shape <= SLICED; shape++) {
            setup s;
            begin(&s, shape, -1);
            rg_session_opts so = roomy;
            so.unfused = unfused;
            rg_session *x = session_open(s.e, so);
            float *alone = must_alloc((size_t)s.vocab * sizeof *alone);
            eval(x, (rg_batch){.n = 10, .token = s.token, .seq = (const int32_t[10]){0}});
            /* decode of 0, prefill of 3 (30 tokens), prefill of 1 (2 tokens) in one call */
            int32_t token[33], seq[33];
            uint8_t want[33] = {0};
            for (int i = 0; i < 33; i++) {
                token[i] = i == 0 ? s.token[10] : i < 31 ? s.token[3 + i - 1] : s.token[1 + i - 31];
                seq[i] = i == 0 ? 0 : i < 31 ? 3 : 1;
            }
            want[0] = want[30] = want[32] = 1;
            eval(x, (rg_batch){.n = 33, .token = token, .seq = seq, .want = want});
            static const int len[] = {11, 2, 0, 30};
            for (int i = 0; i < 4; i++) assert_int_equal(rg_session_length(x, i), len[i]);
            /* one token each, in another order */
            const int32_t next[] = {s.token[33], s.token[11], s.token[3]}, order[] = {3, 0, 1};
            float *mixed = must_alloc((size_t)(3 * s.vocab) * sizeof *mixed);
            memcpy(mixed, rg_session_logits(x, 0), (size_t)(3 * s.vocab) * sizeof *mixed);
            static const int first_of[] = {0, 3, 1}, len_of[] = {11, 30, 2};
            for (int i = 0; i < 3; i++) {
                rg_session *y = session_open(s.e, so);
                eval(y, (rg_batch){.n = len_of[i], .token = s.token + first_of[i]});
                memcpy(alone, rg_session_logits(y, 0), (size_t)s.vocab * sizeof *alone);
                expect_within(rel_diff_f(mixed + i * s.vocab, alone, s.vocab), CACHE,
                    "%s: sequence from token %d in a mixed batch", shape_name(shape), first_of[i]);
                rg_session_close(y);
            }
            eval(x, (rg_batch){.n = 3, .token = next, .seq = order, .want = (const uint8_t[]){1, 1, 1}});
            memcpy(mixed, rg_session_logits(x, 0), (size_t)(3 * s.vocab) * sizeof *mixed);
            for (int i = 0; i < 3; i++) {
                rg_session *y = session_open(s.e, so);
                const int first = order[i];
                eval(y, (rg_batch){.n = len[first], .token = s.token + first});
                eval(y, (rg_batch){.n = 1, .token = next + i});
                expect_within(rel_diff_f(mixed + i * s.vocab, rg_session_logits(y, 0), s.vocab), CACHE,
                    "%s: sequence %d decoded with others", shape_name(shape), first);
                rg_session_close(y);
            }
            free(mixed);
            free(alone);
            rg_session_close(x);
            end(&s);
        }
}

/* Decode of the same sequence gives the same bits alone and beside others: a row does not depend on what it
 * shares a call with. */
static void batched_decode_has_the_same_bits(void **state)
{
    (void)state;
    setup s;
    for (int t = 0; t < RG_WT_COUNT; t++) {
        begin(&s, GQA, t);
        rg_session *x = session_open(s.e, roomy), *y = session_open(s.e, roomy);
        for (int i = 0; i < 12; i++) {
            const int32_t both[] = {s.token[i], s.token[2 * i], s.token[i + 20]};
            eval(x,
                (rg_batch){.n = 3,
                    .token = both,
                    .seq = (const int32_t[]){0, 1, 2},
                    .want = (const uint8_t[]){1, 1, 1}});
            eval(y, (rg_batch){.n = 1, .token = both});
            if (memcmp(rg_session_logits(x, 0), rg_session_logits(y, 0), (size_t)s.vocab * sizeof(float)) !=
                0)
                fail_msg("%s: step %d differs in a batch", rg_wtypes[t].name, i);
        }
        rg_session_close(x);
        rg_session_close(y);
        end(&s);
    }
}

static void fused_equals_unfused(void **state)
{
    (void)state;
    for (shape_id shape = 0; shape < N_SHAPES; shape++) {
        setup s;
        begin(&s, shape, -1);
        float *got = must_alloc((size_t)(N * s.vocab) * sizeof *got);
        rg_session_opts so = roomy;
        so.unfused = true;
        rg_session *x = session_open(s.e, so);
        eval_all(x, s.token, N, N, s.vocab, got);
        expect_within(rel_diff_f(got, s.whole, N * s.vocab), CACHE, "unfused, %s", shape_name(shape));
        rg_session_close(x);
        free(got);
        end(&s);
    }
}

/* What lies beyond is forgotten, also in the middle of a block of 16 cached keys. */
static void truncation_forgets(void **state)
{
    (void)state;
    static const int64_t keep[] = {0, 1, 15, 16, 17, 40};
    for (int unfused = 0; unfused < 2; unfused++)
        for (int by_position = 0; by_position < 2; by_position++)
            for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) {
                setup s;
                begin(&s, GQA, -1);
                rg_session_opts so = roomy;
                so.unfused = unfused;
                rg_session *x = session_open(s.e, so), *y = session_open(s.e, so);
                const int64_t k = keep[i];
                int64_t pos[5];
                for (int p = 0; p < 5; p++) pos[p] = k + p;
                if (k) eval(x, (rg_batch){.n = k, .token = s.token});
                eval(x, (rg_batch){.n = 30, .token = s.token + 50}); /* to be forgotten */
                if (!by_position) rg_session_truncate(x, 0, k);
                eval(x, (rg_batch){.n = 5, .token = s.token + 40, .pos = pos});
                if (k) eval(y, (rg_batch){.n = k, .token = s.token});
                eval(y, (rg_batch){.n = 5, .token = s.token + 40});
                assert_int_equal(rg_session_length(x, 0), k + 5);
                assert_memory_equal(
                    rg_session_logits(x, 0), rg_session_logits(y, 0), (size_t)s.vocab * sizeof(float));
                rg_session_truncate(x, 0, 1000); /* more than there is: nothing happens */
                assert_int_equal(rg_session_length(x, 0), k + 5);
                rg_session_close(x);
                rg_session_close(y);
                end(&s);
            }
}

/* Two sessions of one engine do not share anything that changes. */
static void sessions_are_independent(void **state)
{
    (void)state;
    setup s;
    begin(&s, MHA, -1);
    rg_session *x = session_open(s.e, roomy),
               *y = session_open(s.e, (rg_session_opts){.ctx = 33, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16});
    for (int i = 0; i < 33; i++) {
        eval(x, (rg_batch){.n = 1, .token = s.token + i});
        eval(y, (rg_batch){.n = 1, .token = s.token + 40 + i});
    }
    expect_within(
        rel_diff_f(rg_session_logits(x, 0), s.whole + 32 * s.vocab, s.vocab), CACHE, "first of two sessions");
    rg_session_close(y);
    eval(x, (rg_batch){.n = 1, .token = s.token + 33});
    expect_within(rel_diff_f(rg_session_logits(x, 0), s.whole + 33 * s.vocab, s.vocab), CACHE,
        "after the other was closed");
    rg_session_close(x);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prefill_equals_decode),
        cmocka_unit_test(prefill_equals_decode_exactly), cmocka_unit_test(chunks_equal_the_whole),
        cmocka_unit_test(wanted_rows), cmocka_unit_test(sequences_do_not_meet),
        cmocka_unit_test(batched_decode_has_the_same_bits), cmocka_unit_test(fused_equals_unfused),
        cmocka_unit_test(truncation_forgets), cmocka_unit_test(sessions_are_independent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
