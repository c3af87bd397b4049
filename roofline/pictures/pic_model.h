/* The picture of ridge roofline: groups of operators of one or many configurations on one machine, in the log-log plane. */
#ifndef RG_PIC_MODEL_H
#define RG_PIC_MODEL_H

#include "roofline/cost_case.h"

/* k[0..n) have run, on the same machine (RG_E_USAGE otherwise). */
rg_status rg_picture_model(FILE *f, const rg_cost_case *k, size_t n, bool prefill, bool decode, rg_err *err);

#endif
