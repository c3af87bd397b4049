/* The formulas of ops.def against loops that do the work element by element and count: operations as they
 * happen, bytes as first touches. */
#include "testing.h"

#include "ops/rec.h"

/* An operand: which of its bytes were touched. */
typedef struct operand {
    unsigned char *seen;
    size_t bytes, touched;
} operand;

static operand operand_of(int64_t bytes)
{
    operand o = {.bytes = (size_t)bytes, .seen = calloc((size_t)bytes + 1, 1)};
    assert_non_null(o.seen);
    return o;
}
static void touch(operand *o, int64_t at, int64_t n)
{
    assert_true(at >= 0 && (size_t)(at + n) <= o->bytes);
    for (int64_t i = at; i < at + n; i++) {
        o->touched += !o->seen[i];
        o->seen[i] = 1;
    }
}
static uint64_t done(operand *o)
{
    free(o->seen);
    return o->touched;
}

static void expect(rg_op op, rg_dims d, rg_wtype w, rg_kvtype kv, rg_tally want)
{
    const rg_tally got = rg_cost(op, &d, w, kv, kv);
#define SAME(f) \
    if (got.f != want.f) \
    fail_msg("%s m %lld k %lld n %lld h %lld hd %lld: " #f " is %llu, loops say %llu", rg_op_name(op), \
        (long long)d.m, (long long)d.k, (long long)d.n, (long long)d.h, (long long)d.hd, \
        (unsigned long long)got.f, (unsigned long long)want.f)
    SAME(w_rd);
    SAME(act_rd);
    SAME(act_wr);
    SAME(kv_rd);
    SAME(kv_wr);
    SAME(flop);
    SAME(iop);
#undef SAME
}

/* Address of what holds weight (row, col) in a packed matrix, straight from the comment in dtype.def: panel,
 * group, then lines. */
static void touch_weight(operand *o, rg_wtype t, int64_t k, int64_t row, int64_t col)
{
    const int64_t panel = row / 32, r = row % 32;
    switch (t) {
    case RG_WT_F32:
        touch(o, (panel * k + col) * 128 + 4 * r, 4);
        break;
    case RG_WT_F16:
        touch(o, (panel * k + col) * 64 + 2 * r, 2);
        break;
    case RG_WT_Q4G64: {
        const int64_t groups = (k + 63) / 64, g = (panel * groups + col / 64) * (64 + 64 * 16);
        touch(o, g + 2 * r, 2);
        touch(o, g + 64 + col % 64 / 4 * 64 + 4 * (r % 16) + col % 4, 1);
        break;
    }
    default:
        fail();
    }
}

static void linear(int64_t m, int64_t n, int64_t k, rg_wtype t)
{
    operand w = operand_of(rg_packed_bytes(t, n, k)), x = operand_of(4 * m * k), y = operand_of(4 * m * n);
    rg_tally c = {0};
    for (int64_t i = 0; i < m; i++)
        for (int64_t r = 0; r < n; r++) {
            for (int64_t j = 0; j < k; j++) {
                touch_weight(&w, t, k, r, j);
                touch(&x, 4 * (i * k + j), 4);
                c.flop += 2;
            }
            touch(&y, 4 * (i * n + r), 4);
        }
    c.w_rd = done(&w);
    c.act_rd = done(&x);
    c.act_wr = done(&y);
    expect(RG_OP_LINEAR, (rg_dims){.m = m, .n = n, .k = k}, t, RG_KV_COUNT, c);
}

static void test_linear(void **state)
{
    (void)state;
    linear(1, 32, 64, RG_WT_F32);
    linear(3, 64, 20, RG_WT_F16);
    linear(2, 96, 128, RG_WT_Q4G64);
    linear(2, 64, 100, RG_WT_Q4G64);
}

/* Padding that shares lines with weights counts: 33 rows are two panels, 65 columns a group and one line. */
static void test_padding(void **state)
{
    (void)state;
    const rg_dims d = {.m = 1, .n = 33, .k = 65};
    assert_int_equal(rg_cost(RG_OP_LINEAR, &d, RG_WT_Q4G64, RG_KV_COUNT, RG_KV_COUNT).w_rd,
        2 * (64 + 64 * 16 + 64 + 4 * 16));
    assert_int_equal(rg_cost(RG_OP_LINEAR, &d, RG_WT_F16, RG_KV_COUNT, RG_KV_COUNT).w_rd, 2 * 65 * 64);
}

/* Causal attention of m tokens behind `past` cached ones, head by head and pair by pair.. */
static void attention(int64_t m, int64_t past, int64_t h, int64_t g, int64_t hd, bool cap)
{
    const int64_t ctx = past + m;
    operand q = operand_of(4 * m * h * hd), out = operand_of(4 * m * h * hd);
    operand kk = operand_of(2 * ctx * g * hd), vv = operand_of(2 * ctx * g * hd),
            score = operand_of(4 * m * h * ctx);
    rg_tally c = {0}, soft = {0};
    int64_t pairs = 0;
    uint64_t qk = 0, pv = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t p = 0; p <= past + i; p++) pairs++;
    for (int64_t head = 0; head < h; head++) {
        const int64_t kvh = head / (h / g);
        for (int64_t i = 0; i < m; i++)
            for (int64_t p = 0; p <= past + i; p++) {
                touch(&score, 4 * ((head * m + i) * ctx + p), 4);
                soft.flop += 5;          /* maximum, subtract, exp, add, divide */
                if (cap) soft.flop += 3; /* divide, tanh, multiply */
                for (int64_t d = 0; d < hd; d++) {
                    touch(&q, 4 * ((i * h + head) * hd + d), 4);
                    touch(&kk, 2 * ((kvh * ctx + p) * hd + d), 2);
                    qk += 2;
                    touch(&vv, 2 * ((kvh * ctx + p) * hd + d), 2);
                    touch(&out, 4 * ((i * h + head) * hd + d), 4);
                    pv += 2;
                }
            }
    }
    const uint64_t qb = done(&q), ob = done(&out), kb = done(&kk), vb = done(&vv), sb = done(&score);
    const rg_dims d = {.m = m, .h = h, .g = g, .hd = hd, .pairs = pairs, .ctx = ctx, .cap = cap};
    c = (rg_tally){.flop = qk + soft.flop + pv, .act_rd = qb, .act_wr = ob, .kv_rd = kb + vb};
    expect(RG_OP_ATTN, d, RG_WT_COUNT, RG_KV_F16, c);
    expect(RG_OP_ATTN_QK, d, RG_WT_COUNT, RG_KV_F16,
        (rg_tally){.flop = qk, .act_rd = qb, .act_wr = sb, .kv_rd = kb});
    expect(
        RG_OP_SOFTMAX, d, RG_WT_COUNT, RG_KV_F16, (rg_tally){.flop = soft.flop, .act_rd = sb, .act_wr = sb});
    expect(RG_OP_ATTN_PV, d, RG_WT_COUNT, RG_KV_F16,
        (rg_tally){.flop = pv, .act_rd = sb, .act_wr = ob, .kv_rd = vb});
}

static void test_attention(void **state)
{
    (void)state;
    for (int cap = 0; cap < 2; cap++) {
        attention(1, 0, 1, 1, 16, cap);
        attention(1, 37, 4, 2, 16, cap);
        attention(7, 0, 4, 1, 32, cap);
        attention(5, 11, 6, 3, 16, cap);
    }
}

static void test_kv_put(void **state)
{
    (void)state;
    const int64_t m = 3, g = 2, hd = 32;
    /* f32 K and V in, halves out; q8_0: 34 bytes per 32 values */
    expect(RG_OP_KV_PUT, (rg_dims){.m = m, .g = g, .hd = hd}, RG_WT_COUNT, RG_KV_F16,
        (rg_tally){.act_rd = 2 * 4 * 3 * 2 * 32, .kv_wr = 2 * 2 * 3 * 2 * 32});
    expect(RG_OP_KV_PUT, (rg_dims){.m = m, .g = g, .hd = hd}, RG_WT_COUNT, RG_KV_Q8_0,
        (rg_tally){.act_rd = 2 * 4 * 3 * 2 * 32, .kv_wr = 2 * 34 * 3 * 2});
}

static void test_elementwise(void **state)
{
    (void)state;
    for (int64_t m = 1; m < 6; m += 2)
        for (int64_t k = 16; k < 100; k += 41) {
            rg_tally norm = {0}, add = {0}, act = {0}, gelu = {0}, cap = {0};
            for (int64_t i = 0; i < m; i++) {
                for (int64_t j = 0; j < k; j++) {
                    norm.flop += 2; /* square, sum */
                    norm.flop += 2; /* scale, weight */
                    norm.act_rd += 4, norm.act_wr += 4;
                    add.flop += 1;
                    add.act_rd += 8, add.act_wr += 4;
                    act.flop += 5; /* negate, exp, add, divide, multiply */
                    act.act_rd += 8, act.act_wr += 4;
                    gelu.flop += 2; /* cube */
                    gelu.flop += 3; /* times 0.0447, add, times the root */
                    gelu.flop += 3; /* tanh, add 1, times the half of the gate */
                    gelu.flop += 2; /* the half, times up */
                    gelu.act_rd += 8, gelu.act_wr += 4;
                    cap.flop += 3; /* divide, tanh, multiply */
                    cap.act_rd += 4, cap.act_wr += 4;
                }
                norm.flop += 3; /* mean, eps, root */
            }
            for (int64_t j = 0; j < k; j++) norm.w_rd += 4;
            expect(RG_OP_RMSNORM, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, RG_KV_COUNT, norm);
            expect(RG_OP_ADD, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, RG_KV_COUNT, add);
            expect(RG_OP_SWIGLU, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, RG_KV_COUNT, act);
            expect(RG_OP_GEGLU, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, RG_KV_COUNT, gelu);
            expect(RG_OP_SOFTCAP, (rg_dims){.m = m, .k = k}, RG_WT_COUNT, RG_KV_COUNT, cap);
        }
}

/* Heads share their gains. */
static void test_head_norm(void **state)
{
    (void)state;
    const int64_t m = 3, h = 5, hd = 24;
    operand gains = operand_of(4 * hd), x = operand_of(4 * m * h * hd);
    rg_tally c = {0};
    for (int64_t row = 0; row < m * h; row++) {
        for (int64_t i = 0; i < hd; i++) {
            touch(&gains, 4 * i, 4);
            touch(&x, 4 * (row * hd + i), 4);
            c.flop += 4; /* square, sum, scale, gain */
        }
        c.flop += 3; /* mean, eps, root */
    }
    c.w_rd = done(&gains);
    c.act_rd = c.act_wr = done(&x); /* in place */
    expect(RG_OP_HEADNORM, (rg_dims){.m = m, .h = h, .k = hd}, RG_WT_COUNT, RG_KV_COUNT, c);
}

/* What is fused to a product reads and writes where the activation would, and the product is nowhere. */
static void test_fused_products(void **state)
{
    (void)state;
    const rg_dims d = {.m = 3, .n = 64, .k = 20};
    static const struct {
        rg_op fused, behind;
    } all[] = {{RG_OP_LINEAR_SWIGLU, RG_OP_SWIGLU}, {RG_OP_LINEAR_GEGLU, RG_OP_GEGLU},
        {RG_OP_LINEAR_ADD, RG_OP_ADD}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const rg_dims e = {.m = d.m, .k = d.n};
        const rg_tally a = rg_cost(RG_OP_LINEAR, &d, RG_WT_F16, RG_KV_COUNT, RG_KV_COUNT),
                       b = rg_cost(all[i].behind, &e, RG_WT_COUNT, RG_KV_COUNT, RG_KV_COUNT);
        const uint64_t product = (uint64_t)(4 * d.m * d.n);
        expect(all[i].fused, d, RG_WT_F16, RG_KV_COUNT,
            (rg_tally){.w_rd = a.w_rd,
                .act_rd = a.act_rd + b.act_rd - product,
                .act_wr = a.act_wr + b.act_wr - product,
                .flop = a.flop + b.flop});
    }
}

static void test_rope(void **state)
{
    (void)state;
    const int64_t m = 3, h = 4, g = 2, hd = 16;
    rg_tally c = {0};
    for (int64_t i = 0; i < m; i++) {
        for (int64_t head = 0; head < h + g; head++)
            for (int64_t p = 0; p < hd / 2; p++) {
                c.flop += 6; /* four products, two sums per pair */
                c.act_rd += 8, c.act_wr += 8;
            }
        c.act_rd += (uint64_t)(4 * hd); /* hd / 2 cosines and sines */
    }
    expect(RG_OP_ROPE, (rg_dims){.m = m, .h = h, .g = g, .hd = hd}, RG_WT_COUNT, RG_KV_COUNT, c);
}

static void test_embed(void **state)
{
    (void)state;
    expect(RG_OP_EMBED, (rg_dims){.m = 5, .k = 64, .w_row = 128}, RG_WT_COUNT, RG_KV_COUNT,
        (rg_tally){.w_rd = 5 * 128, .act_wr = 5 * 4 * 64});
    /* tied, packed */
    expect(RG_OP_EMBED, (rg_dims){.m = 5, .k = 64}, RG_WT_F16, RG_KV_COUNT,
        (rg_tally){.w_rd = 5 * 128, .act_wr = 5 * 4 * 64});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear), cmocka_unit_test(test_padding),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_kv_put), cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_head_norm), cmocka_unit_test(test_fused_products), cmocka_unit_test(test_rope),
        cmocka_unit_test(test_embed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
