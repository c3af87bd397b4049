/* The reference model, which teaches what kernels cost on this machine: narrow layers with the architecture,
 * heads, types and fusions of the model that is measured. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "ridge/latency.h"
#include "ridge/topo.h"
#include "roofline/model/exact.h"
#include "tools/measure/measure.h"
#include "weights/synth.h"

/* Widths are those of no named shape, and multiples of every group of weights. */
enum { HIDDEN = 384, FFN = 1280, EXPERT = 512, VOCAB = 1024, LAYERS = 16, GROUP = 128 };
/* Tokens of a prompt at most; contexts at which decode steps are taken: attention needs two. */
enum { LONGEST = 256, SHALLOW = 16, DEEP = 240, STEPS = 8, MOST_SEQS = 64, DEEP_SEQS = 8 };
/* Repetitions go on until so much time is full. */
enum { MIN_REPS = 7, MAX_REPS = 25, MEASURE_NS = 50000000, WARM_UP_NS = 10000000 };

typedef struct types {
    const rg_ckpt *ckpt;
    const rg_engine_opts *opts;
} types;

static int type_of(void *user, rg_site site, int layer)
{
    const types *t = user;
    (void)layer;
    return rg_resident_type(t->ckpt, t->opts, site);
}

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[1024];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d) closedir(d);
    rmdir(dir);
}

/* A model narrower than the reference makes it narrower. */
static int64_t narrow(int64_t most, int64_t own) { return rg_min(most, rg_round_up(own + own / 2, GROUP)); }

/* As many layers as do not fit the private caches, if the model itself does not: then operands lie where most
 * models' do. */
static int64_t layers_of(const rg_unit *u, const rg_config *c)
{
    rg_topo t;
    rg_topo_read(&t);
    const int64_t ffn = c->ffn + c->experts * c->expert_ffn + c->shared_ffn;
    const double each = (double)u->weights / rg_exact_params(rg_ckpt_config(u->ckpt)),
                 layer = each * (double)(2 * c->dim * (rg_q_dim(c) + rg_kv_dim(c)) + 3 * c->dim * ffn),
                 most = fmin(3.0 * (double)t.l2_bytes * u->machine.threads, (double)u->weights);
    return (int64_t)fmax(1.0, fmin(LAYERS, ceil(most / layer)));
}

rg_status rg_made_up_open(rg_ckpt **out, const rg_config *c, rg_err *err)
{
    const char *tmp = getenv("TMPDIR");
    char outer[600], dir[600 + sizeof c->name];
    snprintf(outer, sizeof outer, "%s/ridge-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(outer)) return rg_fail(err, RG_E_FILE, "%s: cannot make a folder for random weights", outer);
    snprintf(dir, sizeof dir, "%s/%s", outer, c->name); /* a checkpoint is called as its folder */
    for (char *p = dir + strlen(outer) + 1; *p; p++)
        if (*p == '/') *p = '-';
    rg_status st = mkdir(dir, 0700) == 0
        ? RG_OK
        : rg_fail(err, RG_E_FILE, "%s: cannot make a folder for random weights", dir);
    if (!st) st = rg_synth_write(c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 42, dir, NULL, NULL, &rg_stop, err);
    if (!st) st = rg_ckpt_open(out, dir, err);
    remove_folder(dir); /* an open checkpoint keeps its pages */
    rmdir(outer);
    return st;
}

static rg_config reference_of(const rg_unit *u)
{
    rg_config c = *rg_ckpt_config(u->ckpt);
    c.dim = narrow(HIDDEN, c.dim);
    if (c.ffn > 0) c.ffn = narrow(FFN, c.ffn);
    if (c.experts > 0) { /* a choice of experts for several tokens is enough of them */
        c.experts = rg_min(c.experts, 4 * c.experts_used);
        c.expert_ffn = narrow(EXPERT, c.expert_ffn);
    }
    if (c.shared_ffn > 0) c.shared_ffn = narrow(FFN, c.shared_ffn);
    c.vocab = VOCAB;
    snprintf(c.name, sizeof c.name, "reference");
    c.layers = layers_of(u, &c);
    c.ctx_train = rg_max(c.ctx_train, DEEP + STEPS);
    /* windows hide nothing, and where angles come from does not change what a call costs */
    if (c.window > 0) c.window = rg_max(c.window, LONGEST + STEPS);
    c.rope_local = c.q_temp = c.rope_magnitude = 0.0;
    c.rope_scaling = RG_ROPE_NONE;
    /* biases and orders of columns, which not every model of it has, are charged by the roofline alone */
    rg_shape_sites(&c);
    return c;
}

static rg_status learn(rg_speeds *s, const rg_unit *u, const rg_session_opts *so, rg_work w, rg_err *err)
{
    const rg_engine_info *e = &u->info;
    rg_takes k = {0};
    rg_log log = {0};
    w.vocab = VOCAB;
    w.batch = rg_max(w.prompt, w.depth);
    rg_status st = rg_work_open(&w, err);
    if (!st) st = rg_work_warm_up(&w, w.gen, WARM_UP_NS, NULL, err);
    if (!st) st = rg_takes_open(&k, &w, MAX_REPS, 0, err);
    if (!st) st = rg_takes_record(&k, &w, MIN_REPS, MEASURE_NS, err);
    if (!st) st = rg_takes_join(&log, NULL, &k, false, err);
    for (const rg_rec *r = log.rec; !st && r < log.rec + log.n; r++)
        rg_speeds_learn(
            s, r, rg_streamed(e->stream_bytes, e->config, so->kv_k, so->kv_v, &log.step[r->step]));
    rg_log_close(&log);
    rg_takes_close(&k);
    rg_work_close(&w);
    return st;
}

rg_status rg_unit_learn(rg_speeds *s, const rg_unit *of, const rg_engine_opts *eo, const rg_session_opts *so,
    int64_t prompt, int64_t seqs, rg_err *err)
{
    const types t = {of->ckpt, eo};
    rg_engine_opts reo = *eo;
    rg_session_opts rso = {.ctx = LONGEST + STEPS,
        .past_training = true,
        .n_seq = rg_min(seqs, MOST_SEQS),
        .ubatch = so->ubatch,
        .back = STEPS,
        .kv_k = so->kv_k,
        .kv_v = so->kv_v,
        .unfused = so->unfused,
        .fuse = so->fuse};
    const rg_config c = reference_of(of);
    rg_ckpt *ckpt = NULL;
    rg_latency l;
    *s = (rg_speeds){0};
    reo.type_of = type_of;
    reo.type_user = (void *)(uintptr_t)&t;
    rg_status st = rg_made_up_open(&ckpt, &c, err);
    rg_unit u = {.cli = of->cli, .ckpt = ckpt, .machine = of->machine};
    if (st) return st;
    st = rg_unit_load(&u, &reo, &rso, err);
    if (!st && !rg_latency_measure(&l, u.info.threads, u.info.cpus, NULL)) { /* else unknown: no team */
        s->op_ns = l.record_ns;
        s->step_ns = l.region_ns;
    }
    rg_work w = {.seqs = 1, .prompt = rg_min(prompt, LONGEST)};
    if (!st) st = rg_session_open(&w.s, u.e, &rso, err);
    if (!st && w.prompt > 0) st = learn(s, &u, &rso, w, err);
    w = (rg_work){.s = w.s, .seqs = rso.n_seq, .gen = STEPS, .depth = SHALLOW};
    if (!st) st = learn(s, &u, &rso, w, err);
    w.depth = DEEP;
    if (!st && w.seqs <= DEEP_SEQS) st = learn(s, &u, &rso, w, err);
    rg_speeds_fit(s);
    rg_session_close(w.s);
    rg_unit_unload(&u);
    rg_ckpt_close(ckpt);
    return st;
}
