/* What the system did to this process, as evidence of noise. Counters since boot or start. */
#ifndef RG_OSLOAD_H
#define RG_OSLOAD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rg_osload {
    uint64_t minor_faults, major_faults; /* pages first touched; read from a disk */
    uint64_t voluntary, involuntary;     /* context switches: a thread waited; was pushed aside */
    uint64_t steal_ticks, all_ticks;     /* of all processors: the hypervisor's; all; 0: unknown */
    uint64_t busy_ticks, own_ns;         /* of all processors: not idle; this process's time on them */
} rg_osload;

/* Two system calls and one small file: about 50 us, so per phase, never per operator. */
void rg_osload_read(rg_osload *l);
/* sum += now - before. */
void rg_osload_add(rg_osload *sum, const rg_osload *before, const rg_osload *now);
/* Part of the processors' time that the hypervisor took; NAN if unknown or too short to tell. */
double rg_osload_steal(const rg_osload *sum);

/* Processors that other programs kept busy, on average; NAN if unknown or too short to tell. cpus: online. */
double rg_osload_others(const rg_osload *sum, int cpus);

/* Nanoseconds of a fixed chain of dependent multiplications (about 40 us): the inverse of the clock
 * frequency up to a factor of the CPU. The least of three tries: interrupts do not count. */
double rg_chain_ns(void);

#endif
