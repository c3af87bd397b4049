/* What is typed: lines of standard input. Where somebody sits at a terminal and libedit was found, they are
 * edited, and kept for later chats in $XDG_STATE_HOME/ridge/chat_history (default ~/.local/state); lines that
 * begin with a blank are not kept. */
#ifndef RG_TYPING_H
#define RG_TYPING_H

#include <stdbool.h>

#include "base/status.h"

typedef struct rg_typing rg_typing;

/* colour: typed text is green. */
rg_status rg_typing_open(rg_typing **out, bool colour, rg_err *err);
/* Keeps the lines; legal on NULL. */
void rg_typing_close(rg_typing *t);

bool rg_typing_terminal(const rg_typing *t);
/* A line without its end, borrowed until the next. prompt: shown at terminals. NULL: the end of the input, or
 * a signal (then rg_stop). */
const char *rg_typing_line(rg_typing *t, const char *prompt);
/* Further lines are there already: they were pasted together. */
bool rg_typing_more(const rg_typing *t);

#endif
