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

/* printf into buf, which is returned. */
const char *rg_text(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same behind what buf holds, as far as it fits. */
void rg_text_add(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Whether word is one of those in list, with single blanks between. */
bool rg_word_in(const char *list, const char *word);

/* "2026-01-31T12:00:00Z", UTC; "" for 0 */
const char *rg_stamp(char *buf, size_t n, time_t t);

/* Printable copy of foreign text: control characters and bytes that are not UTF-8 become '?'. */
const char *rg_text_clean(char *buf, size_t n, const char *s);
/* The same with '|' replaced, for a table cell or a heading. */
const char *rg_text_cell(char *buf, size_t n, const char *s);

/* The same without a buffer: the text lives as long as the block it stands in. n: its size with the end. */
#define RG_NUM(x) rg_num((char[32]){0}, 32, x)
#define RG_BYTES(x) rg_bytes((char[32]){0}, 32, x)
#define RG_TIME(x) rg_time((char[32]){0}, 32, x)
#define RG_PERCENT(x) rg_percent((char[32]){0}, 32, x)
#define RG_CLEAN(n, s) rg_text_clean((char[n]){0}, n, s)
#define RG_CELL(n, s) rg_text_cell((char[n]){0}, n, s)
#define RG_TEXT(n, ...) rg_text((char[n]){0}, n, __VA_ARGS__)

/* A list of sentences; failed: one was lost for want of memory. */
typedef struct rg_lines {
    char **s; /* owns */
    int n;
    bool failed;
} rg_lines;
void rg_lines_add(rg_lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rg_lines_free(rg_lines *l);

#endif
