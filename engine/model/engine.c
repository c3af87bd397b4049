/* Opens an engine: chooses kernels, starts the team, binds the weights. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/openblas.h"
#include "model/model.h"

static bool any_quantised(const rg_model *m)
{
    bool any = rg_wtype_is_quant(m->top[RG_SITE_OUTPUT].w.type);
    for (int s = 0; s < RG_SITE_COUNT; s++)
        for (int i = 0; i < m->cfg.layers && rg_site_in_layer(s) && rg_site_has_matrix(s); i++)
            any = any || rg_wtype_is_quant(rg_model_at(m, i, s)->w.type);
    return any;
}

rg_status rg_engine_open(rg_engine **out, const rg_ckpt *ckpt, const rg_engine_opts *opts, rg_err *err)
{
    const uint64_t start = rg_now_ns();
    rg_status st = RG_OK;
    *out = NULL;
    rg_engine *e = calloc(1, sizeof *e);
    if (!e) return rg_no_memory(err, "engine");
    const rg_isa isa = opts->plain_c ? RG_ISA_C : rg_isa_capped(opts->isa_cap);
    if (!rg_kernels_select(&e->k, isa, opts->blas)) {
        const char *why;
        rg_openblas_load(&why);
        st = *why ? rg_fail(err, RG_E_UNSUPPORTED, "--kernel blas: OpenBLAS cannot be used: %s", why)
                  : rg_fail(err, RG_E_UNSUPPORTED,
                        "--kernel blas: this build has no BLAS; install libopenblas-dev and configure with "
                        "RIDGE_BLAS=ON");
        goto out;
    }
    e->k.act = opts->act;
    rg_topo_read(&e->topo);
    e->threads = rg_topo_place(
        &e->topo, rg_team_has_openmp() || opts->threads > 0 ? opts->threads : 1, !opts->no_pin, &e->cpus);
    e->stop = opts->stop;
    e->small_pages = opts->small_pages;
    if ((st = rg_team_open(
             &e->team, e->threads, e->cpus, &e->k, rg_drive_scratch(&e->k), e->topo.l2_bytes, err)))
        goto out;
    if ((st = rg_model_load(&e->model, ckpt, opts, e->team, err))) goto out;
    if (opts->act == RG_ACT_Q8 && !any_quantised(&e->model)) {
        st = rg_fail(err, RG_E_UNSUPPORTED,
            "--act q8: it rounds activations in products with quantised weights, and this model has none in "
            "memory: add --dtype q4g64, or use --act bf16");
        goto out;
    }
    e->dtype = rg_resident_type(ckpt, opts, RG_SITE_ATTN_Q);
    e->head_dtype = rg_resident_type(ckpt, opts, RG_SITE_OUTPUT);
    e->params = rg_ckpt_params(ckpt);
    e->load_ns = rg_now_ns() - start;
    *out = e;
    e = NULL;
out:
    rg_engine_close(e);
    return st;
}

void rg_engine_close(rg_engine *e)
{
    if (!e) return;
    rg_model_unload(&e->model);
    rg_team_close(e->team);
    free(e);
}

void rg_engine_set_probe(rg_engine *e, const rg_probe *probe) { rg_team_set_probe(e->team, probe); }

void rg_engine_get_info(const rg_engine *e, rg_engine_info *info)
{
    const rg_model *m = &e->model;
    const rg_config *c = &m->cfg;
    uint64_t linear = 0;
    for (int s = 0; s < RG_SITE_COUNT; s++)
        if (rg_site_has_matrix(s))
            linear += (uint64_t)((rg_site_in_layer(s) ? c->layers : 1) * rg_site_matrices(c, s) *
                rg_extent_size(c, rg_site_rows(s)) * rg_extent_size(c, rg_site_cols(s)));
    *info = (rg_engine_info){.config = c,
        .isa = e->k.isa,
        .blas = e->k.blas ? rg_blas_describe() : NULL,
        .threads = e->threads,
        .cpus = e->cpus,
        .dtype = e->dtype,
        .head_dtype = e->head_dtype,
        .act = e->k.act,
        .resident_bytes = m->block_bytes,
        .stream_bytes = m->block_bytes - m->embd_bytes,
        .linear_weights = linear,
        .params = e->params,
        .bits_resident = 8.0 * (double)m->block_bytes / (double)e->params,
        .round_rel = m->w2 > 0.0 ? sqrt(m->err2 / m->w2) : 0.0,
        .load_ns = e->load_ns};
}
