/* Asks the memory plan for every type of weights and of cache. */
#include "tools/inspect/fit_table.h"

#include <inttypes.h>
#include <stdio.h>

#include "ridge/topo.h"
#include "tools/cli/cli.h"

rg_status rg_fit_make(
    rg_fit *f, const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err)
{
    const rg_config *cfg = rg_ckpt_config(c);
    rg_topo topo;
    rg_topo_read(&topo);
    *f = (rg_fit){.threads = eo->threads > 0 ? eo->threads : topo.cores};
    f->available = rg_mem_available(&f->source);
    for (int i = 0; i < RG_FIT_ROWS; i++) {
        struct rg_fit_row *r = &f->row[f->n++];
        rg_engine_opts e = *eo;
        e.dtype = i - 1;
        r->dtype = i == 0 ? "as in the file" : rg_wtypes[i - 1].name;
        const rg_status st = rg_plan_weights(c, &e, &r->weights, err);
        if (st == RG_E_UNSUPPORTED) { /* this checkpoint cannot become that type */
            f->n--;
            continue;
        }
        if (st) return st;
        for (int k = 0; k < RG_KV_COUNT; k++) {
            struct rg_fit_cell *x = &r->kv[k];
            rg_session_opts s = *so;
            rg_memory_plan p;
            x->possible = cfg->head_dim % rg_kvtypes[k].block == 0;
            if (!x->possible) continue;
            s.kv_k = s.kv_v = k;
            x->ctx = rg_plan_fit(cfg, r->weights, f->threads, &s, f->available, cfg->ctx_train);
            s.ctx = x->ctx > 0 ? x->ctx : 16;
            rg_plan_memory(&p, cfg, r->weights, false, f->threads, &s);
            x->total = p.total;
        }
    }
    return RG_OK;
}

void rg_fit_print(const rg_fit *f, const rg_config *c)
{
    char a[32], b[32];
    if (f->available)
        printf("\n## What fits into %s (%s), %d threads; the model's own context is %" PRId64 "\n\n",
            rg_bytes_text(a, sizeof a, (double)f->available), f->source, f->threads, c->ctx_train);
    else
        printf(
            "\n## What fits: n/a, the memory of this system is unknown; the model's own context is %" PRId64
            "\n\n",
            c->ctx_train);
    printf("| weights | resident |");
    for (int k = 0; k < RG_KV_COUNT; k++)
        printf(" longest context, KV %s | all together |", rg_kvtypes[k].name);
    printf("\n|---|---:|");
    for (int k = 0; k < RG_KV_COUNT; k++) printf("---:|---:|");
    putchar('\n');
    for (int i = 0; i < f->n; i++) {
        const struct rg_fit_row *r = &f->row[i];
        printf("| %s | %s |", r->dtype, rg_bytes_text(a, sizeof a, (double)r->weights));
        for (int k = 0; k < RG_KV_COUNT; k++) {
            const struct rg_fit_cell *x = &r->kv[k];
            if (!x->possible)
                printf(" not possible | head size %" PRId64 " |", c->head_dim);
            else if (!x->ctx)
                printf(" none | %s for 16 |", rg_bytes_text(b, sizeof b, (double)x->total));
            else
                printf(" %" PRId64 "%s | %s |", x->ctx, x->ctx == c->ctx_train ? " (all)" : "",
                    rg_bytes_text(b, sizeof b, (double)x->total));
        }
        putchar('\n');
    }
}

json_t *rg_fit_json(const rg_fit *f)
{
    json_t *rows = json_array();
    for (int i = 0; i < f->n; i++) {
        const struct rg_fit_row *r = &f->row[i];
        json_t *kv = json_object();
        for (int k = 0; k < RG_KV_COUNT; k++) {
            const struct rg_fit_cell *x = &r->kv[k];
            json_object_set_new(kv, rg_kvtypes[k].name,
                x->possible ? json_pack("{s:I,s:I}", "longest_ctx", (json_int_t)x->ctx, "total_bytes",
                                  (json_int_t)x->total)
                            : json_null());
        }
        json_array_append_new(rows,
            json_pack("{s:s,s:I,s:o}", "dtype", i == 0 ? "file" : r->dtype, "weights_bytes",
                (json_int_t)r->weights, "kv", kv));
    }
    return json_pack("{s:o,s:i,s:o}", "available_bytes",
        f->available ? json_integer((json_int_t)f->available) : json_null(), "threads", f->threads, "rows",
        rows);
}
