/* Bytes through the memory controllers and the socket's energy, from the PMUs in /sys. */
#include "roofline/count/socket.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const rg_socket_names[RG_SOCKET_COUNT] = {
    "socket_read_bytes", "socket_write_bytes", "package_energy_j", "dram_energy_j"};

enum { MOST_FDS = 512, MOST_ZONES = 32 };
static const char devices[] = "/sys/bus/event_source/devices";
#define POWERCAP "/sys/class/powercap"

/* Memory controllers: prefix of the kernel PMU's folder, its events for reads and writes, and their terms
 * where they are in perf's tables, not in /sys. The row whose event is there is used. */
static const struct controller {
    const char *pmu, *event[2], *terms[2];
} controllers[] = {
    /* Intel clients */
    {"uncore_imc_free_running_", {"data_read", "data_write"}, {NULL}},
    {"uncore_imc_", {"cas_count_read", "cas_count_write"}, {NULL}}, /* Intel servers */
    /* older Intel clients */
    {"uncore_imc_", {"cas_count_rd", "cas_count_wr"}, {NULL}},
    {"uncore_imc", {"data_reads", "data_writes"}, {NULL}},
    {"amd_umc_", {"umc_cas_cmd.rd", "umc_cas_cmd.wr"},
        {"event=0x0a,rdwrmask=0x1", "event=0x0a,rdwrmask=0x2"}}, /* AMD Zen 4 and later */
};

typedef struct counter {
    int fd;
    rg_socket_id id;
    double scale; /* to bytes */
} counter;

typedef struct zone {
    char path[160];
    rg_socket_id id;
    double range_uj; /* where it wraps */
} zone;

struct rg_socket {
    rg_host host;
    counter c[MOST_FDS];
    int n;
    zone z[MOST_ZONES];
    int n_zones;
    char events[RG_SOCKET_COUNT][160]; /* as long as a zone's path */
    int error;                         /* errno of the first refused controller event; 0: none */
    int found;                         /* controllers there are */
    bool refused_energy;
    double wrap[RG_SOCKET_COUNT]; /* sum of ranges, joules */
};

/* Puts value into the bits of "config1:0-7,32". */
static bool put_bits(const char *where, uint64_t value, struct perf_event_attr *a)
{
    __u64 *word = &a->config;
    if (strncmp(where, "config1:", 8) == 0) word = &a->config1;
    if (strncmp(where, "config2:", 8) == 0) word = &a->config2;
    const char *p = strchr(where, ':');
    for (p = p ? p + 1 : ""; *p;) {
        char *end;
        const unsigned long lo = strtoul(p, &end, 10);
        const unsigned long hi = *end == '-' ? strtoul(end + 1, &end, 10) : lo;
        if (lo > 63 || hi > 63 || hi < lo) return false;
        for (unsigned long b = lo; b <= hi; b++, value >>= 1) *word |= (value & 1) << b;
        if (*end != ',') break;
        p = end + 1;
    }
    return value == 0; /* what does not fit is an error */
}

/* "event=0x04,umask=0x03" by the formats of the PMU. */
static bool encode(const rg_host *h, const char *pmu, const char *terms, struct perf_event_attr *a)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", terms);
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        char path[400], where[64];
        char *eq = strchr(w, '=');
        const uint64_t value = eq ? strtoull(eq + 1, NULL, 0) : 1;
        if (eq) *eq = 0;
        snprintf(path, sizeof path, "%s/%s/format/%s", devices, pmu, w);
        if (!rg_host_line(h, path, where, sizeof where) || !put_bits(where, value, a)) return false;
    }
    return true;
}

/* Bytes of one count: the kernel's scale and unit, else a line of 64. */
static double scale_of(const rg_host *h, const char *pmu, const char *event)
{
    char path[400], text[64], unit[32];
    snprintf(path, sizeof path, "%s/%s/events/%s.scale", devices, pmu, event);
    if (!rg_host_line(h, path, text, sizeof text)) return 64.0;
    snprintf(path, sizeof path, "%s/%s/events/%s.unit", devices, pmu, event);
    if (!rg_host_line(h, path, unit, sizeof unit)) return 64.0;
    const double scale = strtod(text, NULL);
    return strcmp(unit, "MiB") == 0  ? scale * 1048576.0
        : strcmp(unit, "MB") == 0    ? scale * 1e6
        : strcmp(unit, "Bytes") == 0 ? scale
                                     : 64.0;
}

static void open_event(rg_socket *s, const char *pmu, const struct controller *row, int i)
{
    const char *event = row->event[i];
    const rg_socket_id id = i ? RG_SOCKET_WRITE : RG_SOCKET_READ;
    const rg_host *h = &s->host;
    char path[400], terms[256], cpus[128];
    long long type;
    struct perf_event_attr a;
    memset(&a, 0, sizeof a);
    a.size = sizeof a;
    snprintf(path, sizeof path, "%s/%s/events/%s", devices, pmu, event);
    if (!rg_host_line(h, path, terms, sizeof terms)) {
        if (!row->terms[i]) return;
        snprintf(terms, sizeof terms, "%s", row->terms[i]);
    }
    snprintf(path, sizeof path, "%s/%s/type", devices, pmu);
    if (!rg_host_number(h, path, &type) || !encode(h, pmu, terms, &a)) return;
    a.type = (uint32_t)type;
    snprintf(path, sizeof path, "%s/%s/cpumask", devices, pmu);
    if (!rg_host_line(h, path, cpus, sizeof cpus)) snprintf(cpus, sizeof cpus, "0");
    s->found++;
    for (const char *p = cpus; *p && s->n < MOST_FDS;) { /* one processor per socket: "0,32" */
        char *end;
        const long cpu = strtol(p, &end, 10);
        if (end == p) break;
        const int fd = (int)syscall(SYS_perf_event_open, &a, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
        if (fd >= 0)
            s->c[s->n++] = (counter){.fd = fd, .id = id, .scale = scale_of(h, pmu, event)};
        else if (!s->error)
            s->error = errno;
        p = *end == ',' ? end + 1 : "";
    }
    if (!s->events[id][0])
        snprintf(s->events[id], sizeof s->events[id], "%s/%s/, one for each controller", pmu, event);
}

typedef struct finder {
    rg_socket *s;
    const struct controller *row;
} finder;

static void each_controller(void *user, const char *name)
{
    const finder *f = user;
    for (int i = 0; i < 2; i++) open_event(f->s, name, f->row, i);
}

static bool all_open(const rg_socket *s) { return s->n > 0 && s->error == 0; }

static void find_controllers(rg_socket *s)
{
    for (size_t r = 0; r < sizeof controllers / sizeof *controllers && s->n == 0; r++) {
        finder f = {s, &controllers[r]};
        rg_host_each(&s->host, devices, controllers[r].pmu, each_controller, &f);
    }
    if (all_open(s)) return;
    while (s->n > 0) close(s->c[--s->n].fd); /* some controllers are no socket */
}

static void each_zone(void *user, const char *name)
{
    rg_socket *s = user;
    char path[200], label[64];
    long long v, range;
    snprintf(path, sizeof path, POWERCAP "/%.80s/name", name);
    if (!rg_host_line(&s->host, path, label, sizeof label)) return;
    const bool dram = strcmp(label, "dram") == 0, package = strncmp(label, "package", 7) == 0;
    if ((!dram && !package) || s->n_zones == MOST_ZONES) return;
    const rg_socket_id id = dram ? RG_SOCKET_DRAM : RG_SOCKET_PACKAGE;
    zone *z = &s->z[s->n_zones];
    snprintf(z->path, sizeof z->path, POWERCAP "/%.80s/energy_uj", name);
    if (!rg_host_number(&s->host, z->path, &v)) {
        s->refused_energy |= rg_host_exists(&s->host, z->path);
        return;
    }
    snprintf(path, sizeof path, POWERCAP "/%.80s/max_energy_range_uj", name);
    z->range_uj = rg_host_number(&s->host, path, &range) ? (double)range : 0.0;
    z->id = id;
    s->wrap[id] += 1e-6 * z->range_uj;
    if (!s->events[id][0]) memcpy(s->events[id], z->path, sizeof s->events[id]);
    s->n_zones++;
}

rg_socket *rg_socket_open(const rg_host *host)
{
    rg_socket *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->host = *host;
    find_controllers(s);
    /* AMD's driver has that name too; intel-rapl-mmio would count twice */
    rg_host_each(host, POWERCAP, "intel-rapl:", each_zone, s);
    return s;
}

void rg_socket_close(rg_socket *s)
{
    if (!s) return;
    while (s->n > 0) close(s->c[--s->n].fd);
    free(s);
}

void rg_socket_read(rg_socket *s, double v[RG_SOCKET_COUNT])
{
    for (int i = 0; i < RG_SOCKET_COUNT; i++) v[i] = NAN;
    bool ok = true;
    double sum[RG_SOCKET_COUNT] = {0};
    bool has[RG_SOCKET_COUNT] = {false};
    for (int i = 0; i < s->n; i++) {
        uint64_t x;
        ok &= read(s->c[i].fd, &x, sizeof x) == (ssize_t)sizeof x;
        if (!ok) break;
        sum[s->c[i].id] += s->c[i].scale * (double)x;
        has[s->c[i].id] = true;
    }
    for (int i = 0; i < s->n_zones; i++) {
        long long uj;
        if (!rg_host_number(&s->host, s->z[i].path, &uj)) continue;
        sum[s->z[i].id] += 1e-6 * (double)uj;
        has[s->z[i].id] = true;
    }
    for (int i = 0; i < RG_SOCKET_COUNT; i++)
        if (has[i] && (ok || i >= RG_SOCKET_PACKAGE)) v[i] = sum[i];
}

void rg_socket_since(const rg_socket *s, double out[RG_SOCKET_COUNT], const double before[RG_SOCKET_COUNT],
    const double after[RG_SOCKET_COUNT])
{
    for (int i = 0; i < RG_SOCKET_COUNT; i++) {
        out[i] = after[i] - before[i]; /* NAN stays */
        if (out[i] < 0.0 && s->wrap[i] > 0.0) out[i] += s->wrap[i];
    }
}

void rg_socket_metrics(const rg_socket *s, rg_metric m[RG_SOCKET_COUNT])
{
    const rg_host *h = &s->host;
    for (int i = 0; i < RG_SOCKET_COUNT; i++) {
        const bool bytes = i < RG_SOCKET_PACKAGE;
        bool have = false;
        for (int k = 0; k < s->n; k++) have |= (int)s->c[k].id == i;
        for (int k = 0; k < s->n_zones; k++) have |= (int)s->z[k].id == i;
        m[i] = (rg_metric){
            .name = rg_socket_names[i], .source = bytes ? "uncore" : "rapl", .ctr = -1, .available = have};
        if (have)
            snprintf(m[i].events, sizeof m[i].events, "%s", s->events[i]);
        else if (bytes && s->found == 0)
            rg_metric_lacks(&m[i],
                h->hypervisor[0] ? "run on bare metal: guests are not shown the socket's counters"
                    : h->amd     ? "sudo modprobe amd_uncore"
                                 : "sudo modprobe intel_uncore",
                "no memory-controller PMU with such an event in %s", devices);
        else if (bytes)
            rg_metric_lacks(&m[i],
                s->error == EMFILE ? "ulimit -n 4096" : "sudo sysctl kernel.perf_event_paranoid=0",
                "the kernel refuses socket-wide events (%s; perf_event_paranoid is %d)", strerror(s->error),
                rg_host_paranoid(h));
        else if (s->refused_energy)
            rg_metric_lacks(&m[i], "sudo chmod a+r " POWERCAP "/intel-rapl:*/energy_uj",
                POWERCAP "/intel-rapl:*/energy_uj is not readable for this user");
        else
            rg_metric_lacks(&m[i],
                i == RG_SOCKET_DRAM && s->wrap[RG_SOCKET_PACKAGE] > 0.0
                    ? "a server CPU: clients do not count the energy of their memory"
                    : h->hypervisor[0] ? "run on bare metal: guests are not shown the energy counters"
                                       : "sudo modprobe intel_rapl_msr",
                "no %s zone in " POWERCAP, i == RG_SOCKET_DRAM ? "dram" : "package");
    }
}
