/* Rows of a table from values, each by the letter of its form. */
#ifndef RG_CELLS_H
#define RG_CELLS_H

#include "base/text.h"
#include "report/table.h"

/* A mean of counts: "5" where it is whole, "6.62" where not; NAN is "n/a". */
const char *rg_mean_text(char *buf, size_t n, double x);
#define RG_MEAN(x) rg_mean_text((char[32]){0}, 32, x)

typedef struct rg_cells {
    char text[RG_TABLE_COLS][192];
    int n;
} rg_cells;

/* A letter per value: s text, c foreign text; d int, l int64_t; of doubles: n rg_num, b rg_bytes, p
 * rg_percent, h percent with one digit and no sign, 0 to 9 so many digits. NAN is "n/a", NULL "". */
void rg_cells_add(rg_cells *c, const char *form, ...);
/* The row is added, and the cells are empty again. */
void rg_cells_end(rg_cells *c, rg_table *t);
/* A whole row in one call. */
void rg_table_line(rg_table *t, const char *form, ...);

#endif
