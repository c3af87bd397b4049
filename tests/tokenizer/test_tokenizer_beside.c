/* What lies beside a tokenizer: BOS and EOS by class, tokens that the tokenizer's own file lacks. */
#include "tok_files.h"

#include "tempdir.h"

static void write_bytes(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(temp_at(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

static void write_or_remove(const char *name, const char *text)
{
    if (text)
        write_bytes(name, text, strlen(text));
    else
        unlink(temp_at(name));
}

typedef struct files {
    const char *config, *map, *added;
} files;

static rg_status open_with(rg_tokenizer **t, const char *name, const files *f, int64_t vocab, rg_err *err)
{
    *err = (rg_err){0};
    write_or_remove("tokenizer_config.json", f->config);
    write_or_remove("special_tokens_map.json", f->map);
    write_or_remove("added_tokens.json", f->added);
    return rg_tokenizer_open(t, temp_at(name), vocab, err);
}

/* "a" and "b" behind the bytes; BOS 1 in the template. */
static void write_json(const char *post)
{
    blob b = make_json(
        &(json_parts){.vocab = ",\"a\":259,\"b\":260,\"" SPACE "\":261", .merges = "", .post = post}, false);
    write_bytes("tokenizer.json", b.p, b.n);
    drop(&b);
}

#define CLASS(name) "{\"tokenizer_class\":\"" name "\",\"bos_token\":\"<s>\",\"eos_token\":\"</s>\""
#define NO_TEMPLATE "{\"type\":\"ByteLevel\",\"trim_offsets\":true}"

static void by_class(void **state)
{
    (void)state;
    static const struct {
        const char *post, *config;
        int first, last; /* -1: none */
    } rows[] = {
        {NO_TEMPLATE, CLASS("LlamaTokenizer") ",\"add_bos_token\":true}", 1, -1},
        {NO_TEMPLATE, CLASS("LlamaTokenizer") "}", 1, -1},
        {NO_TEMPLATE, CLASS("GemmaTokenizerFast") ",\"add_eos_token\":true}", 1, 2},
        {NO_TEMPLATE, CLASS("CohereTokenizerFast") ",\"add_bos_token\":null}", 1, -1},
        {NO_TEMPLATE, CLASS("CodeLlamaTokenizerFast") "}", 1, -1},
        {BOS_POST, CLASS("GemmaTokenizer") ",\"add_bos_token\":false}", -1, -1},
        {BOS_POST, CLASS("LlamaTokenizerFast") ",\"add_bos_token\":false,\"add_eos_token\":true}", -1, 2},
        /* other classes leave the template alone */
        {BOS_POST, CLASS("PreTrainedTokenizerFast") ",\"add_bos_token\":false}", 1, -1},
        {NO_TEMPLATE, CLASS("Qwen2Tokenizer") ",\"add_bos_token\":true}", -1, -1},
        {NO_TEMPLATE, CLASS("LlamaTokenizerFaster") "}", -1, -1},
        {BOS_POST, "{\"model_max_length\":1000000000000000019884624838656}", 1, -1},
        /* BOS as an object, and from the older file */
        {NO_TEMPLATE,
            "{\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":{\"content\":\"</s>\",\"lstrip\":false}}",
            2, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rg_tokenizer *t;
        rg_err err;
        int32_t *ids;
        size_t n;
        write_json(rows[i].post);
        if (open_with(&t, "tokenizer.json", &(files){.config = rows[i].config}, 0, &err) != RG_OK)
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(rg_tokenizer_encode(t, "b", 1, RG_TOK_BOS, &ids, &n, &err), RG_OK);
        const int first = ids[0] != 261 ? ids[0] : -1, last = ids[n - 1] != 260 ? ids[n - 1] : -1;
        if (first != rows[i].first || last != rows[i].last)
            fail_msg("row %zu: %d %d, expected %d %d", i, first, last, rows[i].first, rows[i].last);
        assert_int_equal(rg_tokenizer_adds_bos(t), first >= 0);
        free(ids);
        rg_tokenizer_close(t);
    }
    rg_tokenizer *t;
    rg_err err;
    write_json(NO_TEMPLATE);
    assert_int_equal(
        open_with(&t, "tokenizer.json",
            &(files){.config = "{\"tokenizer_class\":\"LlamaTokenizer\"}", .map = "{\"bos_token\":\"</s>\"}"},
            0, &err),
        RG_OK);
    assert_int_equal(rg_tokenizer_bos(t), 2);
    CHECK_IDS(t, "b", RG_TOK_BOS, 2, 261, 260);
    rg_tokenizer_close(t);
}

#define IM \
    "\"added_tokens_decoder\":{\"262\":{\"content\":\"<|im_start|>\",\"special\":true},\"263\":{" \
    "\"content\":\"<x>\"," \
    "\"rstrip\":true,\"normalized\":false,\"special\":false,\"__type\":\"AddedToken\"}}"

static void tokens_of_other_files(void **state)
{
    (void)state;
    rg_tokenizer *t;
    rg_err err;
    write_json(BOS_POST);
    assert_int_equal(open_with(&t, "tokenizer.json", &(files){.config = "{" IM "}"}, 0, &err), RG_OK);
    CHECK_IDS(t, "<|im_start|>b", RG_TOK_SPECIAL, 262, 261, 260);
    CHECK_IDS(t, "<x>  b", 0, 263, 261, 260); /* rstrip */
    rg_tokenizer_close(t);
    /* the older files; special are those that have a role */
    const files older = {.map = "{\"additional_special_tokens\":[\"<y>\",{\"content\":\"<z>\"}]}",
        .added = "{\"<y>\":262,\"<w>\":263}"};
    assert_int_equal(open_with(&t, "tokenizer.json", &older, 0, &err), RG_OK);
    assert_true(rg_tokenizer_is_control(t, 262));
    assert_false(rg_tokenizer_is_control(t, 263));
    assert_int_equal(rg_tokenizer_find(t, "<z>"), 264); /* the next id */
    rg_tokenizer_close(t);
    /* a role of a piece that the model has */
    assert_int_equal(
        open_with(&t, "tokenizer.json", &(files){.config = "{\"pad_token\":\"b\"}"}, 0, &err), RG_OK);
    assert_true(rg_tokenizer_is_control(t, 260));
    rg_tokenizer_close(t);
    /* [PAD] beyond the model's rows */
    assert_int_equal(
        open_with(&t, "tokenizer.json", &(files){.config = "{\"pad_token\":\"[PAD]\"}"}, 262, &err), RG_OK);
    CHECK_IDS(t, "[PAD]", RG_TOK_SPECIAL, 262);
    rg_tokenizer_close(t);
    assert_int_equal(open_with(&t, "tokenizer.json", &(files){0}, 261, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "another model"));
}

/* What chat templates call bos_token, eos_token, unk_token and pad_token. */
static void roles_of_templates(void **state)
{
    (void)state;
    static const struct {
        files f;
        const char *role[RG_ROLES];
    } rows[] = {{{0}, {"<s>", "</s>", NULL, NULL}},
        {{.config = "{\"bos_token\":null,\"eos_token\":\"\",\"unk_token\":{\"content\":\"<unk>\"}}"},
            {NULL, NULL, "<unk>", NULL}},
        {{.config = "{\"bos_token\":\"<new>\",\"pad_token\":\"a\"}",
             .map = "{\"eos_token\":\"b\",\"unk_token\":\"<unk>\",\"pad_token\":\"[PAD]\"}"},
            {"<new>", "b", "<unk>", "[PAD]"}}};
    write_json(BOS_POST);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rg_tokenizer *t;
        rg_err err;
        if (open_with(&t, "tokenizer.json", &rows[i].f, 0, &err) != RG_OK) fail_msg("%s", err.msg);
        for (int k = 0; k < RG_ROLES; k++) {
            const char *got = rg_tokenizer_role(t, (rg_tok_role)k), *want = rows[i].role[k];
            if (want ? !got || strcmp(got, want) != 0 : got != NULL)
                fail_msg("row %zu, role %d: %s, expected %s", i, k, got ? got : "none", want ? want : "none");
        }
        rg_tokenizer_close(t);
    }
}

/* add_prefix_space of tokenizer_config.json goes before that of a ByteLevel that stands in no Sequence. */
static void spaces_in_front(void **state)
{
    (void)state;
#define BYTES(prefix) "{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix ",\"use_regex\":false}"
    static const struct {
        const char *pre, *config;
        bool space;
    } rows[] = {{BYTES("false"), "{\"add_prefix_space\":true}", true},
        {BYTES("true"), "{\"add_prefix_space\":false}", false}, {BYTES("true"), "{}", true},
        {BYTES("true"), "{\"add_prefix_space\":null}", true}, {BYTES("false"), NULL, false},
        {"{\"type\":\"Sequence\",\"pretokenizers\":[" BYTES("true") "]}", "{\"add_prefix_space\":false}",
            true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rg_tokenizer *t;
        rg_err err;
        blob b = make_json(&(json_parts){.pre = rows[i].pre}, true);
        write_bytes("tokenizer.json", b.p, b.n);
        drop(&b);
        if (open_with(&t, "tokenizer.json", &(files){.config = rows[i].config}, 0, &err) != RG_OK)
            fail_msg("row %zu: %s", i, err.msg);
        if (rows[i].space)
            CHECK_IDS(t, "b", 0, ' ', 'b');
        else
            CHECK_IDS(t, "b", 0, 'b');
        rg_tokenizer_close(t);
    }
}

static void beside_a_sentencepiece_model(void **state)
{
    (void)state;
    const piece p[] = {{SPACE, -9, 1}, {"u", -7, 1}, {SPACE "u", -3, 1}, {"<old>", 0, 4}};
    enum { SP = FREE, U, SP_U, OLD };
    blob b = make_sp(p, 4, &(sp_opts){0});
    write_bytes("tokenizer.model", b.p, b.n);
    drop(&b);
    rg_tokenizer *t;
    rg_err err;
    const files decoder = {.config = "{\"tokenizer_class\":\"LlamaTokenizer\",\"eos_token\":\"<|im_end|>\","
                                     "\"added_tokens_decoder\":{\"263\":{"
                                     "\"content\":\"<|im_end|>\",\"special\":true},\"262\":{\"content\":\"<"
                                     "new>\",\"special\":true}}}"};
    assert_int_equal(open_with(&t, "tokenizer.model", &decoder, 0, &err), RG_OK);
    CHECK_IDS(
        t, "u<|im_end|>u", RG_TOK_BOS | RG_TOK_SPECIAL, 1, SP_U, OLD + 1, U); /* prefix at the start alone */
    CHECK_IDS(t, "<new>", RG_TOK_SPECIAL, OLD);
    assert_int_equal(rg_tokenizer_eos(t), OLD + 1);
    assert_true(rg_tokenizer_is_end(t, OLD + 1));
    rg_tokenizer_close(t);
    const files legacy = {.config = "{\"legacy\":true,\"add_bos_token\":false,\"add_eos_token\":true}",
        .added = "{\"<t>\":263}"};
    assert_int_equal(open_with(&t, "tokenizer.model", &legacy, 0, &err), RG_OK);
    CHECK_IDS(t, "u<t>u", RG_TOK_BOS, SP_U, OLD + 1, SP_U, 2);
    rg_tokenizer_close(t);
    assert_int_equal(open_with(&t, "tokenizer.model", &(files){0}, 0, &err), RG_OK);
    CHECK_IDS(t, "u", RG_TOK_BOS, 1, SP_U);
    rg_tokenizer_close(t);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        files f;
        const char *says;
    } rows[] = {{{.config = "{"}, "tokenizer_config.json"}, {{.config = "[]"}, "object"},
        {{.config = "{\"a\":1,\"a\":2}"}, "duplicate"},
        {{.config = "{\"add_bos_token\":1}"}, "add_bos_token"},
        {{.config = "{\"add_eos_token\":\"yes\"}"}, "add_eos_token"},
        {{.config = "{\"add_prefix_space\":1}"}, "add_prefix_space"},
        {{.config = "{\"legacy\":2}"}, "legacy"}, {{.config = "{\"tokenizer_class\":7}"}, "tokenizer_class"},
        {{.config = "{\"bos_token\":7}"}, "bos_token"},
        {{.config = "{\"eos_token\":{\"content\":7}}"}, "eos_token"},
        {{.config = "{\"additional_special_tokens\":7}"}, "additional_special_tokens"},
        {{.config = "{\"additional_special_tokens\":[7]}"}, "additional_special_tokens[0]"},
        {{.config = "{\"extra_special_tokens\":{\"x\":7}}"}, "extra_special_tokens.x"},
        {{.config = "{\"added_tokens_decoder\":[]}"}, "added_tokens_decoder"},
        {{.config = "{\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}"}, "\"x\""},
        {{.config = "{\"added_tokens_decoder\":{\"-1\":{\"content\":\"a\"}}}"}, "\"-1\""},
        {{.config = "{\"added_tokens_decoder\":{\"99999999999\":{\"content\":\"a\"}}}"}, "99999999999"},
        {{.config = "{\"added_tokens_decoder\":{\"999999999\":{\"content\":\"<q>\"}}}"}, "999999999"},
        {{.config = "{\"added_tokens_decoder\":{\"262\":{}}}"}, "content"},
        {{.config = "{\"added_tokens_decoder\":{\"262\":{\"content\":\"\"}}}"}, "empty"},
        {{.config = "{\"added_tokens_decoder\":{\"262\":{\"content\":\"<q>\",\"special\":3}}}"}, "special"},
        {{.config = "{\"added_tokens_decoder\":{\"262\":{\"content\":\"<s>\"}}}"}, "different tokenizers"},
        {{.config = "{\"added_tokens_decoder\":{\"262\":{\"content\":\"a\"}}}"}, "different tokenizers"},
        {{.config = "{\"added_tokens_decoder\":{\"260\":{\"content\":\"<q>\"}}}"}, "different tokenizers"},
        {{.added = "{\"<q>\":\"262\"}"}, "integer"}, {{.added = "{\"<q>\":-4}"}, "-4"},
        {{.map = "{\"pad_token\":[]}"}, "pad_token"},
        {{.config = "{\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":null}"}, "bos_token is null"},
        {{.config = "{\"tokenizer_class\":\"GemmaTokenizer\"}"}, "<bos>"}};
    write_json(BOS_POST);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rg_tokenizer *t = NULL;
        rg_err err;
        const rg_status st = open_with(&t, "tokenizer.json", &rows[i].f, 0, &err);
        if ((st != RG_E_FILE && st != RG_E_UNSUPPORTED) || !strstr(err.msg, rows[i].says) ||
            strchr(err.msg, '\n') || t)
            fail_msg("row %zu: %d %s, expected %s", i, st, err.msg, rows[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_class), cmocka_unit_test(tokens_of_other_files),
        cmocka_unit_test(roles_of_templates), cmocka_unit_test(spaces_in_front),
        cmocka_unit_test(beside_a_sentencepiece_model), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
