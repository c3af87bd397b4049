/* The source tree as tests of the sources see it: its files, their text, and rules tried on each. */
#include "source_tree.h"

#include <dirent.h>
#include <sys/stat.h>

static const char *const source_roots[] = {
    "engine", "weights", "roofline", "report", "tools", "tests", "benchmarks"};
enum { MAX_FILES = 1500 };

char *tree_files[MAX_FILES];
int n_tree_files;

bool has_suffix(const char *s, const char *suffix)
{
    const size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}
bool has_prefix(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
bool is_c(const char *f) { return has_suffix(f, ".c") || has_suffix(f, ".h"); }
const char *base_name(const char *f)
{
    const char *slash = strrchr(f, '/');
    return slash ? slash + 1 : f;
}
bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool listed(const char *list, const char *word, bool prefix)
{
    for (const char *p = list; *p;) {
        const size_t n = strcspn(p, " ");
        if (prefix ? strncmp(word, p, n) == 0 : strlen(word) == n && strncmp(word, p, n) == 0) return true;
        p += n + strspn(p + n, " ");
    }
    return false;
}

const void *row_of(const void *rows, size_t n, size_t size, const char *file)
{
    const void *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        const void *row = (const char *)rows + i * size;
        const char *dir = *(const char *const *)row;
        if (!has_prefix(file, dir) || (best && strlen(dir) <= longest)) continue;
        best = row;
        longest = strlen(dir);
    }
    return best;
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
            assert_true(n_tree_files < MAX_FILES);
            tree_files[n_tree_files++] = strdup(sub);
        }
    }
    closedir(d);
}

int tree_open(void **state)
{
    (void)state;
    walk("");
    return n_tree_files > 20 ? 0 : -1;
}

int tree_close(void **state)
{
    (void)state;
    for (int i = 0; i < n_tree_files; i++) free(tree_files[i]);
    return 0;
}

char *text_of(const char *rel, size_t *n)
{
    char path[1024];
    return read_all(project_file(path, sizeof path, rel), n);
}

void strip(char *s)
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

bool is_source(const char *f)
{
    for (size_t i = 0; i < N_ROWS(source_roots); i++) {
        const size_t n = strlen(source_roots[i]);
        if (has_prefix(f, source_roots[i]) && f[n] == '/') return is_c(f);
    }
    return false;
}

int breaches;
bool quiet;

void each_source(check_fn *check)
{
    breaches = 0;
    int seen = 0;
    for (int i = 0; i < n_tree_files; i++) {
        if (!is_source(tree_files[i])) continue;
        char *text = text_of(tree_files[i], NULL);
        strip(text);
        check(tree_files[i], text);
        free(text);
        seen++;
    }
    assert_true(seen > 20);
    if (breaches) fail_msg("%d breaches, listed above", breaches);
}

void try_cases(const rule_case *c, size_t n, bool stripped, check_fn *check)
{
    for (size_t i = 0; i < n; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s", c[i].text);
        if (stripped) strip(text);
        breaches = 0;
        quiet = true;
        check(c[i].file, text);
        quiet = false;
        if (c[i].want ? breaches == 0 : breaches != 0)
            fail_msg("case %zu (%s): %d breaches, expected %s", i, c[i].text, breaches,
                c[i].want ? "some" : "none");
    }
}
