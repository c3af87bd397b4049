/* Sixteen floats side by side, so that the quantisers are written once and give the same bits at every level:
 * one AVX-512 register, two AVX2 registers, or a plain array. Every operation is the IEEE one; nothing is
 * contracted. */
#ifndef RG_LANES_H
#define RG_LANES_H

#include <stdint.h>

enum { LANES = 16 };

#if defined(__AVX2__)
#include "kernels/simd.h"

typedef struct l16 {
    vf v[LANES / VL];
} l16;
#define EACH_PART EACH (i, LANES / VL)
#define L16_OP(name, call, plain) \
    INLINE l16 l16_##name(l16 a, l16 b) \
    { \
        EACH_PART \
            a.v[i] = call(a.v[i], b.v[i]); \
        return a; \
    }
INLINE l16 l16_set1(float f)
{
    l16 a;
    EACH_PART
        a.v[i] = vf_set1(f);
    return a;
}
INLINE l16 l16_load(const float *p)
{
    l16 a;
    EACH_PART
        a.v[i] = vf_load(p + i * VL);
    return a;
}
INLINE void l16_store(float *p, l16 a)
{
    EACH_PART
        vf_store(p + i * VL, a.v[i]);
}
/* x < y ? yes : no */
INLINE l16 l16_if_less(l16 x, l16 y, l16 yes, l16 no)
{
    EACH_PART
        no.v[i] = vf_if_less(x.v[i], y.v[i], yes.v[i], no.v[i]);
    return no;
}

#else

typedef struct l16 {
    float f[LANES];
} l16;
#define EACH_PART for (int i = 0; i < LANES; i++)
#define L16_OP(name, call, plain) \
    static inline l16 l16_##name(l16 a, l16 b) \
    { \
        EACH_PART { \
            const float x = a.f[i], y = b.f[i]; \
            a.f[i] = plain; \
        } \
        return a; \
    }
static inline l16 l16_set1(float f)
{
    l16 a;
    EACH_PART
        a.f[i] = f;
    return a;
}
static inline l16 l16_load(const float *p)
{
    l16 a;
    EACH_PART
        a.f[i] = p[i];
    return a;
}
static inline void l16_store(float *p, l16 a)
{
    EACH_PART
        p[i] = a.f[i];
}
static inline l16 l16_if_less(l16 x, l16 y, l16 yes, l16 no)
{
    EACH_PART
        no.f[i] = x.f[i] < y.f[i] ? yes.f[i] : no.f[i];
    return no;
}
#endif

L16_OP(add, vf_add, x + y)
L16_OP(sub, vf_sub, x - y)
L16_OP(mul, vf_mul, x *y)
L16_OP(div, vf_div, x / y)
L16_OP(min, vf_min, x < y ? x : y) /* y if either is NaN, as the instruction has it */
L16_OP(max, vf_max, x > y ? x : y)
#undef EACH_PART
#undef L16_OP

/* In a fixed order. */
static inline float l16_sum(l16 v)
{
    float a[LANES];
    l16_store(a, v);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) a[i] += a[i + step];
    return a[0];
}

#endif
