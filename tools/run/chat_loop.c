/* A conversation: messages and commands come in, answers go out. */
#include "tools/run/talk.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/text.h"
#include "tools/run/history.h"
#include "tools/run/typing.h"

typedef struct chat {
    rg_talk *t;
    const rg_chat *form;
    bool single;
    int64_t n_predict;  /* -1: up to the end of the turn */
    const char *system; /* NULL: the template's own */
    rg_history said;
    int64_t shifts;     /* context shifts that `said` knows of */
    char *own_system;   /* of /system; owns */
    int64_t answer_at;  /* where the last answer begins among the tokens; -1: there is none */
    bool leave, warned; /* warned: Ctrl-C at the prompt was answered once */
    rg_typing *typing;  /* owns */
} chat;

/* Notes to the person, beside the text. */
#define NOTE(c, ...) ((c)->t->cli->quiet ? 0 : fprintf(stderr, __VA_ARGS__))

/* ---- input ---- */

/* One message: a line; or lines that end in \, or that stand between two lines of """, or that are pasted
 * together. *m: the caller frees. false: no more input, or a signal (then rg_stop). */
static bool read_message(chat *c, char **m)
{
    size_t len = 0;
    bool fence = false, again = true, more = true;
    FILE *to = open_memstream(m, &len);
    if (rg_typing_terminal(c->typing)) fputc('\n', stderr);
    for (int lines = 0; to && again; lines++) {
        const char *line = rg_typing_line(c->typing, lines == 0 ? "> " : "");
        if (!line) {
            more = lines > 0 && ftello(to) > 0 && !rg_stop;
            break;
        }
        const size_t n = strlen(line);
        if (strcmp(line, "\"\"\"") == 0) {
            again = fence = !fence;
            continue;
        }
        const bool joined = !fence && n > 0 && line[n - 1] == '\\';
        if (ftello(to) > 0) fputc('\n', to);
        fwrite(line, 1, joined ? n - 1 : n, to);
        again = fence || joined || rg_typing_more(c->typing);
    }
    return to && fclose(to) == 0 && more;
}

/* ---- answers ---- */

/* A full context or a stop ends the answer, not the conversation. */
static rg_status answer(chat *c, rg_err *err)
{
    rg_stop_reason why;
    rg_talk *t = c->t;
    c->answer_at = t->n_all;
    rg_status st = rg_talk_answer(t, c->n_predict, false, &why, err);
    fputc('\n', stdout);
    fflush(stdout);
    if (why == RG_STOP_INTERRUPTED) {
        rg_stop = 0;
        NOTE(c, "[stopped; the conversation goes on]\n");
        st = RG_OK;
    } else if (why == RG_STOP_CONTEXT && t->n_all > c->answer_at) {
        NOTE(c, "[%s; the answer is cut]\n", err->msg);
        rg_talk_truncate(t, t->n_all - 1); /* the token that did not fit */
        st = RG_OK;
    }
    return st;
}

/* A message that cannot be answered is taken back; where it is the only one, that is the end. */
static rg_status take_back(const chat *c, rg_status st, const rg_err *err)
{
    if ((st != RG_E_INTERRUPTED && st != RG_E_USAGE) || c->single) return st;
    if (st == RG_E_INTERRUPTED) rg_stop = 0;
    fprintf(stderr, "[%s; the message is taken back%s]\n", err->msg,
        st == RG_E_USAGE && c->t->n_all > 0 ? ": /clear starts anew" : "");
    return RG_OK;
}

/* Behind `keep` tokens come ids[n], to be evaluated. */
static rg_status evaluate_turn(chat *c, int64_t keep, const int32_t *ids, size_t n, rg_err *err)
{
    rg_talk *t = c->t;
    const bool first = t->n_all == 0;
    const char *cache = first ? t->cli->prompt_cache : NULL;
    rg_talk_truncate(t, keep);
    rg_status st =
        cache ? rg_talk_load(t, cache, ids, (int64_t)n, err) : rg_talk_append(t, ids, (int64_t)n, err);
    if (st) return st;
    if (first && t->cli->keep < 0) t->keep = t->n_all;
    st = rg_talk_evaluate(t, RG_PREFILL, err);
    if (!st && cache && !t->cli->prompt_cache_ro && !t->cli->prompt_cache_all)
        st = rg_talk_save(t, cache, err);
    return st;
}

/* The turn of the user, then the answer. A turn that cannot be evaluated is taken back. */
static rg_status turn(chat *c, const char *user, rg_err *err)
{
    rg_talk *t = c->t;
    const int64_t before = t->n_all;
    int64_t keep = 0;
    int32_t *ids = NULL, *dropped = NULL;
    size_t n = 0;
    if (t->shifts != c->shifts) rg_history_clear(&c->said, true);
    c->shifts = t->shifts;
    rg_status st = rg_history_turn(&c->said, c->form, t->tok, c->system, user,
        &(rg_history_tokens){t->all, before, c->answer_at}, &keep, &ids, &n, err);
    if (st || (before == 0 && n == 0)) {
        free(ids);
        return take_back(c, st, err);
    }
    const int64_t n_dropped = before - keep;
    if (n_dropped > 0) {
        dropped = malloc((size_t)n_dropped * sizeof *dropped);
        if (dropped) memcpy(dropped, t->all + keep, (size_t)n_dropped * sizeof *dropped);
        if (!dropped) st = rg_no_memory(err, "chat");
    }
    if (!st) st = evaluate_turn(c, keep, ids, n, err);
    free(ids);
    if (st && t->shifts == c->shifts) {
        rg_talk_truncate(t, keep);
        rg_history_undo(&c->said);
        if (dropped && rg_talk_append(t, dropped, n_dropped, err)) st = RG_E_NOMEM;
    }
    free(dropped);
    return st ? take_back(c, st, err) : answer(c, err);
}

/* ---- commands ---- */

static void clear(chat *c)
{
    rg_talk_truncate(c->t, 0);
    c->answer_at = -1;
}

static rg_status cmd_exit(chat *c, const char *arg, rg_err *err)
{
    (void)arg, (void)err;
    c->leave = true;
    return RG_OK;
}

static rg_status cmd_help(chat *c, const char *arg, rg_err *err);

static rg_status cmd_clear(chat *c, const char *arg, rg_err *err)
{
    (void)arg, (void)err;
    clear(c);
    NOTE(c, "[the conversation is forgotten, the system prompt stays]\n");
    return RG_OK;
}

static rg_status cmd_system(chat *c, const char *arg, rg_err *err)
{
    if (!*arg) {
        if (c->system && *c->system)
            fprintf(stderr, "[system prompt: %s]\n", c->system);
        else
            fprintf(stderr, "[no system prompt%s]\n",
                c->form->name ? "" : ", but what the template may write itself");
        return RG_OK;
    }
    char *copy = strdup(arg);
    if (!copy) return rg_fail(err, RG_E_NOMEM, "out of memory");
    free(c->own_system);
    c->system = c->own_system = copy;
    clear(c);
    NOTE(c, "[new system prompt; the conversation starts anew%s]\n",
        c->form->name && strcmp(c->form->name, "none") == 0
            ? " (without a template it is written before the first message)"
            : "");
    return RG_OK;
}

static rg_status cmd_regen(chat *c, const char *arg, rg_err *err)
{
    (void)arg;
    if (c->answer_at < 0 || c->answer_at > c->t->n_all) {
        fprintf(stderr, "[there is no answer to draw again]\n");
        return RG_OK;
    }
    rg_talk_truncate(c->t, c->answer_at);
    return answer(c, err);
}

static rg_status cmd_stats(chat *c, const char *arg, rg_err *err)
{
    (void)arg, (void)err;
    rg_talk_timings(c->t);
    fprintf(stderr, "          context = %" PRId64 " of %" PRId64 " tokens\n", c->t->n_all, c->t->ctx);
    return RG_OK;
}

static rg_status cmd_save(chat *c, const char *arg, rg_err *err)
{
    if (!*arg) return rg_fail(err, RG_E_USAGE, "/save: name a file");
    if (c->t->n_all == 0) return rg_fail(err, RG_E_USAGE, "/save: nothing was said yet");
    rg_status st = rg_talk_evaluate(c->t, RG_PREFILL, err);
    if (!st) st = rg_talk_save(c->t, arg, err);
    if (!st) NOTE(c, "[%" PRId64 " tokens saved to %s]\n", c->t->n_all, arg);
    return st;
}

static rg_status cmd_load(chat *c, const char *arg, rg_err *err)
{
    if (!*arg) return rg_fail(err, RG_E_USAGE, "/load: name a file");
    const rg_status st = rg_talk_resume(c->t, arg, err);
    if (st) return st;
    c->answer_at = -1;
    NOTE(c, "[%" PRId64 " tokens loaded; the conversation goes on where it was saved]\n", c->t->n_all);
    return RG_OK;
}

static const struct command {
    const char *name, *arg, *what;
    rg_status (*run)(chat *, const char *, rg_err *);
} commands[] = {{"/exit", "", "leave (also /quit, Ctrl-D, Ctrl-C twice)", cmd_exit},
    {"/quit", NULL, NULL, cmd_exit}, {"/help", "", "this list", cmd_help},
    {"/clear", "", "forget the conversation, keep the system prompt", cmd_clear},
    {"/system", "[TEXT]", "show the system prompt, or set it and start anew", cmd_system},
    {"/regen", "", "draw the last answer again", cmd_regen},
    {"/stats", "", "times and context so far", cmd_stats},
    {"/save", "FILE", "write the conversation as a session file", cmd_save},
    {"/load", "FILE", "go on with a saved conversation", cmd_load}};

static rg_status cmd_help(chat *c, const char *arg, rg_err *err)
{
    (void)c, (void)arg, (void)err;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].what)
            fprintf(stderr, "  %-8s %-7s %s\n", commands[i].name, commands[i].arg, commands[i].what);
    fprintf(stderr,
        "A message of several lines: end lines with \\, or put them between two lines of \"\"\", or paste "
        "them.\n"
        "A message that begins with / is written with //.\n");
    return RG_OK;
}

/* Bad commands and files are answered; only what ends the program comes back. */
static rg_status command(chat *c, const char *line, rg_err *err)
{
    const size_t n = strcspn(line, " \t\n");
    const char *arg = line + n + strspn(line + n, " \t\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strlen(commands[i].name) != n || strncmp(commands[i].name, line, n) != 0) continue;
        const rg_status st = commands[i].run(c, arg, err);
        if (st != RG_E_USAGE && st != RG_E_FILE && st != RG_E_UNSUPPORTED && st != RG_E_INTERRUPTED)
            return st;
        if (st == RG_E_INTERRUPTED) rg_stop = 0;
        fprintf(stderr, "[%s]\n", err->msg);
        return RG_OK;
    }
    char word[40];
    rg_near near = {.word = rg_text(word, sizeof word, "%.*s", (int)n, line)};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) rg_near_try(&near, commands[i].name);
    fprintf(stderr, "[%s: no such command; %s/help lists them]\n", word, RG_NEAR_HINT(&near));
    return RG_OK;
}

/* Ctrl-C where nothing runs: once it warns, twice it leaves. What else ends programs leaves at once. */
static rg_status at_prompt(chat *c, rg_err *err)
{
    const bool ends = rg_stop != SIGINT;
    rg_stop = 0;
    if (c->warned || ends) {
        c->leave = true;
        return rg_fail(err, RG_E_INTERRUPTED, "interrupted");
    }
    c->warned = true;
    fprintf(stderr, "\n[Ctrl-C again or /exit leaves]");
    return RG_OK;
}

rg_status rg_chat_loop(
    rg_talk *t, const rg_chat *form, const char *first, bool single, int64_t n_predict, rg_err *err)
{
    chat c = {.t = t,
        .form = form,
        .single = single,
        .n_predict = n_predict,
        .system = t->cli->system,
        .answer_at = -1};
    char *m = NULL;
    rg_status st = rg_typing_open(&c.typing, t->colour, err);
    if (!st && first) {
        if (rg_typing_terminal(c.typing) && !single) NOTE(&c, "\n> %s\n", first);
        st = turn(&c, first, err);
    }
    while (!st && !c.leave && !single) {
        free(m);
        m = NULL;
        /* whatever was said, cleared or loaded */
        rg_live_context(&t->live, t->n_all, t->ctx);
        if (!read_message(&c, &m)) {
            if (!rg_stop) { /* the end of the input */
                if (rg_typing_terminal(c.typing)) fputc('\n', stderr);
                break;
            }
            st = at_prompt(&c, err);
            continue;
        }
        c.warned = false;
        if (!*m) continue;
        st = m[0] == '/' && m[1] != '/' ? command(&c, m, err) : turn(&c, m + (m[0] == '/'), err);
    }
    if (!st && t->cli->prompt_cache && t->cli->prompt_cache_all && !t->cli->prompt_cache_ro && t->n_all > 0) {
        st = rg_talk_evaluate(t, RG_DECODE, err);
        if (!st) st = rg_talk_save(t, t->cli->prompt_cache, err);
    }
    free(m);
    rg_typing_close(c.typing);
    rg_history_clear(&c.said, false);
    free(c.own_system);
    return st;
}
