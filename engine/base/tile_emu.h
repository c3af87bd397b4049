/* Tiles in plain C: what the AMX instructions do by Intel's definition (Software Developer's Manual, "AMX"),
 * bit for bit, so that kernels written for tiles run on any machine. Used by the level amxemu, by tests, and
 * by the check of real tiles at start (base/amx.c).
 *
 * A fault of the processor (no configuration, shapes that do not fit together) ends the program, as the
 * processor would. */
#ifndef RG_TILE_EMU_H
#define RG_TILE_EMU_H

#include <stdint.h>

enum { RG_TILES = 8, RG_TILE_ROWS = 16, RG_TILE_BYTES = 64 /* of a row */ };

/* The operand of ldtilecfg. */
typedef struct rg_tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} rg_tile_config;
_Static_assert(sizeof(rg_tile_config) == 64, "ldtilecfg reads 64 bytes");

typedef struct rg_tile_file {
    rg_tile_config config; /* palette 0: none loaded */
    unsigned char tile[RG_TILES][RG_TILE_ROWS][RG_TILE_BYTES];
} rg_tile_file;

/* NULL, or why the processor would refuse: a configuration, the use of a tile, the product c += a b. */
const char *rg_emu_config_fault(const rg_tile_config *c);
const char *rg_emu_tile_fault(const rg_tile_file *f, int tile);
const char *rg_emu_product_fault(const rg_tile_file *f, int c, int a, int b);

void rg_emu_config(rg_tile_file *f, const rg_tile_config *c); /* ldtilecfg: all tiles become zero */
void rg_emu_release(rg_tile_file *f);                         /* tilerelease */
void rg_emu_zero(rg_tile_file *f, int tile);
/* Rows are `stride` bytes apart. What lies beyond a tile's configured rows and bytes is neither read nor
 * written, and becomes zero. */
void rg_emu_load(rg_tile_file *f, int tile, const void *from, int64_t stride);
void rg_emu_store(const rg_tile_file *f, int tile, void *to, int64_t stride);
/* tdpbf16ps: the products of even and of odd columns are added up apart, each by one fused multiply-add, then
 * to each other, then to c. Subnormal inputs count as zero, subnormal results become zero; rounding to
 * nearest even. */
void rg_emu_bf16(rg_tile_file *f, int c, int a, int b);
/* tdpbssd: signed bytes, four products a time, to 32 bits that wrap. */
void rg_emu_int8(rg_tile_file *f, int c, int a, int b);

#endif
