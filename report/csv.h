/* Rows of figures as CSV and SQL. Names are the keys with '_' between nested ones. */
#ifndef RG_CSV_H
#define RG_CSV_H

#include "report/figures.h"

/* Names, or values of a row, with commas between; no newline. */
void rg_csv_head(FILE *f, const rg_leaf *leaf, int n);
void rg_csv_row(FILE *f, const rg_leaf *leaf, int n, const void *row);
/* One quoted text; NULL: nothing. */
void rg_csv_text(FILE *f, const char *s);

/* A table of that name, and a row inserted into it. */
void rg_sql_table(FILE *f, const char *table, const rg_leaf *leaf, int n);
void rg_sql_row(FILE *f, const char *table, const rg_leaf *leaf, int n, const void *row);

#endif
