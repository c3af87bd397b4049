/* Sampling. Every row gets a warm-up and a recorded run when its engine is loaded, then one sample per round;
 * rounds go over all rows of all loaded engines, forwards and backwards in turn. Samples are not recorded:
 * records cost a small model several percent. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/measure/bench.h"
#include "tools/measure/bench_lanes.h"

/* A sample averages over as many runs as take 20 ms; a warm-up of decode goes on for 0.1 s; decode records at
 * most 64 steps, evenly spread, because the log of a long generation would be larger than many models. */
enum { SAMPLE_NS = 20000000, WARM_UP_NS = 100000000, MOST_INNER = 1000, MOST_STEPS = 64, LOADS = 3 };

/* The token at a position is always the same, so that the cache of a shorter test is a prefix of a longer
 * one's. Its cost does not depend on which it is. */
static int32_t token_at(int64_t seq, int64_t pos, int64_t vocab)
{
    uint64_t x = ((uint64_t)pos + 1) * 6364136223846793005u + (uint64_t)seq * 1442695040888963407u;
    x ^= x >> 29;
    return (int32_t)((x * 0x9e3779b97f4a7c15u >> 33) % (uint64_t)vocab);
}

static rg_status prefill(const rg_bench *b, const rg_bench_lane *l, int64_t seq, int64_t from, int64_t n,
    bool logits, rg_log *log, rg_err *err)
{
    const int64_t vocab = rg_ckpt_config(b->unit[l->unit].ckpt)->vocab,
                  at_once = l->cli->batch ? l->cli->batch : 2048;
    rg_status st = RG_OK;
    for (int64_t at = 0; at < n && st == RG_OK; at += at_once) {
        const int64_t m = rg_min(at_once, n - at);
        int32_t where[1];
        where[0] = (int32_t)seq;
        int32_t *seqs = NULL;
        for (int64_t i = 0; i < m; i++) b->token[i] = token_at(seq, from + at + i, vocab);
        if (seq > 0) { /* the one-sequence call needs no list */
            seqs = b->token + b->longest;
            for (int64_t i = 0; i < m; i++) seqs[i] = where[0];
        }
        st = rg_session_eval(l->s,
            &(rg_batch){.n = m, .token = b->token, .seq = seqs, .want = logits ? NULL : b->flag}, RG_PREFILL,
            log, err);
    }
    return st;
}

/* One token of each sequence. */
static rg_status step(
    const rg_bench *b, const rg_bench_lane *l, int64_t seqs, int64_t pos, rg_log *log, rg_err *err)
{
    const int64_t vocab = rg_ckpt_config(b->unit[l->unit].ckpt)->vocab;
    int32_t *seq = b->token + b->longest;
    for (int64_t q = 0; q < seqs; q++) {
        b->token[q] = token_at(q, pos, vocab);
        seq[q] = (int32_t)q;
    }
    return rg_session_eval(l->s,
        &(rg_batch){.n = seqs, .token = b->token, .seq = seq, .want = b->flag + b->longest}, RG_DECODE, log,
        err);
}

/* The sequences hold exactly depth tokens. */
static rg_status at_depth(const rg_bench *b, const rg_bench_lane *l, const rg_bench_test *t, rg_err *err)
{
    rg_status st = RG_OK;
    for (int64_t q = 0; q < t->seqs && st == RG_OK; q++) {
        const int64_t have = rg_session_length(l->s, q);
        if (have > t->depth)
            rg_session_truncate(l->s, q, t->depth);
        else if (have < t->depth)
            st = prefill(b, l, q, have, t->depth - have, false, NULL, err);
    }
    return st;
}

/* The test once, from its depth. log: every prefill call, and the middle one of every `stride` decode
 * steps. */
static rg_status once(
    const rg_bench *b, const rg_bench_lane *l, const rg_bench_test *t, int64_t gen, rg_log *log, rg_err *err)
{
    rg_status st = at_depth(b, l, t, err);
    const int64_t stride = rg_div_up(t->gen ? t->gen : 1, MOST_STEPS);
    for (int64_t q = 0; t->prompt && q < t->seqs && st == RG_OK; q++)
        st = prefill(b, l, q, t->depth, t->prompt, true, log, err);
    for (int64_t i = 0; i < gen && st == RG_OK; i++)
        st = step(b, l, t->seqs, t->depth + t->prompt + i, i % stride == stride / 2 ? log : NULL, err);
    return st;
}

static rg_status warm_up(const rg_bench *b, const rg_bench_lane *l, const rg_bench_test *t, rg_err *err)
{
    const uint64_t start = rg_now_ns();
    rg_status st;
    do st = once(b, l, t, rg_min(t->gen, 4), NULL, err);
    while (st == RG_OK && rg_now_ns() - start < WARM_UP_NS);
    return st;
}

static rg_status build_report(
    rg_report **out, const rg_bench *b, const rg_bench_row *r, const rg_log *log, rg_err *err)
{
    const rg_bench_unit *u = rg_bench_unit_of(b, r);
    const rg_bench_lane *l = &b->lane[r->lane];
    const rg_bench_test *t = &b->test[r->test];
    rg_model_info m = u->model;
    rg_memory_plan plan;
    const rg_config *c = rg_ckpt_config(u->ckpt); /* the session may be gone */
    rg_plan_memory(&plan, c, 0, true, u->info.threads, &l->so);
    m.kv_bytes = plan.kv;
    m.scratch_bytes = plan.scratch;
    m.ctx = plan.ctx;
    m.kv_k = l->so.kv_k;
    m.kv_v = l->so.kv_v;
    const rg_run_info run = {.command = b->cli->line,
        .started = b->started,
        .threads = u->info.threads,
        .cpus = u->info.cpus,
        .pinning = u->pinning,
        .isa = u->info.isa,
        .blas = u->info.blas ? u->info.blas : "off",
        .flash = !l->so.unfused,
        .fuse = l->so.fuse,
        .prompt_tokens = t->prompt,
        .gen_tokens = t->gen,
        .decode_start = t->depth + t->prompt,
        .ubatch = l->so.ubatch,
        .repetitions = 1,
        .pmu_reason = "bench reads no counters",
        .load_ns = u->info.load_ns};
    return rg_report_build(out, &u->machine, &m, &run, log, err);
}

/* b->records recorded runs, of which the one with the median time is kept; *ns: its time. */
static rg_status recorded(rg_bench *b, rg_bench_row *r, uint64_t *ns, rg_err *err)
{
    enum { MOST = 9 };
    const rg_bench_lane *l = &b->lane[r->lane];
    const rg_bench_test *t = &b->test[r->test];
    rg_log log[MOST] = {{0}};
    uint64_t time[MOST];
    int order[MOST], n = 0;
    const size_t steps = (size_t)rg_min(t->gen, MOST_STEPS) +
        (size_t)t->seqs * (rg_session_steps_for(l->s, t->prompt + 1) + (size_t)(t->prompt / 2048) + 1);
    rg_status st = RG_OK;
    for (; n < (b->records < MOST ? b->records : MOST) && st == RG_OK; n++) {
        if (rg_log_open(&log[n], steps, rg_session_ops_per_step(l->s)) != 0) {
            st = rg_fail(err, RG_E_NOMEM, "%s: out of memory for the records of %zu calls", t->name, steps);
            break;
        }
        if ((st = at_depth(b, l, t, err)) != RG_OK) break;
        const uint64_t start = rg_now_ns();
        if ((st = once(b, l, t, t->gen, &log[n], err)) != RG_OK) break;
        time[n] = rg_now_ns() - start;
        int at = n;
        for (; at > 0 && time[order[at - 1]] > time[n]; at--) order[at] = order[at - 1];
        order[at] = n;
    }
    if (st == RG_OK && n > 0) {
        const int mid = order[(n - 1) / 2];
        rg_report_close(r->report);
        r->report = NULL;
        *ns = time[mid];
        st = build_report(&r->report, b, r, &log[mid], err);
        if (st == RG_OK && b->keep_logs) {
            rg_log_close(&r->log);
            r->log = log[mid];
            log[mid] = (rg_log){0};
        }
    }
    for (int i = 0; i < MOST; i++) rg_log_close(&log[i]);
    return st;
}

rg_status rg_bench_report(
    rg_report **out, const rg_bench *b, const rg_bench_row *const *row, int n, rg_err *err)
{
    rg_log all;
    const rg_bench_row *any = NULL;
    bool ok = rg_log_open(&all, 0, 0) == 0;
    for (int i = 0; i < n && ok; i++) {
        if (!row[i]) continue;
        any = row[i];
        ok = rg_log_append(&all, &row[i]->log) == 0;
    }
    const rg_status st = !ok || !any ? rg_fail(err, RG_E_NOMEM, "report: out of memory")
                                     : build_report(out, b, any, &all, err);
    rg_log_close(&all);
    /* each row is a test of its own: one may have the prompt, the other the generation */
    for (int i = 0; i < n && st == RG_OK; i++) {
        const rg_bench_test *t = row[i] ? &b->test[row[i]->test] : NULL;
        rg_run_info *run = &(*out)->run;
        if (t) run->prompt_tokens = rg_max(run->prompt_tokens, t->prompt);
        if (t && t->gen) run->gen_tokens = t->gen, run->decode_start = t->depth + t->prompt;
    }
    return st;
}

static rg_status prepare_row(rg_bench *b, rg_bench_row *r, rg_err *err)
{
    const rg_bench_lane *l = &b->lane[r->lane];
    uint64_t ns = 1;
    rg_status st = b->no_warmup ? RG_OK : warm_up(b, l, &b->test[r->test], err);
    if (st == RG_OK) st = recorded(b, r, &ns, err);
    if (!r->inner) r->inner = (int)rg_max(1, rg_min(MOST_INNER, SAMPLE_NS / (int64_t)rg_max(1, (int64_t)ns)));
    return st;
}

/* Whatever ran before has filled the caches: one token, not timed, brings the weights back. */
static rg_status sample(rg_bench *b, rg_bench_row *r, rg_err *err)
{
    const rg_bench_lane *l = &b->lane[r->lane];
    const rg_bench_test *t = &b->test[r->test];
    uint64_t sum = 0;
    rg_status st = at_depth(b, l, t, err);
    if (st == RG_OK && !b->no_warmup) st = step(b, l, t->seqs, t->depth, NULL, err);
    if (r->n == 0) r->started = time(NULL);
    for (int i = 0; i < r->inner && st == RG_OK; i++) {
        if ((st = at_depth(b, l, t, err)) != RG_OK) break;
        const uint64_t start = rg_now_ns();
        st = once(b, l, t, t->gen, NULL, err);
        sum += rg_now_ns() - start;
    }
    if (st == RG_OK) r->ns[r->n++] = (double)sum / r->inner;
    return st;
}

static void progress(rg_bench *b, const char *what, int done, int of)
{
    rg_progress_draw(&b->progress, what, of ? (double)done / of : 1.0);
}

static bool loaded(const rg_bench *b, const rg_bench_row *r) { return rg_bench_unit_of(b, r)->e != NULL; }

static rg_status prepare_loaded(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < b->n_rows && st == RG_OK; i++) {
        if (!loaded(b, &b->row[i])) continue;
        progress(b, "warming up", i, b->n_rows);
        st = prepare_row(b, &b->row[i], err);
    }
    rg_progress_clear(&b->progress);
    return st;
}

static rg_status round_of_loaded(rg_bench *b, int round, rg_err *err)
{
    rg_status st = RG_OK;
    for (int k = 0; k < b->n_rows && st == RG_OK; k++) {
        rg_bench_row *r = &b->row[round % 2 ? b->n_rows - 1 - k : k];
        if (!loaded(b, r)) continue;
        progress(b, b->test[r->test].name, round * b->n_rows + k, b->reps * b->n_rows);
        st = sample(b, r, err);
    }
    return st;
}

static rg_status run_together(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    for (int u = 0; u < b->n_units && st == RG_OK; u++) st = rg_bench_load(b, u, err);
    if (st == RG_OK) st = prepare_loaded(b, err);
    for (int round = 0; round < b->reps && st == RG_OK; round++) st = round_of_loaded(b, round, err);
    return st;
}

/* Too large to be loaded side by side: engines take turns, `loads` times each, with a share of the
 * samples. */
static rg_status run_in_turns(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    for (int turn = 0; turn < b->loads; turn++)
        for (int k = 0; k < b->n_units && st == RG_OK; k++) {
            const int u = turn % 2 ? b->n_units - 1 - k : k;
            if ((st = rg_bench_load(b, u, err)) == RG_OK) st = prepare_loaded(b, err);
            for (int round = b->reps * turn / b->loads;
                 round < b->reps * (turn + 1) / b->loads && st == RG_OK; round++)
                st = round_of_loaded(b, round, err);
            rg_bench_unload(b, u);
        }
    return st;
}

rg_status rg_bench_run(rg_bench *b, rg_err *err)
{
    rg_status st = rg_bench_rows(b, err);
    if (st != RG_OK) return st;
    const int64_t at_most = rg_max(b->longest, b->most_seqs);
    b->longest = at_most;
    b->token = malloc((size_t)(2 * at_most + 1) * sizeof *b->token);
    b->flag = malloc((size_t)(2 * at_most + 1));
    if (!b->token || !b->flag) return rg_fail(err, RG_E_NOMEM, "bench: out of memory");
    memset(b->flag, 0, (size_t)at_most);
    memset(b->flag + at_most, 1, (size_t)at_most + 1);
    b->together = b->n_units == 1 || rg_bench_fits(b);
    b->loads = b->together ? 1 : b->reps < LOADS ? b->reps : LOADS;
    if ((st = rg_bench_roofs(b, err)) == RG_OK)
        st = b->together ? run_together(b, err) : run_in_turns(b, err);
    rg_progress_clear(&b->progress);
    b->interrupted = st == RG_E_INTERRUPTED;
    return st;
}

/* ---- numbers ---- */

/* Adds a phase of the recorded run, scaled from the calls that were recorded to those of a whole run. */
static void add_phase(rg_bench_numbers *o, const rg_phase_sum *p, double tokens)
{
    if (!p->ran || tokens <= 0.0 || p->tokens == 0) return;
    const double f = tokens / (double)p->tokens;
    o->flop += f * (double)p->analytic.flop;
    o->bytes_counted += f * (double)rg_tally_bytes(&p->counted);
    o->bytes_analytic += f * (double)rg_tally_bytes(&p->analytic);
    o->mbu += f * p->mbu * (double)p->t_ns; /* ideal times, divided by the measured one below */
    o->mfu += f * p->mfu * (double)p->t_ns;
    o->ideal_ns += f * p->ideal_ns;
    o->flop_ns += f * p->flop_ns;
    o->mem_ns += f * p->mem_ns;
    if ((double)p->stream_bytes > o->stream_bytes) o->stream_bytes = (double)p->stream_bytes;
}

static const char *bound_of(const rg_report *r, const rg_bench_test *t)
{
    const char *p = rg_bound_names[r->phase[RG_PREFILL].bound],
               *d = rg_bound_names[r->phase[RG_DECODE].bound];
    return !t->gen ? p : !t->prompt ? d : p == d ? p : NULL;
}

void rg_bench_numbers_of(rg_bench_numbers *o, const rg_bench *b, const rg_bench_row *r)
{
    const rg_bench_test *t = &b->test[r->test];
    *o = (rg_bench_numbers){
        .tokens = (double)((t->prompt + t->gen) * t->seqs), .ns = rg_stats_of(r->ns, r->n)};
    double *ts = r->n ? malloc((size_t)r->n * sizeof *ts) : NULL;
    for (int i = 0; ts && i < r->n; i++) ts[i] = 1e9 * o->tokens / r->ns[i];
    o->ts = rg_stats_of(ts, ts ? r->n : 0);
    free(ts);
    o->median_ts = 1e9 * o->tokens / o->ns.median;
    o->low_ts = 1e9 * o->tokens / o->ns.high;
    o->high_ts = 1e9 * o->tokens / o->ns.low;
    if (!r->report) {
        o->flop = o->bytes_counted = o->bytes_analytic = o->ideal_ns = o->flop_ns = o->mem_ns = o->mbu =
            o->mfu = o->stream_bytes = 0.0 / 0.0;
    } else {
        add_phase(o, &r->report->phase[RG_PREFILL], (double)(t->prompt * t->seqs));
        add_phase(o, &r->report->phase[RG_DECODE], (double)(t->gen * t->seqs));
        o->bound = bound_of(r->report, t);
    }
    o->ai = rg_ratio(o->flop, o->bytes_counted);
    o->gflops = rg_ratio(o->flop, o->ns.median);
    o->gbps = rg_ratio(o->bytes_counted, o->ns.median);
    o->mbu = rg_ratio(o->mbu, o->ns.median);
    o->mfu = rg_ratio(o->mfu, o->ns.median);
    o->roof_fraction = rg_ratio(o->ideal_ns, o->ns.median);
}

rg_stats rg_bench_ratio(const rg_bench_row *a, const rg_bench_row *b)
{
    const int n = a->n < b->n ? a->n : b->n;
    double *x = n ? malloc((size_t)n * sizeof *x) : NULL;
    for (int i = 0; x && i < n; i++) x[i] = a->ns[i] / b->ns[i];
    const rg_stats s = rg_stats_of(x, x ? n : 0);
    free(x);
    return s;
}
