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

/* Figures of the median of all samples become those of the loads. */
static void over_loads(rg_doc_side *d, const rg_doc_result *n, rg_interval t)
{
    const double f = n->median_ns / t.value;
    d->tokens_per_s *= f;
    d->tokens_per_s_low = 1e9 * n->tokens / t.high;
    d->tokens_per_s_high = 1e9 * n->tokens / t.low;
    d->mbu *= f;
    d->mfu *= f;
    d->roof_fraction *= f;
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
        over_loads(&s->phase[ph], &n, rg_bench_time(s->row[ph]));
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
    if (!st) /* of a mixture what was read */
        s->v.stream_bytes = ((const rg_doc_profile *)s->doc.at)->model.stream_bytes;
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

static rg_interval speed_of(const rg_doc_side *d)
{
    return (rg_interval){d->tokens_per_s, d->tokens_per_s_low, d->tokens_per_s_high};
}

rg_doc_side rg_side_gain(const rg_side *first, const rg_side *s, rg_phase ph)
{
    const rg_doc_side *a = &first->phase[ph];
    const rg_bench_row *x = first->row[ph], *y = s->row[ph];
    rg_doc_side g = s->phase[ph];
    rg_interval gain = {NAN, NAN, NAN};
    if (a->test && g.test && x && y) {
        gain = rg_bench_gain(x, y);
        const double f = g.tokens_per_s / a->tokens_per_s / gain.value; /* tests may differ in tokens */
        gain = (rg_interval){f * gain.value, f * gain.low, f * gain.high};
    } else if (a->test && g.test) {
        gain = rg_gain_once(speed_of(a), speed_of(&g));
    }
    rg_gain_put(&g, gain, &first->run, &s->run, ph);
    g.bytes_ratio = a->test && g.test ? rg_ratio(a->bytes_per_token, g.bytes_per_token) : NAN;
    return g;
}
