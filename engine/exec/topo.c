/* Reads the topology with hwloc, within what the process may use of it. */
#include "ridge/topo.h"

#include <hwloc.h>
#include <unistd.h>

#include "base/sysinfo.h"
#include "exec/team.h"

/* The first processor of a core that the mask allows; -1: none. */
static int first_allowed(hwloc_const_bitmap_t core, const cpu_set_t *mask)
{
    int cpu = hwloc_bitmap_first(core);
    while (cpu >= 0 && !(cpu < CPU_SETSIZE && CPU_ISSET(cpu, mask))) cpu = hwloc_bitmap_next(core, cpu);
    return cpu;
}

static void read_cores(rg_topo *t, hwloc_topology_t top, const cpu_set_t *mask)
{
    const int n = hwloc_get_nbobjs_by_type(top, HWLOC_OBJ_CORE);
    int cores = 0;
    for (int i = 0; i < n; i++) {
        const hwloc_obj_t core = hwloc_get_obj_by_type(top, HWLOC_OBJ_CORE, (unsigned)i);
        const int cpu = core ? first_allowed(core->cpuset, mask) : -1;
        if (cpu < 0) continue;
        cores++;
        if (t->n_cpus < 256) t->cpu[t->n_cpus++] = cpu;
    }
    t->cores = cores > 0 ? cores : t->processors;
    const hwloc_obj_t l2 = hwloc_get_obj_by_type(top, HWLOC_OBJ_L2CACHE, 0);
    if (l2) t->l2_bytes = (int64_t)l2->attr->cache.size;
}

void rg_topo_read(rg_topo *t)
{
    hwloc_topology_t top;
    cpu_set_t mask;
    rg_team_home(&mask);
    const int allowed = CPU_COUNT(&mask);
    const double quota = rg_cpu_quota();
    *t = (rg_topo){
        .cores = 1, .processors = allowed > 0 ? allowed : 1, .limit = "its affinity, of taskset or the like"};
    if (hwloc_topology_init(&top) == 0) {
        if (hwloc_topology_load(top) == 0) { /* disallowed processors are left out by default */
            read_cores(t, top, &mask);
            if (hwloc_get_nbobjs_by_type(top, HWLOC_OBJ_PU) <= allowed)
                t->limit = sysconf(_SC_NPROCESSORS_ONLN) > allowed ? "its cpuset, of a container or the like"
                                                                   : "all there are";
        }
        hwloc_topology_destroy(top);
    }
    if (quota > 0.0 && quota < t->processors) {
        t->processors = (int)(quota + 0.999); /* a part of one is one to be on */
        t->limit = "the cgroup's CPU quota";
    }
    if (quota > 0.0 && quota < t->cores) t->cores = quota < 1.0 ? 1 : (int)quota;
}

int rg_topo_place(const rg_topo *t, int want, bool pin, const int **cpus)
{
    const int threads = want > 0 ? want : t->cores;
    *cpus = pin && threads <= t->n_cpus ? t->cpu : NULL;
    return threads;
}
