/* The kernel's software events without PAPI: for builds without it, and for CPUs that PAPI does not know,
 * where it turns its whole perf component off. */
#ifndef RG_SOFT_EVENTS_H
#define RG_SOFT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { RG_SOFT_EVENTS = 4 };
typedef struct rg_soft_event {
    const char *label, *papi;
    uint64_t config;
    bool kernel; /* happens in kernel mode: needs permission to see it */
} rg_soft_event;
extern const rg_soft_event rg_soft_events[RG_SOFT_EVENTS]; /* the rows of events.def */

/* A group of the calling thread's events, running together. */
typedef struct rg_soft {
    int n, fd[RG_SOFT_EVENTS]; /* owns */
} rg_soft;

/* Events which[0..n) of the table. False: the kernel refused one (errno); nothing is open. */
bool rg_soft_open(rg_soft *s, const int *which, int n);
/* One system call; false, and v[n] unchanged, if the kernel refuses. */
bool rg_soft_read(const rg_soft *s, uint64_t *v);
void rg_soft_close(rg_soft *s);

#endif
