/* tojson as transformers has it: json.dumps(x, ensure_ascii=False). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/utf8.h"
#include "tokenizer/jinja_impl.h"

typedef struct writer {
    rg_j *j;
    rg_jbuf *b;
    bool ascii, sorted;
    const rg_jstr *indent; /* NULL: on one line */
    const rg_jstr *item, *key;
} writer;

static void write(writer *w, rg_jval v, int level);

static void write_string(writer *w, const rg_jstr *s)
{
    static const char from[] = "\"\\\n\r\t\b\f", into[] = "\"\\nrtbf";
    char esc[16];
    rg_jb_puts(w->j, w->b, "\"");
    for (size_t at = 0, n; at < s->n; at += n) {
        const unsigned char *m = s->m ? s->m + at : NULL;
        n = rg_j_char(s->p + at, s->n - at);
        const uint32_t c = n > 1 ? rg_utf8_get((const unsigned char *)s->p + at, n) : (unsigned char)s->p[at];
        const char *plain = c && c < 0x80 ? strchr(from, (int)c) : NULL;
        if (plain)
            snprintf(esc, sizeof esc, "\\%c", into[plain - from]);
        else if (c >= 0x10000 && w->ascii)
            snprintf(esc, sizeof esc, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
        else if (c < 0x20 || (w->ascii && c >= 0x7f && (c > 0x7f)))
            snprintf(esc, sizeof esc, "\\u%04x", (unsigned)c);
        else {
            rg_jb_add(w->j, w->b, s->p + at, m, n);
            continue;
        }
        rg_jb_as(w->j, w->b, esc, m);
    }
    rg_jb_puts(w->j, w->b, "\"");
}

static void new_line(writer *w, int level)
{
    if (!w->indent) return;
    rg_jb_puts(w->j, w->b, "\n");
    for (int i = 0; i < level; i++) rg_jb_str(w->j, w->b, w->indent);
}

/* A key that is no string is written as one. */
static void write_key(writer *w, rg_jval k)
{
    if (k.t == J_STR) {
        write_string(w, k.s);
        return;
    }
    if (k.t != J_INT && k.t != J_BOOL && k.t != J_NONE && k.t != J_FLOAT)
        rg_j_fail(w->j, RG_E_FILE, "tojson: a %s is no key", rg_j_type(k));
    rg_jb_puts(w->j, w->b, "\"");
    write(w, k, 0);
    rg_jb_puts(w->j, w->b, "\"");
}

static void write_pairs(writer *w, const rg_jdict *d, int level)
{
    rg_jval keys = rg_j_list(w->j, d->n, J_ARRAY);
    for (size_t i = 0; i < d->n; i++) keys.l->v[i] = d->v[2 * i];
    if (w->sorted) {
        rg_jval cased[RG_J_PARAMS] = {{.t = J_MISSING}, RG_JBOOL(true)};
        keys = rg_j_filter(rg_j_text(w->j, "sort", NULL, 4).s)->call(w->j, keys, cased, &(rg_jargs){0});
    }
    rg_jb_puts(w->j, w->b, "{");
    for (size_t i = 0; i < d->n; i++) {
        if (i) rg_jb_str(w->j, w->b, w->item);
        new_line(w, level + 1);
        write_key(w, keys.l->v[i]);
        rg_jb_str(w->j, w->b, w->key);
        write(w, *rg_j_find(w->j, d, keys.l->v[i]), level + 1);
    }
    if (d->n) new_line(w, level);
    rg_jb_puts(w->j, w->b, "}");
}

static void write(writer *w, rg_jval v, int level)
{
    char num[32];
    rg_j_enter(w->j, w->j->line, RG_J_DEPTH_RUN);
    rg_j_step(w->j, 1);
    if (v.t == J_NONE || v.t == J_BOOL) {
        rg_jb_puts(w->j, w->b, v.t == J_NONE ? "null" : v.b ? "true" : "false");
    } else if (v.t == J_INT) {
        snprintf(num, sizeof num, "%" PRId64, v.i);
        rg_jb_puts(w->j, w->b, num);
    } else if (v.t == J_FLOAT) {
        rg_jb_puts(w->j, w->b,
            isnan(v.f)       ? "NaN"
                : isinf(v.f) ? (v.f < 0 ? "-Infinity" : "Infinity")
                             : rg_j_float(num, v.f));
    } else if (v.t == J_STR) {
        write_string(w, v.s);
    } else if (v.t == J_DICT) {
        write_pairs(w, v.d, level);
    } else if (v.t == J_LIST && v.l->kind <= J_TUPLE) {
        rg_jb_puts(w->j, w->b, "[");
        for (size_t i = 0; i < v.l->n; i++) {
            if (i) rg_jb_str(w->j, w->b, w->item);
            new_line(w, level + 1);
            write(w, v.l->v[i], level + 1);
        }
        if (v.l->n) new_line(w, level);
        rg_jb_puts(w->j, w->b, "]");
    } else {
        rg_j_fail(w->j, RG_E_FILE, "Object of type %s is not JSON serializable", rg_j_type(v));
    }
    w->j->depth--;
}

/* opts: ensure_ascii, indent, separators, sort_keys */
void rg_j_json(rg_j *j, rg_jbuf *b, rg_jval v, const rg_jval *opts)
{
    writer w = {.j = j, .b = b, .ascii = rg_j_true(opts[0]), .sorted = rg_j_true(opts[3])};
    if (opts[1].t == J_STR) {
        w.indent = opts[1].s;
    } else if (opts[1].t != J_MISSING && opts[1].t != J_NONE) {
        const int64_t n = rg_j_int(j, opts[1], "indent");
        if (n > 64) rg_j_fail(j, RG_E_UNSUPPORTED, "tojson: an indent of %lld", (long long)n);
        w.indent = rg_j_text(j, "                                                                ", NULL,
            n > 0 ? (size_t)n : 0)
                       .s;
    }
    w.item = rg_j_text(j, w.indent ? "," : ", ", NULL, w.indent ? 1 : 2).s;
    w.key = rg_j_text(j, ": ", NULL, 2).s;
    if (opts[2].t == J_LIST && opts[2].l->n == 2) {
        w.item = rg_j_need_str(j, opts[2].l->v[0], "separators");
        w.key = rg_j_need_str(j, opts[2].l->v[1], "separators");
    } else if (opts[2].t != J_MISSING && opts[2].t != J_NONE) {
        rg_j_fail(j, RG_E_FILE, "tojson: separators: expected two strings");
    }
    write(&w, v, 0);
}
