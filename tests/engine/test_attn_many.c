/* Attention of many tokens, in FP32, in bf16 products and on (emulated) tiles, through its driver: against
 * float64 on what the cache holds, within the stated limits; the same bits for any number of threads; bf16
 * taken only where it is asked for; what the record says. */
#include "engine_fixture.h"

#include <math.h>

#include "base/num.h"
#include "exec/attn_parts.h"

/* Limits. Each element is bounded by the largest value times what the exponentials are off by (each score by
 * the rounding of its terms, maximum and sum by as much) and the rounding of exponential and value. unit: how
 * far a term of a score is off, at most, over 2.1; a term of the result over 3.
 *   bf16   all four are rounded to 8 bits, by 2^-8 at most each. With random normal input the error is
 *          0.25...0.33 % of the result's rms.
 *   x3     on tiles, faithful: all four as two planes, high and low, of which low times low is left out.
 *          Queries and exponentials are off by 2^-17,
 *          keys and values by 2^-16 (halves: exact); the high plane of these is cut off, so that low times
 *          low is up to 2^-8 x 2^-7. With random normal
 *          input the error is 5e-6...9e-6 of the result's rms, with heavy tails up to 2e-5 (FP32:
 *          2e-7...1e-6); faithful allows 3e-4, and 2e-3 for the
 *          largest, which with heavy tails is 1e-3: scores in the hundreds are off by as many times more.
 *   FP32   2^-20 leaves room for the order of additions. */
typedef struct limit {
    double unit, rms[2], largest[2]; /* over the result's rms; [heavy tails] */
} limit;
static const limit bf16_limit = {0x1p-8, {5e-3, 2e-2}, {6e-2, 6e-1}},
                   split_limit = {0x1.bp-16, {2e-5, 4e-5}, {2e-4, 2e-3}},
                   fp32_limit = {0x1p-20, {2e-6, 2e-6}, {1e-5, 1e-4}};

typedef struct setup {
    rg_kv_layer kv;
    rg_attn_shape a;
    float *q, *out;
} setup;

static void attend(rg_ctx *cx, void *user)
{
    const setup *s = user;
    rg_attn(cx, s->out, s->q, &s->kv, &s->a);
}

/* Keys and values as the cache holds them, by the plain C kernel. */
static float *stored(const setup *s, const rg_ktab *c, bool values, int64_t seq, int64_t g, int64_t n)
{
    const rg_kv_layer *kv = &s->kv;
    float *x = must_alloc((size_t)(n * kv->hd) * sizeof *x), panel[32 * 512];
    const char *k = kv->k + (seq * kv->heads + g) * kv->k_stride,
               *v = kv->v + (seq * kv->heads + g) * kv->v_stride;
    for (int64_t p = 0; p < n; p += 32) {
        if (!values) c->kv_panel_k[kv->k_type](panel, k, kv->hd, p, n);
        for (int64_t d = 0; d < kv->hd; d++) {
            const int64_t here = rg_min(n, p + 32) - p;
            if (values && d % 32 == 0) c->kv_panel_v[kv->v_type](panel, v, kv->hd, p, p + here, d);
            for (int64_t i = 0; i < here; i++)
                x[(p + i) * kv->hd + d] = values ? panel[i * 32 + d % 32] : panel[d * 32 + i];
        }
    }
    return x;
}

typedef struct error {
    double err2, y2, most, n; /* squares; largest error as a share of its bound; elements */
    double top;               /* largest error */
} error;

static error compare(const setup *s, const rg_ktab *c, double half_ulp)
{
    error e = {0};
    const int64_t hd = s->kv.hd, rep = s->a.heads / s->kv.heads;
    for (int64_t r = 0; r < s->a.n_runs; r++)
        for (int64_t h = 0; h < s->a.heads; h++) {
            const rg_seq_run *run = &s->a.run[r];
            const int64_t end = run->pos + run->n;
            float *k = stored(s, c, false, run->seq, h / rep, end),
                  *v = stored(s, c, true, run->seq, h / rep, end);
            double *w = must_alloc((size_t)end * sizeof *w);
            for (int64_t t = 0; t < run->n; t++) {
                const float *q = s->q + ((run->t0 + t) * s->a.heads + h) * hd,
                            *got = s->out + ((run->t0 + t) * s->a.heads + h) * hd;
                const int64_t pos = run->pos + t, from = rg_first_seen(&s->a, pos);
                double max = -INFINITY, sum = 0.0, off = 0.0, big = 0.0;
                for (int64_t p = from; p <= pos; p++) {
                    double dot = 0.0, mag = 0.0;
                    for (int64_t d = 0; d < hd; d++) {
                        const double term = (double)q[d] * (double)k[p * hd + d] * (double)s->a.scale;
                        dot += term;
                        mag += fabs(term);
                        big = fmax(big, fabs((double)v[p * hd + d]));
                    }
                    w[p] = s->a.cap > 0.0f ? (double)s->a.cap * tanh(dot / (double)s->a.cap) : dot;
                    max = fmax(max, w[p]);
                    off = fmax(off, 2.1 * half_ulp * mag);
                }
                for (int64_t p = from; p <= pos; p++) sum += w[p] = exp(w[p] - max);
                for (int64_t d = 0; d < hd; d++) {
                    double want = 0.0;
                    for (int64_t p = from; p <= pos; p++) want += w[p] / sum * (double)v[p * hd + d];
                    const double err = fabs((double)got[d] - want),
                                 bound = big * (exp(2.0 * off) - 1.0 + 3.0 * half_ulp) + 1e-6;
                    e.err2 += err * err;
                    e.y2 += want * want;
                    e.n += 1.0;
                    e.top = fmax(e.top, err);
                    e.most = isnan(err) ? INFINITY : fmax(e.most, err / bound);
                }
            }
            free(k), free(v), free(w);
        }
    return e;
}

typedef struct kase {
    int64_t kv_heads, rep, hd, window;
    rg_kvtype type;
    rg_seq_run run[2];
    bool taken;
    int heavy; /* a few queries (1000: only those), keys and values are that many times the others; 0: none */
} kase;
static const kase cases[] = {
    {2, 3, 64, 0, RG_KV_F16, {{0, 170, 0, 130}}, true, 0},
    {1, 8, 64, 0, RG_KV_F16, {{1, 250, 0, 70}}, true, 0}, {2, 1, 100, 0, RG_KV_F16, {{0, 0, 0, 33}}, true, 0},
    {1, 4, 128, 40, RG_KV_F16, {{0, 200, 0, 150}}, true, 0},
    {1, 2, 96, 0, RG_KV_Q8_0, {{0, 5, 0, 60}}, true, 0},
    {3, 2, 34, 0, RG_KV_F32, {{0, 0, 0, 17}, {1, 30, 17, 40}}, true, 0},
    {1, 2, 256, 300, RG_KV_F16, {{0, 290, 0, 40}}, true, 0},
    {2, 2, 80, 0, RG_KV_F32, {{0, 0, 0, 50}}, true, 0},
    {1, 9, 112, 0, RG_KV_F16, {{0, 220, 0, 70}}, true, 0}, /* rows in no multiple of 16 */
    {2, 2, 64, 0, RG_KV_F16, {{0, 0, 0, 90}}, true, 30},
    {1, 4, 128, 0, RG_KV_Q8_0, {{0, 0, 0, 70}}, true, 30},
    {1, 3, 64, 0, RG_KV_F32, {{0, 250, 0, 40}}, true, 30},
    {2, 2, 64, 0, RG_KV_F16, {{0, 200, 0, 60}}, true, 1000},
    {2, 2, 64, 0, RG_KV_F16, {{0, 20, 0, 15}}, false, 0}, /* few tokens, */
    {1, 1, 320, 0, RG_KV_F16, {{0, 0, 0, 40}}, false, 0}, /* and large heads, go the exact way */
};

static float drawn(rg_rng *r, int heavy)
{
    return rng_normal(r) * (heavy && rng_in(r, 0, 2 * heavy) == 0 ? (float)heavy : 1.0f);
}

/* cap: of the scores, which are normal with a deviation of 1; 0: none. */
static void within_limits(rg_act act, float cap)
{
    enum { CTX = 352, SEQS = 2 };
    for (int isa = 0; isa < RG_ISA_COUNT; isa++) {
        rg_ktab k, c;
        /* emulated tiles always */
        if (!rg_isa_has((rg_isa)isa) || (isa > (int)isa_cap() && isa != RG_ISA_AMXEMU)) continue;
        /* the functions of the level below */
        if (isa == RG_ISA_AVX2VNNI || isa == RG_ISA_AVX512VNNI) continue;
        assert_true(rg_kernels_select(&k, (rg_isa)isa, false) && rg_kernels_select(&c, RG_ISA_C, false));
        k.act = act;
        k.bf16_attn = true; /* else only where it is faster */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const kase *x = &cases[i];
            if (cap > 0.0f && x->heavy) continue; /* all scores would be the cap */
            const bool tiles = x->taken && k.level[RG_FN_tile_mm] != RG_ISA_C,
                       taken = x->taken && act == RG_ACT_BF16, split = tiles && !taken;
            const limit *l = taken ? &bf16_limit : split ? &split_limit : &fp32_limit;
            rg_rng r = {i + 7};
            setup s = {.kv = {.k_type = x->type, .v_type = x->type, .heads = x->kv_heads, .hd = x->hd},
                .a = {.heads = x->kv_heads * x->rep,
                    .scale = (float)(1.0 / sqrt((double)x->hd)),
                    .window = x->window,
                    .cap = cap,
                    .run = x->run}};
            for (int j = 0; j < 2 && x->run[j].n; j++) {
                s.a.n_runs++;
                s.a.m += x->run[j].n;
            }
            s.kv.k_stride = rg_round_up(CTX * rg_kv_k_bytes(x->type, x->hd), 64);
            s.kv.v_stride = rg_round_up(CTX * rg_kv_v_bytes(x->type, x->hd), 64);
            s.kv.k = must_alloc((size_t)(SEQS * x->kv_heads * s.kv.k_stride));
            s.kv.v = must_alloc((size_t)(SEQS * x->kv_heads * s.kv.v_stride));
            memset(s.kv.k, 0xff, (size_t)(SEQS * x->kv_heads * s.kv.k_stride)); /* NaN where nothing is put */
            memset(s.kv.v, 0xff, (size_t)(SEQS * x->kv_heads * s.kv.v_stride));
            for (int64_t j = 0; j < s.a.n_runs; j++)
                for (int64_t g = 0; g < x->kv_heads; g++)
                    for (int64_t p = 0; p < x->run[j].pos + x->run[j].n; p++) {
                        float row[512];
                        const int64_t head = x->run[j].seq * x->kv_heads + g;
                        for (int64_t d = 0; d < x->hd; d++)
                            row[d] = drawn(&r, x->heavy < 1000 ? x->heavy : 0);
                        c.kv_put_k[x->type](s.kv.k + head * s.kv.k_stride, x->hd, p, row);
                        for (int64_t d = 0; d < x->hd; d++)
                            row[d] = drawn(&r, x->heavy < 1000 ? x->heavy : 0);
                        c.kv_put_v[x->type](s.kv.v + head * s.kv.v_stride, x->hd, p, row);
                    }
            const int64_t n = s.a.m * s.a.heads * x->hd;
            s.q = must_alloc((size_t)n * sizeof *s.q);
            for (int64_t j = 0; j < n; j++) s.q[j] = drawn(&r, x->heavy);
            s.a.part = must_alloc((size_t)rg_attn_part_floats(3, x->hd, CTX) * sizeof(float));
            float *one = must_alloc((size_t)n * sizeof *one), *many = must_alloc((size_t)n * sizeof *many);
            for (int threads = 1; threads <= (rg_team_has_openmp() ? 3 : 1); threads += 2) {
                rg_team *team;
                rg_err err = {0};
                rg_log log;
                assert_int_equal(
                    rg_team_open(&team, threads, NULL, &k, rg_drive_scratch(&k), 1 << 20, &err), RG_OK);
                assert_int_equal(rg_log_open(&log, 1, 1), 0);
                s.out = threads == 1 ? one : many;
                rg_team_run(team, attend, &s, &log, &(rg_step){.phase = RG_PREFILL, .tokens = s.a.m}, 1);
                assert_int_equal(log.n, 1);
                assert_int_equal(log.rec[0].kernel, split ? RG_KK_ATTN3 : RG_KK_ATTN);
                assert_int_equal(log.rec[0].isa,
                    tiles       ? k.level[RG_FN_tile_mm]
                        : taken ? k.level[RG_FN_mm_bf16]
                                : k.level[RG_FN_attn_qk]);
                if (tiles) assert_int_equal(log.rec[0].arith, RG_ARITH_AMX_BF16);
                const int64_t planes = rg_kernel_passes((rg_kernel_kind)log.rec[0].kernel);
                assert_true(log.rec[0].tally.flop >= (uint64_t)((4 * x->hd * planes + (cap > 0.0f ? 8 : 5)) *
                                                         s.a.heads * log.rec[0].dims.pairs));
                rg_log_close(&log);
                rg_team_close(team);
                if (threads > 1 && memcmp(one, many, (size_t)n * sizeof *one) != 0)
                    fail_msg("%s, case %zu: bits change with the threads", rg_isa_names[isa], i);
            }
            const error e = compare(&s, &c, l->unit);
            const double rms = sqrt(e.err2 / e.y2), largest = e.top / sqrt(e.y2 / e.n);
            if (getenv("RIDGE_TEST_VERBOSE"))
                print_message("%s --act %s, case %zu%s: rms error %.2g, largest %.2g of the result's rms, "
                              "%.2g of its bound\n",
                    rg_isa_names[isa], rg_act_names[act], i, x->heavy ? " (heavy tails)" : "", rms, largest,
                    e.most);
            if (!(rms <= l->rms[x->heavy > 0]) || !(largest <= l->largest[x->heavy > 0]) || !(e.most <= 1.0))
                fail_msg("%s, case %zu: rms error %.3g, largest %.3g of the result's rms, %.3g of its bound",
                    rg_isa_names[isa], i, rms, largest, e.most);
            if (taken) assert_true(rms > 1e-4); /* else it was not in bf16 at all */
            if (split) assert_true(rms > 2e-6); /* nor on tiles */
            free(one), free(many), free(s.q), free(s.a.part), free(s.kv.k), free(s.kv.v);
        }
    }
}

static void fp32(void **state)
{
    (void)state;
    within_limits(RG_ACT_F32, 0.0f);
}

static void bf16(void **state)
{
    (void)state;
    within_limits(RG_ACT_BF16, 0.0f);
}

static void capped(void **state)
{
    (void)state;
    within_limits(RG_ACT_F32, 1.5f);
    within_limits(RG_ACT_BF16, 1.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp32), cmocka_unit_test(bf16), cmocka_unit_test(capped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
