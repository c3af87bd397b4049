/* Values for every kind of figure. */
#include "figures_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *word_of(const char *words, int n)
{
    int have = 1;
    for (const char *p = words; *p; p++) have += *p == ' ';
    for (n %= have; n > 0; n--) words = strchr(words, ' ') + 1;
    return json_stringn(words, strcspn(words, " "));
}

static json_t *value_of(const rg_fig *f, int n)
{
    char text[64];
    snprintf(text, sizeof text, "%s %d, \"\xc3\xa9\" | <b>", f->key, n);
    switch (f->kind) {
    case RG_FIG_COUNT:
    case RG_FIG_COUNT0:
    case RG_FIG_COUNTX:
    case RG_FIG_INDEX:
        return json_integer(n);
    case RG_FIG_SIGNED:
        return json_integer(-n);
    case RG_FIG_REAL:
    case RG_FIG_REALX:
        return json_real(n + 0.25);
    case RG_FIG_SREAL:
        return json_real(-n - 0.25);
    case RG_FIG_TEXT:
    case RG_FIG_TEXT0:
    case RG_FIG_TEXTX:
    case RG_FIG_STAMP:
        return json_string(text);
    case RG_FIG_WORD:
    case RG_FIG_WORD0:
    case RG_FIG_WORDX:
        return word_of(f->words, n);
    case RG_FIG_FLAG:
    case RG_FIG_FLAG0:
        return json_boolean(n % 2);
    case RG_FIG_PHASE:
        return json_string(rg_phase_names[n % RG_PHASE_COUNT]);
    case RG_FIG_OBJ:
    case RG_FIG_OBJ0:
    case RG_FIG_OBJX:
        return figures_of(f->of, n, false);
    case RG_FIG_LIST:
    case RG_FIG_LISTX:
        return json_pack("[o, o]", figures_of(f->of, n, false), figures_of(f->of, n + 1, true));
    case RG_FIG_LIST0:
        return json_pack("[o, n, o]", figures_of(f->of, n, false), figures_of(f->of, n + 1, true));
    case RG_FIG_MAP:
        return json_pack("{s:i, s:n, s:f}", "a", n, "b", "c", 0.5);
    case RG_FIG_LINES:
        return json_pack("[s, s]", text, "and another");
    case RG_FIG_NUMBERS:
    case RG_FIG_NUMBERS0:
        return json_pack("[f, f]", 0.5 * n, 0.25);
    case RG_FIG_COUNTS:
    case RG_FIG_COUNTS0:
        return json_pack("[i, i]", n, 0);
    case RG_FIG_DICT:
        return json_pack("{s:o, s:o}", "one", figures_of(f->of, n, false), "two", figures_of(f->of, n, true));
    default:
        return json_pack("{s:[i, n]}", "anything", n);
    }
}

json_t *figures_of(rg_object_id id, int n, bool sparse)
{
    const rg_object *o = &rg_objects[id];
    const rg_doc_kind kind = rg_doc_kind_of(id);
    json_t *j = kind < RG_DOC_KINDS
        ? json_pack("{s:s, s:i}", "schema", rg_documents[kind].schema, "version", rg_documents[kind].version)
        : json_object();
    for (int i = 0; i < o->n; i++) {
        const rg_fig *f = &o->fig[i];
        const bool may_miss = f->kind == RG_FIG_COUNTX || f->kind == RG_FIG_REALX ||
            f->kind == RG_FIG_TEXTX || f->kind == RG_FIG_WORDX || f->kind == RG_FIG_OBJX;
        const bool may_be_null = f->kind == RG_FIG_COUNT0 || f->kind == RG_FIG_REAL ||
            f->kind == RG_FIG_SREAL || f->kind == RG_FIG_INDEX || f->kind == RG_FIG_TEXT0 ||
            f->kind == RG_FIG_WORD0 || f->kind == RG_FIG_FLAG0 || f->kind == RG_FIG_OBJ0 ||
            f->kind == RG_FIG_MAP || f->kind == RG_FIG_COUNTS0 || f->kind == RG_FIG_NUMBERS0 ||
            f->kind == RG_FIG_STAMP;
        if (sparse && may_miss) continue;
        if (sparse && may_be_null)
            json_object_set_new(j, f->key, json_null());
        else if (f->kind == RG_FIG_OBJ)
            json_object_set_new(j, f->key, figures_of(f->of, n + i, sparse));
        else
            json_object_set_new(j, f->key, value_of(f, n + i));
    }
    return j;
}

json_t *json_at(json_t *o, const char *path)
{
    while (o && *path) {
        char key[64];
        const size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        o = json_is_array(o) ? json_array_get(o, strtoul(key, NULL, 10)) : json_object_get(o, key);
        path += n + (path[n] == '.');
    }
    return o;
}

double number_at(json_t *o, const char *path)
{
    const json_t *v = json_at(o, path);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
