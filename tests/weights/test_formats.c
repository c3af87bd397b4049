/* The same model in different formats is the same model: synthetic ones, the demo, and real ones where they
 * are at hand. */
#include "ckpt_fixture.h"

static void formats_of_one_seed_agree(void **state)
{
    (void)state;
    static const struct {
        rg_ftype type;
        float rel;
    } all[] = {{RG_FT_F32, 0.0f}, {RG_FT_F16, 0.0f}, {RG_FT_BF16, 0.0f}};
    rg_config c = tiny_config();
    c.layers = 3;
    for (int tied = 0; tied < 2; tied++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            c.tied = tied;
            synth(&c, all[i].type, RG_SYNTH_SAFETENSORS, 5, at("hf"));
            synth(&c, all[i].type, RG_SYNTH_GGUF, 5, at("m.gguf"));
            rg_ckpt *a = must_open(at("hf")), *b = must_open(at("m.gguf"));
            same_model(a, b, all[i].rel);
            rg_ckpt_close(a);
            rg_ckpt_close(b);
            drop_hf(at("hf"));
        }
}

static void block_types_round_the_same_model(void **state)
{
    (void)state;
    rg_config c = tiny_config();
    synth(&c, RG_FT_F32, RG_SYNTH_SAFETENSORS, 6, at("hf"));
    rg_ckpt *a = must_open(at("hf"));
    synth(&c, RG_FT_Q8_0, RG_SYNTH_GGUF, 6, at("q8.gguf"));
    synth(&c, RG_FT_Q4_0, RG_SYNTH_GGUF, 6, at("q4.gguf"));
    rg_ckpt *q8 = must_open(at("q8.gguf")), *q4 = must_open(at("q4.gguf"));
    assert_int_equal(rg_ckpt_find(q8, RG_SITE_ATTN_NORM, 0)->type, RG_FT_F32);
    assert_int_equal(rg_ckpt_find(q4, RG_SITE_TOKEN_EMBD, -1)->type, RG_FT_Q4_0);
    same_model(a, q8, 0.0051f); /* half a step of 1/127, and the rounding of the scale to f16 */
    /* a step of 1/8: the end of the grid opposite to the largest value is one step short */
    same_model(a, q4, 0.13f);
    rg_ckpt_close(a);
    rg_ckpt_close(q8);
    rg_ckpt_close(q4);
    drop_hf(at("hf"));
}

static void names_are_canonical(void **state)
{
    (void)state;
    char buf[64];
    rg_config c = tiny_config();
    c.layers = 12;
    c.tied = false;
    synth(&c, RG_FT_F16, RG_SYNTH_GGUF, 1, at("n.gguf"));
    rg_ckpt *k = must_open(at("n.gguf"));
    assert_int_equal(rg_ckpt_count(k), 3 + 9 * 12);
    for (size_t i = 0; i < rg_ckpt_count(k); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(k, i);
        char want[80];
        rg_tensor_name(buf, sizeof buf, t->site, t->layer);
        snprintf(want, sizeof want, "%s.weight", buf);
        assert_string_equal(t->file_name, want); /* canonical names are GGUF's */
        assert_ptr_equal(rg_ckpt_find(k, t->site, t->layer), t);
    }
    assert_string_equal(rg_tensor_name(buf, sizeof buf, RG_SITE_ATTN_Q, 3), "blk.3.attn_q");
    assert_string_equal(rg_tensor_name(buf, sizeof buf, RG_SITE_TOKEN_EMBD, -1), "token_embd");
    assert_null(rg_ckpt_find(k, RG_SITE_ATTN_Q, 12));
    assert_null(rg_ckpt_find(k, RG_SITE_ATTN_ROPE, 0));
    rg_ckpt_close(k);
}

static void the_demo_opens(void **state)
{
    (void)state;
    char path[512];
    rg_ckpt *c = must_open(project_file(path, sizeof path, "weights/demo"));
    assert_true(rg_ckpt_config(c)->tied);
    assert_int_equal(rg_ckpt_weight_bytes(c), 2 * rg_ckpt_params(c));
    assert_non_null(rg_ckpt_tokenizer_path(c));
    rg_ckpt_close(c);
}

static bool pair(const char *x, const char *y, float rel)
{
    char p[2][512];
    if (!optional_data(p[0], sizeof p[0], x) || !optional_data(p[1], sizeof p[1], y)) return false;
    rg_ckpt *a = must_open(p[0]), *b = must_open(p[1]);
    same_model(a, b, rel);
    rg_ckpt_close(a);
    rg_ckpt_close(b);
    return true;
}

static void real_stories260k(void **state)
{
    (void)state;
    char p[512];
    if (!pair("stories260K/stories260K.bin", "stories260K/stories260K_v1.bin", 0.0f)) skip();
    rg_ckpt *c = must_open(optional_data(p, sizeof p, "stories260K/stories260K.bin"));
    assert_int_equal(rg_ckpt_params(c), 260032);
    assert_non_null(strstr(rg_ckpt_tokenizer_path(c), "tok512.bin"));
    rg_ckpt_close(c);
    /* the GGUF file stores the tied output matrix a second time */
    if (!optional_data(p, sizeof p, "gguf/stories260K.gguf")) skip();
    rg_ckpt *g = must_open(p);
    c = must_open(optional_data(p, sizeof p, "stories260K/stories260K.bin"));
    float x[64], y[64];
    for (int64_t r = 0; r < 64; r++) {
        rg_ckpt_row_f32(rg_ckpt_find(c, RG_SITE_ATTN_Q, 4), r, x);
        rg_ckpt_row_f32(rg_ckpt_find(g, RG_SITE_ATTN_Q, 4), r, y);
        assert_memory_equal(x, y, sizeof x);
        rg_ckpt_row_f32(rg_ckpt_find(g, RG_SITE_OUTPUT, -1), r, x);
        rg_ckpt_row_f32(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1), r, y);
        assert_memory_equal(x, y, sizeof x);
    }
    rg_ckpt_close(g);
    rg_ckpt_close(c);
}

static void real_tinystories_656k(void **state)
{
    (void)state;
    if (!pair("tinystories-656k-hf", "gguf/TinyStories-656K.f16.gguf", 0.0005f)) skip();
    if (!pair("tinystories-656k-hf", "gguf/tinystories-656k-q8_0.gguf", 0.0051f)) skip();
}

static void real_refusals(void **state)
{
    (void)state;
    char p[512];
    rg_err err;
    if (!optional_data(p, sizeof p, "gguf-vocab/ggml-vocab-llama-spm.gguf")) skip();
    must_refuse("only a vocabulary", p, RG_E_FILE, "vocabulary");
    rg_ckpt *c = NULL;
    assert_int_equal(rg_ckpt_open_vocab(&c, p, &err), RG_OK);
    assert_int_equal(rg_ckpt_embedded_vocab(c)->n, 32000);
    rg_ckpt_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formats_of_one_seed_agree),
        cmocka_unit_test(block_types_round_the_same_model), cmocka_unit_test(names_are_canonical),
        cmocka_unit_test(the_demo_opens), cmocka_unit_test(real_stories260k),
        cmocka_unit_test(real_tinystories_656k), cmocka_unit_test(real_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
