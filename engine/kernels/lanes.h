/* Sixteen floats side by side, so that the quantisers are written once and give the same bits at every level:
 * one AVX-512 register, two AVX2 registers, or a plain array. Every operation is the IEEE one; nothing is
 * contracted. */
#ifndef RG_LANES_H
#define RG_LANES_H

enum { LANES = 16 };

#if defined(__AVX2__)
#include "kernels/simd.h"
#define EACH_PART EACH (i, LANES / VL)
#else
#define INLINE static inline
enum { VL = 1 };
typedef float vf;
INLINE vf vf_set1(float f) { return f; }
INLINE vf vf_load(const float *p) { return *p; }
INLINE void vf_store(float *p, vf v) { *p = v; }
INLINE vf vf_add(vf x, vf y) { return x + y; }
INLINE vf vf_sub(vf x, vf y) { return x - y; }
INLINE vf vf_mul(vf x, vf y) { return x * y; }
INLINE vf vf_div(vf x, vf y) { return x / y; }
INLINE vf vf_min(vf x, vf y) { return x < y ? x : y; } /* y if either is NaN, as the instruction has it */
INLINE vf vf_max(vf x, vf y) { return x > y ? x : y; }
INLINE vf vf_if_less(vf x, vf y, vf yes, vf no) { return x < y ? yes : no; }
#define EACH_PART for (int i = 0; i < LANES; i++)
#endif

typedef struct l16 {
    vf v[LANES / VL];
} l16;

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

#define L16_OP(name) \
    INLINE l16 l16_##name(l16 a, l16 b) \
    { \
        EACH_PART \
            a.v[i] = vf_##name(a.v[i], b.v[i]); \
        return a; \
    }
L16_OP(add)
L16_OP(sub)
L16_OP(mul)
L16_OP(div)
L16_OP(min)
L16_OP(max)
#undef EACH_PART
#undef L16_OP

/* In a fixed order. */
INLINE float l16_sum(l16 v)
{
    float a[LANES];
    l16_store(a, v);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) a[i] += a[i + step];
    return a[0];
}

#endif
