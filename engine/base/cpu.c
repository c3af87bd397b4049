/* Levels, and the name of the CPU. */
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

#include "base/amx.h"
#endif

const char *const rg_isa_names[RG_ISA_COUNT] = {[RG_ISA_C] = "c",
    [RG_ISA_AVX2] = "avx2",
    [RG_ISA_AVX2VNNI] = "avx2vnni",
    [RG_ISA_AVX512] = "avx512",
    [RG_ISA_AVX512VNNI] = "avx512vnni",
    [RG_ISA_AVX512BF16] = "avx512bf16",
    [RG_ISA_AMX] = "amx",
    [RG_ISA_AMXEMU] = "amxemu"};

const char *const rg_isa_list =
    "c, avx2, avx2vnni, avx512, avx512vnni, avx512bf16, amx, or amxemu (tiles emulated, for tests)";

int rg_isa_from_name(const char *name)
{
    for (int i = 0; i < RG_ISA_COUNT; i++)
        if (strcmp(rg_isa_names[i], name) == 0) return i;
    return -1;
}

#if defined(__x86_64__)
static bool has_x86(rg_isa isa)
{
    /* asks the operating system too (XGETBV) whether it saves the registers */
    __builtin_cpu_init();
    unsigned a = 0, b = 0, c1 = 0, c7 = 0, d = 0, a71 = 0;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return false;
    if (!__get_cpuid(1, &a, &b, &c1, &d) || !(c1 & bit_F16C)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c7, &d)) return false;
    if (a >= 1) __get_cpuid_count(7, 1, &a71, &b, &c1, &d);
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    /* leaf 7.1 EAX, 7.1 EAX, 7.0 ECX */
    enum { AVX_VNNI = 1 << 4, AVX512_BF16 = 1 << 5, AVX512_VNNI = 1 << 11 };
    const bool vnni = wide && (c7 & AVX512_VNNI), bf16 = vnni && (a71 & AVX512_BF16);
    switch (isa) {
    case RG_ISA_AVX2:
        return true;
    case RG_ISA_AVX2VNNI:
        return a71 & AVX_VNNI;
    case RG_ISA_AVX512:
        return wide;
    case RG_ISA_AVX512VNNI:
        return vnni;
    case RG_ISA_AVX512BF16:
        return bf16;
    case RG_ISA_AMX:
        return bf16 && rg_amx_state() == RG_AMX_OK;
    default:
        return false;
    }
}
#endif

bool rg_isa_has(rg_isa isa)
{
    if (isa == RG_ISA_C || isa == RG_ISA_AMXEMU) return true;
#if defined(__x86_64__)
    /* asked for every row of kernels.def; the instruction that tells traps to the hypervisor in a guest, 20
     * us each time */
    /* 0: not yet asked; threads that come at the same time find the same */
    static signed char known[RG_ISA_COUNT];
    signed char k = __atomic_load_n(&known[isa], __ATOMIC_RELAXED);
    if (k == 0) {
        k = has_x86(isa) ? 1 : -1;
        __atomic_store_n(&known[isa], k, __ATOMIC_RELAXED);
    }
    return k > 0;
#else
    return false;
#endif
}

void rg_isa_why_not(rg_isa isa, char *buf, size_t n)
{
#if defined(__x86_64__)
    if (isa == RG_ISA_AMX && rg_amx_state() != RG_AMX_NO_CPU && rg_amx_state() != RG_AMX_OK) {
        snprintf(buf, n, "%s", rg_amx_text(rg_amx_state()));
        return;
    }
#endif
    snprintf(buf, n, "this CPU has no %s", rg_isa_names[isa]);
}

rg_isa rg_isa_capped(rg_isa cap)
{
    rg_isa best = RG_ISA_C;
    if (cap == RG_ISA_AMXEMU) return cap;
    for (int i = RG_ISA_C; i <= RG_ISA_AMX && i <= (int)cap; i++)
        if (rg_isa_has(i)) best = i;
    return best;
}

rg_isa rg_isa_best(void) { return rg_isa_capped(RG_ISA_COUNT); }

rg_isa rg_isa_fp32(rg_isa isa)
{
    static const rg_isa base[RG_ISA_COUNT] = {[RG_ISA_AVX2] = RG_ISA_AVX2,
        [RG_ISA_AVX2VNNI] = RG_ISA_AVX2,
        [RG_ISA_AVX512] = RG_ISA_AVX512,
        [RG_ISA_AVX512VNNI] = RG_ISA_AVX512,
        [RG_ISA_AVX512BF16] = RG_ISA_AVX512,
        [RG_ISA_AMX] = RG_ISA_AVX512};
    return base[isa == RG_ISA_AMXEMU ? rg_isa_best() : isa];
}

const char *rg_cpu_name(void)
{
#if defined(__x86_64__)
    static char name[49];
    if (name[0]) return name;
    unsigned r[12];
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3]))
            return "unknown CPU";
    memcpy(name, r, 48);
    const size_t lead = strspn(name, " ");
    memmove(name, name + lead, 49 - lead);
    for (size_t n = strlen(name); n && name[n - 1] == ' ';) name[--n] = 0;
    if (name[0]) return name;
#endif
    return "unknown CPU";
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
