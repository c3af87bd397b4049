/* The tile kernels on emulated tiles, with AVX-512 for what happens between tiles. */
#ifndef RG_TILES_MIXED_H
#define RG_TILES_MIXED_H

#include "kernels/kernels.h"

rg_tiles_on_fn rg_tiles_on__mixed;
rg_tiles_off_fn rg_tiles_off__mixed;
rg_tile_mm_fn rg_tile_mm__mixed;
#define MIXED(TYPE, type, ...) rg_tile_dot_fn rg_tile_dot8_##type##__mixed, rg_tile_dot16_##type##__mixed;
RG_WTYPES_QUANT(MIXED, )
#undef MIXED

#endif
