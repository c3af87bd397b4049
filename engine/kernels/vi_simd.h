/* Integers in the lanes of a vector of floats (simd.h), and their storage as bytes and words. Only static
 * inline functions. */
#ifndef RG_VI_SIMD_H
#define RG_VI_SIMD_H

#include "kernels/simd.h"

#if defined(__AVX512F__)
INLINE vi vi_int(int v) { return _mm512_set1_epi32(v); }
INLINE vi vi_round(vf v) { return _mm512_cvtps_epi32(v); }
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
INLINE vi vi_shr(vi a, int n) { return _mm512_srli_epi32(a, (unsigned)n); }
INLINE vi vi_shl(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
INLINE vi vi_sar8(vi a) { return _mm512_srai_epi32(a, 8); }
INLINE int32_t vi_sum(vi v) { return _mm512_reduce_add_epi32(v); }
INLINE vi vi_bits(vf v) { return _mm512_castps_si512(v); }
INLINE vf vf_bits(vi v) { return _mm512_castsi512_ps(v); }
INLINE vi vi_if_nan(vf f, vi yes, vi no)
{
    return _mm512_mask_mov_epi32(no, _mm512_cmp_ps_mask(f, f, _CMP_UNORD_Q), yes);
}
INLINE void put8(int8_t *p, vi v) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(v)); }
INLINE void put16(uint16_t *p, vi v) { _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(v)); }
INLINE void put32(void *p, vi v) { _mm512_storeu_si512(p, v); }
#else
INLINE vi vi_int(int v) { return _mm256_set1_epi32(v); }
INLINE vi vi_round(vf v) { return _mm256_cvtps_epi32(v); }
INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
INLINE vi vi_shr(vi a, int n) { return _mm256_srli_epi32(a, n); }
INLINE vi vi_shl(vi a, int n) { return _mm256_slli_epi32(a, n); }
INLINE vi vi_sar8(vi a) { return _mm256_srai_epi32(a, 8); }
INLINE int32_t vi_sum(vi v)
{
    __m128i a = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a, 0xb1)));
}
INLINE vi vi_bits(vf v) { return _mm256_castps_si256(v); }
INLINE vf vf_bits(vi v) { return _mm256_castsi256_ps(v); }
INLINE vi vi_if_nan(vf f, vi yes, vi no)
{
    return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(_mm256_cmp_ps(f, f, _CMP_UNORD_Q)));
}
INLINE __m128i words(vi v)
{
    return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}
INLINE void put8(int8_t *p, vi v) { _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(words(v), words(v))); }
INLINE void put16(uint16_t *p, vi v)
{
    _mm_storeu_si128(
        (__m128i *)(void *)p, _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}
INLINE void put32(void *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
#endif

#endif
