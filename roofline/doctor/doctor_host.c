/* Checks of the host: what sets its speed, and what changes it from run to run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/amx.h"
#include "base/cpu.h"
#include "base/text.h"
#include "roofline/doctor/doctor.h"

void rg_check_hypervisor(rg_finding *f, const rg_host *h)
{
    if (!h->hypervisor[0]) {
        rg_finding_set(f, RG_HEALTH_OK, "none seen");
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "neighbours share caches and memory bandwidth and cannot be seen: roofs and times drift together "
        "from minute to minute",
        NULL, "%s", h->hypervisor);
}

void rg_check_container(rg_finding *f, const rg_host *h)
{
    const char *name = rg_host_container(h);
    if (!name) {
        rg_finding_set(f, RG_HEALTH_OK, "no trace of one");
        return;
    }
    rg_finding_set(f, h->sw_errno ? RG_HEALTH_LIMITED : RG_HEALTH_OK, "%s", name);
    if (!h->sw_errno) return;
    rg_finding_cost(f, "its default filter forbids perf_event_open");
    rg_finding_fix(f, "docker run --security-opt seccomp=unconfined --cap-add PERFMON ...");
}

void rg_check_isa(rg_finding *f, const rg_host *h)
{
    (void)h;
    char list[100] = "";
    for (int i = 0; i <= RG_ISA_AMX; i++) /* emulated tiles are no part of the host */
        if (rg_isa_has((rg_isa)i))
            snprintf(
                list + strlen(list), sizeof list - strlen(list), "%s%s", list[0] ? " " : "", rg_isa_names[i]);
    const char *cap = getenv("RIDGE_ISA");
    const int level = cap && *cap ? rg_isa_from_name(cap) : -1;
    const rg_isa best = rg_isa_best();
    const rg_amx amx = rg_amx_state();
    if (level == RG_ISA_AMXEMU) {
        rg_finding_bad(f, RG_HEALTH_LIMITED,
            "products of many tokens are slower by orders of magnitude: for tests only", "unset RIDGE_ISA",
            "here: %s; used: tiles emulated in plain C (RIDGE_ISA=amxemu)", list);
    } else if (amx != RG_AMX_OK && amx != RG_AMX_NO_CPU) {
        rg_finding_bad(f, RG_HEALTH_LIMITED,
            "products of many tokens run on vectors, several times slower than on tiles", NULL,
            "here: %s; %s", list, rg_amx_text(amx));
    } else if (level >= 0 && level < (int)best) {
        rg_finding_bad(f, RG_HEALTH_LIMITED, "slower kernels, and roofs of a lower instruction set",
            "unset RIDGE_ISA", "here: %s; used: up to %s (RIDGE_ISA)", list, rg_isa_names[level]);
    } else if (best == RG_ISA_C) {
        rg_finding_bad(f, RG_HEALTH_LIMITED, "compute roofs far below what the CPU can do", NULL,
            "plain C kernels only: this build has no SIMD kernels for this CPU");
    } else {
        rg_finding_set(f, RG_HEALTH_OK, "here: %s; used: up to %s", list, rg_isa_names[best]);
    }
}

void rg_check_governor(rg_finding *f, const rg_host *h)
{
    char gov[64], other[64], path[96], driver[64];
    long long n_odd = 0;
    if (!rg_host_line(h, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", gov, sizeof gov)) {
        rg_finding_bad(f, RG_HEALTH_UNKNOWN,
            "the clock can be neither seen nor held: the compute roof is whatever it was while measured",
            NULL, "no cpufreq here%s", h->hypervisor[0] ? ": the host of this virtual machine decides" : "");
        return;
    }
    rg_host_line(h, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", driver, sizeof driver);
    for (int i = 1; i < 1024; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", i);
        if (!rg_host_line(h, path, other, sizeof other)) break;
        n_odd += strcmp(gov, other) != 0;
    }
    if (strcmp(gov, "performance") == 0 && n_odd == 0) {
        rg_finding_set(f, RG_HEALTH_OK, "performance%s%s", driver[0] ? ", driver " : "", driver);
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "clocks climb only under load: short runs and the first repetitions are slower than the roof",
        "sudo cpupower frequency-set -g performance", "%s%s%s%s", gov,
        n_odd ? ", not the same on all processors" : "", driver[0] ? ", driver " : "", driver);
}

void rg_check_turbo(rg_finding *f, const rg_host *h)
{
    static const char intel[] = "/sys/devices/system/cpu/intel_pstate/no_turbo",
                      acpi[] = "/sys/devices/system/cpu/cpufreq/boost";
    long long v;
    const bool i = rg_host_number(h, intel, &v);
    if (!i && !rg_host_number(h, acpi, &v)) {
        rg_finding_bad(f, RG_HEALTH_UNKNOWN,
            "whether the clock depends on temperature and on the neighbours is not known", NULL,
            "no switch for it here");
    } else if (i ? v == 1 : v == 0) {
        rg_finding_set(f, RG_HEALTH_OK, "off: the clock is steady");
    } else {
        rg_finding_bad(f, RG_HEALTH_LIMITED,
            "the clock depends on temperature, on how many cores work and on wide vectors: compute roofs "
            "move by some percent",
            NULL, "on");
        rg_finding_fix(f, "echo %d | sudo tee %s", i ? 1 : 0, i ? intel : acpi);
    }
}

void rg_check_smt(rg_finding *f, const rg_host *h)
{
    long long on;
    char control[64];
    if (!rg_host_number(h, "/sys/devices/system/cpu/smt/active", &on)) return;
    rg_host_line(h, "/sys/devices/system/cpu/smt/control", control, sizeof control);
    if (!on) {
        rg_finding_set(f, RG_HEALTH_OK, "off%s%s%s", control[0] ? " (" : "", control, control[0] ? ")" : "");
        if (h->hypervisor[0])
            rg_finding_cost(f, "a guest is not told whether its processors share cores of the host");
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "what else runs on the sibling takes units, cache and, on Intel, half of the counters",
        "echo off | sudo tee /sys/devices/system/cpu/smt/control", "on; Ridge uses one thread per core");
}

void rg_check_numa(rg_finding *f, const rg_host *h)
{
    const int n = rg_host_entries(h, "/sys/devices/system/node", "node", true, NULL, 0);
    long long balancing = 0;
    rg_host_number(h, "/proc/sys/kernel/numa_balancing", &balancing);
    if (n == 1) {
        rg_finding_set(f, RG_HEALTH_OK, "one");
    } else if (n > 1) {
        rg_finding_bad(f, RG_HEALTH_LIMITED,
            "weights may lie on the far node: bandwidth depends on where pages were first touched",
            "numactl --cpunodebind=0 --membind=0 ridge ...", "%d%s", n,
            balancing ? "; automatic balancing moves pages" : "");
    }
}

void rg_check_clock(rg_finding *f, const rg_host *h)
{
    static const char dir[] = "/sys/devices/system/clocksource/clocksource0",
                      *const good[] = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"};
    char now[64], all[128], path[128];
    snprintf(path, sizeof path, "%s/current_clocksource", dir);
    if (!rg_host_line(h, path, now, sizeof now)) return;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (strcmp(now, good[i]) == 0) {
            rg_finding_set(f, RG_HEALTH_OK, "%s", now);
            return;
        }
    snprintf(path, sizeof path, "%s/available_clocksource", dir);
    rg_host_line(h, path, all, sizeof all);
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "reading the time is a system call: each operator's time is about a microsecond too long", NULL,
        "%s%s", now, strstr(all, "tsc") ? "" : "; no tsc to choose");
    if (strstr(all, "tsc")) rg_finding_fix(f, "echo tsc | sudo tee %s/current_clocksource", dir);
}

void rg_check_load(rg_finding *f, const rg_host *h)
{
    char line[128];
    double load;
    char tasks[32] = "";
    const int cpus = rg_host_entries(h, "/sys/devices/system/cpu", "cpu", true, NULL, 0);
    if (!rg_host_line(h, "/proc/loadavg", line, sizeof line) ||
        sscanf(line, "%lf %*f %*f %31s", &load, tasks) < 1) {
        rg_finding_set(f, RG_HEALTH_UNKNOWN, "no /proc/loadavg");
        return;
    }
    const bool busy = load > 0.25 * (cpus > 0 ? cpus : 1);
    rg_finding_set(
        f, busy ? RG_HEALTH_LIMITED : RG_HEALTH_OK, "%.2f over the last minute on %d processors", load, cpus);
    if (!busy) return;
    rg_finding_cost(f, "whatever else runs takes time and bandwidth: medians rise, spreads grow");
    rg_finding_fix(f, "top -b -n 1 -o %%CPU | head -n 15   (says what runs)");
}

/* Ticks of all processors since boot, and those that the hypervisor gave to others. */
static bool ticks(const rg_host *h, double *all, double *stolen)
{
    char line[256];
    double v[8] = {0};
    if (!rg_host_field(h, "/proc/stat", "cpu ", line, sizeof line)) return false;
    if (sscanf(line, "%lf %lf %lf %lf %lf %lf %lf %lf", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
            &v[7]) != 8)
        return false;
    *all = 0;
    for (int i = 0; i < 8; i++) *all += v[i];
    *stolen = v[7];
    return true;
}

void rg_check_steal(rg_finding *f, const rg_host *h)
{
    double all, stolen, all2, stolen2, now = 0;
    char since[32], recent[32], span[64] = "";
    if (!ticks(h, &all, &stolen) || !(all > 0)) {
        rg_finding_set(f, RG_HEALTH_UNKNOWN, "no /proc/stat");
        return;
    }
    if (h->sample_ms > 0) {
        nanosleep(
            &(struct timespec){.tv_sec = h->sample_ms / 1000, .tv_nsec = h->sample_ms % 1000 * 1000000L},
            NULL);
        if (ticks(h, &all2, &stolen2) && all2 > all) {
            now = (stolen2 - stolen) / (all2 - all);
            snprintf(span, sizeof span, ", %s in the last %d ms", rg_percent(recent, sizeof recent, now),
                h->sample_ms);
        }
    }
    const double boot = stolen / all;
    const bool bad = boot > 0.01 || now > 0.02;
    rg_finding_set(f, bad ? RG_HEALTH_LIMITED : RG_HEALTH_OK, "%s since boot%s",
        rg_percent(since, sizeof since, boot), span);
    if (bad)
        rg_finding_cost(f,
            "the hypervisor runs others on these processors: single repetitions jump, medians and spreads "
            "tell");
}
