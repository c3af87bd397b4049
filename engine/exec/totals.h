/* What all teams of the process have counted, recorded or not: advances with every forward call. Each thread
 * adds to a place of its own; a reader on any thread sums them. */
#ifndef RG_TOTALS_H
#define RG_TOTALS_H

#include "ops/rec.h"

typedef struct rg_board rg_board;

/* NULL without memory. What a closed board counted stays in the process's sums. */
rg_board *rg_board_open(int threads);
void rg_board_close(rg_board *b); /* legal on NULL */

/* Thread tid's counts of a call; by that thread only. */
void rg_board_add(rg_board *b, int tid, const rg_tally *t);
/* A call of that many tokens; by one thread. */
void rg_board_call(rg_board *b, rg_phase phase, int64_t tokens);

/* Also declared in ridge/engine.h. */
void rg_process_totals(rg_totals *out);

#endif
