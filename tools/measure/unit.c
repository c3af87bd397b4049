/* Loads what is measured, and tells reports about model and run. */
#include "tools/measure/measure.h"

#include <string.h>

#include "base/num.h"
#include "ridge/topo.h"

rg_status rg_unit_roofs(rg_unit *u, const rg_unit *earlier, int n, rg_progress *p, rg_err *err)
{
    rg_topo topo;
    rg_engine_opts eo;
    rg_status st = rg_engine_args(&eo, u->cli, u->cli->dtype, p, err);
    if (st) return st;
    rg_topo_read(&topo);
    const int *cpus, threads = rg_topo_place(&topo, eo.threads, !eo.no_pin, &cpus);
    const rg_machine *m = NULL;
    for (int i = 0; i < n && !m; i++)
        if (earlier[i].machine.threads == threads) m = &earlier[i].machine;
    st = rg_machine_share(
        &u->machine, m, u->cli->machine, threads, cpus, u->weights, rg_progress_draw, p, &rg_stop, err);
    rg_progress_clear(p);
    if (st || rg_machine_of_file(&u->machine)) return st;
    /* a noisy machine settles */
    if (u->machine.noisy && (st = rg_machine_measure_peaks(&u->machine, cpus, &rg_stop, err))) return st;
    if ((st = rg_roof_watch_open(&u->watch, threads, cpus, (int64_t)u->weights, err))) return st;
    rg_roof_watch_sample(u->watch, &u->now);
    rg_machine_merge(&u->machine, u->watch, &u->now);
    rg_unit_keep_roofs(u);
    if (!u->watched) rg_unit_unwatch(u);
    return RG_OK;
}

void rg_unit_keep_roofs(rg_unit *u)
{
    char path[1024];
    rg_machine_cache_path(path, sizeof path, u->machine.threads);
    if (path[0]) rg_machine_keep(&u->machine, path, NULL); /* what cannot be kept is found again */
}

void rg_unit_unwatch(rg_unit *u)
{
    rg_roof_watch_close(u->watch);
    u->watch = NULL;
}

void rg_unit_found(rg_unit *u, const rg_takes *t)
{
    u->now = t->now;
    for (int i = 0; i < t->n && u->watch; i++) rg_machine_merge(&u->machine, u->watch, &t->take[i].after);
    if (u->watch) rg_unit_keep_roofs(u);
}

static rg_model_info model_of(const rg_ckpt *ckpt, const rg_engine_info *i)
{
    return (rg_model_info){.config = *i->config,
        .path = rg_ckpt_path(ckpt),
        .format = rg_ckpt_format(ckpt),
        .dtype = rg_wtypes[i->dtype].name,
        .head_dtype = rg_wtypes[i->head_dtype].name,
        .params = i->params,
        .file_bytes = rg_ckpt_file_bytes(ckpt),
        .resident_bytes = i->resident_bytes,
        .stream_bytes = i->stream_bytes,
        .bits_file = 8.0 * (double)rg_ckpt_weight_bytes(ckpt) / (double)i->params,
        .bits_resident = i->bits_resident,
        .act = i->act,
        .embd_row = rg_ckpt_embd_row(ckpt),
        .round_rel = i->round_rel};
}

static void pinning_text(char *buf, size_t n, const rg_engine_info *i)
{
    const char *s = i->threads == 1 ? "" : "s";
    snprintf(buf, n, i->cpus ? "%d thread%s pinned to cpu%s" : "%d thread%s, not pinned", i->threads, s, s);
    for (int t = 0; i->cpus && t < i->threads && strlen(buf) + 8 < n; t++)
        snprintf(buf + strlen(buf), n - strlen(buf), "%s%d", t ? "," : " ", i->cpus[t]);
}

rg_status rg_unit_load(rg_unit *u, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err)
{
    const rg_status st = rg_open_engine(&u->e, u->ckpt, eo, so, err);
    if (st) return st;
    rg_engine_get_info(u->e, &u->info);
    pinning_text(u->pinning, sizeof u->pinning, &u->info);
    u->model = model_of(u->ckpt, &u->info);
    if (u->info.cpus) { /* the engine may be gone when the report is written */
        memcpy(u->cpu, u->info.cpus, (size_t)rg_min(u->info.threads, RG_MAX_CPUS) * sizeof *u->cpu);
        u->info.cpus = u->cpu;
    }
    return RG_OK;
}

void rg_unit_unload(rg_unit *u)
{
    rg_engine_close(u->e);
    u->e = NULL;
}

rg_status rg_unit_report(rg_report **out, const rg_unit *u, const rg_session_opts *so, rg_run_info run,
    const rg_log *log, rg_err *err)
{
    rg_memory_plan plan;
    rg_machine machine = u->machine;
    rg_model_info m = u->model;
    const rg_engine_info *i = &u->info;
    rg_plan_memory(&plan, rg_ckpt_config(u->ckpt), 0, true, i->threads, so);
    m.kv_bytes = plan.kv;
    m.scratch_bytes = plan.scratch;
    m.ctx = plan.ctx;
    m.kv_k = so->kv_k;
    m.kv_v = so->kv_v;
    run.command = u->cli->line;
    run.threads = i->threads;
    run.cpus = i->cpus;
    run.pinning = u->pinning;
    run.isa = i->isa;
    run.blas = i->blas ? i->blas : "off";
    run.flash = !so->unfused;
    run.fuse = so->fuse;
    run.ubatch = so->ubatch ? so->ubatch : 512;
    run.load_ns = i->load_ns;
    if (!(run.canary.l2_gbps > 0.0)) run.canary = u->now;
    if (u->watch) rg_machine_during(&machine, u->watch, &u->now);
    return rg_report_build(out, &machine, &m, &run, log, err);
}
