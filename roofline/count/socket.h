/* What the whole socket did between two moments: bytes through the memory controllers, energy. Others' work
 * is in it. One thread reads it at the ends of phases. No PAPI: libpfm's tables of memory controllers are
 * years behind today's CPUs, the kernel describes its own in /sys. */
#ifndef RG_SOCKET_H
#define RG_SOCKET_H

#include <stdbool.h>

#include "roofline/count/counters.h"

typedef enum rg_socket_id {
    RG_SOCKET_READ,
    RG_SOCKET_WRITE,
    RG_SOCKET_PACKAGE,
    RG_SOCKET_DRAM,
    RG_SOCKET_COUNT
} rg_socket_id;
/* "socket_read_bytes", "socket_write_bytes", "package_energy_j", "dram_energy_j" */
extern const char *const rg_socket_names[RG_SOCKET_COUNT];

typedef struct rg_socket rg_socket;

/* Opens what it can; NULL without memory. */
rg_socket *rg_socket_open(const rg_host *host);
void rg_socket_close(rg_socket *s); /* legal on NULL */

/* Values so far, NAN where there are none; differences by rg_socket_since. */
void rg_socket_read(rg_socket *s, double v[RG_SOCKET_COUNT]);
/* after - before, the wrap of the energy counters undone. */
void rg_socket_since(const rg_socket *s, double out[RG_SOCKET_COUNT], const double before[RG_SOCKET_COUNT],
    const double after[RG_SOCKET_COUNT]);

/* One metric for each id. */
void rg_socket_metrics(const rg_socket *s, rg_metric m[RG_SOCKET_COUNT]);

#endif
