/* Which processors the team runs on: one per physical core that this process may use (hwloc). */
#ifndef RG_TOPO_H
#define RG_TOPO_H

#include <stdint.h>

typedef struct rg_topo {
    int cores;        /* physical cores this process may use; at least 1 */
    int cpu[256];     /* first processor of each, by number; valid up to min(cores, 256) */
    int n_cpus;       /* entries of cpu */
    int64_t l2_bytes; /* private cache of one core; 0 if unknown */
} rg_topo;

/* Never fails: without topology information it is one core and no pinning (n_cpus 0). */
void rg_topo_read(rg_topo *t);

#endif
