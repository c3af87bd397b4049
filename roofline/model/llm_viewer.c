/* LLM-Viewer's formulas evaluated as it does, and its task and chat estimates. */
#include "roofline/model/llm_viewer.h"

#include <math.h>
#include <string.h>

const char *const rg_cost_models[] = {[RG_COST_EXACT] = "exact", [RG_COST_LLM_VIEWER] = "llm-viewer", NULL};
const char *const rg_limit_names[] = {
    [RG_LIMIT_MEMORY] = "memory", [RG_LIMIT_COMPUTE] = "compute", [RG_LIMIT_UNKNOWN] = NULL};

typedef enum where { LAYER, PLAIN, FLASH, ONCE } where;

static const struct {
    const char *stem, *kind;
    where where;
    rg_site site;
} ops[] = {
#define RG_LV_OP(id, stem, kind, where, site, n, w, ar, aw, kr, kw) {stem, kind, where, RG_SITE_##site},
#include "roofline/model/llm_viewer.def"
};
enum { N_OPS = sizeof ops / sizeof *ops };

/* "q_proj": joined once, because the parts are literals and the name must be static. */
#define JOINED(stem, kind) (sizeof kind > 1 ? stem "_" kind : stem)
static const char *const names[N_OPS] = {
#define RG_LV_OP(id, stem, kind, where, site, n, w, ar, aw, kr, kw) JOINED(stem, kind),
#include "roofline/model/llm_viewer.def"
};

void rg_lv_name_parts(const rg_cost_point *p, const char **stem, const char **kind)
{
    *stem = p->name;
    *kind = "";
    for (int i = 0; i < N_OPS; i++) {
        if (strcmp(names[i], p->name) != 0) continue;
        *stem = ops[i].stem;
        *kind = ops[i].kind;
    }
}

rg_status rg_lv_lacks(const rg_config *c, rg_err *err)
{
    const struct {
        bool has;
        const char *what;
    } all[] = {{c->window > 0, "layers with a window"}, {c->experts > 0, "experts"},
        {rg_site_exists(c, RG_SITE_ATTN_Q_NORM), "norms of queries and keys"},
        {rg_site_exists(c, RG_SITE_ATTN_POST_NORM), "norms behind attention"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].has)
            return rg_fail(err, RG_E_USAGE,
                "%.60s models have %s, which LLM-Viewer's formulas, those of a Llama, lack; use --cost exact",
                c->arch, all[i].what);
    if (c->dim % c->heads != 0)
        return rg_fail(err, RG_E_USAGE,
            "hidden size %lld is not a multiple of %lld heads, which LLM-Viewer's formulas need; use --cost "
            "exact",
            (long long)c->dim, (long long)c->heads);
    if (c->head_dim != c->dim / c->heads)
        return rg_fail(err, RG_E_USAGE,
            "heads of %lld, where LLM-Viewer's formulas take %lld, the hidden size over the heads; use "
            "--cost exact",
            (long long)c->head_dim, (long long)(c->dim / c->heads));
    return RG_OK;
}

static rg_status check(
    const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in, bool *int8, rg_err *err)
{
    const struct {
        const char *name;
        int bits;
    } bits[] = {{"--w-bit", in->w_bit}, {"--a-bit", in->a_bit}, {"--kv-bit", in->kv_bit}};
    for (int i = 0; i < 3; i++)
        if (bits[i].bits != 16 && bits[i].bits != 8 && bits[i].bits != 4 && bits[i].bits != 2 &&
            bits[i].bits != 1)
            return rg_fail(err, RG_E_USAGE, "%s: %d, expected 16, 8, 4, 2 or 1", bits[i].name, bits[i].bits);
    if (!(in->seqlen >= 1.0)) return rg_fail(err, RG_E_USAGE, "--seqlen: %g, expected 1 or more", in->seqlen);
    if (in->batch < 1)
        return rg_fail(err, RG_E_USAGE, "--batch: %lld, expected 1 or more", (long long)in->batch);
    if (in->tp < 1) return rg_fail(err, RG_E_USAGE, "--tp: %lld, expected 1 or more", (long long)in->tp);
    const rg_status st = rg_lv_lacks(c, err);
    if (st) return st;
    const int64_t sliced[] = {c->dim, c->dim / c->heads * c->kv_heads, c->ffn};
    for (int i = 0; i < 3; i++)
        if (sliced[i] % in->tp != 0)
            return rg_fail(err, RG_E_USAGE, "--tp: %lld does not divide %lld outputs", (long long)in->tp,
                (long long)sliced[i]);
    *int8 = in->w_bit <= 8 && in->a_bit <= 8 && in->kv_bit <= 8;
    if (!(hw->bandwidth > 0.0))
        return rg_fail(err, RG_E_USAGE, "%s: its memory bandwidth is not known", hw->name);
    if (!(*int8 ? hw->int8 > 0.0 : hw->fp16 > 0.0))
        return rg_fail(err, RG_E_USAGE,
            "%s: its %s peak is not known, which LLM-Viewer needs for w%d a%d kv%d", hw->name,
            *int8 ? "INT8" : "FP16", in->w_bit, in->a_bit, in->kv_bit);
    return RG_OK;
}

static void add_sum(rg_cost_sum *to, const rg_cost_sum *s, double times)
{
    to->flop += times * s->flop;
    to->w_rd += times * s->w_rd;
    to->act_rd += times * s->act_rd;
    to->act_wr += times * s->act_wr;
    to->kv_rd += times * s->kv_rd;
    to->kv_wr += times * s->kv_wr;
    to->bytes += times * s->bytes;
    to->time_s += times * s->time_s;
}

/* Its roofline: the compute roof from the ridge on, the slope below. */
static void place(rg_cost_point *p, double peak, double bandwidth)
{
    rg_cost_sum *s = &p->sum;
    s->bytes = s->w_rd + s->act_rd + s->act_wr + s->kv_rd + s->kv_wr;
    p->ai = s->flop / s->bytes;
    p->peak = peak;
    p->bandwidth = bandwidth;
    p->bound = p->ai < peak / bandwidth ? RG_LIMIT_MEMORY : RG_LIMIT_COMPUTE;
    p->attainable = p->bound == RG_LIMIT_MEMORY ? p->ai * bandwidth : peak;
    p->flop_s = s->flop / peak;
    p->mem_s = s->bytes / bandwidth;
    s->time_s = s->flop / p->attainable;
}

/* Operators of one phase for one layer, then sums over the layers. */
static void phase(rg_cost_result *r, rg_phase ph, const rg_config *c, const rg_lv_hardware *hw,
    const rg_lv_input *in, double peak)
{
    const bool pre = ph == RG_PREFILL;
    const double b = (double)in->batch, s = in->seqlen, q = pre ? s : 1.0, d = (double)c->dim,
                 H = (double)c->heads, Hk = (double)c->kv_heads;
    const double hd = (double)(c->dim / c->heads), dk = d * Hk / H, f = (double)c->ffn, V = (double)c->vocab,
                 L = (double)c->layers, tp = (double)in->tp;
    const double W = in->w_bit / 8.0, A = in->a_bit / 8.0, K = in->kv_bit / 8.0, dt = d / tp, dkt = dk / tp,
                 ft = f / tp;
    const double nb = ceil(q / fmin(ceil(hw->onchip / (K * hd)), hd));
    const rg_cost_sum each[] = {
#define RG_LV_OP(id, stem, kind, where, site, n, w, ar, aw, kr, kw) \
    {.flop = n, .w_rd = w, .act_rd = ar, .act_wr = aw, .kv_rd = kr, .kv_wr = kw},
#include "roofline/model/llm_viewer.def"
    };
    double tmp_act = 0.0, weights = 0.0, layer_kv = 0.0;
    for (int i = 0; i < N_OPS; i++) {
        if (ops[i].where == (in->flash ? PLAIN : FLASH)) continue;
        rg_cost_point *p = &r->op[r->n++];
        const bool once = ops[i].where == ONCE;
        *p = (rg_cost_point){.name = names[i],
            .phase = ph,
            .site = ops[i].site,
            .in_layer = !once,
            .calls = once ? 1.0 : L,
            .sum = each[i]};
        place(p, peak, hw->bandwidth);
        add_sum(&r->total[ph], &p->sum, p->calls);
        if (!once) {
            tmp_act += p->sum.act_wr;
            weights += p->sum.w_rd;
            layer_kv += p->sum.kv_wr;
        }
        const rg_cost_sum one = p->sum;
        p->sum = (rg_cost_sum){0};
        add_sum(&p->sum, &one, p->calls);
        p->flop_s *= p->calls;
        p->mem_s *= p->calls;
    }
    r->tokens[ph] = pre ? b * s : b;
    rg_cost_memory *m = &r->memory[ph];
    m->weights = L * weights;
    /* both phases report the cache that prefill filled */
    m->kv = pre ? L * layer_kv : r->memory[RG_PREFILL].kv;
    m->scratch = tmp_act;
    m->total = m->weights + m->kv + m->scratch;
}

rg_status rg_llm_viewer(
    rg_cost_result *r, const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in, rg_err *err)
{
    bool int8 = false;
    *r = (rg_cost_result){.model = RG_COST_LLM_VIEWER};
    const rg_status st = check(c, hw, in, &int8, err);
    if (st) return st;
    phase(r, RG_PREFILL, c, hw, in, int8 ? hw->int8 : hw->fp16);
    phase(r, RG_DECODE, c, hw, in, int8 ? hw->int8 : hw->fp16);
    return RG_OK;
}

rg_status rg_lv_generate(double *seconds, const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in,
    int64_t gen, rg_err *err)
{
    rg_cost_result r;
    rg_lv_input at = *in;
    at.flash = false; /* its generate task has no such option */
    rg_status st = rg_llm_viewer(&r, c, hw, &at, err);
    *seconds = r.total[RG_PREFILL].time_s;
    for (int64_t i = 0; !st && i < gen; i++) {
        at.seqlen = in->seqlen + (double)i;
        st = rg_llm_viewer(&r, c, hw, &at, err);
        *seconds += r.total[RG_DECODE].time_s;
    }
    return st;
}

rg_status rg_lv_chat(double *seconds, const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in,
    int64_t gen, rg_err *err)
{
    rg_cost_result r;
    rg_lv_input at = *in;
    rg_status st = rg_llm_viewer(&r, c, hw, in, err);
    const int64_t n = gen < 10 ? gen : 10;
    *seconds = r.total[RG_PREFILL].time_s;
    /* n lengths from seqlen + 1 to seqlen + gen, evenly spaced */
    for (int64_t i = 0; !st && i < n; i++) {
        at.seqlen = in->seqlen + 1.0 + (n > 1 ? (double)(gen - 1) * (double)i / (double)(n - 1) : 0.0);
        st = rg_llm_viewer(&r, c, hw, &at, err);
        *seconds += r.total[RG_DECODE].time_s * (double)gen / (double)n;
    }
    return st;
}
