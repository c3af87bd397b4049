/* Roofs as the report uses them: interpolation, the cache, the table for people. */
#include "roofline/measure/machine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"

const char *const rg_bw_names[RG_BW_COUNT] = {
    [RG_BW_READ] = "read", [RG_BW_WRITE] = "write", [RG_BW_COPY] = "copy", [RG_BW_TRIAD] = "triad"};

rg_measured *rg_bw_at(rg_bw_point *p, rg_bw_kind kind)
{
    rg_measured *const by_kind[RG_BW_COUNT] = {&p->read_gbps, &p->write_gbps, &p->copy_gbps, &p->triad_gbps};
    return by_kind[kind];
}

const rg_measured *rg_bw_get(const rg_bw_point *p, rg_bw_kind kind)
{
    return rg_bw_at((rg_bw_point *)(uintptr_t)p, kind);
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

/* Makes the directories above path; failures show when the file is written. */
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
    if (cache && cache[0] == '/') /* relative paths are to be ignored, says the specification */
        len = snprintf(buf, n, "%s/ridge/machine-%s-t%d.json", cache, cpu, threads);
    else if (home && home[0] == '/')
        len = snprintf(buf, n, "%s/.cache/ridge/machine-%s-t%d.json", home, cpu, threads);
    if (len <= 0 || (size_t)len >= n)
        buf[0] = 0;
    else
        make_dirs(buf);
}

/* The ladder reaches the footprint, or ends where it must here. */
static bool knows(const rg_machine *m, int64_t footprint)
{
    if (m->n_bw == 0) return false;
    const int64_t last = m->bw[m->n_bw - 1].footprint_bytes;
    const uint64_t avail = rg_mem_available(NULL);
    return footprint <= last + last / 4 || (avail > 0 && last >= (int64_t)(avail / 8));
}

/* CPU, kernel, cores and memory limit are still those of the file: roofs depend on them. */
static bool same_machine(const rg_machine *m, int threads)
{
    rg_machine now;
    rg_machine_describe(&now, threads);
    return m->threads == threads && m->isa_best == now.isa_best && m->cores == now.cores &&
        m->memory_bytes == now.memory_bytes && m->memory_limit == now.memory_limit &&
        strcmp(m->cpu, now.cpu) == 0 && strcmp(m->cpu_id, now.cpu_id) == 0 &&
        strcmp(m->kernel, now.kernel) == 0;
}

rg_status rg_machine_keep(rg_machine *m, const char *path, rg_err *err)
{
    rg_machine old;
    if (m->noisy && !rg_machine_load(&old, path, NULL) && same_machine(&old, m->threads))
        rg_machine_raise(m, &old);
    return rg_machine_save(m, path, err);
}

rg_status rg_machine_get(rg_machine *m, const char *name, int threads, const int *cpus, int64_t footprint,
    rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    if (name && strcmp(name, "measured") != 0) return rg_machine_load(m, name, err);
    char path[1024];
    rg_machine_cache_path(path, sizeof path, threads);
    if (path[0] && !rg_machine_load(m, path, NULL) && same_machine(m, threads) && knows(m, footprint)) {
        snprintf(m->source, sizeof m->source, "measured, and kept over time");
        return RG_OK;
    }
    const rg_status st = rg_machine_measure(m, threads, cpus, footprint, true, progress, user, stop, err);
    /* a cache that cannot be written costs three seconds next time */
    if (!st && path[0]) rg_machine_keep(m, path, NULL);
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
    return RG_OK;
}
