/* Tables of the page: operators of runs, and what views.def has of other documents. */
#include <string.h>

#include "report/html/page_impl.h"
#include "report/views.h"

enum { MOST_ROWS = 3000 };

/* title: read out. attrs: of the table; they are ours. row: "op" or "row", what the script finds a row by. */
static void table(FILE *f, const rg_view_rows *r, const rg_leaf *leaf, int n, const char *title,
    const char *attrs, const char *row)
{
    char buf[160];
    fputs("<div class=\"zoom\"></div><div class=\"scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"",
        f);
    rg_page_text(f, title);
    fprintf(f, "\"><table class=\"ops%s><thead><tr>", attrs);
    if (r->row[0].name)
        fprintf(f, "<th scope=\"col\" class=\"word\" data-key=\"$key\" title=\"%s\">%s", r->fig->help,
            r->fig->title);
    for (int c = 0; c < n; c++)
        fprintf(f, "<th scope=\"col\"%s data-key=\"%s\" title=\"%s\">%s",
            rg_fig_right(leaf[c].fig) ? "" : " class=\"word\"", leaf[c].key, leaf[c].fig->help,
            leaf[c].title);
    fputs("<tbody>\n", f);
    for (size_t i = 0; i < r->n; i++) {
        const char *name = r->row[i].name;
        fprintf(f, "<tr data-%s=\"", row);
        if (name)
            rg_page_text(f, name);
        else
            fprintf(f, "%zu", r->row[i].index);
        fputs(name ? "\"><th scope=\"row\">" : "\">", f);
        if (name) rg_page_text(f, name);
        for (int c = 0; c < n; c++) {
            fputs(c == 0 && !name               ? "<th scope=\"row\">"
                    : rg_fig_right(leaf[c].fig) ? "<td>"
                                                : "<td class=\"word\">",
                f);
            rg_page_text(f, rg_fig_text(buf, sizeof buf, leaf[c].fig, rg_leaf_value(&leaf[c], r->row[i].at)));
        }
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

/* Operators of a run: sums over layers, or rows by layer; false: it has none. */
static rg_status operators(FILE *f, const rg_reports *s, size_t run, bool by_layer, rg_err *err)
{
    const rg_doc_profile *d = s->run[run].d;
    rg_leaf leaf[RG_MOST_LEAVES];
    rg_view_rows r;
    char title[256], attrs[64];
    rg_status st = rg_view_rows_open(&r, RG_OBJ_profile, d, "ops", err);
    if (st) return st;
    const size_t all = r.n;
    r.n = 0;
    for (size_t i = 0; i < all; i++)
        if ((d->ops[i].layer >= 0) == by_layer) r.row[r.n++] = r.row[i];
    snprintf(title, sizeof title, "Operators%s%s%s", by_layer ? " by layer" : "", s->n > 1 ? ": " : "",
        s->n > 1 ? s->run[run].label : "");
    snprintf(attrs, sizeof attrs, "\" data-run=\"%zu\" data-rows=\"%s\"", run, by_layer ? "layer" : "sum");
    if (r.n > 0 && by_layer) fputs("<details><summary>By layer</summary>", f);
    if (r.n > 0) table(f, &r, leaf, rg_view_columns(leaf, &r, "*"), title, attrs, "op");
    if (r.n > 0 && by_layer) fputs("</details>", f);
    rg_view_rows_close(&r);
    return RG_OK;
}

/* Experts of a mixture that a run read; nothing of a dense model. */
static rg_status experts(FILE *f, const rg_doc_profile *d, rg_err *err)
{
    rg_leaf leaf[RG_MOST_LEAVES];
    rg_view_rows r;
    const rg_status st = d->n_experts ? rg_view_rows_open(&r, RG_OBJ_profile, d, "experts", err) : RG_OK;
    if (st || d->n_experts == 0) return st;
    fputs("<h3>Experts</h3><p>Of each layer a call reads the experts that some token of it chose: counted, "
          "beside "
          "what tokens that choose by chance would read, and the most.</p>\n",
        f);
    table(f, &r, leaf, rg_view_columns(leaf, &r, "*"), "Experts", " doc\" data-from=\"experts\"", "row");
    rg_view_rows_close(&r);
    return RG_OK;
}

static rg_status run_tables(FILE *f, rg_contents *c, const rg_reports *s, rg_err *err)
{
    rg_status st = RG_OK;
    rg_page_section(f, c, "table", "All operators");
    fputs("<p>Time, work and bytes of every operator, summed "
          "over the layers. n/a: not known.</p>\n<div class=\"tools\" data-tools=\"table\" hidden></div>\n",
        f);
    for (size_t i = 0; i < s->n && !st; i++) {
        fprintf(f, "<div data-run=\"%zu\">", i);
        rg_page_label(f, s, i, "h3");
        st = operators(f, s, i, false, err);
        if (!st) st = operators(f, s, i, true, err);
        if (!st) st = experts(f, s->run[i].d, err);
        fputs("</div>\n", f);
    }
    fputs("</section>\n", f);
    return st;
}

static rg_status doc_tables(FILE *f, rg_contents *c, const rg_doc *d, rg_err *err)
{
    rg_status st = RG_OK;
    int number = 0;
    rg_page_section(f, c, "results", "Figures");
    fputs("<p>n/a: not known. Titles sort; the exact figures are "
          "in the copy as CSV and in the data.</p>\n",
        f);
    for (int i = 0; i < rg_n_views && !st; i++) {
        const rg_view *v = &rg_views[i];
        rg_leaf leaf[RG_MOST_LEAVES];
        rg_view_rows r;
        char attrs[96];
        if (v->kind != d->kind) continue;
        st = rg_view_rows_open(&r, rg_documents[d->kind].object, d->at, v->from, err);
        const int n = !st ? rg_view_columns(leaf, &r, v->part) : 0;
        if (n > 0) {
            fprintf(f, "<h3>%s</h3>", v->title);
            if (r.n > MOST_ROWS) {
                fprintf(f, "<p>The first %d of %zu; the data has all.</p>", MOST_ROWS, r.n);
                r.n = MOST_ROWS;
            }
            snprintf(attrs, sizeof attrs, " doc\" data-table=\"%d\" data-from=\"%s\"", number++, v->from);
            table(f, &r, leaf, n, v->title, attrs, "row");
        }
        rg_view_rows_close(&r);
    }
    fputs("</section>\n", f);
    return st;
}

rg_status rg_page_tables(FILE *f, rg_contents *c, const rg_reports *s, rg_err *err)
{
    const rg_doc *d = rg_reports_other(s);
    const rg_status st = d ? doc_tables(f, c, d, err) : RG_OK;
    return !st && s->n > 0 ? run_tables(f, c, s, err) : st;
}
