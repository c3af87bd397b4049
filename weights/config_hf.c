/* config.json of a Hugging Face directory. Architectures and features that we lack are refused by name. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weights/ckpt_impl.h"
#include "weights/scheme.h"

static const struct {
    const char *arch, *lacks;
} refused[] = {{"Qwen2", "biases of q, k and v (QKV bias)"}, {"Qwen3", "QK-norm"}, {"SmolLM3", "layers without RoPE (NoPE)"},
    {"Gemma", "its norms and activation"}, {"Phi3", "fused QKV and gate-up matrices"}, {"Phi", "its parallel blocks and biases"},
    {"Mixtral", "mixture of experts"}, {"Deepseek", "latent attention"}, {"Falcon", "its fused QKV"}, {"GPTNeoX", "its parallel blocks"},
    {"GPT2", "learned positions"}, {"Olmo", "its norms"}, {"Cohere", "its parallel blocks"}, {"Granite", "its multipliers"},
    {"Llama4", "mixture of experts and layers without RoPE"}, {"MobileLLM", "its shared blocks"}};

static rg_status check_arch(const char *path, const char *arch, rg_err *err)
{
    if (strcmp(arch, "LlamaForCausalLM") == 0 || strcmp(arch, "MistralForCausalLM") == 0) return RG_OK;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strncmp(arch, refused[i].arch, strlen(refused[i].arch)) == 0)
            return rg_fail(err, RG_E_UNSUPPORTED, "%s: %.60s needs %s, which Ridge does not have; expected LlamaForCausalLM", path, arch, refused[i].lacks);
    return rg_fail(err, RG_E_UNSUPPORTED, "%s: architecture %.60s, expected LlamaForCausalLM", path, arch);
}

/* An integer field: fallback where it is absent or null; anything that is not an integer becomes -1, which the range check refuses. */
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
    if (partial != 1.0) return rg_fail(err, RG_E_UNSUPPORTED, "%s: partial_rotary_factor is %g: RoPE on a part of a head is not supported", path, partial);
    c->rope_theta = number(p, "rope_theta", number(root, "rope_theta", 10000.0));
    if (!json_is_object(s)) return RG_OK;
    const json_t *kind = json_object_get(s, "rope_type");
    if (!kind) kind = json_object_get(s, "type");
    const char *k = json_string_value(kind);
    if (!k && json_object_get(s, "factor")) return rg_fail(err, RG_E_FILE, "%s: rope_scaling has a factor but no rope_type: the scaling is unknown", path);
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
            return rg_fail(err, RG_E_FILE, "%s: rope_scaling llama3: factors %g and %g, original context %lld: impossible", path, c->rope_low_freq,
                c->rope_high_freq, (long long)c->rope_orig_ctx);
    } else {
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: rope scaling '%.40s' is not supported; expected none, linear or llama3", path, k);
    }
    if (!(c->rope_factor >= 1.0 && c->rope_factor < 1e6))
        return rg_fail(err, RG_E_FILE, "%s: rope scaling factor %g, expected 1 or more", path, c->rope_factor);
    return RG_OK;
}

static void read_eos(rg_config *c, const json_t *v)
{
    for (size_t i = 0; i < (json_is_array(v) ? json_array_size(v) : 1); i++) {
        const json_t *e = json_is_array(v) ? json_array_get(v, i) : v;
        if (json_is_integer(e) && json_integer_value(e) >= 0 && json_integer_value(e) < RG_MAX_VOCAB && c->n_eos < RG_MAX_EOS)
            c->eos[c->n_eos++] = (int32_t)json_integer_value(e);
    }
}

/* Fields that change the arithmetic in ways we do not have. */
static rg_status refuse_features(const json_t *root, const char *path, const char *arch, int64_t ctx, rg_err *err)
{
    const char *act = json_string_value(json_object_get(root, "hidden_act"));
    if (json_is_true(json_object_get(root, "attention_bias")))
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: attention_bias is true: biases are not supported", path);
    if (json_is_true(json_object_get(root, "mlp_bias"))) return rg_fail(err, RG_E_UNSUPPORTED, "%s: mlp_bias is true: biases are not supported", path);
    if (act && strcmp(act, "silu") != 0) return rg_fail(err, RG_E_UNSUPPORTED, "%s: hidden_act '%.40s', expected silu", path, act);
    const int64_t window = integer(root, "sliding_window", 0);
    if (strcmp(arch, "MistralForCausalLM") == 0 && window > 0 && window < ctx)
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: sliding_window %lld is smaller than the context %lld: windowed attention is not supported", path,
            (long long)window, (long long)ctx);
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
        st = rg_fail(err, RG_E_FILE, "%s: cannot read: %s; a checkpoint directory holds config.json and model.safetensors", path, strerror(errno));
        goto out;
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        st = rg_fail(err, RG_E_FILE, "%s: cannot read the configuration: %.200s (line %d)", path, root ? "not an object" : je.text, root ? 1 : je.line);
        goto out;
    }
    const char *arch = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const char *type = json_string_value(json_object_get(root, "model_type"));
    if (!arch) arch = type && strcmp(type, "llama") == 0 ? "LlamaForCausalLM" : "(none named)";
    if ((st = check_arch(path, arch, err)) != RG_OK) goto out;
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
    if ((st = read_rope(c, root, path, err)) != RG_OK || (st = refuse_features(root, path, arch, c->ctx_train, err)) != RG_OK) goto out;
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
