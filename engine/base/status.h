/* Status codes, which are the exit codes of the program, and error messages. */
#ifndef RG_STATUS_H
#define RG_STATUS_H

#include <stdarg.h>

typedef enum rg_status {
    RG_OK = 0,
    RG_E_INTERNAL = 1,
    RG_E_USAGE = 2,
    RG_E_FILE = 3,        /* missing, unreadable, truncated or malformed file */
    RG_E_UNSUPPORTED = 4, /* a sound file that needs a feature we lack; the message names it */
    RG_E_NOMEM = 5,
    RG_E_ASSERT = 6, /* an --assert failed */
    RG_E_NOISY = 7,
    RG_E_INTERRUPTED = 130
} rg_status;

#define RG_ERR_MAX 640

typedef struct rg_err {
    rg_status code;
    char msg[RG_ERR_MAX]; /* one line: what, where, found, expected, what to do */
} rg_err;

/* Writes the message and returns `code`. err may be NULL. */
rg_status rg_fail(rg_err *err, rg_status code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* RG_E_NOMEM: "what: out of memory". */
rg_status rg_no_memory(rg_err *err, const char *what);

/* A file that is being read: its name in messages, and where they go (both borrowed). */
typedef struct rg_src {
    const char *name;
    rg_err *err;
} rg_src;

/* RG_E_FILE and RG_E_UNSUPPORTED: "name: " and the message. */
rg_status rg_bad(const rg_src *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
rg_status rg_lacks(const rg_src *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* which cannot see that a failure is not RG_OK */
#define rg_fail(err, code, ...) (rg_fail(err, code, __VA_ARGS__), (code))
#define rg_bad(s, ...) (rg_bad(s, __VA_ARGS__), RG_E_FILE)
#define rg_lacks(s, ...) (rg_lacks(s, __VA_ARGS__), RG_E_UNSUPPORTED)
#define rg_no_memory(err, what) (rg_no_memory(err, what), RG_E_NOMEM)
#endif

#endif
