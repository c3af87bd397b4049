/* What /proc, the cgroups and the limits of this process say of memory and processors. */
#include "base/sysinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static int read_u64(const char *path, uint64_t *v)
{
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    const int ok = fscanf(f, "%" SCNu64, v) == 1; /* "max" (no limit) does not match */
    fclose(f);
    return ok;
}

/* Page cache that the kernel would give back: a mapped checkpoint must not count as used. */
static uint64_t cgroup_cache(const char *dir)
{
    char path[700], line[128];
    uint64_t v = 0;
    snprintf(path, sizeof path, "%s/memory.stat", dir);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "inactive_file %" SCNu64, &v) == 1) break;
    if (f) fclose(f);
    return v;
}

/* Whether "cpu" is one of "cpu,cpuacct". */
static int lists(const char *controllers, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = controllers; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && memcmp(p, name, n) == 0) return 1;
    return 0;
}

/* The cgroup of this process: of v2, or of a v1 controller; "" if there is none. */
static void cgroup_dir(char *dir, size_t n, const char *controller)
{
    char line[512];
    dir[0] = 0;
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        line[strcspn(line, "\n")] = 0;
        *path++ = 0;
        if (controller ? lists(names + 1, controller) : !names[1])
            snprintf(dir, n, "/sys/fs/cgroup%s%s%s", controller ? "/" : "", controller ? controller : "",
                strcmp(path, "/") == 0 ? "" : path);
    }
    if (f) fclose(f);
}

/* To the folder above; 0 behind the root. */
static int go_up(char *dir)
{
    if (strlen(dir) <= strlen("/sys/fs/cgroup")) return 0;
    *strrchr(dir, '/') = 0;
    return 1;
}

static void lower(uint64_t *least, uint64_t v)
{
    if (v < *least) *least = v;
}

/* The tightest limit, and the least left under one, along the v2 hierarchy of this process, or of the v1
 * controller at its usual place. UINT64_MAX: none. */
static void cgroup(uint64_t *limit, uint64_t *left)
{
    char dir[640], path[700];
    uint64_t most, used;
    *limit = *left = UINT64_MAX;
    cgroup_dir(dir, sizeof dir, NULL);
    for (int more = *dir != 0; more; more = go_up(dir)) {
        snprintf(path, sizeof path, "%s/memory.max", dir);
        if (!read_u64(path, &most)) continue;
        snprintf(path, sizeof path, "%s/memory.current", dir);
        if (!read_u64(path, &used)) used = 0;
        const uint64_t cache = cgroup_cache(dir);
        used -= used < cache ? used : cache;
        lower(limit, most);
        lower(left, most > used ? most - used : 0);
    }
    if (*limit == UINT64_MAX && read_u64("/sys/fs/cgroup/memory/memory.limit_in_bytes", &most) &&
        most < (uint64_t)1 << 60) {
        *limit = most;
        if (read_u64("/sys/fs/cgroup/memory/memory.usage_in_bytes", &used))
            *left = most > used ? most - used : 0;
    }
}

uint64_t rg_mem_limit(void)
{
    uint64_t limit, left;
    cgroup(&limit, &left);
    return limit == UINT64_MAX ? 0 : limit;
}

/* In v2 a line "QUOTA PERIOD", in v1 two files; 0: no limit there. */
static double quota_in(const char *dir, int v2)
{
    char path[700];
    double quota = 0.0, period = 0.0;
    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    FILE *f = fopen(path, "r");
    if (!f) return 0.0;
    int n = fscanf(f, "%lf %lf", &quota, &period); /* "max" does not match */
    fclose(f);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!v2 && (f = fopen(path, "r"))) {
        n += fscanf(f, "%lf", &period);
        fclose(f);
    }
    return n == 2 && quota > 0.0 && period > 0.0 ? quota / period : 0.0;
}

double rg_cpu_quota(void)
{
    char dir[640];
    double least = 0.0;
    for (int v2 = 0; v2 < 2; v2++) {
        cgroup_dir(dir, sizeof dir, v2 ? NULL : "cpu");
        for (int more = *dir != 0; more; more = go_up(dir)) {
            const double q = quota_in(dir, v2);
            if (q > 0.0 && (least == 0.0 || q < least)) least = q;
        }
    }
    return least;
}

uint64_t rg_mem_under_ulimit(const char **source)
{
    static const struct {
        int limit;
        const char *name, *used;
    } limits[] = {{RLIMIT_AS, "ulimit -v", "VmSize:"}, {RLIMIT_DATA, "ulimit -d", "VmData:"}};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        struct rlimit r;
        char line[256];
        uint64_t kb = 0;
        if (getrlimit(limits[i].limit, &r) != 0 || r.rlim_cur == RLIM_INFINITY) continue;
        FILE *f = fopen("/proc/self/status", "r");
        while (f && fgets(line, sizeof line, f))
            if (strncmp(line, limits[i].used, 7) == 0 && sscanf(line + 7, "%" SCNu64, &kb) == 1) break;
        if (f) fclose(f);
        const uint64_t used = kb * 1024, left = r.rlim_cur > used ? r.rlim_cur - used : 0;
        if (left >= least) continue;
        least = left;
        *source = limits[i].name;
    }
    return least;
}

uint64_t rg_mem_available(const char **source)
{
    uint64_t avail = 0, kb, limit, left;
    char line[256];
    if (source) *source = "unknown";
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1) {
            avail = kb * 1024;
            if (source) *source = "MemAvailable";
        }
    if (f) fclose(f);
    cgroup(&limit, &left);
    if (left < UINT64_MAX && (!avail || left < avail)) {
        avail = left;
        if (source) *source = "cgroup memory limit";
    }
    const char *ulimit = NULL;
    left = rg_mem_under_ulimit(&ulimit);
    if (left < UINT64_MAX && (!avail || left < avail)) {
        avail = left > 0 ? left : 1; /* 0 would say that it is unknown */
        if (source) *source = ulimit;
    }
    return avail;
}
