/* --explain: every operator's formula with its numbers, and what LLM-Viewer counts differently. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cost_case.h"

/* The formulas as ops.def has them. */
static const struct {
    const char *flop, *w_rd, *act_rd, *act_wr, *kv_rd, *kv_wr;
} formulas[RG_OP_COUNT] = {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) \
    [RG_OP_##id] = {#flop, #w_rd, #act_rd, #act_wr, #kv_rd, #kv_wr},
#include "ops/ops.def"
};

static void part(FILE *f, const char *what, const char *formula, uint64_t value, const char *unit)
{
    if (value) fprintf(f, "  %-20s %s = %" PRIu64 " %s\n", what, formula, value, unit);
}

/* "attn_core, in 22 of 26 layers, with a window of 512:" where not all layers do the same. */
static void name_call(FILE *f, const rg_config *c, rg_site site, int64_t layers, bool windowed)
{
    fputs(rg_site_name(site), f);
    if (rg_site_in_layer(site) && layers < c->layers)
        fprintf(f, ", in %" PRId64 " of %" PRId64 " layers", layers, c->layers);
    if (windowed) fprintf(f, ", with a window of %" PRId64, c->window);
    fputc(':', f);
}

/* One call of a site: the dimensions it has, then each formula that is not 0. */
static void explain_call(FILE *f, const rg_cost_case *k, rg_site site, rg_phase phase, bool windowed,
    int64_t m, int64_t seqs, int64_t past, int64_t n)
{
    const int64_t layers = rg_exact_layers(&k->config, site, windowed);
    rg_exact_seen seen = {0};
    if (layers == 0) return;
    rg_exact_see(&seen, windowed ? k->config.window : 0, past, n);
    seen = (rg_exact_seen){seqs, seqs * seen.pairs, seqs * seen.ctx};
    const rg_exact_call x = rg_exact_site(&k->config, k->hw, &k->exact, site, phase, m, &seen);
    const rg_dims *d = &x.dims;
    const rg_op op = rg_site_op(site);
    const char *act = k->exact.act == RG_EXACT_F16 ? "B (half of it: 16 bits)" : "B";
    const struct {
        const char *name;
        int64_t v;
    } dims[] = {{"m", d->m}, {"k", d->k}, {"n", d->n}, {"h", d->h}, {"g", d->g}, {"hd", d->hd},
        {"pairs", d->pairs}, {"ctx", d->ctx}, {"cap", d->cap}, {"u", d->u}, {"sink", d->sink}, {"b", d->b},
        {"w_row", d->w_row}};
    name_call(f, &k->config, site, layers, windowed);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        if (dims[i].v) fprintf(f, " %s = %" PRId64, dims[i].name, dims[i].v);
    if (x.experts > 0.0) fprintf(f, " e = %.6g", x.experts);
    if (x.wtype < RG_WT_COUNT)
        fprintf(f, ", %s: %.4g bits per weight", rg_wtypes[x.wtype].name,
            8.0 * (double)rg_panel_bytes(x.wtype, d->k) / RG_PANEL / (double)d->k);
    if (x.kv_k < RG_KV_COUNT)
        fprintf(f, ", kb = %" PRId64 ", vb = %" PRId64, rg_kv_k_bytes(x.kv_k, d->hd),
            rg_kv_v_bytes(x.kv_v, d->hd));
    fputc('\n', f);
    part(f, "FLOP", formulas[op].flop, x.tally.flop, "FLOP");
    part(f, "weights read", formulas[op].w_rd, x.tally.w_rd, "B");
    part(f, "activations read", formulas[op].act_rd, x.tally.act_rd, act);
    part(f, "activations written", formulas[op].act_wr, x.tally.act_wr, act);
    part(f, "KV read", formulas[op].kv_rd, x.tally.kv_rd, "B");
    part(f, "KV written", formulas[op].kv_wr, x.tally.kv_wr, "B");
}

typedef struct sums {
    double attn_flop, act_bytes, kv_bytes, head_flop, weights;
} sums;

static sums of(const rg_cost_result *r, rg_phase ph)
{
    sums s = {0};
    for (int i = 0; i < r->n; i++) {
        const rg_cost_point *p = &r->op[i];
        const rg_op op = rg_site_op(p->site);
        if (p->phase != ph) continue;
        if (op == RG_OP_ATTN || op == RG_OP_ATTN_QK || op == RG_OP_ATTN_PV || op == RG_OP_SOFTMAX)
            s.attn_flop += p->sum.flop;
        if (op == RG_OP_SWIGLU) s.act_bytes += p->sum.bytes;
        /* the gate, read and written */
        if (op == RG_OP_LINEAR_SWIGLU) s.act_bytes += 2.0 * p->sum.act_wr;
        if (p->site == RG_SITE_OUTPUT) s.head_flop += p->sum.flop;
        s.kv_bytes += p->sum.kv_rd + p->sum.kv_wr;
        s.weights += p->sum.w_rd;
    }
    return s;
}

static void difference(FILE *f, rg_phase ph, const char *what, double theirs, double ours, const char *unit)
{
    if (theirs == ours) return;
    fprintf(
        f, "- %s, %s: %s %s there, %s here", rg_phase_names[ph], what, RG_NUM(theirs), unit, RG_NUM(ours));
    if (theirs > 0.0 && ours > 0.0) fprintf(f, " (%+.1f %%)", 100.0 * (ours / theirs - 1.0));
    fprintf(f, ".\n");
}

static rg_status differences(FILE *f, const rg_cost_case *k, rg_err *err)
{
    const rg_exact_input *e = &k->exact;
    const int w = rg_wtypes[e->dtype].bits > 16 ? 16 : rg_wtypes[e->dtype].bits;
    /* nominal figures: the counts do not depend on the machine */
    const rg_lv_hardware hw = {
        .name = "nominal", .bandwidth = 1e12, .fp16 = 1e12, .int8 = 1e12, .onchip = 1e6};
    const rg_lv_input in = {(double)e->seqlen, e->batch, 1, w, 16, 16, e->flash};
    rg_cost_result lv;
    rg_err why = {0};
    if (rg_lv_lacks(&k->config, &why)) {
        fprintf(f, "\nLLM-Viewer: %s.\n", why.msg);
        return RG_OK;
    }
    const rg_status st = rg_llm_viewer(&lv, &k->config, &hw, &in, err);
    if (st) return st;
    fprintf(f, "\n## what LLM-Viewer counts differently (w%d a16 kv16, one device)\n\n", w);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const sums t = of(&lv, ph), o = of(&k->r, ph);
        difference(f, ph, "attention, without the causal half, decode to s instead of s + 1 positions",
            1e-9 * t.attn_flop, 1e-9 * o.attn_flop, "GFLOP");
        difference(f, ph, "KV cache; its flash attention reads it per query head and block",
            1e-6 * t.kv_bytes, 1e-6 * o.kv_bytes, "MB");
        difference(f, ph, "output matrix, one operation per multiply-add", 1e-9 * t.head_flop,
            1e-9 * o.head_flop, "GFLOP");
        difference(f, ph, "gate activation, on the hidden instead of the intermediate size",
            1e-6 * t.act_bytes, 1e-6 * o.act_bytes, "MB");
        difference(f, ph, "weights read, without scales, norms, and calls after the first", 1e-6 * t.weights,
            1e-6 * o.weights, "MB");
        difference(f, ph, "all operations", 1e-9 * lv.total[ph].flop, 1e-9 * k->r.total[ph].flop, "GFLOP");
        difference(f, ph, "all bytes (activations: 16 bits there)", 1e-6 * lv.total[ph].bytes,
            1e-6 * k->r.total[ph].bytes, "MB");
    }
    difference(f, RG_PREFILL, "weights in memory, without embedding and output matrix",
        1e-6 * lv.memory[RG_PREFILL].weights, 1e-6 * k->r.memory[RG_PREFILL].weights, "MB");
    fprintf(f,
        "- Not there at all: embedding, RoPE, storing K and V, the final norm; residual additions load one "
        "input; RMSNorm costs 7 operations a value.\n");
    return RG_OK;
}

rg_status rg_cost_explain(FILE *f, const rg_cost_case *k, rg_err *err)
{
    const rg_exact_input *e = &k->exact;
    const int64_t m = rg_min(e->ubatch > 0 ? e->ubatch : e->batch * e->seqlen, e->seqlen);
    const int64_t past = rg_min(e->seqlen, k->config.ctx_train - 1);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const bool pre = ph == RG_PREFILL;
        if (pre)
            fprintf(f, "\n## prefill: the first forward call, %" PRId64 " tokens of one sequence\n\n", m);
        else
            fprintf(f, "\n## decode: one step of %" PRId64 " sequence%s, %" PRId64 " positions cached\n\n",
                e->batch, e->batch == 1 ? "" : "s", past);
        for (int i = 0; i < k->r.n; i++) {
            const rg_cost_point *p = &k->r.op[i];
            if (p->phase != ph) continue;
            for (int windowed = 0; windowed < 2; windowed++)
                if (pre)
                    explain_call(f, k, p->site, ph, windowed, rg_exact_is_last(p->site) ? 1 : m, 1, 0, m);
                else
                    explain_call(f, k, p->site, ph, windowed, e->batch, e->batch, past, 1);
        }
    }
    fprintf(f,
        "\nm tokens, k inputs, n outputs, h query heads, g KV heads, hd head size, pairs of a query and a "
        "key, ctx positions read, w_all bytes of the matrix,\n"
        "w_row of one row, kb and vb of K and V of one position and KV head%s%s%s.\n",
        k->config.attn_cap > 0.0 ? ", cap 1 where scores are capped" : "",
        rg_site_exists(&k->config, RG_SITE_ATTN_SINKS)
            ? ", sink 1 where each head has one, b 1 where experts have biases"
            : "",
        k->config.experts > 0
            ? ", u experts of a token, e experts that some token of the call chose (w_all is of "
              "one; docs/experts.md)"
            : "");
    const rg_status st = differences(f, k, err);
    if (st) return st;
    return ferror(f) ? rg_fail(err, RG_E_FILE, "roofline: cannot write") : RG_OK;
}
