/* One vocabulary for the tiles of the CPU and for emulated ones in a struct (RG_TILES_EMULATED); tile numbers
 * are literal. And sixteen floats side by side: an AVX-512 register, or an array. */
#ifndef RG_TILES_H
#define RG_TILES_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"
#include "base/tile_emu.h"
#include "kernels/kernels.h"

#if defined(RG_TILES_EMULATED)
typedef rg_tile_file tile_file;
#define TILE_CONFIG(f, c) rg_emu_config(f, c)
#define TILE_RELEASE(f) rg_emu_release(f)
#define TILE_ZERO(f, t) rg_emu_zero(f, t)
#define TILE_LOAD(f, t, from, stride) rg_emu_load(f, t, from, stride)
#define TILE_STREAM(f, t, from, stride) rg_emu_load(f, t, from, stride)
#define TILE_STORE(f, t, to, stride) rg_emu_store(f, t, to, stride)
#define TILE_BF16(f, c, a, b) rg_emu_bf16(f, c, a, b)
#define TILE_INT8(f, c, a, b) rg_emu_int8(f, c, a, b)
#else
#include "base/tile_ops.h"
typedef struct tile_file tile_file; /* the CPU has them: nothing is in memory */
#define TILE_CONFIG(f, c) RG_TILE_CONFIG(c)
#define TILE_RELEASE(f) RG_TILE_RELEASE()
#define TILE_ZERO(f, t) RG_TILE_ZERO(t)
#define TILE_LOAD(f, t, from, stride) RG_TILE_LOAD(t, from, stride)
#define TILE_STREAM(f, t, from, stride) RG_TILE_STREAM(t, from, stride)
#define TILE_STORE(f, t, to, stride) RG_TILE_STORE(t, to, stride)
#define TILE_BF16(f, c, a, b) RG_TILE_BF16(c, a, b)
#define TILE_INT8(f, c, a, b) RG_TILE_INT8(c, a, b)
#endif

#define TILE_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 16")
#endif
#define EACH_ROW(r) TILE_UNROLL for (int r = 0; r < RG_TILE_ROWS; r++)

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 v16;
TILE_INLINE v16 v16_zero(void) { return _mm512_setzero_ps(); }
TILE_INLINE v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
TILE_INLINE void v16_store(float *p, v16 v) { _mm512_storeu_ps(p, v); }
/* y + sums * scale * x's scale (+ min * x's sum): the operations of dot_simd.h in their order, so that the
 * bits are the same. low: NULL, or the sums of the second plane, of which 256 make one of the first. */
TILE_INLINE v16 v16_add_group(
    v16 y, const int32_t *high, const int32_t *low, v16 scale, const float *min, const rg_xgroup *x)
{
    __m512i sum = _mm512_load_si512(high);
    if (low) sum = _mm512_add_epi32(_mm512_slli_epi32(sum, 8), _mm512_load_si512(low));
    y = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale), _mm512_set1_ps(x->scale), y);
    if (min) {
        const v16 xs = _mm512_mul_ps(_mm512_set1_ps(x->scale), _mm512_cvtepi32_ps(_mm512_set1_epi32(x->sum)));
        y = _mm512_fmadd_ps(v16_load(min), xs, y);
    }
    return y;
}
#else
typedef struct v16 {
    float f[16];
} v16;
TILE_INLINE v16 v16_zero(void) { return (v16){{0.0f}}; }
TILE_INLINE v16 v16_load(const float *p)
{
    v16 v;
    memcpy(&v, p, sizeof v);
    return v;
}
TILE_INLINE void v16_store(float *p, v16 v) { memcpy(p, &v, sizeof v); }
TILE_INLINE v16 v16_add_group(
    v16 y, const int32_t *high, const int32_t *low, v16 scale, const float *min, const rg_xgroup *x)
{
    for (int i = 0; i < 16; i++) {
        const int32_t sum = low ? 256 * high[i] + low[i] : high[i];
        y.f[i] = fmaf((float)sum * scale.f[i], x->scale, y.f[i]);
        if (min) y.f[i] = fmaf(min[i], x->scale * (float)x->sum, y.f[i]);
    }
    return y;
}
#endif

#endif
