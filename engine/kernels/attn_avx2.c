/* Attention kernels in AVX2. */
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__) || defined(__AVX512F__)
#error "attn_avx2.c needs -mavx2 -mfma -mf16c and no AVX-512: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx2
#include "kernels/attn_simd.h"
