/* Pictures of `ridge compare`: gains per phase, gains per operator, and what --ablate found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/join.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"

static const char *clean(char *buf, size_t n, const char *s) { return rg_text_clean(buf, n, s ? s : "?"); }
static const char LEGEND[] =
    "filled: measured, thick: interval; hollow: what the roofs allow; left of the upright line is slower";

static const char *sub_of(char *buf, size_t n, const rg_doc *d)
{
    char first[96], cpu[96];
    snprintf(buf, n, "against %s; %s",
        clean(first, sizeof first, rg_doc_text(json_array_get(rg_doc_rows(d), 0), "name")),
        clean(cpu, sizeof cpu, rg_doc_text(d->json, "cpu")));
    return buf;
}

/* ---- phases ---- */

static const json_t *phase_of(const rg_doc *d, size_t variant, int ph)
{
    return rg_doc_get(json_array_get(rg_doc_rows(d), variant), rg_phase_names[ph]);
}

static int n_gains(const rg_doc *d)
{
    for (size_t i = 1; i < json_array_size(rg_doc_rows(d)); i++)
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
            if (isfinite(rg_doc_num(phase_of(d, i, ph), "gain"))) return 1;
    return 0;
}

bool rg_picture_can_gains(const rg_reports *s, size_t index)
{
    return (int)index < n_gains(rg_reports_other(s));
}

rg_status rg_picture_gains(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    const size_t variants = json_array_size(rg_doc_rows(d));
    rg_dot *dot = calloc(variants * RG_PHASE_COUNT + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[RG_PHASE_COUNT];
    char sub[256], a[32], b[32], c[32], e[32], g[32], name[96];
    int n = 0;
    (void)index;
    if (!dot) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_dot_panel *p = &panel[n];
        *p = (rg_dot_panel){
            .unit = "times as fast", .reference = 1.0, .reference_name = "the first", .dot = next};
        for (size_t i = 1; i < variants; i++) {
            const json_t *o = phase_of(d, i, ph);
            rg_dot *x = next;
            if (!isfinite(rg_doc_num(o, "gain"))) continue;
            *x = (rg_dot){.value = rg_doc_num(o, "gain"),
                .low = rg_doc_num(o, "gain_low"),
                .high = rg_doc_num(o, "gain_high"),
                .ideal = rg_doc_num(o, "gain_expected"),
                .series = (int)i};
            clean(name, sizeof name, rg_doc_text(json_array_get(rg_doc_rows(d), i), "name"));
            snprintf(x->label, sizeof x->label, "%s", name);
            rg_num(a, sizeof a, x->value), rg_num(b, sizeof b, x->low), rg_num(c, sizeof c, x->high),
                rg_num(e, sizeof e, x->ideal);
            rg_percent(g, sizeof g, rg_doc_num(o, "gain_reached"));
            if (isfinite(x->low))
                snprintf(x->text, sizeof x->text, "%s (%s to %s); worth %s: %s", a, b, c, e, g);
            else
                snprintf(x->text, sizeof x->text, "%s, no interval; worth %s: %s", a, e, g);
            snprintf(x->tip, sizeof x->tip,
                "%s, %s\n%s times as fast, interval %s to %s\nworth %s times on the roofs: %s of that "
                "reached\n%s tokens/s",
                name, rg_phase_names[ph], a, b, c, e, g, rg_num(c, sizeof c, rg_doc_num(o, "tokens_per_s")));
            snprintf(x->at, sizeof x->at, "variants.%zu.%s", i, rg_phase_names[ph]);
            next++;
            p->n++;
        }
        snprintf(p->title, sizeof p->title, "%s", rg_phase_names[ph]);
        n += p->n > 0;
    }
    const rg_chart_words words = {"Gain over the first variant", sub_of(sub, sizeof sub, d),
        "A row per phase and variant: how many times as fast as the first, with its interval, and hollow "
        "what the change is worth on the roofs.",
        LEGEND};
    const rg_status st = rg_chart_dots(f, &words, panel, n, embedded, err);
    free(dot);
    return st;
}

/* ---- operators ---- */

/* One picture per variant but the first. */
static int n_op_gains(const rg_doc *d)
{
    const json_t *list = json_object_get(d->json, "operators");
    int n = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const double v = rg_doc_num(json_array_get(list, i), "variant");
        if (v >= 1.0 && v < (double)json_array_size(rg_doc_rows(d)) && v > n) n = (int)v;
    }
    return n;
}

bool rg_picture_can_op_gains(const rg_reports *s, size_t index)
{
    return (int)index < n_op_gains(rg_reports_other(s));
}

rg_status rg_picture_op_gains(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    const json_t *list = json_object_get(d->json, "operators");
    const size_t all = json_array_size(list);
    rg_dot *dot = calloc(all + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[RG_PHASE_COUNT];
    char sub[256], title[160], name[96], a[32], b[32], c[32], site[48];
    int n = 0;
    if (!dot) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_dot_panel *p = &panel[n];
        *p = (rg_dot_panel){
            .unit = "times as fast per token", .reference = 1.0, .reference_name = "the first", .dot = next};
        for (size_t i = 0; i < all; i++) {
            const json_t *o = json_array_get(list, i);
            const char *phase = rg_doc_text(o, "phase");
            rg_dot *x = next;
            if (!phase || strcmp(phase, rg_phase_names[ph]) != 0 ||
                fabs(rg_doc_num(o, "variant") - (double)index - 1.0) > 0.5 ||
                !isfinite(rg_doc_num(o, "gain")))
                continue;
            *x = (rg_dot){.value = rg_doc_num(o, "gain"),
                .low = NAN,
                .high = NAN,
                .ideal = rg_doc_num(o, "gain_expected"),
                .series = (int)index + 1};
            clean(site, sizeof site, rg_doc_text(o, "site"));
            rg_time(b, sizeof b, rg_doc_num(o, "base_ns")), rg_time(c, sizeof c, rg_doc_num(o, "ns"));
            snprintf(x->label, sizeof x->label, "%s", site);
            snprintf(x->text, sizeof x->text, "%s: %s to %s per token", rg_num(a, sizeof a, x->value), b, c);
            snprintf(x->tip, sizeof x->tip,
                "%s, %s\n%s times as fast: %s to %s per token\non the roofs %s times", site,
                rg_phase_names[ph], rg_num(a, sizeof a, x->value), b, c, rg_num(sub, 32, x->ideal));
            snprintf(x->at, sizeof x->at, "operators.%zu", i);
            next++;
            p->n++;
        }
        snprintf(p->title, sizeof p->title, "%s", rg_phase_names[ph]);
        n += p->n > 0;
    }
    clean(name, sizeof name, rg_doc_text(json_array_get(rg_doc_rows(d), (size_t)index + 1), "name"));
    snprintf(title, sizeof title, "Gain by operator: %s", name);
    const rg_chart_words words = {title, sub_of(sub, sizeof sub, d),
        "A row per phase and operator: time per token in the first variant over that in this one; hollow: "
        "the same of the ideal times.",
        "filled: measured in the recorded runs; hollow: what the roofs allow; left of the upright line is "
        "slower"};
    const rg_status st = rg_chart_dots(f, &words, panel, n, embedded, err);
    free(dot);
    return st;
}

/* ---- ablation ---- */

bool rg_picture_can_ablation(const rg_reports *s, size_t index)
{
    return index == 0 && json_array_size(rg_doc_rows(rg_reports_other(s))) > 0;
}

rg_status rg_picture_ablation(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    static const struct {
        const char *key, *title;
    } parts[] = {{"prefill_alone", "prefill, alone"}, {"decode_alone", "decode, alone"},
        {"prefill_with_others", "prefill, with the others"},
        {"decode_with_others", "decode, with the others"}};
    enum { PARTS = sizeof parts / sizeof *parts };
    const size_t all = json_array_size(rg_doc_rows(d));
    rg_dot *dot = calloc(all * PARTS + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[PARTS];
    char cpu[96], name[64], a[32], b[32], c[32];
    int n = 0;
    (void)index;
    if (!dot) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (int k = 0; k < PARTS; k++) {
        rg_dot_panel *p = &panel[n];
        *p = (rg_dot_panel){
            .unit = "times as fast", .reference = 1.0, .reference_name = "no effect", .dot = next};
        for (size_t i = 0; i < all; i++) {
            const json_t *o = rg_doc_get(json_array_get(rg_doc_rows(d), i), parts[k].key);
            rg_dot *x = next;
            if (!isfinite(rg_doc_num(o, "speedup"))) continue;
            *x = (rg_dot){.value = rg_doc_num(o, "speedup"),
                .low = rg_doc_num(o, "low"),
                .high = rg_doc_num(o, "high"),
                .ideal = NAN,
                .series = k % 2};
            clean(name, sizeof name, rg_doc_text(json_array_get(rg_doc_rows(d), i), "name"));
            rg_num(a, sizeof a, x->value), rg_num(b, sizeof b, x->low), rg_num(c, sizeof c, x->high);
            snprintf(x->label, sizeof x->label, "%s", name);
            const bool unseen = x->low <= 1.0 && x->high >= 1.0;
            if (isfinite(x->low))
                snprintf(x->text, sizeof x->text, "%s (%s to %s)%s", a, b, c, unseen ? ": not seen" : "");
            else
                snprintf(x->text, sizeof x->text, "%s, no interval", a);
            snprintf(x->tip, sizeof x->tip, "%s: %s\n%s times as fast, interval %s to %s%s", name,
                parts[k].title, a, b, c, unseen ? "\nno worth that this noise lets one see" : "");
            snprintf(x->at, sizeof x->at, "switches.%zu.%s", i, parts[k].key);
            next++;
            p->n++;
        }
        snprintf(p->title, sizeof p->title, "%s", parts[k].title);
        n += p->n > 0;
    }
    clean(cpu, sizeof cpu, rg_doc_text(d->json, "bench.machine.cpu"));
    const rg_chart_words words = {"What each switch is worth", cpu,
        "A row per switch: speed with it over speed without, alone and with all the others on, with its "
        "interval; the upright line is no effect.",
        "filled: measured, thick: interval; an interval across the upright line means: no worth that this "
        "noise lets one see"};
    const rg_status st = rg_chart_dots(f, &words, panel, n, embedded, err);
    free(dot);
    return st;
}
