/* Prototypes and list of every row of kernels.def. For the kernels themselves, their tests and benchmarks;
 * drivers use kernels.h. */
#ifndef RG_KERNEL_ROWS_H
#define RG_KERNEL_ROWS_H

#include "base/num.h"
#include "kernels/kernels.h"

/* 16 bits of memory that need not be aligned. */
static inline uint16_t rg_u16_at(const void *p, int64_t i)
{
    uint16_t h;
    memcpy(&h, (const char *)p + 2 * i, sizeof h);
    return h;
}
static inline float rg_half_at(const void *p, int64_t i) { return rg_f16_to_f32(rg_u16_at(p, i)); }

/* GELU's tanh form: u times the logistic function of SLOPE (u + CUBE u^3), SLOPE = 2 sqrt(2 / pi). */
/* Of clampglu: the ends of gate and up, and the slope of the gate's logistic function. */
#define RG_CLAMP 7.0f
#define RG_CLAMP_SLOPE 1.702f
#define RG_GELU_SLOPE 1.5957691216057308f
#define RG_GELU_CUBE 0.044715f
/* Where columns [c, ..) of a panel have their lines; c is a multiple of the group. */
static inline const unsigned char *rg_lines_at(rg_wtype t, const void *panel, int64_t c)
{
    const rg_wtype_info *i = &rg_wtypes[t];
    return (const unsigned char *)panel + (c / i->block + 1) * i->head + c * i->line;
}

/* Where the head of their block has byte 0 of part (0 scales, 1 minimums) of row 0: halves, or the signed
 * bytes that are multiplied with them. */
static inline const unsigned char *rg_head_at(rg_wtype t, const void *panel, int64_t c, int part)
{
    return (const unsigned char *)panel + rg_panel_bytes(t, c - c % rg_wtypes[t].block) + 2 * RG_PANEL * part;
}
static inline const int8_t *rg_head_bytes_at(rg_wtype t, const void *panel, int64_t c, int part)
{
    const rg_wtype_info *i = &rg_wtypes[t];
    const int parts = i->has_min ? 2 : 1;
    return (const int8_t *)rg_head_at(t, panel, c, parts) +
        (c % i->block / i->group * parts + part) * RG_PANEL;
}

/* Scale (part 0) or minimum (1) of row i for the group at column c. */
static inline float rg_scale_at(rg_wtype t, const void *panel, int64_t c, int part, int64_t i)
{
    const float f = rg_half_at(rg_head_at(t, panel, c, part), i);
    return rg_wtype_has_factors(t) ? f * (float)rg_head_bytes_at(t, panel, c, part)[i] : f;
}

/* Of the lines of a group of 5 or 6 bits per code: where rows 16 tile .. have the bits above 4 of columns
 * 4 quad .., and by how much to shift a byte to the right. */
static inline int64_t rg_high_line(int bits, int64_t quad, int64_t tile)
{
    return (quad * (bits - 4) / 8 * 2 + tile) * 64;
}
static inline int rg_high_shift(int bits, int64_t quad) { return (int)(quad * (bits - 4) % 8); }
/* Bytes of these lines, in front of those of bits 0 to 3. */
static inline int64_t rg_high_bytes(int bits, int64_t group)
{
    return bits == 8 ? 0 : group * RG_PANEL * (bits - 4) / 8;
}

/* What multiplies the scale in row i and column c of a group. bits, has_min: constants to the compiler. */
static inline int rg_code_at(
    int bits, bool has_min, int64_t group, const unsigned char *lines, int64_t i, int64_t c)
{
    if (bits == 8) return (int8_t)lines[c / 4 * 128 + 4 * i + c % 4];
    const int64_t byte = i % 16 * 4 + c % 4, quad = c / 4;
    int u = lines[rg_high_bytes(bits, group) + quad * 64 + byte] >> (i / 16 * 4) & 15;
    if (bits > 4)
        u |= (lines[rg_high_line(bits, quad, i / 16) + byte] >> rg_high_shift(bits, quad) &
                 ((1 << (bits - 4)) - 1))
            << 4;
    return has_min ? u : u - (1 << (bits - 1));
}

/* What makes codes unsigned. */
static inline int rg_code_offset(int bits, bool has_min) { return has_min ? 0 : 1 << (bits - 1); }

/* A kind's type under its own name, for prototypes. */
#define RG_FN(fn, proto, member, arith, group) typedef rg_##proto##_fn rg_##fn##_fn;
#include "base/kinds.def"

#define RG_KERNEL(kind, type, isa, fn) rg_##kind##_fn fn;
#include "kernels/kernels.def"

typedef struct rg_kernel_row {
    rg_fn kind;
    int type; /* rg_wtype or rg_kvtype; 0 where the kind has no types */
    rg_isa isa;
    const char *name;
    void (*fn)(void); /* to be cast to the kind's type */
} rg_kernel_row;

extern const rg_kernel_row rg_kernel_rows[]; /* static, in the order of kernels.def */
extern const int rg_kernel_row_count;

/* mm by OpenBLAS (mm_blas.c); not a row, because it is asked for and not chosen by CPU. */
#ifdef RIDGE_HAVE_BLAS
rg_mm_fn rg_mm__blas;
bool rg_blas_open(void); /* before the first call; false: it cannot be loaded */
#endif

#endif
