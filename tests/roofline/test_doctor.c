/* The doctor on hosts that are not ours: fake /proc and /sys trees, and what CPUID and perf_event_open would
 * say there. */
#include "testing.h"

#include <errno.h>
#include <jansson.h>
#include <sys/wait.h>

#include "fake_tree.h"
#include "report/report.h"

/* A quiet bare-metal Intel server where everything can be measured. */
static rg_host good_host(void)
{
    const char *r = fake_tree();
    static char root[256];
    snprintf(root, sizeof root, "%s", r);
    fake_file(root, "/proc/sys/kernel/perf_event_paranoid", "0\n");
    fake_file(root, "/proc/sys/kernel/nmi_watchdog", "0\n");
    fake_file(root, "/proc/self/status",
        "Name:\tridge\nCapEff:\t0000000000000000\nSeccomp:\t0\nCpus_allowed_list:\t0-3\n");
    fake_file(root, "/proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units\nMax open files           "
        " 4096                 8192       files\n");
    fake_file(root, "/proc/self/cgroup", "0::/user.slice\n");
    fake_file(root, "/proc/loadavg", "0.10 0.20 0.30 1/200 4711\n");
    fake_file(root, "/proc/stat", "cpu  1000 0 500 90000 0 0 0 0 0 0\n");
    fake_file(root, "/proc/meminfo",
        "MemTotal:       16000000 kB\nMemAvailable:   15000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    fake_file(root, "/sys/bus/event_source/devices/cpu/type", "4\n");
    fake_file(root, "/sys/bus/event_source/devices/uncore_imc_0/type", "20\n");
    fake_file(root, "/sys/bus/event_source/devices/uncore_imc_1/type", "21\n");
    fake_file(root, "/sys/class/powercap/intel-rapl:0/energy_uj", "123456\n");
    fake_file(root, "/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
    fake_file(root, "/sys/fs/cgroup/user.slice/memory.max", "max\n");
    for (int i = 0; i < 4; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", i);
        fake_file(root, path, "performance\n");
    }
    fake_file(root, "/sys/devices/system/cpu/online", "0-3\n");
    fake_file(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    fake_file(root, "/sys/devices/system/cpu/smt/active", "0\n");
    fake_file(root, "/sys/devices/system/cpu/smt/control", "off\n");
    fake_file(root, "/sys/devices/system/node/node0/cpulist", "0-3\n");
    fake_file(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    fake_file(root, "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    return (rg_host){.root = root, .x86 = true, .intel = true, .pmu_version = 5, .pmu_counters = 8};
}

static rg_doctor examined(const rg_host *h)
{
    rg_doctor d;
    const rg_doctor_lib libs[] = {
        {"PAPI", "7.0.0", NULL, NULL}, {"OpenBLAS", NULL, "no comparison", "install it"}};
    rg_doctor_examine(&d, h, libs, 2);
    return d;
}

static const rg_finding *of(const rg_finding *f, int n, const char *id)
{
    for (int i = 0; i < n; i++)
        if (strcmp(f[i].id, id) == 0) return &f[i];
    fail_msg("no finding %s", id);
    return NULL;
}

static void expect_at(
    int line, const rg_doctor *d, const char *id, rg_health health, const char *found, const char *fix)
{
    const rg_finding *f = of(d->f, d->n, id);
    if (f->health != health || (found && !strstr(f->found, found)) || (fix ? !strstr(f->fix, fix) : 0))
        fail_msg("line %d: %s is %s, '%s', cost '%s', fix '%s'", line, id, rg_health_names[f->health],
            f->found, f->cost, f->fix);
    if (health == RG_HEALTH_LIMITED || health == RG_HEALTH_MISSING) assert_true(f->cost[0] != 0);
}
#define EXPECT(d, id, health, found, fix) expect_at(__LINE__, d, id, RG_HEALTH_##health, found, fix)

static rg_health can(const rg_doctor *d, const char *id) { return of(d->can, d->n_can, id)->health; }

static void test_good(void **state)
{
    (void)state;
    const rg_host h = good_host();
    const rg_doctor d = examined(&h);
    for (int i = 0; i < d.n; i++) {
        /* of the test's own machine; of the caller */
        if (strcmp(d.f[i].id, "isa") == 0 || strcmp(d.f[i].id, "OpenBLAS") == 0) continue;
        if (d.f[i].health != RG_HEALTH_OK || d.f[i].cost[0] || d.f[i].fix[0])
            fail_msg("%s: %s: %s, %s", d.f[i].id, rg_health_names[d.f[i].health], d.f[i].found, d.f[i].cost);
    }
    EXPECT(&d, "pmu", OK, "8 counters", NULL);
    EXPECT(&d, "uncore", OK, "2 units", NULL);
    EXPECT(&d, "OpenBLAS", MISSING, "not in this build", "install it");
    for (int i = 0; i < d.n_can; i++) assert_int_equal(d.can[i].health, RG_HEALTH_OK);
}

static void test_paranoid(void **state)
{
    (void)state;
    rg_host h = good_host();
    fake_file(h.root, "/proc/sys/kernel/perf_event_paranoid", "4\n");
    h.hw_errno = h.sw_errno = EACCES;
    rg_doctor d = examined(&h);
    EXPECT(&d, "paranoid", MISSING, "4", "sudo sysctl kernel.perf_event_paranoid=2");
    EXPECT(&d, "pmu", MISSING, "perf_event_paranoid is 4", "sudo sysctl kernel.perf_event_paranoid=2");
    EXPECT(&d, "seccomp", MISSING, "Permission denied", "perf_event_paranoid=2");
    EXPECT(&d, "uncore", LIMITED, "closed", "perf_event_paranoid=0");
    assert_int_equal(can(&d, "core"), RG_HEALTH_MISSING);
    assert_int_equal(can(&d, "software"), RG_HEALTH_MISSING);
    assert_int_equal(can(&d, "counted"), RG_HEALTH_OK);
    /* stock Debian: even root is not served by PAPI 7.0 */
    fake_file(h.root, "/proc/sys/kernel/perf_event_paranoid", "3\n");
    h.superuser = true;
    h.hw_errno = h.sw_errno = 0;
    d = examined(&h);
    EXPECT(&d, "paranoid", MISSING, "3", "perf_event_paranoid=2");
    fake_file(h.root, "/proc/sys/kernel/perf_event_paranoid", "2\n");
    h.superuser = false;
    d = examined(&h);
    EXPECT(&d, "paranoid", LIMITED, "user mode only", "perf_event_paranoid=0");
    assert_int_equal(can(&d, "core"), RG_HEALTH_OK);
    /* CAP_PERFMON, bit 38, opens what the level closes */
    fake_file(h.root, "/proc/self/status", "CapEff:\t0000004000000000\nSeccomp:\t0\n");
    d = examined(&h);
    EXPECT(&d, "paranoid", OK, "2", NULL);
    EXPECT(&d, "capability", OK, "CAP_PERFMON", NULL);
    EXPECT(&d, "uncore", OK, NULL, NULL);
}

static void test_cgroups(void **state)
{
    (void)state;
    rg_host h = good_host();
    /* v2: the parent's limit is the smaller one */
    fake_file(h.root, "/proc/self/cgroup", "0::/a/b\n");
    fake_file(h.root, "/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    fake_file(h.root, "/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    fake_file(h.root, "/sys/fs/cgroup/a/b/cpu.stat", "usage_usec 5\nnr_throttled 12\n");
    fake_file(h.root, "/sys/fs/cgroup/a/memory.max", "max\n");
    fake_file(h.root, "/sys/fs/cgroup/a/b/memory.max", "1073741824\n");
    rg_doctor d = examined(&h);
    EXPECT(&d, "cgroup_cpu", LIMITED, "1.50 processors; it was throttled already", "-t 1");
    EXPECT(&d, "cgroup_mem", LIMITED, "1.00 GiB", "--memory");
    /* v1, with the host's path that does not exist in the container: the mount's root counts */
    fake_file(h.root, "/proc/self/cgroup", "4:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n0::/\n");
    fake_file(h.root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
    fake_file(h.root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    fake_file(h.root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
    d = examined(&h);
    EXPECT(&d, "cgroup_cpu", LIMITED, "2.00 processors", "-t 2");
    EXPECT(&d, "cgroup_mem", LIMITED, "2.00 GiB", NULL);
    EXPECT(&d, "container", OK, "Docker", NULL);
    /* v1 writes "no limit" as a number near 2^63, and a quota of -1 */
    fake_file(h.root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    fake_file(h.root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    d = examined(&h);
    EXPECT(&d, "cgroup_cpu", OK, "none", NULL);
    EXPECT(&d, "cgroup_mem", OK, "none", NULL);
}

static void test_container(void **state)
{
    (void)state;
    rg_host h = good_host();
    fake_file(h.root, "/.dockerenv", "");
    fake_file(h.root, "/proc/self/status", "CapEff:\t00000000a80425fb\nSeccomp:\t2\nCpus_allowed_list:\t1\n");
    h.superuser = true;
    h.hw_errno = h.sw_errno = EPERM;
    const rg_doctor d = examined(&h);
    EXPECT(&d, "container", LIMITED, "Docker", "seccomp=unconfined");
    EXPECT(&d, "seccomp", MISSING, "a seccomp filter is in force", "--cap-add PERFMON");
    EXPECT(&d, "pmu", MISSING, "seccomp", "--cap-add PERFMON");
    /* the level is 0: nothing is closed by it */
    EXPECT(&d, "capability", OK, "root without CAP_PERFMON", NULL);
    EXPECT(&d, "affinity", LIMITED, "1 of 4 (1)", "taskset -c 0-3");
    assert_int_equal(can(&d, "software"), RG_HEALTH_MISSING);
}

static void test_virtual_machine(void **state)
{
    (void)state;
    rg_host h = good_host();
    char path[400];
    snprintf(path, sizeof path, "%s/sys/bus", h.root);
    remove_tree(path);
    snprintf(path, sizeof path, "%s/sys/class", h.root);
    remove_tree(path);
    snprintf(h.hypervisor, sizeof h.hypervisor, "KVMKVMKVM");
    h.pmu_version = h.pmu_counters = 0;
    h.hw_errno = ENOENT;
    fake_file(h.root, "/proc/stat", "cpu  1000 0 500 90000 0 0 0 4000 0 0\n");
    const rg_doctor d = examined(&h);
    EXPECT(&d, "pmu", MISSING, "CPUID leaf 0xA is 0", "pmu=on");
    EXPECT(&d, "uncore", MISSING, "no memory-controller PMU", "bare metal");
    EXPECT(&d, "energy", MISSING, "no RAPL", "bare metal");
    EXPECT(&d, "hypervisor", LIMITED, "KVMKVMKVM", NULL);
    EXPECT(&d, "steal", LIMITED, "4.19 %", NULL);
    assert_int_equal(can(&d, "core"), RG_HEALTH_MISSING);
    assert_int_equal(can(&d, "software"), RG_HEALTH_OK);
}

static void test_settings(void **state)
{
    (void)state;
    rg_host h = good_host();
    fake_file(h.root, "/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
    rg_doctor d = examined(&h);
    EXPECT(&d, "governor", LIMITED, "not the same", "cpupower frequency-set -g performance");
    for (int i = 0; i < 4; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", i);
        fake_file(h.root, path, "powersave\n");
    }
    fake_file(h.root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n");
    fake_file(h.root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
    fake_file(h.root, "/sys/devices/system/cpu/smt/active", "1\n");
    fake_file(h.root, "/sys/devices/system/node/node1/cpulist", "2-3\n");
    fake_file(h.root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    fake_file(
        h.root, "/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm\n");
    fake_file(h.root, "/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    fake_file(h.root, "/proc/sys/kernel/nmi_watchdog", "1\n");
    fake_file(h.root, "/proc/loadavg", "3.50 0.20 0.30 5/200 4711\n");
    fake_file(
        h.root, "/proc/self/limits", "Max open files            256                 8192       files\n");
    fake_file(h.root, "/proc/meminfo",
        "MemTotal:       16000000 kB\nMemAvailable:   1000000 kB\nSwapTotal: 8000000 kB\nSwapFree: 1000000 "
        "kB\n");
    d = examined(&h);
    EXPECT(&d, "governor", LIMITED, "powersave, driver intel_pstate", NULL);
    EXPECT(&d, "turbo", LIMITED, "on", "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo");
    EXPECT(&d, "smt", LIMITED, "on", "echo off");
    EXPECT(&d, "numa", LIMITED, "2", "numactl");
    EXPECT(&d, "clock", LIMITED, "hpet", "echo tsc");
    EXPECT(&d, "hugepages", MISSING, "never", "echo madvise");
    EXPECT(&d, "watchdog", LIMITED, "on", "nmi_watchdog=0");
    EXPECT(&d, "load", LIMITED, "3.50", "top");
    EXPECT(&d, "files", LIMITED, "256", "ulimit -n 4096");
    EXPECT(&d, "memory", LIMITED, "swapped", "swapoff");
    assert_int_equal(can(&d, "time"), RG_HEALTH_LIMITED);
    assert_int_equal(can(&d, "core"), RG_HEALTH_LIMITED); /* the watchdog's counter */
}

/* No file at all: nothing crashes, nothing is claimed. */
static void test_nothing(void **state)
{
    (void)state;
    const rg_host h = {.root = fake_tree(), .pmu_version = -1, .hw_errno = ENOSYS, .sw_errno = ENOSYS};
    const rg_doctor d = examined(&h);
    EXPECT(&d, "pmu", MISSING, "no PMU", NULL);
    EXPECT(&d, "paranoid", MISSING, "no /proc/sys", NULL);
    EXPECT(&d, "governor", UNKNOWN, NULL, NULL);
    EXPECT(&d, "memory", UNKNOWN, NULL, NULL);
    EXPECT(&d, "seccomp", MISSING, "not implemented", "CONFIG_PERF_EVENTS");
}

static void test_output(void **state)
{
    (void)state;
    const rg_host h = good_host();
    rg_host here;
    rg_host_here(&here);
    here.sample_ms = 1;
    const rg_doctor d[] = {examined(&h), examined(&here)};
    for (int i = 0; i < 2; i++) {
        char path[300], cmd[900];
        rg_err err;
        snprintf(path, sizeof path, "%s/doctor%d.json", temp_dir(), i);
        FILE *f = fopen(path, "w+");
        assert_int_equal(rg_doctor_json(f, &d[i], &err), RG_OK);
        rewind(f);
        json_t *j = json_loadf(f, 0, NULL);
        assert_int_equal(json_array_size(json_object_get(j, "checks")), d[i].n);
        assert_true(json_is_null(json_object_get(json_array_get(json_object_get(j, "checks"), 0), "cost")) ==
            (d[i].f[0].cost[0] == 0));
        json_decref(j);
        fclose(f);
        snprintf(cmd, sizeof cmd, "python3 '%s/tests/check_json.py' '%s/doctor.schema.json' %s",
            RIDGE_SOURCE_DIR, RIDGE_SCHEMAS, path);
        const int rc = system(cmd);
        assert_true(WIFEXITED(rc) && (WEXITSTATUS(rc) == 0 || WEXITSTATUS(rc) == 77));
        f = tmpfile();
        assert_int_equal(rg_doctor_md(f, &d[i], &err), RG_OK);
        rewind(f);
        char line[1000];
        bool seen[4] = {false};
        while (fgets(line, sizeof line, f)) {
            assert_true(strlen(line) <= 101); /* short lines */
            for (int s = 0; s < 4; s++)
                if (strncmp(line + 2, rg_health_names[s], strlen(rg_health_names[s])) == 0) seen[s] = true;
        }
        assert_true(seen[RG_HEALTH_OK] && seen[RG_HEALTH_MISSING]);
        fclose(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_paranoid),
        cmocka_unit_test(test_cgroups), cmocka_unit_test(test_container),
        cmocka_unit_test(test_virtual_machine), cmocka_unit_test(test_settings),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_output)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
