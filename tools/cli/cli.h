/* The command line: one table of options (options.def), one of commands (commands.def). */
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
typedef const char *rg_cli_OUT, *rg_cli_DRAW; /* known to be writable */
typedef const char *rg_cli_SWITCH;            /* "on", "off", "auto", or NULL */
typedef const char *rg_cli_IGNORED;
/* The values of a repeated option in order; each may be a comma list. */
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
#define RG_OR(cli, field, otherwise) (RG_GIVEN(cli, field) ? (cli)->field : (otherwise))

#define RG_COMMAND(id, name, line, examples) rg_status rg_cmd_##id(const rg_cli *cli, rg_err *err);
#include "tools/cli/commands.def"

extern const struct rg_command {
    const char *name, *line, *examples;
} rg_commands[RG_CMD_COUNT];

/* argv: behind the subcommand, without --help. */
rg_status rg_cli_parse(rg_cli *cli, rg_command_id command, int argc, const char *const *argv, rg_err *err);
void rg_cli_help(FILE *f, rg_command_id command);

/* Sets a single-valued option by its long name, as if typed (flags: on or off), in a copy of the command line
 * for one of several settings. */
rg_status rg_cli_set(rg_cli *cli, const char *lname, const char *value, rg_err *err);

/* The name of an option that was given and is none of n; NULL: none was. */
const char *rg_cli_other(const rg_cli *cli, const rg_option_id *takes, int n);

#define RG_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Which of the words a value is (NULL: the first); -1 and RG_E_USAGE if none. */
int rg_cli_choice(const char *option, const char *value, const char *const *words, rg_err *err);
/* Refuses positional arguments. */
rg_status rg_cli_no_args(const rg_cli *cli, rg_err *err);

/* Set to SIGINT, SIGTERM or SIGHUP when it came; the second signal ends the program with 130 at once. */
extern rg_stop_flag rg_stop;
/* Nonzero while the last row of the terminal is a status line, to be given back at the end. */
extern rg_stop_flag rg_terminal_dirty;

/* An rg_progress_fn: draws on a terminal after two seconds. user: an rg_progress, zeroed before. */
typedef struct rg_progress {
    uint64_t start_ns, drawn_ns;
    bool shown;
} rg_progress;
void rg_progress_draw(void *user, const char *what, double fraction);
void rg_progress_clear(rg_progress *p);

bool rg_ends_with(const char *s, const char *tail);

/* "1.5 GiB" into buf. */
const char *rg_bytes_text(char *buf, size_t n, double bytes);

/* The demo checkpoint: $RIDGE_DEMO, else above the program, in its source or its installed data. */
rg_status rg_demo_path(char *buf, size_t n, rg_err *err);

/* ---- lists: repeated flags, comma lists, and for counts ranges ---- */

typedef struct rg_words {
    char **w; /* owns */
    int n;
} rg_words;

typedef struct rg_counts {
    int64_t *v; /* owns */
    int n;
} rg_counts;

/* Appends every word of "a,b" "c"; an empty one is refused. */
rg_status rg_list_words(rg_words *out, const char *option, const rg_cli_LIST *list, rg_err *err);
/* The words of one comma list; none for NULL. */
rg_status rg_list_split(rg_words *out, const char *option, const char *text, rg_err *err);
/* Appends every count: a number, or a range `first-last`, `first-last+step`, `first-last*factor`. */
rg_status rg_list_counts(
    rg_counts *out, const char *option, const rg_cli_LIST *list, int64_t low, int64_t high, rg_err *err);

/* A copy of the word; -1 without memory. */
int rg_words_add(rg_words *l, const char *word);
void rg_words_free(rg_words *l);
void rg_counts_free(rg_counts *l);

/* -m, or the demo checkpoint. */
rg_status rg_open_model(rg_ckpt **out, const rg_cli *cli, rg_err *err);

/* Checked options. dtype: the weight type, NULL: as in the file. p must outlive the load. */
rg_status rg_engine_args(
    rg_engine_opts *o, const rg_cli *cli, const char *dtype, rg_progress *p, rg_err *err);
/* Refuses more threads than processors, unless --oversubscribe. */
rg_status rg_threads_check(const rg_cli *cli, int64_t threads, rg_err *err);
/* The mask of --fuse (NULL: the default). */
rg_status rg_fuse_arg(unsigned *fuse, const char *text, rg_err *err);
/* kv: the cache type where -ctk or -ctv are not given (rg_default_kv). */
rg_status rg_session_args(rg_session_opts *o, const rg_cli *cli, rg_kvtype kv, rg_err *err);

/* Says once that a context is longer than the model was made for, which is fine for measuring alone. */
void rg_note_context(const rg_config *c, int64_t ctx);

/* Refuses weights and session that cannot be, or do not fit into memory, before anything is loaded. */
rg_status rg_check_engine(const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);
/* The engine, if rg_check_engine has nothing against it. */
rg_status rg_open_engine(
    rg_engine **out, const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);

/* --no-bos and --special, for rg_tokenizer_encode. */
int rg_encode_flags(const rg_cli *cli);

typedef struct rg_tokens {
    int32_t *id; /* owns */
    int64_t n;
} rg_tokens;

/* From -p, -f or --token-ids (only there tok may be NULL); refuses no tokens, and ids beyond the vocabulary.
 */
rg_status rg_prompt_tokens(
    rg_tokens *t, const rg_cli *cli, const rg_tokenizer *tok, int64_t vocab, rg_err *err);

/* A whole file ("-": standard input), NUL-terminated behind its len bytes; the caller frees. */
rg_status rg_read_file(char **text, size_t *len, const char *path, rg_err *err);
/* The same of a text: UTF-16 with a byte order mark is decoded; what was changed, and CRLF, is said unless
 * quiet. */
rg_status rg_read_text(char **text, size_t *len, const char *path, bool quiet, rg_err *err);

/* A configuration without a checkpoint: --shape NAME or --dims LIST, exactly one of them. */
rg_status rg_shape_args(rg_config *c, const rg_cli *cli, rg_err *err);

#endif
