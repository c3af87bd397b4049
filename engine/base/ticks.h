/* A clock for records, which read it twice per operator: the processor's time-stamp counter where it runs at
 * one rate in every state (about 8 ns a reading), else rg_now_ns. */
#ifndef RG_TICKS_H
#define RG_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sysinfo.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* True if rg_ticks counts time stamps; false: nanoseconds. */
extern bool rg_ticks_are_stamps;
/* Looks at the processor; call before the first rg_ticks of a process. */
void rg_ticks_open(void);

static inline uint64_t rg_ticks(void)
{
#if defined(__x86_64__)
    if (rg_ticks_are_stamps) return __rdtsc();
#endif
    return rg_now_ns();
}

/* Both clocks at one moment: what turns ticks into nanoseconds. */
typedef struct rg_tick_base {
    uint64_t ns, ticks;
    double scale; /* ns per tick since the first base */
} rg_tick_base;

/* Now, with the rate since `first` (NULL: this is the first; spins for 0.2 ms to know the rate). */
rg_tick_base rg_tick_now(const rg_tick_base *first);
static inline uint64_t rg_ticks_ns(const rg_tick_base *b, uint64_t ticks)
{
    return (uint64_t)((double)ticks * b->scale + 0.5);
}
/* The monotonic clock at an earlier reading. Moments keep their order; a time is the difference of two. */
static inline uint64_t rg_tick_at(const rg_tick_base *now, uint64_t ticks)
{
    return now->ns - rg_ticks_ns(now, now->ticks - ticks);
}

#endif
