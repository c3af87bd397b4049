/* The verbs of the forward pass over the drivers of exec/: which operators run and where threads wait. */
#include "model/verbs.h"

#include <float.h>
#include <math.h>

static rg_choice choice_of(const rg_acts *a, int tid)
{
    rg_choice c = a->choice;
    const size_t at = (size_t)tid * a->choice_bytes / sizeof *c.own_id;
    if (!c.used) return c;
    c.own_id += at;
    c.own_weight += at;
    c.expert += at;
    c.first += at;
    c.token += at;
    c.sorted += at;
    c.place += at;
    return c;
}

rg_pass rg_pass_begin(rg_ctx *cx, rg_forward *f)
{
    const rg_session *s = f->s;
    const rg_acts *a = &s->a;
    const rg_config *c = &s->e->model.cfg;
    cx->xq = a->xq;
    cx->xe = a->xe;
    cx->xe_bytes = c->experts > 0 ? rg_xe_bytes(rg_max(c->dim, c->expert_ffn)) : 0;
    return (rg_pass){.cx = cx,
        .choice = choice_of(a, cx->tid),
        .f = f,
        .a = a,
        .c = c,
        .w = s->e->model.top,
        .m = f->m,
        .on = &s->on[f->fuse != s->on[0].fuse],
        .shape = {.heads = c->heads,
            .scale = (float)(c->attn_scale != 0.0 ? c->attn_scale : 1.0 / sqrt((double)c->head_dim)),
            .cap = (float)c->attn_cap,
            .rot = rg_rope_dim(c),
            .run = a->run,
            .n_runs = f->n_runs,
            .m = f->m,
            .part = a->part,
            .scores = a->scores,
            .score_stride = s->o.score_stride}};
}

/* All threads stop at the same layer: thread 0 names the next one, and the barriers of this one carry it. */
bool rg_pass_layer(rg_pass *p, int64_t layer)
{
    rg_forward *f = p->f;
    const rg_stop_flag *stop = f->s->e->stop;
    p->cx->layer = (int16_t)layer;
    if (layer >= __atomic_load_n(&f->stop_at, __ATOMIC_RELAXED)) return false;
    if (p->cx->tid == 0 && stop && *stop) __atomic_store_n(&f->stop_at, layer + 1, __ATOMIC_RELAXED);
    p->w = rg_model_at(&f->s->e->model, layer, 0);
    p->kv = f->s->kv[layer];
    p->shape.sink = p->w[RG_SITE_ATTN_SINKS].vec;
    p->shape.window = rg_layer_window(p->c, layer);
    p->shape.cs = rg_layer_local(p->c, layer) ? p->a->cs_local : p->a->cs;
    p->shape.cs_q = p->a->cs_q ? p->a->cs_q : p->shape.cs;
    return true;
}

bool rg_pass_logits(rg_pass *p)
{
    p->cx->layer = -1;
    p->w = p->f->s->e->model.top;
    p->m = p->f->n_out;
    p->row = p->a->want;
    return p->m > 0;
}

/* ---- what hangs on an operator ---- */

/* Shows what a site wrote to the observer, and checks that it is finite if that is wanted: all threads have
 * written, and none goes on before. */
static void show_rows(const rg_pass *p, rg_seen seen)
{
    const rg_session *s = p->f->s;
    rg_ctx *cx = p->cx;
    if (!s->observe && !p->f->check) return;
    seen.layer = cx->layer;
    rg_barrier(cx);
    if (cx->tid == 0 && p->f->check)
        rg_check_finite(p->f, seen.site, cx->layer, seen.data, seen.rows, seen.cols, FLT_MAX);
    if (cx->tid == 0 && s->observe) s->observe(s->observe_user, &seen);
    rg_barrier(cx);
}

static void show(const rg_pass *p, rg_site site, const float *data, int64_t cols)
{
    show_rows(p, (rg_seen){.site = site, .data = data, .rows = p->m, .cols = cols});
}

/* What experts wrote: a row for each token and expert, by expert. */
static void show_experts(const rg_pass *p, rg_site site, const float *data)
{
    const rg_choice *c = &p->choice;
    show_rows(p,
        (rg_seen){.site = site,
            .data = data,
            .rows = p->m * c->used,
            .cols = p->c->expert_ffn,
            .experts = c->n,
            .expert = c->expert,
            .first = c->first,
            .token = c->token});
}

/* Whether what follows a product or factor reads what other threads wrote. Operators that go on in the same
 * columns do not, nor does a product of the same input. */
static bool must_wait(const rg_config *c, const bool *runs, rg_site site)
{
    for (rg_site s = site + 1; s < RG_SITE_COUNT; s++) {
        const rg_op op = rg_site_op(s);
        if (!rg_site_exists(c, s)) continue;
        if (rg_site_has_matrix(s)) return rg_site_input(s) != rg_site_input(site);
        if (op == RG_OP_ADD || op == RG_OP_SWIGLU) return false;
        /* its own bias, and the order of what the next product reads */
        if (op == RG_OP_BIAS || op == RG_OP_REORDER) continue;
        if (rg_site_optional(s) && runs[s])
            return op != RG_OP_SCALE && op != RG_OP_GEGLU && op != RG_OP_SOFTCAP;
        if (rg_site_only(s) == RG_ONLY_ALWAYS || op == RG_OP_TOPK) return true;
    }
    return true;
}

rg_sites_on rg_sites_with(const rg_config *c, unsigned fuse)
{
    rg_sites_on on = {.fuse = fuse};
    for (rg_site s = 0; s < RG_SITE_COUNT; s++) on.runs[s] = rg_site_runs(c, s, fuse);
    for (rg_site s = 0; s < RG_SITE_COUNT; s++) on.crosses[s] = must_wait(c, on.runs, s);
    return on;
}

static bool runs(const rg_pass *p, rg_site site) { return p->on->runs[site]; }
static bool crosses(const rg_pass *p, rg_site site) { return p->on->crosses[site]; }

static void scale(const rg_pass *p, rg_site site, float *y, double factor)
{
    const int64_t n = rg_extent_size(p->c, rg_site_cols(site));
    if (runs(p, site)) rg_scale(p->cx, site, y, (float)factor, p->m, n, crosses(p, site));
}

/* What a product reads: columns sorted by group meet a copy of x in the same order. Other threads may still
 * be reading that when the next one is made, so that the product ends with a barrier. */
static const float *ordered(const rg_pass *p, rg_site site, const float *x)
{
    const rg_bound_tensor *b = &p->w[site];
    if (!b->order) return x;
    if (!b->order_again) rg_reorder(p->cx, rg_site_order(site), p->a->sorted, x, b->order, p->m, b->w.k);
    return p->a->sorted;
}

static void product(const rg_pass *p, rg_site site, float *y, const float *x)
{
    const rg_bound_tensor *b = &p->w[site];
    const rg_site bias = rg_site_bias(site);
    const float *vec = bias == RG_SITE_NONE ? NULL : p->w[bias].vec;
    const bool barrier = b->order || crosses(p, site);
    rg_linear(p->cx, site, y, ordered(p, site, x), &b->w, p->m, barrier && !vec);
    if (vec) rg_bias(p->cx, bias, y, vec, p->m, b->w.n, barrier);
}

/* A product and the operator behind it as one, if that fusion is on: `to` takes the result, y is scratch. */
static bool fused(const rg_pass *p, rg_site site, rg_op op, float *to, float *y, const float *x)
{
    const rg_site as = rg_site_next(site, op);
    if (as == RG_SITE_NONE || !runs(p, as)) return false;
    rg_linear_fused(p->cx, as, to, y, ordered(p, site, x), &p->w[site].w, p->m);
    return true;
}

/* ---- the verbs ---- */

void rg_embed_tokens(rg_pass *p, float *x)
{
    rg_embed(p->cx, x, &p->f->s->e->model.embd, p->a->token, p->m);
    scale(p, RG_SITE_TOKEN_SCALE, x, p->c->embd_scale);
    rg_layer_end(p->cx);
    show(p, RG_SITE_TOKEN_EMBD, x, p->c->dim);
}

/* Few rows may be normalised by every thread for itself: the products that follow write elsewhere, and a
 * barrier comes before x changes. */
const float *rg_normalise(rg_pass *p, rg_site site, float *y, const float *x)
{
    if (!runs(p, site)) return x;
    const int64_t n = p->c->dim;
    const float *w = p->w[site].vec, eps = (float)p->c->eps;
    const bool own = p->a->own && p->m <= RG_GEMV_MAX && (p->f->fuse & rg_fuse_bit(RG_FUSE_NORM));
    if (own) y = p->a->own + p->cx->tid * RG_GEMV_MAX * n;
    rg_rmsnorm(p->cx, site, y, x, w, p->row, p->m, n, eps, own);
    if (!own) show(p, site, y, n);
    return y;
}

void rg_project(rg_pass *p, rg_site site, float *y, const float *x)
{
    product(p, site, y, x);
    show(p, site, y, p->w[site].w.n);
}

void rg_project_gated(rg_pass *p, rg_site site, float *gate, const float *x)
{
    const bool gelu = p->c->extra & rg_site_bit(RG_SITE_FFN_GELU);
    const rg_site act = rg_site_next(site, gelu ? RG_OP_GEGLU : RG_OP_SWIGLU);
    const int64_t n = p->w[site].w.n;
    if (fused(p, site, gelu ? RG_OP_LINEAR_GEGLU : RG_OP_LINEAR_SWIGLU, gate, p->a->up, x)) return;
    rg_project(p, site, p->a->up, x);
    rg_gate(p->cx, act, gate, p->a->up, p->m, n);
    show(p, act, gate, n);
}

/* sum += factor * norm(a->tmp), the output of a block, whose last product is `site`. */
static void add_block(rg_pass *p, rg_site site, float *sum)
{
    const rg_site add = rg_site_next(site, RG_OP_ADD), norm = rg_site_next(site, RG_OP_RMSNORM);
    scale(p, rg_site_next(site, RG_OP_SCALE), p->a->tmp, p->c->resid_scale);
    const float *more = norm < add ? rg_normalise(p, norm, p->a->tmp, p->a->tmp) : p->a->tmp;
    rg_add(p->cx, add, sum, more, p->m, p->c->dim);
    show(p, add, sum, p->c->dim);
}

void rg_project_add(rg_pass *p, rg_site site, float *sum, const float *x)
{
    if (fused(p, site, RG_OP_LINEAR_ADD, sum, p->a->tmp, x)) return;
    rg_project(p, site, p->a->tmp, x);
    add_block(p, site, sum);
}

static void project_experts(const rg_pass *p, rg_site site, float *to, float *y, const float *x, bool barrier)
{
    const rg_site linear = rg_site_linear(site);
    rg_linear_exps(
        p->cx, site, to, y, x, &p->w[linear].w, p->w[rg_site_bias(linear)].vec, &p->choice, barrier);
}

static void run_experts(rg_pass *p, const float *x)
{
    const rg_acts *a = p->a;
    rg_project(p, RG_SITE_FFN_GATE_INP, a->router, x);
    rg_topk(p->cx, RG_SITE_FFN_TOPK, &p->choice, a->router, p->m, p->c->experts, p->c->experts_norm);
    project_experts(p, RG_SITE_FFN_GATE_EXPS, a->gate, a->gate, x, false);
    show_experts(p, RG_SITE_FFN_GATE_EXPS, a->gate);
    const bool clamps = rg_site_exists(p->c, RG_SITE_FFN_CLAMP_EXPS);
    const rg_site act = clamps ? RG_SITE_FFN_CLAMP_EXPS : RG_SITE_FFN_ACT_EXPS,
                  with_act = clamps ? RG_SITE_FFN_UP_CLAMP_EXPS : RG_SITE_FFN_UP_ACT_EXPS;
    if (runs(p, with_act)) {
        project_experts(p, with_act, a->gate, a->up, x, true);
    } else {
        project_experts(p, RG_SITE_FFN_UP_EXPS, a->up, a->up, x, true);
        show_experts(p, RG_SITE_FFN_UP_EXPS, a->up);
        rg_gate(p->cx, act, a->gate, a->up, p->m * p->choice.used, p->c->expert_ffn);
        show_experts(p, act, a->gate);
    }
    project_experts(p, RG_SITE_FFN_DOWN_EXPS, a->tmp, a->more, a->gate, crosses(p, RG_SITE_FFN_DOWN_EXPS));
    show(p, RG_SITE_FFN_DOWN_EXPS, a->tmp, p->c->dim);
}

void rg_mix_experts(rg_pass *p, float *sum, const float *x)
{
    const rg_acts *a = p->a;
    run_experts(p, x);
    if (p->c->shared_ffn > 0) {
        rg_project(p, RG_SITE_FFN_GATE_SHEXP, a->gate_sh, x);
        rg_project_gated(p, RG_SITE_FFN_UP_SHEXP, a->gate_sh, x);
        rg_project(p, RG_SITE_FFN_DOWN_SHEXP, a->more, a->gate_sh);
        rg_gated_add(p->cx, RG_SITE_FFN_GATE_INP_SHEXP, a->tmp, a->more, x,
            p->w[RG_SITE_FFN_GATE_INP_SHEXP].vec, a->router, p->m, p->c->dim, false);
        show(p, RG_SITE_FFN_GATE_INP_SHEXP, a->tmp, p->c->dim);
    }
    add_block(p, RG_SITE_FFN_DOWN_EXPS, sum);
}

void rg_project_logits(rg_pass *p, float *logits, const float *x)
{
    product(p, RG_SITE_OUTPUT, logits, x);
    scale(p, RG_SITE_OUTPUT_SCALE, logits, 1.0 / p->c->logit_scale);
    if (runs(p, RG_SITE_OUTPUT_CAP))
        rg_cap(p->cx, RG_SITE_OUTPUT_CAP, logits, (float)p->c->logit_cap, p->m, p->c->vocab);
    rg_layer_end(p->cx);
    show(p, RG_SITE_OUTPUT, logits, p->c->vocab);
}

/* Larger values become infinite in the cache; scales of q8_0 are halves of 1/127 of the largest value. */
static float cache_most(rg_kvtype t)
{
    return t == RG_KV_F16 ? 65504.0f : t == RG_KV_Q8_0 ? 127.0f * 65504.0f : FLT_MAX;
}

static void check_cache(const rg_pass *p, const float *x, rg_kvtype t)
{
    /* behind the barrier of rg_kv_put, and nobody writes keys and values again in this layer */
    if (p->cx->tid != 0 || !p->f->check) return;
    rg_check_finite(p->f, RG_SITE_ATTN_KV_PUT, p->cx->layer, x, p->m, rg_kv_dim(p->c), cache_most(t));
}

static void normalise_heads(const rg_pass *p, rg_site site, float *x, int64_t n)
{
    if (!runs(p, site)) return;
    const int64_t k = rg_extent_size(p->c, rg_site_cols(site));
    rg_headnorm(p->cx, site, x, p->w[site].vec, p->m, n / k, k, (float)p->c->eps);
    show(p, site, x, n);
}

void rg_rotate_and_store(rg_pass *p, float *q, float *k, const float *v)
{
    normalise_heads(p, RG_SITE_ATTN_Q_NORM, q, rg_q_dim(p->c));
    normalise_heads(p, RG_SITE_ATTN_K_NORM, k, rg_kv_dim(p->c));
    if (runs(p, RG_SITE_ATTN_ROPE_KV)) {
        rg_rope_kv(p->cx, q, k, v, &p->kv, &p->shape);
        return;
    }
    if (rg_layer_rotates(p->c, p->cx->layer)) {
        rg_rope(p->cx, q, k, &p->kv, &p->shape);
        show(p, RG_SITE_ATTN_ROPE, q, rg_q_dim(p->c));
        show(p, RG_SITE_ATTN_ROPE, k, rg_kv_dim(p->c));
    }
    rg_kv_put(p->cx, k, v, &p->kv, &p->shape);
    check_cache(p, k, p->kv.k_type);
    check_cache(p, v, p->kv.v_type);
}

void rg_attend(rg_pass *p, float *att, const float *q)
{
    if (runs(p, RG_SITE_ATTN_CORE))
        rg_attn(p->cx, att, q, &p->kv, &p->shape);
    else
        rg_attn_unfused(p->cx, att, q, &p->kv, &p->shape);
    show(p, RG_SITE_ATTN_CORE, att, rg_q_dim(p->c));
}
