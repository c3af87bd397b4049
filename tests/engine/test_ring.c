/* Layers with a window keep it: a session whose cache is a ring has the bits of one that keeps the whole
 * context, goes back as far as it says, and never farther in silence. */
#include "engine_fixture.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "model/session.h"
#include "model_build.h"
#include "ridge/session_file.h"
#include "roofline/model/exact.h"

enum { CTX = 1300, N = 1250, VOCAB = 96, LAYERS = 4, WHOLE = 1 << 20 };
static const char *const kinds[] = {
    "every layer has the window", "one of four sees all, others turn locally"};

typedef struct setup {
    int64_t window;
    rg_ckpt *c;
    rg_engine *e;
    int32_t token[N];
} setup;

static setup begin(int64_t window, int kind, rg_engine_opts o)
{
    char path[512], more[64];
    setup x = {.window = window};
    snprintf(path, sizeof path, "%s/window-%d", scratch_dir(), (int)window);
    snprintf(more, sizeof more, "\"sliding_window\": %d", (int)window);
    model_build b = {.seed = (uint64_t)window, .arch = "MistralForCausalLM", .more = more};
    b.c = (rg_config){.dim = 64,
        .ffn = 96,
        .layers = LAYERS,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 32,
        .vocab = VOCAB,
        .ctx_train = 4096,
        .eps = 1e-5,
        .rope_theta = 1e6,
        .tied = true};
    build_hf(&b, path);
    build_drop(&b);
    x.c = ckpt_open(path);
    x.e = engine_open(x.c, o);
    if (kind == 1) {
        rg_layer_set(x.e->model.cfg.all_seen, 2);
        x.e->model.cfg.rope_local = 1e4;
    }
    random_tokens(x.token, N, VOCAB, 5);
    return x;
}

static void end(setup *x)
{
    rg_engine_close(x->e);
    rg_ckpt_close(x->c);
}

static rg_session *whole_like(const setup *x, rg_session_opts o)
{
    o.back = WHOLE;
    rg_session *s = session_open(x->e, o);
    assert_int_equal(s->ring, 0);
    return s;
}

static void feed(rg_session *s, const int32_t *t, int64_t n)
{
    rg_err err;
    if (rg_session_eval(s, &(rg_batch){.n = n, .token = t}, RG_PREFILL, NULL, &err) != RG_OK)
        fail_msg("%s", err.msg);
}

static void same_logits(const rg_session *a, const rg_session *b, int64_t rows, const char *what)
{
    for (int64_t i = 0; i < rows; i++)
        if (memcmp(rg_session_logits(a, i), rg_session_logits(b, i), VOCAB * sizeof(float)) != 0)
            fail_msg("%s: row %d at %d tokens has other bits", what, (int)i, (int)rg_session_length(a, 0));
}

/* A prompt in pieces, then tokens one by one, through both. */
static void compare(const setup *x, rg_session_opts o, const char *what)
{
    rg_session *a = session_open(x->e, o), *b = whole_like(x, o);
    const int64_t most = rg_min(o.ubatch > 0 ? o.ubatch : 512, CTX);
    assert_int_equal(a->ring, rg_round_up(x->window + 16 + most, RG_ATTN_CHUNK));
    assert_true(a->ring < CTX && a->kv_bytes < b->kv_bytes);
    for (int64_t at = 0, n; at < N; at += n) {
        n = at < N - 40 ? rg_min(211, N - 40 - at) : 1;
        feed(a, x->token + at, n);
        feed(b, x->token + at, n);
        same_logits(a, b, 1, what);
    }
    rg_session_close(a);
    rg_session_close(b);
}

static void a_ring_has_the_bits_of_the_whole(void **state)
{
    (void)state;
    static const int64_t windows[] = {8, 24, 300}, ubatches[] = {7, 64, 512};
    int i = 0;
    for (int w = 0; w < 3; w++)
        for (int kind = 0; kind < 2; kind++) {
            setup x = begin(windows[w], kind, test_opts(1 + (w + kind) % 3));
            for (int u = 0; u < 3; u++)
                for (int t = 0; t < RG_KV_COUNT; t++, i++) {
                    char what[200];
                    const rg_session_opts o = {.ctx = CTX,
                        .ubatch = ubatches[u],
                        .kv_k = (rg_kvtype)t,
                        .kv_v = (rg_kvtype)((t + u) % RG_KV_COUNT),
                        .unfused = i % 2,
                        .fuse = i % 4 < 2 ? rg_fuse_all() : 0};
                    snprintf(what, sizeof what, "window %d, %s, ubatch %d, %s/%s, %s", (int)x.window,
                        kinds[kind], (int)o.ubatch, rg_kvtypes[o.kv_k].name, rg_kvtypes[o.kv_v].name,
                        o.unfused ? "unfused" : "fused");
                    compare(&x, o, what);
                }
            end(&x);
        }
}

/* Every instruction set, tiles emulated too, and bf16 activations; with both ways of attention. */
static void on_every_instruction_set(void **state)
{
    (void)state;
    for (int isa = 0; isa < RG_ISA_COUNT; isa++) {
        if (!rg_isa_has((rg_isa)isa) || (isa > (int)isa_cap() && isa != RG_ISA_AMXEMU)) continue;
        for (int act = 0; act < 2; act++) {
            rg_engine_opts o = test_opts(2);
            o.isa_cap = (rg_isa)isa;
            o.act = act ? RG_ACT_BF16 : RG_ACT_F32;
            setup x = begin(24, 1, o);
            for (int unfused = 0; unfused < 2 - act; unfused++) {
                char what[64];
                snprintf(what, sizeof what, "%s, %s%s", rg_isa_names[isa], act ? "bf16" : "f32",
                    unfused ? ", unfused" : "");
                compare(&x,
                    (rg_session_opts){.ctx = CTX,
                        .ubatch = 64,
                        .kv_k = RG_KV_F16,
                        .kv_v = RG_KV_Q8_0,
                        .unfused = unfused,
                        .fuse = rg_fuse_all()},
                    what);
            }
            end(&x);
        }
    }
}

/* Sequences of different lengths in a call: each has a ring of its own. */
static void sequences_have_their_own(void **state)
{
    (void)state;
    enum { SEQS = 3 };
    setup x = begin(24, 1, test_opts(3));
    const rg_session_opts o = {
        .ctx = CTX, .n_seq = SEQS, .ubatch = 64, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .max_logits = SEQS};
    rg_session *a = session_open(x.e, o), *b = whole_like(&x, o);
    const int64_t each[SEQS] = {50, 9, 1};
    for (int round = 0; round < 24; round++) {
        int32_t token[64], seq[64];
        uint8_t want[64];
        int64_t n = 0;
        for (int q = 0; q < SEQS; q++)
            for (int64_t i = 0; i < each[(q + (round == 20)) % SEQS]; i++, n++) {
                token[n] = x.token[rg_session_length(a, q) + i];
                seq[n] = q;
                want[n] = i == each[(q + (round == 20)) % SEQS] - 1;
            }
        const rg_batch batch = {.n = n, .token = token, .seq = seq, .want = want};
        rg_err err;
        if (rg_session_eval(a, &batch, RG_PREFILL, NULL, &err) ||
            rg_session_eval(b, &batch, RG_PREFILL, NULL, &err))
            fail_msg("%s", err.msg);
        same_logits(a, b, SEQS, "batch");
    }
    rg_session_close(a);
    rg_session_close(b);
    end(&x);
}

/* Planned is what is allocated, in closed form; the longest context that fits grows. */
static void plans_know(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        setup x = begin(24, kind, test_opts(1));
        const rg_config *c = &x.e->model.cfg;
        static const int64_t backs[] = {0, 100, 700, WHOLE};
        uint64_t before = 0;
        for (int i = 0; i < 4; i++) {
            const rg_session_opts o = {
                .ctx = CTX, .n_seq = 3, .ubatch = 64, .back = backs[i], .kv_k = RG_KV_F16, .kv_v = RG_KV_F32};
            rg_memory_plan p, q;
            rg_session *s = session_open(x.e, o);
            rg_plan_memory(&p, c, 0, true, 1, &o);
            rg_session_get_plan(s, &q);
            const int64_t ring =
                              rg_min(rg_round_up(CTX, 16), rg_round_up(24 + 16 + rg_max(64, backs[i]), 256)),
                          positions = kind ? 3 * ring + rg_round_up(CTX, 16) : 4 * ring;
            assert_int_equal(p.kv, q.kv);
            assert_int_equal(p.scratch, q.scratch);
            assert_int_equal(p.kv, positions * 3 * 2 * 32 * (2 + 4));
            assert_true(p.kv >= before);
            if (i == 0) /* the analytic model's cache */
                assert_true(
                    rg_exact_kv(c,
                        &(rg_exact_input){.kv_k = o.kv_k, .kv_v = o.kv_v, .batch = 3, .ubatch = 64, .tp = 1},
                        rg_round_up(CTX, 16)) == (double)p.kv);
            before = p.kv;
            rg_session_touch(s, CTX);
            rg_session_close(s);
        }
        const rg_session_opts o = {.ubatch = 64, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32};
        rg_session_opts all = o;
        all.back = WHOLE;
        const uint64_t have = 4 << 20;
        const int64_t ring = rg_plan_fit(c, 0, 1, &o, have, 1 << 20),
                      whole = rg_plan_fit(c, 0, 1, &all, have, 1 << 20);
        assert_true(whole > 256 && ring > whole * 2);
        end(&x);
    }
}

/* As far as it says, a session goes back and on; farther it forgets all and says so, or refuses a batch and
 * is as before. */
static void going_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int64_t back = 0; back <= 400; back += 400) {
            setup x = begin(24, kind, test_opts(2));
            const rg_session_opts o = {
                .ctx = CTX, .ubatch = 64, .back = back, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
            rg_session *a = session_open(x.e, o), *b = whole_like(&x, o);
            const int64_t far = rg_max(64, back), len = 900, there = len - far;
            int64_t pos[2];
            rg_err err;
            feed(a, x.token, len);
            assert_int_equal(rg_session_truncate(a, 0, len + 5), len);
            assert_int_equal(rg_session_truncate(a, 0, there), there);
            feed(b, x.token, len); /* calls of few and of many tokens differ in the last bits */
            assert_int_equal(rg_session_truncate(b, 0, there), there);
            feed(a, x.token + 1000, 30); /* another text */
            feed(b, x.token + 1000, 30);
            same_logits(a, b, 1, "truncated");
            /* by position */
            pos[0] = there + 3, pos[1] = there + 4;
            const rg_batch two = {.n = 2, .token = x.token, .pos = pos};
            if (rg_session_eval(a, &two, RG_PREFILL, NULL, &err) ||
                rg_session_eval(b, &two, RG_PREFILL, NULL, &err))
                fail_msg("%s", err.msg);
            same_logits(a, b, 1, "by position");
            /* too far: what is lost was counted from the farthest position */
            pos[0] = 200, pos[1] = 201;
            const int64_t now = rg_session_length(a, 0);
            assert_int_equal(rg_session_eval(a, &two, RG_PREFILL, NULL, &err), RG_E_USAGE);
            assert_non_null(strstr(err.msg, "cannot go back to position 200"));
            assert_int_equal(rg_session_length(a, 0), now);
            feed(a, x.token, 1);
            feed(b, x.token, 1);
            same_logits(a, b, 1, "after a refusal");
            assert_int_equal(rg_session_truncate(a, 0, 200), 0);
            assert_int_equal(rg_session_length(a, 0), 0);
            assert_int_equal(rg_session_truncate(b, 0, 200), 200);
            assert_int_equal(rg_session_truncate(b, 0, 0), 0);
            feed(a, x.token, 200);
            feed(b, x.token, 200);
            feed(a, x.token + 300, 100);
            feed(b, x.token + 300, 100);
            same_logits(a, b, 1, "evaluated again");
            /* to the beginning is always allowed */
            feed(a, x.token, 700);
            pos[0] = 0, pos[1] = 1;
            assert_int_equal(rg_session_eval(a, &two, RG_PREFILL, NULL, &err), RG_OK);
            assert_int_equal(rg_session_truncate(b, 0, 0), 0);
            feed(b, x.token, 2);
            same_logits(a, b, 1, "at the beginning");
            assert_int_equal(rg_session_truncate(a, 0, 1), 1); /* nothing is lost now */
            rg_session_close(a);
            rg_session_close(b);
            end(&x);
        }
}

/* What a call that is cut has written over is not what its first token saw. */
static void a_cut_call(void **state)
{
    (void)state;
    setup x = begin(24, 1, test_opts(1));
    const rg_session_opts o = {.ctx = CTX, .ubatch = 64, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
    rg_session *a = session_open(x.e, o), *b = whole_like(&x, o);
    for (int64_t at = 0; at < 1000; at += 40) {
        feed(a, x.token + at, 40);
        feed(b, x.token + at, 40);
        /* as a cut call does: the keys of 64 tokens are written, the sequence is as before */
        int32_t other[64];
        random_tokens(other, 64, VOCAB, (uint64_t)at);
        feed(a, other, 64);
        assert_int_equal(rg_session_truncate(a, 0, at + 40), at + 40);
    }
    feed(a, x.token, 3);
    feed(b, x.token, 3);
    same_logits(a, b, 1, "cut");
    rg_session_close(a);
    rg_session_close(b);
    end(&x);
}

static const char *file(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
    return path;
}

static int64_t size_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    const int64_t n = ftell(f);
    fclose(f);
    return n;
}

/* Between sessions whose rings differ, and that have none; what a file does not hold cannot be gone back
 * to. */
static void files(void **state)
{
    (void)state;
    static const rg_kvtype types[][2] = {{RG_KV_F16, RG_KV_F32}, {RG_KV_Q8_0, RG_KV_Q8_0}};
    static const int64_t backs[] = {0, 300, WHOLE}, lengths[] = {100, 911, 1024};
    for (int t = 0; t < 2; t++)
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 3; to++) {
                setup x = begin(24, 1, test_opts(2));
                rg_session_opts o = {.ctx = CTX, .ubatch = 64, .kv_k = types[t][0], .kv_v = types[t][1]};
                rg_session *never = whole_like(&x, o);
                o.back = backs[from];
                rg_session *a = session_open(x.e, o);
                o.back = backs[to];
                o.n_seq = 2;
                rg_session *b = session_open(x.e, o);
                const int64_t n = lengths[(from + to) % 3];
                rg_err err;
                rg_saved got;
                feed(a, x.token, n);
                feed(never, x.token, n);
                if (rg_session_save(a, 0, x.token, n, NULL, file("ring.kv"), &err) != RG_OK ||
                    rg_session_load(b, 0, file("ring.kv"), &got, &err) != RG_OK)
                    fail_msg("%s", err.msg);
                assert_int_equal(got.n, n);
                free(got.token);
                feed(b, x.token, 150);
                feed(never, x.token, 150);
                same_logits(b, never, 1, "loaded");
                /* back to where it was loaded, and to what neither has */
                assert_int_equal(rg_session_truncate(b, 0, n + 100), n + 100);
                rg_session_truncate(never, 0, n + 100);
                feed(b, x.token + 7, 50);
                feed(never, x.token + 7, 50);
                same_logits(b, never, 1, "loaded and back");
                if (n > 800) {
                    const bool all = backs[from] == WHOLE && backs[to] == WHOLE;
                    assert_int_equal(rg_session_truncate(b, 0, 120), all ? 120 : 0);
                    if (backs[from] != WHOLE) {
                        const int64_t small = size_of(file("ring.kv"));
                        assert_int_equal(
                            rg_session_save(a, 0, x.token, 100, NULL, file("r.kv"), &err), RG_E_USAGE);
                        assert_non_null(strstr(err.msg, "no position before"));
                        rg_session_truncate(never, 0, n);
                        assert_int_equal(
                            rg_session_save(never, 0, x.token, n, NULL, file("r.kv"), &err), RG_OK);
                        assert_true(small < size_of(file("r.kv")) / 10 * 8);
                    }
                }
                rg_session_close(never);
                rg_session_close(a);
                rg_session_close(b);
                end(&x);
            }
}

/* A shift moves what is still there: then and later the bits are those of the whole cache. */
static void shifts(void **state)
{
    (void)state;
    static const struct {
        int64_t window, keep, discard;
    } all[] = {{24, 0, 200}, {24, 4, 555}, {24, 90, 256}, {300, 4, 450}, {300, 700, 60}};
    for (int kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            setup x = begin(all[i].window, kind, test_opts(2));
            const rg_session_opts o = {.ctx = CTX, .ubatch = 64, .kv_k = RG_KV_F16, .kv_v = RG_KV_F32};
            rg_session *a = session_open(x.e, o), *b = whole_like(&x, o);
            rg_err err;
            feed(a, x.token, 1000);
            feed(b, x.token, 1000);
            for (int turn = 0; turn < 3; turn++) {
                const int64_t n = rg_session_length(a, 0), more = 1000 + 100 * turn - n + all[i].discard;
                if (rg_session_shift(a, 0, all[i].keep, all[i].discard, &err) != RG_OK ||
                    rg_session_shift(b, 0, all[i].keep, all[i].discard, &err) != RG_OK)
                    fail_msg("window %d, keep %d, discard %d: %s", (int)all[i].window, (int)all[i].keep,
                        (int)all[i].discard, err.msg);
                assert_int_equal(rg_session_length(a, 0), n - all[i].discard);
                feed(a, x.token + 50, 1);
                feed(b, x.token + 50, 1);
                same_logits(a, b, 1, "shifted");
                feed(a, x.token + 100, more);
                feed(b, x.token + 100, more);
                same_logits(a, b, 1, "shifted and on");
            }
            rg_session_close(a);
            rg_session_close(b);
            end(&x);
        }
}

/* Kept tokens that the window would see again are gone: no more is discarded than leaves it without them. */
static void a_shift_that_would_need_what_is_lost(void **state)
{
    (void)state;
    setup x = begin(300, 1, test_opts(1));
    const rg_session_opts o = {.ctx = CTX, .ubatch = 64, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
    rg_session *a = session_open(x.e, o), *b = whole_like(&x, o);
    rg_err err;
    feed(a, x.token, 1000);
    feed(b, x.token, 1000);
    assert_int_equal(rg_session_shift_most(a, 0, 0), 1000);
    assert_int_equal(rg_session_shift_most(b, 0, 4), 996);
    const int64_t most = rg_session_shift_most(a, 0, 4);
    assert_int_equal(most, 1000 - 299 - 4);
    assert_int_equal(rg_session_shift(a, 0, 4, most + 1, &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "at most 697 can be discarded"));
    assert_int_equal(rg_session_length(a, 0), 1000);
    if (rg_session_shift(a, 0, 4, most, &err) || rg_session_shift(b, 0, 4, most, &err))
        fail_msg("%s", err.msg);
    feed(a, x.token, 20);
    feed(b, x.token, 20);
    same_logits(a, b, 1, "most");
    assert_int_equal(rg_session_shift(a, 0, 0, rg_session_length(a, 0), &err), RG_OK); /* all */
    assert_int_equal(rg_session_length(a, 0), 0);
    feed(a, x.token, 20);
    assert_int_equal(rg_session_truncate(a, 0, 5), 5);
    rg_session_close(a);
    rg_session_close(b);
    end(&x);
}

static double key(const rg_session *s, int64_t g, int64_t pos, int64_t d)
{
    const rg_kv_layer *kv = &s->kv[0];
    const float *k = (const float *)(const void *)(kv->k + g * kv->k_stride);
    pos = rg_kv_place(kv, pos);
    return (double)k[pos / RG_KV_BLOCK * kv->hd * RG_KV_BLOCK + d * RG_KV_BLOCK + pos % RG_KV_BLOCK];
}

/* Keys of the first layer depend on their own token and position alone, so that a shift makes those of the
 * shorter text, however the layer turns: by a base of its own, a part of a head, by sines with a factor, not
 * at all. */
static void shifted_keys_turn_as_their_layer_does(void **state)
{
    (void)state;
    enum { LONG = 600, KEEP = 5, DISCARD = 123 };
    static const char *const how[] = {"local base", "a part", "a factor", "not at all"};
    for (int i = 0; i < 4; i++) {
        setup x = begin(24, i == 0, test_opts(1));
        rg_config *c = &x.e->model.cfg;
        if (i == 1) c->rope_dim = 20;
        if (i == 2) c->rope_magnitude = 1.3;
        if (i == 3) rg_layer_set(c->unrotated, 0);
        const rg_session_opts o = {.ctx = CTX, .ubatch = 64, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32};
        rg_session *a = session_open(x.e, o), *b = whole_like(&x, o);
        rg_err err;
        int32_t kept[LONG];
        memcpy(kept, x.token, KEEP * sizeof *kept);
        memcpy(kept + KEEP, x.token + KEEP + DISCARD, (LONG - KEEP - DISCARD) * sizeof *kept);
        feed(a, x.token, LONG);
        feed(b, kept, LONG - DISCARD);
        if (rg_session_shift(a, 0, KEEP, DISCARD, &err) != RG_OK) fail_msg("%s", err.msg);
        for (int64_t g = 0; g < c->kv_heads; g++)
            for (int64_t p = LONG - DISCARD - 24; p < LONG - DISCARD; p++) {
                double mag = 0.0, worst = 0.0;
                for (int64_t d = 0; d < c->head_dim; d++) {
                    mag = fmax(mag, fabs(key(b, g, p, d)));
                    worst = fmax(worst, fabs(key(a, g, p, d) - key(b, g, p, d)));
                }
                if (!(worst <= 64.0 * 0x1p-24 * mag))
                    fail_msg("%s: key of position %d differs by %g of %g", how[i], (int)p, worst, mag);
            }
        rg_session_close(a);
        rg_session_close(b);
        end(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_ring_has_the_bits_of_the_whole),
        cmocka_unit_test(on_every_instruction_set), cmocka_unit_test(sequences_have_their_own),
        cmocka_unit_test(plans_know), cmocka_unit_test(going_back), cmocka_unit_test(a_cut_call),
        cmocka_unit_test(files), cmocka_unit_test(shifts),
        cmocka_unit_test(a_shift_that_would_need_what_is_lost),
        cmocka_unit_test(shifted_keys_turn_as_their_layer_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
