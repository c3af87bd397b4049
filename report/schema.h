/* Figures.def as a JSON schema per document, and as the reference of docs/json.md. */
#ifndef RG_SCHEMA_H
#define RG_SCHEMA_H

#include "report/document.h"

/* "profile", "profile.set": what a document calls its schema, without "ridge.". */
const char *rg_schema_name(rg_doc_kind kind);
/* The kind of that name, or RG_DOC_KINDS. */
rg_doc_kind rg_schema_named(const char *name);
/* The names, each with its command. */
rg_status rg_schema_list(FILE *f, rg_err *err);
/* JSON Schema, draft 7: every field described, no other allowed. */
rg_status rg_schema_write(FILE *f, rg_doc_kind kind, rg_err *err);
/* A table per object in Markdown. */
rg_status rg_schema_reference(FILE *f, rg_err *err);

#endif
