/* Sides from saved files: `ridge profile -o json` and `ridge bench -o json`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/saved.h"
#include "tools/compare/compare.h"

static rg_side *add(rg_side **s, int *n, rg_err *err)
{
    rg_side *more = realloc(*s, (size_t)(*n + 1) * sizeof *more);
    if (!more) {
        rg_fail(err, RG_E_NOMEM, "compare: out of memory");
        return NULL;
    }
    *s = more;
    rg_side *x = &more[(*n)++];
    *x = (rg_side){.resident_bytes = NAN, .stream_bytes = NAN, .bits_file = NAN, .bits_resident = NAN};
    return x;
}

static void copy(char *to, size_t n, const char *s) { rg_text_cell(to, n, s ? s : "?"); }

static uint64_t whole(double x) { return isfinite(x) && x > 0.0 && x < 1e18 ? (uint64_t)x : 0; }

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    const double x = json_is_number(v) ? json_number_value(v) : NAN;
    return x >= 0.0 ? x : NAN;
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* A report that holds what the verdict reads. label and types live in the report. */
static rg_report *empty_report(const char *label, const char *head_dtype)
{
    rg_report *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->text[r->n_text++] = strdup(label);
    r->run.label = r->text[0];
    if (head_dtype) {
        r->text[r->n_text++] = strdup(head_dtype);
        r->model.head_dtype = r->text[1];
    }
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) r->phase[ph] = (rg_phase_sum){.bound = RG_BOUND_UNKNOWN};
    return r;
}

/* The output matrix, whose share of the bytes the verdict names. */
static void take_output(rg_report *r, const rg_saved_run *run)
{
    const rg_saved_op *op = rg_saved_find(run, RG_DECODE, rg_site_name(RG_SITE_OUTPUT));
    if (!op || !(r->row = calloc(1, sizeof *r->row))) return;
    r->n_rows = 1;
    r->row[0] = (rg_row){.phase = RG_DECODE,
        .site = RG_SITE_OUTPUT,
        .layer = -1,
        .t_ns = whole(op->t_ns),
        .ideal_ns = op->analytic_ns};
    r->row[0].analytic.w_rd = whole(op->analytic.weight);
    for (size_t i = 0; i < run->n_ops; i++)
        if (run->op[i].phase == RG_DECODE && run->op[i].layer < 0)
            r->phase[RG_DECODE].analytic.w_rd += whole(run->op[i].analytic.weight);
}

static const json_t *phase_json(const rg_saved_run *run, rg_phase ph)
{
    const json_t *o;
    size_t i;
    json_array_foreach (json_object_get(run->json, "phases"), i, o)
        if (text(o, "phase") && strcmp(text(o, "phase"), rg_phase_names[ph]) == 0) return o;
    return NULL;
}

static rg_status side_of_run(rg_side *s, const rg_saved_run *run, const char *file, rg_err *err)
{
    char name[96];
    copy(s->dtype, sizeof s->dtype, run->dtype);
    copy(s->act, sizeof s->act, run->act);
    copy(s->isa, sizeof s->isa, run->isa);
    copy(s->kv, sizeof s->kv, run->kv_dtype);
    copy(name, sizeof name, file);
    snprintf(s->label, sizeof s->label, "%.90s %s", name, s->dtype);
    s->threads = (int)whole(run->threads);
    s->run = json_incref((json_t *)(uintptr_t)run->json);
    s->resident_bytes = run->resident_bytes;
    s->stream_bytes = run->stream_bytes;
    s->bits_file = run->bits_file;
    s->bits_resident = run->bits_resident;
    rg_report *r = s->report = empty_report(s->label, run->head_dtype);
    if (!r) return rg_fail(err, RG_E_NOMEM, "compare: out of memory");
    r->model.stream_bytes = whole(run->stream_bytes);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_saved_phase *p = &run->phase[ph];
        const json_t *o = phase_json(run, (rg_phase)ph);
        if (!p->ran) continue;
        s->phase[ph] = (rg_side_phase){.ran = true,
            .ts = p->tokens_per_s,
            .low = number(o, "tokens_per_s_low"),
            .high = number(o, "tokens_per_s_high"),
            .spread = p->spread,
            .mbu = p->mbu,
            .mfu = p->mfu,
            .roof_fraction = p->fraction,
            .bytes = rg_ratio(p->bytes_counted, p->tokens)};
        snprintf(
            s->phase[ph].test, sizeof s->phase[ph].test, "%s%.0f", ph == RG_PREFILL ? "pp" : "tg", p->tokens);
        r->run.tokens_per_s[ph] = p->tokens_per_s;
        r->phase[ph] = (rg_phase_sum){.ran = true,
            .t_ns = whole(p->t_ns),
            .tokens = (int64_t)whole(p->tokens),
            .ideal_ns = p->analytic_ns,
            .flop_ns = number(o, "analytic_flop_ns"),
            .mem_ns = number(o, "analytic_mem_ns"),
            .overhead_ns = (int64_t)whole(p->overhead_ns),
            .stream_bytes = (int64_t)whole(p->stream_bytes),
            .bound = RG_BOUND_UNKNOWN};
    }
    take_output(r, run);
    return RG_OK;
}

/* The phase of a bench result, if it is of one phase. */
static int phase_of_result(const json_t *o)
{
    const double p = number(o, "n_prompt"), g = number(o, "n_gen");
    return p > 0.0 && g == 0.0 ? RG_PREFILL : g > 0.0 && p == 0.0 ? RG_DECODE : -1;
}

static void side_of_result(rg_side *s, const json_t *o, rg_phase ph)
{
    rg_report *r = s->report;
    s->phase[ph] = (rg_side_phase){.ran = true,
        .ts = number(o, "median_ts"),
        .low = number(o, "ci95_low_ts"),
        .high = number(o, "ci95_high_ts"),
        .spread = number(o, "spread"),
        .mbu = number(o, "mbu"),
        .mfu = number(o, "mfu"),
        .roof_fraction = number(o, "roof_fraction"),
        .bytes = rg_ratio(number(o, "bytes_counted"), number(o, "tokens"))};
    copy(s->phase[ph].test, sizeof s->phase[ph].test, text(o, "test"));
    r->run.tokens_per_s[ph] = number(o, "median_ts");
    r->phase[ph] = (rg_phase_sum){.ran = true,
        .t_ns = whole(number(o, "median_ns")),
        .tokens = (int64_t)whole(number(o, "tokens")),
        .ideal_ns = number(o, "analytic_t_ns"),
        .flop_ns = number(o, "analytic_flop_ns"),
        .mem_ns = number(o, "analytic_mem_ns"),
        .stream_bytes = (int64_t)whole(number(o, "stream_bytes")),
        .bound = RG_BOUND_UNKNOWN};
}

/* A side per setting: its first test of each phase. */
static rg_status sides_of_bench(rg_side **s, int *n, const json_t *root, const char *file, rg_err *err)
{
    const json_t *o;
    size_t i;
    const int first = *n;
    char name[96], last[192] = "";
    copy(name, sizeof name, file);
    json_array_foreach (json_object_get(root, "results"), i, o) {
        const int ph = phase_of_result(o);
        char label[160], key[192];
        copy(label, sizeof label, text(o, "setting"));
        snprintf(key, sizeof key, "%s %s", label, text(o, "model_type") ? text(o, "model_type") : "");
        if (*n == first || strcmp(key, last) != 0) {
            rg_side *x = add(s, n, err);
            if (!x) return RG_E_NOMEM;
            snprintf(last, sizeof last, "%s", key);
            copy(x->dtype, sizeof x->dtype, text(o, "dtype"));
            snprintf(x->label, sizeof x->label, "%.60s %.90s", name,
                strcmp(label, "default") == 0 ? x->dtype : label);
            copy(x->act, sizeof x->act, text(o, "act"));
            copy(x->isa, sizeof x->isa, text(o, "isa"));
            copy(x->kv, sizeof x->kv, text(o, "type_k"));
            x->threads = (int)whole(number(o, "n_threads"));
            x->resident_bytes = number(o, "model_size");
            x->stream_bytes = number(o, "stream_weight_bytes");
            x->bits_file = number(o, "bits_per_weight_file");
            x->bits_resident = number(o, "bits_per_weight_resident");
            if (!(x->report = empty_report(x->label, text(o, "head_dtype"))))
                return rg_fail(err, RG_E_NOMEM, "compare: out of memory");
            x->report->model.stream_bytes = whole(x->stream_bytes);
        }
        rg_side *x = &(*s)[*n - 1];
        if (ph >= 0 && !x->phase[ph].ran) side_of_result(x, o, (rg_phase)ph);
    }
    if (*n == first) return rg_fail(err, RG_E_FILE, "%s: no results in it, expected at least one", file);
    return RG_OK;
}

rg_status rg_sides_of_file(rg_side **s, int *n, const char *path, rg_err *err)
{
    json_error_t e;
    rg_saved saved = {0};
    rg_status st = RG_OK;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        return rg_fail(err, RG_E_FILE, "%s: %s (line %d), expected the JSON of ridge profile or ridge bench",
            path, e.text, e.line);
    const char *schema = text(root, "schema");
    if (schema && strcmp(schema, "ridge.bench") == 0) {
        st = sides_of_bench(s, n, root, file, err);
    } else if ((st = rg_saved_add_file(&saved, path, err)) == RG_OK) { /* its messages name what is wrong */
        for (size_t i = 0; i < saved.n && st == RG_OK; i++) {
            rg_side *x = add(s, n, err);
            st = x ? side_of_run(x, &saved.run[i], file, err) : RG_E_NOMEM;
        }
    }
    rg_saved_close(&saved);
    json_decref(root);
    return st;
}
