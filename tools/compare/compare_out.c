/* `ridge compare` as Markdown and JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/cells.h"
#include "tools/compare/compare.h"
#include "tools/eval/eval.h"

enum { W = 48 };

static const char *interval(char *buf, size_t n, double low, double high)
{
    char a[32], b[32];
    if (!isfinite(low) || !isfinite(high))
        snprintf(buf, n, "n/a");
    else
        snprintf(buf, n, "%s..%s", rg_num(a, sizeof a, low), rg_num(b, sizeof b, high));
    return buf;
}

static void what(FILE *f, const rg_comparison *c)
{
    rg_table t = {0};
    rg_table_head(&t, "<variant", "<weights", ">bits/weight", ">resident", ">per step", "<KV", "<act", "<isa",
        ">threads", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_doc_variant *v = &c->side[i].v;
        rg_table_line(&t, "csnbbsss0", v->name, v->dtype, v->bits_per_weight_resident, v->resident_bytes,
            v->stream_bytes, v->kv_dtype, v->act, v->isa, v->threads > 0.0 ? v->threads : NAN);
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
}

static void speed(FILE *f, const rg_comparison *c, rg_phase ph)
{
    rg_table t = {0};
    bool any = false;
    for (int i = 0; i < c->n; i++) any = any || c->side[i].phase[ph].test;
    if (!any) return;
    fprintf(f, "\n## %s\n\n", rg_phase_names[ph]);
    rg_table_head(&t, "<variant", "<test", ">tokens/s", ">interval", ">spread", ">MBU %", ">roof %", ">gain",
        ">interval", ">bytes ratio", ">worth", ">reached", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_doc_side p = rg_side_gain(&c->side[0], &c->side[i], ph);
        char b[W];
        rg_cells row = {.n = 0};
        if (!p.test) continue;
        rg_cells_add(&row, "cs2sphh", c->side[i].v.name, p.test, p.tokens_per_s,
            interval(b, W, p.tokens_per_s_low, p.tokens_per_s_high), p.spread, p.mbu, p.roof_fraction);
        if (i)
            rg_cells_add(&row, "nsnnp", p.gain, interval(b, W, p.gain_low, p.gain_high), p.bytes_ratio,
                p.gain_expected, p.gain_reached);
        else
            rg_cells_add(&row, "sssss", "1", "", "1", "1", "");
        rg_cells_end(&row, &t);
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
}

/* What the variants cost: --eval. */
static void loss(FILE *f, const rg_comparison *c)
{
    rg_table t = {0};
    if (!c->score) return;
    fprintf(f, "\n## loss\n\n");
    rg_table_head(&t, "<variant", ">perplexity", ">error", ">over the first", ">KL mean", ">error", ">median",
        ">99 %", ">same top %", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_score_stats *s = &c->side[i].score;
        rg_cells row = {.n = 0};
        if (s->n == 0) continue;
        rg_cells_add(&row, "cnn", c->side[i].v.name, s->ppl, s->ppl_error);
        if (s->reference)
            rg_cells_add(&row, "nnnnnh", s->ppl_ratio, s->kld.mean, s->kld.error, s->kld.at[5], s->kld.at[8],
                s->same_top);
        else
            rg_cells_add(&row, "ssssss", "1", "0", "", "0", "0", "100.0");
        rg_cells_end(&row, &t);
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
    fprintf(f,
        "\nPerplexity of %s in windows of up to 512 tokens, the second half scored (ridge eval); KL in nats "
        "from the first variant.\n",
        c->cli->eval_file);
}

static void say_loss(rg_lines *out, const rg_side *base, const rg_side *s)
{
    char a[32], b[32], r[32], k[32], e[32];
    if (s->score.n == 0 || !s->score.reference) return;
    rg_lines_add(out,
        "loss: %s has perplexity %s where %s has %s (%s times), a KL divergence of %s +- %s nats a token, "
        "and the same likeliest token in %.1f %%.",
        s->v.name, rg_num(a, sizeof a, s->score.ppl), base->v.name, rg_num(b, sizeof b, base->score.ppl),
        rg_num(r, sizeof r, s->score.ppl_ratio), rg_num(k, sizeof k, s->score.kld.mean),
        rg_num(e, sizeof e, s->score.kld.error), 100.0 * s->score.same_top);
}

void rg_compare_verdict(rg_lines *out, const rg_comparison *c)
{
    char a[32], lo[32], hi[32];
    for (int i = 1; i < c->n; i++) {
        double gain[RG_PHASE_COUNT]; /* as in the table: paired by rounds */
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_doc_side g = rg_side_gain(&c->side[0], &c->side[i], ph);
            gain[ph] = g.gain;
            if (!isfinite(g.gain) || (isfinite(g.gain_low) && (g.gain_low > 1.0 || g.gain_high < 1.0)))
                continue;
            if (isfinite(g.gain_low))
                rg_lines_add(out,
                    "%s: this noise does not tell %s and %s apart: the gain of %s has the interval %s to %s; "
                    "use a larger -r.",
                    rg_phase_names[ph], c->side[i].v.name, c->side[0].v.name, rg_num(a, sizeof a, g.gain),
                    rg_num(lo, sizeof lo, g.gain_low), rg_num(hi, sizeof hi, g.gain_high));
            else
                rg_lines_add(out,
                    "%s: no interval for the gain of %s: there are fewer than three samples, or a saved run "
                    "does not hold its own.",
                    rg_phase_names[ph], rg_num(a, sizeof a, g.gain));
        }
        rg_verdict_compare(out, &c->side[0].run, &c->side[i].run, gain);
    }
    for (int i = 1; i < c->n; i++) say_loss(out, &c->side[0], &c->side[i]);
    for (int i = 1; i < c->n; i++)
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const char *a_test = c->side[0].phase[ph].test, *test = c->side[i].phase[ph].test;
            if (a_test && test && strcmp(a_test, test) != 0)
                rg_lines_add(out, "%s: %s measured %s and %s measured %s: the gain compares different work.",
                    rg_phase_names[ph], c->side[0].v.name, a_test, c->side[i].v.name, test);
        }
    if (c->b && !c->b->together)
        rg_lines_add(out,
            "memory does not hold all variants at once: they were loaded in turns, %d times each, so drift "
            "between turns is part of the gains.",
            c->b->loads);
    if (c->b && c->b->interrupted)
        rg_lines_add(out, "interrupted: this is the part that was measured before the stop.");
}

rg_status rg_compare_md(FILE *f, const rg_comparison *c, rg_err *err)
{
    rg_lines verdict = {0};
    what(f, c);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) speed(f, c, ph);
    loss(f, c);
    fprintf(f,
        "\nTokens/s are medians%s; intervals are exact ones of order statistics (95 %% from six samples). "
        "Bytes ratio: counted bytes per token of the first over this. Worth: ideal time of the first over "
        "this, on the measured roofs. Reached: gain / worth.\n\n## Verdict\n\n",
        c->b ? ", gains medians over rounds in which every variant ran" : "");
    rg_compare_verdict(&verdict, c);
    for (int i = 0; i < verdict.n; i++) fprintf(f, "- %s\n", verdict.s[i]);
    const bool failed = verdict.failed;
    rg_lines_free(&verdict);
    if (failed) return rg_no_memory(err, "compare");
    return rg_written(f, "compare", false, err);
}

static rg_doc_side *side_of(const rg_comparison *c, const rg_side *s, rg_phase ph)
{
    const rg_bench_row *row = s->row[ph];
    rg_doc_side *d = s->phase[ph].test ? malloc(sizeof *d) : NULL;
    if (!d) return NULL;
    *d = rg_side_gain(&c->side[0], s, ph);
    d->samples_ns = row ? json_array() : NULL;
    for (int i = 0; row && i < row->n; i++) json_array_append_new(d->samples_ns, json_real(row->ns[i]));
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
