#include "tiles_mixed.h"

#define RG_TILES_EMULATED
#define ISA_FN(name) name##__mixed
#include "kernels/tile_body.h"
