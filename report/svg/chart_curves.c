/* Curves over depth, batch or length: measured, what the roofs allow, and the share of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/svg/charts.h"

enum { W = 960, TOP = 70, BOTTOM = 360, LEFT = 74, MIDDLE = 540, SHARE = 622, RIGHT = 944, PAD = 12 };

rg_curve *rg_curves_get(rg_curves *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->c[i].name, name) == 0) return &c->c[i];
    if (c->n == RG_CURVES) {
        c->left_out++;
        return NULL;
    }
    rg_curve *k = &c->c[c->n++];
    *k = (rg_curve){.n = 0};
    snprintf(k->name, sizeof k->name, "%s", name);
    return k;
}

bool rg_curve_add(rg_curve *c, const rg_curve_point *p)
{
    if (c->n == c->cap) {
        const int cap = c->cap ? 2 * c->cap : 16;
        rg_curve_point *more = realloc(c->p, cap * sizeof *more);
        if (!more) return false;
        c->p = more;
        c->cap = cap;
    }
    int at = c->n++;
    for (; at > 0 && c->p[at - 1].x > p->x; at--) c->p[at] = c->p[at - 1];
    c->p[at] = *p;
    return true;
}

void rg_curves_prune(rg_curves *c)
{
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->c[i].n > 1 && c->c[i].p[0].x < c->c[i].p[c->c[i].n - 1].x)
            c->c[n++] = c->c[i];
        else
            free(c->c[i].p);
    }
    c->n = n;
}

void rg_curves_free(rg_curves *c)
{
    for (int i = 0; i < c->n; i++) free(c->c[i].p);
    c->n = 0;
}

typedef struct range {
    double lo, hi;
} range;

static void reach(range *r, double v)
{
    if (!isfinite(v) || v < 0.0) return;
    r->lo = fmin(r->lo, v);
    r->hi = fmax(r->hi, v);
}

/* A tick where a point is: depths and batches are few and chosen. */
static void ticks_at_points(rg_svg *s, const rg_curves *c, const rg_axis *x, bool names)
{
    double done[64];
    int n = 0;
    char a[32];
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->c[i].n; k++) {
            const double v = c->c[i].p[k].x, at = rg_axis_at(x, v);
            bool known = n == 64 || !isfinite(at);
            for (int j = 0; j < n && !known; j++) known = fabs(done[j] - v) < 1e-9;
            if (known) continue;
            done[n++] = v;
            if (names)
                rg_svg_try_text(s, (rg_svg_at){at, BOTTOM + 18.0, RG_SVG_MIDDLE, 11, 0, "soft"},
                    (snprintf(a, sizeof a, "%.0f", v), a), true);
            else
                rg_svg_line(s, "grid-line", at, TOP, at, BOTTOM, 1.0, NULL);
        }
}

static void axes(rg_svg *s, const rg_curves *c, const rg_axis *x, const rg_axis *y, const char *title)
{
    ticks_at_points(s, c, x, false);
    const double pad = x->log ? 0.0 : PAD; /* points stand off the edges */
    rg_axis_draw_y(s, y, x->p0 - pad, x->p1 + pad, title);
    rg_svg_line(s, "frame-line", x->p0 - pad, BOTTOM, x->p1 + pad, BOTTOM, 1.0, NULL);
    ticks_at_points(s, c, x, true);
    rg_svg_text(
        s, (rg_svg_at){(x->p0 + x->p1) / 2.0, BOTTOM + 36.0, RG_SVG_MIDDLE, 12, 0, "ink"}, c->x_title);
}

typedef double value_fn(const rg_curve_point *p);
static double y_of(const rg_curve_point *p) { return p->y; }
static double ideal_of(const rg_curve_point *p) { return p->ideal; }
static double share_of(const rg_curve_point *p) { return 100.0 * p->share; }

static void path(rg_svg *s, int series, const rg_curve *c, const rg_axis *x, const rg_axis *y, value_fn *v,
    const char *dash)
{
    char cls[32];
    snprintf(cls, sizeof cls, "%s-line", rg_chart_class(series));
    for (int k = 1; k < c->n; k++) {
        const double y0 = rg_axis_at(y, v(&c->p[k - 1])), y1 = rg_axis_at(y, v(&c->p[k]));
        if (isfinite(y0) && isfinite(y1))
            rg_svg_line(s, cls, rg_axis_at(x, c->p[k - 1].x), y0, rg_axis_at(x, c->p[k].x), y1,
                dash ? 1.2 : 1.8, dash);
    }
}

/* The marks of one panel. */
static void marks(rg_svg *s, int series, const rg_curve *c, const rg_axis *x, const rg_axis *y, value_fn *v,
    const char *kind, bool interval)
{
    char cls[32];
    snprintf(cls, sizeof cls, "%s-line", rg_chart_class(series));
    for (int k = 0; k < c->n; k++) {
        const rg_curve_point *p = &c->p[k];
        const double px = rg_axis_at(x, p->x), py = rg_axis_at(y, v(p));
        if (!isfinite(px) || !isfinite(py) || !isfinite(v(p))) continue;
        rg_svg_group(s, "dot",
            RG_TEXT(128, "data-kind=\"%s\"%s%s%s", kind, p->at[0] ? " data-at=\"" : "", p->at,
                p->at[0] ? "\"" : ""),
            p->tip);
        if (interval && isfinite(p->low) && isfinite(p->high)) {
            rg_svg_line(s, cls, px, rg_axis_at(y, p->low), px, rg_axis_at(y, p->high), 1.6, NULL);
            rg_svg_line(s, cls, px - 4, rg_axis_at(y, p->low), px + 4, rg_axis_at(y, p->low), 1.6, NULL);
            rg_svg_line(s, cls, px - 4, rg_axis_at(y, p->high), px + 4, rg_axis_at(y, p->high), 1.6, NULL);
        }
        if (v == ideal_of)
            rg_chart_hollow(s, series, px, py, 4.0);
        else
            rg_chart_mark(s, series, px, py, 4.5);
        rg_svg_end(s);
    }
}

static bool any(const rg_curves *c, value_fn *v)
{
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->c[i].n; k++)
            if (isfinite(v(&c->c[i].p[k]))) return true;
    return false;
}

static rg_status draw(FILE *f, const rg_chart_words *w, const rg_curves *c, bool embedded, rg_err *err)
{
    range x = {INFINITY, 0.0}, y = {INFINITY, 0.0}, share = {0.0, 0.0};
    const bool measured = any(c, y_of), shares = any(c, share_of);
    rg_svg s;
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->c[i].n; k++) {
            const rg_curve_point *p = &c->c[i].p[k];
            reach(&x, p->x);
            reach(&y, p->y);
            reach(&y, p->low);
            reach(&y, p->high);
            reach(&y, p->ideal);
            reach(&share, 100.0 * p->share);
        }
    const double right = shares ? MIDDLE : RIGHT - 20.0;
    const bool y_log = y.lo > 0.0 && y.hi > 25.0 * y.lo;
    rg_axis ax = c->x_log && x.lo > 0.0 ? rg_axis_log(x.lo, x.hi, LEFT, right)
                                        : rg_axis_span(x.lo, x.hi, LEFT + PAD, right - PAD);
    if (!ax.log) ax.lo = x.lo, ax.hi = x.hi; /* the points are the ticks: no round numbers */
    const rg_axis ay = y_log ? rg_axis_log(y.lo, y.hi, BOTTOM, TOP) : rg_axis_linear(y.hi, BOTTOM, TOP);
    const double rows = 1.0 + ceil(c->n / 3.0);
    rg_picture_open(&s, f, W, BOTTOM + 56.0 + 19.0 * (rows + 1.0), w->title, w->sub, w->desc, embedded);
    axes(&s, c, &ax, &ay, c->y_title);
    for (int i = 0; i < c->n; i++) {
        path(&s, i, &c->c[i], &ax, &ay, ideal_of, "6 4");
        if (!measured) marks(&s, i, &c->c[i], &ax, &ay, ideal_of, "analytic", false);
    }
    for (int i = 0; i < c->n; i++) {
        path(&s, i, &c->c[i], &ax, &ay, y_of, NULL);
        marks(&s, i, &c->c[i], &ax, &ay, y_of, "measured", true);
    }
    if (shares) {
        rg_axis bx = ax;
        bx.p0 += SHARE - LEFT;
        bx.p1 = bx.log ? RIGHT - 6.0 : RIGHT - 6.0 - PAD;
        const rg_axis by = rg_axis_linear(fmax(share.hi, 100.0), BOTTOM, TOP);
        axes(&s, c, &bx, &by, "% of the roofs");
        for (int i = 0; i < c->n; i++) {
            path(&s, i, &c->c[i], &bx, &by, share_of, NULL);
            marks(&s, i, &c->c[i], &bx, &by, share_of, "share", false);
        }
    }
    rg_legend l = rg_legend_at(BOTTOM + 62.0);
    for (int i = 0; i < c->n; i++) rg_chart_legend(&s, &l, i, c->c[i].name[0] ? c->c[i].name : "measured");
    rg_legend_line(&l);
    l.y -= 1.0;
    rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft", w->legend);
    if (c->left_out) {
        rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft",
            RG_TEXT(128, "%d more points are in the table only", c->left_out));
    }
    return rg_svg_close(&s, err);
}

rg_status rg_chart_curves(FILE *f, const rg_chart_words *w, rg_curves *c, bool ok, bool embedded, rg_err *err)
{
    const rg_status st = ok ? draw(f, w, c, embedded, err) : rg_no_memory(err, "picture");
    rg_curves_free(c);
    return st;
}
