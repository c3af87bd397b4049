/* The what-if of a page: both cost models behind one function of numbers, for WebAssembly and for the tests.
 * */
#include "report/html/whatif.h"

#include <math.h>

#include "roofline/model/exact.h"
#include "roofline/model/llm_viewer.h"

static double in[RG_WI_IN_COUNT], out[RG_WO_MAX];
static rg_machine machine;
static rg_cost_result result;

double *rg_whatif_in(void) { return in; }
double *rg_whatif_out(void) { return out; }

static int64_t count(int i) { return in[i] > 0.0 && in[i] < 9e15 ? (int64_t)in[i] : 0; }
static double known(double x) { return isfinite(x) ? x : -1.0; }

static void get_hardware(rg_hardware *h)
{
    *h = (rg_hardware){.bandwidth = in[RG_WI_bandwidth],
        .link = in[RG_WI_link],
        .onchip = in[RG_WI_onchip],
        .accelerator = in[RG_WI_accelerator] > 0.0};
    for (int a = 0; a < RG_ARITH_COUNT; a++) h->peak[a] = in[RG_WI_PEAK + a];
    for (int i = 0; i < RG_HW_LEVELS && in[RG_WI_LEVEL + 2 * i] > 0.0; i++)
        h->level[h->n_levels++] = (rg_hw_level){count(RG_WI_LEVEL + 2 * i), in[RG_WI_LEVEL + 2 * i + 1]};
    if (!(in[RG_WI_measured] > 0.0)) return;
    machine.n_bw = 0;
    machine.isa_best = (rg_isa)(count(RG_WI_BEST) < RG_ISA_COUNT ? count(RG_WI_BEST) : 0);
    for (int i = 0; i < RG_MAX_BW && in[RG_WI_LADDER + 4 * i] > 0.0; i++) {
        const double *p = &in[RG_WI_LADDER + 4 * i];
        machine.bw[machine.n_bw++] = (rg_bw_point){.footprint_bytes = (int64_t)p[0],
            .read_gbps = {p[1], 0.0},
            .write_gbps = {p[2], 0.0},
            .copy_gbps = {p[3], 0.0}};
    }
    for (int i = 0; i < RG_PEAK_COUNT; i++) machine.peak[i].value = in[RG_WI_ROW + i];
    h->machine = &machine;
    for (int a = 0; a < RG_ARITH_COUNT; a++)
        h->peak[a] = 1e9 * rg_machine_peak_of(&machine, (rg_arith)a, machine.isa_best);
    /* for LLM-Viewer, which knows one */
    if (machine.n_bw > 0) h->bandwidth = 1e9 * machine.bw[machine.n_bw - 1].read_gbps.value;
}

static rg_status llm_viewer(const rg_config *c, const rg_hardware *h, const rg_exact_input *x)
{
    const char *peak;
    const rg_lv_hardware hw = rg_hw_llm_viewer(h, &peak);
    const rg_lv_input v = {.seqlen = (double)x->seqlen,
        .batch = x->batch,
        .tp = x->tp,
        .w_bit = (int)fmin(in[RG_WI_w_bit], 64.0),
        .a_bit = (int)fmin(in[RG_WI_a_bit], 64.0),
        .kv_bit = (int)fmin(in[RG_WI_kv_bit], 64.0),
        .flash = x->flash};
    return rg_llm_viewer(&result, c, &hw, &v, NULL);
}

static void put_phase(rg_phase ph)
{
    double *o = &out[ph * RG_WO_PHASE];
    const rg_cost_sum *t = &result.total[ph];
    o[RG_WO_time_s] = known(t->time_s);
    o[RG_WO_tokens] = result.tokens[ph];
    o[RG_WO_flop] = t->flop;
    o[RG_WO_bytes] = known(t->bytes);
    o[RG_WO_w_rd] = t->w_rd;
    o[RG_WO_act_rd] = t->act_rd;
    o[RG_WO_act_wr] = t->act_wr;
    o[RG_WO_kv_rd] = known(t->kv_rd);
    o[RG_WO_kv_wr] = t->kv_wr;
    o[RG_WO_mem_weights] = result.memory[ph].weights;
    o[RG_WO_mem_kv] = result.memory[ph].kv;
    o[RG_WO_experts_read] = result.experts[ph].read;
}

int rg_whatif(void)
{
    rg_config c = {.dim = count(RG_WI_dim),
        .ffn = count(RG_WI_ffn),
        .experts = count(RG_WI_experts),
        .experts_used = count(RG_WI_experts_used),
        .expert_ffn = count(RG_WI_expert_ffn),
        .shared_ffn = count(RG_WI_shared_ffn),
        .layers = count(RG_WI_layers),
        .heads = count(RG_WI_heads),
        .kv_heads = count(RG_WI_kv_heads),
        .head_dim = count(RG_WI_head_dim),
        .vocab = count(RG_WI_vocab),
        .ctx_train = count(RG_WI_ctx_train),
        .tied = in[RG_WI_tied] > 0.0,
        .extra = (uint64_t)count(RG_WI_extra_high) << 32 | (uint32_t)count(RG_WI_extra_low),
        .no_pre_norm = in[RG_WI_no_pre_norm] > 0.0,
        .whole_qk_norm = in[RG_WI_whole_norm] > 0.0,
        .attn_cap = in[RG_WI_capped],
        .rope_dim = count(RG_WI_rotated),
        .window = count(RG_WI_window)};
    for (int64_t l = 0; l < RG_MAX_LAYERS; l++) {
        if (l < count(RG_WI_unrotated)) rg_layer_set(c.unrotated, l);
        if (l < count(RG_WI_all_seen)) rg_layer_set(c.all_seen, l);
    }
    rg_exact_input x = {.dtype = (rg_wtype)count(RG_WI_dtype),
        .head = (rg_wtype)count(RG_WI_head),
        .router = (rg_wtype)count(RG_WI_router),
        .expert = (rg_wtype)(in[RG_WI_expert] > 0.0 ? count(RG_WI_expert) - 1 : count(RG_WI_dtype)),
        .embd_row = count(RG_WI_embd_row),
        .kv_k = (rg_kvtype)count(RG_WI_kv),
        .kv_v = (rg_kvtype)count(RG_WI_kv),
        .act = (rg_exact_act)count(RG_WI_act),
        .batch = count(RG_WI_batch),
        .seqlen = count(RG_WI_seqlen),
        .ubatch = count(RG_WI_ubatch),
        .tp = count(RG_WI_tp),
        .flash = in[RG_WI_flash] > 0.0,
        .routing = (rg_routing)count(RG_WI_routing),
        .counted = in[RG_WI_counted],
        .fuse = (unsigned)(count(RG_WI_fuse) << 1) & rg_fuse_all()};
    rg_hardware h;
    /* what the readers of files guarantee elsewhere: sizes whose products fit, types that exist */
    if (c.dim < 1 || c.dim > 1 << 20 || (c.ffn < 1 && c.experts == 0) || c.ffn > 1 << 22 ||
        c.experts > RG_MAX_EXPERTS || c.experts_used > c.experts || c.expert_ffn > 1 << 22 ||
        c.shared_ffn > 1 << 22 || (c.experts > 0 && (c.experts_used < 1 || c.expert_ffn < 1)) ||
        (unsigned)x.routing >= RG_ROUTINGS || c.layers < 1 || c.layers > RG_MAX_LAYERS || c.heads < 1 ||
        c.heads > 1 << 14 || c.kv_heads < 1 || c.kv_heads > c.heads || c.heads % c.kv_heads != 0 ||
        c.head_dim < 1 || c.head_dim > 1 << 14 || c.vocab < 1 || c.vocab > RG_MAX_VOCAB || c.ctx_train < 1 ||
        c.ctx_train > 1 << 26 || c.rope_dim > c.head_dim || c.window > 1 << 26 || x.batch > 1 << 16 ||
        x.embd_row > 1 << 24 || (unsigned)x.dtype >= RG_WT_COUNT || (unsigned)x.head >= RG_WT_COUNT ||
        (unsigned)x.router >= RG_WT_COUNT || (unsigned)x.expert >= RG_WT_COUNT ||
        (unsigned)x.kv_k >= RG_KV_COUNT || (unsigned)x.act >= RG_EXACT_ACTS)
        return RG_E_USAGE;
    /* the run's count may be more than another batch can read */
    x.counted = fmin(fmax(x.counted, (double)c.experts_used),
        (double)rg_experts_bound(
            c.experts, c.experts_used, rg_min(x.ubatch > 0 ? x.ubatch : x.batch, rg_max(x.batch, 1))));
    if (c.experts == 0) x.routing = RG_ROUTING_UNIFORM;
    get_hardware(&h);
    const rg_status st = in[RG_WI_cost] > 0.0 ? llm_viewer(&c, &h, &x) : rg_exact(&result, &c, &h, &x, NULL);
    if (st) return (int)st;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) put_phase((rg_phase)ph);
    out[RG_WO_POINTS] = (double)result.n;
    for (int i = 0; i < result.n; i++) {
        const rg_cost_point *p = &result.op[i];
        double *o = &out[RG_WO_POINTS + 1 + i * RG_WO_FIELDS];
        o[0] = (double)p->site;
        o[1] = (double)p->phase;
        o[2] = p->sum.flop;
        o[3] = known(p->sum.bytes);
        o[4] = known(p->sum.time_s);
        o[5] = (double)p->bound;
    }
    return 0;
}
