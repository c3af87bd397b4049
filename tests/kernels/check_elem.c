/* softmax (in floats and in bf16), rmsnorm, rope, swiglu, geglu, clampglu, softcap and add: every row of
 * kernels.def
 * against float64. */
#include "checkkern.h"

/* e against exp(x), in units of the last place of the result; results below the normal range in units of the
 * smallest float. */
static double exp_ulps(float e, double x)
{
    const double want = exp(x), unit = want < (double)FLT_MIN ? 0x1p-149 : ldexp(1.0, ilogb(want) - 23);
    return fabs((double)e - want) / unit;
}

void check_softmax(const rg_kernel_row *row)
{
    rg_softmax_fn *fn = (rg_softmax_fn *)row->fn;
    uint64_t seed;
    rg_rng r = seeded(&seed, 20);
    double worst = 0.0;
    for (int i = 0; i < 600; i++) {
        const int64_t n = rng_in(&r, 1, 300), n_pad = n + rng_in(&r, 0, 16);
        guarded g;
        float *s = guarded_floats(&g, n_pad), *old = malloc((size_t)n * sizeof *old), max, sum;
        const float wide = i % 3 == 0 ? 30.0f : 1.0f;
        fill_untouched(s, n_pad);
        for (int64_t j = 0; j < n; j++) s[j] = old[j] = rng_normal(&r) * wide;
        fn(s, n, n_pad, &max, &sum);
        float want_max = old[0];
        for (int64_t j = 0; j < n; j++) want_max = old[j] > want_max ? old[j] : want_max;
        CHECK(max == want_max, row->name, seed, "maximum %g, expected %g", (double)max, (double)want_max);
        double total = 0.0;
        for (int64_t j = 0; j < n; j++) {
            const double ulps = exp_ulps(s[j], (double)(old[j] - max));
            worst = ulps > worst ? ulps : worst;
            CHECK(ulps <= 2.0, row->name, seed, "exp(%.9g) = %.9g is %.2f ulp away", (double)(old[j] - max),
                (double)s[j], ulps);
            total += (double)s[j];
        }
        CHECK(fabs((double)sum - total) <= (double)n * FLT_EPSILON * total, row->name, seed,
            "sum %.9g, expected %.9g", (double)sum, total);
        for (int64_t j = n; j < n_pad; j++)
            CHECK(s[j] == 0.0f, row->name, seed, "s[%lld] beyond n = %lld is %g", (long long)j, (long long)n,
                (double)s[j]);
        free(old);
        guarded_free(&g);
    }
    /* from 0 down to where exp vanishes, and the special values */
    enum { N = 200001 };
    float *s = malloc(N * sizeof *s), max, sum;
    for (int64_t j = 0; j < N; j++) s[j] = -110.0f * (float)j / (float)(N - 1);
    float *old = malloc(N * sizeof *old);
    memcpy(old, s, N * sizeof *s);
    fn(s, N, N, &max, &sum);
    for (int64_t j = 0; j < N; j++) {
        const double ulps = exp_ulps(s[j], (double)old[j]);
        worst = ulps > worst ? ulps : worst;
        CHECK(ulps <= 2.0, row->name, seed, "exp(%.9g) = %.9g is %.2f ulp away", (double)old[j], (double)s[j],
            ulps);
    }
    float special[20] = {0.0f};
    special[3] = -INFINITY;
    fn(special, 20, 20, &max, &sum);
    CHECK(special[3] == 0.0f && sum == 19.0f, row->name, seed, "exp(-inf) = %g, sum %g", (double)special[3],
        (double)sum);
    for (int at = 0; at < 20; at++) {
        for (int j = 0; j < 20; j++) special[j] = (float)j;
        special[at] = NAN;
        fn(special, 20, 20, &max, &sum);
        CHECK(isnan(sum), row->name, seed, "a NaN at %d is lost: sum %g", at, (double)sum);
    }
    check_note("exp is at most %.2f ulp away", worst);
    free(s), free(old);
}

/* The planes against exp in float64: of one, half a unit of 8 bits: 2^-8; of two, 2^-17; and what exp itself
 * is off by. */
void check_softmax_bf16(const rg_kernel_row *row)
{
    rg_softmax_bf16_fn *fn = (rg_softmax_bf16_fn *)row->fn;
    uint64_t seed;
    rg_rng r = seeded(&seed, 27);
    for (int i = 0; i < 600; i++) {
        const int64_t n = rng_in(&r, 1, 300), n_pad = (n + 31) / 32 * 32 + 32 * rng_in(&r, 0, 1),
                      low = i % 2 ? n_pad + rng_in(&r, 0, 9) : 0, all = low + n_pad;
        guarded gs, gp;
        float *s = guarded_floats(&gs, n), *old = malloc((size_t)n * sizeof *old), max, sum;
        uint16_t *p;
        gp = guarded_alloc((size_t)all * sizeof *p);
        p = (uint16_t *)(void *)gp.p;
        memset(p, 0x55, (size_t)all * sizeof *p);
        fill_normal(&r, s, n);
        for (int64_t j = 0; j < n && i % 3 == 0; j++) s[j] *= 30.0f;
        memcpy(old, s, (size_t)n * sizeof *s);
        fn(p, low, s, n, n_pad, &max, &sum);
        CHECK(memcmp(old, s, (size_t)n * sizeof *s) == 0, row->name, seed, "n %lld: the scores changed",
            (long long)n);
        float want_max = old[0];
        for (int64_t j = 0; j < n; j++) want_max = old[j] > want_max ? old[j] : want_max;
        CHECK(max == want_max, row->name, seed, "maximum %g, expected %g", (double)max, (double)want_max);
        double total = 0.0;
        for (int64_t j = 0; j < n_pad; j++) {
            const double want = j < n ? exp((double)(s[j] - max)) : 0.0, high = (double)rg_bf16_to_f32(p[j]);
            const double got = high + (low ? (double)rg_bf16_to_f32(p[low + j]) : 0.0),
                         bound = want * (low ? 0x1.1p-17 : 0x1.01p-8) + 0x1p-126;
            CHECK(fabs(got - want) <= bound, row->name, seed,
                "n %lld, planes %d: exp[%lld] = %.9g, expected %.9g", (long long)n, low ? 2 : 1, (long long)j,
                got, want);
            CHECK(fabs(high - want) <= want * 0x1.01p-8 + 0x1p-126, row->name, seed,
                "high plane %.9g of %.9g", high, want);
            total += want;
        }
        for (int64_t j = n_pad; j < low; j++)
            CHECK(p[j] == 0x5555, row->name, seed, "n %lld: wrote between the planes", (long long)n);
        CHECK(fabs((double)sum - total) <= (double)(n + 4) * FLT_EPSILON * total, row->name, seed,
            "sum %.9g, expected %.9g", (double)sum, total);
        s[rng_in(&r, 0, n - 1)] = i % 4 < 2 ? NAN : -INFINITY;
        fn(p, low, s, n, n_pad, &max, &sum);
        CHECK(i % 4 < 2 || n == 1 ? isnan(sum) : isfinite(sum), row->name, seed, "n %lld: sum %g",
            (long long)n, (double)sum);
        free(old);
        guarded_free(&gs), guarded_free(&gp);
    }
}

void check_rmsnorm(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 21);
    for (int i = 0; i < 100; i++) {
        const int64_t k = rng_in(&r, 1, 700);
        guarded gx, gw, gy;
        float *x = guarded_floats(&gx, k), *w = guarded_floats(&gw, k), *y = guarded_floats(&gy, k);
        fill_normal(&r, x, k);
        fill_normal(&r, w, k);
        if (i % 5 == 0)
            for (int64_t j = 0; j < k; j++) x[j] *= 1e25f; /* the squares overflow a float */
        ((rg_rmsnorm_fn *)row->fn)(y, x, w, k, 1e-5f);
        double sum = 0.0;
        for (int64_t j = 0; j < k; j++) sum += (double)x[j] * (double)x[j];
        for (int64_t j = 0; j < k; j++) {
            const double want = (double)x[j] / sqrt(sum / (double)k + (double)1e-5f) * (double)w[j];
            CHECK(fabs((double)y[j] - want) <= 3 * FLT_EPSILON * fabs(want) + 1e-44, row->name, seed,
                "k %lld: y[%lld] = %.9g, expected %.9g", (long long)k, (long long)j, (double)y[j], want);
        }
        ((rg_rmsnorm_fn *)row->fn)(x, x, w, k, 1e-5f);
        CHECK(memcmp(x, y, (size_t)k * sizeof *x) == 0, row->name, seed, "k %lld: in place differs",
            (long long)k);
        guarded_free(&gx), guarded_free(&gw), guarded_free(&gy);
    }
}

void check_rope(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 22);
    for (int i = 0; i < 100; i++) {
        const int64_t heads = rng_in(&r, 1, 5), hd = 2 * rng_in(&r, 1, 70),
                      half = i % 2 ? hd / 2 : rng_in(&r, 1, hd / 2), rot = 2 * half;
        guarded gx, gc, gs;
        float *x = guarded_floats(&gx, heads * hd), *cs = guarded_floats(&gc, half),
              *sn = guarded_floats(&gs, half), *old = malloc((size_t)(heads * hd) * sizeof *old);
        fill_normal(&r, x, heads * hd);
        memcpy(old, x, (size_t)(heads * hd) * sizeof *x);
        for (int64_t j = 0; j < half; j++) {
            const double a = rng_unit(&r) * 6.28;
            cs[j] = (float)cos(a);
            sn[j] = (float)sin(a);
        }
        ((rg_rope_fn *)row->fn)(x, heads, hd, rot, cs, sn);
        for (int64_t h = 0; h < heads; h++) {
            CHECK(memcmp(x + h * hd + rot, old + h * hd + rot, (size_t)(hd - rot) * sizeof *x) == 0,
                row->name, seed, "hd %lld: values behind %lld changed", (long long)hd, (long long)rot);
            for (int64_t j = 0; j < half; j++) {
                const double a = (double)old[h * hd + j], b = (double)old[h * hd + half + j],
                             c = (double)cs[j], s = (double)sn[j];
                const double bound = 2 * FLT_EPSILON * (fabs(a) + fabs(b));
                CHECK(fabs((double)x[h * hd + j] - (a * c - b * s)) <= bound &&
                        fabs((double)x[h * hd + half + j] - (b * c + a * s)) <= bound,
                    row->name, seed, "hd %lld: head %lld pair %lld", (long long)hd, (long long)h,
                    (long long)j);
            }
        }
        free(old);
        guarded_free(&gx), guarded_free(&gc), guarded_free(&gs);
    }
}

/* Products of an activation and `up`, in float64; the argument of the exponential is rounded too. */
static double silu(double g) { return g / (1.0 + exp(-g)); }
static double gelu(double g) { return 0.5 * g * (1.0 + tanh(sqrt(2.0 / M_PI) * (g + 0.044715 * g * g * g))); }

static void check_gated(const rg_kernel_row *row, double (*act)(double), double steep)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 23);
    for (int i = 0; i < 200; i++) {
        const int64_t n = rng_in(&r, 1, 200);
        guarded gg, gu, gy;
        float *gate = guarded_floats(&gg, n), *up = guarded_floats(&gu, n), *y = guarded_floats(&gy, n);
        for (int64_t j = 0; j < n; j++) gate[j] = rng_normal(&r) * (i % 4 == 0 ? 60.0f : 2.0f);
        fill_normal(&r, up, n);
        ((rg_swiglu_fn *)row->fn)(y, gate, up, n);
        for (int64_t j = 0; j < n; j++) {
            const double g = (double)gate[j], want = act(g) * (double)up[j],
                         z = g + 0.044715 * steep * g * g * g;
            CHECK(fabs((double)y[j] - want) <= 4 * FLT_EPSILON * ((1.0 + steep * fabs(z)) * fabs(want)) +
                        (steep > 0.0 ? 4 * FLT_EPSILON * (double)fabsf(up[j]) : 1e-36),
                row->name, seed, "n %lld: act(%.9g) * %.9g = %.9g, expected %.9g", (long long)n, g,
                (double)up[j], (double)y[j], want);
        }
        ((rg_swiglu_fn *)row->fn)(gate, gate, up, n);
        CHECK(memcmp(gate, y, (size_t)n * sizeof *y) == 0, row->name, seed, "n %lld: in place differs",
            (long long)n);
        guarded_free(&gg), guarded_free(&gu), guarded_free(&gy);
    }
    float gate[4] = {-1e30f, 1e30f, NAN, 0.0f}, up[4] = {1.0f, 1.0f, 1.0f, 5.0f}, y[4];
    ((rg_swiglu_fn *)row->fn)(y, gate, up, 4);
    CHECK(y[0] == 0.0f && y[1] == 1e30f && isnan(y[2]) && y[3] == 0.0f, row->name, seed,
        "limits: %g %g %g %g", (double)y[0], (double)y[1], (double)y[2], (double)y[3]);
}

void check_swiglu(const rg_kernel_row *row) { check_gated(row, silu, 0.0); }
void check_geglu(const rg_kernel_row *row) { check_gated(row, gelu, 1.0); }

/* The ends are kept, and what is not a number. */
void check_clampglu(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 24);
    for (int i = 0; i < 200; i++) {
        const int64_t n = rng_in(&r, 1, 200);
        guarded gg, gu, gy;
        float *gate = guarded_floats(&gg, n), *up = guarded_floats(&gu, n), *y = guarded_floats(&gy, n);
        for (int64_t j = 0; j < n; j++) gate[j] = rng_normal(&r) * (i % 4 == 0 ? 60.0f : 6.0f);
        for (int64_t j = 0; j < n; j++) up[j] = rng_normal(&r) * 6.0f;
        ((rg_swiglu_fn *)row->fn)(y, gate, up, n);
        for (int64_t j = 0; j < n; j++) {
            const double g = fmin((double)gate[j], 7.0), u = fmin(fmax((double)up[j], -7.0), 7.0),
                         want = g / (1.0 + exp(-1.702 * g)) * (u + 1.0);
            /* the slope is rounded, and the argument of the exponential */
            CHECK(fabs((double)y[j] - want) <= 4 * FLT_EPSILON * (1.0 + 1.702 * fabs(g)) * fabs(want) + 1e-35,
                row->name, seed, "n %lld: act(%.9g, %.9g) = %.9g, expected %.9g", (long long)n,
                (double)gate[j], (double)up[j], (double)y[j], want);
        }
        ((rg_swiglu_fn *)row->fn)(gate, gate, up, n);
        CHECK(memcmp(gate, y, (size_t)n * sizeof *y) == 0, row->name, seed, "n %lld: in place differs",
            (long long)n);
        guarded_free(&gg), guarded_free(&gu), guarded_free(&gy);
    }
    float gate[5] = {-1e30f, 1e30f, NAN, 7.0f, 0.0f}, up[5] = {1.0f, INFINITY, 1.0f, NAN, -INFINITY}, y[5];
    ((rg_swiglu_fn *)row->fn)(y, gate, up, 5);
    CHECK(y[0] == 0.0f && fabsf(y[1] - 56.0f) < 1e-3f && isnan(y[2]) && isnan(y[3]) && y[4] == 0.0f,
        row->name, seed, "limits: %g %g %g %g %g", (double)y[0], (double)y[1], (double)y[2], (double)y[3],
        (double)y[4]);
}

void check_softcap(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 27);
    for (int i = 0; i < 200; i++) {
        const int64_t n = rng_in(&r, 1, 100);
        const float cap = i % 2 ? 50.0f : 30.0f;
        guarded gx;
        float *x = guarded_floats(&gx, n), old[100];
        for (int64_t j = 0; j < n; j++)
            x[j] = rng_normal(&r) * (i % 3 == 0 ? 400.0f : i % 3 == 1 ? 20.0f : 0.1f);
        memcpy(old, x, (size_t)n * sizeof *x);
        ((rg_softcap_fn *)row->fn)(x, n, cap);
        for (int64_t j = 0; j < n; j++) {
            const double z = (double)old[j] / (double)cap, want = (double)cap * tanh(z);
            CHECK(fabs((double)x[j] - want) <= 6 * FLT_EPSILON * fabs(want), row->name, seed,
                "n %lld: %.9g capped is %.9g, expected %.9g", (long long)n, (double)old[j], (double)x[j],
                want);
        }
        guarded_free(&gx);
    }
    float x[3] = {-INFINITY, 1e30f, NAN};
    ((rg_softcap_fn *)row->fn)(x, 3, 50.0f);
    CHECK(x[0] == -50.0f && x[1] == 50.0f && isnan(x[2]), row->name, seed, "limits: %g %g %g", (double)x[0],
        (double)x[1], (double)x[2]);
}

void check_add(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 24);
    for (int64_t n = 1; n < 100; n++) {
        guarded gx, gy;
        float *x = guarded_floats(&gx, n), *y = guarded_floats(&gy, n), old[100];
        fill_normal(&r, x, n);
        fill_normal(&r, y, n);
        memcpy(old, y, (size_t)n * sizeof *y);
        ((rg_add_fn *)row->fn)(y, x, n);
        for (int64_t j = 0; j < n; j++)
            CHECK(y[j] == old[j] + x[j], row->name, seed, "n %lld: y[%lld]", (long long)n, (long long)j);
        guarded_free(&gx), guarded_free(&gy);
    }
}
