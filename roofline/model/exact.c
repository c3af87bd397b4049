/* The exact cost model: the engine's calls, summed without running. */
#include "roofline/model/exact.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "ops/route.h"

_Static_assert((int)RG_EXACT_F32 == (int)RG_ACT_F32 && (int)RG_EXACT_Q8 == (int)RG_ACT_Q8, "acts are shared");

const char *const rg_exact_acts[] = {
    [RG_EXACT_F32] = "f32", [RG_EXACT_BF16] = "bf16", [RG_EXACT_Q8] = "q8", [RG_EXACT_F16] = "f16", NULL};

/* What one of tp devices has of a model: heads, columns of the feed-forward network and rows of the output
 * matrix. The residual stream is whole everywhere. */
static rg_config on_device(const rg_config *c, int64_t tp)
{
    rg_config d = *c;
    d.heads /= tp;
    d.kv_heads /= tp;
    d.ffn /= tp;
    d.expert_ffn /= tp;
    d.shared_ffn /= tp;
    d.vocab /= tp;
    return d;
}

/* What the engine would find on that machine; nothing where activations are halves, which it does not know.
 * */
static rg_units units(const rg_hardware *h, const rg_exact_input *in)
{
    if (in->act == RG_EXACT_F16) return (rg_units){.act = RG_ACT_F32};
    return (rg_units){.act = (rg_act)in->act,
        .prepared = true,
        .bytes = h->peak[RG_ARITH_INT8_DOT] > 0.0,
        .tile_bytes = h->peak[RG_ARITH_AMX_INT8] > 0.0,
        .tile_bf16 = h->peak[RG_ARITH_AMX_BF16] > 0.0,
        .vectors = true,
        .fast_bf16 = h->peak[RG_ARITH_BF16_DOT] > h->peak[RG_ARITH_FP32_FMA]};
}

/* The kernel and its class of arithmetic: the engine's, but the fastest class for products of bf16. */
static void choose(
    rg_exact_call *x, const rg_hardware *h, const rg_exact_input *in, rg_op op, int64_t m, int64_t seqs)
{
    static const rg_arith bf16[] = {RG_ARITH_BF16_DOT, RG_ARITH_AMX_BF16};
    const rg_units u = units(h, in);
    x->kernel = RG_KK_ELEM;
    x->arith = in->act == RG_EXACT_F16 ? RG_ARITH_FP16_FMA : RG_ARITH_FP32_FMA;
    if (op == RG_OP_ATTN) {
        const rg_attn_way way = rg_route_attn(&u, x->dims.hd, seqs > 0 ? m / seqs : 0);
        x->kernel = way == RG_ATTN_TILES ? RG_KK_ATTN3 : RG_KK_ATTN;
        if (way == RG_ATTN_MANY_BF16) x->arith = RG_ARITH_BF16_DOT;
        if (way == RG_ATTN_TILES || way == RG_ATTN_TILES_BF16) x->arith = RG_ARITH_AMX_BF16;
    }
    if (!rg_op_is_product(op)) return;
    /* a product of experts has the tokens of one at a time */
    const int64_t rows = x->dims.e > 0 ? rg_div_up(m * x->dims.u, x->dims.e) : m;
    const rg_route r = rg_route_product(&u, (rg_wtype)x->wtype, rows);
    const rg_xform form = rg_kinds[r.kernel].form;
    x->kernel = r.kernel;
    if (rg_x_in_bytes(form)) x->arith = r.tiles ? RG_ARITH_AMX_INT8 : RG_ARITH_INT8_DOT;
    if (form == RG_X_BF16) x->arith = rg_hw_best(h, bf16, 2);
    if (form == RG_X_BF16X2) x->arith = RG_ARITH_AMX_BF16;
}

unsigned rg_exact_fusions(const rg_config *c, const rg_exact_input *in)
{
    const unsigned asked = (in->flash ? rg_fuse_bit(RG_FUSE_ATTN) : 0) | in->fuse;
    return rg_fuse_applied(c, asked & rg_fuse_with_sites() & (in->tp > 1 ? ~rg_fuse_bit(RG_FUSE_ADD) : ~0u));
}

/* ---- layers ---- */

/* Works on pairs of positions, which a window limits. */
static bool attends(rg_op op)
{
    return op == RG_OP_ATTN || op == RG_OP_ATTN_QK || op == RG_OP_SOFTMAX || op == RG_OP_ATTN_PV;
}

void rg_exact_see(rg_exact_seen *s, int64_t window, int64_t pos, int64_t n)
{
    const int64_t past = window > 0 ? rg_min(pos, window - 1) : pos; /* that the first token sees */
    /* each token sees one more, until the window is full */
    const int64_t grow = window > 0 ? rg_min(n, window - 1 - past) : n;
    s->seqs++;
    s->pairs += n * (past + 1) + grow * (grow - 1) / 2 + (n - grow) * grow;
    s->ctx += past + n;
}

int64_t rg_exact_layers(const rg_config *c, rg_site site, bool windowed)
{
    const rg_op op = rg_site_op(site);
    int64_t n = 0;
    if (!rg_site_in_layer(site)) return !windowed;
    for (int64_t l = 0; l < c->layers; l++)
        n += (op != RG_OP_ROPE || rg_layer_rotates(c, l)) &&
            (attends(op) && rg_layer_window(c, l) > 0) == windowed;
    return n;
}

/* ---- operators ---- */

double rg_exact_experts(const rg_config *c, const rg_exact_input *in, rg_phase phase, int64_t m)
{
    const double bound = (double)rg_experts_bound(c->experts, c->experts_used, m);
    switch (in->routing) {
    case RG_ROUTING_SAME:
        return fmin((double)c->experts_used, bound);
    case RG_ROUTING_DISJOINT:
        return bound;
    case RG_ROUTING_COUNTED:
        if (phase == RG_DECODE) return fmin(fmax(in->counted, fmin((double)c->experts_used, bound)), bound);
        break;
    default:
        break;
    }
    return rg_experts_expected(c->experts, c->experts_used, m);
}

/* The formulas know whole experts: an expected number multiplies what one of them takes. */
static rg_tally tally_of(const rg_exact_call *x, rg_op op)
{
    rg_dims d = x->dims;
    if (d.e > 0) d.e = 1;
    rg_tally t = rg_cost(op, &d, (rg_wtype)x->wtype, (rg_kvtype)x->kv_k, (rg_kvtype)x->kv_v);
    if (d.e > 0) t.w_rd = (uint64_t)(x->experts * (double)t.w_rd + 0.5);
    return t;
}

/* Resident type of a site's matrix. */
static rg_wtype type_of(const rg_exact_input *in, rg_site linear)
{
    return linear == RG_SITE_OUTPUT            ? in->head
        : rg_site_keeps_type(linear)           ? in->router
        : rg_op_of_experts(rg_site_op(linear)) ? in->expert
                                               : in->dtype;
}

static int64_t width_of(const rg_config *c, rg_site norm)
{
    return norm == RG_SITE_ATTN_Q_NORM ? rg_q_dim(c) : rg_kv_dim(c);
}

rg_exact_call rg_exact_site(const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_site site,
    rg_phase phase, int64_t m, const rg_exact_seen *seen)
{
    const rg_op op = rg_site_op(site);
    const rg_site linear = rg_site_linear(site), w = linear == RG_SITE_NONE ? site : linear;
    const rg_config d = on_device(c, in->tp);
    rg_exact_call x = {.dims = {.m = m}, .wtype = RG_WT_COUNT, .kv_k = RG_KV_COUNT, .kv_v = RG_KV_COUNT};
    if (rg_site_cols(w) != RG_EXT_NONE) {
        x.dims.k = rg_extent_size(&d, rg_site_cols(w));
        if (linear != RG_SITE_NONE) {
            x.dims.n = rg_extent_size(&d, rg_site_rows(w));
            x.wtype = type_of(in, linear);
            if (rg_op_of_experts(op)) {
                x.experts = rg_exact_experts(c, in, phase, m);
                x.dims.u = c->experts_used;
                x.dims.e = rg_max(1, (int64_t)(x.experts + 0.5));
                x.dims.b = rg_site_exists(c, rg_site_bias(linear));
            }
        } else if (op == RG_OP_TOPK) {
            x.dims.u = c->experts_used;
        } else if (site == RG_SITE_FFN_ACT_EXPS || site == RG_SITE_FFN_CLAMP_EXPS) {
            x.dims.m = rg_expert_rows(c, m);
        } else if (op == RG_OP_HEADNORM) {
            x.dims.h = width_of(&d, site) / x.dims.k;
        } else if (op == RG_OP_EMBED) {
            if (c->tied)
                x.wtype = in->head;
            else
                x.dims.w_row = in->embd_row;
        }
    } else { /* attention: heads, and all but the rotation know the cache */
        x.dims = (rg_dims){.m = m, .h = d.heads, .g = d.kv_heads, .hd = d.head_dim};
        if (op == RG_OP_ROPE) {
            x.dims.hd = rg_rope_dim(&d);
        } else {
            x.kv_k = (int)in->kv_k;
            x.kv_v = (int)in->kv_v;
        }
        if (attends(op)) {
            x.dims.pairs = seen->pairs;
            x.dims.ctx = seen->ctx;
            x.dims.cap = c->attn_cap > 0.0;
            x.dims.sink = rg_site_exists(c, RG_SITE_ATTN_SINKS);
        }
    }
    choose(&x, h, in, op, m, seen->seqs);
    x.tally = tally_of(&x, op);
    if (in->act == RG_EXACT_F16) { /* the formulas keep activations in 4 bytes */
        x.tally.act_rd /= 2;
        x.tally.act_wr /= 2;
    }
    return x;
}

/* ---- memory ---- */

double rg_exact_weights(const rg_config *c, const rg_exact_input *in, bool streamed)
{
    const rg_config d = on_device(c, in->tp);
    double layer = 0.0, top = 0.0;
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const rg_op op = rg_site_op((rg_site)s);
        const int64_t k = rg_extent_size(&d, rg_site_cols((rg_site)s)),
                      n = rg_extent_size(&d, rg_site_rows((rg_site)s));
        double bytes = 0.0;
        if (!rg_site_runs(c, (rg_site)s, 0) && !rg_site_has_tensor(c, (rg_site)s)) continue;
        if (rg_site_has_matrix(s))
            bytes = (double)rg_site_matrices(c, s) * (double)rg_packed_bytes(type_of(in, s), n, k);
        else if (op == RG_OP_EMBED)
            bytes = c->tied || streamed ? 0.0 : (double)c->vocab * (double)in->embd_row;
        else if (n > 0 || op == RG_OP_REORDER)
            bytes = 4.0 * (double)k * (double)rg_site_matrices(c, s);
        *(rg_site_in_layer((rg_site)s) ? &layer : &top) += bytes;
    }
    return (double)c->layers * layer + top;
}

/* Keys and values of so many positions, of all layers of one sequence together. */
static double kv_bytes(const rg_config *c, const rg_exact_input *in, int64_t positions)
{
    const int64_t head = rg_kv_k_bytes(in->kv_k, c->head_dim) + rg_kv_v_bytes(in->kv_v, c->head_dim);
    return (double)in->batch * (double)positions * (double)(c->kv_heads / in->tp) * (double)head;
}

double rg_exact_kv(const rg_config *c, const rg_exact_input *in, int64_t ctx)
{
    const int64_t call = in->ubatch > 0 ? in->ubatch : in->batch * in->seqlen;
    int64_t positions = 0; /* of all layers: a window keeps its own */
    for (int64_t i = 0; i < c->layers; i++) positions += rg_kv_positions(c, i, ctx, call, 0);
    return kv_bytes(c, in, positions);
}

static double parameters(const rg_config *c, bool active)
{
    double n = 0.0;
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        if ((s == RG_SITE_OUTPUT && c->tied) || !rg_site_has_tensor(c, s)) continue;
        const bool few = active && rg_site_of_experts(s);
        n += (rg_site_in_layer((rg_site)s) ? (double)c->layers : 1.0) *
            (double)(few ? c->experts_used : rg_site_matrices(c, s)) *
            (double)rg_extent_size(c, rg_site_rows((rg_site)s)) *
            (double)rg_extent_size(c, rg_site_cols((rg_site)s));
    }
    return n;
}

double rg_exact_params(const rg_config *c) { return parameters(c, false); }
double rg_exact_active(const rg_config *c) { return parameters(c, true); }

/* ---- phases ---- */

/* One forward call of m tokens, n_out rows of logits. */
typedef struct call {
    rg_phase phase;
    int64_t m, n_out;
    rg_exact_seen seen[2]; /* in layers that see everything, in those with the window */
    int64_t deepest;       /* largest position + 1 */
} call;

static void see(call *f, const rg_config *c, int64_t pos, int64_t n)
{
    rg_exact_see(&f->seen[0], 0, pos, n);
    rg_exact_see(&f->seen[1], c->window, pos, n);
    f->deepest = rg_max(f->deepest, pos + n);
}

static void add_tally(rg_cost_sum *s, const rg_tally *t, double times)
{
    s->flop += times * (double)t->flop;
    s->w_rd += times * (double)t->w_rd;
    s->act_rd += times * (double)t->act_rd;
    s->act_wr += times * (double)t->act_wr;
    s->kv_rd += times * (double)t->kv_rd;
    s->kv_wr += times * (double)t->kv_wr;
    s->bytes += times * (double)rg_tally_bytes(t);
}

typedef struct work {
    const rg_config *c;
    const rg_hardware *h;
    const rg_exact_input *in;
    unsigned fuse;                    /* fusions that apply */
    double streamed;                  /* weights that calls come round to */
    int64_t layers[RG_SITE_COUNT][2]; /* in which a site runs: that see everything, with the window */
    rg_cost_point *op;                /* [RG_SITE_COUNT] */
    rg_cost_sum *total;
    rg_cost_experts experts; /* sums over calls */
    double reduced;          /* bytes sent for tensor parallelism */
} work;

static work new_work(
    const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_cost_point *op, rg_cost_sum *total)
{
    work w = {c, h, in, rg_exact_fusions(c, in), rg_exact_weights(c, in, true), .op = op, .total = total};
    for (int s = 0; s < RG_SITE_COUNT; s++)
        for (int k = 0; k < 2 && rg_site_runs(c, s, w.fuse); k++) w.layers[s][k] = rg_exact_layers(c, s, k);
    return w;
}

/* A site in so many layers of a call. */
static void add_site(work *w, const call *f, rg_site s, int kind, int64_t streamed)
{
    const rg_exact_call x =
        rg_exact_site(w->c, w->h, w->in, s, f->phase, rg_exact_is_last(s) ? f->n_out : f->m, &f->seen[kind]);
    const rg_ideal p = rg_hw_predict(w->h, &x.tally, x.arith, x.kernel, streamed);
    const double times = (double)w->layers[s][kind],
                 ideal = isnan(p.flop_ns) || isnan(p.mem_ns) ? NAN : fmax(p.flop_ns, p.mem_ns);
    rg_cost_point *o = &w->op[s];
    add_tally(&o->sum, &x.tally, times);
    add_tally(w->total, &x.tally, times);
    o->calls += times;
    o->flop_s += 1e-9 * times * p.flop_ns;
    o->mem_s += 1e-9 * times * p.mem_ns;
    o->sum.time_s += 1e-9 * times * ideal;
    w->total->time_s += 1e-9 * times * ideal;
    o->peak = x.tally.flop ? rg_hw_peak(w->h, x.arith, NULL) / rg_kernel_passes(x.kernel) : NAN;
}

static void count_experts(work *w, const call *f)
{
    const rg_config *c = w->c;
    const double read = rg_exact_experts(c, w->in, f->phase, f->m);
    if (c->experts == 0) return;
    w->experts.calls++;
    w->experts.read += read;
    w->experts.expected += rg_experts_expected(c->experts, c->experts_used, f->m);
    w->experts.bound += (double)rg_experts_bound(c->experts, c->experts_used, f->m);
    w->experts.rows += (double)rg_expert_rows(c, f->m) / read;
}

static void forward(work *w, const call *f)
{
    count_experts(w, f);
    const int64_t streamed =
        (int64_t)(w->streamed + kv_bytes(w->c, w->in, rg_seen_in_layers(w->c, f->deepest)));
    for (int s = 0; s < RG_SITE_COUNT; s++)
        for (int kind = 0; kind < 2; kind++)
            if (w->layers[s][kind] > 0 && !(rg_exact_is_last(s) && f->n_out == 0))
                add_site(w, f, s, kind, streamed);
    /* two ring all-reduces a layer over the residual stream: each device sends its part 2 (tp - 1) / tp
     * times; logits are gathered */
    const double act = w->in->act == RG_EXACT_F16 ? 2.0 : 4.0, tp = (double)w->in->tp;
    w->reduced += act * (tp - 1.0) / tp *
        (4.0 * (double)w->c->layers * (double)(f->m * w->c->dim) + (double)(f->n_out * w->c->vocab));
}

/* batch * seqlen tokens, sequence after sequence, in the engine's calls of ubatch tokens. */
static void prefill(work *w)
{
    const int64_t s = w->in->seqlen, all = w->in->batch * s, step = w->in->ubatch > 0 ? w->in->ubatch : all;
    for (int64_t at = 0; at < all;) {
        call f = {.phase = RG_PREFILL, .m = rg_min(step, all - at)};
        for (int64_t left = f.m; left > 0;) {
            const int64_t pos = at % s, n = rg_min(left, s - pos);
            see(&f, w->c, pos, n);
            f.n_out += pos + n == s;
            at += n;
            left -= n;
        }
        forward(w, &f);
    }
}

static void decode(work *w, int64_t past)
{
    const int64_t all = w->in->batch, step = w->in->ubatch > 0 ? w->in->ubatch : all;
    for (int64_t at = 0; at < all; at += step) {
        const int64_t n = rg_min(step, all - at);
        call f = {.phase = RG_DECODE, .m = n, .n_out = n};
        see(&f, w->c, past, 1);
        for (int kind = 0; kind < 2; kind++)
            f.seen[kind] = (rg_exact_seen){n, n * f.seen[kind].pairs, n * f.seen[kind].ctx};
        forward(w, &f);
    }
}

static rg_status check(const rg_config *c, const rg_exact_input *in, rg_err *err)
{
    if (in->batch < 1 || in->batch > 1 << 20)
        return rg_fail(err, RG_E_USAGE, "--batch: %lld, expected 1 to %d", (long long)in->batch, 1 << 20);
    if (in->seqlen < 1 || in->seqlen > c->ctx_train)
        return rg_fail(err, RG_E_USAGE, "--seqlen: %lld, expected 1 to %lld (the model's context)",
            (long long)in->seqlen, (long long)c->ctx_train);
    if (in->tp < 1) return rg_fail(err, RG_E_USAGE, "--tp: %lld, expected 1 or more", (long long)in->tp);
    const struct {
        const char *what;
        int64_t n;
    } parts[] = {{"heads", c->heads}, {"KV heads", c->kv_heads}, {"of the intermediate size", c->ffn},
        {"of the size of an expert", c->expert_ffn}, {"of the size of the shared network", c->shared_ffn},
        {"of the vocabulary", c->vocab}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].n % in->tp != 0)
            return rg_fail(err, RG_E_USAGE, "--tp: %lld devices cannot share %lld %s evenly",
                (long long)in->tp, (long long)parts[i].n, parts[i].what);
    const int64_t step = in->ubatch > 0 ? rg_min(in->ubatch, in->batch) : in->batch,
                  most = rg_experts_bound(c->experts, c->experts_used, step);
    if (in->routing != RG_ROUTING_UNIFORM && c->experts == 0)
        return rg_fail(err, RG_E_USAGE, "--routing: this model is dense, expected a mixture of experts");
    if (in->routing == RG_ROUTING_COUNTED &&
        !(in->counted >= (double)c->experts_used && in->counted <= (double)most))
        return rg_fail(err, RG_E_USAGE,
            "--routing: %g experts of a layer in a step, expected %lld (one token's) to %lld (%lld tokens of "
            "%lld experts)",
            in->counted, (long long)c->experts_used, (long long)most, (long long)step, (long long)c->experts);
    if (c->head_dim % rg_kvtypes[in->kv_k].block != 0)
        return rg_fail(err, RG_E_USAGE,
            "-ctk: %s needs heads of a multiple of %d dimensions, this model's have %lld",
            rg_kvtypes[in->kv_k].name, rg_kvtypes[in->kv_k].block, (long long)c->head_dim);
    return RG_OK;
}

static void keep_experts(rg_cost_result *r, const work *w, rg_phase ph)
{
    rg_cost_experts *e = &r->experts[ph];
    *e = w->experts;
    if (!(e->calls > 0.0)) return;
    e->read /= e->calls;
    e->expected /= e->calls;
    e->bound /= e->calls;
    e->rows /= e->calls;
    for (int s = 0; s < RG_SITE_COUNT; s++)
        if (rg_op_of_experts(rg_site_op(s))) e->bytes += w->op[s].sum.w_rd;
}

static void keep_points(rg_cost_result *r, const rg_cost_point *op, rg_phase ph)
{
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        if (op[s].calls == 0.0) continue;
        rg_cost_point *p = &r->op[r->n++];
        *p = op[s];
        p->name = rg_site_name(s);
        p->phase = ph;
        p->site = s;
        p->in_layer = rg_site_in_layer(s);
        p->ai = p->sum.bytes > 0.0 ? p->sum.flop / p->sum.bytes : 0.0;
        p->bandwidth = p->mem_s > 0.0 ? p->sum.bytes / p->mem_s : NAN;
        p->attainable = p->sum.flop > 0.0 ? p->sum.flop / p->sum.time_s : NAN;
        p->bound = isnan(p->flop_s) || isnan(p->mem_s) ? RG_LIMIT_UNKNOWN
            : p->flop_s > p->mem_s                     ? RG_LIMIT_COMPUTE
                                                       : RG_LIMIT_MEMORY;
    }
}

rg_status rg_exact(
    rg_cost_result *r, const rg_config *c, const rg_hardware *h, const rg_exact_input *in, rg_err *err)
{
    *r = (rg_cost_result){.model = RG_COST_EXACT};
    const rg_status st = check(c, in, err);
    if (st) return st;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_cost_point op[RG_SITE_COUNT] = {{0}};
        work w = new_work(c, h, in, op, &r->total[ph]);
        if (ph == RG_PREFILL)
            prefill(&w);
        else
            decode(&w, rg_min(in->seqlen, c->ctx_train - 1)); /* a full context has its last step behind it */
        keep_points(r, op, (rg_phase)ph);
        keep_experts(r, &w, (rg_phase)ph);
        r->tokens[ph] = (double)in->batch * (ph == RG_PREFILL ? (double)in->seqlen : 1.0);
        r->allreduce_bytes[ph] = w.reduced;
        r->allreduce_s[ph] = in->tp == 1 ? 0.0 : h->link > 0.0 ? w.reduced / h->link : NAN;
        if (isfinite(r->allreduce_s[ph])) r->total[ph].time_s += r->allreduce_s[ph];
        rg_cost_memory *m = &r->memory[ph];
        m->weights = rg_exact_weights(c, in, false);
        m->kv = rg_exact_kv(c, in, in->ctx > 0 ? in->ctx : in->seqlen + 1);
        m->total = m->weights + m->kv;
    }
    return RG_OK;
}

rg_status rg_exact_decode(rg_cost_sum *total, const rg_config *c, const rg_hardware *h,
    const rg_exact_input *in, int64_t past, rg_err *err)
{
    rg_cost_point op[RG_SITE_COUNT] = {{0}};
    *total = (rg_cost_sum){0};
    const rg_status st = check(c, in, err);
    if (st) return st;
    work w = new_work(c, h, in, op, total);
    decode(&w, past);
    if (in->tp > 1 && h->link > 0.0) total->time_s += w.reduced / h->link;
    return RG_OK;
}
