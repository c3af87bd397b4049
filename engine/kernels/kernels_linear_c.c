/* Plain C specification of the linear kernels. */
#include "kernels/kernel_rows.h"

/* Columns dequantised at a time: one group, or some of the float types. */
enum { FLOAT_RUN = 32, RUN_MAX = 128 };

/* decode_*: columns [c0, c0 + kc) of a panel, a run or its begin, to dst[kc][32]. */
typedef void decode_fn(float *dst, int64_t ld, const unsigned char *panel, int64_t c0, int64_t kc);

static void decode_f32(float *dst, int64_t ld, const unsigned char *panel, int64_t c0, int64_t kc)
{
    for (int64_t c = 0; c < kc; c++) memcpy(dst + c * ld, panel + (c0 + c) * 4 * RG_PANEL, 4 * RG_PANEL);
}

static void decode_f16(float *dst, int64_t ld, const unsigned char *panel, int64_t c0, int64_t kc)
{
    for (int64_t c = 0; c < kc; c++)
        for (int i = 0; i < RG_PANEL; i++) dst[c * ld + i] = rg_half_at(panel, (c0 + c) * RG_PANEL + i);
}

static void decode_bf16(float *dst, int64_t ld, const unsigned char *panel, int64_t c0, int64_t kc)
{
    const unsigned char *g = rg_lines_at(RG_WT_BF16, panel, c0);
    for (int64_t c = 0; c < kc; c++)
        for (int i = 0; i < RG_PANEL; i++)
            dst[c * ld + i] = rg_bf16_to_f32(rg_u16_at(g, i / 16 * 512 + c / 2 * 32 + i % 16 * 2 + c % 2));
}

/* bits, has_min: constants to the compiler */
static inline void decode_quant(rg_wtype type, float *dst, int64_t ld, const unsigned char *panel, int64_t c0,
    int64_t kc, int bits, bool has_min, int64_t group)
{
    const unsigned char *lines = rg_lines_at(type, panel, c0);
    float scale[RG_PANEL], min[RG_PANEL];
    for (int i = 0; i < RG_PANEL; i++) {
        scale[i] = rg_scale_at(type, panel, c0, 0, i);
        min[i] = has_min ? rg_scale_at(type, panel, c0, 1, i) : 0.0f;
    }
    for (int64_t c = 0; c < kc; c++, dst += ld)
        for (int i = 0; i < RG_PANEL; i++) {
            const float v = (float)rg_code_at(bits, has_min, group, lines, i, c) * scale[i];
            dst[i] = has_min ? v + min[i] : v;
        }
}

#define DECODE(TYPE, type, codes, group, block, head, line, bits, has_min, ...) \
    static void decode_##type(float *dst, int64_t ld, const unsigned char *panel, int64_t c0, int64_t kc) \
    { \
        decode_quant(RG_WT_##TYPE, dst, ld, panel, c0, kc, bits, has_min, group); \
    }
RG_WTYPES_QUANT(DECODE, )

static void unpack(rg_wtype type, decode_fn *decode, int64_t run, float *dst, int64_t ld,
    const unsigned char *w, int64_t k, int64_t p, int64_t k0, int64_t k1)
{
    const unsigned char *panel = w + p * rg_panel_bytes(type, k);
    for (int64_t c = k0; c < k1; c += run) decode(dst + (c - k0) * ld, ld, panel, c, rg_min(run, k1 - c));
}

static void gemv(rg_wtype type, decode_fn *decode, int64_t run, float *y, int64_t ldy, const float *x,
    int64_t ldx, int64_t m, const void *w, int64_t n, int64_t k, int64_t p0, int64_t p1)
{
    for (int64_t p = p0; p < p1; p++) {
        float block[RUN_MAX][RG_PANEL], acc[RG_GEMV_MAX][RG_PANEL] = {{0.0f}};
        for (int64_t c = 0; c < k; c += run) {
            const int64_t kc = rg_min(run, k - c);
            unpack(type, decode, run, block[0], RG_PANEL, w, k, p, c, c + kc);
            for (int64_t t = 0; t < m; t++)
                for (int64_t j = 0; j < kc; j++)
                    for (int i = 0; i < RG_PANEL; i++) acc[t][i] += block[j][i] * x[t * ldx + c + j];
        }
        for (int64_t t = 0; t < m; t++)
            memcpy(y + t * ldy + p * RG_PANEL, acc[t],
                (size_t)rg_min(RG_PANEL, n - p * RG_PANEL) * sizeof(float));
    }
}

#define LINEAR(TYPE, type, run) \
    void rg_unpack_##type##__c( \
        float *dst, int64_t ld, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1) \
    { \
        unpack(RG_WT_##TYPE, decode_##type, run, dst, ld, w, k, p, k0, k1); \
    } \
    void rg_gemv_##type##__c(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t m, const void *w, \
        int64_t n, int64_t k, int64_t p0, int64_t p1) \
    { \
        gemv(RG_WT_##TYPE, decode_##type, run, y, ldy, x, ldx, m, w, n, k, p0, p1); \
    }
static void mmw(decode_fn *decode, float *y, int64_t ldy, const float *x, int64_t ldx, const void *b,
    int64_t m, int64_t kb, int64_t n, bool acc)
{
    for (int64_t t = 0; t < m; t++) {
        float block[FLOAT_RUN][RG_PANEL], sum[RG_PANEL] = {0.0f};
        for (int64_t c = 0; c < kb; c += FLOAT_RUN) {
            const int64_t kc = rg_min(FLOAT_RUN, kb - c);
            decode(block[0], RG_PANEL, b, c, kc);
            for (int64_t j = 0; j < kc; j++)
                for (int i = 0; i < RG_PANEL; i++) sum[i] += x[t * ldx + c + j] * block[j][i];
        }
        for (int64_t i = 0; i < n; i++) y[t * ldy + i] = acc ? y[t * ldy + i] + sum[i] : sum[i];
    }
}

#define LINEAR_FLOAT(TYPE, type, ...) \
    LINEAR(TYPE, type, FLOAT_RUN) \
    void rg_mmw_##type##__c(float *y, int64_t ldy, const float *x, int64_t ldx, const void *b, int64_t m, \
        int64_t kb, int64_t n, bool acc) \
    { \
        mmw(decode_##type, y, ldy, x, ldx, b, m, kb, n, acc); \
    }
#define LINEAR_QUANT(TYPE, type, codes, group, ...) LINEAR(TYPE, type, group)
RG_WTYPES_FLOAT(LINEAR_FLOAT, )
RG_WTYPES_QUANT(LINEAR_QUANT, )

void rg_mm__c(float *y, int64_t ldy, const float *x, int64_t ldx, const float *b, int64_t ldb, int64_t m,
    int64_t kb, int64_t n, bool acc)
{
    for (int64_t t = 0; t < m; t++)
        for (int64_t r0 = 0; r0 < n; r0 += RG_PANEL) {
            const int64_t rows = rg_min(RG_PANEL, n - r0);
            float sum[RG_PANEL] = {0.0f};
            for (int64_t j = 0; j < kb; j++)
                for (int i = 0; i < RG_PANEL; i++) sum[i] += x[t * ldx + j] * b[j * ldb + r0 + i];
            for (int64_t i = 0; i < rows; i++)
                y[t * ldy + r0 + i] = acc ? y[t * ldy + r0 + i] + sum[i] : sum[i];
        }
}
