/* Rows of files as f32, or as codes with scales. Block layouts are GGUF's: little-endian, packed. */
#include <assert.h>
#include <string.h>

#include "base/dtype.h"
#include "base/num.h"

enum { SUB = 32 }; /* weights that share a scale (16 in Q6_K) */

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
    for (int i = 0; i < SUB; i++) q[i] |= (uint8_t)((qh >> i & 1u) << 4);
}

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
    for (int i = 0; i < SUB; i++) {
        q[i] = (uint8_t)(qs[j / 2 * SUB + i] >> (j % 2 * 4) & 15);
        if (qh) q[i] |= (uint8_t)((qh[i] >> j & 1) << 4);
    }
}

void rg_ftype_row_grid(rg_ftype t, uint8_t *q, float *scale, float *min, const void *src, int64_t k)
{
    const unsigned char *p = src;
    assert(k % rg_ftypes[t].block == 0);
    for (int64_t b = 0; b < k / SUB; b++, q += SUB) {
        scale[b] = half(p);
        switch (t) {
        case RG_FT_Q8_0: /* half d; int8 q[32] */
            memcpy(q, p + 2, SUB);
            break;
        case RG_FT_Q4_0: /* half d; nibbles */
            nibbles(q, p + 2);
            break;
        case RG_FT_Q4_1: /* half d, m; nibbles */
            min[b] = half(p + 2);
            nibbles(q, p + 4);
            break;
        case RG_FT_Q5_0: /* half d; u32 fifth bits; nibbles */
            nibbles(q, p + 6);
            fifth_bits(q, load32(p + 2));
            for (int i = 0; i < SUB; i++) q[i] = (uint8_t)(q[i] - 16);
            break;
        case RG_FT_Q4_K: { /* half d, dmin; 12 bytes of scales; nibbles */
            const int j = (int)(b % 8);
            int s, m;
            k_scale(p + 4, j, &s, &m);
            scale[b] *= (float)s;
            min[b] = -half(p + 2) * (float)m;
            k_codes(q, p + 16, NULL, j);
            if (j < 7) continue; /* the same block */
            break;
        }
        default:
            assert(false && "not a grid of 32 that a resident type has");
            return;
        }
        p += rg_ftypes[t].bytes;
    }
}

/* dst[32] = q * scale + min. */
static void affine(float *dst, const uint8_t *q, float scale, float min)
{
    for (int i = 0; i < SUB; i++) dst[i] = (float)q[i] * scale + min;
}

/* half d, dmin; 12 bytes of scales; [32 bytes of fifth bits;] nibbles */
static void k_block(float *dst, const unsigned char *p, bool five)
{
    for (int j = 0; j < 8; j++) {
        uint8_t q[SUB];
        int s, m;
        k_scale(p + 4, j, &s, &m);
        k_codes(q, p + (five ? 48 : 16), five ? p + 16 : NULL, j);
        affine(dst + j * SUB, q, half(p) * (float)s, -half(p + 2) * (float)m);
    }
}

/* 128 low nibbles, 64 bytes of two high bits, 16 int8 scales, half d */
static void q6_k_block(float *dst, const unsigned char *p)
{
    const float d = half(p + 208);
    for (int n = 0; n < 2; n++) {
        const unsigned char *ql = p + 64 * n, *qh = p + 128 + 32 * n;
        for (int part = 0; part < 4; part++) /* 32 weights each */
            for (int l = 0; l < 32; l++) {
                const int low = ql[l + part % 2 * 32] >> (part / 2 * 4) & 15, high = qh[l] >> (2 * part) & 3;
                const int8_t scale = (int8_t)p[192 + 8 * n + 2 * part + l / 16];
                dst[128 * n + 32 * part + l] = d * (float)scale * (float)((low | high << 4) - 32);
            }
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
        break;
    }
    for (int64_t c = 0; c < k; c += block, p += rg_ftypes[t].bytes) {
        uint8_t q[SUB];
        float scale, min;
        switch (t) {
        case RG_FT_Q8_0:
        case RG_FT_Q5_0:
            rg_ftype_row_grid(t, q, &scale, &min, p, SUB);
            for (int i = 0; i < SUB; i++) dst[c + i] = (float)(int8_t)q[i] * scale;
            break;
        case RG_FT_Q4_0:
            rg_ftype_row_grid(t, q, &scale, &min, p, SUB);
            for (int i = 0; i < SUB; i++) dst[c + i] = (float)(q[i] - 8) * scale;
            break;
        case RG_FT_Q4_1:
            rg_ftype_row_grid(t, q, &scale, &min, p, SUB);
            affine(dst + c, q, scale, min);
            break;
        case RG_FT_Q5_1: /* half d, m; u32 fifth bits; nibbles */
            nibbles(q, p + 8);
            fifth_bits(q, load32(p + 4));
            affine(dst + c, q, half(p), half(p + 2));
            break;
        case RG_FT_Q4_K:
        case RG_FT_Q5_K:
            k_block(dst + c, p, t == RG_FT_Q5_K);
            break;
        case RG_FT_Q6_K:
            q6_k_block(dst + c, p);
            break;
        default:
            assert(false && "not stored by rows");
            return;
        }
    }
}
