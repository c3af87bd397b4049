/* A run as a picture of time: Chrome's trace-event JSON, which Perfetto and chrome://tracing open. A process
 * per run; per thread of the team the forward calls (thread 0), layers, operators and the waits at their ends
 * as nested slices; counter tracks for bandwidth and arithmetic. */
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
/* One run: its log with spans. The calls of each phase keep their own times from its first call on; phases
 * are put one after another, because each comes from the repetition with its median time. */
void rg_trace_run(rg_trace *t, const rg_log *log, const char *name);
rg_status rg_trace_end(rg_trace *t, rg_err *err);

#endif
