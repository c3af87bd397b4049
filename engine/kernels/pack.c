/* Packing rows into panels (the layouts of base/dtype.def), and the way back. */
#include "kernels/kernel_rows.h"

#include <assert.h>
#include <math.h>
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

/* One group of a panel before interleaving. scale, min: as the head has them: halves, or signed bytes. */
typedef struct group_q {
    uint8_t q[RG_PANEL][128];
    uint16_t scale[RG_PANEL], min[RG_PANEL];
} group_q;

/* A half of row i: scale or minimum, or what bytes are multiplied with. */
static void put_half(unsigned char *panel, rg_wtype type, int64_t c, int part, int64_t i, uint16_t h)
{
    put16((unsigned char *)(uintptr_t)rg_head_at(type, panel, c, part), i, h);
}

/* Dwords of 4 columns of a row, interleaved. */
static void put_lines(unsigned char *lines, const group_q *g, const rg_wtype_info *info)
{
    const int64_t high = rg_high_bytes(info->bits, info->group);
    memset(lines, 0, (size_t)high);
    for (int64_t j = 0; j < info->group / 4; j++)
        for (int64_t i = 0; i < RG_PANEL / 2; i++) {
            uint32_t v[2];
            memcpy(&v[0], &g->q[i][4 * j], sizeof v[0]);
            memcpy(&v[1], &g->q[16 + i][4 * j], sizeof v[1]);
            if (info->bits == 8) {
                memcpy(lines + 128 * j + 4 * i, &v[0], sizeof v[0]);
                memcpy(lines + 128 * j + 64 + 4 * i, &v[1], sizeof v[1]);
                continue;
            }
            const uint32_t low = (v[0] & 0x0f0f0f0fu) | (v[1] & 0x0f0f0f0fu) << 4;
            memcpy(lines + high + 64 * j + 4 * i, &low, sizeof low);
            for (int64_t h = 0; h < 2 && high; h++) {
                unsigned char *to = lines + rg_high_line(info->bits, j, h) + 4 * i;
                uint32_t bits;
                memcpy(&bits, to, sizeof bits);
                bits |= (v[h] >> 4 & 0x0f0f0f0fu) << rg_high_shift(info->bits, j);
                memcpy(to, &bits, sizeof bits);
            }
        }
}

/* The group at column c; factors are there. */
static void interleave(unsigned char *panel, const group_q *g, rg_wtype type, int64_t c)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    for (int part = 0; part <= info->has_min; part++) {
        const uint16_t *from = part ? g->min : g->scale;
        int8_t *bytes = (int8_t *)(uintptr_t)rg_head_bytes_at(type, panel, c, part);
        for (int64_t i = 0; i < RG_PANEL; i++)
            if (rg_wtype_has_factors(type))
                bytes[i] = (int8_t)from[i];
            else
                put_half(panel, type, c, part, i, from[i]);
    }
    put_lines((unsigned char *)(uintptr_t)rg_lines_at(type, panel, c), g, info);
}

/* The code, as row functions give it, of a zero where there is no minimum. */
static int code_of_zero(const rg_wtype_info *info)
{
    return info->bits == 8 ? 0 : rg_code_offset(info->bits, info->has_min);
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
        interleave(panel, &g, type, c);
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
static void add_grid_error(double *err2, double *w2, const uint8_t *q, int64_t n, const double exact[2],
    const double stored[2], int zero, bool is_signed)
{
    const double s = exact[0], m = exact[1], ds = s - stored[0], dm = m - stored[1];
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

/* Scales of a panel's rows, or their minimums, as a row function gives them. */
typedef struct scales {
    float *v; /* [RG_PANEL][ld] */
    int64_t ld, groups;
} scales;

/* Scale b of row i: as it is stored, and exactly; with a factor, also that into the panel. */
static uint16_t put_scale(unsigned char *panel, rg_wtype type, const scales *s, int part, int64_t i,
    int64_t b, double *exact, double *stored)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    const int64_t per = info->block / info->group;
    const float v = s->v[i * s->ld + b];
    if (!rg_wtype_has_factors(type)) {
        const uint16_t h = rg_f32_to_f16(v);
        *exact = (double)v;
        *stored = (double)rg_f16_to_f32(h);
        return h;
    }
    const float factor = s->v[i * s->ld + s->groups + b / per];
    const uint16_t h = rg_f32_to_f16(factor);
    if (b % per == 0) put_half(panel, type, b * info->group, part, i, h);
    *exact = (double)v * (double)factor;
    *stored = (double)v * (double)rg_f16_to_f32(h);
    return (uint16_t)(int16_t)v;
}

void rg_pack_grid(rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_grid_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    const int64_t kp = padded(type, k), ld = rg_wtype_scales(type, k), groups = kp / info->group;
    const int zero = code_of_zero(info);
    const scales scale = {scratch, ld, groups}, min = {scale.v + RG_PANEL * ld, ld, groups};
    uint8_t *q = (uint8_t *)(min.v + RG_PANEL * ld);
    double err2 = 0.0, w2 = 0.0;
    group_q g;
    assert(rg_wtype_is_quant(type));
    for (int64_t p = p0; p < p1; p++) {
        unsigned char *panel = (unsigned char *)data + p * rg_panel_bytes(type, k);
        const int64_t valid = rg_min(RG_PANEL, n - p * RG_PANEL);
        memset(min.v, 0, (size_t)(RG_PANEL * ld) * sizeof *min.v);
        for (int64_t i = 0; i < valid; i++) {
            row(user, p * RG_PANEL + i, q + i * kp, scale.v + i * ld, min.v + i * ld);
            memset(q + i * kp + k, zero, (size_t)(kp - k));
        }
        for (int64_t b = 0; b < groups; b++) {
            /* missing rows: scale 0, and the code of zero */
            memset(&g, 0, sizeof g);
            memset(g.q, zero, sizeof g.q);
            if (b * info->group % info->block == 0)
                memset((void *)(uintptr_t)rg_head_at(type, panel, b * info->group, 0), 0, (size_t)info->head);
            for (int64_t i = 0; i < valid; i++) {
                double exact[2] = {0.0}, stored[2] = {0.0};
                g.scale[i] = put_scale(panel, type, &scale, 0, i, b, &exact[0], &stored[0]);
                if (info->has_min) g.min[i] = put_scale(panel, type, &min, 1, i, b, &exact[1], &stored[1]);
                memcpy(g.q[i], q + i * kp + b * info->group, (size_t)info->group);
                add_grid_error(&err2, &w2, g.q[i], rg_min(info->group, k - b * info->group), exact, stored,
                    zero, info->bits == 8);
            }
            interleave(panel, &g, type, b * info->group);
        }
    }
    if (sum_err2) *sum_err2 += err2;
    if (sum_w2) *sum_w2 += w2;
}

/* ---- quantised types that no kernel searches a grid for: plain round to nearest ---- */

typedef struct plain {
    rg_wtype type;
    int64_t k;
    rg_row_fn *row;
    void *user;
    float *w; /* one row, padded */
    double *err2, *w2;
} plain;

static float clamp(float v, float most)
{
    v = v < most ? v : most;
    return v > -most ? v : -most;
}
static float half_of(float f) { return rg_f16_to_f32(rg_f32_to_f16(clamp(f, 65504.0f))); }

/* v[n] as the head keeps them: halves (factor NULL), or whole numbers times a factor. */
static void keep(float *v, int64_t n, float *factor)
{
    float most = 0.0f;
    for (int64_t i = 0; i < n && factor; i++) most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    if (factor) *factor = half_of(most / 127.0f);
    for (int64_t i = 0; i < n; i++)
        v[i] = !factor ? half_of(v[i]) : *factor == 0.0f ? 0.0f : rintf(clamp(v[i] / *factor, 127.0f));
}

/* One row on the grid; a block at a time. */
static void plain_row(void *user, int64_t r, uint8_t *q, float *scale, float *min)
{
    const plain *a = user;
    const rg_wtype_info *t = &rg_wtypes[a->type];
    const int64_t kp = padded(a->type, a->k), groups = kp / t->group, per = t->block / t->group;
    const int zero = code_of_zero(t);
    const float top = (float)((1 << (t->has_min ? t->bits : t->bits - 1)) - 1),
                bottom = t->has_min ? 0.0f : -top;
    a->row(a->user, r, a->w);
    memset(a->w + a->k, 0, (size_t)(kp - a->k) * sizeof *a->w);
    for (int64_t b0 = 0; b0 < groups; b0 += per) {
        const int64_t n = rg_min(per, groups - b0);
        float *s = scale + b0, *m = min + b0, one = 1.0f,
              *factor = rg_wtype_has_factors(a->type) ? scale + groups + b0 / per : NULL,
              *of_min = factor ? min + groups + b0 / per : NULL;
        float high[16];
        for (int64_t b = 0; b < n; b++) {
            const float *w = a->w + (b0 + b) * t->group;
            float lo = w[0], hi = w[0];
            for (int i = 1; i < t->group; i++) {
                lo = w[i] < lo ? w[i] : lo;
                hi = w[i] > hi ? w[i] : hi;
            }
            m[b] = t->has_min ? lo : 0.0f;
            high[b] = t->has_min || hi > -lo ? hi : -lo;
        }
        keep(m, n, of_min);
        for (int64_t b = 0; b < n; b++) s[b] = (high[b] - m[b] * *(of_min ? of_min : &one)) / top;
        keep(s, n, factor);
        for (int64_t b = 0; b < n; b++) {
            const float *w = a->w + (b0 + b) * t->group, sv = s[b] * *(factor ? factor : &one),
                        mv = m[b] * *(of_min ? of_min : &one), inv = sv != 0.0f ? 1.0f / sv : 0.0f;
            uint8_t *to = q + (b0 + b) * t->group;
            for (int i = 0; i < t->group; i++) {
                const float v = rintf(clamp((w[i] - mv) * inv, top));
                to[i] = (uint8_t)((int)(v > bottom ? v : bottom) + zero);
            }
            add_error(a->err2, a->w2, w, to, t->group, sv, t->has_min ? mv : -(float)zero * sv, t->bits == 8);
        }
    }
}

static void pack_plain(rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_row_fn *row, void *user, void *scratch, double *err2, double *w2)
{
    const int64_t kp = padded(type, k);
    /* what rg_pack_grid takes of the scratch ends below its last row of floats */
    plain a = {type, k, row, user, (float *)scratch + (RG_PANEL - 1) * kp, err2, w2};
    rg_pack_grid(type, data, n, k, p0, p1, plain_row, &a, scratch, NULL, NULL);
}

/* Types whose codes and scales the quantisers of the kernel table know. */
static bool has_search(rg_wtype type)
{
    return !rg_wtype_has_factors(type) && (rg_wtypes[type].bits == 8 || rg_wtypes[type].bits == 4);
}

static void pack_rows(const rg_ktab *t, rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0,
    int64_t p1, rg_row_fn *row, void *user, float *rows, bool errors, double *err2, double *w2)
{
    const int64_t kp = padded(type, k);
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
            pack_quant(t, type, panel, rows, kp, valid, err2, w2);
        if (!rg_wtype_is_quant(type) && errors) add_float_error(err2, w2, type, rows, RG_PANEL * kp);
    }
}

void rg_pack(const rg_ktab *t, rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2)
{
    double err2 = 0.0, w2 = 0.0;
    if (rg_wtype_is_quant(type) && !has_search(type))
        pack_plain(type, data, n, k, p0, p1, row, user, scratch, &err2, &w2);
    else
        pack_rows(t, type, data, n, k, p0, p1, row, user, scratch, sum_err2 && sum_w2, &err2, &w2);
    if (sum_err2) *sum_err2 += err2;
    if (sum_w2) *sum_w2 += w2;
}

/* ---- one row back ---- */

/* Element (i, c) of a panel, read as the layout says. */
static float element(rg_wtype type, const unsigned char *panel, int64_t i, int64_t c)
{
    const rg_wtype_info *info = &rg_wtypes[type];
    const int64_t in = c % info->group;
    const unsigned char *lines = rg_lines_at(type, panel, c - in);
    float f;
    if (type == RG_WT_F32) {
        memcpy(&f, lines + 4 * i, sizeof f);
        return f;
    }
    if (type == RG_WT_F16) return rg_half_at(lines, i);
    if (type == RG_WT_BF16)
        return rg_bf16_to_f32(rg_u16_at(lines, i / 16 * 512 + in / 2 * 32 + i % 16 * 2 + in % 2));
    f = (float)rg_code_at(info->bits, info->has_min, info->group, lines, i, in) *
        rg_scale_at(type, panel, c - in, 0, i);
    return info->has_min ? f + rg_scale_at(type, panel, c - in, 1, i) : f;
}

void rg_unpack_row(const rg_weight *w, int64_t row, float *dst)
{
    const unsigned char *panel =
        (const unsigned char *)w->data + row / RG_PANEL * rg_panel_bytes(w->type, w->k);
    for (int64_t c = 0; c < w->k; c++) dst[c] = element(w->type, panel, row % RG_PANEL, c);
}
