/* The document of one run or several from joined records: every figure is computed here, once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report/join.h"
#include "report/report.h"
#include "report/verdict.h"
#include "roofline/measure/json_value.h"
#include "roofline/model/exact.h"

/* What beats its roof was served from a cache closer than its footprint, or the roof is too low. */
static const char above_roof[] = "faster than its roof";
static double believable(double share) { return share <= 1.0 ? share : NAN; }

static double known(double x) { return x > 0.0 ? x : NAN; }

static const char *source_of(const rg_machine *m) { return rg_machine_of_file(m) ? "file" : "measured"; }

static bool fill_roofs(rg_doc_machine *d, const rg_machine *m, rg_lines *pool)
{
    char name[64];
    rg_doc_roof *r = d->roofs = calloc(RG_BW_COUNT * m->n_bw + RG_PEAK_COUNT + 1, sizeof *r);
    if (!r) return false;
    for (int kind = 0; kind < RG_BW_COUNT; kind++)
        for (int i = 0; i < m->n_bw; i++) {
            const rg_measured *v = rg_bw_get(&m->bw[i], kind);
            if (v->value <= 0.0 && kind != RG_BW_READ) continue;
            snprintf(
                name, sizeof name, "%s %s", rg_bw_names[kind], RG_BYTES((double)m->bw[i].footprint_bytes));
            *r++ = (rg_doc_roof){.name = rg_doc_keep(pool, name),
                .kind = "bandwidth",
                .access = rg_bw_names[kind],
                .value_gbps = known(v->value),
                .value_gflops = NAN,
                .best = kind == RG_BW_READ && m->now.footprint == m->bw[i].footprint_bytes
                    ? v->value / m->now.read
                    : NAN,
                .spread = v->spread,
                .footprint_bytes = (double)m->bw[i].footprint_bytes,
                .source = source_of(m)};
        }
    for (int i = 0; i < RG_PEAK_COUNT; i++) {
        if (m->peak[i].value <= 0.0) continue;
        *r++ = (rg_doc_roof){.name = rg_peaks[i].name,
            .kind = "compute",
            .class = rg_arith_names[rg_peaks[i].arith],
            .value_gbps = NAN,
            .value_gflops = m->peak[i].value,
            .best = m->now.footprint ? m->peak[i].value / m->now.compute : NAN,
            .spread = m->peak[i].spread,
            .footprint_bytes = NAN,
            .isa = rg_isa_names[rg_peaks[i].isa],
            .source = source_of(m)};
    }
    d->n_roofs = (r - d->roofs);
    return true;
}

static bool fill_machine(rg_doc_machine *d, const rg_report *r, rg_lines *pool)
{
    const rg_machine *m = &r->machine;
    const rg_run_info *u = &r->run;
    *d = (rg_doc_machine){.cpu = m->cpu,
        .cores = m->cores,
        .threads = u->threads,
        .pinning = u->pinning,
        .isa = rg_isa_names[u->isa],
        .memory = known((double)m->memory_bytes),
        .blas = u->blas,
        .pmu = {.status = u->pmu_status,
            .reason = u->pmu_reason,
            .events = json_array(),
            .mode = u->pmu_mode,
            .groups = u->pmu_groups,
            .overhead_share = u->n_ctr > 0 ? u->pmu_share : NAN,
            .metrics = calloc(u->n_metrics + 1, sizeof *d->pmu.metrics),
            .n_metrics = u->n_metrics,
            .read_ns = u->n_ctr > 0 ? u->probe_ns : NAN},
        .roofs_source = m->source,
        .roofs_measured_at = m->measured_at[0] ? m->measured_at : NULL,
        .roofs_threads = known(m->threads),
        .roofs_noisy = m->noisy,
        .barrier_ns = known(m->barrier_ns.value)};
    if (u->cpus) d->cpus = json_array();
    for (int i = 0; u->cpus && i < u->threads; i++) json_array_append_new(d->cpus, json_integer(u->cpus[i]));
    for (int i = 0; i < u->n_ctr; i++) json_array_append_new(d->pmu.events, rg_json_text(u->ctr_name[i]));
    for (int i = 0; d->pmu.metrics && i < u->n_metrics; i++) {
        const rg_metric *x = &u->metric[i];
        d->pmu.metrics[i] = (rg_doc_metric){.name = x->name,
            .source = x->source,
            .available = x->available,
            .events = x->events[0] ? x->events : NULL,
            .group = x->available && x->ctr >= 0 ? x->group : -1,
            .reason = x->reason[0] ? x->reason : NULL,
            .remedy = x->remedy[0] ? x->remedy : NULL};
    }
    if (u->canary.l2_gbps > 0.0 && (d->canary = malloc(sizeof *d->canary)))
        *d->canary = (rg_doc_canary){.fma_gflops = u->canary.fma_gflops, .l2_gbps = u->canary.l2_gbps};
    return d->pmu.metrics && fill_roofs(d, m, pool);
}

static const char *kv_name(rg_kvtype t) { return t < RG_KV_COUNT ? rg_kvtypes[t].name : NULL; }

static rg_doc_dims dims_of(const rg_config *c)
{
    const int64_t windows = rg_layers_with_window(c), rotated = rg_exact_layers(c, RG_SITE_ATTN_ROPE, false);
    return (rg_doc_dims){.hidden = (double)c->dim,
        .ffn = (double)c->ffn,
        .heads = (double)c->heads,
        .kv_heads = (double)c->kv_heads,
        .head_dim = (double)c->head_dim,
        .vocab = (double)c->vocab,
        .ctx_train = (double)c->ctx_train,
        .window = windows ? (double)c->window : NAN,
        .window_layers = windows ? (double)windows : NAN,
        .rotated = rg_rope_dim(c) < c->head_dim ? (double)rg_rope_dim(c) : NAN,
        .rotated_layers = rotated < c->layers ? (double)rotated : NAN,
        .qk_norm = c->extra & rg_site_bit(RG_SITE_ATTN_Q_NORM)
            ? (double)rg_extent_size(c, rg_site_cols(RG_SITE_ATTN_Q_NORM))
            : NAN,
        .experts = known((double)c->experts),
        .experts_used = known((double)c->experts_used),
        .expert_ffn = known((double)c->expert_ffn),
        .shared_ffn = known((double)c->shared_ffn),
        .score_cap = c->attn_cap > 0.0 ? c->attn_cap : NAN};
}

/* Weights that a decode step read; of a dense model all of them. */
static double step_bytes(const rg_report *r)
{
    const rg_phase_sum *p = &r->phase[RG_DECODE];
    if (r->model.config.experts == 0 || p->calls == 0) return (double)r->model.stream_bytes;
    return floor((double)p->analytic.w_rd / (double)p->calls + 0.5);
}

static void fill_model(rg_doc_model *d, const rg_report *r, rg_lines *pool)
{
    const rg_model_info *m = &r->model;
    const rg_config *c = &m->config;
    const char *k = kv_name(m->kv_k), *v = kv_name(m->kv_v);
    *d = (rg_doc_model){.name = c->name,
        .arch = c->arch,
        .path = m->path,
        .format = m->format,
        .params = (double)m->params,
        .active_params = c->experts > 0 ? rg_exact_active(c) : NAN,
        .layers = (double)c->layers,
        .dims = dims_of(c),
        .tied = c->tied,
        .ctx = (double)m->ctx,
        .file_bytes = (double)m->file_bytes,
        .resident_bytes = (double)m->resident_bytes,
        .stream_bytes = step_bytes(r),
        .kv_bytes = (double)m->kv_bytes,
        .scratch_bytes = (double)m->scratch_bytes,
        .bits_per_weight_file = known(m->bits_file),
        .bits_per_weight_resident = known(m->bits_resident),
        .dtype = m->dtype,
        .head_dtype = m->head_dtype,
        .act = rg_act_names[m->act],
        .kv_dtype_k = k,
        .kv_dtype_v = v,
        .kv_dtype =
            rg_doc_keep(pool, RG_TEXT(32, m->kv_k == m->kv_v ? "%s" : "%s/%s", k ? k : "?", v ? v : "?")),
        .embd_row_bytes = known((double)m->embd_row),
        .round_rel = m->round_rel};
}

static rg_doc_system system_of(const rg_osload *l)
{
    return (rg_doc_system){.minor_faults = (double)l->minor_faults,
        .major_faults = (double)l->major_faults,
        .voluntary_switches = (double)l->voluntary,
        .involuntary_switches = (double)l->involuntary,
        .steal = rg_osload_steal(l)};
}

/* What the first token takes: tokenising a text, the prompt's calls, one choice. */
static double first_token_ns(const rg_report *r)
{
    const rg_phase_sum *p = &r->phase[RG_PREFILL], *d = &r->phase[RG_DECODE];
    if (!p->ran) return NAN;
    return (isfinite(r->run.tokenize_ns) ? r->run.tokenize_ns : 0.0) + (double)p->t_ns +
        (d->tokens > 0 ? (double)r->run.sample_ns / (double)d->tokens : 0.0);
}

static double record_share(const rg_report *r)
{
    const rg_phase ph = r->phase[RG_DECODE].ran ? RG_DECODE : RG_PREFILL;
    double records = 0.0;
    for (int i = 0; i < r->n_rows; i++)
        if (r->row[i].phase == ph && r->row[i].layer < 0) records += (double)r->row[i].calls;
    return known(rg_ratio(records * r->run.record_ns, (double)r->phase[ph].t_ns));
}

static void fill_run(rg_doc_run *d, const rg_report *r, rg_lines *pool)
{
    const rg_run_info *u = &r->run;
    char fuse[64];
    *d = (rg_doc_run){.prompt_tokens = (double)u->prompt_tokens,
        .gen_tokens = (double)u->gen_tokens,
        .decode_start = (double)u->decode_start,
        .ubatch = (double)u->ubatch,
        .repetitions = u->repetitions,
        .flash = u->flash,
        .fuse =
            rg_doc_keep(pool, rg_fuse_text(fuse, sizeof fuse, rg_fuse_applied(&r->model.config, u->fuse))),
        .interrupted = u->interrupted,
        .load_ns = (double)u->load_ns,
        .sample_ns = (double)u->sample_ns,
        .tokenize_ns = u->tokenize_ns,
        .first_token_ns = first_token_ns(r),
        .repetitions_dropped = u->dropped,
        .roof_drift = u->roof_drift,
        .record_share = record_share(r),
        .clock_drift = u->clock_drift,
        .noisy = r->noisy,
        .noise = rg_doc_lines(&r->evidence)};
}

/* Counters by name; ipc: instructions per cycle too. NULL without counters. */
static json_t *counters(const rg_report *r, const double ctr[RG_MAX_CTR], bool ipc)
{
    json_t *o = r->run.n_ctr > 0 ? json_object() : NULL;
    for (int i = 0; i < r->run.n_ctr; i++)
        json_object_set_new(
            o, r->run.ctr_name[i], isfinite(ctr[i]) ? json_integer((json_int_t)(ctr[i] + 0.5)) : json_null());
    const int cyc = rg_ctr_index(r, "cycles"), ins = rg_ctr_index(r, "instructions");
    if (ipc && cyc >= 0 && ins >= 0)
        json_object_set_new(o, "ipc", rg_json_real(rg_ratio(ctr[ins], ctr[cyc])));
    return o;
}

static bool fill_phase(rg_doc_phase *d, const rg_report *r, rg_phase ph)
{
    const rg_phase_sum *p = &r->phase[ph];
    const double t = (double)p->t_ns, flop = (double)p->analytic.flop, tokens = (double)p->tokens,
                 ab = (double)rg_tally_bytes(&p->analytic), cb = (double)rg_tally_bytes(&p->counted),
                 *socket = r->run.socket[ph];
    double stalls = 0.0, stall_ns = 0.0;
    for (int s = 0; s <= RG_SITE_COUNT; s++) {
        stalls += r->run.stalls[ph].n[s];
        stall_ns += r->run.stalls[ph].ns[s];
    }
    *d = (rg_doc_phase){.phase = ph,
        .tokens = tokens,
        .batch = (double)p->batch,
        .calls = (double)p->calls,
        .t_ns = t,
        .wall_ns = (double)p->wall_ns,
        .stalls = stalls,
        .stall_ns = stall_ns,
        .p50_ns = p->p50_ns,
        .p90_ns = p->p90_ns,
        .p99_ns = p->p99_ns,
        .call_ns = json_array(),
        .system = system_of(&r->run.load[ph]),
        .first_call_ns = known(r->run.first_ns[ph]),
        .spread = r->run.spread[ph],
        .tokens_per_s = 1e9 * rg_ratio(tokens, t),
        .tokens_per_s_low = 1e9 * rg_ratio(tokens, r->run.high_ns[ph]),
        .tokens_per_s_high = 1e9 * rg_ratio(tokens, r->run.low_ns[ph]),
        .flop = flop,
        .int_op = (double)p->analytic.iop,
        .bytes_analytic = ab,
        .bytes_counted = cb,
        .bytes_pmu = p->pmu_bytes,
        .pmu = counters(r, p->ctr, true),
        .socket = {NAN, NAN, NAN, NAN},
        .stream_bytes = (double)p->stream_bytes,
        .ctx = (double)p->last_ctx,
        .ai_analytic = rg_ratio(flop, ab),
        .ai_counted = rg_ratio(flop, cb),
        .ai_pmu = rg_ratio(flop, p->pmu_bytes),
        .gflops = rg_ratio(flop, t),
        .gbps = rg_ratio(cb, t),
        .mbu = believable(p->mbu),
        .mfu = believable(p->mfu),
        .ideal_ns = p->ideal_ns,
        .predicted_ns = p->predicted_ns,
        .ideal_flop_ns = p->flop_ns,
        .ideal_mem_ns = p->mem_ns,
        .roof_fraction = believable(rg_ratio(p->ideal_ns, t)),
        .roof_fraction_low = p->low * believable(rg_ratio(p->ideal_ns, t)),
        .roof_fraction_high = p->high * believable(rg_ratio(p->ideal_ns, t)),
        .bound = rg_bound_names[p->bound],
        .ops_ns = (double)p->op_ns,
        .wait_ns = (double)p->wait_ns,
        .barriers = (double)p->barriers,
        .overhead_ns = (double)p->overhead_ns};
    if (r->run.has_socket)
        d->socket = (rg_doc_socket){.socket_read_bytes = socket[RG_SOCKET_READ],
            .socket_write_bytes = socket[RG_SOCKET_WRITE],
            .package_energy_j = socket[RG_SOCKET_PACKAGE],
            .dram_energy_j = socket[RG_SOCKET_DRAM]};
    for (uint64_t i = 0; i < p->calls; i++) json_array_append_new(d->call_ns, json_integer(p->call_ns[i]));
    if (!(r->run.first_ns[ph] > 0.0)) return true;
    d->first_call_system = malloc(sizeof *d->first_call_system);
    if (d->first_call_system) *d->first_call_system = system_of(&r->run.first_load[ph]);
    return d->first_call_system;
}

#define BYTES(t) \
    .weight_bytes = (double)(t)->w_rd, .act_read_bytes = (double)(t)->act_rd, \
    .act_write_bytes = (double)(t)->act_wr, .kv_read_bytes = (double)(t)->kv_rd, \
    .kv_write_bytes = (double)(t)->kv_wr

static void fill_op(rg_doc_op *d, const rg_report *r, const rg_row *w, const char *no_roof, rg_lines *pool)
{
    const rg_tally *a = &w->analytic, *c = &w->counted;
    const double t = (double)w->t_ns, flop = (double)a->flop, ab = (double)rg_tally_bytes(a),
                 cb = (double)rg_tally_bytes(c), share = believable(rg_ratio(w->ideal_ns, t));
    bool counted = false;
    *d = (rg_doc_op){.phase = w->phase,
        .op = rg_op_name(rg_site_op(w->site)),
        .site = rg_site_name(w->site),
        .layer = w->layer,
        .calls = (double)w->calls,
        .t_ns = t,
        .stalls = w->layer < 0 ? (double)r->run.stalls[w->phase].n[w->site] : NAN,
        .stall_ns = w->layer < 0 ? r->run.stalls[w->phase].ns[w->site] : NAN,
        .wait_ns = (double)w->wait_ns,
        .share = rg_ratio(t, (double)r->phase[w->phase].t_ns),
        .predicted_ns = w->predicted_ns,
        .flop = flop,
        .int_op = (double)a->iop,
        .weight_type = rg_doc_keep(pool, rg_row_wtype((char[96]){0}, 96, w)),
        .kernel = rg_doc_keep(pool, rg_row_kernel((char[96]){0}, 96, w)),
        .analytic = {BYTES(a), .total_bytes = ab, .ideal_ns = w->ideal_ns, .flop_ns = w->flop_ns,
            .mem_ns = w->mem_ns},
        .counted = {BYTES(c), .total_bytes = cb, .flop = (double)c->flop, .int_op = (double)c->iop},
        .bytes_ratio = rg_ratio(cb, ab),
        .ai_analytic = rg_ratio(flop, ab),
        .ai_counted = rg_ratio(flop, cb),
        .gflops = rg_ratio(flop, t),
        .gbps = rg_ratio(cb, t),
        .roof = rg_doc_keep(pool, rg_row_roof((char[96]){0}, 96, w)),
        .roof_reason = !isfinite(w->ideal_ns) ? no_roof
            : isfinite(share)                 ? NULL
                                              : above_roof,
        .attainable_gflops = a->flop ? rg_ratio(flop, w->ideal_ns) : NAN,
        .roof_fraction = share,
        .bound = rg_bound_names[w->bound],
        .served_from_cache = isfinite(w->stream_gbps) ? w->from_cache : -1};
    double ctr[RG_MAX_CTR];
    for (int i = 0; i < RG_MAX_CTR; i++) {
        ctr[i] = rg_row_ctr(w, i);
        counted = counted || (i < r->run.n_ctr && w->ctr_calls[i] > 0);
    }
    if (counted) d->pmu = counters(r, ctr, false);
}

static bool fill_layers(rg_doc_profile *d, const rg_report *r)
{
    double ctr[RG_MAX_CTR];
    d->layers = calloc(r->n_layers + 1, sizeof *d->layers);
    for (int i = 0; d->layers && i < r->n_layers; i++) {
        const rg_layer_sum *l = &r->layer[i];
        for (int k = 0; k < RG_MAX_CTR; k++) ctr[k] = rg_layer_ctr(l, k);
        d->layers[d->n_layers++] = (rg_doc_layer){
            .phase = l->phase, .layer = l->layer, .t_ns = (double)l->t_ns, .pmu = counters(r, ctr, true)};
    }
    return d->layers;
}

/* What its tokens would have read one by one, of all weights, over what they read together. */
static double batch_gain(const rg_report *r, const rg_expert_sum *e)
{
    const double all = (double)r->phase[e->phase].analytic.w_rd, tokens = (double)e->tokens;
    return rg_ratio(all - e->bytes_analytic + e->bytes_dense, all) * tokens / (double)e->calls;
}

static bool fill_experts(rg_doc_profile *d, const rg_report *r)
{
    d->experts = calloc((size_t)r->n_experts + 1, sizeof *d->experts);
    for (int i = 0; d->experts && i < r->n_experts; i++) {
        const rg_expert_sum *e = &r->experts[i];
        const double n = (double)e->calls;
        d->experts[d->n_experts++] = (rg_doc_experts){.phase = e->phase,
            .layer = e->layer,
            .calls = e->layer < 0 ? (double)r->phase[e->phase].calls : n,
            .tokens = (double)e->tokens / n,
            .read = (double)e->read / n,
            .expected = e->expected / n,
            .bound = e->bound / n,
            .tokens_each = rg_ratio((double)e->pairs, (double)e->read),
            .imbalance = e->busiest / n,
            .weight_bytes = e->bytes,
            .weight_bytes_analytic = e->bytes_analytic,
            .dense_weight_bytes = e->bytes_dense,
            .batch_gain = e->layer < 0 ? batch_gain(r, e) : NAN};
    }
    return d->experts;
}

static bool fill(rg_doc_profile *d, const rg_report *r, rg_lines *pool)
{
    char stamp[32];
    *d = (rg_doc_profile){.command = r->run.command,
        .started = rg_doc_keep(pool, rg_stamp(stamp, sizeof stamp, r->run.started)),
        .phases = calloc(RG_PHASE_COUNT, sizeof *d->phases),
        .ops = calloc(r->n_rows + 1, sizeof *d->ops),
        .notes = rg_doc_lines(&r->notes)};
    if (!d->phases || !d->ops || !fill_machine(&d->machine, r, pool) || !fill_layers(d, r) ||
        !fill_experts(d, r))
        return false;
    fill_model(&d->model, r, pool);
    fill_run(&d->run, r, pool);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (r->phase[ph].ran && !fill_phase(&d->phases[d->n_phases++], r, ph)) return false;
    const char *no_roof = rg_report_no_roof(r);
    for (int i = 0; i < r->n_rows; i++) fill_op(&d->ops[d->n_ops++], r, &r->row[i], no_roof, pool);
    rg_lines said = {0};
    rg_run run;
    rg_err err;
    if (!rg_run_open(&run, d, "this run", &err)) rg_verdict_run(&said, &run);
    d->verdict = rg_doc_lines(&said);
    const bool ok = !said.failed;
    rg_lines_free(&said);
    return ok;
}

rg_status rg_report_doc(rg_doc *d, const rg_report *const *r, int n, rg_err *err)
{
    rg_doc_profile_set set = {.runs = calloc(n + 1, sizeof *set.runs)};
    rg_lines pool = {0};
    bool ok = set.runs;
    *d = (rg_doc){.kind = RG_DOC_KINDS};
    for (int i = 0; i < n && ok; i++) ok = fill(&set.runs[set.n_runs++], r[i], &pool);
    if (ok && n > 1) {
        rg_lines said = {0};
        rg_run base, other;
        for (size_t i = 1; i < set.n_runs && ok; i++)
            if (!rg_run_open(&base, &set.runs[0], "this run", err) &&
                !rg_run_open(&other, &set.runs[i], "this run", err) && rg_runs_same_work(&base, &other))
                rg_verdict_compare(&said, &base, &other, NULL);
        set.verdict = rg_doc_lines(&said);
        ok = !said.failed;
        rg_lines_free(&said);
    }
    rg_status st = ok && !pool.failed ? RG_OK : rg_no_memory(err, "report");
    if (!st)
        st = n == 1 ? rg_doc_make(d, RG_DOC_profile, &set.runs[0], err)
                    : rg_doc_make(d, RG_DOC_profile_set, &set, err);
    rg_object_free(RG_OBJ_profile_set, &set);
    rg_lines_free(&pool);
    return st;
}
