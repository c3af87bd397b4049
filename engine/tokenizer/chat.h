/* Chat templates: which one a checkpoint wants, and conversations as token ids. chat.def has the forms. */
#ifndef RG_CHAT_H
#define RG_CHAT_H

#include "tokenizer/tokenizer.h"

typedef enum rg_chat_id {
#define RG_CHAT(id, name, s0, s1, u0, u1, a0, a1, flags) RG_CHAT_##id,
#include "tokenizer/chat.def"
    RG_CHAT_COUNT
} rg_chat_id;

typedef struct rg_chat {
    rg_chat_id id;
    char source[128]; /* where the choice comes from, for people; "": nothing said anything */
    bool unknown;     /* the checkpoint has a template that we do not know: id is NONE */
    char *system;     /* the template's own system prompt, or NULL; owns */
} rg_chat;

const char *rg_chat_name(rg_chat_id id);
/* -1: no such name. */
int rg_chat_from_name(const char *name);
/* The form that a template text has the markers of, or -1. */
int rg_chat_recognise(const char *text);
/* The default system prompt of a ChatML template, if it is plain text there, else NULL; the caller frees. */
char *rg_chat_default_system(const char *text);

/* The template of a checkpoint: chat_template.jinja or tokenizer_config.json beside the tokenizer (or the
 * model), or the GGUF key. name (may be NULL) overrides. tokenizer: path of -z, or NULL. RG_E_USAGE: unknown
 * name. RG_E_FILE: malformed tokenizer_config.json. */
rg_status rg_chat_open(rg_chat *c, const rg_ckpt *ckpt, const char *tokenizer, const char *name, rg_err *err);
void rg_chat_close(rg_chat *c); /* legal on a zeroed struct */

/* What goes before the model's answer: first the system prompt, later the end of the last answer; then the
 * user's turn and the opening of the answer. Messages never become control tokens. */
typedef struct rg_chat_turn {
    const char *system; /* NULL: the template's own, if it has one; "": none */
    const char *user;
    bool first; /* the conversation starts here */
} rg_chat_turn;

rg_status rg_chat_encode(
    const rg_chat *c, const rg_tokenizer *t, const rg_chat_turn *turn, int32_t **ids, size_t *n, rg_err *err);
/* The same as text, control tokens spelled out; the caller frees. NULL without memory. */
char *rg_chat_text(const rg_chat *c, const rg_tokenizer *t, const rg_chat_turn *turn);

#endif
