/* Analytic results for programs. LLM-Viewer's cases have its own keys, per-layer values, and are not
 * rounded. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/cost_case.h"
#include "roofline/measure/json_value.h"

static void put(json_t *o, const char *key, double x) { json_object_set_new(o, key, rg_json_real(x)); }

static void lv_sums(json_t *o, const rg_cost_sum *s, double calls)
{
    put(o, "OPs", s->flop / calls);
    put(o, "memory_access", s->bytes / calls);
    put(o, "load_weight", s->w_rd / calls);
    put(o, "load_act", s->act_rd / calls);
    put(o, "store_act", s->act_wr / calls);
    put(o, "load_kv_cache", s->kv_rd / calls);
    put(o, "store_kv_cache", s->kv_wr / calls);
    put(o, "inference_time", s->time_s / calls);
}

static json_t *lv_case(const rg_cost_case *k)
{
    json_t *ops[RG_PHASE_COUNT] = {json_object(), json_object()}, *total = json_object();
    for (int i = 0; i < k->r.n; i++) {
        const rg_cost_point *p = &k->r.op[i];
        json_t *o = json_object();
        lv_sums(o, &p->sum, p->calls);
        put(o, "arithmetic_intensity", p->ai);
        put(o, "performance", p->attainable);
        json_object_set_new(o, "bound", rg_json_text(rg_limit_names[p->bound]));
        json_object_set_new(ops[p->phase], p->name, o);
    }
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        json_t *o = json_object();
        const rg_cost_memory *m = &k->r.memory[ph];
        lv_sums(o, &k->r.total[ph], 1.0);
        put(o, "memory_consumption", m->total);
        put(o, "memory_consumption_weight", m->weights);
        put(o, "memory_consumption_kv_cache", m->kv);
        put(o, "memory_consumption_tmp_act", m->scratch);
        json_object_set_new(total, ph == RG_PREFILL ? "prefill" : "decode", o);
    }
    if (k->task.gen > 0) {
        json_object_set_new(
            total, "generate", json_pack("{s:o}", "inference_time", rg_json_real(k->task.total_s)));
        json_object_set_new(
            total, "chat", json_pack("{s:o}", "inference_time", rg_json_real(k->task.chat_s)));
    }
    json_t *in = json_pack("{s:o, s:o, s:o, s:I, s:i, s:i, s:i, s:b, s:I, s:I}", "model_id",
        rg_json_text(k->config.name), "hardware", rg_json_text(k->hw->name), "seqlen",
        rg_json_real(k->lv.seqlen), "batchsize", (json_int_t)k->lv.batch, "w_bit", k->lv.w_bit, "a_bit",
        k->lv.a_bit, "kv_bit", k->lv.kv_bit, "use_flashattention", (int)k->lv.flash, "tp_size",
        (json_int_t)k->lv.tp, "gen_len", (json_int_t)k->task.gen);
    return json_pack("{s:o, s:o, s:o, s:o}", "input", in, "prefill", ops[RG_PREFILL], "decode",
        ops[RG_DECODE], "total", total);
}

static void exact_sums(json_t *o, const rg_cost_sum *s)
{
    put(o, "flop", s->flop);
    put(o, "weight_bytes", s->w_rd);
    put(o, "act_read_bytes", s->act_rd);
    put(o, "act_write_bytes", s->act_wr);
    put(o, "kv_read_bytes", s->kv_rd);
    put(o, "kv_write_bytes", s->kv_wr);
    put(o, "total_bytes", s->bytes);
    put(o, "t_ns", 1e9 * s->time_s);
    put(o, "ai", s->bytes > 0.0 ? s->flop / s->bytes : 0.0);
}

static json_t *exact_ops(const rg_cost_case *k)
{
    json_t *ops = json_array();
    for (int i = 0; i < k->r.n; i++) {
        const rg_cost_point *p = &k->r.op[i];
        json_t *o = json_pack("{s:s, s:s, s:s, s:f}", "phase", rg_phase_names[p->phase], "op",
            rg_op_name(rg_site_op(p->site)), "site", p->name, "calls", p->calls);
        exact_sums(o, &p->sum);
        put(o, "compute_ns", 1e9 * p->flop_s);
        put(o, "memory_ns", 1e9 * p->mem_s);
        put(o, "peak_gflops", 1e-9 * p->peak);
        put(o, "bandwidth_gbps", 1e-9 * p->bandwidth);
        put(o, "attainable_gflops", 1e-9 * p->attainable);
        json_object_set_new(o, "bound", rg_json_text(rg_limit_names[p->bound]));
        json_array_append_new(ops, o);
    }
    return ops;
}

static json_t *exact_case(const rg_cost_case *k)
{
    const rg_exact_input *e = &k->exact;
    const rg_config *c = &k->config;
    json_t *total = json_object();
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        json_t *o = json_object();
        exact_sums(o, &k->r.total[ph]);
        put(o, "tokens", k->r.tokens[ph]);
        put(o, "tokens_per_s", k->r.tokens[ph] / k->r.total[ph].time_s);
        put(o, "allreduce_bytes", k->r.allreduce_bytes[ph]);
        put(o, "allreduce_ns", 1e9 * k->r.allreduce_s[ph]);
        json_object_set_new(total, rg_phase_names[ph], o);
    }
    const rg_cost_memory *m = &k->r.memory[RG_PREFILL];
    json_t *memory = json_object(), *task = k->task.gen > 0 ? json_object() : json_null();
    put(memory, "weight_bytes", m->weights);
    put(memory, "kv_bytes", m->kv);
    put(memory, "scratch_bytes", m->scratch);
    put(memory, "logits_bytes", m->logits);
    put(memory, "total_bytes", m->total);
    put(memory, "available_bytes", k->hw->memory > 0.0 ? k->hw->memory : NAN);
    if (k->task.gen > 0) {
        put(task, "gen", (double)k->task.gen);
        put(task, "first_token_ns", 1e9 * k->task.prefill_s);
        put(task, "generate_ns", 1e9 * k->task.gen_s);
        put(task, "total_ns", 1e9 * k->task.total_s);
        put(task, "tokens_per_s", k->task.tokens_per_s);
    }
    char fuse[64];
    json_t *in = json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:s}", "model",
        rg_json_text(c->name), "hardware", rg_json_text(k->hw->name), "dtype", rg_wtypes[e->dtype].name,
        "head_dtype", rg_wtypes[e->head].name, "act", rg_exact_acts[e->act], "kv_k", rg_kvtypes[e->kv_k].name,
        "kv_v", rg_kvtypes[e->kv_v].name, "batch", (json_int_t)e->batch, "seqlen", (json_int_t)e->seqlen,
        "ubatch", (json_int_t)e->ubatch, "tp", (json_int_t)e->tp, "flash", (int)e->flash, "fuse",
        rg_fuse_text(fuse, sizeof fuse, rg_exact_fusions(c, e)));
    json_t *dims = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "hidden", (json_int_t)c->dim, "ffn",
        (json_int_t)c->ffn, "layers", (json_int_t)c->layers, "heads", (json_int_t)c->heads, "kv_heads",
        (json_int_t)c->kv_heads, "head_dim", (json_int_t)c->head_dim, "vocab", (json_int_t)c->vocab, "tied",
        (int)c->tied);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "input", in, "dims", dims, "hardware_source",
        rg_json_text(k->hw->source), "ops", exact_ops(k), "total", total, "memory", memory, "task", task);
}

/* The machines asked about, each once, with the roofs that the operators are held against. */
static json_t *hardware_of(const rg_cost_case *k, size_t n)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        const rg_hardware *h = k[i].hw;
        bool known = false;
        for (size_t j = 0; j < i && !known; j++) known = k[j].hw == h;
        if (known) continue;
        json_t *peaks = json_array(), *levels = json_array();
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
        for (int l = 0; l < h->n_levels; l++) {
            json_t *level = json_object();
            put(level, "bytes", (double)h->level[l].bytes);
            put(level, "gbps", h->level[l].gbps > 0.0 ? h->level[l].gbps : NAN);
            json_array_append_new(levels, level);
        }
        json_array_append_new(all,
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", rg_json_text(h->name), "source",
                rg_json_text(h->source), "bandwidth_gbps",
                rg_json_real(h->bandwidth > 0.0 ? 1e-9 * h->bandwidth : NAN), "peaks_gflops", peaks, "levels",
                levels));
    }
    return all;
}

json_t *rg_cost_to_json(const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err)
{
    json_t *cases = json_array(), *said = json_array();
    rg_lines verdict = {0};
    for (size_t i = 0; i < n; i++) {
        json_t *o = k[i].cost == RG_COST_EXACT ? exact_case(&k[i]) : lv_case(&k[i]);
        if (o && p->label) json_object_set_new(o, "label", rg_json_text(p->label[i]));
        json_array_append_new(cases, o);
    }
    rg_cost_verdict(&verdict, k, n, p);
    for (int i = 0; i < verdict.n; i++) json_array_append_new(said, rg_json_text(verdict.s[i]));
    json_t *root = json_pack("{s:s, s:i, s:s, s:o, s:s, s:o, s:o, s:o}", "schema", "ridge.roofline",
        "version", 1, "cost", rg_cost_models[k[0].cost], "command", rg_json_text(p->command), "stage",
        rg_cost_stages[p->stage], "hardware", hardware_of(k, n), "cases", cases, "verdict", said);
    if (root && p->study)
        json_object_set_new(root, "study",
            json_pack("{s:o, s:o}", "name", rg_json_text(p->study), "answer", rg_json_text(p->answer)));
    if (!root || json_array_size(cases) != n || verdict.failed) {
        json_decref(root);
        root = NULL;
        rg_fail(err, RG_E_NOMEM, "roofline: out of memory");
    }
    rg_lines_free(&verdict);
    return root;
}

rg_status rg_cost_json(FILE *f, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err)
{
    json_t *root = rg_cost_to_json(k, n, p, err);
    rg_status st = root ? RG_OK : RG_E_NOMEM;
    if (root && (json_dumpf(root, f, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) != 0 || fputc('\n', f) == EOF))
        st = rg_fail(err, RG_E_FILE, "roofline: cannot write: %s", strerror(errno));
    json_decref(root);
    return st;
}
