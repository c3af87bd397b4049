/* Options become a checkpoint, an engine, a session and prompt tokens. */
#include "tools/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapfile.h"
#include "base/text.h"
#include "ridge/topo.h"
#include "roofline/count/sde.h"

/* What the files say that is not followed; each sentence once. */
static void show_notes(const rg_ckpt *c, const rg_cli *cli)
{
    static rg_lines said;
    for (int i = 0; rg_ckpt_note(c, i) && !cli->quiet; i++) {
        bool again = false;
        for (int k = 0; k < said.n; k++) again = again || strcmp(said.s[k], rg_ckpt_note(c, i)) == 0;
        if (again) continue;
        fprintf(stderr, "note: %s\n", rg_ckpt_note(c, i));
        rg_lines_add(&said, "%s", rg_ckpt_note(c, i));
    }
}

rg_status rg_open_model(rg_ckpt **out, const rg_cli *cli, rg_err *err)
{
    char demo[1024];
    const char *path = cli->model;
    rg_mapfile_read_whole(cli->no_mmap);
    if (!path) {
        const rg_status st = rg_demo_path(demo, sizeof demo, err);
        if (st) return st;
        path = demo;
    }
    const rg_status st = rg_ckpt_open(out, path, err);
    if (!st) show_notes(*out, cli);
    return st;
}

static rg_status isa_arg(rg_isa *cap, const rg_cli *cli, rg_err *err)
{
    const char *env = getenv("RIDGE_ISA"),
               *name = cli->isa ? cli->isa
        : env && *env           ? env
                                : NULL,
               *from = cli->isa ? "--isa" : "RIDGE_ISA";
    *cap = RG_ISA_COUNT;
    if (!name) return RG_OK;
    const int i = rg_isa_from_name(name);
    if (i < 0) return rg_fail(err, RG_E_USAGE, "%s: '%s', expected %s", from, name, rg_isa_list);
    if (!rg_isa_has(i)) {
        char why[160];
        rg_isa_why_not(i, why, sizeof why);
        return rg_fail(err, RG_E_UNSUPPORTED, "%s %s: %s; the best level here is %s", from, name, why,
            rg_isa_names[rg_isa_best()]);
    }
    *cap = i;
    return RG_OK;
}

rg_status rg_threads_check(const rg_cli *cli, int64_t threads, rg_err *err)
{
    static rg_topo t;
    if (threads <= 1 || cli->oversubscribe) return RG_OK;
    if (!t.limit) rg_topo_read(&t);
    if (!t.processors || threads <= t.processors) return RG_OK;
    return rg_fail(err, RG_E_USAGE,
        "-t %lld: this process may use %d processor%s (%s), and more threads wait for each other at every "
        "operator: "
        "use -t %d, or --oversubscribe to see it",
        (long long)threads, t.processors, t.processors == 1 ? "" : "s", t.limit, t.processors);
}

rg_status rg_engine_args(rg_engine_opts *o, const rg_cli *cli, const char *dtype, rg_progress *p, rg_err *err)
{
    const int kernel = rg_cli_choice("--kernel", cli->kernel, RG_WORDS("auto", "c", "blas"), err),
              pin = rg_cli_choice("--pin", cli->pin, RG_WORDS("on", "off"), err),
              act = rg_cli_choice("--act", cli->act, RG_WORDS("f32", "bf16", "q8"), err), /* as rg_act */
        pages = rg_cli_choice("--huge-pages", cli->huge_pages, RG_WORDS("on", "off"), err);
    if (kernel < 0 || pin < 0 || pages < 0 || act < 0) return err->code;
    if (kernel == 2 && act > 0)
        return rg_fail(err, RG_E_USAGE,
            "--act %s: --kernel blas multiplies floats, so it takes --act f32 only", cli->act);
    if (RG_GIVEN(cli, threads_batch) && cli->threads_batch != cli->threads)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "-tb %lld: give -t the same number: prefill and decode share one team, because counters belong "
            "to threads",
            (long long)cli->threads_batch);
    const rg_status st = rg_threads_check(cli, cli->threads, err);
    if (st) return st;
    *o = (rg_engine_opts){.threads = (int)cli->threads,
        .no_pin = pin == 1,
        .dtype = -1,
        .act = act,
        .quant_head = cli->quantize_head,
        .blas = kernel == 2,
        .plain_c = kernel == 1,
        .small_pages = pages == 1,
        .progress = rg_progress_draw,
        .progress_user = p,
        .stop = &rg_stop};
    if (dtype && (o->dtype = rg_wtype_from_name(dtype)) < 0)
        return rg_fail(err, RG_E_USAGE,
            "--dtype: '%s', expected f32, f16, bf16, q8g32, q4g32, q4g64, q4g128, q4g32m, q4g64m, q4g128m, "
            "or a "
            "grid of GGUF: q8g32k, q6g16k, q5g32m, q5g32mk, q4g16mk, q4g32mk",
            dtype);
    return isa_arg(&o->isa_cap, cli, err);
}

static rg_status kv_arg(rg_kvtype *t, const char *option, const char *name, rg_kvtype fallback, rg_err *err)
{
    const int k = name ? rg_kvtype_from_name(name) : (int)fallback;
    if (k < 0) return rg_fail(err, RG_E_USAGE, "%s: '%s', expected f16, f32 or q8_0", option, name);
    *t = k;
    return RG_OK;
}

rg_status rg_fuse_arg(unsigned *fuse, const char *text, rg_err *err)
{
    char words[128] = "";
    size_t at = 0;
    *fuse = RG_FUSE_DEFAULT;
    if (!text || rg_fuse_parse(fuse, text)) return RG_OK;
    for (int i = 0; i < RG_FUSE_COUNT && at < sizeof words; i++)
        if (rg_fuse_word(i)) at += (size_t)snprintf(words + at, sizeof words - at, "%s, ", rg_fuse_word(i));
    return rg_fail(
        err, RG_E_USAGE, "--fuse: '%.60s', expected %sjoined by + (act+add), all or none", text, words);
}

rg_status rg_session_args(rg_session_opts *o, const rg_cli *cli, rg_kvtype kv, rg_err *err)
{
    const int fa = rg_cli_choice("-fa", cli->flash, RG_WORDS("auto", "on", "off"), err);
    if (fa < 0) return err->code;
    *o = (rg_session_opts){.ctx = cli->ctx, .ubatch = cli->ubatch, .unfused = fa == 2};
    rg_status st = rg_fuse_arg(&o->fuse, cli->fuse, err);
    if (!st) st = kv_arg(&o->kv_k, "-ctk", cli->cache_k, kv, err);
    return st ? st : kv_arg(&o->kv_v, "-ctv", cli->cache_v, kv, err);
}

void rg_note_context(const rg_config *c, int64_t ctx)
{
    static bool said;
    if (!said && ctx > c->ctx_train)
        fprintf(stderr,
            "note: %lld positions, the model was made for %lld: speed and bytes are measured all the same, "
            "what it "
            "says there means nothing\n",
            (long long)ctx, (long long)c->ctx_train);
    said = said || ctx > c->ctx_train;
}

rg_status rg_check_engine(const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err)
{
    uint64_t weights;
    rg_memory_plan plan;
    const rg_config *cfg = rg_ckpt_config(c);
    rg_status st = rg_plan_weights(c, eo, &weights, err);
    if (st || (st = rg_session_check(cfg, so, err))) return st;
    rg_plan_memory(&plan, cfg, weights, false, eo->threads > 0 ? eo->threads : 1, so);
    return rg_plan_check(&plan, cfg, so, err);
}

rg_status rg_open_engine(
    rg_engine **out, const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err)
{
    rg_status st = rg_check_engine(c, eo, so, err);
    if (st) return st;
    /* before PAPI tools that watch this process look for events */
    rg_sde_export(rg_process_totals);
    st = rg_engine_open(out, c, eo, err);
    rg_progress_clear(eo->progress_user);
    return st;
}

rg_status rg_read_file(char **text, size_t *len, const char *path, rg_err *err)
{
    const bool in = strcmp(path, "-") == 0;
    const char *name = in ? "standard input" : path;
    FILE *f = in ? stdin : fopen(path, "rb");
    char buf[1 << 14];
    *text = NULL;
    *len = 0;
    if (!f) return rg_fail(err, RG_E_FILE, "%s: cannot open: %s", path, strerror(errno));
    FILE *to = open_memstream(text, len);
    for (size_t n; to && (n = fread(buf, 1, sizeof buf, f)) > 0 && fwrite(buf, 1, n, to) == n;) {
    }
    const bool failed = !to || ferror(to);
    rg_status st = (to && fclose(to) != 0) || failed ? rg_no_memory(err, name)
        : ferror(f)                                  ? rg_fail(err, RG_E_FILE, "%s: cannot read", name)
                                                     : RG_OK;
    if (!in) fclose(f);
    if (!st) return st;
    free(*text);
    *text = NULL;
    return st;
}

static rg_status ids_from_file(rg_tokens *t, const char *path, int64_t vocab, rg_err *err)
{
    char *raw;
    size_t len;
    rg_status st = rg_read_file(&raw, &len, path, err);
    if (st) return st;
    int32_t *id = (int32_t *)(void *)raw;
    const int64_t n = (int64_t)(len / 4);
    if (len == 0 || len % 4 != 0)
        st =
            rg_fail(err, RG_E_FILE, "%s: %zu bytes, expected a multiple of 4 (raw i32 token ids)", path, len);
    for (int64_t i = 0; i < n && !st; i++)
        if (id[i] < 0 || id[i] >= vocab)
            st = rg_fail(err, RG_E_FILE, "%s: token %lld is %d, expected 0 to %lld", path, (long long)i,
                id[i], (long long)vocab - 1);
    if (!st)
        *t = (rg_tokens){.id = id, .n = n};
    else
        free(raw);
    return st;
}

int rg_encode_flags(const rg_cli *cli)
{
    return (cli->no_bos ? 0 : RG_TOK_BOS) | (cli->special ? RG_TOK_SPECIAL : 0);
}

rg_status rg_prompt_tokens(
    rg_tokens *t, const rg_cli *cli, const rg_tokenizer *tok, int64_t vocab, rg_err *err)
{
    *t = (rg_tokens){0};
    if ((cli->prompt != NULL) + (cli->file != NULL) + (cli->token_ids != NULL) > 1)
        return rg_fail(err, RG_E_USAGE, "-p, -f and --token-ids: give only one of them");
    if (cli->token_ids) return ids_from_file(t, cli->token_ids, vocab, err);
    char *owned = NULL;
    const char *text = cli->prompt ? cli->prompt : "";
    size_t len = strlen(text), n = 0;
    rg_status st = cli->file ? rg_read_text(&owned, &len, cli->file, cli->quiet, err) : RG_OK;
    if (!st) st = rg_tokenizer_encode(tok, owned ? owned : text, len, rg_encode_flags(cli), &t->id, &n, err);
    free(owned);
    if (st) return st;
    t->n = (int64_t)n;
    if (n == 0)
        return rg_fail(
            err, RG_E_USAGE, "the prompt is empty and this tokenizer adds no BOS: give a text with -p or -f");
    for (int64_t i = 0; i < t->n; i++)
        if (t->id[i] < 0 || t->id[i] >= vocab)
            return rg_fail(err, RG_E_FILE,
                "tokenizer: token %lld of the prompt is %d, but the model knows 0 to %lld: a text without "
                "it, "
                "or the model's own tokenizer",
                (long long)i, t->id[i], (long long)vocab - 1);
    return RG_OK;
}
