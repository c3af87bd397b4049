/* Counters behind the probe interface: hardware events where there are any, else the kernel's software
 * events, else a reason.
 *
 * Event sets belong to threads: each thread of the team opens its own once (all groups), starts one, and
 * reads it where operators or layers meet. Groups of events that do not fit the counters together take turns
 * from call to call. */
#ifndef RG_COUNTERS_H
#define RG_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "ops/probe.h"
#include "roofline/measure/host.h"

/* AUTO is not a way to read: rg_counters_choose turns it into one of the others. */
typedef enum rg_counters_mode {
    RG_COUNTERS_AUTO,
    RG_COUNTERS_OFF,
    RG_COUNTERS_LAYER,
    RG_COUNTERS_OP
} rg_counters_mode;
extern const char *const rg_counters_modes[]; /* "auto", "off", "layer", "op", NULL */

typedef struct rg_counters rg_counters;

/* Something that hardware or the kernel may tell, whether or not it does here. */
typedef struct rg_metric {
    const char *name;   /* static */
    const char *source; /* "pmu", "software", "uncore", "rapl"; static */
    int ctr;            /* index in the records' counters; -1: not available, or not in records */
    int group;          /* turn in which it is counted */
    bool available;
    char events[320]; /* what it is made of, "" if not available */
    char reason[240]; /* why it is not available; "" if it is */
    char remedy[200];
} rg_metric;
enum { RG_MAX_METRICS = 16 };

/* host: what the kernel says of counting here (rg_host_here). Never fails for want of counters: then
 * rg_counters_probe is NULL and the reason says why. Call on the thread that will be thread 0 of the team,
 * before the others open their sets. */
rg_status rg_counters_open(
    rg_counters **out, rg_counters_mode mode, int threads, const rg_host *host, rg_err *err);
void rg_counters_close(rg_counters *c); /* legal on NULL */

/* Decides AUTO: at every operator if the reads cost less than RG_COUNTERS_LIMIT of a step, else at layers,
 * else not at all; the probe is set up accordingly. step_ns: a forward call without counters. *share: the
 * reads' part of a step, as predicted (of what was chosen, or of layers when even that is too dear). */
#define RG_COUNTERS_LIMIT 0.03
rg_counters_mode rg_counters_choose(
    rg_counters *c, double reads_by_op, double reads_by_layer, double step_ns, double *share);
/* Lets the next repetition begin with another group, so that the same call is seen by all of them. Outside
 * parallel regions. */
void rg_counters_turn(rg_counters *c);
/* After threads have opened and counted: true if every one could. False: why and what would help; the counts
 * are short and must go. */
bool rg_counters_sound(rg_counters *c, char *why, size_t n);

const rg_probe *rg_counters_probe(const rg_counters *c); /* NULL if off; borrowed until close */
const char *rg_counters_status(const rg_counters *c);    /* "hardware", "software", "off" */
/* why there are no hardware events, and what would help; NULL if there are */
const char *rg_counters_reason(const rg_counters *c);
const char *rg_counters_name(const rg_counters *c, int i); /* name of counter i */
int rg_counters_groups(const rg_counters *c);
/* cost of one read on this thread, median, of the dearest group; 0 if off */
double rg_counters_read_ns(const rg_counters *c);
/* All metrics, available or not; borrowed until close. */
const rg_metric *rg_counters_metrics(const rg_counters *c, int *n);
/* "7.0.0" and what it knows of this CPU, into buf; NULL: built without PAPI. */
const char *rg_counters_library(char *buf, size_t n);

#endif
