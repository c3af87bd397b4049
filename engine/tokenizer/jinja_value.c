/* Values of the template interpreter: what Python's types do when they are compared, printed, searched. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "tokenizer/jinja_impl.h"

/* ---- making ---- */

rg_jval rg_j_text(rg_j *j, const char *p, const unsigned char *m, size_t n)
{
    rg_jstr *s = rg_j_alloc(j, 1, sizeof *s);
    *s = (rg_jstr){.p = p, .m = m, .n = n};
    return (rg_jval){.t = J_STR, .s = s};
}

rg_jval rg_j_cut(rg_j *j, const rg_jstr *s, size_t from, size_t to)
{
    rg_jval v = rg_j_text(j, s->p + from, s->m ? s->m + from : NULL, to > from ? to - from : 0);
    ((rg_jstr *)(uintptr_t)v.s)->safe = s->safe;
    return v;
}

rg_jval rg_j_undefined(rg_j *j, const char *fmt, ...)
{
    char what[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    const size_t n = strlen(what);
    char *p = rg_j_alloc(j, n + 1, 1);
    memcpy(p, what, n + 1);
    return (rg_jval){.t = J_UNDEFINED, .s = rg_j_text(j, p, NULL, n).s};
}

rg_jval rg_j_list(rg_j *j, size_t n, rg_jlist_kind kind)
{
    rg_jlist *l = rg_j_alloc(j, 1, sizeof *l);
    *l = (rg_jlist){.v = rg_j_alloc(j, n + 1, sizeof *l->v), .n = n, .kind = kind};
    return (rg_jval){.t = J_LIST, .l = l};
}

rg_jval rg_j_dict(rg_j *j) { return (rg_jval){.t = J_DICT, .d = rg_j_alloc(j, 1, sizeof(rg_jdict))}; }

rg_jval *rg_j_find(rg_j *j, const rg_jdict *d, rg_jval key)
{
    if (key.t == J_LIST || key.t == J_DICT)
        if (key.t == J_DICT || key.l->kind != J_TUPLE)
            rg_j_fail(j, RG_E_FILE, "a %s cannot be a key", rg_j_type(key));
    rg_j_step(j, 1 + d->n / 4);
    for (size_t i = 0; i < d->n; i++)
        if (rg_j_equal(j, d->v[2 * i], key)) return &d->v[2 * i + 1];
    return NULL;
}

void rg_j_put(rg_j *j, rg_jdict *d, rg_jval key, rg_jval v)
{
    rg_jval *old = rg_j_find(j, d, key);
    if (old) {
        *old = v;
        return;
    }
    if (d->n == d->cap) {
        const size_t cap = 2 * d->cap + 4;
        rg_jval *p = rg_j_alloc(j, 2 * cap, sizeof *p);
        if (d->n) memcpy(p, d->v, 2 * d->n * sizeof *p);
        d->v = p;
        d->cap = cap;
    }
    d->v[2 * d->n] = key;
    d->v[2 * d->n++ + 1] = v;
}

/* ---- asking ---- */

bool rg_jstr_is(const rg_jstr *s, const char *text)
{
    const size_t n = strlen(text);
    return s->n == n && memcmp(s->p, text, n) == 0;
}

const char *rg_j_type(rg_jval v)
{
    static const char *const names[] = {[J_MISSING] = "nothing",
        [J_UNDEFINED] = "Undefined",
        [J_NONE] = "NoneType",
        [J_BOOL] = "bool",
        [J_INT] = "int",
        [J_FLOAT] = "float",
        [J_STR] = "str",
        [J_DICT] = "dict",
        [J_FUNC] = "function",
        [J_NAMESPACE] = "Namespace",
        [J_LOOP] = "LoopContext"};
    static const char *const lists[] = {
        [J_ARRAY] = "list", [J_TUPLE] = "tuple", [J_RANGE] = "range", [J_GENERATOR] = "generator"};
    return v.t != J_LIST ? names[v.t] : v.l->kind == J_VIEW ? v.l->view : lists[v.l->kind];
}

bool rg_j_true(rg_jval v)
{
    switch (v.t) {
    case J_BOOL:
        return v.b;
    case J_INT:
        return v.i != 0;
    case J_FLOAT:
        return v.f != 0;
    case J_STR:
        return v.s->n > 0;
    case J_LIST:
        return v.l->n > 0 || v.l->kind == J_GENERATOR;
    case J_DICT:
        return v.d->n > 0;
    default:
        return v.t > J_NONE;
    }
}

static bool number(rg_jval v) { return v.t == J_BOOL || v.t == J_INT || v.t == J_FLOAT; }

static double as_double(rg_jval v) { return v.t == J_FLOAT ? v.f : v.t == J_INT ? (double)v.i : (double)v.b; }

static int64_t as_int(rg_jval v) { return v.t == J_BOOL ? v.b : v.i; }

static int order_strings(rg_j *j, const rg_jstr *a, const rg_jstr *b)
{
    const size_t n = a->n < b->n ? a->n : b->n;
    rg_j_step(j, n / 64);
    const int c = n ? memcmp(a->p, b->p, n) : 0;
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int order_numbers(rg_jval a, rg_jval b)
{
    if (a.t != J_FLOAT && b.t != J_FLOAT) return (as_int(a) > as_int(b)) - (as_int(a) < as_int(b));
    return (as_double(a) > as_double(b)) - (as_double(a) < as_double(b));
}

static bool equal_dicts(rg_j *j, const rg_jdict *a, const rg_jdict *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const rg_jval *v = rg_j_find(j, b, a->v[2 * i]);
        if (!v || !rg_j_equal(j, a->v[2 * i + 1], *v)) return false;
    }
    return true;
}

static bool equal_lists(rg_j *j, const rg_jlist *a, const rg_jlist *b)
{
    if (a == b) return true;
    if (a->kind != b->kind || a->n != b->n || a->kind == J_GENERATOR) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!rg_j_equal(j, a->v[i], b->v[i])) return false;
    return true;
}

bool rg_j_equal(rg_j *j, rg_jval a, rg_jval b)
{
    bool same;
    rg_j_step(j, 1);
    if (number(a) && number(b))
        return a.t == J_FLOAT || b.t == J_FLOAT ? as_double(a) == as_double(b) : as_int(a) == as_int(b);
    if (a.t != b.t) return false;
    rg_j_enter(j, j->line, RG_J_DEPTH_RUN);
    switch (a.t) {
    case J_STR:
        same = a.s->n == b.s->n && order_strings(j, a.s, b.s) == 0;
        break;
    case J_LIST:
        same = equal_lists(j, a.l, b.l);
        break;
    case J_DICT:
        same = a.d == b.d || equal_dicts(j, a.d, b.d);
        break;
    case J_UNDEFINED:
    case J_NONE:
        same = true;
        break;
    default:
        same = (const void *)a.fn == (const void *)b.fn;
    }
    j->depth--;
    return same;
}

int rg_j_order(rg_j *j, rg_jval a, rg_jval b)
{
    rg_j_step(j, 1);
    if (number(a) && number(b)) return order_numbers(a, b);
    if (a.t == J_STR && b.t == J_STR) return order_strings(j, a.s, b.s);
    rg_j_defined(j, a);
    rg_j_defined(j, b);
    if (a.t == J_LIST && b.t == J_LIST && a.l->kind == b.l->kind && a.l->kind <= J_TUPLE)
        rg_j_fail(j, RG_E_UNSUPPORTED, "the order of two %ss is not supported", rg_j_type(a));
    rg_j_fail(j, RG_E_FILE, "a %s and a %s have no order", rg_j_type(a), rg_j_type(b));
}

bool rg_j_in(rg_j *j, rg_jval item, rg_jval in)
{
    if (in.t == J_STR) {
        const rg_jstr *s = rg_j_need_str(j, item, "in: what is looked for in a string");
        return rg_j_search(j, in.s, 0, in.s->n, s, false) != SIZE_MAX;
    }
    if (in.t == J_DICT) return rg_j_find(j, in.d, item) != NULL;
    const rg_jlist l = rg_j_items(j, in);
    for (size_t i = 0; i < l.n; i++)
        if (rg_j_equal(j, l.v[i], item)) return true;
    return false;
}

rg_jlist rg_j_items(rg_j *j, rg_jval v)
{
    rg_jlist l = {0};
    if (v.t == J_UNDEFINED) return l;
    if (v.t == J_LIST) {
        l = *v.l;
        if (l.kind == J_GENERATOR) v.l->n = 0;
    } else if (v.t == J_DICT) {
        l = *rg_j_list(j, v.d->n, J_ARRAY).l;
        for (size_t i = 0; i < v.d->n; i++) l.v[i] = v.d->v[2 * i];
    } else if (v.t == J_STR) {
        l = *rg_j_list(j, (size_t)rg_j_length(j, v), J_ARRAY).l;
        size_t at = 0;
        for (size_t i = 0; i < l.n; i++) {
            const size_t n = rg_j_char(v.s->p + at, v.s->n - at);
            l.v[i] = rg_j_cut(j, v.s, at, at + n);
            at += n;
        }
    } else {
        rg_j_fail(j, RG_E_FILE, "a %s cannot be iterated", rg_j_type(v));
    }
    rg_j_step(j, l.n / 8);
    return l;
}

int64_t rg_j_length(rg_j *j, rg_jval v)
{
    int64_t n = 0;
    switch (v.t) {
    case J_UNDEFINED:
        return 0;
    case J_DICT:
        return (int64_t)v.d->n;
    case J_LIST:
        if (v.l->kind != J_GENERATOR) return (int64_t)v.l->n;
        break;
    case J_STR:
        rg_j_step(j, v.s->n / 32);
        for (size_t at = 0; at < v.s->n; n++) at += rg_j_char(v.s->p + at, v.s->n - at);
        return n;
    default:
        break;
    }
    rg_j_fail(j, RG_E_FILE, "a %s has no length", rg_j_type(v));
}

rg_jval rg_j_defined(rg_j *j, rg_jval v)
{
    if (v.t == J_UNDEFINED)
        rg_j_fail(j, RG_E_FILE, "%.*s", v.s ? (int)v.s->n : 20, v.s ? v.s->p : "a value is undefined");
    return v;
}

int64_t rg_j_int(rg_j *j, rg_jval v, const char *what)
{
    rg_j_defined(j, v);
    if (v.t != J_INT && v.t != J_BOOL)
        rg_j_fail(j, RG_E_FILE, "%s: a %s, expected an integer", what, rg_j_type(v));
    return as_int(v);
}

const rg_jstr *rg_j_need_str(rg_j *j, rg_jval v, const char *what)
{
    rg_j_defined(j, v);
    if (v.t != J_STR) rg_j_fail(j, RG_E_FILE, "%s: a %s, expected a string", what, rg_j_type(v));
    return v.s;
}

/* ---- printing ---- */

/* The fewest digits that read back as x. */
const char *rg_j_float(char *buf, double x)
{
    char digits[40];
    if (!isfinite(x)) return strcpy(buf, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    for (int n = 0; n < 17; n++) {
        snprintf(digits, sizeof digits, "%.*e", n, x);
        if (strtod(digits, NULL) == x) break;
    }
    char *e = strchr(digits, 'e');
    const int exponent = atoi(e + 1), digits_n = (int)(e - digits),
              decimals = strchr(digits, '.') ? (int)(e - strchr(digits, '.')) - 1 : 0;
    if (exponent >= -4 && exponent < 16)
        snprintf(buf, 32, "%.*f", decimals > exponent ? decimals - exponent : 1, x);
    else
        snprintf(buf, 32, "%.*se%c%02d", digits_n, digits, exponent < 0 ? '-' : '+', abs(exponent));
    return buf;
}

/* Characters that repr() writes as escapes. Unassigned ones, which depend on Python's version, are left. */
static bool printable(uint32_t c)
{
    static const uint32_t not [][2] = {{0, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x600, 0x605},
        {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},
        {0x3000, 0x3000}, {0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0x10ffff}};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (c >= not [i][0] && c <= not [i][1]) return false;
    return true;
}

static void write_repr(rg_j *j, rg_jbuf *b, const rg_jstr *s)
{
    const char quote = s->n && memchr(s->p, '\'', s->n) && !memchr(s->p, '"', s->n) ? '"' : '\'';
    char esc[16];
    rg_jb_add(j, b, &quote, NULL, 1);
    for (size_t at = 0, n; at < s->n; at += n) {
        const char *p = s->p + at;
        const unsigned char *m = s->m ? s->m + at : NULL;
        n = rg_j_char(p, s->n - at);
        const uint32_t c = n > 1 ? rg_utf8_get((const unsigned char *)p, n) : (unsigned char)*p;
        if (c == '\\' || c == (unsigned char)quote)
            snprintf(esc, sizeof esc, "\\%c", (char)c);
        else if (c == '\n' || c == '\r' || c == '\t')
            snprintf(esc, sizeof esc, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (!printable(c))
            snprintf(esc, sizeof esc,
                c < 0x100         ? "\\x%02x"
                    : c < 0x10000 ? "\\u%04x"
                                  : "\\U%08x",
                (unsigned)c);
        else {
            rg_jb_add(j, b, p, m, n);
            continue;
        }
        rg_jb_as(j, b, esc, m);
    }
    rg_jb_add(j, b, &quote, NULL, 1);
}

static void write_list(rg_j *j, rg_jbuf *b, const rg_jlist *l)
{
    if (l->kind == J_GENERATOR || l->kind == J_RANGE)
        rg_j_fail(j, RG_E_UNSUPPORTED, "printing a %s is not supported",
            l->kind == J_RANGE ? "range" : "generator");
    if (l->kind == J_VIEW) {
        rg_jb_puts(j, b, l->view);
        rg_jb_puts(j, b, "(");
    }
    rg_jb_puts(j, b, l->kind == J_TUPLE ? "(" : "[");
    for (size_t i = 0; i < l->n; i++) {
        if (i) rg_jb_puts(j, b, ", ");
        rg_j_write(j, b, l->v[i], true);
    }
    if (l->kind == J_TUPLE && l->n == 1) rg_jb_puts(j, b, ",");
    rg_jb_puts(j, b, l->kind == J_TUPLE ? ")" : l->kind == J_VIEW ? "])" : "]");
}

void rg_j_write(rg_j *j, rg_jbuf *b, rg_jval v, bool repr)
{
    char num[32];
    rg_j_enter(j, j->line, RG_J_DEPTH_RUN);
    rg_j_step(j, 1);
    switch (v.t) {
    case J_UNDEFINED:
        if (repr) rg_jb_puts(j, b, "Undefined");
        break;
    case J_NONE:
        rg_jb_puts(j, b, "None");
        break;
    case J_BOOL:
        rg_jb_puts(j, b, v.b ? "True" : "False");
        break;
    case J_INT:
        snprintf(num, sizeof num, "%" PRId64, v.i);
        rg_jb_puts(j, b, num);
        break;
    case J_FLOAT:
        rg_jb_puts(j, b, rg_j_float(num, v.f));
        break;
    case J_STR:
        if (repr && v.s->safe) rg_j_fail(j, RG_E_UNSUPPORTED, "repr of a |safe string is not supported");
        if (repr)
            write_repr(j, b, v.s);
        else
            rg_jb_str(j, b, v.s);
        break;
    case J_LIST:
        write_list(j, b, v.l);
        break;
    case J_DICT:
        rg_jb_puts(j, b, "{");
        for (size_t i = 0; i < v.d->n; i++) {
            if (i) rg_jb_puts(j, b, ", ");
            rg_j_write(j, b, v.d->v[2 * i], true);
            rg_jb_puts(j, b, ": ");
            rg_j_write(j, b, v.d->v[2 * i + 1], true);
        }
        rg_jb_puts(j, b, "}");
        break;
    default:
        rg_j_fail(j, RG_E_UNSUPPORTED, "printing a %s is not supported", rg_j_type(v));
    }
    j->depth--;
}

const rg_jstr *rg_j_str(rg_j *j, rg_jval v)
{
    rg_jbuf b = {0};
    if (v.t == J_STR) return v.s;
    rg_j_write(j, &b, v, false);
    return rg_jb_done(j, &b).s;
}

/* ---- characters ---- */

size_t rg_j_char(const char *p, size_t n)
{
    const size_t len = rg_utf8_len((const unsigned char *)p, (const unsigned char *)p + n);
    return len ? len : 1;
}

bool rg_j_space(const char *p, size_t n)
{
    const unsigned char c = (unsigned char)*p;
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    return n > 1 && rg_utf8_is_space(rg_utf8_get((const unsigned char *)p, n));
}

static bool stripped(const char *p, size_t n, const rg_jstr *chars)
{
    if (!chars) return rg_j_space(p, n);
    for (size_t at = 0, k; at < chars->n; at += k) {
        k = rg_j_char(chars->p + at, chars->n - at);
        if (k == n && memcmp(chars->p + at, p, n) == 0) return true;
    }
    return false;
}

void rg_j_strip(
    rg_j *j, const rg_jstr *s, const rg_jstr *chars, bool left, bool right, size_t *from, size_t *to)
{
    const uint64_t cost = chars ? 1 + chars->n / 8 : 1;
    size_t a = 0, z = s->n;
    while (left && a < z) {
        const size_t n = rg_j_char(s->p + a, z - a);
        if (!stripped(s->p + a, n, chars)) break;
        rg_j_step(j, cost);
        a += n;
    }
    while (right && z > a) {
        size_t n = 1; /* the last character begins up to 4 bytes back */
        for (size_t k = 2; k <= 4 && k <= z - a; k++)
            if (rg_j_char(s->p + z - k, k) == k) n = k;
        if (!stripped(s->p + z - n, n, chars)) break;
        rg_j_step(j, cost);
        z -= n;
    }
    *from = a;
    *to = z;
}

size_t rg_j_search(rg_j *j, const rg_jstr *s, size_t from, size_t to, const rg_jstr *what, bool last)
{
    if (what->n > to - from) return SIZE_MAX;
    if (what->n == 0) return last ? to : from;
    rg_j_step(j, 1 + (last ? (to - from) * what->n : to - from) / 32);
    if (!last) {
        const char *p = memmem(s->p + from, to - from, what->p, what->n);
        return p ? (size_t)(p - s->p) : SIZE_MAX;
    }
    for (size_t at = to - what->n + 1; at-- > from;)
        if (memcmp(s->p + at, what->p, what->n) == 0) return at;
    return SIZE_MAX;
}
