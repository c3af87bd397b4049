/* Bars: prefill against decode, time by operator, weights against activations. */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/svg/axis.h"
#include "report/svg/pictures.h"
#include "report/svg/roof_plot.h"

static double or_zero(double x) { return isfinite(x) && x > 0.0 ? x : 0.0; }

/* ---- prefill and decode ---- */

bool rg_picture_can_stages(const rg_reports *s, size_t run)
{
    (void)run;
    return s->n > 0;
}

rg_status rg_picture_stages(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    enum { W = 960, LEFT = 200, RIGHT = 850, TOP = 62, ROW = 26, GAP = 14 };
    static const char *const phase_cls[RG_PHASE_COUNT] = {[RG_PREFILL] = "c-qkv", [RG_DECODE] = "c-attn"};
    const double bottom = TOP + (double)set->n * (2 * ROW + GAP), h = bottom + 78.0;
    double most = 0.0;
    char sub[320];
    rg_svg s;
    (void)run;
    for (size_t i = 0; i < set->n; i++) {
        const rg_doc_phase *p = set->run[i].phase;
        most = fmax(most, or_zero(p[0].t_ns) + or_zero(p[1].t_ns));
        most = fmax(most, or_zero(p[0].ideal_ns) + or_zero(p[1].ideal_ns));
    }
    const rg_axis x = rg_axis_linear(most / 1e6, LEFT, RIGHT);
    rg_picture_open(&s, f, W, h, "Prefill and decode",
        set->n == 1 ? rg_picture_run(sub, sizeof sub, &set->run[0]) : RG_TEXT(32, "%zu runs", set->n),
        "Time of the prompt and of the generated tokens, one bar as the roofs would allow it and one as "
        "measured, for every run.",
        embedded);
    rg_axis_draw_x(&s, &x, TOP - 4, bottom, "time, ms");
    for (size_t i = 0; i < set->n; i++) {
        const rg_run *r = &set->run[i];
        for (int kind = 0; kind < 2; kind++) {
            const double y = TOP + (double)i * (2 * ROW + GAP) + kind * ROW;
            double at = 0.0;
            bool known = true;
            if (set->n > 1 && kind == 0) rg_svg_words(&s, 16, y + 30, "ink strong", r->label);
            rg_svg_text(
                &s, (rg_svg_at){LEFT - 8, y + 16, RG_SVG_END, 12, 0, "soft"}, kind ? "measured" : "analytic");
            for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
                const rg_doc_phase *p = &r->phase[ph];
                const double ns = kind ? p->t_ns : p->ideal_ns;
                if (!rg_phase_ran(p)) continue;
                if (!isfinite(ns)) {
                    known = false;
                    continue;
                }
                const double x0 = rg_axis_at(&x, at / 1e6), x1 = rg_axis_at(&x, (at + ns) / 1e6);
                rg_svg_group(&s, "bar",
                    RG_TEXT(96, "data-run=\"%zu\" data-phase=\"%s\" data-kind=\"%s\"", i, rg_phase_names[ph],
                        kind ? "measured" : "analytic"),
                    RG_TEXT(200, "%s, %s: %s for %.0f tokens, %s tokens/s", rg_phase_names[ph],
                        kind ? "measured" : "analytic", RG_TIME(ns), p->tokens,
                        RG_NUM(1e9 * rg_ratio(p->tokens, ns))));
                rg_svg_rect(
                    &s, RG_TEXT(40, kind ? "%s see" : "%s wash", phase_cls[ph]), x0, y + 3, x1 - x0, ROW - 6);
                if (!kind)
                    rg_svg_rect(&s, RG_TEXT(40, "%s-line", phase_cls[ph]), x0, y + 3, x1 - x0, ROW - 6);
                rg_svg_end(&s);
                at += ns;
            }
            rg_svg_try_text(&s, (rg_svg_at){rg_axis_at(&x, at / 1e6) + 6, y + 16, RG_SVG_START, 11, 0, "ink"},
                known ? RG_TIME(at) : "roofs unknown", true);
        }
    }
    rg_legend l = rg_legend_at(bottom + 62);
    rg_legend_item(&s, &l, RG_LEGEND_SQUARE, phase_cls[RG_PREFILL], "prefill");
    rg_legend_item(&s, &l, RG_LEGEND_SQUARE, phase_cls[RG_DECODE], "decode");
    rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft",
        "pale: analytic (sum of the operators' ideal times); full: measured");
    return rg_svg_close(&s, err);
}

/* ---- time by operator ---- */

bool rg_picture_can_time(const rg_reports *s, size_t run)
{
    for (size_t i = 0; i < s->run[run].d->n_ops; i++)
        if (s->run[run].d->ops[i].layer < 0) return true;
    return false;
}

rg_status rg_picture_time(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    enum { W = 960, TOP = 84, ROW = 20, NAME = 116, MAX_ROWS = 64 };
    const rg_run *r = &set->run[run];
    const char *site[MAX_ROWS];
    const int rows = rg_run_sites(r, false, site, MAX_ROWS);
    char text[300], sub[320];
    rg_svg s;
    const double bottom = TOP + ROW * (rows + 1), h = bottom + 74.0;
    rg_picture_open(&s, f, W, h, "Time by operator and phase", rg_picture_run(sub, sizeof sub, r),
        "A bar per operator for prefill and one for decode: measured time; the upright tick marks the time "
        "that the roofs would allow.",
        embedded);
    for (int k = 0; k <= rows; k++)
        rg_svg_text(&s,
            (rg_svg_at){NAME + 6, TOP + ROW * k + 14, RG_SVG_END, 11, 0, k < rows ? "ink" : "soft"},
            k < rows ? rg_text_clean(text, 17, site[k]) : "outside ops");
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        if (!rg_phase_ran(p)) continue;
        const double left = NAME + 14 + (double)ph * 412.0, right = left + 330.0;
        double most = 0.0;
        for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));)
            most = fmax(most, fmax(w->t_ns, or_zero(w->analytic.ideal_ns)));
        most = fmax(most, or_zero(p->overhead_ns));
        const rg_axis x = rg_axis_linear(most / 1e6, left, right);
        rg_svg_words(&s, left, TOP - 10, "ink strong",
            RG_TEXT(
                300, "%s: %s, %s tokens/s", rg_phase_names[ph], RG_TIME(p->t_ns), RG_NUM(p->tokens_per_s)));
        rg_axis_draw_x(&s, &x, TOP, bottom, "time, ms");
        for (int k = 0; k <= rows; k++) {
            const rg_doc_op *w = k < rows ? rg_run_op(r, ph, site[k]) : NULL;
            const double y = TOP + ROW * k, ns = w ? w->t_ns : k == rows ? or_zero(p->overhead_ns) : 0.0;
            char attrs[96];
            if (!w && k < rows) continue;
            if (w)
                snprintf(text, sizeof text, "%.40s, %s: %s measured, %s analytic, %s of the roof", site[k],
                    rg_phase_names[ph], RG_TIME(w->t_ns), RG_TIME(w->analytic.ideal_ns),
                    RG_PERCENT(w->roof_fraction));
            else
                snprintf(text, sizeof text, "outside operators, %s: %s", rg_phase_names[ph], RG_TIME(ns));
            if (w)
                snprintf(attrs, sizeof attrs, "data-run=\"%zu\" data-op=\"%zu\"", run, (w - r->d->ops));
            else
                snprintf(attrs, sizeof attrs, "data-run=\"%zu\"", run);
            rg_svg_group(&s, "bar", attrs, text);
            rg_svg_rect(&s,
                RG_TEXT(40, "%s see", w ? rg_opgroup_classes[rg_opgroup_of(w->site)] : "c-outside"), left,
                y + 3, fmax(rg_axis_at(&x, ns / 1e6) - left, ns > 0.0 ? 0.5 : 0.0), ROW - 6);
            if (w && isfinite(w->analytic.ideal_ns)) {
                const double at = rg_axis_at(&x, w->analytic.ideal_ns / 1e6);
                rg_svg_line(&s, "roof-line", at, y + 1, at, y + ROW - 1, 2.0, NULL);
            }
            rg_svg_end(&s);
            const double end = fmax(rg_axis_at(&x, ns / 1e6),
                w && isfinite(w->analytic.ideal_ns) ? rg_axis_at(&x, w->analytic.ideal_ns / 1e6) : left);
            rg_svg_try_text(&s, (rg_svg_at){end + 5, y + 14, RG_SVG_START, 10, 0, "soft"},
                RG_TEXT(300, "%.1f %%", 100.0 * rg_ratio(ns, p->t_ns)), true);
        }
    }
    rg_svg_words(&s, 16, bottom + 62, "soft",
        "bar: measured, with its share of the phase; upright tick: analytic, at the roofs");
    return rg_svg_close(&s, err);
}

/* ---- weights against activations ---- */

static const struct part {
    const char *name;
    unsigned groups; /* bit set of rg_opgroup */
} parts[] = {
    {"attention", 1u << RG_OPGROUP_QKV | 1u << RG_OPGROUP_ATTN | 1u << RG_OPGROUP_OUT},
    {"FFN", 1u << RG_OPGROUP_GATE | 1u << RG_OPGROUP_DOWN},
    {"output", 1u << RG_OPGROUP_HEAD},
    {"norms, rope, adds", 1u << RG_OPGROUP_REST},
};
enum { PARTS = sizeof parts / sizeof *parts, KINDS = 3 };
static const char *const kind_names[KINDS] = {"weights", "activations", "KV cache"},
                         *const kind_cls[KINDS] = {"c-qkv", "c-attn", "c-out"};

/* Bytes of a kind, counted or analytic. */
static double bytes_of(const rg_group *g, int kind, bool counted)
{
    const rg_doc_counted *c = &g->counted;
    const rg_doc_analytic *a = &g->analytic;
    if (counted)
        return kind == 0 ? c->weight_bytes
            : kind == 1  ? c->act_read_bytes + c->act_write_bytes
                         : c->kv_read_bytes + c->kv_write_bytes;
    return kind == 0 ? a->weight_bytes
        : kind == 1  ? a->act_read_bytes + a->act_write_bytes
                     : a->kv_read_bytes + a->kv_write_bytes;
}

bool rg_picture_can_bytes(const rg_reports *s, size_t run) { return rg_picture_can_time(s, run); }

rg_status rg_picture_bytes(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    enum { W = 960, TOP = 84, ROW = 17, GAP = 12, NAME = 190 };
    const rg_run *r = &set->run[run];
    double v[RG_PHASE_COUNT][PARTS][KINDS][2], least = INFINITY, most = 0.0;
    char sub[320], a[32];
    rg_svg s;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int p = 0; p < PARTS; p++) {
            double sum[KINDS][2] = {{0}};
            for (int g = 0; g < RG_OPGROUP_COUNT; g++) {
                if (!(parts[p].groups & 1u << g)) continue;
                const rg_group w = rg_run_group(r, ph, g);
                for (int k = 0; k < KINDS; k++)
                    for (int kind = 0; kind < 2; kind++) sum[k][kind] += bytes_of(&w, k, kind);
            }
            for (int k = 0; k < KINDS; k++)
                for (int kind = 0; kind < 2; kind++) {
                    const double x = v[ph][p][k][kind] =
                        sum[k][kind] / fmax(or_zero(r->phase[ph].calls), 1.0);
                    if (x > 0.0) {
                        least = fmin(least, x);
                        most = fmax(most, x);
                    }
                }
        }
    const double bottom = TOP + PARTS * (KINDS * ROW + GAP), h = bottom + 78.0;
    rg_svg_open(&s, f, W, h, "Weights against activations",
        "Bytes that one forward call moves, by part of the model and kind, on a logarithmic scale, for "
        "prefill and decode: bars are counted, marks analytic.",
        embedded);
    rg_picture_title(
        &s, "Weights against activations, bytes per forward call", rg_picture_run(sub, sizeof sub, r));
    for (int p = 0; p < PARTS; p++)
        for (int k = 0; k < KINDS; k++) {
            const double y = TOP + p * (KINDS * ROW + GAP) + k * ROW;
            if (k == 1) rg_svg_words(&s, 16, y + 13, "ink strong", parts[p].name);
            rg_svg_text(&s, (rg_svg_at){NAME + 20, y + 13, RG_SVG_END, 10, 0, "soft"}, kind_names[k]);
        }
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const double left = NAME + 28 + (double)ph * 372.0, right = left + 350.0;
        if (!rg_phase_ran(&r->phase[ph])) continue;
        rg_axis x = rg_axis_log(least / 2.0, most * 8.0, left, right);
        x.bytes = true;
        rg_svg_words(&s, left, TOP - 10, "ink strong",
            RG_TEXT(240, "%s (%.0f token%s per call)", rg_phase_names[ph],
                rg_ratio(r->phase[ph].tokens, fmax(or_zero(r->phase[ph].calls), 1.0)),
                r->phase[ph].tokens > r->phase[ph].calls ? "s" : ""));
        rg_axis_draw_x(&s, &x, TOP - 2, bottom, "bytes per call");
        for (int p = 0; p < PARTS; p++)
            for (int k = 0; k < KINDS; k++) {
                const double y = TOP + p * (KINDS * ROW + GAP) + k * ROW, counted = v[ph][p][k][1],
                             analytic = v[ph][p][k][0];
                if (!(counted > 0.0) && !(analytic > 0.0)) {
                    rg_svg_try_text(
                        &s, (rg_svg_at){left + 4, y + 13, RG_SVG_START, 10, 0, "soft"}, "none", true);
                    continue;
                }
                rg_svg_group(&s, "bar", NULL,
                    RG_TEXT(240, "%s, %s, %s per call: %s counted, %s analytic", parts[p].name, kind_names[k],
                        rg_phase_names[ph], RG_BYTES(counted), RG_BYTES(analytic)));
                if (counted > 0.0)
                    rg_svg_rect(&s, RG_TEXT(48, "%s see", kind_cls[k]), left, y + 3,
                        rg_axis_at(&x, counted) - left, ROW - 5);
                if (analytic > 0.0)
                    rg_svg_circle(&s, RG_TEXT(48, "roof-line hollow mark"), rg_axis_at(&x, analytic),
                        y + 3 + (ROW - 5) / 2.0, 3.2);
                rg_svg_end(&s);
                rg_svg_try_text(&s,
                    (rg_svg_at){
                        fmax(rg_axis_at(&x, fmax(counted, least)), rg_axis_at(&x, fmax(analytic, least))) + 7,
                        y + 13, RG_SVG_START, 10, 0, "ink"},
                    rg_bytes(a, sizeof a, counted > 0.0 ? counted : analytic), true);
            }
    }
    rg_legend l = rg_legend_at(bottom + 62);
    for (int k = 0; k < KINDS; k++) rg_legend_item(&s, &l, RG_LEGEND_SQUARE, kind_cls[k], kind_names[k]);
    rg_legend_item(&s, &l, RG_LEGEND_HOLLOW, "roof", "analytic (compulsory)");
    rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft", "bar and figure: counted, what the loops streamed");
    return rg_svg_close(&s, err);
}
