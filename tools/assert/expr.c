/* Assertions are parsed and judged here, with ranges in place of numbers. */
#include "tools/assert/expr.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32 };

typedef struct parser {
    const char *text, *p;
    rg_lookup *lookup;
    void *user;
    rg_judgement *out;
    rg_status st;
    rg_err *err;
    int depth;
} parser;

static void wrong(parser *x, const char *expected)
{
    if (x->st == RG_OK)
        x->st = rg_fail(x->err, RG_E_USAGE, "--assert: '%s': at character %d, expected %s", x->text,
            (int)(x->p - x->text) + 1, expected);
}

static void skip(parser *x)
{
    while (isspace((unsigned char)*x->p)) x->p++;
}

static bool take(parser *x, char c)
{
    skip(x);
    if (*x->p != c) return false;
    x->p++;
    return true;
}

/* ---- ranges: every result holds whatever the operands may be ---- */

static bool has_interval(rg_range r) { return isfinite(r.low) && isfinite(r.high); }
static rg_range point(double v) { return (rg_range){v, v, v}; }

/* A measurement without an interval is taken at its word, and the judgement says so. */
static rg_range settled(parser *x, rg_range r)
{
    if (has_interval(r) || isnan(r.mid)) return r;
    x->out->single = true;
    return point(r.mid);
}

static rg_range combine(rg_range a, rg_range b, char op)
{
    rg_range r;
    double v[4];
    const double as[2] = {a.low, a.high}, bs[2] = {b.low, b.high};
    for (int i = 0; i < 4; i++) {
        const double s = as[i / 2], t = bs[i % 2];
        v[i] = op == '+' ? s + t : op == '-' ? s - t : op == '*' ? s * t : s / t;
    }
    r.mid = op == '+' ? a.mid + b.mid : op == '-' ? a.mid - b.mid : op == '*' ? a.mid * b.mid : a.mid / b.mid;
    r.low = fmin(fmin(v[0], v[1]), fmin(v[2], v[3]));
    r.high = fmax(fmax(v[0], v[1]), fmax(v[2], v[3]));
    if (op == '/' && b.low <= 0.0 && b.high >= 0.0) r = (rg_range){NAN, NAN, NAN}; /* the divisor may be 0 */
    return r;
}

/* ---- grammar ---- */

static rg_range sum(parser *x);

static rg_range named(parser *x)
{
    char name[96];
    const char *start = x->p;
    while (isalnum((unsigned char)*x->p) || strchr("_.@", *x->p ? *x->p : ' ')) x->p++;
    const size_t n = (size_t)(x->p - start);
    rg_range r = point(1.0);
    if (n >= sizeof name) {
        wrong(x, "a shorter name");
        return r;
    }
    memcpy(name, start, n);
    name[n] = 0;
    const bool same = strcmp(name, "baseline") == 0, base = same || strncmp(name, "baseline.", 9) == 0;
    if (!base && !x->out->metric[0]) memcpy(x->out->metric, name, n + 1);
    if (same && !x->out->metric[0]) wrong(x, "a metric before 'baseline', which stands for the same one");
    if (!x->lookup || x->st != RG_OK) return r;
    r = point(NAN);
    const char *what = same ? x->out->metric : base ? name + 9 : name;
    const bool found = x->lookup(x->user, what, base, &r);
    if ((!found || isnan(r.mid)) && !x->out->missing[0]) {
        snprintf(x->out->missing, sizeof x->out->missing, "%s", name);
        x->out->no_such = !found;
    }
    return settled(x, r);
}

static rg_range factor(parser *x)
{
    skip(x);
    if (++x->depth > DEPTH) wrong(x, "fewer parentheses");
    rg_range r = point(NAN);
    if (x->st != RG_OK) {
        r = point(1.0);
    } else if (take(x, '(')) {
        r = sum(x);
        if (!take(x, ')')) wrong(x, "')'");
    } else if (take(x, '-')) {
        const rg_range f = factor(x);
        r = (rg_range){-f.high, -f.mid, -f.low};
    } else if (isdigit((unsigned char)*x->p) || *x->p == '.') {
        char *end;
        r = point(strtod(x->p, &end));
        if (end == x->p) wrong(x, "a number");
        x->p = end;
        if (take(x, '%')) r = point(r.mid / 100.0);
    } else if (isalpha((unsigned char)*x->p)) {
        r = named(x);
    } else {
        wrong(x, "a metric, a number or '('");
    }
    x->depth--;
    return r;
}

static rg_range product(parser *x)
{
    rg_range r = factor(x);
    for (;;) {
        skip(x);
        const char op = *x->p;
        if ((op != '*' && op != '/') || x->st != RG_OK) return r;
        x->p++;
        r = combine(r, factor(x), op);
    }
}

static rg_range sum(parser *x)
{
    rg_range r = product(x);
    for (;;) {
        skip(x);
        const char op = *x->p;
        if ((op != '+' && op != '-') || x->st != RG_OK) return r;
        x->p++;
        r = combine(r, product(x), op);
    }
}

/* low and high of a - b decide; a and b may be ranges of the same samples, so this errs on the side of
 * "cannot be told". */
static rg_outcome decide(rg_range a, const char *op, rg_range b)
{
    if (isnan(a.mid) || isnan(b.mid)) return RG_UNKNOWN;
    const bool less = op[0] == '<', equal = op[1] == '=';
    if (op[0] == '=' || op[0] == '!') {
        const bool apart = a.low > b.high || a.high < b.low,
                   same = a.low == a.high && b.low == b.high && a.low == b.low;
        return !apart && !same ? RG_NOISY : same == (op[0] == '=') ? RG_HOLDS : RG_FAILS;
    }
    if (less) {
        const rg_range t = a;
        a = b;
        b = t;
    }
    /* a > b, or a >= b */
    if (equal ? a.low >= b.high : a.low > b.high) return RG_HOLDS;
    if (equal ? a.high < b.low : a.high <= b.low) return RG_FAILS;
    return RG_NOISY;
}

rg_status rg_expr_judge(rg_judgement *out, const char *assertion, rg_lookup *lookup, void *user, rg_err *err)
{
    static const char *const ops[] = {">=", "<=", "==", "!=", ">", "<"};
    parser x = {.text = assertion, .p = assertion, .lookup = lookup, .user = user, .out = out, .err = err};
    *out = (rg_judgement){.outcome = RG_UNKNOWN};
    out->left = sum(&x);
    skip(&x);
    const char *op = NULL;
    for (int i = 0; i < 6 && !op; i++)
        if (strncmp(x.p, ops[i], strlen(ops[i])) == 0) op = ops[i];
    if (!op) wrong(&x, "one of >= <= > < == != (and metrics, numbers, + - * / around it)");
    if (op) x.p += strlen(op);
    if (x.st == RG_OK) out->right = sum(&x);
    skip(&x);
    if (x.st == RG_OK && *x.p) wrong(&x, "the end");
    if (x.st == RG_OK && !out->metric[0]) wrong(&x, "a metric somewhere: --assert help lists them");
    if (x.st == RG_OK && lookup)
        out->outcome = out->missing[0] ? RG_UNKNOWN : decide(out->left, op, out->right);
    return x.st;
}
