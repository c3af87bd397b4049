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

void ISA_FN(rg_rope)(float *x, int64_t heads, int64_t hd, const float *cs, const float *sn)
{
    const int64_t half = hd / 2;
    for (int64_t h = 0; h < heads; h++, x += hd)
        for (int64_t i = 0; i < half; i += VL)
            rotate(x + i, half, cs + i, sn + i, half - i < VL ? half - i : VL);
}

INLINE vf silu_times(vf g, vf u)
{
    return vf_mul(vf_div(g, vf_add(vf_set1(1.0f), vf_exp(vf_sub(vf_zero(), g)))), u);
}

void ISA_FN(rg_swiglu)(float *y, const float *gate, const float *up, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL) vf_store(y + i, silu_times(vf_load(gate + i), vf_load(up + i)));
    if (i < n) vf_store_n(y + i, silu_times(vf_load_n(gate + i, n - i), vf_load_n(up + i, n - i)), n - i);
}

void ISA_FN(rg_add)(float *y, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL) vf_store(y + i, vf_add(vf_load(y + i), vf_load(x + i)));
    if (i < n) vf_store_n(y + i, vf_add(vf_load_n(y + i, n - i), vf_load_n(x + i, n - i)), n - i);
}
