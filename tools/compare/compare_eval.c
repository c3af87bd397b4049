/* The price of each variant: perplexity of a text, and divergence from the first variant. */

#include "base/num.h"
#include "tools/compare/compare.h"

/* The session of a setting for such windows; its engine is loaded if it is not. */
static rg_status open_for(
    rg_session **out, bool *loaded, rg_bench *b, int setting, const rg_eval_opts *o, rg_err *err)
{
    const rg_setting *s = &b->setting[setting];
    rg_unit *u = &b->unit[s->unit];
    rg_engine_opts eo;
    rg_session_opts so;
    rg_status st = rg_engine_args(&eo, &s->cli, s->cli.dtype, &b->progress, err);
    if (!st) st = rg_session_args(&so, &s->cli, rg_default_kv(u->ckpt, &eo), err);
    *loaded = !st && !u->e;
    if (*loaded) st = rg_bench_load(b, s->unit, err);
    if (st) return st;
    rg_eval_session_opts(&so, o, rg_ckpt_config(u->ckpt)->vocab);
    return rg_session_open(out, u->e, &so, err);
}

static rg_status score(rg_score_stats *out, rg_bench *b, rg_session *s, rg_session *ref,
    const rg_tokens *text, int64_t vocab, const rg_eval_opts *o, rg_err *err)
{
    rg_score sc = {0};
    rg_eval_run run;
    rg_status st = rg_eval_text(&sc, &run, s, ref, text, vocab, o, rg_progress_draw, &b->progress, err);
    rg_progress_clear(&b->progress);
    if (!st) st = rg_score_summary(out, &sc, err);
    rg_score_close(&sc);
    return st;
}

static int64_t vocab_of(const rg_bench *b, int setting)
{
    return rg_ckpt_config(b->unit[b->setting[setting].unit].ckpt)->vocab;
}

rg_status rg_compare_sample_open(rg_compare_sample *t, const rg_bench *b, const char *path, rg_err *err)
{
    rg_cli cli = b->setting[0].cli;
    int64_t windows;
    t->opts = (rg_eval_opts){.mode = RG_EVAL_HALF, .ctx = rg_min(512, rg_bench_context(b))};
    cli.file = path;
    cli.prompt = cli.token_ids = NULL;
    rg_status st = rg_eval_tokens(&t->tokens, &t->opts, &cli, b->unit[b->setting[0].unit].ckpt, NULL, err);
    if (!st) st = rg_eval_windows(&windows, &t->opts, t->tokens.n, err);
    for (int i = 1; i < b->n_settings && !st; i++)
        if (vocab_of(b, i) != vocab_of(b, 0))
            st = rg_fail(err, RG_E_USAGE,
                "--eval: %s has %lld tokens in its vocabulary, %s %lld: only models that share one can be "
                "compared",
                b->setting[i].label, (long long)vocab_of(b, i), b->setting[0].label,
                (long long)vocab_of(b, 0));
    return st;
}

rg_status rg_compare_eval(rg_score_stats *out, rg_bench *b, const rg_compare_sample *t, rg_err *err)
{
    rg_session *first = NULL;
    bool first_loaded = false;
    const int64_t vocab = vocab_of(b, 0);
    rg_status st = open_for(&first, &first_loaded, b, 0, &t->opts, err);
    if (!st) st = score(&out[0], b, first, NULL, &t->tokens, vocab, &t->opts, err);
    for (int i = 1; i < b->n_settings && !st; i++) {
        rg_session *s = NULL;
        bool loaded = false;
        st = open_for(&s, &loaded, b, i, &t->opts, err);
        if (!st) st = score(&out[i], b, s, first, &t->tokens, vocab, &t->opts, err);
        rg_session_close(s);
        if (loaded) rg_bench_unload(b, b->setting[i].unit);
    }
    rg_session_close(first);
    if (first_loaded) rg_bench_unload(b, b->setting[0].unit);
    return st;
}
