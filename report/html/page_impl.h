/* Inside of page/: the parts of a page. */
#ifndef RG_PAGE_IMPL_H
#define RG_PAGE_IMPL_H

#include "report/html/page.h"

/* Files of this folder, compiled in. */
typedef struct rg_asset {
    const unsigned char *p;
    size_t n;
} rg_asset;
extern const rg_asset rg_asset_css, rg_asset_js;
extern const rg_asset rg_asset_wasm; /* the what-if model; empty where the toolchain was missing */

/* Escaped text. */
void rg_page_text(FILE *f, const char *s);

/* The files as JSON for the script and for download, packed, and the formulas of the runs in them. No '<' in it. */
rg_status rg_page_data(FILE *f, const rg_reports *s, rg_err *err);

/* A list of texts. */
void rg_page_sentences(FILE *f, const json_t *list);

/* The what-if's part of the data, null without the module; NULL without memory. */
json_t *rg_page_whatif(const rg_reports *s);
bool rg_page_has_whatif(void);

void rg_page_runs(FILE *f, const rg_reports *s);    /* machine, model, method: a column per run */
void rg_page_verdict(FILE *f, const rg_reports *s); /* sentences */
void rg_page_notes(FILE *f, const rg_reports *s);
/* Operators: sums over layers, or rows by layer. */
void rg_page_table(FILE *f, const rg_reports *s, size_t run, bool by_layer);
/* Of a report that is no run. */
void rg_page_doc_title(FILE *f, const rg_doc *d);
void rg_page_doc_subtitle(FILE *f, const rg_doc *d);
void rg_page_doc_verdict(FILE *f, const rg_doc *d);
void rg_page_doc_facts(FILE *f, const rg_doc *d);
void rg_page_doc_tables(FILE *f, const rg_doc *d);
void rg_page_doc_notes(FILE *f, const rg_doc *d);
bool rg_page_has_layers(const rg_run *r);

#endif
