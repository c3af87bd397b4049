/* Which processors the team runs on: one per physical core that this process may use (hwloc). */
#ifndef RG_TOPO_H
#define RG_TOPO_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rg_topo {
    /* physical cores this process may use, and may keep busy under its cgroup's CPU quota; at least 1 */
    int cores;
    int processors;    /* that it may use, a quota rounded up; at least 1 (0: made up by a test, unknown) */
    const char *limit; /* why not more; static */
    int cpu[256];      /* first processor of each core, by number */
    int n_cpus;        /* entries of cpu */
    int64_t l2_bytes;  /* private cache of one core; 0 if unknown */
} rg_topo;

/* Never fails: without topology information it is one core and no pinning (n_cpus 0). */
void rg_topo_read(rg_topo *t);

/* Threads to use for `want` (0: one per core) and, in *cpus, the processor of each: t->cpu (borrowed), or
 * NULL when they are not to be pinned or are more than the cores, which the system balances better. */
int rg_topo_place(const rg_topo *t, int want, bool pin, const int **cpus);

#endif
