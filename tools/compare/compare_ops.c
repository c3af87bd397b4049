/* What every operator gained, from the recorded runs of a comparison. */
#include <stdlib.h>
#include <string.h>

#include "tools/compare/compare.h"

/* Per token, of one operator or of several that another run has in one. */
typedef struct cost {
    double t, ideal;
    int n;
} cost;

static void add_op(cost *c, const rg_run *r, const rg_doc_op *op)
{
    const double tokens = r->phase[op->phase].tokens;
    c->t += rg_ratio(op->t_ns, tokens);
    c->ideal += rg_ratio(op->analytic.ideal_ns, tokens);
    c->n++;
}

/* An operator as it stands, a fused one, or the operators that it stands for. */
static cost cost_of(const rg_run *r, rg_phase phase, const char *name, rg_site fused)
{
    cost c = {0};
    const rg_doc_op *one = rg_run_op(r, phase, name);
    if (one) add_op(&c, r, one);
    for (int s = 0; s < RG_SITE_COUNT && !one && fused != RG_SITE_COUNT; s++) {
        bool first;
        const rg_doc_op *part =
            rg_site_fused(s, &first) == fused ? rg_run_op(r, phase, rg_site_name(s)) : NULL;
        if (part) add_op(&c, r, part);
    }
    return c;
}

/* A row for an operator that both runs have, or at the first of those that are fused in one of them. */
static void compare_op(rg_doc_compare *d, const rg_comparison *c, int v, const rg_doc_op *a)
{
    const rg_run *base = &c->side[0].run, *run = &c->side[v].run;
    const char *name = a->site;
    rg_site fused = RG_SITE_COUNT;
    if (!rg_run_op(run, a->phase, a->site)) {
        bool first;
        const rg_site id = rg_site_named(a->site, strlen(a->site));
        fused = id < RG_SITE_COUNT ? rg_site_fused(id, &first) : RG_SITE_COUNT;
        if (fused == RG_SITE_COUNT || (id != fused && !first)) return;
        name = rg_site_name(fused);
    }
    const cost x = cost_of(base, a->phase, name, fused), y = cost_of(run, a->phase, name, fused);
    if (!x.n || !y.n) return;
    d->operators[d->n_operators++] = (rg_doc_op_gain){.variant = v,
        .name = c->side[v].v.name,
        .phase = a->phase,
        .site = name,
        .base_ns = x.t,
        .ns = y.t,
        .gain = rg_ratio(x.t, y.t),
        .gain_expected = rg_ratio(x.ideal, y.ideal),
        .base_roof_fraction = rg_ratio(x.ideal, x.t),
        .roof_fraction = rg_ratio(y.ideal, y.t)};
}

bool rg_compare_operators(rg_doc_compare *d, const rg_comparison *c)
{
    const rg_doc_profile *base = c->side[0].run.d;
    d->operators = calloc((size_t)c->n * base->n_ops + 1, sizeof *d->operators);
    for (int v = 1; v < c->n && d->operators; v++)
        for (size_t i = 0; i < base->n_ops; i++)
            if (base->ops[i].layer < 0) compare_op(d, c, v, &base->ops[i]);
    return d->operators;
}
