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

static double longest(const rg_doc_profile *d, rg_phase ph)
{
    double most = 0.0;
    for (size_t i = 0; i < d->n_ops; i++)
        if (d->ops[i].phase == ph && d->ops[i].layer >= 0) most = fmax(most, d->ops[i].t_ns);
    return most;
}

rg_status rg_picture_heat(FILE *f, const rg_reports *set, size_t run, bool embedded, rg_err *err)
{
    const rg_run *r = &set->run[run];
    const char *site[MAX_COLS];
    const int cols = rg_run_sites(r, true, site, MAX_COLS);
    const double layers = fmin(r->d->model.layers, RG_MAX_LAYERS),
                 row = layers <= 24 ? 16.0
        : layers <= 48              ? 12.0
                                    : 8.0;
    const double half = (W - LEFT - 24.0) / 2.0, col = (half - 16.0) / fmax(cols, 1),
                 bottom = TOP + layers * row, h = bottom + 44.0;
    char text[200], sub[320];
    rg_svg s;
    rg_svg_open(&s, f, W, h, "Layers and operators",
        "A cell per operator (across) and layer (down), for prefill and for decode: the darker, the longer "
        "it took.",
        embedded);
    rg_picture_title(&s, "Time by layer and operator", rg_picture_run(sub, sizeof sub, r));
    for (double k = 0; k < layers; k += 1.0) {
        rg_svg_try_text(&s,
            (rg_svg_at){LEFT - 6, TOP + k * row + row - 4, RG_SVG_END, fmin(10, row), 0, "soft"},
            RG_TEXT(200, "%.0f", k), true);
    }
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const double left = LEFT + (double)ph * (half + 8.0);
        double most = 0.0;
        if (!rg_phase_ran(&r->phase[ph])) continue;
        for (size_t k = 0; k < set->n; k++)
            if (rg_runs_alike(r, &set->run[k])) most = fmax(most, longest(set->run[k].d, ph));
        rg_svg_group(&s, "of", RG_TEXT(32, "data-phase=\"%s\"", rg_phase_names[ph]), NULL);
        rg_svg_words(&s, left, 66, "ink strong", rg_phase_names[ph]);
        for (int k = 0; k < cols; k++)
            rg_svg_try_text(&s,
                (rg_svg_at){left + (k + 0.5) * col + 3.0, TOP - 6, RG_SVG_START, 10, -60, "soft"},
                rg_text_clean(text, 16, site[k]), true);
        rg_svg_end(&s);
        for (size_t i = 0; i < r->d->n_ops; i++) {
            const rg_doc_op *w = &r->d->ops[i];
            if (w->phase != ph || w->layer < 0 || (double)w->layer >= layers) continue;
            int k = 0;
            while (k < cols && strcmp(site[k], w->site) != 0) k++;
            if (k == cols) continue;
            fprintf(
                f, "<rect class=\"c-qkv cell\" data-run=\"%zu\" data-op=\"%zu\" x=\"", run, (w - r->d->ops));
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
            rg_text_escape(f,
                RG_TEXT(200, "layer %lld, %.40s: %s, %s GB/s, %s of the roof", (long long)w->layer, w->site,
                    RG_TIME(w->t_ns), RG_NUM(w->gbps), RG_PERCENT(w->roof_fraction)));
            fputs("</title></rect>\n", f);
        }
        rg_svg_text(&s, (rg_svg_at){left, bottom + 22, RG_SVG_START, 11, 0, "soft"},
            RG_TEXT(200, "full colour: %s (per layer, all calls)", RG_TIME(most)));
    }
    return rg_svg_close(&s, err);
}
