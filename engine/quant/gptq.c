/* Second-order error compensation (E. Frantar et al., GPTQ, 2022). Columns are rounded in turn; the free
 * columns undo what each one changed in the output. With U^T U = H^-1, rounding column i by e moves a free
 * column j by -e U[i][j] / U[i][i]. */
#include "quant/quant.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert(RG_Q_BLOCK % 128 == 0, "a block is a whole number of groups");

/* Columns [b0, b1) of one row. errs[j], for the update beyond them: minus the error of column b0 + j over U's
 * diagonal. */
static void block_of_row(const rg_ktab *t, rg_qtensor *q, int64_t r, float *w, const float *u, int64_t ld,
    int64_t b0, int64_t b1, float *errs, rg_qstats *st)
{
    const int64_t g = q->spec.group, groups = q->cols / g;
    uint8_t unused[128];
    for (int64_t i = b0; i < b1; i++) {
        uint16_t *s = &q->scale[r * groups + i / g], *o = &q->offset[r * groups + i / g];
        if (i % g == 0) rg_q_group(t, q->spec, true, unused, s, o, w + i);
        const uint8_t code = rg_q_round(q->spec.kind, w[i], *s, *o, &st->clipped);
        const float value = rg_q_weight(q->spec.kind, code, *s, *o), e = -(w[i] - value) / u[i * ld + i];
        q->code[r * q->cols + i] = code;
        w[i] = value;
        errs[i - b0] = e;
        for (int64_t j = i + 1; j < b1; j++) w[j] += e * u[i * ld + j];
    }
}

void rg_gptq_rows(const rg_ktab *t, rg_qtensor *q, float *w, const float *u, int64_t ld, float *rest,
    int64_t r0, int64_t r1, rg_qstats *stats)
{
    const int64_t k = q->cols;
    for (int64_t r = r0; r < r1; r += RG_Q_TILE) {
        const int64_t n = rg_min(RG_Q_TILE, r1 - r);
        for (int64_t b0 = 0; b0 < k; b0 += RG_Q_BLOCK) {
            const int64_t b1 = rg_min(b0 + RG_Q_BLOCK, k);
            for (int64_t i = 0; i < n; i++)
                block_of_row(t, q, r + i, w + (r + i) * k, u, ld, b0, b1, rest + i * RG_Q_BLOCK, stats);
            if (b1 < k)
                t->mm(w + r * k + b1, k, rest, RG_Q_BLOCK, u + b0 * ld + b1, ld, n, b1 - b0, k - b1, true);
        }
        stats->n += n * k;
    }
}
