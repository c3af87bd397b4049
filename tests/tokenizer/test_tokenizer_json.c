/* tokenizer.json: every part that real Llama models use, and refusal of every other by name. */
#include "tok_fixture.h"

#include "tokenizer/pretok.h"

static void byte_fallback(void **state)
{
    (void)state;
    blob b = make_json(&(json_parts){0}, false);
    rg_tokenizer *t = open_ok(&b);
    assert_string_equal(rg_tokenizer_kind(t), "tokenizer.json BPE with byte fallback");
    assert_int_equal(rg_tokenizer_size(t), 265);
    assert_int_equal(rg_tokenizer_bos(t), 1);
    assert_int_equal(rg_tokenizer_eos(t), 2);
    assert_true(rg_tokenizer_is_end(t, 2) && !rg_tokenizer_is_end(t, 1) && rg_tokenizer_is_control(t, 1) &&
        !rg_tokenizer_is_control(t, 260));
    CHECK_IDS(t, "ab", RG_TOK_BOS, 1, 263);
    CHECK_IDS(t, "ab", 0, 263);
    CHECK_IDS(t, "abab", 0, 263, 262); /* the space merges before the pair of pairs */
    CHECK_IDS(t, "aabab", 0, 259, 260, 264);
    CHECK_IDS(t, "b a", 0, 259, 261, 259, 260);
    CHECK_IDS(t, "\xc3\xa9", 0, 259, BYTE0 + 0xc3, BYTE0 + 0xa9);
    CHECK_IDS(t, "a\xff\xc3", 0, 259, 260, BYTE0 + 0xff, BYTE0 + 0xc3); /* not UTF-8 */
    check_ids(t, "a\0b", 3, 0, (const int32_t[]){259, 260, BYTE0, 261}, 4, __LINE__);
    check_ids(t, "", 0, RG_TOK_BOS, (const int32_t[]){1}, 1, __LINE__);
    check_ids(t, "", 0, 0, NULL, 0, __LINE__);
    size_t len;
    assert_string_equal(rg_tokenizer_piece(t, 263, &len), SPACE "ab");
    assert_int_equal(len, 5);
    assert_string_equal(rg_tokenizer_piece(t, 265, &len), "");
    assert_string_equal(rg_tokenizer_piece(t, -1, NULL), "");
    for (int i = 0; i < N_HOSTILE; i++)
        if (!strstr(hostile_strings[i], SPACE))
            check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
    drop(&b);
}

static void control_tokens_typed_by_the_user(void **state)
{
    (void)state;
    blob b = make_json(&(json_parts){0}, false);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "<s>a", RG_TOK_SPECIAL, 1, 259, 260);
    CHECK_IDS(t, "a</s>", RG_TOK_SPECIAL | RG_TOK_BOS, 1, 259, 260, 2);
    CHECK_IDS(t, "<s>", 0, 259, BYTE0 + '<', BYTE0 + 's', BYTE0 + '>');
    rg_tokenizer_close(t);
    drop(&b);
    /* a merge that leads to a control token is never taken */
    b = make_json(&(json_parts){.vocab = ",\"<\":259,\"s>\":260,\"s\":261,\">\":262",
                      .merges = "\"s >\",\"< s>\"",
                      .normalizer = "null"},
        false);
    t = open_ok(&b);
    CHECK_IDS(t, "<s>", 0, 259, 260);
    CHECK_IDS(t, "<s>", RG_TOK_SPECIAL, 1);
    rg_tokenizer_close(t);
    drop(&b);
}

static void merges_as_pairs_and_with_spaces_inside(void **state)
{
    (void)state;
    blob b =
        make_json(&(json_parts){.merges = "[\"a\",\"b\"],[\"" SPACE "\",\"ab\"],[\"ab\",\"ab\"]"}, false);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "aabab", 0, 259, 260, 264);
    rg_tokenizer_close(t);
    drop(&b);
    b = make_json(&(json_parts){.vocab = ",\" \":259,\"  \":260,\"    \":261",
                      .merges = "\"   \",\"     \"",
                      .normalizer = "null"},
        false);
    t = open_ok(&b);
    CHECK_IDS(t, "     ", 0, 261, 259);
    rg_tokenizer_close(t);
    drop(&b);
}

static void unknown_tokens(void **state)
{
    (void)state;
    const char *vocab = ",\"a\":259,\"b\":260,\"ab\":261";
    json_parts p = {.vocab = vocab,
        .merges = "\"a b\"",
        .normalizer = "null",
        .decoder = "{\"type\":\"Fuse\"}",
        .model = "\"unk_token\":\"<unk>\",\"fuse_unk\":true,"};
    blob b = make_json(&p, false);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "abxyab", 0, 261, 0, 261);
    rg_tokenizer_close(t);
    drop(&b);
    p.model = "\"unk_token\":\"<unk>\",\"fuse_unk\":false,";
    b = make_json(&p, false);
    t = open_ok(&b);
    CHECK_IDS(t, "abxyab", 0, 261, 0, 0, 261);
    rg_tokenizer_close(t);
    drop(&b);
    p.model = "\"unk_token\":null,";
    b = make_json(&p, false);
    t = open_ok(&b);
    CHECK_IDS(t, "abxyab", 0, 261, 261); /* as Hugging Face's tokenizers: left out */
    CHECK_IDS(t, "axb", 0, 261);
    rg_tokenizer_close(t);
    drop(&b);
}

static void byte_level(void **state)
{
    (void)state;
    const json_parts p = {.vocab = ",\"he\":256,\"\xc4\xa0he\":257,\"\xc4\xa0\xc4\xa0\":258,\"12\":259",
        .merges = "\"h e\",\"\xc4\xa0 he\",\"\xc4\xa0 \xc4\xa0\",\"1 2\""};
    blob b = make_json(&p, true);
    rg_tokenizer *t = open_ok(&b);
    assert_int_equal(rg_tokenizer_bos(t), -1);
    CHECK_IDS(t, "he he", RG_TOK_BOS, 256, 257);
    CHECK_IDS(t, "he   he", 0, 256, 258, 257); /* the pattern leaves the last space to the word */
    CHECK_IDS(t, "123", 0, 259, '3');
    CHECK_IDS(t, "\xff\xfeh", 0, 0xff, 0xfe, 'h');
    CHECK_IDS(t, "\xe2\x82", 0, 0xe2, 0x82);
    check_ids(t, "\0", 1, 0, (const int32_t[]){0}, 1, __LINE__);
    for (int i = 0; i < N_HOSTILE; i++) check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
    drop(&b);

    json_parts q = p;
    q.pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}"
            "," BYTE_LEVEL "]}";
    b = make_json(&q, true);
    t = open_ok(&b);
    CHECK_IDS(t, "12 he", 0, '1', '2', 257);
    rg_tokenizer_close(t);
    drop(&b);

    q = (json_parts){
        .vocab = ",\"he\":256,\"hello\":257", .merges = "\"h e\"", .model = "\"ignore_merges\":true,"};
    b = make_json(&q, true);
    t = open_ok(&b);
    CHECK_IDS(t, "hello", 0, 257);
    CHECK_IDS(t, "helloo", 0, 256, 'l', 'l', 'o', 'o');
    rg_tokenizer_close(t);
    drop(&b);
    q.model = "\"ignore_merges\":false,";
    b = make_json(&q, true);
    t = open_ok(&b);
    CHECK_IDS(t, "hello", 0, 256, 'l', 'l', 'o');
    rg_tokenizer_close(t);
    drop(&b);
    q.pre = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}";
    b = make_json(&q, true);
    t = open_ok(&b);
    CHECK_IDS(t, "he", 0, ' ', 256);
    CHECK_IDS(t, " he", 0, ' ', 256);
    rg_tokenizer_close(t);
    drop(&b);
}

static void added_tokens(void **state)
{
    (void)state;
    const json_parts p = {.added = THREE_ADDED
        ",{\"id\":265,\"content\":\"<x>\",\"special\":true,\"lstrip\":true,\"rstrip\":true,\"normalized\":"
        "false},"
        "{\"id\":266,\"content\":\"ab!\",\"special\":false,\"normalized\":false},"
        "{\"id\":267,\"content\":\"ab!!\",\"special\":false,\"normalized\":false},"
        "{\"id\":268,\"content\":\"<n>\",\"special\":true,\"normalized\":true}"};
    blob b = make_json(&p, false);
    rg_tokenizer *t = open_ok(&b);
    /* the longest; each segment gets its own prefix */
    CHECK_IDS(t, "aab!!!", 0, 259, 260, 267, 259, BYTE0 + '!');
    CHECK_IDS(t, "ab!ab!", 0, 266, 266);
    CHECK_IDS(t, "a  <x> \xc2\xa0 b", RG_TOK_SPECIAL, 259, 260, 265, 259, 261);
    CHECK_IDS(t, "<x>", RG_TOK_SPECIAL, 265);
    CHECK_IDS(t, "a <n>", RG_TOK_SPECIAL, 259, 260, 268); /* normalised form: U+2581 and <n> */
    CHECK_IDS(t, "a<n>", RG_TOK_SPECIAL, 259, 260, BYTE0 + '<', BYTE0 + 'n', BYTE0 + '>');
    CHECK_IDS(t, "<n>", 0, 259, BYTE0 + '<', BYTE0 + 'n', BYTE0 + '>');
    assert_int_equal(rg_tokenizer_size(t), 269);
    rg_tokenizer_close(t);
    /* tokens that were added behind the rows of the model load; pieces of the model itself do not */
    rg_err err;
    assert_int_equal(open_bytes(&t, b.p, b.n, 268, &err), RG_OK);
    CHECK_IDS(t, "aab!!!", 0, 259, 260, 267, 259, BYTE0 + '!');
    rg_tokenizer_close(t);
    assert_int_equal(open_bytes(&t, b.p, b.n, 265, &err), RG_OK);
    rg_tokenizer_close(t);
    assert_int_equal(open_bytes(&t, b.p, b.n, 264, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "another model"));
    drop(&b);
}

static void templates(void **state)
{
    (void)state;
    json_parts p = {.post = "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\",\"trim_offsets\":"
                            "false},{\"type\":\"TemplateProcessing\",\"single\":[{"
                            "\"SpecialToken\":{"
                            "\"id\":\"B\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{"
                            "\"SpecialToken\":{\"id\":\"E\",\"type_id\":0}}],"
                            "\"pair\":[],\"special_tokens\":{\"B\":{\"id\":\"B\",\"ids\":[1,0],\"tokens\":[]}"
                            ",\"E\":{\"id\":\"E\",\"ids\":[2],\"tokens\":[]}}}]}"};
    blob b = make_json(&p, false);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "ab", RG_TOK_BOS, 1, 0, 263, 2);
    CHECK_IDS(t, "ab", 0, 263);
    rg_tokenizer_close(t);
    drop(&b);
    p.post = "null";
    b = make_json(&p, false);
    t = open_ok(&b);
    CHECK_IDS(t, "ab", RG_TOK_BOS, 263);
    assert_int_equal(rg_tokenizer_bos(t), 1); /* by name */
    rg_tokenizer_close(t);
    drop(&b);
}

static void metaspace(void **state)
{
    (void)state;
    json_parts p = {.normalizer = "null",
        .pre = "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE
               "\",\"prepend_scheme\":\"first\",\"split\":false}",
        .decoder = "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\",\"add_prefix_space\":true}"};
    blob b = make_json(&p, false);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "ab ab", 0, 263, 263);
    CHECK_IDS(t, " ab", 0, 263); /* no second prefix */
    CHECK_IDS(t, "ab<s>ab", RG_TOK_SPECIAL, 263, 1, 262);
    CHECK_IDS(t, "abab", 0, 263, 262);
    check_round_trip(t, "ab ab a", 7);
    rg_tokenizer_close(t);
    drop(&b);
    p.pre = "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\",\"add_prefix_space\":false}";
    b = make_json(&p, false);
    t = open_ok(&b);
    CHECK_IDS(t, "abab ab", 0, 264, 263);
    rg_tokenizer_close(t);
    drop(&b);
}

typedef struct words {
    char text[128];
} words;

static rg_status collect(void *user, const char *p, size_t n)
{
    words *w = user;
    const size_t at = strlen(w->text);
    snprintf(w->text + at, sizeof w->text - at, "%s%.*s", at ? "|" : "", (int)n, p);
    return RG_OK;
}

static void check_split(
    const char *pattern, bool literal, rg_split split, bool invert, const char *text, const char *want)
{
    rg_pretok p = {0};
    rg_err err;
    words w = {""};
    assert_int_equal(
        rg_pretok_add(&p, pattern, strlen(pattern), literal, split, invert, &(rg_src){"test", &err}), RG_OK);
    assert_int_equal(rg_pretok_run(&p, text, strlen(text), collect, &w, &err), RG_OK);
    assert_string_equal(w.text, want);
    rg_pretok_free(&p);
}

static void split_behaviours(void **state)
{
    (void)state;
    const char *text = "the-final--countdown";
    check_split("-", true, RG_SPLIT_ISOLATED, false, text, "the|-|final|-|-|countdown");
    check_split("-", true, RG_SPLIT_REMOVED, false, text, "the|final|countdown");
    check_split("-", true, RG_SPLIT_MERGED_WITH_PREVIOUS, false, text, "the-|final-|-|countdown");
    check_split("-", true, RG_SPLIT_MERGED_WITH_NEXT, false, text, "the|-final|-|-countdown");
    check_split("-", true, RG_SPLIT_CONTIGUOUS, false, text, "the|-|final|--|countdown");
    check_split("\\w+", false, RG_SPLIT_REMOVED, true, text, "the|final|countdown");
    check_split("\\w+", false, RG_SPLIT_ISOLATED, true, text, "the|-|final|--|countdown");
    check_split("-", true, RG_SPLIT_ISOLATED, false, "-", "-");
    check_split("-", true, RG_SPLIT_REMOVED, false, "--", "");
    check_split("-", true, RG_SPLIT_MERGED_WITH_NEXT, false, "a--", "a|-|-");
    check_split("\\d|", false, RG_SPLIT_ISOLATED, false, "a1b", "a|1|b"); /* empty matches are none */
    check_split("\\p{L}", false, RG_SPLIT_ISOLATED, false,
        "\xc3\xa9x\xff\xfe"
        "1",
        "\xc3\xa9|x|\xff\xfe|1");
}

/* Falcon's: runs of punctuation, ASCII's symbols included. Unicode 8 does not know U+2E5D. */
static void punctuation(void **state)
{
    (void)state;
    blob b = make_json(&(json_parts){.pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                                            "\"Punctuation\",\"behavior\":\"Contiguous\"}," BYTE_LEVEL "]}",
                           .vocab = ",\"+!\":256,\"a+\":257,\"a\xc3\xa2\":258",
                           .merges = "\"+ !\",\"a +\",\"a \xc3\xa2\""},
        true);
    rg_tokenizer *t = open_ok(&b);
    CHECK_IDS(t, "a+!", 0, 'a', 256);
    CHECK_IDS(t, "a\xe2\x80\x94", 0, 'a', 0xe2, 0x80, 0x94);
    rg_tokenizer_close(t);
    drop(&b);
}

static void refused_by_name(void **state)
{
    (void)state;
    static const struct {
        json_parts p;
        bool byte_level;
        rg_status st;
        const char *says;
    } rows[] = {
        {{.normalizer = "{\"type\":\"StripAccents\"}"}, false, RG_E_UNSUPPORTED, "StripAccents"},
        {{.normalizer = "{\"type\":\"NFC\",\"form\":1}"}, false, RG_E_UNSUPPORTED, "form"},
        {{.normalizer = "{\"type\":\"Prepend\",\"prepend\":\"x\",\"more\":1}"}, false, RG_E_UNSUPPORTED,
            "more"},
        {{.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+\"},\"content\":\"b\"}"}, false,
            RG_E_UNSUPPORTED, "Replace"},
        {{.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"b\"}"}, false,
            RG_E_FILE, "empty"},
        {{.normalizer = "[]"}, false, RG_E_UNSUPPORTED, "normalizer"},
        {{.pre = "{\"type\":\"BertPreTokenizer\"}"}, false, RG_E_UNSUPPORTED, "BertPreTokenizer"},
        {{.pre = "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL ",{\"type\":\"Digits\"}]}"}, true,
            RG_E_UNSUPPORTED, "after ByteLevel"},
        {{.pre = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\h+\"},\"behavior\":\"Isolated\"}"}, false,
            RG_E_UNSUPPORTED, "escape"},
        {{.pre = "{\"type\":\"Punctuation\",\"behavior\":\"Shaken\"}"}, false, RG_E_UNSUPPORTED, "Shaken"},
        {{.pre = "{\"type\":\"Punctuation\",\"behavior\":3}"}, false, RG_E_FILE, "behavior"},
        {{.pre = "{\"type\":\"Punctuation\",\"more\":3}"}, false, RG_E_UNSUPPORTED, "more"},
        {{.pre = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}"}, false,
            RG_E_UNSUPPORTED, "pattern"},
        {{.pre = "{\"type\":\"Split\",\"pattern\":{\"String\":\"-\"},\"behavior\":\"Shaken\"}"}, false,
            RG_E_UNSUPPORTED, "Shaken"},
        {{.pre = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"often\"}"}, false,
            RG_E_UNSUPPORTED, "often"},
        {{.pre = BYTE_LEVEL}, false, RG_E_UNSUPPORTED, "ByteLevel"},
        {{.decoder = SPM_DEC}, true, RG_E_UNSUPPORTED, "ByteLevel"},
        {{.decoder = "null"}, false, RG_E_UNSUPPORTED, "decoder"},
        {{.decoder = "{\"type\":\"WordPiece\"}"}, false, RG_E_UNSUPPORTED, "WordPiece"},
        {{.decoder = "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"}, false,
            RG_E_UNSUPPORTED, "Strip"},
        {{.post = "{\"type\":\"RobertaProcessing\"}"}, false, RG_E_UNSUPPORTED, "RobertaProcessing"},
        {{.post = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"Z\"}},{"
                  "\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{}}"},
            false, RG_E_FILE, "Z"},
        {{.post = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"Z\"}},{"
                  "\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"Z\":{"
                  "\"ids\":[9999]}}}"},
            false, RG_E_FILE, "9999"},
        {{.model = "\"dropout\":0.1,"}, false, RG_E_UNSUPPORTED, "dropout"},
        {{.model = "\"end_of_word_suffix\":\"</w>\","}, false, RG_E_UNSUPPORTED, "end_of_word_suffix"},
        {{.model = "\"mystery\":1,"}, false, RG_E_UNSUPPORTED, "mystery"},
        {{.model = "\"unk_token\":\"<nowhere>\","}, false, RG_E_FILE, "<nowhere>"},
        {{.model = "\"fuse_unk\":\"yes\","}, false, RG_E_FILE, "fuse_unk"},
        {{.added = "{\"id\":300,\"content\":\"x\",\"single_word\":2}"}, false, RG_E_FILE, "single_word"},
        {{.added = "{\"id\":300,\"content\":\"\"}"}, false, RG_E_FILE, "empty"},
        {{.added = "{\"id\":1,\"content\":\"other\"}"}, false, RG_E_FILE, "other"},
        {{.added = "{\"id\":300,\"content\":\"x\"},{\"id\":300,\"content\":\"x\"}"}, false, RG_E_FILE,
            "twice"},
        {{.added = "{\"id\":-1,\"content\":\"x\"}"}, false, RG_E_FILE, "-1"},
        {{.added = "{\"id\":99999999999,\"content\":\"x\"}"}, false, RG_E_FILE, "99999999999"},
        {{.added = "{\"id\":\"x\",\"content\":\"x\"}"}, false, RG_E_FILE, "integer"},
        {{.merges = "\"a z\""}, false, RG_E_FILE, "right half"},
        {{.merges = "\"b a\""}, false, RG_E_FILE, "whole"},
        {{.merges = "\"ab\""}, false, RG_E_FILE, "merge 0"},
        {{.merges = "\" a\""}, false, RG_E_FILE, "merge 0"},
        {{.merges = "[\"a\",\"\"]"}, false, RG_E_FILE, "empty"},
        {{.merges = "[\"a\"]"}, false, RG_E_FILE, "merge 0"},
        {{.merges = "7"}, false, RG_E_FILE, "merge 0"},
        {{.vocab = ",\"a\":260,\"b\":260"}, false, RG_E_FILE, "twice"},
        {{.vocab = ",\"a\":260,\"a\":261"}, false, RG_E_FILE, "duplicate"},
        {{.vocab = ",\"a\":-5"}, false, RG_E_FILE, "-5"},
        {{.vocab = ",\"a\":4000000"}, false, RG_E_FILE, "4000000"},
        {{.vocab = ",\"a\":1.5"}, false, RG_E_FILE, "integer"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_parts p = rows[i].p;
        if (p.vocab) p.merges = "";
        if (p.model) p.added = "";
        blob b = make_json(&p, rows[i].byte_level);
        rg_tokenizer *t;
        rg_err err;
        const rg_status st = open_bytes(&t, b.p, b.n, 0, &err);
        if (st != rows[i].st || !strstr(err.msg, rows[i].says))
            fail_msg("row %zu: status %d \"%s\", expected %d with \"%s\"", i, st, err.msg, rows[i].st,
                rows[i].says);
        drop(&b);
    }
}

static void vocabulary_of_another_model(void **state)
{
    (void)state;
    blob b = make_json(&(json_parts){0}, false);
    rg_tokenizer *t;
    rg_err err;
    assert_int_equal(open_bytes(&t, b.p, b.n, 264, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "265"));
    assert_int_equal(open_bytes(&t, b.p, b.n, 265, &err), RG_OK);
    rg_tokenizer_close(t);
    drop(&b);
    rg_tokenizer_close(NULL);
}

static size_t put_id(rg_detok *d, int32_t id, char *buf) { return rg_detok_put(d, id, buf, 64); }

static void streaming(void **state)
{
    (void)state;
    blob b = make_json(&(json_parts){0}, false);
    rg_tokenizer *t = open_ok(&b);
    rg_detok d;
    char buf[64];
    rg_detok_init(&d, t, false);
    assert_int_equal(put_id(&d, 1, buf), 0); /* BOS is silent, and the first piece is still to come */
    assert_int_equal(put_id(&d, 263, buf), 2);
    assert_string_equal(buf, "ab");
    assert_int_equal(put_id(&d, 263, buf), 3);
    assert_string_equal(buf, " ab");
    assert_int_equal(put_id(&d, BYTE0 + 0xe2, buf), 0);
    assert_int_equal(put_id(&d, BYTE0 + 0x82, buf), 0);
    assert_int_equal(put_id(&d, BYTE0 + 0xac, buf), 3);
    assert_string_equal(buf, "\xe2\x82\xac");
    /* a character that never ends: replaced when the next one starts */
    assert_int_equal(put_id(&d, BYTE0 + 0xf0, buf), 0);
    assert_int_equal(put_id(&d, 260, buf), 4);
    assert_string_equal(buf,
        "\xef\xbf\xbd"
        "a");
    assert_int_equal(put_id(&d, BYTE0 + 0xff, buf), 3);
    assert_int_equal(put_id(&d, BYTE0, buf), 1);
    assert_int_equal(buf[0], 0);
    assert_int_equal(put_id(&d, 99999, buf), 0);
    assert_int_equal(put_id(&d, -7, buf), 0);
    assert_int_equal(put_id(&d, BYTE0 + 0xe2, buf), 0);
    assert_int_equal(rg_detok_end(&d, buf, sizeof buf), 3);
    assert_string_equal(buf, "\xef\xbf\xbd");
    assert_int_equal(rg_detok_end(&d, buf, sizeof buf), 0);

    rg_detok_init(&d, t, true);
    assert_int_equal(put_id(&d, 1, buf), 3);
    assert_string_equal(buf, "<s>");
    assert_int_equal(rg_detok_put(&d, 264, buf, 3), 2); /* cut at cap - 1 */
    assert_string_equal(buf, "ab");
    assert_int_equal(rg_detok_put(&d, 264, buf, 1), 0);
    assert_int_equal(rg_detok_put(&d, 264, buf, 0), 0);
    rg_tokenizer_close(t);
    drop(&b);
}

/* A decoder that takes all of the first piece away: the text of a token may be empty. */
static void a_piece_without_text(void **state)
{
    (void)state;
    blob b = make_json(
        &(json_parts){.vocab = ",\"" SPACE "\":259,\"a\":260",
            .merges = "",
            .decoder =
                "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"" SPACE
                "\"},\"content\":\"\"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}"},
        false);
    rg_tokenizer *t = open_ok(&b);
    rg_detok d;
    char buf[64];
    rg_detok_init(&d, t, false);
    assert_int_equal(put_id(&d, 259, buf), 0);
    assert_int_equal(put_id(&d, 260, buf), 1);
    assert_string_equal(buf, "a");
    rg_tokenizer_close(t);
    drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(byte_fallback),
        cmocka_unit_test(control_tokens_typed_by_the_user),
        cmocka_unit_test(merges_as_pairs_and_with_spaces_inside), cmocka_unit_test(unknown_tokens),
        cmocka_unit_test(byte_level), cmocka_unit_test(added_tokens), cmocka_unit_test(templates),
        cmocka_unit_test(metaspace), cmocka_unit_test(split_behaviours), cmocka_unit_test(punctuation),
        cmocka_unit_test(refused_by_name), cmocka_unit_test(vocabulary_of_another_model),
        cmocka_unit_test(streaming), cmocka_unit_test(a_piece_without_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
