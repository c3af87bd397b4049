/* The observer of the forward pass: it sees every operator once, in order, with what the operator wrote, and
 * changes nothing. */
#include "arch_models.h"

enum { TOKENS = 13, MAX_SEEN = 256 };

typedef struct note {
    rg_site site;
    int layer;
    int64_t rows, cols;
    double sum;
} note;

typedef struct notes {
    note n[MAX_SEEN];
    int count;
    float *norm, *q; /* copies of attn_norm and attn_q of layer 1 */
} notes;

static void take(void *user, const rg_seen *s)
{
    notes *v = user;
    assert_true(v->count < MAX_SEEN);
    note *n = &v->n[v->count++];
    *n = (note){.site = s->site, .layer = s->layer, .rows = s->rows, .cols = s->cols};
    for (int64_t i = 0; i < s->rows * s->cols; i++) n->sum += fabs((double)s->data[i]);
    if (s->layer == 1 && s->site == RG_SITE_ATTN_NORM)
        memcpy(v->norm, s->data, sizeof(float) * (size_t)(s->rows * s->cols));
    if (s->layer == 1 && s->site == RG_SITE_ATTN_Q)
        memcpy(v->q, s->data, sizeof(float) * (size_t)(s->rows * s->cols));
}

static void sees_every_operator(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    const rg_config *cfg = rg_ckpt_config(c);
    int32_t t[TOKENS];
    rg_err err = {0};
    random_tokens(t, TOKENS, cfg->vocab, 3);
    for (int unfused = 0; unfused < 2; unfused++)
        for (int threads = 1; threads <= 2; threads++) {
            rg_engine *e = engine_open(c, test_opts(threads));
            rg_session *s = session_open(e,
                (rg_session_opts){.ctx = 32, .unfused = unfused != 0, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32});
            const rg_batch b = {.n = TOKENS, .token = t};
            float *plain = must_alloc(sizeof(float) * (size_t)cfg->vocab);
            assert_int_equal(rg_session_eval(s, &b, RG_PREFILL, NULL, &err), RG_OK);
            memcpy(plain, rg_session_logits(s, 0), sizeof(float) * (size_t)cfg->vocab);

            notes v = {.norm = must_alloc(sizeof(float) * TOKENS * (size_t)cfg->dim),
                .q = must_alloc(sizeof(float) * TOKENS * (size_t)rg_q_dim(cfg))};
            rg_session_truncate(s, 0, 0);
            rg_session_observe(s, take, &v);
            assert_int_equal(rg_session_eval(s, &b, RG_PREFILL, NULL, &err), RG_OK);
            rg_session_observe(s, NULL, NULL);
            assert_memory_equal(plain, rg_session_logits(s, 0), sizeof(float) * (size_t)cfg->vocab);

            static const rg_site order[] = {RG_SITE_ATTN_NORM, RG_SITE_ATTN_Q, RG_SITE_ATTN_K, RG_SITE_ATTN_V,
                RG_SITE_ATTN_ROPE, RG_SITE_ATTN_ROPE, RG_SITE_ATTN_CORE, RG_SITE_ATTN_OUTPUT,
                RG_SITE_ATTN_ADD, RG_SITE_FFN_NORM, RG_SITE_FFN_GATE, RG_SITE_FFN_UP, RG_SITE_FFN_ACT,
                RG_SITE_FFN_DOWN, RG_SITE_FFN_ADD};
            enum { PER_LAYER = sizeof order / sizeof *order };
            assert_int_equal(v.count, 3 + cfg->layers * PER_LAYER);
            assert_int_equal(v.n[0].site, RG_SITE_TOKEN_EMBD);
            for (int i = 0; i < cfg->layers * PER_LAYER; i++) {
                assert_int_equal(v.n[1 + i].site, order[i % PER_LAYER]);
                assert_int_equal(v.n[1 + i].layer, i / PER_LAYER);
                assert_int_equal(v.n[1 + i].rows, TOKENS);
                assert_true(isfinite(v.n[1 + i].sum) && v.n[1 + i].sum > 0.0);
            }
            assert_int_equal(v.n[v.count - 1].site, RG_SITE_OUTPUT);
            assert_int_equal(v.n[v.count - 1].rows, 1); /* only the last token's logits were wanted */
            assert_int_equal(v.n[v.count - 1].cols, cfg->vocab);

            /* the input of a linear site is what rg_site_input says: q = norm Wq^T */
            assert_int_equal(rg_site_input(RG_SITE_ATTN_Q), RG_SITE_ATTN_NORM);
            const rg_ckpt_tensor *w = rg_ckpt_find(c, RG_SITE_ATTN_Q, 1);
            float *row = must_alloc(sizeof(float) * (size_t)w->cols);
            for (int64_t r = 0; r < w->rows; r++) {
                rg_ckpt_row_f32(w, r, row);
                for (int64_t i = 0; i < TOKENS; i++) {
                    double y = 0.0, mag = 0.0;
                    for (int64_t k = 0; k < w->cols; k++) {
                        y += (double)row[k] * (double)v.norm[i * w->cols + k];
                        mag += fabs((double)row[k] * (double)v.norm[i * w->cols + k]);
                    }
                    assert_true(fabs(y - (double)v.q[i * w->rows + r]) <= 1e-5 * mag);
                }
            }
            free(row), free(plain), free(v.norm), free(v.q);
            rg_session_close(s);
            rg_engine_close(e);
        }
    rg_ckpt_close(c);
}

/* What architectures add is seen in its place, and looking changes nothing. */
static void sees_other_architectures(void **state)
{
    (void)state;
    static const struct {
        const char *name, *layer; /* the last one */
    } all[] = {{"qwen3",
                   "attn_norm attn_q attn_k attn_v attn_q_norm attn_k_norm attn_rope attn_rope attn_core "
                   "attn_output "
                   "attn_add ffn_norm ffn_gate ffn_up ffn_act ffn_down ffn_add"},
        {"gemma2",
            "attn_norm attn_q attn_k attn_v attn_rope attn_rope attn_core attn_output attn_post_norm "
            "attn_add ffn_norm "
            "ffn_gate ffn_up ffn_gelu ffn_down ffn_post_norm ffn_add"},
        {"olmo2",
            "attn_q attn_k attn_v attn_q_norm attn_k_norm attn_rope attn_rope attn_core attn_output "
            "attn_post_norm "
            "attn_add ffn_gate ffn_up ffn_act ffn_down ffn_post_norm ffn_add"},
        {"smollm3-listed",
            "attn_norm attn_q attn_k attn_v attn_core attn_output attn_add ffn_norm ffn_gate ffn_up ffn_act "
            "ffn_down ffn_add"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_ckpt *c = arch_model_open(arch_model_named(all[i].name), false);
        const rg_config *cfg = rg_ckpt_config(c);
        const size_t bytes = sizeof(float) * (size_t)cfg->vocab;
        int32_t t[TOKENS];
        rg_err err = {0};
        random_tokens(t, TOKENS, cfg->vocab, 3);
        rg_engine *e = engine_open(c, test_opts(2));
        rg_session *s = session_open(e, (rg_session_opts){.ctx = 32, .fuse = rg_fuse_all()});
        const rg_batch b = {.n = TOKENS, .token = t};
        float *plain = must_alloc(bytes);
        assert_int_equal(rg_session_eval(s, &b, RG_PREFILL, NULL, &err), RG_OK);
        memcpy(plain, rg_session_logits(s, 0), bytes);
        notes v = {.norm = must_alloc(sizeof(float) * TOKENS * (size_t)cfg->dim),
            .q = must_alloc(sizeof(float) * TOKENS * (size_t)rg_q_dim(cfg))};
        rg_session_truncate(s, 0, 0);
        rg_session_observe(s, take, &v);
        assert_int_equal(rg_session_eval(s, &b, RG_PREFILL, NULL, &err), RG_OK);
        rg_session_observe(s, NULL, NULL);
        assert_memory_equal(plain, rg_session_logits(s, 0), bytes);
        char got[512] = "";
        for (int k = 0; k < v.count; k++) {
            assert_true(isfinite(v.n[k].sum) && v.n[k].sum > 0.0);
            if (v.n[k].layer == cfg->layers - 1)
                snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", got[0] ? " " : "",
                    rg_site_name(v.n[k].site));
        }
        assert_string_equal(got, all[i].layer);
        free(plain), free(v.norm), free(v.q);
        rg_session_close(s);
        rg_engine_close(e);
        rg_ckpt_close(c);
    }
}

/* One weight may get a type of its own, and only that one changes. */
static int only_up(void *user, rg_site site, int layer)
{
    (void)user;
    return site == RG_SITE_FFN_UP && layer == 1 ? RG_WT_Q4G32 : -1;
}

static void one_weight_of_another_type(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    const rg_config *cfg = rg_ckpt_config(c);
    rg_engine_opts o = test_opts(1);
    uint64_t plain, mixed;
    assert_int_equal(rg_plan_weights(c, &o, &plain, NULL), RG_OK);
    o.type_of = only_up;
    assert_int_equal(rg_plan_weights(c, &o, &mixed, NULL), RG_OK);
    const int64_t saved =
        rg_packed_bytes(RG_WT_F32, cfg->ffn, cfg->dim) - rg_packed_bytes(RG_WT_Q4G32, cfg->ffn, cfg->dim);
    assert_true(llabs((long long)(plain - mixed) - saved) <= 64); /* alignment */
    rg_engine *e = engine_open(c, o);
    rg_session *s = session_open(e, (rg_session_opts){.ctx = 32});
    int32_t t[TOKENS];
    random_tokens(t, TOKENS, cfg->vocab, 3);
    assert_int_equal(rg_session_eval(s, &(rg_batch){.n = TOKENS, .token = t}, RG_PREFILL, NULL, NULL), RG_OK);
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sees_every_operator),
        cmocka_unit_test(sees_other_architectures), cmocka_unit_test(one_weight_of_another_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
