/* Counters as the engine sees them: from roofline/, from a mock in tests, or absent (NULL). */
#ifndef RG_PROBE_H
#define RG_PROBE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rg_probe {
    void *self;
    int n_ctr;     /* counters, at most RG_MAX_CTR */
    bool by_layer; /* read where layers end, not where operators end */
    /* By every thread, in a parallel region, before the first read: event sets belong to threads. 0: fine. */
    int (*thread_open)(void *self, int tid);
    /* Before a recorded call, by every thread: the counters (bits) that its reads will hold, the same for all
     * threads. NULL: all. */
    uint32_t (*begin)(void *self, int tid);
    /* Values of thread tid's counters, monotonic during a call; by that thread. */
    void (*read)(void *self, int tid, uint64_t *ctr);
    void (*thread_close)(void *self, int tid);
} rg_probe;

#endif
