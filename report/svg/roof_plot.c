/* The ground of every roofline picture: roofs, ridge points, axes and their labels. */
#include "report/svg/roof_plot.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

rg_roof_plot rg_roof_plot_at(double left, double top, double right, double bottom)
{
    return (rg_roof_plot){.left = left,
        .right = right,
        .top = top,
        .bottom = bottom,
        .x_lo = INFINITY,
        .x_hi = 0,
        .y_lo = INFINITY,
        .y_hi = 0};
}

void rg_roof_plot_reach(rg_roof_plot *p, double x, double y)
{
    if (x > 0.0 && isfinite(x)) {
        p->x_lo = fmin(p->x_lo, x);
        p->x_hi = fmax(p->x_hi, x);
    }
    if (y > 0.0 && isfinite(y)) {
        p->y_lo = fmin(p->y_lo, y);
        p->y_hi = fmax(p->y_hi, y);
    }
}

void rg_roof_plot_add(rg_roof_plot *p, bool compute, bool used, double value, const char *fmt, ...)
{
    va_list ap;
    if (p->n == RG_PLOT_ROOFS || !(value > 0.0) || !isfinite(value)) return;
    rg_plot_roof *r = &p->roof[p->n++];
    *r = (rg_plot_roof){.value = value, .compute = compute, .used = used};
    va_start(ap, fmt);
    vsnprintf(r->name, sizeof r->name, fmt, ap);
    va_end(ap);
}

enum { TERA_FROM = 10000 }; /* GFLOP/s: from here on people count in TFLOP/s */

const char *rg_rate(char *buf, size_t n, double giga, const char *unit)
{
    const bool tera = giga >= TERA_FROM;
    return rg_text(buf, n, "%s %c%s/s", RG_NUM(tera ? 1e-3 * giga : giga), tera ? 'T' : 'G', unit);
}

bool rg_xy_seen(rg_xy v) { return v.x > 0.0 && v.y > 0.0 && isfinite(v.x) && isfinite(v.y); }
rg_xy rg_plot_xy(const rg_roof_plot *p, rg_xy v)
{
    return (rg_xy){rg_axis_at(&p->x, v.x), rg_axis_at(&p->y, v.y)};
}
void rg_phase_mark(rg_svg *s, rg_phase ph, const char *cls, double x, double y, double r)
{
    (ph == RG_PREFILL ? rg_svg_circle : rg_svg_diamond)(s, cls, x, y, r);
}

/* ---- the roofs of a run ---- */

static bool near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance * fmax(a, b); }

void rg_roof_plot_levels(
    rg_roof_plot *p, const rg_bw_point *bw, int n, bool deepest, const double *used, int n_used)
{
    for (int i = 0, from; i < n;) {
        double sum = 0.0;
        for (from = i; i < n && near(bw[i].read_gbps.value, bw[from].read_gbps.value, 0.2); i++)
            sum += bw[i].read_gbps.value;
        if (i == from) { /* an unknown value is not near itself */
            i++;
            continue;
        }
        const double mean = sum / (i - from);
        bool drawn = false;
        for (int k = 0; k < n_used; k++) drawn = drawn || near(used[k], mean, 0.06);
        const char *first = RG_BYTES((double)bw[from].footprint_bytes), *gbps = RG_NUM(mean);
        if (drawn) continue;
        if (i - from > 1)
            rg_roof_plot_add(p, false, deepest && i == n, mean, "read %s to %s: %s GB/s", first,
                RG_BYTES((double)bw[i - 1].footprint_bytes), gbps);
        else
            rg_roof_plot_add(p, false, deepest && i == n, mean, "read %s: %s GB/s", first, gbps);
    }
}

void rg_roof_plot_saved(rg_roof_plot *p, const rg_run *r)
{
    double used[RG_PHASE_COUNT];
    rg_machine m;
    int n = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const double foot = r->phase[ph].stream_bytes,
                     bw = rg_phase_ran(&r->phase[ph]) ? rg_run_bandwidth(r, foot) : NAN;
        if (!(bw > 0.0) || (n > 0 && near(bw, used[0], 0.05))) continue;
        used[n++] = bw;
        rg_roof_plot_add(p, false, true, bw, "weights and KV, %s: %s GB/s", RG_BYTES(foot), RG_NUM(bw));
    }
    rg_run_machine(&m, r);
    rg_roof_plot_levels(p, m.bw, m.n_bw, false, used, n);
    for (size_t i = 0; i < r->d->machine.n_roofs; i++) {
        const rg_doc_roof *f = &r->d->machine.roofs[i];
        if (rg_roof_computes(f))
            rg_roof_plot_add(p, true, rg_run_binds(r, f), f->value_gflops, "%.60s: %s", f->name,
                RG_RATE(f->value_gflops, strncmp(f->name, "int", 3) == 0 ? "op" : "FLOP"));
    }
}

/* ---- axes ---- */

static double best(const rg_roof_plot *p, bool compute, bool used_only)
{
    double v = 0.0;
    for (int i = 0; i < p->n; i++)
        if (p->roof[i].compute == compute && (p->roof[i].used || !used_only)) v = fmax(v, p->roof[i].value);
    return v;
}

void rg_roof_plot_scale(rg_roof_plot *p)
{
    const double bw = best(p, false, true) > 0.0 ? best(p, false, true) : best(p, false, false),
                 peak = best(p, true, false);
    for (int i = 0; i < p->n; i++)
        if (p->roof[i].compute) rg_roof_plot_reach(p, NAN, p->roof[i].value);
    if (bw > 0.0 && peak > 0.0) rg_roof_plot_reach(p, 4.0 * peak / bw, 1.15 * peak);
    if (!(p->x_hi > 0.0)) p->x_lo = 0.1, p->x_hi = 100.0;
    if (!(p->y_hi > 0.0)) p->y_lo = 1.0, p->y_hi = 100.0;
    p->x = rg_axis_log(p->x_lo / 1.5, p->x_hi * 1.5, p->left, p->right);
    p->y = rg_axis_log(p->y_lo / 1.5, p->y_hi * 1.1, p->bottom, p->top);
}

void rg_roof_plot_share(rg_roof_plot *p, const rg_roof_plot *other)
{
    p->x.lo = fmin(p->x.lo, other->x.lo), p->x.hi = fmax(p->x.hi, other->x.hi);
    p->y.lo = fmin(p->y.lo, other->y.lo), p->y.hi = fmax(p->y.hi, other->y.hi);
}

/* The part of the slope y = bw x inside the plot; false if there is none. */
static bool slope_ends(const rg_roof_plot *p, double bw, double cap, double *x0, double *x1)
{
    const double top = cap > 0.0 ? fmin(cap, p->y.hi) : p->y.hi;
    *x0 = fmax(p->x.lo, p->y.lo / bw);
    *x1 = fmin(p->x.hi, top / bw);
    return *x0 < *x1;
}

/* Where a slope meets a ceiling; NAN: they are not those. */
static rg_xy ridge_of(const rg_plot_roof *slope, const rg_plot_roof *ceiling)
{
    if (slope->compute || !ceiling->compute) return (rg_xy){NAN, NAN};
    return (rg_xy){ceiling->value / slope->value, ceiling->value};
}

void rg_roof_plot_lines(rg_svg *s, const rg_roof_plot *p)
{
    const double peak = best(p, true, false), bw = best(p, false, false);
    rg_axis_draw_x(s, &p->x, p->top, p->bottom, "arithmetic intensity, FLOP/byte");
    rg_axis y = p->y;
    y.unit = y.hi >= TERA_FROM ? 1000.0 : 1.0;
    rg_axis_draw_y(
        s, &y, p->left, p->right, y.hi >= TERA_FROM ? "performance, TFLOP/s" : "performance, GFLOP/s");
    rg_svg_keep_off_line(s, p->left, p->top, p->left, p->bottom);
    char where[240]; /* the axes, for scripts that place things in the picture */
    snprintf(where, sizeof where, "data-x=\"%.9g %.9g %.9g %.9g\" data-y=\"%.9g %.9g %.9g %.9g\"", p->x.lo,
        p->x.hi, p->x.p0, p->x.p1, p->y.lo, p->y.hi, p->y.p0, p->y.p1);
    rg_svg_group(s, "plot", where, NULL);
    rg_svg_end(s);
    for (int i = 0; i < p->n; i++) {
        const rg_plot_roof *r = &p->roof[i];
        const char *cls = r->used ? "roof-line" : "faint-line", *dash = r->used ? NULL : "5 3";
        double x0, x1;
        rg_svg_group(s, "roofmark", NULL, r->name);
        double at[4] = {NAN, NAN, NAN, NAN}; /* both ends */
        if (r->compute) {
            /* a ceiling begins at the fastest slope */
            x0 = bw > 0.0 ? fmax(p->x.lo, r->value / bw) : p->x.lo;
            if (x0 < p->x.hi && rg_axis_in(&p->y, r->value)) {
                at[0] = rg_axis_at(&p->x, x0), at[2] = p->right;
                at[1] = at[3] = rg_axis_at(&p->y, r->value);
            }
        } else if (slope_ends(p, r->value, peak, &x0, &x1)) {
            at[0] = rg_axis_at(&p->x, x0), at[1] = rg_axis_at(&p->y, x0 * r->value);
            at[2] = rg_axis_at(&p->x, x1), at[3] = rg_axis_at(&p->y, x1 * r->value);
        }
        if (isfinite(at[0])) {
            rg_svg_line(s, cls, at[0], at[1], at[2], at[3], r->used ? 2.0 : 1.2, dash);
            rg_svg_keep_off_line(s, at[0], at[1], at[2], at[3]);
        }
        rg_svg_end(s);
    }
    /* ridge points: where the strong slopes meet the ceilings */
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->n; k++) {
            const bool strong = p->roof[i].used && p->roof[k].used;
            const rg_xy v = ridge_of(&p->roof[i], &p->roof[k]), at = rg_plot_xy(p, v);
            if (!(p->roof[i].used || p->roof[k].used) || !rg_axis_in(&p->x, v.x) || !rg_axis_in(&p->y, v.y))
                continue;
            rg_svg_group(s, "ridge", NULL,
                RG_TEXT(240, "ridge point %s FLOP/byte: %s meets %s", RG_NUM(v.x), p->roof[i].name,
                    p->roof[k].name));
            rg_svg_circle(s, strong ? "roof" : "faint", at.x, at.y, strong ? 3.5 : 2.2);
            rg_svg_end(s);
        }
}

/* Above the line from its right end leftwards, or below it; a strong one across others rather than not. */
static bool name_ceiling(rg_svg *s, const rg_roof_plot *p, const rg_plot_roof *r, const char *cls)
{
    static const double offsets[] = {-5.0, -11.0, 14.0, 21.0}; /* above, over marks that sit on it, below */
    const double bw = best(p, false, false),
                 start = bw > 0.0 ? fmax(p->left, rg_axis_at(&p->x, r->value / bw)) : p->left,
                 y = rg_axis_at(&p->y, r->value), left = start + rg_svg_text_width(r->name, 11);
    if (!rg_axis_in(&p->y, r->value)) return true;
    for (int i = 0; i < (r->used ? 8 : 4); i++)
        for (double x = p->right - 4.0; x > left; x -= 12.0)
            if (rg_svg_try_text(
                    s, (rg_svg_at){x, y + offsets[i % 4], RG_SVG_END, 11, 0, cls}, r->name, i >= 4))
                return true;
    return false;
}

/* Along the slope, above or below, only the figure where the name finds no place; never across a line. */
static bool name_slope(rg_svg *s, const rg_roof_plot *p, const rg_plot_roof *r, const char *cls)
{
    const char *colon = strrchr(r->name, ':'), *texts[] = {r->name, colon ? colon + 2 : r->name};
    double x0, x1;
    if (!slope_ends(p, r->value, best(p, true, false), &x0, &x1)) return true;
    const double px = rg_axis_at(&p->x, x0), py = rg_axis_at(&p->y, x0 * r->value),
                 dx = rg_axis_at(&p->x, x1) - px, dy = rg_axis_at(&p->y, x1 * r->value) - py;
    const double len = hypot(dx, dy), ux = dx / len, uy = dy / len, angle = atan2(uy, ux) * 57.29577951308232;
    for (int i = 0; i < 4; i++) {
        const char *text = texts[i / 2];
        const double off = i % 2 ? -13.0 : 4.0, room = len - rg_svg_text_width(text, 11) - 8.0;
        for (double t = 8.0; t <= room; t += 7.0)
            if (rg_svg_try_text(s,
                    (rg_svg_at){px + ux * t + uy * off, py + uy * t - ux * off, RG_SVG_START, 11, angle, cls},
                    text, false))
                return true;
    }
    return false;
}

static bool above(const rg_plot_roof *a, const rg_plot_roof *b)
{
    return a->compute == b->compute ? a->value > b->value : b->compute;
}

/* Roofs that lie too close for names, slopes first, each kind from above, in the corner above all of them. */
static void list_roofs(rg_svg *s, const rg_roof_plot *p, const bool unnamed[RG_PLOT_ROOFS])
{
    bool listed[RG_PLOT_ROOFS] = {false};
    double y = p->top + 16.0;
    for (;;) {
        int next = -1;
        for (int i = 0; i < p->n; i++)
            if (unnamed[i] && !listed[i] && (next < 0 || above(&p->roof[i], &p->roof[next]))) next = i;
        if (next < 0) return;
        const rg_plot_roof *r = &p->roof[next];
        const char *cls = r->used ? "roof" : "faint";
        const rg_svg_at at = {p->left + 36.0, y, RG_SVG_START, 11, 0, RG_TEXT(16, "%s halo", cls)};
        listed[next] = true;
        if (!rg_svg_try_text(s, at, r->name, false)) continue;
        rg_svg_line(s, RG_TEXT(16, "%s-line", cls), p->left + 10.0, y - 4.0, p->left + 30.0, y - 4.0,
            r->used ? 2.0 : 1.2, r->used ? NULL : "5 3");
        y += 15.0;
    }
}

void rg_roof_plot_names(rg_svg *s, const rg_roof_plot *p)
{
    bool unnamed[RG_PLOT_ROOFS] = {false};
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->n; k++) {
            const bool strong = p->roof[i].used && p->roof[k].used;
            const rg_xy v = ridge_of(&p->roof[i], &p->roof[k]), at = rg_plot_xy(p, v);
            if (!strong || !rg_axis_in(&p->x, v.x) || !rg_axis_in(&p->y, v.y)) continue;
            rg_svg_keep_off(s, at.x, at.y, 3.5, 3.5, 0);
            rg_svg_label_clear(s, at.x, at.y, 3.5, 11, "roof halo", RG_TEXT(64, "ridge %s", RG_NUM(v.x)));
        }
    for (int strong = 1; strong >= 0; strong--)
        for (int i = 0; i < p->n; i++) {
            const rg_plot_roof *r = &p->roof[i];
            if (r->used != (strong == 1)) continue;
            unnamed[i] =
                !(r->compute ? name_ceiling : name_slope)(s, p, r, strong ? "roof halo" : "faint halo");
        }
    list_roofs(s, p, unnamed);
}

/* ---- legend and titles ---- */

rg_legend rg_legend_at(double y) { return (rg_legend){16.0, y, 16.0, 944.0}; }

void rg_legend_line(rg_legend *l)
{
    l->x = l->left;
    l->y += 21.0;
}

void rg_legend_item(rg_svg *s, rg_legend *l, rg_legend_mark mark, const char *cls, const char *text)
{
    const double room = mark == RG_LEGEND_WORDS ? 0.0 : 16.0, w = room + rg_svg_text_width(text, 12) + 20.0;
    if (l->x + w > l->right && l->x > l->left) {
        l->x = l->left;
        l->y += 19.0;
    }
    const double cx = l->x + 6.0, cy = l->y - 4.0;
    switch (mark) {
    case RG_LEGEND_CIRCLE:
        rg_svg_circle(s, cls, cx, cy, 5.5);
        break;
    case RG_LEGEND_DIAMOND:
        rg_svg_diamond(s, cls, cx, cy, 5.5);
        break;
    case RG_LEGEND_HOLLOW:
        rg_svg_circle(s, RG_TEXT(64, "%s-line hollow mark", cls), cx, cy, 4.5);
        break;
    case RG_LEGEND_SQUARE:
        rg_svg_rect(s, cls, cx - 6.0, cy - 5.0, 12.0, 10.0);
        break;
    case RG_LEGEND_WORDS:
        break;
    }
    rg_svg_words(s, l->x + room, l->y, "ink", text);
    l->x += w;
}

void rg_picture_title(rg_svg *s, const char *title, const char *sub)
{
    rg_svg_text(s, (rg_svg_at){16, 26, RG_SVG_START, 16, 0, "ink strong"}, title);
    if (sub) rg_svg_words(s, 16, 45, "soft", sub);
}

void rg_picture_open(rg_svg *s, FILE *f, double w, double h, const char *title, const char *sub,
    const char *desc, bool embedded)
{
    rg_svg_open(s, f, w, h, title, desc, embedded);
    rg_picture_title(s, title, sub);
}

const char *rg_picture_run(char *buf, size_t n, const rg_run *r)
{
    snprintf(buf, n, "%s, %s weights, %.0f prompt + %.0f generated tokens; %.0f thread%s, %s",
        RG_CLEAN(80, r->d->model.name), r->d->model.dtype ? r->d->model.dtype : "unknown",
        r->d->run.prompt_tokens, r->d->run.gen_tokens, r->d->machine.threads,
        r->d->machine.threads > 1.5 ? "s" : "", RG_CLEAN(80, r->d->machine.cpu));
    return buf;
}

const char *rg_picture_runs(char *buf, size_t n, const rg_reports *s)
{
    char models[200], cpus[200];
    if (s->n == 1) return rg_picture_run(buf, n, s->run);
    return rg_text(buf, n, "%zu runs of %s; %s", s->n, rg_runs_models(models, sizeof models, s),
        rg_runs_cpus(cpus, sizeof cpus, s));
}
