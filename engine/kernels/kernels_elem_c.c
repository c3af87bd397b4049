/* Plain C specification of the elementwise and row kernels. */
#include "kernels/kernel_rows.h"

#include <math.h>

void rg_softmax__c(float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    float most = -INFINITY, total = 0.0f;
    for (int64_t i = 0; i < n; i++)
        if (s[i] > most) most = s[i];
    for (int64_t i = 0; i < n; i++) {
        s[i] = expf(s[i] - most);
        total += s[i];
    }
    for (int64_t i = n; i < n_pad; i++) s[i] = 0.0f;
    *max = most;
    *sum = total;
}

/* The sum of squares is in double at every level: it costs nothing here, and activations of 1e20 do not overflow. */
void rg_rmsnorm__c(float *y, const float *x, const float *w, int64_t k, float eps)
{
    double sum = 0.0;
    for (int64_t i = 0; i < k; i++) sum += (double)x[i] * (double)x[i];
    const float scale = (float)(1.0 / sqrt(sum / (double)k + (double)eps));
    for (int64_t i = 0; i < k; i++) y[i] = x[i] * scale * w[i];
}

void rg_rope__c(float *x, int64_t heads, int64_t hd, const float *cs, const float *sn)
{
    const int64_t half = hd / 2;
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

void rg_add__c(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}
