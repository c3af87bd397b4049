/* What a page opens with: a card per run with its headline numbers, three findings, and how quiet it was. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "report/fixes.h"
#include "report/html/page_impl.h"
#include "report/join.h"

enum { MOST_CARDS = 8, MOST_LINES = 6 };

typedef struct card_line {
    char name[96];
    double speed, low, high; /* tokens/s; NAN: unknown */
    double share;            /* of its roof; NAN: unknown, or nothing ran */
    bool decode;
} card_line;

typedef struct card {
    const char *title; /* borrowed */
    int run;           /* -1: it is no recorded run */
    card_line line[MOST_LINES];
    int n, more; /* more: lines that found no room */
    char size[160], quality[200];
} card;

static void add_line(
    card *c, const char *name, double speed, double low, double high, double share, bool decode)
{
    if (c->n == MOST_LINES) {
        c->more++;
        return;
    }
    card_line *l = &c->line[c->n++];
    *l = (card_line){.speed = speed, .low = low, .high = high, .share = share, .decode = decode};
    rg_text_clean(l->name, sizeof l->name, name);
}

/* ---- cards of what documents hold ---- */

static card card_of_run(const rg_reports *s, size_t i)
{
    const rg_run *r = &s->run[i];
    const rg_doc_model *m = &r->d->model;
    card c = {.title = r->label, .run = (int)i};
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        if (!rg_phase_ran(p)) continue;
        add_line(&c,
            p->batch > 1.5 ? RG_TEXT(64, "%s %.0f x %.0f", rg_phase_names[ph], p->batch, p->tokens / p->batch)
                           : RG_TEXT(64, "%s %.0f", rg_phase_names[ph], p->tokens),
            p->tokens_per_s, p->tokens_per_s_low, p->tokens_per_s_high, p->roof_fraction, ph == RG_DECODE);
    }
    rg_text(c.size, sizeof c.size, "%s in memory, %s bits per weight; a step streams %s",
        RG_BYTES(m->resident_bytes), RG_NUM(m->bits_per_weight_resident), RG_BYTES(m->stream_bytes));
    if (m->round_rel > 0.0)
        rg_text(c.quality, sizeof c.quality, "rounding error %s", RG_PERCENT(m->round_rel));
    return c;
}

static card card_of_variant(const rg_reports *s, const rg_doc_compare *d, size_t i)
{
    const rg_doc_variant *v = &d->variants[i];
    const rg_doc_side *side[RG_PHASE_COUNT] = {v->prefill, v->decode};
    card c = {.title = v->name, .run = -1};
    for (size_t k = 0; k < s->n; k++)
        if (i < d->n_runs && d->runs[i] == s->run[k].d) c.run = (int)k;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (side[ph])
            add_line(&c, RG_TEXT(96, "%s, %s", rg_phase_names[ph], RG_CLEAN(64, side[ph]->test)),
                side[ph]->tokens_per_s, side[ph]->tokens_per_s_low, side[ph]->tokens_per_s_high,
                side[ph]->roof_fraction, ph == RG_DECODE);
    rg_text(c.size, sizeof c.size, "%s in memory, %s bits per weight; a step streams %s",
        RG_BYTES(v->resident_bytes), RG_NUM(v->bits_per_weight_resident), RG_BYTES(v->stream_bytes));
    if (v->loss)
        rg_text(c.quality, sizeof c.quality, "perplexity %s +- %s%s%s%s", RG_NUM(v->loss->ppl),
            RG_NUM(v->loss->ppl_error), v->loss->same_top >= 0.0 ? "; " : "",
            v->loss->same_top >= 0.0 ? RG_PERCENT(v->loss->same_top) : "",
            v->loss->same_top >= 0.0 ? " of next words as in the first" : "");
    return c;
}

/* Tests of one setting; false: the i-th result is of a setting that came before. */
static bool card_of_setting(card *c, const rg_doc_bench *d, size_t i)
{
    const rg_doc_result *first = &d->results[i];
    for (size_t k = 0; k < i; k++)
        if (strcmp(d->results[k].setting, first->setting) == 0) return false;
    *c = (card){.title = first->setting[0] ? first->setting : first->model_type, .run = -1};
    for (size_t k = i; k < d->n_results; k++) {
        const rg_doc_result *r = &d->results[k];
        if (strcmp(r->setting, first->setting) != 0) continue;
        add_line(c, r->test, r->median_ts, r->ci95_low_ts, r->ci95_high_ts, r->roof_fraction, r->n_gen > 0.0);
    }
    rg_text(c->size, sizeof c->size, "%s in memory, %s bits per weight", RG_BYTES(first->model_size),
        RG_NUM(first->bits_per_weight_resident));
    return true;
}

static card card_of_case(const rg_doc_case *k, char *title, size_t n)
{
    const rg_doc_case_input *in = &k->input;
    card c = {.title = title, .run = -1};
    rg_text(title, n, "%s on %s, batch %.0f", RG_CLEAN(64, in->dtype), RG_CLEAN(64, in->hardware), in->batch);
    if (k->label) rg_text_clean(title, n, k->label);
    add_line(
        &c, RG_TEXT(64, "prefill %.0f", in->seqlen), k->total.prefill.tokens_per_s, NAN, NAN, NAN, false);
    add_line(
        &c, RG_TEXT(64, "decode at %.0f", in->seqlen), k->total.decode.tokens_per_s, NAN, NAN, NAN, true);
    rg_text(c.size, sizeof c.size, "analytic, at the roofs; %s of memory", RG_BYTES(k->memory.total_bytes));
    return c;
}

static card card_of_lv(const rg_doc_lv_case *k, char *title, size_t n)
{
    const rg_doc_lv_input *in = &k->input;
    card c = {.title = title, .run = -1};
    rg_text(title, n, "w%.0f a%.0f kv%.0f on %s, batch %.0f", in->w_bit, in->a_bit, in->kv_bit,
        RG_CLEAN(64, in->hardware), in->batchsize);
    add_line(&c, RG_TEXT(64, "prefill %.0f", in->seqlen),
        rg_ratio(in->batchsize * in->seqlen, k->total.prefill.inference_time), NAN, NAN, NAN, false);
    add_line(&c, RG_TEXT(64, "decode at %.0f", in->seqlen),
        rg_ratio(in->batchsize, k->total.decode.inference_time), NAN, NAN, NAN, true);
    rg_text(c.size, sizeof c.size, "analytic, LLM-Viewer's formulas; %s of memory",
        RG_BYTES(k->total.decode.memory_consumption));
    return c;
}

/* ---- drawing ---- */

static void bar(FILE *f, const card_line *l)
{
    const double wide = 100.0 * fmin(fmax(l->share, 0.0), 1.0);
    fprintf(f,
        "<svg class=\"share\" viewBox=\"0 0 100 8\" role=\"img\" aria-label=\"%s of its roof\"><rect "
        "class=\"grid\" width=\"100\" height=\"8\"/><rect class=\"%s\" width=\"%.1f\" height=\"8\"/></svg>",
        RG_PERCENT(l->share), l->decode ? "c-attn" : "c-qkv", wide);
}

static void draw(FILE *f, const card *c)
{
    fputs("<article class=\"card\"", f);
    if (c->run >= 0) fprintf(f, " data-run=\"%d\"", c->run);
    fputs("><h3>", f);
    rg_page_text(f, c->title);
    fputs("</h3><table>\n", f);
    for (int i = 0; i < c->n; i++) {
        const card_line *l = &c->line[i];
        fputs("<tr><th scope=\"row\">", f);
        rg_page_text(f, l->name);
        fprintf(f, "<td><b>%s</b> tokens/s", RG_NUM(l->speed));
        if (isfinite(l->low) && isfinite(l->high))
            fprintf(f, " <small>%s to %s</small>", RG_NUM(l->low), RG_NUM(l->high));
        if (isfinite(l->share)) {
            fputs("<td>", f);
            bar(f, l);
            fprintf(f, "<small>%s of its roof%s</small>", RG_PERCENT(l->share),
                rg_standing_of(l->share) == RG_ABOVE_ROOF ? ": above it" : "");
        }
        fputc('\n', f);
    }
    fputs("</table>", f);
    if (c->more) fprintf(f, "<p>%d more below.</p>", c->more);
    fputs("<p>", f);
    rg_page_text(f, c->size);
    fputs("</p>", f);
    if (c->quality[0]) {
        fputs("<p>", f);
        rg_page_text(f, c->quality);
        fputs("</p>", f);
    }
    fputs("</article>\n", f);
}

static size_t cards_of_doc(FILE *f, const rg_reports *s, const rg_doc *d)
{
    size_t drawn = 0, all = 0;
    char title[200];
    card c;
    const rg_doc_compare *compare = d->kind == RG_DOC_compare ? d->at : NULL;
    const rg_doc_bench *bench = d->kind == RG_DOC_bench ? d->at : NULL;
    const rg_doc_roofline *exact = d->kind == RG_DOC_roofline ? d->at : NULL;
    const rg_doc_llm_viewer *lv = d->kind == RG_DOC_llm_viewer ? d->at : NULL;
    const size_t n = compare ? compare->n_variants
        : bench              ? bench->n_results
        : exact              ? exact->n_cases
        : lv                 ? lv->n_cases
                             : 0;
    for (size_t i = 0; i < n; i++) {
        if (bench && !card_of_setting(&c, bench, i)) continue;
        if (compare) c = card_of_variant(s, compare, i);
        if (exact) c = card_of_case(&exact->cases[i], title, sizeof title);
        if (lv) c = card_of_lv(&lv->cases[i], title, sizeof title);
        if (all++ >= MOST_CARDS) continue;
        draw(f, &c);
        drawn++;
    }
    return all - drawn;
}

static size_t cards_of_runs(FILE *f, const rg_reports *s)
{
    for (size_t i = 0; i < s->n && i < MOST_CARDS; i++) {
        const card c = card_of_run(s, i);
        draw(f, &c);
    }
    return s->n > MOST_CARDS ? s->n - MOST_CARDS : 0;
}

/* ---- findings ---- */

static void say(FILE *f, const char *sentence)
{
    fputs("<li>", f);
    rg_page_text(f, sentence);
    fputs("</li>\n", f);
}

static rg_phase main_phase(const rg_reports *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!rg_phase_ran(&s->run[i].phase[RG_DECODE])) return RG_PREFILL;
    return RG_DECODE;
}

/* Place of the fastest run, or of the slowest, from the first one on. */
static size_t extreme(const rg_reports *s, rg_phase ph, bool fastest, size_t first)
{
    size_t at = first;
    for (size_t i = first + 1; i < s->n; i++) {
        const double a = s->run[i].phase[ph].tokens_per_s, b = s->run[at].phase[ph].tokens_per_s;
        if (fastest ? a > b : a < b) at = i;
    }
    return at;
}

/* No "times as fast" where the intervals hold a common value, or are not known. */
static void say_gain(FILE *f, const rg_run *base, const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &base->phase[ph], *q = &r->phase[ph];
    const char *name = rg_phase_names[ph], *was = RG_NUM(p->tokens_per_s), *is = RG_NUM(q->tokens_per_s);
    if (!isfinite(p->tokens_per_s_high) || !isfinite(q->tokens_per_s_low))
        say(f,
            RG_TEXT(480, "%s: %s at %s tokens/s, %s at %s; fewer than three repetitions do not compare them.",
                name, r->label, is, base->label, was));
    else if (q->tokens_per_s_low <= p->tokens_per_s_high)
        say(f,
            RG_TEXT(480, "%s: %s and %s cannot be told apart (%s and %s tokens/s).", name, r->label,
                base->label, is, was));
    else
        say(f,
            RG_TEXT(480, "%s: %s runs %s times as fast as %s (%s against %s tokens/s).", name, r->label,
                RG_NUM(rg_ratio(q->tokens_per_s, p->tokens_per_s)), base->label, is, was));
}

/* "decode reaches 92 % of its roof, which memory sets". */
static const char *limit(char *buf, size_t n, const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &r->phase[ph];
    static const char *const what[] = {
        "the memory's bandwidth", "arithmetic", "calls too small for their threads"};
    static const char *const words[] = {"memory", "compute", "overhead"};
    const char *by = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (p->bound && strcmp(p->bound, words[i]) == 0) by = what[i];
    if (!isfinite(p->roof_fraction))
        return rg_text(buf, n, "%s: its roof is not known (%s)", rg_phase_names[ph],
            rg_run_no_roof(r) ? rg_run_no_roof(r) : "no reason was kept");
    if (rg_standing_of(p->roof_fraction) == RG_ABOVE_ROOF)
        return rg_text(buf, n,
            "%s was measured at %s of its roof: operands came from closer caches, or the roof from a "
            "busier minute",
            rg_phase_names[ph], RG_PERCENT(p->roof_fraction));
    rg_text(buf, n, "%s reaches %s of its roof", rg_phase_names[ph], RG_PERCENT(p->roof_fraction));
    if (by) rg_text_add(buf, n, ", which %s %s", by, by == what[2] ? "set" : "sets");
    return buf;
}

/* of: the run's name, or "": then a sentence for each phase. */
static void say_limits(FILE *f, const rg_run *r, const char *of)
{
    char a[RG_PHASE_COUNT][256];
    const bool both = rg_phase_ran(&r->phase[RG_PREFILL]) && rg_phase_ran(&r->phase[RG_DECODE]);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) limit(a[ph], sizeof a[ph], r, ph);
    if (both && of[0]) {
        say(f, RG_TEXT(760, "%s: %s; %s.", of, a[RG_PREFILL], a[RG_DECODE]));
        return;
    }
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (rg_phase_ran(&r->phase[ph])) say(f, RG_TEXT(480, "%s%s%s.", of, of[0] ? ": " : "", a[ph]));
}

static void say_fix(FILE *f, const rg_run *r, const char *of)
{
    rg_fixes *x = malloc(sizeof *x);
    if (!x) return;
    rg_fixes_of(x, r);
    if (x->n_below > 0) {
        const rg_fix *w = &x->below[0];
        say(f,
            RG_TEXT(480, "Most to win%s%s: %s in %s would save %s on its roof, worth %s tokens/s; %s%s%s.",
                of[0] ? " in " : "", of, RG_CLEAN(64, w->op->site), rg_phase_names[w->op->phase],
                RG_TIME(w->recoverable_ns), RG_NUM(w->worth), w->why, w->option[0] ? "; try " : "",
                w->option));
    } else if (x->n_savings > 0) {
        const rg_saving *w = &x->saving[0];
        say(f,
            RG_TEXT(480,
                "Its operators are at their roofs%s%s: only less to do helps: %s (%s) is worth %s tokens/s "
                "in %s.",
                of[0] ? " in " : "", of, w->option, w->what, RG_NUM(w->worth), rg_phase_names[w->phase]));
    }
    free(x);
}

static void findings_of_runs(FILE *f, const rg_reports *s)
{
    const rg_phase ph = main_phase(s);
    const size_t fast = extreme(s, ph, true, 0), base = fast || s->n == 1 ? 0 : extreme(s, ph, false, 1);
    const rg_run *r = &s->run[fast];
    if (s->n > 1 && rg_runs_same_work(&s->run[base], r)) say_gain(f, &s->run[base], r, ph);
    if (r->d->run.noisy) {
        say(f,
            RG_TEXT(300, "%s%sthe run was disturbed, so no causes are named.", s->n > 1 ? r->label : "",
                s->n > 1 ? ": " : ""));
        return;
    }
    say_limits(f, r, s->n > 1 ? r->label : "");
    say_fix(f, r, s->n > 1 ? r->label : "");
}

/* The first three sentences of a document's verdict; the rest is folded. */
static void findings_of_doc(FILE *f, const rg_doc *d)
{
    const json_t *list = json_object_get(d->json, "verdict"), *v;
    size_t i;
    json_array_foreach (list, i, v)
        if (i < 3) say(f, json_string_value(v));
}

/* ---- noise ---- */

static void evidence(FILE *f, const rg_reports *s, size_t run)
{
    const json_t *v;
    size_t i;
    fputs("<p class=\"noisy\"><b>Noisy</b>", f);
    if (s->n > 1) {
        fputs(", ", f);
        rg_page_text(f, s->run[run].label);
    }
    fputs(": ", f);
    json_array_foreach (s->run[run].d->run.noise, i, v) {
        if (i) fputs("; ", f);
        rg_page_text(f, json_string_value(v));
    }
    fputs("</p>\n", f);
}

/* Of more runs than two the evidence is folded. */
static void noise(FILE *f, const rg_reports *s)
{
    size_t noisy = 0;
    for (size_t k = 0; k < s->n; k++) noisy += s->run[k].d->run.noisy;
    if (noisy > 2)
        fprintf(f, "<details class=\"noisy\"><summary>Noisy: %zu of %zu runs were disturbed</summary>", noisy,
            s->n);
    for (size_t k = 0; k < s->n; k++)
        if (s->run[k].d->run.noisy) evidence(f, s, k);
    if (noisy > 2) fputs("</details>\n", f);
    if (s->n > 0 && noisy == 0)
        fputs("<p class=\"quiet\">Quiet: nothing was seen to disturb the measured repetitions.</p>\n", f);
}

void rg_page_summary(FILE *f, const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    const size_t said = d ? json_array_size(json_object_get(d->json, "verdict")) : 0;
    noise(f, s);
    fputs("<div class=\"cards\">\n", f);
    const size_t more = d ? cards_of_doc(f, s, d) : cards_of_runs(f, s);
    fputs("</div>\n", f);
    if (more) fprintf(f, "<p>%zu more are in the tables.</p>\n", more);
    if (!d || said) {
        fputs("<h3>Findings</h3>\n<ol class=\"findings\">\n", f);
        if (d)
            findings_of_doc(f, d);
        else
            findings_of_runs(f, s);
        fputs("</ol>\n", f);
    }
    if (!d || said) {
        fputs("<details id=\"verdict\"><summary>Everything the figures say, in sentences</summary>\n", f);
        rg_page_verdict(f, s);
        fputs("</details>\n", f);
    }
}
