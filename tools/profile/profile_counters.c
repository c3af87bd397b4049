/* Counters of a profile, from what they cost to what they saw. */
#include "tools/profile/profile_counters.h"

#include <math.h>
#include <string.h>

/* Energy counters move every millisecond or so: less than this in all is mostly rounding. */
#define ENERGY_LEAST_NS 5e7

rg_status rg_profile_counters_open(rg_profile_counters *p, const rg_cli *cli, int threads, rg_err *err)
{
    *p = (rg_profile_counters){0};
    const int mode = rg_cli_choice("--counters", cli->counters, rg_counters_modes, err);
    if (mode < 0) return RG_E_USAGE;
    rg_host host;
    rg_host_here(&host);
    p->asked = p->mode = mode;
    rg_status st = rg_counters_open(&p->c, p->asked, threads, &host, err);
    if (st) return st;
    const rg_metric *m = rg_counters_metrics(p->c, &p->n_metrics);
    memcpy(p->metric, m, p->n_metrics * sizeof *m);
    if (p->asked == RG_COUNTERS_OFF) return RG_OK;
    if (!(p->socket = rg_socket_open(&host))) return rg_no_memory(err, "counters");
    rg_socket_metrics(p->socket, p->metric + p->n_metrics);
    p->n_metrics += RG_SOCKET_COUNT;
    return RG_OK;
}

void rg_profile_counters_close(rg_profile_counters *p)
{
    rg_socket_close(p->socket);
    p->socket = NULL;
    rg_counters_close(p->c);
    p->c = NULL;
}

void rg_profile_counters_start(rg_profile_counters *p, rg_engine *e, const rg_session *s, uint64_t step_ns)
{
    rg_engine_info i;
    rg_engine_get_info(e, &i);
    const rg_probe *probe = rg_counters_probe(p->c);
    /* one read begins the call */
    const double ops = (double)rg_session_ops_per_step(s) + 1, layers = (double)i.config->layers + 3;
    if (!probe) {
        p->mode = RG_COUNTERS_OFF;
        return;
    }
    if (p->asked == RG_COUNTERS_AUTO) {
        p->mode = rg_counters_choose(p->c, ops, layers, (double)step_ns, &p->share);
        if (p->mode == RG_COUNTERS_OFF)
            snprintf(p->reason, sizeof p->reason,
                "reading counters even at layers only would cost %.1f %% of a decode step (limit %.0f %%). "
                "To have them all the same: --counters layer",
                100.0 * p->share, 100.0 * RG_COUNTERS_LIMIT);
    } else if (step_ns > 0) {
        p->share =
            rg_counters_read_ns(p->c) * (p->mode == RG_COUNTERS_LAYER ? layers : ops) / (double)step_ns;
    }
    p->on = p->mode != RG_COUNTERS_OFF;
    if (p->on) rg_engine_set_probe(e, probe);
}

int rg_profile_counters_turns(const rg_profile_counters *p)
{
    return p->on && rg_counters_groups(p->c) > 1 ? rg_counters_groups(p->c) : 1;
}

void rg_profile_counters_mark(rg_profile_counters *p)
{
    if (!p->socket) return;
    rg_socket_read(p->socket, p->mark);
    p->mark_ns = rg_now_ns();
}

void rg_profile_counters_phase(rg_profile_counters *p, rg_phase phase)
{
    double now[RG_SOCKET_COUNT], d[RG_SOCKET_COUNT];
    if (!p->socket) return;
    rg_socket_read(p->socket, now);
    rg_socket_since(p->socket, d, p->mark, now);
    for (int i = 0; i < RG_SOCKET_COUNT; i++) p->sum[phase][i] += d[i];
    p->ns[phase] += (double)(rg_now_ns() - p->mark_ns);
    p->phases[phase]++;
    rg_profile_counters_mark(p);
}

void rg_profile_counters_turn(rg_profile_counters *p)
{
    if (p->on) rg_counters_turn(p->c);
}

void rg_profile_counters_stop(rg_profile_counters *p, rg_engine *e)
{
    if (!p->on) return;
    rg_engine_set_probe(e, NULL);
    if (rg_counters_sound(p->c, p->reason, sizeof p->reason)) return;
    p->on = false;
    p->mode = RG_COUNTERS_OFF;
}

void rg_profile_counters_describe(const rg_profile_counters *p, rg_run_info *run)
{
    run->metric = p->metric;
    run->n_metrics = p->n_metrics;
    run->has_socket = p->socket != NULL;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++)
        for (int i = 0; i < RG_SOCKET_COUNT; i++)
            run->socket[ph][i] = p->phases[ph] && (i < RG_SOCKET_PACKAGE || p->ns[ph] >= ENERGY_LEAST_NS)
                ? p->sum[ph][i] / p->phases[ph]
                : NAN;
    run->pmu_mode = rg_counters_modes[p->mode];
    run->pmu_status = p->on ? rg_counters_status(p->c) : "off";
    run->pmu_reason = p->reason[0] ? p->reason : rg_counters_reason(p->c);
    if (!p->on) return;
    run->pmu_groups = rg_counters_groups(p->c);
    run->pmu_share = p->share;
    run->probe_ns = rg_counters_read_ns(p->c);
    run->n_ctr = rg_counters_probe(p->c)->n_ctr;
    for (int c = 0; c < run->n_ctr; c++) run->ctr_name[c] = rg_counters_name(p->c, c);
}
