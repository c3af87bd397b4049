/* Event sets of PAPI, without saying so. Inside of roofline/. papi.c alone includes <papi.h>; without PAPI
 * its functions say no. Error codes are PAPI's own, 0 is fine. */
#ifndef RG_PAPI_SETS_H
#define RG_PAPI_SETS_H

#include <stdbool.h>
#include <stddef.h>

enum { RG_PAPI_NO_SET = -1 };

/* Starts the library and its threads, once per process. False: why. */
bool rg_papi_begin(char *why, size_t n);
/* "7.0.0, ..." into buf, NULL without PAPI. */
const char *rg_papi_describe(char *buf, size_t n);

/* A set of the calling thread. The events are added, started, read and stopped: only then do they work. */
int rg_papi_make(int *set, const char *const *event, int n);
int rg_papi_start(int set);
int rg_papi_stop(int set);
/* values[n]; a failed read leaves them alone. */
int rg_papi_read(int set, long long *values);
/* Stops and forgets; legal on RG_PAPI_NO_SET. */
void rg_papi_drop(int *set);

/* For threads that the program made. */
int rg_papi_enter_thread(void);
void rg_papi_leave_thread(void);

const char *rg_papi_text(int code);
int rg_papi_errno(int code); /* the errno behind a code; 0: unknown */

#endif
