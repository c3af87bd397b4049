/* config.json of a Hugging Face directory. Architectures and features that we lack are refused by name. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weights/arch.h"
#include "weights/scheme.h"

/* fallback where the field is absent or null; -1, which the range check refuses, for other types. */
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

static void read_members(rg_config *c, const json_t *root, const rg_arch *a)
{
    const json_t *rope = json_object_get(root, "rope_parameters"); /* transformers 5 */
#define INT(key, silent) integer(root, key, silent)
#define REAL(key, silent) number(root, key, silent)
#define ROPE(key, silent) number(rope, key, number(root, key, silent))
#define BOOL(key, silent) (json_object_get(root, key) ? json_is_true(json_object_get(root, key)) : (silent))
#define WINDOW(key, silent) \
    !a->window || json_is_null(json_object_get(root, key)) ? 0 : integer(root, key, silent)
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) c->field = kind(hf, silent);
#define RG_FIELD_HF(kind, field, hf, silent) c->field = kind(hf, silent);
#include "weights/arch.def"
}

static rg_status read_rope(rg_config *c, const json_t *root, const rg_src *src)
{
    const json_t *p = json_object_get(root, "rope_parameters");
    const json_t *s = json_is_object(p) ? p : json_object_get(root, "rope_scaling");
    const double partial = number(p, "partial_rotary_factor", number(root, "partial_rotary_factor", 1.0));
    if (partial != 1.0)
        return rg_lacks(
            src, "partial_rotary_factor is %g: RoPE on a part of a head is not supported", partial);
    if (!json_is_object(s)) return RG_OK;
    const json_t *kind = json_object_get(s, "rope_type");
    if (!kind) kind = json_object_get(s, "type");
    const char *k = json_string_value(kind);
    if (!k && json_object_get(s, "factor"))
        return rg_bad(src, "rope_scaling has a factor but no rope_type: the scaling is unknown");
    if (!k || strcmp(k, "default") == 0) return RG_OK;
#define RG_SCALING(id, name) \
    if (strcmp(k, name) == 0) c->rope_scaling = RG_ROPE_##id;
#define RG_SCALING_KEY(scaling, kind, field, key) \
    if (c->rope_scaling == RG_ROPE_##scaling) c->field = SCALING_##kind(s, key, -1);
#define SCALING_INT integer
#define SCALING_REAL number
#include "weights/arch.def"
    if (c->rope_scaling == RG_ROPE_NONE)
        return rg_lacks(src, "rope scaling '%.40s' is not supported; expected none, linear or llama3", k);
    if (c->rope_scaling == RG_ROPE_LLAMA3 &&
        (!(c->rope_low_freq > 0.0 && c->rope_high_freq > c->rope_low_freq) || c->rope_orig_ctx < 1))
        return rg_bad(src, "rope_scaling llama3: factors %g and %g, original context %lld: impossible",
            c->rope_low_freq, c->rope_high_freq, (long long)c->rope_orig_ctx);
    if (!(c->rope_factor >= 1.0 && c->rope_factor < 1e6))
        return rg_bad(src, "rope scaling factor %g, expected 1 or more", c->rope_factor);
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

/* What changes the arithmetic and we lack is refused. */
static rg_status read_features(rg_config *c, const json_t *root, const rg_arch *a, const rg_src *src)
{
    const char *act = json_string_value(json_object_get(root, "hidden_act"));
    if (act && strcmp(act, "silu") != 0) return rg_lacks(src, "hidden_act '%.40s', expected silu", act);
#define B(site) rg_site_bit(RG_SITE_##site##_BIAS)
#define RG_BIASES(trait, key, sites) \
    if (a->traits & RG_HAS_##trait && (!*key || json_is_true(json_object_get(root, key)))) c->extra |= sites;
#include "weights/arch.def"
    const json_t *w = json_object_get(root, "sliding_window");
    if (c->window < 0 || (a->window && w && !json_is_null(w) && c->window == 0))
        return rg_bad(src, "sliding_window is not a positive whole number");
    if (json_is_true(json_object_get(root, "use_sliding_window")))
        return rg_lacks(src, "use_sliding_window: windows on some layers only are not supported");
    if (!(a->traits & RG_HAS_FACTORS)) return RG_OK;
#define RG_FACTOR(field, hf, gguf) \
    c->field = number(root, hf, 1.0); \
    if (!(isfinite(c->field) && c->field > 0.0 && c->field < 1e6)) \
        return rg_bad(src, "%s is %g, expected more than 0", hf, c->field);
#include "weights/arch.def"
    rg_config_factors(c);
    return RG_OK;
}

rg_status rg_config_from_json(rg_config *c, rg_scheme *scheme, const char *dir, rg_err *err)
{
    json_error_t je;
    char *path = rg_path_join(dir, "config.json"), *gen = rg_path_join(dir, "generation_config.json");
    const rg_src src = {path, err};
    json_t *root = NULL, *g = NULL;
    rg_status st = RG_OK;
    if (!path || !gen) {
        st = rg_no_memory(err, dir);
        goto out;
    }
    if (access(path, R_OK) != 0) {
        st = rg_bad(&src, "cannot read: %s; a checkpoint directory holds config.json and model.safetensors",
            strerror(errno));
        goto out;
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        st = rg_bad(&src, "cannot read the configuration: %.200s (line %d)", root ? "not an object" : je.text,
            root ? 1 : je.line);
        goto out;
    }
    const char *arch = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const char *type = json_string_value(json_object_get(root, "model_type"));
    if (!arch)
        arch = type && strcmp(type, rg_archs->word[RG_ARCH_GGUF]) == 0 ? rg_archs->word[RG_ARCH_HF]
                                                                       : "(none named)";
    const rg_arch *a = NULL;
    if ((st = rg_arch_of_hf(&a, arch, &src))) goto out;
    snprintf(c->arch, sizeof c->arch, "%.60s", type ? type : "llama");
    read_members(c, root, a);
    const int64_t bos = integer(root, "bos_token_id", -1);
    c->bos = bos >= 0 && bos < RG_MAX_VOCAB ? (int32_t)bos : -1;
    if ((st = rg_scheme_from_json(scheme, root, dir, &src))) goto out;
    if ((st = read_rope(c, root, &src)) || (st = read_features(c, root, a, &src))) goto out;
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
    if (!dir) return rg_no_memory(err, path);
    const rg_status st = rg_config_from_json(c, &scheme, dir, err);
    free(dir);
    return st;
}
