/* Runs inside of documents: their names, and what pictures and pages compute from them. */
#include "report/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

const char *const rg_opgroup_names[RG_OPGROUP_COUNT] = {
#define RG_OPGROUP(id, name, cls, row) name,
#include "report/svg/op_groups.def"
};
const char *const rg_opgroup_classes[RG_OPGROUP_COUNT] = {
#define RG_OPGROUP(id, name, cls, row) cls,
#include "report/svg/op_groups.def"
};
const char *const rg_opgroup_rows[RG_OPGROUP_COUNT] = {
#define RG_OPGROUP(id, name, cls, row) row,
#include "report/svg/op_groups.def"
};

rg_opgroup rg_opgroup_of(const char *site)
{
    static const rg_opgroup of[] = {
#define RG_SITE(id, name, op, rows, cols, only, input, group, hf, gguf) RG_OPGROUP_##group,
#include "ops/sites.def"
    };
    const rg_site s = rg_site_named(site, strlen(site));
    return s == RG_SITE_COUNT ? RG_OPGROUP_REST : of[s];
}

/* ---- opening ---- */

rg_status rg_run_open(rg_run *r, const rg_doc_profile *d, const char *where, rg_err *err)
{
    *r = (rg_run){.d = d};
    for (size_t i = 0; i < d->n_phases; i++) {
        const rg_doc_phase *p = &d->phases[i];
        if (rg_phase_ran(&r->phase[p->phase]))
            return rg_fail(err, RG_E_FILE, "%s: phases[%zu]: %s for the second time", where, i,
                rg_phase_names[p->phase]);
        r->phase[p->phase] = *p;
    }
    for (size_t i = 0; i < d->n_ops; i++)
        if (!((double)d->ops[i].layer < d->model.layers))
            return rg_fail(err, RG_E_FILE,
                "%s: ops[%zu].layer: found %lld, expected null or a layer of the model", where, i,
                (long long)d->ops[i].layer);
    return RG_OK;
}

/* "runs/tiny.json" to "tiny". */
static void file_name(char *buf, size_t n, const char *where)
{
    const char *slash = strrchr(where, '/'), *name = slash ? slash + 1 : where;
    const size_t len = strlen(name), end = len > 5 && strcmp(name + len - 5, ".json") == 0 ? len - 5 : len;
    rg_text_clean(buf, n < end + 1 ? n : end + 1, name);
}

static rg_status add_run(rg_reports *s, const rg_doc_profile *d, const char *where, rg_err *err)
{
    if (s->n == RG_MOST_RUNS)
        return rg_fail(err, RG_E_USAGE, "%s: more than %d runs altogether", where, RG_MOST_RUNS);
    rg_run *more = realloc(s->run, (s->n + 1) * sizeof *more);
    if (!more) return rg_no_memory(err, where);
    s->run = more;
    const rg_status st = rg_run_open(&more[s->n], d, where, err);
    file_name(more[s->n].file, sizeof more->file, where);
    s->n++;
    return st;
}

/* ---- names ---- */

enum { LABEL_MODEL, LABEL_TYPE, LABEL_TOKENS, LABEL_THREADS, LABEL_FILE, LABEL_PARTS };

static const char *label_part(const rg_run *r, int part, char *buf, size_t n)
{
    const rg_doc_profile *d = r->d;
    switch (part) {
    case LABEL_MODEL:
        return d->model.name;
    case LABEL_TYPE:
        return d->model.dtype ? d->model.dtype : "?";
    case LABEL_TOKENS:
        if (r->phase[RG_DECODE].batch > 1.5)
            return rg_text(buf, n, "batch %.0f, %.0f+%.0f tokens", r->phase[RG_DECODE].batch,
                d->run.prompt_tokens, d->run.gen_tokens);
        return rg_text(buf, n, "%.0f+%.0f tokens", d->run.prompt_tokens, d->run.gen_tokens);
    case LABEL_THREADS:
        return rg_text(buf, n, "%.0f thread%s", d->machine.threads, d->machine.threads > 1.5 ? "s" : "");
    default:
        return r->file;
    }
}

static bool part_differs(const rg_reports *s, int part)
{
    char a[96], b[96];
    for (size_t i = 1; i < s->n; i++)
        if (strcmp(label_part(&s->run[0], part, a, sizeof a), label_part(&s->run[i], part, b, sizeof b)) != 0)
            return true;
    return false;
}

static bool told_apart(const rg_reports *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->run[i].label, s->run[j].label) == 0) return false;
    return true;
}

/* Model and type where they differ; lengths, threads, the file and a number only where that is not enough. */
void rg_runs_name(rg_reports *s)
{
    char a[96];
    if (s->n == 1)
        rg_text_clean(s->run->label, sizeof s->run->label, label_part(s->run, LABEL_TYPE, a, sizeof a));
    for (size_t i = 0; i < s->n && s->n > 1; i++) s->run[i].label[0] = 0;
    for (int k = 0; k <= LABEL_PARTS && s->n > 1; k++) {
        if (k < LABEL_PARTS && !part_differs(s, k)) continue;
        if (k >= LABEL_TOKENS && told_apart(s)) continue;
        for (size_t i = 0; i < s->n; i++) {
            char *label = s->run[i].label;
            const char *part = k < LABEL_PARTS ? label_part(&s->run[i], k, a, sizeof a)
                                               : rg_text(a, sizeof a, "#%zu", i + 1);
            rg_text_add(label, sizeof s->run->label, "%s%s", label[0] ? ", " : "", RG_CLEAN(96, part));
        }
    }
}

const char *rg_name_list(char *buf, size_t n, const char *const *name, size_t count)
{
    enum { NAMED = 2 };
    const char *seen[RG_MOST_RUNS];
    int different = 0;
    for (size_t i = 0; i < count && different < RG_MOST_RUNS; i++) {
        bool known = false;
        for (int k = 0; k < different && !known; k++) known = strcmp(seen[k], name[i]) == 0;
        if (!known) seen[different++] = name[i];
    }
    buf[0] = 0;
    for (int k = 0; k < different && k < NAMED; k++)
        rg_text_add(buf, n, "%s%s", k == 0 ? "" : k == different - 1 ? " and " : ", ", RG_CLEAN(96, seen[k]));
    if (different > NAMED)
        rg_text_add(buf, n, " and %d other%s", different - NAMED, different > NAMED + 1 ? "s" : "");
    return buf;
}

const char *rg_runs_models(char *buf, size_t n, const rg_reports *s)
{
    const char *name[RG_MOST_RUNS];
    for (size_t i = 0; i < s->n; i++) name[i] = s->run[i].d->model.name;
    return rg_name_list(buf, n, name, s->n);
}

const char *rg_runs_cpus(char *buf, size_t n, const rg_reports *s)
{
    const char *name[RG_MOST_RUNS];
    for (size_t i = 0; i < s->n; i++) name[i] = s->run[i].d->machine.cpu;
    return rg_name_list(buf, n, name, s->n);
}

bool rg_runs_alike(const rg_run *a, const rg_run *b)
{
    return strcmp(a->d->model.name, b->d->model.name) == 0;
}

static bool is_run(const rg_doc *d) { return d->kind == RG_DOC_profile || d->kind == RG_DOC_profile_set; }

const rg_doc *rg_reports_other(const rg_reports *s)
{
    return s->n_docs == 1 && !is_run(s->doc) ? s->doc : NULL;
}

rg_status rg_reports_add(rg_reports *s, rg_doc *d, const char *where, rg_err *err)
{
    rg_doc *more = realloc(s->doc, (s->n_docs + 1) * sizeof *more);
    rg_status st = RG_OK;
    if (!more) {
        rg_doc_close(d);
        return rg_no_memory(err, where);
    }
    s->doc = more;
    s->doc[s->n_docs++] = *d;
    if (s->n_docs > 1 && !(is_run(d) && is_run(s->doc)))
        return rg_fail(err, RG_E_USAGE,
            "%s: a report of %s stands alone; several files must be runs of ridge profile", where,
            rg_documents[is_run(d) ? s->doc->kind : d->kind].command);
    if (d->kind == RG_DOC_machine_file || d->kind == RG_DOC_doctor)
        return rg_fail(err, RG_E_FILE,
            "%s: written by %s, expected a report: ridge profile -o json writes one", where,
            rg_documents[d->kind].command);
    if (d->kind == RG_DOC_profile) {
        st = add_run(s, d->at, where, err);
    } else if (d->kind == RG_DOC_profile_set) {
        const rg_doc_profile_set *set = d->at;
        for (size_t i = 0; i < set->n_runs && !st; i++) st = add_run(s, &set->runs[i], where, err);
    }
    if (!st && is_run(d)) rg_runs_name(s);
    const rg_doc_compare *c = d->kind == RG_DOC_compare ? d->at : NULL;
    for (size_t i = 0; c && i < c->n_runs && !st; i++) {
        if (!c->runs[i]) continue;
        st = add_run(s, c->runs[i], where, err);
        if (i < c->n_variants)
            rg_text_clean(s->run[s->n - 1].label, sizeof s->run->label, c->variants[i].name);
    }
    return st;
}

rg_status rg_reports_add_file(rg_reports *s, const char *path, rg_err *err)
{
    rg_doc d;
    const rg_status st = rg_doc_load(&d, path, err);
    if (!st) return rg_reports_add(s, &d, path, err);
    rg_doc_close(&d);
    return st;
}

void rg_reports_close(rg_reports *s)
{
    for (size_t i = 0; i < s->n_docs; i++) rg_doc_close(&s->doc[i]);
    free(s->doc);
    free(s->run);
    *s = (rg_reports){0};
}

bool rg_runs_same_work(const rg_run *a, const rg_run *b)
{
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (fabs(a->phase[ph].batch - b->phase[ph].batch) > 0.5) return false;
    return fabs(a->d->run.prompt_tokens - b->d->run.prompt_tokens) < 0.5;
}

/* ---- sums ---- */

void rg_run_machine(rg_machine *m, const rg_run *r)
{
    const rg_doc_machine *d = &r->d->machine;
    *m = (rg_machine){.barrier_ns.value = d->barrier_ns > 0.0 ? d->barrier_ns : 0.0};
    for (size_t i = 0; i < d->n_roofs; i++) {
        const rg_doc_roof *f = &d->roofs[i];
        if (rg_roof_computes(f)) {
            for (int k = 0; k < RG_PEAK_COUNT; k++)
                if (strcmp(f->name, rg_peaks[k].name) == 0)
                    m->peak[k] = (rg_measured){f->value_gflops, f->spread};
            continue;
        }
        const int64_t bytes =
            f->footprint_bytes >= 1.0 && f->footprint_bytes < 1e18 ? (int64_t)f->footprint_bytes : 0;
        int at = 0, kind = 0;
        while (kind < RG_BW_COUNT && strncmp(f->name, rg_bw_names[kind], strlen(rg_bw_names[kind])) != 0)
            kind++;
        while (at < m->n_bw && m->bw[at].footprint_bytes < bytes) at++;
        const bool there = at < m->n_bw && m->bw[at].footprint_bytes == bytes;
        if (bytes == 0 || kind == RG_BW_COUNT || !(f->value_gbps > 0.0) ||
            (!there && (m->n_bw == RG_MAX_BW || kind != RG_BW_READ)))
            continue;
        if (!there) {
            memmove(&m->bw[at + 1], &m->bw[at], (m->n_bw - at) * sizeof *m->bw);
            m->bw[at] = (rg_bw_point){.footprint_bytes = bytes};
            m->n_bw++;
        }
        *rg_bw_at(&m->bw[at], kind) = (rg_measured){f->value_gbps, f->spread};
    }
}

double rg_run_bandwidth(const rg_run *r, double footprint)
{
    rg_machine m;
    rg_run_machine(&m, r);
    if (m.n_bw == 0 || !(footprint >= 1.0) || footprint > 1e18) return NAN;
    const double bw = rg_machine_bw(&m, (int64_t)footprint);
    return bw > 0.0 ? bw : NAN;
}

bool rg_run_binds(const rg_run *r, const rg_doc_roof *roof)
{
    for (size_t i = 0; i < r->d->n_ops; i++)
        if (r->d->ops[i].roof && strcmp(r->d->ops[i].roof, roof->name) == 0) return true;
    return false;
}

const rg_doc_op *rg_run_next(const rg_run *r, rg_phase phase, const rg_doc_op *w)
{
    for (w = w ? w + 1 : r->d->ops; w < r->d->ops + r->d->n_ops; w++)
        if (w->layer < 0 && w->phase == phase) return w;
    return NULL;
}

/* A whole number from 1 to most; 0: none. */
static int64_t size_of(double x, int64_t most) { return x >= 1.0 && x <= (double)most ? (int64_t)x : 0; }

rg_config rg_run_config(const rg_run *r)
{
    const rg_doc_model *m = &r->d->model;
    const rg_doc_dims *d = &m->dims;
    rg_config c = {.dim = size_of(d->hidden, 1 << 20),
        .ffn = size_of(d->ffn, 1 << 20),
        .experts = size_of(d->experts, RG_MAX_EXPERTS),
        .experts_used = size_of(d->experts_used, RG_MAX_EXPERTS),
        .expert_ffn = size_of(d->expert_ffn, 1 << 20),
        .shared_ffn = size_of(d->shared_ffn, 1 << 20),
        .layers = size_of(m->layers, RG_MAX_LAYERS),
        .heads = size_of(d->heads, 1 << 14),
        .kv_heads = size_of(d->kv_heads, 1 << 14),
        .head_dim = size_of(d->head_dim, 1 << 14),
        .vocab = size_of(d->vocab, RG_MAX_VOCAB),
        .ctx_train = size_of(d->ctx_train, 1 << 26),
        .window = size_of(d->window, 1 << 26),
        .rope_dim = size_of(d->rotated, 1 << 14),
        .attn_cap = d->score_cap > 0.0 ? d->score_cap : 0.0,
        .tied = m->tied,
        .no_pre_norm = true};
    if (c.experts_used < 1 || c.experts_used > c.experts) c.experts = c.experts_used = 0;
    if (rg_q_dim(&c) > 1 << 20) c.heads = c.head_dim = 0;
    c.whole_qk_norm = d->qk_norm > d->head_dim;
    /* which layers does not matter here: the last have the window, the first rotate */
    const int64_t all = c.layers - size_of(d->window_layers, RG_MAX_LAYERS),
                  rotated = isnan(d->rotated_layers) ? c.layers : size_of(d->rotated_layers, RG_MAX_LAYERS);
    for (int64_t l = 0; l < c.layers; l++) {
        if (l < all) rg_layer_set(c.all_seen, l);
        if (l >= rotated) rg_layer_set(c.unrotated, l);
    }
    for (size_t i = 0; i < r->d->n_ops; i++) {
        const rg_site s = rg_site_named(r->d->ops[i].site, strlen(r->d->ops[i].site));
        if (s < RG_SITE_COUNT && rg_site_optional(s)) c.extra |= rg_site_bit(s);
        if (s == RG_SITE_FFN_UP_GELU) c.extra |= rg_site_bit(RG_SITE_FFN_GELU);
        if (s == RG_SITE_FFN_UP_CLAMP_EXPS || s == RG_SITE_FFN_CLAMP_EXPS) c.extra |= rg_sites_of_clamped();
        if (s == RG_SITE_FFN_NORM) c.no_pre_norm = false;
    }
    return c;
}

int rg_run_sites(const rg_run *r, bool layers, const char **site, int most)
{
    int n = 0;
    for (size_t i = 0; i < r->d->n_ops; i++) {
        bool known = (r->d->ops[i].layer >= 0) != layers;
        for (int k = 0; k < n && !known; k++) known = strcmp(site[k], r->d->ops[i].site) == 0;
        if (!known && n < most) site[n++] = r->d->ops[i].site;
    }
    return n;
}

const rg_doc_op *rg_run_op(const rg_run *r, rg_phase phase, const char *site)
{
    const rg_doc_op *w = NULL;
    while ((w = rg_run_next(r, phase, w)) && strcmp(w->site, site) != 0) {
    }
    return w;
}

const rg_doc_experts *rg_run_experts(const rg_run *r, rg_phase phase)
{
    for (size_t i = 0; i < r->d->n_experts; i++)
        if (r->d->experts[i].phase == phase && r->d->experts[i].layer < 0) return &r->d->experts[i];
    return NULL;
}

const char *rg_run_no_roof(const rg_run *r)
{
    for (size_t i = 0; i < r->d->n_ops; i++)
        if (r->d->ops[i].roof_reason) return r->d->ops[i].roof_reason;
    return NULL;
}

/* Both have the same keys of bytes. */
#define ADD_BYTES(to, x) \
    (to).weight_bytes += (x).weight_bytes; \
    (to).act_read_bytes += (x).act_read_bytes; \
    (to).act_write_bytes += (x).act_write_bytes; \
    (to).kv_read_bytes += (x).kv_read_bytes; \
    (to).kv_write_bytes += (x).kv_write_bytes; \
    (to).total_bytes += (x).total_bytes

rg_group rg_run_group(const rg_run *r, rg_phase phase, rg_opgroup g)
{
    rg_group s = {0};
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, phase, w));) {
        if (rg_opgroup_of(w->site) != g) continue;
        s.n++;
        s.t_ns += w->t_ns;
        s.flop += w->flop;
        s.analytic.ideal_ns += w->analytic.ideal_ns; /* NAN wins: an unknown roof stays unknown */
        ADD_BYTES(s.analytic, w->analytic);
        ADD_BYTES(s.counted, w->counted);
    }
    s.share = rg_ratio(s.t_ns, r->phase[phase].t_ns);
    s.ai_analytic = rg_ratio(s.flop, s.analytic.total_bytes);
    s.ai_counted = rg_ratio(s.flop, s.counted.total_bytes);
    s.gflops = rg_ratio(s.flop, s.t_ns);
    s.attainable_gflops = rg_ratio(s.flop, s.analytic.ideal_ns);
    s.roof_fraction = rg_ratio(s.analytic.ideal_ns, s.t_ns);
    return s;
}
