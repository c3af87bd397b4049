/* ridge profile: prefill and decode with every operator recorded, joined with the roofline. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/osload.h"
#include "base/outfile.h"
#include "report/html/page.h"
#include "report/report.h"
#include "report/svg/pictures.h"
#include "report/trace.h"
#include "ridge/score.h"
#include "ridge/topo.h"
#include "tools/assert/judge.h"
#include "tools/cli/lists.h"
#include "tools/cli/model_args.h"
#include "tools/measure/run_info.h"
#include "tools/profile/profile_counters.h"

enum { MAX_RUNS = 8, MAX_REPS = 1000, TRACE_EVENTS = 300000 };
/* Short runs are repeated until they fill a second, for a median that means something. */
enum { MIN_REPS = 3, MOST_REPS = 25, MEASURE_NS = 1000000000, WARM_UP_NS = 300000000 };

/* One repetition: a log per phase, and the time spent choosing tokens. */
typedef struct rep {
    rg_log log[RG_PHASE_COUNT];
    uint64_t t_ns[RG_PHASE_COUNT]; /* sum of the forward calls */
    uint64_t sample_ns;
    rg_osload load[RG_PHASE_COUNT]; /* what the system did meanwhile */
    double chain_ns;                /* the clock before it: rg_chain_ns */
    bool whole;
} rep;

typedef struct job {
    const rg_cli *cli;
    rg_ckpt *ckpt;
    rg_tokens prompt;
    int64_t n_gen, ubatch;
    rg_machine machine;
    time_t started;
    rg_profile_counters *ctr;
    double tokenize_ns; /* of a prompt given as text; NAN otherwise */
    /* the first call of all, which touches pages and caches first; of the run being measured */
    double first_ns[RG_PHASE_COUNT];
    rg_osload first[RG_PHASE_COUNT];
    rg_outfile trace_file;
    rg_trace trace; /* f NULL: none */
} job;

static bool is_count(const char *s) { return s && *s && s[strspn(s, "0123456789")] == 0; }

/* Prompt ids without a text: the cost of a token does not depend on which it is, so any will do; a fixed
 * sequence makes runs repeatable. */
static rg_status made_up_prompt(
    rg_tokens *t, int64_t n, int64_t vocab, int32_t bos, uint64_t seed, rg_err *err)
{
    t->n = n;
    t->id = malloc((size_t)n * sizeof *t->id);
    if (!t->id) return rg_fail(err, RG_E_NOMEM, "prompt: out of memory");
    uint64_t x = seed * 2 + 1;
    for (int64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        t->id[i] = (int32_t)((x >> 33) % (uint64_t)vocab);
    }
    if (bos >= 0 && bos < vocab) t->id[0] = bos;
    return RG_OK;
}

static rg_status get_prompt(job *j, rg_err *err)
{
    const rg_cli *cli = j->cli;
    const rg_config *c = rg_ckpt_config(j->ckpt);
    const bool text = cli->file || cli->token_ids || (cli->prompt && !is_count(cli->prompt));
    if (text) {
        rg_tokenizer *tok = NULL;
        rg_status st = cli->token_ids ? RG_OK : rg_tokenizer_open_for(&tok, j->ckpt, cli->tokenizer, err);
        const uint64_t start = rg_now_ns();
        if (st == RG_OK) st = rg_prompt_tokens(&j->prompt, cli, tok, c->vocab, err);
        if (tok) j->tokenize_ns = (double)(rg_now_ns() - start);
        rg_tokenizer_close(tok);
        return st;
    }
    const long long n = cli->prompt ? strtoll(cli->prompt, NULL, 10) : rg_min(128, c->ctx_train / 2);
    if (n < 1 || n > c->ctx_train)
        return rg_fail(err, RG_E_USAGE, "-p: %lld prompt tokens, expected 1 to %lld (the model's context)", n,
            (long long)c->ctx_train);
    return made_up_prompt(
        &j->prompt, n, c->vocab, c->bos, RG_GIVEN(cli, seed) ? (uint64_t)cli->seed : 42, err);
}

static uint64_t phase_ns(const rg_log *log)
{
    uint64_t t = 0;
    for (size_t i = 0; i < log->n_steps; i++) t += log->step[i].t_ns;
    return t;
}

/* Prefill the prompt from an empty context, then n_gen decode calls. r NULL: a warm-up. */
static rg_status once(job *j, rg_session *s, int64_t n_gen, rep *r, rg_err *err)
{
    const int64_t vocab = rg_ckpt_config(j->ckpt)->vocab;
    rg_osload at[3];
    rg_session_truncate(s, 0, 0);
    if (r) {
        r->chain_ns = rg_chain_ns();
        rg_osload_read(&at[0]);
        rg_profile_counters_mark(j->ctr);
    }
    rg_status st = rg_session_eval(s, &(rg_batch){.n = j->prompt.n, .token = j->prompt.id}, RG_PREFILL,
        r ? &r->log[RG_PREFILL] : NULL, err);
    if (r) {
        rg_profile_counters_phase(j->ctr, RG_PREFILL);
        rg_osload_read(&at[1]);
    }
    for (int64_t i = 0; st == RG_OK && i < n_gen; i++) {
        const uint64_t t0 = rg_now_ns();
        const int32_t id = (int32_t)rg_largest_logit(rg_session_logits(s, 0), vocab);
        if (r) r->sample_ns += rg_now_ns() - t0;
        st = rg_session_eval(
            s, &(rg_batch){.n = 1, .token = &id}, RG_DECODE, r ? &r->log[RG_DECODE] : NULL, err);
    }
    if (r) {
        rg_profile_counters_phase(j->ctr, RG_DECODE);
        rg_osload_read(&at[2]);
        for (int p = 0; p < RG_PHASE_COUNT; p++) {
            r->t_ns[p] = phase_ns(&r->log[p]);
            rg_osload_add(&r->load[p], &at[p], &at[p + 1]);
        }
        r->whole = st == RG_OK;
    }
    return st;
}

/* One call of a phase that nothing has warmed. */
static rg_status first_call(job *j, rg_session *s, const rg_batch *b, rg_phase ph, rg_err *err)
{
    rg_osload before, after;
    j->first[ph] = (rg_osload){0};
    rg_osload_read(&before);
    const uint64_t t = rg_now_ns();
    const rg_status st = rg_session_eval(s, b, ph, NULL, err);
    j->first_ns[ph] = st == RG_OK ? (double)(rg_now_ns() - t) : NAN;
    rg_osload_read(&after);
    rg_osload_add(&j->first[ph], &before, &after);
    return st;
}

/* First touch of the cache and activations, clocks that rise only under load, the branch predictor. *step_ns:
 * what a decode step took;
 * *rep_ns: what a repetition will take, about. */
static rg_status warm_up(job *j, rg_session *s, uint64_t *step_ns, uint64_t *rep_ns, rg_err *err)
{
    const uint64_t start = rg_now_ns();
    const int64_t n = rg_min(2, j->n_gen);
    rg_status st = first_call(j, s, &(rg_batch){.n = j->prompt.n, .token = j->prompt.id}, RG_PREFILL, err);
    if (st != RG_OK) return st;
    const int32_t next = (int32_t)rg_largest_logit(rg_session_logits(s, 0), rg_ckpt_config(j->ckpt)->vocab);
    if ((st = first_call(j, s, &(rg_batch){.n = 1, .token = &next}, RG_DECODE, err)) != RG_OK) return st;
    do {
        uint64_t t = rg_now_ns();
        if ((st = once(j, s, 0, NULL, err)) != RG_OK) break;
        *rep_ns = rg_now_ns() - t;
        const int32_t id = (int32_t)rg_largest_logit(rg_session_logits(s, 0), rg_ckpt_config(j->ckpt)->vocab);
        for (int64_t i = 0; i < n && st == RG_OK; i++) {
            t = rg_now_ns();
            st = rg_session_eval(s, &(rg_batch){.n = 1, .token = &id}, RG_DECODE, NULL, err);
        }
        *step_ns = rg_now_ns() - t;
    } while (st == RG_OK && rg_now_ns() - start < WARM_UP_NS);
    *rep_ns += (uint64_t)j->n_gen * *step_ns;
    return st;
}

/* The repetition whose phase took the median time (the first whole one if interrupted early), the spread, and
 * the interval of the median. */
static int pick(const rep *r, int n, int phase, rg_run_info *run)
{
    int order[MAX_REPS], whole = 0;
    double t[MAX_REPS];
    for (int i = 0; i < n; i++) {
        if (!r[i].whole) continue;
        int at = whole++;
        for (; at > 0 && r[order[at - 1]].t_ns[phase] > r[i].t_ns[phase]; at--) order[at] = order[at - 1];
        order[at] = i;
        t[whole - 1] = (double)r[i].t_ns[phase];
    }
    if (whole == 0) return 0;
    rg_run_times(run, (rg_phase)phase, t, whole);
    return order[(whole - 1) / 2];
}

/* Both phases of their median repetitions in one log; counters of groups that had no turn there from the
 * other repetitions. */
static int merge_logs(rg_log *out, const rep *r, int n_reps, const int pick_of[RG_PHASE_COUNT])
{
    size_t steps = 0, recs = 0;
    for (int p = 0; p < RG_PHASE_COUNT; p++) {
        steps += r[pick_of[p]].log[p].n_steps;
        recs += r[pick_of[p]].log[p].n;
    }
    if (rg_log_open(out, 1, recs) != 0) return -1;
    const int threads = r[pick_of[0]].log[0].span ? r[pick_of[0]].log[0].threads : 0;
    if (threads > 0 && rg_log_open_spans(out, threads) != 0) return -1;
    free(out->step);
    out->step = calloc(steps + 1, sizeof *out->step);
    if (!out->step) return -1;
    out->cap_steps = steps;
    for (int p = 0; p < RG_PHASE_COUNT; p++) {
        const rg_log *l = &r[pick_of[p]].log[p];
        for (size_t i = 0; i < l->n; i++) {
            out->rec[out->n + i] = l->rec[i];
            out->rec[out->n + i].step += (uint32_t)out->n_steps;
        }
        for (int k = 0; k < n_reps; k++)
            if (r[k].whole) rg_profile_counters_fill(out->rec + out->n, l->n, &r[k].log[p]);
        if (threads > 0 && l->n > 0)
            memcpy(out->span + out->n * (size_t)threads, l->span, l->n * (size_t)threads * sizeof *l->span);
        if (l->n_steps) memcpy(out->step + out->n_steps, l->step, l->n_steps * sizeof *l->step);
        out->n += l->n;
        out->n_steps += l->n_steps;
        out->dropped += l->dropped;
    }
    return 0;
}

/* What the system did in all repetitions, and how far the clock drifted between them. */
static void note_system(rg_run_info *run, const rep *reps, int n)
{
    double least = INFINITY, most = 0.0;
    const rg_osload none = {0};
    for (int i = 0; i < n; i++) {
        for (int p = 0; p < RG_PHASE_COUNT; p++) rg_osload_add(&run->load[p], &none, &reps[i].load[p]);
        if (!(reps[i].chain_ns > 0.0)) continue;
        least = fmin(least, reps[i].chain_ns);
        most = fmax(most, reps[i].chain_ns);
    }
    run->clock_drift = most > 0.0 ? most / least - 1.0 : NAN;
}

static rg_status build_report(rg_report **out, job *j, rg_engine *e, rg_session *s, const rg_session_opts *so,
    const rg_profile_counters *ctr, const rep *reps, int n_reps, rg_err *err)
{
    rg_engine_info i;
    rg_memory_plan plan;
    rg_log log = {0};
    rg_engine_get_info(e, &i);
    rg_session_get_plan(s, &plan);
    const rg_model_info m = rg_model_info_of(j->ckpt, &i, so, &plan);
    char pinning[256];
    rg_pinning_text(pinning, sizeof pinning, &i);
    int picked[RG_PHASE_COUNT];
    rg_run_info run = {.command = j->cli->line,
        .started = j->started,
        .threads = i.threads,
        .cpus = i.cpus,
        .pinning = pinning,
        .isa = i.isa,
        .blas = i.blas ? i.blas : "off",
        .flash = !so->unfused,
        .fuse = so->fuse,
        .prompt_tokens = j->prompt.n,
        .gen_tokens = j->n_gen,
        .decode_start = j->prompt.n,
        .ubatch = j->ubatch,
        .repetitions = n_reps,
        .interrupted = rg_stop != 0,
        .load_ns = i.load_ns,
        .per_layer = j->cli->per_layer};
    rg_profile_counters_describe(ctr, &run);
    for (int p = 0; p < RG_PHASE_COUNT; p++) picked[p] = pick(reps, n_reps, p, &run);
    run.sample_ns = reps[picked[RG_DECODE]].sample_ns;
    run.tokenize_ns = j->tokenize_ns;
    for (int p = 0; p < RG_PHASE_COUNT; p++) {
        run.first_ns[p] = j->first_ns[p];
        run.first_load[p] = j->first[p];
    }
    note_system(&run, reps, n_reps);
    rg_status st = RG_OK;
    if (merge_logs(&log, reps, n_reps, picked) != 0)
        st = rg_fail(err, RG_E_NOMEM, "report: out of memory");
    else
        st = rg_report_build(out, &j->machine, &m, &run, &log, err);
    if (st == RG_OK && j->trace.f) {
        char name[256];
        snprintf(name, sizeof name, "%.128s, %s weights", m.config.name, m.dtype);
        rg_trace_run(&j->trace, &log, name);
    }
    rg_log_close(&log);
    return st;
}

/* A step's records, and for a trace when each thread ran them. */
static int open_log(rg_log *log, size_t steps, size_t ops, int threads, bool spans)
{
    return rg_log_open(log, steps, ops) != 0 || (spans && rg_log_open_spans(log, threads) != 0) ? -1 : 0;
}

static rg_status open_reps(rep **out, int n, const rg_session *s, const job *j, int threads, rg_err *err)
{
    const size_t ops = rg_session_ops_per_step(s);
    rep *r = *out = calloc((size_t)n, sizeof *r);
    if (!r) return rg_fail(err, RG_E_NOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        if (open_log(&r[i].log[RG_PREFILL], rg_session_steps_for(s, j->prompt.n), ops, threads,
                j->trace.f != NULL) != 0 ||
            open_log(&r[i].log[RG_DECODE], (size_t)j->n_gen, ops, threads, j->trace.f != NULL) != 0)
            return rg_fail(err, RG_E_NOMEM,
                "records: out of memory for %d repetitions of %lld tokens: use a smaller -n or -r", n,
                (long long)j->n_gen);
    return RG_OK;
}

/* The roofs, with the threads and cores of the run; before the team exists, whose waiting threads would
 * disturb the measurement. */
static rg_status get_roofs(job *j, const char *dtype, rg_progress *p, rg_err *err)
{
    rg_engine_opts eo;
    rg_topo topo;
    uint64_t weights;
    rg_status st = rg_engine_args(&eo, j->cli, dtype, p, err);
    if (st != RG_OK || (st = rg_plan_weights(j->ckpt, &eo, &weights, err)) != RG_OK) return st;
    rg_topo_read(&topo);
    const int *cpus, threads = rg_topo_place(&topo, eo.threads, !eo.no_pin, &cpus);
    st = rg_machine_share(&j->machine, &j->machine, j->cli->machine, threads, cpus, (int64_t)weights,
        rg_progress_draw, p, &rg_stop, err);
    rg_progress_clear(p);
    return st;
}

/* The options of the run with these weights; whatever cannot be is refused here, before anything is
 * measured. */
static rg_status plan_run(
    rg_engine_opts *eo, rg_session_opts *so, const job *j, const char *dtype, rg_progress *p, rg_err *err)
{
    rg_status st = rg_engine_args(eo, j->cli, dtype, p, err);
    if (st == RG_OK) st = rg_session_args(so, j->cli, rg_default_kv(j->ckpt, eo), err);
    if (st != RG_OK) return st;
    if (!so->ctx) so->ctx = j->prompt.n + j->n_gen;
    if (so->ctx < j->prompt.n + j->n_gen)
        return rg_fail(err, RG_E_USAGE,
            "context: %lld prompt and %lld generated tokens do not fit into -c %lld", (long long)j->prompt.n,
            (long long)j->n_gen, (long long)so->ctx);
    return rg_check_engine(j->ckpt, eo, so, err);
}

static rg_status profile_one(rg_report **out, job *j, const char *dtype, rg_progress *p, rg_err *err)
{
    rg_engine_opts eo;
    rg_session_opts so;
    rg_engine *e = NULL;
    rg_session *s = NULL;
    rg_profile_counters ctr = {0};
    j->ctr = &ctr;
    rep *reps = NULL;
    int64_t n_reps = 0;
    rg_status st = plan_run(&eo, &so, j, dtype, p, err);
    if (st != RG_OK || (st = rg_open_engine(&e, j->ckpt, &eo, &so, err)) != RG_OK ||
        (st = rg_session_open(&s, e, &so, err)) != RG_OK)
        goto out;
    rg_engine_info info;
    rg_engine_get_info(e, &info);
    j->ubatch = so.ubatch ? so.ubatch : 512;
    uint64_t step_ns, rep_ns;
    if ((st = rg_profile_counters_open(&ctr, j->cli, info.threads, err)) != RG_OK ||
        (st = warm_up(j, s, &step_ns, &rep_ns, err)) != RG_OK)
        goto out;
    rg_profile_counters_start(&ctr, e, s, step_ns);
    const int64_t least = rg_max(MIN_REPS, rg_profile_counters_turns(&ctr));
    n_reps = RG_GIVEN(j->cli, reps) ? j->cli->reps
                                    : rg_max(least, rg_min(MOST_REPS, MEASURE_NS / (int64_t)rep_ns));
    if ((st = open_reps(&reps, (int)n_reps, s, j, info.threads, err)) != RG_OK) goto out;

    int done = 0;
    for (; done < n_reps && st == RG_OK; done++) {
        rg_progress_draw(p, "measuring", (double)done / (double)n_reps);
        st = once(j, s, j->n_gen, &reps[done], err);
        rg_profile_counters_turn(&ctr);
    }
    rg_progress_clear(p);
    rg_profile_counters_stop(&ctr, e);
    /* the report so far */
    if (st == RG_OK || (st == RG_E_INTERRUPTED && reps[0].log[RG_PREFILL].n_steps > 0)) {
        const rg_status built = build_report(out, j, e, s, &so, &ctr, reps, done, err);
        if (built != RG_OK) st = built;
    }
out:
    for (int64_t i = 0; reps && i < n_reps; i++)
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) rg_log_close(&reps[i].log[ph]);
    free(reps);
    rg_session_close(s);
    rg_engine_close(e); /* closes the threads' event sets through the probe, so before the counters */
    rg_profile_counters_close(&ctr);
    return st;
}

/* The document, printed, judged and drawn. */
static rg_status show(const rg_report *const *r, int n, int format, const rg_cli *cli, rg_err *err)
{
    rg_reports s = {0};
    rg_doc d;
    rg_status st = rg_report_doc(&d, r, n, err);
    if (st == RG_OK) st = rg_reports_add(&s, &d, "this report", err);
    if (st == RG_OK)
        st = format == 2  ? rg_doc_json(stdout, s.doc, err)
            : format == 1 ? rg_profile_csv(stdout, &s, err)
                          : rg_profile_md(stdout, &s, err);
    rg_status judged = st == RG_OK ? rg_judge(cli, s.doc->json, err) : st;
    rg_err *why = judged == RG_OK ? err : NULL;
    if (st == RG_OK && cli->svg) st = rg_pictures_write(&s, cli->svg, NULL, why);
    if (st == RG_OK && cli->html) st = rg_page_save(&s, cli->html, why);
    rg_reports_close(&s);
    return judged != RG_OK ? judged : st;
}

static rg_status end_trace(job *j, rg_err *err)
{
    rg_status st = rg_trace_end(&j->trace, err);
    if (st == RG_OK) st = rg_outfile_commit(&j->trace_file, err);
    if (st == RG_OK && j->trace.dropped_calls > 0)
        fprintf(stderr,
            "ridge profile: the trace is full after %lld events: %lld forward calls are not in it "
            "(--trace-events)\n",
            (long long)j->trace.events, (long long)j->trace.dropped_calls);
    return st;
}

rg_status rg_cmd_PROFILE(const rg_cli *cli, rg_err *err)
{
    if (rg_judge_wants_help(cli)) return rg_judge_help();
    static const char *const formats[] = {"md", "csv", "json", NULL};
    job j = {.tokenize_ns = NAN,
        .cli = cli,
        .n_gen = RG_GIVEN(cli, n_predict) ? cli->n_predict : 64,
        .started = time(NULL)};
    rg_report *report[MAX_RUNS] = {0};
    rg_progress p = {0};
    int n = 0;
    rg_words types = {0};
    const int format = rg_cli_choice("-o", cli->output, formats, err);
    rg_status st = rg_cli_no_args(cli, err);
    if (st == RG_OK) st = rg_judge_check(cli, err);
    if (format < 0) st = RG_E_USAGE;
    if (st == RG_OK) st = rg_list_split(&types, "--dtype", cli->dtype, err);
    if (st == RG_OK && types.n > MAX_RUNS)
        st =
            rg_fail(err, RG_E_USAGE, "--dtype: %d types in the list, expected at most %d", types.n, MAX_RUNS);
    const char *dtype[MAX_RUNS] = {NULL}; /* NULL: as in the file */
    const int n_types = types.n ? types.n : 1;
    for (int i = 0; i < types.n && st == RG_OK; i++) dtype[i] = types.w[i];
    if (st == RG_OK && rg_cli_choice("--counters", cli->counters, rg_counters_modes, err) < 0)
        st = RG_E_USAGE;
    /* a wrong word at the end of the list must not cost the runs before it */
    for (int i = 0; i < n_types && st == RG_OK; i++) {
        rg_engine_opts eo;
        st = rg_engine_args(&eo, cli, dtype[i], &p, err);
    }
    if (st != RG_OK || (st = rg_open_model(&j.ckpt, cli, err)) != RG_OK ||
        (st = get_prompt(&j, err)) != RG_OK)
        goto out;
    if (cli->trace) {
        if ((st = rg_outfile_open(&j.trace_file, cli->trace, err)) != RG_OK) goto out;
        rg_trace_begin(
            &j.trace, j.trace_file.f, RG_GIVEN(cli, trace_events) ? cli->trace_events : TRACE_EVENTS);
    }
    const rg_config *c = rg_ckpt_config(j.ckpt);
    if (!RG_GIVEN(cli, n_predict)) j.n_gen = rg_max(1, rg_min(j.n_gen, c->ctx_train - j.prompt.n));
    for (int i = 0; i < n_types && st == RG_OK; i++) {
        rg_engine_opts eo;
        rg_session_opts so;
        st = plan_run(&eo, &so, &j, dtype[i], &p, err);
    }
    for (int i = 0; i < n_types && st == RG_OK; i++) {
        if ((st = get_roofs(&j, dtype[i], &p, err)) != RG_OK) break;
        st = profile_one(&report[n], &j, dtype[i], &p, err);
        if (report[n]) n++;
    }
    if (n > 0) {
        const rg_status shown = show((const rg_report *const *)report, n, format, cli, err);
        if (shown != RG_OK) st = shown;
    }
    if (cli->trace && n > 0) {
        const rg_status traced = end_trace(&j, st == RG_OK ? err : NULL);
        if (traced != RG_OK && st == RG_OK) st = traced;
    }
out:
    rg_outfile_abort(&j.trace_file);
    for (int i = 0; i < n; i++) rg_report_close(report[i]);
    rg_progress_clear(&p);
    rg_words_free(&types);
    free(j.prompt.id);
    rg_ckpt_close(j.ckpt);
    return st;
}
