/* The tile instructions, for functions whose target has AMX. Tile numbers are literal 0..7. Inline assembly
 * that names all of memory: gcc's intrinsics declare 8 of the 64 bytes that ldtilecfg reads and no memory
 * for loads and stores, so that an optimiser may drop or move what they need. */
#ifndef RG_TILE_OPS_H
#define RG_TILE_OPS_H

#include "base/tile_emu.h"

#define RG_TILE_CONFIG(config) __asm__ volatile("ldtilecfg %0" : : "m"(*(config)) : "memory")
#define RG_TILE_RELEASE() __asm__ volatile("tilerelease" : : : "memory")
#define RG_TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : : : "memory")
#define RG_TILE_LOAD(t, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(from), "r"((int64_t)(stride)) : "memory")
/* With the hint that the data need not stay in L1. */
#define RG_TILE_STREAM(t, from, stride) \
    __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #t : : "r"(from), "r"((int64_t)(stride)) : "memory")
#define RG_TILE_STORE(t, to, stride) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(to), "r"((int64_t)(stride)) : "memory")
/* c += a b */
#define RG_TILE_BF16(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : : "memory")
#define RG_TILE_INT8(c, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : : "memory")

#endif
