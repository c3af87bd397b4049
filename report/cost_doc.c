/* The document of analytic answers; LLM-Viewer's are per layer and not rounded. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/cost_case.h"

/* ---- LLM-Viewer ---- */

/* The figures that operators and totals share. */
#define LV_SUMS(s, calls) \
    .OPs = (s)->flop / (calls), .memory_access = (s)->bytes / (calls), .load_weight = (s)->w_rd / (calls), \
    .load_act = (s)->act_rd / (calls), .store_act = (s)->act_wr / (calls), \
    .load_kv_cache = (s)->kv_rd / (calls), .store_kv_cache = (s)->kv_wr / (calls), \
    .inference_time = (s)->time_s / (calls)

static rg_doc_lv_total lv_total(const rg_cost_case *k, int ph)
{
    const rg_cost_memory *m = &k->r.memory[ph];
    return (rg_doc_lv_total){LV_SUMS(&k->r.total[ph], 1.0), .memory_consumption = m->total,
        .memory_consumption_weight = m->weights, .memory_consumption_kv_cache = m->kv,
        .memory_consumption_tmp_act = m->scratch};
}

static rg_doc_lv_time *lv_time(double seconds)
{
    rg_doc_lv_time *d = malloc(sizeof *d);
    if (d) d->inference_time = seconds;
    return d;
}

static rg_doc_lv_case lv_case(const rg_cost_case *k, const char *label, int digits)
{
    rg_doc_lv_case d = {.input = {.model_id = k->config.name,
                            .hardware = k->hw->name,
                            .seqlen = k->lv.seqlen,
                            .batchsize = (double)k->lv.batch,
                            .w_bit = k->lv.w_bit,
                            .a_bit = k->lv.a_bit,
                            .kv_bit = k->lv.kv_bit,
                            .use_flashattention = k->lv.flash,
                            .tp_size = (double)k->lv.tp,
                            .gen_len = (double)k->task.gen},
        .prefill = json_object(),
        .decode = json_object(),
        .total = {.prefill = lv_total(k, RG_PREFILL), .decode = lv_total(k, RG_DECODE)},
        .label = label};
    for (int i = 0; i < k->r.n; i++) {
        const rg_cost_point *p = &k->r.op[i];
        const rg_doc_lv_op op = {LV_SUMS(&p->sum, p->calls), .arithmetic_intensity = p->ai,
            .performance = p->attainable, .bound = rg_limit_names[p->bound]};
        json_object_set_new(p->phase == RG_PREFILL ? d.prefill : d.decode, p->name,
            rg_object_write(RG_OBJ_lv_op, &op, digits));
    }
    if (k->task.gen > 0) {
        d.total.generate = lv_time(k->task.total_s);
        d.total.chat = lv_time(k->task.chat_s);
    }
    return d;
}

/* ---- exact ---- */

#define EXACT_SUMS(s) \
    .flop = (s)->flop, .weight_bytes = (s)->w_rd, .act_read_bytes = (s)->act_rd, \
    .act_write_bytes = (s)->act_wr, .kv_read_bytes = (s)->kv_rd, .kv_write_bytes = (s)->kv_wr, \
    .total_bytes = (s)->bytes, .ideal_ns = 1e9 * (s)->time_s, \
    .ai = (s)->bytes > 0.0 ? (s)->flop / (s)->bytes : 0.0

static rg_doc_case_total exact_total(const rg_cost_case *k, int ph)
{
    return (rg_doc_case_total){EXACT_SUMS(&k->r.total[ph]), .tokens = k->r.tokens[ph],
        .tokens_per_s = k->r.tokens[ph] / k->r.total[ph].time_s, .allreduce_bytes = k->r.allreduce_bytes[ph],
        .allreduce_ns = 1e9 * k->r.allreduce_s[ph]};
}

static rg_doc_case_experts experts_of(const rg_cost_experts *e)
{
    return (rg_doc_case_experts){.read = e->read,
        .expected = e->expected,
        .bound = e->bound,
        .tokens_each = e->rows,
        .weight_bytes = e->bytes};
}

/* NULL of a dense model. */
static rg_doc_case_mixture *mixture_of(const rg_cost_case *k)
{
    const rg_config *c = &k->config;
    rg_doc_case_mixture *d = c->experts > 0 ? malloc(sizeof *d) : NULL;
    if (!d) return NULL;
    *d = (rg_doc_case_mixture){.experts = (double)c->experts,
        .experts_used = (double)c->experts_used,
        .expert_ffn = (double)c->expert_ffn,
        .shared_ffn = (double)c->shared_ffn,
        .routing = rg_routings[k->exact.routing],
        .params = rg_exact_params(c),
        .active_params = rg_exact_active(c),
        .prefill = experts_of(&k->r.experts[RG_PREFILL]),
        .decode = experts_of(&k->r.experts[RG_DECODE]),
        .batch_gain = k->dense.mixture_gain,
        .dense_batch_gain = k->dense.gain,
        .dense_tokens_per_s = k->dense.tokens_per_s,
        .dense_weight_bytes = k->dense.bytes};
    return d;
}

static rg_doc_case exact_case(const rg_cost_case *k, const char *label, rg_lines *pool)
{
    const rg_exact_input *e = &k->exact;
    const rg_config *c = &k->config;
    const rg_cost_memory *m = &k->r.memory[RG_PREFILL];
    char fuse[64];
    rg_doc_case d = {.input = {.model = c->name,
                         .hardware = k->hw->name,
                         .dtype = rg_wtypes[e->dtype].name,
                         .head_dtype = rg_wtypes[e->head].name,
                         .act = rg_exact_acts[e->act],
                         .kv_k = rg_kvtypes[e->kv_k].name,
                         .kv_v = rg_kvtypes[e->kv_v].name,
                         .batch = (double)e->batch,
                         .seqlen = (double)e->seqlen,
                         .ubatch = (double)e->ubatch,
                         .tp = (double)e->tp,
                         .flash = e->flash,
                         .fuse = rg_doc_keep(pool, rg_fuse_text(fuse, sizeof fuse, rg_exact_fusions(c, e)))},
        .dims = {.hidden = (double)c->dim,
            .ffn = (double)c->ffn,
            .layers = (double)c->layers,
            .heads = (double)c->heads,
            .kv_heads = (double)c->kv_heads,
            .head_dim = (double)c->head_dim,
            .vocab = (double)c->vocab,
            .tied = c->tied,
            .window = rg_layers_with_window(c) ? (double)c->window : NAN,
            .window_layers = rg_layers_with_window(c) ? (double)rg_layers_with_window(c) : NAN},
        .hardware_source = k->hw->source,
        .ops = calloc(k->r.n + 1, sizeof *d.ops),
        .total = {.prefill = exact_total(k, RG_PREFILL), .decode = exact_total(k, RG_DECODE)},
        .memory = {.weight_bytes = m->weights,
            .kv_bytes = m->kv,
            .scratch_bytes = m->scratch,
            .logits_bytes = m->logits,
            .total_bytes = m->total,
            .available_bytes = k->hw->memory > 0.0 ? k->hw->memory : NAN},
        .mixture = mixture_of(k),
        .task = k->task.gen > 0 ? malloc(sizeof *d.task) : NULL,
        .label = label};
    for (int i = 0; i < k->r.n && d.ops; i++) {
        const rg_cost_point *p = &k->r.op[i];
        d.ops[d.n_ops++] = (rg_doc_case_op){.phase = p->phase,
            .op = rg_op_name(rg_site_op(p->site)),
            .site = p->name,
            .calls = p->calls,
            EXACT_SUMS(&p->sum),
            .compute_ns = 1e9 * p->flop_s,
            .memory_ns = 1e9 * p->mem_s,
            .peak_gflops = 1e-9 * p->peak,
            .bandwidth_gbps = 1e-9 * p->bandwidth,
            .attainable_gflops = 1e-9 * p->attainable,
            .bound = rg_limit_names[p->bound]};
    }
    if (d.task)
        *d.task = (rg_doc_case_task){.gen = (double)k->task.gen,
            .first_token_ns = 1e9 * k->task.prefill_s,
            .generate_ns = 1e9 * k->task.gen_s,
            .total_ns = 1e9 * k->task.total_s,
            .tokens_per_s = k->task.tokens_per_s};
    return d;
}

/* ---- machines ---- */

/* The peaks that the operators of its cases are held against, each once. */
static json_t *peaks_of(const rg_hardware *h, const rg_cost_case *k, size_t n)
{
    json_t *peaks = json_array();
    double seen[16];
    int n_seen = 0;
    for (size_t c = 0; c < n; c++)
        for (int o = 0; k[c].hw == h && o < k[c].r.n; o++) {
            const double peak = k[c].r.op[o].peak;
            bool had = !(peak > 0.0) || n_seen == 16;
            for (int j = 0; j < n_seen && !had; j++) had = fabs(seen[j] - peak) <= 1e-9 * peak;
            if (had) continue;
            seen[n_seen++] = peak;
            json_array_append_new(peaks, json_real(1e-9 * peak));
        }
    return peaks;
}

/* The machines asked about, each once. */
static rg_doc_hardware *hardware_of(const rg_cost_case *k, size_t n, size_t *count)
{
    rg_doc_hardware *all = calloc(n, sizeof *all);
    for (size_t i = 0; i < n && all; i++) {
        const rg_hardware *h = k[i].hw;
        bool known = false;
        for (size_t j = 0; j < i && !known; j++) known = k[j].hw == h;
        if (known) continue;
        rg_doc_hardware *d = &all[(*count)++];
        *d = (rg_doc_hardware){.name = h->name,
            .source = h->source,
            .bandwidth_gbps = h->bandwidth > 0.0 ? 1e-9 * h->bandwidth : NAN,
            .peaks_gflops = peaks_of(h, k, n),
            .levels = calloc(h->n_levels + 1, sizeof *d->levels)};
        for (int l = 0; l < h->n_levels && d->levels; l++)
            d->levels[d->n_levels++] = (rg_doc_level){
                .bytes = (double)h->level[l].bytes, .gbps = h->level[l].gbps > 0.0 ? h->level[l].gbps : NAN};
    }
    return all;
}

rg_status rg_cost_doc(rg_doc *d, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err)
{
    const bool exact = k[0].cost == RG_COST_EXACT;
    const rg_doc_kind kind = exact ? RG_DOC_roofline : RG_DOC_llm_viewer;
    rg_lines verdict = {0}, pool = {0};
    rg_cost_verdict(&verdict, k, n, p);
    /* both faces begin alike; LLM-Viewer's differs in its cases alone */
    rg_doc_roofline face = {.cost = rg_cost_models[k[0].cost],
        .command = p->command,
        .stage = rg_cost_stages[p->stage],
        .verdict = rg_doc_lines(&verdict),
        .study = p->study ? malloc(sizeof *face.study) : NULL};
    rg_doc_llm_viewer lv = {.cost = face.cost, .command = face.command, .stage = face.stage};
    face.hardware = hardware_of(k, n, &face.n_hardware);
    if (face.study) *face.study = (rg_doc_study){.name = p->study, .answer = p->answer};
    if (exact)
        face.cases = calloc(n, sizeof *face.cases);
    else
        lv.cases = calloc(n, sizeof *lv.cases);
    const bool ok = face.hardware && (face.cases || lv.cases) && !verdict.failed;
    for (size_t i = 0; i < n && ok; i++) {
        const char *label = p->label ? p->label[i] : NULL;
        if (exact)
            face.cases[face.n_cases++] = exact_case(&k[i], label, &pool);
        else
            lv.cases[lv.n_cases++] = lv_case(&k[i], label, rg_documents[kind].digits);
    }
    lv.hardware = face.hardware, lv.n_hardware = face.n_hardware, lv.verdict = face.verdict,
    lv.study = face.study;
    *d = (rg_doc){.kind = RG_DOC_KINDS};
    const rg_status st = ok && !pool.failed ? rg_doc_make(d, kind, exact ? (const void *)&face : &lv, err)
                                            : rg_no_memory(err, "roofline");
    if (exact)
        rg_object_free(RG_OBJ_roofline, &face);
    else
        rg_object_free(RG_OBJ_llm_viewer, &lv);
    rg_lines_free(&verdict);
    rg_lines_free(&pool);
    return st;
}
