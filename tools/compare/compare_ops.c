/* The recorded runs inside a comparison, and what every operator gained. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/doc.h"
#include "roofline/measure/json_value.h"
#include "tools/compare/compare.h"

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
        json_t *run = s->run    ? json_incref(s->run)
            : live && s->report ? json_of_report(s->report, err)
                                : json_null();
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
        if (p && s && json_is_null(json_object_get(o, "layer")) && strcmp(p, phase) == 0 &&
            strcmp(s, site) == 0)
            return o;
    }
    return NULL;
}

/* Per token, of one operator or of several that another run has in one. */
typedef struct cost {
    double t, ideal;
    int n;
} cost;

static void add_op(cost *c, const json_t *run, const json_t *op)
{
    const double tokens = rg_doc_num(phase_of(run, rg_doc_text(op, "phase")), "tokens");
    c->t += rg_ratio(rg_doc_num(op, "t_ns"), tokens);
    c->ideal += rg_ratio(rg_doc_num(op, "analytic.t_ns"), tokens);
    c->n++;
}

/* A fused operator, or the operators that it stands for. */
static cost cost_of_fused(const json_t *run, const char *phase, rg_site fused)
{
    cost c = {0};
    const json_t *one = op_of(run, phase, rg_site_name(fused));
    if (one) add_op(&c, run, one);
    for (int s = 0; s < RG_SITE_COUNT && !one; s++) {
        bool first;
        const json_t *part =
            rg_site_fused((rg_site)s, &first) == fused ? op_of(run, phase, rg_site_name((rg_site)s)) : NULL;
        if (part) add_op(&c, run, part);
    }
    return c;
}

static void put_operator(json_t *out, const rg_comparison *c, int v, const char *phase, const char *site,
    const cost *a, const cost *b, double at0, double at1)
{
    json_array_append_new(out,
        json_pack("{s:i, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "variant", v, "name",
            rg_json_text(c->side[v].label), "phase", phase, "site", site, "base_ns", rg_json_real(a->t), "ns",
            rg_json_real(b->t), "gain", rg_json_real(rg_ratio(a->t, b->t)), "gain_expected",
            rg_json_real(rg_ratio(a->ideal, b->ideal)), "base_roof_fraction", rg_json_real(at0),
            "roof_fraction", rg_json_real(at1)));
}

/* One row for an operator that both runs have, and one for those that are fused in only one of them: at the
 * first of them. */
json_t *rg_compare_operators(const rg_comparison *c, const json_t *runs)
{
    const json_t *base = json_array_get(runs, 0), *a;
    json_t *out = json_array();
    for (int v = 1; v < c->n; v++) {
        const json_t *run = json_array_get(runs, (size_t)v);
        size_t i;
        json_array_foreach (json_object_get(base, "ops"), i, a) {
            const char *phase = rg_doc_text(a, "phase"), *site = rg_doc_text(a, "site");
            if (!phase || !site || !json_is_null(json_object_get(a, "layer"))) continue;
            const json_t *b = op_of(run, phase, site);
            if (b) {
                cost x = {0}, y = {0};
                add_op(&x, base, a);
                add_op(&y, run, b);
                put_operator(out, c, v, phase, site, &x, &y, rg_doc_num(a, "roof_fraction"),
                    rg_doc_num(b, "roof_fraction"));
                continue;
            }
            bool first;
            const rg_site id = rg_site_named(site, strlen(site)),
                          fused = id < RG_SITE_COUNT ? rg_site_fused(id, &first) : RG_SITE_COUNT;
            if (fused == RG_SITE_COUNT || (id != fused && !first)) continue;
            const cost x = cost_of_fused(base, phase, fused), y = cost_of_fused(run, phase, fused);
            if (x.n && y.n)
                put_operator(out, c, v, phase, rg_site_name(fused), &x, &y, rg_ratio(x.ideal, x.t),
                    rg_ratio(y.ideal, y.t));
        }
    }
    return out;
}
