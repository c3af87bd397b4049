/* One layer as a model of its own, made of tensors in memory: for layer-by-layer calibration. */
#ifndef RG_LAYER_VIEW_H
#define RG_LAYER_VIEW_H

#include "weights/ckpt.h"

/* A checkpoint of that layer of c. weight[site]: f32 (row-major, canonical order; experts one behind the
 * other), for every site that the layer has. Its vocabulary is hidden[n][dim]: token i enters the
 * layer as state i. The output
 * matrix, unused, is the same table (tied). All is borrowed until close. */
rg_status rg_ckpt_layer_view(rg_ckpt **out, const rg_ckpt *c, int layer,
    const float *const weight[RG_SITE_COUNT], const float *hidden, int64_t n, rg_err *err);

#endif
