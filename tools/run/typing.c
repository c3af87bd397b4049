/* Reads what is typed, through libedit where there is one. */
#include "tools/run/typing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef RIDGE_HAVE_EDIT
#include <histedit.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <wchar.h>
#endif

#include "base/outfile.h"
#include "base/text.h"
#include "tools/cli/cli.h"

struct rg_typing {
    bool terminal, colour;
    char *line; /* owns */
    size_t cap;
#ifdef RIDGE_HAVE_EDIT
    EditLine *el; /* NULL: lines are not edited */
    History *history;
    char prompt[64];
    int kept; /* lines of this chat in the history */
#endif
};

/* True if input lies there, within a tenth of a second. A signal just before a read would not end it. */
static bool input_comes(void)
{
    struct pollfd f = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&f, 1, 100) > 0;
}

static const char green[] = "\033[1;32m", plain[] = "\033[0m";

#ifdef RIDGE_HAVE_EDIT

enum { KEPT = 1000 };

static volatile sig_atomic_t resized, resumed;
static void on_resize(int sig)
{
    (void)sig;
    resized = 1;
}
static void on_resume(int sig)
{
    (void)sig;
    resumed = 1;
}

/* The folders are made; "" without a home. */
static const char *history_path(char *buf, size_t n)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    buf[0] = 0;
    if (state && state[0] == '/') /* relative paths are to be ignored, says the specification */
        rg_text(buf, n, "%s/ridge/chat_history", state);
    else if (home && home[0] == '/')
        rg_text(buf, n, "%s/.local/state/ridge/chat_history", home);
    for (char *p = buf; (p = strchr(p + 1, '/'));) {
        *p = 0;
        mkdir(buf, 0700);
        *p = '/';
    }
    return buf;
}

/* A byte, or -1 at the end of the input (errno 0) and at a signal that ends the line. */
static int read_byte(EditLine *el)
{
    unsigned char c;
    for (;;) {
        errno = 0;
        if (input_comes()) {
            const ssize_t got = read(STDIN_FILENO, &c, 1);
            if (got == 1) return c;
            if (got == 0 || errno != EINTR) return -1;
        }
        if (rg_stop) return -1;
        if (resized) el_resize(el);
        if (resumed) { /* the shell had the terminal meanwhile */
            el_set(el, EL_PREP_TERM, 1);
            el_set(el, EL_REFRESH);
        }
        resized = resumed = 0;
    }
}

/* An el_rfunc_t: 1 with a character, 0 at the end of the input, -1 at a signal. */
static int read_char(EditLine *el, wchar_t *out)
{
    char bytes[MB_LEN_MAX];
    for (size_t n = 0; n < sizeof bytes;) {
        const int c = read_byte(el);
        mbstate_t s = {0};
        if (c < 0) return rg_stop ? -1 : 0;
        bytes[n++] = (char)c;
        const size_t took = mbrtowc(out, bytes, n, &s);
        if (took == (size_t)-2) continue;
        if (took == (size_t)-1) *out = L'?';
        return 1;
    }
    *out = L'?';
    return 1;
}

static char *prompt_of(EditLine *el)
{
    void *t;
    el_get(el, EL_CLIENTDATA, &t);
    return ((rg_typing *)t)->prompt;
}

/* Keys that terminals send and libedit does not know. */
static void bind_keys(EditLine *el)
{
    static const char *const keys[][2] = {{"\\e[3~", "ed-delete-next-char"}, {"\\e[1~", "ed-move-to-beg"},
        {"\\e[4~", "ed-move-to-end"}, {"\\e[H", "ed-move-to-beg"}, {"\\e[F", "ed-move-to-end"},
        {"\\e[1;5D", "ed-prev-word"}, {"\\e[1;5C", "em-next-word"}, {"^R", "em-inc-search-prev"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static void open_editor(rg_typing *t)
{
    char path[1024];
    HistEvent ev;
    const char *term = getenv("TERM");
    if (!t->terminal || isatty(STDERR_FILENO) != 1 || !term || !*term || strcmp(term, "dumb") == 0) return;
    /* characters of more bytes than one */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    if (!(t->el = el_init("ridge", stdin, stderr, stderr))) return;
    el_set(t->el, EL_CLIENTDATA, t);
    el_set(t->el, EL_PROMPT_ESC, prompt_of, '\1');
    el_set(t->el, EL_EDITOR, "emacs");
    el_set(t->el, EL_GETCFN, read_char);
    bind_keys(t->el);
    if ((t->history = history_init())) {
        history(t->history, &ev, H_SETSIZE, KEPT);
        history(t->history, &ev, H_SETUNIQUE, 1);
        el_set(t->el, EL_HIST, history, t->history);
        if (*history_path(path, sizeof path)) history(t->history, &ev, H_LOAD, path);
    }
    el_source(t->el, NULL); /* ~/.editrc */
}

/* What cannot be kept is no error of a chat. */
static void keep_history(const rg_typing *t)
{
    char path[1024];
    HistEvent ev;
    rg_outfile o;
    rg_err err;
    if (!t->kept || !*history_path(path, sizeof path)) return;
    rg_status st = rg_outfile_open(&o, path, &err);
    if (!st) {
        fchmod(fileno(o.f), 0600); /* what was said is nobody else's */
        if (history(t->history, &ev, H_SAVE_FP, o.f) >= 0) st = rg_outfile_commit(&o, &err);
        rg_outfile_abort(&o);
    }
    if (st) fprintf(stderr, "note: typed lines are not kept: %s\n", err.msg);
}

static const char *edited_line(rg_typing *t, const char *prompt)
{
    const struct sigaction size = {.sa_handler = on_resize}, back = {.sa_handler = on_resume};
    struct sigaction size_was, back_was;
    HistEvent ev;
    int n = 0;
    if (t->colour)
        rg_text(t->prompt, sizeof t->prompt, "\1%s\1%s", green, prompt);
    else
        rg_text(t->prompt, sizeof t->prompt, "%s", prompt);
    sigaction(SIGWINCH, &size, &size_was);
    sigaction(SIGCONT, &back, &back_was);
    el_resize(t->el);
    const char *s = el_gets(t->el, &n);
    sigaction(SIGWINCH, &size_was, NULL);
    sigaction(SIGCONT, &back_was, NULL);
    if (!s || n <= 0) return NULL;
    free(t->line);
    if (!(t->line = strdup(s))) return NULL;
    t->line[strcspn(t->line, "\r\n")] = 0;
    if (t->history && t->line[0] && t->line[0] != ' ') {
        history(t->history, &ev, H_ENTER, t->line);
        t->kept++;
    }
    return t->line;
}

#endif

static const char *plain_line(rg_typing *t, const char *prompt)
{
    if (t->terminal) {
        fprintf(stderr, "%s%s", t->colour ? green : "", prompt);
        fflush(stderr);
    }
    while (t->terminal && !rg_stop && !input_comes()) {
    }
    const ssize_t got = rg_stop ? -1 : getline(&t->line, &t->cap, stdin);
    if (got < 0) {
        clearerr(stdin);
        return NULL;
    }
    size_t n = (size_t)got;
    while (n > 0 && (t->line[n - 1] == '\n' || t->line[n - 1] == '\r')) t->line[--n] = 0;
    return t->line;
}

rg_status rg_typing_open(rg_typing **out, bool colour, rg_err *err)
{
    rg_typing *t = calloc(1, sizeof *t);
    *out = t;
    if (!t) return rg_no_memory(err, "input");
    t->terminal = isatty(STDIN_FILENO) == 1;
    t->colour = colour && t->terminal;
#ifdef RIDGE_HAVE_EDIT
    open_editor(t);
#endif
    return RG_OK;
}

void rg_typing_close(rg_typing *t)
{
    if (!t) return;
#ifdef RIDGE_HAVE_EDIT
    if (t->history) {
        keep_history(t);
        history_end(t->history);
    }
    if (t->el) el_end(t->el);
#endif
    free(t->line);
    free(t);
}

bool rg_typing_terminal(const rg_typing *t) { return t->terminal; }

const char *rg_typing_line(rg_typing *t, const char *prompt)
{
#ifdef RIDGE_HAVE_EDIT
    const char *s = t->el ? edited_line(t, prompt) : plain_line(t, prompt);
#else
    const char *s = plain_line(t, prompt);
#endif
    if (t->colour) {
        fputs(plain, stderr);
        fflush(stderr);
    }
    return s;
}

bool rg_typing_more(const rg_typing *t)
{
    struct pollfd f = {.fd = STDIN_FILENO, .events = POLLIN};
    return t->terminal && poll(&f, 1, 30) == 1 && f.revents & POLLIN;
}
