#include "base/cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

const char *const rg_isa_names[RG_ISA_COUNT] = {[RG_ISA_C] = "c", [RG_ISA_AVX2] = "avx2", [RG_ISA_AVX512] = "avx512"};

int rg_isa_from_name(const char *name)
{
    for (int i = 0; i < RG_ISA_COUNT; i++)
        if (strcmp(rg_isa_names[i], name) == 0) return i;
    return -1;
}

rg_isa rg_isa_best(void)
{
#if defined(__x86_64__)
    /* __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the registers. */
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    unsigned a, b, c = 0, d;
    const int f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    if (!avx2 || !f16c) return RG_ISA_C;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return RG_ISA_AVX512;
    return RG_ISA_AVX2;
#else
    return RG_ISA_C;
#endif
}

const char *rg_cpu_name(void)
{
#if defined(__x86_64__)
    static char name[49];
    if (name[0]) return name;
    unsigned r[12];
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3])) return "unknown CPU";
    memcpy(name, r, 48);
    size_t lead = strspn(name, " ");
    memmove(name, name + lead, 49 - lead);
    for (size_t n = strlen(name); n && name[n - 1] == ' ';) name[--n] = 0;
    return name[0] ? name : "unknown CPU";
#else
    return "unknown CPU";
#endif
}
