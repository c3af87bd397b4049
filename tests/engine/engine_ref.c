/* The model in float64, from its definition: no caches, no blocking, no code shared with the engine. */
#include "engine_fixture.h"

#include "model/model.h"

typedef struct matrix {
    float *w; /* [n][k]; owns */
    int64_t n, k;
} matrix;

enum { SHORT, LONG, LOCAL, N_FREQS };

struct ref_model {
    rg_config c;
    int64_t ctx;           /* positions that the session may hold: longrope goes by them */
    double *freq[N_FREQS]; /* [rotated values of a head / 2] */
    matrix embd;
    matrix at[RG_MAX_LAYERS + 1][RG_SITE_COUNT]; /* [layers] holds the sites outside layers */
};

static int64_t turned(const rg_config *c) { return c->rope_dim ? c->rope_dim : c->head_dim; }

/* The pair, a fraction of one included, whose wave turns so often within the original context: from
 * turns = orig * base^(-2 i / n) / (2 pi). */
static double pair_that_turns(const rg_config *c, double turns)
{
    const double wave = (double)c->rope_orig_ctx / (turns * 6.283185307179586);
    return log(wave) / log(c->rope_theta) * (double)turned(c) / 2.0;
}

/* The share of a frequency that YaRN divides: none before `from`, all behind `to`. */
static double yarn_share(const rg_config *c, int64_t i)
{
    double from = pair_that_turns(c, c->rope_beta_fast), to = pair_that_turns(c, c->rope_beta_slow);
    if (!c->rope_exact_ends) {
        from = floor(from);
        to = ceil(to);
    }
    if (from < 0.0) from = 0.0;
    if (to > (double)(turned(c) - 1)) to = (double)(turned(c) - 1);
    const double share = ((double)i - from) / (from == to ? 0.001 : to - from);
    return share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
}

/* Frequencies with the scalings of Llama 3 (by wavelength), of linear interpolation and of YaRN, or divided
 * by what the checkpoint says. */
static void set_freqs(ref_model *r, const float *divisor, const float *divisor_long)
{
    const rg_config *c = &r->c;
    const int64_t half = turned(c) / 2;
    for (int k = 0; k < N_FREQS; k++) r->freq[k] = must_alloc((size_t)half * sizeof *r->freq[k]);
    for (int64_t i = 0; i < half; i++) {
        double f = 1.0 / pow(c->rope_theta, (double)i / (double)half);
        if (c->rope_scaling == RG_ROPE_LINEAR) f /= c->rope_factor;
        if (c->rope_scaling == RG_ROPE_LLAMA3) {
            /* within the original context */
            const double turns = (double)c->rope_orig_ctx * f / 6.283185307179586;
            double keep = (turns - c->rope_low_freq) / (c->rope_high_freq - c->rope_low_freq);
            keep = keep < 0.0 ? 0.0 : keep > 1.0 ? 1.0 : keep;
            f *= keep + (1.0 - keep) / c->rope_factor;
        }
        if (c->rope_scaling == RG_ROPE_YARN) f *= 1.0 + yarn_share(c, i) * (1.0 / c->rope_factor - 1.0);
        r->freq[SHORT][i] = divisor ? f / (double)divisor[i] : f;
        r->freq[LONG][i] = divisor_long ? f / (double)divisor_long[i] : r->freq[SHORT][i];
        r->freq[LOCAL][i] = c->rope_local > 0.0 ? 1.0 / pow(c->rope_local, (double)i / (double)half) : f;
    }
}

static matrix new_matrix(int64_t n, int64_t k)
{
    return (matrix){.w = must_alloc((size_t)(n * k) * sizeof(float)), .n = n, .k = k};
}

static matrix from_tensor(const rg_ckpt_tensor *t)
{
    matrix m = new_matrix(t->rows, t->cols);
    for (int64_t r = 0; r < m.n; r++) rg_ckpt_row_f32(t, r, m.w + r * m.k);
    return m;
}

/* Experts, which come in their order, one below the other. */
static void add_tensor(matrix *to, const rg_ckpt_tensor *t)
{
    matrix one = from_tensor(t);
    if (t->expert == 0) {
        *to = one;
        return;
    }
    matrix all = new_matrix(to->n + one.n, one.k);
    memcpy(all.w, to->w, (size_t)(to->n * to->k) * sizeof *all.w);
    memcpy(all.w + to->n * to->k, one.w, (size_t)(one.n * one.k) * sizeof *all.w);
    free(to->w);
    free(one.w);
    *to = all;
}

static int slot(const ref_model *r, const rg_ckpt_tensor *t)
{
    return t->layer < 0 ? (int)r->c.layers : t->layer;
}

ref_model *ref_from_ckpt(const rg_ckpt *c)
{
    ref_model *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->c = *rg_ckpt_config(c);
    set_freqs(r, rg_ckpt_rope_freqs(c), rg_ckpt_rope_long(c));
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        if (t->site == RG_SITE_TOKEN_EMBD)
            r->embd = from_tensor(t);
        else
            add_tensor(&r->at[slot(r, t)][t->site], t);
    }
    if (!r->at[r->c.layers][RG_SITE_OUTPUT].w) {
        assert_true(r->c.tied);
        r->at[r->c.layers][RG_SITE_OUTPUT] = from_tensor(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1));
    }
    return r;
}

static matrix from_packed(const rg_weight *w)
{
    matrix m = new_matrix(w->n, w->k);
    for (int64_t r = 0; r < m.n; r++) rg_unpack_row(w, r, m.w + r * m.k);
    return m;
}

/* Sorted columns back to where they belong. */
static matrix in_order(matrix m, const int32_t *order)
{
    if (!order) return m;
    matrix r = new_matrix(m.n, m.k);
    for (int64_t i = 0; i < m.n; i++)
        for (int64_t j = 0; j < m.k; j++) r.w[i * m.k + order[j]] = m.w[i * m.k + j];
    free(m.w);
    return r;
}

static matrix from_experts(const rg_weight *w, int64_t experts)
{
    matrix m = new_matrix(experts * w->n, w->k);
    for (int64_t e = 0; e < experts; e++) {
        rg_weight one = *w;
        one.data = (const char *)w->data + e * rg_packed_bytes(w->type, w->n, w->k);
        for (int64_t r = 0; r < w->n; r++) rg_unpack_row(&one, r, m.w + (e * w->n + r) * m.k);
    }
    return m;
}

static matrix from_bound(const rg_bound_tensor *b, rg_site site, const rg_config *c)
{
    if (rg_op_of_experts(rg_site_op(site))) return from_experts(&b->w, c->experts);
    const int64_t rows = rg_site_of_experts(site) ? c->experts : 1; /* of biases */
    if (rg_site_op(site) == RG_OP_LINEAR) return in_order(from_packed(&b->w), b->order);
    if (!b->vec) return (matrix){0};
    matrix m = new_matrix(rows, rg_extent_size(c, rg_site_cols(site)));
    memcpy(m.w, b->vec, (size_t)(m.n * m.k) * sizeof *m.w);
    return m;
}

ref_model *ref_from_engine(const rg_engine *e)
{
    const rg_model *m = &e->model;
    ref_model *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->c = m->cfg;
    set_freqs(r, m->rope_freqs, m->rope_long);
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        if (!rg_site_in_layer(s))
            r->at[r->c.layers][s] = from_bound(&m->top[s], s, &r->c);
        else
            for (int64_t l = 0; l < r->c.layers; l++)
                r->at[l][s] = from_bound(rg_model_at(m, l, s), s, &r->c);
    }
    if (m->embd.packed) {
        r->embd = from_packed(m->embd.packed);
    } else {
        r->embd = new_matrix(r->c.vocab, r->c.dim);
        for (int64_t i = 0; i < r->c.vocab; i++)
            rg_ftype_row_to_f32(m->embd.type, r->embd.w + i * r->c.dim,
                (const char *)m->embd.rows + i * m->embd.row_bytes, r->c.dim);
    }
    return r;
}

void ref_set_weight(ref_model *r, const rg_ckpt_tensor *t, const double *w)
{
    const matrix *m = t->site == RG_SITE_TOKEN_EMBD ? &r->embd : &r->at[slot(r, t)][t->site];
    for (int64_t i = 0; i < m->n * m->k; i++) m->w[i] = (float)w[i];
}

void ref_set_rope(ref_model *r, const rg_config *c)
{
    r->c.rope_theta = c->rope_theta;
    r->c.rope_scaling = c->rope_scaling;
    r->c.rope_factor = c->rope_factor;
    r->c.rope_low_freq = c->rope_low_freq;
    r->c.rope_high_freq = c->rope_high_freq;
    r->c.rope_orig_ctx = c->rope_orig_ctx;
    for (int k = 0; k < N_FREQS; k++) free(r->freq[k]);
    set_freqs(r, NULL, NULL);
}
void ref_context(ref_model *r, int64_t ctx) { r->ctx = ctx; }

void ref_close(ref_model *r)
{
    if (!r) return;
    for (int k = 0; k < N_FREQS; k++) free(r->freq[k]);
    free(r->embd.w);
    for (int64_t l = 0; l <= r->c.layers; l++)
        for (int s = 0; s < RG_SITE_COUNT; s++) free(r->at[l][s].w);
    free(r);
}

static void times(double *y, const matrix *w, const double *x)
{
    for (int64_t i = 0; i < w->n; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < w->k; j++) sum += (double)w->w[i * w->k + j] * x[j];
        y[i] = sum;
    }
}

/* y = W x + bias, where there is one. */
static void affine(double *y, const matrix *w, rg_site site, const double *x)
{
    const matrix *b = &w[rg_site_bias(site)];
    times(y, &w[site], x);
    for (int64_t i = 0; b->w && i < b->k; i++) y[i] += (double)b->w[i];
}

/* Of n values in pieces as long as the gains; without gains the model has no such norm. */
static void norm(double *y, const double *x, int64_t n, const matrix *w, double eps)
{
    const int64_t k = w->w ? w->k : n;
    for (int64_t p = 0; p < n; p += k) {
        double sum = 0.0;
        for (int64_t i = 0; i < k; i++) sum += x[p + i] * x[p + i];
        const double scale = 1.0 / sqrt(sum / (double)k + eps);
        for (int64_t i = 0; i < k; i++) y[p + i] = w->w ? x[p + i] * scale * (double)w->w[i] : x[p + i];
    }
}

/* The first values of heads, in pairs (i, i + half). */
static void rotate(
    const ref_model *r, double *x, int64_t heads, int64_t pos, const double *freq, double magnitude)
{
    const int64_t half = turned(&r->c) / 2;
    for (int64_t h = 0; h < heads; h++, x += r->c.head_dim)
        for (int64_t i = 0; i < half; i++) {
            const double c = cos((double)pos * freq[i]), s = sin((double)pos * freq[i]), a = x[i],
                         b = x[i + half];
            x[i] = magnitude * (a * c - b * s);
            x[i + half] = magnitude * (a * s + b * c);
        }
}

static double capped(double x, double cap) { return cap > 0.0 ? cap * tanh(x / cap) : x; }

/* One query head over positions [first, n). k and v: [n] rows of `ld`. sink: a further score, without a
 * value; NULL: none. */
static void attend(double *out, const double *q, const double *k, const double *v, int64_t ld, int64_t first,
    int64_t n, int64_t hd, double scale, double cap, const float *sink, double *score)
{
    double top = sink ? (double)*sink : -INFINITY, sum = 0.0;
    for (int64_t p = first; p < n; p++) {
        score[p] = 0.0;
        for (int64_t i = 0; i < hd; i++) score[p] += q[i] * k[p * ld + i];
        score[p] = capped(scale * score[p], cap);
        top = fmax(top, score[p]);
    }
    for (int64_t p = first; p < n; p++) sum += score[p] = exp(score[p] - top);
    if (sink) sum += exp((double)*sink - top);
    for (int64_t i = 0; i < hd; i++) {
        out[i] = 0.0;
        for (int64_t p = first; p < n; p++) out[i] += score[p] / sum * v[p * ld + i];
    }
}

typedef struct buffers {
    /* x [n][dim], k and v [n][kv_dim]; the rest for one token */
    double *x, *h, *q, *k, *v, *att, *gate, *up, *out, *sum, *score;
} buffers;

static bool has_bit(const uint64_t *bits, int64_t i) { return (bits[i / 64] & (uint64_t)1 << i % 64) != 0; }

static double gate_of(const rg_config *c, double u)
{
    if (!(c->extra & rg_site_bit(RG_SITE_FFN_GELU))) return u / (1.0 + exp(-u));
    return 0.5 * u * (1.0 + tanh(sqrt(2.0 / 3.141592653589793) * (u + 0.044715 * u * u * u)));
}

/* x += add * norm(W y), the norm where there is one. */
static void add_block(
    const rg_config *c, double *x, double *h, const matrix *w, rg_site site, rg_site post, const double *y)
{
    const double add = c->resid_scale != 0.0 ? c->resid_scale : 1.0;
    affine(h, w, site, y);
    norm(h, h, c->dim, &w[post], c->eps);
    for (int64_t i = 0; i < c->dim; i++) x[i] += add * h[i];
}

static double at_most(double x, double most) { return x > most ? most : x; }

/* y += bias, of expert e of a site whose biases the model has. */
static void add_bias(double *y, const matrix *b, int64_t e)
{
    for (int64_t i = 0; b->w && i < b->k; i++) y[i] += (double)b->w[e * b->k + i];
}

/* y += weight * down(silu(gate x) * up x), of matrices from row e of so many on. Clamped: gate to 7, up
 * to -7 and 7,
 * gate's slope is 1.702, and up grows by 1. bias: of the three, in that order; NULL: none. */
static void add_network(double *y, const matrix *gate, const matrix *up, const matrix *down, int64_t e,
    double weight, const double *x, double *g, double *u, double *out, int64_t ffn, int64_t dim,
    const matrix *const bias[3], bool clamped)
{
    const matrix G = {gate->w + e * ffn * dim, ffn, dim}, U = {up->w + e * ffn * dim, ffn, dim},
                 D = {down->w + e * dim * ffn, dim, ffn};
    times(g, &G, x);
    times(u, &U, x);
    if (bias) add_bias(g, bias[0], e), add_bias(u, bias[1], e);
    for (int64_t i = 0; i < ffn; i++) {
        const double a = clamped ? at_most(g[i], 7.0) : g[i];
        g[i] = a / (1.0 + exp((clamped ? -1.702 : -1.0) * a)) *
            (clamped ? 1.0 - at_most(-at_most(u[i], 7.0), 7.0) : u[i]);
    }
    times(out, &D, g);
    if (bias) add_bias(out, bias[2], e);
    for (int64_t i = 0; i < dim; i++) y[i] += weight * out[i];
}

/* y = the experts of a token: those whose share of softmax over all is largest, of equal ones the first. */
static void mix(const rg_config *c, double *y, const matrix *w, const double *x, buffers *b)
{
    double p[RG_MAX_EXPERTS], all = 0.0, chosen = 0.0, top = -INFINITY;
    int64_t pick[RG_MAX_EXPERTS];
    const matrix *const bias[3] = {
        &w[RG_SITE_FFN_GATE_EXPS_BIAS], &w[RG_SITE_FFN_UP_EXPS_BIAS], &w[RG_SITE_FFN_DOWN_EXPS_BIAS]};
    affine(p, w, RG_SITE_FFN_GATE_INP, x);
    for (int64_t e = 0; e < c->experts; e++) top = fmax(top, p[e]);
    for (int64_t e = 0; e < c->experts; e++) all += p[e] = exp(p[e] - top);
    for (int64_t i = 0; i < c->experts_used; i++) {
        pick[i] = -1;
        for (int64_t e = 0; e < c->experts; e++) {
            bool taken = false;
            for (int64_t j = 0; j < i; j++) taken |= pick[j] == e;
            if (!taken && (pick[i] < 0 || p[e] > p[pick[i]])) pick[i] = e;
        }
        chosen += p[pick[i]];
    }
    for (int64_t i = 0; i < c->dim; i++) y[i] = 0.0;
    for (int64_t i = 0; i < c->experts_used; i++)
        add_network(y, &w[RG_SITE_FFN_GATE_EXPS], &w[RG_SITE_FFN_UP_EXPS], &w[RG_SITE_FFN_DOWN_EXPS], pick[i],
            p[pick[i]] / (c->experts_norm ? chosen : all), x, b->gate, b->up, b->out, c->expert_ffn, c->dim,
            bias, c->extra & rg_site_bit(RG_SITE_FFN_CLAMP_EXPS));
    if (c->shared_ffn == 0) return;
    double open = 0.0;
    for (int64_t i = 0; i < c->dim; i++) open += (double)w[RG_SITE_FFN_GATE_INP_SHEXP].w[i] * x[i];
    add_network(y, &w[RG_SITE_FFN_GATE_SHEXP], &w[RG_SITE_FFN_UP_SHEXP], &w[RG_SITE_FFN_DOWN_SHEXP], 0,
        1.0 / (1.0 + exp(-open)), x, b->gate, b->up, b->out, c->shared_ffn, c->dim, NULL, false);
}

static void layer(const ref_model *r, const matrix *w, int64_t l, buffers *b, int64_t n)
{
    const rg_config *c = &r->c;
    const int64_t hd = c->head_dim, kv = rg_kv_dim(c), rep = c->heads / c->kv_heads,
                  window = has_bit(c->all_seen, l) ? 0 : c->window;
    const bool local = window && c->rope_local > 0.0;
    const double scale = c->attn_scale != 0.0 ? c->attn_scale : 1.0 / sqrt((double)hd),
                 magnitude = !local && c->rope_magnitude > 0.0 ? c->rope_magnitude : 1.0;
    const double *freq = r->freq[local ? LOCAL : r->ctx > c->rope_orig_ctx ? LONG : SHORT];
    for (int64_t t = 0; t < n; t++) {
        const int64_t first = window && t + 1 > window ? t + 1 - window : 0;
        double *x = b->x + t * c->dim, *k = b->k + t * kv;
        norm(b->h, x, c->dim, &w[RG_SITE_ATTN_NORM], c->eps);
        affine(b->q, w, RG_SITE_ATTN_Q, b->h);
        affine(k, w, RG_SITE_ATTN_K, b->h);
        affine(b->v + t * kv, w, RG_SITE_ATTN_V, b->h);
        norm(b->q, b->q, c->heads * hd, &w[RG_SITE_ATTN_Q_NORM], c->eps);
        norm(k, k, kv, &w[RG_SITE_ATTN_K_NORM], c->eps);
        if (!has_bit(c->unrotated, l)) {
            rotate(r, b->q, c->heads, t, freq, magnitude);
            rotate(r, k, c->kv_heads, t, freq, magnitude);
        }
        for (int64_t i = 0; c->q_temp > 0.0 && i < c->heads * hd; i++)
            b->q[i] *= 1.0 + c->q_temp * log(1.0 + floor((double)t / (double)c->rope_orig_ctx));
        for (int64_t i = 0; i < c->heads; i++)
            attend(b->att + i * hd, b->q + i * hd, b->k + i / rep * hd, b->v + i / rep * hd, kv, first, t + 1,
                hd, scale, c->attn_cap, w[RG_SITE_ATTN_SINKS].w ? w[RG_SITE_ATTN_SINKS].w + i : NULL,
                b->score);
        add_block(c, x, b->h, w, RG_SITE_ATTN_OUTPUT, RG_SITE_ATTN_POST_NORM, b->att);
        norm(b->h, x, c->dim, &w[RG_SITE_FFN_NORM], c->eps);
        if (c->experts > 0) {
            mix(c, b->sum, w, b->h, b);
            for (int64_t i = 0; i < c->dim; i++)
                x[i] += (c->resid_scale != 0.0 ? c->resid_scale : 1.0) * b->sum[i];
            continue;
        }
        affine(b->gate, w, RG_SITE_FFN_GATE, b->h);
        affine(b->up, w, RG_SITE_FFN_UP, b->h);
        for (int64_t i = 0; i < c->ffn; i++) b->gate[i] = gate_of(c, b->gate[i]) * b->up[i];
        add_block(c, x, b->h, w, RG_SITE_FFN_DOWN, RG_SITE_FFN_POST_NORM, b->gate);
    }
}

void ref_forward(const ref_model *r, const int32_t *token, int64_t n, double *out)
{
    const rg_config *c = &r->c;
    const size_t d = sizeof(double), kv = (size_t)(n * rg_kv_dim(c)), q = (size_t)rg_q_dim(c),
                 dim = (size_t)c->dim;
    buffers b = {.x = must_alloc(d * (size_t)n * dim),
        .h = must_alloc(d * dim),
        .q = must_alloc(d * q),
        .k = must_alloc(d * kv),
        .v = must_alloc(d * kv),
        .att = must_alloc(d * q),
        .gate = must_alloc(d * (size_t)(c->ffn + c->expert_ffn + c->shared_ffn)),
        .up = must_alloc(d * (size_t)(c->ffn + c->expert_ffn + c->shared_ffn)),
        .out = must_alloc(d * dim),
        .sum = must_alloc(d * dim),
        .score = must_alloc(d * (size_t)n)};
    for (int64_t t = 0; t < n; t++)
        for (int64_t i = 0; i < c->dim; i++)
            b.x[t * c->dim + i] =
                (c->embd_scale != 0.0 ? c->embd_scale : 1.0) * (double)r->embd.w[token[t] * c->dim + i];
    for (int64_t l = 0; l < c->layers; l++) layer(r, r->at[l], l, &b, n);
    for (int64_t t = 0; t < n; t++) {
        norm(b.h, b.x + t * c->dim, c->dim, &r->at[c->layers][RG_SITE_OUTPUT_NORM], c->eps);
        times(out + t * c->vocab, &r->at[c->layers][RG_SITE_OUTPUT], b.h);
        for (int64_t i = 0; i < c->vocab; i++) {
            double *y = &out[t * c->vocab + i];
            *y = capped(c->logit_scale != 0.0 ? *y / c->logit_scale : *y, c->logit_cap);
        }
    }
    double *all[] = {b.x, b.h, b.q, b.k, b.v, b.att, b.gate, b.up, b.out, b.sum, b.score};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}
