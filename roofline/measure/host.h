/* What the kernel and the CPU say about measuring on this host: files below /proc and /sys, CPUID,
 * perf_event_open. Files are read below a root path, so that tests can show every check any host. */
#ifndef RG_HOST_H
#define RG_HOST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rg_host {
    const char *root; /* "" for this machine; borrowed */
    /* What no file tells: from rg_host_here, or made up by tests. */
    bool x86, intel, amd;
    /* Intel: of CPUID leaf 0xA. AMD: 2 with leaf 0x80000022, 1 with the core counter extension. 0 none, -1
     * unknown */
    int pmu_version;
    int pmu_counters;    /* general counters per thread; 0 unknown */
    char hypervisor[16]; /* its signature in CPUID, "" on bare metal */
    int hw_errno;        /* perf_event_open of this thread's cycles: 0 or errno */
    int sw_errno;        /* ... of its task clock */
    bool superuser;      /* effective user 0 */
    int sample_ms;       /* how long to watch stolen time; 0: only since boot */
} rg_host;

void rg_host_here(rg_host *h);

/* First line of a file, without its end; false: none, or empty. */
bool rg_host_line(const rg_host *h, const char *path, char *buf, size_t n);
bool rg_host_number(const rg_host *h, const char *path, long long *v);
bool rg_host_exists(const rg_host *h, const char *path);
/* The rest of the line that begins with `key`, blanks skipped. */
bool rg_host_field(const rg_host *h, const char *path, const char *key, char *buf, size_t n);
/* Number of a folder's entries that begin with prefix (then a digit, if numbered); the first by name into
 * first (may be NULL). */
int rg_host_entries(
    const rg_host *h, const char *dir, const char *prefix, bool numbered, char *first, size_t n);

/* Calls fn for every such entry, in no order. */
void rg_host_each(const rg_host *h, const char *dir, const char *prefix,
    void (*fn)(void *user, const char *name), void *user);

/* ---- facts that several need ---- */

enum { RG_PARANOID_UNKNOWN = -100 };
int rg_host_paranoid(const rg_host *h); /* kernel.perf_event_paranoid, or RG_PARANOID_UNKNOWN */
/* Core PMU's folder below event_source/devices; NULL: the kernel drives none; static. */
const char *rg_host_core_pmu(const rg_host *h);
/* The effective capability of that number (linux/capability.h). */
bool rg_host_capable(const rg_host *h, int cap);
bool rg_host_perfmon(const rg_host *h); /* CAP_PERFMON or CAP_SYS_ADMIN */
int rg_host_seccomp(const rg_host *h);  /* 0 off, 1 strict, 2 filter, -1 unknown */
/* Name of the container runtime by its traces, or NULL; static. */
const char *rg_host_container(const rg_host *h);
/* The tightest limits of our control groups and their parents, v2 and v1. False: none. */
bool rg_host_cgroup_cpus(const rg_host *h, double *cpus, bool *throttled);
bool rg_host_cgroup_memory(const rg_host *h, double *bytes);

/* Why hardware events cannot be counted, into why; returns the command or step that would change it, static.
 * One sentence each, no full stop. error: errno of the first event; 0: unknown. */
const char *rg_host_explain_pmu(const rg_host *h, int error, char *why, size_t n);

#endif
