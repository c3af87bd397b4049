/* The forward pass. Run by every thread of the team; drivers split the work and put barriers where data
 * crosses threads. */
#include <float.h>
#include <math.h>

#include "model/session.h"

/* A stop is seen by all threads at the same layer: thread 0 names the next layer, and the barriers inside
 * this one carry the news. */
static bool stop_here(rg_ctx *cx, rg_forward *f, int64_t layer)
{
    if (layer >= __atomic_load_n(&f->stop_at, __ATOMIC_RELAXED)) return true;
    if (cx->tid == 0 && f->s->e->stop && *f->s->e->stop)
        __atomic_store_n(&f->stop_at, layer + 1, __ATOMIC_RELAXED);
    return false;
}

/* Shows what a site wrote to the session's observer, and looks whether it is finite if that is wanted: all
 * threads have written, and none goes on before it was seen. */
static void show(rg_ctx *cx, rg_forward *f, rg_site site, const float *data, int64_t rows, int64_t cols)
{
    const rg_session *s = f->s;
    if (!s->observe && !f->check) return;
    rg_barrier(cx);
    if (cx->tid == 0 && f->check) rg_check_finite(f, site, cx->layer, data, rows, cols, FLT_MAX);
    if (cx->tid == 0 && s->observe)
        s->observe(s->observe_user,
            &(rg_seen){.site = site, .layer = cx->layer, .data = data, .rows = rows, .cols = cols});
    rg_barrier(cx);
}

/* What a product reads: columns sorted by group meet a copy of x in the same order. Other threads may still
 * be reading that when the next one is made, so that the product ends with a barrier. */
static const float *ordered(rg_ctx *cx, rg_forward *f, const rg_bound *w, rg_site site, const float *x)
{
    const rg_bound *b = &w[site];
    if (!b->order) return x;
    if (!b->order_again) rg_reorder(cx, rg_site_order(site), f->s->a.sorted, x, b->order, f->m, b->w.k);
    return f->s->a.sorted;
}

static bool runs(const rg_forward *f, rg_site site)
{
    return rg_site_runs(&f->s->e->model.cfg, site, f->fuse);
}

/* y = x W^T (+ bias). */
static void project(
    rg_ctx *cx, rg_forward *f, const rg_bound *w, rg_site site, float *y, const float *x, bool barrier)
{
    const rg_bound *b = &w[site];
    const float *bias = w[rg_site_bias(site)].vec;
    x = ordered(cx, f, w, site, x);
    barrier = barrier || b->order;
    rg_linear(cx, site, y, x, &b->w, f->m, barrier && !bias);
    if (bias) rg_bias(cx, rg_site_bias(site), y, bias, f->m, b->w.n, barrier);
    show(cx, f, site, y, f->m, b->w.n);
}

/* The same with what follows, if that is fused to it: to, with y as scratch. */
static bool project_into(
    rg_ctx *cx, rg_forward *f, const rg_bound *w, rg_site fused, float *to, float *y, const float *x)
{
    const rg_site site = rg_site_linear(fused);
    if (!runs(f, fused)) return false;
    rg_linear_fused(cx, fused, to, y, ordered(cx, f, w, site, x), &w[site].w, f->m);
    return true;
}

/* Beyond it a value becomes infinite in the cache; the blocks of q8_0 have half-precision scales of 1/127 of
 * their largest value. */
static float cache_most(rg_kvtype t)
{
    return t == RG_KV_F16 ? 65504.0f : t == RG_KV_Q8_0 ? 127.0f * 65504.0f : FLT_MAX;
}

static void check_cache(rg_ctx *cx, rg_forward *f, const rg_kv_layer *kv)
{
    /* behind the barrier of rg_kv_put, and nobody writes keys and values again in this layer */
    if (cx->tid != 0 || !f->check) return;
    const int64_t n = kv->heads * kv->hd;
    rg_check_finite(f, RG_SITE_ATTN_KV_PUT, cx->layer, f->s->a.k, f->m, n, cache_most(kv->k_type));
    rg_check_finite(f, RG_SITE_ATTN_KV_PUT, cx->layer, f->s->a.v, f->m, n, cache_most(kv->v_type));
}

/* y[m] = rmsnorm of the rows of x; returns where they are. Few of them every thread may make for itself, in a
 * place of its own: products follow, which read all of them and write elsewhere, and a barrier comes before x
 * changes. */
static const float *normalise(
    rg_ctx *cx, rg_forward *f, const rg_bound *w, rg_site site, float *y, const int32_t *row, int64_t m)
{
    const rg_acts *a = &f->s->a;
    const rg_config *c = &f->s->e->model.cfg;
    if (a->own && m <= RG_GEMV_MAX && (f->fuse & rg_fuse_bit(RG_FUSE_NORM))) {
        y = a->own + cx->tid * RG_GEMV_MAX * c->dim;
        rg_rmsnorm_own(cx, site, y, a->x, w[site].vec, row, m, c->dim, (float)c->eps);
    } else {
        rg_rmsnorm(cx, site, y, a->x, w[site].vec, row, m, c->dim, (float)c->eps);
        show(cx, f, site, y, m, c->dim);
    }
    return y;
}

static void attention(rg_ctx *cx, rg_forward *f, const rg_bound *w, int64_t layer)
{
    const rg_session *s = f->s;
    const rg_acts *a = &s->a;
    const rg_config *c = &s->e->model.cfg;
    const rg_kv_layer kv = rg_kv_at(s, layer);
    const rg_attn_shape shape = {.heads = c->heads,
        .scale = (float)(c->attn_scale != 0.0 ? c->attn_scale : 1.0 / sqrt((double)c->head_dim)),
        .window = c->window,
        .run = a->run,
        .n_runs = f->n_runs,
        .m = f->m,
        .cs = a->cs,
        .part = a->part,
        .scores = a->scores,
        .score_stride = s->o.score_stride};

    const float *xn = normalise(cx, f, w, RG_SITE_ATTN_NORM, a->xn, NULL, f->m);
    project(cx, f, w, RG_SITE_ATTN_Q, a->q, xn, false);
    project(cx, f, w, RG_SITE_ATTN_K, a->k, xn, false);
    project(cx, f, w, RG_SITE_ATTN_V, a->v, xn, true);
    if (runs(f, RG_SITE_ATTN_ROPE_KV)) {
        rg_rope_kv(cx, a->q, a->k, a->v, &kv, &shape);
    } else {
        rg_rope(cx, a->q, a->k, &kv, &shape);
        show(cx, f, RG_SITE_ATTN_ROPE, a->q, f->m, rg_q_dim(c));
        show(cx, f, RG_SITE_ATTN_ROPE, a->k, f->m, rg_kv_dim(c));
        rg_kv_put(cx, a->k, a->v, &kv, &shape);
        check_cache(cx, f, &kv);
    }
    if (runs(f, RG_SITE_ATTN_CORE))
        rg_attn(cx, a->att, a->q, &kv, &shape);
    else
        rg_attn_unfused(cx, a->att, a->q, &kv, &shape);
    show(cx, f, RG_SITE_ATTN_CORE, a->att, f->m, rg_q_dim(c));
    if (project_into(cx, f, w, RG_SITE_ATTN_OUTPUT_ADD, a->x, a->tmp, a->att)) return;
    project(cx, f, w, RG_SITE_ATTN_OUTPUT, a->tmp, a->att, false);
    if (c->resid_scale != 0.0)
        rg_scale(cx, RG_SITE_ATTN_OUT_SCALE, a->tmp, (float)c->resid_scale, f->m, c->dim, false);
    rg_add(cx, RG_SITE_ATTN_ADD, a->x, a->tmp, f->m, c->dim);
    show(cx, f, RG_SITE_ATTN_ADD, a->x, f->m, c->dim);
}

static void feed_forward(rg_ctx *cx, rg_forward *f, const rg_bound *w)
{
    const rg_acts *a = &f->s->a;
    const rg_config *c = &f->s->e->model.cfg;
    const float *xn = normalise(cx, f, w, RG_SITE_FFN_NORM, a->xn, NULL, f->m);
    project(cx, f, w, RG_SITE_FFN_GATE, a->gate, xn, false);
    if (!project_into(cx, f, w, RG_SITE_FFN_UP_ACT, a->gate, a->up, xn)) {
        project(cx, f, w, RG_SITE_FFN_UP, a->up, xn, false);
        rg_swiglu(cx, RG_SITE_FFN_ACT, a->gate, a->up, f->m, c->ffn);
        show(cx, f, RG_SITE_FFN_ACT, a->gate, f->m, c->ffn);
    }
    if (project_into(cx, f, w, RG_SITE_FFN_DOWN_ADD, a->x, a->tmp, a->gate)) return;
    project(cx, f, w, RG_SITE_FFN_DOWN, a->tmp, a->gate, false);
    if (c->resid_scale != 0.0)
        rg_scale(cx, RG_SITE_FFN_OUT_SCALE, a->tmp, (float)c->resid_scale, f->m, c->dim, false);
    rg_add(cx, RG_SITE_FFN_ADD, a->x, a->tmp, f->m, c->dim);
    show(cx, f, RG_SITE_FFN_ADD, a->x, f->m, c->dim);
}

void rg_forward_run(rg_ctx *cx, void *arg)
{
    rg_forward *f = arg;
    const rg_acts *a = &f->s->a;
    const rg_model *m = &f->s->e->model;

    cx->xq = a->xq;
    rg_embed(cx, a->x, &m->embd, a->token, f->m);
    if (m->cfg.embd_scale != 0.0)
        rg_scale(cx, RG_SITE_TOKEN_SCALE, a->x, (float)m->cfg.embd_scale, f->m, m->cfg.dim, true);
    rg_layer_end(cx);
    show(cx, f, RG_SITE_TOKEN_EMBD, a->x, f->m, m->cfg.dim);
    for (int64_t layer = 0; layer < m->cfg.layers; layer++) {
        cx->layer = (int16_t)layer;
        if (stop_here(cx, f, layer)) return;
        attention(cx, f, rg_model_at(m, layer, 0), layer);
        feed_forward(cx, f, rg_model_at(m, layer, 0));
        rg_layer_end(cx);
    }
    cx->layer = -1;
    if (f->n_out > 0) {
        const float *xo = normalise(cx, f, m->top, RG_SITE_OUTPUT_NORM, a->xo, a->want, f->n_out);
        const double divisor = m->cfg.logit_scale;
        rg_linear(cx, RG_SITE_OUTPUT, f->logits, xo, &m->top[RG_SITE_OUTPUT].w, f->n_out, divisor == 0.0);
        if (divisor != 0.0)
            rg_scale(
                cx, RG_SITE_OUTPUT_SCALE, f->logits, (float)(1.0 / divisor), f->n_out, m->cfg.vocab, true);
        rg_layer_end(cx);
        show(cx, f, RG_SITE_OUTPUT, f->logits, f->n_out, m->cfg.vocab);
    }
}

size_t rg_forward_ops(const rg_config *c, unsigned fuse)
{
    size_t n = 0;
    for (int s = 0; s < RG_SITE_COUNT; s++)
        if (rg_site_runs(c, s, fuse)) n += rg_site_in_layer(s) ? (size_t)c->layers : 1;
    return n;
}
