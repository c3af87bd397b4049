#include "roofline/roof_loops.h"

#if !defined(__AVX2__) || !defined(__FMA__)
#error "roof_loops_avx2.c needs -mavx2 -mfma: see tools/cmake/rg_isa.cmake"
#endif

#include <immintrin.h>

/* Inline assembly: a compiler that sees that nothing is used drops loads, and the "bandwidth" exceeds the machine's. */
#define READ(i, p) __asm__ volatile("vpxor (%1), %0, %0\n\tvpxor 32(%1), %0, %0" : "+x"(s[i]) : "r"(p) : "memory")

static uint64_t read_avx2(const void *p, size_t bytes, rg_read_way way)
{
    __m256i s[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    RG_READ_BODY(p, bytes, way, READ);
    uint64_t out[4];
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_xor_si256(_mm256_xor_si256(s[0], s[1]), _mm256_xor_si256(s[2], s[3])));
    return out[0] ^ out[1] ^ out[2] ^ out[3];
}

/* v = a * b + v with a * b = 2^-20: accumulators stay small numbers for any count of steps. */
#define FMA(i) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+x"(v[i]) : "x"(a), "x"(b))

static double fma_avx2(int64_t steps)
{
    enum { N = 12 }; /* chains: at least latency * ports, and 12 + 2 of 16 registers */
    __m256 v[N];
    const __m256 a = _mm256_set1_ps(0x1p-10f), b = _mm256_set1_ps(0x1p-10f);
    for (int i = 0; i < N; i++) v[i] = _mm256_setzero_ps();
    for (int64_t s = 0; s < steps; s++) {
        FMA(0);
        FMA(1);
        FMA(2);
        FMA(3);
        FMA(4);
        FMA(5);
        FMA(6);
        FMA(7);
        FMA(8);
        FMA(9);
        FMA(10);
        FMA(11);
    }
    return (double)steps * N * 8 * 2;
}

const rg_roof_loops rg_roof_loops_avx2 = {read_avx2, fma_avx2};
