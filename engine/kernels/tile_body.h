/* Products on tiles (kernels.h), for real or emulated tiles: tiles.h. ISA_FN(name) gives a function's name at
 * this level.
 *
 * A tile is 16 rows of 64 bytes. An instruction multiplies a: 16 tokens by 64 bytes of columns, with b: 16
 * lines of a dword of columns (2 bf16 or 4 bytes) for 16 rows of weights, and adds to c: 16 by 16.
 *
 *   a   is read from prepared rows. The driver makes their pitch an odd number of cache lines: with an even
 *       one the 16 lines of a tile fall into few sets of L1.
 *   b   bf16: 1 KB tiles, packed BF16 weights or split_bf16's. int8: lines of codes8, 128 bytes apart.
 *       Weights stay in L1 while all tokens pass, so that a product waits for a alone. In attention (exec/
 *       drive_attn_many.c) 32 rows of a stay, and b passes.
 *   c   32 columns of acc[tokens][lda]: two tiles, loaded and stored once per call.
 *
 * The time of an instruction depends on the rows of a, not on its columns: tiles have m rows when there are
 * fewer than 16 tokens, and groups of 32 bytes waste half of the unit. */
#include "kernels/kernel_rows.h"

#include "kernels/tiles.h"

void ISA_FN(rg_tiles_on)(void *state, int64_t m, int64_t row_bytes)
{
    rg_tile_config c = {.palette = 1};
    const int64_t rows = rg_min(m, RG_TILE_ROWS);
    for (int t = 0; t < RG_TILES; t++) { /* 0..3 sums, 4 and 5 tokens, 6 and 7 weights */
        c.rows[t] = (uint8_t)(t < 6 ? rows : row_bytes / 4);
        c.row_bytes[t] = (uint16_t)(t == 4 || t == 5 ? row_bytes : 64);
    }
    (void)state;
    TILE_CONFIG((tile_file *)state, &c);
}

void ISA_FN(rg_tiles_off)(void *state)
{
    (void)state;
    TILE_RELEASE((tile_file *)state);
}

/* ---- bf16: 32 tokens (two: else 16) by 32 rows of weights in four sums ----
 *
 * x high meets b low and b high, then x low b high: one operand stays from product to product, and a step of
 * 32 columns loads every tile once: with 32 tokens 8 tiles for 12 products, 6 for 8, 4 for 4. (Derived, not
 * measured: loads take a third to half of the products' time.) */

#define LOAD_X(t, from, stride) \
    do { \
        if (keep == RG_TILE_KEEP_X) \
            TILE_LOAD(f, t, from, stride); \
        else \
            TILE_STREAM(f, t, from, stride); \
    } while (0)
#define LOAD_B(t, from) \
    do { \
        if (keep == RG_TILE_KEEP_B) \
            TILE_LOAD(f, t, from, 64); \
        else \
            TILE_STREAM(f, t, from, 64); \
    } while (0)

/* x in tiles 4 and 5, times 32 columns of b */
#define TIMES_B(from) \
    do { \
        LOAD_B(6, from); \
        TILE_BF16(f, 0, 4, 6); \
        if (two) TILE_BF16(f, 2, 5, 6); \
        LOAD_B(7, (from) + 1024); \
        TILE_BF16(f, 1, 4, 7); \
        if (two) TILE_BF16(f, 3, 5, 7); \
    } while (0)

TILE_INLINE void mm_tiles(tile_file *f, float *acc, int64_t lda, const char *x, int64_t ldx, int64_t low,
    const char *b, int64_t steps, int products, rg_tile_reuse keep, bool first, bool two)
{
    const int64_t line = lda * (int64_t)sizeof(float);
    float *acc2 = acc + RG_TILE_ROWS * lda;
    (void)f;
    if (first) {
        TILE_ZERO(f, 0);
        TILE_ZERO(f, 1);
        if (two) {
            TILE_ZERO(f, 2);
            TILE_ZERO(f, 3);
        }
    } else {
        TILE_LOAD(f, 0, acc, line);
        TILE_LOAD(f, 1, acc + 16, line);
        if (two) {
            TILE_LOAD(f, 2, acc2, line);
            TILE_LOAD(f, 3, acc2 + 16, line);
        }
    }
    for (int64_t s = 0; s < steps; s++, x += 64, b += products == 3 ? 4096 : 2048) {
        const char *x2 = x + RG_TILE_ROWS * ldx;
        LOAD_X(4, x, ldx);
        if (two) LOAD_X(5, x2, ldx);
        if (products == 3) TIMES_B(b + 2048);
        TIMES_B(b);
        if (products >= 2) {
            LOAD_X(4, x + low, ldx);
            TILE_BF16(f, 0, 4, 6);
            TILE_BF16(f, 1, 4, 7);
            if (two) {
                LOAD_X(5, x2 + low, ldx);
                TILE_BF16(f, 2, 5, 6);
                TILE_BF16(f, 3, 5, 7);
            }
        }
    }
    TILE_STORE(f, 0, acc, line);
    TILE_STORE(f, 1, acc + 16, line);
    if (two) {
        TILE_STORE(f, 2, acc2, line);
        TILE_STORE(f, 3, acc2 + 16, line);
    }
}

TILE_INLINE void mm_tokens(tile_file *f, float *acc, int64_t lda, const char *x, int64_t ldx, int64_t low,
    const char *b, int64_t m, int64_t steps, int products, rg_tile_reuse keep, bool first)
{
    for (int64_t t = 0; t < m; t += 2 * RG_TILE_ROWS) {
        if (m - t > RG_TILE_ROWS)
            mm_tiles(f, acc + t * lda, lda, x + t * ldx, ldx, low, b, steps, products, keep, first, true);
        else
            mm_tiles(f, acc + t * lda, lda, x + t * ldx, ldx, low, b, steps, products, keep, first, false);
    }
}

void ISA_FN(rg_tile_mm)(void *state, float *acc, int64_t lda, const void *x, int64_t ldx, int64_t low,
    const uint16_t *b, int64_t m, int64_t kb, int products, rg_tile_reuse keep, bool first)
{
    const int64_t steps = rg_div_up(kb, 32);
    const char *weights = (const char *)b;
#define TILE_MM(products) \
    do { \
        if (keep == RG_TILE_KEEP_X) \
            mm_tokens(state, acc, lda, x, ldx, low, weights, m, steps, products, RG_TILE_KEEP_X, first); \
        else \
            mm_tokens(state, acc, lda, x, ldx, low, weights, m, steps, products, RG_TILE_KEEP_B, first); \
    } while (0)
    if (products == 1)
        TILE_MM(1);
    else if (products == 2)
        TILE_MM(2);
    else
        TILE_MM(3);
#undef TILE_MM
}
#undef TIMES_B
#undef LOAD_X
#undef LOAD_B

/* ---- int8: exact sums of a group on tiles, scaled in registers ----
 *
 * The floats of 16 tokens by 16 rows of weights stay in registers for all groups. Two sets of sums take turns
 * (tiles 0, 1 and 2, 3: one per plane of x): the CPU scales a group while the tile unit works on the next. */

/* What a call works on. */
typedef struct groups {
    const char *x; /* columns of the first group, first plane */
    int64_t ldx, low;
    const char *b; /* the first group's lines of 16 rows */
    int64_t each;  /* bytes from group to group in b */
    int64_t n;
} groups;

typedef struct tile_sums {
    _Alignas(64) int32_t v[2][2][RG_TILE_ROWS][16]; /* [set][plane] */
} tile_sums;

#define GROUP_SUMS(C0, C1, B, g) \
    do { \
        const char *xg = a->x + (g)*group, *bg = a->b + (g)*a->each; \
        TILE_ZERO(f, C0); \
        if (planes == 2) TILE_ZERO(f, C1); \
        for (int64_t c = 0; c < group; c += step) { \
            TILE_LOAD(f, 4, xg + c, a->ldx); \
            TILE_LOAD(f, B, bg + c * RG_PANEL, 4 * RG_PANEL); \
            TILE_INT8(f, C0, 4, B); \
            if (planes == 2) { \
                TILE_LOAD(f, 5, xg + a->low + c, a->ldx); \
                TILE_INT8(f, C1, 5, B); \
            } \
        } \
    } while (0)

#define GROUP_STORE(C0, C1, set) \
    do { \
        TILE_STORE(f, C0, s.v[set][0], 64); \
        if (planes == 2) TILE_STORE(f, C1, s.v[set][1], 64); \
    } while (0)

#define GROUP_SCALE(g, set) \
    do { \
        const float *head = (const void *)(scales + (g)*a->each); \
        const char *xg = xgroups + (g) * (int64_t)sizeof(rg_xgroup); \
        const v16 scale = v16_load(head); \
        EACH_ROW(r) \
        { \
            y[r] = v16_add_group(y[r], s.v[set][0][r], planes == 2 ? s.v[set][1][r] : NULL, scale, \
                has_min ? head + RG_PANEL : NULL, (const void *)(xg + r * a->ldx)); \
        } \
    } while (0)

/* scales, xgroups: of the first group. whole: tiles have all 16 rows, else sums of the others stay 0. */
TILE_INLINE void dot_tile(tile_file *f, float *acc, const groups *a, const char *scales, const char *xgroups,
    bool whole, int64_t group, bool has_min, int planes, bool first)
{
    const int64_t step = rg_min(group, RG_TILE_BYTES);
    tile_sums s;
    v16 y[RG_TILE_ROWS];
    (void)f;
    if (!whole) memset(&s, 0, sizeof s);
    EACH_ROW(r) y[r] = first ? v16_zero() : v16_load(acc + r * RG_PANEL);
    GROUP_SUMS(0, 1, 6, 0);
    for (int64_t g = 0;; g += 2) {
        GROUP_STORE(0, 1, 0);
        if (g + 1 < a->n) GROUP_SUMS(2, 3, 7, g + 1);
        GROUP_SCALE(g, 0);
        if (g + 1 >= a->n) break;
        GROUP_STORE(2, 3, 1);
        if (g + 2 < a->n) GROUP_SUMS(0, 1, 6, g + 2);
        GROUP_SCALE(g + 1, 1);
        if (g + 2 >= a->n) break;
    }
    EACH_ROW(r) v16_store(acc + r * RG_PANEL, y[r]);
}

TILE_INLINE void dot(void *state, float *acc, const char *x, int64_t ldx, int64_t m, const char *b, int64_t k,
    int64_t k0, int64_t k1, bool first, int64_t group, bool has_min, int planes)
{
    const int64_t kp = rg_x_padded(k, group), head = has_min ? 256 : 128;
    for (int64_t t = 0; t < m; t += RG_TILE_ROWS)
        for (int h = 0; h < 2; h++) {
            const char *row = x + t * ldx, *half = b + 64 * h;
            const groups a = {
                row + k0, ldx, kp, half + head, head + RG_PANEL * group, rg_div_up(k1 - k0, group)};
            dot_tile(state, acc + t * RG_PANEL + 16 * h, &a, half,
                row + planes * kp + k0 / group * (int64_t)sizeof(rg_xgroup), m >= RG_TILE_ROWS, group,
                has_min, planes, first);
        }
}

#define TILE_DOT(type, group, has_min, bits, planes) \
    void ISA_FN(rg_tile_dot##bits##_##type)(void *state, float *acc, const void *x, int64_t ldx, int64_t m, \
        const void *b, int64_t k, int64_t k0, int64_t k1, bool first) \
    { \
        dot(state, acc, x, ldx, m, b, k, k0, k1, first, group, has_min, planes); \
    }
#define TILE_DOTS(TYPE, type, codes, group, block, head, line, bits, has_min, ...) \
    TILE_DOT(type, group, has_min, 8, 1) TILE_DOT(type, group, has_min, 16, 2)
RG_WTYPES_QUANT(TILE_DOTS, )
