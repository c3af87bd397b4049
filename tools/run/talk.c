/* Tokens through a session, into text and into session files. */
#include "tools/run/talk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "report/screen.h"

static rg_status open_sampler(rg_talk *t, rg_err *err)
{
    const rg_cli *c = t->cli;
    const rg_sampler_opts o = {.temp = (float)RG_OR(c, temp, 0.8),
        .top_k = (int32_t)RG_OR(c, top_k, 40),
        .top_p = (float)RG_OR(c, top_p, 0.95),
        .min_p = (float)RG_OR(c, min_p, 0.05),
        .repeat_penalty = (float)RG_OR(c, repeat_penalty, 1.0),
        .repeat_last = (int32_t)RG_OR(c, repeat_last, 64),
        .seed = (uint64_t)RG_OR(c, seed, 42)};
    return rg_sampler_open(&t->sampler, &o, t->vocab, err);
}

rg_status rg_talk_open(
    rg_talk *t, const rg_cli *cli, rg_session_opts *so, rg_engine_opts *eo, rg_progress *p, rg_err *err)
{
    t->cli = cli;
    rg_status st = rg_open_model(&t->ckpt, cli, err);
    if (st) return st;
    t->vocab = rg_ckpt_config(t->ckpt)->vocab;
    t->colour = (!cli->color || strcmp(cli->color, "auto") == 0) ? rg_screen_of(stdout, false).colour
                                                                 : strcmp(cli->color, "on") == 0;
    if ((st = rg_engine_args(eo, cli, cli->dtype, p, err)) ||
        (st = rg_session_args(so, cli, rg_default_kv(t->ckpt, eo), err)))
        return st;
    so->check_nan = cli->check_nan;
    if (cli->check_nan && cli->fuse && so->fuse)
        return rg_fail(err, RG_E_USAGE,
            "--fuse %s: --check-nan looks behind every operator, so none may be fused: leave one of them out",
            cli->fuse);
    so->lock = cli->mlock;
    if (cli->context_shift && so->kv_k == RG_KV_Q8_0)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "--context-shift: keys of type q8_0 would lose precision with every shift; use -ctk f16 or f32");
    if ((st = open_sampler(t, err))) return st;
    st = rg_tokenizer_open_for(&t->tok, t->ckpt, cli->tokenizer, err);
    /* raw ids work without a tokenizer: ids come out */
    return st && cli->token_ids && !cli->tokenizer ? RG_OK : st;
}

rg_status rg_talk_start(
    rg_talk *t, rg_session_opts *so, const rg_engine_opts *eo, int64_t touched, rg_err *err)
{
    rg_status st = rg_open_engine(&t->engine, t->ckpt, eo, so, err);
    if (st || (st = rg_session_open(&t->session, t->engine, so, err))) return st;
    rg_session_touch(t->session, touched);
    t->ctx = so->ctx;
    t->chunk = t->cli->dump_logits ? so->max_logits : RG_OR(t->cli, batch, 2048);
    t->want = malloc(t->chunk);
    if (!t->want) return rg_fail(err, RG_E_NOMEM, "out of memory");
    if (t->cli->dump_logits && (st = rg_outfile_open(&t->dump, t->cli->dump_logits, err))) return st;
    if (!t->cli->quiet && !t->cli->no_status) {
        rg_engine_info i;
        rg_engine_get_info(t->engine, &i);
        rg_live_open(&t->live, t->engine, rg_live_roof(i.threads, i.stream_bytes));
    }
    if (t->live.on && rg_log_open(&t->log, 1, rg_session_ops_per_step(t->session)) != 0)
        return rg_fail(err, RG_E_NOMEM, "out of memory");
    return RG_OK;
}

void rg_talk_close(rg_talk *t)
{
    rg_live_close(&t->live);
    rg_outfile_abort(&t->dump);
    rg_log_close(&t->log);
    free(t->want);
    free(t->all);
    free(t->saved_logits);
    rg_sampler_close(t->sampler);
    rg_session_close(t->session);
    rg_engine_close(t->engine);
    rg_tokenizer_close(t->tok);
    rg_ckpt_close(t->ckpt);
}

rg_status rg_talk_append(rg_talk *t, const int32_t *ids, int64_t n, rg_err *err)
{
    if (t->n_all + n > t->cap_all) {
        const int64_t cap = (t->n_all + n) * 3 / 2 + 256;
        int32_t *p = realloc(t->all, cap * sizeof *p);
        if (!p) return rg_fail(err, RG_E_NOMEM, "out of memory");
        t->all = p;
        t->cap_all = cap;
    }
    memcpy(t->all + t->n_all, ids, n * sizeof *ids);
    t->n_all += n;
    for (int64_t i = 0; i < n; i++) rg_sampler_accept(t->sampler, ids[i]);
    if (n > 0) t->logits = NULL;
    return RG_OK;
}

/* Forgets what is in the cache from position n on; what goes with it is to be evaluated again. */
static void go_back(rg_talk *t, int64_t n)
{
    n = rg_min(n, rg_max(t->again, rg_session_length(t->session, 0)));
    t->again = rg_session_truncate(t->session, 0, n) < n ? n : 0;
}

void rg_talk_truncate(rg_talk *t, int64_t n)
{
    if (n < t->n_all) t->logits = NULL;
    t->n_all = rg_min(t->n_all, n);
    if (t->session) go_back(t, t->n_all);
}

/* Makes room for what is not evaluated yet, or says with numbers that there is none. */
static rg_status make_room(rg_talk *t, rg_err *err)
{
    const int64_t held = rg_session_length(t->session, 0), keep = rg_min(t->keep, held),
                  over = t->n_all - t->ctx;
    if (over <= 0) return RG_OK;
    const int64_t discard =
        rg_min(rg_max(over, (held - keep) / 2), rg_session_shift_most(t->session, 0, keep));
    if (!t->cli->context_shift || discard < over)
        return rg_fail(err, RG_E_USAGE,
            "context full: %" PRId64 " tokens are held and %" PRId64
            " more wanted, the context holds %" PRId64 " (-c; the model was made for %" PRId64 ")%s",
            held, t->n_all - held, t->ctx, rg_ckpt_config(t->ckpt)->ctx_train,
            t->cli->context_shift ? ": even a shift makes too little room"
                                  : ": use a larger -c, a smaller -n, or --context-shift");
    const rg_status st = rg_session_shift(t->session, 0, keep, discard, err);
    if (st) return st;
    memmove(t->all + keep, t->all + keep + discard, (t->n_all - keep - discard) * sizeof *t->all);
    t->n_all -= discard;
    t->shifts++;
    return RG_OK;
}

/* Rows of logits of the last evaluation into the dump. */
static rg_status dump(rg_talk *t, int64_t rows, rg_err *err)
{
    for (int64_t i = 0; t->dump.f && i < rows; i++)
        if (fwrite(rg_session_logits(t->session, i), sizeof(float), t->vocab, t->dump.f) != (size_t)t->vocab)
            return rg_fail(err, RG_E_FILE, "%s: cannot write", t->cli->dump_logits);
    return RG_OK;
}

/* What the cache lost by going back, but for the last token, whose logits are wanted: layers with a window do
 * not keep all that was before. */
static rg_status evaluate_again(rg_talk *t, rg_err *err)
{
    const int64_t from = rg_session_length(t->session, 0), to = rg_min(t->again, t->n_all - 1);
    rg_status st = RG_OK;
    if (from >= to) return RG_OK;
    const uint64_t start = rg_now_ns();
    memset(t->want, 0, t->chunk);
    for (int64_t at = from, n; at < to && !st; at += n) {
        n = rg_min(t->chunk, to - at);
        st = rg_session_eval(
            t->session, &(rg_batch){.n = n, .token = t->all + at, .want = t->want}, RG_PREFILL, NULL, err);
    }
    t->prefill_ns += rg_now_ns() - start;
    t->n_prefill += rg_session_length(t->session, 0) - from;
    if (!st) t->again = 0;
    return st;
}

rg_status rg_talk_evaluate(rg_talk *t, rg_phase phase, rg_err *err)
{
    rg_progress p = {0};
    rg_status st;
    if (t->logits) return RG_OK;
    /* its logits are wanted again */
    if (rg_session_length(t->session, 0) == t->n_all && t->n_all > 0) go_back(t, t->n_all - 1);
    if ((st = evaluate_again(t, err)) || (st = make_room(t, err))) return st;
    const uint64_t start = rg_now_ns();
    const int64_t from = rg_session_length(t->session, 0);
    for (int64_t at = from; at < t->n_all;) {
        const int64_t n = rg_min(t->chunk, t->n_all - at);
        const bool last = at + n == t->n_all;
        memset(t->want, t->dump.f != NULL, n);
        if (last) t->want[n - 1] = 1;
        const uint64_t t0 = rg_now_ns();
        if (t->live.on) rg_log_clear(&t->log);
        st = rg_session_eval(t->session, &(rg_batch){.n = n, .token = t->all + at, .want = t->want}, phase,
            t->live.on && n == 1 ? &t->log : NULL, err);
        if (!st) st = dump(t, n, err);
        if (st) break;
        if (phase == RG_DECODE) rg_live_step(&t->live, &t->log, rg_now_ns() - t0, at + n, t->ctx);
        if (last) t->logits = rg_session_logits(t->session, t->dump.f ? n - 1 : 0);
        at += n;
        if (phase == RG_PREFILL && !t->live.on)
            rg_progress_draw(&p, "reading the prompt", (double)(at - from) / (double)(t->n_all - from));
    }
    rg_progress_clear(&p);
    if (phase == RG_PREFILL) {
        t->prefill_ns += rg_now_ns() - start;
        t->n_prefill += rg_session_length(t->session, 0) - from;
    } else {
        t->decode_ns += rg_now_ns() - start;
        t->n_decode += rg_session_length(t->session, 0) - from;
    }
    return st;
}

static void print_text(const char *text, size_t n)
{
    fwrite(text, 1, n, stdout);
    fflush(stdout);
}

void rg_talk_echo(const rg_talk *t, bool control)
{
    char text[1024];
    rg_detok d;
    if (!t->tok) return;
    rg_detok_init(&d, t->tok, control);
    if (t->colour) fputs("\033[33m", stdout);
    for (int64_t i = 0; i < t->n_all; i++) print_text(text, rg_detok_put(&d, t->all[i], text, sizeof text));
    print_text(text, rg_detok_end(&d, text, sizeof text));
    if (t->colour) fputs("\033[0m", stdout);
}

rg_status rg_talk_answer(rg_talk *t, int64_t n, bool keep_end, rg_stop_reason *why, rg_err *err)
{
    char text[1024];
    rg_detok d;
    rg_status st = RG_OK;
    if (t->tok) {
        rg_detok_init(&d, t->tok, t->cli->special);
        d.at_start = t->n_all == 0 || (t->n_all == 1 && rg_tokenizer_is_control(t->tok, t->all[0]));
    }
    *why = RG_STOP_LENGTH;
    for (int64_t i = 0; n < 0 || i < n; i++) {
        if ((st = rg_talk_evaluate(t, i == 0 ? RG_PREFILL : RG_DECODE, err))) break;
        const uint64_t t0 = rg_now_ns();
        const int32_t id = rg_sampler_next(t->sampler, t->logits);
        t->sample_ns += rg_now_ns() - t0;
        t->n_sampled++;
        const bool end = t->tok && rg_tokenizer_is_end(t->tok, id) && !t->cli->ignore_eos;
        if (end) *why = RG_STOP_END;
        if (end && !keep_end) break;
        if ((st = rg_talk_append(t, &id, 1, err))) break;
        if (!end || t->cli->special) {
            if (t->tok)
                print_text(text, rg_detok_put(&d, id, text, sizeof text));
            else
                printf("%d\n", id);
        }
        if (end) break;
    }
    if (t->tok) print_text(text, rg_detok_end(&d, text, sizeof text));
    rg_live_rest(&t->live, t->n_all, t->ctx);
    if (st == RG_E_INTERRUPTED) *why = RG_STOP_INTERRUPTED;
    if (st == RG_E_USAGE) *why = RG_STOP_CONTEXT;
    return st;
}

/* ---- session files ---- */

static rg_status read_file(rg_talk *t, const char *path, rg_saved *s, rg_err *err)
{
    const rg_status st = rg_session_load(t->session, 0, path, s, err);
    if (st) return st;
    free(t->saved_logits);
    t->saved_logits = s->logits;
    t->logits = NULL;
    t->again = 0;
    return RG_OK;
}

rg_status rg_talk_load(rg_talk *t, const char *path, const int32_t *prompt, int64_t n, rg_err *err)
{
    rg_saved s;
    if (access(path, F_OK) != 0) return rg_talk_append(t, prompt, n, err);
    const rg_status st = read_file(t, path, &s, err);
    if (st) return st;
    int64_t same = 0;
    while (same < n && same < s.n && prompt[same] == s.token[same]) same++;
    t->n_reused = rg_session_truncate(t->session, 0, same);
    t->n_all = 0;
    const rg_status sa = rg_talk_append(t, prompt, n, err);
    /* the very same prompt: nothing is to be computed */
    if (sa == RG_OK && same == n && same == s.n) t->logits = t->saved_logits;
    free(s.token);
    return sa;
}

rg_status rg_talk_resume(rg_talk *t, const char *path, rg_err *err)
{
    rg_saved s;
    rg_status st = read_file(t, path, &s, err);
    if (st) return st;
    t->n_all = 0;
    st = rg_talk_append(t, s.token, s.n, err);
    t->logits = t->saved_logits;
    free(s.token);
    return st;
}

rg_status rg_talk_save(const rg_talk *t, const char *path, rg_err *err)
{
    const int64_t n = rg_session_length(t->session, 0);
    return rg_session_save(t->session, 0, t->all, n, n == t->n_all ? t->logits : NULL, path, err);
}

/* ---- what it took ---- */

static void timing(const char *what, uint64_t ns, int64_t n, const char *unit)
{
    const double ms = (double)ns * 1e-6;
    fprintf(stderr, "%s = %10.2f ms / %5" PRId64 " %s ", what, ms, n, unit);
    if (n > 0 && ns > 0)
        fprintf(
            stderr, "(%8.2f ms per token, %8.2f tokens per second)\n", ms / (double)n, (double)n / ms * 1e3);
    else
        fprintf(stderr, "(n/a: nothing to divide)\n");
}

void rg_talk_timings(const rg_talk *t)
{
    rg_engine_info i;
    rg_engine_get_info(t->engine, &i);
    fprintf(stderr, "\n        load time = %10.2f ms\n", (double)i.load_ns * 1e-6);
    timing("    sampling time", t->sample_ns, t->n_sampled, "runs  ");
    timing(" prompt eval time", t->prefill_ns, t->n_prefill, "tokens");
    timing("        eval time", t->decode_ns, t->n_decode, "runs  ");
    fprintf(stderr, "       total time = %10.2f ms / %5" PRId64 " tokens\n",
        (double)(t->sample_ns + t->prefill_ns + t->decode_ns) * 1e-6, t->n_all);
    fprintf(stderr, "          weights = %s, %s kernels, %d threads\n", rg_wtypes[i.dtype].name,
        rg_isa_names[i.isa], i.threads);
    if (t->n_reused > 0)
        fprintf(stderr, "    session file  = %" PRId64 " tokens of the prompt were not evaluated again\n",
            t->n_reused);
    if (t->shifts > 0) fprintf(stderr, "   context shifts = %" PRId64 "\n", t->shifts);
}
