/* 16-bit floats against a double oracle that shares no code with num.h: every half, every rounding tie, and
 * random floats. */
#include "testing.h"

#include "base/dtype.h"
#include "base/num.h"

/* Value of a half or bfloat by its definition; NaN and infinity are the caller's. */
static double value_of(unsigned bits, int exp_bits, int man_bits)
{
    const int bias = (1 << (exp_bits - 1)) - 1, e = (int)(bits >> man_bits) & ((1 << exp_bits) - 1),
              m = (int)(bits & ((1u << man_bits) - 1));
    const double mag =
        e == 0 ? ldexp(m, 1 - bias - man_bits) : ldexp(m + (1 << man_bits), e - bias - man_bits);
    return bits >> (exp_bits + man_bits) ? -mag : mag;
}

/* Nearest 16-bit float with ties to the even mantissa, by bisection over the magnitudes, which are ordered
 * like their bits. */
static unsigned nearest(double x, int exp_bits, int man_bits)
{
    const unsigned inf = ((1u << exp_bits) - 1) << man_bits,
                   sign = signbit(x) ? 1u << (exp_bits + man_bits) : 0;
    /* what infinity stands for when rounding */
    const double a = fabs(x), past = ldexp(1.0, 1 << (exp_bits - 1));
    unsigned lo = 0, hi = inf;
    while (hi - lo > 1) {
        const unsigned mid = (lo + hi) / 2;
        if (value_of(mid, exp_bits, man_bits) <= a)
            lo = mid;
        else
            hi = mid;
    }
    const double down = a - value_of(lo, exp_bits, man_bits),
                 up = (hi == inf ? past : value_of(hi, exp_bits, man_bits)) - a;
    if (up < down || (up == down && (lo & 1))) return sign | hi;
    return sign | lo;
}

static void halves_widen_exactly(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        const float f = rg_f16_to_f32((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00) {
            if (h & 0x3ff)
                assert_true(isnan(f));
            else
                assert_true(isinf(f) && !!signbit(f) == (h >> 15));
            continue;
        }
        if ((double)f != value_of(h, 5, 10) || !!signbit(f) != (int)(h >> 15))
            fail_msg("half %04x widens to %g, expected %g", h, (double)f, value_of(h, 5, 10));
    }
}

static void halves_round_trip(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        const uint16_t back = rg_f32_to_f16(rg_f16_to_f32((uint16_t)h));
        if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff))
            assert_true((back & 0x7c00) == 0x7c00 && (back & 0x3ff) && back >> 15 == h >> 15);
        else if (back != h)
            fail_msg("half %04x comes back as %04x", h, back);
    }
}

static void half_is(float f)
{
    const unsigned got = rg_f32_to_f16(f), want = nearest((double)f, 5, 10);
    if (got != want)
        fail_msg("%a (%08x) became half %04x, expected %04x", (double)f, rg_f32_bits(f), got, want);
}

/* The midpoint of each pair of neighbours is a tie; one float below and above it are not. */
static void half_ties_go_to_even(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7c00; h++) {
        const double up = h + 1 == 0x7c00 ? 65536.0 : value_of(h + 1, 5, 10);
        const float mid = (float)((value_of(h, 5, 10) + up) / 2);
        for (int s = 0; s < 2; s++) {
            const float m = s ? -mid : mid;
            half_is(m);
            half_is(nextafterf(m, INFINITY));
            half_is(nextafterf(m, -INFINITY));
        }
    }
}

static void half_edges(void **state)
{
    (void)state;
    assert_int_equal(rg_f32_to_f16(INFINITY), 0x7c00);
    assert_int_equal(rg_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(rg_f32_to_f16(65519.99f), 0x7bff);
    assert_int_equal(rg_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(rg_f32_to_f16(3e38f), 0x7c00);
    assert_int_equal(rg_f32_to_f16(-0.0f), 0x8000);
    assert_int_equal(rg_f32_to_f16(1e-40f), 0);
    assert_int_equal(rg_f32_to_f16(-1e-40f), 0x8000);
    for (uint32_t m = 1; m < 0x800000; m = m * 3 + 1) { /* NaN keeps its sign, whatever its payload */
        assert_true((rg_f32_to_f16(rg_f32_from_bits(0x7f800000u | m)) & 0x7fff) > 0x7c00);
        assert_int_equal(rg_f32_to_f16(rg_f32_from_bits(0xff800000u | m)) >> 15, 1);
    }
}

static void bfloats(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 0x10000; b++) {
        const float f = rg_bf16_to_f32((uint16_t)b);
        if ((b & 0x7f80) == 0x7f80 && (b & 0x7f)) {
            assert_true(isnan(f) && isnan(rg_bf16_to_f32(rg_f32_to_bf16(f))));
            continue;
        }
        if ((b & 0x7f80) != 0x7f80 && (double)f != value_of(b, 8, 7))
            fail_msg("bfloat %04x widens to %g", b, (double)f);
        if (rg_f32_to_bf16(f) != b) fail_msg("bfloat %04x comes back as %04x", b, rg_f32_to_bf16(f));
        if ((b & 0x7f80) == 0x7f80) continue;
        for (uint32_t low = 0x7fff; low <= 0x8001; low++) { /* just below, at and just above the tie */
            const float g = rg_f32_from_bits((uint32_t)b << 16 | low);
            const unsigned want = nearest((double)g, 8, 7);
            if (rg_f32_to_bf16(g) != want)
                fail_msg("%a became bfloat %04x, expected %04x", (double)g, rg_f32_to_bf16(g), want);
        }
    }
    for (uint32_t m = 1; m < 0x800000; m = m * 3 + 1)
        assert_true(isnan(rg_bf16_to_f32(rg_f32_to_bf16(rg_f32_from_bits(0x7f800000u | m)))));
}

static void random_floats_round(void **state)
{
    (void)state;
    const uint64_t seed = 20;
    rg_rng r = {.s = seed};
    for (int i = 0; i < 200000; i++) {
        const float f = rg_f32_from_bits((uint32_t)rng_u64(&r));
        if (isnan(f) || isinf(f)) continue;
        const unsigned h = nearest((double)f, 5, 10), b = nearest((double)f, 8, 7);
        if (rg_f32_to_f16(f) != h || rg_f32_to_bf16(f) != b)
            fail_msg("seed %llu: %a: half %04x (expected %04x), bfloat %04x (expected %04x)",
                (unsigned long long)seed, (double)f, rg_f32_to_f16(f), h, rg_f32_to_bf16(f), b);
    }
}

static void sizes_are_checked(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(rg_mul_ok(1ull << 32, (1ull << 32) - 1, &v) && v == 0xffffffff00000000ull);
    assert_false(rg_mul_ok(1ull << 32, 1ull << 32, &v));
    assert_true(rg_add_ok(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
    assert_false(rg_add_ok(UINT64_MAX, 1, &v));
    assert_int_equal(rg_div_up(0, 16), 0);
    assert_int_equal(rg_div_up(1, 16), 1);
    assert_int_equal(rg_div_up(16, 16), 1);
    assert_int_equal(rg_round_up(17, 16), 32);
    assert_int_equal(rg_min(-3, 2), -3);
    assert_int_equal(rg_max(-3, 2), 2);
}

/* Blocks built by hand from their definition. */
static void file_rows_widen(void **state)
{
    (void)state;
    unsigned char q8[34], q4[18], raw[8];
    float out[32];
    q8[0] = 0x00, q8[1] = 0x38; /* 0.5 */
    for (int i = 0; i < 32; i++) q8[2 + i] = (unsigned char)(i - 16);
    rg_ftype_row_to_f32(RG_FT_Q8_0, out, q8, 32);
    for (int i = 0; i < 32; i++) assert_true(out[i] == 0.5f * (float)(i - 16));
    q4[0] = 0x00, q4[1] = 0xc0; /* -2 */
    for (int i = 0; i < 16; i++) q4[2 + i] = (unsigned char)(i | (15 - i) << 4);
    rg_ftype_row_to_f32(RG_FT_Q4_0, out, q4, 32);
    for (int i = 0; i < 16; i++)
        assert_true(out[i] == -2.0f * (float)(i - 8) && out[16 + i] == -2.0f * (float)(7 - i));
    raw[0] = 0xff; /* odd address: rows in files need not be aligned */
    memcpy(raw + 1, (const unsigned char[]){0x00, 0x3c, 0x80, 0x3f}, 4);
    rg_ftype_row_to_f32(RG_FT_F16, out, raw + 1, 1);
    assert_true(out[0] == 1.0f);
    rg_ftype_row_to_f32(RG_FT_BF16, out, raw + 3, 1);
    assert_true(out[0] == 1.0f);
    assert_int_equal(rg_ftype_row_bytes(RG_FT_Q4_0, 96), 54);
}

static void type_names(void **state)
{
    (void)state;
    for (int t = 0; t < RG_WT_COUNT; t++) assert_int_equal(rg_wtype_from_name(rg_wtypes[t].name), t);
    for (int t = 0; t < RG_KV_COUNT; t++) assert_int_equal(rg_kvtype_from_name(rg_kvtypes[t].name), t);
    /* INT4 and INT8 are not GGUF's */
    for (int t = 0; t < RG_FT_COUNT; t++)
        assert_int_equal(rg_ftype_from_ggml(rg_ftypes[t].ggml), t < RG_FT_INT4 ? t : -1);
    assert_int_equal(rg_wtype_from_name("Q4G64"), -1);
    assert_int_equal(rg_wtype_from_name(""), -1);
    assert_int_equal(rg_kvtype_from_name("q4_0"), -1);
    assert_int_equal(rg_ftype_from_ggml(4), -1); /* a removed GGML type */
    assert_int_equal(rg_ftype_from_ggml(-1), -1);
    /* whole groups, whole panels, scales and minimums */
    assert_int_equal(rg_packed_bytes(RG_WT_F16, 33, 10), 2 * 10 * 64);
    assert_int_equal(rg_packed_bytes(RG_WT_Q4G64, 32, 65), 2 * (64 + 64 * 16));
    assert_int_equal(rg_packed_bytes(RG_WT_Q4G128M, 1, 1), 128 + 128 * 16);
    /* heads of 256 columns, of which the last may have fewer; groups of 16 and 32 */
    assert_int_equal(rg_packed_bytes(RG_WT_Q6G16K, 32, 256), 64 + 16 * 32 + 256 * 24);
    assert_int_equal(rg_packed_bytes(RG_WT_Q6G16K, 33, 257), 2 * (2 * (64 + 16 * 32) + 272 * 24));
    assert_int_equal(rg_packed_bytes(RG_WT_Q5G32MK, 32, 512), 2 * 2 * (64 + 8 * 32) + 512 * 20);
    assert_int_equal(rg_wtype_scales(RG_WT_Q6G16K, 512), 32 + 2);
    assert_int_equal(rg_wtype_scales(RG_WT_Q8G32, 512), 16);
    /* what holds columns: lines of 1 (f16), 2 (bf16) or 4 of them; whole groups have no padding */
    assert_int_equal(rg_panel_needed(RG_WT_F16, 33), 33 * 64);
    assert_int_equal(rg_panel_needed(RG_WT_BF16, 33), 34 * 64);
    assert_int_equal(rg_panel_needed(RG_WT_Q8G32, 41), 64 + 32 * 32 + 64 + 12 * 32);
    assert_int_equal(rg_panel_needed(RG_WT_Q4G64M, 3), 128 + 4 * 16);
    assert_int_equal(rg_panel_needed(RG_WT_Q6G16K, 21), 64 + 16 * 32 + 16 * 24 + 2 * 64 + 2 * 64);
    for (int t = 0; t < RG_WT_COUNT; t++) assert_int_equal(rg_panel_needed(t, 256), rg_panel_bytes(t, 256));
    assert_int_equal(rg_kv_hdp(RG_KV_F16, 100), 112);
    assert_int_equal(rg_kv_v_bytes(RG_KV_Q8_0, 64), 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(halves_widen_exactly),
        cmocka_unit_test(halves_round_trip), cmocka_unit_test(half_ties_go_to_even),
        cmocka_unit_test(half_edges), cmocka_unit_test(bfloats), cmocka_unit_test(random_floats_round),
        cmocka_unit_test(sizes_are_checked), cmocka_unit_test(file_rows_widen), cmocka_unit_test(type_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
