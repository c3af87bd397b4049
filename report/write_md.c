/* The report of runs as aligned Markdown. MB = 1e6 bytes, GB/s = 1e9 bytes/s. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cells.h"
#include "report/report.h"
#include "report/verdict.h"

enum { BAR = 48 };

static void print_bar(FILE *f, double fraction)
{
    const int n = isfinite(fraction) ? (int)(fraction * BAR + 0.5) : 0;
    for (int i = 0; i < BAR; i++) fputc(i < n ? '#' : '.', f);
}

static const char *or_unknown(const char *s) { return s ? s : "?"; }

/* What the run found of the best roofs; nothing where they were not sampled. */
static void roofs_now(FILE *f, const rg_doc_machine *w)
{
    double part[2] = {NAN, NAN}; /* bandwidth, arithmetic */
    for (size_t i = 0; i < w->n_roofs; i++)
        if (isfinite(w->roofs[i].best))
            part[rg_roof_computes(&w->roofs[i])] = rg_roof_value(&w->roofs[i]) / w->roofs[i].best;
    if (isfinite(part[0]) && isfinite(part[1]))
        fprintf(f, "; during the run memory gave %s and arithmetic %s of the best seen here",
            RG_PERCENT(part[0]), RG_PERCENT(part[1]));
}

static void machine_header(FILE *f, const rg_run *r)
{
    const rg_doc_machine *w = &r->d->machine;
    rg_machine m;
    int shown = 0, isa = 0;
    rg_run_machine(&m, r);
    fprintf(f, "machine  %s, %.0f cores, %s of memory; roofs: %s%s%s\n", w->cpu, w->cores,
        RG_BYTES(isfinite(w->memory) ? w->memory : 0.0), or_unknown(w->roofs_source),
        w->roofs_measured_at ? ", " : "", w->roofs_measured_at ? w->roofs_measured_at : "");
    fprintf(f, "roofs   ");
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        const double near = r->phase[0].stream_bytes;
        if (!rg_phase_ran(p) || (shown && p->stream_bytes < near * 1.25 && p->stream_bytes * 1.25 > near))
            continue;
        fprintf(f, "%s read %s GB/s at %s (what a call streams)", shown++ ? ";" : "",
            RG_NUM(rg_run_bandwidth(r, p->stream_bytes)), RG_BYTES(p->stream_bytes));
    }
    while (isa < RG_ISA_COUNT - 1 && strcmp(rg_isa_names[isa], w->isa) != 0) isa++;
    const int row = rg_machine_peak_row(&m, RG_ARITH_FP32_FMA, isa);
    const rg_measured fma = row < 0 ? (rg_measured){0} : m.peak[row];
    fprintf(f, "%s %s %s GFLOP/s (spread %s); barrier %s", shown ? ";" : "",
        row < 0 ? "fp32 fma" : rg_peaks[row].name, RG_NUM(fma.value > 0.0 ? fma.value : NAN),
        RG_PERCENT(fma.value > 0.0 ? fma.spread : NAN), RG_TIME(w->barrier_ns));
    roofs_now(f, w);
    fprintf(f, "\n");
}

static void model_header(FILE *f, const rg_run *r)
{
    const rg_doc_model *m = &r->d->model;
    const rg_doc_dims *k = &m->dims;
    fprintf(f,
        "model    %s (%s), %s million parameters, %.0f layers, dim %.0f, ffn %.0f, heads %.0f/%.0f x %.0f, "
        "vocab %.0f%s\n",
        m->name, m->format ? m->format : "unknown format", RG_NUM(1e-6 * m->params), m->layers, k->hidden,
        k->ffn, k->heads, k->kv_heads, k->head_dim, k->vocab,
        k->window > 0.0 ? RG_TEXT(64, ", window %.0f in %.0f layers", k->window, k->window_layers) : "");
    if (k->experts > 0.0)
        fprintf(f,
            "experts  %.0f a layer, %.0f wide; a token goes to %.0f: %s million parameters are active\n",
            k->experts, k->expert_ffn, k->experts_used, RG_NUM(1e-6 * m->active_params));
    fprintf(f,
        "weights  %s, output matrix %s; bits per weight: file %s, resident %s; file %s, resident %s, read "
        "per decode step %s\n",
        or_unknown(m->dtype), or_unknown(m->head_dtype), RG_NUM(m->bits_per_weight_file),
        RG_NUM(m->bits_per_weight_resident), RG_BYTES(m->file_bytes), RG_BYTES(m->resident_bytes),
        RG_BYTES(m->stream_bytes));
    fprintf(f, "memory   KV cache %s (K %s, V %s, context %.0f), scratch %s; activations %s\n",
        RG_BYTES(m->kv_bytes), or_unknown(m->kv_dtype_k), or_unknown(m->kv_dtype_v), m->ctx,
        RG_BYTES(m->scratch_bytes), or_unknown(m->act));
}

static void run_header(FILE *f, const rg_run *r)
{
    const rg_doc_run *u = &r->d->run;
    const rg_doc_machine *m = &r->d->machine;
    const rg_doc_pmu *p = &m->pmu;
    const json_t *name;
    size_t i;
    fprintf(f,
        "run      %s, isa %s, BLAS %s, %s attention, further fusions %s; prompt %.0f, generated %.0f, ubatch "
        "%.0f; median of %.0f after a warm-up; load %s\n",
        m->pinning ? m->pinning : "pinning unknown", m->isa, m->blas ? m->blas : "off",
        u->flash ? "fused" : "unfused", or_unknown(u->fuse), u->prompt_tokens, u->gen_tokens, u->ubatch,
        u->repetitions, RG_TIME(u->load_ns));
    fprintf(f,
        "method   time: a clock per operator, median over repetitions%s; bytes and FLOPs: counted in the "
        "executed loops, beside the exact analytic model\n",
        isfinite(u->record_share) ? RG_TEXT(64, " (records cost %s of a step)", RG_PERCENT(u->record_share))
                                  : "");
    fprintf(f, "pmu      %s", p->status);
    json_array_foreach (p->events, i, name) fprintf(f, "%s%s", i ? ", " : ": ", json_string_value(name));
    if (json_array_size(p->events) > 0)
        fprintf(f, "; read at every %s, %s a read, %s of a decode step%s", p->mode, RG_TIME(p->read_ns),
            RG_PERCENT(p->overhead_share), p->groups > 1.0 ? "; groups of events take turns" : "");
    fprintf(f, "\n\n");
}

/* ---- the operator table ---- */

/* A phase as a row of the table of operators. */
static rg_doc_op total_of(const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &r->phase[ph];
    return (rg_doc_op){.phase = ph,
        .site = "total",
        .layer = -1,
        .calls = p->calls,
        .t_ns = p->t_ns,
        .predicted_ns = p->predicted_ns,
        .share = 1.0,
        .flop = p->flop,
        .analytic = {.total_bytes = p->bytes_analytic, .ideal_ns = p->ideal_ns},
        .counted = {.total_bytes = p->bytes_counted},
        .bytes_ratio = rg_ratio(p->bytes_counted, p->bytes_analytic),
        .ai_analytic = p->ai_analytic,
        .ai_counted = p->ai_counted,
        .gflops = p->gflops,
        .gbps = p->gbps,
        .roof_fraction = p->roof_fraction,
        .bound = p->bound};
}

/* outside: only its time is known. */
static void op_row(rg_table *t, const rg_leaf *leaf, int n, const rg_doc_op *w, bool outside)
{
    rg_cells c = {.n = 0};
    char text[96];
    for (int i = 0; i < n; i++) {
        const char *s = rg_fig_text(text, sizeof text, leaf[i].fig, rg_leaf_value(&leaf[i], w));
        if (i == 0 && w->layer >= 0) s = rg_text(text, sizeof text, "%s.%lld", w->site, (long long)w->layer);
        const bool share = strcmp(leaf[i].key, "roof_fraction") == 0;
        if (share && isnan(w->roof_fraction) && w->analytic.ideal_ns > w->t_ns) s = "above";
        if (outside && i > 0 && strcmp(leaf[i].key, "t_ns") != 0 && strcmp(leaf[i].key, "share") != 0) s = "";
        rg_cells_add(&c, "s", s ? s : "n/a");
    }
    rg_cells_end(&c, t);
}

/* Every ranked figure of operators is a column, but phase and layer. */
static void op_table(FILE *f, const rg_run *r, rg_phase ph, bool layers, bool *failed)
{
    const rg_doc_phase *p = &r->phase[ph];
    rg_table t = {0};
    rg_leaf leaf[RG_MOST_LEAVES];
    const char *title[RG_TABLE_COLS];
    char text[RG_TABLE_COLS][48];
    int n = 0;
    const int all = rg_leaves(leaf, RG_OBJ_op, "", true);
    for (int i = 0; i < all && n < RG_TABLE_COLS; i++) {
        if (strcmp(leaf[i].key, "phase") == 0 || strcmp(leaf[i].key, "layer") == 0) continue;
        leaf[n] = leaf[i];
        snprintf(text[n], sizeof text[n], "%c%s", rg_fig_right(leaf[n].fig) ? '>' : '<', leaf[n].fig->title);
        title[n] = text[n];
        n++;
    }
    rg_table_head_n(&t, title, n);
    for (size_t i = 0; i < r->d->n_ops; i++) {
        const rg_doc_op *w = &r->d->ops[i];
        if (w->phase == ph && (w->layer >= 0) == layers) op_row(&t, leaf, n, w, false);
    }
    if (!layers) {
        const rg_doc_op total = total_of(r, ph),
                        outside = {.site = "outside ops",
                            .layer = -1,
                            .t_ns = p->overhead_ns,
                            .share = rg_ratio(p->overhead_ns, p->t_ns)};
        op_row(&t, leaf, n, &outside, true);
        op_row(&t, leaf, n, &total, false);
    }
    rg_table_end(f, &t, failed);
}

/* Every ranked figure of the experts that a phase read, of all layers and of each. */
static void experts_table(FILE *f, const rg_run *r, rg_phase ph, bool *failed)
{
    rg_table t = {0};
    rg_leaf leaf[RG_MOST_LEAVES];
    const char *title[RG_TABLE_COLS];
    char text[RG_TABLE_COLS][48];
    if (!rg_run_experts(r, ph)) return;
    const int n = rg_leaves(leaf, RG_OBJ_experts, "", true);
    for (int i = 1; i < n; i++) { /* without the phase */
        snprintf(text[i], sizeof text[i], "%c%s", rg_fig_right(leaf[i].fig) ? '>' : '<', leaf[i].fig->title);
        title[i - 1] = text[i];
    }
    fprintf(f, "\n### %s: experts that were read\n\n", rg_phase_names[ph]);
    rg_table_head_n(&t, title, n - 1);
    for (size_t k = 0; k < r->d->n_experts; k++) {
        const rg_doc_experts *e = &r->d->experts[k];
        rg_cells c = {.n = 0};
        if (e->phase != ph) continue;
        for (int i = 1; i < n; i++) {
            char cell[96];
            const char *s = rg_fig_text(cell, sizeof cell, leaf[i].fig, rg_leaf_value(&leaf[i], e));
            rg_cells_add(&c, "s", i == 1 && e->layer < 0 ? "all" : s ? s : "n/a");
        }
        rg_cells_end(&c, &t);
    }
    rg_table_end(f, &t, failed);
}

/* ---- counters ---- */

static bool hardware(const rg_run *r) { return strcmp(r->d->machine.pmu.status, "hardware") == 0; }

/* Instructions per cycle, and every metric; hardware counts in millions. */
static void pmu_row(rg_table *t, const rg_run *r, const char *name, const json_t *pmu)
{
    const json_t *event;
    size_t i;
    rg_cells c = {.n = 0};
    rg_cells_add(
        &c, "sn", name, rg_ratio(rg_json_number(pmu, "instructions"), rg_json_number(pmu, "cycles")));
    json_array_foreach (r->d->machine.pmu.events, i, event) {
        if (i == RG_MAX_CTR) break;
        rg_cells_add(&c, "n", (hardware(r) ? 1e-6 : 1.0) * rg_json_number(pmu, json_string_value(event)));
    }
    rg_cells_end(&c, t);
}

/* Memory controllers and energy, where counted. */
static void socket_lines(FILE *f, const rg_doc_phase *p)
{
    const rg_doc_socket *s = &p->socket;
    if (isfinite(s->socket_read_bytes))
        fprintf(f, "socket: %s MB read, %s MB written by the memory controllers (everything on the socket)\n",
            RG_NUM(1e-6 * s->socket_read_bytes), RG_NUM(1e-6 * s->socket_write_bytes));
    if (isfinite(s->package_energy_j))
        fprintf(f, "energy: package %s J, %s J per token; DRAM %s J\n", RG_NUM(s->package_energy_j),
            RG_NUM(rg_ratio(s->package_energy_j, p->tokens)), RG_NUM(s->dram_energy_j));
}

/* A line for the phase, and a row per operator or layer where hardware counted. */
static void pmu_part(FILE *f, const rg_run *r, rg_phase ph, bool *failed)
{
    const rg_doc_phase *p = &r->phase[ph];
    const rg_doc_profile *d = r->d;
    const json_t *event, *events = d->machine.pmu.events;
    char text[RG_MAX_CTR + 2][48];
    const char *title[RG_MAX_CTR + 2] = {d->n_layers ? "<layer" : "<operator", ">IPC"};
    rg_table t = {0};
    size_t i;
    int n = 2;
    double reads = 0.0, flop = 0.0;
    socket_lines(f, p);
    if (json_array_size(events) == 0) return;
    fprintf(f, "pmu: ");
    json_array_foreach (events, i, event) {
        const char *s = json_string_value(event);
        fprintf(f, "%s%s %s", i ? ", " : "", s, RG_NUM(rg_json_number(p->pmu, s)));
        if (n == RG_MAX_CTR + 2) continue;
        snprintf(text[n], sizeof text[n], hardware(r) ? ">M %.40s" : ">%.40s", s);
        title[n] = text[n];
        n++;
    }
    for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));) {
        reads += w->counted.weight_bytes + w->counted.act_read_bytes + w->counted.kv_read_bytes;
        flop += w->counted.flop;
    }
    if (isfinite(rg_json_number(p->pmu, "flop")))
        fprintf(f, "; flop / counted %s", RG_NUM(rg_ratio(rg_json_number(p->pmu, "flop"), flop)));
    if (isfinite(rg_json_number(p->pmu, "read_bytes")))
        fprintf(f, "; bytes read from DRAM / counted reads %s",
            RG_NUM(rg_ratio(rg_json_number(p->pmu, "read_bytes"), reads)));
    fprintf(f, "\n");
    if (!hardware(r) && d->n_layers == 0) return;
    rg_table_head_n(&t, title, n);
    for (const rg_doc_op *w = NULL; d->n_layers == 0 && (w = rg_run_next(r, ph, w));)
        pmu_row(&t, r, w->site, w->pmu);
    for (i = 0; i < d->n_layers; i++) {
        const rg_doc_layer *l = &d->layers[i];
        if (l->phase != ph) continue;
        pmu_row(&t, r, l->layer < 0 ? "outside layers" : RG_TEXT(32, "%lld", (long long)l->layer), l->pmu);
    }
    fprintf(f, "\n");
    rg_table_end(f, &t, failed);
}

static bool ran(const rg_doc_op *w, rg_phase ph, const char *kernel)
{
    return w->layer < 0 && w->phase == ph && w->kernel && strcmp(w->kernel, kernel) == 0;
}

/* Which kernel ran where: sites of equal label together. */
static void kernel_lines(FILE *f, const rg_run *r, rg_phase ph)
{
    const char *lead = "kernels: ";
    for (size_t k = 0; k < r->d->n_ops; k++) {
        const rg_doc_op *w = &r->d->ops[k];
        if (!ran(w, ph, w->kernel)) continue;
        size_t i = 0;
        while (!ran(&r->d->ops[i], ph, w->kernel)) i++;
        if (i < k) continue; /* it stands with the first of its sites */
        fprintf(f, "%s%s (", lead, w->kernel);
        lead = "; ";
        for (; i < r->d->n_ops; i++)
            if (ran(&r->d->ops[i], ph, w->kernel)) fprintf(f, "%s%s", i > k ? ", " : "", r->d->ops[i].site);
        fprintf(f, ")");
    }
    fprintf(f, "\n");
}

/* Time and events that belong to no operator. */
static void system_line(FILE *f, const rg_run *r, rg_phase ph)
{
    const rg_doc_run *u = &r->d->run;
    const rg_doc_phase *p = &r->phase[ph];
    const rg_doc_system *l = &p->system, *first = p->first_call_system;
    fprintf(f,
        "system, in %.0f repetition%s: %.0f page faults (%.0f from disk), %.0f involuntary and %.0f "
        "voluntary context switches",
        u->repetitions, u->repetitions < 1.5 ? "" : "s", l->minor_faults + l->major_faults, l->major_faults,
        l->involuntary_switches, l->voluntary_switches);
    /* containers may hide it */
    if (isfinite(l->steal)) fprintf(f, ", stolen by a hypervisor %s", RG_PERCENT(l->steal));
    if (first)
        fprintf(f, "; first call of all (first touch) %s with %.0f page faults", RG_TIME(p->first_call_ns),
            first->minor_faults + first->major_faults);
    if (ph == RG_PREFILL && isfinite(u->tokenize_ns))
        fprintf(f, "; tokenising the prompt %s", RG_TIME(u->tokenize_ns));
    if (ph == RG_DECODE) fprintf(f, "; choosing tokens %s", RG_TIME(u->sample_ns));
    fprintf(f, "\n\n");
}

static void phase_part(FILE *f, const rg_run *r, rg_phase ph, bool *failed)
{
    const rg_doc_phase *p = &r->phase[ph];
    bool layers = false;
    if (!rg_phase_ran(p)) {
        fprintf(f, "## %s\n\nnot run\n\n", rg_phase_names[ph]);
        return;
    }
    fprintf(f, "## %s: %.0f tokens in %s, %s tokens/s\n\n", rg_phase_names[ph], p->tokens, RG_TIME(p->t_ns),
        RG_NUM(p->tokens_per_s));
    fprintf(f,
        "per call: p50 %s, p90 %s, p99 %s; memory-bandwidth use (weights + KV) %s, arithmetic use %s; ideal "
        "on these roofs %s; waiting at barriers %s",
        RG_TIME(p->p50_ns), RG_TIME(p->p90_ns), RG_TIME(p->p99_ns), RG_PERCENT(p->mbu), RG_PERCENT(p->mfu),
        RG_TIME(p->ideal_ns), RG_PERCENT(rg_ratio(p->wait_ns, p->ops_ns * r->d->machine.threads)));
    if (p->barriers > 0.0) fprintf(f, ", %s of them a call", RG_NUM(rg_ratio(p->barriers, p->calls)));
    fprintf(f, "\n\n");
    system_line(f, r, ph);
    op_table(f, r, ph, false, failed);
    fprintf(f, "\n");
    kernel_lines(f, r, ph);
    pmu_part(f, r, ph, failed);
    for (size_t i = 0; i < r->d->n_ops; i++) layers = layers || r->d->ops[i].layer >= 0;
    if (layers) {
        fprintf(f, "\n### %s by layer\n\n", rg_phase_names[ph]);
        op_table(f, r, ph, true, failed);
    }
    experts_table(f, r, ph, failed);
    fprintf(f, "\n");
}

/* ---- pictures ---- */

static void stage_split(FILE *f, const rg_run *r)
{
    const double all = r->phase[RG_PREFILL].t_ns + r->phase[RG_DECODE].t_ns;
    fprintf(f, "## Where the time goes\n\n```\n");
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        fprintf(f, "%-8s ", rg_phase_names[ph]);
        print_bar(f, rg_ratio(p->t_ns, all));
        fprintf(
            f, " %9s  %6s  %.0f tokens\n", RG_TIME(p->t_ns), RG_PERCENT(rg_ratio(p->t_ns, all)), p->tokens);
    }
    fprintf(f, "```\n\n");
}

/* Bytes of one call by kind, on one logarithmic scale. */
static void byte_bars(FILE *f, const rg_run *r)
{
    static const char *const kinds[] = {"weights", "activations", "KV cache"};
    double v[RG_PHASE_COUNT][3] = {{0}}, least = INFINITY, most = 0.0;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        if (!rg_phase_ran(p)) continue;
        const double calls = ph == RG_PREFILL ? 1.0 : fmax(p->calls, 1.0); /* the whole prompt; one step */
        for (const rg_doc_op *w = NULL; (w = rg_run_next(r, ph, w));) {
            const rg_doc_analytic *a = &w->analytic;
            v[ph][0] += a->weight_bytes / calls;
            v[ph][1] += (a->act_read_bytes + a->act_write_bytes) / calls;
            v[ph][2] += (a->kv_read_bytes + a->kv_write_bytes) / calls;
        }
        for (int i = 0; i < 3; i++)
            if (v[ph][i] > 0.0) {
                least = fmin(least, v[ph][i]);
                most = fmax(most, v[ph][i]);
            }
    }
    if (!(most > 0.0)) return;
    const double low = floor(log10(least)) - 0.001, high = ceil(log10(most)) + 0.001;
    fprintf(f, "## What is moved (analytic bytes, log scale 1e%.0f to 1e%.0f)\n\n```\n", low, high);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!rg_phase_ran(&r->phase[ph])) continue;
        fprintf(f, "%s\n", ph == RG_PREFILL ? "prefill, the whole prompt" : "decode, one step");
        for (int i = 0; i < 3; i++) {
            fprintf(f, "  %-12s ", kinds[i]);
            print_bar(f, v[ph][i] > 0.0 ? (log10(v[ph][i]) - low) / (high - low) : 0.0);
            fprintf(f, " %10s\n", RG_BYTES(v[ph][i]));
        }
    }
    fprintf(f, "```\n\n");
}

/* ---- several runs ---- */

/* "1.04 (0.91 to 1.19)": each run is one load. */
static const char *gain_text(char *buf, size_t n, const rg_run *base, const rg_run *r, rg_phase ph)
{
    const rg_doc_side g = rg_gain_side(base, r, ph);
    if (r == base || !isfinite(g.gain)) return r == base ? "1" : "n/a";
    if (isfinite(g.gain_low))
        snprintf(buf, n, "%s (%s to %s)", RG_NUM(g.gain), RG_NUM(g.gain_low), RG_NUM(g.gain_high));
    else
        snprintf(buf, n, "%s (no interval)", RG_NUM(g.gain));
    return buf;
}

static void compare_table(FILE *f, const rg_reports *s, bool *failed)
{
    rg_table t = {0};
    rg_table_head(&t, "<weights", ">bits/weight", ">streamed", ">bytes ratio", ">prefill tok/s", ">gain",
        ">decode tok/s", ">gain", ">MBU", ">MFU", ">rounding", NULL);
    for (size_t i = 0; i < s->n; i++) {
        const rg_run *r = &s->run[i], *r0 = &s->run[0];
        const rg_doc_model *m = &r->d->model;
        double tps[2];
        char gain[2][96];
        const char *said[2];
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const bool both = rg_phase_ran(&r->phase[ph]) && rg_phase_ran(&r0->phase[ph]);
            tps[ph] = rg_phase_ran(&r->phase[ph]) ? r->phase[ph].tokens_per_s : NAN;
            said[ph] = both ? gain_text(gain[ph], sizeof gain[ph], r0, r, ph) : "n/a";
        }
        rg_table_line(&t, "snbnnsnsppp", or_unknown(m->dtype), m->bits_per_weight_resident, m->stream_bytes,
            rg_ratio(r0->d->model.stream_bytes, m->stream_bytes), tps[RG_PREFILL], said[RG_PREFILL],
            tps[RG_DECODE], said[RG_DECODE],
            rg_phase_ran(&r->phase[RG_DECODE]) ? r->phase[RG_DECODE].mbu : NAN,
            rg_phase_ran(&r->phase[RG_PREFILL]) ? r->phase[RG_PREFILL].mfu : NAN, m->round_rel);
    }
    fprintf(f,
        "# Side by side\n\ngain and ratio: against the first row, with what both intervals allow and %.0f %% "
        "for "
        "where a load lies in memory (ridge compare loads\neach several times); MBU of decode, MFU of "
        "prefill\n\n",
        100.0 * RG_PLACEMENT);
    rg_table_end(f, &t, failed);
    fprintf(f, "\n");
}

static void title(FILE *f, const rg_run *r)
{
    const rg_doc_profile *d = r->d;
    const json_t *line;
    size_t i;
    fprintf(f, "# Ridge profile: %s, %s weights (%s)\n\n", RG_CELL(256, d->model.name),
        or_unknown(d->model.dtype),
        d->started && strlen(d->started) >= 16 ? RG_TEXT(32, "%.10s %.5s UTC", d->started, d->started + 11)
                                               : "unknown time");
    if (!d->run.noisy) return;
    fprintf(f, "**The machine was not quiet:** ");
    json_array_foreach (d->run.noise, i, line) fprintf(f, "%s%s", i ? "; " : "", json_string_value(line));
    fprintf(f, ". Figures are medians without stalled calls; no causes are named.\n\n");
}

rg_status rg_profile_md(FILE *f, const rg_reports *s, rg_err *err)
{
    rg_lines verdict = {0};
    bool failed = false;
    for (size_t i = 0; i < s->n; i++) {
        const rg_run *r = &s->run[i];
        title(f, r);
        machine_header(f, r);
        model_header(f, r);
        run_header(f, r);
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) phase_part(f, r, ph, &failed);
        if (i == 0)
            fprintf(f,
                "MB = 1e6 bytes; cnt = counted by the loops, ana = analytic (compulsory); I = FLOP per byte; "
                "GFLOP/s = analytic FLOP per time, GB/s = counted bytes\n"
                "per time; cached = that is above what this machine moves at the footprint of a call, so "
                "served in part from a cache; ideal = what the cost model predicts\n"
                "on the measured roofs; roof%% = ideal / measured (above: faster than that roof); total: the "
                "phase, its calls are forward "
                "calls.\n"
                "bound: overhead = the ideal time of a call is below %d barriers; else the larger of its "
                "memory and compute time.\n\n",
                RG_OVERHEAD_BARRIERS);
        stage_split(f, r);
        byte_bars(f, r);
    }
    if (s->n > 1) compare_table(f, s, &failed);
    rg_verdict(&verdict, s);
    fprintf(f, "## Verdict\n\n");
    for (int i = 0; i < verdict.n; i++) fprintf(f, "- %s\n", verdict.s[i]);
    for (size_t i = 0; i < s->n; i++) {
        const rg_doc_profile *d = s->run[i].d;
        const json_t *note;
        size_t k;
        if (json_array_size(d->notes) == 0) continue;
        fprintf(
            f, "\n## Notes%s%s\n\n", s->n > 1 ? ", " : "", s->n > 1 && d->model.dtype ? d->model.dtype : "");
        json_array_foreach (d->notes, k, note) fprintf(f, "- %s\n", json_string_value(note));
    }
    failed = failed || verdict.failed;
    rg_lines_free(&verdict);
    return rg_written(f, "report", failed, err);
}
