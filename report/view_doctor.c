/* What the doctor found, on a terminal: what can be measured, what is missing, and what mends it. */
#include <string.h>

#include "base/cpu.h"
#include "base/text.h"
#include "report/report.h"

enum { INDENT = 11, MOST_ROWS = 10 };

static int counted(const rg_finding *f, int n, rg_health health)
{
    int k = 0;
    for (int i = 0; i < n; i++) k += f[i].health == health;
    return k;
}

static void state(const rg_screen *s, const rg_finding *x)
{
    rg_screen_put(
        s, x->health == RG_HEALTH_MISSING ? RG_INK_BAD : RG_INK_WARN, "  %-9s", rg_health_names[x->health]);
}

/* What cannot be measured, or with a reservation; how many lines. */
static int gaps(const rg_screen *s, const rg_doctor *d)
{
    int n = 0;
    for (int i = 0; i < d->n_can; i++) {
        const rg_finding *x = &d->can[i];
        if (x->health == RG_HEALTH_OK) continue;
        if (n++ == 0) fputc('\n', s->f);
        state(s, x);
        rg_screen_wrap(s, RG_INK_PLAIN, INDENT, INDENT, RG_TEXT(500, "%s: %s", x->title, x->cost));
    }
    return n;
}

/* What is missing first, libraries last. */
static int turn(const rg_finding *x)
{
    if (!*x->fix || x->health == RG_HEALTH_OK) return -1;
    return strcmp(x->section, "libraries") == 0 ? 2 : x->health != RG_HEALTH_MISSING;
}

static void remedies(const rg_screen *s, const rg_doctor *d, int room)
{
    int n = 0;
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < d->n; i++) {
            const rg_finding *x = &d->f[i];
            if (turn(x) != t || n++ >= room) continue;
            if (n == 1) rg_screen_say(s, RG_INK_HEAD, 0, "\nTo mend:");
            /* a comment of the shell: the line can be pasted */
            fputs("  ", s->f);
            rg_screen_wrap(s, RG_INK_PLAIN, 2, 6, RG_TEXT(480, "%s # %s", x->fix, x->title));
        }
    if (n > room) rg_screen_say(s, RG_INK_DIM, 2, "%d more with --wide", n - room);
}

rg_status rg_doctor_text(const rg_screen *s, const rg_doctor *d, rg_err *err)
{
    const int limited = counted(d->can, d->n_can, RG_HEALTH_LIMITED),
              missing = counted(d->can, d->n_can, RG_HEALTH_MISSING),
              ok = counted(d->can, d->n_can, RG_HEALTH_OK);
    rg_screen_say(s, RG_INK_HEAD, 0,
        "%s: %d of %d kinds of figures can be measured here%s, %d with a reservation, %d not at all.",
        RG_CLEAN(64, rg_cpu_name()), ok, d->n_can, limited + missing ? " in full" : "", limited, missing);
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->f[i].section, "quiet") == 0 && d->f[i].health == RG_HEALTH_LIMITED)
            rg_screen_say(
                s, RG_INK_WARN, 0, "%s: %s", d->f[i].title, RG_CLEAN(sizeof d->f[i].found, d->f[i].found));
    if (s->wide) {
        fputc('\n', s->f);
        return rg_doctor_md(s->f, d, err);
    }
    remedies(s, d, MOST_ROWS - gaps(s, d));
    fputc('\n', s->f);
    rg_screen_say(s, RG_INK_DIM, 2, "every check: --wide; for programs: -o json");
    return rg_written(s->f, "doctor", false, err);
}
