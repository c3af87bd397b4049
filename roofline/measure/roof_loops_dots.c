/* Peaks of the x86 extensions on top of a register width. Each function names its target: no two extensions
 * always come together. Without RG_CC_x the compiler does not know extension x, and its peak does not exist.
 *
 * All is inline assembly. Intrinsics without a visible result are dropped; gcc's for tiles declare neither
 * all the memory they read nor the registers they change. */
#include <immintrin.h>
#include <string.h>

#include "base/tile_emu.h"
#include "roofline/measure/roof_loops.h"

/* A step is 16 chains (at least latency * ports) in 512-bit registers. acc += a * b with a = 0 stays finite.
 * ops: products and additions of an instruction. */
#define ZMM(i, op) __asm__ volatile(op " %1, %2, %0" : "+v"(v[i]) : "v"(a), "v"(b))
#define ZMM_PEAK(name, with, op, ops) \
    __attribute__((target("avx512f,avx512bw," with))) static double name##_zmm(int64_t steps) \
    { \
        __m512i v[16]; \
        const __m512i a = _mm512_setzero_si512(), b = _mm512_set1_epi16(0x3c00); \
        for (int i = 0; i < 16; i++) v[i] = a; \
        for (int64_t s = 0; s < steps; s++) RG_X16(ZMM, op); \
        return (double)steps * 16 * (ops); \
    } \
    rg_arith_fn *const rg_peak_avx512_##name = name##_zmm;

#ifdef RG_CC_AVX512VNNI
ZMM_PEAK(int8, "avx512vnni", "vpdpbusd", 64 * 2)
#else
rg_arith_fn *const rg_peak_avx512_int8 = NULL;
#endif

#ifdef RG_CC_AVX512BF16
ZMM_PEAK(bf16, "avx512bf16", "vdpbf16ps", 32 * 2)
#else
rg_arith_fn *const rg_peak_avx512_bf16 = NULL;
#endif

#ifdef RG_CC_AVX512FP16
ZMM_PEAK(fp16, "avx512fp16", "vfmadd231ph", 32 * 2)
#else
rg_arith_fn *const rg_peak_avx512_fp16 = NULL;
#endif

#ifdef RG_CC_AVXVNNI
__attribute__((target("avx2,avxvnni"))) static double int8_ymm(int64_t steps)
{
    enum { N = 12 }; /* 12 + 2 of 16 registers */
    __m256i v[N];
    const __m256i a = _mm256_setzero_si256(), b = _mm256_set1_epi8(1);
    for (int i = 0; i < N; i++) v[i] = a;
#define YMM(i, a) __asm__ volatile("%{vex%} vpdpbusd %1, %2, %0" : "+x"(v[i]) : "x"(a), "x"(b))
    for (int64_t s = 0; s < steps; s++) RG_X12(YMM, a);
    return (double)steps * N * 32 * 2;
}
rg_arith_fn *const rg_peak_avx2_int8 = int8_ymm;
#else
rg_arith_fn *const rg_peak_avx2_int8 = NULL;
#endif

#ifdef RG_CC_AMX
/* Palette 1: eight tiles of 16 rows of 64 bytes; four accumulators from two times two operands. One asm block
 * sets up, one is a step: no compiler code touches tiles in between. Tiles are released before the function
 * returns and never part of a context switch outside. */
#define TILE_LOOP(op) \
    rg_tile_config c; \
    memset(&c, 0, sizeof c); \
    c.palette = 1; \
    for (int i = 0; i < 8; i++) { \
        c.row_bytes[i] = 64; \
        c.rows[i] = 16; \
    } \
    __asm__ volatile("ldtilecfg %0\n\t" \
                     "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t" \
                     "tilezero %%tmm4\n\ttilezero %%tmm5\n\ttilezero %%tmm6\n\ttilezero %%tmm7" \
                     : \
                     : "m"(c) \
                     : "memory"); \
    for (int64_t s = 0; s < steps; s++) \
        __asm__ volatile(op " %%tmm6, %%tmm4, %%tmm0\n\t" op " %%tmm7, %%tmm4, %%tmm1\n\t" op \
                            " %%tmm6, %%tmm5, %%tmm2\n\t" op " %%tmm7, %%tmm5, %%tmm3" \
                         : \
                         : \
                         : "memory"); \
    __asm__ volatile("tilerelease" : : : "memory");

__attribute__((target("amx-tile,amx-bf16"))) static double bf16_tiles(int64_t steps)
{
    TILE_LOOP("tdpbf16ps")
    return (double)steps * 4 * (16 * 16 * 32 * 2); /* rows * columns * depth, multiply and add */
}
rg_arith_fn *const rg_peak_amx_bf16 = bf16_tiles;

__attribute__((target("amx-tile,amx-int8"))) static double int8_tiles(int64_t steps)
{
    TILE_LOOP("tdpbssd")
    return (double)steps * 4 * (16 * 16 * 64 * 2);
}
rg_arith_fn *const rg_peak_amx_int8 = int8_tiles;
#else
rg_arith_fn *const rg_peak_amx_bf16 = NULL;
rg_arith_fn *const rg_peak_amx_int8 = NULL;
#endif
