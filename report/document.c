/* Making, opening and writing documents. */
#include "report/document.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "roofline/measure/json_value.h"

enum { MAX_FILE = 256 << 20 };

const rg_document rg_documents[RG_DOC_KINDS] = {
#define RG_DOCUMENT(object_, schema_, version_, digits_, command_, list_) \
    [RG_DOC_##object_] = {.schema = schema_, \
        .command = command_, \
        .list = list_, \
        .object = RG_OBJ_##object_, \
        .version = version_, \
        .digits = digits_},
#include "report/documents.def"
};

rg_doc_kind rg_doc_kind_of(rg_object_id object)
{
    int k = 0;
    while (k < RG_DOC_KINDS && rg_documents[k].object != object) k++;
    return k;
}

static rg_doc_kind kind_of(const json_t *json)
{
    const char *schema = json_string_value(json_object_get(json, "schema"));
    int k = 0;
    while (k < RG_DOC_KINDS && (!schema || strcmp(schema, rg_documents[k].schema) != 0)) k++;
    const char *cost = json_string_value(json_object_get(json, "cost"));
    if (k == RG_DOC_roofline && cost && strcmp(cost, "llm-viewer") == 0) return RG_DOC_llm_viewer;
    return k;
}

static rg_status not_empty(const rg_doc *d, const char *where, rg_err *err)
{
    const rg_document *w = &rg_documents[d->kind];
    if (w->list[0] && json_array_size(json_object_get(d->json, w->list)) == 0)
        return rg_fail(err, RG_E_FILE, "%s: %s: no entries, expected at least one", where, w->list);
    return RG_OK;
}

static rg_status read_face(rg_doc *d, json_t *json, const char *where, rg_err *err)
{
    const rg_document *w = &rg_documents[d->kind];
    rg_place p = {.file = where, .command = w->command};
    d->json = json_incref(json);
    d->at = calloc(1, rg_objects[w->object].size);
    if (!d->at) return rg_no_memory(err, where);
    return rg_object_read(w->object, d->at, json, &p, err);
}

/* Version 1 had no ratio of bytes. */
static void fill_in(rg_doc_profile *p)
{
    for (size_t i = 0; i < p->n_ops; i++)
        if (!(p->ops[i].bytes_ratio >= 0.0) && p->ops[i].analytic.total_bytes > 0.0)
            p->ops[i].bytes_ratio = p->ops[i].counted.total_bytes / p->ops[i].analytic.total_bytes;
}

/* An older document becomes one of this version, with its names. */
static rg_status renew(rg_doc *d, const char *where, rg_err *err)
{
    enum { ALL_DIGITS = 17 };
    if (d->kind == RG_DOC_profile) fill_in(d->at);
    rg_doc_profile_set *set = d->kind == RG_DOC_profile_set ? d->at : NULL;
    rg_doc_compare *c = d->kind == RG_DOC_compare ? d->at : NULL;
    for (size_t i = 0; set && i < set->n_runs; i++) fill_in(&set->runs[i]);
    for (size_t i = 0; c && i < c->n_runs; i++)
        if (c->runs[i]) fill_in(c->runs[i]);
    json_t *json = rg_object_write(rg_documents[d->kind].object, d->at, ALL_DIGITS);
    if (!json) return rg_no_memory(err, where);
    rg_doc_close(d);
    d->kind = kind_of(json);
    const rg_status st = read_face(d, json, where, err);
    json_decref(json);
    return st;
}

rg_status rg_doc_open(rg_doc *d, json_t *json, const char *where, rg_err *err)
{
    const json_t *version = json_object_get(json, "version");
    const char *schema = json_string_value(json_object_get(json, "schema"));
    *d = (rg_doc){.kind = kind_of(json)};
    if (d->kind == RG_DOC_KINDS)
        return rg_fail(err, RG_E_FILE, "%s: schema is %s, expected that of a report: write one with -o json",
            where, schema ? RG_CLEAN(64, schema) : "missing");
    const rg_document *w = &rg_documents[d->kind];
    if (!json_is_integer(version) || json_integer_value(version) < 1 ||
        json_integer_value(version) > w->version)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: version of the schema is %lld, expected 1 to %d: read it with the ridge that wrote it",
            where, json_is_integer(version) ? (long long)json_integer_value(version) : -1LL, w->version);
    rg_status st = read_face(d, json, where, err);
    if (!st && json_integer_value(version) < w->version) st = renew(d, where, err);
    return st ? st : not_empty(d, where, err);
}

rg_status rg_doc_make(rg_doc *d, rg_doc_kind kind, const void *from, rg_err *err)
{
    json_t *json = rg_object_write(rg_documents[kind].object, from, rg_documents[kind].digits);
    *d = (rg_doc){.kind = kind};
    if (!json) return rg_no_memory(err, "report");
    const rg_status st = rg_doc_open(d, json, "this report", err);
    json_decref(json);
    return st;
}

static void round_reals(json_t *v, int digits)
{
    const char *key;
    json_t *e;
    size_t i;
    if (json_is_real(v)) {
        json_real_set(v, strtod(RG_TEXT(48, "%.*g", digits, json_real_value(v)), NULL));
    }
    json_array_foreach (v, i, e) round_reals(e, digits);
    json_object_foreach (v, key, e) round_reals(e, digits);
}

rg_status rg_doc_take(rg_doc *d, json_t *json, rg_err *err)
{
    *d = (rg_doc){.kind = kind_of(json)};
    if (!json) return rg_no_memory(err, "report");
    if (d->kind < RG_DOC_KINDS) round_reals(json, rg_documents[d->kind].digits);
    const rg_status st = rg_doc_open(d, json, "this report", err);
    json_decref(json);
    return st;
}

rg_status rg_json_read(json_t **json, const char *path, rg_err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0, cap = 0;
    rg_status st = RG_OK;
    json_error_t e;
    *json = NULL;
    if (!f) return rg_fail(err, RG_E_FILE, "%s: cannot read: %s", path, strerror(errno));
    for (size_t got = 1; !st && got > 0; n += got) { /* not by its size: it may be a pipe */
        if (n == cap) {
            cap = cap ? 2 * cap : 1 << 16;
            char *more = cap <= MAX_FILE ? realloc(text, cap) : NULL;
            if (!more) {
                st = cap <= MAX_FILE
                    ? rg_no_memory(err, path)
                    : rg_fail(err, RG_E_FILE, "%s: larger than %d MiB: not a report", path, MAX_FILE >> 20);
                break;
            }
            text = more;
        }
        got = fread(text + n, 1, cap - n, f);
    }
    if (!st && ferror(f)) st = rg_fail(err, RG_E_FILE, "%s: cannot read: %s", path, strerror(errno));
    if (!st && !(*json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e)))
        st = rg_fail(err, RG_E_FILE, "%s: not JSON: line %d: %s", path, e.line, RG_CLEAN(160, e.text));
    free(text);
    fclose(f);
    return st;
}

rg_status rg_doc_load(rg_doc *d, const char *path, rg_err *err)
{
    json_t *json;
    *d = (rg_doc){.kind = RG_DOC_KINDS};
    rg_status st = rg_json_read(&json, path, err);
    if (!st) st = rg_doc_open(d, json, path, err);
    json_decref(json);
    return st;
}

void rg_doc_close(rg_doc *d)
{
    if (d->at) rg_object_free(rg_documents[d->kind].object, d->at);
    free(d->at);
    json_decref(d->json);
    *d = (rg_doc){.kind = RG_DOC_KINDS};
}

rg_status rg_doc_json(FILE *f, const rg_doc *d, rg_err *err)
{
    return rg_json_write(f, json_incref(d->json),
        JSON_INDENT(1) | JSON_REAL_PRECISION(rg_documents[d->kind].digits), "report", err);
}

const char *rg_doc_keep(rg_lines *pool, const char *s)
{
    if (!s) return NULL;
    rg_lines_add(pool, "%s", s);
    return pool->failed ? "" : pool->s[pool->n - 1];
}

json_t *rg_doc_lines(const rg_lines *l)
{
    json_t *a = json_array();
    for (int i = 0; i < l->n; i++) json_array_append_new(a, rg_json_text(l->s[i]));
    return a;
}

/* ---- paths ---- */

double rg_json_number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
