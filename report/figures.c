/* Objects of documents from their tables: as JSON and back, checked, and as text for people. */
#include "report/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "roofline/measure/json_value.h"

/* How a kind lies in memory. */
typedef enum member { NUMBER, INDEX, TEXT, FLAG, FLAG0, PHASE, OBJ, OBJ0, LIST, LIST0, JSON } member;

static const struct {
    member member;
    const char *type, *words;
    enum { MUST, NONE, LEFT } may;
} kinds[RG_FIG_KINDS] = {
#define RG_KIND(kind, member, type, may, words) [RG_FIG_##kind] = {member, type, words, may},
#include "report/fig_kinds.def"
};

/* What `of` says depends on the kind: words, the kind of an object, or nothing. */
#define PLAIN_OF(x)
#define WORDS_OF(x) .words = x,
#define OBJECT_OF(x) .of = RG_OBJ_##x,
#define OF_COUNT PLAIN_OF
#define OF_COUNT0 PLAIN_OF
#define OF_COUNTX PLAIN_OF
#define OF_SIGNED PLAIN_OF
#define OF_REAL PLAIN_OF
#define OF_REALX PLAIN_OF
#define OF_SREAL PLAIN_OF
#define OF_INDEX PLAIN_OF
#define OF_TEXT PLAIN_OF
#define OF_TEXT0 PLAIN_OF
#define OF_TEXTX PLAIN_OF
#define OF_STAMP PLAIN_OF
#define OF_FLAG PLAIN_OF
#define OF_FLAG0 PLAIN_OF
#define OF_PHASE PLAIN_OF
#define OF_MAP PLAIN_OF
#define OF_LINES PLAIN_OF
#define OF_NUMBERS PLAIN_OF
#define OF_COUNTS PLAIN_OF
#define OF_COUNTS0 PLAIN_OF
#define OF_NUMBERS0 PLAIN_OF
#define OF_DICT OBJECT_OF
#define OF_WORD WORDS_OF
#define OF_WORD0 WORDS_OF
#define OF_WORDX WORDS_OF
#define OF_OBJ OBJECT_OF
#define OF_OBJ0 OBJECT_OF
#define OF_OBJX OBJECT_OF
#define OF_LIST OBJECT_OF
#define OF_LISTX OBJECT_OF
#define OF_LIST0 OBJECT_OF

#define RG_OBJECT(object, what) static const rg_fig figs_##object[] = {
#define RG_FIG(object, kind_, key_, of_, format_, rank_, title_, interval_, help_) \
    {.key = #key_, \
        .kind = RG_FIG_##kind_, \
        .at = offsetof(rg_doc_##object, key_), \
        .format = RG_FORMAT_##format_, \
        .rank = rank_, \
        .title = title_, \
        .help = help_, \
        OF_##kind_(of_).interval = RG_##interval_},
#define RG_END(object) \
    } \
    ;
#include "report/figures.def"

const rg_object rg_objects[RG_OBJECTS] = {
#define RG_OBJECT(object, what_) \
    [RG_OBJ_##object] = {#object, what_, figs_##object, sizeof figs_##object / sizeof *figs_##object, \
        sizeof(rg_doc_##object)},
#include "report/figures.def"
};

const rg_fig *rg_fig_find(rg_object_id object, const char *key)
{
    const rg_object *o = &rg_objects[object];
    for (int i = 0; i < o->n; i++)
        if (strcmp(o->fig[i].key, key) == 0) return &o->fig[i];
    return NULL;
}

static size_t *count_of(const void *value)
{
    return (size_t *)(uintptr_t)((const char *)value + sizeof(void *));
}
size_t rg_fig_rows(const rg_fig *f, const void *value)
{
    const member m = kinds[f->kind].member;
    return m == LIST || m == LIST0 ? *count_of(value) : 0;
}
const void *rg_fig_row(const rg_fig *f, const void *value, size_t i)
{
    const void *rows = *(void *const *)value;
    if (i >= rg_fig_rows(f, value)) return NULL;
    return kinds[f->kind].member == LIST ? (const char *)rows + i * rg_objects[f->of].size
                                         : ((void *const *)rows)[i];
}
static bool is_whole(rg_fig_kind k) { return kinds[k].type[0] == 'i'; }

/* ---- writing ---- */

static double rounded(double x, int digits)
{
    char text[48];
    snprintf(text, sizeof text, "%.*g", digits, x);
    return strtod(text, NULL);
}

static json_t *list(const rg_fig *f, const void *at, int digits)
{
    json_t *out = json_array();
    for (size_t i = 0; i < rg_fig_rows(f, at); i++) {
        const void *row = rg_fig_row(f, at, i);
        json_t *o = row ? rg_object_write(f->of, row, digits) : json_null();
        if (json_array_append_new(out, o) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

json_t *rg_fig_json(const rg_fig *f, const void *at, int digits)
{
    switch (kinds[f->kind].member) {
    case NUMBER: {
        const double x = *(const double *)at;
        if (!isfinite(x)) return json_null();
        return is_whole(f->kind) ? json_integer((json_int_t)(x < 0 ? x - 0.5 : x + 0.5))
                                 : json_real(rounded(x, digits));
    }
    case INDEX: {
        const int64_t i = *(const int64_t *)at;
        return i >= 0 ? json_integer(i) : json_null();
    }
    case TEXT:
        return rg_json_text(*(const char *const *)at);
    case FLAG:
        return json_boolean(*(const bool *)at);
    case FLAG0: {
        const int flag = *(const int *)at;
        return flag < 0 ? json_null() : json_boolean(flag);
    }
    case PHASE:
        return json_string(rg_phase_names[*(const rg_phase *)at]);
    case OBJ:
        return rg_object_write(f->of, at, digits);
    case OBJ0: {
        const void *o = *(void *const *)at;
        return o ? rg_object_write(f->of, o, digits) : json_null();
    }
    case LIST:
    case LIST0:
        return list(f, at, digits);
    default: {
        json_t *j = *(json_t *const *)at;
        if (!j) return f->kind == RG_FIG_LINES ? json_array() : json_null();
        if (f->kind != RG_FIG_NUMBERS && f->kind != RG_FIG_NUMBERS0) return json_incref(j);
        json_t *out = json_array(), *v;
        size_t i;
        json_array_foreach (j, i, v)
            json_array_append_new(out, json_real(rounded(json_number_value(v), digits)));
        return out;
    }
    }
}

json_t *rg_object_write(rg_object_id object, const void *from, int digits)
{
    const rg_object *o = &rg_objects[object];
    const rg_doc_kind kind = rg_doc_kind_of(object);
    json_t *out = kind < RG_DOC_KINDS
        ? json_pack("{s:s, s:i}", "schema", rg_documents[kind].schema, "version", rg_documents[kind].version)
        : json_object();
    for (int i = 0; i < o->n; i++) {
        const rg_fig *f = &o->fig[i];
        const void *at = (const char *)from + f->at;
        if (kinds[f->kind].may == LEFT && rg_fig_null(f, at)) continue;
        if (json_object_set_new(out, f->key, rg_fig_json(f, at, digits)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

/* ---- reading ---- */

static const double MOST_WHOLE = 0x1p62; /* fits an integer of JSON */
enum { MOST_ROWS = 200000, MOST_LINES = 10000, MOST_NUMBERS = 1 << 24 };

static const char *type_name(const json_t *v)
{
    static const char *const names[] = {[JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "a list",
        [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null"};
    return v ? names[json_typeof(v)] : "nothing";
}

static rg_status wrong(
    const rg_place *p, const char *key, const json_t *found, const char *expected, rg_err *err)
{
    char what[80] = "", clean[48];
    if (json_is_number(found)) snprintf(what, sizeof what, " (%g)", json_number_value(found));
    if (json_is_string(found))
        snprintf(what, sizeof what, " \"%s\"", rg_text_clean(clean, sizeof clean, json_string_value(found)));
    return rg_fail(err, RG_E_FILE, "%s: %s%s%s: found %s%s, expected %s: not a report of %s -o json", p->file,
        p->path, p->path[0] && key[0] ? "." : "", key, type_name(found), what, expected, p->command);
}

/* What a figure was called in version 1. */
static const json_t *get(rg_object_id object, const json_t *o, const char *key)
{
    static const struct {
        rg_object_id object;
        const char *key, *was;
    } renamed[] = {{RG_OBJ_analytic, "ideal_ns", "t_ns"}, {RG_OBJ_phase, "ideal_ns", "analytic_t_ns"},
        {RG_OBJ_phase, "ideal_flop_ns", "analytic_flop_ns"},
        {RG_OBJ_phase, "ideal_mem_ns", "analytic_mem_ns"}, {RG_OBJ_result, "ideal_ns", "analytic_t_ns"},
        {RG_OBJ_result, "ideal_flop_ns", "analytic_flop_ns"},
        {RG_OBJ_result, "ideal_mem_ns", "analytic_mem_ns"}, {RG_OBJ_lever, "name", "switch"},
        {RG_OBJ_case_op, "ideal_ns", "t_ns"}, {RG_OBJ_case_total, "ideal_ns", "t_ns"}};
    const json_t *v = json_object_get(o, key);
    for (size_t i = 0; !v && i < sizeof renamed / sizeof *renamed; i++)
        if (renamed[i].object == object && strcmp(renamed[i].key, key) == 0)
            v = json_object_get(o, renamed[i].was);
    return v;
}

static bool has_word(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = words; n > 0 && !strchr(word, ' ') && (p = strstr(p, word)); p++)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0)) return true;
    return false;
}

static size_t extend(rg_place *p, const char *key, int64_t index)
{
    const size_t was = strlen(p->path);
    size_t n = was;
    n += (size_t)snprintf(p->path + n, sizeof p->path - n, "%s%s", n ? "." : "", key);
    if (index >= 0 && n < sizeof p->path)
        snprintf(p->path + n, sizeof p->path - n, "[%lld]", (long long)index);
    return was;
}

static rg_status read_below(
    rg_object_id of, void *to, const json_t *v, const char *key, int64_t index, rg_place *p, rg_err *err)
{
    const size_t was = extend(p, key, index);
    const rg_status st = rg_object_read(of, to, v, p, err);
    if (!st) p->path[was] = 0;
    return st;
}

static rg_status read_list(const rg_fig *f, void *at, const json_t *v, rg_place *p, rg_err *err)
{
    const size_t size = rg_objects[f->of].size, n = json_array_size(v);
    const bool nullable = kinds[f->kind].member == LIST0;
    if (!v && f->kind == RG_FIG_LISTX) return RG_OK;
    if (!json_is_array(v)) return wrong(p, f->key, v, kinds[f->kind].words, err);
    if (n > MOST_ROWS)
        return rg_fail(err, RG_E_FILE, "%s: %s%s%s: %zu entries, expected at most %d", p->file, p->path,
            p->path[0] ? "." : "", f->key, n, MOST_ROWS);
    char *rows = calloc(n + 1, nullable ? sizeof(void *) : size);
    if (!rows) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", p->file);
    *(void **)at = rows;
    *count_of(at) = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(v, i);
        void *to = rows + i * size;
        if (nullable) {
            if (json_is_null(row)) continue;
            if (!(to = calloc(1, size))) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", p->file);
            ((void **)(void *)rows)[i] = to;
        }
        const rg_status st = read_below(f->of, to, row, f->key, (int64_t)i, p, err);
        if (st) return st;
    }
    return RG_OK;
}

static bool json_fits(rg_fig_kind k, const json_t *v)
{
    const json_t *e;
    const char *key;
    size_t i;
    if (k == RG_FIG_MAP) {
        if (!json_is_object(v)) return false;
        json_object_foreach ((json_t *)(uintptr_t)v, key, e)
            if (!json_is_number(e) && !json_is_null(e)) return false;
        return true;
    }
    if (!json_is_array(v) || json_array_size(v) > (k == RG_FIG_LINES ? MOST_LINES : MOST_NUMBERS))
        return false;
    json_array_foreach (v, i, e)
        if (k == RG_FIG_LINES ? !json_is_string(e) : !json_is_number(e) || !(json_number_value(e) >= 0.0))
            return false;
    return true;
}

static bool may_be_null(rg_fig_kind k)
{
    return k == RG_FIG_MAP || k == RG_FIG_COUNTS0 || k == RG_FIG_NUMBERS0;
}

/* Objects by name stay JSON; each is read once for its checks. */
static rg_status check_dict(const rg_fig *f, const json_t *v, rg_place *p, rg_err *err)
{
    const char *key;
    json_t *e;
    rg_status st = json_is_object(v) ? RG_OK : wrong(p, f->key, v, kinds[f->kind].words, err);
    const size_t was = !st ? extend(p, f->key, -1) : 0;
    json_object_foreach ((json_t *)(uintptr_t)v, key, e) {
        void *o = !st ? calloc(1, rg_objects[f->of].size) : NULL;
        if (!o) break;
        st = read_below(f->of, o, e, key, -1, p, err);
        rg_object_free(f->of, o);
        free(o);
    }
    if (!st) p->path[was] = 0;
    return st;
}

static rg_status read_fig(const rg_fig *f, void *at, const json_t *v, rg_place *p, rg_err *err)
{
    const bool none = !v || json_is_null(v);
    bool fits = true;
    switch (kinds[f->kind].member) {
    case NUMBER: {
        const double x = json_number_value(v);
        if (none && kinds[f->kind].may != MUST) {
            *(double *)at = NAN;
            break;
        }
        fits = json_is_number(v) && isfinite(x) &&
            (x >= 0.0 || f->kind == RG_FIG_SIGNED || f->kind == RG_FIG_SREAL) &&
            (!is_whole(f->kind) || (fabs(x) < MOST_WHOLE && x == rint(x)));
        *(double *)at = x;
        break;
    }
    case INDEX:
        fits = none || (json_is_integer(v) && json_integer_value(v) >= 0);
        *(int64_t *)at = none ? -1 : json_integer_value(v);
        break;
    case TEXT: {
        const char *s = json_string_value(v);
        if (s && f->words && !has_word(f->words, s)) {
            char words[200];
            snprintf(words, sizeof words, "one of: %s", f->words);
            return wrong(p, f->key, v, words, err);
        }
        fits = s || (none && (kinds[f->kind].may != MUST || f->kind == RG_FIG_STAMP));
        *(const char **)at = s;
        break;
    }
    case FLAG:
        fits = none || json_is_boolean(v);
        *(bool *)at = json_is_true(v);
        break;
    case FLAG0:
        fits = none || json_is_boolean(v);
        *(int *)at = none ? -1 : json_is_true(v);
        break;
    case PHASE: {
        const char *s = json_string_value(v);
        fits = false;
        for (int ph = 0; s && ph < RG_PHASE_COUNT; ph++)
            if (strcmp(s, rg_phase_names[ph]) == 0) {
                *(rg_phase *)at = (rg_phase)ph;
                fits = true;
            }
        break;
    }
    case OBJ:
        return read_below(f->of, at, v, f->key, -1, p, err);
    case OBJ0: {
        if (none) return RG_OK;
        void *o = *(void **)at = calloc(1, rg_objects[f->of].size);
        if (!o) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", p->file);
        return read_below(f->of, o, v, f->key, -1, p, err);
    }
    case LIST:
    case LIST0:
        return read_list(f, at, v, p, err);
    default:
        if (f->kind == RG_FIG_DICT) {
            const rg_status st = check_dict(f, v, p, err);
            if (st) return st;
        } else {
            fits = none ? may_be_null(f->kind) : json_fits(f->kind, v);
        }
        if (fits && !none) *(json_t **)at = json_incref((json_t *)(uintptr_t)v);
    }
    return fits ? RG_OK : wrong(p, f->key, v, kinds[f->kind].words, err);
}

rg_status rg_object_read(rg_object_id object, void *to, const json_t *o, rg_place *p, rg_err *err)
{
    const rg_object *d = &rg_objects[object];
    rg_status st = json_is_object(o) ? RG_OK : wrong(p, "", o, "an object", err);
    for (int i = 0; i < d->n && !st; i++)
        st = read_fig(&d->fig[i], (char *)to + d->fig[i].at, get(object, o, d->fig[i].key), p, err);
    return st;
}

void rg_object_free(rg_object_id object, void *at)
{
    const rg_object *d = &rg_objects[object];
    for (int i = 0; at && i < d->n; i++) {
        const rg_fig *f = &d->fig[i];
        void *m = (char *)at + f->at;
        switch (kinds[f->kind].member) {
        case OBJ:
            rg_object_free(f->of, m);
            break;
        case OBJ0:
            rg_object_free(f->of, *(void **)m);
            free(*(void **)m);
            break;
        case LIST:
        case LIST0:
            for (size_t k = 0; k < *count_of(m); k++) {
                const bool row = kinds[f->kind].member == LIST;
                void *o = row ? *(char **)m + k * rg_objects[f->of].size : (*(void ***)m)[k];
                rg_object_free(f->of, o);
                if (!row) free(o);
            }
            free(*(void **)m);
            break;
        case JSON:
            json_decref(*(json_t **)m);
            break;
        default:
            break;
        }
    }
}

/* ---- tables ---- */

static int by_rank(const void *a, const void *b)
{
    return ((const rg_leaf *)a)->rank - ((const rg_leaf *)b)->rank;
}

static int add_leaves(rg_leaf *out, int n, const rg_leaf *above, rg_object_id object, bool ranked)
{
    const rg_object *o = &rg_objects[object];
    for (int i = 0; i < o->n && n < RG_MOST_LEAVES; i++) {
        const rg_fig *f = &o->fig[i];
        const member m = kinds[f->kind].member;
        rg_leaf l = *above;
        const size_t at = strlen(l.key);
        snprintf(l.key + at, sizeof l.key - at, "%s%s", at ? "." : "", f->key);
        l.fig = f;
        l.rank += f->rank;
        if (f->title[0] || !l.title) l.title = f->title;
        l.at[l.depth] = f->at;
        l.pointer[l.depth] = m == OBJ0;
        l.depth++;
        if (m == OBJ || m == OBJ0) {
            if (l.depth < 4 && (!ranked || f->rank >= 0)) n = add_leaves(out, n, &l, f->of, ranked);
        } else if (m < OBJ && (!ranked || f->rank)) {
            out[n++] = l;
        }
    }
    return n;
}

int rg_leaves(rg_leaf out[RG_MOST_LEAVES], rg_object_id object, const char *below, bool ranked)
{
    const rg_leaf top = {0};
    int n = add_leaves(out, 0, &top, object, ranked), kept = 0;
    const size_t len = strlen(below);
    for (int i = 0; i < n && len > 0; i++) {
        if (strncmp(out[i].key, below, len) == 0 && out[i].key[len] == '.') out[kept++] = out[i];
    }
    if (len > 0) n = kept;
    if (ranked) qsort(out, (size_t)n, sizeof *out, by_rank);
    return n;
}

const void *rg_leaf_value(const rg_leaf *l, const void *row)
{
    const char *at = row;
    for (int i = 0; i < l->depth && at; i++) {
        at += l->at[i];
        if (l->pointer[i]) at = *(const char *const *)(const void *)at;
    }
    return at;
}

bool rg_fig_null(const rg_fig *f, const void *value)
{
    if (!value) return true;
    switch (kinds[f->kind].member) {
    case NUMBER:
        return !isfinite(*(const double *)value);
    case INDEX:
        return *(const int64_t *)value < 0;
    case TEXT:
    case OBJ0:
    case JSON:
        return !*(void *const *)value;
    case FLAG0:
        return *(const int *)value < 0;
    default:
        return false;
    }
}

bool rg_fig_number(const rg_fig *f)
{
    return kinds[f->kind].member == NUMBER || kinds[f->kind].member == INDEX;
}

bool rg_fig_right(const rg_fig *f) { return f->format != RG_FORMAT_WORDS && f->format != RG_FORMAT_YES; }

static const char *shaped(char *buf, size_t n, rg_fig_format format, double x)
{
    switch (format) {
    case RG_FORMAT_PLAIN:
        snprintf(buf, n, "%.0f", x);
        return buf;
    case RG_FORMAT_FIXED:
        snprintf(buf, n, "%.2f", x);
        return buf;
    case RG_FORMAT_SHARE:
        snprintf(buf, n, "%.1f", 100.0 * x);
        return buf;
    case RG_FORMAT_PERCENT:
        return rg_percent(buf, n, x);
    case RG_FORMAT_TIME:
        return rg_time(buf, n, x);
    case RG_FORMAT_SECONDS:
        return rg_time(buf, n, 1e9 * x);
    case RG_FORMAT_BYTES:
        return rg_bytes(buf, n, x);
    case RG_FORMAT_MS:
    case RG_FORMAT_MB:
        return rg_num(buf, n, 1e-6 * x);
    case RG_FORMAT_GIGA:
        return rg_num(buf, n, 1e-9 * x);
    default:
        return rg_num(buf, n, x);
    }
}

static const char *text(char *buf, size_t n, const rg_fig *f, rg_fig_format format, const void *value)
{
    if (rg_fig_null(f, value)) return NULL;
    switch (kinds[f->kind].member) {
    case NUMBER:
        return shaped(buf, n, format, *(const double *)value);
    case INDEX:
        return shaped(buf, n, format, (double)*(const int64_t *)value);
    case TEXT:
        return rg_text_clean(buf, n, *(const char *const *)value);
    case PHASE:
        return rg_phase_names[*(const rg_phase *)value];
    case FLAG:
        return *(const bool *)value ? "yes" : "";
    case FLAG0:
        return *(const int *)value ? "yes" : "";
    default:
        return NULL;
    }
}

const char *rg_fig_text(char *buf, size_t n, const rg_fig *f, const void *value)
{
    return text(buf, n, f, f->format, value);
}

const char *rg_fig_words(char *buf, size_t n, const rg_fig *f, const void *value)
{
    static const rg_fig_format with_unit[RG_FORMATS] = {[RG_FORMAT_SHARE] = RG_FORMAT_PERCENT,
        [RG_FORMAT_MS] = RG_FORMAT_TIME,
        [RG_FORMAT_MB] = RG_FORMAT_BYTES};
    return text(buf, n, f, with_unit[f->format] ? with_unit[f->format] : f->format, value);
}

const char *rg_fig_sql(const rg_fig *f)
{
    const member m = kinds[f->kind].member;
    if (m == TEXT || m == PHASE) return "TEXT";
    return m == NUMBER && !is_whole(f->kind) ? "REAL" : "INTEGER";
}
