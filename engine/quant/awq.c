/* Second moments of activations, and activation-aware scales (J. Lin et al., AWQ, 2023): a channel with large
 * activations gets finer steps. Its weights are multiplied before rounding, its activations divided by as
 * much. */
#include "quant/quant.h"

#include <math.h>
#include <string.h>

void rg_moments_add(const rg_ktab *t, float *h, int64_t ld, const float *xt, const float *x, int64_t ldx,
    int64_t m, int64_t k, int64_t r0, int64_t r1)
{
    /* panels of columns: the kernel's b stays in the private cache while the rows of H pass */
    enum { COLS = 128 };
    for (int64_t c = 0; c < k; c += COLS)
        t->mm(h + r0 * ld + c, ld, xt + r0 * m, m, x + c, ldx, r1 - r0, m, rg_min(COLS, k - c), true);
}

double rg_moments_error(
    const rg_ktab *t, const float *d, int64_t rows, int64_t k, const float *h, int64_t ld, float *tmp)
{
    double sum = 0.0;
    for (int64_t r = 0; r < rows; r += RG_Q_TILE) {
        const int64_t n = rg_min(RG_Q_TILE, rows - r);
        t->mm(tmp, ld, d + r * k, k, h, ld, n, k, k, false);
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < k; c++) sum += (double)d[(r + i) * k + c] * (double)tmp[i * ld + c];
    }
    return sum;
}

void rg_awq_scales(float *s, const double *mean_abs, const double *weight_abs, int64_t k, double alpha)
{
    double lo = INFINITY, hi = 0.0;
    for (int64_t i = 0; i < k; i++) {
        const double w = weight_abs ? pow(fmax(weight_abs[i], 1e-8), 1.0 - alpha) : 1.0,
                     v = fmax(pow(fmax(mean_abs[i], 1e-8), alpha) / w, 1e-4);
        s[i] = (float)v;
        lo = fmin(lo, v);
        hi = fmax(hi, v);
    }
    const double norm = sqrt(lo * hi);
    for (int64_t i = 0; i < k; i++) s[i] = (float)((double)s[i] / norm);
}

double rg_awq_error(const rg_ktab *t, rg_qspec spec, const float *w, int64_t rows, int64_t k, const float *s,
    const float *h, int64_t ld, float *d, float *tmp, uint8_t *code, uint16_t *grid)
{
    for (int64_t r = 0; r < rows; r++) {
        float *row = d + r * k;
        for (int64_t c = 0; c < k; c++) row[c] = w[r * k + c] * s[c];
        for (int64_t c = 0; c < k; c += spec.group) {
            rg_q_group(t, spec, true, code, &grid[0], &grid[1], row + c);
            for (int i = 0; i < spec.group; i++)
                row[c + i] = rg_q_weight(spec.kind, code[i], grid[0], grid[1]) / s[c + i] - w[r * k + c + i];
        }
    }
    return rg_moments_error(t, d, rows, k, h, ld, tmp);
}
