/* A PMU for machines that have none, as a library to preload: hardware events open as if they were there and
 * count what the test says, or fail as the test says. PAPI's own code runs for real: presets, groups,
 * threads, start, read, stop. Needs LIBPFM_FORCE_PMU, which tells libpfm what CPU to believe in.
 *
 *   FAKEPMU=values            every read of a group adds one tick; an event's value is ticks times its value
 *   FAKEPMU=eacces|eperm|enoent|ebusy|emfile|eagain   hardware events do not open
 *   FAKEPMU=still             hardware events open and stay 0
 *   FAKEPMU_VALUES=2c7=300,.. value by the low 16 bits of the event's code, hexadecimal (default 100)
 *   FAKEPMU_COUNTERS=n        a group of more than n cannot be read, as pinned groups that do not fit cannot
 *   FAKEPMU_AFTER=n           the failure of FAKEPMU begins after n opened events
 *   FAKEPMU_UNCORE=1          events of other PMUs (memory controllers) are faked too
 *   FAKEPMU_SOFTWARE=errno    software events fail too, as under a seccomp filter */
#include <dlfcn.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 4096, GROUP = 64 };
static struct {
    atomic_bool fake;
    int leader, members;
    int member[GROUP];
    uint64_t config, format, ticks;
} fds[MOST];
static atomic_int opened;

static const char *setting(const char *name)
{
    const char *s = getenv(name);
    return s ? s : "";
}

static int errno_named(const char *s)
{
    static const struct {
        const char *name;
        int value;
    } names[] = {{"eacces", EACCES}, {"eperm", EPERM}, {"enoent", ENOENT}, {"ebusy", EBUSY},
        {"emfile", EMFILE}, {"eagain", EAGAIN}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, s) == 0) return names[i].value;
    return 0;
}

static uint64_t value_of(uint64_t config)
{
    for (const char *p = setting("FAKEPMU_VALUES"); *p;) {
        char *end;
        const uint64_t code = strtoull(p, &end, 16);
        const uint64_t value = *end == '=' ? strtoull(end + 1, &end, 10) : 0;
        if (code == (config & 0xffff)) return value;
        p = *end == ',' ? end + 1 : "";
    }
    return 100;
}

/* The kernel's struct is younger or older than ours: what it does not have is zero. */
static long open_event(
    long (*real)(long, ...), const struct perf_event_attr *from, long pid, long cpu, long group, long flags)
{
    struct perf_event_attr a = {0};
    memcpy(&a, from, from->size && from->size < sizeof a ? from->size : PERF_ATTR_SIZE_VER0);
    const bool other = a.type > PERF_TYPE_BREAKPOINT && *setting("FAKEPMU_UNCORE");
    const bool hardware =
        a.type == PERF_TYPE_HARDWARE || a.type == PERF_TYPE_RAW || a.type == PERF_TYPE_HW_CACHE || other;
    if (other) { /* this thread stands for the socket */
        pid = 0;
        cpu = -1;
    }
    const int soft = errno_named(setting("FAKEPMU_SOFTWARE")), fail = errno_named(setting("FAKEPMU"));
    if (!hardware && a.type == PERF_TYPE_SOFTWARE && soft) {
        errno = soft;
        return -1;
    }
    if (!hardware) return real(SYS_perf_event_open, from, pid, cpu, group, flags);
    if (fail && atomic_load(&opened) >= atoi(setting("FAKEPMU_AFTER"))) {
        errno = fail;
        return -1;
    }
    const uint64_t config = a.config;
    a.type = PERF_TYPE_SOFTWARE;
    a.config = PERF_COUNT_SW_TASK_CLOCK;
    a.config1 = a.config2 = 0;
    a.precise_ip = 0;
    const long fd = real(SYS_perf_event_open, &a, pid, cpu, group, flags);
    if (fd < 0 || fd >= MOST) return fd;
    atomic_fetch_add(&opened, 1);
    /* passed as an int: the upper half of the long is anything */
    const int leader = (int)group < 0 ? (int)fd : (int)group;
    fds[fd].leader = leader;
    fds[fd].config = config;
    fds[fd].format = a.read_format;
    fds[fd].ticks = 0;
    if (leader == (int)fd) fds[leader].members = 0;
    if (fds[leader].members < GROUP) fds[leader].member[fds[leader].members++] = (int)fd;
    atomic_store(&fds[fd].fake, true);
    return fd;
}

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    va_list ap;
    long v[6];
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    va_start(ap, number);
    for (int i = 0; i < 6; i++) v[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_perf_event_open)
        return open_event(real, (const struct perf_event_attr *)v[0], v[1], v[2], v[3], v[4]);
    return real(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

ssize_t read(int fd, void *buf, size_t n)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "read");
    const ssize_t got = real(fd, buf, n);
    if (got <= 0 || fd < 0 || fd >= MOST || !atomic_load(&fds[fd].fake)) return got;
    const int most = atoi(setting("FAKEPMU_COUNTERS"));
    if (most > 0 && fds[fd].members > most) return 0;
    uint64_t *u = buf;
    if (!(fds[fd].format & PERF_FORMAT_GROUP)) {
        if (n == sizeof *u) *u = ++fds[fd].ticks * value_of(fds[fd].config);
        return got;
    }
    const int head = 1 + !!(fds[fd].format & PERF_FORMAT_TOTAL_TIME_ENABLED) +
        !!(fds[fd].format & PERF_FORMAT_TOTAL_TIME_RUNNING);
    fds[fd].ticks++;
    for (int i = 0; i < fds[fd].members && (size_t)(head + i + 1) * sizeof *u <= (size_t)got; i++)
        u[head + i] = strcmp(setting("FAKEPMU"), "still") == 0
            ? 0
            : fds[fd].ticks * value_of(fds[fds[fd].member[i]].config);
    return got;
}

int close(int fd)
{
    static int (*real)(int);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < MOST) atomic_store(&fds[fd].fake, false);
    return real(fd);
}
