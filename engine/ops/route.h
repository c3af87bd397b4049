/* Which kernel does a product or an attention, for the drivers and for the exact model of roofline/. */
#ifndef RG_ROUTE_H
#define RG_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/kinds.h"

/* What is asked for, and what the CPU has. */
typedef struct rg_units {
    rg_act act;
    bool blas;                  /* many tokens go to the BLAS library */
    bool prepared;              /* products may take rows of x in another form */
    bool bytes, emulated_bytes; /* multiplies bytes; does so in 16-bit sums, with AVX2 */
    bool narrow;                /* in registers of 256 bits, which hold two tokens at a time */
    bool tile_bytes, tile_bf16; /* has tiles of these */
    /* attention: vectors, where many rows gain by sharing keys and values; bf16 products that beat FP32 */
    bool vectors, fast_bf16;
} rg_units;

typedef struct rg_route {
    rg_kernel_kind kernel;
    bool tiles;
} rg_route;

enum { RG_DOT_TO = 64 }; /* most tokens of the kernels DOT8 and DOT16; route.c says why */

/* y = x W^T of m tokens. */
rg_route rg_route_product(const rg_units *u, rg_wtype type, int64_t m);

/* How queries meet the cache: as it lies; or turned for many rows into floats, pairs of bf16, tiles of two
 * planes of bf16, or of one. */
typedef enum rg_attn_way {
    RG_ATTN_FEW,
    RG_ATTN_MANY,
    RG_ATTN_MANY_BF16,
    RG_ATTN_TILES,
    RG_ATTN_TILES_BF16
} rg_attn_way;

/* tokens: of each sequence, on average. */
rg_attn_way rg_route_attn(const rg_units *u, int64_t hd, int64_t tokens);

#endif
