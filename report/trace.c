/* The trace of a run for Chrome and Perfetto: calls, layers, operators and waits as slices. */
#include "report/trace.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "report/join.h"
#include "report/table.h"
#include "roofline/measure/json_value.h"

void rg_trace_begin(rg_trace *t, FILE *f, int64_t max_events)
{
    *t = (rg_trace){.f = f, .max_events = max_events};
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", f);
}

static void start_event(rg_trace *t)
{
    fputs(t->any ? ",\n" : "\n", t->f);
    t->any = true;
    t->events++;
}

/* Text of ours, or cleaned of what JSON does not take. */
static void put_text(FILE *f, const char *s)
{
    json_t *j = rg_json_text(s);
    char *quoted = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
    fputs(quoted ? quoted : "\"?\"", f);
    free(quoted);
    json_decref(j);
}

static void name_of(rg_trace *t, int tid, const char *what, const char *name)
{
    start_event(t);
    fprintf(
        t->f, "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\",\"args\":{\"name\":", t->runs, tid, what);
    put_text(t->f, name);
    fputs("}}", t->f);
}

/* Times in the file are microseconds; three decimals keep the nanoseconds. */
#define US "%" PRIu64 ".%03u"
#define US_OF(ns) (ns) / 1000, (unsigned)((ns) % 1000)

/* Opens a complete slice; the caller adds args and the closing braces. */
static void slice(rg_trace *t, int tid, uint64_t begin, uint64_t end)
{
    start_event(t);
    fprintf(t->f, "{\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"ts\":" US ",\"dur\":" US ",", t->runs, tid,
        US_OF(begin), US_OF(end - begin));
}

static void counters(rg_trace *t, uint64_t at, double gbps, double gflops)
{
    start_event(t);
    fprintf(t->f, "{\"ph\":\"C\",\"pid\":%d,\"ts\":" US ",\"name\":\"GB/s\",\"args\":{\"counted\":%.4g}}",
        t->runs, US_OF(at), gbps);
    start_event(t);
    fprintf(t->f, "{\"ph\":\"C\",\"pid\":%d,\"ts\":" US ",\"name\":\"GFLOP/s\",\"args\":{\"useful\":%.4g}}",
        t->runs, US_OF(at), gflops);
}

static void operator_slices(rg_trace *t, const rg_log *log, size_t i, int64_t shift)
{
    const rg_rec *r = &log->rec[i];
    const rg_tally a = rg_cost(rg_site_op(r->site), &r->dims, r->wtype, r->kv_k, r->kv_v);
    for (int tid = 0; tid < log->threads; tid++) {
        const rg_span *s = &log->span[i * log->threads + tid];
        const uint64_t begin = s->begin_ns + shift, end = s->end_ns + shift;
        slice(t, tid, begin, end);
        fprintf(t->f, "\"cat\":\"operator\",\"name\":\"%s\",\"args\":{\"layer\":%d,\"wait_ns\":%" PRIu64,
            rg_site_name(r->site), r->layer, s->wait_ns);
        if (tid == 0)
            fprintf(t->f,
                ",\"kernel\":\"%s\",\"isa\":\"%s\",\"tokens\":%" PRId64 ",\"counted_bytes\":%" PRIu64
                ",\"flop\":%" PRIu64,
                rg_kernel_kinds[r->kernel], rg_isa_names[r->isa], r->dims.m, rg_tally_bytes(&r->tally),
                a.flop);
        fputs("}}", t->f);
        if (s->tail_ns == 0) continue;
        slice(t, tid, end - s->tail_ns, end);
        fputs("\"cat\":\"wait\",\"name\":\"barrier\"}", t->f);
    }
    const rg_span *first = &log->span[i * log->threads]; /* this call's own time, not the median */
    const double ns = (double)rg_max(1, first->end_ns - first->begin_ns);
    counters(t, first->begin_ns + shift, (double)rg_tally_bytes(&r->tally) / ns, (double)a.flop / ns);
}

/* Events that a call of n operators takes at most. */
static int64_t call_events(const rg_log *log, size_t n)
{
    return (int64_t)n * (2 * log->threads + 2) + (int64_t)n * log->threads + 3;
}

/* Records [i, end) of one layer (or outside of layers), as one slice per thread around them. */
static void layer_slices(rg_trace *t, const rg_log *log, size_t i, size_t end, int64_t shift)
{
    for (int tid = 0; tid < log->threads && log->rec[i].layer >= 0; tid++) {
        const rg_span *a = &log->span[i * log->threads + tid],
                      *b = &log->span[(end - 1) * log->threads + tid];
        slice(t, tid, a->begin_ns + shift, b->end_ns + shift);
        fprintf(t->f, "\"cat\":\"layer\",\"name\":\"layer %d\"}", log->rec[i].layer);
    }
}

void rg_trace_run(rg_trace *t, const rg_log *log, const char *name)
{
    int64_t shift = 0;
    uint64_t last_end = 0;
    int last_phase = -1;
    t->runs++;
    if (!log->span) return;
    name_of(t, 0, "process_name", name);
    for (int tid = 0; tid < log->threads; tid++) {
        name_of(t, tid, "thread_name", RG_TEXT(64, tid ? "thread %d" : "thread %d (main)", tid));
    }
    size_t i = 0;
    for (size_t k = 0; k < log->n_steps; k++) {
        const rg_step *s = &log->step[k];
        size_t end = i;
        while (end < log->n && log->rec[end].step == k) end++;
        if (s->phase != last_phase) shift = (int64_t)(last_end + 1000) - (int64_t)s->start_ns;
        last_phase = s->phase;
        last_end = s->start_ns + shift + (s->wall_ns ? s->wall_ns : s->t_ns);
        const int64_t need = call_events(log, end - i);
        if (t->events + need > t->max_events) {
            t->dropped_calls++;
            t->dropped_events += need;
            i = end;
            continue;
        }
        slice(t, 0, s->start_ns + shift, last_end);
        fprintf(t->f,
            "\"cat\":\"call\",\"name\":\"%s\",\"args\":{\"tokens\":%" PRId64 ",\"context\":%" PRId64 "}}",
            rg_phase_names[s->phase], s->tokens, s->ctx);
        while (i < end) {
            size_t same = i;
            while (same < end && log->rec[same].layer == log->rec[i].layer) same++;
            layer_slices(t, log, i, same, shift);
            for (; i < same; i++) operator_slices(t, log, i, shift);
        }
        counters(t, last_end, 0.0, 0.0);
    }
}

rg_status rg_trace_end(rg_trace *t, rg_err *err)
{
    fprintf(t->f,
        "\n],\"otherData\":{\"producer\":\"ridge\",\"dropped_calls\":%" PRId64
        ",\"dropped_events_at_most\":%" PRId64 "}}\n",
        t->dropped_calls, t->dropped_events);
    return rg_written(t->f, "trace", false, err);
}
