/* Forgetting in the middle: what lies behind moves forward, and the keys, which were rotated for their old
 * positions, are rotated back by the distance. Values carry no position and move as they are. */
#include <string.h>

#include "base/num.h"
#include "model/session.h"

/* Key `pos` of one head, to or from f32. */
static void key_get(float *dst, const char *head, rg_kvtype t, int64_t hd, int64_t pos)
{
    const int64_t at = pos / RG_KV_BLOCK * hd * RG_KV_BLOCK + pos % RG_KV_BLOCK;
    for (int64_t d = 0; d < hd; d++) {
        const int64_t i = at + d * RG_KV_BLOCK;
        dst[d] = t == RG_KV_F32 ? ((const float *)(const void *)head)[i]
                                : rg_f16_to_f32(((const uint16_t *)(const void *)head)[i]);
    }
}

static void key_put(char *head, const float *src, rg_kvtype t, int64_t hd, int64_t pos)
{
    const int64_t at = pos / RG_KV_BLOCK * hd * RG_KV_BLOCK + pos % RG_KV_BLOCK;
    for (int64_t d = 0; d < hd; d++) {
        const int64_t i = at + d * RG_KV_BLOCK;
        if (t == RG_KV_F32)
            ((float *)(void *)head)[i] = src[d];
        else
            ((uint16_t *)(void *)head)[i] = rg_f32_to_f16(src[d]);
    }
}

rg_status rg_session_shift(rg_session *s, int64_t seq, int64_t keep, int64_t discard, rg_err *err)
{
    const rg_config *c = &s->e->model.cfg;
    const int64_t hd = c->head_dim, half = hd / 2, n = s->len[seq], v_bytes = rg_kv_v_bytes(s->o.kv_v, hd);
    float key[2][RG_HEAD_DIM_MAX];
    if (keep < 0 || discard < 1 || keep + discard > n)
        return rg_fail(err, RG_E_USAGE, "context shift: keep %lld and discard %lld of %lld tokens",
            (long long)keep, (long long)discard, (long long)n);
    if (s->o.kv_k == RG_KV_Q8_0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "--context-shift: keys of type q8_0 would lose precision with every shift; use -ctk f16 or f32");
    if (hd > RG_HEAD_DIM_MAX)
        return rg_fail(err, RG_E_UNSUPPORTED, "--context-shift: head size %lld, at most %d", (long long)hd,
            RG_HEAD_DIM_MAX);
    const float *cs = s->a.cs + discard * hd; /* the angles of the distance */
    for (int64_t layer = 0; layer < c->layers; layer++) {
        const rg_kv_layer kv = rg_kv_at(s, layer);
        for (int64_t g = 0; g < c->kv_heads; g++) {
            char *k = kv.k + (seq * c->kv_heads + g) * kv.k_stride,
                 *v = kv.v + (seq * c->kv_heads + g) * kv.v_stride;
            for (int64_t p = keep + discard; p < n; p++) {
                key_get(key[0], k, s->o.kv_k, hd, p);
                for (int64_t i = 0; i < half; i++) {
                    key[1][i] = key[0][i] * cs[i] + key[0][half + i] * cs[half + i];
                    key[1][half + i] = key[0][half + i] * cs[i] - key[0][i] * cs[half + i];
                }
                key_put(k, key[1], s->o.kv_k, hd, p - discard);
            }
            memmove(
                v + keep * v_bytes, v + (keep + discard) * v_bytes, (size_t)((n - keep - discard) * v_bytes));
        }
    }
    s->len[seq] = n - discard;
    return RG_OK;
}
