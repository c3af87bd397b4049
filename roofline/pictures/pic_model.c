/* The analytic sweep: operator groups of configurations that need not exist, on any machine. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "roofline/pictures/pic_model.h"
#include "roofline/pictures/sweep.h"

/* The group of a point in the sweep, or -1: neither linear nor attention product. */
static int group_of(const rg_cost_point *p)
{
    switch (rg_opgroup_of(rg_site_name(p->site))) {
    case RG_OPGROUP_QKV:
        return RG_SWEEP_QKV;
    case RG_OPGROUP_GATE:
    case RG_OPGROUP_DOWN:
        return p->site == RG_SITE_FFN_ACT ? -1 : RG_SWEEP_FFN;
    case RG_OPGROUP_ATTN:
        return p->site == RG_SITE_ATTN_SOFTMAX ? -1 : RG_SWEEP_ATTN;
    default:
        return -1;
    }
}

static size_t points_of(rg_sweep_point *out, const rg_cost_case *k, bool prefill, bool decode)
{
    size_t n = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int g = 0; g < RG_SWEEP_GROUPS; g++) {
            double flop = 0.0, bytes = 0.0, time = 0.0;
            for (int i = 0; i < k->r.n; i++) {
                const rg_cost_point *p = &k->r.op[i];
                if ((int)p->phase != ph || group_of(p) != g) continue;
                flop += p->sum.flop;
                bytes += p->sum.bytes;
                time += p->sum.time_s; /* NAN wins */
            }
            if (!(flop > 0.0) || !(bytes > 0.0) || !(ph == RG_PREFILL ? prefill : decode)) continue;
            out[n++] = (rg_sweep_point){.group = (rg_sweep_group)g,
                .phase = (rg_phase)ph,
                .batch = rg_cost_batch(k),
                .seqlen = rg_cost_seqlen(k),
                .ai = flop / bytes,
                .gflops = time > 0.0 ? 1e-9 * flop / time : NAN,
                .measured_ai = NAN,
                .measured_gflops = NAN};
        }
    return n;
}

/* The classes of arithmetic that the points are held against, and the bandwidth of main memory. */
static void add_roofs(rg_roof_plot *plot, const rg_cost_case *k, size_t n)
{
    char a[32];
    double peaks[16];
    int n_peaks = 0;
    const rg_hardware *h = k[0].hw;
    rg_roof_plot_add(plot, false, true, 1e-9 * h->bandwidth, "main memory: %s GB/s", rg_num(a, sizeof a, 1e-9 * h->bandwidth));
    for (size_t c = 0; c < n; c++)
        for (int i = 0; i < k[c].r.n; i++) {
            const double peak = k[c].r.op[i].peak;
            bool known = !(peak > 0.0) || n_peaks == 16;
            for (int j = 0; j < n_peaks && !known; j++) known = fabs(peaks[j] - peak) <= 1e-9 * peak;
            if (known) continue;
            peaks[n_peaks++] = peak;
            rg_roof_plot_add(plot, true, true, 1e-9 * peak, peak >= 1e13 ? "peak: %s TFLOP/s" : "peak: %s GFLOP/s",
                rg_num(a, sizeof a, peak >= 1e13 ? 1e-12 * peak : 1e-9 * peak));
        }
    for (int i = 0; i < h->n_levels; i++)
        rg_roof_plot_add(
            plot, false, false, h->level[i].gbps, "cache of %.0f KiB: %s GB/s", (double)h->level[i].bytes / 1024.0, rg_num(a, sizeof a, h->level[i].gbps));
}

rg_status rg_picture_model(FILE *f, const rg_cost_case *k, size_t n, bool prefill, bool decode, rg_err *err)
{
    char title[300], sub[300], name[130], format[64];
    rg_roof_plot plot = rg_sweep_plot();
    size_t points = 0;
    for (size_t i = 1; i < n; i++)
        if (k[i].hw != k[0].hw)
            return rg_fail(
                err, RG_E_USAGE, "--svg: %s and %s in one question, expected one machine: a picture has one set of roofs", k[0].hw->name, k[i].hw->name);
    rg_sweep_point *p = calloc(n * RG_PHASE_COUNT * RG_SWEEP_GROUPS + 1, sizeof *p);
    if (!p) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (size_t i = 0; i < n; i++) points += points_of(p + points, &k[i], prefill, decode);
    add_roofs(&plot, k, n);
    snprintf(title, sizeof title, "%s on %s", rg_text_clean(name, sizeof name, k[0].config.name), k[0].hw->name);
    bool same = true;
    for (size_t i = 1; i < n; i++) {
        char other[64];
        same = same && strcmp(rg_cost_format(format, sizeof format, &k[0]), rg_cost_format(other, sizeof other, &k[i])) == 0;
    }
    snprintf(sub, sizeof sub, "analytic, cost model %s; %s; %zu configuration%s", rg_cost_models[k[0].cost],
        same ? rg_cost_format(format, sizeof format, &k[0]) : "several formats", n, n == 1 ? "" : "s");
    const rg_status st = rg_picture_sweep_points(f, title, sub, &plot, p, points, false, err);
    free(p);
    return st;
}
