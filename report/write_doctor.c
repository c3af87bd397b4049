/* What the doctor found, for people and for programs. */
#include <string.h>

#include "base/cpu.h"
#include "base/text.h"
#include "report/report.h"
#include "report/table.h"
#include "roofline/measure/json_value.h"

enum { WIDTH = 100, INDENT = 11 };

/* Each line begins behind INDENT blanks; the first with label. */
static void wrapped(FILE *f, const char *label, const char *text)
{
    const rg_screen s = {.f = f, .width = WIDTH};
    if (!*text) return;
    rg_screen_wrap(&s, RG_INK_PLAIN, fprintf(f, "%*s%-6s", INDENT, "", label), INDENT + 6, text);
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
    fprintf(f, "ridge doctor: what can be measured on this host (%s)\n\n", RG_CLEAN(64, rg_cpu_name()));
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
    return rg_written(f, "doctor", false, err);
}

/* ---- for programs ---- */

static rg_doc_finding figures_of(const rg_finding *x)
{
    return (rg_doc_finding){.id = x->id,
        .section = x->section,
        .title = x->title,
        .state = rg_health_names[x->health],
        .found = *x->found ? x->found : NULL,
        .cost = *x->cost ? x->cost : NULL,
        .fix = *x->fix ? x->fix : NULL};
}

rg_status rg_doctor_json(FILE *f, const rg_doctor *d, rg_err *err)
{
    rg_doc_finding can[RG_DOCTOR_MAX], all[RG_DOCTOR_MAX];
    const rg_doc_doctor doc = {rg_cpu_name(), can, d->n_can, all, d->n};
    for (int i = 0; i < d->n_can; i++) can[i] = figures_of(&d->can[i]);
    for (int i = 0; i < d->n; i++) all[i] = figures_of(&d->f[i]);
    return rg_json_write(f, rg_object_write(RG_OBJ_doctor, &doc, 0), JSON_INDENT(1), "doctor", err);
}
