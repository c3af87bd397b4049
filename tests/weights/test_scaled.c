/* FP8 and INT8 matrices beside their scales, against the weights that they stand for. */
#include "ckpt_fixture.h"

#include "model_build.h"
#include "model_check.h"

static rg_config shape(void)
{
    rg_config c = tiny_config();
    c.dim = 128;
    c.ffn = 200;
    c.head_dim = 32;
    c.layers = 2;
    return c;
}

#define FP8 "\"quant_method\": \"fp8\""
#define BLOCKS(a, b) \
    FP8 ", \"fmt\": \"e4m3\", \"modules_to_not_convert\": [\"lm_head\"], \"weight_block_size\": [" #a \
        ", " #b "]"
#define CT(format, type, more) \
    "\"quant_method\": \"compressed-tensors\", \"format\": \"" format \
    "\", \"config_groups\": {\"g\": {\"weights\": " \
    "{\"num_bits\": 8, \"type\": \"" type "\", \"symmetric\": true" more "}}}"

typedef struct kind {
    int4_kind int4;
    int tall, group;
    const char *scales;
    bool power_of_two;
    const char *scheme; /* NULL: as model_build writes it */
    rg_wtype resident;
    rg_rounding rounding;
    const char *type;
} kind;

static const kind kinds[] = {
    {FP8_BLOCKS, 40, 48, "F32", false, BLOCKS(40, 48), RG_WT_F16, RG_ROUND_FLOAT, "FP8 40x48"},
    {FP8_BLOCKS, 40, 48, "BF16", false, BLOCKS(40, 48), RG_WT_F16, RG_ROUND_FLOAT, "FP8 40x48"},
    {FP8_BLOCKS, 128, 128, "F32", true, BLOCKS(128, 128), RG_WT_F16, RG_ROUND_NONE, "FP8 64x128"},
    {FP8_BLOCKS, -1, -1, "F32", false, FP8 ", \"weight_block_size\": null", RG_WT_F16, RG_ROUND_FLOAT,
        "FP8 64x128"},
    {FP8_ROWS, 0, -1, "F32", false, NULL, RG_WT_F16, RG_ROUND_FLOAT, "FP8 g128"},
    {FP8_ROWS, 0, -1, "BF16", true, NULL, RG_WT_F16, RG_ROUND_NONE, "FP8 g128"},
    {FP8_ROWS, -1, -1, "F16", false, CT("float-quantized", "float", ", \"strategy\": \"tensor\""), RG_WT_F16,
        RG_ROUND_FLOAT, "FP8 64x128"},
    {FP8_ROWS, 32, 64, "BF16", false,
        CT("float-quantized", "float", ", \"strategy\": \"block\", \"block_structure\": [32, 64]"), RG_WT_F16,
        RG_ROUND_FLOAT, "FP8 32x64"},
    {FP8_ROWS, 0, -1, "F32", false, CT("naive-quantized", "float", ", \"strategy\": \"channel\""), RG_WT_F16,
        RG_ROUND_FLOAT, "FP8 g128"},
    {FP8_ROWS, -1, -1, "F32", false, "\"quant_method\": \"modelopt\", \"quant_algo\": \"FP8\"", RG_WT_F16,
        RG_ROUND_FLOAT, "FP8 64x128"},
    {FP8_ROWS, 0, -1, "F32", false, "\"quant_method\": \"fbgemm_fp8\", \"modules_to_not_convert\": []",
        RG_WT_F16, RG_ROUND_FLOAT, "FP8 g128"},
    {INT8_ROWS, 0, -1, "BF16", false, NULL, RG_WT_Q8G32, RG_ROUND_NONE, "INT8 g128"},
    {INT8_ROWS, 0, -1, "F32", false, NULL, RG_WT_Q8G32, RG_ROUND_SCALES, "INT8 g128"},
    {INT8_ROWS, -1, -1, "BF16", false, CT("int-quantized", "int", ", \"strategy\": \"tensor\""), RG_WT_Q8G32,
        RG_ROUND_NONE, "INT8 64x128"},
    {INT8_ROWS, 0, 64, "F16", false,
        CT("naive-quantized", "int", ", \"strategy\": \"group\", \"group_size\": 64"), RG_WT_Q8G32,
        RG_ROUND_NONE, "INT8 g64"},
    {INT8_ROWS, 0, 48, "F16", false,
        CT("int-quantized", "int", ", \"strategy\": \"group\", \"group_size\": 48"), RG_WT_Q8G32,
        RG_ROUND_REQUANTISED, "INT8 g48"},
};

static void every_spread_of_scales(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const kind *k = &kinds[i];
        char label[32], type[64];
        model_build b = {.c = shape(),
            .seed = 20 + i,
            .int4 = k->int4,
            .tall = k->tall,
            .group = k->group,
            .scale_dtype = k->scales,
            .power_of_two = k->power_of_two,
            .scheme = k->scheme};
        snprintf(label, sizeof label, "case %zu", i);
        drop_hf(at("q"));
        build_hf(&b, at("q"));
        rg_ckpt *c = must_open(at("q"));
        const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_ATTN_K, 1);
        rg_ckpt_type_name(t, type, sizeof type);
        if (rg_ckpt_resident(t) != k->resident || rg_ckpt_rounding(t) != k->rounding ||
            strcmp(type, k->type) != 0)
            fail_msg("%s: %s, resident type %s, rounding %s", label, type,
                rg_wtypes[rg_ckpt_resident(t)].name, rg_rounding_names[rg_ckpt_rounding(t)]);
        assert_int_equal(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1)->type, RG_FT_F32);
        rows_are_the_truth(c, &b, label);
        if (k->resident == RG_WT_Q8G32 && k->rounding != RG_ROUND_REQUANTISED)
            codes_are_the_truth(c, &b, label);
        assert_null(rg_ckpt_note(c, 0));
        for (size_t n = 0; n < rg_ckpt_count(c); n++) rg_ckpt_release(c, rg_ckpt_at(c, n));
        rows_are_the_truth(c, &b, label);
        rg_ckpt_close(c);
        build_drop(&b);
    }
    drop_hf(at("q"));
}

/* Every code of a byte: the numbers of e4m3, and that only 0x7f and 0xff are none. */
static void every_code_is_its_number(void **state)
{
    (void)state;
    model_build b = {.c = tiny_config(), .int4 = FP8_ROWS, .group = -1};
    char path[600];
    float row[32];
    drop_hf(at("q"));
    build_hf(&b, at("q"));
    build_drop(&b);
    snprintf(path, sizeof path, "%s/model.safetensors", at("q"));
    for (int first = 0; first < 256; first += 32) {
        st_build s = {0};
        st_entry e[MAX_ENTRIES];
        static unsigned char zeros[65536], codes[32 * 32];
        st_entries(e);
        for (int k = 0; k < TINY_TENSORS; k++) {
            int64_t dim[2] = {0, 0};
            const int rank = sscanf(e[k].shape, "[%ld,%ld]", &dim[0], &dim[1]);
            if (!strstr(e[k].name, "q_proj"))
                st_tensor(&s, e[k].name, "F32", rank, dim, zeros, (size_t)(e[k].end - e[k].begin));
        }
        for (int i = 0; i < 32 * 32; i++) codes[i] = (unsigned char)(first + i % 32);
        st_tensor(&s, "model.layers.0.self_attn.q_proj.weight", "F8_E4M3", 2, (const int64_t[]){32, 32},
            codes, 1024);
        st_tensor(&s, "model.layers.0.self_attn.q_proj.weight_scale", "F32", 0, NULL, &(float){1.0f}, 4);
        st_save(&s, path);
        rg_ckpt *c = must_open(at("q"));
        rg_ckpt_row_f32(rg_ckpt_find(c, RG_SITE_ATTN_Q, 0), 3, row);
        for (int i = 0; i < 32; i++) {
            const int v = (first + i) & 0x7f, exponent = v >> 3, mantissa = v & 7;
            double want = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
            if (v == 0x7f) want = NAN;
            if (first + i >= 128) want = -want;
            if (v == 0x7f ? !isnan(row[i]) : (double)row[i] != want || !signbit(row[i]) != (first + i < 128))
                fail_msg("code %02x is %g, expected %g", (unsigned)(first + i), (double)row[i], want);
        }
        rg_ckpt_close(c);
    }
    drop_hf(at("q"));
}

typedef struct bend {
    const char *scheme, *tail, *dtype;
    int rank;
    int64_t d0, d1;
    rg_status code;
    const char *word;
} bend;

/* q_proj [32, 32] in F8_E4M3 beside this tensor. */
static const bend bends[] = {
    {BLOCKS(16, 16), "weight_scale_inv", "F32", 2, 2, 2, RG_OK, NULL},
    {BLOCKS(16, 16), "weight_scale_inv", "F32", 2, 2, 1, RG_E_FILE, "[2, 1]"},
    {BLOCKS(16, 16), "weight_scale_inv", "F32", 2, 3, 3, RG_E_FILE, "[3, 3]"},
    {BLOCKS(16, 16), "weight_scale_inv", "F32", 2, 0, 0, RG_E_FILE, "[0, 0]"},
    {BLOCKS(16, 16), "weight_scale_inv", "F32", 3, 2, 2, RG_E_FILE, "rank 3"},
    {BLOCKS(16, 16), "weight_scale_inv", "F8_E8M0", 2, 2, 2, RG_E_UNSUPPORTED, "F8_E8M0"},
    {BLOCKS(16, 16), "weight_scale_inv", "I32", 2, 2, 2, RG_E_UNSUPPORTED, "I32"},
    {BLOCKS(16, 16), "weight_scal", "F32", 2, 2, 2, RG_E_UNSUPPORTED, "weight_scal"},
    {BLOCKS(1048576, 1048576), "weight_scale_inv", "F32", 2, 1, 1, RG_OK, NULL},
    {BLOCKS(1048577, 1), "weight_scale_inv", "F32", 2, 1, 32, RG_E_FILE, "weight_block_size"},
    {BLOCKS(0, 16), "weight_scale_inv", "F32", 2, 2, 2, RG_E_FILE, "weight_block_size"},
    {BLOCKS(-1, 16), "weight_scale_inv", "F32", 2, 2, 2, RG_E_FILE, "weight_block_size"},
    {BLOCKS(1.5, 16), "weight_scale_inv", "F32", 2, 2, 2, RG_E_FILE, "weight_block_size"},
    {FP8 ", \"weight_block_size\": [16]", "weight_scale_inv", "F32", 2, 2, 2, RG_E_FILE, "weight_block_size"},
    {FP8 ", \"weight_block_size\": \"16\"", "weight_scale_inv", "F32", 2, 2, 2, RG_E_FILE,
        "weight_block_size"},
    {FP8, "weight_scale_inv", "F32", 2, 2, 2, RG_E_FILE, "[2, 2]"},
    {FP8, "weight_scale", "F32", 1, 32, 0, RG_OK, NULL},
    {FP8, "weight_scale", "F32", 2, 32, 1, RG_OK, NULL},
    {FP8, "weight_scale", "F32", 1, 33, 0, RG_E_FILE, "[33"},
    {FP8, "weight_scale", "F32", 2, 32, 2, RG_E_FILE, "[32, 2]"},
    {FP8 ", \"fmt\": \"e5m2\"", "weight_scale", "F32", 0, 0, 0, RG_E_UNSUPPORTED, "e5m2"},
    {FP8 ", \"no_such_member\": 1", "weight_scale", "F32", 0, 0, 0, RG_E_UNSUPPORTED, "no_such_member"},
    {FP8 ", \"activation_scheme\": \"dynamic\"", "weight_scale", "F32", 0, 0, 0, RG_OK, "activation_scheme"},
    {"\"quant_method\": \"modelopt\", \"quant_algo\": \"NVFP4\"", "weight_scale", "F32", 0, 0, 0,
        RG_E_UNSUPPORTED, "NVFP4"},
    {"\"quant_method\": \"modelopt\", \"quant_algo\": \"FP8\", \"config_groups\": {\"a\": 1}, \"producer\": "
     "{\"name\": "
     "\"modelopt\"}, \"kv_cache_scheme\": {\"num_bits\": 8}",
        "weight_scale", "F32", 0, 0, 0, RG_OK, "kv_cache_scheme"},
    {CT("float-quantized", "float", ""), "weight_scale", "BF16", 2, 32, 1, RG_OK, NULL},
    {CT("float-quantized", "int", ""), "weight_scale", "BF16", 2, 32, 1, RG_E_UNSUPPORTED, "type 'int'"},
    {CT("int-quantized", "float", ""), "weight_scale", "BF16", 2, 32, 1, RG_E_UNSUPPORTED, "type 'float'"},
    {CT("nvfp4-pack-quantized", "float", ""), "weight_scale", "BF16", 2, 32, 1, RG_E_UNSUPPORTED, "nvfp4"},
    {CT("mixed-precision", "float", "}, \"format\": \"float-quantized\", \"x\": {"), "weight_scale", "BF16",
        2, 32, 1, RG_OK, NULL},
    {CT("float-quantized", "float", ", \"strategy\": \"tensor_group\""), "weight_scale", "BF16", 2, 32, 1,
        RG_E_UNSUPPORTED, "tensor_group"},
    {CT("float-quantized", "float", ", \"block_structure\": [8]"), "weight_scale", "BF16", 2, 32, 1,
        RG_E_FILE, "block_structure"},
    {CT("float-quantized", "float", "}, \"input_activations\": {\"num_bits\": 8"), "weight_scale", "BF16", 2,
        32, 1, RG_OK, "input_activations"},
};

static void bent_modules_are_refused(void **state)
{
    (void)state;
    char path[600];
    model_build b = {.c = tiny_config(), .int4 = FP8_ROWS, .group = -1};
    for (size_t i = 0; i < sizeof bends / sizeof *bends; i++)
        for (int codes = 1; codes >= 0; codes--) {
            const bend *d = &bends[i];
            st_build s = {0};
            st_entry e[MAX_ENTRIES];
            static unsigned char zeros[65536];
            rg_err err = {0};
            rg_ckpt *c = NULL;
            b.scheme = d->scheme;
            drop_hf(at("q"));
            build_hf(&b, at("q"));
            build_drop(&b);
            st_entries(e);
            for (int k = 0; k < TINY_TENSORS; k++) {
                int64_t dim[2] = {0, 0};
                const int rank = sscanf(e[k].shape, "[%ld,%ld]", &dim[0], &dim[1]);
                if (!strstr(e[k].name, "q_proj"))
                    st_tensor(&s, e[k].name, "F32", rank, dim, zeros, (size_t)(e[k].end - e[k].begin));
            }
            if (codes)
                st_tensor(&s, "model.layers.0.self_attn.q_proj.weight", "F8_E4M3", 2,
                    (const int64_t[]){32, 32}, zeros, 1024);
            snprintf(path, sizeof path, "model.layers.0.self_attn.q_proj.%s", d->tail);
            int64_t n = strcmp(d->dtype, "BF16") == 0 ? 2 : strcmp(d->dtype, "F8_E8M0") == 0 ? 1 : 4;
            const int64_t dim[3] = {d->d0, d->d1, 1};
            for (int k = 0; k < d->rank; k++) n *= dim[k];
            st_tensor(&s, path, d->dtype, d->rank, dim, zeros, (size_t)n);
            snprintf(path, sizeof path, "%s/model.safetensors", at("q"));
            st_save(&s, path);
            const rg_status st = rg_ckpt_open(&c, at("q"), &err);
            const char *said = st ? err.msg : rg_ckpt_note(c, 0);
            /* without codes: the same refusal of the configuration, or that they are missing */
            const bool fine = codes ? st == d->code && !said == !d->word && (!said || strstr(said, d->word))
                                    : st == RG_E_FILE || st == RG_E_UNSUPPORTED;
            if (!fine || (said && strchr(said, '\n')))
                fail_msg("case %zu: status %d, expected %d with '%s': %s", i, (int)st, (int)d->code,
                    d->word ? d->word : "", said ? said : "");
            rg_ckpt_close(c);
        }
    drop_hf(at("q"));
}

/* ModelOpt's file of its own, beside a config.json that says nothing. */
static void hf_quant_config_is_read(void **state)
{
    (void)state;
    char path[600];
    rg_err err;
    model_build b = {.c = shape(), .int4 = FP8_ROWS, .tall = -1, .group = -1, .scheme = " "};
    drop_hf(at("q"));
    build_hf(&b, at("q"));
    snprintf(path, sizeof path, "%s/config.json", at("q"));
    char *text = read_all(path, NULL), *hit = strstr(text, "quantization_config");
    *hit = 'x';
    write_text(path, text);
    free(text);
    assert_int_equal(try_open(at("q"), &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "F8_E4M3"));
    snprintf(path, sizeof path, "%s/hf_quant_config.json", at("q"));
    write_text(path,
        "{\"producer\": {\"name\": \"modelopt\"}, \"quantization\": {\"quant_algo\": \"FP8\", "
        "\"kv_cache_quant_algo\": null, \"exclude_modules\": [\"lm_head\"]}}");
    rg_ckpt *c = must_open(at("q"));
    rows_are_the_truth(c, &b, "hf_quant_config.json");
    rg_ckpt_close(c);
    write_text(path, "{\"quantization\": 3}");
    assert_int_equal(try_open(at("q"), &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "hf_quant_config.json"));
    remove(path);
    build_drop(&b);
    drop_hf(at("q"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_spread_of_scales),
        cmocka_unit_test(every_code_is_its_number), cmocka_unit_test(bent_modules_are_refused),
        cmocka_unit_test(hf_quant_config_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
