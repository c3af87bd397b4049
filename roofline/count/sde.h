/* Our counters for other people's tools: PAPI software-defined events, sde:::ridge::..., so that TAU,
 * HPCToolkit or any program that uses PAPI reads them like hardware events. Needs libsde at build time; sde.c
 * is the only file that knows it. */
#ifndef RG_SDE_H
#define RG_SDE_H

#include <stdbool.h>

#include "ops/rec.h"

/* Registers the events of sde.def once per process; later calls change nothing. totals is called by whatever
 * thread reads an event and must never go down (rg_process_totals). False: built without libsde, or it
 * refused. */
bool rg_sde_export(void (*totals)(rg_totals *out));
/* Names for a list: "weight_bytes_read", ...; NULL behind the last. */
const char *rg_sde_name(int i);
/* Whether this build has libsde. */
bool rg_sde_built(void);

#endif
