#include "roofline/textout.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *rg_num(char *buf, size_t n, double x)
{
    const double a = fabs(x);
    if (!isfinite(x))
        snprintf(buf, n, "n/a");
    else if (a == 0.0)
        snprintf(buf, n, "0");
    else if (a >= 99.95)
        snprintf(buf, n, a < 1e9 ? "%.0f" : "%.2e", x);
    else if (a >= 9.995)
        snprintf(buf, n, "%.1f", x);
    else if (a >= 0.9995)
        snprintf(buf, n, "%.2f", x);
    else if (a >= 1e-5)
        snprintf(buf, n, "%.*f", 2 - (int)floor(log10(a) + 2e-4), x);
    else
        snprintf(buf, n, "%.2e", x);
    return buf;
}

static const char *scaled(char *buf, size_t n, double x, const char *unit)
{
    char num[32];
    snprintf(buf, n, "%s%s%s", rg_num(num, sizeof num, x), isfinite(x) ? " " : "", isfinite(x) ? unit : "");
    return buf;
}

const char *rg_bytes(char *buf, size_t n, double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;
    for (; bytes >= 1023.5 && u < 4; u++) bytes /= 1024.0;
    return scaled(buf, n, bytes, unit[u]);
}

const char *rg_time(char *buf, size_t n, double ns)
{
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    int u = 0;
    for (; fabs(ns) >= 999.5 && u < 3; u++) ns /= 1000.0;
    return scaled(buf, n, ns, unit[u]);
}

const char *rg_percent(char *buf, size_t n, double fraction) { return scaled(buf, n, 100.0 * fraction, "%"); }

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static int utf8_len(const unsigned char *s)
{
    const int len = s[0] < 0x80       ? 1
        : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
        : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
        : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                      : 0;
    for (int i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (len == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))) return 0;
    if (len == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))) return 0;
    return len;
}

const char *rg_text_clean(char *buf, size_t n, const char *s)
{
    size_t k = 0;
    for (const unsigned char *u = (const unsigned char *)s; *u && k + 1 < n;) {
        const int len = utf8_len(u);
        const bool control = *u < 0x20 || *u == 0x7f || (len == 2 && *u == 0xc2 && u[1] < 0xa0);
        if (len == 0 || control) {
            buf[k++] = '?';
            u += len ? len : 1;
        } else if (k + (size_t)len < n) {
            memcpy(buf + k, u, (size_t)len);
            k += (size_t)len;
            u += len;
        } else {
            break;
        }
    }
    if (n) buf[k] = 0;
    return buf;
}

const char *rg_text_cell(char *buf, size_t n, const char *s)
{
    rg_text_clean(buf, n, s);
    for (char *p = buf; (p = strchr(p, '|'));) *p = '/';
    return buf;
}

void rg_text_escape(FILE *f, const char *text)
{
    const size_t n = strlen(text) + 1;
    char stack[512], *buf = n <= sizeof stack ? stack : malloc(n);
    if (!buf) return;
    rg_text_clean(buf, n, text);
    for (const char *p = buf; *p; p++) {
        switch (*p) {
        case '&':
            fputs("&amp;", f);
            break;
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        case '\'':
            fputs("&#39;", f);
            break;
        default:
            fputc(*p, f);
        }
    }
    if (buf != stack) free(buf);
}

json_t *rg_json_text(const char *s)
{
    if (!s) return json_null();
    json_t *j = json_string(s);
    if (j) return j;
    const size_t n = strlen(s) + 1;
    char *buf = malloc(n);
    if (!buf) return NULL;
    j = json_string(rg_text_clean(buf, n, s));
    free(buf);
    return j;
}

json_t *rg_json_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static void put_cell(rg_table *t, const char *s)
{
    if (t->used == t->cap && !t->failed) {
        const size_t cap = t->cap ? 2 * t->cap : 128;
        char **c = realloc(t->cell, cap * sizeof *c);
        if (c) {
            t->cell = c;
            t->cap = cap;
        } else {
            t->failed = true;
        }
    }
    if (t->failed) return;
    char *copy = strdup(s);
    if (copy)
        t->cell[t->used++] = copy;
    else
        t->failed = true;
}

void rg_table_head(rg_table *t, ...)
{
    va_list ap;
    va_start(ap, t);
    for (const char *s; (s = va_arg(ap, const char *)) && t->cols < RG_TABLE_COLS; t->cols++) {
        t->right[t->cols] = *s == '>';
        put_cell(t, s + 1);
    }
    va_end(ap);
    t->rows = 1;
}

/* Short rows are filled with empty cells. */
void rg_table_row(rg_table *t, ...)
{
    va_list ap;
    bool ended = false;
    va_start(ap, t);
    for (int i = 0; i < t->cols; i++) {
        const char *s = ended ? NULL : va_arg(ap, const char *);
        ended = ended || !s;
        put_cell(t, s ? s : "");
    }
    va_end(ap);
    t->rows++;
}

void rg_table_head_n(rg_table *t, const char *const *titles, int n)
{
    for (int i = 0; i < n && t->cols < RG_TABLE_COLS; i++, t->cols++) {
        t->right[t->cols] = titles[i][0] == '>';
        put_cell(t, titles[i] + 1);
    }
    t->rows = 1;
}

void rg_table_row_n(rg_table *t, const char *const *cells, int n)
{
    for (int i = 0; i < t->cols; i++) put_cell(t, i < n ? cells[i] : "");
    t->rows++;
}

/* Columns a text takes: code points. */
static int columns(const char *s)
{
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void pad(FILE *f, char c, int n)
{
    for (; n > 0; n--) fputc(c, f);
}

void rg_table_print(FILE *f, const rg_table *t)
{
    int width[RG_TABLE_COLS] = {0};
    if (t->failed || t->cols == 0) return;
    for (size_t i = 0; i < t->used; i++) {
        const int c = (int)(i % (size_t)t->cols), w = columns(t->cell[i]);
        if (w > width[c]) width[c] = w;
    }
    for (int c = 0; c < t->cols; c++)
        if (width[c] < 3) width[c] = 3;
    for (int r = 0; r < t->rows; r++) {
        for (int c = 0; c < t->cols; c++) {
            const char *s = t->cell[(size_t)r * (size_t)t->cols + (size_t)c];
            fputs(c ? " | " : "| ", f);
            if (t->right[c]) pad(f, ' ', width[c] - columns(s));
            fputs(s, f);
            if (!t->right[c]) pad(f, ' ', width[c] - columns(s));
        }
        fputs(" |\n", f);
        for (int c = 0; r == 0 && c < t->cols; c++) {
            fputs("|", f);
            pad(f, '-', width[c] + 1);
            fputs(t->right[c] ? ":" : "-", f);
            if (c == t->cols - 1) fputs("|\n", f);
        }
    }
}

void rg_table_free(rg_table *t)
{
    for (size_t i = 0; i < t->used; i++) free(t->cell[i]);
    free(t->cell);
    *t = (rg_table){0};
}

void rg_lines_add(rg_lines *l, const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0) s = NULL;
    va_end(ap);
    char **more = s ? realloc(l->s, (size_t)(l->n + 1) * sizeof *more) : NULL;
    if (!more) {
        free(s);
        l->failed = true;
        return;
    }
    l->s = more;
    l->s[l->n++] = s;
}

void rg_lines_free(rg_lines *l)
{
    for (int i = 0; i < l->n; i++) free(l->s[i]);
    free(l->s);
    *l = (rg_lines){0};
}
