/* Rows of files as f32, or as codes with scales. Block layouts are GGUF's: little-endian, packed. */
#include <assert.h>
#include <string.h>

#include "base/dtype.h"
#include "base/num.h"

static uint16_t load16(const unsigned char *p) { return (uint16_t)(p[0] | p[1] << 8); }
static float half(const unsigned char *p) { return rg_f16_to_f32(load16(p)); }
static uint32_t load32(const unsigned char *p) { return (uint32_t)load16(p) | (uint32_t)load16(p + 2) << 16; }

/* 16 bytes of nibbles: low are weights 0..15, high 16..31. */
static void nibbles(uint8_t *q, const unsigned char *s)
{
    for (int i = 0; i < 16; i++) {
        q[i] = s[i] & 15;
        q[16 + i] = s[i] >> 4;
    }
}

/* Q5_0, Q5_1: the fifth bits stand in one word. */
static void fifth_bits(uint8_t *q, uint32_t qh)
{
    for (int i = 0; i < 32; i++) q[i] |= (uint8_t)((qh >> i & 1u) << 4);
}

/* Where the codes, scales and minimums of one block go; factors: of resident types that have them. */
typedef struct grid {
    uint8_t *q;
    float *scale, *min, *factor, *min_factor;
} grid;

/* Q4_K, Q5_K: six bits of scale and of minimum of eight sub-blocks, in 12 bytes. */
static void k_scale(const unsigned char *s, int j, int *scale, int *min)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *min = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        *min = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
    }
}

/* Codes of sub-block j: low nibbles of 32 bytes for even j, high for odd. qh: fifth bits of Q5_K, or NULL. */
static void k_codes(uint8_t *q, const unsigned char *qs, const unsigned char *qh, int j)
{
    for (int i = 0; i < 32; i++) {
        q[i] = (uint8_t)(qs[j / 2 * 32 + i] >> (j % 2 * 4) & 15);
        if (qh) q[i] |= (uint8_t)((qh[i] >> j & 1) << 4);
    }
}

/* Q2_K, Q3_K: two bits of weight i; a byte has those of weights 32 apart. */
static uint8_t two_bits(const unsigned char *qs, int i)
{
    return qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

/* What nibbles mean in IQ4_NL and IQ4_XS, and in MXFP4 (twice the values of E2M1). */
static const int8_t iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
                    e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
static void named(uint8_t *q, const unsigned char *s, const int8_t *values)
{
    nibbles(q, s);
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)values[q[i]];
}

/* 2^(e - 128): half of E8M0, whose 255 is NaN. */
static float half_power(int e)
{
    return rg_f32_from_bits(e == 255 ? 0x7fc00000u : e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

/* half d, dmin; 12 bytes of scales; Q5_K: 32 bytes of fifth bits; nibbles */
static void q4_k_block(const grid *g, const unsigned char *p, bool five)
{
    *g->factor = half(p);
    *g->min_factor = -half(p + 2);
    for (int j = 0; j < 8; j++) {
        int s, m;
        k_scale(p + 4, j, &s, &m);
        g->scale[j] = (float)s;
        g->min[j] = (float)m;
        k_codes(g->q + 32 * j, p + (five ? 48 : 16), five ? p + 16 : NULL, j);
    }
}

/* 16 bytes: scale (low nibble) and minimum of 16 weights; 64 bytes of two bits; half d, dmin */
static void q2_k_block(const grid *g, const unsigned char *p)
{
    *g->factor = half(p + 80);
    *g->min_factor = -half(p + 82);
    for (int j = 0; j < 16; j++) {
        g->scale[j] = (float)(p[j] & 15);
        g->min[j] = (float)(p[j] >> 4);
    }
    for (int i = 0; i < 256; i++) g->q[i] = two_bits(p + 16, i);
}

/* 32 bytes of third bits, 64 bytes of two bits, 12 bytes of sixteen scales (8 bytes: bits 0 to 3 of two; 4
 * bytes: bits 4 and 5 of four), half d. A third bit that is missing takes 4 away. */
static void q3_k_block(const grid *g, const unsigned char *p)
{
    const unsigned char *s = p + 96;
    *g->factor = half(p + 108);
    for (int j = 0; j < 16; j++)
        g->scale[j] = (float)(((s[j % 8] >> (j / 8 * 4) & 15) | (s[8 + j % 4] >> (j / 4 * 2) & 3) << 4) - 32);
    for (int i = 0; i < 256; i++) {
        const int third = p[i % 32] >> (i / 32) & 1;
        g->q[i] = (uint8_t)(32 - 4 + two_bits(p + 32, i) + 4 * third); /* 32 is zero in 6 bits */
    }
}

/* half d; 16 bits: bits 4 and 5 of eight scales; 4 bytes: bits 0 to 3 of two each; nibbles */
static void iq4_xs_block(const grid *g, const unsigned char *p)
{
    *g->factor = half(p);
    for (int j = 0; j < 8; j++) {
        const int low = p[4 + j / 2] >> (j % 2 * 4) & 15, high = load16(p + 2) >> (2 * j) & 3;
        g->scale[j] = (float)((low | high << 4) - 32);
        named(g->q + 32 * j, p + 8 + 16 * j, iq4);
    }
}

/* 128 low nibbles, 64 bytes of two high bits, 16 int8 scales, half d */
static void q6_k_block(const grid *g, const unsigned char *p)
{
    *g->factor = half(p + 208);
    for (int j = 0; j < 16; j++) g->scale[j] = (float)(int8_t)p[192 + j];
    for (int i = 0; i < 256; i++) {
        const int n = i / 128, part = i % 128 / 32, l = i % 32; /* 32 weights each */
        const int low = p[64 * n + l + part % 2 * 32] >> (part / 2 * 4) & 15,
                  high = p[128 + 32 * n + l] >> (2 * part) & 3;
        g->q[i] = (uint8_t)(low | high << 4);
    }
}

static void block_grid(rg_ftype t, const grid *g, const unsigned char *p)
{
    switch (t) {
    case RG_FT_Q8_0: /* half d; int8 q[32] */
        *g->scale = half(p);
        memcpy(g->q, p + 2, 32);
        break;
    case RG_FT_Q4_0: /* half d; nibbles */
        *g->scale = half(p);
        nibbles(g->q, p + 2);
        break;
    case RG_FT_Q4_1: /* half d, m; nibbles */
        *g->scale = half(p);
        *g->min = half(p + 2);
        nibbles(g->q, p + 4);
        break;
    case RG_FT_Q5_0: /* half d; u32 fifth bits; nibbles */
        *g->scale = half(p);
        nibbles(g->q, p + 6);
        fifth_bits(g->q, load32(p + 2));
        for (int i = 0; i < 32; i++) g->q[i] = (uint8_t)(g->q[i] - 16);
        break;
    case RG_FT_Q5_1: /* half d, m; u32 fifth bits; nibbles */
        *g->scale = half(p);
        *g->min = half(p + 2);
        nibbles(g->q, p + 8);
        fifth_bits(g->q, load32(p + 4));
        break;
    case RG_FT_Q2_K:
        q2_k_block(g, p);
        break;
    case RG_FT_Q3_K:
        q3_k_block(g, p);
        break;
    case RG_FT_Q4_K:
    case RG_FT_Q5_K:
        q4_k_block(g, p, t == RG_FT_Q5_K);
        break;
    case RG_FT_Q6_K:
        q6_k_block(g, p);
        break;
    case RG_FT_IQ4_NL: /* half d; nibbles */
        *g->scale = half(p);
        named(g->q, p + 2, iq4);
        break;
    case RG_FT_IQ4_XS:
        iq4_xs_block(g, p);
        break;
    case RG_FT_MXFP4: /* exponent; nibbles */
        *g->scale = half_power(p[0]);
        named(g->q, p + 1, e2m1);
        break;
    default:
        assert(false && "not stored by rows of blocks");
    }
}

void rg_ftype_row_grid(rg_ftype t, uint8_t *q, float *scale, float *min, const void *src, int64_t k)
{
    const rg_ftype_info *info = &rg_ftypes[t];
    const rg_wtype w = info->resident;
    const int64_t groups = rg_wtype_groups(w, k), per = info->block / rg_wtypes[w].group;
    const unsigned char *p = src;
    assert(k % info->block == 0);
    assert(!rg_wtype_has_factors(w) || rg_wtypes[w].block == info->block);
    for (int64_t b = 0; b < k / info->block; b++, p += info->bytes) {
        const grid g = {
            q + b * info->block, scale + b * per, min + b * per, scale + groups + b, min + groups + b};
        block_grid(t, &g, p);
    }
}

/* One block of codes. */
static void block_to_f32(rg_ftype t, float *dst, const unsigned char *p)
{
    enum { MOST = 256 };
    const rg_wtype w = rg_ftypes[t].resident;
    const rg_wtype_info *info = &rg_wtypes[w];
    uint8_t q[MOST] = {0};
    float scale[MOST / 16 + 1] = {0.0f}, min[MOST / 16 + 1] = {0.0f};
    const int64_t block = rg_ftypes[t].block, groups = rg_wtype_groups(w, block);
    const bool factors = rg_wtype_has_factors(w);
    assert(block <= MOST && info->group >= 16);
    rg_ftype_row_grid(t, q, scale, min, p, block);
    for (int64_t i = 0; i < block; i++) {
        const int64_t j = i / info->group;
        const int v = info->bits == 8 ? (int8_t)q[i] : info->has_min ? q[i] : q[i] - (1 << (info->bits - 1));
        const float s = factors ? scale[j] * scale[groups] : scale[j],
                    m = factors && info->has_min ? min[j] * min[groups] : min[j];
        dst[i] = (float)v * s + m;
    }
}

void rg_ftype_row_to_f32(rg_ftype t, float *dst, const void *src, int64_t k)
{
    const unsigned char *p = src;
    const int64_t block = rg_ftypes[t].block;
    assert(k % block == 0);
    switch (t) {
    case RG_FT_F32:
        memcpy(dst, src, k * sizeof *dst);
        return;
    case RG_FT_F16:
        for (int64_t i = 0; i < k; i++) dst[i] = half(p + 2 * i);
        return;
    case RG_FT_BF16:
        for (int64_t i = 0; i < k; i++) dst[i] = rg_bf16_to_f32(load16(p + 2 * i));
        return;
    default:
        for (int64_t c = 0; c < k; c += block, p += rg_ftypes[t].bytes) block_to_f32(t, dst + c, p);
    }
}
