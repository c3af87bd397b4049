/* The quantisers, compiled once per instruction set (quant_*.c) with the same bits: lanes.h.
 *
 * A grid is scale s and minimum m, halves as stored; a weight w becomes q = round((w - m) / s), clamped. 32
 * candidate grids are tried side by side, one per lane, so that no sum runs across lanes; the best one is
 * refined by least squares. Candidate 0 is plain round to nearest and wins a tie. */
#include "kernels/kernel_rows.h"

#include <math.h>

#include "kernels/lanes.h"

enum { SETS = 2, CANDIDATES = SETS * LANES };

#define HALF_MAX 65504.0f

/* As the instructions do: a NaN becomes the limit, and the result fits the integers. */
static inline float clamp(float v, float lo, float hi)
{
    v = v < hi ? v : hi;
    return v > lo ? v : lo;
}
static inline l16 l16_clamp(l16 v, l16 lo, l16 hi) { return l16_max(l16_min(v, hi), lo); }

/* Round to nearest even for |v| <= 2^22: adding 1.5 * 2^23 leaves no fraction bits. */
static inline float nearest(float v) { return (v + 12582912.0f) - 12582912.0f; }
static inline l16 l16_nearest(l16 v)
{
    return l16_sub(l16_add(v, l16_set1(12582912.0f)), l16_set1(12582912.0f));
}

/* The half nearest to f, saturating: a scale must never become infinite. */
static inline float half_of(float f) { return rg_f16_to_f32(rg_f32_to_f16(clamp(f, -HALF_MAX, HALF_MAX))); }

/* A half next to each lane, the nearest but for ties: Veltkamp's splitting keeps 11 bits; below 2^-14 halves
 * are multiples of 2^-24. */
static inline l16 l16_half(l16 v)
{
    v = l16_clamp(v, l16_set1(-HALF_MAX), l16_set1(HALF_MAX));
    const l16 c = l16_mul(v, l16_set1(8193.0f)), normal = l16_sub(c, l16_sub(c, v));
    const l16 sub = l16_sub(l16_add(v, l16_set1(0.75f)), l16_set1(0.75f));
    return l16_if_less(l16_max(v, l16_sub(l16_set1(0.0f), v)), l16_set1(6.103515625e-5f), sub, normal);
}

/* 1 / s, or 0 where s is 0. */
static inline l16 l16_inverse(l16 s)
{
    const l16 zero = l16_set1(0.0f), inv = l16_div(l16_set1(1.0f), s);
    return l16_if_less(zero, l16_max(s, l16_sub(zero, s)), inv, zero);
}
static inline float inverse(float s) { return s > 0.0f || s < 0.0f ? 1.0f / s : 0.0f; }

typedef struct grid {
    float s, inv, min, err;
} grid;

typedef struct range {
    float lo, hi; /* of the stored integers */
} range;

static inline l16 squared_error(l16 w, l16 s, l16 inv, l16 min, l16 lo, l16 hi)
{
    const l16 q = l16_nearest(l16_clamp(l16_mul(l16_sub(w, min), inv), lo, hi));
    const l16 d = l16_sub(w, l16_add(l16_mul(q, s), min));
    return l16_mul(d, d);
}

/* Best of the candidates; the first wins a tie, and if every error is NaN. */
static inline grid search(
    const float *w, int64_t n, const float s[CANDIDATES], const float min[CANDIDATES], range r)
{
    l16 sv[SETS], inv[SETS], mv[SETS], e[SETS];
    const l16 lo = l16_set1(r.lo), hi = l16_set1(r.hi);
    for (int j = 0; j < SETS; j++) {
        sv[j] = l16_load(s + j * LANES);
        mv[j] = l16_load(min + j * LANES);
        inv[j] = l16_inverse(sv[j]);
        e[j] = l16_set1(0.0f);
    }
    for (int64_t i = 0; i < n; i++) {
        const l16 wv = l16_set1(w[i]);
        for (int j = 0; j < SETS; j++) e[j] = l16_add(e[j], squared_error(wv, sv[j], inv[j], mv[j], lo, hi));
    }
    float err[CANDIDATES];
    for (int j = 0; j < SETS; j++) l16_store(err + j * LANES, e[j]);
    int best = 0;
    for (int c = 1; c < CANDIDATES; c++)
        if (err[c] < err[best]) best = c;
    return (grid){.s = s[best], .inv = inverse(s[best]), .min = min[best], .err = err[best]};
}

static inline void try_grid(grid *best, const float *w, int64_t n, float s, float min, range r)
{
    const float inv = inverse(s);
    const l16 sv = l16_set1(s), iv = l16_set1(inv), mv = l16_set1(min), lo = l16_set1(r.lo),
              hi = l16_set1(r.hi);
    l16 e = l16_set1(0.0f);
    for (int64_t i = 0; i < n; i += LANES) e = l16_add(e, squared_error(l16_load(w + i), sv, iv, mv, lo, hi));
    const float err = l16_sum(e);
    if (err < best->err) *best = (grid){.s = s, .inv = inv, .min = min, .err = err};
}

/* The scale, and the scale and minimum, that fit the integers of grid g best. */
static inline float fit_scale(const float *w, int64_t n, const grid *g, range r)
{
    const l16 inv = l16_set1(g->inv), lo = l16_set1(r.lo), hi = l16_set1(r.hi);
    l16 wq = l16_set1(0.0f), qq = wq;
    for (int64_t i = 0; i < n; i += LANES) {
        const l16 v = l16_load(w + i), q = l16_nearest(l16_clamp(l16_mul(v, inv), lo, hi));
        wq = l16_add(wq, l16_mul(v, q));
        qq = l16_add(qq, l16_mul(q, q));
    }
    const float den = l16_sum(qq);
    return den > 0.0f ? l16_sum(wq) / den : 0.0f;
}

static inline void fit_scale_min(float *s, float *min, const float *w, int64_t n, const grid *g, range r)
{
    const l16 inv = l16_set1(g->inv), base = l16_set1(g->min), lo = l16_set1(r.lo), hi = l16_set1(r.hi);
    l16 sw = l16_set1(0.0f), sq = sw, swq = sw, sqq = sw;
    for (int64_t i = 0; i < n; i += LANES) {
        const l16 v = l16_sub(l16_load(w + i), base); /* small numbers: the group may sit far from zero */
        const l16 q = l16_nearest(l16_clamp(l16_mul(v, inv), lo, hi));
        sw = l16_add(sw, v);
        sq = l16_add(sq, q);
        swq = l16_add(swq, l16_mul(v, q));
        sqq = l16_add(sqq, l16_mul(q, q));
    }
    const float fn = (float)n, w1 = l16_sum(sw), q1 = l16_sum(sq), wq = l16_sum(swq), qq = l16_sum(sqq);
    const float den = fn * qq - q1 * q1; /* exact: integers below 2^24 */
    *s = den > 0.0f ? (fn * wq - w1 * q1) / den : 0.0f;
    *min = g->min + (w1 - *s * q1) / fn;
}

/* Smallest and largest weight; NaN is passed over. */
static inline void extent(const float *w, int64_t n, float *lo, float *hi)
{
    float a[LANES], b[LANES];
    l16 av = l16_set1(INFINITY), bv = l16_set1(-INFINITY);
    for (int64_t i = 0; i < n; i += LANES) {
        av = l16_min(l16_load(w + i), av);
        bv = l16_max(l16_load(w + i), bv);
    }
    l16_store(a, av);
    l16_store(b, bv);
    *lo = a[0];
    *hi = b[0];
    for (int i = 1; i < LANES; i++) {
        *lo = a[i] < *lo ? a[i] : *lo;
        *hi = b[i] > *hi ? b[i] : *hi;
    }
    if (!(*lo <= *hi)) *lo = *hi = 0.0f; /* nothing but NaN */
}

static inline void store_integers(uint8_t *q, const float *w, int64_t n, const grid *g, range r, int offset)
{
    float v[LANES];
    const l16 inv = l16_set1(g->inv), min = l16_set1(g->min), lo = l16_set1(r.lo), hi = l16_set1(r.hi);
    for (int64_t i = 0; i < n; i += LANES) {
        l16_store(v, l16_nearest(l16_clamp(l16_mul(l16_sub(l16_load(w + i), min), inv), lo, hi)));
        for (int l = 0; l < LANES; l++) q[i + l] = (uint8_t)((int)v[l] + offset);
    }
}

/* s = peak / divisor, without a minimum. */
static inline grid search_scale(
    const float *w, int64_t n, float peak, const float divisor[CANDIDATES], range r)
{
    static const float none[CANDIDATES] = {0.0f};
    float s[CANDIDATES];
    for (int j = 0; j < SETS; j++)
        l16_store(s + j * LANES, l16_half(l16_div(l16_set1(peak), l16_load(divisor + j * LANES))));
    s[0] = half_of(peak / divisor[0]);
    grid g = search(w, n, s, none, r);
    try_grid(&g, w, n, half_of(fit_scale(w, n, &g, r)), 0.0f, r);
    return g;
}

void ISA_FN(rg_quant_q8)(uint8_t *q, uint16_t *scale, uint16_t *min, const float *w, int64_t group)
{
    /* clipping hardly pays at 8 bits, but the cut end may fall better on the grid */
    static const float divisor[CANDIDATES] = {127.0f, 126.0f, 126.2f, 126.4f, 126.6f, 126.8f, 127.1f, 127.2f,
        127.3f, 127.4f, 127.49f, 127.6f, 127.8f, 128.0f, 128.2f, 128.4f, 128.6f, 128.8f, 129.0f, 129.2f,
        129.4f, 129.6f, 129.8f, 130.0f, 130.3f, 130.6f, 131.0f, 131.5f, 132.0f, 133.0f, 134.0f, 135.0f};
    const range r = {-127.0f, 127.0f};
    float lo, hi;
    (void)min;
    extent(w, group, &lo, &hi);
    const grid g = search_scale(w, group, -lo > hi ? -lo : hi, divisor, r);
    store_integers(q, w, group, &g, r, 0);
    *scale = rg_f32_to_f16(g.s);
}

void ISA_FN(rg_quant_q4)(uint8_t *q, uint16_t *scale, uint16_t *min, const float *w, int64_t group)
{
    /* The larger end takes -8, so that s has the opposite sign; below 8 it keeps a margin, above it is
     * clipped. A few grids have the other end at -8. */
    static const float divisor[CANDIDATES] = {-8.0f, -7.0f, -6.6f, -6.8f, -7.15f, -7.3f, -7.4f, -7.5f, -7.6f,
        -7.7f, -7.8f, -7.9f, -8.1f, -8.2f, -8.3f, -8.4f, -8.55f, -8.7f, -8.85f, -9.0f, -9.2f, -9.4f, -9.7f,
        -10.0f, -10.4f, -10.8f, -11.4f, -12.0f, 7.0f, 7.4f, 8.0f, 8.6f};
    const range r = {-8.0f, 7.0f};
    float lo, hi;
    (void)min;
    extent(w, group, &lo, &hi);
    const grid g = search_scale(w, group, -lo > hi ? lo : hi, divisor, r);
    store_integers(q, w, group, &g, r, 8);
    *scale = rg_f32_to_f16(g.s);
}

void ISA_FN(rg_quant_q4m)(uint8_t *q, uint16_t *scale, uint16_t *min, const float *w, int64_t group)
{
    /* Fractions of the range that are cut off below and above. */
    enum { BELOW = 4, ABOVE = CANDIDATES / BELOW };
    static const float below[BELOW] = {0.0f, 0.03f, 0.065f, 0.11f},
                       above[ABOVE] = {0.0f, 0.015f, 0.03f, 0.045f, 0.065f, 0.085f, 0.11f, 0.15f};
    const range r = {0.0f, 15.0f};
    float lo, hi, s[CANDIDATES], base[CANDIDATES];
    extent(w, group, &lo, &hi);
    lo = clamp(lo, -HALF_MAX, HALF_MAX);
    hi = clamp(hi, -HALF_MAX, HALF_MAX);
    for (int b = 0; b < BELOW; b++) {
        const float m = half_of(lo + below[b] * (hi - lo));
        for (int a = 0; a < ABOVE; a++) {
            base[b * ABOVE + a] = m;
            s[b * ABOVE + a] = (hi - above[a] * (hi - lo) - m) / 15.0f;
        }
    }
    const float plain = half_of(s[0]);
    for (int j = 0; j < SETS; j++) l16_store(s + j * LANES, l16_half(l16_load(s + j * LANES)));
    s[0] = plain;
    grid g = search(w, group, s, base, r);
    for (int step = 0; step < 2; step++) {
        float fs, fm;
        fit_scale_min(&fs, &fm, w, group, &g, r);
        try_grid(&g, w, group, half_of(fs), half_of(fm), r);
    }
    store_integers(q, w, group, &g, r, 0);
    *scale = rg_f32_to_f16(g.s);
    *min = rg_f32_to_f16(g.min);
}
