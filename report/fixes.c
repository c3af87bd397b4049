/* What to fix next: ranks operators by what they lose against their roofs, and options by what they save. */
#include "report/fixes.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/num.h"

/* Of the phase's time; an operator that matters, a saving that does. */
static const double OPERATOR = 0.03, SAVING = 0.01;
static const double AT_ROOF = 0.9, PRINTS_AS_MORE = 1.005;
/* A call of few barriers more than its roof asks for is bound by them. */
enum { FEW_BARRIERS = 8 };

rg_standing rg_standing_of(double f)
{
    return !isfinite(f) ? RG_UNKNOWN_ROOF
        : f < AT_ROOF   ? RG_BELOW_ROOF
                        : (f < PRINTS_AS_MORE ? RG_AT_ROOF : RG_ABOVE_ROOF);
}

double rg_roof_share(double fraction, double ideal_ns, double t_ns)
{
    return isfinite(fraction) ? fraction : rg_ratio(ideal_ns, t_ns);
}

/* ---- what is known of an operator ---- */

typedef struct facts {
    rg_phase phase;
    rg_site site;
    const rg_doc_analytic *ideal;
    bool linear;
    int fusion;     /* that would take it into a neighbour; -1: none */
    char fuse[40];  /* the words of --fuse then */
    char apart[64]; /* why nothing fuses it with its neighbours, where a Llama's is; else empty */
    bool small;     /* barriers, not its roofs, make its time */
    double call_ns, barrier_ns;
    double threads, wait;       /* wait: of its threads' time */
    double bytes_ratio;         /* counted over analytic */
    int weights, dtype;         /* rg_wtype of its matrix, and of the model's others; -1: none, or several */
    rg_kernel_kind kernel;      /* RG_KK_COUNT: several */
    double weight_ns, cache_ns; /* analytic: what weights and KV cache take of its memory time */
    double kv_ratio;            /* of 8-bit over present bytes of the cache; 1: no such change */
    double bf16_ratio;          /* of the present peak over that of bf16 products; 1: there are none */
    double prompt, ubatches;    /* tokens; calls they were cut into */
} facts;

/* The longest name of a kind that the label of a kernel begins with. */
static rg_kernel_kind kind_of(const char *kernel)
{
    rg_kernel_kind kind = RG_KK_COUNT;
    size_t most = 0;
    for (int i = 0; kernel && i < RG_KK_COUNT; i++) {
        const size_t n = strlen(rg_kernel_kinds[i]);
        if (n > most && strncmp(kernel, rg_kernel_kinds[i], n) == 0 && kernel[n] == ' ')
            kind = (rg_kernel_kind)i, most = n;
    }
    return kind;
}

/* The fusion that is off and would take the operator into a neighbour, as far as the run's model allows. */
static int fusion_of(const rg_config *c, rg_site site)
{
    bool first;
    const rg_site into = site < RG_SITE_COUNT ? rg_site_fused(c, site, &first) : RG_SITE_NONE;
    if (into == RG_SITE_NONE || into == site || rg_op_is_product(rg_site_op(site))) return -1;
    for (int i = 0; i < RG_FUSE_COUNT; i++)
        if (rg_site_runs(c, into, rg_fuse_bit(i))) return i;
    return -1;
}

/* Operators that a fusion would join are no neighbours in such a model, or do not all do the same. */
static void why_apart(char *buf, size_t n, const rg_config *c, rg_site site)
{
    bool first;
    const rg_site into = site < RG_SITE_COUNT ? rg_site_fused(c, site, &first) : RG_SITE_NONE;
    if (into == RG_SITE_NONE || rg_op_is_product(rg_site_op(site)) || rg_site_runs(c, into, ~0u)) return;
    if (rg_site_op(into) == RG_OP_ROPE_KV) {
        rg_text(buf, n, "RoPE leaves layers or values out");
        return;
    }
    for (int s = site - 1; s > 0 && !rg_op_is_product(rg_site_op(s)); s--)
        if (rg_site_optional(s) && rg_site_exists(c, s))
            rg_text(buf, n, "%s stands between", rg_site_name(s));
}

static double kv_ratio(const rg_doc_model *m)
{
    const int k = m->kv_dtype_k ? rg_kvtype_from_name(m->kv_dtype_k) : -1,
              v = m->kv_dtype_v ? rg_kvtype_from_name(m->kv_dtype_v) : -1;
    const double hd = m->dims.head_dim;
    if (k < 0 || v < 0 || !(hd >= 1.0 && hd <= 65536.0)) return 1.0;
    const int64_t n = (int64_t)hd;
    if (n % rg_kvtypes[RG_KV_Q8_0].block != 0) return 1.0;
    return rg_ratio((double)(rg_kv_k_bytes(RG_KV_Q8_0, n) + rg_kv_v_bytes(RG_KV_Q8_0, n)),
        (double)(rg_kv_k_bytes((rg_kvtype)k, n) + rg_kv_v_bytes((rg_kvtype)v, n)));
}

/* Of the FP32 peak over that of bf16 products, where the run's instructions have them. */
static double bf16_ratio(const rg_run *r, const rg_machine *m)
{
    const int isa = rg_isa_from_name(r->d->machine.isa);
    const double bf16 = isa < RG_ISA_AVX512BF16 ? 0.0 : rg_machine_peak_of(m, RG_ARITH_BF16_DOT, (rg_isa)isa);
    return bf16 > 0.0 ? rg_machine_peak(m, (rg_isa)isa) / bf16 : 1.0;
}

static facts facts_of(const rg_run *r, const rg_doc_op *op, const rg_machine *m, double gbps)
{
    const rg_doc_profile *d = r->d;
    const rg_doc_phase *p = &r->phase[op->phase];
    const rg_site site = rg_site_named(op->site, strlen(op->site));
    const rg_config c = rg_run_config(r);
    facts x = {.phase = op->phase,
        .site = site,
        .ideal = &op->analytic,
        .linear = site < RG_SITE_COUNT && rg_site_linear(site) != RG_SITE_NONE,
        .fusion = fusion_of(&c, site),
        .call_ns = rg_ratio(op->t_ns, op->calls),
        .barrier_ns = d->machine.barrier_ns,
        .threads = d->machine.threads,
        .wait = rg_ratio(op->wait_ns, op->t_ns * d->machine.threads),
        .bytes_ratio = op->bytes_ratio,
        .weights = op->weight_type ? rg_wtype_from_name(op->weight_type) : -1,
        .dtype = d->model.dtype ? rg_wtype_from_name(d->model.dtype) : -1,
        .kernel = kind_of(op->kernel),
        .weight_ns = rg_ratio(op->analytic.weight_bytes, gbps),
        .cache_ns = rg_ratio(op->analytic.kv_read_bytes, gbps),
        .kv_ratio = op->analytic.kv_read_bytes > 0.0 ? kv_ratio(&d->model) : 1.0,
        .bf16_ratio = bf16_ratio(r, m),
        .prompt = d->run.prompt_tokens,
        .ubatches = p->calls};
    const char *word = x.fusion < 0 ? NULL : rg_fuse_word(x.fusion), *on = d->run.fuse;
    if (word)
        rg_text(x.fuse, sizeof x.fuse, "%.24s%s%s", on && strcmp(on, "none") != 0 ? on : "",
            on && strcmp(on, "none") != 0 ? "+" : "", word);
    why_apart(x.apart, sizeof x.apart, &c, site);
    x.small = op->bound && strcmp(op->bound, "overhead") == 0 &&
        x.call_ns < rg_ratio(op->analytic.ideal_ns, op->calls) + FEW_BARRIERS * x.barrier_ns;
    return x;
}

/* ---- options ---- */

static bool is_float(int t) { return t >= 0 && !rg_wtype_is_quant((rg_wtype)t); }
static bool is_quant(int t) { return t >= 0 && rg_wtype_is_quant((rg_wtype)t); }

/* Bits of a weight in memory, scales included; 0: none, or several types. */
static double bits_of(int t)
{
    if (t < 0) return 0.0;
    const rg_wtype_info *w = &rg_wtypes[t];
    return 8.0 * (w->head + (double)w->block * w->line) / ((double)w->block * RG_PANEL);
}

/* The ideal time less the larger of both. Its sum over calls is at least the larger of the sums, so a saving
 * is not more than what goes. */
static double saved(const facts *x, double flop_ns, double mem_ns, double goes)
{
    const double s = x->ideal->ideal_ns - fmax(flop_ns, mem_ns);
    return isfinite(goes) && s > 0.0 ? fmin(s, goes) : 0.0;
}

static double less_memory(const facts *x, double ns)
{
    const double goes = fmin(ns, x->ideal->mem_ns);
    return saved(x, x->ideal->flop_ns, x->ideal->mem_ns - goes, goes);
}

static double with_weights(const facts *x, double ratio)
{
    return less_memory(x, x->weight_ns * (1.0 - ratio));
}
static double with_cache(const facts *x, double ratio) { return less_memory(x, x->cache_ns * (1.0 - ratio)); }
static double with_flops(const facts *x, double ratio)
{
    return saved(x, x->ideal->flop_ns * ratio, x->ideal->mem_ns, x->ideal->flop_ns * (1.0 - ratio));
}

enum {
#define RG_SAVING(id, holds, saved_ns, option, what) SAVING_##id,
#include "report/remedies.def"
    SAVINGS
};
static_assert(SAVINGS * RG_PHASE_COUNT <= RG_MOST_SAVINGS, "room for every option in every phase");

static void add_saving(rg_saving *to, const rg_doc_op *op, double ns, const char *option, const char *what)
{
    if (!(ns > 0.0)) return;
    if (!to->option[0]) rg_text(to->what, sizeof to->what, "%s", what);
    rg_text(to->option, sizeof to->option, "%s", option);
    to->phase = op->phase;
    to->saved_ns += ns;
    to->share += op->share;
}

static void add_savings(rg_saving of[SAVINGS], const facts *x, const rg_doc_op *op)
{
#define RG_SAVING(id, holds, saved_ns, option, what) \
    if (holds) add_saving(&of[SAVING_##id], op, saved_ns, option, what);
#include "report/remedies.def"
}

/* ---- ranks ---- */

/* Tokens/s more in a phase that takes so much less time. */
static double worth(const rg_doc_phase *p, double ns) { return p->tokens_per_s * rg_ratio(ns, p->t_ns - ns); }

static void explain(rg_fix *f, const facts *x)
{
#define RG_CAUSE(holds, cause, remedy) \
    if (holds) { \
        rg_text(f->why, sizeof f->why, "%s", cause); \
        rg_text(f->option, sizeof f->option, "%s", remedy); \
        return; \
    }
#include "report/remedies.def"
}

static void rank(const rg_doc_op **list, int *n, const rg_doc_op *op)
{
    int at = (*n)++;
    for (; at > 0 && list[at - 1]->t_ns < op->t_ns; at--) list[at] = list[at - 1];
    list[at] = op;
}

static void add_operator(rg_fixes *f, const rg_run *r, const rg_doc_op *op, const facts *x)
{
    const double lost = op->t_ns - op->analytic.ideal_ns;
    const rg_standing standing = rg_standing_of(rg_op_share(op));
    if (standing == RG_AT_ROOF) rank(f->at, &f->n_at, op);
    if (standing == RG_ABOVE_ROOF) rank(f->above, &f->n_above, op);
    if (standing != RG_BELOW_ROOF || !(lost > 0.0)) return;
    int at = f->n_below++;
    for (; at > 0 && f->below[at - 1].recoverable_ns < lost; at--) f->below[at] = f->below[at - 1];
    f->below[at] = (rg_fix){.op = op, .recoverable_ns = lost, .worth = worth(&r->phase[op->phase], lost)};
    explain(&f->below[at], x);
}

static void rank_savings(rg_fixes *f, const rg_saving *of, const rg_doc_phase *p)
{
    for (int i = 0; i < SAVINGS; i++) {
        if (!(of[i].saved_ns >= SAVING * p->t_ns)) continue;
        int at = f->n_savings++;
        for (; at > 0 && f->saving[at - 1].saved_ns < of[i].saved_ns; at--) f->saving[at] = f->saving[at - 1];
        f->saving[at] = of[i];
        f->saving[at].worth = worth(p, of[i].saved_ns);
    }
}

void rg_fixes_of(rg_fixes *f, const rg_run *r)
{
    rg_machine m;
    *f = (rg_fixes){.n_below = 0};
    rg_run_machine(&m, r);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        const double gbps = rg_run_bandwidth(r, p->stream_bytes);
        rg_saving of[SAVINGS] = {{.option = ""}};
        for (const rg_doc_op *op = NULL; (op = rg_run_next(r, ph, op));) {
            const facts x = facts_of(r, op, &m, gbps);
            if (rg_standing_of(rg_op_share(op)) != RG_ABOVE_ROOF) add_savings(of, &x, op);
            if (op->t_ns >= OPERATOR * p->t_ns && f->n_below + f->n_at + f->n_above < RG_MOST_FIXES)
                add_operator(f, r, op, &x);
        }
        rank_savings(f, of, p);
    }
}
