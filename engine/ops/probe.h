/* The counter interface: implemented in roofline/, by a mock in tests, or absent (NULL). Measuring and
 * modelling never include each other; the engine knows only this table. */
#ifndef RG_PROBE_H
#define RG_PROBE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rg_probe {
    void *self;
    int n_ctr;     /* counters, at most RG_MAX_CTR */
    bool by_layer; /* read where layers end, not where operators end */
    /* Called by every thread of the team, in a parallel region, before the first read: event sets belong to
     * threads. 0 = fine. */
    int (*thread_open)(void *self, int tid);
    /* Before a recorded call, by every thread: which counters (bits) the reads of this call will hold, the
     * same for all threads. NULL: always all. */
    uint32_t (*begin)(void *self, int tid);
    /* Current values of thread tid's counters, monotonic during a call; called by that thread only. */
    void (*read)(void *self, int tid, uint64_t *ctr);
    void (*thread_close)(void *self, int tid);
} rg_probe;

#endif
