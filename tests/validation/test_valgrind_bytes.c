/* Counted bytes against simulated ones: operators run through the engine's drivers under valgrind's cache
 * simulation, whose last level is given the size of the private cache that the drivers reckon with. Valgrind
 * presents a CPU with AVX2, so that path runs.
 *
 *   test_valgrind_bytes           the quick cases, each within 2 %
 *   test_valgrind_bytes --page    all of them, as docs/counted-bytes.md
 *   test_valgrind_bytes --page WORD   its rows with that word alone
 *
 * Simulated reads are read misses, simulated writes are lines evicted dirty. What the call itself costs (its
 * stack, record and code) is measured with an empty operator and taken off. Sizes keep away from the edge,
 * where data just fits or just does not: that is not what the counters count. */
#include "testing.h"

#include <jansson.h>
#include <sys/wait.h>

#include "tempdir.h"

/* one_op starts the simulation where it can. */
#if __has_include(<valgrind/callgrind.h>)
#define LATER "--instr-atstart=no "
#else
#define LATER ""
#endif

enum { SMALL = 512 << 10, LARGE = 1 << 20, LINE = 64 }; /* private caches */

typedef struct traffic {
    int64_t read, written; /* bytes */
    char kernel[16];       /* that moved them */
} traffic;

/* Output of a shell command; NULL if it failed. */
static char *output_of(const char *cmd)
{
    size_t n = 0;
    FILE *p = popen(cmd, "r");
    char *text = calloc(1, 1 << 16);
    assert_non_null(p);
    assert_non_null(text);
    while (n < (1 << 16) - 1) {
        const size_t got = fread(text + n, 1, (1 << 16) - 1 - n, p);
        if (got == 0) break;
        n += got;
    }
    const int rc = pclose(p);
    if (rc == 0) return text;
    free(text);
    return NULL;
}

static void need_valgrind(void)
{
#if defined(__SANITIZE_ADDRESS__)
    print_message("SKIPPED: a build with sanitizers does not run under valgrind\n");
    skip();
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    print_message("SKIPPED: a build with sanitizers does not run under valgrind\n");
    skip();
#endif
#endif
    if (getenv("RIDGE_ISA")) {
        print_message("SKIPPED: valgrind's CPU decides the instruction set, RIDGE_ISA does not\n");
        skip();
    }
    char *v = output_of("valgrind --version 2>/dev/null");
    if (!v) {
        print_message("SKIPPED: valgrind is not installed\n");
        skip();
    }
    free(v);
}

/* The last "totals:" of a callgrind file by the names of its "events:". Trailing zeros are left out there. */
static int64_t total_of(const char *text, const char *event)
{
    char names[256] = "", totals[512] = "";
    const char *e = strstr(text, "\nevents:"), *t = strstr(text, "\ntotals:");
    if (!t) t = strstr(text, "\nsummary:");
    assert_non_null(e);
    assert_non_null(t);
    snprintf(names, sizeof names, "%.*s", (int)strcspn(e + 8, "\n"), e + 8);
    snprintf(totals, sizeof totals, "%.*s", (int)strcspn(strchr(t, ':') + 1, "\n"), strchr(t, ':') + 1);
    char *save_n = NULL, *save_t = NULL, *name = strtok_r(names, " ", &save_n),
         *value = strtok_r(totals, " ", &save_t);
    for (; name; name = strtok_r(NULL, " ", &save_n), value = value ? strtok_r(NULL, " ", &save_t) : NULL)
        if (strcmp(name, event) == 0) return value ? strtoll(value, NULL, 10) : 0;
    fail_msg("callgrind did not write %s", event);
    return 0;
}

static traffic simulate(int cache, const char *args, const char *more, traffic *counted)
{
    char cmd[1024], path[128];
    size_t n;
    snprintf(path, sizeof path, "%s/callgrind.out", temp_dir());
    /* The environment and the name of the program lie on the stack and would shift every line of it. */
    snprintf(cmd, sizeof cmd,
        "cd '%s' && env -i \"$(command -v valgrind)\" --tool=callgrind --cache-sim=yes --simulate-wb=yes "
        "--I1=32768,8,%d --D1=32768,8,%d --LL=%d,16,%d " LATER "--toggle-collect=rg_collected "
        "--callgrind-out-file='%s' ./one_op %s l2=%d %s 2>'%s/err'",
        ONE_OP_DIR, LINE, LINE, cache, LINE, path, args, cache, more, temp_dir());
    char *said = output_of(cmd);
    if (!said) {
        snprintf(path, sizeof path, "%s/err", temp_dir());
        fail_msg("%s\nfailed:\n%s", cmd, (const char *)read_all(path, &n));
    }
    json_t *j = json_loads(said, 0, NULL);
    if (!j) fail_msg("%s said: %s", args, said);
    char *file = read_all(path, &n);
#define COUNTED(key) json_integer_value(json_object_get(j, key))
    *counted = (traffic){.read = COUNTED("w_rd") + COUNTED("act_rd") + COUNTED("kv_rd"),
        .written = COUNTED("act_wr") + COUNTED("kv_wr")};
    snprintf(counted->kernel, sizeof counted->kernel, "%s", json_string_value(json_object_get(j, "kernel")));
    const traffic t = {.read = total_of(file, "DLmr") * LINE - COUNTED("flush"),
        .written = (total_of(file, "DLdmr") + total_of(file, "DLdmw")) * LINE};
    json_decref(j);
    free(file);
    free(said);
    return t;
}

/* What the operator alone moved. */
static traffic moved(int cache, const char *args, traffic *counted)
{
    traffic none;
    const traffic all = simulate(cache, args, "", counted), call = simulate(cache, args, "empty=1", &none);
    assert_int_equal(none.read + none.written, 0);
    return (traffic){.read = all.read - call.read, .written = all.written - call.written};
}

/* Operators whose operands are larger than the cache. */
typedef struct large {
    const char *args;
    int cache;
    bool quick; /* in the test; else only on the page */
} large;
static const large larges[] = {
    /* one token */
    {"linear m=1 k=1408 n=992 type=f16", SMALL, true},
    {"linear m=1 k=1408 n=1504 type=q4g64", SMALL, false},
    {"linear m=1 k=1000 n=992 type=q8g32", SMALL, true}, /* padding columns are not read */
    {"linear m=1 k=1000 n=1504 type=q4g64", SMALL, false},
    {"linear m=1 k=2048 n=2048 type=f16", SMALL, false},
    {"linear m=1 k=4096 n=4096 type=q4g64", SMALL, false},
    {"linear m=1 k=14336 n=4096 type=q4g64", SMALL, false},
    {"linear_add m=1 k=1408 n=992 type=f16", SMALL, true},
    {"linear_swiglu m=1 k=2048 n=5632 type=q4g64", SMALL, false},
    /* a few */
    {"linear m=8 k=2048 n=2048 type=f16", SMALL, false},
    {"linear m=16 k=4096 n=1024 type=q4g64", SMALL, false},
    /* many: x comes again for every group of panels */
    {"linear m=64 k=1408 n=480 type=f16", SMALL, false},
    {"linear m=64 k=1408 n=480 type=q4g64", SMALL, false},
    {"linear m=64 k=2048 n=2048 type=f16", SMALL, true},
    {"linear m=64 k=512 n=4096 type=q4g64", SMALL, true},
    {"linear m=64 k=4096 n=512 type=q4g64", SMALL, true},
    {"linear m=77 k=1408 n=992 type=bf16", SMALL, true},
    {"linear m=48 k=5632 n=512 type=f16", SMALL, true},
    {"linear m=48 k=544 n=5632 type=q4g64", SMALL, false},
    {"linear m=33 k=14336 n=256 type=q8g32", SMALL, true},
    {"linear m=128 k=2048 n=2048 type=f16", SMALL, false},
    {"linear m=128 k=2048 n=2048 type=f16", LARGE, false},
    {"linear m=64 k=5632 n=2048 type=f16", SMALL, false},
    {"linear m=300 k=2048 n=256 type=f16", SMALL, false}, /* sums that just fit */
    {"linear m=33 k=4096 n=256 type=q4g64 act=q8", SMALL, false},
    /* pieces of 8 panels of 16-bit weights lie in the same half of the sets */
    {"linear m=64 k=4096 n=256 type=f16 act=bf16", SMALL, false},
    {"linear m=24 k=704 n=992 type=f16", SMALL, false}, /* x stays */
    {"linear_swiglu m=64 k=1408 n=480 type=f16", SMALL, false},
    {"linear_swiglu m=64 k=2048 n=1056 type=bf16", SMALL, false},
    {"linear_swiglu m=37 k=328 n=1000 type=q4g64", SMALL, true},
    {"linear_add m=96 k=300 n=992 type=f16", SMALL, true},
    {"linear_add m=48 k=5632 n=2048 type=f16", LARGE, false},
    /* experts: of one token, of a few that share some, of many; tokens choose by chance, alike, or some
     * experts
     * more often */
    {"linear_exps m=1 k=2048 n=1024 e=64 u=8 type=f16 route=uniform", SMALL, false},
    {"linear_exps m=1 k=2048 n=768 e=128 u=8 type=q4g32 route=uniform", SMALL, false},
    {"linear_swiglu_exps m=1 k=2048 n=1024 e=64 u=8 type=q4g32 route=same", SMALL, false},
    {"linear_sum_exps m=1 k=1024 n=2048 e=64 u=8 type=q4g32 route=uniform", SMALL, true},
    {"linear_exps m=8 k=2048 n=768 e=32 u=4 type=q4g32 route=uniform", SMALL, true},
    {"linear_exps m=8 k=2048 n=768 e=32 u=4 type=f16 route=zipf", SMALL, false},
    {"linear_swiglu_exps m=8 k=1024 n=512 e=32 u=8 type=q4g32 route=zipf", SMALL, true},
    {"linear_sum_exps m=8 k=768 n=2048 e=32 u=4 type=q4g32 route=zipf", SMALL, true},
    {"linear_sum_exps m=8 k=1024 n=2048 e=16 u=4 type=f16 route=same", SMALL, false},
    {"linear_exps m=48 k=1024 n=512 e=16 u=4 type=f16 route=zipf", SMALL, true},
    {"linear_exps m=48 k=1024 n=512 e=16 u=4 type=q4g32 route=uniform", SMALL, false},
    {"linear_swiglu_exps m=40 k=2048 n=768 e=8 u=2 type=q4g32 route=same", SMALL, false},
    {"linear_sum_exps m=48 k=768 n=2048 e=8 u=2 type=f16 route=uniform", SMALL, false},
    {"linear_sum_exps m=48 k=512 n=1024 e=16 u=4 type=q4g32 route=zipf", SMALL, true},
    {"linear_sum_exps m=48 k=512 n=1024 e=16 u=4 type=q4g32 route=zipf", LARGE, false},
    /* attention: a head is longer than the cache and comes again for every block of tokens; or stays, and the
     * scratch of many tokens beside it */
    {"attn m=1 pos=4095 h=8 g=2 hd=64 kv=f16", SMALL, true},
    {"attn m=8 pos=4080 h=8 g=2 hd=64 kv=f16", SMALL, true},
    {"attn m=512 pos=0 h=4 g=1 hd=64 kv=f16", LARGE, true},
    {"rmsnorm m=128 k=2048", SMALL, true},
    {"add m=128 k=2048", SMALL, true},
    {"kv_put m=1024 g=2 hd=64 kv=f16", SMALL, true},
};
enum { LARGES = sizeof larges / sizeof *larges };

/* Simulated over counted, minus 1. */
static double off_by(const large *l, traffic *counted, traffic *simulated)
{
    *simulated = moved(l->cache, l->args, counted);
    const int64_t all = counted->read + counted->written;
    assert_true(all > l->cache);
    return (double)(simulated->read + simulated->written) / (double)all - 1.0;
}

static void larger_than_the_cache(void **state)
{
    (void)state;
    need_valgrind();
    int failed = 0;
    for (const large *l = larges; l < larges + LARGES; l++) {
        traffic c, s;
        if (!l->quick) continue;
        const double off = off_by(l, &c, &s);
        print_message("%s: counted %lld read, %lld written; simulated %lld, %lld: %+.2f %%\n", l->args,
            (long long)c.read, (long long)c.written, (long long)s.read, (long long)s.written, 100.0 * off);
        failed += !(fabs(off) <= 0.02);
    }
    if (failed) fail_msg("%d are off by more than 2 %%", failed);
}

/* Cold and within the cache: what a larger operator moves more is what it counts more. The difference takes
 * off the lines of stack and constants that a call of the operator touches and an empty one does not; they
 * are also bounded here. Where a frame ends within a line depends on where the system puts the stack, so one
 * call may touch a line or two more than the other. */
static void expect_same_growth(const char *less, const char *more)
{
    enum { FRAME = 4 * LINE, CALL_READS = 10 * LINE, CALL_WRITES = 32 * LINE };
    traffic c1, c2;
    const traffic s1 = moved(SMALL, less, &c1), s2 = moved(SMALL, more, &c2);
    const int64_t counted[2] = {c2.read - c1.read, c2.written - c1.written},
                  simulated[2] = {s2.read - s1.read, s2.written - s1.written};
    print_message("%s -> %s: counted %lld + %lld, simulated %lld + %lld; the call %lld + %lld\n", less, more,
        (long long)counted[0], (long long)counted[1], (long long)simulated[0], (long long)simulated[1],
        (long long)(s1.read - c1.read), (long long)(s1.written - c1.written));
    if (llabs(simulated[0] - counted[0]) > FRAME || llabs(simulated[1] - counted[1]) > FRAME)
        fail_msg("%s -> %s: the growth differs", less, more);
    if (llabs(s1.read - c1.read) > CALL_READS || llabs(s1.written - c1.written) > CALL_WRITES)
        fail_msg("%s: the call costs too much", less);
}

static void within_the_cache(void **state)
{
    (void)state;
    need_valgrind();
    expect_same_growth("linear m=1 k=256 n=64 type=q4g64", "linear m=1 k=256 n=256 type=q4g64");
    expect_same_growth("linear m=24 k=128 n=64 type=q4g64", "linear m=24 k=128 n=128 type=q4g64");
    expect_same_growth("attn m=16 pos=0 h=4 g=2 hd=64 kv=f16", "attn m=32 pos=0 h=4 g=2 hd=64 kv=f16");
    expect_same_growth("rmsnorm m=8 k=256", "rmsnorm m=32 k=256");
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_head(const char *version)
{
    printf(
        "# Counted bytes, held against simulated ones\n\n"
        "Drivers count, at their outer loops, what passes a core's private cache (engine/README.md, Counted "
        "bytes). Here the same\n"
        "calls run, one thread with a cold cache, under %.*s's cache simulation: a last level of 16 ways and "
        "the size that the\n"
        "drivers reckon with. Its reads are read misses, its writes are lines evicted dirty; the cost of an "
        "empty operator is taken off.\n"
        "Widths of real models are among them: rows a multiple of a power of two apart meet in few sets of a "
        "cache. Valgrind presents\n"
        "a CPU with AVX2, so these are that level's kernels. Real caches place lines by physical address, "
        "replace them not quite by\n"
        "age, and prefetch; where data just fits or just does not, the count is a step and they are not. "
        "Two things are not counted:\n"
        "pieces of 8 panels of 16-bit weights at a power of two fall into the same half of the sets (--act "
        "bf16), and x of one token\n"
        "that fills the first cache is fetched again.\n\n"
        "`build/release/tests/validation/test_valgrind_bytes --page >docs/counted-bytes.md` makes this page "
        "(twenty minutes; with a word\n"
        "behind `--page`, rows that hold it alone); without it some of the rows are a test, each within "
        "2 %%.\n\n"
        "| operator | call | kernel | cache | counted MB | simulated MB | simulated / counted - 1 |\n"
        "|---|---|---|---:|---:|---:|---:|\n",
        (int)strcspn(version, "\n"), version);
}

/* word: of the rows that are wanted; "": the whole page. */
static int page(const char *word)
{
    double off[LARGES];
    int n = 0;
    need_valgrind();
    char *version = output_of("valgrind --version");
    if (!*word) print_head(version);
    free(version);
    for (int i = 0; i < LARGES; i++) {
        const large *l = &larges[i];
        traffic c, s;
        if (!strstr(l->args, word)) continue;
        const double d = off_by(l, &c, &s);
        const int op = (int)strcspn(l->args, " ");
        off[n++] = fabs(d);
        printf("| %.*s | %s | %s | %d KiB | %.2f | %.2f | %+.2f %% |\n", op, l->args, l->args + op + 1,
            c.kernel, l->cache >> 10, 1e-6 * (double)(c.read + c.written),
            1e-6 * (double)(s.read + s.written), 100.0 * d);
        fflush(stdout);
    }
    if (*word) return 0;
    qsort(off, (size_t)n, sizeof *off, by_size);
    printf("\nOff by %.2f %% in the median of %d calls, by %.2f %% at most.\n", 100.0 * off[n / 2], n,
        100.0 * off[n - 1]);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--page") == 0) return page(argc > 2 ? argv[2] : "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_than_the_cache), cmocka_unit_test(within_the_cache)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
