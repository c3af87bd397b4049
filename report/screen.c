/* Decides width and colour of a terminal; wraps sentences and sets tables for it. */
#include "report/screen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LEAST = 40, MOST = 100 };

static int columns_of(FILE *f)
{
    const char *said = getenv("COLUMNS");
    struct winsize w;
    const long n = said ? strtol(said, NULL, 10) : 0;
    if (n > 0) return n < LEAST ? LEAST : n > MOST ? MOST : (int)n;
    if (ioctl(fileno(f), TIOCGWINSZ, &w) != 0 || w.ws_col == 0) return MOST;
    return w.ws_col < LEAST ? LEAST : w.ws_col > MOST ? MOST : w.ws_col;
}

static bool has_colour(FILE *f)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return (!no || !*no) && term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(f)) == 1;
}

rg_screen rg_screen_of(FILE *f, bool wide)
{
    return (rg_screen){.f = f, .width = columns_of(f), .wide = wide, .colour = has_colour(f)};
}

static void begin(const rg_screen *s, rg_ink ink)
{
    static const char *const code[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};
    if (s->colour) fputs(code[ink], s->f);
}

static void end(const rg_screen *s, rg_ink ink)
{
    if (s->colour && ink != RG_INK_PLAIN) fputs("\033[0m", s->f);
}

void rg_screen_put(const rg_screen *s, rg_ink ink, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    begin(s, ink);
    vfprintf(s->f, fmt, ap);
    end(s, ink);
    va_end(ap);
}

void rg_screen_wrap(const rg_screen *s, rg_ink ink, int at, int indent, const char *text)
{
    bool first = true;
    begin(s, ink);
    for (text += strspn(text, " "); *text; first = false) {
        const int len = (int)strcspn(text, " "), n = rg_text_columns(text, len);
        if (!first && at + 1 + n > s->width) {
            fprintf(s->f, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            fputc(' ', s->f);
            at++;
        }
        fprintf(s->f, "%.*s", len, text);
        at += n;
        text += len + strspn(text + len, " ");
    }
    end(s, ink);
    fputc('\n', s->f);
}

void rg_screen_say(const rg_screen *s, rg_ink ink, int indent, const char *fmt, ...)
{
    char text[2000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(s->f, "%*s", indent, "");
    rg_screen_wrap(s, ink, indent, indent, text);
}

int rg_screen_table(const rg_screen *s, int indent, rg_table *t, bool *failed)
{
    int width[RG_TABLE_COLS], cols = 0, at = indent;
    rg_table_widths(width, t);
    for (; cols < t->cols; cols++) {
        at += width[cols] + (cols ? 2 : 0);
        if (at > s->width && cols && !s->wide) break;
    }
    for (int r = 0; r < t->rows && !t->failed; r++) {
        int owed = indent; /* blanks, printed before the next cell that is not empty */
        if (r == 0) begin(s, RG_INK_DIM);
        for (int c = 0; c < cols; c++) {
            const char *cell = t->cell[r * t->cols + c];
            const int rest = width[c] - rg_text_columns(cell, (int)strlen(cell));
            if (c) owed += 2;
            if (*cell) {
                fprintf(s->f, "%*s%s", owed + (t->right[c] ? rest : 0), "", cell);
                owed = t->right[c] ? 0 : rest;
            } else {
                owed += rest;
            }
        }
        if (r == 0) end(s, RG_INK_DIM);
        fputc('\n', s->f);
    }
    const int gone = t->cols - cols;
    *failed = *failed || t->failed;
    rg_table_free(t);
    return gone;
}
