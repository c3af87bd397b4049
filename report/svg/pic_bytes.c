/* Weights against activations: bytes of a call by part of the model, as marks on a logarithmic axis. */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/svg/bars.h"
#include "report/svg/pictures.h"

static const char *const part_names[RG_BYTE_PARTS] = {"attention", "FFN", "output", "norms, rope, adds"},
                         *const kind_names[RG_BYTE_KINDS] = {"weights", "activations", "KV cache"},
                         *const kind_cls[RG_BYTE_KINDS] = {"c-qkv", "c-attn", "c-out"};

int rg_byte_part(rg_opgroup g)
{
    static const int of[RG_OPGROUP_COUNT] = {[RG_OPGROUP_GATE] = 1,
        [RG_OPGROUP_DOWN] = 1,
        [RG_OPGROUP_HEAD] = 2,
        [RG_OPGROUP_REST] = 3}; /* the others are attention */
    return of[g];
}

static void reach(rg_part_bytes *b, double x)
{
    if (!(x > 0.0) || !isfinite(x)) return;
    b->least = b->least > 0.0 ? fmin(b->least, x) : x;
    b->most = fmax(b->most, x);
}

void rg_part_bytes_reach(rg_part_bytes *b, const rg_part_bytes *other)
{
    const double *const all[] = {&other->analytic[0][0][0], &other->counted[0][0][0]};
    for (size_t k = 0; k < 2; k++)
        for (int i = 0; i < RG_PHASE_COUNT * RG_BYTE_PARTS * RG_BYTE_KINDS; i++) reach(b, all[k][i]);
}

static void panel(
    rg_svg *s, const rg_part_bytes *b, rg_phase ph, double left, double top, double row, double gap)
{
    const double bottom = top + RG_BYTE_PARTS * (RG_BYTE_KINDS * row + gap);
    rg_axis x = rg_axis_log(b->least / 2.0, b->most * 8.0, left, left + 350.0);
    x.bytes = true;
    rg_svg_group(s, "of", RG_TEXT(32, "data-phase=\"%s\"", rg_phase_names[ph]), NULL);
    rg_svg_words(s, left, top - 10, "ink strong",
        RG_TEXT(96, "%s (%.0f token%s per call)", rg_phase_names[ph], b->tokens[ph],
            b->tokens[ph] > 1.5 ? "s" : ""));
    rg_axis_draw_x(s, &x, top - 2, bottom, "bytes per call");
    rg_svg_end(s);
    for (int p = 0; p < RG_BYTE_PARTS; p++)
        for (int k = 0; k < RG_BYTE_KINDS; k++) {
            const double mid = top + p * (RG_BYTE_KINDS * row + gap) + k * row + row / 2.0,
                         counted = b->counted[ph][p][k], analytic = b->analytic[ph][p][k],
                         far = fmax(counted, analytic);
            char attrs[48];
            snprintf(attrs, sizeof attrs, "data-kind=\"bytes\" data-phase=\"%s\"", rg_phase_names[ph]);
            rg_svg_group(s, far > 0.0 ? "dot" : "of", attrs,
                far > 0.0 ? RG_TEXT(240, "%s, %s, %s per call\n%s%s%s analytic", part_names[p], kind_names[k],
                                rg_phase_names[ph], counted > 0.0 ? RG_BYTES(counted) : "",
                                counted > 0.0 ? " counted, " : "", RG_BYTES(analytic))
                          : NULL);
            if (counted > 0.0 && analytic > 0.0)
                rg_svg_line(s, RG_TEXT(32, "%s-line", kind_cls[k]), rg_axis_at(&x, counted), mid,
                    rg_axis_at(&x, analytic), mid, 1.2, NULL);
            if (counted > 0.0)
                rg_svg_circle(s, RG_TEXT(32, "%s see", kind_cls[k]), rg_axis_at(&x, counted), mid, 4.5);
            if (analytic > 0.0)
                rg_svg_circle(
                    s, RG_TEXT(40, "%s-line hollow mark", kind_cls[k]), rg_axis_at(&x, analytic), mid, 3.2);
            rg_svg_try_text(s,
                (rg_svg_at){far > 0.0 ? rg_axis_at(&x, far) + 9 : left + 4, mid + 4, RG_SVG_START, 10, 0,
                    far > 0.0 ? "ink" : "soft"},
                far > 0.0             ? RG_BYTES(counted > 0.0 ? counted : analytic)
                    : isnan(analytic) ? "unknown"
                                      : "none",
                true);
            rg_svg_end(s);
        }
}

rg_status rg_picture_part_bytes(FILE *f, const char *sub, const rg_part_bytes *b, bool embedded, rg_err *err)
{
    enum { W = 960, TOP = 84, ROW = 17, GAP = 12, NAME = 190 };
    const double bottom = TOP + RG_BYTE_PARTS * (RG_BYTE_KINDS * ROW + GAP);
    bool counted = false;
    rg_svg s;
    rg_svg_open(&s, f, W, bottom + 78.0, "Weights against activations",
        "Bytes that one forward call moves, by part of the model and kind, on a logarithmic scale, for "
        "prefill and decode: filled marks are counted, hollow ones analytic.",
        embedded);
    rg_picture_title(&s, "Weights against activations, bytes per forward call", sub);
    for (int p = 0; p < RG_BYTE_PARTS; p++)
        for (int k = 0; k < RG_BYTE_KINDS; k++) {
            const double y = TOP + p * (RG_BYTE_KINDS * ROW + GAP) + k * ROW;
            if (k == 1) rg_svg_words(&s, 16, y + 13, "ink strong", part_names[p]);
            rg_svg_text(&s, (rg_svg_at){NAME + 20, y + 13, RG_SVG_END, 10, 0, "soft"}, kind_names[k]);
            for (int ph = 0; ph < RG_PHASE_COUNT; ph++) counted = counted || b->counted[ph][p][k] > 0.0;
        }
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (b->tokens[ph] > 0.0) panel(&s, b, ph, NAME + 28 + (double)ph * 372.0, TOP, ROW, GAP);
    rg_legend l = rg_legend_at(bottom + 62);
    for (int k = 0; k < RG_BYTE_KINDS; k++)
        rg_legend_item(&s, &l, RG_LEGEND_SQUARE, kind_cls[k], kind_names[k]);
    rg_legend_item(&s, &l, RG_LEGEND_HOLLOW, "roof", "analytic (compulsory)");
    if (counted)
        rg_legend_item(
            &s, &l, RG_LEGEND_WORDS, "soft", "filled, and the figure: counted, what the loops streamed");
    return rg_svg_close(&s, err);
}

/* ---- of runs ---- */

bool rg_picture_can_bytes(const rg_reports *s, size_t run) { return rg_picture_can_time(s, run); }

static double or_zero(double x) { return isfinite(x) && x > 0.0 ? x : 0.0; }

static rg_part_bytes bytes_of(const rg_run *r)
{
    rg_part_bytes b = {.least = 0.0};
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const double calls = fmax(or_zero(r->phase[ph].calls), 1.0);
        if (!rg_phase_ran(&r->phase[ph])) continue;
        b.tokens[ph] = r->phase[ph].tokens / calls;
        for (int i = 0; i < RG_OPGROUP_COUNT; i++) {
            const rg_group g = rg_run_group(r, ph, i);
            const rg_doc_counted *c = &g.counted;
            const rg_doc_analytic *a = &g.analytic;
            double *counted = b.counted[ph][rg_byte_part(i)], *analytic = b.analytic[ph][rg_byte_part(i)];
            counted[0] += c->weight_bytes / calls;
            counted[1] += (c->act_read_bytes + c->act_write_bytes) / calls;
            counted[2] += (c->kv_read_bytes + c->kv_write_bytes) / calls;
            analytic[0] += a->weight_bytes / calls;
            analytic[1] += (a->act_read_bytes + a->act_write_bytes) / calls;
            analytic[2] += (a->kv_read_bytes + a->kv_write_bytes) / calls;
        }
    }
    return b;
}

rg_status rg_picture_bytes(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    const rg_run *r = &set->run[run];
    rg_part_bytes b = bytes_of(r);
    char sub[320];
    for (size_t i = 0; i < set->n; i++) {
        const rg_part_bytes other = bytes_of(&set->run[i]);
        if (rg_runs_alike(r, &set->run[i])) rg_part_bytes_reach(&b, &other);
    }
    return rg_picture_part_bytes(f, rg_picture_run(sub, sizeof sub, r), &b, embedded, err);
}
