/* What the drivers of attention share. Private to exec/. */
#ifndef RG_ATTN_PARTS_H
#define RG_ATTN_PARTS_H

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "exec/drive.h"
#include "ops/route.h"

/* First position that a token sees. */
static inline int64_t rg_first_seen(const rg_attn_shape *a, int64_t pos)
{
    return a->window > 0 ? rg_max(0, pos - a->window + 1) : 0;
}
/* Chunks end at multiples of their size wherever they begin. */
static inline int64_t rg_next_chunk(int64_t c0) { return (c0 / RG_ATTN_CHUNK + 1) * RG_ATTN_CHUNK; }

/* Scores of positions before the window: as good as not there. */
static inline void rg_mask_scores(float *s, int64_t n)
{
    for (int64_t j = 0; j < n; j++) s[j] = -INFINITY;
}

/* Bytes of K (V) past the private cache: a head that stays there is charged once per thread, for its longest
 * reach. */
typedef struct rg_reach {
    const char *last;
    int64_t end;
} rg_reach;

static inline int64_t rg_new_positions(
    rg_reach *r, const char *base, int64_t start, int64_t end, int64_t pos_bytes, int64_t l2_bytes)
{
    int64_t fresh = end - start;
    if (r->last == base && fresh * pos_bytes <= l2_bytes / 2) fresh = rg_max(0, end - rg_max(r->end, start));
    r->last = base;
    r->end = end;
    return fresh;
}

/* Merges a chunk's row into the running one; first: there is none yet. csum is 0 where the row sees nothing
 * of the chunk. */
static inline void rg_merge_row(
    float *out, float *max, float *sum, const float *acc, float cmax, float csum, int64_t hd, bool first)
{
    if (first) {
        memcpy(out, acc, (size_t)hd * sizeof *out);
        *max = cmax;
        *sum = csum;
    } else if (csum != 0.0f) {
        const float m = *max > cmax ? *max : cmax, a = *max == m ? 1.0f : expf(*max - m),
                    b = cmax == m ? 1.0f : expf(cmax - m);
        for (int64_t d = 0; d < hd; d++) out[d] = out[d] * a + acc[d] * b;
        *sum = *sum * a + csum * b;
        *max = m;
    }
}

static inline void rg_store_row(float *out, const float *acc, float sum, int64_t hd)
{
    const float inv = 1.0f / sum;
    for (int64_t d = 0; d < hd; d++) out[d] = acc[d] * inv;
}

/* drive_attn_many.c: the work of rg_attn where many query rows share each key; which way for this call. */
rg_attn_way rg_attn_choose(const rg_ctx *cx, const rg_kv_layer *kv, const rg_attn_shape *a);
void rg_attn_many(
    rg_ctx *cx, float *out, const float *q, const rg_kv_layer *kv, const rg_attn_shape *a, rg_attn_way way);
size_t rg_attn_many_scratch(void);

#endif
