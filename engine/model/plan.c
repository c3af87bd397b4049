/* Memory is planned before it is allocated. */
#include <stdio.h>

#include "base/num.h"
#include "model/session.h"

rg_status rg_session_check(const rg_config *c, const rg_session_opts *opts, rg_err *err)
{
    const rg_dims_opts d = rg_session_dims(c, opts, 1);
    if (d.ctx > c->ctx_train && !opts->past_training)
        return rg_fail(err, RG_E_USAGE,
            "context: %lld positions asked for, the model was made for %lld: use -c %lld or less",
            (long long)d.ctx, (long long)c->ctx_train, (long long)c->ctx_train);
    if ((d.kv_k == RG_KV_Q8_0 || d.kv_v == RG_KV_Q8_0) && c->head_dim % 32 != 0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "KV cache q8_0: blocks of 32 do not divide the head size %lld: use f16", (long long)c->head_dim);
    if (d.n_seq > 4096)
        return rg_fail(err, RG_E_USAGE, "sequences: %lld, expected at most 4096", (long long)d.n_seq);
    return RG_OK;
}

void rg_plan_total(rg_memory_plan *p)
{
    p->total = p->weights + p->kv + p->scratch + p->logits;
    p->available = rg_mem_available(&p->source);
}

void rg_plan_memory(rg_memory_plan *p, const rg_config *c, uint64_t weight_bytes, bool weights_resident,
    int threads, const rg_session_opts *opts)
{
    const rg_dims_opts d = rg_session_dims(c, opts, threads);
    rg_acts a;
    rg_arena r = {0};
    rg_acts_layout(&a, &r, c, &d);
    *p = (rg_memory_plan){.weights = weights_resident ? 0 : weight_bytes,
        .kv = rg_kv_layout(NULL, NULL, c, &d),
        .scratch = r.used,
        .ctx = d.ctx,
        .threads = threads};
    p->logits = sizeof(float) * (uint64_t)(d.max_logits * c->vocab);
    rg_plan_total(p);
}

int64_t rg_plan_fit(const rg_config *c, uint64_t weight_bytes, int threads, const rg_session_opts *opts,
    uint64_t available, int64_t most)
{
    /* lo fits, hi does not (or is not asked for): needs grow with the context, so bisect */
    int64_t lo = 0, hi = most + 1;
    if (!available) return most;
    while (hi - lo > 1) {
        rg_session_opts o = *opts;
        rg_memory_plan t;
        o.ctx = lo + (hi - lo) / 2;
        rg_plan_memory(&t, c, weight_bytes, false, threads, &o);
        if (t.total <= available)
            lo = o.ctx;
        else
            hi = o.ctx;
    }
    return lo;
}

rg_status rg_plan_check(const rg_memory_plan *p, const rg_config *c, const rg_session_opts *opts, rg_err *err)
{
    if (!p->available || p->total <= p->available) return RG_OK;
    const int64_t fits = rg_plan_fit(c, p->weights, p->threads, opts, p->available, p->ctx - 1);
    char advice[96];
    if (fits >= 16)
        snprintf(advice, sizeof advice, "use -c %lld or less", (long long)(fits / 16 * 16));
    else
        snprintf(advice, sizeof advice, "no context fits: use a smaller --dtype or model");
    return rg_fail(err, RG_E_NOMEM,
        "not enough memory: weights %.1f + KV cache %.1f (%lld positions) + activations %.1f + logits %.1f = "
        "%.1f MiB, but %.1f MiB are free (%s): %s",
        rg_mib(p->weights), rg_mib(p->kv), (long long)p->ctx, rg_mib(p->scratch), rg_mib(p->logits),
        rg_mib(p->total), rg_mib(p->available), p->source, advice);
}
