/* Chat templates as programs: the subset of Jinja they use, as transformers sets it up (trim_blocks,
 * lstrip_blocks, loop controls, the immutable sandbox). Time, memory, depth and output are bounded. Not for
 * pages: nothing is escaped, loaded or imported. */
#ifndef RG_JINJA_H
#define RG_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/status.h"

typedef struct rg_jinja rg_jinja;

/* What a byte of a text comes from. Bytes of templates have no mark. */
enum {
    RG_JINJA_FOREIGN = 1, /* of a message: it never becomes a control token */
    RG_JINJA_ANSWER = 2   /* of the answer whose place in the text is asked for */
};

typedef struct rg_jinja_text {
    char *p;             /* [n], then a 0; owns */
    unsigned char *mark; /* [n]; owns */
    size_t n;
} rg_jinja_text;

/* A message is a mapping of role and content. */
typedef struct rg_jinja_message {
    const char *role, *content; /* borrowed, as all below */
    size_t n;                   /* bytes of content */
    const unsigned char *mark;  /* [n], or NULL: all are FOREIGN */
} rg_jinja_message;

typedef struct rg_jinja_args {
    const rg_jinja_message *message;
    size_t n_messages;
    bool generate; /* add_generation_prompt */
    /* pairs of a variable's name and its text, ended by NULL; a NULL text leaves the variable undefined */
    const char *const *variable;
    struct tm date; /* what strftime_now says */
} rg_jinja_args;

/* Compiles text[n]. name: in messages, copied. RG_E_UNSUPPORTED: a construct that is not in the subset;
 * RG_E_FILE: no Jinja. Both name construct and line. */
rg_status rg_jinja_open(rg_jinja **out, const char *text, size_t n, const char *name, rg_err *err);
/* Legal on NULL. */
void rg_jinja_close(rg_jinja *t);

/* Runs the template. RG_E_USAGE: it raised an exception of its own, whose message is told; the others as
 * above, and RG_E_UNSUPPORTED for one that takes too long or too much. Many threads may render at once. */
rg_status rg_jinja_render(rg_jinja_text *out, const rg_jinja *t, const rg_jinja_args *a, rg_err *err);
void rg_jinja_text_free(rg_jinja_text *x);

#endif
