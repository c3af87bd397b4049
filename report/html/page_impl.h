/* Inside of html/: the parts of a page. */
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

/* The sections of a page in their order, for its contents. Names and titles are static. */
enum { RG_MOST_SECTIONS = 40 };
typedef struct rg_contents {
    const char *name[RG_MOST_SECTIONS], *title[RG_MOST_SECTIONS];
    int n;
} rg_contents;
/* Begins one with its heading; the caller ends it. */
void rg_page_section(FILE *f, rg_contents *c, const char *name, const char *title);

/* Escaped text. */
void rg_page_text(FILE *f, const char *s);
/* A list of sentences. */
void rg_page_sentences(FILE *f, const json_t *list);

/* The files as JSON for the script and for download, packed, and the formulas of the runs in them. No '<' in
 * it. */
rg_status rg_page_data(FILE *f, const rg_reports *s, rg_err *err);

/* The what-if's part of the data, null without the module; NULL without memory. */
json_t *rg_page_whatif(const rg_reports *s);
bool rg_page_has_whatif(void);

/* What it is about: model and machine; how many runs, and when. */
void rg_page_title(FILE *f, const rg_reports *s);
void rg_page_subtitle(FILE *f, const rg_reports *s);
/* Cards with the headline numbers, three findings, noise; the verdict in full is folded. */
void rg_page_summary(FILE *f, const rg_reports *s);
void rg_page_verdict(FILE *f, const rg_reports *s);
void rg_page_facts(FILE *f, const rg_reports *s);
void rg_page_notes(FILE *f, const rg_reports *s);
/* The name of a run in an element, where there are several. */
void rg_page_label(FILE *f, const rg_reports *s, size_t run, const char *tag);

/* What to fix next, of every run. */
rg_status rg_page_fixes(FILE *f, const rg_reports *s, rg_err *err);
/* Figures of documents, operators of runs. */
rg_status rg_page_tables(FILE *f, rg_contents *c, const rg_reports *s, rg_err *err);

#endif
