/* What ridge eval found: tables for people, and the document. */
#include "tools/eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/cells.h"

static const char *const mode_names[] = {
    [RG_EVAL_HALF] = "half", [RG_EVAL_ALL] = "all", [RG_EVAL_STRIDE] = "stride"};
/* Of rg_score_levels, as llama.cpp's words. */
static const char *const level_names[RG_SCORE_LEVELS] = {
    "Minimum", "0.1%", "1.0%", "10.0%", "25.0%", "Median", "75.0%", "90.0%", "99.0%", "99.9%", "Maximum"};

static double tokens_per_s(const rg_eval_report *r)
{
    return r->run.model_ns ? (double)r->run.tokens_in / (double)r->run.model_ns * 1e9 : NAN;
}

/* ---- for people ---- */

static void model_line(FILE *f, const char *what, const rg_doc_eval_model *m)
{
    char a[160], b[600];
    fprintf(f,
        "%s %s (%s, %s), weights %s, output %s, activations %s, %.2f bits per weight resident, KV %s\n", what,
        rg_text_clean(a, sizeof a, m->name), m->format, rg_text_clean(b, sizeof b, m->path), m->dtype,
        m->head_dtype, m->act, m->bits_per_weight_resident, m->kv_dtype);
}

static void value(
    rg_table *t, const char *name, double x, double error, int digits, double scale, const char *unit)
{
    char a[64], b[64] = "";
    snprintf(a, sizeof a, "%.*f%s", digits, x * scale, unit);
    if (!isnan(error)) snprintf(b, sizeof b, "%.*f%s", digits, error * scale, unit);
    rg_table_row(t, name, a, b, NULL);
}

static void spread_rows(
    rg_table *t, const char *what, const rg_spread *s, int digits, double scale, const char *unit)
{
    char name[64];
    snprintf(name, sizeof name, "Mean %s", what);
    value(t, name, s->mean, s->error, digits, scale, unit);
    for (int i = RG_SCORE_LEVELS - 1; i >= 0; i--) {
        snprintf(name, sizeof name, "%s %s", level_names[i], what);
        value(t, name, s->at[i], NAN, digits, scale, unit);
    }
}

static void parts(FILE *f, const rg_eval_report *r)
{
    rg_table t = {0};
    rg_table_head(&t, ">rank", strcmp(r->sensitivity, "layer") == 0 ? "<layer" : "<weights", ">million",
        ">MiB saved", ">mean KLD", ">99% KLD", ">ln(PPL ratio)", ">std. error", ">same top p", ">KLD per MiB",
        NULL);
    for (int i = 0; i < r->n_parts; i++) {
        const rg_eval_part *p = &r->parts[i];
        const double mib = p->saved_bytes / 1048576.0;
        char ratio[32], same[32];
        snprintf(ratio, sizeof ratio, "%+.6f", p->stats.ln_ratio);
        snprintf(same, sizeof same, "%.2f %%", 100.0 * p->stats.same_top);
        rg_table_line(&t, "ds3366s6sn", i + 1, p->name, (double)p->weights * 1e-6, mib, p->stats.kld.mean,
            p->stats.kld.at[8], ratio, p->stats.ln_ratio_error, same,
            mib > 0.0 ? p->stats.kld.mean / mib : NAN);
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
}

static void results(FILE *f, const rg_score_stats *s)
{
    rg_table t = {0};
    rg_table_head(&t, "<statistic", ">value", ">std. error", NULL);
    value(&t, s->reference ? "Mean PPL(Q)" : "PPL", s->ppl, s->ppl_error, 6, 1.0, "");
    value(&t, "Mean NLL, nats per token", s->nll, s->nll_error, 6, 1.0, "");
    if (s->reference) {
        value(&t, "Mean PPL(base)", s->ref_ppl, s->ref_ppl_error, 6, 1.0, "");
        value(&t, "Cor(ln(PPL(Q)), ln(PPL(base)))", s->correlation, NAN, 2, 100.0, " %");
        value(&t, "Mean ln(PPL(Q)/PPL(base))", s->ln_ratio, s->ln_ratio_error, 6, 1.0, "");
        value(&t, "Mean PPL(Q)/PPL(base)", s->ppl_ratio, s->ppl_ratio_error, 6, 1.0, "");
        value(&t, "Mean PPL(Q)-PPL(base)", s->ppl_diff, s->ppl_diff_error, 6, 1.0, "");
        spread_rows(&t, "KLD", &s->kld, 6, 1.0, "");
        spread_rows(&t, "\xce\x94p", &s->dp, 3, 100.0, " %");
        value(&t, "RMS \xce\x94p", s->rms_dp, s->rms_dp_error, 3, 100.0, " %");
        value(&t, "Same top p", s->same_top, s->same_top_error, 3, 100.0, " %");
    }
    rg_table_print(f, &t);
    rg_table_free(&t);
}

rg_status rg_eval_report_md(FILE *f, const rg_eval_report *r, rg_err *err)
{
    char a[64], b[64], src[600];
    const rg_eval_opts *o = &r->opts;
    model_line(f, r->ref.path ? "model Q:" : "model:", &r->model);
    if (r->ref.path) model_line(f, "base:", &r->ref);
    fprintf(f, "text: %s, %lld tokens; %lld windows of %lld", rg_text_clean(src, sizeof src, r->source),
        (long long)r->text_tokens, (long long)r->run.windows, (long long)o->ctx);
    if (o->mode == RG_EVAL_STRIDE) fprintf(f, " every %lld", (long long)o->stride);
    fprintf(f, ", %s, %lld tokens of each scored; %lld tokens unused\n",
        o->bos < 0                   ? "no BOS"
            : o->mode == RG_EVAL_ALL ? "each preceded by BOS"
                                     : "the first token of each replaced by BOS",
        (long long)r->run.scored_per_window, (long long)r->run.unused);
    fprintf(f, "%s kernels, %d threads; %s tokens/s through the model (measured, %lld tokens in %s", r->isa,
        r->threads, rg_num(a, sizeof a, tokens_per_s(r)), (long long)r->run.tokens_in,
        rg_time(b, sizeof b, (double)r->run.model_ns));
    fprintf(f, "), %s in all\n\n", rg_time(b, sizeof b, (double)r->run.wall_ns));
    if (r->interrupted) fprintf(f, "INTERRUPTED: this is what was scored until then.\n\n");
    if (r->sensitivity)
        parts(f, r);
    else if (r->stats.n > 0)
        results(f, &r->stats);
    rg_eval_sentence(src, sizeof src, r);
    fprintf(f, "\n%s\n", src);
    return ferror(f) ? rg_fail(err, RG_E_FILE, "standard output: cannot write") : RG_OK;
}

/* ---- the document ---- */

static rg_doc_spread *spread_of(const rg_spread *s)
{
    rg_doc_spread *d = malloc(sizeof *d);
    const double *at = s->at;
    if (d)
        *d = (rg_doc_spread){.mean = s->mean,
            .mean_error = s->error,
            .min = at[0],
            .p0_1 = at[1],
            .p1 = at[2],
            .p10 = at[3],
            .p25 = at[4],
            .median = at[5],
            .p75 = at[6],
            .p90 = at[7],
            .p99 = at[8],
            .p99_9 = at[9],
            .max = at[10]};
    return d;
}
_Static_assert(RG_SCORE_LEVELS == 11, "spread_of spells out eleven levels");

static void fill_score(rg_doc_score *d, const rg_score_stats *s)
{
    *d = (rg_doc_score){.scored_tokens = (double)s->n,
        .nll_nats = s->nll,
        .nll_error = s->nll_error,
        .ppl = s->ppl,
        .ppl_error = s->ppl_error,
        .ref_ppl = s->ref_ppl,
        .ref_ppl_error = s->ref_ppl_error,
        .ln_ppl_ratio = s->ln_ratio,
        .ln_ppl_ratio_error = s->ln_ratio_error,
        .ppl_ratio = s->ppl_ratio,
        .ppl_ratio_error = s->ppl_ratio_error,
        .ppl_diff = s->ppl_diff,
        .ppl_diff_error = s->ppl_diff_error,
        .correlation = s->correlation,
        .kld_nats = s->reference ? spread_of(&s->kld) : NULL,
        .dp = s->reference ? spread_of(&s->dp) : NULL,
        .rms_dp = s->rms_dp,
        .rms_dp_error = s->rms_dp_error,
        .same_top = s->same_top,
        .same_top_error = s->same_top_error};
}

rg_doc_score *rg_eval_score(const rg_score_stats *s)
{
    rg_doc_score *d = malloc(sizeof *d);
    if (d) fill_score(d, s);
    return d;
}

rg_status rg_eval_report_doc(rg_doc *d, const rg_eval_report *r, rg_err *err)
{
    char stamp[32];
    const bool with_ref = r->ref.path;
    rg_doc_eval face = {.command = r->command,
        .started = rg_stamp(stamp, sizeof stamp, r->started),
        .isa = r->isa,
        .threads = r->threads,
        .interrupted = r->interrupted,
        .model = r->model,
        .ref = with_ref ? malloc(sizeof *face.ref) : NULL,
        .text = {.source = r->source,
            .tokens = (double)r->text_tokens,
            .score = mode_names[r->opts.mode],
            .window_tokens = (double)r->opts.ctx,
            .stride_tokens = r->opts.mode == RG_EVAL_STRIDE ? (double)r->opts.stride : NAN,
            .bos = r->opts.bos,
            .windows = (double)r->run.windows,
            .scored_per_window = (double)r->run.scored_per_window,
            .unused_tokens = (double)r->run.unused},
        .result = r->stats.n > 0 ? rg_eval_score(&r->stats) : NULL,
        .sensitivity = r->sensitivity ? calloc(1, sizeof *face.sensitivity) : NULL,
        .speed = {.tokens = (double)r->run.tokens_in,
            .model_ns = (double)r->run.model_ns,
            .ref_ns = with_ref ? (double)r->run.ref_ns : NAN,
            .wall_ns = (double)r->run.wall_ns,
            .tokens_per_s = tokens_per_s(r)}};
    if (face.ref) *face.ref = r->ref;
    if (r->now.l2_gbps > 0.0 && (face.speed.canary = malloc(sizeof *face.speed.canary)))
        *face.speed.canary = (rg_doc_canary){.fma_gflops = r->now.fma_gflops, .l2_gbps = r->now.l2_gbps};
    if (face.sensitivity) {
        rg_doc_part *part = calloc(r->n_parts + 1, sizeof *part);
        *face.sensitivity = (rg_doc_sensitivity){.by = r->sensitivity, .parts = part};
        for (int i = 0; i < r->n_parts && part; i++) {
            part[i] = (rg_doc_part){.name = r->parts[i].name,
                .weights = (double)r->parts[i].weights,
                .saved_bytes = r->parts[i].saved_bytes};
            fill_score(&part[i].result, &r->parts[i].stats);
            face.sensitivity->n_parts++;
        }
    }
    const rg_status st = rg_doc_make(d, RG_DOC_eval, &face, err);
    rg_object_free(RG_OBJ_eval, &face);
    return st;
}
