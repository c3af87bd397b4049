/* Classes of arithmetic, from arith.def. */
#ifndef RG_ARITH_H
#define RG_ARITH_H

#include <stdbool.h>

#include "base/cpu.h"

typedef enum rg_arith {
#define RG_ARITH(id, name, unit, what) RG_ARITH_##id,
#include "base/arith.def"
    RG_ARITH_COUNT
} rg_arith;

extern const char *const rg_arith_names[RG_ARITH_COUNT]; /* "fp32_fma" */
extern const char *const rg_arith_units[RG_ARITH_COUNT]; /* "FLOP" or "op": what a rate of the class counts */
extern const char *const rg_arith_texts[RG_ARITH_COUNT];

/* -1 if no such class. */
int rg_arith_from_name(const char *name);

/* The class of that level's kernels unless they say otherwise: the dot product where the level adds one. */
rg_arith rg_isa_arith(rg_isa isa);

/* The CPU and the operating system support the class at that register width (AMX: at any). */
bool rg_arith_has(rg_arith arith, rg_isa isa);

#endif
