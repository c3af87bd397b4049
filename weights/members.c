/* Values of JSON objects, and what becomes of members that nobody reads. */
#include "weights/members.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An array of equal values is that value; NULL: it is not. */
static const json_t *scalar(const json_t *v)
{
    if (!json_is_array(v)) return v;
    const json_t *first = json_array_get(v, 0);
    for (size_t i = 1; i < json_array_size(v); i++)
        if (!json_equal(first, json_array_get(v, i))) return NULL;
    return json_is_number(first) ? first : NULL;
}

int64_t rg_member_int(const json_t *o, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) return fallback;
    v = scalar(v);
    if (json_is_integer(v)) return json_integer_value(v);
    const double d = json_is_real(v) ? json_real_value(v) : -1.0;
    return d == floor(d) && fabs(d) <= 0x1p53 ? (int64_t)d : -1;
}

double rg_member_real(const json_t *o, const char *key, double fallback)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) return fallback;
    v = scalar(v);
    return json_is_number(v) ? json_number_value(v) : -1.0;
}

bool rg_member_true(const json_t *o, const char *key) { return json_is_true(json_object_get(o, key)); }

const char *rg_member_word(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* depth: jansson reads a bounded one. */
bool rg_json_says_nothing(const json_t *v)
{
    const char *key;
    json_t *e;
    size_t i;
    if (json_is_number(v)) return json_number_value(v) == 0.0;
    if (json_is_string(v)) return !*json_string_value(v);
    json_array_foreach (v, i, e)
        if (!rg_json_says_nothing(e)) return false;
    json_object_foreach ((json_t *)(uintptr_t)v, key, e)
        if (!rg_json_says_nothing(e)) return false;
    return !json_is_true(v);
}

static const struct {
    const char *before;
    rg_fate unknown;
} places[] = {
#define RG_PLACE(id, before, unknown) [RG_IN_##id] = {before, RG_FATE_##unknown},
#include "weights/members.def"
};

static const struct {
    rg_member_place place;
    rg_fate fate;
    const char *names; /* with single blanks between */
} lists[] = {
#define RG_MEMBERS(place, fate, names) {RG_IN_##place, RG_FATE_##fate, names},
#include "weights/members.def"
};

static const struct {
    rg_member_place place;
    const char *name, *value, *lacks;
} only_rows[] = {
#define RG_ONLY(place, name, value, lacks) {RG_IN_##place, name, value, lacks},
#include "weights/members.def"
};

/* Fields of arch.def: kind, key in config.json, in GGUF; NULL: it has none. */
static const struct {
    const char *kind, *hf, *gguf;
} fields[] = {
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) {#kind, hf, gguf},
#define RG_FIELD_HF(kind, field, hf, silent) {#kind, hf, NULL},
#define RG_FIELD_GGUF(kind, field, gguf, silent) {#kind, NULL, gguf},
#include "weights/arch.def"
};

static bool is_kind(int field, const char *kind) { return strcmp(fields[field].kind, kind) == 0; }

static int find_field(rg_member_place place, const char *name)
{
    for (int i = 0; i < (int)(sizeof fields / sizeof *fields); i++) {
        const char *key = place == RG_IN_KEYS ? fields[i].gguf : fields[i].hf;
        if (key && strcmp(key, name) == 0) return i;
    }
    return -1;
}

/* Whether arch.def reads it. */
static bool is_read(const rg_reader *r, const char *name)
{
    const bool keys = r->place == RG_IN_KEYS;
    if (r->place == RG_IN_ROPE) {
#define RG_SCALING_KEY(scaling, kind, field, key, silent) \
    if (r->rope == RG_ROPE_##scaling && strcmp(key, name) == 0) return true;
#define RG_ROPE_KEY(scaling, key) \
    if (r->rope == RG_ROPE_##scaling && strcmp(key, name) == 0) return true;
#include "weights/arch.def"
    }
#define RG_KEY(trait, where, key) \
    if (r->place == RG_IN_##where && strcmp(key, name) == 0 && r->arch->traits & RG_HAS_##trait) return true;
#include "weights/arch.def"
    if (r->place != RG_IN_CONFIG && !keys) return false;
    int f = find_field(r->place, name);
    if (f >= 0 && is_kind(f, "WINDOW")) return r->arch->window && !(keys && r->arch->traits & RG_HAS_SWITCH);
    if (f >= 0 && is_kind(f, "SHEXP")) return r->arch->traits & RG_HAS_SHARED_EXPERT;
    if (f >= 0 && is_kind(f, "NORM"))
        return (r->arch->traits & (RG_HAS_MOE | RG_HAS_BLOCK_SPARSE)) == RG_HAS_MOE;
    if (f >= 0 && (is_kind(f, "MOE") || is_kind(f, "OWN") || is_kind(f, "SPARSE"))) {
        if (r->arch->traits & RG_HAS_MOE) return true;
        f = -1;
    }
    if (f >= 0 && is_kind(f, "SHARED")) return r->arch->traits & RG_HAS_SHARED_MLP;
    if (f >= 0) return true;
#define RG_FACTOR(trait, field, hf, gguf, silent, gguf_silent) \
    if (strcmp(keys ? gguf : hf, name) == 0 && r->arch->traits & RG_HAS_##trait) return true;
#define RG_BIASES(trait, key, sites) \
    if (!keys && strcmp(key, name) == 0 && r->arch->traits & RG_HAS_##trait) return true;
#include "weights/arch.def"
    return false;
}

rg_fate rg_member_fate(const rg_reader *r, const char *name, const char **only, const char **lacks)
{
    *only = *lacks = NULL;
    if (is_read(r, name)) return RG_FATE_READ;
    for (size_t i = 0; i < sizeof only_rows / sizeof *only_rows; i++)
        if (only_rows[i].place == r->place && strcmp(only_rows[i].name, name) == 0) {
            *only = only_rows[i].value;
            *lacks = only_rows[i].lacks;
            return RG_FATE_REFUSED;
        }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (lists[i].place == r->place && rg_word_in(lists[i].names, name)) return lists[i].fate;
    return places[r->place].unknown;
}

/* Values of the kinds that their readers would take for something else. */
static rg_status check_value(const rg_reader *r, const char *name, const json_t *v, const rg_src *src)
{
    const int f = find_field(r->place, name);
    if (r->place != RG_IN_CONFIG || f < 0) return RG_OK;
    if (json_is_array(v) && json_array_size(v) > 0 && !scalar(v))
        return rg_lacks(src,
            "%s is a list of different values: values that differ by layer are not supported", fields[f].hf);
    if ((is_kind(f, "BOOL") || is_kind(f, "NORM")) && !json_is_boolean(v) && !json_is_null(v))
        return rg_bad(src, "%s is neither true nor false", fields[f].hf);
    return RG_OK;
}

/* It says nothing, or the one thing that it may say. */
static bool is_harmless(const json_t *v, const char *only)
{
    if (!only || json_is_null(v)) return rg_json_says_nothing(v);
    json_t *want = json_loads(only, JSON_DECODE_ANY, NULL);
    const bool same = json_is_number(want) && json_is_number(v)
        ? json_number_value(want) == json_number_value(v)
        : json_equal(want, v) || (rg_json_says_nothing(want) && rg_json_says_nothing(v));
    json_decref(want);
    return same;
}

static rg_status refuse(
    const rg_reader *r, const char *name, const json_t *v, const char *lacks, const rg_src *src)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    char shown[64] = "?";
    if (text) rg_text_clean(shown, sizeof shown, text);
    free(text);
    const char *before = places[r->place].before;
    if (lacks) return rg_lacks(src, "%s%.80s is %s: %s: not supported", before, name, shown, lacks);
    return rg_lacks(src, "%s%.80s (%s) is not known: it may change what the weights mean", before,
        RG_CLEAN(96, name), shown);
}

rg_status rg_members_check(const json_t *o, const rg_reader *r, rg_lines *notes, const rg_src *src)
{
    enum { SHOWN = 8 };
    char list[500] = "";
    const char *name, *only, *lacks;
    json_t *v;
    int noted = 0;
    json_object_foreach ((json_t *)(uintptr_t)o, name, v) {
        const rg_fate fate = rg_member_fate(r, name, &only, &lacks);
        if (fate == RG_FATE_READ) {
            const rg_status st = check_value(r, name, v, src);
            if (st) return st;
        } else if (fate != RG_FATE_IDLE && !is_harmless(v, only)) {
            /* Qwen2's window is one of use_sliding_window, which has a check of its own */
            if (strcmp(name, "sliding_window") == 0 && json_object_get(o, "use_sliding_window")) continue;
            if (fate == RG_FATE_REFUSED) return refuse(r, name, v, lacks, src);
            if (noted++ < SHOWN)
                rg_text_add(list, sizeof list, "%s%.50s", *list ? ", " : "", RG_CLEAN(64, name));
        }
    }
    if (noted > SHOWN) rg_text_add(list, sizeof list, " and %d more", noted - SHOWN);
    if (noted) rg_note(notes, src, "%snot used: %s", places[r->place].before, list);
    return RG_OK;
}
