#include <assert.h>

#include "base/num.h"
#include "exec/drive.h"

/* Blocking of the many-token product. A panel group is dequantised for KB columns into L2, then meets MT rows of x at a time, so that x
 * comes from beyond the private cache once per group and each weight once per call. BLAS wants wider blocks: it packs them itself. */
enum { NP = 4, KB = 256, MT = 48, BLAS_NP = 8, BLAS_KB = 1024 };
static_assert(KB % 128 == 0 && BLAS_KB % 128 == 0, "a block is a whole number of groups");

static size_t gemm_scratch(const rg_ktab *k) { return sizeof(float) * RG_PANEL * (k->blas ? BLAS_NP * BLAS_KB : NP * KB); }

static void gemv(rg_ctx *cx, float *y, const float *x, const rg_weight *w, int64_t m, int64_t p0, int64_t p1)
{
    cx->k->gemv[w->type](y, w->n, x, w->k, m, w->data, w->n, w->k, p0, p1);
    cx->tally.w_rd += (uint64_t)((p1 - p0) * rg_panel_bytes(w->type, w->k));
    cx->tally.act_rd += (uint64_t)(4 * m * w->k);
    cx->tally.flop += (uint64_t)(2 * m * (p1 - p0) * RG_PANEL * w->k);
}

static void gemm(rg_ctx *cx, float *y, const float *x, const rg_weight *w, int64_t m, int64_t p0, int64_t p1)
{
    const rg_ktab *t = cx->k;
    const int64_t np = t->blas ? BLAS_NP : NP, kb = t->blas ? BLAS_KB : KB;
    float *b = (float *)(void *)cx->scratch;
    for (int64_t p = p0; p < p1; p += np) {
        const int64_t pe = rg_min(p + np, p1), cols = rg_min(pe * RG_PANEL, w->n) - p * RG_PANEL;
        for (int64_t k0 = 0; k0 < w->k; k0 += kb) {
            const int64_t k1 = rg_min(k0 + kb, w->k), panel = kb * RG_PANEL;
            const int64_t ld = t->blas ? np * RG_PANEL : RG_PANEL;
            for (int64_t i = p; i < pe; i++) t->unpack[w->type](b + (i - p) * (t->blas ? RG_PANEL : panel), ld, w->data, w->k, i, k0, k1);
            float *yb = y + p * RG_PANEL;
            if (t->blas) {
                t->mm(yb, w->n, x + k0, w->k, b, ld, m, k1 - k0, cols, k0 > 0);
            } else {
                for (int64_t r = 0; r < m; r += MT)
                    for (int64_t i = p; i < pe; i++)
                        t->mm(yb + r * w->n + (i - p) * RG_PANEL, w->n, x + r * w->k + k0, w->k, b + (i - p) * panel, ld, rg_min(MT, m - r), k1 - k0,
                            rg_min(RG_PANEL, w->n - i * RG_PANEL), k0 > 0);
            }
        }
        /* y of the group, m * cols floats, is revisited per k block: past the private cache only if it does not stay there */
        if (4 * m * cols > cx->l2_bytes / 2) {
            const uint64_t again = (uint64_t)(rg_div_up(w->k, kb) - 1) * (uint64_t)(4 * m * cols);
            cx->tally.act_rd += again;
            cx->tally.act_wr += again;
        }
        cx->tally.w_rd += (uint64_t)((pe - p) * rg_panel_bytes(w->type, w->k));
        cx->tally.act_rd += (uint64_t)(4 * m * w->k);
        cx->tally.flop += (uint64_t)(2 * m * (pe - p) * RG_PANEL * w->k);
    }
}

void rg_linear(rg_ctx *cx, rg_site site, float *y, const float *x, const rg_weight *w, int64_t m, bool barrier)
{
    int64_t r0, r1;
    rg_part(cx, w->n, RG_PANEL, &r0, &r1);
    const int64_t p0 = r0 / RG_PANEL, p1 = rg_div_up(r1, RG_PANEL);
    const bool few = m <= RG_GEMV_MAX;
    if (p1 > p0) {
        if (few)
            gemv(cx, y, x, w, m, p0, p1);
        else
            gemm(cx, y, x, w, m, p0, p1);
        cx->tally.act_wr += (uint64_t)(4 * m * (r1 - r0));
    }
    rg_op_end(cx, &(rg_op_desc){.site = site,
                      .dims = {.m = m, .k = w->k, .n = w->n},
                      .wtype = w->type,
                      .kv_k = RG_KV_COUNT,
                      .kv_v = RG_KV_COUNT,
                      .isa = few ? cx->k->gemv_isa[w->type] : cx->k->mm_isa,
                      .kernel = few           ? RG_KK_GEMV
                                : cx->k->blas ? RG_KK_BLAS
                                              : RG_KK_GEMM,
                      .barrier = barrier});
}

size_t rg_drive_scratch(const rg_ktab *k)
{
    /* attention: queries and accumulators of RG_ATTN_NQ rows (head size at most 1024), scores of one chunk, maxima and sums */
    const size_t attn = sizeof(float) * RG_ATTN_NQ * (3 * 1024 + RG_ATTN_CHUNK + 4);
    return (size_t)rg_round_up(rg_max((int64_t)attn, (int64_t)gemm_scratch(k)), 4096);
}
