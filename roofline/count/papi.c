/* The only file that knows PAPI. Counts in user mode, PAPI's default; events of kernel mode say so in their
 * names. */
#include "roofline/count/papi_sets.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef RIDGE_HAVE_PAPI
#include <papi.h>
#include <pthread.h>
#include <unistd.h>

enum { MOST = 32 }; /* events of a set */

bool rg_papi_begin(char *why, size_t n)
{
    if (PAPI_is_initialized() == PAPI_NOT_INITED) {
        const int rc = PAPI_library_init(PAPI_VER_CURRENT);
        if (rc != PAPI_VER_CURRENT) {
            snprintf(why, n, "PAPI does not start (%s)",
                rc > 0 ? "built against another version" : PAPI_strerror(rc));
            return false;
        }
    }
    if (!(PAPI_is_initialized() & PAPI_THREAD_LEVEL_INITED) &&
        PAPI_thread_init((unsigned long (*)(void))pthread_self) != PAPI_OK) {
        snprintf(why, n, "PAPI refuses threads");
        return false;
    }
    return true;
}

const char *rg_papi_describe(char *buf, size_t n)
{
    char why[128], table[200] = "";
    if (!rg_papi_begin(why, sizeof why)) {
        snprintf(buf, n, "%s", why);
        return buf;
    }
    const char *csv = getenv("PAPI_CSV_EVENT_FILE");
    if (csv && *csv)
        snprintf(table, sizeof table, " by PAPI_CSV_EVENT_FILE=%.120s%s", csv,
            access(csv, R_OK) == 0 ? "" : " (which cannot be read)");
    const int c = PAPI_get_component_index("perf_event");
    const PAPI_component_info_t *i = c >= 0 ? PAPI_get_component_info(c) : NULL;
    snprintf(buf, n, "%d.%d.%d, %d presets for this CPU%s%s", PAPI_VERSION_MAJOR(PAPI_VERSION),
        PAPI_VERSION_MINOR(PAPI_VERSION), PAPI_VERSION_REVISION(PAPI_VERSION), i ? i->num_preset_events : 0,
        table, i && i->disabled ? "; its perf component is off" : "");
    return buf;
}

int rg_papi_make(int *set, const char *const *event, int n)
{
    long long v[MOST] = {0};
    *set = PAPI_NULL;
    int rc = n < 1 || n > MOST ? PAPI_EINVAL : PAPI_create_eventset(set);
    /* PAPI 7.0 wants char *, does not write */
    for (int i = 0; rc == PAPI_OK && i < n; i++) rc = PAPI_add_named_event(*set, (char *)(uintptr_t)event[i]);
    if (rc == PAPI_OK) rc = PAPI_start(*set);
    if (rc == PAPI_OK) rc = PAPI_read(*set, v); /* a counter that is taken shows only here */
    if (rc == PAPI_OK) rc = PAPI_stop(*set, v);
    if (rc != PAPI_OK) rg_papi_drop(set);
    return rc;
}

int rg_papi_start(int set) { return PAPI_start(set); }

int rg_papi_stop(int set)
{
    long long v[MOST];
    return PAPI_stop(set, v);
}

int rg_papi_read(int set, long long *values) { return PAPI_read(set, values); }

void rg_papi_drop(int *set)
{
    long long v[MOST];
    if (*set == PAPI_NULL) return;
    PAPI_stop(*set, v); /* an error if it does not run: nothing to stop */
    PAPI_cleanup_eventset(*set);
    PAPI_destroy_eventset(set);
    *set = PAPI_NULL;
}

int rg_papi_enter_thread(void) { return PAPI_register_thread(); }
void rg_papi_leave_thread(void) { PAPI_unregister_thread(); }

const char *rg_papi_text(int code) { return PAPI_strerror(code); }

int rg_papi_errno(int code)
{
    static const int of[][2] = {{PAPI_EPERM, EPERM}, {PAPI_ENOEVNT, ENOENT}, {PAPI_ECNFLCT, EBUSY},
        {PAPI_ECOUNT, EMFILE}, {PAPI_ENOMEM, ENOMEM}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (of[i][0] == code) return of[i][1];
    return 0;
}

_Static_assert(RG_PAPI_NO_SET == PAPI_NULL, "the value that means no set");

#else

bool rg_papi_begin(char *why, size_t n)
{
    snprintf(why, n, "built without PAPI");
    return false;
}
const char *rg_papi_describe(char *buf, size_t n)
{
    (void)buf, (void)n;
    return NULL;
}
int rg_papi_make(int *set, const char *const *event, int n)
{
    (void)event, (void)n;
    *set = RG_PAPI_NO_SET;
    return -1;
}
int rg_papi_start(int set) { return set < 0 ? set : -1; }
int rg_papi_stop(int set) { return set < 0 ? set : -1; }
int rg_papi_read(int set, long long *values)
{
    (void)values;
    return set < 0 ? set : -1;
}
void rg_papi_drop(int *set) { *set = RG_PAPI_NO_SET; }
int rg_papi_enter_thread(void) { return -1; }
void rg_papi_leave_thread(void) {}
const char *rg_papi_text(int code)
{
    (void)code;
    return "built without PAPI";
}
int rg_papi_errno(int code)
{
    (void)code;
    return 0;
}

#endif
