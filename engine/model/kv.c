/* Sizes and tables of a session. */
#include "base/num.h"
#include "model/session.h"

rg_dims_opts rg_session_dims(const rg_config *c, const rg_session_opts *o, int threads)
{
    rg_dims_opts d = {.ctx = o->ctx > 0 ? o->ctx : rg_min(c->ctx_train, 4096),
        .n_seq = o->n_seq > 0 ? o->n_seq : 1,
        .kv_k = o->kv_k,
        .kv_v = o->kv_v,
        .fuse = (o->fuse & rg_fuse_all()) | (o->unfused ? 0 : rg_fuse_bit(RG_FUSE_ATTN)),
        .check_nan = o->check_nan,
        .threads = threads};
    d.ubatch = rg_min(o->ubatch > 0 ? o->ubatch : 512, d.ctx * d.n_seq);
    d.back = rg_max(0, o->back);
    d.max_logits = o->max_logits > 0 ? o->max_logits : d.n_seq;
    /* an odd number of cache lines keeps neighbouring rows out of the same cache set */
    d.score_stride = o->unfused ? (rg_div_up(d.ctx, 16) | 1) * 16 : 0;
    return d;
}

/* One thread's part of a choice, and what the team shares. */
static void layout_choice(rg_acts *a, rg_arena *r, const rg_config *c, const rg_dims_opts *o)
{
    const size_t rows = (size_t)(o->ubatch * c->experts_used), few = (size_t)(RG_GEMV_MAX * c->experts_used),
                 n = (size_t)c->experts;
    rg_choice *h = &a->choice;
    *h = (rg_choice){.used = c->experts_used};
    h->all_id = rg_arena_take(r, rows * sizeof *h->all_id);
    h->all_weight = rg_arena_take(r, rows * sizeof *h->all_weight);
    for (int t = 0; t < o->threads; t++) {
        rg_choice *my = t ? &(rg_choice){0} : h;
        const size_t from = r->used;
        my->own_id = rg_arena_take(r, few * sizeof *h->own_id);
        my->own_weight = rg_arena_take(r, few * sizeof *h->own_weight);
        my->expert = rg_arena_take(r, n * sizeof *h->expert);
        my->first = rg_arena_take(r, (n + 1) * sizeof *h->first);
        my->token = rg_arena_take(r, rows * sizeof *h->token);
        my->sorted = rg_arena_take(r, rows * sizeof *h->sorted);
        my->place = rg_arena_take(r, n * sizeof *h->place);
        a->choice_bytes = r->used - from;
    }
}

static void layout_mixture(rg_acts *a, rg_arena *r, const rg_config *c, const rg_dims_opts *o)
{
    const size_t f = sizeof(float), m = (size_t)o->ubatch;
    a->router = rg_arena_take(r, f * m * (size_t)c->experts);
    a->more = rg_arena_take(r, f * m * (size_t)c->dim);
    a->gate_sh = rg_arena_take(r, f * m * (size_t)c->shared_ffn);
    layout_choice(a, r, c, o);
    a->xe = rg_arena_take(r, (size_t)(o->threads * rg_xe_bytes(rg_max(c->dim, c->expert_ffn))));
}

void rg_acts_layout(rg_acts *a, rg_arena *r, const rg_config *c, const rg_dims_opts *o)
{
    const size_t f = sizeof(float), m = (size_t)o->ubatch, dim = f * m * (size_t)c->dim,
                 q_dim = f * m * (size_t)rg_q_dim(c), kv_dim = f * m * (size_t)rg_kv_dim(c),
                 ffn = f * m * (size_t)rg_max(c->ffn, rg_max(c->shared_ffn, c->experts_used * c->expert_ffn));
    const int64_t widest = rg_max(rg_max(c->dim, rg_max(c->ffn, c->shared_ffn)), rg_q_dim(c));
    a->x = rg_arena_take(r, dim);
    a->xn = rg_arena_take(r, dim);
    a->q = rg_arena_take(r, q_dim);
    a->att = rg_arena_take(r, q_dim);
    a->k = rg_arena_take(r, kv_dim);
    a->v = rg_arena_take(r, kv_dim);
    a->tmp = rg_arena_take(r, dim);
    a->gate = rg_arena_take(r, ffn);
    a->up = rg_arena_take(r, ffn);
    a->xo = rg_arena_take(r, f * (size_t)(rg_min(o->max_logits, o->ubatch) * c->dim));
    bool sorts = false;
    for (int s = 0; s < RG_SITE_COUNT; s++) sorts |= rg_site_op(s) == RG_OP_REORDER && rg_site_runs(c, s, 0);
    a->sorted = sorts ? rg_arena_take(r, f * m * (size_t)widest) : NULL;
    a->part = rg_arena_take(r, f * (size_t)rg_attn_part_floats(o->threads, c->head_dim, o->ctx));
    int64_t xq = rg_xq_bytes(o->threads, o->ubatch, widest);
    if (c->experts > 0) {
        layout_mixture(a, r, c, o);
        xq = rg_max(xq,
            rg_xq_bytes_exps(
                o->threads, o->ubatch, c->experts_used, c->experts, rg_max(c->dim, c->expert_ffn)));
    }
    a->xq = rg_arena_take(r, (size_t)xq);
    const bool own = o->threads > 1 && (o->fuse & rg_fuse_bit(RG_FUSE_NORM));
    a->own = own ? rg_arena_take(r, f * (size_t)(o->threads * RG_GEMV_MAX * c->dim)) : NULL;
    a->scores = o->score_stride ? rg_arena_take(r, f * m * (size_t)(c->heads * o->score_stride)) : NULL;
    const size_t cs = f * (size_t)(o->ctx * rg_rope_dim(c));
    a->cs = rg_arena_take(r, cs);
    a->cs_local = c->rope_local > 0.0 ? rg_arena_take(r, cs) : NULL;
    a->cs_q = c->q_temp != 0.0 ? rg_arena_take(r, cs) : NULL;
    a->token = rg_arena_take(r, m * sizeof *a->token);
    a->want = rg_arena_take(r, m * sizeof *a->want);
    a->run = rg_arena_take(r, m * sizeof *a->run);
}

uint64_t rg_kv_layout(rg_kv_layer *kv, char *base, const rg_config *c, const rg_dims_opts *o)
{
    const int64_t heads = o->n_seq * c->kv_heads;
    uint64_t used = 0;
    for (int64_t i = 0; i < c->layers; i++) {
        const int64_t positions = rg_kv_positions(c, i, o->ctx, o->ubatch, o->back),
                      blocks = rg_round_up(positions, RG_KV_BLOCK),
                      k = rg_round_up(blocks * rg_kv_k_bytes(o->kv_k, c->head_dim), 64),
                      v = rg_round_up(blocks * rg_kv_v_bytes(o->kv_v, c->head_dim), 64);
        if (kv)
            kv[i] = (rg_kv_layer){.k = base + used,
                .v = base + used + heads * k,
                .k_stride = k,
                .v_stride = v,
                .k_type = o->kv_k,
                .v_type = o->kv_v,
                .heads = c->kv_heads,
                .hd = c->head_dim,
                .ring = positions < o->ctx ? positions : 0};
        used += (uint64_t)heads * (uint64_t)(k + v);
    }
    return used;
}

bool rg_session_holds(const rg_session *s, int64_t seq, int64_t n)
{
    return n == 0 || s->lost[seq] == 0 || n - s->e->model.cfg.window + 1 >= s->lost[seq];
}

void rg_session_wrote(rg_session *s, int64_t seq, int64_t end)
{
    if (s->ring) s->lost[seq] = rg_max(s->lost[seq], end - s->ring);
}
