/* Calibration of experts: what each of them reads, of the tokens that chose it alone. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/quantizer.h"

static size_t x_bytes(const rg_quantizer *z)
{
    return sizeof(float) * (size_t)(rg_quantizer_tokens(z) * z->cfg->dim);
}
static size_t act_bytes(const rg_quantizer *z)
{
    return sizeof(float) * (size_t)(rg_expert_rows(z->cfg, rg_quantizer_tokens(z)) * z->cfg->expert_ffn);
}

rg_status rg_routed_open(rg_quantizer *z, rg_err *err)
{
    const rg_config *c = z->cfg;
    rg_routed *r = &z->routed;
    if (c->experts == 0) return RG_OK;
    const int64_t tokens = rg_quantizer_tokens(z);
    const size_t rows = (size_t)rg_expert_rows(c, tokens);
    if (tokens > INT32_MAX / c->experts_used)
        return rg_fail(err, RG_E_USAGE, "calibration: %lld tokens to %lld experts each are too many",
            (long long)tokens, (long long)c->experts_used);
    r->x = rg_big_alloc(x_bytes(z));
    r->act = rg_big_alloc(act_bytes(z));
    r->expert = malloc(rows * sizeof *r->expert);
    r->token = malloc(rows * sizeof *r->token);
    r->row = malloc(rows * sizeof *r->row);
    r->first = calloc((size_t)c->experts + 1, sizeof *r->first);
    const bool ok = r->x && r->act && r->expert && r->token && r->row && r->first &&
        !rg_moments_open(&r->of_x, c->dim, z->o->window) &&
        !rg_moments_open(&r->of_act, c->expert_ffn, z->o->window);
    return ok ? RG_OK
              : rg_fail(err, RG_E_NOMEM,
                    "calibration: out of memory for what experts read of %lld tokens (%.1f MiB): use a "
                    "smaller --calib-tokens",
                    (long long)tokens, (double)(x_bytes(z) + act_bytes(z)) / 1048576.0);
}

void rg_routed_close(rg_quantizer *z)
{
    rg_routed *r = &z->routed;
    if (r->x) rg_big_free(r->x, x_bytes(z));
    if (r->act) rg_big_free(r->act, act_bytes(z));
    free(r->expert);
    free(r->token);
    free(r->row);
    free(r->first);
    rg_moments_close(&r->of_x, z->o->window);
    rg_moments_close(&r->of_act, z->o->window);
    *r = (rg_routed){0};
}

void rg_routed_see(rg_quantizer *z, const rg_seen *s, int64_t at)
{
    rg_routed *r = &z->routed;
    const size_t bytes = sizeof(float) * (size_t)(s->rows * s->cols);
    if (!r->x) return;
    if (s->site == rg_site_input(RG_SITE_FFN_GATE_EXPS)) memcpy(r->x + at * s->cols, s->data, bytes);
    if (s->site != rg_site_input(RG_SITE_FFN_DOWN_EXPS)) return;
    memcpy(r->act + r->n * s->cols, s->data, bytes);
    for (int64_t i = 0; i < s->experts; i++)
        for (int64_t t = s->first[i]; t < s->first[i + 1]; t++) {
            r->expert[r->n + t] = s->expert[i];
            r->token[r->n + t] = (int32_t)(at + s->token[t]);
        }
    r->n += s->rows;
}

void rg_routed_sort(rg_quantizer *z)
{
    rg_routed *r = &z->routed;
    const int64_t experts = z->cfg->experts;
    if (!r->x) return;
    memset(r->first, 0, sizeof *r->first * (size_t)(experts + 1));
    for (int64_t i = 0; i < r->n; i++) r->first[r->expert[i] + 1]++;
    for (int64_t e = 0; e < experts; e++) r->first[e + 1] += r->first[e];
    for (int64_t i = 0; i < r->n; i++) r->row[r->first[r->expert[i]]++] = (int32_t)i;
    memmove(r->first + 1, r->first, sizeof *r->first * (size_t)experts); /* each moved to its end */
    r->first[0] = 0;
}

int64_t rg_routed_tokens(const rg_quantizer *z, int expert)
{
    const rg_routed *r = &z->routed;
    return r->x ? r->first[expert + 1] - r->first[expert] : -1;
}

static bool reads_act(rg_site linear)
{
    return rg_site_input(linear) == rg_site_input(RG_SITE_FFN_DOWN_EXPS);
}

rg_moments *rg_routed_input(rg_quantizer *z, rg_site linear, int expert)
{
    rg_routed *r = &z->routed;
    const bool act = reads_act(linear);
    rg_moments *m = act ? &r->of_act : &r->of_x;
    const int64_t end = r->first[expert + 1];
    rg_moments_start(m);
    for (int64_t i = r->first[expert]; i < end; i += z->o->window) {
        const int64_t n = rg_min(z->o->window, end - i);
        for (int64_t t = 0; t < n; t++) {
            const int32_t row = r->row[i + t];
            memcpy(m->x + t * m->ld, act ? r->act + row * m->k : r->x + r->token[row] * m->k,
                sizeof *m->x * (size_t)m->k);
        }
        rg_moments_take(z, m, n);
    }
    if (m->n == 0) return NULL;
    rg_moments_finish(m);
    return m;
}

static void divide(float *x, const float *s, int64_t k)
{
    for (int64_t i = 0; i < k; i++) x[i] /= s[i];
}

void rg_routed_rescale(rg_quantizer *z, rg_site linear, int expert, const float *s)
{
    rg_routed *r = &z->routed;
    if (!r->x) return;
    if (reads_act(linear))
        for (int64_t i = r->first[expert]; i < r->first[expert + 1]; i++)
            divide(r->act + r->row[i] * r->of_act.k, s, r->of_act.k);
    else
        for (int64_t t = 0; t < rg_quantizer_tokens(z); t++) divide(r->x + t * r->of_x.k, s, r->of_x.k);
}
