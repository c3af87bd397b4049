/* Unicode normalisers, words that stand alone, control tokens by the part of the text, and texts cut at
 * seams. */
#include "tok_files.h"

#include "tokenizer/added.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/unicode.h"

static void check_form(rg_normal_form form, const char *text, const char *want, int line)
{
    rg_buf b = {0};
    rg_err err;
    assert_int_equal(rg_unicode_normalize(form, text, strlen(text), &b, &err), RG_OK);
    if (b.len != strlen(want) || (b.len && memcmp(b.p, want, b.len) != 0))
        fail_msg("line %d: '%s' becomes '%.*s', expected '%s'", line, text, (int)b.len, b.p, want);
    rg_buf_free(&b);
}

static void normal_forms(void **state)
{
    (void)state;
    if (!rg_unicode_available()) {
        print_message("SKIPPED: this build has no utf8proc\n");
        skip();
    }
    check_form(RG_NFC, "e\xcc\x81", "\xc3\xa9", __LINE__);
    check_form(RG_NFD, "\xc3\xa9", "e\xcc\x81", __LINE__);
    check_form(RG_NFC, "\xef\xac\x81", "\xef\xac\x81", __LINE__); /* the fi ligature stays canonical ... */
    /* ... and falls apart in the compatibility forms */
    check_form(RG_NFKC, "\xef\xac\x81", "fi", __LINE__);
    check_form(RG_NFKD, "\xef\xbc\xa1\xc3\xa9", "Ae\xcc\x81", __LINE__);
    /* marks in the wrong order: dot below sorts first */
    check_form(RG_NFC, "a\xcc\x82\xcc\xa3", "\xe1\xba\xad", __LINE__);
    check_form(RG_NFC, "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c", __LINE__);
    check_form(RG_NFC, "\xffzz\xc3", "\xffzz\xc3", __LINE__); /* bytes that are no text stay */
    check_form(RG_NFC, "", "", __LINE__);
    /* a megabyte of marks in the worst order: sorted, not shuffled one by one */
    enum { MARKS = 250000 };
    char *p = malloc(1 + 4 * MARKS);
    rg_buf b = {0};
    rg_err err;
    assert_non_null(p);
    p[0] = 'a';
    for (int i = 0; i < MARKS; i++) memcpy(p + 1 + 4 * i, "\xcc\x82\xcc\xa3", 4);
    assert_int_equal(rg_unicode_normalize(RG_NFD, p, 1 + 4 * MARKS, &b, &err), RG_OK);
    assert_int_equal(b.len, 1 + 4 * MARKS);
    assert_memory_equal(b.p, "a\xcc\xa3\xcc\xa3\xcc\xa3", 7);
    assert_memory_equal(b.p + b.len - 4, "\xcc\x82\xcc\x82", 4);
    rg_buf_free(&b);
    free(p);
}

/* The letters of "Ab\u00e9" as they arrive at the vocabulary under a normaliser. */
static void normalisers_of_files(void **state)
{
    (void)state;
    if (!rg_unicode_available()) {
        print_message("SKIPPED: this build has no utf8proc\n");
        skip();
    }
    static const char vocab[] = ",\"a\":259,\"b\":260,\"A\":261,\"\xc3\xa9\":262,\" "
                                "\":263,\"i\xcc\x87\":264,\"i\":265,\"\xcc\x87\":266";
    static const char dec[] =
        "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}";
    const struct {
        const char *norm, *text;
        int n, ids[6];
    } rows[] = {
        {"{\"type\":\"NFC\"}", "ae\xcc\x81", 2, {259, 262}},
        {"{\"type\":\"Lowercase\"}", "AbA", 3, {259, 260, 259}},
        {"{\"type\":\"Lowercase\"}", "\xc4\xb0", 2,
            {265, 266}}, /* the one character whose lower case is two */
        {"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", "  a b\xe3\x80\x80 ", 3,
            {259, 263, 260}},
        {"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", " a ", 2, {263, 259}},
        {"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", "   ", 0, {0}},
        {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":\"Lowercase\"},{\"type\":"
         "\"Strip\"}]}",
            " \xef\xbc\xa1", 1, {259}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        blob b = make_json(
            &(json_parts){.normalizer = rows[i].norm, .decoder = dec, .vocab = vocab, .merges = ""}, false);
        rg_tokenizer *t = open_ok(&b);
        check_ids(t, rows[i].text, strlen(rows[i].text), 0, rows[i].ids, (size_t)rows[i].n,
            __LINE__ + (int)i * 1000);
        rg_tokenizer_close(t);
        drop(&b);
    }
}

static void words_that_stand_alone(void **state)
{
    (void)state;
    if (!rg_unicode_available()) {
        print_message("SKIPPED: this build has no utf8proc\n");
        skip();
    }
    rg_added a = {0};
    rg_err err;
    size_t s, e;
    assert_int_equal(rg_added_put(&a, "cat", 3, (rg_added_tok){.id = 7, .single_word = true}, &err), RG_OK);
    static const struct {
        const char *text;
        int at; /* -1: not found */
    } rows[] = {{"cat", 0}, {"a cat.", 2}, {"cats cat", 5}, {"concat", -1}, {"cat_", -1},
        {"\xc3\xa9"
         "cat",
            -1},
        {"cat\xcc\x81", -1},
        {"\xe2\x98\xba"
         "cat",
            3},
        {"\xff"
         "cat\xff",
            1},
        {"", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const rg_added_tok *hit =
            rg_added_find(&a, rows[i].text, strlen(rows[i].text), 0, &rg_trust_none, &s, &e);
        if (!!hit != (rows[i].at >= 0) || (hit && (int)s != rows[i].at))
            fail_msg("row %zu ('%s')", i, rows[i].text);
    }
    char long_token[RG_ADDED_MAX + 1];
    memset(long_token, 'x', sizeof long_token);
    assert_int_equal(
        rg_added_put(&a, long_token, sizeof long_token, (rg_added_tok){.id = 8}, &err), RG_E_UNSUPPORTED);
    rg_added_free(&a);
}

static void check_parts(
    const rg_tokenizer *t, const rg_tok_part *parts, size_t n, const int32_t *want, size_t n_want, int line)
{
    int32_t *ids;
    size_t k;
    rg_err err;
    if (rg_tokenizer_encode_parts(t, parts, n, 0, &ids, &k, &err) != RG_OK)
        fail_msg("line %d: %s", line, err.msg);
    bool same = k == n_want;
    for (size_t i = 0; same && i < k; i++) same = ids[i] == want[i];
    if (!same) {
        print_message("line %d gives", line);
        for (size_t i = 0; i < k; i++) print_message(" %d", ids[i]);
        print_message("\n");
    }
    free(ids);
    assert_true(same);
}

/* Control tokens count in trusted parts only, however a text tries to form one across a border; and parts are
 * encoded as one text. */
static void control_by_part(void **state)
{
    (void)state;
    blob b = make_json(
        &(json_parts){.vocab = ",\"h\\u0120\":256,\"he\":257",
            .merges = "\"h e\"",
            .added = "{\"id\":300,\"content\":\"<|im_end|>\",\"special\":true,\"normalized\":false},"
                     "{\"id\":301,\"content\":\"<|im_start|>\",\"special\":false,\"normalized\":false}"},
        true);
    rg_tokenizer *t = open_ok(&b);
    const rg_tok_part trusted[] = {
        {"<|im_start|>", 12, true}, {"h", 1, true}, {"e", 1, false}, {"<|im_", 5, true}, {"end|>", 5, true}};
    check_parts(t, trusted, 5, (const int32_t[]){301, 257, 300}, 3, __LINE__);
    const rg_tok_part typed[] = {{"h", 1, true}, {"<|im_end|>", 10, false}};
    const int32_t plain[] = {'h', '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>'};
    check_parts(t, typed, 2, plain, 11, __LINE__);
    const rg_tok_part split[] = {{"h<|im_e", 7, true}, {"nd", 2, false}, {"|>", 2, true}};
    check_parts(t, split, 3, plain, 11, __LINE__);
    const rg_tok_part border[] = {{"h<|im_end|", 10, false}, {">", 1, true}};
    check_parts(t, border, 2, plain, 11, __LINE__);
    /* a marker of conversations is a control token even where the file calls it an ordinary added one */
    CHECK_IDS(t, "h<|im_end|>", RG_TOK_SPECIAL, 'h', 300);
    CHECK_IDS(t, "<|im_start|>", RG_TOK_SPECIAL, 301);
    assert_true(rg_tokenizer_is_control(t, 301));
    assert_int_equal(rg_tokenizer_find(t, "<|im_end|>"), 300);
    check_parts(t, NULL, 0, NULL, 0, __LINE__);
    rg_tokenizer_close(t);
    drop(&b);
}

/* Cut at seams or merged as a whole: the same ids, on vocabularies and texts made to have merges
 * everywhere. */
static void seams_change_no_id(void **state)
{
    (void)state;
    const uint64_t seed = 41;
    rg_rng rng = {seed};
    static const char *const letters[] = {"a", "b", "c", SPACE, "\xc3\xa9", "\xf0\x9f\x98\x80"};
    for (int round = 0; round < 60; round++) {
        piece p[64];
        char store[64][32];
        int n = 0;
        for (int i = 0; i < 5; i++) p[n++] = (piece){letters[i], -100.0f - (float)i, 1};
        while (n < 60) {
            store[n][0] = 0;
            for (int64_t k = rng_in(&rng, 2, 4); k > 0; k--)
                strcat(store[n], letters[rng_in(&rng, 0, round % 2 ? 5 : 4)]);
            bool twice = false;
            for (int i = 0; i < n; i++) twice = twice || strcmp(p[i].s, store[n]) == 0;
            if (twice) continue;
            p[n] = (piece){store[n], (float)-rng_in(&rng, 1, 30), 1};
            n++;
        }
        /* few pieces leave seams, many leave none */
        blob b = make_sp(p, (size_t)rng_in(&rng, 6, n), &(sp_opts){.no_bytes = round % 3 == 0});
        rg_tokenizer *t = open_ok(&b);
        assert_non_null(t->seams.inside);
        char text[4000];
        size_t len = 0;
        while (len < (round % 4 ? 300u : 3900u)) {
            const char *c = rng_in(&rng, 0, 9) == 0 ? "\xff" : letters[rng_in(&rng, 0, 5)];
            memcpy(text + len, c, strlen(c));
            len += strlen(c);
        }
        int32_t *ids[2];
        size_t k[2];
        rg_err err;
        const rg_seams kept = t->seams;
        for (int whole = 0; whole < 2; whole++) {
            t->seams = whole ? (rg_seams){0} : kept;
            if (rg_tokenizer_encode(t, text, len, 0, &ids[whole], &k[whole], &err) != RG_OK)
                fail_msg("%s", err.msg);
        }
        t->seams = kept;
        if (k[0] != k[1] || memcmp(ids[0], ids[1], k[0] * sizeof(int32_t)) != 0)
            fail_msg("round %d differs (seed %llu)", round, (unsigned long long)seed);
        free(ids[0]);
        free(ids[1]);
        rg_tokenizer_close(t);
        drop(&b);
    }
}

static void merges_by_rank_at_seams(void **state)
{
    (void)state;
    static const char text[] = "ab abab  b\xc3\xa9 aba\xff\xfe abab";
    blob b = make_json(&(json_parts){0}, false);
    rg_tokenizer *t = open_ok(&b);
    assert_non_null(t->seams.inside);
    int32_t *ids[2];
    size_t k[2];
    rg_err err;
    const rg_seams kept = t->seams;
    for (int whole = 0; whole < 2; whole++) {
        t->seams = whole ? (rg_seams){0} : kept;
        assert_int_equal(
            rg_tokenizer_encode(t, text, sizeof text - 1, 0, &ids[whole], &k[whole], &err), RG_OK);
    }
    t->seams = kept;
    assert_int_equal(k[0], k[1]);
    assert_memory_equal(ids[0], ids[1], k[0] * sizeof(int32_t));
    free(ids[0]);
    free(ids[1]);
    rg_tokenizer_close(t);
    drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(normal_forms), cmocka_unit_test(normalisers_of_files),
        cmocka_unit_test(words_that_stand_alone), cmocka_unit_test(control_by_part),
        cmocka_unit_test(seams_change_no_id), cmocka_unit_test(merges_by_rank_at_seams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
