/* What an analytic answer says, in words. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/cost_case.h"

static double rate(const rg_cost_case *k, int ph) { return k->r.tokens[ph] / k->r.total[ph].time_s; }

double rg_cost_memory_share(const rg_cost_case *k, int ph)
{
    double at_memory = 0.0, all = 0.0;
    for (int i = 0; i < k->r.n; i++) {
        const rg_cost_point *p = &k->r.op[i];
        if ((int)p->phase != ph) continue;
        all += p->sum.time_s;
        if (p->bound == RG_LIMIT_MEMORY) at_memory += p->sum.time_s;
    }
    return at_memory / all;
}

static const rg_cost_point *longest(const rg_cost_case *k, int ph)
{
    const rg_cost_point *most = NULL;
    for (int i = 0; i < k->r.n; i++)
        if ((int)k->r.op[i].phase == ph && (!most || k->r.op[i].sum.time_s > most->sum.time_s))
            most = &k->r.op[i];
    return most;
}

static void say_phase(rg_lines *out, const rg_cost_case *k, int ph)
{
    const rg_cost_sum *t = &k->r.total[ph];
    const rg_cost_point *most = longest(k, ph);
    if (!isfinite(t->time_s)) {
        rg_lines_add(out,
            "%s: its ideal time is not known: a roof of %s is missing, the bandwidth or the peak of the "
            "arithmetic in use.",
            rg_phase_names[ph], k->hw->name);
        return;
    }
    const double share = rg_cost_memory_share(k, ph);
    rg_lines_add(out,
        "%s: at most %s tokens/s on these roofs, %s %s; bytes set the limit for %s of the time%s.",
        rg_phase_names[ph], RG_NUM(rate(k, ph)), RG_TIME(1e9 * t->time_s),
        ph == RG_PREFILL ? "for the prompt" : "a step", RG_PERCENT(share),
        share > 0.5 ? ": smaller types or a larger batch would raise it"
                    : ": a faster arithmetic would raise it");
    if (most)
        rg_lines_add(out, "%s: %s takes %s of the ideal time; weights are %s of the bytes (%s in all).",
            rg_phase_names[ph], most->name, RG_PERCENT(most->sum.time_s / t->time_s),
            RG_PERCENT(t->w_rd / t->bytes), RG_BYTES(t->bytes));
}

static void say_memory(rg_lines *out, const rg_cost_case *k)
{
    const rg_cost_memory *m = &k->r.memory[RG_DECODE];
    if (!(k->hw->memory > 0.0) || !(m->total > 0.0)) return;
    rg_lines_add(out, "memory: %s needed, %s of it weights; %s has %s: %s.", RG_BYTES(m->total),
        RG_BYTES(m->weights), k->hw->name, RG_BYTES(k->hw->memory),
        m->total <= k->hw->memory ? "it fits" : "it does not fit");
}

const char *rg_cost_name(char *buf, size_t n, const rg_cost_case *k, const char *label)
{
    char format[64];
    if (label) return label;
    return rg_text(buf, n, "%s, %s, batch %lld, length %lld", k->hw->name,
        rg_cost_format(format, sizeof format, k), (long long)rg_cost_batch(k), (long long)rg_cost_seqlen(k));
}

static void say_range(rg_lines *out, const rg_cost_case *k, size_t n, const rg_cost_print *p, int ph)
{
    const rg_cost_case *lo = NULL, *hi = NULL;
    char low[320], high[320];
    size_t unknown = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(rate(&k[i], ph))) {
            unknown++;
            continue;
        }
        if (!lo || rate(&k[i], ph) < rate(lo, ph)) lo = &k[i];
        if (!hi || rate(&k[i], ph) > rate(hi, ph)) hi = &k[i];
    }
    if (lo)
        rg_lines_add(out, "%s: from %s tokens/s (%s) to %s (%s) on these roofs.", rg_phase_names[ph],
            RG_NUM(rate(lo, ph)), rg_cost_name(low, sizeof low, lo, p->label ? p->label[lo - k] : NULL),
            RG_NUM(rate(hi, ph)), rg_cost_name(high, sizeof high, hi, p->label ? p->label[hi - k] : NULL));
    if (unknown)
        rg_lines_add(out, "%s: %zu of %zu cases have no time: a roof of their machine is not known.",
            rg_phase_names[ph], unknown, n);
}

void rg_cost_verdict(rg_lines *out, const rg_cost_case *k, size_t n, const rg_cost_print *p)
{
    if (p->answer) rg_lines_add(out, "%s", p->answer);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!rg_cost_wants(p, ph)) continue;
        if (n == 1)
            say_phase(out, k, ph);
        else
            say_range(out, k, n, p, ph);
    }
    if (n == 1) rg_cost_say_experts(out, k, p);
    if (n == 1) say_memory(out, k);
    if (k->cost == RG_COST_LLM_VIEWER)
        rg_lines_add(out,
            "These are LLM-Viewer's formulas with their faults: --cost exact gives what the engine would "
            "do.");
}
