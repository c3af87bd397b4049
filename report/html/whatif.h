/* The cost models behind two arrays of numbers: what the page's script calls as WebAssembly, and the tests
 * natively. No libc but memcpy, memset and log. The same C as `ridge roofline`: roofline/model/exact.c,
 * llm_viewer.c, hardware.c, predict.c and the tables. LLM-Viewer's operators hold one layer each in its own
 * words; here they are sums over the layers, as ours. */
#ifndef RG_WHATIF_H
#define RG_WHATIF_H

#include "ops/rec.h"
#include "roofline/measure/machine.h"
#include "roofline/model/model_cost.h"

typedef enum rg_whatif_in_id {
#define RG_WI_IN(name) RG_WI_##name,
#include "report/html/whatif.def"
    RG_WI_PEAK,                                /* op/s by class of arithmetic: [RG_ARITH_COUNT] */
    RG_WI_LEVEL = RG_WI_PEAK + RG_ARITH_COUNT, /* caches, rising: bytes, GB/s: [8][2] */
    /* measured: footprint, read, write, copy in GB/s: [RG_MAX_BW][4] */
    RG_WI_LADDER = RG_WI_LEVEL + 16,
    RG_WI_ROW = RG_WI_LADDER + 4 * RG_MAX_BW, /* measured peaks, 1e9 op/s: [RG_PEAK_COUNT] */
    RG_WI_BEST = RG_WI_ROW + RG_PEAK_COUNT,   /* rg_isa of the machine */
    RG_WI_IN_COUNT
} rg_whatif_in_id;

typedef enum rg_whatif_out_id {
#define RG_WI_OUT(name) RG_WO_##name,
#include "report/html/whatif.def"
    RG_WO_PHASE /* numbers per phase */
} rg_whatif_out_id;

/* Then per operator that runs: site, phase, flop, bytes, time in s (-1: unknown), class-free bound (0 memory,
 * 1 compute, 2 unknown). */
enum {
    RG_WO_POINTS = 2 * RG_WO_PHASE,
    RG_WO_FIELDS = 6,
    RG_WO_MAX = RG_WO_POINTS + 1 + RG_COST_POINTS * RG_WO_FIELDS
};

double *rg_whatif_in(void);  /* [RG_WI_IN_COUNT] */
double *rg_whatif_out(void); /* [RG_WO_MAX]; at RG_WO_POINTS the number of operators, then they */
/* 0, or a status when the numbers are impossible. */
int rg_whatif(void);

#endif
