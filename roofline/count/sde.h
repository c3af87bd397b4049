/* Our counters for others: PAPI software-defined events, sde:::ridge::..., which TAU, HPCToolkit and any user
 * of PAPI read like hardware events. Needs libsde at build time. */
#ifndef RG_SDE_H
#define RG_SDE_H

#include <stdbool.h>

#include "ops/rec.h"

/* Registers the events of sde.def once per process. totals is called by any thread that reads and must never
 * go down (rg_process_totals). False: built without libsde, or it refused. */
bool rg_sde_export(void (*totals)(rg_totals *out));
/* "weight_bytes_read", ...; NULL behind the last. */
const char *rg_sde_name(int i);
bool rg_sde_built(void);

#endif
