/* A crew of pinned threads with a sense-reversing barrier. */
#include "roofline/measure/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/sysinfo.h"

struct rg_crew {
    atomic_int waiting, sense;
    int n;
    const int *cpus;
    rg_crew_fn *fn;
    void *arg;
    pthread_mutex_t start; /* held until every thread exists */
    bool short_handed;     /* a thread could not be started: the others go home */
};

typedef struct member {
    rg_crew *c;
    pthread_t thread;
    int tid;
} member;

void rg_crew_meet(rg_crew *c)
{
    const int sense = atomic_load_explicit(&c->sense, memory_order_acquire);
    if (atomic_fetch_add_explicit(&c->waiting, 1, memory_order_acq_rel) == c->n - 1) {
        atomic_store_explicit(&c->waiting, 0, memory_order_relaxed);
        atomic_store_explicit(&c->sense, !sense, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&c->sense, memory_order_acquire) == sense; spins++) {
        if (spins > 2000) sched_yield();
#if defined(__x86_64__)
        else
            __builtin_ia32_pause();
#endif
    }
}

double rg_crew_time(rg_crew *c, int tid, void (*work)(int tid, void *arg), void *arg)
{
    rg_crew_meet(c);
    const uint64_t start = rg_now_ns();
    work(tid, arg);
    rg_crew_meet(c);
    return (double)(rg_now_ns() - start);
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    /* a refusal (container) leaves the thread where it is: noisier, not wrong */
    sched_setaffinity(0, sizeof set, &set);
}

static void *member_main(void *arg)
{
    const member *me = arg;
    rg_crew *c = me->c;
    if (c->cpus) pin(c->cpus[me->tid]);
    pthread_mutex_lock(&c->start);
    pthread_mutex_unlock(&c->start);
    if (!c->short_handed) c->fn(c, me->tid, c->arg);
    return NULL;
}

rg_status rg_crew_run(int threads, const int *cpus, rg_crew_fn *fn, void *arg, rg_err *err)
{
    rg_crew c = {.n = threads, .cpus = cpus, .fn = fn, .arg = arg};
    member *m = calloc((size_t)threads, sizeof *m);
    rg_status st = RG_OK;
    int started = 0;
    if (!m) return rg_no_memory(err, "machine");
    pthread_mutex_init(&c.start, NULL);
    pthread_mutex_lock(&c.start);
    for (; started < threads && !st; started++) {
        m[started] = (member){.c = &c, .tid = started};
        const int rc = pthread_create(&m[started].thread, NULL, member_main, &m[started]);
        if (rc == 0) continue;
        st = rg_fail(
            err, RG_E_NOMEM, "machine: cannot start thread %d of %d: %s", started + 1, threads, strerror(rc));
        c.short_handed = true;
        break;
    }
    pthread_mutex_unlock(&c.start);
    for (int i = 0; i < started; i++) pthread_join(m[i].thread, NULL);
    pthread_mutex_destroy(&c.start);
    free(m);
    return st;
}
