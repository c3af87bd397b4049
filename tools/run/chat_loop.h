/* A conversation on standard input and output. */
#ifndef RG_CHAT_LOOP_H
#define RG_CHAT_LOOP_H

#include "tokenizer/chat.h"
#include "tools/run/talk.h"

/* Talks until /exit, the end of the input, or (single) one answer. first: the first message, or NULL: it is
 * read. */
rg_status rg_chat_loop(
    rg_talk *t, const rg_chat *form, const char *first, bool single, int64_t n_predict, rg_err *err);

#endif
