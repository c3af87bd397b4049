/* Every architecture beyond plain Llama, from a Hugging Face folder and from GGUF: what the configuration
 * means, and logits against the float64 forward pass: whole prompts, chunks, single tokens, several
 * sequences, 1 to 3 threads (the same bits), operators apart and fused (the same bits), half precision.
 * Prompts are longer than a chunk of the context and a window together. */
#include "arch_models.h"

#include "weights/ckpt_impl.h"

enum { N = 300, CTX = 320, SEQS = 3 };

/* Of a standard deviation of the logits. Products on tiles take x and weights to 16 bits, in two planes. */
static const double F32_BOUND = 1e-5, TILES_BOUND = 1e-3, F16_BOUND = 2e-2, CODES_BOUND = 2e-3;

static void near(const char *what, const char *field, double got, double want)
{
    if (!(fabs(got - want) <= 1e-6 * fabs(want)))
        fail_msg("%s: %s is %.9g, expected %.9g", what, field, got, want);
}

static void check_meaning(const rg_config *c, const arch_meaning *m, const char *what)
{
    for (int64_t l = 0; l < c->layers; l++) {
        const char is = rg_layer_window(c, l) ? 'w' : rg_layer_rotates(c, l) ? 'f' : 'n';
        if (is != m->layers[l]) fail_msg("%s: layer %d is %c, expected %c", what, (int)l, is, m->layers[l]);
        if (is == 'w') assert_int_equal(c->window, ARCH_WINDOW);
    }
    near(what, "base of windowed layers", c->rope_local, m->local);
    near(what, "magnitude", c->rope_magnitude > 0.0 ? c->rope_magnitude : 1.0,
        m->magnitude > 0.0 ? m->magnitude : 1.0);
    near(what, "factor of embeddings", c->embd_scale, m->embd);
    near(what, "factor of scores", c->attn_scale, m->attn);
    near(what, "factor of blocks", c->resid_scale, m->resid);
    near(what, "divisor of logits", c->logit_scale, m->logit);
    near(what, "cap of scores", c->attn_cap, m->attn_cap);
    near(what, "cap of logits", c->logit_cap, m->logit_cap);
    near(what, "temperature", c->q_temp, m->temp);
    assert_int_equal(c->rope_dim, m->rot);
}

/* ---- logits ---- */

/* What the forward pass gives of a model, and what it must. */
typedef struct truth {
    const char *what;
    const rg_ckpt *c;
    int64_t vocab;
    int32_t token[N];
    double *want, std;  /* [N][vocab] */
    float *one, *other; /* [N][vocab] */
} truth;

static void truth_begin(truth *t, const rg_ckpt *c, const char *what, int64_t ctx)
{
    *t = (truth){.what = what, .c = c, .vocab = rg_ckpt_config(c)->vocab};
    const int64_t n = N * t->vocab;
    double sum = 0.0, sum2 = 0.0;
    t->want = must_alloc((size_t)n * sizeof *t->want);
    t->one = must_alloc((size_t)n * sizeof *t->one);
    t->other = must_alloc((size_t)n * sizeof *t->other);
    random_tokens(t->token, N, t->vocab, 11);
    ref_model *r = ref_from_ckpt(c);
    ref_context(r, ctx);
    ref_forward(r, t->token, N, t->want);
    ref_close(r);
    for (int64_t i = 0; i < n; i++) {
        sum += t->want[i];
        sum2 += t->want[i] * t->want[i];
    }
    t->std = sqrt(sum2 / (double)n - sum / (double)n * (sum / (double)n));
    assert_true(t->std > 0.05);
}

static void truth_end(truth *t)
{
    free(t->want);
    free(t->one);
    free(t->other);
}

static void expect_rows(
    const truth *t, const float *got, int64_t from, int64_t n, double bound, const char *how)
{
    double worst = 0.0;
    for (int64_t i = 0; i < n * t->vocab; i++) {
        const double d = fabs((double)got[i] - t->want[from * t->vocab + i]) / t->std;
        worst = isnan(d) ? INFINITY : fmax(worst, d);
    }
    if (getenv("RIDGE_TEST_VERBOSE"))
        print_message("%s, %s: %.3g of a standard deviation (bound %.3g)\n", t->what, how, worst, bound);
    if (!(worst <= bound))
        fail_msg("%s, %s: %.3g of a standard deviation from float64, bound %.3g", t->what, how, worst, bound);
}

static rg_session_opts exactly(int64_t ctx)
{
    return (rg_session_opts){.ctx = ctx, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .max_logits = N};
}

/* Logits of all tokens: the first ones in one call, the rest by `step`. */
static void timeline(
    const truth *t, rg_engine *e, rg_session_opts so, int64_t first, int64_t step, float *out)
{
    rg_session *s = session_open(e, so);
    if (first) eval_all(s, t->token, first, first, t->vocab, out);
    eval_all(s, t->token + first, N - first, step, t->vocab, out + first * t->vocab);
    rg_session_close(s);
}

static rg_engine *engine_of(const truth *t, int threads, int dtype, rg_isa cap)
{
    rg_engine_opts o = test_opts(threads);
    o.dtype = dtype;
    o.isa_cap = cap;
    return engine_open(t->c, o);
}

static void same_bits(const truth *t, const char *how)
{
    if (memcmp(t->one, t->other, (size_t)(N * t->vocab) * sizeof *t->one) != 0)
        fail_msg("%s, %s: other bits than one thread and operators apart (by %g of the range)", t->what, how,
            rel_diff_f(t->other, t->one, N * t->vocab));
}

/* Sequences of different lengths in one call; each is a beginning of the same text. */
static void sequences(truth *t, rg_engine *e, double bound)
{
    static const int64_t len[SEQS] = {280, 37, 3};
    int32_t token[N + 40], seq[N + 40];
    uint8_t want[N + 40];
    rg_err err = {0};
    int64_t n = 0, pos[SEQS];
    rg_session_opts so = exactly(CTX);
    so.n_seq = SEQS;
    so.fuse = RG_FUSE_DEFAULT;
    rg_session *s = session_open(e, so);
    for (int i = 0; i < SEQS; pos[i] = len[i], i++)
        for (int64_t k = 0; k < len[i]; k++, n++) {
            token[n] = t->token[k];
            seq[n] = i;
            want[n] = k == len[i] - 1;
        }
    for (int call = 0; call < 4; call++) {
        if (rg_session_eval(s, &(rg_batch){.n = n, .token = token, .seq = seq, .want = want},
                call ? RG_DECODE : RG_PREFILL, NULL, &err) != RG_OK)
            fail_msg("%s: %s", t->what, err.msg);
        for (n = 0; n < SEQS; n++) {
            expect_rows(t, rg_session_logits(s, n), pos[n] - 1, 1, bound, "several sequences");
            token[n] = t->token[pos[n]++];
            seq[n] = (int32_t)n;
            want[n] = 1;
        }
    }
    rg_session_close(s);
}

/* Operators apart, each fusion and all, with 2 and 3 threads: the bits of operators apart on one. */
static void same_ways(truth *t, rg_engine *const e[3], bool unfused, double bound)
{
    enum { LAST = 3 }; /* tokens, one by one */
    char how[96], words[64];
    rg_session_opts so = exactly(CTX);
    so.unfused = unfused;
    timeline(t, e[0], so, N - LAST, 1, t->one);
    expect_rows(t, t->one, 0, N, bound, unfused ? "scores in memory" : "whole, then one by one");
    for (int i = 0; i <= RG_FUSE_COUNT; i++) {
        so.fuse = i == 0 ? 0 : i < RG_FUSE_COUNT ? rg_fuse_bit(i) : rg_fuse_all();
        for (int threads = 2 + i % 2; threads <= 3; threads += i < RG_FUSE_COUNT ? 2 : 1) {
            snprintf(how, sizeof how, "--fuse %s, %d threads%s", rg_fuse_text(words, sizeof words, so.fuse),
                threads, unfused ? ", scores in memory" : "");
            timeline(t, e[threads - 1], so, N - LAST, 1, t->other);
            same_bits(t, how);
        }
    }
}

static double bound_here(void) { return isa_cap() >= RG_ISA_AMX ? TILES_BOUND : F32_BOUND; }

/* Products with codes take x to 16 bits, which may choose other experts: floats hold the same weights. */
static int exact_type(const rg_ckpt *c)
{
    for (size_t i = 0; i < rg_ckpt_count(c); i++)
        if (rg_wtype_is_quant(rg_ckpt_resident(rg_ckpt_at(c, i)))) return RG_WT_F32;
    return -1;
}

/* Codes as the file has them: plain C multiplies them by floats. */
static void check_codes(truth *t)
{
    rg_engine *e = engine_of(t, 2, -1, RG_ISA_C);
    timeline(t, e, exactly(CTX), N - 20, 7, t->one);
    expect_rows(t, t->one, 0, N, F32_BOUND, "the file's codes");
    rg_engine_close(e);
}

static void check_logits(const rg_ckpt *c, const char *what)
{
    const double bound = bound_here();
    truth t;
    rg_engine *e[3];
    rg_session_opts so = exactly(CTX);
    truth_begin(&t, c, what, CTX);
    for (int i = 0; i < 3; i++) e[i] = engine_of(&t, i + 1, exact_type(c), isa_cap());
    so.fuse = RG_FUSE_DEFAULT;
    timeline(&t, e[0], so, 0, 7, t.one);
    expect_rows(&t, t.one, 0, N, bound, "chunks of 7");
    timeline(&t, e[0], so, 0, 1, t.one);
    expect_rows(&t, t.one, 0, N, bound, "one by one");
    sequences(&t, e[1], bound);
    same_ways(&t, e, false, bound);
    same_ways(&t, e, true, bound);
    for (int i = 0; i < 3; i++) rg_engine_close(e[i]);
    if (exact_type(c) >= 0) check_codes(&t);

    e[0] = engine_of(&t, 2, RG_WT_F16, isa_cap());
    if (rg_ckpt_config(c)->experts > 0) { /* rounding chooses other experts: the truth is rounded too */
        ref_model *r = ref_from_engine(e[0]);
        ref_forward(r, t.token, N, t.want);
        ref_close(r);
        timeline(&t, e[0], so, N - 20, 7, t.one);
        expect_rows(&t, t.one, 0, N, bound, "f16 weights");
    } else {
        so.kv_k = so.kv_v = RG_KV_F16;
        timeline(&t, e[0], so, N - 20, 7, t.one);
        expect_rows(&t, t.one, 0, N, F16_BOUND, "f16");
    }
    rg_engine_close(e[0]);
    truth_end(&t);
}

/* On emulated tiles whole prompts go another way through attention. */
static void check_tiles(const rg_ckpt *c, const char *what)
{
    truth t;
    truth_begin(&t, c, what, CTX);
    rg_engine *e = engine_of(&t, 1, exact_type(c), RG_ISA_AMXEMU);
    timeline(&t, e, exactly(CTX), N - 20, 20, t.one);
    expect_rows(&t, t.one, 0, N, TILES_BOUND, "on tiles");
    rg_engine_close(e);
    truth_end(&t);
}

/* RIDGE_TEST_ARCHS: names, with blanks between; else all. ThreadSanitizer has time for few. */
static bool is_wanted(const char *name)
{
    const char *all = getenv("RIDGE_TEST_ARCHS"), *at = all ? strstr(all, name) : name;
    const size_t n = strlen(name);
    for (; at && all; at = strstr(at + 1, name))
        if ((at == all || at[-1] == ' ') && (!at[n] || at[n] == ' ')) break;
    return at != NULL;
}

static void from_files(bool gguf)
{
    for (const arch_model *m = arch_models; m < arch_models + n_arch_models; m++) {
        char what[64];
        if (!(gguf ? m->gguf : m->hf) || !is_wanted(m->name)) continue;
        snprintf(what, sizeof what, "%s, %s", m->name, gguf ? "GGUF" : "safetensors");
        rg_ckpt *c = arch_model_open(m, gguf);
        check_meaning(rg_ckpt_config(c), &m->m, what);
        check_logits(c, what);
        rg_ckpt_close(c);
    }
}

static void safetensors(void **state)
{
    (void)state;
    from_files(false);
}

static void gguf(void **state)
{
    (void)state;
    from_files(true);
}

static void tiles(void **state)
{
    (void)state;
    static const char *const some[] = {"gemma2", "gemma3", "olmo2", "olmoe", "qwen2moe", "gpt-oss"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        if (!is_wanted(some[i])) continue;
        rg_ckpt *c = arch_model_open(arch_model_named(some[i]), false);
        check_tiles(c, some[i]);
        rg_ckpt_close(c);
    }
}

/* As people run it: bytes times 16 bits, experts of MXFP4. Where two experts are equal but for the rounding
 * of x, another one is chosen than float64 chooses, and a token differs by tenths: these routers have no such
 * tokens, so that nothing but rounding remains. Calls of one token, of few, and of as many as take other
 * kernels; ends of the clamped gate are reached. */
static void codes_by_default(void **state)
{
    (void)state;
    static const int64_t step[] = {1, 2, 8, 33, N};
    arch_model m = *arch_model_named("gpt-oss");
    m.name = "gpt-oss-decided";
    m.decided = true;
    for (int gguf = 0; gguf < 2 && is_wanted("gpt-oss"); gguf++) {
        truth t;
        rg_ckpt *c = arch_model_open(&m, gguf);
        truth_begin(&t, c, gguf ? "gpt-oss's codes, GGUF" : "gpt-oss's codes, safetensors", CTX);
        for (int threads = 1; threads <= 2; threads++) {
            rg_engine *e = engine_of(&t, threads, -1, isa_cap());
            rg_session_opts so = exactly(CTX);
            so.fuse = RG_FUSE_DEFAULT;
            for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
                char how[32];
                snprintf(how, sizeof how, "calls of %d", (int)step[i]);
                timeline(&t, e, so, 0, step[i], t.one);
                expect_rows(&t, t.one, 0, N, CODES_BOUND, how);
            }
            rg_engine_close(e);
        }
        truth_end(&t);
        rg_ckpt_close(c);
    }
}

/* What a configuration says shows in the logits, or the comparisons above would not notice its absence. */
static void all_of_it_matters(void **state)
{
    (void)state;
    enum { FEW = 100 };
    static const struct {
        const char *name;
        size_t at, bytes;
    } fields[] = {
#define FIELD(f) {#f, offsetof(rg_config, f), sizeof(((rg_config *)0)->f)}
        FIELD(window), FIELD(all_seen), FIELD(unrotated), FIELD(rope_scaling), FIELD(rope_local),
        FIELD(rope_magnitude), FIELD(q_temp), FIELD(rope_dim), FIELD(embd_scale), FIELD(attn_scale),
        FIELD(resid_scale), FIELD(logit_scale), FIELD(attn_cap), FIELD(logit_cap), FIELD(experts_norm),
        FIELD(shared_ffn), FIELD(extra)};
    static const rg_config none;
    unsigned seen = 0;
    for (const arch_model *m = arch_models; m < arch_models + n_arch_models; m++) {
        rg_ckpt *c = arch_model_open(m, !m->hf);
        const int64_t n = FEW * c->cfg.vocab;
        int32_t token[FEW];
        double *as_is = must_alloc((size_t)n * sizeof *as_is),
               *without = must_alloc((size_t)n * sizeof *without);
        random_tokens(token, FEW, c->cfg.vocab, 11);
        for (size_t i = 0; i <= sizeof fields / sizeof *fields; i++) { /* the first time without any change */
            const rg_config was = c->cfg;
            if (i > 0) {
                char *p = (char *)&c->cfg + fields[i - 1].at;
                if (memcmp(p, (const char *)&none + fields[i - 1].at, fields[i - 1].bytes) == 0) continue;
                memset(p, 0, fields[i - 1].bytes);
            }
            /* gone without a trace: a magnitude of 1, layers that see everything without a window, divisors
             * and bits of tensors, which stay */
            const bool same =
                (was.window == 0 && memcmp(was.all_seen, c->cfg.all_seen, sizeof was.all_seen) != 0) ||
                (was.rope_magnitude == 1.0 && c->cfg.rope_magnitude == 0.0) ||
                (was.rope_scaling == RG_ROPE_LONGROPE && c->cfg.rope_scaling == RG_ROPE_NONE) ||
                (was.extra != c->cfg.extra &&
                    !(was.extra & (rg_site_bit(RG_SITE_FFN_GELU) | rg_site_bit(RG_SITE_FFN_CLAMP_EXPS))));
            ref_model *r = ref_from_ckpt(c);
            ref_forward(r, token, FEW, i ? without : as_is);
            ref_close(r);
            c->cfg = was;
            double err2 = 0.0, y2 = 0.0;
            for (int64_t k = 0; i > 0 && k < n; k++) {
                err2 += (without[k] - as_is[k]) * (without[k] - as_is[k]);
                y2 += as_is[k] * as_is[k];
            }
            if (i > 0 && !same && !(sqrt(err2 / y2) > 1e-3))
                fail_msg("%s: logits are the same without %s (%.3g)", m->name, fields[i - 1].name,
                    sqrt(err2 / y2));
            seen |= i > 0 && !same ? 1u << i : 0u;
        }
        free(as_is);
        free(without);
        rg_ckpt_close(c);
    }
    assert_int_equal(seen, (2u << sizeof fields / sizeof *fields) - 2u);
}

/* No architecture here rotates a part of a head: plain Llama is told to, in both formats. */
static void a_part_of_a_head(void **state)
{
    (void)state;
    static const arch_model plain = {"llama-part", "LlamaForCausalLM", "llama", NULL, .m = {.layers = "ff"}};
    for (int gguf = 0; gguf < 2 && is_wanted(plain.name); gguf++)
        for (int64_t part = 2; part < 24; part += 10) {
            rg_ckpt *c = arch_model_open(&plain, gguf);
            c->cfg.rope_dim = part;
            check_logits(c, "a part of a head is rotated");
            rg_ckpt_close(c);
        }
}

/* Contexts beyond the original one have divisors of their own. */
static void long_contexts(void **state)
{
    (void)state;
    for (int gguf = 0; gguf < 2 && is_wanted("llama-longrope"); gguf++)
        for (int64_t ctx = 400; ctx <= 401; ctx++) {
            truth t;
            rg_ckpt *c = arch_model_open(arch_model_named("llama-longrope"), gguf);
            truth_begin(&t, c, "longrope", ctx);
            rg_engine *e = engine_of(&t, 2, -1, isa_cap());
            timeline(&t, e, exactly(ctx), 0, N, t.one);
            expect_rows(&t, t.one, 0, N, bound_here(), ctx > 400 ? "long divisors" : "short divisors");
            rg_engine_close(e);
            truth_end(&t);
            rg_ckpt_close(c);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(safetensors), cmocka_unit_test(gguf),
        cmocka_unit_test(tiles), cmocka_unit_test(codes_by_default), cmocka_unit_test(all_of_it_matters),
        cmocka_unit_test(a_part_of_a_head), cmocka_unit_test(long_contexts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
