/* The tile kernels on emulated tiles, with AVX-512 for what happens between tiles. */
#ifndef RG_TILES_MIXED_H
#define RG_TILES_MIXED_H

#include "kernels/kernels.h"

#define MIXED_TYPES(X) \
    X(Q8G32, q8g32) \
    X(Q4G32, q4g32) X(Q4G64, q4g64) X(Q4G128, q4g128) X(Q4G32M, q4g32m) X(Q4G64M, q4g64m) X(Q4G128M, q4g128m)

rg_tiles_on_fn rg_tiles_on__mixed;
rg_tiles_off_fn rg_tiles_off__mixed;
rg_tile_mm_fn rg_tile_mm__mixed;
#define MIXED(TYPE, type) rg_tile_dot_fn rg_tile_dot8_##type##__mixed, rg_tile_dot16_##type##__mixed;
MIXED_TYPES(MIXED)
#undef MIXED

#endif
