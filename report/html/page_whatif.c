/* What the what-if of a page needs: the module, the names and places of its numbers, machines to choose from,
 * and each run as a starting point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "report/html/page_impl.h"
#include "report/html/sha256.h"
#include "report/html/whatif.h"
#include "roofline/model/exact.h"

static void push(json_t *list, int at, double x)
{
    if (x > 0.0 && isfinite(x)) json_array_append_new(list, json_pack("[i,f]", at, x));
}

/* The numbers of a machine as pairs of place and value; everything else of a machine is 0. */
static json_t *hardware_pairs(const rg_hardware *h)
{
    json_t *v = json_array();
    push(v, RG_WI_bandwidth, h->bandwidth);
    push(v, RG_WI_link, h->link);
    push(v, RG_WI_accelerator, h->accelerator);
    push(v, RG_WI_onchip, h->onchip);
    for (int a = 0; a < RG_ARITH_COUNT; a++) push(v, RG_WI_PEAK + a, h->peak[a]);
    for (int i = 0; i < h->n_levels; i++) {
        push(v, RG_WI_LEVEL + 2 * i, (double)h->level[i].bytes);
        push(v, RG_WI_LEVEL + 2 * i + 1, h->level[i].gbps);
    }
    return v;
}

static json_t *hardware_list(void)
{
    json_t *all = json_array();
    rg_hardware h;
    for (int i = 0; rg_hw_names[i]; i++)
        if (!rg_hw_find(&h, rg_hw_names[i], NULL))
            json_array_append_new(all,
                json_pack("{s:s, s:s, s:o}", "name", h.name, "source", h.source, "v", hardware_pairs(&h)));
    return all;
}

/* The measured roofs of a run. */
static json_t *measured_pairs(const rg_run *r)
{
    json_t *v = json_array();
    rg_machine m;
    rg_run_machine(&m, r);
    for (int i = 0; i < RG_PEAK_COUNT; i++)
        if (m.peak[i].value > 0.0) push(v, RG_WI_ROW + i, m.peak[i].value);
    for (int k = 0; k < m.n_bw; k++) {
        push(v, RG_WI_LADDER + 4 * k, (double)m.bw[k].footprint_bytes);
        for (int kind = RG_BW_READ; kind <= RG_BW_COPY; kind++) {
            const double x = rg_bw_get(&m.bw[k], (rg_bw_kind)kind)->value;
            if (x > 0.0) push(v, RG_WI_LADDER + 4 * k + 1 + kind, x);
        }
    }
    if (m.n_bw > 0) push(v, RG_WI_measured, 1.0);
    for (int i = 0; i < RG_ISA_COUNT; i++)
        if (strcmp(rg_isa_names[i], r->d->machine.isa) == 0) push(v, RG_WI_BEST, (double)i);
    return v;
}

static const char *wtype_name(int i) { return rg_wtypes[i].name; }
static const char *kvtype_name(int i) { return rg_kvtypes[i].name; }
static const char *act_name(int i) { return rg_exact_acts[i]; }
static const char *routing_name(int i) { return rg_routings[i]; }

static int type_of(const char *word, const char *(*name)(int), int n)
{
    for (int i = 0; word && i < n; i++)
        if (strcmp(word, name(i)) == 0) return i;
    return -1;
}

/* The type of a site's matrix in any phase; -1: it has none, or this version does not know it. */
static int type_of_site(const rg_run *r, rg_site site)
{
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_doc_op *w = rg_run_op(r, (rg_phase)ph, rg_site_name(site));
        if (w) return type_of(w->weight_type, wtype_name, RG_WT_COUNT);
    }
    return -1;
}

/* The run's own configuration, or null where this version does not know a type of it. */
static json_t *base_of(const rg_run *r)
{
    const rg_doc_model *m = &r->d->model;
    const rg_config c = rg_run_config(r);
    const int dtype = type_of(m->dtype, wtype_name, RG_WT_COUNT),
              head = type_of(m->head_dtype, wtype_name, RG_WT_COUNT),
              kv = type_of(m->kv_dtype, kvtype_name, RG_KV_COUNT),
              act = type_of(m->act, act_name, RG_EXACT_ACTS);
    if (dtype < 0 || head < 0 || kv < 0 || act < 0) return json_null();
    const rg_doc_experts *e = rg_run_experts(r, RG_DECODE);
    const int router = type_of_site(r, RG_SITE_FFN_GATE_INP), expert = type_of_site(r, RG_SITE_FFN_GATE_EXPS);
    unsigned fuse = 0;
    if (!r->d->run.fuse || !rg_fuse_parse(&fuse, r->d->run.fuse)) fuse = 0;
    const struct {
        int at;
        int64_t n;
    } sizes[] = {{RG_WI_dim, c.dim}, {RG_WI_ffn, c.ffn}, {RG_WI_experts, c.experts},
        {RG_WI_experts_used, c.experts_used}, {RG_WI_expert_ffn, c.expert_ffn},
        {RG_WI_shared_ffn, c.shared_ffn}, {RG_WI_router, rg_max(0, router)},
        {RG_WI_expert, expert >= 0 && expert != dtype ? expert + 1 : 0},
        {RG_WI_routing, e ? RG_ROUTING_COUNTED : RG_ROUTING_UNIFORM}, {RG_WI_layers, c.layers},
        {RG_WI_heads, c.heads}, {RG_WI_kv_heads, c.kv_heads}, {RG_WI_head_dim, c.head_dim},
        {RG_WI_vocab, c.vocab}, {RG_WI_tied, c.tied}, {RG_WI_extra_low, (uint32_t)c.extra},
        {RG_WI_extra_high, (uint32_t)(c.extra >> 32)}, {RG_WI_no_pre_norm, c.no_pre_norm},
        {RG_WI_whole_norm, c.whole_qk_norm}, {RG_WI_capped, c.attn_cap > 0.0}, {RG_WI_rotated, c.rope_dim},
        {RG_WI_unrotated, c.layers - rg_exact_layers(&c, RG_SITE_ATTN_ROPE, false)}, {RG_WI_window, c.window},
        {RG_WI_all_seen, c.layers - rg_layers_with_window(&c)}, {RG_WI_dtype, dtype}, {RG_WI_head, head},
        {RG_WI_kv, kv}, {RG_WI_act, act}, {RG_WI_tp, 1}, {RG_WI_flash, r->d->run.flash},
        {RG_WI_fuse, (fuse & rg_fuse_with_sites()) >> 1}};
    const struct {
        int at;
        double x;
    } values[] = {{RG_WI_counted, e ? e->read : 0.0},
        {RG_WI_ctx_train, c.ctx_train > 0 ? (double)c.ctx_train : m->ctx},
        /* reports of older versions: 16-bit rows */
        {RG_WI_embd_row, m->embd_row_bytes > 0.0 ? m->embd_row_bytes : 2.0 * (double)c.dim},
        {RG_WI_batch, fmax(r->phase[RG_DECODE].batch, 1.0)}, {RG_WI_seqlen, r->d->run.prompt_tokens},
        {RG_WI_ubatch, r->d->run.ubatch}};
    json_t *v = json_array();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) push(v, sizes[i].at, (double)sizes[i].n);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) push(v, values[i].at, values[i].x);
    return v;
}

_Static_assert(RG_FUSE_ATTN == 0, "bit 0 of a mask is attention, which has an input of its own");

_Static_assert(RG_FUSE_NORM == RG_FUSE_COUNT - 1, "the last bit costs nothing in the model");

/* Every combination of fusions that the model knows; the place in the list is its mask. */
static json_t *combinations(void)
{
    json_t *a = json_array();
    char buf[64];
    for (unsigned i = 0; i < 1u << (RG_FUSE_COUNT - 2); i++)
        json_array_append_new(a, json_string(rg_fuse_text(buf, sizeof buf, i << 1)));
    return a;
}

static json_t *names(const char *(*name)(int), int n)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(a, json_string(name(i)));
    return a;
}
static const char *site_name(int i) { return rg_site_name((rg_site)i); }
static const char *arith_name(int i) { return rg_arith_names[i]; }

bool rg_page_has_whatif(void) { return rg_asset_wasm.n > 8; }

json_t *rg_page_whatif(const rg_reports *s)
{
    if (!rg_page_has_whatif()) return json_null();
    json_t *in = json_object(), *out = json_object(), *base = json_array(), *own = json_array();
    char *code = malloc(rg_base64_size(rg_asset_wasm.n));
    if (!code) return NULL;
    rg_base64(code, rg_asset_wasm.p, rg_asset_wasm.n);
#define RG_WI_IN(name) json_object_set_new(in, #name, json_integer(RG_WI_##name));
#include "report/html/whatif.def"
#define RG_WI_OUT(name) json_object_set_new(out, #name, json_integer(RG_WO_##name));
#include "report/html/whatif.def"
    for (size_t i = 0; i < s->n; i++) {
        json_array_append_new(base, base_of(&s->run[i]));
        json_array_append_new(own, measured_pairs(&s->run[i]));
    }
    json_t *o = json_pack(
        "{s:s, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "wasm", code, "in", in, "out", out, "n_in", RG_WI_IN_COUNT, "n_out", RG_WO_MAX, "peak", RG_WI_PEAK,
        "phase", RG_WO_PHASE, "points", RG_WO_POINTS, "fields", RG_WO_FIELDS, "dtypes",
        names(wtype_name, RG_WT_COUNT), "kvtypes", names(kvtype_name, RG_KV_COUNT), "acts",
        names(act_name, RG_EXACT_ACTS), "routings", names(routing_name, RG_ROUTINGS), "fuses", combinations(),
        "sites", names(site_name, RG_SITE_COUNT), "classes", names(arith_name, RG_ARITH_COUNT), "hardware",
        hardware_list(), "base", base, "own", own);
    free(code);
    return o;
}
