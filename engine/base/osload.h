/* What the system did to this process meanwhile: evidence of noise. Counters since boot or start; differences
 * are what counts. */
#ifndef RG_OSLOAD_H
#define RG_OSLOAD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rg_osload {
    uint64_t minor_faults, major_faults; /* of all threads: a page first touched; a page read from a disk */
    uint64_t voluntary, involuntary;     /* context switches of all threads: it waited; it was pushed aside */
    /* of all processors: taken by the hypervisor; all there were. all 0: unknown */
    uint64_t steal_ticks, all_ticks;
} rg_osload;

/* Two system calls and one small file: about 50 us, so per phase, never per operator. */
void rg_osload_read(rg_osload *l);
/* sum += now - before. */
void rg_osload_add(rg_osload *sum, const rg_osload *before, const rg_osload *now);
/* Part of the processors' time that the hypervisor took; NAN if unknown or too short to tell. */
double rg_osload_steal(const rg_osload *sum);

/* Nanoseconds that a fixed chain of dependent multiplications takes now on this thread (about 40 us): the
 * inverse of the clock frequency, up to a factor that depends on the CPU. The least of three tries, so that
 * an interrupt does not count. */
double rg_chain_ns(void);

#endif
