/* Baseline loops for any CPU: the vector type is what every compiler for 64-bit CPUs lowers to its baseline registers (SSE2, NEON), which is
 * also what it makes of the plain C kernels. Multiply and add are separate, because the baseline has no FMA. */
#include <string.h>

#include "roofline/roof_loops.h"

typedef float v4f __attribute__((vector_size(16)));
typedef uint64_t v2u __attribute__((vector_size(16)));

static inline v2u line(v2u acc, const char *p)
{
    v2u x[4];
    memcpy(x, p, sizeof x);
    acc ^= x[0] ^ x[1] ^ x[2] ^ x[3];
#if defined(__x86_64__)
    __asm__ volatile("" : "+x"(acc)); /* keeps the loads inside this pass */
#elif defined(__aarch64__)
    __asm__ volatile("" : "+w"(acc));
#endif
    return acc;
}

static uint64_t read_c(const void *p, size_t bytes, rg_read_way way)
{
    v2u s[4] = {{0}};
#define READ(i, q) s[i] = line(s[i], q)
    RG_READ_BODY(p, bytes, way, READ);
#undef READ
    const v2u t = s[0] ^ s[1] ^ s[2] ^ s[3];
    return t[0] ^ t[1];
}

/* Values converge to 1, far from subnormals and infinities. */
static double mul_add_c(int64_t steps)
{
    enum { N = 12 }; /* chains: 12 accumulators, a factor and an addend fit into 16 registers */
    const v4f f = {0.5f, 0.5f, 0.5f, 0.5f};
    v4f v[N];
    for (int i = 0; i < N; i++) v[i] = f + (float)i;
    for (int64_t s = 0; s < steps; s++) {
#define STEP(i) v[i] = v[i] * f + f
        STEP(0), STEP(1), STEP(2), STEP(3), STEP(4), STEP(5), STEP(6), STEP(7), STEP(8), STEP(9), STEP(10), STEP(11);
#undef STEP
    }
    volatile float sink = 0.0f;
    for (int i = 0; i < N; i++) sink = sink + v[i][0];
    return (double)steps * N * 4 * 2;
}

const rg_roof_loops rg_roof_loops_c = {read_c, mul_add_c};
