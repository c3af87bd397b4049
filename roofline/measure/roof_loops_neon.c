/* Peaks of 64-bit ARM: 16 chains of one instruction of the 128-bit registers. The extensions are switched on
 * per function, which compilers spell differently, and used only where the CPU has them (rg_arith_has). */
#include "roofline/measure/roof_loops.h"

#if !defined(__aarch64__)
#error "roof_loops_neon.c is for 64-bit ARM"
#endif

typedef float v4f __attribute__((vector_size(16)));

#define CHAIN(i, op, shape, from) \
    __asm__ volatile(op " %0." shape ", %1." from ", %2." from : "+w"(v[i]) : "w"(a), "w"(b))
/* acc += a * b with a = 0: every number stays finite, whatever its type. */
#define LOOP(op, shape, from, ops) \
    v4f v[16]; \
    const v4f a = {0.0f, 0.0f, 0.0f, 0.0f}, b = {1.0f, 1.0f, 1.0f, 1.0f}; \
    for (int i = 0; i < 16; i++) v[i] = a; \
    for (int64_t s = 0; s < steps; s++) { \
        CHAIN(0, op, shape, from); \
        CHAIN(1, op, shape, from); \
        CHAIN(2, op, shape, from); \
        CHAIN(3, op, shape, from); \
        CHAIN(4, op, shape, from); \
        CHAIN(5, op, shape, from); \
        CHAIN(6, op, shape, from); \
        CHAIN(7, op, shape, from); \
        CHAIN(8, op, shape, from); \
        CHAIN(9, op, shape, from); \
        CHAIN(10, op, shape, from); \
        CHAIN(11, op, shape, from); \
        CHAIN(12, op, shape, from); \
        CHAIN(13, op, shape, from); \
        CHAIN(14, op, shape, from); \
        CHAIN(15, op, shape, from); \
    } \
    return (double)steps * 16 * (ops);

#ifdef __clang__
#define WITH(clang_name, gcc_name) __attribute__((target(clang_name)))
#else
#define WITH(clang_name, gcc_name) __attribute__((target("arch=armv8.2-a+" gcc_name)))
#endif

static double fp32(int64_t steps){LOOP("fmla", "4s", "4s", 4 * 2)} WITH(
    "fullfp16", "fp16") static double fp16(int64_t steps){LOOP("fmla", "8h", "8h", 8 * 2)} WITH("bf16",
    "bf16") static double bf16(int64_t steps){LOOP("bfdot", "4s", "8h", 8 * 2)} WITH("dotprod",
    "dotprod") static double int8(int64_t steps){LOOP("sdot", "4s", "16b", 16 * 2)}

rg_arith_fn *const rg_peak_neon_fp32 = fp32;
rg_arith_fn *const rg_peak_neon_fp16 = fp16;
rg_arith_fn *const rg_peak_neon_bf16 = bf16;
rg_arith_fn *const rg_peak_neon_int8 = int8;
