/* The recorded runs inside a comparison, and what every operator gained. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "roofline/doc.h"
#include "tools/compare.h"

/* The report as `ridge profile -o json` writes it. */
static json_t *json_of_report(const rg_report *r, rg_err *err)
{
    char *text = NULL;
    size_t n = 0;
    json_error_t e;
    FILE *f = open_memstream(&text, &n);
    if (!f) return NULL;
    const rg_status st = rg_report_json(f, &r, 1, err);
    json_t *o = fclose(f) == 0 && st == RG_OK ? json_loadb(text, n, 0, &e) : NULL;
    free(text);
    return o;
}

json_t *rg_compare_runs(const rg_comparison *c, rg_err *err)
{
    json_t *runs = json_array();
    for (int i = 0; i < c->n; i++) {
        const rg_side *s = &c->side[i];
        const bool live = s->phase[RG_PREFILL].row || s->phase[RG_DECODE].row;
        json_t *run = s->run ? json_incref(s->run) : live && s->report ? json_of_report(s->report, err) : json_null();
        if (!run || json_array_append_new(runs, run) != 0) {
            json_decref(runs);
            return NULL;
        }
    }
    return runs;
}

static const json_t *phase_of(const json_t *run, const char *name)
{
    const json_t *p;
    size_t i;
    json_array_foreach (json_object_get(run, "phases"), i, p) {
        const char *s = rg_doc_text(p, "phase");
        if (s && strcmp(s, name) == 0) return p;
    }
    return NULL;
}

/* The operator's sum over the layers. */
static const json_t *op_of(const json_t *run, const char *phase, const char *site)
{
    const json_t *o;
    size_t i;
    json_array_foreach (json_object_get(run, "ops"), i, o) {
        const char *p = rg_doc_text(o, "phase"), *s = rg_doc_text(o, "site");
        if (p && s && json_is_null(json_object_get(o, "layer")) && strcmp(p, phase) == 0 && strcmp(s, site) == 0) return o;
    }
    return NULL;
}

static double per_token(const json_t *run, const json_t *op, const char *path)
{
    const json_t *p = phase_of(run, rg_doc_text(op, "phase"));
    return rg_ratio(rg_doc_num(op, path), rg_doc_num(p, "tokens"));
}

json_t *rg_compare_operators(const rg_comparison *c, const json_t *runs)
{
    const json_t *base = json_array_get(runs, 0), *a;
    json_t *out = json_array();
    for (int v = 1; v < c->n; v++) {
        const json_t *run = json_array_get(runs, (size_t)v);
        size_t i;
        json_array_foreach (json_object_get(base, "ops"), i, a) {
            const char *phase = rg_doc_text(a, "phase"), *site = rg_doc_text(a, "site");
            const json_t *b = phase && site && json_is_null(json_object_get(a, "layer")) ? op_of(run, phase, site) : NULL;
            if (!b) continue;
            const double t0 = per_token(base, a, "t_ns"), t1 = per_token(run, b, "t_ns");
            const double gain = rg_ratio(t0, t1), worth = rg_ratio(per_token(base, a, "analytic.t_ns"), per_token(run, b, "analytic.t_ns"));
            json_array_append_new(
                out, json_pack("{s:i, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "variant", v, "name", rg_json_text(c->side[v].label), "phase", phase,
                         "site", site, "base_ns", rg_json_real(t0), "ns", rg_json_real(t1), "gain", rg_json_real(gain), "gain_expected", rg_json_real(worth),
                         "base_roof_fraction", rg_json_real(rg_doc_num(a, "roof_fraction")), "roof_fraction", rg_json_real(rg_doc_num(b, "roof_fraction"))));
        }
    }
    return out;
}
