/* The log of records: a full one counts what it dropped. */
#include "ops/rec.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

const char *const rg_phase_names[RG_PHASE_COUNT] = {[RG_PREFILL] = "prefill", [RG_DECODE] = "decode"};

int rg_log_open(rg_log *log, size_t steps, size_t ops_per_step)
{
    size_t n;
    *log = (rg_log){0};
    if (__builtin_mul_overflow(steps, ops_per_step, &n)) return -1;
    log->rec = calloc(n ? n : 1, sizeof *log->rec);
    log->step = calloc(steps ? steps : 1, sizeof *log->step);
    if (!log->rec || !log->step) {
        rg_log_close(log);
        return -1;
    }
    log->cap = n;
    log->cap_steps = steps;
    return 0;
}

int rg_log_open_spans(rg_log *log, int threads)
{
    size_t n;
    if (threads < 1 || __builtin_mul_overflow(log->cap, (size_t)threads, &n)) return -1;
    log->span = calloc(n ? n : 1, sizeof *log->span);
    log->threads = threads;
    return log->span ? 0 : -1;
}

void rg_log_touch(rg_log *log)
{
    memset(log->rec, 0, log->cap * sizeof *log->rec);
    memset(log->step, 0, log->cap_steps * sizeof *log->step);
    if (log->span) memset(log->span, 0, log->cap * (size_t)log->threads * sizeof *log->span);
    log->n = log->n_steps = 0;
}

void rg_log_clear(rg_log *log) { log->n = log->n_steps = log->dropped = 0; }

void rg_log_close(rg_log *log)
{
    free(log->rec);
    free(log->step);
    free(log->span);
    *log = (rg_log){0};
}

int rg_log_append(rg_log *to, const rg_log *from)
{
    const size_t n = to->n + from->n, n_steps = to->n_steps + from->n_steps;
    if (!rg_grow(&to->rec, &to->cap, n, sizeof *to->rec) ||
        !rg_grow(&to->step, &to->cap_steps, n_steps, sizeof *to->step))
        return -1;
    for (size_t i = 0; i < from->n; i++) {
        to->rec[to->n + i] = from->rec[i];
        to->rec[to->n + i].step += (uint32_t)to->n_steps;
    }
    for (size_t i = 0; i < from->n_steps; i++) to->step[to->n_steps + i] = from->step[i];
    to->n = n;
    to->n_steps = n_steps;
    to->dropped += from->dropped;
    return 0;
}
