/* Counters through PAPI: one event set per thread, made and started once by that thread, read with PAPI_read at operator boundaries.
 * An event counts as present only after add, start and read have worked: on a machine without a PMU PAPI's queries say yes all the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sysinfo.h"
#include "ops/rec.h"
#include "roofline/counters.h"
#include "roofline/soft_events.h"

#ifdef RIDGE_HAVE_PAPI
#include <papi.h>
#include <pthread.h>
#endif

typedef struct slot {
    _Alignas(128) int set; /* a line of its own: every thread reads its own at every operator */
    rg_soft soft;          /* instead of the set where PAPI has no events at all */
    bool running;
    uint64_t last[RG_MAX_CTR];
} slot;

struct rg_counters {
    rg_probe probe;
    bool hardware;
    int threads;
    slot *slot; /* [threads], owns */
    const char *label[RG_MAX_CTR], *event[RG_MAX_CTR];
    char reason[640];
    double read_ns;
};

/* ---- the kernel's software events, without PAPI ---- */

static int soft_thread_open(void *self, int tid)
{
    rg_counters *c = self;
    if (tid < 0 || tid >= c->threads || !rg_soft_open(&c->slot[tid].soft)) return -1;
    c->slot[tid].running = true;
    return 0;
}

static void soft_thread_read(void *self, int tid, uint64_t *ctr)
{
    const rg_counters *c = self;
    slot *s = &c->slot[tid];
    if (s->running) rg_soft_read(&s->soft, s->last); /* a failed read repeats the last values */
    memcpy(ctr, s->last, RG_SOFT_EVENTS * sizeof *ctr);
}

static void soft_thread_close(void *self, int tid)
{
    rg_counters *c = self;
    if (tid < 0 || tid >= c->threads || !c->slot[tid].running) return;
    c->slot[tid].running = false;
    rg_soft_close(&c->slot[tid].soft);
}

/* Best of batches: a single read is near the clock's resolution. */
enum { BATCHES = 5, READS = 400 };

static void use_soft_events(rg_counters *c)
{
    rg_soft s;
    uint64_t v[RG_SOFT_EVENTS];
    if (!rg_soft_open(&s)) return;
    for (int b = 0; b < BATCHES; b++) {
        const uint64_t t0 = rg_now_ns();
        for (int i = 0; i < READS; i++) rg_soft_read(&s, v);
        const double each = (double)(rg_now_ns() - t0) / READS;
        if (b == 0 || each < c->read_ns) c->read_ns = each;
    }
    rg_soft_close(&s);
    for (int i = 0; i < RG_SOFT_EVENTS; i++) c->label[i] = rg_soft_labels[i];
    c->probe.n_ctr = RG_SOFT_EVENTS;
    c->probe.thread_open = soft_thread_open;
    c->probe.read = soft_thread_read;
    c->probe.thread_close = soft_thread_close;
}

/* What is reported instead of hardware counts. */
static const char *instead(const rg_counters *c)
{
    return c->probe.n_ctr > 0
               ? "Reported instead: bytes and operations counted by the executed loops, monotonic time, and the kernel's task clock and page faults"
               : "Reported instead: bytes and operations counted by the executed loops, and monotonic time";
}

#ifdef RIDGE_HAVE_PAPI

/* ---- PAPI ---- */

typedef struct event {
    const char *label, *name;
} event;

static const event hw_events[] = {
#define RG_EVENT(label, name, cpus) {label, name},
#include "roofline/events.def"
};
static const event sw_events[] = {
#define RG_SW_EVENT(label, name, config) {label, name},
#include "roofline/events.def"
};

static bool papi_start(char *why, size_t n)
{
    if (PAPI_is_initialized() == PAPI_NOT_INITED) {
        const int rc = PAPI_library_init(PAPI_VER_CURRENT);
        if (rc != PAPI_VER_CURRENT) {
            snprintf(why, n, "PAPI does not start (%s)", rc > 0 ? "built against another version" : PAPI_strerror(rc));
            return false;
        }
    }
    if (!(PAPI_is_initialized() & PAPI_THREAD_LEVEL_INITED) && PAPI_thread_init((unsigned long (*)(void))pthread_self) != PAPI_OK) {
        snprintf(why, n, "PAPI refuses threads");
        return false;
    }
    return true;
}

static void drop_set(int *set)
{
    long long v[RG_MAX_CTR];
    if (*set == PAPI_NULL) return;
    PAPI_stop(*set, v); /* an error if it does not run: then there is nothing to stop */
    PAPI_cleanup_eventset(*set);
    PAPI_destroy_eventset(set);
    *set = PAPI_NULL;
}

/* Makes and starts a set of the chosen events on this thread. */
static int run_set(int *set, const char *const *name, int n)
{
    long long v[RG_MAX_CTR] = {0};
    *set = PAPI_NULL;
    int rc = PAPI_create_eventset(set);
    for (int i = 0; rc == PAPI_OK && i < n; i++) rc = PAPI_add_named_event(*set, (char *)(uintptr_t)name[i]); /* PAPI 7.0.0 wants char *, does not write */
    if (rc == PAPI_OK) rc = PAPI_start(*set);
    if (rc == PAPI_OK) rc = PAPI_read(*set, v);
    if (rc != PAPI_OK) drop_set(set);
    return rc;
}

/* Keeps the first event of every label that works together with those before it; returns the first refusal. */
static int choose(rg_counters *c, const event *e, int n)
{
    int first = PAPI_OK;
    for (int i = 0; i < n && c->probe.n_ctr < RG_MAX_CTR; i++) {
        const int at = c->probe.n_ctr;
        if (at > 0 && strcmp(c->label[at - 1], e[i].label) == 0) continue; /* rows of one label stand together */
        int set;
        c->label[at] = e[i].label;
        c->event[at] = e[i].name;
        const int rc = run_set(&set, c->event, at + 1);
        if (rc == PAPI_OK) c->probe.n_ctr++;
        if (rc != PAPI_OK && first == PAPI_OK) first = rc;
        drop_set(&set);
    }
    return first;
}

static int paranoid_level(void)
{
    int level = -100;
    FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "r");
    if (f && fscanf(f, "%d", &level) != 1) level = -100;
    if (f) fclose(f);
    return level;
}

static bool cpu_pmu_present(void)
{
    static const char *const pmu[] = {"cpu", "cpu_core", "armv8_pmuv3_0", "armv8_pmuv3"};
    char path[96];
    for (size_t i = 0; i < sizeof pmu / sizeof *pmu; i++) {
        snprintf(path, sizeof path, "/sys/bus/event_source/devices/%s", pmu[i]);
        if (access(path, F_OK) == 0) return true;
    }
    return false;
}

/* What is missing, why, what is reported instead, and what would fix it. */
static void explain(rg_counters *c, int rc)
{
    const int level = paranoid_level();
    const int component = PAPI_get_component_index("perf_event");
    const PAPI_component_info_t *info = component >= 0 ? PAPI_get_component_info(component) : NULL;
    const char *said = info && info->disabled && info->disabled_reason[0] ? info->disabled_reason : PAPI_strerror(rc);
    char why[240], fix[160];
    if (rc == PAPI_EPERM || (level > 2 && geteuid() != 0)) {
        snprintf(why, sizeof why, "the kernel refuses them (%s; kernel.perf_event_paranoid is %d)", PAPI_strerror(rc), level);
        snprintf(fix, sizeof fix,
            level > 2 ? "sudo sysctl kernel.perf_event_paranoid=2" : "in a container: run it with --cap-add PERFMON or without its seccomp filter");
    } else if (level > 2) {
        snprintf(why, sizeof why, "PAPI turns perf events off at kernel.perf_event_paranoid %d", level);
        snprintf(fix, sizeof fix, "sudo sysctl kernel.perf_event_paranoid=2");
    } else if (!cpu_pmu_present()) {
        snprintf(why, sizeof why, "no PMU here (no cpu in /sys/bus/event_source/devices; PAPI: %.100s), as in most virtual machines", said);
        snprintf(fix, sizeof fix, "run on bare metal, or give the virtual machine a PMU (QEMU: -cpu host,pmu=on)");
    } else {
        snprintf(why, sizeof why, "PAPI knows no event that this CPU can count (%.100s)", said);
        snprintf(fix, sizeof fix, "a newer libpapi, or PAPI_CSV_EVENT_FILE with a newer papi_events.csv; papi_avail -a lists what works");
    }
    snprintf(c->reason, sizeof c->reason, "no hardware counters: %s. %s. To have them: %s", why, instead(c), fix);
}

static double measure_read(rg_counters *c)
{
    double best = 0.0;
    long long v[RG_MAX_CTR];
    int set;
    if (run_set(&set, c->event, c->probe.n_ctr) != PAPI_OK) return 0.0;
    for (int b = 0; b < BATCHES; b++) {
        const uint64_t t0 = rg_now_ns();
        for (int i = 0; i < READS; i++) PAPI_read(set, v);
        const double each = (double)(rg_now_ns() - t0) / READS;
        if (b == 0 || each < best) best = each;
    }
    drop_set(&set);
    return best;
}

static int thread_open(void *self, int tid)
{
    rg_counters *c = self;
    if (tid < 0 || tid >= c->threads) return -1;
    const int reg = PAPI_register_thread();
    if (reg != PAPI_OK || run_set(&c->slot[tid].set, c->event, c->probe.n_ctr) != PAPI_OK) return -1;
    c->slot[tid].running = true;
    return 0;
}

static void thread_read(void *self, int tid, uint64_t *ctr)
{
    const rg_counters *c = self;
    slot *s = &c->slot[tid];
    long long v[RG_MAX_CTR];
    const bool fresh = s->running && PAPI_read(s->set, v) == PAPI_OK;
    for (int i = 0; i < c->probe.n_ctr; i++) { /* a failed read repeats the last values: a difference of 0, not of 2^64 */
        if (fresh) s->last[i] = (uint64_t)v[i];
        ctr[i] = s->last[i];
    }
}

static void thread_close(void *self, int tid)
{
    rg_counters *c = self;
    if (tid < 0 || tid >= c->threads || !c->slot[tid].running) return;
    c->slot[tid].running = false;
    drop_set(&c->slot[tid].set);
    if (tid != 0) PAPI_unregister_thread(); /* thread 0 is the caller's and lives on */
}

static void open_events(rg_counters *c)
{
    char why[128];
    if (!papi_start(why, sizeof why)) {
        use_soft_events(c);
        snprintf(c->reason, sizeof c->reason, "no hardware counters: %s. %s. To have them: install the PAPI this program was built with", why, instead(c));
        return;
    }
    const int rc = choose(c, hw_events, sizeof hw_events / sizeof *hw_events);
    c->hardware = c->probe.n_ctr > 0;
    if (!c->hardware) choose(c, sw_events, sizeof sw_events / sizeof *sw_events);
    if (c->probe.n_ctr > 0) {
        c->read_ns = measure_read(c);
        c->probe.thread_open = thread_open;
        c->probe.read = thread_read;
        c->probe.thread_close = thread_close;
    } else {
        use_soft_events(c);
    }
    if (!c->hardware) explain(c, rc);
}

const char *rg_counters_library(char *buf, size_t n)
{
    char why[128];
    if (!papi_start(why, sizeof why)) {
        snprintf(buf, n, "%s", why);
        return buf;
    }
    const int c = PAPI_get_component_index("perf_event");
    const PAPI_component_info_t *i = c >= 0 ? PAPI_get_component_info(c) : NULL;
    snprintf(buf, n, "%d.%d.%d, %d presets for this CPU%s", PAPI_VERSION_MAJOR(PAPI_VERSION), PAPI_VERSION_MINOR(PAPI_VERSION),
        PAPI_VERSION_REVISION(PAPI_VERSION), i ? i->num_preset_events : 0, i && i->disabled ? "; its perf component is off" : "");
    return buf;
}

#else

const char *rg_counters_library(char *buf, size_t n)
{
    (void)buf, (void)n;
    return NULL;
}

static void open_events(rg_counters *c)
{
    use_soft_events(c);
    snprintf(c->reason, sizeof c->reason, "no hardware counters: built without PAPI. %s. To have them: install libpapi-dev and configure with -DRIDGE_PAPI=ON",
        instead(c));
}

#endif

rg_status rg_counters_open(rg_counters **out, rg_counters_mode mode, int threads, rg_err *err)
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
    c->probe.self = c;
    if (mode == RG_COUNTERS_OFF)
        snprintf(c->reason, sizeof c->reason, "hardware counters were not asked for (--counters off). %s. To have them: --counters op", instead(c));
    else
        open_events(c);
    *out = c;
    return RG_OK;
}

void rg_counters_close(rg_counters *c)
{
    if (!c) return;
    free(c->slot);
    free(c);
}

const rg_probe *rg_counters_probe(const rg_counters *c) { return c->probe.n_ctr > 0 ? &c->probe : NULL; }
const char *rg_counters_status(const rg_counters *c) { return c->probe.n_ctr == 0 ? "off" : c->hardware ? "hardware" : "software"; }
const char *rg_counters_reason(const rg_counters *c) { return c->reason[0] ? c->reason : NULL; }
const char *rg_counters_name(const rg_counters *c, int i) { return i >= 0 && i < c->probe.n_ctr ? c->label[i] : NULL; }
double rg_counters_read_ns(const rg_counters *c) { return c->read_ns; }
