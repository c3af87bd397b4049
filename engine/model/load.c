/* From checkpoint tensors to packed weights: one pass lays the block out, the team packs each tensor. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "model/model.h"

/* Tied models use the embedding as the output matrix. */
static const rg_ckpt_tensor *source(const rg_ckpt *c, rg_site site, int layer, int expert)
{
    const rg_ckpt_tensor *t = rg_ckpt_find_expert(c, site, layer, expert);
    if (!t && site == RG_SITE_OUTPUT) t = rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1);
    return t;
}

static rg_wtype type_for(const rg_ckpt_tensor *t, const rg_engine_opts *o, rg_site site, int layer)
{
    const int own = o->type_of ? o->type_of(o->type_user, site, layer) : -1;
    if (own >= 0) return (rg_wtype)own;
    if (o->dtype < 0) return rg_ckpt_resident(t);
    /* the head decides the next token, a router who computes it: they keep the file's precision */
    const bool keeps = rg_site_keeps_type(site) || (site == RG_SITE_OUTPUT && !o->quant_head);
    if (keeps && rg_wtype_is_quant((rg_wtype)o->dtype))
        return t->type == RG_FT_F32 ? RG_WT_F16 : rg_ckpt_resident(t);
    return (rg_wtype)o->dtype;
}

/* The codes of the file are kept: no new ones are searched for. */
static bool keeps_codes(const rg_ckpt_tensor *t, rg_wtype to)
{
    return rg_wtype_is_quant(to) && to == rg_ckpt_resident(t) && rg_ckpt_rounding(t) != RG_ROUND_REQUANTISED;
}

/* Every value of one float type is a value of the other. */
static bool float_fits(rg_ftype from, rg_wtype to)
{
    return to == RG_WT_F32 || (from == RG_FT_F16 && to == RG_WT_F16) ||
        (from == RG_FT_BF16 && to == RG_WT_BF16);
}

void rg_resident_plan(
    const rg_ckpt *ckpt, const rg_engine_opts *opts, const rg_ckpt_tensor *t, rg_resident *r)
{
    const rg_site site = t->site == RG_SITE_TOKEN_EMBD ? RG_SITE_OUTPUT : t->site;
    *r = (rg_resident){.type = RG_WT_F32, .bytes = (uint64_t)t->rows * sizeof(float) * (uint64_t)t->cols};
    if (t->site == RG_SITE_TOKEN_EMBD && !rg_ckpt_config(ckpt)->tied) {
        r->as_in_file = !t->grid;
        if (r->as_in_file) r->bytes = t->bytes;
    } else if (rg_site_has_matrix(site)) { /* experts of a layer have the type of its first */
        r->type = type_for(t->expert ? rg_ckpt_find(ckpt, site, t->layer) : t, opts, site, t->layer);
        r->bytes = (uint64_t)rg_packed_bytes(r->type, t->rows, t->cols);
        if (r->type == rg_ckpt_resident(t))
            r->rounding = rg_ckpt_rounding(t);
        else if (rg_wtype_is_quant(r->type))
            r->rounding = RG_ROUND_REQUANTISED;
        else if (!float_fits(t->type, r->type))
            r->rounding = RG_ROUND_FLOAT;
    }
}

rg_wtype rg_resident_type(const rg_ckpt *ckpt, const rg_engine_opts *opts, rg_site site)
{
    const int layer = rg_site_in_layer(site) ? 0 : -1;
    return type_for(source(ckpt, site, layer, 0), opts, site, layer);
}

rg_kvtype rg_default_kv(const rg_ckpt *ckpt, const rg_engine_opts *opts)
{
    /* in small heads the rounding of keys does not average out, and their cache is tiny */
    const bool small_heads = rg_ckpt_config(ckpt)->head_dim < 16;
    return small_heads || rg_resident_type(ckpt, opts, RG_SITE_ATTN_K) == RG_WT_F32 ? RG_KV_F32 : RG_KV_F16;
}

static bool is_vector(rg_site s) { return rg_site_rows(s) == RG_EXT_ONE; }

typedef struct loader {
    rg_model *m;
    const rg_ckpt *ckpt;
    const rg_engine_opts *opts;
    rg_src src;
    rg_arena arena;
    int64_t pack_scratch; /* most a tensor needs per thread */
    uint64_t ordered;     /* sites of column orders that are in use */
} loader;

static void lay_one(loader *l, rg_site site, int layer)
{
    rg_bound_tensor *b = layer < 0 ? &l->m->top[site] : &l->m->layer[layer * RG_SITE_COUNT + site];
    const rg_ckpt_tensor *t = source(l->ckpt, site, layer, 0);
    if (!t) return; /* a bias that the model does not have */
    if (rg_site_has_matrix(site)) {
        const int64_t matrices = rg_site_matrices(&l->m->cfg, site);
        b->w = (rg_weight){.type = type_for(t, l->opts, site, layer), .n = t->rows, .k = t->cols};
        b->w.data = rg_arena_take(&l->arena, (size_t)(matrices * rg_packed_bytes(b->w.type, b->w.n, b->w.k)));
        l->pack_scratch = rg_max(l->pack_scratch, rg_pack_scratch(b->w.type, b->w.k));
        if (!rg_ckpt_order(t) || !keeps_codes(t, b->w.type)) return;
        b->order = rg_arena_take(&l->arena, (size_t)t->cols * sizeof *b->order);
        l->ordered |= rg_site_bit(rg_site_order(site));
    } else if (is_vector(site)) {
        b->vec =
            rg_arena_take(&l->arena, (size_t)(rg_site_matrices(&l->m->cfg, site) * t->cols) * sizeof(float));
    }
}

static void layout(loader *l)
{
    const rg_config *c = rg_ckpt_config(l->ckpt);
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const bool in = rg_site_in_layer(s);
        for (int i = in ? 0 : -1; i < (in ? c->layers : 0); i++) lay_one(l, s, i);
    }
    const rg_ckpt_tensor *e = rg_ckpt_find(l->ckpt, RG_SITE_TOKEN_EMBD, -1);
    rg_embedding *emb = &l->m->embd;
    *emb = (rg_embedding){.dim = c->dim};
    if (c->tied) {
        emb->packed = &l->m->top[RG_SITE_OUTPUT].w;
    } else {
        emb->type = e->grid ? RG_FT_F32 : e->type; /* grids are not stored by rows */
        emb->row_bytes = rg_ftype_row_bytes(emb->type, c->dim);
        l->m->embd_bytes = (size_t)(c->vocab * emb->row_bytes);
        emb->rows = rg_arena_take(&l->arena, l->m->embd_bytes);
    }
}

/* What the team does for one tensor. */
typedef struct job {
    const rg_ckpt_tensor *t;
    rg_weight w;
    char *scratch;
    int64_t scratch_bytes;
    bool codes;               /* the file's codes are kept */
    bool as_is;               /* 16-bit floats that stay what they are */
    double *err2, *w2;        /* [threads] */
    const rg_embedding *embd; /* rows are copied into it instead of being packed */
} job;

static void row_f32(void *user, int64_t r, float *dst) { rg_ckpt_row_f32(user, r, dst); }
static void row_grid(void *user, int64_t r, uint8_t *q, float *scale, float *min)
{
    rg_ckpt_row_grid(user, r, q, scale, min);
}

static const void *row_raw(void *user, int64_t r) { return rg_ckpt_row(user, r); }

static bool is_16bit(rg_ftype t) { return t == RG_FT_F16 || t == RG_FT_BF16; }

/* Sum of squares of rows of the embedding: not finite if any value is not. */
static double squares(const rg_embedding *e, int64_t a, int64_t b)
{
    enum { PART = 256 }; /* every file block divides it */
    float f[PART];
    double sum = 0.0;
    for (int64_t r = a; r < b; r++)
        for (int64_t k = 0; k < e->dim; k += PART) {
            const int64_t n = rg_min(PART, e->dim - k);
            rg_ftype_row_to_f32(
                e->type, f, (const char *)e->rows + r * e->row_bytes + rg_ftype_row_bytes(e->type, k), n);
            for (int64_t i = 0; i < n; i++) sum += (double)f[i] * (double)f[i];
        }
    return sum;
}

static void pack_job(rg_ctx *cx, void *arg)
{
    job *j = arg;
    int64_t a, b;
    rg_part(cx, j->t->rows, RG_PANEL, &a, &b);
    if (j->embd) {
        char *rows = (char *)(uintptr_t)j->embd->rows;
        for (int64_t r = a; r < b; r++) {
            if (j->t->grid)
                rg_ckpt_row_f32(j->t, r, (void *)(rows + r * j->embd->row_bytes));
            else
                memcpy(rows + r * j->embd->row_bytes, rg_ckpt_row(j->t, r), (size_t)j->embd->row_bytes);
        }
        if (is_16bit(j->t->type)) {
            for (int64_t r = a; r < b; r++)
                if (!rg_finite16(j->w.type, rg_ckpt_row(j->t, r), j->t->cols)) j->w2[cx->tid] = NAN;
        } else {
            j->w2[cx->tid] += squares(j->embd, a, b);
        }
        return;
    }
    const int64_t p0 = a / RG_PANEL, p1 = rg_div_up(b, RG_PANEL);
    void *user = (void *)(uintptr_t)j->t, *data = (void *)(uintptr_t)j->w.data,
         *scratch = j->scratch + cx->tid * j->scratch_bytes;
    double *err2 = &j->err2[cx->tid], *w2 = &j->w2[cx->tid];
    if (j->as_is)
        *w2 = rg_pack16(j->w.type, data, j->w.n, j->w.k, p0, p1, row_raw, user) ? 0.0 : NAN;
    else if (j->codes)
        rg_pack_grid(j->w.type, data, j->w.n, j->w.k, p0, p1, row_grid, user, scratch, err2, w2);
    else
        rg_pack(cx->k, j->w.type, data, j->w.n, j->w.k, p0, p1, row_f32, user, scratch, err2, w2);
}

static rg_status not_finite(const loader *l, const rg_ckpt_tensor *t)
{
    return rg_bad(&l->src, "tensor %s holds values that are not finite; the file is damaged", t->file_name);
}

/* Neighbouring sites with the same input share a sorted copy if their orders are the same, as GPTQ's are. */
static void copy_order(loader *l, rg_site site, int layer, const int32_t *order, int64_t k)
{
    rg_bound_tensor *b = &l->m->layer[layer * RG_SITE_COUNT + site];
    int before = (int)site - 1;
    while (rg_site_op(before) != RG_OP_LINEAR && before > 0) before--;
    const int32_t *last =
        rg_site_input(before) == rg_site_input(site) ? rg_model_at(l->m, layer, before)->order : NULL;
    memcpy((int32_t *)(uintptr_t)b->order, order, (size_t)k * sizeof *order);
    b->order_again = last && memcmp(last, order, (size_t)k * sizeof *order) == 0;
}

static rg_status pack_one(
    loader *l, rg_team *team, char *scratch, double *sums, const rg_ckpt_tensor *t, rg_site site, int layer)
{
    const rg_bound_tensor *b = rg_model_at(l->m, layer, site);
    const int nt = rg_team_size(team);
    if (is_vector(site)) {
        float *w = (float *)(uintptr_t)b->vec + t->expert * t->cols;
        rg_ckpt_row_f32(t, 0, w);
        for (int64_t i = 0; i < t->cols; i++)
            if (!isfinite(w[i]))
                return rg_bad(&l->src, "tensor %s: element %lld is not finite; the file is damaged",
                    t->file_name, (long long)i);
        return RG_OK;
    }
    job j = {.t = t,
        .w = b->w,
        .scratch = scratch,
        .scratch_bytes = l->pack_scratch,
        .err2 = sums,
        .w2 = sums + nt};
    j.w.data = (const char *)b->w.data + t->expert * rg_packed_bytes(b->w.type, b->w.n, b->w.k);
    j.codes = keeps_codes(t, b->w.type);
    j.as_is = is_16bit(t->type) && b->w.type == rg_ckpt_resident(t) && !t->across;
    if (b->order) copy_order(l, site, layer, rg_ckpt_order(t), t->cols);
    memset(sums, 0, 2 * (size_t)nt * sizeof *sums);
    rg_team_run(team, pack_job, &j, NULL, NULL, 0);
    double err2 = 0.0, w2 = 0.0;
    for (int i = 0; i < nt; i++) {
        err2 += j.err2[i];
        w2 += j.w2[i];
    }
    if (!isfinite(w2)) return not_finite(l, t);
    const bool exact =
        j.codes && rg_ckpt_rounding(t) == RG_ROUND_NONE; /* so we say; MXFP4 has a wider range */
    if (!isfinite(err2) ||
        err2 > (exact ? 0.0 : 0.5 * w2)) /* overflow, underflow, or scales that do not fit a half */
        return rg_lacks(&l->src, "tensor %s holds values that %s cannot express; use --dtype bf16 or f32",
            t->file_name, rg_wtypes[b->w.type].name);
    if (err2 > 0.0) { /* the relative error is that of the weights that were rounded */
        l->m->err2 += err2;
        l->m->w2 += w2;
    }
    return RG_OK;
}

static void report(const loader *l, double fraction)
{
    if (l->opts->progress) l->opts->progress(l->opts->progress_user, "packing weights", fraction);
}

static rg_status pack_all(loader *l, rg_team *team)
{
    const rg_config *c = rg_ckpt_config(l->ckpt);
    const size_t nt = (size_t)rg_team_size(team);
    l->pack_scratch = rg_round_up(l->pack_scratch, 64);
    char *scratch = rg_big_alloc((size_t)l->pack_scratch * nt);
    double *sums = calloc(2 * nt, sizeof *sums);
    rg_status st = RG_OK;
    const double total = (double)rg_ckpt_file_bytes(l->ckpt);
    double done = 0.0;
    if (!scratch || !sums) {
        st = rg_fail(l->src.err, RG_E_NOMEM, "%s: out of memory for packing", l->src.name);
        goto out;
    }
    report(l, 0.0);
    for (int layer = -1; layer < c->layers; layer++) {
        for (int s = 0; s < RG_SITE_COUNT; s++) {
            if (rg_site_in_layer(s) != (layer >= 0) || (!rg_site_has_matrix(s) && !is_vector(s))) continue;
            for (int e = 0; e < rg_site_matrices(c, s); e++) {
                const rg_ckpt_tensor *t = source(l->ckpt, s, layer, e);
                if (!t) continue;
                if (l->opts->stop && *l->opts->stop) {
                    st = rg_fail(l->src.err, RG_E_INTERRUPTED, "%s: loading was interrupted", l->src.name);
                    goto out;
                }
                if ((st = pack_one(l, team, scratch, sums, t, s, layer))) goto out;
                done += (double)t->bytes;
                rg_ckpt_release(l->ckpt, t);
                report(l, done / total);
            }
        }
    }
    if (!c->tied) {
        const rg_ckpt_tensor *t = rg_ckpt_find(l->ckpt, RG_SITE_TOKEN_EMBD, -1);
        job j = {.t = t, .w.type = rg_ckpt_resident(t), .embd = &l->m->embd, .w2 = sums};
        memset(sums, 0, nt * sizeof *sums);
        rg_team_run(team, pack_job, &j, NULL, NULL, 0);
        for (size_t i = 0; i < nt && !st; i++)
            if (!isfinite(sums[i])) st = not_finite(l, t);
        if (st) goto out;
        rg_ckpt_release(l->ckpt, t);
    }
    report(l, 1.0);
out:
    free(sums);
    rg_big_free(scratch, (size_t)l->pack_scratch * nt);
    return st;
}

/* All experts of a matrix have one type in memory. */
static rg_status check_experts(const loader *l)
{
    const rg_config *c = rg_ckpt_config(l->ckpt);
    for (int s = 0; s < RG_SITE_COUNT; s++)
        for (int layer = 0; layer < c->layers && rg_op_of_experts(rg_site_op(s)); layer++)
            for (int e = 1; e < rg_site_matrices(c, s); e++) {
                const rg_ckpt_tensor *t = source(l->ckpt, s, layer, e), *first = source(l->ckpt, s, layer, 0);
                if (!t || !first) continue;
                const rg_wtype to = type_for(t, l->opts, s, layer), of = type_for(first, l->opts, s, layer);
                if (to != of)
                    return rg_lacks(&l->src,
                        "tensor %.100s becomes %s, that of expert 0 %s: experts of a layer are of one type "
                        "in "
                        "memory; name one with --dtype",
                        t->file_name, rg_wtypes[to].name, rg_wtypes[of].name);
            }
    return RG_OK;
}

static rg_status begin(loader *l)
{
    const rg_config *c = rg_ckpt_config(l->ckpt);
    l->m->cfg = *c;
    l->m->layer = calloc((size_t)c->layers * RG_SITE_COUNT, sizeof *l->m->layer);
    if (!l->m->layer) return rg_no_memory(l->src.err, l->src.name);
    const rg_status st = check_experts(l);
    if (st) return st;
    layout(l);
    for (int s = 0; s < RG_SITE_COUNT; s++) /* orders that no weight keeps are not followed */
        if (rg_site_op(s) == RG_OP_REORDER) l->m->cfg.extra &= ~(rg_site_bit(s) & ~l->ordered);
    l->m->block_bytes = l->arena.used;
    return RG_OK;
}

static rg_status copy_divisors(const loader *l, float **to, const float *from)
{
    const size_t n = (size_t)rg_rope_dim(&l->m->cfg) / 2 * sizeof *from;
    if (!from) return RG_OK;
    if (!(*to = malloc(n))) return rg_no_memory(l->src.err, l->src.name);
    memcpy(*to, from, n);
    return RG_OK;
}

rg_status rg_plan_weights(const rg_ckpt *ckpt, const rg_engine_opts *opts, uint64_t *bytes, rg_err *err)
{
    rg_model m = {0};
    loader l = {.m = &m, .ckpt = ckpt, .opts = opts, .src = {rg_ckpt_path(ckpt), err}};
    const rg_status st = begin(&l);
    *bytes = m.block_bytes;
    rg_model_unload(&m);
    return st;
}

rg_status rg_model_load(
    rg_model *m, const rg_ckpt *ckpt, const rg_engine_opts *opts, rg_team *team, rg_err *err)
{
    *m = (rg_model){0};
    loader l = {.m = m, .ckpt = ckpt, .opts = opts, .src = {rg_ckpt_path(ckpt), err}};
    rg_status st = begin(&l);
    if (st) goto out;
    m->block = rg_big_alloc(m->block_bytes);
    if (!m->block) {
        const char *source;
        const uint64_t left = rg_mem_available(&source);
        st = rg_fail(err, RG_E_NOMEM,
            "%s: the system refuses %.1f MiB for the weights with %.1f MiB free (%s): use a smaller --dtype "
            "or model",
            l.src.name, rg_mib(m->block_bytes), rg_mib(left), source);
        goto out;
    }
    if (opts->small_pages) rg_big_small_pages(m->block, m->block_bytes);
    l.arena = (rg_arena){.base = m->block};
    layout(&l);
    st = copy_divisors(&l, &m->rope_freqs, rg_ckpt_rope_freqs(ckpt));
    if (!st) st = copy_divisors(&l, &m->rope_long, rg_ckpt_rope_long(ckpt));
    if (!st) st = pack_all(&l, team);
out:
    if (st) rg_model_unload(m);
    return st;
}

void rg_model_unload(rg_model *m)
{
    rg_big_free(m->block, m->block_bytes);
    free(m->layer);
    free(m->rope_freqs);
    free(m->rope_long);
    *m = (rg_model){0};
}
