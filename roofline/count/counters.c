/* Which metrics can be counted here, in which groups, and the probe that reads them. */
#include "roofline/count/counters.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sysinfo.h"
#include "ops/rec.h"
#include "roofline/count/papi_sets.h"
#include "roofline/count/soft_events.h"
#include "roofline/measure/stats.h"

const char *const rg_counters_modes[] = {"auto", "off", "layer", "op", NULL};

enum { MAX_GROUPS = RG_MAX_CTR, MAX_EVENTS = 16, MAX_TERMS = 32, NAME = 128 };

/* ---- the table ---- */

typedef enum metric_id {
#define RG_METRIC(id, name, scale, what) M_##id,
#include "roofline/count/events.def"
    METRICS
} metric_id;
_Static_assert((int)METRICS <= (int)RG_MAX_CTR && (int)RG_SOFT_EVENTS <= (int)RG_MAX_CTR,
    "every metric has a place in the records");

static const struct {
    const char *name;
    uint64_t scale;
} metrics[METRICS] = {
#define RG_METRIC(id, name, scale, what) {name, scale},
#include "roofline/count/events.def"
};

typedef enum names_from { PRESET, KERNEL, PFM413, PFMNEW, PFMARM } names_from;

static const struct {
    metric_id metric;
    names_from from;
    const char *events;
} recipes[] = {
#define RG_RECIPE(metric, from, events, cpus) {M_##metric, from, events},
#include "roofline/count/events.def"
};

/* Events counted together, and the metrics they add up to. */
typedef struct term {
    int event, ctr;
    uint64_t weight;
} term;
typedef struct group {
    int n_events, n_terms;
    char event[MAX_EVENTS][NAME];
    term term[MAX_TERMS];
    uint32_t mask; /* counters */
} group;

/* One thread's sets, on lines of their own: they are read at every operator. */
typedef struct slot {
    _Alignas(128) int set[MAX_GROUPS];
    rg_soft soft; /* instead of sets where PAPI has no events at all */
    bool opened;
    int running; /* group, -1 none */
    uint64_t calls, failed;
    int error; /* of the first failure: PAPI's code, or an errno without PAPI */
    uint64_t last[RG_MAX_CTR];
} slot;

struct rg_counters {
    rg_probe probe;
    rg_host host;
    bool hardware, direct; /* direct: software events without PAPI */
    int which[RG_SOFT_EVENTS];
    int threads;
    slot *slot; /* [threads], owns */
    group group[MAX_GROUPS];
    int n_groups;
    unsigned turn;
    rg_metric metric[RG_MAX_METRICS];
    int n_metrics;
    const char *label[RG_MAX_CTR];
    char reason[760];
    double read_ns;
};

/* ---- reading ---- */

static void sum_terms(const group *g, const long long *v, uint64_t *ctr)
{
    for (int i = 0; i < RG_MAX_CTR; i++)
        if (g->mask >> i & 1) ctr[i] = 0;
    for (int i = 0; i < g->n_terms; i++)
        ctr[g->term[i].ctr] += g->term[i].weight * (uint64_t)v[g->term[i].event];
}

static bool read_slot(const rg_counters *c, slot *s, uint64_t *ctr)
{
    if (c->direct) return rg_soft_read(&s->soft, ctr);
    long long v[MAX_EVENTS];
    const group *g = &c->group[s->running];
    const int rc = rg_papi_read(s->set[s->running], v);
    if (rc == 0) sum_terms(g, v, ctr);
    if (rc != 0 && !s->error) s->error = rc;
    return rc == 0;
}

static void thread_read(void *self, int tid, uint64_t *ctr)
{
    const rg_counters *c = self;
    slot *s = &c->slot[tid];
    /* the last values again: a difference of 0, not of 2^64; rg_counters_sound tells */
    if (s->running < 0 || !read_slot(c, s, s->last)) s->failed++;
    memcpy(ctr, s->last, (size_t)c->probe.n_ctr * sizeof *ctr);
}

/* Starts group g on this thread instead of the running one. */
static bool start_group(slot *s, int g)
{
    if (s->running == g) return true;
    int rc = s->running >= 0 ? rg_papi_stop(s->set[s->running]) : 0;
    s->running = -1;
    if (rc == 0) rc = rg_papi_start(s->set[g]);
    if (rc == 0) s->running = g;
    if (rc != 0 && !s->error) s->error = rc;
    return rc == 0;
}

static uint32_t thread_begin(void *self, int tid)
{
    const rg_counters *c = self;
    slot *s = &c->slot[tid];
    const int g = c->direct ? 0 : (int)((s->calls + c->turn) % (unsigned)c->n_groups);
    s->calls++;
    if (!c->direct && !start_group(s, g)) s->failed++;
    return c->group[g].mask;
}

static void thread_close(void *self, int tid)
{
    rg_counters *c = self;
    if (tid < 0 || tid >= c->threads || !c->slot[tid].opened) return;
    slot *s = &c->slot[tid];
    s->opened = false;
    s->running = -1;
    if (c->direct) {
        rg_soft_close(&s->soft);
        return;
    }
    for (int g = 0; g < c->n_groups; g++) rg_papi_drop(&s->set[g]);
    if (tid != 0) rg_papi_leave_thread(); /* thread 0 is the caller's and lives on */
}

static int make_set(const group *g, int *set)
{
    const char *name[MAX_EVENTS];
    for (int i = 0; i < g->n_events; i++) name[i] = g->event[i];
    return rg_papi_make(set, name, g->n_events);
}

static int thread_open(void *self, int tid)
{
    rg_counters *c = self;
    if (tid < 0 || tid >= c->threads) return -1;
    slot *s = &c->slot[tid];
    s->error = 0;
    s->failed = s->calls = 0;
    s->running = -1;
    memset(s->last, 0, sizeof s->last);
    for (int g = 0; g < MAX_GROUPS; g++) s->set[g] = RG_PAPI_NO_SET;
    s->opened = true;
    if (c->direct) {
        if (rg_soft_open(&s->soft, c->which, c->probe.n_ctr)) s->running = 0;
        if (s->running < 0) s->error = errno;
    } else {
        s->error = rg_papi_enter_thread();
        for (int g = 0; g < c->n_groups && !s->error; g++) s->error = make_set(&c->group[g], &s->set[g]);
        if (!s->error) start_group(s, 0);
    }
    if (!s->error) return 0;
    const int why = s->error;
    thread_close(c, tid);
    s->error = why;
    return -1;
}

/* ---- finding out what works ---- */

/* Adds the events of a recipe, "4*name + name", to a group, for counter ctr. False: our tables are full. */
static bool add_recipe(group *g, const char *recipe, uint64_t scale, int ctr)
{
    for (const char *p = recipe; *p;) {
        char *end;
        p += strspn(p, " +");
        uint64_t weight = strtoull(p, &end, 10);
        if (end > p && *end == '*')
            p = end + 1;
        else
            weight = 1;
        const size_t n = strcspn(p, " ");
        if (n == 0 || n >= NAME || g->n_terms == MAX_TERMS) return false;
        int e = 0;
        while (e < g->n_events && (strncmp(g->event[e], p, n) != 0 || g->event[e][n])) e++;
        if (e == MAX_EVENTS) return false;
        if (e == g->n_events) snprintf(g->event[g->n_events++], NAME, "%.*s", (int)n, p);
        g->term[g->n_terms++] = (term){.event = e, .ctr = ctr, .weight = weight * scale};
        p += n;
    }
    g->mask |= 1u << ctr;
    return true;
}

static int try_group(const group *g)
{
    int set;
    const int rc = make_set(g, &set);
    rg_papi_drop(&set);
    return rc;
}

/* Some hypervisors show events that count nothing. Only cycles must move whatever the thread does. */
static bool moves(const group *g)
{
    int set;
    long long a[MAX_EVENTS], b[MAX_EVENTS];
    bool ok = make_set(g, &set) == 0 && rg_papi_start(set) == 0 && rg_papi_read(set, a) == 0;
    const uint64_t t0 = rg_now_ns();
    while (ok && rg_now_ns() - t0 < 100000) continue;
    ok = ok && rg_papi_read(set, b) == 0 && b[0] > a[0];
    rg_papi_drop(&set);
    return ok;
}

/* Into the first group with room, or a new one. */
static void place(rg_counters *c, const char *recipe, uint64_t scale, rg_metric *m)
{
    m->ctr = c->probe.n_ctr;
    for (int g = 0; g < MAX_GROUPS; g++) {
        group with = c->group[g];
        if (!add_recipe(&with, recipe, scale, m->ctr)) continue;
        if (g < c->n_groups && try_group(&with) != 0) continue; /* alone it was tried already */
        c->group[g] = with;
        if (g == c->n_groups) c->n_groups++;
        m->group = g;
        m->available = true;
        snprintf(m->events, sizeof m->events, "%s", recipe);
        c->label[c->probe.n_ctr++] = m->name;
        return;
    }
    m->ctr = -1;
}

static rg_metric *new_metric(rg_counters *c, const char *name, const char *source)
{
    rg_metric *m = &c->metric[c->n_metrics++];
    *m = (rg_metric){.name = name, .source = source, .ctr = -1};
    return m;
}

/* *first: the first refusal, to explain when nothing works. */
static void find_hardware(rg_counters *c, int *first)
{
    *first = 0;
    for (int id = 0; id < METRICS; id++) {
        rg_metric *m = new_metric(c, metrics[id].name, "pmu");
        int tried = 0;
        bool still = false;
        for (size_t r = 0; r < sizeof recipes / sizeof *recipes && !m->available; r++) {
            group alone = {0};
            if ((int)recipes[r].metric != id || !add_recipe(&alone, recipes[r].events, metrics[id].scale, 0))
                continue;
            tried++;
            const int rc = try_group(&alone);
            if (rc != 0 && !*first) *first = rc;
            if (rc != 0) continue;
            if (id == M_CYCLES && !moves(&alone)) {
                still = true;
                continue;
            }
            place(c, recipes[r].events, metrics[id].scale, m);
        }
        if (m->available) continue;
        if (still)
            rg_metric_lacks(m, "run on bare metal, or give the guest a working PMU",
                "the cycle counter stands still while the thread works: a PMU that counts nothing");
        else
            rg_metric_lacks(m,
                "a newer libpapi and libpfm, or PAPI_CSV_EVENT_FILE=papi_events.csv of a newer PAPI",
                "none of the %d recipes of events.def works with this CPU, kernel and PAPI", tried);
    }
}

static void find_software(rg_counters *c, bool papi)
{
    for (int i = 0; i < RG_SOFT_EVENTS; i++) {
        rg_metric *m = new_metric(c, rg_soft_events[i].label, "software");
        int refused = 0;
        if (papi) {
            group alone = {0};
            add_recipe(&alone, rg_soft_events[i].papi, 1, 0);
            refused = try_group(&alone);
            if (!refused) place(c, rg_soft_events[i].papi, 1, m);
            refused = refused ? rg_papi_errno(refused) : 0;
        } else {
            rg_soft s;
            c->which[c->probe.n_ctr] = i;
            if (rg_soft_open(&s, c->which, c->probe.n_ctr + 1)) {
                rg_soft_close(&s);
                m->ctr = c->probe.n_ctr;
                m->available = true;
                snprintf(m->events, sizeof m->events, "perf_event_open: software event %d",
                    (int)rg_soft_events[i].config);
                c->group[0].mask |= 1u << m->ctr;
                c->label[c->probe.n_ctr++] = m->name;
                c->n_groups = 1;
            } else {
                refused = errno;
            }
        }
        if (m->available) continue;
        const bool kernel = (refused == EPERM || refused == EACCES) && rg_soft_events[i].kernel;
        rg_metric_lacks(m,
            kernel && c->host.sw_errno == 0 ? "sudo sysctl kernel.perf_event_paranoid=1"
                                            : "ridge doctor says what bars perf_event_open here",
            kernel ? "it happens in kernel mode, which this user may not watch (%s)"
                   : "the kernel refuses it (%s)",
            refused ? strerror(refused) : "no reason given");
    }
}

/* Of the dearest group: the median of batches, because one read is near the clock's resolution. */
static void measure_read(rg_counters *c)
{
    enum { BATCHES = 7, READS = 300 };
    slot s = {.running = 0};
    uint64_t v[RG_MAX_CTR];
    c->read_ns = 0.0;
    for (int g = 0; g < c->n_groups; g++) {
        double each[BATCHES];
        s.running = g;
        const bool ok = c->direct ? rg_soft_open(&s.soft, c->which, c->probe.n_ctr)
                                  : make_set(&c->group[g], &s.set[g]) == 0 && rg_papi_start(s.set[g]) == 0;
        for (int b = 0; ok && b < BATCHES; b++) {
            const uint64_t t0 = rg_now_ns();
            for (int i = 0; i < READS; i++) read_slot(c, &s, v);
            each[b] = (double)(rg_now_ns() - t0) / READS;
        }
        if (c->direct && ok) rg_soft_close(&s.soft);
        if (!c->direct) rg_papi_drop(&s.set[g]);
        if (!ok) continue;
        qsort(each, BATCHES, sizeof *each, rg_by_value);
        if (each[BATCHES / 2] > c->read_ns) c->read_ns = each[BATCHES / 2];
    }
}

/* What is reported instead of hardware counts. */
static const char *instead(const rg_counters *c)
{
    return c->probe.n_ctr > 0
        ? "Reported instead: bytes and operations counted by the executed loops, monotonic time, and the "
          "kernel's task clock and page faults"
        : "Reported instead: bytes and operations counted by the executed loops, and monotonic time";
}

static void explain(rg_counters *c, const char *why, const char *fix)
{
    snprintf(
        c->reason, sizeof c->reason, "no hardware counters: %s. %s. To have them: %s", why, instead(c), fix);
    for (int i = 0; i < c->n_metrics; i++)
        if (strcmp(c->metric[i].source, "pmu") == 0) { /* nothing works: the general reason is the true one */
            snprintf(c->metric[i].reason, sizeof c->metric[i].reason, "%s", why);
            snprintf(c->metric[i].remedy, sizeof c->metric[i].remedy, "%s", fix);
        }
}

void rg_metric_lacks(rg_metric *m, const char *remedy, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(m->reason, sizeof m->reason, fmt, ap);
    va_end(ap);
    snprintf(m->remedy, sizeof m->remedy, "%s", remedy);
}

static void list_unavailable(rg_counters *c)
{
    for (int id = 0; id < METRICS; id++) new_metric(c, metrics[id].name, "pmu");
}

static void find_all(rg_counters *c)
{
    char why[240], lib[128];
    const char *fix;
    int first = 0;
    const bool papi = rg_papi_begin(lib, sizeof lib);
    if (papi)
        find_hardware(c, &first);
    else
        list_unavailable(c);
    c->hardware = c->probe.n_ctr > 0;
    if (!c->hardware && papi) find_software(c, true);
    if (c->probe.n_ctr == 0) { /* PAPI may have turned itself off where the kernel serves */
        while (c->n_metrics > 0 && strcmp(c->metric[c->n_metrics - 1].source, "software") == 0)
            c->n_metrics--;
        find_software(c, false);
        c->direct = c->probe.n_ctr > 0;
    }
    if (c->probe.n_ctr > 0) {
        c->probe.self = c;
        c->probe.thread_open = thread_open;
        c->probe.begin = thread_begin;
        c->probe.read = thread_read;
        c->probe.thread_close = thread_close;
        measure_read(c);
    }
    if (c->hardware) return;
    if (!papi) {
        explain(c, lib,
            rg_counters_library(why, sizeof why)
                ? "install the PAPI that this program was built with"
                : "sudo apt-get install libpapi-dev, and configure with -DRIDGE_PAPI=ON");
        return;
    }
    const int level = rg_host_paranoid(&c->host);
    if (level > 2 && c->host.hw_errno == 0) { /* the kernel would, PAPI 7.0 does not */
        snprintf(why, sizeof why, "PAPI turns perf events off at kernel.perf_event_paranoid %d", level);
        fix = "sudo sysctl kernel.perf_event_paranoid=2";
    } else {
        fix = rg_host_explain_pmu(
            &c->host, c->host.hw_errno ? c->host.hw_errno : rg_papi_errno(first), why, sizeof why);
    }
    explain(c, why, fix);
}

/* ---- the interface ---- */

rg_status rg_counters_open(
    rg_counters **out, rg_counters_mode mode, int threads, const rg_host *host, rg_err *err)
{
    *out = NULL;
    if (threads < 1) return rg_fail(err, RG_E_USAGE, "counters: %d threads, expected 1 or more", threads);
    rg_counters *c = calloc(1, sizeof *c);
    slot *s = aligned_alloc(_Alignof(slot), (size_t)threads * sizeof *s);
    if (!c || !s) {
        free(c);
        free(s);
        return rg_fail(err, RG_E_NOMEM, "counters: out of memory");
    }
    memset(s, 0, (size_t)threads * sizeof *s);
    c->threads = threads;
    c->slot = s;
    c->host = *host;
    if (mode == RG_COUNTERS_OFF) {
        list_unavailable(c);
        explain(c, "they were not asked for (--counters off)", "--counters op");
    } else {
        find_all(c);
    }
    c->probe.by_layer = mode == RG_COUNTERS_LAYER;
    *out = c;
    return RG_OK;
}

void rg_counters_close(rg_counters *c)
{
    if (!c) return;
    free(c->slot);
    free(c);
}

rg_counters_mode rg_counters_choose(
    rg_counters *c, double reads_by_op, double reads_by_layer, double step_ns, double *share)
{
    *share = 0.0;
    if (c->probe.n_ctr == 0 || !(step_ns > 0.0)) return RG_COUNTERS_OFF;
    *share = c->read_ns * reads_by_op / step_ns;
    c->probe.by_layer = *share >= RG_COUNTERS_LIMIT;
    if (!c->probe.by_layer) return RG_COUNTERS_OP;
    *share = c->read_ns * reads_by_layer / step_ns;
    return *share < RG_COUNTERS_LIMIT ? RG_COUNTERS_LAYER : RG_COUNTERS_OFF;
}

void rg_counters_turn(rg_counters *c)
{
    c->turn++;
    for (int t = 0; t < c->threads; t++) c->slot[t].calls = 0;
}

bool rg_counters_sound(rg_counters *c, char *why, size_t n)
{
    for (int t = 0; t < c->threads && c->probe.n_ctr > 0; t++) {
        const slot *s = &c->slot[t];
        if (!s->error && s->failed == 0) continue;
        char cause[240];
        const char *fix = "end other users of the counters (NMI watchdog: sudo sysctl kernel.nmi_watchdog=0)";
        const int e = c->direct ? s->error : rg_papi_errno(s->error);
        if (e)
            fix = rg_host_explain_pmu(&c->host, e, cause, sizeof cause);
        else
            snprintf(cause, sizeof cause, "%s", s->error ? rg_papi_text(s->error) : "a read failed");
        snprintf(why, n,
            "thread %d could not %s its counters (%s), so sums over threads would be short and none are "
            "given. To have them: %s",
            t, s->failed ? "read" : "open", cause, fix);
        return false;
    }
    return true;
}

const rg_probe *rg_counters_probe(const rg_counters *c) { return c->probe.n_ctr > 0 ? &c->probe : NULL; }
const char *rg_counters_status(const rg_counters *c)
{
    return c->probe.n_ctr == 0 ? "off" : c->hardware ? "hardware" : "software";
}
const char *rg_counters_reason(const rg_counters *c) { return c->reason[0] ? c->reason : NULL; }
const char *rg_counters_name(const rg_counters *c, int i)
{
    return i >= 0 && i < c->probe.n_ctr ? c->label[i] : NULL;
}
int rg_counters_groups(const rg_counters *c) { return c->n_groups; }
double rg_counters_read_ns(const rg_counters *c) { return c->read_ns; }
const char *rg_counters_library(char *buf, size_t n) { return rg_papi_describe(buf, n); }

const rg_metric *rg_counters_metrics(const rg_counters *c, int *n)
{
    *n = c->n_metrics;
    return c->metric;
}
