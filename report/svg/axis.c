/* Linear and logarithmic axes: their steps, their labels, and what lies on them. */
#include "report/svg/axis.h"

#include <math.h>

rg_axis rg_axis_log(double lo, double hi, double p0, double p1)
{
    if (!(lo > 0.0) || !isfinite(lo)) lo = 1e-2;
    if (!(hi > 0.0) || !isfinite(hi)) hi = lo;
    if (hi < lo) hi = lo;
    double l = log10(lo) - 0.1, h = log10(hi) + 0.1;
    if (h - l < 1.0) { /* less than a decade shows nothing */
        const double mid = (l + h) / 2.0;
        l = mid - 0.5;
        h = mid + 0.5;
    }
    return (rg_axis){.lo = pow(10.0, l), .hi = pow(10.0, h), .p0 = p0, .p1 = p1, .log = true};
}

/* 1, 2 or 5 times a power of ten, at least x. */
static double round_up(double x)
{
    const double p = pow(10.0, floor(log10(x))), f = x / p;
    return p * (f <= 1.0 + 1e-9 ? 1.0 : f <= 2.0 + 1e-9 ? 2.0 : f <= 5.0 + 1e-9 ? 5.0 : 10.0);
}

rg_axis rg_axis_linear(double hi, double p0, double p1)
{
    if (!(hi > 0.0) || !isfinite(hi)) hi = 1.0;
    const double step = round_up(hi / 5.0);
    return (rg_axis){.lo = 0.0, .hi = step * ceil(hi / step - 1e-9), .p0 = p0, .p1 = p1};
}

rg_axis rg_axis_span(double lo, double hi, double p0, double p1)
{
    if (!isfinite(lo)) lo = 0.0;
    if (!(hi > lo) || !isfinite(hi)) hi = lo + 1.0;
    const double step = round_up((hi - lo) / 5.0);
    return (rg_axis){
        .lo = step * floor(lo / step + 1e-9), .hi = step * ceil(hi / step - 1e-9), .p0 = p0, .p1 = p1};
}

double rg_axis_at(const rg_axis *a, double v)
{
    double t = (v - a->lo) / (a->hi - a->lo);
    if (a->log) {
        if (!(v > 0.0)) return NAN;
        t = log(v / a->lo) / log(a->hi / a->lo);
    }
    if (isnan(t)) return NAN;
    return a->p0 + fmin(fmax(t, -1.0), 2.0) * (a->p1 - a->p0);
}

bool rg_axis_in(const rg_axis *a, double v) { return v >= a->lo && v <= a->hi; }

static const char *tick_text(char *buf, size_t n, const rg_axis *a, double v)
{
    if (a->unit > 0.0) v /= a->unit;
    if (a->bytes) {
        static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        int u = 0;
        for (; v >= 1024.0 && u < 4; u++) v /= 1024.0;
        snprintf(buf, n, "%.0f %s", v, unit[u]);
    } else if (v >= 9999.5 && v < 1e7) {
        snprintf(buf, n, "%gk", v / 1000.0);
    } else if (v >= 1e7 || (v > 0.0 && v < 1e-4)) {
        snprintf(buf, n, "%.0e", v);
    } else {
        snprintf(buf, n, "%.*g", 5, v);
    }
    return buf;
}

enum { MAX_TICKS = 64 };
typedef struct tick {
    double v;
    bool named;
} tick;

static int ticks_of(const rg_axis *a, tick *t)
{
    int n = 0;
    if (a->log && a->bytes) {
        const double step = log2(a->hi / a->lo) > 12.0 ? 16.0 : 4.0,
                     first = pow(step, ceil(log2(a->lo) / log2(step)));
        for (double v = first; v <= a->hi && n < MAX_TICKS; v *= step) t[n++] = (tick){v, true};
    } else if (a->log) {
        static const double steps[] = {1, 2, 5};
        const double decades = log10(a->hi / a->lo);
        for (double d = floor(log10(a->lo)); d <= log10(a->hi); d += 1.0)
            for (int i = 0; i < 3 && n < MAX_TICKS; i++) {
                const double v = steps[i] * pow(10.0, d);
                if (rg_axis_in(a, v) && (i == 0 || decades < 6.0))
                    t[n++] = (tick){v, i == 0 || decades < 3.3};
            }
    } else {
        const double step = round_up((a->hi - a->lo) / 5.0 * 0.999);
        for (int i = 0; a->lo + i * step <= a->hi + 1e-6 * step && n < MAX_TICKS; i++)
            t[n++] = (tick){a->lo + i * step, true};
    }
    return n;
}

void rg_axis_draw_x(rg_svg *s, const rg_axis *x, double top, double bottom, const char *title)
{
    tick t[MAX_TICKS];
    char b[32];
    const int n = ticks_of(x, t);
    for (int i = 0; i < n; i++)
        rg_svg_line(s, "grid-line", rg_axis_at(x, t[i].v), top, rg_axis_at(x, t[i].v), bottom,
            t[i].named ? 1.0 : 0.5, NULL);
    rg_svg_line(s, "frame-line", x->p0, bottom, x->p1, bottom, 1.0, NULL);
    for (int i = 0; i < n; i++)
        if (t[i].named)
            rg_svg_try_text(s,
                (rg_svg_at){rg_axis_at(x, t[i].v), bottom + 18.0, RG_SVG_MIDDLE, 11, 0, "soft"},
                tick_text(b, sizeof b, x, t[i].v), true);
    if (title)
        rg_svg_text(s, (rg_svg_at){(x->p0 + x->p1) / 2.0, bottom + 36.0, RG_SVG_MIDDLE, 12, 0, "ink"}, title);
}

void rg_axis_draw_y(rg_svg *s, const rg_axis *y, double left, double right, const char *title)
{
    tick t[MAX_TICKS];
    char b[32];
    const int n = ticks_of(y, t);
    for (int i = 0; i < n; i++)
        rg_svg_line(s, "grid-line", left, rg_axis_at(y, t[i].v), right, rg_axis_at(y, t[i].v),
            t[i].named ? 1.0 : 0.5, NULL);
    rg_svg_line(s, "frame-line", left, y->p0, left, y->p1, 1.0, NULL);
    for (int i = 0; i < n; i++)
        if (t[i].named)
            rg_svg_try_text(s,
                (rg_svg_at){left - 6.0, rg_axis_at(y, t[i].v) + 4.0, RG_SVG_END, 11, 0, "soft"},
                tick_text(b, sizeof b, y, t[i].v), true);
    if (title)
        rg_svg_text(s, (rg_svg_at){left - 46.0, (y->p0 + y->p1) / 2.0, RG_SVG_MIDDLE, 12, -90, "ink"}, title);
}
