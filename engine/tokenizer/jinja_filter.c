/* The filters of Jinja that chat templates use. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tokenizer/jinja_impl.h"

#define FILTER(name) static rg_jval name(rg_j *j, rg_jval self, const rg_jval *arg, const rg_jargs *all)
#define UNUSED (void)arg, (void)all

static bool given(rg_jval v) { return v.t != J_MISSING; }

/* ---- texts ---- */

FILTER(trim)
{
    size_t from, to;
    (void)all;
    const rg_jstr *s = rg_j_str(j, self);
    const rg_jstr *chars = given(arg[0]) && arg[0].t != J_NONE ? rg_j_need_str(j, arg[0], "trim") : NULL;
    rg_j_strip(j, s, chars, true, true, &from, &to);
    return rg_j_cut(j, s, from, to);
}

FILTER(string)
{
    UNUSED;
    return (rg_jval){.t = J_STR, .s = rg_j_str(j, self)};
}

FILTER(safe)
{
    UNUSED;
    const rg_jstr *s = rg_j_str(j, self);
    rg_jval v = rg_j_cut(j, s, 0, s->n);
    ((rg_jstr *)(uintptr_t)v.s)->safe = true;
    return v;
}

/* A filter that is a method of strings. */
static rg_jval as_method(rg_j *j, const char *name, rg_jval self, const rg_jargs *all)
{
    const rg_jval s = {.t = J_STR, .s = rg_j_str(j, self)};
    return rg_j_call(j, rg_j_method(s, rg_j_text(j, name, NULL, strlen(name)).s), s, all);
}

FILTER(upper) { return (void)arg, as_method(j, "upper", self, all); }
FILTER(lower) { return (void)arg, as_method(j, "lower", self, all); }
FILTER(capitalize) { return (void)arg, as_method(j, "capitalize", self, all); }
/* Words begin at other places than those of the method. */
FILTER(title)
{
    static const char before[] = {'-', '(', '{', '[', '<'};
    const rg_jval v = as_method(j, "lower", self, all); /* a string of its own */
    char *p = (char *)(uintptr_t)v.s->p;
    bool begin = true;
    (void)arg;
    for (size_t i = 0; i < v.s->n; i++) {
        if (begin && p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 32);
        begin = memchr(before, p[i], sizeof before) || rg_j_space(p + i, v.s->n - i);
    }
    return v;
}
FILTER(replace)
{
    rg_jval v[3] = {arg[0], arg[1], arg[2]};
    (void)all;
    for (int i = 0; i < 2; i++)
        if (given(v[i])) v[i] = (rg_jval){.t = J_STR, .s = rg_j_str(j, v[i])};
    return as_method(j, "replace", self, &(rg_jargs){.v = v, .n = given(v[0]) + given(v[1]) + given(v[2])});
}

/* Where the line at `at` ends (as str.splitlines has it), and *next where the next one begins. */
static size_t line_end(const rg_jstr *s, size_t at, size_t *next)
{
    for (size_t n; at < s->n; at += n) {
        n = rg_j_char(s->p + at, s->n - at);
        const unsigned char c = (unsigned char)s->p[at];
        const bool ends = (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) ||
            (n == 2 && memcmp(s->p + at, "\xc2\x85", 2) == 0) ||
            (n == 3 &&
                (memcmp(s->p + at, "\xe2\x80\xa8", 3) == 0 || memcmp(s->p + at, "\xe2\x80\xa9", 3) == 0));
        if (!ends) continue;
        *next = at + n + (c == '\r' && at + 1 < s->n && s->p[at + 1] == '\n');
        return at;
    }
    *next = s->n;
    return s->n;
}

FILTER(indent)
{
    const rg_jstr *s = rg_j_need_str(j, self, "indent"), *with;
    const bool first = given(arg[1]) && rg_j_true(arg[1]), blank = given(arg[2]) && rg_j_true(arg[2]);
    rg_jbuf b = {0}, spaces = {0};
    (void)all;
    if (given(arg[0]) && arg[0].t == J_STR) {
        with = arg[0].s;
    } else {
        const int64_t n = given(arg[0]) ? rg_j_int(j, arg[0], "indent") : 4;
        for (int64_t i = 0; i < n; i++) rg_j_step(j, 1), rg_jb_puts(j, &spaces, " ");
        with = rg_jb_done(j, &spaces).s;
    }
    /* a line break is added before the lines are cut: a last empty line counts */
    for (size_t at = 0, n = 0, next; at < s->n || n == 0; at = next, n++) {
        const size_t end = line_end(s, at, &next);
        if (n) rg_jb_puts(j, &b, "\n");
        if (n ? blank || end > at : first) rg_jb_str(j, &b, with);
        rg_jb_add(j, &b, s->p + at, s->m ? s->m + at : NULL, end - at);
        if (next >= s->n && end < s->n) { /* the text ends with a line break */
            rg_jb_puts(j, &b, "\n");
            if (blank) rg_jb_str(j, &b, with);
        }
        if (next >= s->n) break;
    }
    return rg_jb_done(j, &b);
}

FILTER(tojson)
{
    rg_jbuf b = {0};
    (void)all;
    rg_j_json(j, &b, self, arg);
    return rg_jb_done(j, &b);
}

/* ---- numbers ---- */

/* A text as Python's int() or float() read it. */
static bool number(rg_j *j, rg_jval v, double *x, int64_t *i, bool *whole)
{
    char text[64], *end;
    size_t from, to;
    *whole = v.t != J_FLOAT;
    if (v.t == J_INT || v.t == J_BOOL) {
        *i = v.t == J_INT ? v.i : v.b;
        *x = (double)*i;
        return true;
    }
    if (v.t == J_FLOAT) {
        *x = v.f;
        return true;
    }
    if (v.t != J_STR) return false;
    rg_j_strip(j, v.s, NULL, true, true, &from, &to);
    if (to == from || to - from >= sizeof text) return false;
    memcpy(text, v.s->p + from, to - from);
    text[to - from] = 0;
    if (strspn(text, "0123456789+-.eE") != to - from) {
        if (strspn(text, "0123456789+-.eE_infatyINFATY") == to - from && strpbrk(text, "_nN"))
            rg_j_fail(j, RG_E_UNSUPPORTED, "the number '%s' is not supported", text);
        return false;
    }
    errno = 0;
    *i = strtoll(text, &end, 10);
    if (*end == 0 && errno) rg_j_fail(j, RG_E_UNSUPPORTED, "an integer of more than 64 bits");
    *x = (double)*i;
    if (*end == 0) return true;
    *whole = false;
    *x = strtod(text, &end);
    return *end == 0;
}

FILTER(as_int)
{
    double x;
    int64_t i = 0;
    bool whole;
    (void)all;
    if (given(arg[1]) && rg_j_int(j, arg[1], "int") != 10)
        rg_j_fail(j, RG_E_UNSUPPORTED, "int with another base is not supported");
    if (!number(j, self, &x, &i, &whole) || (!whole && !isfinite(x)))
        return given(arg[0]) ? arg[0] : RG_JINT(0);
    if (!whole && fabs(x) >= 9e18) rg_j_fail(j, RG_E_UNSUPPORTED, "an integer of more than 64 bits");
    return RG_JINT(whole ? i : (int64_t)x);
}

FILTER(as_float)
{
    double x;
    int64_t i;
    bool whole;
    (void)all;
    if (!number(j, self, &x, &i, &whole)) return given(arg[0]) ? arg[0] : (rg_jval){.t = J_FLOAT, .f = 0};
    return (rg_jval){.t = J_FLOAT, .f = x};
}

FILTER(absolute)
{
    UNUSED;
    if (self.t == J_FLOAT) return (rg_jval){.t = J_FLOAT, .f = fabs(self.f)};
    const int64_t i = rg_j_int(j, self, "abs");
    if (i == INT64_MIN) rg_j_fail(j, RG_E_UNSUPPORTED, "an integer of more than 64 bits");
    return RG_JINT(i < 0 ? -i : i);
}

/* ---- any value ---- */

FILTER(defaulted)
{
    (void)all;
    const bool use = self.t == J_UNDEFINED || (given(arg[1]) && rg_j_true(arg[1]) && !rg_j_true(self));
    return !use ? self : given(arg[0]) ? arg[0] : rg_j_text(j, "", NULL, 0);
}

FILTER(length)
{
    UNUSED;
    return RG_JINT(rg_j_length(j, self));
}

/* ---- sequences ---- */

static rg_jval list_of(rg_j *j, rg_jlist l, rg_jlist_kind kind)
{
    const rg_jval v = rg_j_list(j, l.n, kind);
    if (l.n) memcpy(v.l->v, l.v, l.n * sizeof *l.v);
    return v;
}

FILTER(list)
{
    UNUSED;
    return list_of(j, rg_j_items(j, self), J_ARRAY);
}

/* The value of "a.b.0" in v. */
static rg_jval path(rg_j *j, rg_jval v, rg_jval name)
{
    if (name.t == J_INT) return rg_j_item(j, v, name);
    const rg_jstr *s = rg_j_need_str(j, name, "attribute");
    for (size_t at = 0; at <= s->n;) {
        const char *dot = at < s->n ? memchr(s->p + at, '.', s->n - at) : NULL;
        const size_t end = dot ? (size_t)(dot - s->p) : s->n;
        const rg_jval part = rg_j_cut(j, s, at, end);
        int64_t i = 0;
        size_t k = at;
        for (; k < end && k < at + 9 && s->p[k] >= '0' && s->p[k] <= '9'; k++) i = 10 * i + (s->p[k] - '0');
        v = rg_j_item(j, v, k == end && end > at ? RG_JINT(i) : part);
        at = end + 1;
    }
    return v;
}

FILTER(join)
{
    const rg_jlist l = rg_j_items(j, self);
    rg_jbuf b = {0};
    (void)all;
    for (size_t i = 0; i < l.n; i++) {
        const rg_jval v = given(arg[1]) && arg[1].t != J_NONE ? path(j, l.v[i], arg[1]) : l.v[i];
        if (i && given(arg[0])) rg_j_write(j, &b, arg[0], false);
        rg_j_write(j, &b, v, false);
    }
    return rg_jb_done(j, &b);
}

FILTER(items)
{
    UNUSED;
    if (self.t == J_UNDEFINED) return rg_j_list(j, 0, J_GENERATOR);
    if (self.t != J_DICT) rg_j_fail(j, RG_E_FILE, "items: a %s, expected a mapping", rg_j_type(self));
    const rg_jval l = rg_j_list(j, self.d->n, J_GENERATOR);
    for (size_t i = 0; i < self.d->n; i++) {
        l.l->v[i] = rg_j_list(j, 2, J_TUPLE);
        memcpy(l.l->v[i].l->v, self.d->v + 2 * i, 2 * sizeof *self.d->v);
    }
    return l;
}

FILTER(first)
{
    UNUSED;
    const rg_jlist l = rg_j_items(j, self);
    return l.n ? l.v[0] : rg_j_undefined(j, "No first item, sequence was empty.");
}

FILTER(last)
{
    UNUSED;
    if (self.t == J_LIST && self.l->kind == J_GENERATOR)
        rg_j_fail(j, RG_E_FILE, "last: a generator has no end");
    const rg_jlist l = rg_j_items(j, self);
    return l.n ? l.v[l.n - 1] : rg_j_undefined(j, "No last item, sequence was empty.");
}

FILTER(reverse)
{
    UNUSED;
    const rg_jlist l = rg_j_items(j, self);
    rg_jbuf b = {0};
    for (size_t i = l.n; self.t == J_STR && i-- > 0;) rg_jb_str(j, &b, l.v[i].s);
    if (self.t == J_STR) return rg_jb_done(j, &b);
    const rg_jval v = rg_j_list(j, l.n, J_GENERATOR);
    for (size_t i = 0; i < l.n; i++) v.l->v[i] = l.v[l.n - 1 - i];
    return v;
}

/* What sort and unique compare: an attribute, and letters without case. */
static rg_jval key(rg_j *j, rg_jval v, rg_jval attribute, bool cased)
{
    if (given(attribute) && attribute.t != J_NONE) v = path(j, v, attribute);
    return v.t == J_STR && !cased ? as_method(j, "lower", v, &(rg_jargs){0}) : v;
}

/* Stable, by merging. v[n] with their keys k[n]; work: room for 2 n. */
static void merge_sort(rg_j *j, rg_jval *v, rg_jval *k, size_t n, rg_jval *work, bool down)
{
    if (n < 2) return;
    const size_t h = n / 2;
    merge_sort(j, v, k, h, work, down);
    merge_sort(j, v + h, k + h, n - h, work, down);
    size_t a = 0, b = h;
    for (size_t i = 0; i < n; i++) {
        const int c = a < h && b < n ? rg_j_order(j, k[a], k[b]) : 0;
        const bool left = b >= n || (a < h && (down ? c >= 0 : c <= 0));
        const size_t from = left ? a++ : b++;
        work[2 * i] = v[from];
        work[2 * i + 1] = k[from];
    }
    for (size_t i = 0; i < n; i++) {
        v[i] = work[2 * i];
        k[i] = work[2 * i + 1];
    }
}

static rg_jval sorted(rg_j *j, rg_jlist l, rg_jval attribute, bool cased, bool down)
{
    const rg_jval v = list_of(j, l, J_ARRAY);
    rg_jval *k = rg_j_alloc(j, l.n + 1, sizeof *k), *work = rg_j_alloc(j, 2 * l.n + 2, sizeof *work);
    for (size_t i = 0; i < l.n; i++) k[i] = key(j, l.v[i], attribute, cased);
    merge_sort(j, v.l->v, k, l.n, work, down);
    return v;
}

FILTER(sort)
{
    (void)all;
    return sorted(j, rg_j_items(j, self), arg[2], given(arg[1]) && rg_j_true(arg[1]),
        given(arg[0]) && rg_j_true(arg[0]));
}

FILTER(dictsort)
{
    (void)all;
    const rg_jval pairs = items(j, rg_j_defined(j, self), arg, all);
    const bool by_value = given(arg[1]) && arg[1].t == J_STR && rg_jstr_is(arg[1].s, "value");
    if (given(arg[1]) && !by_value && !(arg[1].t == J_STR && rg_jstr_is(arg[1].s, "key")))
        rg_j_fail(j, RG_E_FILE, "dictsort: expected by='key' or by='value'");
    return sorted(j, rg_j_items(j, pairs), RG_JINT(by_value), given(arg[0]) && rg_j_true(arg[0]),
        given(arg[2]) && rg_j_true(arg[2]));
}

FILTER(unique)
{
    (void)all;
    const rg_jlist l = rg_j_items(j, self);
    const rg_jval out = rg_j_list(j, l.n, J_GENERATOR), seen = rg_j_dict(j);
    out.l->n = 0;
    for (size_t i = 0; i < l.n; i++) {
        const rg_jval k = key(j, l.v[i], arg[1], given(arg[0]) && rg_j_true(arg[0]));
        if (rg_j_find(j, seen.d, k)) continue;
        rg_j_put(j, seen.d, k, RG_JNONE);
        out.l->v[out.l->n++] = l.v[i];
    }
    return out;
}

static rg_jval extreme(rg_j *j, rg_jval self, const rg_jval *arg, bool most)
{
    const rg_jlist l = rg_j_items(j, self);
    if (!l.n) return rg_j_undefined(j, "No aggregated item, sequence was empty.");
    const bool cased = given(arg[0]) && rg_j_true(arg[0]);
    size_t best = 0;
    for (size_t i = 1; i < l.n; i++) {
        const int c = rg_j_order(j, key(j, l.v[i], arg[1], cased), key(j, l.v[best], arg[1], cased));
        if (most ? c > 0 : c < 0) best = i;
    }
    return l.v[best];
}

FILTER(min) { return (void)all, extreme(j, self, arg, false); }
FILTER(max) { return (void)all, extreme(j, self, arg, true); }

FILTER(sum)
{
    const rg_jlist l = rg_j_items(j, self);
    int64_t total = given(arg[1]) ? rg_j_int(j, arg[1], "sum") : 0;
    (void)all;
    for (size_t i = 0; i < l.n; i++) {
        const rg_jval v = given(arg[0]) && arg[0].t != J_NONE ? path(j, l.v[i], arg[0]) : l.v[i];
        if (v.t == J_FLOAT) rg_j_fail(j, RG_E_UNSUPPORTED, "the sum of floats is not supported");
        if (__builtin_add_overflow(total, rg_j_int(j, v, "sum"), &total))
            rg_j_fail(j, RG_E_UNSUPPORTED, "an integer of more than 64 bits");
    }
    return RG_JINT(total);
}

/* ---- sequences, by what a test or a filter says of each item ---- */

static const rg_jrow *named_row(rg_j *j, const rg_jargs *all, size_t at, const rg_jrow *find(const rg_jstr *))
{
    const rg_jstr *name = rg_j_need_str(j, all->v[at], "the name of a test or filter");
    const rg_jrow *row = find(name);
    if (!row)
        rg_j_fail(j, RG_E_UNSUPPORTED, "the test or filter '%.*s' is not supported",
            (int)(name->n < 40 ? name->n : 40), name->p);
    return row;
}

/* The arguments from place `from` on. */
static rg_jargs rest(const rg_jargs *all, size_t from)
{
    return (rg_jargs){.v = all->v + from, .n = all->n > from ? all->n - from : 0, .n_named = all->n_named};
}

static rg_jval selected(rg_j *j, rg_jval self, const rg_jargs *all, bool by_attribute, bool want)
{
    const size_t at = by_attribute;
    if (all->n < at) rg_j_fail(j, RG_E_FILE, "selectattr: no attribute");
    const rg_jlist l = rg_j_true(self) ? rg_j_items(j, self) : (rg_jlist){0}; /* of None too */
    const rg_jrow *test = all->n > at ? named_row(j, all, at, rg_j_test) : NULL;
    const rg_jargs more = rest(all, at + 1);
    const rg_jval out = rg_j_list(j, l.n, J_GENERATOR);
    out.l->n = 0;
    for (size_t i = 0; i < l.n; i++) {
        const rg_jval v = by_attribute ? path(j, l.v[i], all->v[0]) : l.v[i];
        if (rg_j_true(test ? rg_j_call(j, test, v, &more) : v) == want) out.l->v[out.l->n++] = l.v[i];
    }
    return out;
}

FILTER(select_) { return (void)arg, selected(j, self, all, false, true); }
FILTER(reject) { return (void)arg, selected(j, self, all, false, false); }
FILTER(selectattr) { return (void)arg, selected(j, self, all, true, true); }
FILTER(rejectattr) { return (void)arg, selected(j, self, all, true, false); }

FILTER(map)
{
    const rg_jlist l = rg_j_true(self) ? rg_j_items(j, self) : (rg_jlist){0}; /* of None too */
    const rg_jval out = rg_j_list(j, l.n, J_GENERATOR);
    rg_jval attribute = {0}, otherwise = {0};
    (void)arg;
    for (size_t i = 0; i < all->n_named && all->n == 0; i++) {
        const rg_jval name = all->v[2 * i], v = all->v[2 * i + 1];
        if (rg_jstr_is(name.s, "attribute"))
            attribute = v;
        else if (rg_jstr_is(name.s, "default"))
            otherwise = v;
        else
            rg_j_fail(j, RG_E_FILE, "map: unexpected argument '%.*s'", (int)(name.s->n < 40 ? name.s->n : 40),
                name.s->p);
    }
    if (all->n == 0 && !given(attribute)) rg_j_fail(j, RG_E_FILE, "map: expected a filter or an attribute");
    const rg_jrow *row = all->n ? named_row(j, all, 0, rg_j_filter) : NULL;
    const rg_jargs more = rest(all, 1);
    for (size_t i = 0; i < l.n; i++) {
        rg_jval v = row ? rg_j_call(j, row, l.v[i], &more) : path(j, l.v[i], attribute);
        out.l->v[i] = v.t == J_UNDEFINED && given(otherwise) ? otherwise : v;
    }
    return out;
}

const rg_jrow *rg_j_filter(const rg_jstr *name)
{
    static const rg_jrow rows[] = {{"abs", "", absolute}, {"capitalize", "*", capitalize},
        {"count", "", length}, {"d", "default_value boolean", defaulted},
        {"default", "default_value boolean", defaulted}, {"dictsort", "case_sensitive by reverse", dictsort},
        {"first", "", first}, {"float", "default", as_float}, {"indent", "width first blank", indent},
        {"int", "default base", as_int}, {"items", "", items}, {"join", "d attribute", join},
        {"last", "", last}, {"length", "", length}, {"list", "", list}, {"lower", "*", lower},
        {"map", "*", map}, {"max", "case_sensitive attribute", max}, {"min", "case_sensitive attribute", min},
        {"reject", "*", reject}, {"rejectattr", "*", rejectattr}, {"replace", "old new count", replace},
        {"reverse", "", reverse}, {"safe", "", safe}, {"select", "*", select_},
        {"selectattr", "*", selectattr}, {"sort", "reverse case_sensitive attribute", sort},
        {"string", "", string}, {"sum", "attribute start", sum}, {"title", "*", title},
        {"tojson", "ensure_ascii indent separators sort_keys", tojson}, {"trim", "chars", trim},
        {"unique", "case_sensitive attribute", unique}, {"upper", "*", upper}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rg_jstr_is(name, rows[i].name)) return &rows[i];
    return NULL;
}
