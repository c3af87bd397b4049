/* ridge quantize: a 16- or 32-bit checkpoint to 4- or 8-bit codes, as compressed-tensors or GGUF. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cells.h"
#include "ridge/quantize.h"
#include "tools/cli/cli.h"
#include "weights/export.h"

enum { CALIB_TOKENS = 32768 };

/* Experts of a site in a layer, which are one row of the table: sums over those that are quantised. */
typedef struct together {
    double n, err2, clipped;
    double out_n, out_err2; /* calibrated */
} together;

/* Experts that few tokens of the calibration chose. */
typedef struct few {
    int *of_layer;     /* owns; [layers] */
    int n, none;       /* all of them; that no token chose */
    int64_t tokens;    /* of the one with the fewest, */
    int layer, expert; /* which is this */
} few;

typedef struct quantize {
    const rg_cli *cli;
    rg_ckpt *ckpt;
    rg_quantize_opts o;
    rg_export_format format;
    rg_export *out;
    rg_quantize_plan *plan;
    size_t n;
    rg_tokens calib;
    pcre2_code *keep;
    pcre2_match_data *match;
    rg_progress progress;
    rg_table table;
    bool wide;     /* a row for each expert, with its tokens */
    char type[16]; /* of quantised tensors */
    uint64_t quantised_weights, bytes_before;
    double err2, w2; /* relative to the weights of each tensor: sums of n * error^2 and n */
    together sum;
    few few;
} quantize;

/* ---- --keep ---- */

/* A pattern may use our names, Hugging Face's, or layer.N.site. */
static bool kept(void *user, rg_site site, int layer)
{
    quantize *q = user;
    char name[3][128] = {"", "", ""};
    rg_tensor_name(name[0], sizeof name[0], site, layer);
    if (layer >= 0) snprintf(name[1], sizeof name[1], "layer.%d.%s", layer, rg_site_name(site));
    rg_file_name(name[2], sizeof name[2], RG_NAMES_HF, 0, site, layer);
    for (int i = 0; i < 3; i++)
        if (name[i][0] &&
            pcre2_match(q->keep, (PCRE2_SPTR)name[i], PCRE2_ZERO_TERMINATED, 0, 0, q->match, NULL) >= 0)
            return true;
    return false;
}

static rg_status read_keep(quantize *q, rg_err *err)
{
    int code;
    PCRE2_SIZE at;
    if (!q->cli->keep_weights) return RG_OK;
    q->keep = pcre2_compile((PCRE2_SPTR)q->cli->keep_weights, PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);
    if (!q->keep) {
        PCRE2_UCHAR why[128] = "";
        pcre2_get_error_message(code, why, sizeof why);
        return rg_fail(err, RG_E_USAGE, "--keep '%s': not a regular expression: %s at character %zu",
            q->cli->keep_weights, (const char *)why, at);
    }
    q->match = pcre2_match_data_create_from_pattern(q->keep, NULL);
    if (!q->match) return rg_no_memory(err, "--keep");
    q->o.keep = kept;
    q->o.keep_user = q;
    return RG_OK;
}

/* ---- options ---- */

static rg_status read_type(quantize *q, rg_err *err)
{
    const char *name = q->cli->dtype ? q->cli->dtype : q->format == RG_EXPORT_GGUF ? "q4g32" : "q4g64";
    const int t = rg_wtype_from_name(name);
    if (t < 0 || !rg_wtype_is_quant(t) || rg_wtype_has_factors(t) || rg_wtypes[t].bits == 5)
        return rg_fail(err, RG_E_USAGE,
            "--dtype: '%s', expected q4g32, q4g64, q4g128 (an m behind: with a minimum) or q8g32", name);
    const rg_wtype_info *i = &rg_wtypes[t];
    q->o.spec.group = i->group;
    q->o.spec.kind = i->bits == 8     ? RG_QK_SYM8
        : !i->has_min                 ? RG_QK_SYM4
        : q->format == RG_EXPORT_GGUF ? RG_QK_MIN4
                                      : RG_QK_ZERO4;
    snprintf(q->type, sizeof q->type, "%s", name);
    return RG_OK;
}

static bool calibrates(const quantize *q)
{
    return q->o.method == RG_QUANT_AWQ || q->o.method == RG_QUANT_GPTQ;
}

static rg_status read_opts(quantize *q, rg_err *err)
{
    const rg_cli *cli = q->cli;
    if (!cli->output)
        return rg_fail(err, RG_E_USAGE,
            "-o: say where to write: a new directory (safetensors), or a file ending in .gguf");
    const int format = rg_cli_choice("--format", cli->format, RG_WORDS("safetensors", "gguf"), err),
              method = rg_cli_choice("--method", cli->method, rg_quant_methods, err);
    if (format < 0 || method < 0) return err->code;
    q->format = cli->format ? format : rg_ends_with(cli->output, ".gguf") ? RG_EXPORT_GGUF : RG_EXPORT_PACKED;
    q->o.method = cli->method ? method : RG_QUANT_MSE;
    q->o.head = cli->quantize_head;
    q->o.damp = RG_OR(cli, damp, 0.01);
    rg_status st = read_type(q, err);
    if (!st) st = read_keep(q, err);
    if (!st) st = rg_engine_args(&q->o.engine, cli, NULL, &q->progress, err);
    if (!st && !calibrates(q) && (cli->calib || RG_GIVEN(cli, calib_tokens) || RG_GIVEN(cli, ctx)))
        return rg_fail(err, RG_E_USAGE,
            "--method %s looks at the weights alone: --calib, --calib-tokens and -c belong to awq and gptq",
            rg_quant_methods[q->o.method]);
    if (!st && RG_GIVEN(cli, damp) && q->o.method != RG_QUANT_GPTQ)
        return rg_fail(err, RG_E_USAGE, "--damp belongs to --method gptq");
    return st;
}

/* ---- calibration ---- */

/* Windows of the text, each behind BOS, from places spread over the whole of it. */
static rg_status read_calib(quantize *q, rg_err *err)
{
    const rg_cli *cli = q->cli;
    const rg_config *c = rg_ckpt_config(q->ckpt);
    char demo[1100], dir[1024];
    const char *path = cli->calib;
    rg_tokenizer *tok = NULL;
    char *text = NULL;
    int32_t *id = NULL;
    size_t len = 0, n = 0;
    rg_err ignored;
    if (!calibrates(q)) return RG_OK;
    /* the demo checkpoint brings one */
    if (!path && !cli->model && !rg_demo_path(dir, sizeof dir, &ignored)) {
        snprintf(demo, sizeof demo, "%s/calibration.txt", dir);
        path = demo;
    }
    if (!path)
        return rg_fail(err, RG_E_USAGE,
            "--method %s: needs a calibration text: --calib FILE, some 100 KB like what the model will read "
            "(not the text it is judged by)",
            rg_quant_methods[q->o.method]);
    rg_status st = rg_tokenizer_open_for(&tok, q->ckpt, cli->tokenizer, err);
    if (!st) st = rg_read_text(&text, &len, path, cli->quiet, err);
    if (!st) st = rg_tokenizer_encode(tok, text, len, 0, &id, &n, err);
    const int64_t window = RG_OR(cli, ctx, rg_min(512, c->ctx_train)), body = window - 1;
    const int32_t bos = tok && rg_tokenizer_bos(tok) >= 0 ? rg_tokenizer_bos(tok) : c->bos;
    if (!st && window < 2)
        st = rg_fail(err, RG_E_USAGE, "-c %lld: expected at least 2 tokens in a window", (long long)window);
    if (!st && (int64_t)n < window)
        st = rg_fail(err, RG_E_USAGE,
            "%s: %zu tokens, a window of the calibration needs %lld: give a longer text or a smaller -c",
            path, n, (long long)window);
    if (!st) {
        const int64_t most = RG_OR(cli, calib_tokens, CALIB_TOKENS) / window, there = (int64_t)n / body;
        const int64_t windows = rg_max(1, rg_min(most, there));
        q->calib.n = windows * window;
        q->calib.id = malloc(sizeof *q->calib.id * q->calib.n);
        if (!q->calib.id) st = rg_no_memory(err, "calibration");
        for (int64_t w = 0; w < windows && !st; w++) {
            const int64_t at = w * (((int64_t)n - body) / windows);
            int32_t *dst = q->calib.id + w * window;
            dst[0] = bos >= 0 && bos < c->vocab ? bos : id[at];
            memcpy(dst + 1, id + at, sizeof *id * body);
        }
        q->o.calib = q->calib.id;
        q->o.n_windows = windows;
        q->o.window = window;
    }
    free(id);
    free(text);
    rg_tokenizer_close(tok);
    return st;
}

/* ---- the work ---- */

static double bits_of(const quantize *q, bool quantised, rg_ftype type)
{
    const rg_qspec *s = &q->o.spec;
    if (!quantised) return 8.0 * rg_ftypes[type].bytes;
    const double offset = s->kind == RG_QK_MIN4 ? 16.0 : s->kind == RG_QK_ZERO4 ? 4.0 : 0.0;
    return rg_qspec_bits(s) + (16.0 + offset) / s->group;
}

static const char *percent(char *buf, size_t n, double x)
{
    if (isnan(x))
        buf[0] = 0;
    else
        snprintf(buf, n, "%.3f %%", 100.0 * x);
    return buf;
}

static void put_row(quantize *q, const rg_quantized *t, const char *name, rg_ftype type)
{
    char rel[24], out[24], clip[24], tokens[24] = "";
    if (t->tokens >= 0) snprintf(tokens, sizeof tokens, "%lld", (long long)t->tokens);
    rg_table_line(&q->table, q->wide ? "ss2sssss" : "ss2ssss", name, t->q ? q->type : rg_ftypes[type].name,
        bits_of(q, t->q != NULL, type), percent(rel, sizeof rel, t->rel_error),
        percent(out, sizeof out, t->out_error), percent(clip, sizeof clip, t->clipped),
        q->wide ? tokens : t->why, t->why);
}

/* An expert: a row of its own with --wide, else one for all of them behind the last. */
static void put_expert(quantize *q, const rg_quantized *t, const char *name, rg_ftype type, int64_t experts)
{
    char own[96];
    together *s = &q->sum;
    if (t->site == RG_SITE_FFN_GATE_EXPS && t->tokens >= 0 && t->tokens < RG_QUANT_FEW_TOKENS) {
        few *f = &q->few;
        if (f->n == 0 || t->tokens < f->tokens)
            f->tokens = t->tokens, f->layer = t->layer, f->expert = t->expert;
        f->of_layer[t->layer]++;
        f->n++;
        f->none += t->tokens == 0;
    }
    if (q->wide) {
        snprintf(own, sizeof own, "%s.%d", name, t->expert);
        put_row(q, t, own, type);
        return;
    }
    if (t->expert == 0) *s = (together){0};
    if (t->q) {
        s->n++;
        s->err2 += t->rel_error * t->rel_error;
        s->clipped += t->clipped;
    }
    if (!isnan(t->out_error)) {
        s->out_n++;
        s->out_err2 += t->out_error * t->out_error;
    }
    if (t->expert + 1 < experts) return;
    rg_quantized all = *t;
    all.rel_error = s->n > 0.0 ? sqrt(s->err2 / s->n) : NAN;
    all.out_error = s->out_n > 0.0 ? sqrt(s->out_err2 / s->out_n) : NAN;
    all.clipped = s->n > 0.0 ? s->clipped / s->n : NAN;
    snprintf(own, sizeof own, "%s, %lld experts", name, (long long)experts);
    put_row(q, &all, own, type);
}

static rg_status take(void *user, const rg_quantized *t, rg_err *err)
{
    quantize *q = user;
    char name[64];
    const rg_ckpt_tensor *src = rg_ckpt_find(q->ckpt, t->site, t->layer);
    if (!src) src = rg_ckpt_find(q->ckpt, RG_SITE_TOKEN_EMBD, -1);
    const rg_status st = rg_export_put(q->out, t->q, t->f32, err);
    if (st) return st;
    if (t->q) {
        const double n = (double)(t->rows * t->cols);
        q->quantised_weights += (uint64_t)(t->rows * t->cols);
        q->err2 += n * t->rel_error * t->rel_error;
        q->w2 += n;
    }
    if (rg_site_rows(t->site) == RG_EXT_ONE) return RG_OK; /* not worth a row */
    rg_tensor_name(name, sizeof name, t->site, t->layer);
    if (rg_op_of_experts(rg_site_op(t->site)))
        put_expert(q, t, name, src->type, rg_ckpt_config(q->ckpt)->experts);
    else
        put_row(
            q, t, name, q->format == RG_EXPORT_GGUF && rg_site_keeps_type(t->site) ? RG_FT_F32 : src->type);
    return RG_OK;
}

static rg_status run(quantize *q, rg_err *err)
{
    q->o.norm_type = rg_export_norm_type(q->ckpt, q->format);
    q->o.untie = q->format == RG_EXPORT_PACKED && q->o.head && rg_ckpt_config(q->ckpt)->tied;
    rg_status st = rg_quantize_plan_make(&q->plan, &q->n, q->ckpt, &q->o, err);
    if (st) return st;
    rg_export_tensor *t = calloc(q->n, sizeof *t);
    size_t any = 0;
    for (size_t i = 0; t && i < q->n; i++) {
        t[i] = (rg_export_tensor){.site = q->plan[i].site,
            .layer = q->plan[i].layer,
            .expert = q->plan[i].expert,
            .rows = q->plan[i].rows,
            .cols = q->plan[i].cols,
            .quantised = q->plan[i].quantised};
        any += t[i].quantised;
    }
    if (!t)
        st = rg_no_memory(err, "quantize");
    else if (any == 0)
        st = rg_fail(err, RG_E_USAGE,
            "nothing is left to quantise: --keep matches everything, or no row divides into groups of %d: "
            "use a smaller group",
            q->o.spec.group);
    else
        st = rg_export_open(&q->out, q->ckpt, q->format, q->o.spec, t, q->n, q->o.untie, q->cli->output, err);
    free(t);
    if (!st) st = rg_quantize(q->ckpt, &q->o, take, q, err);
    rg_progress_clear(&q->progress);
    return st ? st : rg_export_commit(q->out, err);
}

/* Which experts the calibration hardly reached. */
static void print_few(const quantize *q)
{
    enum { SHOWN = 6 };
    const few *f = &q->few;
    const rg_config *c = rg_ckpt_config(q->ckpt);
    char where[160] = "";
    int layers = 0;
    if (f->n == 0) return;
    for (int l = 0; l < c->layers; l++) {
        if (!f->of_layer[l]) continue;
        if (layers++ < SHOWN)
            rg_text_add(where, sizeof where, "%s%d in layer %d", *where ? ", " : "", f->of_layer[l], l);
    }
    if (layers > SHOWN) rg_text_add(where, sizeof where, " and more in %d others", layers - SHOWN);
    printf("few tokens: fewer than %d of the calibration chose %d experts (%s); the fewest, %lld, expert %d "
           "of layer %d",
        RG_QUANT_FEW_TOKENS, f->n, where, (long long)f->tokens, f->expert, f->layer);
    if (f->none)
        printf("; %d that none chose %s rounded as by --method mse", f->none, f->none > 1 ? "were" : "was");
    printf(": give more text (--calib, --calib-tokens)%s\n", q->wide ? "" : "; --wide lists them");
}

static void summary(quantize *q, uint64_t ns)
{
    char a[32], b[32], c[32], path[512];
    const uint64_t params = rg_ckpt_params(q->ckpt), bytes = rg_export_bytes(q->out);
    printf("%s, --method %s", rg_text_clean(path, sizeof path, rg_ckpt_path(q->ckpt)),
        rg_quant_methods[q->o.method]);
    if (q->o.n_windows)
        printf(
            ", calibrated on %lld windows of %lld tokens", (long long)q->o.n_windows, (long long)q->o.window);
    printf("\n\n");
    rg_table_print(stdout, &q->table);
    printf("\n%.1f %% of %.4g million weights quantised to %s, relative error %.3f %% (root mean square over "
           "them)\n",
        100.0 * (double)q->quantised_weights / (double)params, (double)params * 1e-6, q->type,
        100.0 * sqrt(q->err2 / fmax(q->w2, 1.0)));
    printf("%s: %s of tensors, %.2f bits per weight (before: %s, %.2f); %s\n",
        rg_text_clean(path, sizeof path, q->cli->output), rg_bytes_text(a, sizeof a, (double)bytes),
        8.0 * (double)bytes / (double)params,
        rg_bytes_text(b, sizeof b, (double)rg_ckpt_weight_bytes(q->ckpt)),
        8.0 * (double)rg_ckpt_weight_bytes(q->ckpt) / (double)params, rg_time(c, sizeof c, (double)ns));
    print_few(q);
    for (int i = 0; rg_export_note(q->out, i); i++) printf("note: %s\n", rg_export_note(q->out, i));
}

static void head(quantize *q)
{
    /* tokens that chose an expert */
    q->wide = q->cli->wide && calibrates(q) && rg_ckpt_config(q->ckpt)->experts > 0;
    if (q->wide)
        rg_table_head(&q->table, "<tensor", "<type", ">bits", ">weight error", ">output error", ">clipped",
            ">tokens", "<why not", NULL);
    else
        rg_table_head(&q->table, "<tensor", "<type", ">bits", ">weight error", ">output error", ">clipped",
            "<why not", NULL);
}

rg_status rg_cmd_QUANTIZE(const rg_cli *cli, rg_err *err)
{
    quantize q = {.cli = cli};
    const uint64_t start = rg_now_ns();
    rg_status st = rg_cli_no_args(cli, err);
    if (!st) st = read_opts(&q, err);
    if (!st) st = rg_open_model(&q.ckpt, cli, err);
    if (!st && !(q.few.of_layer = calloc((size_t)rg_ckpt_config(q.ckpt)->layers, sizeof *q.few.of_layer)))
        st = rg_no_memory(err, "quantize");
    if (!st) st = read_calib(&q, err);
    if (!st) head(&q);
    if (!st) st = run(&q, err);
    if (!st) summary(&q, rg_now_ns() - start);
    rg_progress_clear(&q.progress);
    rg_export_close(q.out);
    rg_table_free(&q.table);
    pcre2_match_data_free(q.match);
    pcre2_code_free(q.keep);
    free(q.calib.id);
    free(q.plan);
    free(q.few.of_layer);
    rg_ckpt_close(q.ckpt);
    return st;
}
