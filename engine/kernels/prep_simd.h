/* Preparing activations (kernels.h) for one register width, with the bits of plain C: the same operations per
 * value, and sums only of integers. */
#include "kernels/kernel_rows.h"

#include "kernels/vi_simd.h"

INLINE void prepare(void *dst, const float *x, int64_t k, int64_t group, int planes, float limit)
{
    const int64_t kp = rg_x_padded(k, group);
    int8_t *q = dst;
    rg_xgroup *g = (void *)((char *)dst + planes * kp);
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
            const vi v =
                zero ? vi_int(0) : vi_round(vf_mul(vf_load_left(x + c + i, k - c - i), vf_set1(inv)));
            sum = vi_add(sum, v);
            if (planes == 1) {
                put8(q + c + i, v);
            } else {
                const vi high = vi_sar(vi_add(v, vi_int(128)), 8);
                put8(q + c + i, high);
                put8(q + kp + c + i, vi_sub(v, vi_shl(high, 8)));
            }
        }
        *g = (rg_xgroup){(zero ? 0.0f : top / limit) + nan, vi_sum(sum)};
    }
}

void ISA_FN(rg_prep_i8)(void *dst, const float *x, int64_t k, int64_t group)
{
    prepare(dst, x, k, group, 1, 127.0f);
}
void ISA_FN(rg_prep_i16)(void *dst, const float *x, int64_t k, int64_t group)
{
    prepare(dst, x, k, group, 2, 32512.0f);
}

/* bf16 to nearest even in the high half of each dword. */
INLINE vi rounded(vf f)
{
    const vi b = vi_bits(f);
    return vi_add(b, vi_add(vi_int(0x7fff), vi_and(vi_shr(b, 16), vi_int(1))));
}

/* The same in the low half of each dword; a NaN keeps its sign and top bits and becomes quiet,
 * as in rg_f32_to_bf16. */
INLINE vi bf16_of(vf f) { return vi_shr(vi_if_nan(f, vi_or(vi_bits(f), vi_int(0x400000)), rounded(f)), 16); }

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

/* As bf16_of, for what is no NaN. */
INLINE vi bf16_of_finite(vf f) { return vi_shr(rounded(f), 16); }

/* One line of a tile: two columns of 16 rows, VL of them here. */
INLINE void split_pair(char *to, vf even, vf odd, int planes)
{
    if (planes == 1) {
        vi_store(to, vi_or(bf16_of_finite(even), vi_shl(bf16_of_finite(odd), 16)));
        return;
    }
    const vi top = vi_int(-65536), e = vi_and(vi_bits(even), top), o = vi_and(vi_bits(odd), top);
    vi_store(to, vi_or(vi_shr(e, 16), o));
    vi_store(to + 2048,
        vi_or(bf16_of_finite(vf_sub(even, vf_bits(e))), vi_shl(bf16_of_finite(vf_sub(odd, vf_bits(o))), 16)));
}

void ISA_FN(rg_split_bf16)(uint16_t *dst, const float *src, int64_t kb, int planes)
{
    for (int64_t j = 0; j < rg_round_up(kb, 32); j += 2)
        for (int64_t i = 0; i < RG_PANEL; i += VL) {
            const vf even = j < kb ? vf_load(src + j * RG_PANEL + i) : vf_zero(),
                     odd = j + 1 < kb ? vf_load(src + (j + 1) * RG_PANEL + i) : vf_zero();
            split_pair((char *)(dst + j / 32 * planes * 1024 + i / 16 * 512 + j % 32 / 2 * 32 + i % 16 * 2),
                even, odd, planes);
        }
}

void ISA_FN(rg_pair_bf16)(uint16_t *dst, const float *src, int64_t kb)
{
    for (int64_t j = 0; j < kb; j += 2)
        for (int64_t i = 0; i < RG_PANEL; i += VL) {
            const vi even = bf16_of(vf_load(src + j * RG_PANEL + i)),
                     odd = j + 1 < kb ? bf16_of(vf_load(src + (j + 1) * RG_PANEL + i)) : vi_int(0);
            vi_store(dst + (j / 2 * RG_PANEL + i) * 2, vi_or(even, vi_shl(odd, 16)));
        }
}
