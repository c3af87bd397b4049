/* Values become cells, and cells a row. */
#include "report/cells.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>

#include "base/text.h"

static void number(char *buf, size_t n, char form, double x)
{
    if (form == 'n')
        rg_num(buf, n, x);
    else if (form == 'b')
        rg_bytes(buf, n, x);
    else if (form == 'p')
        rg_percent(buf, n, x);
    else if (!isfinite(x))
        snprintf(buf, n, "n/a");
    else
        snprintf(buf, n, "%.*f", form == 'h' ? 1 : form - '0', form == 'h' ? 100.0 * x : x);
}

static void add(rg_cells *c, const char *form, va_list ap)
{
    for (; *form && c->n < RG_TABLE_COLS; form++) {
        char *buf = c->text[c->n++];
        const size_t n = sizeof c->text[0];
        if (*form == 's' || *form == 'c') {
            const char *s = va_arg(ap, const char *);
            *form == 'c' && s ? (void)rg_text_cell(buf, n, s) : (void)snprintf(buf, n, "%s", s ? s : "");
        } else if (*form == 'd') {
            snprintf(buf, n, "%d", va_arg(ap, int));
        } else if (*form == 'l') {
            snprintf(buf, n, "%lld", (long long)va_arg(ap, int64_t));
        } else {
            number(buf, n, *form, va_arg(ap, double));
        }
    }
}

void rg_cells_add(rg_cells *c, const char *form, ...)
{
    va_list ap;
    va_start(ap, form);
    add(c, form, ap);
    va_end(ap);
}

void rg_cells_end(rg_cells *c, rg_table *t)
{
    const char *text[RG_TABLE_COLS];
    for (int i = 0; i < c->n; i++) text[i] = c->text[i];
    rg_table_row_n(t, text, c->n);
    c->n = 0;
}

void rg_table_line(rg_table *t, const char *form, ...)
{
    va_list ap;
    rg_cells c = {.n = 0};
    va_start(ap, form);
    add(&c, form, ap);
    va_end(ap);
    rg_cells_end(&c, t);
}

const char *rg_mean_text(char *buf, size_t n, double x)
{
    return fabs(x) < 1e15 && fabs(x - round(x)) < 1e-9 ? rg_text(buf, n, "%.0f", x) : rg_num(buf, n, x);
}
