/* What a comparison says: sentences, and the document. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/compare.h"

static void say_loss(rg_lines *out, const rg_side *base, const rg_side *s)
{
    if (s->score.n == 0 || !s->score.reference) return;
    rg_lines_add(out,
        "loss: %s has perplexity %s where %s has %s (%s times), a KL divergence of %s +- %s nats a token, "
        "and the same likeliest token in %.1f %%.",
        s->v.name, RG_NUM(s->score.ppl), base->v.name, RG_NUM(base->score.ppl), RG_NUM(s->score.ppl_ratio),
        RG_NUM(s->score.kld.mean), RG_NUM(s->score.kld.error), 100.0 * s->score.same_top);
}

void rg_compare_notes(rg_lines *out, const rg_comparison *c)
{
    for (int i = 1; i < c->n; i++)
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const char *a_test = c->side[0].phase[ph].test, *test = c->side[i].phase[ph].test;
            if (a_test && test && strcmp(a_test, test) != 0)
                rg_lines_add(out, "%s: %s measured %s and %s measured %s: the gain compares different work.",
                    rg_phase_names[ph], c->side[0].v.name, a_test, c->side[i].v.name, test);
        }
    bool saved = false;
    for (int i = 0; i < c->n; i++)
        saved = saved || (!c->side[i].row[RG_PREFILL] && !c->side[i].row[RG_DECODE]);
    if (saved)
        rg_lines_add(out,
            "saved runs are one load each: intervals of gains that they take part in have %.0f %% added for "
            "where "
            "that load lies in memory.",
            100.0 * RG_PLACEMENT);
    if (c->b && c->b->loads < 3)
        rg_lines_add(out,
            "no intervals: %d load%s of each variant, at least three are needed; use a larger -r or --loads.",
            c->b->loads, c->b->loads == 1 ? "" : "s");
    if (c->b && !c->b->together)
        rg_lines_add(out,
            "memory does not hold all variants at once: one was loaded at a time, in turns, so drift between "
            "turns is part of the intervals.");
    if (c->b && c->b->interrupted)
        rg_lines_add(out, "interrupted: this is the part that was measured before the stop.");
}

void rg_compare_verdict(rg_lines *out, const rg_comparison *c)
{
    for (int i = 1; i < c->n; i++) {
        rg_doc_side side[RG_PHASE_COUNT];
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) side[ph] = rg_side_gain(&c->side[0], &c->side[i], ph);
        rg_verdict_compare(out, &c->side[0].run, &c->side[i].run, side);
    }
    for (int i = 1; i < c->n; i++) say_loss(out, &c->side[0], &c->side[i]);
    rg_compare_notes(out, c);
}

static rg_doc_side *side_of(const rg_comparison *c, const rg_side *s, rg_phase ph)
{
    const rg_bench_row *row = s->row[ph];
    rg_doc_side *d = s->phase[ph].test ? malloc(sizeof *d) : NULL;
    if (!d) return NULL;
    *d = rg_side_gain(&c->side[0], s, ph);
    d->samples_ns = row ? json_array() : NULL;
    d->loads_ns = row ? json_array() : NULL;
    for (int i = 0; row && i < row->n; i++) json_array_append_new(d->samples_ns, json_real(row->ns[i]));
    double t[RG_MOST_LOADS];
    const int n = row ? rg_bench_load_times(t, row) : 0;
    for (int i = 0; i < n; i++) json_array_append_new(d->loads_ns, json_real(t[i]));
    return d;
}

static rg_doc_variant variant_of(const rg_comparison *c, const rg_side *s)
{
    rg_doc_variant v = s->v;
    if (!(v.threads > 0.0)) v.threads = NAN;
    v.prefill = side_of(c, s, RG_PREFILL);
    v.decode = side_of(c, s, RG_DECODE);
    v.loss = s->score.n > 0 ? rg_eval_score(&s->score) : NULL;
    return v;
}

rg_status rg_compare_doc(rg_doc *d, const rg_comparison *c, rg_err *err)
{
    rg_lines verdict = {0};
    char stamp[32];
    rg_compare_verdict(&verdict, c);
    rg_doc_compare face = {.command = c->cli->line,
        .started = rg_stamp(stamp, sizeof stamp, c->started),
        .cpu = rg_cpu_name(),
        .interleaved = c->b && c->b->together,
        .loads = c->b ? (double)c->b->loads : NAN,
        .interrupted = c->b && c->b->interrupted,
        .variants = calloc(c->n, sizeof *face.variants),
        .verdict = rg_doc_lines(&verdict),
        .runs = calloc(c->n, sizeof *face.runs)};
    bool ok = face.variants && face.runs && !verdict.failed && rg_compare_operators(&face, c);
    for (int i = 0; i < c->n && ok; i++) {
        face.variants[face.n_variants++] = variant_of(c, &c->side[i]);
        face.runs[face.n_runs++] = c->side[i].doc.at; /* borrowed */
    }
    const rg_status st = ok ? rg_doc_make(d, RG_DOC_compare, &face, err)
                            : rg_fail(err, RG_E_NOMEM, "compare: out of memory for the report");
    face.n_runs = 0;
    rg_object_free(RG_OBJ_compare, &face);
    rg_lines_free(&verdict);
    return st;
}
