/* Pictures of `ridge bench`: throughput of every test, and its curves over depth and batch. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/gain.h"
#include "report/join.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"

enum { MOST_SETTINGS = 64 };
typedef enum work { PREFILL, DECODE, BOTH, WORKS } work;
static const char *const work_names[WORKS] = {"prefill", "decode", "prompt and generation together"};

static const rg_doc_bench *bench_of(const rg_reports *s) { return rg_reports_other(s)->at; }

static work work_of(const rg_doc_result *r)
{
    return !(r->n_gen > 0.0) ? PREFILL : !(r->n_prompt > 0.0) ? DECODE : BOTH;
}

/* Settings in the order of the report; *n: how many differ. */
static int setting_of(const rg_doc_bench *d, size_t i, int *n)
{
    const char *seen[MOST_SETTINGS];
    int count = 0, found = 0;
    for (size_t k = 0; k < d->n_results && count < MOST_SETTINGS; k++) {
        const char *s = d->results[k].setting;
        bool known = false;
        for (int j = 0; j < count && !known; j++) known = strcmp(seen[j], s) == 0;
        if (known) continue;
        if (strcmp(s, d->results[i].setting) == 0) found = count;
        seen[count++] = s;
    }
    *n = count;
    return found;
}

static double at_roofs(const rg_doc_result *r) { return 1e9 * rg_ratio(r->tokens, r->ideal_ns); }

static void tip_of(char *buf, size_t n, const rg_doc_result *r, bool settings)
{
    const int samples = (int)json_array_size(r->samples_ts);
    snprintf(buf, n,
        "%s%s%s\nmedian %s tokens/s, %s %s to %s, %d samples\nat the roofs %s tokens/s: %s reached",
        RG_CLEAN(64, r->test), settings ? ", " : "", settings ? RG_CLEAN(96, r->setting) : "",
        RG_NUM(r->median_ts), rg_interval_name(samples), RG_NUM(r->ci95_low_ts), RG_NUM(r->ci95_high_ts),
        samples, RG_NUM(at_roofs(r)), RG_PERCENT(r->roof_fraction));
}

static const char *sub_of(char *buf, size_t n, const rg_doc_bench *d)
{
    bool same = true;
    for (size_t i = 1; i < d->n_results; i++)
        same = same && strcmp(d->results[0].model_type, d->results[i].model_type) == 0;
    snprintf(buf, n, "%s; %s", same ? RG_CLEAN(96, d->results[0].model_type) : "several models or types",
        RG_CLEAN(96, d->machine.cpu));
    return buf;
}

/* ---- throughput ---- */

bool rg_picture_can_bench_speed(const rg_reports *s, size_t index)
{
    return index == 0 && bench_of(s)->n_results > 0;
}

static bool speed_row(rg_dot *x, const rg_rows *rows, int w, size_t i)
{
    const rg_doc_bench *d = rows->from;
    const rg_doc_result *r = &d->results[i];
    int n = 0;
    if ((int)work_of(r) != w) return false;
    *x = (rg_dot){.value = r->median_ts,
        .low = r->ci95_low_ts,
        .high = r->ci95_high_ts,
        .ideal = at_roofs(r),
        .sample = r->samples_ts,
        .series = setting_of(d, i, &n)};
    snprintf(x->label, sizeof x->label, n > 1 ? "%.34s, %s" : "%s", RG_CLEAN(64, r->test),
        RG_CLEAN(96, r->setting));
    const char *a = RG_NUM(x->value), *e = RG_PERCENT(r->roof_fraction);
    if (isfinite(x->low))
        snprintf(
            x->text, sizeof x->text, "%s (%s to %s), %s of the roofs", a, RG_NUM(x->low), RG_NUM(x->high), e);
    else
        snprintf(x->text, sizeof x->text, "%s, %s of the roofs", a, e);
    tip_of(x->tip, sizeof x->tip, r, n > 1);
    snprintf(x->at, sizeof x->at, "results.%zu", i);
    return true;
}

rg_status rg_picture_bench_speed(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc_bench *d = bench_of(set);
    char sub[256];
    const rg_chart_words words = {"Throughput", sub_of(sub, sizeof sub, d),
        "A row per test and setting: a filled mark at the median of the samples with its interval as a bar "
        "and the samples as ticks, a hollow mark at what the roofs allow.",
        "filled: median, thick: interval, ticks: samples; hollow: at the roofs"};
    const rg_rows rows = {speed_row, d, index, d->n_results, 0, work_names, WORKS, "tokens/s", NULL};
    return rg_chart_rows(f, &words, &rows, embedded, err);
}

/* ---- curves ---- */

/* Tests that differ in depth, or in sequences, alone make a curve. */
static bool curves_of(rg_curves *c, const rg_doc_bench *d, work w, bool depth)
{
    bool ok = true;
    for (size_t i = 0; i < d->n_results; i++) {
        const rg_doc_result *r = &d->results[i];
        char name[160] = "";
        int n;
        if (work_of(r) != w || !(r->median_ts > 0.0)) continue;
        setting_of(d, i, &n);
        if (n > 1) rg_text_add(name, sizeof name, "%s, ", RG_CLEAN(64, r->setting));
        if (w != DECODE) rg_text_add(name, sizeof name, "pp%.0f", r->n_prompt);
        if (w != PREFILL) rg_text_add(name, sizeof name, "%stg%.0f", w == BOTH ? "+" : "", r->n_gen);
        if (depth && r->n_seq > 1.0) rg_text_add(name, sizeof name, ", %.0f sequences", r->n_seq);
        if (!depth && r->n_depth > 0.0) rg_text_add(name, sizeof name, ", depth %.0f", r->n_depth);
        rg_curve *curve = rg_curves_get(c, name);
        if (!curve) continue;
        rg_curve_point p = {.x = depth ? r->n_depth : r->n_seq,
            .y = r->median_ts,
            .low = r->ci95_low_ts,
            .high = r->ci95_high_ts,
            .ideal = at_roofs(r),
            .share = r->roof_fraction};
        tip_of(p.tip, sizeof p.tip, r, n > 1);
        snprintf(p.at, sizeof p.at, "results.%zu", i);
        ok = rg_curve_add(curve, &p) && ok;
    }
    rg_curves_prune(c);
    return ok;
}

/* The index-th kind of work that has a curve; -1: none. */
static int work_with(const rg_reports *s, bool depth, size_t index)
{
    for (int w = 0; w < WORKS; w++) {
        rg_curves c = {.n = 0};
        const bool ok = curves_of(&c, bench_of(s), w, depth) && c.n > 0;
        rg_curves_free(&c);
        if (ok && index-- == 0) return w;
    }
    return -1;
}

static rg_status draw(FILE *f, const rg_reports *s, bool depth, size_t index, bool embedded, rg_err *err)
{
    const rg_doc_bench *d = bench_of(s);
    const int w = work_with(s, depth, index);
    rg_curves c = {.x_title = depth ? "tokens in the context before" : "sequences side by side",
        .y_title = "tokens/s",
        .x_log = !depth};
    char sub[256];
    const bool ok = w >= 0 && curves_of(&c, d, w, depth);
    if (!ok) return rg_chart_curves(f, NULL, &c, false, embedded, err);
    const rg_chart_words words = {RG_TEXT(96, "Speed over %s: %s", depth ? "depth" : "batch", work_names[w]),
        sub_of(sub, sizeof sub, d),
        "Left: tokens per second, medians with their intervals, and dashed what the roofs allow; right: the "
        "share of the roofs.",
        "full: measured median and interval; dashed: at the roofs"};
    return rg_chart_curves(f, &words, &c, ok, embedded, err);
}

bool rg_picture_can_bench_depth(const rg_reports *s, size_t index) { return work_with(s, true, index) >= 0; }
bool rg_picture_can_bench_batch(const rg_reports *s, size_t index) { return work_with(s, false, index) >= 0; }

rg_status rg_picture_bench_depth(FILE *f, const rg_reports *s, size_t index, bool embedded, rg_err *err)
{
    return draw(f, s, true, index, embedded, err);
}

rg_status rg_picture_bench_batch(FILE *f, const rg_reports *s, size_t index, bool embedded, rg_err *err)
{
    return draw(f, s, false, index, embedded, err);
}
