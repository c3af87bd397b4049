/* What pictures and pages compute from a saved run. */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/saved.h"

double rg_saved_bandwidth(const rg_saved_run *r, double footprint)
{
    rg_machine m = {0};
    for (size_t i = 0; i < r->n_roofs && m.n_bw < RG_MAX_BW; i++) {
        const rg_saved_roof *f = &r->roof[i];
        if (f->compute || strncmp(f->name, "read ", 5) != 0 || !(f->value > 0.0) || !(f->footprint >= 1.0) ||
            f->footprint > 1e18)
            continue;
        const int64_t bytes = (int64_t)f->footprint;
        int at = m.n_bw++;
        for (; at > 0 && m.bw[at - 1].footprint_bytes > bytes; at--) m.bw[at] = m.bw[at - 1];
        m.bw[at] = (rg_bw_point){.footprint_bytes = bytes, .read_gbps = {f->value, 0.0}};
    }
    if (m.n_bw == 0 || !(footprint >= 1.0) || footprint > 1e18) return NAN;
    const double bw = rg_machine_bw(&m, (int64_t)footprint);
    return bw > 0.0 ? bw : NAN;
}

bool rg_saved_binds(const rg_saved_run *r, const rg_saved_roof *roof)
{
    for (size_t i = 0; i < r->n_ops; i++)
        if (r->op[i].roof && strcmp(r->op[i].roof, roof->name) == 0) return true;
    return false;
}

const rg_saved_op *rg_saved_find(const rg_saved_run *r, rg_phase phase, const char *site)
{
    for (size_t i = 0; i < r->n_ops; i++)
        if (r->op[i].layer < 0 && r->op[i].phase == phase && strcmp(r->op[i].site, site) == 0)
            return &r->op[i];
    return NULL;
}

static void add_bytes(rg_saved_bytes *a, const rg_saved_bytes *b)
{
    a->weight += b->weight;
    a->act_rd += b->act_rd;
    a->act_wr += b->act_wr;
    a->kv_rd += b->kv_rd;
    a->kv_wr += b->kv_wr;
    a->total += b->total;
}

rg_saved_group rg_saved_group_of(const rg_saved_run *r, rg_phase phase, rg_opgroup g)
{
    rg_saved_group s = {0};
    for (size_t i = 0; i < r->n_ops; i++) {
        const rg_saved_op *w = &r->op[i];
        if (w->layer >= 0 || w->phase != phase || w->group != g) continue;
        s.n++;
        s.t_ns += w->t_ns;
        s.flop += w->flop;
        s.analytic_ns += w->analytic_ns; /* NAN wins: an unknown roof stays unknown */
        add_bytes(&s.analytic, &w->analytic);
        add_bytes(&s.counted, &w->counted);
    }
    s.share = rg_ratio(s.t_ns, r->phase[phase].t_ns);
    s.ai_analytic = rg_ratio(s.flop, s.analytic.total);
    s.ai_counted = rg_ratio(s.flop, s.counted.total);
    s.gflops = rg_ratio(s.flop, s.t_ns);
    s.attainable_gflops = rg_ratio(s.flop, s.analytic_ns);
    s.fraction = rg_ratio(s.analytic_ns, s.t_ns);
    return s;
}
