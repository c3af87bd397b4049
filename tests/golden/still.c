/* Linked into a program of the tests only: `ridge` on a machine that never changes. The clock advances by a
 * fixed series at every reading; host, processor, memory, roofs and losses are the same everywhere. Then
 * everything that a command reports from a live run is the same to the byte, as long as one thread runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/osload.h"
#include "ridge/engine.h"
#include "ridge/latency.h"
#include "ridge/score.h"
#include "ridge/topo.h"
#include "roofline/doctor/doctor.h"
#include "roofline/measure/machine.h"
#include "weights/synth.h"

extern rg_stop_flag rg_stop; /* of tools/ */

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Nanoseconds now: 20 to 60 us more at every reading, so that medians and intervals have something to say; a
 * slow machine, as its roofs are. RIDGE_STILL_STOP=N: at the Nth reading as if Ctrl-C had been pressed. */
static uint64_t tick(void)
{
    static uint64_t now, seed = 42, readings;
    const char *stop = getenv("RIDGE_STILL_STOP");
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    now += 20000 + (seed >> 33) % 40000;
    if (stop && ++readings == strtoull(stop, NULL, 10)) rg_stop = 1;
    return now;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    const uint64_t now = tick();
    (void)clock;
    t->tv_sec = (time_t)(now / 1000000000u);
    t->tv_nsec = (long)(now % 1000000000u);
    return 0;
}

/* A call that is not recorded takes as long as one that is. */
rg_status __real_rg_session_eval(rg_session *s, const rg_batch *b, rg_phase phase, rg_log *log, rg_err *err);
rg_status __wrap_rg_session_eval(rg_session *s, const rg_batch *b, rg_phase phase, rg_log *log, rg_err *err)
{
    for (size_t i = 0; !log && i < 2 * rg_session_ops_per_step(s); i++) tick();
    return __real_rg_session_eval(s, b, phase, log, err);
}

time_t __wrap_time(time_t *t)
{
    const time_t now = 1767225600; /* 2026-01-01 */
    if (t) *t = now;
    return now;
}

const char *__wrap_rg_cpu_name(void) { return "Still CPU"; }
void __wrap_rg_cpu_id(char *buf, size_t n) { snprintf(buf, n, "still 1"); }
rg_isa __wrap_rg_isa_best(void) { return RG_ISA_AVX2; }
bool __wrap_rg_isa_has(rg_isa isa) { return isa <= RG_ISA_AVX2; } /* runs are capped at plain C */
void __wrap_rg_topo_read(rg_topo *t) { *t = (rg_topo){.cores = 2, .l2_bytes = 1 << 20}; }

uint64_t __wrap_rg_mem_available(const char **source)
{
    const char *little = getenv("RIDGE_STILL_MEMORY"); /* bytes */
    if (source) *source = "MemAvailable";
    return little ? strtoull(little, NULL, 10) : UINT64_C(8) << 30;
}
uint64_t __wrap_rg_mem_limit(void) { return 0; }

void __wrap_rg_osload_read(rg_osload *l)
{
    static uint64_t n;
    n++;
    *l = (rg_osload){.minor_faults = 3 * n, .voluntary = n, .all_ticks = 200 * n};
}

void __wrap_rg_ticks_open(void) {} /* the clock is that of tick() */
double __wrap_rg_chain_ns(void) { return 40000.0; }

/* What this machine is, from the machine file of the tests. */
static rg_status still_machine(rg_machine *m, int threads, rg_err *err)
{
    const rg_status st = rg_machine_load(m, "in/machine.json", err);
    snprintf(m->source, sizeof m->source, "measured");
    m->threads = threads;
    return st;
}

rg_status __wrap_rg_machine_measure(rg_machine *m, int threads, const int *cpus, int64_t footprint,
    bool quick, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    (void)cpus, (void)footprint, (void)quick, (void)progress, (void)user, (void)stop;
    return still_machine(m, threads, err);
}

/* A twentieth and a hundredth below the best of that machine. */
void __wrap_rg_roof_watch_sample(rg_roof_watch *w, rg_roof_sample *s)
{
    rg_machine m;
    int peak;
    int64_t footprint;
    rg_roof_watch_of(w, &footprint, &peak);
    if (still_machine(&m, 1, NULL)) return;
    *s = (rg_roof_sample){.read_gbps = 0.95 * rg_machine_bw(&m, footprint),
        .fma_gflops = 0.99 * m.peak[RG_PEAK_FP32_AVX2].value,
        .l2_gbps = 50.0};
}

rg_status __wrap_rg_latency_measure(rg_latency *l, int threads, const int *cpus, rg_err *err)
{
    (void)threads, (void)cpus, (void)err;
    *l = (rg_latency){60000.0, 0.05, 3600.0, 0.02};
    return RG_OK;
}

void __wrap_rg_host_here(rg_host *h)
{
    *h = (rg_host){.root = "in/host", .x86 = true, .intel = true, .pmu_version = 5, .pmu_counters = 8};
}

/* As if built with everything but OpenBLAS. */
void __real_rg_doctor_examine(rg_doctor *d, const rg_host *h, const rg_doctor_lib *libs, int n_libs);
void __wrap_rg_doctor_examine(rg_doctor *d, const rg_host *h, const rg_doctor_lib *libs, int n_libs)
{
    rg_doctor_lib all[8];
    for (int i = 0; i < n_libs && i < 8; i++) {
        all[i] = libs[i];
        all[i].version = strcmp(libs[i].name, "OpenBLAS") == 0 ? NULL : "built in";
    }
    __real_rg_doctor_examine(d, h, all, n_libs);
}

/* Losses depend on the last bits of the mathematical library: these depend on the order of the questions. */
rg_status __wrap_rg_score_summary(rg_score_stats *out, const rg_score *s, rg_err *err)
{
    static int n;
    const double ppl = 10.0 + 0.25 * n++;
    (void)err;
    *out = (rg_score_stats){.n = s->n, .nll = 2.25, .nll_error = 0.05, .ppl = ppl, .ppl_error = 0.5};
    double *unknown[] = {&out->ref_ppl, &out->ref_ppl_error, &out->ln_ratio, &out->ln_ratio_error,
        &out->ppl_ratio, &out->ppl_ratio_error, &out->ppl_diff, &out->ppl_diff_error, &out->correlation,
        &out->kld.mean, &out->kld.error, &out->dp.mean, &out->dp.error, &out->rms_dp, &out->rms_dp_error,
        &out->same_top, &out->same_top_error};
    out->reference = s->ref_nll.n > 0;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        *unknown[i] = out->reference ? 0.125 * (double)(i + 1) / ppl : 0.0 / 0.0;
    for (int i = 0; i < RG_SCORE_LEVELS; i++) {
        out->kld.at[i] = out->reference ? 0.001 * i * ppl : 0.0 / 0.0;
        out->dp.at[i] = out->reference ? 0.01 * (i - 5) : 0.0 / 0.0;
    }
    return RG_OK;
}

/* The grid of --validate on models that a plain C kernel runs in no time. */
void __real_rg_shape_config(const rg_shape *s, rg_config *c);
void __wrap_rg_shape_config(const rg_shape *s, rg_config *c)
{
    rg_shape small = *s;
    rg_config *m = &small.config;
    if (getenv("RIDGE_STILL_SMALL"))
        m->dim = 64, m->ffn = 128, m->layers = m->layers < 2 ? m->layers : 2, m->heads = 4, m->kv_heads = 2,
        m->head_dim = 16, m->vocab = 96;
    __real_rg_shape_config(&small, c);
}
