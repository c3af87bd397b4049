/* Plain C specification of the elementwise and row kernels. */
#include "kernels/kernel_rows.h"

#include <math.h>

static float largest(const float *s, int64_t n)
{
    float most = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (s[i] > most) most = s[i];
    return most;
}

void rg_softmax__c(float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    const float most = largest(s, n);
    float total = 0.0f;
    for (int64_t i = 0; i < n; i++) {
        s[i] = expf(s[i] - most);
        total += s[i];
    }
    for (int64_t i = n; i < n_pad; i++) s[i] = 0.0f;
    *max = most;
    *sum = total;
}

/* To nearest, ties away from zero: no difference that matters, one operation instead of three. */
static float bf16_nearest(float v) { return rg_f32_from_bits((rg_f32_bits(v) + 0x8000u) & 0xffff0000u); }

void rg_softmax_bf16__c(
    uint16_t *p, int64_t low, const float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    const float most = largest(s, n);
    float total = 0.0f;
    for (int64_t i = 0; i < n_pad; i++) {
        const float e = i < n ? expf(s[i] - most) : 0.0f, high = bf16_nearest(e);
        p[i] = (uint16_t)(rg_f32_bits(high) >> 16);
        if (low) p[low + i] = (uint16_t)(rg_f32_bits(bf16_nearest(e - high)) >> 16);
        total += e;
    }
    *max = most;
    *sum = total;
}

/* The sum of squares is in double at every level: activations of 1e20 do not overflow. */
void rg_rmsnorm__c(float *y, const float *x, const float *w, int64_t k, float eps)
{
    double sum = 0.0;
    for (int64_t i = 0; i < k; i++) sum += (double)x[i] * (double)x[i];
    const float scale = (float)(1.0 / sqrt(sum / (double)k + (double)eps));
    for (int64_t i = 0; i < k; i++) y[i] = x[i] * scale * w[i];
}

void rg_rope__c(float *x, int64_t heads, int64_t hd, int64_t rot, const float *cs, const float *sn)
{
    const int64_t half = rot / 2;
    for (int64_t h = 0; h < heads; h++, x += hd)
        for (int64_t i = 0; i < half; i++) {
            const float a = x[i], b = x[half + i];
            x[i] = a * cs[i] - b * sn[i];
            x[half + i] = b * cs[i] + a * sn[i];
        }
}

void rg_swiglu__c(float *y, const float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

/* 0.5 (1 + tanh(z)) is the logistic function of 2 z: one exponential. */
void rg_geglu__c(float *y, const float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float g = gate[i], z = RG_GELU_SLOPE * (g + RG_GELU_CUBE * g * g * g);
        y[i] = g / (1.0f + expf(-z)) * up[i];
    }
}

/* What is not a number stays so. */
void rg_clampglu__c(float *y, const float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float g = gate[i] > RG_CLAMP ? RG_CLAMP : gate[i],
                    u = up[i] > RG_CLAMP ? RG_CLAMP
            : up[i] < -RG_CLAMP          ? -RG_CLAMP
                                         : up[i];
        y[i] = g / (1.0f + expf(-RG_CLAMP_SLOPE * g)) * (u + 1.0f);
    }
}

void rg_softcap__c(float *x, int64_t n, float cap)
{
    for (int64_t i = 0; i < n; i++) x[i] = cap * tanhf(x[i] / cap);
}

void rg_add__c(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}
