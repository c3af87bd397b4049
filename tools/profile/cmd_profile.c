/* ridge profile: prefill and decode with every operator recorded, joined with the roofline. */
#include <ctype.h>
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
#include "ridge/latency.h"
#include "tools/assert/judge.h"
#include "tools/measure/measure.h"
#include "tools/profile/profile_counters.h"

enum { TRACE_EVENTS = 300000, MOST_TOKENS = 1 << 24 };
/* Short runs are repeated until they fill a second, for a median that means something. */
enum { MIN_REPS = 3, MOST_REPS = 25, MEASURE_NS = 1000000000, WARM_UP_NS = 300000000 };

typedef struct job {
    rg_cli cli;       /* with one weight type at a time */
    rg_unit unit;     /* owns its checkpoint */
    rg_tokens prompt; /* the longest; a run takes its first tokens */
    int64_t n_prompt, n_gen, seqs;
    time_t started;
    rg_profile_counters ctr;
    rg_progress progress;
    rg_speeds speeds;
    double tokenize_ns; /* of a prompt given as text; NAN otherwise */
    rg_outfile trace_file;
    rg_trace trace; /* f NULL: none */
} job;

/* A count, or a list of them. */
static bool is_count(const char *s)
{
    return isdigit((unsigned char)*s) && s[strspn(s, "0123456789,-+*")] == 0;
}

/* Ids without a text: tokens cost the same, and a fixed sequence makes runs repeatable. */
static rg_status made_up_prompt(
    rg_tokens *t, int64_t n, int64_t vocab, int32_t bos, uint64_t seed, rg_err *err)
{
    t->n = n;
    t->id = malloc(rg_max(1, n) * sizeof *t->id);
    if (!t->id) return rg_no_memory(err, "prompt");
    uint64_t x = seed * 2 + 1;
    for (int64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        t->id[i] = (int32_t)((x >> 33) % (uint64_t)vocab);
    }
    if (bos >= 0 && bos < vocab) t->id[0] = bos;
    return RG_OK;
}

/* lengths: those that -p lists; none for a text. */
static rg_status get_prompt(job *j, rg_counts *lengths, rg_err *err)
{
    const rg_cli *cli = &j->cli;
    const rg_config *c = rg_ckpt_config(j->unit.ckpt);
    if (cli->file || cli->token_ids || (cli->prompt && !is_count(cli->prompt))) {
        rg_tokenizer *tok = NULL;
        rg_status st =
            cli->token_ids ? RG_OK : rg_tokenizer_open_for(&tok, j->unit.ckpt, cli->tokenizer, err);
        const uint64_t start = rg_now_ns();
        if (!st) st = rg_prompt_tokens(&j->prompt, cli, tok, c->vocab, err);
        if (tok) j->tokenize_ns = (double)(rg_now_ns() - start);
        rg_tokenizer_close(tok);
        return st;
    }
    char usual[32];
    snprintf(usual, sizeof usual, "%lld", (long long)rg_min(128, c->ctx_train / 2));
    const rg_cli_LIST list = {{cli->prompt ? cli->prompt : usual}, 1};
    rg_status st = rg_list_counts(lengths, "-p", &list, 1, MOST_TOKENS, err);
    int64_t most = 0;
    for (int i = 0; i < lengths->n; i++) most = rg_max(most, lengths->v[i]);
    return st ? st : made_up_prompt(&j->prompt, most, c->vocab, c->bos, (uint64_t)RG_OR(cli, seed, 42), err);
}

static void between(void *user, int i, int n)
{
    job *j = user;
    if (i) rg_profile_counters_turn(&j->ctr);
    rg_progress_draw(&j->progress, "measuring", (double)i / (double)n);
}

static void mark(void *user, int phase)
{
    job *j = user;
    if (phase < 0)
        rg_profile_counters_mark(&j->ctr);
    else
        rg_profile_counters_phase(&j->ctr, phase);
}

static rg_status build_report(
    rg_report **out, job *j, const rg_session_opts *so, rg_takes *takes, const rg_pace *pace, rg_err *err)
{
    rg_log log = {0};
    rg_run_info run = {.started = j->started,
        .prompt_tokens = j->n_prompt,
        .gen_tokens = j->n_gen,
        .decode_start = j->n_prompt,
        .interrupted = rg_stop != 0,
        .tokenize_ns = j->tokenize_ns,
        .per_layer = j->cli.per_layer,
        .speeds = &j->speeds};
    rg_latency cost = {0}; /* unknown without a team of threads */
    if (!rg_latency_measure(&cost, j->unit.info.threads, j->unit.info.cpus, NULL))
        run.record_ns = cost.record_ns;
    rg_profile_counters_describe(&j->ctr, &run);
    memcpy(run.first_ns, pace->first_ns, sizeof run.first_ns);
    memcpy(run.first_load, pace->first_load, sizeof run.first_load);
    rg_status st = rg_takes_join(&log, &run, takes, false, err);
    rg_unit_found(&j->unit, takes);
    if (!st) st = rg_unit_report(out, &j->unit, so, run, &log, err);
    if (!st && j->unit.watch && rg_report_beats_peak(*out)) { /* its roof was measured too low */
        st = rg_machine_measure_peaks(&j->unit.machine, j->unit.info.cpus, &rg_stop, err);
        if (!st) rg_unit_keep_roofs(&j->unit);
        rg_report *again = NULL;
        if (!st) st = rg_unit_report(&again, &j->unit, so, run, &log, err);
        if (again) {
            rg_report_close(*out);
            *out = again;
        }
    }
    if (!st && j->trace.f) {
        char name[256];
        snprintf(name, sizeof name, "%.128s, %s weights", j->unit.model.config.name, j->unit.model.dtype);
        rg_trace_run(&j->trace, &log, name);
    }
    rg_log_close(&log);
    return st;
}

/* The options of the run with its weights; refuses what cannot be, before anything is measured. */
static rg_status plan_run(rg_engine_opts *eo, rg_session_opts *so, job *j, rg_err *err)
{
    const rg_ckpt *c = j->unit.ckpt;
    const int64_t need = j->n_prompt + j->n_gen;
    rg_status st = rg_engine_args(eo, &j->cli, j->cli.dtype, &j->progress, err);
    if (!st) st = rg_session_args(so, &j->cli, rg_default_kv(c, eo), err);
    if (st) return st;
    if (!so->ctx) so->ctx = need;
    so->past_training = true;
    rg_note_context(rg_ckpt_config(c), so->ctx);
    so->n_seq = j->seqs;
    if (so->ctx < need)
        return rg_fail(err, RG_E_USAGE,
            "context: %lld prompt and %lld generated tokens do not fit into -c %lld", (long long)j->n_prompt,
            (long long)j->n_gen, (long long)so->ctx);
    st = rg_check_engine(c, eo, so, err);
    return st ? st : rg_plan_weights(c, eo, &j->unit.weights, err);
}

static rg_status profile_one(rg_report **out, job *j, rg_err *err)
{
    rg_engine_opts eo;
    rg_session_opts so;
    rg_pace pace;
    rg_takes takes = {0};
    const rg_watch watch = {.user = j, .between = between, .mark = mark};
    rg_work w = {.vocab = rg_ckpt_config(j->unit.ckpt)->vocab,
        .prompt = j->n_prompt,
        .gen = j->n_gen,
        .seqs = j->seqs,
        .id = j->prompt.id,
        .batch = j->n_prompt,
        .watch = &watch};
    rg_unit *u = &j->unit;
    rg_status st = plan_run(&eo, &so, j, err);
    u->watched = true;
    if (!st) st = rg_unit_roofs(u, u, 1, &j->progress, err);
    w.roofs = u->watch;
    if (!st) st = rg_unit_learn(&j->speeds, u, &eo, &so, w.prompt, w.seqs, err);
    if (!st) st = rg_unit_load(u, &eo, &so, err);
    if (!st) st = rg_session_open(&w.s, u->e, &so, err);
    if (!st) st = rg_work_open(&w, err);
    if (!st) st = rg_profile_counters_open(&j->ctr, &j->cli, u->info.threads, err);
    if (!st) st = rg_work_warm_up(&w, rg_min(2, w.gen), WARM_UP_NS, &pace, err);
    if (st) goto out;
    rg_profile_counters_start(&j->ctr, u->e, w.s, pace.step_ns);
    const int64_t least = rg_max(MIN_REPS, rg_profile_counters_turns(&j->ctr)),
                  usual = rg_max(least, rg_min(MOST_REPS, MEASURE_NS / (int64_t)pace.rep_ns)),
                  n = RG_OR(&j->cli, reps, usual);
    if ((st = rg_takes_open(&takes, &w, (int)(n + n / 2 + 2), j->trace.f ? u->info.threads : 0, err)))
        goto out;
    st = rg_takes_record(&takes, &w, (int)n, 0.0, err);
    rg_progress_clear(&j->progress);
    rg_profile_counters_stop(&j->ctr, u->e);
    /* the report so far */
    if (!st || (st == RG_E_INTERRUPTED && takes.take[0].log[RG_PREFILL].n_steps > 0)) {
        const rg_status built = build_report(out, j, &so, &takes, &pace, err);
        if (built != RG_OK) st = built;
    }
out:
    rg_takes_close(&takes);
    rg_session_close(w.s);
    rg_work_close(&w);
    rg_unit_unwatch(u);
    rg_unit_unload(u); /* closes the threads' event sets through the probe, so before the counters */
    rg_profile_counters_close(&j->ctr);
    return st;
}

/* The document, printed, judged and drawn. */
static rg_status show(const rg_report *const *r, int n, int format, const rg_cli *cli, rg_err *err)
{
    rg_reports s = {0};
    rg_doc d;
    rg_status st = rg_report_doc(&d, r, n, err);
    if (!st) st = rg_reports_add(&s, &d, "this report", err);
    const rg_screen screen = rg_screen_of(stdout, cli->wide);
    if (!st)
        st = format == 3  ? rg_doc_json(stdout, s.doc, err)
            : format == 2 ? rg_profile_csv(stdout, &s, err)
            : format == 1 ? rg_profile_md(stdout, &s, err)
                          : rg_profile_text(&screen, &s, err);
    rg_status judged = !st ? rg_judge(cli, s.doc->json, err) : st;
    rg_err *why = judged == RG_OK ? err : NULL;
    if (!st && cli->svg) st = rg_pictures_write(&s, cli->svg, NULL, why);
    if (!st && cli->html) st = rg_page_save(&s, cli->html, why);
    rg_reports_close(&s);
    return judged != RG_OK ? judged : st;
}

static rg_status end_trace(job *j, rg_err *err)
{
    rg_status st = rg_trace_end(&j->trace, err);
    if (!st) st = rg_outfile_commit(&j->trace_file, err);
    if (!st && j->trace.dropped_calls > 0)
        fprintf(stderr,
            "ridge profile: the trace is full after %lld events: %lld forward calls are not in it "
            "(--trace-events)\n",
            (long long)j->trace.events, (long long)j->trace.dropped_calls);
    return st;
}

/* What runs: every type with every number of sequences and every length. */
typedef struct grid {
    rg_words types; /* none: as in the file */
    rg_counts seqs, lengths;
    int n;
} grid;

static rg_status grid_open(grid *g, job *j, rg_err *err)
{
    static const rg_cli_LIST one = {{"1"}, 1};
    const rg_cli *cli = &j->cli;
    rg_engine_opts eo;
    rg_status st = rg_list_split(&g->types, "--dtype", cli->dtype, err);
    if (!st) st = rg_list_counts(&g->seqs, "-B", cli->n_seqs.n ? &cli->n_seqs : &one, 1, 4096, err);
    /* a wrong word at the end of the list must not cost the runs before it */
    for (int i = 0; i < rg_max(1, g->types.n) && !st; i++)
        st = rg_engine_args(&eo, cli, g->types.n ? g->types.w[i] : NULL, &j->progress, err);
    if (!st) st = rg_open_model(&j->unit.ckpt, cli, err);
    if (!st) st = get_prompt(j, &g->lengths, err);
    if (st) return st;
    const int64_t n = rg_max(1, g->types.n) * g->seqs.n * rg_max(1, g->lengths.n);
    if (n > RG_MOST_RUNS)
        return rg_fail(err, RG_E_USAGE, "%lld runs of --dtype, -B and -p together, expected at most %d",
            (long long)n, RG_MOST_RUNS);
    g->n = (int)n;
    return RG_OK;
}

/* The i-th run: types change last. */
static void choose(job *j, const grid *g, int i)
{
    const int lengths = (int)rg_max(1, g->lengths.n);
    const int64_t room = rg_ckpt_config(j->unit.ckpt)->ctx_train;
    j->n_prompt = g->lengths.n ? g->lengths.v[i % lengths] : j->prompt.n;
    j->seqs = g->seqs.v[i / lengths % g->seqs.n];
    j->cli.dtype = g->types.n ? g->types.w[i / lengths / g->seqs.n] : NULL;
    j->n_gen = RG_GIVEN(&j->cli, n_predict) ? j->cli.n_predict : rg_max(1, rg_min(64, room - j->n_prompt));
}

rg_status rg_cmd_PROFILE(const rg_cli *cli, rg_err *err)
{
    if (rg_judge_help(cli)) return RG_OK;
    job j = {.tokenize_ns = NAN, .cli = *cli, .started = time(NULL)};
    rg_report *report[RG_MOST_RUNS + 1] = {0};
    int n = 0;
    grid g = {.n = 0};
    rg_engine_opts eo;
    rg_session_opts so;
    const int format = rg_cli_choice("-o", cli->output, RG_WORDS("text", "md", "csv", "json"), err);
    rg_status st = rg_cli_no_args(cli, err);
    if (!st) st = rg_judge_check(cli, err);
    if (format < 0) st = RG_E_USAGE;
    if (!st && rg_cli_choice("--counters", cli->counters, rg_counters_modes, err) < 0) st = RG_E_USAGE;
    j.unit.cli = &j.cli;
    if (st || (st = grid_open(&g, &j, err))) goto out;
    if (cli->trace) {
        if ((st = rg_outfile_open(&j.trace_file, cli->trace, err))) goto out;
        rg_trace_begin(&j.trace, j.trace_file.f, RG_OR(cli, trace_events, TRACE_EVENTS));
    }
    for (int i = 0; i < 2 * g.n && !st; i++) { /* all are planned before the first is measured */
        choose(&j, &g, i % g.n);
        st = i < g.n ? plan_run(&eo, &so, &j, err) : profile_one(&report[n], &j, err);
        if (report[n]) n++;
    }
    if (n > 0) {
        const rg_status shown = show((const rg_report *const *)report, n, format, cli, err);
        if (shown != RG_OK) st = shown;
    }
    if (cli->trace && n > 0) {
        const rg_status traced = end_trace(&j, !st ? err : NULL);
        if (traced != RG_OK && !st) st = traced;
    }
out:
    rg_outfile_abort(&j.trace_file);
    for (int i = 0; i < n; i++) rg_report_close(report[i]);
    rg_progress_clear(&j.progress);
    rg_words_free(&g.types);
    rg_counts_free(&g.seqs);
    rg_counts_free(&g.lengths);
    free(j.prompt.id);
    rg_ckpt_close(j.unit.ckpt);
    return st;
}
