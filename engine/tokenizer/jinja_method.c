/* Methods of strings, mappings and lists in templates. Those that would change a value are forbidden, as in
 * the sandbox. */
#include "tokenizer/jinja_impl.h"

#define METHOD(name) static rg_jval name(rg_j *j, rg_jval self, const rg_jval *arg, const rg_jargs *all)

static bool given(rg_jval v) { return v.t != J_MISSING && v.t != J_NONE; }

/* ---- strings ---- */

static rg_jval stripped(rg_j *j, rg_jval self, rg_jval chars, bool left, bool right)
{
    size_t from, to;
    rg_j_strip(j, self.s, given(chars) ? rg_j_need_str(j, chars, "strip") : NULL, left, right, &from, &to);
    return rg_j_cut(j, self.s, from, to);
}

METHOD(strip) { return (void)all, stripped(j, self, arg[0], true, true); }
METHOD(lstrip) { return (void)all, stripped(j, self, arg[0], true, false); }
METHOD(rstrip) { return (void)all, stripped(j, self, arg[0], false, true); }

typedef enum letter_case { UPPER, LOWER, CAPITAL, TITLE } letter_case;

/* Only of ASCII: what Unicode makes of other letters depends on Python's version. */
static rg_jval cased(rg_j *j, rg_jval self, letter_case to)
{
    const rg_jstr *s = self.s;
    char *p = rg_j_alloc(j, s->n + 1, 1);
    bool word = false;
    rg_j_step(j, s->n / 16);
    for (size_t i = 0; i < s->n; i++) {
        const char c = s->p[i], l = (char)(c | 32);
        const bool letter = l >= 'a' && l <= 'z';
        if (c & 0x80)
            rg_j_fail(j, RG_E_UNSUPPORTED, "upper and lower case of letters beyond ASCII is not supported");
        const bool up = to == UPPER || (to == CAPITAL && i == 0) || (to == TITLE && !word);
        p[i] = !letter ? c : up ? (char)(c & ~32) : l;
        word = letter;
    }
    rg_jval v = rg_j_text(j, p, s->m, s->n);
    ((rg_jstr *)(uintptr_t)v.s)->safe = s->safe;
    return v;
}

METHOD(upper) { return (void)arg, (void)all, cased(j, self, UPPER); }
METHOD(lower) { return (void)arg, (void)all, cased(j, self, LOWER); }
METHOD(capitalize) { return (void)arg, (void)all, cased(j, self, CAPITAL); }
METHOD(title) { return (void)arg, (void)all, cased(j, self, TITLE); }

static rg_jval replace(rg_j *j, rg_jval self, const rg_jval *arg, const rg_jargs *all)
{
    const rg_jstr *s = self.s, *old = rg_j_need_str(j, arg[0], "replace"),
                  *with = rg_j_need_str(j, arg[1], "replace");
    int64_t left = given(arg[2]) ? rg_j_int(j, arg[2], "replace") : -1;
    rg_jbuf b = {0};
    size_t at = 0;
    (void)all;
    for (; left != 0; left--) {
        rg_j_step(j, 1);
        const size_t hit = rg_j_search(j, s, at, s->n, old, false);
        if (hit == SIZE_MAX) break;
        rg_jb_add(j, &b, s->p + at, s->m ? s->m + at : NULL, hit - at);
        rg_jb_str(j, &b, with);
        at = hit + old->n;
        if (old->n == 0) { /* between all characters */
            if (at >= s->n) break;
            const size_t n = rg_j_char(s->p + at, s->n - at);
            rg_jb_add(j, &b, s->p + at, s->m ? s->m + at : NULL, n);
            at += n;
        }
    }
    rg_jb_add(j, &b, s->p + at, s->m ? s->m + at : NULL, s->n - at);
    return rg_jb_done(j, &b);
}

/* Of fields only {}. */
METHOD(format)
{
    const rg_jstr *s = self.s;
    rg_jbuf b = {0};
    size_t next = 0, end;
    (void)arg;
    for (size_t i = 0; i < s->n; i = end + 2) {
        for (end = i; end < s->n && s->p[end] != '{' && s->p[end] != '}'; end++) {
        }
        const bool twice = end + 1 < s->n && s->p[end] == s->p[end + 1],
                   field = end + 1 < s->n && s->p[end] == '{' && s->p[end + 1] == '}';
        rg_jb_add(j, &b, s->p + i, s->m ? s->m + i : NULL, end - i + twice);
        if (end >= s->n || twice) continue;
        if (!field || all->n_named)
            rg_j_fail(j, RG_E_UNSUPPORTED, "format with other fields than {} is not supported");
        if (next == all->n) rg_j_fail(j, RG_E_FILE, "format: more {} than arguments");
        rg_j_write(j, &b, all->v[next++], false);
    }
    return rg_jb_done(j, &b);
}

static void append(rg_j *j, rg_jlist *l, size_t *cap, rg_jval v)
{
    if (l->n == *cap) {
        *cap = 2 * *cap + 8;
        rg_jval *p = rg_j_alloc(j, *cap, sizeof *p);
        if (l->n) memcpy(p, l->v, l->n * sizeof *p);
        l->v = p;
    }
    l->v[l->n++] = v;
}

/* At runs of white space. */
static void split_words(rg_j *j, rg_jlist *l, const rg_jstr *s, int64_t most)
{
    size_t cap = 0, at = 0, from, to;
    for (;;) {
        const rg_jstr rest = {.p = s->p + at, .n = s->n - at};
        rg_j_strip(j, &rest, NULL, true, false, &from, &to);
        at += from;
        if (at >= s->n) return;
        size_t end = at;
        while (end < s->n && (most == 0 || !rg_j_space(s->p + end, rg_j_char(s->p + end, s->n - end))))
            end += rg_j_char(s->p + end, s->n - end);
        append(j, l, &cap, rg_j_cut(j, s, at, end));
        rg_j_step(j, 1 + (end - at) / 16);
        if (most-- == 0) return;
        at = end;
    }
}

static rg_jval split_at(rg_j *j, rg_jval self, const rg_jval *arg, bool from_right)
{
    const rg_jstr *s = self.s;
    int64_t most = given(arg[1]) ? rg_j_int(j, arg[1], "split") : -1;
    const rg_jval out = rg_j_list(j, 0, J_ARRAY);
    rg_jlist *l = out.l;
    size_t cap = 0, at = 0, end = s->n;
    if (!given(arg[0])) {
        if (from_right && most >= 0)
            rg_j_fail(j, RG_E_UNSUPPORTED, "rsplit with a limit and no separator is not supported");
        split_words(j, l, s, most);
        return out;
    }
    const rg_jstr *sep = rg_j_need_str(j, arg[0], "split");
    if (sep->n == 0) rg_j_fail(j, RG_E_FILE, "split: empty separator");
    for (; most != 0; most--) {
        rg_j_step(j, 1);
        const size_t hit = rg_j_search(j, s, at, end, sep, from_right);
        if (hit == SIZE_MAX) break;
        append(j, l, &cap, from_right ? rg_j_cut(j, s, hit + sep->n, end) : rg_j_cut(j, s, at, hit));
        if (from_right)
            end = hit;
        else
            at = hit + sep->n;
    }
    append(j, l, &cap, rg_j_cut(j, s, at, end));
    for (size_t i = 0; from_right && i < l->n / 2; i++) {
        const rg_jval v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
    return out;
}

METHOD(split) { return (void)all, split_at(j, self, arg, false); }
METHOD(rsplit) { return (void)all, split_at(j, self, arg, true); }

static rg_jval partitioned(rg_j *j, rg_jval self, const rg_jval *arg, bool last)
{
    const rg_jstr *s = self.s, *sep = rg_j_need_str(j, arg[0], "partition");
    const rg_jval v = rg_j_list(j, 3, J_TUPLE), none = rg_j_text(j, "", NULL, 0);
    if (sep->n == 0) rg_j_fail(j, RG_E_FILE, "partition: empty separator");
    const size_t hit = rg_j_search(j, s, 0, s->n, sep, last);
    for (int i = 0; i < 3; i++) v.l->v[i] = none;
    if (hit == SIZE_MAX) {
        v.l->v[last ? 2 : 0] = self;
        return v;
    }
    v.l->v[0] = rg_j_cut(j, s, 0, hit);
    v.l->v[1] = rg_j_cut(j, s, hit, hit + sep->n);
    v.l->v[2] = rg_j_cut(j, s, hit + sep->n, s->n);
    return v;
}

METHOD(partition) { return (void)all, partitioned(j, self, arg, false); }
METHOD(rpartition) { return (void)all, partitioned(j, self, arg, true); }

/* Whether s begins (ends) with v, or with one of the strings of a tuple v. */
static bool borders(rg_j *j, const rg_jstr *s, rg_jval v, bool end)
{
    if (v.t == J_LIST && v.l->kind == J_TUPLE) {
        for (size_t i = 0; i < v.l->n; i++)
            if (borders(j, s, (rg_jval){.t = J_STR, .s = rg_j_need_str(j, v.l->v[i], "startswith")}, end))
                return true;
        return false;
    }
    const rg_jstr *x = rg_j_need_str(j, v, end ? "endswith" : "startswith");
    return x->n <= s->n && memcmp(end ? s->p + s->n - x->n : s->p, x->p, x->n) == 0;
}

METHOD(startswith) { return (void)all, RG_JBOOL(borders(j, self.s, arg[0], false)); }
METHOD(endswith) { return (void)all, RG_JBOOL(borders(j, self.s, arg[0], true)); }

METHOD(removeprefix)
{
    const size_t n = rg_j_need_str(j, arg[0], "removeprefix")->n;
    (void)all;
    return borders(j, self.s, arg[0], false) ? rg_j_cut(j, self.s, n, self.s->n) : self;
}

METHOD(removesuffix)
{
    const size_t n = rg_j_need_str(j, arg[0], "removesuffix")->n;
    (void)all;
    return borders(j, self.s, arg[0], true) ? rg_j_cut(j, self.s, 0, self.s->n - n) : self;
}

static int64_t place(rg_j *j, rg_jval self, rg_jval what, bool last)
{
    const size_t hit = rg_j_search(j, self.s, 0, self.s->n, rg_j_need_str(j, what, "find"), last);
    return hit == SIZE_MAX ? -1 : rg_j_length(j, rg_j_cut(j, self.s, 0, hit));
}

METHOD(find) { return (void)all, RG_JINT(place(j, self, arg[0], false)); }
METHOD(rfind) { return (void)all, RG_JINT(place(j, self, arg[0], true)); }

METHOD(index_in)
{
    const int64_t i = place(j, self, arg[0], false);
    (void)all;
    if (i < 0) rg_j_fail(j, RG_E_FILE, "index: substring not found");
    return RG_JINT(i);
}

METHOD(count)
{
    const rg_jstr *what = rg_j_need_str(j, arg[0], "count");
    int64_t n = 0;
    (void)all;
    if (what->n == 0) return RG_JINT(rg_j_length(j, self) + 1);
    for (size_t at = 0; (at = rg_j_search(j, self.s, at, self.s->n, what, false)) != SIZE_MAX; at += what->n)
        n++;
    return RG_JINT(n);
}

METHOD(join)
{
    const rg_jlist l = rg_j_items(j, rg_j_defined(j, arg[0]));
    rg_jbuf b = {0};
    (void)all;
    for (size_t i = 0; i < l.n; i++) {
        if (i) rg_jb_str(j, &b, self.s);
        rg_jb_str(j, &b, rg_j_need_str(j, l.v[i], "join"));
    }
    return rg_jb_done(j, &b);
}

static rg_jval all_in(rg_j *j, const rg_jstr *s, bool digits, bool letters)
{
    bool yes = s->n > 0;
    for (size_t i = 0; i < s->n; i++) {
        const char c = s->p[i], l = (char)(c | 32);
        if (c & 0x80) rg_j_fail(j, RG_E_UNSUPPORTED, "classes of characters beyond ASCII are not supported");
        yes = yes && ((digits && c >= '0' && c <= '9') || (letters && l >= 'a' && l <= 'z'));
    }
    return RG_JBOOL(yes);
}

METHOD(is_digit) { return (void)arg, (void)all, all_in(j, self.s, true, false); }
METHOD(is_alpha) { return (void)arg, (void)all, all_in(j, self.s, false, true); }
METHOD(is_alnum) { return (void)arg, (void)all, all_in(j, self.s, true, true); }

/* ---- mappings and lists ---- */

METHOD(get)
{
    const rg_jval *v = rg_j_find(j, self.d, arg[0]);
    (void)all;
    if (arg[0].t == J_MISSING) rg_j_fail(j, RG_E_FILE, "get: expected a key");
    return v ? *v : given(arg[1]) ? arg[1] : RG_JNONE;
}

/* items(), keys(), values() */
static rg_jval view(rg_j *j, const rg_jdict *d, const char *name, bool keys, bool values)
{
    const rg_jval v = rg_j_list(j, d->n, J_VIEW);
    v.l->view = name;
    for (size_t i = 0; i < d->n; i++) {
        if (keys && values) {
            v.l->v[i] = rg_j_list(j, 2, J_TUPLE);
            memcpy(v.l->v[i].l->v, d->v + 2 * i, 2 * sizeof *d->v);
        } else {
            v.l->v[i] = d->v[2 * i + values];
        }
    }
    return v;
}

METHOD(items) { return (void)arg, (void)all, view(j, self.d, "dict_items", true, true); }
METHOD(keys) { return (void)arg, (void)all, view(j, self.d, "dict_keys", true, false); }
METHOD(values) { return (void)arg, (void)all, view(j, self.d, "dict_values", false, true); }

METHOD(index_of)
{
    (void)all;
    for (size_t i = 0; i < self.l->n; i++)
        if (rg_j_equal(j, self.l->v[i], arg[0])) return RG_JINT((int64_t)i);
    rg_j_fail(j, RG_E_FILE, "index: the value is not in the list");
}

METHOD(count_of)
{
    int64_t n = 0;
    (void)all;
    for (size_t i = 0; i < self.l->n; i++) n += rg_j_equal(j, self.l->v[i], arg[0]);
    return RG_JINT(n);
}

METHOD(forbidden)
{
    (void)arg, (void)all;
    rg_j_fail(j, RG_E_FILE, "a method that changes a %s is not safe", rg_j_type(self));
}

/* NULL: Python has it and we lack it; not to know one would look like an attribute that is not there. */
const rg_jrow *rg_j_method(rg_jval of, const rg_jstr *name)
{
    static const rg_jrow str[] = {{"strip", "chars", strip}, {"lstrip", "chars", lstrip},
        {"rstrip", "chars", rstrip}, {"upper", "", upper}, {"lower", "", lower},
        {"capitalize", "", capitalize}, {"title", "", title}, {"replace", "old new count", replace},
        {"split", "sep maxsplit", split}, {"rsplit", "sep maxsplit", rsplit}, {"partition", "sep", partition},
        {"rpartition", "sep", rpartition}, {"startswith", "prefix", startswith},
        {"endswith", "suffix", endswith}, {"removeprefix", "prefix", removeprefix},
        {"removesuffix", "suffix", removesuffix}, {"find", "sub", find}, {"rfind", "sub", rfind},
        {"index", "sub", index_in}, {"count", "sub", count}, {"join", "iterable", join},
        {"isdigit", "", is_digit}, {"isalpha", "", is_alpha}, {"isalnum", "", is_alnum},
        {"casefold", "*", NULL}, {"center", "*", NULL}, {"encode", "*", NULL}, {"expandtabs", "*", NULL},
        {"format", "*", format}, {"format_map", "*", NULL}, {"isascii", "*", NULL}, {"isdecimal", "*", NULL},
        {"isidentifier", "*", NULL}, {"islower", "*", NULL}, {"isnumeric", "*", NULL},
        {"isprintable", "*", NULL}, {"isspace", "*", NULL}, {"istitle", "*", NULL}, {"isupper", "*", NULL},
        {"ljust", "*", NULL}, {"maketrans", "*", NULL}, {"rindex", "*", NULL}, {"rjust", "*", NULL},
        {"splitlines", "*", NULL}, {"swapcase", "*", NULL}, {"translate", "*", NULL}, {"zfill", "*", NULL},
        {0}};
    static const rg_jrow dict[] = {{"get", "key default", get}, {"items", "", items}, {"keys", "", keys},
        {"values", "", values}, {"copy", "*", NULL}, {"fromkeys", "*", NULL}, {"pop", "*", forbidden},
        {"popitem", "*", forbidden}, {"clear", "*", forbidden}, {"update", "*", forbidden},
        {"setdefault", "*", forbidden}, {0}};
    static const rg_jrow list[] = {{"index", "value", index_of}, {"count", "value", count_of},
        {"append", "*", forbidden}, {"extend", "*", forbidden}, {"insert", "*", forbidden},
        {"pop", "*", forbidden}, {"remove", "*", forbidden}, {"clear", "*", forbidden},
        {"sort", "*", forbidden}, {"reverse", "*", forbidden}, {"copy", "*", NULL}, {0}};
    const rg_jrow *row = of.t == J_STR            ? str
        : of.t == J_DICT                          ? dict
        : of.t == J_LIST && of.l->kind <= J_TUPLE ? list
                                                  : NULL;
    for (; row && row->name; row++)
        if (rg_jstr_is(name, row->name)) return row;
    return NULL;
}
