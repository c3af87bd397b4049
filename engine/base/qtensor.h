/* A matrix of 4- or 8-bit codes, as quantisers make and writers store it. */
#ifndef RG_QTENSOR_H
#define RG_QTENSOR_H

#include <stdint.h>

#include "base/num.h"

/* How a code and its group's numbers make a weight. Every kind has one half-precision scale s per group.
 * SYM4: code u = 0..15, w = (u - 8) s.   MIN4: u = 0..15, half minimum, w = u s + min.
 * ZERO4: u = 0..15, whole zero point z = 0..15, w = (u - z) s.   SYM8: signed byte q = -127..127, w = q s. */
typedef enum rg_qkind { RG_QK_SYM4, RG_QK_MIN4, RG_QK_ZERO4, RG_QK_SYM8 } rg_qkind;

typedef struct rg_qspec {
    rg_qkind kind;
    int group; /* 32, 64 or 128 columns */
} rg_qspec;

static inline int rg_qspec_bits(const rg_qspec *s) { return s->kind == RG_QK_SYM8 ? 8 : 4; }

typedef struct rg_qtensor {
    rg_qspec spec;
    int64_t rows, cols; /* cols is a multiple of the group */
    uint8_t *code;      /* [rows][cols], one code per byte */
    uint16_t *scale;    /* [rows][cols / group] */
    uint16_t *offset;   /* the same: half minimum of MIN4, zero point of ZERO4, else 0 */
} rg_qtensor;

/* The weight behind a code, in the arithmetic of the resident kernels. */
static inline float rg_q_weight(rg_qkind kind, uint8_t code, uint16_t scale, uint16_t offset)
{
    const float s = rg_f16_to_f32(scale);
    switch (kind) {
    case RG_QK_SYM4:
        return (float)((int)code - 8) * s;
    case RG_QK_MIN4:
        return (float)code * s + rg_f16_to_f32(offset);
    case RG_QK_ZERO4:
        return (float)((int)code - (int)offset) * s;
    case RG_QK_SYM8:
    default:
        return (float)(int8_t)code * s;
    }
}

#endif
