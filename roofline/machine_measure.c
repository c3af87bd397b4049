/* Measures the roofs. One crew of pinned threads runs every experiment; samples begin and end at a barrier of the whole crew, each thread
 * touches its own slice first and reads only that, and the number of passes is found by doubling until a sample lasts long enough. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/num.h"
#include "roofline/machine.h"
#include "roofline/roof_loops.h"

enum { MAX_SAMPLES = 9, MAX_THREADS = 1024 };
/* Above this spread a roof is called noisy. */
static const double NOISY = 0.20;

/* Sense-reversing barrier. Spins, then yields, so that an oversubscribed machine still gets through. */
typedef struct barrier {
    atomic_int waiting, sense;
    int n;
} barrier;

static void barrier_wait(barrier *b)
{
    const int sense = atomic_load_explicit(&b->sense, memory_order_acquire);
    if (atomic_fetch_add_explicit(&b->waiting, 1, memory_order_acq_rel) == b->n - 1) {
        atomic_store_explicit(&b->waiting, 0, memory_order_relaxed);
        atomic_store_explicit(&b->sense, !sense, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&b->sense, memory_order_acquire) == sense; spins++) {
        if (spins > 2000) sched_yield();
#if defined(__x86_64__)
        else
            __builtin_ia32_pause();
#endif
    }
}

typedef struct plan {
    int threads, samples;
    const int *cpus;
    uint64_t sample_ns; /* shortest sample worth keeping */
    int64_t footprint[RG_MAX_BW];
    int n_bw;
    rg_isa isa_best;
    bool reads_only;
} plan;

/* What the crew shares. Thread 0 writes between barriers, all read after one. */
typedef struct crew {
    const plan *p;
    rg_machine *m;
    barrier b;
    pthread_mutex_t start;
    char *mem;
    int64_t slice; /* bytes of one thread's part of mem */
    int64_t passes;
    uint64_t t0;
    bool again, stopped;
    bool short_handed; /* a thread could not be started: the others go home before the first barrier. Not `stopped`, which thread 0 may set early */
    double done, todo; /* experiments, for the progress */
    rg_progress_fn *progress;
    void *user;
    const rg_stop_flag *stop;
} crew;

typedef struct member {
    crew *c;
    pthread_t thread;
    int tid;
    int64_t touched;
} member;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *v, int n, double q)
{
    const double at = q * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

static rg_measured summary(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    const double mid = quantile(v, n, 0.5);
    return (rg_measured){.value = mid, .spread = mid > 0.0 ? (quantile(v, n, 0.9) - quantile(v, n, 0.1)) / mid : 0.0};
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* a refusal (container) leaves the thread where it is: noisier, not wrong */
}

static bool stop_asked(crew *c, int tid)
{
    if (tid == 0) c->stopped = c->stopped || (c->stop && *c->stop);
    barrier_wait(&c->b);
    return c->stopped;
}

static void step_done(crew *c, int tid, const char *what)
{
    if (tid != 0) return;
    c->done += 1.0;
    if (c->progress) c->progress(c->user, what, c->done / c->todo);
}

/* One timed sample of `passes` calls of work; the time is thread 0's, from barrier to barrier. */
typedef void work_fn(crew *c, int tid, int variant, int64_t passes);

static double sample(crew *c, int tid, work_fn *work, int variant, int64_t passes)
{
    barrier_wait(&c->b);
    const uint64_t t0 = rg_now_ns();
    work(c, tid, variant, passes);
    barrier_wait(&c->b);
    return (double)(rg_now_ns() - t0);
}

/* Doubles the passes until a sample is long enough, which also warms up; returns nanoseconds per pass. All threads agree through the crew. */
static double calibrate(crew *c, int tid, work_fn *work, int variant)
{
    double each = 0.0;
    if (tid == 0) c->passes = 1;
    barrier_wait(&c->b);
    for (;;) {
        const int64_t passes = c->passes;
        const double ns = sample(c, tid, work, variant, passes);
        each = ns / (double)passes;
        if (tid == 0) {
            c->again = ns < 0.8 * (double)c->p->sample_ns && passes < INT64_C(1) << 40;
            if (c->again) {
                const double want = 1.1 * (double)c->p->sample_ns / (each > 0.01 ? each : 0.01);
                c->passes = rg_max(passes + 1, rg_min((int64_t)want, passes * 16));
            }
        }
        barrier_wait(&c->b);
        if (!c->again) return each;
    }
}

/* Median and spread of units per nanosecond; meaningful in thread 0. */
static rg_measured rate(crew *c, int tid, work_fn *work, int variant, double units_per_pass)
{
    double v[MAX_SAMPLES];
    const int64_t passes = c->passes;
    for (int i = 0; i < c->p->samples; i++) v[i] = units_per_pass * (double)passes / sample(c, tid, work, variant, passes);
    return summary(v, c->p->samples);
}

static const rg_roof_loops *loops_of(rg_isa isa)
{
#ifdef RIDGE_X86
    isa = rg_isa_fp32(isa);
    if (isa == RG_ISA_AVX512) return &rg_roof_loops_avx512;
    if (isa == RG_ISA_AVX2) return &rg_roof_loops_avx2;
#endif
    (void)isa;
    return &rg_roof_loops_c;
}

static void read_work(crew *c, int tid, int way, int64_t passes)
{
    const rg_roof_loops *l = loops_of(c->p->isa_best);
    const int64_t bytes = c->m->bw[c->m->n_bw].footprint_bytes / c->p->threads;
    volatile uint64_t sink = 0;
    for (int64_t i = 0; i < passes; i++) sink ^= l->read(c->mem + tid * c->slice, (size_t)bytes, (rg_read_way)way);
    (void)sink;
}

static void fma_work(crew *c, int tid, int isa, int64_t passes)
{
    (void)c, (void)tid;
    loops_of((rg_isa)isa)->fma(passes * 256);
}

static void barrier_work(crew *c, int tid, int unused, int64_t passes)
{
    (void)tid, (void)unused;
    for (int64_t i = 0; i < passes; i++) barrier_wait(&c->b);
}

static void measure_reads(crew *c, member *me)
{
    for (int i = 0; i < c->p->n_bw && !stop_asked(c, me->tid); i++) {
        const int64_t bytes = c->p->footprint[i] / c->p->threads;
        if (bytes > me->touched) { /* first touch by the reader: its NUMA node, its huge pages */
            memset(c->mem + me->tid * c->slice + me->touched, 0x5a, (size_t)(bytes - me->touched));
            me->touched = bytes;
        }
        if (me->tid == 0) c->m->bw[c->m->n_bw].footprint_bytes = c->p->footprint[i];
        barrier_wait(&c->b);
        rg_measured best = {0};
        for (int way = 0; way < RG_READ_WAYS; way++) { /* best of the ways by median */
            calibrate(c, me->tid, read_work, way);
            const rg_measured r = rate(c, me->tid, read_work, way, (double)c->p->footprint[i]);
            if (r.value > best.value) best = r;
        }
        barrier_wait(&c->b); /* nobody reads n_bw while thread 0 moves it */
        if (me->tid == 0) c->m->bw[c->m->n_bw++].read_gbps = best;
        step_done(c, me->tid, "measuring read bandwidth");
    }
}

/* FP32 peaks differ by register width only. */
static bool has_own_peak(rg_isa isa) { return rg_isa_fp32(isa) == isa && rg_isa_has(isa); }

static void measure_peaks(crew *c, member *me)
{
    for (int isa = 0; isa < RG_ISA_COUNT && !stop_asked(c, me->tid); isa++) {
        if (!has_own_peak((rg_isa)isa)) continue;
        const double flop = loops_of((rg_isa)isa)->fma(256) * c->p->threads;
        calibrate(c, me->tid, fma_work, isa);
        const rg_measured r = rate(c, me->tid, fma_work, isa, flop);
        if (me->tid == 0) c->m->fma_gflops[isa] = r;
        step_done(c, me->tid, "measuring the FMA peak");
    }
}

static void measure_barrier(crew *c, member *me)
{
    if (stop_asked(c, me->tid)) return;
    double v[MAX_SAMPLES];
    const int64_t passes = 2000;
    calibrate(c, me->tid, barrier_work, 0);
    for (int i = 0; i < c->p->samples; i++) v[i] = sample(c, me->tid, barrier_work, 0, passes) / (double)passes;
    if (me->tid == 0) c->m->barrier_ns = summary(v, c->p->samples);
    step_done(c, me->tid, "measuring the barrier");
}

static void *crew_main(void *arg)
{
    member *me = arg;
    crew *c = me->c;
    if (c->p->cpus) pin(c->p->cpus[me->tid]);
    pthread_mutex_lock(&c->start); /* held until every thread exists: b.n is final */
    pthread_mutex_unlock(&c->start);
    if (c->short_handed) return NULL;
    if (!c->p->reads_only) measure_peaks(c, me);
    measure_reads(c, me);
    if (!c->p->reads_only) measure_barrier(c, me);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The ladder: 32 KiB a thread up to 1 GiB or four times the L3 of a large machine (16 MiB a thread), and the model's own size. */
static void make_ladder(plan *p, int64_t footprint, bool quick)
{
    const int64_t unit = (int64_t)RG_READ_UNIT * p->threads, avail = (int64_t)rg_mem_available(NULL);
    const int64_t top = quick ? 256 << 20 : 1 << 30, cap = avail > 0 ? avail / 4 : top;
    const int64_t most = rg_min(rg_max(top, (int64_t)(16 << 20) * p->threads), cap);
    int64_t f = (int64_t)(32 << 10) * p->threads;
    const int64_t own = rg_min(rg_round_up(footprint, unit), cap / unit * unit);
    while (p->n_bw < RG_MAX_BW - 2) {
        p->footprint[p->n_bw++] = f;
        if (f >= most) break;
        f *= quick ? 4 : 2;
    }
    while (p->n_bw > 1 && p->footprint[p->n_bw - 1] > cap) p->n_bw--;
    bool near = own <= 0;
    for (int i = 0; i < p->n_bw; i++) near = near || fabs(log((double)p->footprint[i] / (double)own)) < 0.1;
    if (!near) p->footprint[p->n_bw++] = own;
    qsort(p->footprint, (size_t)p->n_bw, sizeof *p->footprint, by_size);
}

static void describe(rg_machine *m, const plan *p)
{
    struct tm tm;
    const time_t now = time(NULL);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    cpu_set_t set;
    *m = (rg_machine){.source = "measured", .threads = p->threads, .isa_best = p->isa_best};
    snprintf(m->cpu, sizeof m->cpu, "%.*s", (int)sizeof m->cpu - 1, rg_cpu_name());
    m->cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : cores > 0 ? (int)cores : 1;
    m->memory_bytes = pages > 0 && page > 0 ? (int64_t)pages * page : 0;
    if (gmtime_r(&now, &tm)) strftime(m->measured_at, sizeof m->measured_at, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void judge_noise(rg_machine *m)
{
    for (int i = 0; i < m->n_bw; i++) m->noisy = m->noisy || m->bw[i].read_gbps.spread > NOISY;
    for (int i = 0; i < RG_ISA_COUNT; i++) m->noisy = m->noisy || m->fma_gflops[i].spread > NOISY;
}

/* Runs a plan; m is described already. */
static rg_status run_plan(rg_machine *m, const plan *plan_, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    const plan p = *plan_;
    const int threads = p.threads;
    crew c = {.p = &p, .m = m, .b = {.n = threads}, .progress = progress, .user = user, .stop = stop};
    member *team = calloc((size_t)threads, sizeof *team);
    rg_status st = RG_OK;
    int started = 0;
    c.todo = p.n_bw + (p.reads_only ? 0 : 1);
    for (int isa = 0; isa < RG_ISA_COUNT; isa++) c.todo += !p.reads_only && has_own_peak((rg_isa)isa);
    c.slice = rg_round_up(p.footprint[p.n_bw - 1] / threads, 2 << 20); /* a huge page belongs to one thread */
    const size_t bytes = (size_t)c.slice * (size_t)threads;
    c.mem = rg_big_alloc(bytes);
    pthread_mutex_init(&c.start, NULL);
    if (!team || !c.mem) {
        st = rg_fail(err, RG_E_NOMEM, "machine: no memory for a read test of %lld MiB", (long long)(bytes >> 20));
        goto out;
    }
    pthread_mutex_lock(&c.start);
    for (; started < threads; started++) {
        team[started] = (member){.c = &c, .tid = started};
        const int rc = pthread_create(&team[started].thread, NULL, crew_main, &team[started]);
        if (rc != 0) {
            st = rg_fail(err, RG_E_NOMEM, "machine: cannot start thread %d of %d: %s", started + 1, threads, strerror(rc));
            c.short_handed = true;
            break;
        }
    }
    pthread_mutex_unlock(&c.start);
    for (int i = 0; i < started; i++) pthread_join(team[i].thread, NULL);
    if (st == RG_OK && c.stopped) st = rg_fail(err, RG_E_INTERRUPTED, "machine: stopped before the roofs were measured");
    if (st == RG_OK) judge_noise(m);
out:
    pthread_mutex_destroy(&c.start);
    if (c.mem) rg_big_free(c.mem, bytes);
    free(team);
    return st;
}

static plan new_plan(int threads, const int *cpus, bool quick)
{
    return (plan){.threads = threads, .cpus = cpus, .samples = quick ? 5 : MAX_SAMPLES, .sample_ns = quick ? 10000000 : 60000000, .isa_best = rg_isa_best()};
}

rg_status rg_machine_measure(
    rg_machine *m, int threads, const int *cpus, int64_t footprint, bool quick, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    *m = (rg_machine){0};
    if (threads < 1 || threads > MAX_THREADS) return rg_fail(err, RG_E_USAGE, "machine: %d threads, expected 1 to %d", threads, MAX_THREADS);
    plan p = new_plan(threads, cpus, quick);
    make_ladder(&p, footprint, quick);
    describe(m, &p);
    return run_plan(m, &p, progress, user, stop, err);
}

/* Puts a fresh point into the ladder: over the one of (about) that size, else between its neighbours. */
static void put_point(rg_machine *m, const rg_bw_point *b)
{
    int at = 0;
    while (at < m->n_bw && m->bw[at].footprint_bytes < b->footprint_bytes && fabs(log((double)m->bw[at].footprint_bytes / (double)b->footprint_bytes)) >= 0.1)
        at++;
    const bool same = at < m->n_bw && fabs(log((double)m->bw[at].footprint_bytes / (double)b->footprint_bytes)) < 0.1;
    if (!same && m->n_bw < RG_MAX_BW) {
        memmove(&m->bw[at + 1], &m->bw[at], (size_t)(m->n_bw - at) * sizeof *m->bw);
        m->n_bw++;
    } else if (!same) {
        return; /* a full ladder knows the neighbourhood well enough */
    }
    m->bw[at] = *b;
}

rg_status rg_machine_refresh(rg_machine *m, const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    rg_machine now;
    plan p = new_plan(m->threads, cpus, true);
    p.reads_only = true;
    make_ladder(&p, footprint, true);
    const int64_t unit = (int64_t)RG_READ_UNIT * p.threads, most = p.footprint[p.n_bw - 1];
    p.footprint[0] = rg_min(rg_round_up(footprint, unit), most); /* the ladder's cap: what the memory allows */
    p.n_bw = 1;
    describe(&now, &p);
    const rg_status st = run_plan(&now, &p, progress, user, stop, err);
    if (st == RG_OK && now.n_bw == 1) put_point(m, &now.bw[0]);
    return st;
}
