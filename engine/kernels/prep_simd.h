/* Preparing activations (kernels.h), for one register width. The bits are those of the plain C kernels: the same operations per value, and
 * sums only of integers. */
#include "kernels/kernel_rows.h"

#include "base/num.h"
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
INLINE vi vi_if_nan(vf f, vi yes, vi no) { return _mm512_mask_mov_epi32(no, _mm512_cmp_ps_mask(f, f, _CMP_UNORD_Q), yes); }
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
INLINE vi vi_if_nan(vf f, vi yes, vi no) { return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(_mm256_cmp_ps(f, f, _CMP_UNORD_Q))); }
INLINE __m128i words(vi v) { return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)); }
INLINE void put8(int8_t *p, vi v) { _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(words(v), words(v))); }
INLINE void put16(uint16_t *p, vi v) { _mm_storeu_si128((__m128i *)(void *)p, _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1))); }
INLINE void put32(void *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
#endif

INLINE void prepare(void *dst, const float *x, int64_t k, int64_t group, int planes, float limit)
{
    const int64_t kp = rg_x_padded(k, group);
    int8_t *q = dst;
    rg_xgroup *g = (rg_xgroup *)(void *)((char *)dst + planes * kp);
    for (int64_t c = 0; c < kp; c += group, g++) {
        vf most = vf_zero(), bad = vf_zero();
        for (int64_t i = 0; i < group; i += VL) {
            const vf v = vf_load_left(x + c + i, k - c - i);
            most = vf_max(most, vf_bits(vi_and(vi_bits(v), vi_int(0x7fffffff))));
            bad = vf_fma(v, vf_zero(), bad); /* NaN if x is not finite */
        }
        const float top = vf_max_lane(most), nan = vf_sum(bad);
        const bool zero = !(top >= 1e-30f) || isnan(nan);
        const float inv = zero ? 0.0f : limit / top;
        vi sum = vi_int(0);
        for (int64_t i = 0; i < group; i += VL) {
            const vi v = zero ? vi_int(0) : vi_round(vf_mul(vf_load_left(x + c + i, k - c - i), vf_set1(inv)));
            sum = vi_add(sum, v);
            if (planes == 1) {
                put8(q + c + i, v);
            } else {
                const vi high = vi_sar8(vi_add(v, vi_int(128)));
                put8(q + c + i, high);
                put8(q + kp + c + i, vi_sub(v, vi_shl(high, 8)));
            }
        }
        *g = (rg_xgroup){(zero ? 0.0f : top / limit) + nan, vi_sum(sum)};
    }
}

void ISA_FN(rg_prep_i8)(void *dst, const float *x, int64_t k, int64_t group) { prepare(dst, x, k, group, 1, 127.0f); }
void ISA_FN(rg_prep_i16)(void *dst, const float *x, int64_t k, int64_t group) { prepare(dst, x, k, group, 2, 32512.0f); }

/* bf16 in the low half of each dword, to nearest even; a NaN keeps its sign and top bits and becomes quiet, as in rg_f32_to_bf16. */
INLINE vi bf16_of(vf f)
{
    const vi b = vi_bits(f), up = vi_add(b, vi_add(vi_int(0x7fff), vi_and(vi_shr(b, 16), vi_int(1))));
    return vi_shr(vi_if_nan(f, vi_or(b, vi_int(0x400000)), up), 16);
}

void ISA_FN(rg_prep_bf16)(void *dst, const float *x, int64_t k, int64_t group)
{
    (void)group;
    uint16_t *to = dst;
    for (int64_t i = 0; i < rg_x_padded(k, 32); i += VL) put16(to + i, bf16_of(vf_load_left(x + i, k - i)));
}

void ISA_FN(rg_prep_bf16x2)(void *dst, const float *x, int64_t k, int64_t group)
{
    (void)group;
    const int64_t kp = rg_x_padded(k, 32);
    uint16_t *to = dst;
    for (int64_t i = 0; i < kp; i += VL) {
        const vf v = vf_load_left(x + i, k - i);
        const vi high = bf16_of(v);
        put16(to + i, high);
        put16(to + kp + i, bf16_of(vf_sub(v, vf_bits(vi_shl(high, 16)))));
    }
}

/* To nearest, ties away from zero, in the high half. */
INLINE vi bf16_nearest(vf f) { return vi_add(vi_bits(f), vi_int(0x8000)); }

INLINE vf put_exp(uint16_t *p, int64_t low, vf s, vf top, int64_t left)
{
    const vf all = vf_exp(vf_sub(s, top)), e = left < VL ? vf_keep(all, left, vf_zero()) : all;
    const vi high = bf16_nearest(e);
    put16(p, vi_shr(high, 16));
    if (low) put16(p + low, vi_shr(bf16_nearest(vf_sub(e, vf_bits(vi_and(high, vi_int(-65536))))), 16));
    return e;
}

INLINE void softmax_planes(uint16_t *p, int64_t low, const float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    enum { WAYS = 4 };
    vf most[WAYS], total = vf_zero();
    int64_t i = 0;
    EACH (j, WAYS) most[j] = vf_set1(-INFINITY);
    for (; i + WAYS * VL <= n; i += WAYS * VL)
        EACH (j, WAYS) most[j] = vf_max(vf_load(s + i + j * VL), most[j]); /* a NaN is passed over, as in softmax */
    for (; i < n; i += VL) most[0] = vf_max(n - i < VL ? vf_keep(vf_load_n(s + i, n - i), n - i, most[0]) : vf_load(s + i), most[0]);
    *max = vf_max_lane(vf_max(vf_max(most[0], most[1]), vf_max(most[2], most[3])));
    const vf top = vf_set1(*max);
    for (i = 0; i + VL <= n; i += VL) total = vf_add(total, put_exp(p + i, low, vf_load(s + i), top, VL));
    if (i < n) {
        total = vf_add(total, put_exp(p + i, low, vf_load_n(s + i, n - i), top, n - i));
        i += VL;
    }
    for (; i < n_pad; i += VL) {
        put16(p + i, vi_int(0));
        if (low) put16(p + low + i, vi_int(0));
    }
    *sum = vf_sum(total);
}

void ISA_FN(rg_softmax_bf16)(uint16_t *p, int64_t low, const float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    if (low)
        softmax_planes(p, low, s, n, n_pad, max, sum);
    else
        softmax_planes(p, 0, s, n, n_pad, max, sum);
}

/* As bf16_of, for what is no NaN. */
INLINE vi bf16_of_finite(vf f)
{
    const vi b = vi_bits(f);
    return vi_shr(vi_add(b, vi_add(vi_int(0x7fff), vi_and(vi_shr(b, 16), vi_int(1)))), 16);
}

/* One line of a tile: two columns of 16 rows, VL of them here. */
INLINE void split_pair(char *to, vf even, vf odd, int planes)
{
    if (planes == 1) {
        put32(to, vi_or(bf16_of_finite(even), vi_shl(bf16_of_finite(odd), 16)));
        return;
    }
    const vi top = vi_int(-65536), e = vi_and(vi_bits(even), top), o = vi_and(vi_bits(odd), top);
    put32(to, vi_or(vi_shr(e, 16), o));
    put32(to + 2048, vi_or(bf16_of_finite(vf_sub(even, vf_bits(e))), vi_shl(bf16_of_finite(vf_sub(odd, vf_bits(o))), 16)));
}

void ISA_FN(rg_split_bf16)(uint16_t *dst, const float *src, int64_t kb, int planes)
{
    for (int64_t j = 0; j < rg_round_up(kb, 32); j += 2)
        for (int64_t i = 0; i < RG_PANEL; i += VL) {
            const vf even = j < kb ? vf_load(src + j * RG_PANEL + i) : vf_zero(), odd = j + 1 < kb ? vf_load(src + (j + 1) * RG_PANEL + i) : vf_zero();
            split_pair((char *)(dst + j / 32 * planes * 1024 + i / 16 * 512 + j % 32 / 2 * 32 + i % 16 * 2), even, odd, planes);
        }
}

void ISA_FN(rg_pair_bf16)(uint16_t *dst, const float *src, int64_t kb)
{
    for (int64_t j = 0; j < kb; j += 2)
        for (int64_t i = 0; i < RG_PANEL; i += VL) {
            const vi even = bf16_of(vf_load(src + j * RG_PANEL + i)), odd = j + 1 < kb ? bf16_of(vf_load(src + (j + 1) * RG_PANEL + i)) : vi_int(0);
            put32(dst + (j / 2 * RG_PANEL + i) * 2, vi_or(even, vi_shl(odd, 16)));
        }
}
