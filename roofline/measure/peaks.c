/* The peaks of peaks.def and their names. */
#include "roofline/measure/peaks.h"

#include <string.h>

#include "roofline/measure/roof_loops.h"

const rg_peak_info rg_peaks[RG_PEAK_COUNT] = {
#define RG_PEAK(id, name, arith, isa, file, loop) [RG_PEAK_##id] = {name, RG_ARITH_##arith, RG_ISA_##isa},
#include "roofline/measure/peaks.def"
};

const rg_roof_loops *rg_roof_loops_best(void)
{
#ifdef RIDGE_X86
    if (rg_isa_has(RG_ISA_AVX512)) return &rg_roof_loops_avx512;
    if (rg_isa_has(RG_ISA_AVX2)) return &rg_roof_loops_avx2;
#endif
    return &rg_roof_loops_c;
}

int rg_peak_from_name(const char *name)
{
    for (int i = 0; i < RG_PEAK_COUNT; i++)
        if (strcmp(rg_peaks[i].name, name) == 0) return i;
    return -1;
}

/* Loops of other architectures do not exist here. */
#define LOOP_c(loop) rg_peak_c_##loop
#ifdef RIDGE_X86
#define LOOP_avx2(loop) rg_peak_avx2_##loop
#define LOOP_avx512(loop) rg_peak_avx512_##loop
#define LOOP_amx(loop) rg_peak_amx_##loop
#else
#define LOOP_avx2(loop) ((rg_arith_fn *)0)
#define LOOP_avx512(loop) ((rg_arith_fn *)0)
#define LOOP_amx(loop) ((rg_arith_fn *)0)
#endif
#ifdef __aarch64__
#define LOOP_neon(loop) rg_peak_neon_##loop
#else
#define LOOP_neon(loop) ((rg_arith_fn *)0)
#endif

rg_arith_fn *rg_peak_loop(rg_peak_id id)
{
    switch (id) {
#define RG_PEAK(id, name, arith, isa, file, loop) \
    case RG_PEAK_##id: \
        return rg_arith_has(RG_ARITH_##arith, RG_ISA_##isa) ? LOOP_##file(loop) : NULL;
#include "roofline/measure/peaks.def"
    case RG_PEAK_COUNT:
        break;
    }
    return NULL;
}
