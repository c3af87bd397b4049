#include "base/arith.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
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
/* CPUID leaf 7.0 EDX */
enum { AMX_BF16 = 1 << 22, AVX512_FP16 = 1 << 23, AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25 };

static unsigned leaf7_edx(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) ? d : 0;
}

/* Tile state saved by the system (XCR0 bits 17 and 18) and granted to this process. */
static bool tiles_granted(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, TILE_STATE = 1 << 17 | 1 << 18 };
    unsigned a = 0, b = 0, c = 0, d = 0, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return (low & TILE_STATE) == TILE_STATE && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

bool rg_arith_has(rg_arith arith, rg_isa isa)
{
    if (!rg_isa_has(isa)) return false;
    switch (arith) {
    case RG_ARITH_FP16_FMA:
        return rg_isa_has(RG_ISA_AVX512) && (leaf7_edx() & AVX512_FP16);
    case RG_ARITH_AMX_BF16:
        return (leaf7_edx() & AMX_TILE) && (leaf7_edx() & AMX_BF16) && tiles_granted();
    case RG_ARITH_AMX_INT8:
        return (leaf7_edx() & AMX_TILE) && (leaf7_edx() & AMX_INT8) && tiles_granted();
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
