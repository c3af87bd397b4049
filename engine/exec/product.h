/* What drivers of products share: drive_linear.c records, drive_tiles.c computes on tiles. */
#ifndef RG_PRODUCT_H
#define RG_PRODUCT_H

#include "exec/team.h"
#include "ops/route.h"

/* What a call works on. */
typedef struct rg_product {
    float *to; /* [m][n]: the result; at first the gate of LINEAR_SWIGLU, the residual stream of LINEAR_ADD */
    const char *x; /* rows in the form of the kernel, ld bytes apart, x_bytes of each used */
    int64_t ld, x_bytes;
    int64_t own; /* bytes of x that this thread has just prepared */
    const rg_weight *w;
    int64_t panel; /* bytes read of one of its panels */
    int64_t m;
    rg_kernel_kind kind;
    rg_xform form; /* its form of x */
    bool tiles;
    rg_op op;          /* LINEAR, or a fused one */
    float *y;          /* [m][n]: for sums that leave the private cache */
    const float *bias; /* [n] added to the outputs; NULL: none */
    /* LINEAR_SUM_EXPS: rows of `to` that take the outputs, times their weights; else NULL */
    const int32_t *row;
    const float *weight;
} rg_product;

/* A product of m tokens, with the kernel that does it; to, x and y are the caller's to fill. */
rg_product rg_product_of(const rg_ctx *cx, rg_op op, const rg_weight *w, int64_t m);
/* Its rows of x are prepared, or copied apart; rg_product_pitch bytes from row to row. Own: by a thread for
 * itself. */
bool rg_product_prepares(const rg_ctx *cx, const rg_product *a);
int64_t rg_product_pitch(const rg_product *a, bool own);
void rg_product_row(const rg_ctx *cx, const rg_product *a, char *to, const float *x);
/* Bytes that pass through a thread's cache beside its panels, in its scratch: a block of unpacked ones. */
int64_t rg_product_block(const rg_product *a);
/* Panels [p0, p1), counted. */
void rg_product_panels(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1);
rg_op_desc rg_product_record(const rg_ctx *cx, rg_site site, const rg_product *a, rg_dims dims, bool barrier);

/* The end of the operator for rows [row0, row0 + rows) and columns [col0, col0 + cols), whose products are in
 * y[rows][ldy], which changes: what is fused runs by the kernels of the operators that it replaces, so
 * no bit differs. */
void rg_product_finish(const rg_ctx *cx, const rg_product *a, float *y, int64_t ldy, int64_t row0,
    int64_t rows, int64_t col0, int64_t cols);

/* What this context has to choose from. */
rg_units rg_ctx_units(const rg_ctx *cx);
/* Bytes from row to row of prepared rows for tiles. */
int64_t rg_tile_pitch(rg_xform form, int64_t k, int64_t group);

/* Panels [p0, p1) of the product, counted. */
void rg_tile_product(rg_ctx *cx, const rg_product *a, int64_t p0, int64_t p1);
/* Bytes, of one thread. */
int64_t rg_tile_scratch(void);

#endif
