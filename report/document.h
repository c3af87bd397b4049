/* Documents: one form for every report. A document is JSON and its typed face, a struct of figures.def, read
 * from the JSON and checked: fresh and saved reports look alike. Files may come from anywhere and are not
 * trusted. */
#ifndef RG_DOCUMENT_H
#define RG_DOCUMENT_H

#include <stdio.h>

#include "base/text.h"
#include "report/figures.h"

typedef enum rg_doc_kind {
#define RG_DOCUMENT(object, schema, version, digits, command, list) RG_DOC_##object,
#include "report/documents.def"
    RG_DOC_KINDS
} rg_doc_kind;

typedef struct rg_document {
    const char *schema, *command, *list;
    rg_object_id object;
    int version, digits;
} rg_document;
extern const rg_document rg_documents[RG_DOC_KINDS];

typedef struct rg_doc {
    rg_doc_kind kind;
    json_t *json; /* owns */
    void *at;     /* owns; rg_doc_<object>: the typed face */
} rg_doc;

/* The kind whose pages and pictures it has: both cost models share theirs. */
static inline rg_doc_kind rg_doc_family(rg_doc_kind k)
{
    return k == RG_DOC_llm_viewer ? RG_DOC_roofline : k;
}

/* The kind whose root is that object; RG_DOC_KINDS: it is inside of documents only. */
rg_doc_kind rg_doc_kind_of(rg_object_id object);

/* A document from a struct, which stays the caller's. Numbers are rounded here, once. */
rg_status rg_doc_make(rg_doc *d, rg_doc_kind kind, const void *from, rg_err *err);
/* From JSON that was just made; gives the reference back. NULL: no memory. */
rg_status rg_doc_take(rg_doc *d, json_t *json, rg_err *err);
/* From JSON; takes a reference. An older version is written anew, without unknown keys. where: named in
 * messages. RG_E_FILE: not ours, or damaged; RG_E_UNSUPPORTED: of an unknown version. */
rg_status rg_doc_open(rg_doc *d, json_t *json, const char *where, rg_err *err);
/* From a file, or a pipe, of at most 256 MiB. */
rg_status rg_doc_load(rg_doc *d, const char *path, rg_err *err);
void rg_doc_close(rg_doc *d); /* legal on a zeroed struct */

/* As `-o json` prints it. */
rg_status rg_doc_json(FILE *f, const rg_doc *d, rg_err *err);

/* Its main list: results, variants, cases ...; NULL: a run. */
static inline json_t *rg_doc_rows(const rg_doc *d)
{
    return json_object_get(d->json, rg_documents[d->kind].list);
}

/* A number of an object; NAN: something else. */
double rg_json_number(const json_t *o, const char *key);

/* A copy of a text in a pool; NULL stays NULL. */
const char *rg_doc_keep(rg_lines *pool, const char *s);
/* Sentences as a JSON list; NULL without memory. */
json_t *rg_doc_lines(const rg_lines *l);

/* A file or pipe of at most 256 MiB without duplicate keys; the caller gives the reference back. */
rg_status rg_json_read(json_t **json, const char *path, rg_err *err);

#endif
