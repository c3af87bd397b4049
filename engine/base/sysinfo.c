/* Reads the clock, and the memory that the system and its cgroups leave. */
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

/* Page cache that the kernel would give back before it refuses an allocation: a mapped checkpoint must not
 * count as used. */
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

/* Limit minus use along the v2 hierarchy of this process, or of the v1 memory controller at its usual
 * place. */
static int cgroup_left(uint64_t *left)
{
    char dir[640], path[700];
    cgroup_dir(dir, sizeof dir);
    int found = 0;
    uint64_t limit, used;
    for (; strlen(dir) >= strlen("/sys/fs/cgroup"); *strrchr(dir, '/') = 0) {
        snprintf(path, sizeof path, "%s/memory.max", dir);
        if (read_u64(path, &limit)) {
            snprintf(path, sizeof path, "%s/memory.current", dir);
            if (!read_u64(path, &used)) used = 0;
            used -= used < cgroup_cache(dir) ? used : cgroup_cache(dir);
            const uint64_t l = limit > used ? limit - used : 0;
            if (!found || l < *left) *left = l;
            found = 1;
        }
    }
    if (!found && read_u64("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit) &&
        limit < (uint64_t)1 << 60 && read_u64("/sys/fs/cgroup/memory/memory.usage_in_bytes", &used)) {
        *left = limit > used ? limit - used : 0;
        found = 1;
    }
    return found;
}

uint64_t rg_mem_limit(void)
{
    char dir[640], path[700];
    uint64_t limit, least = 0;
    for (cgroup_dir(dir, sizeof dir); strlen(dir) >= strlen("/sys/fs/cgroup"); *strrchr(dir, '/') = 0) {
        snprintf(path, sizeof path, "%s/memory.max", dir);
        if (read_u64(path, &limit) && (least == 0 || limit < least)) least = limit;
    }
    if (least == 0 && read_u64("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit) &&
        limit < (uint64_t)1 << 60)
        least = limit;
    return least;
}

uint64_t rg_mem_available(const char **source)
{
    uint64_t avail = 0, kb, left = 0;
    char line[256];
    if (source) *source = "unknown";
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1) {
            avail = kb * 1024;
            if (source) *source = "MemAvailable";
        }
    if (f) fclose(f);
    if (cgroup_left(&left) && (!avail || left < avail)) {
        avail = left;
        if (source) *source = "cgroup memory limit";
    }
    return avail;
}
