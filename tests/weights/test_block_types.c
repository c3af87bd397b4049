/* GGUF block types: values, codes and whole files against a float64 dequantiser of their own
 * (ref_blocks.c). */
#include "ckpt_fixture.h"

#include "base/num.h"
#include "model_build.h"
#include "ref_blocks.h"

static const int ggml_types[] = {0, 1, 30, 8, 2, 3, 6, 7, 10, 11, 12, 13, 14, 20, 23, 39};
enum { N_TYPES = sizeof ggml_types / sizeof *ggml_types };

/* Any bytes but scales that are not finite. */
static void random_block(rg_rng *r, int ggml, unsigned char *p)
{
    static const struct {
        int ggml, at[2];
    } halves[] = {{2, {0, -1}}, {3, {0, 2}}, {6, {0, -1}}, {7, {0, 2}}, {8, {0, -1}}, {10, {80, 82}},
        {11, {108, -1}}, {12, {0, 2}}, {13, {0, 2}}, {14, {208, -1}}, {20, {0, -1}}, {23, {0, -1}}};
    for (int i = 0; i < ref_block_bytes(ggml); i++) p[i] = (unsigned char)rng_u64(r);
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        for (int k = 0; k < 2 && halves[i].ggml == ggml; k++)
            if (halves[i].at[k] >= 0) put_le(p + halves[i].at[k], rg_f32_to_f16(rng_normal(r)), 2);
    if (ggml == 39) p[0] = (unsigned char)rng_in(r, 104, 143); /* powers of two that are halves */
    if (ggml == 0) put_le(p, rg_f32_bits(rng_normal(r)), 4);
    if (ggml == 1) put_le(p, rg_f32_to_f16(rng_normal(r)), 2);
    if (ggml == 30) put_le(p, rg_f32_to_bf16(rng_normal(r)), 2);
}

/* Two roundings of f32 for q * d + m: of the product and of the sum, each of something no larger than the
 * block's extremes. */
static double bound_of(int ggml, const double *want, int64_t k)
{
    double most = 0.0;
    for (int64_t i = 0; i < k; i++) most = fmax(most, fabs(want[i]));
    return ref_block_weights(ggml) == 1 ? 0.0 : 0x1p-22 * most;
}

static void values_equal_the_definition(void **state)
{
    (void)state;
    const uint64_t seed = 31;
    rg_rng r = {seed};
    for (int n = 0; n < N_TYPES; n++)
        for (int round = 0; round < 40; round++) {
            const int g = ggml_types[n], t = rg_ftype_from_ggml(g);
            assert_true(t >= 0);
            assert_int_equal(rg_ftypes[t].block, ref_block_weights(g));
            assert_int_equal(rg_ftypes[t].bytes, ref_block_bytes(g));
            const int64_t blocks = rng_in(&r, 1, 3), k = blocks * ref_block_weights(g);
            guarded src = guarded_alloc((size_t)(blocks * ref_block_bytes(g)));
            float got[768];
            double want[768];
            for (int64_t b = 0; b < blocks; b++)
                random_block(&r, g, (unsigned char *)src.p + b * ref_block_bytes(g));
            ref_blocks(g, want, (const unsigned char *)src.p, k);
            rg_ftype_row_to_f32((rg_ftype)t, got, src.p, k);
            const double bound = bound_of(g, want, k);
            for (int64_t i = 0; i < k; i++)
                if (!(fabs((double)got[i] - want[i]) <= bound))
                    fail_msg("%s, seed %llu: weight %lld is %.9g, expected %.9g", rg_ftypes[t].name,
                        (unsigned long long)seed, (long long)i, (double)got[i], want[i]);
            guarded_free(&src);
        }
}

/* Codes, scales and minimums of the resident grid say exactly what the blocks say: in float64 there is no
 * difference at all. Where all of them fit f16, the same is true of what is stored. */
static void codes_equal_the_definition(void **state)
{
    (void)state;
    rg_rng r = {32};
    for (int n = 0; n < N_TYPES; n++) {
        const int g = ggml_types[n], t = rg_ftype_from_ggml(g);
        const rg_wtype wt = rg_ftypes[t].resident;
        const rg_wtype_info *w = &rg_wtypes[wt];
        if (rg_ftypes[t].block == 1 || rg_ftypes[t].rounding == RG_ROUND_REQUANTISED) continue;
        for (int round = 0; round < 40; round++) {
            const int64_t k = 2 * rg_ftypes[t].block, groups = rg_wtype_groups(wt, k);
            const bool factors = rg_wtype_has_factors(wt);
            unsigned char src[512];
            uint8_t q[512];
            float s[40], m[40] = {0};
            double want[512];
            assert_true(rg_wtype_scales(wt, k) <= 40);
            for (int b = 0; b < 2; b++) random_block(&r, g, src + b * ref_block_bytes(g));
            ref_blocks(g, want, src, k);
            rg_ftype_row_grid((rg_ftype)t, q, s, m, src, k);
            for (int64_t i = 0; i < k; i++) {
                const double zero = w->bits == 8 || w->has_min ? 0 : 1 << (w->bits - 1);
                const double v = w->bits == 8 ? (int8_t)q[i] : q[i] - zero;
                const int64_t j = i / w->group, f = groups + i / w->block;
                const double sv = (double)s[j] * (factors ? (double)s[f] : 1.0),
                             mv = (double)m[j] * (factors ? (double)m[f] : 1.0);
                assert_true(v * sv + mv == want[i]);
                assert_true(w->bits == 8 || q[i] < 1 << w->bits);
                if (factors) /* the bytes that the head has */
                    assert_true(s[j] == rintf(s[j]) && fabsf(s[j]) <= 128.0f && m[j] == rintf(m[j]) &&
                        fabsf(m[j]) <= 128.0f);
                if (rg_ftypes[t].rounding == RG_ROUND_NONE) {
                    const float of_s = factors ? s[f] : s[j], of_m = factors ? m[f] : m[j];
                    assert_true(rg_f16_to_f32(rg_f32_to_f16(of_s)) == of_s);
                    assert_true(rg_f16_to_f32(rg_f32_to_f16(of_m)) == of_m);
                }
            }
        }
    }
}

static rg_config shape(int64_t dim, int64_t ffn)
{
    rg_config c = tiny_config();
    c.dim = dim;
    c.ffn = ffn;
    c.head_dim = 32;
    c.heads = 4;
    c.layers = 2;
    return c;
}

/* Every tensor of a file, row by row in canonical order. */
static void same_as_truth(const rg_ckpt *c, const model_build *b, double rel)
{
    float got[1024];
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        const double *w = build_truth(b, t->file_name);
        assert_non_null(w);
        for (int64_t r = 0; r < t->rows; r++, w += t->cols) {
            double most = 0.0;
            for (int64_t k = 0; k < t->cols; k++) most = fmax(most, fabs(w[k]));
            rg_ckpt_row_f32(t, r, got);
            for (int64_t k = 0; k < t->cols; k++)
                if (!(fabs((double)got[k] - w[k]) <= rel * most))
                    fail_msg("%s: row %lld, column %lld: %.9g, expected %.9g", t->file_name, (long long)r,
                        (long long)k, (double)got[k], w[k]);
        }
    }
}

static void files_of_every_type(void **state)
{
    (void)state;
    for (int n = 0; n < N_TYPES; n++) {
        model_build b = {.c = shape(256, 512), .seed = 40 + (uint64_t)n, .ggml = ggml_types[n]};
        build_gguf(&b, at("type.gguf"));
        rg_ckpt *c = must_open(at("type.gguf"));
        const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_FFN_UP, 1);
        char name[32];
        assert_int_equal(rg_ftypes[t->type].ggml, ggml_types[n]);
        assert_string_equal(rg_ckpt_type_name(t, name, sizeof name), rg_ftypes[t->type].name);
        assert_int_equal(rg_ckpt_resident(t), rg_ftypes[t->type].resident);
        same_as_truth(c, &b, 0x1p-22);
        rg_ckpt_close(c);
        build_drop(&b);
    }
}

/* What llama-quantize makes of rows that are no multiple of 256: several types in one file. */
static void mixed_files(void **state)
{
    (void)state;
    model_build b = {.c = shape(96, 512), .seed = 60, .ggml = 12, .ggml_down = 14};
    build_gguf(&b, at("mixed.gguf"));
    rg_ckpt *c = must_open(at("mixed.gguf"));
    assert_int_equal(rg_ckpt_find(c, RG_SITE_FFN_UP, 0)->type, RG_FT_Q8_0); /* 96 columns */
    assert_int_equal(rg_ckpt_find(c, RG_SITE_FFN_DOWN, 0)->type, RG_FT_Q6_K);
    assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_NORM, 0)->type, RG_FT_F32);
    same_as_truth(c, &b, 0x1p-22);
    rg_ckpt_close(c);
    build_drop(&b);
}

static void split_files(void **state)
{
    (void)state;
    for (int parts = 2; parts <= 3; parts++) {
        char stem[600], path[700];
        model_build b = {.c = shape(96, 160), .seed = 61, .ggml = 3, .rope_freqs = true};
        snprintf(stem, sizeof stem, "%s", at("split"));
        build_gguf_split(&b, stem, parts);
        for (int i = 1; i <= parts; i++) { /* any part will do */
            snprintf(path, sizeof path, "%s-%05d-of-%05d.gguf", stem, i, parts);
            rg_ckpt *c = must_open(path);
            assert_int_equal(rg_ckpt_count(c), 2 + 9 * 2);
            assert_non_null(rg_ckpt_rope_freqs(c));
            same_as_truth(c, &b, 0x1p-22);
            for (size_t n = 0; n < rg_ckpt_count(c); n++) rg_ckpt_release(c, rg_ckpt_at(c, n));
            rg_ckpt_close(c);
        }
        size_t n;
        unsigned char *whole = read_all(path, &n);
        write_file(at("renamed.gguf"), whole, n); /* then the others cannot be found */
        must_refuse("renamed", at("renamed.gguf"), RG_E_FILE, "not named like");
        unsigned char *no = memmem(whole, n, "split.no", 8);
        assert_non_null(no);
        no[8 + 4] = 0; /* another number than its name says */
        write_file(path, whole, n);
        snprintf(path, sizeof path, "%s-%05d-of-%05d.gguf", stem, 1, parts);
        rg_err err;
        assert_int_equal(try_open(path, &err), RG_E_FILE);
        assert_non_null(strstr(err.msg, "says that it is part 0"));
        free(whole);
        snprintf(path, sizeof path, "%s-%05d-of-%05d.gguf", stem, parts, parts);
        remove(path);
        snprintf(path, sizeof path, "%s-%05d-of-%05d.gguf", stem, 1, parts);
        assert_int_equal(try_open(path, &err), RG_E_FILE);
        assert_non_null(strstr(err.msg, "cannot open"));
        build_drop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_equal_the_definition),
        cmocka_unit_test(codes_equal_the_definition), cmocka_unit_test(files_of_every_type),
        cmocka_unit_test(mixed_files), cmocka_unit_test(split_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
