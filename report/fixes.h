/* What to fix next in a run: operators by the time they would save on their roofs, and options that make do
 * with fewer bytes or operations. Says nothing about noise: who shows it asks run.noisy first. */
#ifndef RG_FIXES_H
#define RG_FIXES_H

#include "report/runs.h"

enum { RG_MOST_FIXES = 2 * RG_SITE_COUNT };

typedef enum rg_standing { RG_UNKNOWN_ROOF, RG_BELOW_ROOF, RG_AT_ROOF, RG_ABOVE_ROOF } rg_standing;
/* Of a measured share of a roof: from 90 % it is at its roof, and above what prints as 100 % above. */
rg_standing rg_standing_of(double share);
/* The share of an operator or a phase of its roof: the document's, which may be silent above the whole. */
double rg_roof_share(double roof_fraction, double ideal_ns, double t_ns);
static inline double rg_op_share(const rg_doc_op *op)
{
    return rg_roof_share(op->roof_fraction, op->analytic.ideal_ns, op->t_ns);
}

/* An operator in a phase. */
typedef struct rg_fix {
    const rg_doc_op *op;   /* borrowed from the run */
    double recoverable_ns; /* in the phase: its time less its time on its roof */
    double worth;          /* tokens/s that the phase would gain by that; NAN: unknown */
    char why[80];          /* the cause, read off its numbers */
    char option[48];       /* that would help; "": none is known */
} rg_fix;

/* An option that takes bytes or operations from operators that are not above their roofs. */
typedef struct rg_saving {
    rg_phase phase;
    char option[48];
    char what[80];   /* what it changes */
    double share;    /* of the phase's time: the operators it helps */
    double saved_ns; /* analytic: by how much their times on the roofs fall, in the phase */
    double worth;    /* tokens/s that the phase would gain by that; NAN: unknown */
} rg_saving;
enum { RG_MOST_SAVINGS = 16 };

/* Operators of less than 3 % of their phase's time, and savings of less than 1 %, are left out. */
typedef struct rg_fixes {
    rg_fix below[RG_MOST_FIXES]; /* by recoverable time, most first */
    int n_below;
    const rg_doc_op *at[RG_MOST_FIXES], *above[RG_MOST_FIXES]; /* borrowed; by time */
    int n_at, n_above;
    rg_saving saving[RG_MOST_SAVINGS]; /* by saved time, most first */
    int n_savings;
} rg_fixes;

void rg_fixes_of(rg_fixes *f, const rg_run *r);

#endif
