/* Counted bytes against simulated ones: operators run through the engine's drivers under valgrind's cache
 * simulation, whose last level is given the size of the private cache that the drivers reckon with. Valgrind
 * presents a CPU with AVX2, so that path runs.
 *
 * Simulated reads are read misses, simulated writes are lines evicted dirty. What the call itself costs (its
 * stack, record and code) is measured with an empty operator and taken off. Sizes keep away from the edge,
 * where data just fits or just does not, and from widths of a power of two, where the sets of the cache and
 * not its size decide: neither is what the counters count. */
#include "testing.h"

#include <jansson.h>
#include <sys/wait.h>

#include "tempdir.h"

enum { SMALL = 512 << 10, LARGE = 1 << 20, LINE = 64 }; /* private caches */

typedef struct traffic {
    int64_t read, written; /* bytes */
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
        "--I1=32768,8,%d --D1=32768,8,%d --LL=%d,16,%d "
        "--toggle-collect=rg_collected "
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
    *counted = (traffic){
        COUNTED("w_rd") + COUNTED("act_rd") + COUNTED("kv_rd"), COUNTED("act_wr") + COUNTED("kv_wr")};
    const traffic t = {total_of(file, "DLmr") * LINE - COUNTED("flush"),
        (total_of(file, "DLdmr") + total_of(file, "DLdmw")) * LINE};
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
    return (traffic){all.read - call.read, all.written - call.written};
}

/* Larger than the cache: counted and simulated bytes differ by at most 2 %. */
static void expect_near_in(int cache, const char *args)
{
    traffic c;
    const traffic s = moved(cache, args, &c);
    const double all = (double)(c.read + c.written), off = (double)(s.read + s.written) - all;
    print_message("%s: counted %lld read, %lld written; simulated %lld, %lld: %+.2f %%\n", args,
        (long long)c.read, (long long)c.written, (long long)s.read, (long long)s.written, 100.0 * off / all);
    assert_true(all > cache);
    if (fabs(off) > 0.02 * all) fail_msg("%s: off by %+.2f %%", args, 100.0 * off / all);
}

static void expect_near(const char *args) { expect_near_in(SMALL, args); }

/* Cold and within the cache: what a larger operator moves more is what it counts more. The difference takes
 * off the lines of stack and constants that a call of the operator touches and an empty one does not; they
 * are also bounded here. Where a frame ends within a line depends on where the system puts the stack, so one
 * call may touch a line or two more than the other. */
static void expect_same_growth(const char *small, const char *large)
{
    enum { FRAME = 4 * LINE, CALL_READS = 10 * LINE, CALL_WRITES = 32 * LINE };
    traffic c1, c2;
    const traffic s1 = moved(SMALL, small, &c1), s2 = moved(SMALL, large, &c2);
    const int64_t counted[2] = {c2.read - c1.read, c2.written - c1.written},
                  simulated[2] = {s2.read - s1.read, s2.written - s1.written};
    print_message("%s -> %s: counted %lld + %lld, simulated %lld + %lld; the call %lld + %lld\n", small,
        large, (long long)counted[0], (long long)counted[1], (long long)simulated[0], (long long)simulated[1],
        (long long)(s1.read - c1.read), (long long)(s1.written - c1.written));
    if (llabs(simulated[0] - counted[0]) > FRAME || llabs(simulated[1] - counted[1]) > FRAME)
        fail_msg("%s -> %s: the growth differs", small, large);
    if (llabs(s1.read - c1.read) > CALL_READS || llabs(s1.written - c1.written) > CALL_WRITES)
        fail_msg("%s: the call costs too much", small);
}

static void linear_one_token(void **state)
{
    (void)state;
    need_valgrind();
    expect_near("linear m=1 k=1408 n=992 type=f16");
    expect_near("linear m=1 k=1408 n=1504 type=q4g64");
    expect_same_growth("linear m=1 k=256 n=64 type=q4g64", "linear m=1 k=256 n=256 type=q4g64");
}

static void linear_many_tokens(void **state)
{
    (void)state;
    need_valgrind();
    expect_near("linear m=64 k=1408 n=480 type=f16"); /* x comes again for every group of panels */
    expect_near("linear m=64 k=1408 n=480 type=q4g64");
    expect_near("linear m=24 k=704 n=992 type=f16"); /* x stays */
    expect_same_growth("linear m=24 k=128 n=64 type=q4g64", "linear m=24 k=128 n=128 type=q4g64");
}

/* Outputs of the product itself stay in the cache, and what they are added to or multiplied with passes
 * once. */
static void fused_products(void **state)
{
    (void)state;
    need_valgrind();
    expect_near("linear_add m=1 k=1408 n=992 type=f16");
    expect_near("linear_swiglu m=64 k=1408 n=480 type=f16");
    expect_near("linear_add m=200 k=300 n=992 type=f16");
}

static void attention(void **state)
{
    (void)state;
    need_valgrind();
    expect_near("attn m=1 pos=4095 h=8 g=2 hd=64 kv=f16");
    /* a head is longer than the cache: it comes again for every block of tokens */
    expect_near("attn m=8 pos=4080 h=8 g=2 hd=64 kv=f16");
    /* a head stays, and the scratch of many tokens beside it */
    expect_near_in(LARGE, "attn m=512 pos=0 h=4 g=1 hd=64 kv=f16");
    expect_same_growth("attn m=16 pos=0 h=4 g=2 hd=64 kv=f16", "attn m=32 pos=0 h=4 g=2 hd=64 kv=f16");
}

static void norms(void **state)
{
    (void)state;
    need_valgrind();
    expect_near("rmsnorm m=128 k=2048");
    expect_same_growth("rmsnorm m=8 k=256", "rmsnorm m=32 k=256");
}

static void elementwise(void **state)
{
    (void)state;
    need_valgrind();
    expect_near("add m=128 k=2048");
    expect_near("kv_put m=1024 g=2 hd=64 kv=f16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear_one_token),
        cmocka_unit_test(linear_many_tokens), cmocka_unit_test(fused_products), cmocka_unit_test(attention),
        cmocka_unit_test(norms), cmocka_unit_test(elementwise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
