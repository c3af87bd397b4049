/* The many-token product in bf16 for one register width (kernels.h): mm of linear_simd.h on pairs of columns. ISA_FN(name) gives a
 * function's name at this level. */
#include "kernels/kernel_rows.h"

#include "base/num.h"
#include "kernels/simd.h"

enum { MM_V = 2, MM_TOKENS = VL == 16 ? 12 : 5 };

/* acc + w x, both columns of a pair. */
#if defined(__AVX512BF16__)
INLINE vf pair_fma(vi w, vi x, vf acc) { return _mm512_dpbf16_ps(acc, (__m512bh)w, (__m512bh)x); }
#else
INLINE vf pair_fma(vi w, vi x, vf acc) { return vf_fma(vf_odd(w), vf_odd(x), vf_fma(vf_even(w), vf_even(x), acc)); }
#endif
INLINE vi pair(const uint16_t *x)
{
    int v;
    memcpy(&v, x, sizeof v);
#if defined(__AVX512F__)
    return _mm512_set1_epi32(v);
#else
    return _mm256_set1_epi32(v);
#endif
}

INLINE void mm_tile(float *y, int64_t ldy, const uint16_t *x, int64_t ldx, const uint16_t *b, int64_t kb, int64_t n, bool acc, int mm)
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

void ISA_FN(rg_mm_bf16)(float *y, int64_t ldy, const uint16_t *x, int64_t ldx, const uint16_t *b, int64_t m, int64_t kb, int64_t n, bool acc)
{
    for (int64_t r = 0; r < n; r += MM_V * VL)
        for (int64_t t = 0; t < m; t += MM_TOKENS) {
#define CASE(mm) \
    case mm: \
        mm_tile(y + t * ldy + r, ldy, x + t * ldx, ldx, b + 2 * r, kb, n - r, acc, mm); \
        break;
            switch (rg_min(m - t, MM_TOKENS)) {
                CASE(1)
                CASE(2)
                CASE(3)
                CASE(4)
                CASE(5)
#if defined(__AVX512F__)
                CASE(6)
                CASE(7)
                CASE(8)
                CASE(9)
                CASE(10)
                CASE(11)
                CASE(12)
#endif
            }
#undef CASE
        }
}
