/* config.json of a Hugging Face directory. Architectures and features that we lack are refused by name. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/foreign.h"
#include "weights/arch.h"
#include "weights/members.h"
#include "weights/scheme.h"

/* Where RoPE is described: rope_scaling if it says something, else rope_parameters, as in transformers 5. An
 * object per layer type is one if all are equal. */
static rg_status find_rope(const json_t **rope, const json_t *root, rg_lines *notes, const rg_src *src)
{
    static const char *const names[] = {"rope_scaling", "rope_parameters"};
    const json_t *found[2], *first = NULL;
    const char *key;
    json_t *v;
    for (int i = 0; i < 2; i++) {
        found[i] = json_object_get(root, names[i]);
        if (found[i] && !json_is_null(found[i]) && !json_is_object(found[i]))
            return rg_bad(src, "%s is not an object", names[i]);
    }
    const int at = json_object_size(found[0]) ? 0 : 1;
    *rope = found[at];
    size_t nested = 0, same = 0;
    json_object_foreach ((json_t *)(uintptr_t)found[at], key, v) {
        if (!json_is_object(v)) continue;
        if (!first) first = v;
        nested++;
        same += json_equal(first, v) != 0;
    }
    if (nested && (same < nested || nested < json_object_size(found[at])))
        return rg_lacks(src,
            "%s holds an object per layer type, and they differ: RoPE that differs by layer is not supported",
            names[at]);
    if (nested) *rope = first;
    if (at == 0 && json_object_size(found[1]) && !json_equal(found[0], found[1]))
        rg_note(
            notes, src, "rope_scaling stands beside rope_parameters and takes its place, as in transformers");
    return RG_OK;
}

static void read_members(rg_config *c, const json_t *root, const json_t *rope, const rg_arch *a)
{
#define INT(key, silent) rg_member_int(root, key, silent)
#define REAL(key, silent) rg_member_real(root, key, silent)
#define ROPE(key, silent) rg_member_real(rope, key, rg_member_real(root, key, silent))
#define BOOL(key, silent) (json_object_get(root, key) ? rg_member_true(root, key) : (silent))
#define SHARED(key, silent) (a->traits & RG_HAS_SHARED_MLP ? rg_member_int(root, key, silent) : (silent))
#define WINDOW(key, silent) \
    !a->window || json_is_null(json_object_get(root, key)) ? 0 : rg_member_int(root, key, silent)
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) c->field = kind(hf, silent);
#define RG_FIELD_HF(kind, field, hf, silent) c->field = kind(hf, silent);
#include "weights/arch.def"
}

static rg_status read_rope(rg_config *c, const json_t *s, const rg_src *src)
{
    const json_t *kind = json_object_get(s, "rope_type");
    if (!kind) kind = json_object_get(s, "type");
    const char *k = json_string_value(kind);
    if (kind && !k && !json_is_null(kind)) return rg_bad(src, "rope_type is not a string");
    if (!k && json_object_get(s, "factor"))
        return rg_bad(src, "rope_scaling has a factor but no rope_type: the scaling is unknown");
    if (!k || strcmp(k, "default") == 0) return RG_OK;
#define RG_SCALING(id, name) \
    if (strcmp(k, name) == 0) c->rope_scaling = RG_ROPE_##id;
#define RG_SCALING_KEY(scaling, kind, field, key) \
    if (c->rope_scaling == RG_ROPE_##scaling) c->field = SCALING_##kind(s, key, -1);
#define SCALING_INT rg_member_int
#define SCALING_REAL rg_member_real
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
        const double id = json_is_number(e) ? json_number_value(e) : -1.0;
        if (id >= 0.0 && id < RG_MAX_VOCAB && id == floor(id) && c->n_eos < RG_MAX_EOS)
            c->eos[c->n_eos++] = (int32_t)id;
    }
}

/* Layers are all of one kind, and that is the model's. */
static rg_status check_layer_types(const rg_config *c, const json_t *root, const rg_src *src)
{
    const json_t *list = json_object_get(root, "layer_types"), *v;
    const char *want = c->window ? "sliding_attention" : "full_attention";
    size_t i;
    json_array_foreach (list, i, v) {
        const char *t = json_string_value(v);
        if (t && (strcmp(t, want) == 0 || (!c->window && strcmp(t, "attention") == 0))) continue;
        return rg_lacks(src,
            "layer_types: layer %zu is %.40s, expected %s (sliding_window is %lld): layers that differ are "
            "not supported",
            i, t ? t : "no string", want, (long long)c->window);
    }
    return RG_OK;
}

/* What changes the arithmetic and we lack is refused. */
static rg_status read_features(rg_config *c, const json_t *root, const rg_arch *a, const rg_src *src)
{
    const json_t *act = json_object_get(root, "hidden_act");
    const char *name = act && !json_is_null(act) ? rg_member_word(root, "hidden_act") : "silu";
    if (strcmp(name, "silu") != 0 && strcmp(name, "swish") != 0)
        return rg_lacks(src, "hidden_act '%.40s', expected silu", name);
#define B(site) rg_site_bit(RG_SITE_##site##_BIAS)
#define RG_BIASES(trait, key, sites) \
    if (a->traits & RG_HAS_##trait && (!*key || rg_member_true(root, key))) c->extra |= sites;
#include "weights/arch.def"
    const json_t *w = json_object_get(root, "sliding_window");
    if (c->window < 0 || (a->window && w && !json_is_null(w) && c->window == 0))
        return rg_bad(src, "sliding_window is not a positive whole number");
    if (rg_member_true(root, "use_sliding_window") && !json_is_null(w) &&
        rg_member_int(root, "max_window_layers", 28) < c->layers)
        return rg_lacks(src, "use_sliding_window: windows on some layers only are not supported");
    const rg_status st = check_layer_types(c, root, src);
    if (st) return st;
    if (a->traits & RG_HAS_SHARED_MLP && strcmp(rg_member_word(root, "position_embedding_type"), "rope") != 0)
        return rg_lacks(src, "position_embedding_type is not rope: a model without RoPE is not supported");
    if (!(a->traits & RG_HAS_FACTORS)) return RG_OK;
#define RG_FACTOR(field, hf, gguf) \
    c->field = rg_member_real(root, hf, 1.0); \
    if (!(isfinite(c->field) && c->field > 0.0 && c->field < 1e6)) \
        return rg_bad(src, "%s is %g, expected more than 0", hf, c->field);
#include "weights/arch.def"
    rg_config_factors(c);
    return RG_OK;
}

rg_status rg_config_from_json(rg_config *c, rg_scheme *scheme, const char *dir, rg_lines *notes, rg_err *err)
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
        if (!root && (st = rg_foreign_file(&src))) goto out;
        st = rg_bad(&src, "cannot read the configuration: %.200s (line %d)", root ? "not an object" : je.text,
            root ? 1 : je.line);
        goto out;
    }
    const char *arch = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const char *type = json_string_value(json_object_get(root, "model_type"));
    const rg_arch *a = NULL;
    const json_t *rope = NULL;
    if ((st = rg_arch_of_hf(&a, arch, type, &src)) || (st = find_rope(&rope, root, notes, &src))) goto out;
    snprintf(c->arch, sizeof c->arch, "%.60s", type ? type : "llama");
    read_members(c, root, rope, a);
    const int64_t bos = rg_member_int(root, "bos_token_id", -1);
    c->bos = bos >= 0 && bos < RG_MAX_VOCAB ? (int32_t)bos : -1;
    if ((st = rg_scheme_from_json(scheme, root, dir, notes, &src))) goto out;
    if ((st = read_rope(c, rope, &src)) || (st = read_features(c, root, a, &src))) goto out;
    if ((st = rg_members_check(root, &(rg_reader){RG_IN_CONFIG, a, 0}, notes, &src))) goto out;
    if ((st = rg_members_check(rope, &(rg_reader){RG_IN_ROPE, a, c->rope_scaling}, notes, &src))) goto out;
    read_eos(c, json_object_get(root, "eos_token_id"));
    g = json_load_file(gen, 0, &je); /* optional; instruct models list further end tokens there */
    if (!g && access(gen, F_OK) == 0) rg_note(notes, &(rg_src){gen, err}, "not read: %s", je.text);
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
    rg_lines notes = {0};
    *c = (rg_config){0};
    if (!dir) return rg_no_memory(err, path);
    const rg_status st = rg_config_from_json(c, &scheme, dir, &notes, err);
    rg_lines_free(&notes);
    free(dir);
    return st;
}
