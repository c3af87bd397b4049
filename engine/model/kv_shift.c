/* Forgetting in the middle: what lies behind moves forward, and keys are rotated back by the distance. Values
 * carry no position. */
#include <string.h>

#include "base/num.h"
#include "model/session.h"

/* Key `pos` of one head, to or from f32. */
static void key_get(float *dst, const void *head, rg_kvtype t, int64_t hd, int64_t pos)
{
    const float *f = head;
    const uint16_t *h = head;
    int64_t i = pos / RG_KV_BLOCK * hd * RG_KV_BLOCK + pos % RG_KV_BLOCK;
    for (int64_t d = 0; d < hd; d++, i += RG_KV_BLOCK) dst[d] = t == RG_KV_F32 ? f[i] : rg_f16_to_f32(h[i]);
}

static void key_put(void *head, const float *src, rg_kvtype t, int64_t hd, int64_t pos)
{
    float *f = head;
    uint16_t *h = head;
    int64_t i = pos / RG_KV_BLOCK * hd * RG_KV_BLOCK + pos % RG_KV_BLOCK;
    for (int64_t d = 0; d < hd; d++, i += RG_KV_BLOCK)
        if (t == RG_KV_F32)
            f[i] = src[d];
        else
            h[i] = rg_f32_to_f16(src[d]);
}

/* Rotates a key back by the distance whose cosines and sines are cs; by: their own factor, undone. */
static void turn_back(float *key, const float *cs, int64_t half, float by)
{
    for (int64_t i = 0; i < half; i++) {
        const float a = key[i], b = key[half + i], c = cs[i] * by, s = cs[half + i] * by;
        key[i] = a * c + b * s;
        key[half + i] = b * c - a * s;
    }
}

rg_status rg_session_shift(rg_session *s, int64_t seq, int64_t keep, int64_t discard, rg_err *err)
{
    const rg_config *c = &s->e->model.cfg;
    const int64_t hd = c->head_dim, rot = rg_rope_dim(c), n = s->len[seq],
                  v_bytes = rg_kv_v_bytes(s->o.kv_v, hd);
    float key[RG_HEAD_DIM_MAX];
    if (keep < 0 || discard < 1 || keep + discard > n)
        return rg_fail(err, RG_E_USAGE, "context shift: keep %lld and discard %lld of %lld tokens",
            (long long)keep, (long long)discard, (long long)n);
    if (s->o.kv_k == RG_KV_Q8_0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "--context-shift: keys of type q8_0 would lose precision with every shift; use -ctk f16 or f32");
    if (c->q_temp > 0.0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "--context-shift: queries of %s grow with their position, so that what was computed cannot move; "
            "use a "
            "larger -c",
            c->arch);
    if (hd > RG_HEAD_DIM_MAX)
        return rg_fail(err, RG_E_UNSUPPORTED, "--context-shift: head size %lld, at most %d", (long long)hd,
            RG_HEAD_DIM_MAX);
    for (int64_t layer = 0; layer < c->layers; layer++) {
        const rg_kv_layer kv = rg_kv_at(s, layer);
        const bool local = rg_layer_local(c, layer);
        const float *cs = (local ? s->a.cs_local : s->a.cs) + discard * rot, /* the angles of the distance */
            by = !local && c->rope_magnitude > 0.0 ? (float)(1.0 / c->rope_magnitude) : 1.0f;
        for (int64_t g = 0; g < c->kv_heads; g++) {
            char *k = rg_kv_k_head(&kv, seq, g), *v = rg_kv_v_head(&kv, seq, g);
            for (int64_t p = keep + discard; p < n; p++) {
                key_get(key, k, s->o.kv_k, hd, p);
                if (rg_layer_rotates(c, layer)) turn_back(key, cs, rot / 2, by);
                key_put(k, key, s->o.kv_k, hd, p - discard);
            }
            memmove(
                v + keep * v_bytes, v + (keep + discard) * v_bytes, (size_t)((n - keep - discard) * v_bytes));
        }
    }
    s->len[seq] = n - discard;
    return RG_OK;
}
