#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

const char *const rg_isa_names[RG_ISA_COUNT] = {[RG_ISA_C] = "c",
    [RG_ISA_AVX2] = "avx2",
    [RG_ISA_AVX2VNNI] = "avx2vnni",
    [RG_ISA_AVX512] = "avx512",
    [RG_ISA_AVX512VNNI] = "avx512vnni",
    [RG_ISA_AVX512BF16] = "avx512bf16"};

const char *const rg_isa_list = "c, avx2, avx2vnni, avx512, avx512vnni or avx512bf16";

int rg_isa_from_name(const char *name)
{
    for (int i = 0; i < RG_ISA_COUNT; i++)
        if (strcmp(rg_isa_names[i], name) == 0) return i;
    return -1;
}

#if defined(__x86_64__)
static bool has_x86(rg_isa isa)
{
    /* __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the registers; the extensions below need no more. */
    __builtin_cpu_init();
    unsigned a = 0, b = 0, c1 = 0, c7 = 0, d = 0, a71 = 0;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return false;
    if (!__get_cpuid(1, &a, &b, &c1, &d) || !(c1 & bit_F16C)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c7, &d)) return false;
    if (a >= 1) __get_cpuid_count(7, 1, &a71, &b, &c1, &d);
    const bool wide =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    enum { AVX_VNNI = 1 << 4, AVX512_BF16 = 1 << 5, AVX512_VNNI = 1 << 11 }; /* leaf 7.1 EAX, 7.1 EAX, 7.0 ECX */
    switch (isa) {
    case RG_ISA_AVX2:
        return true;
    case RG_ISA_AVX2VNNI:
        return a71 & AVX_VNNI;
    case RG_ISA_AVX512:
        return wide;
    case RG_ISA_AVX512VNNI:
        return wide && (c7 & AVX512_VNNI);
    case RG_ISA_AVX512BF16:
        return wide && (c7 & AVX512_VNNI) && (a71 & AVX512_BF16);
    default:
        return false;
    }
}
#endif

bool rg_isa_has(rg_isa isa)
{
    if (isa == RG_ISA_C) return true;
#if defined(__x86_64__)
    return has_x86(isa);
#else
    return false;
#endif
}

rg_isa rg_isa_best(void)
{
    rg_isa best = RG_ISA_C;
    for (int i = RG_ISA_C; i < RG_ISA_COUNT; i++)
        if (rg_isa_has((rg_isa)i)) best = (rg_isa)i;
    return best;
}

rg_isa rg_isa_fp32(rg_isa isa)
{
    static const rg_isa base[RG_ISA_COUNT] = {[RG_ISA_AVX2] = RG_ISA_AVX2,
        [RG_ISA_AVX2VNNI] = RG_ISA_AVX2,
        [RG_ISA_AVX512] = RG_ISA_AVX512,
        [RG_ISA_AVX512VNNI] = RG_ISA_AVX512,
        [RG_ISA_AVX512BF16] = RG_ISA_AVX512};
    return base[isa];
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

void rg_cpu_id(char *buf, size_t n)
{
    buf[0] = 0;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    char vendor[13] = "";
    if (!__get_cpuid(0, &a, &b, &c, &d)) return;
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    const unsigned base = a >> 8 & 15, family = base == 15 ? base + (a >> 20 & 255) : base;
    const unsigned model = (a >> 4 & 15) | (base == 15 || base == 6 ? (a >> 16 & 15) << 4 : 0);
    snprintf(buf, n, "%s family %u model %u stepping %u", vendor, family, model, a & 15);
#else
    char line[128], id[2][32] = {"", ""};
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "CPU implementer : %31s", id[0]);
        sscanf(line, "CPU part : %31s", id[1]);
    }
    if (f) fclose(f);
    if (id[0][0] && id[1][0]) snprintf(buf, n, "implementer %s part %s", id[0], id[1]);
#endif
}
