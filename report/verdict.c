/* The verdict of one run: sentences chosen and filled by its numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/join.h"

/* Rows of a phase, longest first. Returns how many. */
static int longest(const rg_report *r, rg_phase ph, const rg_row *out[RG_SITE_COUNT])
{
    int n = 0;
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const rg_row *w = rg_report_row(r, ph, (rg_site)s);
        if (!w) continue;
        int at = n++;
        for (; at > 0 && out[at - 1]->t_ns < w->t_ns; at--) out[at] = out[at - 1];
        out[at] = w;
    }
    return n;
}

static void append(char *buf, size_t n, const char *s)
{
    const size_t at = strlen(buf);
    snprintf(buf + at, n - at, "%s", s);
}

/* Where the time goes: the operators that make up two thirds of it, at most four. */
static void top_operators(rg_lines *out, const rg_report *r, rg_phase ph)
{
    const rg_row *w[RG_SITE_COUNT];
    const rg_phase_sum *p = &r->phase[ph];
    const int n = longest(r, ph, w);
    char list[256] = "", a[32], b[32], c[32];
    double sum = 0.0;
    int k = 0;
    for (; k < n && k < 4 && sum < 0.66 * (double)p->t_ns; k++) {
        char one[64];
        sum += (double)w[k]->t_ns;
        snprintf(one, sizeof one, "%s%s %s", k ? ", " : "", rg_site_name(w[k]->site),
            rg_percent(a, sizeof a, rg_ratio((double)w[k]->t_ns, (double)p->t_ns)));
        append(list, sizeof list, one);
    }
    const double tps = 1e9 * rg_ratio((double)p->tokens, (double)p->t_ns);
    rg_lines_add(out, "%s runs at %s tokens/s; %s of its time is in %s (%s).", rg_phase_names[ph],
        rg_num(b, sizeof b, tps), rg_percent(c, sizeof c, rg_ratio(sum, (double)p->t_ns)),
        k == 1 ? "one operator" : "these operators", list);
}

/* How far from the roof, and what the distance consists of. */
static void distance(rg_lines *out, const rg_report *r, rg_phase ph)
{
    const rg_phase_sum *p = &r->phase[ph];
    char a[32], b[32], c[32], d[32];
    if (!isfinite(p->ideal_ns)) {
        rg_lines_add(out, "%s: how far that is from the roof is not known: %s.", rg_phase_names[ph],
            rg_report_no_roof(r));
        return;
    }
    const double fraction = rg_ratio(p->ideal_ns, (double)p->t_ns), gap = (double)p->t_ns - p->ideal_ns,
                 per = p->calls ? (double)p->calls : 1.0;
    const double part[4] = {p->gap_ns[RG_BOUND_MEMORY], p->gap_ns[RG_BOUND_COMPUTE],
        p->gap_ns[RG_BOUND_OVERHEAD], (double)p->overhead_ns};
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
            rg_phase_names[ph], rg_time(a, sizeof a, (double)p->t_ns / per),
            rg_time(b, sizeof b, p->ideal_ns / per));
        return;
    }
    rg_lines_add(out, "%s reaches %s of the measured roofs: %s per call where %s would do.",
        rg_phase_names[ph], rg_percent(a, sizeof a, fraction), rg_time(b, sizeof b, (double)p->t_ns / per),
        rg_time(c, sizeof c, p->ideal_ns / per));
    if (part[second] > 0.1 * lost)
        rg_lines_add(out, "%s: %s of the distance is in %s, %s in %s.", rg_phase_names[ph],
            rg_percent(a, sizeof a, part[first] / lost), what[first],
            rg_percent(d, sizeof d, part[second] / lost), what[second]);
    else
        rg_lines_add(out, "%s: %s of the distance is in %s.", rg_phase_names[ph],
            rg_percent(a, sizeof a, part[first] / lost), what[first]);
}

/* The operator that loses most, with the likely reason read off its numbers. */
static void worst_operator(rg_lines *out, const rg_report *r, rg_phase ph)
{
    const rg_row *w[RG_SITE_COUNT], *worst = NULL;
    const rg_phase_sum *p = &r->phase[ph];
    const int n = longest(r, ph, w);
    char a[32], b[32], c[32], d[32], e[32], roof[96];
    for (int i = 0; i < n; i++)
        if (isfinite(w[i]->ideal_ns) &&
            (!worst || (double)w[i]->t_ns - w[i]->ideal_ns > (double)worst->t_ns - worst->ideal_ns))
            worst = w[i];
    if (!worst || (double)worst->t_ns - worst->ideal_ns < 0.03 * (double)p->t_ns) return;
    const double wait = rg_ratio((double)worst->wait_ns, (double)worst->t_ns * worst->threads),
                 fraction = rg_row_fraction(worst);
    const double reread =
        rg_ratio((double)rg_tally_bytes(&worst->counted), (double)rg_tally_bytes(&worst->analytic));
    rg_num(a, sizeof a, 1e-6 * ((double)worst->t_ns - worst->ideal_ns));
    rg_percent(b, sizeof b, fraction);
    rg_row_roof(roof, sizeof roof, worst);
    const double each = rg_ratio((double)worst->t_ns, (double)worst->calls),
                 worth = rg_ratio(worst->ideal_ns, (double)worst->calls);
    if (worst->bound == RG_BOUND_OVERHEAD && each < worth + 8.0 * r->machine.barrier_ns.value)
        rg_lines_add(out,
            "%s loses most in %s, %s ms: a call takes %s and is worth %s, where a barrier alone takes %s; "
            "fusing it with its neighbours would help.",
            rg_phase_names[ph], rg_site_name(worst->site), a, rg_time(c, sizeof c, each),
            rg_time(d, sizeof d, worth), rg_time(e, sizeof e, r->machine.barrier_ns.value));
    else if (wait > 0.25)
        rg_lines_add(out,
            "%s loses most in %s, %s ms: its threads wait at the barrier for %s of their time, so the work "
            "is split unevenly or a core is shared with others.",
            rg_phase_names[ph], rg_site_name(worst->site), a, rg_percent(c, sizeof c, wait));
    else if (reread > 1.1)
        rg_lines_add(out,
            "%s loses most in %s, %s ms at %s of its roof (%s): the loops stream %s times the compulsory "
            "bytes.",
            rg_phase_names[ph], rg_site_name(worst->site), a, b, roof, rg_num(c, sizeof c, reread));
    else
        rg_lines_add(out,
            "%s loses most in %s, %s ms at %s of its roof (%s): it moves only what it must (%s times the "
            "compulsory bytes) and waits little, so the rest "
            "lies inside the kernel: its instructions, how it streams, the pages it reads (%s per call).",
            rg_phase_names[ph], rg_site_name(worst->site), a, b, roof, rg_num(c, sizeof c, reread),
            rg_time(d, sizeof d, each));
}

static bool is_attention(rg_site s)
{
    const rg_op op = rg_site_op(s);
    return op == RG_OP_ATTN || op == RG_OP_ATTN_QK || op == RG_OP_SOFTMAX || op == RG_OP_ATTN_PV;
}

/* What decides the phase: the share of weights, KV and operations in the ideal time. */
static void character(rg_lines *out, const rg_report *r, rg_phase ph)
{
    const rg_phase_sum *p = &r->phase[ph];
    char a[32], b[32], c[32];
    double attention = 0.0;
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const rg_row *w = is_attention((rg_site)s) ? rg_report_row(r, ph, (rg_site)s) : NULL;
        if (w) attention += (double)w->t_ns;
    }
    /* The ridge point of the roofs that the operators really have: each kind of product meets its own peak,
     * each operand its own bandwidth. Below it the sum of memory times is the larger one, so the sentence
     * never contradicts the ideal times of the table. */
    const double ai = rg_intensity(p->analytic.flop, rg_tally_bytes(&p->analytic)),
                 ridge = ai * rg_ratio(p->mem_ns, p->flop_ns);
    if (isfinite(ridge) && ridge > 0.0)
        rg_lines_add(out,
            "%s has an intensity of %s FLOP/byte, %s %s, where the roofs of its operators meet: %s.",
            rg_phase_names[ph], rg_num(a, sizeof a, ai), ai < ridge ? "below" : "above",
            rg_num(b, sizeof b, ridge),
            ai < ridge ? "moving bytes, not arithmetic, sets its roof"
                       : "arithmetic sets its roof, and fewer bytes alone cannot raise it");
    if (attention > 0.1 * (double)p->t_ns)
        rg_lines_add(out,
            "%s spends %s in attention at contexts up to %lld tokens; that share grows with the context.",
            rg_phase_names[ph], rg_percent(c, sizeof c, attention / (double)p->t_ns), (long long)p->last_ctx);
    const double wait = rg_ratio((double)p->wait_ns, (double)p->op_ns * p->threads);
    if (wait > 0.05)
        rg_lines_add(out, "%s: threads wait at barriers for %s of the operators' time.", rg_phase_names[ph],
            rg_percent(a, sizeof a, wait));
}

void rg_verdict_run(rg_lines *out, const rg_report *r)
{
    char a[32], b[32];
    const uint64_t all = r->phase[RG_PREFILL].t_ns + r->phase[RG_DECODE].t_ns;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        if (!p->ran || p->t_ns == 0) continue;
        top_operators(out, r, (rg_phase)ph);
        character(out, r, (rg_phase)ph);
        distance(out, r, (rg_phase)ph);
        worst_operator(out, r, (rg_phase)ph);
    }
    const rg_phase_sum *p = &r->phase[RG_PREFILL], *d = &r->phase[RG_DECODE];
    if (p->t_ns && d->t_ns) {
        const double ratio =
            rg_ratio((double)d->t_ns / (double)d->tokens, (double)p->t_ns / (double)p->tokens);
        rg_lines_add(out, "A generated token costs %s times a prompt token; generating took %s of the time.",
            rg_num(a, sizeof a, ratio), rg_percent(b, sizeof b, rg_ratio((double)d->t_ns, (double)all)));
    }
}

void rg_verdict(rg_lines *out, const rg_report *const *r, int n)
{
    for (int i = 0; i < n; i++) {
        if (n > 1)
            rg_lines_add(
                out, "Run %d: %s weights.", i + 1, r[i]->model.dtype ? r[i]->model.dtype : "unknown");
        rg_verdict_run(out, r[i]);
    }
    for (int i = 1; i < n; i++) rg_verdict_compare(out, r[0], r[i], NULL);
}
