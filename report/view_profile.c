/* What a run says in a screenful: its speed, where the time goes in both phases, what to fix next. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cells.h"
#include "report/fixes.h"
#include "report/report.h"
#include "roofline/model/predict.h"

enum { MOST_FIXES = 5, MOST_SAVINGS = 3, MOST_NAMED = 4, MOST_SIGNS = 2, LINE = 1024 };

/* Groups of less than this in both phases are with the rest. */
static const double SMALL_GROUP = 0.03;

/* ---- words ---- */

static bool ran(const rg_run *r, rg_phase ph) { return rg_phase_ran(&r->phase[ph]); }
static const char *label_of(const rg_run *r) { return r->label[0] ? r->label : "?"; }

/* "82 %"; a share of more than the whole is never printed as a number. */
static const char *of_roof(char *buf, size_t n, double share)
{
    switch (rg_standing_of(share)) {
    case RG_UNKNOWN_ROOF:
        return "n/a";
    case RG_ABOVE_ROOF:
        return "above";
    default:
        return rg_text(buf, n, "%.0f %%", 100.0 * share);
    }
}
#define OF_ROOF(share) of_roof((char[16]){0}, 16, share)

/* What arithmetic a roof counts: its name without the instruction set. */
static void arithmetic(char *buf, size_t n, const char *roof)
{
    const char *end = roof ? strrchr(roof, ' ') : NULL;
    rg_text(buf, n, "%.*s", end ? (int)(end - roof) : 10, end ? roof : "arithmetic");
}

/* Operators of a phase together. */
typedef struct part {
    double t_ns, wait_ns, ideal_ns; /* wait_ns: of the wall clock */
    double by_bound[RG_BOUND_UNKNOWN + 1];
    const rg_doc_op *computes; /* the longest that arithmetic bounds */
    int n;
} part;

static rg_bound bound_of(const char *word)
{
    int b = 0;
    while (b < RG_BOUND_UNKNOWN && (!word || strcmp(word, rg_bound_names[b]) != 0)) b++;
    return (rg_bound)b;
}

static void add_op(part *p, const rg_doc_op *op, double threads)
{
    const rg_bound b = bound_of(op->bound);
    p->n++;
    p->t_ns += op->t_ns;
    p->wait_ns += fmin(op->wait_ns / fmax(threads, 1.0), op->t_ns);
    p->ideal_ns += op->analytic.ideal_ns;
    p->by_bound[b] += op->t_ns;
    if (b == RG_BOUND_COMPUTE && (!p->computes || op->t_ns > p->computes->t_ns)) p->computes = op;
}

static void add_part(part *p, const part *q)
{
    p->n += q->n;
    p->t_ns += q->t_ns;
    p->wait_ns += q->wait_ns;
    p->ideal_ns += q->ideal_ns;
    for (int b = 0; b <= RG_BOUND_UNKNOWN; b++) p->by_bound[b] += q->by_bound[b];
    if (q->computes && (!p->computes || q->computes->t_ns > p->computes->t_ns)) p->computes = q->computes;
}

/* What bounds most of its time. */
static const char *limit_of(char *buf, size_t n, const part *p)
{
    int most = 0;
    for (int b = 1; b <= RG_BOUND_UNKNOWN; b++)
        if (p->by_bound[b] > p->by_bound[most]) most = b;
    if (most == RG_BOUND_COMPUTE)
        arithmetic(buf, n, p->computes->roof);
    else
        rg_text(buf, n, "%s", most == RG_BOUND_UNKNOWN ? "unknown" : rg_bound_names[most]);
    return buf;
}

/* Of prefill and of decode, or of both where they are the same. */
static const char *limits(char *buf, size_t n, char limit[RG_PHASE_COUNT][32])
{
    const char *a = limit[RG_PREFILL], *b = limit[RG_DECODE];
    return strcmp(a, b) == 0 || !*b ? rg_text(buf, n, "%s", a)
                                    : rg_text(buf, n, "%s%s%s", a, *a ? "; " : "", b);
}
#define LIMITS(of_phase) limits((char[72]){0}, 72, of_phase)

static part phase_part(const rg_run *r, rg_phase ph)
{
    part p = {.n = 0};
    for (const rg_doc_op *op = NULL; (op = rg_run_next(r, ph, op));) add_op(&p, op, r->d->machine.threads);
    return p;
}

/* ---- the first lines ---- */

/* The first signs of each run, and how many more there are. */
static void add_evidence(char *line, const rg_reports *s)
{
    size_t said = 0, all = 0;
    for (size_t i = 0; i < s->n; i++) {
        const json_t *what;
        size_t k;
        if (!s->run[i].d->run.noisy) continue;
        json_array_foreach (s->run[i].d->run.noise, k, what) {
            all++;
            if (k > 0 && (s->n > 1 || k == MOST_SIGNS)) continue;
            rg_text_add(line, LINE, "%s%s%s%s", said++ ? "; " : "", s->n > 1 ? label_of(&s->run[i]) : "",
                s->n > 1 ? ": " : "", json_string_value(what));
        }
    }
    if (all > said) rg_text_add(line, LINE, "; %zu more signs", all - said);
}

static bool noisy(const rg_reports *s)
{
    bool any = false;
    for (size_t i = 0; i < s->n; i++) any = any || s->run[i].d->run.noisy;
    return any;
}

/* What tells that nothing disturbed the runs. */
static void add_quiet(char *line, const rg_reports *s)
{
    double spread = 0.0, drift = -1.0, least = INFINITY;
    for (size_t i = 0; i < s->n; i++) {
        least = fmin(least, s->run[i].d->run.repetitions);
        drift = fmax(drift, s->run[i].d->run.roof_drift);
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
            if (ran(&s->run[i], ph)) spread = fmax(spread, s->run[i].phase[ph].spread);
    }
    if (least > 1.5)
        rg_text_add(line, LINE, "; quiet (repetitions within %s%s%s)", RG_PERCENT(spread),
            drift >= 0.0 ? ", roofs within " : "", drift >= 0.0 ? RG_PERCENT(drift) : "");
    else
        rg_text_add(line, LINE, "; of one repetition, which cannot tell how quiet it was");
}

/* How the runs were made, where all were made so. */
static void add_setting(char *line, const rg_reports *s)
{
    const rg_doc_profile *d = s->run[0].d;
    bool model = true, cpu = true, threads = true;
    for (size_t i = 1; i < s->n; i++) {
        const rg_doc_profile *e = s->run[i].d;
        model = model && strcmp(e->model.name, d->model.name) == 0;
        cpu = cpu && strcmp(e->machine.cpu, d->machine.cpu) == 0;
        threads = threads && e->machine.threads == d->machine.threads;
    }
    rg_text_add(line, LINE, "%s on %s", model ? RG_CLEAN(128, d->model.name) : "several models",
        cpu ? RG_CLEAN(128, d->machine.cpu) : "several machines");
    if (cpu && threads)
        rg_text_add(line, LINE, ", %.0f thread%s, %s", d->machine.threads,
            d->machine.threads > 1.5 ? "s" : "", d->machine.isa);
}

static void first_lines(const rg_screen *to, const rg_reports *s)
{
    char line[LINE] = "", signs[LINE] = "";
    bool rough = false, cut = false;
    for (size_t i = 0; i < s->n; i++) {
        rough = rough || s->run[i].d->machine.roofs_noisy;
        cut = cut || s->run[i].d->run.interrupted;
    }
    add_setting(line, s);
    if (noisy(s)) {
        add_evidence(signs, s);
        rg_screen_wrap(to, RG_INK_WARN, 0, 2,
            RG_TEXT(LINE, "noisy: %s; no causes are named", RG_CLEAN(LINE - 64, signs)));
    } else {
        add_quiet(line, s);
    }
    if (rough) rg_text_add(line, LINE, "; the roofs are noisy, shares of them are rough");
    if (cut) rg_text_add(line, LINE, "; interrupted: the part until then");
    rg_screen_wrap(to, RG_INK_HEAD, 0, 2, line);
    fputc('\n', to->f);
}

/* ---- the headline ---- */

/* The phase, and its tokens where all runs have as many. */
static const char *phase_title(char *buf, size_t n, const rg_reports *s, rg_phase ph)
{
    const double tokens = s->run[0].phase[ph].tokens;
    for (size_t i = 1; i < s->n; i++)
        if (s->run[i].phase[ph].tokens != tokens) return rg_text(buf, n, ">%s", rg_phase_names[ph]);
    if (!(tokens > 0.0)) return rg_text(buf, n, ">%s", rg_phase_names[ph]);
    return rg_text(buf, n, ">%s %.0f", rg_phase_names[ph], tokens);
}
#define PHASE_TITLE(s, ph) phase_title((char[48]){0}, 48, s, ph)

static void headline(const rg_screen *to, const rg_reports *s, bool *failed)
{
    rg_table t = {0};
    bool rounded = false;
    for (size_t i = 0; i < s->n; i++) rounded = rounded || s->run[i].d->model.round_rel > 0.0;
    rg_table_head(&t, "<", PHASE_TITLE(s, RG_PREFILL), ">of roof", PHASE_TITLE(s, RG_DECODE), ">of roof",
        ">streamed", "<limited by", rounded ? ">rounding" : NULL, NULL);
    for (size_t i = 0; i < s->n; i++) {
        const rg_run *r = &s->run[i];
        char limit[RG_PHASE_COUNT][32] = {"", ""};
        rg_cells c = {.n = 0};
        rg_cells_add(&c, "s", label_of(r));
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_doc_phase *p = &r->phase[ph];
            const part all = phase_part(r, ph);
            const bool there = ran(r, ph);
            rg_cells_add(&c, "ss", there ? RG_TEXT(48, "%s tok/s", RG_NUM(p->tokens_per_s)) : "",
                there ? OF_ROOF(rg_roof_share(p->roof_fraction, p->ideal_ns, p->t_ns)) : "");
            if (there) limit_of(limit[ph], sizeof limit[ph], &all);
        }
        rg_cells_add(&c, "bs", r->d->model.stream_bytes, LIMITS(limit));
        if (rounded) rg_cells_add(&c, "p", r->d->model.round_rel);
        rg_cells_end(&c, &t);
    }
    rg_screen_table(to, 2, &t, failed);
}

static double ideal_per_token(const rg_doc_phase *p) { return rg_ratio(p->ideal_ns, p->tokens); }

/* A gain is computed from the two numbers printed; its interval from the ends of theirs. */
static void add_gain(
    char *line, const char *sep, const rg_run *base, const rg_run *r, rg_phase ph, bool rough)
{
    const rg_doc_phase *p0 = &base->phase[ph], *p1 = &r->phase[ph];
    if (!ran(base, ph) || !ran(r, ph)) return;
    const double gain = rg_ratio(p1->tokens_per_s, p0->tokens_per_s),
                 low = rg_ratio(p1->tokens_per_s_low, p0->tokens_per_s_high),
                 high = rg_ratio(p1->tokens_per_s_high, p0->tokens_per_s_low),
                 roofs = rg_ratio(ideal_per_token(p0), ideal_per_token(p1));
    const bool known = isfinite(low) && isfinite(high);
    const char *name = rg_phase_names[ph];
    if (rough)
        rg_text_add(line, LINE, "%s %s %sx in this noise", sep, name, RG_NUM(gain));
    else if (known && low <= 1.0 && high >= 1.0)
        rg_text_add(
            line, LINE, "%s %s cannot be told apart (%s to %s)", sep, name, RG_NUM(low), RG_NUM(high));
    else if (known)
        rg_text_add(line, LINE, "%s %s %sx (%s to %s)", sep, name, RG_NUM(gain), RG_NUM(low), RG_NUM(high));
    else
        rg_text_add(line, LINE, "%s %s %sx (no interval)", sep, name, RG_NUM(gain));
    if (roofs >= gain && !rough) rg_text_add(line, LINE, ", possible %sx", RG_NUM(roofs));
}

static void gains(const rg_screen *to, const rg_reports *s)
{
    for (size_t i = 1; i < s->n; i++) {
        if (!rg_runs_same_work(&s->run[0], &s->run[i])) continue;
        char line[LINE];
        const bool rough = s->run[0].d->run.noisy || s->run[i].d->run.noisy;
        rg_text(line, sizeof line, "%s against %s:", label_of(&s->run[i]), label_of(&s->run[0]));
        const size_t head = strlen(line);
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
            add_gain(line, line[head] ? ";" : "", &s->run[0], &s->run[i], ph, rough);
        fputs("  ", to->f);
        rg_screen_wrap(to, RG_INK_PLAIN, 2, 4, line);
    }
}

/* What the clock said of the runs whose figures leave stalled calls out. */
static void stalls(const rg_screen *to, const rg_reports *s)
{
    for (size_t i = 0; i < s->n; i++) {
        char line[LINE];
        rg_text(line, sizeof line, "%s by the clock:", label_of(&s->run[i]));
        const size_t head = strlen(line);
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_doc_phase *p = &s->run[i].phase[ph];
            if (!rg_phase_stalled(p)) continue;
            rg_text_add(line, LINE, "%s %s %s tok/s, %.0f calls stalled for %s", line[head] ? ";" : "",
                rg_phase_names[ph], RG_NUM(1e9 * rg_ratio(p->tokens, p->wall_ns)), p->stalls,
                RG_TIME(p->stall_ns));
        }
        if (!line[head]) continue;
        fputs("  ", to->f);
        rg_screen_wrap(to, RG_INK_PLAIN, 2, 4, line);
    }
}

/* The experts that mixtures read. */
static void experts(const rg_screen *to, const rg_reports *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const rg_run *r = &s->run[i];
        char line[LINE];
        rg_text(line, sizeof line, "%s%sexperts of %.0f a layer:", s->n > 1 ? label_of(r) : "",
            s->n > 1 ? ": " : "", r->d->model.dims.experts);
        const size_t head = strlen(line);
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_doc_experts *e = rg_run_experts(r, ph);
            if (!e) continue;
            rg_text_add(line, LINE,
                "%s %s read %s (by chance %s, at most %s), each for %s tokens, the busiest %sx",
                line[head] ? ";" : "", rg_phase_names[ph], RG_MEAN(e->read), RG_MEAN(e->expected),
                RG_MEAN(e->bound), RG_MEAN(e->tokens_each), RG_NUM(e->imbalance));
        }
        if (!line[head]) continue;
        fputs("  ", to->f);
        rg_screen_wrap(to, RG_INK_PLAIN, 2, 4, line);
    }
}

/* ---- where the time goes ---- */

enum { ROWS = RG_OPGROUP_COUNT + 2, WAITING = RG_OPGROUP_COUNT, OUTSIDE };

/* Whole percents whose sum is that of the shares: the largest remainders are rounded up. */
static void whole_percents(int percent[ROWS], const double share[ROWS])
{
    double sum = 0.0, rest[ROWS];
    int given = 0;
    for (int i = 0; i < ROWS; i++) {
        const double x = isfinite(share[i]) ? fmax(-999.0, fmin(100.0 * share[i], 9999.0)) : 0.0;
        sum += x;
        percent[i] = (int)floor(x);
        rest[i] = x - percent[i];
        given += percent[i];
    }
    for (int owed = (int)floor(sum + 0.5) - given; owed > 0; owed--) {
        int most = 0;
        for (int i = 1; i < ROWS; i++)
            if (rest[i] > rest[most]) most = i;
        percent[most]++;
        rest[most] = -1.0;
    }
}

typedef struct column {
    part group[RG_OPGROUP_COUNT];
    int percent[ROWS];
} column;

static void groups_of(part group[RG_OPGROUP_COUNT], const rg_run *r, rg_phase ph)
{
    for (const rg_doc_op *op = NULL; (op = rg_run_next(r, ph, op));)
        add_op(&group[rg_opgroup_of(op->site)], op, r->d->machine.threads);
}

static void shares_of(column *c, const rg_doc_phase *p)
{
    double share[ROWS] = {0}, wait = 0.0;
    for (int g = 0; g < RG_OPGROUP_COUNT; g++) {
        share[g] = rg_ratio(c->group[g].t_ns - c->group[g].wait_ns, p->t_ns);
        wait += c->group[g].wait_ns;
    }
    share[WAITING] = rg_ratio(wait, p->t_ns);
    share[OUTSIDE] = rg_ratio(p->overhead_ns, p->t_ns);
    whole_percents(c->percent, share);
}

static void time_row(rg_table *t, const rg_run *r, const column c[RG_PHASE_COUNT], int row)
{
    static const char *const names[] = {"waiting at barriers", "outside operators"};
    const bool group = row < RG_OPGROUP_COUNT;
    char limit[RG_PHASE_COUNT][32] = {"", ""};
    rg_cells cells = {.n = 0};
    rg_cells_add(&cells, "s", group ? rg_opgroup_rows[row] : names[row - RG_OPGROUP_COUNT]);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const part p = group ? c[ph].group[row] : (part){.n = 0};
        const bool there = ran(r, ph) && (!group || p.n > 0);
        rg_cells_add(&cells, "ss", there ? RG_TEXT(16, "%d %%", c[ph].percent[row]) : "",
            group && there ? OF_ROOF(rg_ratio(p.ideal_ns, p.t_ns)) : "");
        if (group && there) limit_of(limit[ph], sizeof limit[ph], &p);
    }
    rg_cells_add(&cells, "s", LIMITS(limit));
    rg_cells_end(&cells, t);
}

static void time_table(const rg_screen *to, const rg_reports *s, const rg_run *r, bool *failed)
{
    column c[RG_PHASE_COUNT] = {{.percent = {0}}};
    rg_table t = {0};
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) groups_of(c[ph].group, r, ph);
    for (int g = 0; g < RG_OPGROUP_REST; g++) {
        double most = 0.0;
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
            most = fmax(most, rg_ratio(c[ph].group[g].t_ns, r->phase[ph].t_ns));
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT && !(most >= SMALL_GROUP); ph++) {
            add_part(&c[ph].group[RG_OPGROUP_REST], &c[ph].group[g]);
            c[ph].group[g] = (part){.n = 0};
        }
    }
    fputs("\n  ", to->f);
    if (s->n > 1) rg_screen_put(to, RG_INK_HEAD, "%s: ", label_of(r));
    rg_screen_put(to, RG_INK_HEAD, "where the time goes");
    fputc('\n', to->f);
    rg_table_head(&t, "<", ">prefill", ">of roof", ">decode", ">of roof", "<limited by", NULL);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) shares_of(&c[ph], &r->phase[ph]);
    for (int row = 0; row < ROWS; row++)
        if (row >= RG_OPGROUP_COUNT || c[RG_PREFILL].group[row].n + c[RG_DECODE].group[row].n > 0)
            time_row(&t, r, c, row);
    rg_screen_table(to, 4, &t, failed);
}

/* ---- what to fix next ---- */

enum { CELLS = 4, INDENT = 2 };

typedef struct noted {
    char cell[CELLS][64], note[160];
} noted;

static int columns_of(const char *text) { return rg_text_columns(text, (int)strlen(text)); }

static int put_cells(
    const rg_screen *to, rg_ink head, rg_ink ink, const char (*cell)[64], const int width[CELLS])
{
    int at = INDENT;
    fprintf(to->f, "%*s", INDENT, "");
    for (int c = 0; c < CELLS; c++) {
        const int rest = width[c] - columns_of(cell[c]), gap = c < CELLS - 1 ? 2 : 0;
        rg_screen_put(to, c ? ink : head, "%*s%s%*s", c ? rest : 0, "", cell[c], gap + (c ? 0 : rest), "");
        at += width[c] + gap;
    }
    return at;
}

/* Rows of cells, the first the titles; a note stands behind its row where it fits, else below. */
static void put_noted(const rg_screen *to, const noted *row, int n)
{
    int width[CELLS] = {0};
    for (int i = 0; i < n; i++)
        for (int c = 0; c < CELLS; c++) width[c] = (int)fmax(width[c], columns_of(row[i].cell[c]));
    for (int i = 0; i < n; i++) {
        int at =
            put_cells(to, i ? RG_INK_PLAIN : RG_INK_HEAD, i ? RG_INK_PLAIN : RG_INK_DIM, row[i].cell, width);
        const bool below = row[i].note[0] && at + 2 + columns_of(row[i].note) > to->width;
        if (below)
            at = fprintf(to->f, "\n%*s", INDENT + 3, "") - 1;
        else if (row[i].note[0])
            at += fprintf(to->f, "  ");
        rg_screen_wrap(to, RG_INK_PLAIN, at, INDENT + 3, row[i].note);
    }
}

static void set_cells(noted *to, const char *a, const char *b, const char *c, const char *d)
{
    const char *const text[CELLS] = {a, b, c, d};
    for (int i = 0; i < CELLS; i++) rg_text_clean(to->cell[i], sizeof to->cell[i], text[i]);
    to->note[0] = 0;
}

static const char *gained(char *buf, size_t n, double tps)
{
    return isfinite(tps) ? rg_text(buf, n, "+%s tok/s", RG_NUM(tps)) : "n/a";
}
#define GAINED(tps) gained((char[48]){0}, 48, tps)

static void fix_table(const rg_screen *to, const rg_fixes *f)
{
    noted row[MOST_FIXES + 1];
    int n = 1;
    set_cells(row, "fix next", "of roof", "to recover", "worth");
    for (int i = 0; i < f->n_below && n <= MOST_FIXES; i++) {
        const rg_fix *x = &f->below[i];
        set_cells(&row[n],
            RG_TEXT(64, "%d  %s, %s", n, RG_CLEAN(40, x->op->site), rg_phase_names[x->op->phase]),
            OF_ROOF(rg_op_share(x->op)), RG_TIME(x->recoverable_ns), GAINED(x->worth));
        rg_text(row[n].note, sizeof row[n].note, "%s%s%s", x->why, x->option[0] ? ": " : "", x->option);
        n++;
    }
    if (n > 1)
        put_noted(to, row, n);
    else
        fprintf(to->f, "%*snothing to recover: no operator that matters is below its roof\n", INDENT, "");
}

static void saving_table(const rg_screen *to, const rg_fixes *f)
{
    noted row[MOST_SAVINGS + 1];
    int n = 1;
    set_cells(row, "fewer bytes or operations", "helps", "saves", "worth");
    for (int i = 0; i < f->n_savings && n <= MOST_SAVINGS; i++) {
        const rg_saving *x = &f->saving[i];
        set_cells(&row[n], x->option,
            RG_TEXT(64, "%.0f %% of %s", 100.0 * x->share, rg_phase_names[x->phase]), RG_TIME(x->saved_ns),
            GAINED(x->worth));
        rg_text(row[n].note, sizeof row[n].note, "%s", x->what);
        n++;
    }
    if (n > 1) put_noted(to, row, n);
}

static void name_operators(
    const rg_screen *to, const rg_doc_op *const *op, int n, const char *head, const char *tail)
{
    char line[LINE];
    if (n == 0) return;
    rg_text(line, sizeof line, "%s", head);
    for (int i = 0; i < n && i < MOST_NAMED; i++)
        rg_text_add(line, sizeof line, "%s %s (%s)", i ? "," : "", RG_CLEAN(40, op[i]->site),
            rg_phase_names[op[i]->phase]);
    if (n > MOST_NAMED) rg_text_add(line, sizeof line, " and %d more", n - MOST_NAMED);
    rg_text_add(line, sizeof line, "%s", tail);
    fprintf(to->f, "%*s", INDENT, "");
    rg_screen_wrap(to, RG_INK_PLAIN, INDENT, INDENT + 3, line);
}

/* Why there are operators whose time on their roofs is not known; NULL: there are none. */
static const char *unknown_roof(const rg_run *r)
{
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (const rg_doc_op *op = NULL; (op = rg_run_next(r, ph, op));)
            if (!isfinite(op->analytic.ideal_ns))
                return op->roof_reason ? op->roof_reason : "a roof is unknown";
    return NULL;
}

static void fixes(const rg_screen *to, const rg_reports *s, const rg_run *r)
{
    rg_fixes f;
    const char *unknown = unknown_roof(r);
    fputc('\n', to->f);
    if (noisy(s) || unknown) {
        fputs("  ", to->f);
        rg_screen_wrap(to, RG_INK_PLAIN, 2, 4,
            RG_TEXT(LINE, "%s%s", unknown ? "what to fix is not known: " : "",
                unknown ? RG_CLEAN(LINE - 64, unknown)
                        : "what to fix next is for a quiet run to say; ridge doctor knows what disturbs"));
        return;
    }
    rg_fixes_of(&f, r);
    fix_table(to, &f);
    name_operators(to, f.at, f.n_at, "at their roofs, where only fewer bytes or operations help:", "");
    saving_table(to, &f);
    name_operators(to, f.above, f.n_above, "above their roofs:",
        "; the roof is to be measured again (ridge machine), or a closer cache serves them");
}

/* The last run of several: the first is what the others are held against. */
rg_status rg_profile_text(const rg_screen *to, const rg_reports *s, rg_err *err)
{
    const rg_run *r = &s->run[s->n - 1];
    bool failed = false;
    if (to->wide) return rg_profile_md(to->f, s, err);
    first_lines(to, s);
    headline(to, s, &failed);
    gains(to, s);
    stalls(to, s);
    experts(to, s);
    time_table(to, s, r, &failed);
    fixes(to, s, r);
    fputc('\n', to->f);
    rg_screen_wrap(to, RG_INK_DIM, 0, 2, "everything: --wide; a page: --html FILE; pictures: --svg FOLDER");
    return rg_written(to->f, "report", failed, err);
}
