/* The peaks of peaks.def: names, classes, loops. */
#ifndef RG_PEAKS_H
#define RG_PEAKS_H

#include "base/arith.h"

typedef enum rg_peak_id {
#define RG_PEAK(id, name, arith, isa, file, loop) RG_PEAK_##id,
#include "roofline/measure/peaks.def"
    RG_PEAK_COUNT
} rg_peak_id;

typedef struct rg_peak_info {
    const char *name; /* "fp32 fma avx512" */
    rg_arith arith;
    rg_isa isa; /* register width */
} rg_peak_info;
extern const rg_peak_info rg_peaks[RG_PEAK_COUNT];

/* The row of that name, or -1. */
int rg_peak_from_name(const char *name);

#endif
