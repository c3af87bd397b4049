/* The names of events.def against libpfm's tables, which need no hardware: a name that does not encode would
 * be "not available" for ever, without anybody noticing the typo. */
#include "testing.h"

#ifdef RIDGE_HAVE_PFM
#include <linux/perf_event.h>
#include <perfmon/pfmlib.h>
#include <perfmon/pfmlib_perf_event.h>

typedef enum names_from { PRESET, KERNEL, PFM413, PFMNEW, PFMARM } names_from;
static const struct {
    names_from from;
    const char *events, *cpus;
} recipes[] = {
#define RG_RECIPE(metric, from, events, cpus) {from, events, cpus},
#include "roofline/count/events.def"
};

static bool encodes(const char *name, const char **why)
{
    struct perf_event_attr a = {.size = sizeof a};
    char *full = NULL;
    pfm_perf_encode_arg_t x = {.attr = &a, .fstr = &full, .size = sizeof x};
    int rc = pfm_get_os_event_encoding(name, PFM_PLM3, PFM_OS_PERF_EVENT, &x);
    free(full);
    /* the kernel may not have the PMU that the code is for: the table has the name all the same */
    if (rc != PFM_SUCCESS) {
        pfm_pmu_encode_arg_t e = {.size = sizeof e};
        rc = pfm_get_os_event_encoding(name, PFM_PLM3, PFM_OS_NONE, &e);
        free(e.codes);
    }
    *why = pfm_strerror(rc);
    return rc == PFM_SUCCESS;
}

static void names_encode(void **state)
{
    (void)state;
    setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
    assert_int_equal(pfm_initialize(), PFM_SUCCESS);
    const int version = pfm_get_version();
    const bool new = PFM_MAJ_VERSION(version) > 4 || PFM_MIN_VERSION(version) > 13;
    int bad = 0, checked = 0, waiting = 0;
    for (size_t r = 0; r < sizeof recipes / sizeof *recipes; r++) {
        char copy[640], *save = NULL;
        assert_true(snprintf(copy, sizeof copy, "%s", recipes[r].events) < (int)sizeof copy);
        if (recipes[r].from == PRESET) { /* PAPI's, not libpfm's */
            assert_int_equal(strncmp(copy, "PAPI_", 5), 0);
            continue;
        }
        for (char *w = strtok_r(copy, " +", &save); w; w = strtok_r(NULL, " +", &save)) {
            const char *name = strchr(w, '*') ? strchr(w, '*') + 1 : w, *why;
            const bool ok = encodes(name, &why);
#if defined(__aarch64__)
            const bool must = recipes[r].from == KERNEL || recipes[r].from == PFMARM;
#else
            const bool must =
                recipes[r].from == KERNEL || recipes[r].from == PFM413 || (recipes[r].from == PFMNEW && new);
            if (recipes[r].from == PFMNEW && !new &&ok) {
                print_error("%s: marked as wanting a newer libpfm, but %d.%d encodes it\n", name,
                    PFM_MAJ_VERSION(version), PFM_MIN_VERSION(version));
                bad++;
            }
#endif
            if (must && !ok) {
                print_error("%s (%s): %s\n", name, recipes[r].cpus, why);
                bad++;
            }
            checked += must;
            waiting += !must;
        }
    }
    pfm_terminate();
    print_message("libpfm %d.%d: %d names encode, %d are of newer or other libraries\n",
        PFM_MAJ_VERSION(version), PFM_MIN_VERSION(version), checked, waiting);
    assert_int_equal(bad, 0);
    assert_true(checked > 3);
}
#else
static void names_encode(void **state)
{
    (void)state;
    print_message("SKIPPED: the names of events.def are checked with libpfm4-dev\n");
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_encode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
