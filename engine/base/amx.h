/* AMX tiles of this CPU: are they there, may this process use them, and do they work? */
#ifndef RG_AMX_H
#define RG_AMX_H

typedef enum rg_amx {
    RG_AMX_OK,
    RG_AMX_NO_CPU,    /* the CPU has no AMX with bf16 and int8 products, or this is no x86-64 */
    RG_AMX_NO_SYSTEM, /* the system does not save tiles (XCR0) */
    RG_AMX_REFUSED,   /* the kernel refuses this process (arch_prctl) */
    RG_AMX_WRONG,     /* a small product came out wrong */
    RG_AMX_STATES
} rg_amx;

/* Found out once per process, in microseconds: asks the kernel for tiles, then compares a product of each
 * kind with the emulation (base/tile_emu.h), of whole numbers so small that sums are exact. Thread-safe. */
rg_amx rg_amx_state(void);

/* "ok", or why not, in a few words. */
const char *rg_amx_text(rg_amx state);

#endif
