#include "roofline/roof_loops.h"

#if !defined(__AVX512F__)
#error "roof_loops_avx512.c needs -mavx512f: see tools/cmake/rg_isa.cmake"
#endif

#include <immintrin.h>

/* Inline assembly: a compiler that sees that nothing is used drops loads, and the "bandwidth" exceeds the machine's. */
#define READ(i, p) __asm__ volatile("vpxorq (%1), %0, %0" : "+v"(s[i]) : "r"(p) : "memory")

static uint64_t read_avx512(const void *p, size_t bytes, rg_read_way way)
{
    __m512i s[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    RG_READ_BODY(p, bytes, way, READ);
    uint64_t out[8], x = 0;
    _mm512_storeu_si512(out, _mm512_xor_si512(_mm512_xor_si512(s[0], s[1]), _mm512_xor_si512(s[2], s[3])));
    for (int i = 0; i < 8; i++) x ^= out[i];
    return x;
}

/* v = a * b + v with a * b = 2^-20: accumulators stay small numbers for any count of steps. */
#define FMA(i) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(v[i]) : "v"(a), "v"(b))

static double fma_avx512(int64_t steps)
{
    enum { N = 16 }; /* chains: at least latency * ports */
    __m512 v[N];
    const __m512 a = _mm512_set1_ps(0x1p-10f), b = _mm512_set1_ps(0x1p-10f);
    for (int i = 0; i < N; i++) v[i] = _mm512_setzero_ps();
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
        FMA(12);
        FMA(13);
        FMA(14);
        FMA(15);
    }
    return (double)steps * N * 16 * 2;
}

const rg_roof_loops rg_roof_loops_avx512 = {read_avx512, fma_avx512};
