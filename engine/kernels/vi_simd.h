/* More of integers in the lanes of a vector of floats (simd.h), and their storage as bytes and words. Only
 * static inline functions. */
#ifndef RG_VI_SIMD_H
#define RG_VI_SIMD_H

#include "kernels/simd.h"

INLINE vi vi_round(vf v) { return MM(cvtps_epi32)(v); }
INLINE vi vi_sub(vi a, vi b) { return MM(sub_epi32)(a, b); }

#if defined(__AVX512F__)
INLINE int32_t vi_sum(vi v) { return _mm512_reduce_add_epi32(v); }
INLINE vi vi_if_nan(vf f, vi yes, vi no)
{
    return _mm512_mask_mov_epi32(no, _mm512_cmp_ps_mask(f, f, _CMP_UNORD_Q), yes);
}
INLINE void put8(int8_t *p, vi v) { _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(v)); }
INLINE void put16(uint16_t *p, vi v) { _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(v)); }
#else
INLINE __m128i low_half(vi v) { return _mm256_castsi256_si128(v); }
INLINE __m128i high_half(vi v) { return _mm256_extracti128_si256(v, 1); }
INLINE int32_t vi_sum(vi v)
{
    __m128i a = _mm_add_epi32(low_half(v), high_half(v));
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a, 0xb1)));
}
INLINE vi vi_if_nan(vf f, vi yes, vi no)
{
    return _mm256_blendv_epi8(no, yes, vi_bits(_mm256_cmp_ps(f, f, _CMP_UNORD_Q)));
}
INLINE void put8(int8_t *p, vi v)
{
    const __m128i words = _mm_packs_epi32(low_half(v), high_half(v));
    _mm_storel_epi64((void *)p, _mm_packs_epi16(words, words));
}
INLINE void put16(uint16_t *p, vi v)
{
    _mm_storeu_si128((void *)p, _mm_packus_epi32(low_half(v), high_half(v)));
}
#endif

#endif
