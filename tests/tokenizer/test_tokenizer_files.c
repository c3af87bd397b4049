/* SentencePiece models, llama2.c tokenizer.bin, vocabularies inside GGUF files. */
#include "tok_files.h"

static const piece abc[] = {{SPACE, -9, 1}, {"a", -7, 1}, {"b", -8, 1}, {"ab", -1, 1}, {SPACE "ab", -3, 1},
    {"ba", -1, 1}, {"aba", -2, 1}};
enum { SP = FREE, A, B, AB, SP_AB, BA, ABA, N_ABC = 7 };

static void sentencepiece(void **state)
{
    (void)state;
    blob b = make_sp(abc, N_ABC, &(sp_opts){0});
    rg_tokenizer *t = open_ok(&b);
    assert_string_equal(rg_tokenizer_kind(t), "SentencePiece BPE");
    assert_int_equal(rg_tokenizer_bos(t), 1);
    assert_int_equal(rg_tokenizer_eos(t), 2);
    assert_true(rg_tokenizer_is_end(t, 2) && rg_tokenizer_is_control(t, 0));
    CHECK_IDS(t, "ab", RG_TOK_BOS, 1, SP_AB);
    /* ab and ba have one score: the left one first; then aba beats the space */
    CHECK_IDS(t, "aba", 0, SP, ABA);
    CHECK_IDS(t, "a  b", 0, SP, A, SP, SP, B);
    CHECK_IDS(t, "x\xc3\xa9", 0, SP, BYTE0 + 'x', BYTE0 + 0xc3, BYTE0 + 0xa9);
    CHECK_IDS(t,
        "\xc3"
        "a",
        0, SP, BYTE0 + 0xc3, A);
    CHECK_IDS(t, "<s>ab</s>", RG_TOK_SPECIAL, 1, SP_AB, 2);
    CHECK_IDS(t, "<s>", 0, SP, BYTE0 + '<', BYTE0 + 's', BYTE0 + '>');
    for (int i = 0; i < N_HOSTILE; i++)
        if (!strstr(hostile_strings[i], SPACE))
            check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
    drop(&b);

    b = make_sp(abc, N_ABC, &(sp_opts){.squeeze = true});
    t = open_ok(&b);
    CHECK_IDS(t, "  ab   ab ", 0, SP_AB, SP_AB);
    check_ids(t, "   ", 3, 0, NULL, 0, __LINE__);
    rg_tokenizer_close(t);
    drop(&b);

    b = make_sp(abc, N_ABC, &(sp_opts){.no_prefix = true, .no_bytes = true});
    t = open_ok(&b);
    CHECK_IDS(t, "abxyab", 0, AB - 256, 0, AB - 256);
    check_round_trip(t, " ab", 3);
    rg_tokenizer_close(t);
    drop(&b);
}

static void user_defined_and_unused(void **state)
{
    (void)state;
    const piece p[] = {{SPACE, -9, 1}, {"a", -7, 1}, {"b", -8, 1}, {"ab", -1, 5}, {"abb", -2, 1},
        {"b!", 0, 4},
        {"b!"
         "a",
            -1, 1}};
    blob b = make_sp(p, 7, &(sp_opts){0});
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "abb", 0, FREE, FREE + 4);          /* through the unused piece */
    CHECK_IDS(t, "ab", 0, FREE, FREE + 1, FREE + 2); /* but it is never given out */
    CHECK_IDS(t, "ab!a", 0, FREE, FREE + 1, FREE + 5, FREE + 1);
    rg_tokenizer_close(t);
    drop(&b);
}

static void sentencepiece_refusals(void **state)
{
    (void)state;
    static const struct {
        sp_opts o;
        const char *says;
    } rows[] = {
        {{.model_type = 1}, "unigram"}, {{.charsmap = "abc"}, "charsmap"}, {{.suffix = true}, "suffix"}};
    rg_tokenizer *t;
    rg_err err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        blob b = make_sp(abc, N_ABC, &rows[i].o);
        assert_int_equal(open_bytes(&t, b.p, b.n, 0, &err), RG_E_UNSUPPORTED);
        assert_non_null(strstr(err.msg, rows[i].says));
        drop(&b);
    }
    static const struct {
        piece p;
        const char *says;
    } bad[] = {{{"a", 0, 1}, "same piece"}, {{"", 0, 1}, "empty"}, {{"q", NAN, 1}, "finite"},
        {{"q", INFINITY, 1}, "finite"}, {{"q", 0, 7}, "type"}, {{"q", 0, 6}, "byte"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const piece two[2] = {{"a", 0, 1}, bad[i].p};
        blob b = make_sp(two, 2, &(sp_opts){0});
        assert_int_equal(open_bytes(&t, b.p, b.n, 0, &err), RG_E_FILE);
        if (!strstr(err.msg, bad[i].says)) fail_msg("row %zu: %s", i, err.msg);
        drop(&b);
    }
}

static void llama2c(void **state)
{
    (void)state;
    const piece p[] = {{" ", -9, 0}, {"a", -7, 0}, {"b", -8, 0}, {"ab", -1, 0}, {" ab", -3, 0}, {"ba", -1, 0},
        {"aba", -2, 0}};
    blob b = make_bin(p, N_ABC);
    rg_tokenizer *t = open_ok(&b);
    assert_string_equal(rg_tokenizer_kind(t), "llama2.c tokenizer.bin");
    CHECK_IDS(t, "ab", RG_TOK_BOS, 1, SP_AB);
    CHECK_IDS(t, "aba", 0, SP, ABA);
    CHECK_IDS(t, "a  b\n", 0, SP, A, SP, SP, B, BYTE0 + '\n');
    CHECK_IDS(t, SPACE, 0, SP, BYTE0 + 0xe2, BYTE0 + 0x96, BYTE0 + 0x81);
    CHECK_IDS(t, "<s>", RG_TOK_SPECIAL, 1);
    for (int i = 0; i < N_HOSTILE; i++) check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
    rg_err err;
    assert_int_equal(open_bytes(&t, b.p, b.n, FREE + N_ABC, &err), RG_OK);
    rg_tokenizer_close(t);
    assert_int_equal(open_bytes(&t, b.p, b.n, FREE + N_ABC - 1, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "another model"));
    put_bin_piece(&b, "[PAD]", 0); /* added behind what the model knows */
    assert_int_equal(open_bytes(&t, b.p, b.n, FREE + N_ABC, &err), RG_OK);
    assert_int_equal(rg_tokenizer_size(t), FREE + N_ABC + 1);
    CHECK_IDS(t, "ab", RG_TOK_BOS, 1, SP_AB);
    rg_tokenizer_close(t);
    put_bin_piece(&b, "word", 0);
    assert_int_equal(open_bytes(&t, b.p, b.n, FREE + N_ABC, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "another model"));
    drop(&b);
}

static blob gguf_spm(void)
{
    blob b = gguf_start(6);
    char byte[8];
    gguf_string(&b, "general.architecture", "llama");
    gguf_string(&b, "tokenizer.ggml.model", "llama");
    gguf_array(&b, "tokenizer.ggml.tokens", 8, FREE + N_ABC);
    put_str(&b, "<unk>", 5);
    put_str(&b, "<s>", 3);
    put_str(&b, "</s>", 4);
    for (int i = 0; i < 256; i++) {
        snprintf(byte, sizeof byte, "<0x%02X>", i);
        put_str(&b, byte, 6);
    }
    for (int i = 0; i < N_ABC; i++) put_str(&b, abc[i].s, strlen(abc[i].s));
    gguf_array(&b, "tokenizer.ggml.scores", 6, FREE + N_ABC);
    for (int i = 0; i < FREE; i++) put_f32(&b, 0);
    for (int i = 0; i < N_ABC; i++) put_f32(&b, abc[i].score);
    gguf_array(&b, "tokenizer.ggml.token_type", 5, FREE + N_ABC);
    for (int i = 0; i < FREE + N_ABC; i++) put_u32(&b, i == 0 ? 2 : i < 3 ? 3 : i < FREE ? 6 : 1);
    gguf_u32(&b, "tokenizer.ggml.bos_token_id", 1);
    return b;
}

static void gguf_sentencepiece(void **state)
{
    (void)state;
    blob b = gguf_spm();
    rg_tokenizer *t = open_ok(&b);
    assert_string_equal(rg_tokenizer_kind(t), "GGUF SentencePiece BPE");
    CHECK_IDS(t, "ab", RG_TOK_BOS, 1, SP_AB);
    CHECK_IDS(t, "aba", 0, SP, ABA);
    CHECK_IDS(t, "<s>ab</s>", RG_TOK_SPECIAL, 1, SP_AB, 2);
    CHECK_IDS(t, "x", 0, SP, BYTE0 + 'x');
    rg_tokenizer_close(t);
    drop(&b);
}

/* base characters, then he, "Ġhe", <|eot_id|> (control), <x y> (user-defined) */
static blob gguf_bpe(const char *pre)
{
    blob b = gguf_start(pre ? 7 : 6), one = {0};
    gguf_string(&b, "general.architecture", "llama");
    gguf_string(&b, "tokenizer.ggml.model", "gpt2");
    if (pre) gguf_string(&b, "tokenizer.ggml.pre", pre);
    gguf_array(&b, "tokenizer.ggml.tokens", 8, 261);
    for (int i = 0; i < 256; i++) {
        put_byte_char(&one, i);
        const size_t skip = one.n > 1 && one.p[0] == '\\' ? 1 : 0; /* the JSON escape */
        put_str(&b, one.p + skip, one.n - skip);
        drop(&one);
    }
    put_str(&b, "he", 2);
    put_str(&b, "\xc4\xa0he", 4);
    put_str(&b, "<|eot_id|>", 10);
    put_str(&b, "<x y>", 5);
    put_str(&b, "hello", 5);
    gguf_array(&b, "tokenizer.ggml.token_type", 5, 261);
    for (uint32_t i = 0; i < 261; i++) put_u32(&b, i == 258 ? 3 : i == 259 ? 4 : 1);
    gguf_array(&b, "tokenizer.ggml.merges", 8, 2);
    put_str(&b, "h e", 3);
    put_str(&b, "\xc4\xa0 he", 5);
    gguf_u32(&b, "tokenizer.ggml.bos_token_id", 5);
    return b;
}

static void gguf_byte_level(void **state)
{
    (void)state;
    blob b = gguf_bpe("smollm");
    rg_tokenizer *t = open_ok(&b);
    assert_string_equal(rg_tokenizer_kind(t), "GGUF byte-level BPE");
    CHECK_IDS(t, "he he1", RG_TOK_BOS, 256, 257, '1');
    CHECK_IDS(t, "<|eot_id|>", RG_TOK_SPECIAL, 258);
    assert_true(rg_tokenizer_is_end(t, 258));
    CHECK_IDS(t, "h<x y>", 0, 'h', 259);
    CHECK_IDS(t, "hello", 0, 256, 'l', 'l', 'o');
    check_round_trip(t, "h<x y>", 6);
    for (int i = 0; i < N_HOSTILE; i++) check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
    drop(&b);
    b = gguf_bpe("llama-bpe");
    t = open_ok(&b);
    CHECK_IDS(t, "hello", RG_TOK_BOS, 5, 260);
    rg_tokenizer_close(t);
    drop(&b);
    b = gguf_bpe("smaug-bpe"); /* SmolLM3 */
    t = open_ok(&b);
    CHECK_IDS(t, "hello", RG_TOK_BOS, 260);
    rg_tokenizer_close(t);
    drop(&b);

    rg_err err;
    b = gguf_bpe("klingon");
    assert_int_equal(open_bytes(&t, b.p, b.n, 0, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "klingon"));
    drop(&b);
}

/* Every name opens, and cuts where its patterns cut: "he" is merged only inside one word. */
static void gguf_pre_tokenisers(void **state)
{
    (void)state;
    static const struct {
        const char *pre, *text;
        int32_t ids[8]; /* 0 ends */
    } rows[] = {
        {NULL, "he\nhe", {256, '\n', 256}},
        {"default", "$he", {'$', 256}},
        {"qwen35", "h\xcc\x81he", {'h', 0xcc, 0x81, 256}},
        {"gpt-4o", "Hhe", {'H', 256}},
        {"gpt-4o", "hEhe", {'h', 'E', 256}},
        {"llama4", " he", {257}},
        {"deepseek-v3", "!he", {'!', 256}},
        {"deepseek-v3", "\xe4\xb8\x80he", {0xe4, 0xb8, 0x80, 256}},
        {"deepseek-llm", "\nhe", {'\n', 256}},
        {"deepseek-llm", " he", {257}},
        {"deepseek-coder", " he", {257}},
        {"falcon", "`he", {'`', 256}},
        {"minicpm5", "hello", {260}},
        {"glm4", "hello", {256, 'l', 'l', 'o'}},
        {"chatglm-bpe", " he", {257}},
        {"hunyuan-dense", " he", {257}},
        {"exaone4", " he", {257}},
        {"seed-coder", " he", {257}},
        {"kimi-k2", "\xe4\xb8\x80he", {0xe4, 0xb8, 0x80, 256}},
        {"kimi-k2", " he", {257}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        blob b = gguf_bpe(rows[i].pre);
        rg_tokenizer *t = open_ok(&b);
        size_t n = 0;
        while (n < 8 && rows[i].ids[n]) n++;
        check_ids(t, rows[i].text, strlen(rows[i].text), RG_TOK_BOS, rows[i].ids, n, (int)i);
        assert_int_equal(!rows[i].pre || !strcmp(rows[i].pre, "default"),
            strstr(rg_tokenizer_kind(t), "not named") != NULL);
        rg_tokenizer_close(t);
        drop(&b);
    }
}

/* Gemma 4: merges over characters, spaces as U+2581, bytes, whole runs of line breaks, BOS always. */
static blob gguf_gemma4(bool with_bos)
{
    static const char *const more[] = {SPACE, "h", "e", "he", SPACE "he", "\n\n\n"};
    char byte[8];
    blob b = gguf_start(with_bos ? 7 : 5);
    gguf_string(&b, "general.architecture", "llama");
    gguf_string(&b, "tokenizer.ggml.model", "gemma4");
    gguf_array(&b, "tokenizer.ggml.tokens", 8, FREE + 6);
    put_str(&b, "<pad>", 5);
    put_str(&b, "<eos>", 5);
    put_str(&b, "<bos>", 5);
    for (int i = 0; i < 256; i++) put_str(&b, byte, (size_t)snprintf(byte, sizeof byte, "<0x%02X>", i));
    for (int i = 0; i < 6; i++) put_str(&b, more[i], strlen(more[i]));
    gguf_array(&b, "tokenizer.ggml.token_type", 5, FREE + 6);
    for (uint32_t i = 0; i < FREE + 6; i++) put_u32(&b, i < 3 ? 3 : i < FREE ? 6 : 1);
    gguf_array(&b, "tokenizer.ggml.merges", 8, 2);
    put_str(&b, "h e", 3);
    put_str(&b, SPACE " he", 6);
    if (with_bos) {
        gguf_u32(&b, "tokenizer.ggml.bos_token_id", 2);
        gguf_key(&b, "tokenizer.ggml.add_bos_token", 7);
        put(&b, &(char){0}, 1);
    }
    return b;
}

static void gemma4(void **state)
{
    (void)state;
    enum { S = FREE, H, E, HE, S_HE, BREAKS };
    blob b = gguf_gemma4(true);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "he he", RG_TOK_BOS, 2, HE, S_HE);
    CHECK_IDS(t, " h\n\n\nhe", 0, S, H, BREAKS, HE);
    CHECK_IDS(t, "x\n", 0, BYTE0 + 'x', BYTE0 + '\n');
    check_round_trip(t, " he\n\n\n he x", 12);
    rg_tokenizer_close(t);
    drop(&b);
    rg_err err;
    b = gguf_gemma4(false);
    assert_int_equal(open_bytes(&t, b.p, b.n, 0, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "bos_token_id"));
    drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sentencepiece),
        cmocka_unit_test(user_defined_and_unused), cmocka_unit_test(sentencepiece_refusals),
        cmocka_unit_test(llama2c), cmocka_unit_test(gguf_sentencepiece), cmocka_unit_test(gguf_byte_level),
        cmocka_unit_test(gguf_pre_tokenisers), cmocka_unit_test(gemma4)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
