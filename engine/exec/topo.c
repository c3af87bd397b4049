/* Reads the topology with hwloc, and pins a thread. */
#include "ridge/topo.h"

#include <hwloc.h>

void rg_topo_read(rg_topo *t)
{
    hwloc_topology_t top;
    *t = (rg_topo){.cores = 1};
    if (hwloc_topology_init(&top) != 0) return;
    if (hwloc_topology_load(top) == 0) { /* disallowed processors are left out by default */
        const int n = hwloc_get_nbobjs_by_type(top, HWLOC_OBJ_CORE);
        for (int i = 0; i < n && t->n_cpus < 256; i++) {
            const hwloc_obj_t core = hwloc_get_obj_by_type(top, HWLOC_OBJ_CORE, (unsigned)i);
            const int cpu = core ? hwloc_bitmap_first(core->cpuset) : -1;
            if (cpu >= 0) t->cpu[t->n_cpus++] = cpu;
        }
        const int pus = hwloc_get_nbobjs_by_type(top, HWLOC_OBJ_PU);
        t->cores = n > 0 ? n : pus > 0 ? pus : 1;
        const hwloc_obj_t l2 = hwloc_get_obj_by_type(top, HWLOC_OBJ_L2CACHE, 0);
        if (l2) t->l2_bytes = (int64_t)l2->attr->cache.size;
    }
    hwloc_topology_destroy(top);
}

int rg_topo_place(const rg_topo *t, int want, bool pin, const int **cpus)
{
    const int threads = want > 0 ? want : t->cores;
    *cpus = pin && threads <= t->n_cpus ? t->cpu : NULL;
    return threads;
}
