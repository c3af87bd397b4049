/* Checks of what this process is allowed, and of memory. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "roofline/doctor/doctor.h"

void rg_check_cgroup_cpu(rg_finding *f, const rg_host *h)
{
    double cpus;
    bool throttled;
    if (!rg_host_cgroup_cpus(h, &cpus, &throttled)) {
        rg_finding_set(f, RG_HEALTH_OK, "none");
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "more threads than that are put to sleep in the middle of an operator: barrier waits and latencies "
        "mean nothing",
        NULL, "%.2f processors%s", cpus, throttled ? "; it was throttled already" : "");
    rg_finding_fix(
        f, "ridge ... -t %d   (or start the container without --cpus)", cpus < 1.0 ? 1 : (int)cpus);
}

void rg_check_cgroup_mem(rg_finding *f, const rg_host *h)
{
    double bytes;
    char b[32], total[64];
    if (!rg_host_cgroup_memory(h, &bytes)) {
        rg_finding_set(f, RG_HEALTH_OK, "none");
        return;
    }
    rg_finding_set(f, RG_HEALTH_LIMITED, "%s", rg_bytes(b, sizeof b, bytes));
    if (rg_host_field(h, "/proc/meminfo", "MemTotal", total, sizeof total) && bytes >= 1024.0 * atof(total)) {
        f->health = RG_HEALTH_OK; /* no limit at all */
        return;
    }
    rg_finding_cost(f,
        "models that do not fit are refused before they are loaded; files are read again when their pages "
        "were given back");
    rg_finding_fix(f, "start the container with a larger --memory, or choose a smaller --dtype");
}

/* Processors in a list like 0-3,8. */
static int count_list(const char *s)
{
    int n = 0;
    while (*s) {
        char *end;
        const long a = strtol(s, &end, 10);
        long b = a;
        if (end == s) break;
        if (*end == '-') b = strtol(end + 1, &end, 10);
        if (b >= a && b - a < 1 << 20) n += (int)(b - a + 1);
        s = *end == ',' ? end + 1 : end;
    }
    return n;
}

void rg_check_affinity(rg_finding *f, const rg_host *h)
{
    char mine[256], online[256];
    if (!rg_host_field(h, "/proc/self/status", "Cpus_allowed_list", mine, sizeof mine) ||
        !rg_host_line(h, "/sys/devices/system/cpu/online", online, sizeof online))
        return;
    const int n = count_list(mine), all = count_list(online);
    if (n >= all) {
        rg_finding_set(f, RG_HEALTH_OK, "all %d", all);
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "roofs and runs are those of the allowed processors, not of the machine", NULL, "%d of %d (%.60s)", n,
        all, mine);
    rg_finding_fix(f, "taskset -c %.60s ridge ...   (unless a cpuset forbids it)", online);
}

void rg_check_files(rg_finding *f, const rg_host *h)
{
    enum { ENOUGH = 1024 }; /* 16 threads times some twenty events, with room */
    char line[128];
    long long soft = -1;
    if (rg_host_field(h, "/proc/self/limits", "Max open files", line, sizeof line))
        soft = strncmp(line, "unlimited", 9) == 0 ? 1 << 30 : atoll(line);
    if (soft < 0) return;
    rg_finding_set(f, soft >= ENOUGH ? RG_HEALTH_OK : RG_HEALTH_LIMITED, "%lld", soft);
    if (soft >= ENOUGH) return;
    rg_finding_cost(
        f, "every event of every thread takes a descriptor: large teams lose their counters (EMFILE)");
    rg_finding_fix(f, "ulimit -n 4096");
}

void rg_check_hugepages(rg_finding *f, const rg_host *h)
{
    static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char line[128];
    long long reserved = 0;
    rg_host_number(h, "/proc/sys/vm/nr_hugepages", &reserved);
    if (!rg_host_line(h, path, line, sizeof line)) {
        rg_finding_bad(f, RG_HEALTH_MISSING,
            "every 4 KiB of weights costs an address translation: streaming is slower, on guests by tens of "
            "percent",
            NULL, "no transparent huge pages in this kernel");
        return;
    }
    const char *open = strchr(line, '[');
    const int len = open ? (int)strcspn(open + 1, "]") : 0;
    const bool never = open && strncmp(open + 1, "never", 5) == 0;
    rg_finding_set(f, never ? RG_HEALTH_MISSING : RG_HEALTH_OK,
        "transparent: %.*s; reserved: %lld (not used by Ridge)", len ? len : 7, len ? open + 1 : "unknown",
        reserved);
    if (!never) return;
    rg_finding_cost(f,
        "every 4 KiB of weights costs an address translation: streaming is slower, on guests by tens of "
        "percent");
    rg_finding_fix(f, "echo madvise | sudo tee %s", path);
}

void rg_check_memory(rg_finding *f, const rg_host *h)
{
    char total[64], avail[64], st[64], sf[64], a[32], b[32];
    if (!rg_host_field(h, "/proc/meminfo", "MemTotal", total, sizeof total) ||
        !rg_host_field(h, "/proc/meminfo", "MemAvailable", avail, sizeof avail)) {
        rg_finding_set(f, RG_HEALTH_UNKNOWN, "no /proc/meminfo");
        return;
    }
    const double t = 1024.0 * atof(total), v = 1024.0 * atof(avail);
    double swapped = 0.0;
    if (rg_host_field(h, "/proc/meminfo", "SwapTotal", st, sizeof st) &&
        rg_host_field(h, "/proc/meminfo", "SwapFree", sf, sizeof sf))
        swapped = 1024.0 * (atof(st) - atof(sf));
    const bool paging = swapped > 0.02 * t;
    rg_finding_set(f, paging || v < 0.1 * t ? RG_HEALTH_LIMITED : RG_HEALTH_OK, "%s available of %s%s",
        rg_bytes(a, sizeof a, v), rg_bytes(b, sizeof b, t), paging ? ", and some is swapped out" : "");
    if (f->health == RG_HEALTH_OK) return;
    rg_finding_cost(f, "pages may go to disk and come back in the middle of an operator");
    rg_finding_fix(
        f, paging ? "sudo swapoff -a" : "ps -eo rss,comm --sort=-rss | head   (says who holds it)");
}
