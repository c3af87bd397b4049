/* The architecture as a test: who may include whom, and what libraries must not do. Rules are tables; a new
 * module is a row. Every rule is also tried on a text that breaks it, so that a rule cannot go silent. */
#include "source_tree.h"

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
    {"tests/tools/", "engine/ weights/ roofline/ report/ tools/ tests/", ""},
    {"tools/", "engine/base/ engine/ops/ engine/include/ engine/tokenizer/ weights/ roofline/ report/ tools/",
        "omp.h papi.h cblas.h"},
    {"tests/", "engine/ weights/ roofline/ report/ tests/", "papi.h"},
    {"benchmarks/", "engine/ weights/ roofline/ report/ benchmarks/", "papi.h"},
};

/* What others may include of a folder; the rest is its own. *: everything. A folder without a row hides
 * nothing yet. Tests may look inside. */
static const struct door {
    const char *dir, *open;
} doors[] = {
    {"engine/base/", "*"},
    {"engine/ops/", "rec.h probe.h route.h sites.h sites.def ops.def"},
    {"engine/kernels/", "kernels.h"},
    {"engine/quant/", "quant.h"},
    {"engine/exec/", "drive.h team.h"},
    {"engine/include/", "*"},
    {"engine/model/", ""}, /* its public headers are engine/include/ */
    {"engine/tokenizer/", "tokenizer.h chat.h"},
    {"weights/", "ckpt.h export.h layer_view.h synth.h"},
    {"roofline/measure/", "host.h json_value.h machine.h roof_watch.h stats.h"},
    {"roofline/count/", "counters.h sde.h socket.h"},
    {"roofline/model/", "exact.h llm_viewer.h llm_viewer.def model_cost.h predict.h speeds.h"},
    {"roofline/doctor/", "doctor.h"},
    {"report/",
        "report.h document.h figures.h runs.h join.h verdict.h views.h schema.h trace.h cost_case.h cells.h "
        "table.h csv.h screen.h gain.h fixes.h"},
    {"report/svg/", "pictures.h svg.h op_groups.def"},
    {"report/html/", "page.h"},
    {"tools/assert/", "judge.h"},
    {"tools/bench/", "bench.h"},
    {"tools/cli/", "cli.h commands.def"},
    {"tools/compare/", ""},
    {"tools/eval/", "eval.h"},
    {"tools/inspect/", ""},
    {"tools/measure/", "measure.h"},
    {"tools/profile/", ""},
    {"tools/quantize/", ""},
    {"tools/report/", "page_out.h"},
    {"tools/roofline/", ""},
    {"tools/run/", ""},
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
    {"report/", "pragma omp", "", "threads are the team's"},
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

/* ---- how they are read ---- */

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

/* Our file behind #include "name", as a path relative to the source folder; "" if there is none. */
static void resolve(char *out, size_t n, const char *from, const char *name)
{
    static const char *const roots[] = {"", "engine/", "engine/include/", "tests/"};
    char path[1024];
    snprintf(out, n, "%.*s%s", (int)(base_name(from) - from), from, name);
    if (access(project_file(path, sizeof path, out), R_OK) == 0) return;
    for (size_t i = 0; i < N_ROWS(roots); i++) {
        snprintf(out, n, "%s%s", roots[i], name);
        if (access(project_file(path, sizeof path, out), R_OK) == 0) return;
    }
    *out = 0;
}

static void check_door(const char *file, const char *ours)
{
    const struct door *d = row_of(doors, N_ROWS(doors), sizeof *doors, ours);
    if (!d || has_prefix(file, d->dir) || has_prefix(file, "tests/")) return;
    if (strcmp(d->open, "*") != 0 && !listed(d->open, ours + strlen(d->dir), false))
        BREACH("%s: includes %s, which is private; %s shows %s\n", file, ours, d->dir,
            *d->open ? d->open : "nothing");
}

static void check_includes(const char *file, const char *text)
{
    const struct module *m = row_of(modules, N_ROWS(modules), sizeof *modules, file);
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
            if (!*ours) continue;
            if (!listed(m->may, ours, true))
                BREACH("%s: includes %s; %s may include %s\n", file, ours, m->dir, m->may);
            check_door(file, ours);
        }
    }
}

static void check_words(const char *file, const char *text)
{
    for (size_t i = 0; i < N_ROWS(words); i++)
        if (has_prefix(file, words[i].in) && !listed(words[i].only, file, false) &&
            contains(text, words[i].word))
            BREACH("%s: has '%s': %s\n", file, words[i].word, words[i].why);
    for (size_t l = 0; l < N_ROWS(libraries); l++)
        for (size_t i = 0; has_prefix(file, libraries[l]) && i < N_ROWS(never_in_libraries); i++)
            if (contains(text, never_in_libraries[i]))
                BREACH("%s: has '%s': libraries return, tools print and exit\n", file, never_in_libraries[i]);
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

static void check_both(const char *file, const char *text)
{
    check_includes(file, text);
    check_words(file, text);
}

static void rules_find_breaches(void **state)
{
    (void)state;
    static const rule_case cases[] = {
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
        {"engine/exec/x.c", "#include \"kernels/simd.h\"\n", 1},
        {"engine/exec/x.c", "#include \"kernels/kernels.h\"\n", 0},
        {"engine/model/x.c", "#include \"exec/totals.h\"\n", 1},
        {"engine/exec/x.c", "#include \"exec/totals.h\"\n", 0},
        {"engine/quant/x.c", "#include \"kernels/kernels.def\"\n", 1},
        {"roofline/x.c", "#include \"ops/fuse.def\"\n", 1},
        {"engine/tokenizer/x.c", "#include \"weights/ckpt_impl.h\"\n", 1},
        {"tests/weights/x.c", "#include \"weights/ckpt_impl.h\"\n", 0},
    };
    try_cases(cases, N_ROWS(cases), true, check_both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(includes_follow_the_table),
        cmocka_unit_test(libraries_keep_to_themselves), cmocka_unit_test(rules_find_breaches)};
    return cmocka_run_group_tests(tests, tree_open, tree_close);
}
