/* Plain C specification of products on tiles, without tiles: see kernels.h. */
#include "kernels/kernel_rows.h"

void rg_tiles_on__c(void *state, int64_t m, int64_t row_bytes) { (void)state, (void)m, (void)row_bytes; }
void rg_tiles_off__c(void *state) { (void)state; }

void rg_tile_mm__c(void *state, float *acc, int64_t lda, const void *x, int64_t ldx, int64_t low,
    const uint16_t *b, int64_t m, int64_t kb, int products, rg_tile_reuse keep, bool first)
{
    const int64_t tiles = products == 3 ? 2048 : 1024; /* values per 32 columns of b */
    (void)state, (void)keep;
    for (int64_t t = 0; t < m; t++)
        for (int64_t i = 0; i < RG_PANEL; i++) {
            const char *row = (const char *)x + t * ldx;
            float sum = first ? 0.0f : acc[t * lda + i];
            for (int64_t j = 0; j < rg_round_up(kb, 32); j++) {
                const uint16_t *w = b + j / 32 * tiles + i / 16 * 512 + j % 32 / 2 * 32 + i % 16 * 2 + j % 2;
                const float xh = rg_bf16_to_f32(rg_u16_at(row, j)), wh = rg_bf16_to_f32(w[0]);
                sum += xh * wh;
                if (products == 3) sum += xh * rg_bf16_to_f32(w[1024]);
                if (products >= 2) sum += rg_bf16_to_f32(rg_u16_at(row + low, j)) * wh;
            }
            acc[t * lda + i] = sum;
        }
}

static void dot(rg_wtype type, int planes, float *acc, const char *x, int64_t ldx, int64_t m, const char *b,
    int64_t k, int64_t k0, int64_t k1, bool first)
{
    const int64_t group = rg_wtypes[type].group, kp = rg_x_padded(k, group), each = rg_u8_bytes(type);
    for (int64_t t = 0; t < m; t++)
        for (int64_t i = 0; i < RG_PANEL; i++) {
            const int8_t *q = (const int8_t *)x + t * ldx;
            float sum = first ? 0.0f : acc[t * RG_PANEL + i];
            for (int64_t c = k0; c < k1; c += group) {
                const char *head = b + (c - k0) / group * each;
                const int8_t *code = (const int8_t *)head + each - RG_PANEL * group;
                rg_xgroup xg;
                float scale, min;
                int32_t total = 0;
                memcpy(&xg, q + planes * kp + c / group * (int64_t)sizeof xg, sizeof xg);
                memcpy(&scale, head + 4 * i, sizeof scale);
                memcpy(&min, head + 4 * (RG_PANEL + i), sizeof min);
                for (int64_t j = 0; j < group; j++)
                    total += (planes == 2 ? 256 * q[c + j] + q[kp + c + j] : q[c + j]) *
                        code[(j / 4 * RG_PANEL + i) * 4 + j % 4];
                sum += (float)total * scale * xg.scale;
                if (rg_wtypes[type].has_min) sum += min * (xg.scale * (float)xg.sum);
            }
            acc[t * RG_PANEL + i] = sum;
        }
}

#define TILE_DOT(TYPE, type, bits, planes) \
    void rg_tile_dot##bits##_##type##__c(void *state, float *acc, const void *x, int64_t ldx, int64_t m, \
        const void *b, int64_t k, int64_t k0, int64_t k1, bool first) \
    { \
        (void)state; \
        dot(RG_WT_##TYPE, planes, acc, x, ldx, m, b, k, k0, k1, first); \
    }
#define TILE_DOTS(TYPE, type, ...) TILE_DOT(TYPE, type, 8, 1) TILE_DOT(TYPE, type, 16, 2)
RG_WTYPES_QUANT(TILE_DOTS, )
