/* An analytic answer on a terminal: the sentence, then where the time goes in both phases side by side; of
 * several cases the fastest and a row each. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/cells.h"
#include "report/cost_case.h"

enum { MOST_ROWS = 10 };

static double rate(const rg_cost_case *k, int ph) { return k->r.tokens[ph] / k->r.total[ph].time_s; }

/* What limits most of a phase's time. */
static const char *limit_of(const rg_cost_case *k, int ph)
{
    const double share = rg_cost_memory_share(k, ph);
    return isnan(share) ? "n/a" : rg_limit_names[share > 0.5 ? RG_LIMIT_MEMORY : RG_LIMIT_COMPUTE];
}

/* ---- one case ---- */

/* An operator in both phases. */
typedef struct row {
    const char *name;
    const rg_cost_point *at[RG_PHASE_COUNT]; /* NULL: it does not run there */
    double weight;                           /* its shares of both, added */
} row;

static int heavier(const void *a, const void *b)
{
    const double x = ((const row *)a)->weight, y = ((const row *)b)->weight;
    return (x < y) - (x > y);
}

static int rows_of(row out[RG_COST_POINTS], const rg_cost_case *k, const rg_cost_print *p)
{
    int n = 0;
    for (int i = 0; i < k->r.n; i++) {
        const rg_cost_point *x = &k->r.op[i];
        int at = 0;
        if (!rg_cost_wants(p, x->phase)) continue;
        while (at < n && strcmp(out[at].name, x->name) != 0) at++;
        if (at == n) out[n++] = (row){.name = x->name};
        out[at].at[x->phase] = x;
        if (isfinite(x->sum.time_s)) out[at].weight += x->sum.time_s / k->r.total[x->phase].time_s;
    }
    qsort(out, (size_t)n, sizeof *out, heavier);
    return n;
}

static void phase_cells(rg_cells *c, const rg_cost_case *k, int ph, const row *r, int n)
{
    double s = 0.0;
    bool any = false;
    for (int i = 0; i < n; i++) {
        if (!r[i].at[ph]) continue;
        any = true;
        s += r[i].at[ph]->sum.time_s;
    }
    if (!any)
        rg_cells_add(c, "sss", "", "", "");
    else
        rg_cells_add(c, "shs", RG_TIME(1e9 * s), s / k->r.total[ph].time_s,
            n > 1                                      ? ""
                : r->at[ph]->bound == RG_LIMIT_UNKNOWN ? "n/a"
                                                       : rg_limit_names[r->at[ph]->bound]);
}

static void operators(rg_table *t, const rg_cost_case *k, const rg_cost_print *p)
{
    row r[RG_COST_POINTS];
    const int n = rows_of(r, k, p), shown = n > MOST_ROWS ? MOST_ROWS - 1 : n;
    const char *title[8] = {"<operator"};
    int titles = 1;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!rg_cost_wants(p, ph)) continue;
        title[titles++] = ph == RG_PREFILL ? ">prefill" : ">decode";
        title[titles++] = ">%";
        title[titles++] = "<limit";
    }
    rg_table_head_n(t, title, titles);
    for (int i = 0; i <= shown && i < n; i++) {
        rg_cells c = {.n = 0};
        rg_cells_add(&c, "s", i < shown ? r[i].name : RG_TEXT(40, "%d others", n - shown));
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
            if (rg_cost_wants(p, ph)) phase_cells(&c, k, ph, &r[i], i < shown ? 1 : n - shown);
        rg_cells_end(&c, t);
    }
}

static void say_case(const rg_screen *s, const rg_cost_case *k, const rg_cost_print *p)
{
    char said[RG_PHASE_COUNT][200], type[48];
    const int64_t batch = rg_cost_batch(k), length = rg_cost_seqlen(k);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_text(said[ph], sizeof said[ph], "%s%s tokens/s",
            !rg_cost_wants(p, ph)  ? ""
                : ph == RG_PREFILL ? "reads a prompt at "
                                   : "writes ",
            RG_NUM(rate(k, ph)));
        rg_text_add(said[ph], sizeof said[ph], " (limit: %s)", limit_of(k, ph));
        if (!rg_cost_wants(p, ph)) said[ph][0] = 0;
    }
    if (!isfinite(k->r.total[RG_PREFILL].time_s) && !isfinite(k->r.total[RG_DECODE].time_s))
        rg_screen_say(s, RG_INK_HEAD, 0,
            "%s on %s: no time can be said: a roof is not known, the bandwidth or the peak of the "
            "arithmetic.",
            RG_CLEAN(160, k->config.name), k->hw->name);
    else
        rg_screen_say(s, RG_INK_HEAD, 0, "%s in %s on %s at best %s%s%s, at length %" PRId64 "%s.",
            RG_CLEAN(160, k->config.name), rg_cost_format(type, sizeof type, k), k->hw->name, said[RG_DECODE],
            said[0][0] && said[1][0] ? " and " : "", said[RG_PREFILL], length,
            batch > 1 ? RG_TEXT(48, " and batch %" PRId64, batch) : "");
}

static void one_case(const rg_screen *s, const rg_cost_case *k, const rg_cost_print *p, bool *failed)
{
    const rg_cost_memory *m = &k->r.memory[RG_DECODE];
    rg_table t = {0};
    if (!p->totals) {
        operators(&t, k, p);
        rg_screen_table(s, 2, &t, failed);
        fputc('\n', s->f);
    }
    rg_lines said = {0};
    rg_cost_say_experts(&said, k, p);
    for (int i = 0; i < said.n; i++) rg_screen_say(s, RG_INK_PLAIN, 2, "%s", said.s[i]);
    *failed = *failed || said.failed;
    rg_lines_free(&said);
    if (k->task.gen > 0)
        rg_screen_say(s, RG_INK_PLAIN, 2,
            "a prompt of %" PRId64 " and %" PRId64 " generated: first token after %s, %s in all",
            rg_cost_seqlen(k), k->task.gen, RG_TIME(1e9 * k->task.prefill_s), RG_TIME(1e9 * k->task.total_s));
    if (m->total > 0.0) {
        const bool known = k->hw->memory > 0.0;
        rg_screen_say(s, known && m->total > k->hw->memory ? RG_INK_BAD : RG_INK_PLAIN, 2,
            "memory%s: %s, weights %s, cache %s%s", rg_cost_tp(k) > 1 ? " of a device" : "",
            RG_BYTES(m->total), RG_BYTES(m->weights), RG_BYTES(m->kv),
            !known                          ? ""
                : m->total <= k->hw->memory ? RG_TEXT(64, "; fits into %s", RG_BYTES(k->hw->memory))
                                            : RG_TEXT(64, "; does not fit into %s", RG_BYTES(k->hw->memory)));
    }
}

/* ---- several ---- */

typedef struct ranked {
    const rg_cost_case *k;
    double rate;
} ranked;

static int faster(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    const double p = isfinite(x->rate) ? x->rate : -1.0, q = isfinite(y->rate) ? y->rate : -1.0;
    return p != q ? (p < q) - (p > q) : (x->k > y->k) - (x->k < y->k);
}

static void say_fastest(
    const rg_screen *s, const rg_cost_case *k, size_t n, const rg_cost_print *p, const ranked *r, int ph)
{
    char name[320];
    const ranked *best = r;
    for (size_t i = 1; i < n; i++)
        if (faster(&r[i], best) < 0) best = &r[i];
    if (p->answer)
        rg_screen_say(s, RG_INK_HEAD, 0, "%s", p->answer);
    else if (!isfinite(best->rate))
        rg_screen_say(
            s, RG_INK_HEAD, 0, "None of %zu cases has a time: a roof of the machine is not known.", n);
    else
        rg_screen_say(s, RG_INK_HEAD, 0, "%s, fastest %s of %zu cases: %s tokens/s at best, with %s.",
            RG_CLEAN(160, k->config.name), ph == RG_PREFILL ? "prompt" : "decode", n, RG_NUM(best->rate),
            rg_cost_name(name, sizeof name, best->k, NULL));
}

/* What a case was asked with. */
typedef enum asked { LABEL, MACHINE, TYPE, TP, BATCH, LENGTH, ASKED } asked;

static const char *asked_cell(char *buf, size_t n, const rg_cost_case *k, const char *label, asked a)
{
    switch (a) {
    case LABEL:
        return label ? label : "";
    case MACHINE:
        return k->hw->name;
    case TYPE:
        return rg_cost_format(buf, n, k);
    case TP:
        return rg_text(buf, n, "%" PRId64, rg_cost_tp(k));
    case BATCH:
        return rg_text(buf, n, "%" PRId64, rg_cost_batch(k));
    default:
        return rg_text(buf, n, "%" PRId64, rg_cost_seqlen(k));
    }
}

static bool differs(const rg_cost_case *k, size_t n, const rg_cost_print *p, asked a)
{
    char x[64], y[64];
    for (size_t i = 1; i < n; i++)
        if (strcmp(asked_cell(x, sizeof x, k, p->label ? p->label[0] : NULL, a),
                asked_cell(y, sizeof y, &k[i], p->label ? p->label[i] : NULL, a)) != 0)
            return true;
    return n == 1 && (a == LABEL);
}

static void cases(rg_table *t, const rg_cost_case *first, const ranked *r, size_t n, const rg_cost_print *p)
{
    static const char *const asked_title[ASKED] = {
        "<case", "<machine", "<weights", ">tp", ">batch", ">length"};
    const char *title[16];
    bool shown[ASKED];
    int titles = 0;
    for (int a = 0; a < ASKED; a++)
        if ((shown[a] = differs(first, n, p, a))) title[titles++] = asked_title[a];
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!rg_cost_wants(p, ph)) continue;
        title[titles++] = ph == RG_PREFILL ? ">prefill tok/s" : ">decode tok/s";
        title[titles++] = "<limit";
    }
    title[titles++] = ">memory";
    if (first->task.gen > 0) title[titles++] = ">first token";
    rg_table_head_n(t, title, titles);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const rg_cost_case *k = r[i].k;
        char text[64];
        rg_cells c = {.n = 0};
        for (int a = 0; a < ASKED; a++)
            if (shown[a])
                rg_cells_add(
                    &c, "s", asked_cell(text, sizeof text, k, p->label ? p->label[k - first] : NULL, a));
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
            if (rg_cost_wants(p, ph)) rg_cells_add(&c, "ns", rate(k, ph), limit_of(k, ph));
        rg_cells_add(&c, "b", k->r.memory[RG_DECODE].total);
        if (first->task.gen > 0) rg_cells_add(&c, "s", RG_TIME(1e9 * k->task.prefill_s));
        rg_cells_end(&c, t);
    }
}

static void sweep(
    const rg_screen *s, const rg_cost_case *k, ranked *r, size_t n, const rg_cost_print *p, bool *failed)
{
    rg_table t = {0};
    if (n > MOST_ROWS) qsort(r, n, sizeof *r, faster);
    cases(&t, k, r, n, p);
    rg_screen_table(s, 2, &t, failed);
    if (n > MOST_ROWS)
        rg_screen_say(s, RG_INK_DIM, 2, "the %d fastest; %zu more with --wide", MOST_ROWS, n - MOST_ROWS);
    fputc('\n', s->f);
}

rg_status rg_cost_text(
    const rg_screen *s, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err)
{
    const int ph = rg_cost_wants(p, RG_DECODE) ? RG_DECODE : RG_PREFILL;
    const bool one = n == 1 && !p->label;
    bool failed = false;
    ranked *r = malloc(n * sizeof *r);
    if (!r) return rg_no_memory(err, "roofline");
    for (size_t i = 0; i < n; i++) r[i] = (ranked){&k[i], rate(&k[i], ph)};
    if (one)
        say_case(s, k, p);
    else
        say_fastest(s, k, n, p, r, ph);
    fputc('\n', s->f);
    if (one && !s->wide) one_case(s, k, p, &failed);
    if (!one && !s->wide) sweep(s, k, r, n, p, &failed);
    free(r);
    if (s->wide) return RG_OK;
    rg_screen_say(s, RG_INK_DIM, 2, "%s; nothing was run. Roofs: %s",
        k->cost == RG_COST_EXACT ? "ideal times of the exact model"
                                 : "LLM-Viewer's formulas with their faults (--cost exact: Ridge's own)",
        k->hw->source);
    rg_screen_say(s, RG_INK_DIM, 2, "%s: --wide; for programs: -o csv, json; a page: --html FILE",
        n == 1 ? "every operator" : "all of it");
    return rg_written(s->f, "roofline", failed, err);
}
