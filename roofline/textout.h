/* Numbers, tables and lines of text as the reports print them. Unknown numbers are NAN inside, "n/a" for
 * people, empty in CSV, null in JSON. */
#ifndef RG_TEXTOUT_H
#define RG_TEXTOUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Each writes into buf and returns it. */
/* 3 significant digits, no exponent where people read without */
const char *rg_num(char *buf, size_t n, double x);
const char *rg_bytes(char *buf, size_t n, double bytes);      /* "5.50 MiB" */
const char *rg_time(char *buf, size_t n, double ns);          /* "12.3 ms" */
const char *rg_percent(char *buf, size_t n, double fraction); /* "42.0 %" */

/* Printable copy of foreign text: control characters and bytes that are not UTF-8 become '?'. */
const char *rg_text_clean(char *buf, size_t n, const char *s);
/* The same with '|' replaced, for a table cell or a heading. */
const char *rg_text_cell(char *buf, size_t n, const char *s);

/* The same escaped for XML and HTML, for element content and for attribute values in either quotes. */
void rg_text_escape(FILE *f, const char *s);

/* A string or number that jansson takes whatever it is: bad UTF-8 is replaced, NULL and NAN become null. */
json_t *rg_json_text(const char *s);
json_t *rg_json_real(double x);

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
void rg_table_print(FILE *f, const rg_table *t);
void rg_table_free(rg_table *t);

/* A list of sentences. */
typedef struct rg_lines {
    char **s; /* owns */
    int n;
    bool failed;
} rg_lines;
void rg_lines_add(rg_lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rg_lines_free(rg_lines *l);

#endif
