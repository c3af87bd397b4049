/* Peaks of the x86 extensions that come on top of a register width. Each function names its own target,
 * because no two of the extensions always come together; where the compiler does not know one (RG_CC_x is
 * unset), its peak does not exist.
 *
 * All is inline assembly: intrinsics without a visible result would be dropped, and gcc's intrinsics of the
 * tile instructions declare neither all the memory they read nor the registers they change. */
#include <immintrin.h>
#include <string.h>

#include "base/tile_emu.h"
#include "roofline/measure/roof_loops.h"

/* One step of 16 chains (at least latency * ports) in 512-bit registers. acc += a * b with a = 0 keeps every
 * number finite. */
#define ZMM(i, op) __asm__ volatile(op " %1, %2, %0" : "+v"(v[i]) : "v"(a), "v"(b))
#define ZMM_LOOP(op) \
    __m512i v[16]; \
    const __m512i a = _mm512_setzero_si512(), b = _mm512_set1_epi16(0x3c00); \
    for (int i = 0; i < 16; i++) v[i] = a; \
    for (int64_t s = 0; s < steps; s++) { \
        ZMM(0, op); \
        ZMM(1, op); \
        ZMM(2, op); \
        ZMM(3, op); \
        ZMM(4, op); \
        ZMM(5, op); \
        ZMM(6, op); \
        ZMM(7, op); \
        ZMM(8, op); \
        ZMM(9, op); \
        ZMM(10, op); \
        ZMM(11, op); \
        ZMM(12, op); \
        ZMM(13, op); \
        ZMM(14, op); \
        ZMM(15, op); \
    }

#ifdef RG_CC_AVX512VNNI
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static double int8_zmm(int64_t steps)
{
    ZMM_LOOP("vpdpbusd")
    return (double)steps * 16 * 64 * 2; /* 64 products and their additions */
}
rg_arith_fn *const rg_peak_avx512_int8 = int8_zmm;
#else
rg_arith_fn *const rg_peak_avx512_int8 = NULL;
#endif

#ifdef RG_CC_AVX512BF16
__attribute__((target("avx512f,avx512bw,avx512bf16"))) static double bf16_zmm(int64_t steps)
{
    ZMM_LOOP("vdpbf16ps")
    return (double)steps * 16 * 32 * 2;
}
rg_arith_fn *const rg_peak_avx512_bf16 = bf16_zmm;
#else
rg_arith_fn *const rg_peak_avx512_bf16 = NULL;
#endif

#ifdef RG_CC_AVX512FP16
__attribute__((target("avx512f,avx512bw,avx512fp16"))) static double fp16_zmm(int64_t steps)
{
    ZMM_LOOP("vfmadd231ph")
    return (double)steps * 16 * 32 * 2;
}
rg_arith_fn *const rg_peak_avx512_fp16 = fp16_zmm;
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
#define YMM(i) __asm__ volatile("%{vex%} vpdpbusd %1, %2, %0" : "+x"(v[i]) : "x"(a), "x"(b))
    for (int64_t s = 0; s < steps; s++) {
        RG_X4(YMM, 0);
        RG_X4(YMM, 4);
        RG_X4(YMM, 8);
    }
    return (double)steps * N * 32 * 2;
}
rg_arith_fn *const rg_peak_avx2_int8 = int8_ymm;
#else
rg_arith_fn *const rg_peak_avx2_int8 = NULL;
#endif

#ifdef RG_CC_AMX
/* Palette 1, eight tiles of 16 rows of 64 bytes. Four accumulators from two times two operand tiles. One asm
 * block per step and one to set up: no compiler code touches tiles in between, and tiles are released before
 * the function returns, so they are never part of a context switch outside of it. */
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
