#include "benchmarks/ops/bench_roofs.h"

/* The loops are inline assembly: a compiler that sees that nothing is used drops the loads, and the "bandwidth" exceeds the machine's. */

#if defined(__x86_64__)

#include <immintrin.h>

#define FMA8(v, a, b) \
    __asm__ volatile("vfmadd231ps %8, %9, %0\n\tvfmadd231ps %8, %9, %1\n\tvfmadd231ps %8, %9, %2\n\tvfmadd231ps %8, %9, %3\n\t" \
                     "vfmadd231ps %8, %9, %4\n\tvfmadd231ps %8, %9, %5\n\tvfmadd231ps %8, %9, %6\n\tvfmadd231ps %8, %9, %7" \
                     : "+v"((v)[0]), "+v"((v)[1]), "+v"((v)[2]), "+v"((v)[3]), "+v"((v)[4]), "+v"((v)[5]), "+v"((v)[6]), "+v"((v)[7]) \
                     : "v"(a), "v"(b))

__attribute__((target("avx512f"))) static double fma_avx512(int64_t steps)
{
    __m512 v[24], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
    for (int i = 0; i < 24; i++) v[i] = _mm512_setzero_ps();
    for (int64_t s = 0; s < steps; s++) {
        FMA8(v, a, b);
        FMA8(v + 8, a, b);
        FMA8(v + 16, a, b);
    }
    return (double)steps * 24 * 32;
}

__attribute__((target("avx2,fma"))) static double fma_avx2(int64_t steps)
{
    __m256 v[8], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
    for (int i = 0; i < 8; i++) v[i] = _mm256_setzero_ps();
    for (int64_t s = 0; s < steps; s++) {
        FMA8(v, a, b);
        FMA8(v, a, b);
        FMA8(v, a, b);
    }
    return (double)steps * 24 * 16;
}

static double mul_add_sse(int64_t steps)
{
    __m128 m = _mm_set1_ps(0.5f), p[4], s[4];
    for (int i = 0; i < 4; i++) p[i] = s[i] = m;
    for (int64_t i = 0; i < steps; i++)
        __asm__ volatile("mulps %8, %0\n\taddps %8, %4\n\tmulps %8, %1\n\taddps %8, %5\n\tmulps %8, %2\n\taddps %8, %6\n\tmulps %8, %3\n\taddps %8, %7"
                         : "+x"(p[0]), "+x"(p[1]), "+x"(p[2]), "+x"(p[3]), "+x"(s[0]), "+x"(s[1]), "+x"(s[2]), "+x"(s[3])
                         : "x"(m));
    return (double)steps * 8 * 4;
}

double bench_fma(rg_isa isa, int64_t steps)
{
    switch (rg_isa_fp32(isa)) {
    case RG_ISA_AVX512:
        return fma_avx512(steps);
    case RG_ISA_AVX2:
        return fma_avx2(steps);
    default:
        return mul_add_sse(steps);
    }
}

void bench_read(const void *p, size_t bytes)
{
    const char *a = p, *b = a + bytes / 2;
    for (size_t i = 0; i < bytes / 2; i += 128)
        __asm__ volatile("prefetcht0 1024(%0)\n\tprefetcht0 1088(%0)\n\tprefetcht0 1024(%1)\n\tprefetcht0 1088(%1)\n\t"
                         "movaps (%0), %%xmm0\n\tmovaps 64(%0), %%xmm1\n\tmovaps (%1), %%xmm2\n\tmovaps 64(%1), %%xmm3\n\t"
                         "movaps 32(%0), %%xmm0\n\tmovaps 96(%0), %%xmm1\n\tmovaps 32(%1), %%xmm2\n\tmovaps 96(%1), %%xmm3"
                         :
                         : "r"(a + i), "r"(b + i)
                         : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

#else

double bench_fma(rg_isa isa, int64_t steps)
{
    volatile float sink;
    float v[8] = {0};
    (void)isa;
    for (int64_t s = 0; s < steps; s++)
        for (int i = 0; i < 8; i++) v[i] = v[i] * 0.5f + 0.25f;
    for (int i = 0; i < 8; i++) sink = v[i];
    (void)sink;
    return (double)steps * 16;
}

void bench_read(const void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64) (void)*((const volatile uint64_t *)p + i / 8);
}

#endif
