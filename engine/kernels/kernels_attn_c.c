/* Plain C specification of the attention kernels: the layouts of K and V, and the two products. */
#include "kernels/kernel_rows.h"

#include <string.h>

/* values, and bytes, of a q8_0 block of K (16 positions) and of V (one) */
enum { Q8 = 32, K_Q8 = 32 + 16 * Q8, V_Q8 = 2 + Q8 };

static float load_f32(const unsigned char *p, int64_t i)
{
    float f;
    memcpy(&f, p + 4 * i, sizeof f);
    return f;
}

static void store_f16(unsigned char *p, int64_t i, float f)
{
    const uint16_t h = rg_f32_to_f16(f);
    memcpy(p + 2 * i, &h, sizeof h);
}

/* Element (pos, d) of a head. */
#define ELEMENTS(TYPE, type, load) \
    static float k_##type(const unsigned char *head, int64_t hd, int64_t pos, int64_t d) \
    { \
        return load(head, (pos / 16 * hd + d) * 16 + pos % 16); \
    } \
    static float v_##type(const unsigned char *head, int64_t hd, int64_t pos, int64_t d) \
    { \
        return load(head, pos * rg_kv_hdp(RG_KV_##TYPE, hd) + d); \
    }
ELEMENTS(F32, f32, load_f32)
ELEMENTS(F16, f16, rg_half_at)
static float k_q8_0(const unsigned char *head, int64_t hd, int64_t pos, int64_t d)
{
    const unsigned char *block = head + (pos / 16 * (hd / Q8) + d / Q8) * K_Q8;
    return (float)(int8_t)block[32 + d % Q8 * 16 + pos % 16] * rg_half_at(block, pos % 16);
}
static float v_q8_0(const unsigned char *head, int64_t hd, int64_t pos, int64_t d)
{
    const unsigned char *block = head + (pos * (rg_kv_hdp(RG_KV_Q8_0, hd) / Q8) + d / Q8) * V_Q8;
    return (float)(int8_t)block[2 + d % Q8] * rg_half_at(block, 0);
}

#define ATTN(type) \
    void rg_attn_qk_##type##__c(float *s, int64_t lds, const float *q, int64_t ldq, int64_t nq, \
        const void *k_head, int64_t hd, int64_t p0, int64_t p1) \
    { \
        for (int64_t p = p0; p < p1; p++) { \
            float sum[RG_ATTN_NQ] = {0.0f}; \
            for (int64_t d = 0; d < hd; d++) { \
                const float kd = k_##type(k_head, hd, p, d); \
                for (int64_t i = 0; i < nq; i++) sum[i] += q[i * ldq + d] * kd; \
            } \
            for (int64_t i = 0; i < nq; i++) s[i * lds + p - p0] = sum[i]; \
        } \
    } \
    void rg_attn_pv_##type##__c(float *acc, int64_t lda, const float *s, int64_t lds, int64_t nq, \
        const void *v_head, int64_t hd, int64_t p0, int64_t p1) \
    { \
        for (int64_t i = 0; i < nq; i++) memset(acc + i * lda, 0, (size_t)hd * sizeof *acc); \
        for (int64_t p = p0; p < p1; p++) \
            for (int64_t d = 0; d < hd; d++) { \
                const float vd = v_##type(v_head, hd, p, d); \
                for (int64_t i = 0; i < nq; i++) acc[i * lda + d] += s[i * lds + p - p0] * vd; \
            } \
    }
ATTN(f32)
ATTN(f16)
ATTN(q8_0)

#define PANEL(type) \
    void rg_kv_panel_k_##type##__c(float *dst, const void *k_head, int64_t hd, int64_t p0, int64_t p1) \
    { \
        for (int64_t d = 0; d < hd; d++) \
            for (int64_t p = p0; p < p0 + 32; p++) \
                dst[d * 32 + p - p0] = p < p1 ? k_##type(k_head, hd, p, d) : 0.0f; \
    } \
    void rg_kv_panel_v_##type##__c( \
        float *dst, const void *v_head, int64_t hd, int64_t p0, int64_t p1, int64_t d0) \
    { \
        for (int64_t p = p0; p < p1; p++) \
            for (int64_t d = d0; d < d0 + 32; d++) \
                dst[(p - p0) * 32 + d - d0] = d < hd ? v_##type(v_head, hd, p, d) : 0.0f; \
    }
PANEL(f32)
PANEL(f16)
PANEL(q8_0)

void rg_kv_put_k_f32__c(void *head, int64_t hd, int64_t pos, const float *src)
{
    unsigned char *p = (unsigned char *)head + 4 * (pos / 16 * hd * 16 + pos % 16);
    for (int64_t d = 0; d < hd; d++) memcpy(p + 64 * d, src + d, sizeof *src);
}

void rg_kv_put_k_f16__c(void *head, int64_t hd, int64_t pos, const float *src)
{
    for (int64_t d = 0; d < hd; d++) store_f16(head, (pos / 16 * hd + d) * 16 + pos % 16, src[d]);
}

/* Scale and values of one block: the largest value becomes +-127, as in ggml's q8_0, rounded with the stored
 * half scale. */
static float q8_block(int8_t q[Q8], const float *src, int64_t n)
{
    float most = 0.0f;
    for (int64_t i = 0; i < n; i++) {
        const float a = src[i] < 0.0f ? -src[i] : src[i];
        if (a > most) most = a;
    }
    const float d = rg_f16_to_f32(rg_f32_to_f16(most / 127.0f < 65504.0f ? most / 127.0f : 65504.0f));
    const float inv = d > 0.0f ? 1.0f / d : 0.0f;
    for (int64_t i = 0; i < Q8; i++) {
        float v = i < n ? src[i] * inv : 0.0f;
        v = v > -127.0f ? v : -127.0f; /* a NaN would become -127: */
        v = v < 127.0f ? v : 127.0f;
        q[i] = (int8_t)(v < 0.0f ? v - 0.5f : v + 0.5f);
    }
    return d;
}

/* A NaN makes the scale NaN, so that it still spoils every result. */
static uint16_t q8_scale(float d, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (src[i] != src[i]) return 0x7e00u;
    return rg_f32_to_f16(d);
}

void rg_kv_put_k_q8_0__c(void *head, int64_t hd, int64_t pos, const float *src)
{
    for (int64_t b = 0; b < hd / Q8; b++) {
        unsigned char *block = (unsigned char *)head + (pos / 16 * (hd / Q8) + b) * K_Q8;
        int8_t q[Q8];
        const uint16_t d = q8_scale(q8_block(q, src + b * Q8, Q8), src + b * Q8, Q8);
        memcpy(block + 2 * (pos % 16), &d, sizeof d);
        for (int i = 0; i < Q8; i++) block[32 + i * 16 + pos % 16] = (unsigned char)q[i];
    }
}

void rg_kv_put_v_f32__c(void *head, int64_t hd, int64_t pos, const float *src)
{
    const int64_t hdp = rg_kv_hdp(RG_KV_F32, hd);
    unsigned char *p = (unsigned char *)head + 4 * pos * hdp;
    memcpy(p, src, (size_t)hd * sizeof *src);
    memset(p + 4 * hd, 0, (size_t)(hdp - hd) * sizeof *src);
}

void rg_kv_put_v_f16__c(void *head, int64_t hd, int64_t pos, const float *src)
{
    const int64_t hdp = rg_kv_hdp(RG_KV_F16, hd);
    for (int64_t d = 0; d < hdp; d++) store_f16(head, pos * hdp + d, d < hd ? src[d] : 0.0f);
}

void rg_kv_put_v_q8_0__c(void *head, int64_t hd, int64_t pos, const float *src)
{
    const int64_t blocks = rg_kv_hdp(RG_KV_Q8_0, hd) / Q8;
    for (int64_t b = 0; b < blocks; b++) {
        unsigned char *block = (unsigned char *)head + (pos * blocks + b) * V_Q8;
        const int64_t n = rg_min(Q8, hd - b * Q8);
        int8_t q[Q8];
        const uint16_t d = q8_scale(q8_block(q, src + b * Q8, n), src + b * Q8, n);
        memcpy(block, &d, sizeof d);
        memcpy(block + 2, q, sizeof q);
    }
}
