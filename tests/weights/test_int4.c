/* INT4 modules of Hugging Face directories: AWQ, GPTQ and compressed-tensors against the weights they were
 * made from. */
#include "ckpt_fixture.h"

#include "base/num.h"
#include "model_build.h"
#include "model_check.h"

static rg_config shape(void)
{
    rg_config c = tiny_config();
    c.dim = 128;
    c.ffn = 192;
    c.head_dim = 32;
    c.layers = 2;
    return c;
}

static rg_ckpt *made(model_build *b)
{
    drop_hf(at("q"));
    build_hf(b, at("q"));
    return must_open(at("q"));
}

typedef struct kind {
    int4_kind int4;
    int group;
    bool symmetric, act_order;
    const char *scales;
    rg_wtype resident; /* of matrices with 128 columns */
    rg_rounding rounding;
} kind;

static const kind kinds[] = {
    {INT4_AWQ, 64, false, false, NULL, RG_WT_Q4G64M, RG_ROUND_SCALES},
    {INT4_AWQ, 32, true, false, NULL, RG_WT_Q4G32, RG_ROUND_NONE},
    {INT4_AWQ, -1, false, false, NULL, RG_WT_Q4G128M, RG_ROUND_SCALES},
    {INT4_GPTQ, 64, false, false, NULL, RG_WT_Q4G64M, RG_ROUND_SCALES},
    {INT4_GPTQ, 64, true, false, NULL, RG_WT_Q4G64, RG_ROUND_NONE},
    {INT4_GPTQ_V2, 64, false, false, NULL, RG_WT_Q4G64M, RG_ROUND_SCALES},
    {INT4_GPTQ, 64, true, true, NULL, RG_WT_Q4G64, RG_ROUND_NONE},
    {INT4_GPTQ_V2, 32, false, true, NULL, RG_WT_Q4G32M, RG_ROUND_SCALES},
    {INT4_GPTQ, -1, true, false, NULL, RG_WT_Q4G128, RG_ROUND_NONE},
    {INT4_GPTQ, 16, true, false, NULL, RG_WT_Q8G32,
        RG_ROUND_REQUANTISED}, /* no resident type has groups of 16 */
    {INT4_PACKED, 64, true, false, NULL, RG_WT_Q4G64, RG_ROUND_NONE},
    {INT4_PACKED, 64, false, false, NULL, RG_WT_Q4G64M, RG_ROUND_SCALES},
    {INT4_PACKED, 64, true, false, "BF16", RG_WT_Q4G64, RG_ROUND_NONE},
    {INT4_PACKED, 64, true, false, "F32", RG_WT_Q4G64, RG_ROUND_SCALES},
    {INT4_PACKED, 32, false, false, "F32", RG_WT_Q4G32M, RG_ROUND_SCALES},
    {INT4_PACKED, -1, true, false, NULL, RG_WT_Q4G128, RG_ROUND_NONE},
    {INT4_PACKED, 64, true, true, NULL, RG_WT_Q4G64, RG_ROUND_NONE},
    {INT8_PACKED, 32, true, false, NULL, RG_WT_Q8G32, RG_ROUND_NONE},
    {INT8_PACKED, -1, true, false, "BF16", RG_WT_Q8G32, RG_ROUND_NONE},
    {INT8_PACKED, 64, true, true, NULL, RG_WT_Q8G32, RG_ROUND_NONE},
    {INT4_MLX, 64, false, false, NULL, RG_WT_Q4G64M, RG_ROUND_NONE},
    {INT4_MLX, 32, false, false, "F16", RG_WT_Q4G32M, RG_ROUND_NONE},
    {INT4_MLX, 32, false, false, "F32", RG_WT_Q4G32M, RG_ROUND_SCALES},
    {INT8_MLX, 64, false, false, NULL, RG_WT_Q8G32, RG_ROUND_REQUANTISED},
    {INT8_PACKED, 32, false, false, NULL, RG_WT_Q8G32, RG_ROUND_REQUANTISED},
    {INT8_GPTQ, 32, true, false, NULL, RG_WT_Q8G32, RG_ROUND_NONE},
    {INT8_GPTQ, 64, false, false, NULL, RG_WT_Q8G32, RG_ROUND_REQUANTISED},
    {INT8_GPTQ_V2, 32, true, true, NULL, RG_WT_Q8G32, RG_ROUND_NONE},
    {INT8_GPTQ_V2, -1, false, false, NULL, RG_WT_Q8G32, RG_ROUND_REQUANTISED},
};

static void every_scheme(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int shards = 1; shards <= 3; shards += 2) {
            const kind *k = &kinds[i];
            char label[64];
            model_build b = {.c = shape(),
                .seed = 70 + i,
                .int4 = k->int4,
                .group = k->group,
                .symmetric = k->symmetric,
                .act_order = k->act_order,
                .scale_dtype = k->scales,
                .shards = shards};
            snprintf(label, sizeof label, "case %zu, %d files", i, shards);
            rg_ckpt *c = made(&b);
            const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_ATTN_K, 1);
            assert_int_equal(t->type, k->int4 >= INT8_GPTQ ? RG_FT_INT8 : RG_FT_INT4);
            if (rg_ckpt_resident(t) != k->resident || rg_ckpt_rounding(t) != k->rounding)
                fail_msg("%s: resident type %s, rounding %s", label, rg_wtypes[rg_ckpt_resident(t)].name,
                    rg_rounding_names[rg_ckpt_rounding(t)]);
            assert_int_equal(rg_ckpt_order(t) != NULL, k->act_order);
            assert_int_equal(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1)->type, RG_FT_F32);
            rows_are_the_truth(c, &b, label);
            if (k->rounding != RG_ROUND_REQUANTISED) codes_are_the_truth(c, &b, label);
            for (size_t n = 0; n < rg_ckpt_count(c); n++) rg_ckpt_release(c, rg_ckpt_at(c, n));
            rows_are_the_truth(c, &b, label); /* released pages come back from the file */
            rg_ckpt_close(c);
            build_drop(&b);
        }
    drop_hf(at("q"));
}

typedef struct refusal {
    int4_kind int4;
    const char *from, *to; /* in config.json */
    rg_status code;
    const char *word;
} refusal;

static const refusal refusals[] = {
    {INT4_AWQ, "\"gemm\"", "\"gemv\"", RG_E_UNSUPPORTED, "gemv"},
    {INT4_AWQ, "\"gemm\"", "\"GEMM\"", RG_OK, NULL},
    {INT4_AWQ, "\"gemm\"", "\"gemv_fast\"", RG_E_UNSUPPORTED, "gemv_fast"},
    {INT4_AWQ, "\"gemm\"", "\"marlin\"", RG_E_UNSUPPORTED, "marlin"},
    {INT4_AWQ, "\"bits\": 4", "\"bits\": 8", RG_E_UNSUPPORTED, "8 bits"},
    {INT4_AWQ, "\"zero_point\": true", "\"zero_point\": false", RG_E_UNSUPPORTED, "zero points"},
    {INT4_AWQ, "\"group_size\": 64", "\"group_size\": 32", RG_E_FILE, "groups"},
    {INT4_AWQ, "\"group_size\": 64", "\"group_size\": 0", RG_E_FILE, "group_size"},
    {INT4_AWQ, "\"awq\"", "\"gptq\"", RG_E_FILE, "shape"},
    {INT4_GPTQ, "\"bits\": 4", "\"bits\": 3", RG_E_UNSUPPORTED, "3 bits"},
    {INT4_GPTQ, "\"gptq\", \"group", "\"marlin\", \"group", RG_E_UNSUPPORTED, "marlin"},
    {INT4_GPTQ, "\"gptq\", \"bits", "\"awq\", \"bits", RG_E_UNSUPPORTED, "gptq"},
    {INT4_GPTQ, "\"gptq\", \"bits", "\"fp8\", \"bits", RG_E_UNSUPPORTED, "bits (4) is not known"},
    {INT4_GPTQ, "\"gptq\", \"bits", "\"bitsandbytes\", \"bits", RG_E_UNSUPPORTED, "bitsandbytes"},
    {INT4_PACKED, "pack-quantized", "float-quantized", RG_E_UNSUPPORTED, "float-quantized"},
    {INT4_PACKED, "pack-quantized", "marlin-24", RG_E_UNSUPPORTED, "marlin-24"},
    {INT4_PACKED, "\"num_bits\": 4", "\"num_bits\": 2", RG_E_UNSUPPORTED, "2 bits"},
    {INT4_PACKED, "\"num_bits\": 4", "\"num_bits\": 8", RG_E_FILE, "codes"},
    {INT4_PACKED, "\"config_groups\": {", "\"config_groups\": {\"b\": {\"weights\": {\"num_bits\": 8}}, ",
        RG_OK, NULL},
    {INT4_PACKED, "\"config_groups\"", "\"groups\"", RG_E_FILE, "config_groups"},
    {INT8_PACKED, "\"num_bits\": 8", "\"num_bits\": 4", RG_E_FILE, "codes"},
    {INT8_PACKED, "\"symmetric\": false", "\"symmetric\": true", RG_E_FILE, "points are not 128"},
    {INT8_GPTQ, "\"bits\": 8", "\"bits\": 4", RG_E_FILE, "codes"},
    {INT4_GPTQ, "\"bits\": 4", "\"bits\": 8", RG_E_FILE, "codes"},
    {INT4_GPTQ, "\"gptq\", \"bits", "\"auto-round\", \"bits", RG_OK, NULL},
    {INT4_GPTQ, "\"gptq\", \"bits", "\"auto-round\", \"packing_format\": \"auto_round:auto_awq\", \"bits",
        RG_E_UNSUPPORTED, "auto_round:auto_awq"},
    {INT4_GPTQ, "\"gptq\", \"bits", "\"auto-round\", \"data_type\": \"mx_fp\", \"bits", RG_E_UNSUPPORTED,
        "data_type"},
    {INT4_PACKED, "\"int\"", "\"float\"", RG_E_UNSUPPORTED, "float"},
    {INT4_MLX, "affine", "mxfp4", RG_E_UNSUPPORTED, "mode 'mxfp4'"},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 6", RG_E_UNSUPPORTED, "6 bits"},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 8", RG_E_FILE, "codes"},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 8, \"lm_head\": {\"bits\": 4, \"group_size\": 64}", RG_OK, NULL},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 4, \"lm_head\": {\"bits\": 3}", RG_E_UNSUPPORTED,
        "lm_head: MLX with 3 bits"},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 4, \"lm_head\": {\"mode\": \"nvfp4\"}", RG_E_UNSUPPORTED,
        "lm_head: mode 'nvfp4'"},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 4, \"lm_head\": {\"bits\": 4, \"x\": 1}", RG_E_UNSUPPORTED,
        "x (1) is not known"},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 4, \"lm_head\": false", RG_OK, NULL},
    {INT4_MLX, "\"bits\": 4", "\"bits\": 4, \"x\": 1", RG_E_UNSUPPORTED, "x (1) is not known"},
    {INT4_MLX, "\"group_size\": 64", "\"group_size\": 0", RG_E_FILE, "group_size 0"},
    {INT4_MLX, "\"group_size\": 64", "\"group_size\": 99999999999", RG_E_FILE, "group_size 99999999999"},
    {INT4_MLX, "\"quantization\"", "\"quantization_config\": {\"bits\": 4}, \"quantization\"",
        RG_E_UNSUPPORTED, "which one"},
    {INT4_MLX, "\"quantization\"",
        "\"quantization_config\": {\"mode\": \"affine\", \"bits\": 4, \"group_size\": 64}, \"quantization\"",
        RG_OK, NULL},
    {INT4_MLX, "\"quantization\"",
        "\"quantization_config\": {\"quant_method\": \"auto-round\", \"packing_format\": \"mlx\"}, "
        "\"quantization\"",
        RG_OK, NULL},
    {INT4_PACKED, "\"input_activations\": null", "\"input_activations\": {\"num_bits\": 8}", RG_OK, NULL},
    {INT4_PACKED, "\"strategy\": \"group\"", "\"strategy\": \"block\"", RG_E_UNSUPPORTED, "block"},
};

static void cousins_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *f = &refusals[i];
        model_build b = {.c = shape(), .seed = 5, .int4 = f->int4, .group = 64};
        char path[600], *text, changed[2048];
        rg_err err;
        drop_hf(at("q"));
        build_hf(&b, at("q"));
        build_drop(&b);
        snprintf(path, sizeof path, "%s/config.json", at("q"));
        text = read_all(path, NULL);
        const char *hit = strstr(text, f->from);
        if (!hit) fail_msg("%s is not in config.json", f->from);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(hit - text), text, f->to, hit + strlen(f->from));
        write_text(path, changed);
        free(text);
        const rg_status st = try_open(at("q"), &err);
        if (st != f->code || (f->word && !strstr(err.msg, f->word)))
            fail_msg("%s: status %d, expected %d with '%s': %s", f->to, (int)st, (int)f->code,
                f->word ? f->word : "", err.msg);
    }
    drop_hf(at("q"));
}

/* What the configuration says of zero points is held against them. */
static void declared_zero_points_are_checked(void **state)
{
    (void)state;
#define GPTQ(format) "\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": %d, \"sym\": true" format
#define GPTQ8(format) "\"quant_method\": \"gptq\", \"bits\": 8, \"group_size\": %d, \"sym\": true" format
#define V1 ", \"checkpoint_format\": \"gptq\""
#define V2 ", \"format\": \"gptq_v2\""
#define PACKED(sym) \
    "\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"config_groups\": {\"g\": " \
    "{\"weights\": {\"num_bits\": 4.0, \"group_size\": %d" sym "}}}"
    static const struct {
        const char *label, *scheme;
        int4_kind int4;
        bool symmetric;
        rg_status code;
        const char *word, *note;
    } all[] = {{"v1", GPTQ(V1), INT4_GPTQ, true, RG_OK, NULL, NULL},
        {"v1 without a word", GPTQ(""), INT4_GPTQ, true, RG_OK, NULL, NULL},
        {"v2", GPTQ(V2), INT4_GPTQ_V2, true, RG_OK, NULL, NULL},
        {"v2 labelled v1", GPTQ(V1), INT4_GPTQ_V2, true, RG_OK, NULL, "gptq_v2 does"},
        {"v2 not labelled", GPTQ(""), INT4_GPTQ_V2, true, RG_OK, NULL, "gptq_v2 does"},
        {"v1 labelled v2", GPTQ(V2), INT4_GPTQ, true, RG_OK, NULL, "as gptq does"},
        {"sym, but any zero points", GPTQ(V1), INT4_GPTQ, false, RG_E_FILE, "says sym", NULL},
        {"sym, but any zero points, v2", GPTQ(V2), INT4_GPTQ_V2, false, RG_E_FILE, "says sym", NULL},
        {"8 bits, v1", GPTQ8(V1), INT8_GPTQ, true, RG_OK, NULL, NULL},
        {"8 bits, v2 labelled v1", GPTQ8(V1), INT8_GPTQ_V2, true, RG_OK, NULL, "gptq_v2 does"},
        {"8 bits, sym, but any zero points", GPTQ8(V2), INT8_GPTQ_V2, false, RG_E_FILE, "are not 128", NULL},
        {"auto-round",
            "\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": %d, \"sym\": true, "
            "\"packing_format\": \"auto_round:auto_gptq\", \"data_type\": \"int\", \"iters\": 200, "
            "\"extra_config\": {}, \"act_bits\": 16",
            INT4_GPTQ, true, RG_OK, NULL, NULL},
        {"modules of other sizes",
            "\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": 128, \"sym\": true, "
            "\"extra_config\": {\"model.layers.0.mlp.up_proj\": {\"bits\": 8, \"group_size\": %d}}",
            INT8_GPTQ, true, RG_OK, NULL, NULL},
        {"modules of other sizes, by rules",
            "\"quant_method\": \"gptq\", \"bits\": 8, \"group_size\": 128, "
            "\"dynamic\": {\"+:.*\": {\"bits\": 4, \"group_size\": %d}}",
            INT4_GPTQ, false, RG_OK, NULL, NULL},
        {"groups of other sizes",
            "\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"config_groups\": {"
            "\"a\": {\"weights\": {\"num_bits\": 4, \"group_size\": 128}}, "
            "\"b\": {\"weights\": {\"num_bits\": 8, \"group_size\": %d}}}",
            INT8_PACKED, true, RG_OK, NULL, NULL},
        {"two names of a format", GPTQ(V1 V2), INT4_GPTQ, true, RG_E_UNSUPPORTED, "which one", NULL},
        {"symmetric, but zero points", PACKED(", \"symmetric\": true"), INT4_PACKED, false, RG_E_FILE,
            "says symmetric", NULL},
        {"symmetric by default, but zero points", PACKED(""), INT4_PACKED, false, RG_E_FILE, "says symmetric",
            NULL},
        {"not symmetric, but no zero points", PACKED(", \"symmetric\": false"), INT4_PACKED, true, RG_E_FILE,
            "no zero points", NULL},
        {"not symmetric", PACKED(", \"symmetric\": false"), INT4_PACKED, false, RG_OK, NULL, NULL}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = shape(),
            .seed = 30 + i,
            .int4 = all[i].int4,
            .group = 32,
            .symmetric = all[i].symmetric,
            .scheme = all[i].scheme};
        rg_err err = {0};
        rg_ckpt *c = NULL;
        drop_hf(at("q"));
        build_hf(&b, at("q"));
        const rg_status st = rg_ckpt_open(&c, at("q"), &err);
        if (st != all[i].code || (all[i].word && !strstr(err.msg, all[i].word)))
            fail_msg("%s: status %d, expected %d: %s", all[i].label, (int)st, (int)all[i].code, err.msg);
        if (!st) {
            const char *note = rg_ckpt_note(c, 0);
            if (!note != !all[i].note || (note && !strstr(note, all[i].note)))
                fail_msg("%s: note %s", all[i].label, note ? note : "(none)");
            if (note) assert_null(rg_ckpt_note(c, 1)); /* once, not per module */
            rows_are_the_truth(c, &b, all[i].label);
        }
        rg_ckpt_close(c);
        build_drop(&b);
    }
    drop_hf(at("q"));
}

/* One module by hand, each part bent in turn: q_proj of the tiny model, [32, 32]. */
enum { ONLY_INDEX = 4 }; /* everything but g_idx is missing */

typedef struct bend {
    const char *label, *tail, *dtype;
    int rank;
    int64_t d0, d1;
    int32_t value; /* of every element */
    rg_status code;
    const char *word;
} bend;

static const bend gptq_bends[] = {
    {"as it should be", NULL, NULL, 0, 0, 0, 0, RG_OK, NULL},
    {"codes of another shape", "qweight", "I32", 2, 32, 4, 0, RG_E_FILE, "codes"},
    {"codes of rank 1", "qweight", "I32", 1, 128, 0, 0, RG_E_FILE, "codes"},
    {"codes of another type", "qweight", "F32", 2, 4, 32, 0, RG_E_UNSUPPORTED, "codes"},
    {"too many zero points", "qzeros", "I32", 2, 2, 4, 0, RG_E_FILE, "zero points"},
    {"more groups than columns", "scales", "F16", 2, 64, 32, 0, RG_E_FILE, "scales"},
    {"no groups", "scales", "F16", 2, 0, 32, 0, RG_E_FILE, "scales"},
    {"scales of rank 1", "scales", "F16", 1, 32, 0, 0, RG_E_FILE, "scales"},
    {"scales of integers", "scales", "I32", 2, 1, 32, 0, RG_E_UNSUPPORTED, "scales"},
    {"g_idx too short", "g_idx", "I32", 1, 31, 0, 0, RG_E_FILE, "g_idx"},
    {"g_idx beyond the groups", "g_idx", "I32", 1, 32, 0, 1, RG_E_FILE, "g_idx[0] is 1"},
    {"g_idx of 2^31 - 1", "g_idx", "I32", 1, 32, 0, INT32_MAX, RG_E_FILE, "g_idx"},
    {"g_idx below 0", "g_idx", "I32", 1, 32, 0, INT32_MIN, RG_E_FILE, "g_idx"},
};

static void bent_modules_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *tail, *dtype;
        int rank;
        int64_t d0, d1;
    } good[] = {{"qweight", "I32", 2, 4, 32}, {"qzeros", "I32", 2, 1, 4}, {"scales", "F16", 2, 1, 32},
        {"g_idx", "I32", 1, 32, 0}};
    model_build b = {.c = tiny_config(), .seed = 3, .int4 = INT4_GPTQ, .group = -1};
    drop_hf(at("q"));
    build_hf(&b, at("q"));
    build_drop(&b);
    b.int4 = INT4_NONE;
    for (size_t i = 0; i < sizeof gptq_bends / sizeof *gptq_bends; i++)
        for (int missing = i == 0 ? ONLY_INDEX : -1; missing >= -1; missing--) {
            const bend *d = &gptq_bends[i];
            st_build s = {0};
            st_entry e[MAX_ENTRIES];
            static float zeros[4096];
            st_entries(e);
            for (int k = 0; k < TINY_TENSORS; k++) {
                if (strstr(e[k].name, "q_proj")) continue;
                int64_t dim[2] = {0, 0};
                const int rank = sscanf(e[k].shape, "[%ld,%ld]", &dim[0], &dim[1]);
                st_tensor(&s, e[k].name, "F32", rank, dim, zeros, (size_t)(e[k].end - e[k].begin));
            }
            for (int k = missing == ONLY_INDEX ? 3 : 0; k < 4; k++) {
                char name[128];
                int32_t data[512];
                const bool bent = d->tail && strcmp(d->tail, good[k].tail) == 0;
                if (k == missing) continue;
                const int64_t d0 = bent ? d->d0 : good[k].d0, d1 = bent ? d->d1 : good[k].d1;
                const int rank = bent ? d->rank : good[k].rank;
                const char *dtype = bent ? d->dtype : good[k].dtype;
                for (int n = 0; n < 512; n++) data[n] = bent ? d->value : 0;
                snprintf(name, sizeof name, "model.layers.0.self_attn.q_proj.%s", good[k].tail);
                const size_t size = (size_t)(d0 * (rank == 2 ? d1 : 1)) * (strcmp(dtype, "F16") == 0 ? 2 : 4);
                assert_true(size <= sizeof data || bent);
                unsigned char *big = calloc(1, size + 1);
                memcpy(big, data, size < sizeof data ? size : sizeof data);
                st_tensor(&s, name, dtype, rank, (const int64_t[]){d0, d1}, big, size);
                free(big);
            }
            char path[600];
            snprintf(path, sizeof path, "%s/model.safetensors", at("q"));
            st_save(&s, path);
            rg_err err;
            const rg_status st = try_open(at("q"), &err);
            /* g_idx may be absent */
            const rg_status code = missing < 0 || missing == 3 ? d->code : RG_E_FILE;
            const char *word = missing >= 0 && missing != 3 ? "missing" : d->word;
            if (st != code || (word && !strstr(err.msg, word)))
                fail_msg("%s, without %d: status %d, expected %d with '%s': %s", d->label, missing, (int)st,
                    (int)code, word ? word : "", err.msg);
        }
    drop_hf(at("q"));
}

/* The header of a file of MLX modules, bent in one place. */
static void bent_mlx_modules_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        rg_status code;
        const char *word;
    } all[] = {{"q_proj.biases", "q_proj.biases", RG_OK, NULL},
        {"q_proj.biases", "q_proj.biasez", RG_E_UNSUPPORTED, "biasez"},
        {"q_proj.scales", "q_proj.scalez", RG_E_UNSUPPORTED, "scalez"},
        {"q_proj.biases\":{\"dtype\":\"BF16\"", "q_proj.biases\":{\"dtype\":\"F16\" ", RG_E_UNSUPPORTED,
            "scales of dtype BF16, but biases of F16"},
        {"q_proj.biases\":{\"dtype\":\"BF16\"", "q_proj.biases\":{\"dtype\":\"I16\" ", RG_E_UNSUPPORTED,
            "biases of dtype I16"},
        {"q_proj.biases\":{\"dtype\":\"BF16\",\"shape\":[128,2]",
            "q_proj.biases\":{\"dtype\":\"BF16\",\"shape\":[2,128]", RG_E_FILE, "biases of shape [2, 128]"},
        {"q_proj.scales\":{\"dtype\":\"BF16\",\"shape\":[128,2]",
            "q_proj.scales\":{\"dtype\":\"BF16\",\"shape\":[2,128]", RG_E_FILE, "scales of shape [2, 128]"},
        {"q_proj.weight\":{\"dtype\":\"U32\",\"shape\":[128,16]",
            "q_proj.weight\":{\"dtype\":\"U32\",\"shape\":[16,128]", RG_E_FILE, "codes of shape [16, 128]"},
        {"q_proj.weight\":{\"dtype\":\"U32\"", "q_proj.weight\":{\"dtype\":\"I32\"", RG_E_UNSUPPORTED,
            "dtype I32"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = shape(), .seed = 6, .int4 = INT4_MLX, .group = 64};
        char path[600];
        size_t n;
        rg_err err;
        drop_hf(at("q"));
        build_hf(&b, at("q"));
        build_drop(&b);
        snprintf(path, sizeof path, "%s/model.safetensors", at("q"));
        unsigned char *p = read_all(path, &n);
        unsigned char *hit = memmem(p, n, all[i].from, strlen(all[i].from));
        if (!hit || strlen(all[i].from) != strlen(all[i].to)) fail_msg("%s", all[i].from);
        memcpy(hit, all[i].to, strlen(all[i].to));
        write_file(path, p, n);
        free(p);
        const rg_status st = try_open(at("q"), &err);
        if (st != all[i].code || (all[i].word && !strstr(err.msg, all[i].word)))
            fail_msg("%s: status %d, expected %d: %s", all[i].to, (int)st, (int)all[i].code, err.msg);
    }
    drop_hf(at("q"));
}

/* MLX quantises both ends of a model, with sizes of their own, and says so by module. */
static void both_ends_may_be_quantised(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++)
        for (int bits = 4; bits <= 8; bits += 4) {
            model_build b = {.c = shape(),
                .seed = 40,
                .int4 = bits == 4 ? INT4_MLX : INT8_MLX,
                .group = 32,
                .head_too = true,
                .embd_too = true,
                .scheme = "\"group_size\": 64, \"bits\": 4, \"model.embed_tokens\": {\"group_size\": %d, "
                          "\"bits\": 8}, \"lm_head\": true"};
            b.c.tied = tied;
            rg_ckpt *c = made(&b);
            const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1);
            assert_int_equal(rg_ckpt_resident(t), bits == 4 ? RG_WT_Q4G32M : RG_WT_Q8G32);
            assert_int_equal(rg_ckpt_rounding(t), bits == 4 ? RG_ROUND_NONE : RG_ROUND_REQUANTISED);
            assert_int_equal(rg_ckpt_find(c, RG_SITE_OUTPUT, -1) == NULL, tied);
            assert_int_equal(rg_ckpt_embd_row(c), tied ? 0 : 4 * b.c.dim);
            rows_are_the_truth(c, &b, "both ends");
            rg_ckpt_close(c);
            build_drop(&b);
        }
    drop_hf(at("q"));
}

/* Columns of the output matrix are not reordered: the last site of a model has no site before it for that. */
static void an_output_matrix_goes_without_its_order(void **state)
{
    (void)state;
    model_build b = {
        .c = shape(), .seed = 9, .int4 = INT4_GPTQ, .group = 64, .act_order = true, .head_too = true};
    b.c.tied = false;
    rg_ckpt *c = made(&b);
    const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_OUTPUT, -1);
    assert_int_equal(t->type, RG_FT_INT4);
    assert_null(rg_ckpt_order(t));
    assert_non_null(rg_ckpt_order(rg_ckpt_find(c, RG_SITE_ATTN_K, 0)));
    assert_int_equal(rg_ckpt_rounding(t), RG_ROUND_REQUANTISED);
    rows_are_the_truth(c, &b, "output");
    rg_ckpt_close(c);
    build_drop(&b);
    drop_hf(at("q"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_scheme),
        cmocka_unit_test(cousins_are_refused_by_name), cmocka_unit_test(declared_zero_points_are_checked),
        cmocka_unit_test(both_ends_may_be_quantised), cmocka_unit_test(bent_mlx_modules_are_refused),
        cmocka_unit_test(an_output_matrix_goes_without_its_order),
        cmocka_unit_test(bent_modules_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
