/* ridge roofline --validate: models run here, and what was predicted stands beside what was measured, by
 * phase and by operator: a model of the user's, or a grid of made-up ones. */
#include "tools/roofline/roofline_args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cells.h"
#include "report/csv.h"
#include "report/join.h"
#include "ridge/engine.h"
#include "ridge/topo.h"
#include "tools/measure/measure.h"
#include "tools/report/page_out.h"
#include "weights/synth.h"

/* Repetitions go on until 0.3 s are full. */
enum { MOST_POINTS = 512, MIN_REPS = 5, MAX_REPS = 25, MEASURE_NS = 300000000, WARM_UP_NS = 100000000 };
enum { MOST_TOKENS = 1 << 24, GRID_STEPS = 8, USUAL_STEPS = 64, MOST_SEQS = 4096 };
/* Operators below this part of their phase are noise. */
static const double COUNTS = 0.05;

typedef struct grid {
    const rg_cli *cli;
    bool own; /* one model, that the user named */
    rg_words types;
    rg_counts lengths, batches;
    rg_machine *machine;    /* owns; of the last unit */
    rg_doc_validation face; /* owns its points */
    rg_lines pool;          /* what they point to */
} grid;

/* ---- measuring ---- */

static bool add_points(grid *g, const rg_report *r, int64_t prompt, int64_t seqs)
{
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_phase_sum *p = &r->phase[ph];
        rg_doc_guess *o = calloc(RG_SITE_COUNT, sizeof *o);
        if (!o || g->face.n_points == MOST_POINTS) {
            free(o);
            return o != NULL;
        }
        rg_doc_point *d = &g->face.points[g->face.n_points++];
        *d = (rg_doc_point){.model = rg_doc_keep(&g->pool, r->model.config.name),
            .dtype = rg_doc_keep(&g->pool, r->model.dtype),
            .threads = r->run.threads,
            .prompt = (double)prompt,
            .batch = (double)seqs,
            .phase = ph,
            .measured_ns = (double)p->t_ns,
            .predicted_ns = p->predicted_ns,
            .ideal_ns = p->ideal_ns,
            .ops = o};
        for (const rg_row *w = r->row; w < r->row + r->n_rows; w++)
            if ((int)w->phase == ph && w->layer < 0)
                o[d->n_ops++] = (rg_doc_guess){.site = rg_site_name(w->site),
                    .calls = (double)w->calls,
                    .measured_ns = (double)w->t_ns,
                    .predicted_ns = w->predicted_ns,
                    .ideal_ns = w->ideal_ns};
    }
    return true;
}

/* One setting becomes two points. */
static rg_status measure(
    grid *g, rg_ckpt *ckpt, const char *dtype, int64_t threads, int64_t prompt, int64_t seqs, rg_err *err)
{
    rg_cli cli = *g->cli;
    rg_engine_opts eo;
    rg_session_opts so;
    rg_speeds *speeds = calloc(1, sizeof *speeds);
    rg_takes k = {0};
    rg_log log = {0};
    rg_report *r = NULL;
    rg_progress progress = {0};
    rg_unit u = {.cli = &cli, .ckpt = ckpt, .watched = true};
    const rg_config *c = rg_ckpt_config(ckpt);
    rg_work w = {.vocab = c->vocab, .prompt = prompt, .seqs = seqs, .batch = prompt};
    w.gen = RG_GIVEN(&cli, n_predict) ? cli.n_predict
        : g->own                      ? rg_max(1, rg_min(USUAL_STEPS, c->ctx_train - prompt))
                                      : GRID_STEPS;
    cli.dtype = dtype;
    cli.threads = threads;
    u.machine = *g->machine;
    rg_status st = speeds ? rg_engine_args(&eo, &cli, dtype, &progress, err) : rg_no_memory(err, "validate");
    if (!st) st = rg_session_args(&so, &cli, rg_default_kv(ckpt, &eo), err);
    if (st) goto out;
    so.ctx = prompt + w.gen;
    so.n_seq = seqs;
    so.past_training = true;
    rg_note_context(c, so.ctx);
    st = rg_check_engine(ckpt, &eo, &so, err);
    if (!st) st = rg_plan_weights(ckpt, &eo, &u.weights, err);
    if (!st) st = rg_unit_roofs(&u, &u, 1, &progress, err);
    w.roofs = u.watch;
    if (!st) st = rg_unit_learn(speeds, &u, &eo, &so, prompt, seqs, err);
    if (!st) st = rg_unit_load(&u, &eo, &so, err);
    if (!st) st = rg_session_open(&w.s, u.e, &so, err);
    if (!st) st = rg_work_open(&w, err);
    if (!st) st = rg_work_warm_up(&w, rg_min(2, w.gen), WARM_UP_NS, NULL, err);
    if (!st) st = rg_takes_open(&k, &w, MAX_REPS, 0, err);
    if (!st) st = rg_takes_record(&k, &w, MIN_REPS, MEASURE_NS, err);
    rg_run_info run = {
        .prompt_tokens = prompt, .gen_tokens = w.gen, .decode_start = prompt, .speeds = speeds};
    if (!st) st = rg_takes_join(&log, &run, &k, false, err);
    if (!st) rg_unit_found(&u, &k);
    if (!st) st = rg_unit_report(&r, &u, &so, run, &log, err);
    if (!st && !add_points(g, r, prompt, seqs)) st = rg_no_memory(err, "validate");
    *g->machine = u.machine;
out:
    rg_progress_clear(&progress);
    rg_report_close(r);
    rg_log_close(&log);
    rg_takes_close(&k);
    rg_session_close(w.s);
    rg_work_close(&w);
    rg_unit_unwatch(&u);
    rg_unit_unload(&u);
    free(speeds);
    return st;
}

static rg_status every_setting(grid *g, rg_ckpt *ckpt, int64_t threads, rg_err *err)
{
    rg_status st = RG_OK;
    for (int t = 0; t < rg_max(1, g->types.n) && !st; t++)
        for (int b = 0; b < g->batches.n && !st; b++)
            for (int i = 0; i < g->lengths.n && !st; i++) {
                /* of the grid's own: one long prompt says what several would */
                if (!g->own && !g->cli->batches && g->batches.v[b] > 1 && i > 0) continue;
                st = measure(g, ckpt, g->types.n ? g->types.w[t] : NULL, threads, g->lengths.v[i],
                    g->batches.v[b], err);
            }
    return st;
}

static rg_status made_up(grid *g, const rg_config *c, const int64_t *threads, int n, rg_err *err)
{
    rg_ckpt *ckpt = NULL;
    fprintf(stderr, "validate: %s\n", c->name);
    rg_status st = rg_made_up_open(&ckpt, c, err);
    for (int i = 0; i < n && !st; i++) st = every_setting(g, ckpt, threads[i], err);
    rg_ckpt_close(ckpt);
    return st;
}

static rg_status run_grid(grid *g, rg_err *err)
{
    static const char *const names[] = {"stories15m", "smollm2-135m"};
    const rg_shape middle = {"middle-30m",
        {.arch = "llama",
            .dim = 512,
            .ffn = 1536,
            .layers = 8,
            .heads = 8,
            .kv_heads = 4,
            .head_dim = 64,
            .vocab = 8192,
            .ctx_train = 512,
            .eps = 1e-5,
            .rope_theta = 1e4,
            .bos = 1,
            .eos = {2},
            .n_eos = 1}};
    const bool quick = g->cli->quick;
    rg_topo topo;
    rg_config c;
    rg_topo_read(&topo);
    const int *cpus;
    const int64_t most = rg_topo_place(&topo, (int)g->cli->threads, true, &cpus), threads[] = {1, most};
    const int first = quick || most == 1 ? 1 : 0;
    rg_status st = RG_OK;
    for (int i = 0; i < (quick ? 1 : 2) && !st; i++) {
        rg_shape_config(rg_shape_find(names[i]), &c);
        st = made_up(g, &c, threads + first, 2 - first, err);
    }
    rg_shape_config(&middle, &c);
    return st || quick ? st : made_up(g, &c, threads + first, 2 - first, err);
}

static rg_status run_own(grid *g, rg_err *err)
{
    rg_config c;
    rg_ckpt *ckpt = NULL;
    if ((g->cli->model != NULL) + (g->cli->shape != NULL) + (g->cli->dims != NULL) > 1)
        return rg_fail(err, RG_E_USAGE, "-m, --shape and --dims: give only one of them");
    if (!g->cli->model) {
        const rg_status st = rg_shape_args(&c, g->cli, err);
        return st ? st : made_up(g, &c, &g->cli->threads, 1, err);
    }
    rg_status st = rg_open_model(&ckpt, g->cli, err);
    if (!st) st = every_setting(g, ckpt, g->cli->threads, err);
    rg_ckpt_close(ckpt);
    return st;
}

/* ---- errors ---- */

/* By phase; of operators that count, and of all, by phase; of kinds of operators that count. */
enum {
    BIG = RG_PHASE_COUNT,
    ALL = 2 * RG_PHASE_COUNT,
    KINDS = 3 * RG_PHASE_COUNT,
    ERRORS = KINDS + RG_OP_COUNT
};

static const char *error_name(int i)
{
    static const char *const of[] = {"prefill", "decode", "operators of prefill", "operators of decode",
        "all operators of prefill", "all operators of decode"};
    return i < KINDS ? of[i] : rg_op_name((rg_op)(i - KINDS));
}

static double error_of(double predicted, double measured) { return fabs(predicted - measured) / measured; }

static int add_error(double *v, double predicted, double measured, double least)
{
    if (!(measured > 0.0) || measured < least || isnan(predicted)) return 0;
    *v = error_of(predicted, measured);
    return 1;
}

/* The errors of one point that belong to a row; their number. */
static int point_errors(double *v, const rg_doc_point *p, int row)
{
    int n = 0;
    double kind[2] = {0.0, 0.0};
    const double least = row < ALL || row >= KINDS ? COUNTS * p->measured_ns : 0.0;
    if (row < KINDS && (int)p->phase != row % RG_PHASE_COUNT) return 0;
    if (row < BIG) return add_error(v, p->predicted_ns, p->measured_ns, 0.0);
    for (size_t i = 0; i < p->n_ops; i++) {
        const rg_doc_guess *o = &p->ops[i];
        if (row < KINDS) n += add_error(v + n, o->predicted_ns, o->measured_ns, least);
        if (row < KINDS || (int)rg_site_op(rg_site_named(o->site, strlen(o->site))) != row - KINDS) continue;
        kind[0] += o->predicted_ns;
        kind[1] += o->measured_ns;
    }
    return row < KINDS ? n : add_error(v, kind[0], kind[1], least);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static rg_doc_error errors_of(const grid *g, int row)
{
    const rg_doc_validation *d = &g->face;
    double *v = malloc((d->n_points + 1) * RG_SITE_COUNT * sizeof *v);
    int k = 0;
    for (size_t i = 0; v && i < d->n_points; i++) k += point_errors(v + k, &d->points[i], row);
    rg_doc_error e = {.median = NAN, .p90 = NAN, .worst = NAN};
    if (k > 0) {
        qsort(v, k, sizeof *v, by_value);
        e = (rg_doc_error){
            .points = k, .median = v[(k - 1) / 2], .p90 = v[(int)(0.9 * (k - 1) + 0.5)], .worst = v[k - 1]};
    }
    free(v);
    return e;
}

/* ---- report ---- */

static const char *off(char *buf, size_t n, double predicted, double measured)
{
    return isnan(predicted) ? "n/a" : rg_text(buf, n, "%+.1f %%", 100.0 * (predicted / measured - 1.0));
}

/* "decode: predicted 3.41 ms, measured 3.35 ms (+1.8 %)", or of many points their errors; then operators. */
static void verdict_lines(rg_lines *l, const grid *g)
{
    char a[32], b[32], c[32];
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_error s = errors_of(g, ph), o = errors_of(g, BIG + ph), all = errors_of(g, ALL + ph);
        if (!(s.points > 0.0)) continue;
        if (s.points == 1.0) {
            const rg_doc_point *p = g->face.points;
            while ((int)p->phase != ph) p++;
            rg_lines_add(l, "%s: predicted %s, measured %s (%s).", rg_phase_names[ph],
                RG_TIME(p->predicted_ns), RG_TIME(p->measured_ns),
                off(a, sizeof a, p->predicted_ns, p->measured_ns));
        } else {
            rg_lines_add(l,
                "%s: the prediction is off by %s in the middle of %.0f points, by %s in nine of ten, by %s "
                "at worst.",
                rg_phase_names[ph], rg_percent(a, sizeof a, s.median), s.points,
                rg_percent(b, sizeof b, s.p90), rg_percent(c, sizeof c, s.worst));
        }
        rg_lines_add(l, "Its operators: off by %s in the middle of all, by %s of those of %.0f %% or more.",
            rg_percent(a, sizeof a, all.median), rg_percent(b, sizeof b, o.median), 100.0 * COUNTS);
    }
}

static void error_rows(rg_table *t, const grid *g)
{
    rg_table_head(t, "<phase or operator", ">points", ">median error", ">90th percentile", ">worst", NULL);
    for (int i = 0; i < ERRORS; i++) {
        const rg_doc_error e = errors_of(g, i);
        if (e.points > 0.0 || i < RG_PHASE_COUNT)
            rg_table_line(t, "s0ppp", error_name(i), e.points, e.median, e.p90, e.worst);
    }
}

/* The operators of a point, a call of each. */
static void op_rows(rg_table *t, const rg_doc_point *p)
{
    char e[32];
    rg_table_head(t, "<operator", ">calls", ">time", ">measured", ">predicted", ">error", ">ideal", NULL);
    for (const rg_doc_guess *o = p->ops; o < p->ops + p->n_ops; o++)
        rg_table_line(t, "s0pssss", o->site, o->calls, o->measured_ns / p->measured_ns,
            RG_TIME(o->measured_ns / o->calls), RG_TIME(o->predicted_ns / o->calls),
            off(e, sizeof e, o->predicted_ns, o->measured_ns), RG_TIME(o->ideal_ns / o->calls));
}

static rg_status print_text(const rg_screen *s, const grid *g, rg_err *err)
{
    const rg_doc_validation *d = &g->face;
    rg_table t = {0};
    rg_lines l = {0};
    bool failed = false;
    verdict_lines(&l, g);
    for (int i = 0; i < l.n; i++) rg_screen_say(s, RG_INK_HEAD, 0, "%s", l.s[i]);
    rg_lines_free(&l);
    fputc('\n', s->f);
    if (s->wide) return RG_OK;
    for (size_t i = 0; g->own && i < d->n_points; i++) {
        const rg_doc_point *p = &d->points[i];
        rg_screen_say(s, RG_INK_HEAD, 2, "%s, %s, threads %.0f, prompt %.0f, batch %.0f: %s, per call",
            RG_CLEAN(64, p->model), p->dtype, p->threads, p->prompt, p->batch, rg_phase_names[p->phase]);
        op_rows(&t, p);
        rg_screen_table(s, 2, &t, &failed);
        fputc('\n', s->f);
    }
    error_rows(&t, g);
    rg_screen_table(s, 2, &t, &failed);
    fputc('\n', s->f);
    rg_screen_say(s, RG_INK_DIM, 2,
        "%s, roofs sampled between the repetitions; kinds of operators count where they take a twentieth of "
        "their phase or more",
        d->cpu);
    rg_screen_say(s, RG_INK_DIM, 2, "every point: --wide; for programs: -o csv, json; scatter: --html FILE");
    return rg_written(s->f, "validation", failed, err);
}

static void print_md(const grid *g)
{
    const rg_doc_validation *d = &g->face;
    rg_table t = {0};
    char e[32];
    printf("# Prediction against measurement: %s\n\nerror = |predicted - measured| / measured.\n\n", d->cpu);
    error_rows(&t, g);
    rg_table_print(stdout, &t);
    rg_table_free(&t);
    printf(
        "\nOperators of a phase and kinds of operators count where they take a twentieth of their phase or "
        "more.\n\n");
    rg_table_head(&t, "<model", "<weights", ">threads", ">prompt", ">batch", "<phase", ">measured ms",
        ">predicted ms", ">error", ">ideal / measured", NULL);
    for (size_t i = 0; i < d->n_points; i++) {
        const rg_doc_point *p = &d->points[i];
        rg_table_line(&t, "cs000snnsp", p->model, p->dtype, p->threads, p->prompt, p->batch,
            rg_phase_names[p->phase], 1e-6 * p->measured_ns, 1e-6 * p->predicted_ns,
            off(e, sizeof e, p->predicted_ns, p->measured_ns), p->ideal_ns / p->measured_ns);
    }
    rg_table_print(stdout, &t);
    rg_table_free(&t);
    for (size_t i = 0; g->own && i < d->n_points; i++) {
        const rg_doc_point *p = &d->points[i];
        printf("\n%s, %s, prompt %.0f, batch %.0f, %s, per call:\n\n", RG_CLEAN(64, p->model), p->dtype,
            p->prompt, p->batch, rg_phase_names[p->phase]);
        op_rows(&t, p);
        rg_table_print(stdout, &t);
        rg_table_free(&t);
    }
    printf("\nPredicted: docs/validation.md. ideal: the roofline alone.\n");
}

/* A further field: nothing where it is unknown. */
static void csv_number(double x, int digits)
{
    fputc(',', stdout);
    if (isfinite(x)) printf("%.*f", digits, x);
}

static void print_csv(const grid *g)
{
    const rg_doc_validation *d = &g->face;
    printf("model,dtype,threads,prompt,batch,phase,operator,measured_ns,predicted_ns,ideal_ns,error\n");
    for (size_t i = 0; i < d->n_points; i++) {
        const rg_doc_point *p = &d->points[i];
        for (size_t k = 0; k <= p->n_ops; k++) { /* the phase, then its operators */
            const rg_doc_guess whole = {.site = "",
                .measured_ns = p->measured_ns,
                .predicted_ns = p->predicted_ns,
                .ideal_ns = p->ideal_ns};
            const rg_doc_guess *o = k ? &p->ops[k - 1] : &whole;
            rg_csv_text(stdout, p->model);
            printf(",%s,%.0f,%.0f,%.0f,%s,%s,%.0f", p->dtype, p->threads, p->prompt, p->batch,
                rg_phase_names[p->phase], o->site, o->measured_ns);
            csv_number(o->predicted_ns, 0);
            csv_number(o->ideal_ns, 0);
            csv_number(o->predicted_ns / o->measured_ns - 1.0, 6);
            fputc('\n', stdout);
        }
    }
}

static rg_status make_doc(rg_doc *d, grid *g, rg_err *err)
{
    rg_lines l = {0};
    verdict_lines(&l, g);
    g->face.verdict = rg_doc_lines(&l);
    rg_lines_free(&l);
    g->face.errors = json_object();
    for (int i = 0; i < ERRORS; i++) {
        const rg_doc_error e = errors_of(g, i);
        if (e.points > 0.0 || i < RG_PHASE_COUNT)
            json_object_set_new(g->face.errors, error_name(i),
                rg_object_write(RG_OBJ_error, &e, rg_documents[RG_DOC_validation].digits));
    }
    return rg_doc_make(d, RG_DOC_validation, &g->face, err);
}

/* ---- the command ---- */

static rg_status grid_open(grid *g, rg_err *err)
{
    static const rg_option_id takes[] = {RG_O_validate, RG_O_model, RG_O_shape, RG_O_dims, RG_O_dtype,
        RG_O_quantize_head, RG_O_act, RG_O_threads, RG_O_oversubscribe, RG_O_pin, RG_O_ubatch, RG_O_cache_k,
        RG_O_cache_v, RG_O_fuse, RG_O_prompt, RG_O_n_predict, RG_O_batches, RG_O_quick, RG_O_svg, RG_O_html,
        RG_O_output, RG_O_wide};
    const rg_cli *cli = g->cli;
    const char *stranger = rg_cli_other(cli, takes, (int)(sizeof takes / sizeof *takes));
    rg_engine_opts eo;
    rg_session_opts so;
    rg_progress p = {0};
    char usual[32];
    g->own = cli->model || cli->shape || cli->dims;
    if (stranger)
        return rg_fail(err, RG_E_USAGE,
            "%s: not with --validate, which measures here: it takes -m, --shape or --dims, --dtype, -p, -n, "
            "--batch, -t and the engine's options",
            stranger);
    if (g->own && cli->quick)
        return rg_fail(err, RG_E_USAGE, "--quick: shortens the grid of --validate, and one model is no grid");
    rg_text(usual, sizeof usual, "%s", g->own ? "128" : "32,224");
    const rg_cli_LIST lengths = {{cli->prompt ? cli->prompt : usual}, 1},
                      batches = {{cli->batches    ? cli->batches
                                         : g->own ? "1"
                                                  : "1,4"},
                          1};
    rg_status st = rg_list_counts(&g->lengths, "-p", &lengths, 1, MOST_TOKENS, err);
    if (!st) st = rg_list_counts(&g->batches, "--batch", &batches, 1, MOST_SEQS, err);
    if (!st)
        st = rg_list_split(&g->types, "--dtype",
            cli->dtype || g->own ? cli->dtype
                : cli->quick     ? "f16,q4g64"
                                 : "f16,q4g64,q8g32",
            err);
    /* a wrong word at the end of the list must not cost the runs before it */
    for (int i = 0; i < rg_max(1, g->types.n) && !st; i++)
        st = rg_engine_args(&eo, cli, g->types.n ? g->types.w[i] : NULL, &p, err);
    if (!st) st = rg_session_args(&so, cli, RG_KV_F16, err);
    g->machine = calloc(1, sizeof *g->machine);
    g->face.points = calloc(MOST_POINTS, sizeof *g->face.points);
    return !st && (!g->machine || !g->face.points) ? rg_no_memory(err, "validate") : st;
}

rg_status rg_roofline_validate(const rg_cli *cli, int format, rg_err *err)
{
    grid g = {.cli = cli};
    rg_status st = grid_open(&g, err);
    if (!st) st = g.own ? run_own(&g, err) : run_grid(&g, err);
    const rg_screen s = rg_screen_of(stdout, cli->wide);
    if (!st) {
        g.face.command = cli->line;
        g.face.cpu = g.machine->cpu;
    }
    if (!st && format == RG_AS_TEXT) st = print_text(&s, &g, err);
    if (!st && (format == RG_AS_MD || (format == RG_AS_TEXT && s.wide))) print_md(&g);
    if (!st && format == RG_AS_CSV) print_csv(&g);
    if (!st && (format == RG_AS_JSON || cli->html || cli->svg)) {
        rg_doc d;
        st = make_doc(&d, &g, err);
        st = rg_page_out(st, &d, format == RG_AS_JSON, NULL, cli->html, cli->svg, err);
    }
    rg_object_free(RG_OBJ_validation, &g.face);
    rg_lines_free(&g.pool);
    rg_words_free(&g.types);
    rg_counts_free(&g.lengths);
    rg_counts_free(&g.batches);
    free(g.machine);
    return st;
}
