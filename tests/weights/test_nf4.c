/* bitsandbytes' NF4, against the weights that its codes stand for. */
#include "ckpt_fixture.h"

#include "model_build.h"
#include "model_check.h"

static rg_config shape(void)
{
    rg_config c = tiny_config();
    c.dim = 128;
    c.ffn = 200; /* no multiple of a block, so blocks run from one row into the next */
    c.head_dim = 32;
    return c;
}

static void scales_are_floats_or_codes(void **state)
{
    (void)state;
    for (int nested = 0; nested < 2; nested++)
        for (int block = 32; block <= 512; block *= 4) {
            model_build b = {.c = shape(), .seed = 8, .int4 = NF4, .group = block, .double_quant = nested};
            char type[64], want[64];
            drop_hf(at("q"));
            build_hf(&b, at("q"));
            rg_ckpt *c = must_open(at("q"));
            const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_FFN_DOWN, 0);
            assert_int_equal(rg_ckpt_resident(t), RG_WT_Q8G32);
            assert_int_equal(rg_ckpt_rounding(t), RG_ROUND_REQUANTISED);
            snprintf(want, sizeof want, "NF4 g%d", block);
            assert_string_equal(rg_ckpt_type_name(t, type, sizeof type), want);
            rows_are_the_truth(c, &b, "nf4");
            for (size_t n = 0; n < rg_ckpt_count(c); n++) rg_ckpt_release(c, rg_ckpt_at(c, n));
            rows_are_the_truth(c, &b, "nf4 again");
            assert_null(rg_ckpt_note(c, 0));
            rg_ckpt_close(c);
            build_drop(&b);
        }
    drop_hf(at("q"));
}

/* Text of the same length in another's place, in config.json or model.safetensors. */
static const struct {
    bool config, nested;
    const char *from, *to;
    rg_status code;
    const char *word;
} bends[] = {{true, false, "nf4", "fp4", RG_E_UNSUPPORTED, "'fp4', expected nf4"},
    {true, false, "load_in_4bit\": true", "load_in_4bit\": null", RG_E_UNSUPPORTED, "8 bits"},
    {true, false, "uint8", "bfl16", RG_E_UNSUPPORTED, "bnb_4bit_quant_storage is \"bfl16\""},
    {true, false, "llm_int8_threshold", "llm_int8_thresholb", RG_E_UNSUPPORTED, "thresholb"},
    {false, false, "q_proj.weight.absmax", "q_proj.weight.absmay", RG_E_UNSUPPORTED, "absmay"},
    {false, false, "q_proj.weight.quant_map", "q_proj.weight.quant_mab", RG_E_UNSUPPORTED, "quant_mab"},
    {false, false, "q_proj.weight.quant_state.bitsandbytes__nf4",
        "q_proj.weight.quant_state.bitsandbytes__fp4", RG_E_UNSUPPORTED, "bitsandbytes__fp4"},
    {false, false, "q_proj.weight.absmax\":{\"dtype\":\"F32\",\"shape\":[256]",
        "q_proj.weight.absmax\":{\"dtype\":\"F32\",\"shape\":[2,3]", RG_E_FILE, "shape and dtype"},
    {false, false, "q_proj.weight.absmax\":{\"dtype\":\"F32\",", "q_proj.weight.absmax\":{\"dtype\":\"I32\",",
        RG_E_UNSUPPORTED, "dtype I32"},
    {false, false, "q_proj.weight\":{\"dtype\":\"U8\"", "q_proj.weight\":{\"dtype\":\"I8\"", RG_E_UNSUPPORTED,
        "dtype I8"},
    {false, false, "nf4\", \"b", "fp4\", \"b", RG_E_UNSUPPORTED, "quant_type 'fp4'"},
    {false, false, "\"blocksize\": 64", "\"blocksize\": 63", RG_E_FILE, "scales of blocks"},
    {false, false, "\"blocksize\": 64", "\"blocksize\": 00", RG_E_FILE, "not JSON"},
    {false, false, "\"blocksize\": 64", "\"blocksize\": -4", RG_E_FILE, "lacks a blocksize"},
    {false, false, "\"blocksize\": 64", "\"blocksizf\": 64", RG_E_FILE, "lacks a blocksize"},
    {false, false, "\"blocksize\": 64", "\"blocksize\": {}", RG_E_FILE, "lacks a blocksize"},
    {false, false, "[128, 128]", "[128, 127]", RG_E_FILE, "not [128, 128]"},
    {false, false, "[128, 128]", "[\"128\", 8]", RG_E_FILE, "not [128, 128]"},
    {false, false, "{\"quant_type\": \"nf4\"", "[\"quant_type\",[\"nf4\"", RG_E_FILE, "not JSON"},
    {false, true, "q_proj.weight.nested_absmax", "q_proj.weight.nested_absmay", RG_E_UNSUPPORTED, "absmay"},
    {false, true, "q_proj.weight.absmax\":{\"dtype\":\"U8\"", "q_proj.weight.absmax\":{\"dtype\":\"I8\"",
        RG_E_UNSUPPORTED, "dtype I8"},
    {false, true, "\"nested_blocksize\": 16", "\"nested_blocksize\": 15", RG_E_FILE, "scales of scales"},
    {false, true, "\"nested_blocksize\": 16", "\"nested_blocksize\": -1", RG_E_FILE, "nested_blocksize"},
    {false, true, "\"nested_offset\": 0", "\"nested_offset\":{}", RG_E_FILE, "not JSON"},
    {false, true, "\"nested_dtype\": \"float32\", \"nested_offset\": ",
        "\"nested_offset\": [], \"nested_dtypee\":      1", RG_E_FILE, "nested_offset"},
    {false, true, "\"nested_offset\"", "\"nested_offsex\"", RG_E_FILE, "nested_offset"}};

static void bent_modules_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bends / sizeof *bends; i++) {
        model_build b = {.c = shape(), .seed = 8, .int4 = NF4, .group = 64, .double_quant = bends[i].nested};
        char path[600];
        size_t n;
        rg_err err;
        drop_hf(at("q"));
        build_hf(&b, at("q"));
        build_drop(&b);
        snprintf(path, sizeof path, "%s/%s", at("q"), bends[i].config ? "config.json" : "model.safetensors");
        unsigned char *p = read_all(path, &n);
        unsigned char *hit = memmem(p, n, bends[i].from, strlen(bends[i].from));
        if (!hit || strlen(bends[i].from) != strlen(bends[i].to)) fail_msg("%s", bends[i].from);
        memcpy(hit, bends[i].to, strlen(bends[i].to));
        write_file(path, p, n);
        free(p);
        const rg_status st = try_open(at("q"), &err);
        if (st != bends[i].code || !strstr(err.msg, bends[i].word) || strchr(err.msg, '\n'))
            fail_msg("%s: status %d, expected %d with '%s': %s", bends[i].to, (int)st, (int)bends[i].code,
                bends[i].word, err.msg);
    }
    drop_hf(at("q"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_are_floats_or_codes), cmocka_unit_test(bent_modules_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
