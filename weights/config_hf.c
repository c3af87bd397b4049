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
#include "weights/config_rope.h"
#include "weights/members.h"
#include "weights/scheme.h"

static void read_members(rg_config *c, const json_t *root, const json_t *rope, const rg_arch *a)
{
#define INT(key, silent) rg_member_int(root, key, silent)
#define REAL(key, silent) rg_member_real(root, key, silent)
#define ROPE(key, silent) rg_member_real(rope, key, rg_member_real(root, key, silent))
#define BOOL(key, silent) (json_object_get(root, key) ? rg_member_true(root, key) : (silent))
#define SHARED(key, silent) (a->traits & RG_HAS_SHARED_MLP ? rg_member_int(root, key, silent) : (silent))
#define MOE(key, silent) (a->traits & RG_HAS_MOE ? rg_member_int(root, key, silent) : 0)
#define SPARSE MOE
#define OWN MOE
#define SHEXP(key, silent) (a->traits & RG_HAS_SHARED_EXPERT ? rg_member_int(root, key, silent) : 0)
#define NORM(key, silent) \
    ((a->traits & (RG_HAS_MOE | RG_HAS_BLOCK_SPARSE)) == RG_HAS_MOE ? BOOL(key, silent) : a->norm)
#define WINDOW(key, silent) \
    !a->window || json_is_null(json_object_get(root, key)) ? 0 : rg_member_int(root, key, silent)
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) c->field = kind(hf, silent);
#define RG_FIELD_HF(kind, field, hf, silent) c->field = kind(hf, silent);
#include "weights/arch.def"
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

/* GELU by its tanh form under any of its names; Gemma's hidden_act says "gelu" and means it. */
static rg_status check_act(const json_t *root, const rg_arch *a, const rg_src *src)
{
    static const char *const silu[] = {"silu", "swish", NULL},
                             *const gelu[] = {"gelu_pytorch_tanh", "gelu_new", "gelu_fast", NULL};
    const bool gates = a->traits & RG_HAS_GELU;
    const char *key = gates && json_is_string(json_object_get(root, "hidden_activation"))
        ? "hidden_activation"
        : "hidden_act";
    const json_t *act = json_object_get(root, key);
    if (!act || json_is_null(act)) return RG_OK;
    const char *name = rg_member_word(root, key);
    if (gates && strcmp(key, "hidden_act") == 0 && strcmp(name, "gelu") == 0) return RG_OK;
    for (const char *const *w = gates ? gelu : silu; *w; w++)
        if (strcmp(name, *w) == 0) return RG_OK;
    return rg_lacks(src, "%s '%.40s', expected %s", key, name, gates ? gelu[0] : silu[0]);
}

/* A flag: true, false, or null for the latter. */
static rg_status read_flag(const json_t *root, const char *key, bool *v, const rg_src *src)
{
    const json_t *flag = json_object_get(root, key);
    *v = json_is_true(flag);
    return !flag || json_is_boolean(flag) || json_is_null(flag)
        ? RG_OK
        : rg_bad(src, "%s is neither true nor false", key);
}

/* The window, and from which layer on and how often it counts. */
static rg_status read_window(
    rg_config *c, const json_t *root, const rg_arch *a, int64_t *from, int64_t *every, const rg_src *src)
{
    const json_t *w = json_object_get(root, "sliding_window");
    bool use;
    const rg_status st = read_flag(root, "use_sliding_window", &use, src);
    *every = a->every;
    *from = 0;
    if (st) return st;
    if (a->traits & RG_HAS_UNROTATED && use && !json_is_null(w))
        return rg_lacks(src, "use_sliding_window: windows in layers that rotate are not supported");
    if (a->traits & RG_HAS_SWITCH) {
        *from = rg_member_int(root, "max_window_layers", 28);
        if (*from < 0) return rg_bad(src, "max_window_layers is not a whole number of 0 or more");
    }
    if (a->traits & RG_HAS_LOCAL) *every = rg_member_int(root, "sliding_window_pattern", a->every);
    if (a->every && *every < 1) return rg_bad(src, "sliding_window_pattern is not a positive whole number");
    if (!a->window) return RG_OK;
    if (w && !json_is_null(w) && (c->window < 1 || c->window > RG_MAX_WINDOW))
        return rg_bad(src, "sliding_window is not a whole number from 1 to %d", RG_MAX_WINDOW);
    if (a->every && *every > 1 && json_is_null(w))
        return rg_bad(
            src, "sliding_window is null, but a %s model has layers with a window", a->word[RG_ARCH_NAME]);
    if (a->traits & RG_HAS_SWITCH && !use) c->window = 0;
    return RG_OK;
}

/* Which layers see everything: by layer_types if it is there, else by the architecture's pattern. */
static rg_status read_windows(rg_config *c, const json_t *root, const rg_arch *a, const rg_src *src)
{
    const json_t *list = json_object_get(root, "layer_types"), *v;
    int64_t every, from;
    size_t i;
    const rg_status st = read_window(c, root, a, &from, &every, src);
    if (st) return st;
    for (int64_t l = 0; l < c->layers && c->window > 0; l++)
        if (l < from || (every && (l + 1) % every == 0)) rg_layer_set(c->all_seen, l);
    if (!list || json_is_null(list)) return RG_OK;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != c->layers)
        return rg_bad(src, "layer_types has %zu entries, expected one for each of %lld layers",
            json_array_size(list), (long long)c->layers);
    memset(c->all_seen, 0, sizeof c->all_seen);
    json_array_foreach (list, i, v) {
        const char *t = json_is_string(v) ? json_string_value(v) : "no string";
        const bool slides = strcmp(t, "sliding_attention") == 0;
        if (!slides && strcmp(t, "full_attention") != 0 && strcmp(t, "attention") != 0)
            return rg_lacks(
                src, "layer_types: layer %zu is %.40s, expected full_attention or sliding_attention", i, t);
        if (slides && c->window == 0)
            return rg_lacks(src,
                "layer_types: layer %zu is sliding_attention, but this configuration has no window "
                "(sliding_window)",
                i);
        if (!slides) rg_layer_set(c->all_seen, (int64_t)i);
    }
    return RG_OK;
}

/* Layers that do not rotate: 0 in a list, or each so many-th. */
static rg_status read_unrotated(rg_config *c, const json_t *root, const rg_arch *a, const rg_src *src)
{
    const json_t *list = json_object_get(root, "no_rope_layers");
    const int64_t every = rg_member_int(root, "no_rope_layer_interval", a->nope);
    const json_t *kind = json_object_get(root, "position_embedding_type");
    const char *word = rg_member_word(root, "position_embedding_type");
    if (a->traits & RG_HAS_MAY_NOT_ROTATE && strcmp(word, "rope") != 0) { /* null: none, as in the class */
        if (kind && !json_is_null(kind) && strcmp(word, "nope") != 0)
            return rg_lacks(src, "position_embedding_type is '%.40s', expected rope or nope", word);
        for (int64_t l = 0; l < c->layers; l++) rg_layer_set(c->unrotated, l);
    }
    if (!(a->traits & RG_HAS_UNROTATED)) return RG_OK;
    const bool listed = list && !json_is_null(list);
    if (listed && (int64_t)json_array_size(list) != c->layers)
        return rg_bad(src, "no_rope_layers has %zu entries, expected one for each of %lld layers",
            json_array_size(list), (long long)c->layers);
    if (every < 1) return rg_bad(src, "no_rope_layer_interval is not a positive whole number");
    for (int64_t l = 0; l < c->layers; l++) {
        const json_t *v = json_array_get(list, (size_t)l);
        const double says = json_is_number(v) ? json_number_value(v) : -1.0;
        if (listed && says != 0.0 && says != 1.0)
            return rg_bad(src, "no_rope_layers: layer %lld is neither 0 nor 1", (long long)l);
        if (listed ? says == 0.0 : (l + 1) % every == 0) rg_layer_set(c->unrotated, l);
    }
    return RG_OK;
}

/* The begin of a value's text. */
static const char *shown(const json_t *v)
{
    static _Thread_local char buf[64];
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(buf, sizeof buf, "%.60s", text ? text : "?");
    free(text);
    return buf;
}

static rg_status read_factors(rg_config *c, const json_t *root, const rg_arch *a, const rg_src *src)
{
    enum { may_be_null = RG_HAS_FACTORS | RG_HAS_CAPS | RG_HAS_LOGIT_CAP };
#define RG_FACTOR(trait, field, hf, gguf, silent, gguf_silent) \
    if (a->traits & RG_HAS_##trait) { \
        const json_t *v = json_object_get(root, hf); \
        const bool none = RG_HAS_##trait & may_be_null && json_is_null(v); \
        c->field = none ? 0.0 : rg_member_real(root, hf, silent); \
        if (v && !none && !(!json_is_null(v) && c->field > 0.0 && c->field < 1e6)) \
            return rg_bad(src, "%s is %s, expected a number above 0 and below 1e6%s", hf, \
                RG_CLEAN(64, shown(v)), RG_HAS_##trait & may_be_null ? ", or null for none" : ""); \
    }
#include "weights/arch.def"
    if (a->traits & RG_HAS_Q_SCALAR) c->attn_scale = 1.0 / sqrt(c->attn_scale);
    if (a->traits & RG_HAS_MINICPM) {
        c->resid_scale /= sqrt((double)c->layers);
        c->logit_scale = (double)c->dim / c->logit_scale;
    }
    return RG_OK;
}

/* What changes the arithmetic and we lack is refused. */
static rg_status read_features(rg_config *c, const json_t *root, const rg_arch *a, const rg_src *src)
{
#define B(site) rg_site_bit(RG_SITE_##site##_BIAS)
#define RG_BIASES(trait, key, sites) \
    if (a->traits & RG_HAS_##trait && \
        (!*key || (json_object_get(root, key) ? rg_member_true(root, key) : (a->traits & RG_HAS_CLAMPED)))) \
        c->extra |= sites;
#include "weights/arch.def"
    const json_t *dense = json_object_get(root, "mlp_only_layers"),
                 *again = json_object_get(root, "experts_per_token");
    if (a->traits & RG_HAS_CLAMPED && again &&
        !json_equal(again, json_object_get(root, "num_experts_per_tok")))
        return rg_bad(src, "experts_per_token is %s, expected num_experts_per_tok again (%s)",
            RG_CLEAN(64, shown(again)), RG_CLEAN(64, shown(json_object_get(root, "num_experts_per_tok"))));
    if (a->traits & RG_HAS_MOE && json_array_size(dense) > 0)
        return rg_lacks(src, "mlp_only_layers: dense layers between those of experts: not supported");
    rg_status st = check_act(root, a, src);
    if (!st) st = read_windows(c, root, a, src);
    if (!st) st = read_unrotated(c, root, a, src);
    if (!st) st = read_factors(c, root, a, src);
    return st;
}

/* The architecture, its model_type, and where its configuration stands: at the root, or in text_config of
 * a model for text and more. */
static rg_status find_text(rg_ckpt *ckpt, const json_t *root, const json_t **text, const rg_arch **a,
    const char **type, const rg_src *src)
{
    const char *class = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const json_t *inner = json_object_get(root, "text_config");
    *text = root;
    *type = json_string_value(json_object_get(root, "model_type"));
    const char *type_in = rg_member_word(inner, "model_type");
    if (!rg_arch_wraps(class, *type, NULL)) return rg_arch_of_hf(a, class, *type, src);
    if (!json_is_object(inner))
        return rg_bad(src, "text_config is not there, which says what the text of this model is");
    if (!rg_arch_wraps(class, *type, type_in))
        return rg_lacks(src, "text_config: model_type '%.40s' is not known inside a model of type %.40s",
            type_in, *type ? *type : class);
    *text = inner;
    *type = type_in;
    ckpt->wrapped = true;
    return rg_arch_of_hf(
        a, json_string_value(json_array_get(json_object_get(inner, "architectures"), 0)), type_in, src);
}

rg_status rg_config_from_json(rg_ckpt *ckpt, const char *dir, rg_err *err)
{
    rg_config *c = &ckpt->cfg;
    rg_lines *notes = &ckpt->notes;
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
    const json_t *text;
    const rg_arch *a = NULL;
    const char *type;
    rg_rope_json rope = {0};
    if ((st = find_text(ckpt, root, &text, &a, &type, &src)) ||
        (st = rg_rope_find(&rope, text, a, notes, &src)))
        goto out;
    ckpt->traits = a->traits;
    snprintf(c->arch, sizeof c->arch, "%.60s", type ? type : a->word[RG_ARCH_TYPE]);
    read_members(c, text, rope.all, a);
    if (a->traits & RG_HAS_MOE) c->ffn = 0; /* it has been taken for an expert's, where that is silent */
    if (rg_member_true(root, "tie_word_embeddings")) c->tied = true; /* a wrapper may say it at its root */
    const int64_t bos = rg_member_int(text, "bos_token_id", rg_member_int(root, "bos_token_id", -1));
    c->bos = bos >= 0 && bos < RG_MAX_VOCAB ? (int32_t)bos : -1;
    if ((st = rg_scheme_from_json(&ckpt->scheme, root, dir, notes, &src))) goto out;
    if ((st = rg_members_check(text, &(rg_reader){RG_IN_CONFIG, a, 0}, notes, &src))) goto out;
    if (text != root && (st = rg_members_check(root, &(rg_reader){RG_IN_WRAPPER, a, 0}, notes, &src)))
        goto out;
    if ((st = rg_config_ranges(c, path, err)) || (st = read_features(c, text, a, &src)) ||
        (st = rg_rope_read(ckpt, &rope, text, a, &src)))
        goto out;
    rg_arch_apply(c, a);
    if ((st = rg_members_check(rope.all, &(rg_reader){RG_IN_ROPE, a, c->rope_scaling}, notes, &src)))
        goto out;
    if (text != root) read_eos(c, json_object_get(text, "eos_token_id"));
    if (c->n_eos == 0) read_eos(c, json_object_get(root, "eos_token_id"));
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
    rg_ckpt *ckpt = calloc(1, sizeof *ckpt);
    *c = (rg_config){0};
    rg_status st = dir && ckpt ? rg_config_from_json(ckpt, dir, err) : rg_no_memory(err, path);
    if (!st) {
        size_t end = strlen(dir), at;
        while (end > 1 && dir[end - 1] == '/') end--;
        for (at = end; at > 0 && dir[at - 1] != '/'; at--) continue;
        dir[end] = 0;
        *c = ckpt->cfg;
        rg_text(c->name, sizeof c->name, "%s", strcmp(dir, ".") ? RG_CLEAN(120, dir + at) : file);
    }
    rg_ckpt_close(ckpt);
    free(dir);
    return st;
}
