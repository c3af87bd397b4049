/* What can be measured here, what cannot, what that costs, and the command that mends it. */
#ifndef RG_DOCTOR_H
#define RG_DOCTOR_H

#include <stdio.h>

#include "base/status.h"
#include "roofline/measure/host.h"

typedef enum rg_health {
    RG_HEALTH_OK,
    RG_HEALTH_LIMITED, /* measuring works, with a reservation */
    RG_HEALTH_MISSING,
    RG_HEALTH_UNKNOWN /* nothing here tells */
} rg_health;
extern const char *const rg_health_names[]; /* "ok", "limited", "missing", "unknown" */

typedef struct rg_finding {
    const char *id, *section, *title; /* static */
    rg_health health;
    char found[200];
    char cost[280]; /* what it costs in measurability; "" if nothing */
    char fix[200];  /* the one command that mends it; "": none from here */
} rg_finding;

/* A library or optional part, as the caller knows it. */
typedef struct rg_doctor_lib {
    const char *name, *version; /* version NULL: not built in */
    const char *cost, *fix;     /* when it is missing */
} rg_doctor_lib;

enum { RG_DOCTOR_MAX = 48 };
typedef struct rg_doctor {
    int n;
    rg_finding f[RG_DOCTOR_MAX]; /* the checks of doctor.def, then the libraries */
    int n_can;
    /* section "quantities": what can be measured here, and why not */
    rg_finding can[RG_DOCTOR_MAX];
} rg_doctor;

void rg_doctor_examine(rg_doctor *d, const rg_host *h, const rg_doctor_lib *libs, int n_libs);

/* ---- for doctor_*.c ---- */

/* f is unknown, "the kernel does not say", until they set it. */
#define RG_CHECK(id, section, title) void rg_check_##id(rg_finding *f, const rg_host *h);
#include "roofline/doctor/doctor.def"

void rg_finding_set(rg_finding *f, rg_health health, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* With its cost and fix (NULL: none). */
void rg_finding_bad(rg_finding *f, rg_health health, const char *cost, const char *fix, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void rg_finding_cost(rg_finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rg_finding_fix(rg_finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
