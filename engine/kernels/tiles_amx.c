/* gcc says __AMX_TILE__, clang __AMXTILE__ */
#if !defined(__AVX512F__) || !(defined(__AMX_TILE__) || defined(__AMXTILE__)) || \
    !(defined(__AMX_BF16__) || defined(__AMXBF16__)) || !(defined(__AMX_INT8__) || defined(__AMXINT8__))
#error \
    "tiles_amx.c needs the AVX-512 flags and -mamx-tile -mamx-bf16 -mamx-int8: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__amx
#include "kernels/tile_body.h"
