/* A machine's roofs: read bandwidth over footprints, and the ceilings in the log-log plane. */
#include <math.h>

#include "report/join.h"
#include "report/svg/pictures.h"
#include "report/svg/roof_plot.h"

enum { W = 960, H = 900, LEFT = 66, RIGHT = 944, TOP = 62, MIDDLE = 340, TOP2 = 430, BOTTOM2 = 850 };

typedef struct series {
    const char *name, *cls, *dash;
    rg_bw_kind kind;
    const rg_bw_point *p;
    int n;
} series;

static bool measured(const series *r)
{
    for (int i = 0; i < r->n; i++)
        if (rg_bw_get(&r->p[i], r->kind)->value > 0.0) return true;
    return false;
}

static void draw_series(rg_svg *s, const series *r, const rg_axis *x, const rg_axis *y, bool named)
{
    double xy[RG_MAX_BW][2];
    char line[40], a[32];
    size_t n = 0;
    snprintf(line, sizeof line, "%s-line", r->cls);
    for (int i = 0; i < r->n; i++) {
        const double v = rg_bw_get(&r->p[i], r->kind)->value;
        if (!(v > 0.0)) continue;
        if (n > 0 && !named)
            rg_svg_line(s, line, xy[n - 1][0], xy[n - 1][1], rg_axis_at(x, (double)r->p[i].footprint_bytes),
                rg_axis_at(y, v), 1.0, r->dash);
        xy[n][0] = rg_axis_at(x, (double)r->p[i].footprint_bytes);
        xy[n][1] = rg_axis_at(y, v);
        if (named) rg_svg_keep_off(s, xy[n][0], xy[n][1], 4, 4, 0);
        n++;
    }
    for (size_t i = 1; i < n; i++) rg_svg_keep_off_line(s, xy[i - 1][0], xy[i - 1][1], xy[i][0], xy[i][1]);
    if (named) rg_svg_path(s, line, (const double(*)[2])xy, n, 1.8);
    n = 0;
    for (int i = 0; i < r->n; i++) {
        const rg_measured *v = rg_bw_get(&r->p[i], r->kind);
        if (!(v->value > 0.0)) continue;
        const double half = v->value * v->spread / 2.0;
        rg_num(a, sizeof a, v->value);
        rg_svg_group(s, "point", named ? "data-kind=\"bandwidth\"" : "data-kind=\"further\"",
            RG_TEXT(200, "%s, %s: %s GB/s, spread %s", r->name, RG_BYTES((double)r->p[i].footprint_bytes), a,
                RG_PERCENT(v->spread)));
        if (named)
            rg_svg_line(s, line, xy[n][0], rg_axis_at(y, fmax(v->value - half, 0.0)), xy[n][0],
                rg_axis_at(y, fmin(v->value + half, y->hi)), 1.2, NULL);
        rg_svg_circle(s, r->cls, xy[n][0], xy[n][1], named ? 3.5 : 2.2);
        rg_svg_end(s);
        if (named) rg_svg_label(s, xy[n][0], xy[n][1], 3.5, 10, "ink halo", a);
        n++;
    }
}

/* Read bandwidth of the run's threads, strong; beside it writing, copying, and one thread alone. */
static void ladder(rg_svg *s, const rg_machine *m)
{
    series list[5] = {{"read", "c-qkv", NULL, RG_BW_READ, m->bw, m->n_bw},
        {"write", "c-attn", "4 3", RG_BW_WRITE, m->bw, m->n_bw},
        {"copy", "c-out", "4 3", RG_BW_COPY, m->bw, m->n_bw},
        {"triad", "c-gate", "4 3", RG_BW_TRIAD, m->bw, m->n_bw}};
    double lo = INFINITY, hi = 0.0, top = 0.0;
    int n = 4;
    for (int i = 0; i < m->n_ladders && n < 5; i++)
        if (m->ladder[i].threads == 1 && m->threads != 1 && m->ladder[i].huge_pages)
            list[n++] =
                (series){"read, 1 thread", "c-head", "1 3", RG_BW_READ, m->ladder[i].bw, m->ladder[i].n};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < list[k].n; i++) {
            const rg_measured *v = rg_bw_get(&list[k].p[i], list[k].kind);
            if (!(v->value > 0.0)) continue;
            lo = fmin(lo, (double)list[k].p[i].footprint_bytes);
            hi = fmax(hi, (double)list[k].p[i].footprint_bytes);
            top = fmax(top, v->value);
        }
    if (!(hi > 0.0)) {
        rg_svg_words(s, LEFT, TOP + 40, "soft", "No bandwidth was measured.");
        return;
    }
    rg_axis x = rg_axis_log(lo, hi, LEFT, RIGHT), y = rg_axis_linear(top, MIDDLE, TOP);
    x.bytes = true;
    rg_axis_draw_x(s, &x, TOP, MIDDLE, "footprint: bytes used again and again, all threads together");
    rg_axis_draw_y(s, &y, LEFT, RIGHT, "bandwidth, GB/s");
    rg_legend l = {.x = LEFT, .y = MIDDLE + 56, .left = LEFT, .right = RIGHT};
    for (int k = n - 1; k >= 0; k--) {
        if (measured(&list[k])) draw_series(s, &list[k], &x, &y, k == 0);
    }
    for (int k = 0; k < n; k++)
        if (measured(&list[k])) rg_legend_item(s, &l, RG_LEGEND_CIRCLE, list[k].cls, list[k].name);
}

rg_status rg_picture_machine(FILE *f, const rg_machine *m, bool embedded, rg_err *err)
{
    rg_svg s;
    rg_roof_plot plot = rg_roof_plot_at(LEFT, TOP2, RIGHT, BOTTOM2);
    rg_svg_open(&s, f, W, H, "Roofs of this machine",
        "Above: bandwidth over the size of what is used, a point per size, reading with its spread. Below: "
        "logarithmic axes, arithmetic intensity across, performance up; slopes are bandwidths, level lines "
        "arithmetic peaks per instruction set.",
        embedded);
    rg_picture_title(&s, "Roofs of this machine",
        RG_TEXT(320, "%s, %d thread%s, %s%s", RG_CLEAN(80, m->cpu), m->threads, m->threads == 1 ? "" : "s",
            m->measured_at[0] ? m->measured_at : "not dated",
            m->noisy ? "; noisy: a spread is above 20 %" : ""));
    ladder(&s, m);
    rg_roof_plot_levels(&plot, m->bw, m->n_bw, true, NULL, 0);
    const int best = rg_machine_peak_row(m, RG_ARITH_FP32_FMA, m->isa_best);
    for (int i = 0; i < RG_PEAK_COUNT; i++)
        rg_roof_plot_add(&plot, true, i == best, m->peak[i].value, "%s: %s", rg_peaks[i].name,
            RG_RATE(m->peak[i].value, rg_arith_units[rg_peaks[i].arith]));
    if (plot.n > 0) {
        rg_roof_plot_reach(&plot, 0.06, NAN);
        rg_roof_plot_scale(&plot);
        rg_roof_plot_lines(&s, &plot);
        rg_roof_plot_names(&s, &plot);
    }
    return rg_svg_close(&s, err);
}
