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

static void decode_gain(rg_lines *out, const rg_run *base, const rg_run *other, double paired)
{
    const rg_doc_phase *p0 = &base->phase[RG_DECODE], *p1 = &other->phase[RG_DECODE];
    if (!(p0->t_ns > 0.0) || !(p1->t_ns > 0.0)) return;
    const double tps0 = p0->tokens_per_s, tps1 = p1->tokens_per_s,
                 gain = isnan(paired) ? tps1 / tps0 : paired,
                 bytes = rg_ratio(base->d->model.stream_bytes, other->d->model.stream_bytes);
    const double per0 = p0->stream_bytes, per1 = p1->stream_bytes,
                 roofs = ideal_per_token(p0) / ideal_per_token(p1);
    rg_lines_add(out,
        "decode: %s runs %s times as fast as %s (%s against %s tokens/s); it streams %s times fewer weight "
        "bytes per step.",
        type_of(other), RG_NUM(gain), type_of(base), RG_NUM(tps1), RG_NUM(tps0), RG_NUM(bytes));
    if (isfinite(roofs))
        rg_lines_add(out,
            "decode: on these roofs the change was worth %s times (weights and KV streamed per step: %s "
            "before, %s now); reached: %s of that.",
            RG_NUM(roofs), RG_BYTES(per0), RG_BYTES(per1), RG_PERCENT(gain / roofs));
    if (gain < 0.9 * bytes && isfinite(p1->ideal_ns)) {
        double weights;
        const double f0 = fraction(p0), f1 = fraction(p1);
        const double outside = rg_ratio(p1->overhead_ns + overhead_bound(other, &weights), p1->t_ns);
        rg_lines_add(out,
            "decode: %s is at %s of its roofs where %s is at %s; %s of its time is in or around operators "
            "too small to count.",
            type_of(other), RG_PERCENT(f1), type_of(base), RG_PERCENT(f0), RG_PERCENT(outside));
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

static void prefill_gain(rg_lines *out, const rg_run *base, const rg_run *other, double paired)
{
    const rg_doc_phase *p0 = &base->phase[RG_PREFILL], *p1 = &other->phase[RG_PREFILL];
    if (!(p0->t_ns > 0.0) || !(p1->t_ns > 0.0)) return;
    const double tps0 = p0->tokens_per_s, tps1 = p1->tokens_per_s,
                 gain = isnan(paired) ? tps1 / tps0 : paired,
                 roofs = ideal_per_token(p0) / ideal_per_token(p1);
    const double compute = rg_ratio(
        p1->ideal_flop_ns, p1->ideal_flop_ns > p1->ideal_mem_ns ? p1->ideal_flop_ns : p1->ideal_mem_ns);
    rg_lines_add(out, "prefill: %s runs %s times as fast as %s (%s against %s tokens/s).", type_of(other),
        RG_NUM(gain), type_of(base), RG_NUM(tps1), RG_NUM(tps0));
    if (!isfinite(roofs)) return;
    if (compute >= 1.0 && p0->ideal_flop_ns > p0->ideal_mem_ns)
        rg_lines_add(out,
            "prefill: arithmetic is its limit (ideal compute time %s, ideal memory time %s), so fewer weight "
            "bytes are worth little; the change as a whole was worth %s times on these roofs%s.",
            RG_TIME(p1->ideal_flop_ns), RG_TIME(p1->ideal_mem_ns), RG_NUM(roofs),
            roofs > 1.05 ? ", because its products have a faster arithmetic" : "");
    else if (compute >= 1.0)
        rg_lines_add(out,
            "prefill: arithmetic is its limit (ideal compute time %s, ideal memory time %s), so fewer weight "
            "bytes were worth only %s times on these roofs.",
            RG_TIME(p1->ideal_flop_ns), RG_TIME(p1->ideal_mem_ns), RG_NUM(roofs));
    else
        rg_lines_add(out,
            "prefill: memory is still its limit (ideal memory time %s, ideal compute time %s); fewer weight "
            "bytes were worth %s times on these roofs.",
            RG_TIME(p1->ideal_mem_ns), RG_TIME(p1->ideal_flop_ns), RG_NUM(roofs));
}

void rg_verdict_compare(
    rg_lines *out, const rg_run *base, const rg_run *other, const double gain[RG_PHASE_COUNT])
{
    decode_gain(out, base, other, gain ? gain[RG_DECODE] : NAN);
    head_share(out, other);
    prefill_gain(out, base, other, gain ? gain[RG_PREFILL] : NAN);
}
