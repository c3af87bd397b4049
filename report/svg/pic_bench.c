/* Pictures of `ridge bench`: throughput of every test, and its curves over depth and batch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/join.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"

enum { MOST_ROWS = 60, MOST_SETTINGS = 64 };
typedef enum work { PREFILL, DECODE, BOTH, WORKS } work;
static const char *const work_names[WORKS] = {"prefill", "decode", "prompt and generation together"};

static const json_t *at(const rg_doc *d, size_t i) { return json_array_get(rg_doc_rows(d), i); }
static size_t results(const rg_doc *d) { return json_array_size(rg_doc_rows(d)); }

static work work_of(const json_t *r)
{
    return !(rg_doc_num(r, "n_gen") > 0.0) ? PREFILL : !(rg_doc_num(r, "n_prompt") > 0.0) ? DECODE : BOTH;
}

/* Settings in the order of the report; *n: how many differ. */
static int setting_of(const rg_doc *d, size_t i, int *n)
{
    const char *seen[MOST_SETTINGS], *mine = rg_doc_text(at(d, i), "setting");
    int count = 0, found = 0;
    for (size_t k = 0; k < results(d) && count < MOST_SETTINGS; k++) {
        const char *s = rg_doc_text(at(d, k), "setting");
        bool known = false;
        for (int j = 0; j < count && !known; j++) known = strcmp(seen[j], s) == 0;
        if (known) continue;
        if (strcmp(s, mine) == 0) found = count;
        seen[count++] = s;
    }
    *n = count;
    return found;
}

static double at_roofs(const json_t *r)
{
    return 1e9 * rg_ratio(rg_doc_num(r, "tokens"), rg_doc_num(r, "ideal_ns"));
}

static void tip_of(char *buf, size_t n, const json_t *r, bool settings)
{
    char s[96], t[64], a[32], b[32], c[32], e[32], g[32];
    snprintf(buf, n,
        "%s%s%s\nmedian %s tokens/s, interval %s to %s, %.0f samples\nat the roofs %s tokens/s: %s reached",
        rg_text_clean(t, sizeof t, rg_doc_text(r, "test")), settings ? ", " : "",
        settings ? rg_text_clean(s, sizeof s, rg_doc_text(r, "setting")) : "",
        rg_num(a, sizeof a, rg_doc_num(r, "median_ts")), rg_num(b, sizeof b, rg_doc_num(r, "ci95_low_ts")),
        rg_num(c, sizeof c, rg_doc_num(r, "ci95_high_ts")),
        (double)json_array_size(rg_doc_get(r, "samples_ts")), rg_num(e, sizeof e, at_roofs(r)),
        rg_percent(g, sizeof g, rg_doc_num(r, "roof_fraction")));
}

static const char *sub_of(char *buf, size_t n, const rg_doc *d)
{
    char model[96], cpu[96];
    bool same = true;
    for (size_t i = 1; i < results(d); i++)
        same = same && strcmp(rg_doc_text(at(d, 0), "model_type"), rg_doc_text(at(d, i), "model_type")) == 0;
    snprintf(buf, n, "%s; %s",
        same ? rg_text_clean(model, sizeof model, rg_doc_text(at(d, 0), "model_type"))
             : "several models or types",
        rg_text_clean(cpu, sizeof cpu, rg_doc_text(d->json, "machine.cpu")));
    return buf;
}

/* ---- throughput ---- */

bool rg_picture_can_bench_speed(const rg_reports *s, size_t index)
{
    return index == 0 && results(rg_reports_other(s)) > 0;
}

static void dot_of(rg_dot *x, const rg_doc *d, size_t i)
{
    const json_t *r = at(d, i);
    char t[64], s[96], a[32], b[32], c[32], e[32];
    int n = 0;
    *x = (rg_dot){.value = rg_doc_num(r, "median_ts"),
        .low = rg_doc_num(r, "ci95_low_ts"),
        .high = rg_doc_num(r, "ci95_high_ts"),
        .ideal = at_roofs(r),
        .sample = rg_doc_get(r, "samples_ts"),
        .series = setting_of(d, i, &n)};
    rg_text_clean(t, sizeof t, rg_doc_text(r, "test"));
    if (n > 1)
        snprintf(
            x->label, sizeof x->label, "%.34s, %s", t, rg_text_clean(s, sizeof s, rg_doc_text(r, "setting")));
    else
        snprintf(x->label, sizeof x->label, "%s", t);
    if (isfinite(x->low))
        snprintf(x->text, sizeof x->text, "%s (%s to %s), %s of the roofs", rg_num(a, sizeof a, x->value),
            rg_num(b, sizeof b, x->low), rg_num(c, sizeof c, x->high),
            rg_percent(e, sizeof e, rg_doc_num(r, "roof_fraction")));
    else
        snprintf(x->text, sizeof x->text, "%s, %s of the roofs", rg_num(a, sizeof a, x->value),
            rg_percent(e, sizeof e, rg_doc_num(r, "roof_fraction")));
    tip_of(x->tip, sizeof x->tip, r, n > 1);
    snprintf(x->at, sizeof x->at, "results.%zu", i);
}

rg_status rg_picture_bench_speed(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    rg_dot *dot = calloc(results(d) * WORKS + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[WORKS];
    char sub[256];
    int n = 0;
    (void)index;
    if (!dot) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (int w = 0; w < WORKS; w++) {
        rg_dot_panel *p = &panel[n];
        size_t all = 0;
        double lo = INFINITY, hi = 0.0;
        *p = (rg_dot_panel){.unit = "tokens/s", .reference = NAN, .dot = next};
        for (size_t i = 0; i < results(d); i++) {
            if ((int)work_of(at(d, i)) != w || all++ >= MOST_ROWS) continue;
            dot_of(next, d, i);
            lo = fmin(lo, next->value);
            hi = fmax(hi, next->value);
            next++;
            p->n++;
        }
        p->log = hi > 12.0 * lo; /* else from zero on, where lengths can be compared */
        snprintf(p->title, sizeof p->title, "%s%s", work_names[w], p->log ? ", logarithmic" : "");
        if (all > MOST_ROWS)
            snprintf(p->title, sizeof p->title, "%s, the first %d of %zu (the table has all)", work_names[w],
                MOST_ROWS, all);
        n += p->n > 0;
    }
    const rg_chart_words words = {"Throughput", sub_of(sub, sizeof sub, d),
        "A row per test and setting: a filled mark at the median of the samples with its interval as a bar "
        "and the samples as ticks, a hollow mark at what the "
        "roofs allow.",
        "filled: median, thick: interval, ticks: samples; hollow: at the roofs"};
    const rg_status st = rg_chart_dots(f, &words, panel, n, embedded, err);
    free(dot);
    return st;
}

/* ---- curves ---- */

/* Tests that differ in `key` alone make a curve; settings too many for one picture are left to the table. */
static bool curves_of(rg_curves *c, const rg_doc *d, work w, const char *key)
{
    const bool depth = strcmp(key, "n_depth") == 0;
    bool ok = true;
    for (size_t i = 0; i < results(d); i++) {
        const json_t *r = at(d, i);
        char s[64], name[160];
        int n;
        if (work_of(r) != w || !(rg_doc_num(r, "median_ts") > 0.0)) continue;
        setting_of(d, i, &n);
        size_t k = 0;
        name[0] = 0;
        if (n > 1)
            k += (size_t)snprintf(
                name, sizeof name, "%s, ", rg_text_clean(s, sizeof s, rg_doc_text(r, "setting")));
        if (w != DECODE)
            k += (size_t)snprintf(name + k, sizeof name - k, "pp%.0f", rg_doc_num(r, "n_prompt"));
        if (w != PREFILL)
            k += (size_t)snprintf(
                name + k, sizeof name - k, "%stg%.0f", w == BOTH ? "+" : "", rg_doc_num(r, "n_gen"));
        if (depth && rg_doc_num(r, "n_seq") > 1.0)
            snprintf(name + k, sizeof name - k, ", %.0f sequences", rg_doc_num(r, "n_seq"));
        if (!depth && rg_doc_num(r, "n_depth") > 0.0)
            snprintf(name + k, sizeof name - k, ", depth %.0f", rg_doc_num(r, "n_depth"));
        rg_curve *curve = rg_curves_get(c, name);
        if (!curve) continue;
        rg_curve_point p = {.x = rg_doc_num(r, key),
            .y = rg_doc_num(r, "median_ts"),
            .low = rg_doc_num(r, "ci95_low_ts"),
            .high = rg_doc_num(r, "ci95_high_ts"),
            .ideal = at_roofs(r),
            .share = rg_doc_num(r, "roof_fraction")};
        tip_of(p.tip, sizeof p.tip, r, n > 1);
        snprintf(p.at, sizeof p.at, "results.%zu", i);
        ok = rg_curve_add(curve, &p) && ok;
    }
    rg_curves_prune(c);
    return ok;
}

/* The index-th kind of work that has a curve over `key`; -1: none. */
static int work_with(const rg_doc *d, const char *key, int index)
{
    for (int w = 0; w < WORKS; w++) {
        rg_curves c = {.n = 0};
        const bool ok = curves_of(&c, d, (work)w, key) && c.n > 0;
        rg_curves_free(&c);
        if (ok && index-- == 0) return w;
    }
    return -1;
}

static int count(const rg_doc *d, const char *key)
{
    int n = 0;
    while (work_with(d, key, n) >= 0) n++;
    return n;
}

static rg_status draw(FILE *f, const rg_doc *d, const char *key, int index, const char *title,
    const char *x_title, bool embedded, rg_err *err)
{
    const int w = work_with(d, key, index);
    rg_curves c = {.x_title = x_title, .y_title = "tokens/s", .x_log = strcmp(key, "n_seq") == 0};
    char sub[256], head[96];
    if (w < 0 || !curves_of(&c, d, (work)w, key)) {
        rg_curves_free(&c);
        return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    }
    snprintf(head, sizeof head, "%s: %s", title, work_names[w]);
    const rg_chart_words words = {head, sub_of(sub, sizeof sub, d),
        "Left: tokens per second, medians with their intervals, and dashed what the roofs allow; right: the "
        "share of the roofs.",
        "full: measured median and interval; dashed: at the roofs"};
    const rg_status st = rg_chart_curves(f, &words, &c, embedded, err);
    rg_curves_free(&c);
    return st;
}

bool rg_picture_can_bench_depth(const rg_reports *s, size_t index)
{
    return index < (size_t)count(rg_reports_other(s), "n_depth");
}
bool rg_picture_can_bench_batch(const rg_reports *s, size_t index)
{
    return index < (size_t)count(rg_reports_other(s), "n_seq");
}

rg_status rg_picture_bench_depth(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    return draw(
        f, d, "n_depth", (int)index, "Speed over depth", "tokens in the context before", embedded, err);
}

rg_status rg_picture_bench_batch(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    return draw(f, d, "n_seq", (int)index, "Speed over batch", "sequences side by side", embedded, err);
}
