/* The names nearest to mistyped words. */
#include "testing.h"

#include "base/near.h"

static const char *const names[] = {"run", "profile", "bench", "compare", "nvidia_A100", "nvidia_H100",
    "--temp", "--top-k", "--ctx-size", "decode.ffn_down.t_ns", "decode.mbu", NULL};

static const char *hint(const char *word)
{
    static char text[128];
    rg_near near = {.word = word};
    for (int i = 0; names[i]; i++) rg_near_try(&near, names[i]);
    return rg_near_hint(text, sizeof text, &near);
}

static void typos(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"profiel", "profile"}, {"rum", "run"}, {"PROFILE", "profile"},
        {"benhc", "bench"}, {"-temp", "--temp"}, {"--temprature", "--temp"}, {"-ctx", "--ctx-size"},
        {"A100", "nvidia_A100"}, {"h10o", "nvidia_H100"}, {"decode.mbuu", "decode.mbu"},
        {"decode.fnn_down.t_ns", "decode.ffn_down.t_ns"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[64];
        snprintf(want, sizeof want, "the nearest is %s; ", cases[i][1]);
        if (strcmp(hint(cases[i][0]), want) != 0) fail_msg("%s: '%s'", cases[i][0], hint(cases[i][0]));
    }
    static const char *const none[] = {"", "-", "sing", "--no-such-option", "tokenizer.json"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (*hint(none[i])) fail_msg("'%s': %s", none[i], hint(none[i]));
}

static void four_at_most_nearest_first(void **state)
{
    (void)state;
    char text[RG_NEAR_MOST * 96], longer[300];
    rg_near near = {.word = "decode.mbu"};
    assert_string_equal(rg_near_names(text, sizeof text, &near), "");
    for (int i = 0; names[i]; i++) rg_near_try(&near, names[i]);
    assert_int_equal(near.n, RG_NEAR_MOST);
    assert_int_equal(near.far[0], 0);
    for (int i = 1; i < near.n; i++) assert_true(near.far[i] >= near.far[i - 1]);
    assert_int_equal(strncmp(rg_near_names(text, sizeof text, &near), "decode.mbu, ", 12), 0);
    memset(longer, 'x', sizeof longer - 1); /* longer than a row, and than a name that is kept */
    longer[sizeof longer - 1] = 0;
    near = (rg_near){.word = longer};
    rg_near_try(&near, "run");
    rg_near_try(&near, longer);
    assert_int_equal(near.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(typos), cmocka_unit_test(four_at_most_nearest_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
