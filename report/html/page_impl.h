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

/* The files as JSON for the script and for download, packed, and the formulas of the runs in them. No '<' in
 * it. */
rg_status rg_page_data(FILE *f, const rg_reports *s, rg_err *err);

/* The what-if's part of the data, null without the module; NULL without memory. */
json_t *rg_page_whatif(const rg_reports *s);
bool rg_page_has_whatif(void);

/* Heading, verdict, machine, model and method, notes. */
void rg_page_title(FILE *f, const rg_reports *s);
void rg_page_subtitle(FILE *f, const rg_reports *s);
void rg_page_verdict(FILE *f, const rg_reports *s);
void rg_page_facts(FILE *f, const rg_reports *s);
void rg_page_notes(FILE *f, const rg_reports *s);
/* The name of a run in an element, where there are several. */
void rg_page_label(FILE *f, const rg_reports *s, size_t run, const char *tag);

/* Figures of documents, operators of runs. */
rg_status rg_page_tables(FILE *f, const rg_reports *s, rg_err *err);

#endif
