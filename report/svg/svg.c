/* A small writer of SVG: elements, escaping, colours as classes. */
#include "report/svg/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"

static const struct colour {
    const char *cls, *light, *dark;
} colours[] = {
#define RG_COLOUR(id, cls, light, dark) {cls, light, dark},
#include "report/svg/colours.def"
};

static void rules(FILE *f, bool dark)
{
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        const char *c = dark ? colours[i].dark : colours[i].light;
        fprintf(f, ".%s{fill:%s}.%s-line{stroke:%s;fill:none}", colours[i].cls, c, colours[i].cls, c);
    }
    fprintf(f, ".hollow{fill:%s}.halo{stroke:%s}", dark ? colours[0].dark : colours[0].light,
        dark ? colours[0].dark : colours[0].light);
}

void rg_svg_style(FILE *f)
{
    rules(f, false);
    fputs(".halo{paint-order:stroke;stroke-width:3;stroke-linejoin:round}.wash{fill-opacity:.22}.strong{font-"
          "weight:600}.mark{stroke-width:1.8}.thick{stroke-width:2.4}.see{fill-opacity:.82}",
        f);
    fputs("@media screen and (prefers-color-scheme:dark){", f);
    rules(f, true);
    fputs("}", f);
}

void rg_svg_number(FILE *f, double x)
{
    if (!isfinite(x)) x = 0.0;
    x = fmin(fmax(x, -1e9), 1e9);
    long long k = llround(x * 100.0);
    if (k < 0) {
        fputc('-', f);
        k = -k;
    }
    fprintf(f, "%lld", k / 100);
    if (k % 100) fprintf(f, k % 10 ? ".%02lld" : ".%lld", k % 10 ? k % 100 : k % 100 / 10);
}

static void attr(FILE *f, const char *name, double x)
{
    fprintf(f, " %s=\"", name);
    rg_svg_number(f, x);
    fputc('"', f);
}

static void cls_attr(FILE *f, const char *cls)
{
    if (cls) fprintf(f, " class=\"%s\"", cls);
}

void rg_svg_open(rg_svg *s, FILE *f, double w, double h, const char *title, const char *desc, bool embedded)
{
    *s = (rg_svg){.f = f, .w = w, .h = h};
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", f);
    rg_svg_number(f, w);
    fputc(' ', f);
    rg_svg_number(f, h);
    fputc('"', f);
    attr(f, "width", w);
    attr(f, "height", h);
    fputs(" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" aria-label=\"", f);
    rg_text_escape(f, title);
    fputs("\">\n", f);
    if (!embedded) { /* it would show as a tooltip everywhere in a page */
        fputs("<title>", f);
        rg_text_escape(f, title);
        fputs("</title>\n", f);
    }
    fputs("<desc>", f);
    rg_text_escape(f, desc);
    fputs("</desc>\n", f);
    if (!embedded) {
        fputs("<style>", f);
        rg_svg_style(f);
        fputs("</style>\n", f);
    }
    rg_svg_rect(s, "ground", 0, 0, w, h);
}

rg_status rg_svg_close(rg_svg *s, rg_err *err)
{
    fputs("</svg>\n", s->f);
    free(s->box);
    s->box = NULL;
    return rg_written(s->f, "picture", s->failed, err);
}

void rg_svg_group(rg_svg *s, const char *cls, const char *attrs, const char *tip)
{
    fputs("<g", s->f);
    cls_attr(s->f, cls);
    if (attrs) fprintf(s->f, " %s", attrs);
    fputc('>', s->f);
    if (tip) {
        fputs("<title>", s->f);
        char line[512];
        for (const char *p = tip; *p;) { /* line by line: escaping knows no control characters */
            const size_t n = strcspn(p, "\n");
            snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), p);
            rg_text_escape(s->f, line);
            p += n;
            if (*p) fputc(*p++, s->f);
        }
        fputs("</title>", s->f);
    }
    fputc('\n', s->f);
}

void rg_svg_end(rg_svg *s) { fputs("</g>\n", s->f); }

/* An element with numbers as attributes; the caller ends it. */
static void element(rg_svg *s, const char *name, const char *cls, const char *const *key, const double *v)
{
    fprintf(s->f, "<%s", name);
    cls_attr(s->f, cls);
    for (; *key; key++) attr(s->f, *key, *v++);
}

void rg_svg_line(
    rg_svg *s, const char *cls, double x0, double y0, double x1, double y1, double width, const char *dash)
{
    static const char *const key[] = {"x1", "y1", "x2", "y2", "stroke-width", NULL};
    element(s, "line", cls, key, (const double[]){x0, y0, x1, y1, width});
    if (dash) fprintf(s->f, " stroke-dasharray=\"%s\"", dash);
    fputs("/>\n", s->f);
}

void rg_svg_rect(rg_svg *s, const char *cls, double x, double y, double w, double h)
{
    static const char *const key[] = {"x", "y", "width", "height", NULL};
    element(s, "rect", cls, key, (const double[]){x, y, fmax(w, 0.0), fmax(h, 0.0)});
    fputs("/>\n", s->f);
}

void rg_svg_circle(rg_svg *s, const char *cls, double x, double y, double r)
{
    static const char *const key[] = {"cx", "cy", "r", NULL};
    element(s, "circle", cls, key, (const double[]){x, y, r});
    fputs("/>\n", s->f);
}

static void point(FILE *f, char op, double x, double y)
{
    fputc(op, f);
    rg_svg_number(f, x);
    fputc(' ', f);
    rg_svg_number(f, y);
}

void rg_svg_diamond(rg_svg *s, const char *cls, double x, double y, double r)
{
    const double d = r * 1.2533141373155; /* sqrt(pi / 2): two d squared is the area */
    fputs("<path", s->f);
    cls_attr(s->f, cls);
    fputs(" d=\"", s->f);
    point(s->f, 'M', x, y - d);
    point(s->f, 'L', x + d, y);
    point(s->f, 'L', x, y + d);
    point(s->f, 'L', x - d, y);
    fputs("z\"/>\n", s->f);
}

void rg_svg_path(rg_svg *s, const char *cls, const double (*xy)[2], size_t n, double width)
{
    bool pen = false;
    fputs("<path", s->f);
    cls_attr(s->f, cls);
    attr(s->f, "stroke-width", width);
    fputs(" stroke-linejoin=\"round\" d=\"", s->f);
    for (size_t i = 0; i < n; i++) {
        const bool here = isfinite(xy[i][0]) && isfinite(xy[i][1]);
        if (here) point(s->f, pen ? 'L' : 'M', xy[i][0], xy[i][1]);
        pen = here;
    }
    fputs("\"/>\n", s->f);
}
