/* From settings to checkpoints, engines to load and sessions to open. Nothing big is allocated here. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/bench/bench.h"

/* Recorded decode steps at most: the log of a long generation would be larger than many models. */
enum { MOST_STEPS = 64 };

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Axes that belong to the session; all others make another engine. */
static bool of_session(rg_sweep_axis a)
{
    return a == RG_AX_ctks || a == RG_AX_ctvs || a == RG_AX_flashes || a == RG_AX_fuses ||
        a == RG_AX_ubatches || a == RG_AX_batch_sizes;
}

static bool same_unit(const rg_setting *x, const rg_setting *y)
{
    for (int a = 0; a < RG_AX_COUNT; a++)
        if (!of_session(a) && !same_text(x->value[a], y->value[a])) return false;
    return true;
}

static rg_status open_unit(rg_bench *b, rg_setting *s, rg_err *err)
{
    rg_engine_opts eo;
    rg_unit *u = &b->unit[b->n_units];
    *u = (rg_unit){.cli = &s->cli};
    s->unit = b->n_units++;
    rg_status st = rg_open_model(&u->ckpt, &s->cli, err);
    if (!st && !(st = rg_engine_args(&eo, &s->cli, s->cli.dtype, &b->progress, err)))
        st = rg_plan_weights(u->ckpt, &eo, &u->weights, err);
    return st;
}

rg_status rg_bench_open(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    b->unit = calloc(b->n_settings, sizeof *b->unit);
    if (!b->unit) return rg_no_memory(err, "bench");
    /* a wrong word at the end of a list must not cost the runs before it */
    for (int i = 0; i < b->n_settings && !st; i++) {
        rg_engine_opts eo;
        rg_session_opts so;
        st = rg_engine_args(&eo, &b->setting[i].cli, b->setting[i].cli.dtype, &b->progress, err);
        if (!st) st = rg_session_args(&so, &b->setting[i].cli, RG_KV_F16, err);
    }
    for (int i = 0; i < b->n_settings && !st; i++) {
        int same = 0;
        while (same < i && !same_unit(&b->setting[same], &b->setting[i])) same++;
        if (same < i)
            b->setting[i].unit = b->setting[same].unit;
        else
            st = open_unit(b, &b->setting[i], err);
    }
    return st;
}

int64_t rg_bench_context(const rg_bench *b)
{
    int64_t ctx = INT64_MAX;
    for (int i = 0; i < b->n_units; i++) ctx = rg_min(ctx, rg_ckpt_config(b->unit[i].ckpt)->ctx_train);
    return ctx;
}

/* ---- rows and lanes ---- */

static bool same_lane(const rg_bench_lane *x, const rg_bench_lane *y)
{
    return x->unit == y->unit && x->depth == y->depth && x->so.n_seq == y->so.n_seq &&
        x->so.kv_k == y->so.kv_k && x->so.kv_v == y->so.kv_v && x->so.unfused == y->so.unfused &&
        x->so.fuse == y->so.fuse && x->so.ubatch == y->so.ubatch && x->cli->batch == y->cli->batch;
}

static rg_status lane_for(int *out, rg_bench *b, const rg_setting *s, const rg_bench_test *t, rg_err *err)
{
    const rg_unit *u = &b->unit[s->unit];
    const rg_config *c = rg_ckpt_config(u->ckpt);
    const int64_t ctx = t->depth + t->prompt + t->gen;
    rg_bench_lane l = {.unit = s->unit, .cli = &s->cli, .depth = t->depth};
    rg_engine_opts eo;
    rg_status st = rg_engine_args(&eo, &s->cli, s->cli.dtype, &b->progress, err);
    if (!st) st = rg_session_args(&l.so, &s->cli, rg_default_kv(u->ckpt, &eo), err);
    if (st) return st;
    if (!l.so.ubatch) l.so.ubatch = 512;
    l.so.n_seq = t->seqs;
    l.so.ctx = ctx;
    l.so.past_training = true;
    rg_note_context(c, ctx);
    if ((st = rg_session_check(c, &l.so, err))) return st;
    int i = 0;
    while (i < b->n_lanes && !same_lane(&b->lane[i], &l)) i++;
    if (i == b->n_lanes) b->lane[b->n_lanes++] = l;
    b->lane[i].so.ctx = rg_max(b->lane[i].so.ctx, ctx);
    b->lane[i].so.back =
        rg_max(b->lane[i].so.back, t->prompt + t->gen); /* every sample begins at the depth */
    *out = i;
    return RG_OK;
}

rg_status rg_bench_rows(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    const int loads = (int)rg_max(b->loads, RG_QUICK_LOADS),
              samples = b->reps ? b->reps : b->per_load * loads;
    b->n_rows = b->n_settings * b->n_tests;
    b->row = calloc(b->n_rows, sizeof *b->row);
    b->lane = calloc(b->n_rows, sizeof *b->lane);
    if (!b->row || !b->lane) return rg_no_memory(err, "bench");
    for (int i = 0; i < b->n_rows && !st; i++) {
        rg_bench_row *r = &b->row[i];
        r->setting = i / b->n_tests;
        r->test = i % b->n_tests;
        r->ns = calloc(samples, sizeof *r->ns);
        r->load = calloc(samples, sizeof *r->load);
        r->ops = calloc(loads, sizeof *r->ops);
        if (!r->ns || !r->load || !r->ops) return rg_no_memory(err, "bench");
        const rg_setting *s = &b->setting[r->setting];
        const rg_bench_test *t = &b->test[r->test];
        r->work = (rg_work){.vocab = rg_ckpt_config(b->unit[s->unit].ckpt)->vocab,
            .depth = t->depth,
            .prompt = t->prompt,
            .gen = t->gen,
            .seqs = t->seqs,
            .batch = s->cli.batch ? s->cli.batch : 2048,
            .steps = MOST_STEPS,
            .wall = true};
        st = lane_for(&r->lane, b, s, t, err);
        b->calls.seqs = rg_max(b->calls.seqs, t->seqs);
        b->calls.prompt = rg_max(b->calls.prompt, rg_min(r->work.batch, rg_max(t->prompt, t->depth)));
    }
    b->calls.batch = b->calls.prompt;
    return st ? st : rg_work_open(&b->calls, err);
}

/* ---- memory ---- */

static uint64_t lane_bytes(const rg_bench *b, const rg_bench_lane *l)
{
    rg_memory_plan p;
    const rg_unit *u = &b->unit[l->unit];
    rg_plan_memory(
        &p, rg_ckpt_config(u->ckpt), 0, true, l->cli->threads > 0 ? (int)l->cli->threads : 1, &l->so);
    return p.total;
}

bool rg_bench_fits(const rg_bench *b)
{
    uint64_t need = 0;
    for (int i = 0; i < b->n_units; i++) need += b->unit[i].weights;
    for (int i = 0; i < b->n_lanes; i++) need += lane_bytes(b, &b->lane[i]);
    const uint64_t have = rg_mem_available(NULL);
    return !have || need <= have / 10 * 9; /* some for what is not planned: teams, logs, page tables */
}

/* ---- roofs and loading ---- */

rg_status rg_bench_roofs(rg_bench *b, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < b->n_units && !st; i++) {
        rg_unit *u = &b->unit[i];
        const rg_machine before = u->machine;
        st = rg_unit_roofs(u, b->unit, i + 1, &b->progress, err);
        if (!st && before.threads == u->machine.threads && !rg_machine_of_file(&u->machine))
            rg_machine_raise(&u->machine, &before);
    }
    for (int i = 0; i < b->n_units && !st; i++)
        for (int k = 0; k < b->n_units; k++) {
            rg_unit *u = &b->unit[i];
            const rg_machine *other = &b->unit[k].machine;
            if (k != i && other->threads == u->machine.threads && !rg_machine_of_file(&u->machine))
                rg_machine_raise(&u->machine, other);
        }
    return st;
}

rg_status rg_bench_load(rg_bench *b, int unit, rg_err *err)
{
    rg_unit *u = &b->unit[unit];
    rg_engine_opts eo;
    rg_session_opts so = {.ctx = 1, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
    for (int i = 0; i < b->n_lanes; i++)
        if (b->lane[i].unit == unit) so = b->lane[i].so;
    rg_status st = rg_engine_args(&eo, u->cli, u->cli->dtype, &b->progress, err);
    if (!st) st = rg_unit_load(u, &eo, &so, err);
    for (int i = 0; i < b->n_lanes && !st; i++)
        if (b->lane[i].unit == unit) st = rg_session_open(&b->lane[i].s, u->e, &b->lane[i].so, err);
    return st;
}

void rg_bench_unload(rg_bench *b, int unit)
{
    for (int i = 0; i < b->n_lanes; i++) {
        if (b->lane[i].unit != unit) continue;
        rg_session_close(b->lane[i].s);
        b->lane[i].s = NULL;
    }
    rg_unit_unload(&b->unit[unit]);
}

void rg_bench_close(rg_bench *b)
{
    for (int i = 0; i < b->n_units; i++) {
        rg_bench_unload(b, i);
        rg_ckpt_close(b->unit[i].ckpt);
    }
    for (int i = 0; b->row && i < b->n_rows; i++) {
        free(b->row[i].ns);
        free(b->row[i].load);
        free(b->row[i].ops);
        rg_log_close(&b->row[i].log);
        rg_report_close(b->row[i].report);
    }
    rg_work_close(&b->calls);
    free(b->row);
    free(b->lane);
    free(b->unit);
    free(b->test);
    free(b->setting);
    rg_words_free(&b->words);
    *b = (rg_bench){0};
}
