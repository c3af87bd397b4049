/* Attention kernels for one register width (simd.h). */
#include "kernels/kernel_rows.h"

#include "kernels/simd.h"

/* Scores: a K block is VB vectors. Tiles of QT query rows x QB blocks have enough sums in flight to hide the
 * latency of FMA. Values: tiles of PQ query rows x PV vectors of the head. */
enum {
    W = VL == 16, /* wide registers, and 32 of them */
    VB = 16 / VL,
    Q8 = 32, /* values per q8_0 block */
    /* bytes of half scale[16], int8 q[32][16] */
    K_Q8 = 32 + 16 * Q8,
    V_Q8 = 2 + Q8,
    QT = W ? 16 : 6, /* most query rows of a tile */
    QB = 4,          /* most K blocks of a tile */
    PQ = W ? 4 : 3,
    PV = 4,
    PQ_Q8 = W ? 8 : PQ /* q8_0: two vectors at a time leave room for more rows */
};

INLINE int64_t k_block_bytes(rg_kvtype type, int64_t hd)
{
    return type == RG_KV_Q8_0 ? hd / Q8 * K_Q8 : hd * (type == RG_KV_F16 ? 32 : 64);
}

/* The cache streams from memory. Blocks of K that are walked side by side confuse the hardware's prefetch, so
 * lines of the next tile, and of at least so many bytes ahead, are asked for in the order of their bytes. */
enum { AHEAD = 4096 };
INLINE void ask(const unsigned char *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

/* qt query rows against qb blocks of K; s at the first position. */
INLINE void qk_tile(float *s, int64_t lds, const float *q, int64_t ldq, const unsigned char *k, int64_t hd,
    rg_kvtype type, int qt, int qb)
{
    const int64_t block = k_block_bytes(type, hd);
    const unsigned char *next = k + (qb * block < AHEAD ? AHEAD : qb * block);
    vf sum[QT][QB][VB];
    EACH (i, qt)
        EACH (b, qb)
            EACH (v, VB) sum[i][b][v] = vf_zero();
    if (type != RG_KV_Q8_0) {
        for (int64_t d = 0; d < hd; d++) {
            const int step = qb * (type == RG_KV_F16 ? 32 : 64);
            EACH (b, (step + 63) / 64) ask(next + d * step + b * 64);
            EACH (b, qb)
                EACH (v, VB) {
                    const unsigned char *at = k + b * block;
                    const vf kv = type == RG_KV_F16 ? vf_half(at + d * 32 + v * 2 * VL)
                                                    : vf_load(at + d * 64 + v * 4 * VL);
                    EACH (i, qt) sum[i][b][v] = vf_fma(kv, vf_set1(q[i * ldq + d]), sum[i][b][v]);
                }
        }
    } else {
        for (int64_t c = 0; c < hd; c += Q8) {
            vf part[QT][QB][VB];
            EACH (i, qt)
                EACH (b, qb)
                    EACH (v, VB) part[i][b][v] = vf_zero();
            for (int64_t d = 0; d < Q8; d++) {
                if (d % 4 == 0)
                    EACH (b, qb) ask(next + (c + d) * qb * K_Q8 / Q8 + b * 64);
                EACH (b, qb)
                    EACH (v, VB) {
                        const vf kv = vf_int8(k + b * block + c / Q8 * K_Q8 + 32 + d * 16 + v * VL);
                        EACH (i, qt) part[i][b][v] = vf_fma(kv, vf_set1(q[i * ldq + c + d]), part[i][b][v]);
                    }
            }
            EACH (b, qb)
                EACH (v, VB) {
                    const vf scale = vf_half(k + b * block + c / Q8 * K_Q8 + v * 2 * VL);
                    EACH (i, qt) sum[i][b][v] = vf_fma(part[i][b][v], scale, sum[i][b][v]);
                }
        }
    }
    EACH (i, qt)
        EACH (b, qb)
            EACH (v, VB) vf_store(s + i * lds + b * RG_KV_BLOCK + v * VL, sum[i][b][v]);
}

INLINE void qk(float *s, int64_t lds, const float *q, int64_t ldq, int64_t nq, const unsigned char *k_head,
    int64_t hd, int64_t p0, int64_t p1, rg_kvtype type)
{
    const int64_t block = k_block_bytes(type, hd);
    for (int64_t p = p0; p < p1;) {
        const unsigned char *k = k_head + p / RG_KV_BLOCK * block;
        const int64_t blocks = rg_div_up(p1 - p, RG_KV_BLOCK);
        int64_t done = 1;
        for (int64_t i = 0; i < nq;) {
            float *si = s + i * lds + p - p0;
            const float *qi = q + i * ldq;
            const int64_t left = nq - i;
#define TILE(qt, qb) \
    do { \
        qk_tile(si, lds, qi, ldq, k, hd, type, qt, qb); \
        i += qt; \
        done = qb; \
    } while (0)
            if (nq <= (W ? 4 : 2) && blocks >= 4) {
                if (W && left >= 4)
                    TILE(4, 4);
                else if (W && left >= 2)
                    TILE(2, 4);
                else
                    TILE(1, 4);
            } else if (left >= QT)
                TILE(QT, 1);
            else if (W && left >= 8)
                TILE(8, 1);
            else if (left >= 4)
                TILE(4, 1);
            else if (left >= 2)
                TILE(2, 1);
            else
                TILE(1, 1);
#undef TILE
        }
        p += done * RG_KV_BLOCK;
    }
}

/* pq query rows, pv vectors of the head from byte (block) offset v of each position. */
INLINE void pv_tile(float *acc, int64_t lda, const float *s, int64_t lds, const unsigned char *v,
    int64_t stride, int64_t n, rg_kvtype type, int pq, int pv)
{
    vf sum[PQ_Q8][PV];
    EACH (i, pq)
        EACH (j, pv) sum[i][j] = vf_zero();
    for (int64_t p = 0; p < n; p++, v += stride) {
        vf sv[PQ_Q8];
        EACH (i, pq) sv[i] = vf_set1(s[i * lds + p]);
        if (type == RG_KV_Q8_0) {
            uint16_t h;
            ask(v + AHEAD);
            memcpy(&h, v, sizeof h);
            const vf scale = vf_set1(_cvtsh_ss(h));
            EACH (i, pq) sv[i] = vf_mul(sv[i], scale);
        }
        EACH (j, pv) {
            const vf vv = type == RG_KV_F32 ? vf_load(v + j * 4 * VL)
                : type == RG_KV_F16         ? vf_half(v + j * 2 * VL)
                                            : vf_int8(v + 2 + j * VL);
            EACH (i, pq) sum[i][j] = vf_fma(vv, sv[i], sum[i][j]);
        }
    }
    EACH (i, pq)
        EACH (j, pv) vf_store(acc + i * lda + j * VL, sum[i][j]);
}

INLINE void pv(float *acc, int64_t lda, const float *s, int64_t lds, int64_t nq, const unsigned char *v_head,
    int64_t hd, int64_t p0, int64_t p1, rg_kvtype type)
{
    const int64_t hdp = rg_kv_hdp(type, hd), stride = rg_kv_v_bytes(type, hd), n = p1 - p0;
    const unsigned char *v = v_head + p0 * stride;
    for (int64_t d = 0; d < hdp;) {
        const int64_t vectors = (hdp - d) / VL;
        const unsigned char *at = v + (type == RG_KV_Q8_0 ? d / Q8 * V_Q8 : d * (type == RG_KV_F16 ? 2 : 4));
        int64_t done = 0;
        for (int64_t i = 0; i < nq;) {
            float *ai = acc + i * lda + d;
            const float *si = s + i * lds;
            const int64_t left = nq - i;
#define TILE(pq, pv) \
    do { \
        pv_tile(ai, lda, si, lds, at, stride, n, type, pq, pv); \
        i += pq; \
        done = pv; \
    } while (0)
#define TILES(pv) \
    do { \
        if (left >= PQ) \
            TILE(PQ, pv); \
        else if (left >= 2) \
            TILE(2, pv); \
        else \
            TILE(1, pv); \
    } while (0)
            if (type == RG_KV_Q8_0 && left >= PQ_Q8)
                TILE(PQ_Q8, Q8 / VL);
            else if (type == RG_KV_Q8_0)
                TILES(Q8 / VL);
            else if (vectors >= 4)
                TILES(4);
            else if (vectors >= 2)
                TILES(2);
            else
                TILES(1);
#undef TILES
#undef TILE
        }
        d += done * VL;
    }
}

/* ---- as floats ---- */

INLINE void panel_k(
    float *dst, const unsigned char *k_head, int64_t hd, int64_t p0, int64_t p1, rg_kvtype type)
{
    const int64_t block = k_block_bytes(type, hd);
    for (int64_t b = 0; b < 2; b++) {
        const int64_t left = p1 - p0 - b * RG_KV_BLOCK;
        const unsigned char *k = k_head + (p0 / RG_KV_BLOCK + b) * block;
        EACH (v, VB) {
            float *to = dst + b * RG_KV_BLOCK + v * VL;
            const int64_t n = left - v * VL < VL ? left - v * VL : VL;
            for (int64_t d = 0; d < hd; d++, to += 32) {
                vf x = vf_zero();
                if (n > 0 && type == RG_KV_F32)
                    x = vf_load(k + d * 64 + v * 4 * VL);
                else if (n > 0 && type == RG_KV_F16)
                    x = vf_half(k + d * 32 + v * 2 * VL);
                else if (n > 0)
                    x = vf_mul(vf_int8(k + d / Q8 * K_Q8 + 32 + d % Q8 * 16 + v * VL),
                        vf_half(k + d / Q8 * K_Q8 + v * 2 * VL));
                vf_store(to, n == VL || n <= 0 ? x : vf_keep(x, n, vf_zero()));
            }
        }
    }
}

INLINE void panel_v(
    float *dst, const unsigned char *v_head, int64_t hd, int64_t p0, int64_t p1, int64_t d0, rg_kvtype type)
{
    const int64_t stride = rg_kv_v_bytes(type, hd), hdp = rg_kv_hdp(type, hd);
    const unsigned char *v = v_head + p0 * stride;
    for (int64_t p = p0; p < p1; p++, v += stride, dst += 32)
        EACH (j, 32 / VL) {
            const int64_t d = d0 + j * VL;
            vf x = vf_zero();
            if (d < hdp && type == RG_KV_F32)
                x = vf_load(v + d * 4);
            else if (d < hdp && type == RG_KV_F16)
                x = vf_half(v + d * 2);
            else if (d < hdp) {
                uint16_t h;
                memcpy(&h, v + d / Q8 * V_Q8, sizeof h);
                x = vf_mul(vf_int8(v + d / Q8 * V_Q8 + 2 + d % Q8), vf_set1(_cvtsh_ss(h)));
            }
            vf_store(dst + j * VL, x);
        }
}

#define ATTN(TYPE, type) \
    void ISA_FN(rg_kv_panel_k_##type)(float *dst, const void *k_head, int64_t hd, int64_t p0, int64_t p1) \
    { \
        panel_k(dst, k_head, hd, p0, p1, RG_KV_##TYPE); \
    } \
    void ISA_FN(rg_kv_panel_v_##type)( \
        float *dst, const void *v_head, int64_t hd, int64_t p0, int64_t p1, int64_t d0) \
    { \
        panel_v(dst, v_head, hd, p0, p1, d0, RG_KV_##TYPE); \
    } \
    void ISA_FN(rg_attn_qk_##type)(float *s, int64_t lds, const float *q, int64_t ldq, int64_t nq, \
        const void *k_head, int64_t hd, int64_t p0, int64_t p1) \
    { \
        qk(s, lds, q, ldq, nq, k_head, hd, p0, p1, RG_KV_##TYPE); \
    } \
    void ISA_FN(rg_attn_pv_##type)(float *acc, int64_t lda, const float *s, int64_t lds, int64_t nq, \
        const void *v_head, int64_t hd, int64_t p0, int64_t p1) \
    { \
        pv(acc, lda, s, lds, nq, v_head, hd, p0, p1, RG_KV_##TYPE); \
    }
ATTN(F32, f32)
ATTN(F16, f16)
ATTN(Q8_0, q8_0)
