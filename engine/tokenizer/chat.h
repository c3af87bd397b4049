/* Chat templates: which one a checkpoint wants, and conversations as text and token ids. chat.def has those
 * that can be named. */
#ifndef RG_CHAT_H
#define RG_CHAT_H

#include "tokenizer/jinja.h"
#include "tokenizer/tokenizer.h"

typedef struct rg_chat {
    const char *name; /* of chat.def; NULL: the checkpoint's own template, or that of a file; static */
    char source[128]; /* where the template comes from, for people; "": nothing said anything, it is "none" */
    char others[120]; /* names of templates of the same source, which are not used; or "" */
    rg_jinja *program; /* owns */
    struct tm date;    /* what strftime_now says */
} rg_chat;

typedef struct rg_chat_opts {
    const char *tokenizer; /* path of -z, or NULL */
    const char
        *name; /* of chat.def, a file with a template, or the name of one of the checkpoint's own; NULL:
                         its default one */
    const char *date; /* YYYY-MM-DD; NULL: today */
} rg_chat_opts;

/* "chatml, llama2, ..." into buf, which is returned. */
const char *rg_chat_names(char *buf, size_t n);

/* The template of a checkpoint: chat_template.jinja with additional_chat_templates/, tokenizer_config.json or
 * chat_template.json beside the tokenizer (or the model), or the GGUF keys; of several with names, the one
 * called "default". RG_E_USAGE: unknown name or date. RG_E_FILE: malformed file. RG_E_UNSUPPORTED: none is
 * called so, or the template needs what the interpreter lacks; construct and line are named. */
rg_status rg_chat_open(rg_chat *c, const rg_ckpt *ckpt, const rg_chat_opts *o, rg_err *err);
void rg_chat_close(rg_chat *c); /* legal on a zeroed struct */

/* A conversation as the model gets it, up to where its answer begins. */
typedef struct rg_chat_text {
    rg_jinja_text x; /* p, mark, n */
    size_t front;    /* bytes in front that are the tokenizer's own BOS, which the template did not write */
} rg_chat_text;

/* RG_E_USAGE: the template refuses this conversation, with its own words. Messages never become control
 * tokens, but for bytes whose mark is not FOREIGN. */
rg_status rg_chat_render(rg_chat_text *out, const rg_chat *c, const rg_tokenizer *t,
    const rg_jinja_message *m, size_t n, rg_err *err);
void rg_chat_text_free(rg_chat_text *x);

/* The whole text as ids, which begin with BOS exactly once where template or tokenizer wants it. */
rg_status rg_chat_encode(const rg_tokenizer *t, const rg_chat_text *x, int32_t **ids, size_t *n, rg_err *err);
/* Its bytes [from, to), without BOS. */
rg_status rg_chat_encode_part(const rg_tokenizer *t, const rg_chat_text *x, size_t from, size_t to,
    int32_t **ids, size_t *n, rg_err *err);

#endif
