/* ridge eval: perplexity of a text, KL divergence from a reference, and which weights bear quantising
 * least. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/assert/judge.h"
#include "tools/eval/eval.h"
#include "tools/report/page_out.h"

typedef struct side {
    rg_engine *e;
    rg_session *s;
} side;

/* What --sensitivity gives the type to at the moment; layer or site < 0: any. */
typedef struct chosen {
    int site, layer, dtype;
    bool head; /* the output matrix */
} chosen;

typedef struct eval {
    const rg_cli *cli;
    rg_ckpt *ckpt, *own_ref; /* own_ref: --ref's, or NULL */
    rg_tokens text;
    rg_progress progress;
    rg_eval_report report;
    char kv[32]; /* types of the cache, of both sides */
    side model, ref;
    bool with_ref;
} eval;

static const rg_ckpt *ref_ckpt(const eval *v) { return v->own_ref ? v->own_ref : v->ckpt; }

static int type_of_chosen(void *user, rg_site site, int layer)
{
    const chosen *c = user;
    if (site == RG_SITE_OUTPUT) return c->head ? c->dtype : -1;
    if (c->head) return -1;
    return (c->site < 0 || c->site == (int)site) && (c->layer < 0 || c->layer == layer) ? c->dtype : -1;
}

static void close_side(side *s)
{
    rg_session_close(s->s);
    rg_engine_close(s->e);
    *s = (side){0};
}

/* Two fixed loops, so that a later look at the speed knows what the machine gave. */
static rg_status canary(rg_roof_sample *now, int threads, rg_err *err)
{
    rg_roof_watch *w = NULL;
    const rg_status st = rg_roof_watch_open(&w, threads, NULL, 1 << 20, err);
    if (!st) rg_roof_watch_sample(w, now);
    rg_roof_watch_close(w);
    return st;
}

static rg_status open_side(eval *v, side *s, const rg_ckpt *c, const rg_engine_opts *eo, rg_kvtype kv,
    rg_doc_eval_model *m, rg_err *err)
{
    rg_session_opts so;
    rg_engine_info i;
    rg_status st = rg_session_args(&so, v->cli, kv, err);
    if (st) return st;
    rg_eval_session_opts(&so, &v->report.opts, rg_ckpt_config(c)->vocab);
    if ((st = rg_open_engine(&s->e, c, eo, &so, err))) return st;
    rg_engine_get_info(s->e, &i);
    if (!(v->report.now.l2_gbps > 0.0) && (st = canary(&v->report.now, i.threads, err))) return st;
    if ((st = rg_session_open(&s->s, s->e, &so, err))) return st;
    snprintf(v->kv, sizeof v->kv, so.kv_k == so.kv_v ? "%s" : "%s/%s", rg_kvtypes[so.kv_k].name,
        rg_kvtypes[so.kv_v].name);
    *m = (rg_doc_eval_model){.path = rg_ckpt_path(c),
        .name = rg_ckpt_config(c)->name,
        .format = rg_ckpt_format(c),
        .dtype = rg_wtypes[i.dtype].name,
        .head_dtype = rg_wtypes[i.head_dtype].name,
        .act = rg_act_names[eo->act],
        .kv_dtype = v->kv,
        .bits_per_weight_resident = i.bits_resident,
        .resident_bytes = (double)i.resident_bytes};
    v->report.isa = rg_isa_names[i.isa];
    v->report.threads = i.threads;
    return RG_OK;
}

static rg_status score(eval *v, rg_score_stats *stats, rg_err *err)
{
    rg_score sc = {0};
    rg_err own = {0};
    rg_status st = rg_eval_text(&sc, &v->report.run, v->model.s, v->with_ref ? v->ref.s : NULL, &v->text,
        rg_ckpt_config(v->ckpt)->vocab, &v->report.opts, rg_progress_draw, &v->progress, err);
    rg_progress_clear(&v->progress);
    v->report.interrupted = st == RG_E_INTERRUPTED;
    if ((!st || v->report.interrupted) && sc.n > 0) {
        const rg_status made = rg_score_summary(stats, &sc, &own);
        if (made != RG_OK) st = rg_fail(err, made, "%s", own.msg);
    }
    rg_score_close(&sc);
    return st;
}

/* ---- sensitivity ---- */

static int more_damage(const void *a, const void *b)
{
    const double x = ((const rg_eval_part *)a)->stats.kld.mean, y = ((const rg_eval_part *)b)->stats.kld.mean;
    return (x < y) - (x > y);
}

static int64_t weights_of(const rg_ckpt *c, const chosen *ch)
{
    int64_t n = 0;
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        const rg_site site =
            t->site == RG_SITE_TOKEN_EMBD && rg_ckpt_config(c)->tied ? RG_SITE_OUTPUT : t->site;
        if (rg_site_has_matrix(site) && type_of_chosen((void *)(uintptr_t)ch, site, t->layer) >= 0)
            n += t->rows * t->cols;
    }
    return n;
}

/* Matrices of layers that take a type; a router keeps its own. */
static bool is_candidate(const rg_config *c, rg_site s)
{
    return rg_site_in_layer(s) && rg_site_has_matrix(s) && rg_site_exists(c, s) && !rg_site_keeps_type(s);
}

/* Candidates in the order of the model; returns their number. out NULL: only counts. */
static int candidates(const char *by, const rg_config *c, chosen *out, int dtype)
{
    const bool layers = strcmp(by, "site") != 0, sites = strcmp(by, "layer") != 0;
    int n = 0;
    for (int l = layers ? 0 : -1; l < (layers ? (int)c->layers : 0); l++)
        for (int s = 0; s < RG_SITE_COUNT; s++) {
            if (sites ? !is_candidate(c, s) : s != 0) continue;
            if (out) out[n] = (chosen){.site = sites ? s : -1, .layer = l, .dtype = dtype};
            n++;
        }
    if (out) out[n] = (chosen){.site = RG_SITE_OUTPUT, .layer = -1, .dtype = dtype, .head = true};
    return n + 1;
}

static void part_name(rg_eval_part *p, const chosen *c, const rg_config *cfg)
{
    if (c->head)
        snprintf(p->name, sizeof p->name, "output%s", cfg->tied ? " (the embedding too)" : "");
    else if (c->site < 0)
        snprintf(p->name, sizeof p->name, "blk.%d", c->layer);
    else if (c->layer < 0)
        snprintf(p->name, sizeof p->name, "%s", rg_site_name(c->site));
    else
        rg_tensor_name(p->name, sizeof p->name, c->site, c->layer);
}

/* Activations as a part: all weights of the type, against the same weights with the reference's. */
static rg_status activations(eval *v, const rg_engine_opts *eo, rg_act ref_act, rg_kvtype kv, rg_err *err)
{
    rg_eval_report *r = &v->report;
    rg_eval_part *p = &r->parts[r->n_parts];
    rg_doc_eval_model unchanged;
    rg_engine_opts ref = *eo;
    ref.act = ref_act;
    close_side(&v->ref);
    rg_status st = open_side(v, &v->ref, v->ckpt, &ref, kv, &unchanged, err);
    if (!st) st = open_side(v, &v->model, v->ckpt, eo, kv, &r->model, err);
    if (!st && !(st = score(v, &p->stats, err))) r->n_parts++;
    return st;
}

static void add_run(rg_eval_run *sum, const rg_eval_run *r)
{
    sum->tokens_in += r->tokens_in;
    sum->model_ns += r->model_ns;
    sum->ref_ns += r->ref_ns;
    sum->wall_ns += r->wall_ns;
    sum->windows = r->windows;
    sum->scored_per_window = r->scored_per_window;
    sum->unused = r->unused;
}

static rg_status sensitivity(
    eval *v, const rg_engine_opts *eo, const rg_engine_opts *ref_eo, rg_kvtype kv, rg_err *err)
{
    rg_eval_report *r = &v->report;
    const rg_config *c = rg_ckpt_config(v->ckpt);
    const bool acts = eo->act != ref_eo->act;
    const int n = candidates(r->sensitivity, c, NULL, 0), all = n + acts;
    chosen *list = calloc(n, sizeof *list);
    r->parts = calloc(all, sizeof *r->parts);
    rg_status st = list && r->parts ? RG_OK : rg_no_memory(err, "eval");
    rg_eval_run sum = {0};
    rg_engine_opts one = *ref_eo;
    if (list) candidates(r->sensitivity, c, list, eo->dtype);
    one.type_of = type_of_chosen;
    for (int i = 0; i < all && !st; i++) {
        rg_eval_part *p = &r->parts[i];
        if (i == n)
            snprintf(p->name, sizeof p->name, "activations %s", rg_act_names[eo->act]);
        else
            part_name(p, &list[i], c);
        if (isatty(STDERR_FILENO)) fprintf(stderr, "%d of %d: %s\n", i + 1, all, p->name);
        if (i == n) {
            st = activations(v, eo, ref_eo->act, kv, err);
        } else {
            one.type_user = &list[i];
            p->weights = weights_of(v->ckpt, &list[i]);
            if (!(st = open_side(v, &v->model, v->ckpt, &one, kv, &r->model, err)) &&
                !(st = score(v, &p->stats, err))) {
                p->saved_bytes = fmax(0.0, r->ref.resident_bytes - r->model.resident_bytes);
                r->n_parts = i + 1;
            }
        }
        if (!st) add_run(&sum, &r->run);
        close_side(&v->model);
    }
    r->run = sum;
    if (r->parts) qsort(r->parts, r->n_parts, sizeof *r->parts, more_damage);
    /* the model is the reference with one part changed: say what the part gets */
    r->model.dtype = r->model.head_dtype = rg_wtypes[eo->dtype].name;
    r->model.act = rg_act_names[eo->act];
    free(list);
    return st;
}

/* ---- the command ---- */

static rg_status read_opts(eval *v, rg_err *err)
{
    const rg_cli *cli = v->cli;
    rg_eval_opts *o = &v->report.opts;
    const int score_mode = rg_cli_choice("--score", cli->score, RG_WORDS("half", "all"), err),
              sens =
                  rg_cli_choice("--sensitivity", cli->sensitivity, RG_WORDS("layer", "site", "tensor"), err);
    if (score_mode < 0 || sens < 0) return err->code;
    *o = (rg_eval_opts){.mode = score_mode == 1 ? RG_EVAL_ALL : RG_EVAL_HALF,
        .ctx = cli->ctx,
        .stride = cli->stride,
        .max_windows = cli->chunks};
    if (RG_GIVEN(cli, stride)) {
        if (cli->score)
            return rg_fail(
                err, RG_E_USAGE, "--stride and --score: give only one; --stride says itself what is scored");
        o->mode = RG_EVAL_STRIDE;
    }
    if (rg_cli_choice("--ref-act", cli->ref_act, RG_WORDS("f32", "bf16", "q8"), err) < 0) return err->code;
    v->report.sensitivity = cli->sensitivity;
    v->with_ref = cli->ref || cli->ref_dtype || cli->ref_act || cli->sensitivity;
    if (cli->sensitivity && cli->ref)
        return rg_fail(err, RG_E_USAGE,
            "--sensitivity changes one part of the model at a time: its reference is the model itself; leave "
            "--ref out");
    if (cli->sensitivity && (!cli->dtype || rg_wtype_from_name(cli->dtype) < 0))
        return rg_fail(err, RG_E_USAGE,
            "--sensitivity: say with --dtype which type the parts are to get, for instance q4g64");
    return RG_OK;
}

static rg_status same_vocabulary(const eval *v, rg_err *err)
{
    const int64_t a = rg_ckpt_config(v->ckpt)->vocab, b = rg_ckpt_config(ref_ckpt(v))->vocab;
    if (a == b) return RG_OK;
    return rg_fail(err, RG_E_USAGE,
        "%s has %lld tokens in its vocabulary, the reference %s %lld: only models that share a vocabulary "
        "can be compared",
        rg_ckpt_path(v->ckpt), (long long)a, rg_ckpt_path(ref_ckpt(v)), (long long)b);
}

/* The text that ships beside the demo checkpoint; NULL if there is none. */
static const char *demo_text(const rg_cli *cli, char *buf, size_t n)
{
    rg_err ignored;
    char dir[1024];
    if (cli->model || rg_demo_path(dir, sizeof dir, &ignored)) return NULL;
    snprintf(buf, n, "%s/heldout.txt", dir);
    return access(buf, R_OK) == 0 ? buf : NULL;
}

static rg_status evaluate(eval *v, rg_err *err)
{
    char text[1100];
    const rg_cli *cli = v->cli;
    rg_eval_report *r = &v->report;
    rg_engine_opts eo, ref_eo;
    int64_t windows;
    rg_status st = rg_engine_args(&eo, cli, cli->dtype, &v->progress, err);
    rg_cli ref_cli = *cli;
    ref_cli.act = cli->ref_act;
    if (!st) st = rg_engine_args(&ref_eo, &ref_cli, cli->ref_dtype, &v->progress, err);
    if (st) return st;
    if ((st = rg_open_model(&v->ckpt, cli, err))) return st;
    if (cli->ref && (st = rg_ckpt_open(&v->own_ref, cli->ref, err))) return st;
    if ((st = same_vocabulary(v, err))) return st;
    const rg_config *c = rg_ckpt_config(v->ckpt);
    const char *fallback = demo_text(cli, text, sizeof text);
    if (!r->opts.ctx) r->opts.ctx = c->ctx_train < 512 ? c->ctx_train : 512;
    if ((st = rg_eval_tokens(&v->text, &r->opts, cli, v->ckpt, fallback, err))) return st;
    r->text_tokens = v->text.n;
    r->source = cli->token_ids ? cli->token_ids
        : cli->file            ? cli->file
        : cli->prompt          ? "-p"
                               : "the demo checkpoint's held-out text";
    if ((st = rg_eval_windows(&windows, &r->opts, v->text.n, err))) return st;
    /* both sides keep the cache of the reference, so that only the weights differ */
    const rg_kvtype kv = rg_default_kv(v->with_ref ? ref_ckpt(v) : v->ckpt, v->with_ref ? &ref_eo : &eo);
    if (v->with_ref && (st = open_side(v, &v->ref, ref_ckpt(v), &ref_eo, kv, &r->ref, err))) return st;
    if (r->sensitivity) return sensitivity(v, &eo, &ref_eo, kv, err);
    if ((st = open_side(v, &v->model, v->ckpt, &eo, kv, &r->model, err))) return st;
    return score(v, &r->stats, err);
}

rg_status rg_cmd_EVAL(const rg_cli *cli, rg_err *err)
{
    if (rg_judge_help(cli)) return RG_OK;
    eval v = {.cli = cli, .report = {.command = cli->line, .started = time(NULL)}};
    /* a pipe reads every figure, a person the answer */
    const char *output = cli->output || cli->wide || isatty(STDOUT_FILENO) ? cli->output : "md";
    const int format = rg_cli_choice("-o", output, RG_WORDS("text", "md", "json"), err);
    rg_status st = format < 0 ? RG_E_USAGE : rg_cli_no_args(cli, err);
    if (!st) st = rg_judge_check(cli, err);
    if (!st) st = read_opts(&v, err);
    if (!st) st = evaluate(&v, err);
    rg_progress_clear(&v.progress);
    /* the report so far */
    if (!st || (st == RG_E_INTERRUPTED && (v.report.stats.n > 0 || v.report.n_parts > 0))) {
        rg_doc d;
        rg_status shown = rg_eval_report_doc(&d, &v.report, err);
        const rg_screen s = rg_screen_of(stdout, cli->wide);
        if (shown == RG_OK && format == 0) shown = rg_eval_report_text(&s, &v.report, err);
        if (shown == RG_OK && format == 1) shown = rg_eval_report_md(stdout, &v.report, err);
        shown = rg_page_out(shown, &d, format == 2, !st ? cli : NULL, NULL, NULL, err);
        if (shown != RG_OK) st = shown;
    }
    close_side(&v.model);
    close_side(&v.ref);
    free(v.report.parts);
    free(v.text.id);
    rg_ckpt_close(v.own_ref);
    rg_ckpt_close(v.ckpt);
    return st;
}
