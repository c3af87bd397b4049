/* Groups of operators over batch sizes and lengths, from several runs or from analytic answers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/join.h"
#include "report/svg/pictures.h"
#include "report/svg/sweep.h"

enum { W = 960, H = 640, LEFT = 66, RIGHT = 944, TOP = 58, BOTTOM = 524 };

static const char *const group_names[RG_SWEEP_GROUPS] = {"q, k, v", "up, gate, down", "qk, pv"};
static const char *const group_cls[RG_SWEEP_GROUPS] = {"c-qkv", "c-gate", "c-attn"};

rg_roof_plot rg_sweep_plot(void) { return rg_roof_plot_at(LEFT, TOP, RIGHT, BOTTOM); }

static rg_xy at_of(const rg_sweep_point *p, bool measured)
{
    return measured ? (rg_xy){p->measured_ai, p->measured_gflops} : (rg_xy){p->ai, p->gflops};
}
static bool seen(const rg_sweep_point *p, bool measured) { return rg_xy_seen(at_of(p, measured)); }

/* What a mark (tip: it has one), its line and its name belong to. */
static void group(rg_svg *s, const char *cls, const rg_sweep_point *p, const char *kind, const char *tip)
{
    rg_svg_group(s, cls,
        RG_TEXT(192,
            "data-phase=\"%s\" data-group=\"%d\" data-%s=\"%s\" data-batch=\"%lld\" data-seqlen=\"%lld\"",
            rg_phase_names[p->phase], p->group, tip ? "kind" : "of", kind, (long long)p->batch,
            (long long)p->seqlen),
        tip);
}

static void draw_mark(rg_svg *s, const rg_roof_plot *plot, const rg_sweep_point *p, bool measured)
{
    const rg_xy v = at_of(p, measured), at = rg_plot_xy(plot, v);
    const char *kind = measured ? "measured" : "analytic";
    if (!rg_xy_seen(v)) return;
    group(s, "point", p, kind,
        RG_TEXT(300, "%s, %s%s%s, batch %lld, length %lld: %s\n%s FLOP/byte, %s", group_names[p->group],
            rg_phase_names[p->phase], p->format[0] ? ", " : "", p->format, (long long)p->batch,
            (long long)p->seqlen, kind, RG_NUM(v.x), RG_RATE(v.y, "FLOP")));
    rg_phase_mark(s, p->phase, RG_TEXT(48, measured ? "%s see" : "%s-line hollow mark", group_cls[p->group]),
        at.x, at.y, measured ? 5.5 : 4.0);
    rg_svg_end(s);
}

/* ---- what differs between the points, which is what names have to say ---- */

typedef struct differing {
    bool batch, seqlen, format;
} differing;

static differing differing_of(const rg_sweep_point *p, size_t n)
{
    differing d = {false, false, false};
    for (size_t i = 1; i < n; i++) {
        d.batch = d.batch || p[i].batch != p[0].batch;
        d.seqlen = d.seqlen || p[i].seqlen != p[0].seqlen;
        d.format = d.format || strcmp(p[i].format, p[0].format) != 0;
    }
    return d;
}

/* "q4g64, batch 16"; the group where nothing differs. */
static const char *name_of(char *buf, size_t n, const rg_sweep_point *p, const differing *d)
{
    buf[0] = 0;
    if (d->format) rg_text_add(buf, n, "%s", p->format);
    if (d->batch) rg_text_add(buf, n, "%sbatch %lld", buf[0] ? ", " : "", (long long)p->batch);
    if (d->seqlen) rg_text_add(buf, n, "%slength %lld", buf[0] ? ", " : "", (long long)p->seqlen);
    if (!buf[0]) rg_text_add(buf, n, "%s", group_names[p->group]);
    return buf;
}

static bool same_series(const rg_sweep_point *a, const rg_sweep_point *b)
{
    return a->group == b->group && a->phase == b->phase && strcmp(a->format, b->format) == 0;
}

/* The ends of the series that begins at i, by rising intensity; one where it is a point only. */
static int ends_of(const rg_sweep_point *end[2], const rg_sweep_point *p, size_t n, size_t i)
{
    const rg_sweep_point *low = NULL, *high = NULL;
    for (size_t k = i; k < n; k++) {
        if (!same_series(&p[i], &p[k]) || !(seen(&p[k], false) || seen(&p[k], true))) continue;
        if (!low || p[k].ai < low->ai) low = &p[k];
        if (!high || p[k].ai > high->ai) high = &p[k];
    }
    end[0] = low, end[1] = high;
    return !low ? 0 : low == high ? 1 : 2;
}

/* Marks of several groups lie on each other: the same name stands there once. */
typedef struct placed {
    char name[128];
    rg_xy at;
} placed;
enum { MOST_PLACED = 64 };

static bool again(const placed *p, int n, const char *name, rg_xy at)
{
    for (int i = 0; i < n; i++)
        if (strcmp(p[i].name, name) == 0 && hypot(p[i].at.x - at.x, p[i].at.y - at.y) < 40.0) return true;
    return false;
}

static void name_series(rg_svg *s, const rg_roof_plot *plot, const rg_sweep_point *p, size_t n)
{
    const differing all = differing_of(p, n), format = {.format = all.format};
    placed done[MOST_PLACED];
    int n_done = 0;
    for (size_t i = 0; i < n; i++) {
        const rg_sweep_point *end[2];
        bool first = true;
        for (size_t k = 0; k < i && first; k++) first = !same_series(&p[k], &p[i]);
        const int ends = first ? ends_of(end, p, n, i) : 0;
        rg_xy at[2];
        for (int e = 0; e < ends; e++) at[e] = rg_plot_xy(plot, at_of(end[e], !seen(end[e], false)));
        /* where all of a series lies in one place, batch and length say nothing */
        const bool one = ends == 2 && hypot(at[0].x - at[1].x, at[0].y - at[1].y) < 12.0;
        if (one && !all.format) continue;
        for (int e = ends - 1; e >= one && n_done < MOST_PLACED; e--) {
            placed *x = &done[n_done];
            name_of(x->name, sizeof x->name, end[e], one ? &format : &all);
            x->at = at[e];
            if (again(done, n_done, x->name, x->at)) continue;
            n_done++;
            group(s, "of", end[e], seen(end[e], false) ? "analytic" : "measured", NULL);
            rg_svg_label_clear(s, at[e].x, at[e].y, 5, 10, "soft halo", x->name);
            rg_svg_end(s);
        }
    }
}

/* "f16, q4g64; batch 1 to 64, length 128" of all points. */
static const char *extent(char *buf, size_t n, const rg_sweep_point *p, size_t count)
{
    long long b0 = INT64_MAX, b1 = 0, s0 = INT64_MAX, s1 = 0;
    buf[0] = 0;
    for (size_t i = 0; i < count; i++) {
        bool first = p[i].format[0] != 0;
        for (size_t k = 0; k < i && first; k++) first = strcmp(p[k].format, p[i].format) != 0;
        if (first) rg_text_add(buf, n, "%s%s", buf[0] ? ", " : "", p[i].format);
        b0 = rg_min(b0, p[i].batch), b1 = rg_max(b1, p[i].batch);
        s0 = rg_min(s0, p[i].seqlen), s1 = rg_max(s1, p[i].seqlen);
    }
    rg_text_add(buf, n, b0 == b1 ? "%sbatch %lld" : "%sbatch %lld to %lld", buf[0] ? "; " : "", b0, b1);
    rg_text_add(buf, n, s0 == s1 ? ", length %lld" : ", length %lld to %lld", s0, s1);
    return buf;
}

rg_status rg_picture_sweep_points(FILE *f, const char *title, const char *sub, rg_roof_plot *plot,
    const rg_sweep_point *p, size_t n, bool embedded, rg_err *err)
{
    rg_svg s;
    bool any[2] = {false, false}, series[RG_SWEEP_GROUPS][RG_PHASE_COUNT] = {{false}};
    for (size_t i = 0; i < n; i++) {
        rg_roof_plot_reach(plot, p[i].ai, p[i].gflops);
        rg_roof_plot_reach(plot, p[i].measured_ai, p[i].measured_gflops);
        any[0] = any[0] || seen(&p[i], false);
        any[1] = any[1] || seen(&p[i], true);
        series[p[i].group][p[i].phase] = true;
    }
    rg_roof_plot_scale(plot);
    rg_picture_open(&s, f, W, H, title, sub,
        "Logarithmic axes: arithmetic intensity across, performance up. A mark per operator group, phase, "
        "type of weights, batch size and length: circles prefill, diamonds decode; hollow marks are computed "
        "and lie on a roof, filled ones were measured.",
        embedded);
    rg_roof_plot_lines(&s, plot);
    for (size_t i = 0; i < n; i++) {
        const rg_xy at = rg_plot_xy(plot, at_of(&p[i], false)), m = rg_plot_xy(plot, at_of(&p[i], true));
        if (seen(&p[i], false)) rg_svg_keep_off(&s, at.x, at.y, 4.5, 4.5, 0);
        if (seen(&p[i], true)) rg_svg_keep_off(&s, m.x, m.y, 6, 6, 0);
    }
    rg_roof_plot_names(&s, plot);
    for (size_t i = 0; i < n; i++)
        if (seen(&p[i], false) && seen(&p[i], true)) {
            const rg_xy at = rg_plot_xy(plot, at_of(&p[i], false)), m = rg_plot_xy(plot, at_of(&p[i], true));
            group(&s, "of", &p[i], "analytic measured", NULL);
            rg_svg_line(&s, RG_TEXT(48, "%s-line", group_cls[p[i].group]), at.x, at.y, m.x, m.y, 0.8, NULL);
            rg_svg_end(&s);
        }
    for (int measured = 1; measured >= 0; measured--)
        for (size_t i = 0; i < n; i++) draw_mark(&s, plot, &p[i], measured == 1);
    name_series(&s, plot, p, n);
    rg_legend l = rg_legend_at(BOTTOM + 58);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int g = 0; g < RG_SWEEP_GROUPS; g++) {
            if (series[g][ph])
                rg_legend_item(&s, &l, ph == RG_PREFILL ? RG_LEGEND_CIRCLE : RG_LEGEND_DIAMOND, group_cls[g],
                    RG_TEXT(64, "%s %s", group_names[g], rg_phase_names[ph]));
        }
    rg_legend_line(&l);
    rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft",
        any[0] && any[1] ? "hollow: analytic, filled: measured"
            : any[1]     ? "filled: measured (no roof is known, so no analytic marks)"
                         : "hollow: analytic");
    char text[400];
    if (n > 0) rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft", extent(text, sizeof text, p, n));
    return rg_svg_close(&s, err);
}

/* ---- of saved runs ---- */

bool rg_picture_can_sweep(const rg_reports *s, size_t run)
{
    (void)run;
    for (size_t i = 1; i < s->n; i++) {
        const rg_run *a = &s->run[0], *b = &s->run[i];
        if (strcmp(a->d->model.name, b->d->model.name) == 0 &&
            (fabs(a->d->run.prompt_tokens - b->d->run.prompt_tokens) > 0.5 ||
                fabs(a->phase[RG_DECODE].batch - b->phase[RG_DECODE].batch) > 0.5))
            return true;
    }
    return false;
}

static void sum_groups(rg_sweep_point *p, const rg_run *r, unsigned groups)
{
    double flop = 0.0, t = 0.0, ideal = 0.0, counted = 0.0, analytic = 0.0;
    for (int g = 0; g < RG_OPGROUP_COUNT; g++) {
        if (!(groups & 1u << g)) continue;
        const rg_group s = rg_run_group(r, p->phase, g);
        flop += s.flop;
        t += s.t_ns;
        ideal += s.analytic.ideal_ns;
        counted += s.counted.total_bytes;
        analytic += s.analytic.total_bytes;
    }
    p->ai = rg_ratio(flop, analytic);
    p->gflops = rg_ratio(flop, ideal);
    p->measured_ai = rg_ratio(flop, counted);
    p->measured_gflops = rg_ratio(flop, t);
}

rg_status rg_picture_sweep(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    static const unsigned groups[RG_SWEEP_GROUPS] = {
        1u << RG_OPGROUP_QKV, 1u << RG_OPGROUP_GATE | 1u << RG_OPGROUP_DOWN, 1u << RG_OPGROUP_ATTN};
    rg_sweep_point *p = calloc(set->n * RG_SWEEP_GROUPS * RG_PHASE_COUNT + 1, sizeof *p);
    rg_roof_plot plot = rg_sweep_plot();
    size_t n = 0, biggest = 0;
    (void)run;
    if (!p) return rg_no_memory(err, "picture");
    for (size_t i = 0; i < set->n; i++)
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_run *r = &set->run[i];
            const rg_doc_phase *q = &r->phase[ph];
            if (!rg_phase_ran(q)) continue;
            if (r->d->run.prompt_tokens > set->run[biggest].d->run.prompt_tokens) biggest = i;
            for (int g = 0; g < RG_SWEEP_GROUPS; g++) {
                p[n] = (rg_sweep_point){.group = g,
                    .phase = ph,
                    .batch = (int64_t)fmin(q->batch, 1e15),
                    .seqlen = (int64_t)fmin(r->d->run.prompt_tokens, 1e15)};
                if (r->d->model.dtype) rg_text_clean(p[n].format, sizeof p->format, r->d->model.dtype);
                sum_groups(&p[n++], r, groups[g]);
            }
        }
    const rg_run *r = &set->run[biggest];
    rg_roof_plot_saved(&plot, r);
    const rg_status st = rg_picture_sweep_points(f, "Operator groups over batch and length",
        RG_TEXT(320, "%s, %zu runs; roofs of the longest; %.0f thread%s, %s", RG_CLEAN(80, r->d->model.name),
            set->n, r->d->machine.threads, r->d->machine.threads > 1.5 ? "s" : "",
            RG_CLEAN(80, r->d->machine.cpu)),
        &plot, p, n, embedded, err);
    free(p);
    return st;
}
