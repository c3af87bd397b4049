/* What was said in a chat, and which tokens of the cache the next turn can keep. */
#ifndef RG_HISTORY_H
#define RG_HISTORY_H

#include "tokenizer/chat.h"

typedef struct rg_history {
    rg_jinja_message *message; /* owns, with their texts */
    size_t n, cap;
    rg_chat_text shown; /* the rendering behind which the last answer was drawn; owns */
    rg_chat_text was;   /* as shown was, and the messages then, before the last turn */
    size_t n_was;
    /* what was said is not known (a session file was loaded, the context shifted): turns are only added */
    bool unknown;
} rg_history;

/* The tokens of a chat so far, and where its last answer begins among them; -1: unknown. */
typedef struct rg_history_tokens {
    const int32_t *id;
    int64_t n, answer;
} rg_history_tokens;

/* The next turn: *keep of the tokens stay, ids[n] (malloc'ed) go behind them. system: NULL: none is given.
 * h changes only where this is RG_OK. RG_E_USAGE: the template refuses this turn. */
rg_status rg_history_turn(rg_history *h, const rg_chat *c, const rg_tokenizer *t, const char *system,
    const char *user, const rg_history_tokens *now, int64_t *keep, int32_t **ids, size_t *n, rg_err *err);
/* The last turn was not said, and its answer not drawn: once, behind rg_history_turn. */
void rg_history_undo(rg_history *h);
/* Forgets all that was said. unknown: there are tokens all the same. Legal on a zeroed struct. */
void rg_history_clear(rg_history *h, bool unknown);

#endif
