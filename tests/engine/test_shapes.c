/* Every named shape, made tiny: written in both forms it is one model, which runs, and its configuration
 * comes back as it was. */
#include "engine_fixture.h"

#include "base/num.h"

enum { TOKENS = 40 };

static void logits_of(const rg_ckpt *c, float *out)
{
    const int64_t vocab = rg_ckpt_config(c)->vocab;
    int32_t token[TOKENS];
    rg_engine *e = engine_open(c, test_opts(2));
    rg_session *s = session_open(
        e, (rg_session_opts){.ctx = 64, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .max_logits = TOKENS});
    random_tokens(token, TOKENS, vocab, 5);
    eval_all(s, token, TOKENS, 9, vocab, out);
    for (int64_t i = 0; i < TOKENS * vocab; i++) assert_true(isfinite(out[i]));
    rg_session_close(s);
    rg_engine_close(e);
}

/* Reals of GGUF are floats. */
static bool near(double a, double b) { return fabs(a - b) <= 1e-6 * fabs(b); }

static void same_config(const rg_config *a, const rg_config *b, const char *name)
{
    if (a->layers != b->layers || a->window != b->window || a->extra != b->extra ||
        a->rope_dim != b->rope_dim || a->no_pre_norm != b->no_pre_norm ||
        a->whole_qk_norm != b->whole_qk_norm || a->tied != b->tied ||
        memcmp(a->all_seen, b->all_seen, sizeof a->all_seen) != 0 ||
        memcmp(a->unrotated, b->unrotated, sizeof a->unrotated) != 0)
        fail_msg("%s: another model in GGUF", name);
    const double x[] = {a->embd_scale, a->attn_scale, a->resid_scale, a->logit_scale, a->attn_cap,
        a->logit_cap, a->rope_theta, a->rope_local, a->eps, a->q_temp},
                 y[] = {b->embd_scale, b->attn_scale, b->resid_scale, b->logit_scale, b->attn_cap,
                     b->logit_cap, b->rope_theta, b->rope_local, b->eps, b->q_temp};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        if (!near(x[i], y[i]))
            fail_msg("%s: number %zu is %g in GGUF, %g in safetensors", name, i, x[i], y[i]);
}

static void both_forms_are_one_model(void **state)
{
    (void)state;
    for (const rg_shape *s = rg_shapes; s->name; s++) {
        if (s->config.rope_exact_ends) continue; /* GGUF has no key for it: it is another model there */
        rg_ckpt *hf = arch_open(s, 7, RG_SYNTH_SAFETENSORS), *gguf = arch_open(s, 7, RG_SYNTH_GGUF);
        const int64_t n = TOKENS * rg_ckpt_config(hf)->vocab;
        float *a = must_alloc((size_t)n * sizeof *a), *b = must_alloc((size_t)n * sizeof *b);
        logits_of(hf, a);
        if (gguf) {
            same_config(rg_ckpt_config(gguf), rg_ckpt_config(hf), s->name);
            logits_of(gguf, b);
            expect_within(
                rel_diff_f(b, a, n), float_bound(1e-5), "%s: logits of GGUF and safetensors", s->name);
            rg_ckpt_close(gguf);
        }
        free(a);
        free(b);
        rg_ckpt_close(hf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_forms_are_one_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
