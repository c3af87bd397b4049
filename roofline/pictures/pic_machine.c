/* A machine's roofs: read bandwidth over a ladder of footprints, and below it the ceilings in the log-log plane. */
#include <math.h>

#include "roofline/join.h"
#include "roofline/pictures/pictures.h"
#include "roofline/pictures/roof_plot.h"

enum { W = 960, H = 900, LEFT = 66, RIGHT = 944, TOP = 62, MIDDLE = 340, TOP2 = 420, BOTTOM2 = 850 };

static void ladder(rg_svg *s, const rg_machine *m)
{
    double lo = INFINITY, hi = 0.0, top = 0.0, xy[RG_MAX_BW][2];
    char tip[160], a[32], b[32], c[32];
    size_t n = 0;
    for (int i = 0; i < m->n_bw; i++) {
        if (!(m->bw[i].read_gbps.value > 0.0)) continue;
        lo = fmin(lo, (double)m->bw[i].footprint_bytes);
        hi = fmax(hi, (double)m->bw[i].footprint_bytes);
        top = fmax(top, m->bw[i].read_gbps.value * (1.0 + m->bw[i].read_gbps.spread / 2.0));
    }
    if (!(hi > 0.0)) {
        rg_svg_text(s, (rg_svg_at){LEFT, TOP + 40, RG_SVG_START, 12, 0, "soft"}, "No bandwidth was measured.");
        return;
    }
    rg_axis x = rg_axis_log(lo, hi, LEFT, RIGHT), y = rg_axis_linear(top, MIDDLE, TOP);
    x.bytes = true;
    rg_axis_draw_x(s, &x, TOP, MIDDLE, "bytes read again and again, all threads together");
    rg_axis_draw_y(s, &y, LEFT, RIGHT, "read bandwidth, GB/s");
    for (int i = 0; i < m->n_bw; i++) {
        const rg_bw_point *p = &m->bw[i];
        if (!(p->read_gbps.value > 0.0)) continue;
        xy[n][0] = rg_axis_at(&x, (double)p->footprint_bytes);
        xy[n][1] = rg_axis_at(&y, p->read_gbps.value);
        rg_svg_keep_off(s, xy[n][0], xy[n][1], 4, 4, 0);
        n++;
    }
    for (size_t i = 1; i < n; i++) rg_svg_keep_off_line(s, xy[i - 1][0], xy[i - 1][1], xy[i][0], xy[i][1]);
    rg_svg_path(s, "c-qkv-line", (const double(*)[2])xy, n, 1.8);
    n = 0;
    for (int i = 0; i < m->n_bw; i++) {
        const rg_bw_point *p = &m->bw[i];
        if (!(p->read_gbps.value > 0.0)) continue;
        const double half = p->read_gbps.value * p->read_gbps.spread / 2.0;
        rg_num(a, sizeof a, p->read_gbps.value);
        snprintf(
            tip, sizeof tip, "read %s: %s GB/s, spread %s", rg_bytes(b, sizeof b, (double)p->footprint_bytes), a, rg_percent(c, sizeof c, p->read_gbps.spread));
        rg_svg_group(s, "point", "data-kind=\"bandwidth\"", tip);
        rg_svg_line(
            s, "c-qkv-line", xy[n][0], rg_axis_at(&y, fmax(p->read_gbps.value - half, 0.0)), xy[n][0], rg_axis_at(&y, p->read_gbps.value + half), 1.2, NULL);
        rg_svg_circle(s, "c-qkv", xy[n][0], xy[n][1], 3.5);
        rg_svg_end(s);
        rg_svg_label(s, xy[n][0], xy[n][1], 3.5, 10, "ink halo", a);
        n++;
    }
}

rg_status rg_picture_machine(FILE *f, const rg_machine *m, bool embedded, rg_err *err)
{
    rg_svg s;
    char sub[320], cpu[80], a[32], b[32];
    rg_roof_plot plot = rg_roof_plot_at(LEFT, TOP2, RIGHT, BOTTOM2);
    rg_svg_open(&s, f, W, H, "Roofs of this machine",
        "Above: read bandwidth over the size of what is read, a point per size with its spread. Below: logarithmic axes, arithmetic intensity across, "
        "performance up; "
        "slopes are bandwidths, level lines arithmetic peaks per instruction set.",
        embedded);
    snprintf(sub, sizeof sub, "%s, %d thread%s, %s%s", rg_text_clean(cpu, sizeof cpu, m->cpu), m->threads, m->threads == 1 ? "" : "s",
        m->measured_at[0] ? m->measured_at : "not dated", m->noisy ? "; noisy: a spread is above 20 %" : "");
    rg_picture_title(&s, "Roofs of this machine", sub);
    ladder(&s, m);
    const double deep = m->n_bw > 0 ? m->bw[m->n_bw - 1].read_gbps.value : 0.0;
    for (int i = 0; i < m->n_bw;) { /* footprints of nearly the same speed are one level */
        const double first = m->bw[i].read_gbps.value;
        const int64_t from = m->bw[i].footprint_bytes;
        int64_t to = from;
        double sum = 0.0;
        int n = 0;
        for (; i < m->n_bw && fabs(m->bw[i].read_gbps.value - first) <= 0.2 * fmax(first, m->bw[i].read_gbps.value); i++, n++) {
            sum += m->bw[i].read_gbps.value;
            to = m->bw[i].footprint_bytes;
        }
        if (n == 0) { /* an unknown value is not near itself */
            i++;
            continue;
        }
        rg_bytes(a, sizeof a, (double)from);
        rg_bytes(b, sizeof b, (double)to);
        char num[32];
        rg_num(num, sizeof num, sum / n);
        const bool last = i == m->n_bw && deep > 0.0;
        if (n > 1)
            rg_roof_plot_add(&plot, false, last, sum / n, "read %s to %s: %s GB/s", a, b, num);
        else
            rg_roof_plot_add(&plot, false, last, sum / n, "read %s: %s GB/s", a, num);
    }
    const int best = rg_machine_peak_row(m, RG_ARITH_FP32_FMA, m->isa_best);
    for (int i = 0; i < RG_PEAK_COUNT; i++)
        rg_roof_plot_add(&plot, true, i == best, m->peak[i].value, "%s: %s G%s/s", rg_peaks[i].name, rg_num(a, sizeof a, m->peak[i].value),
            rg_arith_units[rg_peaks[i].arith]);
    if (plot.n > 0) {
        rg_roof_plot_reach(&plot, 0.06, NAN);
        rg_roof_plot_scale(&plot);
        rg_roof_plot_lines(&s, &plot);
        rg_roof_plot_names(&s, &plot);
    }
    return rg_svg_close(&s, err);
}
