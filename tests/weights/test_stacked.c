/* Tensors that hold several matrices: each gets its rows, whatever they are stored as; what does not fit is
 * refused. */
#include "ckpt_fixture.h"

#include "base/mapfile.h"
#include "base/num.h"
#include "model_build.h"

static rg_config shape(void)
{
    rg_config c = tiny_config();
    c.dim = 128;
    c.ffn = 192;
    c.head_dim = 32;
    c.layers = 2;
    return c;
}

/* Rows and codes of every tensor are what the file was made from. done: its pages leave once it was read. */
static void check_truth(const rg_ckpt *c, const model_build *b, bool done, const char *label)
{
    float row[256], scale[8], min[8];
    uint8_t q[256];
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        const double *w = build_truth_of(b, c, i);
        const rg_wtype_info *info = &rg_wtypes[rg_ckpt_resident(t)];
        const bool codes =
            t->grid && rg_wtype_is_quant(rg_ckpt_resident(t)) && rg_ckpt_rounding(t) != RG_ROUND_REQUANTISED;
        const int32_t *order = rg_ckpt_order(t);
        if (!w) fail_msg("%s: %s was not made", label, t->file_name);
        for (int64_t r = 0; r < t->rows; r++, w += t->cols) {
            rg_ckpt_row_f32(t, r, row);
            memset(min, 0, sizeof min);
            if (codes) rg_ckpt_row_grid(t, r, q, scale, min);
            for (int64_t k = 0; k < t->cols; k++) {
                bool same = fabs((double)row[k] - w[k]) <= 0x1p-23 * fabs(w[k]);
                if (codes) {
                    const double code = info->bits == 8 ? (int8_t)q[k]
                        : info->has_min                 ? q[k]
                                                        : q[k] - 8,
                                 s = (double)scale[k / info->group], m = (double)min[k / info->group];
                    same &= fabs(code * s + m - w[order ? order[k] : k]) <= 0x1p-20 * fabs(s);
                }
                if (!same)
                    fail_msg("%s: site %s of %s: row %lld, column %lld: %.9g, expected %.9g", label,
                        rg_site_name(t->site), t->file_name, (long long)r, (long long)k, (double)row[k],
                        w[k]);
            }
        }
        if (done) rg_ckpt_release(c, t);
    }
}

/* With and without stacks: the same weights, parameters and bytes. */
static void same_as_plain(const rg_ckpt *c, const rg_ckpt *plain, const char *label)
{
    same_model(plain, c, 0.0f);
    if (rg_ckpt_params(c) != rg_ckpt_params(plain) || rg_ckpt_weight_bytes(c) != rg_ckpt_weight_bytes(plain))
        fail_msg("%s: %llu parameters in %llu bytes, expected %llu in %llu", label,
            (unsigned long long)rg_ckpt_params(c), (unsigned long long)rg_ckpt_weight_bytes(c),
            (unsigned long long)rg_ckpt_params(plain), (unsigned long long)rg_ckpt_weight_bytes(plain));
    assert_int_equal(rg_ckpt_config(c)->extra, rg_ckpt_config(plain)->extra);
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        assert_int_equal(rg_ckpt_at(c, i)->interleaved, rg_ckpt_at(plain, i)->interleaved);
        assert_int_equal(rg_ckpt_at(c, i)->bytes, rg_ckpt_at(plain, i)->bytes);
    }
}

static void floats_of_hugging_face(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        stacking stacked;
        bool bias;
        int shards;
    } all[] = {{NULL, STACK_PHI3, false, 1}, {NULL, STACK_PHI3, false, 3}, {NULL, STACK_GRANITE4, false, 1},
        {"\"attention_bias\": true, \"mlp_bias\": true", STACK_PHI3, true, 1},
        {"\"attention_bias\": true, \"mlp_bias\": true", STACK_GRANITE4, true, 2}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char label[32];
        model_build b = {.c = shape(),
            .seed = 10 + i,
            .more = all[i].more,
            .shards = all[i].shards,
            .qkv_bias = all[i].bias,
            .o_bias = all[i].bias,
            .mlp_bias = all[i].bias};
        snprintf(label, sizeof label, "case %zu", i);
        build_hf(&b, at("plain"));
        b.stacked = all[i].stacked;
        build_hf(&b, at("stacked"));
        rg_ckpt *plain = must_open(at("plain")), *c = must_open(at("stacked"));
        same_as_plain(c, plain, label);
        check_truth(c, &b, false, label);
        const bool phi = all[i].stacked == STACK_PHI3;
        assert_string_equal(rg_ckpt_find(c, RG_SITE_FFN_UP, 1)->file_name,
            phi ? "model.layers.1.mlp.gate_up_proj.weight" : "model.layers.1.shared_mlp.input_linear.weight");
        assert_string_equal(rg_ckpt_find(c, RG_SITE_ATTN_V, 0)->file_name,
            phi ? "model.layers.0.self_attn.qkv_proj.weight" : "model.layers.0.self_attn.v_proj.weight");
        rg_ckpt_close(plain);
        rg_ckpt_close(c);
        build_drop(&b);
        drop_hf(at("plain"));
        drop_hf(at("stacked"));
    }
}

/* Rows of q and k are permuted within their part of the tensor. */
static void every_type_of_gguf(void **state)
{
    (void)state;
    static const int types[] = {0, 1, 30, 8, 2, 3, 6, 7, 12, 13, 14};
    static const char *const archs[] = {"llama", "qwen2"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int a = 0; a < 2; a++) {
            char label[48];
            model_build b = {.c = shape(), .seed = 30 + i, .arch = archs[a], .ggml = types[i]};
            snprintf(label, sizeof label, "type %d of %s", types[i], archs[a]);
            if (types[i] >= 12 && types[i] < 20) b.c.dim = b.c.ffn = 256;
            b.qkv_bias = b.mlp_bias = i % 2;
            b.rope_freqs = b.qkv_bias;
            build_gguf(&b, at("plain.gguf"));
            rg_ckpt *plain = must_open(at("plain.gguf"));
            b.stacked = STACK_PHI3;
            for (int files = 1; files <= 3; files += 2) {
                if (files == 1)
                    build_gguf(&b, at("part-00001-of-00003.gguf"));
                else if (!b.qkv_bias)
                    build_gguf_split(&b, at("part"), files);
                rg_ckpt *c = must_open(at("part-00001-of-00003.gguf"));
                same_as_plain(c, plain, label);
                check_truth(c, &b, true, label);
                check_truth(c, &b, false, label); /* released pages come back from the file */
                assert_string_equal(rg_ckpt_find(c, RG_SITE_FFN_GATE, 1)->file_name, "blk.1.ffn_up.weight");
                rg_ckpt_close(c);
            }
            rg_ckpt_close(plain);
            build_drop(&b);
        }
}

typedef struct kind {
    int4_kind int4;
    int group;
    bool symmetric, act_order;
} kind;
static const kind kinds[] = {{INT4_AWQ, 64, false, false}, {INT4_AWQ, 32, true, false},
    {INT4_GPTQ, 32, false, false}, {INT4_GPTQ_V2, 64, false, true}, {INT4_GPTQ, -1, true, false},
    {INT4_PACKED, 64, false, false}, {INT4_PACKED, 64, false, true}, {INT4_PACKED, -1, true, false},
    {INT8_PACKED, 32, true, false}, {INT8_GPTQ, 32, false, true}, {INT4_MLX, 4, false, false},
    {FP8_BLOCKS, 3, false, false}, {FP8_ROWS, -1, false, false}, {INT8_ROWS, -1, false, false},
    {NF4, 64, false, false}};

/* Codes, scales and zero points of some outputs, which lie side by side in AWQ and GPTQ. */
static void every_grid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int small = 0; small < 2; small++) {
            const kind *k = &kinds[i];
            char label[32];
            model_build b = {.c = shape(),
                .seed = 50 + i,
                .int4 = k->int4,
                .group = k->group,
                .symmetric = k->symmetric,
                .act_order = k->act_order,
                .tall = k->int4 == FP8_BLOCKS ? 5 : 0, /* blocks over the border of two matrices */
                .double_quant = small,
                .stacked = i % 2 && !small ? STACK_GRANITE4 : STACK_PHI3};
            if (small) { /* v begins in the middle of eight outputs */
                b.c.heads = 2;
                b.c.kv_heads = 1;
                b.c.head_dim = 4;
                b.c.ffn = 24;
            }
            snprintf(label, sizeof label, "case %zu%s", i, small ? ", small" : "");
            build_hf(&b, at("q"));
            rg_ckpt *c = must_open(at("q"));
            uint64_t bytes = 0, params = 0;
            for (size_t n = 0; n < rg_ckpt_count(c); n++) {
                bytes += rg_ckpt_at(c, n)->bytes;
                params += (uint64_t)(rg_ckpt_at(c, n)->rows * rg_ckpt_at(c, n)->cols);
            }
            assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_K, 1)->rows, rg_kv_dim(&b.c));
            assert_non_null(rg_ckpt_find(c, RG_SITE_FFN_UP, 0)->grid);
            assert_int_equal(rg_ckpt_params(c), params);
            assert_int_equal(rg_ckpt_weight_bytes(c), bytes);
            /* all that the file holds, but its header and what says the shape */
            assert_true(bytes <= rg_ckpt_file_bytes(c) && bytes > rg_ckpt_file_bytes(c) * 2 / 3);
            check_truth(c, &b, true, label);
            check_truth(c, &b, false, label);
            rg_ckpt_close(c);
            rg_mapfile_read_whole(true); /* then released pages are gone for good */
            c = must_open(at("q"));
            check_truth(c, &b, true, label);
            rg_ckpt_close(c);
            rg_mapfile_read_whole(false);
            build_drop(&b);
            drop_hf(at("q"));
        }
}

/* Only v has zero points that are not the middle: only v needs a minimum. */
static void each_part_has_its_resident_type(void **state)
{
    (void)state;
    static const char mark[] =
        "model.layers.0.self_attn.qkv_proj.qzeros\":{\"dtype\":\"I32\",\"shape\":[2,32],"
        "\"data_offsets\":[";
    model_build b = {.c = shape(), .seed = 58, .int4 = INT4_AWQ, .group = 64, .symmetric = true};
    b.stacked = STACK_PHI3;
    build_hf(&b, at("q"));
    char path[600];
    size_t n, begin;
    snprintf(path, sizeof path, "%s/model.safetensors", at("q"));
    unsigned char *p = read_all(path, &n), *hit = memmem(p, n, mark, sizeof mark - 1);
    assert_non_null(hit);
    assert_int_equal(sscanf((char *)hit + sizeof mark - 1, "%zu", &begin), 1);
    uint64_t head;
    memcpy(&head, p, 8);
    p[8 + head + begin + 4 * 31] = 0x98; /* outputs 248 and 252 of 256 */
    write_file(path, p, n);
    free(p);
    rg_ckpt *c = must_open(at("q"));
    assert_int_equal(rg_ckpt_resident(rg_ckpt_find(c, RG_SITE_ATTN_Q, 0)), RG_WT_Q4G64);
    assert_int_equal(rg_ckpt_resident(rg_ckpt_find(c, RG_SITE_ATTN_K, 0)), RG_WT_Q4G64);
    assert_int_equal(rg_ckpt_resident(rg_ckpt_find(c, RG_SITE_ATTN_V, 0)), RG_WT_Q4G64M);
    rg_ckpt_close(c);
    build_drop(&b);
    drop_hf(at("q"));
}

/* The tiny model with qkv_proj and gate_up_proj: the bytes are those of the plain one. */
enum { QKV = 2, GATE_UP = 5, STACKED_TENSORS = TINY_TENSORS - 3 };
static long long stacked_entries(st_entry *e)
{
    const long long bytes = st_entries(e);
    e[2].end = e[4].end;
    e[7].end = e[8].end;
    memmove(e + 3, e + 5, 3 * sizeof *e);
    memmove(e + 6, e + 9, 2 * sizeof *e);
    snprintf(e[QKV].name, sizeof e->name, "model.layers.0.self_attn.qkv_proj.weight");
    snprintf(e[QKV].shape, sizeof e->shape, "[64,32]");
    snprintf(e[GATE_UP].name, sizeof e->name, "model.layers.0.mlp.gate_up_proj.weight");
    snprintf(e[GATE_UP].shape, sizeof e->shape, "[128,32]");
    return bytes;
}

typedef struct bend {
    const char *label;
    int i; /* entry */
    const char *name, *shape;
    rg_status code;
    const char *word;
} bend;

#define LAYER "model.layers.0."
static const bend bends[] = {
    {"as it is", QKV, NULL, NULL, RG_OK, NULL},
    {"qkv of another shape", QKV, NULL, "[32,64]", RG_E_FILE,
        LAYER "self_attn.qkv_proj.weight: shape [32, 64], expected [64, 32]"},
    {"qkv as a vector", QKV, NULL, "[2048]", RG_E_FILE, "shape [1, 2048], expected [64, 32]"},
    {"qkv of rank 3", QKV, NULL, "[1,64,32]", RG_E_FILE, "3 dimensions"},
    {"qkv that wraps", QKV, NULL, "[4611686018427387905,2048]", RG_E_FILE, "impossible shape"},
    {"gate and up transposed", GATE_UP, NULL, "[32,128]", RG_E_FILE,
        LAYER "mlp.gate_up_proj.weight: shape [32, 128], expected [128, 32]"},
    {"gate and up called up", GATE_UP, LAYER "mlp.up_proj.weight", NULL, RG_E_FILE,
        "shape [128, 32], expected [64, 32]"},
    {"Granite's name", GATE_UP, LAYER "shared_mlp.input_linear.weight", NULL, RG_OK, NULL},
    {"another layer", QKV, "model.layers.1.self_attn.qkv_proj.weight", NULL, RG_E_FILE, "layer 1"},
    {"no layer", QKV, "model.self_attn.qkv_proj.weight", NULL, RG_E_UNSUPPORTED, "not part of a Llama model"},
    {"no layer at all", QKV, "self_attn.qkv_proj.weight", NULL, RG_E_UNSUPPORTED,
        "not part of a Llama model"},
    {"another tail", QKV, LAYER "self_attn.qkv_proj.weights", NULL, RG_E_UNSUPPORTED,
        "not part of a Llama model"},
    {"no tail", QKV, LAYER "self_attn.qkv_proj", NULL, RG_E_UNSUPPORTED, "not part of a Llama model"},
    {"qkv missing", QKV, LAYER "self_attn.rotary_emb.inv_freq", NULL, RG_E_FILE, "blk.0.attn_q is missing"},
    {"gate and up missing", GATE_UP, LAYER "self_attn.rotary_emb.inv_freq", NULL, RG_E_FILE,
        "blk.0.ffn_gate is missing"},
};

static void try_entries(const bend *b, const st_entry *e, int n, long long bytes)
{
    st_write(at("model.safetensors"), e, n, bytes);
    if (b->code) {
        must_refuse(b->label, at("model.safetensors"), b->code, b->word);
        return;
    }
    rg_ckpt *c = must_open(at("model.safetensors"));
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
    rg_ckpt_close(c);
}

static void shapes_and_names_are_checked(void **state)
{
    (void)state;
    st_entry e[MAX_ENTRIES];
    config_write(at("config.json"), NULL);
    for (size_t i = 0; i < sizeof bends / sizeof *bends; i++) {
        const bend *b = &bends[i];
        const long long bytes = stacked_entries(e);
        if (b->name) snprintf(e[b->i].name, sizeof e->name, "%s", b->name);
        if (b->shape) snprintf(e[b->i].shape, sizeof e->shape, "%s", b->shape);
        try_entries(b, e, STACKED_TENSORS, bytes);
    }
}

/* One more tensor behind those of the stacked model. */
static const bend more[] = {
    {"q again", 0, LAYER "self_attn.q_proj.weight", "[32,32]", RG_E_FILE, "blk.0.attn_q is there twice"},
    {"up again", 0, LAYER "mlp.up_proj.weight", "[64,32]", RG_E_FILE, "mlp.gate_up_proj.weight"},
    {"both stacks", 0, LAYER "shared_mlp.input_linear.weight", "[128,32]", RG_E_FILE, "twice"},
    {"down again", 0, LAYER "shared_mlp.output_linear.weight", "[32,64]", RG_E_FILE, "twice"},
    {"a bias that is denied", 0, LAYER "self_attn.qkv_proj.bias", "[64]", RG_E_FILE,
        "self_attn.qkv_proj.bias holds a bias"},
    {"a bias of another length", 0, LAYER "self_attn.qkv_proj.bias", "[65]", RG_E_FILE,
        "self_attn.qkv_proj.bias: shape [1, 65], expected [1, 64]"},
    {"a bias of gate alone", 0, LAYER "mlp.gate_up_proj.bias", "[64]", RG_E_FILE,
        "shape [1, 64], expected [1, 128]"},
};

static void both_forms_are_refused(void **state)
{
    (void)state;
    st_entry e[MAX_ENTRIES];
    config_write(at("config.json"), NULL);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        const long long bytes = stacked_entries(e);
        st_entry *add = &e[STACKED_TENSORS];
        int rows = 0, cols = 1;
        *add = (st_entry){.dtype = "F32", .begin = bytes};
        snprintf(add->name, sizeof add->name, "%s", more[i].name);
        snprintf(add->shape, sizeof add->shape, "%s", more[i].shape);
        assert_true(sscanf(add->shape, "[%d,%d]", &rows, &cols) >= 1);
        add->end = bytes + 4LL * rows * cols;
        try_entries(&more[i], e, STACKED_TENSORS + 1, add->end);
    }
}

/* A module whose parts lack one, and one of another shape. */
static void modules_are_whole(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *word; /* of one length */
    } all[] = {{"self_attn.qkv_proj.scales", "------rotary_emb.inv_freq", "qkv_proj: its scales are missing"},
        {"self_attn.qkv_proj.qzeros\":{\"dtype\":\"I32\",\"shape\":[2,32]",
            "self_attn.qkv_proj.qzeros\":{\"dtype\":\"I32\",\"shape\":[4,16]",
            "qkv_proj: zero points of shape [4, 16]"},
        {"self_attn.qkv_proj.qweight", "self_attn.qkv_prok.qweight", "qkv_proj: its codes are missing"}};
    model_build b = {.c = shape(), .seed = 60, .int4 = INT4_AWQ, .group = 64, .stacked = STACK_PHI3};
    b.c.layers = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        build_hf(&b, at("q"));
        char path[600];
        size_t n;
        snprintf(path, sizeof path, "%s/model.safetensors", at("q"));
        unsigned char *p = read_all(path, &n), *hit = memmem(p, n, all[i].from, strlen(all[i].from));
        if (!hit) fail_msg("%s is not in the file", all[i].from);
        memcpy(hit, all[i].to, strlen(all[i].to));
        write_file(path, p, n);
        free(p);
        rg_err err;
        const rg_status st = try_open(at("q"), &err);
        if (st == RG_OK || !strstr(err.msg, all[i].word)) fail_msg("%s: %s", all[i].word, err.msg);
    }
    build_drop(&b);
    drop_hf(at("q"));
}

static void put_gate(gguf_build *g)
{
    static const float zero[64 * 32];
    gg_tensor(g, "blk.0.ffn_gate.weight", 0, 2, (const uint64_t[]){32, 64}, zero, sizeof zero);
}
static void put_q(gguf_build *g)
{
    static const float zero[32 * 32];
    gg_tensor(g, "blk.0.attn_q.weight", 0, 2, (const uint64_t[]){32, 32}, zero, sizeof zero);
}
static void put_bias(gguf_build *g)
{
    static const unsigned char zero[68];
    gg_tensor(g, "blk.0.attn_qkv.bias", 8, 1, (const uint64_t[]){64}, zero, sizeof zero);
}
static void put_short_bias(gguf_build *g)
{
    static const float zero[63];
    gg_tensor(g, "blk.0.attn_qkv.bias", 0, 1, (const uint64_t[]){63}, zero, sizeof zero);
}

static void gguf_refusals(void **state)
{
    (void)state;
    static const struct {
        void (*put)(gguf_build *g);
        rg_status code;
        const char *word;
    } all[] = {{put_gate, RG_E_FILE, "blk.0.ffn_gate is there twice"},
        {put_q, RG_E_FILE, "blk.0.attn_qkv.weight"}, {put_bias, RG_E_UNSUPPORTED, "a bias of type Q8_0"},
        {put_short_bias, RG_E_FILE, "shape [1, 63], expected [1, 64]"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = tiny_config(), .seed = 70, .put = all[i].put, .stacked = STACK_PHI3};
        build_gguf(&b, at("bent.gguf"));
        must_refuse(all[i].word, at("bent.gguf"), all[i].code, all[i].word);
        build_drop(&b);
    }
    /* neither up alone nor both */
    model_build b = {.c = tiny_config(), .seed = 71, .stacked = STACK_PHI3};
    b.c.ffn = 96;
    byte_buf out = {0};
    build_gguf_bytes(&b, &out);
    static const char key[] = "llama.feed_forward_length";
    unsigned char *p = memmem(out.p, out.n, key, strlen(key));
    assert_non_null(p);
    put_le(p + strlen(key) + 4, 64, 4);
    save_bytes(&out, at("bent.gguf"));
    must_refuse("another size", at("bent.gguf"), RG_E_FILE,
        "blk.0.ffn_up.weight: shape [192, 32], expected [64, 32] or [128, 32]");
    drop_bytes(&out);
    build_drop(&b);
    /* a stack that has the shape of one matrix */
    b = (model_build){.c = tiny_config(), .seed = 72, .stacked = STACK_PHI3};
    build_gguf_bytes(&b, &out);
    p = memmem(out.p, out.n, key, strlen(key));
    assert_non_null(p);
    put_le(p + strlen(key) + 4, 128, 4);
    save_bytes(&out, at("bent.gguf"));
    must_refuse("up alone", at("bent.gguf"), RG_E_FILE, "ffn_down");
    drop_bytes(&out);
    build_drop(&b);
}

#define OSS \
    "\"num_experts_per_tok\": 2, \"num_local_experts\": 5, \"rope_scaling\": {\"rope_type\": \"yarn\", " \
    "\"factor\": 4.0, " \
    "\"original_max_position_embeddings\": 64}"

/* gpt-oss: rows of gate and up in turns, as MXFP4 or as floats with columns for rows, and one by one in
 * GGUF. */
static void experts_of_gpt_oss(void **state)
{
    (void)state;
    static const char *const members[] = {
        OSS ", \"quantization_config\": {\"quant_method\": \"mxfp4\"}", OSS, NULL};
    static const rg_site site[2][3] = {{RG_SITE_FFN_GATE_EXPS, RG_SITE_FFN_UP_EXPS, RG_SITE_FFN_DOWN_EXPS},
        {RG_SITE_FFN_GATE_EXPS_BIAS, RG_SITE_FFN_UP_EXPS_BIAS, RG_SITE_FFN_DOWN_EXPS_BIAS}};
    for (int how = 0; how < 3; how++) {
        model_build b = {.c = tiny_config(),
            .seed = 3,
            .arch = how < 2 ? "GptOssForCausalLM" : "gpt-oss",
            .more = members[how]};
        rg_ckpt *c;
        rg_err err = {0};
        float row[128];
        b.c.dim = 64;
        b.c.ffn = b.c.expert_ffn = 96;
        b.c.layers = 2;
        b.c.experts = 5;
        b.c.experts_used = 2;
        b.qkv_bias = b.o_bias = true;
        (how < 2 ? build_hf : build_gguf)(&b, at(how < 2 ? "oss" : "oss.gguf"));
        if (rg_ckpt_open(&c, at(how < 2 ? "oss" : "oss.gguf"), &err)) fail_msg("%d: %s", how, err.msg);
        for (int i = 0; i < 6 * 2 * 5; i++) {
            const int which = i % 3, bias = i / 3 % 2, layer = i / 6 % 2, e = i / 12;
            const rg_ckpt_tensor *t = rg_ckpt_find_expert(c, site[bias][which], layer, e);
            assert_non_null(t);
            assert_int_equal(t->rows * t->cols, bias ? (which == 2 ? 64 : 96) : 64 * 96);
            if (!bias) assert_int_equal(rg_ckpt_rounding(t), RG_ROUND_NONE);
            for (int64_t r = 0; r < t->rows; r++) {
                rg_ckpt_row_f32(t, r, row);
                for (int64_t k = 0; k < t->cols; k++) {
                    const float want =
                        bias ? build_oss_bias(layer, which, e, k) : build_oss_weight(layer, which, e, r, k);
                    if (row[k] != want)
                        fail_msg("%d, %s of expert %d: row %d, column %d: %g, expected %g", how,
                            rg_site_name(t->site), e, (int)r, (int)k, (double)row[k], (double)want);
                }
            }
        }
        rg_ckpt_close(c);
        build_drop(&b);
    }
}

typedef struct oss_bend {
    const char *find, *put; /* behind the name, the start of an entry, in the header; put is not longer */
    const char *says;
} oss_bend;

#define EXPERTS "model.layers.0.mlp.experts."
#define BLOCKS EXPERTS "gate_up_proj_blocks\":{\"dtype\":\"U8\",\"shape\":"
#define SCALES EXPERTS "gate_up_proj_scales\":{\"dtype\":\"U8\",\"shape\":"
#define BIAS EXPERTS "gate_up_proj_bias\":{\"dtype\":\"F32\",\"shape\":"
#define SINKS "model.layers.0.self_attn.sinks"
#define GONE "x.rotary_emb.inv_freq"

/* Five experts of 96 on 64 values. */
static const oss_bend oss_bends[] = {
    {BLOCKS "[5,192,2,16]", BLOCKS "[5,192,32]",
        "blocks of shape [5, 192, 32, 0] (rank 3), expected [5, 192, 2, 16]"},
    {BLOCKS "[5,192,2,16]", BLOCKS "[960,32]", "(rank 2), expected [5, 192, 2, 16]"},
    {BLOCKS "[5,192,2,16]", BLOCKS "[192,5,2,16]", "blocks of shape [192, 5, 2, 16]"},
    {BLOCKS "[5,192,2,16]", BLOCKS "[5,192,1,32]", "blocks of shape [5, 192, 1, 32]"},
    {BLOCKS "[5,192,2,16]", BLOCKS "[5,192,16,2]", "blocks of shape [5, 192, 16, 2]"},
    {BLOCKS "[5,192,2,16]", BLOCKS "[5,192,2,17]", "gate_up_proj_blocks"},
    {SCALES "[5,192,2]", SCALES "[960,2]", "scales of shape [960, 2, 0] (rank 2), expected [5, 192, 2]"},
    {SCALES "[5,192,2]", SCALES "[5,2,192]", "scales of shape [5, 2, 192]"},
    {SCALES "[5,192,2]", SCALES "[5,384,1]", "scales of shape [5, 384, 1]"},
    {SCALES "[5,192,2]", SCALES "[5,192,0]", "gate_up_proj_scales"},
    {BIAS "[5,192]", BIAS "[960]", "1 dimensions, expected 2, of which the first is the expert"},
    {BIAS "[5,192]", BIAS "[192,5]", "of 192 experts, but the configuration says 5"},
    {SINKS "\":{\"dtype\":\"F32\",\"shape\":[4]", SINKS "\":{\"dtype\":\"F32\",\"shape\":[3]",
        "self_attn.sinks"},
    {SINKS, GONE, "blk.0.attn_sinks is missing"},
    {EXPERTS "gate_up_proj_bias", GONE, "blk.0.ffn_gate_exps_bias of expert 0 is missing"},
    {EXPERTS "down_proj_bias", GONE, "blk.0.ffn_down_exps_bias of expert 0 is missing"},
    {"model.layers.0.mlp.router.bias", GONE, "blk.0.ffn_gate_inp_bias is missing"},
};

/* The file's header with find replaced and blanks behind it. */
static void bend_header(const byte_buf *file, const oss_bend *b)
{
    const size_t n = strlen(b->find), m = strlen(b->put);
    byte_buf out = {0};
    put_bytes(&out, file->p, file->n);
    unsigned char *p = memmem(out.p, out.n, b->find, n);
    if (!p || m > n) fail_msg("%s: not in the header", b->find);
    const bool name = b->find[n - 1] != ']'; /* whose quotation mark is moved too */
    memset(p, ' ', n + name);
    memcpy(p, b->put, m);
    if (name) p[m] = '"';
    save_bytes(&out, at("oss/model.safetensors"));
    drop_bytes(&out);
}

static void bent_files_of_gpt_oss(void **state)
{
    (void)state;
    model_build b = {.c = tiny_config(),
        .seed = 3,
        .arch = "GptOssForCausalLM",
        .more = OSS ", \"quantization_config\": {\"quant_method\": \"mxfp4\"}"};
    byte_buf file = {0};
    b.c.dim = 64;
    b.c.ffn = b.c.expert_ffn = 96;
    b.c.experts = 5;
    b.c.experts_used = 2;
    b.qkv_bias = b.o_bias = true;
    build_hf(&b, at("oss"));
    FILE *f = fopen(at("oss/model.safetensors"), "rb");
    assert_non_null(f);
    unsigned char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) put_bytes(&file, piece, n);
    fclose(f);
    for (size_t i = 0; i < sizeof oss_bends / sizeof *oss_bends; i++) {
        rg_err err = {0};
        rg_ckpt *c = NULL;
        bend_header(&file, &oss_bends[i]);
        const rg_status st = rg_ckpt_open(&c, at("oss"), &err);
        if (st != RG_E_FILE || !strstr(err.msg, oss_bends[i].says) || strchr(err.msg, '\n'))
            fail_msg("%s: %d: %s\n   expected %s", oss_bends[i].put, (int)st, err.msg, oss_bends[i].says);
    }
    save_bytes(&file, at("oss/model.safetensors"));
    rg_ckpt_close(must_open(at("oss")));
    drop_bytes(&file);
    build_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(experts_of_gpt_oss),
        cmocka_unit_test(bent_files_of_gpt_oss), cmocka_unit_test(floats_of_hugging_face),
        cmocka_unit_test(every_type_of_gguf), cmocka_unit_test(every_grid),
        cmocka_unit_test(each_part_has_its_resident_type), cmocka_unit_test(shapes_and_names_are_checked),
        cmocka_unit_test(both_forms_are_refused), cmocka_unit_test(modules_are_whole),
        cmocka_unit_test(gguf_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
