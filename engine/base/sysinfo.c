/* What /proc and the cgroups say of memory. */
#include "base/sysinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* The v2 cgroup of this process; "" if there is none. */
static void cgroup_dir(char *dir, size_t n)
{
    char line[512];
    dir[0] = 0;
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "0::", 3) == 0) {
            line[strcspn(line, "\n")] = 0;
            snprintf(dir, n, "/sys/fs/cgroup%s", line + 3);
        }
    if (f) fclose(f);
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
    for (cgroup_dir(dir, sizeof dir); strlen(dir) >= strlen("/sys/fs/cgroup"); *strrchr(dir, '/') = 0) {
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
    return avail;
}
