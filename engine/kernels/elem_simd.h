/* Elementwise and row kernels for one register width (simd.h). */
#include "kernels/kernel_rows.h"

#include "kernels/simd.h"

void ISA_FN(rg_softmax)(float *s, int64_t n, int64_t n_pad, float *max, float *sum)
{
    vf most = vf_set1(-INFINITY), total = vf_zero();
    const int64_t whole = n / VL * VL, left = n - whole;
    /* a NaN is passed over here and reaches the sum below */
    for (int64_t i = 0; i < whole; i += VL) most = vf_max(vf_load(s + i), most);
    if (left) most = vf_max(vf_keep(vf_load_n(s + whole, left), left, most), most);
    *max = vf_max_lane(most);
    const vf top = vf_set1(*max);
    for (int64_t i = 0; i < whole; i += VL) {
        const vf e = vf_exp(vf_sub(vf_load(s + i), top));
        vf_store(s + i, e);
        total = vf_add(total, e);
    }
    if (left) {
        const vf e = vf_exp(vf_sub(vf_load_n(s + whole, left), top));
        vf_store_n(s + whole, e, left);
        total = vf_add(total, vf_keep(e, left, vf_zero()));
    }
    for (int64_t i = n; i < n_pad; i++) s[i] = 0.0f;
    *sum = vf_sum(total);
}

void ISA_FN(rg_rmsnorm)(float *y, const float *x, const float *w, int64_t k, float eps)
{
    const vf scale = vf_set1((float)(1.0 / sqrt(sum_squares(x, k) / (double)k + (double)eps)));
    int64_t i = 0;
    for (; i + VL <= k; i += VL) vf_store(y + i, vf_mul(vf_mul(vf_load(x + i), scale), vf_load(w + i)));
    if (i < k)
        vf_store_n(y + i, vf_mul(vf_mul(vf_load_n(x + i, k - i), scale), vf_load_n(w + i, k - i)), k - i);
}

/* Pairs [i, i + n), n <= VL, of one head whose second halves are at x + half. */
INLINE void rotate(float *x, int64_t half, const float *cs, const float *sn, int64_t n)
{
    const vf a = vf_load_n(x, n), b = vf_load_n(x + half, n), c = vf_load_n(cs, n), s = vf_load_n(sn, n);
    vf_store_n(x, vf_fnma(b, s, vf_mul(a, c)), n);
    vf_store_n(x + half, vf_fma(a, s, vf_mul(b, c)), n);
}

void ISA_FN(rg_rope)(float *x, int64_t heads, int64_t hd, int64_t rot, const float *cs, const float *sn)
{
    const int64_t half = rot / 2;
    for (int64_t h = 0; h < heads; h++, x += hd)
        for (int64_t i = 0; i < half; i += VL)
            rotate(x + i, half, cs + i, sn + i, half - i < VL ? half - i : VL);
}

/* gate / (1 + exp(-z)) * up. */
INLINE vf gated(vf g, vf z, vf u)
{
    return vf_mul(vf_div(g, vf_add(vf_set1(1.0f), vf_exp(vf_sub(vf_zero(), z)))), u);
}
INLINE vf silu_times(vf g, vf u) { return gated(g, g, u); }
INLINE vf gelu_times(vf g, vf u)
{
    const vf cube = vf_mul(vf_mul(g, g), g);
    return gated(g, vf_mul(vf_set1(RG_GELU_SLOPE), vf_fma(vf_set1(RG_GELU_CUBE), cube, g)), u);
}

INLINE vf clamped_times(vf g, vf u)
{
    const vf most = vf_set1(RG_CLAMP), least = vf_set1(-RG_CLAMP), one = vf_set1(1.0f);
    g = vf_if_less(most, g, most, g);
    u = vf_if_less(most, u, most, vf_if_less(u, least, least, u));
    return gated(g, vf_mul(vf_set1(RG_CLAMP_SLOPE), g), vf_add(u, one));
}

#define GATED(name, times) \
    void ISA_FN(name)(float *y, const float *gate, const float *up, int64_t n) \
    { \
        int64_t i = 0; \
        for (; i + VL <= n; i += VL) vf_store(y + i, times(vf_load(gate + i), vf_load(up + i))); \
        if (i < n) vf_store_n(y + i, times(vf_load_n(gate + i, n - i), vf_load_n(up + i, n - i)), n - i); \
    }
GATED(rg_swiglu, silu_times)
GATED(rg_geglu, gelu_times)
GATED(rg_clampglu, clamped_times)

/* tanh z = (1 - e) / (1 + e), e = exp(-2 |z|); near 0, where that cancels, a polynomial. */
INLINE vf capped(vf x, vf cap, vf inv)
{
    const vf z = vf_mul(x, inv), a = vf_max(z, vf_sub(vf_zero(), z)), one = vf_set1(1.0f), q = vf_mul(z, z),
             e = vf_exp(vf_mul(a, vf_set1(-2.0f))), t = vf_div(vf_sub(one, e), vf_add(one, e));
    vf p = vf_fma(q, vf_set1(62.0f / 2835.0f), vf_set1(-17.0f / 315.0f));
    p = vf_fma(q, vf_fma(q, p, vf_set1(2.0f / 15.0f)), vf_set1(-1.0f / 3.0f));
    const vf near = vf_fma(vf_mul(z, q), p, z), far = vf_if_less(z, vf_zero(), vf_sub(vf_zero(), t), t);
    return vf_mul(cap, vf_if_less(a, vf_set1(0.25f), near, far));
}

void ISA_FN(rg_softcap)(float *x, int64_t n, float cap)
{
    const vf c = vf_set1(cap), inv = vf_set1(1.0f / cap);
    int64_t i = 0;
    for (; i + VL <= n; i += VL) vf_store(x + i, capped(vf_load(x + i), c, inv));
    if (i < n) vf_store_n(x + i, capped(vf_load_n(x + i, n - i), c, inv), n - i);
}

void ISA_FN(rg_add)(float *y, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL) vf_store(y + i, vf_add(vf_load(y + i), vf_load(x + i)));
    if (i < n) vf_store_n(y + i, vf_add(vf_load_n(y + i, n - i), vf_load_n(x + i, n - i)), n - i);
}
