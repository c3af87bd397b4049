/* Tiles in plain C: the AMX instructions bit for bit (Intel, Software Developer's Manual, "AMX"), for the
 * level amxemu, tests, and the check of real tiles (base/amx.c). A fault of the processor (no
 * configuration, shapes that do not fit) ends the program. */
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
/* Rows are `stride` bytes apart. Beyond a tile's rows and bytes nothing is read or written; there it is
 * zero. */
void rg_emu_load(rg_tile_file *f, int tile, const void *from, int64_t stride);
void rg_emu_store(const rg_tile_file *f, int tile, void *to, int64_t stride);
/* tdpbf16ps: products of even and of odd columns are added up apart by fused multiply-adds, then to each
 * other, then to c. Subnormals, in and out, are zero; rounding to nearest even. */
void rg_emu_bf16(rg_tile_file *f, int c, int a, int b);
/* tdpbssd: signed bytes, four products a time, to 32 bits that wrap. */
void rg_emu_int8(rg_tile_file *f, int c, int a, int b);

#endif
