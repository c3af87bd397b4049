/* Names of the classes, and which of them this CPU has. */
#include "base/arith.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

#include "base/amx.h"
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

const char *const rg_arith_names[RG_ARITH_COUNT] = {
#define RG_ARITH(id, name, unit, what) [RG_ARITH_##id] = name,
#include "base/arith.def"
};
const char *const rg_arith_units[RG_ARITH_COUNT] = {
#define RG_ARITH(id, name, unit, what) [RG_ARITH_##id] = unit,
#include "base/arith.def"
};
const char *const rg_arith_texts[RG_ARITH_COUNT] = {
#define RG_ARITH(id, name, unit, what) [RG_ARITH_##id] = what,
#include "base/arith.def"
};

int rg_arith_from_name(const char *name)
{
    for (int i = 0; i < RG_ARITH_COUNT; i++)
        if (strcmp(rg_arith_names[i], name) == 0) return i;
    return -1;
}

rg_arith rg_isa_arith(rg_isa isa)
{
    switch (isa) {
    case RG_ISA_AVX2VNNI:
    case RG_ISA_AVX512VNNI:
        return RG_ARITH_INT8_DOT;
    case RG_ISA_AVX512BF16:
        return RG_ARITH_BF16_DOT;
    default:
        return RG_ARITH_FP32_FMA;
    }
}

#if defined(__x86_64__)
static bool has_fp16(void)
{
    enum { AVX512_FP16 = 1 << 23 }; /* leaf 7.0 EDX */
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & AVX512_FP16;
}

bool rg_arith_has(rg_arith arith, rg_isa isa)
{
    if (!rg_isa_has(isa)) return false;
    switch (arith) {
    case RG_ARITH_FP16_FMA:
        return rg_isa_has(RG_ISA_AVX512) && has_fp16();
    case RG_ARITH_AMX_BF16:
    case RG_ARITH_AMX_INT8:
        return rg_amx_state() == RG_AMX_OK;
    case RG_ARITH_BF16_DOT:
    case RG_ARITH_INT8_DOT:
        return rg_isa_arith(isa) == arith;
    default:
        return true;
    }
}
#else
bool rg_arith_has(rg_arith arith, rg_isa isa)
{
    if (!rg_isa_has(isa)) return false;
#if defined(__aarch64__)
    enum { ASIMD_HP = 1 << 10, ASIMD_DP = 1 << 20, BF16 = 1 << 14 }; /* AT_HWCAP, AT_HWCAP, AT_HWCAP2 */
    if (arith == RG_ARITH_FP16_FMA) return getauxval(AT_HWCAP) & ASIMD_HP;
    if (arith == RG_ARITH_INT8_DOT) return getauxval(AT_HWCAP) & ASIMD_DP;
    if (arith == RG_ARITH_BF16_DOT) return getauxval(AT_HWCAP2) & BF16;
#endif
    return arith == RG_ARITH_FP32_FMA || arith == RG_ARITH_FP32_SCALAR;
}
#endif
