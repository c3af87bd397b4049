/* Asks for AMX and tries it once against the emulation. */
#include "base/amx.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "base/tile_emu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/tile_ops.h"

static bool cpu_has(void)
{
    enum { NEEDED = 1 << 22 | 1 << 24 | 1 << 25 }; /* leaf 7.0 EDX: AMX_BF16, AMX_TILE, AMX_INT8 */
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & NEEDED) == NEEDED;
}

/* Tile state is saved by the system: XCR0 bits 17 and 18. */
static bool system_saves(void)
{
    enum { TILE_STATE = 1 << 17 | 1 << 18 };
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return (low & TILE_STATE) == TILE_STATE;
}

static bool granted(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

typedef struct operands {
    rg_tile_config config;
    uint16_t a16[5][32], b16[16][32];
    int8_t a8[5][64], b8[16][64];
    float bf16[5][16];
    int32_t int8[5][16];
} operands;

static void fill(operands *o)
{
    memset(o, 0, sizeof *o);
    o->config.palette = 1;
    for (int t = 0; t < 8; t++) {
        o->config.row_bytes[t] = 64;
        o->config.rows[t] = t < 6 ? 5 : 16; /* accumulators and a; b */
    }
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 64; k++) {
            o->a8[i][k] = (int8_t)((i * 37 + k * 11) % 251 - 125);
            if (k < 32) o->a16[i][k] = rg_f32_to_bf16((float)((i * 5 + k * 3) % 17 - 8));
        }
    for (int r = 0; r < 16; r++)
        for (int j = 0; j < 64; j++) {
            o->b8[r][j] = (int8_t)((r * 29 + j * 7) % 241 - 120);
            if (j < 32) o->b16[r][j] = rg_f32_to_bf16((float)((r * 7 + j) % 13 - 6));
        }
}

/* Twice, so that accumulators count too. */
__attribute__((target("amx-tile,amx-bf16,amx-int8"), noinline)) static void on_tiles(operands *o)
{
    RG_TILE_CONFIG(&o->config);
    RG_TILE_ZERO(0);
    RG_TILE_ZERO(1);
    RG_TILE_LOAD(4, o->a16, 64);
    RG_TILE_LOAD(6, o->b16, 64);
    RG_TILE_BF16(0, 4, 6);
    RG_TILE_STREAM(4, o->a16, 64);
    RG_TILE_BF16(0, 4, 6);
    RG_TILE_LOAD(5, o->a8, 64);
    RG_TILE_LOAD(7, o->b8, 64);
    RG_TILE_INT8(1, 5, 7);
    RG_TILE_INT8(1, 5, 7);
    RG_TILE_STORE(0, o->bf16, 64);
    RG_TILE_STORE(1, o->int8, 64);
    RG_TILE_RELEASE();
}

static void emulated(operands *o)
{
    rg_tile_file f;
    rg_emu_config(&f, &o->config);
    rg_emu_load(&f, 4, o->a16, 64);
    rg_emu_load(&f, 6, o->b16, 64);
    rg_emu_load(&f, 5, o->a8, 64);
    rg_emu_load(&f, 7, o->b8, 64);
    for (int i = 0; i < 2; i++) {
        rg_emu_bf16(&f, 0, 4, 6);
        rg_emu_int8(&f, 1, 5, 7);
    }
    rg_emu_store(&f, 0, o->bf16, 64);
    rg_emu_store(&f, 1, o->int8, 64);
}

static rg_amx find_out(void)
{
    if (!cpu_has()) return RG_AMX_NO_CPU;
    if (!system_saves()) return RG_AMX_NO_SYSTEM;
    if (!granted()) return RG_AMX_REFUSED;
    operands got, want;
    fill(&got);
    fill(&want);
    on_tiles(&got);
    emulated(&want);
    return memcmp(&got, &want, sizeof got) == 0 ? RG_AMX_OK : RG_AMX_WRONG;
}
#else
static rg_amx find_out(void) { return RG_AMX_NO_CPU; }
#endif

rg_amx rg_amx_state(void)
{
    static int known; /* state + 1; threads that come at the same time find the same */
    int s = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
    if (s == 0) {
        s = find_out() + 1;
        __atomic_store_n(&known, s, __ATOMIC_RELEASE);
    }
    return (rg_amx)(s - 1);
}

const char *rg_amx_text(rg_amx state)
{
    static const char *const text[RG_AMX_STATES] = {[RG_AMX_OK] = "ok",
        [RG_AMX_NO_CPU] = "the CPU has no AMX",
        [RG_AMX_NO_SYSTEM] =
            "the CPU has AMX, but the system does not save its tiles (Linux 5.16 or newer does)",
        [RG_AMX_REFUSED] = "the CPU has AMX, but the kernel refuses it to this process (arch_prctl)",
        [RG_AMX_WRONG] = "the CPU has AMX, but a small product on tiles came out wrong"};
    return (unsigned)state < RG_AMX_STATES ? text[state] : "unknown";
}
