/* What to run: settings from lists, tests from counts. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/bench/bench.h"

enum { MOST_SETTINGS = 256, MOST_TESTS = 1024 };

enum { WORD, COUNT };
const rg_axis_info rg_axes[RG_AX_COUNT] = {
#define RG_AXIS(field, lname_, key_, json_, kind, low_, high_) \
    [RG_AX_##field] = { \
        .lname = lname_, .key = key_, .json = json_, .count = kind == COUNT, .low = low_, .high = high_},
#include "tools/bench/axes.def"
};

static const rg_cli_LIST *list_of(const rg_cli *cli, rg_sweep_axis a)
{
    switch (a) {
#define RG_AXIS(field, lname, key, json, kind, low, high) \
    case RG_AX_##field: \
        return &cli->field;
#include "tools/bench/axes.def"
    default:
        return NULL;
    }
}

int rg_axis_of(const char *word, size_t len)
{
    for (int a = 0; a < RG_AX_COUNT; a++) {
        const char *names[] = {rg_axes[a].key, rg_axes[a].json, rg_axes[a].lname, rg_axes[a].lname + 2};
        for (int i = 0; i < 4; i++)
            if (strlen(names[i]) == len && strncmp(names[i], word, len) == 0) return a;
    }
    return -1;
}

/* A word the bench owns. */
static const char *keep(rg_bench *b, const char *word)
{
    return rg_words_add(&b->words, word) == 0 ? b->words.w[b->words.n - 1] : NULL;
}

rg_status rg_bench_add_setting(
    rg_bench *b, const rg_cli *base, const char *const value[RG_AX_COUNT], rg_err *err)
{
    if (b->n_settings == MOST_SETTINGS)
        return rg_fail(err, RG_E_USAGE, "the lists span more than %d settings", MOST_SETTINGS);
    rg_setting *more = realloc(b->setting, (b->n_settings + 1) * sizeof *more);
    if (!more) return rg_no_memory(err, "settings");
    b->setting = more;
    rg_setting *s = &b->setting[b->n_settings++];
    *s = (rg_setting){.cli = *base};
    s->cli.machine = base->bench_machine;
    for (int a = 0; a < RG_AX_COUNT; a++) {
        if (!value[a]) continue;
        const char *v = keep(b, value[a]);
        if (!v) return rg_no_memory(err, "settings");
        if (a == RG_AX_flashes && strcmp(v, "0") == 0) v = "off"; /* llama-bench's spelling */
        if (a == RG_AX_flashes && strcmp(v, "1") == 0) v = "on";
        s->value[a] = v;
        const rg_status st = rg_cli_set(&s->cli, rg_axes[a].lname, v, err);
        if (st) return st;
    }
    return RG_OK;
}

/* The values of one axis; one NULL if none were given. */
static rg_status axis_values(rg_words *out, const rg_cli *cli, rg_sweep_axis a, rg_err *err)
{
    const rg_cli_LIST *l = list_of(cli, a);
    if (!rg_axes[a].count) return rg_list_words(out, rg_axes[a].lname, l, err);
    rg_counts c = {0};
    rg_status st = rg_list_counts(&c, rg_axes[a].lname, l, rg_axes[a].low, rg_axes[a].high, err);
    for (int i = 0; i < c.n && !st; i++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)c.v[i]);
        if (rg_words_add(out, text) != 0) st = rg_no_memory(err, rg_axes[a].lname);
    }
    rg_counts_free(&c);
    return st;
}

rg_status rg_bench_settings(rg_bench *b, rg_err *err)
{
    rg_words values[RG_AX_COUNT] = {{0}};
    int at[RG_AX_COUNT] = {0};
    rg_status st = RG_OK;
    for (int a = 0; a < RG_AX_COUNT && !st; a++) st = axis_values(&values[a], b->cli, a, err);
    /* an odometer whose last wheel, the last axis, turns fastest */
    for (bool more = !st; more && !st;) {
        const char *v[RG_AX_COUNT];
        for (int a = 0; a < RG_AX_COUNT; a++) v[a] = values[a].n ? values[a].w[at[a]] : NULL;
        st = rg_bench_add_setting(b, b->cli, v, err);
        more = false;
        for (int a = RG_AX_COUNT - 1; a >= 0 && !more; a--) {
            more = ++at[a] < values[a].n;
            if (!more) at[a] = 0;
        }
    }
    for (int a = 0; a < RG_AX_COUNT; a++) rg_words_free(&values[a]);
    if (!st) rg_bench_label(b);
    return st;
}

static const char *base_name(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    for (size_t i = n; i-- > 0;)
        if (path[i] == '/' && i + 1 < n) return path + i + 1;
    return path;
}

void rg_bench_label(rg_bench *b)
{
    bool differs[RG_AX_COUNT] = {false};
    for (int i = 1; i < b->n_settings; i++)
        for (int a = 0; a < RG_AX_COUNT; a++) {
            const char *x = b->setting[0].value[a], *y = b->setting[i].value[a];
            if (!x != !y || (x && strcmp(x, y) != 0)) differs[a] = true;
        }
    for (int i = 0; i < b->n_settings; i++) {
        rg_setting *s = &b->setting[i];
        size_t at = 0;
        s->label[0] = 0;
        for (int a = 0; a < RG_AX_COUNT; a++) {
            const char *v = s->value[a];
            if (!differs[a]) continue;
            const bool named = a == RG_AX_models || a == RG_AX_dtypes;
            const int n = snprintf(s->label + at, sizeof s->label - at, "%s%s%s%s", at ? " " : "",
                named ? "" : rg_axes[a].key, named ? "" : "=",
                !v                      ? (a == RG_AX_dtypes ? "as-in-file" : "default")
                    : a == RG_AX_models ? base_name(v)
                                        : v);
            at = (size_t)rg_min((int64_t)sizeof s->label - 1, (int64_t)at + n);
        }
        if (!at) snprintf(s->label, sizeof s->label, "default");
    }
}

static void name_test(rg_bench_test *t)
{
    char at[32] = "", times[32] = "";
    if (t->depth) snprintf(at, sizeof at, " @ d%lld", (long long)t->depth);
    if (t->seqs > 1) snprintf(times, sizeof times, " x%lld", (long long)t->seqs);
    if (t->prompt && t->gen)
        snprintf(
            t->name, sizeof t->name, "pp%lld+tg%lld%s%s", (long long)t->prompt, (long long)t->gen, times, at);
    else
        snprintf(t->name, sizeof t->name, "%s%lld%s%s", t->gen ? "tg" : "pp",
            (long long)(t->gen ? t->gen : t->prompt), times, at);
}

rg_status rg_bench_add_test(
    rg_bench *b, int64_t prompt, int64_t gen, int64_t depth, int64_t seqs, rg_err *err)
{
    if (b->n_tests == MOST_TESTS)
        return rg_fail(err, RG_E_USAGE, "the lists span more than %d tests", MOST_TESTS);
    rg_bench_test *more = realloc(b->test, (b->n_tests + 1) * sizeof *more);
    if (!more) return rg_no_memory(err, "tests");
    b->test = more;
    rg_bench_test *t = &b->test[b->n_tests++];
    *t = (rg_bench_test){.prompt = prompt, .gen = gen, .depth = depth, .seqs = seqs};
    name_test(t);
    return RG_OK;
}

/* "512,128" */
static rg_status pair(const char *text, int64_t *p, int64_t *n, rg_err *err)
{
    long long a, b;
    char end;
    if (sscanf(text, "%lld,%lld%c", &a, &b, &end) != 2 || a < 1 || b < 1 || a > 1 << 24 || b > 1 << 24)
        return rg_fail(err, RG_E_USAGE, "-pg: '%s', expected two counts from 1, for instance 512,128", text);
    *p = a;
    *n = b;
    return RG_OK;
}

/* Prompt tests are of one sequence: several prompts take as long as one after the other. */
static rg_status at_depth(
    rg_bench *b, const rg_counts *p, const rg_counts *n, const rg_counts *seqs, int64_t depth, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < p->n && !st; i++)
        if (p->v[i]) st = rg_bench_add_test(b, p->v[i], 0, depth, 1, err);
    for (int i = 0; i < n->n; i++)
        for (int q = 0; q < seqs->n && !st; q++)
            if (n->v[i]) st = rg_bench_add_test(b, 0, n->v[i], depth, seqs->v[q], err);
    for (int i = 0; i < b->cli->n_pg.n; i++) {
        int64_t x = 0, y = 0;
        if (!st) st = pair(b->cli->n_pg.v[i], &x, &y, err);
        for (int q = 0; q < seqs->n && !st; q++) st = rg_bench_add_test(b, x, y, depth, seqs->v[q], err);
    }
    return st;
}

rg_status rg_bench_tests(rg_bench *b, rg_err *err)
{
    static const rg_cli_LIST d_default = {{"0"}, 1}, b_default = {{"1"}, 1};
    const rg_cli *c = b->cli;
    const int64_t half = rg_max(1, rg_bench_context(b) / 2);
    char usual_p[32], usual_n[32];
    snprintf(usual_p, sizeof usual_p, "%lld", (long long)rg_min(512, half));
    snprintf(usual_n, sizeof usual_n, "%lld", (long long)rg_min(128, half));
    const rg_cli_LIST p_default = {{usual_p}, 1}, n_default = {{usual_n}, 1};
    rg_counts p = {0}, n = {0}, d = {0}, q = {0};
    rg_status st = rg_list_counts(&p, "-p", c->n_prompt.n ? &c->n_prompt : &p_default, 0, 1 << 24, err);
    if (!st) st = rg_list_counts(&n, "-n", c->n_gen.n ? &c->n_gen : &n_default, 0, 1 << 24, err);
    if (!st) st = rg_list_counts(&d, "-d", c->n_depth.n ? &c->n_depth : &d_default, 0, 1 << 24, err);
    if (!st) st = rg_list_counts(&q, "-B", c->n_seqs.n ? &c->n_seqs : &b_default, 1, 4096, err);
    for (int i = 0; i < d.n && !st; i++) st = at_depth(b, &p, &n, &q, d.v[i], err);
    if (!st && b->n_tests == 0)
        st = rg_fail(
            err, RG_E_USAGE, "no tests: -p 0 and -n 0 leave nothing, expected one of -p, -n, -pg above 0");
    rg_counts_free(&p);
    rg_counts_free(&n);
    rg_counts_free(&d);
    rg_counts_free(&q);
    return st;
}
