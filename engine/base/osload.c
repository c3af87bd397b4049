/* Reads getrusage and /proc. */
#include "base/osload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sysinfo.h"

void rg_osload_read(rg_osload *l)
{
    struct rusage u;
    uint64_t v[8] = {0};
    *l = (rg_osload){0};
    if (getrusage(RUSAGE_SELF, &u) == 0) {
        l->minor_faults = u.ru_minflt;
        l->major_faults = u.ru_majflt;
        l->voluntary = u.ru_nvcsw;
        l->involuntary = u.ru_nivcsw;
        l->own_ns = 1000000000u * (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
            1000u * (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    }
    /* cpu user nice system idle iowait irq softirq steal ... (guest time is part of user) */
    FILE *f = fopen("/proc/stat", "r");
    bool all = f && fscanf(f, "cpu") == 0;
    for (int i = 0; i < 8; i++) all = all && fscanf(f, "%" SCNu64, &v[i]) == 1;
    if (all) {
        for (int i = 0; i < 8; i++) l->all_ticks += v[i];
        l->steal_ticks = v[7];
        l->busy_ticks = l->all_ticks - v[3] - v[4] - v[7];
    }
    if (f) fclose(f);
}

static uint64_t since(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

void rg_osload_add(rg_osload *sum, const rg_osload *before, const rg_osload *now)
{
    sum->minor_faults += since(before->minor_faults, now->minor_faults);
    sum->major_faults += since(before->major_faults, now->major_faults);
    sum->voluntary += since(before->voluntary, now->voluntary);
    sum->involuntary += since(before->involuntary, now->involuntary);
    sum->steal_ticks += since(before->steal_ticks, now->steal_ticks);
    sum->all_ticks += since(before->all_ticks, now->all_ticks);
    sum->busy_ticks += since(before->busy_ticks, now->busy_ticks);
    sum->own_ns += since(before->own_ns, now->own_ns);
}

enum { LEAST = 20 }; /* ticks: a single one must not look like a tenth of the time */

double rg_osload_others(const rg_osload *sum, int cpus)
{
    const double ticks_per_s = (double)sysconf(_SC_CLK_TCK), all = (double)sum->all_ticks;
    if (sum->all_ticks < LEAST || !(ticks_per_s > 0.0)) return NAN;
    const double own = 1e-9 * (double)sum->own_ns * ticks_per_s;
    return fmax(0.0, ((double)sum->busy_ticks - own) / all) * cpus;
}

double rg_osload_steal(const rg_osload *sum)
{
    return sum->all_ticks >= LEAST ? (double)sum->steal_ticks / (double)sum->all_ticks : NAN;
}

double rg_chain_ns(void)
{
    double best = INFINITY;
    for (int try = 0; try < 3; try++) {
        uint64_t x = 3;
        const uint64_t start = rg_now_ns();
        for (int i = 0; i < 10000; i++) {
            x = x * x + 1;
            __asm__ volatile("" : "+r"(x)); /* each product waits for the one before */
        }
        const double ns = (double)(rg_now_ns() - start);
        if (ns < best) best = ns;
    }
    return best;
}
