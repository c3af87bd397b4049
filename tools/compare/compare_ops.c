/* What every operator gained, from the recorded runs of a comparison. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/compare/compare.h"

/* Per token, of one operator or of several that another run has in one. */
typedef struct cost {
    double t[RG_MOST_LOADS], ideal; /* t: in each load; of a saved run, the only one */
    int n, loads;
} cost;

static void add_op(cost *c, const rg_side *s, const rg_doc_op *op)
{
    const double tokens = s->run.phase[op->phase].tokens;
    const rg_bench_row *row = s->row[op->phase];
    const rg_site site = rg_site_named(op->site, strlen(op->site));
    c->loads = row ? row->n_ops : 1;
    for (int i = 0; i < c->loads; i++)
        c->t[i] += rg_ratio(row && site < RG_SITE_COUNT ? row->ops[i].ns[op->phase][site] : op->t_ns, tokens);
    c->ideal += rg_ratio(op->analytic.ideal_ns, tokens);
    c->n++;
}

/* An operator as it stands, a fused one, or the operators that it stands for. */
static cost cost_of(const rg_side *side, rg_phase phase, const char *name, rg_site fused)
{
    cost c = {.loads = 0};
    const rg_run *r = &side->run;
    const rg_config of = rg_run_config(r);
    const rg_doc_op *one = rg_run_op(r, phase, name);
    if (one) add_op(&c, side, one);
    for (int s = 0; s < RG_SITE_COUNT && !one && fused != RG_SITE_COUNT; s++) {
        bool first;
        const rg_doc_op *part =
            rg_site_fused(&of, s, &first) == fused ? rg_run_op(r, phase, rg_site_name(s)) : NULL;
        if (part) add_op(&c, side, part);
    }
    return c;
}

/* Of the loads of both; without an interval where one is a saved run. */
static rg_interval gain_of(const cost *x, const cost *y)
{
    double v[RG_MOST_LOADS];
    const int n = (int)rg_min(x->loads, y->loads);
    for (int i = 0; i < n; i++) v[i] = x->t[i] / y->t[i];
    const rg_interval g = rg_interval_of(v, n);
    const double f = rg_interval_of(x->t, x->loads).value / rg_interval_of(y->t, y->loads).value / g.value;
    return (rg_interval){f * g.value, f * g.low, f * g.high};
}

/* A row for an operator that both runs have, or at the first of those that are fused in one of them. */
static void compare_op(rg_doc_compare *d, const rg_comparison *c, int v, const rg_doc_op *a)
{
    const rg_run *run = &c->side[v].run;
    const char *name = a->site;
    rg_site fused = RG_SITE_COUNT;
    if (!rg_run_op(run, a->phase, a->site)) {
        bool first;
        const rg_site id = rg_site_named(a->site, strlen(a->site));
        const rg_config of = rg_run_config(&c->side[0].run);
        fused = id < RG_SITE_COUNT ? rg_site_fused(&of, id, &first) : RG_SITE_COUNT;
        if (fused == RG_SITE_COUNT || (id != fused && !first)) return;
        name = rg_site_name(fused);
    }
    const cost x = cost_of(&c->side[0], a->phase, name, fused),
               y = cost_of(&c->side[v], a->phase, name, fused);
    if (!x.n || !y.n) return;
    const double before = rg_interval_of(x.t, x.loads).value, now = rg_interval_of(y.t, y.loads).value;
    const rg_interval g = gain_of(&x, &y);
    d->operators[d->n_operators++] = (rg_doc_op_gain){.variant = v,
        .name = c->side[v].v.name,
        .phase = a->phase,
        .site = name,
        .base_ns = before,
        .ns = now,
        .gain = g.value,
        .gain_low = g.low,
        .gain_high = g.high,
        .gain_expected = rg_ratio(x.ideal, y.ideal),
        .base_roof_fraction = rg_ratio(x.ideal, before),
        .roof_fraction = rg_ratio(y.ideal, now)};
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
