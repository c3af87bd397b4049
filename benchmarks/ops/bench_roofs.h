/* The two roofs that kernels are held against, measured in the same run as the kernels. Serial: call from every thread of a team. */
#ifndef RG_BENCH_ROOFS_H
#define RG_BENCH_ROOFS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* Runs `steps` steps of independent fused multiply-adds at a level; returns the floating-point operations done. At level C it uses
 * the scalar unit of the baseline as the compiler sees it (separate multiply and add). */
double bench_fma(rg_isa isa, int64_t steps);

/* Reads bytes (a multiple of 1024) from two streams with software prefetch, as the kernels do; nothing is computed. */
void bench_read(const void *p, size_t bytes);

#endif
