/* Assertions over named numbers: `decode.mbu >= 0.8`, `decode.tokens_per_s >= 0.95 * baseline`. Every number
 * is a range, from the interval of a measurement, and the arithmetic carries ranges through: an assertion
 * holds, fails, or cannot be told. */
#ifndef RG_EXPR_H
#define RG_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct rg_range {
    double low, mid, high; /* NAN low and high: no interval, so the middle stands for all; NAN mid: unknown */
} rg_range;

typedef enum rg_outcome { RG_HOLDS, RG_FAILS, RG_NOISY, RG_UNKNOWN } rg_outcome;

/* Looks a name up; from_baseline: `baseline` (name is then the first metric of the assertion) or
 * `baseline.NAME`. Returns false if there is no such name. */
typedef bool rg_lookup(void *user, const char *name, bool from_baseline, rg_range *out);

typedef struct rg_judgement {
    rg_outcome outcome;
    rg_range left, right;
    bool single;      /* some number had no interval */
    char metric[96];  /* the first metric */
    char missing[96]; /* a name that was not found, or is unknown here; empty: none */
    bool no_such;     /* ... it was not found */
} rg_judgement;

/* assertion: sum OP sum, OP one of >= <= > < == !=; sums of products of numbers (also 5 %), names and
 * parentheses. lookup NULL: only the syntax is checked. RG_E_USAGE names the place. */
rg_status rg_expr_judge(rg_judgement *out, const char *assertion, rg_lookup *lookup, void *user, rg_err *err);

#endif
