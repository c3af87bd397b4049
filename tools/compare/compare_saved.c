/* Sides from saved reports of `ridge profile` and `ridge bench`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/compare.h"

static rg_side *add(rg_side **s, int *n, rg_err *err)
{
    rg_side *more = realloc(*s, (size_t)(*n + 1) * sizeof *more);
    if (!more) {
        rg_fail(err, RG_E_NOMEM, "compare: out of memory");
        return NULL;
    }
    *s = more;
    more[*n] = (rg_side){0};
    return &more[(*n)++];
}

static void copy(char *to, size_t n, const char *s) { rg_text_cell(to, n, s ? s : "?"); }

static void take_phase(rg_side *s, const rg_doc_phase *p)
{
    rg_side_phase *to = &s->phase[p->phase];
    *to = (rg_side_phase){.ran = true,
        .ts = p->tokens_per_s,
        .low = p->tokens_per_s_low,
        .high = p->tokens_per_s_high,
        .spread = p->spread,
        .mbu = p->mbu,
        .mfu = p->mfu,
        .roof_fraction = p->roof_fraction,
        .bytes = rg_ratio(p->bytes_counted, p->tokens)};
    snprintf(to->test, sizeof to->test, "%s%.0f", p->phase == RG_PREFILL ? "pp" : "tg", p->tokens);
}

static rg_status side_of_run(rg_side *s, json_t *json, const char *path, const char *file, rg_err *err)
{
    char name[96];
    const rg_status st = rg_doc_open(&s->doc, json, path, err);
    if (st != RG_OK) return st;
    const rg_doc_profile *d = s->doc.at;
    copy(s->dtype, sizeof s->dtype, d->model.dtype);
    copy(s->act, sizeof s->act, d->model.act);
    copy(s->isa, sizeof s->isa, d->machine.isa);
    copy(s->kv, sizeof s->kv, d->model.kv_dtype);
    copy(name, sizeof name, file);
    snprintf(s->label, sizeof s->label, "%.90s %s", name, s->dtype);
    s->threads = (int)fmin(d->machine.threads, 1e6);
    s->resident_bytes = d->model.resident_bytes;
    s->stream_bytes = d->model.stream_bytes;
    s->bits_file = d->model.bits_per_weight_file;
    s->bits_resident = d->model.bits_per_weight_resident;
    for (size_t i = 0; i < d->n_phases; i++) take_phase(s, &d->phases[i]);
    return rg_side_face(s, d, err);
}

/* The phase of a bench result, if it is of one phase. */
static int phase_of_result(const rg_doc_result *r)
{
    return r->n_prompt > 0.0 && r->n_gen <= 0.0 ? RG_PREFILL
        : r->n_gen > 0.0 && r->n_prompt <= 0.0  ? RG_DECODE
                                                : -1;
}

/* A result as the phase of a run that recorded no operators. */
static void add_result(rg_side *s, const rg_doc_result *r, rg_phase ph)
{
    s->phase[ph] = (rg_side_phase){.ran = true,
        .ts = r->median_ts,
        .low = r->ci95_low_ts,
        .high = r->ci95_high_ts,
        .spread = r->spread,
        .mbu = r->mbu,
        .mfu = r->mfu,
        .roof_fraction = r->roof_fraction,
        .bytes = rg_ratio(r->bytes_counted, r->tokens)};
    copy(s->phase[ph].test, sizeof s->phase[ph].test, r->test);
    s->own.phases[s->own.n_phases++] = (rg_doc_phase){.phase = ph,
        .tokens = r->tokens,
        .t_ns = r->median_ns,
        .tokens_per_s = r->median_ts,
        .stream_bytes = r->stream_bytes,
        .ideal_ns = r->ideal_ns,
        .ideal_flop_ns = r->ideal_flop_ns,
        .ideal_mem_ns = r->ideal_mem_ns,
        .roof_fraction = r->roof_fraction};
}

static rg_status side_of_result(rg_side *s, const rg_doc_result *r, const char *name, rg_err *err)
{
    char setting[160];
    copy(setting, sizeof setting, r->setting);
    copy(s->dtype, sizeof s->dtype, r->dtype);
    snprintf(
        s->label, sizeof s->label, "%.60s %.90s", name, strcmp(setting, "default") == 0 ? s->dtype : setting);
    copy(s->act, sizeof s->act, r->act);
    copy(s->isa, sizeof s->isa, r->isa);
    copy(s->kv, sizeof s->kv, r->type_k);
    s->threads = (int)fmin(r->n_threads, 1e6);
    s->resident_bytes = r->model_size;
    s->stream_bytes = r->stream_weight_bytes;
    s->bits_file = r->bits_per_weight_file;
    s->bits_resident = r->bits_per_weight_resident;
    s->own.model.stream_bytes = r->stream_weight_bytes;
    s->own.phases = calloc(RG_PHASE_COUNT, sizeof *s->own.phases);
    return s->own.phases ? RG_OK : rg_fail(err, RG_E_NOMEM, "compare: out of memory");
}

/* A side per setting: its first test of each phase. */
static rg_status sides_of_bench(rg_side **s, int *n, const rg_doc_bench *b, const char *file, rg_err *err)
{
    const int first = *n;
    const rg_doc_result *last = NULL;
    char name[96];
    rg_status st = RG_OK;
    copy(name, sizeof name, file);
    for (size_t i = 0; i < b->n_results && st == RG_OK; i++) {
        const rg_doc_result *r = &b->results[i];
        const int ph = phase_of_result(r);
        if (!last || strcmp(r->setting, last->setting) != 0 || strcmp(r->model_type, last->model_type) != 0) {
            rg_side *x = add(s, n, err);
            st = x ? side_of_result(x, r, name, err) : RG_E_NOMEM;
            last = r;
        }
        if (st == RG_OK && ph >= 0 && !(*s)[*n - 1].phase[ph].ran) add_result(&(*s)[*n - 1], r, (rg_phase)ph);
    }
    for (int i = first; i < *n && st == RG_OK; i++) st = rg_side_face(&(*s)[i], &(*s)[i].own, err);
    return st;
}

rg_status rg_sides_of_file(rg_side **s, int *n, const char *path, rg_err *err)
{
    rg_doc d;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    rg_status st = rg_doc_load(&d, path, err);
    if (st == RG_OK && d.kind == RG_DOC_bench) {
        st = sides_of_bench(s, n, d.at, file, err);
    } else if (st == RG_OK && (d.kind == RG_DOC_profile || d.kind == RG_DOC_profile_set)) {
        const json_t *runs = json_object_get(d.json, "runs");
        const size_t count = d.kind == RG_DOC_profile ? 1 : json_array_size(runs);
        for (size_t i = 0; i < count && st == RG_OK; i++) {
            rg_side *x = add(s, n, err);
            st = x
                ? side_of_run(x, d.kind == RG_DOC_profile ? d.json : json_array_get(runs, i), path, file, err)
                : RG_E_NOMEM;
        }
    } else if (st == RG_OK) {
        st = rg_fail(err, RG_E_FILE, "%s: a report of %s, expected one of ridge profile or ridge bench", path,
            rg_documents[d.kind].command);
    }
    rg_doc_close(&d);
    return st;
}
