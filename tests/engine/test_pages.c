/* Bytes that the hardware saw without a PMU: the MMU marks every page that is touched. The pages of packed
 * weights that a linear operator touches must be those that its compulsory bytes fill. */
#include "testing.h"

#include <fcntl.h>

#include "exec/drive.h"

static bool clear_marks(void)
{
    const int fd = open("/proc/self/clear_refs", O_WRONLY);
    const bool ok = fd >= 0 && write(fd, "1", 1) == 1;
    if (fd >= 0) close(fd);
    return ok;
}

/* Bytes of touched pages in the mapping that holds p; -1 if the kernel does not say. */
static long long marked(const void *p)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long a, b;
    long long kb;
    bool in = false;
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &a, &b) == 2 && strchr(line, '-') < strchr(line, ' '))
            in = (uintptr_t)p >= a && (uintptr_t)p < b;
        if (in && sscanf(line, "Referenced: %lld kB", &kb) == 1) {
            fclose(f);
            return kb * 1024;
        }
    }
    if (f) fclose(f);
    return -1;
}

typedef struct job {
    rg_weight w;
    float *x, *y;
    int64_t m;
} job;

static void multiply(rg_ctx *cx, void *arg)
{
    const job *j = arg;
    rg_linear(cx, RG_SITE_FFN_UP, j->y, j->x, &j->w, j->m, true);
}

static void touched_pages_are_compulsory_bytes(void **state)
{
    (void)state;
    enum { N = 2048, K = 1024, M = 12 };
    static const rg_wtype types[] = {RG_WT_F32, RG_WT_F16, RG_WT_Q8G32, RG_WT_Q4G64, RG_WT_Q4G128M};
    const int64_t page = sysconf(_SC_PAGESIZE);
    rg_ktab k;
    rg_team *team;
    rg_err err;
    assert_true(rg_kernels_select(&k, rg_isa_best(), false));
    assert_int_equal(rg_team_open(&team, 2, NULL, &k, rg_drive_scratch(&k), 0, &err),
        rg_team_has_openmp() ? RG_OK : RG_E_UNSUPPORTED);
    if (!rg_team_has_openmp()) skip();
    float *x = calloc(M * K, sizeof *x), *y = calloc(M * N, sizeof *y);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int half = 0; half < 2; half++) {
            /* a mapping of its own between two that may not be read, so that the kernel cannot join it with a
             * neighbour */
            const int64_t bytes = rg_packed_bytes(types[t], N, K), size = (bytes + page - 1) / page * page;
            char *map = mmap(NULL, (size_t)(size + 2 * page), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                 *w = map + page;
            assert_true(map != MAP_FAILED);
            assert_int_equal(mprotect(w, (size_t)size, PROT_READ | PROT_WRITE), 0);
            madvise(w, (size_t)size, MADV_NOHUGEPAGE);
            memset(w, 0, (size_t)size);
            job j = {.w = {.type = types[t], .n = half ? N / 2 : N, .k = K, .data = w},
                .x = x,
                .y = y,
                .m = half ? M : 1};
            rg_log log;
            rg_step step = {.phase = RG_DECODE, .tokens = j.m};
            assert_int_equal(rg_log_open(&log, 1, 1), 0);
            if (!clear_marks()) {
                print_message("SKIPPED: /proc/self/clear_refs cannot be written here\n");
                skip();
            }
            /* clearing leaves translations in the TLB, whose pages would not be marked again (thousands of
             * them on large TLBs); a change of protection drops them */
            assert_int_equal(mprotect(w, (size_t)size, PROT_READ), 0);
            rg_team_run(team, multiply, &j, &log, &step, 1);
            const long long seen = marked(w);
            if (seen < 0) {
                print_message("SKIPPED: /proc/self/smaps does not say which pages were touched\n");
                skip();
            }
            const rg_tally cost = rg_cost(RG_OP_LINEAR, &log.rec[0].dims, types[t], RG_KV_COUNT, RG_KV_COUNT);
            const int64_t must = (int64_t)(cost.w_rd + (uint64_t)page - 1) / page * page;
            /* of rows that follow, many tokens ask for a page ahead */
            if (seen != must && !(half && seen == must + page))
                fail_msg("%s, n %lld, m %lld: touched %lld bytes, compulsory %lld", rg_wtypes[types[t]].name,
                    (long long)j.w.n, (long long)j.m, seen, (long long)cost.w_rd);
            assert_int_equal(log.rec[0].tally.w_rd, cost.w_rd);
            rg_log_close(&log);
            munmap(map, (size_t)(size + 2 * page));
        }
    free(x);
    free(y);
    rg_team_close(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(touched_pages_are_compulsory_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
