/* OpenBLAS, loaded when it is first asked for: a program that is linked to it pays for it at every start,
 * with tens of MiB for each processor, and waits for them forever where a `ulimit -v` leaves less. */
#ifndef RG_OPENBLAS_H
#define RG_OPENBLAS_H

#include <stdbool.h>

/* Outside parallel regions. A pthreads build is kept from starting threads; an OpenMP build runs serially
 * inside our regions. false: *why (may be NULL) says why not; static. */
bool rg_openblas_load(const char **why);
/* A function of it, loaded if need be; NULL: there is none. */
void *rg_openblas_symbol(const char *name);

#endif
