/* Hugging Face directories: safetensors headers that lie, shards, and which file holds what. */
#include "ckpt_fixture.h"

#include <sys/stat.h>

static st_entry tiny[MAX_ENTRIES];
static long long tiny_bytes;

static int setup(void **state)
{
    (void)state;
    tiny_bytes = st_entries(tiny);
    config_write(at("config.json"), NULL);
    return 0;
}

static const char *model(void) { return at("model.safetensors"); }

static void refuse(
    const char *label, const st_entry *e, int n, long long bytes, rg_status code, const char *word)
{
    st_write(model(), e, n, bytes);
    must_refuse(label, model(), code, word);
}

static void a_good_file_opens(void **state)
{
    (void)state;
    st_write(model(), tiny, TINY_TENSORS, tiny_bytes);
    rg_ckpt *c = must_open(model());
    assert_string_equal(rg_ckpt_format(c), "safetensors");
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
    assert_int_equal(rg_ckpt_weight_bytes(c), tiny_bytes);
    assert_int_equal(rg_ckpt_params(c), tiny_bytes / 4);
    assert_null(rg_ckpt_tokenizer_path(c));
    rg_ckpt_close(c);
    write_text(at("tokenizer.json"), "{}");
    char dir[512];
    snprintf(dir, sizeof dir, "%s", model());
    *strrchr(dir, '/') = 0;
    c = must_open(dir);
    assert_non_null(strstr(rg_ckpt_tokenizer_path(c), "/tokenizer.json"));
    rg_ckpt_close(c);
    remove(at("tokenizer.json"));
}

typedef struct bend {
    const char *label;
    int i; /* entry */
    const char *name, *dtype, *shape;
    long long begin, end; /* added */
    long long data;       /* added to the bytes of data */
    rg_status code;
    const char *word;
} bend;

static const bend bends[] = {
    {"dtype too small", 2, NULL, "F16", NULL, 0, 0, 0, RG_E_FILE, "4096 bytes"},
    {"unknown dtype", 2, NULL, "F33", NULL, 0, 0, 0, RG_E_FILE, "F33"},
    {"integer dtype", 2, NULL, "I32", NULL, 0, 0, 0, RG_E_UNSUPPORTED, "I32"},
    {"another shape", 2, NULL, NULL, "[16,64]", 0, 0, 0, RG_E_FILE, "expected [32, 32]"},
    {"transposed", 9, NULL, NULL, "[64,32]", 0, 0, 0, RG_E_FILE, "expected [32, 64]"},
    {"rank 3", 2, NULL, NULL, "[1,32,32]", 0, 0, 0, RG_E_FILE, "3 dimensions"},
    {"rank 0", 10, NULL, NULL, "[]", 0, -124, -124, RG_E_FILE, "0 dimensions"},
    {"dimension 0", 10, NULL, NULL, "[0]", 0, -128, -128, RG_E_FILE, "expected [1, 32]"},
    {"negative dimension", 2, NULL, NULL, "[-32,32]", 0, 0, 0, RG_E_FILE, "shape"},
    {"fraction", 2, NULL, NULL, "[32.0,32]", 0, 0, 0, RG_E_FILE, "shape"},
    {"shape is a number", 2, NULL, NULL, "32", 0, 0, 0, RG_E_FILE, "missing"},
    {"product wraps", 2, NULL, NULL, "[4294967296,4294967296]", 0, 0, 0, RG_E_FILE, "shape"},
    {"product wraps to the right size", 2, NULL, NULL, "[4611686018427387905,1024]", 0, 0, 0, RG_E_FILE,
        "shape"},
    {"beyond the file", 10, NULL, NULL, NULL, 0, 4, 0, RG_E_FILE, "outside"},
    {"end before begin", 10, NULL, NULL, NULL, 0, -200, 0, RG_E_FILE, "outside"},
    {"2^62", 10, NULL, NULL, NULL, 1LL << 62, 1LL << 62, 0, RG_E_FILE, "outside"},
    {"negative", 0, NULL, NULL, NULL, -4, -4, 0, RG_E_FILE, "outside"},
    {"hole in front", 0, NULL, NULL, NULL, 4, 4, 4, RG_E_FILE, NULL},
    {"overlap", 3, NULL, NULL, NULL, -4, -4, 0, RG_E_FILE, "overlap"},
    {"hole", 10, NULL, NULL, NULL, 4, 4, 4, RG_E_FILE, "hole"},
    {"bytes behind", 10, NULL, NULL, NULL, 0, 0, 4, RG_E_FILE, "truncated or damaged"},
    {"bytes missing", 10, NULL, NULL, NULL, 0, 0, -4, RG_E_FILE, "outside"},
    {"missing tensor", 4, "model.layers.0.self_attn.rotary_emb.inv_freq", NULL, NULL, 0, 0, 0, RG_E_FILE,
        "blk.0.attn_v is missing"},
    {"another layer", 4, "model.layers.1.self_attn.v_proj.weight", NULL, NULL, 0, 0, 0, RG_E_FILE, "layer 1"},
    {"layer 4294967296", 4, "model.layers.4294967296.self_attn.v_proj.weight", NULL, NULL, 0, 0, 0,
        RG_E_UNSUPPORTED, NULL},
    {"same layer, written otherwise", 4, "model.layers.00.self_attn.k_proj.weight", NULL, NULL, 0, 0, 0,
        RG_E_FILE, "twice"},
    {"name twice", 4, "model.layers.0.self_attn.k_proj.weight", NULL, NULL, 0, 0, 0, RG_E_FILE, NULL},
    {"bias", 10, "model.layers.0.self_attn.q_proj.bias", NULL, NULL, 0, 0, 0, RG_E_FILE, "bias"},
    {"QK-norm", 10, "model.layers.0.self_attn.q_norm.weight", NULL, NULL, 0, 0, 0, RG_E_UNSUPPORTED,
        "q_norm.weight is not part of a Llama model"},
    {"unknown tensor", 10, "model.vision_tower.weight", NULL, NULL, 0, 0, 0, RG_E_UNSUPPORTED,
        "not part of a Llama model"},
    {"NUL in a name", 10, "model.norm.weight\\u0000x", NULL, NULL, 0, 0, 0, RG_E_FILE, NULL},
};

static void every_lie_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bends / sizeof *bends; i++) {
        const bend *b = &bends[i];
        st_entry e[MAX_ENTRIES];
        memcpy(e, tiny, sizeof e);
        if (b->name) snprintf(e[b->i].name, sizeof e->name, "%s", b->name);
        if (b->dtype) snprintf(e[b->i].dtype, sizeof e->dtype, "%s", b->dtype);
        if (b->shape) snprintf(e[b->i].shape, sizeof e->shape, "%s", b->shape);
        e[b->i].begin += b->begin;
        e[b->i].end += b->end;
        refuse(b->label, e, TINY_TENSORS, tiny_bytes + b->data, b->code, b->word);
    }
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint64_t n;
        const char *text;
    } all[] = {{"length 0", 0, "{}"}, {"length beyond", 3, "{}"}, {"length 2^63", 1ull << 63, "{}"},
        {"length wraps", UINT64_MAX, "{}"}, {"length wraps with 8", UINT64_MAX - 7, "{}"},
        {"not JSON", 4, "{\"a\""}, {"an array", 2, "[]"}, {"no tensors", 2, "{}"},
        {"leading blank", 3, " {}"}, {"an entry that is a number", 7, "{\"a\":1}"},
        {"an empty entry", 8, "{\"a\":{}}"}, {"100 MB and more", (100u << 20) + 1, "{}"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned char b[64];
        put_le(b, all[i].n, 8);
        memcpy(b + 8, all[i].text, strlen(all[i].text));
        write_file(model(), b, 8 + strlen(all[i].text));
        must_refuse(all[i].label, model(), RG_E_FILE, NULL);
        char dir[512]; /* also when the directory says that it is safetensors */
        snprintf(dir, sizeof dir, "%s", model());
        *strrchr(dir, '/') = 0;
        rg_err err;
        assert_int_equal(try_open(dir, &err), RG_E_FILE);
    }
}

static void deep_json_is_refused(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    char *b = malloc(8 + 5 + DEPTH);
    assert_non_null(b);
    put_le((unsigned char *)b, 5 + DEPTH, 8);
    memcpy(b + 8, "{\"a\":", 5);
    memset(b + 13, '[', DEPTH);
    write_file(model(), b, 13 + DEPTH);
    must_refuse("depth", model(), RG_E_FILE, NULL);
    free(b);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    const size_t data = st_write(model(), tiny, TINY_TENSORS, tiny_bytes), size = data + (size_t)tiny_bytes;
    for (size_t n = size; n-- > 0;) {
        if (n > data + 8 && n < size - 8 && n % 509) continue;
        cut_file(model(), n);
        must_refuse("truncated", model(), RG_E_FILE, NULL);
    }
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    const uint64_t seed = 77;
    rg_rng r = {seed};
    size_t n;
    const size_t data = st_write(model(), tiny, TINY_TENSORS, tiny_bytes);
    unsigned char *b = read_all(model(), &n), *copy = malloc(n);
    assert_non_null(copy);
    FILE *f = fopen(model(), "rb+");
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    for (int i = 0; i < 6000; i++) {
        rg_err err;
        static const char marks[] = "0123456789[]{},:\"-.eE\\ ";
        memcpy(copy, b, data);
        for (int k = 0; k < 1 + i % 3; k++) {
            const size_t pos = (size_t)rng_in(&r, i % 50 ? 8 : 0, (int64_t)data - 1);
            copy[pos] = (unsigned char)(i % 4 ? marks[rng_in(&r, 0, (int64_t)sizeof marks - 2)]
                                              : (int)(rng_u64(&r) & 255));
        }
        fseek(f, 0, SEEK_SET);
        fwrite(copy, 1, data, f);
        const rg_status st = try_open(model(), &err);
        if (st != RG_OK && st != RG_E_FILE && st != RG_E_UNSUPPORTED)
            fail_msg("seed %llu, round %d: status %d: %s", (unsigned long long)seed, i, (int)st, err.msg);
    }
    fclose(f);
    free(copy);
    free(b);
}

static void a_tied_model_may_store_either_matrix_or_both(void **state)
{
    (void)state;
    st_entry e[MAX_ENTRIES];
    memcpy(e, tiny, sizeof e);
    snprintf(e[0].name, sizeof e->name, "lm_head.weight");
    st_write(model(), e, TINY_TENSORS, tiny_bytes);
    rg_ckpt *c = must_open(model());
    assert_non_null(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1));
    assert_string_equal(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1)->file_name, "lm_head.weight");
    assert_null(rg_ckpt_find(c, RG_SITE_OUTPUT, -1));
    rg_ckpt_close(c);
    e[11] = (st_entry){.name = "model.embed_tokens.weight",
        .dtype = "F32",
        .shape = "[16,32]",
        .begin = tiny_bytes,
        .end = tiny_bytes + 2048};
    /* the data of both differ (st_write): then they are not tied, whatever the flag says */
    st_write(model(), e, 12, tiny_bytes + 2048);
    c = must_open(model());
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS + 1);
    assert_false(rg_ckpt_config(c)->tied);
    assert_non_null(strstr(rg_ckpt_note(c, 0), "tie_word_embeddings"));
    rg_ckpt_close(c);
    size_t n;
    unsigned char *p = read_all(model(), &n);
    const size_t data = n - (size_t)tiny_bytes - 2048;
    memcpy(p + data + tiny_bytes, p + data, 2048);
    write_file(model(), p, n);
    c = must_open(model());
    assert_string_equal(rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1)->file_name, "model.embed_tokens.weight");
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
    assert_true(rg_ckpt_config(c)->tied);
    assert_null(rg_ckpt_note(c, 0));
    rg_ckpt_close(c);
    free(p);
}

static void an_untied_model_needs_its_output_matrix(void **state)
{
    (void)state;
    config_write(at("config.json"), (const char *const[]){"tie_word_embeddings", "false", NULL});
    refuse("no lm_head", tiny, TINY_TENSORS, tiny_bytes, RG_E_FILE, "tie_word_embeddings");
    st_entry e[MAX_ENTRIES];
    memcpy(e, tiny, sizeof e);
    e[11] = (st_entry){.name = "lm_head.weight",
        .dtype = "F32",
        .shape = "[16,32]",
        .begin = tiny_bytes,
        .end = tiny_bytes + 2048};
    st_write(model(), e, 12, tiny_bytes + 2048);
    rg_ckpt *c = must_open(model());
    assert_non_null(rg_ckpt_find(c, RG_SITE_OUTPUT, -1));
    rg_ckpt_close(c);
    config_write(at("config.json"), NULL);
}

static void types_may_differ_between_tensors(void **state)
{
    (void)state;
    st_entry e[MAX_ENTRIES];
    memcpy(e, tiny, sizeof e);
    long long pos = 0;
    for (int i = 0; i < TINY_TENSORS; i++) {
        const long long n = (e[i].end - e[i].begin) / (i % 3 ? 2 : 1);
        if (i % 3) snprintf(e[i].dtype, sizeof e->dtype, "%s", i % 3 == 1 ? "F16" : "BF16");
        e[i].begin = pos;
        e[i].end = pos += n;
    }
    st_write(model(), e, TINY_TENSORS, pos);
    rg_ckpt *c = must_open(model());
    assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_NORM, 0)->type, RG_FT_F16);
    assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_Q, 0)->type, RG_FT_BF16);
    assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_K, 0)->type, RG_FT_F32);
    rg_ckpt_close(c);
}

static void shards(void **state)
{
    (void)state;
    char sub[512], p[600], text[2000], whole[1500] = "\"old\":\"b.safetensors\"", half[1500] = "",
                                       exchanged[1500] = "";
    snprintf(sub, sizeof sub, "%s", at("sharded"));
    mkdir(sub, 0777);
    snprintf(p, sizeof p, "%s/config.json", sub);
    config_write(p, NULL);
    st_entry e[MAX_ENTRIES];
    memcpy(e, tiny, sizeof e);
    snprintf(p, sizeof p, "%s/a.safetensors", sub);
    st_write(p, e, 5, e[4].end);
    const long long base = e[5].begin;
    for (int i = 5; i < TINY_TENSORS; i++) {
        e[i].begin -= base;
        e[i].end -= base;
    }
    snprintf(p, sizeof p, "%s/b.safetensors", sub);
    st_write(p, e + 5, TINY_TENSORS - 5, e[TINY_TENSORS - 1].end);
    for (int i = 0; i < TINY_TENSORS; i++) {
        const char file = i < 5 ? 'a' : 'b';
        char *const to[] = {whole, i < 5 ? half : NULL, exchanged};
        for (int k = 0; k < 3; k++)
            if (to[k])
                snprintf(to[k] + strlen(to[k]), 1500 - strlen(to[k]), "%s\"%s\":\"%c.safetensors\"",
                    *to[k] ? "," : "", e[i].name, k == 2 ? 'a' + 'b' - file : file);
    }
    const struct {
        const char *label, *map;
        rg_status code;
        const char *word;
    } all[] = {{"good", whole, RG_OK, NULL}, {"half of it", half, RG_E_FILE, "missing"},
        {"files exchanged", exchanged, RG_E_FILE, "where the index has it"},
        {"names of no model", "\"x\":\"a.safetensors\"", RG_E_FILE, "no tensors"},
        {"a path", "\"x\":\"../sharded/a.safetensors\"", RG_E_FILE, "not a plain file name"},
        {"an absolute path", "\"x\":\"/etc/passwd\"", RG_E_FILE, "not a plain file name"},
        {"parent", "\"x\":\"..\"", RG_E_FILE, "not a plain file name"},
        {"itself", "\"x\":\".\"", RG_E_FILE, NULL},
        {"no name", "\"x\":\"\"", RG_E_FILE, "not a plain file name"},
        {"a number", "\"x\":1", RG_E_FILE, "not a plain file name"},
        {"no such file", "\"x\":\"c.safetensors\"", RG_E_FILE, "c.safetensors"},
        {"a file that is no shard", "\"x\":\"config.json\"", RG_E_FILE, "config.json"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_err err;
        snprintf(p, sizeof p, "%s/model.safetensors.index.json", sub);
        snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":1},\"weight_map\":{%s}}", all[i].map);
        write_text(p, text);
        const rg_status st = try_open(sub, &err);
        if (st != all[i].code || (all[i].word && !strstr(err.msg, all[i].word)))
            fail_msg("%s: status %d: %s", all[i].label, (int)st, err.msg);
    }
    for (size_t i = 0; i < 3; i++) {
        static const char *const bad[] = {"{", "[]", "{\"weight_map\": 3}"};
        rg_err err;
        write_text(p, bad[i]);
        assert_int_equal(try_open(sub, &err), RG_E_FILE);
    }
    drop_hf(sub);
}

/* weight_map says where a tensor is read: copies elsewhere and tensors it does not name are not part of the
 * checkpoint, and need not even be of a type we know. */
static void scales_of_a_cache_are_noted(void **state)
{
    (void)state;
    st_entry e[MAX_ENTRIES];
    memcpy(e, tiny, sizeof e);
    e[11] = (st_entry){.name = "model.layers.0.self_attn.k_scale",
        .dtype = "F32",
        .shape = "[]",
        .begin = tiny_bytes,
        .end = tiny_bytes + 4};
    e[12] = (st_entry){.name = "model.layers.0.self_attn.v_proj.output_scale",
        .dtype = "BF16",
        .shape = "[2]",
        .begin = tiny_bytes + 4,
        .end = tiny_bytes + 8};
    st_write(model(), e, 13, tiny_bytes + 8);
    rg_ckpt *c = must_open(model());
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
    assert_non_null(strstr(rg_ckpt_note(c, 0), "self_attn.k_scale"));
    assert_non_null(strstr(rg_ckpt_note(c, 1), "v_proj.output_scale"));
    rg_ckpt_close(c);
    /* of a weight they are no such thing */
    snprintf(e[11].name, sizeof e->name, "model.layers.0.self_attn.k_proj.weight_scale");
    refuse("a scale of weights", e, 13, tiny_bytes + 8, RG_E_UNSUPPORTED, "weight_scale");
}

static void the_index_decides(void **state)
{
    (void)state;
    char sub[512], p[600], text[2500] = "{\"weight_map\":{";
    snprintf(sub, sizeof sub, "%s", at("overlaid"));
    mkdir(sub, 0777);
    snprintf(p, sizeof p, "%s/config.json", sub);
    config_write(p, NULL);
    st_entry e[MAX_ENTRIES];
    memcpy(e, tiny, sizeof e);
    e[11] = (st_entry){.name = "model.layers.0.mlp.gate_proj.weight_old",
        .dtype = "F6_E2M3",
        .shape = "[16,8]",
        .begin = tiny_bytes,
        .end = tiny_bytes + 96};
    snprintf(p, sizeof p, "%s/base.safetensors", sub);
    st_write(p, e, 12, tiny_bytes + 96);
    st_entry o[2] = {{.name = "model.norm.weight", .dtype = "F32", .shape = "[32]", .begin = 4, .end = 132},
        {.name = "pad", .dtype = "U8", .shape = "[4]", .begin = 0, .end = 4}};
    snprintf(p, sizeof p, "%s/overlay.safetensors", sub);
    st_write(p, o, 2, 132);
    for (int i = 0; i < TINY_TENSORS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"%s\":\"%s.safetensors\"", i ? "," : "",
            e[i].name, strcmp(e[i].name, "model.norm.weight") == 0 ? "overlay" : "base");
    strcat(text, "}}");
    snprintf(p, sizeof p, "%s/model.safetensors.index.json", sub);
    write_text(p, text);
    rg_ckpt *c = must_open(sub);
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
    float got;
    memcpy(&got, rg_ckpt_find(c, RG_SITE_OUTPUT_NORM, -1)->data, 4);
    const unsigned char second[] = {4, 5, 6, 0x3d}; /* of the overlay's data, st_write */
    assert_memory_equal(&got, second, 4);
    assert_non_null(strstr(rg_ckpt_note(c, 0), "3 tensors are in other files"));
    assert_null(rg_ckpt_note(c, 1));
    rg_ckpt_close(c);
    /* a single file goes before the index */
    snprintf(p, sizeof p, "%s/model.safetensors", sub);
    st_write(p, tiny, TINY_TENSORS, tiny_bytes);
    c = must_open(sub);
    assert_non_null(strstr(rg_ckpt_note(c, 0), "goes first"));
    assert_null(rg_ckpt_note(c, 1));
    rg_ckpt_close(c);
    /* an adapter is not applied */
    snprintf(p, sizeof p, "%s/adapter_config.json", sub);
    write_text(p, "{}");
    c = must_open(sub);
    assert_non_null(strstr(rg_ckpt_note(c, 1), "not applied"));
    rg_ckpt_close(c);
    drop_hf(sub);
}

static void absent_files_are_named(void **state)
{
    (void)state;
    char sub[512], p[600];
    snprintf(sub, sizeof sub, "%s", at("empty"));
    mkdir(sub, 0777);
    must_refuse("an empty directory", sub, RG_E_FILE, "config.json");
    snprintf(p, sizeof p, "%s/config.json", sub);
    config_write(p, NULL);
    must_refuse("no weights", sub, RG_E_FILE, "model.safetensors");
    must_refuse("nothing", at("nothing"), RG_E_FILE, NULL);
    snprintf(p, sizeof p, "%s/pytorch_model.bin", sub);
    write_text(p, "x");
    rg_err err;
    assert_int_equal(try_open(sub, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "pytorch_model.bin"));
    write_text(at("none.safetensors"), "");
    must_refuse("an empty file", at("none.safetensors"), RG_E_FILE, "empty");
    drop_hf(sub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_good_file_opens),
        cmocka_unit_test(every_lie_is_refused), cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(deep_json_is_refused), cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(random_damage_never_crashes),
        cmocka_unit_test(a_tied_model_may_store_either_matrix_or_both),
        cmocka_unit_test(an_untied_model_needs_its_output_matrix),
        cmocka_unit_test(types_may_differ_between_tensors), cmocka_unit_test(shards),
        cmocka_unit_test(the_index_decides), cmocka_unit_test(scales_of_a_cache_are_noted),
        cmocka_unit_test(absent_files_are_named)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
