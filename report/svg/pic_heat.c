/* Layer by operator: a cell per operator and layer, as dark as its time. */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/svg/pictures.h"
#include "report/svg/roof_plot.h"
#include "report/table.h"

enum { W = 960, TOP = 150, LEFT = 52, MAX_COLS = 24 };

bool rg_picture_can_heat(const rg_reports *s, size_t run)
{
    for (size_t i = 0; i < s->run[run].d->n_ops; i++)
        if (s->run[run].d->ops[i].layer >= 0) return true;
    return false;
}

static int columns_of(const char **site, const rg_run *r)
{
    int n = 0;
    for (size_t i = 0; i < r->d->n_ops; i++) {
        bool known = r->d->ops[i].layer < 0;
        for (int k = 0; k < n && !known; k++) known = strcmp(site[k], r->d->ops[i].site) == 0;
        if (!known && n < MAX_COLS) site[n++] = r->d->ops[i].site;
    }
    return n;
}

rg_status rg_picture_heat(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    const rg_run *r = &set->run[run];
    const char *site[MAX_COLS];
    const int cols = columns_of(site, r);
    const double layers = fmin(r->d->model.layers, RG_MAX_LAYERS),
                 row = layers <= 24 ? 16.0
        : layers <= 48              ? 12.0
                                    : 8.0;
    const double half = (W - LEFT - 24.0) / 2.0, col = (half - 16.0) / fmax(cols, 1),
                 bottom = TOP + layers * row, h = bottom + 44.0;
    char text[200], sub[320], a[32], b[32], c[32];
    rg_svg s;
    rg_svg_open(&s, f, W, h, "Layers and operators",
        "A cell per operator (across) and layer (down), for prefill and for decode: the darker, the longer "
        "it took.",
        embedded);
    rg_picture_title(&s, "Time by layer and operator", rg_picture_run(sub, sizeof sub, r));
    for (double k = 0; k < layers; k += 1.0) {
        snprintf(text, sizeof text, "%.0f", k);
        rg_svg_try_text(&s,
            (rg_svg_at){LEFT - 6, TOP + k * row + row - 4, RG_SVG_END, fmin(10, row), 0, "soft"}, text, true);
    }
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const double left = LEFT + ph * (half + 8.0);
        double most = 0.0;
        if (!rg_phase_ran(&r->phase[ph])) continue;
        for (size_t i = 0; i < r->d->n_ops; i++)
            if (r->d->ops[i].phase == (rg_phase)ph && r->d->ops[i].layer >= 0)
                most = fmax(most, r->d->ops[i].t_ns);
        snprintf(text, sizeof text, "%s", rg_phase_names[ph]);
        rg_svg_text(&s, (rg_svg_at){left, 66, RG_SVG_START, 12, 0, "ink strong"}, text);
        for (int k = 0; k < cols; k++)
            rg_svg_try_text(&s,
                (rg_svg_at){left + (k + 0.5) * col + 3.0, TOP - 6, RG_SVG_START, 10, -60, "soft"},
                rg_text_clean(text, 16, site[k]), true);
        for (size_t i = 0; i < r->d->n_ops; i++) {
            const rg_doc_op *w = &r->d->ops[i];
            if (w->phase != (rg_phase)ph || w->layer < 0 || (double)w->layer >= layers) continue;
            int k = 0;
            while (k < cols && strcmp(site[k], w->site) != 0) k++;
            if (k == cols) continue;
            fprintf(f, "<rect class=\"c-qkv cell\" data-run=\"%zu\" data-op=\"%zu\" x=\"", run,
                (size_t)(w - r->d->ops));
            rg_svg_number(f, left + k * col);
            fputs("\" y=\"", f);
            rg_svg_number(f, TOP + (double)w->layer * row);
            fputs("\" width=\"", f);
            rg_svg_number(f, col - 1.0);
            fputs("\" height=\"", f);
            rg_svg_number(f, row - 1.0);
            fputs("\" fill-opacity=\"", f);
            rg_svg_number(f, 0.04 + 0.96 * fmax(rg_ratio(w->t_ns, most), 0.0));
            fputs("\"><title>", f);
            snprintf(text, sizeof text, "layer %lld, %.40s: %s, %s GB/s, %s of the roof", (long long)w->layer,
                w->site, rg_time(a, sizeof a, w->t_ns), rg_num(b, sizeof b, w->gbps),
                rg_percent(c, sizeof c, w->roof_fraction));
            rg_text_escape(f, text);
            fputs("</title></rect>\n", f);
        }
        snprintf(text, sizeof text, "full colour: %s (per layer, all calls)", rg_time(a, sizeof a, most));
        rg_svg_text(&s, (rg_svg_at){left, bottom + 22, RG_SVG_START, 11, 0, "soft"}, text);
    }
    return rg_svg_close(&s, err);
}
