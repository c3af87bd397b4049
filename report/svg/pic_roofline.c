/* The log-log roofline of one run (a point per operator group and phase) and of several (a point per phase,
 * with arrows from the first run). */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/svg/pictures.h"
#include "report/svg/roof_plot.h"

enum { W = 960, H = 620, LEFT = 66, RIGHT = 944, TOP = 58, BOTTOM = 510 };

typedef struct point {
    rg_phase phase;
    int group;              /* rg_opgroup, or -1: the phase as a whole */
    double ax, ay, mx, my;  /* analytic and measured: FLOP/byte, GFLOP/s */
    double radius;          /* of the measured mark */
    const char *cls, *name; /* static */
    char tip[2][400];
} point;

static double mark_radius(double share) { return 3.0 + 15.0 * sqrt(fmin(fmax(share, 0.0), 1.0)); }

static void tips(point *p, const rg_group *g)
{
    char a[8][32];
    rg_num(a[0], sizeof a[0], g->ai_analytic);
    rg_num(a[1], sizeof a[1], g->attainable_gflops);
    rg_bytes(a[2], sizeof a[2], g->analytic.total_bytes);
    rg_time(a[3], sizeof a[3], g->analytic.ideal_ns);
    snprintf(p->tip[0], sizeof p->tip[0],
        "%s, %s: analytic\n%s FLOP/byte from %s compulsory\nat most %s GFLOP/s on the roofs, %s", p->name,
        rg_phase_names[p->phase], a[0], a[2], a[1], a[3]);
    rg_num(a[0], sizeof a[0], g->ai_counted);
    rg_num(a[1], sizeof a[1], g->gflops);
    rg_bytes(a[2], sizeof a[2], g->counted.total_bytes);
    rg_time(a[3], sizeof a[3], g->t_ns);
    rg_percent(a[4], sizeof a[4], g->share);
    rg_percent(a[5], sizeof a[5], g->roof_fraction);
    rg_num(a[6], sizeof a[6], rg_ratio(g->counted.total_bytes, g->t_ns));
    snprintf(p->tip[1], sizeof p->tip[1],
        "%s, %s: measured\n%s, %s of the phase\n%s FLOP/byte from %s counted\n%s GFLOP/s, %s GB/s, %s of the "
        "roof",
        p->name, rg_phase_names[p->phase], a[3], a[4], a[0], a[2], a[1], a[6], a[5]);
}

static int points_of(point *out, const rg_run *r)
{
    int n = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int g = 0; g < RG_OPGROUP_COUNT; g++) {
            const rg_group s = rg_run_group(r, (rg_phase)ph, (rg_opgroup)g);
            if (s.n == 0 || !(s.flop > 0.0)) continue;
            point *p = &out[n++];
            *p = (point){.phase = (rg_phase)ph,
                .group = g,
                .ax = s.ai_analytic,
                .ay = s.attainable_gflops,
                .mx = s.ai_counted,
                .my = s.gflops,
                .radius = mark_radius(s.share),
                .cls = rg_opgroup_classes[g],
                .name = rg_opgroup_names[g]};
            tips(p, &s);
        }
    return n;
}

static void mark(rg_svg *s, rg_phase ph, const char *cls, double x, double y, double r)
{
    if (ph == RG_PREFILL)
        rg_svg_circle(s, cls, x, y, r);
    else
        rg_svg_diamond(s, cls, x, y, r);
}

static bool seen(double x, double y) { return x > 0.0 && y > 0.0 && isfinite(x) && isfinite(y); }

static void draw_points(rg_svg *s, const rg_roof_plot *plot, const point *p, int n, size_t run)
{
    char cls[64], attrs[96];
    for (int i = 0; i < n; i++) { /* lines below all marks */
        if (!seen(p[i].ax, p[i].ay) || !seen(p[i].mx, p[i].my)) continue;
        snprintf(cls, sizeof cls, "%s-line", p[i].cls);
        rg_svg_line(s, cls, rg_axis_at(&plot->x, p[i].ax), rg_axis_at(&plot->y, p[i].ay),
            rg_axis_at(&plot->x, p[i].mx), rg_axis_at(&plot->y, p[i].my), 1.2, NULL);
    }
    for (int kind = 1; kind >= 0; kind--) /* measured below, the small analytic ones on top */
        for (int i = 0; i < n; i++) {
            const double x = kind ? p[i].mx : p[i].ax, y = kind ? p[i].my : p[i].ay;
            if (!seen(x, y)) continue;
            snprintf(attrs, sizeof attrs,
                "data-run=\"%zu\" data-phase=\"%s\" data-group=\"%d\" data-kind=\"%s\"", run,
                rg_phase_names[p[i].phase], p[i].group, kind ? "measured" : "analytic");
            snprintf(cls, sizeof cls, kind ? "%s see" : "%s-line hollow mark", p[i].cls);
            rg_svg_group(s, "point", attrs, p[i].tip[kind]);
            mark(s, p[i].phase, cls, rg_axis_at(&plot->x, x), rg_axis_at(&plot->y, y),
                kind ? p[i].radius : 4.0);
            rg_svg_end(s);
        }
}

/* Labels keep off marks (inner three quarters: a name may touch the rim of a large one). */
static void reserve(rg_svg *s, const rg_roof_plot *plot, const point *p, int n)
{
    for (int i = 0; i < n; i++) {
        if (seen(p[i].ax, p[i].ay))
            rg_svg_keep_off(s, rg_axis_at(&plot->x, p[i].ax), rg_axis_at(&plot->y, p[i].ay), 4.5, 4.5, 0);
        if (seen(p[i].mx, p[i].my))
            rg_svg_keep_off(s, rg_axis_at(&plot->x, p[i].mx), rg_axis_at(&plot->y, p[i].my),
                0.85 * p[i].radius, 0.85 * p[i].radius, 0);
        if (seen(p[i].ax, p[i].ay) && seen(p[i].mx, p[i].my))
            rg_svg_keep_off_line(s, rg_axis_at(&plot->x, p[i].ax), rg_axis_at(&plot->y, p[i].ay),
                rg_axis_at(&plot->x, p[i].mx), rg_axis_at(&plot->y, p[i].my));
    }
}

static void name_points(rg_svg *s, const rg_roof_plot *plot, const point *p, int n)
{
    char text[128];
    for (int i = 0; i < n; i++) {
        if (!seen(p[i].mx, p[i].my)) continue;
        bool twin = false; /* the other phase's mark of the same name is near: say which */
        for (int k = 0; k < n; k++)
            twin = twin ||
                (k != i && strcmp(p[k].name, p[i].name) == 0 &&
                    fabs(rg_axis_at(&plot->x, p[k].mx) - rg_axis_at(&plot->x, p[i].mx)) < 120.0);
        snprintf(
            text, sizeof text, "%s%s%s", p[i].name, twin ? ", " : "", twin ? rg_phase_names[p[i].phase] : "");
        rg_svg_label(s, rg_axis_at(&plot->x, p[i].mx), rg_axis_at(&plot->y, p[i].my), p[i].radius, 11,
            "ink halo", text);
    }
}

static void legend(rg_svg *s, const point *p, int n, bool known)
{
    rg_legend l = {.x = 16, .y = BOTTOM + 62, .left = 16, .right = W - 16};
    for (int g = 0; g < RG_OPGROUP_COUNT; g++)
        for (int i = 0; i < n; i++)
            if (p[i].group == g) {
                rg_legend_item(s, &l, RG_LEGEND_SQUARE, rg_opgroup_classes[g], rg_opgroup_names[g]);
                break;
            }
    l.x = l.left;
    l.y += 21.0;
    rg_legend_item(s, &l, RG_LEGEND_CIRCLE, "soft", "prefill");
    rg_legend_item(s, &l, RG_LEGEND_DIAMOND, "soft", "decode");
    rg_legend_item(s, &l, RG_LEGEND_SQUARE, "soft",
        "filled: measured (counted bytes, clock); area: share of the phase's time");
    rg_legend_item(s, &l, RG_LEGEND_HOLLOW, "soft", "hollow: analytic, on its roof");
    if (!known)
        rg_legend_item(s, &l, RG_LEGEND_WORDS, "soft",
            "A roof is not known on this machine (ridge machine measures it): analytic points that need it "
            "are left out.");
}

bool rg_picture_can_roofline(const rg_reports *s, size_t run)
{
    point p[RG_PHASE_COUNT * RG_OPGROUP_COUNT];
    return points_of(p, &s->run[run]) > 0;
}

rg_status rg_picture_roofline(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    const rg_run *r = &set->run[run];
    point p[RG_PHASE_COUNT * RG_OPGROUP_COUNT];
    const int n = points_of(p, r);
    bool known = true;
    char sub[320];
    rg_svg s;
    rg_roof_plot plot = rg_roof_plot_at(LEFT, TOP, RIGHT, BOTTOM);
    for (int i = 0; i < n; i++) {
        rg_roof_plot_reach(&plot, p[i].ax, p[i].ay);
        rg_roof_plot_reach(&plot, p[i].mx, p[i].my);
        known = known && seen(p[i].ax, p[i].ay);
    }
    rg_roof_plot_saved(&plot, r);
    rg_roof_plot_scale(&plot);
    rg_svg_open(&s, f, W, H, "Roofline: analytic and measured",
        "Logarithmic axes: arithmetic intensity in FLOP per byte across, performance in GFLOP per second up. "
        "Slopes are bandwidths, level lines are arithmetic "
        "peaks. For every operator group and phase a hollow mark shows what the cost model allows and a "
        "filled one what was measured; a line joins them.",
        embedded);
    rg_picture_title(&s, "Roofline: analytic and measured", rg_picture_run(sub, sizeof sub, r));
    rg_roof_plot_lines(&s, &plot);
    reserve(&s, &plot, p, n);
    rg_roof_plot_names(&s, &plot);
    draw_points(&s, &plot, p, n, run);
    name_points(&s, &plot, p, n);
    legend(&s, p, n, known);
    return rg_svg_close(&s, err);
}

/* ---- several runs: the phases as wholes ---- */

static const char *const run_classes[] = {"c-qkv", "c-attn", "c-out", "c-gate", "c-down", "c-head", "c-rest"};
static const char *run_class(size_t i) { return run_classes[i % (sizeof run_classes / sizeof *run_classes)]; }

static int phase_points(point *out, const rg_run *r, size_t run)
{
    int n = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *q = &r->phase[ph];
        if (!rg_phase_ran(q)) continue;
        point *p = &out[n++];
        char a[5][32];
        *p = (point){.phase = (rg_phase)ph,
            .group = -1,
            .ax = q->ai_analytic,
            .ay = rg_ratio(q->flop, q->ideal_ns),
            .mx = q->ai_counted,
            .my = q->gflops,
            .radius = 7.0,
            .cls = run_class(run),
            .name = r->label};
        rg_num(a[0], sizeof a[0], p->ax);
        rg_num(a[1], sizeof a[1], p->ay);
        rg_num(a[2], sizeof a[2], p->mx);
        rg_num(a[3], sizeof a[3], p->my);
        rg_num(a[4], sizeof a[4], q->tokens_per_s);
        snprintf(p->tip[0], sizeof p->tip[0],
            "%s, %s: analytic\n%s FLOP/byte, at most %s GFLOP/s on the roofs", r->label, rg_phase_names[ph],
            a[0], a[1]);
        snprintf(p->tip[1], sizeof p->tip[1], "%s, %s: measured\n%s FLOP/byte, %s GFLOP/s, %s tokens/s",
            r->label, rg_phase_names[ph], a[2], a[3], a[4]);
    }
    return n;
}

static void arrow(rg_svg *s, const rg_roof_plot *plot, const point *a, const point *b)
{
    if (!seen(a->mx, a->my) || !seen(b->mx, b->my)) return;
    const double x0 = rg_axis_at(&plot->x, a->mx), y0 = rg_axis_at(&plot->y, a->my),
                 x1 = rg_axis_at(&plot->x, b->mx), y1 = rg_axis_at(&plot->y, b->my);
    const double len = hypot(x1 - x0, y1 - y0);
    if (len < 24.0) return;
    const double ux = (x1 - x0) / len, uy = (y1 - y0) / len, tx = x1 - ux * 10.0, ty = y1 - uy * 10.0;
    const double head[3][2] = {
        {tx - ux * 7 - uy * 4, ty - uy * 7 + ux * 4}, {tx, ty}, {tx - ux * 7 + uy * 4, ty - uy * 7 - ux * 4}};
    rg_svg_group(s, "arrow", NULL, NULL);
    rg_svg_line(s, "roof-line", x0 + ux * 9.0, y0 + uy * 9.0, tx, ty, 1.4, NULL);
    rg_svg_path(s, "roof-line", head, 3, 1.4);
    rg_svg_end(s);
}

bool rg_picture_can_compare(const rg_reports *s, size_t run)
{
    (void)run;
    return s->n > 1;
}

rg_status rg_picture_compare(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    point p[RG_MOST_RUNS][RG_PHASE_COUNT];
    int n[RG_MOST_RUNS];
    char sub[320];
    rg_svg s;
    rg_roof_plot plot = rg_roof_plot_at(LEFT, TOP, RIGHT, BOTTOM);
    (void)run;
    for (size_t i = 0; i < set->n; i++) {
        n[i] = phase_points(p[i], &set->run[i], i);
        for (int k = 0; k < n[i]; k++) {
            rg_roof_plot_reach(&plot, p[i][k].ax, p[i][k].ay);
            rg_roof_plot_reach(&plot, p[i][k].mx, p[i][k].my);
        }
    }
    rg_roof_plot_saved(&plot, &set->run[0]);
    rg_roof_plot_scale(&plot);
    rg_svg_open(&s, f, W, H, "Roofline: the runs side by side",
        "Logarithmic axes: arithmetic intensity across, performance up. A circle per run for prefill, a "
        "diamond for decode; hollow: what the cost model "
        "allows, "
        "filled: measured. Arrows lead from the first run to the others. The roofs are the first run's.",
        embedded);
    rg_picture_title(&s, "Roofline: the runs side by side", rg_picture_run(sub, sizeof sub, &set->run[0]));
    rg_roof_plot_lines(&s, &plot);
    for (size_t i = 0; i < set->n; i++) reserve(&s, &plot, p[i], n[i]);
    rg_roof_plot_names(&s, &plot);
    for (size_t i = 1; i < set->n; i++)
        for (int k = 0; k < n[i]; k++)
            for (int j = 0; j < n[0]; j++)
                if (p[0][j].phase == p[i][k].phase) arrow(&s, &plot, &p[0][j], &p[i][k]);
    for (size_t i = 0; i < set->n; i++) draw_points(&s, &plot, p[i], n[i], i);
    for (size_t i = 0; i < set->n; i++) name_points(&s, &plot, p[i], n[i]);
    rg_legend l = {.x = 16, .y = BOTTOM + 62, .left = 16, .right = W - 16};
    for (size_t i = 0; i < set->n && l.y < H - 30; i++)
        rg_legend_item(&s, &l, RG_LEGEND_SQUARE, run_class(i), set->run[i].label);
    l.x = l.left;
    l.y += 21.0;
    rg_legend_item(&s, &l, RG_LEGEND_CIRCLE, "soft", "prefill");
    rg_legend_item(&s, &l, RG_LEGEND_DIAMOND, "soft", "decode");
    rg_legend_item(
        &s, &l, RG_LEGEND_WORDS, "soft", "filled: measured, hollow: analytic; roofs of the first run");
    return rg_svg_close(&s, err);
}
