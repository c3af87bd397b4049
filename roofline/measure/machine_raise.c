/* Roofs of several measurements as one: other programs only take speed away, so the largest figure wins. */
#include <string.h>

#include "roofline/measure/machine.h"

static void raise_to(rg_measured *to, const rg_measured *from)
{
    if (from->value > to->value) *to = *from;
}

/* The point of a footprint, made where it is missing; NULL: no room. */
static rg_bw_point *point_at(rg_machine *m, int64_t footprint)
{
    int at = 0;
    while (at < m->n_bw && m->bw[at].footprint_bytes < footprint) at++;
    if (at < m->n_bw && m->bw[at].footprint_bytes == footprint) return &m->bw[at];
    if (m->n_bw == RG_MAX_BW) return NULL;
    memmove(&m->bw[at + 1], &m->bw[at], (m->n_bw - at) * sizeof *m->bw);
    m->bw[at] = (rg_bw_point){.footprint_bytes = footprint};
    m->n_bw++;
    return &m->bw[at];
}

void rg_machine_raise(rg_machine *m, const rg_machine *other)
{
    for (int i = 0; i < other->n_bw; i++) {
        rg_bw_point *p = point_at(m, other->bw[i].footprint_bytes);
        for (int k = 0; p && k < RG_BW_COUNT; k++) raise_to(rg_bw_at(p, k), rg_bw_get(&other->bw[i], k));
    }
    for (int i = 0; i < RG_PEAK_COUNT; i++) raise_to(&m->peak[i], &other->peak[i]);
    /* what fits a larger working set through fits a smaller one through */
    for (int i = m->n_bw - 1; i > 0; i--) raise_to(&m->bw[i - 1].read_gbps, &m->bw[i].read_gbps);
}
