/* Assertions over named numbers: `decode.mbu >= 0.8`, `decode.tokens_per_s >= 0.95 * baseline`. Numbers are
 * ranges, from the intervals of measurements; an assertion holds, fails, or cannot be told. */
#ifndef RG_EXPR_H
#define RG_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct rg_range {
    double low, mid, high; /* NAN low and high: no interval; NAN mid: unknown */
} rg_range;

typedef enum rg_outcome { RG_HOLDS, RG_FAILS, RG_NOISY, RG_UNKNOWN } rg_outcome;

/* from_baseline: `baseline` (name: the first metric of the assertion) or `baseline.NAME`. false: no such
 * name. */
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
 * parentheses. lookup NULL: checks the syntax alone. */
rg_status rg_expr_judge(rg_judgement *out, const char *assertion, rg_lookup *lookup, void *user, rg_err *err);

#endif
