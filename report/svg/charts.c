/* Charts of rows: a mark per row with its interval, its samples and its ideal. */
#include "report/svg/charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const classes[RG_CHART_COLOURS] = {
    "c-qkv", "c-attn", "c-out", "c-gate", "c-down", "c-head"};

const char *rg_chart_class(int i) { return classes[i % RG_CHART_COLOURS]; }

/* Another order of shapes in every round of the colours. */
static int shape_of(int i) { return (i + i / RG_CHART_COLOURS) % 3; }

static void mark(rg_svg *s, int i, const char *cls, double x, double y, double r)
{
    switch (shape_of(i)) {
    case 0:
        rg_svg_circle(s, cls, x, y, r);
        break;
    case 1:
        rg_svg_diamond(s, cls, x, y, r);
        break;
    default:
        rg_svg_rect(s, cls, x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    }
}

void rg_chart_mark(rg_svg *s, int i, double x, double y, double r)
{
    mark(s, i, RG_TEXT(32, "%s see", rg_chart_class(i)), x, y, r);
}

void rg_chart_legend(rg_svg *s, rg_legend *l, int i, const char *text)
{
    static const rg_legend_mark marks[] = {RG_LEGEND_CIRCLE, RG_LEGEND_DIAMOND, RG_LEGEND_SQUARE};
    rg_legend_item(s, l, marks[shape_of(i)], rg_chart_class(i), text);
}

void rg_chart_hollow(rg_svg *s, int i, double x, double y, double r)
{
    mark(s, i, RG_TEXT(48, "%s-line hollow mark", rg_chart_class(i)), x, y, r);
}

static void colour_line(
    rg_svg *s, int i, double x0, double y0, double x1, double y1, double width, const char *dash)
{
    rg_svg_line(s, RG_TEXT(32, "%s-line", rg_chart_class(i)), x0, y0, x1, y1, width, dash);
}

/* ---- rows ---- */

enum { W = 960, TOP = 62, LEAST = 110, MOST = 262, RIGHT = 690, ROW = 22, HEAD = 26, FOOT = 52, LEGEND = 30 };

static double known(double x, double otherwise) { return isfinite(x) ? x : otherwise; }

static rg_axis axis_of(const rg_dot_panel *p, double left)
{
    double lo = INFINITY, hi = 0.0;
    for (int i = 0; i < p->n; i++) {
        const rg_dot *d = &p->dot[i];
        const double v[] = {d->value, d->low, d->high, d->ideal};
        for (int k = 0; k < 4; k++)
            if (isfinite(v[k]) && v[k] > 0.0) {
                lo = fmin(lo, v[k]);
                hi = fmax(hi, v[k]);
            }
        for (size_t k = 0; k < json_array_size(d->sample); k++)
            hi = fmax(hi, known(json_number_value(json_array_get(d->sample, k)), 0.0));
    }
    if (p->least > 0.0) lo = fmin(lo, p->least);
    hi = fmax(fmax(hi, p->most), known(p->reference, 0.0));
    lo = fmin(lo, known(p->reference, lo));
    if (!(hi > 0.0)) hi = 1.0;
    return p->log ? rg_axis_log(fmin(lo, hi), hi, left, RIGHT) : rg_axis_linear(hi, left, RIGHT);
}

static void row(rg_svg *s, const rg_dot *d, const rg_axis *x, double y)
{
    const double mid = y + ROW / 2.0;
    rg_svg_text(s, (rg_svg_at){x->p0 - 10, mid + 4.0, RG_SVG_END, 12, 0, "ink"}, d->label);
    rg_svg_group(s, "dot",
        RG_TEXT(96, "data-kind=\"row\"%s%s%s", d->at[0] ? " data-at=\"" : "", d->at, d->at[0] ? "\"" : ""),
        d->tip[0] ? d->tip : NULL);
    if (isfinite(d->value) && isfinite(d->ideal))
        colour_line(s, d->series, rg_axis_at(x, d->value), mid, rg_axis_at(x, d->ideal), mid, 1.0, "2 3");
    for (size_t k = 0; k < json_array_size(d->sample); k++) {
        const double at = rg_axis_at(x, json_number_value(json_array_get(d->sample, k)));
        if (isfinite(at)) colour_line(s, d->series, at, mid - 5.0, at, mid + 5.0, 0.8, NULL);
    }
    if (isfinite(d->low) && isfinite(d->high))
        colour_line(s, d->series, rg_axis_at(x, d->low), mid, rg_axis_at(x, d->high), mid, 3.0, NULL);
    if (isfinite(d->value) && isfinite(rg_axis_at(x, d->value)))
        rg_chart_mark(s, d->series, rg_axis_at(x, d->value), mid, 4.5);
    if (isfinite(d->ideal) && isfinite(rg_axis_at(x, d->ideal)))
        rg_chart_hollow(s, d->series, rg_axis_at(x, d->ideal), mid, 4.0);
    rg_svg_end(s);
    rg_svg_text(
        s, (rg_svg_at){RIGHT + 14, mid + 4.0, RG_SVG_START, 11, 0, "soft"}, d->text[0] ? d->text : "n/a");
}

static double height_of(const rg_dot_panel *p) { return HEAD + ROW * (double)p->n + FOOT; }

static void panel(rg_svg *s, const rg_dot_panel *p, double top, double left)
{
    const double from = top + HEAD, to = from + ROW * (double)p->n;
    const rg_axis x = axis_of(p, left);
    rg_svg_words(s, 16, top + 14, "ink strong", p->title);
    rg_axis_draw_x(s, &x, from, to, p->unit);
    if (isfinite(p->reference)) {
        const double at = rg_axis_at(&x, p->reference);
        rg_svg_line(s, "roof-line", at, from - 2.0, at, to, 1.4, NULL);
        if (p->reference_name)
            rg_svg_try_text(
                s, (rg_svg_at){at, from - 5.0, RG_SVG_MIDDLE, 11, 0, "soft"}, p->reference_name, true);
    }
    for (int i = 0; i < p->n; i++) row(s, &p->dot[i], &x, from + ROW * (double)i);
}

rg_status rg_chart_dots(
    FILE *f, const rg_chart_words *w, const rg_dot_panel *p, int n, bool embedded, rg_err *err)
{
    double h = TOP + LEGEND, top = TOP, left = LEAST; /* names get the room that the longest needs */
    rg_svg s;
    for (int i = 0; i < n; i++) h += height_of(&p[i]);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < p[i].n; k++)
            left = fmin(fmax(left, rg_svg_text_width(p[i].dot[k].label, 12) + 28.0), MOST);
    rg_picture_open(&s, f, W, h, w->title, w->sub, w->desc, embedded);
    for (int i = 0; i < n; i++) {
        panel(&s, &p[i], top, left);
        top += height_of(&p[i]);
    }
    rg_svg_words(&s, 16, top + 14, "soft", w->legend);
    return rg_svg_close(&s, err);
}

/* Widens to the rows of a panel in all pictures on its scale. */
static void reach_all(rg_dot_panel *p, const rg_rows *r, int panel)
{
    rg_rows other = *r;
    for (other.index = 0; other.index < r->pictures; other.index++)
        for (size_t i = 0; i < r->n; i++) {
            rg_dot x;
            if (!other.fill(&x, &other, panel, i)) continue;
            const double v[] = {x.value, x.low, x.high, x.ideal};
            for (int k = 0; k < 4; k++) {
                if (!isfinite(v[k]) || !(v[k] > 0.0)) continue;
                p->least = p->least > 0.0 ? fmin(p->least, v[k]) : v[k];
                p->most = fmax(p->most, v[k]);
            }
        }
}

rg_status rg_chart_rows(FILE *f, const rg_chart_words *w, const rg_rows *r, bool embedded, rg_err *err)
{
    enum { MOST_ROWS = 60, MOST_PANELS = 4 };
    rg_dot *dot = calloc(r->panels * MOST_ROWS + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[MOST_PANELS];
    int n = 0;
    if (!dot) return rg_no_memory(err, "picture");
    for (int k = 0; k < r->panels; k++) {
        rg_dot_panel *p = &panel[n];
        rg_dot spare;
        size_t all = 0;
        double lo = INFINITY, hi = 0.0;
        *p = (rg_dot_panel){.unit = r->unit,
            .reference = r->reference ? 1.0 : NAN,
            .reference_name = r->reference,
            .dot = next};
        for (size_t i = 0; i < r->n; i++) {
            if (!r->fill(p->n < MOST_ROWS ? next : &spare, r, k, i) || all++ >= MOST_ROWS) continue;
            lo = fmin(lo, next->value);
            hi = fmax(hi, next->value);
            next++;
            p->n++;
        }
        reach_all(p, r, k);
        if (p->least > 0.0) lo = fmin(lo, p->least);
        hi = fmax(hi, p->most);
        p->log = hi > 12.0 * lo; /* one that stands out must not flatten the rest */
        snprintf(p->title, sizeof p->title, "%s%s", r->title[k], p->log ? ", logarithmic" : "");
        if (all > MOST_ROWS)
            snprintf(p->title, sizeof p->title, "%s, the first %d of %zu (the table has all)", r->title[k],
                MOST_ROWS, all);
        n += p->n > 0;
    }
    const rg_status st = rg_chart_dots(f, w, panel, n, embedded, err);
    free(dot);
    return st;
}
