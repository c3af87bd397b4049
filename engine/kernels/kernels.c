/* The kernel table, from kernels.def. */
#include "kernels/kernel_rows.h"

#include <string.h>

#include "base/tile_emu.h"

const rg_kernel_row rg_kernel_rows[] = {
#define RG_KERNEL(kind, type, isa, fn) {RG_FN_##kind, type, RG_ISA_##isa, #fn, (void (*)(void))fn},
#include "kernels/kernels.def"
};
const int rg_kernel_row_count = (int)(sizeof rg_kernel_rows / sizeof *rg_kernel_rows);

/* Where each kind's functions lie in rg_ktab. */
static const size_t members[RG_FN_COUNT] = {
#define RG_FN(fn, proto, member, arith, group) offsetof(rg_ktab, member),
#include "base/kinds.def"
};

/* The bf16 product runs at twice the rate of FP32 FMA on AMD's cores (Zen 5: 505 against 250 GFLOP/s a core)
 * and at half of it on Intel's (Sapphire Rapids: 112 against 225). */
static bool bf16_is_fast(void)
{
    char id[128];
    rg_cpu_id(id, sizeof id);
    return strstr(id, "GenuineIntel") == NULL;
}

bool rg_kernels_select(rg_ktab *t, rg_isa max_isa, bool blas)
{
    memset(t, 0, sizeof *t);
    t->isa = max_isa;
    for (const rg_kernel_row *r = rg_kernel_rows; r < rg_kernel_rows + rg_kernel_row_count; r++) {
        if (r->isa > max_isa || !rg_isa_has(r->isa)) continue;
        memcpy((char *)t + members[r->kind] + (size_t)r->type * sizeof r->fn, &r->fn, sizeof r->fn);
        t->level[r->kind] = (uint8_t)r->isa;
    }
    t->bf16_attn = t->level[RG_FN_mm_bf16] >= RG_ISA_AVX512BF16 && bf16_is_fast();
    if (!blas) return true;
#ifdef RIDGE_HAVE_BLAS
    t->mm = rg_mm__blas;
    t->blas = true;
    return rg_blas_open();
#else
    return false;
#endif
}

int64_t rg_tile_state_bytes(void) { return (int64_t)sizeof(rg_tile_file); } /* real tiles need none */

#ifndef RIDGE_HAVE_BLAS
const char *rg_blas_describe(void) { return "none"; }
#endif
