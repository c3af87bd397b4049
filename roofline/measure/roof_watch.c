/* The watch: three short experiments of a crew, with the passes that its opening found. */
#include "roofline/measure/roof_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/sysinfo.h"
#include "roofline/measure/crew.h"
#include "roofline/measure/roof_loops.h"

enum { READ, L2, FMA, KINDS };
/* A try lasts so long, or one pass; tries of a sample; they go on until they fill so long together. */
static const double TRY_NS[KINDS] = {[READ] = 2e6, [L2] = 0.7e6, [FMA] = 1.5e6};
static const double FILL_NS[KINDS] = {[READ] = 12e6};
enum { LEAST_TRIES = 4, LEAST_LONG = 3, STEPS = 256, L2_BYTES = 128 << 10 };
static const double LONG_NS = 8e6; /* of these tries, LEAST_LONG are enough */
static const int64_t MOST_BYTES = INT64_C(1) << 30;

struct rg_roof_watch {
    int threads, *cpus; /* owns */
    char *mem;          /* owns; a slice for each thread */
    int64_t slice;
    const rg_roof_loops *loops;
    rg_arith_fn *fma;
    int peak;   /* its row of peaks.def */
    double ops; /* of STEPS steps */
    rg_read_way way;
    int64_t passes[KINDS];
    int tries[KINDS];
    bool ready;
    int kind; /* the experiment that runs */
    double each, best[KINDS];
};

static void work(int tid, void *arg)
{
    const rg_roof_watch *w = arg;
    const char *p = w->mem + tid * w->slice;
    const size_t n = (size_t)(w->kind == L2 ? rg_min(w->slice, L2_BYTES) : w->slice);
    volatile uint64_t sink = 0;
    if (w->kind == FMA) {
        w->fma(w->passes[FMA] * STEPS);
        return;
    }
    for (int64_t i = 0; i < w->passes[w->kind]; i++) sink ^= w->loops->read(p, n, w->way);
    (void)sink;
}

/* Nanoseconds of one pass in the best of `tries` tries. */
static double best_of(rg_roof_watch *w, rg_crew *c, int tid, int tries)
{
    double best = 0.0;
    for (int i = 0; i < tries; i++) {
        const double ns = rg_crew_time(c, tid, work, w) / (double)w->passes[w->kind];
        if (i == 0 || ns < best) best = ns;
    }
    return best;
}

/* All threads know what thread 0 found. */
static void choose(rg_roof_watch *w, rg_crew *c, int tid, double each)
{
    rg_crew_meet(c);
    if (tid == 0) w->each = each;
    rg_crew_meet(c);
}

/* The fastest way to read, and the passes and tries of each experiment. */
static void calibrate(rg_roof_watch *w, rg_crew *c, int tid)
{
    memset(w->mem + tid * w->slice, 0x5a, (size_t)w->slice); /* first touch by its user */
    for (int kind = KINDS - 1; kind >= 0; kind--) {
        int fastest = w->way;
        double least = 0.0;
        rg_crew_meet(c);
        for (int way = 0; way < (kind == READ ? RG_READ_WAYS : 1); way++) {
            if (tid == 0) w->kind = kind, w->way = (rg_read_way)way, w->passes[kind] = 1;
            double each = best_of(w, c, tid, 3);
            choose(w, c, tid, each);
            if (tid == 0) w->passes[kind] = rg_max(1, (int64_t)(TRY_NS[kind] / w->each));
            each = best_of(w, c, tid, 2);
            if (way == 0 || each < least) least = each, fastest = way;
            rg_crew_meet(c);
        }
        choose(w, c, tid, least);
        if (tid != 0) continue;
        const double ns = w->each * (double)w->passes[kind];
        w->way = (rg_read_way)fastest;
        w->passes[kind] = rg_max(1, (int64_t)(TRY_NS[kind] / w->each));
        w->tries[kind] = (int)rg_max(ns > LONG_NS ? LEAST_LONG : LEAST_TRIES, (int64_t)(FILL_NS[kind] / ns));
    }
    rg_crew_meet(c);
}

static void experiments(rg_crew *c, int tid, void *arg)
{
    rg_roof_watch *w = arg;
    if (!w->ready) calibrate(w, c, tid);
    for (int kind = KINDS - 1; kind >= 0; kind--) { /* arithmetic first: it brings the clock up */
        if (tid == 0) w->kind = kind;
        rg_crew_meet(c);
        const double ns = best_of(w, c, tid, w->tries[kind]);
        if (tid == 0) w->best[kind] = ns;
    }
}

rg_status rg_roof_watch_open(
    rg_roof_watch **out, int threads, const int *cpus, int64_t footprint, rg_err *err)
{
    const int64_t free_bytes = (int64_t)rg_mem_available(NULL),
                  most = free_bytes > 0 ? rg_min(MOST_BYTES, free_bytes / 4) : MOST_BYTES,
                  unit = (int64_t)RG_READ_UNIT * threads;
    rg_roof_watch *w = *out = calloc(1, sizeof *w);
    if (!w) return rg_no_memory(err, "machine");
    w->threads = threads;
    w->slice = rg_max(1, rg_min(rg_round_up(footprint, unit), most) / unit) * RG_READ_UNIT;
    w->loops = rg_roof_loops_best();
    w->peak = -1;
    for (int i = 0; i < RG_PEAK_COUNT; i++) /* the widest comes last */
        if (rg_peaks[i].arith == RG_ARITH_FP32_FMA && rg_peak_loop((rg_peak_id)i)) w->peak = i;
    w->fma = w->peak < 0 ? NULL : rg_peak_loop((rg_peak_id)w->peak);
    w->mem = rg_big_alloc((size_t)(w->slice * threads));
    if (cpus && (w->cpus = malloc((size_t)threads * sizeof *w->cpus)))
        memcpy(w->cpus, cpus, (size_t)threads * sizeof *w->cpus);
    if (w->mem && w->fma && (!cpus || w->cpus)) {
        w->ops = w->fma(STEPS) * threads;
        return RG_OK;
    }
    rg_roof_watch_close(w);
    *out = NULL;
    return rg_no_memory(err, "machine: samples of the roofs");
}

void rg_roof_watch_close(rg_roof_watch *w)
{
    if (!w) return;
    rg_big_free(w->mem, (size_t)(w->slice * w->threads));
    free(w->cpus);
    free(w);
}

void rg_roof_watch_of(const rg_roof_watch *w, int64_t *footprint, int *peak)
{
    *footprint = w->slice * w->threads;
    *peak = w->peak;
}

void rg_roof_watch_sample(rg_roof_watch *w, rg_roof_sample *s)
{
    *s = (rg_roof_sample){0};
    if (rg_crew_run(w->threads, w->cpus, experiments, w, NULL)) return;
    w->ready = true;
    const double threads = w->threads;
    s->read_gbps = (double)w->slice * threads / w->best[READ];
    s->l2_gbps = (double)rg_min(w->slice, L2_BYTES) * threads / w->best[L2];
    s->fma_gflops = w->ops / w->best[FMA];
}
