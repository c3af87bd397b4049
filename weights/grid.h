/* Codes, scales and zero points in tensors of their own. Private to weights/. */
#ifndef RG_GRID_H
#define RG_GRID_H

#include "weights/ckpt.h"

typedef enum rg_grid_kind {
    /* codes i32 [in][out/8], nibbles in the order 0 2 4 6 1 3 5 7; zero points i32 [in/g][out/8]; scales
     * [in/g][out] */
    RG_GRID_AWQ,
    RG_GRID_GPTQ, /* codes i32 [in*bits/32][out], zero points i32 [in/g][out*bits/32], scales [in/g][out] */
    /* compressed-tensors: codes i32 [out][in*bits/32], zero points i32 [out*bits/32][in/g] or none (the
     * middle), scales [out][in/g] */
    RG_GRID_PACKED,
    RG_GRID_MLX,   /* codes u32 [out][in*bits/32], scales and minimums [out][in/g] */
    RG_GRID_INT8,  /* codes i8 [out][in], scales [out / tall][in / g] */
    RG_GRID_FP8,   /* the same; codes are e4m3: 4 bits of exponent, bias 7, 3 of mantissa, no infinities */
    RG_GRID_MXFP4, /* codes u8 [out][in / 2], the first in the low half; scales u8 [out][in / 32],
     * exponents */
    RG_GRID_NF4 /* codes u8 [out * in / 2], the first in the high half; scales [out * in / group], see map */
} rg_grid_kind;

struct rg_grid {
    rg_grid_kind kind;
    int bits; /* of a code: 4 or 8 */
    int64_t out, in;
    int64_t step;        /* from one of its own outputs to the next; 0: 1 */
    int64_t first, rows; /* which of the outputs are this grid's: the file's tensors may hold several */
    /* columns of a scale (the last group may be short), scales per row */
    int64_t group, groups;
    int64_t tall; /* rows of a scale; 0: 1 */
    /* in the mapping, not necessarily aligned; zero NULL: the middle of the codes */
    const unsigned char *q, *scale, *zero;
    const unsigned char *min; /* of MLX: what code 0 is, of the type and number of the scales; else NULL */
    uint64_t q_bytes, scale_bytes, zero_bytes;
    /* of NF4: value of each code, f32 [16]. nested NULL: scales are f32; else they are bytes, which mean
     * nested_map[byte] * nested[block / nested_group] + offset, f32 [256] and f32 */
    const unsigned char *map, *nested, *nested_map;
    int64_t nested_group;
    double offset;
    rg_ftype scale_type;
    int zero_add;   /* GPTQ v1 stores zero points minus 1 */
    bool middle;    /* every zero point is the middle, 8 or 128: a scale alone says it all */
    int32_t *g_idx; /* [in] group of each column if not column / group; owns */
    int32_t *order; /* [in] columns by group, where the groups are whole (else NULL); owns */
    rg_wtype resident;
    rg_rounding rounding;
};

/* The middle of the codes: what a zero point is where none is stored. */
static inline int rg_grid_mid(const rg_grid *g) { return 1 << (g->bits - 1); }
/* The first zero point as it is stored. */
int rg_grid_zero(const rg_grid *g);
/* Rows of a filled grid as one of their own, with resident type and rounding; NULL: no memory. */
rg_grid *rg_grid_part(const rg_grid *g, int64_t first, int64_t rows);
/* Every zero point of its rows is the middle. */
bool rg_grid_middle(const rg_grid *g);
void rg_grid_row_f32(const rg_grid *g, int64_t r, float *dst);
void rg_grid_row(const rg_grid *g, int64_t r, uint8_t *q, float *scale, float *min);
/* Columns cannot be reordered there: the grid goes without its order. */
void rg_grid_forget_order(rg_grid *g);
void rg_grid_free(rg_grid *g); /* legal on NULL */

#endif
