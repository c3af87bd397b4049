/* Task clock and page faults through perf_event_open, where PAPI cannot count them. */
#include "roofline/count/soft_events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RG_SW_EVENT(label, papi, config, kernel) +1
_Static_assert(0
#include "roofline/count/events.def"
        == RG_SOFT_EVENTS,
    "RG_SOFT_EVENTS counts the rows of events.def");

const rg_soft_event rg_soft_events[RG_SOFT_EVENTS] = {
#define RG_SW_EVENT(label, papi, config, kernel) {label, papi, config, kernel},
#include "roofline/count/events.def"
};

bool rg_soft_open(rg_soft *s, const int *which, int n)
{
    s->n = 0;
    for (int i = 0; i < n; i++) {
        struct perf_event_attr a;
        memset(&a, 0, sizeof a);
        a.size = sizeof a;
        a.type = PERF_TYPE_SOFTWARE;
        a.config = rg_soft_events[which[i]].config;
        a.read_format = PERF_FORMAT_GROUP;
        a.exclude_kernel = !rg_soft_events[which[i]].kernel; /* clock and faults count all the same */
        a.exclude_hv = 1;
        s->fd[i] = (int)syscall(SYS_perf_event_open, &a, 0, -1, i ? s->fd[0] : -1, PERF_FLAG_FD_CLOEXEC);
        if (s->fd[i] < 0) break;
        s->n++;
    }
    uint64_t v[RG_SOFT_EVENTS];
    if (s->n == n && rg_soft_read(s, v)) return true;
    const int why = errno;
    rg_soft_close(s);
    errno = why;
    return false;
}

bool rg_soft_read(const rg_soft *s, uint64_t *v)
{
    uint64_t group[1 + RG_SOFT_EVENTS];
    const size_t want = sizeof *group * (1 + (size_t)s->n);
    if (s->n == 0 || read(s->fd[0], group, want) != (ssize_t)want) return false;
    memcpy(v, group + 1, sizeof *v * (size_t)s->n);
    return true;
}

void rg_soft_close(rg_soft *s)
{
    while (s->n > 0) close(s->fd[--s->n]);
}
