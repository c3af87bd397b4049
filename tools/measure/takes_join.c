/* Repetitions become one log: every call with its median time. Calls that took far longer are stalls, which
 * are counted beside the figures, not in them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "roofline/measure/stats.h"
#include "tools/measure/measure.h"

/* A call stalls above twice its median and this. A processor lost to something else is gone for longer. */
static const double STALL_NS = 20000.0;
/* With one repetition, a call's neighbours are those of its site in so many steps to either side. */
enum { NEAR_STEPS = 4 };
/* Steady repetitions that suffice; else all whole ones are taken. */
enum { ENOUGH = 3 };

/* ---- which repetitions ---- */

static bool usable(const rg_take *k, bool steady) { return k->whole && (k->steady || !steady); }

/* The repetitions to use, in the order of their times in a phase; their number. */
static int sorted(int *order, const rg_takes *t, int phase)
{
    int n = 0, steady = 0;
    for (int i = 0; i < t->n; i++) steady += usable(&t->take[i], true);
    for (int i = 0; i < t->n; i++) {
        if (!usable(&t->take[i], steady >= ENOUGH)) continue;
        int at = n++;
        for (; at > 0 && t->take[order[at - 1]].ns[phase] > t->take[i].ns[phase]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return n;
}

int rg_takes_median(const rg_takes *t, int phase)
{
    int *order = malloc(rg_max(1, t->n) * sizeof *order), n = order ? sorted(order, t, phase) : 0;
    const int mid = n > 0 ? order[(n - 1) / 2] : 0;
    free(order);
    return mid;
}

/* ---- typical times ---- */

/* The same call in every repetition. */
typedef struct series {
    rg_takes *t;
    int *order, n; /* owns; [n] repetitions, of which the first is copied */
    rg_phase phase;
    double *room;            /* owns: the next three */
    double *time, *rest, *v; /* [n]: of a call, outside of operators; v: or room for a call's neighbours */
    rg_stalls *stalls;
} series;

static rg_take *take_of(const series *s, int k) { return &s->t->take[s->order[k]]; }
static const rg_log *log_of(const series *s, int k) { return &take_of(s, k)->log[s->phase]; }

/* Of an even number the lower one: of two, the one that did not stall. */
static double low_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, rg_by_value);
    return v[(n - 1) / 2];
}

static bool stalled(double t, double typical) { return t > 2.0 * typical + STALL_NS; }

/* The typical time of one call, from its times v; what is above goes to the stalls of `site`. */
static double settle(series *s, const double *times, double typical, int site)
{
    for (int k = 0; k < s->n; k++) {
        const bool stall = stalled(times[k], typical);
        take_of(s, k)->calm_ns[s->phase] += stall ? typical : times[k];
        if (!stall) continue;
        s->stalls->n[site]++;
        s->stalls->ns[site] += times[k] - typical;
    }
    return s->n == 1 && !stalled(times[0], typical) ? times[0] : typical;
}

static double of_repetitions(series *s, const double *times)
{
    memcpy(s->v, times, s->n * sizeof *times);
    return low_median(s->v, (size_t)s->n);
}

/* The median of a site near a record of the only repetition. */
static double of_neighbours(series *s, size_t i)
{
    const rg_log *l = log_of(s, 0);
    const rg_rec *r = &l->rec[i];
    size_t n = 0, from = i, to = i + 1;
    while (from > 0 && l->rec[from - 1].step + NEAR_STEPS >= r->step) from--;
    while (to < l->n && l->rec[to].step <= r->step + NEAR_STEPS) to++;
    for (; from < to; from++)
        if (l->rec[from].site == r->site) s->v[n++] = (double)l->rec[from].t_ns;
    return low_median(s->v, n);
}

static bool alike(const rg_log *a, const rg_log *b)
{
    if (a->n != b->n || a->n_steps != b->n_steps) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->rec[i].site != b->rec[i].site || a->rec[i].layer != b->rec[i].layer ||
            a->rec[i].step != b->rec[i].step)
            return false;
    return true;
}

/* Times of `to`, a copy of one of the logs, become typical ones. */
static void make_typical(rg_rec *to, rg_step *step, series *s)
{
    const rg_log *l = log_of(s, 0);
    double *t = s->time, *rest = s->rest;
    for (size_t i = 0, at = 0; at < l->n_steps; at++) {
        double sum = 0.0;
        for (int k = 0; k < s->n; k++) rest[k] = (double)log_of(s, k)->step[at].t_ns;
        for (; i < l->n && l->rec[i].step == at; i++) {
            for (int k = 0; k < s->n; k++) {
                t[k] = (double)log_of(s, k)->rec[i].wait_ns;
                rest[k] -= (double)log_of(s, k)->rec[i].t_ns;
            }
            to[i].wait_ns = (uint64_t)of_repetitions(s, t);
            for (int k = 0; k < s->n; k++) t[k] = (double)log_of(s, k)->rec[i].t_ns;
            const double typical = s->n > 1 ? of_repetitions(s, t) : of_neighbours(s, i);
            to[i].t_ns = (uint64_t)settle(s, t, typical, l->rec[i].site);
            sum += (double)to[i].t_ns;
        }
        const double outside = s->n > 1 ? of_repetitions(s, rest) : rest[0];
        step[at].wall_ns = step[at].t_ns;
        step[at].t_ns = (uint64_t)fmax(0.0, sum + settle(s, rest, outside, RG_SITE_COUNT));
    }
}

static void fill_counters(rg_rec *into, size_t n, const rg_log *other)
{
    for (size_t i = 0; i < n && other->n == n; i++) {
        rg_rec *r = &into[i];
        const rg_rec *o = &other->rec[i];
        if (o->site != r->site || o->layer != r->layer || o->ctr_span != r->ctr_span) continue;
        for (int c = 0; c < RG_MAX_CTR; c++)
            if (o->ctr_mask & ~r->ctr_mask & 1u << c) r->ctr[c] = o->ctr[c];
        r->ctr_mask |= o->ctr_mask;
    }
}

/* ---- the joined log ---- */

static void series_close(series *s)
{
    free(s->order);
    free(s->room);
}

/* The repetitions with the calls of the median one, which is the first. -1: no memory. */
static int series_open(series *s, rg_takes *t, rg_phase ph, int by, rg_stalls *stalls)
{
    const int base = rg_takes_median(t, by);
    const size_t n = (size_t)rg_max(1, t->n), near = t->take[base].log[ph].n;
    *s = (series){.t = t, .phase = ph, .stalls = stalls};
    s->order = malloc((n + 1) * sizeof *s->order);
    s->room = malloc((2 * n + rg_max(n, near)) * sizeof *s->room);
    if (!s->order || !s->room) return -1;
    s->time = s->room;
    s->rest = s->time + n;
    s->v = s->rest + n;
    const int found = sorted(s->order + 1, t, by);
    s->order[s->n++] = base;
    for (int i = 1; i <= found; i++) { /* compacts in place */
        const int k = s->order[i];
        if (k != base && alike(&t->take[base].log[ph], &t->take[k].log[ph])) s->order[s->n++] = k;
    }
    for (int k = 0; k < s->n; k++) take_of(s, k)->calm_ns[ph] = 0.0;
    return 0;
}

/* A phase of the median repetition at the end of the log, with typical times. */
static int join_phase(rg_log *out, rg_takes *t, rg_phase ph, int by, rg_stalls *stalls)
{
    series s;
    int bad = series_open(&s, t, ph, by, stalls);
    const rg_log *from = bad ? NULL : log_of(&s, 0);
    const size_t at = out->n, step = out->n_steps;
    if (!bad) bad = rg_log_append(out, from);
    if (!bad && from->span && from->n > 0)
        memcpy(out->span + at * from->threads, from->span, from->n * from->threads * sizeof *out->span);
    if (!bad) make_typical(out->rec + at, out->step + step, &s);
    for (int i = 0; i < t->n && !bad; i++)
        if (t->take[i].whole) fill_counters(out->rec + at, from->n, &t->take[i].log[ph]);
    series_close(&s);
    return bad;
}

/* Spread and interval of every phase, and what the system did in all repetitions. */
static int describe(rg_run_info *run, const rg_takes *t, const rg_log *log)
{
    int *order = malloc(rg_max(1, t->n) * sizeof *order);
    double *ns = malloc(rg_max(1, t->n) * sizeof *ns), least = INFINITY, most = 0.0;
    const rg_osload none = {0};
    for (int p = 0; p < RG_PHASE_COUNT && order && ns; p++) {
        double typical = 0.0;
        for (int i = 0; i < t->n; i++) rg_osload_add(&run->load[p], &none, &t->take[i].load[p]);
        for (size_t i = 0; i < log->n_steps; i++)
            if (log->step[i].phase == p) typical += (double)log->step[i].t_ns;
        const int n = sorted(order, t, p);
        run->repetitions = n > 1 ? n : 1;
        for (int i = 0; i < n; i++) ns[i] = t->take[order[i]].calm_ns[p];
        const rg_stats s = rg_stats_of(ns, n);
        if (n == 0) continue;
        run->spread[p] = s.spread;
        /* about the sum of the calls' medians, which lies a little below the median of the sums */
        run->low_ns[p] = typical * rg_ratio(s.low, s.median);
        run->high_ns[p] = typical * rg_ratio(s.high, s.median);
    }
    for (int i = 0; i < t->n; i++) {
        if (!(t->take[i].chain_ns > 0.0)) continue;
        least = fmin(least, t->take[i].chain_ns);
        most = fmax(most, t->take[i].chain_ns);
    }
    run->clock_drift = most > 0.0 ? most / least - 1.0 : NAN;
    const bool ok = order && ns;
    free(order);
    free(ns);
    return ok ? 0 : -1;
}

/* ---- roofs ---- */

static double larger_read(const rg_take *k) { return fmax(k->before.read_gbps, k->after.read_gbps); }
static double larger_fma(const rg_take *k) { return fmax(k->before.fma_gflops, k->after.fma_gflops); }
static double larger_l2(const rg_take *k) { return fmax(k->before.l2_gbps, k->after.l2_gbps); }

/* Of one figure over the repetitions that are used. */
static rg_stats over_takes(const rg_takes *t, double (*of)(const rg_take *))
{
    int *order = malloc(rg_max(1, t->n) * sizeof *order);
    double *v = malloc(rg_max(1, t->n) * sizeof *v);
    const int n = order && v ? sorted(order, t, RG_PHASE_COUNT) : 0;
    for (int i = 0; i < n; i++) v[i] = of(&t->take[order[i]]);
    const rg_stats s = rg_stats_of(v, n);
    free(order);
    free(v);
    return s;
}

/* What the samples between the repetitions say of the run. */
static void describe_roofs(rg_run_info *run, rg_takes *t)
{
    const rg_roof_sample now = {
        over_takes(t, larger_read).median, over_takes(t, larger_fma).median, over_takes(t, larger_l2).median};
    int used = 0;
    run->roof_drift = NAN;
    for (int i = 0; i < t->n; i++) run->dropped += t->take[i].whole && !t->take[i].steady;
    if (!(now.read_gbps > 0.0)) return; /* NAN without a whole repetition */
    t->now = now;
    int *order = malloc(t->n * sizeof *order);
    const int n = order ? sorted(order, t, RG_PHASE_COUNT) : 0;
    for (int i = 0; i < n; i++) {
        const rg_take *k = &t->take[order[i]];
        t->paired[used++] = (rg_paired){.ns = {k->calm_ns[RG_PREFILL], k->calm_ns[RG_DECODE]},
            .read = larger_read(k) / now.read_gbps,
            .compute = larger_fma(k) / now.fma_gflops};
        run->canary.fma_gflops = fmax(run->canary.fma_gflops, larger_fma(k));
        run->canary.l2_gbps = fmax(run->canary.l2_gbps, larger_l2(k));
    }
    free(order);
    run->paired = t->paired;
    run->roof_drift = fmax(over_takes(t, larger_read).spread, over_takes(t, larger_fma).spread);
}

rg_status rg_takes_join(rg_log *out, rg_run_info *run, rg_takes *t, bool wall, rg_err *err)
{
    rg_stalls stalls[RG_PHASE_COUNT] = {{{0}, {0}}};
    const int threads = t->take[0].log[0].span ? t->take[0].log[0].threads : 0;
    size_t n = 0;
    for (int p = 0; p < RG_PHASE_COUNT; p++)
        n += t->take[0].log[p].cap; /* spans need all their room at once */
    bool ok = rg_log_open(out, 1, n) == 0 && (!threads || rg_log_open_spans(out, threads) == 0);
    for (int p = 0; p < RG_PHASE_COUNT && ok; p++)
        ok = join_phase(out, t, p, wall ? RG_PHASE_COUNT : p, &stalls[p]) == 0;
    if (ok && run) {
        run->sample_ns = t->take[rg_takes_median(t, wall ? RG_PHASE_COUNT : RG_DECODE)].choosing_ns;
        memcpy(run->stalls, stalls, sizeof stalls);
        ok = describe(run, t, out) == 0;
        describe_roofs(run, t);
    }
    return ok ? RG_OK : rg_no_memory(err, "report");
}
