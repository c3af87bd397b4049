/* The report for programs. Meanings of the fields: schema/profile.schema.json. Unknown is null, never 0. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "roofline/measure/json_value.h"

/* A missing value becomes null; without memory the whole object fails, which *ok remembers. */
static void put(json_t *o, const char *key, json_t *v, bool *ok)
{
    if (json_object_set_new(o, key, v) != 0) *ok = false;
}
#define REAL(key, x) put(o, key, rg_json_real(x), ok)
#define COUNT(key, x) put(o, key, json_integer((json_int_t)(x)), ok)
#define TEXT(key, x) put(o, key, rg_json_text(x), ok)
#define BOOL(key, x) put(o, key, json_boolean(x), ok)

static double known(double x) { return x > 0.0 ? x : NAN; }

static json_t *lines(const rg_lines *l)
{
    json_t *a = json_array();
    for (int i = 0; i < l->n; i++) json_array_append_new(a, rg_json_text(l->s[i]));
    return a;
}

static const char *source_of(const rg_machine *m)
{
    return strncmp(m->source, "file", 4) == 0 ? "file" : "measured";
}

static json_t *roofs(const rg_machine *m, bool *ok)
{
    json_t *all = json_array();
    char name[64], b[32];
    for (int kind = 0; kind < RG_BW_COUNT; kind++)
        for (int i = 0; i < m->n_bw; i++) {
            const rg_measured *v = rg_bw_get(&m->bw[i], (rg_bw_kind)kind);
            if (v->value <= 0.0 && kind != RG_BW_READ) continue;
            json_t *o = json_object();
            snprintf(name, sizeof name, "%s %s", rg_bw_names[kind],
                rg_bytes(b, sizeof b, (double)m->bw[i].footprint_bytes));
            TEXT("name", name);
            TEXT("kind", "bandwidth");
            TEXT("access", rg_bw_names[kind]);
            REAL("value_gbps", known(v->value));
            REAL("spread", v->spread);
            COUNT("footprint_bytes", m->bw[i].footprint_bytes);
            TEXT("source", source_of(m));
            json_array_append_new(all, o);
        }
    for (int i = 0; i < RG_PEAK_COUNT; i++) {
        if (m->peak[i].value <= 0.0) continue;
        json_t *o = json_object();
        TEXT("name", rg_peaks[i].name);
        TEXT("kind", "compute");
        TEXT("class", rg_arith_names[rg_peaks[i].arith]);
        REAL("value_gflops", m->peak[i].value);
        REAL("spread", m->peak[i].spread);
        TEXT("isa", rg_isa_names[rg_peaks[i].isa]);
        TEXT("source", source_of(m));
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *metric(const rg_metric *m, bool *ok)
{
    json_t *o = json_object();
    TEXT("name", m->name);
    TEXT("source", m->source);
    BOOL("available", m->available);
    TEXT("events", m->events[0] ? m->events : NULL);
    put(o, "group", m->available && m->ctr >= 0 ? json_integer(m->group) : json_null(), ok);
    TEXT("reason", m->reason[0] ? m->reason : NULL);
    TEXT("remedy", m->remedy[0] ? m->remedy : NULL);
    return o;
}

static json_t *machine(const rg_report *r, bool *ok)
{
    json_t *o = json_object(), *top = o;
    const rg_machine *m = &r->machine;
    const rg_run_info *u = &r->run;
    TEXT("cpu", m->cpu);
    COUNT("cores", m->cores);
    COUNT("threads", u->threads);
    json_t *cpus = u->cpus ? json_array() : json_null();
    for (int i = 0; u->cpus && i < u->threads; i++) json_array_append_new(cpus, json_integer(u->cpus[i]));
    put(o, "cpus", cpus, ok);
    TEXT("pinning", u->pinning);
    TEXT("isa", rg_isa_names[u->isa]);
    put(o, "memory", m->memory_bytes > 0 ? json_integer((json_int_t)m->memory_bytes) : json_null(), ok);
    TEXT("blas", u->blas);
    json_t *names = json_array();
    for (int i = 0; i < u->n_ctr; i++) json_array_append_new(names, rg_json_text(u->ctr_name[i]));
    o = json_object();
    TEXT("status", u->pmu_status);
    TEXT("reason", u->pmu_reason);
    put(o, "events", names, ok);
    TEXT("mode", u->pmu_mode);
    COUNT("groups", u->pmu_groups);
    REAL("overhead_share", u->n_ctr > 0 ? u->pmu_share : NAN);
    json_t *all = json_array();
    for (int i = 0; i < u->n_metrics; i++) json_array_append_new(all, metric(&u->metric[i], ok));
    put(o, "metrics", all, ok);
    REAL("read_ns", u->n_ctr > 0 ? u->probe_ns : NAN);
    put(top, "pmu", o, ok);
    o = top;
    TEXT("roofs_source", m->source);
    TEXT("roofs_measured_at", m->measured_at[0] ? m->measured_at : NULL);
    put(o, "roofs_threads", m->threads > 0 ? json_integer(m->threads) : json_null(), ok);
    BOOL("roofs_noisy", m->noisy);
    REAL("barrier_ns", known(m->barrier_ns.value));
    put(o, "roofs", roofs(m, ok), ok);
    return o;
}

static json_t *model(const rg_report *r, bool *ok)
{
    json_t *o = json_object(), *top = o;
    const rg_model_info *m = &r->model;
    const rg_config *c = &m->config;
    TEXT("name", c->name);
    TEXT("arch", c->arch);
    TEXT("path", m->path);
    TEXT("format", m->format);
    COUNT("params", m->params);
    COUNT("layers", c->layers);
    o = json_object();
    COUNT("hidden", c->dim);
    COUNT("ffn", c->ffn);
    COUNT("heads", c->heads);
    COUNT("kv_heads", c->kv_heads);
    COUNT("head_dim", c->head_dim);
    COUNT("vocab", c->vocab);
    COUNT("ctx_train", c->ctx_train);
    put(top, "dims", o, ok);
    o = top;
    BOOL("tied", c->tied);
    COUNT("ctx", m->ctx);
    COUNT("file_bytes", m->file_bytes);
    COUNT("resident_bytes", m->resident_bytes);
    COUNT("stream_bytes", m->stream_bytes);
    COUNT("kv_bytes", m->kv_bytes);
    COUNT("scratch_bytes", m->scratch_bytes);
    REAL("bits_per_weight_file", known(m->bits_file));
    REAL("bits_per_weight_resident", known(m->bits_resident));
    TEXT("dtype", m->dtype);
    TEXT("head_dtype", m->head_dtype);
    TEXT("act", m->act < RG_ACT_COUNT ? rg_act_names[m->act] : NULL);
    TEXT("kv_dtype_k", m->kv_k < RG_KV_COUNT ? rg_kvtypes[m->kv_k].name : NULL);
    TEXT("kv_dtype_v", m->kv_v < RG_KV_COUNT ? rg_kvtypes[m->kv_v].name : NULL);
    char kv[32];
    snprintf(kv, sizeof kv, m->kv_k == m->kv_v ? "%s" : "%s/%s",
        m->kv_k < RG_KV_COUNT ? rg_kvtypes[m->kv_k].name : "?",
        m->kv_v < RG_KV_COUNT ? rg_kvtypes[m->kv_v].name : "?");
    TEXT("kv_dtype", kv);
    put(o, "embd_row_bytes", m->embd_row > 0 ? json_integer((json_int_t)m->embd_row) : json_null(), ok);
    REAL("round_rel", m->round_rel);
    return o;
}

/* What a user waits for the first token: the prompt's tokens, its forward calls, one choice. Without a text
 * there is nothing to tokenise. */
static double first_token_ns(const rg_report *r)
{
    const rg_phase_sum *p = &r->phase[RG_PREFILL], *d = &r->phase[RG_DECODE];
    if (!p->ran) return NAN;
    return (isfinite(r->run.tokenize_ns) ? r->run.tokenize_ns : 0.0) + (double)p->t_ns +
        (d->tokens > 0 ? (double)r->run.sample_ns / (double)d->tokens : 0.0);
}

/* What the system did in a phase. */
static json_t *system_load(const rg_osload *l, bool *ok)
{
    json_t *o = json_object();
    COUNT("minor_faults", l->minor_faults);
    COUNT("major_faults", l->major_faults);
    COUNT("voluntary_switches", l->voluntary);
    COUNT("involuntary_switches", l->involuntary);
    REAL("steal", rg_osload_steal(l));
    return o;
}

static json_t *run(const rg_report *r, bool *ok)
{
    json_t *o = json_object();
    const rg_run_info *u = &r->run;
    COUNT("prompt_tokens", u->prompt_tokens);
    COUNT("gen_tokens", u->gen_tokens);
    COUNT("decode_start", u->decode_start);
    COUNT("ubatch", u->ubatch);
    COUNT("repetitions", u->repetitions);
    char fuse[64];
    BOOL("flash", u->flash);
    TEXT("fuse", rg_fuse_text(fuse, sizeof fuse, rg_fuse_applied(&r->model.config, u->fuse)));
    BOOL("interrupted", u->interrupted);
    COUNT("load_ns", u->load_ns);
    COUNT("sample_ns", u->sample_ns);
    REAL("tokenize_ns", u->tokenize_ns);
    REAL("first_token_ns", first_token_ns(r));
    REAL("clock_drift", u->clock_drift);
    BOOL("noisy", r->noisy);
    put(o, "noise", lines(&r->evidence), ok);
    return o;
}

/* A count that may be scaled or unknown. */
static json_t *whole(double x) { return isfinite(x) ? json_integer((json_int_t)(x + 0.5)) : json_null(); }

static json_t *counters(const rg_report *r, const double ctr[RG_MAX_CTR], bool *ok)
{
    json_t *o = r->run.n_ctr > 0 ? json_object() : json_null();
    for (int i = 0; i < r->run.n_ctr; i++) put(o, r->run.ctr_name[i], whole(ctr[i]), ok);
    const int cyc = rg_ctr_index(r, "cycles"), ins = rg_ctr_index(r, "instructions");
    if (cyc >= 0 && ins >= 0) REAL("ipc", rg_ratio(ctr[ins], ctr[cyc]));
    return o;
}

static json_t *socket(const rg_report *r, rg_phase ph, bool *ok)
{
    json_t *o = json_object();
    for (int i = 0; i < RG_SOCKET_COUNT; i++)
        REAL(rg_socket_names[i], r->run.has_socket ? r->run.socket[ph][i] : NAN);
    return o;
}

static json_t *phase(const rg_report *r, rg_phase ph, bool *ok)
{
    const rg_phase_sum *p = &r->phase[ph];
    json_t *o = json_object();
    const double t = (double)p->t_ns;
    const uint64_t ab = rg_tally_bytes(&p->analytic), cb = rg_tally_bytes(&p->counted);
    TEXT("phase", rg_phase_names[ph]);
    COUNT("tokens", p->tokens);
    COUNT("batch", p->batch);
    COUNT("calls", p->calls);
    COUNT("t_ns", p->t_ns);
    REAL("p50_ns", p->p50_ns);
    REAL("p90_ns", p->p90_ns);
    REAL("p99_ns", p->p99_ns);
    json_t *series = json_array();
    for (uint64_t i = 0; i < p->calls; i++)
        json_array_append_new(series, json_integer((json_int_t)p->call_ns[i]));
    put(o, "call_ns", series, ok);
    put(o, "system", system_load(&r->run.load[ph], ok), ok);
    REAL("first_call_ns", known(r->run.first_ns[ph]));
    put(o, "first_call_system",
        r->run.first_ns[ph] > 0.0 ? system_load(&r->run.first_load[ph], ok) : json_null(), ok);
    REAL("spread", r->run.spread[ph]);
    REAL("tokens_per_s", 1e9 * rg_ratio((double)p->tokens, t));
    REAL("tokens_per_s_low", 1e9 * rg_ratio((double)p->tokens, r->run.high_ns[ph]));
    REAL("tokens_per_s_high", 1e9 * rg_ratio((double)p->tokens, r->run.low_ns[ph]));
    COUNT("flop", p->analytic.flop);
    COUNT("int_op", p->analytic.iop);
    COUNT("bytes_analytic", ab);
    COUNT("bytes_counted", cb);
    REAL("bytes_pmu", p->pmu_bytes);
    put(o, "pmu", counters(r, p->ctr, ok), ok);
    put(o, "socket", socket(r, ph, ok), ok);
    COUNT("stream_bytes", p->stream_bytes);
    REAL("ai_analytic", rg_intensity(p->analytic.flop, ab));
    REAL("ai_counted", rg_intensity(p->analytic.flop, cb));
    REAL("ai_pmu", rg_ratio((double)p->analytic.flop, p->pmu_bytes));
    REAL("gflops", rg_ratio((double)p->analytic.flop, t));
    REAL("gbps", rg_ratio((double)cb, t));
    REAL("mbu", p->mbu);
    REAL("mfu", p->mfu);
    REAL("analytic_t_ns", p->ideal_ns);
    REAL("analytic_flop_ns", p->flop_ns);
    REAL("analytic_mem_ns", p->mem_ns);
    REAL("roof_fraction", rg_ratio(p->ideal_ns, t));
    TEXT("bound", rg_bound_names[p->bound]);
    COUNT("ops_ns", p->op_ns);
    COUNT("wait_ns", p->wait_ns);
    COUNT("overhead_ns", p->overhead_ns);
    return o;
}

static json_t *bytes(const rg_tally *t, bool *ok)
{
    json_t *o = json_object();
    COUNT("weight_bytes", t->w_rd);
    COUNT("act_read_bytes", t->act_rd);
    COUNT("act_write_bytes", t->act_wr);
    COUNT("kv_read_bytes", t->kv_rd);
    COUNT("kv_write_bytes", t->kv_wr);
    COUNT("total_bytes", rg_tally_bytes(t));
    return o;
}

static json_t *layer(const rg_report *r, const rg_layer_sum *l, bool *ok)
{
    json_t *o = json_object();
    double ctr[RG_MAX_CTR];
    for (int i = 0; i < RG_MAX_CTR; i++) ctr[i] = rg_layer_ctr(l, i);
    TEXT("phase", rg_phase_names[l->phase]);
    put(o, "layer", l->layer >= 0 ? json_integer(l->layer) : json_null(), ok);
    COUNT("t_ns", l->t_ns);
    put(o, "pmu", counters(r, ctr, ok), ok);
    return o;
}

static json_t *op(const rg_report *r, const rg_row *w, const char *no_roof, bool *ok)
{
    json_t *o = json_object(), *top = o;
    char buf[96];
    const bool roof = isfinite(w->ideal_ns);
    TEXT("phase", rg_phase_names[w->phase]);
    TEXT("op", rg_op_name(rg_site_op(w->site)));
    TEXT("site", rg_site_name(w->site));
    put(o, "layer", w->layer >= 0 ? json_integer(w->layer) : json_null(), ok);
    COUNT("calls", w->calls);
    COUNT("t_ns", w->t_ns);
    COUNT("wait_ns", w->wait_ns);
    REAL("share", rg_ratio((double)w->t_ns, (double)r->phase[w->phase].t_ns));
    COUNT("flop", w->analytic.flop);
    COUNT("int_op", w->analytic.iop);
    TEXT("weight_type", rg_row_wtype(buf, sizeof buf, w));
    TEXT("kernel", rg_row_kernel(buf, sizeof buf, w));
    o = bytes(&w->analytic, ok);
    REAL("t_ns", w->ideal_ns);
    put(top, "analytic", o, ok);
    o = bytes(&w->counted, ok);
    COUNT("flop", w->counted.flop);
    COUNT("int_op", w->counted.iop);
    put(top, "counted", o, ok);
    bool any = false;
    for (int i = 0; i < r->run.n_ctr; i++) any |= w->ctr_calls[i] > 0;
    o = any ? json_object() : json_null();
    for (int i = 0; any && i < r->run.n_ctr; i++) put(o, r->run.ctr_name[i], whole(rg_row_ctr(w, i)), ok);
    put(top, "pmu", o, ok);
    o = top;
    REAL("ai_analytic", rg_intensity(w->analytic.flop, rg_tally_bytes(&w->analytic)));
    REAL("ai_counted", rg_intensity(w->analytic.flop, rg_tally_bytes(&w->counted)));
    REAL("gflops", rg_row_gflops(w));
    REAL("gbps", rg_row_gbps(w));
    TEXT("roof", rg_row_roof(buf, sizeof buf, w));
    TEXT("roof_reason", roof ? NULL : no_roof);
    REAL("attainable_gflops", rg_row_attainable(w));
    REAL("roof_fraction", rg_row_fraction(w));
    TEXT("bound", rg_bound_names[w->bound]);
    put(o, "served_from_cache", isfinite(w->stream_gbps) ? json_boolean(w->from_cache) : json_null(), ok);
    return o;
}

/* One run as an object; verdict: of this run alone. */
static json_t *one(const rg_report *r, bool *ok)
{
    json_t *o = json_object(), *phases = json_array(), *ops = json_array(), *layers = json_array();
    char stamp[32] = "";
    struct tm tm;
    rg_lines verdict = {0};
    if (gmtime_r(&r->run.started, &tm)) strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
    TEXT("schema", "ridge.profile");
    COUNT("version", 1);
    TEXT("command", r->run.command);
    TEXT("started", stamp);
    put(o, "machine", machine(r, ok), ok);
    put(o, "model", model(r, ok), ok);
    put(o, "run", run(r, ok), ok);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (r->phase[ph].ran) json_array_append_new(phases, phase(r, (rg_phase)ph, ok));
    put(o, "phases", phases, ok);
    const char *no_roof = rg_report_no_roof(r);
    for (int i = 0; i < r->n_rows; i++) json_array_append_new(ops, op(r, &r->row[i], no_roof, ok));
    put(o, "ops", ops, ok);
    for (int i = 0; i < r->n_layers; i++) json_array_append_new(layers, layer(r, &r->layer[i], ok));
    put(o, "layers", layers, ok);
    rg_verdict_run(&verdict, r);
    if (verdict.failed) *ok = false;
    put(o, "verdict", lines(&verdict), ok);
    put(o, "notes", lines(&r->notes), ok);
    rg_lines_free(&verdict);
    return o;
}

static json_t *set(const rg_report *const *r, int n, bool *ok)
{
    json_t *o = json_object(), *runs = json_array();
    rg_lines verdict = {0};
    TEXT("schema", "ridge.profile.set");
    COUNT("version", 1);
    for (int i = 0; i < n; i++) json_array_append_new(runs, one(r[i], ok));
    put(o, "runs", runs, ok);
    for (int i = 1; i < n; i++) rg_verdict_compare(&verdict, r[0], r[i], NULL);
    if (verdict.failed) *ok = false;
    put(o, "verdict", lines(&verdict), ok);
    rg_lines_free(&verdict);
    return o;
}

rg_status rg_report_json(FILE *f, const rg_report *const *r, int n, rg_err *err)
{
    bool ok = true;
    json_t *j = n == 1 ? one(r[0], &ok) : set(r, n, &ok);
    rg_status st = RG_OK;
    if (!j || !ok)
        st = rg_fail(err, RG_E_NOMEM, "report: out of memory for the JSON");
    else if (json_dumpf(j, f, JSON_INDENT(1) | JSON_REAL_PRECISION(10)) != 0 || fputc('\n', f) == EOF)
        st = rg_fail(err, RG_E_FILE, "report: cannot write: %s", strerror(errno));
    json_decref(j);
    return st;
}
