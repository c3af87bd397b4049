/* Predicted over measured time. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/join.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"

enum { W = 960, H = 640, LEFT = 74, RIGHT = 944, TOP = 62, BOTTOM = 540, TYPES = 12 };

bool rg_picture_can_validation(const rg_reports *s, size_t index)
{
    return index == 0 && ((const rg_doc_validation *)rg_reports_other(s)->at)->n_points > 0;
}

static int type_of(const char *mine, const char **seen, int *n)
{
    for (int k = 0; k < *n; k++)
        if (strcmp(seen[k], mine) == 0) return k;
    if (*n == TYPES) return TYPES - 1;
    seen[*n] = mine;
    return (*n)++;
}

/* predicted = factor * measured, inside the plot. */
static void diagonal(rg_svg *s, const rg_axis *x, const rg_axis *y, double factor, const char *name)
{
    const double lo = fmax(x->lo, y->lo / factor), hi = fmin(x->hi, y->hi / factor);
    const bool right = fabs(factor - 1.0) < 1e-9;
    if (!(lo < hi)) return;
    rg_svg_line(s, right ? "roof-line" : "faint-line", rg_axis_at(x, lo), rg_axis_at(y, lo * factor),
        rg_axis_at(x, hi), rg_axis_at(y, hi * factor), right ? 1.8 : 1.0, right ? NULL : "5 3");
    const double at = lo * pow(hi / lo, right ? 0.93 : 0.6);
    rg_svg_label(s, rg_axis_at(x, at), rg_axis_at(y, at * factor), 3, 11, "soft halo", name);
}

rg_status rg_picture_validation(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc_validation *d = rg_reports_other(set)->at;
    const char *seen[TYPES];
    double lo = INFINITY, hi = 0.0;
    char text[320];
    int types = 0;
    rg_svg s;
    (void)index;
    for (size_t i = 0; i < d->n_points; i++) {
        const double v[] = {d->points[i].measured_ns, d->points[i].predicted_ns};
        for (int k = 0; k < 2; k++)
            if (v[k] > 0.0) {
                lo = fmin(lo, v[k] / 1e6);
                hi = fmax(hi, v[k] / 1e6);
            }
    }
    const rg_axis x = rg_axis_log(lo, hi, LEFT, RIGHT), y = rg_axis_log(lo, hi, BOTTOM, TOP);
    rg_picture_open(&s, f, W, H, "Predicted against measured", RG_CLEAN(96, d->cpu),
        "Logarithmic axes: measured time across, predicted time up; on the diagonal the prediction is right, "
        "dashed lines are a quarter off.",
        embedded);
    rg_axis_draw_x(&s, &x, TOP, BOTTOM, "measured time of a call, ms");
    rg_axis_draw_y(&s, &y, LEFT, RIGHT, "predicted time, ms");
    for (size_t i = 0; i < d->n_points; i++)
        rg_svg_keep_off(&s, rg_axis_at(&x, d->points[i].measured_ns / 1e6),
            rg_axis_at(&y, d->points[i].predicted_ns / 1e6), 5, 5, 0);
    diagonal(&s, &x, &y, 1.25, "25 % above");
    diagonal(&s, &x, &y, 0.8, "20 % below");
    diagonal(&s, &x, &y, 1.0, "predicted = measured");
    for (size_t i = 0; i < d->n_points; i++) {
        const rg_doc_point *o = &d->points[i];
        const double at = rg_axis_at(&x, o->measured_ns / 1e6), up = rg_axis_at(&y, o->predicted_ns / 1e6);
        const int type = type_of(o->dtype, seen, &types);
        if (!(o->measured_ns > 0.0) || !(o->predicted_ns > 0.0)) continue;
        snprintf(text, sizeof text,
            "%s, %s, %s\n%.0f thread%s, prompt %.0f, batch %.0f\nmeasured %s, predicted %s: %+.1f %%\nideal "
            "on the roofs %s",
            RG_CLEAN(48, o->model), seen[type], rg_phase_names[o->phase], o->threads,
            o->threads > 1.5 ? "s" : "", o->prompt, o->batch, RG_TIME(o->measured_ns),
            RG_TIME(o->predicted_ns), 100.0 * (o->predicted_ns / o->measured_ns - 1.0), RG_TIME(o->ideal_ns));
        rg_svg_group(&s, "dot",
            RG_TEXT(96, "data-kind=\"point\" data-phase=\"%s\" data-at=\"points.%zu\"",
                rg_phase_names[o->phase], i),
            text);
        (o->phase == RG_PREFILL ? rg_svg_circle : rg_svg_diamond)(
            &s, RG_TEXT(32, "%s see", rg_chart_class(type)), at, up, 4.5);
        rg_svg_end(&s);
    }
    rg_legend l = rg_legend_at(BOTTOM + 62);
    for (int k = 0; k < types; k++) {
        rg_legend_item(&s, &l, RG_LEGEND_SQUARE, rg_chart_class(k), RG_CLEAN(40, seen[k]));
    }
    rg_legend_item(&s, &l, RG_LEGEND_CIRCLE, "c-rest", "prefill");
    rg_legend_item(&s, &l, RG_LEGEND_DIAMOND, "c-rest", "decode");
    return rg_svg_close(&s, err);
}
