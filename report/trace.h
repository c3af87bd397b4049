/* Chrome's trace-event JSON. A process per run; per thread calls (thread 0), layers, operators and waits as
 * nested slices; counter tracks for bandwidth and arithmetic. */
#ifndef RG_TRACE_H
#define RG_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "ops/rec.h"

/* Writes to f, which the caller owns. Events beyond max_events are dropped by whole forward calls, and
 * counted. */
typedef struct rg_trace {
    FILE *f;
    int64_t max_events, events, dropped_events, dropped_calls;
    int runs;
    bool any; /* something was written: a comma comes first */
} rg_trace;

void rg_trace_begin(rg_trace *t, FILE *f, int64_t max_events);
/* One run: its log with spans. Phases come from different repetitions and are put one after another. */
void rg_trace_run(rg_trace *t, const rg_log *log, const char *name);
rg_status rg_trace_end(rg_trace *t, rg_err *err);

#endif
