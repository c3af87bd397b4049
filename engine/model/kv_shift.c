/* Forgetting in the middle: what lies behind moves forward, and keys are rotated back by the distance. Values
 * carry no position. */
#include <stdlib.h>
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

/* Positions [from, n) of a layer's head move forward. keys, values: room for `step` positions. In a ring all
 * are taken out first: those that move may lie where others did. */
static void move_head(const rg_session *s, int64_t layer, int64_t seq, int64_t g, int64_t from, int64_t n,
    int64_t discard, float *keys, char *values, int64_t step)
{
    const rg_config *c = &s->e->model.cfg;
    const rg_kv_layer *kv = &s->kv[layer];
    const int64_t hd = kv->hd, v1 = rg_kv_v_bytes(kv->v_type, hd), rot = rg_rope_dim(c);
    const bool local = rg_layer_local(c, layer);
    const float *cs = (local ? s->a.cs_local : s->a.cs) + discard * rot,
                by = !local && c->rope_magnitude > 0.0 ? (float)(1.0 / c->rope_magnitude) : 1.0f;
    char *k = rg_kv_k_head(kv, seq, g), *v = rg_kv_v_head(kv, seq, g);
    for (int64_t p = from, end; p < n; p = end) {
        end = rg_min(p + step, n);
        for (int64_t i = p; i < end; i++) {
            const int64_t at = rg_kv_place(kv, i);
            key_get(keys + (i - p) * hd, k, kv->k_type, hd, at);
            memcpy(values + (i - p) * v1, v + at * v1, (size_t)v1);
        }
        for (int64_t i = p; i < end; i++) {
            const int64_t at = rg_kv_place(kv, i - discard);
            if (rg_layer_rotates(c, layer)) turn_back(keys + (i - p) * hd, cs, rot / 2, by);
            key_put(k, keys + (i - p) * hd, kv->k_type, hd, at);
            memcpy(v + at * v1, values + (i - p) * v1, (size_t)v1);
        }
    }
}

int64_t rg_session_shift_most(const rg_session *s, int64_t seq, int64_t keep)
{
    const int64_t n = s->len[seq], first = rg_min(s->lost[seq], keep);
    return first > 0 ? rg_min(n - keep, n - s->e->model.cfg.window + 1 - first) : n - keep;
}

rg_status rg_session_shift(rg_session *s, int64_t seq, int64_t keep, int64_t discard, rg_err *err)
{
    const rg_config *c = &s->e->model.cfg;
    const int64_t n = s->len[seq], from = keep + discard, lost = s->lost[seq],
                  step = rg_max(s->ring, RG_ATTN_CHUNK);
    if (keep < 0 || discard < 1 || discard > n - keep)
        return rg_fail(err, RG_E_USAGE, "context shift: keep %lld and discard %lld of %lld tokens",
            (long long)keep, (long long)discard, (long long)n);
    if (discard > rg_session_shift_most(s, seq, keep))
        return rg_fail(err, RG_E_USAGE,
            "context shift: keep %lld and discard %lld of %lld tokens: layers with a window of %lld "
            "positions "
            "hold none before %lld: at most %lld can be discarded",
            (long long)keep, (long long)discard, (long long)n, (long long)c->window, (long long)lost,
            (long long)rg_session_shift_most(s, seq, keep));
    if (s->o.kv_k == RG_KV_Q8_0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "--context-shift: keys of type q8_0 would lose precision with every shift; use -ctk f16 or f32");
    if (c->q_temp > 0.0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "--context-shift: queries of %s grow with their position, so that what was computed cannot move; "
            "use a "
            "larger -c",
            c->arch);
    float *keys = malloc((size_t)(step * c->head_dim) * sizeof *keys);
    char *values = malloc((size_t)(step * rg_kv_v_bytes(s->o.kv_v, c->head_dim)));
    if (keys && values) {
        for (int64_t layer = 0; layer < c->layers; layer++)
            for (int64_t g = 0; g < c->kv_heads; g++)
                move_head(s, layer, seq, g, rg_layer_window(c, layer) > 0 ? rg_max(from, lost) : from, n,
                    discard, keys, values, step);
        s->len[seq] = n - discard;
        s->lost[seq] = n == discard ? 0 : lost > from ? lost - discard : rg_min(lost, keep);
        rg_session_wrote(s, seq, n - discard);
    }
    const bool moved = keys && values;
    free(keys);
    free(values);
    return moved ? RG_OK : rg_no_memory(err, "context shift");
}
