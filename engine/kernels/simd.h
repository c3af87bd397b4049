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

INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
INLINE vf vf_set1(float f) { return _mm512_set1_ps(f); }
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }              /* b if either is NaN */
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE vf vf_half(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vf vf_int8(const void *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

INLINE __mmask16 first(int64_t n) { return (__mmask16)(0xffffu >> (16 - n)); } /* n in 0..16 */
INLINE vf vf_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
INLINE void vf_store_n(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
/* v below lane n, else other */
INLINE vf vf_keep(vf v, int64_t n, vf other) { return _mm512_mask_mov_ps(other, first(n), v); }
INLINE vf vf_if_less(vf x, vf y, vf yes, vf no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), yes);
}

/* BF16 pairs to their even and odd columns. */
INLINE vf vf_even(vi v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); }
INLINE vf vf_odd(vi v) { return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(-65536))); }

/* Byte t of each dword, signed. */
INLINE vf vf_byte(vi v, int t)
{
    switch (t) {
    case 0:
        v = _mm512_slli_epi32(v, 24);
        break;
    case 1:
        v = _mm512_slli_epi32(v, 16);
        break;
    case 2:
        v = _mm512_slli_epi32(v, 8);
        break;
    default:
        break;
    }
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(v, 24));
}

/* Nibble j of each dword, as a number: u (has_min) or u - 8. A permute looks at the low 4 bits of its index
 * only, so that shift and permute do everything: no mask, no conversion. */
typedef struct nibbles {
    vf table;
} nibbles;
INLINE nibbles nibbles_init(int has_min, int one_token)
{
    (void)one_token;
    const vf u = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (nibbles){has_min ? u : _mm512_sub_ps(u, _mm512_set1_ps(8.0f))};
}
INLINE vi nibbles_load(nibbles t, const void *p)
{
    (void)t;
    return vi_load(p);
}
INLINE vf nibbles_get(nibbles t, vi v, int j)
{
    switch (j) {
    case 1:
        v = _mm512_srli_epi32(v, 4);
        break;
    case 2:
        v = _mm512_srli_epi32(v, 8);
        break;
    case 3:
        v = _mm512_srli_epi32(v, 12);
        break;
    case 4:
        v = _mm512_srli_epi32(v, 16);
        break;
    case 5:
        v = _mm512_srli_epi32(v, 20);
        break;
    case 6:
        v = _mm512_srli_epi32(v, 24);
        break;
    case 7:
        v = _mm512_srli_epi32(v, 28);
        break;
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

/* Sum of squares of n floats in double. */
INLINE double sum_squares(const float *x, int64_t n)
{
    __m512d a = _mm512_setzero_pd(), b = a;
    for (int64_t i = 0; i < n; i += VL) {
        const vf v = n - i >= VL ? vf_load(x + i) : vf_load_n(x + i, n - i);
        const __m512d lo = _mm512_cvtps_pd(_mm512_castps512_ps256(v)),
                      hi = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
        a = _mm512_fmadd_pd(lo, lo, a);
        b = _mm512_fmadd_pd(hi, hi, b);
    }
    return _mm512_reduce_add_pd(_mm512_add_pd(a, b));
}

#elif defined(__AVX2__)

enum { VL = 8 };
typedef __m256 vf;
typedef __m256i vi;

INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
INLINE vf vf_set1(float f) { return _mm256_set1_ps(f); }
INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }              /* b if either is NaN */
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE vf vf_half(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
INLINE vf vf_int8(const void *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

/* n in 0..8 */
INLINE vi first(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vf_load_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, first(n)); }
INLINE void vf_store_n(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, first(n), v); }
/* v below lane n, else other */
INLINE vf vf_keep(vf v, int64_t n, vf other)
{
    return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(first(n)));
}
INLINE vf vf_if_less(vf x, vf y, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, y, _CMP_LT_OQ));
}

/* BF16 pairs to their even and odd columns. */
INLINE vf vf_even(vi v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); }
INLINE vf vf_odd(vi v) { return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536))); }

/* Byte t of each dword, signed. */
INLINE vf vf_byte(vi v, int t)
{
    switch (t) {
    case 0:
        v = _mm256_slli_epi32(v, 24);
        break;
    case 1:
        v = _mm256_slli_epi32(v, 16);
        break;
    case 2:
        v = _mm256_slli_epi32(v, 8);
        break;
    default:
        break;
    }
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(v, 24));
}

/* Nibble j of each dword, as a number: u (has_min) or u - 8; exact in two ways. many tokens: shifts to the
 * top and back (which extends the sign of u ^ 8 = u - 8; the flip is made once per line), and a conversion;
 * one token: masked and put into the fraction of 2^23 (low nibble of a byte) or 2^19 (high nibble) it makes
 * that power plus u, from which a subtraction leaves the number. That takes more operations and registers,
 * but fewer of those that shift and convert. */
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
        case 1:
            v = _mm256_srli_epi32(v, 8);
            break;
        case 2:
            v = _mm256_srli_epi32(v, 16);
            break;
        case 3:
            v = _mm256_srli_epi32(v, 24);
            break;
        default:
            break;
        }
        v = _mm256_and_si256(v, _mm256_set1_epi32(j & 1 ? 0xf0 : 0x0f));
        v = _mm256_or_si256(v, _mm256_set1_epi32(j & 1 ? 0x49000000 : 0x4b000000));
        return vf_sub(_mm256_castsi256_ps(v), t.base[j & 1]);
    }
    switch (j) {
    case 0:
        v = _mm256_slli_epi32(v, 28);
        break;
    case 1:
        v = _mm256_slli_epi32(v, 24);
        break;
    case 2:
        v = _mm256_slli_epi32(v, 20);
        break;
    case 3:
        v = _mm256_slli_epi32(v, 16);
        break;
    case 4:
        v = _mm256_slli_epi32(v, 12);
        break;
    case 5:
        v = _mm256_slli_epi32(v, 8);
        break;
    case 6:
        v = _mm256_slli_epi32(v, 4);
        break;
    default:
        break;
    }
    return _mm256_cvtepi32_ps(t.has_min ? _mm256_srli_epi32(v, 28) : _mm256_srai_epi32(v, 28));
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
    const vi e = _mm256_cvtps_epi32(n), e1 = _mm256_srai_epi32(e, 1), e2 = _mm256_sub_epi32(e, e1),
             bias = _mm256_set1_epi32(127);
    v = vf_mul(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e1, bias), 23)));
    return vf_mul(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e2, bias), 23)));
}

/* Sum of squares of n floats in double. */
INLINE double sum_squares(const float *x, int64_t n)
{
    __m256d a = _mm256_setzero_pd(), b = a;
    for (int64_t i = 0; i < n; i += VL) {
        const vf v = n - i >= VL ? vf_load(x + i) : vf_load_n(x + i, n - i);
        const __m256d lo = _mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                      hi = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
        a = _mm256_fmadd_pd(lo, lo, a);
        b = _mm256_fmadd_pd(hi, hi, b);
    }
    double lane[4];
    _mm256_storeu_pd(lane, _mm256_add_pd(a, b));
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

#else
#error "simd.h needs -mavx2 -mfma -mf16c or the AVX-512 flags: see tools/cmake/rg_isa.cmake"
#endif

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
