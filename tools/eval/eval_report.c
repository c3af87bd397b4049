#include "tools/eval/eval_report.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/table.h"
#include "roofline/measure/json_value.h"

static const char *const mode_names[] = {
    [RG_EVAL_HALF] = "half", [RG_EVAL_ALL] = "all", [RG_EVAL_STRIDE] = "stride"};
/* Of rg_score_levels, as keys and as llama.cpp's words. */
static const char *const level_keys[RG_SCORE_LEVELS] = {
    "min", "p0_1", "p1", "p10", "p25", "median", "p75", "p90", "p99", "p99_9", "max"};
static const char *const level_names[RG_SCORE_LEVELS] = {
    "Minimum", "0.1%", "1.0%", "10.0%", "25.0%", "Median", "75.0%", "90.0%", "99.0%", "99.9%", "Maximum"};

static double tokens_per_s(const rg_eval_report *r)
{
    return r->run.model_ns ? (double)r->run.tokens_in / (double)r->run.model_ns * 1e9 : NAN;
}

/* ---- for people ---- */

static void model_line(FILE *f, const char *what, const rg_eval_model *m)
{
    char a[160], b[600];
    fprintf(f, "%s %s (%s, %s), weights %s, output %s, %.2f bits per weight resident, KV %s\n", what,
        rg_text_clean(a, sizeof a, m->name), m->format, rg_text_clean(b, sizeof b, m->path), m->dtype,
        m->head_dtype, m->bits_resident, m->kv);
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
        const double mib = (double)p->saved_bytes / 1048576.0;
        char c[9][32];
        snprintf(c[0], sizeof c[0], "%d", i + 1);
        snprintf(c[1], sizeof c[1], "%.3f", (double)p->weights * 1e-6);
        snprintf(c[2], sizeof c[2], "%.3f", mib);
        snprintf(c[3], sizeof c[3], "%.6f", p->stats.kld.mean);
        snprintf(c[4], sizeof c[4], "%.6f", p->stats.kld.at[8]);
        snprintf(c[5], sizeof c[5], "%+.6f", p->stats.ln_ratio);
        snprintf(c[6], sizeof c[6], "%.6f", p->stats.ln_ratio_error);
        snprintf(c[7], sizeof c[7], "%.2f %%", 100.0 * p->stats.same_top);
        rg_num(c[8], sizeof c[8], mib > 0.0 ? p->stats.kld.mean / mib : NAN);
        rg_table_row(&t, c[0], p->name, c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], NULL);
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
    model_line(f, r->ref.path[0] ? "model Q:" : "model:", &r->model);
    if (r->ref.path[0]) model_line(f, "base:", &r->ref);
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
    return ferror(f) ? rg_fail(err, RG_E_FILE, "standard output: cannot write") : RG_OK;
}

/* ---- for programs ---- */

/* A missing value becomes null; without memory the whole object fails, which *ok remembers. */
static void put(json_t *o, const char *key, json_t *v, bool *ok)
{
    if (json_object_set_new(o, key, v) != 0) *ok = false;
}
#define REAL(key, x) put(o, key, rg_json_real(x), ok)
#define COUNT(key, x) put(o, key, json_integer((json_int_t)(x)), ok)
#define TEXT(key, x) put(o, key, rg_json_text(x), ok)

static json_t *model(const rg_eval_model *m, bool *ok)
{
    if (!m->path[0]) return json_null();
    json_t *o = json_object();
    TEXT("path", m->path);
    TEXT("name", m->name);
    TEXT("format", m->format);
    TEXT("dtype", m->dtype);
    TEXT("head_dtype", m->head_dtype);
    TEXT("kv_dtype", m->kv);
    REAL("bits_per_weight_resident", m->bits_resident);
    COUNT("resident_bytes", m->resident_bytes);
    return o;
}

static json_t *spread_json(const rg_spread *s, bool *ok)
{
    json_t *o = json_object();
    REAL("mean", s->mean);
    REAL("mean_error", s->error);
    for (int i = 0; i < RG_SCORE_LEVELS; i++) REAL(level_keys[i], s->at[i]);
    return o;
}

json_t *rg_eval_stats_json(const rg_score_stats *s, bool *ok)
{
    json_t *o = json_object();
    COUNT("scored_tokens", s->n);
    REAL("nll_nats", s->nll);
    REAL("nll_error", s->nll_error);
    REAL("ppl", s->ppl);
    REAL("ppl_error", s->ppl_error);
    REAL("ref_ppl", s->ref_ppl);
    REAL("ref_ppl_error", s->ref_ppl_error);
    REAL("ln_ppl_ratio", s->ln_ratio);
    REAL("ln_ppl_ratio_error", s->ln_ratio_error);
    REAL("ppl_ratio", s->ppl_ratio);
    REAL("ppl_ratio_error", s->ppl_ratio_error);
    REAL("ppl_diff", s->ppl_diff);
    REAL("ppl_diff_error", s->ppl_diff_error);
    REAL("correlation", s->correlation);
    put(o, "kld_nats", s->reference ? spread_json(&s->kld, ok) : json_null(), ok);
    put(o, "dp", s->reference ? spread_json(&s->dp, ok) : json_null(), ok);
    REAL("rms_dp", s->rms_dp);
    REAL("rms_dp_error", s->rms_dp_error);
    REAL("same_top", s->same_top);
    REAL("same_top_error", s->same_top_error);
    return o;
}

static json_t *text_json(const rg_eval_report *r, bool *ok)
{
    json_t *o = json_object();
    TEXT("source", r->source);
    COUNT("tokens", r->text_tokens);
    TEXT("score", mode_names[r->opts.mode]);
    COUNT("window_tokens", r->opts.ctx);
    put(o, "stride_tokens", r->opts.mode == RG_EVAL_STRIDE ? json_integer(r->opts.stride) : json_null(), ok);
    put(o, "bos", r->opts.bos >= 0 ? json_integer(r->opts.bos) : json_null(), ok);
    COUNT("windows", r->run.windows);
    COUNT("scored_per_window", r->run.scored_per_window);
    COUNT("unused_tokens", r->run.unused);
    return o;
}

static json_t *part_json(const rg_eval_part *p, bool *ok)
{
    json_t *o = json_object();
    TEXT("name", p->name);
    COUNT("weights", p->weights);
    COUNT("saved_bytes", p->saved_bytes);
    put(o, "result", rg_eval_stats_json(&p->stats, ok), ok);
    return o;
}

rg_status rg_eval_report_json(FILE *f, const rg_eval_report *r, rg_err *err)
{
    bool all = true, *ok = &all;
    char stamp[32] = "";
    struct tm tm;
    json_t *o = json_object(), *speed = json_object();
    if (gmtime_r(&r->started, &tm)) strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
    TEXT("schema", "ridge.eval");
    COUNT("version", 1);
    TEXT("command", r->command);
    TEXT("started", stamp);
    TEXT("isa", r->isa);
    COUNT("threads", r->threads);
    put(o, "interrupted", json_boolean(r->interrupted), ok);
    put(o, "model", model(&r->model, ok), ok);
    put(o, "ref", model(&r->ref, ok), ok);
    put(o, "text", text_json(r, ok), ok);
    put(o, "result", r->stats.n > 0 ? rg_eval_stats_json(&r->stats, ok) : json_null(), ok);
    put(o, "sensitivity", r->sensitivity ? json_object() : json_null(), ok);
    if (r->sensitivity) {
        json_t *s = json_object_get(o, "sensitivity"), *list = json_array();
        for (int i = 0; i < r->n_parts; i++) json_array_append_new(list, part_json(&r->parts[i], ok));
        put(s, "by", rg_json_text(r->sensitivity), ok);
        put(s, "parts", list, ok);
    }
    put(o, "speed", speed, ok);
    put(speed, "tokens", json_integer(r->run.tokens_in), ok);
    put(speed, "model_ns", json_integer((json_int_t)r->run.model_ns), ok);
    put(speed, "ref_ns", r->ref.path[0] ? json_integer((json_int_t)r->run.ref_ns) : json_null(), ok);
    put(speed, "wall_ns", json_integer((json_int_t)r->run.wall_ns), ok);
    put(speed, "tokens_per_s", rg_json_real(tokens_per_s(r)), ok);
    rg_status st = all ? RG_OK : rg_fail(err, RG_E_NOMEM, "report: out of memory");
    if (st == RG_OK && (json_dumpf(o, f, JSON_INDENT(1) | JSON_PRESERVE_ORDER) != 0 || fputc('\n', f) == EOF))
        st = rg_fail(err, RG_E_FILE, "standard output: cannot write");
    json_decref(o);
    return st;
}
