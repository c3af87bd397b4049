/* config.json of a Hugging Face directory. Architectures and features that we lack are refused by name. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weights/ckpt_impl.h"
#include "weights/scheme.h"

static const struct {
    const char *arch, *lacks;
} refused[] = {{"Qwen2Moe", "mixture of experts"}, {"Qwen2VL", "images"}, {"Qwen2_5_VL", "images"},
    {"Qwen3", "QK-norm"}, {"SmolLM3", "layers without RoPE (NoPE)"}, {"Gemma", "its norms and activation"},
    {"Phi3", "fused QKV and gate-up matrices"}, {"Phi", "its parallel blocks and biases"},
    {"Mixtral", "mixture of experts"}, {"Deepseek", "latent attention"}, {"Falcon", "its fused QKV"},
    {"GPTNeoX", "its parallel blocks"}, {"GPT2", "learned positions"}, {"Olmo", "its norms"},
    {"Cohere", "its parallel blocks"}, {"GraniteMoe", "mixture of experts"},
    {"InternLM", "its fused or biased projections"}, {"Baichuan", "its fused QKV"},
    {"ChatGLM", "its fused matrices"}, {"Starcoder", "its norms and learned biases"},
    {"StableLm", "its norms and partial RoPE"}, {"Bloom", "ALiBi"}, {"MPT", "ALiBi"},
    {"Exaone", "its names and layout"}, {"Llama4", "mixture of experts and layers without RoPE"},
    {"MobileLLM", "its shared blocks"}};

/* Architectures that are Llama but for what a column says. */
typedef struct family {
    const char *arch;
    bool qkv_bias;    /* always */
    bool attn_bias;   /* q, k, v and o if attention_bias */
    bool mlp_bias;    /* if mlp_bias */
    bool multipliers; /* Granite's four factors */
    int64_t window;   /* default of sliding_window; 0: the key means nothing */
} family;

static const family families[] = {{"LlamaForCausalLM", .attn_bias = true, .mlp_bias = true},
    {"MistralForCausalLM", .window = 4096}, {"Qwen2ForCausalLM", .qkv_bias = true},
    {"GraniteForCausalLM", .attn_bias = true, .mlp_bias = true, .multipliers = true}};

static rg_status find_family(const family **f, const char *path, const char *arch, rg_err *err)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(arch, families[i].arch) == 0) {
            *f = &families[i];
            return RG_OK;
        }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strncmp(arch, refused[i].arch, strlen(refused[i].arch)) == 0)
            return rg_fail(err, RG_E_UNSUPPORTED,
                "%s: %.60s needs %s, which Ridge does not have; expected a Llama, Mistral, Qwen2 or Granite "
                "model",
                path, arch, refused[i].lacks);
    return rg_fail(err, RG_E_UNSUPPORTED,
        "%s: architecture %.60s, expected LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM or "
        "GraniteForCausalLM",
        path, arch);
}

/* An integer field: fallback where it is absent or null; anything that is not an integer becomes -1, which
 * the range check refuses. */
static int64_t integer(const json_t *o, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) return fallback;
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

static double number(const json_t *o, const char *key, double fallback)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) return fallback;
    return json_is_number(v) ? json_number_value(v) : -1.0;
}

static rg_status read_rope(rg_config *c, const json_t *root, const char *path, rg_err *err)
{
    const json_t *p = json_object_get(root, "rope_parameters"); /* transformers 5 */
    const json_t *s = json_is_object(p) ? p : json_object_get(root, "rope_scaling");
    const double partial = number(p, "partial_rotary_factor", number(root, "partial_rotary_factor", 1.0));
    if (partial != 1.0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: partial_rotary_factor is %g: RoPE on a part of a head is not supported", path, partial);
    c->rope_theta = number(p, "rope_theta", number(root, "rope_theta", 10000.0));
    if (!json_is_object(s)) return RG_OK;
    const json_t *kind = json_object_get(s, "rope_type");
    if (!kind) kind = json_object_get(s, "type");
    const char *k = json_string_value(kind);
    if (!k && json_object_get(s, "factor"))
        return rg_fail(
            err, RG_E_FILE, "%s: rope_scaling has a factor but no rope_type: the scaling is unknown", path);
    if (!k || strcmp(k, "default") == 0) return RG_OK;
    c->rope_factor = number(s, "factor", -1.0);
    if (strcmp(k, "linear") == 0) {
        c->rope_scaling = RG_ROPE_LINEAR;
    } else if (strcmp(k, "llama3") == 0) {
        c->rope_scaling = RG_ROPE_LLAMA3;
        c->rope_low_freq = number(s, "low_freq_factor", -1.0);
        c->rope_high_freq = number(s, "high_freq_factor", -1.0);
        c->rope_orig_ctx = integer(s, "original_max_position_embeddings", -1);
        if (!(c->rope_low_freq > 0.0 && c->rope_high_freq > c->rope_low_freq) || c->rope_orig_ctx < 1)
            return rg_fail(err, RG_E_FILE,
                "%s: rope_scaling llama3: factors %g and %g, original context %lld: impossible", path,
                c->rope_low_freq, c->rope_high_freq, (long long)c->rope_orig_ctx);
    } else {
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: rope scaling '%.40s' is not supported; expected none, linear or llama3", path, k);
    }
    if (!(c->rope_factor >= 1.0 && c->rope_factor < 1e6))
        return rg_fail(
            err, RG_E_FILE, "%s: rope scaling factor %g, expected 1 or more", path, c->rope_factor);
    return RG_OK;
}

static void read_eos(rg_config *c, const json_t *v)
{
    for (size_t i = 0; i < (json_is_array(v) ? json_array_size(v) : 1); i++) {
        const json_t *e = json_is_array(v) ? json_array_get(v, i) : v;
        if (json_is_integer(e) && json_integer_value(e) >= 0 && json_integer_value(e) < RG_MAX_VOCAB &&
            c->n_eos < RG_MAX_EOS)
            c->eos[c->n_eos++] = (int32_t)json_integer_value(e);
    }
}

static rg_status read_factor(
    double *v, const json_t *root, const char *key, double fallback, const char *path, rg_err *err)
{
    *v = number(root, key, fallback);
    if (isfinite(*v) && *v > 0.0 && *v < 1e6) return RG_OK;
    return rg_fail(err, RG_E_FILE, "%s: %s is %g, expected more than 0", path, key, *v);
}

/* Fields that change the arithmetic; what we do not have is refused. */
static rg_status read_features(
    rg_config *c, const json_t *root, const char *path, const family *f, rg_err *err)
{
    const char *act = json_string_value(json_object_get(root, "hidden_act"));
    rg_status st = RG_OK;
    if (act && strcmp(act, "silu") != 0)
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: hidden_act '%.40s', expected silu", path, act);
    const uint64_t qkv = rg_site_bit(RG_SITE_ATTN_Q_BIAS) | rg_site_bit(RG_SITE_ATTN_K_BIAS) |
        rg_site_bit(RG_SITE_ATTN_V_BIAS);
    if (f->qkv_bias) c->extra |= qkv;
    if (f->attn_bias && json_is_true(json_object_get(root, "attention_bias")))
        c->extra |= qkv | rg_site_bit(RG_SITE_ATTN_OUTPUT_BIAS);
    if (f->mlp_bias && json_is_true(json_object_get(root, "mlp_bias")))
        c->extra |= rg_site_bit(RG_SITE_FFN_GATE_BIAS) | rg_site_bit(RG_SITE_FFN_UP_BIAS) |
            rg_site_bit(RG_SITE_FFN_DOWN_BIAS);
    if (f->window) {
        const json_t *w = json_object_get(root, "sliding_window");
        c->window = json_is_null(w) ? 0 : integer(root, "sliding_window", f->window);
        if (c->window < 0 || (w && !json_is_null(w) && c->window == 0))
            return rg_fail(err, RG_E_FILE, "%s: sliding_window is not a positive whole number", path);
    }
    if (json_is_true(json_object_get(root, "use_sliding_window")))
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: use_sliding_window: windows on some layers only are not supported", path);
    if (!f->multipliers) return RG_OK;
    if ((st = read_factor(&c->embd_scale, root, "embedding_multiplier", 1.0, path, err)) != RG_OK) return st;
    if ((st = read_factor(&c->attn_scale, root, "attention_multiplier", 1.0, path, err)) != RG_OK) return st;
    if ((st = read_factor(&c->resid_scale, root, "residual_multiplier", 1.0, path, err)) != RG_OK) return st;
    if ((st = read_factor(&c->logit_scale, root, "logits_scaling", 1.0, path, err)) != RG_OK) return st;
    rg_config_factors(c);
    return RG_OK;
}

rg_status rg_config_from_json(rg_config *c, rg_scheme *scheme, const char *dir, rg_err *err)
{
    json_error_t je;
    char *path = rg_path_join(dir, "config.json"), *gen = rg_path_join(dir, "generation_config.json");
    json_t *root = NULL, *g = NULL;
    rg_status st = RG_OK;
    if (!path || !gen) {
        st = rg_fail(err, RG_E_NOMEM, "%s: out of memory", dir);
        goto out;
    }
    if (access(path, R_OK) != 0) {
        st = rg_fail(err, RG_E_FILE,
            "%s: cannot read: %s; a checkpoint directory holds config.json and model.safetensors", path,
            strerror(errno));
        goto out;
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        st = rg_fail(err, RG_E_FILE, "%s: cannot read the configuration: %.200s (line %d)", path,
            root ? "not an object" : je.text, root ? 1 : je.line);
        goto out;
    }
    const char *arch = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const char *type = json_string_value(json_object_get(root, "model_type"));
    if (!arch) arch = type && strcmp(type, "llama") == 0 ? "LlamaForCausalLM" : "(none named)";
    const family *f = NULL;
    if ((st = find_family(&f, path, arch, err)) != RG_OK) goto out;
    snprintf(c->arch, sizeof c->arch, "%.60s", type ? type : "llama");
    c->dim = integer(root, "hidden_size", -1);
    c->ffn = integer(root, "intermediate_size", -1);
    c->layers = integer(root, "num_hidden_layers", -1);
    c->heads = integer(root, "num_attention_heads", -1);
    c->kv_heads = integer(root, "num_key_value_heads", c->heads);
    c->head_dim = integer(root, "head_dim", c->heads > 0 && c->dim % c->heads == 0 ? c->dim / c->heads : -1);
    c->vocab = integer(root, "vocab_size", -1);
    c->ctx_train = integer(root, "max_position_embeddings", 2048);
    c->eps = number(root, "rms_norm_eps", 1e-6);
    c->tied = json_is_true(json_object_get(root, "tie_word_embeddings"));
    const int64_t bos = integer(root, "bos_token_id", -1);
    c->bos = bos >= 0 && bos < RG_MAX_VOCAB ? (int32_t)bos : -1;
    if ((st = rg_scheme_from_json(scheme, root, dir, err)) != RG_OK) goto out;
    if ((st = read_rope(c, root, path, err)) != RG_OK || (st = read_features(c, root, path, f, err)) != RG_OK)
        goto out;
    read_eos(c, json_object_get(root, "eos_token_id"));
    g = json_load_file(gen, 0, &je); /* optional; instruct models list further end tokens there */
    const json_t *more = json_object_get(g, "eos_token_id");
    if (more) {
        c->n_eos = 0;
        read_eos(c, more);
    }
    st = rg_config_check(c, path, err);
out:
    json_decref(g);
    json_decref(root);
    free(path);
    free(gen);
    return st;
}

rg_status rg_config_read(rg_config *c, const char *path, rg_err *err)
{
    static const char file[] = "config.json";
    const size_t n = strlen(path), k = sizeof file - 1;
    const bool named = n >= k && strcmp(path + n - k, file) == 0 && (n == k || path[n - k - 1] == '/');
    char *dir = named ? n == k ? strdup(".") : strndup(path, n - k) : strdup(path);
    rg_scheme scheme = {0};
    *c = (rg_config){0};
    if (!dir) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", path);
    const rg_status st = rg_config_from_json(c, &scheme, dir, err);
    free(dir);
    return st;
}
