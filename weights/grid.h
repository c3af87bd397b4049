/* Codes, scales and zero points in tensors of their own. Private to weights/. */
#ifndef RG_GRID_H
#define RG_GRID_H

#include "weights/ckpt.h"

typedef enum rg_grid_kind {
    /* codes i32 [in][out/8], nibbles in the order 0 2 4 6 1 3 5 7; zero points i32 [in/g][out/8]; scales
     * [in/g][out] */
    RG_GRID_AWQ,
    RG_GRID_GPTQ, /* codes i32 [in/8][out], zero points i32 [in/g][out/8], scales [in/g][out] */
    /* compressed-tensors: codes i32 [out][in/8], zero points i32 [out/8][in/g] or none (8), scales
     * [out][in/g] */
    RG_GRID_PACKED,
    /* 8 bits: codes i32 [out][in/4], 128 more than their values; no zero points */
    RG_GRID_PACKED8,
    RG_GRID_INT8 /* llama2.c v2: codes i8 [out][in], scales f32 [out * in / g] */
} rg_grid_kind;

struct rg_grid {
    rg_grid_kind kind;
    int64_t out, in;
    int64_t first, rows; /* which of the outputs are this grid's: the file's tensors may hold several */
    /* columns of a scale (the last group may be short), scales per row */
    int64_t group, groups;
    /* in the mapping, not necessarily aligned; zero NULL: the middle of the codes */
    const unsigned char *q, *scale, *zero;
    uint64_t q_bytes, scale_bytes, zero_bytes;
    rg_ftype scale_type;
    int zero_add;   /* GPTQ v1 stores zero points minus 1 */
    bool middle;    /* every zero point is 8: a scale alone says it all */
    int32_t *g_idx; /* [in] group of each column if not column / group; owns */
    int32_t *order; /* [in] columns by group, where the groups are whole (else NULL); owns */
    rg_wtype resident;
    rg_rounding rounding;
};

/* Rows of a filled grid as one of their own, with resident type and rounding; NULL: no memory. */
rg_grid *rg_grid_part(const rg_grid *g, int64_t first, int64_t rows);
/* Every zero point of its rows is 8. */
bool rg_grid_middle(const rg_grid *g);
void rg_grid_row_f32(const rg_grid *g, int64_t r, float *dst);
void rg_grid_row(const rg_grid *g, int64_t r, uint8_t *q, float *scale, float *min);
void rg_grid_free(rg_grid *g); /* legal on NULL */

#endif
