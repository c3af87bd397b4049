/* Prototypes and list of every row of kernels.def. For the kernels themselves, their tests and benchmarks;
 * drivers use kernels.h. */
#ifndef RG_KERNEL_ROWS_H
#define RG_KERNEL_ROWS_H

#include "base/num.h"
#include "kernels/kernels.h"

/* 16 bits of memory that need not be aligned. */
static inline uint16_t rg_u16_at(const void *p, int64_t i)
{
    uint16_t h;
    memcpy(&h, (const char *)p + 2 * i, sizeof h);
    return h;
}
static inline float rg_half_at(const void *p, int64_t i) { return rg_f16_to_f32(rg_u16_at(p, i)); }

/* GELU's tanh form: u times the logistic function of SLOPE (u + CUBE u^3), SLOPE = 2 sqrt(2 / pi). */
#define RG_GELU_SLOPE 1.5957691216057308f
#define RG_GELU_CUBE 0.044715f

/* A kind's type under its own name, for prototypes. */
#define RG_FN(fn, proto, member, arith, group) typedef rg_##proto##_fn rg_##fn##_fn;
#include "base/kinds.def"

#define RG_KERNEL(kind, type, isa, fn) rg_##kind##_fn fn;
#include "kernels/kernels.def"

typedef struct rg_kernel_row {
    rg_fn kind;
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
bool rg_blas_open(void); /* before the first call; false: it cannot be loaded */
#endif

#endif
