/* Opens sessions, checks a batch, and runs the forward pass on the team. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/num.h"
#include "model/session.h"

/* Everything a step touches stays in physical memory. */
static rg_status lock_memory(const rg_session *s, rg_err *err)
{
    const rg_model *m = &s->e->model;
    const struct {
        const void *p;
        size_t n;
    } block[4] = {{m->block, m->block_bytes}, {s->kv_block, s->kv_bytes}, {s->act_block, s->act_bytes},
        {s->logits, s->logits_bytes}};
    double need = 0.0;
    for (int i = 0; i < 4; i++) need += rg_mib(block[i].n);
    for (int i = 0; i < 4; i++) {
        if (block[i].n == 0 || mlock(block[i].p, block[i].n) == 0) continue;
        const int e = errno;
        struct rlimit r = {0};
        char limit[64] = "unlimited";
        if (getrlimit(RLIMIT_MEMLOCK, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
            snprintf(limit, sizeof limit, "%.1f MiB", rg_mib(r.rlim_cur));
        return rg_fail(err, RG_E_NOMEM,
            "--mlock: %.1f MiB cannot be locked: %s; the limit of this process is %s (ulimit -l, or "
            "LimitMEMLOCK= of a service)",
            need, strerror(e), limit);
    }
    return RG_OK;
}

rg_status rg_session_open(rg_session **out, rg_engine *e, const rg_session_opts *opts, rg_err *err)
{
    const rg_config *c = &e->model.cfg;
    rg_memory_plan plan;
    rg_status st;
    *out = NULL;
    rg_session *s = calloc(1, sizeof *s);
    if (!s) return rg_no_memory(err, "session");
    s->e = e;
    s->o = rg_session_dims(c, opts, e->threads);
    for (int i = 0; i < 2; i++) s->on[i] = rg_sites_with(c, rg_session_fusions(s, i));
    s->ops = rg_forward_ops(c, s->on[1].fuse);
    if ((st = rg_session_check(c, opts, err))) goto out;
    rg_plan_memory(&plan, c, e->model.block_bytes, true, e->threads, opts);
    if ((st = rg_plan_check(&plan, c, opts, err))) goto out;

    rg_arena r = {0};
    rg_acts_layout(&s->a, &r, c, &s->o);
    s->act_bytes = r.used;
    s->kv_bytes = rg_kv_layout(NULL, NULL, c, &s->o);
    s->logits_bytes = sizeof(float) * (size_t)(s->o.max_logits * c->vocab);
    s->act_block = rg_big_alloc(s->act_bytes);
    s->kv_block = rg_big_alloc(s->kv_bytes);
    s->logits = rg_big_alloc(s->logits_bytes);
    s->kv = calloc((size_t)c->layers, sizeof *s->kv);
    s->len = calloc((size_t)s->o.n_seq, sizeof *s->len);
    s->lost = calloc((size_t)s->o.n_seq, sizeof *s->lost);
    if (!s->act_block || !s->kv_block || !s->logits || !s->kv || !s->len || !s->lost) {
        st = rg_fail(err, RG_E_NOMEM,
            "not enough memory: the system refuses KV cache %.1f (%lld positions) + activations %.1f + "
            "logits %.1f MiB "
            "with %.1f MiB free (%s): use a smaller -c or -ub",
            rg_mib(s->kv_bytes), (long long)plan.ctx, rg_mib(s->act_bytes), rg_mib(s->logits_bytes),
            rg_mib(plan.available), plan.source);
        goto out;
    }
    if (e->small_pages) {
        rg_big_small_pages(s->act_block, s->act_bytes);
        rg_big_small_pages(s->kv_block, s->kv_bytes);
    }
    rg_kv_layout(s->kv, s->kv_block, c, &s->o);
    for (int64_t i = 0; i < c->layers; i++) s->ring = rg_max(s->ring, s->kv[i].ring);
    r = (rg_arena){.base = s->act_block};
    rg_acts_layout(&s->a, &r, c, &s->o);
    rg_rope_tables(&s->a, &e->model, s->o.ctx);
    if (opts->lock && (st = lock_memory(s, err))) goto out;
    *out = s;
    s = NULL;
out:
    rg_session_close(s);
    return st;
}

void rg_session_close(rg_session *s)
{
    if (!s) return;
    rg_big_free(s->act_block, s->act_bytes);
    rg_big_free(s->kv_block, s->kv_bytes);
    rg_big_free(s->logits, s->logits_bytes);
    free(s->kv);
    free(s->len);
    free(s->lost);
    free(s);
}

void rg_session_get_plan(const rg_session *s, rg_memory_plan *p)
{
    *p = (rg_memory_plan){.weights = s->e->model.block_bytes,
        .kv = s->kv_bytes,
        .scratch = s->act_bytes,
        .logits = s->logits_bytes,
        .ctx = s->o.ctx,
        .threads = s->e->threads};
    rg_plan_total(p);
}

typedef struct touching {
    rg_session *s;
    int64_t n;
} touching;

static void touch(char *p, int64_t bytes)
{
    enum { PAGE = 4096 };
    for (volatile char *q = p; q < p + bytes; q += PAGE) *q = *q;
}

static void touch_part(rg_ctx *cx, void *arg)
{
    const touching *t = arg;
    const rg_session *s = t->s;
    const int64_t heads = s->o.n_seq * s->e->model.cfg.kv_heads, layers = s->e->model.cfg.layers;
    int64_t a, b;
    rg_part(cx, heads, 1, &a, &b);
    for (int64_t l = 0; l < layers; l++) {
        const rg_kv_layer *kv = &s->kv[l];
        const int64_t all = kv->ring ? kv->ring : s->o.ctx, n = rg_min(t->n, all);
        for (int64_t h = a; h < b; h++) {
            touch(kv->k + h * kv->k_stride, kv->k_stride * n / all);
            touch(kv->v + h * kv->v_stride, kv->v_stride * n / all);
        }
    }
    rg_part(cx, (int64_t)s->act_bytes, 64, &a, &b);
    touch(s->act_block + a, b - a);
}

void rg_session_touch(rg_session *s, int64_t n)
{
    touching t = {s, rg_max(0, rg_min(n, s->o.ctx))};
    rg_team_run(s->e->team, touch_part, &t, NULL, NULL, 0);
}

int64_t rg_session_length(const rg_session *s, int64_t seq) { return s->len[seq]; }

int64_t rg_session_truncate(rg_session *s, int64_t seq, int64_t n)
{
    if (n < s->len[seq]) s->len[seq] = rg_session_holds(s, seq, n) ? n : 0;
    if (s->len[seq] == 0) s->lost[seq] = 0;
    return s->len[seq];
}

void rg_session_observe(rg_session *s, rg_observe_fn *fn, void *user)
{
    s->observe = fn;
    s->observe_user = user;
}

const float *rg_session_logits(const rg_session *s, int64_t i)
{
    return s->logits + i * s->e->model.cfg.vocab;
}
size_t rg_session_ops_per_step(const rg_session *s) { return s->ops; }

unsigned rg_session_fusions(const rg_session *s, bool check)
{
    return s->o.fuse & (check || s->observe ? rg_fuse_bit(RG_FUSE_ATTN) : ~0u);
}

size_t rg_session_steps_for(const rg_session *s, int64_t n) { return (size_t)rg_div_up(n, s->o.ubatch); }

static int64_t seq_of(const rg_batch *b, int64_t i) { return b->seq ? b->seq[i] : 0; }

/* Before anything changes: a sequence's tokens must be one stretch of rising positions that starts inside
 * what it holds. seen[seq]: 1 + the position of its next token. */
static rg_status check_batch(const rg_session *s, const rg_batch *b, int64_t *seen, rg_err *err)
{
    const rg_config *c = &s->e->model.cfg;
    int64_t wanted = 0;
    if (b->n < 1) return rg_fail(err, RG_E_USAGE, "batch: no tokens");
    for (int64_t i = 0; i < b->n; i++) {
        const int64_t seq = seq_of(b, i);
        if (b->token[i] < 0 || b->token[i] >= c->vocab)
            return rg_fail(err, RG_E_USAGE, "batch: token %lld is %d, expected 0 to %lld", (long long)i,
                b->token[i], (long long)c->vocab - 1);
        if (seq < 0 || seq >= s->o.n_seq)
            return rg_fail(err, RG_E_USAGE, "batch: token %lld is of sequence %lld, expected 0 to %lld",
                (long long)i, (long long)seq, (long long)s->o.n_seq - 1);
        const bool first = seen[seq] == 0;
        const int64_t next = first ? s->len[seq] : seen[seq] - 1, pos = b->pos ? b->pos[i] : next;
        if (!first && seq_of(b, i - 1) != seq)
            return rg_fail(err, RG_E_USAGE, "batch: tokens of sequence %lld are not neighbours (token %lld)",
                (long long)seq, (long long)i);
        if (pos < 0 || (first ? pos > next : pos != next))
            return rg_fail(err, RG_E_USAGE,
                "batch: token %lld of sequence %lld at position %lld, expected %s%lld", (long long)i,
                (long long)seq, (long long)pos, first ? "at most " : "", (long long)next);
        if (pos >= s->o.ctx)
            return rg_fail(err, RG_E_USAGE,
                "context full: position %lld of sequence %lld, but the context holds %lld tokens (-c, at "
                "most %lld for this model)",
                (long long)pos, (long long)seq, (long long)s->o.ctx, (long long)c->ctx_train);
        if (first && !rg_session_holds(s, seq, pos))
            return rg_fail(err, RG_E_USAGE,
                "batch: sequence %lld cannot go back to position %lld: layers with a window of %lld "
                "positions "
                "hold none before %lld: begin anew at 0, or open the session with a larger `back`",
                (long long)seq, (long long)pos, (long long)c->window, (long long)s->lost[seq]);
        seen[seq] = pos + 2;
        wanted += b->want ? b->want[i] != 0 : i == b->n - 1;
    }
    if (wanted > s->o.max_logits)
        return rg_fail(err, RG_E_USAGE, "batch: %lld rows of logits wanted, the session holds %lld",
            (long long)wanted, (long long)s->o.max_logits);
    return RG_OK;
}

/* Fills the call with tokens [at, at + f->m) of the batch. */
static void fill_call(rg_forward *f, const rg_batch *b, int64_t at)
{
    rg_session *s = f->s;
    f->n_runs = f->n_out = 0;
    rg_seq_run *r = NULL;
    for (int64_t i = 0; i < f->m; i++) {
        const int64_t seq = seq_of(b, at + i);
        s->a.token[i] = b->token[at + i];
        if (!r || r->seq != seq) {
            r = &s->a.run[f->n_runs++];
            *r = (rg_seq_run){.seq = seq, .pos = b->pos ? b->pos[at + i] : s->len[seq], .t0 = i};
        }
        r->n++;
        if (b->want ? b->want[at + i] : at + i == b->n - 1) s->a.want[f->n_out++] = (int32_t)i;
    }
}

/* Looks at every value, so that it is vectorised. */
static bool all_finite(const float *x, int64_t n)
{
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= (rg_f32_bits(x[i]) & 0x7f800000u) == 0x7f800000u;
    return !bad;
}

/* If the logits are not finite, the call is repeated with a check behind every operator: it writes the same
 * values to the same places. */
static rg_status check_logits(const rg_forward *f, const rg_step *step, rg_err *err)
{
    const int64_t vocab = f->s->e->model.cfg.vocab;
    rg_forward again = *f;
    if (f->bad.found) return rg_bad_value_fail(&f->bad, err);
    if (all_finite(f->logits, f->n_out * vocab)) return RG_OK;
    for (int64_t i = 0; i < f->n_out * vocab; i++) {
        if (isfinite(f->logits[i])) continue;
        again.check = true;
        again.fuse = rg_session_fusions(f->s, true);
        rg_team_run(f->s->e->team, rg_forward_run, &again, NULL, step, rg_session_ops_per_step(f->s));
        if (again.bad.found) return rg_bad_value_fail(&again.bad, err);
        return rg_fail(err, RG_E_UNSUPPORTED,
            "logits: token id %lld is not finite; the weights or the resident type overflow: try --dtype "
            "bf16 or f32",
            (long long)(i % vocab));
    }
    return RG_OK;
}

rg_status rg_session_eval(rg_session *s, const rg_batch *b, rg_phase phase, rg_log *log, rg_err *err)
{
    int64_t *seen = calloc((size_t)s->o.n_seq, sizeof *seen);
    if (!seen) return rg_no_memory(err, "batch");
    rg_status st = check_batch(s, b, seen, err);
    free(seen);
    s->n_logits = 0;
    for (int64_t at = 0; !st && at < b->n; at += s->o.ubatch) {
        if (s->e->stop && *s->e->stop) return rg_fail(err, RG_E_INTERRUPTED, "interrupted");
        rg_forward f = {.s = s,
            .m = rg_min(s->o.ubatch, b->n - at),
            .logits = s->logits + s->n_logits * s->e->model.cfg.vocab,
            .stop_at = INT64_MAX,
            .fuse = rg_session_fusions(s, s->o.check_nan),
            .check = s->o.check_nan};
        fill_call(&f, b, at);
        rg_step step = {.phase = (uint8_t)phase, .tokens = f.m, .logits = f.n_out};
        for (int64_t i = 0; i < f.n_runs; i++) {
            const rg_seq_run *r = &s->a.run[i];
            step.ctx = rg_max(step.ctx, r->pos + r->n);
            rg_session_truncate(s, r->seq, r->pos); /* a cut call leaves what lies beyond half rewritten */
            rg_session_wrote(s, r->seq, r->pos + r->n);
        }
        const size_t n = log ? log->n : 0, n_steps = log ? log->n_steps : 0;
        rg_team_run(s->e->team, rg_forward_run, &f, log, &step, rg_session_ops_per_step(s));
        if (f.stop_at < s->e->model.cfg.layers) { /* a cut call is not a measurement */
            if (log) {
                log->n = n;
                log->n_steps = n_steps;
            }
            return rg_fail(err, RG_E_INTERRUPTED, "interrupted");
        }
        for (int64_t r = 0; r < f.n_runs; r++) s->len[s->a.run[r].seq] = s->a.run[r].pos + s->a.run[r].n;
        st = check_logits(&f, &step, err);
        s->n_logits += f.n_out;
    }
    return st;
}
