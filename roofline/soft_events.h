/* The kernel's software events without PAPI: for builds without it, and for CPUs that the installed PAPI does not know, where it turns its
 * whole perf component off, software events included. */
#ifndef RG_SOFT_EVENTS_H
#define RG_SOFT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { RG_SOFT_EVENTS = 2 };
extern const char *const rg_soft_labels[RG_SOFT_EVENTS]; /* as in events.def */

/* A group of the calling thread's events, running at once. */
typedef struct rg_soft {
    int fd[RG_SOFT_EVENTS]; /* owns */
} rg_soft;

bool rg_soft_open(rg_soft *s);
/* One system call; false if the kernel refuses, then v is unchanged. */
bool rg_soft_read(const rg_soft *s, uint64_t v[RG_SOFT_EVENTS]);
void rg_soft_close(rg_soft *s);

#endif
