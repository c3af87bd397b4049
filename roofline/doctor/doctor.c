/* The checks of doctor.def, and which quantities they leave to measure. */
#include "roofline/doctor/doctor.h"

#include <stdarg.h>
#include <string.h>

const char *const rg_health_names[] = {"ok", "limited", "missing", "unknown"};

#define PUT(buf) \
    va_list ap; \
    va_start(ap, fmt); \
    vsnprintf(buf, sizeof(buf), fmt, ap); \
    va_end(ap)

void rg_finding_set(rg_finding *f, rg_health health, const char *fmt, ...)
{
    f->health = health;
    PUT(f->found);
}

void rg_finding_bad(rg_finding *f, rg_health health, const char *cost, const char *fix, const char *fmt, ...)
{
    f->health = health;
    snprintf(f->cost, sizeof f->cost, "%s", cost);
    snprintf(f->fix, sizeof f->fix, "%s", fix ? fix : "");
    PUT(f->found);
}

void rg_finding_cost(rg_finding *f, const char *fmt, ...) { PUT(f->cost); }
void rg_finding_fix(rg_finding *f, const char *fmt, ...) { PUT(f->fix); }

static const struct {
    const char *id, *section, *title;
    void (*check)(rg_finding *, const rg_host *);
} checks[] = {
#define RG_CHECK(id, section, title) {#id, section, title, rg_check_##id},
#include "roofline/doctor/doctor.def"
};
_Static_assert(sizeof checks / sizeof *checks < RG_DOCTOR_MAX, "room for the checks and the libraries");

static const rg_finding *find(const rg_doctor *d, const char *id)
{
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->f[i].id, id) == 0) return &d->f[i];
    return NULL;
}

/* What one wants to know, and the checks that decide it. The first that is not fine says why. */
static const struct quantity {
    const char *id, *title, *source, *needs[4];
} quantities[] = {
    {"time", "time of operators and phases", "monotonic clock", {"clock"}},
    {"counted", "bytes and operations, counted", "the executed loops", {NULL}},
    {"software", "task clock, page faults", "the kernel, per thread", {"seccomp", "paranoid"}},
    {"core", "cycles, instructions, FLOP, cache misses", "PMU through PAPI, per thread",
        {"PAPI", "seccomp", "pmu", "watchdog"}},
    {"dram_core", "DRAM bytes read by the threads", "PMU through PAPI, per thread",
        {"PAPI", "seccomp", "pmu"}},
    {"dram_socket", "DRAM bytes of the socket", "memory controllers, per phase", {"uncore", "seccomp"}},
    {"energy", "energy", "RAPL, per phase", {"energy"}},
    {"export", "counters for other PAPI tools", "software-defined events", {"libsde"}},
};

static void judge(rg_doctor *d, const struct quantity *q)
{
    rg_finding *c = &d->can[d->n_can++];
    *c = (rg_finding){.id = q->id, .section = "quantities", .title = q->title, .health = RG_HEALTH_OK};
    snprintf(c->found, sizeof c->found, "%s", q->source);
    for (int i = 0; i < 4 && q->needs[i]; i++) {
        const rg_finding *f = find(d, q->needs[i]);
        if (!f || f->health == RG_HEALTH_OK || f->health == RG_HEALTH_UNKNOWN) continue;
        /* the level itself bars per-thread counting only from 3 on */
        if (strcmp(f->id, "paranoid") == 0 && f->health == RG_HEALTH_LIMITED) continue;
        if (c->health == RG_HEALTH_OK || f->health > c->health) {
            c->health = f->health;
            rg_finding_cost(c, "%s: %s", f->title, f->found);
            memcpy(c->fix, f->fix, sizeof c->fix);
        }
        if (c->health == RG_HEALTH_MISSING) break;
    }
}

void rg_doctor_examine(rg_doctor *d, const rg_host *h, const rg_doctor_lib *libs, int n_libs)
{
    *d = (rg_doctor){0};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        rg_finding *f = &d->f[d->n++];
        *f = (rg_finding){.id = checks[i].id,
            .section = checks[i].section,
            .title = checks[i].title,
            .health = RG_HEALTH_UNKNOWN,
            .found = "the kernel does not say"};
        checks[i].check(f, h);
    }
    for (int i = 0; i < n_libs && d->n < RG_DOCTOR_MAX; i++) {
        rg_finding *f = &d->f[d->n++];
        *f = (rg_finding){.id = libs[i].name, .section = "libraries", .title = libs[i].name};
        if (libs[i].version)
            rg_finding_set(f, RG_HEALTH_OK, "%s", libs[i].version);
        else
            rg_finding_bad(f, RG_HEALTH_MISSING, libs[i].cost, libs[i].fix, "not in this build");
    }
    for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) judge(d, &quantities[i]);
}
