/* Calibration: a layer run on hidden states, and what its inputs look like. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/quantizer.h"
#include "weights/layer_view.h"

const rg_site rg_input_sites[RG_INPUTS] = {
    RG_SITE_ATTN_NORM, RG_SITE_ATTN_CORE, RG_SITE_FFN_NORM, RG_SITE_FFN_ACT, RG_SITE_FFN_ACT_SHEXP};

rg_moments *rg_calib_input(rg_quantizer *z, rg_site linear, int expert)
{
    if (rg_op_of_experts(rg_site_op(linear))) return rg_routed_input(z, linear, expert);
    for (int i = 0; i < RG_INPUTS; i++)
        if (rg_input_sites[i] == rg_site_input(linear)) return &z->in[i];
    return &z->in[0]; /* the output matrix: rg_calib_final */
}

/* ---- moments ---- */

static size_t x_bytes(const rg_moments *m, int64_t window)
{
    return sizeof(float) * (size_t)(window * m->ld);
}

rg_status rg_moments_open(rg_moments *m, int64_t k, int64_t window)
{
    *m = (rg_moments){.k = k, .ld = rg_round_up(k, 32)};
    if (k == 0) return RG_OK;
    m->h = rg_big_alloc(rg_moments_bytes(m));
    m->x = rg_big_alloc(x_bytes(m, window));
    m->xt = rg_big_alloc(x_bytes(m, window));
    m->mean_abs = calloc((size_t)m->k, sizeof *m->mean_abs);
    return m->h && m->x && m->xt && m->mean_abs ? RG_OK : RG_E_NOMEM;
}

void rg_moments_close(rg_moments *m, int64_t window)
{
    rg_big_free(m->h, rg_moments_bytes(m));
    rg_big_free(m->x, x_bytes(m, window));
    rg_big_free(m->xt, x_bytes(m, window));
    free(m->mean_abs);
}

typedef struct gram_job {
    rg_moments *m;
    int64_t n;
} gram_job;

static void gram(rg_ctx *cx, void *arg)
{
    const gram_job *j = arg;
    rg_moments *m = j->m;
    int64_t a, b;
    rg_part(cx, m->k, 32, &a, &b);
    for (int64_t c = a; c < b; c++) {
        double sum = 0.0;
        for (int64_t t = 0; t < j->n; t++) {
            const float v = m->x[t * m->ld + c];
            m->xt[c * j->n + t] = v;
            sum += (double)fabsf(v);
        }
        m->mean_abs[c] += sum;
    }
    if (b > a) rg_moments_add(cx->k, m->h, m->ld, m->xt, m->x, m->ld, j->n, m->k, a, b);
}

void rg_moments_start(rg_moments *m)
{
    m->n = 0;
    if (m->k == 0) return;
    memset(m->h, 0, rg_moments_bytes(m));
    memset(m->mean_abs, 0, sizeof *m->mean_abs * (size_t)m->k);
}

void rg_moments_take(rg_quantizer *z, rg_moments *m, int64_t n)
{
    if (m->k == 0) return;
    rg_team_run(z->team, gram, &(gram_job){.m = m, .n = n}, NULL, NULL, 0);
    m->n += n;
}

void rg_moments_finish(rg_moments *m)
{
    const float f = 1.0f / (float)m->n;
    for (int64_t i = 0; i < m->k * m->ld; i++) m->h[i] *= f;
    for (int64_t i = 0; i < m->k; i++) m->mean_abs[i] /= (double)m->n;
}

/* ---- what calibration holds ---- */

rg_status rg_calib_open(rg_quantizer *z, rg_err *err)
{
    const rg_config *c = z->cfg;
    const int64_t k[RG_INPUTS] = {c->dim, rg_q_dim(c), c->dim, c->ffn, c->shared_ffn};
    bool ok = true;
    for (int i = 0; i < RG_INPUTS; i++) ok = !rg_moments_open(&z->in[i], k[i], z->o->window) && ok;
    const int64_t n = rg_quantizer_tokens(z);
    z->hidden = malloc(sizeof(float) * (size_t)(n * c->dim));
    if (!ok || !z->hidden)
        return rg_fail(err, RG_E_NOMEM,
            "calibration: out of memory for %lld tokens: use a smaller --calib-tokens", (long long)n);
    const rg_ckpt_tensor *e = rg_ckpt_find(z->c, RG_SITE_TOKEN_EMBD, -1);
    for (int64_t i = 0; i < n; i++) {
        float *x = z->hidden + i * c->dim;
        rg_ckpt_row_f32(e, z->o->calib[i], x);
        for (int64_t d = 0; c->embd_scale != 0.0 && d < c->dim; d++) x[d] *= (float)c->embd_scale;
    }
    return rg_routed_open(z, err);
}

void rg_calib_close(rg_quantizer *z)
{
    for (int i = 0; i < RG_INPUTS; i++) rg_moments_close(&z->in[i], z->o->window);
    rg_routed_close(z);
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
    if (r->moments) rg_routed_see(z, s, r->at + r->row);
    for (int i = 0; r->moments && i < RG_INPUTS; i++) {
        if (rg_input_sites[i] != s->site) continue;
        rg_moments *m = &z->in[i];
        for (int64_t t = 0; t < s->rows; t++)
            memcpy(m->x + (r->row + t) * m->ld, s->data + t * s->cols, sizeof(float) * (size_t)s->cols);
    }
    if (s->site == RG_SITE_FFN_ADD) r->row += s->rows;
}

rg_status rg_calib_run(rg_quantizer *z, int layer, bool moments, bool advance, rg_err *err)
{
    const int64_t window = z->o->window, n = rg_quantizer_tokens(z);
    const float *w[RG_SITE_COUNT];
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
    for (int i = 0; i < RG_SITE_COUNT; i++)
        w[i] = rg_site_in_layer(i) && rg_ckpt_find(z->c, i, layer) ? z->w[i] : NULL;
    if (st || (st = rg_ckpt_layer_view(&view, z->c, layer, w, z->hidden, n, err))) goto out;
    if ((st = rg_engine_open(&e, view, &eo, err))) goto out;
    if ((st = rg_session_open(&s, e,
             &(rg_session_opts){
                 .ctx = window, .ubatch = rg_min(window, 512), .kv_k = RG_KV_F32, .kv_v = RG_KV_F32},
             err)))
        goto out;
    rg_session_observe(s, see, &r);
    if (moments) z->routed.n = 0;
    for (int i = 0; moments && i < RG_INPUTS; i++) rg_moments_start(&z->in[i]);
    for (r.at = 0; r.at < n && !st; r.at += window) {
        for (int64_t i = 0; i < window; i++) id[i] = (int32_t)(r.at + i);
        r.row = 0;
        rg_session_truncate(s, 0, 0);
        st = rg_session_eval(s, &(rg_batch){.n = window, .token = id, .want = none}, RG_PREFILL, NULL, err);
        for (int i = 0; moments && !st && i < RG_INPUTS; i++) rg_moments_take(z, &z->in[i], window);
    }
    for (int i = 0; moments && !st && i < RG_INPUTS; i++) rg_moments_finish(&z->in[i]);
    if (moments && !st) rg_routed_sort(z);
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
    rg_moments_start(m);
    for (int64_t at = 0; at < rg_quantizer_tokens(z); at += z->o->window) {
        for (int64_t t = 0; t < z->o->window; t++)
            z->k.rmsnorm(m->x + t * m->ld, z->hidden + (at + t) * m->k, norm, m->k, (float)z->cfg->eps);
        rg_moments_take(z, m, z->o->window);
    }
    rg_moments_finish(m);
}
