/* Numbers, foreign text and sentences, for messages and reports. Unknown numbers are NAN inside, "n/a"
 * outside. */
#ifndef RG_TEXT_H
#define RG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* Each writes into buf and returns it. */
/* 3 significant digits, no exponent where people read without */
const char *rg_num(char *buf, size_t n, double x);
const char *rg_bytes(char *buf, size_t n, double bytes);      /* "5.50 MiB" */
const char *rg_time(char *buf, size_t n, double ns);          /* "12.3 ms" */
const char *rg_percent(char *buf, size_t n, double fraction); /* "42.0 %" */

/* "2026-01-31T12:00:00Z", UTC; "" for 0 */
const char *rg_stamp(char *buf, size_t n, time_t t);

/* Printable copy of foreign text: control characters and bytes that are not UTF-8 become '?'. */
const char *rg_text_clean(char *buf, size_t n, const char *s);
/* The same with '|' replaced, for a table cell or a heading. */
const char *rg_text_cell(char *buf, size_t n, const char *s);

/* A list of sentences; failed: one was lost for want of memory. */
typedef struct rg_lines {
    char **s; /* owns */
    int n;
    bool failed;
} rg_lines;
void rg_lines_add(rg_lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rg_lines_free(rg_lines *l);

#endif
