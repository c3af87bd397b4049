/* 16-bit floats of base/num.h, exhaustively against double: every half, and every boundary at which rounding
 * changes. */
#include "testing.h"

#include "base/num.h"

static double half_value(unsigned h)
{
    const int exponent = (int)(h >> 10 & 31);
    const double fraction = (double)(h & 1023);
    const double v = exponent ? ldexp(1024.0 + fraction, exponent - 25) : ldexp(fraction, -24);
    return h & 0x8000 ? -v : v;
}

static void every_half_to_float(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        const float f = rg_f16_to_f32((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00) {
            if (h & 0x3ff)
                assert_true(isnan(f));
            else
                assert_true(isinf(f) && !!signbit(f) == !!(h & 0x8000));
            continue;
        }
        if (!((double)f == half_value(h) && !!signbit(f) == !!(h & 0x8000)))
            fail_msg("%04x: %g, expected %g", h, (double)f, half_value(h));
        assert_int_equal(rg_f32_to_f16(f), h);
    }
}

/* Between neighbouring halves a < b the result is a below the middle, b above it, and the even one at it:
 * with monotonicity that is all. */
static void every_boundary_to_half(void **state)
{
    (void)state;
    for (unsigned sign = 0; sign < 0x10000; sign += 0x8000)
        for (unsigned h = 0; h < 0x7c00; h++) {
            const double a = half_value(h), b = h == 0x7bff ? 65536.0 : half_value(h + 1);
            const float mid = (float)((a + b) / 2), s = sign ? -1.0f : 1.0f;
            assert_true((double)mid == (a + b) / 2);
            assert_int_equal(rg_f32_to_f16(s * nextafterf(mid, 0.0f)), sign | h);
            assert_int_equal(rg_f32_to_f16(s * nextafterf(mid, INFINITY)), sign | (h + 1));
            assert_int_equal(rg_f32_to_f16(s * mid), sign | (h + (h & 1)));
        }
    assert_int_equal(rg_f32_to_f16(INFINITY), 0x7c00);
    assert_int_equal(rg_f32_to_f16(-3.0e38f), 0xfc00);
    assert_int_equal(rg_f32_to_f16(1.0e-45f), 0);
    assert_true(isnan(rg_f16_to_f32(rg_f32_to_f16(NAN))));
}

static void bfloat(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        const float f = rg_bf16_to_f32((uint16_t)h);
        if (isnan(f)) {
            assert_true(isnan(rg_bf16_to_f32(rg_f32_to_bf16(f))));
            continue;
        }
        assert_int_equal(rg_f32_to_bf16(f), h);
        if (isinf(f) || (h & 0x7fff) == 0x7f7f) continue;
        const uint32_t u = rg_f32_bits(f);
        assert_int_equal(rg_f32_to_bf16(rg_f32_from_bits(u + 0x7fff)), h);
        assert_int_equal(rg_f32_to_bf16(rg_f32_from_bits(u + 0x8000)), h + (h & 1));
        assert_int_equal(rg_f32_to_bf16(rg_f32_from_bits(u + 0x8001)), h + 1);
    }
    /* a NaN whose payload is in the low bits only must not become infinite */
    assert_true(isnan(rg_bf16_to_f32(rg_f32_to_bf16(rg_f32_from_bits(0x7f800001u)))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_to_float),
        cmocka_unit_test(every_boundary_to_half),
        cmocka_unit_test(bfloat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
