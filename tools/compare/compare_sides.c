/* Sides from measured rows, and what one gained over the other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/compare.h"

static void take_phase(rg_side_phase *p, const rg_bench *b, const rg_bench_row *r)
{
    rg_bench_numbers n;
    rg_bench_numbers_of(&n, b, r);
    *p = (rg_side_phase){.ran = r->n > 0,
        .ts = n.median_ts,
        .low = n.low_ts,
        .high = n.high_ts,
        .spread = n.ns.spread,
        .mbu = n.mbu,
        .mfu = n.mfu,
        .roof_fraction = n.roof_fraction,
        .bytes = n.bytes_counted / n.tokens,
        .row = r};
    snprintf(p->test, sizeof p->test, "%s", b->test[r->test].name);
}

rg_status rg_side_of_rows(
    rg_side *s, const rg_bench *b, int setting, const int test[RG_PHASE_COUNT], rg_err *err)
{
    const rg_setting *set = &b->setting[setting];
    const rg_bench_unit *u = &b->unit[set->unit];
    const rg_bench_row *row[RG_PHASE_COUNT] = {NULL};
    const rg_bench_lane *l = NULL;
    *s = (rg_side){.threads = u->info.threads,
        .resident_bytes = (double)u->model.resident_bytes,
        .stream_bytes = (double)u->model.stream_bytes,
        .bits_file = u->model.bits_file,
        .bits_resident = u->model.bits_resident};
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (test[ph] < 0) continue;
        row[ph] = &b->row[setting * b->n_tests + test[ph]];
        l = &b->lane[row[ph]->lane];
        take_phase(&s->phase[ph], b, row[ph]);
    }
    snprintf(s->label, sizeof s->label, "%s", set->label);
    snprintf(s->dtype, sizeof s->dtype, "%s", u->model.dtype ? u->model.dtype : "?");
    snprintf(s->act, sizeof s->act, "%s", set->cli.act ? set->cli.act : "f32");
    snprintf(s->isa, sizeof s->isa, "%s", rg_isa_names[u->info.isa]);
    if (l)
        snprintf(s->kv, sizeof s->kv, l->so.kv_k == l->so.kv_v ? "%s" : "%s/%s", rg_kvtypes[l->so.kv_k].name,
            rg_kvtypes[l->so.kv_v].name);
    rg_report *r = NULL;
    rg_status st = rg_bench_report(&r, b, row, RG_PHASE_COUNT, err);
    if (st == RG_OK) st = rg_report_doc(&s->doc, (const rg_report *const *)&r, 1, err);
    rg_report_close(r);
    return st == RG_OK ? rg_side_face(s, s->doc.at, err) : st;
}

rg_status rg_side_face(rg_side *s, const rg_doc_profile *d, rg_err *err)
{
    const rg_status st = rg_run_open(&s->run, d, s->label, err);
    snprintf(s->run.label, sizeof s->run.label, "%s", s->label);
    for (int ph = 0; ph < RG_PHASE_COUNT && st == RG_OK; ph++)
        if (s->phase[ph].ran) s->run.phase[ph].tokens_per_s = s->phase[ph].ts;
    return st;
}

void rg_sides_free(rg_side *s, int n)
{
    for (int i = 0; i < n; i++) {
        rg_doc_close(&s[i].doc);
        rg_object_free(RG_OBJ_profile, &s[i].own);
    }
    free(s);
}

static double ideal_per_token(const rg_side *s, rg_phase ph)
{
    const rg_doc_phase *p = &s->run.phase[ph];
    return rg_phase_ran(p) ? rg_ratio(p->ideal_ns, p->tokens) : NAN;
}

/* Samples of the same round where there are some; else the medians, with the widest ratio of their
 * intervals. */
static void ratio(rg_gain *g, const rg_side_phase *a, const rg_side_phase *b)
{
    if (a->row && b->row) {
        const double per_a = a->ts * rg_stats_of(a->row->ns, a->row->n).median,
                     per_b = b->ts * rg_stats_of(b->row->ns, b->row->n).median;
        const rg_stats s = rg_bench_ratio(a->row, b->row);
        const double f = per_b / per_a; /* tokens of a run, where tests differ */
        g->ratio = f * s.median;
        g->low = f * s.low;
        g->high = f * s.high;
    } else {
        g->ratio = b->ts / a->ts;
        g->low = b->low / a->high;
        g->high = b->high / a->low;
    }
}

rg_gain rg_gain_of(const rg_side *base, const rg_side *other, rg_phase ph)
{
    rg_gain g = {.ratio = NAN, .low = NAN, .high = NAN, .bytes = NAN, .roofs = NAN, .reached = NAN};
    const rg_side_phase *a = &base->phase[ph], *b = &other->phase[ph];
    if (!a->ran || !b->ran) return g;
    ratio(&g, a, b);
    g.bytes = rg_ratio(a->bytes, b->bytes);
    g.roofs = rg_ratio(ideal_per_token(base, ph), ideal_per_token(other, ph));
    g.reached = rg_ratio(g.ratio, g.roofs);
    return g;
}
