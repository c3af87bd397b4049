#include "report/html/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "report/html/page_impl.h"
#include "report/html/sha256.h"
#include "report/svg/pictures.h"
#include "report/svg/svg.h"

static void asset(FILE *f, const rg_asset *a) { fwrite(a->p, 1, a->n, f); }

/* The style sheet of the pictures and the page's own. */
static char *style_text(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) return NULL;
    rg_svg_style(f);
    asset(f, &rg_asset_css);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* What a page is made of: runs, or a report with or without recorded runs in it. */
typedef struct content {
    const rg_saved *s;
    const rg_doc *d; /* NULL: the runs are all */
} content;

static void title(FILE *f, const content *c)
{
    if (c->d)
        rg_page_doc_title(f, c->d);
    else
        rg_page_text(f, c->s->run[0].name);
}

/* Who may do what: nothing from anywhere, this style and this script, no forms, no frames, no base. */
static void head(FILE *f, const content *c, const char *style)
{
    char style_hash[45], script_hash[45];
    rg_sha256_base64(style_hash, style, strlen(style));
    rg_sha256_base64(script_hash, rg_asset_js.p, rg_asset_js.n);
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", f);
    fprintf(f,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
        "script-src 'sha256-%s'%s; base-uri 'none'; "
        "form-action 'none'\">\n",
        style_hash, script_hash, c->s->n > 0 && rg_page_has_whatif() ? " 'wasm-unsafe-eval'" : "");
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
          "name=\"color-scheme\" content=\"light dark\">\n<meta "
          "name=\"referrer\" "
          "content=\"no-referrer\">\n<title>Ridge report: ",
        f);
    title(f, c);
    fprintf(f, "</title>\n<style>%s</style>\n</head>\n", style);
}

/* Pictures that the script gives buttons keep room for them, so that nothing moves when they come. */
static bool tools_of(const char *name, size_t run)
{
    static const char *const with[] = {"roofline", "compare", "sweep"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (strcmp(with[i], name) == 0) return true;
    return strcmp(name, "heat") == 0 && run == 0;
}

/* The named picture of every run, or of all. */
static rg_status pictures(FILE *f, const rg_saved *s, const char *name, const char *words, rg_err *err)
{
    rg_status st = RG_OK;
    bool begun = false;
    for (int i = 0; i < rg_n_pictures && st == RG_OK; i++) {
        const rg_picture *p = &rg_pictures[i];
        if (strcmp(p->name, name) != 0) continue;
        for (size_t run = 0; run < (p->of_set ? 1 : s->n) && st == RG_OK; run++) {
            if (!p->can(s, run)) continue;
            if (!begun) fprintf(f, "<section id=\"%s\"><h2>%s</h2><p>%s</p>\n", name, p->title, words);
            begun = true;
            if (p->of_set)
                fprintf(f, "<figure class=\"chart\" data-chart=\"%s\">", name);
            else
                fprintf(f, "<figure class=\"chart\" data-chart=\"%s\" data-run=\"%zu\">", name, run);
            if (!p->of_set && s->n > 1) {
                fputs("<figcaption>", f);
                rg_page_text(f, s->run[run].label);
                fputs("</figcaption>", f);
            }
            if (tools_of(name, run)) fputs("<div class=\"zoom\"></div>", f);
            fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", f);
            rg_page_text(f, p->title);
            fprintf(f, ", picture %zu\">\n", run + 1);
            st = p->draw(f, s, run, true, err);
            fputs("</div></figure>\n", f);
        }
    }
    if (begun) fputs("</section>\n", f);
    return st;
}

static void tables(FILE *f, const rg_saved *s)
{
    fputs("<section id=\"table\"><h2>All operators</h2>\n<p>Time, work and bytes of every operator, summed "
          "over the layers. n/a: not known.</p>\n<div "
          "class=\"tools\" data-tools=\"table\" hidden></div>\n",
        f);
    for (size_t i = 0; i < s->n; i++) {
        fprintf(f, "<div data-run=\"%zu\">", i);
        if (s->n > 1) {
            fputs("<h3>", f);
            rg_page_text(f, s->run[i].label);
            fputs("</h3>", f);
        }
        rg_page_table(f, s, i, false);
        if (rg_page_has_layers(&s->run[i])) {
            fputs("<details><summary>By layer</summary>", f);
            rg_page_table(f, s, i, true);
            fputs("</details>", f);
        }
        fputs("</div>\n", f);
    }
    fputs("</section>\n", f);
}

static void whatif(FILE *f)
{
    fputs("<section id=\"whatif\"><h2>What if</h2>\n", f);
    if (rg_page_has_whatif())
        fputs("<p>The exact cost model on another machine, batch, context or format, and LLM-Viewer's beside "
              "it: the C that <code>ridge roofline</code> runs, "
              "as WebAssembly in this "
              "page.</p>\n"
              "<div class=\"whatif\" data-tools=\"whatif\"></div>\n<noscript><p>It needs "
              "scripts.</p></noscript>\n",
            f);
    else
        fputs("<p>Not included in this page: the program that wrote it was built without clang and lld for "
              "WebAssembly. Everything else works; "
              "<code>ridge roofline</code> answers the same questions.</p>\n",
            f);
    fputs("</section>\n", f);
}

static void page_head(FILE *f, const content *c)
{
    const rg_saved *s = c->s;
    char b[320];
    fputs("<body>\n<header><h1>", f);
    title(f, c);
    fputs("</h1><p>", f);
    if (c->d) {
        rg_page_doc_subtitle(f, c->d);
    } else {
        snprintf(b, sizeof b, "%zu run%s on %.100s, %.30s", s->n, s->n == 1 ? "" : "s", s->run[0].cpu,
            s->run[0].started ? s->run[0].started : "not dated");
        rg_page_text(f, b);
    }
    fputs("</p><noscript><p>Scripts are off: everything is here to read and print; sorting, filters and "
          "explanations on hover need "
          "them.</p></noscript></header>\n",
        f);
    if (s->n > 0) fputs("<div class=\"tools\" data-tools=\"page\" hidden></div>\n", f);
    fputs("<main>\n", f);
}

/* In the order in which a person asks. */
static const struct chart {
    const char *name, *words;
} charts[] = {
    {"roofline",
        "Every operator group and phase twice: where the cost model puts it on its roof (hollow), and where "
        "it was measured (filled, area by time share). "
        "The line between them is what was lost."},
    {"compare", "The phases of every run as wholes; arrows lead from the first run to the others."},
    {"sweep", "Groups of operators over batch sizes and lengths."},
    {"stages", "How the time splits between reading the prompt and generating, on the roofs and in truth."},
    {"latency", "Decode step by step: what a reader waits for each token, and how evenly."},
    {"time", "Where the time went; the upright tick marks what the roofs would allow."},
    {"heat", "Time of every operator in every layer; the darker, the longer."},
    {"bytes", "What one forward call moves, by part of the model; note the logarithmic scale."},
};

static rg_status body(FILE *f, const content *c, rg_err *err)
{
    const rg_saved *s = c->s;
    rg_status st = RG_OK;
    page_head(f, c);
    fputs("<section id=\"verdict\"><h2>Verdict</h2>\n", f);
    if (c->d)
        rg_page_doc_verdict(f, c->d);
    else
        rg_page_verdict(f, s);
    fputs("</section>\n<section id=\"runs\"><h2>Machine, model, method</h2>\n", f);
    if (c->d) rg_page_doc_facts(f, c->d);
    if (s->n > 0) rg_page_runs(f, s);
    fputs("</section>\n", f);
    if (c->d) st = rg_page_doc_pictures(f, c->d, err);
    for (size_t i = 0; i < sizeof charts / sizeof *charts && st == RG_OK && s->n > 0; i++)
        st = pictures(f, s, charts[i].name, charts[i].words, err);
    if (st != RG_OK) return st;
    if (c->d) rg_page_doc_tables(f, c->d);
    if (s->n > 0) tables(f, s);
    if (s->n > 0) whatif(f);
    fputs("<section id=\"notes\"><h2>Notes</h2>\n", f);
    if (c->d) rg_page_doc_notes(f, c->d);
    rg_page_notes(f, s);
    fputs("</section>\n<section id=\"data\"><h2>Data</h2><p>The JSON that this page was made from is inside "
          "it.</p><div class=\"tools\" data-tools=\"data\" "
          "hidden></div></section>\n"
          "</main>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n<div id=\"live\" class=\"unseen\" "
          "role=\"status\"></div>\n<script "
          "type=\"application/json\" id=\"ridge-data\">",
        f);
    st = c->d ? rg_page_data(f, &c->d->root, 1, c->d->kind == RG_DOC_ROOFLINE ? 17 : 10, s, err)
              : rg_page_data(f, s->root, s->n_roots, 10, s, err);
    if (st != RG_OK) return st;
    fputs("</script>\n<script>", f);
    asset(f, &rg_asset_js);
    fputs("</script>\n</body>\n</html>\n", f);
    return ferror(f) ? rg_fail(err, RG_E_FILE, "page: cannot write: %s", strerror(errno)) : RG_OK;
}

static rg_status write_page(FILE *f, const content *c, rg_err *err)
{
    char *style = style_text();
    rg_status st = RG_OK;
    if (!style) return rg_fail(err, RG_E_NOMEM, "page: out of memory");
    head(f, c, style);
    st = body(f, c, err);
    free(style);
    return st;
}

rg_status rg_page_write(FILE *f, const rg_saved *s, rg_err *err)
{
    return s->n > 0 ? write_page(f, &(content){.s = s}, err) : rg_fail(err, RG_E_USAGE, "page: no run");
}

rg_status rg_page_write_doc(FILE *f, const rg_doc *d, rg_err *err)
{
    return write_page(f, &(content){.s = &d->runs, .d = d}, err);
}

static rg_status save(const content *c, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (st == RG_OK) st = write_page(o.f, c, err);
    if (st == RG_OK) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

rg_status rg_page_save(const rg_saved *s, const char *path, rg_err *err)
{
    return s->n > 0 ? save(&(content){.s = s}, path, err) : rg_fail(err, RG_E_USAGE, "page: no run");
}

rg_status rg_page_save_doc(const rg_doc *d, const char *path, rg_err *err)
{
    return save(&(content){.s = &d->runs, .d = d}, path, err);
}
