/* Session files give back the same bits, and refuse what is damaged or foreign; a context shift moves values
 * exactly and keys to within the rounding of their type; the place of the first NaN is named. */
#include "engine_fixture.h"

#include "base/hash64.h"
#include "base/num.h"
#include "model/session.h"
#include "ridge/session_file.h"

enum { N = 45, MORE = 20, CTX = 96 };

typedef struct setup {
    rg_ckpt *c;
    rg_engine *e;
    int64_t vocab;
    int32_t token[N + MORE];
} setup;

/* How layer 0 rotates. */
typedef enum turn { AS_IS, LARGER, PARTLY, LOCALLY, NOT_AT_ALL, LONGROPE, N_TURNS } turn;

static void turn_so(rg_model *m, turn t)
{
    rg_config *f = &m->cfg;
    if (t == LARGER) f->rope_magnitude = 1.4;
    if (t == PARTLY) f->rope_dim = f->head_dim / 4 * 2;
    if (t == LOCALLY) {
        f->window = 7;
        f->rope_local = 50.0;
        f->rope_magnitude = 1.4; /* of the others */
        rg_layer_set(f->all_seen, 1);
    }
    if (t == NOT_AT_ALL) rg_layer_set(f->unrotated, 0);
    if (t != LONGROPE) return;
    f->rope_scaling = RG_ROPE_LONGROPE;
    f->rope_orig_ctx = CTX;
    m->rope_freqs = must_alloc((size_t)f->head_dim / 2 * sizeof(float));
    m->rope_long = must_alloc((size_t)f->head_dim / 2 * sizeof(float));
    for (int64_t i = 0; i < f->head_dim / 2; i++) {
        m->rope_freqs[i] = 1.25f;
        m->rope_long[i] = 3.0f;
    }
}

static setup begin_turned(shape_id shape, rg_ftype type, turn t)
{
    setup x = {.c = model_open(shape, type, RG_SYNTH_SAFETENSORS)};
    x.e = engine_open(x.c, test_opts(2));
    turn_so(&x.e->model, t);
    x.vocab = rg_ckpt_config(x.c)->vocab;
    random_tokens(x.token, N + MORE, x.vocab, 23);
    return x;
}

static setup begin(shape_id shape, rg_ftype type) { return begin_turned(shape, type, AS_IS); }

static void end(setup *x)
{
    rg_engine_close(x->e);
    rg_ckpt_close(x->c);
}

static void eval(rg_session *s, const int32_t *t, int64_t n)
{
    rg_err err;
    if (rg_session_eval(s, &(rg_batch){.n = n, .token = t}, RG_PREFILL, NULL, &err) != RG_OK)
        fail_msg("%s", err.msg);
}

static const char *file(const char *name)
{
    static char path[2][512];
    static int next;
    char *p = path[next++ % 2];
    snprintf(p, sizeof path[0], "%s/%s", scratch_dir(), name);
    return p;
}

/* The continuation after loading has the bits of the session that never left memory, for every cache type,
 * into another sequence and a context of another size. */
static void the_same_bits(void **state)
{
    (void)state;
    static const rg_kvtype kv[][2] = {
        {RG_KV_F16, RG_KV_F16}, {RG_KV_F32, RG_KV_Q8_0}, {RG_KV_Q8_0, RG_KV_F32}};
    for (int i = 0; i < 3; i++) {
        setup x = begin(MHA, RG_FT_F32);
        rg_err err;
        rg_saved got;
        rg_session *a = session_open(x.e, (rg_session_opts){.ctx = CTX, .kv_k = kv[i][0], .kv_v = kv[i][1]});
        rg_session *b = session_open(
            x.e, (rg_session_opts){.ctx = CTX + 33, .n_seq = 2, .kv_k = kv[i][0], .kv_v = kv[i][1]});
        eval(a, x.token, N);
        if (rg_session_save(a, 0, x.token, N, rg_session_logits(a, 0), file("bits.kv"), &err) != RG_OK)
            fail_msg("%s", err.msg);
        if (rg_session_load(b, 1, file("bits.kv"), &got, &err) != RG_OK) fail_msg("%s", err.msg);
        assert_int_equal(got.n, N);
        assert_memory_equal(got.token, x.token, N * sizeof *x.token);
        assert_memory_equal(got.logits, rg_session_logits(a, 0), (size_t)x.vocab * sizeof(float));
        assert_int_equal(rg_session_length(b, 1), N);
        assert_int_equal(rg_session_length(b, 0), 0);
        const int32_t seq[MORE] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
        eval(a, x.token + N, MORE);
        assert_int_equal(rg_session_eval(b, &(rg_batch){.n = MORE, .token = x.token + N, .seq = seq},
                             RG_PREFILL, NULL, &err),
            RG_OK);
        assert_memory_equal(
            rg_session_logits(b, 0), rg_session_logits(a, 0), (size_t)x.vocab * sizeof(float));
        free(got.token);
        free(got.logits);
        /* a shorter prefix, without logits */
        assert_int_equal(rg_session_save(a, 0, x.token, 17, NULL, file("bits.kv"), &err), RG_OK);
        assert_int_equal(rg_session_load(b, 0, file("bits.kv"), &got, &err), RG_OK);
        assert_true(got.n == 17 && !got.logits);
        free(got.token);
        /* nothing of what was forgotten is in the file: it is the same as that of a session which never saw
         * it */
        size_t n1, n2;
        char *f1 = read_all(file("bits.kv"), &n1);
        rg_session *c = session_open(x.e, (rg_session_opts){.ctx = CTX, .kv_k = kv[i][0], .kv_v = kv[i][1]});
        eval(c, x.token, 17);
        assert_int_equal(rg_session_save(c, 0, x.token, 17, NULL, file("bits.kv"), &err), RG_OK);
        char *f2 = read_all(file("bits.kv"), &n2);
        assert_int_equal(n1, n2);
        if (i == 0) assert_memory_equal(f1, f2, n1);
        free(f1);
        free(f2);
        rg_session_close(a);
        rg_session_close(b);
        rg_session_close(c);
        end(&x);
    }
}

static void expect_refused(
    rg_session *s, const char *p, size_t n, rg_status want, const char *says, const char *what)
{
    rg_saved got;
    rg_err err = {0};
    const int64_t len = rg_session_length(s, 0);
    const rg_status st = rg_session_restore(s, 0, p, n, "it.kv", &got, &err);
    if (st != want || !strstr(err.msg, says) || !strstr(err.msg, "it.kv"))
        fail_msg("%s: status %d \"%s\", expected %d with \"%s\"", what, st, err.msg, want, says);
    assert_true(!got.token && !got.logits && rg_session_length(s, 0) == len);
}

/* Puts a right checksum behind a changed header. */
static void seal(char *p, size_t n)
{
    const uint64_t h = rg_hash64_of(p, n - 8, 0);
    for (int i = 0; i < 8; i++) p[n - 8 + (size_t)i] = (char)(h >> (8 * i));
}

static void damaged_and_foreign(void **state)
{
    (void)state;
    setup x = begin(GQA, RG_FT_F32), y = begin(MQA, RG_FT_F32), z = begin(GQA, RG_FT_F16);
    rg_err err;
    size_t n;
    const rg_session_opts so = {.ctx = CTX, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
    rg_session *s = session_open(x.e, so), *other = session_open(y.e, so), *half = session_open(z.e, so);
    rg_session *f32 = session_open(x.e, (rg_session_opts){.ctx = CTX, .kv_k = RG_KV_F32, .kv_v = RG_KV_F16});
    rg_session *small =
        session_open(x.e, (rg_session_opts){.ctx = N - 1, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16});
    eval(s, x.token, N);
    assert_int_equal(rg_session_save(s, 0, x.token, N + 1, NULL, file("d.kv"), &err), RG_E_USAGE);
    assert_int_equal(
        rg_session_save(s, 0, x.token, N, rg_session_logits(s, 0), "/nonexistent/d.kv", &err), RG_E_FILE);
    assert_int_equal(rg_session_save(s, 0, x.token, N, rg_session_logits(s, 0), file("d.kv"), &err), RG_OK);
    char *p = read_all(file("d.kv"), &n), *q = must_alloc(n + 16);
    for (size_t k = 0; k < n; k += k < 200 ? 1 : 97)
        expect_refused(s, p, k, RG_E_FILE, k < 8 ? "not a session file" : "cut off", "cut");
    rg_rng rng = {8};
    for (int i = 0; i < 300; i++) { /* any bit behind the magic and the version */
        memcpy(q, p, n);
        const size_t at = (size_t)rng_in(&rng, 16, (int64_t)n - 1);
        q[at] ^= (char)(1 << rng_in(&rng, 0, 7));
        expect_refused(s, q, n, RG_E_FILE, "damaged", "flipped");
    }
    memcpy(q, p, n);
    q[n] = 0;
    expect_refused(s, q, n + 1, RG_E_FILE, "damaged", "longer");
    q[8] = 1;
    expect_refused(s, q, n, RG_E_UNSUPPORTED, "version 1", "version");
    expect_refused(other, p, n, RG_E_UNSUPPORTED, "another model", "shape");
    expect_refused(half, p, n, RG_E_UNSUPPORTED, "another model", "weight type");
    expect_refused(f32, p, n, RG_E_UNSUPPORTED, "-ctk f16 -ctv f16", "cache type");
    expect_refused(small, p, n, RG_E_USAGE, "-c 45", "context");
    static const struct {
        int at, bytes;
        uint64_t value;
        const char *says;
    } lies[] = {{56, 8, 0, "0 tokens"}, {56, 8, UINT64_MAX, "tokens"}, {56, 8, N - 1, "expected"},
        {72, 4, 2, "tokens"}, {72, 4, 0, "expected"}, {88, 8, 5, "begin at 5"},
        {96, 4, 0x7fffffff, "token 0"}, {96 + 4 * N, 4, 0x7fc00000, "logit 0"}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy(q, p, n);
        for (int b = 0; b < lies[i].bytes; b++) q[lies[i].at + b] = (char)(lies[i].value >> (8 * b));
        seal(q, n);
        expect_refused(s, q, n, RG_E_FILE, lies[i].says, "lie");
    }
    free(p);
    free(q);
    rg_session_close(s), rg_session_close(other), rg_session_close(half), rg_session_close(f32),
        rg_session_close(small);
    end(&x), end(&y), end(&z);
}

/* Anything behind a right fingerprint and a right checksum: it is refused cleanly, or it is a cache that can
 * be gone on with. */
static void mutated_with_a_right_checksum(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    const uint64_t seed = 97;
    rg_rng rng = {seed};
    setup x = begin(GQA, RG_FT_F32);
    rg_err err;
    size_t n;
    int opened = 0;
    rg_session *s = session_open(x.e, (rg_session_opts){.ctx = CTX, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16});
    eval(s, x.token, N);
    assert_int_equal(rg_session_save(s, 0, x.token, N, rg_session_logits(s, 0), file("m.kv"), &err), RG_OK);
    char *p = read_all(file("m.kv"), &n);
    for (int i = 0; i < ROUNDS; i++) {
        rg_saved got;
        size_t k = rng_in(&rng, 0, 3) ? n : (size_t)rng_in(&rng, 104, (int64_t)n + 64);
        guarded g = guarded_alloc(k); /* a byte too far is a fault */
        memset(g.p, 0, k);
        memcpy(g.p, p, k < n ? k : n);
        for (int64_t m = rng_in(&rng, 0, 4); m > 0; m--)
            g.p[rng_in(&rng, 24, rng_in(&rng, 0, 1) ? 96 : (int64_t)k - 1)] =
                (char)(rng_in(&rng, 0, 2) ? rng_u64(&rng) : 0xff);
        if (rng_in(&rng, 0, 1)) { /* the payload that the size implies */
            const uint64_t payload = k - 104;
            for (int b = 0; b < 8; b++) g.p[80 + b] = (char)(payload >> (8 * b));
        }
        seal(g.p, k);
        const rg_status st = rg_session_restore(s, 0, g.p, k, "it.kv", &got, &err);
        if (st != RG_OK && st != RG_E_FILE && st != RG_E_UNSUPPORTED && st != RG_E_USAGE)
            fail_msg("round %d: status %d (seed %llu)", i, st, (unsigned long long)seed);
        assert_int_equal(st == RG_OK, got.token != NULL);
        if (st == RG_OK && opened++ % 32 == 0 && got.n < CTX) {
            const rg_status se =
                rg_session_eval(s, &(rg_batch){.n = 1, .token = got.token}, RG_DECODE, NULL, &err);
            assert_true(se == RG_OK || se == RG_E_UNSUPPORTED); /* a cache of NaN is an error, no more */
        }
        free(got.token);
        free(got.logits);
        guarded_free(&g);
    }
    assert_true(opened > 50 && opened < ROUNDS);
    free(p);
    rg_session_close(s);
    end(&x);
}

/* Key (pos, d) of a head as f32. */
static double key(const rg_session *s, int64_t layer, int64_t g, int64_t pos, int64_t d)
{
    const rg_kv_layer kv = s->kv[layer];
    const char *head = kv.k + g * kv.k_stride;
    const int64_t i = pos / RG_KV_BLOCK * kv.hd * RG_KV_BLOCK + d * RG_KV_BLOCK + pos % RG_KV_BLOCK;
    return kv.k_type == RG_KV_F32 ? (double)((const float *)(const void *)head)[i]
                                  : (double)rg_f16_to_f32(((const uint16_t *)(const void *)head)[i]);
}

/* In layer 0 keys and values depend on their own token and position alone, so a shifted cache must be that of
 * the shorter text there: values bit for bit, keys to within the rounding of their type. */
static void shifts(void **state)
{
    (void)state;
    enum { KEEP = 3, DISCARD = 19 };
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < N_SHAPES + N_TURNS; i++) {
            const int shape = i < N_SHAPES ? i : WIDE, how = i < N_SHAPES ? AS_IS : i - N_SHAPES;
            setup x = begin_turned((shape_id)shape, RG_FT_F32, (turn)how);
            const rg_config *c = rg_ckpt_config(x.c);
            const rg_kvtype t = half ? RG_KV_F16 : RG_KV_F32;
            const rg_session_opts so = {.ctx = CTX, .kv_k = t, .kv_v = t};
            rg_session *a = session_open(x.e, so), *b = session_open(x.e, so);
            rg_err err;
            int32_t kept[N];
            memcpy(kept, x.token, KEEP * sizeof *kept);
            memcpy(kept + KEEP, x.token + KEEP + DISCARD, (N - KEEP - DISCARD) * sizeof *kept);
            eval(a, x.token, N);
            eval(b, kept, N - DISCARD);
            assert_int_equal(rg_session_shift(a, 0, -1, 1, &err), RG_E_USAGE);
            assert_int_equal(rg_session_shift(a, 0, 0, 0, &err), RG_E_USAGE);
            assert_int_equal(rg_session_shift(a, 0, 40, 6, &err), RG_E_USAGE);
            if (rg_session_shift(a, 0, KEEP, DISCARD, &err) != RG_OK) fail_msg("%s", err.msg);
            assert_int_equal(rg_session_length(a, 0), N - DISCARD);
            const rg_kv_layer ka = a->kv[0], kb = b->kv[0];
            for (int64_t g = 0; g < c->kv_heads; g++) {
                /* the values' own rounding is the same on both sides; f32 sums of different batches may
                 * differ in the last bits */
                const size_t v_bytes = (size_t)rg_kv_v_bytes(t, c->head_dim);
                for (int64_t p = 0; p < N - DISCARD; p++) {
                    double mag = 0.0, worst = 0.0;
                    for (int64_t d = 0; d < c->head_dim; d++) {
                        mag = fmax(mag, fabs(key(b, 0, g, p, d)));
                        worst = fmax(worst, fabs(key(a, 0, g, p, d) - key(b, 0, g, p, d)));
                    }
                    /* f16: stored twice, each half an ulp of a pair whose length is at most sqrt(2) of its
                     * larger part, and rotated once in f32 */
                    const double bound = (half ? 2.0 * 0x1p-11 * 1.5 : 32.0 * 0x1p-24) * mag * 1.5;
                    if (!(worst <= bound))
                        fail_msg("%s, %s, turn %d: key of position %d differs by %g, bound %g",
                            shape_name((shape_id)shape), rg_kvtypes[t].name, how, (int)p, worst, bound);
                    if (half == 0) continue;
                    const uint16_t *va =
                        (const uint16_t *)(const void *)(ka.v + g * ka.v_stride + (int64_t)v_bytes * p);
                    const uint16_t *vb =
                        (const uint16_t *)(const void *)(kb.v + g * kb.v_stride + (int64_t)v_bytes * p);
                    for (int64_t d = 0; d < c->head_dim; d++)
                        if (!(fabsf(rg_f16_to_f32(va[d]) - rg_f16_to_f32(vb[d])) <=
                                0x1p-10f * fabsf(rg_f16_to_f32(vb[d])) + 1e-7f))
                            fail_msg("value of position %d", (int)p);
                }
            }
            eval(a, x.token, 5); /* and it goes on */
            assert_int_equal(rg_session_length(a, 0), N - DISCARD + 5);
            rg_session_close(a);
            rg_session_close(b);
            end(&x);
        }
}

static void shift_of_quantised_keys_is_refused(void **state)
{
    (void)state;
    setup x = begin(MHA, RG_FT_F32);
    rg_err err;
    rg_session *s = session_open(x.e, (rg_session_opts){.ctx = CTX, .kv_k = RG_KV_Q8_0, .kv_v = RG_KV_F16});
    eval(s, x.token, 20);
    assert_int_equal(rg_session_shift(s, 0, 1, 5, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "q8_0"));
    assert_int_equal(rg_session_length(s, 0), 20);
    rg_session_close(s);
    end(&x);
}

static void shift_of_growing_queries_is_refused(void **state)
{
    (void)state;
    setup x = begin(MHA, RG_FT_F32);
    rg_err err;
    rg_session *s = session_open(x.e, (rg_session_opts){.ctx = CTX, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16});
    eval(s, x.token, 20);
    x.e->model.cfg.q_temp = 0.1;
    assert_int_equal(rg_session_shift(s, 0, 1, 5, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "queries"));
    assert_int_equal(rg_session_length(s, 0), 20);
    rg_session_close(s);
    end(&x);
}

/* All that decides what a cache holds, or what is made of it, is in the fingerprint. */
static void fingerprints(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {
#define FIELD(f) {#f, offsetof(rg_config, f)}
        FIELD(dim), FIELD(ffn), FIELD(layers), FIELD(heads), FIELD(kv_heads), FIELD(head_dim), FIELD(vocab),
        FIELD(ctx_train), FIELD(eps), FIELD(rope_theta), FIELD(rope_scaling), FIELD(rope_factor),
        FIELD(rope_low_freq), FIELD(rope_high_freq), FIELD(rope_beta_fast), FIELD(rope_beta_slow),
        FIELD(rope_orig_ctx), FIELD(rope_exact_ends), FIELD(rope_magnitude), FIELD(rope_dim),
        FIELD(rope_local), FIELD(q_temp), FIELD(window), FIELD(all_seen), FIELD(all_seen[7]),
        FIELD(unrotated), FIELD(unrotated[7]), FIELD(no_pre_norm), FIELD(whole_qk_norm), FIELD(attn_cap),
        FIELD(logit_cap), FIELD(embd_scale), FIELD(attn_scale), FIELD(resid_scale), FIELD(logit_scale),
        FIELD(extra)};
    setup x = begin(MHA, RG_FT_F32);
    rg_model *m = &x.e->model;
    const uint64_t print = rg_engine_fingerprint(x.e);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        unsigned char *p = (unsigned char *)&m->cfg + fields[i].at;
        *p ^= 1;
        if (rg_engine_fingerprint(x.e) == print) fail_msg("%s is not in the fingerprint", fields[i].name);
        *p ^= 1;
    }
    assert_true(rg_engine_fingerprint(x.e) == print);
    float **const divisors[] = {&m->rope_freqs, &m->rope_long};
    uint64_t seen[2];
    m->cfg.rope_dim = 4; /* two pairs, and no more divisors than that */
    for (int d = 0; d < 2; d++) {
        float *f = *divisors[d] = must_alloc(2 * sizeof *f);
        f[0] = 1.0f, f[1] = 2.0f;
        seen[d] = rg_engine_fingerprint(x.e);
        f[1] = 3.0f;
        assert_true(rg_engine_fingerprint(x.e) != seen[d]);
    }
    end(&x);
}

/* Keys that longrope turned by the divisors of short contexts are of no use in a long one, and the other way
 * round. */
static void longrope_keeps_to_its_divisors(void **state)
{
    (void)state;
    setup x = begin_turned(MHA, RG_FT_F32, LONGROPE);
    rg_saved got;
    rg_err err;
    for (int from = 0; from < 2; from++) {
        rg_session *s[2];
        for (int i = 0; i < 2; i++)
            s[i] = session_open(x.e, (rg_session_opts){.ctx = CTX + i, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16});
        eval(s[from], x.token, N);
        assert_int_equal(rg_session_save(s[from], 0, x.token, N, NULL, file("long.kv"), &err), RG_OK);
        assert_int_equal(rg_session_load(s[!from], 0, file("long.kv"), &got, &err), RG_E_UNSUPPORTED);
        if (!strstr(err.msg, from ? "of more than 96 tokens" : "of no more than 96 tokens"))
            fail_msg("'%s'", err.msg);
        assert_int_equal(rg_session_load(s[from], 0, file("long.kv"), &got, &err), RG_OK);
        free(got.token);
        rg_session_close(s[0]), rg_session_close(s[1]);
    }
    end(&x);
}

/* A weight in the middle of the model becomes NaN or huge: the first operator that shows it is named, with
 * and without --check-nan. */
static void the_first_nan_is_named(void **state)
{
    (void)state;
    static const struct {
        rg_site site;
        float value;
        const char *says;
    } cases[] = {{RG_SITE_FFN_NORM, NAN, "ffn_norm"}, {RG_SITE_ATTN_NORM, INFINITY, "attn_norm"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int always = 0; always < 2; always++) {
            setup x = begin(GQA, RG_FT_F32);
            rg_err err = {0};
            float *w = (float *)(uintptr_t)rg_model_at(&x.e->model, 1, cases[i].site)->vec;
            w[3] = cases[i].value;
            rg_session *s = session_open(x.e, (rg_session_opts){.ctx = CTX, .check_nan = always});
            assert_int_equal(
                rg_session_eval(s, &(rg_batch){.n = 9, .token = x.token}, RG_PREFILL, NULL, &err),
                RG_E_UNSUPPORTED);
            if (!strstr(err.msg, cases[i].says) || !strstr(err.msg, "layer 1") ||
                !strstr(err.msg, "column 3"))
                fail_msg("'%s'", err.msg);
            rg_session_close(s);
            end(&x);
        }
    /* keys beyond the range of half precision: finite in f32, infinite in the cache */
    setup x = begin(GQA, RG_FT_F32);
    rg_err err = {0};
    float *w = (float *)(uintptr_t)rg_model_at(&x.e->model, 0, RG_SITE_ATTN_NORM)->vec;
    for (int64_t k = 0; k < rg_ckpt_config(x.c)->dim; k++) w[k] *= 1e7f;
    rg_session *s = session_open(
        x.e, (rg_session_opts){.ctx = CTX, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16, .check_nan = true});
    assert_int_equal(
        rg_session_eval(s, &(rg_batch){.n = 9, .token = x.token}, RG_PREFILL, NULL, &err), RG_E_UNSUPPORTED);
    if (!strstr(err.msg, "attn_kv_put") || !strstr(err.msg, "-ctk f32")) fail_msg("'%s'", err.msg);
    rg_session_close(s);
    end(&x);
    /* a sound model passes, with the same bits */
    x = begin(MQA, RG_FT_F32);
    rg_session *plain = session_open(x.e, (rg_session_opts){.ctx = CTX}),
               *checked = session_open(x.e, (rg_session_opts){.ctx = CTX, .check_nan = true});
    eval(plain, x.token, N);
    eval(checked, x.token, N);
    assert_memory_equal(
        rg_session_logits(plain, 0), rg_session_logits(checked, 0), (size_t)x.vocab * sizeof(float));
    rg_session_close(plain);
    rg_session_close(checked);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_bits), cmocka_unit_test(damaged_and_foreign),
        cmocka_unit_test(mutated_with_a_right_checksum), cmocka_unit_test(shifts),
        cmocka_unit_test(shift_of_quantised_keys_is_refused),
        cmocka_unit_test(shift_of_growing_queries_is_refused), cmocka_unit_test(fingerprints),
        cmocka_unit_test(longrope_keeps_to_its_divisors), cmocka_unit_test(the_first_nan_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
