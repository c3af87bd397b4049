#include "roofline/doctor.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "base/cpu.h"
#include "roofline/textout.h"

const char *const rg_health_names[] = {"ok", "limited", "missing", "unknown"};

static void put(char *buf, size_t n, const char *fmt, va_list ap) { vsnprintf(buf, n, fmt, ap); }

void rg_finding_set(rg_finding *f, rg_health health, const char *fmt, ...)
{
    va_list ap;
    f->health = health;
    va_start(ap, fmt);
    put(f->found, sizeof f->found, fmt, ap);
    va_end(ap);
}

void rg_finding_cost(rg_finding *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(f->cost, sizeof f->cost, fmt, ap);
    va_end(ap);
}

void rg_finding_fix(rg_finding *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(f->fix, sizeof f->fix, fmt, ap);
    va_end(ap);
}

static const struct {
    const char *id, *section, *title;
    void (*check)(rg_finding *, const rg_host *);
} checks[] = {
#define RG_CHECK(id, section, title) {#id, section, title, rg_check_##id},
#include "roofline/doctor.def"
};
_Static_assert(sizeof checks / sizeof *checks < RG_DOCTOR_MAX, "room for the checks and the libraries");

static const rg_finding *find(const rg_doctor *d, const char *id)
{
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->f[i].id, id) == 0) return &d->f[i];
    return NULL;
}

/* What one wants to know, and the checks that decide it: the first that is not fine says why. */
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
        /* the permission level as such bars per-thread counting only from 3 on */
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
            .health = RG_HEALTH_UNKNOWN};
        checks[i].check(f, h);
    }
    for (int i = 0; i < n_libs && d->n < RG_DOCTOR_MAX; i++) {
        rg_finding *f = &d->f[d->n++];
        *f = (rg_finding){.id = libs[i].name, .section = "libraries", .title = libs[i].name};
        rg_finding_set(f, libs[i].version ? RG_HEALTH_OK : RG_HEALTH_MISSING, "%s",
            libs[i].version ? libs[i].version : "not in this build");
        if (libs[i].version) continue;
        rg_finding_cost(f, "%s", libs[i].cost);
        rg_finding_fix(f, "%s", libs[i].fix);
    }
    for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) judge(d, &quantities[i]);
}

/* ---- for people ---- */

enum { WIDTH = 100, INDENT = 11 };

/* Words of s in lines of WIDTH, each after INDENT blanks; the first begins with label. */
static void wrapped(FILE *f, const char *label, const char *s)
{
    if (!*s) return;
    int at = fprintf(f, "%*s%-6s", INDENT, "", label);
    while (*s) {
        const int len = (int)strcspn(s, " ");
        if (at + len + 1 > WIDTH && at > INDENT + 6) at = fprintf(f, "\n%*s", INDENT + 6, "") - 1;
        at += fprintf(f, "%s%.*s", at > INDENT + 6 ? " " : "", len, s);
        s += len;
        s += strspn(s, " ");
    }
    fputc('\n', f);
}

static void line(FILE *f, const rg_finding *x)
{
    char clean[sizeof x->found];
    rg_text_clean(clean, sizeof clean, x->found);
    if (strlen(clean) + 39 <= WIDTH) {
        fprintf(f, "  %-8s %-28s %s\n", rg_health_names[x->health], x->title, clean);
    } else {
        fprintf(f, "  %-8s %s\n", rg_health_names[x->health], x->title);
        wrapped(f, "", clean);
    }
    wrapped(f, "cost", x->cost);
    wrapped(f, "mend", x->fix);
}

rg_status rg_doctor_md(FILE *f, const rg_doctor *d, rg_err *err)
{
    int count[4] = {0};
    char cpu[64];
    fprintf(f, "ridge doctor: what can be measured on this host (%s)\n\n",
        rg_text_clean(cpu, sizeof cpu, rg_cpu_name()));
    for (int i = 0; i < d->n_can; i++) {
        fprintf(f, "  %-8s %-42s %s\n", rg_health_names[d->can[i].health], d->can[i].title, d->can[i].found);
        wrapped(f, "why", d->can[i].cost);
    }
    const char *section = "";
    for (int i = 0; i < d->n; i++) {
        if (strcmp(section, d->f[i].section) != 0) fprintf(f, "\n%s\n", section = d->f[i].section);
        line(f, &d->f[i]);
        count[d->f[i].health]++;
    }
    fprintf(f, "\n%d ok, %d limited, %d missing, %d unknown\n", count[0], count[1], count[2], count[3]);
    return ferror(f) ? rg_fail(err, RG_E_FILE, "doctor: cannot write: %s", strerror(errno)) : RG_OK;
}

/* ---- for programs ---- */

static json_t *text_or_null(const char *s) { return rg_json_text(*s ? s : NULL); }

static json_t *as_json(const rg_finding *x)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", x->id, "section", x->section, "title",
        x->title, "state", rg_health_names[x->health], "found", text_or_null(x->found), "cost",
        text_or_null(x->cost), "fix", text_or_null(x->fix));
}

rg_status rg_doctor_json(FILE *f, const rg_doctor *d, rg_err *err)
{
    json_t *top = json_object(), *can = json_array(), *all = json_array();
    bool ok = top && can && all;
    for (int i = 0; ok && i < d->n_can; i++) ok = json_array_append_new(can, as_json(&d->can[i])) == 0;
    for (int i = 0; ok && i < d->n; i++) ok = json_array_append_new(all, as_json(&d->f[i])) == 0;
    if (ok)
        ok = json_object_set_new(top, "schema", json_string("ridge.doctor")) == 0 &&
            json_object_set_new(top, "version", json_integer(1)) == 0 &&
            json_object_set_new(top, "cpu", rg_json_text(rg_cpu_name())) == 0 &&
            json_object_set(top, "quantities", can) == 0 && json_object_set(top, "checks", all) == 0;
    rg_status st = RG_OK;
    if (!ok)
        st = rg_fail(err, RG_E_NOMEM, "doctor: out of memory for the JSON");
    else if (json_dumpf(top, f, JSON_INDENT(1)) != 0 || fputc('\n', f) == EOF)
        st = rg_fail(err, RG_E_FILE, "doctor: cannot write: %s", strerror(errno));
    json_decref(can);
    json_decref(all);
    json_decref(top);
    return st;
}
