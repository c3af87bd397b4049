/* Bars: prefill against decode, and time by operator. */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/svg/bars.h"
#include "report/svg/pictures.h"

static double or_zero(double x) { return isfinite(x) && x > 0.0 ? x : 0.0; }

/* ---- prefill and decode ---- */

static const char *const phase_cls[RG_PHASE_COUNT] = {[RG_PREFILL] = "c-qkv", [RG_DECODE] = "c-attn"};

/* A bar of both phases; hollow where nothing ran. */
static void stage(rg_svg *s, const rg_axis *x, const rg_stage *b, double y, double height)
{
    double at = 0.0;
    bool known = true;
    rg_svg_text(s, (rg_svg_at){x->p0 - 8, y + 16, RG_SVG_END, 12, 0, "soft"}, b->kind);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const double ns = b->ns[ph];
        if (!b->ran[ph]) continue;
        if (!isfinite(ns)) {
            known = false;
            continue;
        }
        const double x0 = rg_axis_at(x, at / 1e6), x1 = rg_axis_at(x, (at + ns) / 1e6);
        rg_svg_group(s, "bar",
            RG_TEXT(160, "%s%sdata-phase=\"%s\" data-kind=\"%s\"", b->attrs, b->attrs[0] ? " " : "",
                rg_phase_names[ph], b->kind),
            RG_TEXT(200, "%s, %s: %s for %.0f tokens, %s tokens/s", rg_phase_names[ph], b->kind, RG_TIME(ns),
                b->tokens[ph], RG_NUM(1e9 * rg_ratio(b->tokens[ph], ns))));
        rg_svg_rect(s, RG_TEXT(40, b->analytic ? "%s wash" : "%s see", phase_cls[ph]), x0, y + 3, x1 - x0,
            height - 6);
        if (b->analytic)
            rg_svg_rect(s, RG_TEXT(40, "%s-line", phase_cls[ph]), x0, y + 3, x1 - x0, height - 6);
        rg_svg_end(s);
        at += ns;
    }
    rg_svg_try_text(s, (rg_svg_at){rg_axis_at(x, at / 1e6) + 6, y + 16, RG_SVG_START, 11, 0, "ink"},
        !known ? "roofs unknown"
            : b->ran[0] && b->ran[1]
            ? RG_TEXT(96, "%s = %s + %s", RG_TIME(at), RG_TIME(b->ns[0]), RG_TIME(b->ns[1]))
            : RG_TIME(at),
        true);
}

rg_status rg_picture_stage_bars(
    FILE *f, const char *sub, const rg_stage *b, size_t n, const char *legend, bool embedded, rg_err *err)
{
    enum { W = 960, LEFT = 90, RIGHT = 740, TOP = 62, ROW = 26, NAME = 22, GAP = 8 };
    double bottom = TOP, y = TOP, most = 0.0;
    rg_svg s;
    for (size_t i = 0; i < n; i++) most = fmax(most, or_zero(b[i].ns[0]) + or_zero(b[i].ns[1]));
    for (size_t i = 0; i < n; i++) bottom += ROW + (b[i].name[0] ? NAME : 0) + (b[i].last ? GAP : 0);
    const rg_axis x = rg_axis_linear(most / 1e6, LEFT, RIGHT);
    rg_picture_open(&s, f, W, bottom + 78.0, "Prefill and decode", sub,
        "Time of the prompt and of the generated tokens, a bar as the roofs would allow it and, of what ran, "
        "one as measured.",
        embedded);
    rg_axis_draw_x(&s, &x, TOP - 4, bottom, "time, ms");
    for (size_t i = 0; i < n; i++) {
        if (b[i].name[0]) {
            rg_svg_words(&s, 16, y + 15, "ink strong", b[i].name);
            y += NAME;
        }
        stage(&s, &x, &b[i], y, ROW);
        y += ROW + (b[i].last ? GAP : 0);
    }
    rg_legend l = rg_legend_at(bottom + 62);
    rg_legend_item(&s, &l, RG_LEGEND_SQUARE, phase_cls[RG_PREFILL], "prefill");
    rg_legend_item(&s, &l, RG_LEGEND_SQUARE, phase_cls[RG_DECODE], "decode");
    rg_legend_item(&s, &l, RG_LEGEND_WORDS, "soft", legend);
    return rg_svg_close(&s, err);
}

bool rg_picture_can_stages(const rg_reports *s, size_t run)
{
    (void)run;
    return s->n > 0;
}

rg_status rg_picture_stages(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    rg_stage b[2 * RG_MOST_RUNS];
    char sub[320];
    (void)run;
    for (size_t i = 0; i < 2 * set->n; i++) {
        const rg_run *r = &set->run[i / 2];
        b[i] = (rg_stage){.kind = i % 2 ? "measured" : "analytic", .analytic = i % 2 == 0, .last = i % 2};
        if (set->n > 1 && i % 2 == 0) rg_text_clean(b[i].name, sizeof b->name, r->label);
        snprintf(b[i].attrs, sizeof b->attrs, "data-run=\"%zu\"", i / 2);
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            b[i].ran[ph] = rg_phase_ran(&r->phase[ph]);
            b[i].ns[ph] = i % 2 ? r->phase[ph].t_ns : r->phase[ph].ideal_ns;
            b[i].tokens[ph] = r->phase[ph].tokens;
        }
    }
    return rg_picture_stage_bars(f, rg_picture_runs(sub, sizeof sub, set), b, 2 * set->n,
        "pale: analytic (sum of the operators' ideal times); full: measured", embedded, err);
}

/* ---- time by operator ---- */

bool rg_picture_can_time(const rg_reports *s, size_t run)
{
    for (size_t i = 0; i < s->run[run].d->n_ops; i++)
        if (s->run[run].d->ops[i].layer < 0) return true;
    return false;
}

/* Of the operators of a phase, the ideal times and what lies outside them. */
static double longest(const rg_run *r, rg_phase ph)
{
    double most = or_zero(r->phase[ph].overhead_ns);
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));)
        most = fmax(most, fmax(w->t_ns, or_zero(w->analytic.ideal_ns)));
    return most;
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
        for (size_t i = 0; i < set->n; i++)
            if (rg_runs_alike(r, &set->run[i])) most = fmax(most, longest(&set->run[i], ph));
        const rg_axis x = rg_axis_linear(most / 1e6, left, right);
        rg_svg_group(&s, "of", RG_TEXT(32, "data-phase=\"%s\"", rg_phase_names[ph]), NULL);
        rg_svg_words(&s, left, TOP - 10, "ink strong",
            RG_TEXT(
                300, "%s: %s, %s tokens/s", rg_phase_names[ph], RG_TIME(p->t_ns), RG_NUM(p->tokens_per_s)));
        rg_axis_draw_x(&s, &x, TOP, bottom, "time, ms");
        rg_svg_end(&s);
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
                snprintf(attrs, sizeof attrs, "data-run=\"%zu\" data-phase=\"%s\"", run, rg_phase_names[ph]);
            rg_svg_group(&s, "bar", attrs, text);
            rg_svg_rect(&s,
                RG_TEXT(40, "%s see", w ? rg_opgroup_classes[rg_opgroup_of(w->site)] : "c-outside"), left,
                y + 3, fmax(rg_axis_at(&x, ns / 1e6) - left, ns > 0.0 ? 0.5 : 0.0), ROW - 6);
            if (w && isfinite(w->analytic.ideal_ns)) {
                const double at = rg_axis_at(&x, w->analytic.ideal_ns / 1e6);
                rg_svg_line(&s, "roof-line", at, y + 1, at, y + ROW - 1, 2.0, NULL);
            }
            const double end = fmax(rg_axis_at(&x, ns / 1e6),
                w && isfinite(w->analytic.ideal_ns) ? rg_axis_at(&x, w->analytic.ideal_ns / 1e6) : left);
            rg_svg_try_text(&s, (rg_svg_at){end + 5, y + 14, RG_SVG_START, 10, 0, "soft"},
                RG_TEXT(300, "%.1f %%", 100.0 * rg_ratio(ns, p->t_ns)), true);
            rg_svg_end(&s);
        }
    }
    rg_svg_words(&s, 16, bottom + 62, "soft",
        "bar: measured, with its share of the phase; upright tick: analytic, at the roofs");
    return rg_svg_close(&s, err);
}
