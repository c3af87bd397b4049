/* Socket-wide counters on hosts that are not ours: the kernel's description of memory controllers and energy
 * zones in a fake /sys. The counting itself runs under the preloaded PMU (fakepmu.c). */
#include "testing.h"

#include <sys/wait.h>

#include "check_inside.h"
#include "fake_tree.h"
#include "roofline/count/socket.h"

#define DEV "/sys/bus/event_source/devices/"

/* Two controllers of an Intel server on two sockets. */
static void server(const char *root)
{
    for (int i = 0; i < 2; i++) {
        char path[200];
#define PUT(file, text) \
    (snprintf(path, sizeof path, DEV "uncore_imc_%d/" file, i), fake_file(root, path, text))
        PUT("type", i ? "21\n" : "20\n");
        PUT("cpumask", "0,1\n");
        PUT("format/event", "config:0-7\n");
        PUT("format/umask", "config:8-15\n");
        PUT("events/cas_count_read", "event=0x04,umask=0x03\n");
        PUT("events/cas_count_read.scale", "6.103515625e-5\n");
        PUT("events/cas_count_read.unit", "MiB\n");
        PUT("events/cas_count_write", "event=0x04,umask=0x0c\n");
        PUT("events/cas_count_write.scale", "6.103515625e-5\n");
        PUT("events/cas_count_write.unit", "MiB\n");
    }
}

static void energy(const char *root, const char *uj)
{
    fake_file(root, "/sys/class/powercap/intel-rapl:0/name", "package-0\n");
    fake_file(root, "/sys/class/powercap/intel-rapl:0/energy_uj", uj);
    fake_file(root, "/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    fake_file(root, "/sys/class/powercap/intel-rapl:0:0/name", "core\n");
    fake_file(root, "/sys/class/powercap/intel-rapl:0:0/energy_uj", "99999999\n");
    fake_file(root, "/sys/class/powercap/intel-rapl:0:1/name", "dram\n");
    fake_file(root, "/sys/class/powercap/intel-rapl:0:1/energy_uj", "2000000\n");
}

static void test_energy(void **state)
{
    (void)state;
    char root[256];
    snprintf(root, sizeof root, "%s", fake_tree());
    energy(root, "1500000\n");
    const rg_host h = {.root = root};
    rg_socket *s = rg_socket_open(&h);
    double a[RG_SOCKET_COUNT], b[RG_SOCKET_COUNT], d[RG_SOCKET_COUNT];
    rg_metric m[RG_SOCKET_COUNT];
    rg_socket_read(s, a);
    assert_near(a[RG_SOCKET_PACKAGE], 1.5, 1e-12); /* the cores are part of the package */
    assert_near(a[RG_SOCKET_DRAM], 2.0, 1e-12);
    assert_true(isnan(a[RG_SOCKET_READ]));
    energy(root, "4000000\n");
    rg_socket_read(s, b);
    rg_socket_since(s, d, a, b);
    assert_near(d[RG_SOCKET_PACKAGE], 2.5, 1e-12);
    assert_near(d[RG_SOCKET_DRAM], 0.0, 1e-12);
    assert_true(isnan(d[RG_SOCKET_READ]));
    energy(root, "1000000\n"); /* wrapped */
    rg_socket_read(s, b);
    rg_socket_since(s, d, a, b);
    assert_near(d[RG_SOCKET_PACKAGE], 262143.32885 - 0.5, 1e-6);
    rg_socket_metrics(s, m);
    assert_true(
        m[RG_SOCKET_PACKAGE].available && strstr(m[RG_SOCKET_PACKAGE].events, "intel-rapl:0/energy_uj"));
    assert_false(m[RG_SOCKET_READ].available);
    assert_non_null(strstr(m[RG_SOCKET_READ].reason, "no memory-controller PMU"));
    rg_socket_close(s);
    rg_socket_close(NULL);
}

/* A guest without anything: every metric has its reason and its remedy. */
static void test_nothing(void **state)
{
    (void)state;
    const rg_host h = {.root = fake_tree(), .hypervisor = "KVMKVMKVM"};
    rg_socket *s = rg_socket_open(&h);
    rg_metric m[RG_SOCKET_COUNT];
    rg_socket_metrics(s, m);
    for (int i = 0; i < RG_SOCKET_COUNT; i++) {
        assert_false(m[i].available);
        assert_true(m[i].reason[0] && strstr(m[i].remedy, "bare metal"));
        assert_string_equal(m[i].name, rg_socket_names[i]);
    }
    rg_socket_close(s);
}

/* Inside: the preloaded PMU counts 7 per tick for event=4,umask=3 and 5 for umask=0xc, of each of 2
 * controllers on 2 sockets. */
static void counted(void)
{
    const rg_host h = {.root = getenv("FAKE_ROOT")};
    rg_socket *s = rg_socket_open(&h);
    double a[RG_SOCKET_COUNT], b[RG_SOCKET_COUNT], d[RG_SOCKET_COUNT];
    rg_metric m[RG_SOCKET_COUNT];
    rg_socket_metrics(s, m);
    CHECK(m[RG_SOCKET_READ].available && m[RG_SOCKET_WRITE].available &&
        strstr(m[RG_SOCKET_READ].events, "uncore_imc_"));
    rg_socket_read(s, a);
    rg_socket_read(s, b);
    rg_socket_since(s, d, a, b);
    CHECK(fabs(d[RG_SOCKET_READ] - 4 * 7 * 64) < 1e-6);
    CHECK(fabs(d[RG_SOCKET_WRITE] - 4 * 5 * 64) < 1e-6);
    rg_socket_close(s);
}

static void amd(void)
{
    const rg_host h = {.root = getenv("FAKE_ROOT"), .amd = true};
    rg_socket *s = rg_socket_open(&h);
    double a[RG_SOCKET_COUNT], b[RG_SOCKET_COUNT], d[RG_SOCKET_COUNT];
    rg_socket_read(s, a);
    rg_socket_read(s, b);
    rg_socket_since(s, d, a, b);
    CHECK(fabs(d[RG_SOCKET_READ] - 3 * 64) < 1e-6); /* rdwrmask 1 in bits 8-9: code 10a */
    CHECK(fabs(d[RG_SOCKET_WRITE] - 2 * 64) < 1e-6);
    rg_socket_close(s);
}

static void refused(void)
{
    const rg_host h = {.root = getenv("FAKE_ROOT")};
    rg_socket *s = rg_socket_open(&h);
    rg_metric m[RG_SOCKET_COUNT];
    double a[RG_SOCKET_COUNT];
    rg_socket_metrics(s, m);
    rg_socket_read(s, a);
    CHECK(!m[RG_SOCKET_READ].available && isnan(a[RG_SOCKET_READ]));
    CHECK(strstr(m[RG_SOCKET_READ].reason, "Permission denied") &&
        strstr(m[RG_SOCKET_READ].reason, "perf_event_paranoid is 2"));
    CHECK(strcmp(m[RG_SOCKET_READ].remedy, "sudo sysctl kernel.perf_event_paranoid=0") == 0);
    rg_socket_close(s);
}

static void scenario(const char *name, const char *root, const char *fakepmu)
{
#if defined(RIDGE_SANITIZED)
    (void)root, (void)fakepmu;
    print_message("SKIPPED: a preloaded library and the sanitizers do not mix (%s)\n", name);
    skip();
#else
    const char *shim = getenv("FAKEPMU_LIBRARY");
    if (!shim || access(shim, R_OK) != 0)
        fail_msg("FAKEPMU_LIBRARY names no library: run this test through ctest");
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        char self[512];
        const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n < 0) _exit(126);
        self[n] = 0;
        setenv("LD_PRELOAD", shim, 1);
        setenv("FAKE_ROOT", root, 1);
        setenv("FAKEPMU", fakepmu, 1);
        setenv("FAKEPMU_UNCORE", "1", 1);
        setenv("FAKEPMU_VALUES", "304=7,c04=5,10a=3,20a=2", 1);
        execl(self, self, name, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s: status 0x%x, see above", name, status);
#endif
}

static void test_server(void **state)
{
    (void)state;
    char root[256];
    snprintf(root, sizeof root, "%s", fake_tree());
    server(root);
    scenario("counted", root, "values");
}

static void test_amd(void **state)
{
    (void)state;
    char root[256];
    snprintf(root, sizeof root, "%s", fake_tree());
    fake_file(root, DEV "amd_umc_0/type", "17\n");
    fake_file(root, DEV "amd_umc_0/cpumask", "0\n");
    fake_file(root, DEV "amd_umc_0/format/event", "config:0-7\n");
    fake_file(root, DEV "amd_umc_0/format/rdwrmask", "config:8-9\n");
    scenario("amd", root, "values");
}

static void test_refused(void **state)
{
    (void)state;
    char root[256];
    snprintf(root, sizeof root, "%s", fake_tree());
    server(root);
    fake_file(root, "/proc/sys/kernel/perf_event_paranoid", "2\n");
    scenario("refused", root, "eacces");
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        if (strcmp(argv[1], "counted") == 0)
            counted();
        else if (strcmp(argv[1], "amd") == 0)
            amd();
        else if (strcmp(argv[1], "refused") == 0)
            refused();
        else
            return 2;
        return line_of_failure != 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_energy), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_server), cmocka_unit_test(test_amd), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
