/* One vocabulary for two register widths, so that each kernel body (*_simd.h) is written once and compiled by
 * a file per instruction set with its own flags. vf: VL floats; vi: VL dwords. Only static inline
 * functions. */
#ifndef RG_SIMD_H
#define RG_SIMD_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
/* A loop over a constant count that must disappear, so that arrays indexed by it become registers. */
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++)

#if defined(__AVX512F__)
enum { VL = 16 };
typedef __m512 vf;
typedef __m512i vi;
#define MM(op) _mm512_##op
#define MM_SI(op) _mm512_##op##_si512
INLINE vf vf_bits(vi v) { return _mm512_castsi512_ps(v); }
#elif defined(__AVX2__)
enum { VL = 8 };
typedef __m256 vf;
typedef __m256i vi;
#define MM(op) _mm256_##op
#define MM_SI(op) _mm256_##op##_si256
INLINE vf vf_bits(vi v) { return _mm256_castsi256_ps(v); }
#else
#error "simd.h needs -mavx2 -mfma -mf16c or the AVX-512 flags: see tools/cmake/rg_isa.cmake"
#endif

INLINE vf vf_zero(void) { return MM(setzero_ps)(); }
INLINE vf vf_set1(float f) { return MM(set1_ps)(f); }
INLINE vf vf_load(const void *p) { return MM(loadu_ps)(p); }
INLINE void vf_store(float *p, vf v) { MM(storeu_ps)(p, v); }
INLINE vf vf_add(vf a, vf b) { return MM(add_ps)(a, b); }
INLINE vf vf_sub(vf a, vf b) { return MM(sub_ps)(a, b); }
INLINE vf vf_mul(vf a, vf b) { return MM(mul_ps)(a, b); }
INLINE vf vf_div(vf a, vf b) { return MM(div_ps)(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return MM(fmadd_ps)(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return MM(fnmadd_ps)(a, b, c); } /* c - a b */
INLINE vf vf_max(vf a, vf b) { return MM(max_ps)(a, b); }              /* b if either is NaN */
INLINE vf vf_min(vf a, vf b) { return MM(min_ps)(a, b); }

INLINE vi vi_load(const void *p) { return MM_SI(loadu)(p); }
INLINE void vi_store(void *p, vi v) { MM_SI(storeu)(p, v); }
INLINE vi vi_int(int v) { return MM(set1_epi32)(v); }
INLINE vi vi_add(vi a, vi b) { return MM(add_epi32)(a, b); }
INLINE vi vi_and(vi a, vi b) { return MM_SI(and)(a, b); }
INLINE vi vi_or(vi a, vi b) { return MM_SI(or)(a, b); }
INLINE vi vi_shr(vi a, int n) { return MM(srli_epi32)(a, (uint8_t)n); }
INLINE vi vi_shl(vi a, int n) { return MM(slli_epi32)(a, (uint8_t)n); }
INLINE vi vi_sar(vi a, int n) { return MM(srai_epi32)(a, (uint8_t)n); }
INLINE vf vf_int(vi v) { return MM(cvtepi32_ps)(v); }
INLINE vi vi_bits(vf v) { return MM_SI(castps)(v); }

/* BF16 pairs to their even and odd columns. */
INLINE vf vf_even(vi v) { return vf_bits(vi_shl(v, 16)); }
INLINE vf vf_odd(vi v) { return vf_bits(vi_and(v, vi_int(-65536))); }

#define SHIFT_CASE(j, shift, n) \
    case j: \
        v = shift(v, n); \
        break;

/* Byte t of each dword, signed. Switches, here and below: computed counts change what gcc 12 unrolls. */
INLINE vf vf_byte(vi v, int t)
{
    switch (t) {
        SHIFT_CASE(0, vi_shl, 24)
        SHIFT_CASE(1, vi_shl, 16)
        SHIFT_CASE(2, vi_shl, 8)
    default:
        break;
    }
    return vf_int(vi_sar(v, 24));
}

#if defined(__AVX512F__)

INLINE vf vf_half(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE vf vf_int8(const void *p) { return vf_int(_mm512_cvtepi8_epi32(_mm_loadu_si128(p))); }

INLINE __mmask16 first(int64_t n) { return (__mmask16)(0xffffu >> (16 - n)); } /* n in 0..16 */
INLINE vf vf_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
INLINE void vf_store_n(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
/* v below lane n, else other */
INLINE vf vf_keep(vf v, int64_t n, vf other) { return _mm512_mask_mov_ps(other, first(n), v); }
INLINE vf vf_if_less(vf x, vf y, vf yes, vf no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), yes);
}

/* Nibble j of each dword, as a number: u (has_min) or u - 8. A permute reads the low 4 bits of its index, so
 * that it needs no mask and no conversion. */
typedef struct nibbles {
    vf table;
} nibbles;
INLINE nibbles nibbles_init(int has_min, int one_token)
{
    (void)one_token;
    const vf u = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (nibbles){has_min ? u : vf_sub(u, vf_set1(8.0f))};
}
INLINE vi nibbles_load(nibbles t, const void *p)
{
    (void)t;
    return vi_load(p);
}
INLINE vf nibbles_get(nibbles t, vi v, int j)
{
    switch (j) {
        SHIFT_CASE(1, vi_shr, 4)
        SHIFT_CASE(2, vi_shr, 8)
        SHIFT_CASE(3, vi_shr, 12)
        SHIFT_CASE(4, vi_shr, 16)
        SHIFT_CASE(5, vi_shr, 20)
        SHIFT_CASE(6, vi_shr, 24)
        SHIFT_CASE(7, vi_shr, 28)
    default:
        break;
    }
    return _mm512_permutexvar_ps(v, t.table);
}

/* Sum and maximum of the lanes, in a fixed order. */
INLINE float vf_sum(vf v) { return _mm512_reduce_add_ps(v); }
INLINE float vf_max_lane(vf v) { return _mm512_reduce_max_ps(v); }

INLINE vf vf_round(vf v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vf_scale2(vf v, vf n) { return _mm512_scalef_ps(v, n); } /* v * 2^n, subnormal results included */

typedef __m512d vd;
INLINE __m256 vf_low(vf v) { return _mm512_castps512_ps256(v); }
INLINE __m256 vf_high(vf v) { return _mm512_extractf32x8_ps(v, 1); }
INLINE double vd_sum(vd v) { return _mm512_reduce_add_pd(v); }

#else

INLINE vf vf_half(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
INLINE vf vf_int8(const void *p) { return vf_int(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p))); }

/* n in 0..8 */
INLINE vi first(int64_t n)
{
    return _mm256_cmpgt_epi32(vi_int((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vf_load_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, first(n)); }
INLINE void vf_store_n(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, first(n), v); }
/* v below lane n, else other */
INLINE vf vf_keep(vf v, int64_t n, vf other) { return _mm256_blendv_ps(other, v, vf_bits(first(n))); }
INLINE vf vf_if_less(vf x, vf y, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, y, _CMP_LT_OQ));
}

/* Nibble j of each dword, as a number: u (has_min) or u - 8; exact in two ways. Many tokens: shifts to the
 * top and back (which extends the sign of u ^ 8 = u - 8; the flip is made once per line), and a conversion.
 * One token: put into the fraction of 2^23 (low nibble of a byte) or 2^19 (high nibble) it makes that power
 * plus u, from which a subtraction leaves the number: more operations and registers, but fewer of those that
 * shift and convert. */
typedef struct nibbles {
    vi flip;
    vf base[2];
    int has_min, one_token;
} nibbles;
INLINE nibbles nibbles_init(int has_min, int one_token)
{
    const float zero = has_min ? 0.0f : 8.0f;
    return (nibbles){_mm256_set1_epi8(has_min ? 0 : (char)0x88),
        {vf_set1(8388608.0f + zero), vf_set1(524288.0f + zero)}, has_min, one_token};
}
INLINE vi nibbles_load(nibbles t, const void *p)
{
    return t.has_min || t.one_token ? vi_load(p) : _mm256_xor_si256(vi_load(p), t.flip);
}
INLINE vf nibbles_get(nibbles t, vi v, int j)
{
    if (t.one_token) {
        switch (j / 2) {
            SHIFT_CASE(1, vi_shr, 8)
            SHIFT_CASE(2, vi_shr, 16)
            SHIFT_CASE(3, vi_shr, 24)
        default:
            break;
        }
        v = vi_and(v, vi_int(j & 1 ? 0xf0 : 0x0f));
        v = vi_or(v, vi_int(j & 1 ? 0x49000000 : 0x4b000000));
        return vf_sub(vf_bits(v), t.base[j & 1]);
    }
    switch (j) {
        SHIFT_CASE(0, vi_shl, 28)
        SHIFT_CASE(1, vi_shl, 24)
        SHIFT_CASE(2, vi_shl, 20)
        SHIFT_CASE(3, vi_shl, 16)
        SHIFT_CASE(4, vi_shl, 12)
        SHIFT_CASE(5, vi_shl, 8)
        SHIFT_CASE(6, vi_shl, 4)
    default:
        break;
    }
    return vf_int(t.has_min ? vi_shr(v, 28) : vi_sar(v, 28));
}

/* Sum and maximum of the lanes, in a fixed order. */
INLINE float vf_sum(vf v)
{
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
INLINE float vf_max_lane(vf v)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

INLINE vf vf_round(vf v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* v * 2^n for |n| <= 252, in two steps, so that subnormal and infinite results come out. */
INLINE vf vf_scale2(vf v, vf n)
{
    const vi e = _mm256_cvtps_epi32(n), e1 = vi_sar(e, 1), e2 = _mm256_sub_epi32(e, e1), bias = vi_int(127);
    v = vf_mul(v, vf_bits(vi_shl(vi_add(e1, bias), 23)));
    return vf_mul(v, vf_bits(vi_shl(vi_add(e2, bias), 23)));
}

typedef __m256d vd;
INLINE __m128 vf_low(vf v) { return _mm256_castps256_ps128(v); }
INLINE __m128 vf_high(vf v) { return _mm256_extractf128_ps(v, 1); }
INLINE double vd_sum(vd v)
{
    double lane[4];
    _mm256_storeu_pd(lane, v);
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}
#endif

/* Sum of squares of n floats in double. */
INLINE double sum_squares(const float *x, int64_t n)
{
    vd a = MM(setzero_pd)(), b = a;
    for (int64_t i = 0; i < n; i += VL) {
        const vf v = n - i >= VL ? vf_load(x + i) : vf_load_n(x + i, n - i);
        const vd lo = MM(cvtps_pd)(vf_low(v)), hi = MM(cvtps_pd)(vf_high(v));
        a = MM(fmadd_pd)(lo, lo, a);
        b = MM(fmadd_pd)(hi, hi, b);
    }
    return vd_sum(MM(add_pd)(a, b));
}

/* For a switch over the tokens of a tile. */
#define CASES_5 CASE(1) CASE(2) CASE(3) CASE(4) CASE(5)
#define CASES_6 CASES_5 CASE(6)
#define CASES_12 CASES_6 CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)

/* Up to VL floats of which `left` are there: none may be touched beyond. */
INLINE vf vf_load_left(const float *p, int64_t left)
{
    return left >= VL ? vf_load(p) : left > 0 ? vf_load_n(p, left) : vf_zero();
}
INLINE void vf_store_left(float *p, vf v, int64_t left)
{
    if (left >= VL)
        vf_store(p, v);
    else if (left > 0)
        vf_store_n(p, v, left);
}
/* p = or += v. */
INLINE void vf_add_left(float *p, vf v, int64_t left, int acc)
{
    vf_store_left(p, acc ? vf_add(vf_load_left(p, left), v) : v, left);
}

/* exp(x), about 1 ulp for results that are normal; 0 below -104, infinite above 88.73, NaN stays NaN. x = n
 * ln2 + r, |r| <= ln2 / 2, and a polynomial of degree 7 in r; ln2 is subtracted in two parts of which the
 * first times n is exact. */
INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set1(89.0f), x);
    x = vf_max(vf_set1(-104.5f), x);
    const vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
    vf r = vf_fnma(n, vf_set1(0.693145752f), x);
    r = vf_fnma(n, vf_set1(1.42860677e-6f), r);
    vf p = vf_set1(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set1(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
    p = vf_fma(p, vf_mul(r, r), r);
    return vf_scale2(vf_add(p, vf_set1(1.0f)), n);
}

#endif
