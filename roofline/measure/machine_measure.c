/* Measures the roofs. One crew of pinned threads runs every experiment. Samples begin and end at a barrier of
 * the crew. Each thread first touches its own slice and reads only that. The passes double until a sample
 * lasts long enough. */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/osload.h"
#include "base/text.h"
#include "roofline/measure/crew.h"
#include "roofline/measure/machine.h"
#include "roofline/measure/roof_loops.h"
#include "roofline/measure/stats.h"

enum { MAX_SAMPLES = 9 };
/* Longer samples are taken three times only. */
static const double LONG_NS = 1e8;
/* Further ladders begin only within this time: all is done in under a minute. */
static const uint64_t LADDERS_NS = UINT64_C(42000000000);
/* Above this spread a roof is called noisy. */
static const double NOISY = 0.20;

typedef struct plan {
    int threads, samples;
    const int *cpus;
    uint64_t sample_ns; /* shortest sample worth keeping */
    int64_t footprint[RG_MAX_BW];
    int n_bw;
    unsigned kinds; /* bit set of rg_bw_kind */
    bool sparse;    /* only reads at every point, the rest at every other */
    bool every_way; /* time every way to read, not only the fastest while warming up */
    bool huge;      /* pages of 2 MiB */
    bool peaks;     /* and the barrier */
} plan;

typedef struct progress {
    double done, todo;
    rg_progress_fn *fn;
    void *user;
    const rg_stop_flag *stop;
} progress;

/* What the crew shares: thread 0 writes between barriers, all read after one. */
typedef struct crew {
    const plan *p;
    rg_bw_point *bw; /* results of the ladder, */
    int n_bw;        /* so many so far */
    rg_machine *m;   /* results of the rest */
    const rg_roof_loops *loops;
    rg_crew *team;
    char *mem;
    int64_t slice; /* bytes of one thread's part of mem */
    int64_t bytes; /* of it in use: one thread's part of the footprint */
    int64_t passes;
    int samples, way;
    rg_arith_fn *loop;
    bool again, stopped;
    progress *progress;
} crew;

typedef struct member {
    crew *c;
    int tid;
    int64_t touched;
} member;

/* The median, or the best of rates: what disturbs a sample only lowers it. */
static rg_measured summary(double *v, int n, bool rates)
{
    qsort(v, (size_t)n, sizeof *v, rg_by_value);
    const double mid = rg_sorted_at(v, n, 0.5);
    return (rg_measured){.value = rates ? v[n - 1] : mid,
        .spread = mid > 0.0 ? (rg_sorted_at(v, n, 0.9) - rg_sorted_at(v, n, 0.1)) / mid : 0.0};
}

static bool stop_asked(crew *c, int tid)
{
    if (tid == 0) c->stopped = c->stopped || (c->progress->stop && *c->progress->stop);
    rg_crew_meet(c->team);
    return c->stopped;
}

static void step_done(crew *c, int tid, const char *what)
{
    if (tid != 0) return;
    progress *p = c->progress;
    p->done += 1.0;
    if (p->fn) p->fn(p->user, what, p->done / p->todo);
}

/* One sample of `passes` calls of work: thread 0's time from barrier to barrier. */
typedef void work_fn(crew *c, int tid, int variant, int64_t passes);

typedef struct job {
    crew *c;
    work_fn *work;
    int variant;
    int64_t passes;
} job;

static void run_job(int tid, void *arg)
{
    const job *j = arg;
    j->work(j->c, tid, j->variant, j->passes);
}

static double sample(crew *c, int tid, work_fn *work, int variant, int64_t passes)
{
    return rg_crew_time(c->team, tid, run_job, &(job){c, work, variant, passes});
}

/* Doubles the passes, which also warms up, until a sample is long enough; ns per pass. All threads agree. */
static double calibrate(crew *c, int tid, work_fn *work, int variant)
{
    double each = 0.0;
    if (tid == 0) c->passes = 1;
    rg_crew_meet(c->team);
    for (;;) {
        const int64_t passes = c->passes;
        const double ns = sample(c, tid, work, variant, passes);
        each = ns / (double)passes;
        if (tid == 0) {
            c->samples = ns > LONG_NS && c->p->samples > 3 ? 3 : c->p->samples;
            c->again = ns < 0.8 * (double)c->p->sample_ns && passes < INT64_C(1) << 40;
            if (c->again) {
                const double want = 1.1 * (double)c->p->sample_ns / (each > 0.01 ? each : 0.01);
                c->passes = rg_max(passes + 1, rg_min((int64_t)want, passes * 16));
            }
        }
        rg_crew_meet(c->team);
        if (!c->again) return each;
    }
}

/* Best and spread of units per nanosecond, in thread 0. */
static rg_measured rate(crew *c, int tid, work_fn *work, int variant, double units_per_pass)
{
    double v[MAX_SAMPLES];
    const int64_t passes = c->passes;
    for (int i = 0; i < c->samples; i++)
        v[i] = units_per_pass * (double)passes / sample(c, tid, work, variant, passes);
    return summary(v, c->samples, true);
}

/* ---- bandwidth ---- */

static const int ways_of[RG_BW_COUNT] = {[RG_BW_READ] = RG_READ_WAYS,
    [RG_BW_WRITE] = RG_STORE_WAYS,
    [RG_BW_COPY] = RG_STORE_WAYS,
    [RG_BW_TRIAD] = RG_STORE_WAYS};
static const int arrays_of[RG_BW_COUNT] = {
    [RG_BW_READ] = 1, [RG_BW_WRITE] = 1, [RG_BW_COPY] = 2, [RG_BW_TRIAD] = 3};

/* Arrays of a copy or triad begin an odd number of lines apart: at a multiple of 4 KiB loads would wait for
 * stores they seem to hit. */
enum { APART = 1024 + 64 };

/* Bytes of one array of a thread. */
static int64_t array_bytes(const crew *c, int kind)
{
    const int64_t room = c->bytes / arrays_of[kind] - (arrays_of[kind] > 1 ? APART : 0);
    return room / RG_READ_UNIT * RG_READ_UNIT;
}

enum { WAYS = 8 }; /* variant = kind * WAYS + way */

static void move_work(crew *c, int tid, int variant, int64_t passes)
{
    const int kind = variant / WAYS, way = variant % WAYS;
    const size_t n = (size_t)array_bytes(c, kind);
    char *p = c->mem + tid * c->slice, *q = p + n + APART, *r = q + n + APART;
    volatile uint64_t sink = 0;
    for (int64_t i = 0; i < passes; i++) switch (kind) {
        case RG_BW_READ:
            sink ^= c->loops->read(p, n, (rg_read_way)way);
            break;
        case RG_BW_WRITE:
            c->loops->write(p, n, (rg_store_way)way);
            break;
        case RG_BW_COPY:
            c->loops->copy(p, q, n, (rg_store_way)way);
            break;
        default:
            c->loops->triad(p, q, r, n, (rg_store_way)way);
        }
    (void)sink;
}

/* The best way, or the fastest while warming up. */
static rg_measured measure_kind(crew *c, int tid, int kind)
{
    const double units = (double)(array_bytes(c, kind) * arrays_of[kind] * c->p->threads);
    rg_measured best = {0};
    double least = 0.0;
    int fastest = 0;
    for (int way = 0; way < ways_of[kind]; way++) {
        double each = calibrate(c, tid, move_work, kind * WAYS + way);
        /* one sample may have met something else */
        for (int i = 0; i < 2 && c->samples == c->p->samples; i++)
            each = fmin(each, sample(c, tid, move_work, kind * WAYS + way, c->passes) / (double)c->passes);
        if (way == 0 || each < least) {
            least = each;
            fastest = way;
        }
        if (!c->p->every_way || kind != RG_BW_READ) continue;
        const rg_measured r = rate(c, tid, move_work, kind * WAYS + way, units);
        if (r.value > best.value) best = r;
    }
    if (best.value > 0.0) return best;
    if (tid == 0) c->way = fastest; /* every thread takes thread 0's fastest way */
    rg_crew_meet(c->team);
    fastest = c->way; /* written again only after the next barriers */
    calibrate(c, tid, move_work, kind * WAYS + fastest);
    return rate(c, tid, move_work, kind * WAYS + fastest, units);
}

static void measure_ladder(crew *c, member *me)
{
    for (int i = 0; i < c->p->n_bw && !stop_asked(c, me->tid); i++) {
        const int64_t bytes = c->p->footprint[i] / c->p->threads;
        if (bytes > me->touched) { /* first touch by the user: its NUMA node, its huge pages */
            memset(c->mem + me->tid * c->slice + me->touched, 0x5a, (size_t)(bytes - me->touched));
            me->touched = bytes;
        }
        if (me->tid == 0) {
            c->bytes = bytes;
            c->bw[i] = (rg_bw_point){.footprint_bytes = c->p->footprint[i]};
        }
        rg_crew_meet(c->team);
        for (int kind = 0; kind < RG_BW_COUNT; kind++) {
            if (!(c->p->kinds & 1u << kind)) continue;
            if (kind != RG_BW_READ && c->p->sparse && i % 2 == 1 && i + 1 < c->p->n_bw) continue;
            const rg_measured r = measure_kind(c, me->tid, kind);
            if (me->tid == 0) *rg_bw_at(&c->bw[i], (rg_bw_kind)kind) = r;
        }
        rg_crew_meet(c->team);
        if (me->tid == 0) c->n_bw++;
        step_done(c, me->tid, "measuring bandwidth");
    }
}

/* ---- arithmetic and latencies ---- */

enum { STEPS = 256 }; /* of a peak loop per pass */

static void peak_work(crew *c, int tid, int unused, int64_t passes)
{
    (void)tid, (void)unused;
    c->loop(passes * STEPS);
}

static void barrier_work(crew *c, int tid, int unused, int64_t passes)
{
    (void)tid, (void)unused;
    for (int64_t i = 0; i < passes; i++) rg_crew_meet(c->team);
}

static void clock_work(crew *c, int tid, int unused, int64_t passes)
{
    (void)c, (void)tid, (void)unused;
    for (int64_t i = 0; i < passes; i++) rg_now_ns();
}

static void measure_peaks(crew *c, member *me)
{
    for (int i = 0; i < RG_PEAK_COUNT && !stop_asked(c, me->tid); i++) {
        rg_arith_fn *loop = rg_peak_loop((rg_peak_id)i);
        if (!loop) continue;
        if (me->tid == 0) c->loop = loop;
        rg_crew_meet(c->team);
        const double ops = loop(STEPS) * c->p->threads;
        calibrate(c, me->tid, peak_work, 0);
        const rg_measured r = rate(c, me->tid, peak_work, 0, ops);
        if (me->tid == 0) c->m->peak[i] = r;
        rg_crew_meet(c->team);
        step_done(c, me->tid, "measuring arithmetic");
    }
}

static rg_measured latency(crew *c, int tid, work_fn *work)
{
    double v[MAX_SAMPLES];
    const int64_t passes = 2000;
    calibrate(c, tid, work, 0);
    for (int i = 0; i < c->p->samples; i++) v[i] = sample(c, tid, work, 0, passes) / (double)passes;
    return summary(v, c->p->samples, false);
}

static void measure_latencies(crew *c, member *me)
{
    if (stop_asked(c, me->tid)) return;
    const rg_measured b = latency(c, me->tid, barrier_work), t = latency(c, me->tid, clock_work);
    if (me->tid == 0) c->m->barrier_ns = b, c->m->clock_ns = t;
    step_done(c, me->tid, "measuring latencies");
}

static void experiments(rg_crew *team, int tid, void *arg)
{
    crew *c = arg;
    member me = {.c = c, .tid = tid};
    if (tid == 0) c->team = team;
    rg_crew_meet(team);
    if (c->p->peaks) measure_peaks(c, &me);
    measure_ladder(c, &me);
    if (c->p->peaks) measure_latencies(c, &me);
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What the memory allows a ladder to take. */
static int64_t ladder_cap(int64_t top)
{
    const int64_t avail = (int64_t)rg_mem_available(NULL);
    return avail > 0 ? avail / 4 : top;
}

/* From 32 KiB a thread in steps of `factor` up to `top`, or four times a large machine's L3 (16 MiB a
 * thread); one point of the model's size (0: none). */
static void make_ladder(plan *p, int64_t footprint, int64_t top, int64_t factor)
{
    const int64_t unit = (int64_t)RG_READ_UNIT * p->threads, cap = ladder_cap(top);
    const int64_t most = rg_min(rg_max(top, (int64_t)(16 << 20) * p->threads), cap);
    int64_t f = (int64_t)(32 << 10) * p->threads;
    const int64_t own = rg_min(rg_round_up(footprint, unit), cap / unit * unit);
    p->n_bw = 0;
    while (p->n_bw < RG_MAX_BW - 2) {
        p->footprint[p->n_bw++] = f;
        if (f >= most) break;
        f *= factor;
    }
    while (p->n_bw > 1 && p->footprint[p->n_bw - 1] > cap) p->n_bw--;
    bool near = own <= 0;
    for (int i = 0; i < p->n_bw; i++) near = near || fabs(log((double)p->footprint[i] / (double)own)) < 0.1;
    if (!near) p->footprint[p->n_bw++] = own;
    qsort(p->footprint, (size_t)p->n_bw, sizeof *p->footprint, by_size);
}

void rg_machine_describe(rg_machine *m, int threads)
{
    struct utsname u;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES),
               page = sysconf(_SC_PAGESIZE);
    cpu_set_t set;
    *m = (rg_machine){.source = "measured", .threads = threads, .isa_best = rg_isa_best()};
    snprintf(m->cpu, sizeof m->cpu, "%.*s", (int)sizeof m->cpu - 1, rg_cpu_name());
    rg_cpu_id(m->cpu_id, sizeof m->cpu_id);
    if (uname(&u) == 0) snprintf(m->kernel, sizeof m->kernel, "%.24s %.36s", u.sysname, u.release);
    m->cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : cores > 0 ? (int)cores : 1;
    m->memory_bytes = pages > 0 && page > 0 ? (int64_t)pages * page : 0;
    const int64_t limit = (int64_t)rg_mem_limit();
    m->memory_limit =
        limit > 0 && (m->memory_bytes == 0 || limit < m->memory_bytes) ? limit : m->memory_bytes;
    rg_stamp(m->measured_at, sizeof m->measured_at, time(NULL));
}

typedef struct worst {
    double spread;
    char what[64];
} worst;

static void look_at(worst *w, rg_measured v, const char *kind, int64_t footprint, int threads)
{
    if (v.value <= 0.0 || v.spread <= w->spread) return;
    w->spread = v.spread;
    if (footprint)
        snprintf(w->what, sizeof w->what, "%s of %lld KiB with %d threads", kind,
            (long long)(footprint >> 10), threads);
    else
        snprintf(w->what, sizeof w->what, "%s", kind);
}

/* The verdict on the noise: the widest spread, steal, and forced switches. */
static void judge_noise(rg_machine *m, const rg_osload *load)
{
    worst w = {0}, further = {0};
    for (int i = 0; i < m->n_bw; i++)
        for (int k = 0; k < RG_BW_COUNT; k++)
            look_at(&w, *rg_bw_get(&m->bw[i], (rg_bw_kind)k), rg_bw_names[k], m->bw[i].footprint_bytes,
                m->threads);
    for (int i = 0; i < RG_PEAK_COUNT; i++) look_at(&w, m->peak[i], rg_peaks[i].name, 0, m->threads);
    further = w;
    for (int l = 0; l < m->n_ladders; l++)
        for (int i = 0; i < m->ladder[l].n; i++)
            for (int k = 0; k < RG_BW_COUNT; k++) {
                const rg_bw_point *p = &m->ladder[l].bw[i];
                look_at(&further, *rg_bw_get(p, (rg_bw_kind)k), rg_bw_names[k], p->footprint_bytes,
                    m->ladder[l].threads);
            }
    const double steal = rg_osload_steal(load);
    /* further ladders are shown, nothing is charged by them */
    m->noisy = w.spread > NOISY || steal > 0.02;
    if (!m->noisy && further.spread <= NOISY) return;
    int n = snprintf(
        m->noise, sizeof m->noise, "widest spread %.0f %% (%s)", 100.0 * further.spread, further.what);
    if (isfinite(steal))
        n += snprintf(
            m->noise + n, sizeof m->noise - (size_t)n, ", %.1f %% of the processors stolen", 100.0 * steal);
    snprintf(m->noise + n, sizeof m->noise - (size_t)n, ", %llu involuntary switches",
        (unsigned long long)load->involuntary);
}

/* Part of the mapping at p in huge pages; NAN if the kernel does not say. */
static double huge_share(const char *p, size_t bytes)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    bool here = false;
    unsigned long long low, high, rss = 0, kb, huge = 0;
    bool found = false;
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%llx-%llx ", &low, &high) == 2 && strchr(line, '-') < strchr(line, ' ')) {
            here = low < (unsigned long long)(uintptr_t)p + bytes && high > (unsigned long long)(uintptr_t)p;
            continue;
        }
        if (here && sscanf(line, "Rss: %llu", &kb) == 1) rss += kb;
        if (here && sscanf(line, "AnonHugePages: %llu", &kb) == 1) huge += kb, found = true;
    }
    if (f) fclose(f);
    return found && rss > 0 ? fmin((double)huge, (double)rss) / (double)rss : NAN;
}

/* Runs a plan; *n_bw points to bw, the rest to m. *share: part of the memory in huge pages; may be NULL. */
static rg_status run_plan(
    rg_machine *m, rg_bw_point *bw, int *n_bw, double *share, const plan *plan_, progress *pr, rg_err *err)
{
    const plan p = *plan_;
    const int threads = p.threads;
    crew c = {.p = &p, .m = m, .bw = bw, .loops = rg_roof_loops_best(), .progress = pr};
    c.slice = rg_round_up(p.footprint[p.n_bw - 1] / threads, 2 << 20); /* a huge page belongs to one thread */
    const size_t bytes = (size_t)c.slice * (size_t)threads;
    c.mem = rg_big_alloc(bytes);
    if (!c.mem)
        return rg_fail(
            err, RG_E_NOMEM, "machine: no memory for a bandwidth test of %lld MiB", (long long)(bytes >> 20));
    if (!p.huge) madvise(c.mem, bytes, MADV_NOHUGEPAGE);
    rg_status st = rg_crew_run(threads, p.cpus, experiments, &c, err);
    if (!st && c.stopped)
        st = rg_fail(err, RG_E_INTERRUPTED, "machine: stopped before the roofs were measured");
    *n_bw = c.n_bw;
    if (share) *share = huge_share(c.mem, bytes);
    rg_big_free(c.mem, bytes);
    return st;
}

static plan new_plan(int threads, const int *cpus, bool quick)
{
    return (plan){.threads = threads,
        .cpus = cpus,
        .samples = 5,
        .sample_ns = quick ? 8000000 : 15000000,
        .kinds = 1u << RG_BW_READ | 1u << RG_BW_WRITE | 1u << RG_BW_COPY | (quick ? 0u : 1u << RG_BW_TRIAD),
        .every_way = !quick,
        .sparse = quick,
        .huge = true,
        .peaks = true};
}

/* 1, 2, 4, half and all threads, with both page sizes; all with huge pages is the main ladder. */
static int make_ladders(plan *p, rg_bw_ladder *l, const plan *main_)
{
    const int counts[] = {1, 2, 4, main_->threads / 2, main_->threads};
    int n = 0, last = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i] <= last || counts[i] > main_->threads) continue;
        last = counts[i];
        for (int huge = 0; huge < 2; huge++) {
            if (huge && counts[i] == main_->threads) continue;
            p[n] = new_plan(counts[i], main_->cpus, false);
            p[n].samples = 3;
            p[n].sample_ns = 8000000;
            p[n].every_way = p[n].peaks = false;
            p[n].huge = huge;
            make_ladder(&p[n], 0, INT64_C(1) << 30, 8);
            l[n] = (rg_bw_ladder){.threads = counts[i], .huge_pages = huge, .huge_share = NAN};
            n++;
        }
    }
    return n;
}

rg_status rg_machine_measure(rg_machine *m, int threads, const int *cpus, int64_t footprint, bool quick,
    rg_progress_fn *fn, void *user, const rg_stop_flag *stop, rg_err *err)
{
    *m = (rg_machine){0};
    if (threads < 1 || threads > RG_CREW_MOST)
        return rg_fail(err, RG_E_USAGE, "machine: %d threads, expected 1 to %d", threads, RG_CREW_MOST);
    const uint64_t start = rg_now_ns();
    plan p = new_plan(threads, cpus, quick), further[RG_MAX_LADDERS];
    rg_osload before, after, load = {0};
    progress pr = {.fn = fn, .user = user, .stop = stop};
    rg_machine_describe(m, threads);
    rg_osload_read(&before);
    make_ladder(&p, footprint, quick ? INT64_C(256) << 20 : INT64_C(4) << 30, quick ? 4 : 2);
    const int n = quick ? 0 : make_ladders(further, m->ladder, &p);
    pr.todo = p.n_bw + 1;
    for (int i = 0; i < RG_PEAK_COUNT; i++) pr.todo += rg_peak_loop((rg_peak_id)i) != NULL;
    for (int i = 0; i < n; i++) pr.todo += further[i].n_bw;
    rg_status st = run_plan(m, m->bw, &m->n_bw, &m->huge_share, &p, &pr, err);
    for (int i = 0; i < n && !st; i++) {
        if (rg_now_ns() - start > LADDERS_NS) {
            m->ladders_left_out = n - i;
            break;
        }
        rg_bw_ladder *l = &m->ladder[m->n_ladders++];
        *l = (rg_bw_ladder){.threads = further[i].threads, .huge_pages = further[i].huge, .huge_share = NAN};
        st = run_plan(m, l->bw, &l->n, &l->huge_share, &further[i], &pr, err);
    }
    rg_osload_read(&after);
    rg_osload_add(&load, &before, &after);
    if (!st) judge_noise(m, &load);
    return st;
}

rg_status rg_machine_measure_peaks(rg_machine *m, const int *cpus, const rg_stop_flag *stop, rg_err *err)
{
    static const double RAISED = 1.05;
    rg_machine now = {0};
    rg_bw_point least[RG_MAX_BW];
    int n = 0;
    bool raised = false;
    progress pr = {.todo = 1.0, .stop = stop};
    plan p = new_plan(m->threads, cpus, true);
    p.footprint[p.n_bw++] = (int64_t)(32 << 10) * p.threads;
    const rg_status st = run_plan(&now, least, &n, NULL, &p, &pr, err);
    for (int i = 0; i < RG_PEAK_COUNT; i++) raised = raised || now.peak[i].value > RAISED * m->peak[i].value;
    rg_machine_raise(m, &now);
    m->noisy = m->noisy && (st || raised);
    return st;
}
