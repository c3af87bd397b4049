/* Calibration: a layer run on hidden states, what its inputs look like, and AWQ's choice of scales. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/quantizer.h"
#include "weights/layer_view.h"

const rg_site rg_input_sites[RG_INPUTS] = {
    RG_SITE_ATTN_NORM, RG_SITE_ATTN_CORE, RG_SITE_FFN_NORM, RG_SITE_FFN_ACT};

rg_moments *rg_calib_input(rg_quantizer *z, rg_site linear)
{
    for (int i = 0; i < RG_INPUTS; i++)
        if (rg_input_sites[i] == rg_site_input(linear)) return &z->in[i];
    return &z->in[0]; /* the output matrix: rg_calib_final */
}

static size_t x_bytes(const rg_quantizer *z, const rg_moments *m)
{
    return sizeof(float) * (size_t)(z->o->window * m->ld);
}

rg_status rg_calib_open(rg_quantizer *z, rg_err *err)
{
    const rg_config *c = z->cfg;
    const int64_t k[RG_INPUTS] = {c->dim, rg_q_dim(c), c->dim, c->ffn};
    bool ok = true;
    for (int i = 0; i < RG_INPUTS; i++) {
        rg_moments *m = &z->in[i];
        *m = (rg_moments){.k = k[i], .ld = rg_round_up(k[i], 32)};
        m->h = rg_big_alloc(rg_moments_bytes(m));
        m->x = rg_big_alloc(x_bytes(z, m));
        m->xt = rg_big_alloc(x_bytes(z, m));
        m->mean_abs = calloc((size_t)m->k, sizeof *m->mean_abs);
        ok = ok && m->h && m->x && m->xt && m->mean_abs;
    }
    const int64_t n = rg_quantizer_tokens(z);
    z->hidden = malloc(sizeof(float) * (size_t)(n * c->dim));
    if (!ok || !z->hidden)
        return rg_fail(err, RG_E_NOMEM,
            "calibration: out of memory for %lld tokens: use a smaller --calib-tokens", (long long)n);
    const rg_ckpt_tensor *e = rg_ckpt_find(z->c, RG_SITE_TOKEN_EMBD, -1);
    for (int64_t i = 0; i < n; i++) rg_ckpt_row_f32(e, z->o->calib[i], z->hidden + i * c->dim);
    return RG_OK;
}

void rg_calib_close(rg_quantizer *z)
{
    for (int i = 0; i < RG_INPUTS; i++) {
        rg_moments *m = &z->in[i];
        rg_big_free(m->h, rg_moments_bytes(m));
        rg_big_free(m->x, x_bytes(z, m));
        rg_big_free(m->xt, x_bytes(z, m));
        free(m->mean_abs);
    }
    free(z->hidden);
    z->hidden = NULL;
}

/* ---- running the layer ---- */

typedef struct run {
    rg_quantizer *z;
    bool moments, advance;
    int64_t at;  /* first hidden state of the window */
    int64_t row; /* first token of the call inside the window */
    bool bad;
} run;

static void see(void *user, const rg_seen *s)
{
    run *r = user;
    rg_quantizer *z = r->z;
    if (r->advance && s->site == RG_SITE_FFN_ADD) {
        memcpy(z->hidden + (r->at + r->row) * s->cols, s->data, sizeof(float) * (size_t)(s->rows * s->cols));
        for (int64_t i = 0; i < s->rows * s->cols; i++) r->bad |= !isfinite(s->data[i]);
    }
    for (int i = 0; r->moments && i < RG_INPUTS; i++) {
        if (rg_input_sites[i] != s->site) continue;
        rg_moments *m = &z->in[i];
        for (int64_t t = 0; t < s->rows; t++)
            memcpy(m->x + (r->row + t) * m->ld, s->data + t * s->cols, sizeof(float) * (size_t)s->cols);
    }
    if (s->site == RG_SITE_FFN_ADD) r->row += s->rows;
}

typedef struct gram_job {
    rg_moments *m;
    int64_t window;
} gram_job;

static void gram(rg_ctx *cx, void *arg)
{
    const gram_job *j = arg;
    rg_moments *m = j->m;
    int64_t a, b;
    rg_part(cx, m->k, 32, &a, &b);
    for (int64_t c = a; c < b; c++) {
        double sum = 0.0;
        for (int64_t t = 0; t < j->window; t++) {
            const float v = m->x[t * m->ld + c];
            m->xt[c * j->window + t] = v;
            sum += (double)fabsf(v);
        }
        m->mean_abs[c] += sum;
    }
    if (b > a) rg_moments_add(cx->k, m->h, m->ld, m->xt, m->x, m->ld, j->window, m->k, a, b);
}

static void start(rg_moments *m)
{
    memset(m->h, 0, rg_moments_bytes(m));
    memset(m->mean_abs, 0, sizeof *m->mean_abs * (size_t)m->k);
    m->n = 0;
}

static void add_window(rg_quantizer *z, rg_moments *m)
{
    gram_job j = {.m = m, .window = z->o->window};
    rg_team_run(z->team, gram, &j, NULL, NULL, 0);
    m->n += z->o->window;
}

static void finish(rg_moments *m)
{
    const float f = 1.0f / (float)m->n;
    for (int64_t i = 0; i < m->k * m->ld; i++) m->h[i] *= f;
    for (int64_t i = 0; i < m->k; i++) m->mean_abs[i] /= (double)m->n;
}

rg_status rg_calib_run(rg_quantizer *z, int layer, bool moments, bool advance, rg_err *err)
{
    const int64_t window = z->o->window, n = rg_quantizer_tokens(z);
    rg_ckpt *view = NULL;
    rg_engine *e = NULL;
    rg_session *s = NULL;
    int32_t *id = malloc(sizeof *id * (size_t)window);
    uint8_t *none = calloc((size_t)window, 1);
    run r = {.z = z, .moments = moments, .advance = advance};
    rg_engine_opts eo = z->o->engine;
    eo.dtype = RG_WT_F32;
    eo.progress = NULL;
    eo.type_of = NULL;
    rg_status st = id && none ? RG_OK : rg_no_memory(err, "calibration");
    if (st || (st = rg_ckpt_layer_view(&view, z->c, (const float *const *)z->w, z->hidden, n, err))) goto out;
    if ((st = rg_engine_open(&e, view, &eo, err))) goto out;
    if ((st = rg_session_open(&s, e,
             &(rg_session_opts){
                 .ctx = window, .ubatch = rg_min(window, 512), .kv_k = RG_KV_F32, .kv_v = RG_KV_F32},
             err)))
        goto out;
    rg_session_observe(s, see, &r);
    for (int i = 0; moments && i < RG_INPUTS; i++) start(&z->in[i]);
    for (r.at = 0; r.at < n && !st; r.at += window) {
        for (int64_t i = 0; i < window; i++) id[i] = (int32_t)(r.at + i);
        r.row = 0;
        rg_session_truncate(s, 0, 0);
        st = rg_session_eval(s, &(rg_batch){.n = window, .token = id, .want = none}, RG_PREFILL, NULL, err);
        for (int i = 0; moments && !st && i < RG_INPUTS; i++) add_window(z, &z->in[i]);
    }
    for (int i = 0; moments && !st && i < RG_INPUTS; i++) finish(&z->in[i]);
    if (!st && r.bad)
        st = rg_fail(err, RG_E_INTERNAL,
            "%s: hidden states after layer %d are not finite: the checkpoint overflows", rg_ckpt_path(z->c),
            layer);
out:
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(view);
    free(none);
    free(id);
    return st;
}

void rg_calib_final(rg_quantizer *z, const float *norm)
{
    rg_moments *m = &z->in[0]; /* as wide as the model */
    start(m);
    for (int64_t at = 0; at < rg_quantizer_tokens(z); at += z->o->window) {
        for (int64_t t = 0; t < z->o->window; t++)
            z->k.rmsnorm(m->x + t * m->ld, z->hidden + (at + t) * m->k, norm, m->k, (float)z->cfg->eps);
        add_window(z, m);
    }
    finish(m);
}

/* ---- AWQ ---- */

enum { ALPHAS = 20, MOST_ROWS = 512 };

/* A set of matrices with one input, and where the scales' inverse goes. */
typedef struct fold {
    rg_site linear[3];
    int n;
    rg_site into; /* norm (its weights), or linear (its rows) */
    bool by_head; /* attn_output: a row of v serves the query heads of its KV head */
} fold;

static const fold folds[] = {{{RG_SITE_ATTN_Q, RG_SITE_ATTN_K, RG_SITE_ATTN_V}, 3, RG_SITE_ATTN_NORM, false},
    {{RG_SITE_ATTN_OUTPUT}, 1, RG_SITE_ATTN_V, true},
    {{RG_SITE_FFN_GATE, RG_SITE_FFN_UP}, 2, RG_SITE_FFN_NORM, false},
    {{RG_SITE_FFN_DOWN}, 1, RG_SITE_FFN_UP, false}};

typedef struct search_job {
    rg_quantizer *z;
    const float *w; /* [rows][k] */
    int64_t rows, step;
    const float *s;
    const rg_moments *m;
    double *error; /* per tile */
    char *scratch; /* per thread */
    size_t scratch_bytes;
} search_job;

static void search_tiles(rg_ctx *cx, void *arg)
{
    const search_job *j = arg;
    const int64_t k = j->m->k, ld = j->m->ld, tiles = rg_div_up(j->rows, RG_Q_TILE);
    float *d = (void *)(j->scratch + (size_t)cx->tid * j->scratch_bytes), *tmp = d + RG_Q_TILE * ld,
          *w = tmp + RG_Q_TILE * ld;
    uint8_t *code = (uint8_t *)(w + RG_Q_TILE * ld);
    uint16_t grid[2];
    for (int64_t t = cx->tid; t < tiles; t += cx->nt) {
        const int64_t n = rg_min(RG_Q_TILE, j->rows - t * RG_Q_TILE);
        for (int64_t i = 0; i < n; i++)
            memcpy(w + i * k, j->w + (t * RG_Q_TILE + i) * j->step * k, sizeof *w * (size_t)k);
        j->error[t] = rg_awq_error(cx->k, j->z->o->spec, w, n, k, j->s, j->m->h, ld, d, tmp, code, grid);
    }
}

/* The tensor of a matrix that is quantised, else NULL. */
static const rg_ckpt_tensor *quantised(const rg_quantizer *z, rg_site site, int layer)
{
    const rg_ckpt_tensor *t = rg_ckpt_find(z->c, site, layer);
    return t && !rg_quantizer_why_not(z->c, z->o, t, site) ? t : NULL;
}

static double error_of(rg_quantizer *z, const fold *f, int layer, const float *s, search_job *j)
{
    double sum = 0.0;
    for (int i = 0; i < f->n; i++) {
        const rg_ckpt_tensor *w = quantised(z, f->linear[i], layer);
        if (!w) continue;
        j->w = z->w[f->linear[i]];
        j->step = rg_max(1, w->rows / MOST_ROWS); /* a sample of the rows is enough to choose by */
        j->rows = w->rows / j->step;
        j->s = s;
        rg_team_run(z->team, search_tiles, j, NULL, NULL, 0);
        for (int64_t t = 0; t < rg_div_up(j->rows, RG_Q_TILE); t++) sum += j->error[t];
    }
    return sum;
}

/* Mean |w| of every input channel over the quantised matrices, each relative to its group's largest. */
static void weight_means(const rg_quantizer *z, const fold *f, int layer, double *mean, int64_t k)
{
    const int g = z->o->spec.group;
    double n = 0.0;
    memset(mean, 0, sizeof *mean * (size_t)k);
    for (int i = 0; i < f->n; i++) {
        const rg_ckpt_tensor *t = quantised(z, f->linear[i], layer);
        if (!t) continue;
        n += (double)t->rows;
        for (int64_t r = 0; r < t->rows; r++)
            for (int64_t c = 0; c < k; c += g) {
                const float *w = z->w[f->linear[i]] + r * k + c;
                float top = 1e-20f;
                for (int j = 0; j < g; j++) top = fmaxf(top, fabsf(w[j]));
                for (int j = 0; j < g; j++) mean[c + j] += (double)(fabsf(w[j]) / top);
            }
    }
    for (int64_t c = 0; c < k; c++) mean[c] /= n;
}

/* The heads that share a row of v share its scale. */
static void tie_heads(const rg_config *c, double *mean_abs)
{
    const int64_t rep = c->heads / c->kv_heads, hd = c->head_dim;
    for (int64_t g = 0; g < c->kv_heads; g++)
        for (int64_t d = 0; d < hd; d++) {
            double sum = 0.0;
            for (int64_t r = 0; r < rep; r++) sum += mean_abs[(g * rep + r) * hd + d];
            for (int64_t r = 0; r < rep; r++) mean_abs[(g * rep + r) * hd + d] = sum / (double)rep;
        }
}

/* The folded norm is rounded to its type, and the scale taken from that: exact but for f32. */
static void fold_norm(rg_ftype type, float *norm, float *s, int64_t k)
{
    for (int64_t i = 0; i < k; i++) {
        float v = norm[i] / s[i];
        rg_round_as(type, &v, 1);
        const float own = norm[i] / v;
        /* a norm weight of zero, or out of the type's range: left alone */
        if (!isfinite(own) || !(own > 0.0f) || !isfinite(v)) {
            s[i] = 1.0f;
        } else {
            norm[i] = v;
            s[i] = own;
        }
    }
}

static void apply(rg_quantizer *z, const fold *f, int layer, float *s)
{
    const rg_config *c = z->cfg;
    const int64_t k = rg_ckpt_find(z->c, f->linear[0], layer)->cols;
    if (rg_site_op(f->into) == RG_OP_RMSNORM) {
        fold_norm(z->o->norm_type, z->w[f->into], s, k);
    } else {
        const rg_ckpt_tensor *t = rg_ckpt_find(z->c, f->into, layer);
        const int64_t rep = f->by_head ? c->heads / c->kv_heads : 1, hd = c->head_dim;
        for (int64_t r = 0; r < t->rows; r++) {
            const float sr = s[f->by_head ? r / hd * rep * hd + r % hd : r];
            for (int64_t i = 0; i < t->cols; i++) z->w[f->into][r * t->cols + i] /= sr;
        }
    }
    for (int i = 0; i < f->n; i++) {
        const rg_ckpt_tensor *t = rg_ckpt_find(z->c, f->linear[i], layer);
        for (int64_t r = 0; r < t->rows; r++)
            for (int64_t q = 0; q < k; q++) z->w[f->linear[i]][r * k + q] *= s[q];
    }
}

/* The moments of the folded input, x / s. */
static void rescale(rg_moments *m, const float *s)
{
    for (int64_t i = 0; i < m->k; i++) {
        for (int64_t q = 0; q < m->k; q++) m->h[i * m->ld + q] /= s[i] * s[q];
        m->mean_abs[i] /= (double)s[i];
    }
}

rg_status rg_awq_fold_layer(rg_quantizer *z, int layer, rg_err *err)
{
    rg_status st = RG_OK;
    int64_t ld = 0;
    for (int i = 0; i < RG_INPUTS; i++) ld = rg_max(ld, z->in[i].ld);
    search_job j = {
        .z = z, .scratch_bytes = (size_t)rg_round_up((3 * RG_Q_TILE * (int64_t)sizeof(float) + 1) * ld, 64)};
    j.scratch = rg_big_alloc(j.scratch_bytes * (size_t)z->threads);
    j.error = calloc(2 * MOST_ROWS / RG_Q_TILE + 2, sizeof *j.error);
    float *s = malloc(sizeof *s * (size_t)ld), *best = malloc(sizeof *best * (size_t)ld);
    double *weights = malloc(sizeof *weights * (size_t)ld);
    if (!j.scratch || !j.error || !s || !best || !weights) {
        st = rg_no_memory(err, "awq");
        goto out;
    }
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        const fold *f = &folds[i];
        bool any = false;
        for (int n = 0; n < f->n; n++) any |= quantised(z, f->linear[n], layer) != NULL;
        if (!any) continue;
        rg_moments *m = rg_calib_input(z, f->linear[0]);
        j.m = m;
        weight_means(z, f, layer, weights, m->k);
        if (f->by_head) tie_heads(z->cfg, m->mean_abs);
        if (f->by_head) tie_heads(z->cfg, weights);
        double least = INFINITY;
        /* the first is no scaling: the result is never worse */
        for (int a = 0; a < 2 * ALPHAS; a++) {
            if (rg_quantizer_stopped(z)) {
                st = rg_fail(err, RG_E_INTERRUPTED, "interrupted");
                goto out;
            }
            rg_awq_scales(s, m->mean_abs, a < ALPHAS ? NULL : weights, m->k, (double)(a % ALPHAS) / ALPHAS);
            const double e = error_of(z, f, layer, s, &j);
            if (!(e < least)) continue;
            least = e;
            memcpy(best, s, sizeof *s * (size_t)m->k);
        }
        if (!isfinite(least)) {
            st = rg_fail(err, RG_E_INTERNAL, "awq: layer %d: the error of %s is not finite", layer,
                rg_site_name(f->linear[0]));
            goto out;
        }
        apply(z, f, layer, best);
        rescale(m, best);
    }
out:
    free(weights);
    free(best);
    free(s);
    free(j.error);
    rg_big_free(j.scratch, j.scratch_bytes * (size_t)z->threads);
    return st;
}
