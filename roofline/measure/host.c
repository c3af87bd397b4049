/* What /proc, /sys, CPUID and perf_event_open say about measuring here. */
#include "roofline/measure/host.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { FULL = 1200 };

/* The path below the root; "" if it is too long. */
static const char *below(char full[FULL], const rg_host *h, const char *path)
{
    if (snprintf(full, FULL, "%s%s", h->root, path) >= FULL) full[0] = 0;
    return full;
}

static FILE *open_below(const rg_host *h, const char *path)
{
    char full[FULL];
    return fopen(below(full, h, path), "r");
}

bool rg_host_line(const rg_host *h, const char *path, char *buf, size_t n)
{
    FILE *f = open_below(h, path);
    buf[0] = 0;
    if (!f) return false;
    if (!fgets(buf, (int)n, f)) buf[0] = 0;
    fclose(f);
    buf[strcspn(buf, "\n")] = 0;
    return buf[0] != 0;
}

bool rg_host_number(const rg_host *h, const char *path, long long *v)
{
    char line[64], *end;
    if (!rg_host_line(h, path, line, sizeof line)) return false;
    errno = 0;
    const long long x = strtoll(line, &end, 10);
    if (errno || end == line) return false;
    *v = x;
    return true;
}

bool rg_host_exists(const rg_host *h, const char *path)
{
    char full[FULL];
    return access(below(full, h, path), F_OK) == 0;
}

bool rg_host_field(const rg_host *h, const char *path, const char *key, char *buf, size_t n)
{
    FILE *f = open_below(h, path);
    char line[512];
    bool found = false;
    buf[0] = 0;
    while (f && !found && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        const char *p = line + strlen(key);
        p += strspn(p, " \t:");
        snprintf(buf, n, "%.*s", (int)strcspn(p, "\n"), p);
        found = true;
    }
    if (f) fclose(f);
    return found;
}

int rg_host_entries(
    const rg_host *h, const char *dir, const char *prefix, bool numbered, char *first, size_t n)
{
    char full[FULL], best[256] = "";
    int count = 0;
    DIR *d = opendir(below(full, h, dir));
    for (struct dirent *e; d && (e = readdir(d));) {
        const size_t k = strlen(prefix);
        if (strncmp(e->d_name, prefix, k) != 0 || e->d_name[0] == '.') continue;
        if (numbered && !isdigit((unsigned char)e->d_name[k])) continue;
        if (count++ == 0 || strcmp(e->d_name, best) < 0) snprintf(best, sizeof best, "%s", e->d_name);
    }
    if (d) closedir(d);
    if (first) snprintf(first, n, "%s", best);
    return count;
}

void rg_host_each(const rg_host *h, const char *dir, const char *prefix,
    void (*fn)(void *user, const char *name), void *user)
{
    char full[FULL];
    DIR *d = opendir(below(full, h, dir));
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0) fn(user, e->d_name);
    if (d) closedir(d);
}

static int try_event(uint32_t type, uint64_t config)
{
    struct perf_event_attr a;
    memset(&a, 0, sizeof a);
    a.size = sizeof a;
    a.type = type;
    a.config = config;
    a.exclude_kernel = 1;
    a.exclude_hv = 1;
    const int fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) return errno;
    close(fd);
    return 0;
}

#if defined(__x86_64__)
static void ask_cpuid(rg_host *h)
{
    unsigned a, b, c, d;
    char vendor[13] = "";
    h->x86 = true;
    if (!__get_cpuid(0, &a, &b, &c, &d)) return;
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    h->intel = strcmp(vendor, "GenuineIntel") == 0;
    h->amd = strcmp(vendor, "AuthenticAMD") == 0 || strcmp(vendor, "HygonGenuine") == 0;
    if (h->intel) {
        h->pmu_version = 0;
        if (__get_cpuid(0xA, &a, &b, &c, &d)) {
            h->pmu_version = (int)(a & 0xff);
            h->pmu_counters = (int)(a >> 8 & 0xff);
        }
    } else if (h->amd) {
        /* AMD has no leaf 0xA, but the core counter extension (six counters) and, since Zen 4, PerfMonV2 */
        if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) {
            h->pmu_version = c >> 23 & 1;
            h->pmu_counters = h->pmu_version ? 6 : 0;
        }
        if (__get_cpuid(0x80000022u, &a, &b, &c, &d) && (a & 1)) {
            h->pmu_version = 2;
            h->pmu_counters = (int)(b & 0xf);
        }
    }
    __cpuid(1, a, b, c, d);
    if (c >> 31 & 1) {
        __cpuid(0x40000000u, a, b, c, d);
        memcpy(h->hypervisor, &b, 4);
        memcpy(h->hypervisor + 4, &c, 4);
        memcpy(h->hypervisor + 8, &d, 4);
        h->hypervisor[12] = 0;
        for (char *p = h->hypervisor; *p; p++)
            if (!isprint((unsigned char)*p)) *p = '?';
        if (!h->hypervisor[0]) snprintf(h->hypervisor, sizeof h->hypervisor, "unnamed");
    }
}
#endif

void rg_host_here(rg_host *h)
{
    *h = (rg_host){.root = "", .pmu_version = -1, .superuser = geteuid() == 0, .sample_ms = 250};
#if defined(__x86_64__)
    ask_cpuid(h);
#endif
    h->hw_errno = try_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
    h->sw_errno = try_event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK);
}

int rg_host_paranoid(const rg_host *h)
{
    long long v;
    return rg_host_number(h, "/proc/sys/kernel/perf_event_paranoid", &v) ? (int)v : RG_PARANOID_UNKNOWN;
}

const char *rg_host_core_pmu(const rg_host *h)
{
    static const char *const pmu[] = {"cpu", "cpu_core", "armv8_pmuv3_0", "armv8_pmuv3"};
    static const char dir[] = "/sys/bus/event_source/devices";
    char path[96];
    for (size_t i = 0; i < sizeof pmu / sizeof *pmu; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, pmu[i]);
        if (rg_host_exists(h, path)) return pmu[i];
    }
    return rg_host_entries(h, dir, "armv8_", false, NULL, 0) > 0 ? "armv8" : NULL;
}

bool rg_host_capable(const rg_host *h, int cap)
{
    char hex[64];
    if (!rg_host_field(h, "/proc/self/status", "CapEff", hex, sizeof hex)) return false;
    return strtoull(hex, NULL, 16) >> cap & 1;
}

bool rg_host_perfmon(const rg_host *h)
{
    enum { SYS_ADMIN = 21, PERFMON = 38 };
    return rg_host_capable(h, PERFMON) || rg_host_capable(h, SYS_ADMIN);
}

int rg_host_seccomp(const rg_host *h)
{
    char v[16];
    return rg_host_field(h, "/proc/self/status", "Seccomp:", v, sizeof v) ? atoi(v) : -1;
}

const char *rg_host_container(const rg_host *h)
{
    static const struct {
        const char *word, *name;
    } hints[] = {{"kubepods", "Kubernetes"}, {"docker", "Docker"}, {"libpod", "Podman"}, {"lxc", "LXC"},
        {"containerd", "containerd"}};
    char line[512];
    if (rg_host_exists(h, "/.dockerenv")) return "Docker";
    if (rg_host_exists(h, "/run/.containerenv")) return "Podman";
    const char *found = NULL;
    FILE *f = open_below(h, "/proc/self/cgroup");
    while (f && !found && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof hints / sizeof *hints && !found; i++)
            if (strstr(line, hints[i].word)) found = hints[i].name;
    if (f) fclose(f);
    if (!found && rg_host_line(h, "/run/systemd/container", line, sizeof line)) found = "a systemd container";
    return found;
}

enum { MAX_DIR = 700 };

/* The process's folder in a v1 controller's hierarchy, or in v2 (controller NULL); *base: length of the
 * hierarchy's own path. */
static bool cgroup_dir(const rg_host *h, const char *controller, char *dir, size_t n, size_t *base)
{
    char line[512];
    bool found = false;
    FILE *f = open_below(h, "/proc/self/cgroup");
    while (f && !found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *names++ = *path++ = 0;
        if (!controller) {
            if (strcmp(line, "0") != 0 || *names) continue;
            *base = (size_t)snprintf(dir, n, "/sys/fs/cgroup");
        } else {
            bool listed = false;
            char copy[256], *save = NULL;
            snprintf(copy, sizeof copy, "%s", names);
            for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
                listed |= strcmp(w, controller) == 0;
            if (!listed) continue;
            /* "cpu,cpuacct" is the mount, with links for each */
            *base = (size_t)snprintf(dir, n, "/sys/fs/cgroup/%s", names);
            if (!rg_host_exists(h, dir)) *base = (size_t)snprintf(dir, n, "/sys/fs/cgroup/%s", controller);
        }
        snprintf(dir + *base, n - *base, "%s", strcmp(path, "/") == 0 ? "" : path);
        found = true;
    }
    if (f) fclose(f);
    return found;
}

static const char *in(char *buf, const char *dir, const char *file)
{
    snprintf(buf, MAX_DIR + 64, "%s/%s", dir, file);
    return buf;
}

/* The limit in a folder: processors or bytes. */
static bool limit_in(const rg_host *h, const char *dir, bool v2, bool cpu, double *limit)
{
    char path[MAX_DIR + 64], line[64];
    long long v, period;
    double quota, each;
    if (cpu && v2) {
        if (!rg_host_line(h, in(path, dir, "cpu.max"), line, sizeof line) ||
            sscanf(line, "%lf %lf", &quota, &each) != 2 || !(each > 0))
            return false;
        *limit = quota / each;
    } else if (cpu) {
        if (!rg_host_number(h, in(path, dir, "cpu.cfs_quota_us"), &v) || v <= 0 ||
            !rg_host_number(h, in(path, dir, "cpu.cfs_period_us"), &period) || period <= 0)
            return false;
        *limit = (double)v / (double)period;
    } else { /* no limit: v2 says "max", v1 a huge number */
        if (!rg_host_number(h, in(path, dir, v2 ? "memory.max" : "memory.limit_in_bytes"), &v) ||
            v >= 1LL << 60)
            return false;
        *limit = (double)v;
    }
    return true;
}

/* The smallest limit on the way up. In a container the path may be the host's and not exist: then the mount's
 * root counts. controller: of v1; NULL: v2. */
static bool smallest(const rg_host *h, const char *controller, bool cpu, double *limit)
{
    char dir[MAX_DIR];
    size_t base;
    bool any = false;
    if (!cgroup_dir(h, controller, dir, sizeof dir, &base)) return false;
    for (;;) {
        double v;
        if (limit_in(h, dir, !controller, cpu, &v) && (!any || v < *limit)) {
            *limit = v;
            any = true;
        }
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= base || !slash) break;
        *slash = 0;
    }
    return any;
}

/* Of v2 and v1; *in_v2: the first has one. */
static bool tightest(const rg_host *h, const char *controller, bool cpu, double *limit, bool *in_v2)
{
    double v2 = 0, v1 = 0;
    const bool a = smallest(h, NULL, cpu, &v2), b = smallest(h, controller, cpu, &v1);
    *limit = a && (!b || v2 < v1) ? v2 : v1;
    *in_v2 = a;
    return a || b;
}

static bool was_throttled(const rg_host *h, const char *controller)
{
    char dir[MAX_DIR], path[MAX_DIR + 64], v[32];
    size_t base;
    if (!cgroup_dir(h, controller, dir, sizeof dir, &base)) return false;
    if (!rg_host_exists(h, in(path, dir, "cpu.stat"))) dir[base] = 0;
    return rg_host_field(h, in(path, dir, "cpu.stat"), "nr_throttled", v, sizeof v) && atoll(v) > 0;
}

bool rg_host_cgroup_cpus(const rg_host *h, double *cpus, bool *throttled)
{
    bool v2;
    const bool any = tightest(h, "cpu", true, cpus, &v2);
    *throttled = was_throttled(h, v2 ? NULL : "cpu");
    return any;
}

bool rg_host_cgroup_memory(const rg_host *h, double *bytes)
{
    bool v2;
    return tightest(h, "memory", false, bytes, &v2);
}

const char *rg_host_explain_pmu(const rg_host *h, int error, char *why, size_t n)
{
    const int level = rg_host_paranoid(h);
    const char *box = rg_host_container(h);
    const bool may = h->superuser || rg_host_perfmon(h);
    const bool forbidden = error == EPERM || error == EACCES, busy = error == EBUSY || error == EAGAIN,
               full = error == EMFILE || error == ENFILE;
    /* permission comes first: its refusal tells nothing of the PMU */
    if (!rg_host_core_pmu(h) && h->hw_errno != 0 && !forbidden && !busy && !full) {
        if (h->hypervisor[0]) {
            snprintf(why, n, "this virtual machine (%s) has no PMU: none in /sys/bus/event_source/devices%s",
                h->hypervisor, h->intel && h->pmu_version == 0 ? ", CPUID leaf 0xA is 0" : "");
            return "give the guest a PMU (on its host: qemu -cpu host,pmu=on), or run on bare metal";
        }
        snprintf(why, n, "the kernel drives no PMU: none in /sys/bus/event_source/devices");
        return "dmesg | grep -i 'performance events'   (says why; a newer kernel, or the firmware's PMU "
               "switch)";
    }
    if (error == EPERM && (rg_host_seccomp(h) == 2 || box)) {
        snprintf(why, n, "perf_event_open is forbidden (EPERM)%s%s: a seccomp filter is in force",
            box ? " in " : "", box ? box : "");
        return "run the container with --cap-add PERFMON --security-opt seccomp=unconfined";
    }
    if (forbidden || (level > 2 && !may)) {
        snprintf(why, n, "the kernel refuses them (%s; kernel.perf_event_paranoid is %d)",
            error == EPERM ? "EPERM" : "EACCES", level);
        return level > 2 ? "sudo sysctl kernel.perf_event_paranoid=2"
                         : "sudo sysctl kernel.perf_event_paranoid=1";
    }
    if (busy) {
        long long dog = 0;
        const bool on = rg_host_number(h, "/proc/sys/kernel/nmi_watchdog", &dog) && dog == 1;
        snprintf(why, n, "the counters are taken (EBUSY)%s",
            on ? ": the NMI watchdog holds one" : " by another profiler");
        return on ? "sudo sysctl kernel.nmi_watchdog=0"
                  : "end the other user of the counters: sudo lsof | grep perf_event";
    }
    if (full) {
        snprintf(why, n, "no file descriptors left (%s): every event of every thread takes one",
            error == EMFILE ? "EMFILE" : "ENFILE");
        return error == EMFILE ? "ulimit -n 4096" : "sudo sysctl fs.file-max=1000000";
    }
    if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV || error == EINVAL) {
        snprintf(why, n, "the kernel cannot count them on this CPU (%s)",
            error == ENOENT       ? "ENOENT"
                : error == EINVAL ? "EINVAL"
                                  : "not supported");
        return "a kernel that knows this CPU; perf list hardware shows what it can count";
    }
    snprintf(why, n, "no event of the table could be added, started and read");
    return "a newer libpapi, or PAPI_CSV_EVENT_FILE=papi_events.csv of a newer one";
}
