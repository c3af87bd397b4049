/* Quantised modules of Hugging Face directories: the tensors that are one weight. Private to weights/. */
#ifndef RG_PARTS_H
#define RG_PARTS_H

#include "weights/ckpt_impl.h"

typedef enum rg_part_kind {
    RG_P_CODES,
    RG_P_ZEROS,
    RG_P_SCALES,
    RG_P_BIASES,
    RG_P_INDEX,
    RG_P_SHAPE,
    RG_P_MAP,
    RG_P_NESTED,
    RG_P_NESTED_MAP,
    RG_P_STATE,
    RG_P_COUNT
} rg_part_kind;

struct rg_part {
    char *module; /* "model.layers.0.mlp.up_proj"; owns */
    rg_part_kind kind;
    rg_ftype type;  /* of scales: F32, F16 or BF16 (of bytes: F32) */
    char dtype[12]; /* as in safetensors */
    int rank;
    uint64_t dim[4];
    const unsigned char *data;
    uint64_t bytes;
};

/* A part is a matrix of these sides. */
rg_status rg_part_check(const rg_part *p, int64_t rows, int64_t cols, const rg_src *src);
void rg_grid_take_scales(rg_grid *g, const rg_part *p);

/* Codes of a byte each (FP8, INT8) of a module [g->out, g->in], and their scales (scaled.c). */
rg_status rg_fill_scaled(rg_ckpt *c, rg_grid *g, const rg_part *const part[RG_P_COUNT], const rg_src *src);
/* Experts of gpt-oss: codes u8 [experts][out][in / 32][16], exponents u8 [experts][out][in / 32]
 * (scaled.c). */
rg_status rg_fill_mxfp4(
    rg_grid *g, const rg_part *const part[RG_P_COUNT], int64_t experts, const rg_src *src);
/* Codes of bitsandbytes (nf4.c). */
rg_status rg_fill_nf4(
    rg_grid *g, const rg_part *const part[RG_P_COUNT], const char *module, const rg_src *src);

#endif
