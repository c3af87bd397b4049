/* Machines by specification: the table, its names, and what a machine means for the exact model. */
#include "roofline/model/hardware.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/near.h"
#include "base/num.h"
#include "base/text.h"

#define LLM_VIEWER "LLM-Viewer's hardware table, commit 472f71f"
#define LLM_VIEWER_LATER "a later entry or proposal of LLM-Viewer's hardware table"
#define ARK "Intel's product page (ARK)"
#define AMD "AMD's product page"
#define AWS "AWS's instance and processor announcements"
#define APPLE "Apple's specifications; published measurements of the clocks"

enum {
#define RG_HW_CORE(id, ...) CORE_##id,
#include "roofline/model/hardware.def"
};

static const struct core {
    double flop[RG_ARITH_COUNT]; /* per cycle */
    double e_fp32, l1_kib, l1_bytes, l2_kib, l2_bytes;
    const char *source;
} cores[] = {
#define RG_HW_CORE( \
    id, fp32, fp16, bf16, int8, amx_bf16, amx_int8, e_fp32, l1_kib, l1_bytes, l2_kib, l2_bytes, source) \
    {{[RG_ARITH_FP32_FMA] = fp32, \
         [RG_ARITH_FP16_FMA] = fp16, \
         [RG_ARITH_BF16_DOT] = bf16, \
         [RG_ARITH_INT8_DOT] = int8, \
         [RG_ARITH_AMX_BF16] = amx_bf16, \
         [RG_ARITH_AMX_INT8] = amx_int8}, \
        e_fp32, l1_kib, l1_bytes, l2_kib, l2_bytes, source},
#include "roofline/model/hardware.def"
};

static const struct {
    const char *name;
    double bandwidth, fp16, int8, onchip;
    const char *source;
} table[] = {
#define RG_HW_TABLE(name, bandwidth, fp16, int8, onchip, source) \
    {name, bandwidth, fp16, int8, onchip, source},
#include "roofline/model/hardware.def"
};

static const struct cpu {
    const char *name;
    int cores;
    double base, max;
    int e_cores;
    double e_max;
    int core, channels, mts;
    double llc_kib;
    const char *source;
} cpus[] = {
#define RG_HW_CPU(name, cores, base, max, e_cores, e_max, core, channels, mts, llc, source) \
    {name, cores, base, max, e_cores, e_max, CORE_##core, channels, mts, llc, source},
#include "roofline/model/hardware.def"
};

const char *const rg_hw_names[] = {
#define RG_HW_TABLE(name, ...) name,
#include "roofline/model/hardware.def"
#define RG_HW_CPU(name, ...) name,
#include "roofline/model/hardware.def"
    NULL};

enum { N_TABLE = sizeof table / sizeof *table, N_CPUS = sizeof cpus / sizeof *cpus };

static void from_table(rg_hardware *h, int i)
{
    *h = (rg_hardware){.accelerator = true, .bandwidth = table[i].bandwidth, .onchip = table[i].onchip};
    h->peak[RG_ARITH_FP16_FMA] = table[i].fp16;
    h->peak[RG_ARITH_INT8_DOT] = table[i].int8;
    snprintf(h->name, sizeof h->name, "%s", table[i].name);
    snprintf(h->source, sizeof h->source, "%s", table[i].source);
}

static void add_level(rg_hardware *h, double bytes, double gbps)
{
    if (bytes > 0.0 && h->n_levels < RG_HW_LEVELS)
        h->level[h->n_levels++] = (rg_hw_level){(int64_t)bytes, gbps};
}

static void from_cpu(rg_hardware *h, int i)
{
    const struct cpu *c = &cpus[i];
    const struct core *k = &cores[c->core];
    const double n = c->cores, ghz = n * c->max, llc = 1024.0 * c->llc_kib;
    *h = (rg_hardware){.cores = c->cores,
        .e_cores = c->e_cores,
        .ghz_base = c->base,
        .ghz_max = c->max,
        .e_ghz_max = c->e_max,
        .channels = c->channels,
        .mts = c->mts,
        .bandwidth = 8e6 * c->channels * c->mts,
        .onchip = llc};
    for (int a = 0; a < RG_ARITH_COUNT; a++) h->peak[a] = 1e9 * n * c->max * k->flop[a];
    h->peak[RG_ARITH_FP32_FMA] += 1e9 * c->e_cores * c->e_max * k->e_fp32;
    const double l2 = 1024.0 * n * k->l2_kib;
    add_level(h, 1024.0 * n * k->l1_kib, ghz * k->l1_bytes);
    add_level(h, l2, ghz * k->l2_bytes);
    if (llc > l2) add_level(h, llc, 0.0);
    snprintf(h->name, sizeof h->name, "%s", c->name);
    snprintf(h->source, sizeof h->source, "%s; per cycle: %s", c->source, k->source);
}

rg_status rg_hw_find(rg_hardware *h, const char *name, rg_err *err)
{
    for (int i = 0; i < N_TABLE; i++)
        if (strcasecmp(table[i].name, name) == 0) {
            from_table(h, i);
            return RG_OK;
        }
    for (int i = 0; i < N_CPUS; i++)
        if (strcasecmp(cpus[i].name, name) == 0) {
            from_cpu(h, i);
            return RG_OK;
        }
    char names[RG_NEAR_MOST * 96], shown[64];
    rg_near near = {.word = rg_text_clean(shown, sizeof shown, name)};
    for (int i = 0; rg_hw_names[i]; i++) rg_near_try(&near, rg_hw_names[i]);
    *h = (rg_hardware){0};
    return rg_fail(err, RG_E_USAGE,
        "--hardware: '%s' is not known; the nearest names are %s; --list-hardware shows all; 'measured' is "
        "this machine",
        shown, rg_near_names(names, sizeof names, &near));
}

void rg_hw_from_machine(rg_hardware *h, const rg_machine *m)
{
    *h = (rg_hardware){.machine = m, .cores = m->cores, .memory = (double)m->memory_bytes};
    snprintf(h->name, sizeof h->name, "%s", m->cpu);
    snprintf(h->source, sizeof h->source, "%s, %d threads", m->source, m->threads);
    h->bandwidth = m->n_bw ? 1e9 * m->bw[m->n_bw - 1].read_gbps.value : 0.0;
    for (int a = 0; a < RG_ARITH_COUNT; a++)
        h->peak[a] = 1e9 * rg_machine_peak_of(m, (rg_arith)a, m->isa_best);
}

double rg_hw_peak(const rg_hardware *h, rg_arith arith, const char **name)
{
    if (name) *name = rg_arith_texts[arith];
    if (name && h->accelerator) *name = arith == RG_ARITH_FP16_FMA ? "FP16" : "INT8";
    if (name && h->machine) {
        const int row = rg_machine_peak_row(h->machine, arith, h->machine->isa_best);
        if (row >= 0) *name = rg_peaks[row].name;
    }
    return h->peak[arith] > 0.0 ? h->peak[arith] : NAN;
}

rg_arith rg_hw_best(const rg_hardware *h, const rg_arith *from, int n)
{
    rg_arith best = from[0];
    for (int i = 1; i < n; i++)
        if (h->peak[from[i]] > h->peak[best]) best = from[i];
    return best;
}

double rg_hw_bandwidth(const rg_hardware *h, int64_t footprint)
{
    if (h->machine) {
        const double gbps = rg_machine_bw(h->machine, footprint);
        return gbps > 0.0 ? 1e9 * gbps : NAN;
    }
    for (int i = 0; i < h->n_levels; i++)
        if (footprint <= h->level[i].bytes && h->level[i].gbps > 0.0) return 1e9 * h->level[i].gbps;
    return h->bandwidth > 0.0 ? h->bandwidth : NAN;
}

static void charge(rg_ideal *p, double *most, const rg_hardware *h, double bytes, int64_t footprint)
{
    if (!(bytes > 0.0)) return;
    const double ns = 1e9 * bytes / rg_hw_bandwidth(h, footprint);
    p->mem_ns += ns;
    if (ns > *most) {
        *most = ns;
        p->footprint = footprint;
    }
}

rg_ideal rg_hw_predict(
    const rg_hardware *h, const rg_tally *a, rg_arith arith, rg_kernel_kind kernel, int64_t streamed)
{
    if (h->machine) return rg_predict(h->machine, a, arith, h->machine->isa_best, kernel, streamed);
    rg_ideal p = {
        .peak_row = -1, .peak_gflops = 1e-9 * rg_hw_peak(h, arith, NULL) / rg_kernel_passes(kernel)};
    const uint64_t act = a->act_rd + a->act_wr;
    double most = 0.0;
    charge(&p, &most, h, (double)a->w_rd, streamed);
    charge(&p, &most, h, (double)(a->kv_rd + a->kv_wr), streamed);
    charge(&p, &most, h, (double)act, (int64_t)act);
    if (a->flop > 0) p.flop_ns = (double)a->flop / p.peak_gflops;
    return p;
}

rg_lv_hardware rg_hw_llm_viewer(const rg_hardware *h, const char **fp16)
{
    static const rg_arith f[] = {RG_ARITH_FP16_FMA, RG_ARITH_BF16_DOT, RG_ARITH_AMX_BF16},
                          i[] = {RG_ARITH_INT8_DOT, RG_ARITH_AMX_INT8};
    rg_arith best = rg_hw_best(h, f, 3);
    if (!(h->peak[best] > 0.0)) best = RG_ARITH_FP32_FMA;
    if (!isfinite(rg_hw_peak(h, best, fp16))) *fp16 = "unknown";
    return (rg_lv_hardware){.name = h->name,
        .bandwidth = h->bandwidth,
        .fp16 = h->peak[best],
        .int8 = h->peak[rg_hw_best(h, i, 2)],
        .onchip = h->onchip};
}
