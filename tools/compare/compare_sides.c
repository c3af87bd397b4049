/* Sides from measured rows, and what one gained over the other. */
#include <math.h>
#include <stdlib.h>

#include "tools/compare/compare.h"

rg_doc_side rg_side_of_result(const rg_doc_result *r, const char *test)
{
    return (rg_doc_side){.test = test,
        .tokens_per_s = r->median_ts,
        .tokens_per_s_low = r->ci95_low_ts,
        .tokens_per_s_high = r->ci95_high_ts,
        .spread = r->spread,
        .mbu = r->mbu,
        .mfu = r->mfu,
        .roof_fraction = r->roof_fraction,
        .bytes_per_token = rg_ratio(r->bytes_counted, r->tokens)};
}

rg_status rg_side_of_rows(
    rg_side *s, const rg_bench *b, int setting, const int test[RG_PHASE_COUNT], rg_err *err)
{
    const rg_setting *set = &b->setting[setting];
    const rg_unit *u = &b->unit[set->unit];
    const rg_model_info *m = &u->model;
    const rg_bench_lane *l = NULL;
    *s = (rg_side){.v = {.name = set->label,
                       .dtype = m->dtype ? m->dtype : "?",
                       .act = set->cli.act ? set->cli.act : "f32",
                       .isa = rg_isa_names[u->info.isa],
                       .kv_dtype = "",
                       .threads = u->info.threads,
                       .resident_bytes = (double)m->resident_bytes,
                       .stream_bytes = (double)m->stream_bytes,
                       .bits_per_weight_file = m->bits_file,
                       .bits_per_weight_resident = m->bits_resident}};
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (test[ph] < 0) continue;
        s->row[ph] = &b->row[setting * b->n_tests + test[ph]];
        l = &b->lane[s->row[ph]->lane];
        rg_doc_result n;
        rg_bench_figures(&n, b, s->row[ph]);
        s->phase[ph] = rg_side_of_result(&n, s->row[ph]->n > 0 ? b->test[test[ph]].name : NULL);
        s->phase[ph].spread = rg_stats_of(s->row[ph]->ns, s->row[ph]->n).spread;
    }
    if (l) {
        char kv[24];
        snprintf(kv, sizeof kv, l->so.kv_k == l->so.kv_v ? "%s" : "%s/%s", rg_kvtypes[l->so.kv_k].name,
            rg_kvtypes[l->so.kv_v].name);
        s->v.kv_dtype = rg_doc_keep(&s->pool, kv);
    }
    rg_report *r = NULL;
    rg_status st = rg_bench_report(&r, b, s->row, RG_PHASE_COUNT, err);
    if (!st) st = rg_report_doc(&s->doc, (const rg_report *const *)&r, 1, err);
    rg_report_close(r);
    return st ? st : rg_side_face(s, s->doc.at, err);
}

rg_status rg_side_face(rg_side *s, const rg_doc_profile *d, rg_err *err)
{
    const rg_status st = rg_run_open(&s->run, d, s->v.name, err);
    snprintf(s->run.label, sizeof s->run.label, "%s", s->v.name);
    for (int ph = 0; ph < RG_PHASE_COUNT && !st; ph++)
        if (s->phase[ph].test) s->run.phase[ph].tokens_per_s = s->phase[ph].tokens_per_s;
    return st;
}

void rg_sides_free(rg_side *s, int n)
{
    for (int i = 0; i < n; i++) {
        rg_doc_close(&s[i].doc);
        if (s[i].own) rg_object_free(RG_OBJ_profile, s[i].own);
        free(s[i].own);
        rg_lines_free(&s[i].pool);
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
rg_doc_side rg_side_gain(const rg_side *first, const rg_side *s, rg_phase ph)
{
    const rg_doc_side *a = &first->phase[ph];
    const rg_bench_row *x = first->row[ph], *y = s->row[ph];
    rg_doc_side g = s->phase[ph];
    g.gain = g.gain_low = g.gain_high = g.bytes_ratio = g.gain_expected = g.gain_reached = NAN;
    if (!a->test || !g.test) return g;
    if (x && y) {
        const double per_a = a->tokens_per_s * rg_stats_of(x->ns, x->n).median,
                     per_b = g.tokens_per_s * rg_stats_of(y->ns, y->n).median;
        const rg_stats r = rg_bench_ratio(x, y);
        const double f = per_b / per_a; /* tokens of a run, where tests differ */
        g.gain = f * r.median;
        g.gain_low = f * r.low;
        g.gain_high = f * r.high;
    } else {
        g.gain = g.tokens_per_s / a->tokens_per_s;
        g.gain_low = g.tokens_per_s_low / a->tokens_per_s_high;
        g.gain_high = g.tokens_per_s_high / a->tokens_per_s_low;
    }
    g.bytes_ratio = rg_ratio(a->bytes_per_token, g.bytes_per_token);
    g.gain_expected = rg_ratio(ideal_per_token(first, ph), ideal_per_token(s, ph));
    g.gain_reached = rg_ratio(g.gain, g.gain_expected);
    return g;
}
