/* The verdict of one run: sentences chosen and filled by its numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "report/fixes.h"
#include "report/verdict.h"

enum { MOST = 2 * RG_SITE_COUNT };

/* Operators of a phase, longest first. Returns how many. */
static int longest(const rg_run *r, rg_phase ph, const rg_doc_op *out[MOST])
{
    int n = 0;
    for (const rg_doc_op *w = NULL; n < MOST && (w = rg_run_next(r, ph, w));) {
        int at = n++;
        for (; at > 0 && out[at - 1]->t_ns < w->t_ns; at--) out[at] = out[at - 1];
        out[at] = w;
    }
    return n;
}

/* Where the time goes: the operators that make up two thirds of it, at most four. */
static void top_operators(rg_lines *out, const rg_run *r, rg_phase ph)
{
    const rg_doc_op *w[MOST];
    const rg_doc_phase *p = &r->phase[ph];
    const int n = longest(r, ph, w);
    char list[256] = "";
    double sum = 0.0;
    int k = 0;
    for (; k < n && k < 4 && sum < 0.66 * p->t_ns; k++) {
        sum += w[k]->t_ns;
        rg_text_add(list, sizeof list, "%s%s %s", k ? ", " : "", w[k]->site,
            RG_PERCENT(rg_ratio(w[k]->t_ns, p->t_ns)));
    }
    const double tps = 1e9 * rg_ratio(p->tokens, p->t_ns);
    rg_lines_add(out, "%s runs at %s tokens/s; %s of its time is in %s (%s).", rg_phase_names[ph],
        RG_NUM(tps), RG_PERCENT(rg_ratio(sum, p->t_ns)), k == 1 ? "one operator" : "these operators", list);
}

/* Measured less ideal time of the operators that have that bound. */
static double gap_of(const rg_run *r, rg_phase ph, const char *bound)
{
    double gap = 0.0;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));)
        if (w->bound && strcmp(w->bound, bound) == 0) gap += w->t_ns - w->analytic.ideal_ns;
    return gap;
}

/* The operator furthest above its roof, if what such operators gain is a tenth of the gap: then the gap is
 * not the sum of what the others lose. */
static const rg_doc_op *above_roof(const rg_run *r, rg_phase ph, double gap)
{
    const rg_doc_op *most = NULL;
    double over = 0.0;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));) {
        if (!(w->roof_fraction > 1.02)) continue;
        over += w->analytic.ideal_ns - w->t_ns;
        if (!most || w->roof_fraction > most->roof_fraction) most = w;
    }
    return over > 0.1 * gap ? most : NULL;
}

static void distance(rg_lines *out, const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &r->phase[ph];
    if (!isfinite(p->ideal_ns)) {
        rg_lines_add(out, "%s: how far that is from the roof is not known: %s.", rg_phase_names[ph],
            rg_run_no_roof(r));
        return;
    }
    const double fraction = rg_ratio(p->ideal_ns, p->t_ns), gap = p->t_ns - p->ideal_ns,
                 per = p->calls > 0.0 ? p->calls : 1.0;
    const double part[4] = {
        gap_of(r, ph, "memory"), gap_of(r, ph, "compute"), gap_of(r, ph, "overhead"), p->overhead_ns};
    static const char *const what[4] = {"memory-bound operators below their bandwidth roof",
        "compute-bound operators below their peak", "operators too small for a team of threads (overhead)",
        "the time outside operators (starting the team, reading counters)"};
    int first = 0, second = 1;
    double lost = 0.0; /* more than the gap where another kind beats its roof */
    for (int i = 0; i < 4; i++) {
        if (part[i] > part[first]) first = i;
        lost += fmax(part[i], 0.0);
    }
    second = first == 0;
    for (int i = 0; i < 4; i++)
        if (i != first && part[i] > part[second]) second = i;
    if (gap <= 0.0) {
        rg_lines_add(out,
            "%s needs %s per call, less than the %s its roofs ask for: operands stay in caches closer than "
            "their footprint says, or the roofs were measured on "
            "a busier machine.",
            rg_phase_names[ph], RG_TIME(p->t_ns / per), RG_TIME(p->ideal_ns / per));
        return;
    }
    rg_lines_add(out, "%s reaches %s of the measured roofs: %s per call where %s would do.",
        rg_phase_names[ph], RG_PERCENT(fraction), RG_TIME(p->t_ns / per), RG_TIME(p->ideal_ns / per));
    const rg_doc_op *above = above_roof(r, ph, gap);
    if (above)
        rg_lines_add(out,
            "%s: %s ran at %s of its roof: what it reads is in closer caches than its footprint says, or the "
            "roofs were measured on a busier machine; so what the distance is made of is not known.",
            rg_phase_names[ph], above->site, RG_PERCENT(above->roof_fraction));
    else if (part[second] > 0.1 * lost)
        rg_lines_add(out, "%s: %s of the distance is in %s, %s in %s.", rg_phase_names[ph],
            RG_PERCENT(part[first] / lost), what[first], RG_PERCENT(part[second] / lost), what[second]);
    else
        rg_lines_add(out, "%s: %s of the distance is in %s.", rg_phase_names[ph],
            RG_PERCENT(part[first] / lost), what[first]);
}

/* The operator that loses most, with the likely reason read off its numbers. */
static void worst_operator(rg_lines *out, const rg_run *r, rg_phase ph)
{
    rg_fixes f;
    const rg_fix *x = f.below;
    rg_fixes_of(&f, r);
    while (x < f.below + f.n_below && x->op->phase != ph) x++;
    if (x == f.below + f.n_below || x->recoverable_ns < 0.03 * r->phase[ph].t_ns) return;
    rg_lines_add(out, "%s loses most in %s, %s ms at %s of its roof (%s): %s%s%s.", rg_phase_names[ph],
        x->op->site, RG_NUM(1e-6 * x->recoverable_ns), RG_PERCENT(rg_op_share(x->op)),
        x->op->roof ? x->op->roof : "?", x->why, x->option[0] ? "; what may help: " : "", x->option);
}

static bool is_attention(const char *op)
{
    static const rg_op of[] = {RG_OP_ATTN, RG_OP_ATTN_QK, RG_OP_SOFTMAX, RG_OP_ATTN_PV};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (strcmp(rg_op_name(of[i]), op) == 0) return true;
    return false;
}

/* What decides the phase. */
static void character(rg_lines *out, const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &r->phase[ph];
    double attention = 0.0;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));)
        if (is_attention(w->op)) attention += w->t_ns;
    /* The ridge point of the operators' own roofs: below it the sum of memory times is the larger one, as in
     * the table. */
    const double ai = p->ai_analytic, ridge = ai * rg_ratio(p->ideal_mem_ns, p->ideal_flop_ns);
    if (isfinite(ridge) && ridge > 0.0)
        rg_lines_add(out,
            "%s has an intensity of %s FLOP/byte, %s %s, where the roofs of its operators meet: %s.",
            rg_phase_names[ph], RG_NUM(ai), ai < ridge ? "below" : "above", RG_NUM(ridge),
            ai < ridge ? "moving bytes, not arithmetic, sets its roof"
                       : "arithmetic sets its roof, and fewer bytes alone cannot raise it");
    if (attention > 0.1 * p->t_ns)
        rg_lines_add(out,
            "%s spends %s in attention at contexts up to %.0f tokens; that share grows with the context.",
            rg_phase_names[ph], RG_PERCENT(attention / p->t_ns), p->ctx);
    const double wait = rg_ratio(p->wait_ns, p->ops_ns * r->d->machine.threads);
    if (wait > 0.05)
        rg_lines_add(out, "%s: threads wait at barriers for %s of the operators' time.", rg_phase_names[ph],
            RG_PERCENT(wait));
}

/* What disturbed the run, and what of it is not in the figures. */
static void disturbed(rg_lines *out, const rg_run *r)
{
    char list[400] = "";
    const json_t *line;
    size_t i;
    json_array_foreach (r->d->run.noise, i, line)
        rg_text_add(list, sizeof list, "%s%s", i ? "; " : "", json_string_value(line));
    if (r->d->run.noisy)
        rg_lines_add(out,
            "The machine was not quiet (%s): times are medians over repetitions without stalled calls, and "
            "no "
            "causes are named.",
            list);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        const rg_doc_op *worst = NULL;
        if (!rg_phase_stalled(p)) continue;
        for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));)
            if (w->stall_ns > 0.0 && (!worst || w->stall_ns > worst->stall_ns)) worst = w;
        rg_lines_add(out,
            "%s: by the clock it was %s tokens/s; %.0f calls stalled for %s in all%s%s, which is not in the "
            "figures.",
            rg_phase_names[ph], RG_NUM(1e9 * rg_ratio(p->tokens, p->wall_ns)), p->stalls,
            RG_TIME(p->stall_ns), worst ? ", most in " : "", worst ? worst->site : "");
    }
}

void rg_verdict_run(rg_lines *out, const rg_run *r)
{
    disturbed(out, r);
    const double all = r->phase[RG_PREFILL].t_ns + r->phase[RG_DECODE].t_ns;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        if (!(p->t_ns > 0.0)) continue;
        top_operators(out, r, ph);
        if (r->d->run.noisy) continue;
        character(out, r, ph);
        distance(out, r, ph);
        worst_operator(out, r, ph);
    }
    rg_verdict_experts(out, r);
    const rg_doc_phase *p = &r->phase[RG_PREFILL], *d = &r->phase[RG_DECODE];
    if (p->t_ns > 0.0 && d->t_ns > 0.0) {
        const double ratio = rg_ratio(d->t_ns / d->tokens, p->t_ns / p->tokens);
        rg_lines_add(out, "A generated token costs %s times a prompt token; generating took %s of the time.",
            RG_NUM(ratio), RG_PERCENT(rg_ratio(d->t_ns, all)));
    }
}

void rg_verdict(rg_lines *out, const rg_reports *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const char *type = s->run[i].d->model.dtype;
        if (s->n > 1) rg_lines_add(out, "Run %zu: %s weights.", i + 1, type ? type : "unknown");
        rg_verdict_run(out, &s->run[i]);
    }
    for (size_t i = 1; i < s->n; i++)
        if (rg_runs_same_work(&s->run[0], &s->run[i])) rg_verdict_compare(out, &s->run[0], &s->run[i], NULL);
}
