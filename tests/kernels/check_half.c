/* 16-bit floats of base/num.h, exhaustively against double: every half, and every boundary at which rounding
 * changes. */
#include "checkkern.h"

static double half_value(unsigned h)
{
    const int exponent = (int)(h >> 10 & 31);
    const double fraction = (double)(h & 1023);
    const double v = exponent ? ldexp(1024.0 + fraction, exponent - 25) : ldexp(fraction, -24);
    return h & 0x8000 ? -v : v;
}

void check_half_to_float(void)
{
    for (unsigned h = 0; h < 65536; h++) {
        const float f = rg_f16_to_f32((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00) {
            if (h & 0x3ff)
                MUST(isnan(f));
            else
                MUST(isinf(f) && !!signbit(f) == !!(h & 0x8000));
            continue;
        }
        if (!((double)f == half_value(h) && !!signbit(f) == !!(h & 0x8000)))
            check_fail("%04x: %g, expected %g", h, (double)f, half_value(h));
        SAME(rg_f32_to_f16(f), h);
    }
}

/* Between neighbouring halves a < b the result is a below the middle, b above it, and the even one at it:
 * with monotonicity that is all. */
void check_float_to_half(void)
{
    for (unsigned sign = 0; sign < 0x10000; sign += 0x8000)
        for (unsigned h = 0; h < 0x7c00; h++) {
            const double a = half_value(h), b = h == 0x7bff ? 65536.0 : half_value(h + 1);
            const float mid = (float)((a + b) / 2), s = sign ? -1.0f : 1.0f;
            MUST((double)mid == (a + b) / 2);
            SAME(rg_f32_to_f16(s * nextafterf(mid, 0.0f)), sign | h);
            SAME(rg_f32_to_f16(s * nextafterf(mid, INFINITY)), sign | (h + 1));
            SAME(rg_f32_to_f16(s * mid), sign | (h + (h & 1)));
        }
    SAME(rg_f32_to_f16(INFINITY), 0x7c00);
    SAME(rg_f32_to_f16(-3.0e38f), 0xfc00);
    SAME(rg_f32_to_f16(1.0e-45f), 0);
    MUST(isnan(rg_f16_to_f32(rg_f32_to_f16(NAN))));
}

void check_bfloat(void)
{
    for (unsigned h = 0; h < 65536; h++) {
        const float f = rg_bf16_to_f32((uint16_t)h);
        if (isnan(f)) {
            MUST(isnan(rg_bf16_to_f32(rg_f32_to_bf16(f))));
            continue;
        }
        SAME(rg_f32_to_bf16(f), h);
        if (isinf(f) || (h & 0x7fff) == 0x7f7f) continue;
        const uint32_t u = rg_f32_bits(f);
        SAME(rg_f32_to_bf16(rg_f32_from_bits(u + 0x7fff)), h);
        SAME(rg_f32_to_bf16(rg_f32_from_bits(u + 0x8000)), h + (h & 1));
        SAME(rg_f32_to_bf16(rg_f32_from_bits(u + 0x8001)), h + 1);
    }
    /* a NaN whose payload is in the low bits only must not become infinite */
    MUST(isnan(rg_bf16_to_f32(rg_f32_to_bf16(rg_f32_from_bits(0x7f800001u)))));
}
