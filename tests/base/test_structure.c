/* The architecture as a test: who may include whom, what libraries must not do, how long files may be. Rules
 * are tables; a new module is a row. Every rule is also tried on a text that breaks it, so that a rule cannot
 * go silent. */
#include "testing.h"

#include <dirent.h>
#include <sys/stat.h>

/* ---- rules ---- */

/* Longest prefix wins. may: prefixes of our own files, separated by spaces; never: system headers. */
static const struct module {
    const char *dir, *may, *never;
} modules[] = {
    {"engine/base/", "engine/base/", "omp.h papi.h cblas.h hwloc.h"},
    {"engine/ops/", "engine/base/ engine/ops/", "omp.h papi.h cblas.h hwloc.h stdio.h"},
    {"engine/kernels/", "engine/base/ engine/kernels/",
        "omp.h papi.h stdio.h malloc.h stdlib.h hwloc.h pthread.h time.h"},
    {"engine/quant/", "engine/base/ engine/kernels/ engine/quant/",
        "omp.h papi.h cblas.h stdio.h hwloc.h pthread.h time.h"},
    {"engine/exec/",
        "engine/base/ engine/ops/ engine/kernels/ engine/exec/ engine/include/ridge/topo.h "
        "engine/include/ridge/latency.h",
        "papi.h cblas.h"},
    {"engine/include/", "engine/base/ engine/ops/ engine/include/ weights/", "omp.h papi.h cblas.h hwloc.h"},
    {"engine/model/", "engine/ weights/", "omp.h papi.h cblas.h"},
    {"engine/tokenizer/", "engine/base/ engine/ops/ engine/tokenizer/ weights/", "omp.h papi.h cblas.h"},
    {"weights/", "engine/base/ engine/ops/ weights/", "omp.h papi.h cblas.h hwloc.h"},
    {"roofline/", "engine/base/ engine/ops/ roofline/", "omp.h cblas.h"},
    {"report/", "engine/base/ engine/ops/ roofline/ report/", "omp.h papi.h cblas.h"},
    {"tools/examples/", "engine/base/ engine/ops/ engine/include/ weights/ roofline/", "omp.h cblas.h"},
    {"tests/tools/", "engine/ weights/ roofline/ report/ tests/", ""},
    {"tools/", "engine/base/ engine/ops/ engine/include/ engine/tokenizer/ weights/ roofline/ report/ tools/",
        "omp.h papi.h cblas.h"},
    {"tests/", "engine/ weights/ roofline/ report/ tests/", "papi.h"},
    {"benchmarks/", "engine/ weights/ roofline/ report/ benchmarks/", "papi.h"},
};

/* Words that only the named files may contain; a word that ends in '(' is a call. in: where the rule holds.
 * Benchmarks may have threads of their own, because they time kernels without the drivers. */
static const struct word_rule {
    const char *in, *word, *only, *why;
} words[] = {
    {"engine/", "omp.h", "engine/exec/team.c", "threads are the team's"},
    {"engine/", "pragma omp", "engine/exec/team.c", "threads are the team's"},
    {"weights/", "pragma omp", "", "threads are the team's"},
    {"roofline/", "pragma omp", "", "threads are the team's"},
    {"tools/", "pragma omp", "", "threads are the team's"},
    {"", "papi.h", "roofline/count/papi.c tools/examples/read_sde.c tests/tools/sde_spy.c",
        "one file knows PAPI, and what reads us from outside"},
    {"", "sde_lib.h", "roofline/count/sde.c", "one file knows libsde"},
    {"", "cblas.h", "engine/kernels/mm_blas.c", "one file knows CBLAS"},
    {"engine/kernels/", "malloc(", "", "kernels do not allocate"},
    {"engine/kernels/", "calloc(", "", "kernels do not allocate"},
    {"engine/kernels/", "realloc(", "", "kernels do not allocate"},
    {"engine/kernels/", "free(", "", "kernels do not allocate"},
    {"engine/kernels/", "clock_gettime(", "", "kernels have no clock"},
    {"engine/kernels/", "rg_now_ns(", "", "kernels have no clock"},
    {"engine/kernels/", "rg_fail(", "", "kernels have no errors"},
};

/* What no library does: tools print and exit. */
static const char *const libraries[] = {"engine/", "weights/", "roofline/", "report/"};
static const char *const never_in_libraries[] = {
    "printf(", "vprintf(", "puts(", "putchar(", "perror(", "exit(", "_exit(", "abort(", "stdout", "stderr"};

static const char *const source_roots[] = {
    "engine", "weights", "roofline", "report", "tools", "tests", "benchmarks"};
enum { MAX_LINES = 800, MAX_FILES = 1000 };

/* ---- the tree ---- */

static char *files[MAX_FILES]; /* relative to the source folder */
static int n_files;

static bool has_suffix(const char *s, const char *suffix)
{
    const size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}
static bool has_prefix(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
static bool is_c(const char *f) { return has_suffix(f, ".c") || has_suffix(f, ".h"); }
static const char *base_name(const char *f)
{
    const char *slash = strrchr(f, '/');
    return slash ? slash + 1 : f;
}

static void walk(const char *rel)
{
    char path[1024];
    project_file(path, sizeof path, rel);
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        char sub[512];
        if (e->d_name[0] == '.' || has_prefix(e->d_name, "build") || strcmp(e->d_name, "__pycache__") == 0)
            continue;
        snprintf(sub, sizeof sub, "%s%s%s", rel, *rel ? "/" : "", e->d_name);
        project_file(path, sizeof path, sub);
        if (stat(path, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) {
            walk(sub);
        } else {
            assert_true(n_files < MAX_FILES);
            files[n_files++] = strdup(sub);
        }
    }
    closedir(d);
}

static int find_files(void **state)
{
    (void)state;
    walk("");
    return n_files > 20 ? 0 : -1;
}

static int forget_files(void **state)
{
    (void)state;
    for (int i = 0; i < n_files; i++) free(files[i]);
    return 0;
}

static char *text_of(const char *rel, size_t *n)
{
    char path[1024];
    return read_all(project_file(path, sizeof path, rel), n);
}

static int breaches;
static bool quiet;
#define BREACH(...) (breaches++, quiet ? (void)0 : print_error(__VA_ARGS__))

/* Comments become spaces, and so does what stands between quotes except in #include lines. */
static void strip(char *s)
{
    enum { CODE, LINE, BLOCK, STRING, CHAR } in = CODE;
    bool include = false, fresh = true;
    for (; *s; s++) {
        if (*s == '\n') {
            if (in == LINE) in = CODE;
            include = false;
            fresh = true;
            continue;
        }
        if (in == CODE) {
            if (fresh && *s != ' ' && *s != '\t') {
                include = strncmp(s, "#include", 8) == 0;
                fresh = false;
            }
            if (s[0] == '/' && (s[1] == '/' || s[1] == '*')) {
                in = s[1] == '/' ? LINE : BLOCK;
                s[0] = s[1] = ' ';
                s++;
            } else if (!include && *s == '"') {
                in = STRING;
            } else if (!include && *s == '\'') {
                in = CHAR;
            }
        } else if (in == BLOCK && s[0] == '*' && s[1] == '/') {
            s[0] = s[1] = ' ';
            s++;
            in = CODE;
        } else if ((in == STRING && *s == '"') || (in == CHAR && *s == '\'')) {
            in = CODE;
        } else if ((in == STRING || in == CHAR) && *s == '\\' && s[1]) {
            s[0] = s[1] = ' ';
            s++;
        } else {
            *s = ' ';
        }
    }
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The word as a whole word. */
static bool contains(const char *text, const char *word)
{
    for (const char *p = text; (p = strstr(p, word)); p++) {
        const char last = word[strlen(word) - 1];
        if (p > text && word_char(p[-1])) continue;
        if (word_char(last) && word_char(p[strlen(word)])) continue;
        return true;
    }
    return false;
}

static const struct module *module_of(const char *file)
{
    const struct module *best = NULL;
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (has_prefix(file, modules[i].dir) && (!best || strlen(modules[i].dir) > strlen(best->dir)))
            best = &modules[i];
    return best;
}

static bool listed(const char *list, const char *word, bool prefix)
{
    for (const char *p = list; *p;) {
        const size_t n = strcspn(p, " ");
        if (prefix ? strncmp(word, p, n) == 0 : strlen(word) == n && strncmp(word, p, n) == 0) return true;
        p += n + strspn(p + n, " ");
    }
    return false;
}

/* Our file behind #include "name", as a path relative to the source folder; "" if there is none. */
static void resolve(char *out, size_t n, const char *from, const char *name)
{
    static const char *const roots[] = {"", "engine/", "engine/include/", "tests/"};
    char path[1024];
    snprintf(out, n, "%.*s%s", (int)(base_name(from) - from), from, name);
    if (access(project_file(path, sizeof path, out), R_OK) == 0) return;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        snprintf(out, n, "%s%s", roots[i], name);
        if (access(project_file(path, sizeof path, out), R_OK) == 0) return;
    }
    *out = 0;
}

static void check_includes(const char *file, const char *text)
{
    const struct module *m = module_of(file);
    if (!m) {
        BREACH("%s: belongs to no module of the table\n", file);
        return;
    }
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[256], ours[512];
        if (sscanf(line, " # include < %255[^>]", name) == 1) {
            if (listed(m->never, name, false))
                BREACH("%s: includes <%s>, which %s must never see\n", file, name, m->dir);
        } else if (sscanf(line, " # include \" %255[^\"]", name) == 1) {
            resolve(ours, sizeof ours, file, name);
            if (*ours && !listed(m->may, ours, true))
                BREACH("%s: includes %s; %s may include %s\n", file, ours, m->dir, m->may);
        }
    }
}

static void check_words(const char *file, const char *text)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_prefix(file, words[i].in) && !listed(words[i].only, file, false) &&
            contains(text, words[i].word))
            BREACH("%s: has '%s': %s\n", file, words[i].word, words[i].why);
    for (size_t l = 0; l < sizeof libraries / sizeof *libraries; l++)
        for (size_t i = 0;
             has_prefix(file, libraries[l]) && i < sizeof never_in_libraries / sizeof *never_in_libraries;
             i++)
            if (contains(text, never_in_libraries[i]))
                BREACH("%s: has '%s': libraries return, tools print and exit\n", file, never_in_libraries[i]);
}

static bool is_source(const char *f)
{
    for (size_t i = 0; i < sizeof source_roots / sizeof *source_roots; i++) {
        const size_t n = strlen(source_roots[i]);
        if (has_prefix(f, source_roots[i]) && f[n] == '/') return is_c(f);
    }
    return false;
}

static void each_source(void (*check)(const char *file, const char *text))
{
    breaches = 0;
    int seen = 0;
    for (int i = 0; i < n_files; i++) {
        if (!is_source(files[i])) continue;
        char *text = text_of(files[i], NULL);
        strip(text);
        check(files[i], text);
        free(text);
        seen++;
    }
    assert_true(seen > 20);
    if (breaches) fail_msg("%d breaches, listed above", breaches);
}

/* ---- the tests ---- */

static void includes_follow_the_table(void **state)
{
    (void)state;
    each_source(check_includes);
}

static void libraries_keep_to_themselves(void **state)
{
    (void)state;
    each_source(check_words);
}

static void rules_find_breaches(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        int want;
    } cases[] = {
        {"engine/kernels/x.c", "#include \"ops/rec.h\"\n", 1},
        {"engine/kernels/x.c", "#include \"exec/team.h\"\n", 1},
        {"engine/kernels/x.c", "#include <stdio.h>\n", 1},
        {"engine/kernels/x.c", "float *p = malloc(4);\n", 1},
        {"engine/kernels/x.c",
            "#include \"base/num.h\"\n/* malloc(1) */ // stdout\nconst char *s = \"printf(\\\"x\\\")\";\n",
            0},
        {"engine/exec/x.c", "#include \"model/model.h\"\n", 1},
        {"engine/exec/x.c", "#include \"ridge/engine.h\"\n", 1},
        {"engine/exec/x.c", "#pragma omp parallel\n", 1},
        {"engine/exec/team.c", "#include <omp.h>\n#pragma omp parallel\n", 0},
        {"engine/model/x.c", "#include \"report/report.h\"\n", 1},
        {"weights/x.c", "#include \"kernels/kernels.h\"\n", 1},
        {"weights/x.c", "#include \"ridge/engine.h\"\n", 1},
        {"weights/x.c", "    exit(1);\n", 1},
        {"weights/x.c", "fprintf(f, \"x\"); my_exit(1); snprintf(b, 1, \"\");\n", 0},
        {"roofline/x.c", "#include \"weights/ckpt.h\"\n", 1},
        {"roofline/x.c", "#include <papi.h>\n", 1},
        {"roofline/count/papi.c", "#include <papi.h>\n", 0},
        {"roofline/x.c", "#include <sde_lib.h>\n", 1},
        {"tools/x.c", "#include <papi.h>\n", 1},
        {"tools/examples/x.c", "#include <papi.h>\n", 1},
        {"tools/examples/read_sde.c", "#include <papi.h>\n", 0},
        {"roofline/x.c", "fprintf(stderr, \"x\");\n", 1},
        {"engine/kernels/mm_blas.c", "#include <cblas.h>\n", 0},
        {"tests/engine/x.c", "#include \"tools/cli/cli.h\"\n", 1},
        {"tools/x.c", "#include \"exec/team.h\"\nprintf(\"fine\");\n", 1},
        {"tools/x.c", "#include \"tests/testing.h\"\n", 1},
        {"engine/base/x.c", "#include \"ops/rec.h\"\n", 1},
        {"elsewhere/x.c", "\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s", cases[i].text);
        strip(text);
        breaches = 0;
        quiet = true;
        check_includes(cases[i].file, text);
        check_words(cases[i].file, text);
        quiet = false;
        if (cases[i].want ? breaches == 0 : breaches != 0)
            fail_msg("case %zu (%s): %d breaches, expected %s", i, cases[i].text, breaches,
                cases[i].want ? "some" : "none");
    }
}

static void files_are_short(void **state)
{
    (void)state;
    int bad = 0;
    for (int i = 0; i < n_files; i++) {
        const char *f = files[i];
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

static void file_names_are_unique(void **state)
{
    (void)state;
    int bad = 0;
    for (int i = 0; i < n_files; i++)
        for (int k = 0; k < i; k++)
            if (is_c(files[i]) && strcmp(base_name(files[i]), base_name(files[k])) == 0) {
                print_error("%s and %s have the same name\n", files[i], files[k]);
                bad++;
            }
    assert_int_equal(bad, 0);
}

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
    for (int i = 0; i < n_files; i++) {
        const char *f = files[i];
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(includes_follow_the_table),
        cmocka_unit_test(libraries_keep_to_themselves), cmocka_unit_test(rules_find_breaches),
        cmocka_unit_test(files_are_short), cmocka_unit_test(file_names_are_unique),
        cmocka_unit_test(nothing_points_outside)};
    return cmocka_run_group_tests(tests, find_files, forget_files);
}
