/* llama2.c files of both versions: order of the tensors, exact sizes, interleaved pairs. */
#include "ckpt_fixture.h"

#include "base/num.h"

/* A file of the tiny model; element i of the data is i + 1 (exact below 2^24). */
static size_t build(unsigned char *b, bool v1, bool tied)
{
    const rg_config c = tiny_config();
    const int64_t head[7] = {
        c.dim, c.ffn, c.layers, c.heads, c.kv_heads, v1 || tied ? c.vocab : -c.vocab, c.ctx_train};
    size_t n = 0;
    if (v1) {
        put_le(b, 0x616b3432, 4);
        put_le(b + 4, 1, 4);
        n = 8;
    }
    for (int i = 0; i < 7; i++, n += 4) put_le(b + n, (uint64_t)head[i], 4);
    if (v1) {
        b[n++] = tied;
        memset(b + n, 0, 256 - n);
        n = 256;
    }
    int64_t count = c.vocab * c.dim * (tied ? 1 : 2) + 3 * c.dim + 2 * c.dim * c.dim +
        2 * rg_kv_dim(&c) * c.dim + 3 * c.dim * c.ffn;
    if (!v1) count += c.ctx_train * c.head_dim;
    for (int64_t i = 0; i < count; i++, n += 4) put_le(b + n, rg_f32_bits((float)(i + 1)), 4);
    return n;
}

static unsigned char buf[1 << 17];

static float first(const rg_ckpt *c, rg_site site, int layer, int64_t row)
{
    float f[64];
    const rg_ckpt_tensor *t = rg_ckpt_find(c, site, layer);
    assert_non_null(t);
    rg_ckpt_row_f32(t, row, f);
    return f[0];
}

static void tensors_lie_where_the_exporter_puts_them(void **state)
{
    (void)state;
    for (int v1 = 0; v1 < 2; v1++)
        for (int tied = 0; tied < 2; tied++) {
            write_file(at("m.bin"), buf, build(buf, v1, tied));
            rg_ckpt *c = must_open(at("m.bin"));
            assert_string_equal(rg_ckpt_format(c), v1 ? "llama2.c v1" : "llama2.c v0");
            assert_int_equal(rg_ckpt_config(c)->tied, tied);
            assert_int_equal(rg_ckpt_config(c)->vocab, 16);
            /* v0: embedding 512, attention norm 32, q ...; v1: three norms of 32, embedding 512, q ... */
            const float q = v1 ? 96 + 512 + 1 : 512 + 32 + 1, o = q + 1024 + 512 + 512;
            const float gate = v1 ? o + 1024 : o + 1024 + 32, down = gate + 2048, up = down + 2048,
                        behind = up + 2048;
            assert_true(first(c, RG_SITE_TOKEN_EMBD, -1, 0) == (v1 ? 97 : 1));
            assert_true(first(c, RG_SITE_ATTN_NORM, 0, 0) == (v1 ? 1 : 513));
            assert_true(first(c, RG_SITE_FFN_NORM, 0, 0) == (v1 ? 33 : o + 1024));
            assert_true(first(c, RG_SITE_OUTPUT_NORM, -1, 0) == (v1 ? 65 : behind));
            assert_true(first(c, RG_SITE_ATTN_V, 0, 1) == q + 1024 + 512 + 32);
            assert_true(first(c, RG_SITE_ATTN_OUTPUT, 0, 0) == o);
            assert_true(first(c, RG_SITE_FFN_GATE, 0, 0) == gate);
            assert_true(first(c, RG_SITE_FFN_DOWN, 0, 0) == down);
            assert_true(first(c, RG_SITE_FFN_UP, 0, 0) == up);
            if (!tied) assert_true(first(c, RG_SITE_OUTPUT, -1, 0) == behind + (v1 ? 0 : 32 + 16 * 8));
            /* row s * 4 + i of a head is stored as row 2 i + s */
            for (int h = 0; h < 4; h++)
                for (int s = 0; s < 2; s++)
                    for (int i = 0; i < 4; i++) {
                        assert_true(first(c, RG_SITE_ATTN_Q, 0, 8 * h + 4 * s + i) ==
                            q + (float)(32 * (8 * h + 2 * i + s)));
                        if (h < 2)
                            assert_true(first(c, RG_SITE_ATTN_K, 0, 8 * h + 4 * s + i) ==
                                q + 1024 + (float)(32 * (8 * h + 2 * i + s)));
                    }
            rg_ckpt_close(c);
        }
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    for (int v1 = 0; v1 < 2; v1++) {
        const size_t n = build(buf, v1, true);
        for (int d = -8; d <= 8; d++) {
            if (d == 0) continue;
            memset(buf + n, 0, 8);
            write_file(at("m.bin"), buf, (size_t)((long)n + d));
            must_refuse("size", at("m.bin"), RG_E_FILE, NULL);
        }
        write_file(at("m.bin"), buf, n);
        for (size_t k = n; k-- > 0;) {
            if (k > 300 && k % 1021) continue;
            cut_file(at("m.bin"), k);
            must_refuse("truncated", at("m.bin"), RG_E_FILE, NULL);
        }
    }
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        int field;
        int64_t value;
    } all[] = {{0, 0}, {0, -32}, {0, INT32_MAX}, {0, 33}, {1, 0}, {1, INT32_MIN}, {2, 0}, {2, 513},
        {2, INT32_MAX}, {3, 0}, {3, 5}, {3, -4}, {3, 32}, {4, 0}, {4, 3}, {4, INT32_MAX}, {5, 0},
        {5, INT32_MIN}, {5, 1 << 21}, {6, 0}, {6, -1}, {6, INT32_MAX}};
    for (int v1 = 0; v1 < 2; v1++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            const size_t n = build(buf, v1, true);
            put_le(buf + (v1 ? 8 : 0) + 4 * all[i].field, (uint64_t)all[i].value, 4);
            write_file(at("m.bin"), buf, n);
            must_refuse("header", at("m.bin"), RG_E_FILE, NULL);
        }
    const size_t n = build(buf, true, true);
    put_le(buf + 4, 3, 4);
    write_file(at("m.bin"), buf, n);
    must_refuse("version 3", at("m.bin"), RG_E_UNSUPPORTED, "version 3");
    write_text(at("m.bin"), "This is a text and no checkpoint at all, whatever its name says.");
    must_refuse("a text", at("m.bin"), RG_E_FILE, "not a checkpoint");
}

/* Version 2 of the tiny model in groups of g: code i of a tensor is i % 255 - 127, scale i is 1 / 2^(i % 8 +
 * 1). */
static size_t build_v2(unsigned char *b, int64_t g, bool tied)
{
    const rg_config c = tiny_config();
    const int64_t head[7] = {c.dim, c.ffn, c.layers, c.heads, c.kv_heads, c.vocab, c.ctx_train};
    const int64_t sizes[] = {c.vocab * c.dim, c.dim * c.dim, 16 * c.dim, 16 * c.dim, c.dim * c.dim,
        c.dim * c.ffn, c.dim * c.ffn, c.dim * c.ffn, tied ? 0 : c.vocab * c.dim};
    size_t n = 8;
    memset(b, 0, 256);
    put_le(b, 0x616b3432, 4);
    put_le(b + 4, 2, 4);
    for (int i = 0; i < 7; i++, n += 4) put_le(b + n, (uint64_t)head[i], 4);
    b[n++] = tied;
    put_le(b + n, (uint64_t)g, 4);
    n = 256;
    for (int64_t i = 0; i < 3 * c.dim; i++, n += 4) put_le(b + n, rg_f32_bits((float)(i + 1)), 4);
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        for (int64_t i = 0; i < sizes[t]; i++) b[n++] = (unsigned char)(i % 255 - 127);
        for (int64_t i = 0; i < sizes[t] / g; i++, n += 4)
            put_le(b + n, rg_f32_bits(ldexpf(1.0f, -(int)(i % 8) - 1)), 4);
    }
    return n;
}

static float v2_value(int64_t i, int64_t g)
{
    return (float)(i % 255 - 127) * ldexpf(1.0f, -(int)(i / g % 8) - 1);
}

static void version_2_keeps_its_codes(void **state)
{
    (void)state;
    static const int groups[] = {32, 16, 8};
    for (int k = 0; k < 3; k++)
        for (int tied = 0; tied < 2; tied++) {
            const int64_t g = groups[k];
            write_file(at("m.bin"), buf, build_v2(buf, g, tied));
            rg_ckpt *c = must_open(at("m.bin"));
            assert_string_equal(rg_ckpt_format(c), "llama2.c v2");
            const rg_ckpt_tensor *down = rg_ckpt_find(c, RG_SITE_FFN_DOWN, 0),
                                 *q = rg_ckpt_find(c, RG_SITE_ATTN_Q, 0);
            assert_int_equal(down->type, RG_FT_INT8);
            assert_int_equal(rg_ckpt_resident(down), RG_WT_Q8G32);
            assert_int_equal(rg_ckpt_rounding(down), g == 32 ? RG_ROUND_NONE : RG_ROUND_REQUANTISED);
            assert_int_equal(rg_ckpt_find(c, RG_SITE_FFN_NORM, 0)->type, RG_FT_F32);
            float f[64];
            for (int64_t r = 0; r < 32; r++) {
                rg_ckpt_row_f32(down, r, f);
                for (int64_t i = 0; i < 64; i++) assert_true(f[i] == v2_value(64 * r + i, g));
                rg_ckpt_row_f32(q, r, f); /* row s * 4 + i of a head is stored as row 2 i + s */
                const int64_t stored = r / 8 * 8 + 2 * (r % 4) + r % 8 / 4;
                for (int64_t i = 0; i < 32; i++) assert_true(f[i] == v2_value(32 * stored + i, g));
                if (g != 32) continue;
                uint8_t code[64];
                float s[2], m[2];
                rg_ckpt_row_grid(down, r, code, s, m);
                for (int64_t i = 0; i < 64; i++)
                    assert_true((float)(int8_t)code[i] * s[i / 32] == v2_value(64 * r + i, g));
            }
            rg_ckpt_close(c);
        }
    const size_t n = build_v2(buf, 32, true);
    for (size_t k = n; k-- > 0;) {
        if (k > 300 && k % 1021) continue;
        write_file(at("m.bin"), buf, k ? k : 1);
        must_refuse("truncated", at("m.bin"), RG_E_FILE, NULL);
    }
    static const struct {
        int64_t g;
        rg_status code;
    } bad[] = {{0, RG_E_FILE}, {-1, RG_E_FILE}, {INT32_MAX, RG_E_FILE}, {64, RG_E_UNSUPPORTED},
        {7, RG_E_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        build_v2(buf, 32, true);
        put_le(buf + 37, (uint64_t)bad[i].g, 4);
        write_file(at("m.bin"), buf, n);
        must_refuse("group", at("m.bin"), bad[i].code, "group");
    }
}

static void the_most_specific_tokenizer_is_taken(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer.model", "tokenizer.json", "tokenizer.bin", "tok16.bin"};
    write_file(at("m.bin"), buf, build(buf, false, true));
    for (int i = 0; i < 4; i++) {
        write_text(at(names[i]), "x");
        rg_ckpt *c = must_open(at("m.bin"));
        assert_non_null(rg_ckpt_tokenizer_path(c));
        assert_string_equal(strrchr(rg_ckpt_tokenizer_path(c), '/') + 1, names[i]);
        rg_ckpt_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tensors_lie_where_the_exporter_puts_them),
        cmocka_unit_test(wrong_sizes_are_refused), cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(version_2_keeps_its_codes), cmocka_unit_test(the_most_specific_tokenizer_is_taken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
