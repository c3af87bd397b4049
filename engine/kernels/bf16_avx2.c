/* BF16 products in AVX2, by widening to float. */
#if !defined(__AVX2__) || defined(__AVX512F__)
#error "bf16_avx2.c needs the AVX2 flags: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx2
#include "kernels/bf16_simd.h"
