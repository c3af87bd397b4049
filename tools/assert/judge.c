/* Judges the assertions of a command, and tells the verdict on stderr, as JUnit and as a summary. */
#include "tools/assert/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/near.h"
#include "base/outfile.h"
#include "base/text.h"
#include "ops/sites.h"
#include "report/table.h"
#include "tools/assert/metrics.h"

static const char *const outcome_names[] = {[RG_HOLDS] = "holds",
    [RG_FAILS] = "fails",
    [RG_NOISY] = "too noisy to tell",
    [RG_UNKNOWN] = "cannot be judged"};

enum { FEW = 3 }; /* significant digits, where these tell */

typedef struct verdict {
    const char *assertion, *subject;
    rg_outcome outcome;
    char why[512];
} verdict;

typedef struct court {
    const rg_cli *cli;
    rg_subjects now, base;
    const rg_subject *subject, *other; /* other: of the baseline */
    bool measured;                     /* the assertion has asked for a measured number */
    verdict *v;                        /* owns */
    int n;
} court;

static bool wants_help(const rg_cli *cli)
{
    for (int i = 0; i < cli->asserts.n; i++)
        if (strcmp(cli->asserts.v[i], "help") == 0) return true;
    return false;
}

bool rg_judge_help(const rg_cli *cli)
{
    if (!wants_help(cli)) return false;
    rg_metrics_help(stdout);
    return true;
}

bool rg_judge_wanted(const rg_cli *cli) { return cli->asserts.n > 0; }

static rg_status load_baseline(rg_subjects *s, const char *path, rg_err *err)
{
    json_error_t e;
    if (!path) return RG_OK;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    if (!j)
        return rg_fail(
            err, RG_E_FILE, "%s: %s (line %d), expected a report saved with -o json", path, e.text, e.line);
    const rg_status st = rg_subjects_of(s, j, path, err);
    json_decref(j);
    return st;
}

/* ---- names, before anything is measured ---- */

typedef struct census {
    rg_command_id command;
    const rg_subjects *base;
    char word[160]; /* the name as the list has it */
    rg_near near;   /* to the word */
    bool found;
} census;

static void compare_name(void *user, const char *name)
{
    census *c = user;
    c->found = c->found || strcmp(name, c->word) == 0;
    rg_near_try(&c->near, name);
}

/* "tg128.mbu" is TEST.mbu. */
static bool of_test(const char *name)
{
    return (strncmp(name, "pp", 2) == 0 || strncmp(name, "tg", 2) == 0) && name[2] >= '0' && name[2] <= '9';
}

static bool known(void *user, const char *name, bool from_baseline, rg_range *out)
{
    census *c = user;
    const char *dot = from_baseline || !of_test(name) ? NULL : strchr(name, '.');
    if (*c->word && !c->found) return false; /* the first unknown name is told */
    rg_text(c->word, sizeof c->word, "%s%s", dot ? "TEST" : "", dot ? dot : name);
    c->near = (rg_near){.word = c->word};
    c->found = false;
    *out = (rg_range){1.0, 1.0, 1.0};
    if (!from_baseline) rg_metrics_each(c->command, compare_name, c);
    for (int i = 0; from_baseline && i < c->base->n; i++)
        for (int k = 0; k < c->base->s[i].n; k++) compare_name(c, c->base->s[i].m[k].name);
    return c->found;
}

static rg_status check_names(const rg_cli *cli, const char *assertion, const rg_subjects *base, rg_err *err)
{
    census c = {.command = cli->command, .base = base};
    rg_judgement j;
    const rg_status st = rg_expr_judge(&j, assertion, known, &c, err);
    if (st || !j.no_such) return st;
    const bool of_base = strncmp(j.missing, "baseline", 8) == 0;
    return rg_fail(err, RG_E_USAGE, "--assert: '%s': %s: no such metric in %s%s; %s--assert help lists them",
        assertion, j.missing, of_base ? "" : "reports of ridge ",
        of_base ? cli->baseline : rg_commands[cli->command].name, RG_NEAR_HINT(&c.near));
}

rg_status rg_judge_check(const rg_cli *cli, rg_err *err)
{
    rg_subjects base = {0};
    rg_status st = RG_OK;
    if (wants_help(cli)) return RG_OK;
    for (int i = 0; i < cli->asserts.n && !st; i++) {
        rg_judgement j;
        const char *a = cli->asserts.v[i];
        st = rg_expr_judge(&j, a, NULL, NULL, err);
        if (!st && strstr(a, "baseline") && !cli->baseline)
            st = rg_fail(err, RG_E_USAGE,
                "--assert: '%s' names a baseline, expected --baseline FILE (a report saved with -o json)", a);
    }
    const char *const need[] = {cli->baseline, cli->junit, cli->summary},
                      *const names[] = {"--baseline", "--junit", "--summary"};
    for (int i = 0; i < 3 && !st; i++)
        if (need[i] && !cli->asserts.n)
            st = rg_fail(
                err, RG_E_USAGE, "%s: there is nothing to judge, expected --assert 'EXPRESSION'", names[i]);
    if (!st) st = load_baseline(&base, cli->baseline, err);
    for (int i = 0; i < cli->asserts.n && !st; i++) st = check_names(cli, cli->asserts.v[i], &base, err);
    rg_subjects_free(&base);
    return st;
}

typedef struct planned {
    const char *const *tests;
    int n;
    char word[96];
    rg_near near;
} planned;

static bool is_planned(void *user, const char *name, bool from_baseline, rg_range *out)
{
    planned *p = user;
    *out = (rg_range){1.0, 1.0, 1.0};
    if (from_baseline || !of_test(name) || p->n < 0) return true;
    rg_text(p->word, sizeof p->word, "%.*s", (int)strcspn(name, "."), name);
    p->near = (rg_near){.word = p->word};
    for (int i = 0; i < p->n; i++) {
        char test[96];
        rg_metric_test(test, sizeof test, p->tests[i]);
        if (strcmp(test, p->word) == 0) return true;
        rg_near_try(&p->near, test);
    }
    p->n = -1; /* the first one is told */
    return false;
}

rg_status rg_judge_tests(const rg_cli *cli, const char *const *tests, int n, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < cli->asserts.n && !st; i++) {
        planned p = {.tests = tests, .n = n};
        rg_judgement j;
        st = rg_expr_judge(&j, cli->asserts.v[i], is_planned, &p, err);
        if (!st && p.n < 0)
            st = rg_fail(err, RG_E_USAGE, "--assert: '%s': %s is not measured here; the nearest tests are %s",
                cli->asserts.v[i], p.word,
                rg_near_names((char[RG_NEAR_MOST * 96]){0}, RG_NEAR_MOST * 96, &p.near));
    }
    return st;
}

/* ---- judging ---- */

static bool look_up(void *user, const char *name, bool from_baseline, rg_range *out)
{
    court *c = user;
    const rg_subject *s = from_baseline ? c->other : c->subject;
    const rg_judged *m = s ? rg_metric_find(s, name) : NULL;
    if (m) *out = m->value;
    c->measured = c->measured || (m && m->measured);
    return m != NULL;
}

/* The subject of the same name; else the only one there is. */
static const rg_subject *in_baseline(const rg_subjects *base, const rg_subject *s)
{
    for (int i = 0; i < base->n; i++)
        if (strcmp(base->s[i].name, s->name) == 0) return &base->s[i];
    return base->n == 1 ? &base->s[0] : NULL;
}

static const char *number(char *buf, size_t n, double x, int digits)
{
    return digits == FEW ? rg_num(buf, n, x) : rg_text(buf, n, "%.*g", digits, x);
}

static const char *range_text(char *buf, size_t n, rg_range r, int digits)
{
    char a[32], b[32], c[32];
    number(a, sizeof a, r.mid, digits);
    if (r.low < r.high)
        snprintf(buf, n, "%s (%s to %s)", a, number(b, sizeof b, r.low, digits),
            number(c, sizeof c, r.high, digits));
    else
        snprintf(buf, n, "%s", a);
    return buf;
}

/* As many digits as tell the numbers apart that decide: never "1.00, the other side is 1.00". */
static int deciding_digits(rg_range l, rg_range r)
{
    const double pair[][2] = {{l.mid, r.mid}, {l.low, r.high}, {l.high, r.low}};
    int digits = FEW;
    for (int i = 0; i < 3; i++) {
        char a[32], b[32];
        while (digits < 17 && (pair[i][0] < pair[i][1] || pair[i][0] > pair[i][1]) &&
            strcmp(number(a, sizeof a, pair[i][0], digits), number(b, sizeof b, pair[i][1], digits)) == 0)
            digits++;
    }
    return digits;
}

/* The operator that runs a metric's one inside of it ("decode.ffn_down.gbps"); NULL: none does. */
static const char *runs_inside(const char *metric)
{
    const char *at = strchr(metric, '.'), *end = at ? strchr(at + 1, '.') : NULL;
    const rg_site site = end ? rg_site_named(at + 1, (size_t)(end - at - 1)) : RG_SITE_COUNT;
    const rg_config plain = {.layers = 1};
    bool first;
    const rg_site by = site < RG_SITE_COUNT ? rg_site_fused(&plain, site, &first) : RG_SITE_COUNT;
    return by == RG_SITE_COUNT || by == site ? NULL : rg_site_name(by);
}

static void explain(verdict *v, const rg_judgement *j)
{
    char l[128], r[128];
    const int digits = deciding_digits(j->left, j->right);
    const char *by = j->no_such ? runs_inside(j->missing) : NULL;
    if (by)
        snprintf(v->why, sizeof v->why,
            "%s: no such metric in this report, where the operator may be part of %s (--fuse none: each on "
            "its own)",
            j->missing, by);
    else if (j->missing[0])
        snprintf(v->why, sizeof v->why,
            j->no_such ? "%s: no such metric in this report; --assert help lists them"
                       : "%s is not known here (null in the report)",
            j->missing);
    else if (isnan(j->left.mid) || isnan(j->right.mid))
        snprintf(v->why, sizeof v->why, "a division by what may be 0");
    else
        snprintf(v->why, sizeof v->why, "%s is %s, the other side is %s%s%s", j->metric,
            range_text(l, sizeof l, j->left, digits), range_text(r, sizeof r, j->right, digits),
            j->single ? "; a number without an interval is taken at its word" : "",
            v->outcome == RG_NOISY ? "; use more repetitions, or a longer text" : "");
}

/* A canary that moves by more says that the machine did. */
static const double MOVED = 0.10;
static bool moved(double a, double b) { return fabs(a - b) > MOVED * fmax(a, b); }

/* What was measured on a disturbed machine, or against a baseline of another, neither holds nor fails. */
static void doubt(verdict *v, const court *c, bool baseline)
{
    const rg_subject *a = c->subject, *b = baseline ? c->other : NULL;
    if (!c->measured || (v->outcome != RG_HOLDS && v->outcome != RG_FAILS)) return;
    char why[sizeof v->why] = "";
    if (a->noise[0])
        rg_text_add(why, sizeof why, "the run was disturbed: %s", a->noise);
    else if (b && b->noise[0])
        rg_text_add(why, sizeof why, "the baseline was measured on a disturbed machine: %s", b->noise);
    else if (b && moved(a->canary_fma, b->canary_fma))
        rg_text_add(why, sizeof why,
            "the machine has changed since the baseline: its multiply-add canary ran at %s GFLOP/s then, at "
            "%s now",
            RG_NUM(b->canary_fma), RG_NUM(a->canary_fma));
    else if (b && moved(a->canary_l2, b->canary_l2))
        rg_text_add(why, sizeof why,
            "the machine has changed since the baseline: its cache canary read %s GB/s then, %s now",
            RG_NUM(b->canary_l2), RG_NUM(a->canary_l2));
    if (!why[0]) return;
    rg_text_add(why, sizeof why, " (%s)", v->why);
    memcpy(v->why, why, sizeof why);
    v->outcome = RG_NOISY;
}

static rg_status judge_one(court *c, const char *assertion, rg_err *err)
{
    int judged = 0;
    rg_judgement j = {0};
    for (int i = 0; i < c->now.n; i++) {
        c->subject = &c->now.s[i];
        c->other = in_baseline(&c->base, c->subject);
        c->measured = false;
        const rg_status st = rg_expr_judge(&j, assertion, look_up, c, err);
        if (st) return st;
        const bool last = i == c->now.n - 1 && judged == 0;
        /* not every variant has every metric; one must */
        if (j.no_such && !last && strncmp(j.missing, "baseline", 8) != 0) continue;
        verdict *v = &c->v[c->n++];
        *v = (verdict){assertion, c->subject->name, j.outcome, ""};
        explain(v, &j);
        doubt(v, c, strstr(assertion, "baseline"));
        judged++;
    }
    return RG_OK;
}

/* ---- telling ---- */

/* An assertion that cannot be told is an error, so that no build machine takes it for a success. */
static void junit(FILE *f, const court *c, const char *command)
{
    int failures = 0, errors = 0;
    for (int i = 0; i < c->n; i++) {
        failures += c->v[i].outcome == RG_FAILS || c->v[i].outcome == RG_UNKNOWN;
        errors += c->v[i].outcome == RG_NOISY;
    }
    fprintf(f,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%d\" failures=\"%d\" "
        "errors=\"%d\">\n",
        c->n, failures, errors);
    fprintf(f, " <testsuite name=\"ridge %s\" tests=\"%d\" failures=\"%d\" errors=\"%d\">\n", command, c->n,
        failures, errors);
    for (int i = 0; i < c->n; i++) {
        const verdict *v = &c->v[i];
        fprintf(f, "  <testcase classname=\"ridge.%s.", command);
        rg_text_escape(f, v->subject);
        fputs("\" name=\"", f);
        rg_text_escape(f, v->assertion);
        fputs("\">", f);
        fputs(v->outcome == RG_HOLDS     ? "<system-out>"
                : v->outcome == RG_NOISY ? "<error type=\"noise\" message=\""
                                         : "<failure type=\"assert\" message=\"",
            f);
        rg_text_escape(f, v->why);
        fputs(v->outcome == RG_HOLDS ? "</system-out></testcase>\n" : "\"/></testcase>\n", f);
    }
    fputs(" </testsuite>\n</testsuites>\n", f);
}

static void summary(FILE *f, const court *c, const char *command)
{
    rg_table t = {0};
    char a[256], s[256], w[600];
    fprintf(f, "### ridge %s\n\n", command);
    rg_table_head(&t, "<assertion", "<run", "<result", "<why", NULL);
    for (int i = 0; i < c->n; i++) {
        char code[300];
        snprintf(code, sizeof code, "`%s`", rg_text_cell(a, sizeof a, c->v[i].assertion));
        rg_table_row(&t, code, rg_text_cell(s, sizeof s, c->v[i].subject), outcome_names[c->v[i].outcome],
            rg_text_cell(w, sizeof w, c->v[i].why), NULL);
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
    fprintf(f, "\n`%s` on %s\n", rg_text_cell(w, sizeof w, c->cli->line), rg_cpu_name());
}

static rg_status write_file(const court *c, const char *path,
    void (*print)(FILE *, const court *, const char *), const char *command, rg_err *err)
{
    rg_outfile o = {0};
    if (!path) return RG_OK;
    rg_status st = rg_outfile_open(&o, path, err);
    if (st) return st;
    print(o.f, c, command);
    if (!(st = rg_written(o.f, path, false, err))) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

rg_status rg_judge(const rg_cli *cli, const json_t *report, rg_err *err)
{
    court c = {.cli = cli};
    const char *command = rg_commands[cli->command].name;
    if (!rg_judge_wanted(cli)) return RG_OK;
    rg_status st = rg_subjects_of(&c.now, report, "this report", err);
    if (!st) st = load_baseline(&c.base, cli->baseline, err);
    if (!st && !(c.v = calloc((size_t)cli->asserts.n * (size_t)c.now.n, sizeof *c.v)))
        st = rg_no_memory(err, "--assert");
    for (int i = 0; i < cli->asserts.n && !st; i++) st = judge_one(&c, cli->asserts.v[i], err);
    if (!st) st = write_file(&c, cli->junit, junit, command, err);
    if (!st) st = write_file(&c, cli->summary, summary, command, err);
    const verdict *worst = NULL;
    int failed = 0, noisy = 0;
    for (int i = 0; i < c.n && !st; i++) {
        const verdict *v = &c.v[i];
        fprintf(
            stderr, "assert %s (%s): %s: %s\n", v->assertion, v->subject, outcome_names[v->outcome], v->why);
        const bool fails = v->outcome == RG_FAILS || v->outcome == RG_UNKNOWN;
        failed += fails;
        noisy += v->outcome == RG_NOISY;
        if (fails && (!worst || worst->outcome == RG_NOISY)) worst = v;
        if (v->outcome == RG_NOISY && !worst) worst = v;
    }
    if (!st && failed)
        st = rg_fail(err, RG_E_ASSERT, "%d of %d assertions failed: %s (%s): %s", failed, c.n,
            worst->assertion, worst->subject, worst->why);
    else if (!st && noisy)
        st = rg_fail(err, RG_E_NOISY, "%d of %d assertions cannot be told: %s (%s): %s", noisy, c.n,
            worst->assertion, worst->subject, worst->why);
    free(c.v);
    rg_subjects_free(&c.now);
    rg_subjects_free(&c.base);
    return st;
}
