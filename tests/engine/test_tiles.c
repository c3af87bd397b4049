/* Products on tiles through the engine's driver, on emulated tiles: routes, blocking and tails, error limits,
 * bits, records. */
#include "testing.h"

#include "base/arena.h"
#include "base/num.h"
#include "exec/drive.h"
#include "exec/product.h"

/* A product of m tokens with a matrix of one type, and what came out. */
typedef struct job {
    rg_act act;
    rg_wtype type;
    int64_t m, n, k;
    rg_weight w;
    float *x, *y;
    char *xq;
    double *exact; /* [n][k] what the packed weights mean */
    int times;     /* products in a row, as q, k and v share their input */
    float *to;     /* NULL, or what y is added to behind the last product */
    bool fused;    /* as part of it */
} job;

static void *must(size_t n)
{
    void *p = aligned_alloc(64, (n + 127) / 64 * 64);
    assert_non_null(p);
    return p;
}

static void source(void *user, int64_t r, float *dst)
{
    rg_rng s = {(uint64_t)(r + 1) * 0x9e3779b97f4a7c15ull};
    const int64_t k = *(const int64_t *)user;
    for (int64_t i = 0; i < k; i++) dst[i] = 0.05f * rng_normal(&s);
}

/* heavy: some activations are a thousand times the others. */
static job make(rg_act act, rg_wtype type, int64_t m, int64_t n, int64_t k, bool heavy)
{
    job j = {.act = act, .type = type, .m = m, .n = n, .k = k, .w = {type, n, k, NULL}, .times = 1};
    rg_rng r = {(uint64_t)(m * 1000 + n * 10 + k) * 77 + 1};
    rg_ktab t;
    assert_true(rg_kernels_select(&t, rg_isa_best(), false));
    void *data = must((size_t)rg_packed_bytes(type, n, k)), *scratch = must((size_t)rg_pack_scratch(type, k));
    rg_pack(&t, type, data, n, k, 0, rg_panels(n), source, &k, scratch, NULL, NULL);
    free(scratch);
    j.w.data = data;
    j.x = must((size_t)(m * k) * sizeof *j.x);
    j.y = must((size_t)(m * n) * sizeof *j.y);
    j.exact = must((size_t)(n * k) * sizeof *j.exact);
    float *row = must((size_t)k * sizeof *row);
    for (int64_t i = 0; i < n; i++) {
        rg_unpack_row(&j.w, i, row);
        for (int64_t c = 0; c < k; c++) j.exact[i * k + c] = (double)row[c];
    }
    free(row);
    for (int64_t i = 0; i < m * k; i++)
        j.x[i] = rng_normal(&r) * (heavy && rng_in(&r, 0, 300) == 0 ? 1000.0f : 1.0f);
    return j;
}

static void drop(job *j)
{
    free((void *)(uintptr_t)j->w.data);
    free(j->x);
    free(j->y);
    free(j->exact);
}

static void region(rg_ctx *cx, void *arg)
{
    job *j = arg;
    cx->xq = j->xq;
    const int products = j->fused ? 0 : j->times;
    for (int i = 0; i < products; i++) rg_linear(cx, RG_SITE_FFN_UP, j->y, j->x, &j->w, j->m, true);
    if (j->fused)
        rg_linear_fused(cx, RG_SITE_FFN_DOWN_ADD, j->to, j->y, j->x, &j->w, j->m);
    else if (j->to)
        rg_add(cx, RG_SITE_FFN_ADD, j->to, j->y, j->m, j->n);
}

/* Runs it on `threads` threads; the last record. */
static rg_rec run(job *j, rg_isa isa, int threads)
{
    rg_ktab k;
    rg_team *t;
    rg_log log;
    rg_err err = {0};
    assert_true(rg_kernels_select(&k, isa, false));
    k.act = j->act;
    const int64_t bytes = rg_xq_bytes(threads, j->m, j->k);
    char *map = must((size_t)bytes);
    /* what is left from before must not matter: here, bytes that are NaN in every form */
    memset(map, 0x7f, (size_t)bytes);
    for (int64_t i = 0; i < j->m * j->n; i++) j->y[i] = NAN;
    j->xq = map;
    assert_int_equal(rg_team_open(&t, threads, NULL, &k, rg_drive_scratch(&k), 2 << 20, &err), RG_OK);
    assert_int_equal(rg_log_open(&log, 1, (size_t)j->times + 1), 0);
    const rg_step step = {.phase = RG_PREFILL, .tokens = j->m};
    rg_team_run(t, region, j, &log, &step, (size_t)j->times + (j->to && !j->fused));
    const rg_rec r = log.rec[j->times - 1];
    rg_log_close(&log);
    rg_team_close(t);
    free(map);
    return r;
}

/* Root mean square and largest error over the root mean square of y, in float64 on the packed weights. */
static void errors(const job *j, double *rms, double *most)
{
    double square = 0.0, err = 0.0, top = 0.0;
    for (int64_t t = 0; t < j->m; t++)
        for (int64_t i = 0; i < j->n; i++) {
            double y = 0.0;
            for (int64_t c = 0; c < j->k; c++) y += j->exact[i * j->k + c] * (double)j->x[t * j->k + c];
            const double d = (double)j->y[t * j->n + i] - y;
            assert_true(isfinite(d));
            square += y * y;
            err += d * d;
            top = fmax(top, fabs(d));
        }
    *rms = sqrt(err / square);
    *most = top / sqrt(square / (double)(j->m * j->n));
}

/* The limits of faithful: never worse than activations in FP16. Those of bf16 and q8 are what their roundings
 * allow: 2^-9 of x and of w, and half a step of 127 to a group's largest value. */
static void errors_stay_in_their_limits(void **state)
{
    (void)state;
    for (int type = 0; type < RG_WT_COUNT; type++)
        for (int heavy = 0; heavy < 2; heavy++)
            for (int act = 0; act < RG_ACT_COUNT; act++) {
                if (act == RG_ACT_Q8 && !rg_wtype_is_quant((rg_wtype)type)) continue;
                /* --act bf16: few tokens are as with f32 */
                for (int big = act == RG_ACT_BF16; big < 2; big++) {
                    job j = make((rg_act)act, (rg_wtype)type, big ? 20 : 7, 40, 1536, heavy);
                    double rms, most;
                    const rg_rec r = run(&j, RG_ISA_AMXEMU, 1);
                    errors(&j, &rms, &most);
                    if (getenv("RIDGE_TEST_VERBOSE"))
                        print_message("%s --act %s, %s, m %lld: %s, rms %.2g largest %.2g\n",
                            rg_wtypes[type].name, rg_act_names[act], heavy ? "heavy tails" : "normal",
                            (long long)j.m, rg_kernel_kinds[r.kernel], rms, most);
                    const bool faithful = act == RG_ACT_F32;
                    const double limit = faithful ? 3e-4
                        : act == RG_ACT_BF16      ? 6e-3
                                                  : 2e-2,
                                 limit_most = faithful ? 2e-3
                        : act == RG_ACT_BF16           ? 3e-2
                                                       : 1e-1;
                    if (!(rms <= limit && most <= limit_most))
                        fail_msg("%s --act %s, %s, m %lld: rms error %g (limit %g), largest %g (limit %g)",
                            rg_wtypes[type].name, rg_act_names[act], heavy ? "heavy tails" : "normal",
                            (long long)j.m, rms, limit, most, limit_most);
                    drop(&j);
                }
            }
}

/* The kernel that must do a product at this level, or -1: not on tiles. */
static int expected(rg_act act, rg_wtype type, int64_t m)
{
    const bool quant = rg_wtype_is_quant(type), small = rg_wtypes[type].group < 64;
    if (act == RG_ACT_Q8 && quant) return m >= 5 ? RG_KK_MMDOT8 : -1;
    if (act == RG_ACT_BF16 && m > 8) return RG_KK_MMBF;
    if (quant && !small) return m >= 4 ? RG_KK_MMDOT16 : -1;
    if (quant && m <= 16) return m >= 5 ? RG_KK_MMDOT16 : -1;
    if (type == RG_WT_BF16) return m >= 5 ? RG_KK_MMBF2 : -1;
    return m >= 6 ? RG_KK_MMBF3 : -1;
}

static void check_record(const job *j, const rg_rec *r, int threads)
{
    const int kind = expected(j->act, j->type, j->m);
    const rg_wtype_info *w = &rg_wtypes[j->type];
    if (kind < 0) {
        assert_true(
            r->isa != RG_ISA_AMXEMU && r->arith != RG_ARITH_AMX_BF16 && r->arith != RG_ARITH_AMX_INT8);
        return;
    }
    const bool bytes = kind == RG_KK_MMDOT8 || kind == RG_KK_MMDOT16;
    const int64_t tokens = j->m < 16 ? j->m : rg_round_up(j->m, 16), rows = rg_round_up(j->n, 32),
                  group = bytes ? w->group : 32, kp = rg_round_up(j->k, group);
    const int64_t passes = rg_kernel_passes((rg_kernel_kind)kind),
                  packed = rg_panels(j->n) *
        (bytes || j->type == RG_WT_BF16 ? rg_panel_bytes(j->type, j->k) : rg_panel_needed(j->type, j->k));
    assert_int_equal(r->kernel, kind);
    assert_int_equal(r->isa, RG_ISA_AMXEMU);
    assert_int_equal(r->arith, bytes ? RG_ARITH_AMX_INT8 : RG_ARITH_AMX_BF16);
    assert_int_equal(r->tally.iop, bytes ? 2 * passes * tokens * rows * kp : 0);
    assert_int_equal(r->tally.flop,
        bytes ? rg_round_up(j->m, 16) * rows * (kp / group) * (w->has_min ? 6 : 4)
              : 2 * passes * tokens * rows * kp);
    assert_true((int64_t)r->tally.w_rd >= packed && (int64_t)r->tally.w_rd % packed == 0);
    assert_true((int64_t)r->tally.act_wr >= 4 * j->m * j->n);
    /* each thread that has panels reads the prepared rows; the first product of several also makes them */
    const int64_t made = 4 * j->m * j->k, busy = rg_min(threads, rg_panels(j->n)),
                  row = rg_x_bytes(rg_kinds[kind].form, j->k, w->group);
    assert_true((int64_t)r->tally.act_rd >= busy * j->m * row + (j->times == 1 ? made : 0));
    assert_int_equal(rg_tile_pitch(rg_kinds[kind].form, j->k, w->group) / 64 % 2, 1);
}

static void same_bits(const job *j, const float *want, const char *what)
{
    if (memcmp(want, j->y, (size_t)(j->m * j->n) * sizeof *want) != 0)
        fail_msg("%s --act %s, m %lld n %lld k %lld: other bits %s", rg_wtypes[j->type].name,
            rg_act_names[j->act], (long long)j->m, (long long)j->n, (long long)j->k, what);
}

/* Every type, precision and number of tokens: the right kernel, the right counts, the same bits for every
 * number of threads and of products in a row; and in bytes those of vectors. */
static void every_route(void **state)
{
    (void)state;
    static const int64_t tokens[] = {1, 3, 4, 5, 6, 8, 9, 16, 17, 33};
    for (int type = 0; type < RG_WT_COUNT; type++)
        for (int act = 0; act < RG_ACT_COUNT; act++)
            for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
                job j = make((rg_act)act, (rg_wtype)type, tokens[i], 100, 200, false);
                const size_t bytes = (size_t)(j.m * j.n) * sizeof(float);
                rg_rec r = run(&j, RG_ISA_AMXEMU, 1);
                check_record(&j, &r, 1);
                float *one = must(bytes);
                memcpy(one, j.y, bytes);
                for (int64_t c = 0; c < j.m * j.n; c++) assert_true(isfinite(one[c]));
                r = run(&j, RG_ISA_AMXEMU, 3);
                check_record(&j, &r, 3);
                same_bits(&j, one, "with three threads");
                j.times = 2;
                r = run(&j, RG_ISA_AMXEMU, 2);
                check_record(&j, &r, 2);
                same_bits(&j, one, "the second time");
                if ((r.kernel == RG_KK_MMDOT8 || r.kernel == RG_KK_MMDOT16) &&
                    rg_isa_has(RG_ISA_AVX512VNNI)) {
                    const int kernel = r.kernel;
                    r = run(&j, RG_ISA_AVX512VNNI, 1);
                    assert_int_equal(r.kernel,
                        j.m > RG_DOT_TO              ? kernel
                            : kernel == RG_KK_MMDOT8 ? RG_KK_DOT8
                                                     : RG_KK_DOT16);
                    same_bits(&j, one, "on vectors");
                }
                free(one);
                drop(&j);
            }
}

/* More than one block of tokens, of columns and of panels. */
static void blocks(void **state)
{
    (void)state;
    static const struct {
        rg_act act;
        rg_wtype type;
        int64_t m, n, k;
    } cases[] = {{RG_ACT_F32, RG_WT_F16, 262, 40, 1100}, {RG_ACT_BF16, RG_WT_F32, 270, 33, 1090},
        {RG_ACT_F32, RG_WT_BF16, 131, 33, 2900}, {RG_ACT_BF16, RG_WT_BF16, 261, 32, 1056},
        {RG_ACT_F32, RG_WT_Q4G128M, 150, 33, 4000}, {RG_ACT_Q8, RG_WT_Q4G64, 290, 40, 700},
        {RG_ACT_F32, RG_WT_Q8G32, 260, 33, 1025}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job j = make(cases[i].act, cases[i].type, cases[i].m, cases[i].n, cases[i].k, false);
        double rms, most;
        rg_rec r = run(&j, RG_ISA_AMXEMU, 1);
        check_record(&j, &r, 1);
        errors(&j, &rms, &most);
        const double limit = j.act == RG_ACT_F32 ? 3e-4 : j.act == RG_ACT_BF16 ? 6e-3 : 2e-2;
        if (rms > limit) fail_msg("case %zu: rms error %g, limit %g", i, rms, limit);
        const size_t bytes = (size_t)(j.m * j.n) * sizeof(float);
        float *one = must(bytes);
        memcpy(one, j.y, bytes);
        r = run(&j, RG_ISA_AMXEMU, 2);
        check_record(&j, &r, 2);
        same_bits(&j, one, "with two threads");
        /* the first tokens alone give the same bits, if the kernel is the same */
        j.m -= 101;
        run(&j, RG_ISA_AMXEMU, 2);
        same_bits(&j, one, "with fewer tokens");
        free(one);
        drop(&j);
    }
}

/* What is not finite spoils its token and no other. */
static void bad_tokens_stay_alone(void **state)
{
    (void)state;
    static const rg_wtype types[] = {RG_WT_F32, RG_WT_F16, RG_WT_BF16, RG_WT_Q4G32, RG_WT_Q4G64M};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int act = 0; act < RG_ACT_COUNT; act++)
            for (int64_t m = 7; m <= 40; m += 33) {
                job j = make((rg_act)act, types[i], m, 40, 70, false);
                const int64_t bad = m / 2;
                run(&j, RG_ISA_AMXEMU, 2);
                float *clean = must((size_t)(m * j.n) * sizeof *clean);
                memcpy(clean, j.y, (size_t)(m * j.n) * sizeof *clean);
                for (int kind = 0; kind < 2; kind++) {
                    j.x[bad * j.k + 69] = kind ? INFINITY : NAN;
                    run(&j, RG_ISA_AMXEMU, 2);
                    for (int64_t t = 0; t < m; t++)
                        for (int64_t c = 0; c < j.n; c++) {
                            if (t == bad)
                                assert_false(isfinite(j.y[t * j.n + c]));
                            else
                                assert_true(j.y[t * j.n + c] == clean[t * j.n + c]);
                        }
                }
                free(clean);
                drop(&j);
            }
}

/* A product with the addition behind it in one: more than one block of tokens, of columns, of panels and
 * group of panels, on tiles, in vectors and in plain C. What is written is the sum; the product itself need
 * not be anywhere. */
static void finished_in_groups(void **state)
{
    (void)state;
    static const struct {
        rg_act act;
        rg_wtype type;
        int64_t m, n, k;
    } cases[] = {{RG_ACT_F32, RG_WT_F16, 262, 40, 1100}, {RG_ACT_BF16, RG_WT_F32, 270, 33, 1090},
        {RG_ACT_F32, RG_WT_BF16, 131, 33, 2900}, {RG_ACT_F32, RG_WT_Q4G64, 60, 600, 300},
        {RG_ACT_F32, RG_WT_F32, 50, 600, 300}, {RG_ACT_F32, RG_WT_F16, 1, 4500, 40},
        {RG_ACT_F32, RG_WT_Q4G32M, 1, 4500, 40}, {RG_ACT_Q8, RG_WT_Q4G32, 7, 1000, 64},
        {RG_ACT_F32, RG_WT_Q8G32, 16, 1000, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job j = make(cases[i].act, cases[i].type, cases[i].m, cases[i].n, cases[i].k, false);
        const size_t bytes = (size_t)(j.m * j.n) * sizeof(float);
        const rg_isa levels[] = {RG_ISA_C, rg_isa_best(), RG_ISA_AMXEMU};
        float *apart = must(bytes);
        j.to = must(bytes);
        for (int l = 0; l < 3; l++) {
            for (j.fused = false;; j.fused = true) {
                for (int64_t c = 0; c < j.m * j.n; c++) j.to[c] = (float)(c % 101) - 50.0f;
                const rg_rec r = run(&j, levels[l], 1 + (int)i % 3);
                assert_int_equal(r.site, j.fused ? RG_SITE_FFN_DOWN_ADD : RG_SITE_FFN_UP);
                if (j.fused) break;
                memcpy(apart, j.to, bytes);
            }
            if (memcmp(apart, j.to, bytes) != 0)
                fail_msg("%s, %s, m %lld n %lld k %lld: other bits", rg_isa_names[levels[l]],
                    rg_wtypes[j.type].name, (long long)j.m, (long long)j.n, (long long)j.k);
        }
        free(apart);
        free(j.to);
        drop(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_stay_in_their_limits),
        cmocka_unit_test(every_route), cmocka_unit_test(blocks), cmocka_unit_test(finished_in_groups),
        cmocka_unit_test(bad_tokens_stay_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
