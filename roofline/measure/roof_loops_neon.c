/* Peaks of 64-bit ARM: 16 chains of one instruction in 128-bit registers. Extensions are switched on per
 * function, which compilers spell differently, and used where the CPU has them (rg_arith_has). */
#include "roofline/measure/roof_loops.h"

#if !defined(__aarch64__)
#error "roof_loops_neon.c is for 64-bit ARM"
#endif

typedef float v4f __attribute__((vector_size(16)));

#ifdef __clang__
#define WITH(clang_name, gcc_name) __attribute__((target(clang_name)))
#else
#define WITH(clang_name, gcc_name) __attribute__((target("arch=armv8.2-a+" gcc_name)))
#endif

#define CHAIN(i, op) __asm__ volatile(op : "+w"(v[i]) : "w"(a), "w"(b))
/* acc += a * b with a = 0 stays finite in every type. ops: products and additions of an instruction. */
#define PEAK(with, name, op, shape, from, ops) \
    with static double name(int64_t steps) \
    { \
        v4f v[16]; \
        const v4f a = {0.0f, 0.0f, 0.0f, 0.0f}, b = {1.0f, 1.0f, 1.0f, 1.0f}; \
        for (int i = 0; i < 16; i++) v[i] = a; \
        for (int64_t s = 0; s < steps; s++) RG_X16(CHAIN, op " %0." shape ", %1." from ", %2." from); \
        return (double)steps * 16 * (ops); \
    } \
    rg_arith_fn *const rg_peak_neon_##name = name;

PEAK(, fp32, "fmla", "4s", "4s", 4 * 2)
PEAK(WITH("fullfp16", "fp16"), fp16, "fmla", "8h", "8h", 8 * 2)
PEAK(WITH("bf16", "bf16"), bf16, "bfdot", "4s", "8h", 8 * 2)
PEAK(WITH("dotprod", "dotprod"), int8, "sdot", "4s", "16b", 16 * 2)
