/* A crew: pinned threads that run one experiment together, from barrier to barrier. */
#ifndef RG_CREW_H
#define RG_CREW_H

#include "base/status.h"

enum { RG_CREW_MOST = 1024 };

typedef struct rg_crew rg_crew;
/* One thread's part; thread 0 writes what all share, between two meetings. */
typedef void rg_crew_fn(rg_crew *c, int tid, void *arg);

/* Starts `threads` threads, thread i pinned to cpus[i] (NULL: not pinned), runs fn in each, ends them. fn
 * begins when all exist. RG_E_NOMEM: one could not be started, and fn ran in none. */
rg_status rg_crew_run(int threads, const int *cpus, rg_crew_fn *fn, void *arg, rg_err *err);
/* Waits for all threads: spins, then yields, so that an oversubscribed machine gets through. */
void rg_crew_meet(rg_crew *c);
/* Nanoseconds of work(tid, arg) in all threads, from one meeting to the next, as each thread reads them. */
double rg_crew_time(rg_crew *c, int tid, void (*work)(int tid, void *arg), void *arg);

#endif
