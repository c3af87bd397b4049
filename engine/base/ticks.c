/* The rate of the time-stamp counter against the monotonic clock. */
#include "base/ticks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool rg_ticks_are_stamps;

void rg_ticks_open(void)
{
#if defined(__x86_64__)
    enum { INVARIANT = 1 << 8 };
    unsigned a, b, c, d = 0;
    rg_ticks_are_stamps = __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & INVARIANT);
#endif
}

rg_tick_base rg_tick_now(const rg_tick_base *first)
{
    rg_tick_base b = {.ns = rg_now_ns(), .ticks = rg_ticks(), .scale = 1.0};
    const rg_tick_base start = first ? *first : b;
    while (!first && rg_ticks_are_stamps && b.ns < start.ns + 200000)
        b = (rg_tick_base){.ns = rg_now_ns(), .ticks = rg_ticks()};
    if (rg_ticks_are_stamps && b.ticks > start.ticks)
        b.scale = (double)(b.ns - start.ns) / (double)(b.ticks - start.ticks);
    return b;
}
