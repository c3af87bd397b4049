/* What to fix next: operators by what they would save on their roofs, and options that leave less to do. */
#include <math.h>
#include <stdlib.h>

#include "report/fixes.h"
#include "report/html/page_impl.h"

enum { MOST_ROWS = 8 };

static void head(FILE *f, const rg_reports *s, size_t run, const char *title, const char *const *column)
{
    fprintf(f, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s%s", title,
        s->n > 1 ? ": " : "");
    if (s->n > 1) rg_page_text(f, s->run[run].label);
    fputs("\"><table class=\"fixes\"><thead><tr>", f);
    for (; *column; column++)
        fprintf(f, "<th scope=\"col\"%s>%s", **column == '<' ? " class=\"word\"" : "", *column + 1);
    fputs("<tbody>\n", f);
}

static void word(FILE *f, const char *text)
{
    fputs("<td class=\"word\">", f);
    rg_page_text(f, text);
}

static void operators(FILE *f, const rg_reports *s, size_t run, const rg_fixes *x)
{
    static const char *const columns[] = {"<operator", "<phase", ">to win", ">worth, tokens/s", ">time",
        ">on its roof", ">of its roof", "<limit", "<why", "<try", NULL};
    const int n = x->n_below < MOST_ROWS ? x->n_below : MOST_ROWS;
    if (n == 0) return;
    head(f, s, run, "What to fix next", columns);
    for (int i = 0; i < n; i++) {
        const rg_fix *w = &x->below[i];
        fprintf(
            f, "<tr data-op=\"%zu\" tabindex=\"0\"><th scope=\"row\">", (size_t)(w->op - s->run[run].d->ops));
        rg_page_text(f, w->op->site);
        word(f, rg_phase_names[w->op->phase]);
        fprintf(f, "<td><b>%s</b><td>+%s<td>%s<td>%s<td>%s", RG_TIME(w->recoverable_ns), RG_NUM(w->worth),
            RG_TIME(w->op->t_ns), RG_TIME(w->op->analytic.ideal_ns), RG_PERCENT(w->op->roof_fraction));
        word(f, w->op->bound);
        word(f, w->why);
        word(f, w->option);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
    if (n < x->n_below)
        fprintf(f, "<p>%d more would save less; the table of operators has them.</p>\n", x->n_below - n);
}

static void savings(FILE *f, const rg_reports *s, size_t run, const rg_fixes *x)
{
    static const char *const columns[] = {
        "<option", "<phase", ">worth, tokens/s", ">saves", ">helps", "<what it changes", NULL};
    if (x->n_savings == 0) return;
    fputs("<p>At a roof only less to do helps. On these roofs:</p>\n", f);
    head(f, s, run, "Options that leave less to do", columns);
    for (int i = 0; i < x->n_savings; i++) {
        const rg_saving *w = &x->saving[i];
        fputs("<tr><th scope=\"row\">", f);
        rg_page_text(f, w->option);
        word(f, rg_phase_names[w->phase]);
        fprintf(f, "<td><b>+%s</b><td>%s<td>%s of the time", RG_NUM(w->worth), RG_TIME(w->saved_ns),
            RG_PERCENT(w->share));
        word(f, w->what);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void named(FILE *f, const rg_doc_op *const *op, int n, const char *what)
{
    if (n == 0) return;
    fprintf(f, "<p>%s ", what);
    for (int i = 0; i < n; i++) {
        if (i) fputs(", ", f);
        rg_page_text(f, op[i]->site);
        fprintf(f, " in %s (%s)", rg_phase_names[op[i]->phase], RG_PERCENT(op[i]->roof_fraction));
    }
    fputs(".</p>\n", f);
}

static void of_run(FILE *f, const rg_reports *s, size_t run, rg_fixes *x)
{
    const rg_run *r = &s->run[run];
    fprintf(f, "<div data-run=\"%zu\">", run);
    rg_page_label(f, s, run, "h3");
    if (r->d->run.noisy) {
        fputs("<p>The run was disturbed: what an operator lost to its neighbours cannot be told from what it "
              "lost itself, so the list is left out. Measure again on a quieter machine.</p></div>\n",
            f);
        return;
    }
    rg_fixes_of(x, r);
    operators(f, s, run, x);
    savings(f, s, run, x);
    named(f, x->at, x->n_at, "At their roofs:");
    named(f, x->above, x->n_above,
        "Measured above their roofs, because operands came from closer caches or the roofs from a busier "
        "minute:");
    if (x->n_below + x->n_savings + x->n_at + x->n_above == 0) {
        fputs("<p>No operator that matters has a known roof: ", f);
        rg_page_text(f, rg_run_no_roof(r));
        fputs(".</p>\n", f);
    }
    fputs("</div>\n", f);
}

rg_status rg_page_fixes(FILE *f, const rg_reports *s, rg_err *err)
{
    rg_fixes *x = malloc(sizeof *x);
    if (!x) return rg_no_memory(err, "page");
    fputs("<p>To win: measured time less the time on its roof. A row explains itself when it is pointed "
          "at.</p>\n",
        f);
    for (size_t i = 0; i < s->n; i++) of_run(f, s, i, x);
    free(x);
    return RG_OK;
}
