/* What a mixture of experts did, in words; and why a sparse and a dense model differ. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "report/cells.h"
#include "report/verdict.h"

void rg_verdict_experts(rg_lines *out, const rg_run *r)
{
    const rg_doc_dims *d = &r->d->model.dims;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_experts *e = rg_run_experts(r, ph);
        if (!e || !(d->experts > 0.0)) continue;
        rg_lines_add(out,
            "%s: of %.0f experts a layer, calls of %s token%s read %s (by chance %s, at most %s): %s a call, "
            "each "
            "expert for %s tokens, the busiest for %s times the mean.",
            rg_phase_names[ph], d->experts, RG_MEAN(e->tokens), e->tokens > 1.0 ? "s" : "", RG_MEAN(e->read),
            RG_MEAN(e->expected), RG_MEAN(e->bound), RG_BYTES(rg_ratio(e->weight_bytes, e->calls)),
            RG_MEAN(e->tokens_each), RG_NUM(e->imbalance));
        if (e->tokens > 1.5 && isfinite(e->batch_gain))
            rg_lines_add(out,
                "%s: %s tokens a call read %s times fewer weights than one by one; of a dense model of the "
                "same "
                "active size %s times, as its tokens share all they read.",
                rg_phase_names[ph], RG_MEAN(e->tokens), RG_NUM(e->batch_gain), RG_MEAN(e->tokens));
    }
}

static const char *name_of(const rg_run *r) { return r->label[0] ? r->label : r->d->model.name; }

/* Parameters that a token meets. */
static double active(const rg_run *r)
{
    return r->d->model.active_params > 0.0 ? r->d->model.active_params : r->d->model.params;
}

/* Weights that a call read, bytes. */
static double weights_of(const rg_run *r, rg_phase ph)
{
    double bytes = 0.0;
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));) bytes += w->analytic.weight_bytes;
    return rg_ratio(bytes, r->phase[ph].calls);
}

bool rg_verdict_is_sparse(const rg_run *r) { return r->d->model.dims.experts > 0.0; }

/* One phase of the mixture beside the dense model. */
static void explain_phase(rg_lines *out, const rg_run *sparse, const rg_run *dense, rg_phase ph)
{
    const rg_doc_experts *e = rg_run_experts(sparse, ph);
    const rg_doc_phase *p = &sparse->phase[ph], *q = &dense->phase[ph];
    if (!e || !(p->t_ns > 0.0) || !(q->t_ns > 0.0)) return;
    const double a = weights_of(sparse, ph), b = weights_of(dense, ph);
    const bool bytes = q->ideal_mem_ns > q->ideal_flop_ns || p->ideal_mem_ns > p->ideal_flop_ns;
    if (!(a > 0.0) || !(b > 0.0)) return;
    if (e->tokens < 1.5)
        rg_lines_add(out,
            "%s: one token a call reads its own %s experts of a layer and no others, so %s reads %s of "
            "weights and %s "
            "%s: what is left of a difference is %s.",
            rg_phase_names[ph], RG_MEAN(e->read), name_of(sparse), RG_BYTES(a), name_of(dense), RG_BYTES(b),
            fabs(a / b - 1.0) < 0.05 ? "the router, smaller matrices and attention" : "mostly those bytes");
    else
        rg_lines_add(out,
            "%s: the %s tokens of a call went to %s of %.0f experts in a layer, where one goes to %.0f: %s "
            "reads %s of "
            "weights a call, %s %s, whatever its tokens (%s times); each expert read serves %s tokens, each "
            "matrix of %s all %s%s.",
            rg_phase_names[ph], RG_MEAN(e->tokens), RG_MEAN(e->read), sparse->d->model.dims.experts,
            sparse->d->model.dims.experts_used, name_of(sparse), RG_BYTES(a), name_of(dense), RG_BYTES(b),
            RG_NUM(a / b), RG_MEAN(e->tokens_each), name_of(dense), RG_MEAN(e->tokens),
            bytes ? ": a larger batch widens that until all experts are read"
                  : ": arithmetic is the limit, and both have the same of it");
}

void rg_verdict_sparse(rg_lines *out, const rg_run *base, const rg_run *other)
{
    if (rg_verdict_is_sparse(base) == rg_verdict_is_sparse(other)) return;
    const rg_run *sparse = rg_verdict_is_sparse(base) ? base : other, *dense = sparse == base ? other : base;
    const rg_doc_model *m = &sparse->d->model;
    const double ratio = rg_ratio(active(sparse), active(dense));
    rg_lines_add(out,
        "%s is a mixture: of its %s million parameters a token meets %s million; %s is dense: %s million, "
        "%s. In memory "
        "the mixture takes %s, as all its experts must be there, the dense model %s.",
        name_of(sparse), RG_NUM(1e-6 * m->params), RG_NUM(1e-6 * active(sparse)), name_of(dense),
        RG_NUM(1e-6 * active(dense)),
        fabs(ratio - 1.0) < 0.1 ? "about as many as are active there"
            : ratio > 1.0       ? RG_TEXT(64, "%s times fewer than are active there", RG_NUM(ratio))
                                : RG_TEXT(64, "%s times those that are active there", RG_NUM(1.0 / ratio)),
        RG_BYTES(m->resident_bytes), RG_BYTES(dense->d->model.resident_bytes));
    explain_phase(out, sparse, dense, RG_DECODE);
    explain_phase(out, sparse, dense, RG_PREFILL);
}
