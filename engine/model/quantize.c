/* The quantiser: layer by layer from the checkpoint to the callback. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/quantizer.h"
#include "ridge/topo.h"

const char *const rg_quant_methods[RG_QUANT_METHODS + 1] = {"rtn", "mse", "awq", "gptq", NULL};

/* ---- what is to be done ---- */

const char *rg_quantizer_why_not(
    const rg_ckpt *c, const rg_quantize_opts *o, const rg_ckpt_tensor *t, rg_site site)
{
    const bool embedding = site == RG_SITE_TOKEN_EMBD;
    if (rg_site_is_norm(site)) return "norm";
    if (rg_site_keeps_type(site)) return "router";
    if (!rg_site_has_matrix(site) && !embedding) return "vector";
    if (embedding && (!rg_ckpt_config(c)->tied || o->untie)) return "embedding";
    if ((embedding || site == RG_SITE_OUTPUT) && !o->head) return "output matrix (--quantize-head)";
    if (o->keep && o->keep(o->keep_user, embedding ? RG_SITE_OUTPUT : site, t->layer)) return "kept (--keep)";
    if (t->cols % o->spec.group != 0) return "its rows do not divide into groups";
    return NULL;
}

static void plan_one(rg_quantize_plan *p, size_t *n, const rg_ckpt *c, const rg_quantize_opts *o,
    const rg_ckpt_tensor *t, rg_site site)
{
    p[*n] = (rg_quantize_plan){.site = site,
        .layer = t->layer,
        .expert = t->expert,
        .rows = t->rows,
        .cols = t->cols,
        .why = rg_quantizer_why_not(c, o, t, site)};
    p[*n].quantised = !p[*n].why;
    (*n)++;
}

rg_status rg_quantize_plan_make(
    rg_quantize_plan **plan, size_t *n, const rg_ckpt *c, const rg_quantize_opts *o, rg_err *err)
{
    const rg_src src = {rg_ckpt_path(c), err};
    const rg_config *cfg = rg_ckpt_config(c);
    rg_quantize_plan *p = calloc(rg_ckpt_count(c) + 1, sizeof *p);
    *plan = NULL;
    *n = 0;
    if (!rg_ckpt_can_quantise(c)) {
        free(p);
        return rg_lacks(&src,
            "what this model has beyond a plain Llama (architecture %s), other than biases, norms of q and "
            "k, "
            "factors and experts, cannot be quantised into a file yet: use --dtype at load",
            cfg->arch);
    }
    if (!p) return rg_no_memory(err, "quantize");
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        if (t->type != RG_FT_F32 && t->type != RG_FT_F16 && t->type != RG_FT_BF16) {
            free(p);
            return rg_lacks(&src,
                "tensor %s is %s: quantised already; expected a checkpoint of F32, F16 or BF16", t->file_name,
                rg_ckpt_type_name(t, (char[64]){0}, 64));
        }
    }
    for (int l = 0; l < cfg->layers; l++)
        for (int s = 0; s < RG_SITE_COUNT; s++)
            for (int e = 0; rg_site_in_layer(s) && e < rg_site_matrices(cfg, s); e++) {
                const rg_ckpt_tensor *t = rg_ckpt_find_expert(c, s, l, e);
                if (t) plan_one(p, n, c, o, t, s);
            }
    const rg_ckpt_tensor *e = rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1),
                         *out = rg_ckpt_find(c, RG_SITE_OUTPUT, -1);
    plan_one(p, n, c, o, rg_ckpt_find(c, RG_SITE_OUTPUT_NORM, -1), RG_SITE_OUTPUT_NORM);
    plan_one(p, n, c, o, e, RG_SITE_TOKEN_EMBD);
    if (out)
        plan_one(p, n, c, o, out, RG_SITE_OUTPUT);
    else if (o->untie && !rg_quantizer_why_not(c, o, e, RG_SITE_OUTPUT)) /* the table once more, quantised */
        plan_one(p, n, c, o, e, RG_SITE_OUTPUT);
    *plan = p;
    return RG_OK;
}

/* ---- one matrix ---- */

typedef struct rows_job {
    rg_quantizer *z;
    float *w;
    bool gptq, replace;
    const float *u;
    int64_t ld;
    char *scratch;    /* per thread: the rest of a block (GPTQ) */
    rg_qstats *stats; /* per tile, so that sums do not depend on the threads */
} rows_job;

static void do_rows(rg_ctx *cx, void *arg)
{
    const rows_job *j = arg;
    rg_qtensor *q = &j->z->q;
    const int64_t tiles = rg_div_up(q->rows, RG_Q_TILE);
    float *rest = (void *)(j->scratch + (size_t)cx->tid * RG_Q_TILE * RG_Q_BLOCK * sizeof(float));
    for (int64_t t = cx->tid; t < tiles; t += cx->nt) {
        const int64_t r0 = t * RG_Q_TILE, r1 = rg_min(r0 + RG_Q_TILE, q->rows);
        if (j->gptq)
            rg_gptq_rows(cx->k, q, j->w, j->u, j->ld, rest, r0, r1, &j->stats[t]);
        else
            rg_q_rows(cx->k, j->z->o->method != RG_QUANT_RTN, q, j->w, j->replace, r0, r1, &j->stats[t]);
    }
}

typedef struct diff_job {
    const float *a, *b;
    const rg_moments *m;
    int64_t rows;
    double *err, *ref; /* per tile */
    char *scratch;
} diff_job;

/* Errors of outputs and outputs, under the moments. */
static void diff_tiles(rg_ctx *cx, void *arg)
{
    const diff_job *j = arg;
    const int64_t k = j->m->k, tiles = rg_div_up(j->rows, RG_Q_TILE);
    float *d = (void *)(j->scratch + (size_t)cx->tid * 2 * RG_Q_TILE * (size_t)j->m->ld * sizeof(float)),
          *tmp = d + RG_Q_TILE * j->m->ld;
    for (int64_t t = cx->tid; t < tiles; t += cx->nt) {
        const int64_t n = rg_min(RG_Q_TILE, j->rows - t * RG_Q_TILE), at = t * RG_Q_TILE * k;
        for (int64_t i = 0; i < n * k; i++) d[i] = j->a[at + i] - j->b[at + i];
        j->err[t] = rg_moments_error(cx->k, d, n, k, j->m->h, j->m->ld, tmp);
        j->ref[t] = rg_moments_error(cx->k, j->b + at, n, k, j->m->h, j->m->ld, tmp);
    }
}

static rg_status output_error(rg_quantizer *z, double *out, const float *now, const float *before,
    int64_t rows, const rg_moments *m, rg_err *err)
{
    const int64_t tiles = rg_div_up(rows, RG_Q_TILE);
    const size_t bytes = 2 * RG_Q_TILE * (size_t)m->ld * sizeof(float) * (size_t)z->threads;
    diff_job j = {.a = now,
        .b = before,
        .m = m,
        .rows = rows,
        .err = calloc((size_t)tiles * 2, sizeof *j.err),
        .scratch = rg_big_alloc(bytes)};
    rg_status st = RG_OK;
    if (j.err && j.scratch) {
        double e = 0.0, r = 0.0;
        j.ref = j.err + tiles;
        rg_team_run(z->team, diff_tiles, &j, NULL, NULL, 0);
        for (int64_t t = 0; t < tiles; t++) {
            e += j.err[t];
            r += j.ref[t];
        }
        *out = r > 0.0 ? sqrt(e / r) : 0.0;
    } else {
        st = rg_no_memory(err, "quantize");
    }
    free(j.err);
    rg_big_free(j.scratch, bytes);
    return st;
}

/* w [rows][cols] to z->q; with a calibration w becomes what the codes say. u: GPTQ's factor, or NULL. m: for
 * the error of the outputs, or NULL. */
static rg_status do_matrix(rg_quantizer *z, rg_quantized *out, float *w, const float *u, const rg_moments *m,
    const char *name, rg_err *err)
{
    const rg_src src = {rg_ckpt_path(z->c), err};
    const int64_t n = out->rows * out->cols, tiles = rg_div_up(out->rows, RG_Q_TILE);
    const size_t rest = RG_Q_TILE * RG_Q_BLOCK * sizeof(float) * (size_t)z->threads;
    rows_job j = {.z = z,
        .w = w,
        .gptq = u != NULL,
        .replace = rg_quantizer_calibrates(z->o),
        .u = u,
        .ld = m ? m->ld : 0,
        .scratch = rg_big_alloc(rest)};
    float *before = m ? malloc(sizeof *before * (size_t)n) : NULL;
    rg_status st = RG_OK;
    rg_qstats sum = {0};
    j.stats = calloc((size_t)tiles, sizeof *j.stats);
    if (!j.scratch || !j.stats || (m && !before)) {
        st = rg_no_memory(err, "quantize");
        goto out;
    }
    if (before) memcpy(before, w, sizeof *w * (size_t)n);
    z->q.spec = z->o->spec;
    z->q.rows = out->rows;
    z->q.cols = out->cols;
    rg_team_run(z->team, do_rows, &j, NULL, NULL, 0);
    for (int64_t t = 0; t < tiles; t++) {
        sum.err2 += j.stats[t].err2;
        sum.w2 += j.stats[t].w2;
        sum.n += j.stats[t].n;
        sum.clipped += j.stats[t].clipped;
    }
    if (u) /* columns moved on the way: compare with where they began */
        for (int64_t i = 0; i < n; i++) {
            sum.err2 += ((double)w[i] - (double)before[i]) * ((double)w[i] - (double)before[i]);
            sum.w2 += (double)before[i] * (double)before[i];
        }
    if (!isfinite(sum.w2)) {
        st = rg_bad(&src, "tensor %s holds values that are not finite; the file is damaged", name);
        goto out;
    }
    if (!isfinite(sum.err2) || sum.err2 > 0.5 * sum.w2) {
        st = rg_lacks(&src,
            "tensor %s holds values that half-precision scales cannot express: leave it out with --keep",
            name);
        goto out;
    }
    out->q = &z->q;
    out->rel_error = sum.w2 > 0.0 ? sqrt(sum.err2 / sum.w2) : 0.0;
    out->clipped = (double)sum.clipped / (double)sum.n;
    if (m) st = output_error(z, &out->out_error, w, before, out->rows, m, err);
out:
    free(before);
    free(j.stats);
    rg_big_free(j.scratch, rest);
    return st;
}

/* ---- a layer ---- */

static rg_quantized result(rg_site site, int layer, int64_t rows, int64_t cols, const char *why)
{
    return (rg_quantized){.site = site,
        .layer = layer,
        .rows = rows,
        .cols = cols,
        .why = why,
        .tokens = -1,
        .rel_error = NAN,
        .out_error = NAN,
        .clipped = NAN};
}

static void load_rows(const rg_ckpt_tensor *t, float *dst)
{
    for (int64_t r = 0; r < t->rows; r++) rg_ckpt_row_f32(t, r, dst + r * t->cols);
}

void rg_round_as(rg_ftype type, float *w, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (type == RG_FT_F16)
            w[i] = rg_f16_to_f32(rg_f32_to_f16(w[i]));
        else if (type == RG_FT_BF16)
            w[i] = rg_bf16_to_f32(rg_f32_to_bf16(w[i]));
}

/* The factor of an input, in a copy: the moments are still needed. */
static rg_status factor(rg_quantizer *z, float **u, const rg_moments *m, int layer, rg_site site, rg_err *err)
{
    const size_t bytes = rg_moments_bytes(m);
    double used;
    *u = rg_big_alloc(bytes);
    if (!*u)
        return rg_fail(
            err, RG_E_NOMEM, "gptq: out of memory for %.1f MiB of second moments", (double)bytes / 1048576.0);
    memcpy(*u, m->h, bytes);
    if (rg_factor(*u, m->ld, m->k, z->o->damp > 0.0 ? z->o->damp : 0.01, &used)) return RG_OK;
    return rg_fail(err, RG_E_UNSUPPORTED,
        "gptq: layer %d: the second moments of the input of %s cannot be factored: give more or more varied "
        "calibration text",
        layer, rg_site_name(site));
}

/* GPTQ's factor of an input, kept while the next matrix has the same. */
typedef struct kept_factor {
    float *u;
    rg_site of; /* COUNT: of none */
    size_t bytes;
} kept_factor;

static void drop_factor(kept_factor *k)
{
    rg_big_free(k->u, k->bytes);
    *k = (kept_factor){.of = RG_SITE_COUNT};
}

/* A tensor of a layer; calibrated: from z->w. */
static rg_status do_tensor(rg_quantizer *z, const rg_ckpt_tensor *t, kept_factor *k, rg_err *err)
{
    const bool calib = rg_quantizer_calibrates(z->o), experts = rg_op_of_experts(rg_site_op(t->site));
    const rg_site in = rg_site_input(t->site);
    char name[64];
    rg_quantized out =
        result(t->site, t->layer, t->rows, t->cols, rg_quantizer_why_not(z->c, z->o, t, t->site));
    float *w = calib ? rg_quantizer_weights(z, t) : z->one;
    rg_status st = RG_OK;
    out.expert = t->expert;
    out.tokens = calib && experts ? rg_routed_tokens(z, t->expert) : -1;
    if (!out.why) {
        const rg_moments *m = calib ? rg_calib_input(z, t->site, t->expert) : NULL;
        if (!calib) load_rows(t, w);
        if (experts || k->of != in) drop_factor(k);
        if (z->o->method == RG_QUANT_GPTQ && m && !k->u) {
            k->bytes = rg_moments_bytes(m);
            k->of = in;
            if ((st = factor(z, &k->u, m, t->layer, t->site, err))) return st;
        }
        st = do_matrix(z, &out, w, k->u, m, rg_tensor_name(name, sizeof name, t->site, t->layer), err);
    } else if (z->o->method == RG_QUANT_AWQ) {
        if (rg_site_op(t->site) != RG_OP_RMSNORM) /* as it will be stored */
            rg_round_as(t->type, w, t->rows * t->cols);
        out.f32 = w;
    }
    if (!st) st = z->fn(z->user, &out, err);
    rg_ckpt_release(z->c, t);
    return st;
}

static rg_status do_layer(rg_quantizer *z, int layer, rg_err *err)
{
    const bool calib = rg_quantizer_calibrates(z->o);
    kept_factor k = {.of = RG_SITE_COUNT};
    rg_status st = RG_OK;
    for (int s = 0; calib && s < RG_SITE_COUNT; s++)
        for (int e = 0; rg_site_in_layer(s) && e < rg_site_matrices(z->cfg, s); e++) {
            const rg_ckpt_tensor *t = rg_ckpt_find_expert(z->c, s, layer, e);
            if (t) load_rows(t, rg_quantizer_weights(z, t));
        }
    if (calib) st = rg_calib_run(z, layer, true, false, err);
    if (!st && z->o->method == RG_QUANT_AWQ) st = rg_awq_fold_layer(z, layer, err);
    for (int s = 0; s < RG_SITE_COUNT && !st; s++)
        for (int e = 0; rg_site_in_layer(s) && e < rg_site_matrices(z->cfg, s) && !st; e++) {
            const rg_ckpt_tensor *t = rg_ckpt_find_expert(z->c, s, layer, e);
            if (!t) continue;
            st = rg_quantizer_stopped(z) ? rg_fail(err, RG_E_INTERRUPTED, "interrupted")
                                         : do_tensor(z, t, &k, err);
        }
    drop_factor(&k);
    if (!st && calib) st = rg_calib_run(z, layer, false, true, err);
    return st;
}

/* ---- outside layers ---- */

/* The output matrix, or the table of tied models. */
static rg_status do_head(rg_quantizer *z, rg_quantized *out, const rg_ckpt_tensor *t, rg_err *err)
{
    const rg_moments *m = rg_quantizer_calibrates(z->o) ? &z->in[0] : NULL;
    float *u = NULL;
    rg_status st = RG_OK;
    char name[64];
    z->head = malloc(sizeof(float) * (size_t)(t->rows * t->cols));
    if (!z->head) return rg_fail(err, RG_E_NOMEM, "quantize: out of memory for the output matrix");
    load_rows(t, z->head);
    if (m) {
        float *norm = malloc(sizeof *norm * (size_t)z->cfg->dim);
        if (!norm) return rg_no_memory(err, "quantize");
        rg_ckpt_row_f32(rg_ckpt_find(z->c, RG_SITE_OUTPUT_NORM, -1), 0, norm);
        rg_calib_final(z, norm);
        free(norm);
        if (z->o->method == RG_QUANT_GPTQ) st = factor(z, &u, m, (int)z->cfg->layers, RG_SITE_OUTPUT, err);
    }
    if (!st) st = do_matrix(z, out, z->head, u, m, rg_tensor_name(name, sizeof name, out->site, -1), err);
    if (u) rg_big_free(u, rg_moments_bytes(m));
    return st;
}

static rg_status do_top(rg_quantizer *z, const rg_quantize_plan *p, rg_err *err)
{
    const rg_ckpt_tensor *t = rg_ckpt_find(z->c, p->site, -1);
    if (!t) t = rg_ckpt_find(z->c, RG_SITE_TOKEN_EMBD, -1);
    rg_quantized out = result(p->site, -1, p->rows, p->cols, p->why);
    rg_status st = p->quantised ? do_head(z, &out, t, err) : RG_OK;
    if (!st) st = z->fn(z->user, &out, err);
    free(z->head);
    z->head = NULL;
    return st;
}

/* ---- all of it ---- */

static rg_status open_buffers(rg_quantizer *z, const rg_quantize_plan *p, size_t n, rg_err *err)
{
    int64_t most = 0, groups = 0;
    for (size_t i = 0; i < n; i++) {
        if (!p[i].quantised) continue;
        most = rg_max(most, p[i].rows * p[i].cols);
        groups = rg_max(groups, p[i].rows * (p[i].cols / z->o->spec.group));
    }
    z->q.code = malloc((size_t)most + 1);
    z->q.scale = malloc(sizeof(uint16_t) * (size_t)(groups + 1));
    z->q.offset = malloc(sizeof(uint16_t) * (size_t)(groups + 1));
    bool ok = z->q.code && z->q.scale && z->q.offset;
    if (!rg_quantizer_calibrates(z->o)) {
        z->one = malloc(sizeof *z->one * (size_t)most + 1);
        return ok && z->one ? RG_OK
                            : rg_fail(err, RG_E_NOMEM, "quantize: out of memory for a matrix in 32 bits");
    }
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const rg_ckpt_tensor *t = NULL;
        for (int l = 0; rg_site_in_layer(s) && l < z->cfg->layers && !t; l++) t = rg_ckpt_find(z->c, s, l);
        if (!t) continue;
        z->w[s] = malloc(sizeof(float) * (size_t)(rg_site_matrices(z->cfg, s) * t->rows * t->cols));
        ok = ok && z->w[s];
    }
    if (!ok) return rg_fail(err, RG_E_NOMEM, "quantize: out of memory for a layer in 32 bits");
    return rg_calib_open(z, err);
}

static rg_status check(const rg_ckpt *c, const rg_quantize_opts *o, rg_err *err)
{
    if (!rg_quantizer_calibrates(o)) return RG_OK;
    const rg_config *cfg = rg_ckpt_config(c);
    if (o->method == RG_QUANT_GPTQ && !rg_factor_available())
        return rg_fail(err, RG_E_UNSUPPORTED,
            "gptq: there is no LAPACK; install libopenblas-dev and configure with RIDGE_BLAS=ON, or use awq "
            "or "
            "mse");
    if (o->n_windows < 1 || o->window < 1 || o->window > cfg->ctx_train)
        return rg_fail(err, RG_E_USAGE,
            "calibration: %lld windows of %lld tokens, expected at least one of 1 to %lld",
            (long long)o->n_windows, (long long)o->window, (long long)cfg->ctx_train);
    for (int64_t i = 0; i < o->n_windows * o->window; i++)
        if (o->calib[i] < 0 || o->calib[i] >= cfg->vocab)
            return rg_fail(err, RG_E_USAGE, "calibration: token %lld is %d, expected 0 to %lld", (long long)i,
                o->calib[i], (long long)cfg->vocab - 1);
    return RG_OK;
}

static void tell(const rg_quantize_opts *o, double done)
{
    if (o->engine.progress) o->engine.progress(o->engine.progress_user, "quantising", done);
}

rg_status rg_quantize(
    const rg_ckpt *c, const rg_quantize_opts *o, rg_quantized_fn *fn, void *user, rg_err *err)
{
    rg_quantizer z = {.c = c, .cfg = rg_ckpt_config(c), .o = o, .fn = fn, .user = user};
    rg_quantize_plan *plan = NULL;
    rg_topo topo;
    size_t n = 0;
    const int *cpus;
    const rg_isa isa = o->engine.plain_c ? RG_ISA_C : rg_isa_capped(o->engine.isa_cap);
    rg_status st = check(c, o, err);
    if (st || (st = rg_quantize_plan_make(&plan, &n, c, o, err))) return st;
    rg_kernels_select(&z.k, isa, false);
    rg_topo_read(&topo);
    z.threads = rg_topo_place(&topo, rg_team_has_openmp() || o->engine.threads > 0 ? o->engine.threads : 1,
        !o->engine.no_pin, &cpus);
    if ((st = rg_team_open(&z.team, z.threads, cpus, &z.k, 4096, topo.l2_bytes, err))) goto out;
    if ((st = open_buffers(&z, plan, n, err))) goto out;
    for (int l = 0; l < z.cfg->layers && !st; l++) {
        tell(o, (double)l / (double)z.cfg->layers);
        st = do_layer(&z, l, err);
    }
    for (size_t i = 0; i < n && !st; i++)
        if (plan[i].layer < 0) st = do_top(&z, &plan[i], err);
    if (!st) tell(o, 1.0);
out:
    rg_calib_close(&z);
    for (int s = 0; s < RG_SITE_COUNT; s++) free(z.w[s]);
    free(z.one);
    free(z.q.code);
    free(z.q.scale);
    free(z.q.offset);
    free(z.head);
    rg_team_close(z.team);
    free(plan);
    return st;
}
