/* checkkern: every row of kernels.def against plain C and float64, within the bounds of its kind; with
 * --bench, against the roof of its instruction. A line per row. */
#include "checkkern.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include "base/sysinfo.h"
#include "bench_kernels.h"

typedef struct kind_check {
    const char *group;
    void (*check)(const rg_kernel_row *row);
} kind_check;
static const kind_check checks[RG_FN_COUNT] = {
#define RG_FN(fn, proto, member, arith, group) {#group, check_##fn},
#include "base/kinds.def"
};

static sigjmp_buf next;
static char note[256];

rg_isa top_isa(void)
{
    const char *cap = getenv("RIDGE_ISA");
    if (!cap || !*cap) return rg_isa_best();
    if (rg_isa_from_name(cap) < 0) check_fail("RIDGE_ISA=%s is no level", cap);
    return rg_isa_capped((rg_isa)rg_isa_from_name(cap));
}

void check_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(note, sizeof note, format, ap);
    va_end(ap);
    siglongjmp(next, 1);
}

void check_note(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(note, sizeof note, format, ap);
    va_end(ap);
}

static void beyond(int signal)
{
    static const char said[] = "reads or writes beyond its data";
    (void)signal;
    memcpy(note, said, sizeof said);
    siglongjmp(next, 1);
}

/* One line; whether it went well. */
static bool checked(const char *name, const rg_kernel_row *row, void (*whole)(void))
{
    const uint64_t start = rg_now_ns();
    *note = 0;
    const bool failed = sigsetjmp(next, 1);
    if (!failed) {
        if (row)
            checks[row->kind].check(row);
        else
            whole();
    }
    printf("%-7s %-38s %7.3f s  %s\n", failed ? "FAILED" : "ok", name, 1e-9 * (double)(rg_now_ns() - start),
        note);
    fflush(stdout);
    return !failed;
}

/* Groups, kinds, or parts of names; none: everything. */
static bool asked(int n, char **words, const char *group, const char *kind, const char *name)
{
    bool any = n == 0;
    for (int i = 0; i < n; i++)
        any = any || strcmp(words[i], group) == 0 || strcmp(words[i], kind) == 0 ||
            (strlen(words[i]) > 8 && strstr(name, words[i]));
    return any;
}

static int usage(void)
{
    fputs("usage: checkkern [GROUP|KIND|NAME...]   checks; groups: linear dot tile attn elem pack half\n"
          "       checkkern --bench [options]       times; checkkern --bench --help\n"
          "RIDGE_ISA caps the instruction set, RIDGE_SEED repeats a failure.\n",
        stderr);
    return 2;
}

int main(int argc, char **argv)
{
    int rows = 0, bad = 0, skipped = 0;
    char **words = argv + 1;
    const int n = argc - 1;
    if (n && strcmp(words[0], "--bench") == 0) return bench_main(n, words);
    if (n && *words[0] == '-') return usage();
    signal(SIGSEGV, beyond);
    signal(SIGBUS, beyond);
    for (const rg_kernel_row *r = rg_kernel_rows; r < rg_kernel_rows + rg_kernel_row_count; r++) {
        if (!asked(n, words, checks[r->kind].group, rg_fn_names[r->kind], r->name)) continue;
        rows++;
        if (rg_isa_has(r->isa) && (r->isa <= top_isa() || r->isa == RG_ISA_AMXEMU)) {
            bad += !checked(r->name, r, NULL);
        } else {
            char why[160] = "above RIDGE_ISA";
            if (!rg_isa_has(r->isa)) rg_isa_why_not(r->isa, why, sizeof why);
            printf("skipped %-38s %s\n", r->name, why);
            skipped++;
        }
    }
#define RUN(group, fn) \
    if (asked(n, words, #group, #fn, #fn)) { \
        rows++; \
        bad += !checked(#fn, NULL, fn); \
    }
    CHECK_WHOLE(RUN)
    if (rows == 0) return usage();
    printf("%d checked, %d failed, %d skipped\n", rows - skipped, bad, skipped);
    return bad ? 1 : 0;
}
