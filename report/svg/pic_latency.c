/* Latency of every decoded token over its position, with the percentiles of the report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/join.h"
#include "report/svg/axis.h"
#include "report/svg/pictures.h"
#include "report/svg/roof_plot.h"

enum { W = 960, H = 400, LEFT = 70, RIGHT = 820, TOP = 62, BOTTOM = 318, MOST_MARKS = 375 };

bool rg_picture_can_latency(const rg_reports *s, size_t run)
{
    const rg_doc_phase *p = &s->run[run].phase[RG_DECODE];
    /* a comparison keeps some steps only of a long generation, without positions */
    return rg_phase_ran(p) && json_array_size(p->call_ns) > 1 &&
        (s->run[run].d->run.interrupted ||
            (double)json_array_size(p->call_ns) > s->run[run].d->run.gen_tokens - 0.5);
}

/* Consecutive tokens that share a mark. */
typedef struct slot {
    size_t first, n;
    double low, mid, high; /* ns */
} slot;

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* At most MOST_MARKS slots of equal length (the last may be shorter); *n: how many. */
static slot *slots_of(const json_t *series, size_t *n)
{
    const size_t calls = json_array_size(series), each = (calls + MOST_MARKS - 1) / MOST_MARKS;
    *n = (calls + each - 1) / each;
    slot *all = calloc(*n, sizeof *all);
    double *t = calloc(each, sizeof *t);
    for (size_t i = 0; all && t && i < *n; i++) {
        slot *w = &all[i];
        *w = (slot){.first = i * each, .n = calls - i * each < each ? calls - i * each : each};
        for (size_t k = 0; k < w->n; k++) t[k] = json_number_value(json_array_get(series, w->first + k));
        qsort(t, w->n, sizeof *t, rising);
        w->low = t[0];
        w->mid = t[(w->n - 1) / 2];
        w->high = t[w->n - 1];
    }
    if (!t) {
        free(all);
        all = NULL;
    }
    free(t);
    return all;
}

static const char *unit_of(double ns, double *scale)
{
    *scale = ns >= 1e9 ? 1e9 : ns >= 1e6 ? 1e6 : ns >= 1e3 ? 1e3 : 1.0;
    return ns >= 1e9 ? "s" : ns >= 1e6 ? "ms" : ns >= 1e3 ? "us" : "ns";
}

static void percentiles(rg_svg *s, const rg_doc_phase *p, const rg_axis *y, double scale)
{
    static const struct {
        const char *name, *cls, *dash;
    } lines[] = {{"p50", "c-qkv-line", NULL}, {"p90", "c-attn-line", "7 4"}, {"p99", "c-gate-line", "2 3"}};
    const double v[] = {p->p50_ns, p->p90_ns, p->p99_ns};
    double below = BOTTOM + 20.0; /* labels are stacked upwards, none on another */
    char text[64];
    for (int i = 0; i < 3; i++) {
        if (!isfinite(v[i])) continue;
        const bool off = v[i] / scale > y->hi;
        const double at = rg_axis_at(y, fmin(v[i] / scale, y->hi)), label = fmin(at + 4.0, below - 15.0);
        snprintf(text, sizeof text, "%s %s%s", lines[i].name, RG_TIME(v[i]), off ? ", above" : "");
        rg_svg_group(s, "dot", "data-kind=\"percentile\" data-phase=\"decode\"", text);
        if (!off) rg_svg_line(s, lines[i].cls, LEFT, at, RIGHT, at, 1.6, lines[i].dash);
        if (!off) rg_svg_line(s, lines[i].cls, RIGHT, at, RIGHT + 14.0, label - 4.0, 1.2, lines[i].dash);
        rg_svg_text(s,
            (rg_svg_at){RIGHT + 20.0, label, RG_SVG_START, 12, 0,
                RG_TEXT(24, "%.*s", (int)(strlen(lines[i].cls) - 5), lines[i].cls)},
            text);
        rg_svg_end(s);
        below = label;
    }
}

/* How far the axis goes: a single stall must not press everything else to the ground. */
static double cap_of(const rg_doc_phase *p)
{
    double most = 0.0;
    for (size_t i = 0; i < json_array_size(p->call_ns); i++)
        most = fmax(most, json_number_value(json_array_get(p->call_ns, i)));
    return p->p90_ns > 0.0 && most > 3.0 * p->p90_ns ? 1.6 * p->p90_ns : most;
}

rg_status rg_picture_latency(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    const rg_run *r = &set->run[run];
    const rg_doc_phase *p = &r->phase[RG_DECODE];
    size_t n = 0, beyond = 0;
    double most = 0.0, cap = 0.0, scale;
    char text[320], attrs[128];
    rg_svg s;
    slot *w = slots_of(p->call_ns, &n);
    if (!w) return rg_no_memory(err, "picture");
    for (size_t i = 0; i < n; i++) most = fmax(most, w[i].high);
    for (size_t i = 0; i < set->n; i++)
        if (rg_runs_alike(r, &set->run[i])) cap = fmax(cap, cap_of(&set->run[i].phase[RG_DECODE]));
    const char *unit = unit_of(fmax(cap, 1.0), &scale);
    /* older reports have the second only */
    const double start = isfinite(r->d->run.decode_start) ? r->d->run.decode_start : r->d->run.prompt_tokens;
    const rg_axis x = rg_axis_span(start, start + (double)json_array_size(p->call_ns), LEFT, RIGHT),
                  y = rg_axis_linear(cap / scale, BOTTOM, TOP);
    rg_picture_open(&s, f, W, H, "Latency of every generated token", rg_picture_run(text, sizeof text, r),
        "Time of each decode step over the position of its token in the context; horizontal lines at the "
        "50th, 90th and 99th percentile; slower steps than fit are marked at the upper edge.",
        embedded);
    rg_axis_draw_x(&s, &x, TOP, BOTTOM, "position in the context, tokens");
    rg_axis_draw_y(&s, &y, LEFT, RIGHT, RG_TEXT(320, "time of a step, %s", unit));
    percentiles(&s, p, &y, scale);
    for (size_t i = 0; i < n; i++) {
        const bool off = w[i].high / scale > y.hi;
        const double at = rg_axis_at(&x, start + (double)w[i].first + 0.5 * (double)w[i].n),
                     top = rg_axis_at(&y, fmin(w[i].high / scale, y.hi));
        beyond += off;
        if (w[i].n == 1)
            snprintf(text, sizeof text, "token at position %.0f\n%s", start + (double)w[i].first,
                RG_TIME(w[i].mid));
        else
            snprintf(text, sizeof text, "tokens at positions %.0f to %.0f\nfastest %s, middle %s, slowest %s",
                start + (double)w[i].first, start + (double)(w[i].first + w[i].n - 1), RG_TIME(w[i].low),
                RG_TIME(w[i].mid), RG_TIME(w[i].high));
        snprintf(attrs, sizeof attrs,
            "data-kind=\"call\" data-phase=\"decode\" data-first=\"%zu\" data-n=\"%zu\"", w[i].first, w[i].n);
        rg_svg_group(&s, "dot", attrs, text);
        if (w[i].n > 1)
            rg_svg_line(&s, "c-qkv-line", at, top, at, rg_axis_at(&y, w[i].low / scale), 1.0, NULL);
        if (off)
            rg_svg_diamond(&s, "c-down", at, (double)TOP, 4.0);
        else
            rg_svg_circle(&s, "c-qkv see", at, rg_axis_at(&y, w[i].mid / scale), n > 200 ? 1.8 : 2.6);
        rg_svg_end(&s);
    }
    rg_legend l = rg_legend_at(BOTTOM + 66);
    rg_legend_item(&s, &l, RG_LEGEND_CIRCLE, "c-qkv",
        w[0].n > 1 ? "several steps: their middle, and a line from the fastest to the slowest" : "a step");
    if (beyond > 0) {
        rg_legend_item(&s, &l, RG_LEGEND_DIAMOND, "c-down",
            RG_TEXT(320, "beyond the axis: %zu, slowest %s", beyond, RG_TIME(most)));
    }
    free(w);
    return rg_svg_close(&s, err);
}
