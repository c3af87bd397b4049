/* The report of runs as a person reads it in a terminal: Markdown whose raw text is aligned. MB = 1e6 bytes, GB/s = 1e9
 * bytes/s. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/report.h"
#include "report/table.h"
#include "report/verdict.h"

enum { BAR = 48 };

static void print_bar(FILE *f, double fraction)
{
    const int n = isfinite(fraction) ? (int)(fraction * BAR + 0.5) : 0;
    for (int i = 0; i < BAR; i++) fputc(i < n ? '#' : '.', f);
}

static const char *or_unknown(const char *s) { return s ? s : "?"; }

static void machine_header(FILE *f, const rg_run *r)
{
    char a[64], b[64], c[64], d[64];
    const rg_doc_machine *w = &r->d->machine;
    rg_machine m;
    int shown = 0, isa = 0;
    rg_run_machine(&m, r);
    fprintf(f, "machine  %s, %.0f cores, %s of memory; roofs: %s%s%s\n", w->cpu, w->cores,
        rg_bytes(a, sizeof a, isfinite(w->memory) ? w->memory : 0.0), or_unknown(w->roofs_source),
        w->roofs_measured_at ? ", " : "", w->roofs_measured_at ? w->roofs_measured_at : "");
    fprintf(f, "roofs   ");
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        const double near = r->phase[0].stream_bytes;
        if (!rg_phase_ran(p) || (shown && p->stream_bytes < near * 1.25 && p->stream_bytes * 1.25 > near))
            continue;
        double spread = NAN;
        for (int i = 0; i < m.n_bw; i++)
            if (i == 0 || (double)m.bw[i].footprint_bytes <= p->stream_bytes)
                spread = m.bw[i].read_gbps.spread;
        fprintf(f, "%s read %s GB/s at %s (what a call streams; spread %s)", shown++ ? ";" : "",
            rg_num(a, sizeof a, rg_run_bandwidth(r, p->stream_bytes)), rg_bytes(b, sizeof b, p->stream_bytes),
            rg_percent(c, sizeof c, spread));
    }
    while (isa < RG_ISA_COUNT - 1 && strcmp(rg_isa_names[isa], w->isa) != 0) isa++;
    const int row = rg_machine_peak_row(&m, RG_ARITH_FP32_FMA, (rg_isa)isa);
    const rg_measured fma = row < 0 ? (rg_measured){0} : m.peak[row];
    fprintf(f, "%s %s %s GFLOP/s (spread %s); barrier %s\n", shown ? ";" : "",
        row < 0 ? "fp32 fma" : rg_peaks[row].name, rg_num(a, sizeof a, fma.value > 0.0 ? fma.value : NAN),
        rg_percent(b, sizeof b, fma.value > 0.0 ? fma.spread : NAN), rg_time(d, sizeof d, w->barrier_ns));
}

static void model_header(FILE *f, const rg_run *r)
{
    char b[64], c[64], d[64], e[64], g[64];
    const rg_doc_model *m = &r->d->model;
    const rg_doc_dims *k = &m->dims;
    fprintf(f,
        "model    %s (%s), %s million parameters, %.0f layers, dim %.0f, ffn %.0f, heads %.0f/%.0f x %.0f, "
        "vocab "
        "%.0f\n",
        m->name, m->format ? m->format : "unknown format", rg_num(b, sizeof b, 1e-6 * m->params), m->layers,
        k->hidden, k->ffn, k->heads, k->kv_heads, k->head_dim, k->vocab);
    fprintf(f,
        "weights  %s, output matrix %s; bits per weight: file %s, resident %s; file %s, resident %s, read "
        "per decode step %s\n",
        or_unknown(m->dtype), or_unknown(m->head_dtype), rg_num(b, sizeof b, m->bits_per_weight_file),
        rg_num(g, sizeof g, m->bits_per_weight_resident), rg_bytes(c, sizeof c, m->file_bytes),
        rg_bytes(d, sizeof d, m->resident_bytes), rg_bytes(e, sizeof e, m->stream_bytes));
    fprintf(f, "memory   KV cache %s (K %s, V %s, context %.0f), scratch %s; activations %s\n",
        rg_bytes(c, sizeof c, m->kv_bytes), or_unknown(m->kv_dtype_k), or_unknown(m->kv_dtype_v), m->ctx,
        rg_bytes(g, sizeof g, m->scratch_bytes), or_unknown(m->act));
}

static void run_header(FILE *f, const rg_run *r)
{
    char a[64], b[64];
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
        u->repetitions, rg_time(a, sizeof a, u->load_ns));
    fprintf(f,
        "method   time: monotonic clock per operator; bytes and FLOPs: counted in the executed loops, beside "
        "the exact analytic model\n");
    fprintf(f, "pmu      %s", p->status);
    json_array_foreach (p->events, i, name) fprintf(f, "%s%s", i ? ", " : ": ", json_string_value(name));
    if (json_array_size(p->events) > 0)
        fprintf(f, "; read at every %s, %s a read, %s of a decode step%s", p->mode,
            rg_time(b, sizeof b, p->read_ns), rg_percent(a, sizeof a, p->overhead_share),
            p->groups > 1.0 ? "; groups of events take turns" : "");
    fprintf(f, "\n\n");
}

/* ---- the operator table ---- */

/* The figures of a phase where the table of operators has those of an operator. */
static rg_doc_op total_of(const rg_run *r, rg_phase ph)
{
    const rg_doc_phase *p = &r->phase[ph];
    return (rg_doc_op){.phase = ph,
        .site = "total",
        .layer = -1,
        .calls = p->calls,
        .t_ns = p->t_ns,
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

static void op_row(rg_table *t, const rg_leaf *leaf, int n, const rg_doc_op *w, const char *unknown)
{
    char text[RG_TABLE_COLS][96];
    const char *cell[RG_TABLE_COLS];
    for (int i = 0; i < n; i++) {
        const char *s = rg_fig_text(text[i], sizeof text[i], leaf[i].fig, rg_leaf_value(&leaf[i], w));
        cell[i] = s ? s : unknown;
    }
    if (w->layer >= 0) {
        snprintf(text[0], sizeof text[0], "%s.%lld", w->site, (long long)w->layer);
        cell[0] = text[0];
    }
    rg_table_row_n(t, cell, n);
}

/* Every ranked figure of operators is a column, but phase and layer, which the table as a whole says. */
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
        if (w->phase == ph && (w->layer >= 0) == layers) op_row(&t, leaf, n, w, "n/a");
    }
    if (!layers) {
        const rg_doc_op total = total_of(r, ph),
                        outside = {.site = "outside ops",
                            .layer = -1,
                            .calls = NAN,
                            .t_ns = p->overhead_ns,
                            .share = rg_ratio(p->overhead_ns, p->t_ns),
                            .flop = NAN,
                            .analytic = {.total_bytes = NAN, .ideal_ns = NAN},
                            .counted = {.total_bytes = NAN},
                            .bytes_ratio = NAN,
                            .ai_analytic = NAN,
                            .ai_counted = NAN,
                            .gflops = NAN,
                            .gbps = NAN,
                            .roof_fraction = NAN,
                            .served_from_cache = -1};
        op_row(&t, leaf, n, &outside, "");
        op_row(&t, leaf, n, &total, "n/a");
    }
    rg_table_print(f, &t);
    *failed = *failed || t.failed;
    rg_table_free(&t);
}

/* ---- counters ---- */

static double counter(const json_t *pmu, const char *name)
{
    const json_t *v = json_object_get(pmu, name);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool hardware(const rg_run *r) { return strcmp(r->d->machine.pmu.status, "hardware") == 0; }

/* Instructions per cycle, and every metric: hardware counts in millions, software ones as they are. */
static void pmu_row(rg_table *t, const rg_run *r, const char *name, const json_t *pmu)
{
    char text[RG_MAX_CTR + 1][32];
    const char *cell[RG_MAX_CTR + 2] = {name};
    const json_t *event;
    size_t i;
    int n = 2;
    cell[1] = rg_num(text[0], 32, rg_ratio(counter(pmu, "instructions"), counter(pmu, "cycles")));
    json_array_foreach (r->d->machine.pmu.events, i, event) {
        if (n == RG_MAX_CTR + 2) break;
        const double x = counter(pmu, json_string_value(event));
        cell[n] = rg_num(text[n - 1], 32, hardware(r) ? 1e-6 * x : x);
        n++;
    }
    rg_table_row_n(t, cell, n);
}

/* Memory controllers and energy, where somebody counts them. */
static void socket_lines(FILE *f, const rg_doc_phase *p)
{
    char a[32], b[32], c[32];
    const rg_doc_socket *s = &p->socket;
    if (isfinite(s->socket_read_bytes))
        fprintf(f, "socket: %s MB read, %s MB written by the memory controllers (everything on the socket)\n",
            rg_num(a, sizeof a, 1e-6 * s->socket_read_bytes),
            rg_num(b, sizeof b, 1e-6 * s->socket_write_bytes));
    if (isfinite(s->package_energy_j))
        fprintf(f, "energy: package %s J, %s J per token; DRAM %s J\n",
            rg_num(a, sizeof a, s->package_energy_j),
            rg_num(b, sizeof b, rg_ratio(s->package_energy_j, p->tokens)),
            rg_num(c, sizeof c, s->dram_energy_j));
}

/* A line for the phase, and a row per operator or layer where hardware counted. */
static void pmu_part(FILE *f, const rg_run *r, rg_phase ph, bool *failed)
{
    const rg_doc_phase *p = &r->phase[ph];
    const rg_doc_profile *d = r->d;
    const json_t *event, *events = d->machine.pmu.events;
    char a[32], name[64], text[RG_MAX_CTR + 2][48];
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
        fprintf(f, "%s%s %s", i ? ", " : "", s, rg_num(a, sizeof a, counter(p->pmu, s)));
        if (n == RG_MAX_CTR + 2) continue;
        snprintf(text[n], sizeof text[n], hardware(r) ? ">M %.40s" : ">%.40s", s);
        title[n] = text[n];
        n++;
    }
    for (i = 0; i < d->n_ops; i++) {
        const rg_doc_op *w = &d->ops[i];
        if (w->layer >= 0 || w->phase != ph) continue;
        reads += w->counted.weight_bytes + w->counted.act_read_bytes + w->counted.kv_read_bytes;
        flop += w->counted.flop;
    }
    if (isfinite(counter(p->pmu, "flop")))
        fprintf(f, "; flop / counted %s", rg_num(a, sizeof a, rg_ratio(counter(p->pmu, "flop"), flop)));
    if (isfinite(counter(p->pmu, "read_bytes")))
        fprintf(f, "; bytes read from DRAM / counted reads %s",
            rg_num(a, sizeof a, rg_ratio(counter(p->pmu, "read_bytes"), reads)));
    fprintf(f, "\n");
    if (!hardware(r) && d->n_layers == 0) return;
    rg_table_head_n(&t, title, n);
    for (i = 0; i < d->n_ops && d->n_layers == 0; i++)
        if (d->ops[i].phase == ph && d->ops[i].layer < 0) pmu_row(&t, r, d->ops[i].site, d->ops[i].pmu);
    for (i = 0; i < d->n_layers; i++) {
        const rg_doc_layer *l = &d->layers[i];
        if (l->phase != ph) continue;
        snprintf(name, sizeof name, l->layer < 0 ? "outside layers" : "%lld", (long long)l->layer);
        pmu_row(&t, r, name, l->pmu);
    }
    fprintf(f, "\n");
    rg_table_print(f, &t);
    *failed = *failed || t.failed;
    rg_table_free(&t);
}

/* Which kernel ran where: sites of equal label together. */
static void kernel_lines(FILE *f, const rg_run *r, rg_phase ph)
{
    const char *lead = "kernels: ";
    for (size_t k = 0; k < r->d->n_ops; k++) {
        const rg_doc_op *w = &r->d->ops[k];
        bool done = w->layer >= 0 || w->phase != ph || !w->kernel;
        for (size_t i = 0; i < k && !done; i++) {
            const rg_doc_op *v = &r->d->ops[i];
            done = v->layer < 0 && v->phase == ph && v->kernel && strcmp(v->kernel, w->kernel) == 0;
        }
        if (done) continue;
        fprintf(f, "%s%s (", lead, w->kernel);
        lead = "; ";
        const char *sep = "";
        for (size_t i = k; i < r->d->n_ops; i++) {
            const rg_doc_op *v = &r->d->ops[i];
            if (v->layer >= 0 || v->phase != ph || !v->kernel || strcmp(v->kernel, w->kernel) != 0) continue;
            fprintf(f, "%s%s", sep, v->site);
            sep = ", ";
        }
        fprintf(f, ")");
    }
    fprintf(f, "\n");
}

/* Time and events that belong to no operator. */
static void system_line(FILE *f, const rg_run *r, rg_phase ph)
{
    char a[32], b[32];
    const rg_doc_run *u = &r->d->run;
    const rg_doc_phase *p = &r->phase[ph];
    const rg_doc_system *l = &p->system, *first = p->first_call_system;
    fprintf(f,
        "system, in %.0f repetition%s: %.0f page faults (%.0f from disk), %.0f involuntary and %.0f "
        "voluntary "
        "context switches",
        u->repetitions, u->repetitions < 1.5 ? "" : "s", l->minor_faults + l->major_faults, l->major_faults,
        l->involuntary_switches, l->voluntary_switches);
    /* containers may hide it */
    if (isfinite(l->steal)) fprintf(f, ", stolen by a hypervisor %s", rg_percent(a, sizeof a, l->steal));
    if (first)
        fprintf(f, "; first call of all (first touch) %s with %.0f page faults",
            rg_time(b, sizeof b, p->first_call_ns), first->minor_faults + first->major_faults);
    if (ph == RG_PREFILL && isfinite(u->tokenize_ns))
        fprintf(f, "; tokenising the prompt %s", rg_time(a, sizeof a, u->tokenize_ns));
    if (ph == RG_DECODE) fprintf(f, "; choosing tokens %s", rg_time(a, sizeof a, u->sample_ns));
    fprintf(f, "\n\n");
}

static void phase_part(FILE *f, const rg_run *r, rg_phase ph, bool *failed)
{
    char a[32], b[32], c[32], d[32], e[32], g[32], h[32];
    const rg_doc_phase *p = &r->phase[ph];
    bool layers = false;
    if (!rg_phase_ran(p)) {
        fprintf(f, "## %s\n\nnot run\n\n", rg_phase_names[ph]);
        return;
    }
    fprintf(f, "## %s: %.0f tokens in %s, %s tokens/s\n\n", rg_phase_names[ph], p->tokens,
        rg_time(a, sizeof a, p->t_ns), rg_num(b, sizeof b, p->tokens_per_s));
    fprintf(f,
        "per call: p50 %s, p90 %s, p99 %s; memory-bandwidth use (weights + KV) %s, arithmetic use %s; ideal "
        "on these roofs %s; waiting at barriers %s\n\n",
        rg_time(a, sizeof a, p->p50_ns), rg_time(b, sizeof b, p->p90_ns), rg_time(h, sizeof h, p->p99_ns),
        rg_percent(c, sizeof c, p->mbu), rg_percent(d, sizeof d, p->mfu), rg_time(e, sizeof e, p->ideal_ns),
        rg_percent(g, sizeof g, rg_ratio(p->wait_ns, p->ops_ns * r->d->machine.threads)));
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
    fprintf(f, "\n");
}

/* ---- pictures ---- */

static void stage_split(FILE *f, const rg_run *r)
{
    char a[32], b[32];
    const double all = r->phase[RG_PREFILL].t_ns + r->phase[RG_DECODE].t_ns;
    fprintf(f, "## Where the time goes\n\n```\n");
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        fprintf(f, "%-8s ", rg_phase_names[ph]);
        print_bar(f, rg_ratio(p->t_ns, all));
        fprintf(f, " %9s  %6s  %.0f tokens\n", rg_time(a, sizeof a, p->t_ns),
            rg_percent(b, sizeof b, rg_ratio(p->t_ns, all)), p->tokens);
    }
    fprintf(f, "```\n\n");
}

static void log_bar(FILE *f, const char *what, double bytes, double low, double high)
{
    char a[32];
    fprintf(f, "  %-12s ", what);
    print_bar(f, bytes > 0.0 ? (log10(bytes) - low) / (high - low) : 0.0);
    fprintf(f, " %10s\n", rg_bytes(a, sizeof a, bytes));
}

/* Bytes of one call by kind, on a logarithmic scale shared by all bars. */
static void byte_bars(FILE *f, const rg_run *r)
{
    double v[RG_PHASE_COUNT][3] = {{0}}, least = INFINITY, most = 0.0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_phase *p = &r->phase[ph];
        if (!rg_phase_ran(p)) continue;
        const double calls = ph == RG_PREFILL ? 1.0 : fmax(p->calls, 1.0); /* the whole prompt; one step */
        for (size_t i = 0; i < r->d->n_ops; i++) {
            const rg_doc_op *w = &r->d->ops[i];
            const rg_doc_analytic *a = &w->analytic;
            if (w->layer >= 0 || w->phase != (rg_phase)ph) continue;
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
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!rg_phase_ran(&r->phase[ph])) continue;
        fprintf(f, "%s\n", ph == RG_PREFILL ? "prefill, the whole prompt" : "decode, one step");
        log_bar(f, "weights", v[ph][0], low, high);
        log_bar(f, "activations", v[ph][1], low, high);
        log_bar(f, "KV cache", v[ph][2], low, high);
    }
    fprintf(f, "```\n\n");
}

/* ---- several runs ---- */

static void compare_table(FILE *f, const rg_reports *s, bool *failed)
{
    rg_table t = {0};
    rg_table_head(&t, "<weights", ">bits/weight", ">streamed", ">bytes ratio", ">prefill tok/s", ">gain",
        ">decode tok/s", ">gain", ">MBU", ">MFU", ">rounding", NULL);
    for (size_t i = 0; i < s->n; i++) {
        char c[10][32];
        const rg_run *r = &s->run[i], *r0 = &s->run[0];
        const rg_doc_model *m = &r->d->model;
        double tps[2], gain[2];
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            tps[ph] = rg_phase_ran(&r->phase[ph]) ? r->phase[ph].tokens_per_s : NAN;
            gain[ph] = rg_phase_ran(&r0->phase[ph]) ? tps[ph] / r0->phase[ph].tokens_per_s : NAN;
        }
        rg_table_row(&t, or_unknown(m->dtype), rg_num(c[0], sizeof c[0], m->bits_per_weight_resident),
            rg_bytes(c[1], sizeof c[1], m->stream_bytes),
            rg_num(c[2], sizeof c[2], rg_ratio(r0->d->model.stream_bytes, m->stream_bytes)),
            rg_num(c[3], sizeof c[3], tps[RG_PREFILL]), rg_num(c[4], sizeof c[4], gain[RG_PREFILL]),
            rg_num(c[5], sizeof c[5], tps[RG_DECODE]), rg_num(c[6], sizeof c[6], gain[RG_DECODE]),
            rg_percent(c[7], sizeof c[7], rg_phase_ran(&r->phase[RG_DECODE]) ? r->phase[RG_DECODE].mbu : NAN),
            rg_percent(
                c[8], sizeof c[8], rg_phase_ran(&r->phase[RG_PREFILL]) ? r->phase[RG_PREFILL].mfu : NAN),
            rg_percent(c[9], sizeof c[9], m->round_rel), NULL);
    }
    fprintf(f, "# Side by side\n\ngain and ratio: against the first row; MBU of decode, MFU of prefill\n\n");
    rg_table_print(f, &t);
    fprintf(f, "\n");
    *failed = *failed || t.failed;
    rg_table_free(&t);
}

static void title(FILE *f, const rg_run *r)
{
    char name[256], stamp[32] = "unknown time";
    const rg_doc_profile *d = r->d;
    if (d->started && strlen(d->started) >= 16)
        snprintf(stamp, sizeof stamp, "%.10s %.5s UTC", d->started, d->started + 11);
    fprintf(f, "# Ridge profile: %s, %s weights (%s)\n\n", rg_text_cell(name, sizeof name, d->model.name),
        or_unknown(d->model.dtype), stamp);
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
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) phase_part(f, r, (rg_phase)ph, &failed);
        if (i == 0)
            fprintf(f,
                "MB = 1e6 bytes; cnt = counted by the loops, ana = analytic (compulsory); I = FLOP per byte; "
                "GFLOP/s = analytic FLOP per time, GB/s = counted bytes\n"
                "per time; cached = that is above what this machine moves at the footprint of a call, so "
                "served in "
                "part from a cache; ideal = what the cost model predicts\n"
                "on the measured roofs; roof%% = ideal / measured; total: the phase, its calls are forward "
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
    if (failed) return rg_fail(err, RG_E_NOMEM, "report: out of memory");
    return ferror(f) ? rg_fail(err, RG_E_FILE, "report: cannot write: %s", strerror(errno)) : RG_OK;
}
