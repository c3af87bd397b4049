/* What records teach, and what that predicts, against numbers worked out by hand on a machine of paper. */
#include "testing.h"

#include "roofline/model/speeds.h"

enum { NEAR = 1 << 20, FAR = 1 << 30 };

/* Reads 100 GB/s at NEAR and 10 at FAR; 200 GFLOP/s. */
static rg_machine paper(void)
{
    rg_machine m = {.n_bw = 2};
    m.bw[0] = (rg_bw_point){.footprint_bytes = NEAR, .read_gbps = {100.0, 0.0}};
    m.bw[1] = (rg_bw_point){.footprint_bytes = FAR, .read_gbps = {10.0, 0.0}};
    m.peak[RG_PEAK_FP32_AVX512] = (rg_measured){200.0, 0.0};
    return m;
}

static rg_rec product(rg_site site, int64_t m, int64_t n, int64_t k, uint64_t ns)
{
    return (rg_rec){.site = (uint8_t)site,
        .wtype = RG_WT_F16,
        .kv_k = RG_KV_COUNT,
        .kv_v = RG_KV_COUNT,
        .isa = RG_ISA_AVX512,
        .arith = RG_ARITH_FP32_FMA,
        .kernel = m <= 8 ? RG_KK_GEMV : RG_KK_GEMM,
        .dims = {.m = m, .n = n, .k = k},
        .t_ns = ns};
}

/* 20 ns of every operator, 100 ns beside the work of a product, a 64th of a nanosecond an operation. */
static void few_tokens(void **state)
{
    (void)state;
    const rg_machine m = paper();
    rg_speeds s = {.op_ns = 20.0};
    const rg_rec learnt[] = {product(RG_SITE_ATTN_Q, 1, 64, 64, 120 + 128),
        product(RG_SITE_FFN_GATE, 1, 128, 64, 120 + 256), product(RG_SITE_FFN_DOWN, 1, 64, 256, 120 + 512)};
    for (int i = 0; i < 3; i++) rg_speeds_learn(&s, &learnt[i], NEAR);
    rg_speeds_fit(&s);
    assert_int_equal(s.n, 3);
    for (int i = 0; i < 3; i++) {
        assert_near(s.of[i].each_ns, 1.0 / 64, 1e-9);
        assert_near(s.of[i].beside_ns, 100.0, 1e-6);
        assert_near(rg_speeds_predict(&s, &m, &learnt[i], NEAR), (double)learnt[i].t_ns, 1e-5);
    }
    /* 1024 rows of 64 halves lie farther away than what taught: 131072 bytes at 10 GB/s instead of 100 */
    const rg_rec q = product(RG_SITE_ATTN_Q, 1, 1024, 64, 0);
    assert_near(rg_speeds_predict(&s, &m, &q, NEAR), 20 + 100 + 2048, 1e-5);
    assert_near(rg_speeds_predict(&s, &m, &q, FAR), 20 + 100 + 2048 + 131072 / 10.0 - 131072 / 100.0, 1e-5);
    /* of a site that did not teach: 16384 bytes of weights and 768 of activations, and op_ns */
    const rg_rec o = product(RG_SITE_OUTPUT, 1, 128, 64, 0);
    assert_near(rg_speeds_predict(&s, &m, &o, FAR), 20 + 16384 / 10.0 + 768 / 100.0, 1e-9);
    /* as of more tokens than taught */
    const rg_rec many = product(RG_SITE_ATTN_Q, 128, 64, 64, 0);
    assert_near(rg_speeds_predict(&s, &m, &many, NEAR), 20 + 2.0 * 128 * 64 * 64 / 200.0, 1e-9);
    const rg_machine none = {0};
    assert_true(isnan(rg_speeds_predict(&s, &none, &q, FAR)));
}

/* With many tokens a product also moves its activations: a 16th of a nanosecond a byte. */
static void many_tokens(void **state)
{
    (void)state;
    const rg_machine m = paper();
    rg_speeds s = {.op_ns = 20.0};
    const struct {
        rg_site site;
        int64_t n, k;
    } row[] = {{RG_SITE_ATTN_Q, 64, 64}, {RG_SITE_FFN_GATE, 128, 64}, {RG_SITE_FFN_DOWN, 64, 256}};
    for (int i = 0; i < 3; i++) {
        const int64_t n = row[i].n, k = row[i].k;
        const rg_rec r =
            product(row[i].site, 128, n, k, (uint64_t)(20 + 2 * 128 * n * k / 64 + 4 * 128 * (n + k) / 16));
        rg_speeds_learn(&s, &r, NEAR);
    }
    rg_speeds_fit(&s);
    const rg_rec wide = product(RG_SITE_FFN_GATE, 128, 2048, 512, 0);
    assert_near(rg_speeds_predict(&s, &m, &wide, NEAR),
        20 + 2.0 * 128 * 2048 * 512 / 64 + 4.0 * 128 * (2048 + 512) / 16, 1.0);
}

/* Operators without operations to speak of take their bytes' time. */
static void elements(void **state)
{
    (void)state;
    const rg_machine m = paper();
    rg_speeds s = {.op_ns = 20.0};
    rg_rec r = {.site = RG_SITE_ATTN_NORM,
        .wtype = RG_WT_COUNT,
        .kv_k = RG_KV_COUNT,
        .kv_v = RG_KV_COUNT,
        .isa = RG_ISA_AVX512,
        .kernel = RG_KK_ELEM,
        .arith = RG_ARITH_FP32_FMA,
        .dims = {.m = 1, .k = 64},
        .t_ns = 20 + 192}; /* of 768 bytes */
    rg_speeds_learn(&s, &r, NEAR);
    rg_speeds_fit(&s);
    r.dims.k = 256;
    assert_near(rg_speeds_predict(&s, &m, &r, FAR), 20 + 768 + 1024 / 10.0 - 1024 / 100.0, 1e-6);
}

/* Attention of one token: what a call costs and what a position costs are told apart by two contexts. */
static void contexts(void **state)
{
    (void)state;
    const rg_machine m = paper();
    rg_speeds s = {.op_ns = 20.0};
    rg_rec r = {.site = RG_SITE_ATTN_CORE,
        .wtype = RG_WT_COUNT,
        .kv_k = RG_KV_F16,
        .kv_v = RG_KV_F16,
        .isa = RG_ISA_AVX512,
        .kernel = RG_KK_ATTN,
        .arith = RG_ARITH_FP32_FMA,
        .dims = {.m = 1, .h = 4, .g = 2, .hd = 16}};
    for (int64_t ctx = 16; ctx <= 256; ctx *= 16) { /* 276 operations a position, a quarter of a ns each */
        r.dims.pairs = r.dims.ctx = ctx;
        r.t_ns = (uint64_t)(20 + 300 + 69 * ctx);
        rg_speeds_learn(&s, &r, NEAR);
    }
    rg_speeds_fit(&s);
    r.dims.pairs = r.dims.ctx = 1000;
    assert_near(rg_speeds_predict(&s, &m, &r, NEAR), 20 + 300 + 69000, 0.01);
    /* K and V of a position: 2 heads, 2 x 16 halves */
    assert_near(rg_speeds_predict(&s, &m, &r, FAR), 20 + 300 + 69000 + 128000 / 10.0 - 128000 / 100.0, 0.01);
}

/* A call in ten that took ten times as long moves a prediction by less than a hundredth. */
static void disturbed(void **state)
{
    (void)state;
    const rg_machine m = paper();
    rg_speeds s = {.op_ns = 0.0};
    rg_rec r = product(RG_SITE_ATTN_Q, 1, 64, 64, 0);
    for (int i = 0; i < 10; i++) {
        r.t_ns = i == 3 ? 1280 : 128;
        rg_speeds_learn(&s, &r, NEAR);
    }
    rg_speeds_fit(&s);
    assert_near(rg_speeds_predict(&s, &m, &r, NEAR), 128.0, 1.28);
}

/* Classes beyond the room are not learnt, and are predicted all the same. */
static void room(void **state)
{
    (void)state;
    const rg_machine m = paper();
    rg_speeds *s = calloc(1, sizeof *s);
    assert_non_null(s);
    rg_rec r;
    for (int site = 0; site < RG_SITE_COUNT; site++)
        for (int64_t tokens = 1; tokens < 200 && rg_site_op(site) == RG_OP_LINEAR; tokens *= 6)
            for (int t = 0; t < RG_WT_COUNT; t++) {
                r = product(site, tokens, 128, 128, 128);
                r.wtype = (uint8_t)t;
                rg_speeds_learn(s, &r, NEAR);
            }
    assert_int_equal(s->n, RG_SPEED_SITES);
    rg_speeds_fit(s);
    assert_true(isfinite(rg_speeds_predict(s, &m, &r, NEAR)));
    free(s);
}

static void streamed(void **state)
{
    (void)state;
    const rg_config c = {.layers = 2, .kv_heads = 2, .head_dim = 16};
    const rg_step prompt = {.phase = RG_PREFILL, .tokens = 8, .ctx = 8},
                  three = {.phase = RG_DECODE, .tokens = 3, .ctx = 10};
    assert_int_equal(rg_streamed(1000, &c, RG_KV_F16, RG_KV_F16, &prompt), 1000 + 8 * 2 * 2 * 64);
    assert_int_equal(rg_streamed(1000, &c, RG_KV_F16, RG_KV_F16, &three), 1000 + 30 * 2 * 2 * 64);
    assert_int_equal(rg_streamed(1000, &c, RG_KV_COUNT, RG_KV_F16, &three), 1000);
    rg_config local = c; /* one of both layers has a window */
    local.window = 4;
    rg_layer_set(local.all_seen, 1);
    assert_int_equal(rg_streamed(1000, &local, RG_KV_F16, RG_KV_F16, &three), 1000 + 3 * (4 + 10) * 2 * 64);
    local.window = 64;
    assert_int_equal(rg_streamed(1000, &local, RG_KV_F16, RG_KV_F16, &three), 1000 + 30 * 2 * 2 * 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_tokens), cmocka_unit_test(many_tokens),
        cmocka_unit_test(elements), cmocka_unit_test(contexts), cmocka_unit_test(disturbed),
        cmocka_unit_test(room), cmocka_unit_test(streamed)};
    return cmocka_run_group_tests_name("speeds", tests, NULL, NULL);
}
