/* Sides from saved reports of `ridge profile` and `ridge bench`. */
#include <stdlib.h>
#include <string.h>

#include "tools/compare/compare.h"

rg_side *rg_sides_add(rg_side **s, int *n, rg_err *err)
{
    rg_side *more = realloc(*s, (*n + 1) * sizeof *more);
    if (!more) {
        rg_no_memory(err, "compare");
        return NULL;
    }
    *s = more;
    more[*n] = (rg_side){0};
    return &more[(*n)++];
}

static const char *keep(rg_side *s, const char *text)
{
    char buf[160];
    return rg_doc_keep(&s->pool, rg_text_cell(buf, sizeof buf, text ? text : "?"));
}

/* What a report says of the model and the run; name: of the side, in front of its type or setting. */
static void describe(rg_side *s, const char *file, const char *setting, rg_doc_variant v)
{
    char name[192];
    v.dtype = keep(s, v.dtype);
    snprintf(name, sizeof name, "%.90s %.90s", file, setting ? setting : v.dtype);
    v.name = keep(s, name);
    v.act = keep(s, v.act);
    v.isa = keep(s, v.isa);
    v.kv_dtype = keep(s, v.kv_dtype);
    s->v = v;
}

static rg_status side_of_run(rg_side *s, json_t *json, const char *path, const char *file, rg_err *err)
{
    const rg_status st = rg_doc_open(&s->doc, json, path, err);
    if (st) return st;
    const rg_doc_profile *d = s->doc.at;
    describe(s, file, NULL,
        (rg_doc_variant){.dtype = d->model.dtype,
            .act = d->model.act,
            .isa = d->machine.isa,
            .kv_dtype = d->model.kv_dtype,
            .threads = d->machine.threads,
            .resident_bytes = d->model.resident_bytes,
            .stream_bytes = d->model.stream_bytes,
            .bits_per_weight_file = d->model.bits_per_weight_file,
            .bits_per_weight_resident = d->model.bits_per_weight_resident});
    for (size_t i = 0; i < d->n_phases; i++) {
        const rg_doc_phase *p = &d->phases[i];
        char test[64];
        snprintf(test, sizeof test, "%s%.0f", p->phase == RG_PREFILL ? "pp" : "tg", p->tokens);
        s->phase[p->phase] = (rg_doc_side){.test = rg_doc_keep(&s->pool, test),
            .tokens_per_s = p->tokens_per_s,
            .tokens_per_s_low = p->tokens_per_s_low,
            .tokens_per_s_high = p->tokens_per_s_high,
            .spread = p->spread,
            .mbu = p->mbu,
            .mfu = p->mfu,
            .roof_fraction = p->roof_fraction,
            .bytes_per_token = rg_ratio(p->bytes_counted, p->tokens)};
    }
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
    s->phase[ph] = rg_side_of_result(r, keep(s, r->test));
    s->own->phases[s->own->n_phases++] = (rg_doc_phase){.phase = ph,
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
    rg_text_cell(setting, sizeof setting, r->setting ? r->setting : "?");
    describe(s, name, strcmp(setting, "default") == 0 ? NULL : setting,
        (rg_doc_variant){.dtype = r->dtype,
            .act = r->act,
            .isa = r->isa,
            .kv_dtype = r->type_k,
            .threads = r->n_threads,
            .resident_bytes = r->model_size,
            .stream_bytes = r->stream_weight_bytes,
            .bits_per_weight_file = r->bits_per_weight_file,
            .bits_per_weight_resident = r->bits_per_weight_resident});
    s->own = calloc(1, sizeof *s->own);
    if (s->own) s->own->phases = calloc(RG_PHASE_COUNT, sizeof *s->own->phases);
    if (!s->own || !s->own->phases) return rg_no_memory(err, "compare");
    s->own->model.stream_bytes = r->stream_weight_bytes;
    return RG_OK;
}

/* A side per setting: its first test of each phase. */
static rg_status sides_of_bench(rg_side **s, int *n, const rg_doc_bench *b, const char *file, rg_err *err)
{
    const int first = *n;
    const rg_doc_result *last = NULL;
    rg_status st = RG_OK;
    for (size_t i = 0; i < b->n_results && !st; i++) {
        const rg_doc_result *r = &b->results[i];
        const int ph = phase_of_result(r);
        if (!last || strcmp(r->setting, last->setting) != 0 || strcmp(r->model_type, last->model_type) != 0) {
            rg_side *x = rg_sides_add(s, n, err);
            st = x ? side_of_result(x, r, file, err) : RG_E_NOMEM;
            last = r;
        }
        if (!st && ph >= 0 && !(*s)[*n - 1].phase[ph].test) add_result(&(*s)[*n - 1], r, ph);
    }
    for (int i = first; i < *n && !st; i++) st = rg_side_face(&(*s)[i], (*s)[i].own, err);
    return st;
}

rg_status rg_sides_of_file(rg_side **s, int *n, const char *path, rg_err *err)
{
    rg_doc d;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    rg_status st = rg_doc_load(&d, path, err);
    if (!st && d.kind == RG_DOC_bench) {
        st = sides_of_bench(s, n, d.at, file, err);
    } else if (!st && (d.kind == RG_DOC_profile || d.kind == RG_DOC_profile_set)) {
        const json_t *runs = json_object_get(d.json, "runs");
        const size_t count = d.kind == RG_DOC_profile ? 1 : json_array_size(runs);
        for (size_t i = 0; i < count && !st; i++) {
            rg_side *x = rg_sides_add(s, n, err);
            st = x
                ? side_of_run(x, d.kind == RG_DOC_profile ? d.json : json_array_get(runs, i), path, file, err)
                : RG_E_NOMEM;
        }
    } else if (!st) {
        st = rg_fail(err, RG_E_FILE, "%s: a report of %s, expected one of ridge profile or ridge bench", path,
            rg_documents[d.kind].command);
    }
    for (int i = 0; i < *n && !st; i++)
        if ((*s)[i].pool.failed) st = rg_no_memory(err, "compare");
    rg_doc_close(&d);
    return st;
}
