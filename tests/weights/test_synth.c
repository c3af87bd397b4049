/* The synthesiser: reproducible, sane numbers, nothing left behind. */
#include "ckpt_fixture.h"

#include "base/num.h"

#include <sys/stat.h>

static void same_seed_same_file(void **state)
{
    (void)state;
    const rg_config c = tiny_config();
    size_t n[3];
    void *p[3];
    for (int i = 0; i < 3; i++) {
        synth(&c, RG_FT_F16, RG_SYNTH_GGUF, i < 2 ? 7 : 8, at("s.gguf"));
        p[i] = read_all(at("s.gguf"), &n[i]);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(p[0], p[1], n[0]);
    assert_int_equal(n[0], n[2]);
    assert_true(memcmp(p[0], p[2], n[0]) != 0);
    for (int i = 0; i < 3; i++) free(p[i]);
}

/* Mean and deviation of a tensor. */
static void moments(const rg_ckpt_tensor *t, double *mean, double *std)
{
    float *f = malloc((size_t)t->cols * sizeof *f);
    double s = 0.0, s2 = 0.0;
    assert_non_null(f);
    for (int64_t r = 0; r < t->rows; r++) {
        rg_ckpt_row_f32(t, r, f);
        for (int64_t k = 0; k < t->cols; k++) {
            assert_true(isfinite(f[k]));
            s += (double)f[k];
            s2 += (double)f[k] * (double)f[k];
        }
    }
    const double n = (double)(t->rows * t->cols);
    *mean = s / n;
    *std = sqrt(s2 / n - *mean * *mean);
    free(f);
}

static void weights_are_normal_and_scaled(void **state)
{
    (void)state;
    rg_config c = tiny_config();
    c.dim = 256;
    c.ffn = 512;
    c.head_dim = 64;
    c.layers = 2;
    c.vocab = 360;
    synth(&c, RG_FT_F16, RG_SYNTH_GGUF, 9, at("w.gguf"));
    rg_ckpt *k = must_open(at("w.gguf"));
    for (size_t i = 0; i < rg_ckpt_count(k); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(k, i);
        double mean, std, want = 1.0 / sqrt((double)t->cols);
        if (t->site == RG_SITE_ATTN_OUTPUT || t->site == RG_SITE_FFN_DOWN) want /= 2.0; /* sqrt(2 layers) */
        if (t->site == RG_SITE_TOKEN_EMBD) want *= 2.0;                                 /* tied */
        moments(t, &mean, &std);
        if (rg_site_op(t->site) == RG_OP_RMSNORM) {
            assert_true(fabs(mean - 1.0) < 0.02 && std > 0.03 && std < 0.07);
        } else {
            assert_true(fabs(mean) < 0.01 * want + 4.0 * want / sqrt((double)(t->rows * t->cols)));
            assert_true(fabs(std / want - 1.0) < 0.03);
        }
    }
    /* tensors and rows differ from one another */
    float a[256], b[256];
    rg_ckpt_row_f32(rg_ckpt_find(k, RG_SITE_ATTN_Q, 0), 0, a);
    rg_ckpt_row_f32(rg_ckpt_find(k, RG_SITE_ATTN_Q, 1), 0, b);
    assert_true(memcmp(a, b, sizeof a) != 0);
    rg_ckpt_row_f32(rg_ckpt_find(k, RG_SITE_ATTN_Q, 0), 1, b);
    assert_true(memcmp(a, b, sizeof a) != 0);
    rg_ckpt_close(k);
}

/* A GGUF of Phi-3 holds gate and up as one matrix, as other programs expect; the rows are those of the
 * checkpoint in safetensors. */
static void phi_has_one_matrix_of_gate_and_up(void **state)
{
    (void)state;
    rg_config c = tiny_config();
    snprintf(c.arch, sizeof c.arch, "phi3");
    synth(&c, RG_FT_F16, RG_SYNTH_GGUF, 11, at("phi.gguf"));
    synth(&c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 11, at("phi"));
    size_t n;
    char *file = read_all(at("phi.gguf"), &n);
    static const char gate[] = "blk.0.ffn_gate.weight", up[] = "blk.0.ffn_up.weight";
    assert_null(memmem(file, n, gate, sizeof gate - 1));
    const char *found = memmem(file, n, up, sizeof up - 1);
    assert_non_null(found);
    int64_t dim[2];
    memcpy(dim, found + sizeof up - 1 + 4, sizeof dim);
    assert_int_equal(dim[0], c.dim);
    assert_int_equal(dim[1], 2 * c.ffn);
    free(file);
    rg_ckpt *a = must_open(at("phi.gguf")), *b = must_open(at("phi"));
    float *row = malloc(2 * (size_t)c.dim * sizeof *row);
    assert_non_null(row);
    for (int64_t i = 0; i < 2 * c.ffn; i++) {
        const rg_site site = i < c.ffn ? RG_SITE_FFN_GATE : RG_SITE_FFN_UP;
        rg_ckpt_row_f32(rg_ckpt_find(a, site, 0), i % c.ffn, row);
        rg_ckpt_row_f32(rg_ckpt_find(b, site, 0), i % c.ffn, row + c.dim);
        assert_memory_equal(row, row + c.dim, (size_t)c.dim * sizeof *row);
    }
    free(row);
    rg_ckpt_close(a);
    rg_ckpt_close(b);
}

static void configurations_survive(void **state)
{
    (void)state;
    for (const rg_shape *s = rg_shapes; s->name; s++) {
        rg_config c;
        rg_shape_config(s, &c);
        assert_ptr_equal(rg_shape_find(s->name), s);
        assert_int_equal(c.dim % c.heads, 0);
        assert_int_equal(c.heads % c.kv_heads, 0);
        c.dim = 32; /* the same model, but small */
        c.ffn = c.experts ? 0 : 32;
        if (c.experts) c.expert_ffn = 32;
        c.layers = 1;
        c.heads = 2 * c.kv_heads;
        c.head_dim = 4;
        if (c.rope_dim) c.rope_dim = 2;
        c.vocab = 400;
        for (int gguf = 0; gguf < (strcmp(c.arch, "olmo3") ? 2 : 1); gguf++) {
            synth(&c, RG_FT_F32, gguf ? RG_SYNTH_GGUF : RG_SYNTH_SAFETENSORS, 3, at(gguf ? "c.gguf" : "c"));
            rg_ckpt *k = must_open(at(gguf ? "c.gguf" : "c"));
            const rg_config *f = rg_ckpt_config(k);
            assert_int_equal(f->ctx_train, c.ctx_train);
            assert_int_equal(f->tied, c.tied);
            assert_true(f->experts == c.experts && f->experts_used == c.experts_used &&
                f->expert_ffn == c.expert_ffn && f->experts_norm == c.experts_norm);
            assert_int_equal(f->head_dim, 4);
            assert_int_equal(f->bos, 1);
            assert_true(fabs(f->rope_theta - c.rope_theta) < 1e-6 * c.rope_theta &&
                fabs(f->eps - c.eps) < 1e-6 * c.eps);
            /* baked into divisors: the highest frequency stays, the lowest is divided by the factor */
            if (c.rope_scaling == RG_ROPE_LLAMA3 && gguf) {
                assert_non_null(rg_ckpt_rope_freqs(k));
                assert_true(rg_ckpt_rope_freqs(k)[0] == 1.0f);
            } else {
                assert_null(rg_ckpt_rope_freqs(k));
                assert_int_equal(f->rope_scaling, c.rope_scaling);
            }
            assert_int_equal(rg_ckpt_embedded_vocab(k) != NULL, gguf);
            assert_int_equal(rg_ckpt_tokenizer_path(k) != NULL, !gguf);
            rg_ckpt_close(k);
        }
        drop_hf(at("c"));
    }
    assert_null(rg_shape_find("llama-5"));
}

static rg_stop_flag stop_now;

static void stop_at_half(void *user, const char *what, double fraction)
{
    (void)what;
    *(double *)user = fraction;
    if (fraction > 0.4) stop_now = 1;
}

static void a_stop_leaves_nothing(void **state)
{
    (void)state;
    rg_config c = tiny_config();
    c.vocab = 400;
    const int before = dir_entries();
    for (int gguf = 0; gguf < 2; gguf++) {
        rg_err err = {0};
        double seen = 0.0;
        stop_now = 0;
        assert_int_equal(rg_synth_write(&c, RG_FT_F32, gguf ? RG_SYNTH_GGUF : RG_SYNTH_SAFETENSORS, 1,
                             at("stopped"), stop_at_half, &seen, &stop_now, &err),
            RG_E_INTERRUPTED);
        assert_true(seen > 0.4);
        assert_int_equal(dir_entries(), before);
    }
    /* in a directory that was there, only what is not ours stays */
    char sub[512], p[600];
    snprintf(sub, sizeof sub, "%s", at("kept"));
    mkdir(sub, 0777);
    snprintf(p, sizeof p, "%s/notes.txt", sub);
    write_text(p, "mine");
    double seen = 0.0;
    rg_err err = {0};
    stop_now = 0;
    assert_int_equal(
        rg_synth_write(&c, RG_FT_F32, RG_SYNTH_SAFETENSORS, 1, sub, stop_at_half, &seen, &stop_now, &err),
        RG_E_INTERRUPTED);
    assert_int_equal(access(p, R_OK), 0);
    snprintf(p, sizeof p, "%s/model.safetensors", sub);
    assert_int_equal(access(p, R_OK), -1);
    drop_hf(sub);
}

static void what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    rg_config c = tiny_config();
    rg_err err = {0};
    assert_int_equal(rg_synth_write(&c, RG_FT_Q8_0, RG_SYNTH_SAFETENSORS, 1, at("x"), NULL, NULL, NULL, &err),
        RG_E_UNSUPPORTED);
    assert_int_equal(
        rg_synth_write(&c, RG_FT_F16, RG_SYNTH_GGUF, 1, at("no/such/dir.gguf"), NULL, NULL, NULL, &err),
        RG_E_FILE);
    assert_int_equal(
        rg_synth_write(&c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 1, at("no/such/dir"), NULL, NULL, NULL, &err),
        RG_E_FILE);
    snprintf(c.arch, sizeof c.arch, "granitemoehybrid");
    assert_int_equal(rg_synth_write(&c, RG_FT_F16, RG_SYNTH_GGUF, 1, at("x.gguf"), NULL, NULL, NULL, &err),
        RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "GGUF has no word for Granite 4 models"));
    snprintf(c.arch, sizeof c.arch, "llama");
    c.ffn = 72; /* down_proj rows are not whole blocks */
    assert_int_equal(rg_synth_write(&c, RG_FT_Q4_0, RG_SYNTH_GGUF, 1, at("x.gguf"), NULL, NULL, NULL, &err),
        RG_E_UNSUPPORTED);
    c.kv_heads = 3;
    assert_int_equal(
        rg_synth_write(&c, RG_FT_F16, RG_SYNTH_GGUF, 1, at("x.gguf"), NULL, NULL, NULL, &err), RG_E_FILE);
    assert_int_equal(access(at("x.gguf"), F_OK), -1);
    assert_int_equal(access(at("x"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_seed_same_file),
        cmocka_unit_test(weights_are_normal_and_scaled), cmocka_unit_test(phi_has_one_matrix_of_gate_and_up),
        cmocka_unit_test(configurations_survive), cmocka_unit_test(a_stop_leaves_nothing),
        cmocka_unit_test(what_cannot_be_written_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
