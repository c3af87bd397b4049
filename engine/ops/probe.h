/* The counter interface: implemented by roofline/papi.c, by a mock in tests, or absent (NULL). Measuring and modelling never include
 * each other; the engine knows only this table. */
#ifndef RG_PROBE_H
#define RG_PROBE_H

#include <stdint.h>

typedef struct rg_probe {
    void *self;
    int n_ctr; /* counters read, at most RG_MAX_CTR */
    /* Called by every thread of the team, in a parallel region, before the first read: event sets belong to threads. 0 = fine. */
    int (*thread_open)(void *self, int tid);
    /* Current values of thread tid's counters, monotonic; called by that thread only. */
    void (*read)(void *self, int tid, uint64_t *ctr);
    void (*thread_close)(void *self, int tid);
} rg_probe;

#endif
