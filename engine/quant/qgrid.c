/* Rows to codes. */
#include "quant/quant.h"

#include <math.h>
#include <string.h>

#define HALF_MAX 65504.0f

static float clamp(float v, float lo, float hi)
{
    v = v < hi ? v : hi;
    return v > lo ? v : lo;
}

/* The half nearest to f; a scale must never become infinite. */
static uint16_t half(float f) { return rg_f32_to_f16(clamp(f, -HALF_MAX, HALF_MAX)); }
static float inverse(float s) { return s > 0.0f || s < 0.0f ? 1.0f / s : 0.0f; }

uint8_t rg_q_round(rg_qkind kind, float w, uint16_t scale, uint16_t offset, int64_t *clipped)
{
    const float inv = inverse(rg_f16_to_f32(scale));
    static const float ends[][2] = {[RG_QK_SYM4] = {-8.0f, 7.0f},
        [RG_QK_MIN4] = {0.0f, 15.0f},
        [RG_QK_ZERO4] = {0.0f, 15.0f},
        [RG_QK_SYM8] = {-127.0f, 127.0f}};
    const float lo = ends[kind][0], hi = ends[kind][1];
    const float v = kind == RG_QK_MIN4 ? (w - rg_f16_to_f32(offset)) * inv
        : kind == RG_QK_ZERO4          ? w * inv + (float)offset
                                       : w * inv;
    /* beyond the end by more than the rounding */
    if (clipped) *clipped += v > hi + 0.5f || v < lo - 0.5f;
    const int q = (int)rintf(clamp(v, lo, hi));
    return (uint8_t)(kind == RG_QK_SYM4 ? q + 8 : q);
}

static void extent(const float *w, int n, float *lo, float *hi)
{
    *lo = *hi = w[0];
    for (int i = 1; i < n; i++) {
        if (w[i] < *lo) *lo = w[i];
        if (w[i] > *hi) *hi = w[i];
    }
}

/* Squared error of a grid over a group. */
static float grid_error(rg_qkind kind, const float *w, int n, uint16_t scale, uint16_t offset)
{
    float e = 0.0f;
    for (int i = 0; i < n; i++) {
        const float d = w[i] - rg_q_weight(kind, rg_q_round(kind, w[i], scale, offset, NULL), scale, offset);
        e += d * d;
    }
    return e;
}

/* Whole zero points: the range, zero included, shrunk at both ends. The kernels have no such kind. */
static void fit_zero(bool search, uint16_t *scale, uint16_t *offset, const float *w, int n)
{
    enum { BELOW = 5, ABOVE = 8 };
    static const float below[BELOW] = {0.0f, 0.03f, 0.065f, 0.11f, 0.16f},
                       above[ABOVE] = {0.0f, 0.015f, 0.03f, 0.045f, 0.065f, 0.085f, 0.11f, 0.15f};
    float lo, hi, best = INFINITY;
    extent(w, n, &lo, &hi);
    lo = lo < 0.0f ? lo : 0.0f;
    hi = hi > 0.0f ? hi : 0.0f;
    for (int b = 0; b < (search ? BELOW : 1); b++)
        for (int a = 0; a < (search ? ABOVE : 1); a++) {
            const float l = lo * (1.0f - below[b]), h = hi * (1.0f - above[a]);
            const uint16_t s = half((h - l) / 15.0f);
            const uint16_t z = (uint16_t)rintf(clamp(-l * inverse(rg_f16_to_f32(s)), 0.0f, 15.0f));
            const float e = search ? grid_error(RG_QK_ZERO4, w, n, s, z) : 0.0f;
            if (!(e < best)) continue;
            best = e;
            *scale = s;
            *offset = z;
        }
}

/* The grid that spans the weights. */
static void span(rg_qkind kind, uint16_t *scale, uint16_t *offset, const float *w, int n)
{
    float lo, hi;
    extent(w, n, &lo, &hi);
    *offset = 0;
    if (kind == RG_QK_SYM4) {
        *scale = half((-lo > hi ? lo : hi) / -8.0f); /* the larger end takes -8 */
    } else if (kind == RG_QK_SYM8) {
        *scale = half((-lo > hi ? -lo : hi) / 127.0f);
    } else {
        *offset = half(lo);
        *scale = half((hi - rg_f16_to_f32(*offset)) / 15.0f);
    }
}

void rg_q_group(const rg_ktab *t, rg_qspec spec, bool search, uint8_t *code, uint16_t *scale,
    uint16_t *offset, const float *w)
{
    *offset = 0;
    if (search && spec.kind != RG_QK_ZERO4) {
        rg_quant_fn *quant = spec.kind == RG_QK_SYM8 ? t->quant_q8
            : spec.kind == RG_QK_MIN4                ? t->quant_q4m
                                                     : t->quant_q4;
        quant(code, scale, offset, w, spec.group);
        return;
    }
    if (spec.kind == RG_QK_ZERO4)
        fit_zero(search, scale, offset, w, spec.group);
    else
        span(spec.kind, scale, offset, w, spec.group);
    for (int i = 0; i < spec.group; i++) code[i] = rg_q_round(spec.kind, w[i], *scale, *offset, NULL);
}

static void count(
    rg_qstats *s, rg_qspec spec, const float *w, const uint8_t *code, uint16_t scale, uint16_t offset)
{
    for (int i = 0; i < spec.group; i++) {
        const double d = (double)w[i] - (double)rg_q_weight(spec.kind, code[i], scale, offset);
        s->err2 += d * d;
        s->w2 += (double)w[i] * (double)w[i];
        (void)rg_q_round(spec.kind, w[i], scale, offset, &s->clipped);
    }
    s->n += spec.group;
}

void rg_q_rows(const rg_ktab *t, bool search, rg_qtensor *q, float *w, bool replace, int64_t r0, int64_t r1,
    rg_qstats *stats)
{
    const int64_t g = q->spec.group, groups = q->cols / g;
    for (int64_t r = r0; r < r1; r++) {
        for (int64_t k = 0; k < groups; k++) {
            const float *src = w + r * q->cols + k * g;
            uint8_t *code = q->code + r * q->cols + k * g;
            uint16_t *s = &q->scale[r * groups + k], *o = &q->offset[r * groups + k];
            rg_q_group(t, q->spec, search, code, s, o, src);
            count(stats, q->spec, src, code, *s, *o);
        }
        if (replace) rg_q_row_f32(q, r, w + r * q->cols);
    }
}

void rg_q_row_f32(const rg_qtensor *q, int64_t row, float *dst)
{
    const int64_t g = q->spec.group, groups = q->cols / g;
    for (int64_t c = 0; c < q->cols; c++)
        dst[c] = rg_q_weight(q->spec.kind, q->code[row * q->cols + c], q->scale[row * groups + c / g],
            q->offset[row * groups + c / g]);
}
