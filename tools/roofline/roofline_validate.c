/* ridge roofline --validate. A small reference model outside of the grid teaches the speed of each kernel
 * class (kernel, weight type, one token or few); nothing is fitted to a model of the grid. An operator takes
 * the larger of its memory time and its work at that speed, and a barrier and a record. */
#include "tools/roofline/roofline_args.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cells.h"
#include "report/join.h"
#include "ridge/engine.h"
#include "ridge/topo.h"
#include "tools/measure/measure.h"
#include "tools/report/page_out.h"
#include "weights/synth.h"

/* Repetitions go on until 0.3 s are full. */
enum {
    MAX_POINTS = 512,
    MIN_REPS = 3,
    MAX_REPS = 9,
    MEASURE_NS = 300000000,
    ERRORS = RG_PHASE_COUNT + RG_OP_COUNT,
    SIZES = 4,
    SPEEDS = RG_KK_COUNT * (RG_WT_COUNT + 1) * SIZES + SIZES * RG_OP_COUNT
};

/* Nanoseconds per operation of linear kernels; per byte of the others. 0: not seen. */
typedef struct speeds {
    double ns[SPEEDS], work[SPEEDS], t[SPEEDS];
    /* bytes that a call of the reference model streamed: where the class was measured */
    int64_t home[SPEEDS];
} speeds;

/* Bytes or operations: attention over few queries is a pass over the cache, whatever heads share it. */
static double work_of(const rg_rec *r, const rg_tally *a)
{
    const bool bytes = r->kernel == RG_KK_ELEM || (r->kernel == RG_KK_ATTN && r->dims.m <= 8);
    return bytes ? (double)rg_tally_bytes(a) : (double)a->flop;
}

/* Tokens: one, a few, some (unpacking a block of weights shows), many. */
static int size_of(const rg_rec *r)
{
    return r->dims.m == 1 ? 0 : r->dims.m <= 8 ? 1 : r->dims.m < 64 ? 2 : 3;
}

static int class_of(const rg_rec *r)
{
    const rg_op op = rg_site_op(r->site);
    if (rg_op_is_product(op)) return ((int)r->kernel * (RG_WT_COUNT + 1) + r->wtype) * SIZES + size_of(r);
    return RG_KK_COUNT * (RG_WT_COUNT + 1) * SIZES + SIZES * (int)op + size_of(r);
}

typedef struct point {
    rg_doc_point d;
    double op_measured[RG_OP_COUNT], op_predicted[RG_OP_COUNT];
} point;

typedef struct trial {
    const rg_machine *m;
    int64_t stream;
    int64_t kv_token; /* bytes of one position */
} trial;

static double overhead_ns(const rg_machine *m) { return m->barrier_ns.value + m->record_ns.value; }

static rg_ideal ideal_of(const rg_machine *m, const rg_tally *a, const rg_rec *r, int64_t footprint)
{
    return rg_predict(m, a, r->arith, r->isa, r->kernel, footprint);
}

static rg_tally cost_of(const rg_rec *r)
{
    return rg_cost(rg_site_op(r->site), &r->dims, r->wtype, r->kv_k, r->kv_v);
}

static void learn(speeds *v, const rg_machine *m, int64_t stream, const rg_log *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const rg_rec *r = &l->rec[i];
        const rg_tally a = cost_of(r);
        const int c = class_of(r);
        v->home[c] = stream;
        v->work[c] += work_of(r, &a);
        v->t[c] += fmax(0.1 * (double)r->t_ns, (double)r->t_ns - overhead_ns(m));
        v->ns[c] = v->work[c] > 0.0 ? v->t[c] / v->work[c] : 0.0;
    }
}

static void predict(point *p, const speeds *v, const trial *x, const rg_log *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const rg_rec *r = &l->rec[i];
        const rg_tally a = cost_of(r);
        const int64_t ctx = r->step < l->n_steps ? l->step[r->step].ctx : 0;
        const rg_ideal d = ideal_of(x->m, &a, r, x->stream + ctx * (int64_t)p->d.batch * x->kv_token);
        const int c = class_of(r);
        /* bytes from farther away than where the class was measured need the difference too: transfers do
         * not overlap with a kernel that loads all the time */
        const rg_ideal near = rg_predict(x->m, &a, r->arith, r->isa, r->kernel, v->home[c]);
        const double farther = size_of(r) <= 1 ? fmax(0.0, d.mem_ns - near.mem_ns) : 0.0,
                     t = fmax(fmax(d.mem_ns, d.flop_ns), v->ns[c] * work_of(r, &a) + farther) +
            overhead_ns(x->m);
        const rg_op op = rg_site_op(r->site);
        p->d.ideal_ns += fmax(d.mem_ns, d.flop_ns);
        p->d.predicted_ns += t;
        p->op_predicted[op] += t;
        p->op_measured[op] += (double)r->t_ns;
    }
    p->d.predicted_ns += x->m->region_ns.value * (double)l->n_steps;
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

typedef struct grid {
    const rg_machine *m; /* [n_threads] */
    speeds *v;           /* [n_threads] */
    const int *dtype;
    int n_threads, n_dtypes;
    rg_ckpt *ckpt; /* of the model that is being measured */
    const char *name;
    bool teach; /* it fills v instead of points */
    point *p;
    int n;
} grid;

/* The median repetition of one phase teaches, or becomes a point. t, d: which threads and type. */
static rg_status measure(
    grid *g, int t, int d, const trial *x, rg_session *s, const lengths *at, rg_phase ph, rg_err *err)
{
    rg_takes k = {0};
    rg_work w = {.s = s,
        .vocab = rg_ckpt_config(g->ckpt)->vocab,
        .depth = ph == RG_DECODE ? at->prompt : 0,
        .prompt = ph == RG_DECODE ? 0 : at->prompt,
        .gen = ph == RG_DECODE,
        .seqs = at->batch,
        .batch = at->prompt,
        .together = true};
    rg_status st = rg_work_open(&w, err);
    if (!st) st = rg_work_warm_up(&w, w.gen, 0, NULL, err);
    if (!st) st = rg_takes_open(&k, &w, MAX_REPS, 0, err);
    if (!st) st = rg_takes_record(&k, &w, MIN_REPS, MEASURE_NS, err);
    if (!st) {
        const rg_take *median = &k.take[rg_takes_median(&k, ph)];
        if (g->teach) {
            learn(&g->v[t], &g->m[t], x->stream, &median->log[ph]);
        } else if (g->n < MAX_POINTS) {
            point *p = &g->p[g->n++];
            *p = (point){.d = {.model = g->name,
                             .dtype = rg_wtypes[g->dtype[d]].name,
                             .threads = g->m[t].threads,
                             .prompt = (double)at->prompt,
                             .batch = (double)at->batch,
                             .phase = ph,
                             .measured_ns = median->ns[ph]}};
            predict(p, &g->v[t], x, &median->log[ph]);
        }
    }
    rg_takes_close(&k);
    rg_work_close(&w);
    return st;
}

static rg_status run_model(grid *g, int t, int d, const lengths *at, int n_at, rg_err *err)
{
    rg_session *s = NULL;
    const rg_config *c = rg_ckpt_config(g->ckpt);
    rg_progress progress = {0};
    const rg_engine_opts eo = {.threads = g->m[t].threads,
        .dtype = g->dtype[d],
        .isa_cap = RG_ISA_COUNT,
        .progress_user = &progress,
        .stop = &rg_stop};
    const rg_kvtype kv = rg_default_kv(g->ckpt, &eo);
    rg_session_opts so = {.n_seq = 1, .kv_k = kv, .kv_v = kv, .fuse = RG_FUSE_DEFAULT};
    for (int i = 0; i < n_at; i++) {
        so.ctx = rg_max(so.ctx, at[i].prompt + 2);
        so.n_seq = rg_max(so.n_seq, at[i].batch);
    }
    rg_unit u = {.ckpt = g->ckpt, .machine = g->m[t]};
    const rg_engine_info *i = &u.info;
    rg_status st = rg_unit_load(&u, &eo, &so, err);
    if (!st) st = rg_session_open(&s, u.e, &so, err);
    /* a shared machine changes from minute to minute: the bandwidth where this model streams, now */
    if (!st) st = rg_machine_refresh(&u.machine, i->cpus, i->stream_bytes, true, err);
    const trial x = {.m = &u.machine,
        .stream = (int64_t)i->stream_bytes,
        .kv_token =
            c->layers * c->kv_heads * (rg_kv_k_bytes(kv, c->head_dim) + rg_kv_v_bytes(kv, c->head_dim))};
    for (int k = 0; k < n_at && !st; k++)
        for (int ph = 0; ph < RG_PHASE_COUNT && !st; ph++) st = measure(g, t, d, &x, s, &at[k], ph, err);
    rg_session_close(s);
    rg_unit_unload(&u);
    return st;
}

/* ---- report ---- */

static double error_of(double predicted, double measured) { return fabs(predicted - measured) / measured; }

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of a phase, or behind the phases of a kind of operator, where it takes a twentieth of its phase: errors of
 * less are noise. */
static rg_doc_error errors_of(const point *p, int n, int i)
{
    double v[MAX_POINTS];
    const int op = i - RG_PHASE_COUNT;
    int k = 0;
    for (int at = 0; at < n; at++, p++)
        if (op < 0 && (int)p->d.phase == i)
            v[k++] = error_of(p->d.predicted_ns, p->d.measured_ns);
        else if (op >= 0 && p->op_measured[op] > 0.05 * p->d.measured_ns)
            v[k++] = error_of(p->op_predicted[op], p->op_measured[op]);
    if (k == 0) return (rg_doc_error){.median = NAN, .p90 = NAN, .worst = NAN};
    qsort(v, k, sizeof *v, by_value);
    return (rg_doc_error){
        .points = k, .median = v[(k - 1) / 2], .p90 = v[(int)(0.9 * (k - 1) + 0.5)], .worst = v[k - 1]};
}

static const char *error_name(int i)
{
    return i < RG_PHASE_COUNT ? rg_phase_names[i] : rg_op_name((rg_op)(i - RG_PHASE_COUNT));
}

/* "decode: median error 8.1 %, nine in ten below 17 %, worst 25 % of 24 points." */
static void verdict_lines(rg_lines *l, const point *p, int n)
{
    char a[32], b[32], c[32];
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_error s = errors_of(p, n, ph);
        int above = 0;
        for (int i = 0; i < n; i++)
            above += (int)p[i].d.phase == ph && p[i].d.predicted_ns > p[i].d.measured_ns;
        if (s.points > 0.0)
            rg_lines_add(l,
                "%s: the prediction is off by %s in the middle of %.0f points, by %s in nine of ten, by %s "
                "at worst; it is above the measurement in %d.",
                rg_phase_names[ph], rg_percent(a, sizeof a, s.median), s.points,
                rg_percent(b, sizeof b, s.p90), rg_percent(c, sizeof c, s.worst), above);
    }
}

static void error_rows(rg_table *t, const point *p, int n)
{
    rg_table_head(t, "<phase or operator", ">points", ">median error", ">90th percentile", ">worst", NULL);
    for (int i = 0; i < ERRORS; i++) {
        const rg_doc_error e = errors_of(p, n, i);
        if (e.points > 0.0 || i < RG_PHASE_COUNT)
            rg_table_line(t, "s0ppp", error_name(i), e.points, e.median, e.p90, e.worst);
    }
}

static rg_status print_text(const rg_screen *s, const point *p, int n, const rg_machine *m, rg_err *err)
{
    rg_table t = {0};
    rg_lines l = {0};
    bool failed = false;
    verdict_lines(&l, p, n);
    for (int i = 0; i < l.n; i++) rg_screen_say(s, RG_INK_HEAD, 0, "%s", l.s[i]);
    rg_lines_free(&l);
    fputc('\n', s->f);
    if (s->wide) return RG_OK;
    error_rows(&t, p, n);
    rg_screen_table(s, 2, &t, &failed);
    fputc('\n', s->f);
    rg_screen_say(s, RG_INK_DIM, 2,
        "%s, %s, up to %d threads; operators count where they take a twentieth of their phase or more",
        m->cpu, m->source, m->threads);
    rg_screen_say(s, RG_INK_DIM, 2, "every point: --wide; for programs: -o csv, json; scatter: --html FILE");
    return rg_written(s->f, "validation", failed, err);
}

static void print_md(const point *p, int n, const rg_machine *m)
{
    rg_table t = {0};
    char c[32];
    printf("# Prediction against measurement: %s\n\n%s, roofs of up to %d threads. error = |predicted - "
           "measured| / measured.\n\n",
        m->cpu, m->source, m->threads);
    error_rows(&t, p, n);
    rg_table_print(stdout, &t);
    rg_table_free(&t);
    printf("\nOperators count where they take a twentieth of their phase or more.\n\n");
    rg_table_head(&t, "<model", "<weights", ">threads", ">prompt", ">batch", "<phase", ">measured ms",
        ">predicted ms", ">error", ">ideal / measured", NULL);
    for (int i = 0; i < n; i++, p++) {
        snprintf(c, sizeof c, "%+.1f %%", 100.0 * (p->d.predicted_ns - p->d.measured_ns) / p->d.measured_ns);
        rg_table_line(&t, "ss000snnsp", p->d.model, p->d.dtype, p->d.threads, p->d.prompt, p->d.batch,
            rg_phase_names[p->d.phase], 1e-6 * p->d.measured_ns, 1e-6 * p->d.predicted_ns, c,
            p->d.ideal_ns / p->d.measured_ns);
    }
    rg_table_print(stdout, &t);
    rg_table_free(&t);
    printf("\nPredicted: per operator the larger of its memory time, its arithmetic at the roof, and its "
           "work at the speed of its kernel class (measured once\n"
           "on a reference model that stays in the caches; few tokens: and the time that bytes from farther "
           "away need more), with the measured cost of a barrier (%.0f ns) and of a record (%.0f ns); per "
           "call a parallel region.\n"
           "ideal: the roofline alone.\n",
        m->barrier_ns.value, m->record_ns.value);
}

static void print_csv(const point *p, int n)
{
    printf("model,dtype,threads,prompt,batch,phase,measured_ns,predicted_ns,ideal_ns,error\n");
    for (int i = 0; i < n; i++) {
        const rg_doc_point *d = &p[i].d;
        printf("%s,%s,%.0f,%.0f,%.0f,%s,%.0f,%.0f,%.0f,%.6g\n", d->model, d->dtype, d->threads, d->prompt,
            d->batch, rg_phase_names[d->phase], d->measured_ns, d->predicted_ns, d->ideal_ns,
            (d->predicted_ns - d->measured_ns) / d->measured_ns);
    }
}

static json_t *verdict_of(const point *p, int n)
{
    rg_lines l = {0};
    verdict_lines(&l, p, n);
    json_t *said = rg_doc_lines(&l);
    rg_lines_free(&l);
    return said;
}

static rg_status make_doc(
    rg_doc *d, const point *p, int n, const rg_machine *m, const char *command, rg_err *err)
{
    rg_doc_validation face = {.command = command,
        .cpu = m->cpu,
        .errors = json_object(),
        .points = calloc(n + 1, sizeof *face.points),
        .verdict = verdict_of(p, n)};
    for (int i = 0; i < ERRORS; i++) {
        const rg_doc_error e = errors_of(p, n, i);
        if (e.points > 0.0 || i < RG_PHASE_COUNT)
            json_object_set_new(face.errors, error_name(i),
                rg_object_write(RG_OBJ_error, &e, rg_documents[RG_DOC_validation].digits));
    }
    for (int i = 0; i < n && face.points; i++) face.points[face.n_points++] = p[i].d;
    const rg_status st = rg_doc_make(d, RG_DOC_validation, &face, err);
    rg_object_free(RG_OBJ_validation, &face);
    return st;
}

/* ---- the grid ---- */

static rg_status one_model(grid *g, const rg_config *c, const char *name, const char *base, bool teach,
    const lengths *at, int n_at, rg_err *err)
{
    char dir[600];
    snprintf(dir, sizeof dir, "%s/%s", base, teach ? "reference" : name);
    fprintf(stderr, "validate: %s\n", teach ? "reference model" : name);
    g->name = name;
    g->teach = teach;
    rg_status st = rg_synth_write(c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 42, dir, NULL, NULL, &rg_stop, err);
    if (!st) st = rg_ckpt_open(&g->ckpt, dir, err);
    for (int t = 0; t < g->n_threads && !st; t++)
        for (int d = 0; d < g->n_dtypes && !st; d++) st = run_model(g, t, d, at, n_at, err);
    rg_ckpt_close(g->ckpt);
    g->ckpt = NULL;
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
    rg_status st = v && p ? rg_threads_check(cli, cli->threads, err) : rg_no_memory(err, "validate");
    if (!st && !mkdtemp(base)) st = rg_fail(err, RG_E_FILE, "validate: cannot make a folder in /tmp");
    if (st) goto out;
    rg_topo_read(&topo);
    const int *cpus, most = rg_topo_place(&topo, (int)cli->threads, true, &cpus);
    grid g = {.m = m, .dtype = dtypes, .n_dtypes = cli->quick ? 2 : 3, .v = v, .p = p};
    for (int i = 0; i < 2 && !st; i++) {
        if ((i == 0 && cli->quick) || (i == 1 && most == 1 && !cli->quick)) continue;
        const int threads = rg_topo_place(&topo, i == 0 ? 1 : most, true, &cpus);
        st = rg_machine_measure(&m[g.n_threads++], threads, cpus, 0, true, NULL, NULL, &rg_stop, err);
    }
    rg_shape_config(&reference, &c);
    if (!st) st = one_model(&g, &c, reference.name, base, true, teach, 3, err);
    for (int i = 0; i < (cli->quick ? 1 : 2) && !st; i++) {
        rg_shape_config(rg_shape_find(names[i]), &c);
        st = one_model(&g, &c, names[i], base, false, at, 3, err);
    }
    rg_shape_config(&middle, &c);
    if (!st && !cli->quick) st = one_model(&g, &c, middle.name, base, false, at, 3, err);
    rmdir(base);
    const rg_screen s = rg_screen_of(stdout, cli->wide);
    if (!st && format == RG_AS_TEXT) st = print_text(&s, p, g.n, &m[g.n_threads - 1], err);
    if (!st && (format == RG_AS_MD || (format == RG_AS_TEXT && s.wide)))
        print_md(p, g.n, &m[g.n_threads - 1]);
    if (!st && format == RG_AS_CSV) print_csv(p, g.n);
    if (!st && (format == RG_AS_JSON || cli->html || cli->svg)) {
        rg_doc d;
        st = make_doc(&d, p, g.n, &m[g.n_threads - 1], cli->line, err);
        st = rg_page_out(st, &d, format == RG_AS_JSON, NULL, cli->html, cli->svg, err);
    }
out:
    free(v);
    free(p);
    return st;
}
