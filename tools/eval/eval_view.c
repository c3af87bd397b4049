/* What ridge eval found, on a terminal: the sentence to repeat, then at most ten rows. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/cells.h"
#include "tools/eval/eval.h"

enum { MOST_ROWS = 10 };
/* Standard errors in a 95 % interval. */
static const double ERRORS = 1.96;

/* A side by what tells it from the other (NULL: by its name and type); short: for the head of a column. */
static const char *label(
    char *buf, size_t n, const rg_doc_eval_model *m, const rg_doc_eval_model *other, bool brief)
{
    const bool named = !other || strcmp(m->path, other->path) != 0,
               acts = other && strcmp(m->act, other->act) != 0,
               typed = !other || strcmp(m->dtype, other->dtype) != 0 || (!named && !(brief && acts));
    buf[0] = 0;
    if (named) rg_text_add(buf, n, "%s", RG_CLEAN(100, m->name));
    if (typed) rg_text_add(buf, n, "%s%s", buf[0] ? " " : "", m->dtype);
    if (!brief && other && strcmp(m->head_dtype, other->head_dtype) != 0 &&
        strcmp(m->dtype, other->dtype) == 0)
        rg_text_add(buf, n, " with the output matrix in %s", m->head_dtype);
    if (acts) rg_text_add(buf, n, brief ? "%sact %s" : "%swith %s activations", buf[0] ? " " : "", m->act);
    return buf;
}

/* "3.2 %" of a share that may be small. */
static const char *points(char *buf, size_t n, double share)
{
    const double p = 100.0 * fabs(share);
    return rg_text(buf, n, "%.*f %%", p < 0.1 ? 3 : p < 1.0 ? 2 : p < 99.95 ? 1 : 0, p);
}
#define POINTS(x) points((char[32]){0}, 32, x)

/* "95 % interval +0.04 to +0.16 %", with the digits that tell it from 0. */
static const char *interval(char *buf, size_t n, double low, double high)
{
    const int digits = fmin(fabs(low), fabs(high)) < 0.001 ? 3 : 2;
    return rg_text(buf, n, "(95 %% interval %+.*f to %+.*f %%)", digits, 100.0 * low, digits, 100.0 * high);
}

static void against_reference(char *buf, size_t n, const rg_eval_report *r)
{
    const rg_score_stats *s = &r->stats;
    char a[256], b[256];
    label(a, sizeof a, &r->model, &r->ref, false);
    label(b, sizeof b, &r->ref, &r->model, false);
    const double low = expm1(s->ln_ratio - ERRORS * s->ln_ratio_error),
                 high = expm1(s->ln_ratio + ERRORS * s->ln_ratio_error), change = expm1(s->ln_ratio);
    if (s->kld.mean == 0.0 && s->same_top == 1.0) {
        rg_text(buf, n, "%s predicts exactly what %s does.", a, b);
        return;
    }
    rg_text(
        buf, n, "%s is %s than %s by %s perplexity", a, change < 0.0 ? "better" : "worse", b, POINTS(change));
    if (isnan(s->ln_ratio_error))
        rg_text_add(buf, n, " (one token scored: no error is known)");
    else
        rg_text_add(buf, n, "%s %s", low <= 0.0 && high >= 0.0 ? ", within its error" : "",
            interval((char[64]){0}, 64, low, high));
    rg_text_add(buf, n, "; %s of next words the same.", POINTS(s->same_top));
}

static void by_itself(char *buf, size_t n, const rg_eval_report *r)
{
    const rg_score_stats *s = &r->stats;
    const double d = ERRORS * s->nll_error;
    char a[256];
    rg_text(buf, n, "%s: perplexity %s", label(a, sizeof a, &r->model, NULL, false), RG_NUM(s->ppl));
    if (isfinite(d))
        rg_text_add(buf, n, " (95 %% interval %s to %s)", RG_NUM(exp(s->nll - d)), RG_NUM(exp(s->nll + d)));
    rg_text_add(buf, n, ": as unsure of the next token as among %s equally likely ones.", RG_NUM(s->ppl));
}

static void worst_part(char *buf, size_t n, const rg_eval_report *r)
{
    const rg_eval_part *worst = r->parts, *cheap = NULL;
    double least = INFINITY;
    for (int i = 0; i < r->n_parts; i++) {
        const double per_mib = r->parts[i].stats.kld.mean / r->parts[i].saved_bytes;
        if (!(r->parts[i].saved_bytes > 0.0) || per_mib >= least) continue;
        least = per_mib;
        cheap = &r->parts[i];
    }
    rg_text(buf, n, "Of %d parts, %s costs most in %s (KL divergence %s nats a token)", r->n_parts,
        worst->name, r->model.dtype, RG_NUM(worst->stats.kld.mean));
    if (cheap) rg_text_add(buf, n, "; %s saves its memory at the lowest price", cheap->name);
    rg_text_add(buf, n, ".");
}

void rg_eval_sentence(char *buf, size_t n, const rg_eval_report *r)
{
    buf[0] = 0;
    if (r->sensitivity && r->n_parts > 0)
        worst_part(buf, n, r);
    else if (r->stats.n > 0 && r->stats.reference)
        against_reference(buf, n, r);
    else if (r->stats.n > 0)
        by_itself(buf, n, r);
}

/* A value and its standard error, to two digits of the error: 10.24 +- 0.41. */
static const char *with_error(char *buf, size_t n, double x, double error, double scale, const char *unit)
{
    if (!(error > 0.0) || !isfinite(error)) return rg_text(buf, n, "%s%s", RG_NUM(scale * x), unit);
    const int digits = (int)fmin(fmax(1.0 - floor(log10(scale * error)), 0.0), 8.0);
    return rg_text(buf, n, "%.*f \xc2\xb1 %.*f%s", digits, scale * x, digits, scale * error, unit);
}
#define ERROR(x, e) with_error((char[64]){0}, 64, x, e, 1.0, "")
#define ERROR_POINTS(x, e) with_error((char[64]){0}, 64, x, e, 100.0, " %")

static double speed(const rg_eval_report *r, uint64_t ns)
{
    return ns ? (double)r->run.tokens_in / (double)ns * 1e9 : NAN;
}

static void rows(rg_table *t, const rg_eval_report *r)
{
    const rg_score_stats *s = &r->stats;
    const bool two = s->reference;
    const rg_doc_eval_model *m = &r->model, *o = &r->ref;
    char a[256], b[256], change[64];
    rg_table_head(t, "<", RG_TEXT(260, ">%s", label(a, sizeof a, m, two ? o : NULL, true)),
        two ? RG_TEXT(260, ">%s", label(b, sizeof b, o, m, true)) : NULL, ">change", NULL);
    rg_text(change, sizeof change, "%+.2f %%", 100.0 * expm1(s->ln_ratio));
    rg_table_row(t, "perplexity", ERROR(s->ppl, s->ppl_error),
        two ? ERROR(s->ref_ppl, s->ref_ppl_error) : NULL, change, NULL);
    if (two) {
        rg_table_row(t, "next word the same", ERROR_POINTS(s->same_top, s->same_top_error), NULL);
        rg_table_row(t, "KL divergence, nats a token", ERROR(s->kld.mean, s->kld.error), NULL);
        rg_table_row(t, "  of 99 in 100 tokens at most", RG_NUM(s->kld.at[8]), NULL);
        rg_table_row(t, "probability of the text, change", ERROR_POINTS(s->rms_dp, s->rms_dp_error), NULL);
    }
    rg_table_row(t, "bits per weight", RG_NUM(m->bits_per_weight_resident),
        two ? RG_NUM(o->bits_per_weight_resident) : NULL, NULL);
    rg_text(change, sizeof change, "%+.1f %%", 100.0 * (m->resident_bytes / o->resident_bytes - 1.0));
    rg_table_row(t, "weights in memory", RG_BYTES(m->resident_bytes),
        two ? RG_BYTES(o->resident_bytes) : NULL, change, NULL);
    rg_table_row(t, "tokens/s of this evaluation", RG_NUM(speed(r, r->run.model_ns)),
        two ? RG_NUM(speed(r, r->run.ref_ns)) : NULL, NULL);
}

static void part_rows(rg_table *t, const rg_eval_report *r)
{
    rg_table_head(t, "<part", ">KL divergence", ">perplexity", ">next word the same", ">MiB saved",
        ">KL per MiB", NULL);
    for (int i = 0; i < r->n_parts && i < MOST_ROWS; i++) {
        const rg_score_stats *s = &r->parts[i].stats;
        const double mib = r->parts[i].saved_bytes / 1048576.0;
        rg_table_line(t, "ssssnn", r->parts[i].name, ERROR(s->kld.mean, s->kld.error),
            RG_TEXT(32, "%+.2f %%", 100.0 * expm1(s->ln_ratio)), POINTS(s->same_top), mib,
            mib > 0.0 ? s->kld.mean / mib : NAN);
    }
}

rg_status rg_eval_report_text(const rg_screen *s, const rg_eval_report *r, rg_err *err)
{
    char said[900];
    bool failed = false;
    rg_table t = {0};
    rg_eval_sentence(said, sizeof said, r);
    rg_screen_say(s, RG_INK_HEAD, 0, "%s", said);
    if (r->interrupted) rg_screen_say(s, RG_INK_WARN, 0, "Interrupted: this is what was scored until then.");
    fputc('\n', s->f);
    if (s->wide) return rg_eval_report_md(s->f, r, err);
    if (r->sensitivity)
        part_rows(&t, r);
    else
        rows(&t, r);
    rg_screen_table(s, 2, &t, &failed);
    fputc('\n', s->f);
    if (r->n_parts > MOST_ROWS)
        rg_screen_say(s, RG_INK_DIM, 2, "%d parts more with --wide", r->n_parts - MOST_ROWS);
    rg_screen_say(s, RG_INK_DIM, 2,
        "%s: %lld windows of %lld tokens, %lld of each scored; %s kernels, %d thread%s",
        RG_CLEAN(500, r->source), (long long)r->run.windows, (long long)r->opts.ctx,
        (long long)r->run.scored_per_window, r->isa, r->threads, r->threads == 1 ? "" : "s");
    rg_screen_say(s, RG_INK_DIM, 2, "all figures: --wide; for programs: -o json");
    return rg_written(s->f, "eval", failed, err);
}
