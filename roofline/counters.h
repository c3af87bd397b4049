/* PAPI counters behind the probe interface. The only implementation file that knows PAPI is papi.c. */
#ifndef RG_COUNTERS_H
#define RG_COUNTERS_H

#include <stddef.h>

#include "base/status.h"
#include "ops/probe.h"

typedef enum rg_counters_mode { RG_COUNTERS_AUTO, RG_COUNTERS_OFF, RG_COUNTERS_OP } rg_counters_mode;

typedef struct rg_counters rg_counters;

/* Tries hardware events by add + start + read (never by query), then the software events TASK-CLOCK and PAGE-FAULTS. Never fails for want
 * of counters: then rg_counters_probe is NULL and the reason says why. Call before the team's threads open their sets. */
rg_status rg_counters_open(rg_counters **out, rg_counters_mode mode, int threads, rg_err *err);
void rg_counters_close(rg_counters *c);

const rg_probe *rg_counters_probe(const rg_counters *c);   /* NULL if off; borrowed until close */
const char *rg_counters_status(const rg_counters *c);      /* "hardware", "software", "off" */
const char *rg_counters_reason(const rg_counters *c);      /* why there are no hardware events, and what would help; NULL if there are */
const char *rg_counters_name(const rg_counters *c, int i); /* name of counter i */
/* "7.0.0" and what it knows of this CPU, into buf; NULL: built without PAPI. */
const char *rg_counters_library(char *buf, size_t n);
double rg_counters_read_ns(const rg_counters *c); /* cost of one read on this thread, measured at open; 0 if off */

#endif
