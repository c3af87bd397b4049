/* The report a person reads in a terminal: Markdown whose raw text is aligned. MB = 1e6 bytes, GB/s = 1e9
 * bytes/s. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "report/join.h"
#include "report/table.h"
#include "roofline/measure/peaks.h"

enum { BAR = 48 };

static void print_bar(FILE *f, double fraction)
{
    const int n = isfinite(fraction) ? (int)(fraction * BAR + 0.5) : 0;
    for (int i = 0; i < BAR; i++) fputc(i < n ? '#' : '.', f);
}

static void machine_header(FILE *f, const rg_report *r)
{
    char a[64], b[64], c[64], d[64], cpu[128], src[256], when[64];
    const rg_machine *m = &r->machine;
    fprintf(f, "machine  %s, %d cores, %s of memory; roofs: %s%s%s\n", rg_text_clean(cpu, sizeof cpu, m->cpu),
        m->cores, rg_bytes(a, sizeof a, (double)m->memory_bytes), rg_text_clean(src, sizeof src, m->source),
        m->measured_at[0] ? ", " : "", rg_text_clean(when, sizeof when, m->measured_at));
    fprintf(f, "roofs   ");
    int shown = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        const double bw = rg_machine_bw(m, p->stream_bytes);
        if (!p->ran ||
            (shown && p->stream_bytes < r->phase[0].stream_bytes * 5 / 4 &&
                p->stream_bytes * 5 / 4 > r->phase[0].stream_bytes))
            continue;
        double spread = NAN;
        for (int i = 0; i < m->n_bw; i++)
            if (i == 0 || m->bw[i].footprint_bytes <= p->stream_bytes) spread = m->bw[i].read_gbps.spread;
        fprintf(f, "%s read %s GB/s at %s (what a call streams; spread %s)", shown++ ? ";" : "",
            rg_num(a, sizeof a, bw > 0.0 ? bw : NAN), rg_bytes(b, sizeof b, (double)p->stream_bytes),
            rg_percent(c, sizeof c, spread));
    }
    const int row = rg_machine_peak_row(m, RG_ARITH_FP32_FMA, r->run.isa);
    const rg_measured fma = row < 0 ? (rg_measured){0} : m->peak[row];
    fprintf(f, "%s %s %s GFLOP/s (spread %s); barrier %s\n", shown ? ";" : "",
        row < 0 ? "fp32 fma" : rg_peaks[row].name, rg_num(a, sizeof a, fma.value > 0.0 ? fma.value : NAN),
        rg_percent(b, sizeof b, fma.value > 0.0 ? fma.spread : NAN),
        m->barrier_ns.value > 0.0 ? rg_time(d, sizeof d, m->barrier_ns.value) : "n/a");
}

static void model_header(FILE *f, const rg_report *r)
{
    char a[256], b[64], c[64], d[64], e[64], g[64];
    const rg_model_info *m = &r->model;
    const rg_config *k = &m->config;
    fprintf(f,
        "model    %s (%s), %s million parameters, %lld layers, dim %lld, ffn %lld, heads %lld/%lld x %lld, "
        "vocab %lld\n",
        rg_text_clean(a, sizeof a, k->name), m->format ? m->format : "unknown format",
        rg_num(b, sizeof b, 1e-6 * (double)m->params), (long long)k->layers, (long long)k->dim,
        (long long)k->ffn, (long long)k->heads, (long long)k->kv_heads, (long long)k->head_dim,
        (long long)k->vocab);
    fprintf(f,
        "weights  %s, output matrix %s; bits per weight: file %s, resident %s; file %s, resident %s, read "
        "per decode step %s\n",
        m->dtype ? m->dtype : "?", m->head_dtype ? m->head_dtype : "?", rg_num(a, sizeof a, m->bits_file),
        rg_num(b, sizeof b, m->bits_resident), rg_bytes(c, sizeof c, (double)m->file_bytes),
        rg_bytes(d, sizeof d, (double)m->resident_bytes), rg_bytes(e, sizeof e, (double)m->stream_bytes));
    fprintf(f, "memory   KV cache %s (K %s, V %s, context %lld), scratch %s; activations %s\n",
        rg_bytes(c, sizeof c, (double)m->kv_bytes), m->kv_k < RG_KV_COUNT ? rg_kvtypes[m->kv_k].name : "?",
        m->kv_v < RG_KV_COUNT ? rg_kvtypes[m->kv_v].name : "?", (long long)m->ctx,
        rg_bytes(g, sizeof g, (double)m->scratch_bytes), m->act < RG_ACT_COUNT ? rg_act_names[m->act] : "?");
}

static void run_header(FILE *f, const rg_report *r)
{
    char a[64], b[64], c[64], text[512];
    const rg_run_info *u = &r->run;
    fprintf(f,
        "run      %s, isa %s, BLAS %s, %s attention, further fusions %s; prompt %lld, generated %lld, ubatch "
        "%lld; median of %d after a warm-up; load %s\n",
        u->pinning ? rg_text_clean(text, sizeof text, u->pinning) : "pinning unknown", rg_isa_names[u->isa],
        u->blas ? u->blas : "off", u->flash ? "fused" : "unfused",
        rg_fuse_text(c, sizeof c, rg_fuse_applied(&r->model.config, u->fuse)), (long long)u->prompt_tokens,
        (long long)u->gen_tokens, (long long)u->ubatch, u->repetitions,
        rg_time(a, sizeof a, (double)u->load_ns));
    fprintf(f,
        "method   time: monotonic clock per operator; bytes and FLOPs: counted in the executed loops, beside "
        "the exact analytic model\n");
    fprintf(f, "pmu      %s", u->pmu_status);
    for (int i = 0; i < u->n_ctr; i++) fprintf(f, "%s%s", i ? ", " : ": ", u->ctr_name[i]);
    if (u->n_ctr > 0)
        fprintf(f, "; read at every %s, %s a read, %s of a decode step%s", u->pmu_mode,
            rg_time(b, sizeof b, u->probe_ns), rg_percent(a, sizeof a, u->pmu_share),
            u->pmu_groups > 1 ? "; groups of events take turns" : "");
    fprintf(f, "\n\n");
}

/* ---- the operator table ---- */

static const char *tenths(char *buf, size_t n, double percent)
{
    snprintf(buf, n, isfinite(percent) ? "%.1f" : "n/a", percent);
    return buf;
}

static void op_row(rg_table *t, const char *name, uint64_t calls, double ns, double phase_ns,
    const rg_tally *counted, const rg_tally *analytic, double fraction, const char *bound, bool from_cache)
{
    char c[11][32], ideal[32];
    const uint64_t cb = rg_tally_bytes(counted), ab = rg_tally_bytes(analytic);
    snprintf(c[0], sizeof c[0], "%llu", (unsigned long long)calls);
    rg_num(c[1], sizeof c[1], 1e-6 * ns);
    tenths(c[2], sizeof c[2], 100.0 * rg_ratio(ns, phase_ns));
    rg_num(c[3], sizeof c[3], 1e-9 * (double)analytic->flop);
    rg_num(c[4], sizeof c[4], 1e-6 * (double)cb);
    rg_num(c[5], sizeof c[5], 1e-6 * (double)ab);
    rg_num(c[6], sizeof c[6], rg_intensity(analytic->flop, cb));
    rg_num(c[7], sizeof c[7], rg_intensity(analytic->flop, ab));
    rg_num(c[8], sizeof c[8], rg_ratio((double)analytic->flop, ns));
    rg_num(c[9], sizeof c[9] - 1, rg_ratio((double)cb, ns));
    if (from_cache) strcat(c[9], "*");
    tenths(c[10], sizeof c[10], 100.0 * fraction);
    rg_num(ideal, sizeof ideal, 1e-6 * fraction * ns);
    rg_table_row(t, name, c[0], c[1], ideal, c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10],
        bound ? bound : "n/a", NULL);
}

static void op_table(FILE *f, const rg_report *r, rg_phase ph, bool layers, bool *failed)
{
    const rg_phase_sum *p = &r->phase[ph];
    rg_table t = {0};
    char over_ms[32], over_share[32], name[64];
    rg_table_head(&t, "<operator", ">calls", ">ms", ">ideal", ">time%", ">GFLOP", ">MB cnt", ">MB ana",
        ">I cnt", ">I ana", ">GFLOP/s", ">GB/s", ">roof%", "<bound", NULL);
    for (int i = 0; i < r->n_rows; i++) {
        const rg_row *w = &r->row[i];
        if (w->phase != ph || (w->layer >= 0) != layers) continue;
        snprintf(name, sizeof name, layers ? "%s.%d" : "%s", rg_site_name(w->site), w->layer);
        op_row(&t, name, w->calls, (double)w->t_ns, (double)p->t_ns, &w->counted, &w->analytic,
            rg_row_fraction(w), rg_bound_names[w->bound], w->from_cache);
    }
    if (!layers) {
        rg_num(over_ms, sizeof over_ms, 1e-6 * (double)p->overhead_ns);
        tenths(over_share, sizeof over_share, 100.0 * rg_ratio((double)p->overhead_ns, (double)p->t_ns));
        rg_table_row(&t, "outside ops", "", over_ms, "", over_share, NULL);
        op_row(&t, "total", p->calls, (double)p->t_ns, (double)p->t_ns, &p->counted, &p->analytic,
            rg_ratio(p->ideal_ns, (double)p->t_ns), rg_bound_names[p->bound], false);
    }
    rg_table_print(f, &t);
    *failed = *failed || t.failed;
    rg_table_free(&t);
}

/* Which kernel ran where: sites of equal label together. */
static void kernel_lines(FILE *f, const rg_report *r, rg_phase ph)
{
    char label[96], other[96];
    bool done[RG_SITE_COUNT] = {false};
    const char *lead = "kernels: ";
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const rg_row *w = rg_report_row(r, ph, (rg_site)s);
        if (!w || done[s]) continue;
        rg_row_kernel(label, sizeof label, w);
        fprintf(f, "%s%s (", lead, label);
        lead = "; ";
        const char *sep = "";
        for (int i = s; i < RG_SITE_COUNT; i++) {
            const rg_row *v = rg_report_row(r, ph, (rg_site)i);
            if (!v || strcmp(rg_row_kernel(other, sizeof other, v), label) != 0) continue;
            fprintf(f, "%s%s", sep, rg_site_name((rg_site)i));
            done[i] = true;
            sep = ", ";
        }
        fprintf(f, ")");
    }
    fprintf(f, "\n");
}

/* Time and events that belong to no operator. */
static void system_line(FILE *f, const rg_report *r, rg_phase ph)
{
    char a[32], b[32], c[32];
    const rg_run_info *u = &r->run;
    const rg_osload *l = &u->load[ph];
    const double steal = rg_osload_steal(l);
    fprintf(f,
        "system, in %d repetition%s: %llu page faults (%llu from disk), %llu involuntary and %llu voluntary "
        "context switches",
        u->repetitions, u->repetitions == 1 ? "" : "s",
        (unsigned long long)(l->minor_faults + l->major_faults), (unsigned long long)l->major_faults,
        (unsigned long long)l->involuntary, (unsigned long long)l->voluntary);
    /* containers may hide it */
    if (isfinite(steal)) fprintf(f, ", stolen by a hypervisor %s", rg_percent(a, sizeof a, steal));
    if (u->first_ns[ph] > 0.0)
        fprintf(f, "; first call of all (first touch) %s with %llu page faults",
            rg_time(b, sizeof b, u->first_ns[ph]),
            (unsigned long long)(u->first_load[ph].minor_faults + u->first_load[ph].major_faults));
    if (ph == RG_PREFILL && isfinite(u->tokenize_ns))
        fprintf(f, "; tokenising the prompt %s", rg_time(c, sizeof c, u->tokenize_ns));
    if (ph == RG_DECODE) fprintf(f, "; choosing tokens %s", rg_time(c, sizeof c, (double)u->sample_ns));
    fprintf(f, "\n\n");
}

static void phase_part(FILE *f, const rg_report *r, rg_phase ph, bool *failed)
{
    char a[32], b[32], c[32], d[32], e[32], g[32], h[32];
    const rg_phase_sum *p = &r->phase[ph];
    if (!p->ran) {
        fprintf(f, "## %s\n\nnot run\n\n", rg_phase_names[ph]);
        return;
    }
    fprintf(f, "## %s: %lld tokens in %s, %s tokens/s\n\n", rg_phase_names[ph], (long long)p->tokens,
        rg_time(a, sizeof a, (double)p->t_ns),
        rg_num(b, sizeof b, 1e9 * rg_ratio((double)p->tokens, (double)p->t_ns)));
    fprintf(f,
        "per call: p50 %s, p90 %s, p99 %s; memory-bandwidth use (weights + KV) %s, arithmetic use %s; ideal "
        "on these roofs %s; waiting at barriers %s\n\n",
        rg_time(a, sizeof a, p->p50_ns), rg_time(b, sizeof b, p->p90_ns), rg_time(h, sizeof h, p->p99_ns),
        rg_percent(c, sizeof c, p->mbu), rg_percent(d, sizeof d, p->mfu), rg_time(e, sizeof e, p->ideal_ns),
        rg_percent(g, sizeof g, rg_ratio((double)p->wait_ns, (double)p->op_ns * p->threads)));
    system_line(f, r, ph);
    op_table(f, r, ph, false, failed);
    fprintf(f, "\n");
    kernel_lines(f, r, ph);
    rg_md_pmu(f, r, ph, failed);
    if (r->run.per_layer) {
        fprintf(f, "\n### %s by layer\n\n", rg_phase_names[ph]);
        op_table(f, r, ph, true, failed);
    }
    fprintf(f, "\n");
}

/* ---- pictures ---- */

static void stage_split(FILE *f, const rg_report *r)
{
    char a[32], b[32];
    const double all = (double)r->phase[RG_PREFILL].t_ns + (double)r->phase[RG_DECODE].t_ns;
    fprintf(f, "## Where the time goes\n\n```\n");
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        fprintf(f, "%-8s ", rg_phase_names[ph]);
        print_bar(f, rg_ratio((double)p->t_ns, all));
        fprintf(f, " %9s  %6s  %lld tokens\n", rg_time(a, sizeof a, (double)p->t_ns),
            rg_percent(b, sizeof b, rg_ratio((double)p->t_ns, all)), (long long)p->tokens);
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
static void byte_bars(FILE *f, const rg_report *r)
{
    double v[RG_PHASE_COUNT][3] = {{0}}, least = INFINITY, most = 0.0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        if (!p->ran) continue;
        const double calls = ph == RG_PREFILL ? 1.0 : (double)p->calls; /* the whole prompt; one step */
        v[ph][0] = (double)p->analytic.w_rd / calls;
        v[ph][1] = (double)(p->analytic.act_rd + p->analytic.act_wr) / calls;
        v[ph][2] = (double)(p->analytic.kv_rd + p->analytic.kv_wr) / calls;
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
        if (!r->phase[ph].ran) continue;
        fprintf(f, "%s\n", ph == RG_PREFILL ? "prefill, the whole prompt" : "decode, one step");
        log_bar(f, "weights", v[ph][0], low, high);
        log_bar(f, "activations", v[ph][1], low, high);
        log_bar(f, "KV cache", v[ph][2], low, high);
    }
    fprintf(f, "```\n\n");
}

/* ---- several runs ---- */

static void compare_table(FILE *f, const rg_report *const *r, int n, bool *failed)
{
    rg_table t = {0};
    rg_table_head(&t, "<weights", ">bits/weight", ">streamed", ">bytes ratio", ">prefill tok/s", ">gain",
        ">decode tok/s", ">gain", ">MBU", ">MFU", ">rounding", NULL);
    for (int i = 0; i < n; i++) {
        char c[10][32], name[64];
        double tps[2], gain[2];
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_phase_sum *p = &r[i]->phase[ph], *p0 = &r[0]->phase[ph];
            tps[ph] = 1e9 * rg_ratio((double)p->tokens, (double)p->t_ns);
            gain[ph] = tps[ph] / (1e9 * rg_ratio((double)p0->tokens, (double)p0->t_ns));
        }
        snprintf(name, sizeof name, "%s", r[i]->model.dtype ? r[i]->model.dtype : "?");
        rg_table_row(&t, name, rg_num(c[0], sizeof c[0], r[i]->model.bits_resident),
            rg_bytes(c[1], sizeof c[1], (double)r[i]->model.stream_bytes),
            rg_num(c[2], sizeof c[2],
                rg_ratio((double)r[0]->model.stream_bytes, (double)r[i]->model.stream_bytes)),
            rg_num(c[3], sizeof c[3], tps[RG_PREFILL]), rg_num(c[4], sizeof c[4], gain[RG_PREFILL]),
            rg_num(c[5], sizeof c[5], tps[RG_DECODE]), rg_num(c[6], sizeof c[6], gain[RG_DECODE]),
            rg_percent(c[7], sizeof c[7], r[i]->phase[RG_DECODE].mbu),
            rg_percent(c[8], sizeof c[8], r[i]->phase[RG_PREFILL].mfu),
            rg_percent(c[9], sizeof c[9], r[i]->model.round_rel), NULL);
    }
    fprintf(f, "# Side by side\n\ngain and ratio: against the first row; MBU of decode, MFU of prefill\n\n");
    rg_table_print(f, &t);
    fprintf(f, "\n");
    *failed = *failed || t.failed;
    rg_table_free(&t);
}

rg_status rg_report_md(FILE *f, const rg_report *const *r, int n, rg_err *err)
{
    char name[256], stamp[64] = "unknown time";
    rg_lines verdict = {0};
    bool failed = false;
    for (int i = 0; i < n; i++) {
        struct tm tm;
        if (gmtime_r(&r[i]->run.started, &tm)) strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M UTC", &tm);
        fprintf(f, "# Ridge profile: %s, %s weights (%s)\n\n",
            rg_text_cell(name, sizeof name, r[i]->model.config.name),
            r[i]->model.dtype ? r[i]->model.dtype : "?", stamp);
        machine_header(f, r[i]);
        model_header(f, r[i]);
        run_header(f, r[i]);
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) phase_part(f, r[i], (rg_phase)ph, &failed);
        if (i == 0)
            fprintf(f,
                "MB = 1e6 bytes; cnt = counted by the loops, ana = analytic (compulsory); I = FLOP per byte; "
                "GFLOP/s = analytic FLOP per time, GB/s = counted "
                "bytes\n"
                "per time, * = above what this machine moves at the footprint of a call, so served in part "
                "from a cache; ideal = what the cost model predicts "
                "on the "
                "measured roofs; roof%% = ideal / measured; total: the phase, its calls are forward calls.\n"
                "bound: overhead = the ideal time of a call is below %d barriers; else the larger of its "
                "memory and compute time.\n\n",
                RG_OVERHEAD_BARRIERS);
        stage_split(f, r[i]);
        byte_bars(f, r[i]);
    }
    if (n > 1) compare_table(f, r, n, &failed);
    rg_verdict(&verdict, r, n);
    fprintf(f, "## Verdict\n\n");
    for (int i = 0; i < verdict.n; i++) fprintf(f, "- %s\n", verdict.s[i]);
    for (int i = 0; i < n; i++) {
        if (r[i]->notes.n == 0) continue;
        fprintf(
            f, "\n## Notes%s%s\n\n", n > 1 ? ", " : "", n > 1 && r[i]->model.dtype ? r[i]->model.dtype : "");
        for (int k = 0; k < r[i]->notes.n; k++) fprintf(f, "- %s\n", r[i]->notes.s[k]);
    }
    failed = failed || verdict.failed;
    rg_lines_free(&verdict);
    if (failed) return rg_fail(err, RG_E_NOMEM, "report: out of memory");
    return ferror(f) ? rg_fail(err, RG_E_FILE, "report: cannot write: %s", strerror(errno)) : RG_OK;
}
