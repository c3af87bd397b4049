/* Plain C specification of prepared activations and of their products: see kernels.h. */
#include "kernels/kernel_rows.h"

#include <math.h>

/* ---- preparing a row ---- */

/* limit: the code of the largest value of a group. */
static void prepare(void *dst, const float *x, int64_t k, int64_t group, int planes, float limit)
{
    const int64_t kp = rg_x_padded(k, group);
    int8_t *q = dst;
    rg_xgroup *g = (void *)((char *)dst + planes * kp);
    for (int64_t c = 0; c < kp; c += group, g++) {
        const int64_t n = rg_min(group, k - c);
        float most = 0.0f, bad = 0.0f;
        for (int64_t i = 0; i < n; i++) {
            most = fmaxf(most, fabsf(x[c + i]));
            bad += x[c + i] * 0.0f; /* NaN if x is not finite */
        }
        const bool zero = !(most >= 1e-30f) || isnan(bad);
        const float inv = zero ? 0.0f : limit / most;
        g->scale = (zero ? 0.0f : most / limit) + bad;
        g->sum = 0;
        for (int64_t i = 0; i < group; i++) {
            const int v = i < n && !zero ? (int)lrintf(x[c + i] * inv) : 0, high = (v + 128) >> 8;
            g->sum += v;
            q[c + i] = (int8_t)(planes == 2 ? high : v);
            if (planes == 2) q[kp + c + i] = (int8_t)(v - 256 * high);
        }
    }
}

void rg_prep_i8__c(void *dst, const float *x, int64_t k, int64_t group)
{
    prepare(dst, x, k, group, 1, 127.0f);
}
void rg_prep_i16__c(void *dst, const float *x, int64_t k, int64_t group)
{
    prepare(dst, x, k, group, 2, 32512.0f);
}

void rg_prep_bf16__c(void *dst, const float *x, int64_t k, int64_t group)
{
    (void)group;
    uint16_t *to = dst;
    for (int64_t i = 0; i < rg_x_padded(k, 32); i++) to[i] = i < k ? rg_f32_to_bf16(x[i]) : 0;
}

void rg_prep_bf16x2__c(void *dst, const float *x, int64_t k, int64_t group)
{
    (void)group;
    const int64_t kp = rg_x_padded(k, 32);
    uint16_t *to = dst;
    for (int64_t i = 0; i < kp; i++) {
        const float v = i < k ? x[i] : 0.0f;
        to[i] = rg_f32_to_bf16(v);
        to[kp + i] = rg_f32_to_bf16(v - rg_bf16_to_f32(to[i]));
    }
}

void rg_split_bf16__c(uint16_t *dst, const float *src, int64_t kb, int planes)
{
    for (int64_t j = 0; j < rg_round_up(kb, 32); j++)
        for (int64_t i = 0; i < RG_PANEL; i++) {
            const float v = j < kb ? src[j * RG_PANEL + i] : 0.0f;
            uint16_t *to = dst + j / 32 * planes * 1024 + i / 16 * 512 + j % 32 / 2 * 32 + i % 16 * 2 + j % 2;
            const uint16_t cut = (uint16_t)(rg_f32_bits(v) >> 16);
            to[0] = planes == 1 ? rg_f32_to_bf16(v) : cut;
            if (planes == 2) to[1024] = rg_f32_to_bf16(v - rg_bf16_to_f32(cut));
        }
}

void rg_pair_bf16__c(uint16_t *dst, const float *src, int64_t kb)
{
    for (int64_t j = 0; j < rg_round_up(kb, 2); j++)
        for (int64_t i = 0; i < RG_PANEL; i++)
            dst[(j / 2 * RG_PANEL + i) * 2 + j % 2] = j < kb ? rg_f32_to_bf16(src[j * RG_PANEL + i]) : 0;
}

/* ---- a group of a panel as unsigned codes ---- */

typedef struct codes {
    float scale[RG_PANEL], min[RG_PANEL];
    uint8_t u[128 * RG_PANEL]; /* [column / 4][row][column % 4] */
} codes;

static void read_codes(codes *to, rg_wtype type, const unsigned char *panel, int64_t c)
{
    const rg_wtype_info *t = &rg_wtypes[type];
    const unsigned char *lines = rg_lines_at(type, panel, c);
    const int offset = rg_code_offset(t->bits, t->has_min);
    for (int i = 0; i < RG_PANEL; i++) {
        to->scale[i] = rg_scale_at(type, panel, c, 0, i);
        to->min[i] = t->has_min ? rg_scale_at(type, panel, c, 1, i) : 0.0f;
    }
    for (int j = 0; j < t->group; j++)
        for (int i = 0; i < RG_PANEL; i++)
            to->u[(j / 4 * RG_PANEL + i) * 4 + j % 4] =
                (uint8_t)(rg_code_at(t->bits, t->has_min, t->group, lines, i, j) + offset);
}

static void unpack8(
    rg_wtype type, void *dst, const unsigned char *w, int64_t k, int64_t p, int64_t k0, int64_t k1)
{
    const rg_wtype_info *t = &rg_wtypes[type];
    const unsigned char *panel = w + p * rg_panel_bytes(type, k);
    char *to = dst;
    for (int64_t c = k0; c < k1; c += t->group) {
        codes g;
        read_codes(&g, type, panel, c);
        memcpy(to, g.scale, sizeof g.scale);
        if (t->has_min) memcpy(to + sizeof g.scale, g.min, sizeof g.min);
        memcpy(to + rg_u8_bytes(type) - RG_PANEL * t->group, g.u, (size_t)(RG_PANEL * t->group));
        to += rg_u8_bytes(type);
    }
}

static void codes8(rg_wtype type, void *dst, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1)
{
    const rg_wtype_info *t = &rg_wtypes[type];
    const int64_t each = rg_u8_bytes(type);
    unpack8(type, dst, w, k, p, k0, k1);
    for (unsigned char *g = dst; k0 < k1; k0 += t->group, g += each)
        for (int64_t i = each - RG_PANEL * t->group; i < each; i++)
            g[i] = (unsigned char)(g[i] - rg_code_offset(t->bits, t->has_min));
}

/* ---- products ---- */

/* acc[row] += the product of one group with columns [c, c + group) of a prepared row. */
static void add_group(
    float *acc, rg_wtype type, const codes *g, const char *x, int64_t kp, int64_t c, int planes)
{
    const rg_wtype_info *t = &rg_wtypes[type];
    const int8_t *q = (const int8_t *)x + c;
    const rg_xgroup *xg = (const void *)(x + planes * kp + c / t->group * (int64_t)sizeof *xg);
    const int32_t offset = rg_code_offset(t->bits, t->has_min);
    for (int i = 0; i < RG_PANEL; i++) {
        int32_t sum = -offset * xg->sum;
        for (int j = 0; j < t->group; j++) {
            const int32_t v = planes == 2 ? 256 * q[j] + q[kp + j] : q[j];
            sum += v * g->u[(j / 4 * RG_PANEL + i) * 4 + j % 4];
        }
        acc[i] += (float)sum * g->scale[i] * xg->scale;
        if (t->has_min) acc[i] += g->min[i] * (xg->scale * (float)xg->sum);
    }
}

static void dot(rg_wtype type, int planes, float *y, int64_t ldy, const char *x, int64_t ldx, int64_t m,
    const unsigned char *w, int64_t n, int64_t k, int64_t p0, int64_t p1)
{
    const int64_t group = rg_wtypes[type].group, kp = rg_x_padded(k, group);
    for (int64_t p = p0; p < p1; p++) {
        float acc[RG_DOT_MAX][RG_PANEL] = {{0.0f}};
        for (int64_t c = 0; c < kp; c += group) {
            codes g;
            read_codes(&g, type, w + p * rg_panel_bytes(type, k), c);
            for (int64_t t = 0; t < m; t++) add_group(acc[t], type, &g, x + t * ldx, kp, c, planes);
        }
        for (int64_t t = 0; t < m; t++)
            memcpy(y + t * ldy + p * RG_PANEL, acc[t],
                (size_t)rg_min(RG_PANEL, n - p * RG_PANEL) * sizeof(float));
    }
}

static void mmdot(rg_wtype type, int planes, float *y, int64_t ldy, const char *x, int64_t ldx, int64_t m,
    const void *b, int64_t k, int64_t k0, int64_t k1, int64_t n, bool acc)
{
    const int64_t group = rg_wtypes[type].group, kp = rg_x_padded(k, group);
    for (int64_t t = 0; t < m; t++) {
        float sum[RG_PANEL] = {0.0f};
        const char *from = b;
        if (acc) memcpy(sum, y + t * ldy, (size_t)n * sizeof *sum);
        for (int64_t c = k0; c < k1; c += group, from += rg_u8_bytes(type)) {
            codes g;
            memcpy(g.scale, from, sizeof g.scale);
            if (rg_wtypes[type].has_min) memcpy(g.min, from + sizeof g.scale, sizeof g.min);
            memcpy(g.u, from + rg_u8_bytes(type) - RG_PANEL * group, (size_t)(RG_PANEL * group));
            add_group(sum, type, &g, x + t * ldx, kp, c, planes);
        }
        memcpy(y + t * ldy, sum, (size_t)n * sizeof *sum);
    }
}

#define PLANES(TYPE, type, bits, planes) \
    void rg_dot##bits##_##type##__c(float *y, int64_t ldy, const void *x, int64_t ldx, int64_t m, \
        const void *w, int64_t n, int64_t k, int64_t p0, int64_t p1) \
    { \
        dot(RG_WT_##TYPE, planes, y, ldy, x, ldx, m, w, n, k, p0, p1); \
    } \
    void rg_mmdot##bits##_##type##__c(float *y, int64_t ldy, const void *x, int64_t ldx, int64_t m, \
        const void *b, int64_t k, int64_t k0, int64_t k1, int64_t n, bool acc) \
    { \
        mmdot(RG_WT_##TYPE, planes, y, ldy, x, ldx, m, b, k, k0, k1, n, acc); \
    }
#define DOT(TYPE, type, ...) \
    void rg_unpack8_##type##__c(void *dst, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1) \
    { \
        unpack8(RG_WT_##TYPE, dst, w, k, p, k0, k1); \
    } \
    void rg_codes8_##type##__c(void *dst, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1) \
    { \
        codes8(RG_WT_##TYPE, dst, w, k, p, k0, k1); \
    } \
    PLANES(TYPE, type, 8, 1) \
    PLANES(TYPE, type, 16, 2)
RG_WTYPES_QUANT(DOT, )

void rg_mm_bf16__c(float *y, int64_t ldy, const uint16_t *x, int64_t ldx, const uint16_t *b, int64_t m,
    int64_t kb, int64_t n, bool acc)
{
    for (int64_t t = 0; t < m; t++)
        for (int64_t i = 0; i < n; i++) {
            float sum = acc ? y[t * ldy + i] : 0.0f;
            for (int64_t j = 0; j < kb; j++)
                sum += rg_bf16_to_f32(x[t * ldx + j]) * rg_bf16_to_f32(b[(j / 2 * RG_PANEL + i) * 2 + j % 2]);
            y[t * ldy + i] = sum;
        }
}
