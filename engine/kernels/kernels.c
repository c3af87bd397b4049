/* The kernel table, from kernels.def. */
#include "kernels/kernel_rows.h"

#include <string.h>

#include "base/tile_emu.h"

/* Member of rg_ktab that a row fills, and the member that says at which level. */
#define SLOT_gemv(type) gemv[RG_WT_##type]
#define SLOT_unpack(type) unpack[RG_WT_##type]
#define SLOT_mm(type) mm
#define SLOT_prep_i8(type) prep[RG_X_I8]
#define SLOT_prep_i16(type) prep[RG_X_I16]
#define SLOT_prep_bf16(type) prep[RG_X_BF16]
#define SLOT_prep_bf16x2(type) prep[RG_X_BF16X2]
#define SLOT_dot8(type) dot[RG_X_I8][RG_WT_##type]
#define SLOT_dot16(type) dot[RG_X_I16][RG_WT_##type]
#define SLOT_unpack8(type) unpack8[RG_WT_##type]
#define SLOT_mmdot8(type) mmdot[RG_X_I8][RG_WT_##type]
#define SLOT_mmdot16(type) mmdot[RG_X_I16][RG_WT_##type]
#define SLOT_pair_bf16(type) pair_bf16
#define SLOT_mm_bf16(type) mm_bf16
#define SLOT_tiles_on(type) tiles_on
#define SLOT_tiles_off(type) tiles_off
#define SLOT_tile_mm(type) tile_mm
#define SLOT_split_bf16(type) split_bf16
#define SLOT_codes8(type) codes8[RG_WT_##type]
#define SLOT_tile_dot8(type) tile_dot[RG_X_I8][RG_WT_##type]
#define SLOT_tile_dot16(type) tile_dot[RG_X_I16][RG_WT_##type]
#define SLOT_attn_qk(type) attn_qk[RG_KV_##type]
#define SLOT_attn_pv(type) attn_pv[RG_KV_##type]
#define SLOT_kv_panel_k(type) kv_panel_k[RG_KV_##type]
#define SLOT_kv_panel_v(type) kv_panel_v[RG_KV_##type]
#define SLOT_kv_put_k(type) kv_put_k[RG_KV_##type]
#define SLOT_kv_put_v(type) kv_put_v[RG_KV_##type]
#define SLOT_softmax(type) softmax
#define SLOT_softmax_bf16(type) softmax_bf16
#define SLOT_rmsnorm(type) rmsnorm
#define SLOT_rope(type) rope
#define SLOT_swiglu(type) swiglu
#define SLOT_add(type) add
#define SLOT_quant_q8(type) quant_q8
#define SLOT_quant_q4(type) quant_q4
#define SLOT_quant_q4m(type) quant_q4m

#define LEVEL_gemv(type) t->gemv_isa[RG_WT_##type]
#define LEVEL_unpack(type) t->unpack_isa[RG_WT_##type]
#define LEVEL_mm(type) t->mm_isa
#define LEVEL_prep_i8(type) unreported
#define LEVEL_prep_i16(type) unreported
#define LEVEL_prep_bf16(type) unreported
#define LEVEL_prep_bf16x2(type) unreported
#define LEVEL_dot8(type) t->dot_isa
#define LEVEL_dot16(type) t->dot_isa
#define LEVEL_unpack8(type) unreported
#define LEVEL_mmdot8(type) t->dot_isa
#define LEVEL_mmdot16(type) t->dot_isa
#define LEVEL_pair_bf16(type) unreported
#define LEVEL_mm_bf16(type) t->bf16_isa
#define LEVEL_tiles_on(type) t->tile_isa
#define LEVEL_tiles_off(type) t->tile_isa
#define LEVEL_tile_mm(type) t->tile_isa
#define LEVEL_split_bf16(type) unreported
#define LEVEL_codes8(type) unreported
#define LEVEL_tile_dot8(type) t->tile_isa
#define LEVEL_tile_dot16(type) t->tile_isa
#define LEVEL_attn_qk(type) t->attn_isa[RG_KV_##type]
#define LEVEL_attn_pv(type) t->attn_isa[RG_KV_##type]
#define LEVEL_kv_panel_k(type) unreported
#define LEVEL_kv_panel_v(type) unreported
#define LEVEL_kv_put_k(type) unreported
#define LEVEL_kv_put_v(type) unreported
#define LEVEL_softmax(type) t->elem_isa
#define LEVEL_softmax_bf16(type) unreported
#define LEVEL_rmsnorm(type) t->elem_isa
#define LEVEL_rope(type) t->elem_isa
#define LEVEL_swiglu(type) t->elem_isa
#define LEVEL_add(type) t->elem_isa
#define LEVEL_quant_q8(type) unreported
#define LEVEL_quant_q4(type) unreported
#define LEVEL_quant_q4m(type) unreported

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
    uint8_t unreported = 0;
    memset(t, 0, sizeof *t);
    t->isa = max_isa;
#define RG_KERNEL(kind, type, isa, fn) \
    if (RG_ISA_##isa <= max_isa && rg_isa_has(RG_ISA_##isa)) { \
        t->SLOT_##kind(type) = fn; \
        LEVEL_##kind(type) = RG_ISA_##isa; \
    }
#include "kernels/kernels.def"
    (void)unreported;
    t->bf16_attn = t->bf16_isa >= RG_ISA_AVX512BF16 && bf16_is_fast();
    if (!blas) return true;
#ifdef RIDGE_HAVE_BLAS
    t->mm = rg_mm__blas;
    t->blas = true;
    return true;
#else
    return false;
#endif
}

int64_t rg_tile_state_bytes(void) { return (int64_t)sizeof(rg_tile_file); } /* real tiles need none */

/* ids of weight and KV types share one spelling in the rows, as F32 and F16 are in both; ANY is 0 */
#define TYPE_gemv(type) RG_WT_##type
#define TYPE_unpack(type) RG_WT_##type
#define TYPE_mm(type) 0
#define TYPE_prep_i8(type) 0
#define TYPE_prep_i16(type) 0
#define TYPE_prep_bf16(type) 0
#define TYPE_prep_bf16x2(type) 0
#define TYPE_dot8(type) RG_WT_##type
#define TYPE_dot16(type) RG_WT_##type
#define TYPE_unpack8(type) RG_WT_##type
#define TYPE_mmdot8(type) RG_WT_##type
#define TYPE_mmdot16(type) RG_WT_##type
#define TYPE_pair_bf16(type) 0
#define TYPE_mm_bf16(type) 0
#define TYPE_tiles_on(type) 0
#define TYPE_tiles_off(type) 0
#define TYPE_tile_mm(type) 0
#define TYPE_split_bf16(type) 0
#define TYPE_codes8(type) RG_WT_##type
#define TYPE_tile_dot8(type) RG_WT_##type
#define TYPE_tile_dot16(type) RG_WT_##type
#define TYPE_attn_qk(type) RG_KV_##type
#define TYPE_attn_pv(type) RG_KV_##type
#define TYPE_kv_panel_k(type) RG_KV_##type
#define TYPE_kv_panel_v(type) RG_KV_##type
#define TYPE_kv_put_k(type) RG_KV_##type
#define TYPE_kv_put_v(type) RG_KV_##type
#define TYPE_softmax(type) 0
#define TYPE_softmax_bf16(type) 0
#define TYPE_rmsnorm(type) 0
#define TYPE_rope(type) 0
#define TYPE_swiglu(type) 0
#define TYPE_add(type) 0
#define TYPE_quant_q8(type) 0
#define TYPE_quant_q4(type) 0
#define TYPE_quant_q4m(type) 0

const rg_kernel_row rg_kernel_rows[] = {
#define RG_KERNEL(kind, type, isa, fn) {#kind, TYPE_##kind(type), RG_ISA_##isa, #fn, (void (*)(void))fn},
#include "kernels/kernels.def"
};
const int rg_kernel_row_count = (int)(sizeof rg_kernel_rows / sizeof *rg_kernel_rows);

#ifndef RIDGE_HAVE_BLAS
const char *rg_blas_describe(void) { return "none"; }
#endif
