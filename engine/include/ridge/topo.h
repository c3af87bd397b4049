/* Which processors the team runs on: one per physical core that this process may use (hwloc). */
#ifndef RG_TOPO_H
#define RG_TOPO_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rg_topo {
    int cores;        /* physical cores this process may use; at least 1 */
    int cpu[256];     /* first processor of each, by number; valid up to min(cores, 256) */
    int n_cpus;       /* entries of cpu */
    int64_t l2_bytes; /* private cache of one core; 0 if unknown */
} rg_topo;

/* Never fails: without topology information it is one core and no pinning (n_cpus 0). */
void rg_topo_read(rg_topo *t);

/* Threads to use for `want` (0: one per core) and, in *cpus, the processor of each: t->cpu (borrowed), or
 * NULL when they are not to be pinned or are more than the cores, which the system balances better. */
int rg_topo_place(const rg_topo *t, int want, bool pin, const int **cpus);

#endif
