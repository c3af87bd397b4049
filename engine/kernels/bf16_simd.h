/* What works on bf16 for one register width (kernels.h): mm of linear_simd.h on pairs of columns,
 * exponentials as operands, and, with the instruction that rounds to bf16, operands of weights. */
#include "kernels/kernel_rows.h"

#include "kernels/vi_simd.h"

enum { MM_V = 2, MM_TOKENS = VL == 16 ? 12 : 5 };

/* acc + w x, both columns of a pair. */
#if defined(__AVX512BF16__)
INLINE vf pair_fma(vi w, vi x, vf acc) { return _mm512_dpbf16_ps(acc, (__m512bh)w, (__m512bh)x); }
#else
INLINE vf pair_fma(vi w, vi x, vf acc)
{
    return vf_fma(vf_odd(w), vf_odd(x), vf_fma(vf_even(w), vf_even(x), acc));
}
#endif
INLINE vi pair(const uint16_t *x)
{
    int v;
    memcpy(&v, x, sizeof v);
    return vi_int(v);
}

INLINE void mm_tile(float *y, int64_t ldy, const uint16_t *x, int64_t ldx, const uint16_t *b, int64_t kb,
    int64_t n, bool acc, int mm)
{
    vf sum[MM_TOKENS][MM_V];
    EACH (t, mm)
        EACH (h, MM_V) sum[t][h] = vf_zero();
    for (int64_t j = 0; j < kb; j += 2) {
        vi bv[MM_V];
        EACH (h, MM_V) bv[h] = vi_load(b + j * RG_PANEL + h * 2 * VL);
        EACH (t, mm) {
            const vi xv = pair(x + t * ldx + j);
            EACH (h, MM_V) sum[t][h] = pair_fma(bv[h], xv, sum[t][h]);
        }
    }
    EACH (t, mm)
        EACH (h, MM_V) vf_add_left(y + t * ldy + h * VL, sum[t][h], n - h * VL, acc);
}

void ISA_FN(rg_mm_bf16)(float *y, int64_t ldy, const uint16_t *x, int64_t ldx, const uint16_t *b, int64_t m,
    int64_t kb, int64_t n, bool acc)
{
    for (int64_t r = 0; r < n; r += MM_V * VL)
        for (int64_t t = 0; t < m; t += MM_TOKENS) {
#define CASE(mm) \
    case mm: \
        mm_tile(y + t * ldy + r, ldy, x + t * ldx, ldx, b + 2 * r, kb, n - r, acc, mm); \
        break;
            switch (rg_min(m - t, MM_TOKENS)) {
#if defined(__AVX512F__)
                CASES_12
#else
                CASES_5
#endif
            }
#undef CASE
        }
}

/* ---- exponentials ---- */

/* v to p, what that leaves to p + low. */
#if defined(__AVX512BF16__)
INLINE void put_planes(uint16_t *p, int64_t low, vf v)
{
    const __m256i high = (__m256i)_mm512_cvtneps_pbh(v);
    _mm256_storeu_si256((void *)p, high);
    if (low)
        _mm256_storeu_si256((void *)(p + low),
            (__m256i)_mm512_cvtneps_pbh(vf_sub(v, vf_bits(vi_shl(_mm512_cvtepu16_epi32(high), 16)))));
}
#else
/* in the high half; ties away from zero */
INLINE vi bf16_nearest(vf f) { return vi_add(vi_bits(f), vi_int(0x8000)); }
INLINE void put_planes(uint16_t *p, int64_t low, vf v)
{
    const vi high = bf16_nearest(v);
    put16(p, vi_shr(high, 16));
    if (low) put16(p + low, vi_shr(bf16_nearest(vf_sub(v, vf_bits(vi_and(high, vi_int(-65536))))), 16));
}
#endif

INLINE vf put_exp(uint16_t *p, int64_t low, vf s, vf top, int64_t left)
{
    const vf all = vf_exp(vf_sub(s, top)), e = left < VL ? vf_keep(all, left, vf_zero()) : all;
    put_planes(p, low, e);
    return e;
}

INLINE void softmax_planes(
    uint16_t *p, int64_t low, const float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    enum { WAYS = 4 };
    vf most[WAYS], total = vf_zero();
    int64_t i = 0;
    EACH (j, WAYS) most[j] = vf_set1(-INFINITY);
    for (; i + WAYS * VL <= n; i += WAYS * VL)
        EACH (j, WAYS)
            most[j] = vf_max(vf_load(s + i + j * VL), most[j]); /* a NaN is passed over, as in softmax */
    for (; i < n; i += VL)
        most[0] =
            vf_max(n - i < VL ? vf_keep(vf_load_n(s + i, n - i), n - i, most[0]) : vf_load(s + i), most[0]);
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

void ISA_FN(rg_softmax_bf16)(
    uint16_t *p, int64_t low, const float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    if (low)
        softmax_planes(p, low, s, n, n_pad, max, sum);
    else
        softmax_planes(p, 0, s, n, n_pad, max, sum);
}

/* ---- weights ---- */

#if defined(__AVX512BF16__)
/* Two columns of 16 rows as pairs. */
INLINE vi pairs_of(vf even, vf odd)
{
    const vi turn = vi_add(vi_int(16 << 16),
        _mm512_mullo_epi32(
            _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), vi_int(0x10001)));
    return _mm512_permutexvar_epi16(turn, (vi)_mm512_cvtne2ps_pbh(odd, even));
}

INLINE void split_pair(uint16_t *to, vf even, vf odd, int planes)
{
    if (planes == 1) {
        vi_store(to, pairs_of(even, odd));
        return;
    }
    const vi top = vi_int(-65536), e = vi_and(vi_bits(even), top), o = vi_and(vi_bits(odd), top);
    vi_store(to, vi_or(vi_shr(e, 16), o));
    vi_store(to + 1024, pairs_of(vf_sub(even, vf_bits(e)), vf_sub(odd, vf_bits(o))));
}

INLINE void split_tiles(uint16_t *dst, const float *src, int64_t kb, int planes)
{
    for (int64_t j = 0; j < kb; j += 32, dst += planes * 1024, src += 32 * RG_PANEL)
        EACH (h, 2)
            for (int64_t r = 0; r < 16; r++) {
                const float *even = src + 2 * r * RG_PANEL + 16 * h;
                const int64_t left = kb - j - 2 * r;
                split_pair(dst + 512 * h + 32 * r, left > 0 ? vf_load(even) : vf_zero(),
                    left > 1 ? vf_load(even + RG_PANEL) : vf_zero(), planes);
            }
}

/* prep_simd.h's, with the instruction that rounds two vectors (128 columns of a panel on Zen 5: 44 instead of
 * 158 ns, in two planes 100 instead of 175). */
void ISA_FN(rg_split_bf16)(uint16_t *dst, const float *src, int64_t kb, int planes)
{
    if (planes == 1)
        split_tiles(dst, src, kb, 1);
    else
        split_tiles(dst, src, kb, 2);
}

void ISA_FN(rg_pair_bf16)(uint16_t *dst, const float *src, int64_t kb)
{
    for (int64_t j = 0; j < kb; j += 2)
        EACH (h, 2) {
            const float *even = src + j * RG_PANEL + 16 * h;
            vi_store(dst + (j * RG_PANEL + 32 * h),
                pairs_of(vf_load(even), j + 1 < kb ? vf_load(even + RG_PANEL) : vf_zero()));
        }
}
#endif
