/* Patterns mean what Oniguruma means, with the tables of Unicode 16. */
#include "tok_fixture.h"

#include "tokenizer/pretok.h"

typedef struct words {
    char text[256];
} words;

static rg_status collect(void *user, const char *p, size_t n)
{
    words *w = user;
    const size_t at = strlen(w->text);
    snprintf(w->text + at, sizeof w->text - at, "%s%.*s", at ? "|" : "", (int)n, p);
    return RG_OK;
}

static void words_of(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *want;
    } rows[] = {
        /* U+180E is no white space; U+0085, U+2003, U+3000 and U+2028 are */
        {"\\s+",
            "a\xe1\xa0\x8e"
            "b",
            "a\xe1\xa0\x8e"
            "b"},
        {"\\s+",
            "a\xc2\x85\xe2\x80\x83\xe3\x80\x80\xe2\x80\xa8"
            "b",
            "a|\xc2\x85\xe2\x80\x83\xe3\x80\x80\xe2\x80\xa8|b"},
        {"\\S+", " \xe1\xa0\x8e ", " |\xe1\xa0\x8e| "},
        {"[^\\S\\n]+", "a \n\xe1\xa0\x8e", "a| |\n\xe1\xa0\x8e"},
        {"[\\Sa]", "\xc2\xa0z", "\xc2\xa0|z"},
        /* of Unicode 15: U+1E4D0, a letter, U+1E4F0, a digit, U+1F6DC, a symbol; of 16: U+A7CB, U+1B4E */
        {"\\p{L}+", "1\xf0\x9e\x93\x90\xea\x9f\x8b", "1|\xf0\x9e\x93\x90\xea\x9f\x8b"},
        {"\\P{L}+",
            "a\xea\x9f\x8b"
            "1",
            "a\xea\x9f\x8b|1"},
        {"\\p{Lu}", "a\xea\x9f\x8b", "a|\xea\x9f\x8b"},
        {"\\p{N}", "a\xf0\x9e\x93\xb0", "a|\xf0\x9e\x93\xb0"},
        {"\\d", "a\xf0\x9e\x93\xb0", "a|\xf0\x9e\x93\xb0"},
        {"[\\p{S}]", "a\xf0\x9f\x9b\x9c", "a|\xf0\x9f\x9b\x9c"},
        {"\\p{Other_Punctuation}", "a\xe1\xad\x8e", "a|\xe1\xad\x8e"},
        {"[^\\s\\p{L}\\p{N}]+", "\xea\x9f\x8b\xf0\x9f\x9b\x9c", "\xea\x9f\x8b|\xf0\x9f\x9b\x9c"},
        /* a script, without what it shares: U+3001 is common */
        {"\\p{Han}+", "\xe4\xb8\x80\xe3\x80\x81\xf0\xb1\x8d\x90",
            "\xe4\xb8\x80|\xe3\x80\x81|\xf0\xb1\x8d\x90"},
        {"[\\p{L}&&[^\\p{Han}]]+",
            "a\xe4\xb8\x80"
            "b",
            "a|\xe4\xb8\x80|b"},
        {"[^a-z&&[^x]]+", "abx1", "ab|x1"},
        {"[a[bc]]+", "xabcx", "x|abc|x"},
        {"[^a[^b]]", "ab", "a|b"},
        {"\\w+", "a_1\xc2\xb2\xe2\x93\x90-\xe2\x80\x8d", "a_1\xc2\xb2\xe2\x93\x90|-\xe2\x80\x8d"},
        {"\\v", "a\n\vb", "a\n|\v|b"},
        {"\\u00e9\\x{e8}",
            "\xc3\xa9\xc3\xa8"
            "e",
            "\xc3\xa9\xc3\xa8|e"},
        {"a{,2}b", "aaab", "a|aab"},
        {"a{x", "a{x", "a{x"},
        {".+", "ab\r\ncd", "ab\r|\n|cd"},
        {"\\s+$", "a  ", "a|  "},
        {"^b", "a\nb", "a\n|b"},
        {"(?i:'S)", "it's", "it|'s"},
        {"[a-]+", "x-a", "x|-a"},
        {"[!-/:-~]+", "\xc3\xa9!~\xc3\xa9:", "\xc3\xa9|!~|\xc3\xa9|:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rg_pretok p = {0};
        rg_err err = {0};
        words w = {""};
        if (rg_pretok_add(&p, rows[i].pattern, strlen(rows[i].pattern), false, RG_SPLIT_ISOLATED, false,
                &(rg_src){"test", &err}) != RG_OK)
            fail_msg("row %zu, %s: %s", i, rows[i].pattern, err.msg);
        assert_int_equal(rg_pretok_run(&p, rows[i].text, strlen(rows[i].text), collect, &w, &err), RG_OK);
        if (strcmp(w.text, rows[i].want) != 0)
            fail_msg("row %zu, %s: \"%s\", expected \"%s\"", i, rows[i].pattern, w.text, rows[i].want);
        rg_pretok_free(&p);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *says;
    } rows[] = {{"\\h", "escape"}, {"\\bx", "escape"}, {"\\R", "escape"}, {"\\1", "escape"},
        {"[[:alpha:]]", "POSIX"}, {"[a--b]", "difference"}, {"[]a]", "bracket"}, {"[a&&]", "empty"},
        {"[a", "open class"}, {"[a&&b", "open class"}, {"\\p{Emoji", "open property"}, {"\\pL", "braces"},
        {"\\p{L1}", "neither"}, {"\\p{Xy}", "unknown property"}, {"\\p{Cn}", "unassigned"},
        {"\\p{Klingon}", "pattern"}, {"\\xe9", "byte"}, {"\\x{d800}", "no text"}, {"\\x{110000}", "no text"},
        {"\\u12", "cut off"}, {"a{3}?", "repetition"}, {"a{1,2}+", "repetition"}, {"a{2000}", "1000"},
        {"a{1,99999999999}", "1000"}, {"a(?i)b", "group"}, {"(?<n>a)", "group"}, {"(?m:a)", "group"},
        {"(*ACCEPT)", "verb"}, {"a\\", "backslash"}, {"[\\", "backslash"}, {"[a-\\d]", "range"},
        {"[\\d-a]", "range"}, {"[a-c-e]", "middle"}, {"[[[[[[[[[[a]]]]]]]]]]", "nested"}, {"\xff", "UTF-8"},
        {"(", "pattern"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rg_pretok p = {0};
        rg_err err = {0};
        const rg_status st = rg_pretok_add(&p, rows[i].pattern, strlen(rows[i].pattern), false,
            RG_SPLIT_ISOLATED, false, &(rg_src){"test", &err});
        if (st != RG_E_UNSUPPORTED || !strstr(err.msg, rows[i].says) || strchr(err.msg, '\n'))
            fail_msg("row %zu, %s: %d %s", i, rows[i].pattern, st, err.msg);
        rg_pretok_free(&p);
    }
}

static void version_is_said(void **state)
{
    (void)state;
    char text[96];
    rg_tokenizer_unicode(text, sizeof text);
    assert_non_null(strstr(text, "patterns of Unicode 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of), cmocka_unit_test(refused), cmocka_unit_test(version_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
