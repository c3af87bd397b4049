/* Prototypes and list of every row of kernels.def. For the kernels themselves, their tests and benchmarks;
 * drivers use kernels.h. */
#ifndef RG_KERNEL_ROWS_H
#define RG_KERNEL_ROWS_H

#include "kernels/kernels.h"

/* Kinds whose function type is not named after them. */
typedef rg_kv_put_fn rg_kv_put_k_fn, rg_kv_put_v_fn;
typedef rg_quant_fn rg_quant_q8_fn, rg_quant_q4_fn, rg_quant_q4m_fn;
typedef rg_prep_fn rg_prep_i8_fn, rg_prep_i16_fn, rg_prep_bf16_fn, rg_prep_bf16x2_fn;
typedef rg_dot_fn rg_dot8_fn, rg_dot16_fn;
typedef rg_mmdot_fn rg_mmdot8_fn, rg_mmdot16_fn;
typedef rg_pair_fn rg_pair_bf16_fn;
typedef rg_mmbf_fn rg_mm_bf16_fn;
typedef rg_split_fn rg_split_bf16_fn;
typedef rg_tile_dot_fn rg_tile_dot8_fn, rg_tile_dot16_fn;

#define RG_KERNEL(kind, type, isa, fn) rg_##kind##_fn fn;
#include "kernels/kernels.def"

typedef struct rg_kernel_row {
    const char *kind;
    int type; /* rg_wtype or rg_kvtype; 0 where the kind has no types */
    rg_isa isa;
    const char *name;
    void (*fn)(void); /* to be cast to the kind's type */
} rg_kernel_row;

extern const rg_kernel_row rg_kernel_rows[]; /* static, in the order of kernels.def */
extern const int rg_kernel_row_count;

/* mm by OpenBLAS (mm_blas.c); not a row, because it is asked for and not chosen by CPU. */
#ifdef RIDGE_HAVE_BLAS
rg_mm_fn rg_mm__blas;
#endif

#endif
