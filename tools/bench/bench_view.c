/* ridge bench on a terminal: the sentence to repeat, what disturbed it, and at most ten rows, those of a test
 * below one another. */
#include <math.h>

#include "report/cells.h"
#include "tools/bench/bench.h"

enum { MOST_ROWS = 10 };

static const rg_bench_row *row_of(const rg_bench *b, int setting, int test)
{
    const rg_bench_row *r = &b->row[setting * b->n_tests + test];
    return r->n ? r : NULL;
}

static const char *label_of(const rg_bench *b, int setting) { return b->setting[setting].label; }

/* "95 % interval 3.5 to 3.7", "range of 5 samples ..." where they are too few for that. */
static const char *interval(char *buf, size_t n, int samples, double low, double high)
{
    if (!isfinite(low) || !isfinite(high)) return rg_text(buf, n, "too few samples for an interval");
    rg_text(buf, n, samples < 6 ? "range of %d samples " : "95 %% interval ", samples);
    rg_text_add(buf, n, "%s to %s", RG_NUM(low), RG_NUM(high));
    return buf;
}

/* ---- the sentence ---- */

/* The first test of its kind; -1: none. */
static int test_of(const rg_bench *b, bool gen)
{
    for (int t = 0; t < b->n_tests; t++)
        if ((b->test[t].gen > 0) == gen) return t;
    return -1;
}

static void alone(char *buf, size_t n, const rg_bench *b, int test)
{
    const rg_bench_row *r = row_of(b, 0, test);
    rg_doc_result d;
    if (!r) return;
    rg_bench_figures(&d, b, r);
    rg_text_add(buf, n, "%s %s tokens/s (%s)", b->test[test].gen ? "writes" : "reads a prompt at",
        RG_NUM(d.median_ts), interval((char[96]){0}, 96, r->n, d.ci95_low_ts, d.ci95_high_ts));
}

/* The fastest setting against the first. */
static void against_first(char *buf, size_t n, const rg_bench *b, int test)
{
    const rg_bench_row *first = row_of(b, 0, test), *best = NULL;
    rg_interval most = {.value = -INFINITY};
    int most_n = 0;
    for (int i = 1; i < b->n_settings && first; i++) {
        const rg_bench_row *r = row_of(b, i, test);
        int n_rounds = 0;
        const rg_interval s = r ? rg_bench_ratio(first, r, &n_rounds) : most;
        if (!(s.value > most.value)) continue;
        most = s;
        most_n = n_rounds;
        best = r;
    }
    if (!best) return;
    const char *name = label_of(b, best->setting), *base = label_of(b, 0);
    rg_text_add(buf, n, "%s: ", b->test[test].name);
    if (isfinite(most.low) && !rg_interval_apart(most))
        rg_text_add(buf, n, "%s and %s cannot be told apart (ratio %s to %s)", name, base, RG_NUM(most.low),
            RG_NUM(most.high));
    else
        rg_text_add(buf, n, "%s%s runs %s times as fast as %s (%s)", name,
            b->n_settings > 2 ? ", the fastest," : "", RG_NUM(most.value), base,
            interval((char[96]){0}, 96, most_n, most.low, most.high));
}

static void say(const rg_screen *s, const rg_bench *b)
{
    const int tests[] = {test_of(b, true), test_of(b, false)};
    char said[1200] = "";
    for (int i = 0; i < 2; i++) {
        char one[500] = "";
        if (tests[i] < 0) continue;
        if (b->n_settings > 1)
            against_first(one, sizeof one, b, tests[i]);
        else
            alone(one, sizeof one, b, tests[i]);
        if (*one) rg_text_add(said, sizeof said, "%s%s", *said ? "; " : "", one);
    }
    const rg_unit *u = &b->unit[0];
    if (b->n_settings > 1)
        rg_screen_say(s, RG_INK_HEAD, 0, "%s.", said);
    else
        rg_screen_say(s, RG_INK_HEAD, 0, "%s %s %s, with %d thread%s.", RG_CLEAN(128, u->model.config.name),
            u->model.dtype, said, u->info.threads, u->info.threads == 1 ? "" : "s");
}

/* ---- the rows ---- */

static const char *share(char *buf, size_t n, double x)
{
    return x > 1.02 ? "above it" : rg_percent(buf, n, x);
}

static const char *gain(char *buf, size_t n, const rg_bench_row *first, const rg_bench_row *r)
{
    int rounds;
    const rg_interval s = rg_bench_ratio(first, r, &rounds);
    if (rounds == 0) return "";
    rg_text(
        buf, n, rg_interval_apart(s) || !isfinite(s.low) ? "%s times" : "not told apart", RG_NUM(s.value));
    if (isfinite(s.low)) rg_text_add(buf, n, " (%s to %s)", RG_NUM(s.low), RG_NUM(s.high));
    return buf;
}

/* How many are left out. */
static int rows(rg_table *t, const rg_bench *b)
{
    const bool several = b->n_settings > 1;
    int n = 0;
    const char *const range = b->reps < 6 ? ">range" : ">95 % interval";
    const char *const one[] = {"<test", ">tokens/s", range, ">of its roof", "<limit", ">weights"},
                      *const many[] = {"<test", "<setting", ">tokens/s", range,
                          RG_TEXT(200, ">against %s", label_of(b, 0)), ">of its roof", "<limit", ">weights"};
    rg_table_head_n(t, several ? many : one, several ? 8 : 6);
    for (int test = 0; test < b->n_tests; test++)
        for (int i = 0; i < b->n_settings; i++) {
            const rg_bench_row *r = row_of(b, i, test), *first = row_of(b, 0, test);
            if (!r || n++ >= MOST_ROWS) continue;
            rg_doc_result d;
            rg_cells c = {.n = 0};
            rg_bench_figures(&d, b, r);
            rg_cells_add(&c, "s", b->test[test].name);
            if (several) rg_cells_add(&c, "s", label_of(b, i));
            rg_cells_add(&c, "ns", d.median_ts,
                isfinite(d.ci95_low_ts)
                    ? RG_TEXT(80, "%s to %s", RG_NUM(d.ci95_low_ts), RG_NUM(d.ci95_high_ts))
                    : "n/a");
            if (several) rg_cells_add(&c, "s", i && first ? gain((char[96]){0}, 96, first, r) : "");
            rg_cells_add(&c, "ssb", share((char[32]){0}, 32, d.roof_fraction), d.bound ? d.bound : "n/a",
                (double)rg_bench_unit_of(b, r)->model.resident_bytes);
            rg_cells_end(&c, t);
        }
    return n > MOST_ROWS ? n - MOST_ROWS : 0;
}

rg_status rg_bench_text(const rg_screen *s, const rg_bench *b, rg_err *err)
{
    rg_table t = {0};
    rg_lines l = {0};
    bool failed = false;
    say(s, b);
    const bool quiet = rg_bench_noise(&l, b);
    if (l.n) rg_screen_say(s, quiet ? RG_INK_DIM : RG_INK_WARN, 0, "%s", l.s[0]);
    fputc('\n', s->f);
    const int left = rows(&t, b);
    if (s->wide) {
        rg_table_free(&t);
    } else {
        rg_screen_table(s, 2, &t, &failed);
        if (left) rg_screen_say(s, RG_INK_DIM, 2, "%d rows more with --wide", left);
        fputc('\n', s->f);
        const int said = l.n;
        rg_bench_notes(&l, b);
        for (int i = said; i < l.n; i++) rg_screen_say(s, RG_INK_WARN, 2, "%s", l.s[i]);
        rg_screen_say(s, RG_INK_DIM, 2,
            "every figure: --wide; for programs: -o csv, json, jsonl, sql; curves on a page: --html FILE");
    }
    failed = failed || l.failed;
    rg_lines_free(&l);
    return rg_written(s->f, "bench", failed, err);
}
