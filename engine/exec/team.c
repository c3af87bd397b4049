/* Runs a function in every thread of a team, and collects records. */
#include "exec/team.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/arena.h"
#include "base/num.h"
#include "base/ticks.h"
#include "exec/totals.h"

struct rg_team {
    int n;
    int *cpus; /* owns; NULL: not pinned */
    uint64_t id;
    bool moved;         /* this call puts the threads in their places */
    rg_tick_base clock; /* since the team was opened */
    const rg_ktab *k;
    int64_t l2_bytes;
    const rg_probe *probe;
    bool *probed;    /* [n] this thread's counters are open */
    rg_board *board; /* owns */
    char *scratch;   /* [n][scratch_bytes] */
    size_t scratch_bytes;
    rg_slot *slots; /* [n][cap_slots] */
    size_t cap_slots;
};

/* The caller is thread 0 of all its teams, which share one pool: a team puts the threads in its places if
 * another ran before it. */
static _Thread_local struct {
    uint64_t last;  /* id of the team that ran last; 0: none, or the pool has changed */
    bool pinned;    /* the caller is pinned */
    bool pool;      /* so may be other threads of the pool */
    cpu_set_t home; /* where the caller might run before it was pinned */
} caller;

bool rg_team_has_openmp(void)
{
#ifdef _OPENMP
    return true;
#else
    return false;
#endif
}

/* The pool's threads keep their place between regions. */
static void place(const rg_team *t, int tid, const cpu_set_t *home)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (t->cpus) CPU_SET(t->cpus[tid], &set);
    /* a refusal (container) leaves the thread where it was: slower, not wrong */
    sched_setaffinity(0, sizeof set, t->cpus ? &set : home);
}

/* A runtime that cannot start a thread ends the program, so the room for their stacks is looked at first. */
static rg_status check_stacks(int threads, rg_err *err)
{
    size_t stack = 8 << 20;
    pthread_attr_t usual;
    const char *limit = NULL;
    const uint64_t left = rg_mem_under_ulimit(&limit);
    if (pthread_getattr_default_np(&usual) == 0) {
        pthread_attr_getstacksize(&usual, &stack);
        pthread_attr_destroy(&usual);
    }
    const uint64_t need = (uint64_t)(threads - 1) * (stack + (1 << 20));
    if (need <= left) return RG_OK;
    return rg_fail(err, RG_E_NOMEM,
        "not enough memory: the stacks of %d more threads take %.1f MiB, but %s leaves %.1f MiB: use -t 1, "
        "or a "
        "smaller ulimit -s",
        threads - 1, rg_mib(need), limit, rg_mib(left));
}

rg_status rg_team_open(rg_team **out, int threads, const int *cpus, const rg_ktab *k, size_t scratch_bytes,
    int64_t l2_bytes, rg_err *err)
{
    *out = NULL;
    if (threads < 1 || threads > 1024)
        return rg_fail(err, RG_E_USAGE, "threads: %d, expected 1 to 1024", threads);
    if (threads > 1 && !rg_team_has_openmp())
        return rg_fail(err, RG_E_UNSUPPORTED,
            "threads: %d, but this build has no OpenMP: use -t 1 or build with RIDGE_OPENMP=ON", threads);
    rg_team *t = calloc(1, sizeof *t);
    if (!t) return rg_no_memory(err, "team");
    rg_ticks_open();
    t->clock = rg_tick_now(NULL);
    static uint64_t ids;
    t->n = threads;
    t->id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
    t->k = k;
    t->l2_bytes = l2_bytes > 0 ? l2_bytes : 512 << 10;
    t->scratch_bytes = scratch_bytes;
    t->scratch = rg_big_alloc(t->scratch_bytes * threads);
    t->board = rg_board_open(threads);
    t->probed = calloc(threads, sizeof *t->probed);
    if (cpus && (t->cpus = malloc(threads * sizeof *t->cpus)))
        memcpy(t->cpus, cpus, threads * sizeof *t->cpus);
    if (!t->scratch || !t->board || !t->probed || (cpus && !t->cpus)) {
        rg_team_close(t);
        return rg_fail(err, RG_E_NOMEM, "team: out of memory for the scratch of %d threads", threads);
    }
    const rg_status st = check_stacks(threads, err);
    if (st) {
        rg_team_close(t);
        return st;
    }
#ifdef _OPENMP
    /* a region of another size ends threads of the pool, and the next larger one starts new ones */
    caller.last = 0;
    omp_set_dynamic(0);
    omp_set_num_threads(threads); /* an OpenMP BLAS called by a team of one looks at this */
    int got = 0;
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() == 0) got = omp_get_num_threads();
    if (got != threads) {
        rg_team_close(t);
        return rg_fail(err, RG_E_USAGE,
            "threads: %d asked for, but the OpenMP runtime gives %d (OMP_THREAD_LIMIT?): use -t %d", threads,
            got, got);
    }
#endif
    *out = t;
    return RG_OK;
}

static void close_probe(rg_ctx *cx, void *arg)
{
    rg_team *t = arg;
    if (t->probed[cx->tid]) t->probe->thread_close(t->probe->self, cx->tid);
    t->probed[cx->tid] = false;
}

static void open_probe(rg_ctx *cx, void *arg)
{
    rg_team *t = arg;
    t->probed[cx->tid] = t->probe->thread_open(t->probe->self, cx->tid) == 0;
}

void rg_team_set_probe(rg_team *t, const rg_probe *probe)
{
    if (t->probe) rg_team_run(t, close_probe, t, NULL, NULL, 0);
    t->probe = probe;
    if (probe) {
        assert(probe->n_ctr <= RG_MAX_CTR);
        rg_team_run(t, open_probe, t, NULL, NULL, 0);
    }
}

void rg_team_close(rg_team *t)
{
    if (!t) return;
    if (t->probe) rg_team_set_probe(t, NULL);
    if (caller.last == t->id || caller.last == 0) { /* else the caller is where another team wants it */
        if (caller.pinned) sched_setaffinity(0, sizeof caller.home, &caller.home);
        caller.pinned = false;
        caller.last = 0;
    }
    rg_big_free(t->scratch, t->scratch_bytes * t->n);
    rg_board_close(t->board);
    free(t->slots);
    free(t->probed);
    free(t->cpus);
    free(t);
}

int rg_team_size(const rg_team *t) { return t->n; }

static void meet(const rg_ctx *cx)
{
    if (cx->nt == 1) return;
#ifdef _OPENMP
#pragma omp barrier
#endif
}

void rg_barrier(rg_ctx *cx)
{
    const uint64_t start = cx->rec ? rg_ticks() : 0;
    meet(cx);
    if (cx->rec) cx->wait_ticks += rg_ticks() - start;
}

void rg_team_home(cpu_set_t *home)
{
    *home = caller.home;
    if (caller.pinned) return;
    CPU_ZERO(home);
    sched_getaffinity(0, sizeof *home, home);
}

/* Before a region: must threads be moved? Home is read before anything is pinned. */
static void take_places(rg_team *t)
{
    t->moved = false;
    if (caller.last == t->id) return;
    rg_team_home(&caller.home);
    t->moved = t->cpus || caller.pool;
    caller.pinned = t->cpus != NULL;
    caller.pool = caller.pool || t->cpus;
    caller.last = t->id;
#ifdef _OPENMP
    omp_set_num_threads(t->n); /* an OpenMP BLAS called by a team of one looks at this */
#endif
}

static void enter(rg_team *t, int tid, const cpu_set_t *home, rg_team_fn *fn, void *arg, rg_rec *rec,
    const rg_step *step, size_t ops)
{
    rg_ctx cx = {.tid = tid,
        .nt = t->n,
        .k = t->k,
        .scratch = t->scratch + tid * t->scratch_bytes,
        .l2_bytes = t->l2_bytes,
        .layer = -1};
    if (t->moved) place(t, tid, home);
    if (rec) {
        cx.rec = rec;
        cx.slot = t->slots + tid * t->cap_slots;
        cx.cap_rec = (int)ops;
        cx.phase = step->phase;
        cx.probe = t->probed[tid] ? t->probe : NULL;
        if (cx.probe) {
            cx.ctr_mask =
                cx.probe->begin ? cx.probe->begin(cx.probe->self, tid) : (1u << cx.probe->n_ctr) - 1;
            cx.probe->read(cx.probe->self, tid, cx.ctr_last);
        }
        cx.t_last = rg_ticks();
    }
    fn(&cx, arg);
    rg_board_add(t->board, tid, &cx.tally); /* with records each operator's is in its slot (collect) */
    if (rec && tid == 0) assert(cx.n_rec <= cx.cap_rec);
}

/* Sums what the threads measured into the records that thread 0 described. */
static void collect(rg_team *t, rg_log *log, size_t ops, const rg_tick_base *now)
{
    size_t n = 0;
    rg_tally all;
    while (n < ops && log->rec[log->n + n].n_threads) n++;
    for (size_t i = 0; i < n; i++) {
        rg_rec *r = &log->rec[log->n + i];
        const rg_slot *first = &t->slots[i];
        r->t_ns = rg_tick_at(now, first->end) - rg_tick_at(now, first->end - first->ticks);
        r->step = (uint32_t)log->n_steps;
        for (int tid = 0; tid < t->n; tid++) {
            const rg_slot *s = &t->slots[tid * t->cap_slots + i];
            r->wait_ns += rg_ticks_ns(now, s->wait);
            rg_tally_add(&r->tally, &s->tally);
            for (int c = 0; c < RG_MAX_CTR && t->probed[tid]; c++) r->ctr[c] += s->ctr[c];
            if (!log->span || log->threads != t->n) continue;
            const uint64_t end = rg_tick_at(now, s->end);
            log->span[(log->n + i) * t->n + tid] = (rg_span){.begin_ns = rg_tick_at(now, s->end - s->ticks),
                .end_ns = end,
                .wait_ns = rg_ticks_ns(now, s->wait),
                .tail_ns = end - rg_tick_at(now, s->end - s->tail)};
        }
    }
    for (int tid = 0; tid < t->n; tid++) {
        all = (rg_tally){0};
        for (size_t i = 0; i < n; i++) rg_tally_add(&all, &t->slots[tid * t->cap_slots + i].tally);
        rg_board_add(t->board, tid, &all);
    }
    log->n += n;
}

void rg_team_run(rg_team *t, rg_team_fn *fn, void *arg, rg_log *log, const rg_step *step, size_t ops)
{
    rg_rec *rec = NULL;
    if (log) {
        if (ops > t->cap_slots) { /* grows once per session, before its first step */
            rg_slot *s = realloc(t->slots, ops * t->n * sizeof *s);
            if (s) {
                t->slots = s;
                t->cap_slots = ops;
            }
        }
        if (ops <= t->cap_slots && log->n + ops <= log->cap && log->n_steps < log->cap_steps) {
            rec = log->rec + log->n;
            memset(rec, 0, ops * sizeof *rec);
        } else {
            log->dropped += ops;
        }
    }
    take_places(t);
    const cpu_set_t home = caller.home; /* the other threads have callers of their own */
    const uint64_t start = rec ? rg_ticks() : 0;
#ifdef _OPENMP
#pragma omp parallel num_threads(t->n)
    enter(t, omp_get_thread_num(), &home, fn, arg, rec, step, ops);
#else
    enter(t, 0, &home, fn, arg, rec, step, ops);
#endif
    if (step && step->tokens > 0) rg_board_call(t->board, step->phase, step->tokens);
    if (rec) {
        const uint64_t end = rg_ticks();
        const rg_tick_base now = rg_tick_now(&t->clock);
        rg_step *s = &log->step[log->n_steps];
        *s = *step;
        s->start_ns = rg_tick_at(&now, start);
        s->t_ns = rg_tick_at(&now, end) - s->start_ns;
        collect(t, log, ops, &now);
        log->n_steps++;
    }
}

/* Counts since the last read, into the slot. Returns the time after it: reading belongs to no operator. */
static uint64_t read_probe(rg_ctx *cx, rg_slot *s)
{
    uint64_t c[RG_MAX_CTR] = {0};
    cx->probe->read(cx->probe->self, cx->tid, c);
    for (int i = 0; i < cx->probe->n_ctr; i++)
        if (cx->ctr_mask >> i & 1) s->ctr[i] = c[i] - cx->ctr_last[i];
    memcpy(cx->ctr_last, c, sizeof c);
    return rg_ticks();
}

void rg_layer_end(rg_ctx *cx)
{
    if (!cx->rec || !cx->probe || !cx->probe->by_layer || cx->n_rec == cx->ctr_from) return;
    cx->t_last = read_probe(cx, &cx->slot[cx->n_rec - 1]);
    if (cx->tid == 0) {
        rg_rec *r = &cx->rec[cx->n_rec - 1];
        r->ctr_mask = cx->ctr_mask;
        r->ctr_span = (uint16_t)(cx->n_rec - cx->ctr_from);
    }
    cx->ctr_from = cx->n_rec;
}

void rg_op_end(rg_ctx *cx, const rg_op_desc *d)
{
    /* other operators may have written what was prepared; a bias is added to what nobody has read yet */
    const rg_op op = rg_site_op(d->site);
    if (op != RG_OP_LINEAR && op != RG_OP_LINEAR_EXPS && op != RG_OP_BIAS) cx->ready = (rg_ready){0};
    if (!cx->rec) {
        if (d->barrier) meet(cx);
        return;
    }
    rg_slot *s = &cx->slot[cx->n_rec];
    uint64_t now = rg_ticks();
    s->wait = cx->wait_ticks;
    s->tail = 0;
    if (d->barrier) {
        const uint64_t at = now;
        meet(cx);
        now = rg_ticks();
        s->tail = now - at;
        s->wait += s->tail;
    }
    s->end = now;
    s->ticks = now - cx->t_last;
    s->tally = cx->tally;
    const bool by_op = cx->probe && !cx->probe->by_layer;
    if (cx->probe) memset(s->ctr, 0, sizeof s->ctr);
    if (by_op) now = read_probe(cx, s);
    if (cx->tid == 0) { /* the rest is zero already */
        rg_rec *r = &cx->rec[cx->n_rec];
        r->site = (uint8_t)d->site;
        r->phase = cx->phase;
        r->wtype = (uint8_t)d->wtype;
        r->kv_k = (uint8_t)d->kv_k;
        r->kv_v = (uint8_t)d->kv_v;
        r->isa = d->isa;
        r->arith = d->arith ? d->arith : (uint8_t)rg_isa_arith(d->isa);
        r->kernel = d->kernel;
        r->n_threads = (uint16_t)cx->nt;
        r->layer = cx->layer;
        r->dims = d->dims;
        r->most = d->most;
        r->ctr_mask = by_op ? cx->ctr_mask : 0;
        r->ctr_span = by_op;
    }
    cx->n_rec++;
    cx->t_last = now;
    cx->tally = (rg_tally){0};
    cx->wait_ticks = 0;
}
