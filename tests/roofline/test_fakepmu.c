/* PAPI's real code on a PMU that is not there: a preloaded library answers perf_event_open and read with
 * known values or known errors (fakepmu.c), LIBPFM_FORCE_PMU makes libpfm believe in a CPU. Each case is this
 * program again, under its own environment. */
#include "testing.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "check_inside.h"
#include "fake_tree.h"
#include "ops/rec.h"
#include "roofline/count/counters.h"

enum { SKIPPED = 77, THREADS = 2, READS = 5 };

/* ---- inside: one scenario, whose checks are exits ---- */

static rg_counters *open_here(rg_counters_mode mode, int threads)
{
    rg_host h;
    rg_err err;
    rg_counters *c = NULL;
    rg_host_here(&h);
    h.root = getenv("FAKE_ROOT"); /* a host with a PMU, whatever this one has */
    if (rg_counters_open(&c, mode, threads, &h, &err) != RG_OK) abort();
    return c;
}

static const rg_metric *metric(const rg_counters *c, const char *name)
{
    int n;
    const rg_metric *m = rg_counters_metrics(c, &n);
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return &m[i];
    fprintf(stderr, "no metric %s\n", name);
    abort();
}

typedef struct worker {
    rg_counters *c;
    int tid, rc, calls;
    uint32_t mask[8];
    uint64_t step[8][RG_MAX_CTR]; /* one read of each call */
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    const rg_probe *p = rg_counters_probe(w->c);
    if ((w->rc = p->thread_open(p->self, w->tid)) != 0) return NULL;
    for (int k = 0; k < w->calls; k++) {
        uint64_t a[RG_MAX_CTR] = {0}, b[RG_MAX_CTR] = {0};
        w->mask[k] = p->begin(p->self, w->tid);
        p->read(p->self, w->tid, a);
        p->read(p->self, w->tid, b);
        for (int i = 0; i < p->n_ctr; i++) w->step[k][i] = b[i] - a[i];
    }
    p->thread_close(p->self, w->tid);
    return NULL;
}

static void run_team(worker w[THREADS], rg_counters *c, int calls)
{
    pthread_t t[THREADS];
    memset(w, 0, THREADS * sizeof *w);
    for (int i = 0; i < THREADS; i++) {
        w[i].c = c;
        w[i].tid = i;
        w[i].calls = calls;
        if (pthread_create(&t[i], NULL, work, &w[i]) != 0) abort();
    }
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

/* Skylake server with PAPI's presets: PAPI_SP_OPS is 1, 4, 8 and 16 times its four events. */
static void presets(void)
{
    rg_counters *c = open_here(RG_COUNTERS_OP, THREADS);
    worker w[THREADS];
    CHECK(strcmp(rg_counters_status(c), "hardware") == 0);
    CHECK(rg_counters_reason(c) == NULL);
    CHECK(rg_counters_groups(c) == 1 && rg_counters_read_ns(c) > 0.0);
    CHECK(strcmp(metric(c, "flop")->events, "PAPI_SP_OPS") == 0);
    CHECK(strcmp(metric(c, "read_bytes")->events, "skx::OFFCORE_RESPONSE_0:ANY_DATA:L3_MISS") == 0);
    CHECK(!metric(c, "write_bytes")->available && metric(c, "write_bytes")->ctr == -1);
    CHECK(strstr(metric(c, "write_bytes")->reason, "none of the") &&
        strstr(metric(c, "write_bytes")->remedy, "PAPI_CSV_EVENT_FILE"));
    run_team(w, c, READS);
    for (int t = 0; t < THREADS; t++) {
        CHECK(w[t].rc == 0);
        for (int k = 0; k < READS; k++) {
            CHECK(w[t].step[k][metric(c, "cycles")->ctr] == 70);
            CHECK(w[t].step[k][metric(c, "instructions")->ctr] == 90);
            CHECK(w[t].step[k][metric(c, "flop")->ctr] == 300 + 4 * 400 + 8 * 500 + 16 * 600);
            CHECK(w[t].step[k][metric(c, "read_bytes")->ctr] == 64 * 11); /* lines of 64 bytes */
        }
    }
    char why[600];
    CHECK(rg_counters_sound(c, why, sizeof why));
    rg_counters_close(c);
}

/* Sapphire Rapids, which Debian 12's PAPI has no presets for: the sum is ours. */
static void recipes(void)
{
    rg_counters *c = open_here(RG_COUNTERS_LAYER, THREADS);
    worker w[THREADS];
    CHECK(strcmp(rg_counters_status(c), "hardware") == 0 && rg_counters_probe(c)->by_layer);
    CHECK(strstr(metric(c, "flop")->events, "16*spr::FP_ARITH_INST_RETIRED:512B_PACKED_SINGLE"));
    run_team(w, c, 1);
    for (int t = 0; t < THREADS; t++) {
        CHECK(w[t].rc == 0);
        CHECK(w[t].step[0][metric(c, "flop")->ctr] == 300 + 4 * 400 + 8 * 500 + 16 * 600);
        CHECK(w[t].step[0][metric(c, "read_bytes")->ctr] == 64 * 2 * 11); /* two events of one code */
    }
    rg_counters_close(c);
}

/* Presets from a table of the user's. */
static void csv(void)
{
    rg_counters *c = open_here(RG_COUNTERS_OP, 1);
    char lib[400];
    CHECK(rg_counters_library(lib, sizeof lib) && strstr(lib, "PAPI_CSV_EVENT_FILE="));
    CHECK(strcmp(metric(c, "cycles")->events, "PAPI_TOT_CYC") == 0);
    CHECK(strcmp(metric(c, "instructions")->events, "PAPI_TOT_INS") == 0);
    CHECK(strstr(metric(c, "flop")->events, "spr::")); /* the table has no PAPI_SP_OPS */
    rg_counters_close(c);
}

/* Four counters: the six events of cycles, instructions and PAPI_SP_OPS do not fit together, so groups take
 * turns. */
static void rotation(void)
{
    rg_counters *c = open_here(RG_COUNTERS_OP, THREADS);
    worker w[THREADS];
    CHECK(rg_counters_groups(c) == 2);
    CHECK(metric(c, "cycles")->group == 0 && metric(c, "instructions")->group == 0 &&
        metric(c, "flop")->group == 1 && metric(c, "read_bytes")->group == 0);
    run_team(w, c, 4);
    for (int t = 0; t < THREADS; t++)
        for (int k = 0; k < 4; k++) {
            CHECK(w[t].mask[k] ==
                (k % 2 == 0 ? (1u << metric(c, "cycles")->ctr | 1u << metric(c, "instructions")->ctr |
                                  1u << metric(c, "read_bytes")->ctr)
                            : 1u << metric(c, "flop")->ctr));
            CHECK(w[t].step[k][metric(c, "flop")->ctr] == (k % 2 ? 15500 : 0));
            CHECK(w[t].step[k][metric(c, "cycles")->ctr] == (k % 2 ? 0 : 70));
        }
    rg_counters_turn(c); /* the next repetition begins with the other group */
    run_team(w, c, 1);
    CHECK(w[0].mask[0] == 1u << metric(c, "flop")->ctr);
    char why[600];
    CHECK(rg_counters_sound(c, why, sizeof why));
    rg_counters_close(c);
}

/* Hardware events are refused: software events or nothing, the reason and the remedy in every metric, and no
 * crash. */
static void refused(const char *reason, const char *remedy, const char *status)
{
    rg_counters *c = open_here(RG_COUNTERS_OP, THREADS);
    if (!strstr(rg_counters_reason(c), reason) || !strstr(rg_counters_reason(c), remedy))
        fprintf(stderr, "%s\n", rg_counters_reason(c));
    CHECK(strcmp(rg_counters_status(c), status) == 0);
    CHECK(strstr(rg_counters_reason(c), reason) && strstr(rg_counters_reason(c), remedy));
    CHECK(!metric(c, "cycles")->available && strstr(metric(c, "cycles")->reason, reason) &&
        strstr(metric(c, "cycles")->remedy, remedy));
    if (rg_counters_probe(c)) {
        worker w[THREADS];
        run_team(w, c, 2);
        char why[600];
        CHECK(w[0].rc == 0 && w[1].rc == 0 && rg_counters_sound(c, why, sizeof why));
        CHECK(metric(c, "task_clock_ns")->available && w[0].step[0][metric(c, "task_clock_ns")->ctr] > 0);
    }
    rg_counters_close(c);
}

/* The descriptors run out when the second thread opens: the sums would be short, so there are none, and it is
 * said. */
static void late(void)
{
    rg_counters *c = open_here(RG_COUNTERS_OP, THREADS);
    worker w[THREADS];
    CHECK(strcmp(rg_counters_status(c), "hardware") == 0);
    setenv("FAKEPMU_AFTER", "0", 1);
    setenv("FAKEPMU", "emfile", 1);
    run_team(w, c, 1);
    char why[600];
    CHECK(w[0].rc != 0 && w[1].rc != 0);
    CHECK(!rg_counters_sound(c, why, sizeof why));
    if (!strstr(why, "ulimit -n")) fprintf(stderr, "%s\n", why);
    CHECK(strstr(why, "could not open") && strstr(why, "ulimit -n"));
    setenv("FAKEPMU", "values", 1);
    rg_counters_close(c);
}

static void still(void)
{
    rg_counters *c = open_here(RG_COUNTERS_OP, 1);
    CHECK(!metric(c, "cycles")->available && strstr(metric(c, "cycles")->reason, "stands still"));
    rg_counters_close(c);
}

static int inside(const char *name)
{
    if (strcmp(name, "presets") == 0)
        presets();
    else if (strcmp(name, "recipes") == 0)
        recipes();
    else if (strcmp(name, "csv") == 0)
        csv();
    else if (strcmp(name, "rotation") == 0)
        rotation();
    else if (strcmp(name, "eacces") == 0)
        refused("perf_event_paranoid is 2", "sudo sysctl kernel.perf_event_paranoid=1", "software");
    else if (strcmp(name, "eperm") == 0)
        refused("perf_event_open is forbidden (EPERM)", "--cap-add PERFMON --security-opt seccomp=unconfined",
            "off");
    else if (strcmp(name, "enoent") == 0)
        refused("ENOENT", "a kernel that knows this CPU", "software");
    else if (strcmp(name, "ebusy") == 0)
        refused("the counters are taken (EBUSY): the NMI watchdog holds one",
            "sudo sysctl kernel.nmi_watchdog=0", "software");
    else if (strcmp(name, "emfile") == 0)
        refused("no file descriptors left (EMFILE)", "ulimit -n", "software");
    else if (strcmp(name, "late") == 0)
        late();
    else if (strcmp(name, "still") == 0)
        still();
    else
        return 2;
    return line_of_failure != 0;
}

/* ---- outside ---- */

static void scenario(const char *name, const char *const *env)
{
#if defined(RIDGE_SANITIZED)
    print_message("SKIPPED: a preloaded library and the sanitizers do not mix (%s)\n", name);
    (void)env;
    skip();
#else
    const char *shim = getenv("FAKEPMU_LIBRARY");
    char lib[64];
    if (!shim || access(shim, R_OK) != 0)
        fail_msg("FAKEPMU_LIBRARY names no library: run this test through ctest");
    if (!rg_counters_library(lib, sizeof lib)) {
        print_message("SKIPPED: built without PAPI (%s)\n", name);
        skip();
    }
    const char *root = fake_tree();
    fake_file(root, "/sys/bus/event_source/devices/cpu/type", "4\n");
    fake_file(root, "/proc/sys/kernel/perf_event_paranoid", "2\n");
    fake_file(root, "/proc/sys/kernel/nmi_watchdog", "1\n");
    fake_file(root, "/proc/self/status", "CapEff:\t0000000000000000\nSeccomp:\t2\n");
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        char self[512];
        const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n < 0) _exit(126);
        self[n] = 0;
        setenv("LD_PRELOAD", shim, 1);
        setenv("FAKE_ROOT", root, 1);
        setenv("FAKEPMU_VALUES", "3c=70,c0=90,2c7=300,8c7=400,20c7=500,80c7=600,1b7=11,12a=11", 1);
        for (int i = 0; env[i]; i += 2) setenv(env[i], env[i + 1], 1);
        execl(self, self, name, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) skip();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s: status 0x%x, see above", name, status);
#endif
}
#define SCENARIO(name, ...) \
    static void test_##name(void **state) \
    { \
        (void)state; \
        scenario(#name, (const char *const[]){__VA_ARGS__, NULL}); \
    }

SCENARIO(presets, "FAKEPMU", "values", "LIBPFM_FORCE_PMU", "skx")
SCENARIO(recipes, "FAKEPMU", "values", "LIBPFM_FORCE_PMU", "spr")
SCENARIO(rotation, "FAKEPMU", "values", "LIBPFM_FORCE_PMU", "skx", "FAKEPMU_COUNTERS", "4")
SCENARIO(eacces, "FAKEPMU", "eacces", "LIBPFM_FORCE_PMU", "skx")
SCENARIO(eperm, "FAKEPMU", "eperm", "LIBPFM_FORCE_PMU", "skx", "FAKEPMU_SOFTWARE", "eperm")
SCENARIO(enoent, "FAKEPMU", "enoent", "LIBPFM_FORCE_PMU", "skx")
SCENARIO(ebusy, "FAKEPMU", "ebusy", "LIBPFM_FORCE_PMU", "skx")
SCENARIO(emfile, "FAKEPMU", "emfile", "LIBPFM_FORCE_PMU", "skx")
SCENARIO(late, "FAKEPMU", "values", "LIBPFM_FORCE_PMU", "skx")
SCENARIO(still, "FAKEPMU", "still", "LIBPFM_FORCE_PMU", "skx")

static void test_csv(void **state)
{
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/events.csv", temp_dir());
    FILE *f = fopen(path, "w");
    fputs("CPU,spr\nPRESET,PAPI_TOT_CYC,NOT_DERIVED,UNHALTED_CORE_CYCLES\nPRESET,PAPI_TOT_INS,NOT_DERIVED,"
          "INST_RETIRED:ANY_P\n",
        f);
    fclose(f);
    scenario("csv",
        (const char *const[]){
            "FAKEPMU", "values", "LIBPFM_FORCE_PMU", "spr", "PAPI_CSV_EVENT_FILE", path, NULL});
}

int main(int argc, char **argv)
{
    if (argc == 2) return inside(argv[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_presets), cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_csv), cmocka_unit_test(test_rotation), cmocka_unit_test(test_eacces),
        cmocka_unit_test(test_eperm), cmocka_unit_test(test_enoent), cmocka_unit_test(test_ebusy),
        cmocka_unit_test(test_emfile), cmocka_unit_test(test_late), cmocka_unit_test(test_still)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
