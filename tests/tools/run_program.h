/* Runs the program ($RIDGE_BIN) as a user would and keeps what it says. */
#ifndef RG_RUN_PROGRAM_H
#define RG_RUN_PROGRAM_H

#include "testing.h"

#include <jansson.h>

typedef struct output {
    char *out, *err; /* NUL-terminated; freed by done() */
    size_t n_out, n_err;
    int code; /* exit code, or 128 + the signal that ended it */
} output;

/* Where standard output goes and what happens meanwhile; all optional. */
typedef struct run_opts {
    const char *out_path; /* instead of a file that is read back */
    bool closed_out;      /* standard output is closed */
    const char *in_path;  /* standard input; default /dev/null */
    const char *env[4];   /* "NAME=value" to add, NULL-terminated */
    /* send SIGINT that long after the start (again with three times as long if there was no report yet)
     * ... */
    int sigint_after_ms;
    size_t sigint_after_bytes; /* ... or once that much was printed */
} run_opts;

/* ridge("run", "-m", path, NULL) */
output ridge(const char *first, ...) __attribute__((sentinel));
output ridge_with(const run_opts *o, const char *first, ...) __attribute__((sentinel));
void done(output *o);

/* The program must fail with `code`, one line on stderr that holds each of the texts (up to NULL), and
 * nothing on stdout. */
void expect_error(output o, int code, ...) __attribute__((sentinel));
void expect_ok(const output *o);

/* A folder of the test's own, removed at exit, and a path in it (borrowed until 64 more were asked for). */
const char *scratch(const char *name);
/* A small random checkpoint (HF folder) made by `ridge synth` at first use; dims as for --dims. */
const char *tiny_model(void);
/* Copy of the tiny model's folder under another name. */
const char *copy_of_tiny(const char *name);
/* A machine file: that of $RIDGE_TEST_MACHINE, or measured at first use. */
const char *machine_file(void);

/* Holds a JSON file against a schema (ridge report --schema): 0 it fits, 1 it does not, 77 without
 * python3-jsonschema. */
int schema_check(const char *schema, const char *file);

void write_bytes(const char *path, const void *p, size_t n);
bool file_exists(const char *path);

#endif
