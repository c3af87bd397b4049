/* What measuring costs: decode steps without records, with records, and with counters read by layer and by
 * operator, interleaved so that what else happens to the machine happens to all of them; and the bare cost of
 * an operator's end. See --help. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/team.h"
#include "ridge/engine.h"
#include "roofline/count/counters.h"
#include "weights/synth.h"

enum { PLAIN, RECORDS, LAYER, OP, MODES, MOST_REPS = 400 };
static const char *const mode_names[MODES] = {
    "no records", "records", "counters by layer", "counters by operator"};

typedef struct options {
    const char *model;
    int threads, reps, tokens;
} options;

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_probe: %s: %s\n", what, why);
    return 1;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median and the 10th and 90th percentile. */
typedef struct spread {
    double mid, low, high;
} spread;
static spread spread_of(const double *v, int n)
{
    double s[MOST_REPS];
    memcpy(s, v, (size_t)n * sizeof *s);
    qsort(s, (size_t)n, sizeof *s, by_size);
    return (spread){s[n / 2], s[(n - 1) / 10], s[n - 1 - (n - 1) / 10]};
}

/* ---- an operator's end by itself ---- */

enum { ENDS = 2000 };
static void ends(rg_ctx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < ENDS; i++) {
        cx->tally.w_rd += 64; /* as a driver counts */
        cx->tally.act_rd += 64;
        cx->tally.act_wr += 64;
        cx->tally.flop += 128;
        rg_op_end(cx,
            &(rg_op_desc){.site = RG_SITE_FFN_UP,
                .dims = {.m = 1, .k = 64, .n = 32},
                .wtype = RG_WT_F16,
                .kv_k = RG_KV_COUNT,
                .kv_v = RG_KV_COUNT});
    }
}

/* ns per operator and thread, best of the repetitions: the loop has nothing that could be slow but
 * disturbance. */
static double end_ns(rg_team *t, rg_log *log)
{
    const rg_step step = {.phase = RG_DECODE, .tokens = 1};
    double best = INFINITY;
    for (int r = 0; r < 25; r++) {
        if (log) rg_log_clear(log);
        const uint64_t t0 = rg_now_ns();
        rg_team_run(t, ends, NULL, log, &step, ENDS);
        const double ns = (double)(rg_now_ns() - t0) / ENDS;
        if (ns < best) best = ns;
    }
    return best;
}

/* ---- decode steps ---- */

static rg_status decode(rg_session *s, int tokens, rg_log *log, double *ns, rg_err *err)
{
    const int32_t id = 7;
    rg_session_truncate(s, 0, 16);
    const uint64_t t0 = rg_now_ns();
    rg_status st = RG_OK;
    for (int i = 0; i < tokens && st == RG_OK; i++)
        st = rg_session_eval(s, &(rg_batch){.n = 1, .token = &id}, RG_DECODE, log, err);
    *ns = (double)(rg_now_ns() - t0) / tokens;
    return st;
}

static rg_status measure(
    rg_engine *e, rg_session *s, rg_counters *c, const options *o, double ns[MODES][MOST_REPS], rg_err *err)
{
    rg_log log;
    int32_t prompt[16];
    for (int i = 0; i < 16; i++) prompt[i] = i + 3;
    if (rg_log_open(&log, (size_t)o->tokens, rg_session_ops_per_step(s)) != 0)
        return rg_fail(err, RG_E_NOMEM, "out of memory");
    rg_status st = rg_session_eval(s, &(rg_batch){.n = 16, .token = prompt}, RG_PREFILL, NULL, err);
    for (int r = -2; r < o->reps && st == RG_OK; r++) /* two rounds of warm-up */
        for (int k = 0; k < MODES && st == RG_OK; k++) {
            const int mode = (k + (r > 0 ? r : 0)) % MODES; /* every mode has every place in the round */
            double t;
            if (mode >= LAYER && !rg_counters_probe(c)) continue;
            if (mode >= LAYER) {
                rg_probe *p = (rg_probe *)(uintptr_t)rg_counters_probe(c);
                p->by_layer = mode == LAYER;
                rg_engine_set_probe(e, p);
            }
            rg_log_clear(&log);
            st = decode(s, o->tokens, mode == PLAIN ? NULL : &log, &t, err);
            if (mode >= LAYER) rg_engine_set_probe(e, NULL);
            if (r >= 0) ns[mode][r] = t;
        }
    rg_log_close(&log);
    return st;
}

static void print_modes(double ns[MODES][MOST_REPS], int reps, bool probe)
{
    const spread base = spread_of(ns[PLAIN], reps);
    printf("%-22s %12s %24s %28s\n", "mode", "ms / token", "p10 .. p90", "over no records, paired");
    for (int m = 0; m < (probe ? MODES : LAYER); m++) {
        double d[MOST_REPS];
        for (int r = 0; r < reps; r++) d[r] = 100.0 * (ns[m][r] - ns[PLAIN][r]) / base.mid;
        const spread t = spread_of(ns[m], reps), x = spread_of(d, reps);
        printf("%-22s %12.4f %12.4f .. %8.4f", mode_names[m], 1e-6 * t.mid, 1e-6 * t.low, 1e-6 * t.high);
        if (m != PLAIN) printf(" %9.2f %% (%.2f .. %.2f)", x.mid, x.low, x.high);
        printf("\n");
    }
}

static int usage(FILE *f, int code)
{
    fprintf(f,
        "bench_probe [--model PATH] [-t THREADS] [-r ROUNDS] [-n TOKENS]\n\n"
        "Cost of records and counters in decode, interleaved, medians (defaults: the SmolLM2-135M shape with "
        "random F16 weights,\n"
        "one thread per core, 41 rounds of 8 tokens per mode).\n");
    return code;
}

static rg_status open_model(rg_ckpt **c, const options *o, char *dir, size_t n, rg_err *err)
{
    if (o->model) return rg_ckpt_open(c, o->model, err);
    const char *tmp = getenv("TMPDIR");
    rg_config cfg;
    char path[300];
    snprintf(dir, n, "%s/ridge-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) return rg_fail(err, RG_E_FILE, "%s: cannot make a folder", dir);
    rg_shape_config(rg_shape_find("smollm2-135m"), &cfg);
    snprintf(path, sizeof path, "%s/model.gguf", dir);
    rg_status st = rg_synth_write(&cfg, RG_FT_F16, RG_SYNTH_GGUF, 1, path, NULL, NULL, NULL, err);
    if (st == RG_OK) st = rg_ckpt_open(c, path, err);
    return st;
}

static void forget_model(const char *dir)
{
    char path[300];
    if (!dir[0]) return;
    snprintf(path, sizeof path, "%s/model.gguf", dir);
    remove(path);
    rmdir(dir);
}

static int run(const options *o, const char *dir, rg_ckpt *ckpt)
{
    static double ns[MODES][MOST_REPS];
    rg_err err;
    rg_host host;
    rg_engine *e = NULL;
    rg_session *s = NULL;
    rg_counters *c = NULL;
    rg_engine_info info;
    const rg_engine_opts eo = {.dtype = -1, .isa_cap = RG_ISA_COUNT, .threads = o->threads};
    int code = 1;
    (void)dir;
    rg_host_here(&host);
    rg_status st = rg_engine_open(&e, ckpt, &eo, &err);
    if (st == RG_OK) {
        const rg_session_opts so = {.ctx = 16 + o->tokens,
            .back = o->tokens,
            .kv_k = rg_default_kv(ckpt, &eo),
            .kv_v = rg_default_kv(ckpt, &eo)};
        rg_engine_get_info(e, &info);
        st = rg_session_open(&s, e, &so, &err);
    }
    if (st == RG_OK) st = rg_counters_open(&c, RG_COUNTERS_OP, info.threads, &host, &err);
    if (st == RG_OK) st = measure(e, s, c, o, ns, &err);
    if (st != RG_OK) {
        fail("run", err.msg);
        goto out;
    }
    const double ops = (double)rg_session_ops_per_step(s), step = spread_of(ns[PLAIN], o->reps).mid;
    printf("# cpu=%s model=%s threads=%d isa=%s operators/token=%.0f rounds=%d tokens/round=%d counters=%s "
           "groups=%d\n",
        rg_cpu_name(), info.config->name, info.threads, rg_isa_names[info.isa], ops, o->reps, o->tokens,
        rg_counters_status(c), rg_counters_groups(c));
    print_modes(ns, o->reps, rg_counters_probe(c) != NULL);

    rg_ktab k;
    rg_team *t = NULL;
    rg_log log = {0};
    rg_engine_close((rg_session_close(s), s = NULL, e)); /* its team would spin beside this one */
    e = NULL;
    if (!rg_kernels_select(&k, rg_isa_best(), false) ||
        rg_team_open(&t, info.threads, NULL, &k, 4096, 0, &err) != RG_OK || rg_log_open(&log, 1, ENDS) != 0) {
        fail("team", "cannot be opened");
        goto out;
    }
    const double off = end_ns(t, NULL), rec = end_ns(t, &log);
    printf("\n%-22s %12s %24s\n", "an operator's end", "ns / thread", "share of a token");
    printf("%-22s %12.1f %22.3f %%\n", "counting only (off)", off, 100.0 * off * ops / step);
    printf("%-22s %12.1f %22.3f %%\n", "with records", rec, 100.0 * rec * ops / step);
    if (rg_counters_probe(c)) {
        rg_probe *p = (rg_probe *)(uintptr_t)rg_counters_probe(c);
        p->by_layer = false;
        rg_team_set_probe(t, p);
        const double with = end_ns(t, &log);
        rg_team_set_probe(t, NULL);
        printf("%-22s %12.1f %22.3f %%\n", "and counters", with, 100.0 * with * ops / step);
        printf("one read of the counters, measured at their start: %.0f ns\n", rg_counters_read_ns(c));
    }
    code = 0;
    rg_team_close(t);
    rg_log_close(&log);
out:
    rg_session_close(s);
    rg_engine_close(e);
    rg_counters_close(c);
    return code;
}

int main(int argc, char **argv)
{
    options o = {.reps = 41, .tokens = 8};
    for (int i = 1; i < argc; i += 2) { /* a word and its value */
        const char *w = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(w, "--help") == 0) return usage(stdout, 0);
        if (strcmp(w, "--model") == 0 && *v)
            o.model = v;
        else if (strcmp(w, "-t") == 0)
            o.threads = atoi(v);
        else if (strcmp(w, "-r") == 0)
            o.reps = atoi(v);
        else if (strcmp(w, "-n") == 0)
            o.tokens = atoi(v);
        else
            return usage(stderr, 2);
    }
    if (o.threads < 0 || o.reps < 3 || o.reps > MOST_REPS || o.tokens < 1 || o.tokens > 1024)
        return usage(stderr, 2);
    char dir[256] = "";
    rg_err err;
    rg_ckpt *c = NULL;
    int code;
    if (open_model(&c, &o, dir, sizeof dir, &err) != RG_OK)
        code = fail("model", err.msg);
    else
        code = run(&o, dir, c);
    rg_ckpt_close(c);
    forget_model(dir);
    return code;
}
