/* A chat at a terminal: lines are edited and remembered, Ctrl-C and Ctrl-D do what they do elsewhere, the
 * status line follows. The terminal is a pseudo-terminal that this test types into. */
#include "run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

enum { WAIT_MS = 60000, ROOM = 1 << 20 };

typedef struct desk {
    int fd;
    pid_t pid;
    char *seen; /* everything that the program printed; owns */
    size_t n, from;
} desk;

static void sit_down(desk *d, const char *term)
{
    *d = (desk){.fd = posix_openpt(O_RDWR | O_NOCTTY), .seen = calloc(1, ROOM)};
    assert_true(d->fd >= 0 && grantpt(d->fd) == 0 && unlockpt(d->fd) == 0);
    char name[128];
    assert_int_equal(ptsname_r(d->fd, name, sizeof name), 0);
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    const char *state = scratch("state"), *cache = scratch("cache");
    d->pid = fork();
    if (d->pid == 0) {
        setsid();
        const int fd = open(name, O_RDWR); /* becomes the controlling terminal */
        ioctl(fd, TIOCSWINSZ, &size);
        if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) _exit(126);
        setenv("TERM", term, 1);
        setenv("XDG_STATE_HOME", state, 1);
        setenv("XDG_CACHE_HOME", cache, 1);
        setenv("OMP_WAIT_POLICY", "passive", 1);
        setenv("LC_ALL", "C", 1); /* UTF-8 is typed all the same */
        unsetenv("COLUMNS");
        execl(getenv("RIDGE_BIN"), "ridge", "run", "-cnv", "--temp", "0", "-n", "6", (char *)NULL);
        _exit(127);
    }
    assert_true(d->pid > 0);
}

static bool more(desk *d, int ms)
{
    struct pollfd f = {.fd = d->fd, .events = POLLIN};
    if (poll(&f, 1, ms) != 1) return false;
    const ssize_t got = read(d->fd, d->seen + d->n, ROOM - 1 - d->n);
    if (got <= 0) return false; /* EIO: the other side is closed */
    d->n += (size_t)got;
    d->seen[d->n] = 0;
    return true;
}

/* Until the text comes, behind what was waited for before. */
static void await(desk *d, const char *text)
{
    const char *at;
    while (!(at = strstr(d->seen + d->from, text)))
        if (!more(d, WAIT_MS)) fail_msg("no '%s' behind\n%s", text, d->seen + d->from);
    d->from = (size_t)(at - d->seen) + strlen(text);
}

static void type(desk *d, const char *keys)
{
    /* what the program does with the terminal before it reads is behind the prompt */
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    assert_int_equal(write(d->fd, keys, strlen(keys)), strlen(keys));
}

static int leave(desk *d)
{
    int status = -1;
    while (more(d, WAIT_MS)) {
    }
    pid_t ended = 0;
    for (int i = 0; i < 50 && !(ended = waitpid(d->pid, &status, WNOHANG)); i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    if (!ended) {
        kill(d->pid, SIGKILL);
        fail_msg("the program does not end; it said\n%s", d->seen);
    }
    close(d->fd);
    free(d->seen);
    if (WIFSIGNALED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static bool editing(void)
{
    char cmd[1100];
    snprintf(cmd, sizeof cmd, "ldd '%s' | grep -q libedit", getenv("RIDGE_BIN"));
    return system(cmd) == 0;
}

#define UP "\033[A"
#define LEFT "\033[D"

static void lines_are_edited_and_kept(void **state)
{
    (void)state;
    if (!editing()) {
        print_message("SKIPPED: this build has no libedit\n");
        return;
    }
    desk d;
    sit_down(&d, "xterm");
    await(&d, "> ");
    type(&d,
        "/stts" LEFT LEFT "a"
        "\r"); /* /stats */
    await(&d, "context =");
    await(&d, "> ");
    type(&d, " /system of a blank\r"); /* begins with a blank: a message, and not kept */
    await(&d, "> ");
    type(&d, "/system gr\303\274n\303\237\177n\r"); /* a character of two bytes goes as one */
    await(&d, "new system prompt");
    await(&d, "> ");
    type(&d, "/exit\r");
    assert_int_equal(leave(&d), 0);
    char *kept = read_all(scratch("state/ridge/chat_history"), NULL);
    assert_non_null(strstr(kept, "/stats\n"));
    assert_null(strstr(kept, "blank"));
    free(kept);
    struct stat st;
    assert_int_equal(stat(scratch("state/ridge/chat_history"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* the next chat remembers */
    sit_down(&d, "xterm");
    await(&d, "> ");
    type(&d, UP UP "\r"); /* /exit, then what was before it */
    await(&d, "gr\303\274nn");
    await(&d, "new system prompt");
    await(&d, "> ");
    type(&d, "\004");
    assert_int_equal(leave(&d), 0);
}

/* With and without editing. */
static void signals_and_ends(void **state)
{
    (void)state;
    static const char *const terms[] = {"xterm", "dumb"};
    for (int i = 0; i < 2; i++) {
        desk d;
        sit_down(&d, terms[i]);
        await(&d, "> ");
        type(&d, "half a mess\003"); /* is taken back */
        await(&d, "Ctrl-C again or /exit leaves");
        await(&d, "> ");
        type(&d, "/system\r"); /* the warning is forgotten */
        await(&d, "no system prompt");
        await(&d, "> ");
        type(&d, "\003");
        await(&d, "Ctrl-C again");
        await(&d, "> ");
        type(&d, "\003");
        assert_int_equal(leave(&d), 130);
        sit_down(&d, terms[i]);
        await(&d, "> ");
        type(&d, "\004");
        assert_int_equal(leave(&d), 0);
        sit_down(&d, terms[i]); /* kill ends it at once */
        await(&d, "> ");
        assert_int_equal(kill(d.pid, SIGTERM), 0);
        assert_int_equal(leave(&d), 130);
    }
}

/* The last row says how full the context is, also where nothing was generated since. */
static void status_line(void **state)
{
    (void)state;
    desk d;
    sit_down(&d, "xterm");
    await(&d, "context 0/");
    await(&d, "> ");
    type(&d, "Once upon a time\r");
    await(&d, "tok/s");
    await(&d, "> ");
    type(&d, "/clear\r");
    await(&d, "is forgotten");
    await(&d, "context 0/");
    await(&d, "> ");
    type(&d, "/clera\r");
    await(&d, "the nearest is /clear;");
    await(&d, "> ");
    type(&d, "/exit\r");
    assert_int_equal(leave(&d), 0);
}

int main(void)
{
    if (!getenv("RIDGE_BIN")) fail_msg("RIDGE_BIN is not set: run this test through ctest");
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_edited_and_kept),
        cmocka_unit_test(signals_and_ends), cmocka_unit_test(status_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
