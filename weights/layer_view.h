/* One layer of a model as a model of its own, made of tensors in memory: what layer-by-layer calibration
 * runs. */
#ifndef RG_LAYER_VIEW_H
#define RG_LAYER_VIEW_H

#include "weights/ckpt.h"

/* A checkpoint of one layer with the dimensions of c. weight[site]: f32 tensors of the layer (row-major,
 * canonical order), for every site that has one. Its vocabulary is the `n` rows of hidden[n][dim]: token i
 * enters the layer as hidden state i, so the layer can be run on any states. Output matrix: the same table
 * (tied), for nobody to use. Everything is borrowed until close. */
rg_status rg_ckpt_layer_view(rg_ckpt **out, const rg_ckpt *c, const float *const weight[RG_SITE_COUNT],
    const float *hidden, int64_t n, rg_err *err);

#endif
