/* Parses a command line by the table of options, and prints the help that it holds. */
#include "tools/cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/near.h"
#include "base/outfile.h"
#include "base/text.h"
#include "report/screen.h"

typedef enum kind { FLAG, INT, REAL, STR, OUT, DRAW, SWITCH, LIST, IGNORED } kind;

enum {
#define RG_COMMAND(id, name, line, examples) id = 1 << RG_CMD_##id,
#include "tools/cli/commands.def"
};

static const struct option {
    kind kind;
    const char *sname, *lname, *meta, *help;
    double low, high;
    unsigned commands;
    size_t offset;
} options[RG_O_COUNT] = {
#define RG_OPT(kind, field, sname, lname, meta, low, high, commands, help) \
    [RG_O_##field] = { \
        kind, sname, lname, meta, help, (double)(low), (double)(high), commands, offsetof(rg_cli, field)},
#include "tools/cli/options.def"
};

static const struct {
    const char *name, *lname;
} aliases[] = {
#define RG_ALIAS(name, lname) {name, lname},
#include "tools/cli/options.def"
};

/* Options from `first` on stand under this title in the help. */
static const struct {
    const char *title;
    rg_option_id first;
} groups[] = {
#define RG_GROUP(title, first) {title, RG_O_##first},
#include "tools/cli/options.def"
};
enum { N_GROUPS = sizeof groups / sizeof *groups };

/* What an option means in one command. */
static const struct {
    rg_option_id option;
    unsigned commands;
    const char *meta, *help;
} texts[] = {
#define ENGINE_CMDS (RUN | PROFILE | EVAL)
#define RG_HELP(field, commands, meta, help) {RG_O_##field, commands, meta, help},
#include "tools/cli/help.def"
#undef ENGINE_CMDS
};

const struct rg_command rg_commands[RG_CMD_COUNT] = {
#define RG_COMMAND(id, name, line, examples) [RG_CMD_##id] = {name, line, examples},
#include "tools/cli/commands.def"
};

rg_stop_flag rg_stop, rg_terminal_dirty;

/* Two commands may use one name for different things: the command's own comes first. */
static const struct option *find(const char *word, size_t len, rg_command_id command)
{
    const struct option *other = NULL;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strlen(aliases[i].name) == len && strncmp(aliases[i].name, word, len) == 0)
            return find(aliases[i].lname, strlen(aliases[i].lname), command);
    for (int i = 0; i < RG_O_COUNT; i++) {
        const struct option *o = &options[i];
        if ((o->sname && strlen(o->sname) == len && strncmp(o->sname, word, len) == 0) ||
            (strlen(o->lname) == len && strncmp(o->lname, word, len) == 0)) {
            if (o->commands & 1u << command) return o;
            other = o;
        }
    }
    return other;
}

static const char *const switch_words[] = {"on", "off", "auto", NULL};

static rg_status put(rg_cli *cli, const struct option *o, const char *word, const char *value, rg_err *err)
{
    void *field = (char *)cli + o->offset;
    char *end;
    switch (o->kind) {
    case FLAG:
        *(rg_cli_FLAG *)field = true;
        break;
    case SWITCH:
        if (rg_cli_choice(word, value, switch_words, err) < 0) return RG_E_USAGE;
        *(rg_cli_SWITCH *)field = value;
        break;
    case STR:
    case OUT:
    case DRAW:
        *(rg_cli_STR *)field = value;
        break;
    case LIST: {
        rg_cli_LIST *l = field;
        if (l->n == RG_CLI_LIST_MAX)
            return rg_fail(
                err, RG_E_USAGE, "%s: given more than %d times: use comma lists", word, RG_CLI_LIST_MAX);
        l->v[l->n++] = value;
        break;
    }
    case INT: {
        errno = 0;
        const long long v = strtoll(value, &end, 10);
        if (errno || end == value || *end || (double)v < o->low || (double)v > o->high)
            return rg_fail(err, RG_E_USAGE, "%s: '%s', expected a whole number from %.0f to %.0f", word,
                value, o->low, o->high);
        *(rg_cli_INT *)field = v;
        break;
    }
    case REAL: {
        errno = 0;
        const double v = strtod(value, &end);
        if (errno || end == value || *end || !(v >= o->low && v <= o->high))
            return rg_fail(
                err, RG_E_USAGE, "%s: '%s', expected a number from %g to %g", word, value, o->low, o->high);
        *(rg_cli_REAL *)field = v;
        break;
    }
    case IGNORED:
        fprintf(stderr, "note: %s is ignored: Ridge runs on the CPU\n", word);
        break;
    }
    cli->given[o - options] = true;
    return RG_OK;
}

/* Pictures go into one file, or into a folder that is made where there is none. */
static rg_status try_pictures(const char *path, bool one, rg_err *err)
{
    char bare[4096];
    size_t n = (size_t)snprintf(bare, sizeof bare, "%s", path);
    struct stat s;
    if (n >= sizeof bare)
        return rg_fail(err, RG_E_USAGE, "--svg: the path is longer than %zu bytes", sizeof bare - 1);
    while (n > 1 && bare[n - 1] == '/') bare[--n] = 0;
    const bool there = stat(bare, &s) == 0;
    if (one || rg_ends_with(bare, ".svg") || !there) return rg_outfile_try(one ? path : bare, err);
    if (!S_ISDIR(s.st_mode))
        return rg_fail(err, RG_E_FILE,
            "--svg: %s is a file, expected a folder for the pictures, or a name ending in .svg for one",
            path);
    /* a file in it, as the pictures will be */
    if (n + strlen("/roofline.svg") >= sizeof bare)
        return rg_fail(err, RG_E_FILE, "--svg: %.100s...: the path is too long", path);
    memcpy(bare + n, "/roofline.svg", sizeof "/roofline.svg");
    return rg_outfile_try(bare, err);
}

/* What cannot be written is said before minutes of measuring, not behind them. */
static rg_status try_outputs(const rg_cli *cli, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < RG_O_COUNT && !st; i++) {
        const struct option *o = &options[i];
        if (!cli->given[i] || (o->kind != OUT && o->kind != DRAW)) continue;
        const char *path = *(const rg_cli_STR *)((const char *)cli + o->offset);
        st = o->kind == OUT ? rg_outfile_try(path, err)
                            : try_pictures(path, cli->command == RG_CMD_MACHINE, err);
    }
    return st;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0) words++;
    return *words != NULL;
}

/* other: of other commands, or NULL. */
static rg_status unknown(
    const char *word, const char *eq, const struct option *other, rg_command_id command, rg_err *err)
{
    const char *name = rg_commands[command].name;
    char bare[64], has[160] = "";
    rg_near near = {.word = rg_text(bare, sizeof bare, "%.*s", (int)(eq ? eq - word : 63), word)};
    for (int c = 0; other && c < RG_CMD_COUNT; c++)
        if (other->commands & 1u << c)
            rg_text_add(has, sizeof has, "%s%s", *has ? ", " : "", rg_commands[c].name);
    if (other)
        return rg_fail(err, RG_E_USAGE,
            "%s: not an option of 'ridge %s' but of %s; 'ridge %s --help' lists its options", bare, name, has,
            name);
    for (int i = 0; i < RG_O_COUNT; i++) {
        const struct option *o = &options[i];
        if (!(o->commands & 1u << command)) continue;
        rg_near_try(&near, o->lname);
        if (o->sname && strlen(o->sname) > 2) rg_near_try(&near, o->sname);
    }
    return rg_fail(err, RG_E_USAGE, "%s: no such option; %s'ridge %s --help' lists them", bare,
        RG_NEAR_HINT(&near), name);
}

rg_status rg_cli_parse(rg_cli *cli, rg_command_id command, int argc, const char *const *argv, rg_err *err)
{
    const char **args = calloc(argc + 1, sizeof *args);
    *cli = (rg_cli){.command = command, .args = args};
    if (!args) return rg_no_memory(err, "command line");
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (only_args || word[0] != '-' || !word[1]) {
            args[cli->n_args++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_args = true;
            continue;
        }
        const char *eq = word[1] == '-' ? strchr(word, '=') : NULL;
        const struct option *o = find(word, eq ? (size_t)(eq - word) : strlen(word), command);
        if (!o || !(o->commands & 1u << command)) return unknown(word, eq, o, command, err);
        const char *value = NULL;
        if (o->kind == FLAG) {
            if (eq) return rg_fail(err, RG_E_USAGE, "%s: takes no value", o->lname);
        } else if (eq) {
            value = eq + 1;
        } else if (o->kind == SWITCH && !(i + 1 < argc && is_one_of(argv[i + 1], switch_words))) {
            value = "on";
        } else if (++i < argc) {
            value = argv[i];
        } else {
            return rg_fail(err, RG_E_USAGE, "%s: needs a value (%s)", word, o->meta);
        }
        const rg_status st = put(cli, o, word, value, err);
        if (st) return st;
    }
    const char *format = cli->output ? cli->output : cli->bench_output;
    if (cli->wide && format && cli->command != RG_CMD_QUANTIZE && strcmp(format, "text") != 0)
        return rg_fail(err, RG_E_USAGE, "--wide: not with -o %s: it is for the screen (-o text)", format);
    return try_outputs(cli, err);
}

rg_status rg_cli_set(rg_cli *cli, const char *lname, const char *value, rg_err *err)
{
    for (const struct option *o = options; o < options + RG_O_COUNT; o++) {
        if (o->kind == LIST || o->kind == IGNORED || strcmp(o->lname, lname) != 0) continue;
        if (o->kind != FLAG) return put(cli, o, lname, value, err);
        const int off = rg_cli_choice(lname, value, RG_WORDS("on", "off"), err);
        if (off < 0) return RG_E_USAGE;
        *(rg_cli_FLAG *)((char *)cli + o->offset) = off == 0;
        return RG_OK;
    }
    return rg_fail(err, RG_E_INTERNAL, "%s: no such option", lname);
}

const char *rg_cli_other(const rg_cli *cli, const rg_option_id *takes, int n)
{
    for (int i = 0; i < RG_O_COUNT; i++) {
        int k = 0;
        while (k < n && (int)takes[k] != i) k++;
        if (cli->given[i] && k == n) return options[i].lname;
    }
    return NULL;
}

static const char *group_of(int option)
{
    int g = 0;
    while (g + 1 < N_GROUPS && (int)groups[g + 1].first <= option) g++;
    return groups[g].title;
}

static void help_of(const rg_screen *s, int option, rg_command_id command)
{
    const struct option *o = &options[option];
    const char *meta = o->meta, *help = o->help;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        if ((int)texts[t].option != option || !(texts[t].commands & 1u << command)) continue;
        meta = texts[t].meta;
        help = texts[t].help;
    }
    char names[96];
    snprintf(names, sizeof names, "%s%s%s%s%s", o->sname ? o->sname : "", o->sname ? ", " : "", o->lname,
        meta ? " " : "", meta ? meta : "");
    rg_screen_wrap(s, RG_INK_PLAIN, fprintf(s->f, "  %-32s ", names), 35, help);
}

void rg_cli_help(FILE *f, rg_command_id command)
{
    const struct rg_command *c = &rg_commands[command];
    const rg_screen s = rg_screen_of(f, false);
    bool told[N_GROUPS] = {false};
    fprintf(f, "ridge %s: %s\n\nExamples\n%s", c->name, c->line, c->examples);
    for (int g = 0; g < N_GROUPS; g++) {
        bool any = false;
        for (int h = 0; h < g && !told[g]; h++) told[g] = strcmp(groups[h].title, groups[g].title) == 0;
        for (int i = 0; i < RG_O_COUNT && !told[g]; i++) {
            if (!(options[i].commands & 1u << command) || !options[i].help ||
                strcmp(group_of(i), groups[g].title) != 0)
                continue;
            if (!any) {
                fputc('\n', f);
                rg_screen_put(&s, RG_INK_HEAD, "%s", groups[g].title);
                fputc('\n', f);
            }
            any = true;
            help_of(&s, i, command);
        }
    }
}

int rg_cli_choice(const char *option, const char *value, const char *const *words, rg_err *err)
{
    char list[160] = "";
    if (!value) return 0;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) return i;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", words[i]);
    }
    rg_fail(err, RG_E_USAGE, "%s: '%s', expected %s", option, value, list);
    return -1;
}

bool rg_ends_with(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n > k && strcmp(s + n - k, tail) == 0;
}

rg_status rg_cli_no_args(const rg_cli *cli, rg_err *err)
{
    if (cli->n_args == 0) return RG_OK;
    return rg_fail(err, RG_E_USAGE,
        "'%s': unexpected argument; options begin with '-', and a model is given with -m", cli->args[0]);
}

void rg_progress_draw(void *user, const char *what, double fraction)
{
    enum { WIDTH = 30 };
    rg_progress *p = user;
    const uint64_t now = rg_now_ns();
    if (!p->start_ns) p->start_ns = now;
    if (now - p->start_ns < 2000000000u || now - p->drawn_ns < 100000000u || !isatty(STDERR_FILENO)) return;
    p->drawn_ns = now;
    p->shown = true;
    /* time left, at the pace so far */
    char left[24] = "";
    if (fraction > 0.01) {
        const double sec = (double)(now - p->start_ns) * 1e-9 * (1.0 - fraction) / fraction;
        snprintf(left, sizeof left, sec < 90.0 ? "  %.0f s left " : "  %.0f min left ",
            fmax(sec < 90.0 ? sec : sec / 60.0, 0.0));
    }
    const int fill = (int)(fmin(fmax(fraction, 0.0), 1.0) * WIDTH);
    fprintf(stderr, "\r%-28s [%.*s%*s] %3.0f %%%s", what, fill, "##############################",
        WIDTH - fill, "", 100.0 * fraction, left);
    fflush(stderr);
}

void rg_progress_clear(rg_progress *p)
{
    if (p->shown) fprintf(stderr, "\r%79s\r", "");
    *p = (rg_progress){0};
}

const char *rg_bytes_text(char *buf, size_t n, double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;
    while (bytes >= 1024.0 && u < 4) {
        bytes /= 1024.0;
        u++;
    }
    snprintf(buf, n, u == 0 ? "%.0f %s" : "%.4g %s", bytes, unit[u]);
    return buf;
}

/* In the source tree that holds the program, or below the prefix that it is installed in. */
static bool above_program(char *buf, size_t n)
{
    char dir[4096];
    const ssize_t len = readlink("/proc/self/exe", dir, sizeof dir - 1);
    dir[len < 0 ? 0 : len] = 0;
    for (char *slash; (slash = strrchr(dir, '/'));) {
        *slash = 0;
        for (int installed = 0; installed < 2; installed++) {
            snprintf(buf, n, "%s/%s/demo", dir, installed ? "share/ridge" : "weights");
            if (access(buf, R_OK) == 0) return true;
        }
    }
    return false;
}

rg_status rg_demo_path(char *buf, size_t n, rg_err *err)
{
    const char *named = getenv("RIDGE_DEMO");
    snprintf(buf, n, "%s", named ? named : "");
    if ((named && access(named, R_OK) == 0) || above_program(buf, n)) return RG_OK;
    return rg_fail(err, RG_E_FILE,
        "no model given and the demo checkpoint (weights/demo) is nowhere above the program: use -m PATH, or "
        "set RIDGE_DEMO");
}
