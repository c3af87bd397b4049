/* Packing rows into panels (the layouts of base/dtype.def), and the way back. */
#include "kernels/kernel_rows.h"

#include <assert.h>
#include <string.h>

static void put16(unsigned char *p, int64_t i, uint16_t h) { memcpy(p + 2 * i, &h, sizeof h); }

static int64_t padded(rg_wtype type, int64_t k) { return rg_round_up(k, rg_wtypes[type].group); }

int64_t rg_pack_scratch(rg_wtype type, int64_t k)
{
    return RG_PANEL * padded(type, k) * (int64_t)sizeof(float);
}

/* ---- float types: rows[32][kp] to lines ---- */

static void pack_f32(unsigned char *panel, const float *rows, int64_t kp)
{
    for (int i = 0; i < RG_PANEL; i++)
        for (int64_t c = 0; c < kp; c++)
            memcpy(panel + (c * RG_PANEL + i) * 4, rows + i * kp + c, sizeof *rows);
}

/* By runs of 32 columns: a line is written while it is in L1. */
static void pack_f16(unsigned char *panel, const float *rows, int64_t kp)
{
    for (int64_t c0 = 0; c0 < kp; c0 += 32)
        for (int i = 0; i < RG_PANEL; i++)
            for (int64_t c = c0; c < rg_min(c0 + 32, kp); c++)
                put16(panel, c * RG_PANEL + i, rg_f32_to_f16(rows[i * kp + c]));
}

static void pack_bf16(unsigned char *panel, const float *rows, int64_t kp)
{
    for (int64_t c0 = 0; c0 < kp; c0 += 32)
        for (int i = 0; i < RG_PANEL; i++)
            for (int64_t c = 0; c < 32; c++)
                put16(panel, c0 * RG_PANEL + i / 16 * 512 + c / 2 * 32 + i % 16 * 2 + c % 2,
                    rg_f32_to_bf16(rows[i * kp + c0 + c]));
}

/* ---- quantised types ---- */

/* One group of a panel before interleaving. */
typedef struct group_q {
    uint8_t q[RG_PANEL][128];
    uint16_t scale[RG_PANEL], min[RG_PANEL];
} group_q;

/* Scales, then lines of dwords: 4 columns of a row. */
static void interleave(unsigned char *dst, const group_q *g, rg_wtype type)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    memcpy(dst, g->scale, sizeof g->scale);
    if (info->has_min) memcpy(dst + sizeof g->scale, g->min, sizeof g->min);
    dst += info->head;
    for (int j = 0; j < info->group / 4; j++)
        for (int i = 0; i < RG_PANEL / 2; i++) {
            uint32_t a, b;
            memcpy(&a, &g->q[i][4 * j], sizeof a);
            memcpy(&b, &g->q[16 + i][4 * j], sizeof b);
            if (info->bits == 4) {
                a |= b << 4;
                memcpy(dst + 64 * j + 4 * i, &a, sizeof a);
            } else {
                memcpy(dst + 128 * j + 4 * i, &a, sizeof a);
                memcpy(dst + 128 * j + 64 + 4 * i, &b, sizeof b);
            }
        }
}

/* Squared differences between a row's group and what is stored; 8 accumulators in a fixed order. */
static void add_error(double *err2, double *w2, const float *w, const uint8_t *q, int64_t n, float s,
    float base, bool is_signed)
{
    double e[8] = {0.0}, a[8] = {0.0};
    for (int64_t i = 0; i < n; i += 8)
        for (int l = 0; l < 8; l++) {
            const float v = is_signed ? (float)(int8_t)q[i + l] : (float)q[i + l];
            const double d = (double)w[i + l] - (double)(v * s + base);
            e[l] += d * d;
            a[l] += (double)w[i + l] * (double)w[i + l];
        }
    for (int l = 0; l < 8; l++) {
        *err2 += e[l];
        *w2 += a[l];
    }
}

static void pack_quant(const rg_ktab *t, rg_wtype type, unsigned char *panel, const float *rows, int64_t kp,
    int64_t valid, double *err2, double *w2)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    rg_quant_fn *quant = info->bits == 8 ? t->quant_q8 : info->has_min ? t->quant_q4m : t->quant_q4;
    group_q g;
    for (int64_t c = 0; c < kp; c += info->group) {
        memset(&g, 0, sizeof g);
        for (int i = 0; i < valid; i++) {
            const float *w = rows + i * kp + c;
            quant(g.q[i], &g.scale[i], &g.min[i], w, info->group);
            const float s = rg_f16_to_f32(g.scale[i]);
            add_error(err2, w2, w, g.q[i], info->group, s,
                info->has_min         ? rg_f16_to_f32(g.min[i])
                    : info->bits == 4 ? -8.0f * s
                                      : 0.0f,
                info->bits == 8);
        }
        /* missing rows: scale 0, and the code of zero */
        if (info->bits == 4 && !info->has_min)
            for (int64_t i = valid; i < RG_PANEL; i++) memset(g.q[i], 8, sizeof g.q[i]);
        interleave(panel + rg_panel_bytes(type, c), &g, type);
    }
}

static void add_float_error(double *err2, double *w2, rg_wtype type, const float *rows, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float w = rows[i];
        const float v = type == RG_WT_F16 ? rg_f16_to_f32(rg_f32_to_f16(w))
            : type == RG_WT_BF16          ? rg_bf16_to_f32(rg_f32_to_bf16(w))
                                          : w;
        *err2 += ((double)w - (double)v) * ((double)w - (double)v);
        *w2 += (double)w * (double)w;
    }
}

void rg_pack(const rg_ktab *t, rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2)
{
    const int64_t kp = padded(type, k);
    float *rows = scratch;
    double err2 = 0.0, w2 = 0.0;
    for (int64_t p = p0; p < p1; p++) {
        unsigned char *panel = (unsigned char *)data + p * rg_panel_bytes(type, k);
        const int64_t valid = rg_min(RG_PANEL, n - p * RG_PANEL);
        for (int64_t i = 0; i < RG_PANEL; i++) {
            const int64_t filled = i < valid ? k : 0;
            if (filled) row(user, p * RG_PANEL + i, rows + i * kp);
            memset(rows + i * kp + filled, 0, (size_t)(kp - filled) * sizeof *rows);
        }
        if (type == RG_WT_F32)
            pack_f32(panel, rows, kp);
        else if (type == RG_WT_F16)
            pack_f16(panel, rows, kp);
        else if (type == RG_WT_BF16)
            pack_bf16(panel, rows, kp);
        else
            pack_quant(t, type, panel, rows, kp, valid, &err2, &w2);
        if (!rg_wtype_is_quant(type) && sum_err2 && sum_w2)
            add_float_error(&err2, &w2, type, rows, RG_PANEL * kp);
    }
    if (sum_err2) *sum_err2 += err2;
    if (sum_w2) *sum_w2 += w2;
}

bool rg_finite16(rg_wtype type, const void *values, int64_t n)
{
    const uint16_t exponent = type == RG_WT_F16 ? 0x7c00 : 0x7f80;
    unsigned bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= (rg_u16_at(values, i) & exponent) == exponent;
    return !bad;
}

/* Columns of a row that are moved at a time: a block of a panel, 64 bytes a column, stays in L1. */
enum { RUN16 = 256 };

bool rg_pack16(
    rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1, rg_raw_row_fn *row, void *user)
{
    const int64_t kp = padded(type, k);
    bool finite = true;
    assert(type == RG_WT_F16 || type == RG_WT_BF16);
    for (int64_t p = p0; p < p1; p++) {
        uint16_t *panel = (void *)((unsigned char *)data + p * rg_panel_bytes(type, k));
        const int64_t valid = rg_min(RG_PANEL, n - p * RG_PANEL);
        const unsigned char *src[RG_PANEL];
        for (int64_t i = 0; i < valid; i++) src[i] = row(user, p * RG_PANEL + i);
        for (int64_t c0 = 0; c0 < kp; c0 += RUN16)
            for (int64_t i = 0; i < RG_PANEL; i++) {
                uint16_t h[RUN16];
                const int64_t width = rg_min(RUN16, kp - c0), there = i < valid ? rg_min(width, k - c0) : 0;
                if (there > 0) memcpy(h, src[i] + 2 * c0, 2 * (size_t)there);
                memset(h + there, 0, 2 * (size_t)(width - there));
                finite = finite && rg_finite16(type, h, width);
                uint16_t *to = panel + c0 * RG_PANEL + (type == RG_WT_F16 ? i : i / 16 * 512 + i % 16 * 2);
                if (type == RG_WT_F16)
                    for (int64_t c = 0; c < width; c++) to[c * RG_PANEL] = h[c];
                else
                    for (int64_t c = 0; c < width; c += 2) memcpy(to + c / 32 * 1024 + c % 32 * 16, h + c, 4);
            }
    }
    return finite;
}

/* Squared difference between a group in the file and as stored: only scale and minimum may be rounded. */
static void add_grid_error(double *err2, double *w2, const uint8_t *q, int64_t n, double s, double m,
    double stored_s, double stored_m, int zero, bool is_signed)
{
    const double ds = s - stored_s, dm = m - stored_m;
    int sum = 0, sum2 = 0; /* of codes below 2^8 */
    for (int64_t i = 0; i < n; i++) {
        const int v = is_signed ? (int8_t)q[i] : q[i] - zero;
        sum += v;
        sum2 += v * v;
    }
    /* sum of (v s + m)^2; what cancellation leaves may be a little below 0 */
    const double e = (double)sum2 * ds * ds + 2.0 * (double)sum * ds * dm + (double)n * dm * dm;
    const double a = (double)sum2 * s * s + 2.0 * (double)sum * s * m + (double)n * m * m;
    *err2 += e < 0.0 ? 0.0 : e;
    *w2 += a < 0.0 ? 0.0 : a; /* not finite stays not finite */
}

void rg_pack_grid(rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_grid_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    const int64_t kp = padded(type, k), groups = kp / info->group;
    const int zero = info->bits == 4 && !info->has_min ? 8 : 0;
    float *scale = scratch, *min = scale + RG_PANEL * groups;
    uint8_t *q = (uint8_t *)(min + RG_PANEL * groups);
    double err2 = 0.0, w2 = 0.0;
    group_q g;
    assert(rg_wtype_is_quant(type));
    for (int64_t p = p0; p < p1; p++) {
        unsigned char *panel = (unsigned char *)data + p * rg_panel_bytes(type, k);
        const int64_t valid = rg_min(RG_PANEL, n - p * RG_PANEL);
        memset(min, 0, (size_t)(RG_PANEL * groups) * sizeof *min);
        for (int64_t i = 0; i < valid; i++) {
            row(user, p * RG_PANEL + i, q + i * kp, scale + i * groups, min + i * groups);
            memset(q + i * kp + k, zero, (size_t)(kp - k));
        }
        /* missing rows: scale 0, and the code of zero */
        memset(&g, 0, sizeof g);
        memset(g.q, zero, sizeof g.q);
        for (int64_t b = 0; b < groups; b++) {
            for (int64_t i = 0; i < valid; i++) {
                const float s = scale[i * groups + b], m = min[i * groups + b];
                g.scale[i] = rg_f32_to_f16(s);
                g.min[i] = rg_f32_to_f16(m);
                memcpy(g.q[i], q + i * kp + b * info->group, (size_t)info->group);
                add_grid_error(&err2, &w2, g.q[i], rg_min(info->group, k - b * info->group), (double)s,
                    (double)m, (double)rg_f16_to_f32(g.scale[i]), (double)rg_f16_to_f32(g.min[i]), zero,
                    info->bits == 8);
            }
            interleave(panel + rg_panel_bytes(type, b * info->group), &g, type);
        }
    }
    if (sum_err2) *sum_err2 += err2;
    if (sum_w2) *sum_w2 += w2;
}

/* ---- one row back ---- */

/* Element (i, c) of a panel, read as the layout says. */
static float element(rg_wtype type, const unsigned char *panel, int64_t i, int64_t c)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    const int64_t in = c % info->group;
    const unsigned char *g = panel + rg_panel_bytes(type, c - in), *lines = g + info->head;
    float f;
    if (type == RG_WT_F32) {
        memcpy(&f, g + 4 * i, sizeof f);
        return f;
    }
    if (type == RG_WT_F16) return rg_half_at(g, i);
    if (type == RG_WT_BF16)
        return rg_bf16_to_f32(rg_u16_at(g, i / 16 * 512 + in / 2 * 32 + i % 16 * 2 + in % 2));
    const float s = rg_half_at(g, i);
    if (info->bits == 8) return (float)(int8_t)lines[in / 4 * 128 + i * 4 + in % 4] * s;
    const int u = lines[in / 4 * 64 + i % 16 * 4 + in % 4] >> (i / 16 * 4) & 15;
    return info->has_min ? (float)u * s + rg_half_at(g, RG_PANEL + i) : (float)(u - 8) * s;
}

void rg_unpack_row(const rg_weight *w, int64_t row, float *dst)
{
    const unsigned char *panel =
        (const unsigned char *)w->data + row / RG_PANEL * rg_panel_bytes(w->type, w->k);
    for (int64_t c = 0; c < w->k; c++) dst[c] = element(w->type, panel, row % RG_PANEL, c);
}
