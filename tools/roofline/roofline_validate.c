/* ridge roofline --validate. Roofs are measured once per thread count (the bandwidth anew where a model
 * streams); the speed of each kernel class (kernel, weight type, one token or few) is measured once per
 * machine on a small reference model that stays in the caches and is not part of the grid. Nothing is fitted
 * to a model of the grid. Predicted time of an operator: the larger of its memory time and its work at the
 * speed of its class, and the measured cost of a barrier and of a record. */
#include "tools/roofline/roofline_validate.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "report/join.h"
#include "report/table.h"
#include "ridge/engine.h"
#include "ridge/topo.h"
#include "roofline/measure/json_value.h"
#include "tools/report/page_out.h"
#include "weights/synth.h"

enum {
    MAX_POINTS = 512,
    MAX_REPS = 9,
    SIZES = 4,
    SPEEDS = RG_KK_COUNT * (RG_WT_COUNT + 1) * SIZES + SIZES * RG_OP_COUNT
};

/* Nanoseconds per operation of linear kernels; per byte of the others. 0: not seen. */
typedef struct speeds {
    double ns[SPEEDS], work[SPEEDS], t[SPEEDS];
    /* bytes that a call of the reference model streamed: where the class was measured */
    int64_t home[SPEEDS];
} speeds;

/* Attention over few queries is a pass over the cache, whatever the number of heads that share it. */
static bool by_bytes(const rg_rec *r)
{
    return r->kernel == RG_KK_ELEM || (r->kernel == RG_KK_ATTN && r->dims.m <= 8);
}

/* Tokens: one, a few, some (unpacking a block of weights shows), many. */
static int size_of(const rg_rec *r)
{
    return r->dims.m == 1 ? 0 : r->dims.m <= 8 ? 1 : r->dims.m < 64 ? 2 : 3;
}

static int class_of(const rg_rec *r)
{
    const rg_op op = rg_site_op((rg_site)r->site);
    if (rg_op_is_product(op)) return ((int)r->kernel * (RG_WT_COUNT + 1) + r->wtype) * SIZES + size_of(r);
    return RG_KK_COUNT * (RG_WT_COUNT + 1) * SIZES + SIZES * (int)op + size_of(r);
}

typedef struct point {
    char model[32];
    const char *dtype;
    int threads;
    int64_t prompt, batch;
    rg_phase phase;
    double measured_ns, ideal_ns, predicted_ns;
    double op_measured[RG_OP_COUNT], op_predicted[RG_OP_COUNT];
} point;

typedef struct trial {
    const rg_machine *m;
    const rg_config *cfg;
    rg_session *s;
    int64_t stream;
    int64_t kv_token; /* bytes of one position */
} trial;

static double overhead_ns(const rg_machine *m) { return m->barrier_ns.value + m->record_ns.value; }

static rg_status eval(trial *x, int64_t prompt, int64_t batch, rg_phase ph, rg_log *log, rg_err *err)
{
    const int64_t n = ph == RG_PREFILL ? prompt * batch : batch;
    int32_t *token = calloc((size_t)n, sizeof *token), *seq = calloc((size_t)n, sizeof *seq);
    uint8_t *want = calloc((size_t)n, 1);
    rg_status st = token && seq && want ? RG_OK : rg_fail(err, RG_E_NOMEM, "validate: out of memory");
    for (int64_t i = 0; i < n && st == RG_OK; i++) {
        const int64_t each = n / batch;
        token[i] = (int32_t)((uint64_t)(i * 2654435761) % (uint64_t)x->cfg->vocab);
        seq[i] = (int32_t)(i / each);
        want[i] = i % each == each - 1;
    }
    if (st == RG_OK) {
        for (int64_t b = 0; b < batch; b++) rg_session_truncate(x->s, b, ph == RG_PREFILL ? 0 : prompt);
        st = rg_session_eval(
            x->s, &(rg_batch){.n = n, .token = token, .seq = seq, .want = want}, ph, log, err);
    }
    free(token);
    free(seq);
    free(want);
    return st;
}

static rg_tally cost_of(const rg_rec *r)
{
    return rg_cost(
        rg_site_op((rg_site)r->site), &r->dims, (rg_wtype)r->wtype, (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
}

static double phase_ns(const rg_log *l)
{
    double t = 0.0;
    for (size_t i = 0; i < l->n_steps; i++) t += (double)l->step[i].t_ns;
    return t;
}

/* Repetitions until 0.3 s are full; *best is the log of the median one (owned by the caller). */
static rg_status repeat(trial *x, int64_t prompt, int64_t batch, rg_phase ph, rg_log *best, rg_err *err)
{
    rg_log log[MAX_REPS] = {{0}};
    rg_status st = eval(x, prompt, batch, ph, NULL, err);
    double sum = 0.0;
    int n = 0, order[MAX_REPS];
    for (; n < MAX_REPS && st == RG_OK && (n < 3 || sum < 0.3e9); n++) {
        if (rg_log_open(
                &log[n], rg_session_steps_for(x->s, prompt * batch) + 1, rg_session_ops_per_step(x->s)) != 0)
            st = rg_fail(err, RG_E_NOMEM, "validate: out of memory");
        else
            st = eval(x, prompt, batch, ph, &log[n], err);
        sum += phase_ns(&log[n]);
        order[n] = n;
        for (int k = n; k > 0 && phase_ns(&log[order[k]]) < phase_ns(&log[order[k - 1]]); k--) {
            const int swap = order[k];
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    }
    const int mid = n > 0 ? order[(n - 1) / 2] : 0;
    *best = log[mid];
    for (int i = 0; i < n; i++)
        if (i != mid) rg_log_close(&log[i]);
    return st;
}

static void learn(speeds *v, const rg_machine *m, int64_t stream, const rg_log *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const rg_rec *r = &l->rec[i];
        const rg_tally a = cost_of(r);
        const int c = class_of(r);
        v->home[c] = stream;
        v->work[c] += by_bytes(r) ? (double)rg_tally_bytes(&a) : (double)a.flop;
        v->t[c] += fmax(0.1 * (double)r->t_ns, (double)r->t_ns - overhead_ns(m));
        v->ns[c] = v->work[c] > 0.0 ? v->t[c] / v->work[c] : 0.0;
    }
}

static void predict(point *p, const speeds *v, const trial *x, const rg_log *l)
{
    p->measured_ns = phase_ns(l);
    for (size_t i = 0; i < l->n; i++) {
        const rg_rec *r = &l->rec[i];
        const rg_tally a = cost_of(r);
        const int64_t ctx = r->step < l->n_steps ? l->step[r->step].ctx : 0;
        const rg_ideal d = rg_predict(x->m, &a, (rg_arith)r->arith, (rg_isa)r->isa, (rg_kernel_kind)r->kernel,
            x->stream + ctx * p->batch * x->kv_token);
        const double work = by_bytes(r) ? (double)rg_tally_bytes(&a) : (double)a.flop,
                     at_speed = v->ns[class_of(r)] * work;
        /* bytes from farther away than where the class was measured need the difference in addition:
         * transfers do not overlap with a kernel that loads all the time */
        const rg_ideal near = rg_predict(
            x->m, &a, (rg_arith)r->arith, (rg_isa)r->isa, (rg_kernel_kind)r->kernel, v->home[class_of(r)]);
        const double farther = size_of(r) <= 1 ? fmax(0.0, d.mem_ns - near.mem_ns) : 0.0;
        const double t = fmax(fmax(d.mem_ns, d.flop_ns), at_speed + farther) + overhead_ns(x->m);
        const rg_op op = rg_site_op((rg_site)r->site);
        p->ideal_ns += fmax(d.mem_ns, d.flop_ns);
        p->predicted_ns += t;
        p->op_predicted[op] += t;
        p->op_measured[op] += (double)r->t_ns;
    }
    p->predicted_ns += x->m->region_ns.value * (double)l->n_steps;
}

/* ---- models ---- */

static void remove_model(const char *dir)
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

typedef struct lengths {
    int64_t prompt, batch;
} lengths;

typedef struct bench {
    const rg_machine *m;
    const rg_ckpt *ckpt;
    const char *name;
    int dtype;
    speeds *v;
    bool teach; /* fills v instead of points */
    point *p;
    int *n;
} bench;

static rg_status run_model(bench *b, const lengths *at, int n_at, rg_err *err)
{
    rg_engine *e = NULL;
    rg_session *s = NULL;
    const rg_config *c = rg_ckpt_config(b->ckpt);
    int64_t ctx = 0, batch = 1;
    for (int i = 0; i < n_at; i++) {
        ctx = rg_max(ctx, at[i].prompt + 2);
        batch = rg_max(batch, at[i].batch);
    }
    const rg_engine_opts eo = {
        .threads = b->m->threads, .dtype = b->dtype, .isa_cap = RG_ISA_COUNT, .stop = &rg_stop};
    const rg_kvtype kv = rg_default_kv(b->ckpt, &eo);
    rg_status st = rg_engine_open(&e, b->ckpt, &eo, err);
    if (st == RG_OK)
        st = rg_session_open(&s, e,
            &(rg_session_opts){.ctx = ctx, .n_seq = batch, .kv_k = kv, .kv_v = kv, .fuse = RG_FUSE_DEFAULT},
            err);
    if (st != RG_OK) goto out;
    rg_engine_info info;
    rg_engine_get_info(e, &info);
    /* what a shared machine gives changes from minute to minute: the bandwidth where this model streams,
     * now */
    rg_machine now = *b->m;
    if ((st = rg_machine_refresh(&now, info.cpus, (int64_t)info.stream_bytes, NULL, NULL, &rg_stop, err)) !=
        RG_OK)
        goto out;
    trial x = {.m = &now,
        .cfg = c,
        .s = s,
        .stream = (int64_t)info.stream_bytes,
        .kv_token =
            c->layers * c->kv_heads * (rg_kv_k_bytes(kv, c->head_dim) + rg_kv_v_bytes(kv, c->head_dim))};
    for (int i = 0; i < n_at && st == RG_OK; i++)
        for (int ph = 0; ph < RG_PHASE_COUNT && st == RG_OK; ph++) {
            rg_log log = {0};
            st = repeat(&x, at[i].prompt, at[i].batch, (rg_phase)ph, &log, err);
            if (st == RG_OK && b->teach) {
                learn(b->v, b->m, x.stream, &log);
            } else if (st == RG_OK && *b->n < MAX_POINTS) {
                point *p = &b->p[(*b->n)++];
                *p = (point){.dtype = rg_wtypes[b->dtype].name,
                    .threads = b->m->threads,
                    .prompt = at[i].prompt,
                    .batch = at[i].batch,
                    .phase = (rg_phase)ph};
                snprintf(p->model, sizeof p->model, "%s", b->name);
                predict(p, b->v, &x, &log);
            }
            rg_log_close(&log);
        }
out:
    rg_session_close(s);
    rg_engine_close(e);
    return st;
}

/* ---- report ---- */

static double error_of(double predicted, double measured) { return fabs(predicted - measured) / measured; }

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct spread {
    int n;
    double median, p90, worst;
} spread;

static spread summarise(double *v, int n)
{
    if (n == 0) return (spread){0, NAN, NAN, NAN};
    qsort(v, (size_t)n, sizeof *v, by_value);
    return (spread){n, v[(n - 1) / 2], v[(int)(0.9 * (n - 1) + 0.5)], v[n - 1]};
}

static spread phase_spread(const point *p, int n, int ph)
{
    double v[MAX_POINTS];
    int k = 0;
    for (int i = 0; i < n; i++)
        if ((int)p[i].phase == ph) v[k++] = error_of(p[i].predicted_ns, p[i].measured_ns);
    return summarise(v, k);
}

/* Only where the class takes a twentieth of its phase: the error of what does not matter is noise. */
static spread op_spread(const point *p, int n, int op)
{
    double v[MAX_POINTS];
    int k = 0;
    for (int i = 0; i < n; i++)
        if (p[i].op_measured[op] > 0.05 * p[i].measured_ns)
            v[k++] = error_of(p[i].op_predicted[op], p[i].op_measured[op]);
    return summarise(v, k);
}

static void spread_row(rg_table *t, const char *name, spread s)
{
    char c[4][24];
    snprintf(c[0], sizeof c[0], "%d", s.n);
    rg_table_row(t, name, c[0], rg_percent(c[1], sizeof c[1], s.median), rg_percent(c[2], sizeof c[2], s.p90),
        rg_percent(c[3], sizeof c[3], s.worst), NULL);
}

static void print_md(const point *p, int n, const rg_machine *m)
{
    rg_table t = {0};
    char c[7][32];
    printf("# Prediction against measurement: %s\n\n%s, roofs of up to %d threads. error = |predicted - "
           "measured| / measured.\n\n",
        m->cpu, m->source, m->threads);
    rg_table_head(&t, "<phase or operator", ">points", ">median error", ">90th percentile", ">worst", NULL);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) spread_row(&t, rg_phase_names[ph], phase_spread(p, n, ph));
    for (int op = 0; op < RG_OP_COUNT; op++) {
        const spread s = op_spread(p, n, op);
        if (s.n > 0) spread_row(&t, rg_op_name((rg_op)op), s);
    }
    rg_table_print(stdout, &t);
    rg_table_free(&t);
    printf("\nOperators count where they take a twentieth of their phase or more.\n\n");
    rg_table_head(&t, "<model", "<weights", ">threads", ">prompt", ">batch", "<phase", ">measured ms",
        ">predicted ms", ">error", ">ideal / measured", NULL);
    for (int i = 0; i < n; i++) {
        snprintf(c[0], sizeof c[0], "%d", p[i].threads);
        snprintf(c[1], sizeof c[1], "%" PRId64, p[i].prompt);
        snprintf(c[2], sizeof c[2], "%" PRId64, p[i].batch);
        snprintf(
            c[5], sizeof c[5], "%+.1f %%", 100.0 * (p[i].predicted_ns - p[i].measured_ns) / p[i].measured_ns);
        rg_table_row(&t, p[i].model, p[i].dtype, c[0], c[1], c[2], rg_phase_names[p[i].phase],
            rg_num(c[3], sizeof c[3], 1e-6 * p[i].measured_ns),
            rg_num(c[4], sizeof c[4], 1e-6 * p[i].predicted_ns), c[5],
            rg_percent(c[6], sizeof c[6], p[i].ideal_ns / p[i].measured_ns), NULL);
    }
    rg_table_print(stdout, &t);
    rg_table_free(&t);
    printf("\nPredicted: per operator the larger of its memory time, its arithmetic at the roof, and its "
           "work at the speed of its kernel class (measured once\n"
           "on a reference model that stays in the caches; few tokens: and the time that bytes from farther "
           "away need more), with the measured cost of a "
           "barrier (%.0f ns) and of a record (%.0f ns); per call a parallel region.\n"
           "ideal: the roofline alone.\n",
        m->barrier_ns.value, m->record_ns.value);
}

static void print_csv(const point *p, int n)
{
    printf("model,dtype,threads,prompt,batch,phase,measured_ns,predicted_ns,ideal_ns,error\n");
    for (int i = 0; i < n; i++)
        printf("%s,%s,%d,%" PRId64 ",%" PRId64 ",%s,%.0f,%.0f,%.0f,%.6g\n", p[i].model, p[i].dtype,
            p[i].threads, p[i].prompt, p[i].batch, rg_phase_names[p[i].phase], p[i].measured_ns,
            p[i].predicted_ns, p[i].ideal_ns, (p[i].predicted_ns - p[i].measured_ns) / p[i].measured_ns);
}

static json_t *spread_json(spread s)
{
    return json_pack("{s:i, s:o, s:o, s:o}", "points", s.n, "median", rg_json_real(s.median), "p90",
        rg_json_real(s.p90), "worst", rg_json_real(s.worst));
}

/* "decode: median error 8.1 %, nine in ten below 17 %, worst 25 % of 24 points." */
static json_t *verdict_of(const point *p, int n)
{
    json_t *said = json_array();
    rg_lines l = {0};
    char a[32], b[32], c[32];
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const spread s = phase_spread(p, n, ph);
        int above = 0;
        for (int i = 0; i < n; i++) above += (int)p[i].phase == ph && p[i].predicted_ns > p[i].measured_ns;
        if (s.n > 0)
            rg_lines_add(&l,
                "%s: the prediction is off by %s in the middle of %d points, by %s in nine of ten, by %s at "
                "worst; it is above the measurement in %d.",
                rg_phase_names[ph], rg_percent(a, sizeof a, s.median), s.n, rg_percent(b, sizeof b, s.p90),
                rg_percent(c, sizeof c, s.worst), above);
    }
    for (int i = 0; i < l.n; i++) json_array_append_new(said, rg_json_text(l.s[i]));
    rg_lines_free(&l);
    return said;
}

static json_t *to_json(const point *p, int n, const rg_machine *m, const char *command)
{
    json_t *rows = json_array(), *errors = json_object();
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        json_object_set_new(errors, rg_phase_names[ph], spread_json(phase_spread(p, n, ph)));
    for (int op = 0; op < RG_OP_COUNT; op++) {
        const spread s = op_spread(p, n, op);
        if (s.n > 0) json_object_set_new(errors, rg_op_name((rg_op)op), spread_json(s));
    }
    for (int i = 0; i < n; i++)
        json_array_append_new(rows,
            json_pack("{s:s, s:s, s:i, s:I, s:I, s:s, s:f, s:f, s:f}", "model", p[i].model, "dtype",
                p[i].dtype, "threads", p[i].threads, "prompt", (json_int_t)p[i].prompt, "batch",
                (json_int_t)p[i].batch, "phase", rg_phase_names[p[i].phase], "measured_ns", p[i].measured_ns,
                "predicted_ns", p[i].predicted_ns, "ideal_ns", p[i].ideal_ns));
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "schema", "ridge.validation", "version", 1,
        "command", rg_json_text(command), "cpu", rg_json_text(m->cpu), "errors", errors, "points", rows,
        "verdict", verdict_of(p, n));
}

/* ---- the grid ---- */

static rg_status open_model(rg_ckpt **out, const rg_config *c, const char *dir, rg_err *err)
{
    const rg_status st =
        rg_synth_write(c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 42, dir, NULL, NULL, &rg_stop, err);
    return st == RG_OK ? rg_ckpt_open(out, dir, err) : st;
}

typedef struct grid {
    const rg_machine *m; /* [n_threads] */
    int n_threads;
    const int *dtype;
    int n_dtypes;
    speeds *v; /* [n_threads] */
    point *p;
    int n;
} grid;

static rg_status one_model(grid *g, const rg_config *c, const char *name, const char *base, bool teach,
    const lengths *at, int n_at, rg_err *err)
{
    char dir[600];
    rg_ckpt *k = NULL;
    snprintf(dir, sizeof dir, "%s/%s", base, teach ? "reference" : name);
    fprintf(stderr, "validate: %s\n", teach ? "reference model" : name);
    rg_status st = open_model(&k, c, dir, err);
    for (int t = 0; t < g->n_threads && st == RG_OK; t++)
        for (int d = 0; d < g->n_dtypes && st == RG_OK; d++)
            st = run_model(&(bench){.m = &g->m[t],
                               .ckpt = k,
                               .name = name,
                               .dtype = g->dtype[d],
                               .v = &g->v[t],
                               .teach = teach,
                               .p = g->p,
                               .n = &g->n},
                at, n_at, err);
    rg_ckpt_close(k);
    remove_model(dir);
    return st;
}

rg_status rg_roofline_validate(const rg_cli *cli, int format, rg_err *err)
{
    static const int dtypes[] = {RG_WT_F16, RG_WT_Q4G64, RG_WT_Q8G32};
    static const char *const names[] = {"stories15m", "smollm2-135m"};
    static const lengths teach[] = {{128, 1}, {32, 4}, {24, 1}}, at[] = {{32, 1}, {224, 1}, {32, 4}};
    const rg_shape reference = {"reference", 256, 768, 1, 4, 2, 64, 1024, 512, 1e4, 1e-5, false, 0};
    const rg_shape middle = {"middle-30m", 512, 1536, 8, 8, 4, 64, 8192, 512, 1e4, 1e-5, false, 0};
    rg_topo topo;
    rg_machine m[2] = {{.cores = 0}};
    speeds *v = calloc(2, sizeof *v);
    point *p = calloc(MAX_POINTS, sizeof *p);
    char base[64] = "/tmp/ridge-validate-XXXXXX";
    rg_config c;
    rg_status st = v && p ? RG_OK : rg_fail(err, RG_E_NOMEM, "validate: out of memory");
    if (st == RG_OK && !mkdtemp(base)) st = rg_fail(err, RG_E_FILE, "validate: cannot make a folder in /tmp");
    if (st != RG_OK) goto out;
    rg_topo_read(&topo);
    const int *cpus, most = rg_topo_place(&topo, (int)cli->threads, true, &cpus);
    grid g = {.m = m, .dtype = dtypes, .n_dtypes = cli->quick ? 2 : 3, .v = v, .p = p};
    for (int i = 0; i < 2 && st == RG_OK; i++) {
        if ((i == 0 && cli->quick) || (i == 1 && most == 1 && !cli->quick)) continue;
        const int threads = rg_topo_place(&topo, i == 0 ? 1 : most, true, &cpus);
        st = rg_machine_measure(&m[g.n_threads++], threads, cpus, 0, true, NULL, NULL, &rg_stop, err);
    }
    rg_shape_config(&reference, &c);
    if (st == RG_OK) st = one_model(&g, &c, reference.name, base, true, teach, 3, err);
    for (int i = 0; i < (cli->quick ? 1 : 2) && st == RG_OK; i++) {
        rg_shape_config(rg_shape_find(names[i]), &c);
        st = one_model(&g, &c, names[i], base, false, at, 3, err);
    }
    rg_shape_config(&middle, &c);
    if (st == RG_OK && !cli->quick) st = one_model(&g, &c, middle.name, base, false, at, 3, err);
    rmdir(base);
    if (st == RG_OK && format == 0) print_md(p, g.n, &m[g.n_threads - 1]);
    if (st == RG_OK && format == 1) print_csv(p, g.n);
    if (st == RG_OK && (format == 2 || cli->html || cli->svg)) {
        rg_doc d;
        st = rg_doc_take(&d, to_json(p, g.n, &m[g.n_threads - 1], cli->line), err);
        if (st == RG_OK && format == 2) st = rg_doc_json(stdout, &d, err);
        if (st == RG_OK && (cli->html || cli->svg))
            st = rg_page_out(&d, cli->html, cli->svg, NULL, err);
        else
            rg_doc_close(&d);
    }
out:
    free(v);
    free(p);
    return st;
}
