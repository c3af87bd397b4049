#include "report/doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { MOST_ENTRIES = 20000 };
typedef enum kind { TEXT, NUMBER, REAL, LIST, OBJECT } kind;

static const struct {
    const char *schema, *list, *command;
} docs[RG_DOC_COUNT] = {
#define RG_DOC(id, schema, list, command) {schema, list, command},
#include "report/doc.def"
};

typedef struct field {
    rg_doc_kind doc;
    kind kind;
    const char *path;
} field;

static const field roots[] = {
#define RG_DOC_ROOT(id, kind, path) {RG_DOC_##id, kind, path},
#include "report/doc.def"
};
static const field fields[] = {
#define RG_DOC_FIELD(id, kind, path) {RG_DOC_##id, kind, path},
#include "report/doc.def"
};

/* ---- paths ---- */

const json_t *rg_doc_get(const json_t *o, const char *path)
{
    while (o && *path) {
        const size_t n = strcspn(path, ".");
        char key[64];
        if (n >= sizeof key) return NULL;
        memcpy(key, path, n);
        key[n] = 0;
        o = json_is_array(o) ? json_array_get(o, (size_t)strtoul(key, NULL, 10)) : json_object_get(o, key);
        path += n + (path[n] == '.');
    }
    return o;
}

double rg_doc_num(const json_t *o, const char *path)
{
    const json_t *v = rg_doc_get(o, path);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *rg_doc_text(const json_t *o, const char *path) { return json_string_value(rg_doc_get(o, path)); }

/* ---- checks ---- */

static int kind_of(const json_t *root)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    for (int i = 0; schema && i < RG_DOC_COUNT; i++)
        if (strcmp(schema, docs[i].schema) == 0) return i;
    return -1;
}

bool rg_doc_known(const json_t *root) { return kind_of(root) >= 0; }

static bool fits(const json_t *v, kind k)
{
    switch (k) {
    case TEXT:
        return json_is_string(v);
    case NUMBER:
        return json_is_number(v);
    case REAL:
        return json_is_number(v) || json_is_null(v);
    case LIST:
        return json_is_array(v);
    default:
        return json_is_object(v);
    }
}

static rg_status missing(
    const rg_doc *d, const char *where, const char *entry, const field *f, const json_t *found, rg_err *err)
{
    static const char *const names[] = {[TEXT] = "a text",
        [NUMBER] = "a number",
        [REAL] = "a number or null",
        [LIST] = "a list",
        [OBJECT] = "an object"};
    return rg_fail(err, RG_E_FILE,
        "%s: %s%s: %s, expected %s: not a report that this version of %s -o json writes; write it anew",
        where, entry, f->path, found ? "something else" : "missing", names[f->kind], docs[d->kind].command);
}

static rg_status check(const rg_doc *d, const char *where, rg_err *err)
{
    char entry[64];
    for (size_t k = 0; k < sizeof roots / sizeof *roots; k++) {
        const json_t *v = roots[k].doc == d->kind ? rg_doc_get(d->root, roots[k].path) : NULL;
        if (roots[k].doc == d->kind && !fits(v, roots[k].kind))
            return missing(d, where, "", &roots[k], v, err);
    }
    for (size_t i = 0; i < json_array_size(d->list); i++)
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
            if (fields[k].doc != d->kind) continue;
            const json_t *v = rg_doc_get(json_array_get(d->list, i), fields[k].path);
            snprintf(entry, sizeof entry, "%s[%zu].", docs[d->kind].list, i);
            if (!fits(v, fields[k].kind)) return missing(d, where, entry, &fields[k], v, err);
        }
    return RG_OK;
}

/* The recorded runs of a comparison: one per variant, null where a saved one had none. */
static rg_status add_runs(rg_doc *d, const char *where, rg_err *err)
{
    const json_t *list = json_object_get(d->root, "runs");
    rg_status st = RG_OK;
    size_t from[RG_SAVED_MAX_RUNS];
    for (size_t i = 0; st == RG_OK && d->kind == RG_DOC_COMPARE && i < json_array_size(list); i++) {
        json_t *run = json_array_get(list, i);
        if (json_is_null(run)) continue;
        if (d->runs.n < RG_SAVED_MAX_RUNS) from[d->runs.n] = i;
        st = rg_saved_add_json(&d->runs, run, where, err);
    }
    for (size_t i = 0; st == RG_OK && i < d->runs.n; i++) {
        const char *name = rg_doc_text(json_array_get(d->list, from[i]), "name");
        if (name) rg_text_clean(d->runs.run[i].label, sizeof d->runs.run[i].label, name);
    }
    return st;
}

rg_status rg_doc_open(rg_doc *d, json_t *root, const char *where, rg_err *err)
{
    const int k = kind_of(root);
    *d = (rg_doc){.kind = RG_DOC_COUNT};
    if (k < 0)
        return rg_fail(err, RG_E_FILE, "%s: its schema is not that of a report that has a page", where);
    if (json_integer_value(json_object_get(root, "version")) != 1)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: version of the schema is %lld, expected 1: read it with the ridge that wrote it", where,
            (long long)json_integer_value(json_object_get(root, "version")));
    d->kind = (rg_doc_kind)k;
    d->root = json_incref(root);
    d->list = json_object_get(root, docs[k].list);
    if (!json_is_array(d->list) || json_array_size(d->list) == 0)
        return rg_fail(err, RG_E_FILE, "%s: %s: no entries, expected at least one", where, docs[k].list);
    if (json_array_size(d->list) > MOST_ENTRIES)
        return rg_fail(err, RG_E_FILE, "%s: %s: %zu entries, expected at most %d", where, docs[k].list,
            json_array_size(d->list), MOST_ENTRIES);
    const rg_status st = check(d, where, err);
    return st == RG_OK ? add_runs(d, where, err) : st;
}

void rg_doc_close(rg_doc *d)
{
    json_decref(d->root);
    rg_saved_close(&d->runs);
    *d = (rg_doc){.kind = RG_DOC_COUNT};
}
