/* ridge run: a prompt in, text out; or a conversation. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "tools/run/talk.h"

/* Positions of the cache to touch for a text of a length that nobody knows. */
enum { UNKNOWN = 1024 };

static rg_status write_tokens(const rg_talk *t, rg_err *err)
{
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, t->cli->dump_tokens, err);
    if (st) return st;
    fwrite(t->all, sizeof *t->all, t->n_all, o.f);
    return rg_outfile_commit(&o, err);
}

/* The default context of a text whose length nobody knows is the model's own (to 4096), and `need` if that
 * is more. Where `need` is all, the cache of the rest would only cost memory: the positions of a head lie
 * together, and the first token touches every large page. */
static int64_t default_ctx(const rg_config *c, int64_t need, bool all)
{
    return rg_min(c->ctx_train, rg_max(need, all ? rg_round_up(need, 256) : 4096));
}

/* Options that exclude each other, or need one that is not given. */
static rg_status check_options(const rg_cli *c, rg_err *err)
{
    const bool chat = c->chat || c->single_turn;
    const struct {
        bool wrong;
        const char *what;
    } rules[] = {{c->system && !chat, "-sys: only in a chat; add -cnv (talk) or -st (one turn)"},
        {c->chat_template && !chat, "--chat-template: only in a chat; add -cnv (talk) or -st (one turn)"},
        {c->chat_date && !chat, "--chat-date: only in a chat; add -cnv (talk) or -st (one turn)"},
        {chat && c->token_ids, "--token-ids: not in a chat, which is text"},
        {chat && c->no_bos, "--no-bos: not in a chat: the template says how it begins"},
        {chat && c->dump_logits, "--dump-logits: not in a chat"},
        {c->single_turn && !c->prompt && !c->file, "-st: give the message with -p, -f or on standard input"},
        {c->chat && c->no_chat, "-cnv and -no-cnv exclude each other"},
        {c->single_turn && c->no_chat, "-st and -no-cnv exclude each other: -st is one turn of a chat"},
        {(c->prompt_cache_ro || c->prompt_cache_all) && !c->prompt_cache,
            "--prompt-cache-ro, --prompt-cache-all: name the file with --prompt-cache"},
        {c->prompt_cache_ro && c->prompt_cache_all,
            "--prompt-cache-ro and --prompt-cache-all exclude each other: one keeps the file, the other "
            "writes it"},
        {c->prompt_cache && c->dump_logits,
            "--prompt-cache and --dump-logits: the rows of the part that is not evaluated again would be "
            "missing"},
        {RG_GIVEN(c, keep) && !c->context_shift, "--keep: only with --context-shift"},
        {c->context_shift && c->dump_logits,
            "--context-shift and --dump-logits exclude each other: shifted tokens have no logits of their "
            "own"},
        {c->dump_prompt && c->chat && !c->prompt && !c->file,
            "--dump-prompt: give the message with -p or -f"}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].wrong) return rg_fail(err, RG_E_USAGE, "%s", rules[i].what);
    return RG_OK;
}

/* Text piped in is the prompt where none is given. Devices are not read (/dev/null is no prompt), nor is what
 * nobody asked for: a chat reads its messages itself. */
static rg_status prompt_of_stdin(rg_cli *c, char **owned, rg_err *err)
{
    struct stat s;
    struct pollfd f = {.fd = STDIN_FILENO, .events = POLLIN};
    size_t n = 0;
    if (c->prompt || c->file || c->token_ids || c->chat || fstat(STDIN_FILENO, &s) != 0 ||
        !(S_ISFIFO(s.st_mode) || S_ISREG(s.st_mode) || S_ISSOCK(s.st_mode)))
        return RG_OK;
    if (!c->quiet && poll(&f, 1, 1000) == 0)
        fprintf(stderr, "reading the prompt from standard input (-p gives one, </dev/null none)\n");
    const rg_status st = rg_read_text(owned, &n, "-", c->quiet, err);
    if (st) return st;
    if (strlen(*owned) < n)
        return rg_fail(
            err, RG_E_FILE, "standard input: byte %zu is 0, expected a text as the prompt", strlen(*owned));
    if (n > 0 && (*owned)[n - 1] == '\n') (*owned)[--n] = 0; /* echo's */
    if (n > 0) c->prompt = *owned;
    return RG_OK;
}

/* The tokens that a shift keeps when nobody says. */
static int64_t default_keep(const rg_talk *t, const rg_tokens *prompt)
{
    if (t->cli->keep < 0) return prompt->n;
    return RG_OR(t->cli, keep, t->tok && rg_tokenizer_adds_bos(t->tok));
}

static void tell_ids(const int32_t *ids, size_t n)
{
    fprintf(stderr, "%zu tokens:", n);
    for (size_t i = 0; i < n; i++) fprintf(stderr, " %" PRId32, ids[i]);
    fputc('\n', stderr);
}

/* ---- one prompt ---- */

static rg_status complete(rg_talk *t, const rg_tokens *prompt, int64_t n_predict, rg_err *err)
{
    const rg_cli *cli = t->cli;
    const char *cache = cli->prompt_cache;
    const bool fill = n_predict < 0 && !cli->context_shift;
    rg_stop_reason why = RG_STOP_END;
    rg_status st = cache ? rg_talk_load(t, cache, prompt->id, prompt->n, err)
                         : rg_talk_append(t, prompt->id, prompt->n, err);
    if (!st) st = rg_talk_evaluate(t, RG_PREFILL, err);
    if (!st && cache && !cli->prompt_cache_ro && !cli->prompt_cache_all && t->n_reused < prompt->n)
        st = rg_talk_save(t, cache, err);
    if (!st) {
        rg_talk_echo(t, cli->special); /* the prompt is part of the text */
        st = rg_talk_answer(t, fill ? t->ctx - t->n_all : n_predict, true, &why, err);
        fputc('\n', stdout);
        fflush(stdout);
    }
    if (!st && cache && cli->prompt_cache_all) {
        st = rg_talk_evaluate(t, RG_DECODE, err);
        if (!st) st = rg_talk_save(t, cache, err);
    }
    rg_live_close(&t->live);
    if (fill && why == RG_STOP_LENGTH && !cli->quiet)
        fprintf(stderr, "note: the context of %" PRId64 " tokens is full (-c)\n", t->ctx);
    if (!cli->quiet && (!st || st == RG_E_INTERRUPTED)) rg_talk_timings(t);
    if (!st && cli->dump_logits) st = rg_outfile_commit(&t->dump, err);
    return st;
}

static rg_status run_prompt(rg_talk *t, rg_session_opts *so, const rg_engine_opts *eo, rg_err *err)
{
    const rg_cli *cli = t->cli;
    const rg_config *c = rg_ckpt_config(t->ckpt);
    const int64_t n_predict = RG_OR(cli, n_answer, 128);
    rg_tokens prompt;
    rg_status st = rg_prompt_tokens(&prompt, cli, t->tok, c->vocab, err);
    if (st) return st;
    if (cli->dump_prompt) {
        if (!(st = rg_talk_append(t, prompt.id, prompt.n, err))) {
            rg_talk_echo(t, true);
            putchar('\n');
            tell_ids(prompt.id, prompt.n);
        }
        goto out;
    }
    const bool known = n_predict >= 0 && !cli->context_shift && !cli->prompt_cache;
    if (!so->ctx) so->ctx = default_ctx(c, prompt.n + (n_predict < 0 ? 128 : n_predict), known);
    if (prompt.n > so->ctx) {
        st = rg_fail(err, RG_E_USAGE,
            "context: the prompt has %" PRId64 " tokens, the context holds %" PRId64
            " (-c; the model was made for %" PRId64 ")",
            prompt.n, so->ctx, c->ctx_train);
        goto out;
    }
    so->max_logits = cli->dump_logits ? rg_min(rg_min(RG_OR(cli, batch, 2048), prompt.n), 512) : 1;
    t->keep = default_keep(t, &prompt);
    if (!(st = rg_talk_start(t, so, eo, prompt.n + (n_predict < 0 ? UNKNOWN : n_predict), err)))
        st = complete(t, &prompt, n_predict, err);
out:
    free(prompt.id);
    return st;
}

/* ---- a conversation ---- */

static void tell_template(const rg_talk *t, const rg_chat *form)
{
    if (t->cli->quiet) return;
    if (!form->source[0])
        fprintf(stderr,
            "note: the checkpoint has no chat template: texts are continued as they are (raw completion); "
            "choose one with --chat-template\n");
    else if (form->name)
        fprintf(stderr, "chat template: %s (%s)\n", form->name, form->source);
    else
        fprintf(stderr, "chat template: %s%s%s\n", form->source, *form->others ? "; not used: " : "",
            form->others);
}

static rg_status dump_prompt(const rg_talk *t, const rg_chat *form, const char *user, rg_err *err)
{
    int32_t *ids = NULL;
    size_t n = 0;
    rg_jinja_message m[2];
    size_t n_messages = 0;
    rg_chat_text text;
    if (t->cli->system) m[n_messages++] = (rg_jinja_message){.role = "system", .content = t->cli->system};
    m[n_messages++] = (rg_jinja_message){.role = "user", .content = user ? user : ""};
    for (size_t i = 0; i < n_messages; i++) m[i].n = strlen(m[i].content);
    rg_status st = rg_chat_render(&text, form, t->tok, m, n_messages, err);
    if (st) return st;
    if (!(st = rg_chat_encode(t->tok, &text, &ids, &n, err))) {
        fwrite(text.x.p, 1, text.x.n, stdout);
        putchar('\n');
        tell_template(t, form);
        tell_ids(ids, n);
    }
    free(ids);
    rg_chat_text_free(&text);
    return st;
}

static rg_status run_chat(rg_talk *t, rg_session_opts *so, const rg_engine_opts *eo, rg_err *err)
{
    const rg_cli *cli = t->cli;
    rg_chat form;
    char *owned = NULL;
    const char *first = cli->prompt;
    size_t n;
    rg_status st = rg_chat_open(&form, t->ckpt,
        &(rg_chat_opts){.tokenizer = cli->tokenizer, .name = cli->chat_template, .date = cli->chat_date},
        err);
    if (!st && cli->prompt && cli->file) st = rg_fail(err, RG_E_USAGE, "-p and -f: give only one of them");
    if (!st && cli->file && !(st = rg_read_text(&owned, &n, cli->file, cli->quiet, err))) first = owned;
    if (st) goto out;
    if (cli->dump_prompt) {
        st = dump_prompt(t, &form, first, err);
        goto out;
    }
    if (!so->ctx) so->ctx = default_ctx(rg_ckpt_config(t->ckpt), 4096, false);
    so->max_logits = 1;
    t->keep = default_keep(t, &(rg_tokens){0});
    tell_template(t, &form);
    if (!cli->quiet && !cli->single_turn && isatty(STDIN_FILENO))
        fprintf(stderr, "/help lists the commands, Ctrl-C stops an answer, /exit leaves\n");
    if ((st = rg_talk_start(t, so, eo, UNKNOWN, err))) goto out;
    st = rg_chat_loop(t, &form, first, cli->single_turn, RG_OR(cli, n_answer, -1), err);
    rg_live_close(&t->live);
    if (!cli->quiet && (!st || st == RG_E_INTERRUPTED)) rg_talk_timings(t);
out:
    rg_chat_close(&form);
    free(owned);
    return st;
}

rg_status rg_cmd_RUN(const rg_cli *given, rg_err *err)
{
    rg_cli own = *given;
    const rg_cli *cli = &own;
    char *piped = NULL;
    rg_talk t = {0};
    rg_session_opts so;
    rg_engine_opts eo;
    rg_progress p = {0};
    rg_status st = rg_cli_no_args(cli, err);
    if (!st) st = prompt_of_stdin(&own, &piped, err);
    if (!st) st = check_options(cli, err);
    if (!st && cli->prompt_cache && !cli->prompt_cache_ro) st = rg_outfile_try(cli->prompt_cache, err);
    if (!st) st = rg_talk_open(&t, cli, &so, &eo, &p, err);
    if (!st) st = cli->chat || cli->single_turn ? run_chat(&t, &so, &eo, err) : run_prompt(&t, &so, &eo, err);
    if (!st && cli->dump_tokens && !cli->dump_prompt) st = write_tokens(&t, err);
    rg_progress_clear(&p);
    rg_talk_close(&t);
    free(piped);
    return st;
}
