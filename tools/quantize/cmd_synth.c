/* ridge synth: random-weight checkpoints of named or given shapes. */
#include <inttypes.h>
#include <strings.h>

#include "tools/cli/cli.h"
#include "weights/ckpt.h"
#include "weights/synth.h"

static void list_shapes(void)
{
    printf("%-20s %-12s %7s %7s %7s %7s %9s %9s %8s %8s %8s %6s %s\n", "shape", "model_type", "hidden", "ffn",
        "layers", "heads", "kv_heads", "head_dim", "vocab", "ctx", "window", "tied", "experts");
    for (const rg_shape *s = rg_shapes; s->name; s++) {
        const rg_config *c = &s->config;
        printf("%-20s %-12s %7" PRId64 " %7" PRId64 " %7" PRId64 " %7" PRId64 " %9" PRId64 " %9" PRId64
               " %8" PRId64 " %8" PRId64 " %8" PRId64 " %6s",
            s->name, c->arch, c->dim, c->ffn, c->layers, c->heads, c->kv_heads, c->head_dim, c->vocab,
            c->ctx_train, c->window, c->tied ? "yes" : "no");
        if (c->experts)
            printf(" %" PRId64 " of %" PRId64 ", %" PRId64 " a token", c->experts, c->expert_ffn,
                c->experts_used);
        printf("\n");
    }
}

static rg_status pick_type(rg_ftype *type, const char *name, rg_err *err)
{
    *type = RG_FT_F16;
    for (int i = 0; name && i < RG_FT_COUNT; i++)
        if (strcasecmp(name, rg_ftypes[i].name) == 0) {
            *type = i;
            return RG_OK;
        }
    return name ? rg_fail(err, RG_E_USAGE, "--dtype: '%.40s', expected f32, f16, bf16, q8_0 or q4_0", name)
                : RG_OK;
}

/* What was written, read back through the loader: the proof that it is whole. */
static rg_status print_summary(const char *path, rg_ftype type, double seconds, rg_err *err)
{
    char size[32];
    rg_ckpt *c = NULL;
    const rg_status st = rg_ckpt_open(&c, path, err);
    if (st) return st;
    const double bytes = (double)rg_ckpt_file_bytes(c);
    printf("%s: %s %s, %.4g M parameters, %s in %.2f s (%.2f GB/s)\n", path, rg_ckpt_format(c),
        rg_ftypes[type].name, (double)rg_ckpt_params(c) / 1e6, rg_bytes_text(size, sizeof size, bytes),
        seconds, bytes / 1e9 / seconds);
    rg_ckpt_close(c);
    return RG_OK;
}

rg_status rg_cmd_SYNTH(const rg_cli *cli, rg_err *err)
{
    rg_config c;
    rg_ftype type;
    rg_progress progress = {0};
    rg_status st = rg_cli_no_args(cli, err);
    if (st) return st;
    if (cli->list) {
        list_shapes();
        return RG_OK;
    }
    int format = rg_cli_choice("--format", cli->format, RG_WORDS("", "safetensors", "gguf"), err);
    const int router =
        rg_cli_choice("--router", cli->router, RG_WORDS("", "uniform", "same", "disjoint", "zipf"), err);
    if (format < 0 || router < 0) return err->code;
    if (!cli->output)
        return rg_fail(err, RG_E_USAGE, "-o PATH is missing: a directory, or a file ending in .gguf");
    if ((st = rg_shape_args(&c, cli, err)) || (st = pick_type(&type, cli->dtype, err))) return st;
    if (format == 0) format = rg_ends_with(cli->output, ".gguf") ? 2 : 1;
    const uint64_t start = rg_now_ns();
    st = rg_synth_write_planted(&c, (rg_planted)router, type,
        format == 2 ? RG_SYNTH_GGUF : RG_SYNTH_SAFETENSORS, (uint64_t)RG_OR(cli, seed, 42), cli->output,
        rg_progress_draw, &progress, &rg_stop, err);
    const double seconds = (double)(rg_now_ns() - start) * 1e-9;
    rg_progress_clear(&progress);
    return st ? st : print_summary(cli->output, type, seconds, err);
}
