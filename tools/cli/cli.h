/* The command line: one table of options (options.def), one of commands (commands.def). A command is
 * `rg_status cmd_NAME(const rg_cli *, rg_err *)`. */
#ifndef RG_CLI_H
#define RG_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "base/sysinfo.h"

typedef bool rg_cli_FLAG;
typedef int64_t rg_cli_INT;
typedef double rg_cli_REAL;
typedef const char *rg_cli_STR;
typedef const char *rg_cli_OUT, *rg_cli_DRAW; /* can be written to, or the command line was refused */
typedef const char *rg_cli_IGNORED;
/* Every value of an option that may be repeated, in order; each may be a comma list (tools/cli/lists.h). */
enum { RG_CLI_LIST_MAX = 32 };
typedef struct rg_cli_LIST {
    const char *v[RG_CLI_LIST_MAX];
    int n;
} rg_cli_LIST;

typedef enum rg_command_id {
#define RG_COMMAND(id, name, line, examples) RG_CMD_##id,
#include "tools/cli/commands.def"
    RG_CMD_COUNT
} rg_command_id;

typedef enum rg_option_id {
#define RG_OPT(kind, field, sname, lname, meta, low, high, commands, help) RG_O_##field,
#include "tools/cli/options.def"
    RG_O_COUNT
} rg_option_id;

typedef struct rg_cli {
#define RG_OPT(kind, field, sname, lname, meta, low, high, commands, help) rg_cli_##kind field;
#include "tools/cli/options.def"
    bool given[RG_O_COUNT]; /* indexed by RG_O_field */
    rg_command_id command;
    const char *const *args; /* positional arguments */
    int n_args;
    char *line; /* the whole command line, for reports */
} rg_cli;

#define RG_GIVEN(cli, field) ((cli)->given[RG_O_##field])

#define RG_COMMAND(id, name, line, examples) rg_status rg_cmd_##id(const rg_cli *cli, rg_err *err);
#include "tools/cli/commands.def"

/* Parses argv after the subcommand. RG_E_USAGE with one line. --help is handled by the caller (ridge.c). */
rg_status rg_cli_parse(rg_cli *cli, rg_command_id command, int argc, const char *const *argv, rg_err *err);
void rg_cli_help(FILE *f, rg_command_id command);

/* Sets one single-valued option by its long name to a value as if it had been typed (flags: on or off);
 * RG_E_USAGE if the value does not fit. For commands that run several settings: each is a copy of the command
 * line with some options replaced. */
rg_status rg_cli_set(rg_cli *cli, const char *lname, const char *value, rg_err *err);

/* Which of the words (NULL-terminated) a value is; -1 and an error naming the option and the words if none.
 * value NULL: index 0. */
int rg_cli_choice(const char *option, const char *value, const char *const *words, rg_err *err);
/* Refuses positional arguments. */
rg_status rg_cli_no_args(const rg_cli *cli, rg_err *err);

/* Set by SIGINT/SIGTERM; the second signal ends the program with 130 at once. */
extern rg_stop_flag rg_stop;
/* Nonzero while the last row of the terminal is a status line, which must be given back before the program
 * ends. */
extern rg_stop_flag rg_terminal_dirty;

/* Draws progress on stderr after two seconds, on a terminal only; an rg_progress_fn. user: an rg_progress,
 * zeroed before. */
typedef struct rg_progress {
    uint64_t start_ns, drawn_ns;
    bool shown;
} rg_progress;
void rg_progress_draw(void *user, const char *what, double fraction);
void rg_progress_clear(rg_progress *p);

/* "1.5 GiB" into buf. */
const char *rg_bytes_text(char *buf, size_t n, double bytes);

/* Path of the demo checkpoint: $RIDGE_DEMO, else beside the program's source or in its installed data folder;
 * error if it is nowhere. */
rg_status rg_demo_path(char *buf, size_t n, rg_err *err);

#endif
