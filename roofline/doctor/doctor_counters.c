/* Checks of what counts: PMU, permissions, memory controllers, energy. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "roofline/doctor/doctor.h"

void rg_check_pmu(rg_finding *f, const rg_host *h)
{
    const char *pmu = rg_host_core_pmu(h);
    char why[200], leaf[80] = "";
    if (h->x86 && h->pmu_version >= 0)
        snprintf(leaf, sizeof leaf, "; CPUID: version %d, %d counters per thread", h->pmu_version,
            h->pmu_counters);
    if (pmu && h->hw_errno == 0) {
        rg_finding_set(f, RG_HEALTH_OK, "%s%s", pmu, leaf);
        if (strcmp(pmu, "cpu_core") == 0) {
            f->health = RG_HEALTH_LIMITED;
            rg_finding_cost(f,
                "two kinds of cores: an event of one kind does not count while a thread is on the other; "
                "keep threads pinned (default)");
        }
        return;
    }
    const char *fix = rg_host_explain_pmu(h, h->hw_errno, why, sizeof why);
    rg_finding_bad(f, RG_HEALTH_MISSING,
        "no cycles, instructions, FLOP or DRAM bytes as the hardware saw them; bytes and operations are "
        "counted by the loops instead",
        fix, "%s", why);
}

void rg_check_paranoid(rg_finding *f, const rg_host *h)
{
    const int level = rg_host_paranoid(h);
    const bool may = h->superuser || rg_host_perfmon(h);
    if (level == RG_PARANOID_UNKNOWN) {
        rg_finding_bad(f, RG_HEALTH_MISSING, "no counters at all",
            "grep PERF_EVENTS /boot/config-$(uname -r)   (must be y)",
            "no /proc/sys/kernel/perf_event_paranoid: a kernel without perf events, or /proc is hidden");
    } else if (level >= 3) {
        rg_finding_bad(f, may && level > 3 ? RG_HEALTH_LIMITED : RG_HEALTH_MISSING,
            "PAPI turns perf events off at 3, software events included; from 4 on every open is refused "
            "without CAP_PERFMON",
            "sudo sysctl kernel.perf_event_paranoid=2", "%d: %s", level,
            may ? "closed to users, and PAPI 7.0 obeys 3 even as root" : "no counters for users");
    } else if (level <= 0 || may) {
        rg_finding_set(f, RG_HEALTH_OK, "%d%s", level,
            level > 0 ? ", and this process may do more" : ": counters of threads and of the socket");
    } else {
        rg_finding_set(f, RG_HEALTH_LIMITED, "%d: counters of own threads%s", level,
            level == 2 ? ", user mode only" : "");
        rg_finding_cost(f, "no socket-wide counters (memory controllers, energy)%s",
            level == 2 ? "; context switches and migrations read 0" : "");
        rg_finding_fix(f, "sudo sysctl kernel.perf_event_paranoid=0");
    }
}

void rg_check_capability(rg_finding *f, const rg_host *h)
{
    enum { SYS_ADMIN = 21, SYS_NICE = 23, PERFMON = 38 };
    char hex[64];
    if (!rg_host_field(h, "/proc/self/status", "CapEff", hex, sizeof hex)) {
        rg_finding_set(f, RG_HEALTH_UNKNOWN, "no CapEff in /proc/self/status");
        return;
    }
    const bool perfmon = rg_host_capable(h, PERFMON), admin = rg_host_capable(h, SYS_ADMIN);
    char list[96] = "";
    if (perfmon) strcat(list, " CAP_PERFMON");
    if (admin) strcat(list, " CAP_SYS_ADMIN");
    if (rg_host_capable(h, SYS_NICE)) strcat(list, " CAP_SYS_NICE");
    if (perfmon || admin) {
        rg_finding_set(f, RG_HEALTH_OK, "%s%s", h->superuser ? "root," : "user,", list);
        return;
    }
    rg_finding_set(f, rg_host_paranoid(h) <= 0 ? RG_HEALTH_OK : RG_HEALTH_LIMITED, "%s%s",
        h->superuser ? "root without CAP_PERFMON" : "none for counters", list);
    if (f->health == RG_HEALTH_OK) return;
    rg_finding_cost(f, "what perf_event_paranoid closes stays closed");
    rg_finding_fix(f,
        h->superuser ? "start the container with --cap-add PERFMON"
                     : "sudo setcap cap_perfmon+ep \"$(command -v ridge)\"");
}

void rg_check_seccomp(rg_finding *f, const rg_host *h)
{
    const int mode = rg_host_seccomp(h);
    const char *const filter = mode == 2 ? "a seccomp filter is in force"
        : mode == 0                      ? "no seccomp filter"
                                         : "seccomp state unknown";
    if (h->sw_errno == 0) {
        rg_finding_set(f, RG_HEALTH_OK, "works; %s", filter);
        return;
    }
    rg_finding_bad(f, RG_HEALTH_MISSING, "not even the kernel's task clock and page faults per operator",
        NULL, "perf_event_open: %s; %s", strerror(h->sw_errno), filter);
    if (h->sw_errno == ENOSYS)
        rg_finding_fix(f, "a kernel with CONFIG_PERF_EVENTS, or a sandbox that passes perf_event_open on");
    else if (mode == 2 && (h->sw_errno == EPERM || h->sw_errno == EACCES))
        rg_finding_fix(f, "docker run --security-opt seccomp=unconfined --cap-add PERFMON ...");
    else if (h->sw_errno == EMFILE)
        rg_finding_fix(f, "ulimit -n 4096");
    else
        rg_finding_fix(f, "sudo sysctl kernel.perf_event_paranoid=2");
}

void rg_check_watchdog(rg_finding *f, const rg_host *h)
{
    long long on = 0;
    if (!rg_host_number(h, "/proc/sys/kernel/nmi_watchdog", &on) || on == 0 || !rg_host_core_pmu(h)) {
        rg_finding_set(f, RG_HEALTH_OK, "%s",
            on == 0 ? "off" : "on, but there is no PMU that it could take a counter from");
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED,
        "event groups that need every counter (single-precision operations on Intel) may not fit",
        "sudo sysctl kernel.nmi_watchdog=0", "on: it holds one hardware counter");
}

void rg_check_uncore(rg_finding *f, const rg_host *h)
{
    static const char dir[] = "/sys/bus/event_source/devices";
    static const char *const kinds[] = {"uncore_imc", "amd_umc", "amd_df"};
    char first[64] = "";
    int n = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && n == 0; i++)
        n = rg_host_entries(h, dir, kinds[i], false, first, sizeof first);
    if (n == 0) {
        rg_finding_bad(f, RG_HEALTH_MISSING, "no DRAM traffic of the socket beside the counted bytes", NULL,
            "no memory-controller PMU in %s", dir);
        rg_finding_fix(f,
            h->hypervisor[0] ? "run on bare metal: guests are not shown the socket's counters"
                             : "sudo modprobe %s",
            h->amd ? "amd_uncore" : "intel_uncore");
        return;
    }
    if (rg_host_paranoid(h) <= 0 || h->superuser || rg_host_perfmon(h)) {
        rg_finding_set(f, RG_HEALTH_OK, "%d unit%s (%s%s)", n, n == 1 ? "" : "s", first, n > 1 ? " ..." : "");
        return;
    }
    rg_finding_bad(f, RG_HEALTH_LIMITED, "no DRAM traffic of the socket beside the counted bytes",
        "sudo sysctl kernel.perf_event_paranoid=0", "%d unit%s (%s), closed to this user", n,
        n == 1 ? "" : "s", first);
}

void rg_check_energy(rg_finding *f, const rg_host *h)
{
    static const char dir[] = "/sys/class/powercap";
    char zone[64], path[160];
    long long uj;
    if (rg_host_entries(h, dir, "intel-rapl:", true, zone, sizeof zone) == 0) {
        rg_finding_bad(f, RG_HEALTH_MISSING, "no joules per token", NULL, "no RAPL zone in %s", dir);
        if (h->hypervisor[0])
            rg_finding_fix(f, "run on bare metal: guests are not shown the energy counters");
        else
            rg_finding_fix(f, "sudo modprobe intel_rapl_msr");
        return;
    }
    snprintf(path, sizeof path, "%s/%.60s/energy_uj", dir, zone);
    if (rg_host_number(h, path, &uj)) {
        rg_finding_set(f, RG_HEALTH_OK, "%s is readable", path);
        return;
    }
    rg_finding_bad(
        f, RG_HEALTH_LIMITED, "no joules per token", NULL, "%s is not readable for this user", path);
    rg_finding_fix(f, "sudo chmod a+r %s", path);
}
