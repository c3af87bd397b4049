/* The program: finds the subcommand, handles signals, turns a status into one line and an exit code. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mapfile.h"
#include "base/near.h"
#include "base/outfile.h"
#include "tools/cli/cli.h"

static rg_status (*const run[RG_CMD_COUNT])(const rg_cli *, rg_err *) = {
#define RG_COMMAND(id, name, line, examples) rg_cmd_##id,
#include "tools/cli/commands.def"
};

static void on_signal(int sig)
{
    if (rg_stop) {
        static const char give_back[] = "\033[r\033[999;1H\033[2K";
        rg_outfile_unlink_pending();
        if (rg_terminal_dirty && write(STDERR_FILENO, give_back, sizeof give_back - 1) < 0)
            rg_terminal_dirty = 0;
        _exit(RG_E_INTERRUPTED);
    }
    rg_stop = sig;
}

/* A mapped file became shorter, or its disk failed: there is nothing left to compute with. */
static void on_bus(int sig, siginfo_t *info, void *context)
{
    static const char why[] =
        ": the file was cut short, or cannot be read, while it was in use: restore it and run again\n";
    const char *path = rg_mapfile_at(info->si_addr);
    (void)context;
    if (!path) { /* not ours: let it end the process as it would have */
        signal(sig, SIG_DFL);
        return;
    }
    rg_outfile_unlink_pending();
    if (write(STDERR_FILENO, "\nridge: ", 8) < 0 || write(STDERR_FILENO, path, strlen(path)) < 0 ||
        write(STDERR_FILENO, why, sizeof why - 1) < 0)
        _exit(RG_E_FILE);
    _exit(RG_E_FILE);
}

static void overview(FILE *f)
{
    fprintf(f,
        "Ridge %s: the CPU inference engine that explains itself\n\nusage: ridge COMMAND [options]\n\n",
        RIDGE_VERSION);
    for (int i = 0; i < RG_CMD_COUNT; i++)
        fprintf(f, "  %-10s %s\n", rg_commands[i].name, rg_commands[i].line);
    fprintf(f,
        "\n'ridge COMMAND --help' explains a command. Without -m the demo checkpoint is used: try 'ridge "
        "profile'.\n"
        "Exit codes: 0 fine, 1 internal, 2 usage, 3 bad file, 4 unsupported, 5 not enough memory, 6 assert "
        "failed, 7 too noisy, 130 interrupted.\n");
}

static int find(const char *name)
{
    for (int i = 0; i < RG_CMD_COUNT; i++)
        if (strcmp(rg_commands[i].name, name) == 0) return i;
    return -1;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

static char *join(int argc, char **argv)
{
    size_t n = 6;
    for (int i = 1; i < argc; i++) n += strlen(argv[i]) + 1;
    char *line = malloc(n);
    size_t at = 5;
    if (!line) return NULL;
    memcpy(line, "ridge", 6);
    for (int i = 1; i < argc; i++) at += (size_t)sprintf(line + at, " %s", argv[i]);
    return line;
}

/* Help on a full disk is an error like any other output. */
static int printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return RG_OK;
    fprintf(stderr, "ridge: standard output: cannot write\n");
    return RG_E_FILE;
}

/* The first file opened would take the number of a closed stream. A closed one is opened for the other
 * direction, so that using it stays an error. */
static void hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        /* the lowest free number is this one */
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return;
    }
}

int main(int argc, char **argv)
{
    hold_streams();
    if (argc < 2) {
        overview(stderr);
        return RG_E_USAGE;
    }
    const bool help_word = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--version") == 0) {
        char unicode[96];
        rg_tokenizer_unicode(unicode, sizeof unicode);
        printf("ridge %s\ntokenizers: %s\n", RIDGE_VERSION, unicode);
        return printed();
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (help_word && argc == 2)) {
        overview(stdout);
        return printed();
    }
    const char *name = help_word ? argv[2] : argv[1];
    const int c = find(name);
    if (c < 0) {
        rg_near near = {.word = name};
        for (int i = 0; i < RG_CMD_COUNT; i++) rg_near_try(&near, rg_commands[i].name);
        rg_near_try(&near, "--help");
        rg_near_try(&near, "--version");
        fprintf(stderr, "ridge: %s: no such command; %s'ridge help' lists them\n", name, RG_NEAR_HINT(&near));
        return RG_E_USAGE;
    }
    if (help_word || asks_help(argc, argv)) {
        rg_cli_help(stdout, c);
        return printed();
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    struct sigaction hup;
    /* nohup stays in force */
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_DFL) sigaction(SIGHUP, &sa, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond `ulimit -f` is a write that fails, like one on a full disk */
    struct sigaction bus = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &bus, NULL);
    signal(SIGPIPE, SIG_DFL);

    rg_cli cli;
    rg_err err = {0};
    rg_status st = rg_cli_parse(&cli, c, argc - 2, (const char *const *)argv + 2, &err);
    if (!st) {
        cli.line = join(argc, argv);
        st = run[c](&cli, &err);
        free(cli.line);
    }
    free((void *)(uintptr_t)cli.args);
    if (!st && (fflush(stdout) != 0 || ferror(stdout)))
        st = rg_fail(&err, RG_E_FILE, "standard output: cannot write");
    if (st && err.msg[0]) fprintf(stderr, "ridge %s: %s\n", rg_commands[c].name, err.msg);
    return (int)st;
}
