/* Codes and scales of packed quantised weights (base/dtype.def) in the lanes of a vector. Only static inline
 * functions. */
#ifndef RG_CODES_SIMD_H
#define RG_CODES_SIMD_H

#include "kernels/kernel_rows.h"

#include "kernels/simd.h"

INLINE bool has_high_lines(int bits) { return bits == 5 || bits == 6; }

INLINE vi vi_nibble(vi v, int high) { return vi_and(high ? MM(srli_epi16)(v, 4) : v, MM(set1_epi8)(15)); }

/* Bit `right` of each byte to bit 4. What comes in from neighbours is masked by the caller. A switch: counts
 * are literal (simd.h). */
INLINE vi vi_to_bit4(vi v, int right)
{
    switch (right) {
        SHIFT_CASE(0, vi_shl, 4)
        SHIFT_CASE(1, vi_shl, 3)
        SHIFT_CASE(2, vi_shl, 2)
        SHIFT_CASE(3, vi_shl, 1)
        SHIFT_CASE(5, vi_shr, 1)
        SHIFT_CASE(6, vi_shr, 2)
        SHIFT_CASE(7, vi_shr, 3)
    default:
        return v;
    }
    return v;
}

/* Codes of columns 4 quad .. of a group of 4, 5 or 6 bits each, unsigned, rows h * VL .. */
INLINE vi narrow_codes(int bits, int64_t group, const unsigned char *lines, int64_t quad, int h)
{
    const int tile = h * VL / 16, lane = h * VL % 16 * 4; /* rows 0..15 or 16..31; byte of the first dword */
    const vi low = vi_nibble(vi_load(lines + rg_high_bytes(bits, group) + quad * 64 + lane), tile);
    if (bits == 4) return low;
    const vi high =
        vi_to_bit4(vi_load(lines + rg_high_line(bits, quad, tile) + lane), rg_high_shift(bits, quad));
    return vi_or(low, vi_and(high, MM(set1_epi8)((char)(((1 << (bits - 4)) - 1) << 4))));
}

/* What multiplies the scale, as signed bytes. */
INLINE vi wide_signed(int bits, bool has_min, int64_t group, const unsigned char *lines, int64_t quad, int h)
{
    const vi u = narrow_codes(bits, group, lines, quad, h);
    return has_min ? u : MM(sub_epi8)(u, MM(set1_epi8)((char)rg_code_offset(bits, has_min)));
}

/* Of group j in the block at head, rows h * VL ..: scales (part 0) or minimums, of as many parts. */
INLINE vf head_scales(const unsigned char *head, bool factors, int parts, int64_t j, int part, int h)
{
    const vf f = vf_half(head + 2 * (part * RG_PANEL + h * VL));
    return factors ? vf_mul(f, vf_int8(head + (2 * parts + j * parts + part) * RG_PANEL + h * VL)) : f;
}

#endif
