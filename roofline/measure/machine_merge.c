/* Roofs over time: the upper envelope of all samples, and what a single run found of it. */
#include <math.h>
#include <string.h>

#include "roofline/measure/machine.h"

static bool about(int64_t a, int64_t b) { return fabs(log((double)a / (double)b)) < 0.1; }

/* The point of (about) that footprint, or NULL. */
static rg_bw_point *point_at(rg_machine *m, int64_t footprint)
{
    for (int i = 0; i < m->n_bw; i++)
        if (about(m->bw[i].footprint_bytes, footprint)) return &m->bw[i];
    return NULL;
}

/* A new point between its neighbours, with what they say of it; NULL: the ladder is full. */
static rg_bw_point *new_point(rg_machine *m, int64_t footprint)
{
    rg_bw_point now = {.footprint_bytes = footprint};
    int at = 0;
    if (m->n_bw == RG_MAX_BW) return NULL;
    for (int k = 0; k < RG_BW_COUNT; k++)
        rg_bw_at(&now, (rg_bw_kind)k)->value = rg_machine_bw_of(m, (rg_bw_kind)k, footprint);
    now.read_gbps.value = 0.0;
    while (at < m->n_bw && m->bw[at].footprint_bytes < footprint) at++;
    memmove(&m->bw[at + 1], &m->bw[at], (size_t)(m->n_bw - at) * sizeof *m->bw);
    m->n_bw++;
    m->bw[at] = now;
    return &m->bw[at];
}

static void raise_to(rg_measured *v, double to)
{
    if (to > v->value) v->value = to;
}

void rg_machine_merge(rg_machine *m, const rg_roof_watch *w, const rg_roof_sample *s)
{
    int64_t footprint;
    int peak;
    rg_roof_watch_of(w, &footprint, &peak);
    if (!(s->read_gbps > 0.0)) return;
    rg_bw_point *p = point_at(m, footprint);
    if (!p) p = new_point(m, footprint);
    if (p) raise_to(&p->read_gbps, s->read_gbps);
    raise_to(&m->peak[peak], s->fma_gflops);
}

void rg_machine_raise(rg_machine *m, const rg_machine *other)
{
    for (int i = 0; i < other->n_bw; i++) {
        rg_bw_point *p = point_at(m, other->bw[i].footprint_bytes);
        if (!p) p = new_point(m, other->bw[i].footprint_bytes);
        for (int k = 0; p && k < RG_BW_COUNT; k++)
            raise_to(rg_bw_at(p, (rg_bw_kind)k), rg_bw_get(&other->bw[i], (rg_bw_kind)k)->value);
    }
    for (int i = 0; i < RG_PEAK_COUNT; i++) raise_to(&m->peak[i], other->peak[i].value);
    /* what fits a larger working set through fits a smaller one through */
    for (int i = m->n_bw - 1; i > 0; i--) raise_to(&m->bw[i - 1].read_gbps, m->bw[i].read_gbps.value);
}

rg_status rg_machine_refresh(rg_machine *m, const int *cpus, int64_t footprint, bool during, rg_err *err)
{
    rg_roof_watch *w;
    rg_roof_sample best = {0};
    if (footprint <= 0) return RG_OK;
    const rg_status st = rg_roof_watch_open(&w, m->threads, cpus, footprint, err);
    if (st) return st;
    for (int i = 0; i < 3; i++) {
        rg_roof_sample s;
        rg_roof_watch_sample(w, &s);
        best.read_gbps = fmax(best.read_gbps, s.read_gbps);
        best.fma_gflops = fmax(best.fma_gflops, s.fma_gflops);
    }
    rg_machine_merge(m, w, &best);
    if (during) rg_machine_during(m, w, &best);
    rg_roof_watch_close(w);
    return RG_OK;
}

void rg_machine_during(rg_machine *m, const rg_roof_watch *w, const rg_roof_sample *s)
{
    int peak;
    int64_t footprint;
    rg_roof_watch_of(w, &footprint, &peak);
    rg_bw_point *p = point_at(m, footprint);
    if (!p || !(s->read_gbps > 0.0) || !(m->peak[peak].value > 0.0)) return;
    m->now.footprint = p->footprint_bytes;
    m->now.read = s->read_gbps / p->read_gbps.value;
    m->now.compute = s->fma_gflops / m->peak[peak].value;
    p->read_gbps.value *= m->now.read;
    for (int i = 0; i < RG_PEAK_COUNT; i++) m->peak[i].value *= m->now.compute;
}
