/* Metadata of GGUF files that say a value in another form, ask for what we lack, or are ignored elsewhere. */
#include "ckpt_fixture.h"

#include "model_build.h"

enum { U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STR = 8, ARR = 9, U64 = 10, F64 = 12 };

/* The value of a key that a test puts: bytes of a scalar, or an array of n elements. */
static struct {
    const char *key;
    uint32_t type, elem;
    int n;
    double v[3];
} put;

static void put_value(byte_buf *b, uint32_t type, double v)
{
    const float f = (float)v;
    if (type == F32)
        put_bytes(b, &f, 4);
    else if (type == F64)
        put_bytes(b, &v, 8);
    else if (type == STR) {
        put_int(b, 1, 8);
        put_bytes(b, "x", 1);
    } else
        put_int(b, (uint64_t)(int64_t)v, type == BOOL ? 1 : type == U64 ? 8 : 4);
}

static void put_key(gguf_build *g)
{
    gg_key(g, put.key, put.type);
    if (put.type == ARR) {
        put_int(&g->kv, put.elem, 4);
        put_int(&g->kv, (uint64_t)put.n, 8);
    }
    for (int i = 0; i < (put.type == ARR ? put.n : 1); i++)
        put_value(&g->kv, put.type == ARR ? put.elem : put.type, put.v[i]);
}

typedef struct key_case {
    const char *arch, *key;
    uint32_t type, elem;
    int n;
    double v[3];
    rg_status code;
    const char *word; /* of the refusal or the note; NULL: neither */
} key_case;

static const key_case cases[] = {
    /* one value in other forms */
    {"granite", "attention.head_count_kv", ARR, I32, 2, {2, 2}, RG_OK, NULL},
    {"llama", "attention.head_count_kv", ARR, U64, 3, {2, 2, 2}, RG_OK, NULL},
    {"llama", "attention.head_count_kv", ARR, U32, 2, {2, 1}, RG_E_UNSUPPORTED,
        "head_count_kv is an array of different"},
    {"llama", "attention.head_count_kv", ARR, U32, 0, {0}, RG_E_FILE, "head_count_kv"},
    {"llama", "attention.head_count_kv", ARR, STR, 1, {0}, RG_E_FILE, "head_count_kv"},
    {"llama", "feed_forward_length", ARR, F32, 2, {64, 64}, RG_OK, NULL},
    {"llama", "feed_forward_length", F32, 0, 0, {64.0}, RG_OK, NULL},
    {"llama", "feed_forward_length", F64, 0, 0, {64.5}, RG_E_FILE, "whole number"},
    {"llama", "feed_forward_length", F32, 0, 0, {1e30}, RG_E_FILE, "whole number"},
    {"llama", "feed_forward_length", STR, 0, 0, {0}, RG_E_FILE, "not a number"},
    {"llama", "embedding_length", U64, 0, 0, {32}, RG_OK, NULL},
    {"llama", "rope.freq_base", U32, 0, 0, {10000}, RG_OK, NULL},
    {"llama", "rope.freq_base", F64, 0, 0, {10000}, RG_OK, NULL},
    {"llama", "rope.freq_base", ARR, F32, 2, {10000, 10000}, RG_OK, NULL},
    {"llama", "rope.freq_base", ARR, F32, 2, {10000, 20000}, RG_E_UNSUPPORTED,
        "rope.freq_base is an array of different"},
    /* llama.cpp reads no window of these, and no factors of Llama */
    {"llama", "attention.sliding_window", U32, 0, 0, {8}, RG_OK, "attention.sliding_window"},
    {"granite", "attention.sliding_window", U32, 0, 0, {8}, RG_OK, "attention.sliding_window"},
    {"qwen2", "attention.sliding_window", U32, 0, 0, {0}, RG_OK, NULL},
    {"phi3", "attention.sliding_window", U32, 0, 0, {8}, RG_OK, NULL}, /* Phi-3's is read */
    {"phi3", "attention.sliding_window", U32, 0, 0, {0}, RG_OK, NULL},
    {"phi3", "attention.sliding_window", I32, 0, 0, {-1}, RG_E_FILE, "sliding_window is -1"},
    {"llama", "attention.scale", F32, 0, 0, {0.5}, RG_OK, "not used, as in llama.cpp: attention.scale"},
    {"llama", "logit_scale", F32, 0, 0, {8}, RG_OK, "logit_scale"},
    {"granite", "logit_scale", F32, 0, 0, {8}, RG_OK, NULL},
    {"llama", "no_such_key", ARR, F32, 2, {0, 1}, RG_OK, "no_such_key"},
    {"llama", "no_such_key", ARR, F32, 2, {0, 0}, RG_OK, NULL},
    {"llama", "no_such_key", BOOL, 0, 0, {0}, RG_OK, NULL},
    {"llama", "no\nkey", STR, 0, 0, {0}, RG_OK, "no?key"},
    {"granite", "ssm.conv_kernel", U32, 0, 0, {4}, RG_OK, NULL},
    /* asks for what we lack */
    {"llama", "expert_count", U32, 0, 0, {8}, RG_E_FILE, "experts of a token is -1, expected 1 to 8"},
    {"llama", "expert_count", U32, 0, 0, {2000000000}, RG_E_FILE,
        "number of experts is 2000000000, expected 1 to 1024"},
    {"olmoe", "expert_count", U32, 0, 0, {0}, RG_E_FILE, "number of experts is 0, expected 1 to 1024"},
    {"qwen2", "expert_count", U32, 0, 0, {8}, RG_E_UNSUPPORTED, "mixture of experts"},
    {"llama", "expert_count", U32, 0, 0, {0}, RG_OK, NULL},
    {"llama", "attention.causal", BOOL, 0, 0, {0}, RG_E_UNSUPPORTED, "later tokens"},
    {"llama", "attention.causal", BOOL, 0, 0, {1}, RG_OK, NULL},
    {"llama", "rope.scaling.attn_factor", F32, 0, 0, {1.2}, RG_OK, NULL},
    {"llama", "rope.scaling.attn_factor", F32, 0, 0, {1}, RG_OK, NULL},
    {"llama", "rope.scaling.attn_factor", F32, 0, 0, {0}, RG_E_FILE, "rope.scaling.attn_factor is 0"},
    {"llama", "rope.scaling.attn_factor", F32, 0, 0, {-1}, RG_E_FILE, "rope.scaling.attn_factor is -1"},
    {"llama", "rope.scaling.attn_factor", F32, 0, 0, {NAN}, RG_E_FILE, "rope.scaling.attn_factor is nan"},
    {"granite", "rope.scaling.finetuned", BOOL, 0, 0, {0}, RG_OK, NULL},
    {"granite", "rope.scaling.finetuned", BOOL, 0, 0, {1}, RG_OK, NULL},
    {"llama", "rope.scaling.finetuned", BOOL, 0, 0, {0}, RG_OK, NULL},
    {"llama", "rope.scaling.type", STR, 0, 0, {0}, RG_E_UNSUPPORTED, "rope scaling 'x'"},
};

static void keys_are_read_refused_or_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const key_case *k = &cases[i];
        char key[96];
        model_build b = {.c = tiny_config(),
            .seed = 3,
            .arch = k->arch,
            .skip = key,
            .put = put_key,
            .qkv_bias = strcmp(k->arch, "qwen2") == 0};
        rg_err err = {0};
        rg_ckpt *c = NULL;
        snprintf(key, sizeof key, "%s.%s", k->arch, k->key);
        put.key = key, put.type = k->type, put.elem = k->elem, put.n = k->n;
        memcpy(put.v, k->v, sizeof put.v);
        build_gguf(&b, at("keys.gguf"));
        build_drop(&b);
        const rg_status st = rg_ckpt_open(&c, at("keys.gguf"), &err);
        const char *said = st ? err.msg : rg_ckpt_note(c, 0);
        if (st != k->code || !said != !k->word || (said && !strstr(said, k->word)))
            fail_msg("%s, case %zu: status %d, expected %d with '%s': %s", key, i, (int)st, (int)k->code,
                k->word ? k->word : "(no note)", said ? said : "");
        if (!st) {
            const rg_config *f = rg_ckpt_config(c);
            assert_true(f->kv_heads == 2 && f->ffn == 64 &&
                f->window == (strcmp(k->arch, "phi3") == 0 ? (int64_t)k->v[0] : 0) &&
                f->rope_theta == 10000.0);
            assert_int_equal(rg_layer_rotates(f, 0),
                !(strcmp(k->key, "rope.scaling.finetuned") == 0 && strcmp(k->arch, "granite") == 0 &&
                    k->v[0] == 0.0));
            const double magnitude = strcmp(k->key, "rope.scaling.attn_factor") == 0 ? k->v[0] : 1.0;
            assert_true(f->rope_magnitude == (double)(float)magnitude);
            assert_null(rg_ckpt_note(c, said != NULL));
        }
        rg_ckpt_close(c);
    }
}

/* What llama.cpp must find, it is not guessed. */
static void required_keys(void **state)
{
    (void)state;
    static const char *const keys[][2] = {{"llama.attention.layer_norm_rms_epsilon", "RMSNorm epsilon is -1"},
        {"llama.embedding_length", "hidden size is -1"}, {"llama.block_count", "layers is -1"},
        {"llama.context_length", "context is -1"}, {"llama.attention.head_count", "heads is -1"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        model_build b = {.c = tiny_config(), .seed = 3, .skip = keys[i][0]};
        build_gguf(&b, at("keys.gguf"));
        build_drop(&b);
        must_refuse(keys[i][0], at("keys.gguf"), RG_E_FILE, keys[i][1]);
    }
}

static void other_kinds_of_files(void **state)
{
    (void)state;
    static const char *const types[] = {"model", "adapter", "mmproj", "imatrix"};
    for (int i = 0; i < 4; i++) {
        gguf_build g = {0};
        byte_buf out = {0};
        rg_err err;
        gg_str(&g, "general.architecture", "llama");
        gg_str(&g, "general.type", types[i]);
        static const float zeros[32];
        gg_tensor(&g, "x", 0, 1, (const uint64_t[]){32}, zeros, sizeof zeros);
        gg_finish(&g, &out);
        save_bytes(&out, at("kind.gguf"));
        drop_bytes(&out);
        const rg_status st = try_open(at("kind.gguf"), &err);
        assert_int_equal(st, i ? RG_E_UNSUPPORTED : RG_E_FILE);
        if (i && !strstr(err.msg, types[i])) fail_msg("%s", err.msg);
    }
}

/* Every type that ggml or ik_llama.cpp ever numbered is refused by its name. */
static void types_have_names(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *name;
    } all[] = {{4, "Q4_2, which ggml has removed"}, {5, "Q4_3"}, {9, "Q8_1"}, {16, "IQ2_XXS"}, {24, "I8"},
        {28, "F64"}, {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"}, {34, "TQ1_0"}, {36, "IQ4_NL_4_4"},
        {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {40, "NVFP4"}, {41, "Q1_0"}, {139, "IQ4_K, of ik_llama.cpp"},
        {353, "MXFP4_R8"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        gguf_build g = {0};
        rg_err err;
        static const float zeros[512];
        gg_str(&g, "general.architecture", "llama");
        static const char *const keys[] = {"llama.block_count", "llama.context_length",
            "llama.embedding_length", "llama.feed_forward_length", "llama.vocab_size",
            "llama.attention.head_count"};
        static const uint32_t values[] = {1, 16, 32, 64, 16, 4};
        for (int k = 0; k < 6; k++) gg_u32(&g, keys[k], values[k]);
        gg_f32(&g, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
        gg_tensor(&g, "token_embd.weight", all[i].type, 2, (const uint64_t[]){32, 16}, zeros, sizeof zeros);
        gg_write(&g, at("type.gguf"));
        const rg_status st = try_open(at("type.gguf"), &err);
        if (st != RG_E_UNSUPPORTED || !strstr(err.msg, all[i].name))
            fail_msg("type %u: status %d: %s", all[i].type, (int)st, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_read_refused_or_noted),
        cmocka_unit_test(required_keys), cmocka_unit_test(other_kinds_of_files),
        cmocka_unit_test(types_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
