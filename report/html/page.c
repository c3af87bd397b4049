/* Puts a page together: head with its policy, sections, pictures, tables, data and script. */
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

/* Who may do what: nothing from anywhere, this style and this script, no forms, no frames, no base. */
static void head(FILE *f, const rg_reports *s, const char *style)
{
    char style_hash[45], script_hash[45];
    rg_sha256_base64(style_hash, style, strlen(style));
    rg_sha256_base64(script_hash, rg_asset_js.p, rg_asset_js.n);
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", f);
    fprintf(f,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
        "script-src 'sha256-%s'%s; base-uri 'none'; "
        "form-action 'none'\">\n",
        style_hash, script_hash, s->n > 0 && rg_page_has_whatif() ? " 'wasm-unsafe-eval'" : "");
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
          "name=\"color-scheme\" content=\"light dark\">\n<meta "
          "name=\"referrer\" "
          "content=\"no-referrer\">\n<title>Ridge report: ",
        f);
    rg_page_title(f, s);
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

/* A section per picture of reports or of runs, with as many figures as there are of it. */
static rg_status pictures(FILE *f, const rg_reports *s, bool of_runs, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < rg_n_pictures && !st; i++) {
        const rg_picture *p = &rg_pictures[i];
        const size_t count = of_runs == (p->kind == RG_DOC_profile) ? rg_picture_count(p, s) : 0;
        bool begun = false;
        for (size_t k = 0; k < count && !st; k++) {
            if (!p->can(s, k)) continue;
            if (!begun) fprintf(f, "<section id=\"%s\"><h2>%s</h2><p>%s</p>\n", p->name, p->title, p->words);
            begun = true;
            fprintf(f, "<figure class=\"chart\" data-%s=\"%s\"", of_runs ? "chart" : "doc", p->name);
            if (!p->of_all) fprintf(f, " data-%s=\"%zu\"", of_runs ? "run" : "index", k);
            fputs(">", f);
            if (of_runs && !p->of_all) rg_page_label(f, s, k, "figcaption");
            if (of_runs && tools_of(p->name, k)) fputs("<div class=\"zoom\"></div>", f);
            fprintf(f,
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s, picture %zu\">\n",
                p->title, k + 1);
            st = p->draw(f, s, k, true, err);
            fputs("</div></figure>\n", f);
        }
        if (begun) fputs("</section>\n", f);
    }
    return st;
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

static void page_head(FILE *f, const rg_reports *s)
{
    fputs("<body>\n<header><h1>", f);
    rg_page_title(f, s);
    fputs("</h1><p>", f);
    rg_page_subtitle(f, s);
    fputs("</p><noscript><p>Scripts are off: everything is here to read and print; sorting, filters and "
          "explanations on hover need "
          "them.</p></noscript></header>\n",
        f);
    if (s->n > 0) fputs("<div class=\"tools\" data-tools=\"page\" hidden></div>\n", f);
    fputs("<main>\n", f);
}

static rg_status body(FILE *f, const rg_reports *s, rg_err *err)
{
    rg_status st = RG_OK;
    page_head(f, s);
    fputs("<section id=\"verdict\"><h2>Verdict</h2>\n", f);
    rg_page_verdict(f, s);
    fputs("</section>\n<section id=\"runs\"><h2>Machine, model, method</h2>\n", f);
    rg_page_facts(f, s);
    fputs("</section>\n", f);
    if (rg_reports_other(s)) st = pictures(f, s, false, err);
    if (!st) st = pictures(f, s, true, err);
    if (!st) st = rg_page_tables(f, s, err);
    if (st) return st;
    if (s->n > 0) whatif(f);
    fputs("<section id=\"notes\"><h2>Notes</h2>\n", f);
    rg_page_notes(f, s);
    fputs("</section>\n<section id=\"data\"><h2>Data</h2><p>The JSON that this page was made from is inside "
          "it.</p><div class=\"tools\" data-tools=\"data\" "
          "hidden></div></section>\n"
          "</main>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n<div id=\"live\" class=\"unseen\" "
          "role=\"status\"></div>\n<script "
          "type=\"application/json\" id=\"ridge-data\">",
        f);
    st = rg_page_data(f, s, err);
    if (st) return st;
    fputs("</script>\n<script>", f);
    asset(f, &rg_asset_js);
    fputs("</script>\n</body>\n</html>\n", f);
    return ferror(f) ? rg_fail(err, RG_E_FILE, "page: cannot write: %s", strerror(errno)) : RG_OK;
}

rg_status rg_page_write(FILE *f, const rg_reports *s, rg_err *err)
{
    if (s->n_docs == 0) return rg_fail(err, RG_E_USAGE, "page: no run");
    char *style = style_text();
    if (!style) return rg_fail(err, RG_E_NOMEM, "page: out of memory");
    head(f, s, style);
    const rg_status st = body(f, s, err);
    free(style);
    return st;
}

rg_status rg_page_save(const rg_reports *s, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (!st) st = rg_page_write(o.f, s, err);
    if (!st) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}
