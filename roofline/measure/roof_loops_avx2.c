/* Loops that reach the bandwidth and the arithmetic peaks of AVX2. */
#include "roofline/measure/roof_loops.h"

#if !defined(__AVX2__) || !defined(__FMA__)
#error "roof_loops_avx2.c needs -mavx2 -mfma: see tools/cmake/rg_isa.cmake"
#endif

#include <immintrin.h>

/* Inline assembly: a compiler drops loads that nobody uses, and the "bandwidth" exceeds the machine's. */
#define READ(i, p) \
    __asm__ volatile("vpxor (%1), %0, %0\n\tvpxor 32(%1), %0, %0" : "+x"(s[i]) : "r"(p) : "memory")

static uint64_t read_avx2(const void *p, size_t bytes, rg_read_way way)
{
    __m256i s[4] = {
        _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    RG_READ_BODY(p, bytes, way, READ);
    uint64_t out[4];
    _mm256_storeu_si256(
        (__m256i *)(void *)out, _mm256_xor_si256(_mm256_xor_si256(s[0], s[1]), _mm256_xor_si256(s[2], s[3])));
    return out[0] ^ out[1] ^ out[2] ^ out[3];
}

#define STORE(op, p, v) __asm__ volatile(op " %1, (%0)" : : "r"(p), "x"(v) : "memory")
#define EACH_HALF_LINE(op, at, value) \
    for (size_t i = 0; i < bytes; i += 32) { \
        const __m256i v = value; \
        STORE(op, (char *)(at) + i, v); \
    }

static void write_avx2(void *p, size_t bytes, rg_store_way way)
{
    const __m256i x = _mm256_set1_epi8(0x5a);
    if (way == RG_STORE_STREAM)
        EACH_HALF_LINE("vmovntdq", p, x)
    else
        EACH_HALF_LINE("vmovdqa", p, x)
    _mm_sfence();
}

#define LOAD(p) _mm256_load_si256((const __m256i *)(const void *)(p))

static void copy_avx2(void *to, const void *from, size_t bytes, rg_store_way way)
{
    const char *f = from;
    if (way == RG_STORE_STREAM)
        EACH_HALF_LINE("vmovntdq", to, LOAD(f + i))
    else
        EACH_HALF_LINE("vmovdqa", to, LOAD(f + i))
    _mm_sfence();
}

static void triad_avx2(void *a, const void *b, const void *c, size_t bytes, rg_store_way way)
{
    const char *pb = b, *pc = c;
    const __m256 half = _mm256_set1_ps(0.5f);
#define TRIAD \
    _mm256_castps_si256( \
        _mm256_fmadd_ps(_mm256_castsi256_ps(LOAD(pc + i)), half, _mm256_castsi256_ps(LOAD(pb + i))))
    if (way == RG_STORE_STREAM)
        EACH_HALF_LINE("vmovntdq", a, TRIAD)
    else
        EACH_HALF_LINE("vmovdqa", a, TRIAD)
    _mm_sfence();
}

const rg_roof_loops rg_roof_loops_avx2 = {read_avx2, write_avx2, copy_avx2, triad_avx2};

/* v = a * b + v with a * b = 2^-20: accumulators stay small. */
#define FMA(i, a) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+x"(v[i]) : "x"(a), "x"(b))

static double fp32(int64_t steps)
{
    enum { N = 12 }; /* chains: at least latency * ports, and 12 + 2 of 16 registers */
    __m256 v[N];
    const __m256 a = _mm256_set1_ps(0x1p-10f), b = _mm256_set1_ps(0x1p-10f);
    for (int i = 0; i < N; i++) v[i] = _mm256_setzero_ps();
    for (int64_t s = 0; s < steps; s++) RG_X12(FMA, a);
    return (double)steps * N * 8 * 2;
}
rg_arith_fn *const rg_peak_avx2_fp32 = fp32;
