/* Checked sizes, rounding, and 16-bit floats. Products of numbers from files go through the rg_*_ok
 * functions. */
#ifndef RG_NUM_H
#define RG_NUM_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool rg_mul_ok(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool rg_add_ok(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline int64_t rg_div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t rg_round_up(int64_t a, int64_t b) { return rg_div_up(a, b) * b; }
/* a in the fewest parts of at most `most`: the size of equal ones, the last of which may be smaller. */
static inline int64_t rg_even(int64_t a, int64_t most) { return rg_div_up(a, rg_div_up(a, most)); }
static inline double rg_mib(uint64_t bytes) { return (double)bytes / 1048576.0; }
static inline int64_t rg_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t rg_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* a / b; NAN when b is 0 */
static inline double rg_ratio(double a, double b) { return b > 0.0 ? a / b : (double)NAN; }

static inline uint32_t rg_f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float rg_f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* IEEE binary16, subnormals and infinities included. Exact. */
static inline float rg_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (h & 0x8000u) << 16, mag = h & 0x7fffu;
    if (mag >= 0x7c00u) return rg_f32_from_bits(sign | 0x7f800000u | ((mag & 0x3ffu) << 13));
    if (mag >= 0x0400u) return rg_f32_from_bits(sign | ((mag << 13) + 0x38000000u));
    return rg_f32_from_bits(sign | rg_f32_bits((float)mag * 0x1p-24f));
}

/* Round to nearest, ties to even, like the F16C instruction. Overflow gives infinity, NaN stays NaN. */
static inline uint16_t rg_f32_to_f16(float f)
{
    const uint32_t u = rg_f32_bits(f), sign = u >> 16 & 0x8000u, mag = u & 0x7fffffffu;
    if (mag > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (mag >> 13 & 0x3ffu));
    if (mag >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and more round to infinity */
    if (mag < 0x38800000u)                                     /* below 2^-14: adding 0.5 rounds at 2^-24 */
        return (uint16_t)(sign | (rg_f32_bits(rg_f32_from_bits(mag) + 0.5f) - 0x3f000000u));
    return (uint16_t)(sign | (mag - 0x38000000u + 0xfffu + (mag >> 13 & 1u)) >> 13);
}

static inline float rg_bf16_to_f32(uint16_t b) { return rg_f32_from_bits((uint32_t)b << 16); }

static inline uint16_t rg_f32_to_bf16(float f)
{
    const uint32_t u = rg_f32_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

#endif
