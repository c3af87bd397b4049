#include "roofline/soft_events.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *label;
    uint64_t config;
} events[] = {
#define RG_SW_EVENT(label, name, config) {label, config},
#include "roofline/events.def"
};
_Static_assert(sizeof events / sizeof *events == RG_SOFT_EVENTS, "RG_SOFT_EVENTS counts the rows of events.def");

const char *const rg_soft_labels[RG_SOFT_EVENTS] = {
#define RG_SW_EVENT(label, name, config) label,
#include "roofline/events.def"
};

bool rg_soft_open(rg_soft *s)
{
    int n = 0;
    for (; n < RG_SOFT_EVENTS; n++) {
        struct perf_event_attr a;
        memset(&a, 0, sizeof a);
        a.size = sizeof a;
        a.type = PERF_TYPE_SOFTWARE;
        a.config = events[n].config;
        a.read_format = PERF_FORMAT_GROUP;
        a.exclude_kernel = 1; /* what an unprivileged process may ask for; both events count user time and faults all the same */
        a.exclude_hv = 1;
        s->fd[n] = (int)syscall(SYS_perf_event_open, &a, 0, -1, n ? s->fd[0] : -1, PERF_FLAG_FD_CLOEXEC);
        if (s->fd[n] < 0) break;
    }
    uint64_t v[RG_SOFT_EVENTS];
    if (n == RG_SOFT_EVENTS && rg_soft_read(s, v)) return true;
    while (n > 0) close(s->fd[--n]);
    return false;
}

bool rg_soft_read(const rg_soft *s, uint64_t v[RG_SOFT_EVENTS])
{
    struct {
        uint64_t n, value[RG_SOFT_EVENTS];
    } group;
    if (read(s->fd[0], &group, sizeof group) != (ssize_t)sizeof group) return false;
    memcpy(v, group.value, sizeof group.value);
    return true;
}

void rg_soft_close(rg_soft *s)
{
    for (int i = RG_SOFT_EVENTS; i-- > 0;) close(s->fd[i]);
}
