/* Templates into tokens: text, tags, and the words inside them, with Jinja's rules for white space. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/utf8.h"
#include "tokenizer/jinja_impl.h"

typedef struct lexer {
    rg_j *j;
    const char *p; /* [n] */
    size_t n, at;
    int line;         /* of at */
    bool line_starts; /* the last token ended a line */
} lexer;

enum { MAX_OPEN = 2 * RG_J_DEPTH_PARSE };

static rg_jtok *push(lexer *x, rg_jtok_kind kind)
{
    rg_j *j = x->j;
    if (j->n_tok == j->cap_tok) {
        const size_t cap = 2 * j->cap_tok + 256;
        rg_jtok *t = rg_j_alloc(j, cap, sizeof *t);
        if (j->n_tok) memcpy(t, j->tok, j->n_tok * sizeof *t);
        j->tok = t;
        j->cap_tok = cap;
    }
    rg_jtok *t = &j->tok[j->n_tok++];
    t->kind = kind;
    t->line = x->line;
    return t;
}

static void move(lexer *x, size_t to)
{
    for (; x->at < to; x->at++) x->line += x->p[x->at] == '\n';
    x->j->line = x->line;
}

static bool has(const lexer *x, size_t at, const char *s)
{
    const size_t n = strlen(s);
    return x->n - at >= n && memcmp(x->p + at, s, n) == 0;
}

static size_t skip_space(const lexer *x, size_t at)
{
    while (at < x->n) {
        const size_t n = rg_j_char(x->p + at, x->n - at);
        if (!rg_j_space(x->p + at, n)) break;
        at += n;
    }
    return at;
}

/* The end of a tag that closes with `close` at p; 0: it does not close there. trim: a line break behind it
 * goes too. */
static size_t closes(const lexer *x, size_t at, const char *close, bool trim)
{
    size_t end = at + strlen(close);
    if (has(x, at, close)) return trim && end < x->n && x->p[end] == '\n' ? end + 1 : end;
    if (at >= x->n) return 0;
    if (x->p[at] == '-' && has(x, at + 1, close)) return skip_space(x, end + 1);
    return trim && x->p[at] == '+' && has(x, at + 1, close) ? end + 1 : 0;
}

/* Text up to a tag at `end` with that sign. */
static void put_data(lexer *x, size_t end, char sign, bool variable)
{
    const size_t from = x->at;
    size_t to = end;
    if (sign == '-') {
        size_t a;
        rg_j_strip(x->j, &(rg_jstr){.p = x->p + from, .n = end - from}, NULL, false, true, &a, &to);
        to += from;
    } else if (sign != '+' && !variable) {
        size_t bol = end;
        while (bol > from && x->p[bol - 1] != '\n') bol--;
        if (bol > from || x->line_starts)
            if (skip_space(x, bol) >= end) to = bol;
    }
    if (to > from) push(x, T_DATA)->s = rg_j_text(x->j, x->p + from, NULL, to - from).s;
    move(x, end);
}

static void ended(lexer *x, size_t to)
{
    move(x, to);
    x->line_starts = x->p[to - 1] == '\n';
}

/* ---- words inside tags ---- */

static bool is_name(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

static bool digit(const lexer *x, size_t at) { return at < x->n && x->p[at] >= '0' && x->p[at] <= '9'; }

static size_t digits(const lexer *x, size_t at)
{
    while (digit(x, at) || (at < x->n && x->p[at] == '_' && digit(x, at + 1))) at++;
    return at;
}

static void put_number(lexer *x)
{
    char text[64];
    size_t end = digits(x, x->at), n = 0;
    bool real = false;
    if (x->p[x->at] == '0' && x->at + 1 < x->n && strchr("xXoObB", x->p[x->at + 1]) && x->p[x->at + 1])
        rg_j_fail(x->j, RG_E_UNSUPPORTED, "numbers as 0x1f are not supported");
    if (end < x->n && x->p[end] == '.' && digit(x, end + 1)) {
        end = digits(x, end + 1);
        real = true;
    }
    if (end < x->n && (x->p[end] == 'e' || x->p[end] == 'E')) {
        const size_t at = end + 1 + (end + 1 < x->n && (x->p[end + 1] == '+' || x->p[end + 1] == '-'));
        if (digit(x, at)) {
            end = digits(x, at);
            real = true;
        }
    }
    for (size_t i = x->at; i < end; i++) {
        if (n + 1 >= sizeof text) rg_j_fail(x->j, RG_E_UNSUPPORTED, "a number of more than 63 digits");
        if (x->p[i] != '_') text[n++] = x->p[i];
    }
    text[n] = 0;
    errno = 0;
    rg_jtok *t = push(x, T_CONST);
    if (real)
        t->v = (rg_jval){.t = J_FLOAT, .f = strtod(text, NULL)};
    else
        t->v = RG_JINT(strtoll(text, NULL, 10));
    if (!real && (errno || (text[0] == '0' && strspn(text, "0") < n)))
        rg_j_fail(x->j, RG_E_UNSUPPORTED, "the number %s", text);
    move(x, end);
}

/* One escape behind a backslash at `at`, as Python reads it; its text into to. Returns where it ends. */
static size_t unescape(const lexer *x, size_t at, char *to, size_t *n)
{
    static const char from[] = "abfnrtv\\'\"", into[] = "\a\b\f\n\r\t\v\\'\"";
    const char c = x->p[at];
    const char *plain = c ? strchr(from, c) : NULL;
    const int more = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t code = 0;
    size_t i = at + 1;
    *n = 0;
    if (plain) {
        to[(*n)++] = into[plain - from];
    } else if (more) {
        for (; i < at + 1 + (size_t)more; i++) {
            const int d = i < x->n ? (unsigned char)x->p[i] : 0;
            if (!isxdigit(d))
                rg_j_fail(
                    x->j, RG_E_FILE, "\\%c in a string, expected %d hexadecimal digits behind it", c, more);
            code = code << 4 | (uint32_t)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
        }
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            rg_j_fail(x->j, RG_E_FILE, "\\%c in a string: %x is no character", c, (unsigned)code);
        *n = rg_utf8_put(to, code);
    } else if (c >= '0' && c <= '7') {
        for (i = at; i < at + 3 && i < x->n && x->p[i] >= '0' && x->p[i] <= '7'; i++)
            code = code << 3 | (uint32_t)(x->p[i] - '0');
        *n = rg_utf8_put(to, code);
    } else if (c == 'N') {
        rg_j_fail(x->j, RG_E_UNSUPPORTED, "\\N{...} in a string is not supported");
    } else if (c != '\n') {
        to[(*n)++] = '\\';
        i = at; /* the character itself comes next, as it is */
    }
    return i;
}

static void put_string(lexer *x)
{
    const char quote = x->p[x->at];
    size_t end = x->at + 1, n = 0, k;
    while (end < x->n && x->p[end] != quote) end += x->p[end] == '\\' ? 2 : 1;
    if (end >= x->n) rg_j_fail(x->j, RG_E_FILE, "a string is not closed");
    char *text = rg_j_alloc(x->j, end - x->at + 4, 1);
    for (size_t i = x->at + 1; i < end;) {
        if (x->p[i] != '\\') {
            text[n++] = x->p[i++];
            continue;
        }
        i = unescape(x, i + 1, text + n, &k);
        n += k;
    }
    push(x, T_CONST)->v = rg_j_text(x->j, text, NULL, n);
    move(x, end + 1);
}

static void put_op(lexer *x, char *open, int *n_open)
{
    static const char two[][3] = {"==", "!=", ">=", "<=", "//", "**"};
    const char c = x->p[x->at];
    int op = 0;
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (has(x, x->at, two[i])) op = RG_JOP(two[i][0], two[i][1]);
    if (!op && c && strchr("+-*/%~()[]{}<>=.,:|;", c)) op = (unsigned char)c;
    if (!op)
        rg_j_fail(x->j, RG_E_FILE, "unexpected '%s'",
            RG_CLEAN(8, RG_TEXT(8, "%.*s", (int)rg_j_char(x->p + x->at, x->n - x->at), x->p + x->at)));
    if (op == '(' || op == '[' || op == '{') {
        if (*n_open == MAX_OPEN) rg_j_fail(x->j, RG_E_UNSUPPORTED, "more than %d open brackets", MAX_OPEN);
        open[(*n_open)++] = op == '(' ? ')' : op == '[' ? ']' : '}';
    }
    if (op == ')' || op == ']' || op == '}')
        if (*n_open == 0 || open[--*n_open] != (char)op) rg_j_fail(x->j, RG_E_FILE, "unexpected '%c'", c);
    push(x, T_OP)->op = op;
    move(x, x->at + (op > 255 ? 2 : 1));
}

/* What stands between the beginning and the end of a tag. */
static void put_words(lexer *x, bool variable)
{
    char open[MAX_OPEN];
    int n_open = 0;
    for (;;) {
        move(x, skip_space(x, x->at));
        if (x->at >= x->n) rg_j_fail(x->j, RG_E_FILE, "a tag is not closed");
        const size_t end = n_open ? 0 : closes(x, x->at, variable ? "}}" : "%}", !variable);
        if (end) {
            push(x, variable ? T_VAR_END : T_BLOCK_END);
            ended(x, end);
            return;
        }
        const char c = x->p[x->at];
        if (is_name(c, true)) {
            size_t to = x->at;
            while (to < x->n && is_name(x->p[to], false)) to++;
            push(x, T_NAME)->s = rg_j_text(x->j, x->p + x->at, NULL, to - x->at).s;
            move(x, to);
        } else if (c >= '0' && c <= '9') {
            put_number(x);
        } else if (c == '\'' || c == '"') {
            put_string(x);
        } else {
            put_op(x, open, &n_open);
        }
    }
}

/* ---- text and tags ---- */

/* The end of "{% word %}" at `at`, else 0. *sign: behind "{%". */
static size_t bare_tag(const lexer *x, size_t at, const char *word, bool trim, char *sign)
{
    size_t p = at + 2;
    if (!has(x, at, "{%") || p >= x->n) return 0;
    *sign = x->p[p] == '-' || x->p[p] == '+' ? x->p[p++] : 0;
    p = skip_space(x, p);
    return has(x, p, word) ? closes(x, skip_space(x, p + strlen(word)), "%}", trim) : 0;
}

static void put_raw(lexer *x)
{
    for (size_t at = x->at; at < x->n; at++) {
        char sign = 0;
        const size_t end = x->p[at] == '{' ? bare_tag(x, at, "endraw", true, &sign) : 0;
        if (!end) continue;
        put_data(x, at, sign, false);
        ended(x, end);
        return;
    }
    rg_j_fail(x->j, RG_E_FILE, "{%% raw %%} is not closed");
}

static void skip_comment(lexer *x)
{
    for (size_t at = x->at; at < x->n; at++) {
        const size_t end =
            x->p[at] == '#' || x->p[at] == '-' || x->p[at] == '+' ? closes(x, at, "#}", true) : 0;
        if (!end) continue;
        ended(x, end);
        return;
    }
    rg_j_fail(x->j, RG_E_FILE, "a comment is not closed");
}

void rg_j_lex(rg_j *j, const char *text, size_t n)
{
    lexer x = {.j = j, .p = text, .n = n, .line = 1, .line_starts = true};
    while (x.at < n) {
        size_t at = x.at;
        while (at + 1 < n && !(text[at] == '{' && strchr("{%#", text[at + 1]) && text[at + 1])) at++;
        if (at + 1 >= n) {
            push(&x, T_DATA)->s = rg_j_text(j, text + x.at, NULL, n - x.at).s;
            break;
        }
        const char what = text[at + 1];
        const char sign = at + 2 < n && (text[at + 2] == '-' || text[at + 2] == '+') ? text[at + 2] : 0;
        put_data(&x, at, sign, what == '{');
        char raw_sign;
        const size_t raw = what == '%' ? bare_tag(&x, at, "raw", false, &raw_sign) : 0;
        if (raw) {
            ended(&x, raw);
            put_raw(&x);
            continue;
        }
        if (what == '%') push(&x, T_BLOCK);
        if (what == '{') push(&x, T_VAR);
        ended(&x, at + 2 + (sign != 0));
        if (what == '#')
            skip_comment(&x);
        else
            put_words(&x, what == '{');
    }
    push(&x, T_END);
}
