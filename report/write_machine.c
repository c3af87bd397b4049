/* The roofs of a machine as tables for people. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/cells.h"
#include "report/report.h"

static double rate(const rg_measured *v) { return v->value > 0.0 ? v->value : NAN; }

static void ladder_table(FILE *f, const rg_bw_point *bw, int n, bool *failed)
{
    rg_table t = {0};
    rg_table_head(&t, ">footprint", ">read", ">write", ">copy", ">triad", ">spread", NULL);
    for (int i = 0; i < n; i++) {
        double widest = 0.0;
        for (int k = 0; k < RG_BW_COUNT; k++) widest = fmax(widest, rg_bw_get(&bw[i], k)->spread);
        rg_table_line(&t, "bnnnnp", (double)bw[i].footprint_bytes, rate(&bw[i].read_gbps),
            rate(&bw[i].write_gbps), rate(&bw[i].copy_gbps), rate(&bw[i].triad_gbps), widest);
    }
    rg_table_end(f, &t, failed);
}

static void ladder_title(FILE *f, int threads, const char *pages, double share)
{
    fprintf(f, "\n## Bandwidth, GB/s: %d thread%s, %s", threads, threads == 1 ? "" : "s", pages);
    if (isfinite(share)) fprintf(f, " (%s of the memory in 2 MiB pages)", RG_PERCENT(share));
    fprintf(f, "\n\n");
}

static void latency_line(FILE *f, const char *what, rg_measured v)
{
    if (v.value > 0.0)
        fprintf(f, "- %s: %s (spread %s)\n", what, RG_TIME(v.value), RG_PERCENT(v.spread));
    else
        fprintf(f, "- %s: n/a\n", what);
}

rg_status rg_machine_md(FILE *f, const rg_machine *m, rg_err *err)
{
    bool failed = false;
    rg_table t = {0};
    fprintf(f, "# Machine: %s\n\n", m->cpu);
    fprintf(f, "%d cores usable, %s of memory", m->cores, RG_BYTES((double)m->memory_bytes));
    if (m->memory_limit > 0 && m->memory_limit < m->memory_bytes)
        fprintf(f, " (limit %s)", RG_BYTES((double)m->memory_limit));
    fprintf(f, ", instruction set %s; %d threads; %s, %s\n", rg_isa_names[m->isa_best], m->threads, m->source,
        m->measured_at);
    if (m->cpu_id[0] || m->kernel[0])
        fprintf(f, "%s; %s\n", m->cpu_id[0] ? m->cpu_id : "CPU identity unknown",
            m->kernel[0] ? m->kernel : "kernel unknown");
    ladder_title(f, m->threads, "2 MiB pages", m->huge_share);
    ladder_table(f, m->bw, m->n_bw, &failed);
    for (int i = 0; i < m->n_ladders; i++) {
        ladder_title(f, m->ladder[i].threads, m->ladder[i].huge_pages ? "2 MiB pages" : "4 KiB pages",
            m->ladder[i].huge_share);
        ladder_table(f, m->ladder[i].bw, m->ladder[i].n, &failed);
    }
    if (m->ladders_left_out)
        fprintf(f, "\n%d further ladders were left out for want of time.\n", m->ladders_left_out);
    fprintf(f, "\n## Arithmetic, %d threads\n\n", m->threads);
    rg_table_head(&t, "<peak", "<class", ">value", "<unit", ">spread", NULL);
    for (int i = 0; i < RG_PEAK_COUNT; i++) {
        if (m->peak[i].value <= 0.0) continue;
        rg_table_line(&t, "ssnsp", rg_peaks[i].name, rg_arith_names[rg_peaks[i].arith], m->peak[i].value,
            RG_TEXT(64, "G%s/s", rg_arith_units[rg_peaks[i].arith]), m->peak[i].spread);
    }
    rg_table_end(f, &t, &failed);
    fprintf(f, "\n## Latencies\n\n");
    latency_line(f, "a barrier of spinning threads", m->barrier_ns);
    latency_line(f, "an empty parallel region of the engine's team", m->region_ns);
    latency_line(f, "the record of one operator, per thread", m->record_ns);
    latency_line(f, "reading the clock", m->clock_ns);
    fprintf(f,
        "\nMedians; spread is the distance from the 10th to the 90th percentile, in a ladder the widest of "
        "its row. GB/s = 1e9 bytes read and written\n"
        "per second, all threads together, footprint of all arrays together; a line fetched only to be "
        "overwritten does not count. Arithmetic:\n"
        "from registers; a multiply-add is 2. A class that is missing does not exist on this CPU, or the "
        "compiler did not know it.\n");
    if (m->noise[0])
        fprintf(f, "\n%s: %s.%s\n", m->noisy ? "Noisy" : "Fairly quiet", m->noise,
            m->noisy ? " Something else runs on these cores; percentages of these roofs are only rough."
                     : "");
    else
        fprintf(f, "\nQuiet: no spread above 20 %%, no time stolen.\n");
    return rg_written(f, "machine", failed, err);
}
