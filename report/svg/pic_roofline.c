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
    rg_xy at[2];            /* analytic and measured: FLOP/byte, GFLOP/s */
    double radius;          /* of the measured mark */
    const char *cls, *name; /* static */
    char tip[2][400];
} point;

static double mark_radius(double share) { return 3.0 + 15.0 * sqrt(fmin(fmax(share, 0.0), 1.0)); }

static void tips(point *p, const rg_group *g)
{
    snprintf(p->tip[0], sizeof p->tip[0],
        "%s, %s: analytic\n%s FLOP/byte from %s compulsory\nat most %s on the roofs, %s", p->name,
        rg_phase_names[p->phase], RG_NUM(g->ai_analytic), RG_BYTES(g->analytic.total_bytes),
        RG_RATE(g->attainable_gflops, "FLOP"), RG_TIME(g->analytic.ideal_ns));
    snprintf(p->tip[1], sizeof p->tip[1],
        "%s, %s: measured\n%s, %s of the phase\n%s FLOP/byte from %s counted\n%s, %s GB/s, %s of the roof",
        p->name, rg_phase_names[p->phase], RG_TIME(g->t_ns), RG_PERCENT(g->share), RG_NUM(g->ai_counted),
        RG_BYTES(g->counted.total_bytes), RG_RATE(g->gflops, "FLOP"),
        RG_NUM(rg_ratio(g->counted.total_bytes, g->t_ns)), RG_PERCENT(g->roof_fraction));
}

static int points_of(point *out, const rg_run *r)
{
    int n = 0;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int g = 0; g < RG_OPGROUP_COUNT; g++) {
            const rg_group s = rg_run_group(r, ph, g);
            if (s.n == 0 || !(s.flop > 0.0)) continue;
            point *p = &out[n++];
            *p = (point){.phase = ph,
                .group = g,
                .at = {{s.ai_analytic, s.attainable_gflops}, {s.ai_counted, s.gflops}},
                .radius = mark_radius(s.share),
                .cls = rg_opgroup_classes[g],
                .name = rg_opgroup_names[g]};
            tips(p, &s);
        }
    return n;
}

static bool joined(const point *p) { return rg_xy_seen(p->at[0]) && rg_xy_seen(p->at[1]); }

/* What a mark (tip: it has one), its line and its name belong to: they come and go together. */
static void group(rg_svg *s, const char *cls, const point *p, size_t run, const char *kind, const char *tip)
{
    rg_svg_group(s, cls,
        RG_TEXT(112, "data-run=\"%zu\" data-phase=\"%s\" data-group=\"%d\" data-%s=\"%s\"", run,
            rg_phase_names[p->phase], p->group, tip ? "kind" : "of", kind),
        tip);
}

static void draw_points(rg_svg *s, const rg_roof_plot *plot, const point *p, int n, size_t run)
{
    for (int i = 0; i < n; i++) { /* lines below all marks */
        if (!joined(&p[i])) continue;
        const rg_xy a = rg_plot_xy(plot, p[i].at[0]), m = rg_plot_xy(plot, p[i].at[1]);
        group(s, "of", &p[i], run, "analytic measured", NULL);
        rg_svg_line(s, RG_TEXT(64, "%s-line", p[i].cls), a.x, a.y, m.x, m.y, 1.2, NULL);
        rg_svg_end(s);
    }
    for (int kind = 1; kind >= 0; kind--) /* measured below, the small analytic ones on top */
        for (int i = 0; i < n; i++) {
            if (!rg_xy_seen(p[i].at[kind])) continue;
            const rg_xy at = rg_plot_xy(plot, p[i].at[kind]);
            group(s, "point", &p[i], run, kind ? "measured" : "analytic", p[i].tip[kind]);
            rg_phase_mark(s, p[i].phase, RG_TEXT(64, kind ? "%s see" : "%s-line hollow mark", p[i].cls), at.x,
                at.y, kind ? p[i].radius : 4.0);
            rg_svg_end(s);
        }
}

/* Labels keep off marks; a name may touch the rim of a large one. */
static void reserve(rg_svg *s, const rg_roof_plot *plot, const point *p, int n)
{
    for (int i = 0; i < n; i++) {
        const double r = 0.85 * p[i].radius;
        const rg_xy a = rg_plot_xy(plot, p[i].at[0]), m = rg_plot_xy(plot, p[i].at[1]);
        if (rg_xy_seen(p[i].at[0])) rg_svg_keep_off(s, a.x, a.y, 4.5, 4.5, 0);
        if (rg_xy_seen(p[i].at[1])) rg_svg_keep_off(s, m.x, m.y, r, r, 0);
        if (joined(&p[i])) rg_svg_keep_off_line(s, a.x, a.y, m.x, m.y);
    }
}

static void name_points(rg_svg *s, const rg_roof_plot *plot, const point *p, int n, size_t run)
{
    for (int i = 0; i < n; i++) {
        if (!rg_xy_seen(p[i].at[1])) continue;
        const rg_xy at = rg_plot_xy(plot, p[i].at[1]);
        bool twin = false; /* the other phase's mark of the same name is near: say which */
        for (int k = 0; k < n; k++)
            twin = twin ||
                (k != i && strcmp(p[k].name, p[i].name) == 0 &&
                    fabs(rg_plot_xy(plot, p[k].at[1]).x - at.x) < 120.0);
        group(s, "of", &p[i], run, "measured", NULL);
        rg_svg_label(s, at.x, at.y, p[i].radius, 11, "ink halo",
            RG_TEXT(128, "%s%s%s", p[i].name, twin ? ", " : "", twin ? rg_phase_names[p[i].phase] : ""));
        rg_svg_end(s);
    }
}

static void legend(rg_svg *s, const point *p, int n, bool known)
{
    rg_legend l = rg_legend_at(BOTTOM + 62);
    for (int g = 0; g < RG_OPGROUP_COUNT; g++)
        for (int i = 0; i < n; i++)
            if (p[i].group == g) {
                rg_legend_item(s, &l, RG_LEGEND_SQUARE, rg_opgroup_classes[g], rg_opgroup_names[g]);
                break;
            }
    rg_legend_line(&l);
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

/* The points of a run, and a plot that holds them and its roofs. */
static rg_roof_plot plot_of(point p[RG_PHASE_COUNT * RG_OPGROUP_COUNT], int *n, const rg_run *r)
{
    rg_roof_plot plot = rg_roof_plot_at(LEFT, TOP, RIGHT, BOTTOM);
    *n = points_of(p, r);
    for (int i = 0; i < 2 * *n; i++) rg_roof_plot_reach(&plot, p[i / 2].at[i % 2].x, p[i / 2].at[i % 2].y);
    rg_roof_plot_saved(&plot, r);
    rg_roof_plot_scale(&plot);
    return plot;
}

rg_status rg_picture_roofline(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    const rg_run *r = &set->run[run];
    point p[RG_PHASE_COUNT * RG_OPGROUP_COUNT], spare[RG_PHASE_COUNT * RG_OPGROUP_COUNT];
    int n, n_spare;
    bool known = true;
    char sub[320];
    rg_svg s;
    rg_roof_plot plot = plot_of(p, &n, r);
    for (size_t i = 0; i < set->n; i++) { /* what is compared shares its scale */
        const rg_roof_plot other = plot_of(spare, &n_spare, &set->run[i]);
        rg_roof_plot_share(&plot, &other);
    }
    for (int i = 0; i < n; i++) known = known && rg_xy_seen(p[i].at[0]);
    rg_picture_open(&s, f, W, H, "Roofline: analytic and measured", rg_picture_run(sub, sizeof sub, r),
        "Logarithmic axes: arithmetic intensity in FLOP per byte across, performance in GFLOP per second up. "
        "Slopes are bandwidths, level lines are arithmetic peaks. For every operator group and phase a "
        "hollow mark shows what the cost model allows and a filled one what was measured; a line joins them.",
        embedded);
    rg_roof_plot_lines(&s, &plot);
    reserve(&s, &plot, p, n);
    rg_roof_plot_names(&s, &plot);
    draw_points(&s, &plot, p, n, run);
    name_points(&s, &plot, p, n, run);
    legend(&s, p, n, known);
    return rg_svg_close(&s, err);
}

/* ---- several runs: the phases as wholes ---- */

static const char *const run_classes[] = {"c-qkv", "c-attn", "c-out", "c-gate", "c-down", "c-head", "c-rest"};
static const char *run_class(size_t i) { return run_classes[i % (sizeof run_classes / sizeof *run_classes)]; }

static int phase_points(point *out, const rg_run *r, size_t run)
{
    int n = 0;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *q = &r->phase[ph];
        if (!rg_phase_ran(q)) continue;
        point *p = &out[n++];
        *p = (point){.phase = ph,
            .group = -1,
            .at = {{q->ai_analytic, rg_ratio(q->flop, q->ideal_ns)}, {q->ai_counted, q->gflops}},
            .radius = 7.0,
            .cls = run_class(run),
            .name = r->label};
        snprintf(p->tip[0], sizeof p->tip[0], "%s, %s: analytic\n%s FLOP/byte, at most %s on the roofs",
            r->label, rg_phase_names[ph], RG_NUM(p->at[0].x), RG_RATE(p->at[0].y, "FLOP"));
        snprintf(p->tip[1], sizeof p->tip[1], "%s, %s: measured\n%s FLOP/byte, %s, %s tokens/s", r->label,
            rg_phase_names[ph], RG_NUM(p->at[1].x), RG_RATE(p->at[1].y, "FLOP"), RG_NUM(q->tokens_per_s));
    }
    return n;
}

static void arrow(rg_svg *s, const rg_roof_plot *plot, const point *a, const point *b)
{
    if (!rg_xy_seen(a->at[1]) || !rg_xy_seen(b->at[1])) return;
    const rg_xy from = rg_plot_xy(plot, a->at[1]), to = rg_plot_xy(plot, b->at[1]);
    const double x0 = from.x, y0 = from.y, x1 = to.x, y1 = to.y;
    const double len = hypot(x1 - x0, y1 - y0);
    if (len < 24.0) return;
    const double ux = (x1 - x0) / len, uy = (y1 - y0) / len, tx = x1 - ux * 10.0, ty = y1 - uy * 10.0;
    const double head[3][2] = {
        {tx - ux * 7 - uy * 4, ty - uy * 7 + ux * 4}, {tx, ty}, {tx - ux * 7 + uy * 4, ty - uy * 7 - ux * 4}};
    rg_svg_group(
        s, "of", RG_TEXT(64, "data-phase=\"%s\" data-of=\"measured\"", rg_phase_names[b->phase]), NULL);
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
        for (int k = 0; k < 2 * n[i]; k++)
            rg_roof_plot_reach(&plot, p[i][k / 2].at[k % 2].x, p[i][k / 2].at[k % 2].y);
    }
    rg_roof_plot_saved(&plot, &set->run[0]);
    rg_roof_plot_scale(&plot);
    double wide = 0.0; /* of the names, which need more lines where they are many */
    for (size_t i = 0; i < set->n; i++) wide += 40.0 + rg_svg_text_width(set->run[i].label, 12);
    rg_picture_open(&s, f, W, H + 19.0 * floor(wide / 700.0), "Roofline: the runs side by side",
        rg_picture_runs(sub, sizeof sub, set),
        "Logarithmic axes: arithmetic intensity across, performance up. A circle per run for prefill, a "
        "diamond for decode; hollow: what the cost model allows, filled: measured. Arrows lead from the "
        "first run to the others. The roofs are the first run's.",
        embedded);
    rg_roof_plot_lines(&s, &plot);
    for (size_t i = 0; i < set->n; i++) reserve(&s, &plot, p[i], n[i]);
    rg_roof_plot_names(&s, &plot);
    for (size_t i = 1; i < set->n; i++)
        for (int k = 0; k < n[i] && rg_runs_same_work(&set->run[0], &set->run[i]); k++)
            for (int j = 0; j < n[0]; j++)
                if (p[0][j].phase == p[i][k].phase) arrow(&s, &plot, &p[0][j], &p[i][k]);
    for (size_t i = 0; i < set->n; i++) draw_points(&s, &plot, p[i], n[i], i);
    for (size_t i = 0; i < set->n; i++) name_points(&s, &plot, p[i], n[i], i);
    rg_legend l = rg_legend_at(BOTTOM + 62);
    for (size_t i = 0; i < set->n; i++)
        rg_legend_item(&s, &l, RG_LEGEND_SQUARE, run_class(i), set->run[i].label);
    rg_legend_line(&l);
    rg_legend_item(&s, &l, RG_LEGEND_CIRCLE, "soft", "prefill");
    rg_legend_item(&s, &l, RG_LEGEND_DIAMOND, "soft", "decode");
    rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft",
        RG_TEXT(240, "filled: measured, hollow: analytic; roofs of %s", set->run[0].label));
    return rg_svg_close(&s, err);
}
