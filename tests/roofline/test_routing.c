/* Experts that a call reads: closed form against routers that are known, and the exact model of mixtures. */
#include "testing.h"

#include "ops/rec.h"
#include "roofline/model/exact.h"

enum { E = 64, K = 8, MOST_TOKENS = 64 };

typedef enum planted { UNIFORM, SAME, DISJOINT, ZIPF, PLANTED } planted;

static double unit(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) / 9007199254740992.0;
}

/* The experts of one token, all different. */
static void choose(int chosen[K], planted how, int token, uint64_t *seed)
{
    bool taken[E] = {false};
    for (int i = 0; i < K; i++) {
        int at;
        do {
            const double x = unit(seed);
            at = how == SAME      ? 3 * i
                : how == DISJOINT ? (token * K + i) % E
                : how == UNIFORM  ? (int)(x * E)
                                  : (int)(exp(x * log(E + 1.0)) - 1.0); /* about 1 / (rank + 1) */
        } while (at >= E || taken[at]);
        taken[at] = true;
        chosen[i] = at;
    }
}

/* Bytes and operations of the three products, token by token and expert by expert. */
typedef struct done {
    int64_t experts, pairs;
    uint64_t weights;
} done;

static done run_router(planted how, int tokens, int64_t matrix, uint64_t *seed)
{
    bool read[E] = {false};
    done d = {0};
    for (int t = 0; t < tokens; t++) {
        int chosen[K];
        choose(chosen, how, t, seed);
        for (int i = 0; i < K; i++) {
            d.pairs++;
            if (read[chosen[i]]) continue;
            read[chosen[i]] = true;
            d.experts++;
            d.weights += (uint64_t)matrix; /* once, however many tokens want it */
        }
    }
    return d;
}

static void planted_routers(void **state)
{
    static const int batches[] = {1, 2, 8, 33, 64};
    const int64_t n = 96, k = 128, matrix = rg_packed_bytes(RG_WT_Q4G64, n, k);
    uint64_t seed = 11;
    (void)state;
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
        for (planted how = UNIFORM; how < PLANTED; how++) {
            const int m = batches[b];
            const int64_t bound = rg_experts_bound(E, K, m);
            const done d = run_router(how, m, matrix, &seed);
            const rg_dims dims = {.m = m, .k = k, .n = n, .u = K, .e = d.experts};
            const rg_tally t = rg_cost(RG_OP_LINEAR_EXPS, &dims, RG_WT_Q4G64, RG_KV_COUNT, RG_KV_COUNT);
            assert_true(t.w_rd == d.weights && t.flop == (uint64_t)(2 * d.pairs * n * k));
            assert_true(t.act_wr == (uint64_t)(4 * d.pairs * n) && t.act_rd == (uint64_t)(4 * m * k));
            assert_true(d.experts >= K && d.experts <= bound);
            if (how == SAME) assert_int_equal(d.experts, K);
            if (how == DISJOINT) assert_int_equal(d.experts, bound);
        }
}

/* Within five standard errors of many draws; a router that prefers some reads fewer. */
static void expectation(void **state)
{
    enum { DRAWS = 4000 };
    static const int batches[] = {1, 2, 3, 8, 33};
    uint64_t seed = 5;
    (void)state;
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        const int m = batches[b];
        const double want = rg_experts_expected(E, K, m);
        double sum = 0.0, squares = 0.0, zipf = 0.0;
        for (int i = 0; i < DRAWS; i++) {
            const double x = (double)run_router(UNIFORM, m, 1, &seed).experts;
            sum += x;
            squares += x * x;
            zipf += (double)run_router(ZIPF, m, 1, &seed).experts;
        }
        const double mean = sum / DRAWS, sd = sqrt(fmax(0.0, squares / DRAWS - mean * mean));
        if (!(fabs(mean - want) <= 5.0 * sd / sqrt(DRAWS) + 1e-9))
            fail_msg("%d tokens: %.6f experts drawn, %.6f expected", m, mean, want);
        assert_true(m == 1 ? zipf == sum : zipf < sum);
        assert_true(want <= (double)rg_experts_bound(E, K, m) && want >= K);
    }
    assert_true(rg_experts_expected(E, K, 1) == K && rg_experts_expected(E, K, 100000) == E);
    assert_true(rg_experts_expected(E, E, 3) == E && rg_experts_expected(0, 0, 3) == 0.0);
    assert_int_equal(rg_experts_bound(E, K, INT64_MAX), E);
    assert_int_equal(rg_experts_bound(0, 0, 5), 0);
}

static rg_config olmoe(void)
{
    return (rg_config){.arch = "olmoe",
        .name = "olmoe-1b-7b",
        .dim = 2048,
        .layers = 16,
        .heads = 16,
        .kv_heads = 16,
        .head_dim = 128,
        .vocab = 50304,
        .ctx_train = 4096,
        .experts = E,
        .experts_used = K,
        .expert_ffn = 1024,
        .whole_qk_norm = true,
        .extra = rg_site_bit(RG_SITE_ATTN_Q_NORM) | rg_site_bit(RG_SITE_ATTN_K_NORM)};
}

static rg_exact_input plain(int64_t batch)
{
    return (rg_exact_input){.dtype = RG_WT_Q4G64,
        .head = RG_WT_F16,
        .router = RG_WT_F16,
        .expert = RG_WT_Q4G64,
        .embd_row = 4096,
        .kv_k = RG_KV_F16,
        .kv_v = RG_KV_F16,
        .batch = batch,
        .seqlen = 128,
        .ubatch = 512,
        .tp = 1,
        .flash = true,
        .fuse = RG_FUSE_DEFAULT};
}

/* Those that their makers state: 6.92 of 1.28, 30.5 of 3.3 thousand million. */
static void parameters(void **state)
{
    (void)state;
    rg_config c = olmoe();
    assert_true(fabs(rg_exact_params(&c) - 6.92e9) < 0.01e9 && fabs(rg_exact_active(&c) - 1.28e9) < 0.01e9);
    c = (rg_config){.dim = 2048,
        .layers = 48,
        .heads = 32,
        .kv_heads = 4,
        .head_dim = 128,
        .vocab = 151936,
        .experts = 128,
        .experts_used = 8,
        .expert_ffn = 768};
    assert_true(fabs(rg_exact_params(&c) - 30.53e9) < 0.01e9 && fabs(rg_exact_active(&c) - 3.35e9) < 0.01e9);
    /* a dense model of the same active size is as large, but for the router */
    const rg_config dense = rg_experts_dense(&c);
    assert_true(rg_exact_params(&dense) == rg_exact_active(&c) - 48.0 * 128.0 * 2048.0);
    assert_true(rg_exact_params(&dense) == rg_exact_active(&dense));
}

static double experts_bytes(const rg_cost_result *r, rg_phase ph)
{
    double bytes = 0.0;
    for (int i = 0; i < r->n; i++)
        if (r->op[i].phase == ph && rg_op_of_experts(rg_site_op(r->op[i].site))) bytes += r->op[i].sum.w_rd;
    return bytes;
}

static void bytes_of_routings(void **state)
{
    static const int64_t batches[] = {1, 2, 8, 33};
    rg_hardware h;
    const rg_config c = olmoe();
    /* an expert's three matrices */
    const double each = 2.0 * (double)rg_packed_bytes(RG_WT_Q4G64, c.expert_ffn, c.dim) +
        (double)rg_packed_bytes(RG_WT_Q4G64, c.dim, c.expert_ffn);
    (void)state;
    assert_int_equal(rg_hw_find(&h, "amd_epyc_9654", NULL), RG_OK);
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
        for (rg_routing how = 0; how < RG_ROUTINGS; how++) {
            const int64_t m = batches[b], bound = rg_experts_bound(E, K, m);
            rg_exact_input in = plain(m);
            static rg_cost_result r;
            in.routing = how;
            in.counted = 0.5 * (double)(K + bound);
            const double by_chance = rg_experts_expected(E, K, m);
            const double want[] = {by_chance, (double)K, (double)bound, in.counted};
            assert_int_equal(rg_exact(&r, &c, &h, &in, NULL), RG_OK);
            const rg_cost_experts *e = &r.experts[RG_DECODE];
            assert_true(fabs(e->read - want[how]) < 1e-9 && e->calls == 1.0);
            assert_true(fabs(e->expected - by_chance) < 1e-9 && e->bound == (double)bound);
            assert_true(fabs(e->rows - (double)(m * K) / want[how]) < 1e-9);
            /* whole numbers of experts to the byte; others rounded once per product and layer */
            const double got = experts_bytes(&r, RG_DECODE), bytes = 16.0 * want[how] * each;
            assert_true(got == e->bytes);
            if (!(fabs(got - bytes) <= (want[how] == floor(want[how]) ? 0.0 : 16.0 * 3.0)))
                fail_msg("batch %lld, routing %s: %.0f bytes, expected %.0f", (long long)m, rg_routings[how],
                    got, bytes);
            /* all experts are in memory whatever is read */
            assert_true(r.memory[RG_DECODE].weights > 16.0 * E * each);
        }
}

/* What a batch gains: less than a dense model of the same active size, most where all tokens choose alike. */
static void batching(void **state)
{
    rg_hardware h;
    const rg_config c = olmoe(), dense = rg_experts_dense(&c);
    double gain[RG_ROUTINGS + 1];
    (void)state;
    assert_int_equal(rg_hw_find(&h, "amd_epyc_9654", NULL), RG_OK);
    for (int how = 0; how <= RG_ROUTINGS; how++) {
        rg_cost_sum one, eight;
        rg_exact_input in = plain(1);
        const rg_config *m = how == RG_ROUTINGS ? &dense : &c;
        if (how < RG_ROUTING_COUNTED) in.routing = (rg_routing)how;
        assert_int_equal(rg_exact_decode(&one, m, &h, &in, 128, NULL), RG_OK);
        in.batch = 8;
        assert_int_equal(rg_exact_decode(&eight, m, &h, &in, 128, NULL), RG_OK);
        gain[how] = 8.0 * one.time_s / eight.time_s;
    }
    assert_true(gain[RG_ROUTING_DISJOINT] < gain[RG_ROUTING_UNIFORM]);
    assert_true(gain[RG_ROUTING_UNIFORM] < gain[RG_ROUTING_SAME]);
    assert_true(gain[RG_ROUTING_UNIFORM] < gain[RG_ROUTINGS]);
}

static void refusals(void **state)
{
    rg_hardware h;
    static rg_cost_result r;
    rg_err err;
    const rg_config c = olmoe(), dense = rg_experts_dense(&c);
    (void)state;
    assert_int_equal(rg_hw_find(&h, "amd_epyc_9654", NULL), RG_OK);
    rg_exact_input in = plain(2);
    in.routing = RG_ROUTING_COUNTED;
    in.counted = 17.0;
    assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "8 (one token's) to 16"));
    in.counted = 7.9;
    assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_E_USAGE);
    in.counted = NAN;
    assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_E_USAGE);
    in.routing = RG_ROUTING_SAME;
    assert_int_equal(rg_exact(&r, &dense, &h, &in, &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "dense"));
    in.tp = 3;
    assert_int_equal(rg_exact(&r, &c, &h, &in, &err), RG_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(planted_routers), cmocka_unit_test(expectation),
        cmocka_unit_test(parameters), cmocka_unit_test(bytes_of_routings), cmocka_unit_test(batching),
        cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
