/* Tiles in plain C, for tests: no flags of an instruction set. */
#define RG_TILES_EMULATED
#define ISA_FN(name) name##__amxemu
#include "kernels/tile_body.h"
