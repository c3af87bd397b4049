#include "tools/measure/run_info.h"

#include <string.h>

#include "roofline/measure/stats.h"

/* A row of an untied embedding: floats where the file keeps it in a grid of codes, else as in the file. */
static int64_t embd_row(const rg_ckpt *ckpt)
{
    const rg_config *c = rg_ckpt_config(ckpt);
    const rg_ckpt_tensor *t = c->tied ? NULL : rg_ckpt_find(ckpt, RG_SITE_TOKEN_EMBD, -1);
    return t ? rg_ftype_row_bytes(t->grid ? RG_FT_F32 : t->type, c->dim) : 0;
}

rg_model_info rg_model_info_of(
    const rg_ckpt *ckpt, const rg_engine_info *i, const rg_session_opts *so, const rg_memory_plan *plan)
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
        .kv_bytes = plan->kv,
        .scratch_bytes = plan->scratch,
        .bits_file = 8.0 * (double)rg_ckpt_weight_bytes(ckpt) / (double)i->params,
        .bits_resident = i->bits_resident,
        .act = i->act,
        .kv_k = so->kv_k,
        .kv_v = so->kv_v,
        .ctx = plan->ctx,
        .embd_row = embd_row(ckpt),
        .round_rel = i->round_rel};
}

void rg_run_times(rg_run_info *run, rg_phase phase, const double *t, int n)
{
    const rg_stats s = rg_stats_of(t, n);
    run->spread[phase] = s.spread;
    run->low_ns[phase] = s.low;
    run->high_ns[phase] = s.high;
}

const char *rg_pinning_text(char *buf, size_t n, const rg_engine_info *i)
{
    const char *s = i->threads == 1 ? "" : "s";
    if (!i->cpus) {
        snprintf(buf, n, "%d thread%s, not pinned", i->threads, s);
        return buf;
    }
    snprintf(buf, n, "%d thread%s pinned to cpu%s", i->threads, s, s);
    for (int t = 0; t < i->threads && strlen(buf) + 8 < n; t++)
        snprintf(buf + strlen(buf), n - strlen(buf), "%s%d", t ? "," : " ", i->cpus[t]);
    return buf;
}
