/* ridge compare: measured variants or saved runs; what each gained over the first, what it could, and why. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "report/svg/pictures.h"
#include "tools/assert/judge.h"
#include "tools/compare/compare.h"
#include "tools/report/page_out.h"

/* A saved run is a file that ends in .json; a folder may be called anything. */
static bool is_saved(const char *arg)
{
    struct stat st;
    return rg_ends_with(arg, ".json") && !strchr(arg, '=') && !(stat(arg, &st) == 0 && S_ISDIR(st.st_mode));
}

/* Where the settings begin: the first ':' with a key and '=' behind. */
static const char *settings_of(const char *arg)
{
    for (const char *c = arg; (c = strchr(c, ':')); c++) {
        const size_t n = strcspn(c + 1, "=,:/");
        if (c[1 + n] == '=' && rg_axis_of(c + 1, n) >= 0) return c;
    }
    return NULL;
}

/* MODEL:key=value,key=value; each part may be missing. */
static rg_status add_variant(
    rg_bench *b, const rg_cli *base, const char *const from_lists[RG_AX_COUNT], const char *arg, rg_err *err)
{
    const char *value[RG_AX_COUNT];
    char *text = strdup(arg), *save = NULL;
    if (!text) return rg_no_memory(err, "compare");
    memcpy(value, from_lists, sizeof value);
    const char *at = settings_of(arg);
    rg_status st = RG_OK;
    if (at) text[at - arg] = 0;
    if (text[0]) value[RG_AX_models] = text;
    for (char *w = at ? strtok_r(text + (at - arg) + 1, ",", &save) : NULL; w && !st;
         w = strtok_r(NULL, ",", &save)) {
        const size_t n = strcspn(w, "=");
        const int a = rg_axis_of(w, n);
        if (a < 0 || !w[n] || !w[n + 1]) {
            char keys[256] = "";
            for (int k = 0; k < RG_AX_COUNT; k++)
                snprintf(
                    keys + strlen(keys), sizeof keys - strlen(keys), "%s%s", k ? " " : "", rg_axes[k].key);
            st = rg_fail(err, RG_E_USAGE, "%s: '%s', expected key=value with a key of: %s", arg, w, keys);
        } else {
            value[a] = w + n + 1;
        }
    }
    if (!st) st = rg_bench_add_setting(b, base, value, err);
    free(text);
    return st;
}

/* Live variants: of the lists; or each positional one over the single values of the lists. */
static rg_status variants(rg_bench *b, const rg_cli *cli, rg_err *err)
{
    int live = 0;
    for (int i = 0; i < cli->n_args; i++) live += !is_saved(cli->args[i]);
    const int saved = cli->n_args - live;
    rg_bench one = {.cli = cli};
    rg_status st = rg_bench_settings(&one, err);
    const bool asked = live == 0 && (one.n_settings > 1 || saved == 0 || cli->models.n > 0);
    for (int i = 0; i < one.n_settings && !st && asked; i++)
        st = rg_bench_add_setting(b, cli, one.setting[i].value, err);
    if (!st && live > 0 && one.n_settings != 1)
        st = rg_fail(err, RG_E_USAGE,
            "compare: lists span %d settings and there are variants as arguments, expected one of the two",
            one.n_settings);
    for (int i = 0; i < cli->n_args && !st; i++)
        if (!is_saved(cli->args[i])) st = add_variant(b, cli, one.setting[0].value, cli->args[i], err);
    if (!st) rg_bench_label(b);
    rg_bench_close(&one);
    return st;
}

/* One value of a list that elsewhere may hold many. */
static rg_status single(
    int64_t *out, const char *option, const rg_cli_LIST *l, int64_t usual, int64_t low, rg_err *err)
{
    rg_counts c = {0};
    *out = usual;
    if (l->n == 0) return RG_OK;
    rg_status st = rg_list_counts(&c, option, l, low, 1 << 24, err);
    if (!st && c.n != 1)
        st = rg_fail(err, RG_E_USAGE,
            "%s: %d values, expected one: compare varies settings, bench varies tests", option, c.n);
    if (!st) *out = c.v[0];
    rg_counts_free(&c);
    return st;
}

static rg_status tests(rg_bench *b, int test[RG_PHASE_COUNT], bool ablate, rg_err *err)
{
    const rg_cli *c = b->cli;
    const int64_t half = rg_max(1, rg_bench_context(b) / 2);
    int64_t p, n, d, q;
    rg_status st = single(&p, "-p", &c->n_prompt, rg_min(ablate ? 128 : 512, half), ablate, err);
    if (!st) st = single(&n, "-n", &c->n_gen, rg_min(ablate ? 16 : 128, half), ablate, err);
    if (!st) st = single(&d, "-d", &c->n_depth, 0, 0, err);
    if (!st) st = single(&q, "-B", &c->n_seqs, ablate ? 8 : 1, ablate ? 2 : 1, err);
    if (!st && p == 0 && n == 0)
        st = rg_fail(err, RG_E_USAGE, "no tests: -p 0 and -n 0 leave nothing, expected one of them above 0");
    test[RG_PREFILL] = test[RG_DECODE] = -1;
    if (!st && p) {
        test[RG_PREFILL] = b->n_tests;
        st = rg_bench_add_test(b, p, 0, d, 1, err);
    }
    if (!st && n) {
        test[RG_DECODE] = b->n_tests;
        st = rg_bench_add_test(b, 0, n, d, ablate ? 1 : q, err);
    }
    if (!st && ablate) st = rg_bench_add_test(b, 0, n, d, q, err);
    return st;
}

/* Saved runs that cannot be read are refused before anything is measured. */
static rg_status check_saved(const rg_cli *cli, rg_err *err)
{
    rg_side *side = NULL;
    int n = 0;
    rg_status st = RG_OK;
    for (int i = 0; i < cli->n_args && !st; i++)
        if (is_saved(cli->args[i])) st = rg_sides_of_file(&side, &n, cli->args[i], err);
    rg_sides_free(side, n);
    return st;
}

/* Sides in the order of the command line. */
static rg_status gather(rg_comparison *c, const rg_bench *b, const int test[RG_PHASE_COUNT], rg_err *err)
{
    const rg_cli *cli = c->cli;
    int next = 0;
    rg_status st = RG_OK;
    for (int i = 0; i < cli->n_args + b->n_settings && !st; i++) {
        const bool arg = i < cli->n_args;
        if (arg && is_saved(cli->args[i])) {
            st = rg_sides_of_file(&c->side, &c->n, cli->args[i], err);
        } else if (next < b->n_settings) {
            rg_side *s = rg_sides_add(&c->side, &c->n, err);
            if (!s) return RG_E_NOMEM;
            st = rg_side_of_rows(s, b, next, test, err);
            if (c->score) s->score = c->score[next];
            next++;
        }
    }
    return st;
}

/* A picture by name gets the runs in one roofline; a folder gets everything, from the document. */
static bool is_file(const char *svg) { return svg && rg_ends_with(svg, ".svg"); }

static rg_status draw(const rg_comparison *c, rg_err *err)
{
    rg_reports s = {.run = calloc(c->n, sizeof *s.run)};
    int n = 0;
    if (!s.run) return rg_no_memory(err, "compare");
    rg_status st = RG_OK;
    for (int i = 0; i < c->n && !st; i++) st = rg_run_open(&s.run[s.n++], c->side[i].run.d, "this run", err);
    rg_runs_name(&s);
    if (!st) st = rg_pictures_write(&s, c->cli->compare_svg, &n, err);
    if (!st)
        fprintf(stderr, "ridge compare: %d picture%s in %s\n", n, n == 1 ? "" : "s", c->cli->compare_svg);
    rg_reports_close(&s);
    return st;
}

static rg_status one_variant(rg_err *err)
{
    return rg_fail(err, RG_E_USAGE,
        "compare: one variant, expected two or more: a list (--dtype f16,q4g64), MODEL:key=value arguments, "
        "or saved runs");
}

enum { TEXT, MD, JSON };

static rg_status report(
    rg_comparison *c, rg_bench *b, const int test[RG_PHASE_COUNT], int format, rg_err *err)
{
    const rg_screen s = rg_screen_of(stdout, c->cli->wide);
    if (c->cli->ablate)
        return format == JSON ? RG_OK : rg_ablate_text(stdout, format == TEXT ? &s : NULL, b, err);
    rg_status st = gather(c, b, test, err);
    if (!st && c->n < 2) st = one_variant(err);
    if (!st && format == TEXT) st = rg_compare_text(&s, c, err);
    if (!st && format == MD) st = rg_compare_tables(stdout, NULL, c, err);
    if (!st && is_file(c->cli->compare_svg)) st = draw(c, err);
    return st;
}

rg_status rg_cmd_COMPARE(const rg_cli *cli, rg_err *err)
{
    int test[RG_PHASE_COUNT];
    rg_bench b = {.cli = cli,
        .reps = (int)RG_OR(cli, bench_reps, 0),
        .records = 3,
        .per_load = cli->ablate ? 1 : 3,
        .loads = (int)RG_OR(cli, loads, 0),
        .least_loads = cli->ablate ? 6 : 4,
        .keep_logs = true,
        .no_warmup = cli->no_warmup,
        .started = time(NULL)};
    rg_comparison c = {.cli = cli, .started = b.started};
    rg_score_stats *score = NULL;
    rg_compare_sample text = {0};
    const int format = rg_cli_choice("-o", cli->bench_output, RG_WORDS("text", "md", "json"), err);
    if (format >= 0 && rg_judge_help(cli)) return RG_OK;
    rg_status st = format < 0 ? RG_E_USAGE : rg_judge_check(cli, err);
    if (!st && cli->ablate && cli->n_args) st = rg_cli_no_args(cli, err);
    if (!st) st = cli->ablate ? rg_ablate_settings(&b, err) : variants(&b, cli, err);
    if (!st && cli->eval_file && (cli->ablate || b.n_settings == 0))
        st = rg_fail(err, RG_E_USAGE, "--eval: it reads a text with the variants that compare measures; %s",
            cli->ablate ? "--ablate measures speed only" : "saved runs hold no model");
    bool drawable = true;
    for (int i = 0; i < cli->n_args; i++) drawable = drawable && !is_saved(cli->args[i]);
    if (!st && cli->compare_svg && !drawable)
        st = rg_fail(err, RG_E_USAGE,
            "--svg: compare draws what it measures; saved runs are drawn by: ridge report A.json B.json "
            "--svg PATH");
    if (!st && drawable && b.n_settings < 2) st = one_variant(err);
    if (!st && b.n_settings > 0) {
        if (!(st = rg_bench_open(&b, err))) st = tests(&b, test, cli->ablate, err);
        if (!st) st = check_saved(cli, err);
        if (!st && cli->eval_file) st = rg_compare_sample_open(&text, &b, cli->eval_file, err);
        if (!st) st = rg_bench_run(&b, err);
        if (!st && cli->eval_file) {
            score = calloc(b.n_settings, sizeof *score);
            st = score ? rg_compare_eval(score, &b, &text, err) : rg_no_memory(err, "compare");
            c.score = score;
        }
        c.b = &b;
    }
    bool whole = b.n_rows > 0 || b.n_settings == 0;
    for (int i = 0; i < b.n_rows; i++) whole = whole && b.row[i].n > 0;
    if (whole && (!st || st == RG_E_INTERRUPTED)) {
        rg_status done = report(&c, &b, test, format, err);
        const char *svg =
            cli->compare_svg && (cli->ablate || !is_file(cli->compare_svg)) ? cli->compare_svg : NULL;
        if (done == RG_OK && (format == JSON || cli->html || svg || rg_judge_wanted(cli))) {
            rg_doc d = {0};
            done = cli->ablate ? rg_ablate_doc(&d, &b, err) : rg_compare_doc(&d, &c, err);
            done = rg_page_out(done, &d, format == JSON, !st ? cli : NULL, cli->html, svg, err);
        }
        if (done != RG_OK) st = done;
    }
    rg_sides_free(c.side, c.n);
    free(score);
    free(text.tokens.id);
    rg_bench_close(&b);
    return st;
}
