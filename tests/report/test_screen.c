/* The screen: width and colour are those of the terminal, sentences wrap and tables keep within it. */
#include "testing.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "report/screen.h"

static void width_and_colour(void **state)
{
    static const struct {
        const char *columns, *no_colour, *term;
        int terminal, width;
        bool colour;
    } row[] = {
        {NULL, NULL, "xterm", 80, 80, true},
        {NULL, "", "xterm", 99, 99, true},
        {NULL, "1", "xterm", 250, 100, false},
        {"72", NULL, "dumb", 80, 72, false},
        {"1", NULL, NULL, 80, 40, false},
        {"many", NULL, "xterm", 0, 100, true},
    };
    (void)state;
    const int a = posix_openpt(O_RDWR | O_NOCTTY);
    if (a < 0 || grantpt(a) != 0 || unlockpt(a) != 0) {
        print_message("SKIPPED: no pseudo terminal here\n");
        skip();
    }
    FILE *tty = fopen(ptsname(a), "w"), *pipe = tmpfile();
    assert_non_null(tty);
    assert_non_null(pipe);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const struct winsize w = {.ws_row = 24, .ws_col = (unsigned short)row[i].terminal};
        const char *const name[] = {"COLUMNS", "NO_COLOR", "TERM"};
        const char *const value[] = {row[i].columns, row[i].no_colour, row[i].term};
        for (int k = 0; k < 3; k++)
            assert_int_equal(value[k] ? setenv(name[k], value[k], 1) : unsetenv(name[k]), 0);
        assert_int_equal(ioctl(a, TIOCSWINSZ, &w), 0);
        const rg_screen s = rg_screen_of(tty, false), p = rg_screen_of(pipe, false);
        if (s.width != row[i].width || s.colour != row[i].colour)
            fail_msg("row %zu: width %d, colour %d", i, s.width, s.colour);
        assert_false(p.colour);
    }
    unsetenv("COLUMNS");
    assert_int_equal(rg_screen_of(pipe, false).width, 100);
    fclose(tty);
    fclose(pipe);
    close(a);
}

static char *table(int width, bool wide, int *gone)
{
    char *text = NULL;
    size_t n = 0;
    bool failed = false;
    rg_table t = {0};
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    rg_table_head(&t, "<name", ">µs", "<note", NULL);
    rg_table_row(&t, "a", "12.5", "the longest note of all", NULL);
    rg_table_row(&t, "longer", "3", NULL);
    const rg_screen s = {.f = f, .width = width, .wide = wide};
    *gone = rg_screen_table(&s, 2, &t, &failed);
    assert_false(failed);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void tables(void **state)
{
    int gone;
    (void)state;
    char *all = table(39, false, &gone);
    assert_string_equal(
        all, "  name      µs  note\n  a       12.5  the longest note of all\n  longer     3\n");
    assert_int_equal(gone, 0);
    char *few = table(38, false, &gone);
    assert_string_equal(few, "  name      µs\n  a       12.5\n  longer     3\n");
    assert_int_equal(gone, 1);
    char *wide = table(38, true, &gone);
    assert_string_equal(wide, all);
    free(all);
    free(few);
    free(wide);
}

static void sentences(void **state)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    (void)state;
    assert_non_null(f);
    rg_screen s = {.f = f, .width = 12};
    rg_screen_wrap(&s, RG_INK_BAD, 0, 2, "one two  three four overlongword x");
    s.colour = true;
    rg_screen_wrap(&s, RG_INK_HEAD, 0, 0, "bold");
    rg_screen_put(&s, RG_INK_PLAIN, "%d\n", 7);
    rg_screen_say(&s, RG_INK_BAD, 2, "%s words in %d", "some", 12);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text,
        "one two\n  three four\n  overlongword\n  x\n\033[1mbold\033[0m\n7\n  \033[31msome words\n  in "
        "12\033[0m\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(width_and_colour),
        cmocka_unit_test(tables),
        cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
