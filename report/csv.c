/* Figures as values of CSV and SQL. */
#include "report/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void quoted(FILE *f, const char *s, char quote)
{
    fputc(quote, f);
    for (const char *p = RG_CLEAN(1024, s); *p; p++) {
        if (*p == quote) fputc(quote, f);
        fputc(*p, f);
    }
    fputc(quote, f);
}

/* Unknown values are `unknown`. */
static void plain(FILE *f, const rg_leaf *l, const void *row, char quote, const char *unknown)
{
    const void *at = rg_leaf_value(l, row);
    json_t *v = rg_fig_null(l->fig, at) ? NULL : rg_fig_json(l->fig, at, 10);
    if (!v)
        fputs(unknown, f);
    else if (json_is_string(v))
        quoted(f, json_string_value(v), quote);
    else if (json_is_boolean(v))
        fputc(json_is_true(v) ? '1' : '0', f);
    else
        fprintf(f, json_is_integer(v) ? "%.0f" : "%.10g", json_number_value(v));
    json_decref(v);
}

static void name(FILE *f, const rg_leaf *l)
{
    for (const char *p = l->key; *p; p++) fputc(*p == '.' ? '_' : *p, f);
}

void rg_csv_head(FILE *f, const rg_leaf *leaf, int n)
{
    for (int i = 0; i < n; i++) {
        if (i) fputc(',', f);
        name(f, &leaf[i]);
    }
}

void rg_csv_row(FILE *f, const rg_leaf *leaf, int n, const void *row)
{
    for (int i = 0; i < n; i++) {
        if (i) fputc(',', f);
        plain(f, &leaf[i], row, '"', "");
    }
}

void rg_csv_text(FILE *f, const char *s)
{
    if (s) quoted(f, s, '"');
}

void rg_sql_table(FILE *f, const char *table, const rg_leaf *leaf, int n)
{
    fprintf(f, "CREATE TABLE IF NOT EXISTS %s (\n", table);
    for (int i = 0; i < n; i++) {
        fputs("  ", f);
        name(f, &leaf[i]);
        fprintf(f, " %s%s\n", rg_fig_sql(leaf[i].fig), i + 1 < n ? "," : "");
    }
    fputs(");\n", f);
}

void rg_sql_row(FILE *f, const char *table, const rg_leaf *leaf, int n, const void *row)
{
    fprintf(f, "INSERT INTO %s (", table);
    for (int i = 0; i < n; i++) {
        if (i) fputs(", ", f);
        name(f, &leaf[i]);
    }
    fputs(") VALUES (", f);
    for (int i = 0; i < n; i++) {
        if (i) fputs(", ", f);
        plain(f, &leaf[i], row, '\'', "NULL");
    }
    fputs(");\n", f);
}
