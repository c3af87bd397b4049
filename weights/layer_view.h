/* One layer as a model of its own, made of tensors in memory: for layer-by-layer calibration. */
#ifndef RG_LAYER_VIEW_H
#define RG_LAYER_VIEW_H

#include "weights/ckpt.h"

/* A checkpoint of one layer with the dimensions of c. weight[site]: f32 (row-major, canonical order), for
 * every site that has one. Its vocabulary is hidden[n][dim]: token i enters the layer as state i. The output
 * matrix, unused, is the same table (tied). All is borrowed until close. */
rg_status rg_ckpt_layer_view(rg_ckpt **out, const rg_ckpt *c, const float *const weight[RG_SITE_COUNT],
    const float *hidden, int64_t n, rg_err *err);

#endif
