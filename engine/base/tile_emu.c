/* Tiles, one instruction a function. */
#include "base/tile_emu.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/num.h"

static void stop_at(const char *fault)
{
    if (fault) __builtin_trap();
}

const char *rg_emu_config_fault(const rg_tile_config *c)
{
    if (c->palette != 1) return "palette is not 1";
    for (size_t i = 0; i < sizeof c->reserved; i++)
        if (c->reserved[i]) return "reserved bytes are not 0";
    for (int i = 0; i < 16; i++) {
        if (i >= RG_TILES && (c->rows[i] || c->row_bytes[i])) return "palette 1 has 8 tiles";
        if (c->rows[i] > RG_TILE_ROWS || c->row_bytes[i] > RG_TILE_BYTES)
            return "a tile has at most 16 rows of 64 bytes";
        if ((c->rows[i] == 0) != (c->row_bytes[i] == 0)) return "rows and bytes must both be 0, or neither";
    }
    return NULL;
}

const char *rg_emu_tile_fault(const rg_tile_file *f, int tile)
{
    if (f->config.palette != 1) return "no configuration is loaded";
    if (tile < 0 || tile >= RG_TILES) return "there are tiles 0 to 7";
    return f->config.rows[tile] == 0 ? "the tile is not configured" : NULL;
}

const char *rg_emu_product_fault(const rg_tile_file *f, int c, int a, int b)
{
    const int used[] = {c, a, b};
    for (int i = 0; i < 3; i++) {
        const char *fault = rg_emu_tile_fault(f, used[i]);
        if (fault) return fault;
    }
    const rg_tile_config *g = &f->config;
    if (c == a || c == b || a == b) return "a product needs three different tiles";
    if (g->row_bytes[c] % 4 || g->row_bytes[a] % 4 || g->row_bytes[b] % 4) return "rows are whole dwords";
    if (g->rows[c] != g->rows[a]) return "c and a differ in rows";
    if (g->row_bytes[c] != g->row_bytes[b]) return "c and b differ in columns";
    return g->row_bytes[a] / 4 != g->rows[b] ? "a's columns are not b's rows" : NULL;
}

void rg_emu_config(rg_tile_file *f, const rg_tile_config *c)
{
    stop_at(rg_emu_config_fault(c));
    memset(f, 0, sizeof *f);
    f->config = *c;
}

void rg_emu_release(rg_tile_file *f) { memset(f, 0, sizeof *f); }

void rg_emu_zero(rg_tile_file *f, int tile)
{
    stop_at(rg_emu_tile_fault(f, tile));
    memset(f->tile[tile], 0, sizeof f->tile[tile]);
}

void rg_emu_load(rg_tile_file *f, int tile, const void *from, int64_t stride)
{
    rg_emu_zero(f, tile);
    for (int r = 0; r < f->config.rows[tile]; r++)
        memcpy(f->tile[tile][r], (const char *)from + r * stride, f->config.row_bytes[tile]);
}

void rg_emu_store(const rg_tile_file *f, int tile, void *to, int64_t stride)
{
    stop_at(rg_emu_tile_fault(f, tile));
    for (int r = 0; r < f->config.rows[tile]; r++)
        memcpy((char *)to + r * stride, f->tile[tile][r], f->config.row_bytes[tile]);
}

/* Subnormals are zero, with their sign. */
static uint32_t flushed_bits(uint32_t bits) { return bits & 0x7f800000u ? bits : bits & 0x80000000u; }
static float flushed(float v) { return rg_f32_from_bits(flushed_bits(rg_f32_bits(v))); }

/* Smallest and largest exponent fields of values that are not zero. */
typedef struct exponents {
    int least, most;
} exponents;

/* The 32 bf16 values of a row as floats, even and odd ones apart. */
static void widen(float even[16], float odd[16], const unsigned char *row, exponents *e)
{
    uint32_t pair[16], two[2][16];
    int least = e->least, most = e->most;
    memcpy(pair, row, sizeof pair);
    for (int i = 0; i < 16; i++) {
        two[0][i] = flushed_bits(pair[i] << 16);
        two[1][i] = flushed_bits(pair[i] & 0xffff0000u);
    }
    for (int i = 0; i < 32; i++) {
        const uint32_t v = two[i / 16][i % 16];
        const int field = v >> 23 & 255, low = v << 1 ? field : 255;
        least = low < least ? low : least;
        most = field > most ? field : most;
    }
    memcpy(even, two[0], sizeof two[0]);
    memcpy(odd, two[1], sizeof two[1]);
    *e = (exponents){least, most};
}

/* Products of 8 bits are exact in a float unless they overflow or underflow: multiplying and adding is the
 * fused one then. If all are multiples of 2^-126, so are the sums: nothing is subnormal. */
static bool plain_is_exact(exponents a, exponents b)
{
    return a.least - 134 + (b.least - 134) >= -126 && a.most - 126 + (b.most - 126) < 128;
}

void rg_emu_bf16(rg_tile_file *f, int c, int a, int b)
{
    stop_at(rg_emu_product_fault(f, c, a, b));
    const int pairs = f->config.rows[b], columns = f->config.row_bytes[c] / 4;
    float be[16][16], bo[16][16], ae[16], ao[16], to[16];
    exponents eb = {255, 0};
    for (int k = 0; k < pairs; k++) widen(be[k], bo[k], f->tile[b][k], &eb);
    for (int m = 0; m < f->config.rows[c]; m++) {
        float even[16] = {0}, odd[16] = {0};
        exponents ea = {255, 0};
        widen(ae, ao, f->tile[a][m], &ea);
        if (plain_is_exact(ea, eb)) {
            for (int k = 0; k < pairs; k++)
                for (int n = 0; n < 16; n++) {
                    even[n] += ae[k] * be[k][n];
                    odd[n] += ao[k] * bo[k][n];
                }
        } else {
            for (int k = 0; k < pairs; k++)
                for (int n = 0; n < columns; n++) {
                    even[n] = flushed(fmaf(ae[k], be[k][n], even[n]));
                    odd[n] = flushed(fmaf(ao[k], bo[k][n], odd[n]));
                }
        }
        memcpy(to, f->tile[c][m], sizeof to);
        for (int n = 0; n < columns; n++) to[n] = flushed(flushed(to[n]) + flushed(even[n] + odd[n]));
        memcpy(f->tile[c][m], to, sizeof to);
    }
}

void rg_emu_int8(rg_tile_file *f, int c, int a, int b)
{
    stop_at(rg_emu_product_fault(f, c, a, b));
    const int columns = f->config.row_bytes[c] / 4;
    for (int m = 0; m < f->config.rows[c]; m++) {
        uint32_t sum[16];
        memcpy(sum, f->tile[c][m], sizeof sum);
        for (int k = 0; k < f->config.rows[b]; k++) {
            const int8_t *x = (const int8_t *)f->tile[a][m] + 4 * k, *w = (const int8_t *)f->tile[b][k];
            for (int n = 0; n < columns; n++)
                sum[n] += (uint32_t)(x[0] * w[4 * n] + x[1] * w[4 * n + 1] + x[2] * w[4 * n + 2] +
                    x[3] * w[4 * n + 3]);
        }
        memcpy(f->tile[c][m], sum, sizeof sum);
    }
}
