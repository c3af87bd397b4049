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

/* A section per picture in the list from `from` to before `to`, with as many figures as there are of it. */
static rg_status pictures(FILE *f, rg_contents *c, const rg_reports *s, int from, int to, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = from; i < to && !st; i++) {
        const rg_picture *p = &rg_pictures[i];
        const bool of_runs = p->kind == RG_DOC_profile;
        const size_t count = rg_picture_count(p, s);
        bool begun = false;
        for (size_t k = 0; k < count && !st; k++) {
            if (!p->can(s, k)) continue;
            if (!begun) {
                rg_page_section(f, c, p->name, p->title);
                fprintf(f, "<p>%s</p>\n", p->words);
            }
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

static void whatif(FILE *f, rg_contents *c)
{
    rg_page_section(f, c, "whatif", "What if");
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

void rg_page_section(FILE *f, rg_contents *c, const char *name, const char *title)
{
    if (c->n < RG_MOST_SECTIONS) {
        c->name[c->n] = name;
        c->title[c->n++] = title;
    }
    fprintf(f, "<section id=\"%s\"><h2>%s</h2>\n", name, title);
}

/* Everything between the contents and the data. */
static rg_status sections(FILE *f, rg_contents *c, const rg_reports *s, rg_err *err)
{
    enum { BEFORE = RG_PICTURE_time + 1, OF_RUNS = RG_PICTURE_heat + 1 };
    rg_status st = RG_OK;
    rg_page_section(f, c, "summary", "Summary");
    rg_page_summary(f, s);
    fputs("</section>\n", f);
    st = pictures(f, c, s, OF_RUNS, rg_n_pictures, err);
    if (!st) st = pictures(f, c, s, 0, BEFORE, err);
    if (!st && s->n > 0) {
        rg_page_section(f, c, "fixes", "What to fix next");
        st = rg_page_fixes(f, s, err);
        fputs("</section>\n", f);
        whatif(f, c);
    }
    if (!st) st = pictures(f, c, s, BEFORE, OF_RUNS, err);
    if (!st) st = rg_page_tables(f, c, s, err);
    if (st) return st;
    rg_page_section(f, c, "runs", "Machine, model, method");
    rg_page_facts(f, s);
    fputs("</section>\n", f);
    rg_page_section(f, c, "notes", "Notes");
    rg_page_notes(f, s);
    fputs("</section>\n", f);
    rg_page_section(f, c, "data", "Data");
    fputs("<p>The JSON that this page was made from is inside it.</p><div class=\"tools\" "
          "data-tools=\"data\" hidden></div></section>\n",
        f);
    return RG_OK;
}

static void page_head(FILE *f, const rg_reports *s, const rg_contents *c)
{
    fputs("<body>\n<header><h1>", f);
    rg_page_title(f, s);
    fputs("</h1><p>", f);
    rg_page_subtitle(f, s);
    fputs("</p><noscript><p>Scripts are off: everything is here to read and print; sorting, filters and "
          "explanations on hover need "
          "them.</p></noscript></header>\n<nav aria-label=\"Contents\"><ol>\n",
        f);
    for (int i = 0; i < c->n; i++) fprintf(f, "<li><a href=\"#%s\">%s</a></li>\n", c->name[i], c->title[i]);
    fputs("</ol></nav>\n<main>\n", f);
    if (s->n > 0) fputs("<div class=\"tools\" data-tools=\"page\" hidden></div>\n", f);
}

static rg_status body(FILE *f, const rg_reports *s, rg_err *err)
{
    rg_contents c = {.n = 0};
    char *text = NULL;
    size_t n = 0;
    FILE *inside = open_memstream(&text, &n); /* the contents come first, and are known last */
    if (!inside) return rg_no_memory(err, "page");
    rg_status st = sections(inside, &c, s, err);
    if (fclose(inside) != 0 && !st) st = rg_no_memory(err, "page");
    if (!st) {
        page_head(f, s, &c);
        fwrite(text, 1, n, f);
    }
    free(text);
    if (st) return st;
    fputs("</main>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n<div id=\"live\" class=\"unseen\" "
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
