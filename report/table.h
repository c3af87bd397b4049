/* Markdown tables, and text inside of XML and HTML. */
#ifndef RG_TABLE_H
#define RG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* Printable text escaped for element content and for attribute values in either quotes. */
void rg_text_escape(FILE *f, const char *s);

/* Columns that the first bytes of a text take: code points. */
int rg_text_columns(const char *s, int bytes);

/* A Markdown table, padded so that the raw text reads as a table too. */
enum { RG_TABLE_COLS = 32 };
typedef struct rg_table {
    char **cell; /* owns; row by row */
    int cols, rows;
    size_t used, cap;
    bool right[RG_TABLE_COLS];
    bool failed;
} rg_table;

/* Titles up to NULL; each begins with '<' or '>' for its alignment. */
void rg_table_head(rg_table *t, ...) __attribute__((sentinel));
void rg_table_row(rg_table *t, ...) __attribute__((sentinel));
/* The same from arrays. */
void rg_table_head_n(rg_table *t, const char *const *titles, int n);
void rg_table_row_n(rg_table *t, const char *const *cells, int n);
void rg_table_widths(int width[RG_TABLE_COLS], const rg_table *t);
void rg_table_print(FILE *f, const rg_table *t);
void rg_table_free(rg_table *t);
/* Prints and frees; *failed turns true without memory. */
void rg_table_end(FILE *f, rg_table *t, bool *failed);

/* How writing ended; failed: out of memory. */
rg_status rg_written(FILE *f, const char *what, bool failed, rg_err *err);

#endif
