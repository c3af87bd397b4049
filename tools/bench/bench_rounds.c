/* Every row gets a warm-up and a recorded run when its engine is loaded, then one sample per round; rounds go
 * over all loaded rows, forwards and backwards in turn, and so does the order of loading. Records would cost
 * a small model several percent. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "tools/bench/bench.h"

/* A sample averages over as many runs as take 20 ms; a warm-up goes on for 0.1 s, in later loads 30 ms. */
enum { SAMPLE_NS = 20000000, WARM_UP_NS = 100000000, WARM_AGAIN_NS = 30000000, MOST_INNER = 1000 };
/* Loads of `bench`, if its engines do not fit side by side. */
enum { LOADS = 3 };
/* Loads are quick if together they take half a minute. */
static const double QUICK_NS = 3e10;

static rg_status build_report(
    rg_report **out, const rg_bench *b, const rg_bench_row *r, const rg_log *log, rg_err *err)
{
    const rg_bench_test *t = &b->test[r->test];
    const rg_run_info run = {.started = b->started,
        .prompt_tokens = t->prompt,
        .gen_tokens = t->gen,
        .decode_start = t->depth + t->prompt,
        .repetitions = 1,
        .spread = {NAN, NAN},
        .pmu_reason = "bench reads no counters"};
    return rg_unit_report(out, rg_bench_unit_of(b, r), &b->lane[r->lane].so, run, log, err);
}

/* b->records recorded runs as one log, of which the times of the operators are kept, and the log itself where
 * it is nearer to the median load than that before; *ns: the time of a run. */
static rg_status recorded(rg_bench *b, rg_bench_row *r, int64_t *ns, rg_err *err)
{
    rg_takes k;
    rg_log log = {0};
    rg_status st = rg_takes_open(&k, &r->work, b->records, 0, err);
    if (!st) st = rg_takes_record(&k, &r->work, b->records, 0.0, err);
    if (!st) st = rg_takes_join(&log, NULL, &k, true, err);
    if (!st) {
        rg_op_times *now = &r->ops[r->n_ops++];
        rg_bench_op_times(now, &k);
        *ns = (int64_t)now->run_ns;
        if (!r->report || rg_bench_typical(r, now->run_ns, r->log_ns)) {
            r->log_ns = now->run_ns;
            rg_report_close(r->report);
            r->report = NULL;
            st = build_report(&r->report, b, r, &log, err);
            if (!st && b->keep_logs) {
                rg_log_close(&r->log);
                r->log = log;
                log = (rg_log){0};
            }
        }
    }
    rg_log_close(&log);
    rg_takes_close(&k);
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
    const rg_status st = !ok || !any ? rg_no_memory(err, "report") : build_report(out, b, any, &all, err);
    rg_log_close(&all);
    /* each row is a test of its own: one may have the prompt, the other the generation */
    for (int i = 0; i < n && !st; i++) {
        const rg_bench_test *t = row[i] ? &b->test[row[i]->test] : NULL;
        rg_run_info *run = &(*out)->run;
        if (t) run->prompt_tokens = rg_max(run->prompt_tokens, t->prompt);
        if (t && t->gen) run->gen_tokens = t->gen, run->decode_start = t->depth + t->prompt;
    }
    return st;
}

static rg_status prepare_row(rg_bench *b, rg_bench_row *r, rg_err *err)
{
    int64_t ns = 1;
    rg_status st = RG_OK;
    r->work.s = b->lane[r->lane].s;
    r->work.token = b->calls.token;
    r->work.seq = b->calls.seq;
    r->work.want = b->calls.want;
    if (!b->no_warmup)
        st = rg_work_warm_up(
            &r->work, rg_min(r->work.gen, 4), b->load ? WARM_AGAIN_NS : WARM_UP_NS, NULL, err);
    if (!st) st = recorded(b, r, &ns, err);
    if (!r->inner) r->inner = (int)rg_max(1, rg_min(MOST_INNER, SAMPLE_NS / rg_max(1, ns)));
    return st;
}

/* Another row has filled the caches: one token, not timed, brings the weights back. */
static rg_status sample(rg_bench *b, rg_bench_row *r, rg_err *err)
{
    uint64_t sum = 0;
    rg_status st = b->no_warmup ? RG_OK : rg_work_touch(&r->work, err);
    if (r->n == 0) r->started = time(NULL);
    for (int i = 0; i < r->inner && !st; i++) st = rg_work_time(&r->work, &sum, err);
    if (st) return st;
    r->load[r->n] = b->load;
    r->ns[r->n++] = (double)sum / r->inner;
    return RG_OK;
}

static bool loaded(const rg_bench *b, const rg_bench_row *r) { return rg_bench_unit_of(b, r)->e != NULL; }

/* The k-th row of a round; every other one goes backwards. */
static rg_bench_row *row_at(const rg_bench *b, int round, int k)
{
    return &b->row[round % 2 ? b->n_rows - 1 - k : k];
}

/* The time left is of all loads together. */
static void draw(rg_bench *b, const char *what)
{
    double done = 0.0;
    b->progress.start_ns = b->begun_ns;
    for (int i = 0; i < b->n_rows; i++) done += b->row[i].n;
    const double share = b->reps ? done / ((double)b->reps * b->n_rows) : 0.0;
    rg_progress_draw(&b->progress,
        b->loads == 1      ? what
            : b->loads > 1 ? RG_TEXT(128, "%s, load %d of %d", what, b->load + 1, b->loads)
                           : RG_TEXT(128, "%s, load %d", what, b->load + 1),
        share);
}

static rg_status prepare_loaded(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    for (int k = 0; k < b->n_rows && !st; k++) {
        rg_bench_row *r = row_at(b, b->load, k);
        if (!loaded(b, r)) continue;
        draw(b, "warming up");
        st = prepare_row(b, r, err);
    }
    return st;
}

static rg_status round_of_loaded(rg_bench *b, int round, rg_err *err)
{
    rg_status st = RG_OK;
    for (int k = 0; k < b->n_rows && !st; k++) {
        rg_bench_row *r = row_at(b, round, k);
        if (!loaded(b, r)) continue;
        draw(b, b->test[r->test].name);
        st = sample(b, r, err);
    }
    return st;
}

/* Once it is known what a load of all engines takes. An even number: each is first as often as last. */
static void decide_loads(rg_bench *b, double ns)
{
    const int64_t quick = (int64_t)(QUICK_NS / ns) / 2 * 2;
    if (!b->loads) b->loads = (int)rg_max(b->least_loads, rg_min(RG_QUICK_LOADS, quick));
    if (!b->reps) b->reps = b->per_load * b->loads;
    b->loads = (int)rg_min(b->loads, b->reps);
}

/* Samples of a row before that load. */
static int first_round(const rg_bench *b, int load) { return b->reps * load / b->loads; }

/* One load of every engine: of all side by side, or of one after the other. */
static rg_status load_and_sample(rg_bench *b, rg_err *err)
{
    const int group = b->together ? b->n_units : 1, n = b->n_units;
    rg_status st = RG_OK;
    for (int k = 0; k < n && !st; k += group) {
        const uint64_t start = rg_now_ns();
        for (int i = k; i < k + group && !st; i++) st = rg_bench_load(b, b->load % 2 ? n - 1 - i : i, err);
        if (!st) st = prepare_loaded(b, err);
        if (!st) {
            decide_loads(b, (double)(rg_now_ns() - start) * n / group);
            const int end = first_round(b, b->load + 1);
            for (int i = first_round(b, b->load); i < end && !st; i++)
                st = round_of_loaded(b, i + b->load, err);
        }
        for (int u = 0; u < n; u++) rg_bench_unload(b, u);
        rg_progress_clear(&b->progress);
    }
    return st;
}

/* The roofs once more, as the machine may have been busy before, and reports that know them. */
static rg_status settle(rg_bench *b, rg_err *err)
{
    rg_status st = rg_bench_roofs(b, err);
    for (int i = 0; i < b->n_rows && !st; i++) {
        rg_bench_row *r = &b->row[i];
        rg_report_close(r->report);
        r->report = NULL;
        st = build_report(&r->report, b, r, &r->log, err);
    }
    return st;
}

rg_status rg_bench_run(rg_bench *b, rg_err *err)
{
    rg_status st = rg_bench_rows(b, err);
    if (st) return st;
    b->together = b->n_units == 1 || rg_bench_fits(b);
    if (!b->together && b->loads == 1) b->loads = (int)rg_min(b->reps, LOADS);
    st = rg_bench_roofs(b, err);
    b->begun_ns = rg_now_ns();
    for (b->load = 0; !st && (!b->load || b->load < b->loads); b->load++) st = load_and_sample(b, err);
    if (!st && b->keep_logs) st = settle(b, err);
    rg_progress_clear(&b->progress);
    b->interrupted = st == RG_E_INTERRUPTED;
    if (b->interrupted) b->loads = b->load; /* that were begun */
    return st;
}

/* ---- numbers ---- */

/* Adds a phase of the recorded run, scaled from the calls that were recorded to those of a whole run. */
static void add_phase(rg_doc_result *o, const rg_phase_sum *p, double tokens)
{
    if (!p->ran || tokens <= 0.0 || p->tokens == 0) return;
    const double f = tokens / (double)p->tokens;
    o->flop += f * (double)p->analytic.flop;
    o->bytes_counted += f * (double)rg_tally_bytes(&p->counted);
    o->bytes_analytic += f * (double)rg_tally_bytes(&p->analytic);
    o->mbu += f * p->mbu * (double)p->t_ns; /* ideal times, divided by the measured one below */
    o->mfu += f * p->mfu * (double)p->t_ns;
    o->ideal_ns += f * p->ideal_ns;
    o->ideal_flop_ns += f * p->flop_ns;
    o->ideal_mem_ns += f * p->mem_ns;
    o->stream_bytes = fmax(o->stream_bytes, (double)p->stream_bytes);
}

static const char *bound_of(const rg_report *r, const rg_bench_test *t)
{
    const char *p = rg_bound_names[r->phase[RG_PREFILL].bound],
               *d = rg_bound_names[r->phase[RG_DECODE].bound];
    return !t->gen ? p : !t->prompt ? d : p == d ? p : NULL;
}

void rg_bench_figures(rg_doc_result *o, const rg_bench *b, const rg_bench_row *r)
{
    const rg_bench_test *t = &b->test[r->test];
    const double pp = (double)(t->prompt * t->seqs), tg = (double)(t->gen * t->seqs), work = 1e9 * (pp + tg);
    const rg_stats ns = rg_stats_of(r->ns, r->n);
    double *ts = r->n ? malloc(r->n * sizeof *ts) : NULL;
    for (int i = 0; ts && i < r->n; i++) ts[i] = work / r->ns[i];
    const rg_stats speed = rg_stats_of(ts, ts ? r->n : 0);
    free(ts);
    *o = (rg_doc_result){.tokens = pp + tg,
        .avg_ns = floor(ns.mean),
        .stddev_ns = floor(ns.sd),
        .avg_ts = speed.mean,
        .stddev_ts = speed.sd,
        .median_ns = ns.median,
        .median_ts = work / ns.median,
        .ci95_low_ts = work / ns.high,
        .ci95_high_ts = work / ns.low,
        .spread = ns.spread};
    if (r->report) {
        add_phase(o, &r->report->phase[RG_PREFILL], pp);
        add_phase(o, &r->report->phase[RG_DECODE], tg);
        o->bound = bound_of(r->report, t);
    } else {
        o->flop = o->bytes_counted = o->bytes_analytic = o->mbu = o->mfu = NAN;
        o->ideal_ns = o->ideal_flop_ns = o->ideal_mem_ns = o->stream_bytes = NAN;
    }
    o->ai = rg_ratio(o->flop, o->bytes_counted);
    o->gflops = rg_ratio(o->flop, ns.median);
    o->gbps = rg_ratio(o->bytes_counted, ns.median);
    o->mbu = rg_ratio(o->mbu, ns.median);
    o->mfu = rg_ratio(o->mfu, ns.median);
    o->roof_fraction = rg_ratio(o->ideal_ns, ns.median);
}
