/* Markdown tables, and text inside of XML and HTML. */
#include "report/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void rg_text_escape(FILE *f, const char *text)
{
    static const struct {
        char c;
        const char *as;
    } special[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    const size_t n = strlen(text) + 1;
    char stack[512], *buf = n <= sizeof stack ? stack : malloc(n);
    if (!buf) return;
    rg_text_clean(buf, n, text);
    for (const char *p = buf; *p; p++) {
        size_t i = 0;
        while (i < sizeof special / sizeof *special && special[i].c != *p) i++;
        if (i < sizeof special / sizeof *special)
            fputs(special[i].as, f);
        else
            fputc(*p, f);
    }
    if (buf != stack) free(buf);
}

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

int rg_text_columns(const char *s, int bytes)
{
    int n = 0;
    for (int i = 0; i < bytes && s[i]; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

static int columns(const char *s) { return rg_text_columns(s, (int)strlen(s)); }

static void pad(FILE *f, char c, int n)
{
    for (; n > 0; n--) fputc(c, f);
}

void rg_table_widths(int width[RG_TABLE_COLS], const rg_table *t)
{
    memset(width, 0, RG_TABLE_COLS * sizeof *width);
    for (size_t i = 0; i < t->used; i++) {
        const int c = (int)(i % t->cols), w = columns(t->cell[i]);
        if (w > width[c]) width[c] = w;
    }
}

void rg_table_print(FILE *f, const rg_table *t)
{
    int width[RG_TABLE_COLS];
    if (t->failed || t->cols == 0) return;
    rg_table_widths(width, t);
    for (int c = 0; c < t->cols; c++)
        if (width[c] < 3) width[c] = 3;
    for (int r = 0; r < t->rows; r++) {
        for (int c = 0; c < t->cols; c++) {
            const char *s = t->cell[r * t->cols + c];
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

void rg_table_end(FILE *f, rg_table *t, bool *failed)
{
    rg_table_print(f, t);
    *failed = *failed || t->failed;
    rg_table_free(t);
}

rg_status rg_written(FILE *f, const char *what, bool failed, rg_err *err)
{
    if (failed) return rg_no_memory(err, what);
    return ferror(f) ? rg_fail(err, RG_E_FILE, "%s: cannot write: %s", what, strerror(errno)) : RG_OK;
}
