/* The tile kernels on emulated tiles, with AVX-512 between them. */
#include "tiles_mixed.h"

#define RG_TILES_EMULATED
#define ISA_FN(name) name##__mixed
#include "kernels/tile_body.h"
