/* Counters behind the probe interface: hardware events, else the kernel's software events, else a reason.
 *
 * Each thread of the team opens its own event sets once (all groups), starts one and reads it where operators
 * or layers meet. Groups that do not fit together take turns from call to call. */
#ifndef RG_COUNTERS_H
#define RG_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "ops/probe.h"
#include "roofline/measure/host.h"

/* AUTO is resolved by rg_counters_choose. */
typedef enum rg_counters_mode {
    RG_COUNTERS_AUTO,
    RG_COUNTERS_OFF,
    RG_COUNTERS_LAYER,
    RG_COUNTERS_OP
} rg_counters_mode;
extern const char *const rg_counters_modes[]; /* "auto", "off", "layer", "op", NULL */

typedef struct rg_counters rg_counters;

/* Something that hardware or the kernel may tell, here or not. */
typedef struct rg_metric {
    const char *name;   /* static */
    const char *source; /* "pmu", "software", "uncore", "rapl"; static */
    int ctr;            /* in the records' counters; -1: not available, or not in records */
    int group;          /* turn in which it is counted */
    bool available;
    char events[320]; /* what it is made of, "" if not available */
    char reason[240]; /* why it is not available; "" if it is */
    char remedy[200];
} rg_metric;
enum { RG_MAX_METRICS = 16 };
void rg_metric_lacks(rg_metric *m, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Call on thread 0 of the team-to-be, before the others open their sets. host: of rg_host_here. Counters may
 * be missing: then rg_counters_probe is NULL and the reason says why. */
rg_status rg_counters_open(
    rg_counters **out, rg_counters_mode mode, int threads, const rg_host *host, rg_err *err);
void rg_counters_close(rg_counters *c); /* legal on NULL */

/* Decides AUTO and sets the probe up: at every operator if the reads cost less than RG_COUNTERS_LIMIT of a
 * step, else at layers, else off. step_ns: a forward call without counters. *share: predicted part of a step
 * that goes into reads (as chosen, or of layers when even they are too dear). */
#define RG_COUNTERS_LIMIT 0.03
rg_counters_mode rg_counters_choose(
    rg_counters *c, double reads_by_op, double reads_by_layer, double step_ns, double *share);
/* Turns the groups, so that over repetitions all see the same call. Outside parallel regions. */
void rg_counters_turn(rg_counters *c);
/* After counting: true if every thread could. False: why, and what would help; the counts are short and must
 * go. */
bool rg_counters_sound(rg_counters *c, char *why, size_t n);

const rg_probe *rg_counters_probe(const rg_counters *c); /* NULL if off; borrowed until close */
const char *rg_counters_status(const rg_counters *c);    /* "hardware", "software", "off" */
/* why there are no hardware events, and what would help; else NULL */
const char *rg_counters_reason(const rg_counters *c);
const char *rg_counters_name(const rg_counters *c, int i); /* name of counter i */
int rg_counters_groups(const rg_counters *c);
/* one read on this thread, median, dearest group; 0 if off */
double rg_counters_read_ns(const rg_counters *c);
/* All metrics, available or not; borrowed until close. */
const rg_metric *rg_counters_metrics(const rg_counters *c, int *n);
/* "7.0.0" and what PAPI knows of this CPU, into buf; NULL: built without it. */
const char *rg_counters_library(char *buf, size_t n);

#endif
