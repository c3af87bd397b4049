/* Reports that are no runs: the JSON of bench, compare, compare --ablate, roofline and roofline --validate,
 * as pictures and pages read it. Drawn from the JSON alone, so that a page of a saved report is the page that
 * was made with it. What must be there stands in doc.def; the rest may be missing, and is then unknown. */
#ifndef RG_DOC_H
#define RG_DOC_H

#include <jansson.h>

#include "report/saved.h"

typedef enum rg_doc_kind {
#define RG_DOC(id, schema, list, command) RG_DOC_##id,
#include "report/doc.def"
    RG_DOC_COUNT
} rg_doc_kind;

typedef struct rg_doc {
    rg_doc_kind kind;
    json_t *root;       /* owns a reference */
    const json_t *list; /* of what it is about; borrowed from root; an array */
    rg_saved runs;      /* recorded runs inside it, labelled with the names of their variants; owns */
} rg_doc;

/* True if the schema of that JSON is one of doc.def. */
bool rg_doc_known(const json_t *root);
/* Checks it field by field; RG_E_FILE names the first that is missing or of another type. where: named in
 * messages. */
rg_status rg_doc_open(rg_doc *d, json_t *root, const char *where, rg_err *err);
void rg_doc_close(rg_doc *d); /* legal on a zeroed struct */

/* What stands at a path of keys and indices ("total.decode.t_ns", "cases.0.ops"), or NULL; NAN or NULL where
 * it is not a number or text. */
const json_t *rg_doc_get(const json_t *o, const char *path);
double rg_doc_num(const json_t *o, const char *path);
const char *rg_doc_text(const json_t *o, const char *path);

#endif
