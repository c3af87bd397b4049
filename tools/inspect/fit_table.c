/* Asks the memory plan for every type of weights and of cache. */
#include "tools/inspect/fit_table.h"

#include <inttypes.h>

#include "base/text.h"
#include "report/cells.h"
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

/* all: with what everything together takes. */
static void fill(rg_table *t, const rg_fit *f, const rg_config *c, bool all)
{
    const char *title[RG_TABLE_COLS] = {"<weights", ">resident"};
    rg_cells row = {.n = 0};
    int n = 2;
    for (int k = 0; k < RG_KV_COUNT; k++) {
        rg_text(row.text[n], sizeof row.text[0], ">longest context, KV %s", rg_kvtypes[k].name);
        if (!all) rg_text(row.text[n], sizeof row.text[0], ">KV %s", rg_kvtypes[k].name);
        title[n] = row.text[n];
        n++;
        if (all) title[n++] = ">all together";
    }
    rg_table_head_n(t, title, n);
    for (int i = 0; i < f->n; i++) {
        const struct rg_fit_row *r = &f->row[i];
        rg_cells_add(&row, "sb", r->dtype, (double)r->weights);
        for (int k = 0; k < RG_KV_COUNT; k++) {
            const struct rg_fit_cell *x = &r->kv[k];
            const char *longest = !x->possible ? "not possible"
                : !x->ctx                      ? "none"
                          : RG_TEXT(48, "%" PRId64 "%s", x->ctx, x->ctx == c->ctx_train ? " (all)" : "");
            rg_cells_add(&row, "s", longest);
            if (all && !x->possible)
                rg_cells_add(&row, "s", RG_TEXT(48, "head size %" PRId64, c->head_dim));
            else if (all)
                rg_cells_add(
                    &row, "s", RG_TEXT(48, "%s%s", RG_BYTES((double)x->total), x->ctx ? "" : " for 16"));
        }
        rg_cells_end(&row, t);
    }
}

static const char *title_of(char *buf, size_t n, const rg_fit *f, const rg_config *c)
{
    if (!f->available)
        return rg_text(buf, n,
            "What fits: n/a, the memory of this system is unknown; the model's own context is %" PRId64,
            c->ctx_train);
    return rg_text(buf, n, "What fits into %s (%s), %d threads; the model's own context is %" PRId64,
        RG_BYTES((double)f->available), f->source, f->threads, c->ctx_train);
}

void rg_fit_md(FILE *out, const rg_fit *f, const rg_config *c)
{
    rg_table t = {0};
    bool failed = false;
    fprintf(out, "\n## %s\n\n", title_of((char[200]){0}, 200, f, c));
    fill(&t, f, c, true);
    rg_table_end(out, &t, &failed);
}

void rg_fit_text(const rg_screen *s, const rg_fit *f, const rg_config *c, bool *failed)
{
    rg_table t = {0};
    fill(&t, f, c, false);
    rg_screen_table(s, 2, &t, failed);
    fputc('\n', s->f);
    rg_screen_say(s, RG_INK_DIM, 2, "%s", title_of((char[200]){0}, 200, f, c));
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
