/* Loops that reach the bandwidth and the arithmetic peaks of AVX-512. */
#include "roofline/measure/roof_loops.h"

#if !defined(__AVX512F__)
#error "roof_loops_avx512.c needs -mavx512f: see tools/cmake/rg_isa.cmake"
#endif

#include <immintrin.h>

/* Inline assembly: a compiler drops loads that nobody uses, and the "bandwidth" exceeds the machine's. */
#define READ(i, p) __asm__ volatile("vpxorq (%1), %0, %0" : "+v"(s[i]) : "r"(p) : "memory")

static uint64_t read_avx512(const void *p, size_t bytes, rg_read_way way)
{
    __m512i s[4] = {
        _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    RG_READ_BODY(p, bytes, way, READ);
    uint64_t out[8], x = 0;
    _mm512_storeu_si512(out, _mm512_xor_si512(_mm512_xor_si512(s[0], s[1]), _mm512_xor_si512(s[2], s[3])));
    for (int i = 0; i < 8; i++) x ^= out[i];
    return x;
}

#define STORE(op, p, v) __asm__ volatile(op " %1, (%0)" : : "r"(p), "v"(v) : "memory")
#define EACH_LINE(op, at, value) \
    for (size_t i = 0; i < bytes; i += 64) { \
        const __m512i v = value; \
        STORE(op, (char *)(at) + i, v); \
    }

static void write_avx512(void *p, size_t bytes, rg_store_way way)
{
    const __m512i x = _mm512_set1_epi8(0x5a);
    if (way == RG_STORE_STREAM)
        EACH_LINE("vmovntdq", p, x)
    else
        EACH_LINE("vmovdqa64", p, x)
    _mm_sfence();
}

static void copy_avx512(void *to, const void *from, size_t bytes, rg_store_way way)
{
    const char *f = from;
    if (way == RG_STORE_STREAM)
        EACH_LINE("vmovntdq", to, _mm512_load_si512(f + i))
    else
        EACH_LINE("vmovdqa64", to, _mm512_load_si512(f + i))
    _mm_sfence();
}

static void triad_avx512(void *a, const void *b, const void *c, size_t bytes, rg_store_way way)
{
    const char *pb = b, *pc = c;
    const __m512 half = _mm512_set1_ps(0.5f);
#define TRIAD _mm512_castps_si512(_mm512_fmadd_ps(_mm512_load_ps(pc + i), half, _mm512_load_ps(pb + i)))
    if (way == RG_STORE_STREAM)
        EACH_LINE("vmovntdq", a, TRIAD)
    else
        EACH_LINE("vmovdqa64", a, TRIAD)
    _mm_sfence();
}

const rg_roof_loops rg_roof_loops_avx512 = {read_avx512, write_avx512, copy_avx512, triad_avx512};

/* v = a * b + v with a * b = 2^-20: accumulators stay small. */
#define FMA(i, a) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(v[i]) : "v"(a), "v"(b))

static double fp32(int64_t steps)
{
    enum { N = 16 }; /* chains: at least latency * ports */
    __m512 v[N];
    const __m512 a = _mm512_set1_ps(0x1p-10f), b = _mm512_set1_ps(0x1p-10f);
    for (int i = 0; i < N; i++) v[i] = _mm512_setzero_ps();
    for (int64_t s = 0; s < steps; s++) RG_X16(FMA, a);
    return (double)steps * N * 16 * 2;
}
rg_arith_fn *const rg_peak_avx512_fp32 = fp32;
