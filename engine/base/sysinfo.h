/* Clock, memory, and the stop flag. */
#ifndef RG_SYSINFO_H
#define RG_SYSINFO_H

#include <signal.h>
#include <stdint.h>
#include <time.h>

/* Monotonic nanoseconds through the vDSO (about 16 ns). */
static inline uint64_t rg_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Bytes free without swapping: the smallest of MemAvailable, what is left under the cgroup's limit, and what
 * is left under `ulimit -v` and `ulimit -d`; 0: unknown. *source (may be NULL) names it; static. */
uint64_t rg_mem_available(const char **source);
/* The last of these alone: address space left, UINT64_MAX without a limit. */
uint64_t rg_mem_under_ulimit(const char **source);
/* The cgroup's memory limit, the tightest on the way up; 0: none, or unknown. */
uint64_t rg_mem_limit(void);

/* Processors that the cgroup's CPU quota is worth, the tightest on the way up; 0: none, or unknown. */
double rg_cpu_quota(void);

/* Progress of a long step, in [0, 1]; what is static. NULL is legal. By one thread at a time. */
typedef void rg_progress_fn(void *user, const char *what, double fraction);

/* Set to ask for a stop; checked between operators and in long loops. */
typedef volatile sig_atomic_t rg_stop_flag;

#endif
