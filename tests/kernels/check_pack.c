/* Packing and the way back, and the quantisers: never worse than plain round to nearest, the same bits at
 * every level. */
#include "checkkern.h"

static void *scratch_for(rg_wtype type, int64_t k)
{
    void *p = aligned_alloc(64, (size_t)rg_round_up(rg_pack_scratch(type, k), 64));
    MUST(p);
    return p;
}

/* What the float types must hold. */
static float rounded(rg_wtype type, float w)
{
    return type == RG_WT_F16 ? rg_f16_to_f32(rg_f32_to_f16(w))
        : type == RG_WT_BF16 ? rg_bf16_to_f32(rg_f32_to_bf16(w))
                             : w;
}

void check_pack(void)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 5);
    for (int type = 0; type < RG_WT_COUNT; type++)
        for (int i = 0; i < 25; i++) {
            const int64_t n = rng_in(&r, 1, 100), k = rng_in(&r, 1, 300), panels = rg_panels(n);
            const rg_wtype_info *info = &rg_wtypes[type];
            const size_t bytes = (size_t)rg_packed_bytes((rg_wtype)type, n, k);
            float *w = malloc((size_t)(n * k) * sizeof *w), *back = malloc((size_t)k * sizeof *back);
            void *scratch = scratch_for((rg_wtype)type, k);
            fill_normal(&r, w, n * k);
            if (i % 2 == 0) /* a single clear outlier */
                w[rng_in(&r, 0, n * k - 1)] = 37.0f;
            char *first = NULL;
            for (rg_isa isa = RG_ISA_C; isa <= top_isa(); isa++) {
                rg_ktab t;
                MUST(rg_kernels_select(&t, isa, false));
                guarded g = guarded_alloc(bytes), h = guarded_alloc(bytes);
                double err2 = 0, w2 = 0, want_err2 = 0, want_w2 = 0;
                rg_pack(&t, (rg_wtype)type, g.p, n, k, 0, panels, source_row, &(source){w, k}, scratch, &err2,
                    &w2);
                for (int64_t p = panels - 1; p >= 0; p--)
                    rg_pack(&t, (rg_wtype)type, h.p, n, k, p, p + 1, source_row, &(source){w, k}, scratch,
                        NULL, NULL);
                CHECK(memcmp(g.p, h.p, bytes) == 0, info->name, seed,
                    "bits change with the partition (n %lld k %lld)", (long long)n, (long long)k);
                if (!first) {
                    first = malloc(bytes);
                    memcpy(first, g.p, bytes);
                }
                CHECK(memcmp(g.p, first, bytes) == 0, info->name, seed,
                    "%s packs other bits than c (n %lld k %lld)", rg_isa_names[isa], (long long)n,
                    (long long)k);
                const rg_weight packed = {(rg_wtype)type, n, k, g.p};
                for (int64_t row = 0; row < n; row++) {
                    rg_unpack_row(&packed, row, back);
                    for (int64_t c = 0; c < k; c++) {
                        const float v = w[row * k + c];
                        if (!info->head)
                            CHECK(back[c] == rounded((rg_wtype)type, v), info->name, seed,
                                "row %lld column %lld: %g for %g", (long long)row, (long long)c,
                                (double)back[c], (double)v);
                        want_err2 += ((double)v - (double)back[c]) * ((double)v - (double)back[c]);
                        want_w2 += (double)v * (double)v;
                    }
                }
                /* zeros that pad a group may not come back as zeros: the error counts them too */
                const double slack = 1e-5 * want_err2 + (k % info->group ? 0.02 * want_w2 : 0.0);
                CHECK(err2 >= want_err2 * (1 - 1e-5) && err2 <= want_err2 + slack &&
                        fabs(w2 - want_w2) <= 1e-6 * want_w2,
                    info->name, seed, "error %g of %g, expected %g of %g", err2, w2, want_err2, want_w2);
                if (i % 2)
                    CHECK(want_err2 <= (info->bits == 4          ? 0.03
                                               : info->bits == 5 ? 4e-3
                                               : info->bits < 16 ? 1e-3
                                                                 : 1e-4) *
                                want_w2,
                        info->name, seed, "relative error %g", sqrt(want_err2 / want_w2));
                guarded_free(&g), guarded_free(&h);
            }
            free(first), free(w), free(back), free(scratch);
        }
}

/* Plain round to nearest on the same grid; the squared error in double. */
static double plain_error(rg_fn kind, const float *w, int64_t n)
{
    float lo = w[0], hi = w[0];
    for (int64_t i = 0; i < n; i++) {
        lo = w[i] < lo ? w[i] : lo;
        hi = w[i] > hi ? w[i] : hi;
    }
    const float peak = -lo > hi ? lo : hi;
    const bool m = kind == RG_FN_quant_q4m, q4 = kind == RG_FN_quant_q4;
    const float base = m ? rg_f16_to_f32(rg_f32_to_f16(lo)) : 0.0f,
                top = m ? 15.0f
        : q4            ? 7.0f
                        : 127.0f,
                bottom = m ? 0.0f
        : q4               ? -8.0f
                           : -127.0f;
    const float s = rg_f16_to_f32(rg_f32_to_f16(m ? (hi - base) / 15.0f
            : q4                                  ? peak / -8.0f
                                                  : fabsf(peak) / 127.0f));
    double e = 0;
    for (int64_t i = 0; i < n; i++) {
        float q = s != 0.0f ? nearbyintf((w[i] - base) * (1.0f / s)) : 0.0f;
        q = q > top ? top : q < bottom ? bottom : q;
        const double d = (double)w[i] - ((double)q * (double)s + (double)base);
        e += d * d;
    }
    return e;
}

static double stored_error(
    rg_fn kind, const float *w, int64_t n, const uint8_t *q, uint16_t scale, uint16_t min)
{
    const bool m = kind == RG_FN_quant_q4m, q4 = kind == RG_FN_quant_q4;
    const double s = (double)rg_f16_to_f32(scale), base = m ? (double)rg_f16_to_f32(min) : 0.0;
    double e = 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = m ? q[i] : q4 ? q[i] - 8 : (int8_t)q[i];
        const double d = (double)w[i] - (v * s + base);
        e += d * d;
    }
    return e;
}

enum { CASES = 14 };
static void fill_case(rg_rng *r, int which, float *w, int64_t n)
{
    const double size = exp((rng_unit(r) - 0.5) * 8.0);
    for (int64_t i = 0; i < n; i++) {
        const double x = (double)rng_normal(r);
        double v = x * size;
        switch (which) {
        case 1:
            v = rng_unit(r) * size;
            break; /* one-sided */
        case 2:
            v = x * x * x * size;
            break; /* heavy tails */
        case 3:
            v = size;
            break; /* constant */
        case 4:
            v = 0.0;
            break;
        case 5:
            v = x * 1e30;
            break; /* the scale would overflow a half */
        case 6:
            v = x * 1e-30;
            break; /* it becomes zero */
        case 7:
            v = x * 1e-6;
            break; /* a subnormal half */
        case 8:
            v = x * 1e5;
            break;
        case 9:
            v = i == n / 2 ? 100.0 * size : x * size;
            break; /* an outlier */
        case 10:
            v = i == 3 ? (double)NAN : x;
            break;
        case 11:
            v = i == 5 ? (double)-INFINITY : x;
            break;
        case 12:
            v = (double)NAN;
            break;
        case 13:
            v = (double)(rng_in(r, -7, 7)) * 0.125;
            break; /* exactly on a grid */
        default:
            break;
        }
        w[i] = (float)v;
    }
}

static void quant_cases(const rg_kernel_row *row, rg_quant_fn *spec)
{
    static const int64_t groups[] = {32, 64, 128};
    uint64_t seed;
    rg_rng r = seeded(&seed, 6 + (uint64_t)(row->kind - RG_FN_quant_q8));
    double better = 0.0, plain_sum = 0.0;
    for (int i = 0; i < 3000; i++) {
        const int64_t n = groups[rng_in(&r, 0, 2)];
        const int which = i % CASES;
        guarded gw, gq;
        float *w = guarded_floats(&gw, n);
        gq = guarded_alloc((size_t)n);
        uint8_t *q = (uint8_t *)gq.p, want[128] = {0};
        uint16_t scale = 0, min = 0, want_scale = 0, want_min = 0;
        fill_case(&r, which, w, n);
        if (which == 13) w[rng_in(&r, 0, n - 1)] = -0.125f * 8.0f;
        const bool finite = which < 10 || which == 13;
        spec(want, &want_scale, &want_min, w, n);
        ((rg_quant_fn *)row->fn)(q, &scale, &min, w, n);
        CHECK(scale == want_scale && min == want_min && memcmp(q, want, (size_t)n) == 0, row->name, seed,
            "case %d: other bits than c", which);
        CHECK((scale & 0x7c00) != 0x7c00 && (min & 0x7c00) != 0x7c00, row->name, seed,
            "case %d: scale %04x min %04x is not finite", which, (unsigned)scale, (unsigned)min);
        for (int64_t j = 0; j < n; j++)
            CHECK(row->kind == RG_FN_quant_q8 ? q[j] != 128 : q[j] < 16, row->name, seed,
                "case %d: integer %d", which, q[j]);
        if (finite && which != 5 && which != 8) {
            const double e = stored_error(row->kind, w, n, q, scale, min),
                         plain = plain_error(row->kind, w, n);
            CHECK(e <= plain * (1 + 1e-5) + 1e-60, row->name, seed,
                "case %d: squared error %g, plain rounding has %g", which, e, plain);
            if (which == 0) better += e, plain_sum += plain;
            if (which == 13 && row->kind == RG_FN_quant_q4)
                CHECK(e == 0.0, row->name, seed, "values on the grid do not come back (%g)", e);
        }
        guarded_free(&gw), guarded_free(&gq);
    }
    check_note("squared error of normal weights is %.3f of plain rounding", better / plain_sum);
}
void check_quant_q8(const rg_kernel_row *row) { quant_cases(row, rg_quant_q8__c); }
void check_quant_q4(const rg_kernel_row *row) { quant_cases(row, rg_quant_q4__c); }
void check_quant_q4m(const rg_kernel_row *row) { quant_cases(row, rg_quant_q4m__c); }

typedef struct block_source {
    rg_ftype type;
    const unsigned char *p;
    int64_t k, row_bytes;
} block_source;

static void block_row(void *user, int64_t r, uint8_t *q, float *scale, float *min)
{
    const block_source *s = user;
    rg_ftype_row_grid(s->type, q, scale, min, s->p + r * s->row_bytes, s->k);
}

/* Block types on a resident grid: the same weights. */
void check_pack_grid(void)
{
    static const struct {
        rg_ftype type;
        int at; /* of the halves in a block; -1: an exponent */
    } types[] = {{RG_FT_Q8_0, 0}, {RG_FT_Q4_0, 0}, {RG_FT_Q4_1, 0}, {RG_FT_Q5_0, 0}, {RG_FT_Q5_1, 0},
        {RG_FT_Q2_K, 80}, {RG_FT_Q3_K, 108}, {RG_FT_Q4_K, 0}, {RG_FT_Q5_K, 0}, {RG_FT_Q6_K, 208},
        {RG_FT_IQ4_NL, 0}, {RG_FT_IQ4_XS, 0}, {RG_FT_MXFP4, -1}};
    uint64_t seed;
    rg_rng r = seeded(&seed, 9);
    enum { TYPES = sizeof types / sizeof *types };
    for (int i = 0; i < 12 * TYPES; i++) {
        const rg_ftype ft = types[i % TYPES].type;
        const int at = types[i % TYPES].at;
        const rg_ftype_info *info = &rg_ftypes[ft];
        const rg_wtype wt = info->resident;
        const int64_t n = rng_in(&r, 1, 80), k = info->block * rng_in(&r, 1, info->block == 32 ? 8 : 3),
                      row_bytes = rg_ftype_row_bytes(ft, k);
        guarded src = guarded_alloc((size_t)(n * row_bytes)),
                dst = guarded_alloc((size_t)rg_packed_bytes(wt, n, k));
        void *scratch = scratch_for(wt, k);
        for (int64_t j = 0; j < n * row_bytes; j++) src.p[j] = (char)rng_u64(&r);
        for (int64_t j = 0; j < n * k / info->block; j++) { /* finite scales; ggml has no -128 */
            const uint16_t h[2] = {rg_f32_to_f16(rng_normal(&r)), rg_f32_to_f16(rng_normal(&r))};
            char *b = src.p + j * info->bytes;
            if (at < 0)
                *b = (char)rng_in(&r, 104, 143);
            else
                memcpy(b + at, h, rg_wtypes[wt].has_min ? 4 : 2);
            for (int c = 2; ft == RG_FT_Q8_0 && c < 34; c++)
                if (b[c] == -128) b[c] = 0;
        }
        block_source s = {ft, (const unsigned char *)src.p, k, row_bytes};
        double err2 = 0.0, w2 = 0.0, want_w2 = 0.0;
        for (int64_t p = rg_panels(n) - 1; p >= 0; p--)
            rg_pack_grid(wt, dst.p, n, k, p, p + 1, block_row, &s, scratch, &err2, &w2);
        float *want = malloc((size_t)k * sizeof *want), *got = malloc((size_t)k * sizeof *got);
        for (int64_t row = 0; row < n; row++) {
            rg_ftype_row_to_f32(ft, want, src.p + row * row_bytes, k);
            rg_unpack_row(&(rg_weight){wt, n, k, dst.p}, row, got);
            for (int64_t c = 0; c < k; c++) {
                CHECK(got[c] == want[c], info->name, seed, "row %lld column %lld: %g, expected %g",
                    (long long)row, (long long)c, (double)got[c], (double)want[c]);
                want_w2 += (double)want[c] * (double)want[c];
            }
        }
        CHECK(info->rounding == RG_ROUND_NONE && err2 == 0.0, info->name, seed, "error %g", err2);
        CHECK(fabs(w2 - want_w2) <= 1e-5 * want_w2, info->name, seed, "of %g, expected %g", w2, want_w2);
        free(want), free(got), free(scratch);
        guarded_free(&src), guarded_free(&dst);
    }
}

static const void *raw_row(void *user, int64_t r)
{
    const source *s = user;
    return (const unsigned char *)(const void *)s->w + 2 * r * s->k + 1; /* files align nothing */
}

/* 16-bit floats are moved, not rounded: the same bytes as through floats, and what is not finite is noticed
 * wherever it lies. */
void check_pack16(void)
{
    static const rg_wtype types[] = {RG_WT_F16, RG_WT_BF16};
    uint64_t seed;
    rg_rng r = seeded(&seed, 7);
    rg_ktab t;
    MUST(rg_kernels_select(&t, top_isa(), false));
    for (int i = 0; i < 40; i++) {
        const rg_wtype type = types[i % 2];
        const int64_t n = rng_in(&r, 1, 100), k = rng_in(&r, 1, 600);
        const size_t bytes = (size_t)rg_packed_bytes(type, n, k);
        guarded ga = guarded_alloc(bytes), gb = guarded_alloc(bytes);
        float *w = malloc((size_t)(n * k) * sizeof *w);
        unsigned char *raw = malloc((size_t)(2 * n * k + 1));
        void *scratch = aligned_alloc(64, (size_t)rg_round_up(rg_pack_scratch(type, k), 64));
        for (int64_t j = 0; j < n * k; j++) {
            const float f = rng_normal(&r);
            const uint16_t h = type == RG_WT_F16 ? rg_f32_to_f16(f) : rg_f32_to_bf16(f);
            w[j] = type == RG_WT_F16 ? rg_f16_to_f32(h) : rg_bf16_to_f32(h);
            memcpy(raw + 1 + 2 * j, &h, sizeof h);
        }
        source from_raw = {(const float *)(const void *)raw, k};
        rg_pack(&t, type, ga.p, n, k, 0, rg_panels(n), source_row, &(source){w, k}, scratch, NULL, NULL);
        memset(gb.p, 0x5a, bytes);
        MUST(rg_pack16(type, gb.p, n, k, 0, rg_panels(n), raw_row, &from_raw));
        CHECK(memcmp(ga.p, gb.p, bytes) == 0, rg_wtypes[type].name, seed,
            "n %lld k %lld: not the bytes of rg_pack", (long long)n, (long long)k);
        const uint16_t bad = type == RG_WT_F16 ? 0xfc00 : 0x7fc1; /* an infinity, a NaN */
        memcpy(raw + 1 + 2 * rng_in(&r, 0, n * k - 1), &bad, sizeof bad);
        MUST_NOT(rg_pack16(type, gb.p, n, k, 0, rg_panels(n), raw_row, &from_raw));
        free(w);
        free(raw);
        free(scratch);
        guarded_free(&ga), guarded_free(&gb);
    }
}
