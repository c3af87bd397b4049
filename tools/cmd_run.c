/* ridge run: a prompt in, text out. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/outfile.h"
#include "ridge/sampler.h"
#include "tools/model_args.h"

typedef struct run {
    const rg_cli *cli;
    rg_ckpt *ckpt;
    rg_engine *engine;
    rg_session *session;
    rg_tokenizer *tok;
    rg_sampler *sampler;
    rg_tokens prompt;
    int32_t *all; /* prompt and answer */
    int64_t n_all, n_new;
    rg_outfile logits;
    uint8_t *want;
    uint64_t prefill_ns, decode_ns, sample_ns;
    int64_t decode_calls;
    int64_t vocab;
} run;

static int64_t or_default(const rg_cli *cli, rg_option_id id, int64_t value, int64_t fallback) { return cli->given[id] ? value : fallback; }

static rg_status open_sampler(run *r, rg_err *err)
{
    const rg_cli *c = r->cli;
    const rg_sampler_opts o = {.temp = RG_GIVEN(c, temp) ? (float)c->temp : 0.8f,
        .top_k = (int32_t)or_default(c, RG_O_top_k, c->top_k, 40),
        .top_p = RG_GIVEN(c, top_p) ? (float)c->top_p : 0.95f,
        .min_p = RG_GIVEN(c, min_p) ? (float)c->min_p : 0.05f,
        .repeat_penalty = RG_GIVEN(c, repeat_penalty) ? (float)c->repeat_penalty : 1.0f,
        .repeat_last = (int32_t)or_default(c, RG_O_repeat_last, c->repeat_last, 64),
        .seed = (uint64_t)or_default(c, RG_O_seed, c->seed, 42)};
    return rg_sampler_open(&r->sampler, &o, r->vocab, err);
}

/* Rows of logits of the last eval into the dump. */
static rg_status dump(run *r, int64_t rows, rg_err *err)
{
    for (int64_t i = 0; r->logits.f && i < rows; i++)
        if (fwrite(rg_session_logits(r->session, i), sizeof(float), (size_t)r->vocab, r->logits.f) != (size_t)r->vocab)
            return rg_fail(err, RG_E_FILE, "%s: cannot write", r->cli->dump_logits);
    return RG_OK;
}

static void print_text(const char *text, size_t n)
{
    fwrite(text, 1, n, stdout);
    fflush(stdout);
}

static rg_status prefill(run *r, int64_t chunk, rg_err *err)
{
    const uint64_t start = rg_now_ns();
    rg_progress p = {0};
    for (int64_t at = 0; at < r->prompt.n; at += chunk) {
        const int64_t n = rg_min(chunk, r->prompt.n - at);
        const bool last = at + n == r->prompt.n;
        if (r->want) memset(r->want, r->logits.f != NULL, (size_t)n);
        if (r->want && last) r->want[n - 1] = 1;
        const rg_status st = rg_session_eval(r->session, &(rg_batch){.n = n, .token = r->prompt.id + at, .want = r->want}, RG_PREFILL, NULL, err);
        if (st != RG_OK) return st;
        const rg_status sd = dump(r, n, err);
        if (sd != RG_OK) return sd;
        rg_progress_draw(&p, "reading the prompt", (double)(at + n) / (double)r->prompt.n);
    }
    rg_progress_clear(&p);
    r->prefill_ns = rg_now_ns() - start;
    return RG_OK;
}

static rg_status generate(run *r, int64_t n_predict, int64_t ctx, int64_t last_row, rg_err *err)
{
    char text[1024];
    rg_detok d;
    rg_detok_init(&d, r->tok, r->cli->special);
    rg_status st = RG_OK;
    if (r->tok) /* the prompt is part of the text */
        for (int64_t i = 0; i < r->prompt.n; i++) print_text(text, rg_detok_put(&d, r->prompt.id[i], text, sizeof text));
    for (r->n_new = 0; r->n_new < n_predict;) {
        const uint64_t t0 = rg_now_ns();
        const int32_t id = rg_sampler_next(r->sampler, rg_session_logits(r->session, r->n_new == 0 ? last_row : 0));
        rg_sampler_accept(r->sampler, id);
        const uint64_t t1 = rg_now_ns();
        r->sample_ns += t1 - t0;
        const bool end = (r->tok && rg_tokenizer_is_end(r->tok, id)) && !r->cli->ignore_eos;
        if (!end || r->cli->special) {
            if (r->tok)
                print_text(text, rg_detok_put(&d, id, text, sizeof text));
            else
                printf("%d\n", id);
        }
        r->all[r->n_all++] = id;
        r->n_new++;
        if (end || r->n_new == n_predict) break;
        if (r->n_all > ctx) {
            st = rg_fail(err, RG_E_USAGE, "context full after %" PRId64 " tokens: use a larger -c (at most %" PRId64 " for this model) or a smaller -n", ctx,
                rg_ckpt_config(r->ckpt)->ctx_train);
            break;
        }
        if ((st = rg_session_eval(r->session, &(rg_batch){.n = 1, .token = &id}, RG_DECODE, NULL, err)) != RG_OK) break;
        r->decode_ns += rg_now_ns() - t1;
        r->decode_calls++;
        if ((st = dump(r, 1, err)) != RG_OK) break;
    }
    if (r->tok) print_text(text, rg_detok_end(&d, text, sizeof text));
    print_text("\n", 1);
    return st;
}

static void timing(const char *what, uint64_t ns, int64_t n, const char *unit)
{
    const double ms = (double)ns * 1e-6;
    fprintf(stderr, "%s = %10.2f ms / %5" PRId64 " %s (%8.2f ms per token, %8.2f tokens per second)\n", what, ms, n, unit, n ? ms / (double)n : 0.0,
        ms > 0.0 ? (double)n / ms * 1e3 : 0.0);
}

static void timings(const run *r)
{
    rg_engine_info i;
    rg_engine_get_info(r->engine, &i);
    fprintf(stderr, "\n        load time = %10.2f ms\n", (double)i.load_ns * 1e-6);
    timing("    sampling time", r->sample_ns, r->n_new, "runs  ");
    timing(" prompt eval time", r->prefill_ns, r->prompt.n, "tokens");
    timing("        eval time", r->decode_ns, r->decode_calls, "runs  ");
    fprintf(stderr, "       total time = %10.2f ms / %5" PRId64 " tokens\n", (double)(r->sample_ns + r->prefill_ns + r->decode_ns) * 1e-6, r->n_all);
    fprintf(stderr, "          weights = %s, %s kernels, %d threads\n", rg_wtypes[i.dtype].name, rg_isa_names[i.isa], i.threads);
}

static rg_status write_tokens(const run *r, rg_err *err)
{
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, r->cli->dump_tokens, err);
    if (st != RG_OK) return st;
    fwrite(r->all, sizeof *r->all, (size_t)r->n_all, o.f);
    return rg_outfile_commit(&o, err);
}

/* The default context holds the prompt and the answer, and the model's own (to 4096) where that is more. */
static int64_t default_ctx(const rg_config *c, int64_t need) { return rg_min(c->ctx_train, rg_max(need, rg_min(c->ctx_train, 4096))); }

static rg_status open_all(run *r, int64_t n_predict, rg_session_opts *so, rg_progress *p, rg_err *err)
{
    const rg_cli *cli = r->cli;
    rg_engine_opts eo;
    rg_status st = rg_open_model(&r->ckpt, cli, err);
    if (st != RG_OK) return st;
    const rg_config *c = rg_ckpt_config(r->ckpt);
    r->vocab = c->vocab;
    if ((st = rg_engine_args(&eo, cli, cli->dtype, p, err)) != RG_OK || (st = rg_session_args(so, cli, rg_default_kv(r->ckpt, &eo), err)) != RG_OK) return st;
    if ((st = open_sampler(r, err)) != RG_OK) return st;
    st = rg_tokenizer_open_for(&r->tok, r->ckpt, cli->tokenizer, err);
    if (st != RG_OK && !(cli->token_ids && !cli->tokenizer)) return st; /* raw ids work without a tokenizer: ids come out */
    if ((st = rg_prompt_tokens(&r->prompt, cli, r->tok, c->vocab, err)) != RG_OK) return st;
    if (!so->ctx) so->ctx = default_ctx(c, r->prompt.n + n_predict);
    if (r->prompt.n > so->ctx)
        return rg_fail(err, RG_E_USAGE, "context: the prompt has %" PRId64 " tokens, the context holds %" PRId64 " (-c; the model was made for %" PRId64 ")",
            r->prompt.n, so->ctx, c->ctx_train);
    so->max_logits = cli->dump_logits ? rg_min(rg_min(or_default(cli, RG_O_batch, cli->batch, 2048), r->prompt.n), 512) : 1;
    if ((st = rg_open_engine(&r->engine, r->ckpt, &eo, so, err)) != RG_OK) return st;
    return rg_session_open(&r->session, r->engine, so, err);
}

rg_status rg_cmd_RUN(const rg_cli *cli, rg_err *err)
{
    run r = {.cli = cli};
    rg_session_opts so;
    rg_progress p = {0};
    const int64_t n_predict = or_default(cli, RG_O_n_predict, cli->n_predict, 128);
    rg_status st = rg_cli_no_args(cli, err);
    if (st != RG_OK || (st = open_all(&r, n_predict, &so, &p, err)) != RG_OK) goto out;

    const int64_t chunk = cli->dump_logits ? so.max_logits : rg_min(or_default(cli, RG_O_batch, cli->batch, 2048), r.prompt.n);
    r.all = malloc((size_t)(r.prompt.n + n_predict + 1) * sizeof *r.all);
    r.want = malloc((size_t)chunk);
    if (!r.all || !r.want) {
        st = rg_fail(err, RG_E_NOMEM, "out of memory");
        goto out;
    }
    memset(r.want, 0, (size_t)chunk);
    memcpy(r.all, r.prompt.id, (size_t)r.prompt.n * sizeof *r.all);
    r.n_all = r.prompt.n;
    for (int64_t i = 0; i < r.prompt.n; i++) rg_sampler_accept(r.sampler, r.prompt.id[i]);
    if (cli->dump_logits && (st = rg_outfile_open(&r.logits, cli->dump_logits, err)) != RG_OK) goto out;

    if ((st = prefill(&r, chunk, err)) == RG_OK) st = generate(&r, n_predict, so.ctx, cli->dump_logits ? (r.prompt.n - 1) % chunk : 0, err);
    if (!cli->quiet && (st == RG_OK || st == RG_E_INTERRUPTED)) timings(&r);
    rg_status written = RG_OK;
    if (st == RG_OK && cli->dump_logits) written = rg_outfile_commit(&r.logits, err);
    if (st == RG_OK && written == RG_OK && cli->dump_tokens) written = write_tokens(&r, err);
    if (written != RG_OK) st = written;
out:
    rg_outfile_abort(&r.logits);
    rg_progress_clear(&p);
    free(r.want);
    free(r.all);
    free(r.prompt.id);
    rg_sampler_close(r.sampler);
    rg_session_close(r.session);
    rg_engine_close(r.engine);
    rg_tokenizer_close(r.tok);
    rg_ckpt_close(r.ckpt);
    return st;
}
