/* The roofs of a machine on a terminal: three numbers that people know, and the bandwidths as a drawing. */
#include <math.h>

#include "base/text.h"
#include "report/cells.h"
#include "report/report.h"

enum { MOST_ROWS = 8, MOST_BAR = 48 };

/* "2.10 Top/s" of 1e9 a second. */
static const char *rate(char *buf, size_t n, double giga, const char *unit)
{
    const int tera = giga >= 1000.0;
    return rg_text(buf, n, "%s %c%s/s", RG_NUM(tera ? 1e-3 * giga : giga), "GT"[tera], unit);
}
#define RATE(giga, unit) rate((char[48]){0}, 48, giga, unit)

/* The faster of two classes; -1: this CPU has neither. */
static int peak_row(const rg_machine *m, rg_arith a, rg_arith b)
{
    const int i = rg_machine_peak_row(m, a, m->isa_best), j = rg_machine_peak_row(m, b, m->isa_best);
    if (i < 0 || j < 0) return i < 0 ? j : i;
    return m->peak[j].value > m->peak[i].value ? j : i;
}

static const char *peak_text(char *buf, size_t n, const rg_machine *m, int row)
{
    return row < 0 ? "n/a" : rate(buf, n, m->peak[row].value, rg_arith_units[rg_peaks[row].arith]);
}
#define PEAK(m, row) peak_text((char[48]){0}, 48, m, row)

static void peak_line(rg_table *t, const char *name, const rg_machine *m, int row)
{
    if (row < 0)
        rg_table_row(t, name, "n/a", "", "this CPU has no such instruction", NULL);
    else
        rg_table_line(t, "ssps", name, PEAK(m, row), m->peak[row].spread, rg_peaks[row].name);
}

/* A bar in eighths of a column, n columns for 1. */
static void bar(FILE *f, double share, int n)
{
    static const char *const part[] = {"", "\xe2\x96\x8f", "\xe2\x96\x8e", "\xe2\x96\x8d", "\xe2\x96\x8c",
        "\xe2\x96\x8b", "\xe2\x96\x8a", "\xe2\x96\x89"};
    const int eighths = (int)fmax(1.0, 8.0 * share * n + 0.5);
    for (int i = 0; i < eighths / 8; i++) fputs("\xe2\x96\x88", f);
    fputs(part[eighths % 8], f);
}

static void ladder(const rg_screen *s, const rg_machine *m)
{
    const int step = (m->n_bw + MOST_ROWS - 1) / MOST_ROWS, wide = s->width - 24;
    double most = 0.0;
    for (int i = 0; i < m->n_bw; i++) most = fmax(most, m->bw[i].read_gbps.value);
    rg_screen_say(s, RG_INK_DIM, 2, "read bandwidth by the bytes in use, GB/s");
    /* the largest, which is memory, stays */
    for (int i = (m->n_bw - 1) % step; i < m->n_bw; i += step) {
        const double x = m->bw[i].read_gbps.value;
        fprintf(s->f, "  %9s %7s  ", RG_BYTES((double)m->bw[i].footprint_bytes), RG_NUM(x > 0.0 ? x : NAN));
        if (x > 0.0) bar(s->f, x / most, wide < MOST_BAR ? wide : MOST_BAR);
        fputc('\n', s->f);
    }
}

rg_status rg_machine_text(const rg_screen *s, const rg_machine *m, rg_err *err)
{
    bool failed = false;
    rg_table t = {0};
    const int fp32 = peak_row(m, RG_ARITH_FP32_FMA, RG_ARITH_FP32_FMA),
              int8 = peak_row(m, RG_ARITH_INT8_DOT, RG_ARITH_AMX_INT8);
    const rg_bw_point *memory = m->n_bw ? &m->bw[m->n_bw - 1] : NULL;
    const double read = memory && memory->read_gbps.value > 0.0 ? memory->read_gbps.value : NAN;
    rg_screen_say(s, RG_INK_HEAD, 0, "%s, %d thread%s: %s GB/s read from memory, %s in FP32, %s in int8.",
        m->cpu, m->threads, m->threads == 1 ? "" : "s", RG_NUM(read), PEAK(m, fp32), PEAK(m, int8));
    if (m->noisy)
        rg_screen_say(s, RG_INK_WARN, 0,
            "Noisy: %s. Something else runs on these cores: percentages of these roofs are only rough.",
            m->noise);
    fputc('\n', s->f);
    if (s->wide) return rg_machine_md(s->f, m, err);
    rg_table_head(&t, "<", ">rate", ">moved meanwhile by", "<measured with", NULL);
    if (memory)
        rg_table_line(&t, "ssps", "read from memory", RATE(read, "B"), memory->read_gbps.spread,
            RG_TEXT(64, "%s in use", RG_BYTES((double)memory->footprint_bytes)));
    peak_line(&t, "FP32", m, fp32);
    peak_line(&t, "int8", m, int8);
    rg_screen_table(s, 2, &t, &failed);
    fputc('\n', s->f);
    if (m->n_bw) ladder(s, m);
    fputc('\n', s->f);
    if (!m->noisy)
        rg_screen_say(s, RG_INK_DIM, 2, "%s: %s.", m->noise[0] ? "fairly quiet" : "quiet",
            m->noise[0] ? m->noise : "no spread above 20 %, no time stolen");
    rg_screen_say(s, RG_INK_DIM, 2,
        "writes, copies, other threads: --wide; for programs: -o json; picture: --svg "
        "FILE");
    return rg_written(s->f, "machine", failed, err);
}
