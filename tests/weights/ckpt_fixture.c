/* Writes the small files that the checkpoint tests open. */
#include "ckpt_fixture.h"

#include "base/num.h"
#include "base/text.h"
#include "tempdir.h"

rg_config tiny_config(void)
{
    rg_config c = {.arch = "llama",
        .name = "tiny",
        .dim = 32,
        .ffn = 64,
        .layers = 1,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 8,
        .vocab = 16,
        .ctx_train = 16,
        .eps = 1e-5,
        .rope_theta = 10000.0,
        .tied = true,
        .bos = 1,
        .eos = {2},
        .n_eos = 1};
    return c;
}

rg_config arch_config(const rg_arch *a)
{
    const int t = a->traits;
    rg_config c = tiny_config();
    snprintf(c.arch, sizeof c.arch, "%s", a->word[RG_ARCH_TYPE]);
    c.layers = 4;
    c.ctx_train = 64;
    if (a->window && !(t & RG_HAS_SWITCH)) c.window = 8;
    for (int64_t l = 0; l < c.layers; l++) {
        if (c.window && a->every && (l + 1) % a->every == 0) rg_layer_set(c.all_seen, l);
        if (a->nope && (l + 1) % a->nope == 0) rg_layer_set(c.unrotated, l);
    }
    if (t & (RG_HAS_FULL_SCALED | RG_HAS_TEMPERATURE | RG_HAS_CLAMPED)) {
        c.rope_scaling = RG_ROPE_YARN;
        c.rope_factor = 4.0;
        c.rope_beta_fast = 32.0;
        c.rope_beta_slow = 1.0;
        c.rope_orig_ctx = 16;
        c.rope_magnitude = t & RG_HAS_TEMPERATURE ? 1.25 : 0.1 * log(4.0) + 1.0;
    }
    if (t & RG_HAS_FULL_SCALED) c.rope_local = c.rope_theta;
    if (t & RG_HAS_LOCAL) c.rope_local = 5000.0;
    if (t & RG_HAS_TEMPERATURE) c.q_temp = 0.125;
    if (t & RG_HAS_PARTIAL) c.rope_dim = 6;
    if (t & RG_HAS_CAPS) c.attn_cap = 40.0, c.logit_cap = 20.0;
    if (t & RG_HAS_Q_SCALAR) c.attn_scale = 0.25;
    if (t & RG_HAS_FACTORS) c.attn_scale = 0.5;
    if (t & (RG_HAS_FACTORS | RG_HAS_MINICPM)) c.embd_scale = 12.0, c.resid_scale = 0.75, c.logit_scale = 4.0;
    if (t & RG_HAS_QKV_BIAS)
        c.extra |= rg_site_bit(RG_SITE_ATTN_Q_BIAS) | rg_site_bit(RG_SITE_ATTN_K_BIAS) |
            rg_site_bit(RG_SITE_ATTN_V_BIAS);
    if (t & RG_HAS_MOE) c.experts = 6, c.experts_used = 2, c.expert_ffn = 32, c.experts_norm = a->norm;
    if (t & RG_HAS_CLAMPED)
        c.extra |= rg_site_bit(RG_SITE_ATTN_Q_BIAS) | rg_site_bit(RG_SITE_ATTN_K_BIAS) |
            rg_site_bit(RG_SITE_ATTN_V_BIAS) | rg_site_bit(RG_SITE_ATTN_OUTPUT_BIAS) |
            rg_site_bit(RG_SITE_FFN_GATE_INP_BIAS);
    if (t & RG_HAS_SHARED_EXPERT) c.shared_ffn = 16;
    rg_arch_apply(&c, a);
    return c;
}

const char *at(const char *name) { return temp_at(name); }

int dir_entries(void) { return temp_entries(); }

void drop_hf(const char *path) { remove_tree(path); }

void write_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

void write_text(const char *path, const char *text) { write_file(path, text, strlen(text)); }

void cut_file(const char *path, size_t n) { assert_int_equal(truncate(path, (off_t)n), 0); }

void put_le(unsigned char *p, uint64_t v, int width)
{
    for (int i = 0; i < width; i++) p[i] = (unsigned char)(v >> (8 * i));
}

void synth(const rg_config *c, rg_ftype type, rg_synth_format format, uint64_t seed, const char *path)
{
    rg_err err = {0};
    if (rg_synth_write(c, type, format, seed, path, NULL, NULL, NULL, &err) != RG_OK) fail_msg("%s", err.msg);
}

rg_status try_open(const char *path, rg_err *err)
{
    rg_ckpt *c = (rg_ckpt *)1;
    *err = (rg_err){0};
    const rg_status st = rg_ckpt_open(&c, path, err);
    if (st != RG_OK) assert_null(c);
    rg_ckpt_close(c);
    return st;
}

void must_refuse(const char *label, const char *path, rg_status code, const char *word)
{
    rg_err err;
    const char *slash = strrchr(path, '/');
    const rg_status st = try_open(path, &err);
    if (st != code) fail_msg("%s: status %d, expected %d: %s", label, (int)st, (int)code, err.msg);
    if (err.code != code) fail_msg("%s: the error says %d, expected %d", label, (int)err.code, (int)code);
    if (!strstr(err.msg, slash + 1)) fail_msg("%s: the message does not name the file: %s", label, err.msg);
    if (word && !strstr(err.msg, word)) fail_msg("%s: the message lacks '%s': %s", label, word, err.msg);
    if (strchr(err.msg, '\n')) fail_msg("%s: more than one line", label);
}

rg_ckpt *must_open(const char *path)
{
    rg_ckpt *c = NULL;
    rg_err err = {0};
    if (rg_ckpt_open(&c, path, &err) != RG_OK) fail_msg("%s", err.msg);
    return c;
}

void same_model(const rg_ckpt *a, const rg_ckpt *b, float rel)
{
    const rg_config *x = rg_ckpt_config(a);
    float *p = malloc((size_t)(rg_max(rg_max(x->dim, x->ffn), rg_q_dim(x))) * sizeof *p),
          *q = malloc((size_t)(rg_max(rg_max(x->dim, x->ffn), rg_q_dim(x))) * sizeof *q);
    assert_true(p && q);
    assert_int_equal(rg_ckpt_count(a), rg_ckpt_count(b));
    for (size_t i = 0; i < rg_ckpt_count(a); i++) {
        const rg_ckpt_tensor *s = rg_ckpt_at(a, i), *t = rg_ckpt_find(b, s->site, s->layer);
        assert_non_null(t);
        assert_int_equal(s->rows, t->rows);
        assert_int_equal(s->cols, t->cols);
        for (int64_t r = 0; r < s->rows; r++) {
            float big = 0.0f;
            rg_ckpt_row_f32(s, r, p);
            rg_ckpt_row_f32(t, r, q);
            for (int64_t k = 0; k < s->cols; k++) big = fmaxf(big, fabsf(p[k]));
            for (int64_t k = 0; k < s->cols; k++)
                if (!(fabsf(p[k] - q[k]) <= rel * big))
                    fail_msg("%s and %s: row %lld, column %lld: %g and %g", s->file_name, t->file_name,
                        (long long)r, (long long)k, (double)p[k], (double)q[k]);
        }
    }
    free(p);
    free(q);
}

long long st_entries(st_entry *e)
{
    static const struct {
        const char *name;
        int rows, cols; /* rows 0: a vector */
    } all[TINY_TENSORS] = {{"model.embed_tokens.weight", 16, 32},
        {"model.layers.0.input_layernorm.weight", 0, 32}, {"model.layers.0.self_attn.q_proj.weight", 32, 32},
        {"model.layers.0.self_attn.k_proj.weight", 16, 32},
        {"model.layers.0.self_attn.v_proj.weight", 16, 32},
        {"model.layers.0.self_attn.o_proj.weight", 32, 32},
        {"model.layers.0.post_attention_layernorm.weight", 0, 32},
        {"model.layers.0.mlp.gate_proj.weight", 64, 32}, {"model.layers.0.mlp.up_proj.weight", 64, 32},
        {"model.layers.0.mlp.down_proj.weight", 32, 64}, {"model.norm.weight", 0, 32}};
    long long pos = 0;
    for (int i = 0; i < TINY_TENSORS; i++) {
        e[i] = (st_entry){.dtype = "F32", .begin = pos};
        snprintf(e[i].name, sizeof e[i].name, "%s", all[i].name);
        if (all[i].rows)
            snprintf(e[i].shape, sizeof e[i].shape, "[%d,%d]", all[i].rows, all[i].cols);
        else
            snprintf(e[i].shape, sizeof e[i].shape, "[%d]", all[i].cols);
        pos += 4LL * (all[i].rows ? all[i].rows : 1) * all[i].cols;
        e[i].end = pos;
    }
    return pos;
}

size_t st_write(const char *path, const st_entry *e, int n, long long bytes)
{
    char text[8192] = "{";
    unsigned char len[8];
    for (int i = 0; i < n; i++) {
        const size_t k = strlen(text);
        snprintf(text + k, sizeof text - k,
            "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%lld,%lld]}", i ? "," : "", e[i].name,
            e[i].dtype, e[i].shape, e[i].begin, e[i].end);
    }
    strcat(text, "}");
    const size_t head = strlen(text);
    put_le(len, head, 8);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(len, 1, 8, f);
    fwrite(text, 1, head, f);
    for (long long i = 0; i < bytes; i++) fputc((int)(i % 4 == 3 ? 0x3d : i % 251), f); /* small floats */
    fclose(f);
    return 8 + head;
}

void config_write(const char *path, const char *const *overrides)
{
    static const char *const base[][2] = {{"architectures", "[\"LlamaForCausalLM\"]"},
        {"model_type", "\"llama\""}, {"hidden_size", "32"}, {"intermediate_size", "64"},
        {"num_hidden_layers", "1"}, {"num_attention_heads", "4"}, {"num_key_value_heads", "2"},
        {"vocab_size", "16"}, {"max_position_embeddings", "16"}, {"rms_norm_eps", "1e-5"},
        {"rope_theta", "10000.0"}, {"hidden_act", "\"silu\""}, {"tie_word_embeddings", "true"},
        {"bos_token_id", "1"}, {"eos_token_id", "2"}};
    FILE *f = fopen(path, "wb");
    bool comma = false;
    assert_non_null(f);
    fputc('{', f);
    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        bool ours = true;
        for (const char *const *o = overrides; o && *o && i == 1; o += 2) /* the class says it */
            if (strcmp(*o, "architectures") == 0) ours = false;
        for (const char *const *o = overrides; o && *o; o += 2)
            if (strcmp(*o, base[i][0]) == 0) ours = false;
        if (ours) fprintf(f, "%s\"%s\": %s", comma ? ", " : "", base[i][0], base[i][1]);
        comma |= ours;
    }
    for (const char *const *o = overrides; o && *o; o += 2)
        if (o[1]) {
            fprintf(f, "%s\"%s\": %s", comma ? ", " : "", o[0], o[1]);
            comma = true;
        }
    fputc('}', f);
    fclose(f);
}

const char *config_summary(const rg_config *c)
{
    static char s[400];
    int64_t slide = 0, still = 0;
    for (int64_t l = 0; l < c->layers; l++) {
        slide += rg_layer_window(c, l) > 0;
        still += !rg_layer_rotates(c, l);
    }
    static const char *const scaling[] = {"none", "linear", "llama3", "yarn", "longrope"};
    rg_text(s, sizeof s, "%s %lldx%lld, %lld of %lld/%lld x %lld, rope %g", c->arch, (long long)c->dim,
        (long long)c->ffn, (long long)c->layers, (long long)c->heads, (long long)c->kv_heads,
        (long long)c->head_dim, c->rope_theta);
    if (c->experts)
        rg_text_add(s, sizeof s, ", %lld of %lld experts of %lld%s", (long long)c->experts_used,
            (long long)c->experts, (long long)c->expert_ffn, c->experts_norm ? ", sum 1" : "");
    if (c->shared_ffn) rg_text_add(s, sizeof s, ", shared %lld", (long long)c->shared_ffn);
    if (c->rope_dim) rg_text_add(s, sizeof s, " on %lld", (long long)c->rope_dim);
    if (c->rope_local > 0.0) rg_text_add(s, sizeof s, " and %g", c->rope_local);
    if (c->rope_scaling != RG_ROPE_NONE)
        rg_text_add(s, sizeof s, " %s %g of %lld", scaling[c->rope_scaling], c->rope_factor,
            (long long)c->rope_orig_ctx);
    if (c->rope_magnitude > 0.0 && c->rope_magnitude != 1.0)
        rg_text_add(s, sizeof s, " times %.5g", c->rope_magnitude);
    if (slide) rg_text_add(s, sizeof s, ", window %lld in %lld", (long long)c->window, (long long)slide);
    if (still) rg_text_add(s, sizeof s, ", %lld unrotated", (long long)still);
    if (c->q_temp > 0.0) rg_text_add(s, sizeof s, ", queries by %g", c->q_temp);
    if (c->attn_cap > 0.0) rg_text_add(s, sizeof s, ", scores to %g", c->attn_cap);
    if (c->logit_cap > 0.0) rg_text_add(s, sizeof s, ", logits to %g", c->logit_cap);
    if (c->embd_scale != 0.0) rg_text_add(s, sizeof s, ", x0 by %.5g", c->embd_scale);
    if (c->attn_scale != 0.0) rg_text_add(s, sizeof s, ", scores by %.5g", c->attn_scale);
    if (c->resid_scale != 0.0) rg_text_add(s, sizeof s, ", blocks by %.5g", c->resid_scale);
    if (c->logit_scale != 0.0) rg_text_add(s, sizeof s, ", logits over %.5g", c->logit_scale);
    if (c->whole_qk_norm || c->extra & rg_site_bit(RG_SITE_ATTN_Q_NORM))
        rg_text_add(s, sizeof s, ", %s norms of q and k", c->whole_qk_norm ? "whole" : "head");
    if (c->extra & rg_site_bit(RG_SITE_ATTN_POST_NORM))
        rg_text_add(s, sizeof s, ", norms behind%s", c->no_pre_norm ? " only" : "");
    if (c->extra & rg_site_bit(RG_SITE_FFN_GELU)) rg_text_add(s, sizeof s, ", gelu");
    if (c->extra & rg_site_bit(RG_SITE_ATTN_SINKS)) rg_text_add(s, sizeof s, ", sinks");
    if (c->extra & rg_site_bit(RG_SITE_FFN_CLAMP_EXPS)) rg_text_add(s, sizeof s, ", clamped");
    if (c->extra & rg_site_bit(RG_SITE_ATTN_Q_BIAS)) rg_text_add(s, sizeof s, ", biases");
    if (c->tied) rg_text_add(s, sizeof s, ", tied");
    return s;
}
