/* AWQ: scales of input channels, chosen by the error of the outputs, and folded into what comes before. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/quantizer.h"

enum { ALPHAS = 20, FORMS = 2 * ALPHAS, MOST_ROWS = 512 };

/* Matrices with one input, and where the scales' inverse goes. */
typedef struct fold {
    rg_site
        linear[8]; /* those that the model lacks are passed over; others than quantised ones only follow */
    int n;
    rg_site into; /* norm (its weights), or linear (its rows) */
    bool by_head; /* attn_output: a row of v serves the query heads of its KV head */
} fold;

/* Of experts, whose scales go into the rows of one of theirs, each is a fold of its own. */
static const fold folds[] = {{{RG_SITE_ATTN_Q, RG_SITE_ATTN_K, RG_SITE_ATTN_V}, 3, RG_SITE_ATTN_NORM, false},
    {{RG_SITE_ATTN_OUTPUT}, 1, RG_SITE_ATTN_V, true},
    {{RG_SITE_FFN_GATE, RG_SITE_FFN_UP, RG_SITE_FFN_GATE_EXPS, RG_SITE_FFN_UP_EXPS, RG_SITE_FFN_GATE_SHEXP,
         RG_SITE_FFN_UP_SHEXP, RG_SITE_FFN_GATE_INP, RG_SITE_FFN_GATE_INP_SHEXP},
        8, RG_SITE_FFN_NORM, false},
    {{RG_SITE_FFN_DOWN}, 1, RG_SITE_FFN_UP, false}, {{RG_SITE_FFN_DOWN_EXPS}, 1, RG_SITE_FFN_UP_EXPS, false},
    {{RG_SITE_FFN_DOWN_SHEXP}, 1, RG_SITE_FFN_UP_SHEXP, false}};

static bool by_expert(const fold *f) { return rg_op_of_experts(rg_site_op(f->into)); }

/* The next tensor of a fold behind t (NULL: the first), of that expert alone where experts have folds
 * of their
 * own; NULL: no more. */
static const rg_ckpt_tensor *next(
    const rg_quantizer *z, const fold *f, int layer, int expert, const rg_ckpt_tensor *t)
{
    int i = 0, e = by_expert(f) ? expert : 0;
    if (t) {
        while (f->linear[i] != t->site) i++;
        if (!by_expert(f) && t->expert + 1 < rg_site_matrices(z->cfg, t->site))
            e = t->expert + 1;
        else
            i++;
    }
    for (; i < f->n; i++, e = 0) {
        t = rg_ckpt_find_expert(z->c, f->linear[i], layer, e);
        if (t) return t;
    }
    return NULL;
}

static bool is_quantised(const rg_quantizer *z, const rg_ckpt_tensor *t)
{
    return !rg_quantizer_why_not(z->c, z->o, t, t->site);
}

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

/* Adds to error[] that of the outputs under each of the scales s[FORMS][k]. */
static rg_status add_errors(
    rg_quantizer *z, const rg_ckpt_tensor *t, const float *s, double error[FORMS], search_job *j, rg_err *err)
{
    const int64_t matrices = rg_site_matrices(z->cfg, t->site),
                  most = rg_min(MOST_ROWS, rg_max(RG_Q_TILE, 4 * MOST_ROWS / matrices));
    const rg_moments *m = rg_calib_input(z, t->site, t->expert);
    if (!m) return RG_OK; /* an expert that no token chose */
    j->m = m;
    j->w = rg_quantizer_weights(z, t);
    j->step = rg_max(1, t->rows / most); /* a sample of the rows is enough to choose by */
    j->rows = t->rows / j->step;
    const double share = (double)m->n / (double)rg_quantizer_tokens(z);
    for (int a = 0; a < FORMS; a++) {
        if (rg_quantizer_stopped(z)) return rg_fail(err, RG_E_INTERRUPTED, "interrupted");
        j->s = s + a * t->cols;
        rg_team_run(z->team, search_tiles, j, NULL, NULL, 0);
        for (int64_t i = 0; i < rg_div_up(j->rows, RG_Q_TILE); i++) error[a] += share * j->error[i];
    }
    return RG_OK;
}

/* Mean |w| of every input channel over the quantised matrices, each relative to its group's largest. */
static void weight_means(const rg_quantizer *z, const fold *f, int layer, int expert, double *mean, int64_t k)
{
    const int g = z->o->spec.group;
    double n = 0.0;
    memset(mean, 0, sizeof *mean * (size_t)k);
    for (const rg_ckpt_tensor *t = NULL; (t = next(z, f, layer, expert, t));) {
        if (!is_quantised(z, t)) continue;
        n += (double)t->rows;
        for (int64_t r = 0; r < t->rows; r++)
            for (int64_t c = 0; c < k; c += g) {
                const float *w = rg_quantizer_weights(z, t) + r * k + c;
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

/* The folded norm is rounded to its type, and the scale taken from that: exact but for f32. as_is: no other
 * scale than that will do. */
static void fold_norm(rg_ftype type, float *norm, float *s, int64_t k, bool as_is)
{
    for (int64_t i = 0; i < k; i++) {
        float v = norm[i] / s[i];
        rg_round_as(type, &v, 1);
        const float own = norm[i] / v;
        /* a norm weight of zero, or out of the type's range: left alone */
        if (!isfinite(own) || !(own > 0.0f) || !isfinite(v) || (as_is && (own > s[i] || own < s[i]))) {
            s[i] = 1.0f;
        } else {
            norm[i] = v;
            s[i] = own;
        }
    }
}

/* A router's columns are multiplied without rounding. */
static bool routes(const rg_quantizer *z, const fold *f, int layer)
{
    bool any = false;
    for (const rg_ckpt_tensor *t = NULL; (t = next(z, f, layer, 0, t));) any |= rg_site_keeps_type(t->site);
    return any;
}

static void apply(rg_quantizer *z, const fold *f, int layer, int expert, float *s)
{
    const rg_config *c = z->cfg;
    if (rg_site_op(f->into) == RG_OP_RMSNORM) {
        fold_norm(z->o->norm_type, z->w[f->into], s, c->dim, routes(z, f, layer));
    } else {
        const rg_ckpt_tensor *t = rg_ckpt_find_expert(z->c, f->into, layer, expert);
        const int64_t rep = f->by_head ? c->heads / c->kv_heads : 1, hd = c->head_dim;
        const rg_site bias = rg_site_bias(f->into);
        float *b = bias != RG_SITE_NONE && rg_ckpt_find(z->c, bias, layer) ? z->w[bias] : NULL,
              *w = rg_quantizer_weights(z, t);
        for (int64_t r = 0; r < t->rows; r++) {
            const float sr = s[f->by_head ? r / hd * rep * hd + r % hd : r];
            for (int64_t i = 0; i < t->cols; i++) w[r * t->cols + i] /= sr;
            if (b) b[r] /= sr;
        }
    }
    for (const rg_ckpt_tensor *t = NULL; (t = next(z, f, layer, expert, t));) {
        float *w = rg_quantizer_weights(z, t);
        for (int64_t r = 0; r < t->rows; r++)
            for (int64_t q = 0; q < t->cols; q++) w[r * t->cols + q] *= s[q];
    }
}

/* The inputs become x / s. */
static void rescale(rg_quantizer *z, const fold *f, int expert, const float *s)
{
    if (!by_expert(f)) {
        rg_moments *m = rg_calib_input(z, f->linear[0], 0);
        for (int64_t i = 0; i < m->k; i++) {
            for (int64_t q = 0; q < m->k; q++) m->h[i * m->ld + q] /= s[i] * s[q];
            m->mean_abs[i] /= (double)s[i];
        }
    }
    if (by_expert(f) || f->into == RG_SITE_FFN_NORM)
        rg_routed_rescale(z, by_expert(f) ? f->linear[0] : RG_SITE_FFN_GATE_EXPS, expert, s);
}

/* What a fold works with; all own. */
typedef struct room {
    float *s;               /* [FORMS][k] */
    double *mean, *weights; /* [k] */
    search_job job;
} room;

static rg_status fold_one(rg_quantizer *z, const fold *f, int layer, int expert, room *m, rg_err *err)
{
    double error[FORMS] = {0};
    int best = 0;
    bool any = false;
    rg_status st;
    for (const rg_ckpt_tensor *t = NULL; (t = next(z, f, layer, expert, t));) any |= is_quantised(z, t);
    const rg_moments *in = any ? rg_calib_input(z, f->linear[0], expert) : NULL;
    if (!in) return RG_OK;
    const int64_t k = in->k;
    memcpy(m->mean, in->mean_abs, sizeof *m->mean * (size_t)k);
    weight_means(z, f, layer, expert, m->weights, k);
    if (f->by_head) tie_heads(z->cfg, m->mean);
    if (f->by_head) tie_heads(z->cfg, m->weights);
    const bool whole = routes(z, f, layer);
    for (int a = 0; a < FORMS; a++) { /* the first is no scaling: the result is never worse */
        float *s = m->s + a * k;
        rg_awq_scales(s, m->mean, a < ALPHAS ? NULL : m->weights, k, (double)(a % ALPHAS) / ALPHAS);
        for (int64_t i = 0; whole && i < k; i++) s[i] = exp2f(rintf(log2f(s[i])));
    }
    for (const rg_ckpt_tensor *t = NULL; (t = next(z, f, layer, expert, t));)
        if (is_quantised(z, t) && (st = add_errors(z, t, m->s, error, &m->job, err))) return st;
    for (int a = 1; a < FORMS; a++)
        if (error[a] < error[best]) best = a;
    if (!isfinite(error[best]))
        return rg_fail(err, RG_E_INTERNAL, "awq: layer %d: the error of %s is not finite", layer,
            rg_site_name(f->linear[0]));
    apply(z, f, layer, expert, m->s + best * k);
    rescale(z, f, expert, m->s + best * k);
    return RG_OK;
}

rg_status rg_awq_fold_layer(rg_quantizer *z, int layer, rg_err *err)
{
    rg_status st = RG_OK;
    int64_t ld = rg_max(z->routed.of_x.ld, z->routed.of_act.ld);
    for (int i = 0; i < RG_INPUTS; i++) ld = rg_max(ld, z->in[i].ld);
    room m = {
        .job = {.z = z,
            .scratch_bytes = (size_t)rg_round_up((3 * RG_Q_TILE * (int64_t)sizeof(float) + 1) * ld, 64)}};
    search_job *j = &m.job;
    j->scratch = rg_big_alloc(j->scratch_bytes * (size_t)z->threads);
    j->error = calloc(2 * MOST_ROWS / RG_Q_TILE + 2, sizeof *j->error);
    m.s = malloc(FORMS * sizeof *m.s * (size_t)ld);
    m.mean = malloc(sizeof *m.mean * (size_t)ld);
    m.weights = malloc(sizeof *m.weights * (size_t)ld);
    if (!j->scratch || !j->error || !m.s || !m.mean || !m.weights) st = rg_no_memory(err, "awq");
    for (size_t i = 0; i < sizeof folds / sizeof *folds && !st; i++)
        for (int e = 0; e < rg_site_matrices(z->cfg, folds[i].into) && !st; e++)
            st = fold_one(z, &folds[i], layer, e, &m, err);
    free(m.weights);
    free(m.mean);
    free(m.s);
    free(j->error);
    rg_big_free(j->scratch, j->scratch_bytes * (size_t)z->threads);
    return st;
}
