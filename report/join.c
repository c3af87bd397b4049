/* Joins a log with the cost model and the roofs: a row per phase and site, and per layer if asked for. */
#include "report/join.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "report/verdict.h"
#include "roofline/measure/stats.h"
#include "roofline/model/exact.h"

static double row_gbps(const rg_row *r)
{
    return rg_ratio((double)rg_tally_bytes(&r->counted), (double)r->t_ns);
}

/* ---- labels ---- */

static void join_names(char *buf, size_t n, unsigned set, int count, const char *(*name)(int))
{
    const char *sep = buf[0] ? " " : "";
    for (int i = 0; i < count; i++) {
        if (!(set & 1u << i)) continue;
        rg_text_add(buf, n, "%s%s", sep, name(i));
        sep = "/";
    }
}

static const char *kernel_name(int i) { return rg_kernel_kinds[i]; }
static const char *isa_name(int i) { return rg_isa_names[i]; }
static const char *wtype_name(int i) { return rg_wtypes[i].name; }
static const char *kvtype_name(int i) { return rg_kvtypes[i].name; }

const char *rg_row_kernel(char *buf, size_t n, const rg_row *r)
{
    buf[0] = 0;
    join_names(buf, n, r->kernels, RG_KK_COUNT, kernel_name);
    join_names(buf, n, r->wtypes, RG_WT_COUNT, wtype_name);
    join_names(buf, n, r->kvtypes, RG_KV_COUNT, kvtype_name);
    join_names(buf, n, r->isas, RG_ISA_COUNT, isa_name);
    return buf;
}

const char *rg_row_wtype(char *buf, size_t n, const rg_row *r)
{
    buf[0] = 0;
    join_names(buf, n, r->wtypes, RG_WT_COUNT, wtype_name);
    return buf[0] ? buf : NULL;
}

const char *rg_row_roof(char *buf, size_t n, const rg_row *r)
{
    if (!isfinite(r->ideal_ns)) return NULL;
    if (r->flop_ns > r->mem_ns) {
        snprintf(buf, n, "%s", r->peak_row >= 0 ? rg_peaks[r->peak_row].name : "?");
    } else {
        snprintf(buf, n, "read %s", RG_BYTES((double)r->footprint));
    }
    return buf;
}

static double scaled(uint64_t ctr, uint64_t counted, uint64_t calls)
{
    return counted ? (double)ctr * (double)calls / (double)counted : NAN;
}
double rg_row_ctr(const rg_row *r, int i) { return scaled(r->ctr[i], r->ctr_calls[i], r->calls); }
double rg_layer_ctr(const rg_layer_sum *l, int i) { return scaled(l->ctr[i], l->ctr_calls[i], l->calls); }

const rg_row *rg_report_row(const rg_report *r, rg_phase phase, rg_site site)
{
    for (int i = 0; i < r->n_rows; i++)
        if (r->row[i].phase == phase && r->row[i].site == site && r->row[i].layer < 0) return &r->row[i];
    return NULL;
}

const char *rg_report_no_roof(const rg_report *r)
{
    if (r->machine.n_bw == 0) return "the read bandwidth of this machine is not known: run ridge machine";
    for (int i = 0; i < r->n_rows; i++)
        if (!isfinite(r->row[i].ideal_ns))
            return "the peak of an instruction in use is not known: run ridge machine";
    return NULL;
}

/* ---- summing ---- */

static int64_t streamed(const rg_model_info *m, const rg_step *s)
{
    return rg_streamed(m->stream_bytes, &m->config, m->kv_k, m->kv_v, s);
}

/* NAN wins, so that an unknown roof stays visible. */
static double larger(double a, double b) { return isnan(a) || isnan(b) ? NAN : a > b ? a : b; }

static rg_bound bound_of(double ideal_ns, double flop_ns, double mem_ns, double calls, double barrier_ns)
{
    if (!isfinite(ideal_ns)) return RG_BOUND_UNKNOWN;
    if (ideal_ns < RG_OVERHEAD_BARRIERS * barrier_ns * calls) return RG_BOUND_OVERHEAD;
    return flop_ns > mem_ns ? RG_BOUND_COMPUTE : RG_BOUND_MEMORY;
}

static void add_record(
    rg_row *row, const rg_rec *r, const rg_tally *a, const rg_ideal *p, double predicted_ns)
{
    const double ideal = larger(p->flop_ns, p->mem_ns);
    row->calls++;
    row->t_ns += r->t_ns;
    row->wait_ns += r->wait_ns;
    row->barriers += r->barriers;
    rg_tally_add(&row->counted, &r->tally);
    rg_tally_add(&row->analytic, a);
    for (int i = 0; i < RG_MAX_CTR && r->ctr_span == 1; i++) {
        if (!(r->ctr_mask >> i & 1)) continue;
        row->ctr[i] += r->ctr[i];
        row->ctr_calls[i]++;
    }
    row->ideal_ns += ideal;
    row->predicted_ns += predicted_ns;
    if (p->flop_ns > p->mem_ns) row->ideal_compute_ns += ideal;
    row->flop_ns += p->flop_ns;
    row->mem_ns += p->mem_ns;
    if (row->calls == 1 || ideal > row->longest_ns) {
        row->longest_ns = ideal;
        row->peak_row = p->peak_row;
        row->footprint = p->footprint;
    }
    row->kernels |= 1u << r->kernel;
    row->isas |= 1u << r->isa;
    if (r->wtype < RG_WT_COUNT) row->wtypes |= 1u << r->wtype;
    if (r->kv_k < RG_KV_COUNT) row->kvtypes |= 1u << r->kv_k;
    if (r->kv_v < RG_KV_COUNT) row->kvtypes |= 1u << r->kv_v;
}

static bool sound(const rg_rec *r)
{
    return r->phase < RG_PHASE_COUNT && r->site < RG_SITE_COUNT && r->kernel < RG_KK_COUNT &&
        r->isa < RG_ISA_COUNT && r->arith < RG_ARITH_COUNT && r->layer >= -1 && r->layer < RG_MAX_LAYERS;
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Tokens, time and latencies from the steps. */
static int sum_steps(rg_report *r, const rg_log *log)
{
    uint64_t *t = malloc((log->n_steps + 1) * sizeof *t);
    if (!t) return -1;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_phase_sum *p = &r->phase[ph];
        size_t n = 0;
        double stream = 0.0;
        *p = (rg_phase_sum){.mbu = NAN,
            .mfu = NAN,
            .pmu_bytes = NAN,
            .p50_ns = NAN,
            .p90_ns = NAN,
            .p99_ns = NAN,
            .bound = RG_BOUND_UNKNOWN};
        for (size_t i = 0; i < log->n_steps; i++) {
            const rg_step *s = &log->step[i];
            if (s->phase != ph) continue;
            t[n++] = s->wall_ns ? s->wall_ns : s->t_ns; /* latencies are what the clock said */
            p->t_ns += s->t_ns;
            p->wall_ns += t[n - 1];
            p->tokens += s->tokens;
            /* sequences in a call; a prompt is one */
            p->batch = ph == RG_DECODE ? rg_max(p->batch, s->tokens) : 1;
            p->last_ctx = rg_max(p->last_ctx, s->ctx);
            stream += (double)streamed(&r->model, s);
        }
        p->calls = n;
        p->ran = n > 0;
        if (n == 0) continue;
        p->stream_bytes = (int64_t)(stream / (double)n);
        p->call_ns = malloc(n * sizeof *t);
        if (!p->call_ns) break;
        memcpy(p->call_ns, t, n * sizeof *t);
        qsort(t, n, sizeof *t, by_time);
        p->p50_ns = (double)t[(n - 1) / 2];
        p->p90_ns = (double)t[(n - 1) * 9 / 10];
        p->p99_ns = (double)t[(n - 1) * 99 / 100];
    }
    free(t);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (r->phase[ph].ran && !r->phase[ph].call_ns) return -1;
    return 0;
}

/* Counters of phases, and of layers if read so. Steps in which a group had its turn stand for all. */
static int sum_counters(rg_report *r, const rg_log *log)
{
    uint64_t sum[RG_PHASE_COUNT][RG_MAX_CTR] = {{0}}, steps[RG_PHASE_COUNT][RG_MAX_CTR] = {{0}};
    int64_t last[RG_PHASE_COUNT][RG_MAX_CTR];
    int top = -2;
    memset(last, 0xff, sizeof last); /* -1: no step yet */
    for (size_t i = 0; i < log->n; i++) {
        const rg_rec *rec = &log->rec[i];
        if (!sound(rec) || rec->ctr_span == 0) continue;
        for (int c = 0; c < RG_MAX_CTR; c++) {
            if (!(rec->ctr_mask >> c & 1)) continue;
            sum[rec->phase][c] += rec->ctr[c];
            steps[rec->phase][c] += last[rec->phase][c] != rec->step;
            last[rec->phase][c] = rec->step;
        }
        if (rec->ctr_span > 1 && rec->layer > top) top = rec->layer;
    }
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int c = 0; c < RG_MAX_CTR; c++)
            r->phase[ph].ctr[c] = steps[ph][c]
                ? (double)sum[ph][c] * rg_ratio((double)r->phase[ph].calls, (double)steps[ph][c])
                : NAN;
    if (top < -1) return 0;
    r->layer = calloc(RG_PHASE_COUNT * (top + 2), sizeof *r->layer);
    if (!r->layer) return -1;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!r->phase[ph].ran) continue;
        rg_layer_sum *l = r->layer + r->n_layers;
        for (int k = 0; k < top + 2; k++) l[k] = (rg_layer_sum){.phase = ph, .layer = k - 1};
        for (size_t i = 0; i < log->n; i++) {
            const rg_rec *rec = &log->rec[i];
            if (!sound(rec) || rec->phase != ph || rec->layer > top) continue;
            rg_layer_sum *at = &l[rec->layer + 1];
            at->t_ns += rec->t_ns;
            at->calls += rec->ctr_span > 0;
            for (int c = 0; c < RG_MAX_CTR && rec->ctr_span > 0; c++) {
                at->ctr[c] += rec->ctr_mask >> c & 1 ? rec->ctr[c] : 0;
                at->ctr_calls[c] += rec->ctr_mask >> c & 1;
            }
        }
        r->n_layers += top + 2;
    }
    return 0;
}

static int sum_records(rg_report *r, const rg_log *log)
{
    int layers = 0;
    size_t bad = 0;
    for (size_t i = 0; r->run.per_layer && i < log->n; i++)
        if (sound(&log->rec[i]) && log->rec[i].layer >= layers) layers = log->rec[i].layer + 1;
    const size_t sums = RG_PHASE_COUNT * RG_SITE_COUNT, all = sums * (1 + layers);
    rg_row *row = calloc(all, sizeof *row);
    if (!row) return -1;
    for (size_t i = 0; i < log->n; i++) {
        const rg_rec *rec = &log->rec[i];
        if (!sound(rec)) {
            bad++;
            continue;
        }
        const rg_tally a = rg_cost(rg_site_op(rec->site), &rec->dims, rec->wtype, rec->kv_k, rec->kv_v);
        const int64_t bytes = streamed(
            &r->model, rec->step < log->n_steps ? &log->step[rec->step] : &(rg_step){.phase = RG_PREFILL});
        const rg_ideal p = rg_predict(&r->machine, &a, rec->arith, rec->isa, rec->kernel, bytes);
        const double t = r->run.speeds ? rg_speeds_predict(r->run.speeds, &r->machine, rec, bytes) : NAN;
        const size_t at = rec->phase * RG_SITE_COUNT + rec->site;
        add_record(&row[at], rec, &a, &p, t);
        if (rec->layer >= 0 && layers > 0) add_record(&row[sums + at * layers + rec->layer], rec, &a, &p, t);
    }
    if (sum_counters(r, log) != 0) {
        free(row);
        return -1;
    }
    if (bad)
        rg_lines_add(&r->notes,
            "%zu records are outside the tables and are not in this report: the log is damaged.", bad);
    for (size_t i = 0; i < all; i++) {
        if (row[i].calls == 0) continue;
        rg_row *to = &row[r->n_rows++]; /* compacts in place */
        *to = row[i];
        const size_t at = i < sums ? i : (i - sums) / layers;
        to->phase = (rg_phase)(at / RG_SITE_COUNT);
        to->site = (at % RG_SITE_COUNT);
        to->layer = i < sums ? -1 : (int)((i - sums) % layers);
        to->bound =
            bound_of(to->ideal_ns, to->flop_ns, to->mem_ns, (double)to->calls, r->machine.barrier_ns.value);
    }
    r->row = row;
    return 0;
}

static void add_experts(rg_expert_sum *to, const rg_rec *r, const rg_config *c, const rg_tally *a)
{
    const rg_dims *d = &r->dims;
    const double one = rg_ratio((double)a->w_rd, (double)d->e);
    to->bytes += (double)r->tally.w_rd;
    to->bytes_analytic += (double)a->w_rd;
    to->bytes_dense += one * (double)d->u;
    if (r->site != RG_SITE_FFN_GATE_EXPS) return; /* the others have the same tokens */
    to->calls++;
    to->tokens += (uint64_t)d->m;
    to->pairs += (uint64_t)(d->m * d->u);
    to->read += (uint64_t)d->e;
    to->expected += rg_experts_expected(c->experts, d->u, d->m);
    to->bound += (double)rg_experts_bound(c->experts, d->u, d->m);
    to->busiest += rg_ratio((double)(r->most * d->e), (double)(d->m * d->u));
}

static int sum_experts(rg_report *r, const rg_log *log)
{
    const rg_config *c = &r->model.config;
    const int layers = r->run.per_layer ? (int)c->layers : 0, all = RG_PHASE_COUNT * (1 + layers);
    if (c->experts == 0) return 0;
    rg_expert_sum *sum = calloc((size_t)all, sizeof *sum);
    if (!sum) return -1;
    for (size_t i = 0; i < log->n; i++) {
        const rg_rec *rec = &log->rec[i];
        if (!sound(rec) || !rg_op_of_experts(rg_site_op(rec->site)) || rec->dims.e < 1) continue;
        const rg_tally a = rg_cost(rg_site_op(rec->site), &rec->dims, rec->wtype, rec->kv_k, rec->kv_v);
        add_experts(&sum[rec->phase], rec, c, &a);
        if (rec->layer >= 0 && rec->layer < layers)
            add_experts(&sum[RG_PHASE_COUNT + rec->phase * layers + rec->layer], rec, c, &a);
    }
    for (int i = 0; i < all; i++) {
        if (sum[i].calls == 0) continue;
        rg_expert_sum *to = &sum[r->n_experts++]; /* compacts in place */
        *to = sum[i];
        to->phase = (rg_phase)(i < RG_PHASE_COUNT ? i : (i - RG_PHASE_COUNT) / layers);
        to->layer = i < RG_PHASE_COUNT ? -1 : (i - RG_PHASE_COUNT) % layers;
    }
    r->experts = sum;
    return 0;
}

int rg_ctr_index(const rg_report *r, const char *name)
{
    for (int i = 0; i < r->run.n_ctr; i++)
        if (strcmp(r->run.ctr_name[i], name) == 0) return i;
    return -1;
}

static void sum_phases(rg_report *r)
{
    const int rd = rg_ctr_index(r, "read_bytes"), wr = rg_ctr_index(r, "write_bytes");
    for (int i = 0; i < r->n_rows; i++) {
        const rg_row *w = &r->row[i];
        rg_phase_sum *p = &r->phase[w->phase];
        if (w->layer >= 0) continue;
        p->op_ns += w->t_ns;
        p->wait_ns += w->wait_ns;
        p->barriers += w->barriers;
        rg_tally_add(&p->counted, &w->counted);
        rg_tally_add(&p->analytic, &w->analytic);
        p->ideal_ns += w->ideal_ns;
        p->predicted_ns += w->predicted_ns;
        p->ideal_compute_ns += w->ideal_compute_ns;
        p->flop_ns += w->flop_ns;
        p->mem_ns += w->mem_ns;
        if (w->bound == RG_BOUND_OVERHEAD) p->overhead_bound_ns += (double)w->t_ns;
    }
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_phase_sum *p = &r->phase[ph];
        if (!p->ran) continue;
        p->predicted_ns = r->run.speeds ? p->predicted_ns + r->run.speeds->step_ns * (double)p->calls : NAN;
        if (rd >= 0) p->pmu_bytes = p->ctr[rd] + (wr >= 0 && !isnan(p->ctr[wr]) ? p->ctr[wr] : 0.0);
        p->overhead_ns = (int64_t)p->t_ns - (int64_t)p->op_ns;
        const double t = (double)p->t_ns,
                     streamed = (double)(p->analytic.w_rd + p->analytic.kv_rd + p->analytic.kv_wr);
        p->mbu = rg_ratio(rg_ratio(streamed, rg_machine_bw(&r->machine, p->stream_bytes)), t);
        p->mfu = rg_ratio(p->flop_ns, t);
        /* more than half of the time outside operators or in tiny ones */
        if ((double)p->overhead_ns + p->overhead_bound_ns > 0.5 * t)
            p->bound = RG_BOUND_OVERHEAD;
        else
            p->bound = bound_of(p->ideal_ns, p->flop_ns, p->mem_ns, 0.0, 0.0);
    }
}

/* The share of every repetition of the roofs of its time: the interval over its median. */
static int pair_phase(rg_report *r, rg_phase ph)
{
    rg_phase_sum *p = &r->phase[ph];
    const int n = r->run.paired ? r->run.repetitions : 0;
    double *share = malloc(rg_max(1, n) * sizeof *share);
    if (!share) return -1;
    for (int i = 0; i < n; i++) {
        const rg_paired *k = &r->run.paired[i];
        share[i] = rg_ratio(
            (p->ideal_ns - p->ideal_compute_ns) / k->read + p->ideal_compute_ns / k->compute, k->ns[ph]);
    }
    const rg_stats s = rg_stats_of(share, n);
    p->low = rg_ratio(s.low, s.median);
    p->high = rg_ratio(s.high, s.median);
    free(share);
    return 0;
}

/* Marks counted bandwidth above what was measured. */
static void mark_cached(rg_report *r)
{
    for (int i = 0; i < r->n_rows; i++) {
        rg_row *w = &r->row[i];
        const double rd = (double)(w->counted.w_rd + w->counted.act_rd + w->counted.kv_rd),
                     wr = (double)(w->counted.act_wr + w->counted.kv_wr);
        w->stream_gbps =
            rg_ratio(rd + wr, rg_machine_move_ns(&r->machine, rd, wr, r->phase[w->phase].stream_bytes));
        w->from_cache = row_gbps(w) > RG_CACHE_MARGIN * w->stream_gbps;
    }
}

/* ---- notes ---- */

/* Operators that stream more than 1.1 times what they must. */
static void note_rereads(rg_report *r, rg_phase ph)
{
    char list[400] = "";
    const rg_phase_sum *p = &r->phase[ph];
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const rg_row *w = rg_report_row(r, ph, s);
        const double more =
            w ? rg_ratio((double)rg_tally_bytes(&w->counted), (double)rg_tally_bytes(&w->analytic)) : 0.0;
        if (!w || !(more > 1.1) || (double)w->t_ns < 0.01 * (double)p->t_ns) continue;
        if (rg_site_op(w->site) == RG_OP_EMBED) {
            rg_lines_add(&r->notes,
                "%s: %s streams %s times the compulsory bytes, because the rows of packed weights lie "
                "interleaved: whole cache lines for one row.",
                rg_phase_names[ph], rg_site_name(w->site), RG_NUM(more));
            continue;
        }
        rg_text_add(list, sizeof list, "%s%s %s", list[0] ? ", " : "", rg_site_name(w->site), RG_NUM(more));
    }
    if (list[0])
        rg_lines_add(&r->notes,
            "%s: loops that stream more than the compulsory bytes, because an operand is read again per "
            "block or thread (times): %s.",
            rg_phase_names[ph], list);
}

static void note_cached(rg_report *r, rg_phase ph)
{
    char list[400] = "";
    const rg_phase_sum *p = &r->phase[ph];
    const double roof = rg_machine_bw(&r->machine, p->stream_bytes);
    for (int s = 0; roof > 0.0 && s < RG_SITE_COUNT; s++) {
        const rg_row *w = rg_report_row(r, ph, s);
        if (!w || !w->from_cache || (double)w->t_ns < 0.01 * (double)p->t_ns) continue;
        rg_text_add(list, sizeof list, "%s%s %s GB/s", list[0] ? ", " : "", rg_site_name(w->site),
            RG_NUM(row_gbps(w)));
    }
    if (list[0])
        rg_lines_add(&r->notes,
            "%s: counted bytes per time above what this machine moves at that footprint (reading alone: %s "
            "GB/s at %s), so served in part from a cache: %s.",
            rg_phase_names[ph], RG_NUM(roof), RG_BYTES((double)p->stream_bytes), list);
}

static void note_run(rg_report *r, const rg_log *log)
{
    const char *no_roof = rg_report_no_roof(r);
    if (log->dropped)
        rg_lines_add(&r->notes,
            "%zu operator records did not fit into the log: times of operators are too small by theirs, the "
            "phase times are whole.",
            log->dropped);
    if (no_roof) rg_lines_add(&r->notes, "No percentage of the roof where it says n/a: %s.", no_roof);
    if (r->machine.threads && r->run.threads != r->machine.threads)
        rg_lines_add(&r->notes,
            "The roofs were measured with %d threads, the run used %d: percentages compare unlike things.",
            r->machine.threads, r->run.threads);
    if (r->machine.noisy)
        rg_lines_add(&r->notes,
            "The roofs are noisy (a spread above 20 %%): something else ran on these cores while they were "
            "measured.");
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (r->phase[ph].ran && r->phase[ph].overhead_ns < 0)
            rg_lines_add(&r->notes,
                "%s: operators took longer than the calls they are part of: the log is damaged.",
                rg_phase_names[ph]);
    }
    if (r->run.pmu_reason) rg_lines_add(&r->notes, "Counters: %s.", r->run.pmu_reason);
    if (r->run.n_ctr > 0)
        rg_lines_add(&r->notes,
            "A counter read costs %s per thread, %s of a decode step; it is outside the operators' times, "
            "inside those of the phases.",
            RG_TIME(r->run.probe_ns), RG_PERCENT(r->run.pmu_share));
    if (r->run.n_ctr > 0 && r->run.pmu_groups > 1)
        rg_lines_add(&r->notes,
            "The events do not fit the counters at once: %d groups take turns from call to call, and each "
            "metric is of its own calls.",
            r->run.pmu_groups);
    for (int i = 0; i < r->run.n_ctr; i++)
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
            if (r->phase[ph].ran && isnan(r->phase[ph].ctr[i]))
                rg_lines_add(&r->notes,
                    "%s: %s was not counted: its group of events had no turn in %d repetitions (-r %d would "
                    "give it one).",
                    rg_phase_names[ph], r->run.ctr_name[i], r->run.repetitions, r->run.pmu_groups);
    if (r->n_layers > 0)
        rg_lines_add(&r->notes, "Counters were read where layers end, so operators have none of their own.");
    if (rg_ctr_index(r, "read_bytes") >= 0 && rg_ctr_index(r, "write_bytes") < 0)
        rg_lines_add(
            &r->notes, "pmu bytes are DRAM reads only: this CPU has no event for the writes of a thread.");
    if (r->model.round_rel > 0.0)
        rg_lines_add(&r->notes,
            "Quantising at load changed the weights by %s (root mean square error over root mean square).",
            RG_PERCENT(r->model.round_rel));
    if (r->run.interrupted)
        rg_lines_add(&r->notes, "Interrupted: this is the part that was measured before the stop.");
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        if (!r->phase[ph].ran) continue;
        note_rereads(r, ph);
        note_cached(r, ph);
    }
}

/* ---- copies ---- */

static bool copy_info(rg_report *r, const rg_model_info *m, const rg_run_info *run)
{
    rg_lines *t = &r->text;
    r->model = *m;
    r->run = *run;
    r->model.path = rg_doc_keep(t, m->path);
    r->model.format = rg_doc_keep(t, m->format);
    r->model.dtype = rg_doc_keep(t, m->dtype);
    r->model.head_dtype = rg_doc_keep(t, m->head_dtype);
    r->run.command = rg_doc_keep(t, run->command);
    r->run.pinning = rg_doc_keep(t, run->pinning);
    r->run.blas = rg_doc_keep(t, run->blas);
    r->run.pmu_status = rg_doc_keep(t, run->pmu_status ? run->pmu_status : "off");
    r->run.pmu_reason = rg_doc_keep(t, run->pmu_reason);
    r->run.n_ctr = run->n_ctr < 0 ? 0 : run->n_ctr > RG_MAX_CTR ? RG_MAX_CTR : run->n_ctr;
    for (int i = 0; i < r->run.n_ctr; i++)
        r->run.ctr_name[i] = rg_doc_keep(t, run->ctr_name[i] ? run->ctr_name[i] : "?");
    r->run.pmu_mode = rg_doc_keep(t, run->pmu_mode ? run->pmu_mode : "off");
    r->run.n_metrics = run->n_metrics;
    r->run.metric = NULL;
    if (run->n_metrics > 0) {
        r->metric = malloc(run->n_metrics * sizeof *r->metric); /* names are static */
        if (!r->metric) return false;
        memcpy(r->metric, run->metric, run->n_metrics * sizeof *r->metric);
        r->run.metric = r->metric;
    }
    r->run.cpus = NULL;
    if (run->cpus && run->threads > 0) {
        r->cpus = malloc(run->threads * sizeof *r->cpus);
        if (!r->cpus) return false;
        memcpy(r->cpus, run->cpus, run->threads * sizeof *r->cpus);
        r->run.cpus = r->cpus;
    }
    return !t->failed;
}

rg_status rg_report_build(rg_report **out, const rg_machine *machine, const rg_model_info *model,
    const rg_run_info *run, const rg_log *log, rg_err *err)
{
    *out = NULL;
    rg_report *r = calloc(1, sizeof *r);
    if (!r) return rg_no_memory(err, "report");
    r->machine = *machine;
    if (!copy_info(r, model, run) || sum_steps(r, log) != 0 || sum_records(r, log) != 0 ||
        sum_experts(r, log) != 0)
        goto nomem;
    sum_phases(r);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (r->phase[ph].ran && pair_phase(r, ph) != 0) goto nomem;
    mark_cached(r);
    r->run.paired = NULL; /* the caller's */
    r->run.speeds = NULL;
    rg_report_judge_noise(r);
    note_run(r, log);
    if (r->notes.failed || r->evidence.failed) goto nomem;
    *out = r;
    return RG_OK;
nomem:
    rg_report_close(r);
    return rg_fail(err, RG_E_NOMEM, "report: out of memory for %zu records", log->n);
}

bool rg_report_beats_peak(const rg_report *r)
{
    for (int i = 0; i < r->n_rows; i++) {
        const rg_row *w = &r->row[i];
        if (w->layer < 0 && w->bound == RG_BOUND_COMPUTE && w->ideal_ns > (double)w->t_ns &&
            (double)w->t_ns > 0.02 * (double)r->phase[w->phase].t_ns)
            return true;
    }
    return false;
}

void rg_report_close(rg_report *r)
{
    if (!r) return;
    rg_lines_free(&r->text);
    rg_lines_free(&r->notes);
    rg_lines_free(&r->evidence);
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) free(r->phase[ph].call_ns);
    free(r->row);
    free(r->layer);
    free(r->experts);
    free(r->metric);
    free(r->cpus);
    free(r);
}
