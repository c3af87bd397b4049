/* Builds a checkpoint in memory around the tensors of one layer. */
#include "weights/layer_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/ckpt_impl.h"

rg_status rg_ckpt_layer_view(rg_ckpt **out, const rg_ckpt *c, int layer,
    const float *const weight[RG_SITE_COUNT], const float *hidden, int64_t n, rg_err *err)
{
    *out = NULL;
    rg_ckpt *v = calloc(1, sizeof *v);
    if (!v) goto fail;
    v->cfg = c->cfg;
    v->cfg.layers = 1;
    v->cfg.vocab = n;
    v->cfg.tied = true;
    v->cfg.bos = -1;
    v->cfg.embd_scale = 0.0; /* states have met it */
    v->cfg.extra &= ~rg_site_bit(RG_SITE_TOKEN_SCALE);
    v->cfg.all_seen[0] = rg_layer_bit(c->cfg.all_seen, layer);
    v->cfg.unrotated[0] = rg_layer_bit(c->cfg.unrotated, layer);
    snprintf(v->format, sizeof v->format, "layer");
    v->path = strdup(c->path);
    v->cap = (size_t)(RG_SITE_COUNT + RG_SITE_COUNT * c->cfg.experts);
    v->t = calloc(v->cap, sizeof *v->t);
    if (!v->path || !v->t) goto fail;
    if (c->rope_freqs) {
        const size_t bytes = (size_t)c->cfg.head_dim / 2 * sizeof *c->rope_freqs;
        v->rope_freqs = malloc(bytes);
        if (!v->rope_freqs) goto fail;
        memcpy(v->rope_freqs, c->rope_freqs, bytes);
    }
    for (int s = 0; s < RG_SITE_COUNT; s++) { /* in the order of sites.def, which rg_ckpt_find wants */
        const bool in_layer = rg_site_in_layer(s), embd = s == RG_SITE_TOKEN_EMBD,
                   norm = s == RG_SITE_OUTPUT_NORM;
        if (rg_site_rows(s) == RG_EXT_NONE || (in_layer ? !weight[s] : !embd && !norm)) continue;
        for (int e = 0; e < rg_site_matrices(&v->cfg, s); e++) {
            rg_ckpt_tensor *t = &v->t[v->n];
            t->site = s;
            t->layer = in_layer ? 0 : -1;
            t->expert = e;
            t->type = RG_FT_F32;
            t->rows = rg_extent_size(&v->cfg, rg_site_rows(s));
            t->cols = rg_extent_size(&v->cfg, rg_site_cols(s));
            t->data = embd || norm ? hidden : weight[s] + e * t->rows * t->cols;
            t->bytes = (uint64_t)t->rows * (uint64_t)t->cols * sizeof(float);
            t->file_name = strdup(rg_site_name(s));
            if (!t->file_name) goto fail;
            v->n++;
            v->params += (uint64_t)t->rows * (uint64_t)t->cols;
            v->weight_bytes += t->bytes;
        }
    }
    v->file_bytes = v->weight_bytes;
    *out = v;
    return RG_OK;
fail:
    rg_ckpt_close(v);
    return rg_no_memory(err, "layer");
}
