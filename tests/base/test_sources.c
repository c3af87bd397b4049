/* The sources one by one: how long files and lines are, how they open, and that each name exists once. */
#include "source_tree.h"

enum { MAX_LINES = 800, MAX_COLUMNS = 110, MAX_TYPES = 2000 };

/* Suffixes of files whose lines are short. Tables (.def) may be wide. */
static const char *const narrow[] = {".c", ".h", ".js", ".py"};
/* Files and folders that are not yet so. */
static const struct wide {
    const char *file, *why;
} wide[] = {
    {"weights/demo/", "sentences of a grammar, a line each"},
};

/* Where every .c opens with a comment that says what it is. */
static const char *const introduced[] = {
    "engine/", "weights/", "roofline/", "report/", "tools/", "tests/", "benchmarks/"};

/* ---- lengths and openings ---- */

static bool is_narrow(const char *f)
{
    if (row_of(wide, N_ROWS(wide), sizeof *wide, f)) return false;
    for (size_t i = 0; i < N_ROWS(narrow); i++)
        if (has_suffix(f, narrow[i])) return true;
    return false;
}

static void check_columns(const char *file, const char *text)
{
    int line = 1, column = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '\n') {
            if (column > MAX_COLUMNS)
                BREACH("%s:%d: %d columns, at most %d\n", file, line, column, MAX_COLUMNS);
            line++;
            column = 0;
        } else {
            column += (*p & 0xc0) != 0x80; /* not the inside of a character of UTF-8 */
        }
    }
}

static void check_opening(const char *file, const char *text)
{
    if (has_suffix(file, ".c") && row_of(introduced, N_ROWS(introduced), sizeof *introduced, file) &&
        strncmp(text, "/*", 2) != 0 && strncmp(text, "//", 2) != 0)
        BREACH("%s: does not open with a comment that says what it is\n", file);
}

static void check_layout(const char *file, const char *text)
{
    if (is_narrow(file)) check_columns(file, text);
    check_opening(file, text);
}

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void lines_are_short_and_files_introduced(void **state)
{
    (void)state;
    static const rule_case cases[] = {
        {"engine/x.c", "int x;\n", 1},
        {"engine/x.c", "/* What x is. */\nint x;\n", 0},
        {"engine/x.h", "int x;\n", 0},
        {"tools/x.py", HUNDRED "0123456789\n", 0},
        {"tools/x.py", HUNDRED "01234567890\n", 1},
        {"tools/x.py", HUNDRED "012345678é\n", 0},
        {"tools/x.py", HUNDRED "0123456789é\n", 1},
        {"tools/x.def", HUNDRED "01234567890\n", 0},
    };
    try_cases(cases, N_ROWS(cases), false, check_layout);
    breaches = 0;
    for (int i = 0; i < n_tree_files; i++) {
        if (!is_c(tree_files[i]) && !is_narrow(tree_files[i])) continue;
        char *text = text_of(tree_files[i], NULL);
        check_layout(tree_files[i], text);
        free(text);
    }
    assert_int_equal(breaches, 0);
}

static void files_are_short(void **state)
{
    (void)state;
    int bad = 0;
    for (int i = 0; i < n_tree_files; i++) {
        const char *f = tree_files[i];
        if (!is_c(f) && !has_suffix(f, ".def") && !has_suffix(f, ".py") && !has_suffix(f, ".sh") &&
            !has_suffix(f, ".cmake") && strcmp(f, "dev") != 0)
            continue;
        char *text = text_of(f, NULL);
        int lines = 0;
        for (const char *p = text; *p; p++) lines += *p == '\n';
        free(text);
        if (lines > MAX_LINES) {
            print_error("%s: %d lines, at most %d\n", f, lines, MAX_LINES);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

/* ---- names ---- */

static void file_names_are_unique(void **state)
{
    (void)state;
    int bad = 0;
    for (int i = 0; i < n_tree_files; i++)
        for (int k = 0; k < i; k++)
            if (is_c(tree_files[i]) && strcmp(base_name(tree_files[i]), base_name(tree_files[k])) == 0) {
                print_error("%s and %s have the same name\n", tree_files[i], tree_files[k]);
                bad++;
            }
    assert_int_equal(bad, 0);
}

static struct {
    char name[64];
    const char *file;
} types[MAX_TYPES];
static int n_types;

static void type_found(const char *file, const char *name, size_t n)
{
    if (n < 3 || strncmp(name, "rg_", 3) != 0 || n >= sizeof types->name) return;
    for (int i = 0; i < n_types; i++) {
        if (strlen(types[i].name) != n || strncmp(types[i].name, name, n) != 0) continue;
        if (strcmp(types[i].file, file) == 0) return;
        BREACH("%s: the type %s is that of %s too\n", file, types[i].name, types[i].file);
        return;
    }
    assert_true(n_types < MAX_TYPES);
    snprintf(types[n_types].name, sizeof types->name, "%.*s", (int)n, name);
    types[n_types++].file = file;
}

static const char *next_word(const char *p, size_t *n)
{
    while (*p && !word_char(*p)) p++;
    for (*n = 0; word_char(p[*n]);) (*n)++;
    return p;
}
static bool is_word(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && strncmp(p, word, n) == 0;
}
static bool is_tag(const char *p, size_t n)
{
    return is_word(p, n, "struct") || is_word(p, n, "union") || is_word(p, n, "enum");
}

/* The names that a typedef declares. Text is what follows the word typedef. */
static void check_typedef(const char *file, const char *text)
{
    int depth = 0;
    bool body = false, done = false;    /* done: the name of this declarator is known */
    const char *name = NULL, *tag = ""; /* tag: of typedef struct tag ... */
    size_t n = 0, n_tag = 0;
    for (const char *p = text; *p; p++) {
        if (depth == 0 && !done && word_char(*p)) {
            if (name && is_tag(name, n)) tag = next_word(p, &n_tag);
            name = next_word(p, &n);
            p += n - 1;
        } else if (*p == '{' || *p == '[') {
            body = body || *p == '{';
            done = done || *p == '[';
            depth++;
        } else if (*p == '(') {
            if (depth == 0 && !done && p[1] == '*') name = next_word(p, &n); /* a pointer to a function */
            done = done || !is_word(name ? name : "", name ? n : 0, "__attribute__");
            depth++;
        } else if (*p == '}' || *p == ')' || *p == ']') {
            depth--;
        } else if (depth == 0 && (*p == ',' || *p == ';')) {
            const bool forward = !body && n == n_tag && name && strncmp(name, tag, n) == 0;
            if (name && !forward) type_found(file, name, n);
            if (*p == ';') return;
            done = false;
        }
    }
}

/* Types are defined where a body stands behind struct, union or enum, and by typedef; a declaration without a
 * body is none. */
static void check_types(const char *file, const char *text)
{
    size_t n;
    for (const char *p = next_word(text, &n); n; p = next_word(p + n, &n)) {
        if (is_word(p, n, "typedef")) check_typedef(file, p + n);
        if (!is_tag(p, n)) continue;
        size_t k;
        const char *tag = next_word(p + n, &k);
        if (tag[k] && tag[k + strspn(tag + k, " \n")] == '{') type_found(file, tag, k);
    }
}

static void check_two(const char *file, const char *text)
{
    static char other[256];
    snprintf(other, sizeof other, "%s", text); /* before and after ---- are two files */
    char *cut = strstr(other, "----");
    n_types = 0;
    if (cut) *cut = 0;
    check_types(file, other);
    if (cut) check_types("other.h", cut + 4);
}

static void type_names_exist_once(void **state)
{
    (void)state;
    static const rule_case cases[] = {
        {"x.h", "typedef struct rg_x { int a; } rg_x; ---- typedef struct rg_x { int b; } rg_x;", 1},
        {"x.h", "typedef struct { int a; } rg_x; ---- typedef enum rg_x { A } rg_x;", 1},
        {"x.h", "struct rg_x { int a; }; ---- typedef int rg_x;", 1},
        {"x.h", "typedef void (*rg_x)(int a); ---- typedef int rg_x[3];", 1},
        {"x.h", "typedef void rg_x(int rg_y); ---- typedef int rg_y, rg_x;", 1},
        {"x.h", "typedef void rg_x(int rg_y); ---- typedef int rg_y, rg_z;", 0},
        {"x.h", "typedef struct rg_x rg_x; ---- struct rg_x { int a; };", 0},
        {"x.h", "typedef struct rg_x { int a; } rg_x; rg_x f(void); ---- struct rg_x *p; rg_x q = {0};", 0},
    };
    try_cases(cases, N_ROWS(cases), true, check_two);
    n_types = 0;
    each_source(check_types);
    assert_true(n_types > 100);
}

/* ---- what they say ---- */

/* The project stands alone: optional data is for tests, and no path is that of one machine. */
static void nothing_points_outside(void **state)
{
    (void)state;
    static const char *const outside[] = {".."
                                          "/shared",
        "/"
        "work/",
        "/"
        "home/"};
    int bad = 0;
    for (int i = 0; i < n_tree_files; i++) {
        const char *f = tree_files[i];
        if (has_suffix(f, ".safetensors") || has_suffix(f, ".gguf") || has_suffix(f, ".bin") ||
            has_suffix(f, ".f32") || has_suffix(f, ".i32"))
            continue;
        char *text = text_of(f, NULL);
        for (size_t w = has_prefix(f, "tests/") ? 1 : 0; w < sizeof outside / sizeof *outside; w++)
            if (strstr(text, outside[w])) {
                print_error("%s: mentions %s\n", f, outside[w]);
                bad++;
            }
        free(text);
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_short_and_files_introduced),
        cmocka_unit_test(files_are_short), cmocka_unit_test(file_names_are_unique),
        cmocka_unit_test(type_names_exist_once), cmocka_unit_test(nothing_points_outside)};
    return cmocka_run_group_tests(tests, tree_open, tree_close);
}
