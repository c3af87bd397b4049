/* Operations counted by the drivers and stated by the cost model, against plain loops whose every arithmetic
 * operation counts itself. */
#include "arch_models.h"

#include "base/num.h"

/* ---- arithmetic that counts: FMA is two, exp, division, root, maximum and sign are one each ---- */

static uint64_t flop, iop;
static double fl(double x) { return flop++, x; }
static double add(double a, double b) { return fl(a + b); }
static double mul(double a, double b) { return fl(a * b); }
static double quot(double a, double b) { return fl(a / b); }
static double root(double a) { return fl(sqrt(a)); }
static double expo(double a) { return fl(exp(a)); }
static double larger(double a, double b) { return fl(a > b ? a : b); }
static double tangent(double a) { return fl(tanh(a)); }
static double minus(double a) { return fl(-a); }
static double from_int(int64_t a) { return fl((double)a); }
static int64_t iadd(int64_t a, int64_t b) { return iop++, a + b; }
static int64_t imul(int64_t a, int64_t b) { return iop++, a * b; }

static volatile double sink;

static void linear(int64_t m, int64_t n, int64_t k)
{
    for (int64_t i = 0; i < m * n; i++) {
        double acc = 0.0;
        for (int64_t j = 0; j < k; j++) acc = add(acc, mul(0.5, (double)(j % 7)));
        sink = acc;
    }
}

/* Weights and activations as whole numbers with a scale per group; x in one byte, or in two that make two
 * products. */
static void linear_in_bytes(int64_t m, int64_t n, int64_t k, int64_t group, int planes, bool minimum)
{
    for (int64_t i = 0; i < m * n; i++) {
        double acc = 0.0;
        for (int64_t g = 0; g < k; g += group) {
            int64_t sum = 0;
            for (int p = 0; p < planes; p++)
                for (int64_t j = g; j < g + group; j++) sum = iadd(sum, imul(j % 15, j % 127));
            acc = add(acc, mul(mul(from_int(sum), 0.25), 0.5));
            if (minimum) acc = add(acc, mul(0.125, (double)g));
        }
        sink = acc;
    }
}

static void rmsnorm(int64_t m, int64_t k)
{
    for (int64_t i = 0; i < m; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < k; j++) sum = add(sum, mul(0.5, 0.5));
        const double rms = root(add(quot(sum, (double)k), 1e-5));
        for (int64_t j = 0; j < k; j++) sink = mul(quot(0.5, rms), 0.25);
    }
}

static void rope(int64_t m, int64_t heads, int64_t hd)
{
    for (int64_t i = 0; i < m * heads * hd / 2; i++) {
        sink = add(mul(0.5, 0.1), minus(0) * 0 + mul(0.3, 0.2)); /* a cos - b sin */
        flop--;                                                  /* the sign is the subtraction's */
        sink = add(mul(0.5, 0.2), mul(0.3, 0.1));
    }
}

static double capped(double x) { return mul(50.0, tangent(quot(x, 50.0))); }

static void attention(int64_t heads, int64_t hd, int64_t pairs, bool cap)
{
    double s = 0.0, sum = 0.0, top = 0.0;
    for (int64_t i = 0; i < heads * pairs; i++) {
        for (int64_t j = 0; j < hd; j++) s = add(s, mul(0.5, 0.01));
        if (cap) s = capped(s);
        top = larger(top, s);
        const double e = expo(add(s, minus(0) * 0 - top));
        flop--; /* as above */
        sum = add(sum, e);
        const double p = quot(e, sum);
        for (int64_t j = 0; j < hd; j++) sink = add(sink, mul(p, 0.5));
    }
}

static void swiglu(int64_t n)
{
    for (int64_t i = 0; i < n; i++) sink = mul(quot(0.5, add(1.0, expo(minus(0.5)))), 0.25);
}

static void geglu(int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double g = 0.5, inner = mul(0.8, add(g, mul(0.044715, mul(g, mul(g, g)))));
        sink = mul(mul(mul(0.5, g), add(1.0, tangent(inner))), 0.25);
    }
}

static void softcap(int64_t n)
{
    for (int64_t i = 0; i < n; i++) sink = capped(0.5);
}

static void residual(int64_t n)
{
    for (int64_t i = 0; i < n; i++) sink = add(0.5, 0.25);
}

static int64_t tiles(int64_t m) { return m < 16 ? m : rg_round_up(m, 16); }

/* The operator of a record; executed: with the padding and the planes of the kernel that ran. */
static bool naive(const rg_rec *r, bool executed)
{
    const rg_dims *d = &r->dims;
    const bool two = r->kernel == RG_KK_DOT16 || r->kernel == RG_KK_MMDOT16,
               bytes = two || r->kernel == RG_KK_DOT8 || r->kernel == RG_KK_MMDOT8;
    flop = iop = 0;
    const rg_op op = rg_site_op((rg_site)r->site);
    switch (op) {
    case RG_OP_LINEAR:
    case RG_OP_LINEAR_SWIGLU:
    case RG_OP_LINEAR_GEGLU:
    case RG_OP_LINEAR_ADD:
        /* tiles have 16 rows or fewer, and 32 columns; each product counts */
        if (executed && r->arith == RG_ARITH_AMX_BF16)
            linear(tiles(d->m), rg_round_up(d->n, RG_PANEL),
                rg_round_up(d->k, 32) * rg_kernel_passes((rg_kernel_kind)r->kernel));
        else if (executed && r->arith == RG_ARITH_AMX_INT8)
            linear_in_bytes(tiles(d->m), rg_round_up(d->n, RG_PANEL),
                rg_round_up(d->k, rg_wtypes[r->wtype].group), rg_wtypes[r->wtype].group, two ? 2 : 1,
                rg_wtypes[r->wtype].has_min);
        else if (executed && bytes)
            linear_in_bytes(d->m, rg_round_up(d->n, RG_PANEL), rg_round_up(d->k, rg_wtypes[r->wtype].group),
                rg_wtypes[r->wtype].group, two ? 2 : 1, rg_wtypes[r->wtype].has_min);
        else
            linear(d->m, executed ? rg_round_up(d->n, RG_PANEL) : d->n, d->k);
        if (op == RG_OP_LINEAR_SWIGLU) swiglu(d->m * d->n);
        if (op == RG_OP_LINEAR_GEGLU) geglu(d->m * d->n);
        if (op == RG_OP_LINEAR_ADD) residual(d->m * d->n);
        return true;
    case RG_OP_RMSNORM:
        rmsnorm(d->m, d->k);
        return true;
    case RG_OP_HEADNORM:
        rmsnorm(d->m * d->h, d->k);
        return true;
    case RG_OP_ROPE:
    case RG_OP_ROPE_KV:
        rope(d->m, d->h + d->g, d->hd);
        return true;
    case RG_OP_ATTN:
        attention(d->h, d->hd, d->pairs, d->cap != 0);
        return true;
    case RG_OP_ADD:
        residual(d->m * d->k);
        return true;
    case RG_OP_SWIGLU:
        swiglu(d->m * d->k);
        return true;
    case RG_OP_GEGLU:
        geglu(d->m * d->k);
        return true;
    case RG_OP_SOFTCAP:
        softcap(d->m * d->k);
        return true;
    case RG_OP_EMBED:
    case RG_OP_KV_PUT:
        return true; /* moves bytes only */
    default:
        return false;
    }
}

/* Operators of a model, with all fusions or none; *seen: a bit of each that was compared. */
static void compare(const rg_ckpt *c, int dtype, bool fused, uint64_t *seen)
{
    rg_engine_opts o = test_opts(2);
    rg_err err;
    rg_log log;
    int32_t id[20];
    o.dtype = dtype;
    rg_engine *e = engine_open(c, o);
    rg_session *s = session_open(
        e, (rg_session_opts){.ctx = 32, .fuse = fused ? rg_fuse_with_sites() & rg_fuse_all() : 0});
    assert_int_equal(rg_log_open(&log, 2, rg_session_ops_per_step(s)), 0);
    random_tokens(id, 20, rg_ckpt_config(c)->vocab, 5);
    assert_int_equal(rg_session_eval(s, &(rg_batch){.n = 20, .token = id}, RG_PREFILL, &log, &err), RG_OK);
    assert_int_equal(rg_session_eval(s, &(rg_batch){.n = 1, .token = id}, RG_DECODE, &log, &err), RG_OK);
    for (size_t k = 0; k < log.n; k++) {
        const rg_rec *r = &log.rec[k];
        const char *name = rg_site_name((rg_site)r->site);
        const rg_op op = rg_site_op((rg_site)r->site);
        const rg_tally cost =
            rg_cost(op, &r->dims, (rg_wtype)r->wtype, (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
        if (!naive(r, false)) continue;
        *seen |= (uint64_t)1 << op;
        if (cost.flop != flop || cost.iop != iop)
            fail_msg("%s: analytic %llu, the loop did %llu", name, (unsigned long long)cost.flop,
                (unsigned long long)flop);
        naive(r, true);
        /* rows of a block share positions, so some are masked */
        const bool masked = op == RG_OP_ATTN && r->phase == RG_PREFILL;
        if (masked ? r->tally.flop < flop : r->tally.flop != flop || r->tally.iop != iop)
            fail_msg("%s (%s): counted %llu and %llu integer, the loop did %llu and %llu", name,
                rg_kernel_kinds[r->kernel], (unsigned long long)r->tally.flop,
                (unsigned long long)r->tally.iop, (unsigned long long)flop, (unsigned long long)iop);
    }
    rg_log_close(&log);
    rg_session_close(s);
    rg_engine_close(e);
}

#define OP(id) (uint64_t)1 << RG_OP_##id

static void operations_are_those_of_plain_loops(void **state)
{
    (void)state;
    static const int types[] = {RG_WT_F32, RG_WT_F16, RG_WT_Q8G32, RG_WT_Q4G64, RG_WT_Q4G32M};
    uint64_t seen = 0;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    for (size_t i = 0; i < 2 * sizeof types / sizeof *types; i++) compare(c, types[i / 2], i % 2, &seen);
    rg_ckpt_close(c);
    assert_true(seen ==
        (OP(EMBED) | OP(RMSNORM) | OP(LINEAR) | OP(ROPE) | OP(KV_PUT) | OP(ATTN) | OP(ADD) | OP(SWIGLU) |
            OP(ROPE_KV) | OP(LINEAR_SWIGLU) | OP(LINEAR_ADD)));
}

static void and_of_other_architectures(void **state)
{
    (void)state;
    static const char *const names[] = {"gemma2", "gemma3", "olmo2", "smollm3"};
    uint64_t seen = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int fused = 0; fused < 2; fused++) {
            rg_ckpt *c = arch_model_open(arch_model_named(names[i]), false);
            compare(c, -1, fused, &seen);
            compare(c, RG_WT_Q4G32, fused, &seen);
            rg_ckpt_close(c);
        }
    const uint64_t theirs = OP(HEADNORM) | OP(GEGLU) | OP(LINEAR_GEGLU) | OP(SOFTCAP);
    assert_true((seen & theirs) == theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_those_of_plain_loops), cmocka_unit_test(and_of_other_architectures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
