/* Chat templates: which one a checkpoint wants, and conversations as token ids. The forms are in chat.def. */
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
    char source[128]; /* where the choice comes from, for people; "" if nothing said anything */
    bool unknown;     /* the checkpoint has a template, but none that is known: id is NONE */
    char *system;     /* the system prompt that the template supplies itself, or NULL; owns */
} rg_chat;

const char *rg_chat_name(rg_chat_id id);
/* -1: no such name. */
int rg_chat_from_name(const char *name);
/* The form whose markers a template text holds, or -1. */
int rg_chat_recognise(const char *text);
/* The system prompt that a ChatML template writes when none is given, if it is a plain text in there; NULL if
 * not; the caller frees. */
char *rg_chat_default_system(const char *text);

/* The template of a checkpoint: chat_template.jinja or tokenizer_config.json beside the tokenizer (or the
 * model), or the GGUF key. name (may be NULL) overrides. tokenizer: path of -z, or NULL. RG_E_USAGE for an
 * unknown name; RG_E_FILE for a malformed tokenizer_config.json. */
rg_status rg_chat_open(rg_chat *c, const rg_ckpt *ckpt, const char *tokenizer, const char *name, rg_err *err);
void rg_chat_close(rg_chat *c); /* legal on a zeroed struct */

/* What goes before an answer of the model: at the start of a conversation the system prompt, later the end of
 * the answer before; then the user's turn and the opening of the answer. Messages never become control
 * tokens. */
typedef struct rg_chat_turn {
    const char *system; /* NULL: the template's own, if it has one; "": none */
    const char *user;
    bool first; /* the conversation starts here */
} rg_chat_turn;

rg_status rg_chat_encode(
    const rg_chat *c, const rg_tokenizer *t, const rg_chat_turn *turn, int32_t **ids, size_t *n, rg_err *err);
/* The same as text, control tokens as they are written; the caller frees. NULL without memory. */
char *rg_chat_text(const rg_chat *c, const rg_tokenizer *t, const rg_chat_turn *turn);

#endif
