/* Loads OpenBLAS. */
#include "base/openblas.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/sysinfo.h"

static void *library;
static char reason[256];

/* What it takes at its start; measured: under 300 MiB for 2 processors. */
static uint64_t room(void)
{
    const long n = sysconf(_SC_NPROCESSORS_CONF);
    return ((uint64_t)256 + 64 * (uint64_t)(n > 0 ? n : 1)) << 20;
}

static void load(void)
{
    const char *limit = NULL;
    int (*parallel)(void);
    void (*set_threads)(int);
    if (rg_mem_under_ulimit(&limit) < room()) {
        snprintf(reason, sizeof reason, "%s leaves less than the %llu MiB that it may take", limit,
            (unsigned long long)room() >> 20);
        return;
    }
    if (!(library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL))) {
        const char *why = dlerror();
        snprintf(reason, sizeof reason, "%s", why ? why : "it cannot be loaded");
        return;
    }
    /* ISO C has no conversion from objects to functions, POSIX has */
    *(void **)&parallel = dlsym(library, "openblas_get_parallel");
    *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    if (parallel && set_threads && parallel() == 1) set_threads(1);
}

bool rg_openblas_load(const char **why)
{
    if (!library && !reason[0]) load();
    if (why) *why = reason;
    return library != NULL;
}

void *rg_openblas_symbol(const char *name) { return rg_openblas_load(NULL) ? dlsym(library, name) : NULL; }
