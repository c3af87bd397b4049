/* One analytic question answered: the case is run under its cost model, and its task with it. */
#include "report/cost_case.h"

#include <math.h>

#include "base/num.h"

const char *const rg_cost_stages[] = {"all", "prefill", "decode", "generate", "chat", NULL};

int64_t rg_cost_batch(const rg_cost_case *k)
{
    return k->cost == RG_COST_EXACT ? k->exact.batch : k->lv.batch;
}
int64_t rg_cost_seqlen(const rg_cost_case *k)
{
    return k->cost == RG_COST_EXACT ? k->exact.seqlen : (int64_t)k->lv.seqlen;
}
int64_t rg_cost_tp(const rg_cost_case *k) { return k->cost == RG_COST_EXACT ? k->exact.tp : k->lv.tp; }

const char *rg_cost_format(char *buf, size_t n, const rg_cost_case *k)
{
    if (k->cost == RG_COST_EXACT) return rg_text(buf, n, "%s", rg_wtypes[k->exact.dtype].name);
    return rg_text(buf, n, "w%d a%d kv%d", k->lv.w_bit, k->lv.a_bit, k->lv.kv_bit);
}

bool rg_cost_wants(const rg_cost_print *p, rg_phase ph)
{
    return p->stage != (ph == RG_DECODE ? RG_STAGE_PREFILL : RG_STAGE_DECODE);
}

static rg_status exact_task(rg_cost_case *k, int64_t gen, rg_err *err)
{
    const int64_t s = k->exact.seqlen;
    if (s + gen > k->config.ctx_train)
        return rg_fail(err, RG_E_USAGE,
            "--gen: %lld tokens behind a prompt of %lld are more than the model's context of %lld",
            (long long)gen, (long long)s, (long long)k->config.ctx_train);
    k->task.gen_s = 0.0;
    for (int64_t i = 0; i < gen; i++) {
        rg_cost_sum step;
        const rg_status st = rg_exact_decode(&step, &k->config, k->hw, &k->exact, s + i, err);
        if (st) return st;
        k->task.gen_s += step.time_s;
    }
    return RG_OK;
}

static rg_status lv_task(rg_cost_case *k, const rg_lv_hardware *hw, int64_t gen, rg_err *err)
{
    rg_cost_result r;
    rg_lv_input plain = k->lv;
    plain.flash = false; /* its generate task has no flash attention, in either part */
    double all = NAN;
    rg_status st = rg_lv_generate(&all, &k->config, hw, &k->lv, gen, err);
    if (!st) st = rg_lv_chat(&k->task.chat_s, &k->config, hw, &k->lv, gen, err);
    if (!st) st = rg_llm_viewer(&r, &k->config, hw, &plain, err);
    if (st) return st;
    k->task.prefill_s = r.total[RG_PREFILL].time_s;
    k->task.total_s = all;
    k->task.gen_s = all - k->task.prefill_s;
    return RG_OK;
}

/* The case's decode beside one sequence, and both of a dense model of the same active size. */
static rg_status hold_dense(rg_cost_case *k, rg_err *err)
{
    const rg_config dense = rg_experts_dense(&k->config);
    const int64_t past = rg_min(k->exact.seqlen, k->config.ctx_train - 1);
    rg_exact_input one = k->exact, plain = k->exact;
    rg_cost_sum single, dense_single, dense_step;
    if (k->config.experts == 0) return RG_OK;
    plain.routing = RG_ROUTING_UNIFORM; /* a dense model has none */
    one.batch = 1;
    if (one.routing == RG_ROUTING_COUNTED) one.counted = (double)k->config.experts_used;
    rg_status st = rg_exact_decode(&single, &k->config, k->hw, &one, past, err);
    if (!st) st = rg_exact_decode(&dense_step, &dense, k->hw, &plain, past, err);
    plain.batch = 1;
    if (!st) st = rg_exact_decode(&dense_single, &dense, k->hw, &plain, past, err);
    if (st) return st;
    const double batch = (double)k->exact.batch;
    k->dense = (rg_cost_dense){.tokens_per_s = batch / dense_step.time_s,
        .bytes = dense_step.w_rd,
        .gain = batch * dense_single.time_s / dense_step.time_s,
        .mixture_gain = batch * single.time_s / k->r.total[RG_DECODE].time_s};
    return RG_OK;
}

rg_status rg_cost_run(rg_cost_case *k, int64_t gen, rg_err *err)
{
    rg_status st;
    k->dense = (rg_cost_dense){NAN, NAN, NAN, NAN};
    k->task = (rg_cost_task){
        .gen = gen, .prefill_s = NAN, .gen_s = NAN, .total_s = NAN, .tokens_per_s = NAN, .chat_s = NAN};
    if (k->cost == RG_COST_LLM_VIEWER) {
        const rg_lv_hardware hw = rg_hw_llm_viewer(k->hw, &k->lv_peak);
        st = rg_llm_viewer(&k->r, &k->config, &hw, &k->lv, err);
        if (!st && gen > 0) st = lv_task(k, &hw, gen, err);
    } else {
        st = rg_exact(&k->r, &k->config, k->hw, &k->exact, err);
        if (!st) st = hold_dense(k, err);
        if (!st && gen > 0) st = exact_task(k, gen, err);
        k->task.prefill_s = k->r.total[RG_PREFILL].time_s;
        if (gen > 0) k->task.total_s = k->task.prefill_s + k->task.gen_s;
    }
    if (!st && gen > 0) k->task.tokens_per_s = (double)gen * (double)rg_cost_batch(k) / k->task.gen_s;
    return st;
}
