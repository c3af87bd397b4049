/* KV cache layouts and the attention kernels: every row of kernels.def against float64 on what the cache
 * holds. */
#include "checkkern.h"

/* Element (pos, d) read as base/dtype.def describes it; written apart from the kernels. */
static double f16_at(const unsigned char *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return (double)rg_f16_to_f32(h);
}
static double f32_at(const unsigned char *p)
{
    float f;
    memcpy(&f, p, sizeof f);
    return (double)f;
}
static double k_at(rg_kvtype t, const void *head, int64_t hd, int64_t pos, int64_t d)
{
    const unsigned char *p = head;
    const int64_t block = pos / 16, lane = pos % 16;
    if (t == RG_KV_F32) return f32_at(p + 4 * ((block * hd + d) * 16 + lane));
    if (t == RG_KV_F16) return f16_at(p + 2 * ((block * hd + d) * 16 + lane));
    p += (block * (hd / 32) + d / 32) * (2 * 16 + 32 * 16);
    return f16_at(p + 2 * lane) * (double)(int8_t)p[32 + d % 32 * 16 + lane];
}
static double v_at(rg_kvtype t, const void *head, int64_t hd, int64_t pos, int64_t d)
{
    const unsigned char *p = head;
    const int64_t hdp = rg_kv_hdp(t, hd);
    if (t == RG_KV_F32) return f32_at(p + 4 * (pos * hdp + d));
    if (t == RG_KV_F16) return f16_at(p + 2 * (pos * hdp + d));
    p += (pos * (hdp / 32) + d / 32) * 34;
    return f16_at(p) * (double)(int8_t)p[2 + d % 32];
}

typedef struct cache {
    rg_kvtype type;
    int64_t hd, n; /* positions */
    guarded k, v;
    float *src; /* [n][2][hd]: K, V */
} cache;

static cache cache_random(
    rg_rng *r, rg_kvtype type, rg_kv_put_fn *put_k, rg_kv_put_fn *put_v, int64_t hd, int64_t n)
{
    cache c = {.type = type, .hd = hd, .n = n, .src = malloc((size_t)(2 * n * hd) * sizeof(float))};
    MUST(c.src);
    c.k = guarded_alloc((size_t)(rg_round_up(n, RG_KV_BLOCK) * rg_kv_k_bytes(type, hd)));
    c.v = guarded_alloc((size_t)(n * rg_kv_v_bytes(type, hd)));
    memset(c.k.p, 0xff, c.k.bytes); /* NaN where nothing is put */
    memset(c.v.p, 0xff, c.v.bytes);
    fill_normal(r, c.src, 2 * n * hd);
    for (int64_t p = 0; p < n; p++) {
        put_k(c.k.p, hd, p, c.src + 2 * p * hd);
        put_v(c.v.p, hd, p, c.src + (2 * p + 1) * hd);
    }
    return c;
}
static void cache_free(cache *c)
{
    guarded_free(&c->k), guarded_free(&c->v);
    free(c->src);
}

static int64_t random_hd(rg_rng *r, rg_kvtype type, bool k_too)
{
    if (type == RG_KV_Q8_0 && k_too) return 32 * rng_in(r, 1, 5);
    return rng_unit(r) < 0.5 ? 16 * rng_in(r, 1, 9) : 2 * rng_in(r, 1, 70);
}

static rg_kv_put_fn *plain_put(rg_fn kind, int type)
{
    for (const rg_kernel_row *r = rg_kernel_rows;; r++)
        if (r->kind == kind && r->type == type) return (rg_kv_put_fn *)r->fn;
}

/* which: 0 K, 1 V. */
static void put_cases(const rg_kernel_row *row, int64_t which)
{
    const rg_kvtype type = (rg_kvtype)row->type;
    rg_kv_put_fn *put = (rg_kv_put_fn *)row->fn;
    uint64_t seed;
    rg_rng r = seeded(&seed, 30);
    for (int i = 0; i < 30; i++) {
        const int64_t hd = random_hd(&r, type, true), n = rng_in(&r, 1, 40);
        cache c = cache_random(&r, type, which ? plain_put(RG_FN_kv_put_k, type) : put,
            which ? put : plain_put(RG_FN_kv_put_v, type), hd, n);
        for (int64_t p = 0; p < n; p++) {
            const float *src = c.src + (2 * p + which) * hd;
            for (int64_t d = 0; d < (which ? rg_kv_hdp(type, hd) : hd); d++) {
                const double got = which ? v_at(type, c.v.p, hd, p, d) : k_at(type, c.k.p, hd, p, d),
                             want = d < hd ? (double)src[d] : 0.0;
                double bound = 0.0;
                if (type == RG_KV_F16) bound = fabs(want) * 0x1p-11 + 0x1p-25;
                /* half a step, and the rounding of the scale over 127 steps */
                if (type == RG_KV_Q8_0) {
                    double most = 0.0;
                    for (int64_t j = d / 32 * 32; j < rg_min(hd, d / 32 * 32 + 32); j++)
                        most = fmax(most, fabs((double)src[j]));
                    bound = most / 127.0 * (0.5 + 127 * 0x1p-11 + 1e-5);
                }
                CHECK(fabs(got - want) <= bound, row->name, seed,
                    "hd %lld: position %lld, %lld: %g, expected %g", (long long)hd, (long long)p,
                    (long long)d, got, want);
            }
        }
        cache_free(&c);
    }
    /* a NaN spoils what uses it, and infinity does not trap */
    float bad[32] = {0.0f};
    bad[7] = NAN;
    guarded g = guarded_alloc((size_t)(which ? rg_kv_v_bytes(type, 32) : 16 * rg_kv_k_bytes(type, 32)));
    put(g.p, 32, 0, bad);
    CHECK(isnan(which ? v_at(type, g.p, 32, 0, 7) : k_at(type, g.p, 32, 0, 7)), row->name, seed, "%s",
        "a NaN is lost");
    bad[7] = -INFINITY;
    put(g.p, 32, 0, bad);
    guarded_free(&g);
}
void check_kv_put_k(const rg_kernel_row *row) { put_cases(row, 0); }
void check_kv_put_v(const rg_kernel_row *row) { put_cases(row, 1); }

void check_attn_qk(const rg_kernel_row *row)
{
    rg_attn_qk_fn *fn = (rg_attn_qk_fn *)row->fn;
    const rg_kvtype type = (rg_kvtype)row->type;
    uint64_t seed;
    rg_rng r = seeded(&seed, 31);
    for (int i = 0; i < 3 * RG_ATTN_NQ; i++) {
        const int64_t nq = i % RG_ATTN_NQ + 1, hd = random_hd(&r, type, true), n = rng_in(&r, 1, 200);
        cache c =
            cache_random(&r, type, plain_put(RG_FN_kv_put_k, type), plain_put(RG_FN_kv_put_v, type), hd, n);
        const int64_t p0 = rng_in(&r, 0, (n - 1) / 16) * 16, p1 = rng_in(&r, p0 + 1, n),
                      lds = rg_round_up(p1 - p0, 16) + rng_in(&r, 0, 5), ldq = hd + rng_in(&r, 0, 3);
        const int64_t s_len = (nq - 1) * lds + rg_round_up(p1 - p0, 16);
        guarded gq, gs, gz;
        float *q = guarded_floats(&gq, (nq - 1) * ldq + hd), *s = guarded_floats(&gs, s_len),
              *z = guarded_floats(&gz, 16);
        fill_normal(&r, q, (nq - 1) * ldq + hd);
        fn(s, lds, q, ldq, nq, c.k.p, hd, p0, p1);
        for (int64_t j = 0; j < nq; j++)
            for (int64_t p = p0; p < p1; p++) {
                double want = 0.0, mag = 0.0;
                for (int64_t d = 0; d < hd; d++) {
                    const double term = (double)q[j * ldq + d] * k_at(type, c.k.p, hd, p, d);
                    want += term;
                    mag += fabs(term);
                }
                const float got = s[j * lds + p - p0];
                CHECK(fabs((double)got - want) <= (double)(hd + 4) * FLT_EPSILON * mag, row->name, seed,
                    "hd %lld nq %lld: s[%lld][%lld] = %.9g, expected %.9g", (long long)hd, (long long)nq,
                    (long long)j, (long long)p, (double)got, want);
            }
        for (int64_t j = 0; j < nq; j++)
            for (int64_t p = p0; p < p1; p += 16) {
                const int64_t e = rg_min(p + 16, p1);
                fn(z, 16, q + j * ldq, hd, 1, c.k.p, hd, p, e);
                CHECK(memcmp(z, s + j * lds + p - p0, (size_t)(e - p) * sizeof *z) == 0, row->name, seed,
                    "hd %lld nq %lld: bits change with the partition", (long long)hd, (long long)nq);
            }
        guarded_free(&gq), guarded_free(&gs), guarded_free(&gz);
        cache_free(&c);
    }
}

void check_attn_pv(const rg_kernel_row *row)
{
    rg_attn_pv_fn *fn = (rg_attn_pv_fn *)row->fn;
    const rg_kvtype type = (rg_kvtype)row->type;
    uint64_t seed;
    rg_rng r = seeded(&seed, 32);
    for (int i = 0; i < 3 * RG_ATTN_NQ; i++) {
        /* K of q8_0 needs whole blocks, V does not */
        const int64_t nq = i % RG_ATTN_NQ + 1, hd = random_hd(&r, type, false), hdp = rg_kv_hdp(type, hd),
                      n = rng_in(&r, 1, 200);
        guarded gv = guarded_alloc((size_t)(n * rg_kv_v_bytes(type, hd)));
        float src[160];
        for (int64_t p = 0; p < n; p++) {
            fill_normal(&r, src, hd);
            plain_put(RG_FN_kv_put_v, type)(gv.p, hd, p, src);
        }
        const int64_t p0 = rng_in(&r, 0, (n - 1) / 16) * 16, p1 = n, lds = p1 - p0 + rng_in(&r, 0, 5),
                      lda = hdp + rng_in(&r, 0, 5);
        guarded gs, ga, gz;
        float *s = guarded_floats(&gs, (nq - 1) * lds + p1 - p0),
              *acc = guarded_floats(&ga, (nq - 1) * lda + hdp), *z = guarded_floats(&gz, hdp);
        for (int64_t j = 0; j < (nq - 1) * lds + p1 - p0; j++) s[j] = (float)rng_unit(&r);
        fill_untouched(acc, (nq - 1) * lda + hdp);
        fn(acc, lda, s, lds, nq, gv.p, hd, p0, p1);
        for (int64_t j = 0; j < nq; j++) {
            for (int64_t d = 0; d < hd; d++) {
                double want = 0.0, mag = 0.0;
                for (int64_t p = p0; p < p1; p++) {
                    const double term = (double)s[j * lds + p - p0] * v_at(type, gv.p, hd, p, d);
                    want += term;
                    mag += fabs(term);
                }
                CHECK(fabs((double)acc[j * lda + d] - want) <= (double)(p1 - p0 + 4) * FLT_EPSILON * mag,
                    row->name, seed, "hd %lld nq %lld: acc[%lld][%lld] = %.9g, expected %.9g", (long long)hd,
                    (long long)nq, (long long)j, (long long)d, (double)acc[j * lda + d], want);
            }
            for (int64_t d = hdp; d < lda && j < nq - 1; d++)
                CHECK(untouched(acc + j * lda + d), row->name, seed, "hd %lld: written beyond %lld",
                    (long long)hd, (long long)hdp);
            fn(z, hdp, s + j * lds, lds, 1, gv.p, hd, p0, p1);
            CHECK(memcmp(z, acc + j * lda, (size_t)hd * sizeof *z) == 0, row->name, seed,
                "hd %lld nq %lld: bits change with the partition", (long long)hd, (long long)nq);
        }
        guarded_free(&gs), guarded_free(&ga), guarded_free(&gz), guarded_free(&gv);
    }
}

/* The cache as floats, exact, for positions and dimensions that are there; zeros beyond. */
void check_kv_panel_k(const rg_kernel_row *row)
{
    const rg_kvtype type = (rg_kvtype)row->type;
    uint64_t seed;
    rg_rng r = seeded(&seed, 33);
    for (int i = 0; i < 40; i++) {
        const int64_t hd = random_hd(&r, type, true), n = rng_in(&r, 1, 100),
                      p0 = rng_in(&r, 0, (n - 1) / 16) * 16, p1 = rng_in(&r, p0 + 1, n);
        cache c =
            cache_random(&r, type, plain_put(RG_FN_kv_put_k, type), plain_put(RG_FN_kv_put_v, type), hd, n);
        guarded g;
        float *to = guarded_floats(&g, hd * 32);
        ((rg_kv_panel_k_fn *)row->fn)(to, c.k.p, hd, p0, p1);
        for (int64_t d = 0; d < hd; d++)
            for (int64_t p = p0; p < p0 + 32; p++) {
                const double want = p < p1 ? (double)(float)k_at(type, c.k.p, hd, p, d) : 0.0;
                CHECK((double)to[d * 32 + p - p0] == want, row->name, seed,
                    "hd %lld: position %lld of [%lld, %lld), %lld: %g, expected %g", (long long)hd,
                    (long long)p, (long long)p0, (long long)p1, (long long)d, (double)to[d * 32 + p - p0],
                    want);
            }
        guarded_free(&g);
        cache_free(&c);
    }
}

void check_kv_panel_v(const rg_kernel_row *row)
{
    const rg_kvtype type = (rg_kvtype)row->type;
    uint64_t seed;
    rg_rng r = seeded(&seed, 34);
    for (int i = 0; i < 40; i++) {
        const int64_t hd = random_hd(&r, type, false), n = rng_in(&r, 1, 100),
                      p0 = rng_in(&r, 0, (n - 1) / 16) * 16, p1 = n, d0 = rng_in(&r, 0, (hd - 1) / 32) * 32;
        guarded gv = guarded_alloc((size_t)(n * rg_kv_v_bytes(type, hd))), g;
        float src[160], *to = guarded_floats(&g, (p1 - p0) * 32);
        for (int64_t p = 0; p < n; p++) {
            fill_normal(&r, src, hd);
            plain_put(RG_FN_kv_put_v, type)(gv.p, hd, p, src);
        }
        ((rg_kv_panel_v_fn *)row->fn)(to, gv.p, hd, p0, p1, d0);
        for (int64_t p = p0; p < p1; p++)
            for (int64_t d = d0; d < d0 + 32; d++) {
                const double want = d < hd ? (double)(float)v_at(type, gv.p, hd, p, d) : 0.0;
                CHECK((double)to[(p - p0) * 32 + d - d0] == want, row->name, seed,
                    "hd %lld: position %lld, %lld: %g, expected %g", (long long)hd, (long long)p,
                    (long long)d, (double)to[(p - p0) * 32 + d - d0], want);
            }
        guarded_free(&g), guarded_free(&gv);
    }
}
