/* The command line: one table of options (options.def), one of commands (commands.def). A command is
 * `rg_status cmd_NAME(const rg_cli *, rg_err *)`. */
#ifndef RG_CLI_H
#define RG_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/config.h"
#include "base/status.h"
#include "base/sysinfo.h"
#include "ridge/engine.h"
#include "tokenizer/tokenizer.h"

typedef bool rg_cli_FLAG;
typedef int64_t rg_cli_INT;
typedef double rg_cli_REAL;
typedef const char *rg_cli_STR;
typedef const char *rg_cli_OUT, *rg_cli_DRAW; /* can be written to, or the command line was refused */
typedef const char *rg_cli_IGNORED;
/* Every value of an option that may be repeated, in order; each may be a comma list. */
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

bool rg_ends_with(const char *s, const char *tail);

/* "1.5 GiB" into buf. */
const char *rg_bytes_text(char *buf, size_t n, double bytes);

/* Path of the demo checkpoint: $RIDGE_DEMO, else beside the program's source or in its installed data folder;
 * error if it is nowhere. */
rg_status rg_demo_path(char *buf, size_t n, rg_err *err);

/* ---- values of options that take lists: repeated flags, comma lists, and for counts ranges ---- */

typedef struct rg_words {
    char **w; /* owns */
    int n;
} rg_words;

typedef struct rg_counts {
    int64_t *v; /* owns */
    int n;
} rg_counts;

/* Appends every word of "a,b" "c". An empty word is refused, naming the option. */
rg_status rg_list_words(rg_words *out, const char *option, const rg_cli_LIST *list, rg_err *err);
/* The words of one comma list; none for NULL. */
rg_status rg_list_split(rg_words *out, const char *option, const char *text, rg_err *err);
/* Appends every count: a number, or a range `first-last`, `first-last+step`, `first-last*factor`, both ends
 * included where they are hit. */
rg_status rg_list_counts(
    rg_counts *out, const char *option, const rg_cli_LIST *list, int64_t low, int64_t high, rg_err *err);

/* A copy of the word; -1 without memory. */
int rg_words_add(rg_words *l, const char *word);
void rg_words_free(rg_words *l);
void rg_counts_free(rg_counts *l);

/* ---- from options to a checkpoint, an engine, a session and prompt tokens ---- */

/* -m, or the demo checkpoint. */
rg_status rg_open_model(rg_ckpt **out, const rg_cli *cli, rg_err *err);

/* Engine and session options from the command line, checked. dtype: name of the weight type, or NULL for "as
 * in the file". The progress drawer in `p` must outlive the load. */
rg_status rg_engine_args(
    rg_engine_opts *o, const rg_cli *cli, const char *dtype, rg_progress *p, rg_err *err);
/* The mask of --fuse (NULL: the default). */
rg_status rg_fuse_arg(unsigned *fuse, const char *text, rg_err *err);
/* kv: the cache type where -ctk or -ctv are not given (rg_default_kv). */
rg_status rg_session_args(rg_session_opts *o, const rg_cli *cli, rg_kvtype kv, rg_err *err);

/* What can be refused before anything is loaded or measured: weights and session that cannot be, or do not
 * fit into memory together. */
rg_status rg_check_engine(const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);
/* The engine, if rg_check_engine has nothing against it. */
rg_status rg_open_engine(
    rg_engine **out, const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);

typedef struct rg_tokens {
    int32_t *id; /* owns */
    int64_t n;
} rg_tokens;

/* Prompt from -p, -f or --token-ids (tok may be NULL only with the last). RG_E_USAGE if there is none; bytes
 * beyond the vocabulary refused. */
rg_status rg_prompt_tokens(
    rg_tokens *t, const rg_cli *cli, const rg_tokenizer *tok, int64_t vocab, rg_err *err);

/* A whole file, NUL-terminated behind its len bytes; the caller frees. */
rg_status rg_read_file(char **text, size_t *len, const char *path, rg_err *err);

/* ---- for commands that make or model a configuration without a checkpoint ---- */

/* --shape NAME or --dims LIST: exactly one of the two must be given. */
rg_status rg_shape_args(rg_config *c, const rg_cli *cli, rg_err *err);

#endif
