/* The choice of kernels, and the numbers of tokens at which it changes. */
#include "ops/route.h"

/* Tokens from which tiles pay; fewer are faster in vector registers, which take weights as they come from
 * memory. In float, faithful products take x as two planes of bf16, 16 bits, and weights as two (BF16:
 * one): three tile products (two) for one FMA, on an instruction 14 times as fast. In bytes, two planes of
 * x are exact integers inside a group, but the unit spends as long on 32 columns as on 64: there bf16 is
 * faster once there are tokens enough to pay for making bf16 of the weights. (Measured with separate
 * kernels, on a CPU with AMX and 2 cores: F16 between 5 and 8 tokens, BF16 just above 4, INT4 in groups of
 * 64 and 128 at 3...4, in groups of 32 and --act q8 just above 4; groups of 32 in bytes up to 16 tokens.) */
enum { FROM_FLOAT = 6, FROM_BF16 = 5, FROM_BYTES = 4, FROM_SMALL_GROUPS = 5, SMALL_GROUPS_TO = 16 };

/* The kernel on tiles, or RG_KK_COUNT: not there. */
static rg_kernel_kind on_tiles(const rg_units *u, rg_wtype type, int64_t m)
{
    const bool quant = rg_wtype_is_quant(type), small = rg_wtypes[type].group < 64,
               bytes = u->tile_bytes && quant;
    if (u->act == RG_ACT_Q8 && quant) return bytes && m >= FROM_SMALL_GROUPS ? RG_KK_MMDOT8 : RG_KK_COUNT;
    if (u->act == RG_ACT_BF16 && m > RG_GEMV_MAX) return u->tile_bf16 ? RG_KK_MMBF : RG_KK_COUNT;
    if (bytes && (!small || m <= SMALL_GROUPS_TO))
        return m >= (small ? FROM_SMALL_GROUPS : FROM_BYTES) ? RG_KK_MMDOT16 : RG_KK_COUNT;
    if (!u->tile_bf16) return RG_KK_COUNT;
    if (type == RG_WT_BF16) return m >= FROM_BF16 ? RG_KK_MMBF2 : RG_KK_COUNT;
    return m >= FROM_FLOAT ? RG_KK_MMBF3 : RG_KK_COUNT;
}

/* Byte products beat floats where the CPU has the instruction. Emulated with AVX2 they read INT4 twice as
 * fast as widening to floats (27 against 14 GB/s a core out of L2), and 5 and 6 bits nearly so, but lose for
 * many tokens and for INT8. */
static bool dot_pays(const rg_units *u, rg_wtype type, bool few)
{
    return u->bytes || (u->emulated_bytes && few && rg_wtypes[type].bits < 8);
}

/* --act bf16: tokens from which it pays to make pairs of bf16 of float weights. (The matrices of
 * TinyLlama-1.1B, F16, two Zen 4 cores, at 9, 16, 32, 128 tokens: 176, 255, 395, 601 tokens/s against 343,
 * 336, 346, 343 of floats.) */
enum { FROM_PAIRS = 25 };

/* Faithful products of quantised weights are exact integer sums where the CPU multiplies bytes: two planes
 * for 16 bits of x, still faster than one FMA.
 *
 * Prepared rows take gemv up to RG_DOT_TO tokens, RG_DOT_MAX in a call (and in all where registers are
 * narrow, so that codes taken apart serve few): they meet each group of codes as it is taken apart. gemm
 * writes unpacked codes and reads them back, which pays only once it saves x from coming again and again
 * for every panel. (As above, q4g32, gemm against gemv at 17, 32, 64, 128 tokens: 512, 570, 647, 646
 * against 653, 666, 674, 645; --act q8: 741, 872, 994, 1067 against 1051, 1082, 1037, 1026.) */
rg_route rg_route_product(const rg_units *u, rg_wtype type, int64_t m)
{
    const bool few = m <= RG_GEMV_MAX, q8 = u->act == RG_ACT_Q8, quant = rg_wtype_is_quant(type);
    if (!few && u->blas) return (rg_route){RG_KK_BLAS, false};
    if (u->prepared) {
        const rg_kernel_kind tiles = u->blas ? RG_KK_COUNT : on_tiles(u, type, m);
        if (tiles < RG_KK_COUNT) return (rg_route){tiles, true};
        if (u->act == RG_ACT_BF16 && m >= (quant && u->bytes ? RG_DOT_TO + 1 : FROM_PAIRS))
            return (rg_route){RG_KK_MMBF, false};
        if (quant && (q8 || dot_pays(u, type, few))) {
            if (m <= (u->narrow ? RG_DOT_MAX : RG_DOT_TO))
                return (rg_route){q8 ? RG_KK_DOT8 : RG_KK_DOT16, false};
            return (rg_route){q8 ? RG_KK_MMDOT8 : RG_KK_MMDOT16, false};
        }
    }
    return (rg_route){few ? RG_KK_GEMV : RG_KK_GEMM, false};
}

/* Tokens of a sequence that pay for turning keys and values. */
enum { MANY_TOKENS = 16 };

rg_attn_way rg_route_attn(const rg_units *u, int64_t hd, int64_t tokens)
{
    const bool bf16 = u->act == RG_ACT_BF16;
    if (hd > RG_ATTN_MANY_HD || tokens < MANY_TOKENS) return RG_ATTN_FEW;
    if (u->tile_bf16 && !u->blas) return bf16 ? RG_ATTN_TILES_BF16 : RG_ATTN_TILES;
    if (bf16 && u->fast_bf16) return RG_ATTN_MANY_BF16;
    return u->vectors && !u->blas ? RG_ATTN_MANY : RG_ATTN_FEW;
}
