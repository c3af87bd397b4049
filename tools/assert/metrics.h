/* The numbers of a report by name, from its JSON: of a run just made or of a saved one. */
#ifndef RG_METRICS_H
#define RG_METRICS_H

#include <jansson.h>
#include <stdio.h>

#include "base/status.h"
#include "tools/assert/expr.h"
#include "tools/cli/cli.h"

typedef struct rg_judged {
    char name[96];
    rg_range value;
    bool measured; /* not counted or computed: what disturbs a run disturbs it */
} rg_judged;

/* What a report is about: a run of profile, a setting of bench, a variant of compare, an eval. */
typedef struct rg_subject {
    char name[192];
    rg_judged *m; /* owns */
    int n;
    char noise[256];              /* by what the run was disturbed; "": quiet, or not known */
    double canary_fma, canary_l2; /* NAN: not sampled */
} rg_subject;

typedef struct rg_subjects {
    rg_subject *s; /* owns */
    int n;
} rg_subjects;

/* Fills s (zeroed) from a report of profile, bench, compare or eval. where: named in errors. */
rg_status rg_subjects_of(rg_subjects *s, const json_t *report, const char *where, rg_err *err);
void rg_subjects_free(rg_subjects *s);
const rg_judged *rg_metric_find(const rg_subject *s, const char *name);
/* The names that the report of a command can have; those of a test of bench (TEST.FIELD) are named under
 * "TEST". */
typedef void rg_metric_fn(void *user, const char *name);
void rg_metrics_each(rg_command_id command, rg_metric_fn *fn, void *user);
/* A test of bench as a name: "tg128 x8 @ d64" is tg128x8@d64. */
void rg_metric_test(char *buf, size_t n, const char *test);
/* The list for people (metrics.def). */
void rg_metrics_help(FILE *f);

#endif
