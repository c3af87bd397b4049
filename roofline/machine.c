/* Roofs as the report uses them: interpolation, the cache, and the table for people. */
#include "roofline/machine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "roofline/textout.h"

const char *const rg_bw_names[RG_BW_COUNT] = {
    [RG_BW_READ] = "read", [RG_BW_WRITE] = "write", [RG_BW_COPY] = "copy", [RG_BW_TRIAD] = "triad"};

rg_measured *rg_bw_at(rg_bw_point *p, rg_bw_kind kind)
{
    rg_measured *const by_kind[RG_BW_COUNT] = {&p->read_gbps, &p->write_gbps, &p->copy_gbps, &p->triad_gbps};
    return by_kind[kind];
}

const rg_measured *rg_bw_get(const rg_bw_point *p, rg_bw_kind kind)
{
    const rg_measured *const by_kind[RG_BW_COUNT] = {
        &p->read_gbps, &p->write_gbps, &p->copy_gbps, &p->triad_gbps};
    return by_kind[kind];
}

double rg_machine_bw_of(const rg_machine *m, rg_bw_kind kind, int64_t footprint)
{
    const rg_bw_point *low = NULL, *high = NULL; /* neighbours that know the kind */
    for (const rg_bw_point *p = m->bw; p < m->bw + m->n_bw; p++) {
        if (rg_bw_get(p, kind)->value <= 0.0) continue;
        if (p->footprint_bytes <= footprint) low = p;
        if (p->footprint_bytes >= footprint && !high) high = p;
    }
    if (!low) low = high;
    if (!high) high = low;
    if (!low) return 0.0;
    const double l = rg_bw_get(low, kind)->value, h = rg_bw_get(high, kind)->value;
    if (low == high) return l;
    const double a = log((double)low->footprint_bytes), b = log((double)high->footprint_bytes);
    return l + (log((double)footprint) - a) / (b - a) * (h - l);
}

double rg_machine_bw(const rg_machine *m, int64_t footprint)
{
    return rg_machine_bw_of(m, RG_BW_READ, footprint);
}

double rg_machine_move_ns(const rg_machine *m, double read_bytes, double written_bytes, int64_t footprint)
{
    const double all = read_bytes + written_bytes, rd = rg_machine_bw_of(m, RG_BW_READ, footprint);
    if (!(all > 0.0)) return 0.0;
    if (!(rd > 0.0)) return NAN;
    const double wr = rg_machine_bw_of(m, RG_BW_WRITE, footprint),
                 cp = rg_machine_bw_of(m, RG_BW_COPY, footprint);
    const double share = written_bytes / all, one = 1.0 / rd; /* ns per byte: GB/s are bytes per ns */
    const double last = wr > 0.0 ? 1.0 / wr : one, half = cp > 0.0 ? 1.0 / cp : 0.5 * (one + last);
    return all *
        (share <= 0.5 ? one + 2.0 * share * (half - one) : half + (2.0 * share - 1.0) * (last - half));
}

int rg_machine_peak_row(const rg_machine *m, rg_arith arith, rg_isa isa)
{
    int best = -1;
    if ((unsigned)isa >= RG_ISA_COUNT) return -1;
    for (int i = 0; i < RG_PEAK_COUNT; i++) /* the first row of the level is its roof */
        if (rg_peaks[i].arith == arith && rg_peaks[i].isa == isa && m->peak[i].value > 0.0) return i;
    for (int i = 0; i < RG_PEAK_COUNT; i++) /* the same register width */
        if (rg_peaks[i].arith == arith && rg_isa_fp32(rg_peaks[i].isa) == rg_isa_fp32(isa) &&
            m->peak[i].value > 0.0)
            return i;
    /* every level has an FP32 row of its own width */
    for (int i = 0; i < RG_PEAK_COUNT && arith != RG_ARITH_FP32_FMA; i++)
        if (rg_peaks[i].arith == arith && m->peak[i].value > 0.0 &&
            (best < 0 || m->peak[i].value > m->peak[best].value))
            best = i;
    return best;
}

double rg_machine_peak_of(const rg_machine *m, rg_arith arith, rg_isa isa)
{
    const int i = rg_machine_peak_row(m, arith, isa);
    return i < 0 ? 0.0 : m->peak[i].value;
}

double rg_machine_peak(const rg_machine *m, rg_isa isa)
{
    return rg_machine_peak_of(m, RG_ARITH_FP32_FMA, isa);
}

/* Makes every directory of path but the last component; failures show when the file is written. */
static void make_dirs(char *path)
{
    for (char *s = path + 1; (s = strchr(s, '/')); s++) {
        *s = 0;
        mkdir(path, 0777);
        *s = '/';
    }
}

void rg_machine_cache_path(char *buf, size_t n, int threads)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char cpu[64];
    size_t k = 0;
    buf[0] = 0;
    for (const char *s = rg_cpu_name(); *s && k < sizeof cpu - 1; s++) {
        const int word = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
        if (word || (k > 0 && cpu[k - 1] != '-')) cpu[k++] = word ? *s : '-';
    }
    cpu[k] = 0;
    int len = 0;
    if (cache && cache[0] == '/') /* the specification says: relative paths are to be ignored */
        len = snprintf(buf, n, "%s/ridge/machine-%s-t%d.json", cache, cpu, threads);
    else if (home && home[0] == '/')
        len = snprintf(buf, n, "%s/.cache/ridge/machine-%s-t%d.json", home, cpu, threads);
    if (len <= 0 || (size_t)len >= n)
        buf[0] = 0;
    else
        make_dirs(buf);
}

/* The ladder reaches the footprint, or as far as it could reach here. */
static bool knows(const rg_machine *m, int64_t footprint)
{
    if (m->n_bw == 0) return false;
    const int64_t last = m->bw[m->n_bw - 1].footprint_bytes;
    const uint64_t avail = rg_mem_available(NULL);
    return footprint <= last + last / 4 || (avail > 0 && last >= (int64_t)(avail / 8));
}

/* Nothing that roofs depend on has changed since the file was written: another CPU, kernel, number of cores
 * or memory limit means another machine, even under the same name. */
static bool same_machine(const rg_machine *m, int threads)
{
    rg_machine now;
    rg_machine_describe(&now, threads);
    return m->threads == threads && m->isa_best == now.isa_best && m->cores == now.cores &&
        m->memory_bytes == now.memory_bytes && m->memory_limit == now.memory_limit &&
        strcmp(m->cpu, now.cpu) == 0 && strcmp(m->cpu_id, now.cpu_id) == 0 &&
        strcmp(m->kernel, now.kernel) == 0;
}

bool rg_machine_better(const rg_machine *m, const char *path)
{
    if (!m->noisy) return true;
    rg_machine old;
    return rg_machine_load(&old, path, NULL) != RG_OK || old.noisy || !same_machine(&old, m->threads);
}

rg_status rg_machine_get(rg_machine *m, const char *name, int threads, const int *cpus, int64_t footprint,
    rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    if (name && strcmp(name, "measured") != 0) return rg_machine_load(m, name, err);
    char path[1024];
    rg_machine_cache_path(path, sizeof path, threads);
    if (path[0] && rg_machine_load(m, path, NULL) == RG_OK && same_machine(m, threads) && !m->noisy &&
        knows(m, footprint)) {
        snprintf(
            m->source, sizeof m->source, "read at the model's footprint: measured now; the rest: cached");
        return footprint > 0 ? rg_machine_refresh(m, cpus, footprint, progress, user, stop, err) : RG_OK;
    }
    const rg_status st = rg_machine_measure(m, threads, cpus, footprint, true, progress, user, stop, err);
    /* a cache that cannot be written costs two seconds next time */
    if (st == RG_OK && path[0] && rg_machine_better(m, path)) rg_machine_save(m, path, NULL);
    return st;
}

rg_status rg_machine_share(rg_machine *m, const rg_machine *earlier, const char *name, int threads,
    const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user, const rg_stop_flag *stop,
    rg_err *err)
{
    const bool file = name && strcmp(name, "measured") != 0;
    if (file || !earlier || earlier->threads != threads || !knows(earlier, footprint))
        return rg_machine_get(m, name, threads, cpus, footprint, progress, user, stop, err);
    if (m != earlier) *m = *earlier;
    return footprint > 0 ? rg_machine_refresh(m, cpus, footprint, progress, user, stop, err) : RG_OK;
}

/* ---- the table for people ---- */

static const char *rate(char *buf, size_t n, const rg_measured *v)
{
    return v->value > 0.0 ? rg_num(buf, n, v->value) : "n/a";
}

static void ladder_table(FILE *f, const rg_bw_point *bw, int n, bool *failed)
{
    rg_table t = {0};
    rg_table_head(&t, ">footprint", ">read", ">write", ">copy", ">triad", ">spread", NULL);
    for (int i = 0; i < n; i++) {
        char size[32], text[RG_BW_COUNT][32], spread[32];
        double widest = 0.0;
        for (int k = 0; k < RG_BW_COUNT; k++) widest = fmax(widest, rg_bw_get(&bw[i], (rg_bw_kind)k)->spread);
        rg_table_row(&t, rg_bytes(size, sizeof size, (double)bw[i].footprint_bytes),
            rate(text[0], sizeof text[0], &bw[i].read_gbps), rate(text[1], sizeof text[1], &bw[i].write_gbps),
            rate(text[2], sizeof text[2], &bw[i].copy_gbps), rate(text[3], sizeof text[3], &bw[i].triad_gbps),
            rg_percent(spread, sizeof spread, widest), NULL);
    }
    rg_table_print(f, &t);
    *failed = *failed || t.failed;
    rg_table_free(&t);
}

static void ladder_title(FILE *f, int threads, const char *pages, double share)
{
    char a[32];
    fprintf(f, "\n## Bandwidth, GB/s: %d thread%s, %s", threads, threads == 1 ? "" : "s", pages);
    if (isfinite(share)) fprintf(f, " (%s of the memory in 2 MiB pages)", rg_percent(a, sizeof a, share));
    fprintf(f, "\n\n");
}

static void latency_line(FILE *f, const char *what, rg_measured v)
{
    char a[32], b[32];
    if (v.value > 0.0)
        fprintf(f, "- %s: %s (spread %s)\n", what, rg_time(a, sizeof a, v.value),
            rg_percent(b, sizeof b, v.spread));
    else
        fprintf(f, "- %s: n/a\n", what);
}

rg_status rg_machine_md(FILE *f, const rg_machine *m, rg_err *err)
{
    char a[64], b[64], c[64], d[64];
    bool failed = false;
    rg_table t = {0};
    fprintf(f, "# Machine: %s\n\n", m->cpu);
    fprintf(f, "%d cores usable, %s of memory", m->cores, rg_bytes(a, sizeof a, (double)m->memory_bytes));
    if (m->memory_limit > 0 && m->memory_limit < m->memory_bytes)
        fprintf(f, " (limit %s)", rg_bytes(b, sizeof b, (double)m->memory_limit));
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
        snprintf(d, sizeof d, "G%s/s", rg_arith_units[rg_peaks[i].arith]);
        rg_table_row(&t, rg_peaks[i].name, rg_arith_names[rg_peaks[i].arith],
            rg_num(a, sizeof a, m->peak[i].value), d, rg_percent(c, sizeof c, m->peak[i].spread), NULL);
    }
    rg_table_print(f, &t);
    failed = failed || t.failed;
    rg_table_free(&t);
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
    if (failed) return rg_fail(err, RG_E_NOMEM, "machine: out of memory");
    return ferror(f) ? rg_fail(err, RG_E_FILE, "machine: cannot write: %s", strerror(errno)) : RG_OK;
}
