/* Cuts a text into windows, runs them through one model or two, and finds where a number broke. */
#include "tools/eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* Rows of logits held at a time and model. */
enum { LOGIT_BYTES = 64 << 20, MAX_CHUNK = 512 };

/* What a window of the options looks like: `inputs` tokens go in, those from `first` on are scored. */
typedef struct shape {
    int64_t inputs, first, step;
    bool pushed; /* BOS stands before the window's tokens instead of replacing the first */
} shape;

static shape shape_of(const rg_eval_opts *o)
{
    switch (o->mode) {
    case RG_EVAL_ALL:
        return (shape){.inputs = o->bos >= 0 ? o->ctx : o->ctx - 1, .step = o->ctx, .pushed = o->bos >= 0};
    case RG_EVAL_STRIDE:
        return (shape){.inputs = o->ctx - 1, .first = o->ctx - 1 - o->stride, .step = o->stride};
    case RG_EVAL_HALF:
    default:
        return (shape){.inputs = o->ctx - 1, .first = rg_min(o->ctx / 2, o->ctx - 2), .step = o->ctx};
    }
}

rg_status rg_eval_windows(int64_t *windows, const rg_eval_opts *o, int64_t n, rg_err *err)
{
    *windows = 0;
    if (o->ctx < 2)
        return rg_fail(err, RG_E_USAGE,
            "-c %lld: a window has at least 2 tokens, one to see and one to predict", (long long)o->ctx);
    if (o->mode == RG_EVAL_STRIDE && (o->stride < 1 || o->stride >= o->ctx))
        return rg_fail(err, RG_E_USAGE, "--stride %lld: expected 1 to %lld, less than the window (-c)",
            (long long)o->stride, (long long)o->ctx - 1);
    if (n < o->ctx)
        return rg_fail(err, RG_E_USAGE,
            "the text has %lld tokens, a window needs %lld: give a longer text, or a smaller -c",
            (long long)n, (long long)o->ctx);
    *windows = (n - o->ctx) / shape_of(o).step + 1;
    if (o->max_windows > 0) *windows = rg_min(*windows, o->max_windows);
    return RG_OK;
}

static int64_t logit_rows(const rg_eval_opts *o, int64_t vocab)
{
    const shape h = shape_of(o);
    return rg_max(
        1, rg_min(rg_min(h.inputs - h.first, MAX_CHUNK), LOGIT_BYTES / (int64_t)sizeof(float) / vocab));
}

void rg_eval_session_opts(rg_session_opts *so, const rg_eval_opts *o, int64_t vocab)
{
    so->ctx = shape_of(o).inputs;
    so->max_logits = logit_rows(o, vocab);
}

/* ---- where a number that is not finite came from ---- */

typedef struct culprit {
    bool found;
    rg_site site;
    int layer;
    int64_t row, col, base;
    float value;
} culprit;

static void look(void *user, const rg_seen *seen)
{
    culprit *c = user;
    for (int64_t i = 0; !c->found && i < seen->rows * seen->cols; i++)
        if (!isfinite(seen->data[i]))
            *c = (culprit){.found = true,
                .site = seen->site,
                .layer = seen->layer,
                .row = c->base + i / seen->cols,
                .col = i % seen->cols,
                .base = c->base,
                .value = seen->data[i]};
}

/* The chunk that begins at input `at`: tokens only seen, or as many scored ones as there are rows. */
static int64_t chunk_at(const shape *h, int64_t at, int64_t rows)
{
    return at < h->first ? rg_min(h->first - at, MAX_CHUNK) : rg_min(h->inputs - at, rows);
}

static rg_status eval_chunk(
    rg_session *s, const int32_t *in, int64_t n, bool scored, const uint8_t *none_or_all, rg_err *err)
{
    return rg_session_eval(s,
        &(rg_batch){.n = n, .token = in, .want = none_or_all + (scored ? MAX_CHUNK : 0)}, RG_PREFILL, NULL,
        err);
}

/* Runs a window again under observation, up to and with the chunk that failed, and says where it broke. */
static rg_status explain(rg_session *s, const int32_t *in, const shape *h, int64_t rows, int64_t failed,
    const uint8_t *want, int64_t window, const char *who, rg_err *err)
{
    char name[64];
    culprit c = {0};
    rg_session_truncate(s, 0, 0);
    rg_session_observe(s, look, &c);
    for (int64_t at = 0, n; at <= failed && !c.found; at += n) {
        n = chunk_at(h, at, rows);
        c.base = at;
        eval_chunk(s, in + at, n, at >= h->first, want, NULL);
    }
    rg_session_observe(s, NULL, NULL);
    if (!c.found) return err->code;
    return rg_fail(err, RG_E_INTERNAL,
        "%s, window %lld: %s first appeared in %s (operator %s, column %lld) at token %lld (id %d): the "
        "weights or the resident type overflow; try --dtype bf16 or f32",
        who, (long long)window, isnan(c.value) ? "NaN" : "infinity",
        rg_tensor_name(name, sizeof name, c.site, c.layer), rg_op_name(rg_site_op(c.site)), (long long)c.col,
        (long long)c.row, in[c.row]);
}

/* ---- the stream ---- */

typedef struct stream {
    rg_score *score;
    rg_eval_run *run;
    rg_session *s, *ref;
    int64_t vocab, rows;
    shape h;
    const uint8_t *want; /* MAX_CHUNK zeros, then MAX_CHUNK ones */
} stream;

static rg_status one_model(const stream *m, rg_session *s, uint64_t *ns, const int32_t *in, int64_t at,
    int64_t n, int64_t window, rg_err *err)
{
    const uint64_t t0 = rg_now_ns();
    const rg_status st = eval_chunk(s, in + at, n, at >= m->h.first, m->want, err);
    *ns += rg_now_ns() - t0;
    return st == RG_E_UNSUPPORTED
        ? explain(s, in, &m->h, m->rows, at, m->want, window, s == m->ref ? "reference" : "model", err)
        : st;
}

/* in: the window's inputs; target[i]: the token that follows input i. */
static rg_status one_window(
    const stream *m, const int32_t *in, const int32_t *target, int64_t window, rg_err *err)
{
    rg_status st = RG_OK;
    rg_session_truncate(m->s, 0, 0);
    if (m->ref) rg_session_truncate(m->ref, 0, 0);
    for (int64_t at = 0, n; at < m->h.inputs; at += n) {
        n = chunk_at(&m->h, at, m->rows);
        if ((st = one_model(m, m->s, &m->run->model_ns, in, at, n, window, err))) return st;
        if (m->ref && (st = one_model(m, m->ref, &m->run->ref_ns, in, at, n, window, err))) return st;
        m->run->tokens_in += n;
        for (int64_t i = 0; i < n && at >= m->h.first; i++)
            if ((st = rg_score_add(m->score, rg_session_logits(m->s, i),
                     m->ref ? rg_session_logits(m->ref, i) : NULL, m->vocab, target[at + i], err)))
                return st;
    }
    return RG_OK;
}

rg_status rg_eval_text(rg_score *score, rg_eval_run *run, rg_session *s, rg_session *ref,
    const rg_tokens *text, int64_t vocab, const rg_eval_opts *o, rg_progress_fn *progress, void *user,
    rg_err *err)
{
    const uint64_t start = rg_now_ns();
    int64_t windows;
    uint8_t want[2 * MAX_CHUNK];
    *run = (rg_eval_run){0};
    rg_status st = rg_eval_windows(&windows, o, text->n, err);
    if (st) return st;
    const stream m = {.score = score,
        .run = run,
        .s = s,
        .ref = ref,
        .vocab = vocab,
        .rows = logit_rows(o, vocab),
        .h = shape_of(o),
        .want = want};
    memset(want, 0, MAX_CHUNK);
    memset(want + MAX_CHUNK, 1, MAX_CHUNK);
    int32_t *in = malloc(m.h.inputs * sizeof *in);
    if (!in) return rg_no_memory(err, "eval");
    run->scored_per_window = m.h.inputs - m.h.first;
    run->unused = text->n - ((windows - 1) * m.h.step + o->ctx);
    for (int64_t w = 0; w < windows && !st; w++) {
        const int32_t *t = text->id + w * m.h.step;
        if (m.h.pushed) {
            in[0] = o->bos;
            memcpy(in + 1, t, (m.h.inputs - 1) * sizeof *in);
        } else {
            memcpy(in, t, m.h.inputs * sizeof *in);
            if (o->bos >= 0) in[0] = o->bos;
        }
        if (!(st = one_window(&m, in, m.h.pushed ? t : t + 1, w, err))) run->windows++;
        if (progress) progress(user, "scoring", (double)(w + 1) / (double)windows);
    }
    run->wall_ns = rg_now_ns() - start;
    free(in);
    return st;
}

/* ---- what to evaluate ---- */

/* What the tokenizer puts before a text; -1: nothing. A window has room for one token. */
static rg_status tokenizer_bos(int32_t *bos, const rg_tokenizer *tok, rg_err *err)
{
    const int32_t *prefix;
    const size_t n = rg_tokenizer_prefix(tok, &prefix);
    *bos = n == 1 ? prefix[0] : -1;
    if (n < 2) return RG_OK;
    return rg_fail(err, RG_E_UNSUPPORTED,
        "the tokenizer puts %zu tokens before a text, expected one (BOS) before each window: --no-bos leaves "
        "them out",
        n);
}

rg_status rg_eval_tokens(
    rg_tokens *t, rg_eval_opts *o, const rg_cli *cli, const rg_ckpt *c, const char *fallback, rg_err *err)
{
    const rg_config *cfg = rg_ckpt_config(c);
    rg_tokenizer *tok = NULL;
    rg_cli own = *cli;
    own.no_bos = true; /* BOS is the windows' business */
    if (!cli->file && !cli->prompt && !cli->token_ids) own.file = fallback;
    if (!own.file && !own.prompt && !own.token_ids)
        return rg_fail(err, RG_E_USAGE, "no text: give one with -f FILE, or token ids with --token-ids FILE");
    *t = (rg_tokens){0};
    o->bos = -1;
    rg_status st = rg_tokenizer_open_for(&tok, c, cli->tokenizer, err);
    if (st && cli->token_ids && !cli->tokenizer) { /* ids need no tokenizer */
        o->bos = cfg->bos;
        st = RG_OK;
    } else if (!st && !cli->no_bos) {
        st = tokenizer_bos(&o->bos, tok, err);
    }
    if (!st) st = rg_prompt_tokens(t, &own, tok, cfg->vocab, err);
    rg_tokenizer_close(tok);
    if (st) return st;
    if (cli->no_bos || o->bos >= cfg->vocab) o->bos = -1;
    /* the text itself begins with BOS, which the first window replaces by itself */
    if (o->bos >= 0 && o->mode != RG_EVAL_ALL && !cli->token_ids) {
        int32_t *more = realloc(t->id, (t->n + 1) * sizeof *more);
        if (!more) return rg_no_memory(err, "eval");
        memmove(more + 1, more, t->n * sizeof *more);
        more[0] = o->bos;
        t->id = more;
        t->n++;
    }
    return RG_OK;
}
