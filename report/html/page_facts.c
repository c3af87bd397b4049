/* What a page says in words: headings, facts, verdicts and notes (facts.def). */
#include <stdlib.h>
#include <string.h>

#include "report/html/page_impl.h"
#include "report/table.h"
#include "report/views.h"

void rg_page_text(FILE *f, const char *s) { rg_text_escape(f, s ? s : "n/a"); }

/* ---- words with figures in them ---- */

/* What paths start from. */
typedef struct face {
    rg_object_id object;
    const void *at;
} face;

static face face_of(const rg_doc *d) { return (face){rg_documents[d->kind].object, d->at}; }

/* The text of a figure; NULL: not known, false, or no rows. */
static const char *words_of(char *buf, size_t n, const face *a, const char *path)
{
    const rg_found x = rg_figure_at(a->object, a->at, path, false);
    if (!x.fig) return NULL;
    if (x.fig->kind == RG_FIG_FLAG) return *(const bool *)x.at ? "yes" : NULL;
    if (x.fig->kind == RG_FIG_LIST || x.fig->kind == RG_FIG_LISTX) {
        snprintf(buf, n, "%zu", rg_fig_rows(x.fig, x.at));
        return rg_fig_rows(x.fig, x.at) ? buf : NULL;
    }
    return rg_fig_words(buf, n, x.fig, x.at);
}

/* Where c stands outside of braces, or end. */
static const char *outside(const char *s, const char *end, char c)
{
    for (int depth = 0; s < end && (depth || *s != c); s++) depth += (*s == '{') - (*s == '}');
    return s;
}

static void fill(FILE *f, const face *a, const char *s, const char *end, const char *self)
{
    for (; s < end; s++) {
        char path[64], buf[4096];
        if (*s != '{') {
            if (*s == '$' && self)
                fputs(self, f);
            else
                fputc(*s, f);
            continue;
        }
        const char *close = outside(s + 1, end, '}'), *ask = s + 1 + strcspn(s + 1, "?|}"),
                   *bar = outside(ask, close, '|');
        snprintf(path, sizeof path, "%.*s", (int)(ask - s - 1), s + 1);
        const char *text = words_of(buf, sizeof buf, a, path);
        if (text && *ask == '?')
            fill(f, a, ask + 1, bar, text);
        else if (text)
            fputs(text, f);
        else if (bar < close)
            fill(f, a, bar + 1, close, NULL);
        else if (*ask != '?')
            fputs("n/a", f);
        s = close;
    }
}

/* The caller frees it; NULL without memory. */
static char *filled(const face *a, const char *words)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) return NULL;
    fill(f, a, words, words + strlen(words), NULL);
    if (fclose(f) == 0) return text;
    free(text);
    return NULL;
}

static void say(FILE *f, const face *a, const char *words)
{
    char *text = filled(a, words);
    rg_page_text(f, text);
    free(text);
}

/* ---- heading and notes ---- */

static const struct about {
    const char *heading, *of, *row, *where, *when, *notes;
} abouts[RG_DOC_KINDS] = {
#define RG_PAGE(document, heading, of, row, where, when, notes) \
    [RG_DOC_##document] = {heading, of, row, where, when, notes},
#include "report/html/facts.def"
};

/* The models of a bench, without the types of their matrices: the cards have those. */
static void bench_models(FILE *f, const rg_doc_bench *b)
{
    enum { MOST = 64 };
    char name[MOST][96], text[256];
    const char *at[MOST];
    const size_t n = b->n_results < MOST ? b->n_results : MOST;
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(b->results[i].model_type), type = strlen(b->results[i].dtype);
        const bool ends =
            len > type + 1 && strcmp(b->results[i].model_type + len - type, b->results[i].dtype) == 0;
        snprintf(
            name[i], sizeof name[i], "%.*s", (int)(ends ? len - type - 1 : len), b->results[i].model_type);
        at[i] = name[i];
    }
    rg_page_text(f, rg_name_list(text, sizeof text, at, n));
}

static void doc_title(FILE *f, const rg_reports *s, const rg_doc *d)
{
    const face a = face_of(d);
    char models[256];
    fputs(abouts[d->kind].heading, f);
    if (d->kind == RG_DOC_bench || s->n > 0) fputs(": ", f);
    if (d->kind == RG_DOC_bench)
        bench_models(f, d->at);
    else if (s->n > 0)
        rg_page_text(f, rg_runs_models(models, sizeof models, s));
    else
        say(f, &a, abouts[d->kind].of);
}

void rg_page_title(FILE *f, const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    const face a = d ? face_of(d) : (face){RG_OBJ_profile, s->run[0].d};
    char text[256];
    if (d)
        doc_title(f, s, d);
    else
        rg_page_text(f, rg_runs_models(text, sizeof text, s));
    fputs(" on ", f);
    if (d)
        say(f, &a, abouts[d->kind].where);
    else
        rg_page_text(f, rg_runs_cpus(text, sizeof text, s));
}

void rg_page_subtitle(FILE *f, const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    const size_t n = d ? json_array_size(rg_doc_rows(d)) : s->n;
    const face a = d ? face_of(d) : (face){RG_OBJ_profile, s->run[0].d};
    fprintf(f, "%zu %s%s", n, d ? abouts[d->kind].row : "run", n == 1 ? "" : "s");
    say(f, &a, d ? abouts[d->kind].when : "{started?, $}");
}

void rg_page_sentences(FILE *f, const json_t *list)
{
    const json_t *v;
    size_t i;
    fputs("<ul>", f);
    json_array_foreach (list, i, v) {
        fputs("<li>", f);
        rg_page_text(f, json_string_value(v));
    }
    fputs("</ul>\n", f);
}

void rg_page_label(FILE *f, const rg_reports *s, size_t run, const char *tag)
{
    if (s->n < 2) return;
    fprintf(f, "<%s>", tag);
    rg_page_text(f, s->run[run].label);
    fprintf(f, "</%s>", tag);
}

/* The sentences of every run, side by side. */
static void sides(FILE *f, const rg_reports *s, bool notes)
{
    fputs("<div class=\"side\">\n", f);
    for (size_t i = 0; i < s->n; i++) {
        const json_t *list = notes ? s->run[i].d->notes : s->run[i].d->verdict;
        if (notes && json_array_size(list) == 0) continue;
        fprintf(f, "<div data-run=\"%zu\">", i);
        rg_page_label(f, s, i, "h3");
        rg_page_sentences(f, list);
        fputs("</div>", f);
    }
    fputs("</div>\n", f);
}

void rg_page_verdict(FILE *f, const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    if (d) {
        rg_page_sentences(f, json_object_get(d->json, "verdict"));
        return;
    }
    for (size_t i = 0; i < s->n_docs; i++) { /* a set compares its runs itself */
        const json_t *v =
            s->doc[i].kind == RG_DOC_profile_set ? json_object_get(s->doc[i].json, "verdict") : NULL;
        if (json_array_size(v) == 0) continue;
        fputs("<h3>Side by side</h3>", f);
        rg_page_sentences(f, v);
    }
    sides(f, s, false);
}

void rg_page_notes(FILE *f, const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    const json_t *notes = d ? json_object_get(d->json, "notes") : NULL;
    if (d) fprintf(f, "<p>%s</p>\n", abouts[d->kind].notes);
    if (json_array_size(notes) > 0) rg_page_sentences(f, notes);
    sides(f, s, true);
}

/* ---- facts ---- */

static const struct fact {
    rg_doc_kind kind;
    const char *base, *name, *words;
} facts[] = {
#define RG_FACT(document, base, name, words) {RG_DOC_##document, base, name, words},
#include "report/html/facts.def"
};
enum { FACTS = sizeof facts / sizeof *facts, MOST_FACTS_OF_LIST = 16 };

static void table_begin(FILE *f, const char *label)
{
    fprintf(f,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"facts\">",
        label);
}

/* The i-th face that a fact is about; false: there are no more. */
static bool base_of(face *b, const face *a, const char *base, size_t i)
{
    *b = *a;
    if (!base[0]) return i == 0;
    const rg_found x = rg_figure_at(a->object, a->at, base, false);
    if (!x.fig) return false;
    const bool object = x.fig->kind == RG_FIG_OBJ;
    b->object = x.fig->of;
    b->at = object ? x.at : rg_fig_row(x.fig, x.at, i);
    return object ? i == 0 : i < MOST_FACTS_OF_LIST && b->at != NULL;
}

static void doc_facts(FILE *f, const rg_doc *d)
{
    const face a = face_of(d);
    face b;
    table_begin(f, "Machine and method");
    fputs("<tbody>\n", f);
    for (size_t k = 0; k < FACTS; k++)
        for (size_t i = 0; facts[k].kind == d->kind && base_of(&b, &a, facts[k].base, i); i++) {
            char *text = filled(&b, facts[k].words);
            if (text && *text) {
                fprintf(f, "<tr><th scope=\"row\">%s<td>", facts[k].name);
                rg_page_text(f, text);
                fputc('\n', f);
            }
            free(text);
        }
    fputs("</table></div>\n", f);
}

static void run_facts(FILE *f, const rg_reports *s)
{
    table_begin(f, "Runs");
    fputs("<thead><tr><th scope=\"col\">", f);
    for (size_t i = 0; i < s->n; i++) {
        fputs("<th scope=\"col\">", f);
        rg_page_text(f, s->run[i].label);
    }
    fputs("<tbody>\n", f);
    for (size_t k = 0; k < FACTS; k++) {
        if (facts[k].kind != RG_DOC_profile) continue;
        fprintf(f, "<tr><th scope=\"row\">%s", facts[k].name);
        for (size_t i = 0; i < s->n; i++) {
            const face a = {RG_OBJ_profile, s->run[i].d};
            face b;
            char *text = base_of(&b, &a, facts[k].base, 0) ? filled(&b, facts[k].words) : NULL;
            fputs("<td>", f);
            rg_page_text(f, text && *text ? text : NULL);
            free(text);
        }
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

void rg_page_facts(FILE *f, const rg_reports *s)
{
    if (rg_reports_other(s)) doc_facts(f, rg_reports_other(s));
    if (s->n > 0) run_facts(f, s);
}
