/* `ridge compare` as Markdown and JSON. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"
#include "roofline/measure/json_value.h"
#include "tools/compare/compare.h"
#include "tools/eval/eval_report.h"

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

static const char *share(char *buf, size_t n, double x)
{
    if (isfinite(x))
        snprintf(buf, n, "%.1f", 100.0 * x);
    else
        snprintf(buf, n, "n/a");
    return buf;
}

static void what(FILE *f, const rg_comparison *c)
{
    rg_table t = {0};
    rg_table_head(&t, "<variant", "<weights", ">bits/weight", ">resident", ">per step", "<KV", "<act", "<isa",
        ">threads", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_side *s = &c->side[i];
        char label[192], bits[W], size[W], step[W], threads[W];
        snprintf(threads, sizeof threads, "%d", s->threads);
        rg_table_row(&t, rg_text_cell(label, sizeof label, s->label), s->dtype,
            rg_num(bits, sizeof bits, s->bits_resident), rg_bytes(size, sizeof size, s->resident_bytes),
            rg_bytes(step, sizeof step, s->stream_bytes), s->kv, s->act, s->isa, s->threads ? threads : "n/a",
            NULL);
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
}

static void speed(FILE *f, const rg_comparison *c, rg_phase ph)
{
    rg_table t = {0};
    bool any = false;
    for (int i = 0; i < c->n; i++) any = any || c->side[i].phase[ph].ran;
    if (!any) return;
    fprintf(f, "\n## %s\n\n", rg_phase_names[ph]);
    rg_table_head(&t, "<variant", "<test", ">tokens/s", ">interval", ">spread", ">MBU %", ">roof %", ">gain",
        ">interval", ">bytes ratio", ">worth", ">reached", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_side *s = &c->side[i];
        const rg_side_phase *p = &s->phase[ph];
        const rg_gain g = rg_gain_of(&c->side[0], s, ph);
        char b[12][W], label[192];
        if (!p->ran) continue;
        snprintf(b[0], W, "%.2f", p->ts);
        rg_table_row(&t, rg_text_cell(label, sizeof label, s->label), p->test, b[0],
            interval(b[1], W, p->low, p->high), rg_percent(b[2], W, p->spread), share(b[3], W, p->mbu),
            share(b[4], W, p->roof_fraction), i ? rg_num(b[5], W, g.ratio) : "1",
            i ? interval(b[6], W, g.low, g.high) : "", i ? rg_num(b[7], W, g.bytes) : "1",
            i ? rg_num(b[8], W, g.roofs) : "1", i ? rg_percent(b[9], W, g.reached) : "", NULL);
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
        char b[9][W], label[192];
        if (s->n == 0) continue;
        rg_table_row(&t, rg_text_cell(label, sizeof label, c->side[i].label), rg_num(b[0], W, s->ppl),
            rg_num(b[1], W, s->ppl_error), s->reference ? rg_num(b[2], W, s->ppl_ratio) : "1",
            s->reference ? rg_num(b[3], W, s->kld.mean) : "0",
            s->reference ? rg_num(b[4], W, s->kld.error) : "",
            s->reference ? rg_num(b[5], W, s->kld.at[5]) : "0",
            s->reference ? rg_num(b[6], W, s->kld.at[8]) : "0",
            s->reference ? share(b[7], W, s->same_top) : "100.0", NULL);
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
    char a[32], b[32], r[32], k[32], e[32], t[32];
    if (s->score.n == 0 || !s->score.reference) return;
    rg_lines_add(out,
        "loss: %s has perplexity %s where %s has %s (%s times), a KL divergence of %s +- %s nats a token, "
        "and the same likeliest token in %s %%.",
        s->label, rg_num(a, sizeof a, s->score.ppl), base->label, rg_num(b, sizeof b, base->score.ppl),
        rg_num(r, sizeof r, s->score.ppl_ratio), rg_num(k, sizeof k, s->score.kld.mean),
        rg_num(e, sizeof e, s->score.kld.error), share(t, sizeof t, s->score.same_top));
}

void rg_compare_verdict(rg_lines *out, const rg_comparison *c)
{
    char a[32], lo[32], hi[32];
    for (int i = 1; i < c->n; i++) {
        double gain[RG_PHASE_COUNT]; /* as in the table: paired by rounds */
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_gain g = rg_gain_of(&c->side[0], &c->side[i], (rg_phase)ph);
            gain[ph] = g.ratio;
            if (!isfinite(g.ratio) || (isfinite(g.low) && (g.low > 1.0 || g.high < 1.0))) continue;
            if (isfinite(g.low))
                rg_lines_add(out,
                    "%s: this noise does not tell %s and %s apart: the gain of %s has the interval %s to %s; "
                    "use a larger -r.",
                    rg_phase_names[ph], c->side[i].label, c->side[0].label, rg_num(a, sizeof a, g.ratio),
                    rg_num(lo, sizeof lo, g.low), rg_num(hi, sizeof hi, g.high));
            else
                rg_lines_add(out,
                    "%s: no interval for the gain of %s: there are fewer than three samples, or a saved run "
                    "does not hold its own.",
                    rg_phase_names[ph], rg_num(a, sizeof a, g.ratio));
        }
        rg_verdict_compare(out, &c->side[0].run, &c->side[i].run, gain);
    }
    for (int i = 1; i < c->n; i++) say_loss(out, &c->side[0], &c->side[i]);
    for (int i = 1; i < c->n; i++)
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
            if (c->side[0].phase[ph].ran && c->side[i].phase[ph].ran &&
                strcmp(c->side[0].phase[ph].test, c->side[i].phase[ph].test) != 0)
                rg_lines_add(out, "%s: %s measured %s and %s measured %s: the gain compares different work.",
                    rg_phase_names[ph], c->side[0].label, c->side[0].phase[ph].test, c->side[i].label,
                    c->side[i].phase[ph].test);
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
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) speed(f, c, (rg_phase)ph);
    loss(f, c);
    fprintf(f,
        "\nTokens/s are medians%s; intervals are exact ones of order statistics (95 %% from six samples). "
        "Bytes ratio: counted bytes per token of the first "
        "over this. Worth: ideal time of the first over this, on the measured roofs. Reached: gain / "
        "worth.\n\n## Verdict\n\n",
        c->b ? ", gains medians over rounds in which every variant ran" : "");
    rg_compare_verdict(&verdict, c);
    for (int i = 0; i < verdict.n; i++) fprintf(f, "- %s\n", verdict.s[i]);
    const bool failed = verdict.failed;
    rg_lines_free(&verdict);
    if (failed) return rg_fail(err, RG_E_NOMEM, "compare: out of memory");
    return ferror(f) ? rg_fail(err, RG_E_FILE, "compare: cannot write: %s", strerror(errno)) : RG_OK;
}

static rg_doc_side *side_of(const rg_comparison *c, const rg_side *s, rg_phase ph)
{
    const rg_side_phase *p = &s->phase[ph];
    const rg_gain g = rg_gain_of(&c->side[0], s, ph);
    rg_doc_side *d = p->ran ? malloc(sizeof *d) : NULL;
    if (!d) return NULL;
    *d = (rg_doc_side){.test = p->test,
        .tokens_per_s = p->ts,
        .tokens_per_s_low = p->low,
        .tokens_per_s_high = p->high,
        .spread = p->spread,
        .mbu = p->mbu,
        .mfu = p->mfu,
        .roof_fraction = p->roof_fraction,
        .bytes_per_token = p->bytes,
        .gain = g.ratio,
        .gain_low = g.low,
        .gain_high = g.high,
        .bytes_ratio = g.bytes,
        .gain_expected = g.roofs,
        .gain_reached = g.reached,
        .samples_ns = p->row ? json_array() : NULL};
    for (int i = 0; p->row && i < p->row->n; i++)
        json_array_append_new(d->samples_ns, json_real(p->row->ns[i]));
    return d;
}

static rg_doc_variant variant_of(const rg_comparison *c, const rg_side *s)
{
    return (rg_doc_variant){.name = s->label,
        .dtype = s->dtype,
        .act = s->act,
        .isa = s->isa,
        .kv_dtype = s->kv,
        .threads = s->threads ? (double)s->threads : (double)NAN,
        .resident_bytes = s->resident_bytes,
        .stream_bytes = s->stream_bytes,
        .bits_per_weight_file = s->bits_file,
        .bits_per_weight_resident = s->bits_resident,
        .prefill = side_of(c, s, RG_PREFILL),
        .decode = side_of(c, s, RG_DECODE),
        .loss = s->score.n > 0 ? rg_eval_score(&s->score) : NULL};
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
        .variants = calloc((size_t)c->n, sizeof *face.variants),
        .verdict = rg_doc_lines(&verdict),
        .runs = calloc((size_t)c->n, sizeof *face.runs)};
    bool ok = face.variants && face.runs && !verdict.failed && rg_compare_operators(&face, c);
    for (int i = 0; i < c->n && ok; i++) {
        face.variants[face.n_variants++] = variant_of(c, &c->side[i]);
        face.runs[face.n_runs++] = c->side[i].doc.at; /* borrowed */
    }
    *d = (rg_doc){.kind = RG_DOC_KINDS};
    const rg_status st = ok ? rg_doc_make(d, RG_DOC_compare, &face, err)
                            : rg_fail(err, RG_E_NOMEM, "compare: out of memory for the report");
    face.n_runs = 0;
    rg_object_free(RG_OBJ_compare, &face);
    rg_lines_free(&verdict);
    return st;
}
