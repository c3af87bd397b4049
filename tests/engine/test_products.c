/* Products of many tokens at widths whose rows would share few sets of a cache, and of more tokens than pass
 * together: the bits of a few tokens at a time, whatever the cache, the threads and the copies of x; and what
 * the copies cost. */
#include "testing.h"

#include "base/num.h"
#include "exec/drive.h"

enum { M = 300, N = 160, K = 1024, STEP = 30, SMALL_L2 = 128 << 10, LARGE_L2 = 8 << 20 };

typedef struct job {
    rg_weight w;
    const float *x;
    float *y;
    char *xq; /* NULL: x as it is */
    int64_t m;
} job;

static void *must(int64_t n)
{
    void *p = aligned_alloc(64, (size_t)rg_round_up(n, 64));
    assert_non_null(p);
    return p;
}

static void source(void *user, int64_t r, float *dst)
{
    rg_rng s = {(uint64_t)(r + 1) * 0x9e3779b97f4a7c15ull};
    (void)user;
    for (int64_t i = 0; i < K; i++) dst[i] = 0.05f * rng_normal(&s);
}

static void multiply(rg_ctx *cx, void *arg)
{
    const job *j = arg;
    cx->xq = j->xq;
    rg_linear(cx, RG_SITE_FFN_UP, j->y, j->x, &j->w, j->m, true);
}

/* m tokens; the record. */
static rg_rec run(const rg_ktab *k, job j, int threads, int64_t l2)
{
    rg_team *t;
    rg_log log;
    rg_err err = {0};
    assert_int_equal(rg_team_open(&t, threads, NULL, k, rg_drive_scratch(k), l2, &err), RG_OK);
    assert_int_equal(rg_log_open(&log, 1, 1), 0);
    const rg_step step = {.phase = RG_PREFILL, .tokens = j.m};
    rg_team_run(t, multiply, &j, &log, &step, 1);
    const rg_rec r = log.rec[0];
    rg_log_close(&log);
    rg_team_close(t);
    return r;
}

static void same_bits_in_any_blocks(void **state)
{
    (void)state;
    static const struct {
        rg_wtype type;
        rg_act act;
    } cases[] = {{RG_WT_F16, RG_ACT_F32}, {RG_WT_Q4G64, RG_ACT_F32}, {RG_WT_F16, RG_ACT_BF16},
        {RG_WT_Q8G32, RG_ACT_Q8}};
    float *x = must(4 * M * K), *y = must(4 * M * N), *want = must(4 * M * N);
    char *xq = must(rg_xq_bytes(3, M, K));
    rg_rng rng = {20};
    for (int64_t i = 0; i < M * K; i++) x[i] = rng_normal(&rng);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const rg_wtype type = cases[i].type;
        rg_ktab k;
        assert_true(rg_kernels_select(&k, rg_isa_best(), false));
        k.act = cases[i].act;
        void *data = must(rg_packed_bytes(type, N, K)), *scratch = must(rg_pack_scratch(type, K));
        rg_pack(&k, type, data, N, K, 0, rg_panels(N), source, NULL, scratch, NULL, NULL);
        job j = {.w = {type, N, K, data}, .x = x, .y = want, .xq = xq, .m = STEP};
        for (int64_t t = 0; t < M; t += STEP, j.x += STEP * K, j.y += STEP * N) run(&k, j, 1, LARGE_L2);
        for (int threads = 1; threads <= (rg_team_has_openmp() ? 3 : 1); threads += 2)
            for (int small = 0; small < 2; small++) {
                j = (job){.w = j.w, .x = x, .y = y, .xq = xq, .m = M};
                const rg_rec r = run(&k, j, threads, small ? SMALL_L2 : LARGE_L2);
                if (memcmp(y, want, (size_t)(4 * M * N)) != 0)
                    fail_msg("%s --act %s, %d threads, L2 %d KiB: other bits", rg_wtypes[type].name,
                        rg_act_names[k.act], threads, (small ? SMALL_L2 : LARGE_L2) >> 10);
                /* a small cache takes the weights again for each block of tokens */
                if (r.arith != RG_ARITH_AMX_INT8 && r.arith != RG_ARITH_AMX_BF16)
                    assert_true(small == (r.tally.w_rd > (uint64_t)rg_packed_bytes(type, N, K)));
            }
        free(data);
        free(scratch);
    }
    free(x);
    free(y);
    free(want);
    free(xq);
}

/* gemm copies rows of a multiple of 2 KB, once and counted, to rows that fall into all sets; others stay. */
static void rows_that_collide_are_copied(void **state)
{
    (void)state;
    rg_ktab k;
    assert_true(rg_kernels_select(&k, rg_isa_best() < RG_ISA_AVX512 ? rg_isa_best() : RG_ISA_AVX512, false));
    for (int collide = 0; collide < 2; collide++) {
        const int64_t m = STEP, kk = collide ? K : K - 32;
        job j = {.w = {RG_WT_F16, N, kk, must(rg_packed_bytes(RG_WT_F16, N, kk))}, .m = m};
        float *x = must(4 * m * kk), *y = must(4 * m * N);
        char *xq = must(rg_xq_bytes(1, m, K));
        memset((void *)(uintptr_t)j.w.data, 0, (size_t)rg_packed_bytes(RG_WT_F16, N, kk));
        memset(x, 0, (size_t)(4 * m * kk));
        j.x = x;
        j.y = y;
        j.xq = xq;
        const rg_rec r = run(&k, j, 1, LARGE_L2);
        assert_int_equal(r.kernel, RG_KK_GEMM);
        assert_int_equal(r.tally.act_rd, 4 * m * kk);
        assert_int_equal(r.tally.act_wr, 4 * m * N + (collide ? 4 * m * kk : 0));
        free((void *)(uintptr_t)j.w.data);
        free(x);
        free(y);
        free(xq);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_in_any_blocks), cmocka_unit_test(rows_that_collide_are_copied)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
