/* What another weight type gained over the first run, against what it could gain. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "report/verdict.h"

static double ideal_per_token(const rg_doc_phase *p) { return rg_ratio(p->ideal_ns, p->tokens); }
/* Share of the roofs at the speed that the phase states. */
static double fraction(const rg_doc_phase *p) { return 1e-9 * p->tokens_per_s * ideal_per_token(p); }
static const char *type_of(const rg_run *r)
{
    return r->label[0] ? r->label : r->d->model.dtype ? r->d->model.dtype : "unknown";
}
/* Time of decode operators bound by overhead; weight bytes of all. */
static double overhead_bound(const rg_run *r, double *weights)
{
    double t = 0.0;
    *weights = 0.0;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, RG_DECODE, w));) {
        *weights += w->analytic.weight_bytes;
        if (w->bound && strcmp(w->bound, "overhead") == 0) t += w->t_ns;
    }
    return t;
}

/* "1.52 to 1.58; ", or nothing. */
static const char *between(char *buf, size_t n, rg_interval x)
{
    buf[0] = 0;
    if (isfinite(x.low) && isfinite(x.high)) snprintf(buf, n, "%s to %s; ", RG_NUM(x.low), RG_NUM(x.high));
    return buf;
}
#define BETWEEN(x) between((char[96]){0}, 96, x)

/* Is it faster? The first sentence of a phase; what follows it says nothing else. */
static void speed(rg_lines *out, rg_phase ph, const rg_run *base, const rg_run *other, const rg_doc_side *g)
{
    const char *x = RG_NUM(g->gain), *now = RG_NUM(g->tokens_per_s),
               *before = RG_NUM(base->phase[ph].tokens_per_s);
    if (!isfinite(g->gain_low))
        rg_lines_add(out,
            "%s: %s ran at %s tokens/s where %s ran at %s (%s times); too few repetitions to say whether "
            "that "
            "is a difference.",
            rg_phase_names[ph], type_of(other), now, type_of(base), before, x);
    else if (rg_interval_apart(rg_gain_of(g)))
        rg_lines_add(out, "%s: %s runs %s times as fast as %s (%s against %s tokens/s; between %s and %s).",
            rg_phase_names[ph], type_of(other), x, type_of(base), now, before, RG_NUM(g->gain_low),
            RG_NUM(g->gain_high));
    else
        rg_lines_add(out,
            "%s: %s and %s cannot be told apart: a ratio between %s and %s (%s against %s tokens/s).",
            rg_phase_names[ph], type_of(other), type_of(base), RG_NUM(g->gain_low), RG_NUM(g->gain_high), now,
            before);
}

/* What of its worth a change reached; nothing where that is not known. */
static const char *reached(char *buf, size_t n, const rg_run *base, const rg_run *other, const rg_doc_side *g)
{
    buf[0] = 0;
    if (isfinite(g->gain_low) && !rg_interval_apart(rg_gain_of(g)))
        snprintf(buf, n, "%s", rg_interval_apart(rg_worth_of(g)) ? "; none of it shows in this noise" : "");
    else if (g->gain_reached > 1.0)
        snprintf(buf, n, "; reached: more than that, as %s is closer to its roofs than %s", type_of(other),
            type_of(base));
    else
        snprintf(buf, n, "; reached: %s of that", RG_PERCENT(g->gain_reached));
    return buf;
}
#define REACHED(base, other, g) reached((char[512]){0}, 512, base, other, g)

/* Both speeds lie below their roofs, or the sentence that they do not. */
static bool below_roofs(rg_lines *out, rg_phase ph, const rg_run *base, const rg_run *other)
{
    const rg_run *const both[] = {base, other};
    for (int i = 0; i < 2; i++) {
        const double f = fraction(&both[i]->phase[ph]);
        if (!(f > 1.02)) continue;
        rg_lines_add(out,
            "%s: %s lies above its roofs (%s): a cache closer than its footprint says serves it, or the "
            "roofs "
            "were measured while the machine was busier.",
            rg_phase_names[ph], type_of(both[i]), RG_PERCENT(f));
        return false;
    }
    return true;
}

/* Weights and KV that a decode step streams; a mixture reads fewer weights than it comes round to. */
static double streamed(const rg_run *r)
{
    const rg_doc_phase *p = &r->phase[RG_DECODE];
    double bytes = 0.0;
    if (!rg_verdict_is_sparse(r)) return p->stream_bytes;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, RG_DECODE, w));)
        bytes += w->analytic.weight_bytes + w->analytic.kv_read_bytes;
    return rg_ratio(bytes, p->calls);
}

static void decode_gain(rg_lines *out, const rg_run *base, const rg_run *other, const rg_doc_side *g)
{
    const rg_doc_phase *p0 = &base->phase[RG_DECODE], *p1 = &other->phase[RG_DECODE];
    const double bytes = rg_ratio(base->d->model.stream_bytes, other->d->model.stream_bytes),
                 worth = g->gain_expected;
    speed(out, RG_DECODE, base, other, g);
    if (bytes > 1.005 || bytes < 0.995)
        rg_lines_add(out, "decode: %s streams %s times %s weight bytes per step than %s.", type_of(other),
            RG_NUM(bytes > 1.0 ? bytes : 1.0 / bytes), bytes > 1.0 ? "fewer" : "more", type_of(base));
    if (!below_roofs(out, RG_DECODE, base, other) || !isfinite(worth)) return;
    if (fabs(worth - 1.0) > 0.005)
        rg_lines_add(out,
            "decode: on these roofs the change was worth %s times (%sweights and KV streamed per step: %s "
            "before, %s now)%s.",
            RG_NUM(worth), BETWEEN(rg_worth_of(g)), RG_BYTES(streamed(base)), RG_BYTES(streamed(other)),
            REACHED(base, other, g));
    if (g->gain < 0.9 * bytes && other->d->n_ops > 0) {
        double weights;
        const double outside = rg_ratio(p1->overhead_ns + overhead_bound(other, &weights), p1->t_ns);
        rg_lines_add(out,
            "decode: %s is at %s of its roofs where %s is at %s; %s of its time is in or around operators "
            "too small to count.",
            type_of(other), RG_PERCENT(fraction(p1)), type_of(base), RG_PERCENT(fraction(p0)),
            RG_PERCENT(outside));
    }
}

/* What is left to gain in the output matrix. */
static void head_share(rg_lines *out, const rg_run *r)
{
    const rg_doc_op *w = rg_run_op(r, RG_DECODE, rg_site_name(RG_SITE_OUTPUT));
    const rg_doc_phase *p = &r->phase[RG_DECODE];
    double weights;
    overhead_bound(r, &weights);
    if (!w || !(weights > 0.0)) return;
    const double share = rg_ratio(w->analytic.weight_bytes, weights);
    if (share > 0.05)
        rg_lines_add(out,
            "decode: the output matrix (%s) is %s of the weight bytes that %s streams, and %s of the time.",
            r->d->model.head_dtype ? r->d->model.head_dtype : "type unknown", RG_PERCENT(share), type_of(r),
            RG_PERCENT(rg_ratio(w->t_ns, p->t_ns)));
}

static void prefill_gain(rg_lines *out, const rg_run *base, const rg_run *other, const rg_doc_side *g)
{
    const rg_doc_phase *p0 = &base->phase[RG_PREFILL], *p1 = &other->phase[RG_PREFILL];
    const double worth = g->gain_expected,
                 compute = rg_ratio(p1->ideal_flop_ns, fmax(p1->ideal_flop_ns, p1->ideal_mem_ns));
    speed(out, RG_PREFILL, base, other, g);
    if (!below_roofs(out, RG_PREFILL, base, other) || !(fabs(worth - 1.0) > 0.005)) return;
    const char *w = RG_NUM(worth), *range = BETWEEN(rg_worth_of(g)), *done = REACHED(base, other, g);
    const char *flop = RG_TIME(p1->ideal_flop_ns), *mem = RG_TIME(p1->ideal_mem_ns);
    if (compute >= 1.0 && p0->ideal_flop_ns > p0->ideal_mem_ns)
        rg_lines_add(out,
            "prefill: arithmetic is its limit (ideal compute time %s, ideal memory time %s), so fewer weight "
            "bytes are worth little; the change as a whole was worth %s times (%son these roofs)%s%s.",
            flop, mem, w, range, worth > 1.05 ? ", because its products have a faster arithmetic" : "", done);
    else
        rg_lines_add(out,
            "prefill: %s its limit (ideal compute time %s, ideal memory time %s); the change was worth %s "
            "times (%son these roofs)%s.",
            compute >= 1.0 ? "arithmetic is now" : "memory is still", flop, mem, w, range, done);
}

void rg_verdict_compare(
    rg_lines *out, const rg_run *base, const rg_run *other, const rg_doc_side side[RG_PHASE_COUNT])
{
    rg_verdict_sparse(out, base, other);
    for (int k = 0; k < RG_PHASE_COUNT; k++) {
        const rg_phase ph = k == 0 ? RG_DECODE : RG_PREFILL;
        const rg_doc_side g = side ? side[ph] : rg_gain_side(base, other, ph);
        if (ph == RG_PREFILL) head_share(out, other);
        if (!(base->phase[ph].t_ns > 0.0) || !(other->phase[ph].t_ns > 0.0)) continue;
        if (ph == RG_DECODE)
            decode_gain(out, base, other, &g);
        else
            prefill_gain(out, base, other, &g);
    }
}
