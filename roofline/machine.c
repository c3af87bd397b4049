/* Roofs as the report uses them: interpolation, the cache, and the table for people. */
#include "roofline/machine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "roofline/textout.h"

double rg_machine_bw(const rg_machine *m, int64_t footprint)
{
    if (m->n_bw == 0) return 0.0;
    const rg_bw_point *p = m->bw, *last = m->bw + m->n_bw - 1;
    if (footprint <= p->footprint_bytes) return p->read_gbps.value;
    if (footprint >= last->footprint_bytes) return last->read_gbps.value;
    while (p[1].footprint_bytes < footprint) p++;
    const double a = log((double)p[0].footprint_bytes), b = log((double)p[1].footprint_bytes), x = (log((double)footprint) - a) / (b - a);
    return p[0].read_gbps.value + x * (p[1].read_gbps.value - p[0].read_gbps.value);
}

double rg_machine_peak(const rg_machine *m, rg_isa isa) { return (unsigned)isa < RG_ISA_COUNT ? m->fma_gflops[rg_isa_fp32(isa)].value : 0.0; }

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

rg_status rg_machine_get(rg_machine *m, const char *name, int threads, const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user,
    const rg_stop_flag *stop, rg_err *err)
{
    if (name && strcmp(name, "measured") != 0) return rg_machine_load(m, name, err);
    char path[1024];
    rg_machine_cache_path(path, sizeof path, threads);
    if (path[0] && rg_machine_load(m, path, NULL) == RG_OK && strncmp(m->cpu, rg_cpu_name(), sizeof m->cpu - 1) == 0 && m->threads == threads &&
        m->isa_best == rg_isa_best() && !m->noisy && knows(m, footprint)) {
        snprintf(m->source, sizeof m->source, "read at the model's footprint: measured now; the rest: cached");
        return footprint > 0 ? rg_machine_refresh(m, cpus, footprint, progress, user, stop, err) : RG_OK;
    }
    const rg_status st = rg_machine_measure(m, threads, cpus, footprint, true, progress, user, stop, err);
    if (st == RG_OK && path[0]) rg_machine_save(m, path, NULL); /* a cache that cannot be written costs two seconds next time */
    return st;
}

rg_status rg_machine_md(FILE *f, const rg_machine *m, rg_err *err)
{
    char a[32], b[32], c[32];
    rg_table t = {0};
    fprintf(f, "# Machine: %s\n\n", m->cpu);
    fprintf(f, "%d cores usable, %s of memory, instruction set %s; %d threads; %s, %s\n\n", m->cores, rg_bytes(a, sizeof a, (double)m->memory_bytes),
        rg_isa_names[m->isa_best], m->threads, m->source, m->measured_at);
    rg_table_head(&t, "<roof", ">footprint", ">value", "<unit", ">spread", NULL);
    for (int i = 0; i < m->n_bw; i++) {
        const rg_bw_point *p = &m->bw[i];
        rg_table_row(&t, "read bandwidth", rg_bytes(a, sizeof a, (double)p->footprint_bytes), rg_num(b, sizeof b, p->read_gbps.value), "GB/s",
            rg_percent(c, sizeof c, p->read_gbps.spread), NULL);
    }
    for (int i = 0; i < RG_ISA_COUNT; i++) {
        char name[48];
        if (m->fma_gflops[i].value <= 0.0) continue;
        snprintf(name, sizeof name, i == RG_ISA_C ? "fp32 multiply + add, %s" : "fp32 fma, %s", rg_isa_names[i]);
        rg_table_row(&t, name, "registers", rg_num(b, sizeof b, m->fma_gflops[i].value), "GFLOP/s", rg_percent(c, sizeof c, m->fma_gflops[i].spread), NULL);
    }
    rg_table_row(&t, "barrier (spinning)", "", rg_num(b, sizeof b, m->barrier_ns.value), "ns", rg_percent(c, sizeof c, m->barrier_ns.spread), NULL);
    rg_table_print(f, &t);
    const bool failed = t.failed;
    rg_table_free(&t);
    fprintf(f, "\nMedians; spread is the distance from the 10th to the 90th percentile. GB/s = 1e9 bytes/s, all threads together.\n");
    if (m->noisy) fprintf(f, "Noisy: a spread is above 20 %%. Something else runs on these cores; percentages of these roofs are only rough.\n");
    if (failed) return rg_fail(err, RG_E_NOMEM, "machine: out of memory");
    return ferror(f) ? rg_fail(err, RG_E_FILE, "machine: cannot write: %s", strerror(errno)) : RG_OK;
}
