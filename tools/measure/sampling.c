/* The loop that measures: calls of a session, with a clock around them and records in them. */
#include "tools/measure/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ridge/score.h"
#include "roofline/measure/stats.h"

/* ---- one repetition ---- */

rg_status rg_work_open(rg_work *w, rg_err *err)
{
    const int64_t call = rg_min(w->batch, rg_max(w->prompt, w->depth)),
                  n = rg_max(w->seqs, w->together ? w->prompt * w->seqs : call);
    w->token = malloc(n * sizeof *w->token);
    w->seq = malloc(n * sizeof *w->seq);
    w->want = malloc(n);
    return w->token && w->seq && w->want ? RG_OK : rg_no_memory(err, "tokens");
}

void rg_work_close(rg_work *w)
{
    free(w->token);
    free(w->seq);
    free(w->want);
    *w = (rg_work){0};
}

static int32_t token_at(int64_t seq, int64_t pos, int64_t vocab)
{
    uint64_t x = ((uint64_t)pos + 1) * 6364136223846793005u + (uint64_t)seq * 1442695040888963407u;
    x ^= x >> 29;
    return (int32_t)((x * 0x9e3779b97f4a7c15u >> 33) % (uint64_t)vocab);
}

/* One call: n tokens from position `at` on for each of seqs sequences from `first` on. id: those of one
 * sequence, or NULL. logits: of the last token of each. */
static rg_status feed(const rg_work *w, rg_phase phase, int64_t first, int64_t seqs, int64_t at, int64_t n,
    const int32_t *id, bool logits, rg_log *log, rg_err *err)
{
    int64_t k = 0;
    for (int64_t q = first; q < first + seqs; q++)
        for (int64_t i = 0; i < n; i++, k++) {
            w->token[k] = id ? id[i] : token_at(q, at + i, w->vocab);
            w->seq[k] = (int32_t)q;
            w->want[k] = logits && i == n - 1;
        }
    return rg_session_eval(
        w->s, &(rg_batch){.n = k, .token = w->token, .seq = w->seq, .want = w->want}, phase, log, err);
}

static rg_status prefill(
    const rg_work *w, int64_t q, int64_t from, int64_t n, bool logits, rg_log *log, rg_err *err)
{
    rg_status st = RG_OK;
    for (int64_t at = 0; at < n && !st; at += w->batch)
        st = feed(w, RG_PREFILL, q, 1, from + at, rg_min(w->batch, n - at), w->id ? w->id + at : NULL, logits,
            log, err);
    return st;
}

/* The sequences hold exactly depth tokens. */
static rg_status at_depth(const rg_work *w, rg_err *err)
{
    rg_status st = RG_OK;
    for (int64_t q = 0; q < w->seqs && !st; q++) {
        const int64_t have = rg_session_truncate(w->s, q, w->depth);
        if (have < w->depth) st = prefill(w, q, have, w->depth - have, false, NULL, err);
    }
    return st;
}

static rg_status prompts(const rg_work *w, rg_log *log, rg_err *err)
{
    rg_status st = RG_OK;
    if (w->prompt && w->together)
        return feed(w, RG_PREFILL, 0, w->seqs, w->depth, w->prompt, NULL, true, log, err);
    for (int64_t q = 0; w->prompt && q < w->seqs && !st; q++)
        st = prefill(w, q, w->depth, w->prompt, true, log, err);
    return st;
}

static int32_t likeliest(const rg_work *w)
{
    return w->id ? (int32_t)rg_largest_logit(rg_session_logits(w->s, 0), w->vocab) : 0;
}

/* The i-th decode step. id: what a prompt that was given goes on with. */
static rg_status step(const rg_work *w, int64_t i, int32_t id, rg_log *log, rg_err *err)
{
    return feed(w, RG_DECODE, 0, w->seqs, w->depth + w->prompt + i, 1, w->id ? &id : NULL, true, log, err);
}

static double calls_ns(const rg_log *log)
{
    double t = 0.0;
    for (size_t i = 0; i < log->n_steps; i++) t += (double)log->step[i].t_ns;
    return t;
}

/* For the watch: the beginning (phase -1), or the end of a phase. */
static void mark(const rg_work *w, rg_take *t, rg_osload *before, int phase)
{
    rg_osload now;
    if (!t || !w->watch) return;
    if (phase >= 0) {
        w->watch->mark(w->watch->user, phase);
        rg_osload_read(&now);
        rg_osload_add(&t->load[phase], before, &now);
        *before = now;
    } else {
        t->chain_ns = rg_chain_ns();
        rg_osload_read(before);
        w->watch->mark(w->watch->user, phase);
    }
}

/* From the depth on, where the sequences are. t NULL: not recorded. */
static rg_status once(const rg_work *w, int64_t gen, rg_take *t, rg_err *err)
{
    rg_osload before;
    const int64_t stride = w->steps ? rg_div_up(rg_max(1, w->gen), w->steps) : 1;
    mark(w, t, &before, -1);
    rg_status st = prompts(w, t ? &t->log[RG_PREFILL] : NULL, err);
    mark(w, t, &before, RG_PREFILL);
    for (int64_t i = 0; i < gen && !st; i++) {
        const uint64_t start = t && w->id ? rg_now_ns() : 0;
        const int32_t id = likeliest(w);
        if (start) t->choosing_ns += rg_now_ns() - start;
        st = step(w, i, id, t && i % stride == stride / 2 ? &t->log[RG_DECODE] : NULL, err);
    }
    mark(w, t, &before, RG_DECODE);
    return st;
}

rg_status rg_work_touch(const rg_work *w, rg_err *err)
{
    const rg_status st = at_depth(w, err);
    return st ? st : feed(w, RG_DECODE, 0, w->seqs, w->depth, 1, NULL, true, NULL, err);
}

rg_status rg_work_time(const rg_work *w, uint64_t *ns, rg_err *err)
{
    rg_status st = at_depth(w, err);
    if (st) return st;
    const uint64_t start = rg_now_ns();
    st = once(w, w->gen, NULL, err);
    *ns += rg_now_ns() - start;
    return st;
}

/* ---- the warm-up ---- */

/* One call of a phase that nothing has warmed. */
static rg_status first_call(const rg_work *w, rg_phase phase, rg_pace *p, rg_err *err)
{
    rg_osload before, after;
    const int32_t id = phase == RG_DECODE ? likeliest(w) : 0;
    rg_osload_read(&before);
    const uint64_t t = rg_now_ns();
    const rg_status st = phase == RG_DECODE ? step(w, 0, id, NULL, err) : prompts(w, NULL, err);
    p->first_ns[phase] = !st ? (double)(rg_now_ns() - t) : NAN;
    rg_osload_read(&after);
    rg_osload_add(&p->first_load[phase], &before, &after);
    return st;
}

/* A repetition in which the prompt and each step are timed. */
static rg_status paced(const rg_work *w, int64_t gen, rg_pace *p, rg_err *err)
{
    uint64_t t = rg_now_ns();
    rg_status st = at_depth(w, err);
    if (!st) st = prompts(w, NULL, err);
    if (st) return st;
    p->rep_ns = rg_now_ns() - t;
    const int32_t id = likeliest(w);
    for (int64_t i = 0; i < gen && !st; i++) {
        t = rg_now_ns();
        st = step(w, i, id, NULL, err);
    }
    p->step_ns = rg_now_ns() - t;
    return st;
}

rg_status rg_work_warm_up(const rg_work *w, int64_t gen, uint64_t ns, rg_pace *pace, rg_err *err)
{
    const uint64_t start = ns ? rg_now_ns() : 0;
    rg_status st = RG_OK;
    if (pace) *pace = (rg_pace){0};
    for (int p = 0; pace && p < RG_PHASE_COUNT && !st; p++) st = first_call(w, p, pace, err);
    if (st) return st;
    do {
        st = pace ? paced(w, gen, pace, err) : at_depth(w, err);
        if (!pace && !st) st = once(w, gen, NULL, err);
    } while (!st && ns && rg_now_ns() - start < ns);
    if (pace) pace->rep_ns += (uint64_t)w->gen * pace->step_ns;
    return st;
}

/* ---- recorded repetitions ---- */

/* A repetition is dropped and taken again where the roofs before and after it differ by more. */
static const double UNSTEADY = 0.15;
/* What a sample leaves to the system, as the end of its threads, is done in so much time. */
enum { SETTLE_NS = 6000000 };

rg_status rg_takes_open(rg_takes *t, const rg_work *w, int n, int threads, rg_err *err)
{
    const size_t ops = rg_session_ops_per_step(w->s),
                 calls = w->together
        ? rg_session_steps_for(w->s, w->prompt * w->seqs) + 1
        : (size_t)w->seqs * (rg_session_steps_for(w->s, w->prompt + 1) + (size_t)(w->prompt / w->batch) + 1),
                 steps[] = {[RG_PREFILL] = w->prompt ? calls : 0,
                     [RG_DECODE] = (size_t)(w->steps ? rg_min(w->gen, w->steps) : w->gen)};
    *t = (rg_takes){.take = calloc(n, sizeof *t->take), .paired = calloc(n, sizeof *t->paired), .cap = n};
    if (!t->take || !t->paired) return rg_fail(err, RG_E_NOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        for (int p = 0; p < RG_PHASE_COUNT; p++) {
            rg_log *l = &t->take[i].log[p];
            if (rg_log_open(l, steps[p], ops) != 0 || (threads > 0 && rg_log_open_spans(l, threads) != 0))
                return rg_fail(err, RG_E_NOMEM,
                    "records: out of memory for %d repetitions of %zu calls: use a smaller -n or -r", n,
                    steps[RG_PREFILL] + steps[RG_DECODE]);
        }
    return RG_OK;
}

void rg_takes_close(rg_takes *t)
{
    for (int i = 0; t->take && i < t->cap; i++)
        for (int p = 0; p < RG_PHASE_COUNT; p++) rg_log_close(&t->take[i].log[p]);
    free(t->take);
    free(t->paired);
    *t = (rg_takes){0};
}

static bool agree(double a, double b) { return fabs(a - b) <= UNSTEADY * fmax(a, b); }

/* A sample leaves the caches to others: a decode step brings the weights back. */
static rg_status watch_roofs(const rg_work *w, rg_roof_sample *s, rg_err *err)
{
    if (!w->roofs) return RG_OK;
    rg_roof_watch_sample(w->roofs, s);
    const uint64_t start = rg_now_ns();
    rg_status st = RG_OK;
    do st = rg_work_touch(w, err);
    while (!st && rg_now_ns() - start < SETTLE_NS);
    return st;
}

rg_status rg_takes_record(rg_takes *t, const rg_work *w, int least, double ns, rg_err *err)
{
    rg_roof_sample roofs = {0};
    rg_status st = watch_roofs(w, &roofs, err);
    int steady = 0;
    for (double sum = 0.0; t->n < t->cap && !st && (steady < least || sum < ns); t->n++) {
        rg_take *k = &t->take[t->n];
        k->before = roofs;
        for (int p = 0; p < RG_PHASE_COUNT; p++) rg_log_touch(&k->log[p]);
        if (w->watch) w->watch->between(w->watch->user, steady < least ? steady : least, least);
        if ((st = at_depth(w, err))) continue;
        const uint64_t start = w->wall ? rg_now_ns() : 0;
        st = once(w, w->gen, k, err);
        if (w->wall) k->ns[RG_PHASE_COUNT] = (double)(rg_now_ns() - start);
        for (int p = 0; p < RG_PHASE_COUNT; p++) sum += k->ns[p] = calls_ns(&k->log[p]);
        k->whole = !st;
        if (!st) st = watch_roofs(w, &roofs, err);
        k->after = roofs;
        k->steady = k->whole && agree(k->before.read_gbps, roofs.read_gbps) &&
            agree(k->before.fma_gflops, roofs.fma_gflops);
        steady += k->steady;
    }
    return st;
}
