/* Baseline loops for any CPU. Compilers for 64-bit CPUs lower the vector type to baseline registers (SSE2,
 * NEON), as they do the plain C kernels. The baseline has no FMA: multiply and add are separate. */
#include <string.h>

#include "roofline/measure/roof_loops.h"

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

/* Stores go through the caches; only x86 has a streaming store in its baseline. */
#if defined(__SSE2__)
#include <emmintrin.h>
#define STREAM(p, v) _mm_stream_si128((__m128i *)(void *)(p), (__m128i)(v))
#define FENCE _mm_sfence()
#else
#define STREAM(p, v) memcpy((p), &(v), sizeof(v))
#define FENCE ((void)0)
#endif
#define EACH_VECTOR(at, value) \
    for (size_t i = 0; i < bytes; i += sizeof(v2u)) { \
        const v2u v = value; \
        char *q = (char *)(at) + i; \
        if (way == RG_STORE_STREAM) \
            STREAM(q, v); \
        else \
            memcpy(q, &v, sizeof v); \
        __asm__ volatile("" ::: "memory"); /* not to become a call of memset or memcpy */ \
    } \
    FENCE

static v2u load(const char *p)
{
    v2u x;
    memcpy(&x, p, sizeof x);
    return x;
}

static void write_c(void *p, size_t bytes, rg_store_way way)
{
    const v2u x = {UINT64_C(0x5a5a5a5a5a5a5a5a), UINT64_C(0x5a5a5a5a5a5a5a5a)};
    EACH_VECTOR(p, x);
}

static void copy_c(void *to, const void *from, size_t bytes, rg_store_way way)
{
    const char *f = from;
    EACH_VECTOR(to, load(f + i));
}

static void triad_c(void *a, const void *b, const void *c, size_t bytes, rg_store_way way)
{
    const char *pb = b, *pc = c;
    EACH_VECTOR(a, (v2u)((v4f)load(pb + i) + (v4f)load(pc + i) * 0.5f));
}

const rg_roof_loops rg_roof_loops_c = {read_c, write_c, copy_c, triad_c};

/* Values converge to 1, far from subnormals and infinities. */
static double fp32(int64_t steps)
{
    enum { N = 12 }; /* chains: 12 accumulators, factor and addend fit into 16 registers */
    const v4f f = {0.5f, 0.5f, 0.5f, 0.5f};
    v4f v[N];
    for (int i = 0; i < N; i++) v[i] = f + (float)i;
#define STEP(i, f) v[i] = v[i] * f + f
    for (int64_t s = 0; s < steps; s++) RG_X12(STEP, f);
#undef STEP
    volatile float sink = 0.0f;
    for (int i = 0; i < N; i++) sink = sink + v[i][0];
    return (double)steps * N * 4 * 2;
}
rg_arith_fn *const rg_peak_c_fp32 = fp32;

#if defined(__x86_64__)
#define APART(x) __asm__ volatile("" : "+x"(x)) /* neighbours are not joined into a vector */
#elif defined(__aarch64__)
#define APART(x) __asm__ volatile("" : "+w"(x))
#else
#define APART(x) ((void)0)
#endif

static double scalar(int64_t steps)
{
    enum { N = 12 };
    const float f = 0.5f;
    /* an array would stay in memory */
    float a = 1.0f, b = a, c = a, d = a, e = a, g = a, h = a, i = a, j = a, k = a, l = a, m = a;
#define STEP(v) \
    v = v * f + f; \
    APART(v)
#define STEP4(p, q, r, s) \
    STEP(p); \
    STEP(q); \
    STEP(r); \
    STEP(s)
    for (int64_t n = 0; n < steps; n++) {
        STEP4(a, b, c, d);
        STEP4(e, g, h, i);
        STEP4(j, k, l, m);
    }
    volatile float sink = a + b + c + d + e + g + h + i + j + k + l + m;
    (void)sink;
    return (double)steps * N * 2;
}
rg_arith_fn *const rg_peak_c_scalar = scalar;
