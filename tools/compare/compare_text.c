/* The answer of `ridge compare`: the sentence to tell a colleague, then at most ten rows. */
#include <math.h>
#include <string.h>

#include "report/cells.h"
#include "tools/compare/compare.h"

enum { MOST_ROWS = 10, NAME = 24 };

/* A name that leaves room for figures; of a long one its end, where settings stand. */
static const char *short_name(char *buf, size_t n, const char *name)
{
    const size_t len = strlen(name);
    if (len <= NAME)
        snprintf(buf, n, "%s", name);
    else
        snprintf(buf, n, "...%s", name + len - NAME + 3);
    return buf;
}
#define SHORT(name) short_name((char[NAME + 8]){0}, NAME + 8, name)

/* "1.31 times as fast (1.25 to 1.37)" */
static void say_gain(char *buf, size_t n, const rg_doc_side *g)
{
    const rg_interval x = rg_gain_of(g);
    if (!isfinite(x.low))
        rg_text_add(buf, n, "%s times, from too few loads to tell", RG_NUM(x.value));
    else if (rg_interval_apart(x))
        rg_text_add(buf, n, "%s times as fast (%s to %s)", RG_NUM(x.value), RG_NUM(x.low), RG_NUM(x.high));
    else
        rg_text_add(buf, n, "cannot be told apart (%s to %s)", RG_NUM(x.low), RG_NUM(x.high));
}

/* The variant that gained most in a phase for sure; 0: none did. */
static int fastest(const rg_comparison *c, rg_phase ph)
{
    int best = 0;
    double most = 0.0;
    for (int i = 1; i < c->n; i++) {
        const rg_doc_side g = rg_side_gain(&c->side[0], &c->side[i], ph);
        if (!rg_interval_apart(rg_gain_of(&g)) || !(g.gain > fmax(1.0, most))) continue;
        most = g.gain;
        best = i;
    }
    return best;
}

/* "q4g64 against f16: decode 1.31 times as fast (1.25 to 1.37); prefill cannot be told apart (...)" */
static void answer(const rg_screen *s, const rg_comparison *c)
{
    char text[768] = "";
    int v = 1;
    if (c->n > 2) {
        v = fastest(c, RG_DECODE);
        if (!v) v = fastest(c, RG_PREFILL);
        rg_text_add(text, sizeof text,
            v ? "Fastest of %d: " : "None of %d is faster than the first for sure; ", c->n);
        if (!v) v = 1;
    }
    const rg_side *x = &c->side[v];
    const char *lead = ": ";
    rg_text_add(text, sizeof text, "%s against %s", x->v.name, c->side[0].v.name);
    for (int k = 0; k < RG_PHASE_COUNT; k++) {
        const rg_phase ph = k == 0 ? RG_DECODE : RG_PREFILL;
        const rg_doc_side g = rg_side_gain(&c->side[0], x, ph);
        if (!isfinite(g.gain)) continue;
        rg_text_add(text, sizeof text, "%s%s ", lead, rg_phase_names[ph]);
        say_gain(text, sizeof text, &g);
        lead = "; ";
    }
    if (x->score.n > 0 && x->score.reference)
        rg_text_add(text, sizeof text, "%sperplexity %s where it was %s", lead, RG_NUM(x->score.ppl),
            RG_NUM(c->side[0].score.ppl));
    rg_text_add(text, sizeof text, ".");
    rg_screen_wrap(s, RG_INK_HEAD, 0, 0, RG_CLEAN(768, text));
}

static const char *gain_cell(char *buf, size_t n, const rg_doc_side *g)
{
    const rg_interval x = rg_gain_of(g);
    const char *range = RG_TEXT(64, "%s to %s", RG_NUM(x.low), RG_NUM(x.high));
    if (!isfinite(x.low))
        snprintf(buf, n, "%s, no interval", RG_NUM(x.value));
    else if (rg_interval_apart(x))
        snprintf(buf, n, "%s (%s)", RG_NUM(x.value), range);
    else
        snprintf(buf, n, "not told apart (%s)", range);
    return buf;
}

static const char *worth_cell(char *buf, size_t n, const rg_doc_side *g)
{
    const rg_interval x = rg_worth_of(g);
    if (isfinite(x.low) && x.high / x.low > 1.001)
        snprintf(buf, n, "%s (%s to %s)", RG_NUM(x.value), RG_NUM(x.low), RG_NUM(x.high));
    else
        rg_num(buf, n, x.value);
    return buf;
}

/* Returns how many rows were left out. */
static int rows(const rg_screen *s, const rg_comparison *c, bool *above, bool *failed)
{
    rg_table t = {0};
    int phases = 0, left = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        bool any = false;
        for (int i = 0; i < c->n; i++) any = any || c->side[i].phase[ph].test;
        phases += any;
    }
    const int each = MOST_ROWS / (phases ? phases : 1);
    rg_table_head(&t, "<", "<variant", ">tokens/s", ">of roof", "<times as fast", "<worth", NULL);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int i = 0, shown = 0; i < c->n; i++) {
            const rg_doc_side g = rg_side_gain(&c->side[0], &c->side[i], ph);
            char gain[64], worth[64], roof[32];
            if (!g.test) continue;
            if (shown == each) {
                left++;
                continue;
            }
            const bool high = g.roof_fraction > 1.02;
            *above = *above || high;
            snprintf(roof, sizeof roof, high ? "%s *" : "%s", RG_PERCENT(g.roof_fraction));
            rg_table_line(&t, "scnsss", shown++ ? "" : rg_phase_names[ph], SHORT(c->side[i].v.name),
                g.tokens_per_s, isfinite(g.roof_fraction) ? roof : "n/a",
                i ? gain_cell(gain, sizeof gain, &g) : "1", i ? worth_cell(worth, sizeof worth, &g) : "1");
        }
    rg_screen_table(s, 2, &t, failed);
    return left;
}

/* The roof that takes the larger share of the time. */
static const char *limit_of(const rg_doc_side *x)
{
    return isnan(x->mbu) || isnan(x->mfu) ? "not known" : x->mbu >= x->mfu ? "memory" : "compute";
}

/* "nearest limit: prefill compute; decode memory, q4g64 compute": of the first, and of those that differ. */
static void limits(const rg_screen *s, const rg_comparison *c)
{
    char text[600] = "";
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_side *first = &c->side[0].phase[ph];
        if (!first->test) continue;
        rg_text_add(text, sizeof text, "%s %s %s", *text ? ";" : "nearest limit:", rg_phase_names[ph],
            limit_of(first));
        for (int i = 1; i < c->n && i < MOST_ROWS; i++) {
            const rg_doc_side *x = &c->side[i].phase[ph];
            if (x->test && strcmp(limit_of(x), limit_of(first)) != 0)
                rg_text_add(text, sizeof text, ", %s %s", SHORT(c->side[i].v.name), limit_of(x));
        }
    }
    if (*text) rg_screen_say(s, RG_INK_PLAIN, 2, "%s", text);
}

/* Of a mixture beside a dense model: what makes them differ, once. */
static bool sparse(const rg_screen *s, const rg_comparison *c)
{
    rg_lines why = {0};
    for (int i = 1; i < c->n && !why.n; i++) rg_verdict_sparse(&why, &c->side[0].run, &c->side[i].run);
    if (why.n) fputc('\n', s->f);
    for (int i = 0; i < why.n; i++) rg_screen_wrap(s, RG_INK_PLAIN, fprintf(s->f, "  "), 4, why.s[i]);
    if (why.n) fputc('\n', s->f);
    const bool failed = why.failed;
    rg_lines_free(&why);
    return !failed;
}

static void method(const rg_screen *s, const rg_comparison *c)
{
    if (c->b && c->b->loads > 2 && !c->b->interrupted)
        rg_screen_wrap(s, RG_INK_DIM, fprintf(s->f, "  "), 2,
            RG_TEXT(256,
                "each loaded %d times and sampled %d; in parentheses what holds the truth in 99 %% (times as "
                "fast: "
                "over the loads; worth: by the spread of the roofs)",
                c->b->loads, c->b->reps));
}

rg_status rg_compare_text(const rg_screen *s, const rg_comparison *c, rg_err *err)
{
    bool failed = false, above = false;
    rg_lines notes = {0};
    answer(s, c);
    fputc('\n', s->f);
    if (s->wide) return rg_compare_tables(s->f, s, c, err);
    const int left = rows(s, c, &above, &failed);
    fputc('\n', s->f);
    if (above)
        rg_lines_add(&notes,
            "* above its roof: a cache closer than its footprint says serves it, or the roofs were measured "
            "while "
            "the machine was busier.");
    if (left) rg_lines_add(&notes, "%d further row%s: --wide.", left, left == 1 ? "" : "s");
    rg_compare_notes(&notes, c);
    for (int i = 0; i < notes.n; i++) rg_screen_wrap(s, RG_INK_WARN, fprintf(s->f, "  "), 4, notes.s[i]);
    limits(s, c);
    failed = !sparse(s, c) || failed;
    method(s, c);
    rg_screen_put(s, RG_INK_DIM, "  why, and every operator: --wide   page: --html FILE   data: -o json\n");
    failed = failed || notes.failed;
    rg_lines_free(&notes);
    return rg_written(s->f, "compare", failed, err);
}
