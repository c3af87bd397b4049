/* The tests ("x is string") and the functions of templates. */
#include <stdio.h>

#include "tokenizer/jinja_impl.h"

#define TEST(name) static rg_jval name(rg_j *j, rg_jval self, const rg_jval *arg, const rg_jargs *all)
#define PLAIN_TEST(name, yes) \
    TEST(name) \
    { \
        (void)j, (void)arg, (void)all; \
        return RG_JBOOL(yes); \
    }

static bool number(rg_jval v) { return v.t == J_BOOL || v.t == J_INT || v.t == J_FLOAT; }

PLAIN_TEST(defined, self.t != J_UNDEFINED)
PLAIN_TEST(undefined, self.t == J_UNDEFINED)
PLAIN_TEST(none, self.t == J_NONE)
PLAIN_TEST(boolean, self.t == J_BOOL)
PLAIN_TEST(is_true, self.t == J_BOOL && self.b)
PLAIN_TEST(is_false, self.t == J_BOOL && !self.b)
PLAIN_TEST(integer, self.t == J_INT)
PLAIN_TEST(is_float, self.t == J_FLOAT)
PLAIN_TEST(is_number, number(self))
PLAIN_TEST(string, self.t == J_STR)
PLAIN_TEST(mapping, self.t == J_DICT)
PLAIN_TEST(callable, self.t == J_FUNC)
/* Jinja's undefined has the methods of a sequence */
PLAIN_TEST(iterable, self.t == J_STR || self.t == J_LIST || self.t == J_DICT || self.t == J_UNDEFINED)
PLAIN_TEST(sequence,
    self.t == J_STR || self.t == J_DICT || self.t == J_UNDEFINED ||
        (self.t == J_LIST && self.l->kind <= J_RANGE))
PLAIN_TEST(eq, rg_j_equal(j, self, arg[0]))
PLAIN_TEST(ne, !rg_j_equal(j, self, arg[0]))
PLAIN_TEST(lt, rg_j_order(j, self, arg[0]) < 0)
PLAIN_TEST(le, rg_j_order(j, self, arg[0]) <= 0)
PLAIN_TEST(gt, rg_j_order(j, self, arg[0]) > 0)
PLAIN_TEST(ge, rg_j_order(j, self, arg[0]) >= 0)
PLAIN_TEST(in, rg_j_in(j, self, arg[0]))
PLAIN_TEST(odd, rg_j_int(j, self, "odd") % 2 != 0)
PLAIN_TEST(even, rg_j_int(j, self, "even") % 2 == 0)

TEST(divisibleby)
{
    const int64_t by = rg_j_int(j, arg[0], "divisibleby");
    (void)all;
    if (by == 0) rg_j_fail(j, RG_E_FILE, "division by zero");
    return RG_JBOOL(by == -1 || rg_j_int(j, self, "divisibleby") % by == 0);
}

TEST(sameas)
{
    (void)all;
    const rg_jval v = arg[0];
    if (self.t == v.t && (self.t == J_STR || self.t == J_INT || self.t == J_FLOAT))
        rg_j_fail(j, RG_E_UNSUPPORTED, "sameas of %ss is not supported", rg_j_type(v));
    return RG_JBOOL(
        self.t == v.t && (self.t <= J_NONE || (self.t == J_BOOL ? self.b == v.b : self.l == v.l)));
}

static rg_jval cased(rg_j *j, rg_jval self, char from)
{
    const rg_jstr *s = rg_j_str(j, self);
    bool some = false, other = false;
    for (size_t i = 0; i < s->n; i++) {
        const char c = s->p[i];
        if (c & 0x80)
            rg_j_fail(j, RG_E_UNSUPPORTED, "upper and lower case of letters beyond ASCII is not supported");
        if ((c | 32) < 'a' || (c | 32) > 'z') continue;
        if (c >= from && c < from + 26)
            some = true;
        else
            other = true;
    }
    return RG_JBOOL(some && !other);
}

TEST(is_upper) { return (void)arg, (void)all, cased(j, self, 'A'); }
TEST(is_lower) { return (void)arg, (void)all, cased(j, self, 'a'); }

const rg_jrow *rg_j_test(const rg_jstr *name)
{
    static const rg_jrow rows[] = {{"boolean", "", boolean}, {"callable", "", callable},
        {"defined", "", defined}, {"divisibleby", "num", divisibleby}, {"eq", "other", eq},
        {"equalto", "other", eq}, {"even", "", even}, {"false", "", is_false}, {"float", "", is_float},
        {"ge", "other", ge}, {"greaterthan", "other", gt}, {"gt", "other", gt}, {"in", "seq", in},
        {"integer", "", integer}, {"iterable", "", iterable}, {"le", "other", le}, {"lessthan", "other", lt},
        {"lower", "", is_lower}, {"lt", "other", lt}, {"mapping", "", mapping}, {"ne", "other", ne},
        {"none", "", none}, {"number", "", is_number}, {"odd", "", odd}, {"sameas", "other", sameas},
        {"sequence", "", sequence}, {"string", "", string}, {"true", "", is_true},
        {"undefined", "", undefined}, {"upper", "", is_upper}, {"==", "other", eq}, {"!=", "other", ne},
        {"<", "other", lt}, {"<=", "other", le}, {">", "other", gt}, {">=", "other", ge}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rg_jstr_is(name, rows[i].name)) return &rows[i];
    return NULL;
}

/* ---- functions ---- */

TEST(range)
{
    int64_t x[3] = {0, 0, 1};
    (void)self, (void)arg;
    if (all->n < 1 || all->n > 3) rg_j_fail(j, RG_E_FILE, "range: expected 1 to 3 arguments");
    for (size_t i = 0; i < all->n; i++) x[all->n == 1 ? 1 : i] = rg_j_int(j, all->v[i], "range");
    if (x[2] == 0) rg_j_fail(j, RG_E_FILE, "range: a step of 0");
    /* no overflow: halves of what 64 bits hold */
    for (int i = 0; i < 3; i++)
        if (x[i] > INT64_MAX / 4 || x[i] < -INT64_MAX / 4)
            rg_j_fail(j, RG_E_FILE, "range: a bound of more than 62 bits");
    const int64_t span = x[2] > 0 ? x[1] - x[0] : x[0] - x[1], step = x[2] > 0 ? x[2] : -x[2],
                  n = span > 0 ? (span + step - 1) / step : 0;
    if (n > RG_J_RANGE_MAX)
        rg_j_fail(j, RG_E_FILE, "range: %lld numbers, the sandbox allows %d", (long long)n, RG_J_RANGE_MAX);
    const rg_jval v = rg_j_list(j, (size_t)n, J_RANGE);
    for (int64_t i = 0; i < n; i++) v.l->v[i] = RG_JINT(x[0] + i * x[2]);
    return v;
}

static rg_jval named_values(rg_j *j, const rg_jargs *all, rg_jtype type)
{
    rg_jval v = rg_j_dict(j);
    for (size_t i = 0; i < all->n; i++) {
        if (all->v[i].t != J_DICT)
            rg_j_fail(
                j, RG_E_UNSUPPORTED, "dict or namespace of a %s is not supported", rg_j_type(all->v[i]));
        for (size_t k = 0; k < all->v[i].d->n; k++)
            rg_j_put(j, v.d, all->v[i].d->v[2 * k], all->v[i].d->v[2 * k + 1]);
    }
    for (size_t i = 0; i < all->n_named; i++)
        rg_j_put(j, v.d, all->v[all->n + 2 * i], all->v[all->n + 2 * i + 1]);
    v.t = type;
    return v;
}

TEST(dict) { return (void)self, (void)arg, named_values(j, all, J_DICT); }
TEST(namespace) { return (void)self, (void)arg, named_values(j, all, J_NAMESPACE); }

TEST(raise_exception)
{
    (void)self, (void)all;
    const rg_jstr *s = rg_j_str(j, arg[0].t == J_MISSING ? RG_JNONE : arg[0]);
    rg_j_fail(j, RG_E_USAGE, "the chat template refuses: %.*s", (int)(s->n < 400 ? s->n : 400), s->p);
}

TEST(strftime_now)
{
    char format[100], text[400];
    (void)self, (void)all;
    const rg_jstr *s = rg_j_need_str(j, arg[0], "strftime_now");
    if (s->n >= sizeof format) rg_j_fail(j, RG_E_UNSUPPORTED, "strftime_now: a format of %zu bytes", s->n);
    memcpy(format, s->p, s->n);
    format[s->n] = 0;
    if (strlen(format) != s->n)
        rg_j_fail(j, RG_E_FILE, "strftime_now: byte %zu of the format is 0", strlen(format));
    for (const char *p = format; (p = strchr(p, '%')) != NULL; p++) {
        p += 1 + (p[1] == '-');
        if (!*p || !strchr("aAbBdDFHIjmMpSTuwyY%", *p))
            rg_j_fail(j, RG_E_UNSUPPORTED, "strftime_now: '%%%c' is not supported", *p ? *p : ' ');
    }
    const size_t n = s->n ? strftime(text, sizeof text, format, &j->args->date) : 0;
    if (!n && s->n) rg_j_fail(j, RG_E_UNSUPPORTED, "strftime_now: the date is too long");
    char *own = rg_j_alloc(j, n + 1, 1);
    memcpy(own, text, n);
    return rg_j_text(j, own, NULL, n);
}

const rg_jrow *rg_j_global(const rg_jstr *name)
{
    static const rg_jrow rows[] = {{"range", "*", range}, {"dict", "*", dict}, {"namespace", "*", namespace},
        {"raise_exception", "message", raise_exception}, {"strftime_now", "format", strftime_now}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rg_jstr_is(name, rows[i].name)) return &rows[i];
    return NULL;
}
