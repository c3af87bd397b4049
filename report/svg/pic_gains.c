/* Pictures of `ridge compare`: gains per phase, gains per operator, and what --ablate found. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/gain.h"
#include "report/join.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"

static const char LEGEND[] =
    "filled: measured, thick: interval; hollow: what the roofs allow; left of the upright line is slower";

static const char *sub_of(char *buf, size_t n, const rg_doc_compare *d)
{
    snprintf(buf, n, "against %s; %s", RG_CLEAN(96, d->variants[0].name), RG_CLEAN(96, d->cpu));
    return buf;
}

/* ---- phases ---- */

/* NULL: not measured, or not held against anything. */
static const rg_doc_side *side_of(const rg_doc_variant *v, rg_phase ph)
{
    const rg_doc_side *o = ph == RG_PREFILL ? v->prefill : v->decode;
    return o && isfinite(o->gain) ? o : NULL;
}

bool rg_picture_can_gains(const rg_reports *s, size_t index)
{
    const rg_doc_compare *d = rg_reports_other(s)->at;
    for (size_t i = 1; i < d->n_variants && index == 0; i++)
        if (side_of(&d->variants[i], RG_PREFILL) || side_of(&d->variants[i], RG_DECODE)) return true;
    return false;
}

static bool gain_row(rg_dot *x, const rg_rows *r, int ph, size_t i)
{
    const rg_doc_variant *v = &((const rg_doc_compare *)r->from)->variants[i];
    const rg_doc_side *o = i > 0 ? side_of(v, ph) : NULL;
    if (!o) return false;
    *x = (rg_dot){.value = o->gain,
        .low = o->gain_low,
        .high = o->gain_high,
        .ideal = o->gain_expected,
        .series = (int)i};
    rg_text_clean(x->label, sizeof x->label, v->name);
    const char *a = RG_NUM(x->value), *b = RG_NUM(x->low), *c = RG_NUM(x->high), *e = RG_NUM(x->ideal),
               *g = o->gain_reached > 1.0 ? "more" : RG_PERCENT(o->gain_reached);
    if (isfinite(x->low) && !rg_interval_apart(rg_gain_of(o)))
        snprintf(x->text, sizeof x->text, "not told apart (%s to %s); worth %s", b, c, e);
    else if (isfinite(x->low))
        snprintf(x->text, sizeof x->text, "%s (%s to %s); worth %s: %s", a, b, c, e, g);
    else
        snprintf(x->text, sizeof x->text, "%s, no interval; worth %s: %s", a, e, g);
    snprintf(x->tip, sizeof x->tip,
        "%s, %s\nspeed ratio %s, interval %s to %s\nworth %s times on the roofs; reached of that: %s\n%s "
        "tokens/s",
        x->label, rg_phase_names[ph], a, b, c, e, g, RG_NUM(o->tokens_per_s));
    snprintf(x->at, sizeof x->at, "variants.%zu.%s", i, rg_phase_names[ph]);
    return true;
}

rg_status rg_picture_gains(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc_compare *d = rg_reports_other(set)->at;
    char sub[256];
    const rg_chart_words words = {"Gain over the first variant", sub_of(sub, sizeof sub, d),
        "A row per phase and variant: how many times as fast as the first, with its interval, and hollow "
        "what the change is worth on the roofs.",
        LEGEND};
    const rg_rows rows = {
        gain_row, d, index, d->n_variants, 0, rg_phase_names, RG_PHASE_COUNT, "times as fast", "the first"};
    return rg_chart_rows(f, &words, &rows, embedded, err);
}

/* ---- operators ---- */

/* One picture per variant but the first. */
bool rg_picture_can_op_gains(const rg_reports *s, size_t index)
{
    const rg_doc_compare *d = rg_reports_other(s)->at;
    for (size_t i = 0; i < d->n_operators; i++)
        if (d->operators[i].variant >= (double)index + 1.0 && d->operators[i].variant < (double)d->n_variants)
            return true;
    return false;
}

static bool op_row(rg_dot *x, const rg_rows *r, int ph, size_t i)
{
    const rg_doc_op_gain *o = &((const rg_doc_compare *)r->from)->operators[i];
    if (o->phase != (rg_phase)ph || fabs(o->variant - (double)r->index - 1.0) > 0.5 || !isfinite(o->gain))
        return false;
    *x = (rg_dot){.value = o->gain,
        .low = o->gain_low,
        .high = o->gain_high,
        .ideal = o->gain_expected,
        .series = (int)r->index + 1};
    rg_text_clean(x->label, 48, o->site);
    const char *a = RG_NUM(x->value), *b = RG_TIME(o->base_ns), *c = RG_TIME(o->ns),
               *range = isfinite(x->low) ? RG_TEXT(80, " (%s to %s)", RG_NUM(x->low), RG_NUM(x->high)) : "";
    snprintf(x->text, sizeof x->text, "%s%s: %s to %s", a, range, b, c);
    snprintf(x->tip, sizeof x->tip, "%s, %s\nspeed ratio %s%s: %s to %s per token\non the roofs %s times",
        x->label, rg_phase_names[ph], a, range, b, c, RG_NUM(x->ideal));
    snprintf(x->at, sizeof x->at, "operators.%zu", i);
    return true;
}

rg_status rg_picture_op_gains(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc_compare *d = rg_reports_other(set)->at;
    char sub[256];
    const rg_chart_words words = {
        RG_TEXT(160, "Gain by operator: %s", RG_CLEAN(96, d->variants[index + 1].name)),
        sub_of(sub, sizeof sub, d),
        "A row per phase and operator: time per token in the first variant over that in this one; hollow: "
        "the same of the ideal times.",
        "filled: measured in the recorded runs, thick: interval; hollow: what the roofs allow; left of the "
        "upright line is slower"};
    const rg_rows rows = {op_row, d, index, d->n_operators, d->n_variants - 1, rg_phase_names, RG_PHASE_COUNT,
        "times as fast per token", "the first"};
    return rg_chart_rows(f, &words, &rows, embedded, err);
}

/* ---- ablation ---- */

bool rg_picture_can_ablation(const rg_reports *s, size_t index)
{
    return index == 0 && ((const rg_doc_ablate *)rg_reports_other(s)->at)->n_switches > 0;
}

enum { PARTS = 4 };
static const char *const part_titles[PARTS] = {
    "prefill, alone", "decode, alone", "prefill, with the others", "decode, with the others"};

static bool switch_row(rg_dot *x, const rg_rows *r, int k, size_t i)
{
    static const char *const keys[PARTS] = {
        "prefill_alone", "decode_alone", "prefill_with_others", "decode_with_others"};
    const rg_doc_lever *v = &((const rg_doc_ablate *)r->from)->switches[i];
    const rg_doc_worth *const parts[PARTS] = {
        v->prefill_alone, v->decode_alone, v->prefill_with_others, v->decode_with_others};
    const rg_doc_worth *o = parts[k];
    if (!o || !isfinite(o->speedup)) return false;
    *x = (rg_dot){.value = o->speedup, .low = o->low, .high = o->high, .ideal = NAN, .series = k % 2};
    rg_text_clean(x->label, 64, v->name);
    const char *a = RG_NUM(x->value), *b = RG_NUM(x->low), *c = RG_NUM(x->high);
    const bool unseen = x->low <= 1.0 && x->high >= 1.0;
    if (isfinite(x->low))
        snprintf(x->text, sizeof x->text, "%s (%s to %s)%s", a, b, c, unseen ? ": not seen" : "");
    else
        snprintf(x->text, sizeof x->text, "%s, no interval", a);
    snprintf(x->tip, sizeof x->tip, "%s: %s\nspeed ratio %s, interval %s to %s%s", x->label, r->title[k], a,
        b, c, unseen ? "\nno worth that this noise lets one see" : "");
    snprintf(x->at, sizeof x->at, "switches.%zu.%s", i, keys[k]);
    return true;
}

rg_status rg_picture_ablation(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc_ablate *d = rg_reports_other(set)->at;
    char cpu[96];
    const rg_chart_words words = {"What each switch is worth",
        rg_text_clean(cpu, sizeof cpu, d->bench.machine.cpu),
        "A row per switch: speed with it over speed without, alone and with all the others on, with its "
        "interval; the upright line is no effect.",
        "filled: measured, thick: interval; an interval across the upright line means: no worth that this "
        "noise lets one see"};
    const rg_rows rows = {
        switch_row, d, index, d->n_switches, 0, part_titles, PARTS, "times as fast", "no effect"};
    return rg_chart_rows(f, &words, &rows, embedded, err);
}
