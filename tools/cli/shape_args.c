/* A configuration from --shape or --dims. */
#include "tools/cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/num.h"
#include "weights/synth.h"

/* "hidden=256,layers=4,..." */
static rg_status parse_dims(rg_shape *s, const char *list, rg_err *err)
{
    int64_t tied = 0;
    rg_config *c = &s->config;
    *s = (rg_shape){"synthetic",
        {.arch = "llama",
            .ctx_train = 2048,
            .rope_theta = 10000.0,
            .eps = 1e-5,
            .bos = 1,
            .eos = {2},
            .n_eos = 1}};
    const struct {
        const char *key;
        int64_t *value;
        bool needed;
    } fields[] = {{"hidden", &c->dim, true}, {"layers", &c->layers, true}, {"heads", &c->heads, true},
        {"kv_heads", &c->kv_heads, false}, {"ffn", &c->ffn, true}, {"vocab", &c->vocab, true},
        {"head_dim", &c->head_dim, false}, {"ctx", &c->ctx_train, false}, {"tied", &tied, false}};
    enum { N = sizeof fields / sizeof *fields };
    bool seen[N] = {false};
    for (const char *p = list; *p;) {
        const size_t len = strcspn(p, ","), key = strcspn(p, "=,");
        int f = N - 1;
        while (f >= 0 && (strlen(fields[f].key) != key || strncmp(fields[f].key, p, key) != 0)) f--;
        if (f < 0)
            return rg_fail(err, RG_E_USAGE,
                "--dims: '%.*s', expected hidden=, layers=, heads=, kv_heads=, ffn=, vocab=, head_dim=, ctx= "
                "or tied=",
                (int)rg_min(len, 40), p);
        if (seen[f]) return rg_fail(err, RG_E_USAGE, "--dims: %s is there twice", fields[f].key);
        char *end = NULL;
        const long long v =
            key < len && p[key + 1] >= '0' && p[key + 1] <= '9' ? strtoll(p + key + 1, &end, 10) : -1;
        if (v < 0 || end != p + len)
            return rg_fail(err, RG_E_USAGE, "--dims: '%.*s', expected %s=NUMBER", (int)rg_min(len, 40), p,
                fields[f].key);
        *fields[f].value = v;
        seen[f] = true;
        p += len;
        if (*p == ',') p++;
    }
    for (int i = 0; i < N; i++)
        if (fields[i].needed && !seen[i])
            return rg_fail(err, RG_E_USAGE, "--dims: %s= is missing", fields[i].key);
    if (!c->kv_heads) c->kv_heads = c->heads;
    if (!c->head_dim && c->heads > 0) c->head_dim = c->dim / c->heads;
    c->tied = tied != 0;
    return RG_OK;
}

rg_status rg_shape_args(rg_config *c, const rg_cli *cli, rg_err *err)
{
    rg_shape own;
    const rg_shape *s = &own;
    if (!cli->shape == !cli->dims)
        return rg_fail(
            err, RG_E_USAGE, "give one of --shape NAME ('ridge synth --list' shows them) and --dims LIST");
    if (cli->shape && !(s = rg_shape_find(cli->shape))) {
        rg_near near = {.word = cli->shape};
        for (const rg_shape *i = rg_shapes; i->name; i++) rg_near_try(&near, i->name);
        return rg_fail(err, RG_E_USAGE,
            "--shape: '%.60s' is not known; the nearest names are %s; 'ridge synth --list' shows all",
            cli->shape, rg_near_names((char[RG_NEAR_MOST * 96]){0}, RG_NEAR_MOST * 96, &near));
    }
    if (cli->dims) {
        const rg_status st = parse_dims(&own, cli->dims, err);
        if (st) return st;
    }
    rg_shape_config(s, c);
    return RG_OK;
}
