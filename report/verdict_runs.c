/* What another weight type gained over the first run, against what it could gain. */
#include <math.h>

#include "report/join.h"

static double tokens_per_s(const rg_report *r, rg_phase ph)
{
    const rg_phase_sum *p = &r->phase[ph];
    return r->run.tokens_per_s[ph] > 0.0 ? r->run.tokens_per_s[ph]
                                         : 1e9 * rg_ratio((double)p->tokens, (double)p->t_ns);
}
/* Share of the roofs at that speed. */
static double fraction(const rg_report *r, rg_phase ph)
{
    return 1e-9 * tokens_per_s(r, ph) * rg_ratio(r->phase[ph].ideal_ns, (double)r->phase[ph].tokens);
}
static double ideal_per_token(const rg_phase_sum *p) { return rg_ratio(p->ideal_ns, (double)p->tokens); }
static const char *type_of(const rg_report *r)
{
    return r->run.label ? r->run.label : r->model.dtype ? r->model.dtype : "unknown";
}

static void decode_gain(rg_lines *out, const rg_report *base, const rg_report *other, double paired)
{
    char a[32], b[32], c[32], d[32], e[32];
    const rg_phase_sum *p0 = &base->phase[RG_DECODE], *p1 = &other->phase[RG_DECODE];
    if (!p0->t_ns || !p1->t_ns) return;
    const double tps0 = tokens_per_s(base, RG_DECODE), tps1 = tokens_per_s(other, RG_DECODE),
                 gain = isnan(paired) ? tps1 / tps0 : paired,
                 bytes = rg_ratio((double)base->model.stream_bytes, (double)other->model.stream_bytes);
    const double per0 = (double)p0->stream_bytes, per1 = (double)p1->stream_bytes,
                 roofs = ideal_per_token(p0) / ideal_per_token(p1);
    rg_lines_add(out,
        "decode: %s runs %s times as fast as %s (%s against %s tokens/s); it streams %s times fewer weight "
        "bytes per step.",
        type_of(other), rg_num(a, sizeof a, gain), type_of(base), rg_num(b, sizeof b, tps1),
        rg_num(c, sizeof c, tps0), rg_num(d, sizeof d, bytes));
    if (isfinite(roofs))
        rg_lines_add(out,
            "decode: on these roofs the change was worth %s times (weights and KV streamed per step: %s "
            "before, %s now); reached: %s of that.",
            rg_num(a, sizeof a, roofs), rg_bytes(b, sizeof b, per0), rg_bytes(c, sizeof c, per1),
            rg_percent(d, sizeof d, gain / roofs));
    if (gain < 0.9 * bytes && isfinite(p1->ideal_ns)) {
        const double f0 = fraction(base, RG_DECODE), f1 = fraction(other, RG_DECODE);
        const double outside = rg_ratio((double)p1->overhead_ns + p1->overhead_bound_ns, (double)p1->t_ns);
        rg_lines_add(out,
            "decode: %s is at %s of its roofs where %s is at %s; %s of its time is in or around operators "
            "too small to count.",
            type_of(other), rg_percent(a, sizeof a, f1), type_of(base), rg_percent(b, sizeof b, f0),
            rg_percent(e, sizeof e, outside));
    }
}

/* The output matrix keeps 16 bits unless asked otherwise: what is left to gain there. */
static void head_share(rg_lines *out, const rg_report *r)
{
    char a[32], b[32];
    const rg_row *w = rg_report_row(r, RG_DECODE, RG_SITE_OUTPUT);
    const rg_phase_sum *p = &r->phase[RG_DECODE];
    if (!w || p->analytic.w_rd == 0) return;
    const double share = rg_ratio((double)w->analytic.w_rd, (double)p->analytic.w_rd);
    if (share > 0.05)
        rg_lines_add(out,
            "decode: the output matrix (%s) is %s of the weight bytes that %s streams, and %s of the time.",
            r->model.head_dtype ? r->model.head_dtype : "type unknown", rg_percent(a, sizeof a, share),
            type_of(r), rg_percent(b, sizeof b, rg_ratio((double)w->t_ns, (double)p->t_ns)));
}

static void prefill_gain(rg_lines *out, const rg_report *base, const rg_report *other, double paired)
{
    char a[32], b[32], c[32], d[32];
    const rg_phase_sum *p0 = &base->phase[RG_PREFILL], *p1 = &other->phase[RG_PREFILL];
    if (!p0->t_ns || !p1->t_ns) return;
    const double tps0 = tokens_per_s(base, RG_PREFILL), tps1 = tokens_per_s(other, RG_PREFILL),
                 gain = isnan(paired) ? tps1 / tps0 : paired,
                 roofs = ideal_per_token(p0) / ideal_per_token(p1);
    const double compute = rg_ratio(p1->flop_ns, p1->flop_ns > p1->mem_ns ? p1->flop_ns : p1->mem_ns);
    rg_lines_add(out, "prefill: %s runs %s times as fast as %s (%s against %s tokens/s).", type_of(other),
        rg_num(a, sizeof a, gain), type_of(base), rg_num(b, sizeof b, tps1), rg_num(c, sizeof c, tps0));
    if (!isfinite(roofs)) return;
    if (compute >= 1.0 && p0->flop_ns > p0->mem_ns)
        rg_lines_add(out,
            "prefill: arithmetic is its limit (ideal compute time %s, ideal memory time %s), so fewer weight "
            "bytes are worth little; the change as a whole was "
            "worth %s times on these roofs%s.",
            rg_time(a, sizeof a, p1->flop_ns), rg_time(b, sizeof b, p1->mem_ns), rg_num(d, sizeof d, roofs),
            roofs > 1.05 ? ", because its products have a faster arithmetic" : "");
    else if (compute >= 1.0)
        rg_lines_add(out,
            "prefill: arithmetic is its limit (ideal compute time %s, ideal memory time %s), so fewer weight "
            "bytes were worth only %s times on these roofs.",
            rg_time(a, sizeof a, p1->flop_ns), rg_time(b, sizeof b, p1->mem_ns), rg_num(d, sizeof d, roofs));
    else
        rg_lines_add(out,
            "prefill: memory is still its limit (ideal memory time %s, ideal compute time %s); fewer weight "
            "bytes were worth %s times on these roofs.",
            rg_time(a, sizeof a, p1->mem_ns), rg_time(b, sizeof b, p1->flop_ns), rg_num(d, sizeof d, roofs));
}

void rg_verdict_compare(
    rg_lines *out, const rg_report *base, const rg_report *other, const double gain[RG_PHASE_COUNT])
{
    decode_gain(out, base, other, gain ? gain[RG_DECODE] : NAN);
    head_share(out, other);
    prefill_gain(out, base, other, gain ? gain[RG_PREFILL] : NAN);
}
